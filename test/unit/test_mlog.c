/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core of one node, told as traces: what the kernel says, what the log answers and asks for.
 * The world is this file: a log device in memory whose answers a test holds back, lets fail or
 * gives, and a clock that only the test moves. Each test ends by checking that the device holds
 * what it must.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "core/mlog.h"

#define REGIONS	       4096U
#define WORDS	       (REGIONS / 64U)
#define REGION_SECTORS 1024U
#define PAGE_BYTES     512U
#define HYSTERESIS_MS  3000U
#define TIMEOUT_MS     10000U
#define RETRY_MS       5000U

struct world {
	struct mlog *m;
	struct hot hot;
	void *memory;
	uint64_t now_ms;
	uint64_t timer_ms;
	uint32_t seq;
	/* the device */
	uint64_t slot[WORDS];
	uint64_t sync[WORDS];
	uint64_t kernel[WORDS];
	bool claimed;
	int error; /* what the device answers */
	bool hold; /* it does not answer */
	/* effects that were seen and not answered yet */
	struct mlog_effect waiting[256];
	unsigned waiting_count;
	/* what came out last */
	struct mlog_reply reply[64];
	unsigned replies;
	unsigned notices[16];
	uint64_t writes;
	/* the mover */
	bool hold_copies;
	enum mlog_copy_result copy_result;
	uint64_t copied[REGIONS];
	uint64_t copies;
	/* the kernel is to be made to ask */
	unsigned wakes;
	unsigned reloads;
	/* the group of one, and its locks: what is sent or asked for comes back */
	struct mlog_message message[64];
	unsigned messages;
	uint32_t lock[64];
	unsigned locks;
};

static void pump(struct world *w, struct mlog_event *event);

static void complete(struct world *w, const struct mlog_effect *effect)
{
	struct mlog_event event = {.now_ms = w->now_ms};

	switch (effect->kind) {
	case MLOG_LOAD:
		event.kind = MLOG_EV_LOADED;
		event.loaded.error = w->error;
		event.loaded.history.load = MLOG_LOAD_BLANK;
		break;
	case MLOG_CLAIM:
		event.kind = MLOG_EV_CLAIMED;
		event.error = w->error;
		w->claimed = w->claimed || w->error == 0;
		break;
	case MLOG_WRITE:
		event.kind = MLOG_EV_WRITTEN;
		event.written.area = effect->write.area;
		event.written.page = effect->write.page;
		event.written.error = w->error;
		break;
	case MLOG_RELEASE:
		event.kind = MLOG_EV_RELEASED;
		event.error = w->error;
		if (w->error == 0) {
			w->claimed = false;
			memset(w->slot, 0, sizeof(w->slot));
		}
		break;
	default:
		event.kind = MLOG_EV_COPIED;
		event.copied.region = effect->copy.region;
		event.copied.result = w->copy_result;
		break;
	}
	pump(w, &event);
}

/* The device takes what it is given at once (as a real one may); its answer may come much later. */
static void snapshot(struct world *w, const struct mlog_effect *effect)
{
	if (w->error != 0)
		return;
	if (effect->kind == MLOG_CLAIM || effect->kind == MLOG_RELEASE) {
		for (unsigned i = 0; i < WORDS; i++) {
			w->slot[i] = mlog_word(w->m, MLOG_AREA_SLOT, i);
			w->sync[i] = mlog_word(w->m, MLOG_AREA_SYNC, i);
			w->kernel[i] = mlog_kernel_word(w->m, i);
		}
	} else if (effect->kind == MLOG_WRITE) {
		uint64_t *area = effect->write.area == MLOG_AREA_SLOT ? w->slot : w->sync;
		uint64_t words = PAGE_BYTES / 8;

		for (uint64_t i = effect->write.page * words; i < (effect->write.page + 1) * words;
		     i++)
			if (i < WORDS)
				area[i] = mlog_word(w->m, effect->write.area, i);
	}
}

static void drain(struct world *w)
{
	struct mlog_effect effect;

	while (mlog_next(w->m, &effect)) {
		switch (effect.kind) {
		case MLOG_REPLY:
			assert_in_range(w->replies, 0, 63);
			w->reply[w->replies++] = effect.reply;
			break;
		case MLOG_NOTICE:
			w->notices[effect.notice.code]++;
			break;
		case MLOG_TIMER:
			w->timer_ms = effect.timer.at_ms;
			break;
		case MLOG_SEND:
			assert_in_range(w->messages, 0, 63);
			w->message[w->messages++] = *effect.message;
			break;
		case MLOG_LOCK:
			w->lock[w->locks++] = effect.lock.lock;
			break;
		case MLOG_UNLOCK:
			break;
		case MLOG_WAKE:
			w->wakes++;
			break;
		case MLOG_RELOAD:
			w->reloads++;
			break;
		default:
			if (effect.kind == MLOG_WRITE)
				w->writes++;
			if (effect.kind == MLOG_COPY)
				w->copied[w->copies++ % REGIONS] = effect.copy.region;
			snapshot(w, &effect);
			w->waiting[w->waiting_count++] = effect;
		}
	}
}

static bool held_back(const struct world *w, const struct mlog_effect *effect)
{
	return effect->kind == MLOG_COPY ? w->hold_copies : w->hold;
}

/* The group of one: every message comes back at once. */
static void settle_group(struct world *w)
{
	while (w->messages + w->locks > 0) {
		struct mlog_event e = {.kind = MLOG_EV_LOCKED};
		struct mlog_message message;

		if (w->locks > 0) {
			e.locked.lock = w->lock[--w->locks];
		} else {
			message = w->message[0];
			memmove(&w->message[0], &w->message[1], --w->messages * sizeof(message));
			e.kind = MLOG_EV_MESSAGE;
			e.message = &message;
		}
		pump(w, &e);
	}
}

/* Gives the answers that are not held back, until nothing more comes. */
static void settle(struct world *w)
{
	settle_group(w);
	for (unsigned i = 0; i < w->waiting_count;) {
		struct mlog_effect effect = w->waiting[i];

		if (held_back(w, &effect)) {
			i++;
			continue;
		}
		memmove(&w->waiting[i], &w->waiting[i + 1],
			(w->waiting_count - i - 1) * sizeof(effect));
		w->waiting_count--;
		complete(w, &effect);
		settle_group(w);
		i = 0;
	}
}

static void pump(struct world *w, struct mlog_event *event)
{
	event->now_ms = w->now_ms;
	mlog_step(w->m, event);
	drain(w);
}

static void event(struct world *w, struct mlog_event e)
{
	pump(w, &e);
	settle(w);
}

/* Time passes, timers fire when they are due. */
static void pass(struct world *w, uint64_t ms)
{
	uint64_t end = w->now_ms + ms;

	while (w->timer_ms != 0 && w->timer_ms <= end) {
		w->now_ms = w->timer_ms > w->now_ms ? w->timer_ms : w->now_ms;
		w->timer_ms = 0;
		event(w, (struct mlog_event){.kind = MLOG_EV_TIMER});
	}
	w->now_ms = end;
}

/* Like the daemon: the hot maps first, and the core for what they cannot answer. Returns the seq.
 */
static uint32_t ask(struct world *w, enum ulog_type type, unsigned count, const uint64_t *region,
		    bool in_sync)
{
	struct mlog_event e = {.kind = MLOG_EV_REQUEST};
	struct mlog_reply reply;
	enum hot_verdict verdict;
	bool cleared;

	e.request.type = type;
	e.request.seq = ++w->seq;
	e.request.region_count = count;
	e.request.in_sync = in_sync;
	if (count > 0)
		memcpy(e.request.region, region, count * sizeof(*region));
	verdict = hot_answer(&w->hot, &e.request, &reply, &cleared);
	if (verdict == HOT_ANSWERED) {
		w->reply[w->replies++] = reply;
		if (cleared) {
			e.kind = MLOG_EV_CLEARED;
			event(w, e);
		}
	} else if (verdict == HOT_HAND_OVER) {
		event(w, e);
	}
	return w->seq;
}

static uint32_t ask_one(struct world *w, enum ulog_type type, uint64_t region)
{
	return ask(w, type, 1, &region, false);
}

/* The reply to seq, or NULL; forgets all that came. */
static const struct mlog_reply *reply_to(struct world *w, uint32_t seq)
{
	static struct mlog_reply found;
	bool there = false;

	for (unsigned i = 0; i < w->replies; i++) {
		if (w->reply[i].seq != seq)
			continue;
		assert_false(there); /* I8: at most one */
		found = w->reply[i];
		there = true;
	}
	w->replies = 0;
	return there ? &found : NULL;
}

