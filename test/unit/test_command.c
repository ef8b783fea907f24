// SPDX-License-Identifier: GPL-2.0-or-later
/* What of the command needs no kernel: numbers in words, tables for device-mapper, log devices. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bits.h"
#include "daemons/common/bytes.h"
#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/export.h"
#include "daemons/dlmirror/logdev.h"
#include "daemons/dlmirror/picture.h"
#include "daemons/dlmirror/plan.h"
#include "daemons/dlmirror/spec.h"

/* --- format --- */

static void assert_bytes(const char *text, uint64_t expected)
{
	uint64_t bytes = 0;

	if (bytes_parse(text, &bytes) != 0)
		fail_msg("%s is refused", text);
	assert_int_equal(bytes, expected);
}

static void test_parse_bytes(void **state)
{
	const char *const bad[] = {"",	   "K",	    "-1",   "1 K", "1KB", "1X",
				   "1.5G", "1KiBs", "0x10", "+1",  "1ss", " 1"};
	uint64_t bytes = 42;
	size_t i;

	(void)state;
	assert_bytes("0", 0);
	assert_bytes("4096", 4096);
	assert_bytes("12B", 12);
	assert_bytes("2048s", 1048576);
	assert_bytes("512K", 524288);
	assert_bytes("512k", 524288);
	assert_bytes("512KiB", 524288);
	assert_bytes("1MiB", 1048576);
	assert_bytes("3G", UINT64_C(3) << 30);
	assert_bytes("64TiB", UINT64_C(64) << 40);
	assert_bytes("15E", UINT64_C(15) << 60);
	assert_bytes("18446744073709551615", UINT64_MAX);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(bytes_parse(bad[i], &bytes), -EINVAL);
	assert_int_equal(bytes_parse("16E", &bytes), -ERANGE);
	assert_int_equal(bytes_parse("18446744073709551616", &bytes), -ERANGE);
	assert_int_equal(bytes_parse("36028797018963968s", &bytes), -ERANGE);
	assert_int_equal(bytes, 42);
}

static void assert_text(void (*format)(uint64_t, char *), uint64_t value, const char *expected)
{
	char text[FORMAT_SIZE];

	format(value, text);
	assert_string_equal(text, expected);
}

static void test_units(void **state)
{
	(void)state;
	assert_text(format_bytes, 0, "0 B");
	assert_text(format_bytes, 1023, "1023 B");
	assert_text(format_bytes, 1024, "1 KiB");
	assert_text(format_bytes, 1536, "1.5 KiB");
	assert_text(format_bytes, UINT64_C(1) << 30, "1 GiB");
	assert_text(format_bytes, (UINT64_C(1) << 30) + (UINT64_C(1) << 29), "1.5 GiB");
	assert_text(format_bytes, UINT64_MAX, "16 EiB");
	assert_text(format_duration, 0, "0 s");
	assert_text(format_duration, 59, "59 s");
	assert_text(format_duration, 61, "1:01 min");
	assert_text(format_duration, 3600 + 62, "1:01:02 h");
	assert_text(format_duration, 2 * 86400 + 3 * 3600, "2 d 3 h");
	assert_text(format_microseconds, 999, "999 us");
	assert_text(format_microseconds, 1500, "1.5 ms");
	assert_text(format_microseconds, 2000000, "2.0 s");
}

static void assert_exact(uint64_t bytes, uint64_t unit, const char *expected)
{
	char text[FORMAT_SIZE];

	format_bytes_exact(bytes, unit, text);
	assert_string_equal(text, expected);
}

static void test_exact(void **state)
{
	const uint64_t gib = UINT64_C(1) << 30;

	(void)state;
	assert_exact(0, gib, "0 GiB");
	assert_exact(1536 * gib, 512 * gib, "1536 GiB");
	assert_exact(1538 * gib, 2 * gib, "1538 GiB");
	assert_exact(3 * 1024 * gib, 1024 * gib, "3 TiB");
	assert_exact(UINT64_MAX - 1023, 1024, "18014398509481983 KiB");
	assert_exact(UINT64_C(15) << 60, UINT64_MAX, "15 EiB");
	/* no multiple, or of no unit: as well as can be */
	assert_exact(gib + gib / 2, gib, "1.5 GiB");
	assert_exact(2048, 512, "2 KiB");
}

static void assert_bar(double part, double whole, const char *expected)
{
	char text[FORMAT_SIZE];

	format_bar(part, whole, text);
	assert_string_equal(text, expected);
}

static void test_bar(void **state)
{
	(void)state;
	assert_bar(1, 1, "####################");
	assert_bar(1000, 2000, "##########");
	assert_bar(0.12, 1, "##");
	/* what is shown at all is to be seen, and no line gets longer */
	assert_bar(1, 1000000, "#");
	assert_bar(0, 0, "#");
	assert_bar(3, 1, "####################");
}

static void assert_percent(uint64_t part, uint64_t whole, const char *expected)
{
	char text[FORMAT_SIZE];

	format_percent(part, whole, text);
	assert_string_equal(text, expected);
}

static void test_percent(void **state)
{
	(void)state;
	assert_percent(0, 0, "100%");
	assert_percent(0, 5, "0.0%");
	assert_percent(1, 3, "33.3%");
	assert_percent(999999, 1000000, "99.9%");
	assert_percent(UINT64_MAX - 1, UINT64_MAX, "99.9%");
	assert_percent(7, 7, "100%");
}

