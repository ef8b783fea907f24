/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/sim/checker.h"

#include <assert.h>
#include <string.h>

#include "base/bits.h"
#include "test/sim/cpg.h"
#include "test/sim/kernel.h"
#include "test/sim/logdev.h"
#include "test/sim/world.h"

#define UNKNOWN_MAX 6U /* writes of a block whose outcome is not known */
#define STATES	    1024U

#define REQUEST_LIMIT_US   (60 * SECOND_US)
#define BIO_LIMIT_US	   (120 * SECOND_US)
#define OPERATION_LIMIT_US (180 * SECOND_US)
#define SYNC_LIMIT_US	   (90 * SECOND_US)

/* What a block may hold: the last write that was acknowledged, or one of those since that may or
 * may not have reached it. */
struct truth {
	uint64_t acknowledged;
	uint64_t acknowledged_us;
	uint32_t acknowledged_by; /* node */
	uint64_t unknown[UNKNOWN_MAX];
	uint8_t unknowns;
	bool busy; /* somebody is writing it */
	bool discarding;
	bool wild; /* discarded, or lost by the kernel itself: anything goes until it is written */
};

struct place {
	uint64_t place;
	uint64_t hash;
};

struct mirror_truth {
	struct truth block[SIM_REGIONS_MAX * SIM_BLOCKS];
	bool may_repair[SIM_REGIONS_MAX];
	bool may_repair_all;
	bool uncleared[SIM_REGIONS_MAX];
	/* Legs differ in a region that is in sync, and no log could have known: until they do not
	 * any more. */
	bool forgiven[SIM_REGIONS_MAX];
	bool unwritten;	   /* one died whose marks the log device does not have */
	uint64_t revision; /* of the latest table that was served */
	uint64_t decided;  /* it was decided that this one counts, */
	bool contradicted; /* and the one before was served all the same */
	struct place state[STATES];
	uint64_t synced_us; /* when it was last seen settled and in sync */
};

struct checker {
	struct world *world;
	uint64_t numbers; /* of writes */
	uint64_t sane_us; /* since when everybody should be able to answer */
	struct mirror_truth *mirror[SIM_MIRRORS_MAX];
};

struct checker *checker_create(struct world *w)
{
	struct checker *c = world_alloc(w, sizeof(*c));

	c->world = w;
	for (unsigned i = 0; i < world_mirrors(w); i++)
		c->mirror[i] = world_alloc(w, sizeof(*c->mirror[i]));
	return c;
}

static struct mirror_truth *truth_of(const struct checker *c, const struct mirror *mirror)
{
	return c->mirror[mirror->index];
}

static struct truth *block_of(const struct checker *c, const struct mirror *mirror, uint32_t region,
			      uint32_t block)
{
	return &truth_of(c, mirror)->block[region * SIM_BLOCKS + block];
}

/* ---- what the parts of a node say */

static struct kernel *kernel_on(const struct node *node, const struct mirror *mirror)
{
	return node_up(node) ? node_kernel(node, mirror->index) : NULL;
}

static const struct hot *hot_on(const struct node *node, const struct mirror *mirror)
{
	const struct kernel *k = kernel_on(node, mirror);

	return k == NULL || kernel_luid(k) == 0 ? NULL : node_hot(node, kernel_luid(k));
}

/* The core object of the table in use. */
static const struct mlog *core_on(const struct node *node, const struct mirror *mirror)
{
	const struct kernel *k = kernel_on(node, mirror);

	return k == NULL ? NULL : node_mlog(node, kernel_luid(k));
}

/* It has another table than the mirror now has, and waits until an admin gives it that one. What its
 * kernel makes of a resume that failed, because its daemon died meanwhile, is no service. */
static bool outdated(const struct node *node, const struct mirror *mirror)
{
	const struct kernel *k = kernel_on(node, mirror);

	return k != NULL && kernel_luid(k) != 0 &&
	       kernel_revision(k) != checker_revision(world_checker(mirror->world), mirror);
}

static bool active_on(const struct node *node, const struct mirror *mirror)
{
	const struct kernel *k = kernel_on(node, mirror);

	return k != NULL && kernel_active(k) && !outdated(node, mirror);
}

static bool leg_has_failed(const struct checker *c, const struct mirror *mirror)
{
	for (unsigned i = 0; i < world_nodes(c->world); i++)
		if (legs_have_failed(mirror->legs, world_node(c->world, i)))
			return true;
	return false;
}

/* Some node has seen leg fail while it was its default: reads of stale regions go elsewhere there.
 */
static bool default_differs(const struct checker *c, const struct mirror *mirror)
{
	for (unsigned i = 0; i < world_nodes(c->world); i++) {
		const struct kernel *k = kernel_on(world_node(c->world, i), mirror);

		if (k != NULL && kernel_default_leg(k) != 0)
			return true;
	}
	return false;
}

/* ---- tables */

