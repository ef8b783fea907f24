/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The storage adapter on files: what it loads after what it wrote, whom it refuses, how it fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "base/cursor.h"
#include "test/unit/storage_rig.h"

#define REGIONS 5000U
#define SECTORS 1024U
#define DEVICE	(1U << 20)
#define MAP	(bits_words(REGIONS) * sizeof(uint64_t))

static int setup(void **state)
{
	struct rig *rig = malloc(sizeof(*rig));

	assert_non_null(rig);
	rig_init(rig, REGIONS, SECTORS, DEVICE);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	rig_fini(*state);
	free(*state);
	rig_record_free();
	return 0;
}

static void maps_random(struct rig *rig, uint64_t seed)
{
	for (size_t w = 0; w < bits_words(REGIONS); w++) {
		rig->sync[w] = rig_random(&seed);
		rig->slot[w] = rig_random(&seed) & rig_random(&seed);
		rig->kernel[w] = rig->sync[w] & ~rig->slot[w];
	}
}

/* The history's bits are map's, and none behind the last region. */
static void assert_map(const uint64_t *got, const uint64_t *map)
{
	for (uint64_t r = 0; r < REGIONS; r++)
		assert_int_equal(bits_test(got, r), bits_test(map, r));
	for (uint64_t r = REGIONS; r % BITS_PER_WORD != 0; r++)
		assert_false(bits_test(got, r));
}

static void assert_crashed(struct rig *rig, const uint64_t *sync, const uint64_t *slot)
{
	assert_int_equal(rig_load(rig), 0);
	assert_int_equal(rig->history.load, MLOG_LOAD_CRASHED);
	assert_int_equal(rig->history.region_count, REGIONS);
	assert_int_equal(rig->history.region_sectors, SECTORS);
	assert_int_equal(rig->history.shift, storage_layout(rig->storage)->shift);
	assert_map(rig->history.in_sync, sync);
	assert_map(rig->history.dirty, slot);
}

static void life_of_a_log(void **state)
{
	struct rig *rig = *state;

	rig_open(rig);
	assert_int_equal(storage_page_bytes(rig->storage), 512);
	assert_int_equal(rig_load(rig), 0);
	assert_int_equal(rig->history.load, MLOG_LOAD_BLANK);
	for (uint64_t round = 1; round < 4; round++) {
		maps_random(rig, round);
		assert_int_equal(rig_claim(rig), 0);
		assert_crashed(rig, rig->sync, rig->slot);

		maps_random(rig, round + 10);
		for (uint64_t page = 0; page < 2; page++) {
			assert_int_equal(rig_write(rig, MLOG_AREA_SLOT, page), 0);
			assert_int_equal(rig_write(rig, MLOG_AREA_SYNC, page), 0);
		}
		rig_close(rig);
		rig_open(rig);
		assert_crashed(rig, rig->sync, rig->slot);
		rig_close(rig);
		rig_open(rig);

		assert_int_equal(rig_release(rig), 0);
		assert_int_equal(rig_load(rig), 0);
		assert_int_equal(rig->history.load, MLOG_LOAD_CLEAN);
		assert_int_equal(rig->history.region_count, REGIONS);
		assert_int_equal(rig->history.region_sectors, SECTORS);
		assert_map(rig->history.in_sync, rig->kernel);
		assert_null(rig->history.remark);
	}
}

/* What the kernel's log would read after a release, byte by byte. */
static void released_log_is_the_kernels(void **state)
{
	static const uint8_t wanted[16] = {0x72, 0x52, 0x69, 0x4d, 2, 0, 0, 0, 0x88, 0x13};
	struct rig *rig = *state;
	uint8_t unit[DISK_UNIT];

	maps_random(rig, 5);
	rig_open(rig);
	assert_int_equal(rig_claim(rig), 0);
	rig_pread(rig, 0, unit, sizeof(unit));
	assert_memory_equal(unit, "golM", 4); /* no magic of the kernel's while it is in use */
	assert_int_equal(rig_release(rig), 0);
	rig_pread(rig, 0, unit, sizeof(unit));
	assert_memory_equal(unit, wanted, sizeof(wanted));
	for (uint64_t r = 0; r < REGIONS; r++)
		assert_int_equal((unit[1024 + r / 8] >> (r % 8)) & 1, bits_test(rig->kernel, r));
	assert_int_equal(unit[1024 + REGIONS / 8], 0);
}

static void kernel_log_write(struct rig *rig, uint32_t version, uint64_t regions,
			     const uint64_t *clean)
{
	uint8_t unit[DISK_UNIT] = {0};

	disk_kernel_header_encode(unit, regions, true);
	unit[4] = (uint8_t)version;
	disk_bits_encode(unit + DISK_BITS_OFFSET, MAP, clean);
	rig_pwrite(rig, 0, unit, sizeof(unit));
}

/* As many regions as before, of another size: whose bits they are cannot be told, so nothing is in
 * sync, also when the claim is cut short after any of its writes. */
