/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the bytes of the log device's headers, superblocks and maps, and where they lie. Whom to
 * believe is disk_search.c's.
 */
#include "codec/disk.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/cursor.h"

#define SUPER_MAGIC	UINT64_C(0x4253726f7272696d) /* "mirrorSB" */
#define SLOT_MAGIC	UINT64_C(0x4c53726f7272696d) /* "mirrorSL" */
#define HEADER_SIZE	512U /* of superblock and slot header: one sector, so never torn */
#define CHECKSUM_OFFSET 12U  /* behind magic and version */
#define KERNEL_HEADER	512U
#define REGION_MAX	(UINT64_C(1) << 31) /* sectors */

#define SUPER_IN_USE 1U
#define SUPER_STALE  2U
#define SLOT_IN_USE  1U

_Static_assert(HEADER_SIZE == DISK_SUPER_SIZE, "superblock and slot header share their frame");

static uint64_t units_up(uint64_t bytes)
{
	return (bytes + DISK_UNIT - 1) / DISK_UNIT * DISK_UNIT;
}

static uint64_t bits_bytes(uint64_t bits)
{
	return (bits + 7) / 8;
}

/* Everything that follows from counts and shift. */
static void layout_fill(struct disk_layout *l)
{
	uint64_t group = UINT64_C(1) << l->shift;

	l->slot_bits = (l->region_count + group - 1) / group;
	l->super_b = units_up(DISK_BITS_OFFSET + bits_bytes(l->region_count));
	l->sync_offset = l->super_b + DISK_UNIT;
	l->sync_bytes = units_up(bits_bytes(l->region_count));
	l->slot_offset = l->sync_offset + l->sync_bytes;
	l->slot_stride = DISK_UNIT + units_up(bits_bytes(l->slot_bits));
	l->total_bytes = l->slot_offset + l->slots * l->slot_stride;
}

static bool layout_possible(const struct disk_layout *l)
{
	return l->region_count >= 1 && l->region_count <= DISK_REGIONS_MAX &&
	       l->region_sectors >= 1 && l->region_sectors <= REGION_MAX &&
	       (l->region_sectors & (l->region_sectors - 1)) == 0 && l->shift <= 40 &&
	       l->slots >= 1 && l->slots <= DISK_SLOTS_MAX;
}

int disk_layout_make(uint64_t region_count, uint64_t region_sectors, uint64_t device_bytes,
		     uint32_t slots_wanted, struct disk_layout *ret, uint64_t *ret_needed)
{
	struct disk_layout l = {
	    .region_count = region_count,
	    .region_sectors = region_sectors,
	};
	uint32_t wanted = slots_wanted == 0 ? DISK_SLOTS_DEFAULT : slots_wanted;
	uint64_t fit;

	if (wanted > DISK_SLOTS_MAX)
		wanted = DISK_SLOTS_MAX;
	l.slots = wanted < DISK_SLOTS_DEFAULT ? wanted : DISK_SLOTS_DEFAULT;
	if (!layout_possible(&l))
		return -EINVAL;
	layout_fill(&l);
	while (l.total_bytes > device_bytes && l.slot_stride > 2 * DISK_UNIT) {
		l.shift++;
		layout_fill(&l);
	}
	fit = device_bytes < l.slot_offset ? 0 : (device_bytes - l.slot_offset) / l.slot_stride;
	if (fit == 0) {
		if (ret_needed != NULL)
			*ret_needed = l.slot_offset + l.slot_stride;
		return -ENOSPC;
	}
	l.slots = fit < wanted ? (uint32_t)fit : wanted;
	layout_fill(&l);
	*ret = l;
	return 0;
}

uint64_t disk_generation(uint64_t last, uint64_t now_s)
{
	uint64_t clock = now_s << 16;

	return last > clock ? last : clock;
}

bool disk_layout_equal(const struct disk_layout *a, const struct disk_layout *b)
{
	return a->region_count == b->region_count && a->region_sectors == b->region_sectors &&
	       a->shift == b->shift && a->slots == b->slots;
}