uint64_t checker_revision(const struct checker *c, const struct mirror *mirror)
{
	uint64_t revision = truth_of(c, mirror)->revision;

	for (unsigned d = 0; d < SIM_LOGDEVS && mirror->plan->has_disk; d++)
		if (logdev_revision(mirror->logdev[d]) > revision)
			revision = logdev_revision(mirror->logdev[d]);
	return revision;
}

/* What all that are served have. */
static const struct legs_table *legs_of(const struct checker *c, const struct mirror *mirror)
{
	return legs_table(mirror->legs, truth_of(c, mirror)->revision);
}

static bool block_same(const struct checker *c, const struct mirror *mirror, uint32_t region,
		       uint32_t block)
{
	const struct legs *l = mirror->legs;
	const struct legs_table *t = legs_of(c, mirror);

	for (unsigned leg = 1; leg < t->count; leg++)
		if (legs_block(l, t->leg[leg], region, block) !=
		    legs_block(l, t->leg[0], region, block))
			return false;
	return true;
}

/* Where no log could have known that legs differ, it depends on the table which of them counts. */
static void forgiven_go(struct checker *c, const struct mirror *mirror)
{
	for (uint32_t region = 0; region < mirror->plan->regions; region++)
		for (uint32_t i = 0; truth_of(c, mirror)->forgiven[region] && i < SIM_BLOCKS; i++)
			if (!block_same(c, mirror, region, i))
				block_of(c, mirror, region, i)->wild = true;
}

/* Nobody can tell that there was a later table than this one: those that were served with it have
 * died, and the log device had failed them, or fails this node now. */
static bool later_forgotten(const struct checker *c, const struct node *node,
			    const struct mirror *mirror, uint64_t revision)
{
	const struct logdev *d = legs_logdev(mirror, revision);

	if (d != NULL && logdev_revision(d) > revision && !node_unread(node, mirror->index))
		return false;
	for (unsigned i = 0; i < world_nodes(c->world); i++) {
		const struct kernel *k = kernel_on(world_node(c->world, i), mirror);

		if (k != NULL && kernel_active(k) && kernel_revision(k) > revision)
			return false;
	}
	return true;
}

void checker_decided(struct checker *c, const struct mirror *mirror, uint64_t revision)
{
	truth_of(c, mirror)->decided = revision;
}

/* All died before the new table was served to anybody: either may count. But when the old one does, and
 * then the new one after all (nobody has told its node), what was written meanwhile is not what it
 * was decided upon. */
void checker_served(struct checker *c, const struct node *node, const struct mirror *mirror,
		    uint64_t revision)
{
	struct mirror_truth *m = truth_of(c, mirror);

	m->contradicted = m->contradicted || revision < m->decided;
	if (revision == m->revision)
		return;
	if (revision < m->revision && !later_forgotten(c, node, mirror, revision)) {
		world_violation(c->world, "outdated",
				"node %" PRIu32 " is served with the table of revision %" PRIu64
				", where %" PRIu64 " was in use already",
				node_id(node), revision, m->revision);
		return;
	}
	if (revision < m->revision || m->contradicted)
		memset(m->forgiven, true, sizeof(m->forgiven));
	forgiven_go(c, mirror);
	m->revision = revision;
	forgiven_go(c, mirror);
}

/* Somebody whose kernel never heard that it may go on. */
static void used_check(struct checker *c, const struct node *node, const struct mirror *mirror)
{
	const struct kernel *k = kernel_on(node, mirror);

	if (k != NULL)
		checker_served(c, node, mirror, kernel_revision(k));
}

/* ---- data */

static bool may_hold(const struct truth *t, uint64_t number)
{
	if (t->wild || number == t->acknowledged)
		return true;
	for (unsigned i = 0; i < t->unknowns; i++)
		if (t->unknown[i] == number)
			return true;
	return false;
}

bool checker_may_write(const struct checker *c, const struct mirror *mirror,
		       struct legs_range range)
{
	for (uint32_t i = 0; i < range.count; i++) {
		const struct truth *t = block_of(c, mirror, range.region, range.first + i);

		if (t->busy || t->unknowns == UNKNOWN_MAX)
			return false;
	}
	return true;
}

uint64_t checker_write_begins(struct checker *c, const struct mirror *mirror,
			      struct legs_range range, bool discard)
{
	uint64_t number = ++c->numbers;

	for (uint32_t i = 0; i < range.count; i++) {
		struct truth *t = block_of(c, mirror, range.region, range.first + i);

		assert(!t->busy && t->unknowns < UNKNOWN_MAX);
		t->busy = true;
		t->discarding = discard;
		if (discard)
			t->wild = true;
		else
			t->unknown[t->unknowns++] = number;
	}
	return number;
}

/* The kernel has acknowledged a write that a leg missed. If some node reads from that leg, nothing
 * that a log does can help. */
static bool lost_by_kernel(const struct checker *c, const struct mirror *mirror, uint32_t missed)
{
	return missed != 0 && ((missed & 1) != 0 || default_differs(c, mirror));
}

