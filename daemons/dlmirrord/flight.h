/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flight record's last events and effects of all cores, kept whatever is logged. A MARK has
 * five of them: as lines, by libqb, they cost 1 to 4 us of the 10 us that it takes. So what is
 * frequent is kept as it is (0.02 us for the five, no system call, no memory taken) and becomes a
 * line when it is told.
 */
#ifndef DLM_FLIGHT_H
#define DLM_FLIGHT_H

#include "codec/kmsg.h"
#include "core/mlog.h"

#define FLIGHT_ITEMS 1024U

/* With the core lock. uuid: of the log. */
void flight_event(const char uuid[KMSG_UUID_SIZE], const struct mlog_event *event);
void flight_effect(const char uuid[KMSG_UUID_SIZE], const struct mlog_effect *effect);
/* Tells all of them once, the oldest first; then there are none. With the core lock, or from the
 * handler of a fatal signal, while other threads may go on: what they change meanwhile is left out.
 */
void flight_tell(void (*tell)(const char *log, const char *line));

#endif
