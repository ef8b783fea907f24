/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Event in, step, effects into the ports. Every line of the trace is printed here. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <qb/qblog.h>

#include "codec/trace.h"
#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/daemon.h"
#include "daemons/dlmirrord/kernel_netlink.h"
#include "daemons/dlmirrord/logging.h"

#define TIMER_URGENT_MS	  200U
#define TIMER_MULTIPLE_MS 64U

void pump_defer(struct log *log, const struct mlog_event *event)
{
	if (log->deferred_count == LOG_DEFERRED_MAX) {
		qb_log(LOG_CRIT, "%s: more deferred events than there can be", log->uuid);
		return;
	}
	log->deferred[log->deferred_count++] = *event;
}

static void defer_error(struct log *log, enum mlog_event_kind kind, int error)
{
	struct mlog_event event = {.kind = kind};

	if (kind == MLOG_EV_LOADED)
		event.loaded.error = error;
	else
		event.error = error;
	pump_defer(log, &event);
}

/* ---- kernel port */

static void do_reply(struct log *log, const struct mlog_reply *reply)
{
	uint8_t datagram[KMSG_SIZE_MAX];
	struct log_received *received = NULL;
	struct kmsg k = {
	    .cn_seq = reply->seq,
	    .version = log->version,
	    .luid = log->luid,
	    .seq = reply->seq,
	    .type = reply->type,
	    .request_type = (uint32_t)reply->type,
	};

	for (unsigned i = 0; i < LOG_RECEIVED_MAX && received == NULL; i++)
		if (log->received[i].used && log->received[i].seq == reply->seq)
			received = &log->received[i];
	if (received != NULL) {
		k.request_type = received->request_type;
		received->used = false;
		stats_add(&log->stats, reply->type, reply->error,
			  clock_us() - received->received_us);
	}
	memcpy(k.uuid, log->uuid, sizeof(k.uuid));
	kernel_netlink_send(log->daemon->handover.socket[0], datagram,
			    kmsg_encode_mlog_reply(&k, reply, datagram, sizeof(datagram)));
}

/* ---- storage port */

static void on_loaded(void *context, int error, const struct mlog_history *history)
{
	struct log *log = context;
	struct mlog_event event = {.kind = MLOG_EV_LOADED};

	event.loaded.error = error;
	if (error == 0) {
		event.loaded.history = *history;
		event.loaded.history.distrust = marker_is_set(log);
		if (history->remark != NULL)
			qb_log(LOG_WARNING, "%s: log device %s: %s", log->uuid, log->device,
			       history->remark);
		if (event.loaded.history.distrust)
			qb_log(
			    LOG_WARNING,
			    "%s: log device %s had failed before the last crash: all regions are "
			    "compared",
			    log->uuid, log->device);
	}
	log->log_error = error;
	pump_event(log, &event);
}

static void on_claimed(void *context, int error)
{
	struct log *log = context;

	log->log_error = error;
	pump_event(log, &(struct mlog_event){.kind = MLOG_EV_CLAIMED, .error = error});
	if (atomic_load(&log->hot.shared->whole) != 0)
		marker_clear(log);
}

static void on_written(void *context, enum mlog_area area, uint64_t page, int error)
{
	struct log *log = context;
	struct mlog_event event = {.kind = MLOG_EV_WRITTEN};

	event.written.area = area;
	event.written.page = page;
	event.written.error = error;
	if (error != 0)
		log->log_error = error;
	pump_event(log, &event);
}

static void on_released(void *context, int error)
{
	pump_event(context, &(struct mlog_event){.kind = MLOG_EV_RELEASED, .error = error});
}

static uint64_t on_word(void *context, enum mlog_area area, uint64_t word)
{
	return mlog_word(((struct log *)context)->mlog, area, word);
}

static uint64_t on_kernel_word(void *context, uint64_t word)
{
	return mlog_kernel_word(((struct log *)context)->mlog, word);
}

const struct storage_callbacks pump_storage = {
    .loaded = on_loaded,
    .claimed = on_claimed,
    .written = on_written,
    .released = on_released,
    .word = on_word,
    .kernel_word = on_kernel_word,
};

