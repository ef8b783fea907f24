/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log device's format: where things lie, what survives encoding, what damage is noticed, and
 * whom a search believes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "base/cursor.h"
#include "codec/disk.h"

#define KIB	    UINT64_C(1024)
#define MIB	    (KIB * KIB)
#define GIB	    (MIB * KIB)
#define TIB	    (GIB * KIB)
#define SECTORS_512 (512 * KIB / 512) /* of a region of 512 KiB */

/* Layout */

static void assert_layout_sound(const struct disk_layout *l, uint64_t device_bytes)
{
	uint64_t covered = (l->slot_stride - DISK_UNIT) * 8;

	assert_true(l->super_b >= DISK_BITS_OFFSET + (l->region_count + 7) / 8);
	assert_true(l->super_b < DISK_BITS_OFFSET + (l->region_count + 7) / 8 + DISK_UNIT);
	assert_int_equal(l->sync_offset, l->super_b + DISK_UNIT);
	assert_true(l->sync_bytes * 8 >= l->region_count);
	assert_int_equal(l->slot_offset, l->sync_offset + l->sync_bytes);
	assert_true(covered >= l->slot_bits);
	assert_true(l->slot_bits << l->shift >= l->region_count);
	assert_true((l->slot_bits - 1) << l->shift < l->region_count);
	assert_in_range(l->slots, 1, DISK_SLOTS_MAX);
	assert_int_equal(l->total_bytes, l->slot_offset + l->slots * l->slot_stride);
	assert_true(l->total_bytes <= device_bytes);
	assert_int_equal(l->super_b % DISK_UNIT, 0);
	assert_int_equal(l->sync_bytes % DISK_UNIT, 0);
	assert_int_equal(l->slot_stride % DISK_UNIT, 0);
	assert_int_equal(disk_slot_offset(l, l->slots), l->total_bytes);
}

static void layout_of_a_small_mirror(void **state)
{
	struct disk_layout l;

	(void)state;
	assert_int_equal(disk_layout_make(2048, SECTORS_512, 4 * MIB, 0, &l, NULL), 0);
	assert_int_equal(l.super_b, 4096);
	assert_int_equal(l.sync_offset, 8192);
	assert_int_equal(l.sync_bytes, 4096);
	assert_int_equal(l.slot_offset, 12288);
	assert_int_equal(l.slot_stride, 8192);
	assert_int_equal(l.shift, 0);
	assert_int_equal(l.slots, DISK_SLOTS_DEFAULT);
	assert_int_equal(l.total_bytes, 12288 + 16 * 8192);
	assert_layout_sound(&l, 4 * MIB);
}

static void layout_is_sound_for_all_sizes(void **state)
{
	static const uint64_t regions[] = {1,	  7,	   8,	    9,	     63,       64,
					   65,	  24575,   24576,   24577,   32767,    32768,
					   32769, 1000000, 2097152, 9999999, 134217728};
	static const uint64_t devices[] = {
	    20480,	   24576,    28672,    65536,	 143360,	   143359,    MIB, 4 * MIB,
	    4 * MIB + 512, 17 * MIB, 32 * MIB, 64 * MIB, 512 * MIB - 1024, 600 * MIB, GIB};
	static const uint32_t wanted[] = {0, 1, 3, 16, 17, 128, 1000};
	unsigned fitted = 0;

	(void)state;
	for (size_t r = 0; r < sizeof(regions) / sizeof(*regions); r++) {
		for (size_t d = 0; d < sizeof(devices) / sizeof(*devices); d++) {
			for (size_t w = 0; w < sizeof(wanted) / sizeof(*wanted); w++) {
				struct disk_layout l;
				uint64_t needed = 0;
				int rc = disk_layout_make(regions[r], SECTORS_512, devices[d],
							  wanted[w], &l, &needed);

				if (rc == -ENOSPC) {
					assert_true(needed > devices[d]);
					continue;
				}
				assert_int_equal(rc, 0);
				assert_layout_sound(&l, devices[d]);
				assert_true(l.slots <= (wanted[w] == 0 ? 16 : wanted[w]));
				fitted++;
			}
		}
	}
	assert_true(fitted > 1000);
}

