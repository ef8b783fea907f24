// SPDX-License-Identifier: GPL-2.0-or-later
/* Mirrors as configuration: what is written is read again, and every way to get a file wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemons/common/mirror_file.h"

static char directory[64];
static char error[MIRROR_FILE_ERROR_SIZE];

static const struct mirror_file plain = {
    .uuid = "web-1a2b3c4d",
    .serial = 7,
    .length_sectors = 20971520,
    .region_sectors = 1024,
    .leg_count = 2,
    .leg = {{.path = "/dev/disk/by-id/scsi-a"},
	    {.path = "/dev/disk/by-id/scsi-b@0", .start_sector = 2049}},
    .log = "/dev/disk/by-id/scsi-log",
};

static int setup(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/test-mirrors.XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
	char **names;
	size_t count;

	(void)state;
	assert_int_equal(mirror_file_names(directory, &names, &count, error), 0);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(mirror_file_remove(directory, names[i], error), 0);
		free(names[i]);
	}
	free(names);
	return rmdir(directory);
}

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s.conf", directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void what_is_written_is_read(void **state)
{
	struct mirror_file all = plain;
	struct mirror_file read;

	(void)state;
	assert_int_equal(mirror_file_write(directory, "web", &plain, error), 0);
	assert_int_equal(mirror_file_read(directory, "web", &read, error), 0);
	assert_true(mirror_file_same(&plain, &read));
	assert_int_equal(read.serial, 7);
	/* a path that ends like an offset, of a leg that has none */
	all.leg[1].start_sector = 0;
	assert_int_equal(mirror_file_write(directory, "web", &all, error), 0);
	assert_int_equal(mirror_file_read(directory, "web", &read, error), 0);
	assert_string_equal(read.leg[1].path, all.leg[1].path);
	assert_true(mirror_file_same(&all, &read));
	all.log[0] = '\0';
	all.integrated_flush = true;
	all.hold = true;
	all.resync_rate = 20971520;
	all.leg_count = DLMIRROR_LEGS_MAX;
	for (unsigned i = 0; i < DLMIRROR_LEGS_MAX; i++)
		(void)snprintf(all.leg[i].path, sizeof(all.leg[i].path), "/dev/%0*u",
			       (int)sizeof(all.leg[i].path) - 6, i);
	assert_int_equal(mirror_file_write(directory, "web", &all, error), 0);
	assert_int_equal(mirror_file_read(directory, "web", &read, error), 0);
	assert_true(mirror_file_same(&all, &read));
	assert_false(mirror_file_same(&plain, &read));
}

static void the_text_is_that(void **state)
{
	char text[MIRROR_FILE_TEXT_SIZE];

	(void)state;
	assert_int_equal(mirror_file_text(&plain, text, sizeof(text)), 0);
	assert_string_equal(strstr(text, "[mirror]"), "[mirror]\n"
						      "uuid = web-1a2b3c4d\n"
						      "serial = 7\n"
						      "size = 10GiB\n"
						      "region_size = 512KiB\n"
						      "leg = /dev/disk/by-id/scsi-a\n"
						      "leg = /dev/disk/by-id/scsi-b@0@1049088\n"
						      "log = /dev/disk/by-id/scsi-log\n"
						      "integrated_flush = no\n"
						      "leg_failure = continue\n");
	for (size_t size = 0; size < strlen(text); size++)
		assert_int_equal(mirror_file_text(&plain, text, size + 1), -ENOSPC);
}

static void each_difference_counts(void **state)
{
	struct mirror_file other[9];

	(void)state;
	for (size_t i = 0; i < 9; i++)
		other[i] = plain;
	other[0].uuid[0] = 'W';
	other[1].length_sectors++;
	other[2].region_sectors *= 2;
	other[3].leg[1].start_sector++;
	other[4].leg[0].path[5] = 'D';
	other[5].log[0] = '\0';
	other[6].hold = true;
	other[7].integrated_flush = true;
	other[8].resync_rate = 1;
	for (size_t i = 0; i < 9; i++)
		assert_false(mirror_file_same(&plain, &other[i]));
}

static void names_are_those_of_files(void **state)
{
	char **names;
	size_t count;

	(void)state;
	put("b", "");
	put("a.b", "");
	put(".hidden", "");
	assert_int_equal(mirror_file_names(directory, &names, &count, error), 0);
	assert_int_equal(count, 2);
	assert_string_equal(names[0], "a.b");
	assert_string_equal(names[1], "b");
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
	assert_int_equal(mirror_file_names("/nonexistent", &names, &count, error), 0);
	assert_int_equal(count, 0);
	free(names);
	assert_int_equal(mirror_file_remove(directory, ".hidden", error), 0);
	assert_int_equal(mirror_file_remove(directory, "none", error), 0);
}

