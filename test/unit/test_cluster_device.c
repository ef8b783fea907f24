/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A group whose log device is somebody else's, fails, says nonsense or answers late: what is served
 * meanwhile, what has to be compared afterwards, and whose locks are whose.
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
#include "test/unit/cluster_rig.h"

#define FAILS(effect) (UINT32_C(1) << (effect))
#define LOST(kind)    (UINT32_C(1) << (kind))

static void used_by(struct cluster *c, const uint32_t owner[MEMBERS])
{
	c->used = true;
	memset(c->sync, 0xff, sizeof(c->sync));
	memcpy(c->owner, owner, sizeof(c->owner));
}

static uint64_t copies(const struct cluster *c)
{
	uint64_t sum = 0;

	for (uint32_t i = 1; i <= NODES; i++)
		sum += c->node[i].copies;
	return sum;
}

/* All of its nodes died at once, and the first to come back is none of them. */
static void a_newcomer_founds_with_a_dead_members_slot(void **state)
{
	static const uint32_t owner[MEMBERS] = {2, 3, 4, 9};
	struct cluster *c = cluster_make(true);

	(void)state;
	used_by(c, owner);
	bits_set(c->slot[0], 7);
	bits_set(c->slot[2], 20);
	node_attaches(c, 1, MLOG_SYNC_KEEP);
	assert_int_equal(node_status(c, 1).slot, 0);
	assert_int_equal(c->owner[0], 1);
	time_passes(c, 5000);
	assert_int_equal(node_status(c, 1).members, 1);
	assert_int_equal(copies(c), 2);
	assert_int_equal(bits_count(c->slot[2], REGIONS), 0);
	cluster_end(c);
}

/* Nobody knows whose slots there are: their locks tell. */
static void a_founder_that_cannot_read_the_log_recovers_all(void **state)
{
	struct cluster *c = cluster_make(true);

	(void)state;
	c->failing = FAILS(MLOG_LOAD) | FAILS(MLOG_CLAIM) | FAILS(MLOG_READ_SLOT);
	c->error = -EIO;
	node_attaches(c, 1, MLOG_SYNC_KEEP);
	assert_int_equal(node_status(c, 1).log, MLOG_LOG_FAILED);
	assert_int_equal(node_status(c, 1).in_sync, 0);
	assert_int_equal(c->node[1].notices[MLOG_NOTICE_LOG_FAILED], 1);
	node_marks(c, 1, 3);
	c->failing = 0;
	time_passes(c, 20000);
	assert_int_equal(node_status(c, 1).log, MLOG_LOG_OK);
	assert_int_equal(node_status(c, 1).members, 1);
	assert_true(bits_test(c->slot[node_status(c, 1).slot], 3));
	cluster_end(c);
}

/* The others have gone on with other legs meanwhile. It waits, and keeps nobody
 * from attaching; with the table that counts it is served. */
static void an_outdated_table_is_not_served(void **state)
{
	struct cluster *c = cluster_make(true);
	uint32_t seq;

	(void)state;
	c->failing = FAILS(MLOG_LOAD);
	c->error = -ESTALE;
	node_starts(c, 1, MLOG_SYNC_KEEP, false);
	seq = node_asks(c, 1, ULOG_RESUME, REGIONS, false);
	assert_null(node_reply(&c->node[1], seq));
	assert_int_equal(c->node[1].notices[MLOG_NOTICE_OUTDATED], 1);
	for (uint32_t lock = 0; lock <= MLOG_LOCK_MAP; lock++)
		assert_int_equal(c->holder[lock], NOBODY);
	time_passes(c, 60000);
	assert_int_equal(node_status(c, 1).phase, MLOG_ATTACHING);
	assert_int_equal(c->node[1].notices[MLOG_NOTICE_OUTDATED], 1);
	c->failing = 0;
	node_attaches(c, 2, MLOG_SYNC_NOSYNC);
	node_marks(c, 2, 5);
	time_passes(c, 60000);
	assert_int_equal(node_status(c, 2).members, 1);
	assert_int_equal(node_status(c, 1).phase, MLOG_ATTACHING);
	node_dies(c, 1); /* its kernel waits for the resume, and cannot be made to stop */
	node_fenced(c, 1);
	node_attaches(c, 1, MLOG_SYNC_KEEP);
	assert_int_equal(node_status(c, 2).members, 2);
	node_clears(c, 2, 5);
	cluster_end(c);
}

/* Node 1 writes the map. Should all die now, the region must not be found crash-dirty only. */
static void a_region_is_stale_on_the_device_before_the_write_is_done(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 2; i++) {
		struct cluster *c = cluster_of(true, 2);
		uint32_t seq;

		node_marks(c, i, 20);
		c->silent = FAILS(MLOG_WRITE);
		seq = node_asks(c, i, ULOG_SET_REGION_SYNC, 20, false);
		assert_null(node_reply(&c->node[i], seq));
		assert_false(hot_in_sync(&c->node[1].hot, 20));
		c->silent = 0;
		device_answers(c);
		cluster_settle(c);
		assert_false(bits_test(c->sync, 20));
		node_answered(c, i, seq);
		cluster_end(c);
	}
}

/* It detached while a write was on its way, and nobody waits for that any more. */
static void who_is_suspended_does_not_time_a_write_out_for_ever(void **state)
{
	struct cluster *c = cluster_of(true, 2);
	struct node *n = &c->node[2];

	(void)state;
	c->silent = FAILS(MLOG_WRITE);
	node_asks(c, 2, ULOG_MARK_REGION, 20, false);
	node_asks(c, 2, ULOG_CLEAR_REGION, 20, false);
	node_asks(c, 2, ULOG_PRESUSPEND, REGIONS, false);
	node_asks(c, 2, ULOG_POSTSUSPEND, REGIONS, false);
	time_passes(c, 60000);
	assert_int_equal(node_status(c, 2).phase, MLOG_SUSPENDED);
	assert_true(n->timer_ms == 0 || n->timer_ms > c->now_ms);
	c->silent = 0;
	device_answers(c);
	cluster_end(c);
}