static void layout_of_64_tib(void **state)
{
	struct disk_layout l;

	(void)state;
	assert_int_equal(disk_layout_make(64 * TIB / (512 * KIB), SECTORS_512, GIB, 0, &l, NULL),
			 0);
	assert_int_equal(l.region_count, 134217728);
	assert_int_equal(l.sync_bytes, 16 * MIB);
	assert_int_equal(l.shift, 0);
	assert_int_equal(l.slots, 16);
	assert_layout_sound(&l, GIB);
}

static void layout_takes_the_smallest_shift_that_fits(void **state)
{
	const uint64_t regions = 64 * TIB / (512 * KIB);
	uint64_t fixed = 16 * MIB + 2 * DISK_UNIT + 16 * MIB; /* kernel bits, copy B, in-sync map */
	struct disk_layout l;

	(void)state;
	for (unsigned shift = 1; shift < 12; shift++) {
		uint64_t slot = DISK_UNIT + (16 * MIB >> shift);
		uint64_t exact = fixed + 16 * slot;

		assert_int_equal(disk_layout_make(regions, 1024, exact, 0, &l, NULL), 0);
		assert_int_equal(l.shift, shift);
		assert_int_equal(l.slots, 16);
		assert_int_equal(l.total_bytes, exact);
		assert_int_equal(disk_layout_make(regions, 1024, exact - 1, 0, &l, NULL), 0);
		assert_int_equal(l.shift, shift + 1);
	}
}

static void layout_has_fewer_slots_before_it_fails(void **state)
{
	struct disk_layout l;
	uint64_t needed = 0;

	(void)state;
	assert_int_equal(disk_layout_make(100, 1024, 12288 + 5 * 8192 + 4096, 0, &l, NULL), 0);
	assert_int_equal(l.slots, 5);
	assert_int_equal(l.shift, 0);
	assert_int_equal(disk_layout_make(100, 1024, 12288 + 8192, 0, &l, NULL), 0);
	assert_int_equal(l.slots, 1);
	memset(&l, 0x5a, sizeof(l));
	assert_int_equal(disk_layout_make(100, 1024, 12288 + 8191, 0, &l, &needed), -ENOSPC);
	assert_int_equal(needed, 12288 + 8192);
	assert_int_equal(l.slots, 0x5a5a5a5a); /* untouched on failure */
	assert_int_equal(disk_layout_make(100, 1024, needed, 0, &l, NULL), 0);
	for (uint64_t bytes = 0; bytes < 12288 + 8192; bytes += 512)
		assert_int_equal(disk_layout_make(1, 8, bytes, 1, &l, NULL), -ENOSPC);
}

static void layout_needed_size_does(void **state)
{
	struct disk_layout l;
	uint64_t needed;

	(void)state;
	for (uint64_t regions = 1; regions < DISK_REGIONS_MAX; regions = regions * 3 + 1) {
		assert_int_equal(disk_layout_make(regions, 8, 8192, 0, &l, &needed), -ENOSPC);
		assert_int_equal(disk_layout_make(regions, 8, needed - 1, 0, &l, NULL), -ENOSPC);
		assert_int_equal(disk_layout_make(regions, 8, needed, 0, &l, NULL), 0);
		assert_int_equal(l.slots, 1);
		assert_layout_sound(&l, needed);
	}
}

static void layout_gives_as_many_slots_as_wanted(void **state)
{
	struct disk_layout l;

	(void)state;
	assert_int_equal(disk_layout_make(100, 1024, 12288 + 40 * 8192, 128, &l, NULL), 0);
	assert_int_equal(l.slots, 40);
	assert_int_equal(disk_layout_make(100, 1024, 4 * MIB, 100, &l, NULL), 0);
	assert_int_equal(l.slots, 100);
	assert_int_equal(disk_layout_make(100, 1024, 4 * MIB, UINT32_MAX, &l, NULL), 0);
	assert_int_equal(l.slots, DISK_SLOTS_MAX);
}

static void layout_refuses_impossible_geometry(void **state)
{
	struct disk_layout l;

	(void)state;
	assert_int_equal(disk_layout_make(0, 1024, GIB, 0, &l, NULL), -EINVAL);
	assert_int_equal(disk_layout_make(DISK_REGIONS_MAX + 1, 1024, GIB, 0, &l, NULL), -EINVAL);
	assert_int_equal(disk_layout_make(UINT64_MAX, 1024, UINT64_MAX, 0, &l, NULL), -EINVAL);
	assert_int_equal(disk_layout_make(100, 0, GIB, 0, &l, NULL), -EINVAL);
	assert_int_equal(disk_layout_make(100, 1000, GIB, 0, &l, NULL), -EINVAL);
	assert_int_equal(disk_layout_make(100, UINT64_C(1) << 32, GIB, 0, &l, NULL), -EINVAL);
}

