/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/hot.h"

#include "base/bits.h"
#include "core/mutate.h"

#define SEQ_KNOWN    (UINT64_C(1) << 32)
#define SEQ_LATE_MAX (UINT32_C(1) << 24)

/* All accesses that the four rules speak of are sequentially consistent. */
static bool map_test(const _Atomic uint64_t *map, uint64_t bit)
{
	return (atomic_load(&map[bit / BITS_PER_WORD]) & bits_mask(bit)) != 0;
}

static void map_set(_Atomic uint64_t *map, uint64_t bit)
{
	atomic_fetch_or(&map[bit / BITS_PER_WORD], bits_mask(bit));
}

static void map_clear(_Atomic uint64_t *map, uint64_t bit)
{
	atomic_fetch_and(&map[bit / BITS_PER_WORD], ~bits_mask(bit));
}

/* Lowest bit at or after from whose value is `value`, or nbits. */
static uint64_t map_next(const _Atomic uint64_t *map, uint64_t nbits, uint64_t from, bool value)
{
	uint64_t flip = value ? 0 : ~UINT64_C(0);
	size_t words = bits_words(nbits);
	size_t i = (size_t)(from / BITS_PER_WORD);
	uint64_t word;
	uint64_t bit;

	if (from >= nbits)
		return nbits;
	word = (atomic_load(&map[i]) ^ flip) & ~(bits_mask(from) - 1);
	while (word == 0) {
		if (++i == words)
			return nbits;
		/* Rule 3 reads held here: a weaker load could overtake its store to dirty. */
		word = atomic_load(&map[i]) ^ flip;
	}
	bit = (uint64_t)i * BITS_PER_WORD + (uint64_t)__builtin_ctzll(word);
	return bit < nbits ? bit : nbits;
}

size_t hot_bytes(uint64_t regions, unsigned shift)
{
	struct hot h = {.regions = regions, .shift = shift};

	return sizeof(struct hot_shared) +
	       (7 * bits_words(regions) + 2 * bits_words(hot_slot_bits(&h))) * sizeof(uint64_t);
}

void hot_bind(struct hot *h, void *memory, uint64_t regions, unsigned shift)
{
	size_t words = bits_words(regions);
	_Atomic uint64_t *maps = (_Atomic uint64_t *)((struct hot_shared *)memory + 1);

	h->regions = regions;
	h->shift = shift;
	h->shared = memory;
	atomic_store(&h->marks, 0);
	h->heat_shift = 0;
	while ((regions - 1) >> h->heat_shift >= HOT_STRETCHES_MAX)
		h->heat_shift++;
	for (unsigned i = 0; i < HOT_STRETCHES_MAX; i++)
		atomic_store_explicit(&h->heat[i], 0, memory_order_relaxed);
	h->held = maps;
	h->recent = maps + words;
	h->gate = maps + 2 * words;
	h->in_sync = maps + 3 * words;
	h->repair = maps + 4 * words;
	h->reported = maps + 5 * words;
	h->unseen = maps + 6 * words;
	h->dirty = maps + 7 * words;
	h->others = h->dirty + bits_words(hot_slot_bits(h));
}

bool hot_mark(struct hot *h, uint64_t region)
{
	map_set(h->held, region);
	if (!map_test(h->recent, region))
		map_set(h->recent, region);
	return map_test(h->dirty, region >> h->shift) &&
	       (!map_test(h->gate, region) || mutation(MUTATE_GATE_IGNORED));
}

bool hot_clear(struct hot *h, uint64_t region)
{
	map_clear(h->held, region);
	return map_test(h->gate, region);
}

bool hot_gate_close(struct hot *h, uint64_t region)
{
	map_set(h->gate, region);
	return !map_test(h->held, region);
}

void hot_gate_open(struct hot *h, uint64_t region)
{
	map_clear(h->gate, region);
}

/* Is any region of the slot bit set in map? */
static bool map_any(const struct hot *h, const _Atomic uint64_t *map, uint64_t slot_bit)
{
	uint64_t first = slot_bit << h->shift;
	uint64_t end = first + (UINT64_C(1) << h->shift);

	if (end > h->regions)
		end = h->regions;
	return map_next(map, end, first, true) < end;
}

bool hot_dirty_drop(struct hot *h, uint64_t slot_bit)
{
	map_clear(h->dirty, slot_bit);
	if (!map_any(h, h->held, slot_bit) || mutation(MUTATE_DROP_HELD))
		return true;
	map_set(h->dirty, slot_bit);
	return false;
}

