/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/sim/meter.h"

#include <malloc.h>
#include <time.h>

#define TRIES 1000U /* to find what looking at the clock costs */

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* The least that lies between two looks. */
static uint64_t price_ns(void)
{
	static uint64_t price;

	if (price != 0)
		return price;
	price = UINT64_MAX;
	for (unsigned i = 0; i < TRIES; i++) {
		uint64_t begun = cpu_ns();
		uint64_t used = cpu_ns() - begun;

		if (used < price)
			price = used;
	}
	return price;
}

uint64_t meter_begin(bool on)
{
	return on ? cpu_ns() : 0;
}

void meter_end(struct meter *m, uint64_t begun_ns)
{
	uint64_t used;

	if (begun_ns == 0)
		return;
	used = cpu_ns() - begun_ns;
	m->cpu_ns += used > price_ns() ? used - price_ns() : 0;
}

size_t meter_memory(bool on)
{
	struct mallinfo2 info = {0};

	if (on)
		info = mallinfo2();
	return info.uordblks + info.hblkhd;
}