static void answered(struct world *w, uint32_t seq, int error)
{
	const struct mlog_reply *reply = reply_to(w, seq);

	assert_non_null(reply);
	assert_int_equal(reply->error, error);
}

static uint64_t answer_word(struct world *w, uint32_t seq, unsigned index)
{
	const struct mlog_reply *reply = reply_to(w, seq);

	assert_non_null(reply);
	assert_int_equal(reply->error, 0);
	assert_in_range(index, 0, reply->words - 1);
	return reply->word[index];
}

static void not_answered(struct world *w, uint32_t seq)
{
	assert_null(reply_to(w, seq));
}

static struct mlog_config config_of(enum mlog_sync sync, bool has_disk)
{
	static uint64_t incarnation;

	return (struct mlog_config){
	    .region_count = REGIONS,
	    .region_sectors = REGION_SECTORS,
	    .sync = sync,
	    .has_disk = has_disk,
	    .page_bytes = PAGE_BYTES,
	    .hysteresis_ms = HYSTERESIS_MS,
	    .sync_delay_ms = 1000,
	    .retry_ms = RETRY_MS,
	    .log_timeout_ms = TIMEOUT_MS,
	    .lease = MLOG_LEASE_MAX,
	    .copies = 4,
	    .busy_gap_ms = 25,
	    .node = 1,
	    .members = 1,
	    .incarnation = &incarnation,
	};
}

static void join_group(struct world *w)
{
	static const uint32_t node = 1;
	struct mlog_event e = {.kind = MLOG_EV_VIEW};

	e.view.node = &node;
	e.view.count = 1;
	e.view.quorate = true;
	event(w, e);
}

static struct world *world_make(enum mlog_sync sync, bool has_disk)
{
	struct world *w = calloc(1, sizeof(*w));
	struct mlog_config config = config_of(sync, has_disk);

	assert_non_null(w);
	w->memory = calloc(1, hot_bytes(REGIONS, 0));
	assert_non_null(w->memory);
	hot_bind(&w->hot, w->memory, REGIONS, 0);
	w->now_ms = 1000;
	w->copy_result = MLOG_COPY_REPAIRED;
	w->m = mlog_create(&config, &w->hot);
	assert_non_null(w->m);
	join_group(w);
	return w;
}

static void world_end(struct world *w)
{
	mlog_destroy(w->m);
	free(w->memory);
	free(w);
}

static void resume(struct world *w)
{
	answered(w, ask(w, ULOG_RESUME, 0, NULL, false), 0);
}

static struct world *world_active(enum mlog_sync sync, bool has_disk)
{
	struct world *w = world_make(sync, has_disk);

	resume(w);
	return w;
}

static void suspend(struct world *w)
{
	answered(w, ask(w, ULOG_PRESUSPEND, 0, NULL, false), 0);
	answered(w, ask(w, ULOG_POSTSUSPEND, 0, NULL, false), 0);
}

/* A node crash: the maps in memory are gone, the device stays. Returns the new node's log,
 * attached. */
static void crash_and_attach(struct world *w, bool distrust)
{
	struct mlog_config config = config_of(MLOG_SYNC_KEEP, true);
	struct mlog_event e = {.kind = MLOG_EV_LOADED};
	uint64_t slot[WORDS];
	uint64_t sync[WORDS];

	memcpy(slot, w->slot, sizeof(slot));
	memcpy(sync, w->sync, sizeof(sync));
	mlog_destroy(w->m);
	memset(w->memory, 0, hot_bytes(REGIONS, 0));
	w->waiting_count = 0;
	w->replies = 0;
	w->timer_ms = 0;
	w->hold = true;
	w->m = mlog_create(&config, &w->hot);
	join_group(w);
	ask(w, ULOG_RESUME, 0, NULL, false);
	assert_int_equal(w->waiting_count, 1);
	assert_int_equal(w->waiting[0].kind, MLOG_LOAD);
	w->waiting_count = 0;
	w->hold = false;
	e.loaded.history = (struct mlog_history){
	    .load = MLOG_LOAD_CRASHED,
	    .region_count = REGIONS,
	    .region_sectors = REGION_SECTORS,
	    .in_sync = sync,
	    .dirty = slot,
	    .distrust = distrust,
	};
	event(w, e);
	answered(w, w->seq, 0);
}

static struct mlog_status status_of(const struct world *w)
{
	struct mlog_status status;

	mlog_status(w->m, &status);
	return status;
}

/* ---- attach, detach */

static void test_attach_claims_before_resume_is_answered(void **state)
{
	struct world *w = world_make(MLOG_SYNC_NOSYNC, true);
	uint32_t seq;

	(void)state;
	w->hold = true;
	seq = ask(w, ULOG_RESUME, 0, NULL, false);
	not_answered(w, seq);
	assert_int_equal(w->waiting[0].kind, MLOG_LOAD);
	w->hold = false;
	settle(w);
	answered(w, seq, 0);
	assert_true(w->claimed);
	assert_int_equal(status_of(w).in_sync, REGIONS);
	world_end(w);
}

static void test_resume_again_changes_nothing(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);

	(void)state;
	answered(w, ask_one(w, ULOG_MARK_REGION, 7), 0);
	resume(w);
	assert_true(hot_held(&w->hot, 7));
	assert_true(bits_test(w->slot, 7));
	world_end(w);
}

static void test_each_thread_that_resumes_is_answered(void **state)
{
	struct world *w = world_make(MLOG_SYNC_NOSYNC, true);
	uint32_t first;
	uint32_t second;

	(void)state;
	w->hold = true;
	first = ask(w, ULOG_RESUME, 0, NULL, false);
	second = ask(w, ULOG_RESUME, 0, NULL, false);
	w->hold = false;
	settle(w);
	assert_int_equal(w->replies, 2);
	assert_int_equal(w->reply[0].seq, first);
	assert_int_equal(w->reply[1].seq, second);
	world_end(w);
}

static void test_repetitions_do_not_fill_the_table(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);

	(void)state;
	w->hold = true;
	for (unsigned i = 0; i < 5 * MLOG_PENDING_MAX; i++)
		ask_one(w, ULOG_MARK_REGION, 7);
	not_answered(w, ask_one(w, ULOG_MARK_REGION, 8));
	assert_int_equal(w->notices[MLOG_NOTICE_OVERFLOW], 0);
	w->hold = false;
	settle(w);
	assert_true(w->replies > 1 && w->replies < MLOG_PENDING_MAX);
	answered(w, w->seq, 0);
	world_end(w);
}

/* A sweep that falls due while the release is under way: the release has taken the image already.
 */
static void test_nothing_is_written_beside_a_release(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	uint64_t before;
	uint32_t seq;

	(void)state;
	answered(w, ask_one(w, ULOG_MARK_REGION, 5), 0);
	answered(w, ask_one(w, ULOG_CLEAR_REGION, 5), 0);
	before = w->writes;
	w->hold = true;
	answered(w, ask(w, ULOG_PRESUSPEND, 0, NULL, false), 0);
	seq = ask(w, ULOG_POSTSUSPEND, 0, NULL, false);
	pass(w, 3 * HYSTERESIS_MS);
	assert_int_equal(w->writes, before);
	not_answered(w, seq);
	w->hold = false;
	settle(w);
	answered(w, seq, 0);
	world_end(w);
}

/* The claim failed, so the device still says "clean"; the marker says not to believe it. */
static void test_of_a_distrusted_clean_log_nothing_is_in_sync(void **state)
{
	struct world *w = world_make(MLOG_SYNC_NOSYNC, true);
	struct mlog_event e = {.kind = MLOG_EV_LOADED};
	uint64_t sync[WORDS];

	(void)state;
	bits_fill(sync, REGIONS, true);
	w->hold = true;
	w->hold_copies = true;
	ask(w, ULOG_RESUME, 0, NULL, false);
	w->waiting_count = 0;
	w->hold = false;
	e.loaded.history = (struct mlog_history){
	    .load = MLOG_LOAD_CLEAN,
	    .region_count = REGIONS,
	    .region_sectors = REGION_SECTORS,
	    .in_sync = sync,
	    .distrust = true,
	};
	event(w, e);
	answered(w, w->seq, 0);
	assert_int_equal(status_of(w).in_sync, 0);
	world_end(w);
}