/* Superblock and slot header */

static struct disk_super super_make(uint64_t regions, uint64_t generation, bool in_use)
{
	struct disk_super super = {
	    .generation = generation,
	    .in_use = in_use,
	    .uuid = "LVM-abcdef",
	    .owner = {.cluster = "", .host_id = "0123456789abcdef", .host_name = "node1"},
	};

	assert_int_equal(disk_layout_make(regions, 1024, 4 * MIB, 0, &super.layout, NULL), 0);
	return super;
}

static void assert_super_equal(const struct disk_super *a, const struct disk_super *b)
{
	assert_int_equal(a->generation, b->generation);
	assert_int_equal(a->in_use, b->in_use);
	assert_int_equal(a->stale, b->stale);
	assert_int_equal(a->revision, b->revision);
	assert_string_equal(a->uuid, b->uuid);
	assert_string_equal(a->owner.cluster, b->owner.cluster);
	assert_string_equal(a->owner.host_id, b->owner.host_id);
	assert_string_equal(a->owner.host_name, b->owner.host_name);
	assert_memory_equal(&a->layout, &b->layout, sizeof(a->layout));
}

static void super_survives_encoding(void **state)
{
	struct disk_super super = super_make(9999, UINT64_MAX - 1, true);
	struct disk_super got;
	uint8_t buffer[DISK_SUPER_SIZE];

	(void)state;
	disk_super_encode(buffer, &super);
	assert_int_equal(disk_super_decode(buffer, &got), 0);
	assert_super_equal(&got, &super);

	super.in_use = false;
	super.stale = true;
	super.revision = UINT64_MAX;
	memset(super.uuid, 'u', DISK_UUID_SIZE - 1);
	memset(super.owner.cluster, 'c', DISK_NAME_SIZE - 1);
	memset(super.owner.host_id, 'i', DISK_NAME_SIZE - 1);
	memset(super.owner.host_name, '\xff', DISK_NAME_SIZE - 1);
	assert_int_equal(disk_layout_make(1 << 27, 1 << 20, 80 * MIB, 128, &super.layout, NULL), 0);
	disk_super_encode(buffer, &super);
	assert_int_equal(disk_super_decode(buffer, &got), 0);
	assert_super_equal(&got, &super);
}

static void super_damage_is_noticed(void **state)
{
	struct disk_super super = super_make(100, 7, true);
	struct disk_super got;
	uint8_t buffer[DISK_SUPER_SIZE];

	(void)state;
	disk_super_encode(buffer, &super);
	for (size_t at = 0; at < sizeof(buffer); at++) {
		uint8_t was = buffer[at];

		for (unsigned value = 0; value < 256; value++) {
			int rc;

			buffer[at] = (uint8_t)value;
			rc = disk_super_decode(buffer, &got);
			if (value == was)
				assert_int_equal(rc, 0);
			else
				assert_int_equal(rc, at < 8 ? -ENODATA : -EBADMSG);
		}
		buffer[at] = was;
	}
}

/* Puts a checksum over what was changed: only the contents are wrong now. */
static void reseal(uint8_t *buffer)
{
	struct writer w = writer_of(buffer + 12, 4);

	memset(buffer + 12, 0, 4);
	write_u32(&w, crc32c(buffer, DISK_SUPER_SIZE));
}

static void super_of_a_newer_version(void **state)
{
	struct disk_super super = super_make(100, 7, true);
	struct disk_super got;
	uint8_t buffer[DISK_SUPER_SIZE];

	(void)state;
	disk_super_encode(buffer, &super);
	buffer[8] = DISK_FORMAT_VERSION + 1;
	reseal(buffer);
	assert_int_equal(disk_super_decode(buffer, &got), -EPROTONOSUPPORT);
	buffer[8] = 0;
	reseal(buffer);
	assert_int_equal(disk_super_decode(buffer, &got), -EINVAL);
}

