/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owns how a job runs: a chain of stages, and a stage begins when all I/O of the one before has
 * ended. The first error ends the job, once what is in flight has come back. The chains are in
 * storage_load.c, storage_claim.c (load, claim and release of the whole log) and storage_slot.c
 * (our slot, and others', of a log that others have in use); nearly all begin with the search here.
 *
 * Always true: nothing is written before the search of this claim has said that the device is
 * nobody else's, and load, claim and release begin only when no older write to the device is in
 * flight, because nothing says in which order the device would do the two.
 */
#include "daemons/dlmirrord/storage_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

static void job_run(struct job *j);

size_t map_bytes(uint64_t bits)
{
	return (size_t)((bits + DISK_UNIT * 8 - 1) / (DISK_UNIT * 8) * DISK_UNIT);
}

uint64_t *words_of(uint8_t *buffer)
{
	return (uint64_t *)(void *)buffer; /* buffers are aligned to DISK_UNIT */
}

/* Bits behind the last one count for nobody; they are 0 in memory and on disk. */
void map_trim(uint64_t *map, uint64_t bits)
{
	if (bits % BITS_PER_WORD != 0)
		map[bits / BITS_PER_WORD] &= bits_mask(bits) - 1;
}

static void memory_free(struct job_memory *memory)
{
	free(memory->scratch);
	free(memory->unit0);
	free(memory->headers);
	free(memory->sync);
	free(memory->bits);
	free(memory->dirty);
	free(memory->owner);
	*memory = (struct job_memory){0};
}

/* Running a job */

static void slot_job_next(struct storage *s);

static void job_finish(struct job *j, int error)
{
	struct storage *s = j->storage;
	struct job_memory memory = j->memory;
	struct mlog_history history = j->history;
	enum job_kind kind = j->kind;
	uint32_t slot = j->slot;

	/* The callback may start the next job, or close s: nothing of s is touched after it. */
	j->kind = JOB_NONE;
	j->memory = (struct job_memory){0};
	slot_job_next(s);
	switch (kind) {
	case JOB_NONE:
		break;
	case JOB_LOAD:
		s->callbacks.loaded(s->context, error, &history);
		break;
	case JOB_CLAIM:
		s->callbacks.claimed(s->context, error);
		break;
	case JOB_RELEASE:
		s->callbacks.released(s->context, error);
		break;
	case JOB_READ_SLOT:
		s->callbacks.slot_read(s->context, slot, error, history.dirty);
		break;
	case JOB_EMPTY_SLOT:
		s->callbacks.slot_emptied(s->context, slot, error);
		break;
	}
	memory_free(&memory);
}

static void piece_done(struct aio_op *op, int error)
{
	struct job_op *piece = (struct job_op *)(void *)op; /* its first member */
	struct job *j = piece->job;

	piece->busy = false;
	j->in_flight--;
	if (error != 0 && j->error == 0)
		j->error = error;
	job_run(j);
}

/* Issues the next piece of the stage; false: all are issued, or there is no room. */
static bool piece_issue(struct job *j)
{
	const struct extent *e = &j->extent[j->extent_current];
	size_t done = j->extent_done;
	unsigned i = 0;
	size_t bytes;

	while (i < JOB_PIECES && j->piece[i].busy)
		i++;
	if (i == JOB_PIECES || j->extent_current == j->extent_count || j->error != 0)
		return false;
	bytes = e->bytes - done < JOB_PIECE ? e->bytes - done : JOB_PIECE;
	j->piece[i].busy = true;
	j->in_flight++;
	j->extent_done += bytes;
	if (j->extent_done == e->bytes) {
		j->extent_current++;
		j->extent_done = 0;
	}
	aio_start(&j->piece[i].op, j->write, e->offset + done, e->data + done, bytes);
	return true;
}

static void job_run(struct job *j)
{
	int rc;

	for (;;) {
		while (piece_issue(j))
			;
		if (j->in_flight > 0)
			return;
		j->extent_count = 0;
		j->extent_current = 0;
		j->extent_done = 0;
		rc = j->error != 0 ? j->error : j->next(j);
		if (rc != JOB_MORE) {
			job_finish(j, rc < 0 ? rc : 0);
			return;
		}
	}
}

void stage_begin(struct job *j, bool write, int (*next)(struct job *j))
{
	j->write = write;
	j->next = next;
}

void stage_add(struct job *j, uint64_t offset, uint8_t *data, size_t bytes)
{
	assert(j->extent_count < JOB_EXTENTS && bytes > 0);
	j->extent[j->extent_count++] = (struct extent){offset, data, bytes};
}

/* A stage that is one write. */
int stage_write(struct job *j, uint64_t offset, uint8_t *data, size_t bytes,
		int (*next)(struct job *j))
{
	stage_begin(j, true, next);
	stage_add(j, offset, data, bytes);
	return JOB_MORE;
}

int job_alloc(uint8_t **ret, size_t bytes)
{
	*ret = aligned_alloc_zero(bytes);
	return *ret == NULL ? -ENOMEM : 0;
}

/* Search: what is on the device, and may we have it? */

static int search_next(struct job *j);

static int search_fed(struct job *j)
{
	if (j->search.step == DISK_SEARCH_UNIT0)
		memcpy(j->memory.unit0, j->memory.scratch, DISK_UNIT);
	disk_search_feed(&j->search, j->memory.scratch);
	return search_next(j);
}

static int search_next(struct job *j)
{
	struct storage *s = j->storage;
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
	if (disk_search_outdates(&j->search, s->uuid, s->revision))
		return j->kind == JOB_LOAD ? -ESTALE : -EBUSY;
	s->revision_found =
	    disk_search_is_of(&j->search, s->uuid) ? j->search.super.revision : s->revision;
	return j->found(j);
}

int search_begin(struct job *j, int (*found)(struct job *j))
{

	if (job_alloc(&j->memory.scratch, DISK_SEARCH_SIZE) < 0 ||
	    job_alloc(&j->memory.unit0, DISK_UNIT) < 0)
		return -ENOMEM;
	j->found = found;
	disk_search_begin(&j->search, j->storage->device_bytes, j->storage->layout.region_count);
	return search_next(j);
}

/* The headers of all slots of a layout, added to the stage. */
int headers_read(struct job *j, const struct disk_layout *l)
{
	if (job_alloc(&j->memory.headers, (size_t)l->slots * DISK_UNIT) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < l->slots; i++)
		stage_add(j, disk_slot_offset(l, i), j->memory.headers + i * DISK_UNIT, DISK_UNIT);
	return 0;
}

/* False: not the header of slot i. */
bool header_get(const struct job *j, uint32_t i, struct disk_slot *ret)
{
	return disk_slot_decode(j->memory.headers + i * DISK_UNIT, ret) == 0 && ret->index == i;
}

/*
 * The kernel's header says how many regions, not how large. When the last superblock has that count,
 * it was our log before the region size changed. 0, nobody can tell: the count is ours as well, so
 * the kernel may have kept the log since then in regions of ours.
 */
uint64_t kernel_region_sectors(const struct job *j)
{
	const struct disk_search *search = &j->search;
	const struct disk_layout *l = &j->storage->layout;

	if (!search->has_super ||
	    search->super.layout.region_count != search->header.region_count ||
	    search->super.layout.region_sectors == l->region_sectors)
		return l->region_sectors;
	return search->header.region_count == l->region_count ? 0
							      : search->super.layout.region_sectors;
}

/* Starting */

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
	job_run(&s->job);
}

