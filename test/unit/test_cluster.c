/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several cores in one group, told as stories: who attaches, what the others learn, what a death
 * leaves behind. The simulator (test/sim) is where the world is not kind.
 */
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

#define GROUP 32U /* regions that a kernel asks about at once */

/* ---- stories */

static void nodes_attach_in_any_order(void **state)
{
	struct cluster *c = cluster_make(true);

	(void)state;
	node_attaches(c, 2, MLOG_SYNC_NOSYNC);
	node_attaches(c, 3, MLOG_SYNC_NOSYNC);
	node_attaches(c, 1, MLOG_SYNC_NOSYNC);
	assert_int_equal(node_status(c, 1).members, 3);
	assert_int_equal(node_status(c, 2).members, 3);
	assert_int_equal(node_status(c, 1).in_sync, REGIONS);
	same_everywhere(c);
	node_leaves(c, 2);
	assert_int_equal(node_status(c, 1).members, 2);
	node_leaves(c, 1);
	node_leaves(c, 3);
	assert_true(c->clean);
	cluster_end(c);
}

static void each_marks_its_own_slot_without_a_message(void **state)
{
	struct cluster *c = cluster_of(true, 3);

	(void)state;
	for (uint32_t i = 1; i <= 3; i++) {
		node_marks(c, i, 10 * i);
		assert_true(bits_test(c->slot[node_status(c, i).slot], 10 * i));
	}
	assert_int_equal(bits_count(c->slot[node_status(c, 1).slot], REGIONS), 1);
	cluster_end(c);
}

static void a_dead_node_is_taken_over_when_it_is_proved_dead(void **state)
{
	struct cluster *c = cluster_of(true, 3);
	uint32_t slot = node_status(c, 2).slot;

	(void)state;
	node_marks(c, 2, 20);
	node_marks(c, 3, 30);
	c->node[1].hold_copies = c->node[3].hold_copies = true;
	node_dies(c, 2);
	time_passes(c, 5000);
	assert_int_equal(node_status(c, 1).gone, 1);
	assert_int_equal(node_status(c, 1).repair, 0);
	assert_true(bits_test(c->slot[slot], 20));
	node_fenced(c, 2);
	assert_int_equal(node_status(c, 1).gone, 0);
	assert_int_equal(node_status(c, 3).repair, 1);
	assert_false(bits_test(c->slot[slot], 20));
	assert_true(bits_test(c->slot[node_status(c, 1).slot], 20));
	same_everywhere(c);
	time_passes(c, 1000);
	assert_int_equal(c->node[1].copies + c->node[3].copies, 1);
	cluster_end(c);
}

static void a_claim_holds_the_marks_of_all(void **state)
{
	struct cluster *c = cluster_of(true, 3);
	struct mlog_event e = {.kind = MLOG_EV_COPIED};
	uint32_t copier;
	uint32_t seq;

	(void)state;
	node_marks(c, 2, 20);
	c->node[1].hold_copies = c->node[3].hold_copies = true;
	node_dies(c, 2);
	node_fenced(c, 2);
	time_passes(c, 1000);
	copier = c->node[1].copies > 0 ? 1 : 3;
	seq = node_asks(c, 4 - copier, ULOG_MARK_REGION, 20, false);
	assert_null(node_reply(&c->node[4 - copier], seq));
	c->node[1].hold_copies = c->node[3].hold_copies = false;
	e.copied.region = 20;
	e.copied.result = MLOG_COPY_REPAIRED;
	node_step(c, &c->node[copier], &e);
	cluster_settle(c);
	node_answered(c, 4 - copier, seq);
	assert_int_equal(node_status(c, 1).repair, 0);
	cluster_end(c);
}

/* Two that copy at once do not claim the same regions, and while they have other I/O the next claim waits. */
static void survivors_begin_at_different_regions(void **state)
{
	struct cluster *c = cluster_of(true, 3);
	uint32_t slot1 = node_status(c, 1).slot;
	const struct node *first = &c->node[slot1 < node_status(c, 3).slot ? 1 : 3];
	const struct node *second = first == &c->node[1] ? &c->node[3] : &c->node[1];

	(void)state;
	for (uint32_t i = 0; i < 12; i++)
		node_marks(c, 2, i);
	node_dies(c, 2);
	node_marks(c, 1, 100);
	node_marks(c, 3, 101);
	node_fenced(c, 2);
	assert_int_equal(first->copies, 4);
	assert_int_equal(second->copies, 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(first->copied[i], i);
		assert_int_equal(second->copied[i], 4 + i);
	}
	time_passes(c, 3 * BUSY_GAP_MS);
	assert_int_equal(node_status(c, 1).repair, 4);
	time_passes(c, BUSY_GAP_MS);
	assert_int_equal(node_status(c, 1).repair, 0);
	cluster_end(c);
}

/* Who resumes a table that did not clear it tells it as stale: what is stale is written without a
 * mark, and the mover has it already. */
static void a_region_that_becomes_stale_while_it_is_copied_is_not_written(void **state)
{
	struct cluster *c = cluster_of(true, 3);
	struct mlog_event e = {.kind = MLOG_EV_COPIED};
	uint32_t copier;
	uint32_t seq;

	(void)state;
	c->node[1].hold_copies = c->node[2].hold_copies = true;
	node_marks(c, 3, 20);
	node_answered(c, 3, node_asks(c, 3, ULOG_PRESUSPEND, REGIONS, false));
	seq = node_asks(c, 3, ULOG_POSTSUSPEND, REGIONS, false);
	time_passes(c, 1000);
	node_answered(c, 3, seq);
	copier = c->node[1].copies > 0 ? 1 : 2;
	assert_int_equal(node_status(c, copier).copying, 1);
	node_answered(c, 3, node_asks(c, 3, ULOG_RESUME, REGIONS, false));
	assert_false(hot_in_sync(&c->node[1].hot, 20));
	seq = node_asks(c, 3, ULOG_IS_REMOTE_RECOVERING, 20, false);
	assert_int_equal(node_reply(&c->node[3], seq)->word[0], 1);
	seq = node_asks(c, 3 - copier, ULOG_IN_SYNC, 20, false);
	assert_null(node_reply(&c->node[3 - copier], seq));
	e.copied.region = 20;
	e.copied.result = MLOG_COPY_REPAIRED;
	node_step(c, &c->node[copier], &e);
	cluster_settle(c);
	assert_int_equal(node_reply(&c->node[3 - copier], seq)->word[0], 0);
	seq = node_asks(c, 3, ULOG_IS_REMOTE_RECOVERING, 20, false);
	assert_int_equal(node_reply(&c->node[3], seq)->word[0], 0);
	cluster_end(c);
}

