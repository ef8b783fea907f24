/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hot maps, one thread: what each function says and does. That the rules hold between threads
 * is for test_hot_stress.c and test/model/hot.pml.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/hot.h"

#define REGIONS 200U /* the last word of each map is not full */
#define SHIFT	3U

struct fixture {
	struct hot hot;
	void *memory;
	unsigned seq;
};

/* Exactly what hot_bytes() asks for, so that a sanitizer sees a step outside. */
static struct fixture *fixture_create(uint64_t regions, unsigned shift)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->memory = calloc(1, hot_bytes(regions, shift));
	assert_non_null(f->memory);
	hot_bind(&f->hot, f->memory, regions, shift);
	f->seq = 100;
	return f;
}

static void fixture_destroy(struct fixture *f)
{
	free(f->memory);
	free(f);
}

static int setup_flat(void **state)
{
	*state = fixture_create(REGIONS, 0);
	return 0;
}

static int setup_shifted(void **state)
{
	*state = fixture_create(REGIONS, SHIFT);
	return 0;
}

static int teardown(void **state)
{
	fixture_destroy(*state);
	return 0;
}

static void geometry(void **state)
{
	static const struct {
		uint64_t regions;
		unsigned shift;
		uint64_t bits;
	} cases[] = {
	    {1, 0, 1},
	    {1, 9, 1},
	    {64, 0, 64},
	    {65, 1, 33},
	    {200, 3, 25},
	    {201, 3, 26},
	    {1U << 20, 4, 1U << 16},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f = fixture_create(cases[i].regions, cases[i].shift);
		struct hot *h = &f->hot;
		uint64_t last = cases[i].regions - 1;

		assert_int_equal(hot_slot_bits(h), cases[i].bits);
		assert_int_equal(hot_bytes(cases[i].regions, cases[i].shift) % 8, 0);
		/* the last bit of every map, and no map reaches into another */
		hot_mark(h, last);
		hot_gate_close(h, last);
		hot_in_sync_set(h, last, true);
		hot_repair_set(h, last, true);
		hot_dirty_set(h, cases[i].bits - 1);
		assert_true(hot_held(h, last) && hot_gated(h, last) && hot_in_sync(h, last));
		assert_true(hot_repair(h, last) && hot_dirty(h, last));
		assert_true(hot_recent_take(h, cases[i].bits - 1));
		hot_clear(h, last);
		assert_true(hot_gated(h, last) && hot_in_sync(h, last) && hot_repair(h, last));
		assert_true(hot_dirty(h, last));
		fixture_destroy(f);
	}
}

/* What an earlier daemon left is found again. */
static void bind_again(void **state)
{
	struct fixture *f = *state;
	struct hot again;

	hot_mark(&f->hot, 7);
	hot_dirty_set(&f->hot, 9);
	hot_in_sync_set(&f->hot, 199, true);
	hot_repair_set(&f->hot, 3, true);
	hot_bind(&again, f->memory, REGIONS, 0);
	assert_true(hot_held(&again, 7));
	assert_true(hot_dirty(&again, 9));
	assert_true(hot_in_sync(&again, 199));
	assert_true(hot_repair(&again, 3));
	assert_int_equal(atomic_load(&again.shared->in_sync_count), 1);
}

/* Rule 1: both conditions, and held in any case. */
static void mark(void **state)
{
	struct fixture *f = *state;
	struct hot *h = &f->hot;

	assert_false(hot_mark(h, 5));
	assert_true(hot_held(h, 5));
	hot_dirty_set(h, 5);
	assert_true(hot_mark(h, 5));
	assert_false(hot_gate_close(h, 5));
	assert_false(hot_mark(h, 5));
	hot_gate_open(h, 5);
	assert_true(hot_mark(h, 5));
	assert_false(hot_held(h, 4));
	assert_false(hot_held(h, 6));
}

/* Rules 2 and 4. */
static void gate(void **state)
{
	struct fixture *f = *state;
	struct hot *h = &f->hot;

	assert_true(hot_gate_close(h, 64));
	assert_true(hot_gated(h, 64));
	assert_false(hot_gated(h, 63) || hot_gated(h, 65));
	hot_gate_open(h, 64);
	assert_false(hot_gated(h, 64));

	hot_mark(h, 64);
	assert_false(hot_clear(h, 64));
	hot_mark(h, 64);
	assert_false(hot_gate_close(h, 64));
	assert_true(hot_clear(h, 64));
	assert_false(hot_held(h, 64));
	hot_gates_reset(h);
	assert_false(hot_gated(h, 64));
}

