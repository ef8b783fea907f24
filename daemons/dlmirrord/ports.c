/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's ports of one log: replies to the kernel, notices for people, the trace; what is
 * larger has a file of its own.
 */
#include "daemons/dlmirrord/daemon.h"

#include <inttypes.h>
#include <string.h>

#include <qb/qblog.h>

#include "codec/trace.h"
#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/flight.h"
#include "daemons/dlmirrord/group_local.h"
#include "daemons/dlmirrord/kernel_netlink.h"
#include "daemons/dlmirrord/locks_local.h"
#include "daemons/dlmirrord/logging.h"

/* ---- around a step */

static uint64_t port_now_ms(void *context)
{
	(void)context;
	return clock_ms();
}

/*
 * A step that may obey a MARK or CLEAR is one of those that hot_answer() must not meet: the test of
 * its seq and the change of held belong together. While the mirror is closed every request comes to
 * the core, also those that an attach lets go on.
 */
static void port_step_begin(void *context, const struct mlog_event *event)
{
	struct log *log = context;

	log->obeying = event->kind == MLOG_EV_REQUEST || atomic_load(&log->hot.shared->open) == 0;
	if (log->obeying)
		pthread_mutex_lock(&log->mark_lock);
}

static void port_step_end(void *context)
{
	struct log *log = context;

	if (log->obeying)
		pthread_mutex_unlock(&log->mark_lock);
}

/* ---- the kernel */

void ports_request(struct log *log, const struct mlog_request *request, uint32_t request_type,
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
	pump_event(&log->pump, &event);
}

