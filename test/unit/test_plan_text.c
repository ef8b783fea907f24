// SPDX-License-Identifier: GPL-2.0-or-later
/* A plan of a reload as text: what is written is read again, and every way to get it wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemons/common/plan_text.h"

static void test_text(void **state)
{
	const struct dlmirror_plan plan = {
	    .from_sectors = 2048,
	    .from_legs = 2,
	    .from_start = {0, 64},
	    .to_sectors = 4096,
	    .to_legs = 2,
	    .leg = {{.index = 1}, {.fresh = true, .start_sector = 128, .path = "/dev/a b"}},
	};
	char text[PLAN_TEXT_SIZE];
	struct dlmirror_plan seen;
	struct plan_log log;

	(void)state;
	plan_text(&plan, &(struct plan_log){.from = 4}, text);
	assert_string_equal(text, "from 2048 0 64\nto 4096\nkeep 1\nfresh 128 /dev/a b\n");
	assert_int_equal(plan_text_parse(text, &seen, &log), 0);
	assert_memory_equal(&seen, &plan, sizeof(plan));
	assert_int_equal(log.to, 0);
	plan_text(&plan, &(struct plan_log){.from = 4, .to = 7}, text);
	assert_string_equal(text,
			    "from 2048 0 64\nto 4096\nrevision 4 7\nkeep 1\nfresh 128 /dev/a b\n");
	assert_int_equal(plan_text_parse(text, &seen, &log), 0);
	assert_memory_equal(&seen, &plan, sizeof(plan));
	assert_int_equal(log.from, 4);
	assert_int_equal(log.to, 7);
	assert_string_equal(log.device, "");
	plan_text(&plan, &(struct plan_log){.from = 4, .to = 7, .device = "/dev/l 2"}, text);
	assert_string_equal(text, "from 2048 0 64\nto 4096\nrevision 4 7\nlog /dev/l 2\nkeep 1\n"
				  "fresh 128 /dev/a b\n");
	assert_int_equal(plan_text_parse(text, &seen, &log), 0);
	assert_memory_equal(&seen, &plan, sizeof(plan));
	assert_string_equal(log.device, "/dev/l 2");
	assert_false(log.lost);
	plan_text(&plan, &(struct plan_log){.to = 7, .device = "/l", .lost = true}, text);
	assert_int_equal(plan_text_parse(text, &seen, &log), 0);
	assert_true(log.lost);
}

static void test_longest(void **state)
{
	struct dlmirror_plan plan = {.from_sectors = UINT64_MAX,
				     .from_legs = DLMIRROR_LEGS_MAX,
				     .to_sectors = UINT64_MAX,
				     .to_legs = DLMIRROR_LEGS_MAX};
	struct plan_log said = {.from = UINT64_MAX - 1, .to = UINT64_MAX, .lost = true};
	char text[PLAN_TEXT_SIZE];
	struct dlmirror_plan seen;
	struct plan_log log;

	(void)state;
	for (unsigned i = 0; i < DLMIRROR_LEGS_MAX; i++) {
		plan.from_start[i] = UINT64_MAX;
		plan.leg[i].fresh = true;
		plan.leg[i].start_sector = UINT64_MAX;
		memset(plan.leg[i].path, 'x', sizeof(plan.leg[i].path) - 1);
		plan.leg[i].path[0] = '/';
	}
	memset(said.device, 'x', sizeof(said.device) - 1);
	said.device[0] = '/';
	plan_text(&plan, &said, text);
	assert_int_equal(plan_text_parse(text, &seen, &log), 0);
	assert_true(log.to == UINT64_MAX);
	assert_string_equal(log.device, said.device);
	assert_memory_equal(&seen, &plan, sizeof(plan));
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
	    "",
	    "from",
	    "from 2048\nto 4096\nkeep 0\n",
	    "from 2048 0 0",
	    "from 2048 0 0\nto 4096\n",
	    "from 2048 0 x\nto 4096\nkeep 0\n",
	    "from 2048 0 0\nkeep 0\n",
	    "from 2048 0 0\nto 4096 1\nkeep 0\n",
	    "from 2048 0 0\nto 4096\nkeep 2\n",
	    "from 2048 0 0\nto 4096\nkeep 0 1\n",
	    "from 2048 0 0\nto 4096\nfresh 0\n",
	    "from 2048 0 0\nto 4096\nfresh 0 dev\n",
	    "from 2048 0 0\nto 4096\nnonsense\n",
	    "from 2048 0 0\nto 4096\nrevision 0 0\nkeep 0\n",
	    "from 2048 0 0\nto 4096\nrevision 1\nkeep 0\n",
	    "from 2048 0 0\nto 4096\nlog sda\nkeep 0\n",
	    "from 2048 0 0\nto 4096\nlost it\nkeep 0\n",
	    "from 2048 0 0\nto 4096\nrevision 0 1\nrevision 0 1\nkeep 0\n",
	    "from 2048 0 0 0 0 0 0 0 0 0\nto 4096\nkeep 0\n",
	    ("from 2048 0 0\nto 4096\nkeep 0\nkeep 0\nkeep 0\nkeep 0\nkeep 0\nkeep 0\nkeep 0\n"
	     "keep 0\nkeep 0\n"),
	};
	char longer[1024] = "from 2048 0 0\nto 4096\nfresh 0 /";
	struct dlmirror_plan seen;
	struct plan_log log;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(plan_text_parse(bad[i], &seen, &log), -EINVAL);
	memset(longer + strlen(longer), 'x', DLMIRROR_PATH_SIZE);
	assert_int_equal(plan_text_parse(longer, &seen, &log), -EINVAL);
	memset(longer, '1', sizeof(longer) - 1);
	assert_int_equal(plan_text_parse(longer, &seen, &log), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_longest),
	    cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
