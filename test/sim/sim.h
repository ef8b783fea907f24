/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulator's shared types. One process, virtual time, one seed: a run is a function of its
 * scenario, and nothing in it may depend on addresses, the clock, the locale or memory that was not
 * set.
 *
 *	scenario   what is to happen (drawn from the seed, or a part of that while shrinking)
 *	world      virtual time, the queue, the trace, the nodes and mirrors of one run
 *	node       one host: its kernel model and its daemon (real core, codecs and pump)
 *	group, locks, device, mover: the ports' far ends, shared by all nodes
 *	kernel     the model of dm-mirror and dm-log-userspace for one mirror on one node
 *	legs       the mirror's data, shared by all nodes
 *	checker    what must hold, outside the code under test
 *	meter      what a daemon has done, for benchmarks
 *
 * Calls go one way, answers come through the queue: node_kernel_datagram() never calls
 * kernel_reply(), a mover's completion never comes from within its call, and so on.
 */
#ifndef DLM_SIM_H
#define DLM_SIM_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/mlog.h"
#include "test/sim/queue.h"
#include "test/sim/random.h"
#include "test/sim/scenario.h"

#define SECOND_US UINT64_C(1000000)
#define MS_US	  UINT64_C(1000)

struct checker;
struct logdev;
struct cpg;
struct kernel;
struct legs;
struct locks;
struct node;
struct world;

/* Streams of chance. Each exists once per node and once for the world. */
enum random_stream {
	RANDOM_SCENARIO,
	RANDOM_FAULTS,
	RANDOM_NODE,
	RANDOM_GROUP,
	RANDOM_LOCKS,
	RANDOM_DEVICE,
	RANDOM_MOVER,
	RANDOM_KERNEL, /* latencies and choices of the kernel model */
	RANDOM_LOAD,   /* which block is written or read, and when */
	RANDOM_LEGS,
	RANDOM_STREAMS,
};

/* One mirror: what all nodes share of it. */
struct mirror {
	struct world *world;
	unsigned index;
	const struct scenario_mirror *plan;
	char uuid[48];
	struct legs *legs;
	/* NULL: clustered-core. Tables have the first, until a reload brings the second. */
	struct logdev *logdev[SIM_LOGDEVS];
};

/* ---- world.c */

struct world *node_world(const struct node *node);
uint64_t world_now_us(const struct world *w);
const struct scenario *world_scenario(const struct world *w);
struct checker *world_checker(struct world *w);
unsigned world_nodes(const struct world *w);
struct node *world_node(struct world *w, unsigned index);
unsigned world_mirrors(const struct world *w);
struct mirror *world_mirror(struct world *w, unsigned index);
struct random *world_random(struct world *w, enum random_stream stream);
/* Zeroed memory that lives as long as the run; not for the inner loop. */
void *world_alloc(struct world *w, size_t size);

/* Calls fn(context, argument) after delay_us; a handle for world_cancel(), never 0. */
uint64_t world_after(struct world *w, uint64_t delay_us, queue_fn fn, void *context,
		     uint64_t argument);
void world_cancel(struct world *w, uint64_t handle);

/*
 * A line of the trace. text is a literal printf format for exactly three uint64_t (PRIu64, PRIx64;
 * those that it does not use are 0). The line is hashed always and printed only with --trace, so
 * nothing else may be in it. node: NULL for the world's own.
 */
#define world_trace(w, node, text, a, b, c)                                                        \
	world_trace_line((w), (node), "" text, sizeof(text) - 1, (uint64_t)(a), (uint64_t)(b),     \
			 (uint64_t)(c))
void world_trace_line(struct world *w, const struct node *node, const char *text, size_t length,
		      uint64_t a, uint64_t b, uint64_t c);

/* Something that must hold does not: the run ends after the callback under way. The first one
 * counts. what: "I4", "lost write", ... */
void world_violation(struct world *w, const char *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool world_violated(const struct world *w);

/* ---- node.c */

unsigned node_index(const struct node *node); /* 0.. */
uint32_t node_id(const struct node *node);    /* as the group calls it: index + 1 */
struct random *node_random(struct node *node, enum random_stream stream);
bool node_up(const struct node *node);
bool node_daemon_up(const struct node *node);
bool node_daemon_takes(const struct node *node); /* and is not stopped */
/* The daemon runs and its group has quorum. */
bool node_quorate(const struct node *node);
/* Will be, or is being fenced: what it does or does not do is nobody's concern. */
bool node_doomed(const struct node *node);
uint64_t node_doomed_us(const struct node *node); /* since when; UINT64_MAX: it is not */
struct kernel *node_kernel(const struct node *node, unsigned mirror); /* NULL: the node is off */
/* The core object and the hot maps of a loaded table; NULL while there is no daemon (the hot maps
 * stay) or it does not know that luid. */
const struct mlog *node_mlog(const struct node *node, uint64_t luid);
const struct hot *node_hot(const struct node *node, uint64_t luid);
/* The start of the hot maps, which are there without a daemon as well. */
const struct hot_shared *node_maps(const struct node *node, uint64_t luid);
/* Its log device has failed while the mirror went on: after a crash now all is compared. */
bool node_distrusts(const struct node *node, unsigned mirror);
/* It goes on without the log device, which could not even be looked at. */
bool node_unread(const struct node *node, unsigned mirror);

/* What the kernels of all mirrors of a host share; boot makes it anew. */
struct node_host {
	uint32_t seq;	     /* of the next request, wraps */
	uint64_t limiter_us; /* last IS_REMOTE_RECOVERING that was asked; 0: none */
	uint64_t luid_next;  /* for a new table; luids are used again */
};
struct node_host *node_host(struct node *node);

/* A request of the kernel, as bytes (codec/kmsg.h). 0, or -ESRCH: nobody listens, or the socket's
 * buffer is full. The answer, if there is one, comes through kernel_reply(). */
int node_kernel_datagram(struct node *node, const uint8_t *datagram, size_t size);

#endif