static void joins_with_everything_to_be_compared(struct cluster *c)
{
	for (uint32_t i = 1; i <= 3; i++)
		c->node[i].hold_copies = true;
	node_attaches(c, 3, MLOG_SYNC_NOSYNC);
	assert_int_equal(node_status(c, 1).repair, REGIONS);
	assert_int_equal(node_status(c, 3).repair, REGIONS);
	cluster_end(c);
}

static void a_joiner_that_cannot_read_its_slot_has_everything_compared(void **state)
{
	struct cluster *c = cluster_of(true, 2);

	(void)state;
	c->failing = FAILS(MLOG_LOAD);
	c->error = -EIO;
	joins_with_everything_to_be_compared(c);
}

static void so_has_one_whose_device_had_failed_before(void **state)
{
	struct cluster *c = cluster_of(true, 2);

	(void)state;
	c->distrust = true;
	joins_with_everything_to_be_compared(c);
}

static void a_dead_members_slot_that_cannot_be_read_means_any_region(void **state)
{
	struct cluster *c = cluster_of(true, 3);

	(void)state;
	node_marks(c, 2, 20);
	c->node[1].hold_copies = c->node[3].hold_copies = true;
	node_dies(c, 2);
	c->failing = FAILS(MLOG_READ_SLOT);
	c->error = -EIO;
	node_fenced(c, 2);
	assert_int_equal(node_status(c, 1).gone, 0);
	assert_int_equal(node_status(c, 1).repair, REGIONS);
	assert_int_equal(node_status(c, 3).repair, REGIONS);
	/* and is in the heir's slot until it is repaired */
	assert_int_equal(bits_count(c->slot[node_status(c, 1).slot], REGIONS), REGIONS);
	cluster_end(c);
}

/* What it had read is told all the same; the slot is taken over once more by whoever can. */
static void a_takeover_goes_on_when_the_device_fails_half_way(void **state)
{
	static const enum mlog_effect_kind at[] = {MLOG_WRITE, MLOG_EMPTY_SLOT};

	(void)state;
	for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		struct cluster *c = cluster_of(true, 3);

		node_marks(c, 2, 20);
		c->node[1].hold_copies = c->node[3].hold_copies = true;
		node_dies(c, 2);
		c->failing = FAILS(at[i]);
		c->error = -EIO;
		node_fenced(c, 2);
		assert_int_equal(node_status(c, 1).gone, 0);
		assert_int_equal(node_status(c, 1).repair, 1);
		assert_true(hot_repair(&c->node[3].hot, 20));
		c->failing = 0;
		time_passes(c, 10000);
		assert_int_equal(node_status(c, 1).log, MLOG_LOG_OK);
		assert_true(bits_test(c->slot[node_status(c, 1).slot], 20));
		cluster_end(c);
	}
}

/* It was replaced by another disk: one finds out, all begin anew. */
static void a_log_that_is_not_ours_any_more_is_written_anew_by_all(void **state)
{
	struct cluster *c = cluster_of(true, 2);

	(void)state;
	node_marks(c, 2, 20);
	c->failing = FAILS(MLOG_WRITE) | FAILS(MLOG_CLAIM);
	c->error = -ESTALE;
	node_marks(c, 1, 10);
	assert_int_equal(node_status(c, 1).log, MLOG_LOG_FAILED);
	assert_int_equal(node_status(c, 2).log, MLOG_LOG_OK);
	time_passes(c, 5000);
	assert_int_equal(node_status(c, 2).log, MLOG_LOG_FAILED);
	memset(c->slot, 0, sizeof(c->slot));
	memset(c->sync, 0, sizeof(c->sync));
	c->failing = 0;
	time_passes(c, 15000);
	assert_int_equal(node_status(c, 1).log, MLOG_LOG_OK);
	assert_int_equal(node_status(c, 2).log, MLOG_LOG_OK);
	assert_true(bits_test(c->slot[node_status(c, 1).slot], 10));
	assert_true(bits_test(c->slot[node_status(c, 2).slot], 20));
	assert_int_equal(bits_count(c->sync, REGIONS), REGIONS);
	cluster_end(c);
}

/* With the device the marks of a dead node are lost, before anybody has inherited them. */
static void a_lost_log_may_have_held_any_mark_of_who_is_gone(void **state)
{
	struct cluster *c = cluster_of(true, 3);

	(void)state;
	node_marks(c, 2, 20);
	node_dies(c, 2);
	c->failing = FAILS(MLOG_WRITE) | FAILS(MLOG_CLAIM);
	c->error = -ESTALE;
	node_marks(c, 1, 10);
	assert_int_equal(node_status(c, 3).repair, 0);
	time_passes(c, 5000);
	assert_int_equal(node_status(c, 1).repair, REGIONS);
	assert_int_equal(node_status(c, 3).repair, REGIONS);
	c->failing = 0;
	node_fenced(c, 2);
	node_clears(c, 1, 10);
	time_passes(c, 60000);
	assert_int_equal(node_status(c, 1).gone, 0);
	assert_int_equal(node_status(c, 1).repair, 0);
	cluster_end(c);
}

/* It is suspended, and its log device had failed when it left: the device does not know what it
 * did. */