static void acknowledge(struct checker *c, const struct node *node, const struct mirror *mirror,
			struct truth *t, uint64_t number, uint32_t missed)
{
	if (t->discarding)
		return;
	t->acknowledged = number;
	t->acknowledged_us = world_now_us(c->world);
	t->acknowledged_by = node_id(node);
	t->unknowns = 0;
	t->wild = lost_by_kernel(c, mirror, missed);
}

/* Would the mark survive the node? Only a slot that is in use can tell: a device that was replaced
 * has none. */
static bool mark_is_lost(const struct mirror *mirror, const struct kernel *k, const struct hot *hot,
			 uint32_t region)
{
	const struct logdev *d = legs_logdev(mirror, kernel_revision(k));
	uint32_t slot = atomic_load(&hot->shared->slot) - 1;

	return d != NULL && atomic_load(&hot->shared->whole) != 0 && logdev_slot_used(d, slot) &&
	       !logdev_slot_dirty(d, slot, region);
}

static bool is_ready(const struct mlog *m, uint32_t node)
{
	const struct mlog_member *e;

	for (uint32_t slot = 0; (e = mlog_member(m, slot)) != NULL; slot++)
		if (e->state == MLOG_MEMBER_READY && e->node == node)
			return true;
	return false;
}

/* Slot bits that m remembers of the member in slot; the words of ret that are filled, 0: none. */
static uint32_t marks_of(const struct mlog *m, uint32_t slot, uint64_t ret[LOGDEV_WORDS])
{
	uint64_t cursor = 0;
	struct mlog_message piece;

	while (m != NULL && mlog_state_next(m, &cursor, ret, LOGDEV_WORDS, &piece))
		if (piece.state.map == MLOG_MAP_MARKS + slot && piece.state.words > 0)
			return piece.state.words;
	return 0;
}

static bool knows_mark(const struct mlog *m, uint32_t slot, uint32_t region)
{
	uint64_t marks[LOGDEV_WORDS];

	return marks_of(m, slot, marks) > 0 && bits_test(marks, region);
}

/* Without a log device a mark is to be known to all who have acknowledged that they are with it. */
static bool mark_is_private(const struct checker *c, const struct node *node,
			    const struct mirror *mirror, const struct hot *hot, uint32_t region)
{
	const struct mlog *m = core_on(node, mirror);
	uint32_t slot = atomic_load(&hot->shared->slot) - 1;

	if (mirror->plan->has_disk || m == NULL || mlog_state_hash(m) == 0)
		return false;
	for (unsigned i = 0; i < world_nodes(c->world); i++) {
		const struct node *other = world_node(c->world, i);
		const struct mlog *theirs = core_on(other, mirror);

		/* Who is stopped has it in its queue. */
		if (other == node || !node_daemon_takes(other) || theirs == NULL ||
		    mlog_state_hash(theirs) == 0 || !is_ready(m, node_id(other)) ||
		    !is_ready(theirs, node_id(node)))
			continue;
		if (!knows_mark(theirs, slot, region))
			return true;
	}
	return false;
}

void checker_writes(struct checker *c, const struct node *node, const struct mirror *mirror,
		    uint32_t region)
{
	const struct kernel *k = kernel_on(node, mirror);
	const struct hot *hot = hot_on(node, mirror);

	if (hot == NULL || !kernel_active(k) || kernel_misled(k) ||
	    kernel_region(k, region) != KERNEL_DIRTY)
		return;
	if (!hot_held(hot, region))
		world_violation(c->world, "I1",
				"node %" PRIu32 " writes region %" PRIu32
				", whose mark has been forgotten",
				node_id(node), region);
	if (mark_is_lost(mirror, k, hot, region))
		world_violation(c->world, "I1",
				"node %" PRIu32 " writes region %" PRIu32
				", whose mark is not in its slot",
				node_id(node), region);
	if (mark_is_private(c, node, mirror, hot, region))
		world_violation(c->world, "I1",
				"node %" PRIu32 " writes region %" PRIu32
				", whose mark another member does not know",
				node_id(node), region);
}

static bool legs_same(const struct checker *c, const struct mirror *mirror, uint32_t region)
{
	for (uint32_t i = 0; i < SIM_BLOCKS; i++)
		if (!block_same(c, mirror, region, i) && !block_of(c, mirror, region, i)->wild)
			return false;
	return true;
}

/* A write to a region that the log of its own node calls in sync has reached all legs. */
static void written_check(struct checker *c, const struct node *node, const struct mirror *mirror,
			  struct legs_range range, uint64_t number)
{
	const struct kernel *k = kernel_on(node, mirror);
	const struct hot *hot = hot_on(node, mirror);
	const struct legs_table *t = legs_of(c, mirror);

	if (k == NULL || hot == NULL || kernel_misled(k) || !hot_in_sync(hot, range.region) ||
	    hot_repair(hot, range.region))
		return;
	for (unsigned leg = 0; leg < t->count; leg++)
		for (uint32_t i = range.first; i < range.first + range.count; i++)
			if (legs_block(mirror->legs, t->leg[leg], range.region, i) != number)
				world_violation(c->world, "legs",
						"write %" PRIu64 " of node %" PRIu32
						" to region %" PRIu32 " is not on leg %u",
						number, node_id(node), range.region, leg);
}

