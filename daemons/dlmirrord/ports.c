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

static void reply_send(struct log *log, const struct mlog_reply *reply)
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

/* What the table does with writes that a leg misses is to be known before there are any, because
 * others hear of those it does not hold. Device-mapper is being asked for that since the attach
 * (notice_attached()). */
static bool resume_withhold(struct log *log, const struct mlog_reply *reply)
{
	if (reply->type != ULOG_RESUME || reply->error != 0 || log->resume_withheld ||
	    !log->finding || atomic_load(&log->hot.shared->hold) != HOT_HOLD_NO)
		return false;
	log->resume = *reply;
	log->resume_ms = clock_ms();
	log->resume_withheld = true;
	return true;
}

void ports_resume_answer(struct log *log)
{
	if (!log->resume_withheld)
		return;
	log->resume_withheld = false;
	reply_send(log, &log->resume);
}

static void port_reply(void *context, const struct mlog_reply *reply)
{
	struct log *log = context;

	if (!resume_withhold(log, reply))
		reply_send(log, reply);
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

/* By a later table that a reload has made, which another node has resumed with already. */
static bool replaced(const struct log *log)
{
	const struct registry *registry = &log->daemon->registry;

	for (size_t i = 0; i < registry->count; i++)
		if (strcmp(registry->log[i]->uuid, log->uuid) == 0 &&
		    registry->log[i]->table.revision > log->table.revision)
			return true;
	return false;
}

static void notice_attached(struct log *log, uint64_t regions)
{
	log->succeeds = false;
	event_log(log, EVENT_ATTACHED, regions, "attached, %" PRIu64 " regions to repair", regions);
	legs_forget(log);
	legs_refresh(log);
}

static void notice_detached(struct log *log)
{
	event_log(log, EVENT_DETACHED, 0, "detached");
	legs_forget(log);
	if (atomic_load(&log->hot.shared->truth) != MLOG_TRUTH_MEMORY)
		marker_clear(log);
}

static void notice_log_failed(struct log *log, int error)
{
	event_log(log, EVENT_LOG_FAILED, (uint64_t)error,
		  "log device %s failed (%s): serving from memory; after a crash now all regions "
		  "will count as out of sync",
		  log->device, strerror(error));
	log->log_error = -error;
	log->succeeds = false;
	marker_set(log);
}

static void notice_log_ok(struct log *log)
{
	event_log(log, EVENT_LOG_BACK, 0, "log device %s works again", log->device);
	log->log_error = 0;
	marker_clear(log);
}

static void notice_stale(struct log *log, uint64_t region)
{
	event_log(log, EVENT_REGION_STALE, region,
		  "region %" PRIu64 " is out of sync: until it has been recovered, what is written "
		  "there is on the default leg only",
		  region);
	log->legs_ms = 0;
	legs_refresh(log);
}

static void notice_verified(struct log *log, uint64_t regions)
{
	event_log(log, regions > 0 ? EVENT_LEGS_DIFFERED : EVENT_COMPARED, regions,
		  "legs compared, %" PRIu64 " regions differed", regions);
	compared(log);
}

/* About the other nodes. */
static void notice_member(struct log *log, enum mlog_notice code, uint64_t node)
{
	if (node == daemon_node(log->daemon, NULL))
		return;
	switch (code) {
	case MLOG_NOTICE_MEMBER_READY:
		event_log(log, EVENT_MEMBER_JOINED, node, "node %" PRIu64 " has attached it", node);
		break;
	case MLOG_NOTICE_MEMBER_LEFT:
		event_log(log, EVENT_MEMBER_LEFT, node, "node %" PRIu64 " has detached it", node);
		break;
	case MLOG_NOTICE_MEMBER_GONE:
		event_log(log, EVENT_MEMBER_GONE, node,
			  "node %" PRIu64 " has left and may be writing still: what it had marked "
			  "waits until it has been fenced",
			  node);
		break;
	default:
		event_log(log, EVENT_MEMBER_DEAD, node,
			  "node %" PRIu64 " is dead, its marks are ours now", node);
		break;
	}
}

static void notice_quorum(struct log *log, bool regained)
{
	if (regained)
		event_log(log, EVENT_QUORUM_BACK, 0, "this node is part of the quorum again");
	else
		event_log(log, EVENT_QUORUM_LOST, 0,
			  "quorum lost: what needs the other nodes waits until it is back");
}

static void port_notice(void *context, enum mlog_notice code, uint64_t value)
{
	struct log *log = context;

	switch (code) {
	case MLOG_NOTICE_ATTACHED:
		notice_attached(log, value);
		break;
	case MLOG_NOTICE_DETACHED:
		notice_detached(log);
		break;
	case MLOG_NOTICE_IN_SYNC:
		event_log(log, EVENT_IN_SYNC, 0, "all regions are in sync");
		break;
	case MLOG_NOTICE_REPAIRED:
		event_log(log, EVENT_REPAIRED, value,
			  "crash repair complete, %" PRIu64 " regions differed", value);
		break;
	case MLOG_NOTICE_LOG_FAILED:
		notice_log_failed(log, (int)value);
		break;
	case MLOG_NOTICE_LOG_OK:
		notice_log_ok(log);
		break;
	case MLOG_NOTICE_STALE:
		notice_stale(log, value);
		break;
	case MLOG_NOTICE_STARVED:
		event_log(log, EVENT_REGION_STARVED, value,
			  "region %" PRIu64 " is written without a break and cannot be repaired "
			  "meanwhile: the kernel recovers it instead",
			  value);
		break;
	case MLOG_NOTICE_COPY_FAILED:
		event_log(log, EVENT_COPY_FAILED, value,
			  "region %" PRIu64 " could not be compared, again later", value);
		break;
	case MLOG_NOTICE_VERIFIED:
		notice_verified(log, value);
		break;
	case MLOG_NOTICE_OVERFLOW:
		event_log(log, EVENT_REQUEST_DROPPED, 0, "too many requests wait, one was dropped");
		break;
	case MLOG_NOTICE_MEMBER_READY:
	case MLOG_NOTICE_MEMBER_LEFT:
	case MLOG_NOTICE_MEMBER_GONE:
	case MLOG_NOTICE_MEMBER_DEAD:
		notice_member(log, code, value);
		break;
	case MLOG_NOTICE_QUORUM:
		notice_quorum(log, value != 0);
		break;
	case MLOG_NOTICE_OUTDATED:
		if (replaced(log))
			break;
		event_log(log, EVENT_TABLE_OUTDATED, log->table.revision,
			  "its log device has had a later table than this one of revision %" PRIu64
			  ": it is not served, restart this node and activate it with the "
			  "newer configuration",
			  log->table.revision);
		break;
	case MLOG_NOTICE_MISMATCH:
		event_log(log, EVENT_GEOMETRY_DIFFERS, value,
			  "node %" PRIu64 " has it with another size, region size or "
			  "revision, so the two cannot share it: load the same table on both",
			  value);
		break;
	}
}

/* Of the phases, those that no notice ends: somebody may have to wait for what they wait for. */
static void phase_tell(struct log *log)
{
	uint32_t phase = atomic_load(&log->hot.shared->phase);

	if (phase == log->phase_told)
		return;
	log->phase_told = phase;
	if (phase == MLOG_ATTACHING)
		event_log(log, EVENT_ATTACHING, 0, "is attached now");
	else if (phase == MLOG_SUSPENDING)
		event_log(log, EVENT_SUSPENDING, 0, "is suspended now");
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

	phase_tell(log);
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