static void test_a_copy_that_was_not_taken_is_asked_for_again(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);

	(void)state;
	answered(w, ask_one(w, ULOG_MARK_REGION, 10), 0);
	w->copy_result = MLOG_COPY_LATER;
	crash_and_attach(w, false);
	assert_false(hot_gated(&w->hot, 10));
	assert_int_equal(w->notices[MLOG_NOTICE_COPY_FAILED], 0);
	w->copy_result = MLOG_COPY_SAME;
	pass(w, 1000);
	assert_int_equal(status_of(w).repair, 0);
	world_end(w);
}

static void test_a_suspended_log_that_had_failed_is_claimed_from_memory(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	struct mlog_config config = config_of(MLOG_SYNC_NOSYNC, true);

	(void)state;
	w->error = -EIO;
	answered(w, ask(w, ULOG_SET_REGION_SYNC, 1, &(uint64_t){9}, false), 0);
	suspend(w);
	mlog_destroy(w->m);
	w->m = mlog_create(&config, &w->hot);
	event(w, (struct mlog_event){.kind = MLOG_EV_RESTORED, .handed_over = true});
	join_group(w);
	w->error = 0;
	resume(w);
	assert_true(w->claimed);
	assert_int_equal(status_of(w).in_sync, REGIONS - 1);
	assert_false(bits_test(w->sync, 9));
	world_end(w);
}

static void test_counts_before_the_first_resume(void **state)
{
	struct world *w = world_make(MLOG_SYNC_KEEP, true);

	(void)state;
	assert_int_equal(answer_word(w, ask(w, ULOG_GET_SYNC_COUNT, 0, NULL, false), 0), 0);
	assert_int_equal(answer_word(w, ask(w, ULOG_GET_REGION_SIZE, 0, NULL, false), 0),
			 REGION_SECTORS);
	answered(w, ask_one(w, ULOG_IN_SYNC, 1), -ESRCH);
	world_end(w);
	w = world_make(MLOG_SYNC_NOSYNC, false);
	assert_int_equal(answer_word(w, ask(w, ULOG_GET_SYNC_COUNT, 0, NULL, false), 0),
			 REGIONS - 1);
	world_end(w);
}

static void test_detach_leaves_a_clean_device(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	uint32_t seq;

	(void)state;
	answered(w, ask_one(w, ULOG_MARK_REGION, 100), 0);
	answered(w, ask(w, ULOG_PRESUSPEND, 0, NULL, false), 0);
	seq = ask(w, ULOG_POSTSUSPEND, 0, NULL, false);
	not_answered(w, seq);
	/* The CLEAR of the last write races with the suspend. */
	ask_one(w, ULOG_CLEAR_REGION, 100);
	answered(w, seq, 0);
	assert_false(w->claimed);
	assert_int_equal(bits_count(w->slot, REGIONS), 0);
	assert_int_equal(bits_count(w->kernel, REGIONS), REGIONS);
	/* The kernel resumed and we did not hear of it. */
	answered(w, ask_one(w, ULOG_MARK_REGION, 100), -ESRCH);
	/* Late words of a mirror that is gone do no harm. */
	answered(w, ask_one(w, ULOG_CLEAR_REGION, 100), 0);
	answered(w, ask(w, ULOG_FLUSH, 0, NULL, false), 0);
	world_end(w);
}

/* A kernel whose flush failed clears no more, and writes one leg only: such a region is compared.
 */
static void test_what_is_held_after_a_suspend_is_compared(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	uint32_t seq;

	(void)state;
	w->hold_copies = true;
	answered(w, ask_one(w, ULOG_MARK_REGION, 100), 0);
	answered(w, ask(w, ULOG_PRESUSPEND, 0, NULL, false), 0);
	seq = ask(w, ULOG_POSTSUSPEND, 0, NULL, false);
	pass(w, 200);
	answered(w, seq, 0);
	assert_int_equal(bits_count(w->kernel, REGIONS), REGIONS - 1);
	assert_false(bits_test(w->kernel, 100));
	world_end(w);
}

static void test_stale_and_crash_dirty_regions_are_not_clean_for_the_kernel(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);

	(void)state;
	answered(w, ask_one(w, ULOG_MARK_REGION, 3), 0);
	crash_and_attach(w, false);
	w->hold_copies = true;
	answered(w, ask(w, ULOG_SET_REGION_SYNC, 1, &(uint64_t){9}, false), 0);
	w->hold_copies = false;
	w->copy_result = MLOG_COPY_ERROR;
	suspend(w);
	assert_int_equal(bits_count(w->kernel, REGIONS),
			 bits_test(w->kernel, 3) ? REGIONS - 1 : REGIONS - 2);
	assert_false(bits_test(w->kernel, 9));
	world_end(w);
}

static void test_a_write_that_the_kernel_holds_is_not_told_as_stale(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	uint32_t seq;

	(void)state;
	atomic_store(&w->hot.shared->hold, HOT_HOLD_YES);
	answered(w, ask_one(w, ULOG_MARK_REGION, 9), 0);
	answered(w, ask(w, ULOG_SET_REGION_SYNC, 1, &(uint64_t){9}, false), 0);
	assert_int_equal(status_of(w).in_sync, REGIONS);
	assert_int_equal(answer_word(w, ask_one(w, ULOG_IN_SYNC, 9), 0), 1);
	/* or it would forget that the leg has failed */
	assert_int_equal(answer_word(w, ask(w, ULOG_GET_SYNC_COUNT, 0, NULL, false), 0),
			 REGIONS - 1);
	/* what is not marked is no write that it holds */
	atomic_store(&w->hot.shared->hold, HOT_HOLD_YES);
	answered(w, ask(w, ULOG_SET_REGION_SYNC, 1, &(uint64_t){7}, false), 0);
	assert_int_equal(status_of(w).in_sync, REGIONS - 1);
	assert_int_equal(atomic_load(&w->hot.shared->hold), HOT_HOLD_MISSED);
	/* the table goes, and with it the write: the region is compared when the next one comes */
	assert_true(bits_test(w->slot, 9));
	w->copy_result = MLOG_COPY_ERROR;
	answered(w, ask(w, ULOG_PRESUSPEND, 0, NULL, false), 0);
	seq = ask(w, ULOG_POSTSUSPEND, 0, NULL, false);
	pass(w, 200);
	answered(w, seq, 0);
	assert_false(bits_test(w->kernel, 9));
	world_end(w);
}

static void test_without_a_leg_nothing_is_recovered(void **state)
{
	struct world *w = world_active(MLOG_SYNC_FORCE, true);

	(void)state;
	atomic_store(&w->hot.shared->hold, HOT_HOLD_VOID);
	assert_int_equal(answer_word(w, ask(w, ULOG_GET_RESYNC_WORK, 0, NULL, false), 0), 0);
	/* and the kernel need not ask whether somebody does */
	assert_int_equal(answer_word(w, ask_one(w, ULOG_IS_REMOTE_RECOVERING, 5), 0), 0);
	assert_int_equal(answer_word(w, ask_one(w, ULOG_IS_REMOTE_RECOVERING, 5), 1), REGIONS);
	world_end(w);
}

/* ---- marks */

static void test_mark_is_durable_before_its_reply(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	uint32_t seq;

	(void)state;
	w->hold = true;
	seq = ask_one(w, ULOG_MARK_REGION, 42);
	not_answered(w, seq);
	w->hold = false;
	settle(w);
	answered(w, seq, 0);
	assert_true(bits_test(w->slot, 42));
	world_end(w);
}

static void test_marks_meanwhile_share_the_next_write(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	uint64_t before;

	(void)state;
	before = w->writes;
	w->hold = true;
	ask_one(w, ULOG_MARK_REGION, 1);
	for (uint64_t r = 2; r < 10; r++)
		ask_one(w, ULOG_MARK_REGION, r);
	assert_int_equal(w->writes - before, 1);
	assert_int_equal(w->replies, 0);
	w->hold = false;
	settle(w);
	assert_int_equal(w->writes - before, 2);
	assert_int_equal(w->replies, 9);
	world_end(w);
}

static void test_a_hot_region_costs_no_write(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	uint64_t before;

	(void)state;
	answered(w, ask_one(w, ULOG_MARK_REGION, 5), 0);
	before = w->writes;
	for (unsigned i = 0; i < 100; i++) {
		answered(w, ask_one(w, ULOG_CLEAR_REGION, 5), 0);
		pass(w, 200);
		answered(w, ask_one(w, ULOG_MARK_REGION, 5), 0);
	}
	assert_int_equal(w->writes, before);
	answered(w, ask_one(w, ULOG_CLEAR_REGION, 5), 0);
	pass(w, 3 * HYSTERESIS_MS);
	assert_int_equal(w->writes, before + 1);
	assert_false(bits_test(w->slot, 5));
	assert_int_equal(status_of(w).dirty, 0);
	world_end(w);
}

