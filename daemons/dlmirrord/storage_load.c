/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owns what a log device tells whoever has all of it. The order of reads:
 *
 *	search -> KERNEL: its bits
 *		| CLEAN:  in-sync map
 *		| IN_USE: in-sync map and slot headers -> bits of each slot in use
 */
#include "daemons/dlmirrord/storage_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bits.h"

/* A superblock may name more regions than the mirror has now; this bounds what is read of them. */
#define HISTORY_REGIONS_MAX (UINT64_C(1) << 30)

/* A log that is there and cannot be used is not "no log": "nosync" must not make it in sync. */
static int load_stale(struct job *j, const char *remark)
{
	const struct disk_layout *l = &j->storage->layout;

	if (job_alloc(&j->memory.sync, map_bytes(l->region_count)) < 0)
		return -ENOMEM;
	j->history = (struct mlog_history){
	    .load = MLOG_LOAD_CLEAN,
	    .region_count = l->region_count,
	    .region_sectors = l->region_sectors,
	    .in_sync = words_of(j->memory.sync),
	    .remark = remark,
	};
	return JOB_DONE;
}

/* How many of count old regions lie within the mirror as it is now. */
static uint64_t regions_needed(const struct storage *s, uint64_t count, uint64_t sectors)
{
	uint64_t ours = s->layout.region_sectors;
	uint64_t needed = s->layout.region_count;

	if (sectors > ours)
		needed = (needed + sectors / ours - 1) / (sectors / ours);
	else if (needed > DISK_REGIONS_MAX / (ours / sectors))
		needed = DISK_REGIONS_MAX;
	else
		needed *= ours / sectors;
	return count < needed ? count : needed;
}

static bool history_bounded(const struct storage *s, uint64_t count)
{
	return count <= s->layout.region_count || count <= HISTORY_REGIONS_MAX;
}

static int load_kernel_read(struct job *j)
{
	uint8_t *at = j->memory.sync + DISK_BITS_OFFSET;
	size_t bytes = (size_t)((j->history.region_count + 63) / 64 * sizeof(uint64_t));

	disk_bits_decode(at, bytes, words_of(at));
	map_trim(words_of(at), j->history.region_count);
	j->history.in_sync = words_of(at);
	return JOB_DONE;
}

static int load_kernel(struct job *j)
{
	const struct storage *s = j->storage;
	uint64_t sectors = kernel_region_sectors(j);
	uint64_t count;
	size_t bytes;

	if (sectors == 0)
		return load_stale(j, "it was kept in regions of another size: all is out of sync");
	count = regions_needed(s, j->search.header.region_count, sectors);
	bytes = map_bytes(DISK_BITS_OFFSET * 8 + count);
	if (count == 0)
		return JOB_DONE;
	if (!history_bounded(s, count) || bytes > s->device_bytes)
		return load_stale(j, "the kernel's header names too many regions");
	if (job_alloc(&j->memory.sync, bytes) < 0)
		return -ENOMEM;
	j->history.load = MLOG_LOAD_CLEAN;
	j->history.region_count = count;
	j->history.region_sectors = sectors;
	stage_begin(j, false, load_kernel_read);
	stage_add(j, 0, j->memory.sync, bytes);
	return JOB_MORE;
}

static uint64_t history_slot_bits(const struct job *j)
{
	uint64_t group = UINT64_C(1) << j->history.shift;

	return (j->history.region_count + group - 1) / group;
}

static int load_slot_next(struct job *j);

static int load_slot_read(struct job *j)
{
	uint64_t bits = history_slot_bits(j);
	uint64_t *from = words_of(j->memory.bits);
	uint64_t *to = words_of(j->memory.dirty);

	disk_bits_decode(from, map_bytes(bits), from);
	for (size_t w = 0; w < bits_words(bits); w++)
		to[w] |= from[w];
	map_trim(to, bits);
	j->reading++;
	return load_slot_next(j);
}

/* The marks of all slots in use count, not only ours. */
static int load_slot_next(struct job *j)
{
	const struct disk_layout *l = &j->search.super.layout;
	uint64_t bits = history_slot_bits(j);
	struct disk_slot slot;

	for (; j->reading < l->slots; j->reading++) {
		if (!header_get(j, j->reading, &slot)) {
			/* Nobody knows whose marks it had: all that may be lost is compared. */
			bits_fill(words_of(j->memory.dirty), bits, true);
			j->history.remark = "a slot header is damaged: all regions count as dirty";
			return JOB_DONE;
		}
		if (slot.in_use) {
			stage_begin(j, false, load_slot_read);
			stage_add(j, disk_slot_offset(l, j->reading) + DISK_UNIT, j->memory.bits,
				  map_bytes(bits));
			return JOB_MORE;
		}
	}
	return JOB_DONE;
}

/* A slot that says 0 was written before nodes had numbers, by a host that was alone. */
static int owners_list(struct job *j)
{
	uint32_t *owner = calloc(DISK_SLOTS_MAX, sizeof(*owner));
	struct disk_slot slot;

	if (owner == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < j->search.super.layout.slots; i++) {
		if (!header_get(j, i, &slot))
			owner[i] = MLOG_NODE_UNKNOWN;
		else if (slot.in_use)
			owner[i] = slot.node;
	}
	j->memory.owner = owner;
	j->history.owner = owner;
	return 0;
}

static int load_maps_read(struct job *j)
{
	uint64_t *map = words_of(j->memory.sync);
	size_t bytes = map_bytes(history_slot_bits(j));

	disk_bits_decode(map, map_bytes(j->history.region_count), map);
	map_trim(map, j->history.region_count);
	j->history.in_sync = map;
	if (j->history.load == MLOG_LOAD_CLEAN)
		return JOB_DONE;
	if (job_alloc(&j->memory.dirty, bytes) < 0 || job_alloc(&j->memory.bits, bytes) < 0)
		return -ENOMEM;
	j->history.dirty = words_of(j->memory.dirty);
	if (owners_list(j) < 0)
		return -ENOMEM;
	j->reading = 0;
	return load_slot_next(j);
}

static int load_maps(struct job *j)
{
	const struct storage *s = j->storage;
	const struct disk_layout *l = &j->search.super.layout;
	uint64_t count = regions_needed(s, l->region_count, l->region_sectors);

	if (!history_bounded(s, count))
		return load_stale(j, "the superblock names too many regions");
	if (job_alloc(&j->memory.sync, map_bytes(count)) < 0)
		return -ENOMEM;
	j->history.load = MLOG_LOAD_CLEAN;
	j->history.region_count = count;
	j->history.region_sectors = l->region_sectors;
	j->history.shift = l->shift;
	stage_begin(j, false, load_maps_read);
	stage_add(j, l->sync_offset, j->memory.sync, map_bytes(count));
	if (j->search.belief == DISK_CLEAN)
		return JOB_MORE;
	j->history.load = MLOG_LOAD_CRASHED;
	return headers_read(j, l) < 0 ? -ENOMEM : JOB_MORE;
}

static int load_found(struct job *j)
{
	switch (j->search.belief) {
	case DISK_KERNEL:
		return load_kernel(j);
	case DISK_IN_USE:
	case DISK_CLEAN:
		return load_maps(j);
	case DISK_STALE:
		return load_stale(j, j->search.remark);
	default:
		return JOB_DONE; /* the history is MLOG_LOAD_BLANK as it is */
	}
}

int load_begin(struct job *j)
{
	return search_begin(j, load_found);
}