static void super_that_contradicts_itself(void **state)
{
	struct disk_super super = super_make(100, 7, true);
	struct disk_super got;
	uint8_t good[DISK_SUPER_SIZE];
	uint8_t buffer[DISK_SUPER_SIZE];

	(void)state;
	disk_super_encode(good, &super);
	/* flags, then every byte of every count and offset of the layout: what another
	 * count would lead to is not what is stored then */
	for (size_t at = 24; at < 108; at++) {
		memcpy(buffer, good, sizeof(buffer));
		buffer[at] ^= 0x85;
		reseal(buffer);
		assert_int_equal(disk_super_decode(buffer, &got), -EINVAL);
	}
	/* strings longer than they may be, or that end behind the superblock */
	for (size_t at = 108; at < 110; at++) {
		memcpy(buffer, good, sizeof(buffer));
		buffer[at] = 0xff;
		reseal(buffer);
		assert_int_equal(disk_super_decode(buffer, &got), -EINVAL);
	}
}

static void slot_survives_encoding_and_damage_is_noticed(void **state)
{
	struct disk_slot slot = {
	    .index = 127,
	    .in_use = true,
	    .generation = 1234567890123,
	    .host_id = "0123456789abcdef",
	    .host_name = "node1",
	    .boot_id = "5e6f-boot",
	    .node = 3000000000,
	};
	struct disk_slot got;
	uint8_t buffer[DISK_UNIT];

	(void)state;
	disk_slot_encode(buffer, &slot);
	assert_int_equal(disk_slot_decode(buffer, &got), 0);
	assert_int_equal(got.index, slot.index);
	assert_true(got.in_use);
	assert_int_equal(got.generation, slot.generation);
	assert_string_equal(got.host_id, slot.host_id);
	assert_string_equal(got.host_name, slot.host_name);
	assert_string_equal(got.boot_id, slot.boot_id);
	assert_int_equal(got.node, slot.node);
	for (size_t at = 0; at < 512; at++) {
		buffer[at] ^= 0x10;
		assert_int_equal(disk_slot_decode(buffer, &got), at < 8 ? -ENODATA : -EBADMSG);
		buffer[at] ^= 0x10;
	}
	slot.index = DISK_SLOTS_MAX;
	disk_slot_encode(buffer, &slot);
	assert_int_equal(disk_slot_decode(buffer, &got), -EINVAL);
	memset(buffer, 0, sizeof(buffer));
	assert_int_equal(disk_slot_decode(buffer, &got), -ENODATA);
}

static void slot_that_contradicts_itself(void **state)
{
	const struct disk_slot slot = {.index = 3, .host_id = "host-1", .boot_id = "boot"};
	struct disk_slot got = {.index = 99};
	uint8_t buffer[DISK_UNIT];

	(void)state;
	disk_slot_encode(buffer, &slot);
	assert_int_equal(disk_slot_decode(buffer, &got), 0);
	assert_false(got.in_use);
	/* flags that nobody knows; a text longer than it may be, or than the header is */
	for (size_t at = 20; at < 24; at++) {
		disk_slot_encode(buffer, &slot);
		buffer[at] ^= 0x82;
		reseal(buffer);
		assert_int_equal(disk_slot_decode(buffer, &got), -EINVAL);
	}
	for (size_t at = 32; at < 34; at++) {
		disk_slot_encode(buffer, &slot);
		buffer[at] = 0xff;
		reseal(buffer);
		assert_int_equal(disk_slot_decode(buffer, &got), -EINVAL);
	}
	assert_int_equal(got.index, 3); /* untouched by what was refused */
}

static void layouts_are_compared_by_what_they_were_made_from(void **state)
{
	const struct disk_layout layout = {
	    .region_count = 100, .region_sectors = 1024, .shift = 2, .slots = 16};
	struct disk_layout other[4] = {layout, layout, layout, layout};

	(void)state;
	other[0].region_count++;
	other[1].region_sectors *= 2;
	other[2].shift++;
	other[3].slots--;
	assert_true(disk_layout_equal(&layout, &layout));
	for (unsigned i = 0; i < 4; i++)
		assert_false(disk_layout_equal(&layout, &other[i]));
}

