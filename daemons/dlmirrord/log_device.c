/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The storage port of a log: opens its device when it is first needed or is back, and turns what
 * the storage adapter answers into events.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <qb/qblog.h>

#include "daemons/dlmirrord/daemon.h"
#include "daemons/dlmirrord/group_local.h"

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
			    "%s: log device %s had failed before the last crash: all regions count "
			    "as out of sync",
			    log->uuid, log->device);
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

int log_device_open(struct log *log, char error[STORAGE_ERROR_SIZE])
{
	struct storage_spec spec = {
	    .device = log->table.device,
	    .uuid = log->uuid,
	    .region_count = log->table.region_count,
	    .region_sectors = log->table.region_sectors,
	    .slots_wanted = log->daemon->config.slots,
	    .node = GROUP_LOCAL_NODE,
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
	code = storage_open(log->daemon->storage, &spec, &callbacks, log, &log->storage, error);
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

/* A device that was gone may be back; one that came back as another device is looked at anew, once
 * nobody waits for an answer of the old one. */
static int ready(struct log *log)
{
	char text[STORAGE_ERROR_SIZE];
	int error;

	if (log->storage != NULL && storage_in_flight(log->storage) == 0 &&
	    (log->log_error == -ENXIO || log->log_error == -ENODEV))
		log->storage = storage_abandon(log->storage);
	if (log->storage != NULL)
		return 0;
	error = log_device_open(log, text);
	if (error != 0) {
		qb_log(LOG_ERR, "%s: log device %s: %s", log->uuid, log->table.device, text);
		log->log_error = error;
	}
	return error;
}

void log_device_load(struct log *log, uint32_t slot, bool whole)
{
	struct mlog_event event = {.kind = MLOG_EV_LOADED};
	int error = ready(log);

	if (error == 0) {
		storage_load(log->storage, slot, whole);
		return;
	}
	event.loaded.error = error;
	pump_defer(&log->pump, &event);
}

void log_device_claim(struct log *log, uint32_t slot, bool whole)
{
	int error = ready(log);

	if (error == 0)
		storage_claim(log->storage, slot, whole);
	else
		pump_defer(&log->pump,
			   &(struct mlog_event){.kind = MLOG_EV_CLAIMED, .error = error});
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
