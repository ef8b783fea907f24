// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/page.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "daemons/dlmirror/drawing.h"
#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/utf8.h"

#define SECTOR_BYTES 512U
#define TEXT_SIZE    1024U

static const char style[] =
    ":root{color-scheme:light dark;--back:#fff;--text:#1b1b1b;--line:#d0d0d0;--faint:#666;"
    "--ok:#17692d;--warning:#8a5700;--problem:#b3151c;--unknown:#3f5f8a}\n"
    "@media(prefers-color-scheme:dark){:root{--back:#16181b;--text:#e4e4e4;--line:#3a3d42;"
    "--faint:#a0a0a0;--ok:#6fcf87;--warning:#e3b04b;--problem:#ff7b78;--unknown:#93b7e6}}\n"
    "body{background:var(--back);color:var(--text);font:15px/1.5 system-ui,sans-serif;"
    "max-width:75rem;margin:2rem auto;padding:0 1rem}\n"
    "h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2rem}\n"
    "section{overflow-x:auto}\n"
    "table{border-collapse:collapse}\n"
    "th,td{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0;"
    "border-bottom:1px solid var(--line)}\n"
    "th{font-weight:600}td.n{text-align:right;font-variant-numeric:tabular-nums}\n"
    "p,.faint{color:var(--faint)}meter{width:12rem}\n"
    ".ok{color:var(--ok)}.warning{color:var(--warning)}.problem{color:var(--problem)}"
    ".unknown{color:var(--unknown)}\n"
    "svg.map{width:100%;display:block}svg.patch{width:.8rem;height:.8rem}"
    "svg.curve{width:24rem;height:2.5rem;display:block}\n"
    "polyline{fill:none;stroke:var(--ok);stroke-width:2;vector-effect:non-scaling-stroke}\n"
    ".in-sync{fill:#7dbb8a}.dirty{fill:#3d6fb6}.copying{fill:#22a7b8}.crash-dirty{fill:#a63db0}"
    ".stale{fill:#c9302c}\n";

/* Prints what stands for itself in HTML, whatever it holds. */
static void __attribute__((format(printf, 2, 3))) say(FILE *to, const char *format, ...)
{
	char text[TEXT_SIZE];
	const char *at;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (at = text; *at; at++) {
		size_t size = utf8_size(at);

		if (strchr("<>&\"'", *at))
			(void)fprintf(to, "&#%d;", *at);
		else if (size == 0 || (unsigned char)*at < ' ' || *at == 0x7f)
			(void)fputs("&#xfffd;", to);
		else
			(void)fwrite(at, 1, size, to);
		at += size > 1 ? size - 1 : 0;
	}
}

static void section_begin(FILE *to, const char *heading)
{
	(void)fputs("<section>\n<h2>", to);
	say(to, "%s", heading);
	(void)fputs("</h2>\n<table>\n", to);
}

static void section_end(FILE *to)
{
	(void)fputs("</table>\n</section>\n", to);
}

static void headings(FILE *to, const char *const *names, size_t count)
{
	size_t i;

	(void)fputs("<tr>", to);
	for (i = 0; i < count; i++) {
		(void)fputs("<th>", to);
		say(to, "%s", names[i]);
		(void)fputs("</th>", to);
	}
	(void)fputs("</tr>\n", to);
}

static void cell(FILE *to, const char *value)
{
	(void)fputs("<td>", to);
	say(to, "%s", value);
	(void)fputs("</td>", to);
}

static void cell_number(FILE *to, uint64_t value)
{
	(void)fprintf(to, "<td class=\"n\">%" PRIu64 "</td>", value);
}

/* A row of a name and a value. */
static void __attribute__((format(printf, 3, 4)))
fact(FILE *to, const char *name, const char *format, ...)
{
	char text[TEXT_SIZE];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)fputs("<tr><th>", to);
	say(to, "%s", name);
	(void)fputs("</th>", to);
	cell(to, text);
	(void)fputs("</tr>\n", to);
}

/* ---- the doctor's lines */

