/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the DLM promises: exclusive locks with a queue each. A node's own slot lock is
 * persistent: when its daemon dies the node goes on holding it (an orphan), and the next daemon of
 * that node is given it at once. Nothing is granted without quorum, nor while somebody is lost and
 * not known to be dead; what a node held falls free only with the proof of its death.
 */
#ifndef DLM_SIM_LOCKS_H
#define DLM_SIM_LOCKS_H

#include "test/sim/sim.h"

struct locks *locks_create(struct world *w);
/* object: which log of the node's daemon asks; keep: the lock is to outlive the daemon. The answer
 * is node_locked(). */
void locks_request(struct locks *l, unsigned node, unsigned mirror, uint32_t lock, uint64_t object,
		   bool keep);
void locks_release(struct locks *l, unsigned node, unsigned mirror, uint32_t lock, uint64_t object);
/* The object is gone from its daemon without a word, as its kernel has ended the table: nobody comes
 * after it but who waits already. */
void locks_object_gone(struct locks *l, unsigned node, uint64_t object);
void locks_daemon_died(struct locks *l, unsigned node);
/* What the node's earlier daemons have left behind of a mirror that it does not use any more. */
void locks_release_orphans(struct locks *l, unsigned node, unsigned mirror);
/* The node is off: what it asked for is forgotten, what it holds is not free yet. */
void locks_node_off(struct locks *l, unsigned node);
void locks_node_dead(struct locks *l, unsigned node);
/* A ring has formed, or somebody is known to be dead: what has waited for that goes on. */
void locks_recover(struct locks *l);
bool locks_held(const struct locks *l, unsigned node, unsigned mirror, uint32_t lock);

#endif