static void test_quantiles(void **state)
{
	struct dlmirror_counter c = {0};

	(void)state;
	assert_int_equal(format_quantile_us(&c, 500), 0);
	assert_int_equal(format_mean_us(&c), 0);
	c.count = 100;
	c.total_us = 1000;
	c.bucket[0] = 50; /* below 2 us */
	c.bucket[4] = 49; /* below 32 */
	c.bucket[10] = 1; /* below 2048 */
	assert_int_equal(format_mean_us(&c), 10);
	assert_int_equal(format_quantile_us(&c, 500), 2);
	assert_int_equal(format_quantile_us(&c, 501), 32);
	assert_int_equal(format_quantile_us(&c, 990), 32);
	assert_int_equal(format_quantile_us(&c, 991), 2048);
	assert_int_equal(format_quantile_us(&c, 1000), 2048);
	/* One alone is every quantile; so many that a product would overflow are none. */
	memset(&c, 0, sizeof(c));
	c.bucket[DLMIRROR_BUCKETS - 1] = UINT64_MAX;
	assert_int_equal(format_quantile_us(&c, 1), UINT64_C(2) << (DLMIRROR_BUCKETS - 1));
}

static struct dlmirror_mirror active(void)
{
	return (struct dlmirror_mirror){.phase = "active",
					.log_state = "ok",
					.region_count = 100,
					.in_sync = 100,
					.recovering = 100,
					.leg_count = 2,
					.leg = {{.health = 'A'}, {.health = 'A'}}};
}

