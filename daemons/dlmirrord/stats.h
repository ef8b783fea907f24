/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters and latency per request type. Any thread adds; whoever reads gets a recent value. */
#ifndef DLM_STATS_H
#define DLM_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include "core/types.h"
#include "dlmirror/dlmirror.h"

struct stats_type {
	_Atomic uint64_t count;
	_Atomic uint64_t errors;
	_Atomic uint64_t total_us;
	_Atomic uint64_t bucket[DLMIRROR_BUCKETS];
};

struct stats {
	struct stats_type type[DLMIRROR_TYPES];
};

static inline void stats_add(struct stats *s, enum ulog_type type, int32_t error, uint64_t us)
{
	struct stats_type *t = &s->type[type];
	unsigned bucket = us < 2 ? 0 : 63U - (unsigned)__builtin_clzll(us);

	if (bucket >= DLMIRROR_BUCKETS)
		bucket = DLMIRROR_BUCKETS - 1;
	atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&t->total_us, us, memory_order_relaxed);
	atomic_fetch_add_explicit(&t->bucket[bucket], 1, memory_order_relaxed);
	if (error != 0)
		atomic_fetch_add_explicit(&t->errors, 1, memory_order_relaxed);
}

#endif
