/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "codec/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *trace_type_name(enum ulog_type type)
{
	static const char *const name[ULOG_TYPES] = {
	    [ULOG_CTR] = "CTR",
	    [ULOG_DTR] = "DTR",
	    [ULOG_PRESUSPEND] = "PRESUSPEND",
	    [ULOG_POSTSUSPEND] = "POSTSUSPEND",
	    [ULOG_RESUME] = "RESUME",
	    [ULOG_GET_REGION_SIZE] = "GET_REGION_SIZE",
	    [ULOG_IS_CLEAN] = "IS_CLEAN",
	    [ULOG_IN_SYNC] = "IN_SYNC",
	    [ULOG_FLUSH] = "FLUSH",
	    [ULOG_MARK_REGION] = "MARK_REGION",
	    [ULOG_CLEAR_REGION] = "CLEAR_REGION",
	    [ULOG_GET_RESYNC_WORK] = "GET_RESYNC_WORK",
	    [ULOG_SET_REGION_SYNC] = "SET_REGION_SYNC",
	    [ULOG_GET_SYNC_COUNT] = "GET_SYNC_COUNT",
	    [ULOG_STATUS_INFO] = "STATUS_INFO",
	    [ULOG_STATUS_TABLE] = "STATUS_TABLE",
	    [ULOG_IS_REMOTE_RECOVERING] = "IS_REMOTE_RECOVERING",
	};

	return type < ULOG_TYPES && name[type] != NULL ? name[type] : "?";
}

const char *trace_notice_name(enum mlog_notice code)
{
	static const char *const name[] = {
	    [MLOG_NOTICE_ATTACHED] = "attached",
	    [MLOG_NOTICE_DETACHED] = "detached",
	    [MLOG_NOTICE_IN_SYNC] = "in sync",
	    [MLOG_NOTICE_REPAIRED] = "repaired",
	    [MLOG_NOTICE_LOG_FAILED] = "log device failed",
	    [MLOG_NOTICE_LOG_OK] = "log device works again",
	    [MLOG_NOTICE_STALE] = "stale",
	    [MLOG_NOTICE_STARVED] = "never quiet",
	    [MLOG_NOTICE_COPY_FAILED] = "copy failed",
	    [MLOG_NOTICE_VERIFIED] = "verified",
	    [MLOG_NOTICE_OVERFLOW] = "request dropped, table full",
	    [MLOG_NOTICE_MEMBER_READY] = "member ready",
	    [MLOG_NOTICE_MEMBER_LEFT] = "member left",
	    [MLOG_NOTICE_MEMBER_GONE] = "member gone",
	    [MLOG_NOTICE_MEMBER_DEAD] = "member dead, its slot taken over",
	    [MLOG_NOTICE_QUORUM] = "quorum",
	    [MLOG_NOTICE_MISMATCH] = "member with another table",
	    [MLOG_NOTICE_OUTDATED] = "the log device has had a later table",
	};

	return code < sizeof(name) / sizeof(name[0]) ? name[code] : "?";
}

const char *trace_message_name(enum mlog_message_kind kind)
{
	static const char *const name[MLOG_MESSAGES] = {
	    [MLOG_MSG_JOIN] = "JOIN",	    [MLOG_MSG_NONE] = "NONE",	[MLOG_MSG_SNAP] = "SNAP",
	    [MLOG_MSG_STATE] = "STATE",	    [MLOG_MSG_READY] = "READY", [MLOG_MSG_LEAVE] = "LEAVE",
	    [MLOG_MSG_SYNC] = "SYNC",	    [MLOG_MSG_LEASE] = "LEASE", [MLOG_MSG_WANT] = "WANT",
	    [MLOG_MSG_UNSEEN] = "UNSEEN",   [MLOG_MSG_CLAIM] = "CLAIM", [MLOG_MSG_DONE] = "DONE",
	    [MLOG_MSG_ACK] = "ACK",	    [MLOG_MSG_DIRTY] = "DIRTY", [MLOG_MSG_MARKS] = "MARKS",
	    [MLOG_MSG_UNMARKS] = "UNMARKS", [MLOG_MSG_LOST] = "LOST",
	};

	return kind < MLOG_MESSAGES && name[kind] != NULL ? name[kind] : "?";
}

