/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The storage port of a log: opens its device when it is first needed or is back, and turns what
 * the storage adapter answers into events.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/daemon.h"
#include "daemons/dlmirrord/message_log.h"

/* All nodes lost power when a reload had been decided and nobody had written yet: what the device
 * says is about other legs. A daemon that took part in the reload knows which of them hold nothing. */
static bool of_other_legs(const struct log *log)
{
	return log->wanted.whole && !log->follows &&
	       storage_revision(log->storage) < log->table.revision;
}

static void on_loaded(void *context, int error, const struct mlog_history *history)
{
	struct log *log = context;
	struct mlog_event event = {.kind = MLOG_EV_LOADED};

	event.loaded.error = error;
	if (error == 0) {
		event.loaded.history = *history;
		/* A note that is there then is about the device before. */
		event.loaded.history.distrust = marker_is_set(log) && !log->succeeds;
		if (history->remark != NULL)
			message_log(LOG_WARNING, MSG_LOG_DAMAGED, "%s: log device %s: %s",
				    log->uuid, log->device, history->remark);
		if (event.loaded.history.distrust)
			message_log(
			    LOG_WARNING, MSG_LOG_DISTRUSTED,
			    "%s: log device %s had failed before the last crash: all regions count "
			    "as out of sync",
			    log->uuid, log->device);
		if (of_other_legs(log)) {
			event.loaded.history.distrust = true;
			message_log(LOG_WARNING, MSG_LOG_DISTRUSTED,
				    "%s: log device %s was that of revision %" PRIu64
				    ", and the table has %" PRIu64
				    ": all regions count as out of sync",
				    log->uuid, log->device, storage_revision(log->storage),
				    log->table.revision);
		}
	}
	log->log_error = error;
	pump_event(&log->pump, &event);
}

static void on_claimed(void *context, int error)
{
	struct log *log = context;

	log->log_error = error;
	pump_event(&log->pump, &(struct mlog_event){.kind = MLOG_EV_CLAIMED, .error = error});
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
	pump_event(&log->pump, &event);
}

static void on_released(void *context, int error)
{
	struct log *log = context;

	pump_event(&log->pump, &(struct mlog_event){.kind = MLOG_EV_RELEASED, .error = error});
}

static void on_slot_read(void *context, uint32_t slot, int error, const uint64_t *dirty)
{
	struct log *log = context;
	struct mlog_event event = {.kind = MLOG_EV_SLOT_READ};

	event.slot.slot = slot;
	event.slot.error = error;
	event.slot.dirty = dirty;
	pump_event(&log->pump, &event);
}

static void on_slot_emptied(void *context, uint32_t slot, int error)
{
	struct log *log = context;
	struct mlog_event event = {.kind = MLOG_EV_SLOT_EMPTIED};

	event.slot.slot = slot;
	event.slot.error = error;
	pump_event(&log->pump, &event);
}

static uint64_t on_word(void *context, enum mlog_area area, uint64_t word)
{
	return mlog_word(((struct log *)context)->pump.mlog, area, word);
}

static uint64_t on_kernel_word(void *context, uint64_t word)
{
	return mlog_kernel_word(((struct log *)context)->pump.mlog, word);
}

static const struct storage_callbacks callbacks = {
    .loaded = on_loaded,
    .claimed = on_claimed,
    .written = on_written,
    .released = on_released,
    .slot_read = on_slot_read,
    .slot_emptied = on_slot_emptied,
    .word = on_word,
    .kernel_word = on_kernel_word,
};

/* Opening: only who waits for this log waits for its device. */

int log_device_open(struct daemon *d, const char *uuid, const struct table *table, opened_fn opened,
		    void *context, char error[STORAGE_ERROR_SIZE])
{
	const struct storage_spec spec = {
	    .device = table->device,
	    .uuid = uuid,
	    .region_count = table->region_count,
	    .region_sectors = table->region_sectors,
	    .revision = table->revision,
	    .slots_wanted = d->config.slots,
	    .node = daemon_node(d, NULL),
	    .owner = d->owner,
	    .boot_id = d->boot_id,
	};
	int code = opener_start(d->opener, &spec, opened, context);

	if (code == 0)
		timers_at(d, clock_ms() + OPENER_MS);
	else
		message_make(error, STORAGE_ERROR_SIZE, MSG_LOG_DEVICE_SILENT, "log device %s: %s",
			     table->device,
			     code == -ETIMEDOUT ? "an earlier attempt to open it has not ended yet"
						: strerror(-code));
	return code;
}