void checker_write_ended(struct checker *c, const struct node *node, const struct mirror *mirror,
			 struct legs_range range, uint64_t number, enum checker_outcome outcome,
			 uint32_t missed)
{
	const struct kernel *k = kernel_on(node, mirror);
	bool discard = block_of(c, mirror, range.region, range.first)->discarding;

	if (outcome == CHECKER_DONE)
		used_check(c, node, mirror);
	for (uint32_t i = 0; i < range.count; i++) {
		struct truth *t = block_of(c, mirror, range.region, range.first + i);

		t->busy = false;
		if (outcome == CHECKER_DONE)
			acknowledge(c, node, mirror, t, number, missed);
	}
	if (outcome == CHECKER_DONE && !discard && missed == 0)
		written_check(c, node, mirror, range, number);
	/* A kernel that goes by a conclusion of its own writes one leg, and nobody is told. */
	if (k != NULL && kernel_misled(k) && !legs_same(c, mirror, range.region))
		truth_of(c, mirror)->forgiven[range.region] = true;
}

/* Its default leg is not that of the others, and the region is stale: it reads what the others
 * do not write, and nobody can tell it. Whether its own log knows that it is stale (without quorum
 * it does not) makes no difference: a kernel reads its default leg then as well. */
static bool reads_elsewhere(const struct checker *c, const struct node *node,
			    const struct mirror *mirror, uint32_t region, unsigned leg)
{
	const struct kernel *k = kernel_on(node, mirror);
	const struct hot *hot = hot_on(node, mirror);

	if (k == NULL || kernel_default_leg(k) == 0)
		return false;
	if (leg == kernel_default_leg(k) && checker_is_stale(c, mirror, region))
		return true;
	/* It holds what a leg has missed, and the others write all legs. */
	if (scenario_holds(mirror->plan) && hot != NULL)
		return !hot_in_sync(hot, region);
	return kernel_region(k, region) == KERNEL_NOSYNC || hot == NULL ||
	       !hot_in_sync(hot, region);
}

/* Its kernel asks again only when its own writes of the region have ended; one of them may have
 * failed since it chose the leg. */
static bool took_it_for_in_sync(const struct node *node, const struct mirror *mirror,
				uint32_t region, bool unasked)
{
	const struct hot *hot = hot_on(node, mirror);

	return unasked && hot != NULL && !hot_in_sync(hot, region);
}

/* Acknowledged when the read was under way already. Or by those who have gone on without this node:
 * until it is fenced it may read what they wrote as it was, because nobody can tell it which leg
 * has missed that, and nobody asked for it before the write was done. It has no locks, either, to
 * come after them. */
static bool acknowledged_later(const struct node *node, const struct truth *t, uint64_t begun_us)
{
	return t->acknowledged_us > begun_us ||
	       (t->acknowledged_by != node_id(node) && t->acknowledged_us > node_doomed_us(node));
}

void checker_read(struct checker *c, const struct node *node, const struct mirror *mirror,
		  uint32_t region, uint32_t block, unsigned leg, bool unasked, uint64_t number,
		  uint64_t begun_us)
{
	const struct truth *t = block_of(c, mirror, region, block);

	used_check(c, node, mirror);
	if (may_hold(t, number) || acknowledged_later(node, t, begun_us) ||
	    reads_elsewhere(c, node, mirror, region, leg) ||
	    took_it_for_in_sync(node, mirror, region, unasked) ||
	    truth_of(c, mirror)->forgiven[region])
		return;
	world_violation(c->world, "lost write",
			"node %" PRIu32 " reads %" PRIu64 " from leg %u, region %" PRIu32
			" block %" PRIu32 ", where %" PRIu64 " was acknowledged",
			node_id(node), number, leg, region, block, t->acknowledged);
}

void checker_io_failed(struct checker *c, const struct node *node, const struct mirror *mirror,
		       uint32_t region)
{
	const struct kernel *k = kernel_on(node, mirror);

	/* What it holds back because it thinks that the log has failed, it gives up at a suspend.
	 */
	if (!legs_have_failed(mirror->legs, node) && (k == NULL || !kernel_misled(k)))
		world_violation(c->world, "I/O error",
				"node %" PRIu32 ", region %" PRIu32 ", and no leg has failed",
				node_id(node), region);
}

/* ---- legs */

static bool region_busy(const struct checker *c, const struct mirror *mirror, uint32_t region)
{
	for (uint32_t i = 0; i < SIM_BLOCKS; i++)
		if (block_of(c, mirror, region, i)->busy)
			return true;
	return legs_busy(mirror->legs, region);
}

/* A leg has missed a write of it that the kernel has not called done: until that is written anew, or
 * the region repaired because the table went, each leg holds old or new data. */
static bool region_held(const struct checker *c, const struct mirror *mirror, uint32_t region)
{
	for (unsigned i = 0; i < world_nodes(c->world); i++) {
		const struct hot *hot = hot_on(world_node(c->world, i), mirror);

		if (hot != NULL && atomic_load(&hot->shared->hold) == HOT_HOLD_MISSED &&
		    hot_held(hot, region))
			return true;
	}
	return false;
}

