// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/format.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemons/common/message.h"
#include "daemons/common/missing.h"

static const char units[] = "KMGTPE";

void format_bytes(uint64_t bytes, char ret[FORMAT_SIZE])
{
	unsigned power = 0;
	double value = (double)bytes;

	while (value >= 1024 && power < sizeof(units) - 1) {
		value /= 1024;
		power++;
	}
	if (power == 0)
		(void)snprintf(ret, FORMAT_SIZE, "%" PRIu64 " B", bytes);
	else if (value == (double)(uint64_t)value || value >= 100)
		(void)snprintf(ret, FORMAT_SIZE, "%.0f %ciB", value, units[power - 1]);
	else
		(void)snprintf(ret, FORMAT_SIZE, "%.1f %ciB", value, units[power - 1]);
}

void format_bytes_exact(uint64_t bytes, uint64_t unit, char ret[FORMAT_SIZE])
{
	unsigned power = 0;

	while (unit >= 1024) {
		unit /= 1024;
		power++;
	}
	if (power == 0 || (bytes & ((UINT64_C(1) << 10 * power) - 1)) != 0)
		format_bytes(bytes, ret);
	else
		(void)snprintf(ret, FORMAT_SIZE, "%" PRIu64 " %ciB", bytes >> 10 * power,
			       units[power - 1]);
}

void format_percent(uint64_t part, uint64_t whole, char ret[FORMAT_SIZE])
{
	unsigned per_mille = 999; /* what is not whole must not look so */

	if (part >= whole) {
		(void)snprintf(ret, FORMAT_SIZE, "100%%");
		return;
	}
	if ((double)part * 1000 / (double)whole < per_mille)
		per_mille = (unsigned)((double)part * 1000 / (double)whole);
	(void)snprintf(ret, FORMAT_SIZE, "%u.%u%%", per_mille / 10, per_mille % 10);
}

void format_duration(uint64_t seconds, char ret[FORMAT_SIZE])
{
	if (seconds < 60)
		(void)snprintf(ret, FORMAT_SIZE, "%" PRIu64 " s", seconds);
	else if (seconds < 3600)
		(void)snprintf(ret, FORMAT_SIZE, "%" PRIu64 ":%02" PRIu64 " min", seconds / 60,
			       seconds % 60);
	else if (seconds < 86400)
		(void)snprintf(ret, FORMAT_SIZE, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64 " h",
			       seconds / 3600, seconds / 60 % 60, seconds % 60);
	else
		(void)snprintf(ret, FORMAT_SIZE, "%" PRIu64 " d %" PRIu64 " h", seconds / 86400,
			       seconds / 3600 % 24);
}

void format_microseconds(uint64_t microseconds, char ret[FORMAT_SIZE])
{
	if (microseconds < 1000)
		(void)snprintf(ret, FORMAT_SIZE, "%" PRIu64 " us", microseconds);
	else if (microseconds < 1000000)
		(void)snprintf(ret, FORMAT_SIZE, "%.1f ms", (double)microseconds / 1000);
	else
		(void)snprintf(ret, FORMAT_SIZE, "%.1f s", (double)microseconds / 1000000);
}

void format_tenths(double value, char ret[FORMAT_SIZE])
{
	uint64_t tenths = (uint64_t)(value * 10 + 0.5);

	(void)snprintf(ret, FORMAT_SIZE, "%" PRIu64 ".%u", tenths / 10, (unsigned)(tenths % 10));
}

#define BAR_WIDTH 20

void format_bar(double part, double whole, char ret[FORMAT_SIZE])
{
	unsigned length = whole > 0 ? (unsigned)(part / whole * BAR_WIDTH + 0.5) : 0;

	if (length < 1)
		length = 1;
	if (length > BAR_WIDTH)
		length = BAR_WIDTH;
	memset(ret, '#', length);
	ret[length] = '\0';
}