static void a_new_daemon_comes_back_with_its_marks(void **state)
{
	struct cluster *c = cluster_of(true, 3);

	(void)state;
	node_marks(c, 2, 20);
	daemon_dies(c, 2);
	time_passes(c, 2000);
	assert_int_equal(node_status(c, 1).gone, 1);
	node_starts(c, 2, MLOG_SYNC_NOSYNC, true);
	time_passes(c, 100);
	assert_int_equal(node_status(c, 1).gone, 0);
	assert_int_equal(node_status(c, 1).members, 3);
	assert_int_equal(node_status(c, 1).repair, 0);
	node_marks(c, 2, 21);
	assert_true(bits_test(c->slot[node_status(c, 2).slot], 20));
	node_clears(c, 2, 20);
	cluster_end(c);
}

static void a_node_that_boots_again_tells_what_it_left(void **state)
{
	struct cluster *c = cluster_of(true, 2);

	(void)state;
	node_marks(c, 2, 20);
	c->node[1].hold_copies = true;
	node_dies(c, 2);
	/* fencing is over only when it asks */
	node_starts(c, 2, MLOG_SYNC_NOSYNC, false);
	node_asks(c, 2, ULOG_RESUME, REGIONS, false);
	node_fenced(c, 2);
	time_passes(c, 2000);
	assert_int_equal(node_status(c, 2).phase, MLOG_ACTIVE);
	assert_int_equal(c->node[1].copies + c->node[2].copies, 1);
	c->node[1].hold_copies = false;
	cluster_end(c);
}

static void all_nodes_crash_and_one_comes_back(void **state)
{
	struct cluster *c = cluster_of(true, 3);

	(void)state;
	for (uint32_t i = 1; i <= 3; i++)
		node_marks(c, i, 10 * i);
	for (uint32_t i = 1; i <= 3; i++)
		node_dies(c, i);
	for (uint32_t i = 1; i <= 3; i++)
		node_fenced(c, i);
	node_attaches(c, 2, MLOG_SYNC_NOSYNC);
	time_passes(c, 10000);
	assert_int_equal(c->node[2].copies, 3);
	assert_int_equal(node_status(c, 2).repair, 0);
	assert_int_equal(node_status(c, 2).members, 1);
	cluster_end(c);
}

static void core_mode_marks_are_known_to_all(void **state)
{
	struct cluster *c = cluster_of(false, 3);

	(void)state;
	node_marks(c, 2, 20);
	node_attaches(c, 4, MLOG_SYNC_NOSYNC);
	c->node[1].hold_copies = c->node[3].hold_copies = c->node[4].hold_copies = true;
	same_everywhere(c);
	node_dies(c, 2);
	node_dies(c, 1);
	node_fenced(c, 1);
	node_fenced(c, 2);
	assert_int_equal(node_status(c, 4).gone, 0);
	assert_int_equal(node_status(c, 4).repair, 1);
	cluster_end(c);
}

/* What they did in between is known to those alone who come back with their kernels. */
static void who_is_handed_over_waits_for_those_it_was_among(void **state)
{
	(void)state;
	for (uint32_t dead = 0; dead <= 1; dead++) {
		struct cluster *c = cluster_of(false, 2);

		daemon_hands_over(c, 1);
		daemon_hands_over(c, 2);
		node_starts(c, 1, MLOG_SYNC_NOSYNC, true);
		time_passes(c, 100);
		assert_int_equal(atomic_load(&c->node[1].hot.shared->open), 0);
		if (dead) {
			node_fenced(c, 2);
		} else {
			node_starts(c, 2, MLOG_SYNC_NOSYNC, true);
			assert_int_equal(node_status(c, 2).in_sync, REGIONS);
		}
		time_passes(c, 2000);
		assert_int_equal(atomic_load(&c->node[1].hot.shared->open), 1);
		assert_int_equal(node_status(c, 1).in_sync, dead ? 0 : REGIONS);
		assert_int_equal(node_status(c, 1).repair, 0);
		cluster_end(c);
	}
}

/* Nor is it known what they had marked, or did afterwards, when the daemon died. */
static void core_mode_marks_die_with_the_daemon(void **state)
{
	struct cluster *c = cluster_of(false, 3);

	(void)state;
	node_marks(c, 3, 20);
	daemon_dies(c, 1);
	node_dies(c, 2);
	node_dies(c, 3);
	c->node[1].hold_copies = true;
	node_starts(c, 1, MLOG_SYNC_NOSYNC, true);
	node_fenced(c, 2);
	node_fenced(c, 3);
	time_passes(c, 2000);
	assert_int_equal(node_status(c, 1).in_sync, 0);
	cluster_end(c);
}

static void what_was_handed_over_counts_no_more_when_others_are_there(void **state)
{
	struct cluster *c = cluster_of(false, 2);

	(void)state;
	node_marks(c, 2, 20);
	daemon_hands_over(c, 1);
	node_starts(c, 1, MLOG_SYNC_NOSYNC, true);
	time_passes(c, 2000);
	assert_int_equal(node_status(c, 1).members, 2);
	assert_int_equal(node_status(c, 1).repair, 0);
	assert_int_equal(c->node[1].copies + c->node[2].copies, 0);
	for (uint64_t w = 0; w < WORDS; w++)
		assert_int_equal(hot_others_word(&c->node[1].hot, w), 0);
	cluster_end(c);
}

/* The daemon goes on, and what it had written down for the next one is nobody's legacy. */
static void what_was_not_handed_over_counts_not(void **state)
{
	struct cluster *c = cluster_of(false, 2);
	struct mlog_event quiesce = {.kind = MLOG_EV_QUIESCE, .quiesce = true};

	(void)state;
	node_marks(c, 2, 20);
	node_step(c, &c->node[1], &quiesce);
	quiesce.quiesce = false;
	node_step(c, &c->node[1], &quiesce);
	for (uint32_t i = 1; i <= 2; i++) {
		struct mlog_event alone = {.kind = MLOG_EV_VIEW};

		alone.view.node = &i;
		alone.view.count = 1;
		node_step(c, &c->node[i], &alone);
	}
	cluster_view(c);
	time_passes(c, 2000);
	assert_int_equal(node_status(c, 1).members, 2);
	assert_int_equal(node_status(c, 1).repair, 0);
	assert_int_equal(c->node[1].copies + c->node[2].copies, 0);
	cluster_end(c);
}

static void mark_many(struct cluster *c, struct node *n, enum ulog_type type)
{
	for (uint64_t first = 0; first < REGIONS; first += GROUP) {
		struct mlog_event e = {.kind = MLOG_EV_REQUEST};

		e.request.type = type;
		e.request.seq = ++n->seq;
		e.request.region_count = GROUP;
		for (uint64_t i = 0; i < GROUP; i++)
			e.request.region[i] = first + i;
		node_step(c, n, &e); /* nothing is delivered meanwhile */
	}
}

