/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plain bitmaps over 64-bit words: bit i is word i / 64, value 1 << (i % 64). Nothing here knows
 * what a bit means. Maps that several threads touch are in lib/core/hot.h instead.
 */
#ifndef DLM_BASE_BITS_H
#define DLM_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BITS_PER_WORD 64U

static inline size_t bits_words(uint64_t nbits)
{
	return (size_t)((nbits + BITS_PER_WORD - 1) / BITS_PER_WORD);
}

static inline uint64_t bits_mask(uint64_t bit)
{
	return UINT64_C(1) << (bit % BITS_PER_WORD);
}

static inline bool bits_test(const uint64_t *map, uint64_t bit)
{
	return (map[bit / BITS_PER_WORD] & bits_mask(bit)) != 0;
}

static inline void bits_set(uint64_t *map, uint64_t bit)
{
	map[bit / BITS_PER_WORD] |= bits_mask(bit);
}

static inline void bits_clear(uint64_t *map, uint64_t bit)
{
	map[bit / BITS_PER_WORD] &= ~bits_mask(bit);
}

/* Sets or clears all of the first nbits; bits behind nbits in the last word become 0. */
void bits_fill(uint64_t *map, uint64_t nbits, bool value);

/* Number of set bits among the first nbits. */
uint64_t bits_count(const uint64_t *map, uint64_t nbits);

/* Lowest set (clear) bit at or after from, or nbits when there is none. */
uint64_t bits_next_set(const uint64_t *map, uint64_t nbits, uint64_t from);
uint64_t bits_next_clear(const uint64_t *map, uint64_t nbits, uint64_t from);

#define bits_for_each_set(bit, map, nbits)                                                         \
	for ((bit) = bits_next_set((map), (nbits), 0); (bit) < (nbits);                            \
	     (bit) = bits_next_set((map), (nbits), (bit) + 1))

#endif