static void a_founder_asks_what_the_log_does_not_tell(void **state)
{
	struct cluster *c = cluster_of(true, 2);

	(void)state;
	c->failing = FAILS(MLOG_WRITE) | FAILS(MLOG_CLAIM) | FAILS(MLOG_RELEASE);
	c->error = -EIO;
	node_marks(c, 1, 10);
	node_clears(c, 1, 10);
	assert_int_equal(node_status(c, 1).log, MLOG_LOG_FAILED);
	node_leaves(c, 1);
	node_leaves(c, 2);
	daemon_dies(c, 2);
	c->failing = 0;
	node_attaches(c, 2, MLOG_SYNC_NOSYNC);
	assert_int_equal(node_status(c, 2).in_sync, 0);
	cluster_end(c);
}

/* The log device has failed another: what that marked, and may have been told, is not on it. */
static void who_leaves_somebody_without_a_log_does_not_trust_it(void **state)
{
	struct cluster *c = cluster_of(true, 2);

	(void)state;
	c->failing = FAILS(MLOG_WRITE);
	c->error = -EIO;
	node_marks(c, 1, 10);
	c->failing = 0;
	assert_int_equal(node_status(c, 1).log, MLOG_LOG_FAILED);
	node_leaves(c, 2);
	node_dies(c, 1);
	node_fenced(c, 1);
	daemon_dies(c, 2);
	node_starts(c, 2, MLOG_SYNC_KEEP, true);
	node_answered(c, 2, node_asks(c, 2, ULOG_RESUME, REGIONS, false));
	assert_int_equal(node_status(c, 2).in_sync, 0);
	cluster_end(c);
}

/* Its kernel was writing all the time; who told it on the device has left. */
static void a_new_daemon_founds_with_what_others_called_stale(void **state)
{
	(void)state;
	for (unsigned planned = 0; planned < 2; planned++) {
		struct cluster *c = cluster_of(true, 2);

		if (planned != 0)
			daemon_hands_over(c, 1);
		else
			daemon_dies(c, 1);
		node_answered(c, 2, node_asks(c, 2, ULOG_SET_REGION_SYNC, 20, false));
		node_leaves(c, 2);
		node_starts(c, 1, MLOG_SYNC_NOSYNC, true);
		time_passes(c, 3000);
		assert_int_equal(node_status(c, 1).phase, MLOG_ACTIVE);
		assert_int_equal(node_status(c, 1).in_sync, REGIONS - 1);
		assert_false(hot_in_sync(&c->node[1].hot, 20));
		cluster_end(c);
	}
}

/* To write it anew is to forget the old one: all are to know it first. */
static void nobody_writes_a_lost_log_anew_before_it_was_heard(void **state)
{
	struct cluster *c = cluster_of(true, 2);

	(void)state;
	c->failing = FAILS(MLOG_WRITE) | FAILS(MLOG_CLAIM);
	c->error = -ESTALE;
	c->lost = LOST(MLOG_MSG_LOST);
	node_marks(c, 1, 10);
	time_passes(c, 5000);
	c->failing = 0;
	time_passes(c, 15000);
	assert_int_equal(node_status(c, 1).log, MLOG_LOG_FAILED);
	cluster_end(c);
}

/* The device is blank, and not because its slot was: what that held may have been on the old one.
 */
static void a_joiner_whose_slot_is_not_its_own_has_everything_compared(void **state)
{
	struct cluster *c = cluster_of(true, 2);

	(void)state;
	c->node[1].hold_copies = c->node[2].hold_copies = true;
	node_leaves(c, 2);
	c->failing = FAILS(MLOG_CLAIM);
	c->error = -ESTALE;
	node_answered(c, 2, node_asks(c, 2, ULOG_RESUME, REGIONS, false));
	assert_int_equal(node_status(c, 1).repair, REGIONS);
	cluster_end(c);
}

/* The release may still be written when the mirror is active again. */
static void a_late_release_does_not_take_the_next_lifes_locks(void **state)
{
	struct cluster *c = cluster_of(true, 2);
	uint32_t slot = node_status(c, 2).slot;
	uint32_t seq;

	(void)state;
	c->silent = FAILS(MLOG_RELEASE);
	node_answered(c, 2, node_asks(c, 2, ULOG_PRESUSPEND, REGIONS, false));
	seq = node_asks(c, 2, ULOG_POSTSUSPEND, REGIONS, false);
	assert_null(node_reply(&c->node[2], seq));
	time_passes(c, 11000);
	node_answered(c, 2, seq);
	assert_int_equal(c->holder[slot], 2);
	node_answered(c, 2, node_asks(c, 2, ULOG_RESUME, REGIONS, false));
	assert_int_equal(node_status(c, 2).log, MLOG_LOG_FAILED);
	device_answers(c);
	assert_int_equal(c->holder[slot], 2);
	time_passes(c, 10000);
	assert_int_equal(node_status(c, 2).log, MLOG_LOG_OK);
	node_marks(c, 2, 20);
	assert_true(bits_test(c->slot[slot], 20));
	cluster_end(c);
}

/* An attach does not wait for ever for what the device does not answer. */
static void a_founder_does_not_wait_for_a_write_that_is_never_answered(void **state)
{
	struct cluster *c = cluster_of(true, 1);
	uint32_t seq;

	(void)state;
	c->silent = FAILS(MLOG_RELEASE) | FAILS(MLOG_WRITE);
	node_answered(c, 1, node_asks(c, 1, ULOG_PRESUSPEND, REGIONS, false));
	seq = node_asks(c, 1, ULOG_POSTSUSPEND, REGIONS, false);
	time_passes(c, 11000);
	node_answered(c, 1, seq);
	seq = node_asks(c, 1, ULOG_RESUME, REGIONS, false);
	time_passes(c, 5000);
	assert_null(node_reply(&c->node[1], seq));
	time_passes(c, 6000);
	node_answered(c, 1, seq);
	assert_int_equal(node_status(c, 1).log, MLOG_LOG_FAILED);
	cluster_end(c);
}