static void core_mode_marks_need_several_messages(void **state)
{
	struct cluster *c = cluster_of(false, 2);
	struct node *n = &c->node[2];

	(void)state;
	mark_many(c, n, ULOG_MARK_REGION);
	assert_int_equal(n->replies, 0);
	cluster_settle(c);
	assert_int_equal(n->replies, REGIONS / GROUP);
	n->replies = 0;
	assert_int_equal(node_status(c, 2).dirty, REGIONS);
	mark_many(c, n, ULOG_CLEAR_REGION);
	time_passes(c, 10000);
	assert_int_equal(node_status(c, 2).dirty, 0);
	/* the others have forgotten them too */
	node_dies(c, 2);
	node_fenced(c, 2);
	assert_int_equal(node_status(c, 1).repair, 0);
	cluster_end(c);
}

/* It was sent while there was somebody to be told, and comes after that one's LEAVE and the mark.
 */
static void an_older_unmark_does_not_undo_a_mark_of_who_became_alone(void **state)
{
	struct cluster *c = cluster_of(false, 2);
	struct node *n = &c->node[1];
	struct mlog_message leave = {.kind = MLOG_MSG_LEAVE, .from = 2};
	struct mlog_event sweep = {.kind = MLOG_EV_TIMER};
	struct mlog_event left = {.kind = MLOG_EV_MESSAGE, .message = &leave};

	(void)state;
	node_marks(c, 1, 20);
	node_clears(c, 1, 20);
	time_passes(c, 4000);
	assert_int_equal(node_status(c, 1).dirty, 1);
	c->now_ms += 3000;
	node_step(c, n, &sweep);
	assert_int_equal(node_status(c, 1).dirty, 0);
	leave.incarnation = c->node[2].incarnation;
	node_step(c, n, &left);
	node_marks(c, 1, 20);
	node_leaves(c, 2);
	node_attaches(c, 3, MLOG_SYNC_NOSYNC);
	c->node[3].hold_copies = true;
	node_dies(c, 1);
	node_fenced(c, 1);
	assert_int_equal(node_status(c, 3).repair, 1);
	cluster_end(c);
}

/* One mark was out when the other left, and one waited behind it. */
static void what_was_to_be_told_to_who_has_left_is_answered(void **state)
{
	struct cluster *c = cluster_of(false, 2);

	(void)state;
	c->lost = UINT32_C(1) << MLOG_MSG_ACK;
	node_asks(c, 1, ULOG_MARK_REGION, 20, false);
	node_asks(c, 1, ULOG_MARK_REGION, 21, false);
	assert_int_equal(c->node[1].replies, 0);
	c->lost = 0;
	node_asks(c, 2, ULOG_PRESUSPEND, REGIONS, false);
	node_asks(c, 2, ULOG_POSTSUSPEND, REGIONS, false);
	assert_int_equal(c->node[1].replies, 2);
	cluster_end(c);
}

/* Who has the state from another hears from it of a mark that a third one may not have been given.
 */
static void a_mark_that_is_remembered_is_not_acknowledged(void **state)
{
	static const uint32_t alone[] = {2};

	(void)state;
	for (uint32_t restarted = 0; restarted <= 1; restarted++) {
		struct cluster *c = cluster_of(false, 2);
		struct mlog_event e = {.kind = MLOG_EV_VIEW, .view = {.node = alone, .count = 1}};
		uint32_t seq;

		c->lost = UINT32_C(1) << MLOG_MSG_ACK;
		seq = node_asks(c, 2, ULOG_MARK_REGION, 20, false);
		assert_null(node_reply(&c->node[2], seq));
		if (restarted) {
			daemon_dies(c, 2);
			node_starts(c, 2, MLOG_SYNC_NOSYNC, true);
			seq = node_asks(c, 2, ULOG_MARK_REGION, 20, false);
		} else {
			node_step(c, &c->node[2], &e);
			cluster_view(c);
		}
		assert_int_equal(node_status(c, 2).members, 2);
		assert_int_equal(atomic_load(&c->node[2].hot.shared->open), 1);
		assert_null(node_reply(&c->node[2], seq));
		c->lost = 0;
		node_step(c, &c->node[2], &e);
		cluster_view(c);
		node_answered(c, 2, seq);
		cluster_end(c);
	}
}

/* Nobody was given the UNMARKS: it is said again. */
static void what_is_remembered_for_nothing_is_forgotten(void **state)
{
	static const uint32_t alone[] = {2};
	struct cluster *c = cluster_of(false, 2);
	struct mlog_event e = {.kind = MLOG_EV_VIEW, .view = {.node = alone, .count = 1}};

	(void)state;
	node_marks(c, 2, 20);
	node_marks(c, 2, 21);
	node_clears(c, 2, 20);
	c->lost = UINT32_C(1) << MLOG_MSG_UNMARKS;
	time_passes(c, 10000);
	c->lost = 0;
	assert_int_equal(node_status(c, 2).dirty, 1);
	node_step(c, &c->node[2], &e);
	cluster_view(c);
	same_everywhere(c);
	c->node[1].hold_copies = true;
	node_dies(c, 2);
	node_fenced(c, 2);
	assert_int_equal(node_status(c, 1).repair, 1);
	assert_true(hot_repair(&c->node[1].hot, 21));
	cluster_end(c);
}

/* Its daemon is replaced, and finds nobody who remembers what the kernel was told: any stale region
 * it may write unseen. */
static void the_next_daemon_knows_the_highest_hint(void **state)
{
	struct cluster *c = cluster_of(false, 2);

	(void)state;
	node_answered(c, 1, node_asks(c, 1, ULOG_SET_REGION_SYNC, 1, false));
	assert_int_equal(atomic_load(&c->node[2].hot.shared->hint), 1);
	daemon_hands_over(c, 1);
	daemon_hands_over(c, 2);
	node_starts(c, 2, MLOG_SYNC_NOSYNC, true);
	time_passes(c, 2000);
	assert_true(mlog_member(c->node[2].m, node_status(c, 2).slot)->bound == REGIONS);
	cluster_end(c);
}

/* It has not heard of the others yet. What waited would count as not cleared at a POSTSUSPEND. */
static void a_new_daemon_obeys_a_clear_at_once(void **state)
{
	struct cluster *c = cluster_of(true, 2);
	uint32_t seq;

	(void)state;
	node_marks(c, 2, 20);
	daemon_hands_over(c, 2);
	c->lost = UINT32_C(1) << MLOG_MSG_JOIN;
	node_starts(c, 2, MLOG_SYNC_NOSYNC, true);
	seq = node_asks(c, 2, ULOG_IN_SYNC, 20, false);
	assert_null(node_reply(&c->node[2], seq));
	node_clears(c, 2, 20);
	assert_false(hot_held(&c->node[2].hot, 20));
	node_answered(c, 2, node_asks(c, 2, ULOG_PRESUSPEND, REGIONS, false));
	c->lost = 0;
	node_answered(c, 2, node_asks(c, 2, ULOG_POSTSUSPEND, REGIONS, false));
	node_answered(c, 2, node_asks(c, 2, ULOG_RESUME, REGIONS, false));
	assert_true(hot_in_sync(&c->node[1].hot, 20));
	cluster_end(c);
}