void hot_dirty_set(struct hot *h, uint64_t slot_bit)
{
	map_set(h->dirty, slot_bit);
}

void hot_dirty_add(struct hot *h, uint64_t word, uint64_t bits)
{
	if ((bits & ~atomic_load(&h->dirty[word])) != 0)
		atomic_fetch_or(&h->dirty[word], bits);
}

bool hot_held(const struct hot *h, uint64_t region)
{
	return map_test(h->held, region);
}

bool hot_gated(const struct hot *h, uint64_t region)
{
	return map_test(h->gate, region);
}

bool hot_dirty(const struct hot *h, uint64_t region)
{
	return map_test(h->dirty, region >> h->shift);
}

bool hot_in_sync(const struct hot *h, uint64_t region)
{
	return map_test(h->in_sync, region);
}

bool hot_repair(const struct hot *h, uint64_t region)
{
	return map_test(h->repair, region);
}

void hot_in_sync_set(struct hot *h, uint64_t region, bool in_sync)
{
	if (map_test(h->in_sync, region) == in_sync)
		return;
	if (in_sync) {
		map_set(h->in_sync, region);
		atomic_fetch_add(&h->shared->in_sync_count, 1);
	} else {
		map_clear(h->in_sync, region);
		atomic_fetch_sub(&h->shared->in_sync_count, 1);
	}
}

void hot_repair_set(struct hot *h, uint64_t region, bool repair)
{
	if (repair)
		map_set(h->repair, region);
	else
		map_clear(h->repair, region);
}

bool hot_reported(const struct hot *h, uint64_t region)
{
	return map_test(h->reported, region);
}

void hot_reported_set(struct hot *h, uint64_t region, bool reported)
{
	if (reported)
		map_set(h->reported, region);
	else if (map_test(h->reported, region))
		map_clear(h->reported, region);
}

void hot_unseen_end_raise(struct hot *h, uint64_t region)
{
	uint64_t end = atomic_load(&h->shared->unseen_end);

	while (end <= region &&
	       !atomic_compare_exchange_weak(&h->shared->unseen_end, &end, region + 1))
		;
}

bool hot_holds(const struct hot *h)
{
	uint32_t hold = atomic_load(&h->shared->hold);

	return hold == HOT_HOLD_YES || hold == HOT_HOLD_MISSED;
}

uint64_t hot_count_told(const struct hot *h)
{
	uint64_t count = atomic_load(&h->shared->in_sync_count);
	bool holds = atomic_load(&h->shared->hold) == HOT_HOLD_MISSED;

	return count == h->regions && holds && !mutation(MUTATE_MISSED_FULL) ? count - 1 : count;
}

void hot_unseen_set(struct hot *h, uint64_t region, bool unseen)
{
	if (map_test(h->unseen, region) == unseen)
		return;
	if (!unseen) {
		map_clear(h->unseen, region);
		return;
	}
	hot_unseen_end_raise(h, region);
	map_set(h->unseen, region);
}

bool hot_busy(const struct hot *h, uint64_t slot_bit)
{
	return (map_any(h, h->held, slot_bit) && !mutation(MUTATE_DROP_HELD)) ||
	       (map_any(h, h->repair, slot_bit) && !mutation(MUTATE_DROP_REPAIR)) ||
	       map_any(h, h->reported, slot_bit);
}

bool hot_crash_dirty(const struct hot *h, uint64_t slot_bit)
{
	return map_any(h, h->repair, slot_bit) || map_any(h, h->reported, slot_bit);
}

bool hot_recent_take(struct hot *h, uint64_t slot_bit)
{
	uint64_t first = slot_bit << h->shift;
	uint64_t end = first + (UINT64_C(1) << h->shift);
	bool recent = false;

	if (end > h->regions)
		end = h->regions;
	for (uint64_t r = map_next(h->recent, end, first, true); r < end;
	     r = map_next(h->recent, end, r + 1, true)) {
		map_clear(h->recent, r);
		recent = true;
	}
	return recent;
}

static void map_reset(_Atomic uint64_t *map, uint64_t nbits)
{
	size_t words = bits_words(nbits);

	for (size_t i = 0; i < words; i++)
		if (atomic_load_explicit(&map[i], memory_order_relaxed) != 0)
			atomic_store(&map[i], 0);
}

void hot_reported_reset(struct hot *h)
{
	map_reset(h->reported, h->regions);
}

void hot_held_reset(struct hot *h)
{
	map_reset(h->held, h->regions);
}