/* Rule 3, on a slot bit of eight regions. */
static void drop(void **state)
{
	struct fixture *f = *state;
	struct hot *h = &f->hot;

	hot_dirty_set(h, 2);
	assert_true(hot_dirty(h, 16) && hot_dirty(h, 23));
	assert_false(hot_dirty(h, 15) || hot_dirty(h, 24));
	assert_true(hot_mark(h, 23));
	assert_false(hot_dirty_drop(h, 2));
	assert_true(hot_dirty(h, 16));
	hot_clear(h, 23);
	/* neighbours do not keep it */
	hot_mark(h, 15);
	hot_mark(h, 24);
	assert_true(hot_dirty_drop(h, 2));
	assert_false(hot_dirty(h, 16));
}

/* A slot bit of more than one word of regions. */
static void drop_wide(void **state)
{
	struct fixture *f = fixture_create(1000, 8);
	struct hot *h = &f->hot;

	(void)state;
	for (uint64_t r = 256; r < 512; r += 37) {
		hot_dirty_set(h, 1);
		hot_mark(h, r);
		assert_false(hot_dirty_drop(h, 1));
		assert_true(hot_busy(h, 1));
		hot_clear(h, r);
		assert_true(hot_dirty_drop(h, 1));
		assert_false(hot_busy(h, 1));
	}
	fixture_destroy(f);
}

/* 201 regions, eight to a bit: the last bit covers one region, and looks no further. */
static void partial_slot_bit(void **state)
{
	struct fixture *f = fixture_create(201, SHIFT);
	struct hot *h = &f->hot;

	(void)state;
	assert_int_equal(hot_slot_bits(h), 26);
	hot_mark(h, 199);
	assert_false(hot_busy(h, 25));
	assert_false(hot_recent_take(h, 25));
	hot_dirty_set(h, 25);
	assert_true(hot_dirty(h, 200));
	assert_true(hot_dirty_drop(h, 25));
	assert_true(hot_dirty_drop(h, 25));
	hot_mark(h, 200);
	hot_dirty_set(h, 25);
	assert_true(hot_busy(h, 25));
	assert_false(hot_dirty_drop(h, 25));
	assert_true(hot_recent_take(h, 25));
	hot_clear(h, 200);
	assert_true(hot_dirty_drop(h, 25));
	fixture_destroy(f);
}

static void busy(void **state)
{
	struct fixture *f = *state;
	struct hot *h = &f->hot;

	assert_false(hot_busy(h, 1));
	hot_repair_set(h, 15, true);
	assert_true(hot_busy(h, 1));
	assert_false(hot_busy(h, 0) || hot_busy(h, 2));
	hot_repair_set(h, 15, false);
	hot_mark(h, 8);
	assert_true(hot_busy(h, 1));
	hot_clear(h, 8);
	assert_false(hot_busy(h, 1));
}

/* Every mark since the last look counts, also one that is cleared already; and only once. */
static void recent(void **state)
{
	struct fixture *f = *state;
	struct hot *h = &f->hot;

	hot_mark(h, 8);
	hot_mark(h, 15);
	hot_clear(h, 8);
	hot_clear(h, 15);
	assert_false(hot_recent_take(h, 0));
	assert_false(hot_recent_take(h, 2));
	assert_true(hot_recent_take(h, 1));
	assert_false(hot_recent_take(h, 1));
	hot_mark(h, 9);
	assert_true(hot_recent_take(h, 1));
}

static void in_sync_count(void **state)
{
	struct fixture *f = *state;
	struct hot *h = &f->hot;

	hot_in_sync_set(h, 0, true);
	hot_in_sync_set(h, 0, true);
	hot_in_sync_set(h, 63, true);
	hot_in_sync_set(h, 64, true);
	assert_int_equal(atomic_load(&h->shared->in_sync_count), 3);
	hot_in_sync_set(h, 63, false);
	hot_in_sync_set(h, 63, false);
	assert_int_equal(atomic_load(&h->shared->in_sync_count), 2);
	assert_true(hot_in_sync(h, 0) && hot_in_sync(h, 64));
	assert_false(hot_in_sync(h, 63) || hot_in_sync(h, 65));
}