static void as_many_regions_of_another_size_are_stale(void **state)
{
	struct rig *rig = *state;

	for (unsigned smaller = 0; smaller <= 1; smaller++) {
		rig_geometry(rig, REGIONS, SECTORS);
		rig_open(rig);
		bits_fill(rig->sync, REGIONS, true);
		bits_fill(rig->kernel, REGIONS, true);
		bits_fill(rig->slot, REGIONS, false);
		assert_int_equal(rig_load(rig), 0);
		assert_int_equal(rig_claim(rig), 0);
		assert_int_equal(rig_release(rig), 0);
		assert_int_equal(rig_load(rig), 0);
		assert_true(bits_test(rig->history.in_sync, REGIONS - 1));
		rig_close(rig);
		rig_geometry(rig, REGIONS, smaller ? SECTORS / 2 : SECTORS * 2);
		rig_open(rig);
		assert_int_equal(rig_load(rig), 0);
		assert_int_equal(rig->history.load, MLOG_LOAD_CLEAN);
		assert_non_null(strstr(rig->history.remark, "another size"));
		for (uint64_t r = 0; r < REGIONS; r++)
			assert_false(bits_test(rig->history.in_sync, r));
		rig_close(rig);
	}
}

static void kernel_log_is_taken_over(void **state)
{
	struct rig *rig = *state;

	maps_random(rig, 6);
	rig_open(rig);
	for (uint32_t version = 1; version <= 2; version++) {
		kernel_log_write(rig, version, REGIONS, rig->kernel);
		assert_int_equal(rig_load(rig), 0);
		assert_int_equal(rig->history.load, MLOG_LOAD_CLEAN);
		assert_int_equal(rig->history.region_count, REGIONS);
		assert_map(rig->history.in_sync, rig->kernel);
	}
	/* the mirror has grown since: no history behind what the header names */
	kernel_log_write(rig, 2, 100, rig->kernel);
	assert_int_equal(rig_load(rig), 0);
	assert_int_equal(rig->history.region_count, 100);
	assert_int_equal(rig->history.in_sync[1] >> 36, 0);
	/* it has shrunk */
	kernel_log_write(rig, 2, REGIONS + 1000, rig->kernel);
	assert_int_equal(rig_load(rig), 0);
	assert_int_equal(rig->history.region_count, REGIONS);
	assert_map(rig->history.in_sync, rig->kernel);
	/* no region at all, and a version that does not exist */
	kernel_log_write(rig, 2, 0, rig->kernel);
	assert_int_equal(rig_load(rig), 0);
	assert_int_equal(rig->history.load, MLOG_LOAD_BLANK);
	kernel_log_write(rig, 3, REGIONS, rig->kernel);
	assert_int_equal(rig_load(rig), 0);
	assert_int_equal(rig->history.load, MLOG_LOAD_BLANK);
	/* more regions than the device could have bits for */
	kernel_log_write(rig, 2, UINT64_MAX, rig->kernel);
	assert_int_equal(rig_load(rig), 0);
	assert_int_equal(rig->history.load, MLOG_LOAD_CLEAN);
	assert_int_equal(bits_count(rig->history.in_sync, REGIONS), 0);
	assert_non_null(rig->history.remark);
}

/* The kernel's header does not tell the size of a region; what we wrote before it does. */
static void region_size_changes_over_a_release(void **state)
{
	struct rig *rig = *state;

	bits_fill(rig->sync, REGIONS, true);
	bits_fill(rig->kernel, REGIONS, true);
	bits_clear(rig->kernel, 1001);
	rig_open(rig);
	assert_int_equal(rig_claim(rig), 0);
	assert_int_equal(rig_release(rig), 0);
	rig_close(rig);
	rig_geometry(rig, REGIONS / 2, 2 * SECTORS);
	rig_open(rig);
	assert_int_equal(rig_load(rig), 0);
	assert_int_equal(rig->history.region_count, REGIONS);
	assert_int_equal(rig->history.region_sectors, SECTORS);
	for (uint64_t r = 0; r < REGIONS / 2; r++)
		assert_int_equal(rig_in_sync(&rig->history, r * 2 * SECTORS, 2 * SECTORS),
				 r != 500);
}

static void marks_of_all_slots_count(void **state)
{
	struct rig *rig = *state;
	struct disk_slot slot;
	uint8_t unit[DISK_UNIT];
	uint64_t offset;

	maps_random(rig, 7);
	rig_open(rig);
	assert_int_equal(rig_claim(rig), 0);
	offset = disk_slot_offset(storage_layout(rig->storage), 2);
	disk_slot_encode(unit, &(struct disk_slot){.index = 2, .in_use = true, .generation = 1});
	rig_pwrite(rig, offset, unit, sizeof(unit));
	memset(unit, 0, sizeof(unit));
	unit[0] = 0xff;
	rig_pwrite(rig, offset + DISK_UNIT, unit, sizeof(unit));
	rig->slot[0] |= 0xff;
	assert_crashed(rig, rig->sync, rig->slot);
	/* the claim moves them to ours */
	assert_int_equal(rig_claim(rig), 0);
	rig_pread(rig, offset, unit, sizeof(unit));
	assert_int_equal(disk_slot_decode(unit, &slot), 0);
	assert_false(slot.in_use);
	assert_crashed(rig, rig->sync, rig->slot);
}