static void leg_check(struct checker *c, const struct mirror *mirror, uint32_t region)
{
	unsigned leg = legs_of(c, mirror)->leg[0];

	for (uint32_t i = 0; i < SIM_BLOCKS; i++) {
		const struct truth *t = block_of(c, mirror, region, i);
		uint64_t number = legs_block(mirror->legs, leg, region, i);

		if (!may_hold(t, number))
			world_violation(c->world, "lost write",
					"leg %u holds %" PRIu64 " in region %" PRIu32
					" block %" PRIu32 ", where %" PRIu64 " was acknowledged",
					leg, number, region, i, t->acknowledged);
	}
}

/* Members may hear of a change one after another: */
enum opinion { OPINION_STALE, OPINION_IN_SYNC, OPINION_SPLIT };

static enum opinion region_opinion(const struct checker *c, const struct mirror *mirror,
				   uint32_t region)
{
	bool stale = false;
	bool in_sync = false;

	for (unsigned i = 0; i < world_nodes(c->world); i++) {
		const struct node *node = world_node(c->world, i);
		const struct hot *hot = active_on(node, mirror) ? hot_on(node, mirror) : NULL;

		if (hot == NULL)
			continue;
		stale = stale || !hot_in_sync(hot, region);
		in_sync = in_sync || hot_in_sync(hot, region);
	}
	return stale && in_sync ? OPINION_SPLIT : in_sync ? OPINION_IN_SYNC : OPINION_STALE;
}

bool checker_is_stale(const struct checker *c, const struct mirror *mirror, uint32_t region)
{
	return region_opinion(c, mirror, region) != OPINION_IN_SYNC;
}

static void region_check(struct checker *c, const struct mirror *mirror, uint32_t region)
{
	struct mirror_truth *m = truth_of(c, mirror);
	enum opinion opinion = region_opinion(c, mirror, region);
	bool same = legs_same(c, mirror, region);

	m->forgiven[region] = m->forgiven[region] && !same;
	if (opinion == OPINION_IN_SYNC && !same && !m->forgiven[region])
		world_violation(c->world, "legs",
				"the legs differ in region %" PRIu32 ", which is in sync", region);
	if (!default_differs(c, mirror))
		leg_check(c, mirror, region);
}

static void mirror_check(struct checker *c, const struct mirror *mirror)
{
	for (uint32_t region = 0; region < mirror->plan->regions; region++)
		if (!region_busy(c, mirror, region) && !region_held(c, mirror, region))
			region_check(c, mirror, region);
}

/* ---- has it settled? */

/* The same, where node and daemon are as they should be. */
static const struct mlog *mlog_on(const struct node *node, const struct mirror *mirror)
{
	const struct kernel *k = kernel_on(node, mirror);

	if (k == NULL || !node_quorate(node) || node_doomed(node) || kernel_misled(k))
		return NULL;
	return core_on(node, mirror);
}

static bool suspect(const struct node *node, const struct mirror *mirror)
{
	const struct hot *hot = hot_on(node, mirror);

	return hot == NULL || atomic_load(&hot->shared->suspect) != 0;
}

static bool node_settled(const struct node *node, const struct mirror *mirror, unsigned members)
{
	const struct mlog *m = mlog_on(node, mirror);
	struct mlog_status status;

	if (m == NULL || suspect(node, mirror))
		return false;
	mlog_status(m, &status);
	/* Who is not yet READY (again) may have crash-dirty regions to tell. */
	return status.phase == MLOG_ACTIVE && status.quorate && status.repair == 0 &&
	       status.gone == 0 && status.members == members && mlog_state_hash(m) != 0;
}

static unsigned active_nodes(const struct checker *c, const struct mirror *mirror)
{
	unsigned count = 0;

	for (unsigned i = 0; i < world_nodes(c->world); i++)
		count += active_on(world_node(c->world, i), mirror) ? 1 : 0;
	return count;
}

static bool mirror_settled(const struct checker *c, const struct mirror *mirror)
{
	unsigned members = active_nodes(c, mirror);

	for (unsigned i = 0; i < world_nodes(c->world); i++) {
		const struct node *node = world_node(c->world, i);

		if (node_up(node) && (!node_quorate(node) || node_doomed(node)))
			return false;
		if (active_on(node, mirror) && !node_settled(node, mirror, members))
			return false;
	}
	return members > 0;
}

/* A verify may still have something to repair, and so may who does not trust what it has read. */
static bool repair_goes_on(const struct checker *c, const struct mirror *mirror)
{
	for (unsigned i = 0; i < world_nodes(c->world); i++) {
		const struct node *node = world_node(c->world, i);
		const struct mlog *m = mlog_on(node, mirror);
		struct mlog_status status = {0};

		if (m != NULL)
			mlog_status(m, &status);
		if (status.verifying || node_distrusts(node, mirror->index))
			return true;
	}
	return false;
}

