/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one image of the daemon gives to the next: descriptors, by number, in one environment
 * variable. The kernel's messages wait in the sockets while nobody reads them.
 *
 * With a supervisor the next image is a child that makes itself ready while the old one still serves
 * (starting a process takes far longer than taking over):
 *
 *	old: spawn -------------------------- quiet, "go" -> exit
 *	new:        start .. "ready" -> wait             -> restore, serve
 *
 * The supervisor adopts it. Without a supervisor there is nobody to adopt it: the process becomes
 * the next image by exec.
 *
 * "ready" also says that it can read what the old one keeps of each log (statefile.h): one that
 * cannot ends instead, and the old one goes on. After exec it would be too late, so what cannot be
 * read then counts as lost.
 */
#ifndef DLM_HANDOVER_H
#define DLM_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemons/dlmirrord/responder.h"

struct handover {
	int lock_fd;	  /* -1: none */
	int heartbeat_fd; /* to the supervisor; -1: none */
	int successor_fd; /* between old and new; -1: none */
	unsigned socket_count;
	int socket[RESPONDERS_MAX];
	uint32_t generation; /* planned restarts so far */
};

/* Reads (and removes) the variable; an empty handover when there is none or it makes no sense. */
void handover_take(struct handover *ret);
/* Sets the variable and keeps the descriptors open across exec. */
int handover_give(const struct handover *h);
/* Undoes that, when there was no exec or after a spawn. */
void handover_keep(const struct handover *h);

/* Old: starts the next image; *ret_fd becomes readable when it is ready (or gone). 0 or -errno. */
int handover_spawn(const struct handover *h, char *const arguments[], int *ret_fd);
/* Old: what fd says: 1 ready, 0 nothing yet, negative errno: it ended. */
int handover_is_ready(int fd);
/* Old: everything is quiet, the next image may begin. */
int handover_go(int fd);
/* New: says that it is ready and waits for go. 0 or negative errno: the old one goes on. */
int handover_wait(const struct handover *h);
/* New: waits until the old image is gone (its names are free), at most timeout_ms. */
void handover_wait_end(struct handover *h, int timeout_ms);

#endif