static void searches(void **state)
{
	struct fixture *f = *state;
	struct hot *h = &f->hot;

	assert_int_equal(hot_next_stale(h, 0), 0);
	for (uint64_t r = 0; r < REGIONS; r++)
		hot_in_sync_set(h, r, true);
	assert_int_equal(hot_next_stale(h, 0), REGIONS);
	hot_in_sync_set(h, 70, false);
	hot_in_sync_set(h, 199, false);
	assert_int_equal(hot_next_stale(h, 0), 70);
	assert_int_equal(hot_next_stale(h, 70), 70);
	assert_int_equal(hot_next_stale(h, 71), 199);
	assert_int_equal(hot_next_stale(h, REGIONS), REGIONS);

	assert_int_equal(hot_next_repair(h, 0), REGIONS);
	hot_repair_set(h, 128, true);
	assert_int_equal(hot_next_repair(h, 0), 128);
	assert_int_equal(hot_next_repair(h, 129), REGIONS);

	assert_int_equal(hot_next_held(h, 0), REGIONS);
	hot_mark(h, 63);
	hot_mark(h, 64);
	assert_int_equal(hot_next_held(h, 0), 63);
	assert_int_equal(hot_next_held(h, 64), 64);
	assert_int_equal(hot_next_held(h, 65), REGIONS);

	hot_dirty_set(h, 10);
	hot_dirty_set(h, 100);
	assert_int_equal(hot_next_dirty(h, 0, REGIONS), 10);
	assert_int_equal(hot_next_dirty(h, 11, REGIONS), 100);
	assert_int_equal(hot_next_dirty(h, 11, 100), 100);
	assert_int_equal(hot_next_dirty(h, 11, 50), 50);
	assert_int_equal(hot_next_dirty(h, 101, REGIONS), REGIONS);
	assert_int_equal(hot_next_dirty(h, REGIONS, REGIONS), REGIONS);
}

static void resets(void **state)
{
	struct fixture *f = *state;
	struct hot *h = &f->hot;

	for (uint64_t r = 0; r < REGIONS; r += 3) {
		hot_mark(h, r);
		hot_gate_close(h, r);
		hot_repair_set(h, r, true);
		hot_in_sync_set(h, r, true);
	}
	hot_dirty_set(h, 4);
	hot_held_reset(h);
	assert_int_equal(hot_next_held(h, 0), REGIONS);
	assert_true(hot_gated(h, 3) && hot_dirty(h, 32));
	hot_mark(h, 5);
	hot_reset(h);
	assert_int_equal(hot_next_held(h, 0), REGIONS);
	assert_int_equal(hot_next_dirty(h, 0, hot_slot_bits(h)), hot_slot_bits(h));
	assert_false(hot_gated(h, 3));
	assert_false(hot_recent_take(h, 0));
	assert_true(hot_repair(h, 3) && hot_in_sync(h, 3));
}

static void words(void **state)
{
	struct fixture *f = *state;
	struct hot *h = &f->hot;

	for (uint64_t word = 0; word < 4; word++) {
		hot_in_sync_put(h, word, UINT64_MAX);
		hot_repair_put(h, word, word == 3 ? UINT64_MAX : 1);
	}
	assert_int_equal(hot_recount(h), 3 + REGIONS % 64);
	assert_int_equal(atomic_load(&h->shared->in_sync_count), REGIONS);
	assert_int_equal(hot_next_stale(h, 0), REGIONS);
	assert_int_equal(hot_in_sync_word(h, 3), (UINT64_C(1) << REGIONS % 64) - 1);
	assert_int_equal(hot_repair_word(h, 3), (UINT64_C(1) << REGIONS % 64) - 1);
	assert_int_equal(hot_in_sync_word(h, 0), UINT64_MAX);
	assert_int_equal(hot_repair_word(h, 2), 1);
	hot_in_sync_put(h, 1, 0);
	hot_recount(h);
	assert_int_equal(atomic_load(&h->shared->in_sync_count), REGIONS - 64);
}