static void assert_activity(const struct dlmirror_mirror *m, const char *expected)
{
	char text[256];

	format_activity(m, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void test_activity(void **state)
{
	struct dlmirror_mirror m = active();

	(void)state;
	assert_activity(&m, "");
	assert_true(format_settled(&m));
	assert_int_equal(format_regions_left(&m), 0);

	m.in_sync = 60;
	assert_activity(&m, "40 regions wait for the kernel to resync them");
	m.recovering = 60;
	assert_activity(&m, "resync, 40 regions left");
	assert_false(format_settled(&m));
	m.repair = 3;
	m.pending = 2;
	assert_activity(&m, "resync, 40 regions left, repair after a crash, 3 regions left, 2 "
			    "requests of the kernel wait");
	assert_int_equal(format_regions_left(&m), 43);

	m = active();
	m.verifying = true;
	m.verify_done = 30;
	assert_activity(&m, "verify, 70 regions left");
	assert_int_equal(format_regions_left(&m), 70);
	assert_false(format_settled(&m));
	m.suspect = true;
	assert_activity(&m, "compares the legs after a gap of the daemon, 70 regions left");

	m = active();
	strcpy(m.log_state, "failed");
	m.log_error = EIO;
	m.leg[1].health = 'D';
	assert_activity(&m,
			"waits for its log device, marks are kept in memory, waits for 1 failed "
			"legs to be replaced");

	m = active();
	strcpy(m.phase, "suspended");
	m.in_sync = 0;
	assert_activity(&m, "waits for a resume");
	assert_true(format_settled(&m));
	strcpy(m.phase, "attaching");
	assert_activity(&m, "reads its log device");
	assert_false(format_settled(&m));
}

/* However much there is to say, it is cut, not written past the end. */
static void test_activity_short(void **state)
{
	struct dlmirror_mirror m = active();
	char text[300];
	size_t size;

	(void)state;
	m.in_sync = 1;
	m.repair = 2;
	m.suspect = true;
	m.pending = 3;
	strcpy(m.log_state, "failed");
	m.leg[0].health = 'D';
	for (size = 1; size < sizeof(text) - 1; size++) {
		memset(text, '#', sizeof(text));
		format_activity(&m, text, size);
		assert_non_null(memchr(text, '\0', size));
		assert_int_equal(text[size], '#');
	}
}

static void test_rate(void **state)
{
	struct format_rate rate = {0};
	unsigned second;

	(void)state;
	format_rate_sample(&rate, 1000, 1000);
	assert_true(format_rate_seconds_left(&rate) == UINT64_MAX);
	for (second = 1; second <= 10; second++)
		format_rate_sample(&rate, 1000 + second * 1000, 1000 - second * 50);
	assert_true(rate.regions_s > 49.9 && rate.regions_s < 50.1);
	assert_int_equal(format_rate_seconds_left(&rate), 10);
	/* The same instant again changes nothing. */
	format_rate_sample(&rate, 11000, 500);
	assert_int_equal(format_rate_seconds_left(&rate), 10);
	/* It slows down: the estimate follows, not at once. */
	format_rate_sample(&rate, 12000, 500);
	assert_true(rate.regions_s > 35 && rate.regions_s < 45);
	/* More work than before: what was known is no more. */
	format_rate_sample(&rate, 13000, 5000);
	assert_true(format_rate_seconds_left(&rate) == UINT64_MAX);
	format_rate_sample(&rate, 14000, 0);
	assert_int_equal(format_rate_seconds_left(&rate), 0);
}

static void test_request_types(void **state)
{
	unsigned type;

	(void)state;
	assert_null(format_request_type(0));
	for (type = 1; type < DLMIRROR_TYPES; type++)
		assert_non_null(format_request_type(type));
	assert_string_equal(format_request_type(10), "mark");
	assert_string_equal(format_request_type(17), "is-remote-recovering");
	assert_null(format_request_type(DLMIRROR_TYPES));
}

/* --- spec --- */

static void test_leg_arguments(void **state)
{
	const char *const bad[] = {"", "@1MiB", "/dev/a@1000", "/dev/a@1Q", "/dev/a@99999999T"};
	char error[SPEC_ERROR_SIZE];
	char path[300];
	struct spec_leg leg;
	size_t i;

	(void)state;
	assert_int_equal(spec_leg_parse("/dev/a", &leg, error), 0);
	assert_string_equal(leg.path, "/dev/a");
	assert_int_equal(leg.start_sector, 0);
	assert_int_equal(spec_leg_parse("/dev/a@1MiB", &leg, error), 0);
	assert_string_equal(leg.path, "/dev/a");
	assert_int_equal(leg.start_sector, 2048);
	/* An @ that begins no number is part of the name. */
	assert_int_equal(spec_leg_parse("/dev/disk/by-id/x@y", &leg, error), 0);
	assert_string_equal(leg.path, "/dev/disk/by-id/x@y");
	assert_int_equal(leg.start_sector, 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(spec_leg_parse(bad[i], &leg, error), -EINVAL);
	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(spec_leg_parse(path, &leg, error), -EINVAL);
}

static void test_names(void **state)
{
	char error[SPEC_ERROR_SIZE];
	char text[SPEC_UUID_LENGTH + 2];

	(void)state;
	assert_int_equal(spec_name_check("data-1.x", error), 0);
	assert_int_equal(spec_name_check("", error), -EINVAL);
	assert_int_equal(spec_name_check("a b", error), -EINVAL);
	assert_int_equal(spec_name_check("a/b", error), -EINVAL);
	assert_int_equal(spec_name_check("..", error), -EINVAL);
	memset(text, 'x', sizeof(text));
	text[SPEC_NAME_LENGTH] = '\0';
	assert_int_equal(spec_name_check(text, error), 0);
	text[SPEC_NAME_LENGTH] = 'x';
	text[SPEC_NAME_LENGTH + 1] = '\0';
	assert_int_equal(spec_name_check(text, error), -EINVAL);

	assert_int_equal(spec_uuid_check("LVM-abc", error), 0);
	assert_int_equal(spec_uuid_check("", error), -EINVAL);
	assert_int_equal(spec_uuid_check("two words", error), -EINVAL);
	memset(text, 'x', sizeof(text));
	text[SPEC_UUID_LENGTH + 1] = '\0';
	assert_int_equal(spec_uuid_check(text, error), -EINVAL);
	text[SPEC_UUID_LENGTH] = '\0';
	assert_int_equal(spec_uuid_check(text, error), 0);

	assert_true(spec_uuid_is_for("data-0123abcd", "data"));
	assert_false(spec_uuid_is_for("data-0123abcd", "dat"));
	assert_false(spec_uuid_is_for("data-0123abc", "data"));
	assert_false(spec_uuid_is_for("data-0123abcde", "data"));
	assert_false(spec_uuid_is_for("data-0123abcx", "data"));
	assert_false(spec_uuid_is_for("data", "data"));
}

static struct spec two_legs(uint64_t sectors_a, uint64_t sectors_b)
{
	struct spec spec = {
	    .name = "data",
	    .uuid = "data-01234567",
	    .leg_count = 2,
	    .leg = {{.path = "/dev/a",
		     .devno = makedev(7, 0),
		     .device_sectors = sectors_a,
		     .block_bytes = 512},
		    {.path = "/dev/b",
		     .devno = makedev(253, 12),
		     .device_sectors = sectors_b,
		     .block_bytes = 512}},
	    .region_sectors = 1024,
	};

	return spec;
}

static void assert_params(const struct spec *spec, const char *expected)
{
	char params[SPEC_PARAMS_SIZE];
	size_t size;

	assert_int_equal(spec_params(spec, params, sizeof(params)), 0);
	assert_string_equal(params, expected);
	for (size = 0; size <= strlen(expected); size++)
		assert_int_equal(spec_params(spec, params, size), -ENOSPC);
}

static void test_params(void **state)
{
	struct spec spec = two_legs(2097152, 2097152);

	(void)state;
	assert_params(&spec, "userspace 3 data-01234567 clustered-core 1024 2 7:0 0 253:12 0");
	spec.sync = SPEC_SYNC_NOSYNC;
	assert_params(&spec,
		      "userspace 4 data-01234567 clustered-core 1024 nosync 2 7:0 0 253:12 0");
	spec.has_log = true;
	spec.log_devno = makedev(254, 48);
	assert_params(&spec, "userspace 5 data-01234567 clustered-disk 254:48 1024 nosync 2 7:0 0 "
			     "253:12 0");
	spec.integrated_flush = true;
	spec.handle_errors = true;
	spec.sync = SPEC_SYNC_FORCE;
	spec.leg[1].start_sector = 2048;
	assert_params(&spec,
		      "userspace 6 data-01234567 integrated_flush clustered-disk 254:48 1024 "
		      "sync 2 7:0 0 253:12 2048 1 handle_errors");
}

static void assert_refused(struct spec spec, const char *part)
{
	char error[SPEC_ERROR_SIZE] = "";

	assert_int_equal(spec_complete(&spec, error), -EINVAL);
	if (!strstr(error, part))
		fail_msg("\"%s\" does not say \"%s\"", error, part);
}

static void test_complete(void **state)
{
	struct spec spec = two_legs(2097152, 2097152);
	char error[SPEC_ERROR_SIZE];

	(void)state;
	assert_int_equal(spec_complete(&spec, error), 0);
	assert_int_equal(spec.length_sectors, 2097152);
	/* Legs of different size: the user says how long. */
	spec = two_legs(2097152, 4194304);
	assert_refused(spec, "the legs differ in size (/dev/a: 1 GiB, /dev/b: 2 GiB); give --size, "
			     "at most 2097152s");
	spec.length_sectors = 2097152;
	assert_int_equal(spec_complete(&spec, error), 0);
	spec.length_sectors++;
	assert_refused(spec, "leg /dev/a has only 1 GiB");
	/* An offset makes the leg shorter. */
	spec = two_legs(2097152, 2097152 + 2048);
	spec.leg[1].start_sector = 2048;
	assert_int_equal(spec_complete(&spec, error), 0);
	assert_int_equal(spec.length_sectors, 2097152);
	spec.leg[1].start_sector = 2097152 + 2048;
	assert_refused(spec, "the offset is behind its end");
}

static void test_refusals(void **state)
{
	struct spec spec = two_legs(2097152, 2097152);

	(void)state;
	spec.leg_count = 1;
	assert_refused(spec, "two legs or more");
	spec = two_legs(2097152, 2097152);
	spec.leg[1].devno = spec.leg[0].devno;
	assert_refused(spec, "are the same device");
	spec = two_legs(2097152, 2097152);
	spec.has_log = true;
	spec.log_devno = spec.leg[1].devno;
	assert_refused(spec, "/dev/b cannot be leg and log device at once");
	spec = two_legs(2097152, 2097152);
	spec.region_sectors = 1000;
	assert_refused(spec, "power of two");
	spec.region_sectors = 4;
	assert_refused(spec, "power of two");
	spec.region_sectors = UINT64_C(1) << 32;
	assert_refused(spec, "power of two");
	spec.region_sectors = 4194304;
	assert_refused(spec, "larger than the mirror");
	spec = two_legs(2097152, 2097152);
	spec.leg[1].block_bytes = 4096;
	spec.length_sectors = 2097144 + 1;
	assert_refused(spec, "leg /dev/b has blocks of 4096 bytes; the size");
	spec.length_sectors = 1048576;
	spec.leg[1].start_sector = 9;
	assert_refused(spec, "the offset must be a multiple");
}

/* --- log devices --- */

#define REGIONS	     UINT64_C(20000)
#define DEVICE_BYTES (UINT64_C(8) << 20)

struct image {
	char path[64];
	uint8_t *bytes;
	struct disk_super super;
};

/* A log in use by "first": two slots in use, regions 0 to 9,999 in sync, 3 and 5 bits dirty. */
static void image_fill(struct image *image)
{
	const struct disk_layout *l = &image->super.layout;
	uint64_t *words = calloc((size_t)l->sync_bytes / 8 + l->slot_stride / 8, sizeof(*words));
	struct disk_slot slot = {.host_id = "first", .host_name = "alpha", .boot_id = "b"};
	uint32_t i;

	assert_non_null(words);
	disk_kernel_header_encode(image->bytes, REGIONS, false);
	disk_super_encode(image->bytes + DISK_SUPER_OFFSET, &image->super);
	disk_super_encode(image->bytes + l->super_b, &image->super);
	bits_fill(words, 10000, true);
	disk_bits_encode(image->bytes + l->sync_offset, (size_t)l->sync_bytes, words);
	for (i = 0; i < l->slots; i++) {
		slot.index = i;
		slot.in_use = i < 2;
		memset(words, 0, (size_t)l->slot_stride);
		words[0] = i == 0 ? 0x7 : 0x1f; /* of a slot not in use they do not count */
		disk_slot_encode(image->bytes + disk_slot_offset(l, i), &slot);
		disk_bits_encode(image->bytes + disk_slot_offset(l, i) + DISK_UNIT, 64, words);
	}
	free(words);
}

static int image_setup(void **state)
{
	struct image *image = calloc(1, sizeof(*image));

	assert_non_null(image);
	image->bytes = calloc(1, DEVICE_BYTES);
	assert_non_null(image->bytes);
	image->super = (struct disk_super){.generation = 7,
					   .in_use = true,
					   .uuid = "data-01234567",
					   .owner = {.host_id = "first", .host_name = "alpha"}};
	assert_int_equal(
	    disk_layout_make(REGIONS, 1024, DEVICE_BYTES, 0, &image->super.layout, NULL), 0);
	image_fill(image);
	*state = image;
	return 0;
}

static int image_teardown(void **state)
{
	struct image *image = *state;

	if (image->path[0])
		(void)unlink(image->path);
	free(image->bytes);
	free(image);
	return 0;
}

static void image_write(struct image *image)
{
	int fd;

	strcpy(image->path, "test-command-log-XXXXXX");
	fd = mkstemp(image->path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, image->bytes, DEVICE_BYTES), DEVICE_BYTES);
	(void)close(fd);
}

static void log_open(const struct image *image, bool write, struct logdev *ret)
{
	char error[LOGDEV_ERROR_SIZE];

	if (logdev_open(image->path, write, 0, ret, error) != 0)
		fail_msg("%s", error);
}

static void test_inspect(void **state)
{
	struct image *image = *state;
	char error[LOGDEV_ERROR_SIZE];
	struct logdev_count count;
	struct logdev log;

	image_write(image);
	log_open(image, false, &log);
	assert_int_equal(log.bytes, DEVICE_BYTES);
	assert_int_equal(log.search.belief, DISK_IN_USE);
	assert_string_equal(log.search.super.uuid, "data-01234567");
	assert_int_equal(logdev_count(&log, &count, error), 0);
	assert_int_equal(count.in_sync, 10000);
	assert_int_equal(count.slots_in_use, 2);
	assert_int_equal(count.dirty, 3 + 5);
	assert_false(count.damaged);
	logdev_close(&log);
}

static void test_inspect_damaged_slot(void **state)
{
	struct image *image = *state;
	char error[LOGDEV_ERROR_SIZE];
	struct logdev_count count;
	struct logdev log;

	image->bytes[disk_slot_offset(&image->super.layout, 1) + 40] ^= 1;
	image_write(image);
	log_open(image, false, &log);
	assert_int_equal(logdev_count(&log, &count, error), 0);
	assert_true(count.damaged);
	assert_int_equal(count.slots_in_use, 1);
	assert_int_equal(count.dirty, 3);
	logdev_close(&log);
}

/* A log that the kernel wrote, longer than one piece that is read. */
static void test_inspect_kernel(void **state)
{
	struct image *image = *state;
	const uint64_t regions = UINT64_C(20) << 20;
	char error[LOGDEV_ERROR_SIZE];
	struct logdev_count count;
	struct logdev log;

	memset(image->bytes, 0, DEVICE_BYTES);
	disk_kernel_header_encode(image->bytes, regions, true);
	memset(image->bytes + DISK_BITS_OFFSET, 0xff, (size_t)(regions / 8) - 1);
	image->bytes[DISK_BITS_OFFSET + regions / 8 - 1] = 0x0f;
	image->bytes[DISK_BITS_OFFSET + regions / 8] = 0xff; /* behind the last region */
	image_write(image);
	log_open(image, false, &log);
	assert_int_equal(log.search.belief, DISK_KERNEL);
	assert_int_equal(logdev_count(&log, &count, error), 0);
	assert_int_equal(count.in_sync, regions - 4);
	logdev_close(&log);
}

/* What export prints of the image; free it. */
static char *exported(const struct image *image, bool json)
{
	struct logdev log;
	char *text;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	log_open(image, false, &log);
	assert_int_equal(export_write(to, &log, json), 0);
	logdev_close(&log);
	assert_int_equal(fclose(to), 0);
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in: %s", part, text);
}

static void test_export(void **state)
{
	struct image *image = *state;
	const struct disk_layout *l = &image->super.layout;
	struct disk_slot slot = {.index = 1, .in_use = true, .host_name = "q\"\x1b[2J\\"};
	uint8_t *at = image->bytes + l->sync_offset;
	char *text;

	at[2] = 0xfe;		  /* not region 16 */
	at[10000 / 8 + 1] = 0x80; /* and region 10015 alone */
	disk_slot_encode(image->bytes + disk_slot_offset(l, 1), &slot);
	image->bytes[disk_slot_offset(l, 2) + 40] ^= 1;
	image->bytes[l->super_b + 100] ^= 1;
	image_write(image);
	text = exported(image, false);
	assert_has(text, "\nstate: in-use\n");
	assert_has(text, "  -\n    copy: A\n    offset: 512\n    state: good\n    crc32c: ");
	assert_has(text, "    copy: B\n    offset: 4096\n    state: damaged (checksum)\n");
	assert_has(text, "    uuid: data-01234567\n");
	assert_has(text, "\nin_sync:\n  0-15\n  17-9999\n  10015\nslots:\n");
	assert_has(text, "    slot: 0\n");
	assert_has(text, "    host_name: alpha\n");
	assert_has(text, "    dirty:\n      0-2\n");
	assert_has(text, "    host_name: q\"?[2J\\\n");
	assert_has(text, "    state: damaged (checksum)\n");
	free(text);
	text = exported(image, true);
	assert_has(text, "{\n  \"device\": \"test-command-log-");
	assert_has(text, "\"in_sync\": [\n    [0, 15],\n    [17, 9999],\n    [10015, 10015]\n  ],");
	assert_has(text, "\"host_name\": \"q\\u0022\\u001b[2J\\u005c\"");
	assert_has(text, "\n}\n");
	free(text);
}

/* One range, in several pieces that are read. */
static void test_export_kernel(void **state)
{
	struct image *image = *state;
	const uint64_t regions = UINT64_C(20) << 20;
	char *text;

	memset(image->bytes, 0, DEVICE_BYTES);
	disk_kernel_header_encode(image->bytes, regions, true);
	memset(image->bytes + DISK_BITS_OFFSET, 0xff, (size_t)(regions / 8) + 1);
	image_write(image);
	text = exported(image, false);
	assert_has(text, "\nstate: kernel\n");
	assert_has(text, "\nkernel_clean:\n  0-20971519\n");
	assert_null(strstr(text, "slots:"));
	free(text);
}

static void test_adopt(void **state)
{
	struct image *image = *state;
	const struct disk_owner second = {.host_id = "second", .host_name = "beta"};
	char error[LOGDEV_ERROR_SIZE];
	struct logdev_count count;
	struct disk_slot slot;
	struct logdev log;

	image_write(image);
	log_open(image, true, &log);
	assert_int_equal(logdev_adopt(&log, &second, error), 0);
	logdev_close(&log);

	log_open(image, false, &log);
	assert_int_equal(log.search.belief, DISK_IN_USE);
	assert_int_equal(log.search.copy_a, 0);
	assert_int_equal(log.search.copy_b, 0);
	assert_int_equal(log.search.super.generation, 8);
	assert_string_equal(log.search.super.owner.host_id, "second");
	assert_string_equal(log.search.super.owner.host_name, "beta");
	assert_string_equal(log.search.super.uuid, "data-01234567");
	assert_int_equal(disk_search_refuse(&log.search, &second, "data-01234567"), 0);
	/* The marks are what this is all about. */
	assert_int_equal(logdev_count(&log, &count, error), 0);
	assert_int_equal(count.dirty, 3 + 5);
	assert_int_equal(count.in_sync, 10000);
	assert_int_equal(logdev_slot(&log, 0, &slot), 0);
	assert_string_equal(slot.host_id, "first");
	logdev_close(&log);
}

/* With only one good superblock left, both are good afterwards. */
static void test_adopt_damaged(void **state)
{
	struct image *image = *state;
	const struct disk_owner second = {.host_id = "second", .host_name = "beta"};
	char error[LOGDEV_ERROR_SIZE];
	struct logdev log;

	image->bytes[DISK_SUPER_OFFSET + 100] ^= 1;
	image_write(image);
	log_open(image, true, &log);
	assert_int_equal(log.search.copy_a, -EBADMSG);
	assert_int_equal(logdev_adopt(&log, &second, error), 0);
	logdev_close(&log);
	log_open(image, false, &log);
	assert_int_equal(log.search.copy_a, 0);
	assert_string_equal(log.search.super.owner.host_id, "second");
	logdev_close(&log);
}

/* To a device that holds something; what the release of an earlier life left, too. */
static void test_copy(void **state)
{
	struct image *image = *state;
	const uint64_t regions = (UINT64_C(20) << 20) - 3;
	char error[LOGDEV_ERROR_SIZE];
	struct logdev_count count;
	struct image fresh = {.bytes = calloc(1, DEVICE_BYTES)};
	struct logdev from;
	struct logdev to;

	assert_non_null(fresh.bytes);
	memcpy(fresh.bytes, image->bytes, DEVICE_BYTES);
	image_write(&fresh);
	image_write(image);
	log_open(image, false, &from);
	log_open(&fresh, true, &to);
	assert_int_equal(logdev_copy(&from, &to, error), -ENODATA); /* it is in use */
	logdev_close(&to);
	logdev_close(&from);
	(void)unlink(image->path);
	image->super.in_use = false;
	image_fill(image);
	image_write(image);
	log_open(image, false, &from);
	assert_int_equal(from.search.belief, DISK_CLEAN);
	log_open(&fresh, true, &to);
	assert_int_equal(to.search.belief, DISK_BLANK);
	assert_int_equal(logdev_copy(&from, &to, error), 0);
	logdev_close(&to);
	logdev_close(&from);
	log_open(&fresh, false, &to);
	assert_int_equal(to.search.belief, DISK_KERNEL);
	assert_int_equal(to.search.header.region_count, REGIONS);
	assert_int_equal(logdev_count(&to, &count, error), 0);
	assert_int_equal(count.in_sync, 10000);
	logdev_close(&to);
	/* of the kernel's form, and of many units */
	(void)unlink(image->path);
	memset(image->bytes, 0, DEVICE_BYTES);
	disk_kernel_header_encode(image->bytes, regions, true);
	memset(image->bytes + DISK_BITS_OFFSET, 0xff, (size_t)(regions / 8) + 1);
	image->bytes[DISK_BITS_OFFSET] = 0xfe;
	image->bytes[DISK_BITS_OFFSET + 1500000] = 0;
	image_write(image);
	log_open(image, false, &from);
	log_open(&fresh, true, &to);
	assert_int_equal(logdev_copy(&from, &to, error), 0);
	logdev_close(&to);
	log_open(&fresh, false, &to);
	assert_int_equal(to.search.header.region_count, regions);
	assert_int_equal(logdev_count(&to, &count, error), 0);
	assert_int_equal(count.in_sync, regions - 9);
	logdev_close(&to);
	/* one that is too small stays without a log */
	assert_int_equal(truncate(fresh.path, 1 << 20), 0);
	log_open(&fresh, true, &to);
	assert_int_equal(logdev_copy(&from, &to, error), -ENOSPC);
	logdev_close(&to);
	log_open(&fresh, false, &to);
	assert_int_equal(to.search.belief, DISK_BLANK);
	logdev_close(&to);
	logdev_close(&from);
	(void)unlink(fresh.path);
	free(fresh.bytes);
}

/* What it held counts no more, and a table of before is not taken with it. */
static void test_retire(void **state)
{
	struct image *image = *state;
	char error[LOGDEV_ERROR_SIZE];
	struct logdev log;

	image_write(image);
	log_open(image, true, &log);
	assert_int_equal(logdev_retire(&log, 4, error), 0);
	logdev_close(&log);
	log_open(image, false, &log);
	assert_int_equal(log.search.belief, DISK_STALE);
	assert_string_equal(log.search.remark, "the mirror has another log since");
	assert_int_equal(log.search.copy_a, 0);
	assert_int_equal(log.search.copy_b, 0);
	assert_true(disk_search_outdates(&log.search, "data-01234567", 3));
	assert_false(disk_search_outdates(&log.search, "data-01234567", 4));
	logdev_close(&log);
}

/* What it held is gone; it says that all is in sync, to tables of that revision. */
static void test_prepare(void **state)
{
	struct image *image = *state;
	struct disk_super wanted = {.uuid = "data-89abcdef",
				    .revision = 7,
				    .owner = {.host_id = "h", .host_name = "n"},
				    .layout = {.region_count = 100003, .region_sectors = 1024}};
	char error[LOGDEV_ERROR_SIZE];
	struct logdev_count count;
	struct logdev log;

	image_write(image);
	log_open(image, true, &log);
	assert_int_equal(log.search.belief, DISK_IN_USE);
	assert_int_equal(logdev_prepare(&log, &wanted, true, error), 0);
	logdev_close(&log);
	log_open(image, false, &log);
	assert_int_equal(log.search.belief, DISK_CLEAN);
	assert_int_equal(log.search.copy_a, 0);
	assert_int_equal(log.search.copy_b, 0);
	assert_true(disk_search_is_of(&log.search, "data-89abcdef"));
	assert_int_equal(log.search.super.revision, 7);
	assert_int_equal(logdev_count(&log, &count, error), 0);
	assert_int_equal(count.in_sync, 100003);
	assert_int_equal(count.slots_in_use, 0);
	logdev_close(&log);
	log_open(image, true, &log);
	assert_int_equal(logdev_prepare(&log, &wanted, false, error), 0);
	logdev_close(&log);
	log_open(image, false, &log);
	assert_int_equal(log.search.belief, DISK_CLEAN);
	assert_int_equal(logdev_count(&log, &count, error), 0);
	assert_int_equal(count.in_sync, 0);
	logdev_close(&log);
	/* one that is too small stays as it is */
	wanted.layout.region_count = UINT64_C(1) << 36;
	log_open(image, true, &log);
	assert_int_equal(logdev_prepare(&log, &wanted, true, error), -ENOSPC);
	logdev_close(&log);
	log_open(image, false, &log);
	assert_int_equal(log.search.belief, DISK_CLEAN);
	logdev_close(&log);
}

static void test_wipe(void **state)
{
	struct image *image = *state;
	char error[LOGDEV_ERROR_SIZE];
	struct logdev log;

	image_write(image);
	log_open(image, true, &log);
	assert_int_equal(logdev_wipe(&log, error), 0);
	logdev_close(&log);
	/* Also for somebody who knows where copy B would be. */
	assert_int_equal(logdev_open(image->path, false, REGIONS, &log, error), 0);
	assert_int_equal(log.search.belief, DISK_BLANK);
	assert_false(log.search.has_super);
	logdev_close(&log);
}

static void test_open_errors(void **state)
{
	char error[LOGDEV_ERROR_SIZE];
	struct logdev log;

	(void)state;
	assert_int_equal(logdev_open("/nonexistent/log", false, 0, &log, error), -ENOENT);
	assert_string_equal(error, "/nonexistent/log cannot be opened: No such file or directory "
				   "[device-unopenable]");
	assert_int_equal(logdev_open("/dev/null", false, 0, &log, error), -ENOTBLK);
}

/* ---- plans of a reload */

static struct dlmirror_mirror mirror_of_two(void)
{
	return (struct dlmirror_mirror){
	    .length_sectors = 2048,
	    .leg_count = 2,
	    .leg = {{.major = 8, .minor = 0}, {.major = 8, .minor = 16, .start_sector = 64}}};
}

static struct spec_leg leg_c(void)
{
	return (struct spec_leg){
	    .path = "/dev/mapper/c", .start_sector = 8, .devno = makedev(8, 32)};
}

static void test_plans(void **state)
{
	struct dlmirror_mirror m = mirror_of_two();
	struct plan_wish wish = {.length_sectors = 4096};
	char error[SPEC_ERROR_SIZE];
	struct dlmirror_plan plan;

	(void)state;
	assert_int_equal(plan_make(&m, &wish, &plan, error), 0);
	assert_true(plan.from_sectors == 2048 && plan.to_sectors == 4096);
	assert_true(plan.from_start[1] == 64);
	assert_true(plan.to_legs == 2 && !plan.leg[0].fresh && plan.leg[1].index == 1);
	/* the one that stays comes first, wherever it was */
	wish = (struct plan_wish){.replace_count = 1};
	wish.replace[0].old = (struct plan_old){.name = "a", .devno = makedev(8, 0)};
	wish.replace[0].fresh = leg_c();
	assert_int_equal(plan_make(&m, &wish, &plan, error), 0);
	assert_true(plan.to_legs == 2 && !plan.leg[0].fresh && plan.leg[0].index == 1);
	assert_true(plan.leg[1].fresh && plan.leg[1].start_sector == 8);
	assert_string_equal(plan.leg[1].path, "/dev/mapper/c");
	/* the same again, when it has been done */
	m.leg[0] = (struct dlmirror_leg){.major = 8, .minor = 16};
	m.leg[1] = (struct dlmirror_leg){.major = 8, .minor = 32, .start_sector = 8};
	assert_int_equal(plan_make(&m, &wish, &plan, error), -EALREADY);
	wish = (struct plan_wish){.length_sectors = 2048, .add_count = 1, .add = {leg_c()}};
	assert_int_equal(plan_make(&m, &wish, &plan, error), -EALREADY);
	/* one comes, one goes */
	m = mirror_of_two();
	wish.remove_count = 1;
	wish.remove[0] = (struct plan_old){.name = "b", .devno = makedev(8, 16)};
	assert_int_equal(plan_make(&m, &wish, &plan, error), 0);
	assert_true(plan.to_legs == 2 && plan.leg[0].index == 0 && plan.leg[1].fresh);
	/* the same legs, but only the first counts */
	wish = (struct plan_wish){.resync = true};
	assert_int_equal(plan_make(&m, &wish, &plan, error), 0);
	assert_true(plan.to_legs == 2 && plan.to_sectors == 2048);
	assert_true(!plan.leg[0].fresh && !plan.leg[0].stale && plan.leg[0].index == 0);
	assert_true(!plan.leg[1].fresh && plan.leg[1].stale && plan.leg[1].index == 1);
}

static void plan_refused(const struct dlmirror_mirror *m, const struct plan_wish *wish,
			 const char *expected)
{
	char error[SPEC_ERROR_SIZE] = "";
	struct dlmirror_plan plan;

	assert_int_equal(plan_make(m, wish, &plan, error), -EINVAL);
	assert_string_equal(error, expected);
}

static void test_bad_plans(void **state)
{
	struct dlmirror_mirror m = mirror_of_two();
	struct plan_wish wish = {.length_sectors = 1024};

	(void)state;
	plan_refused(&m, &wish,
		     "it has 2048 sectors, and a mirror in use only grows; remove it and make it "
		     "anew [cannot-shrink]");
	wish = (struct plan_wish){.remove_count = 1,
				  .remove = {{.name = "b", .devno = makedev(8, 16)}}};
	plan_refused(&m, &wish,
		     "a mirror has two legs or more; add one in the same reload [legs-too-few]");
	wish.remove_count = 2;
	wish.remove[1] = (struct plan_old){.name = "a", .devno = makedev(8, 0)};
	plan_refused(&m, &wish,
		     "one leg has to stay, for the others to be copied from [no-leg-stays]");
	wish.remove[1] = wish.remove[0];
	plan_refused(&m, &wish, "b is named twice [leg-named-twice]");
	wish = (struct plan_wish){.remove_count = 1, .remove = {{.name = "x", .devno = 1}}};
	plan_refused(&m, &wish, "x is not a leg of it; dlmirror show lists the legs [not-a-leg]");
	wish = (struct plan_wish){.add_count = 1, .add = {leg_c()}};
	strcpy(wish.add[0].path, "c");
	plan_refused(&m, &wish, "leg c: give the whole path, from / on [leg-path-relative]");
	wish.add[0] = (struct spec_leg){.path = "/b", .devno = makedev(8, 16)};
	plan_refused(&m, &wish, "/b is a leg already, from sector 64 on [leg-already]");
	m.leg_count = 0;
	plan_refused(&m, &wish, "its legs are not known yet: again in a moment [legs-unknown]");
}

static void assert_regions(const uint64_t *region, uint32_t count, size_t size,
			   const char *expected)
{
	char text[64];

	format_regions(region, count, text, size);
	assert_string_equal(text, expected);
}

static void test_regions(void **state)
{
	const uint64_t region[] = {3, 7, 8, 9, 12, UINT64_MAX};

	(void)state;
	assert_regions(region, 0, 64, "-");
	assert_regions(region, 1, 64, "3");
	assert_regions(region, 2, 64, "3, 7");
	assert_regions(region, 4, 64, "3, 7-9");
	assert_regions(region, 6, 64, "3, 7-9, 12, 18446744073709551615");
	/* it fits just, or not just */
	assert_regions(region, 5, 12, "3, 7-9, 12");
	assert_regions(region, 5, 11, "3, ...");
	assert_regions(region, 6, 16, "3, 7-9, 12, ...");
	assert_regions(region, 6, 12, "3, 7-9, ...");
	assert_regions(region + 5, 1, 20, "...");
}

/* --- picture --- */

static void test_picture_fits(void **state)
{
	static const struct {
		uint64_t regions;
		unsigned width;
		struct picture expected;
	} cases[] = {
	    {1, 80, {1, 1, 1, 72, 1}},
	    {100, 80, {100, 1, 100, 72, 2}},
	    {1152, 80, {1152, 1, 1152, 72, 4}},
	    {1153, 80, {1153, 2, 577, 72, 4}},
	    {100000000, 80, {100000000, 131072, 763, 64, 8}},
	    {100000000, 1000, {100000000, 8192, 12208, 984, 8}},
	    {UINT64_MAX, 30, {UINT64_MAX, UINT64_C(1) << 57, 128, 8, 20}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct picture p = picture_of(cases[i].regions, cases[i].width);

		assert_int_equal(p.region_count, cases[i].expected.region_count);
		assert_int_equal(p.per_cell, cases[i].expected.per_cell);
		assert_int_equal(p.cells, cases[i].expected.cells);
		assert_int_equal(p.columns, cases[i].expected.columns);
		assert_int_equal(p.digits, cases[i].expected.digits);
		assert_in_range(p.cells, 1, p.columns * PICTURE_LINES);
		assert_in_range(p.digits + 1 + p.columns, 1, cases[i].width);
	}
}

static void assert_printed(void (*print)(FILE *to, const struct picture *picture,
					 const struct dlmirror_cell *cells, bool colour),
			   const struct picture *picture, const struct dlmirror_cell *cells,
			   bool colour, const char *expected)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	print(to, picture, cells, colour);
	assert_int_equal(fclose(to), 0);
	assert_string_equal(text, expected);
	free(text);
}

static void test_picture(void **state)
{
	/* 19 regions in pairs, the last cell has one */
	const struct dlmirror_cell cells[] = {
	    {{2, 0, 0, 0, 0}}, {{1, 1, 0, 0, 0}}, {{0, 1, 1, 0, 0}}, {{1, 0, 0, 1, 0}},
	    {{0, 0, 0, 1, 1}}, {{0, 0, 1, 1, 0}}, {{1, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0}},
	    {{2, 0, 0, 0, 0}}, {{0, 0, 0, 0, 1}},
	};
	const struct picture picture = {
	    .region_count = 19, .per_cell = 2, .cells = 10, .columns = 8, .digits = 2};

	(void)state;
	assert_printed(picture_print, &picture, cells, false,
		       " 0 .o>!#!#.\n"
		       "16 .#\n");
	assert_printed(picture_print, &picture, cells, true,
		       " 0 \033[32m.\033[34mo\033[36m>\033[35m!\033[31m#\033[35m!\033[31m#"
		       "\033[32m.\033[0m\n"
		       "16 \033[32m.\033[31m#\033[0m\n");
	assert_printed(picture_legend, &picture, cells, false,
		       ".  9 in sync\n"
		       "o  2 dirty: marked by this node\n"
		       ">  2 being recovered, compared or copied\n"
		       "!  3 crash-dirty: to be repaired\n"
		       "#  3 stale: to be recovered\n");
	assert_printed(picture_legend, &picture, cells, true,
		       "\033[32m.\033[0m  9 in sync\n"
		       "\033[34mo\033[0m  2 dirty: marked by this node\n"
		       "\033[36m>\033[0m  2 being recovered, compared or copied\n"
		       "\033[35m!\033[0m  3 crash-dirty: to be repaired\n"
		       "\033[31m#\033[0m  3 stale: to be recovered\n");
	assert_string_equal(picture_state_name(picture_worst(&cells[4])), "stale");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse_bytes),
	    cmocka_unit_test(test_units),
	    cmocka_unit_test(test_exact),
	    cmocka_unit_test(test_bar),
	    cmocka_unit_test(test_percent),
	    cmocka_unit_test(test_quantiles),
	    cmocka_unit_test(test_activity),
	    cmocka_unit_test(test_activity_short),
	    cmocka_unit_test(test_rate),
	    cmocka_unit_test(test_request_types),
	    cmocka_unit_test(test_regions),
	    cmocka_unit_test(test_picture_fits),
	    cmocka_unit_test(test_picture),
	    cmocka_unit_test(test_leg_arguments),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_params),
	    cmocka_unit_test(test_complete),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test_setup_teardown(test_inspect, image_setup, image_teardown),
	    cmocka_unit_test_setup_teardown(test_inspect_damaged_slot, image_setup, image_teardown),
	    cmocka_unit_test_setup_teardown(test_inspect_kernel, image_setup, image_teardown),
	    cmocka_unit_test_setup_teardown(test_export, image_setup, image_teardown),
	    cmocka_unit_test_setup_teardown(test_export_kernel, image_setup, image_teardown),
	    cmocka_unit_test_setup_teardown(test_adopt, image_setup, image_teardown),
	    cmocka_unit_test_setup_teardown(test_adopt_damaged, image_setup, image_teardown),
	    cmocka_unit_test_setup_teardown(test_copy, image_setup, image_teardown),
	    cmocka_unit_test_setup_teardown(test_retire, image_setup, image_teardown),
	    cmocka_unit_test_setup_teardown(test_prepare, image_setup, image_teardown),
	    cmocka_unit_test_setup_teardown(test_wipe, image_setup, image_teardown),
	    cmocka_unit_test(test_open_errors),
	    cmocka_unit_test(test_plans),
	    cmocka_unit_test(test_bad_plans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
