/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemons/dlmirrord/group_local.h"

#include <assert.h>

void group_local_view(struct pump *pump)
{
	static const uint32_t node = GROUP_LOCAL_NODE;
	struct mlog_event event = {.kind = MLOG_EV_VIEW};

	event.view.node = &node;
	event.view.count = 1;
	event.view.quorate = true;
	pump_event(pump, &event);
}

void group_local_send(struct pump *pump, const struct mlog_message *message)
{
	struct mlog_event event = {.kind = MLOG_EV_MESSAGE, .message = message};

	/* State is for those who join others. */
	assert(message->kind != MLOG_MSG_STATE);
	pump_defer(pump, &event);
}