/* A new daemon is still reading the log when its mirror is suspended: a claim would be nobody's. */
static void a_load_that_is_answered_after_the_leave_claims_nothing(void **state)
{
	struct cluster *c = cluster_of(true, 1);
	uint32_t slot = node_status(c, 1).slot;
	uint32_t seq;

	(void)state;
	node_marks(c, 1, 20);
	node_clears(c, 1, 20);
	daemon_dies(c, 1);
	c->silent = FAILS(MLOG_LOAD);
	node_starts(c, 1, MLOG_SYNC_NOSYNC, true);
	assert_int_equal(c->lates, 1);
	node_answered(c, 1, node_asks(c, 1, ULOG_PRESUSPEND, REGIONS, false));
	seq = node_asks(c, 1, ULOG_POSTSUSPEND, REGIONS, false);
	device_answers(c);
	time_passes(c, 1000);
	node_answered(c, 1, seq);
	assert_int_equal(node_status(c, 1).phase, MLOG_SUSPENDED);
	assert_int_equal(c->holder[MLOG_LOCK_MAP], NOBODY);
	assert_int_equal(c->owner[slot], 1); /* as it was left */
	assert_true(bits_test(c->slot[slot], 20));
	node_answered(c, 1, node_asks(c, 1, ULOG_RESUME, REGIONS, false));
	assert_int_equal(node_status(c, 1).log, MLOG_LOG_OK);
	cluster_end(c);
}

/* EMPTY_SLOT is a write to that slot. */
static void who_detaches_keeps_a_slots_lock_until_it_is_empty(void **state)
{
	struct cluster *c = cluster_of(true, 3);
	uint32_t slot = node_status(c, 2).slot;

	(void)state;
	node_marks(c, 2, 20);
	node_dies(c, 2);
	c->silent = FAILS(MLOG_EMPTY_SLOT);
	node_fenced(c, 2);
	assert_int_equal(c->holder[slot], 1);
	assert_false(mlog_quiet(c->node[1].m));
	node_leaves(c, 1);
	assert_int_equal(c->holder[slot], 1);
	device_answers(c);
	time_passes(c, 2000);
	assert_int_equal(c->holder[slot], NOBODY);
	assert_int_equal(node_status(c, 3).gone, 0);
	assert_int_equal(copies(c), 1); /* region 20, from the slot of who left */
	cluster_end(c);
}

/* Its slot had the dead node's bits already, and nobody else had heard of them. */
static void an_heirs_next_daemon_tells_what_it_had_inherited(void **state)
{
	struct cluster *c = cluster_of(true, 3);

	(void)state;
	node_marks(c, 2, 20);
	c->node[1].hold_copies = c->node[3].hold_copies = true;
	node_dies(c, 2);
	c->lost = LOST(MLOG_MSG_DIRTY);
	node_fenced(c, 2);
	assert_true(bits_test(c->slot[node_status(c, 1).slot], 20));
	assert_int_equal(node_status(c, 3).repair, 0);
	c->silent = 0;
	daemon_dies(c, 1);
	c->lost = 0;
	node_starts(c, 1, MLOG_SYNC_NOSYNC, true);
	time_passes(c, 100);
	assert_int_equal(node_status(c, 1).phase, MLOG_ACTIVE);
	assert_true(hot_repair(&c->node[3].hot, 20));
	assert_true(bits_test(c->slot[node_status(c, 1).slot], 20));
	cluster_end(c);
}

/* Node 1 has marked region 20 while its device was away; that it is back the others do not hear. */
static struct cluster *cluster_with_old_marks(void)
{
	struct cluster *c = cluster_of(true, 2);

	c->failing = FAILS(MLOG_WRITE) | FAILS(MLOG_CLAIM);
	c->error = -EIO;
	node_marks(c, 1, 20);
	c->failing = 0;
	c->lost = LOST(MLOG_MSG_UNMARKS);
	time_passes(c, 6000);
	c->lost = 0;
	assert_int_equal(node_status(c, 1).log, MLOG_LOG_OK);
	assert_true(mlog_member(c->node[2].m, node_status(c, 1).slot)->replicated);
	return c;
}

static void who_has_lost_quorum_takes_its_marks_back(void **state)
{
	struct mlog_event view = {.kind = MLOG_EV_VIEW};
	struct cluster *c = cluster_with_old_marks();
	uint32_t alone = 1;

	(void)state;
	view.view.node = &alone;
	view.view.count = 1;
	node_step(c, &c->node[1], &view);
	cluster_view(c);
	assert_false(mlog_member(c->node[2].m, node_status(c, 1).slot)->replicated);
	assert_true(bits_test(c->slot[node_status(c, 1).slot], 20));
	cluster_end(c);
}

/* The slot has lost them by then. */
static void so_does_the_next_daemon(void **state)
{
	struct cluster *c = cluster_with_old_marks();
	uint32_t slot = node_status(c, 1).slot;
	uint32_t seq;

	(void)state;
	node_clears(c, 1, 20);
	c->lost = LOST(MLOG_MSG_UNMARKS);
	time_passes(c, 10000);
	c->lost = 0;
	assert_false(bits_test(c->slot[slot], 20));
	daemon_hands_over(c, 1);
	c->silent = FAILS(MLOG_WRITE); /* under way */
	node_starts(c, 1, MLOG_SYNC_NOSYNC, true);
	seq = node_asks(c, 1, ULOG_MARK_REGION, 20, false);
	assert_null(node_reply(&c->node[1], seq));
	device_answers(c);
	node_answered(c, 1, seq);
	assert_true(bits_test(c->slot[slot], 20));
	assert_false(mlog_member(c->node[2].m, slot)->replicated);
	cluster_end(c);
}

