/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "codec/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REGIONS_SHOWN 8U

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
	    [MLOG_NOTICE_LEG_FAILED] = "a leg missed a write",
	    [MLOG_NOTICE_COPY_FAILED] = "copy failed",
	    [MLOG_NOTICE_VERIFIED] = "verified",
	    [MLOG_NOTICE_OVERFLOW] = "request dropped, table full",
	};

	return code < sizeof(name) / sizeof(name[0]) ? name[code] : "?";
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

static void add_request(struct line *line, const struct mlog_request *request)
{
	add(line, "%s seq %" PRIu32, trace_type_name(request->type), request->seq);
	for (uint32_t i = 0; i < request->region_count && i < REGIONS_SHOWN; i++)
		add(line, "%s%" PRIu64, i == 0 ? " region " : ",", request->region[i]);
	if (request->region_count > REGIONS_SHOWN)
		add(line, ",… %" PRIu32 " in all", request->region_count);
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
		add(&line, "restored");
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
		break;
	case MLOG_EV_VERIFY_STOP:
		add(&line, "verify stop");
		break;
	case MLOG_EV_QUIESCE:
		add(&line, "quiesce %d", event->quiesce);
		break;
	case MLOG_EV_RETRY:
		add(&line, "retry log device");
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
		add(&line, "load log device");
		break;
	case MLOG_CLAIM:
		add(&line, "claim log device");
		break;
	case MLOG_WRITE:
		add(&line, "write %s page %" PRIu64, area_name(effect->write.area),
		    effect->write.page);
		break;
	case MLOG_RELEASE:
		add(&line, "release log device");
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
	}
}