static void test_a_held_region_stays_in_the_slot(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);

	(void)state;
	answered(w, ask_one(w, ULOG_MARK_REGION, 5), 0);
	pass(w, 100 * HYSTERESIS_MS);
	assert_true(bits_test(w->slot, 5));
	world_end(w);
}

static void test_a_mark_during_the_clearing_write_is_written_again(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	uint32_t seq;

	(void)state;
	answered(w, ask_one(w, ULOG_MARK_REGION, 5), 0);
	answered(w, ask_one(w, ULOG_CLEAR_REGION, 5), 0);
	w->hold = true;
	pass(w, 3 * HYSTERESIS_MS);
	assert_false(bits_test(w->slot, 5));
	seq = ask_one(w, ULOG_MARK_REGION, 5);
	not_answered(w, seq);
	w->hold = false;
	settle(w);
	answered(w, seq, 0);
	assert_true(bits_test(w->slot, 5));
	world_end(w);
}

static void test_a_late_clear_does_not_undo_a_newer_mark(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	struct mlog_request late = {.type = ULOG_CLEAR_REGION, .region_count = 1, .region = {5}};
	struct mlog_reply reply;
	bool cleared;

	(void)state;
	late.seq = ++w->seq;
	answered(w, ask_one(w, ULOG_CLEAR_REGION, 5), 0);
	answered(w, ask_one(w, ULOG_MARK_REGION, 5), 0);
	assert_int_equal(hot_answer(&w->hot, &late, &reply, &cleared), HOT_STALE);
	assert_true(hot_held(&w->hot, 5));
	world_end(w);
}

static void test_the_table_of_waiting_requests_has_an_end(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);

	(void)state;
	w->hold = true;
	for (uint64_t r = 0; r < MLOG_PENDING_MAX + 3; r++)
		ask_one(w, ULOG_MARK_REGION, r);
	assert_int_equal(w->notices[MLOG_NOTICE_OVERFLOW], 3);
	w->hold = false;
	settle(w);
	assert_int_equal(w->replies, MLOG_PENDING_MAX);
	world_end(w);
}

/* ---- resync */

static uint64_t work(struct world *w, uint64_t *ret_region)
{
	const struct mlog_reply *reply = reply_to(w, ask(w, ULOG_GET_RESYNC_WORK, 0, NULL, false));

	assert_non_null(reply);
	*ret_region = reply->word[1];
	return reply->word[0];
}

static void test_resync_lowest_first_and_each_once(void **state)
{
	struct world *w = world_active(MLOG_SYNC_KEEP, true);
	uint64_t region;

	(void)state;
	for (uint64_t r = 0; r < REGIONS; r++) {
		assert_int_equal(work(w, &region), 1);
		assert_int_equal(region, r);
		assert_int_equal(work(w, &region), 1); /* the reply was lost */
		assert_int_equal(region, r);
		answered(w, ask(w, ULOG_SET_REGION_SYNC, 1, &region, true), 0);
	}
	assert_int_equal(work(w, &region), 0);
	assert_int_equal(w->notices[MLOG_NOTICE_IN_SYNC], 1);
	pass(w, 2000);
	assert_int_equal(bits_count(w->sync, REGIONS), REGIONS);
	world_end(w);
}

static void test_a_region_somebody_waits_for_comes_first(void **state)
{
	struct world *w = world_active(MLOG_SYNC_KEEP, true);
	uint64_t region;

	(void)state;
	assert_int_equal(answer_word(w, ask_one(w, ULOG_IS_REMOTE_RECOVERING, 2000), 1),
			 REGIONS - 1);
	assert_int_equal(work(w, &region), 1);
	assert_int_equal(region, 2000);
	answered(w, ask(w, ULOG_SET_REGION_SYNC, 1, &region, true), 0);
	assert_int_equal(work(w, &region), 1);
	assert_int_equal(region, 0);
	world_end(w);
}

static void rate(struct world *w, uint64_t region_ms)
{
	event(w, (struct mlog_event){.kind = MLOG_EV_RATE, .region_ns = region_ms * 1000000});
}

/* The kernel's thread runs whenever it is woken, and recovers all that it is given. */
static unsigned recovered_within(struct world *w, uint64_t ms)
{
	unsigned count = 0;
	uint64_t region;

	for (uint64_t end = w->now_ms + ms; w->now_ms < end; pass(w, 1)) {
		if (w->wakes == 0)
			continue;
		w->wakes = 0;
		while (work(w, &region) != 0) {
			answered(w, ask(w, ULOG_SET_REGION_SYNC, 1, &region, true), 0);
			count++;
		}
	}
	return count;
}

static void test_a_rate_spreads_resync_over_time(void **state)
{
	struct world *w = world_active(MLOG_SYNC_KEEP, true);
	uint64_t region;

	(void)state;
	rate(w, 50);
	for (uint64_t r = 0; r < 3; r++) { /* what is allowed in 100 ms, and one on top of it */
		assert_int_equal(work(w, &region), 1);
		assert_int_equal(region, r);
		assert_int_equal(work(w, &region), 1); /* the reply was lost: it counts once */
		answered(w, ask(w, ULOG_SET_REGION_SYNC, 1, &region, true), 0);
	}
	assert_int_equal(work(w, &region), 0);
	pass(w, 149);
	assert_int_equal(work(w, &region), 0);
	assert_int_equal(w->wakes, 0); /* not for nothing */
	pass(w, 1);
	assert_int_equal(w->wakes, 1);
	assert_in_range(recovered_within(w, 10000), 199, 203);
	/* one that does not fit a millisecond, and one that takes longer than a wake-up's turn */
	event(w, (struct mlog_event){.kind = MLOG_EV_RATE, .region_ns = 1300000});
	assert_in_range(recovered_within(w, 2600), 1999, 2078);
	rate(w, 5000);
	assert_in_range(recovered_within(w, 60000), 12, 14);
	assert_int_equal(w->reloads, 0);
	world_end(w);
}

static void test_another_rate_counts_at_once(void **state)
{
	struct world *w = world_active(MLOG_SYNC_KEEP, true);
	uint64_t region;

	(void)state;
	rate(w, 3600000);
	assert_int_equal(work(w, &region), 1);
	answered(w, ask(w, ULOG_SET_REGION_SYNC, 1, &region, true), 0);
	assert_int_equal(work(w, &region), 0);
	pass(w, 60000);
	assert_int_equal(w->wakes, 0);
	/* alone, a write is not held for a region: it may wait */
	assert_int_equal(answer_word(w, ask_one(w, ULOG_IS_REMOTE_RECOVERING, 40), 0), 0);
	assert_int_equal(work(w, &region), 0);
	rate(w, 0);
	pass(w, 1);
	assert_int_equal(w->wakes, 1);
	assert_int_equal(work(w, &region), 1);
	assert_int_equal(region, 40);
	world_end(w);
}

static void test_a_rate_is_not_outlived_by_a_table(void **state)
{
	struct world *w = world_active(MLOG_SYNC_KEEP, true);
	uint64_t region;

	(void)state;
	rate(w, 1000);
	assert_int_equal(work(w, &region), 1);
	answered(w, ask(w, ULOG_SET_REGION_SYNC, 1, &region, true), 0);
	assert_int_equal(work(w, &region), 0);
	suspend(w);
	pass(w, 5000);
	assert_int_equal(w->wakes, 0); /* who is suspended asks for nothing */
	resume(w);
	assert_int_equal(work(w, &region), 1);
	assert_int_equal(work(w, &region), 1);
	world_end(w);
}

static void test_a_failed_recovery_is_not_offered_again_before_resume(void **state)
{
	struct world *w = world_active(MLOG_SYNC_KEEP, true);
	uint64_t region;

	(void)state;
	assert_int_equal(work(w, &region), 1);
	answered(w, ask(w, ULOG_SET_REGION_SYNC, 1, &region, false), 0);
	assert_int_equal(work(w, &region), 1);
	assert_int_equal(region, 1);
	answered(w, ask(w, ULOG_SET_REGION_SYNC, 1, &region, true), 0);
	resume(w);
	assert_int_equal(work(w, &region), 1);
	assert_int_equal(region, 0);
	world_end(w);
}