static void damaged_slot_header(void **state)
{
	struct rig *rig = *state;
	uint8_t byte = 0x77;

	maps_random(rig, 8);
	rig_open(rig);
	assert_int_equal(rig_claim(rig), 0);
	rig_pwrite(rig, disk_slot_offset(storage_layout(rig->storage), 0) + 20, &byte, 1);
	bits_fill(rig->slot, REGIONS, true);
	assert_crashed(rig, rig->sync, rig->slot);
	assert_non_null(rig->history.remark);
}

static void assert_all_stale(struct rig *rig)
{
	assert_int_equal(rig_load(rig), 0);
	assert_int_equal(rig->history.load, MLOG_LOAD_CLEAN);
	assert_int_equal(rig->history.region_count, REGIONS);
	assert_int_equal(bits_count(rig->history.in_sync, REGIONS), 0);
	assert_non_null(rig->history.remark);
}

static void damaged_superblocks(void **state)
{
	struct rig *rig = *state;
	uint8_t byte = 0x77;
	uint64_t b;

	maps_random(rig, 9);
	rig_open(rig);
	assert_int_equal(rig_claim(rig), 0);
	b = storage_layout(rig->storage)->super_b;
	/* either copy alone will do */
	rig_pwrite(rig, b + 20, &byte, 1);
	assert_crashed(rig, rig->sync, rig->slot);
	assert_int_equal(rig_claim(rig), 0);
	rig_pwrite(rig, DISK_SUPER_OFFSET + 20, &byte, 1);
	assert_crashed(rig, rig->sync, rig->slot);
	rig_close(rig);
	rig_open(rig);
	assert_crashed(rig, rig->sync, rig->slot);
	rig_pwrite(rig, b + 20, &byte, 1);
	assert_all_stale(rig);
	/* and the log goes on from there */
	assert_int_equal(rig_claim(rig), 0);
	assert_crashed(rig, rig->sync, rig->slot);
}

/* Somebody zeroes the first block, as one does to a kernel log to make it start over. */
static void overwritten_header(void **state)
{
	struct rig *rig = *state;
	uint8_t zeros[DISK_UNIT] = {0};

	maps_random(rig, 10);
	rig_open(rig);
	assert_int_equal(rig_claim(rig), 0);
	rig_pwrite(rig, 0, zeros, 512);
	assert_all_stale(rig);
	assert_int_equal(rig_claim(rig), 0);
	assert_int_equal(rig_release(rig), 0);
	rig_pwrite(rig, 0, zeros, sizeof(zeros));
	assert_all_stale(rig); /* by copy B */
}

static void garbage_is_no_log(void **state)
{
	struct rig *rig = *state;
	uint64_t seed = 11;
	uint64_t noise[DISK_UNIT / 8];

	for (unsigned round = 0; round < 20; round++) {
		for (uint64_t at = 0; at < 128U << 10; at += sizeof(noise)) {
			for (size_t i = 0; i < DISK_UNIT / 8; i++)
				noise[i] = rig_random(&seed);
			rig_pwrite(rig, at, noise, sizeof(noise));
		}
		rig_open(rig);
		assert_int_equal(rig_load(rig), 0);
		assert_int_equal(rig->history.load, MLOG_LOAD_BLANK);
		rig_close(rig);
	}
	maps_random(rig, 12);
	rig_open(rig);
	assert_int_equal(rig_claim(rig), 0);
	assert_crashed(rig, rig->sync, rig->slot);
}

static void assert_refused(struct rig *rig, int error, const char *first, const char *second)
{
	assert_int_equal(rig_try_open(rig), error);
	if (strstr(rig->error, first) == NULL || strstr(rig->error, second) == NULL)
		fail_msg("'%s' and '%s' are not in: %s", first, second, rig->error);
}

static void others_are_refused(void **state)
{
	struct rig *rig = *state;
	char command[128];

	snprintf(command, sizeof(command), "dlmirror log adopt %s", rig->path);
	strcpy(rig->spec.owner.cluster, "shop");
	strcpy(rig->spec.owner.host_id, "host-2");
	strcpy(rig->spec.owner.host_name, "evil\033[2Jname");
	rig_open(rig);
	assert_int_equal(rig_claim(rig), 0);
	rig_close(rig);

	rig->spec.owner = (struct disk_owner){.host_id = RIG_HOST, .host_name = "node1"};
	assert_refused(rig, -EBUSY, "evil?[2Jname (id host-2) of cluster shop", command);
	/* the same host, but not in that cluster */
	strcpy(rig->spec.owner.host_id, "host-2");
	assert_refused(rig, -EBUSY, "of cluster shop", command);
	/* the owner's other log */
	strcpy(rig->spec.owner.cluster, "shop");
	rig->spec.uuid = "mirror-2";
	assert_refused(rig, -EBUSY, RIG_UUID, "another mirror");
	/* released: anybody's */
	rig->spec.uuid = RIG_UUID;
	rig_open(rig);
	assert_int_equal(rig_release(rig), 0);
	rig_close(rig);
	rig->spec.uuid = "mirror-2";
	strcpy(rig->spec.owner.host_id, "host-3");
	rig_open(rig);
	assert_int_equal(rig_load(rig), 0);
	assert_int_equal(rig->history.load, MLOG_LOAD_CLEAN);
	assert_int_equal(rig_claim(rig), 0);
}

