/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/sim/change.h"

#include "test/sim/checker.h"
#include "test/sim/kernel.h"
#include "test/sim/legs.h"
#include "test/sim/logdev.h"
#include "test/sim/node_internal.h"

#define POLL_US	    (20 * MS_US)
#define AGAIN_US    (1 * SECOND_US)
#define PATIENCE_US (20 * SECOND_US)
#define FOLLOW_US   (10 * MS_US) /* until a configuration is written */
#define GIVEN	    500U /* permille of those that have it not active are given the new one */
#define ADMIN_US    (2 * SECOND_US)
#define REBOOT_US   (2 * SECOND_US)

struct part {
	struct change *change;
	struct node *node;
	bool there; /* when the one under way, or the last one, began */
	bool takes; /* part in it */
	bool ended;
	uint64_t boot;
	uint64_t life;
	bool differs; /* has another table than it should, as an admin has seen it */
};

struct change {
	struct world *world;
	struct mirror *mirror;
	enum { NONE, WANTED, SUSPENDING, GOING } stage;
	bool decided; /* it does not happen twice */
	bool over;
	bool refused;
	bool log;	   /* another log device; else */
	unsigned leg;	   /* is dropped */
	uint64_t revision; /* of the new table */
	uint64_t begun_us;
	uint64_t again_us;
	uint64_t decided_us;
	struct part part[SIM_NODES_MAX];
};

struct change *change_create(struct mirror *mirror)
{
	struct change *c = world_alloc(mirror->world, sizeof(*c));

	c->world = mirror->world;
	c->mirror = mirror;
	c->revision = 1;
	for (unsigned i = 0; i < world_nodes(c->world); i++)
		c->part[i] = (struct part){.change = c, .node = world_node(c->world, i)};
	return c;
}

static struct kernel *kernel_of(const struct part *p)
{
	return node_kernel(p->node, p->change->mirror->index);
}

static struct agent *agent_of(const struct part *p)
{
	return &p->node->agent[p->change->mirror->index];
}

static bool has_table(const struct part *p)
{
	const struct kernel *k = kernel_of(p);

	return k != NULL && kernel_luid(k) != 0;
}

/* ---- may it be? */

/* All that have quorum are in one view, and nobody else is. */
static bool one_view(const struct change *c)
{
	uint32_t there = 0;

	for (unsigned i = 0; i < world_nodes(c->world); i++)
		there += node_quorate(c->part[i].node) ? 1 : 0;
	for (unsigned i = 0; i < world_nodes(c->world); i++)
		if (node_quorate(c->part[i].node) && c->part[i].node->view_count != there)
			return false;
	return true;
}

/* What is kept comes first, and has everything. */
static bool source_changes(const struct change *c)
{
	return !c->log && legs_table(c->mirror->legs, c->revision - 1)->leg[0] == c->leg;
}

/* What the table of before has must not count again. */
static bool outdates(const struct change *c)
{
	return c->log || source_changes(c);
}

static struct logdev *log_before(const struct change *c)
{
	return legs_logdev(c->mirror, c->revision - 1);
}

static struct logdev *log_after(const struct change *c)
{
	return legs_logdev(c->mirror, c->revision);
}

/* Without a second leg nothing is in sync, and the new log says that. */
static bool has_all(const struct part *p)
{
	bool log = p->change->log;
	uint64_t luid = kernel_luid(kernel_of(p));
	const struct hot *hot = node_hot(p->node, luid);
	struct mlog_status status;

	if (hot == NULL)
		return false;
	if (log && p->change->mirror->plan->missing)
		return true;
	mlog_status(node_mlog(p->node, luid), &status);
	return status.in_sync == status.region_count &&
	       ((hot_holds(hot) && !log) ||
		(status.repair == 0 && atomic_load(&hot->shared->suspect) == SUSPECT_NO));
}

/* Nobody is gone, who may be writing still, or on his way in, as far as a member knows. */
static bool members_ready(const struct mlog *m, uint32_t self)
{
	const struct mlog_member *e;
	bool in = false;

	for (uint32_t slot = 0; (e = mlog_member(m, slot)) != NULL; slot++) {
		if (e->state != MLOG_MEMBER_NONE && e->state != MLOG_MEMBER_READY)
			return false;
		in = in || (e->state == MLOG_MEMBER_READY && e->node == self);
	}
	return in;
}

static bool kept_legs_work(const struct part *p)
{
	const struct legs *l = p->change->mirror->legs;
	const struct legs_table *t = legs_table(l, p->change->revision);
	unsigned kept = t->count - (p->change->mirror->plan->missing ? 1 : 0);

	for (unsigned i = 0; i < kept; i++)
		if (legs_failing(l, p->node, t->leg[i]))
			return false;
	return true;
}

