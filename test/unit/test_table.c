/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The arguments of a log: what is accepted, and what is said about everything else. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/kmsg.h"
#include "codec/table.h"

/* In exactly as much memory as the text takes, so that a sanitizer sees a read behind it. */
static int parse_size(const char *text, size_t size, struct table *ret, char *error)
{
	char *copy = malloc(size > 0 ? size : 1);
	int rc;

	assert_non_null(copy);
	memcpy(copy, text, size);
	memset(error, 0, TABLE_ERROR_SIZE);
	rc = table_parse(copy, size, ret, error);
	free(copy);
	return rc;
}

static struct table parse(const char *text)
{
	char error[TABLE_ERROR_SIZE];
	struct table t;
	int rc = parse_size(text, strlen(text), &t, error);

	if (rc != 0)
		fail_msg("'%s' refused: %s", text, error);
	return t;
}

static void assert_table(const char *text, const struct table *wanted)
{
	struct table t = parse(text);

	assert_int_equal(t.length_sectors, wanted->length_sectors);
	assert_int_equal(t.region_sectors, wanted->region_sectors);
	assert_int_equal(t.region_count, wanted->region_count);
	assert_int_equal(t.has_disk, wanted->has_disk);
	assert_string_equal(t.device, wanted->device);
	assert_int_equal(t.sync, wanted->sync);
	assert_int_equal(t.block_on_error, wanted->block_on_error);
	assert_int_equal(t.integrated_flush, wanted->integrated_flush);
}

static void assert_refused_size(const char *text, size_t size, const char *message)
{
	char error[TABLE_ERROR_SIZE];
	struct table t;
	struct table untouched;

	memset(&t, 0x5a, sizeof(t));
	memset(&untouched, 0x5a, sizeof(untouched));
	assert_int_equal(parse_size(text, size, &t, error), -EINVAL);
	assert_string_equal(error, message);
	assert_memory_equal(&t, &untouched, sizeof(t));
}

static void assert_refused(const char *text, const char *message)
{
	assert_refused_size(text, strlen(text), message);
}

/* Every combination of type, flush, sync and block_on_error, the options in both orders. */
static void test_every_variant(void **state)
{
	static const char *const sync_words[] = {"", " nosync", " sync"};
	static const enum mlog_sync sync_values[] = {MLOG_SYNC_KEEP, MLOG_SYNC_NOSYNC,
						     MLOG_SYNC_FORCE};

	(void)state;
	for (unsigned i = 0; i < 2 * 2 * 3 * 2 * 2; i++) {
		unsigned has_disk = i & 1;
		unsigned flush = i >> 1 & 1;
		unsigned block = i >> 2 & 1;
		unsigned swapped = i >> 3 & 1;
		unsigned sync = i >> 4;
		const char *block_word = block ? " block_on_error" : "";
		struct table wanted = {.length_sectors = 2097152,
				       .region_sectors = 1024,
				       .region_count = 2048,
				       .has_disk = has_disk,
				       .sync = sync_values[sync],
				       .block_on_error = block,
				       .integrated_flush = flush};
		char text[128];

		strcpy(wanted.device, has_disk ? "253:0" : "");
		snprintf(text, sizeof(text), "2097152 %s%s 1024%s%s",
			 flush ? "integrated_flush " : "",
			 has_disk ? "clustered-disk 253:0" : "clustered-core",
			 swapped ? block_word : sync_words[sync],
			 swapped ? sync_words[sync] : block_word);
		assert_table(text, &wanted);
	}
}

/* The first CTR has no NUL, the one of a reconnect has. */
static void test_final_nul(void **state)
{
	static const char text[] = "2097152 clustered-core 1024 nosync";
	char error[TABLE_ERROR_SIZE];
	struct table t;

	(void)state;
	assert_int_equal(parse_size(text, sizeof(text) - 1, &t, error), 0);
	assert_int_equal(t.sync, MLOG_SYNC_NOSYNC);
	assert_int_equal(parse_size(text, sizeof(text), &t, error), 0);
	assert_int_equal(t.sync, MLOG_SYNC_NOSYNC);
	assert_refused_size("8 clustered-core 8\0\0", 20, "the arguments contain a NUL");
	assert_refused_size("8\0clustered-core 8", 18, "the arguments contain a NUL");
}