/* A flush had failed it. The table that is resumed may write that leg only, another one asks. */
static void a_kernel_that_did_not_clear_a_region_may_write_it_unseen(void **state)
{
	struct cluster *c = cluster_of(true, 2);
	uint32_t seq;

	(void)state;
	node_marks(c, 2, 20);
	node_answered(c, 2, node_asks(c, 2, ULOG_PRESUSPEND, REGIONS, false));
	seq = node_asks(c, 2, ULOG_POSTSUSPEND, REGIONS, false);
	time_passes(c, 1000);
	node_answered(c, 2, seq);
	assert_true(hot_in_sync(&c->node[1].hot, 20));
	node_answered(c, 2, node_asks(c, 2, ULOG_RESUME, REGIONS, false));
	assert_false(hot_in_sync(&c->node[1].hot, 20));
	assert_int_equal(mlog_member(c->node[1].m, node_status(c, 2).slot)->bound, 21);
	node_leaves(c, 2);
	node_attaches(c, 2, MLOG_SYNC_NOSYNC);
	assert_true(mlog_member(c->node[1].m, node_status(c, 2).slot)->bound <= 20);
	cluster_end(c);
}

/* Who suspended last has heard of more messages than there have been since others went on. */
static void a_founder_knows_more_than_who_suspended_before_it(void **state)
{
	struct cluster *c = cluster_of(false, 2);

	(void)state;
	for (uint64_t r = 0; r < 20; r++) {
		node_marks(c, 1, r);
		node_clears(c, 1, r);
	}
	node_leaves(c, 2);
	node_leaves(c, 1);
	node_answered(c, 2, node_asks(c, 2, ULOG_RESUME, REGIONS, false));
	assert_int_equal(node_status(c, 2).in_sync, 0); /* it had left node 1 behind */
	node_leaves(c, 2);
	node_answered(c, 1, node_asks(c, 1, ULOG_RESUME, REGIONS, false));
	assert_int_equal(node_status(c, 1).in_sync, 0);
	cluster_end(c);
}

/* Those who were there have gone on without it, and it finds nobody. */
static void a_new_daemon_does_not_found_from_what_it_had_among_others(void **state)
{
	(void)state;
	for (uint32_t nodes = 1; nodes <= 2; nodes++) {
		struct cluster *c = cluster_of(false, nodes);

		daemon_dies(c, 1);
		if (nodes == 2)
			node_leaves(c, 2);
		node_starts(c, 1, MLOG_SYNC_NOSYNC, true);
		time_passes(c, 3000);
		assert_int_equal(node_status(c, 1).phase, MLOG_ACTIVE);
		assert_int_equal(node_status(c, 1).in_sync, nodes == 1 ? REGIONS : 0);
		cluster_end(c);
	}
}

/* Not only by a responder: a request may have waited for its daemon. */
static void what_the_core_calls_stale_a_kernel_may_write_unseen(void **state)
{
	struct cluster *c = cluster_of(true, 2);
	struct mlog_event e = {.kind = MLOG_EV_REQUEST};

	(void)state;
	node_answered(c, 1, node_asks(c, 1, ULOG_SET_REGION_SYNC, 20, false));
	e.request.type = ULOG_IN_SYNC;
	e.request.seq = ++c->node[2].seq;
	e.request.region_count = 1;
	e.request.region[0] = 20;
	node_step(c, &c->node[2], &e);
	assert_int_equal(node_reply(&c->node[2], e.request.seq)->word[0], 0);
	assert_int_equal(hot_next_unseen(&c->node[2].hot, 0), 20);
	cluster_end(c);
}

static void resync_is_shared_out(void **state)
{
	struct cluster *c = cluster_make(true);
	const struct mlog_reply *reply;
	uint64_t first, second;
	uint32_t seq;

	(void)state;
	node_attaches(c, 1, MLOG_SYNC_KEEP);
	node_attaches(c, 2, MLOG_SYNC_KEEP);
	node_attaches(c, 3, MLOG_SYNC_KEEP);
	seq = node_asks(c, 3, ULOG_GET_RESYNC_WORK, REGIONS, false);
	first = node_reply(&c->node[3], seq)->word[1];
	seq = node_asks(c, 1, ULOG_GET_RESYNC_WORK, REGIONS, false);
	second = node_reply(&c->node[1], seq)->word[1];
	assert_int_equal(first, 0);
	assert_int_equal(second, 64);
	/* node 1 was alone, and has written nothing unseen */
	assert_int_equal(c->node[1].reloads, 0);
	same_everywhere(c);
	/* who does not recover it must not write it */
	seq = node_asks(c, 2, ULOG_IS_REMOTE_RECOVERING, first, false);
	reply = node_reply(&c->node[2], seq);
	assert_int_equal(reply->word[0], 1);
	assert_int_equal(reply->word[1], 0);
	node_answered(c, 3, node_asks(c, 3, ULOG_SET_REGION_SYNC, first, true));
	time_passes(c, SYNCED_MS);
	assert_true(hot_in_sync(&c->node[2].hot, first));
	cluster_end(c);
}

static uint32_t census(const struct cluster *c, uint32_t number, enum mlog_region region)
{
	struct mlog_cell cell;

	mlog_census(c->node[number].m, 0, REGIONS, 1, &cell);
	return cell.count[region];
}

/* What a member recovers or copies is seen on all nodes, what it has marked on its own. */
static void the_census_knows_what_others_do(void **state)
{
	struct cluster *c = cluster_make(true);
	struct mlog_event e = {.kind = MLOG_EV_COPIED};
	uint32_t copier;

	(void)state;
	node_attaches(c, 1, MLOG_SYNC_KEEP);
	node_attaches(c, 2, MLOG_SYNC_KEEP);
	node_attaches(c, 3, MLOG_SYNC_KEEP);
	assert_int_equal(census(c, 2, MLOG_REGION_STALE), REGIONS);
	(void)node_asks(c, 3, ULOG_GET_RESYNC_WORK, REGIONS, false);
	assert_int_equal(census(c, 2, MLOG_REGION_COPYING), 64);
	assert_int_equal(census(c, 2, MLOG_REGION_STALE), REGIONS - 64);
	node_answered(c, 3, node_asks(c, 3, ULOG_SET_REGION_SYNC, 0, true));
	time_passes(c, SYNCED_MS);
	assert_int_equal(census(c, 2, MLOG_REGION_IN_SYNC), 1);
	assert_int_equal(census(c, 2, MLOG_REGION_COPYING), 63);
	node_marks(c, 2, 0);
	assert_int_equal(census(c, 2, MLOG_REGION_DIRTY), 1);
	assert_int_equal(census(c, 1, MLOG_REGION_DIRTY), 0);
	/* a dead node's mark, which somebody claims */
	c->node[1].hold_copies = c->node[3].hold_copies = true;
	node_dies(c, 2);
	node_fenced(c, 2);
	time_passes(c, 1000);
	copier = c->node[1].copies > 0 ? 1 : 3;
	assert_int_equal(c->node[copier].copied[0], 0);
	for (uint32_t number = 1; number <= 3; number += 2) {
		assert_int_equal(census(c, number, MLOG_REGION_COPYING), 64);
		assert_int_equal(census(c, number, MLOG_REGION_CRASH_DIRTY), 0);
	}
	e.copied.region = 0;
	e.copied.result = MLOG_COPY_ERROR;
	node_step(c, &c->node[copier], &e);
	cluster_settle(c);
	assert_int_equal(census(c, 4 - copier, MLOG_REGION_COPYING), 63);
	assert_int_equal(census(c, 4 - copier, MLOG_REGION_CRASH_DIRTY), 1);
	cluster_end(c);
}