/* Fields by the version that had no node yet. */
static void slot_of_before_nodes_had_numbers(void **state)
{
	uint8_t buffer[DISK_UNIT] = {0};
	struct disk_slot got = {.node = 1};
	struct writer w = writer_of(buffer, 512);

	(void)state;
	write_bytes(&w, "mirrorSL", 8);
	write_u32(&w, DISK_FORMAT_VERSION);
	write_u32(&w, 0);
	write_u32(&w, 5); /* index */
	write_u32(&w, 1); /* in use */
	write_u64(&w, 9); /* generation */
	write_string(&w, "host-1");
	write_string(&w, "node1");
	write_string(&w, "boot-1");
	write_zeros(&w, w.left);
	reseal(buffer);
	assert_int_equal(disk_slot_decode(buffer, &got), 0);
	assert_int_equal(got.index, 5);
	assert_true(got.in_use);
	assert_string_equal(got.boot_id, "boot-1");
	assert_int_equal(got.node, 0);
}

/* Kernel header */

static void kernel_header_by_hand(uint8_t *buffer, uint32_t magic, uint32_t version,
				  uint64_t regions)
{
	struct writer w = writer_of(buffer, 512);

	write_u32(&w, magic);
	write_u32(&w, version);
	write_u64(&w, regions);
	write_zeros(&w, w.left);
}

static void kernel_header_of_each_version(void **state)
{
	static const uint8_t disk[16] = {0x72, 0x52, 0x69, 0x4d, 2, 0, 0, 0,
					 0x15, 0xcd, 0x5b, 0x07, 1, 0, 0, 0};
	struct disk_kernel_header h;
	uint8_t buffer[512] = {0};

	(void)state;
	memcpy(buffer, disk, sizeof(disk));
	disk_kernel_header_decode(buffer, &h);
	assert_true(h.valid);
	assert_false(h.in_use);
	assert_int_equal(h.version, 2);
	assert_int_equal(h.region_count, UINT64_C(0x1075bcd15));
	for (uint32_t version = 0; version < 5; version++) {
		kernel_header_by_hand(buffer, DISK_KERNEL_MAGIC, version, 5);
		disk_kernel_header_decode(buffer, &h);
		assert_int_equal(h.valid, version == 1 || version == 2);
		assert_int_equal(h.version, version);
	}
	kernel_header_by_hand(buffer, DISK_KERNEL_MAGIC + 1, 2, 5);
	disk_kernel_header_decode(buffer, &h);
	assert_false(h.valid);
	assert_false(h.in_use);
}

static void kernel_header_survives_encoding(void **state)
{
	struct disk_kernel_header h;
	uint8_t buffer[512];

	(void)state;
	disk_kernel_header_encode(buffer, 77, true);
	disk_kernel_header_decode(buffer, &h);
	assert_true(h.valid && !h.in_use);
	assert_int_equal(h.region_count, 77);
	disk_kernel_header_encode(buffer, 78, false);
	disk_kernel_header_decode(buffer, &h);
	assert_true(!h.valid && h.in_use);
	assert_int_equal(h.region_count, 78);
}

static void bits_are_little_endian(void **state)
{
	uint8_t bytes[16] = {0x01, 0, 0, 0, 0, 0, 0, 0x80, 0x02};
	uint64_t words[2];

	(void)state;
	disk_bits_decode(bytes, sizeof(bytes), words);
	assert_int_equal(words[0], UINT64_C(0x8000000000000001));
	assert_int_equal(words[1], 2);
	words[1] = UINT64_C(0x0807060504030201);
	disk_bits_encode(bytes, sizeof(bytes), words);
	for (uint8_t i = 0; i < 8; i++)
		assert_int_equal(bytes[8 + i], i + 1);
	/* in place */
	memcpy(words, bytes, sizeof(words));
	disk_bits_decode(words, sizeof(words), words);
	assert_int_equal(words[1], UINT64_C(0x0807060504030201));
}

/* Search */

#define DEVICE (4 * MIB)

/* Reads like a caller would; counts the reads. */
static unsigned search_run(struct disk_search *search, const uint8_t *device, uint64_t bytes,
			   uint64_t regions)
{
	unsigned reads = 0;
	uint64_t offset;
	size_t size;

	disk_search_begin(search, bytes, regions);
	while (disk_search_next(search, &offset, &size)) {
		uint8_t *copy = malloc(size);

		assert_non_null(copy);
		assert_in_range(size, DISK_UNIT, DISK_SEARCH_SIZE);
		assert_int_equal(size % DISK_UNIT, 0);
		assert_int_equal(offset % DISK_UNIT, 0);
		assert_true(offset + size <= bytes);
		memcpy(copy, device + offset, size);
		disk_search_feed(search, copy);
		free(copy);
		reads++;
	}
	return reads;
}