static void test_white_space(void **state)
{
	const struct table wanted = {.length_sectors = 8, .region_sectors = 8, .region_count = 1};

	(void)state;
	assert_table("  8   clustered-core\t8 \n", &wanted);
}

static void test_region_counts(void **state)
{
	static const struct {
		const char *text;
		uint64_t regions;
	} cases[] = {
	    {"1 clustered-core 8", 1},
	    {"7 clustered-core 8", 1},
	    {"8 clustered-core 8", 1},
	    {"9 clustered-core 8", 2},
	    {"2097153 clustered-core 1024", 2049},
	    {"1 clustered-core 2147483648", 1},
	    {"2147483649 clustered-core 2147483648", 2},
	    {"2147483648 clustered-core 1024", 2097152},     /* 1 TiB */
	    {"137438953472 clustered-core 1024", 134217728}, /* 64 TiB */
	    {"8589934592 clustered-core 8", 1073741824},     /* TABLE_REGIONS_MAX */
	    {"4611686018427387904 clustered-core 2147483648", 0},
	};

	(void)state;
	for (size_t i = 0; cases[i].regions > 0; i++)
		assert_int_equal(parse(cases[i].text).region_count, cases[i].regions);
}

static void test_every_region_size(void **state)
{
	char text[64];

	(void)state;
	for (unsigned bits = 3; bits <= 31; bits++) {
		snprintf(text, sizeof(text), "4096 clustered-core %llu", 1ULL << bits);
		assert_int_equal(parse(text).region_sectors, 1ULL << bits);
	}
}

static void test_devices(void **state)
{
	char text[256];
	char longest[TABLE_DEVICE_SIZE];

	(void)state;
	assert_string_equal(parse("8 clustered-disk 0:0 8").device, "0:0");
	assert_string_equal(parse("8 clustered-disk 4294967295:4294967295 8").device,
			    "4294967295:4294967295");
	assert_string_equal(parse("8 clustered-disk /dev/mapper/vg-log 8").device,
			    "/dev/mapper/vg-log");
	memset(longest, 'd', sizeof(longest) - 1);
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	snprintf(text, sizeof(text), "8 clustered-disk %s 8", longest);
	assert_string_equal(parse(text).device, longest);
	snprintf(text, sizeof(text), "8 clustered-disk %sx 8", longest);
	assert_refused(text, "clustered-disk: log device '/dddddddddddddddddddddddddddddddddddddd"
			     "d...' is too long: at most 127 bytes");
}

static void test_wrong_lengths(void **state)
{
	static const char *const wrong[] = {"0",
					    "-8",
					    "+8",
					    "8k",
					    "0x8",
					    "8.0",
					    "4611686018427387905",
					    "18446744073709551616",
					    "99999999999999999999999"};

	(void)state;
	assert_refused("",
		       "the arguments are empty: they begin with the mirror's length in sectors");
	assert_refused_size(
	    "", 1, "the arguments are empty: they begin with the mirror's length in sectors");
	assert_refused("   ",
		       "the arguments are empty: they begin with the mirror's length in sectors");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char text[64];
		char message[TABLE_ERROR_SIZE];

		snprintf(text, sizeof(text), "%s clustered-core 8", wrong[i]);
		snprintf(message, sizeof(message),
			 "'%s' is not a length: a mirror has 1 to 4611686018427387904 sectors",
			 wrong[i]);
		assert_refused(text, message);
	}
	assert_refused("clustered-core 1024", "'clustered-core' is not a length: a mirror has 1 to "
					      "4611686018427387904 sectors");
}