/* As far as it can be. */
static bool in_sync(const struct checker *c, const struct mirror *mirror)
{
	if (mirror->plan->missing)
		return true;
	for (unsigned i = 0; i < world_nodes(c->world); i++) {
		const struct node *node = world_node(c->world, i);
		const struct mlog *m = active_on(node, mirror) ? mlog_on(node, mirror) : NULL;
		struct mlog_status status;

		if (m == NULL)
			continue;
		mlog_status(m, &status);
		if (status.in_sync != status.region_count)
			return false;
	}
	return true;
}

static void repair_forget(struct checker *c, const struct mirror *mirror)
{
	struct mirror_truth *m = truth_of(c, mirror);

	if (repair_goes_on(c, mirror))
		return;
	memset(m->may_repair, 0, sizeof(m->may_repair));
	m->may_repair_all = false;
	m->unwritten = false;
}

/* ---- does anybody wait too long? */

/* Who is off and known to be does not keep the others waiting. But while corosync forms a ring, no
 * message is ordered: that is as without quorum, only that nobody has been told yet. */
static bool world_sane(const struct checker *c)
{
	if (!cpg_settled(world_cpg(c->world)))
		return false;
	for (unsigned i = 0; i < world_nodes(c->world); i++) {
		const struct node *node = world_node(c->world, i);

		if (node_doomed(node))
			return false;
		if (!node_up(node))
			continue;
		if (!node_quorate(node))
			return false;
		for (unsigned m = 0; m < world_mirrors(c->world); m++)
			if (!legs_healthy(world_mirror(c->world, m)->legs, node))
				return false;
	}
	return true;
}

static void wait_check(struct checker *c, const struct node *node, const char *what,
		       uint64_t since_us, uint64_t limit_us)
{
	uint64_t now_us = world_now_us(c->world);

	if (since_us == UINT64_MAX)
		return;
	if (since_us < c->sane_us)
		since_us = c->sane_us;
	if (now_us - since_us > limit_us)
		world_violation(c->world, "liveness",
				"node %" PRIu32 ": %s waits for more than %" PRIu64 " s",
				node_id(node), what, limit_us / SECOND_US);
}

static void waits_check(struct checker *c)
{
	if (!world_sane(c)) {
		c->sane_us = world_now_us(c->world);
		return;
	}
	for (unsigned i = 0; i < world_nodes(c->world); i++)
		for (unsigned m = 0; m < world_mirrors(c->world); m++) {
			struct node *node = world_node(c->world, i);
			const struct kernel *k = node_kernel(node, m);

			if (k == NULL || outdated(node, world_mirror(c->world, m)))
				continue;
			wait_check(c, node, "a request", kernel_oldest_request_us(k),
				   REQUEST_LIMIT_US);
			wait_check(c, node, "a bio", kernel_oldest_bio_us(k), BIO_LIMIT_US);
			wait_check(c, node, "an operation", kernel_operation_us(k),
				   OPERATION_LIMIT_US);
		}
}

void checker_starved(struct checker *c, const struct mirror *mirror)
{
	truth_of(c, mirror)->synced_us = world_now_us(c->world);
}

/* The nodes that are left repair and recover everything without waiting for the others' return. */
static void sync_check(struct checker *c, const struct mirror *mirror)
{
	struct mirror_truth *m = truth_of(c, mirror);
	uint64_t now_us = world_now_us(c->world);
	uint64_t since_us = m->synced_us > c->sane_us ? m->synced_us : c->sane_us;

	if (active_nodes(c, mirror) == 0 || (mirror_settled(c, mirror) && in_sync(c, mirror)))
		m->synced_us = now_us;
	else if (now_us - since_us > SYNC_LIMIT_US)
		world_violation(c->world, "liveness",
				"mirror %u has not been in sync and repaired for %" PRIu64
				" s, with nothing in its way",
				mirror->index, SYNC_LIMIT_US / SECOND_US);
}

void checker_look(struct checker *c)
{
	waits_check(c);
	for (unsigned i = 0; i < world_mirrors(c->world); i++) {
		const struct mirror *mirror = world_mirror(c->world, i);

		sync_check(c, mirror);
		if (!mirror_settled(c, mirror))
			continue;
		repair_forget(c, mirror);
		mirror_check(c, mirror);
	}
}

/* ---- the end */

static bool node_converged(const struct node *node, const struct mirror *mirror)
{
	const struct mlog *m = mlog_on(node, mirror);
	struct mlog_status status;

	if (m == NULL || !kernel_operated(kernel_on(node, mirror)))
		return false;
	mlog_status(m, &status);
	return (mirror->plan->missing || status.in_sync == status.region_count) &&
	       !status.verifying && (status.log == MLOG_LOG_OK || status.log == MLOG_LOG_NONE);
}

static bool mirror_converged(const struct checker *c, const struct mirror *mirror)
{
	if (active_nodes(c, mirror) != world_nodes(c->world) || !mirror_settled(c, mirror))
		return false;
	for (unsigned i = 0; i < world_nodes(c->world); i++)
		if (!node_converged(world_node(c->world, i), mirror))
			return false;
	return true;
}

