/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device numbers and paths, and the life of a job. Works with and without device-mapper on the
 * machine; real mirrors are a matter for test/vm.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemons/dlmirrord/devmap.h"

#define NOBODY	"00000000-no-log-has-this-uuid"
#define WAIT_MS 30000

struct answers {
	unsigned count;
	int error;
	bool with_mirror;
};

static void on_found(void *context, const char *uuid, int error, const struct devmap_mirror *mirror)
{
	struct answers *answers = context;

	assert_string_equal(uuid, NOBODY);
	answers->count++;
	answers->error = error;
	answers->with_mirror = mirror != NULL;
}

static void on_done(void *context, const char *uuid, int error)
{
	on_found(context, uuid, error, NULL);
}

static void wait_answers(struct devmap *devmap, const struct answers *answers, unsigned count)
{
	while (answers->count < count) {
		struct pollfd p = {.fd = devmap_fd(devmap), .events = POLLIN};

		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		devmap_dispatch(devmap);
	}
	assert_int_equal(answers->count, count);
}

/* Each job is answered once, and there is no such log: -ENOENT, or what keeps us from asking. */
static void jobs(void **state)
{
	struct answers answers = {0};
	struct devmap *devmap;

	(void)state;
	assert_int_equal(devmap_create(&devmap), 0);
	assert_int_equal(devmap_find(devmap, NOBODY, true, on_found, &answers), 0);
	assert_int_equal(devmap_jobs(devmap), 1);
	wait_answers(devmap, &answers, 1);
	assert_int_equal(devmap_jobs(devmap), 0);
	assert_true(answers.error < 0);
	assert_false(answers.with_mirror);
	if (access("/sys/module/dm_mod", F_OK) == 0 && geteuid() == 0)
		assert_int_equal(answers.error, -ENOENT);
	assert_int_equal(devmap_reset(devmap, NOBODY, false, on_done, &answers), 0);
	assert_int_equal(devmap_wake(devmap, NOBODY, on_done, &answers), 0);
	assert_int_equal(devmap_jobs(devmap), 2);
	wait_answers(devmap, &answers, 3);
	assert_true(answers.error < 0);
	assert_null(devmap_destroy(devmap));
}

static void bad_uuid(void **state)
{
	struct answers answers = {0};
	char uuid[DEVMAP_NAME_SIZE + 1];
	struct devmap *devmap;

	(void)state;
	memset(uuid, 'u', sizeof(uuid));
	uuid[DEVMAP_NAME_SIZE] = '\0';
	assert_int_equal(devmap_create(&devmap), 0);
	assert_int_equal(devmap_find(devmap, uuid, false, on_found, &answers), -EINVAL);
	assert_int_equal(devmap_reset(devmap, "", false, on_done, &answers), -EINVAL);
	assert_int_equal(devmap_jobs(devmap), 0);
	devmap_destroy(devmap);
	assert_int_equal(answers.count, 0);
}

static void destroy_with_jobs(void **state)
{
	struct answers answers = {0};
	struct devmap *devmap;

	(void)state;
	assert_int_equal(devmap_create(&devmap), 0);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(devmap_find(devmap, NOBODY, false, on_found, &answers), 0);
	devmap_destroy(devmap);
	assert_int_equal(answers.count, 0);
	assert_null(devmap_destroy(NULL));
}

static void number(void **state)
{
	static const char *const bad[] = {"",	       "8",    ":",    "8:",	":0",
					  "8:0 ",      " 8:0", "-8:0", "8:0:1", "4096:0",
					  "8:1048576", "sda",  "+8:0", "0x8:0"};
	dev_t devno = 1;

	(void)state;
	assert_int_equal(devmap_number("8:16", &devno), 0);
	assert_int_equal(devno, makedev(8, 16));
	assert_int_equal(devmap_number("4095:1048575", &devno), 0);
	assert_int_equal(devno, makedev(4095, 1048575));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (devmap_number(bad[i], &devno) != -EINVAL)
			fail_msg("%s", bad[i]);
	assert_int_equal(devmap_number("/dev/null", &devno), -ENOTBLK);
	assert_int_equal(devmap_number("/dev/no/such/device", &devno), -ENOENT);
	assert_int_equal(devno, makedev(4095, 1048575));
}

/* Any block device that /sys knows and /dev has. */
static bool some_device(dev_t *ret)
{
	static const char *const paths[] = {"/dev/loop0", "/dev/vda", "/dev/sda", "/dev/nvme0n1",
					    "/dev/ram0"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct stat st;

		if (stat(paths[i], &st) == 0 && S_ISBLK(st.st_mode)) {
			assert_int_equal(devmap_number(paths[i], ret), 0);
			assert_int_equal(*ret, st.st_rdev);
			return true;
		}
	}
	return false;
}

static void path(void **state)
{
	char text[256];
	struct stat st;
	dev_t devno;

	(void)state;
	assert_int_equal(devmap_path(makedev(4095, 1048575), text, sizeof(text)), -ENOENT);
	if (!some_device(&devno)) {
		print_message("no block device in /dev\n");
		skip();
	}
	assert_int_equal(devmap_path(devno, text, sizeof(text)), 0);
	assert_int_equal(stat(text, &st), 0);
	assert_true(S_ISBLK(st.st_mode));
	assert_int_equal(st.st_rdev, devno);
	assert_int_equal(devmap_path(devno, text, 4), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(jobs),
	    cmocka_unit_test(bad_uuid),
	    cmocka_unit_test(destroy_with_jobs),
	    cmocka_unit_test(number),
	    cmocka_unit_test(path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