static void test_wrong_types(void **state)
{
	static const char *const wrong[] = {
	    "core", "disk", "clustered_core", "clustered-corex", "clustered-dis", "CLUSTERED-CORE"};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char text[64];
		char message[TABLE_ERROR_SIZE];

		snprintf(text, sizeof(text), "8 %s 8", wrong[i]);
		snprintf(message, sizeof(message),
			 "unknown log type '%s': it is clustered-core or clustered-disk", wrong[i]);
		assert_refused(text, message);
	}
	assert_refused("8", "the log type is missing: clustered-core or clustered-disk");
	assert_refused("8 integrated_flush",
		       "the log type is missing: clustered-core or clustered-disk");
	assert_refused(
	    "8 integrated_flush integrated_flush clustered-core 8",
	    "unknown log type 'integrated_flush': it is clustered-core or clustered-disk");
}

static void test_wrong_devices(void **state)
{
	static const char *const wrong[] = {
	    "1024", "253",    ":",	 "253:", ":0",		"253:0:1",
	    "a:b",  "253:-1", "dev/sda", "/",	 "4294967296:0"};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char text[64];
		char message[TABLE_ERROR_SIZE];

		snprintf(text, sizeof(text), "8 clustered-disk %s 8", wrong[i]);
		snprintf(
		    message, sizeof(message),
		    "clustered-disk: '%s' is not a log device: major:minor or an absolute path, "
		    "before the region size",
		    wrong[i]);
		assert_refused(text, message);
	}
	assert_refused("8 clustered-disk", "clustered-disk: the log device is missing: major:minor "
					   "or an absolute path, before the region size");
	assert_refused(
	    "8 clustered-core 253:0 8",
	    "clustered-core takes no log device: the region size follows; clustered-disk is "
	    "the type with a device");
	assert_refused(
	    "8 clustered-core /dev/sda 8",
	    "clustered-core takes no log device: the region size follows; clustered-disk is "
	    "the type with a device");
}

static void test_wrong_region_sizes(void **state)
{
	static const char *const wrong[] = {"0",
					    "1",
					    "4",
					    "7",
					    "9",
					    "1023",
					    "1025",
					    "512k",
					    "-8",
					    "nosync",
					    "4294967296",
					    "2147483649",
					    "18446744073709551616"};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char text[64];
		char message[TABLE_ERROR_SIZE];

		snprintf(message, sizeof(message),
			 "'%s' is not a region size: a power of two from 8 to 2147483648 sectors",
			 wrong[i]);
		snprintf(text, sizeof(text), "8 clustered-core %s", wrong[i]);
		assert_refused(text, message);
		snprintf(text, sizeof(text), "8 clustered-disk 253:0 %s", wrong[i]);
		assert_refused(text, message);
	}
	assert_refused("8 clustered-core",
		       "the region size is missing: a power of two, in sectors");
	assert_refused("8 clustered-disk 253:0",
		       "the region size is missing: a power of two, in sectors");
	assert_refused(
	    "8589934593 clustered-core 8",
	    "1073741825 regions are too many: at most 1073741824, choose a larger region "
	    "size than 8 sectors");
}

static void test_wrong_options(void **state)
{
	(void)state;
	assert_refused("8 clustered-core 8 sync nosync",
		       "'nosync': sync or nosync may be given once only");
	assert_refused("8 clustered-core 8 nosync sync",
		       "'sync': sync or nosync may be given once only");
	assert_refused("8 clustered-core 8 sync sync",
		       "'sync': sync or nosync may be given once only");
	assert_refused("8 clustered-disk 253:0 8 block_on_error block_on_error",
		       "block_on_error may be given once only");
	assert_refused("8 clustered-core 8 integrated_flush",
		       "unknown option 'integrated_flush': sync, nosync, block_on_error and "
		       "revision=N may follow "
		       "the region size");
	assert_refused("8 clustered-core 8 Sync",
		       "unknown option 'Sync': sync, nosync, block_on_error and revision=N may "
		       "follow the region "
		       "size");
	assert_refused(
	    "8 clustered-disk 253:0 8 nosync 1",
	    "unknown option '1': sync, nosync, block_on_error and revision=N may follow the region "
	    "size");
}