int log_device_use(struct log *log, struct storage *storage, char error[STORAGE_ERROR_SIZE])
{
	/* Where the maps are there already, they must fit. */
	if (log->hot.regions != 0 && (storage_layout(storage)->shift != log->hot.shift ||
				      storage_page_bytes(storage) != log->page_bytes)) {
		storage_close(storage);
		message_make(
		    error, STORAGE_ERROR_SIZE, MSG_LOG_DEVICE_CHANGED,
		    "the size or block size of log device %s has changed; suspend and resume "
		    "the mirror's device with a reloaded table to use it",
		    log->table.device);
		return -ENOSPC;
	}
	storage_use(storage, log->daemon->storage, &callbacks, log);
	log->storage = storage;
	return 0;
}

static void wanted_begin(struct log *log)
{
	if (log->wanted.kind == MLOG_EV_LOADED)
		storage_load(log->storage, log->wanted.slot, log->wanted.whole);
	else
		storage_claim(log->storage, log->wanted.slot, log->wanted.whole);
}

static struct mlog_event wanted_failed(struct log *log, int error, const char *text)
{
	struct mlog_event event = {.kind = log->wanted.kind};

	message_log(LOG_ERR, MSG_LOG_DEVICE_UNUSABLE, "%s: %s", log->uuid, text);
	log->log_error = error;
	if (event.kind == MLOG_EV_LOADED)
		event.loaded.error = error;
	else
		event.error = error;
	return event;
}

static void on_opened(void *context, int error, struct storage *storage, const char *text)
{
	struct log *log = ticket_take(context);
	char unfit[STORAGE_ERROR_SIZE];
	struct mlog_event event;

	if (log == NULL) {
		storage_close(storage);
		return;
	}
	if (error == 0) {
		error = log_device_use(log, storage, unfit);
		text = unfit;
	}
	if (error == 0) {
		wanted_begin(log);
		return;
	}
	event = wanted_failed(log, error, text);
	pump_event(&log->pump, &event);
}

/* A device that was gone may be back; one that came back as another device is looked at anew, once
 * nobody waits for an answer of the old one. */
static void wanted(struct log *log, enum mlog_event_kind kind, uint32_t slot, bool whole)
{
	char text[STORAGE_ERROR_SIZE] = "no memory to open its log device";
	struct ticket *ticket;
	struct mlog_event event;
	int error = -ENOMEM;

	log->wanted.kind = kind;
	log->wanted.slot = slot;
	log->wanted.whole = whole;
	if (log->storage != NULL && storage_in_flight(log->storage) == 0 &&
	    (log->log_error == -ENXIO || log->log_error == -ENODEV))
		log->storage = storage_abandon(log->storage, NULL, NULL);
	if (log->storage != NULL) {
		wanted_begin(log);
		return;
	}
	ticket = ticket_make(&log->daemon->registry, log);
	if (ticket != NULL)
		error =
		    log_device_open(log->daemon, log->uuid, &log->table, on_opened, ticket, text);
	if (error == 0)
		return;
	free(ticket);
	event = wanted_failed(log, error, text);
	pump_defer(&log->pump, &event);
}

void log_device_load(struct log *log, uint32_t slot, bool whole)
{
	wanted(log, MLOG_EV_LOADED, slot, whole);
}

void log_device_claim(struct log *log, uint32_t slot, bool whole)
{
	wanted(log, MLOG_EV_CLAIMED, slot, whole);
}

void log_device_write(struct log *log, enum mlog_area area, uint64_t page)
{
	struct mlog_status status;

	mlog_status(log->pump.mlog, &status);
	storage_write(log->storage, status.slot, area, page);
}

void log_device_release(struct log *log, uint32_t slot, bool whole)
{
	storage_release(log->storage, slot, whole);
}

/* The device could not be opened so far, and only load and claim open it. */
static void slot_refuse(struct log *log, enum mlog_event_kind kind, uint32_t slot)
{
	struct mlog_event event = {.kind = kind};

	event.slot.slot = slot;
	event.slot.error = -ENODEV;
	pump_defer(&log->pump, &event);
}

void log_device_read_slot(struct log *log, uint32_t slot)
{
	if (log->storage != NULL)
		storage_read_slot(log->storage, slot);
	else
		slot_refuse(log, MLOG_EV_SLOT_READ, slot);
}

void log_device_empty_slot(struct log *log, uint32_t slot)
{
	if (log->storage != NULL)
		storage_empty_slot(log->storage, slot);
	else
		slot_refuse(log, MLOG_EV_SLOT_EMPTIED, slot);
}