/* REGIONS: none */
static uint64_t work_of(struct cluster *c, uint32_t number)
{
	uint32_t seq = node_asks(c, number, ULOG_GET_RESYNC_WORK, REGIONS, false);
	const struct mlog_reply *reply = node_reply(&c->node[number], seq);

	assert_non_null(reply);
	return reply->word[0] != 0 ? reply->word[1] : REGIONS;
}

static void recovers(struct cluster *c, uint32_t number, uint64_t region)
{
	assert_int_equal(work_of(c, number), region);
	node_answered(c, number, node_asks(c, number, ULOG_SET_REGION_SYNC, region, true));
}

static void who_writes_leaves_resync_to_others(void **state)
{
	struct cluster *c = cluster_make(true);
	uint32_t seq;

	(void)state;
	node_attaches(c, 1, MLOG_SYNC_KEEP);
	node_attaches(c, 2, MLOG_SYNC_KEEP);
	recovers(c, 1, 0);
	time_passes(c, SYNCED_MS);
	node_marks(c, 2, 0);
	assert_int_equal(work_of(c, 2), REGIONS);
	/* not between two leases of the other, either */
	for (uint64_t region = 1; region < 64; region++)
		recovers(c, 1, region);
	time_passes(c, SYNCED_MS);
	assert_int_equal(node_status(c, 2).in_sync, 64);
	node_marks(c, 2, 1);
	assert_int_equal(work_of(c, 2), REGIONS);
	/* unless the other gives up, */
	time_passes(c, GAP_MS - SYNCED_MS);
	node_marks(c, 2, 2);
	assert_int_equal(work_of(c, 2), 64);
	/* who has a lease uses it; the one who comes now writes, and waits for what it writes */
	assert_int_equal(work_of(c, 2), 64);
	node_marks(c, 1, 3);
	assert_int_equal(work_of(c, 1), REGIONS);
	seq = node_asks(c, 1, ULOG_IS_REMOTE_RECOVERING, 200, false);
	assert_int_equal(node_reply(&c->node[1], seq)->word[0], 1);
	assert_int_equal(work_of(c, 1), 200);
	cluster_end(c);
}

static void who_wrote_takes_part_in_resync(void **state)
{
	for (unsigned stuck = 0; stuck <= 1; stuck++) {
		struct cluster *c = cluster_make(true);

		(void)state;
		node_attaches(c, 1, MLOG_SYNC_KEEP);
		node_attaches(c, 2, MLOG_SYNC_KEEP);
		recovers(c, 1, 0);
		time_passes(c, SYNCED_MS);
		node_marks(c, 2, 0);
		assert_int_equal(work_of(c, 2), REGIONS);
		time_passes(c, stuck ? PROGRESS_MS : GAP_MS);
		if (stuck)
			node_marks(c, 2, 0);
		assert_int_equal(work_of(c, 2), 64);
		cluster_end(c);
	}
}

static void rate(struct cluster *c, uint32_t number, uint64_t region_ms)
{
	struct mlog_event e = {.kind = MLOG_EV_RATE, .region_ns = region_ms * 1000000};

	node_step(c, &c->node[number], &e);
	cluster_settle(c);
	c->node[number].wakes = 0;
}

static bool write_is_held(struct cluster *c, uint32_t number, uint64_t region)
{
	uint32_t seq = node_asks(c, number, ULOG_IS_REMOTE_RECOVERING, region, false);
	const struct mlog_reply *reply = node_reply(&c->node[number], seq);

	assert_non_null(reply);
	return reply->word[0] != 0;
}

static void a_write_that_is_held_does_not_wait_for_the_rate(void **state)
{
	struct cluster *c = cluster_make(true);

	(void)state;
	node_attaches(c, 1, MLOG_SYNC_KEEP);
	node_attaches(c, 2, MLOG_SYNC_KEEP);
	rate(c, 1, 20);
	rate(c, 2, 10000);
	for (uint64_t region = 0; region < 5; region++)
		recovers(c, 1, region);
	recovers(c, 1, 5);
	recovers(c, 2, 10);
	time_passes(c, SYNCED_MS);
	rate(c, 1, 10000);
	assert_int_equal(work_of(c, 1), 6); /* of 5 to 9 */
	assert_int_equal(work_of(c, 2), REGIONS);
	node_answered(c, 1, node_asks(c, 1, ULOG_SET_REGION_SYNC, 6, true));
	assert_int_equal(work_of(c, 1), REGIONS);
	/* its own it writes without waiting, and that is no reason */
	assert_false(write_is_held(c, 1, 8));
	assert_int_equal(work_of(c, 1), REGIONS);
	assert_int_equal(c->node[1].wakes + c->node[2].wakes, 0);
	/* who has it in his lease is woken for the other's, and for nothing else */
	assert_true(write_is_held(c, 2, 7));
	assert_int_equal(c->node[1].wakes, 1);
	recovers(c, 1, 7);
	assert_int_equal(work_of(c, 1), REGIONS);
	time_passes(c, SYNCED_MS);
	assert_false(write_is_held(c, 2, 7));
	/* what nobody has it takes, at once or when the rest of its lease is done */
	assert_true(write_is_held(c, 2, 200));
	recovers(c, 2, 200);
	assert_true(write_is_held(c, 1, 220));
	recovers(c, 1, 8);
	recovers(c, 1, 9);
	recovers(c, 1, 220);
	time_passes(c, SYNCED_MS);
	assert_false(write_is_held(c, 1, 220));
	assert_int_equal(work_of(c, 1), REGIONS);
	assert_int_equal(work_of(c, 2), REGIONS);
	assert_int_equal(c->node[1].reloads + c->node[2].reloads, 0);
	/* then they go on where they were */
	c->node[1].wakes = c->node[2].wakes = 0;
	time_passes(c, 9500);
	assert_int_equal(c->node[1].wakes + c->node[2].wakes, 0);
	time_passes(c, 500);
	assert_int_equal(c->node[1].wakes, 1);
	assert_int_equal(c->node[2].wakes, 1);
	recovers(c, 2, 11);
	recovers(c, 1, 12);
	cluster_end(c);
}

