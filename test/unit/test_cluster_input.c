/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a member of the group may say that the codec lets through and that is not so: another
 * mirror's geometry, regions and slots that there are not, states that contradict themselves,
 * answers that nobody asked for. None of it changes what is true, stops anybody's service, or is
 * read or written out of bounds (I10; run with sanitizers).
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

static struct mlog_message said(struct cluster *c, enum mlog_message_kind kind)
{
	return (struct mlog_message){
	    .kind = kind,
	    .from = STRANGER,
	    .incarnation = 1,
	    .seq = ++c->node[0].seq,
	};
}

static struct mlog_message join_of(struct cluster *c)
{
	struct mlog_message m = said(c, MLOG_MSG_JOIN);

	m.join.has_disk = c->has_disk;
	m.join.region_count = REGIONS;
	m.join.region_sectors = REGION_SECTORS;
	m.join.slot = MLOG_NO_SLOT;
	m.join.revision = REVISION;
	return m;
}

static void stranger_says(struct cluster *c, enum mlog_message_kind kind)
{
	struct mlog_message m = said(c, kind);

	message_forged(c, &m);
}

static void stranger_joins(struct cluster *c)
{
	struct mlog_message join = join_of(c);

	c->stranger = true;
	cluster_view(c);
	message_forged(c, &join);
	stranger_says(c, MLOG_MSG_READY);
}

/* Nodes 1 and 2 are attached, and the stranger is. */
static struct cluster *cluster_with_stranger(bool has_disk)
{
	struct cluster *c = cluster_of(has_disk, 2);

	stranger_joins(c);
	assert_int_equal(node_status(c, 1).members, 3);
	return c;
}

static void nothing_has_changed(struct cluster *c)
{
	for (uint32_t i = 1; i <= 2; i++) {
		assert_int_equal(node_status(c, i).in_sync, REGIONS);
		assert_int_equal(node_status(c, i).repair, 0);
	}
	same_everywhere(c);
}

static void another_geometry_is_not_let_in(void **state)
{
	struct cluster *c = cluster_of(true, 2);
	struct mlog_message regions = join_of(c);
	struct mlog_message sectors = join_of(c);
	struct mlog_message disk = join_of(c);
	struct mlog_message revision = join_of(c);
	struct mlog_message none = join_of(c);
	struct mlog_message unknown = join_of(c);

	(void)state;
	regions.join.region_count++;
	sectors.join.region_sectors *= 2;
	disk.join.has_disk = false;
	revision.join.revision = REVISION + 1;
	none.join.revision = 0;
	unknown.join.revision = MLOG_REVISION_UNKNOWN;
	message_forged(c, &regions);
	message_forged(c, &sectors);
	message_forged(c, &disk);
	message_forged(c, &revision);
	message_forged(c, &none);
	message_forged(c, &unknown);
	assert_int_equal(c->node[1].notices[MLOG_NOTICE_MISMATCH], 6);
	assert_int_equal(c->node[2].notices[MLOG_NOTICE_MISMATCH], 6);
	assert_int_equal(node_status(c, 1).members, 2);
	nothing_has_changed(c);
	cluster_end(c);
}

static void more_nodes_than_slots(void **state)
{
	struct cluster *c = cluster_of(true, MEMBERS);

	(void)state;
	stranger_joins(c);
	assert_int_equal(node_status(c, 1).members, MEMBERS);
	assert_int_equal(c->node[1].notices[MLOG_NOTICE_OVERFLOW], 1);
	node_marks(c, 4, 1);
	node_clears(c, 4, 1);
	node_leaves(c, 4);
	stranger_joins(c);
	assert_int_equal(node_status(c, 1).members, MEMBERS);
	assert_int_equal(c->node[1].notices[MLOG_NOTICE_MEMBER_READY], MEMBERS + 1);
	cluster_end(c);
}

