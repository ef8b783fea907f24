/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power cuts: every state that the log device can be in while a claim, a release or page writes are
 * under way is loaded, and must tell the old truth or the new one. A state is: all writes whose
 * completion had been seen, and of those in flight any sectors.
 *
 * What every such load must obey, for each region:
 *	stale    it is not in sync: the history must not say that it is
 *	differs  its legs may differ: the history must say dirty, or not in sync
 *	sure     nothing happened to it: in sync and not dirty, or the log would be of no use
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/storage_rig.h"

#define REGIONS 40000U /* the kernel's bits reach behind unit 0, and a map has several pages */
#define SECTORS 1024U
#define SECTOR	512U
#define TEARS	6U /* random subsets of what is in flight, beside none and all of it */

struct truth {
	uint64_t regions;
	uint64_t region_sectors;
	uint64_t *stale;
	uint64_t *differs;
	uint64_t *sure;
	/* Page writes: differs also where bits of slot_later were acknowledged by that tick. */
	const unsigned *acknowledged; /* per region; 0: never */
	bool pessimism;		      /* sure may be broken: the geometry changes */
};

struct image {
	uint8_t *bytes;
	size_t size;
};

static uint64_t *map_make(uint64_t regions)
{
	uint64_t *map = calloc(bits_words(regions), sizeof(*map));

	assert_non_null(map);
	return map;
}

static struct truth truth_make(uint64_t regions, uint64_t region_sectors)
{
	return (struct truth){
	    .regions = regions,
	    .region_sectors = region_sectors,
	    .stale = map_make(regions),
	    .differs = map_make(regions),
	    .sure = map_make(regions),
	};
}

static void truth_free(struct truth *t)
{
	free(t->stale);
	free(t->differs);
	free(t->sure);
}

static struct image image_take(const struct rig *rig, size_t size)
{
	struct image image = {.bytes = malloc(size), .size = size};

	assert_non_null(image.bytes);
	rig_pread(rig, 0, image.bytes, size);
	return image;
}

/* The first and last regions, those around words, pages and units, and every 97th. */
static bool region_looked_at(uint64_t r, uint64_t regions)
{
	return r < 70 || r + 70 > regions || r % 4096 < 2 || r % 4096 == 4095 || r % 97 == 0;
}

static void truth_check(const struct truth *t, const struct rig_history *h, unsigned tick)
{
	for (uint64_t r = 0; r < t->regions; r++) {
		uint64_t sector = r * t->region_sectors;
		bool differs = bits_test(t->differs, r);
		bool in_sync;
		bool dirty;

		if (!region_looked_at(r, t->regions))
			continue;
		in_sync = rig_in_sync(h, sector, t->region_sectors);
		dirty = rig_dirty(h, sector, t->region_sectors);
		if (t->acknowledged != NULL && t->acknowledged[r] != 0 &&
		    t->acknowledged[r] <= tick)
			differs = true;
		if (bits_test(t->stale, r) && in_sync)
			fail_msg("tick %u: stale region %lu loaded as in sync", tick,
				 (unsigned long)r);
		if (differs && in_sync && !dirty)
			fail_msg("tick %u: mark of region %lu lost", tick, (unsigned long)r);
		if (!t->pessimism && bits_test(t->sure, r) && (!in_sync || dirty))
			fail_msg("tick %u: region %lu is in sync for no use", tick,
				 (unsigned long)r);
	}
}

/* Each sector of a write in flight arrives with a chance of (chance of 8). */
static void write_apply(struct image *image, const struct rig_write *w, unsigned chance,
			uint64_t *seed)
{
	assert_true(w->offset + w->bytes <= image->size);
	for (size_t at = 0; at < w->bytes; at += SECTOR)
		if (rig_random(seed) % 8 < chance)
			memcpy(image->bytes + w->offset + at, w->data + at, SECTOR);
}

static void state_load(struct rig *probe, const struct image *image, const struct truth *t,
		       unsigned tick)
{
	rig_pwrite(probe, 0, image->bytes, image->size);
	rig_open(probe);
	assert_int_equal(rig_load(probe), 0);
	truth_check(t, &probe->history, tick);
	rig_close(probe);
}

