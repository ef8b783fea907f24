/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/sim/load.h"

#include <assert.h>

#include "test/sim/kernel_internal.h"

#define TRIES	      4U  /* to find blocks that nobody writes */
#define FLUSHES	      10U /* in 1,000 writes */
#define AFTER_FAILURE (100 * MS_US)

struct load_thread {
	struct load *load;
	bool writes;
	bool busy;
	struct bio *bio;
};

struct load {
	struct kernel *kernel;
	struct node *node;
	struct mirror *mirror;
	struct random *random;
	const struct scenario_load *plan;
	bool on;
	uint64_t life; /* of the threads: what they had planned before is void */
	unsigned threads;
	unsigned busy;
	struct load_thread thread[LOAD_THREADS];
};

static void on_turn(void *context, uint64_t argument);

struct load *load_create(struct kernel *k, struct node *node, struct mirror *mirror)
{
	struct load *l = world_alloc(mirror->world, sizeof(*l));

	l->kernel = k;
	l->node = node;
	l->mirror = mirror;
	l->random = node_random(node, RANDOM_LOAD);
	l->plan = &mirror->plan->load;
	l->threads = l->plan->writers + l->plan->readers;
	assert(l->threads <= LOAD_THREADS);
	for (unsigned i = 0; i < l->threads; i++) {
		l->thread[i].load = l;
		l->thread[i].writes = i < l->plan->writers;
	}
	return l;
}

static void turn_plan(struct load_thread *t, uint64_t gap_us)
{
	world_after(t->load->mirror->world, random_spread(t->load->random, gap_us), on_turn, t,
		    t->load->life);
}

static uint64_t gap_us(const struct load_thread *t)
{
	return t->writes ? t->load->plan->write_gap_us : t->load->plan->read_gap_us;
}

/* ---- what to write and read */

static uint32_t region_any(struct load *l)
{
	uint32_t regions = l->mirror->plan->regions;

	if (l->plan->hot_regions > 0 && random_chance(l->random, l->plan->hot_permille))
		return (uint32_t)random_below(l->random, l->plan->hot_regions);
	return (uint32_t)random_below(l->random, regions);
}

static uint32_t region_draw(struct load *l)
{
	uint32_t nodes = world_nodes(l->mirror->world);
	uint32_t regions = l->mirror->plan->regions;
	uint32_t region = region_any(l) % regions;

	if (!l->plan->own || regions < nodes)
		return region;
	region = region - region % nodes + node_index(l->node);
	return region < regions ? region : node_index(l->node);
}

static struct legs_range range_draw(struct load *l)
{
	struct legs_range range = {.region = region_draw(l), .count = 1};

	if (random_chance(l->random, l->plan->long_permille))
		range.count = (uint32_t)random_between(l->random, 2, SIM_BLOCKS);
	range.first = (uint32_t)random_below(l->random, SIM_BLOCKS - range.count + 1);
	return range;
}

/* ---- turns */

static void thread_ended(struct load_thread *t, int error)
{
	struct load *l = t->load;

	t->busy = false;
	t->bio = NULL;
	l->busy--;
	if (l->on)
		turn_plan(t, error != 0 ? AFTER_FAILURE : gap_us(t));
	else
		device_poke(l->kernel);
}

static void on_write_end(void *context, struct bio *bio, int error)
{
	struct load_thread *t = context;
	struct load *l = t->load;
	struct checker *c = world_checker(l->mirror->world);

	world_trace(l->mirror->world, l->node,
		    "load write %" PRIu64 " of region %" PRIu64 " ends: error %" PRIu64,
		    bio->number, bio->range.region, (uint64_t) - (int64_t)error);
	if (error != 0)
		checker_io_failed(c, l->node, l->mirror, bio->range.region);
	checker_write_ended(c, l->node, l->mirror, bio->range, bio->number,
			    error == 0 ? CHECKER_DONE : CHECKER_UNKNOWN, bio->leg_errors);
	thread_ended(t, error);
}

