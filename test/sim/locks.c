/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/sim/locks.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/mutate.h"
#include "test/sim/fence.h"
#include "test/sim/cpg.h"
#include "test/sim/node.h"
#include "test/sim/world.h"

/*
 * What DLM has and this has not, because the core uses neither: a conversion (a lock is taken
 * exclusively or not at all, and given back whole), and lock values (nothing is kept in them, so a
 * lost one is no loss). Who begins to use one models it here first, with its loss (VALNOTVALID).
 */
#define LOCKS	       (MLOG_LOCK_MAP + 1U) /* of a mirror */
#define WAITERS_MAX    (4U * SIM_NODES_MAX)
#define NOBODY	       UINT32_MAX
#define ERROR_PERMILLE 10U
#define ORPHAN	       0U /* object: the daemon is gone */

struct waiter {
	uint32_t node;
	uint64_t object;
	bool keep;
};

struct resource {
	uint32_t holder; /* node, or NOBODY */
	uint64_t object;
	bool keep; /* it is to outlive its daemon */
	uint32_t waiters;
	struct waiter waiter[WAITERS_MAX];
};

/* An answer on its way to a daemon. */
struct answer {
	struct locks *locks;
	struct answer *next;
	unsigned node;
	unsigned mirror;
	uint32_t lock;
	uint64_t object;
	int error;
};

struct locks {
	struct world *world;
	struct resource resource[SIM_MIRRORS_MAX][LOCKS];
	struct answer *free;
};

struct locks *locks_create(struct world *w)
{
	struct locks *l = world_alloc(w, sizeof(*l));

	l->world = w;
	for (unsigned m = 0; m < SIM_MIRRORS_MAX; m++)
		for (uint32_t i = 0; i < LOCKS; i++)
			l->resource[m][i].holder = NOBODY;
	return l;
}

/* object: 0 for any of the node's. */
static bool waits(const struct resource *r, unsigned node, uint64_t object)
{
	for (uint32_t i = 0; i < r->waiters; i++)
		if (r->waiter[i].node == node && (object == 0 || r->waiter[i].object == object))
			return true;
	return false;
}

/* An answer to a request that was withdrawn is not given. */
static bool answers_newest(const struct answer *a)
{
	const struct resource *r = &a->locks->resource[a->mirror][a->lock];
	bool held = r->holder == a->node && r->object == a->object;

	return a->error == 0 ? held : !held && !waits(r, a->node, a->object);
}

static void on_answer(void *context, uint64_t argument)
{
	struct answer *a = context;

	if (node_busy(world_node(a->locks->world, a->node), on_answer, a, argument) != 0)
		return;
	if (answers_newest(a))
		node_locked(world_node(a->locks->world, a->node), a->object, a->lock, a->error);
	a->next = a->locks->free;
	a->locks->free = a;
}

static void answer(struct locks *l, unsigned node, unsigned mirror, uint32_t lock, uint64_t object,
		   int error)
{
	struct random *random = world_random(l->world, RANDOM_LOCKS);
	struct answer *a = l->free;

	if (a != NULL)
		l->free = a->next;
	else
		a = world_alloc(l->world, sizeof(*a));
	*a = (struct answer){.locks = l,
			     .node = node,
			     .mirror = mirror,
			     .lock = lock,
			     .object = object,
			     .error = error};
	world_after(l->world, random_spread(random, world_scenario(l->world)->lock_us), on_answer,
		    a, 0);
}

static bool usable(const struct locks *l, unsigned node)
{
	return cpg_quorate(world_cpg(l->world), node) && !fence_pending(world_fence(l->world));
}

static void waiter_drop(struct resource *r, uint32_t at)
{
	memmove(&r->waiter[at], &r->waiter[at + 1], (r->waiters - at - 1) * sizeof(r->waiter[0]));
	r->waiters--;
}

/* The first in the queue who can be given it now; who is of the same node as an orphan's holder
 * need not wait for those before it. */
static uint32_t next_waiter(const struct locks *l, const struct resource *r)
{
	for (uint32_t i = 0; i < r->waiters; i++) {
		if (!usable(l, r->waiter[i].node))
			continue;
		if (r->holder == NOBODY || (r->object == ORPHAN && r->waiter[i].node == r->holder))
			return i;
	}
	return r->waiters;
}

static void grant(struct locks *l, unsigned mirror, uint32_t lock)
{
	struct resource *r = &l->resource[mirror][lock];
	uint32_t at = next_waiter(l, r);
	struct waiter who;

	if (at == r->waiters)
		return;
	who = r->waiter[at];
	waiter_drop(r, at);
	r->holder = who.node;
	r->object = who.object;
	r->keep = who.keep;
	world_trace(l->world, world_node(l->world, who.node),
		    "lock %" PRIu64 " of mirror %" PRIu64 " is granted", lock, mirror, 0);
	answer(l, who.node, mirror, lock, who.object, 0);
}

