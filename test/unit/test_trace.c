/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines of the trace: one example of each event, effect and message, and none too long. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "codec/trace.h"

#define NOW .now_ms = 12

static void assert_event(const struct mlog_event *event, const char *expected)
{
	char line[TRACE_LINE_SIZE];

	trace_event(event, line);
	assert_string_equal(line, expected);
}

static void assert_effect(const struct mlog_effect *effect, const char *expected)
{
	char line[TRACE_LINE_SIZE];

	trace_effect(effect, line);
	assert_string_equal(line, expected);
}

#define EVENT(expected, ...)  assert_event(&(struct mlog_event){NOW, __VA_ARGS__}, expected)
#define EFFECT(expected, ...) assert_effect(&(struct mlog_effect){__VA_ARGS__}, expected)

static void test_events(void **state)
{
	(void)state;
	EVENT(
	    "< MARK_REGION seq 17 region 3,9 at 12 ms", .kind = MLOG_EV_REQUEST,
	    .request = {.type = ULOG_MARK_REGION, .seq = 17, .region_count = 2, .region = {3, 9}});
	EVENT("< SET_REGION_SYNC seq 1 region 5 to 1 at 12 ms", .kind = MLOG_EV_REQUEST,
	      .request = {.type = ULOG_SET_REGION_SYNC,
			  .seq = 1,
			  .region_count = 1,
			  .region = {5},
			  .in_sync = true});
	EVENT("< cleared under a gate: CLEAR_REGION seq 2 region 1 at 12 ms",
	      .kind = MLOG_EV_CLEARED,
	      .request = {.type = ULOG_CLEAR_REGION, .seq = 2, .region_count = 1, .region = {1}});
	EVENT("< restored at 12 ms", .kind = MLOG_EV_RESTORED);
	EVENT("< restored, handed over at 12 ms", .kind = MLOG_EV_RESTORED, .handed_over = true);
	EVENT("< loaded ok crashed, 8 regions of 1024 sectors, not to be trusted at 12 ms",
	      .kind = MLOG_EV_LOADED,
	      .loaded = {.history = {.load = MLOG_LOAD_CRASHED,
				     .region_count = 8,
				     .region_sectors = 1024,
				     .distrust = true}});
	EVENT("< loaded error Input/output error at 12 ms", .kind = MLOG_EV_LOADED,
	      .loaded = {.error = -EIO});
	EVENT("< claimed ok at 12 ms", .kind = MLOG_EV_CLAIMED);
	EVENT("< written sync page 4 ok at 12 ms", .kind = MLOG_EV_WRITTEN,
	      .written = {.area = MLOG_AREA_SYNC, .page = 4});
	EVENT("< released error Input/output error at 12 ms", .kind = MLOG_EV_RELEASED,
	      .error = -EIO);
	EVENT("< copied region 6 differed at 12 ms", .kind = MLOG_EV_COPIED,
	      .copied = {.region = 6, .result = MLOG_COPY_DIFFERED});
	EVENT("< timer at 12 ms", .kind = MLOG_EV_TIMER);
	EVENT("< verify and repair at 12 ms", .kind = MLOG_EV_VERIFY, .verify = {.repair = true});
	EVENT("< verify, 500 ns a region at 12 ms", .kind = MLOG_EV_VERIFY,
	      .verify = {.region_ns = 500});
	EVENT("< rate, 7000000 ns a region at 12 ms", .kind = MLOG_EV_RATE, .region_ns = 7000000);
	EVENT("< verify stop at 12 ms", .kind = MLOG_EV_VERIFY_STOP);
	EVENT("< quiesce 1 at 12 ms", .kind = MLOG_EV_QUIESCE, .quiesce = true);
	EVENT("< retry log device at 12 ms", .kind = MLOG_EV_RETRY);
	EVENT("< ended at 12 ms", .kind = MLOG_EV_ENDED);
	EVENT("< locked slot 3 ok at 12 ms", .kind = MLOG_EV_LOCKED, .locked = {.lock = 3});
	EVENT("< locked map error Resource temporarily unavailable at 12 ms",
	      .kind = MLOG_EV_LOCKED, .locked = {.lock = MLOG_LOCK_MAP, .error = -EAGAIN});
	EVENT("< read slot 2 ok, free at 12 ms", .kind = MLOG_EV_SLOT_READ, .slot.slot = 2);
	EVENT("< read slot 2 ok, in use at 12 ms", .kind = MLOG_EV_SLOT_READ,
	      .slot = {.slot = 2, .dirty = (const uint64_t[]){0}});
	EVENT("< read slot 2 error Input/output error at 12 ms", .kind = MLOG_EV_SLOT_READ,
	      .slot = {.slot = 2, .error = -EIO});
	EVENT("< emptied slot 2 ok at 12 ms", .kind = MLOG_EV_SLOT_EMPTIED, .slot.slot = 2);
}

