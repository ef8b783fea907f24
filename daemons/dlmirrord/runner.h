/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs verbs of dlmirror(8), in processes of their own: what they wait for (a disk, udev, this very
 * daemon) the daemon does not wait for, and a verb that was begun ends also when the daemon dies.
 *
 *	daemon ---socket--- runner (forks, waits for nothing)
 *	            \___ one process for each order: runs the command, reads it, answers, ends
 */
#ifndef DLM_RUNNER_H
#define DLM_RUNNER_H

#include <stdint.h>

#include "dlmirror/dlmirror.h"

#define RUNNER_WORDS	 4U
#define RUNNER_TEXT_SIZE DLMIRROR_ERRAND_TEXT_SIZE

struct runner_order {
	uint64_t id;				     /* of the answer */
	char word[RUNNER_WORDS][DLMIRROR_NAME_SIZE]; /* verb and arguments; empty: no more */
	char text[RUNNER_TEXT_SIZE];		     /* what it reads */
};

struct runner_answer {
	uint64_t id;
	uint8_t code;		     /* with which it ended; above 128: by signal code - 128 */
	char text[RUNNER_TEXT_SIZE]; /* what it printed, printable; cut when it was more */
};

/* Starts a runner of the command at path program, which outlives the call. As beside_start(). */
int runner_start(const char *program);
/* 0 or negative errno: the order was not taken. */
int runner_send(int fd, const struct runner_order *order);
/* 1: one answer; 0: none now; negative errno: the runner is gone. */
int runner_receive(int fd, struct runner_answer *ret);

#endif