bool checker_converged(const struct checker *c)
{
	for (unsigned i = 0; i < world_mirrors(c->world); i++)
		if (!mirror_converged(c, world_mirror(c->world, i)))
			return false;
	return true;
}

void checker_final(struct checker *c)
{
	for (unsigned i = 0; i < world_mirrors(c->world); i++)
		if (mirror_settled(c, world_mirror(c->world, i)))
			mirror_check(c, world_mirror(c->world, i));
}

/* ---- repair */

static bool dirty_on_device(const struct mirror *mirror, uint32_t region)
{
	for (unsigned d = 0; d < SIM_LOGDEVS && mirror->plan->has_disk; d++)
		if (logdev_dirty(mirror->logdev[d], region))
			return true;
	return false;
}

/* May a write of the region have been in flight, for all that maps and log device say? */
static bool region_in_doubt(const struct mirror *mirror, const struct hot *hot,
			    const struct kernel *k, uint32_t region)
{
	return hot == NULL || hot_held(hot, region) || hot_dirty(hot, region) ||
	       hot_repair(hot, region) || kernel_region(k, region) != KERNEL_NONE ||
	       dirty_on_device(mirror, region);
}

static unsigned slot_shift(const struct mirror *mirror)
{
	return mirror->plan->has_disk ? mirror->plan->shift : 0;
}

/* All that share its slot bit. */
static void region_may_be_repaired(const struct mirror *mirror, struct mirror_truth *m,
				   uint32_t region)
{
	unsigned shift = slot_shift(mirror);
	uint32_t first = region >> shift << shift;

	for (uint32_t i = first; i < first + (1U << shift) && i < mirror->plan->regions; i++)
		m->may_repair[i] = true;
}

static void history_forgive(struct checker *c, const struct mirror *mirror)
{
	struct mirror_truth *m = truth_of(c, mirror);

	for (uint32_t region = 0; region < mirror->plan->regions; region++)
		m->forgiven[region] = true;
}

/* Nobody is left who knows the marks, no log device has them, and regions without history count as
 * in sync: the admin wanted it so. */
static void history_lost(struct checker *c, const struct mirror *mirror)
{
	const struct logdev *d = legs_logdev(mirror, checker_revision(c, mirror));

	if ((d == NULL || !logdev_in_use(d)) && mirror->plan->sync == SIM_SYNC_NOSYNC &&
	    active_nodes(c, mirror) <= 1)
		history_forgive(c, mirror);
}

void checker_memory_lost(struct checker *c, const struct mirror *mirror)
{
	truth_of(c, mirror)->unwritten = true;
}

/* Who suspends it only, remembers; who has never resumed it, does when it has become a member. */
static bool remembers(const struct node *node, const struct mirror *mirror)
{
	const struct kernel *k = kernel_on(node, mirror);
	const struct mlog *m = core_on(node, mirror);

	return k != NULL && (kernel_used(k) || (m != NULL && mlog_state_hash(m) != 0));
}

/* Nobody has it any more. */
void checker_removed(struct checker *c, const struct mirror *mirror)
{
	for (unsigned i = 0; i < world_nodes(c->world); i++)
		if (remembers(world_node(c->world, i), mirror))
			return;
	history_lost(c, mirror);
	if (truth_of(c, mirror)->unwritten)
		history_forgive(c, mirror);
}

void checker_device_replaced(struct checker *c, const struct mirror *mirror)
{
	if (mirror->plan->sync == SIM_SYNC_NOSYNC && active_nodes(c, mirror) == 0)
		history_forgive(c, mirror);
}

/* Also of who is about to be fenced, or has no daemon: its maps outlive it. */
static bool marks_unwritten(const struct node *node, const struct mirror *mirror)
{
	const struct kernel *k = kernel_on(node, mirror);
	const struct hot_shared *maps = k == NULL ? NULL : node_maps(node, kernel_luid(k));

	return mirror->plan->has_disk && maps != NULL && atomic_load(&maps->whole) == 0 &&
	       atomic_load(&maps->truth) == MLOG_TRUTH_MEMORY;
}

/* Who is parted from the one that leaves or dies goes by the marks that it remembers: nobody may
 * have told it what was taken back. They are to be repaired. */
static void remembered_may_be_repaired(struct checker *c, const struct mirror *mirror,
				       uint32_t slot)
{
	for (unsigned i = 0; i < world_nodes(c->world) && slot < MLOG_MEMBERS_MAX; i++) {
		uint64_t marks[LOGDEV_WORDS];
		uint32_t words = marks_of(core_on(world_node(c->world, i), mirror), slot, marks);
		uint64_t slot_bit;

		bits_for_each_set (slot_bit, marks, words * BITS_PER_WORD) {
			uint64_t region = slot_bit << slot_shift(mirror);

			if (region < mirror->plan->regions)
				region_may_be_repaired(mirror, truth_of(c, mirror),
						       (uint32_t)region);
		}
	}
}