/* Of everybody's slots it wants the one that there is not, or another's. */
static void a_slot_that_is_wanted_is_not_always_given(void **state)
{
	static const uint32_t wanted[] = {0, MEMBERS, MLOG_NO_SLOT};

	(void)state;
	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		struct cluster *c = cluster_of(true, 2);
		struct mlog_message join = join_of(c);

		join.join.live = true;
		join.join.slot = wanted[i];
		c->stranger = true;
		cluster_view(c);
		message_forged(c, &join);
		assert_int_equal(node_status(c, 1).members, 3);
		assert_int_equal(node_status(c, 1).slot, 0);
		same_everywhere(c);
		node_marks(c, 1, 1);
		cluster_end(c);
	}
}

static void regions_that_there_are_not(void **state)
{
	static const uint64_t beyond[] = {REGIONS, REGIONS + 63, UINT64_C(1) << 39};
	struct cluster *c = cluster_with_stranger(true);

	(void)state;
	for (unsigned i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
		struct mlog_message sync = said(c, MLOG_MSG_SYNC);
		struct mlog_message want = said(c, MLOG_MSG_WANT);
		struct mlog_message lease = said(c, MLOG_MSG_LEASE);
		struct mlog_message dirty = said(c, MLOG_MSG_DIRTY);
		struct mlog_message claim = said(c, MLOG_MSG_CLAIM);
		struct mlog_message done = said(c, MLOG_MSG_DONE);

		sync.sync.region = want.region = lease.lease.from = beyond[i];
		lease.lease.regions = UINT32_MAX;
		dirty.dirty_bits.slot = 0;
		dirty.dirty_bits.items = (struct mlog_items){.count = 1, .item = {beyond[i]}};
		claim.claim = dirty.dirty_bits.items;
		done.done.claim = claim.seq;
		done.done.repaired = UINT32_MAX;
		message_forged(c, &sync);
		message_forged(c, &want);
		message_forged(c, &lease);
		message_forged(c, &dirty);
		message_forged(c, &claim);
		message_forged(c, &done);
		nothing_has_changed(c);
	}
	node_marks(c, 1, REGIONS - 1);
	cluster_end(c);
}

static void marks_that_there_are_not(void **state)
{
	struct cluster *c = cluster_with_stranger(false);
	struct mlog_message marks = said(c, MLOG_MSG_MARKS);
	struct mlog_message unmarks = said(c, MLOG_MSG_UNMARKS);

	(void)state;
	marks.marks.items =
	    (struct mlog_items){.count = 3, .item = {REGIONS, 7, UINT64_C(1) << 50}};
	unmarks.marks.items = (struct mlog_items){.count = 2, .item = {REGIONS, UINT64_MAX}};
	message_forged(c, &marks);
	message_forged(c, &unmarks);
	nothing_has_changed(c);
	/* the one that there is counts */
	c->node[1].hold_copies = c->node[2].hold_copies = true;
	c->stranger = false;
	cluster_view(c);
	time_passes(c, 100);
	assert_int_equal(node_status(c, 1).repair, 1);
	assert_true(hot_repair(&c->node[2].hot, 7));
	cluster_end(c);
}

static void slots_that_there_are_not(void **state)
{
	struct cluster *c = cluster_with_stranger(true);
	struct mlog_message dirty = said(c, MLOG_MSG_DIRTY);

	(void)state;
	dirty.dirty_bits.last = dirty.dirty_bits.all = true;
	dirty.dirty_bits.items = (struct mlog_items){.count = 1, .item = {5}};
	dirty.dirty_bits.slot = MEMBERS;
	message_forged(c, &dirty);
	dirty.dirty_bits.slot = UINT32_MAX;
	message_forged(c, &dirty);
	nothing_has_changed(c);
	/* and nobody is dead because somebody says so */
	dirty.dirty_bits.all = false;
	dirty.dirty_bits.items.count = 0;
	dirty.dirty_bits.slot = node_status(c, 2).slot;
	message_forged(c, &dirty);
	assert_int_equal(node_status(c, 1).members, 3);
	nothing_has_changed(c);
	cluster_end(c);
}