static bool kernel_ready(const struct part *p)
{
	const struct kernel *k = kernel_of(p);
	const struct agent *a = agent_of(p);

	return kernel_active(k) && kernel_operated(k) && !kernel_misled(k) &&
	       kernel_default_leg(k) == 0 && !a->reload && !a->reset;
}

static bool log_ready(const struct part *p)
{
	uint64_t luid = kernel_luid(kernel_of(p));
	const struct mlog *m = node_mlog(p->node, luid);
	struct mlog_status status;
	uint32_t suspect;

	if (m == NULL)
		return false;
	mlog_status(m, &status);
	suspect = atomic_load(&node_hot(p->node, luid)->shared->suspect);
	return status.phase == MLOG_ACTIVE && status.quorate && suspect != SUSPECT_NEW &&
	       suspect != SUSPECT_RESETTING && members_ready(m, node_id(p->node));
}

static bool votes_no(const struct part *p)
{
	const struct change *c = p->change;

	if (!node_quorate(p->node))
		return false;
	if (!has_table(p))
		return !kernel_operated(kernel_of(p)); /* it is being made */
	return node_doomed(p->node) || !kernel_ready(p) || !log_ready(p) || !kept_legs_work(p) ||
	       (outdates(c) && !has_all(p)) ||
	       (c->log && !logdev_works(log_after(c), p->node->index));
}

static bool is_possible(const struct change *c)
{
	bool active = false;

	if (!one_view(c))
		return false;
	for (unsigned i = 0; i < world_nodes(c->world); i++) {
		const struct part *p = &c->part[i];

		if (votes_no(p))
			return false;
		active = active || (node_quorate(p->node) && has_table(p));
	}
	return active;
}

/* ---- the course of it */

static void on_ended(void *context, enum kernel_operation operation, int error)
{
	struct part *p = context;

	(void)operation;
	p->ended = true;
	p->change->refused = p->change->refused || error != 0;
}

static void begin(struct change *c)
{
	uint64_t mask = 0;

	c->stage = SUSPENDING;
	c->refused = false;
	if (c->log)
		logdev_prepare(log_after(c), c->revision, !c->mirror->plan->missing);
	c->begun_us = world_now_us(c->world);
	for (unsigned i = 0; i < world_nodes(c->world); i++) {
		struct part *p = &c->part[i];

		p->there = node_quorate(p->node);
		p->takes = p->there && has_table(p);
		p->ended = false;
		p->boot = p->node->boots;
		p->life = p->node->life;
		if (!p->takes)
			continue;
		mask |= UINT64_C(1) << i;
		kernel_configure(kernel_of(p), c->revision);
		kernel_operate(kernel_of(p), KERNEL_CHANGE, on_ended, p);
	}
	world_trace(c->world, NULL,
		    "mirror %" PRIu64 ": nodes %" PRIx64 " begin to change to revision %" PRIu64,
		    c->mirror->index, mask, c->revision);
}

static bool is_off(const struct part *p)
{
	return !node_up(p->node) || p->node->boots != p->boot;
}

static bool is_lost(const struct part *p)
{
	return is_off(p) || p->node->life != p->life || !node_quorate(p->node) ||
	       node_doomed(p->node);
}

/* The old table goes on. */
static void stop(struct change *c)
{
	world_trace(c->world, NULL, "mirror %" PRIu64 ": the change is undone", c->mirror->index, 0,
		    0);
	for (unsigned i = 0; i < world_nodes(c->world); i++)
		if (c->part[i].takes && !is_off(&c->part[i]))
			kernel_change_end(kernel_of(&c->part[i]), false);
	if (c->log)
		logdev_replace(log_after(c));
	c->stage = c->over ? NONE : WANTED;
	c->again_us = world_now_us(c->world) + AGAIN_US;
}

/* The configuration is written before the first write, so that what must not count again does not. */
static void on_go(void *context, uint64_t boot)
{
	struct part *p = context;

	if (!node_up(p->node) || p->node->boots != boot)
		return;
	agent_of(p)->revision = p->change->revision;
	if (p->change->log && logdev_works(log_before(p->change), p->node->index))
		logdev_retire(log_before(p->change), p->change->revision);
	kernel_change_end(kernel_of(p), true);
}

static void decide(struct change *c)
{
	struct random *random = world_random(c->world, RANDOM_FAULTS);

	world_trace(c->world, NULL, "mirror %" PRIu64 ": revision %" PRIu64 " counts",
		    c->mirror->index, c->revision, 0);
	checker_decided(world_checker(c->world), c->mirror, c->revision);
	c->stage = GOING;
	c->decided = true;
	c->decided_us = world_now_us(c->world);
	for (unsigned i = 0; i < world_nodes(c->world); i++)
		if (c->part[i].takes)
			world_after(c->world, random_spread(random, FOLLOW_US), on_go, &c->part[i],
				    c->part[i].boot);
}