static void seq(void **state)
{
	struct fixture *f = *state;
	struct hot *h = &f->hot;

	/* the first is obeyed whatever it is */
	assert_true(hot_seq_obey(h, 0xfffffffe));
	assert_true(hot_seq_obey(h, 0xfffffffe));
	assert_false(hot_seq_obey(h, 0xfffffffd));
	assert_true(hot_seq_obey(h, 0xffffffff));
	assert_true(hot_seq_obey(h, 0));
	assert_false(hot_seq_obey(h, 0xffffffff));
	assert_true(hot_seq_obey(h, 5));
	assert_false(hot_seq_obey(h, 0));
	/* late is what is a little older; what is far away is newer, the mirror has been idle long
	 */
	assert_true(hot_seq_obey(h, 5 + 0x7fffffffU));
	assert_false(hot_seq_obey(h, 5 + 0x7fffffffU - (1U << 24)));
	assert_true(hot_seq_obey(h, 5 + 0x7fffffffU - (1U << 24) - 1));
	assert_true(hot_seq_obey(h, 4));
}

static void seq_zero_first(void **state)
{
	struct fixture *f = *state;

	assert_true(hot_seq_obey(&f->hot, 0));
	assert_false(hot_seq_obey(&f->hot, 0xffffffff));
}

/* One request with the next seq. */
static enum hot_verdict ask(struct fixture *f, enum ulog_type type, uint32_t count, uint64_t first,
			    struct mlog_reply *ret, bool *ret_cleared)
{
	struct mlog_request request = {.type = type, .seq = ++f->seq, .region_count = count};
	enum hot_verdict verdict;

	for (uint32_t i = 0; i < count; i++)
		request.region[i] = first + i;
	verdict = hot_answer(&f->hot, &request, ret, ret_cleared);
	assert_int_equal(ret->type, type);
	assert_int_equal(ret->seq, f->seq);
	assert_int_equal(ret->error, 0);
	assert_int_equal(atomic_load(&f->hot.shared->last_seq), f->seq);
	return verdict;
}

static void expect_words(struct fixture *f, enum ulog_type type, uint64_t region, uint32_t count,
			 uint64_t first, uint64_t second)
{
	struct mlog_reply reply;
	bool cleared;

	assert_int_equal(ask(f, type, 1, region, &reply, &cleared), HOT_ANSWERED);
	assert_false(cleared);
	assert_int_equal(reply.words, count);
	assert_int_equal(reply.word[0], first);
	assert_int_equal(reply.word[1], second);
}

/* Until the mirror is active the loop answers everything, and no map is touched. */
static void answer_closed(void **state)
{
	struct fixture *f = *state;
	struct mlog_reply reply;
	bool cleared;

	hot_mark(&f->hot, 9);
	hot_gate_close(&f->hot, 9);
	for (int type = ULOG_CTR; type < ULOG_TYPES; type++) {
		assert_int_equal(ask(f, (enum ulog_type)type, 1, 7, &reply, &cleared),
				 HOT_HAND_OVER);
		assert_false(cleared);
	}
	assert_int_equal(ask(f, ULOG_CLEAR_REGION, 1, 9, &reply, &cleared), HOT_HAND_OVER);
	assert_false(cleared);
	assert_true(hot_held(&f->hot, 9));
	assert_false(hot_held(&f->hot, 7));
	assert_int_equal(atomic_load(&f->hot.shared->mark_seq), 0);
	assert_int_equal(atomic_load(&f->hot.shared->activity), 0);
}

static void answer_queries(void **state)
{
	struct fixture *f = *state;
	struct hot *h = &f->hot;
	struct mlog_reply reply;
	bool cleared;

	atomic_store(&h->shared->open, 1);
	expect_words(f, ULOG_IN_SYNC, 7, 1, 0, 0);
	expect_words(f, ULOG_GET_SYNC_COUNT, 0, 1, 0, 0);
	expect_words(f, ULOG_IS_CLEAN, 7, 1, 1, 0);
	hot_in_sync_set(h, 7, true);
	expect_words(f, ULOG_IN_SYNC, 7, 1, 1, 0);
	expect_words(f, ULOG_GET_SYNC_COUNT, 0, 1, 1, 0);

	/* it became stale while it is copied */
	hot_gate_close(h, 7);
	expect_words(f, ULOG_IN_SYNC, 7, 1, 1, 0);
	hot_in_sync_set(h, 7, false);
	hot_unseen_set(h, 7, false);
	assert_int_equal(ask(f, ULOG_IN_SYNC, 1, 7, &reply, &cleared), HOT_HAND_OVER);
	assert_int_equal(hot_next_unseen(h, 0), h->regions);
	hot_gate_open(h, 7);
	hot_in_sync_set(h, 7, true);

	/* clean: neither held nor dirty */
	hot_dirty_set(h, 7);
	expect_words(f, ULOG_IS_CLEAN, 7, 1, 0, 0);
	hot_dirty_drop(h, 7);
	hot_mark(h, 7);
	expect_words(f, ULOG_IS_CLEAN, 7, 1, 0, 0);

	/* stale: the loop decides; else the hint is what the loop has said */
	assert_int_equal(ask(f, ULOG_IS_REMOTE_RECOVERING, 1, 8, &reply, &cleared), HOT_HAND_OVER);
	atomic_store(&h->shared->hint, REGIONS - 1);
	expect_words(f, ULOG_IS_REMOTE_RECOVERING, 7, 2, 0, REGIONS - 1);
	assert_int_equal(ask(f, ULOG_GET_RESYNC_WORK, 0, 0, &reply, &cleared), HOT_HAND_OVER);
	for (uint64_t r = 0; r < REGIONS; r++)
		hot_in_sync_set(h, r, true);
	/* an answer of "stale" is remembered: the kernel may write there without a mark */
	assert_int_equal(atomic_load(&h->shared->unseen_end), 8);
	expect_words(f, ULOG_GET_RESYNC_WORK, 0, 2, 0, 0);
	expect_words(f, ULOG_GET_SYNC_COUNT, 0, 1, REGIONS, 0);
	assert_int_equal(atomic_load(&h->shared->activity), 0);
	assert_int_equal(atomic_load(&h->shared->mark_seq), 0);
}