/* "nosync" is for a mirror that nobody has had, not for a log device that was replaced. */
static void a_blank_log_of_a_mirror_that_somebody_had_recovers_all(void **state)
{
	struct cluster *c = cluster_of(true, 2);

	(void)state;
	node_leaves(c, 1);
	node_leaves(c, 2);
	c->used = false;
	daemon_dies(c, 1);
	node_attaches(c, 1, MLOG_SYNC_NOSYNC); /* a new table: only node 2 has had it */
	assert_int_equal(node_status(c, 1).in_sync, 0);
	node_leaves(c, 1);
	node_answered(c, 2, node_asks(c, 2, ULOG_RESUME, REGIONS, false));
	assert_int_equal(node_status(c, 2).in_sync, 0); /* as the device says */
	node_leaves(c, 2);
	node_dies(c, 1);
	c->used = false;
	node_answered(c, 2, node_asks(c, 2, ULOG_RESUME, REGIONS, false));
	assert_int_equal(node_status(c, 2).in_sync, 0);
	cluster_end(c);
}

/* Who hears of it writes one leg only, without a mark: it must not be forgotten with all who heard.
 */
static void what_a_new_daemon_calls_stale_is_in_its_slot_before_anybody_hears_of_it(void **state)
{
	struct cluster *c = cluster_of(true, 2);
	uint32_t slot = node_status(c, 1).slot;

	(void)state;
	daemon_dies(c, 1);
	hot_unseen_set(&c->node[1].hot, 20, true);
	c->silent = FAILS(MLOG_CLAIM) | FAILS(MLOG_WRITE);
	node_starts(c, 1, MLOG_SYNC_NOSYNC, true);
	time_passes(c, 100);
	assert_true(bits_test(c->slot[slot], 20)); /* and not answered */
	assert_int_equal(node_status(c, 2).in_sync, REGIONS);
	device_answers(c);
	assert_int_equal(node_status(c, 2).in_sync, REGIONS - 1);
	assert_int_equal(mlog_member(c->node[2].m, slot)->state, MLOG_MEMBER_READY);
	cluster_end(c);
}

/* Half of another's state is in its maps, its own is gone, and nobody has a whole one. */
static void who_is_left_with_half_a_state_recovers_everything(void **state)
{
	struct cluster *c = cluster_of(false, 2);

	(void)state;
	daemon_dies(c, 2);
	c->lost = LOST(MLOG_MSG_STATE);
	node_starts(c, 2, MLOG_SYNC_NOSYNC, true);
	node_dies(c, 1);
	node_fenced(c, 1);
	time_passes(c, 3000);
	assert_int_equal(node_status(c, 2).phase, MLOG_ACTIVE);
	assert_int_equal(node_status(c, 2).in_sync, 0);
	node_marks(c, 2, 5);
	cluster_end(c);
}

/* Node 2 was seen to die when node 1 left: its marks are in the memory of the table alone. */
static void memory_counts_beside_a_device_that_has_missed_something(void **state)
{
	struct cluster *c = cluster_of(true, 2);

	(void)state;
	c->failing = FAILS(MLOG_WRITE) | FAILS(MLOG_CLAIM);
	c->error = -EIO;
	node_marks(c, 2, 20);
	node_dies(c, 2);
	node_leaves(c, 1);
	c->failing = 0;
	node_fenced(c, 2);
	c->node[1].hold_copies = true;
	node_answered(c, 1, node_asks(c, 1, ULOG_RESUME, REGIONS, false));
	assert_int_equal(node_status(c, 1).gone, 0);
	assert_true(hot_repair(&c->node[1].hot, 20));
	assert_int_equal(node_status(c, 1).repair, 1);
	assert_true(bits_test(c->slot[node_status(c, 1).slot], 20));
	cluster_end(c);
}

/* The log device had failed, and all others die before the next daemon is there: it alone can know
 * what they had marked. */
static void marks_in_memory_are_handed_over(void **state)
{
	struct cluster *c = cluster_of(true, 3);

	(void)state;
	c->failing =
	    FAILS(MLOG_WRITE) | FAILS(MLOG_CLAIM) | FAILS(MLOG_LOAD) | FAILS(MLOG_READ_SLOT);
	c->error = -EIO;
	for (uint32_t i = 1; i <= 3; i++)
		node_marks(c, i, 10 * i);
	daemon_hands_over(c, 1);
	node_dies(c, 2);
	node_dies(c, 3);
	assert_true((hot_others_word(&c->node[1].hot, 0) >> 20 & 1) != 0);
	c->node[1].hold_copies = true;
	c->failing = 0;
	node_starts(c, 1, MLOG_SYNC_NOSYNC, true);
	node_fenced(c, 2);
	node_fenced(c, 3);
	time_passes(c, 2000);
	assert_int_equal(node_status(c, 1).repair, 2);
	assert_true(hot_repair(&c->node[1].hot, 20));
	assert_true(hot_repair(&c->node[1].hot, 30));
	cluster_end(c);
}

