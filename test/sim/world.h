/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run: builds the world of a scenario, lets it happen, and ends it with the checker. The memory
 * of a world is used again by the next run, so that 20,000 runs cost what they do and no more.
 */
#ifndef DLM_SIM_WORLD_H
#define DLM_SIM_WORLD_H

#include <stdio.h>

#include "test/sim/sim.h"

struct change;
struct fence;

struct world_result {
	uint64_t seed;
	bool failed;
	char what[32];
	char text[512];
	uint64_t at_us;		     /* of the failure, or the end */
	uint64_t hash;		     /* of the trace */
	uint64_t events;	     /* callbacks */
	uint64_t node_us;	     /* time that nodes were up, all together */
	uint64_t requests;	     /* that kernels sent */
	uint64_t messages;	     /* that the group delivered */
	uint64_t fault[FAULT_KINDS]; /* that hit something */
	uint64_t fenced;
};

struct world *world_create(void);
struct world *world_destroy(struct world *w);
/* trace: NULL, or where its lines go. */
void world_run(struct world *w, const struct scenario *s, FILE *trace, struct world_result *ret);

/* fn looks at all that happens: it is called before each callback, at its time, and changes nothing
 * of the run. NULL: nobody. */
typedef void (*world_watch_fn)(void *context, struct world *w);
void world_watch(struct world *w, world_watch_fn fn, void *context);
bool world_watched(const struct world *w);

struct cpg *world_cpg(struct world *w);
struct locks *world_locks(struct world *w);
struct fence *world_fence(struct world *w);
struct change *world_change(struct world *w, unsigned mirror);
/* What the run has counted so far. */
struct world_result *world_result(struct world *w);
/* Is text wanted? Then world_trace_text() prints what was hashed by other means. */
bool world_traces(const struct world *w);
void world_trace_text(struct world *w, const struct node *node, const char *text);
/* Adds to the hash of the trace only. */
void world_trace_hash(struct world *w, uint64_t value);

#endif
