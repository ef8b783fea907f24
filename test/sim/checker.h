/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must hold, seen from outside the code under test. Everything that is found is reported with
 * world_violation().
 *
 *	data      a read gets the last acknowledged write of its block, or one that was under way
 *	          since; an acknowledged write to a region that is in sync is on all legs
 *	legs      when a mirror has settled, regions that are in sync have identical legs, and the
 *	          default leg of every node holds what was acknowledged last
 *	requests  a kernel request is answered, and a write is done, within bounded time while the
 *	          node has quorum and is not about to be fenced
 *	order     all members have the same shared state at the same place in the order
 *	repair    the mover repairs only what was dirty when a writer died
 *	tables    once a table was served, no earlier one is; who has one waits for the newer table
 *	healing   in the end every node is active, everything in sync and repaired, and writes go on
 *
 * A mirror has settled when every node that is up has its daemon, all of these are members, no
 * other is, and nothing is left to repair.
 */
#ifndef DLM_SIM_CHECKER_H
#define DLM_SIM_CHECKER_H

#include "test/sim/legs.h"
#include "test/sim/sim.h"

struct checker *checker_create(struct world *w);

/* ---- called by the world */

/* A region that is never quiet is going to be recovered instead; of several each takes its time. */
void checker_starved(struct checker *c, const struct mirror *mirror);
/* A log device is gone with all that it held. */
void checker_device_replaced(struct checker *c, const struct mirror *mirror);
/* A node forgets what the log device, which had failed, does not have. */
void checker_memory_lost(struct checker *c, const struct mirror *mirror);
/* Of the table that the mirror has now: the latest one that was served, or that the log device has
 * been claimed with. */
uint64_t checker_revision(const struct checker *c, const struct mirror *mirror);
/* From now on the table of that revision counts, though nobody has it in use yet. */
void checker_decided(struct checker *c, const struct mirror *mirror, uint64_t revision);
/* A node has the mirror no more. */
void checker_removed(struct checker *c, const struct mirror *mirror);
/* Before anything of the node is taken away. */
void checker_node_dies(struct checker *c, const struct node *node);
/* What a member leaves behind in its slot is to be repaired. */
void checker_detached(struct checker *c, const struct mirror *mirror, uint32_t slot);
/* Does the node write its slot now? */
bool checker_uses_log(const struct node *node, const struct mirror *mirror);
/* Does some member say so? */
bool checker_is_stale(const struct checker *c, const struct mirror *mirror, uint32_t region);
/* A daemon died, or will be unable to tell what it missed: all of its mirrors may be compared. */
void checker_daemon_died(struct checker *c, const struct node *node);
/* Everything of the mirror may be repaired: an admin asked for it, or the log device lost what it
 * knew. */
void checker_repair_all(struct checker *c, const struct mirror *mirror);
/* The mover was asked to repair a region (not to compare it for a verify). */
void checker_repairs(struct checker *c, const struct node *node, const struct mirror *mirror,
		     uint32_t region);
/* mlog_state_hash() of a READY member after it was given the message at `place`, which is the same
 * number for all to whom that message was delivered at the same place in the order. */
void checker_state(struct checker *c, const struct node *node, const struct mirror *mirror,
		   uint64_t place, uint64_t hash);
/* Every second or so. */
void checker_look(struct checker *c);
/* Every node is up and active, everything is in sync and repaired. */
bool checker_converged(const struct checker *c);
/* At the end, with or without convergence: looks at everything that is not busy. */
void checker_final(struct checker *c);

/* ---- called by load and kernel */

/* A node was told that it may use a table of that revision. */
void checker_served(struct checker *c, const struct node *node, const struct mirror *mirror,
		    uint64_t revision);

/* Is there room for one more write whose outcome may stay unknown, and none under way? */
bool checker_may_write(const struct checker *c, const struct mirror *mirror,
		       struct legs_range range);
/* The number of the write. */
uint64_t checker_write_begins(struct checker *c, const struct mirror *mirror,
			      struct legs_range range, bool discard);
enum checker_outcome {
	CHECKER_DONE,	 /* acknowledged */
	CHECKER_UNKNOWN, /* failed, or its node died: old or new */
};
/* A write is on its way to all legs: its region has been marked, and the mark is known. */
void checker_writes(struct checker *c, const struct node *node, const struct mirror *mirror,
		    uint32_t region);
/* missed: mask of legs that gave an error and that the kernel chose to ignore. */
void checker_write_ended(struct checker *c, const struct node *node, const struct mirror *mirror,
			 struct legs_range range, uint64_t number, enum checker_outcome outcome,
			 uint32_t missed);
/* unasked: the kernel chose the leg by its own writes of the region, which were in flight. begun_us:
 * of the read; what was acknowledged since then it need not have seen. */
void checker_read(struct checker *c, const struct node *node, const struct mirror *mirror,
		  uint32_t region, uint32_t block, unsigned leg, bool unasked, uint64_t number,
		  uint64_t begun_us);
/* The kernel says that a region is in sync although it knows better (a recovery that failed without
 * handle_errors): nobody's fault but its own. */
void checker_forgive(struct checker *c, const struct mirror *mirror, uint32_t region);
/* The kernel keeps quiet about the end of its writes: who suspends it then may compare the region.
 */
void checker_uncleared(struct checker *c, const struct mirror *mirror, uint32_t region);
/* A read or write failed. */
void checker_io_failed(struct checker *c, const struct node *node, const struct mirror *mirror,
		       uint32_t region);

#endif