#define GOOD "[mirror]\nuuid = u\nsize = 1GiB\nregion_size = 512KiB\nleg = /dev/a\nleg = /dev/b\n"

/* remove of "../dlmirror" would end the daemon's own configuration. */
static void names_stay_in_the_directory(void **state)
{
	static const char *const bad[] = {"", "../m", "a/b", "/etc/m"};
	struct mirror_file read = {.serial = 77};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(mirror_file_read(directory, bad[i], &read, error), -EINVAL);
		assert_int_equal(mirror_file_write(directory, bad[i], &plain, error), -EINVAL);
		assert_int_equal(mirror_file_remove(directory, bad[i], error), -EINVAL);
		assert_non_null(strstr(error, "is no name of a mirror"));
	}
	assert_int_equal(read.serial, 77);
}

static void bad_files_are_named(void **state)
{
	static const struct {
		const char *text;
		const char *says;
	} bad[] = {
	    {GOOD, "log is missing"},
	    {"[mirror]\nuuid = u\n", "size is missing"},
	    {GOOD "log = core\nlog = core\n", ":8: log is given twice"},
	    {GOOD "log = sda\n", ":7: log = sda: must be the path of a device"},
	    {GOOD "log = core\ncolour = red\n", ":8: there is no option colour"},
	    {GOOD "log = core\nserial = -1\n", ":8: serial = -1: must be a number"},
	    {GOOD "log = core\nserial = 18446744073709551616\n", "must be a number"},
	    {GOOD "log = core\nleg_failure = maybe\n", "must be continue or hold"},
	    {GOOD "log = core\nintegrated_flush = 1\n", "must be no or yes"},
	    {GOOD "log = core\nresync_rate = fast\n", "like 20MiB, or unlimited"},
	    {GOOD "log = core\nresync_rate = 0\n", "like 20MiB, or unlimited"},
	    {GOOD "log = core\nleg = /dev/c@100\n", "an offset is a multiple of 512 bytes"},
	    {GOOD "log = core\nleg =\n", "must be the path of a device"},
	    {"[mirror]\nuuid = u\nsize = 1GiB\nregion_size = 1\n", "write it like 512KiB"},
	    {"[mirror]\nuuid = u\nsize = 0\n", "write it like 512KiB"},
	    {"[mirror]\nuuid = a b\n", "must be a word"},
	    {"[mirrors]\nuuid = u\n", ":2: uuid belongs into the section [mirror]"},
	    {"uuid = u\n", ":1: uuid belongs into the section [mirror]"},
	    {"[mirror]\nleg = /dev/a\nuuid = u\nsize = 1G\nregion_size = 4K\nlog = core\n",
	     "two legs at least"},
	    {GOOD
	     "log = core\nleg=/dev/c\nleg=/dev/d\nleg=/dev/e\nleg=/dev/f\nleg=/dev/g\nleg=/dev/h\n"
	     "leg=/dev/i\n",
	     "at most 8 legs"},
	    {"nonsense\n", ":1: must be a [section]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct mirror_file file = {.serial = 77};

		put("m", bad[i].text);
		assert_int_equal(mirror_file_read(directory, "m", &file, error), -EINVAL);
		if (!strstr(error, bad[i].says))
			fail_msg("'%s' does not say '%s'", error, bad[i].says);
		assert_int_equal(file.serial, 77);
	}
	assert_int_equal(mirror_file_read(directory, "none", &(struct mirror_file){0}, error),
			 -ENOENT);
}

static void a_write_that_fails_leaves_what_was(void **state)
{
	struct mirror_file read;
	char path[128];

	(void)state;
	assert_int_equal(mirror_file_write(directory, "m", &plain, error), 0);
	(void)snprintf(path, sizeof(path), "%s/m.conf.new", directory);
	assert_int_equal(mkdir(path, 0700), 0); /* in the way */
	assert_int_equal(mirror_file_write(directory, "m", &plain, error), -EISDIR);
	assert_non_null(strstr(error, "m.conf cannot be written"));
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mirror_file_read(directory, "m", &read, error), 0);
	assert_true(mirror_file_same(&plain, &read));
}

static void directories_are_made(void **state)
{
	char path[96];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/etc/mirrors.d", directory);
	assert_int_equal(mirror_file_write(path, "m", &plain, error), 0);
	assert_int_equal(mirror_file_remove(path, "m", error), 0);
	assert_int_equal(rmdir(path), 0);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
	assert_true(mirror_file_write("/proc/none", "m", &plain, error) < 0);
	assert_non_null(strstr(error, "/proc/none cannot be made"));
}