int pump_storage_open(struct log *log, char error[STORAGE_ERROR_SIZE])
{
	struct storage_spec spec = {
	    .device = log->table.device,
	    .uuid = log->uuid,
	    .region_count = log->table.region_count,
	    .region_sectors = log->table.region_sectors,
	    .slots_wanted = log->daemon->config.slots,
	    .owner = log->daemon->owner,
	    .boot_id = log->daemon->boot_id,
	};
	int code = 0;

	/* The open reads, and a device that does not answer would stop everybody. A daemon that was
	 * handed over does not ask: it has no time, and the device answered just now. */
	if (log->daemon->unplanned || log->daemon->serving)
		code = probe_device(log->table.device);
	if (code != 0) {
		snprintf(error, STORAGE_ERROR_SIZE, "does not answer: %s", strerror(-code));
		return code;
	}
	code = storage_open(log->daemon->storage, &spec, &pump_storage, log, &log->storage, error);
	if (code != 0 || log->hot.regions == 0)
		return code;
	/* The maps are there already: they must fit. */
	if (storage_layout(log->storage)->shift != log->hot.shift ||
	    storage_page_bytes(log->storage) != log->page_bytes) {
		log->storage = storage_close(log->storage);
		snprintf(
		    error, STORAGE_ERROR_SIZE,
		    "its size or block size has changed; suspend and resume the mirror's device "
		    "with a reloaded table to use it");
		return -ENOSPC;
	}
	return 0;
}

/* A device that was gone may be back; one that came back as another device is looked at anew. */
static int storage_ready(struct log *log)
{
	char text[STORAGE_ERROR_SIZE];
	int error;

	if (log->storage != NULL && (log->log_error == -ENXIO || log->log_error == -ENODEV))
		log->storage = storage_abandon(log->storage);
	if (log->storage != NULL)
		return 0;
	error = pump_storage_open(log, text);
	if (error != 0) {
		qb_log(LOG_ERR, "%s: log device %s: %s", log->uuid, log->table.device, text);
		log->log_error = error;
	}
	return error;
}

static void do_storage(struct log *log, const struct mlog_effect *effect)
{
	int error;

	switch (effect->kind) {
	case MLOG_LOAD:
		error = storage_ready(log);
		if (error == 0)
			storage_load(log->storage);
		else
			defer_error(log, MLOG_EV_LOADED, error);
		break;
	case MLOG_CLAIM:
		error = storage_ready(log);
		if (error == 0)
			storage_claim(log->storage);
		else
			defer_error(log, MLOG_EV_CLAIMED, error);
		break;
	case MLOG_WRITE:
		storage_write(log->storage, effect->write.area, effect->write.page);
		break;
	default:
		storage_release(log->storage);
		break;
	}
}

/* ---- clock port */

/* One timer descriptor for all logs, set to the earliest; any thread that has the core may set it.
 */