/* All states between `before` and the end of what was recorded. Returns how many. */
static unsigned states_check(const struct rig *rig, const struct image *before,
			     const struct truth *t)
{
	static const unsigned chances[TEARS + 2] = {0, 8, 1, 3, 4, 4, 5, 7};
	struct image image = {.bytes = malloc(before->size), .size = before->size};
	const struct rig_record *r = &rig_record;
	struct rig probe;
	uint64_t seed = 0x9e3779b97f4a7c15;
	unsigned states = 0;

	assert_non_null(image.bytes);
	rig_record.on = false;
	rig_init(&probe, rig->spec.region_count, rig->spec.region_sectors, before->size);
	probe.spec.owner = rig->spec.owner;
	for (unsigned tick = 0; tick <= r->tick; tick++) {
		for (unsigned tear = 0; tear < TEARS + 2; tear++) {
			bool torn = false;

			memcpy(image.bytes, before->bytes, image.size);
			for (unsigned i = 0; i < r->count; i++) {
				const struct rig_write *w = &r->write[i];

				if (w->submitted > tick)
					continue;
				torn |= w->completed > tick;
				write_apply(&image, w, w->completed <= tick ? 8 : chances[tear],
					    &seed);
			}
			state_load(&probe, &image, t, tick);
			states++;
			if (!torn)
				break;
		}
	}
	rig_fini(&probe);
	free(image.bytes);
	return states;
}

/* Patterns that cross each other in every byte. */
static void fill_every(uint64_t *map, uint64_t regions, uint64_t step, uint64_t first)
{
	for (uint64_t r = first; r < regions; r += step)
		bits_set(map, r);
}

static void map_copy(uint64_t *to, const uint64_t *from, uint64_t regions)
{
	memcpy(to, from, bits_words(regions) * sizeof(*to));
}

static void map_except(uint64_t *map, const uint64_t *without, uint64_t regions)
{
	for (size_t w = 0; w < bits_words(regions); w++)
		map[w] &= ~without[w];
}

#define DEVICE (256U << 10)

static void rig_start(struct rig *rig)
{
	rig_init(rig, REGIONS, SECTORS, DEVICE);
	rig->spec.slots_wanted = 3;
}

/* In sync: all but every 5th; marked: every 7th. */
static void rig_crashed(struct rig *rig)
{
	bits_fill(rig->sync, REGIONS, true);
	for (uint64_t r = 0; r < REGIONS; r += 5)
		bits_clear(rig->sync, r);
	fill_every(rig->slot, REGIONS, 7, 3);
	rig_open(rig);
	assert_int_equal(rig_load(rig), 0);
	assert_int_equal(rig_claim(rig), 0);
	rig_close(rig);
}

static void truth_of_maps(struct truth *t, const struct rig *rig)
{
	bits_fill(t->stale, REGIONS, true);
	map_except(t->stale, rig->sync, REGIONS);
	map_copy(t->differs, rig->slot, REGIONS);
	map_copy(t->sure, rig->sync, REGIONS);
	map_except(t->sure, rig->slot, REGIONS);
}

static void claim_of_a_blank_device(void **state)
{
	struct rig rig;
	struct truth t = truth_make(REGIONS, SECTORS);
	struct image before;

	(void)state;
	rig_start(&rig);
	rig_open(&rig);
	bits_fill(rig.sync, REGIONS, true);
	fill_every(rig.slot, REGIONS, 7, 3);
	for (uint64_t r = 0; r < REGIONS; r += 5)
		bits_clear(rig.sync, r);
	truth_of_maps(&t, &rig);
	t.pessimism = true; /* no history is the old truth */
	before = image_take(&rig, DEVICE);
	rig_record_start();
	assert_int_equal(rig_claim(&rig), 0);
	assert_true(states_check(&rig, &before, &t) > 40);
	t.pessimism = false; /* when it is done it is the new one */
	assert_int_equal(rig_load(&rig), 0);
	assert_int_equal(rig.history.load, MLOG_LOAD_CRASHED);
	truth_check(&t, &rig.history, UINT_MAX);
	free(before.bytes);
	truth_free(&t);
	rig_fini(&rig);
	rig_record_free();
}