static void test_views(void **state)
{
	static const uint32_t node[MLOG_VIEW_MAX] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

	(void)state;
	EVENT("< view of nodes 1,2, quorate at 12 ms", .kind = MLOG_EV_VIEW,
	      .view = {.node = node, .count = 2, .quorate = true});
	EVENT("< view, no quorum at 12 ms", .kind = MLOG_EV_VIEW);
	EVENT("< view of nodes 1,2,3,4,5,6,7,8,… 9 in all, no quorum at 12 ms",
	      .kind = MLOG_EV_VIEW, .view = {.node = node, .count = 9});
}

static void test_effects(void **state)
{
	(void)state;
	EFFECT("> reply GET_RESYNC_WORK seq 5 ok 1 7", .kind = MLOG_REPLY,
	       .reply = {.type = ULOG_GET_RESYNC_WORK, .seq = 5, .words = 2, .word = {1, 7}});
	EFFECT("> load log device, slot 1, whole", .kind = MLOG_LOAD,
	       .log = {.slot = 1, .whole = true});
	EFFECT("> claim log device, slot 1", .kind = MLOG_CLAIM, .log = {.slot = 1});
	EFFECT("> release log device, slot 0, whole", .kind = MLOG_RELEASE, .log = {.whole = true});
	EFFECT("> write slot page 9", .kind = MLOG_WRITE,
	       .write = {.area = MLOG_AREA_SLOT, .page = 9});
	EFFECT("> compare region 4", .kind = MLOG_COPY,
	       .copy = {.region = 4, .mode = MLOG_COPY_COMPARE});
	EFFECT("> repair region 4", .kind = MLOG_COPY,
	       .copy = {.region = 4, .mode = MLOG_COPY_REPAIR});
	EFFECT("> no timer", .kind = MLOG_TIMER);
	EFFECT("> timer at 40 ms", .kind = MLOG_TIMER, .timer = {.at_ms = 40});
	EFFECT("> notice: member ready, 3", .kind = MLOG_NOTICE,
	       .notice = {.code = MLOG_NOTICE_MEMBER_READY, .value = 3});
	EFFECT("> lock slot 31", .kind = MLOG_LOCK, .lock.lock = 31);
	EFFECT("> lock slot 3, keep", .kind = MLOG_LOCK, .lock = {.lock = 3, .keep = true});
	EFFECT("> unlock map", .kind = MLOG_UNLOCK, .lock.lock = MLOG_LOCK_MAP);
	EFFECT("> read slot 2", .kind = MLOG_READ_SLOT, .slot = 2);
	EFFECT("> empty slot 2", .kind = MLOG_EMPTY_SLOT, .slot = 2);
	EFFECT("> wake the kernel", .kind = MLOG_WAKE);
	EFFECT("> reload the table", .kind = MLOG_RELOAD);
}

#define FROM .from = 2, .incarnation = 5, .seq = 7

/* The message as it comes and as it goes. */
static void assert_message(const struct mlog_message *message, const char *received,
			   const char *sent)
{
	EVENT(received, .kind = MLOG_EV_MESSAGE, .message = message);
	EFFECT(sent, .kind = MLOG_SEND, .message = message);
}

#define MESSAGE(body, ...)                                                                         \
	assert_message(&(struct mlog_message){FROM, __VA_ARGS__},                                  \
		       "< from node 2.5 #7: " body " at 12 ms", "> send #7 " body)