static void who_is_not_a_member_changes_nothing(void **state)
{
	static const enum mlog_message_kind kind[] = {
	    MLOG_MSG_SNAP,  MLOG_MSG_READY, MLOG_MSG_LEAVE, MLOG_MSG_SYNC,
	    MLOG_MSG_CLAIM, MLOG_MSG_DIRTY, MLOG_MSG_MARKS, MLOG_MSG_LOST,
	};
	struct cluster *c = cluster_of(true, 2);

	(void)state;
	for (unsigned i = 0; i < sizeof(kind) / sizeof(kind[0]); i++) {
		struct mlog_message m = said(c, kind[i]);

		message_forged(c, &m); /* from nobody */
		m.from = 2;
		m.incarnation = 3; /* of an earlier life of node 2 */
		message_forged(c, &m);
	}
	assert_int_equal(node_status(c, 1).members, 2);
	assert_int_equal(node_status(c, 1).log, MLOG_LOG_OK);
	nothing_has_changed(c);
	cluster_end(c);
}

static void a_second_claim_does_not_open_the_gates_of_the_first(void **state)
{
	struct cluster *c = cluster_with_stranger(true);
	struct mlog_message claim = said(c, MLOG_MSG_CLAIM);
	struct mlog_message again = said(c, MLOG_MSG_CLAIM);
	struct mlog_message other = said(c, MLOG_MSG_DONE);
	struct mlog_message done = said(c, MLOG_MSG_DONE);
	uint32_t seq;

	(void)state;
	claim.claim = (struct mlog_items){.count = 1, .item = {1}};
	again.claim = (struct mlog_items){.count = 1, .item = {2}};
	other.done.claim = again.seq;
	done.done.claim = claim.seq;
	message_forged(c, &claim);
	message_forged(c, &again);
	message_forged(c, &other);
	node_marks(c, 1, 2);
	seq = node_asks(c, 1, ULOG_MARK_REGION, 1, false);
	assert_null(node_reply(&c->node[1], seq));
	message_forged(c, &done);
	node_answered(c, 1, seq);
	nothing_has_changed(c);
	cluster_end(c);
}

static void acknowledgements_and_answers_of_nobody(void **state)
{
	struct cluster *c = cluster_with_stranger(true);
	struct mlog_message ack = said(c, MLOG_MSG_ACK);
	struct mlog_event read = {.kind = MLOG_EV_SLOT_READ};
	struct mlog_event emptied = {.kind = MLOG_EV_SLOT_EMPTIED};
	struct mlog_event locked = {.kind = MLOG_EV_LOCKED};
	uint64_t dirty[WORDS] = {UINT64_MAX};

	(void)state;
	ack.ack.to = 77;
	message_forged(c, &ack);
	ack.ack.to = 1;
	ack.ack.seq = UINT64_MAX;
	message_forged(c, &ack);
	read.slot.slot = emptied.slot.slot = 3;
	read.slot.dirty = dirty;
	locked.locked.lock = 3;
	node_step(c, &c->node[1], &read);
	node_step(c, &c->node[1], &emptied);
	node_step(c, &c->node[1], &locked);
	cluster_settle(c);
	assert_int_equal(node_status(c, 1).gone, 0);
	assert_int_equal(node_status(c, 1).dirty, 0);
	nothing_has_changed(c);
	cluster_end(c);
}

/* ---- a state from the stranger */

static void stranger_answers(struct cluster *c, uint64_t incarnation)
{
	struct mlog_message none = said(c, MLOG_MSG_NONE);

	none.none.to = 1;
	none.none.incarnation = incarnation;
	message_forged(c, &none);
}

