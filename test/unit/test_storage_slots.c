/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The storage adapter when several nodes have one log in use: each loads, claims and releases its
 * own slot and nothing else, and reads and empties those of the dead. The nodes are rigs on one
 * memory file; test_storage_crash.c has the power cuts.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/unit/storage_rig.h"

#define REGIONS 5000U
#define SECTORS 1024U
#define DEVICE	(1U << 20)
#define MAP	(bits_words(REGIONS) * sizeof(uint64_t))

struct nodes {
	struct rig a; /* node 1, slot 0: came first */
	struct rig b; /* node 2, slot 1 */
};

static void member_init(struct rig *rig, uint32_t node, const char *host)
{
	rig_init(rig, REGIONS, SECTORS, DEVICE);
	strcpy(rig->spec.owner.cluster, "shop");
	strcpy(rig->spec.owner.host_id, host);
	rig->spec.node = node;
	rig->own = node - 1;
	rig->beside = node > 1;
}

/* The marks of both differ in every byte. */
static void slots_fill(struct nodes *n)
{
	for (uint64_t r = 0; r < REGIONS; r += 7)
		bits_set(n->a.slot, r);
	for (uint64_t r = 3; r < REGIONS; r += 7)
		bits_set(n->b.slot, r);
	for (uint64_t r = 0; r < REGIONS; r++)
		if (r % 11 != 0)
			bits_set(n->a.sync, r);
}

static int setup(void **state)
{
	struct nodes *n = malloc(sizeof(*n));

	assert_non_null(n);
	member_init(&n->a, 1, "host-1");
	member_init(&n->b, 2, "host-2");
	n->b.spec.device = n->a.path;
	slots_fill(n);
	*state = n;
	return 0;
}

static int teardown(void **state)
{
	struct nodes *n = *state;

	rig_record.hold = false;
	rig_fini(&n->b);
	rig_fini(&n->a);
	free(n);
	rig_record_free();
	return 0;
}

/* a has claimed the log, then b its slot. */
static void both_claim(struct nodes *n)
{
	rig_open(&n->a);
	assert_int_equal(rig_load(&n->a), 0);
	assert_int_equal(rig_claim(&n->a), 0);
	rig_open(&n->b);
	assert_int_equal(rig_load(&n->b), 0);
	assert_int_equal(n->b.history.load, MLOG_LOAD_BLANK);
	assert_null(n->b.history.dirty);
	assert_int_equal(rig_claim(&n->b), 0);
}

static struct disk_slot header_of(const struct rig *rig, uint32_t slot)
{
	struct disk_slot ret;
	uint8_t unit[DISK_UNIT];

	rig_pread(rig, disk_slot_offset(storage_layout(rig->storage), slot), unit, sizeof(unit));
	assert_int_equal(disk_slot_decode(unit, &ret), 0);
	return ret;
}

/* Bytes that were written are all within that slot. */
static void assert_written_in_slot(const struct rig *rig, uint32_t slot)
{
	const struct disk_layout *l = storage_layout(rig->storage);
	uint64_t first = disk_slot_offset(l, slot);

	assert_true(rig_record.count > 0);
	for (unsigned i = 0; i < rig_record.count; i++) {
		const struct rig_write *w = &rig_record.write[i];

		assert_true(w->offset >= first && w->offset + w->bytes <= first + l->slot_stride);
	}
}

