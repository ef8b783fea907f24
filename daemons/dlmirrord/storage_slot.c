/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owns what one member does to a log that others have in use: to its own slot while the others
 * write theirs and the map, and to the slot of one that is dead. The order of I/O:
 *
 *	load     search -> our header -> our bits
 *	claim    search -> our bits -> our header
 *	release  our header
 *	read     search -> its header -> its bits
 *	empty    search -> its header
 *
 * Bits come before the header that makes them count, and a header is one sector, so never torn:
 * after a power cut anywhere in it the slot holds what it held or what it was to hold.
 */
#include "daemons/dlmirrord/storage_internal.h"

#include <errno.h>

#include "base/bits.h"

/* Do the others have it in use, in our geometry? Then it keeps the number of slots that they chose,
 * who may have another configuration. */
static int use_check(struct job *j)
{
	struct disk_layout *ours = &j->storage->layout;
	const struct disk_search *search = &j->search;
	const struct disk_layout *theirs = &search->super.layout;

	if (search->belief != DISK_IN_USE || theirs->region_count != ours->region_count ||
	    theirs->region_sectors != ours->region_sectors || theirs->shift != ours->shift ||
	    j->slot >= theirs->slots)
		return -ESTALE;
	*ours = *theirs;
	j->storage->generation = search->super.generation;
	return 0;
}

static int done(struct job *j)
{
	(void)j;
	return JOB_DONE;
}

/* Reading */

static int bits_read(struct job *j)
{
	const struct disk_layout *l = &j->storage->layout;
	uint64_t *map = words_of(j->memory.dirty);

	disk_bits_decode(map, map_bytes(l->slot_bits), map);
	map_trim(map, l->slot_bits);
	return JOB_DONE;
}

static int history_make(struct job *j)
{
	const struct disk_layout *l = &j->storage->layout;

	if (job_alloc(&j->memory.dirty, map_bytes(l->slot_bits)) < 0)
		return -ENOMEM;
	j->history = (struct mlog_history){
	    .load = MLOG_LOAD_CRASHED,
	    .region_count = l->region_count,
	    .region_sectors = l->region_sectors,
	    .shift = l->shift,
	    .dirty = words_of(j->memory.dirty),
	};
	return 0;
}

static int header_read(struct job *j)
{
	const struct disk_layout *l = &j->storage->layout;
	struct disk_slot slot;
	bool good = disk_slot_decode(j->memory.scratch, &slot) == 0 && slot.index == j->slot;

	if (!good && j->kind == JOB_READ_SLOT)
		return -EBADMSG;
	if (good && !slot.in_use)
		return JOB_DONE; /* the history is MLOG_LOAD_BLANK, without bits, as it is */
	if (history_make(j) < 0)
		return -ENOMEM;
	if (!good) {
		bits_fill(words_of(j->memory.dirty), l->slot_bits, true);
		j->history.remark = "our slot's header is damaged: all regions count as dirty";
		return JOB_DONE;
	}
	stage_begin(j, false, bits_read);
	stage_add(j, disk_slot_offset(l, j->slot) + DISK_UNIT, j->memory.dirty,
		  map_bytes(l->slot_bits));
	return JOB_MORE;
}

static int read_found(struct job *j)
{
	int rc = use_check(j);

	if (rc < 0)
		return rc;
	stage_begin(j, false, header_read);
	stage_add(j, disk_slot_offset(&j->storage->layout, j->slot), j->memory.scratch, DISK_UNIT);
	return JOB_MORE;
}

int slot_load_begin(struct job *j)
{
	return search_begin(j, read_found);
}

int slot_read_begin(struct job *j)
{
	return search_begin(j, read_found);
}

/* Writing */

static int claim_done(struct job *j)
{
	j->storage->claimed = true;
	return JOB_DONE;
}

static int claim_header(struct job *j)
{
	return slot_header_write(j, true, claim_done);
}

/* Who writes the map is to say which revision it is of. */
static int claim_found(struct job *j)
{
	int rc = use_check(j);

	if (rc == 0 && j->search.super.revision < j->storage->revision)
		rc = -ESTALE;
	return rc < 0 ? rc : slot_bits_write(j, claim_header);
}

int slot_claim_begin(struct job *j)
{
	return search_begin(j, claim_found);
}

int slot_release_begin(struct job *j)
{
	j->storage->claimed = false;
	return slot_header_write(j, false, done);
}

static int empty_found(struct job *j)
{
	int rc = use_check(j);

	return rc < 0 ? rc : slot_header_write(j, false, done);
}

int slot_empty_begin(struct job *j)
{
	return search_begin(j, empty_found);
}