void format_time(uint64_t time_ms, char ret[FORMAT_SIZE])
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm split;

	if (!localtime_r(&seconds, &split) ||
	    strftime(ret, FORMAT_SIZE, "%Y-%m-%d %H:%M:%S", &split) == 0)
		ret[0] = '\0';
}

void format_time_utc(uint64_t time_ms, char ret[FORMAT_SIZE])
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm split;
	size_t length = 0;

	if (gmtime_r(&seconds, &split))
		length = strftime(ret, FORMAT_SIZE, "%Y-%m-%dT%H:%M:%S", &split);
	ret[length] = '\0';
	if (length > 0)
		(void)snprintf(ret + length, FORMAT_SIZE - length, ".%03uZ",
			       (unsigned)(time_ms % 1000));
}

uint64_t format_quantile_us(const struct dlmirror_counter *counter, unsigned per_mille)
{
	uint64_t total = 0;
	uint64_t seen = 0;
	uint64_t rank;
	unsigned i;

	for (i = 0; i < DLMIRROR_BUCKETS; i++)
		total += counter->bucket[i];
	if (total == 0)
		return 0;
	/* The first rank is 1. In two parts, because total * per_mille could overflow. */
	rank = total / 1000 * per_mille + (total % 1000 * per_mille + 999) / 1000;
	if (rank == 0)
		rank = 1;
	for (i = 0; i < DLMIRROR_BUCKETS - 1; i++) {
		seen += counter->bucket[i];
		if (seen >= rank)
			break;
	}
	return UINT64_C(2) << i;
}

uint64_t format_mean_us(const struct dlmirror_counter *counter)
{
	return counter->count ? counter->total_us / counter->count : 0;
}

const char *format_request_type(unsigned type)
{
	static const char *const names[DLMIRROR_TYPES] = {
	    NULL,	    "ctr",
	    "dtr",	    "presuspend",
	    "postsuspend",  "resume",
	    "region-size",  "is-clean",
	    "in-sync",	    "flush",
	    "mark",	    "clear",
	    "resync-work",  "set-region-sync",
	    "sync-count",   "status-info",
	    "status-table", "is-remote-recovering",
	};

	return type < DLMIRROR_TYPES ? names[type] : NULL;
}

const char *format_member_state(char state)
{
	switch (state) {
	case 'R':
		return "ready";
	case 'J':
		return "joining";
	case 'G':
		return "gone";
	default:
		return "unknown";
	}
}

const char *format_leg_health(char health)
{
	switch (health) {
	case 'A':
		return "alive";
	case 'D':
		return "dead (write error)";
	case 'S':
		return "stale (missed a write)";
	case 'R':
		return "read error";
	case 'F':
		return "flush error";
	case MISSING_HEALTH:
		return "missing";
	default:
		return "not known";
	}
}

void format_log_state(const struct dlmirror_mirror *m, char *ret, size_t size)
{
	if (strcmp(m->log_state, "failed") == 0 && m->log_error != 0)
		(void)snprintf(ret, size, "failed: %s", strerror(abs(m->log_error)));
	else
		(void)snprintf(ret, size, "%s", m->log_state);
}

int format_line_length(const char *text)
{
	return (int)strcspn(text, "\n");
}

const char *format_next_line(const char *text)
{
	text += format_line_length(text);
	return text + (*text == '\n');
}

#define MORE ", ..."

