/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/sim/legs.h"

#include <assert.h>
#include <errno.h>

#include "test/sim/checker.h"

/* Blocks of a leg that never held anything useful: no write has such a number. */
#define GARBAGE	     (UINT64_C(1) << 63)
#define CHUNK	     64U
#define CHUNKS	     64U
#define TRANSFERS    (CHUNK * CHUNKS)
#define COPIES	     (SIM_NODES_MAX * (MLOG_COPIES_MAX + 1U))
#define NO_LEG	     UINT32_MAX
#define FRAGMENT     250U /* permille of blocks that a write reaches although it fails */
#define NO_TRANSFER  UINT32_MAX
#define BLOCKS_TOTAL (SIM_REGIONS_MAX * SIM_BLOCKS)

enum transfer_kind {
	TRANSFER_NONE,
	TRANSFER_WRITE,
	TRANSFER_DISCARD,
	TRANSFER_FLUSH,
	TRANSFER_READ
};

/* One request to one leg. */
struct transfer {
	enum transfer_kind kind;
	uint32_t next_free;
	const struct node *node;
	unsigned leg;
	struct legs_range range;
	bool misled;
	uint64_t number;
	uint64_t event;
	legs_written written;
	legs_was_read was_read;
	void *context;
	uint64_t argument;
};

/* reads block, compares, writes block to the legs of the mask, next block */
struct copy {
	bool used;
	bool writing;
	const struct node *node;
	const struct legs_table *table;
	enum legs_copier copier;
	enum legs_copy_mode mode;
	unsigned from; /* this and targets: legs of the table */
	uint32_t block;
	uint64_t number;
	uint32_t targets; /* legs that the block is being written to */
	struct legs_copied result;
	uint64_t event;
	legs_copy_done done;
	void *context;
	uint64_t argument;
};

struct legs {
	const struct mirror *mirror;
	struct world *world;
	struct random *random;
	unsigned count;
	struct legs_table table[SIM_REVISIONS_MAX + 1];
	uint64_t block[SIM_LEGS_MAX][BLOCKS_TOTAL];
	uint32_t writes[SIM_REGIONS_MAX]; /* transfers of data in flight */
	uint32_t misled[SIM_REGIONS_MAX]; /* of these */
	uint32_t copies[SIM_REGIONS_MAX];
	uint32_t moves[SIM_REGIONS_MAX]; /* of them by the mover */
	uint32_t failing[SIM_LEGS_MAX];	 /* masks of nodes */
	uint32_t has_failed;		 /* mask of nodes */
	uint32_t failed_leg;
	struct transfer *chunk[CHUNKS];
	uint32_t transfers;
	uint32_t free_first;
	struct copy copy[COPIES];
	struct legs_counters counters;
};

static uint32_t block_of(uint32_t region, uint32_t block)
{
	return region * SIM_BLOCKS + block;
}

static struct transfer *transfer_at(struct legs *l, uint32_t index)
{
	return &l->chunk[index / CHUNK][index % CHUNK];
}

/* What a new mirror's legs hold where nobody has made them equal. */
static bool legs_start_different(const struct scenario_mirror *plan)
{
	return plan->sync == SIM_SYNC_FORCE || (plan->sync == SIM_SYNC_KEEP && plan->blank);
}

struct legs *legs_create(const struct mirror *mirror)
{
	struct legs *l = world_alloc(mirror->world, sizeof(*l));

	assert(mirror->plan->regions <= SIM_REGIONS_MAX && mirror->plan->legs <= SIM_LEGS_MAX);
	l->mirror = mirror;
	l->world = mirror->world;
	l->random = world_random(mirror->world, RANDOM_LEGS);
	l->count = mirror->plan->legs;
	for (uint64_t revision = 0; revision <= SIM_REVISIONS_MAX; revision++)
		for (unsigned leg = 0; leg < l->count; leg++)
			l->table[revision].leg[l->table[revision].count++] = leg;
	l->free_first = NO_TRANSFER;
	l->failed_leg = NO_LEG;
	if (!legs_start_different(mirror->plan))
		return l;
	for (unsigned leg = 1; leg < l->count; leg++)
		for (uint32_t i = 0; i < mirror->plan->regions * SIM_BLOCKS; i++)
			l->block[leg][i] = GARBAGE | (uint64_t)leg << 32 | i;
	return l;
}

const struct legs_table *legs_table(const struct legs *l, uint64_t revision)
{
	assert(revision <= SIM_REVISIONS_MAX);
	return &l->table[revision];
}