struct line {
	char *text;
	size_t used;
};

static void __attribute__((format(printf, 2, 3))) add(struct line *line, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length =
	    vsnprintf(line->text + line->used, TRACE_LINE_SIZE - line->used, format, arguments);
	va_end(arguments);
	if (length > 0)
		line->used += (size_t)length;
	if (line->used >= TRACE_LINE_SIZE)
		line->used = TRACE_LINE_SIZE - 1;
}

static const char *area_name(enum mlog_area area)
{
	return area == MLOG_AREA_SLOT ? "slot" : "sync";
}

static void add_error(struct line *line, int error)
{
	if (error == 0)
		add(line, " ok");
	else
		add(line, " error %s", strerror(-error));
}

/* The first few of them. */
static void add_numbers(struct line *line, const char *what, const uint64_t *number, uint32_t count)
{
	for (uint32_t i = 0; i < count && i < TRACE_REGIONS_SHOWN; i++)
		add(line, "%s%s%" PRIu64, i == 0 ? what : "", i == 0 ? " " : ",", number[i]);
	if (count > TRACE_REGIONS_SHOWN)
		add(line, ",… %" PRIu32 " in all", count);
}

static void add_request(struct line *line, const struct mlog_request *request)
{
	add(line, "%s seq %" PRIu32, trace_type_name(request->type), request->seq);
	add_numbers(line, " region", request->region, request->region_count);
	if (request->type == ULOG_SET_REGION_SYNC)
		add(line, " to %d", request->in_sync);
}

static void add_history(struct line *line, const struct mlog_history *history)
{
	static const char *const name[] = {"blank", "clean", "crashed"};

	add(line, " %s, %" PRIu64 " regions of %" PRIu64 " sectors%s", name[history->load],
	    history->region_count, history->region_sectors,
	    history->distrust ? ", not to be trusted" : "");
}

static void add_view(struct line *line, const struct mlog_event *event)
{
	uint64_t node[MLOG_VIEW_MAX];
	uint32_t count = event->view.count < MLOG_VIEW_MAX ? event->view.count : MLOG_VIEW_MAX;

	for (uint32_t i = 0; i < count; i++)
		node[i] = event->view.node[i];
	add(line, "view");
	add_numbers(line, " of nodes", node, count);
	add(line, event->view.quorate ? ", quorate" : ", no quorum");
}

static void add_lock(struct line *line, uint32_t lock)
{
	if (lock == MLOG_LOCK_MAP)
		add(line, " map");
	else
		add(line, " slot %" PRIu32, lock);
}

static void add_join(struct line *line, const struct mlog_message *m)
{
	add(line, "%s, %" PRIu64 " regions of %" PRIu64 " sectors, log device %d, applied %" PRIu64,
	    m->join.live ? " live" : "", m->join.region_count, m->join.region_sectors,
	    m->join.has_disk, m->join.applied);
	if (m->join.live)
		add(line, ", slot %" PRIu32 ", bound %" PRIu64, m->join.slot, m->join.bound);
	if (m->join.recovering != 0)
		add(line, ", recovering %" PRIu64, m->join.recovering - 1);
	if (m->join.revision != 0)
		add(line, ", revision %" PRIu64, m->join.revision);
}

static void add_dirty(struct line *line, const struct mlog_message *m)
{
	add(line, " slot %" PRIu32 " incarnation %" PRIu64 "%s%s", m->dirty_bits.slot,
	    m->dirty_bits.incarnation, m->dirty_bits.last ? " last" : "",
	    m->dirty_bits.all ? " all" : "");
	add_numbers(line, " bits", m->dirty_bits.items.item, m->dirty_bits.items.count);
}

