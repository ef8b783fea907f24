/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemons/dlmirrord/flight.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "codec/trace.h"

#define LOG_SIZE 32U /* of a uuid, enough to tell logs apart */

/* The beginning of an event, with as many regions as a line shows. */
#define EVENT_BYTES                                                                                \
	(offsetof(struct mlog_event, request.region) + TRACE_REGIONS_SHOWN * sizeof(uint64_t))

enum form { FORM_EVENT, FORM_EFFECT, FORM_LINE };

struct item {
	_Atomic uint32_t number; /* 0: nothing, or being written */
	enum form form;
	char log[LOG_SIZE];
	union {
		uint8_t event[EVENT_BYTES];
		struct mlog_effect effect;
		char line[TRACE_LINE_SIZE];
	};
};

static struct item items[FLIGHT_ITEMS];
static uint32_t last; /* number of the newest */

static struct item *item_begin(const char *uuid, enum form form)
{
	struct item *item;

	last = last == UINT32_MAX ? 1 : last + 1;
	item = &items[last % FLIGHT_ITEMS];
	atomic_store_explicit(&item->number, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	item->form = form;
	memcpy(item->log, uuid, LOG_SIZE - 1);
	return item;
}

static void item_end(struct item *item)
{
	atomic_store_explicit(&item->number, last, memory_order_release);
}

/* Frequent, and whole without what it points to or what stands behind its first regions. */
static bool event_is_plain(const struct mlog_event *event)
{
	switch (event->kind) {
	case MLOG_EV_REQUEST:
		return event->request.type != ULOG_SET_REGION_SYNC;
	case MLOG_EV_CLEARED:
	case MLOG_EV_WRITTEN:
	case MLOG_EV_COPIED:
	case MLOG_EV_TIMER:
		return true;
	default:
		return false;
	}
}

void flight_event(const char uuid[KMSG_UUID_SIZE], const struct mlog_event *event)
{
	bool plain = event_is_plain(event);
	struct item *item = item_begin(uuid, plain ? FORM_EVENT : FORM_LINE);

	if (plain)
		memcpy(item->event, event, EVENT_BYTES);
	else
		trace_event(event, item->line);
	item_end(item);
}

void flight_effect(const char uuid[KMSG_UUID_SIZE], const struct mlog_effect *effect)
{
	bool plain = effect->kind != MLOG_SEND;
	struct item *item = item_begin(uuid, plain ? FORM_EFFECT : FORM_LINE);

	if (plain)
		item->effect = *effect;
	else
		trace_effect(effect, item->line);
	item_end(item);
}

/* False: there is nothing, or it was changed meanwhile. */
static bool item_take(struct item *from, struct item *ret)
{
	uint32_t number = atomic_load_explicit(&from->number, memory_order_acquire);

	if (number == 0)
		return false;
	ret->form = from->form;
	memcpy(ret->log, from->log, sizeof(ret->log));
	memcpy(ret->line, from->line, sizeof(ret->line));
	atomic_thread_fence(memory_order_acquire);
	return atomic_compare_exchange_strong(&from->number, &number, 0);
}

static void item_tell(const struct item *item, void (*tell)(const char *log, const char *line))
{
	struct mlog_event event = {.now_ms = 0};
	char line[TRACE_LINE_SIZE];

	switch (item->form) {
	case FORM_EVENT:
		memcpy(&event, item->event, EVENT_BYTES);
		trace_event(&event, line);
		tell(item->log, line);
		break;
	case FORM_EFFECT:
		trace_effect(&item->effect, line);
		tell(item->log, line);
		break;
	case FORM_LINE:
		tell(item->log, item->line);
		break;
	}
}

void flight_tell(void (*tell)(const char *log, const char *line))
{
	uint32_t oldest = last + 1;
	struct item item;

	for (uint32_t i = 0; i < FLIGHT_ITEMS; i++)
		if (item_take(&items[(oldest + i) % FLIGHT_ITEMS], &item))
			item_tell(&item, tell);
}