static void kernel_log_make(struct rig *rig, uint64_t regions, const uint64_t *clean)
{
	uint8_t header[512];
	size_t bytes = bits_words(regions) * sizeof(uint64_t);
	uint8_t *bits = malloc(bytes);

	assert_non_null(bits);
	disk_kernel_header_encode(header, regions, true);
	rig_pwrite(rig, 0, header, sizeof(header));
	disk_bits_encode(bits, bytes, clean);
	rig_pwrite(rig, DISK_BITS_OFFSET, bits, bytes);
	free(bits);
}

static void claim_of_a_kernel_log(void **state)
{
	struct rig rig;
	struct truth t = truth_make(REGIONS, SECTORS);
	struct image before;

	(void)state;
	rig_start(&rig);
	bits_fill(rig.sync, REGIONS, true);
	for (uint64_t r = 0; r < REGIONS; r += 5)
		bits_clear(rig.sync, r);
	kernel_log_make(&rig, REGIONS, rig.sync);
	truth_of_maps(&t, &rig);
	rig_open(&rig);
	before = image_take(&rig, DEVICE);
	rig_record_start();
	assert_int_equal(rig_claim(&rig), 0);
	assert_true(states_check(&rig, &before, &t) > 40);
	free(before.bytes);
	truth_free(&t);
	rig_fini(&rig);
	rig_record_free();
}

static void claim_after_a_crash(void **state)
{
	struct rig rig;
	struct truth t = truth_make(REGIONS, SECTORS);
	struct image before;

	(void)state;
	rig_start(&rig);
	rig_crashed(&rig);
	truth_of_maps(&t, &rig);
	before = image_take(&rig, DEVICE);
	/* The old marks and new ones, which nobody has been promised yet. */
	fill_every(rig.slot, REGIONS, 11, 4);
	map_except(t.sure, rig.slot, REGIONS);
	rig_open(&rig);
	rig_record_start();
	assert_int_equal(rig_claim(&rig), 0);
	assert_true(states_check(&rig, &before, &t) > 40);
	free(before.bytes);
	truth_free(&t);
	rig_fini(&rig);
	rig_record_free();
}

/* Marks of another slot move to ours before theirs is emptied. */
static void claim_with_marks_in_another_slot(void **state)
{
	struct rig rig;
	struct truth t = truth_make(REGIONS, SECTORS);
	struct image before;

	(void)state;
	rig_start(&rig);
	rig.own = 2;
	rig_crashed(&rig);
	truth_of_maps(&t, &rig);
	before = image_take(&rig, DEVICE);
	rig.own = 0;
	rig_open(&rig);
	assert_int_equal(rig_load(&rig), 0);
	truth_check(&t, &rig.history, UINT_MAX);
	rig_record_start();
	assert_int_equal(rig_claim(&rig), 0);
	assert_true(states_check(&rig, &before, &t) > 40);
	free(before.bytes);
	truth_free(&t);
	rig_fini(&rig);
	rig_record_free();
}

/* Every 70th region is crash-dirty still; the other marks have ended. */
static void release(void **state)
{
	struct rig rig;
	struct truth t = truth_make(REGIONS, SECTORS);
	struct image before;

	(void)state;
	rig_start(&rig);
	rig_crashed(&rig);
	map_copy(rig.kernel, rig.sync, REGIONS);
	for (uint64_t r = 3; r < REGIONS; r += 70) {
		bits_set(t.differs, r);
		bits_clear(rig.kernel, r);
	}
	bits_fill(t.stale, REGIONS, true);
	map_except(t.stale, rig.sync, REGIONS);
	map_copy(t.sure, rig.kernel, REGIONS);
	map_except(t.sure, rig.slot, REGIONS);
	before = image_take(&rig, DEVICE);
	rig_open(&rig);
	rig_record_start();
	assert_int_equal(rig_release(&rig), 0);
	assert_true(states_check(&rig, &before, &t) > 25);
	assert_int_equal(rig_load(&rig), 0);
	assert_int_equal(rig.history.load, MLOG_LOAD_CLEAN);
	map_copy(t.sure, rig.kernel, REGIONS);
	truth_check(&t, &rig.history, UINT_MAX);
	free(before.bytes);
	truth_free(&t);
	rig_fini(&rig);
	rig_record_free();
}

