/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owns the order of reads and writes within load, claim and release; the reasons are in the head
 * comment of codec/disk.h. Each is a chain of stages, and a stage begins when all I/O of the one
 * before has ended. The first error ends the operation, once what is in flight has come back.
 *
 *	load     search -> KERNEL: its bits | CLEAN: in-sync map | IN_USE: in-sync map and slot
 *	         headers -> bits of each slot in use
 *	claim    search -> (void) -> slot headers -> sync map -> slot bits -> slot header -> other
 *	         headers -> superblock B -> superblock A -> header
 *	release  sync map -> kernel bits -> slot header -> superblock B -> superblock A and header
 *
 * Always true: nothing is written before the search of this claim has said that the device is
 * nobody else's, and a job begins only when no older write to the device is in flight, because
 * nothing says in which order the device would do the two.
 */
#include "daemons/dlmirrord/storage_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bits.h"

/* A superblock may name more regions than the mirror has now; this bounds what is read of them. */
#define HISTORY_REGIONS_MAX (UINT64_C(1) << 30)

static void job_run(struct storage *s);

static size_t map_bytes(uint64_t bits)
{
	return (size_t)((bits + DISK_UNIT * 8 - 1) / (DISK_UNIT * 8) * DISK_UNIT);
}

static uint64_t *words_of(uint8_t *buffer)
{
	return (uint64_t *)(void *)buffer; /* buffers are aligned to DISK_UNIT */
}

/* Bits behind the last one count for nobody; they are 0 in memory and on disk. */
static void map_trim(uint64_t *map, uint64_t bits)
{
	if (bits % BITS_PER_WORD != 0)
		map[bits / BITS_PER_WORD] &= bits_mask(bits) - 1;
}

void job_memory_free(struct job_memory *memory)
{
	free(memory->scratch);
	free(memory->unit0);
	free(memory->headers);
	free(memory->sync);
	free(memory->bits);
	free(memory->dirty);
	*memory = (struct job_memory){0};
}

/* Running a job */

static void job_finish(struct storage *s, int error)
{
	struct job *j = &s->job;
	struct job_memory memory = j->memory;
	struct mlog_history history = j->history;
	enum job_kind kind = j->kind;

	/* The callback may start the next job, or close s: nothing of s is touched after it. */
	j->kind = JOB_NONE;
	j->memory = (struct job_memory){0};
	if (kind == JOB_LOAD)
		s->callbacks.loaded(s->context, error, &history);
	else if (kind == JOB_CLAIM)
		s->callbacks.claimed(s->context, error);
	else
		s->callbacks.released(s->context, error);
	job_memory_free(&memory);
}

static void piece_done(struct aio_op *op, int error)
{
	struct job *j = &op->storage->job;

	j->piece_busy[op - j->piece] = false;
	j->in_flight--;
	if (error != 0 && j->error == 0)
		j->error = error;
	job_run(op->storage);
}

/* Issues the next piece of the stage; false: all are issued, or there is no room. */
static bool piece_issue(struct storage *s)
{
	struct job *j = &s->job;
	const struct extent *e = &j->extent[j->extent_current];
	size_t done = j->extent_done;
	unsigned i = 0;
	size_t bytes;

	while (i < JOB_PIECES && j->piece_busy[i])
		i++;
	if (i == JOB_PIECES || j->extent_current == j->extent_count || j->error != 0)
		return false;
	bytes = e->bytes - done < JOB_PIECE ? e->bytes - done : JOB_PIECE;
	j->piece_busy[i] = true;
	j->in_flight++;
	j->extent_done += bytes;
	if (j->extent_done == e->bytes) {
		j->extent_current++;
		j->extent_done = 0;
	}
	aio_start(&j->piece[i], j->write, e->offset + done, e->data + done, bytes);
	return true;
}

static void job_run(struct storage *s)
{
	struct job *j = &s->job;
	int rc;

	for (;;) {
		while (piece_issue(s))
			;
		if (j->in_flight > 0)
			return;
		j->extent_count = 0;
		j->extent_current = 0;
		j->extent_done = 0;
		rc = j->error != 0 ? j->error : j->next(s);
		if (rc != JOB_MORE) {
			job_finish(s, rc < 0 ? rc : 0);
			return;
		}
	}
}

