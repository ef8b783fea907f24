/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Table and status lines as a kernel prints them, and as it should never print them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "daemons/dlmirrord/devmap_parse.h"

#define LENGTH 131072U

static void core(void **state)
{
	struct devmap_mirror m;

	(void)state;
	memset(&m, 0xff, sizeof(m));
	assert_int_equal(devmap_parse_table(LENGTH,
					    "userspace 4 cafe clustered-core 1024 nosync "
					    "2 254:16 0 254:32 8 1 handle_errors",
					    &m),
			 0);
	assert_string_equal(m.uuid, "cafe");
	assert_string_equal(m.args, "131072 clustered-core 1024 nosync");
	assert_false(m.integrated_flush);
	assert_true(m.handle_errors);
	assert_int_equal(m.legs.count, 2);
	assert_int_equal(m.legs.length_sectors, LENGTH);
	assert_int_equal(m.legs.leg[0].devno, makedev(254, 16));
	assert_int_equal(m.legs.leg[0].start_sector, 0);
	assert_int_equal(m.legs.leg[1].devno, makedev(254, 32));
	assert_int_equal(m.legs.leg[1].start_sector, 8);
	assert_string_equal(m.leg_health, "");
	assert_string_equal(m.name, "");
}

static void disk(void **state)
{
	struct devmap_mirror m;

	(void)state;
	assert_int_equal(devmap_parse_table(UINT64_MAX,
					    "userspace 6 a-b_c integrated_flush clustered-disk "
					    "253:0 1024 nosync  3 8:0 18446744073709551615 "
					    "4095:1048575 0 8:16 1",
					    &m),
			 0);
	assert_string_equal(m.uuid, "a-b_c");
	assert_string_equal(m.args, "18446744073709551615 clustered-disk 253:0 1024 nosync");
	assert_true(m.integrated_flush);
	assert_false(m.handle_errors);
	assert_int_equal(m.legs.count, 3);
	assert_int_equal(m.legs.leg[0].start_sector, UINT64_MAX);
	assert_int_equal(m.legs.leg[1].devno, makedev(4095, 1048575));
	assert_int_equal(m.legs.leg[2].start_sector, 1);

	assert_int_equal(
	    devmap_parse_table(LENGTH,
			       "userspace 5 u clustered-disk /dev/log 8 block_on_error "
			       "2 1:1 0 1:2 0 2 keep_log handle_errors",
			       &m),
	    0);
	assert_string_equal(m.args, "131072 clustered-disk /dev/log 8 block_on_error");
	assert_true(m.handle_errors);
	assert_int_equal(devmap_parse_table(
			     LENGTH, "userspace 3 u clustered-core 8 2 1:1 0 1:2 0 1 keep_log", &m),
			 0);
	assert_false(m.handle_errors);
}

static void others(void **state)
{
	static const char *const lines[] = {
	    "core 1 1024 2 254:16 0 254:32 0",
	    "disk 2 253:0 1024 2 254:16 0 254:32 0",
	    "userspace 3 u somebody-else 1024 2 254:16 0 254:32 0",
	    "userspace 4 u integrated_flush clustered-corex 1024 2 254:16 0 254:32 0",
	    "userspace 1 u 2 254:16 0 254:32 0",
	    "userspace 2 u integrated_flush 2 254:16 0 254:32 0",
	    "",
	};
	struct devmap_mirror m = {.uuid = "kept"};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(devmap_parse_table(LENGTH, lines[i], &m), -ENOENT);
	assert_string_equal(m.uuid, "kept");
}

