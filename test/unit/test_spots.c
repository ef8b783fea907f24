// SPDX-License-Identifier: GPL-2.0-or-later
/* Which regions dlmirror top shows, of two looks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemons/dlmirror/spots.h"

#define MIRRORS 2

struct look {
	struct snapshot s;
	struct dlmirror_mirror mirror[MIRRORS];
	struct dlmirror_heat heat[MIRRORS];
};

/* Mirrors "a", "b", … with logs 1, 2, …: 11 regions of 1 MiB, the last one of half of that, in
 * stretches of 4. */
static void look_fill(struct look *look, size_t count)
{
	size_t i;

	memset(look, 0, sizeof(*look));
	look->s = (struct snapshot){.count = count, .mirror = look->mirror, .heat = look->heat};
	look->s.daemon.pid = 100;
	for (i = 0; i < count; i++) {
		look->mirror[i].uuid[0] = (char)('a' + i);
		look->heat[i] = (struct dlmirror_heat){.luid = i + 1,
						       .length_sectors = 10 * 2048 + 1024,
						       .region_sectors = 2048,
						       .region_count = 11,
						       .stretch_regions = 4,
						       .stretch_count = 3};
	}
}

static struct look before;
static struct look after;
static struct spot spots[MIRRORS * DLMIRROR_STRETCHES_MAX];

static void marked(struct look *look, size_t mirror, uint64_t first, uint64_t second,
		   uint64_t third)
{
	look->heat[mirror].marks[0] = first;
	look->heat[mirror].marks[1] = second;
	look->heat[mirror].marks[2] = third;
}

static void assert_near(double value, double expected)
{
	if (value < expected - 0.0001 || value > expected + 0.0001)
		fail_msg("%f, not %f", value, expected);
}

static void assert_spot(size_t at, size_t index, uint64_t first, double marks_s, double share)
{
	assert_int_equal(spots[at].index, index);
	assert_int_equal(spots[at].first, first);
	assert_near(spots[at].marks_s, marks_s);
	assert_near(spots[at].share, share);
}

static void test_places(void **state)
{
	const uint64_t mib = 1 << 20;

	(void)state;
	look_fill(&before, 1);
	look_fill(&after, 1);
	marked(&before, 0, 100, 7, 1000);
	marked(&after, 0, 102, 7, 1006);
	assert_int_equal(spots_make(&before.s, &after.s, 2, spots), 2);
	assert_spot(0, 0, 8, 3, 0.75);
	assert_int_equal(spots[0].regions, 3);
	assert_int_equal(spots[0].offset_bytes, 8 * mib);
	assert_int_equal(spots[0].size_bytes, 2 * mib + mib / 2);
	assert_int_equal(spots[0].stretch_bytes, 4 * mib);
	assert_spot(1, 0, 0, 1, 0.25);
	assert_int_equal(spots[1].regions, 4);
	assert_int_equal(spots[1].offset_bytes, 0);
	assert_int_equal(spots[1].size_bytes, 4 * mib);
	/* nothing happened */
	assert_int_equal(spots_make(&after.s, &after.s, 2, spots), 0);
}

/* The busiest of all mirrors come first, equals as they were. */
static void test_order(void **state)
{
	(void)state;
	look_fill(&before, 2);
	look_fill(&after, 2);
	marked(&after, 0, 5, 3, 5);
	marked(&after, 1, 1, 5, 6);
	assert_int_equal(spots_make(&before.s, &after.s, 1, spots), 6);
	assert_spot(0, 1, 8, 6, 0.24);
	assert_spot(1, 0, 0, 5, 0.2);
	assert_spot(2, 0, 8, 5, 0.2);
	assert_spot(3, 1, 4, 5, 0.2);
	assert_spot(4, 0, 4, 3, 0.12);
	assert_spot(5, 1, 0, 1, 0.04);
}

/* Each sign by itself that the count has begun anew: all that is there is of the interval. */
static void test_begun_anew(void **state)
{
	unsigned sign;

	(void)state;
	for (sign = 0; sign < 7; sign++) {
		look_fill(&before, 1);
		look_fill(&after, 1);
		marked(&before, 0, 1, 1, 1);
		marked(&after, 0, 4, 4, 8);
		if (sign == 0)
			after.s.daemon.pid++;
		else if (sign == 1)
			after.s.daemon.generation++;
		else if (sign == 2)
			before.heat[0].marks[1] = 5;
		else if (sign == 3)
			after.heat[0].luid = 77; /* another table is another log */
		else if (sign == 4)
			before.heat[0].stretch_regions = 8;
		else if (sign == 5)
			before.heat[0].stretch_count = 2;
		else
			before.mirror[0].uuid[0] = 'x';
		assert_int_equal(spots_make(&before.s, &after.s, 4, spots), 3);
		assert_spot(0, 0, 8, 2, 0.5);
		assert_spot(1, 0, 0, 1, 0.25);
		assert_spot(2, 0, 4, 1, 0.25);
	}
	look_fill(&before, 1);
	marked(&before, 0, 1, 1, 1);
	look_fill(&after, 1);
	marked(&after, 0, 4, 4, 8);
	assert_int_equal(spots_make(&before.s, &after.s, 4, spots), 3);
	assert_spot(0, 0, 8, 7.0 / 4, 7.0 / 13);
}

/* As many stretches as can be, and mirrors that come and go. */
static void test_most(void **state)
{
	uint32_t i;

	(void)state;
	look_fill(&before, 1);
	before.mirror[0].uuid[0] = 'b';
	before.heat[0].luid = 2;
	look_fill(&after, 2);
	for (i = 0; i < 2; i++) {
		after.heat[i].stretch_regions = 1;
		after.heat[i].region_count = DLMIRROR_STRETCHES_MAX;
		after.heat[i].stretch_count = DLMIRROR_STRETCHES_MAX;
		after.heat[i].length_sectors = DLMIRROR_STRETCHES_MAX * UINT64_C(2048);
	}
	for (i = 0; i < DLMIRROR_STRETCHES_MAX; i++)
		after.heat[0].marks[i] = after.heat[1].marks[i] = i + 1;
	assert_int_equal(spots_make(&before.s, &after.s, 1, spots),
			 MIRRORS * DLMIRROR_STRETCHES_MAX);
	assert_int_equal(spots[0].first, DLMIRROR_STRETCHES_MAX - 1);
	assert_int_equal(spots[0].size_bytes, 1 << 20);
	assert_int_equal(spots[MIRRORS * DLMIRROR_STRETCHES_MAX - 1].first, 0);
	assert_int_equal(spots[MIRRORS * DLMIRROR_STRETCHES_MAX - 1].index, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_places),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_begun_anew),
	    cmocka_unit_test(test_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