/* Its kernel goes on at once; what it asks of that region waits until all know. */
static void a_recovered_region_is_told_with_others(void **state)
{
	struct cluster *c = cluster_make(true);
	uint64_t region = 0;
	uint32_t seq;

	(void)state;
	node_attaches(c, 1, MLOG_SYNC_KEEP);
	node_attaches(c, 2, MLOG_SYNC_KEEP);
	for (uint32_t i = 0; i < SYNCED_BATCH; i++) {
		assert_false(hot_in_sync(&c->node[2].hot, region));
		region = i;
		recovers(c, 1, region);
	}
	assert_int_equal(node_status(c, 2).in_sync, SYNCED_BATCH);
	assert_int_equal(node_status(c, 1).in_sync, SYNCED_BATCH);
	/* alone, it is told when somebody asks */
	region = work_of(c, 1);
	node_answered(c, 1, node_asks(c, 1, ULOG_SET_REGION_SYNC, region, true));
	assert_false(hot_in_sync(&c->node[2].hot, region));
	c->lost = UINT32_C(1) << MLOG_MSG_SYNC;
	seq = node_asks(c, 1, ULOG_IS_REMOTE_RECOVERING, region, false);
	assert_null(node_reply(&c->node[1], seq));
	seq = node_asks(c, 1, ULOG_IN_SYNC, region, false);
	assert_null(node_reply(&c->node[1], seq));
	cluster_end(c);
}

/* What came late, of a region that is another's by now: the mover may close that gate soon. */
static void a_late_report_closes_no_gate(void **state)
{
	struct cluster *c = cluster_make(true);

	(void)state;
	node_attaches(c, 1, MLOG_SYNC_KEEP);
	node_attaches(c, 2, MLOG_SYNC_KEEP);
	assert_int_equal(work_of(c, 2), 0);
	node_answered(c, 1, node_asks(c, 1, ULOG_SET_REGION_SYNC, 0, true));
	assert_false(hot_gated(&c->node[1].hot, 0));
	assert_false(hot_in_sync(&c->node[2].hot, 0));
	cluster_end(c);
}

/* Without quorum it may be that the others have heard that it is in sync, and write it. */
static void what_perhaps_only_others_know_is_not_written(void **state)
{
	struct cluster *c = cluster_make(true);
	struct mlog_event lost = {.kind = MLOG_EV_VIEW};
	uint32_t alone = 1;
	uint32_t seq;

	(void)state;
	node_attaches(c, 1, MLOG_SYNC_KEEP);
	node_attaches(c, 2, MLOG_SYNC_KEEP);
	for (uint64_t region = 0; region < 2; region++) {
		recovers(c, 1, region);
		if (region == 0) {
			c->lost = UINT32_C(1) << MLOG_MSG_SYNC;
			time_passes(c, SYNCED_MS);
		}
	}
	lost.view.node = &alone;
	lost.view.count = 1;
	node_step(c, &c->node[1], &lost);
	seq = node_asks(c, 1, ULOG_IS_REMOTE_RECOVERING, 0, false);
	assert_int_equal(node_reply(&c->node[1], seq)->word[0], 1);
	seq = node_asks(c, 1, ULOG_IN_SYNC, 0, false);
	assert_null(node_reply(&c->node[1], seq));
	/* of this one nobody has heard, and it is leased to its kernel */
	seq = node_asks(c, 1, ULOG_IS_REMOTE_RECOVERING, 1, false);
	assert_int_equal(node_reply(&c->node[1], seq)->word[0], 0);
	/* it comes back, and knows what all know */
	c->lost = 0;
	cluster_view(c);
	cluster_settle(c);
	time_passes(c, SYNCED_MS);
	assert_false(hot_gated(&c->node[1].hot, 0));
	same_everywhere(c);
	cluster_end(c);
}

/* A table with a leg that holds nothing, loaded on all nodes: whoever is the first makes all of it
 * stale, on the log device before its kernel may write; who comes later changes nothing of that,
 * nor of what has been recovered since, though its table says the same. */
static void a_leg_that_holds_nothing_makes_all_stale_once(void **state)
{
	struct cluster *c = cluster_of(true, 3);
	uint64_t first;
	uint32_t seq;

	(void)state;
	assert_int_equal(node_status(c, 1).in_sync, REGIONS);
	node_marks(c, 3, 30);
	node_clears(c, 3, 30);
	for (uint32_t i = 1; i <= 3; i++)
		node_leaves(c, i);
	assert_true(c->clean);
	node_attaches(c, 2, MLOG_SYNC_FORCE);
	assert_int_equal(node_status(c, 2).in_sync, 0);
	assert_int_equal(node_status(c, 2).repair, 0);
	assert_int_equal(bits_count(c->sync, REGIONS), 0);
	seq = node_asks(c, 2, ULOG_GET_RESYNC_WORK, REGIONS, false);
	first = node_reply(&c->node[2], seq)->word[1];
	node_answered(c, 2, node_asks(c, 2, ULOG_SET_REGION_SYNC, first, true));
	time_passes(c, SYNCED_MS);
	node_attaches(c, 1, MLOG_SYNC_FORCE);
	node_attaches(c, 3, MLOG_SYNC_FORCE);
	for (uint32_t i = 1; i <= 3; i++) {
		assert_int_equal(node_status(c, i).in_sync, 1);
		assert_true(hot_in_sync(&c->node[i].hot, first));
	}
	same_everywhere(c);
	/* nor does a resume of the same tables */
	for (uint32_t i = 1; i <= 3; i++)
		node_leaves(c, i);
	for (uint32_t i = 1; i <= 3; i++)
		node_answered(c, i, node_asks(c, i, ULOG_RESUME, REGIONS, false));
	assert_int_equal(node_status(c, 1).in_sync, 1);
	cluster_end(c);
}

/* Without a log device what the old tables knew is in memory, and all of it is forgotten. */
static void nor_does_memory_count_for_it(void **state)
{
	struct cluster *c = cluster_of(false, 2);

	(void)state;
	node_leaves(c, 1);
	node_leaves(c, 2);
	node_attaches(c, 2, MLOG_SYNC_FORCE);
	node_attaches(c, 1, MLOG_SYNC_FORCE);
	assert_int_equal(node_status(c, 1).in_sync, 0);
	assert_int_equal(node_status(c, 2).in_sync, 0);
	cluster_end(c);
}