static void stage_begin(struct job *j, bool write, int (*next)(struct storage *s))
{
	j->write = write;
	j->next = next;
}

static void stage_add(struct job *j, uint64_t offset, uint8_t *data, size_t bytes)
{
	assert(j->extent_count < JOB_EXTENTS && bytes > 0);
	j->extent[j->extent_count++] = (struct extent){offset, data, bytes};
}

/* A stage that is one write. */
static int stage_write(struct job *j, uint64_t offset, uint8_t *data, size_t bytes,
		       int (*next)(struct storage *s))
{
	stage_begin(j, true, next);
	stage_add(j, offset, data, bytes);
	return JOB_MORE;
}

static int job_alloc(uint8_t **ret, size_t bytes)
{
	*ret = aligned_alloc_zero(bytes);
	return *ret == NULL ? -ENOMEM : 0;
}

/* Search: what is on the device, and may we have it? */

static int search_next(struct storage *s);

static int search_fed(struct storage *s)
{
	struct job *j = &s->job;

	if (j->search.step == DISK_SEARCH_UNIT0)
		memcpy(j->memory.unit0, j->memory.scratch, DISK_UNIT);
	disk_search_feed(&j->search, j->memory.scratch);
	return search_next(s);
}

static int search_next(struct storage *s)
{
	struct job *j = &s->job;
	uint64_t offset;
	size_t bytes;
	int rc;

	if (disk_search_next(&j->search, &offset, &bytes)) {
		stage_begin(j, false, search_fed);
		stage_add(j, offset, j->memory.scratch, bytes);
		return JOB_MORE;
	}
	rc = disk_search_refuse(&j->search, &s->owner, s->uuid);
	if (rc != 0)
		return rc == -EEXIST ? -EBUSY : rc;
	return j->found(s);
}

static int search_begin(struct storage *s, int (*found)(struct storage *s))
{
	struct job *j = &s->job;

	if (job_alloc(&j->memory.scratch, DISK_SEARCH_SIZE) < 0 ||
	    job_alloc(&j->memory.unit0, DISK_UNIT) < 0)
		return -ENOMEM;
	j->found = found;
	disk_search_begin(&j->search, s->device_bytes, s->layout.region_count);
	return search_next(s);
}

/* The headers of all slots of a layout, added to the stage. */
static int headers_read(struct job *j, const struct disk_layout *l)
{
	if (job_alloc(&j->memory.headers, (size_t)l->slots * DISK_UNIT) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < l->slots; i++)
		stage_add(j, disk_slot_offset(l, i), j->memory.headers + i * DISK_UNIT, DISK_UNIT);
	return 0;
}

/* False: not the header of slot i. */
static bool header_get(const struct job *j, uint32_t i, struct disk_slot *ret)
{
	return disk_slot_decode(j->memory.headers + i * DISK_UNIT, ret) == 0 && ret->index == i;
}

/*
 * The kernel's header says how many regions, not how large. When the count is not ours and the last
 * superblock has that count, it was our log before the region size changed.
 */
static uint64_t kernel_region_sectors(const struct storage *s)
{
	const struct disk_search *search = &s->job.search;

	if (search->header.region_count != s->layout.region_count && search->has_super &&
	    search->super.layout.region_count == search->header.region_count)
		return search->super.layout.region_sectors;
	return s->layout.region_sectors;
}

/* Load */