/* A release that got as far as the clean superblock B, and then a claim. */
static void claim_after_a_torn_release(void **state)
{
	struct rig rig;
	struct truth t = truth_make(REGIONS, SECTORS);
	struct image before;
	uint8_t unit0[DISK_UNIT];

	(void)state;
	rig_start(&rig);
	rig_crashed(&rig);
	memset(rig.slot, 0, bits_words(REGIONS) * sizeof(uint64_t));
	map_copy(rig.kernel, rig.sync, REGIONS);
	rig_open(&rig);
	rig_pread(&rig, 0, unit0, sizeof(unit0));
	assert_int_equal(rig_release(&rig), 0);
	rig_pwrite(&rig, 0, unit0, sizeof(unit0));
	assert_int_equal(rig_load(&rig), 0);
	assert_int_equal(rig.history.load, MLOG_LOAD_CLEAN);
	truth_of_maps(&t, &rig);
	before = image_take(&rig, DEVICE);
	rig_record_start();
	assert_int_equal(rig_claim(&rig), 0);
	assert_true(states_check(&rig, &before, &t) > 40);
	free(before.bytes);
	truth_free(&t);
	rig_fini(&rig);
	rig_record_free();
}

/* A member of a cluster; NULL: the first one, whose device it is. */
static void member_start(struct rig *rig, const struct rig *first, uint32_t node)
{
	rig_start(rig);
	if (first != NULL)
		rig->spec.device = first->path;
	rig->spec.node = node;
	rig->own = node - 1;
	rig->beside = node > 1;
	strcpy(rig->spec.owner.cluster, "shop");
}

/* A second member comes, marks, and goes; the marks of the first count all the time. */
static void member_beside_another(void **state)
{
	struct rig a;
	struct rig b;
	struct truth t = truth_make(REGIONS, SECTORS);
	struct truth both = truth_make(REGIONS, SECTORS);
	struct image before;

	(void)state;
	member_start(&a, NULL, 1);
	rig_crashed(&a);
	truth_of_maps(&t, &a);
	member_start(&b, &a, 2);
	fill_every(b.slot, REGIONS, 11, 4);
	map_except(t.sure, b.slot, REGIONS);
	rig_open(&b);
	for (unsigned step = 0; step < 2; step++) {
		before = image_take(&a, DEVICE);
		rig_record_start();
		assert_int_equal(step == 0 ? rig_claim(&b) : rig_release(&b), 0);
		assert_true(states_check(&a, &before, &t) > (step == 0 ? 10 : 2));
		free(before.bytes);
		rig_record_free();
		if (step > 0)
			break;
		/* what b was promised is there by now */
		map_copy(both.stale, t.stale, REGIONS);
		map_copy(both.sure, t.sure, REGIONS);
		map_copy(both.differs, b.slot, REGIONS);
		for (size_t w = 0; w < bits_words(REGIONS); w++)
			both.differs[w] |= t.differs[w];
		rig_open(&a);
		assert_int_equal(rig_load(&a), 0);
		truth_check(&both, &a.history, 0);
		rig_close(&a);
	}
	truth_free(&t);
	truth_free(&both);
	rig_fini(&b);
	rig_fini(&a);
}

/* The marks of a dead member are in the heir's slot before its own is emptied. */
static void slot_is_inherited(void **state)
{
	struct rig a;
	struct rig b;
	struct truth t = truth_make(REGIONS, SECTORS);
	struct image before;
	unsigned answers;

	(void)state;
	member_start(&a, NULL, 1);
	rig_crashed(&a);
	member_start(&b, &a, 2);
	fill_every(b.slot, REGIONS, 11, 4);
	rig_open(&b);
	assert_int_equal(rig_claim(&b), 0);
	truth_of_maps(&t, &a);
	for (size_t w = 0; w < bits_words(REGIONS); w++)
		t.differs[w] |= b.slot[w];
	map_except(t.sure, b.slot, REGIONS);

	before = image_take(&a, DEVICE);
	rig_open(&a);
	rig_record_start();
	assert_int_equal(rig_read_slot(&a, 1), 0);
	assert_memory_equal(a.other_dirty, b.slot, bits_words(REGIONS) * sizeof(uint64_t));
	for (size_t w = 0; w < bits_words(REGIONS); w++)
		a.slot[w] |= a.other_dirty[w];
	answers = a.answers;
	for (uint64_t page = 0; page * SECTOR * 8 < REGIONS; page++)
		storage_write(a.storage, a.own, MLOG_AREA_SLOT, page);
	rig_wait(&a, answers + (REGIONS + SECTOR * 8 - 1) / (SECTOR * 8));
	assert_int_equal(a.written_error, 0);
	assert_int_equal(rig_empty_slot(&a, 1), 0);
	assert_true(states_check(&a, &before, &t) > 20);
	assert_int_equal(rig_read_slot(&a, 1), 0);
	assert_null(a.other_dirty);
	free(before.bytes);
	truth_free(&t);
	rig_fini(&b);
	rig_fini(&a);
	rig_record_free();
}