void disk_kernel_header_decode(const void *buffer, struct disk_kernel_header *ret)
{
	struct reader r = reader_of(buffer, KERNEL_HEADER);
	uint32_t magic = read_u32(&r);

	*ret = (struct disk_kernel_header){.in_use = magic == DISK_MAGIC_IN_USE};
	ret->version = read_u32(&r);
	ret->region_count = read_u64(&r);
	/* Version 1 is what version 2 says, in the byte order of the machine: the same on ours. */
	ret->valid = magic == DISK_KERNEL_MAGIC &&
		     (ret->version == 1 || ret->version == DISK_KERNEL_VERSION);
}

void disk_kernel_header_encode(void *buffer, uint64_t region_count, bool valid)
{
	struct writer w = writer_of(buffer, KERNEL_HEADER);

	write_u32(&w, valid ? DISK_KERNEL_MAGIC : DISK_MAGIC_IN_USE);
	write_u32(&w, DISK_KERNEL_VERSION);
	write_u64(&w, region_count);
	write_zeros(&w, w.left);
}

/* The checksum of a header counts its own place as zero. */
static uint32_t header_checksum(const void *buffer)
{
	uint8_t copy[HEADER_SIZE];

	memcpy(copy, buffer, sizeof(copy));
	memset(copy + CHECKSUM_OFFSET, 0, sizeof(uint32_t));
	return crc32c(copy, sizeof(copy));
}

/* Checks magic, checksum and version, and leaves r behind them. */
static int header_begin(const void *buffer, uint64_t magic, struct reader *r)
{
	uint32_t version;
	uint32_t checksum;

	*r = reader_of(buffer, HEADER_SIZE);
	if (read_u64(r) != magic)
		return -ENODATA;
	version = read_u32(r);
	checksum = read_u32(r);
	if (checksum != header_checksum(buffer))
		return -EBADMSG;
	if (version > DISK_FORMAT_VERSION)
		return -EPROTONOSUPPORT;
	return version == 0 ? -EINVAL : 0;
}

static struct writer header_start(void *buffer, uint64_t magic)
{
	struct writer w = writer_of(buffer, HEADER_SIZE);

	write_u64(&w, magic);
	write_u32(&w, DISK_FORMAT_VERSION);
	write_u32(&w, 0);
	return w;
}

static void header_finish(void *buffer, struct writer *w)
{
	struct writer at = writer_of((uint8_t *)buffer + CHECKSUM_OFFSET, sizeof(uint32_t));

	write_zeros(w, w->left);
	write_u32(&at, header_checksum(buffer));
}

/* The layout as stored must be the one that its counts lead to. */
static int layout_decode(struct reader *r, struct disk_layout *ret)
{
	struct disk_layout l = {0};
	bool same;

	l.region_count = read_u64(r);
	l.region_sectors = read_u64(r);
	l.shift = read_u32(r);
	l.slots = read_u32(r);
	if (r->failed || !layout_possible(&l))
		return -EINVAL;
	layout_fill(&l);
	same = read_u64(r) == l.slot_bits;
	same &= read_u64(r) == l.super_b;
	same &= read_u64(r) == l.sync_offset;
	same &= read_u64(r) == l.sync_bytes;
	same &= read_u64(r) == l.slot_offset;
	same &= read_u64(r) == l.slot_stride;
	same &= read_u64(r) == l.total_bytes;
	if (!same)
		return -EINVAL;
	*ret = l;
	return 0;
}

static void layout_encode(struct writer *w, const struct disk_layout *l)
{
	write_u64(w, l->region_count);
	write_u64(w, l->region_sectors);
	write_u32(w, l->shift);
	write_u32(w, l->slots);
	write_u64(w, l->slot_bits);
	write_u64(w, l->super_b);
	write_u64(w, l->sync_offset);
	write_u64(w, l->sync_bytes);
	write_u64(w, l->slot_offset);
	write_u64(w, l->slot_stride);
	write_u64(w, l->total_bytes);
}