/* Leg 1 goes, one comes, and it grows: the paths of what is kept stay. */
static void a_reload_changes_legs_and_size(void **state)
{
	struct dlmirror_plan plan = {
	    .from_sectors = plain.length_sectors,
	    .from_legs = 2,
	    .from_start = {0, 2049},
	    .to_sectors = plain.length_sectors + 8,
	    .to_legs = 2,
	    .leg = {{.index = 1}, {.fresh = true, .path = "/dev/mapper/c", .start_sector = 64}},
	};
	struct plan_log log = {.to = 4};
	struct mirror_file after = {0};

	(void)state;
	assert_int_equal(mirror_file_reload(&plain, &plan, &log, &after), 0);
	assert_int_equal(after.serial, plain.serial + 1);
	assert_int_equal(after.revision, 4);
	assert_int_equal(after.length_sectors, plain.length_sectors + 8);
	assert_int_equal(after.leg_count, 2);
	assert_string_equal(after.leg[0].path, plain.leg[1].path);
	assert_int_equal(after.leg[0].start_sector, 2049);
	assert_string_equal(after.leg[1].path, "/dev/mapper/c");
	assert_int_equal(after.leg[1].start_sector, 64);
	assert_string_equal(after.uuid, plain.uuid);
	assert_string_equal(after.log, plain.log);
	strcpy(log.device, "/dev/mapper/l");
	assert_int_equal(mirror_file_reload(&plain, &plan, &log, &after), 0);
	assert_string_equal(after.log, "/dev/mapper/l");
	/* what it was made for is not what the file says */
	log.from = 3;
	assert_int_equal(mirror_file_reload(&plain, &plan, &log, &after), -ESTALE);
	log.from = 0;
	plan.from_start[1] = 0;
	assert_int_equal(mirror_file_reload(&plain, &plan, &log, &after), -ESTALE);
	plan.from_start[1] = 2049;
	plan.from_legs = 3;
	assert_int_equal(mirror_file_reload(&plain, &plan, &log, &after), -ESTALE);
	plan.from_legs = 2;
	plan.from_sectors--;
	assert_int_equal(mirror_file_reload(&plain, &plan, &log, &after), -ESTALE);
}

static void test_dropped(void **state)
{
	const struct dlmirror_plan back = {
	    .from_sectors = 2097152,
	    .from_legs = 2,
	    .to_sectors = 2097152,
	    .to_legs = 3,
	    .leg = {{.index = 0}, {.index = 1}, {.fresh = true, .path = "/dev/mapper/c"}}};
	struct mirror_file file = {.uuid = "web-1a2b3c4d",
				   .serial = 7,
				   .revision = 2,
				   .length_sectors = 2097152,
				   .region_sectors = 1024,
				   .leg_count = 2,
				   .leg = {{"/dev/mapper/a", 0}, {"/dev/mapper/b", 0}},
				   .dropped_count = 2,
				   .dropped = {{"/dev/mapper/c", 0}, {"/dev/mapper/d", 2048}}};
	char text[MIRROR_FILE_TEXT_SIZE];
	struct mirror_file read;

	(void)state;
	assert_int_equal(mirror_file_text(&file, text, sizeof(text)), 0);
	assert_non_null(strstr(text, "\ndropped = /dev/mapper/c\ndropped = /dev/mapper/d@1MiB\n"));
	assert_int_equal(mirror_file_parse(text, "text", &read, error), 0);
	assert_true(mirror_file_same(&file, &read));
	assert_int_equal(read.revision, 2);
	read.dropped_count = 1;
	assert_false(mirror_file_same(&file, &read));
	assert_int_equal(mirror_file_reload(&file, &back, &(struct plan_log){0}, &read), 0);
	assert_int_equal(read.revision, file.revision);
	assert_int_equal(read.leg_count, 3);
	assert_int_equal(read.dropped_count, 1);
	assert_string_equal(read.dropped[0].path, "/dev/mapper/d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_is_written_is_read, setup, teardown),
	    cmocka_unit_test(the_text_is_that),
	    cmocka_unit_test(each_difference_counts),
	    cmocka_unit_test_setup_teardown(names_are_those_of_files, setup, teardown),
	    cmocka_unit_test_setup_teardown(names_stay_in_the_directory, setup, teardown),
	    cmocka_unit_test_setup_teardown(bad_files_are_named, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_write_that_fails_leaves_what_was, setup, teardown),
	    cmocka_unit_test_setup_teardown(directories_are_made, setup, teardown),
	    cmocka_unit_test(a_reload_changes_legs_and_size),
	    cmocka_unit_test(test_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
