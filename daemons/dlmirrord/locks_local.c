/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemons/dlmirrord/locks_local.h"

void locks_local_lock(struct pump *pump, uint32_t lock)
{
	struct mlog_event event = {.kind = MLOG_EV_LOCKED};

	event.locked.lock = lock;
	pump_defer(pump, &event);
}

void locks_local_unlock(struct pump *pump, uint32_t lock)
{
	(void)pump;
	(void)lock;
}
