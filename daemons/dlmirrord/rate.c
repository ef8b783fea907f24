/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How fast a mirror may be brought in sync here: in its hot maps, for the daemon after this one, and
 * told to the core as the time that a region takes. */
#include <string.h>

#include "daemons/dlmirrord/daemon.h"

#define REGION_NS_MAX 9e18

uint64_t rate_region_ns(const struct log *log, uint64_t bytes_s)
{
	double ns;

	if (bytes_s == 0)
		return 0;
	ns = (double)log->table.region_sectors * 512e9 / (double)bytes_s;
	if (ns < 1)
		return 1;
	return ns < REGION_NS_MAX ? (uint64_t)ns : (uint64_t)REGION_NS_MAX;
}

static void tell(struct log *log)
{
	struct mlog_event event = {.kind = MLOG_EV_RATE};

	event.region_ns = rate_region_ns(log, atomic_load(&log->hot.shared->resync_rate));
	pump_event(&log->pump, &event);
}

void rate_set(struct log *log, uint64_t bytes_s)
{
	if (bytes_s == UINT64_MAX)
		bytes_s = 0;
	if (atomic_exchange(&log->hot.shared->resync_rate, bytes_s) != bytes_s)
		tell(log);
}

void rate_restore(struct log *log)
{
	if (atomic_load(&log->hot.shared->resync_rate) != 0)
		tell(log);
}

void rate_follow(struct log *log)
{
	const struct registry *r = &log->daemon->registry;

	for (size_t i = 0; i < r->count; i++)
		if (r->log[i] != log && strcmp(r->log[i]->uuid, log->uuid) == 0)
			rate_set(log, atomic_load(&r->log[i]->hot.shared->resync_rate));
}