static void on_check(void *context, const struct check *check)
{
	FILE *to = context;
	const char *name = check_result_name(check->result);

	(void)fprintf(to, "<tr><td class=\"%s\">%s</td>", name, name);
	cell(to, check->mirror ? check->mirror : "");
	cell(to, check->what);
	cell(to, check->remedy);
	cell(to, check->result == CHECK_OK ? "" : message_id(check->id));
	(void)fputs("</tr>\n", to);
}

static void checks_write(const struct facts *f, FILE *to)
{
	static const char *const names[] = {"Result", "Mirror", "What", "Remedy", "Id"};

	section_begin(to, "Diagnosis");
	headings(to, names, 5);
	checks_run(f, on_check, to);
	section_end(to);
}

/* ---- mirrors */

static const char *label(const struct dlmirror_mirror *m)
{
	return m->name[0] ? m->name : m->uuid;
}

static void mirrors_write(const struct facts *f, FILE *to)
{
	static const char *const names[] = {"Name",  "State",  "Size", "In sync",
					    "Dirty", "Repair", "Log",  "Activity"};
	size_t i;

	section_begin(to, "Mirrors");
	headings(to, names, 8);
	for (i = 0; i < f->mirror_count; i++) {
		const struct dlmirror_mirror *m = &f->mirror[i].mirror;
		char text[256];

		(void)fputs("<tr>", to);
		cell(to, label(m));
		cell(to, m->phase);
		format_bytes(m->length_sectors * SECTOR_BYTES, text);
		cell(to, text);
		format_percent(m->in_sync, m->region_count, text);
		cell(to, text);
		cell_number(to, m->dirty);
		cell_number(to, m->repair);
		format_log_state(m, text, sizeof(text));
		cell(to, m->has_disk ? text : "in memory");
		format_activity(m, text, sizeof(text));
		cell(to, text);
		(void)fputs("</tr>\n", to);
	}
	section_end(to);
}

/* So many of the regions, as a bar. */
static void regions_bar(FILE *to, const char *name, uint64_t part, uint64_t whole)
{
	char percent[FORMAT_SIZE];

	format_percent(part, whole, percent);
	(void)fputs("<tr><th>", to);
	say(to, "%s", name);
	(void)fprintf(to,
		      "</th><td><meter max=\"%" PRIu64 "\" value=\"%" PRIu64 "\">%s</meter></td>"
		      "<td class=\"n\">%" PRIu64 "</td><td>%s</td></tr>\n",
		      whole > 0 ? whole : 1, part, percent, part, percent);
}

static void regions_write(const struct dlmirror_mirror *m, FILE *to)
{
	char heading[TEXT_SIZE];
	char size[FORMAT_SIZE];

	format_bytes(m->region_sectors * SECTOR_BYTES, size);
	(void)snprintf(heading, sizeof(heading), "%s: %" PRIu64 " regions of %s", label(m),
		       m->region_count, size);
	section_begin(to, heading);
	regions_bar(to, "in sync", m->in_sync, m->region_count);
	regions_bar(to, "dirty", m->dirty, m->region_count);
	regions_bar(to, "to be repaired", m->repair, m->region_count);
	section_end(to);
}

/* Where they are. */
static void map_write(const struct region_map *map, FILE *to)
{
	char heading[TEXT_SIZE];

	(void)snprintf(heading, sizeof(heading), "%s: map", label(&map->mirror));
	section_begin(to, heading);
	for (unsigned i = 0; i < DLMIRROR_REGIONS; i++) {
		enum dlmirror_region state = (enum dlmirror_region)i;

		(void)fputs("<tr><td>", to);
		drawing_patch(to, state);
		(void)fputs("</td>", to);
		cell_number(to, picture_state_regions(&map->picture, map->cell, state));
		cell(to, picture_state_meaning(state));
		(void)fputs("</tr>\n", to);
	}
	(void)fputs("</table>\n", to);
	if (map->picture.per_cell > 1) {
		(void)fputs("<p>", to);
		say(to, "A cell is %" PRIu64 " regions, and shows the worst of them.",
		    map->picture.per_cell);
		(void)fputs("</p>\n", to);
	}
	drawing_regions(to, &map->picture, map->cell);
	(void)fputs("\n</section>\n", to);
}