static void test_a_stale_region_is_durable_before_its_reply(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	uint32_t seq;

	(void)state;
	w->hold = true;
	seq = ask(w, ULOG_SET_REGION_SYNC, 1, &(uint64_t){77}, false);
	not_answered(w, seq);
	w->hold = false;
	settle(w);
	answered(w, seq, 0);
	assert_false(bits_test(w->sync, 77));
	assert_int_equal(answer_word(w, ask_one(w, ULOG_IN_SYNC, 77), 0), 0);
	assert_int_equal(w->notices[MLOG_NOTICE_STALE], 1);
	world_end(w);
}

/* ---- crash repair */

static void test_after_a_crash_the_dirty_regions_are_repaired(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	const uint64_t group[] = {10, 20, 3000};

	(void)state;
	answered(w, ask(w, ULOG_MARK_REGION, 3, group, false), 0);
	w->hold_copies = true;
	crash_and_attach(w, false);
	assert_int_equal(status_of(w).repair, 3);
	assert_int_equal(w->copies, 3);
	/* Reads go on, writes elsewhere too; the region being copied waits. */
	assert_int_equal(answer_word(w, ask_one(w, ULOG_IN_SYNC, 10), 0), 1);
	answered(w, ask_one(w, ULOG_MARK_REGION, 11), 0);
	not_answered(w, ask_one(w, ULOG_MARK_REGION, 10));
	w->hold_copies = false;
	settle(w);
	answered(w, w->seq, 0);
	assert_int_equal(status_of(w).repair, 0);
	assert_int_equal(w->notices[MLOG_NOTICE_REPAIRED], 1);
	pass(w, 3 * HYSTERESIS_MS);
	assert_true(bits_test(w->slot, 10)); /* held */
	assert_false(bits_test(w->slot, 20));
	world_end(w);
}

static void test_an_unrepaired_region_survives_a_second_crash(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);

	(void)state;
	answered(w, ask_one(w, ULOG_MARK_REGION, 10), 0);
	w->copy_result = MLOG_COPY_ERROR;
	crash_and_attach(w, false);
	assert_int_equal(w->notices[MLOG_NOTICE_COPY_FAILED], 1);
	pass(w, 4 * HYSTERESIS_MS);
	assert_true(bits_test(w->slot, 10));
	w->copy_result = MLOG_COPY_SAME;
	crash_and_attach(w, false);
	assert_int_equal(status_of(w).repair, 0);
	world_end(w);
}

static void test_a_rate_spreads_copies_over_time(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);

	(void)state;
	/* a verify has the mirror's, or its own */
	rate(w, 50);
	event(w, (struct mlog_event){.kind = MLOG_EV_VERIFY});
	pass(w, 10000);
	assert_in_range(w->copies, 200, 204);
	w->copies = 0;
	event(w, (struct mlog_event){.kind = MLOG_EV_VERIFY, .verify.region_ns = 10000000});
	pass(w, 10000);
	assert_in_range(w->copies, 1000, 1020);
	event(w, (struct mlog_event){.kind = MLOG_EV_VERIFY, .verify.region_ns = 1});
	pass(w, 1000);
	assert_false(status_of(w).verifying);
	assert_int_equal(status_of(w).verify_done, REGIONS);
	/* so slow that regions come one by one */
	rate(w, 60000);
	event(w, (struct mlog_event){.kind = MLOG_EV_VERIFY});
	w->copies = 0;
	pass(w, 600000);
	assert_in_range(w->copies, 10, 11);
	world_end(w);
}

static void test_a_rate_spreads_repairs_over_time(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);

	(void)state;
	for (uint64_t region = 0; region < 100; region++)
		answered(w, ask_one(w, ULOG_MARK_REGION, region), 0);
	w->copy_result = MLOG_COPY_LATER; /* until the rate has been told, and it costs nothing */
	crash_and_attach(w, false);
	rate(w, 50);
	w->copy_result = MLOG_COPY_SAME;
	pass(w, 2000);
	assert_in_range(100 - status_of(w).repair, 38, 44);
	/* a mark that waits for one that is copied waits for that copy only */
	answered(w, ask_one(w, ULOG_MARK_REGION, 99), 0);
	answered(w, ask_one(w, ULOG_CLEAR_REGION, 99), 0);
	pass(w, 4000);
	assert_int_equal(status_of(w).repair, 0);
	world_end(w);
}

static void test_a_busy_region_is_copied_at_its_next_mark_or_clear(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	uint32_t seq;

	(void)state;
	answered(w, ask_one(w, ULOG_MARK_REGION, 10), 0);
	answered(w, ask_one(w, ULOG_MARK_REGION, 20), 0);
	event(w, (struct mlog_event){.kind = MLOG_EV_VERIFY, .verify.repair = true});
	pass(w, 300); /* those before it have been copied, the busy one is armed */
	assert_true(hot_gated(&w->hot, 10));
	assert_int_equal(w->copies, 10);
	/* 10: the CLEAR makes it quiet. */
	answered(w, ask_one(w, ULOG_CLEAR_REGION, 10), 0);
	assert_int_equal(w->copies, 20);
	assert_true(hot_gated(&w->hot, 20));
	/* 20: a repeated MARK means that no write of it is in flight, and waits for the copy. */
	w->hold_copies = true;
	seq = ask_one(w, ULOG_MARK_REGION, 20);
	not_answered(w, seq);
	assert_int_equal(w->copies, 21);
	w->hold_copies = false;
	settle(w);
	answered(w, seq, 0);
	pass(w, 500);
	assert_int_equal(w->copies, REGIONS);
	assert_false(status_of(w).verifying);
	world_end(w);
}

static void test_a_gate_without_a_quiet_moment_opens_again(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);

	(void)state;
	answered(w, ask_one(w, ULOG_MARK_REGION, 0), 0);
	event(w, (struct mlog_event){.kind = MLOG_EV_VERIFY, .verify.repair = false});
	pass(w, 60000);
	assert_false(hot_gated(&w->hot, 0));
	assert_false(status_of(w).verifying);
	assert_int_equal(status_of(w).verify_skipped, 1);
	world_end(w);
}

/* It is crash-dirty, and its kernel has marked it again before it was copied. */
static struct world *world_with_a_busy_region(uint64_t region)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);

	answered(w, ask_one(w, ULOG_MARK_REGION, region), 0);
	w->copy_result = MLOG_COPY_ERROR;
	crash_and_attach(w, false);
	answered(w, ask_one(w, ULOG_MARK_REGION, region), 0);
	w->copy_result = MLOG_COPY_SAME;
	return w;
}

static void test_a_region_that_is_never_quiet_is_recovered_by_a_new_table(void **state)
{
	struct world *w = world_with_a_busy_region(10);
	uint64_t region;

	(void)state;
	pass(w, 30000); /* it was marked for some of that */
	assert_true(hot_in_sync(&w->hot, 10));
	assert_int_equal(work(w, &region), 0);
	pass(w, 10000);
	assert_false(hot_in_sync(&w->hot, 10));
	assert_int_equal(w->notices[MLOG_NOTICE_STARVED], 1);
	assert_int_equal(work(w, &region), 0);
	assert_int_equal(w->reloads, 1);
	answered(w, ask_one(w, ULOG_CLEAR_REGION, 10), 0);
	suspend(w);
	crash_and_attach(w, false);
	assert_int_equal(work(w, &region), 1);
	assert_int_equal(region, 10);
	answered(w, ask(w, ULOG_SET_REGION_SYNC, 1, &region, true), 0);
	assert_int_equal(status_of(w).repair, 0);
	assert_int_equal(status_of(w).in_sync, REGIONS);
	world_end(w);
}

/* A reload for each of them would be one too many: the second has been busy for 20 s only. */
static void test_regions_that_are_never_quiet_are_recovered_together(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);

	(void)state;
	answered(w, ask_one(w, ULOG_MARK_REGION, 10), 0);
	answered(w, ask_one(w, ULOG_MARK_REGION, 20), 0);
	w->copy_result = MLOG_COPY_ERROR;
	crash_and_attach(w, false);
	answered(w, ask_one(w, ULOG_MARK_REGION, 10), 0);
	pass(w, 12000);
	answered(w, ask_one(w, ULOG_MARK_REGION, 20), 0);
	w->copy_result = MLOG_COPY_SAME;
	pass(w, 25000);
	assert_int_equal(w->notices[MLOG_NOTICE_STARVED], 2);
	assert_false(hot_in_sync(&w->hot, 10));
	assert_false(hot_in_sync(&w->hot, 20));
	world_end(w);
}