static void each_has_its_slot(void **state)
{
	struct nodes *n = *state;

	rig_open(&n->a);
	assert_int_equal(rig_claim(&n->a), 0);
	rig_open(&n->b);
	rig_record_start();
	assert_int_equal(rig_claim(&n->b), 0);
	assert_int_equal(rig_write(&n->b, MLOG_AREA_SLOT, 1), 0);
	assert_written_in_slot(&n->b, 1);
	assert_int_equal(header_of(&n->a, 0).node, 1);
	assert_string_equal(header_of(&n->a, 0).host_id, "host-1");
	assert_int_equal(header_of(&n->a, 1).node, 2);
	assert_string_equal(header_of(&n->a, 1).host_id, "host-2");
	assert_false(header_of(&n->a, 2).in_use);

	/* a new daemon of b finds what its slot held, and nothing of a's */
	rig_close(&n->b);
	rig_open(&n->b);
	assert_int_equal(rig_load(&n->b), 0);
	assert_int_equal(n->b.history.load, MLOG_LOAD_CRASHED);
	assert_int_equal(n->b.history.region_count, REGIONS);
	assert_int_equal(n->b.history.region_sectors, SECTORS);
	assert_memory_equal(n->b.history.dirty, n->b.slot, MAP);
	assert_false(n->b.history.has_owners);

	/* b goes: its slot is free, a's is as it was */
	rig_record_start();
	assert_int_equal(rig_release(&n->b), 0);
	assert_written_in_slot(&n->b, 1);
	assert_int_equal(rig_write(&n->b, MLOG_AREA_SLOT, 0), -ESTALE);
	assert_false(header_of(&n->a, 1).in_use);
	assert_int_equal(rig_load(&n->a), 0);
	assert_int_equal(n->a.history.load, MLOG_LOAD_CRASHED);
	assert_memory_equal(n->a.history.dirty, n->a.slot, MAP);
	assert_memory_equal(n->a.history.in_sync, n->a.sync, MAP);
}

static void assert_owners(struct rig *rig, uint32_t first, uint32_t second, uint32_t third)
{
	assert_int_equal(rig_load(rig), 0);
	assert_true(rig->history.has_owners);
	for (uint32_t slot = 0; slot < DISK_SLOTS_MAX; slot++)
		assert_int_equal(rig->history.owner[slot], slot == 0   ? first
							   : slot == 1 ? second
							   : slot == 2 ? third
								       : 0);
}

/* All of them died: who comes first is told whose marks there are, beside all the marks. What it
 * claims is its own slot and the map; the others may come back. */
static void whole_log_with_slots_of_others(void **state)
{
	struct nodes *n = *state;
	uint8_t byte = 0x77;

	both_claim(n);
	assert_owners(&n->a, 1, 2, 0);
	for (uint64_t r = 0; r < REGIONS; r++)
		assert_int_equal(bits_test(n->a.history.dirty, r), r % 7 == 0 || r % 7 == 3);

	/* who has no slot yet */
	n->b.beside = false;
	n->b.own = UINT32_MAX;
	assert_owners(&n->b, 1, 2, 0);
	assert_int_equal(rig_claim(&n->b), -EINVAL);

	/* a damaged header: nobody knows whose, and which marks */
	rig_pwrite(&n->a, disk_slot_offset(storage_layout(n->a.storage), 2) + 20, &byte, 1);
	assert_owners(&n->a, 1, 2, UINT32_MAX);
	assert_int_equal(bits_count(n->a.history.dirty, REGIONS), REGIONS);

	rig_record_start();
	assert_int_equal(rig_claim(&n->a), 0);
	for (unsigned i = 0; i < rig_record.count; i++)
		assert_true(rig_record.write[i].offset <
			    disk_slot_offset(storage_layout(n->a.storage), 1));
	assert_owners(&n->a, 1, 2, UINT32_MAX);
	assert_int_equal(rig_empty_slot(&n->a, 1), 0);
	assert_int_equal(rig_empty_slot(&n->a, 2), 0);
	assert_owners(&n->a, 1, 0, 0);
	assert_memory_equal(n->a.history.dirty, n->a.slot, MAP);

	/* its own, from an earlier life with another number, is not another's */
	n->a.own = 2;
	assert_int_equal(rig_claim(&n->a), 0);
	assert_owners(&n->a, 0, 0, 1);
}

/* Of a log that is not in use nobody's slot is left, whatever its header says. */
static void new_log_frees_all_slots(void **state)
{
	struct nodes *n = *state;

	both_claim(n);
	assert_int_equal(rig_release(&n->a), 0);
	assert_true(header_of(&n->a, 1).in_use);
	assert_int_equal(rig_claim(&n->a), 0);
	assert_false(header_of(&n->a, 1).in_use);
	assert_owners(&n->a, 1, 0, 0);
}

