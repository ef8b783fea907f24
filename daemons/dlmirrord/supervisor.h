/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The supervisor: a small parent process that starts the worker again when it dies, and kills it
 * when it has been silent for too long. While there is no worker the kernel's requests find no
 * listener and wait, which is safe; a stuck worker whose receive buffers fill up is not.
 */
#ifndef DLM_SUPERVISOR_H
#define DLM_SUPERVISOR_H

#include <stdint.h>

/* Exit code of a worker that has handed over to its successor. */
#define SUPERVISOR_REPLACED 3

/* Runs worker(heartbeat_fd, context) in a child process, again and again, until it ends by itself
 * with exit code 0 or fails at its first start; returns its exit code. watchdog_s 0: never killed.
 */
int supervisor_run(uint32_t watchdog_s, int (*worker)(int heartbeat_fd, void *context),
		   void *context);

#endif