static void test_messages(void **state)
{
	(void)state;
	MESSAGE("JOIN, 8 regions of 64 sectors, log device 1, applied 9", .kind = MLOG_MSG_JOIN,
		.join = {.has_disk = true,
			 .region_count = 8,
			 .region_sectors = 64,
			 .slot = MLOG_NO_SLOT,
			 .applied = 9});
	MESSAGE("JOIN live, 8 regions of 64 sectors, log device 0, applied 0, slot 3, bound 4, "
		"recovering 5, revision 2",
		.kind = MLOG_MSG_JOIN,
		.join = {.live = true,
			 .region_count = 8,
			 .region_sectors = 64,
			 .slot = 3,
			 .bound = 4,
			 .recovering = 6,
			 .revision = 2});
	MESSAGE(
	    "NONE to node 3.6 joining founding, applied 1", .kind = MLOG_MSG_NONE,
	    .none = {.to = 3, .incarnation = 6, .joining = true, .founding = true, .applied = 1});
	MESSAGE("SNAP applied 6", .kind = MLOG_MSG_SNAP, .applied = 6);
	MESSAGE("READY", .kind = MLOG_MSG_READY);
	MESSAGE("LOST", .kind = MLOG_MSG_LOST);
	MESSAGE("LEAVE", .kind = MLOG_MSG_LEAVE);
	MESSAGE("LEAVE dirty", .kind = MLOG_MSG_LEAVE, .dirty = true);
	MESSAGE("SYNC region 4 to 1", .kind = MLOG_MSG_SYNC,
		.sync = {.region = 4, .in_sync = true});
	MESSAGE("LEASE 9 from 4", .kind = MLOG_MSG_LEASE, .lease = {.from = 4, .regions = 9});
	MESSAGE("WANT region 4", .kind = MLOG_MSG_WANT, .region = 4);
	MESSAGE("UNSEEN below 4", .kind = MLOG_MSG_UNSEEN, .region = 4);
	MESSAGE("CLAIM region 1,2", .kind = MLOG_MSG_CLAIM, .claim = {.count = 2, .item = {1, 2}});
	MESSAGE("DONE claim #6 mask 3", .kind = MLOG_MSG_DONE, .done = {.claim = 6, .repaired = 3});
	MESSAGE("ACK of #6 to node 1 busy a", .kind = MLOG_MSG_ACK,
		.ack = {.to = 1, .seq = 6, .busy = 10});
	MESSAGE("DIRTY slot 1 incarnation 3 last all bits 0,5", .kind = MLOG_MSG_DIRTY,
		.dirty_bits = {.slot = 1,
			       .incarnation = 3,
			       .last = true,
			       .all = true,
			       .items = {.count = 2, .item = {0, 5}}});
	MESSAGE("MARKS all bits 5", .kind = MLOG_MSG_MARKS,
		.marks = {.all = true, .items = {.count = 1, .item = {5}}});
	MESSAGE("UNMARKS bits 5", .kind = MLOG_MSG_UNMARKS,
		.marks = {.items = {.count = 1, .item = {5}}});
}

static void test_state(void **state)
{
	struct mlog_message m = {FROM, .kind = MLOG_MSG_STATE,
				 .state = {.snap = 6, .member_count = 4, .map = 1, .words = 16}};

	(void)state;
	EFFECT("> send #7 STATE", .kind = MLOG_SEND, .message = &m);
	EVENT("< from node 2.5 #7: STATE of #6, 4 members, map 1 words 0+16 at 12 ms",
	      .kind = MLOG_EV_MESSAGE, .message = &m);
	m.state.last = true;
	EVENT("< from node 2.5 #7: STATE of #6, 4 members, map 1 words 0+16, last at 12 ms",
	      .kind = MLOG_EV_MESSAGE, .message = &m);
}

static void test_names(void **state)
{
	(void)state;
	for (int type = ULOG_CTR; type < ULOG_TYPES; type++)
		assert_string_not_equal(trace_type_name((enum ulog_type)type), "?");
	for (int code = 0; code <= MLOG_NOTICE_OUTDATED; code++)
		assert_string_not_equal(trace_notice_name((enum mlog_notice)code), "?");
	for (int kind = 0; kind < MLOG_MESSAGES; kind++)
		assert_string_not_equal(trace_message_name((enum mlog_message_kind)kind), "?");
	assert_string_equal(trace_type_name((enum ulog_type)0), "?");
	assert_string_equal(trace_type_name(ULOG_TYPES), "?");
	assert_string_equal(trace_notice_name((enum mlog_notice)1000), "?");
	assert_string_equal(trace_message_name(MLOG_MESSAGES), "?");
}

/* The longest there can be is cut, not written behind the line. */
static void test_longest(void **state)
{
	struct mlog_message m = {.kind = MLOG_MSG_DIRTY,
				 .from = UINT32_MAX,
				 .incarnation = UINT64_MAX,
				 .seq = UINT64_MAX};
	struct mlog_event event = {.kind = MLOG_EV_MESSAGE, .now_ms = UINT64_MAX, .message = &m};
	char line[TRACE_LINE_SIZE + 1];

	(void)state;
	m.dirty_bits.slot = UINT32_MAX;
	m.dirty_bits.incarnation = UINT64_MAX;
	m.dirty_bits.last = true;
	m.dirty_bits.all = true;
	m.dirty_bits.items.count = MLOG_ITEMS_MAX;
	for (unsigned i = 0; i < MLOG_ITEMS_MAX; i++)
		m.dirty_bits.items.item[i] = UINT64_MAX;
	line[TRACE_LINE_SIZE] = 0x5a;
	trace_event(&event, line);
	assert_int_equal(strlen(line), TRACE_LINE_SIZE - 1);
	assert_int_equal(line[TRACE_LINE_SIZE], 0x5a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_events),  cmocka_unit_test(test_views),
	    cmocka_unit_test(test_effects), cmocka_unit_test(test_messages),
	    cmocka_unit_test(test_state),   cmocka_unit_test(test_names),
	    cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
