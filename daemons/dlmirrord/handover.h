/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one image of the daemon gives to the next across exec: descriptors, by number, in one
 * environment variable. The kernel's messages wait in the sockets meanwhile.
 */
#ifndef DLM_HANDOVER_H
#define DLM_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemons/dlmirrord/responder.h"

struct handover {
	int lock_fd;	  /* -1: none */
	int heartbeat_fd; /* to the supervisor; -1: none */
	unsigned socket_count;
	int socket[RESPONDERS_MAX];
	uint32_t generation; /* planned restarts so far */
};

/* Reads (and removes) the variable; an empty handover when there is none or it makes no sense. */
void handover_take(struct handover *ret);
/* Sets the variable and keeps the descriptors open across exec. */
int handover_give(const struct handover *h);

#endif