/* ---- how busy a mirror was while the page was made */

static void rate_cell(FILE *to, enum course_kind kind, double rate)
{
	char text[FORMAT_SIZE];

	if (kind == COURSE_SYNCED)
		format_bytes((uint64_t)rate, text);
	else
		format_tenths(rate, text);
	(void)fputs("<td class=\"n\">", to);
	say(to, "%s", text);
	(void)fputs("</td>", to);
}

static void rate_write(FILE *to, enum course_kind kind, const struct course *course)
{
	static const char *const names[COURSE_KINDS] = {
	    [COURSE_REQUESTS] = "requests",
	    [COURSE_MARKS] = "marks",
	    [COURSE_LOG_WRITES] = "writes to the log device",
	    [COURSE_SYNCED] = "brought in sync",
	};
	const double *rate = course->rate[kind];
	double sum = 0;
	double most = 0;

	for (unsigned i = 0; i < course->points; i++) {
		sum += rate[i];
		most = rate[i] > most ? rate[i] : most;
	}
	(void)fputs("<tr>", to);
	cell(to, names[kind]);
	(void)fputs("<td>", to);
	drawing_line(to, rate, course->points);
	(void)fputs("</td>", to);
	rate_cell(to, kind, sum / course->points);
	rate_cell(to, kind, most);
	(void)fputs("</tr>\n", to);
}

static void course_write(const struct courses *courses, const struct dlmirror_mirror *m, FILE *to)
{
	const struct course *course = courses_find(courses, m->uuid);
	char heading[TEXT_SIZE];
	char seconds[FORMAT_SIZE];

	if (!course || course->points == 0)
		return;
	format_duration((uint64_t)course->points * courses->step_ms / 1000, seconds);
	(void)snprintf(heading, sizeof(heading), "%s: rates of %s", label(m), seconds);
	section_begin(to, heading);
	headings(to, (const char *const[]){"Each second", "", "Mean", "Most"}, 4);
	for (unsigned kind = 0; kind < COURSE_KINDS; kind++)
		rate_write(to, (enum course_kind)kind, course);
	section_end(to);
}

/* ---- what happened */

static void events_write(const struct page *page, FILE *to)
{
	section_begin(to, "Events, the newest first");
	headings(to, (const char *const[]){"Time", "Mirror", "Event", "What"}, 4);
	for (size_t i = page->event_count; i > 0; i--) {
		const struct dlmirror_event *event = &page->event[i - 1];
		char time[FORMAT_SIZE];

		format_time(event->time_ms, time);
		(void)fputs("<tr>", to);
		cell(to, time);
		cell(to, event->name[0] ? event->name : event->uuid);
		cell(to, event->id);
		cell(to, event->text);
		(void)fputs("</tr>\n", to);
	}
	section_end(to);
}

static void parts_write(const struct facts_mirror *of, FILE *to)
{
	const struct dlmirror_mirror *m = &of->mirror;
	char heading[TEXT_SIZE];
	char name[64];
	char text[128];
	uint32_t i;

	(void)snprintf(heading, sizeof(heading), "%s: legs, log and nodes", label(m));
	section_begin(to, heading);
	for (i = 0; i < m->leg_count; i++)
		fact(to, "Leg", "%s: %s", of->leg[i].label, format_leg_health(m->leg[i].health));
	format_log_state(m, text, sizeof(text));
	if (m->has_disk)
		fact(to, "Log", "%s: %s", of->log.label, text);
	else
		fact(to, "Log", "in memory");
	for (i = 0; i < m->member_count; i++) {
		if (m->member[i].node == UINT32_MAX)
			(void)snprintf(name, sizeof(name), "Unknown node");
		else
			(void)snprintf(name, sizeof(name), "Node %" PRIu32, m->member[i].node);
		fact(to, name, "%s", format_member_state(m->member[i].state));
	}
	fact(to, "Log uuid", "%s", m->uuid);
	section_end(to);
}