static void page_writes(void **state)
{
	static unsigned acknowledged[REGIONS];
	const uint64_t page_regions = 512 * 8;
	struct rig rig;
	struct truth t = truth_make(REGIONS, SECTORS);
	struct image before;
	unsigned answers;

	(void)state;
	memset(acknowledged, 0, sizeof(acknowledged));
	rig_start(&rig);
	bits_fill(rig.sync, REGIONS, true);
	map_copy(t.sure, rig.sync, REGIONS);
	rig_open(&rig);
	assert_int_equal(rig_claim(&rig), 0);
	before = image_take(&rig, DEVICE);
	rig_record_start();
	answers = rig.answers;
	for (unsigned round = 0; round < 4; round++) {
		unsigned pages = 0;

		for (uint64_t page = round; page < 9; page += 2, pages++) {
			for (uint64_t r = page * page_regions; r < (page + 1) * page_regions;
			     r += 3 + round) {
				bits_set(rig.slot, r);
				bits_clear(t.sure, r);
			}
			storage_write(rig.storage, rig.own, MLOG_AREA_SLOT, page);
		}
		answers += pages;
		rig_wait(&rig, answers);
		for (uint64_t r = 0; r < REGIONS; r++)
			if (bits_test(rig.slot, r) && acknowledged[r] == 0)
				acknowledged[r] = rig_record.tick;
	}
	assert_int_equal(rig.written_error, 0);
	t.acknowledged = acknowledged;
	assert_true(states_check(&rig, &before, &t) > 40);
	free(before.bytes);
	truth_free(&t);
	rig_fini(&rig);
	rig_record_free();
}

/* Claims a log of REGIONS regions, crashed or as a kernel log, for another geometry. The mirror log
 * would tell us the same history in the new geometry; here it says that all is stale but a bit. */
static void claim_in_another_geometry(uint64_t regions, uint64_t sectors, bool kernel)
{
	struct rig rig;
	struct truth t = truth_make(REGIONS, SECTORS);
	struct image before;
	struct truth now = truth_make(regions, sectors);

	rig_start(&rig);
	rig_crashed(&rig);
	truth_of_maps(&t, &rig);
	if (kernel) {
		map_copy(rig.kernel, rig.sync, REGIONS);
		map_except(rig.kernel, rig.slot, REGIONS);
		rig_open(&rig);
		assert_int_equal(rig_release(&rig), 0);
		rig_close(&rig);
	}
	before = image_take(&rig, DEVICE);
	rig_geometry(&rig, regions, sectors);
	rig_open(&rig);
	assert_int_equal(rig_load(&rig), 0);
	for (uint64_t r = 0; r < regions; r++) {
		bool in_sync = rig_in_sync(&rig.history, r * sectors, sectors);
		bool dirty = rig_dirty(&rig.history, r * sectors, sectors);

		if (in_sync)
			bits_set(rig.sync, r);
		else
			bits_set(now.stale, r);
		if (in_sync && dirty) {
			bits_set(rig.slot, r);
			bits_set(now.differs, r);
		}
	}
	/* What was loaded is the old truth, in today's geometry. */
	t.pessimism = kernel && regions == REGIONS; /* whose bits they are cannot be told */
	truth_check(&t, &rig.history, 0);
	if (t.pessimism)
		assert_int_equal(bits_count(rig.sync, regions), 0);
	else
		assert_true(bits_count(rig.sync, regions) > regions / 5);
	now.pessimism = true;
	rig_record_start();
	assert_int_equal(rig_claim(&rig), 0);
	assert_true(states_check(&rig, &before, &now) > 40);
	assert_int_equal(rig_load(&rig), 0);
	assert_null(rig.history.remark);
	assert_memory_equal(rig.history.in_sync, rig.sync, bits_words(regions) * 8);
	free(before.bytes);
	truth_free(&t);
	truth_free(&now);
	rig_fini(&rig);
	rig_record_free();
}