void legs_drop(struct legs *l, uint64_t revision, unsigned leg)
{
	const struct legs_table *from = legs_table(l, revision - 1);
	struct legs_table left = {.log = from->log};

	for (unsigned i = 0; i < from->count; i++)
		if (from->leg[i] != leg)
			left.leg[left.count++] = from->leg[i];
	for (; revision <= SIM_REVISIONS_MAX; revision++)
		l->table[revision] = left;
}

void legs_other_log(struct legs *l, uint64_t revision, uint32_t log)
{
	for (; revision <= SIM_REVISIONS_MAX; revision++)
		l->table[revision].log = log;
}

struct logdev *legs_logdev(const struct mirror *mirror, uint64_t revision)
{
	return mirror->logdev[legs_table(mirror->legs, revision)->log];
}

static uint64_t latency_us(struct legs *l, uint32_t blocks)
{
	return random_spread(l->random, world_scenario(l->world)->leg_us * (blocks + 1) / 2);
}

/* ---- one request to one leg */

static struct transfer *transfer_take(struct legs *l, uint32_t *ret_index)
{
	uint32_t index = l->free_first;

	if (index == NO_TRANSFER) {
		index = l->transfers++;
		assert(index < TRANSFERS);
		if (index % CHUNK == 0)
			l->chunk[index / CHUNK] =
			    world_alloc(l->world, CHUNK * sizeof(struct transfer));
	} else {
		l->free_first = transfer_at(l, index)->next_free;
	}
	*ret_index = index;
	return transfer_at(l, index);
}

static void transfer_free(struct legs *l, uint32_t index)
{
	struct transfer *t = transfer_at(l, index);

	if (t->kind == TRANSFER_WRITE) {
		l->writes[t->range.region]--;
		l->misled[t->range.region] -= t->misled;
	}
	t->kind = TRANSFER_NONE;
	t->next_free = l->free_first;
	l->free_first = index;
}

static void block_put(struct legs *l, unsigned leg, uint32_t at, uint64_t number)
{
	l->block[leg][at] = number;
	world_trace(l->world, NULL, "leg %" PRIu64 ": block %" PRIu64 " holds %" PRIu64, leg, at,
		    number);
}

static void blocks_put(struct legs *l, const struct transfer *t, uint32_t permille)
{
	for (uint32_t i = 0; i < t->range.count; i++) {
		uint32_t at = block_of(t->range.region, t->range.first + i);

		if (permille == 1000 || random_chance(l->random, permille))
			block_put(l, t->leg, at, t->number);
	}
}

/* Discarded blocks: what was there, or nothing. */
static void blocks_discard(struct legs *l, const struct transfer *t)
{
	for (uint32_t i = 0; i < t->range.count; i++)
		if (random_chance(l->random, 500))
			block_put(l, t->leg, block_of(t->range.region, t->range.first + i), 0);
}

static void on_landed(void *context, uint64_t argument)
{
	struct legs *l = context;
	struct transfer t = *transfer_at(l, (uint32_t)argument);
	int error = legs_failing(l, t.node, t.leg) ? -EIO : 0;

	transfer_free(l, (uint32_t)argument);
	if (t.kind == TRANSFER_READ) {
		l->counters.reads++;
		t.was_read(t.context, t.argument, error,
			   l->block[t.leg][block_of(t.range.region, t.range.first)]);
		return;
	}
	l->counters.writes++;
	if (t.kind == TRANSFER_WRITE)
		blocks_put(l, &t, error == 0 ? 1000 : FRAGMENT);
	else if (t.kind == TRANSFER_DISCARD)
		blocks_discard(l, &t);
	t.written(t.context, t.argument, error);
}

static void transfer_start(struct legs *l, const struct transfer *order)
{
	uint32_t index;
	struct transfer *t = transfer_take(l, &index);

	*t = *order;
	t->event = world_after(l->world, latency_us(l, t->range.count), on_landed, l, index);
}

void legs_write(struct legs *l, const struct node *node, unsigned leg, struct legs_range range,
		bool misled, uint64_t number, legs_written done, void *context, uint64_t argument)
{
	struct transfer t = {.kind = TRANSFER_WRITE,
			     .node = node,
			     .leg = leg,
			     .range = range,
			     .misled = misled,
			     .number = number,
			     .written = done,
			     .context = context,
			     .argument = argument};

	assert(range.count > 0 && range.first + range.count <= SIM_BLOCKS);
	/* When it has become stale while it was moved, it will be recovered anyway. */
	if (!misled && l->copies[range.region] > 0 &&
	    (l->copies[range.region] > l->moves[range.region] ||
	     !checker_is_stale(world_checker(l->world), l->mirror, range.region)))
		world_violation(l->world, "I6",
				"node %" PRIu32 " writes region %" PRIu32 " while it is copied",
				node_id(node), range.region);
	l->writes[range.region]++;
	l->misled[range.region] += misled;
	transfer_start(l, &t);
}