void format_regions(const uint64_t *region, uint32_t count, char *ret, size_t size)
{
	char range[2 * FORMAT_SIZE];
	size_t used = 0;
	uint32_t end;

	(void)snprintf(ret, size, "-");
	for (uint32_t i = 0; i < count; i = end) {
		const char *gap = i > 0 ? ", " : "";
		size_t length;

		for (end = i + 1; end < count && region[end] == region[end - 1] + 1; end++)
			;
		if (end - i > 1)
			(void)snprintf(range, sizeof(range), "%s%" PRIu64 "-%" PRIu64, gap,
				       region[i], region[end - 1]);
		else
			(void)snprintf(range, sizeof(range), "%s%" PRIu64, gap, region[i]);
		length = strlen(range);
		/* Unless it is the last, the next one may be the one that does not fit. */
		if (used + length + (end < count ? strlen(MORE) : 0) >= size) {
			(void)snprintf(ret + used, size - used, "%s", used > 0 ? MORE : "...");
			return;
		}
		memcpy(ret + used, range, length + 1);
		used += length;
	}
}

static bool phase_is(const struct dlmirror_mirror *m, const char *phase)
{
	return strcmp(m->phase, phase) == 0;
}

/* What a mirror does or waits for: as sentences, or as the ids of the messages that explain them. */
struct parts {
	char *ret;
	size_t size;
	bool ids;
};

static void __attribute__((format(printf, 3, 4)))
part_add(const struct parts *parts, enum message message, const char *format, ...)
{
	const char *gap = parts->ids ? "\n" : ", ";
	size_t used = strlen(parts->ret);
	va_list args;

	if (used > 0 && used + strlen(gap) < parts->size) {
		strcpy(parts->ret + used, gap);
		used += strlen(gap);
	}
	va_start(args, format);
	if (parts->ids)
		(void)snprintf(parts->ret + used, parts->size - used, "%s", message_id(message));
	else
		(void)vsnprintf(parts->ret + used, parts->size - used, format, args);
	va_end(args);
}

static void resync_add(const struct dlmirror_mirror *m, const struct parts *parts)
{
	uint64_t left = m->region_count - m->in_sync;
	char rate[FORMAT_SIZE];

	if (m->in_sync >= m->region_count)
		return;
	format_bytes(m->resync_rate, rate);
	if (m->resync_rate != 0)
		part_add(parts, MSG_RESYNC, "resync at %s/s at most, %" PRIu64 " regions left",
			 rate, left);
	else if (m->recovering < m->region_count)
		part_add(parts, MSG_RESYNC, "resync, %" PRIu64 " regions left", left);
	else
		part_add(parts, MSG_RESYNC,
			 "%" PRIu64 " regions wait for the kernel to resync them", left);
}

static unsigned legs_missing(const struct dlmirror_mirror *m)
{
	unsigned missing = 0;

	for (uint32_t i = 0; i < m->leg_count; i++)
		missing += m->leg[i].health == MISSING_HEALTH;
	return missing;
}

static void activity_add(const struct dlmirror_mirror *m, const struct parts *parts)
{
	uint32_t i;
	unsigned missing = legs_missing(m);
	unsigned failed = 0;
	unsigned gone = 0;

	if (m->reload[0] != '\0')
		part_add(parts, MSG_RELOAD_WAITS, "reload: %s", m->reload);
	if (m->clustered && !m->quorate && (phase_is(m, "attaching") || phase_is(m, "active")))
		part_add(parts, MSG_QUORUM_LOST, "waits for the cluster's quorum");
	for (i = 0; i < m->member_count; i++)
		gone += m->member[i].state == 'G';
	if (gone > 0)
		part_add(parts, MSG_MEMBER_GONE,
			 "waits until %u nodes have been fenced or are back", gone);
	if (phase_is(m, "attaching"))
		part_add(parts, MSG_ATTACHING,
			 m->clustered ? "joins the other nodes" : "reads its log device");
	if (phase_is(m, "suspending") || phase_is(m, "detaching"))
		part_add(parts, MSG_DETACHING, "writes its log device");
	if (phase_is(m, "created"))
		part_add(parts, MSG_CREATED, "waits for the first resume");
	if (phase_is(m, "suspended"))
		part_add(parts, MSG_SUSPENDED, "waits for a resume");
	if (m->ordered)
		part_add(parts, MSG_SUSPENDED, "is being suspended or resumed");
	if (phase_is(m, "active") && missing == 0)
		resync_add(m, parts);
	if (m->repair > 0)
		part_add(parts, MSG_REPAIR, "repair after a crash, %" PRIu64 " regions left",
			 m->repair);
	if (m->verifying)
		part_add(parts, MSG_VERIFY,
			 m->suspect ? "compares the legs after a gap of the daemon, %" PRIu64
				      " regions left"
				    : "verify, %" PRIu64 " regions left",
			 m->region_count - m->verify_done);
	else if (m->suspect)
		part_add(parts, MSG_VERIFY, "legs to be compared after a gap of the daemon");
	if (strcmp(m->log_state, "failed") == 0)
		part_add(parts, MSG_LOG_FAILED,
			 "waits for its log device, marks are kept in memory");
	for (i = 0; i < m->leg_count; i++)
		failed += m->leg[i].health != 'A' && m->leg[i].health != '?' &&
			  m->leg[i].health != MISSING_HEALTH;
	if (missing > 0)
		part_add(parts, MSG_LEG_DROPPED, "goes on without a leg, until it is replaced");
	if (failed > 0)
		part_add(parts, MSG_LEG_FAILED, "waits for %u failed legs to be replaced", failed);
	if (m->pending > 0)
		part_add(parts, MSG_REQUESTS_WAIT, "%u requests of the kernel wait", m->pending);
}