/* It was told that all is in sync, and asks for no work any more. */
static void test_a_kernel_that_does_not_ask_gets_a_new_table(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	uint64_t region;

	(void)state;
	answered(w, ask(w, ULOG_SET_REGION_SYNC, 1, &(uint64_t){10}, false), 0);
	pass(w, 4000);
	assert_int_not_equal(w->wakes, 0);
	assert_int_equal(w->reloads, 0);
	pass(w, 10000);
	assert_int_not_equal(w->reloads, 0);
	assert_int_equal(work(w, &region), 1);
	assert_int_equal(region, 10);
	w->wakes = w->reloads = 0;
	pass(w, 20000);
	assert_int_equal(w->wakes + w->reloads, 0);
	world_end(w);
}

static void test_verify_lists_what_differed(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	uint64_t list[4];

	(void)state;
	w->copy_result = MLOG_COPY_DIFFERED;
	event(w, (struct mlog_event){.kind = MLOG_EV_VERIFY, .verify.repair = false});
	pass(w, 1000000);
	assert_int_equal(status_of(w).verify_differed, REGIONS);
	assert_int_equal(mlog_verify_regions(w->m, list, 4), 4);
	assert_int_equal(list[0], 0);
	assert_int_equal(w->notices[MLOG_NOTICE_VERIFIED], 1);
	world_end(w);
}

static void test_the_kernel_and_the_mover_never_have_one_region_both(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	uint64_t region;

	(void)state;
	w->hold_copies = true;
	event(w, (struct mlog_event){.kind = MLOG_EV_VERIFY, .verify.repair = true});
	assert_true(hot_gated(&w->hot, 0));
	answered(w, ask(w, ULOG_SET_REGION_SYNC, 1, &(uint64_t){0}, false), 0);
	assert_int_equal(work(w, &region), 0);
	w->hold_copies = false;
	settle(w);
	assert_int_equal(work(w, &region), 1);
	assert_int_equal(region, 0);
	world_end(w);
}

static void test_suspend_waits_for_copies_under_way(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	uint32_t seq;

	(void)state;
	w->hold_copies = true;
	event(w, (struct mlog_event){.kind = MLOG_EV_VERIFY, .verify.repair = true});
	answered(w, ask(w, ULOG_PRESUSPEND, 0, NULL, false), 0);
	seq = ask(w, ULOG_POSTSUSPEND, 0, NULL, false);
	not_answered(w, seq);
	w->hold_copies = false;
	settle(w);
	answered(w, seq, 0);
	world_end(w);
}

/* ---- the log device fails */

static void test_service_goes_on_in_memory_and_comes_back(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);

	(void)state;
	w->error = -EIO;
	answered(w, ask_one(w, ULOG_MARK_REGION, 5), 0);
	assert_int_equal(status_of(w).log, MLOG_LOG_FAILED);
	assert_int_equal(w->notices[MLOG_NOTICE_LOG_FAILED], 1);
	answered(w, ask_one(w, ULOG_MARK_REGION, 6), 0);
	pass(w, 3 * RETRY_MS);
	assert_int_equal(w->notices[MLOG_NOTICE_LOG_FAILED], 1); /* said once */
	w->error = 0;
	pass(w, 2 * RETRY_MS);
	assert_int_equal(status_of(w).log, MLOG_LOG_OK);
	assert_int_equal(w->notices[MLOG_NOTICE_LOG_OK], 1);
	assert_true(bits_test(w->slot, 5));
	assert_true(bits_test(w->slot, 6));
	world_end(w);
}

static void test_a_device_that_does_not_answer_has_failed(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	uint32_t seq;

	(void)state;
	w->hold = true;
	seq = ask_one(w, ULOG_MARK_REGION, 5);
	not_answered(w, seq);
	pass(w, TIMEOUT_MS + 1);
	answered(w, seq, 0);
	assert_int_equal(status_of(w).log, MLOG_LOG_FAILED);
	pass(w, 3 * RETRY_MS);
	assert_int_equal(w->waiting_count, 1); /* nothing is sent after the write that hangs */
	w->hold = false;
	settle(w);
	pass(w, 2 * RETRY_MS);
	assert_int_equal(status_of(w).log, MLOG_LOG_OK);
	assert_true(bits_test(w->slot, 5));
	world_end(w);
}

static void test_an_unreadable_log_means_resync_not_guesses(void **state)
{
	struct world *w = world_make(MLOG_SYNC_NOSYNC, true);

	(void)state;
	w->error = -EIO;
	resume(w);
	assert_int_equal(status_of(w).in_sync, 0);
	assert_int_equal(status_of(w).log, MLOG_LOG_FAILED);
	world_end(w);
}

static void test_of_a_distrusted_log_nothing_is_in_sync(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);

	(void)state;
	crash_and_attach(w, true);
	assert_int_equal(status_of(w).in_sync, 0);
	assert_int_equal(status_of(w).repair, 0);
	assert_int_equal(bits_count(w->sync, REGIONS), 0);
	world_end(w);
}

/* ---- a new daemon, a reloaded table */

static void test_a_new_daemon_forgets_no_mark(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	struct mlog_config config = config_of(MLOG_SYNC_NOSYNC, true);
	uint32_t seq;

	(void)state;
	answered(w, ask_one(w, ULOG_MARK_REGION, 5), 0);
	w->hold = true;
	seq = ask_one(w, ULOG_MARK_REGION, 6);
	not_answered(w, seq);
	/* kill -9: the maps live on in the mapped file */
	mlog_destroy(w->m);
	w->waiting_count = 0;
	w->hold = false;
	w->m = mlog_create(&config, &w->hot);
	event(w, (struct mlog_event){.kind = MLOG_EV_RESTORED});
	join_group(w);
	assert_int_equal(status_of(w).phase, MLOG_ACTIVE);
	assert_true(bits_test(w->slot, 5));
	assert_true(bits_test(w->slot, 6));
	answered(w, ask_one(w, ULOG_MARK_REGION, 6), 0);
	world_end(w);
}

static void test_handed_over_marks_go_on_at_once(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	struct mlog_config config = config_of(MLOG_SYNC_NOSYNC, true);
	uint32_t seq;

	(void)state;
	answered(w, ask_one(w, ULOG_MARK_REGION, 5), 0);
	event(w, (struct mlog_event){.kind = MLOG_EV_QUIESCE, .quiesce = true});
	assert_true(mlog_quiet(w->m));
	mlog_destroy(w->m);
	w->m = mlog_create(&config, &w->hot);
	w->hold = true;
	event(w, (struct mlog_event){.kind = MLOG_EV_RESTORED, .handed_over = true});
	join_group(w);
	assert_int_equal(w->waiting_count, 0); /* no load, no claim */
	seq = ask_one(w, ULOG_MARK_REGION, 6);
	assert_int_equal(w->waiting_count, 1);
	assert_int_equal(w->waiting[0].kind, MLOG_WRITE);
	w->hold = false;
	settle(w);
	answered(w, seq, 0);
	assert_true(bits_test(w->slot, 5) && bits_test(w->slot, 6));
	world_end(w);
}

static void test_handed_over_with_a_failed_device_claims_it_again(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	struct mlog_config config = config_of(MLOG_SYNC_NOSYNC, true);

	(void)state;
	w->error = -EIO;
	answered(w, ask_one(w, ULOG_MARK_REGION, 5), 0);
	event(w, (struct mlog_event){.kind = MLOG_EV_QUIESCE, .quiesce = true});
	mlog_destroy(w->m);
	w->m = mlog_create(&config, &w->hot);
	w->error = 0;
	event(w, (struct mlog_event){.kind = MLOG_EV_RESTORED, .handed_over = true});
	join_group(w);
	assert_int_equal(status_of(w).log, MLOG_LOG_OK);
	assert_true(bits_test(w->slot, 5)); /* by the claim */
	world_end(w);
}

static void test_a_new_daemon_closes_no_gate_of_the_old(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, false);
	struct mlog_config config = config_of(MLOG_SYNC_NOSYNC, false);

	(void)state;
	w->hold_copies = true;
	event(w, (struct mlog_event){.kind = MLOG_EV_VERIFY, .verify.repair = true});
	assert_true(hot_gated(&w->hot, 0));
	mlog_destroy(w->m);
	w->waiting_count = 0;
	w->m = mlog_create(&config, &w->hot);
	event(w, (struct mlog_event){.kind = MLOG_EV_RESTORED});
	join_group(w);
	assert_false(hot_gated(&w->hot, 0));
	answered(w, ask_one(w, ULOG_MARK_REGION, 0), 0);
	world_end(w);
}

