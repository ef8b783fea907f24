// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tsc-khz: prints the frequency of this host's time stamp counter in kHz, which emulated nodes see
 * as well. Each reading of it is one that nobody interrupted; nothing is printed where there is no
 * such counter.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#ifdef __x86_64__
#include <x86intrin.h>

#define TRIES	100
#define WAIT_NS 100000000L

struct reading {
	uint64_t ticks;
	uint64_t ns;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* The quickest of some. */
static struct reading reading_take(void)
{
	struct reading best = {0};
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < TRIES; i++) {
		uint64_t before = __rdtsc();
		uint64_t ns = now_ns();
		uint64_t took = __rdtsc() - before;

		if (took >= least)
			continue;
		least = took;
		best = (struct reading){.ticks = before + took / 2, .ns = ns};
	}
	return best;
}

int main(void)
{
	const struct timespec wait = {.tv_nsec = WAIT_NS};
	struct reading from = reading_take(), to;

	nanosleep(&wait, NULL);
	to = reading_take();
	printf("%.0f\n", (double)(to.ticks - from.ticks) * 1e6 / (double)(to.ns - from.ns));
	return 0;
}
#else
int main(void)
{
	return 0;
}
#endif
