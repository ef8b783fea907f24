/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clock port: monotonic time, and the time of day where lives of the host are told apart. */
#ifndef DLM_CLOCK_H
#define DLM_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000U + (uint64_t)t.tv_nsec / 1000U;
}

static inline uint64_t clock_ms(void)
{
	return clock_us() / 1000U;
}

static inline uint64_t clock_wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000U + (uint64_t)t.tv_nsec / 1000000U;
}

#endif