static void answer_loop_only(void **state)
{
	static const enum ulog_type types[] = {
	    ULOG_CTR,	      ULOG_DTR,		 ULOG_PRESUSPEND,
	    ULOG_POSTSUSPEND, ULOG_RESUME,	 ULOG_GET_REGION_SIZE,
	    ULOG_STATUS_INFO, ULOG_STATUS_TABLE, ULOG_SET_REGION_SYNC,
	};
	struct fixture *f = *state;
	struct mlog_reply reply;
	bool cleared;

	atomic_store(&f->hot.shared->open, 1);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		assert_int_equal(ask(f, types[i], 1, 7, &reply, &cleared), HOT_HAND_OVER);
		assert_false(cleared);
	}
}

/* All of a group must be durable and ungated; held is set for all in any case. */
static void answer_marks(void **state)
{
	static const enum ulog_type types[] = {ULOG_MARK_REGION, ULOG_FLUSH};

	for (size_t i = 0; i < 2; i++) {
		struct fixture *f = *state;
		struct hot *h = &f->hot;
		struct mlog_reply reply;
		bool cleared;

		hot_reset(h);
		atomic_store(&h->shared->open, 1);
		atomic_store(&h->shared->activity, 0);
		for (uint64_t r = 60; r < 60 + MLOG_GROUP_MAX; r++)
			hot_dirty_set(h, r);
		assert_int_equal(ask(f, types[i], MLOG_GROUP_MAX, 60, &reply, &cleared),
				 HOT_ANSWERED);
		assert_int_equal(reply.words, 0);
		assert_false(cleared);
		for (uint64_t r = 60; r < 60 + MLOG_GROUP_MAX; r++)
			assert_true(hot_held(h, r));

		/* region 59 is clean */
		assert_int_equal(ask(f, types[i], 3, 58, &reply, &cleared), HOT_HAND_OVER);
		assert_true(hot_held(h, 58) && hot_held(h, 59));

		hot_gate_close(h, 70);
		assert_int_equal(ask(f, types[i], 2, 70, &reply, &cleared), HOT_HAND_OVER);
		assert_int_equal(ask(f, types[i], 1, 71, &reply, &cleared), HOT_ANSWERED);
		assert_int_equal(atomic_load(&h->shared->activity), 4);
	}
}

static void answer_flush_empty(void **state)
{
	struct fixture *f = *state;
	struct mlog_reply reply;
	bool cleared;

	atomic_store(&f->hot.shared->open, 1);
	hot_gate_close(&f->hot, 0);
	assert_int_equal(ask(f, ULOG_FLUSH, 0, 0, &reply, &cleared), HOT_ANSWERED);
	assert_int_equal(reply.words, 0);
	assert_int_equal(hot_next_held(&f->hot, 0), REGIONS);
}

