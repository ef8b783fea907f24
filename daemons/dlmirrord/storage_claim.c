/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owns how a whole log is claimed and released; the reasons for the order of writes are in the head
 * comment of codec/disk.h.
 *
 *	claim    search -> (void) -> slot headers -> sync map -> slot bits -> slot header -> other
 *	         headers -> superblock B -> superblock A -> header
 *	release  sync map -> kernel bits -> slot header -> superblock B -> superblock A and header
 */
#include "daemons/dlmirrord/storage_internal.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/bits.h"

/* What claim and release write */

/* A superblock of the next generation. */
static struct disk_super super_next(struct storage *s)
{
	struct disk_super super = {
	    .generation = ++s->generation,
	    .owner = s->owner,
	    .layout = s->layout,
	    .revision = s->revision,
	};

	memcpy(super.uuid, s->uuid, sizeof(super.uuid));
	return super;
}

static void super_encode(struct storage *s, uint8_t *ret, bool in_use)
{
	struct disk_super super = super_next(s);

	super.in_use = in_use;
	disk_super_encode(ret, &super);
}

static void slot_encode(const struct storage *s, uint8_t *ret, uint32_t index, bool in_use)
{
	struct disk_slot slot = {
	    .index = index,
	    .in_use = in_use,
	    .generation = s->generation,
	};

	if (in_use) {
		slot.node = s->node;
		memcpy(slot.host_id, s->owner.host_id, sizeof(slot.host_id));
		memcpy(slot.host_name, s->owner.host_name, sizeof(slot.host_name));
		memcpy(slot.boot_id, s->boot_id, sizeof(slot.boot_id));
	}
	disk_slot_encode(ret, &slot);
}

static int super_b_write(struct job *j, bool in_use, int (*next)(struct job *j))
{
	struct storage *s = j->storage;

	memset(j->memory.scratch, 0, DISK_UNIT);
	super_encode(s, j->memory.scratch, in_use);
	return stage_write(j, s->layout.super_b, j->memory.scratch, DISK_UNIT, next);
}

int slot_header_write(struct job *j, bool in_use, int (*next)(struct job *j))
{
	const struct storage *s = j->storage;

	slot_encode(s, j->memory.scratch, j->slot, in_use);
	return stage_write(j, disk_slot_offset(&s->layout, j->slot), j->memory.scratch, DISK_UNIT,
			   next);
}

int slot_bits_write(struct job *j, int (*next)(struct job *j))
{
	const struct disk_layout *l = &j->storage->layout;

	return stage_write(j, disk_slot_offset(l, j->slot) + DISK_UNIT, j->memory.bits,
			   (size_t)l->slot_stride - DISK_UNIT, next);
}

static int sync_write(struct job *j, int (*next)(struct job *j))
{
	const struct disk_layout *l = &j->storage->layout;

	return stage_write(j, l->sync_offset, j->memory.sync, (size_t)l->sync_bytes, next);
}

/* Claim */

static int claim_done(struct job *j)
{
	j->storage->claimed = true;
	return JOB_DONE;
}

static int claim_header(struct job *j)
{
	const struct storage *s = j->storage;

	disk_kernel_header_encode(j->memory.unit0, s->layout.region_count, false);
	return stage_write(j, 0, j->memory.unit0, DISK_UNIT, claim_done);
}

/* The header follows in a write of its own: when a write is torn, the in-use header would otherwise
 * make an old superblock count. */
static int claim_super_a(struct job *j)
{
	struct storage *s = j->storage;
	struct disk_kernel_header header;

	disk_kernel_header_decode(j->memory.unit0, &header);
	super_encode(s, j->memory.unit0 + DISK_SUPER_OFFSET, true);
	return stage_write(j, 0, j->memory.unit0, DISK_UNIT,
			   header.in_use ? claim_done : claim_header);
}

static int claim_super_b(struct job *j)
{
	return super_b_write(j, true, claim_super_a);
}

/* Would our maps be written over maps that still count? */
static bool claim_overwrites(const struct job *j)
{
	const struct disk_search *search = &j->search;
	const struct storage *s = j->storage;

	switch (search->belief) {
	case DISK_KERNEL:
		return search->header.region_count > s->layout.region_count ||
		       kernel_region_sectors(j) != s->layout.region_sectors;
	case DISK_IN_USE:
	case DISK_CLEAN:
		return !disk_layout_equal(&search->super.layout, &s->layout);
	default:
		return false;
	}
}

/* In a cluster, a log in use may have slots that are another node's to write: also one whose header
 * does not say any more whose it is. */
static bool others_slot(const struct job *j, uint32_t i)
{
	const struct storage *s = j->storage;
	struct disk_slot slot;

	if (s->owner.cluster[0] == '\0' || j->search.belief != DISK_IN_USE || claim_overwrites(j))
		return false;
	return !header_get(j, i, &slot) || (slot.in_use && slot.node != 0 && slot.node != s->node);
}

/* Ours holds what the others held that are emptied (storage_load), and every slot has a header from
 * now on. */