/* Also when it is at rest, and when the mirror went on meanwhile with a table that says nothing. */
static void older_tables_are_refused(void **state)
{
	struct rig *rig = *state;

	rig->spec.revision = 3;
	rig_open(rig);
	assert_int_equal(rig_load(rig), 0);
	assert_int_equal(storage_revision(rig->storage), 3); /* nothing there says otherwise */
	assert_int_equal(rig_claim(rig), 0);
	rig_close(rig);
	for (unsigned at_rest = 0; at_rest < 2; at_rest++) {
		rig->spec.revision = 2;
		assert_refused(rig, -ESTALE, "revision 3", "revision 2");
		rig->spec.revision = 0;
		assert_refused(rig, -ESTALE, "revision 3", "revision 0");
		rig->spec.revision = 3;
		rig_open(rig);
		assert_int_equal(rig_load(rig), 0);
		assert_int_equal(rig_claim(rig), 0);
		assert_int_equal(rig_release(rig), 0);
		rig_close(rig);
	}
	/* the next one counts from its claim on */
	rig->spec.revision = 4;
	rig_open(rig);
	assert_int_equal(rig_load(rig), 0);
	assert_int_equal(storage_revision(rig->storage), 3);
	rig_close(rig);
	rig->spec.revision = 3;
	rig_open(rig);
	rig_close(rig);
	rig->spec.revision = 4;
	rig_open(rig);
	assert_int_equal(rig_claim(rig), 0);
	rig_close(rig);
	rig->spec.revision = 3;
	assert_refused(rig, -ESTALE, "revision 4", "dlmirror config list");
	/* another mirror's log says nothing of this one */
	rig->spec.revision = 4;
	rig_open(rig);
	assert_int_equal(rig_claim(rig), 0);
	assert_int_equal(rig_release(rig), 0);
	rig_close(rig);
	rig->spec.uuid = "mirror-2";
	rig->spec.revision = 2;
	rig_open(rig);
	assert_int_equal(rig_load(rig), 0);
	assert_int_equal(storage_revision(rig->storage), 2);
}

/* As "dlmirror log replace" leaves it. */
static void made_ready(struct rig *rig, uint64_t revision)
{
	uint8_t unit[DISK_UNIT];
	struct disk_super super;

	rig_pread(rig, 0, unit, sizeof(unit));
	assert_int_equal(disk_super_decode(unit + DISK_SUPER_OFFSET, &super), 0);
	super.in_use = false;
	super.revision = revision;
	super.generation++;
	disk_super_encode(unit + DISK_SUPER_OFFSET, &super);
	rig_pwrite(rig, 0, unit, sizeof(unit));
	rig_pwrite(rig, super.layout.super_b, unit + DISK_SUPER_OFFSET, DISK_SUPER_SIZE);
}

/* A log that was made ready for a table is one for that table only, and until it is claimed. */
static void a_log_is_made_ready_for_one_table(void **state)
{
	struct rig *rig = *state;

	rig->spec.revision = 3;
	rig_open(rig);
	assert_false(storage_prepared(rig->storage)); /* it is blank */
	assert_int_equal(rig_claim(rig), 0);
	rig_close(rig);
	rig_open(rig);
	assert_false(storage_prepared(rig->storage)); /* in use */
	rig_close(rig);
	made_ready(rig, 4);
	assert_refused(rig, -ESTALE, "revision 4", "revision 3");
	rig->spec.revision = 5;
	rig_open(rig);
	assert_false(storage_prepared(rig->storage));
	rig_close(rig);
	rig->spec.revision = 4;
	rig_open(rig);
	assert_true(storage_prepared(rig->storage));
	assert_int_equal(rig_load(rig), 0);
	assert_int_equal(rig->history.load, MLOG_LOAD_CLEAN);
	assert_int_equal(storage_revision(rig->storage), 4);
	rig_close(rig);
	rig->spec.uuid = "mirror-2";
	rig_open(rig);
	assert_false(storage_prepared(rig->storage));
}

/* Between open and load, and between load and claim, somebody has it with a later table. */
static void older_tables_are_refused_later_too(void **state)
{
	struct rig *rig = *state;
	struct rig later;

	rig->spec.revision = 2;
	rig_open(rig);
	assert_int_equal(rig_load(rig), 0);
	rig_init(&later, REGIONS, SECTORS, DEVICE);
	later.spec.device = rig->path;
	later.spec.revision = 3;
	rig_open(&later);
	assert_int_equal(rig_claim(&later), 0);
	rig_record_start();
	assert_int_equal(rig_load(rig), -ESTALE);
	assert_int_equal(rig_claim(rig), -EBUSY);
	assert_int_equal(rig_record.count, 0);
	rig_fini(&later);
}