static void garbled(void **state)
{
	static const char *const lines[] = {
	    "userspace",
	    "userspace x u clustered-core 1024 2 254:16 0 254:32 0",
	    "userspace 0 u clustered-core 1024 2 254:16 0 254:32 0",
	    "userspace 17 u clustered-core 1024 2 254:16 0 254:32 0",
	    "userspace 3 u clustered-core",
	    "userspace 3 u clustered-core 1024",
	    "userspace 3 u clustered-core 1024 0",
	    "userspace 3 u clustered-core 1024 1 254:16 0",
	    "userspace 3 u clustered-core 1024 65 254:16 0",
	    "userspace 3 u clustered-core 1024 2 254:16 0 254:32",
	    "userspace 3 u clustered-core 1024 2 254:16 0 254:32 -1",
	    "userspace 3 u clustered-core 1024 2 254:16 0 254:32 18446744073709551616",
	    "userspace 3 u clustered-core 1024 2 254:16 0 25432 0",
	    "userspace 3 u clustered-core 1024 2 254:16 0 4096:0 0",
	    "userspace 3 u clustered-core 1024 2 254:16 0 1:1048576 0",
	    "userspace 3 u clustered-core 1024 2 254:16 0 :1 0",
	    "userspace 3 u clustered-core 1024 2 254:16 0 1: 0",
	    "userspace 3 u clustered-core 1024 2 254:16 0 1:2:3 0",
	    "userspace 3 u clustered-core 1024 2 254:16 0 254:32 0 1",
	    "userspace 3 u clustered-core 1024 2 254:16 0 254:32 0 9 a b c d e f g h i",
	    "userspace 3 u clustered-core 1024 2 254:16 0 254:32 0 1 handle_errors more",
	};
	struct devmap_mirror m = {.uuid = "kept"};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		int error = devmap_parse_table(LENGTH, lines[i], &m);

		if (error != -EINVAL)
			fail_msg("%s: %d", lines[i], error);
	}
	assert_string_equal(m.uuid, "kept");
}

/* What does not fit is refused, not cut off. */
static void limits(void **state)
{
	struct devmap_mirror m;
	char line[2048];
	char uuid[DEVMAP_NAME_SIZE + 1];
	char argument[DEVMAP_ARGS_SIZE + 1];

	(void)state;
	memset(uuid, 'u', sizeof(uuid));
	uuid[DEVMAP_NAME_SIZE - 1] = '\0';
	snprintf(line, sizeof(line), "userspace 3 %s clustered-core 8 2 1:1 0 1:2 0", uuid);
	assert_int_equal(devmap_parse_table(LENGTH, line, &m), 0);
	assert_string_equal(m.uuid, uuid);
	uuid[DEVMAP_NAME_SIZE - 1] = 'u';
	uuid[DEVMAP_NAME_SIZE] = '\0';
	snprintf(line, sizeof(line), "userspace 3 %s clustered-core 8 2 1:1 0 1:2 0", uuid);
	assert_int_equal(devmap_parse_table(LENGTH, line, &m), -EINVAL);

	/* "131072 clustered-disk " are 22 characters */
	memset(argument, 'a', sizeof(argument));
	argument[DEVMAP_ARGS_SIZE - 23] = '\0';
	snprintf(line, sizeof(line), "userspace 3 u clustered-disk %s 2 1:1 0 1:2 0", argument);
	assert_int_equal(devmap_parse_table(LENGTH, line, &m), 0);
	assert_int_equal(strlen(m.args), DEVMAP_ARGS_SIZE - 1);
	argument[DEVMAP_ARGS_SIZE - 23] = 'a';
	argument[DEVMAP_ARGS_SIZE - 22] = '\0';
	snprintf(line, sizeof(line), "userspace 3 u clustered-disk %s 2 1:1 0 1:2 0", argument);
	assert_int_equal(devmap_parse_table(LENGTH, line, &m), -EINVAL);

	assert_int_equal(
	    devmap_parse_table(LENGTH,
			       "userspace 3 u clustered-core 8 8 1:1 0 1:2 0 1:3 0 1:4 0 "
			       "1:5 0 1:6 0 1:7 0 1:8 0",
			       &m),
	    0);
	assert_int_equal(m.legs.count, 8);
	assert_int_equal(m.legs.leg[7].devno, makedev(1, 8));
	assert_int_equal(
	    devmap_parse_table(LENGTH,
			       "userspace 3 u clustered-core 8 9 1:1 0 1:2 0 1:3 0 1:4 0 "
			       "1:5 0 1:6 0 1:7 0 1:8 0 1:9 0 1 handle_errors",
			       &m),
	    0);
	assert_int_equal(m.legs.count, 0);
	assert_true(m.handle_errors);
}