static void test_quiesce_lets_what_is_under_way_end_and_starts_nothing(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);

	(void)state;
	w->hold_copies = true;
	event(w, (struct mlog_event){.kind = MLOG_EV_VERIFY, .verify.repair = true});
	assert_false(mlog_quiet(w->m));
	event(w, (struct mlog_event){.kind = MLOG_EV_QUIESCE, .quiesce = true});
	w->hold_copies = false;
	settle(w);
	assert_true(mlog_quiet(w->m));
	event(w, (struct mlog_event){.kind = MLOG_EV_QUIESCE, .quiesce = false});
	pass(w, 1000);
	assert_false(status_of(w).verifying);
	world_end(w);
}

static void test_a_reloaded_core_log_takes_over_what_the_old_one_knew(void **state)
{
	struct world *w = world_active(MLOG_SYNC_KEEP, false);
	struct mlog_config config = config_of(MLOG_SYNC_KEEP, false);
	uint64_t region;
	struct hot hot;
	void *memory = calloc(1, hot_bytes(REGIONS * 2, 0));
	struct mlog *old = w->m;

	(void)state;
	assert_non_null(memory);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(work(w, &region), 1);
		answered(w, ask(w, ULOG_SET_REGION_SYNC, 1, &region, true), 0);
	}
	suspend(w);
	/* grown to twice the regions of half the size: four times the length is not in question
	 * here */
	config.region_count = REGIONS * 2;
	config.region_sectors = REGION_SECTORS / 2;
	hot_bind(&hot, memory, REGIONS * 2, 0);
	w->m = mlog_create(&config, &hot);
	mlog_inherit(w->m, old);
	w->hot = hot;
	join_group(w);
	resume(w);
	assert_int_equal(status_of(w).in_sync, 200);
	assert_true(hot_in_sync(&hot, 199));
	assert_false(hot_in_sync(&hot, 200));
	mlog_destroy(old);
	free(w->memory);
	w->memory = memory;
	world_end(w);
}

static void test_core_log_answers_from_memory(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, false);

	(void)state;
	answered(w, ask_one(w, ULOG_MARK_REGION, 5), 0);
	assert_int_equal(w->waiting_count, 0);
	assert_int_equal(answer_word(w, ask_one(w, ULOG_IS_CLEAN, 5), 0), 0);
	answered(w, ask_one(w, ULOG_CLEAR_REGION, 5), 0);
	pass(w, 3 * HYSTERESIS_MS);
	assert_int_equal(answer_word(w, ask_one(w, ULOG_IS_CLEAN, 5), 0), 1);
	suspend(w);
	resume(w);
	assert_int_equal(status_of(w).in_sync, REGIONS);
	world_end(w);
}

/* ---- what comes too late, is asked too early, or is nonsense */

static void test_an_old_mark_or_clear_that_was_handed_over_is_dropped(void **state)
{
	static const enum ulog_type type[] = {ULOG_MARK_REGION, ULOG_CLEAR_REGION};
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);

	(void)state;
	answered(w, ask_one(w, ULOG_MARK_REGION, 5), 0);
	for (unsigned i = 0; i < 2; i++) {
		struct mlog_event e = {.kind = MLOG_EV_REQUEST};

		/* it waited in the ring while a newer one was answered */
		e.request.type = type[i];
		e.request.seq = w->seq - 1;
		e.request.region_count = 1;
		e.request.region[0] = type[i] == ULOG_MARK_REGION ? 6 : 5;
		event(w, e);
		not_answered(w, e.request.seq);
	}
	assert_true(hot_held(&w->hot, 5));
	assert_false(hot_held(&w->hot, 6));
	assert_int_equal(status_of(w).pending, 0);
	world_end(w);
}

static void test_questions_during_an_attach_are_answered_after_it(void **state)
{
	struct world *w = world_make(MLOG_SYNC_NOSYNC, true);
	uint32_t clean, in_sync, stale;

	(void)state;
	w->hold = true;
	ask(w, ULOG_RESUME, 0, NULL, false);
	clean = ask_one(w, ULOG_IS_CLEAN, 5);
	in_sync = ask_one(w, ULOG_IN_SYNC, 5);
	stale = ask(w, ULOG_SET_REGION_SYNC, 1, &(uint64_t){7}, false);
	not_answered(w, clean);
	w->hold = false;
	settle(w);
	assert_int_equal(w->replies, 4);
	for (unsigned i = 0; i < w->replies; i++)
		if (w->reply[i].seq == clean || w->reply[i].seq == in_sync)
			assert_int_equal(w->reply[i].word[0], 1);
	answered(w, stale, 0);
	assert_false(hot_in_sync(&w->hot, 7));
	world_end(w);
}

static void test_a_verify_ends_when_it_is_told_to(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	uint64_t done;

	(void)state;
	w->hold_copies = true;
	event(w, (struct mlog_event){.kind = MLOG_EV_VERIFY, .verify.repair = false});
	done = w->copies;
	event(w, (struct mlog_event){.kind = MLOG_EV_VERIFY_STOP});
	w->hold_copies = false;
	settle(w);
	pass(w, 60000);
	assert_int_equal(w->copies, done);
	assert_false(status_of(w).verifying);
	assert_int_equal(w->notices[MLOG_NOTICE_VERIFIED], 0);
	assert_true(mlog_quiet(w->m));
	world_end(w);
}

static void test_an_admin_need_not_wait_for_the_next_retry(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);

	(void)state;
	w->error = -EIO;
	answered(w, ask_one(w, ULOG_MARK_REGION, 5), 0);
	w->error = 0;
	event(w, (struct mlog_event){.kind = MLOG_EV_RETRY});
	assert_int_equal(status_of(w).log, MLOG_LOG_OK);
	assert_true(bits_test(w->slot, 5));
	world_end(w);
}

static void test_a_log_that_was_never_attached_has_nothing_to_pass_on(void **state)
{
	struct world *w = world_make(MLOG_SYNC_KEEP, false);
	struct mlog_config config = config_of(MLOG_SYNC_NOSYNC, false);
	struct mlog *old = w->m;

	(void)state;
	w->m = mlog_create(&config, &w->hot);
	mlog_inherit(w->m, old);
	mlog_destroy(old);
	join_group(w);
	resume(w);
	assert_int_equal(status_of(w).in_sync, REGIONS);
	world_end(w);
}

static void attach_from(struct world *w, const struct mlog_history *history)
{
	struct mlog_event e = {.kind = MLOG_EV_LOADED};

	w->hold = true;
	ask(w, ULOG_RESUME, 0, NULL, false);
	assert_int_equal(w->waiting[0].kind, MLOG_LOAD);
	w->waiting_count = 0;
	w->hold = false;
	e.loaded.history = *history;
	event(w, e);
	answered(w, w->seq, 0);
}

static void test_what_a_mirror_has_grown_by_is_stale(void **state)
{
	struct world *w = world_make(MLOG_SYNC_KEEP, true);
	uint64_t sync[WORDS];
	const struct mlog_history history = {
	    .load = MLOG_LOAD_CLEAN,
	    .region_count = 100,
	    .region_sectors = REGION_SECTORS,
	    .in_sync = sync,
	};

	(void)state;
	memset(sync, 0xff, sizeof(sync));
	attach_from(w, &history);
	assert_int_equal(status_of(w).in_sync, 100);
	assert_true(hot_in_sync(&w->hot, 99));
	assert_false(hot_in_sync(&w->hot, 100));
	world_end(w);
}

static void test_maps_that_make_no_sense_are_not_an_attached_mirror(void **state)
{
	struct world *w = world_active(MLOG_SYNC_NOSYNC, true);
	struct mlog_config config = config_of(MLOG_SYNC_NOSYNC, true);

	(void)state;
	mlog_destroy(w->m);
	atomic_store(&w->hot.shared->phase, 99);
	atomic_store(&w->hot.shared->slot, 77);
	w->m = mlog_create(&config, &w->hot);
	event(w, (struct mlog_event){.kind = MLOG_EV_RESTORED});
	join_group(w);
	assert_int_equal(status_of(w).phase, MLOG_SUSPENDED);
	answered(w, ask_one(w, ULOG_MARK_REGION, 5), -ESRCH);
	resume(w);
	answered(w, ask_one(w, ULOG_MARK_REGION, 5), 0);
	assert_true(bits_test(w->slot, 5));
	world_end(w);
}

/* Region by region what mlog_census() counts by the word. */
static enum mlog_region region_of(const struct world *w, uint64_t region)
{
	const struct mlog_member *self = mlog_member(w->m, 0);