/* Between open and load, and between load and claim, somebody else takes it. */
static void others_are_refused_later_too(void **state)
{
	struct rig *rig = *state;
	struct rig other;
	uint8_t unit[DISK_UNIT];

	rig_open(rig);
	assert_int_equal(rig_load(rig), 0);
	rig_init(&other, REGIONS, SECTORS, DEVICE);
	strcpy(other.spec.owner.host_id, "host-2");
	other.spec.device = rig->path;
	rig_open(&other);
	assert_int_equal(rig_claim(&other), 0);
	rig_pread(rig, 0, unit, sizeof(unit));
	rig_record_start();
	assert_int_equal(rig_load(rig), -EBUSY);
	assert_int_equal(rig_claim(rig), -EBUSY);
	assert_int_equal(rig_record.count, 0);
	rig_fini(&other);
}

static void newer_format_is_refused(void **state)
{
	struct rig *rig = *state;
	uint8_t unit[DISK_UNIT] = {0};
	struct disk_super super = {.in_use = true};
	struct writer w;

	disk_layout_make(REGIONS, SECTORS, DEVICE, 0, &super.layout, NULL);
	disk_kernel_header_encode(unit, REGIONS, false);
	disk_super_encode(unit + 512, &super);
	/* version 2, and the checksum that goes with it */
	unit[DISK_SUPER_OFFSET + 8] = DISK_FORMAT_VERSION + 1;
	memset(unit + DISK_SUPER_OFFSET + 12, 0, sizeof(uint32_t));
	w = writer_of(unit + DISK_SUPER_OFFSET + 12, sizeof(uint32_t));
	write_u32(&w, crc32c(unit + DISK_SUPER_OFFSET, DISK_SUPER_SIZE));
	rig_pwrite(rig, 0, unit, sizeof(unit));
	assert_refused(rig, -EPROTONOSUPPORT, "newer", rig->path);
}

static void bad_devices_are_refused(void **state)
{
	struct rig *rig = *state;
	struct disk_layout l;
	uint64_t needed;
	char text[32];

	rig->spec.device = "/";
	assert_refused(rig, -ENOTBLK, "not a block device", "");
	rig->spec.device = "/dev/null";
	assert_refused(rig, -ENOTBLK, "not a block device", "/dev/null");
	rig->spec.device = "/nonexistent/log";
	assert_refused(rig, -ENOENT, "/nonexistent/log", "No such file");
	rig->spec.device = "no:number";
	assert_true(rig_try_open(rig) < 0);
	assert_non_null(strstr(rig->error, "no:number"));

	rig->spec.device = rig->path;
	assert_int_equal(disk_layout_make(REGIONS, SECTORS, 0, 0, &l, &needed), -ENOSPC);
	snprintf(text, sizeof(text), "needs %lu", (unsigned long)needed);
	for (off_t size = 0; size < (off_t)needed; size += 2048) {
		assert_int_equal(ftruncate(rig->fd, size), 0);
		assert_refused(rig, -ENOSPC, text, "larger regions");
	}
	assert_int_equal(ftruncate(rig->fd, (off_t)needed), 0);
	maps_random(rig, 13);
	rig_open(rig);
	rig_record_start();
	assert_int_equal(rig_claim(rig), -EINVAL); /* there is room for slot 0 only */
	assert_int_equal(rig_empty_slot(rig, 1), -EINVAL);
	assert_int_equal(rig_record.count, 0);
	rig->own = 0;
	assert_int_equal(rig_claim(rig), 0);
	assert_crashed(rig, rig->sync, rig->slot);
}

static void nothing_is_written_unclaimed(void **state)
{
	struct rig *rig = *state;

	rig_open(rig);
	rig_record_start();
	assert_int_equal(rig_write(rig, MLOG_AREA_SLOT, 0), -ESTALE);
	assert_int_equal(rig_release(rig), -ESTALE);
	assert_int_equal(rig_load(rig), 0);
	assert_int_equal(rig_write(rig, MLOG_AREA_SYNC, 0), -ESTALE);
	assert_int_equal(rig_record.count, 0);
	assert_int_equal(rig_claim(rig), 0);
	assert_int_equal(rig_write(rig, MLOG_AREA_SLOT, 0), 0);
	assert_int_equal(rig_release(rig), 0);
	assert_int_equal(rig_write(rig, MLOG_AREA_SLOT, 0), -ESTALE);
}

/* A restarted daemon writes pages without a claim, in the layout of its predecessor. */
static void restart_keeps_the_layout(void **state)
{
	struct rig *rig = *state;

	maps_random(rig, 14);
	rig_open(rig);
	assert_int_equal(rig_claim(rig), 0);
	rig_close(rig);
	assert_int_equal(ftruncate(rig->fd, 4 * DEVICE), 0);
	rig->spec.slots_wanted = 40;
	rig_open(rig);
	assert_int_equal(storage_layout(rig->storage)->slots, 3);
	rig->slot[0] = UINT64_C(0xdeadbeef00112233);
	assert_int_equal(rig_write(rig, MLOG_AREA_SLOT, 0), 0);
	assert_crashed(rig, rig->sync, rig->slot);
	assert_int_equal(rig_release(rig), 0);
	rig_close(rig);
	rig_open(rig);
	assert_int_equal(storage_layout(rig->storage)->slots, 40);
}