/* A log that is there and cannot be used is not "no log": "nosync" must not make it in sync. */
static int load_stale(struct storage *s, const char *remark)
{
	struct job *j = &s->job;

	if (job_alloc(&j->memory.sync, map_bytes(s->layout.region_count)) < 0)
		return -ENOMEM;
	j->history = (struct mlog_history){
	    .load = MLOG_LOAD_CLEAN,
	    .region_count = s->layout.region_count,
	    .region_sectors = s->layout.region_sectors,
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

static int load_kernel_read(struct storage *s)
{
	struct job *j = &s->job;
	uint8_t *at = j->memory.sync + DISK_BITS_OFFSET;
	size_t bytes = (size_t)((j->history.region_count + 63) / 64 * sizeof(uint64_t));

	disk_bits_decode(at, bytes, words_of(at));
	map_trim(words_of(at), j->history.region_count);
	j->history.in_sync = words_of(at);
	return JOB_DONE;
}

static int load_kernel(struct storage *s)
{
	struct job *j = &s->job;
	uint64_t sectors = kernel_region_sectors(s);
	uint64_t count = regions_needed(s, j->search.header.region_count, sectors);
	size_t bytes = map_bytes(DISK_BITS_OFFSET * 8 + count);

	if (count == 0)
		return JOB_DONE;
	if (!history_bounded(s, count) || bytes > s->device_bytes)
		return load_stale(s, "the kernel's header names too many regions");
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

static int load_slot_next(struct storage *s);

static int load_slot_read(struct storage *s)
{
	struct job *j = &s->job;
	uint64_t bits = history_slot_bits(j);
	uint64_t *from = words_of(j->memory.bits);
	uint64_t *to = words_of(j->memory.dirty);

	disk_bits_decode(from, map_bytes(bits), from);
	for (size_t w = 0; w < bits_words(bits); w++)
		to[w] |= from[w];
	map_trim(to, bits);
	j->slot++;
	return load_slot_next(s);
}

/* The marks of all slots in use count, not only ours: on one node they are all this host's. */
static int load_slot_next(struct storage *s)
{
	struct job *j = &s->job;
	const struct disk_layout *l = &j->search.super.layout;
	uint64_t bits = history_slot_bits(j);
	struct disk_slot slot;

	for (; j->slot < l->slots; j->slot++) {
		if (!header_get(j, j->slot, &slot)) {
			/* Nobody knows whose marks it had: all that may be lost is compared. */
			bits_fill(words_of(j->memory.dirty), bits, true);
			j->history.remark = "a slot header is damaged: all regions count as dirty";
			return JOB_DONE;
		}
		if (slot.in_use) {
			stage_begin(j, false, load_slot_read);
			stage_add(j, disk_slot_offset(l, j->slot) + DISK_UNIT, j->memory.bits,
				  map_bytes(bits));
			return JOB_MORE;
		}
	}
	return JOB_DONE;
}

static int load_maps_read(struct storage *s)
{
	struct job *j = &s->job;
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
	j->slot = 0;
	return load_slot_next(s);
}

static int load_maps(struct storage *s)
{
	struct job *j = &s->job;
	const struct disk_layout *l = &j->search.super.layout;
	uint64_t count = regions_needed(s, l->region_count, l->region_sectors);

	if (!history_bounded(s, count))
		return load_stale(s, "the superblock names too many regions");
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

static int load_found(struct storage *s)
{
	switch (s->job.search.belief) {
	case DISK_KERNEL:
		return load_kernel(s);
	case DISK_IN_USE:
	case DISK_CLEAN:
		return load_maps(s);
	case DISK_STALE:
		return load_stale(s, s->job.search.remark);
	default:
		return JOB_DONE; /* the history is MLOG_LOAD_BLANK as it is */
	}
}

static int load_begin(struct storage *s)
{
	return search_begin(s, load_found);
}

/* What claim and release write */

/* A superblock of the next generation. */
static struct disk_super super_next(struct storage *s)
{
	struct disk_super super = {
	    .generation = ++s->generation,
	    .owner = s->owner,
	    .layout = s->layout,
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
		memcpy(slot.host_id, s->owner.host_id, sizeof(slot.host_id));
		memcpy(slot.host_name, s->owner.host_name, sizeof(slot.host_name));
		memcpy(slot.boot_id, s->boot_id, sizeof(slot.boot_id));
	}
	disk_slot_encode(ret, &slot);
}

static int super_b_write(struct storage *s, bool in_use, int (*next)(struct storage *s))
{
	struct job *j = &s->job;

	memset(j->memory.scratch, 0, DISK_UNIT);
	super_encode(s, j->memory.scratch, in_use);
	return stage_write(j, s->layout.super_b, j->memory.scratch, DISK_UNIT, next);
}

static int slot_header_write(struct storage *s, bool in_use, int (*next)(struct storage *s))
{
	struct job *j = &s->job;

	slot_encode(s, j->memory.scratch, s->slot, in_use);
	return stage_write(j, disk_slot_offset(&s->layout, s->slot), j->memory.scratch, DISK_UNIT,
			   next);
}

static int sync_write(struct storage *s, int (*next)(struct storage *s))
{
	return stage_write(&s->job, s->layout.sync_offset, s->job.memory.sync,
			   (size_t)s->layout.sync_bytes, next);
}

/* Claim */

static int claim_done(struct storage *s)
{
	s->claimed = true;
	return JOB_DONE;
}

static int claim_header(struct storage *s)
{
	struct job *j = &s->job;

	disk_kernel_header_encode(j->memory.unit0, s->layout.region_count, false);
	return stage_write(j, 0, j->memory.unit0, DISK_UNIT, claim_done);
}

/* The header follows in a write of its own: when a write is torn, the in-use header would otherwise
 * make an old superblock count. */
static int claim_super_a(struct storage *s)
{
	struct job *j = &s->job;
	struct disk_kernel_header header;

	disk_kernel_header_decode(j->memory.unit0, &header);
	super_encode(s, j->memory.unit0 + DISK_SUPER_OFFSET, true);
	return stage_write(j, 0, j->memory.unit0, DISK_UNIT,
			   header.in_use ? claim_done : claim_header);
}

static int claim_super_b(struct storage *s)
{
	return super_b_write(s, true, claim_super_a);
}

/* Ours holds what theirs held (storage_load), and every slot has a header from now on. */
static int claim_other_slots(struct storage *s)
{
	struct job *j = &s->job;
	struct disk_slot slot;

	stage_begin(j, true, claim_super_b);
	for (uint32_t i = 0; i < s->layout.slots; i++) {
		uint8_t *at = j->memory.headers + i * DISK_UNIT;

		if (i == s->slot || (header_get(j, i, &slot) && !slot.in_use))
			continue;
		slot_encode(s, at, i, false);
		stage_add(j, disk_slot_offset(&s->layout, i), at, DISK_UNIT);
	}
	return JOB_MORE;
}

static int claim_slot(struct storage *s)
{
	return slot_header_write(s, true, claim_other_slots);
}

static int claim_bits(struct storage *s)
{
	return stage_write(&s->job, disk_slot_offset(&s->layout, s->slot) + DISK_UNIT,
			   s->job.memory.bits, (size_t)s->layout.slot_stride - DISK_UNIT,
			   claim_slot);
}

static int claim_sync(struct storage *s)
{
	return sync_write(s, claim_bits);
}

static int claim_headers(struct storage *s)
{
	stage_begin(&s->job, false, claim_sync);
	return headers_read(&s->job, &s->layout);
}

static int claim_void_header(struct storage *s)
{
	disk_kernel_header_encode(s->job.memory.unit0, s->layout.region_count, false);
	return stage_write(&s->job, 0, s->job.memory.unit0, DISK_UNIT, claim_headers);
}

/* In the old layout: as long as the kernel's header is valid, its bits count, and only the
 * superblock can tell the size of their regions. */
static int claim_void(struct storage *s)
{
	struct job *j = &s->job;
	struct disk_super super = super_next(s);

	super.in_use = true;
	super.stale = true;
	if (j->search.has_super)
		super.layout = j->search.super.layout;
	disk_super_encode(j->memory.unit0 + DISK_SUPER_OFFSET, &super);
	return stage_write(j, 0, j->memory.unit0, DISK_UNIT,
			   j->search.header.in_use ? claim_headers : claim_void_header);
}

/* Would our maps be written over maps that still count? */
static bool claim_overwrites(const struct storage *s)
{
	const struct disk_search *search = &s->job.search;

	switch (search->belief) {
	case DISK_KERNEL:
		return search->header.region_count > s->layout.region_count ||
		       kernel_region_sectors(s) != s->layout.region_sectors;
	case DISK_IN_USE:
	case DISK_CLEAN:
		return !disk_layout_equal(&search->super.layout, &s->layout);
	default:
		return false;
	}
}

static int claim_found(struct storage *s)
{
	const struct disk_search *search = &s->job.search;
	uint64_t clock = (uint64_t)time(NULL) << 16;

	if (search->has_super && search->super.generation > s->generation)
		s->generation = search->super.generation;
	if (clock > s->generation)
		s->generation = clock;
	return claim_overwrites(s) ? claim_void(s) : claim_headers(s);
}

static int claim_begin(struct storage *s)
{
	return search_begin(s, claim_found);
}

/* Release */

static int release_done(struct storage *s)
{
	(void)s;
	return JOB_DONE;
}

static int release_super_a(struct storage *s)
{
	struct job *j = &s->job;

	super_encode(s, j->memory.bits + DISK_SUPER_OFFSET, false);
	disk_kernel_header_encode(j->memory.bits, s->layout.region_count, true);
	return stage_write(j, 0, j->memory.bits, DISK_UNIT, release_done);
}

static int release_super_b(struct storage *s)
{
	return super_b_write(s, false, release_super_a);
}

static int release_slot(struct storage *s)
{
	return slot_header_write(s, false, release_super_b);
}

static int release_bits(struct storage *s)
{
	struct job *j = &s->job;

	disk_kernel_header_encode(j->memory.bits, s->layout.region_count, false);
	super_encode(s, j->memory.bits + DISK_SUPER_OFFSET, true);
	return stage_write(j, 0, j->memory.bits, (size_t)s->layout.super_b, release_slot);
}

static int release_begin(struct storage *s)
{
	s->claimed =
	    false; /* also when this fails half-way: then only a claim makes it ours again */
	return sync_write(s, release_bits);
}

/* Snapshots, taken when the job is asked for */

static int claim_snapshot(struct storage *s)
{
	struct job_memory *memory = &s->job.memory;
	size_t slot_bytes = (size_t)s->layout.slot_stride - DISK_UNIT;
	size_t sync_bytes = (size_t)s->layout.sync_bytes;

	if (job_alloc(&memory->sync, sync_bytes) < 0 || job_alloc(&memory->bits, slot_bytes) < 0)
		return -ENOMEM;
	storage_words(s, MLOG_AREA_SYNC, 0, sync_bytes, memory->sync);
	storage_words(s, MLOG_AREA_SLOT, 0, slot_bytes, memory->bits);
	return 0;
}

static int release_snapshot(struct storage *s)
{
	struct job_memory *memory = &s->job.memory;
	uint64_t count = s->layout.region_count;
	uint64_t *map;

	if (!s->claimed)
		return -ESTALE;
	if (job_alloc(&memory->sync, (size_t)s->layout.sync_bytes) < 0 ||
	    job_alloc(&memory->bits, (size_t)s->layout.super_b) < 0 ||
	    job_alloc(&memory->scratch, DISK_UNIT) < 0)
		return -ENOMEM;
	map = words_of(memory->sync);
	for (size_t w = 0; w < bits_words(count); w++)
		map[w] = s->callbacks.kernel_word(s->context, w);
	map_trim(map, count);
	disk_bits_encode(map, bits_words(count) * sizeof(uint64_t), map);
	memcpy(memory->bits + DISK_BITS_OFFSET, map, bits_words(count) * sizeof(uint64_t));
	return 0;
}

bool job_may_start(const struct storage *s)
{
	if (s->in_flight > 0)
		return false;
	for (const struct storage *a = s->engine->abandoned; a != NULL; a = a->next_abandoned)
		if (a->devno == s->devno && a->inode == s->inode)
			return false;
	return true;
}

static void start_done(struct aio_op *op, int error)
{
	struct storage *s = op->storage;

	if (error == 0 && !job_may_start(s)) {
		s->next_waiting = s->engine->waiting;
		s->engine->waiting = s;
		return;
	}
	if (s->job.kind == JOB_CLAIM)
		s->claimed = false;
	s->job.error = error;
	job_run(s);
}

void job_init(struct storage *s)
{
	struct job *j = &s->job;

	j->start = (struct aio_op){.storage = s, .done = start_done};
	for (unsigned i = 0; i < JOB_PIECES; i++)
		j->piece[i] = (struct aio_op){.storage = s, .done = piece_done};
}

void job_start(struct storage *s, enum job_kind kind)
{
	struct job *j = &s->job;
	int error = 0;

	assert(j->kind == JOB_NONE);
	j->kind = kind;
	j->error = 0;
	j->history = (struct mlog_history){.load = MLOG_LOAD_BLANK};
	switch (kind) {
	case JOB_LOAD:
		j->next = load_begin;
		break;
	case JOB_CLAIM:
		j->next = claim_begin;
		error = claim_snapshot(s);
		break;
	case JOB_RELEASE:
		j->next = release_begin;
		error = release_snapshot(s);
		break;
	case JOB_NONE:
		break;
	}
	aio_defer(&j->start, error);
}
