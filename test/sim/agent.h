/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who calls dmsetup on one node for one mirror: an admin, a cluster manager's agent, and the
 * daemon's own helper for resets. It tries again until the mirror is as it should be.
 */
#ifndef DLM_SIM_AGENT_H
#define DLM_SIM_AGENT_H

#include "test/sim/sim.h"

struct agent {
	struct node *node;
	unsigned mirror;
	uint64_t revision; /* of the table that its configuration has; outlives the node */
	bool removed;	   /* it is to be away, else active; outlives the node */
	bool suspended;	   /* somebody holds it so */
	bool reload;
	bool reset;
	uint64_t reload_us; /* the last one */
	uint64_t tick;	    /* handle */
};

void agent_create(struct agent *a, struct node *node, unsigned mirror);
void agent_boot(struct agent *a);
void agent_off(struct agent *a);
void agent_remove(struct agent *a, bool removed);
void agent_suspend(struct agent *a, bool noflush);
void agent_resume(struct agent *a);
/* As soon as all legs work, and not too often. */
void agent_reload(struct agent *a);
/* A reload as soon as may be; then node_reset_done(). */
void agent_reset(struct agent *a);

#endif