/* The others have claimed one that has replaced the old one, and the old daemon had not noticed. */
static void a_daemon_that_takes_over_claims_its_slot(void **state)
{
	struct cluster *c = cluster_of(true, 2);
	uint32_t slot = node_status(c, 1).slot;

	(void)state;
	node_marks(c, 1, 20);
	daemon_hands_over(c, 1);
	c->owner[slot] = NOBODY;
	memset(c->slot[slot], 0, sizeof(c->slot[slot]));
	node_starts(c, 1, MLOG_SYNC_NOSYNC, true);
	time_passes(c, 2000);
	assert_int_equal(c->owner[slot], 1);
	assert_true(bits_test(c->slot[slot], 20));
	cluster_end(c);
}

/* Node 2 died when nobody could read its slot: any region may be dirty, and no slot said so. */
static void what_is_crash_dirty_is_in_a_slot_when_the_device_is_back(void **state)
{
	struct cluster *c = cluster_of(true, 2);

	(void)state;
	c->failing = FAILS(MLOG_WRITE) | FAILS(MLOG_CLAIM) | FAILS(MLOG_READ_SLOT);
	c->error = -EIO;
	node_marks(c, 1, 5);
	c->node[1].hold_copies = true;
	node_dies(c, 2);
	node_fenced(c, 2);
	assert_int_equal(node_status(c, 1).repair, REGIONS);
	c->failing = 0;
	time_passes(c, 10000);
	assert_int_equal(node_status(c, 1).log, MLOG_LOG_OK);
	for (uint64_t r = 0; r < REGIONS; r++)
		assert_true(bits_test(c->slot[node_status(c, 1).slot], r));
	cluster_end(c);
}

/* The same of one whose device works, but whose own slot tells nothing. */
static void so_it_is_by_the_word_of_a_joiner(void **state)
{
	struct cluster *c = cluster_of(true, 1);

	(void)state;
	c->node[1].hold_copies = c->node[2].hold_copies = true;
	c->distrust = true;
	node_attaches(c, 2, MLOG_SYNC_NOSYNC);
	assert_int_equal(node_status(c, 1).repair, REGIONS);
	for (uint64_t r = 0; r < REGIONS; r++)
		assert_true(bits_test(c->slot[node_status(c, 2).slot], r));
	cluster_end(c);
}

/* It may be node 1 that is fenced, and then node 2 reads its slot. */
static void a_mark_that_nobody_hears_waits_until_it_is_known_who_lives(void **state)
{
	struct cluster *c = cluster_of(true, 2);
	uint32_t first;
	uint32_t second;

	(void)state;
	node_dies(c, 2);
	c->failing = FAILS(MLOG_WRITE) | FAILS(MLOG_CLAIM) | FAILS(MLOG_READ_SLOT);
	c->error = -EIO;
	first = node_asks(c, 1, ULOG_MARK_REGION, 5, false);
	second = node_asks(c, 1, ULOG_MARK_REGION, 6, false);
	assert_false(hot_dirty(&c->node[1].hot, 5) || hot_dirty(&c->node[1].hot, 6));
	node_fenced(c, 2);
	assert_true(hot_dirty(&c->node[1].hot, 5) && hot_dirty(&c->node[1].hot, 6));
	assert_int_equal(c->node[1].replies, 2);
	assert_int_equal(c->node[1].reply[0].seq, first);
	assert_int_equal(c->node[1].reply[1].seq, second);
	cluster_end(c);
}

/* Node 2 was parted meanwhile, and finds nobody who could tell it. */
static void what_others_called_stale_and_left_counts_beside_memory(void **state)
{
	struct mlog_event view = {.kind = MLOG_EV_VIEW};
	struct cluster *c = cluster_of(true, 2);

	(void)state;
	for (uint32_t n = 2; n >= 1; n--) {
		view.view.node = &n;
		view.view.count = 1;
		view.view.quorate = n == 1;
		node_step(c, &c->node[n], &view);
	}
	cluster_settle(c);
	node_answered(c, 1, node_asks(c, 1, ULOG_SET_REGION_SYNC, 5, false));
	node_leaves(c, 1);
	assert_int_equal(node_status(c, 2).in_sync, REGIONS);
	cluster_view(c);
	assert_true(node_status(c, 2).quorate);
	assert_false(hot_in_sync(&c->node[2].hot, 5));
	cluster_end(c);
}

static void quorum_comes_back(struct cluster *c, uint32_t number)
{
	struct mlog_event view = {.kind = MLOG_EV_VIEW};

	view.view.node = &number;
	view.view.count = 1;
	node_step(c, &c->node[number], &view);
	cluster_view(c);
}

/* The device was replaced, and with it the marks of who has died. */
static void that_all_is_crash_dirty_is_not_forgotten_with_the_quorum(void **state)
{
	struct cluster *c = cluster_of(true, 2);

	(void)state;
	node_marks(c, 2, 10);
	node_dies(c, 2);
	c->used = false;
	memset(c->slot, 0, sizeof(c->slot));
	memset(c->owner, 0, sizeof(c->owner));
	c->lost = LOST(MLOG_MSG_DIRTY);
	quorum_comes_back(c, 1);
	assert_int_equal(bits_count(c->slot[node_status(c, 1).slot], REGIONS), REGIONS);
	c->lost = 0;
	quorum_comes_back(c, 1);
	assert_int_equal(node_status(c, 1).gone, 1);
	assert_int_equal(node_status(c, 1).repair, REGIONS);
	cluster_end(c);
}

static void node_alone(struct cluster *c, uint32_t number, bool quorate)
{
	struct mlog_event view = {.kind = MLOG_EV_VIEW};

	view.view.node = &number;
	view.view.count = 1;
	view.view.quorate = quorate;
	node_step(c, &c->node[number], &view);
}