static void put_a(uint8_t *device, const struct disk_super *super)
{
	disk_super_encode(device + DISK_SUPER_OFFSET, super);
}

static void put_b(uint8_t *device, const struct disk_super *super)
{
	disk_super_encode(device + super->layout.super_b, super);
}

static uint8_t *device_make(void)
{
	uint8_t *device = calloc(1, DEVICE);

	assert_non_null(device);
	return device;
}

static void search_blank_and_tiny(void **state)
{
	uint8_t *device = device_make();
	struct disk_search search;

	(void)state;
	assert_int_equal(search_run(&search, device, DEVICE, 100), 2);
	assert_int_equal(search.belief, DISK_BLANK);
	assert_false(search.has_super);
	for (uint64_t bytes = 0; bytes < DISK_UNIT; bytes += 512) {
		assert_int_equal(search_run(&search, device, bytes, 100), 0);
		assert_int_equal(search.belief, DISK_BLANK);
	}
	assert_int_equal(search_run(&search, device, DISK_UNIT, 100), 1);
	assert_int_equal(search_run(&search, device, DEVICE, 0), 1);
	assert_int_equal(search_run(&search, device, DEVICE, UINT64_MAX), 1);
	free(device);
}

static void search_believes_a_valid_kernel_header_first(void **state)
{
	uint8_t *device = device_make();
	struct disk_super super = super_make(100, 5, true);
	struct disk_owner other = {.host_id = "other"};
	struct disk_search search;

	(void)state;
	put_a(device, &super);
	super.generation = 6;
	put_b(device, &super);
	disk_kernel_header_encode(device, 100, true);
	search_run(&search, device, DEVICE, 100);
	assert_int_equal(search.belief, DISK_KERNEL);
	assert_int_equal(search.super.generation, 6);
	assert_int_equal(disk_search_refuse(&search, &other, "x"), 0);

	/* more regions than there is room for bits */
	kernel_header_by_hand(device, DISK_KERNEL_MAGIC, 2, DEVICE * 8);
	search_run(&search, device, DEVICE, 100);
	assert_int_equal(search.belief, DISK_STALE);
	assert_non_null(search.remark);
	free(device);
}

static void search_takes_the_higher_generation(void **state)
{
	uint8_t *device = device_make();
	struct disk_super a = super_make(100, 5, true);
	struct disk_super b = super_make(100, 6, false);
	struct disk_search search;

	(void)state;
	disk_kernel_header_encode(device, 100, false);
	put_a(device, &a);
	put_b(device, &b);
	assert_int_equal(search_run(&search, device, DEVICE, 100), 2);
	assert_int_equal(search.belief, DISK_CLEAN);
	assert_int_equal(search.super_b, b.layout.super_b);
	a.generation = 7;
	put_a(device, &a);
	search_run(&search, device, DEVICE, 100);
	assert_int_equal(search.belief, DISK_IN_USE);
	a.stale = true;
	put_a(device, &a);
	search_run(&search, device, DEVICE, 100);
	assert_int_equal(search.belief, DISK_STALE);
	free(device);
}

/* The place of B comes from A, not from the table: the mirror may have grown. */
static void search_finds_copy_b_by_copy_a(void **state)
{
	uint8_t *device = device_make();
	struct disk_super a = super_make(100000, 5, true);
	struct disk_super b = super_make(100000, 6, true);
	struct disk_super remnant = super_make(100, 99, false);
	struct disk_search search;

	(void)state;
	disk_kernel_header_encode(device, 100000, false);
	put_a(device, &a);
	put_b(device, &b);
	put_b(device, &remnant);
	assert_int_equal(search_run(&search, device, DEVICE, 100), 2);
	assert_int_equal(search.belief, DISK_IN_USE);
	assert_int_equal(search.super.generation, 6);
	free(device);
}