static void slot_bits_cover_groups(void **state)
{
	struct rig *rig = *state;
	struct disk_layout l;

	/* so small that a slot bit covers several regions */
	rig_geometry(rig, 300000, 8);
	assert_int_equal(disk_layout_make(300000, 8, 122880, 2, &l, NULL), 0);
	assert_int_equal(l.shift, 2);
	assert_int_equal(ftruncate(rig->fd, 122880), 0);
	rig->spec.slots_wanted = 2;
	rig_open(rig);
	assert_int_equal(storage_layout(rig->storage)->shift, 2);
	bits_fill(rig->sync, 300000, true);
	bits_set(rig->slot, 0);
	bits_set(rig->slot, 74999);
	assert_int_equal(rig_claim(rig), 0);
	assert_int_equal(rig_load(rig), 0);
	assert_int_equal(rig->history.shift, 2);
	assert_int_equal(bits_count(rig->history.dirty, 75000), 2);
	assert_true(rig_dirty(&rig->history, 3 * 8, 8));
	assert_false(rig_dirty(&rig->history, 4 * 8, 8));
	assert_true(rig_dirty(&rig->history, 299996 * 8, 8));
}

static void device_that_ends_early(void **state)
{
	struct rig *rig = *state;

	maps_random(rig, 15);
	rig_open(rig);
	assert_int_equal(rig_claim(rig), 0);
	assert_int_equal(ftruncate(rig->fd, 8192), 0);
	assert_int_equal(rig_load(rig), -EIO);
	assert_int_equal(ftruncate(rig->fd, 0), 0);
	assert_int_equal(rig_load(rig), -EIO);
	assert_int_equal(rig_claim(rig), -EIO);
	assert_int_equal(rig_write(rig, MLOG_AREA_SLOT, 0), -ESTALE);
	/* it is back, empty */
	assert_int_equal(ftruncate(rig->fd, DEVICE), 0);
	assert_int_equal(rig_claim(rig), 0);
	assert_crashed(rig, rig->sync, rig->slot);
}