/* A clean log has no slots in use, and nobody to name. */
static void clean_log_has_no_owners(void **state)
{
	struct nodes *n = *state;

	rig_open(&n->a);
	assert_int_equal(rig_claim(&n->a), 0);
	assert_int_equal(rig_release(&n->a), 0);
	assert_int_equal(rig_load(&n->a), 0);
	assert_int_equal(n->a.history.load, MLOG_LOAD_CLEAN);
	assert_false(n->a.history.has_owners);
}

static void slot_of_a_dead_node(void **state)
{
	struct nodes *n = *state;

	both_claim(n);
	assert_int_equal(rig_read_slot(&n->a, 1), 0);
	assert_non_null(n->a.other_dirty);
	assert_memory_equal(n->a.other_dirty, n->b.slot, MAP);
	rig_record_start();
	assert_int_equal(rig_empty_slot(&n->a, 1), 0);
	assert_written_in_slot(&n->a, 1);
	assert_int_equal(rig_read_slot(&n->a, 1), 0);
	assert_null(n->a.other_dirty);
	assert_int_equal(rig_read_slot(&n->a, 2), 0); /* never used */
	assert_null(n->a.other_dirty);
	/* the node comes back: nothing of its earlier life is left */
	rig_close(&n->b);
	rig_open(&n->b);
	assert_int_equal(rig_load(&n->b), 0);
	assert_int_equal(n->b.history.load, MLOG_LOAD_BLANK);
	/* ours is as it was */
	assert_int_equal(rig_load(&n->a), 0);
	assert_memory_equal(n->a.history.dirty, n->a.slot, MAP);
}

static void damaged_headers(void **state)
{
	struct nodes *n = *state;
	uint8_t byte = 0x77;

	both_claim(n);
	rig_pwrite(&n->a, disk_slot_offset(storage_layout(n->a.storage), 1) + 20, &byte, 1);
	assert_int_equal(rig_read_slot(&n->a, 1), -EBADMSG);
	assert_null(n->a.other_dirty);
	assert_int_equal(rig_load(&n->b), 0);
	assert_int_equal(n->b.history.load, MLOG_LOAD_CRASHED);
	assert_int_equal(bits_count(n->b.history.dirty, REGIONS), REGIONS);
	assert_non_null(n->b.history.remark);
	assert_int_equal(rig_empty_slot(&n->a, 1), 0);
	assert_int_equal(rig_load(&n->b), 0);
	assert_int_equal(n->b.history.load, MLOG_LOAD_BLANK);
}

/* Nobody has claimed it, it was released, it was replaced, it has another geometry now: what slots
 * there may be are not those of the group. */
static void log_that_is_not_in_use(void **state)
{
	struct nodes *n = *state;
	uint8_t zeros[DISK_UNIT] = {0};

	rig_open(&n->b);
	for (unsigned round = 0; round < 3; round++) {
		rig_record_start();
		assert_int_equal(rig_load(&n->b), -ESTALE);
		assert_int_equal(rig_claim(&n->b), -ESTALE);
		assert_int_equal(rig_read_slot(&n->b, 0), -ESTALE);
		assert_int_equal(rig_empty_slot(&n->b, 0), -ESTALE);
		assert_int_equal(rig_record.count, 0);
		rig_record_free();
		if (n->a.storage == NULL)
			rig_open(&n->a);
		assert_int_equal(rig_claim(&n->a), 0);
		assert_int_equal(rig_claim(&n->b), 0);
		if (round == 0)
			assert_int_equal(rig_release(&n->a), 0);
		else
			rig_pwrite(&n->a, 0, zeros, sizeof(zeros));
	}
	rig_close(&n->a);
	rig_geometry(&n->a, REGIONS / 2, 2 * SECTORS);
	rig_open(&n->a);
	assert_int_equal(rig_claim(&n->a), 0);
	assert_int_equal(rig_claim(&n->b), -ESTALE);
	assert_int_equal(rig_write(&n->b, MLOG_AREA_SLOT, 0), -ESTALE);
}

