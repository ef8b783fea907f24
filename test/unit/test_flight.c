/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the flight record keeps is told in the words of the trace, in order, once. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "codec/trace.h"
#include "daemons/dlmirrord/flight.h"

static const char uuid[KMSG_UUID_SIZE] = "data-1a2b3c4d";
static const char long_uuid[KMSG_UUID_SIZE] = "0123456789012345678901234567890123456789";

static struct {
	size_t count;
	char log[FLIGHT_ITEMS][64];
	char line[FLIGHT_ITEMS][TRACE_LINE_SIZE];
} told;

static void tell(const char *log, const char *line)
{
	assert_true(told.count < FLIGHT_ITEMS);
	snprintf(told.log[told.count], sizeof(told.log[0]), "%s", log);
	snprintf(told.line[told.count], sizeof(told.line[0]), "%s", line);
	told.count++;
}

static void tell_all(void)
{
	told.count = 0;
	flight_tell(tell);
}

/* The frequent kinds, that are kept as they are, and some of those that become lines at once. */
static void test_the_words_of_the_trace(void **state)
{
	static const uint32_t nodes[] = {3, 5};
	static const struct mlog_message message = {.kind = MLOG_MSG_WANT, .from = 3, .region = 7};
	struct mlog_event events[] = {
	    {.kind = MLOG_EV_REQUEST,
	     .request = {.type = ULOG_MARK_REGION, .seq = 17, .region_count = MLOG_GROUP_MAX}},
	    {.kind = MLOG_EV_REQUEST,
	     .request = {.type = ULOG_SET_REGION_SYNC,
			 .seq = 18,
			 .region_count = 1,
			 .region = {5},
			 .in_sync = true}},
	    {.kind = MLOG_EV_CLEARED,
	     .request =
		 {.type = ULOG_CLEAR_REGION, .seq = 19, .region_count = 2, .region = {5, 6}}},
	    {.kind = MLOG_EV_WRITTEN,
	     .written = {.area = MLOG_AREA_SYNC, .page = UINT64_MAX, .error = -EIO}},
	    {.kind = MLOG_EV_COPIED, .copied = {.region = 9, .result = MLOG_COPY_LATER}},
	    {.kind = MLOG_EV_TIMER},
	    {.kind = MLOG_EV_VIEW, .view = {.node = nodes, .count = 2, .quorate = true}},
	    {.kind = MLOG_EV_MESSAGE, .message = &message},
	    {.kind = MLOG_EV_LOADED, .loaded = {.error = -ENODEV}},
	};
	const struct mlog_effect effects[] = {
	    {.kind = MLOG_REPLY,
	     .reply = {.type = ULOG_GET_RESYNC_WORK, .seq = 1, .words = 2, .word = {1, 44}}},
	    {.kind = MLOG_WRITE, .write = {.area = MLOG_AREA_SLOT, .page = 3}},
	    {.kind = MLOG_TIMER, .timer = {.at_ms = UINT64_MAX}},
	    {.kind = MLOG_COPY, .copy = {.region = 4, .mode = MLOG_COPY_REPAIR}},
	    {.kind = MLOG_NOTICE, .notice = {.code = MLOG_NOTICE_STALE, .value = 8}},
	    {.kind = MLOG_LOCK, .lock = {.lock = 2, .keep = true}},
	    {.kind = MLOG_SEND, .message = &message},
	    {.kind = MLOG_CLAIM, .log = {.slot = 2, .whole = true}},
	};
	const size_t event_count = sizeof(events) / sizeof(events[0]);
	const size_t effect_count = sizeof(effects) / sizeof(effects[0]);
	char expected[TRACE_LINE_SIZE];

	(void)state;
	for (uint32_t i = 0; i < MLOG_GROUP_MAX; i++)
		events[0].request.region[i] = UINT64_MAX - i;
	for (size_t i = 0; i < event_count; i++) {
		events[i].now_ms = 1000 + i;
		flight_event(uuid, &events[i]);
	}
	for (size_t i = 0; i < effect_count; i++)
		flight_effect(long_uuid, &effects[i]);
	tell_all();
	assert_int_equal(told.count, event_count + effect_count);
	for (size_t i = 0; i < event_count; i++) {
		trace_event(&events[i], expected);
		assert_string_equal(told.line[i], expected);
		assert_string_equal(told.log[i], uuid);
	}
	for (size_t i = 0; i < effect_count; i++) {
		trace_effect(&effects[i], expected);
		assert_string_equal(told.line[event_count + i], expected);
		assert_string_equal(told.log[event_count + i], "0123456789012345678901234567890");
	}
	tell_all();
	assert_int_equal(told.count, 0);
}

static void keep_timer(uint64_t at_ms)
{
	flight_effect(uuid, &(struct mlog_effect){.kind = MLOG_TIMER, .timer = {.at_ms = at_ms}});
}

static void assert_timers(uint64_t first, size_t count)
{
	char expected[64];

	tell_all();
	assert_int_equal(told.count, count);
	for (size_t i = 0; i < count; i++) {
		snprintf(expected, sizeof(expected), "> timer at %llu ms",
			 (unsigned long long)(first + i));
		assert_string_equal(told.line[i], expected);
	}
}

static void test_the_last_ones_are_kept(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 3; i++)
		keep_timer(i);
	assert_timers(1, 3);
	for (uint64_t i = 1; i <= FLIGHT_ITEMS; i++)
		keep_timer(i);
	assert_timers(1, FLIGHT_ITEMS);
	for (uint64_t i = 1; i <= 5 * FLIGHT_ITEMS + 7; i++)
		keep_timer(i);
	assert_timers(4 * FLIGHT_ITEMS + 8, FLIGHT_ITEMS);
}

/* A thread crashes while another goes on: no line may be made of two. */
static atomic_bool over;

static void *go_on(void *argument)
{
	static const struct mlog_event copied = {
	    .kind = MLOG_EV_COPIED, .now_ms = 1, .copied = {.result = MLOG_COPY_SAME}};
	struct mlog_event mark = {.kind = MLOG_EV_REQUEST, .now_ms = 1};

	mark.request.type = ULOG_MARK_REGION;
	mark.request.region_count = TRACE_REGIONS_SHOWN;
	for (uint32_t i = 0; i < TRACE_REGIONS_SHOWN; i++)
		mark.request.region[i] = UINT64_MAX;
	while (!atomic_load(&over)) {
		flight_event(uuid, &mark);
		for (unsigned i = 0; i < FLIGHT_ITEMS - 2; i++)
			flight_event(uuid, &copied);
	}
	return argument;
}

static size_t wrong;
static size_t right;

static void tell_one(const char *log, const char *line)
{
	static const char marked[] = "< MARK_REGION seq 0 region 18446744073709551615,"
				     "18446744073709551615,18446744073709551615,"
				     "18446744073709551615,18446744073709551615,"
				     "18446744073709551615,18446744073709551615,"
				     "18446744073709551615 at 1 ms";

	if (strcmp(log, uuid) == 0 &&
	    (strcmp(line, "< copied region 0 same at 1 ms") == 0 || strcmp(line, marked) == 0))
		right++;
	else
		wrong++;
}

static void test_told_while_others_go_on(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, go_on, NULL), 0);
	for (unsigned i = 0; i < 2000 || right == 0; i++)
		flight_tell(tell_one);
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	assert_int_equal(wrong, 0);
	assert_true(right > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_words_of_the_trace),
	    cmocka_unit_test(test_the_last_ones_are_kept),
	    cmocka_unit_test(test_told_while_others_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