void checker_node_dies(struct checker *c, const struct node *node)
{
	for (unsigned i = 0; i < world_mirrors(c->world); i++) {
		const struct mirror *mirror = world_mirror(c->world, i);
		struct mirror_truth *m = truth_of(c, mirror);
		const struct kernel *k = kernel_on(node, mirror);
		const struct hot *hot = hot_on(node, mirror);

		if (k == NULL || kernel_luid(k) == 0)
			continue;
		/* While a table is swapped there is more than one set of marks; and what it took
		 * back last, the others may not have heard of. */
		if (!kernel_operated(k) || !mirror->plan->has_disk)
			m->may_repair_all = true;
		for (uint32_t region = 0; region < mirror->plan->regions; region++)
			if (region_in_doubt(mirror, hot, k, region))
				region_may_be_repaired(mirror, m, region);
		if (hot != NULL)
			remembered_may_be_repaired(c, mirror, atomic_load(&hot->shared->slot) - 1);
		history_lost(c, mirror);
		/* The last one, and marks were in memories only. */
		m->unwritten = m->unwritten || marks_unwritten(node, mirror);
		if (m->unwritten && active_nodes(c, mirror) <= 1)
			history_forgive(c, mirror);
	}
}

void checker_detached(struct checker *c, const struct mirror *mirror, uint32_t slot)
{
	remembered_may_be_repaired(c, mirror, slot);
	/* Who has no quorum hears of nobody's leaving, and goes by the marks that it remembers. */
	for (unsigned i = 0; i < world_nodes(c->world) && !mirror->plan->has_disk; i++) {
		const struct node *node = world_node(c->world, i);

		if (active_on(node, mirror) && !node_quorate(node))
			checker_repair_all(c, mirror);
	}
	for (unsigned d = 0; d < SIM_LOGDEVS && mirror->plan->has_disk; d++)
		for (uint32_t region = 0;
		     slot < mirror->plan->slots && region < mirror->plan->regions; region++)
			if (logdev_slot_dirty(mirror->logdev[d], slot, region))
				region_may_be_repaired(mirror, truth_of(c, mirror), region);
}

void checker_daemon_died(struct checker *c, const struct node *node)
{
	for (unsigned i = 0; i < world_mirrors(c->world); i++)
		if (kernel_on(node, world_mirror(c->world, i)) != NULL)
			checker_repair_all(c, world_mirror(c->world, i));
}

void checker_repair_all(struct checker *c, const struct mirror *mirror)
{
	truth_of(c, mirror)->may_repair_all = true;
}

/* NONE: there is no log. */
static enum mlog_log_state log_state(const struct node *node, const struct mirror *mirror)
{
	const struct mlog *m = core_on(node, mirror);
	struct mlog_status status = {.log = MLOG_LOG_NONE};

	if (m != NULL)
		mlog_status(m, &status);
	return status.log;
}

bool checker_uses_log(const struct node *node, const struct mirror *mirror)
{
	return log_state(node, mirror) == MLOG_LOG_OK;
}

/* Who cannot read its slot has to take everything for dirty. */
static bool log_has_failed(const struct checker *c, const struct mirror *mirror)
{
	for (unsigned i = 0; i < world_nodes(c->world); i++)
		if (log_state(world_node(c->world, i), mirror) == MLOG_LOG_FAILED)
			return true;
	return false;
}

static bool marked_by_somebody(const struct checker *c, const struct mirror *mirror,
			       uint32_t region)
{
	bool marked = dirty_on_device(mirror, region);

	for (unsigned i = 0; i < world_nodes(c->world); i++) {
		const struct hot *hot = hot_on(world_node(c->world, i), mirror);

		marked = marked || (hot != NULL && hot_dirty(hot, region));
	}
	return marked;
}

void checker_repairs(struct checker *c, const struct node *node, const struct mirror *mirror,
		     uint32_t region)
{
	struct mirror_truth *m = truth_of(c, mirror);

	/* Until all is settled: who missed that it has been repaired still knows it as dirty. */
	if (marked_by_somebody(c, mirror, region))
		m->may_repair[region] = true;
	if (m->may_repair_all || m->may_repair[region] || m->uncleared[region] ||
	    leg_has_failed(c, mirror) || log_has_failed(c, mirror))
		return;
	world_violation(c->world, "repair",
			"node %" PRIu32 " repairs region %" PRIu32 ", which no dead node wrote",
			node_id(node), region);
}

void checker_forgive(struct checker *c, const struct mirror *mirror, uint32_t region)
{
	truth_of(c, mirror)->forgiven[region] = true;
}

void checker_uncleared(struct checker *c, const struct mirror *mirror, uint32_t region)
{
	truth_of(c, mirror)->uncleared[region] = true;
}

/* ---- order */

void checker_state(struct checker *c, const struct node *node, const struct mirror *mirror,
		   uint64_t place, uint64_t hash)
{
	struct place *known = &truth_of(c, mirror)->state[place % STATES];

	if (known->place == place && known->hash != hash)
		world_violation(c->world, "I7",
				"node %" PRIu32 " has another state than others at %" PRIu64,
				node_id(node), place);
	*known = (struct place){.place = place, .hash = hash};
}