/* To have been told once that it is stale is no entry in the region hash: a write had to wait. */
static void what_another_has_recovered_no_kernel_writes_unseen(void **state)
{
	struct cluster *c = cluster_make(true);
	uint32_t seq;

	(void)state;
	node_attaches(c, 1, MLOG_SYNC_KEEP);
	node_attaches(c, 2, MLOG_SYNC_KEEP);
	node_answered(c, 2, node_asks(c, 2, ULOG_IN_SYNC, 0, false));
	assert_int_equal(hot_next_unseen(&c->node[2].hot, 0), 0);
	seq = node_asks(c, 1, ULOG_GET_RESYNC_WORK, REGIONS, false);
	assert_int_equal(node_reply(&c->node[1], seq)->word[1], 0);
	node_answered(c, 1, node_asks(c, 1, ULOG_SET_REGION_SYNC, 0, true));
	time_passes(c, SYNCED_MS);
	assert_true(hot_in_sync(&c->node[2].hot, 0));
	assert_int_equal(hot_next_unseen(&c->node[2].hot, 0), REGIONS);
	cluster_end(c);
}

/* Its kernel is given nothing more to recover, so a write of another may not wait for it. */
static void who_saw_a_leg_fail_gives_its_lease_up(void **state)
{
	struct cluster *c = cluster_make(true);
	const struct mlog_reply *reply;
	uint32_t seq;

	(void)state;
	node_attaches(c, 1, MLOG_SYNC_KEEP);
	node_attaches(c, 2, MLOG_SYNC_KEEP);
	node_asks(c, 1, ULOG_GET_RESYNC_WORK, REGIONS, false);
	seq = node_asks(c, 2, ULOG_IS_REMOTE_RECOVERING, 5, false);
	reply = node_reply(&c->node[2], seq);
	assert_int_equal(reply->word[0], 1);
	/* the region that it was given, and could not recover */
	node_answered(c, 1, node_asks(c, 1, ULOG_SET_REGION_SYNC, 0, false));
	time_passes(c, 100);
	assert_int_equal(mlog_member(c->node[2].m, node_status(c, 1).slot)->lease, 0);
	time_passes(c, 5000);
	node_asks(c, 2, ULOG_IS_REMOTE_RECOVERING, 5, false);
	seq = node_asks(c, 2, ULOG_IS_REMOTE_RECOVERING, 5, false);
	reply = node_reply(&c->node[2], seq);
	assert_int_equal(reply->word[0], 0);
	cluster_end(c);
}

/* Its leg may not be the one that the other wrote; a new table is. */
static void who_saw_a_leg_fail_recovers_nothing_when_it_is_alone(void **state)
{
	struct cluster *c = cluster_make(true);
	const struct mlog_reply *reply;
	unsigned reloads;
	uint32_t seq;

	(void)state;
	node_attaches(c, 1, MLOG_SYNC_KEEP);
	node_attaches(c, 2, MLOG_SYNC_KEEP);
	node_answered(c, 1, node_asks(c, 1, ULOG_SET_REGION_SYNC, 0, false));
	time_passes(c, 100);
	node_leaves(c, 2);
	reloads = c->node[1].reloads;
	time_passes(c, 20000);
	seq = node_asks(c, 1, ULOG_GET_RESYNC_WORK, REGIONS, false);
	reply = node_reply(&c->node[1], seq);
	assert_int_equal(reply->word[0], 0);
	assert_true(c->node[1].reloads > reloads);
	cluster_end(c);
}

/* A kernel that was told that all is in sync changes to another leg when its own fails, although it
 * has written a region since that it has not said to be stale. */
static void who_founds_with_a_table_that_was_in_sync_recovers_nothing(void **state)
{
	struct cluster *c = cluster_of(false, 2);
	const struct mlog_reply *reply;
	uint32_t seq;

	(void)state;
	node_leaves(c, 2);
	node_leaves(c, 1);
	node_answered(c, 2, node_asks(c, 2, ULOG_RESUME, REGIONS, false));
	assert_int_equal(node_status(c, 2).in_sync, 0);
	seq = node_asks(c, 2, ULOG_GET_RESYNC_WORK, REGIONS, false);
	reply = node_reply(&c->node[2], seq);
	assert_int_equal(reply->word[0], 0);
	assert_true(c->node[2].reloads > 0);
	node_leaves(c, 2);
	node_attaches(c, 2, MLOG_SYNC_KEEP);
	seq = node_asks(c, 2, ULOG_GET_RESYNC_WORK, REGIONS, false);
	reply = node_reply(&c->node[2], seq);
	assert_int_equal(reply->word[0], 1);
	cluster_end(c);
}

static void a_table_that_ends_attached_keeps_nobody_waiting(void **state)
{
	struct cluster *c = cluster_of(true, 3);
	struct mlog_event ended = {.kind = MLOG_EV_ENDED};

	(void)state;
	node_step(c, &c->node[3], &ended);
	cluster_settle(c);
	assert_int_equal(node_status(c, 1).gone, 1);
	node_fenced(c, 3); /* its lock falls free */
	time_passes(c, 1000);
	assert_int_equal(node_status(c, 1).members, 2);
	cluster_end(c);
}

static void who_rejoins_does_not_keep_the_lock_of_the_map(void **state)
{
	struct cluster *c = cluster_of(true, 2);
	uint32_t holder = c->holder[MLOG_LOCK_MAP];
	struct mlog_event view = {.kind = MLOG_EV_VIEW, .view = {.node = &holder, .count = 1}};

	(void)state;
	assert_int_equal(holder, 1);
	node_step(c, &c->node[holder], &view);
	assert_int_equal(c->holder[MLOG_LOCK_MAP], holder);
	view.view.quorate = true;
	node_step(c, &c->node[holder], &view);
	assert_int_not_equal(c->holder[MLOG_LOCK_MAP], holder);
	cluster_view(c);
	cluster_settle(c);
	cluster_end(c);
}

/* Nothing is delivered meanwhile. */
static void request_begins(struct cluster *c, uint32_t number, enum ulog_type type)
{
	struct mlog_event e = {.kind = MLOG_EV_REQUEST};

	e.request.type = type;
	e.request.seq = ++c->node[number].seq;
	node_step(c, &c->node[number], &e);
}

/* Node 2 has founded beside node 1, which is suspended and remembers that all was in sync. */
static struct cluster *cluster_founded_again(void)
{
	struct cluster *c = cluster_of(false, 1);

	node_leaves(c, 1);
	node_attaches(c, 2, MLOG_SYNC_NOSYNC);
	assert_int_equal(node_status(c, 2).in_sync, 0);
	return c;
}

static void what_is_founded_is_newer_than_what_was_remembered(void **state)
{
	struct cluster *c = cluster_founded_again();

	(void)state;
	node_leaves(c, 2);
	request_begins(c, 1, ULOG_RESUME);
	request_begins(c, 2, ULOG_RESUME);
	cluster_settle(c);
	time_passes(c, 2000);
	assert_int_equal(node_status(c, 1).phase, MLOG_ACTIVE);
	assert_int_equal(node_status(c, 1).in_sync, 0);
	cluster_end(c);
}