void hot_gates_reset(struct hot *h)
{
	map_reset(h->gate, h->regions);
}

void hot_reset(struct hot *h)
{
	map_reset(h->held, h->regions);
	map_reset(h->recent, h->regions);
	map_reset(h->gate, h->regions);
	map_reset(h->dirty, hot_slot_bits(h));
}

uint64_t hot_in_sync_word(const struct hot *h, uint64_t word)
{
	return atomic_load_explicit(&h->in_sync[word], memory_order_relaxed);
}

uint64_t hot_repair_word(const struct hot *h, uint64_t word)
{
	return atomic_load_explicit(&h->repair[word], memory_order_relaxed);
}

uint64_t hot_held_word(const struct hot *h, uint64_t word)
{
	return atomic_load(&h->held[word]);
}

uint64_t hot_others_word(const struct hot *h, uint64_t word)
{
	return atomic_load(&h->others[word]);
}

uint64_t hot_dirty_word(const struct hot *h, uint64_t word)
{
	uint64_t first = word * BITS_PER_WORD >> h->shift; /* slot bit of the word's first region */
	uint64_t bits = atomic_load(&h->dirty[first / BITS_PER_WORD]) >> first % BITS_PER_WORD;
	uint64_t each;
	uint64_t all = 0;

	if (h->shift == 0)
		return bits;
	if (h->shift >= 6)
		return bits & 1 ? UINT64_MAX : 0;
	each = (UINT64_C(1) << (1U << h->shift)) - 1;
	for (unsigned i = 0; i < BITS_PER_WORD >> h->shift && bits >> i != 0; i++)
		if (bits >> i & 1)
			all |= each << (i << h->shift);
	return all;
}

void hot_in_sync_put(struct hot *h, uint64_t word, uint64_t value)
{
	atomic_store_explicit(&h->in_sync[word], value, memory_order_relaxed);
}

void hot_repair_put(struct hot *h, uint64_t word, uint64_t value)
{
	atomic_store_explicit(&h->repair[word], value, memory_order_relaxed);
}

void hot_others_put(struct hot *h, uint64_t word, uint64_t value)
{
	atomic_store_explicit(&h->others[word], value, memory_order_relaxed);
}

uint64_t hot_recount(struct hot *h)
{
	size_t words = bits_words(h->regions);
	uint64_t tail = h->regions % BITS_PER_WORD;
	uint64_t in_sync = 0;
	uint64_t repair = 0;

	if (tail != 0) {
		uint64_t mask = (UINT64_C(1) << tail) - 1;

		hot_in_sync_put(h, words - 1, hot_in_sync_word(h, words - 1) & mask);
		hot_repair_put(h, words - 1, hot_repair_word(h, words - 1) & mask);
	}
	for (size_t i = 0; i < words; i++) {
		in_sync += (uint64_t)__builtin_popcountll(hot_in_sync_word(h, i));
		repair += (uint64_t)__builtin_popcountll(hot_repair_word(h, i));
	}
	atomic_store(&h->shared->in_sync_count, in_sync);
	return repair;
}

uint64_t hot_next_stale(const struct hot *h, uint64_t from)
{
	return map_next(h->in_sync, h->regions, from, false);
}

uint64_t hot_next_repair(const struct hot *h, uint64_t from)
{
	return map_next(h->repair, h->regions, from, true);
}

uint64_t hot_next_held(const struct hot *h, uint64_t from)
{
	return map_next(h->held, h->regions, from, true);
}

uint64_t hot_next_reported(const struct hot *h, uint64_t from)
{
	return map_next(h->reported, h->regions, from, true);
}

uint64_t hot_next_unseen(const struct hot *h, uint64_t from)
{
	return map_next(h->unseen, h->regions, from, true);
}

uint64_t hot_next_dirty(const struct hot *h, uint64_t from, uint64_t end)
{
	return map_next(h->dirty, end, from, true);
}

bool hot_seq_obey(struct hot *h, uint32_t seq)
{
	uint64_t known = atomic_load(&h->shared->mark_seq);

	/* Not simply "below": the counter is one for all mirrors and wraps, and this mirror may
	 * have been idle for more than half of its range. What is late is late by seconds. */
	if ((known & SEQ_KNOWN) != 0 && (uint32_t)known - seq - 1 < SEQ_LATE_MAX &&
	    !mutation(MUTATE_LATE_CLEAR))
		return false;
	atomic_store(&h->shared->mark_seq, SEQ_KNOWN | seq);
	return true;
}