/* What the kind has beside its sender. Of a STATE that is being sent there is nothing yet. */
static void add_body(struct line *line, const struct mlog_message *m)
{
	switch (m->kind) {
	case MLOG_MSG_JOIN:
		add_join(line, m);
		break;
	case MLOG_MSG_NONE:
		add(line, " to node %" PRIu32 ".%" PRIu64 "%s%s, applied %" PRIu64, m->none.to,
		    m->none.incarnation, m->none.joining ? " joining" : "",
		    m->none.founding ? " founding" : "", m->none.applied);
		break;
	case MLOG_MSG_SNAP:
		add(line, " applied %" PRIu64, m->applied);
		break;
	case MLOG_MSG_LEAVE:
		add(line, "%s", m->dirty ? " dirty" : "");
		break;
	case MLOG_MSG_SYNC:
		add(line, " region %" PRIu64 " to %d", m->sync.region, m->sync.in_sync);
		break;
	case MLOG_MSG_LEASE:
		add(line, " %" PRIu32 " from %" PRIu64, m->lease.regions, m->lease.from);
		break;
	case MLOG_MSG_WANT:
		add(line, " region %" PRIu64, m->region);
		break;
	case MLOG_MSG_UNSEEN:
		add(line, " below %" PRIu64, m->region);
		break;
	case MLOG_MSG_CLAIM:
		add_numbers(line, " region", m->claim.item, m->claim.count);
		break;
	case MLOG_MSG_DONE:
		add(line, " claim #%" PRIu64 " mask %" PRIx32, m->done.claim, m->done.repaired);
		break;
	case MLOG_MSG_ACK:
		add(line, " of #%" PRIu64 " to node %" PRIu32 " busy %" PRIx32, m->ack.seq,
		    m->ack.to, m->ack.busy);
		break;
	case MLOG_MSG_DIRTY:
		add_dirty(line, m);
		break;
	case MLOG_MSG_MARKS:
	case MLOG_MSG_UNMARKS:
		add(line, "%s", m->marks.all ? " all" : "");
		add_numbers(line, " bits", m->marks.items.item, m->marks.items.count);
		break;
	case MLOG_MSG_STATE:
	case MLOG_MSG_READY:
	case MLOG_MSG_LOST:
	case MLOG_MESSAGES:
		break;
	}
}

static void add_message(struct line *line, const struct mlog_message *m)
{
	add(line, "%s", trace_message_name(m->kind));
	add_body(line, m);
}

static void add_delivered(struct line *line, const struct mlog_message *m)
{
	add(line, "from node %" PRIu32 ".%" PRIu64 " #%" PRIu64 ": ", m->from, m->incarnation,
	    m->seq);
	add_message(line, m);
	if (m->kind == MLOG_MSG_STATE)
		add(line,
		    " of #%" PRIu64 ", %" PRIu32 " members, map %" PRIu32 " words %" PRIu64
		    "+%" PRIu32 "%s",
		    m->state.snap, m->state.member_count, m->state.map, m->state.first,
		    m->state.words, m->state.last ? ", last" : "");
}

static void add_log(struct line *line, const char *what, const struct mlog_effect *effect)
{
	add(line, "%s log device, slot %" PRIu32 "%s", what, effect->log.slot,
	    effect->log.whole ? ", whole" : "");
}