static int claim_other_slots(struct job *j)
{
	const struct storage *s = j->storage;
	struct disk_slot slot;

	stage_begin(j, true, claim_super_b);
	for (uint32_t i = 0; i < s->layout.slots; i++) {
		uint8_t *at = j->memory.headers + i * DISK_UNIT;

		if (i == j->slot || (header_get(j, i, &slot) && !slot.in_use) || others_slot(j, i))
			continue;
		slot_encode(s, at, i, false);
		stage_add(j, disk_slot_offset(&s->layout, i), at, DISK_UNIT);
	}
	return JOB_MORE;
}

static int claim_slot(struct job *j)
{
	return slot_header_write(j, true, claim_other_slots);
}

static int claim_bits(struct job *j)
{
	return slot_bits_write(j, claim_slot);
}

static int claim_sync(struct job *j)
{
	return sync_write(j, claim_bits);
}

static int claim_headers(struct job *j)
{
	stage_begin(j, false, claim_sync);
	return headers_read(j, &j->storage->layout);
}

static int claim_void_header(struct job *j)
{
	const struct storage *s = j->storage;

	disk_kernel_header_encode(j->memory.unit0, s->layout.region_count, false);
	return stage_write(j, 0, j->memory.unit0, DISK_UNIT, claim_headers);
}

/* In the old layout: as long as the kernel's header is valid, its bits count, and only the
 * superblock can tell the size of their regions. */
static int claim_void(struct job *j)
{
	struct storage *s = j->storage;
	struct disk_super super = super_next(s);

	super.in_use = true;
	super.stale = true;
	if (j->search.has_super)
		super.layout = j->search.super.layout;
	disk_super_encode(j->memory.unit0 + DISK_SUPER_OFFSET, &super);
	return stage_write(j, 0, j->memory.unit0, DISK_UNIT,
			   j->search.header.in_use ? claim_headers : claim_void_header);
}

static int claim_found(struct job *j)
{
	struct storage *s = j->storage;
	const struct disk_search *search = &j->search;

	if (search->has_super && search->super.generation > s->generation)
		s->generation = search->super.generation;
	s->generation = disk_generation(s->generation, (uint64_t)time(NULL));
	return claim_overwrites(j) ? claim_void(j) : claim_headers(j);
}

int claim_begin(struct job *j)
{
	return search_begin(j, claim_found);
}

/* Release */

static int release_done(struct job *j)
{
	(void)j;
	return JOB_DONE;
}

static int release_super_a(struct job *j)
{
	struct storage *s = j->storage;

	super_encode(s, j->memory.bits + DISK_SUPER_OFFSET, false);
	disk_kernel_header_encode(j->memory.bits, s->layout.region_count, true);
	return stage_write(j, 0, j->memory.bits, DISK_UNIT, release_done);
}

static int release_super_b(struct job *j)
{
	return super_b_write(j, false, release_super_a);
}

static int release_slot(struct job *j)
{
	return slot_header_write(j, false, release_super_b);
}

static int release_bits(struct job *j)
{
	struct storage *s = j->storage;

	disk_kernel_header_encode(j->memory.bits, s->layout.region_count, false);
	super_encode(s, j->memory.bits + DISK_SUPER_OFFSET, true);
	return stage_write(j, 0, j->memory.bits, (size_t)s->layout.super_b, release_slot);
}

int release_begin(struct job *j)
{
	/* Also when this fails half-way: then only a claim makes it ours again. */
	j->storage->claimed = false;
	return sync_write(j, release_bits);
}

int claim_snapshot(struct job *j)
{
	const struct storage *s = j->storage;
	struct job_memory *memory = &j->memory;
	size_t slot_bytes = (size_t)s->layout.slot_stride - DISK_UNIT;
	size_t sync_bytes = (size_t)s->layout.sync_bytes;

	if (job_alloc(&memory->bits, slot_bytes) < 0)
		return -ENOMEM;
	storage_words(s, MLOG_AREA_SLOT, 0, slot_bytes, memory->bits);
	if (!j->whole)
		return 0;
	if (job_alloc(&memory->sync, sync_bytes) < 0)
		return -ENOMEM;
	storage_words(s, MLOG_AREA_SYNC, 0, sync_bytes, memory->sync);
	return 0;
}

int release_snapshot(struct job *j)
{
	const struct storage *s = j->storage;
	struct job_memory *memory = &j->memory;
	uint64_t count = s->layout.region_count;
	uint64_t *map;

	if (!s->claimed)
		return -ESTALE;
	if (job_alloc(&memory->scratch, DISK_UNIT) < 0)
		return -ENOMEM;
	if (!j->whole)
		return 0;
	if (job_alloc(&memory->sync, (size_t)s->layout.sync_bytes) < 0 ||
	    job_alloc(&memory->bits, (size_t)s->layout.super_b) < 0)
		return -ENOMEM;
	map = words_of(memory->sync);
	for (size_t w = 0; w < bits_words(count); w++)
		map[w] = s->callbacks.kernel_word(s->context, w);
	map_trim(map, count);
	disk_bits_encode(map, bits_words(count) * sizeof(uint64_t), map);
	memcpy(memory->bits + DISK_BITS_OFFSET, map, bits_words(count) * sizeof(uint64_t));
	return 0;
}