/* Node 2 alone has what node 3 had marked, and asks for the map's lock, which node 1 still has. */
static void nor_with_who_suspends_while_it_founds_anew(void **state)
{
	struct cluster *c = cluster_of(true, 3);

	(void)state;
	c->node[2].hold_copies = true;
	node_marks(c, 3, 10);
	node_dies(c, 3);
	node_alone(c, 1, false);
	node_alone(c, 2, true);
	node_fenced(c, 3);
	assert_true(hot_repair(&c->node[2].hot, 10));
	node_alone(c, 2, false);
	node_alone(c, 2, true);
	cluster_settle(c);
	assert_int_equal(c->holder[MLOG_LOCK_MAP], 1);
	node_leaves(c, 2);
	node_dies(c, 1);
	node_fenced(c, 1);
	node_answered(c, 2, node_asks(c, 2, ULOG_RESUME, REGIONS, false));
	assert_true(hot_repair(&c->node[2].hot, 10));
	cluster_end(c);
}

/* A joiner's device had failed it before, and it dies when it has claimed that. */
static void nor_with_who_was_to_tell_it(void **state)
{
	struct cluster *c = cluster_of(true, 2);

	(void)state;
	c->node[1].hold_copies = true;
	node_leaves(c, 2);
	c->distrust = true;
	c->lost = LOST(MLOG_MSG_DIRTY);
	node_asks(c, 2, ULOG_RESUME, REGIONS, false);
	assert_int_equal(node_status(c, 2).phase, MLOG_ATTACHING);
	c->lost = 0;
	node_dies(c, 2);
	node_fenced(c, 2);
	assert_int_equal(node_status(c, 1).gone, 0);
	assert_int_equal(node_status(c, 1).repair, REGIONS);
	cluster_end(c);
}

/* The log device names it, and had failed it: what it called stale since is in its memory only. */
static void a_founder_waits_for_who_the_log_names_and_who_lives(void **state)
{
	(void)state;
	for (unsigned fenced = 0; fenced < 2; fenced++) {
		struct cluster *c = cluster_of(true, 1);
		uint32_t seq;

		c->failing = FAILS(MLOG_WRITE);
		c->error = -EIO;
		node_marks(c, 1, 20);
		node_answered(c, 1, node_asks(c, 1, ULOG_SET_REGION_SYNC, 20, false));
		c->failing = 0;
		assert_true(bits_test(c->sync, 20));
		daemon_dies(c, 1);
		node_starts(c, 2, MLOG_SYNC_NOSYNC, false);
		seq = node_asks(c, 2, ULOG_RESUME, REGIONS, false);
		time_passes(c, 10000);
		assert_null(node_reply(&c->node[2], seq));
		if (fenced != 0) {
			node_dies(c, 1);
			node_fenced(c, 1); /* and with it what it knew */
			assert_int_equal(node_status(c, 2).gone, 0);
		} else {
			node_starts(c, 1, MLOG_SYNC_NOSYNC, true);
			assert_int_equal(node_status(c, 1).in_sync, REGIONS - 1);
			assert_false(hot_in_sync(&c->node[2].hot, 20));
		}
		node_answered(c, 2, seq);
		cluster_end(c);
	}
}

/* The one before it was alone, and its device had failed. */
static void who_gets_the_maps_lock_writes_what_is_stale_at_once(void **state)
{
	struct cluster *c = cluster_of(true, 1);

	(void)state;
	c->failing = FAILS(MLOG_WRITE);
	c->error = -EIO;
	node_marks(c, 1, 20);
	c->failing = 0;
	node_answered(c, 1, node_asks(c, 1, ULOG_SET_REGION_SYNC, 20, false));
	assert_int_equal(c->holder[MLOG_LOCK_MAP], 1);
	assert_true(bits_test(c->sync, 20));
	node_attaches(c, 2, MLOG_SYNC_NOSYNC);
	assert_int_equal(c->holder[MLOG_LOCK_MAP], 2);
	assert_false(bits_test(c->sync, 20));
	cluster_end(c);
}

static void whom_its_device_fails_leaves_the_map_to_who_can_write_it(void **state)
{
	struct cluster *c = cluster_of(true, 2);
	uint32_t seq;

	(void)state;
	assert_int_equal(c->holder[MLOG_LOCK_MAP], 1);
	c->failing = FAILS(MLOG_WRITE);
	c->error = -EIO;
	node_marks(c, 1, 20);
	assert_int_equal(c->holder[MLOG_LOCK_MAP], 2);
	c->failing = 0;
	c->silent = FAILS(MLOG_WRITE);
	seq = node_asks(c, 1, ULOG_SET_REGION_SYNC, 20, false);
	assert_null(node_reply(&c->node[1], seq));
	device_answers(c);
	assert_false(bits_test(c->sync, 20));
	node_answered(c, 1, seq);
	time_passes(c, 10000); /* its own is back */
	assert_int_equal(c->holder[MLOG_LOCK_MAP], 2);
	assert_int_equal(node_status(c, 1).log, MLOG_LOG_OK);
	node_clears(c, 1, 20);
	node_leaves(c, 2);
	assert_int_equal(c->holder[MLOG_LOCK_MAP], 1);
	cluster_end(c);
}