static void answer_clears(void **state)
{
	struct fixture *f = *state;
	struct hot *h = &f->hot;
	struct mlog_reply reply;
	bool cleared;

	atomic_store(&h->shared->open, 1);
	for (uint64_t r = 10; r < 20; r++)
		hot_mark(h, r);
	assert_int_equal(ask(f, ULOG_CLEAR_REGION, 4, 10, &reply, &cleared), HOT_ANSWERED);
	assert_false(cleared);
	assert_int_equal(reply.words, 0);
	assert_int_equal(hot_next_held(h, 0), 14);
	/* one gated region of the group is enough */
	assert_false(hot_gate_close(h, 16));
	assert_int_equal(ask(f, ULOG_CLEAR_REGION, 4, 14, &reply, &cleared), HOT_ANSWERED);
	assert_true(cleared);
	assert_int_equal(hot_next_held(h, 0), 18);
	assert_int_equal(atomic_load(&h->shared->activity), 0);
}

/* A duplicate that the kernel no longer waits for must not undo what came after it. */
static void answer_stale(void **state)
{
	struct fixture *f = *state;
	struct hot *h = &f->hot;
	struct mlog_reply reply;
	bool cleared;

	atomic_store(&h->shared->open, 1);
	hot_dirty_set(h, 30);
	f->seq = UINT32_MAX - 1;
	assert_int_equal(ask(f, ULOG_MARK_REGION, 1, 30, &reply, &cleared), HOT_ANSWERED);
	assert_int_equal(ask(f, ULOG_MARK_REGION, 1, 30, &reply, &cleared),
			 HOT_ANSWERED); /* seq 0 */
	hot_gate_close(h, 30);
	f->seq = UINT32_MAX - 1;
	assert_int_equal(ask(f, ULOG_CLEAR_REGION, 1, 30, &reply, &cleared), HOT_STALE);
	assert_false(cleared);
	assert_true(hot_held(h, 30));
	hot_clear(h, 30);
	f->seq = UINT32_MAX - 2;
	assert_int_equal(ask(f, ULOG_FLUSH, 1, 30, &reply, &cleared), HOT_STALE);
	f->seq = UINT32_MAX - 2;
	assert_int_equal(ask(f, ULOG_MARK_REGION, 1, 30, &reply, &cleared), HOT_STALE);
	assert_false(hot_held(h, 30));
	/* queries have no order */
	f->seq = UINT32_MAX - 2;
	assert_int_equal(ask(f, ULOG_IN_SYNC, 1, 29, &reply, &cleared), HOT_ANSWERED);
	f->seq = 0;
	assert_int_equal(ask(f, ULOG_CLEAR_REGION, 1, 30, &reply, &cleared), HOT_ANSWERED);
	assert_true(cleared);
}

static uint64_t heat_of(const struct hot *h, uint64_t region)
{
	return atomic_load(&h->heat[region >> h->heat_shift]);
}