/* b opened the device with another number of slots in mind, before a had claimed it. */
static void slots_are_those_of_the_first(void **state)
{
	struct nodes *n = *state;

	n->b.spec.slots_wanted = 40;
	rig_open(&n->b);
	assert_int_equal(storage_layout(n->b.storage)->slots, 40);
	rig_open(&n->a);
	assert_int_equal(rig_claim(&n->a), 0);
	n->b.own = 3;
	assert_int_equal(rig_claim(&n->b), -ESTALE); /* there are 3 */
	n->b.own = 2;
	assert_int_equal(rig_claim(&n->b), 0);
	assert_int_equal(storage_layout(n->b.storage)->slots, 3);
	assert_int_equal(rig_read_slot(&n->a, 2), 0);
	assert_memory_equal(n->a.other_dirty, n->b.slot, MAP);
}

/* Another cluster's log stays another cluster's, slot by slot, too. */
static void other_clusters_are_refused(void **state)
{
	struct nodes *n = *state;

	rig_open(&n->b);
	strcpy(n->a.spec.owner.cluster, "mill");
	rig_open(&n->a);
	assert_int_equal(rig_claim(&n->a), 0);
	rig_record_start();
	assert_int_equal(rig_load(&n->b), -EBUSY);
	assert_int_equal(rig_claim(&n->b), -EBUSY);
	assert_int_equal(rig_read_slot(&n->b, 0), -EBUSY);
	assert_int_equal(rig_empty_slot(&n->b, 0), -EBUSY);
	assert_int_equal(rig_record.count, 0);
}

/* Several nodes die at once while marks go on, and the claim of a returned device has to wait. */
static void slots_beside_everything_else(void **state)
{
	struct nodes *n = *state;
	unsigned answers;

	both_claim(n);
	rig_record_start();
	rig_record.hold = true;
	answers = n->a.answers;
	storage_empty_slot(n->a.storage, 1);
	storage_empty_slot(n->a.storage, 2);
	storage_read_slot(n->a.storage, 0);
	storage_write(n->a.storage, 0, MLOG_AREA_SLOT, 0);
	assert_int_equal(storage_in_flight(n->a.storage), 4);
	assert_int_equal(rig_record.count, 1); /* the page did not wait for the slots */
	rig_record.hold = false;
	storage_engine_dispatch(n->a.engine);
	rig_wait(&n->a, answers + 4);
	assert_int_equal(storage_in_flight(n->a.storage), 0);
	assert_int_equal(n->a.result, 0);
	assert_int_equal(n->a.written_error, 0);
	assert_int_equal(rig_read_slot(&n->a, 1), 0);
	assert_null(n->a.other_dirty);

	answers = n->a.answers;
	storage_read_slot(n->a.storage, 0);
	storage_claim(n->a.storage, 0, true);
	rig_wait(&n->a, answers + 2);
	assert_int_equal(n->a.result, 0);
	assert_memory_equal(n->a.other_dirty, n->a.slot, MAP);
}

/* Given up while slots are being read: nothing is answered, nothing leaks. */
static void abandoned_slot_jobs(void **state)
{
	struct nodes *n = *state;
	unsigned answers;

	both_claim(n);
	for (unsigned dispatches = 0; dispatches < 8; dispatches++) {
		answers = n->a.answers;
		storage_read_slot(n->a.storage, 1);
		storage_empty_slot(n->a.storage, 2);
		for (unsigned i = 0; i < dispatches && n->a.answers == answers; i++)
			storage_engine_dispatch(n->a.engine);
		n->a.storage = storage_abandon(n->a.storage, NULL, NULL);
		answers = n->a.answers;
		rig_open(&n->a);
		assert_int_equal(rig_load(&n->a), 0);
		assert_int_equal(n->a.answers, answers + 1);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(each_has_its_slot),	      TEST(whole_log_with_slots_of_others),
	    TEST(new_log_frees_all_slots),    TEST(clean_log_has_no_owners),
	    TEST(slot_of_a_dead_node),	      TEST(damaged_headers),
	    TEST(log_that_is_not_in_use),     TEST(slots_are_those_of_the_first),
	    TEST(other_clusters_are_refused), TEST(slots_beside_everything_else),
	    TEST(abandoned_slot_jobs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