/* What a stranger wrote ends up in our log: short and printable. */
static void test_messages_are_safe(void **state)
{
	char text[400];

	(void)state;
	assert_refused("8 a\x1b[31m\xff\x7f"
		       "b 8",
		       "unknown log type 'a?[31m??b': it is clustered-core or clustered-disk");
	assert_refused("8 %s%n 8",
		       "unknown log type '%s%n': it is clustered-core or clustered-disk");
	memset(text, 'x', sizeof(text));
	memcpy(text, "8 ", 2);
	assert_refused_size(text, sizeof(text),
			    "unknown log type 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...': it is "
			    "clustered-core or clustered-disk");
}

static void test_status_info(void **state)
{
	struct table core = parse("8 clustered-core 8");
	struct table disk = parse("8 clustered-disk /dev/log 8");
	char text[KMSG_STATUS_ROOM];
	char device[TABLE_DEVICE_SIZE] = "";

	(void)state;
	assert_int_equal(table_status_info(&core, "", true, text, sizeof(text)), 16);
	assert_string_equal(text, "1 clustered-core");
	assert_int_equal(table_status_info(&core, NULL, false, text, sizeof(text)), 16);
	assert_string_equal(text, "1 clustered-core");
	assert_int_equal(table_status_info(&disk, "253:0", true, text, sizeof(text)), 24);
	assert_string_equal(text, "3 clustered-disk 253:0 A");
	assert_int_equal(table_status_info(&disk, "253:0", false, text, sizeof(text)), 24);
	assert_string_equal(text, "3 clustered-disk 253:0 D");
	assert_int_equal(table_status_info(&disk, "253:0", true, text, 25), 24);
	assert_int_equal(table_status_info(&disk, "253:0", true, text, 24), -ENOSPC);
	assert_int_equal(table_status_info(&core, "", true, text, 16), -ENOSPC);
	assert_int_equal(table_status_info(&core, "", true, text, 0), -ENOSPC);
	memset(device, 'd', sizeof(device) - 1);
	assert_in_range(table_status_info(&disk, device, true, text, KMSG_STATUS_ROOM),
			sizeof(device), KMSG_STATUS_ROOM - 1);
}

/* The count is right, and what is printed parses to the same table. */
static void test_status_table(void **state)
{
	static const char *const tables[] = {
	    "2 clustered-core 1024",
	    "3 clustered-core 1024 nosync",
	    "3 clustered-core 1024 sync",
	    "3 clustered-core 1024 block_on_error",
	    "4 clustered-core 1024 nosync block_on_error",
	    "3 clustered-disk 253:0 1024",
	    "4 clustered-disk 253:0 1024 sync",
	    "5 clustered-disk /dev/log 2147483648 nosync block_on_error",
	    "3 integrated_flush clustered-core 8",
	    "6 integrated_flush clustered-disk 253:0 1024 nosync block_on_error",
	    "3 clustered-core 1024 revision=1",
	    ("7 integrated_flush clustered-disk 253:0 1024 nosync block_on_error "
	     "revision=9223372036854775807"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		char text[128];
		struct table t;

		snprintf(text, sizeof(text), "8 %s", tables[i] + 2);
		t = parse(text);
		assert_int_equal(table_status_table(&t, text, sizeof(text)), strlen(tables[i]));
		assert_string_equal(text, tables[i]);
		assert_int_equal(table_status_table(&t, text, strlen(tables[i])), -ENOSPC);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_variant),     cmocka_unit_test(test_final_nul),
	    cmocka_unit_test(test_white_space),	      cmocka_unit_test(test_region_counts),
	    cmocka_unit_test(test_every_region_size), cmocka_unit_test(test_devices),
	    cmocka_unit_test(test_wrong_lengths),     cmocka_unit_test(test_wrong_types),
	    cmocka_unit_test(test_wrong_devices),     cmocka_unit_test(test_wrong_region_sizes),
	    cmocka_unit_test(test_wrong_options),     cmocka_unit_test(test_messages_are_safe),
	    cmocka_unit_test(test_status_info),	      cmocka_unit_test(test_status_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
