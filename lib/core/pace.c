/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How fast regions may be taken where an admin has set a rate. Each takes its time, and what has
 * been taken is paid at paid_ms. It may be ahead of the clock by PACE_BURST_MS; further ahead it
 * rests until all is paid, so that whoever waits for it is not called for each region.
 */
#include "core/mlog_internal.h"

#define NS_OF_MS 1000000U

void pace_set(struct pace *p, uint64_t region_ns)
{
	*p = (struct pace){.region_ns = region_ns < PACE_NS_MAX ? region_ns : PACE_NS_MAX};
}

bool pace_ready(const struct mlog *m, const struct pace *p)
{
	return !p->resting || m->now_ms >= p->paid_ms;
}

uint64_t pace_ready_ms(const struct pace *p)
{
	return p->resting ? p->paid_ms : 0;
}

uint32_t pace_burst(const struct pace *p)
{
	uint64_t regions;

	if (p->region_ns == 0)
		return MLOG_LEASE_MAX;
	regions = (uint64_t)PACE_BURST_MS * NS_OF_MS / p->region_ns;
	return regions == 0 ? 1 : (uint32_t)min_ms(regions, MLOG_LEASE_MAX);
}

void pace_take(const struct mlog *m, struct pace *p)
{
	uint64_t ns;

	if (p->region_ns == 0)
		return;
	if (m->now_ms >= p->paid_ms)
		*p = (struct pace){.region_ns = p->region_ns, .paid_ms = m->now_ms};
	ns = p->region_ns + p->paid_ns;
	p->paid_ms += ns / NS_OF_MS;
	p->paid_ns = (uint32_t)(ns % NS_OF_MS);
	p->resting = p->paid_ms > m->now_ms + PACE_BURST_MS;
}