static void status(void **state)
{
	char health[MOVER_LEGS_MAX + 1] = "kept";

	(void)state;
	assert_int_equal(
	    devmap_parse_status("2 254:16 254:32 128/128 1 AA 3 clustered-disk 253:0 A", health),
	    0);
	assert_string_equal(health, "AA");
	assert_int_equal(
	    devmap_parse_status("3 8:0 8:16 8:32 0/128 1 ADR 1 clustered-core ", health), 0);
	assert_string_equal(health, "ADR");
	/* the log does not answer */
	assert_int_equal(
	    devmap_parse_status("2 8:0 8:16 0/128 1 SF userspace 1 COM_FAILURE", health), 0);
	assert_string_equal(health, "SF");
}

static void status_garbled(void **state)
{
	static const char *const lines[] = {
	    "",
	    "2",
	    "2 8:0",
	    "2 8:0 8:16",
	    "2 8:0 8:16 128",
	    "2 8:0 8:16 128/128",
	    "2 8:0 8:16 128/128 1",
	    "2 8:0 8:16 128/128 2 AA 1 clustered-core",
	    "2 8:0 8:16 128/128 1 A 1 clustered-core",
	    "2 8:0 8:16 128/128 1 AAA 1 clustered-core",
	    "2 8:0 x 128/128 1 AA 1 clustered-core",
	    "9 1:1 1:2 1:3 1:4 1:5 1:6 1:7 1:8 1:9 128/128 1 AAAAAAAAA 1 clustered-core",
	};
	char health[MOVER_LEGS_MAX + 1] = "kept";

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		int error = devmap_parse_status(lines[i], health);

		if (error != -EINVAL)
			fail_msg("%s: %d", lines[i], error);
	}
	assert_string_equal(health, "kept");
}

static void other_legs(void **state)
{
	static const char params[] = "userspace 5 LVM-m integrated_flush clustered-disk 253:0 1024 "
				     "2 254:16 0 254:32 64 1 handle_errors";
	const char *const legs[] = {"254:32 64", "254:48 8", "7:1 0"};
	char ret[256];

	(void)state;
	assert_int_equal(devmap_parse_replace(params, legs, 3, NULL, ret, sizeof(ret)), 0);
	assert_string_equal(ret, "userspace 5 LVM-m integrated_flush clustered-disk 253:0 1024 "
				 "3 254:32 64 254:48 8 7:1 0 1 handle_errors");
	assert_int_equal(
	    devmap_parse_replace(params, legs, 2, "2 handle_errors keep_log", ret, sizeof(ret)), 0);
	assert_non_null(strstr(ret, " 2 254:32 64 254:48 8 2 handle_errors keep_log"));
	assert_int_equal(devmap_parse_replace(params, legs, 2, NULL, ret, strlen(params)), -ENOSPC);
	assert_int_equal(devmap_parse_replace("core 2 1024 nosync 2 1:1 0 1:2 0", legs, 2, NULL,
					      ret, sizeof(ret)),
			 -EINVAL);
	assert_int_equal(devmap_parse_replace("userspace 3 u clustered-core 1024 2 1:1", legs, 2,
					      NULL, ret, sizeof(ret)),
			 -EINVAL);
	assert_int_equal(devmap_parse_leg(params, 1, ret, sizeof(ret)), 0);
	assert_string_equal(ret, "254:32 64");
	assert_int_equal(devmap_parse_leg(params, 2, ret, sizeof(ret)), -EINVAL);
	assert_int_equal(devmap_parse_leg(params, 1, ret, 9), -ENOSPC);
}

