// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/rates.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/types.h"
#include "daemons/dlmirror/format.h"

static enum rates_kind kind_of(unsigned type)
{
	switch (type) {
	case ULOG_MARK_REGION:
		return RATES_MARK;
	case ULOG_CLEAR_REGION:
		return RATES_CLEAR;
	case ULOG_FLUSH:
		return RATES_FLUSH;
	case ULOG_IS_CLEAN:
	case ULOG_IN_SYNC:
	case ULOG_IS_REMOTE_RECOVERING:
		return RATES_QUERY;
	case ULOG_GET_RESYNC_WORK:
	case ULOG_SET_REGION_SYNC:
		return RATES_RESYNC;
	default:
		return RATES_OTHER;
	}
}

/* Counters are never taken back, so one that fell has begun anew. */
static bool fell(const struct dlmirror_counters *from, const struct dlmirror_counters *to)
{
	unsigned i;

	for (i = 0; i < DLMIRROR_TYPES; i++)
		if (to->type[i].count < from->type[i].count)
			return true;
	return false;
}

/* The same log in the earlier snapshot, or NULL. */
static const struct dlmirror_mirror *mirror_find(const struct snapshot *s,
						 const struct dlmirror_mirror *m)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		if (s->mirror[i].luid == m->luid && strcmp(s->mirror[i].uuid, m->uuid) == 0)
			return &s->mirror[i];
	return NULL;
}

static uint64_t risen(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}

static void counter_subtract(const struct dlmirror_counter *from, const struct dlmirror_counter *to,
			     struct dlmirror_counter *ret)
{
	unsigned i;

	ret->count = risen(from->count, to->count);
	ret->errors = risen(from->errors, to->errors);
	ret->total_us = risen(from->total_us, to->total_us);
	for (i = 0; i < DLMIRROR_BUCKETS; i++)
		ret->bucket[i] = risen(from->bucket[i], to->bucket[i]);
}

static void requests_rate(const struct dlmirror_counters *from, const struct dlmirror_counters *to,
			  double seconds, struct rates *ret)
{
	unsigned i;

	for (i = 0; i < DLMIRROR_TYPES; i++) {
		double rate = (double)risen(from->type[i].count, to->type[i].count) / seconds;

		ret->requests_s += rate;
		ret->kind_s[kind_of(i)] += rate;
	}
	counter_subtract(&from->type[ULOG_MARK_REGION], &to->type[ULOG_MARK_REGION], &ret->mark);
}

void rates_make(const struct snapshot *earlier, const struct snapshot *later, double seconds,
		struct rates *ret)
{
	static const struct dlmirror_counters nothing;
	bool replaced = earlier->daemon.pid != later->daemon.pid ||
			earlier->daemon.generation != later->daemon.generation;
	size_t i;

	for (i = 0; i < later->count; i++) {
		const struct dlmirror_mirror *m = &later->mirror[i];
		const struct dlmirror_mirror *before = mirror_find(earlier, m);
		const struct dlmirror_counters *from = &nothing;
		uint64_t writes = 0;

		ret[i] = (struct rates){.index = i};
		if (before && !replaced &&
		    !fell(&earlier->counters[before - earlier->mirror], &later->counters[i])) {
			from = &earlier->counters[before - earlier->mirror];
			writes = before->log_writes;
		}
		requests_rate(from, &later->counters[i], seconds, &ret[i]);
		ret[i].log_writes_s = (double)risen(writes, m->log_writes) / seconds;
		/* That is no counter: a daemon that is replaced knows it, too. */
		if (before)
			ret[i].regions_s =
			    (double)risen(format_regions_left(m), format_regions_left(before)) /
			    seconds;
	}
}

static int compare(const void *left, const void *right)
{
	const struct rates *a = left;
	const struct rates *b = right;
	double marks_a = a->kind_s[RATES_MARK];
	double marks_b = b->kind_s[RATES_MARK];
	int order = (marks_a < marks_b) - (marks_a > marks_b);

	if (order == 0)
		order = (a->requests_s < b->requests_s) - (a->requests_s > b->requests_s);
	if (order == 0)
		order = (a->index > b->index) - (a->index < b->index);
	return order;
}

void rates_sort(struct rates *rates, size_t count)
{
	qsort(rates, count, sizeof(*rates), compare);
}