static void counters_write(const struct facts_mirror *of, FILE *to)
{
	static const char *const names[] = {"Request", "Count",	    "Errors",
					    "Mean",    "P50 below", "P99 below"};
	char heading[TEXT_SIZE];
	char text[FORMAT_SIZE];
	unsigned type;

	(void)snprintf(heading, sizeof(heading), "%s: requests", label(&of->mirror));
	section_begin(to, heading);
	headings(to, names, 6);
	for (type = 0; type < DLMIRROR_TYPES; type++) {
		const struct dlmirror_counter *c = &of->counters.type[type];

		if (!format_request_type(type) || c->count == 0)
			continue;
		(void)fputs("<tr>", to);
		cell(to, format_request_type(type));
		cell_number(to, c->count);
		cell_number(to, c->errors);
		format_microseconds(format_mean_us(c), text);
		cell(to, text);
		format_microseconds(format_quantile_us(c, 500), text);
		cell(to, text);
		format_microseconds(format_quantile_us(c, 990), text);
		cell(to, text);
		(void)fputs("</tr>\n", to);
	}
	section_end(to);
}

/* ---- the daemon */

static void cluster_write(const struct dlmirror_cluster *c, FILE *to)
{
	section_begin(to, "Cluster");
	fact(to, "Name", "%s", c->name);
	fact(to, "Node", "%" PRIu32, c->node);
	fact(to, "Quorum", "%s", c->quorate ? "yes" : "no");
	fact(to, "Nodes with a daemon", "%" PRIu32, c->view_count);
	fact(to, "Protocol", "%" PRIu32, c->protocol);
	fact(to, "Messages", "%" PRIu64 " sent, %" PRIu64 " received, %" PRIu32 " wait", c->sent,
	     c->received, c->queued);
	fact(to, "Fencing", "%s", c->fencing ? "yes" : "no");
	section_end(to);
}

static void daemon_write(const struct dlmirror_daemon *d, FILE *to)
{
	char text[FORMAT_SIZE];

	section_begin(to, "Daemon");
	fact(to, "Version", "%s", d->version);
	fact(to, "Host", "%s (%s)", d->host_name, d->host_id);
	format_duration(d->uptime_s, text);
	fact(to, "Up for", "%s", text);
	fact(to, "Planned restarts", "%" PRIu32, d->generation);
	fact(to, "Requests", "%" PRIu64, d->requests);
	fact(to, "Malformed, buffer overruns", "%" PRIu64 ", %" PRIu64, d->malformed, d->overruns);
	format_bytes(d->memory_bytes, text);
	fact(to, "Memory", "%s", text);
	section_end(to);
	if (d->cluster.enabled)
		cluster_write(&d->cluster, to);
}

static void head_write(const struct page *page, bool answers, FILE *to)
{
	(void)fprintf(to,
		      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		      "<meta name=\"viewport\" content=\"width=device-width\">\n"
		      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		      "style-src 'unsafe-inline'\">\n<title>Mirrors</title>\n"
		      "<style>\n%s</style>\n</head>\n<body>\n<h1>Mirrors",
		      style);
	if (answers)
		say(to, " of %s", page->facts->daemon.host_name);
	(void)fputs("</h1>\n<p>", to);
	say(to, "%s, dlmirror %s", page->now, page->facts->version);
	(void)fputs("</p>\n", to);
}

void page_write(const struct page *page, FILE *to)
{
	const struct facts *f = page->facts;
	bool answers = f->reachable.known && f->reachable.value != 0;
	size_t i;

	head_write(page, answers, to);
	if (f->mirror_count > 0)
		mirrors_write(f, to);
	checks_write(f, to);
	for (i = 0; i < f->mirror_count; i++) {
		regions_write(&f->mirror[i].mirror, to);
		if (page->map && page->map[i].cell)
			map_write(&page->map[i], to);
		if (page->courses)
			course_write(page->courses, &f->mirror[i].mirror, to);
		parts_write(&f->mirror[i], to);
		counters_write(&f->mirror[i], to);
	}
	if (page->event_count > 0)
		events_write(page, to);
	if (answers)
		daemon_write(&f->daemon, to);
	(void)fputs("</body>\n</html>\n", to);
}
