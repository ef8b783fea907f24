/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Suspends and resumes, in processes that a killed daemon leaves behind. A signal, SIGKILL too, ends
 * the kernel's wait for I/O in dm_suspend(), and dm-mirror does not undo what it has begun: the next
 * suspend of that mirror waits for ever. So nothing that suspends may be killed with the daemon.
 *
 *	daemon ---socket--- suspender (forks, waits for nothing)
 *	            \___ one process for each order: does it, answers, ends
 *
 * The suspender ends when the daemon's end of the socket is closed; orders under way go on to their
 * end, however long the kernel takes, and no order waits for another.
 */
#ifndef DLM_SUSPENDER_H
#define DLM_SUSPENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemons/dlmirrord/devmap_ioctl.h"

enum suspender_act {
	SUSPENDER_RESET,   /* see devmap_reset() */
	SUSPENDER_RELOAD,  /* see devmap_reload() */
	SUSPENDER_SUSPEND, /* noflush, no lockfs */
	SUSPENDER_RESUME,  /* with the table that waits, if one does */
};

struct suspender_order {
	uint64_t id; /* of the answer */
	enum suspender_act act;
	bool finish; /* of a reset */
	struct found found;
};

/* Starts a suspender. No lock is held that malloc or libdevmapper need. As beside_start(). */
int suspender_start(void);
/* 0 or negative errno: the order was not taken. */
int suspender_send(int fd, const struct suspender_order *order);
/* 1: one answer (*ret_error: 0 or negative errno); 0: none now; negative errno: the suspender is
 * gone, and what its orders have done will not be known. */
int suspender_receive(int fd, uint64_t *ret_id, int *ret_error);

#endif