void locks_request(struct locks *l, unsigned node, unsigned mirror, uint32_t lock, uint64_t object,
		   bool keep)
{
	struct resource *r = &l->resource[mirror][lock];

	assert(lock < LOCKS);
	if (waits(r, node, object))
		world_violation(l->world, "locks", "node %u asks for lock %u twice", node + 1,
				lock);
	if (r->holder == node && r->object == object)
		world_violation(l->world, "locks", "node %u asks for lock %u, which it has",
				node + 1, lock);
	if (r->waiters == WAITERS_MAX ||
	    random_chance(world_random(l->world, RANDOM_LOCKS), ERROR_PERMILLE)) {
		answer(l, node, mirror, lock, object, -EAGAIN);
		return;
	}
	r->waiter[r->waiters++] = (struct waiter){.node = node, .object = object, .keep = keep};
	grant(l, mirror, lock);
}

static void release(struct locks *l, unsigned mirror, uint32_t lock)
{
	struct resource *r = &l->resource[mirror][lock];

	world_trace(l->world, world_node(l->world, r->holder),
		    "lock %" PRIu64 " of mirror %" PRIu64 " is released", lock, mirror, 0);
	r->holder = NOBODY;
	grant(l, mirror, lock);
}

/* Releases what the object holds and takes it out of the queue. */
static bool give_up(struct locks *l, unsigned mirror, uint32_t lock, unsigned node, uint64_t object)
{
	struct resource *r = &l->resource[mirror][lock];
	bool found = false;

	for (uint32_t i = 0; i < r->waiters; i++)
		if (r->waiter[i].node == node && r->waiter[i].object == object) {
			waiter_drop(r, i--);
			found = true;
		}
	if (r->holder == node && r->object == object) {
		release(l, mirror, lock);
		found = true;
	}
	return found;
}

void locks_release(struct locks *l, unsigned node, unsigned mirror, uint32_t lock, uint64_t object)
{
	assert(lock < LOCKS);
	if (!give_up(l, mirror, lock, node, object))
		world_trace(l->world, world_node(l->world, node),
			    "unlocks %" PRIu64 ", which it neither has nor waits for", lock, 0, 0);
}

/* object: 0 for all of the node's. */
static void waiters_forget(struct resource *r, unsigned node, uint64_t object)
{
	for (uint32_t i = 0; i < r->waiters; i++)
		if (r->waiter[i].node == node && (object == 0 || r->waiter[i].object == object))
			waiter_drop(r, i--);
}

/* forget: what was to be kept is, for who waits here only. */
static void orphan(struct locks *l, unsigned node, uint64_t object, bool forget)
{
	for (unsigned m = 0; m < SIM_MIRRORS_MAX; m++)
		for (uint32_t i = 0; i < LOCKS; i++) {
			struct resource *r = &l->resource[m][i];

			waiters_forget(r, node, object);
			if (r->holder != node || (object != 0 && r->object != object))
				continue;
			if (!r->keep || (forget && !waits(r, node, 0)) ||
			    mutation(MUTATE_LOCK_NOT_PERSISTENT)) {
				release(l, m, i);
			} else {
				r->object = ORPHAN;
				grant(l, m, i); /* another table of the node may wait for it */
			}
		}
}

void locks_object_gone(struct locks *l, unsigned node, uint64_t object)
{
	orphan(l, node, object, true);
}

void locks_release_orphans(struct locks *l, unsigned node, unsigned mirror)
{
	for (uint32_t i = 0; i < LOCKS; i++) {
		const struct resource *r = &l->resource[mirror][i];

		if (r->holder == node && r->object == ORPHAN)
			release(l, mirror, i);
	}
}

void locks_daemon_died(struct locks *l, unsigned node)
{
	orphan(l, node, 0, false);
}

void locks_node_off(struct locks *l, unsigned node)
{
	for (unsigned m = 0; m < SIM_MIRRORS_MAX; m++)
		for (uint32_t i = 0; i < LOCKS; i++)
			waiters_forget(&l->resource[m][i], node, 0);
}

void locks_node_dead(struct locks *l, unsigned node)
{
	for (unsigned m = 0; m < SIM_MIRRORS_MAX; m++)
		for (uint32_t i = 0; i < LOCKS; i++)
			if (l->resource[m][i].holder == node)
				release(l, m, i);
	locks_recover(l);
}

void locks_recover(struct locks *l)
{
	for (unsigned m = 0; m < SIM_MIRRORS_MAX; m++)
		for (uint32_t i = 0; i < LOCKS; i++)
			if (l->resource[m][i].waiters > 0)
				grant(l, m, i);
}

bool locks_held(const struct locks *l, unsigned node, unsigned mirror, uint32_t lock)
{
	return l->resource[mirror][lock].holder == node;
}