/* The LEAVE of node 2 is under way when node 1 asks. */
static void who_is_left_without_a_newer_state_does_not_go_by_its_memory(void **state)
{
	struct cluster *c = cluster_founded_again();

	(void)state;
	node_answered(c, 2, node_asks(c, 2, ULOG_PRESUSPEND, REGIONS, false));
	request_begins(c, 1, ULOG_RESUME);
	request_begins(c, 2, ULOG_POSTSUSPEND);
	cluster_settle(c);
	assert_int_equal(node_status(c, 2).phase, MLOG_SUSPENDED);
	assert_int_equal(node_status(c, 1).phase, MLOG_ACTIVE);
	assert_int_equal(node_status(c, 1).in_sync, 0);
	cluster_end(c);
}

/* Node 2 has gone on, has left, and knows nothing any more: node 1 has heard of it while suspended. */
static void who_was_suspended_while_others_went_on_does_not_go_by_its_memory(void **state)
{
	struct cluster *c = cluster_founded_again();

	(void)state;
	node_leaves(c, 2);
	daemon_dies(c, 2);
	node_answered(c, 1, node_asks(c, 1, ULOG_RESUME, REGIONS, false));
	assert_int_equal(node_status(c, 1).in_sync, 0);
	cluster_end(c);
}

/* Node 1 was out of reach, and has a state: it does not ask. */
static void who_waits_for_locks_to_found_asks_who_comes(void **state)
{
	struct cluster *c = cluster_of(false, 1);
	uint32_t seq;

	(void)state;
	c->node[1].daemon = false;
	node_starts(c, 2, MLOG_SYNC_NOSYNC, false);
	seq = node_asks(c, 2, ULOG_RESUME, REGIONS, false);
	time_passes(c, 5000);
	assert_null(node_reply(&c->node[2], seq));
	c->node[1].daemon = true;
	cluster_view(c);
	node_answered(c, 2, seq);
	assert_int_equal(node_status(c, 1).members, 2);
	cluster_end(c);
}

/* It counts everything as stale, and its kernel much as in sync: nobody may recover that. */
static void who_founds_knowing_less_than_its_kernel_may_write_all_unseen(void **state)
{
	struct cluster *c = cluster_of(false, 1);

	(void)state;
	node_answered(c, 1, node_asks(c, 1, ULOG_SET_REGION_SYNC, 20, false));
	node_attaches(c, 2, MLOG_SYNC_NOSYNC);
	daemon_dies(c, 2);
	node_leaves(c, 1);
	node_starts(c, 2, MLOG_SYNC_NOSYNC, true);
	time_passes(c, 3000);
	assert_int_equal(node_status(c, 2).in_sync, 0);
	assert_int_equal(mlog_member(c->node[2].m, 1)->bound, REGIONS);
	node_answered(c, 1, node_asks(c, 1, ULOG_RESUME, REGIONS, false));
	assert_int_equal(mlog_member(c->node[1].m, 1)->bound, REGIONS);
	time_passes(c, 1000);
	assert_int_not_equal(c->node[2].reloads, 0);
	cluster_end(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nodes_attach_in_any_order),
	    cmocka_unit_test(each_marks_its_own_slot_without_a_message),
	    cmocka_unit_test(a_dead_node_is_taken_over_when_it_is_proved_dead),
	    cmocka_unit_test(a_claim_holds_the_marks_of_all),
	    cmocka_unit_test(survivors_begin_at_different_regions),
	    cmocka_unit_test(a_region_that_becomes_stale_while_it_is_copied_is_not_written),
	    cmocka_unit_test(a_new_daemon_comes_back_with_its_marks),
	    cmocka_unit_test(a_node_that_boots_again_tells_what_it_left),
	    cmocka_unit_test(all_nodes_crash_and_one_comes_back),
	    cmocka_unit_test(core_mode_marks_are_known_to_all),
	    cmocka_unit_test(who_is_handed_over_waits_for_those_it_was_among),
	    cmocka_unit_test(core_mode_marks_die_with_the_daemon),
	    cmocka_unit_test(what_was_handed_over_counts_no_more_when_others_are_there),
	    cmocka_unit_test(what_was_not_handed_over_counts_not),
	    cmocka_unit_test(core_mode_marks_need_several_messages),
	    cmocka_unit_test(an_older_unmark_does_not_undo_a_mark_of_who_became_alone),
	    cmocka_unit_test(what_was_to_be_told_to_who_has_left_is_answered),
	    cmocka_unit_test(a_mark_that_is_remembered_is_not_acknowledged),
	    cmocka_unit_test(what_is_remembered_for_nothing_is_forgotten),
	    cmocka_unit_test(the_next_daemon_knows_the_highest_hint),
	    cmocka_unit_test(a_new_daemon_obeys_a_clear_at_once),
	    cmocka_unit_test(a_kernel_that_did_not_clear_a_region_may_write_it_unseen),
	    cmocka_unit_test(a_founder_knows_more_than_who_suspended_before_it),
	    cmocka_unit_test(a_new_daemon_does_not_found_from_what_it_had_among_others),
	    cmocka_unit_test(what_the_core_calls_stale_a_kernel_may_write_unseen),
	    cmocka_unit_test(resync_is_shared_out),
	    cmocka_unit_test(the_census_knows_what_others_do),
	    cmocka_unit_test(who_writes_leaves_resync_to_others),
	    cmocka_unit_test(who_wrote_takes_part_in_resync),
	    cmocka_unit_test(a_write_that_is_held_does_not_wait_for_the_rate),
	    cmocka_unit_test(a_recovered_region_is_told_with_others),
	    cmocka_unit_test(a_late_report_closes_no_gate),
	    cmocka_unit_test(what_perhaps_only_others_know_is_not_written),
	    cmocka_unit_test(a_leg_that_holds_nothing_makes_all_stale_once),
	    cmocka_unit_test(nor_does_memory_count_for_it),
	    cmocka_unit_test(what_another_has_recovered_no_kernel_writes_unseen),
	    cmocka_unit_test(who_saw_a_leg_fail_gives_its_lease_up),
	    cmocka_unit_test(who_saw_a_leg_fail_recovers_nothing_when_it_is_alone),
	    cmocka_unit_test(who_founds_with_a_table_that_was_in_sync_recovers_nothing),
	    cmocka_unit_test(a_table_that_ends_attached_keeps_nobody_waiting),
	    cmocka_unit_test(who_rejoins_does_not_keep_the_lock_of_the_map),
	    cmocka_unit_test(what_is_founded_is_newer_than_what_was_remembered),
	    cmocka_unit_test(who_is_left_without_a_newer_state_does_not_go_by_its_memory),
	    cmocka_unit_test(who_was_suspended_while_others_went_on_does_not_go_by_its_memory),
	    cmocka_unit_test(who_waits_for_locks_to_found_asks_who_comes),
	    cmocka_unit_test(who_founds_knowing_less_than_its_kernel_may_write_all_unseen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
