/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What state the regions of a mirror are in, for people. It owns nothing: the hot maps say what is
 * in sync, crash-dirty and marked, the members' leases and claims what is being recovered or copied.
 */
#include <string.h>

#include "base/bits.h"
#include "core/mlog_internal.h"

/* Words with regions that members recover or copy: a lease lies in two, each region of a claim in
 * one. By word, each once. */
#define MOVING_MAX (MLOG_MEMBERS_MAX * (2U + MLOG_COPIES_MAX))

struct moving {
	uint32_t count;
	struct {
		uint64_t word;
		uint64_t bits;
	} item[MOVING_MAX];
};

static void moving_add(struct moving *moving, uint64_t word, uint64_t bits)
{
	uint32_t i = moving->count;

	while (i > 0 && moving->item[i - 1].word > word)
		i--;
	if (i > 0 && moving->item[i - 1].word == word) {
		moving->item[i - 1].bits |= bits;
		return;
	}
	memmove(&moving->item[i + 1], &moving->item[i],
		(moving->count - i) * sizeof(moving->item[0]));
	moving->item[i].word = word;
	moving->item[i].bits = bits;
	moving->count++;
}

static void moving_of(struct moving *moving, const struct mlog_member *e)
{
	uint64_t word = e->lease_first / BITS_PER_WORD;
	unsigned shift = e->lease_first % BITS_PER_WORD;

	if (e->lease != 0) {
		moving_add(moving, word, e->lease << shift);
		if (shift > 0)
			moving_add(moving, word + 1, e->lease >> (BITS_PER_WORD - shift));
	}
	for (uint32_t i = 0; e->claim_seq != 0 && i < e->claim_count; i++)
		moving_add(moving, e->claim[i] / BITS_PER_WORD, bits_mask(e->claim[i]));
}

static void count_bits(struct mlog_cell *cell, enum mlog_region state, uint64_t bits)
{
	if (bits != 0)
		cell->count[state] += (uint32_t)__builtin_popcountll(bits);
}

/* Each map is read once: responders set held meanwhile. */
static void count_word(const struct hot *h, uint64_t word, uint64_t mask, uint64_t moving,
		       struct mlog_cell *cell)
{
	uint64_t left = mask & ~moving;
	uint64_t stale = left & ~hot_in_sync_word(h, word);
	uint64_t repair = left & ~stale & hot_repair_word(h, word);
	uint64_t dirty =
	    left & ~(stale | repair) & (hot_dirty_word(h, word) | hot_held_word(h, word));

	count_bits(cell, MLOG_REGION_COPYING, mask & moving);
	count_bits(cell, MLOG_REGION_STALE, stale);
	count_bits(cell, MLOG_REGION_CRASH_DIRTY, repair);
	count_bits(cell, MLOG_REGION_DIRTY, dirty);
	count_bits(cell, MLOG_REGION_IN_SYNC, left & ~(stale | repair | dirty));
}

/* Regions first to end - 1 of one word. */
static uint64_t mask_of(uint64_t first, uint64_t end)
{
	uint64_t mask = ~(bits_mask(first) - 1);

	return end % BITS_PER_WORD != 0 ? mask & (bits_mask(end) - 1) : mask;
}

void mlog_census(const struct mlog *m, uint64_t first, uint64_t per_cell, uint32_t cells,
		 struct mlog_cell *ret)
{
	uint64_t end = m->config.region_count;
	struct moving moving;
	uint64_t cell_end;
	uint64_t part_end;
	uint32_t next = 0;

	assert(per_cell > 0 && cells <= MLOG_CENSUS_MAX / per_cell);
	memset(ret, 0, cells * sizeof(*ret));
	if (first >= end)
		return;
	if (end - first > per_cell * cells)
		end = first + per_cell * cells;
	moving.count = 0;
	for (uint32_t slot = 0; slot < MLOG_MEMBERS_MAX; slot++) {
		const struct mlog_member *e = mlog_member(m, slot);

		if (e != NULL && e->state != MLOG_MEMBER_NONE)
			moving_of(&moving, e);
	}
	cell_end = first + per_cell;
	for (uint64_t at = first; at < end; at = part_end) {
		uint64_t word = at / BITS_PER_WORD;
		uint64_t bits = 0;

		if (at == cell_end) {
			cell_end += per_cell;
			ret++;
		}
		part_end = (word + 1) * BITS_PER_WORD;
		part_end = part_end < cell_end ? part_end : cell_end;
		part_end = part_end < end ? part_end : end;
		while (next < moving.count && moving.item[next].word < word)
			next++;
		if (next < moving.count && moving.item[next].word == word)
			bits = moving.item[next].bits;
		count_word(m->hot, word, mask_of(at, part_end), bits, ret);
	}
}