static void search_scans_when_copy_a_is_lost(void **state)
{
	uint8_t *device = device_make();
	struct disk_super b = super_make(2000000, 6, true);
	struct disk_super misplaced = super_make(100, 99, true);
	struct disk_search search;

	(void)state;
	disk_kernel_header_encode(device, 100, false);
	put_b(device, &b);
	/* whole and newer, but not where its layout puts a copy B */
	disk_super_encode(device + 40 * DISK_UNIT, &misplaced);
	assert_true(search_run(&search, device, DEVICE, 100) > 2);
	assert_int_equal(search.belief, DISK_IN_USE);
	assert_int_equal(search.copy_a, -ENODATA);
	assert_int_equal(search.copy_b, 0);
	assert_int_equal(search.super.generation, 6);
	assert_int_equal(search.super_b, b.layout.super_b);

	/* with a newer one of another geometry, that one */
	b = super_make(100, 7, false);
	put_b(device, &b);
	search_run(&search, device, DEVICE, 100);
	assert_int_equal(search.belief, DISK_CLEAN);

	/* both lost */
	device[b.layout.super_b + 20] ^= 1;
	b = super_make(2000000, 6, true);
	device[b.layout.super_b + 20] ^= 1;
	search_run(&search, device, DEVICE, 100);
	assert_int_equal(search.belief, DISK_STALE);
	assert_int_not_equal(search.copy_b, 0);
	assert_false(search.has_super);
	free(device);
}

static void search_of_an_overwritten_header(void **state)
{
	uint8_t *device = device_make();
	struct disk_super super = super_make(100, 6, false);
	struct disk_search search;

	(void)state;
	put_b(device, &super);
	search_run(&search, device, DEVICE, 100);
	assert_int_equal(search.belief, DISK_STALE);
	memset(device + super.layout.super_b, 0, DISK_UNIT);
	put_a(device, &super);
	search_run(&search, device, DEVICE, 100);
	assert_int_equal(search.belief, DISK_STALE);
	free(device);
}

static void search_of_a_shrunk_device(void **state)
{
	uint8_t *device = device_make();
	struct disk_super super = super_make(100, 6, true);
	struct disk_owner other = {.host_id = "other"};
	struct disk_search search;

	(void)state;
	disk_kernel_header_encode(device, 100, false);
	put_a(device, &super);
	search_run(&search, device, super.layout.total_bytes - 512, 100);
	assert_int_equal(search.belief, DISK_STALE);
	assert_int_equal(disk_search_refuse(&search, &other, super.uuid), -EBUSY);
	search_run(&search, device, super.layout.total_bytes, 100);
	assert_int_equal(search.belief, DISK_IN_USE);
	free(device);
}

static void search_refuses_others(void **state)
{
	uint8_t *device = device_make();
	struct disk_super super = super_make(100, 6, true);
	struct disk_owner owner = super.owner;
	struct disk_search search;

	(void)state;
	disk_kernel_header_encode(device, 100, false);
	put_a(device, &super);
	search_run(&search, device, DEVICE, 100);
	assert_int_equal(disk_search_refuse(&search, &owner, super.uuid), 0);
	assert_int_equal(disk_search_refuse(&search, &owner, "another"), -EEXIST);
	strcpy(owner.host_name, "renamed");
	assert_int_equal(disk_search_refuse(&search, &owner, super.uuid), 0);
	strcpy(owner.host_id, "fedcba9876543210");
	assert_int_equal(disk_search_refuse(&search, &owner, super.uuid), -EBUSY);
	owner = super.owner;
	strcpy(owner.cluster, "shop");
	assert_int_equal(disk_search_refuse(&search, &owner, super.uuid), -EBUSY);

	/* in use by a cluster: by all of its nodes and no other */
	strcpy(super.owner.cluster, "shop");
	put_a(device, &super);
	search_run(&search, device, DEVICE, 100);
	assert_int_equal(disk_search_refuse(&search, &owner, super.uuid), 0);
	strcpy(owner.host_id, "fedcba9876543210");
	assert_int_equal(disk_search_refuse(&search, &owner, super.uuid), 0);
	assert_int_equal(disk_search_refuse(&search, &owner, "another"), -EEXIST);
	owner.cluster[0] = '\0';
	assert_int_equal(disk_search_refuse(&search, &owner, super.uuid), -EBUSY);

	/* clean: anybody's */
	super.in_use = false;
	put_a(device, &super);
	search_run(&search, device, DEVICE, 100);
	assert_int_equal(search.belief, DISK_CLEAN);
	assert_int_equal(disk_search_refuse(&search, &owner, "another"), 0);

	/* a newer format in use */
	device[DISK_SUPER_OFFSET + 8] = DISK_FORMAT_VERSION + 1;
	reseal(device + DISK_SUPER_OFFSET);
	search_run(&search, device, DEVICE, 100);
	assert_int_equal(search.belief, DISK_NEWER);
	assert_int_equal(disk_search_refuse(&search, &owner, super.uuid), -EPROTONOSUPPORT);
	/* … but not when the kernel's header is valid */
	disk_kernel_header_encode(device, 100, true);
	search_run(&search, device, DEVICE, 100);
	assert_int_equal(disk_search_refuse(&search, &owner, super.uuid), 0);
	free(device);
}