int disk_super_decode(const void *buffer, struct disk_super *ret)
{
	struct disk_super s = {0};
	struct reader r;
	uint32_t flags;
	int rc;

	rc = header_begin(buffer, SUPER_MAGIC, &r);
	if (rc < 0)
		return rc;
	s.generation = read_u64(&r);
	flags = read_u32(&r);
	s.in_use = (flags & SUPER_IN_USE) != 0;
	s.stale = (flags & SUPER_STALE) != 0;
	rc = layout_decode(&r, &s.layout);
	if (rc < 0)
		return rc;
	read_string(&r, s.uuid, sizeof(s.uuid));
	read_string(&r, s.owner.cluster, sizeof(s.owner.cluster));
	read_string(&r, s.owner.host_id, sizeof(s.owner.host_id));
	read_string(&r, s.owner.host_name, sizeof(s.owner.host_name));
	s.revision = read_u64(&r);
	if (r.failed || (flags & ~(SUPER_IN_USE | SUPER_STALE)) != 0)
		return -EINVAL;
	*ret = s;
	return 0;
}

void disk_super_encode(void *buffer, const struct disk_super *super)
{
	struct writer w = header_start(buffer, SUPER_MAGIC);

	write_u64(&w, super->generation);
	write_u32(&w, (super->in_use ? SUPER_IN_USE : 0) | (super->stale ? SUPER_STALE : 0));
	layout_encode(&w, &super->layout);
	write_string(&w, super->uuid);
	write_string(&w, super->owner.cluster);
	write_string(&w, super->owner.host_id);
	write_string(&w, super->owner.host_name);
	write_u64(&w, super->revision);
	header_finish(buffer, &w);
}

int disk_slot_decode(const void *buffer, struct disk_slot *ret)
{
	struct disk_slot s = {0};
	struct reader r;
	uint32_t flags;
	int rc;

	rc = header_begin(buffer, SLOT_MAGIC, &r);
	if (rc < 0)
		return rc;
	s.index = read_u32(&r);
	flags = read_u32(&r);
	s.in_use = (flags & SLOT_IN_USE) != 0;
	s.generation = read_u64(&r);
	read_string(&r, s.host_id, sizeof(s.host_id));
	read_string(&r, s.host_name, sizeof(s.host_name));
	read_string(&r, s.boot_id, sizeof(s.boot_id));
	s.node = read_u32(&r);
	if (r.failed || s.index >= DISK_SLOTS_MAX || (flags & ~SLOT_IN_USE) != 0)
		return -EINVAL;
	*ret = s;
	return 0;
}

void disk_slot_encode(void *buffer, const struct disk_slot *slot)
{
	struct writer w = header_start(buffer, SLOT_MAGIC);

	write_u32(&w, slot->index);
	write_u32(&w, slot->in_use ? SLOT_IN_USE : 0);
	write_u64(&w, slot->generation);
	write_string(&w, slot->host_id);
	write_string(&w, slot->host_name);
	write_string(&w, slot->boot_id);
	write_u32(&w, slot->node);
	header_finish(buffer, &w);
	memset((uint8_t *)buffer + HEADER_SIZE, 0, DISK_UNIT - HEADER_SIZE);
}

void disk_bits_decode(const void *buffer, size_t bytes, uint64_t *ret_words)
{
	const uint8_t *at = buffer;
	uint64_t word;

	/* Not by a reader: whole maps come through here. */
	for (size_t i = 0; i < bytes / sizeof(word); i++) {
		memcpy(&word, at + i * sizeof(word), sizeof(word));
		ret_words[i] = le64toh(word);
	}
}

void disk_bits_encode(void *buffer, size_t bytes, const uint64_t *words)
{
	uint8_t *at = buffer;
	uint64_t word;

	for (size_t i = 0; i < bytes / sizeof(word); i++) {
		word = htole64(words[i]);
		memcpy(at + i * sizeof(word), &word, sizeof(word));
	}
}