	if (region - self->lease_first < 64 && (self->lease >> (region - self->lease_first) & 1))
		return MLOG_REGION_COPYING;
	if (!hot_in_sync(&w->hot, region))
		return MLOG_REGION_STALE;
	if (hot_repair(&w->hot, region))
		return MLOG_REGION_CRASH_DIRTY;
	if (hot_dirty(&w->hot, region) || hot_held(&w->hot, region))
		return MLOG_REGION_DIRTY;
	return MLOG_REGION_IN_SYNC;
}

static void assert_census(const struct world *w, uint64_t first, uint64_t per_cell, uint32_t cells)
{
	static struct mlog_cell seen[REGIONS + 1];

	memset(seen, 0xa5, sizeof(seen));
	mlog_census(w->m, first, per_cell, cells, seen);
	for (uint32_t cell = 0; cell < cells; cell++) {
		struct mlog_cell expected = {{0}};

		for (uint64_t i = 0; i < per_cell && first + cell * per_cell + i < REGIONS; i++)
			expected.count[region_of(w, first + cell * per_cell + i)]++;
		assert_memory_equal(&seen[cell], &expected, sizeof(expected));
	}
	/* and nothing behind the last cell is touched */
	assert_int_equal(seen[cells].count[0], 0xa5a5a5a5);
}

static void test_the_census_counts_each_region_as_what_it_is(void **state)
{
	struct world *w = world_active(MLOG_SYNC_KEEP, true);
	struct mlog_cell all;
	unsigned random = 1;

	(void)state;
	for (uint64_t region = 0; region < REGIONS; region++) {
		random = random * 1103515245U + 12345U;
		hot_in_sync_set(&w->hot, region,
				region < 13 || (region > 80 && (random >> 16 & 3) != 0));
		hot_repair_set(&w->hot, region, (random >> 18 & 3) == 0);
		if ((random >> 20 & 3) == 0)
			hot_mark(&w->hot, region);
		if ((random >> 22 & 3) == 0)
			hot_dirty_set(&w->hot, region);
	}
	/* a lease that does not begin with a word */
	(void)ask(w, ULOG_GET_RESYNC_WORK, 0, NULL, false);
	assert_int_equal(mlog_member(w->m, 0)->lease_first, 13);
	assert_int_equal(mlog_member(w->m, 0)->lease, UINT64_MAX);
	assert_census(w, 0, 1, REGIONS);
	assert_census(w, 0, REGIONS, 1);
	assert_census(w, 0, 64, 64);
	assert_census(w, 0, 100, 41);
	assert_census(w, 61, 3, 50);
	assert_census(w, 63, 1, 2);
	assert_census(w, REGIONS - 5, 2, 9);
	assert_census(w, REGIONS, 1, 3);
	assert_census(w, UINT64_MAX - 2, 1, 3);
	assert_census(w, 1, MLOG_CENSUS_MAX, 1);
	mlog_census(w->m, 0, REGIONS, 1, &all);
	for (unsigned i = 0; i < MLOG_REGIONS; i++)
		assert_in_range(all.count[i], 1, REGIONS);
	world_end(w);
}

static void test_every_state_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(mlog_phase_name(MLOG_CREATED), "created");
	assert_string_equal(mlog_phase_name(MLOG_SUSPENDED), "suspended");
	assert_string_equal(mlog_phase_name((enum mlog_phase)(MLOG_SUSPENDED + 1)), "unknown");
	assert_string_equal(mlog_log_state_name(MLOG_LOG_NONE), "none");
	assert_string_equal(mlog_log_state_name(MLOG_LOG_FAILED), "failed");
	assert_string_equal(mlog_log_state_name((enum mlog_log_state)(MLOG_LOG_FAILED + 1)),
			    "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_attach_claims_before_resume_is_answered),
	    cmocka_unit_test(test_resume_again_changes_nothing),
	    cmocka_unit_test(test_each_thread_that_resumes_is_answered),
	    cmocka_unit_test(test_repetitions_do_not_fill_the_table),
	    cmocka_unit_test(test_nothing_is_written_beside_a_release),
	    cmocka_unit_test(test_of_a_distrusted_clean_log_nothing_is_in_sync),
	    cmocka_unit_test(test_a_copy_that_was_not_taken_is_asked_for_again),
	    cmocka_unit_test(test_a_suspended_log_that_had_failed_is_claimed_from_memory),
	    cmocka_unit_test(test_counts_before_the_first_resume),
	    cmocka_unit_test(test_detach_leaves_a_clean_device),
	    cmocka_unit_test(test_what_is_held_after_a_suspend_is_compared),
	    cmocka_unit_test(test_without_a_leg_nothing_is_recovered),
	    cmocka_unit_test(test_a_write_that_the_kernel_holds_is_not_told_as_stale),
	    cmocka_unit_test(test_stale_and_crash_dirty_regions_are_not_clean_for_the_kernel),
	    cmocka_unit_test(test_mark_is_durable_before_its_reply),
	    cmocka_unit_test(test_marks_meanwhile_share_the_next_write),
	    cmocka_unit_test(test_a_hot_region_costs_no_write),
	    cmocka_unit_test(test_a_held_region_stays_in_the_slot),
	    cmocka_unit_test(test_a_mark_during_the_clearing_write_is_written_again),
	    cmocka_unit_test(test_a_late_clear_does_not_undo_a_newer_mark),
	    cmocka_unit_test(test_the_table_of_waiting_requests_has_an_end),
	    cmocka_unit_test(test_resync_lowest_first_and_each_once),
	    cmocka_unit_test(test_a_region_somebody_waits_for_comes_first),
	    cmocka_unit_test(test_a_rate_spreads_resync_over_time),
	    cmocka_unit_test(test_another_rate_counts_at_once),
	    cmocka_unit_test(test_a_rate_is_not_outlived_by_a_table),
	    cmocka_unit_test(test_a_failed_recovery_is_not_offered_again_before_resume),
	    cmocka_unit_test(test_a_stale_region_is_durable_before_its_reply),
	    cmocka_unit_test(test_after_a_crash_the_dirty_regions_are_repaired),
	    cmocka_unit_test(test_an_unrepaired_region_survives_a_second_crash),
	    cmocka_unit_test(test_a_rate_spreads_copies_over_time),
	    cmocka_unit_test(test_a_rate_spreads_repairs_over_time),
	    cmocka_unit_test(test_a_busy_region_is_copied_at_its_next_mark_or_clear),
	    cmocka_unit_test(test_a_gate_without_a_quiet_moment_opens_again),
	    cmocka_unit_test(test_a_region_that_is_never_quiet_is_recovered_by_a_new_table),
	    cmocka_unit_test(test_regions_that_are_never_quiet_are_recovered_together),
	    cmocka_unit_test(test_a_kernel_that_does_not_ask_gets_a_new_table),
	    cmocka_unit_test(test_verify_lists_what_differed),
	    cmocka_unit_test(test_the_kernel_and_the_mover_never_have_one_region_both),
	    cmocka_unit_test(test_suspend_waits_for_copies_under_way),
	    cmocka_unit_test(test_service_goes_on_in_memory_and_comes_back),
	    cmocka_unit_test(test_a_device_that_does_not_answer_has_failed),
	    cmocka_unit_test(test_an_unreadable_log_means_resync_not_guesses),
	    cmocka_unit_test(test_of_a_distrusted_log_nothing_is_in_sync),
	    cmocka_unit_test(test_a_new_daemon_forgets_no_mark),
	    cmocka_unit_test(test_handed_over_marks_go_on_at_once),
	    cmocka_unit_test(test_handed_over_with_a_failed_device_claims_it_again),
	    cmocka_unit_test(test_a_new_daemon_closes_no_gate_of_the_old),
	    cmocka_unit_test(test_quiesce_lets_what_is_under_way_end_and_starts_nothing),
	    cmocka_unit_test(test_a_reloaded_core_log_takes_over_what_the_old_one_knew),
	    cmocka_unit_test(test_core_log_answers_from_memory),
	    cmocka_unit_test(test_an_old_mark_or_clear_that_was_handed_over_is_dropped),
	    cmocka_unit_test(test_questions_during_an_attach_are_answered_after_it),
	    cmocka_unit_test(test_a_verify_ends_when_it_is_told_to),
	    cmocka_unit_test(test_an_admin_need_not_wait_for_the_next_retry),
	    cmocka_unit_test(test_a_log_that_was_never_attached_has_nothing_to_pass_on),
	    cmocka_unit_test(test_what_a_mirror_has_grown_by_is_stale),
	    cmocka_unit_test(test_maps_that_make_no_sense_are_not_an_attached_mirror),
	    cmocka_unit_test(test_the_census_counts_each_region_as_what_it_is),
	    cmocka_unit_test(test_every_state_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