void legs_discard(struct legs *l, const struct node *node, unsigned leg, struct legs_range range,
		  legs_written done, void *context, uint64_t argument)
{
	struct transfer t = {.kind = TRANSFER_DISCARD,
			     .node = node,
			     .leg = leg,
			     .range = range,
			     .written = done,
			     .context = context,
			     .argument = argument};

	transfer_start(l, &t);
}

void legs_flush(struct legs *l, const struct node *node, unsigned leg, legs_written done,
		void *context, uint64_t argument)
{
	struct transfer t = {.kind = TRANSFER_FLUSH,
			     .node = node,
			     .leg = leg,
			     .written = done,
			     .context = context,
			     .argument = argument};

	transfer_start(l, &t);
}

void legs_read(struct legs *l, const struct node *node, unsigned leg, uint32_t region,
	       uint32_t block, legs_was_read done, void *context, uint64_t argument)
{
	struct transfer t = {.kind = TRANSFER_READ,
			     .node = node,
			     .leg = leg,
			     .range = {.region = region, .first = block, .count = 1},
			     .was_read = done,
			     .context = context,
			     .argument = argument};

	transfer_start(l, &t);
}

/* ---- copies of a region */

static void copies_count(struct legs *l, const struct copy *c, int by)
{
	l->copies[c->result.region] += (uint32_t)by;
	if (c->copier == LEGS_MOVER)
		l->moves[c->result.region] += (uint32_t)by;
}

static void copy_step(struct legs *l, struct copy *c);

static void copy_end(struct legs *l, struct copy *c)
{
	struct copy ended = *c;

	c->used = false;
	copies_count(l, &ended, -1);
	if (ended.copier == LEGS_KERNEL)
		l->counters.recovered++;
	else
		l->counters.moved++;
	if (ended.copier == LEGS_MOVER && ended.result.differed)
		l->counters.moved_differed++;
	ended.done(ended.context, ended.argument, &ended.result);
}

static void copy_land(struct legs *l, const struct copy *c, unsigned leg)
{
	block_put(l, c->table->leg[leg], block_of(c->result.region, c->block), c->number);
}

static bool copy_failing(const struct legs *l, const struct copy *c, unsigned leg)
{
	return legs_failing(l, c->node, c->table->leg[leg]);
}

static void copy_block_written(struct legs *l, struct copy *c)
{
	for (unsigned leg = 0; leg < c->table->count; leg++) {
		if ((c->targets >> leg & 1) == 0)
			continue;
		if (!copy_failing(l, c, leg)) {
			copy_land(l, c, leg);
			continue;
		}
		c->result.write_errors |= 1U << leg;
		if (random_chance(l->random, FRAGMENT))
			copy_land(l, c, leg);
	}
	c->writing = false;
	c->block++;
}

/* Legs to which the block just read must go. */
static uint32_t copy_targets(struct legs *l, struct copy *c)
{
	uint32_t at = block_of(c->result.region, c->block);
	uint32_t targets = 0;

	for (unsigned leg = 0; leg < c->table->count; leg++) {
		bool same = l->block[c->table->leg[leg]][at] == c->number;

		if (leg == c->from)
			continue;
		if (c->mode != LEGS_COPY && copy_failing(l, c, leg)) {
			c->result.read_error = true;
			continue;
		}
		if (!same && c->mode != LEGS_COPY)
			c->result.differed = true;
		if (c->mode == LEGS_COPY || (c->mode == LEGS_REPAIR && !same))
			targets |= 1U << leg;
	}
	return targets;
}

static void copy_block_read(struct legs *l, struct copy *c)
{
	c->number = l->block[c->table->leg[c->from]][block_of(c->result.region, c->block)];
	c->targets = copy_targets(l, c);
	c->writing = c->targets != 0;
	if (!c->writing)
		c->block++;
}

static void on_copied(void *context, uint64_t argument)
{
	struct legs *l = context;
	struct copy *c = &l->copy[argument];

	if (c->writing)
		copy_block_written(l, c);
	else if (copy_failing(l, c, c->from))
		c->result.read_error = true;
	else
		copy_block_read(l, c);
	copy_step(l, c);
}