static void claim_of_a_grown_mirror(void **state)
{
	(void)state;
	claim_in_another_geometry(2 * REGIONS, SECTORS, false);
	claim_in_another_geometry(2 * REGIONS, SECTORS, true);
}

static void claim_of_a_mirror_with_smaller_regions(void **state)
{
	(void)state;
	claim_in_another_geometry(4 * REGIONS, SECTORS / 4, false);
	claim_in_another_geometry(4 * REGIONS, SECTORS / 4, true);
}

static void claim_of_a_mirror_with_as_many_regions_of_another_size(void **state)
{
	(void)state;
	claim_in_another_geometry(REGIONS, SECTORS * 2, false);
	claim_in_another_geometry(REGIONS, SECTORS * 2, true);
}

static void claim_of_a_mirror_with_more_slots(void **state)
{
	struct rig rig;
	struct truth t = truth_make(REGIONS, SECTORS);
	struct image before;

	(void)state;
	rig_start(&rig);
	rig_crashed(&rig);
	truth_of_maps(&t, &rig);
	before = image_take(&rig, DEVICE);
	rig.spec.slots_wanted = 9; /* no change while it is in use */
	rig_open(&rig);
	assert_int_equal(storage_layout(rig.storage)->slots, 3);
	rig_record_start();
	assert_int_equal(rig_claim(&rig), 0);
	states_check(&rig, &before, &t);
	free(before.bytes);
	truth_free(&t);
	rig_fini(&rig);
	rig_record_free();
}

/* Every write of a claim and of a release fails once: the operation says so, what is on the device
 * is a truth, and the next claim mends it. */
static void failed_writes(void **state)
{
	struct rig rig;
	struct truth t = truth_make(REGIONS, SECTORS);
	unsigned failures = 0;

	(void)state;
	rig_start(&rig);
	rig_crashed(&rig);
	truth_of_maps(&t, &rig);
	map_copy(rig.kernel, rig.sync, REGIONS);
	map_except(rig.kernel, rig.slot, REGIONS);
	for (unsigned fail_at = 1;; fail_at++, failures++) {
		int rc;

		rig_open(&rig);
		rig_record_start();
		rig_record.fail_at = fail_at;
		rc = rig_claim(&rig);
		if (rc == 0)
			rc = rig_release(&rig);
		rig_record_free();
		if (rc == 0)
			break;
		assert_int_equal(rc, -EIO);
		assert_int_equal(rig_write(&rig, MLOG_AREA_SLOT, 0), -ESTALE);
		rig_close(&rig);
		rig_open(&rig);
		assert_int_equal(rig_load(&rig), 0);
		t.pessimism = true;
		truth_check(&t, &rig.history, 0);
		assert_int_equal(rig_claim(&rig), 0);
		assert_int_equal(rig_load(&rig), 0);
		t.pessimism = false;
		truth_check(&t, &rig.history, 0);
		rig_close(&rig);
	}
	assert_true(failures >= 10);
	truth_free(&t);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(claim_of_a_blank_device),
	    cmocka_unit_test(claim_of_a_kernel_log),
	    cmocka_unit_test(claim_after_a_crash),
	    cmocka_unit_test(claim_with_marks_in_another_slot),
	    cmocka_unit_test(release),
	    cmocka_unit_test(claim_after_a_torn_release),
	    cmocka_unit_test(member_beside_another),
	    cmocka_unit_test(slot_is_inherited),
	    cmocka_unit_test(page_writes),
	    cmocka_unit_test(claim_of_a_grown_mirror),
	    cmocka_unit_test(claim_of_a_mirror_with_as_many_regions_of_another_size),
	    cmocka_unit_test(claim_of_a_mirror_with_smaller_regions),
	    cmocka_unit_test(claim_of_a_mirror_with_more_slots),
	    cmocka_unit_test(failed_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