static void port_reply(void *context, const struct mlog_reply *reply)
{
	struct log *log = context;
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

/* ---- what an admin may want to know */

/* Only what was compared to the end and mended ends a suspicion, not a reset still under way. */
static void compared(struct log *log)
{
	uint32_t comparing = SUSPECT_COMPARING;
	struct mlog_status status;

	mlog_status(log->pump.mlog, &status);
	if (status.verify_repair)
		atomic_compare_exchange_strong(&log->hot.shared->suspect, &comparing, SUSPECT_NO);
}

static void notice_attached(struct log *log, const char *name, uint64_t regions)
{
	qb_log(LOG_NOTICE, "%s: attached, %" PRIu64 " regions to repair", name, regions);
	legs_forget(log);
	legs_refresh(log);
}

static void notice_detached(struct log *log, const char *name)
{
	qb_log(LOG_NOTICE, "%s: detached", name);
	legs_forget(log);
	if (atomic_load(&log->hot.shared->truth) != MLOG_TRUTH_MEMORY)
		marker_clear(log);
}

static void notice_log_failed(struct log *log, const char *name, int error)
{
	qb_log(LOG_ERR,
	       "%s: log device %s failed (%s): serving from memory; after a crash now all regions "
	       "will count as out of sync",
	       name, log->device, strerror(error));
	log->log_error = -error;
	marker_set(log);
}

static void notice_log_ok(struct log *log, const char *name)
{
	qb_log(LOG_NOTICE, "%s: log device %s works again", name, log->device);
	log->log_error = 0;
	marker_clear(log);
}

static void notice_stale(struct log *log, const char *name, uint64_t region)
{
	qb_log(LOG_WARNING,
	       "%s: region %" PRIu64
	       " is out of sync: until it has been recovered, what is written "
	       "there is on the default leg only",
	       name, region);
	log->legs_ms = 0;
	legs_refresh(log);
}

/* About the other nodes. */
static void notice_member(const struct log *log, const char *name, enum mlog_notice code,
			  uint64_t node)
{
	if (node == daemon_node(log->daemon, NULL))
		return;
	switch (code) {
	case MLOG_NOTICE_MEMBER_READY:
		qb_log(LOG_NOTICE, "%s: node %" PRIu64 " has attached it", name, node);
		break;
	case MLOG_NOTICE_MEMBER_LEFT:
		qb_log(LOG_NOTICE, "%s: node %" PRIu64 " has detached it", name, node);
		break;
	case MLOG_NOTICE_MEMBER_GONE:
		qb_log(LOG_WARNING,
		       "%s: node %" PRIu64 " has left and may be writing still: what it had marked "
		       "waits until it has been fenced",
		       name, node);
		break;
	default:
		qb_log(LOG_NOTICE, "%s: node %" PRIu64 " is dead, its marks are ours now", name,
		       node);
		break;
	}
}

static void port_notice(void *context, enum mlog_notice code, uint64_t value)
{
	struct log *log = context;
	const char *name = log->name[0] != '\0' ? log->name : log->uuid;

	switch (code) {
	case MLOG_NOTICE_ATTACHED:
		notice_attached(log, name, value);
		break;
	case MLOG_NOTICE_DETACHED:
		notice_detached(log, name);
		break;
	case MLOG_NOTICE_IN_SYNC:
		qb_log(LOG_NOTICE, "%s: all regions are in sync", name);
		break;
	case MLOG_NOTICE_REPAIRED:
		qb_log(LOG_NOTICE, "%s: crash repair complete, %" PRIu64 " regions differed", name,
		       value);
		break;
	case MLOG_NOTICE_LOG_FAILED:
		notice_log_failed(log, name, (int)value);
		break;
	case MLOG_NOTICE_LOG_OK:
		notice_log_ok(log, name);
		break;
	case MLOG_NOTICE_STALE:
		notice_stale(log, name, value);
		break;
	case MLOG_NOTICE_STARVED:
		qb_log(LOG_NOTICE,
		       "%s: region %" PRIu64 " is written without a break and cannot be repaired "
		       "meanwhile: the kernel recovers it instead",
		       name, value);
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
	case MLOG_NOTICE_MEMBER_READY:
	case MLOG_NOTICE_MEMBER_LEFT:
	case MLOG_NOTICE_MEMBER_GONE:
	case MLOG_NOTICE_MEMBER_DEAD:
		notice_member(log, name, code, value);
		break;
	case MLOG_NOTICE_QUORUM:
		if (value != 0)
			qb_log(LOG_NOTICE, "%s: this node is part of the quorum again", name);
		else
			qb_log(LOG_ERR,
			       "%s: quorum lost: what needs the other nodes waits until it is back",
			       name);
		break;
	case MLOG_NOTICE_MISMATCH:
		qb_log(LOG_ERR,
		       "%s: node %" PRIu64 " has it with another size or region size, so the two "
		       "cannot share it: load the same table on both",
		       name, value);
		break;
	}
}

/* ---- the trace: a line for each, or kept for the flight record */

static void port_trace_event(void *context, const struct mlog_event *event)
{
	const struct log *log = context;
	char line[TRACE_LINE_SIZE];

	if (!logging_traces()) {
		flight_event(log->uuid, event);
		return;
	}
	trace_event(event, line);
	qb_log(LOG_TRACE, "%s %s", log->uuid, line);
}

static void port_trace_effect(void *context, const struct mlog_effect *effect)
{
	const struct log *log = context;
	char line[TRACE_LINE_SIZE];

	if (!logging_traces()) {
		flight_effect(log->uuid, effect);
		return;
	}
	trace_effect(effect, line);
	qb_log(LOG_TRACE, "%s %s", log->uuid, line);
}

/* ---- what has a file of its own */

static void port_load(void *context, uint32_t slot, bool whole)
{
	log_device_load(context, slot, whole);
}

static void port_claim(void *context, uint32_t slot, bool whole)
{
	log_device_claim(context, slot, whole);
}

static void port_write(void *context, enum mlog_area area, uint64_t page)
{
	log_device_write(context, area, page);
}

static void port_release(void *context, uint32_t slot, bool whole)
{
	log_device_release(context, slot, whole);
}

static void port_read_slot(void *context, uint32_t slot)
{
	log_device_read_slot(context, slot);
}

static void port_empty_slot(void *context, uint32_t slot)
{
	log_device_empty_slot(context, slot);
}

static void port_copy(void *context, uint64_t region, enum mlog_copy_mode mode)
{
	legs_copy(context, region, mode);
}

static void port_timer(void *context, uint64_t at_ms)
{
	timers_ask(context, at_ms);
}

static void port_send(void *context, const struct mlog_message *message)
{
	struct log *log = context;

	if (log->daemon->cluster != NULL)
		cluster_send(log->daemon->cluster, log, message);
	else
		group_local_send(&log->pump, message);
}

static void port_effects_end(void *context)
{
	struct log *log = context;

	if (log->daemon->cluster != NULL)
		cluster_sent(log->daemon->cluster);
}

static void port_lock(void *context, uint32_t lock, bool keep)
{
	struct log *log = context;

	if (log->daemon->cluster != NULL)
		cluster_lock(log->daemon->cluster, log, lock, keep);
	else /* nobody else could take it after our death */
		locks_local_lock(&log->pump, lock);
}

static void port_unlock(void *context, uint32_t lock)
{
	struct log *log = context;

	if (log->daemon->cluster != NULL)
		cluster_unlock(log->daemon->cluster, log, lock);
	else
		locks_local_unlock(&log->pump, lock);
}

static void port_wake(void *context)
{
	legs_wake(context);
}

static void port_reload(void *context)
{
	legs_reload(context);
}

const struct pump_ports ports = {
    .now_ms = port_now_ms,
    .step_begin = port_step_begin,
    .step_end = port_step_end,
    .effects_end = port_effects_end,
    .reply = port_reply,
    .load = port_load,
    .claim = port_claim,
    .write = port_write,
    .release = port_release,
    .read_slot = port_read_slot,
    .empty_slot = port_empty_slot,
    .copy = port_copy,
    .timer = port_timer,
    .notice = port_notice,
    .send = port_send,
    .lock = port_lock,
    .unlock = port_unlock,
    .wake = port_wake,
    .reload = port_reload,
    .trace_event = port_trace_event,
    .trace_effect = port_trace_effect,
};
