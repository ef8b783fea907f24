/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "daemons/dlmirror/foreign.h"

static struct foreign parse(const char *params)
{
	struct foreign foreign;
	char error[FOREIGN_ERROR_SIZE];

	if (foreign_parse(params, &foreign, error) != 0)
		fail_msg("%s: %s", params, error);
	assert_int_equal(foreign.region_sectors, 1024);
	assert_int_equal(foreign.leg_count, 2);
	assert_true(foreign.leg[0].devno == makedev(253, 5));
	assert_int_equal(foreign.leg[0].start_sector, 0);
	assert_true(foreign.leg[1].devno == makedev(8, 16));
	assert_int_equal(foreign.leg[1].start_sector, 2048);
	return foreign;
}

static void logs(void **state)
{
	static const char *const without[] = {
	    "core 1 1024 2 253:5 0 8:16 2048",
	    "core 2 1024 nosync 2 253:5 0 8:16 2048 1 handle_errors",
	    "core 3 1024 sync block_on_error 2 253:5 0 8:16 2048",
	    "userspace 3 LVM-x clustered-core 1024 2 253:5 0 8:16 2048",
	    "userspace 4 LVM-x integrated_flush clustered-core 1024 2 253:5 0 8:16 2048",
	};
	static const char *const with[] = {
	    "disk 2 253:4 1024 2 253:5 0 8:16 2048",
	    "disk 4 253:4 1024 nosync block_on_error 2 253:5 0 8:16 2048 1 handle_errors",
	    "userspace 5 LVM-x clustered-disk 253:4 1024 nosync 2 253:5 0 8:16 2048",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++)
		assert_false(parse(without[i]).has_log);
	for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++) {
		struct foreign foreign = parse(with[i]);

		assert_true(foreign.has_log);
		assert_true(foreign.log == makedev(253, 4));
	}
}

static void garbled(void **state)
{
	static const struct {
		const char *params;
		const char *says;
	} cases[] = {
	    {"", "'' is no table of a mirror"},
	    {"core", "'' is no number of arguments"},
	    {"core x 1024", "'x' is no number of arguments"},
	    {"core 17 1024 2 1:1 0 1:2 0", "'17' is no number of arguments"},
	    {"core 0 1024 2 1:1 0 1:2 0", "'core' is no number of arguments"},
	    {"raid 1 1024 2 1:1 0 1:2 0", "'raid' is no log"},
	    {"userspace 1 x", "'' is no log"},
	    {"disk 2 /dev/x 1024 2 1:1 0 1:2 0", "'/dev/x' is no log device"},
	    {"core 1 0 2 1:1 0 1:2 0", "'0' is no region size"},
	    {"core 1 -4 2 1:1 0 1:2 0", "'-4' is no region size"},
	    {"core 1 1024 1 1:1 0", "'1' is no number of legs"},
	    {"core 1 1024 9 1:1 0", "'9' is no number of legs"},
	    {"core 1 1024 2 1:1 0 1:2", "'' is no sector"},
	    {"core 1 1024 2 1:1 0 1-2 0", "'1-2' is no leg"},
	    {"core 1 1024 2 1:1 0 1:2x 0", "'1:2x' is no leg"},
	};
	struct foreign foreign;
	char error[FOREIGN_ERROR_SIZE];
	char longest[8192];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(foreign_parse(cases[i].params, &foreign, error), -EINVAL);
		if (strstr(error, cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].params, error);
	}
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(foreign_parse(longest, &foreign, error), -EINVAL);
}

static void linear(void **state)
{
	uint64_t sector;
	dev_t devno;

	(void)state;
	assert_int_equal(foreign_parse_linear("8:16 2048", &devno, &sector), 0);
	assert_true(devno == makedev(8, 16));
	assert_int_equal(sector, 2048);
	assert_int_equal(foreign_parse_linear("8:16", &devno, &sector), -EINVAL);
	assert_int_equal(foreign_parse_linear("8:16 2048 1", &devno, &sector), -EINVAL);
	assert_int_equal(foreign_parse_linear("sda 2048", &devno, &sector), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(logs),
	    cmocka_unit_test(garbled),
	    cmocka_unit_test(linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