static void suspending(struct change *c)
{
	bool waits = world_now_us(c->world) < c->begun_us + PATIENCE_US;
	bool all = true;

	waits = waits && !c->refused;
	for (unsigned i = 0; i < world_nodes(c->world); i++) {
		const struct part *p = &c->part[i];

		if (!p->takes) {
			/* It attaches. */
			waits = waits && !(node_quorate(p->node) && has_table(p));
			continue;
		}
		if (is_lost(p)) {
			stop(c);
			return;
		}
		all = all && kernel_change_waits(kernel_of(p));
		if (kernel_change_waits(kernel_of(p)) && outdates(c) && !has_all(p))
			waits = false;
	}
	if (!waits)
		stop(c);
	else if (all)
		decide(c);
}

static void give(struct change *c)
{
	struct random *random = world_random(c->world, RANDOM_FAULTS);

	for (unsigned i = 0; i < world_nodes(c->world); i++) {
		struct part *p = &c->part[i];

		if (!p->takes && node_quorate(p->node) && random_chance(random, GIVEN))
			agent_of(p)->revision = c->revision;
	}
}

static void going(struct change *c)
{
	for (unsigned i = 0; i < world_nodes(c->world); i++)
		if (c->part[i].takes && !c->part[i].ended && !is_lost(&c->part[i]))
			return;
	give(c);
	c->stage = NONE;
}

static void on_poll(void *context, uint64_t argument)
{
	struct change *c = context;

	(void)argument;
	if (c->stage == WANTED && world_now_us(c->world) >= c->again_us && is_possible(c))
		begin(c);
	else if (c->stage == SUSPENDING)
		suspending(c);
	else if (c->stage == GOING)
		going(c);
	if (c->stage != NONE)
		world_after(c->world, POLL_US, on_poll, c, 0);
}

/* Older daemons do not understand such tables; the rest is the course's business. */
static bool understood(const struct scenario *s, uint16_t version)
{
	for (uint32_t i = 0; i < s->faults; i++)
		if (s->fault[i].kind == FAULT_UPGRADE)
			return false;
	return s->version_min >= version;
}

static bool may_want(const struct change *c, uint16_t version)
{
	return c->stage == NONE && !c->decided && !c->over && c->mirror->plan->has_disk &&
	       understood(world_scenario(c->world), version);
}

static void want(struct change *c)
{
	c->again_us = 0;
	c->stage = WANTED;
	on_poll(c, 0);
}

void change_want_leg(struct change *c, unsigned leg)
{
	const struct scenario_mirror *plan = c->mirror->plan;

	if (!may_want(c, GROUP_REVISION_VERSION) || plan->missing || plan->legs < 3 ||
	    leg >= plan->legs)
		return;
	c->log = false;
	c->leg = leg;
	legs_drop(c->mirror->legs, c->revision, leg);
	want(c);
}

void change_want_log(struct change *c)
{
	if (!may_want(c, GROUP_LOG_VERSION))
		return;
	c->log = true;
	legs_other_log(c->mirror->legs, c->revision, 1);
	want(c);
}

bool change_outdates(const struct change *c, const struct node *node, uint64_t revision)
{
	const struct part *p = &c->part[node->index];

	return c->stage == GOING && p->there && node->life == p->life &&
	       revision != MLOG_REVISION_UNKNOWN && revision < c->revision;
}

/* ---- afterwards */

static void node_look(struct part *p, uint64_t revision)
{
	struct world *w = p->change->world;
	struct random *random = world_random(w, RANDOM_FAULTS);
	bool differed = p->differs;

	agent_of(p)->revision = revision;
	p->differs = has_table(p) && kernel_revision(kernel_of(p)) != revision;
	if (!p->differs || !differed)
		return;
	world_trace(w, p->node, "is restarted: its table is not of revision %" PRIu64, revision, 0,
		    0);
	p->differs = false;
	node_power_off(p->node);
	world_after(w, random_spread(random, REBOOT_US), node_power_on_at, p->node, 0);
}

/* Somebody may resume without end, when all others have died and those who came back first had the
 * table of before. */
static bool may_look(const struct change *c)
{
	return c->stage == NONE ||
	       (c->stage == GOING && world_now_us(c->world) >= c->decided_us + PATIENCE_US);
}

static void on_admin(void *context, uint64_t argument)
{
	struct change *c = context;

	(void)argument;
	for (unsigned i = 0; i < world_nodes(c->world) && may_look(c); i++)
		node_look(&c->part[i], checker_revision(world_checker(c->world), c->mirror));
	world_after(c->world, ADMIN_US, on_admin, c, 0);
}

void change_over(struct change *c)
{
	bool first = !c->over;

	c->over = true;
	if (c->stage == WANTED)
		c->stage = NONE;
	else if (c->stage == SUSPENDING)
		stop(c);
	if (first)
		on_admin(c, 0);
}