static void device_that_refuses_writes(void **state)
{
	struct rig *rig = *state;
	struct rlimit limit;
	struct rlimit small;
	void (*was)(int) = signal(SIGXFSZ, SIG_IGN);

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = 8192;
	maps_random(rig, 16);
	rig_open(rig);
	assert_int_equal(rig_claim(rig), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(rig_write(rig, MLOG_AREA_SLOT, 1), -EFBIG);
	assert_int_equal(rig_release(rig), -EFBIG);
	assert_int_equal(rig_claim(rig), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(rig_claim(rig), 0);
	assert_crashed(rig, rig->sync, rig->slot);
	signal(SIGXFSZ, was);
}

static void on_ended(void *context)
{
	(*(unsigned *)context)++;
}

/* A write that hangs when its log is given up may reach the device at any later time; nothing of
 * the next owner of the device may be overwritten by it. */
static void claim_waits_for_abandoned_writes(void **state)
{
	struct rig *rig = *state;
	unsigned ended = 0;
	unsigned answers;
	unsigned writes;

	maps_random(rig, 17);
	rig_open(rig);
	assert_int_equal(rig_claim(rig), 0);
	rig_record_start();
	rig_record.hold = true;
	storage_write(rig->storage, rig->own, MLOG_AREA_SLOT, 0);
	storage_write(rig->storage, rig->own, MLOG_AREA_SLOT, 1);
	assert_int_equal(storage_in_flight(rig->storage), 2);
	rig->storage = storage_abandon(rig->storage, on_ended, &ended);
	rig_open(rig);
	answers = rig->answers;
	storage_claim(rig->storage, rig->own, true);
	assert_int_equal(storage_in_flight(rig->storage), 1);
	for (unsigned i = 0; i < 5; i++)
		storage_engine_dispatch(rig->engine);
	writes = rig_record.count;
	assert_int_equal(writes, 2);
	assert_int_equal(ended, 0);
	rig_record.hold = false;
	storage_engine_dispatch(rig->engine); /* the eventfd has been read while they were held */
	rig_wait(rig, answers + 1);
	assert_int_equal(rig->result, 0);
	assert_int_equal(rig->written, 0); /* completions of the abandoned log are dropped */
	assert_int_equal(ended, 1);
	assert_true(rig_record.count > writes);
	assert_crashed(rig, rig->sync, rig->slot);
}

/* Abandoned at every moment of a claim. */
static void abandoned_jobs(void **state)
{
	struct rig *rig = *state;
	bool claimed = false;
	unsigned ended = 0;

	maps_random(rig, 18);
	for (unsigned dispatches = 0; !claimed && dispatches < 100; dispatches++) {
		unsigned answers = rig->answers;

		rig_open(rig);
		storage_claim(rig->storage, rig->own, true);
		for (unsigned i = 0; i < dispatches && rig->answers == answers; i++)
			storage_engine_dispatch(rig->engine);
		claimed = rig->answers > answers;
		rig->storage = storage_abandon(rig->storage, NULL, NULL);
	}
	assert_true(claimed);
	rig_open(rig);
	rig->storage = storage_abandon(rig->storage, on_ended, &ended);
	assert_int_equal(ended, 1); /* nothing was in flight */
	/* and the engine destroyed with an abandoned one in flight */
	rig_open(rig);
	assert_int_equal(rig_load(rig), 0);
	rig_record.hold = true;
	storage_write(rig->storage, rig->own, MLOG_AREA_SLOT, 0);
	rig->storage = storage_abandon(rig->storage, on_ended, &ended);
	assert_int_equal(ended, 1);
	rig->engine = storage_engine_destroy(rig->engine);
	assert_int_equal(ended, 2);
	rig_record.hold = false;
	assert_int_equal(storage_engine_create(&rig->engine), 0);
	rig_open(rig);
	assert_crashed(rig, rig->sync, rig->slot);
}

static void release_waits_for_page_writes(void **state)
{
	struct rig *rig = *state;
	unsigned answers;

	maps_random(rig, 19);
	rig_open(rig);
	assert_int_equal(rig_claim(rig), 0);
	rig_record_start();
	rig_record.hold = true;
	answers = rig->answers;
	storage_write(rig->storage, rig->own, MLOG_AREA_SYNC, 0);
	storage_release(rig->storage, rig->own, true);
	for (unsigned i = 0; i < 5; i++)
		storage_engine_dispatch(rig->engine);
	assert_int_equal(rig_record.count, 1);
	rig_record.hold = false;
	storage_engine_dispatch(rig->engine); /* the eventfd has been read while they were held */
	rig_wait(rig, answers + 2);
	assert_int_equal(rig->written, 1);
	assert_int_equal(rig_load(rig), 0);
	assert_int_equal(rig->history.load, MLOG_LOAD_CLEAN);
}

#define MANY 20U

/* More page writes than the engine gives to the kernel at once. */
static void many_logs_share_the_engine(void **state)
{
	struct rig *rig = *state;
	const uint64_t regions = MLOG_BATCH_MAX * 512 * 8;
	struct rig logs[MANY];

	for (unsigned i = 0; i < MANY; i++) {
		rig_init(&logs[i], regions, SECTORS, DEVICE);
		storage_engine_destroy(logs[i].engine);
		logs[i].engine = rig->engine;
		rig_open(&logs[i]);
		assert_int_equal(rig_claim(&logs[i]), 0);
	}
	rig_record_start();
	for (uint64_t page = 0; page < MLOG_BATCH_MAX; page++) {
		for (unsigned i = 0; i < MANY; i++) {
			bits_set(logs[i].slot, page * 4096 + i);
			storage_write(logs[i].storage, logs[i].own, MLOG_AREA_SLOT, page);
			storage_write(logs[i].storage, logs[i].own, MLOG_AREA_SYNC, page);
		}
	}
	for (unsigned i = 0; i < MANY; i++)
		rig_wait(&logs[i], 1 + 2 * MLOG_BATCH_MAX);
	assert_in_range(rig_record.in_flight_max, 200, 256);
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(logs[i].written_error, 0);
		assert_int_equal(rig_load(&logs[i]), 0);
		assert_memory_equal(logs[i].history.dirty, logs[i].slot, regions / 8);
		rig_close(&logs[i]);
		logs[i].engine = NULL;
		rig_fini(&logs[i]);
	}
}

/* 64 TiB in regions of 512 KiB: maps of 16 MiB. */
static void mirror_of_64_tib(void **state)
{
	struct rig *rig = *state;
	const uint64_t regions = UINT64_C(1) << 27;

	assert_int_equal(ftruncate(rig->fd, 128 << 20), 0);
	rig_geometry(rig, regions, SECTORS);
	rig_open(rig);
	assert_int_equal(storage_layout(rig->storage)->shift, 0);
	bits_fill(rig->sync, regions, true);
	bits_set(rig->slot, regions - 1);
	bits_set(rig->slot, regions / 2);
	rig_record.largest = 0;
	rig_record.in_flight_max = 0;
	assert_int_equal(rig_claim(rig), 0);
	assert_in_range(rig_record.largest, 64 << 10, 1 << 20);
	assert_in_range(rig_record.in_flight_max, 2, 8);
	assert_int_equal(rig_write(rig, MLOG_AREA_SLOT, (16 << 20) / 512 - 1), 0);
	assert_int_equal(rig_load(rig), 0);
	assert_int_equal(bits_count(rig->history.in_sync, regions), regions);
	assert_int_equal(bits_count(rig->history.dirty, regions), 2);
	assert_true(bits_test(rig->history.dirty, regions - 1));
	bits_fill(rig->kernel, regions, true);
	assert_int_equal(rig_release(rig), 0);
	assert_int_equal(rig_load(rig), 0);
	assert_int_equal(bits_count(rig->history.in_sync, regions), regions);
}

/* A file on a file system with direct I/O, where there is one. */
static void file_on_disk(void **state)
{
	struct rig *rig = *state;
	const char *dir = getenv("TMPDIR");
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/dlmirror-log-XXXXXX", dir != NULL ? dir : "/var/tmp");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, DEVICE), 0);
	rig->spec.device = path;
	maps_random(rig, 20);
	rig_open(rig);
	assert_int_equal(rig_claim(rig), 0);
	assert_crashed(rig, rig->sync, rig->slot);
	maps_random(rig, 21);
	assert_int_equal(rig_write(rig, MLOG_AREA_SLOT, 0), 0);
	assert_int_equal(rig_write(rig, MLOG_AREA_SLOT, 1), 0);
	assert_int_equal(rig_write(rig, MLOG_AREA_SYNC, 0), 0);
	assert_int_equal(rig_write(rig, MLOG_AREA_SYNC, 1), 0);
	assert_crashed(rig, rig->sync, rig->slot);
	assert_int_equal(rig_release(rig), 0);
	assert_int_equal(rig_load(rig), 0);
	assert_map(rig->history.in_sync, rig->kernel);
	rig_close(rig);
	rig->spec.device = rig->path;
	unlink(path);
	close(fd);
}

/* The device that the memory file becomes with that block size, or -1. It goes away when closed. */
static int loop_attach(const struct rig *rig, uint32_t block_bytes, char *path, size_t cap)
{
	struct loop_config config = {
	    .fd = (uint32_t)rig->fd,
	    .block_size = block_bytes,
	    .info = {.lo_flags = LO_FLAGS_AUTOCLEAR},
	};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int fd = -1;

	/* Somebody else may take the free device first. */
	for (unsigned tries = 0; control >= 0 && fd < 0 && tries < 10; tries++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);

		snprintf(path, cap, "/dev/loop%d", number);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) != 0) {
			close(fd);
			fd = -1;
		}
	}
	if (control >= 0)
		close(control);
	return fd;
}

