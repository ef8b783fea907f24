// SPDX-License-Identifier: GPL-2.0-or-later
/* What dlmirror top makes of two looks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/types.h"
#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/rates.h"

#define MIRRORS 3

struct look {
	struct snapshot s;
	struct dlmirror_mirror mirror[MIRRORS];
	struct dlmirror_counters counters[MIRRORS];
};

/* Mirrors "a", "b", … with logs 1, 2, …, in sync but for 10 regions of 100. */
static void look_fill(struct look *look, size_t count)
{
	size_t i;

	memset(look, 0, sizeof(*look));
	look->s =
	    (struct snapshot){.count = count, .mirror = look->mirror, .counters = look->counters};
	look->s.daemon.pid = 100;
	for (i = 0; i < count; i++) {
		look->mirror[i].uuid[0] = (char)('a' + i);
		look->mirror[i].luid = i + 1;
		look->mirror[i].region_count = 100;
		look->mirror[i].in_sync = 90;
	}
}

static void counted(struct look *look, size_t mirror, unsigned type, uint64_t count,
		    unsigned bucket)
{
	struct dlmirror_counter *c = &look->counters[mirror].type[type];

	c->count += count;
	c->bucket[bucket] += count;
	c->total_us += count * (UINT64_C(1) << bucket);
}

static void assert_rate(double rate, double expected)
{
	if (rate < expected - 0.0001 || rate > expected + 0.0001)
		fail_msg("%f, not %f", rate, expected);
}

static struct look before;
static struct look after;
static struct rates rates[MIRRORS];

static void test_difference(void **state)
{
	(void)state;
	look_fill(&before, 1);
	counted(&before, 0, ULOG_MARK_REGION, 1000, 12);
	counted(&before, 0, ULOG_FLUSH, 7, 12);
	before.mirror[0].log_writes = 5;
	after = before;
	after.s.mirror = after.mirror;
	after.s.counters = after.counters;
	counted(&after, 0, ULOG_MARK_REGION, 90, 3);
	counted(&after, 0, ULOG_MARK_REGION, 10, 10);
	counted(&after, 0, ULOG_CLEAR_REGION, 20, 1);
	counted(&after, 0, ULOG_IN_SYNC, 30, 1);
	counted(&after, 0, ULOG_GET_RESYNC_WORK, 40, 1);
	counted(&after, 0, ULOG_STATUS_INFO, 50, 1);
	after.mirror[0].log_writes = 9;
	after.mirror[0].in_sync = 94;
	rates_make(&before.s, &after.s, 2, rates);
	assert_rate(rates[0].requests_s, 120);
	assert_rate(rates[0].kind_s[RATES_MARK], 50);
	assert_rate(rates[0].kind_s[RATES_CLEAR], 10);
	assert_rate(rates[0].kind_s[RATES_FLUSH], 0);
	assert_rate(rates[0].kind_s[RATES_QUERY], 15);
	assert_rate(rates[0].kind_s[RATES_RESYNC], 20);
	assert_rate(rates[0].kind_s[RATES_OTHER], 25);
	assert_rate(rates[0].log_writes_s, 2);
	assert_rate(rates[0].regions_s, 2);
	/* The thousand slow ones before do not count any more. */
	assert_int_equal(format_mean_us(&rates[0].mark), (90 * 8 + 10 * 1024) / 100);
	assert_int_equal(format_quantile_us(&rates[0].mark, 500), 16);
	assert_int_equal(format_quantile_us(&rates[0].mark, 990), 2048);
}

/* Each sign of another daemon by itself, and counters that have passed the old ones already. */
static void test_daemon_restarted(void **state)
{
	unsigned sign;

	(void)state;
	for (sign = 0; sign < 3; sign++) {
		look_fill(&before, 1);
		counted(&before, 0, ULOG_MARK_REGION, sign == 2 ? 50 : 10, 12);
		before.mirror[0].log_writes = 30;
		look_fill(&after, 1);
		counted(&after, 0, ULOG_MARK_REGION, 40, 3);
		after.mirror[0].log_writes = 8;
		after.mirror[0].in_sync = 92;
		after.s.daemon.pid += sign == 0;
		after.s.daemon.generation += sign == 1;
		rates_make(&before.s, &after.s, 4, rates);
		assert_rate(rates[0].kind_s[RATES_MARK], 10);
		assert_rate(rates[0].log_writes_s, 2);
		assert_rate(rates[0].regions_s, 0.5);
		assert_int_equal(rates[0].mark.bucket[12], 0);
		assert_int_equal(format_mean_us(&rates[0].mark), 8);
	}
}

static void test_mirror_comes_and_goes(void **state)
{
	(void)state;
	look_fill(&before, 2);
	counted(&before, 0, ULOG_MARK_REGION, 1000, 3);
	counted(&before, 1, ULOG_MARK_REGION, 500, 3);
	/* a has gone, b is as it was, c has come */
	look_fill(&after, 3);
	counted(&after, 1, ULOG_MARK_REGION, 500, 3);
	counted(&after, 2, ULOG_MARK_REGION, 6, 3);
	after.s.mirror++;
	after.s.counters++;
	after.s.count = 2;
	rates_make(&before.s, &after.s, 2, rates);
	assert_rate(rates[0].requests_s, 0);
	assert_rate(rates[1].requests_s, 3);
	/* It was not seen with more to do. */
	assert_rate(rates[1].regions_s, 0);
	assert_int_equal(format_mean_us(&rates[0].mark), 0);
}

/* The same uuid with another table is another log, whose counters began at 0. */
static void test_table_loaded(void **state)
{
	(void)state;
	look_fill(&before, 1);
	counted(&before, 0, ULOG_MARK_REGION, 10, 3);
	look_fill(&after, 1);
	after.mirror[0].luid = 77;
	counted(&after, 0, ULOG_MARK_REGION, 12, 3);
	rates_make(&before.s, &after.s, 1, rates);
	assert_rate(rates[0].kind_s[RATES_MARK], 12);
}

/* A leg that was added leaves more to do than before. */
static void test_more_to_do(void **state)
{
	(void)state;
	look_fill(&before, 1);
	look_fill(&after, 1);
	after.mirror[0].in_sync = 0;
	rates_make(&before.s, &after.s, 1, rates);
	assert_rate(rates[0].regions_s, 0);
}

static void test_sort(void **state)
{
	static struct rates four[4] = {
	    {.index = 0, .requests_s = 5},
	    {.index = 1, .requests_s = 3, .kind_s = {[RATES_MARK] = 2}},
	    {.index = 2, .requests_s = 9, .kind_s = {[RATES_MARK] = 2}},
	    {.index = 3, .requests_s = 5},
	};

	(void)state;
	rates_sort(four, 4);
	assert_int_equal(four[0].index, 2);
	assert_int_equal(four[1].index, 1);
	assert_int_equal(four[2].index, 0);
	assert_int_equal(four[3].index, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_difference),
	    cmocka_unit_test(test_daemon_restarted),
	    cmocka_unit_test(test_mirror_comes_and_goes),
	    cmocka_unit_test(test_table_loaded),
	    cmocka_unit_test(test_more_to_do),
	    cmocka_unit_test(test_sort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