static void another_revision(void **state)
{
	static const char *const params[] = {
	    "userspace 3 u clustered-core 1024 2 1:1 0 1:2 0",
	    "userspace 4 u clustered-core 1024 revision=6 2 1:1 0 1:2 0",
	};
	char ret[256];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(devmap_parse_revise(params[i], 0, NULL, ret, sizeof(ret)), 0);
		assert_string_equal(ret, params[i]);
		assert_int_equal(devmap_parse_revise(params[i], 7, NULL, ret, sizeof(ret)), 0);
		assert_string_equal(ret,
				    "userspace 4 u clustered-core 1024 revision=7 2 1:1 0 1:2 0");
		assert_int_equal(devmap_parse_revise(params[i], 7, NULL, ret, strlen(ret)),
				 -ENOSPC);
	}
	/* wherever it stands */
	assert_int_equal(devmap_parse_revise("userspace 6 u clustered-disk 253:0 1024 revision=1 "
					     "nosync 2 1:1 0 1:2 0 1 handle_errors",
					     2, NULL, ret, sizeof(ret)),
			 0);
	assert_string_equal(ret,
			    "userspace 6 u clustered-disk 253:0 1024 nosync revision=2 2 1:1 0 "
			    "1:2 0 1 handle_errors");
	assert_int_equal(
	    devmap_parse_revise("core 2 1024 nosync 2 1:1 0", 2, NULL, ret, sizeof(ret)), -EINVAL);
	assert_int_equal(
	    devmap_parse_revise("userspace 9 u clustered-core", 2, NULL, ret, sizeof(ret)),
	    -EINVAL);
}

static void relogged(const char *params, const char *wanted)
{
	char ret[256];

	assert_int_equal(devmap_parse_revise(params, 0, "253:9", ret, sizeof(ret)), 0);
	assert_string_equal(ret, wanted);
	assert_int_equal(devmap_parse_revise(params, 0, "253:9", ret, strlen(wanted)), -ENOSPC);
}

/* Whatever log it has; and what the first table said about what is in sync does not count. */
static void another_log_device(void **state)
{
	char ret[256];

	(void)state;
	relogged("userspace 5 u clustered-disk 253:0 1024 revision=6 2 1:1 0 1:2 0 1 handle_errors",
		 "userspace 5 u clustered-disk 253:9 1024 revision=6 2 1:1 0 1:2 0 1 "
		 "handle_errors");
	relogged("userspace 5 u integrated_flush clustered-core 1024 nosync 2 1:1 0 1:2 0",
		 "userspace 5 u integrated_flush clustered-disk 253:9 1024 2 1:1 0 1:2 0");
	/* a log of that name */
	relogged("userspace 4 clustered-core clustered-disk /dev/sync 1024 2 1:1 0 1:2 0",
		 "userspace 4 clustered-core clustered-disk 253:9 1024 2 1:1 0 1:2 0");
	assert_int_equal(
	    devmap_parse_revise("userspace 3 u disk 1024 2 1:1 0", 0, "253:9", ret, 256), -EINVAL);
	assert_int_equal(devmap_parse_revise("core 2 1024 nosync 2 1:1 0", 0, "253:9", ret, 256),
			 -EINVAL);
	assert_int_equal(devmap_parse_revise("userspace 3 u clustered-disk", 0, "253:9", ret, 256),
			 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(core),
	    cmocka_unit_test(disk),
	    cmocka_unit_test(others),
	    cmocka_unit_test(garbled),
	    cmocka_unit_test(limits),
	    cmocka_unit_test(status),
	    cmocka_unit_test(status_garbled),
	    cmocka_unit_test(other_legs),
	    cmocka_unit_test(another_revision),
	    cmocka_unit_test(another_log_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
