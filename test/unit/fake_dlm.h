/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A DLM in memory, for several nodes, below lib/lockspace: queues, converts, values, blocking
 * callbacks, orphans, and nodes that die, whose locks fall free with fake_recover() only. It does
 * what the real one was seen to do (test/vm/scenarios/cluster-dlm-locks). May be used by several threads.
 */
#ifndef FAKE_DLM_H
#define FAKE_DLM_H

#include "lockspace/backend.h"

#define FAKE_NODES_MAX 8U

struct fake_dlm;

struct fake_dlm *fake_create(const char *cluster);
struct fake_dlm *fake_destroy(struct fake_dlm *f);
/* For lockspace_join() of a process on node, 1..FAKE_NODES_MAX. */
const struct lockspace_backend *fake_backend(struct fake_dlm *f, unsigned node);

/* All processes of node are killed: what is persistent becomes an orphan. */
void fake_processes_die(struct fake_dlm *f, unsigned node);
/* The node is off. Nothing is granted any more until fake_recover(). */
void fake_node_dies(struct fake_dlm *f, unsigned node);
void fake_recover(struct fake_dlm *f);
/* While it recovers or a lockspace is joined, calls wait. */
void fake_calls_wait(struct fake_dlm *f, bool wait);
/* What opening says: 0 or negative errno. */
void fake_open_fails(struct fake_dlm *f, int error);
/* The next count calls of lock (not of converts and orphans) fail. */
void fake_locks_fail(struct fake_dlm *f, unsigned count, int error);

/* Who has the resource, as "1 EX, 2 waits EX, 3 NL waits PW, 1 orphan EX"; "" nobody. */
const char *fake_queue(struct fake_dlm *f, const char *name, char *ret, size_t size);
/* Is the lockspace there on node? */
bool fake_joined(struct fake_dlm *f, unsigned node);
/* How many have it open there. */
unsigned fake_processes(struct fake_dlm *f, unsigned node);

#endif