static void on_flush_end(void *context, struct bio *bio, int error)
{
	struct load_thread *t = context;
	struct load *l = t->load;

	if (error != 0)
		checker_io_failed(world_checker(l->mirror->world), l->node, l->mirror,
				  bio->range.region);
	thread_ended(t, error);
}

static void on_read_end(void *context, struct bio *bio, int error)
{
	struct load_thread *t = context;
	struct load *l = t->load;
	struct checker *c = world_checker(l->mirror->world);

	if (error != 0)
		checker_io_failed(c, l->node, l->mirror, bio->range.region);
	else
		checker_read(c, l->node, l->mirror, bio->range.region, bio->range.first, bio->leg,
			     bio->unasked, bio->number, bio->begun_us);
	thread_ended(t, error);
}

static void thread_submit(struct load_thread *t, enum bio_kind kind, struct legs_range range,
			  uint64_t number, void (*end)(void *context, struct bio *bio, int error))
{
	t->bio = device_bio(t->load->kernel);
	assert(t->bio != NULL);
	t->bio->kind = kind;
	t->bio->range = range;
	t->bio->number = number;
	t->bio->end = end;
	t->bio->context = t;
	t->busy = true;
	t->load->busy++;
	device_submit(t->load->kernel, t->bio);
}

static void write_turn(struct load_thread *t)
{
	struct load *l = t->load;
	struct checker *c = world_checker(l->mirror->world);
	struct legs_range range = range_draw(l);
	bool discard = random_chance(l->random, l->plan->discard_permille);
	uint64_t number;

	for (unsigned i = 1; i < TRIES && !checker_may_write(c, l->mirror, range); i++)
		range = range_draw(l);
	if (!checker_may_write(c, l->mirror, range)) {
		turn_plan(t, gap_us(t));
		return;
	}
	number = checker_write_begins(c, l->mirror, range, discard);
	world_trace(l->mirror->world, l->node,
		    "load write %" PRIu64 " of region %" PRIu64 ", %" PRIu64 " blocks", number,
		    range.region, range.count);
	thread_submit(t, discard ? BIO_DISCARD : BIO_WRITE, range, number, on_write_end);
}

static void read_turn(struct load_thread *t)
{
	struct legs_range range = {
	    .region = region_any(t->load) % t->load->mirror->plan->regions,
	    .first = (uint32_t)random_below(t->load->random, SIM_BLOCKS),
	    .count = 1,
	};

	thread_submit(t, BIO_READ, range, 0, on_read_end);
}

static void on_turn(void *context, uint64_t argument)
{
	struct load_thread *t = context;

	if (t->load->life != argument || !t->load->on)
		return;
	if (!t->writes)
		read_turn(t);
	else if (random_chance(t->load->random, FLUSHES))
		thread_submit(t, BIO_FLUSH, (struct legs_range){0}, 0, on_flush_end);
	else
		write_turn(t);
}

/* ---- start and end */

void load_start(struct load *l)
{
	if (l->on)
		return;
	l->on = true;
	l->life++;
	for (unsigned i = 0; i < l->threads; i++)
		if (!l->thread[i].busy)
			turn_plan(&l->thread[i], gap_us(&l->thread[i]));
}

void load_stop(struct load *l)
{
	l->on = false;
	l->life++;
}

bool load_idle(const struct load *l)
{
	return l->busy == 0;
}

void load_power_off(struct load *l)
{
	struct checker *c = world_checker(l->mirror->world);

	load_stop(l);
	for (unsigned i = 0; i < l->threads; i++) {
		struct load_thread *t = &l->thread[i];
		struct bio *bio = t->bio;

		if (t->busy && (bio->kind == BIO_WRITE || bio->kind == BIO_DISCARD))
			checker_write_ended(c, l->node, l->mirror, bio->range, bio->number,
					    CHECKER_UNKNOWN, 0);
		t->busy = false;
		t->bio = NULL;
	}
	l->busy = 0;
}