/* Another's slot: nothing of ours is written where that is. */
static void slot_start_done(struct aio_op *op, int error)
{
	struct job *j = &op->storage->slot_job;

	j->error = error;
	job_run(j);
}

static void job_init(struct storage *s, struct job *j, void (*start)(struct aio_op *op, int error))
{
	j->storage = s;
	j->start = (struct job_op){.op = {.storage = s, .done = start}, .job = j};
	for (unsigned i = 0; i < JOB_PIECES; i++)
		j->piece[i] = (struct job_op){.op = {.storage = s, .done = piece_done}, .job = j};
}

void jobs_init(struct storage *s)
{
	job_init(s, &s->job, start_done);
	job_init(s, &s->slot_job, slot_start_done);
}

void jobs_free(struct storage *s)
{
	memory_free(&s->job.memory);
	memory_free(&s->slot_job.memory);
}

unsigned jobs_count(const struct storage *s)
{
	unsigned count = s->job.kind != JOB_NONE;

	count += s->slot_job.kind != JOB_NONE;
	for (uint32_t i = 0; i < DISK_SLOTS_MAX; i++)
		count += s->wanted[i] != JOB_NONE;
	return count;
}

/* What is written is taken now: the log goes on changing while the job runs. */
static int job_prepare(struct job *j)
{
	/* Who loads all of it may not have a slot yet. */
	if (j->slot >= j->storage->layout.slots && !(j->kind == JOB_LOAD && j->whole))
		return -EINVAL;
	switch (j->kind) {
	case JOB_NONE:
		break;
	case JOB_LOAD:
		j->next = j->whole ? load_begin : slot_load_begin;
		break;
	case JOB_CLAIM:
		j->next = j->whole ? claim_begin : slot_claim_begin;
		return claim_snapshot(j);
	case JOB_RELEASE:
		j->next = j->whole ? release_begin : slot_release_begin;
		return release_snapshot(j);
	case JOB_READ_SLOT:
		j->next = slot_read_begin;
		break;
	case JOB_EMPTY_SLOT:
		j->next = slot_empty_begin;
		break;
	}
	return 0;
}

static void job_begin(struct job *j, enum job_kind kind, uint32_t slot, bool whole)
{
	assert(j->kind == JOB_NONE);
	j->kind = kind;
	j->slot = slot;
	j->whole = whole;
	j->error = 0;
	j->history = (struct mlog_history){.load = MLOG_LOAD_BLANK};
	aio_defer(&j->start.op, job_prepare(j));
}

void job_start(struct storage *s, enum job_kind kind, uint32_t slot, bool whole)
{
	job_begin(&s->job, kind, slot, whole);
}

static void slot_job_next(struct storage *s)
{
	uint32_t slot = 0;

	while (slot < DISK_SLOTS_MAX && s->wanted[slot] == JOB_NONE)
		slot++;
	if (slot == DISK_SLOTS_MAX || s->slot_job.kind != JOB_NONE)
		return;
	job_begin(&s->slot_job, s->wanted[slot], slot, false);
	s->wanted[slot] = JOB_NONE;
}

void slot_job_want(struct storage *s, enum job_kind kind, uint32_t slot)
{
	assert(slot < DISK_SLOTS_MAX && s->wanted[slot] == JOB_NONE);
	s->wanted[slot] = kind;
	slot_job_next(s);
}