static void timer_set(struct daemon *d, uint64_t at_ms)
{
	struct itimerspec when = {.it_value = {.tv_sec = (time_t)(at_ms / 1000),
					       .tv_nsec = (long)(at_ms % 1000) * 1000000}};

	d->timer_ms = at_ms;
	timerfd_settime(d->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void do_timer(struct log *log, uint64_t at_ms)
{
	struct daemon *d = log->daemon;
	uint64_t now = clock_ms();

	/* Never now: what is to be done at once is done in the step. What is not urgent is put off
	 * to the next multiple, so that the sweeps of many mirrors share one wake-up. */
	log->timer_ms = at_ms == 0 || at_ms > now ? at_ms : now + 1;
	if (at_ms > now + TIMER_URGENT_MS)
		log->timer_ms += TIMER_MULTIPLE_MS - log->timer_ms % TIMER_MULTIPLE_MS;
	if (at_ms != 0 && (d->timer_ms == 0 || log->timer_ms < d->timer_ms))
		timer_set(d, log->timer_ms);
}

void pump_timers(struct daemon *d)
{
	uint64_t now = clock_ms();
	uint64_t next = 0;
	uint64_t count;

	(void)!read(d->timer_fd, &count, sizeof(count));
	d->timer_ms = 0;
	for (size_t i = 0; i < d->registry.count; i++) {
		struct log *log = d->registry.log[i];

		if (log->timer_ms != 0 && log->timer_ms <= now) {
			log->timer_ms = 0;
			pump_event(log, &(struct mlog_event){.kind = MLOG_EV_TIMER});
		}
		if (log->timer_ms != 0 && (next == 0 || log->timer_ms < next))
			next = log->timer_ms;
	}
	timer_set(d, next);
}

/* ---- what an admin may want to know */

/* Only what was compared to the end and mended ends a suspicion, not a reset still under way. */
static void compared(struct log *log)
{
	uint32_t comparing = SUSPECT_COMPARING;
	struct mlog_status status;

	mlog_status(log->mlog, &status);
	if (status.verify_repair)
		atomic_compare_exchange_strong(&log->hot.shared->suspect, &comparing, SUSPECT_NO);
}

static void do_notice(struct log *log, enum mlog_notice code, uint64_t value)
{
	const char *name = log->name[0] != '\0' ? log->name : log->uuid;

	switch (code) {
	case MLOG_NOTICE_ATTACHED:
		qb_log(LOG_NOTICE, "%s: attached, %" PRIu64 " regions to repair", name, value);
		legs_forget(log);
		legs_refresh(log);
		break;
	case MLOG_NOTICE_DETACHED:
		qb_log(LOG_NOTICE, "%s: detached", name);
		legs_forget(log);
		if (atomic_load(&log->hot.shared->truth) == MLOG_TRUTH_DEVICE)
			marker_clear(log);
		break;
	case MLOG_NOTICE_IN_SYNC:
		qb_log(LOG_NOTICE, "%s: all regions are in sync", name);
		break;
	case MLOG_NOTICE_REPAIRED:
		qb_log(LOG_NOTICE, "%s: crash repair complete, %" PRIu64 " regions differed", name,
		       value);
		break;
	case MLOG_NOTICE_LOG_FAILED:
		qb_log(LOG_ERR,
		       "%s: log device %s failed (%s): serving from memory; a crash now means that "
		       "all regions are compared",
		       name, log->device, strerror((int)value));
		log->log_error = -(int)value;
		marker_set(log);
		break;
	case MLOG_NOTICE_LOG_OK:
		qb_log(LOG_NOTICE, "%s: log device %s works again", name, log->device);
		log->log_error = 0;
		marker_clear(log);
		break;
	case MLOG_NOTICE_LEG_FAILED:
		qb_log(LOG_WARNING, "%s: a leg missed a write of region %" PRIu64, name, value);
		log->legs_ms = 0;
		legs_refresh(log);
		break;
	case MLOG_NOTICE_COPY_FAILED:
		qb_log(LOG_WARNING, "%s: region %" PRIu64 " could not be compared, again later",
		       name, value);
		break;
	case MLOG_NOTICE_VERIFIED:
		qb_log(value > 0 ? LOG_WARNING : LOG_NOTICE,
		       "%s: legs compared, %" PRIu64 " regions differed", name, value);
		compared(log);
		break;
	case MLOG_NOTICE_OVERFLOW:
		qb_log(LOG_WARNING, "%s: too many requests wait, one was dropped", name);
		break;
	}
}

static void do_effect(struct log *log, const struct mlog_effect *effect)
{
	switch (effect->kind) {
	case MLOG_REPLY:
		do_reply(log, &effect->reply);
		break;
	case MLOG_LOAD:
	case MLOG_CLAIM:
	case MLOG_WRITE:
	case MLOG_RELEASE:
		do_storage(log, effect);
		break;
	case MLOG_COPY:
		legs_copy(log, effect->copy.region, effect->copy.mode);
		break;
	case MLOG_TIMER:
		do_timer(log, effect->timer.at_ms);
		break;
	case MLOG_NOTICE:
		do_notice(log, effect->notice.code, effect->notice.value);
		break;
	}
}

/*
 * A step that may obey a MARK or CLEAR is one of those that hot_answer() must not meet: the test of
 * its seq and the change of held belong together. While the mirror is closed every request comes to
 * the core, also those that an attach lets go on.
 */
static void step_core(struct log *log, const struct mlog_event *event)
{
	bool obeys = event->kind == MLOG_EV_REQUEST || atomic_load(&log->hot.shared->open) == 0;

	if (obeys)
		pthread_mutex_lock(&log->mark_lock);
	mlog_step(log->mlog, event);
	if (obeys)
		pthread_mutex_unlock(&log->mark_lock);
}

static void step(struct log *log, struct mlog_event *event)
{
	char line[TRACE_LINE_SIZE];
	struct mlog_effect effect;
	bool traces = logging_traces();

	event->now_ms = clock_ms();
	if (traces) {
		trace_event(event, line);
		qb_log(LOG_TRACE, "%s %s", log->uuid, line);
	}
	step_core(log, event);
	while (mlog_next(log->mlog, &effect)) {
		if (traces) {
			trace_effect(&effect, line);
			qb_log(LOG_TRACE, "%s %s", log->uuid, line);
		}
		do_effect(log, &effect);
	}
}

void pump_event(struct log *log, struct mlog_event *event)
{
	step(log, event);
	while (log->deferred_count > 0) {
		struct mlog_event deferred = log->deferred[0];

		log->deferred_count--;
		memmove(log->deferred, log->deferred + 1,
			log->deferred_count * sizeof(log->deferred[0]));
		step(log, &deferred);
	}
}

void pump_request(struct log *log, const struct mlog_request *request, uint32_t request_type,
		  uint64_t received_us)
{
	struct mlog_event event = {.kind = MLOG_EV_REQUEST, .request = *request};

	log->received[log->received_next] = (struct log_received){
	    .used = true,
	    .seq = request->seq,
	    .request_type = request_type,
	    .received_us = received_us,
	};
	log->received_next = (log->received_next + 1) % LOG_RECEIVED_MAX;
	pump_event(log, &event);
}