/* At rest, in use, and behind the kernel's own header: it has been the log of revision 3. */
static void search_knows_the_last_revision(void **state)
{
	uint8_t *device = device_make();
	struct disk_super super = super_make(100, 6, false);
	struct disk_search search;

	(void)state;
	super.revision = 3;
	for (unsigned i = 0; i < 3; i++) {
		super.in_use = i == 1;
		disk_kernel_header_encode(device, 100, i == 2);
		put_a(device, &super);
		search_run(&search, device, DEVICE, 100);
		assert_true(disk_search_outdates(&search, super.uuid, 0));
		assert_true(disk_search_outdates(&search, super.uuid, 2));
		assert_false(disk_search_outdates(&search, super.uuid, 3));
		assert_false(disk_search_outdates(&search, super.uuid, 4));
		assert_false(disk_search_outdates(&search, "another", 2));
	}
	memset(device, 0, DEVICE);
	search_run(&search, device, DEVICE, 100);
	assert_false(disk_search_outdates(&search, super.uuid, 0));
	free(device);
}

static void owner_same(void **state)
{
	struct disk_owner a = {.host_id = "1", .host_name = "alpha"};
	struct disk_owner renamed = {.host_id = "1", .host_name = "beta"};
	struct disk_owner other = {.host_id = "2", .host_name = "alpha"};
	struct disk_owner cluster = {.host_id = "1", .host_name = "alpha", .cluster = "c"};

	(void)state;
	assert_true(disk_owner_same(&a, &renamed));
	assert_false(disk_owner_same(&a, &other));
	assert_false(disk_owner_same(&a, &cluster));
	assert_true(
	    disk_owner_same(&(struct disk_owner){.host_id = "2", .cluster = "c"}, &cluster));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(owner_same),
	    cmocka_unit_test(layout_of_a_small_mirror),
	    cmocka_unit_test(layout_is_sound_for_all_sizes),
	    cmocka_unit_test(layout_of_64_tib),
	    cmocka_unit_test(layout_takes_the_smallest_shift_that_fits),
	    cmocka_unit_test(layout_has_fewer_slots_before_it_fails),
	    cmocka_unit_test(layout_needed_size_does),
	    cmocka_unit_test(layout_gives_as_many_slots_as_wanted),
	    cmocka_unit_test(layout_refuses_impossible_geometry),
	    cmocka_unit_test(super_survives_encoding),
	    cmocka_unit_test(super_damage_is_noticed),
	    cmocka_unit_test(super_of_a_newer_version),
	    cmocka_unit_test(super_that_contradicts_itself),
	    cmocka_unit_test(slot_survives_encoding_and_damage_is_noticed),
	    cmocka_unit_test(slot_that_contradicts_itself),
	    cmocka_unit_test(layouts_are_compared_by_what_they_were_made_from),
	    cmocka_unit_test(slot_of_before_nodes_had_numbers),
	    cmocka_unit_test(kernel_header_of_each_version),
	    cmocka_unit_test(kernel_header_survives_encoding),
	    cmocka_unit_test(bits_are_little_endian),
	    cmocka_unit_test(search_blank_and_tiny),
	    cmocka_unit_test(search_believes_a_valid_kernel_header_first),
	    cmocka_unit_test(search_takes_the_higher_generation),
	    cmocka_unit_test(search_finds_copy_b_by_copy_a),
	    cmocka_unit_test(search_scans_when_copy_a_is_lost),
	    cmocka_unit_test(search_of_an_overwritten_header),
	    cmocka_unit_test(search_of_a_shrunk_device),
	    cmocka_unit_test(search_refuses_others),
	    cmocka_unit_test(search_knows_the_last_revision),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
