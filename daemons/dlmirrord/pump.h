/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pump of one mirror log: an event into the core, its effects into the ports. It knows nothing
 * of threads, sockets and devices: the daemon's ports (ports.c) and those of the simulator
 * (test/sim) hang on the very same pump.
 */
#ifndef DLM_PUMP_H
#define DLM_PUMP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/mlog.h"

/* All effects of a step may be answered at once, and all answers of what these cause. */
#define PUMP_DEFERRED_MAX (2U * MLOG_EFFECTS_MAX)

/* One function per effect; what it answers comes later as an event, by pump_event(), or at once by
 * pump_defer(). Those that a world has no use for may stay NULL as long as the core does not ask.
 */
struct pump_ports {
	uint64_t (*now_ms)(void *context);
	/* Around each step, not around its effects. NULL: nothing to be done there. */
	void (*step_begin)(void *context, const struct mlog_event *event);
	void (*step_end)(void *context);
	/* After its last effect. NULL: the same. */
	void (*effects_end)(void *context);

	void (*reply)(void *context, const struct mlog_reply *reply);
	void (*load)(void *context, uint32_t slot, bool whole);
	void (*claim)(void *context, uint32_t slot, bool whole);
	void (*write)(void *context, enum mlog_area area, uint64_t page);
	void (*release)(void *context, uint32_t slot, bool whole);
	void (*read_slot)(void *context, uint32_t slot);
	void (*empty_slot)(void *context, uint32_t slot);
	void (*copy)(void *context, uint64_t region, enum mlog_copy_mode mode);
	void (*timer)(void *context, uint64_t at_ms);
	void (*notice)(void *context, enum mlog_notice code, uint64_t value);
	/* message is valid during the call only; of a STATE the pieces are taken during it, too. */
	void (*send)(void *context, const struct mlog_message *message);
	void (*lock)(void *context, uint32_t lock, bool keep);
	void (*unlock)(void *context, uint32_t lock);
	void (*wake)(void *context);
	void (*reload)(void *context);

	/* Sees every event before its step and every effect before it is done. NULL: no trace. */
	void (*trace_event)(void *context, const struct mlog_event *event);
	void (*trace_effect)(void *context, const struct mlog_effect *effect);
};

struct pump_deferred {
	struct mlog_event event;
	struct mlog_message message; /* what a MLOG_EV_MESSAGE points to */
};

/* Deferred events. Empty whenever no pump runs, so that all pumps of which never two run at once
 * share one. All zero is empty. */
struct pump_queue {
	const struct mlog *running; /* whose events these are */
	uint32_t first;
	uint32_t count;
	struct pump_deferred item[PUMP_DEFERRED_MAX];
};

struct pump {
	struct mlog *mlog;
	const struct pump_ports *ports;
	void *context; /* of the ports */
	struct pump_queue *queue;
};

/* Steps, and then steps with all that was deferred meanwhile. Fills in the time. Not from within an
 * effect. */
void pump_event(struct pump *pump, struct mlog_event *event);

/* From within an effect only: an event for after the effects of the step under way. Copies the
 * event, and the message of a MLOG_EV_MESSAGE; other pointers must stay valid until then. */
void pump_defer(struct pump *pump, const struct mlog_event *event);

#endif
