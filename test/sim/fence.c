/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/sim/fence.h"

#include "test/sim/cpg.h"
#include "test/sim/locks.h"
#include "test/sim/node.h"
#include "test/sim/world.h"

#define AGAIN_US  (1 * SECOND_US)
#define REBOOT_US (2 * SECOND_US)

struct victim {
	enum { FENCE_OUTSIDE, FENCE_MEMBER, FENCE_LOST } state;
	uint64_t boot; /* while not OUTSIDE */
	uint64_t lost_us;
	uint32_t by; /* LOST: those of the ring that lost it, as far as they live */
};

struct fence {
	struct world *world;
	struct victim victim[SIM_NODES_MAX];
};

struct fence *fence_create(struct world *w)
{
	struct fence *f = world_alloc(w, sizeof(*f));

	f->world = w;
	return f;
}

/* Is anybody there with quorum who may fence it? */
static bool somebody_fences(const struct fence *f, unsigned victim)
{
	for (unsigned i = 0; i < world_nodes(f->world); i++)
		if (i != victim && cpg_quorate(world_cpg(f->world), i) &&
		    ((f->victim[victim].by >> i & 1) != 0 || f->victim[i].state == FENCE_MEMBER))
			return true;
	return false;
}

/* The fencing race is won: nobody is left of those who lost it. */
static bool race_won(const struct fence *f, unsigned index)
{
	return f->victim[index].by == 0 && cpg_quorate(world_cpg(f->world), index);
}

static void dead(struct fence *f, unsigned index)
{
	f->victim[index].state = FENCE_OUTSIDE;
	for (unsigned i = 0; i < world_nodes(f->world); i++)
		f->victim[i].by &= ~(UINT32_C(1) << index);
	locks_node_dead(world_locks(f->world), index);
}

static void on_fence(void *context, uint64_t argument)
{
	struct fence *f = context;
	unsigned index = (unsigned)(argument & 0xff);
	struct victim *v = &f->victim[index];
	struct node *node = world_node(f->world, index);

	if (v->state != FENCE_LOST || v->boot != argument >> 8)
		return;
	if (race_won(f, index)) {
		v->state = FENCE_MEMBER;
		locks_recover(world_locks(f->world));
		return;
	}
	if (!somebody_fences(f, index)) {
		world_after(f->world, AGAIN_US, on_fence, f, argument);
		return;
	}
	world_trace(f->world, node, "is fenced", 0, 0, 0);
	world_result(f->world)->fenced++;
	if (node_up(node)) {
		node_power_off(node);
		world_after(f->world,
			    random_spread(world_random(f->world, RANDOM_FAULTS), REBOOT_US),
			    node_power_on_at, node, 0);
	}
	dead(f, index);
}

static void member_lost(struct fence *f, unsigned index, uint32_t by)
{
	struct victim *v = &f->victim[index];

	v->state = FENCE_LOST;
	v->lost_us = world_now_us(f->world);
	v->by = by;
	world_after(f->world,
		    random_spread(world_random(f->world, RANDOM_FAULTS),
				  world_scenario(f->world)->fence_us),
		    on_fence, f, v->boot << 8 | index);
}

static void member_seen(struct fence *f, unsigned index, uint32_t members)
{
	struct victim *v = &f->victim[index];
	uint64_t boot = node_boots(world_node(f->world, index));

	if (v->state != FENCE_OUTSIDE && v->boot != boot)
		dead(f, index);
	if (v->state == FENCE_LOST && (members & v->by) == 0)
		return;
	/* It is back before it was fenced. Where both sides had quorum one of them must die all the
	 * same; else that is for the cluster to say. */
	if (v->state == FENCE_LOST && (world_scenario(f->world)->last_man ||
				       random_chance(world_random(f->world, RANDOM_FAULTS), 300)))
		return;
	v->state = FENCE_MEMBER;
	v->boot = boot;
}

void fence_ring_formed(struct fence *f, uint32_t members, bool quorate)
{
	for (unsigned i = 0; i < world_nodes(f->world) && quorate; i++) {
		if ((members >> i & 1) != 0)
			member_seen(f, i, members);
		else if (f->victim[i].state == FENCE_MEMBER)
			member_lost(f, i, members);
	}
	locks_recover(world_locks(f->world));
}

bool fence_pending(const struct fence *f)
{
	for (unsigned i = 0; i < world_nodes(f->world); i++)
		if (f->victim[i].state == FENCE_LOST)
			return true;
	return false;
}

bool fence_awaits(const struct fence *f, unsigned node)
{
	return f->victim[node].state == FENCE_LOST;
}

uint64_t fence_lost_us(const struct fence *f, unsigned node)
{
	return fence_awaits(f, node) ? f->victim[node].lost_us : UINT64_MAX;
}