static void copy_step(struct legs *l, struct copy *c)
{
	if (c->result.read_error || c->result.write_errors != 0 || c->block == SIM_BLOCKS)
		copy_end(l, c);
	else
		c->event =
		    world_after(l->world, latency_us(l, 1), on_copied, l, (uint64_t)(c - l->copy));
}

static void copy_check(const struct legs *l, const struct node *node, uint32_t region)
{
	if (l->copies[region] > 0)
		world_violation(l->world, "I6",
				"node %" PRIu32 " copies region %" PRIu32 " that is being copied",
				node_id(node), region);
	if (l->writes[region] > l->misled[region])
		world_violation(l->world, "I6",
				"node %" PRIu32 " copies region %" PRIu32 " that is being written",
				node_id(node), region);
}

void legs_copy(struct legs *l, const struct legs_table *table, const struct node *node,
	       enum legs_copier copier, uint32_t region, unsigned from, enum legs_copy_mode mode,
	       legs_copy_done done, void *context, uint64_t argument)
{
	struct copy *c = l->copy;

	copy_check(l, node, region);
	while (c < l->copy + COPIES && c->used)
		c++;
	assert(c < l->copy + COPIES);
	*c = (struct copy){.used = true,
			   .node = node,
			   .table = table,
			   .copier = copier,
			   .mode = mode,
			   .from = from,
			   .result = {.region = region},
			   .done = done,
			   .context = context,
			   .argument = argument};
	copies_count(l, c, 1);
	copy_step(l, c);
}

/* ---- death */

static void copy_tear(struct legs *l, struct copy *c)
{
	for (unsigned leg = 0; c->writing && leg < c->table->count; leg++)
		if ((c->targets >> leg & 1) != 0 && random_chance(l->random, 500))
			copy_land(l, c, leg);
	world_cancel(l->world, c->event);
	c->used = false;
	copies_count(l, c, -1);
}

static void copies_tear(struct legs *l, const struct node *node, bool of_kernel)
{
	for (struct copy *c = l->copy; c < l->copy + COPIES; c++)
		if (c->used && c->node == node && (of_kernel || c->copier == LEGS_MOVER))
			copy_tear(l, c);
}

void legs_mover_died(struct legs *l, const struct node *node)
{
	copies_tear(l, node, false);
}

void legs_node_died(struct legs *l, const struct node *node)
{
	copies_tear(l, node, true);
	for (uint32_t i = 0; i < l->transfers; i++) {
		struct transfer *t = transfer_at(l, i);

		if (t->kind == TRANSFER_NONE || t->node != node)
			continue;
		world_cancel(l->world, t->event);
		if (t->kind == TRANSFER_WRITE) {
			l->counters.torn += t->range.count;
			blocks_put(l, t, 500);
		} else if (t->kind == TRANSFER_DISCARD) {
			blocks_discard(l, t);
		}
		transfer_free(l, i);
	}
}

/* ---- legs that fail */

void legs_fail(struct legs *l, unsigned leg, uint32_t mask, bool failing)
{
	assert(leg < l->count && (l->failed_leg == NO_LEG || l->failed_leg == leg));
	l->failed_leg = leg;
	if (failing) {
		l->failing[leg] |= mask;
		l->has_failed |= mask;
	} else {
		l->failing[leg] &= ~mask;
	}
}

static bool leg_missing(const struct legs *l, unsigned leg)
{
	return l->mirror->plan->missing && leg == l->count - 1;
}

bool legs_failing(const struct legs *l, const struct node *node, unsigned leg)
{
	return leg_missing(l, leg) || (l->failing[leg] >> node_index(node) & 1) != 0;
}

bool legs_healthy(const struct legs *l, const struct node *node)
{
	for (unsigned leg = 0; leg < l->count; leg++)
		if (!leg_missing(l, leg) && legs_failing(l, node, leg))
			return false;
	return true;
}

bool legs_have_failed(const struct legs *l, const struct node *node)
{
	return (l->has_failed >> node_index(node) & 1) != 0;
}

/* ---- what they hold */

uint64_t legs_block(const struct legs *l, unsigned leg, uint32_t region, uint32_t block)
{
	return l->block[leg][block_of(region, block)];
}

bool legs_busy(const struct legs *l, uint32_t region)
{
	return l->writes[region] > 0 || l->copies[region] > 0;
}

const struct legs_counters *legs_counters(const struct legs *l)
{
	return &l->counters;
}