void trace_event(const struct mlog_event *event, char ret[TRACE_LINE_SIZE])
{
	static const char *const result[] = {"same", "differed", "repaired", "error", "later"};
	struct line line = {.text = ret};

	add(&line, "< ");
	switch (event->kind) {
	case MLOG_EV_REQUEST:
		add_request(&line, &event->request);
		break;
	case MLOG_EV_CLEARED:
		add(&line, "cleared under a gate: ");
		add_request(&line, &event->request);
		break;
	case MLOG_EV_RESTORED:
		add(&line, "restored%s", event->handed_over ? ", handed over" : "");
		break;
	case MLOG_EV_LOADED:
		add(&line, "loaded");
		add_error(&line, event->loaded.error);
		if (event->loaded.error == 0)
			add_history(&line, &event->loaded.history);
		break;
	case MLOG_EV_CLAIMED:
		add(&line, "claimed");
		add_error(&line, event->error);
		break;
	case MLOG_EV_WRITTEN:
		add(&line, "written %s page %" PRIu64, area_name(event->written.area),
		    event->written.page);
		add_error(&line, event->written.error);
		break;
	case MLOG_EV_RELEASED:
		add(&line, "released");
		add_error(&line, event->error);
		break;
	case MLOG_EV_COPIED:
		add(&line, "copied region %" PRIu64 " %s", event->copied.region,
		    result[event->copied.result]);
		break;
	case MLOG_EV_TIMER:
		add(&line, "timer");
		break;
	case MLOG_EV_VERIFY:
		add(&line, "verify%s", event->verify.repair ? " and repair" : "");
		if (event->verify.region_ns != 0)
			add(&line, ", %" PRIu64 " ns a region", event->verify.region_ns);
		break;
	case MLOG_EV_VERIFY_STOP:
		add(&line, "verify stop");
		break;
	case MLOG_EV_RATE:
		add(&line, "rate, %" PRIu64 " ns a region", event->region_ns);
		break;
	case MLOG_EV_QUIESCE:
		add(&line, "quiesce %d", event->quiesce);
		break;
	case MLOG_EV_RETRY:
		add(&line, "retry log device");
		break;
	case MLOG_EV_ENDED:
		add(&line, "ended");
		break;
	case MLOG_EV_VIEW:
		add_view(&line, event);
		break;
	case MLOG_EV_MESSAGE:
		add_delivered(&line, event->message);
		break;
	case MLOG_EV_LOCKED:
		add(&line, "locked");
		add_lock(&line, event->locked.lock);
		add_error(&line, event->locked.error);
		break;
	case MLOG_EV_SLOT_READ:
		add(&line, "read slot %" PRIu32, event->slot.slot);
		add_error(&line, event->slot.error);
		if (event->slot.error == 0)
			add(&line, event->slot.dirty != NULL ? ", in use" : ", free");
		break;
	case MLOG_EV_SLOT_EMPTIED:
		add(&line, "emptied slot %" PRIu32, event->slot.slot);
		add_error(&line, event->slot.error);
		break;
	}
	add(&line, " at %" PRIu64 " ms", event->now_ms);
}

void trace_effect(const struct mlog_effect *effect, char ret[TRACE_LINE_SIZE])
{
	struct line line = {.text = ret};

	add(&line, "> ");
	switch (effect->kind) {
	case MLOG_REPLY:
		add(&line, "reply %s seq %" PRIu32, trace_type_name(effect->reply.type),
		    effect->reply.seq);
		add_error(&line, effect->reply.error);
		for (uint32_t i = 0; i < effect->reply.words; i++)
			add(&line, " %" PRIu64, effect->reply.word[i]);
		break;
	case MLOG_LOAD:
		add_log(&line, "load", effect);
		break;
	case MLOG_CLAIM:
		add_log(&line, "claim", effect);
		break;
	case MLOG_WRITE:
		add(&line, "write %s page %" PRIu64, area_name(effect->write.area),
		    effect->write.page);
		break;
	case MLOG_RELEASE:
		add_log(&line, "release", effect);
		break;
	case MLOG_COPY:
		add(&line, "%s region %" PRIu64,
		    effect->copy.mode == MLOG_COPY_COMPARE ? "compare" : "repair",
		    effect->copy.region);
		break;
	case MLOG_TIMER:
		if (effect->timer.at_ms == 0)
			add(&line, "no timer");
		else
			add(&line, "timer at %" PRIu64 " ms", effect->timer.at_ms);
		break;
	case MLOG_NOTICE:
		add(&line, "notice: %s, %" PRIu64, trace_notice_name(effect->notice.code),
		    effect->notice.value);
		break;
	case MLOG_SEND:
		add(&line, "send #%" PRIu64 " ", effect->message->seq);
		add_message(&line, effect->message);
		break;
	case MLOG_LOCK:
		add(&line, "lock");
		add_lock(&line, effect->lock.lock);
		add(&line, "%s", effect->lock.keep ? ", keep" : "");
		break;
	case MLOG_UNLOCK:
		add(&line, "unlock");
		add_lock(&line, effect->lock.lock);
		break;
	case MLOG_READ_SLOT:
		add(&line, "read slot %" PRIu32, effect->slot);
		break;
	case MLOG_EMPTY_SLOT:
		add(&line, "empty slot %" PRIu32, effect->slot);
		break;
	case MLOG_WAKE:
		add(&line, "wake the kernel");
		break;
	case MLOG_RELOAD:
		add(&line, "reload the table");
		break;
	}
}
