/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xoshiro256** (Blackman and Vigna), its state filled by splitmix64. */
#include "test/sim/random.h"

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

void random_seed(struct random *r, uint64_t seed, uint64_t stream)
{
	uint64_t state = seed;

	/* Neighbours in seed and stream must not be neighbours in anything else. */
	state = splitmix(&state) ^ rotate(stream + 1, 32);
	state = splitmix(&state);
	for (int i = 0; i < 4; i++)
		r->s[i] = splitmix(&state);
}

uint64_t random_next(struct random *r)
{
	uint64_t result = rotate(r->s[1] * 5, 7) * 9;
	uint64_t t = r->s[1] << 17;

	r->s[2] ^= r->s[0];
	r->s[3] ^= r->s[1];
	r->s[1] ^= r->s[2];
	r->s[0] ^= r->s[3];
	r->s[2] ^= t;
	r->s[3] = rotate(r->s[3], 45);
	return result;
}

uint64_t random_below(struct random *r, uint64_t n)
{
	/* The high bits of a 32-bit product; a bias of n / 2^32 is nothing here. */
	if (n <= UINT32_MAX)
		return (random_next(r) >> 32) * n >> 32;
	return random_next(r) % n;
}

uint64_t random_between(struct random *r, uint64_t low, uint64_t high)
{
	return low + random_below(r, high - low + 1);
}

bool random_chance(struct random *r, uint32_t permille)
{
	return random_below(r, 1000) < permille;
}

uint64_t random_spread(struct random *r, uint64_t mean)
{
	uint64_t bits = random_next(r);
	uint64_t value = mean / 2 + (bits >> 32) * mean / UINT64_C(0x100000000);

	/* One in 64 takes 4 times, of these one in 8 takes 32 times as long. */
	if ((bits & 63) == 0)
		value *= (bits >> 6 & 7) == 0 ? 32 : 4;
	return value == 0 ? 1 : value;
}