void format_activity(const struct dlmirror_mirror *m, char *ret, size_t size)
{
	const struct parts parts = {.ret = ret, .size = size};

	ret[0] = '\0';
	activity_add(m, &parts);
}

void format_activity_ids(const struct dlmirror_mirror *m, char *ret, size_t size)
{
	const struct parts parts = {.ret = ret, .size = size, .ids = true};

	ret[0] = '\0';
	activity_add(m, &parts);
}

bool format_settled(const struct dlmirror_mirror *m)
{
	if (m->reload[0] != '\0')
		return false;
	if (phase_is(m, "suspended") || (phase_is(m, "active") && legs_missing(m) > 0))
		return true;
	return phase_is(m, "active") && m->in_sync >= m->region_count && m->repair == 0 &&
	       m->copying == 0 && !m->verifying && !m->suspect;
}

uint64_t format_regions_left(const struct dlmirror_mirror *m)
{
	uint64_t left = m->repair;

	if (m->in_sync < m->region_count)
		left += m->region_count - m->in_sync;
	if (left == 0 && m->verifying && m->verify_done < m->region_count)
		left = m->region_count - m->verify_done;
	return left;
}

/* A few seconds of memory: quick enough to see a change, slow enough to be read. */
#define RATE_MEMORY_MS 5000.0

void format_rate_sample(struct format_rate *rate, uint64_t now_ms, uint64_t left)
{
	double elapsed_ms = (double)(now_ms - rate->at_ms);
	double now;
	double weight;

	/* More to do than before is other work: begin again. */
	if (!rate->begun || left > rate->left) {
		*rate = (struct format_rate){.begun = true, .at_ms = now_ms, .left = left};
		return;
	}
	if (elapsed_ms <= 0)
		return;
	now = (double)(rate->left - left) * 1000 / elapsed_ms;
	weight = elapsed_ms < RATE_MEMORY_MS ? elapsed_ms / RATE_MEMORY_MS : 1;
	rate->regions_s =
	    rate->regions_s > 0 ? rate->regions_s + (now - rate->regions_s) * weight : now;
	rate->at_ms = now_ms;
	rate->left = left;
}

uint64_t format_rate_seconds_left(const struct format_rate *rate)
{
	double seconds;

	if (rate->left == 0)
		return 0;
	if (rate->regions_s <= 0)
		return UINT64_MAX;
	seconds = (double)rate->left / rate->regions_s + 0.5;
	return seconds < 1e9 ? (uint64_t)seconds : UINT64_MAX;
}
