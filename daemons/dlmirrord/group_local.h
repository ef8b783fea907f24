/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The group port of a node that is alone: it is the whole group, has the quorum, and hears its own
 * messages as soon as it has sent them.
 */
#ifndef DLM_GROUP_LOCAL_H
#define DLM_GROUP_LOCAL_H

#include "daemons/dlmirrord/pump.h"

#define GROUP_LOCAL_NODE 1U

/* The first event of a log, or the next after RESTORED. */
void group_local_view(struct pump *pump);
/* From within the effect. */
void group_local_send(struct pump *pump, const struct mlog_message *message);

#endif