/* The log names it twice: an earlier life's slot could not be emptied. */
static void who_comes_back_has_the_slot_that_it_says(void **state)
{
	struct cluster *c = cluster_of(true, 3);

	(void)state;
	node_leaves(c, 2);
	daemon_dies(c, 2);
	daemon_dies(c, 1);
	daemon_dies(c, 3);
	assert_int_equal(c->owner[2], 3);
	c->owner[1] = 3;
	bits_set(c->slot[1], 7);
	c->silent = FAILS(MLOG_LOAD);
	node_starts(c, 1, MLOG_SYNC_NOSYNC, true);
	node_starts(c, 3, MLOG_SYNC_NOSYNC, true);
	device_answers(c);
	assert_int_equal(node_status(c, 3).slot, 2);
	time_passes(c, 1000);
	assert_int_equal(node_status(c, 1).gone, 0);
	assert_int_equal(node_status(c, 1).members, 2);
	assert_int_equal(c->owner[1], NOBODY);
	assert_int_equal(c->node[1].copied[0], 7);
	cluster_end(c);
}

/* The other one is gone, and the device has failed: nobody else knows what this one does. */
static void who_is_the_last_to_know_leaves_with_its_memory(void **state)
{
	struct cluster *c = cluster_of(true, 2);

	(void)state;
	c->failing = FAILS(MLOG_WRITE);
	c->error = -EIO;
	node_marks(c, 1, 10);
	c->failing = 0;
	assert_int_equal(node_status(c, 1).log, MLOG_LOG_FAILED);
	node_clears(c, 1, 10);
	node_answered(c, 1, node_asks(c, 1, ULOG_SET_REGION_SYNC, 20, false));
	node_dies(c, 2);
	assert_int_equal(node_status(c, 1).gone, 1);
	node_leaves(c, 1);
	assert_int_equal(atomic_load(&c->node[1].hot.shared->truth), MLOG_TRUTH_MEMORY);
	node_fenced(c, 2);
	c->node[1].hold_copies = true;
	node_answered(c, 1, node_asks(c, 1, ULOG_RESUME, REGIONS, false));
	assert_int_equal(node_status(c, 1).in_sync, REGIONS - 1);
	assert_false(hot_in_sync(&c->node[1].hot, 20));
	assert_int_equal(node_status(c, 1).repair, REGIONS - 1);
	cluster_end(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_newcomer_founds_with_a_dead_members_slot),
	    cmocka_unit_test(a_founder_that_cannot_read_the_log_recovers_all),
	    cmocka_unit_test(an_outdated_table_is_not_served),
	    cmocka_unit_test(a_region_is_stale_on_the_device_before_the_write_is_done),
	    cmocka_unit_test(who_is_suspended_does_not_time_a_write_out_for_ever),
	    cmocka_unit_test(a_joiner_that_cannot_read_its_slot_has_everything_compared),
	    cmocka_unit_test(so_has_one_whose_device_had_failed_before),
	    cmocka_unit_test(a_dead_members_slot_that_cannot_be_read_means_any_region),
	    cmocka_unit_test(a_takeover_goes_on_when_the_device_fails_half_way),
	    cmocka_unit_test(a_log_that_is_not_ours_any_more_is_written_anew_by_all),
	    cmocka_unit_test(a_lost_log_may_have_held_any_mark_of_who_is_gone),
	    cmocka_unit_test(a_founder_asks_what_the_log_does_not_tell),
	    cmocka_unit_test(who_leaves_somebody_without_a_log_does_not_trust_it),
	    cmocka_unit_test(a_new_daemon_founds_with_what_others_called_stale),
	    cmocka_unit_test(nobody_writes_a_lost_log_anew_before_it_was_heard),
	    cmocka_unit_test(a_joiner_whose_slot_is_not_its_own_has_everything_compared),
	    cmocka_unit_test(a_late_release_does_not_take_the_next_lifes_locks),
	    cmocka_unit_test(a_founder_does_not_wait_for_a_write_that_is_never_answered),
	    cmocka_unit_test(a_load_that_is_answered_after_the_leave_claims_nothing),
	    cmocka_unit_test(who_detaches_keeps_a_slots_lock_until_it_is_empty),
	    cmocka_unit_test(an_heirs_next_daemon_tells_what_it_had_inherited),
	    cmocka_unit_test(who_has_lost_quorum_takes_its_marks_back),
	    cmocka_unit_test(so_does_the_next_daemon),
	    cmocka_unit_test(
		what_a_new_daemon_calls_stale_is_in_its_slot_before_anybody_hears_of_it),
	    cmocka_unit_test(a_blank_log_of_a_mirror_that_somebody_had_recovers_all),
	    cmocka_unit_test(who_is_left_with_half_a_state_recovers_everything),
	    cmocka_unit_test(memory_counts_beside_a_device_that_has_missed_something),
	    cmocka_unit_test(marks_in_memory_are_handed_over),
	    cmocka_unit_test(a_daemon_that_takes_over_claims_its_slot),
	    cmocka_unit_test(what_is_crash_dirty_is_in_a_slot_when_the_device_is_back),
	    cmocka_unit_test(so_it_is_by_the_word_of_a_joiner),
	    cmocka_unit_test(a_mark_that_nobody_hears_waits_until_it_is_known_who_lives),
	    cmocka_unit_test(what_others_called_stale_and_left_counts_beside_memory),
	    cmocka_unit_test(that_all_is_crash_dirty_is_not_forgotten_with_the_quorum),
	    cmocka_unit_test(nor_with_who_suspends_while_it_founds_anew),
	    cmocka_unit_test(nor_with_who_was_to_tell_it),
	    cmocka_unit_test(a_founder_waits_for_who_the_log_names_and_who_lives),
	    cmocka_unit_test(who_gets_the_maps_lock_writes_what_is_stale_at_once),
	    cmocka_unit_test(whom_its_device_fails_leaves_the_map_to_who_can_write_it),
	    cmocka_unit_test(who_comes_back_has_the_slot_that_it_says),
	    cmocka_unit_test(who_is_the_last_to_know_leaves_with_its_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
