/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One line per event and effect of the core: the same line is the daemon's trace log, the record in
 * its blackbox, and the simulator's trace. Not parsed by anybody; may change with any version.
 */
#ifndef DLM_CODEC_TRACE_H
#define DLM_CODEC_TRACE_H

#include <stddef.h>

#include "core/mlog.h"

#define TRACE_LINE_SIZE	    256U
#define TRACE_REGIONS_SHOWN 8U /* of a request or message; then how many there are */

/* "< MARK_REGION seq 17 regions 3,9": what came in. */
void trace_event(const struct mlog_event *event, char ret[TRACE_LINE_SIZE]);
/* "> reply MARK_REGION seq 17 ok": what must be done. */
void trace_effect(const struct mlog_effect *effect, char ret[TRACE_LINE_SIZE]);

const char *trace_type_name(enum ulog_type type);
const char *trace_notice_name(enum mlog_notice code);
const char *trace_message_name(enum mlog_message_kind kind);

#endif