/* A block device, by path and by number, with direct I/O in its own block size. */
static void block_device(struct rig *rig, uint32_t block_bytes)
{
	char path[64];
	char number[32];
	struct stat st;
	int loop = loop_attach(rig, block_bytes, path, sizeof(path));

	if (loop < 0)
		skip(); /* not root, or no loop devices here */
	assert_int_equal(fstat(loop, &st), 0);
	snprintf(number, sizeof(number), "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	for (unsigned round = 0; round < 2; round++) {
		rig->spec.device = round == 0 ? path : number;
		maps_random(rig, 22 + round);
		rig_open(rig);
		assert_int_equal(storage_page_bytes(rig->storage), block_bytes);
		assert_int_equal(storage_devno(rig->storage), st.st_rdev);
		assert_int_equal(rig_claim(rig), 0);
		assert_crashed(rig, rig->sync, rig->slot);
		maps_random(rig, 24 + round);
		for (uint64_t page = 0; page * block_bytes * 8 < REGIONS; page++) {
			assert_int_equal(rig_write(rig, MLOG_AREA_SLOT, page), 0);
			assert_int_equal(rig_write(rig, MLOG_AREA_SYNC, page), 0);
		}
		assert_crashed(rig, rig->sync, rig->slot);
		assert_int_equal(rig_release(rig), 0);
		assert_int_equal(rig_load(rig), 0);
		assert_map(rig->history.in_sync, rig->kernel);
		rig_close(rig);
	}
	rig->spec.device = rig->path;
	close(loop);
}

static void block_device_of_512(void **state)
{
	block_device(*state, 512);
}

static void block_device_of_4096(void **state)
{
	block_device(*state, 4096);
}

static void generations_rise(void **state)
{
	struct rig *rig = *state;
	struct disk_super a;
	struct disk_super b;
	uint8_t unit[DISK_UNIT];
	uint64_t last = 0;

	rig_open(rig);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned release = 0; release < 2; release++) {
			assert_int_equal(release != 0 ? rig_release(rig) : rig_claim(rig), 0);
			rig_pread(rig, 0, unit, sizeof(unit));
			assert_int_equal(disk_super_decode(unit + DISK_SUPER_OFFSET, &a), 0);
			rig_pread(rig, a.layout.super_b, unit, sizeof(unit));
			assert_int_equal(disk_super_decode(unit, &b), 0);
			assert_true(b.generation > last);
			assert_true(a.generation > b.generation);
			assert_int_equal(a.in_use, release == 0);
			assert_int_equal(b.in_use, release == 0);
			last = a.generation;
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(life_of_a_log),
	    TEST(released_log_is_the_kernels),
	    TEST(kernel_log_is_taken_over),
	    TEST(as_many_regions_of_another_size_are_stale),
	    TEST(region_size_changes_over_a_release),
	    TEST(marks_of_all_slots_count),
	    TEST(damaged_slot_header),
	    TEST(damaged_superblocks),
	    TEST(overwritten_header),
	    TEST(garbage_is_no_log),
	    TEST(others_are_refused),
	    TEST(others_are_refused_later_too),
	    TEST(older_tables_are_refused),
	    TEST(a_log_is_made_ready_for_one_table),
	    TEST(older_tables_are_refused_later_too),
	    TEST(newer_format_is_refused),
	    TEST(bad_devices_are_refused),
	    TEST(nothing_is_written_unclaimed),
	    TEST(restart_keeps_the_layout),
	    TEST(slot_bits_cover_groups),
	    TEST(device_that_ends_early),
	    TEST(device_that_refuses_writes),
	    TEST(claim_waits_for_abandoned_writes),
	    TEST(abandoned_jobs),
	    TEST(release_waits_for_page_writes),
	    TEST(many_logs_share_the_engine),
	    TEST(mirror_of_64_tib),
	    TEST(file_on_disk),
	    TEST(block_device_of_512),
	    TEST(block_device_of_4096),
	    TEST(generations_rise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