/* As many stretches as there is room for, of equal length, and none behind the last region. */
static void heat_stretches(void **state)
{
	static const struct {
		uint64_t regions;
		uint64_t length;
		uint32_t stretches;
	} cases[] = {
	    {1, 1, 1},
	    {HOT_STRETCHES_MAX, 1, HOT_STRETCHES_MAX},
	    {HOT_STRETCHES_MAX + 1, 2, HOT_STRETCHES_MAX / 2 + 1},
	    {1U << 20, (1U << 20) / HOT_STRETCHES_MAX, HOT_STRETCHES_MAX},
	    {(1U << 20) + 1, (2U << 20) / HOT_STRETCHES_MAX, HOT_STRETCHES_MAX / 2 + 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f = fixture_create(cases[i].regions, 0);
		struct mlog_reply reply;
		bool cleared;

		assert_int_equal(UINT64_C(1) << f->hot.heat_shift, cases[i].length);
		assert_int_equal(hot_stretches(&f->hot), cases[i].stretches);
		atomic_store(&f->hot.shared->open, 1);
		ask(f, ULOG_MARK_REGION, 1, cases[i].regions - 1, &reply, &cleared);
		assert_int_equal(atomic_load(&f->hot.heat[cases[i].stretches - 1]), 1);
		fixture_destroy(f);
	}
}

/* Each region of each request that is obeyed counts once, whoever answers it. */
static void heat(void **state)
{
	struct fixture *f = fixture_create(1000, 0);
	struct hot *h = &f->hot;
	struct mlog_reply reply;
	bool cleared;

	(void)state;
	/* the loop has these to itself until the mirror is active */
	assert_int_equal(ask(f, ULOG_MARK_REGION, 1, 7, &reply, &cleared), HOT_HAND_OVER);
	assert_int_equal(heat_of(h, 7), 0);
	atomic_store(&h->shared->open, 1);
	for (uint64_t region = 0; region < 8; region++)
		hot_dirty_set(h, region);
	assert_int_equal(ask(f, ULOG_MARK_REGION, 3, 5, &reply, &cleared), HOT_ANSWERED);
	assert_int_equal(heat_of(h, 4), 1); /* 5 */
	assert_int_equal(heat_of(h, 6), 2); /* 6 and 7 */
	assert_int_equal(ask(f, ULOG_FLUSH, 2, 7, &reply, &cleared), HOT_HAND_OVER);
	assert_int_equal(heat_of(h, 7), 3);
	assert_int_equal(heat_of(h, 8), 1);
	/* what asks for something else does not count, nor what is late */
	assert_int_equal(ask(f, ULOG_FLUSH, 0, 0, &reply, &cleared), HOT_ANSWERED);
	assert_int_equal(ask(f, ULOG_IN_SYNC, 1, 7, &reply, &cleared), HOT_ANSWERED);
	assert_int_equal(ask(f, ULOG_CLEAR_REGION, 1, 7, &reply, &cleared), HOT_ANSWERED);
	f->seq -= 2;
	assert_int_equal(ask(f, ULOG_MARK_REGION, 1, 7, &reply, &cleared), HOT_STALE);
	assert_int_equal(heat_of(h, 7), 3);
	assert_int_equal(heat_of(h, 9), 1);
	assert_int_equal(heat_of(h, 10), 0);
	/* a daemon counts for itself */
	hot_bind(h, f->memory, 1000, 0);
	assert_true(hot_held(h, 6));
	assert_int_equal(heat_of(h, 7), 0);
	fixture_destroy(f);
}

/* A word of the dirty map, region by region, whatever a slot bit covers. */
static void dirty_words(void **state)
{
	(void)state;
	for (unsigned shift = 0; shift < 9; shift++) {
		struct fixture *f = fixture_create(1000, shift);
		uint64_t bits = hot_slot_bits(&f->hot);

		for (uint64_t bit = 0; bit < bits; bit++)
			if (bit % 3 == 0 || bit % 7 == 1)
				hot_dirty_set(&f->hot, bit);
		for (uint64_t region = 0; region < 1000; region++)
			assert_int_equal(hot_dirty_word(&f->hot, region / 64) >> region % 64 & 1,
					 hot_dirty(&f->hot, region));
		fixture_destroy(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(geometry),
	    cmocka_unit_test_setup_teardown(bind_again, setup_flat, teardown),
	    cmocka_unit_test_setup_teardown(mark, setup_flat, teardown),
	    cmocka_unit_test_setup_teardown(gate, setup_flat, teardown),
	    cmocka_unit_test_setup_teardown(drop, setup_shifted, teardown),
	    cmocka_unit_test(drop_wide),
	    cmocka_unit_test(partial_slot_bit),
	    cmocka_unit_test_setup_teardown(busy, setup_shifted, teardown),
	    cmocka_unit_test_setup_teardown(recent, setup_shifted, teardown),
	    cmocka_unit_test_setup_teardown(in_sync_count, setup_flat, teardown),
	    cmocka_unit_test_setup_teardown(searches, setup_flat, teardown),
	    cmocka_unit_test_setup_teardown(resets, setup_shifted, teardown),
	    cmocka_unit_test_setup_teardown(words, setup_flat, teardown),
	    cmocka_unit_test(dirty_words),
	    cmocka_unit_test_setup_teardown(seq, setup_flat, teardown),
	    cmocka_unit_test_setup_teardown(seq_zero_first, setup_flat, teardown),
	    cmocka_unit_test_setup_teardown(answer_closed, setup_flat, teardown),
	    cmocka_unit_test_setup_teardown(answer_queries, setup_flat, teardown),
	    cmocka_unit_test_setup_teardown(answer_loop_only, setup_flat, teardown),
	    cmocka_unit_test_setup_teardown(answer_marks, setup_flat, teardown),
	    cmocka_unit_test_setup_teardown(answer_flush_empty, setup_flat, teardown),
	    cmocka_unit_test_setup_teardown(answer_clears, setup_flat, teardown),
	    cmocka_unit_test_setup_teardown(answer_stale, setup_flat, teardown),
	    cmocka_unit_test(heat_stretches),
	    cmocka_unit_test(heat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
