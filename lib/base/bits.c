/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/bits.h"

#include <string.h>

void bits_fill(uint64_t *map, uint64_t nbits, bool value)
{
	size_t words = bits_words(nbits);

	memset(map, value ? 0xff : 0, words * sizeof(*map));
	if (value && nbits % BITS_PER_WORD != 0)
		map[words - 1] = bits_mask(nbits) - 1;
}

uint64_t bits_count(const uint64_t *map, uint64_t nbits)
{
	uint64_t count = 0;
	size_t full = (size_t)(nbits / BITS_PER_WORD);

	for (size_t i = 0; i < full; i++)
		count += (uint64_t)__builtin_popcountll(map[i]);
	if (nbits % BITS_PER_WORD != 0)
		count += (uint64_t)__builtin_popcountll(map[full] & (bits_mask(nbits) - 1));
	return count;
}

/* flip is 0 to look for set bits and all ones to look for clear ones. */
static uint64_t bits_next(const uint64_t *map, uint64_t nbits, uint64_t from, uint64_t flip)
{
	size_t words = bits_words(nbits);
	size_t i = (size_t)(from / BITS_PER_WORD);
	uint64_t word;
	uint64_t bit;

	if (from >= nbits)
		return nbits;
	word = (map[i] ^ flip) & ~(bits_mask(from) - 1);
	while (word == 0) {
		if (++i == words)
			return nbits;
		word = map[i] ^ flip;
	}
	bit = (uint64_t)i * BITS_PER_WORD + (uint64_t)__builtin_ctzll(word);
	return bit < nbits ? bit : nbits;
}

uint64_t bits_next_set(const uint64_t *map, uint64_t nbits, uint64_t from)
{
	return bits_next(map, nbits, from, 0);
}

uint64_t bits_next_clear(const uint64_t *map, uint64_t nbits, uint64_t from)
{
	return bits_next(map, nbits, from, ~UINT64_C(0));
}