static enum hot_verdict answer_words(struct mlog_reply *ret, uint32_t words, uint64_t first,
				     uint64_t second)
{
	ret->words = words;
	ret->word[0] = first;
	ret->word[1] = second;
	return HOT_ANSWERED;
}

/* Nobody else adds meanwhile (the caller serialises that), so it need not be one step: an atomic
 * addition would cost as much as a map. */
static void heat_add(struct hot *h, uint64_t region)
{
	_Atomic uint64_t *heat = &h->heat[region >> h->heat_shift];

	atomic_store_explicit(heat, atomic_load_explicit(heat, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

static enum hot_verdict answer_mark(struct hot *h, const struct mlog_request *request)
{
	bool durable = true;

	if (request->region_count > 0)
		atomic_fetch_add_explicit(&h->marks, 1, memory_order_relaxed);
	for (uint32_t i = 0; i < request->region_count; i++) {
		heat_add(h, request->region[i]);
		durable = hot_mark(h, request->region[i]) && durable;
	}
	return durable ? HOT_ANSWERED : HOT_HAND_OVER;
}

static bool answer_clear(struct hot *h, const struct mlog_request *request)
{
	bool gated = false;

	for (uint32_t i = 0; i < request->region_count; i++)
		gated = hot_clear(h, request->region[i]) || gated;
	return gated;
}

/* What is stale is for the core to decide: who may recover it, and whether that is under way. */
static enum hot_verdict answer_remote_recovering(struct hot *h, const struct mlog_request *request,
						 struct mlog_reply *ret)
{
	if (!hot_in_sync(h, request->region[0]))
		return HOT_HAND_OVER;
	return answer_words(ret, 2, 0, atomic_load(&h->shared->hint));
}

/* The gate is read before and after: what becomes stale under a closed gate is seen by the second
 * look, and what becomes in sync under one, which opens then, by the first. */
bool hot_in_sync_told(struct hot *h, uint64_t region, bool *ret)
{
	bool gated = hot_gated(h, region);

	*ret = hot_in_sync(h, region);
	if (*ret)
		return true;
	if (gated || hot_gated(h, region))
		return false;
	hot_unseen_set(h, region, true);
	return true;
}

bool hot_is_late(const struct hot *h, uint32_t seq)
{
	return (int32_t)(atomic_load(&h->shared->last_seq) - seq) > 0;
}

enum hot_verdict hot_answer(struct hot *h, const struct mlog_request *request,
			    struct mlog_reply *ret, bool *ret_cleared)
{
	bool in_sync;

	*ret = (struct mlog_reply){.type = request->type, .seq = request->seq};
	*ret_cleared = false;
	atomic_store_explicit(&h->shared->last_seq, request->seq, memory_order_relaxed);
	if (atomic_load(&h->shared->open) == 0)
		return HOT_HAND_OVER;
	switch (request->type) {
	case ULOG_IN_SYNC:
		if (!hot_in_sync_told(h, request->region[0], &in_sync))
			return HOT_HAND_OVER;
		return answer_words(ret, 1, in_sync, 0);
	case ULOG_IS_CLEAN:
		return answer_words(
		    ret, 1, !hot_held(h, request->region[0]) && !hot_dirty(h, request->region[0]),
		    0);
	case ULOG_GET_SYNC_COUNT:
		return answer_words(ret, 1, hot_count_told(h), 0);
	case ULOG_IS_REMOTE_RECOVERING:
		return answer_remote_recovering(h, request, ret);
	case ULOG_GET_RESYNC_WORK:
		if (atomic_load(&h->shared->in_sync_count) == h->regions)
			return answer_words(ret, 2, 0, 0);
		return HOT_HAND_OVER;
	case ULOG_MARK_REGION:
	case ULOG_FLUSH:
		/* A FLUSH without marks has nothing to wait for: each MARK was durable before its
		 * reply. It comes from another kernel thread, so its seq says nothing about marks.
		 */
		if (request->region_count > 0 && !hot_seq_obey(h, request->seq))
			return HOT_STALE;
		atomic_fetch_add_explicit(&h->shared->activity, 1, memory_order_relaxed);
		return answer_mark(h, request);
	case ULOG_CLEAR_REGION:
		if (!hot_seq_obey(h, request->seq))
			return HOT_STALE;
		*ret_cleared = answer_clear(h, request);
		return HOT_ANSWERED;
	default:
		return HOT_HAND_OVER;
	}
}
