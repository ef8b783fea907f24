/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where all chance of a run comes from: xoshiro256** seeded by splitmix64. Each concern has a
 * stream of its own, so that taking one fault out of a scenario does not change what the load, the
 * network or the disks draw.
 */
#ifndef DLM_SIM_RANDOM_H
#define DLM_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
	uint64_t s[4];
};

/* The stream `stream` of `seed`. */
void random_seed(struct random *r, uint64_t seed, uint64_t stream);
uint64_t random_next(struct random *r);
/* 0..n-1; n at least 1. */
uint64_t random_below(struct random *r, uint64_t n);
/* low..high, both included. */
uint64_t random_between(struct random *r, uint64_t low, uint64_t high);
/* True in `permille` of 1,000 cases. Always draws. */
bool random_chance(struct random *r, uint32_t permille);
/* Around mean, at least 1, with a long tail: mostly below it, rarely many times of it. */
uint64_t random_spread(struct random *r, uint64_t mean);

#endif