/* Node 1 wants to attach, and the stranger is the only one to ask. Returns the RESUME's seq. */
static uint32_t node_1_asks_the_stranger(struct cluster *c)
{
	c->stranger = true;
	node_starts(c, 1, MLOG_SYNC_NOSYNC, false);
	return node_asks(c, 1, ULOG_RESUME, REGIONS, false);
}

static struct mlog_message piece_of(struct cluster *c, uint32_t snap, uint32_t map, uint64_t first)
{
	static const uint64_t ones[2] = {UINT64_MAX, UINT64_MAX};
	struct mlog_message piece = said(c, MLOG_MSG_STATE);

	piece.state.snap = snap;
	piece.state.map = map;
	piece.state.first = first;
	piece.state.words = 2;
	piece.state.word = ones;
	return piece;
}

static void state_forged(struct cluster *c, const struct mlog_member *member, uint32_t count)
{
	static const uint32_t map[] = {MLOG_MAP_IN_SYNC, MLOG_MAP_REPAIR, MLOG_MAP_MARKS,
				       MLOG_MAP_MARKS + MEMBERS, 77};
	static const uint64_t first[] = {WORDS - 1, WORDS, UINT64_C(1) << 33};
	struct mlog_message snap = said(c, MLOG_MSG_SNAP);
	struct mlog_message piece;

	snap.applied = 9;
	message_forged(c, &snap);
	piece = piece_of(c, (uint32_t)snap.seq, 0, 0);
	piece.state.words = 0;
	piece.state.member = member;
	piece.state.member_count = count;
	message_forged(c, &piece);
	for (unsigned i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		for (unsigned k = 0; k < sizeof(first) / sizeof(first[0]); k++) {
			piece = piece_of(c, (uint32_t)snap.seq, map[i], first[k]);
			message_forged(c, &piece);
			piece.state.snap++; /* of another snapshot */
			piece.state.first = 0;
			message_forged(c, &piece);
		}
	piece = piece_of(c, (uint32_t)snap.seq, MLOG_MAP_MARKS, 0);
	piece.state.words = 0;
	piece.state.last = true;
	message_forged(c, &piece);
}

static void a_state_that_contradicts_itself(void **state)
{
	struct cluster *c = cluster_make(true);
	uint32_t seq = node_1_asks_the_stranger(c);
	uint64_t incarnation = c->incarnation;
	struct mlog_member member[2] = {
	    {
		.state = MLOG_MEMBER_READY,
		.node = STRANGER,
		.incarnation = 1,
		.live = true,
		.replicated = true,
		.bound = UINT64_MAX,
		.lease_first = REGIONS - 1,
		.lease = UINT64_MAX,
		.claim_seq = 1,
		.claim_count = MLOG_COPIES_MAX + 9,
		.claim = {REGIONS, 7, 7, UINT64_MAX},
	    },
	    {
		.state = MLOG_MEMBER_JOINING,
		.node = 1,
		.incarnation = incarnation + 1,
	    },
	};

	(void)state;
	/* no place for the joiner: it asks again, as a later incarnation */
	state_forged(c, member, 1);
	assert_null(node_reply(&c->node[1], seq));
	state_forged(c, member, 2);
	node_answered(c, 1, seq);
	assert_int_equal(node_status(c, 1).members, 2);
	assert_int_equal(node_status(c, 1).in_sync, REGIONS - 64 * (WORDS - 1));
	assert_int_equal(node_status(c, 1).repair, 64);
	assert_non_null(mlog_member(c->node[1].m, 0));
	assert_null(mlog_member(c->node[1].m, MEMBERS));
	cluster_end(c);
}

/* Between a snapshot and its last piece everything is kept, but not for ever. */
static void a_state_that_never_ends(void **state)
{
	struct cluster *c = cluster_make(true);
	uint32_t seq = node_1_asks_the_stranger(c);

	(void)state;
	stranger_says(c, MLOG_MSG_SNAP);
	for (unsigned i = 0; i < 200; i++)
		stranger_says(c, MLOG_MSG_WANT);
	assert_null(node_reply(&c->node[1], seq));
	stranger_answers(c, c->incarnation + 1);
	node_answered(c, 1, seq);
	assert_int_equal(node_status(c, 1).members, 1);
	cluster_end(c);
}

/* Node 1 founds; the log device, which had the stranger's table, says nothing. */
static void who_hears_of_a_later_table_while_it_founds_is_not_served(void **state)
{
	struct cluster *c = cluster_make(true);
	struct mlog_message join;
	uint32_t seq;

	(void)state;
	c->silent = UINT32_C(1) << MLOG_LOAD;
	node_starts(c, 1, MLOG_SYNC_KEEP, false);
	seq = node_asks(c, 1, ULOG_RESUME, REGIONS, false);
	c->stranger = true;
	cluster_view(c);
	join = join_of(c);
	join.join.revision = REVISION + 1;
	message_forged(c, &join);
	message_forged(c, &join);
	assert_int_equal(c->node[1].notices[MLOG_NOTICE_OUTDATED], 1);
	time_passes(c, 60000);
	assert_int_equal(c->node[1].notices[MLOG_NOTICE_LOG_FAILED], 0);
	c->silent = 0;
	device_answers(c);
	time_passes(c, 60000);
	assert_null(node_reply(&c->node[1], seq));
	assert_int_equal(node_status(c, 1).phase, MLOG_ATTACHING);
	for (uint32_t lock = 0; lock <= MLOG_LOCK_MAP; lock++)
		assert_int_equal(c->holder[lock], NOBODY);
	node_dies(c, 1);
	node_fenced(c, 1);
	cluster_end(c);
}

/* What node 1, whose device did not take what it knew when it left, says of its memory to who has a
 * later table. */
static uint64_t rank_told(struct cluster *c, bool prepared)
{
	struct mlog_message join = join_of(c);
	struct mlog_event event = {.kind = MLOG_EV_MESSAGE, .message = &join};
	const struct letter *letter;

	join.join.revision = REVISION + 1;
	join.join.prepared = prepared;
	node_step(c, &c->node[1], &event);
	assert_int_equal(c->count, 1);
	letter = &c->queue[c->first];
	assert_int_equal(letter->message.kind, MLOG_MSG_NONE);
	cluster_settle(c);
	return letter->message.none.applied;
}

static void what_the_next_log_device_tells_needs_no_memory(void **state)
{
	struct cluster *c = cluster_of(true, 1);

	(void)state;
	c->failing = UINT32_C(1) << MLOG_RELEASE;
	c->error = -EIO;
	node_leaves(c, 1);
	c->failing = 0;
	assert_int_equal(atomic_load(&c->node[1].hot.shared->truth), MLOG_TRUTH_MEMORY);
	c->stranger = true;
	cluster_view(c);
	cluster_settle(c);
	assert_true(rank_told(c, false) > 3);
	assert_int_equal(rank_told(c, true), 1);
	cluster_end(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(another_geometry_is_not_let_in),
	    cmocka_unit_test(who_hears_of_a_later_table_while_it_founds_is_not_served),
	    cmocka_unit_test(what_the_next_log_device_tells_needs_no_memory),
	    cmocka_unit_test(more_nodes_than_slots),
	    cmocka_unit_test(a_slot_that_is_wanted_is_not_always_given),
	    cmocka_unit_test(regions_that_there_are_not),
	    cmocka_unit_test(marks_that_there_are_not),
	    cmocka_unit_test(slots_that_there_are_not),
	    cmocka_unit_test(who_is_not_a_member_changes_nothing),
	    cmocka_unit_test(a_second_claim_does_not_open_the_gates_of_the_first),
	    cmocka_unit_test(acknowledgements_and_answers_of_nobody),
	    cmocka_unit_test(a_state_that_contradicts_itself),
	    cmocka_unit_test(a_state_that_never_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
