/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event in, step, effects into the ports. Always true: the effects of a step are all done before
 * the next step of that log, and events that effects cause at once are taken in their order.
 */
#include "daemons/dlmirrord/pump.h"

#include <assert.h>
#include <stddef.h>

void pump_defer(struct pump *pump, const struct mlog_event *event)
{
	struct pump_queue *queue = pump->queue;
	struct pump_deferred *item;

	assert(queue->running == pump->mlog && queue->count < PUMP_DEFERRED_MAX);
	item = &queue->item[(queue->first + queue->count++) % PUMP_DEFERRED_MAX];
	item->event = *event;
	if (event->kind == MLOG_EV_MESSAGE) {
		item->message = *event->message;
		item->event.message = &item->message;
	}
}

static void do_effect(const struct pump *pump, const struct mlog_effect *effect)
{
	const struct pump_ports *ports = pump->ports;
	void *context = pump->context;

	switch (effect->kind) {
	case MLOG_REPLY:
		ports->reply(context, &effect->reply);
		break;
	case MLOG_LOAD:
		ports->load(context, effect->log.slot, effect->log.whole);
		break;
	case MLOG_CLAIM:
		ports->claim(context, effect->log.slot, effect->log.whole);
		break;
	case MLOG_WRITE:
		ports->write(context, effect->write.area, effect->write.page);
		break;
	case MLOG_RELEASE:
		ports->release(context, effect->log.slot, effect->log.whole);
		break;
	case MLOG_COPY:
		ports->copy(context, effect->copy.region, effect->copy.mode);
		break;
	case MLOG_TIMER:
		ports->timer(context, effect->timer.at_ms);
		break;
	case MLOG_NOTICE:
		ports->notice(context, effect->notice.code, effect->notice.value);
		break;
	case MLOG_SEND:
		ports->send(context, effect->message);
		break;
	case MLOG_LOCK:
		ports->lock(context, effect->lock.lock, effect->lock.keep);
		break;
	case MLOG_UNLOCK:
		ports->unlock(context, effect->lock.lock);
		break;
	case MLOG_READ_SLOT:
		ports->read_slot(context, effect->slot);
		break;
	case MLOG_EMPTY_SLOT:
		ports->empty_slot(context, effect->slot);
		break;
	case MLOG_WAKE:
		ports->wake(context);
		break;
	case MLOG_RELOAD:
		ports->reload(context);
		break;
	}
}

static void step(const struct pump *pump, struct mlog_event *event)
{
	const struct pump_ports *ports = pump->ports;
	void *context = pump->context;
	struct mlog_effect effect;

	event->now_ms = ports->now_ms(context);
	if (ports->trace_event != NULL)
		ports->trace_event(context, event);
	if (ports->step_begin != NULL)
		ports->step_begin(context, event);
	mlog_step(pump->mlog, event);
	if (ports->step_end != NULL)
		ports->step_end(context);
	while (mlog_next(pump->mlog, &effect)) {
		if (ports->trace_effect != NULL)
			ports->trace_effect(context, &effect);
		do_effect(pump, &effect);
	}
	if (ports->effects_end != NULL)
		ports->effects_end(context);
}

void pump_event(struct pump *pump, struct mlog_event *event)
{
	struct pump_queue *queue = pump->queue;

	assert(queue->running == NULL && queue->count == 0);
	queue->running = pump->mlog;
	step(pump, event);
	while (queue->count > 0) {
		/* It keeps its place during the step, which may look at its message. */
		step(pump, &queue->item[queue->first].event);
		queue->first = (queue->first + 1) % PUMP_DEFERRED_MAX;
		queue->count--;
	}
	queue->running = NULL;
}
