// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror show: everything about one mirror, with counters and latencies. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/mirrors.h"
#include "daemons/dlmirror/verb.h"

static void facts_about_log(struct ui_facts *facts, const struct dlmirror_mirror *m)
{
	char text[320];

	if (!m->has_disk) {
		ui_fact(facts, "Log device", "none: marks are kept in memory");
		return;
	}
	mirror_log_device(m, text, sizeof(text));
	ui_fact(facts, "Log device", "%s", text);
	format_log_state(m, text, sizeof(text));
	ui_fact(facts, "Log state", "%s", text);
	ui_fact(facts, "Log writes", "%" PRIu64, m->log_writes);
}

static void facts_about_verify(struct ui_facts *facts, const struct dlmirror_mirror *m)
{
	if (m->verify_done == 0 && !m->verifying)
		return;
	ui_fact(facts, m->verifying ? "Verify, running" : "Last verify",
		"%" PRIu64 " regions, %" PRIu64 " of them skipped; %" PRIu64 " differed, %" PRIu64
		" repaired",
		m->verify_done, m->verify_skipped, m->verify_differed, m->verify_repaired);
}

static void facts_about_legs(struct ui_facts *facts, const struct dlmirror_mirror *m)
{
	char label[32];
	char device[320];
	uint32_t i;

	for (i = 0; i < m->leg_count; i++) {
		const struct dlmirror_leg *leg = &m->leg[i];

		(void)snprintf(label, sizeof(label), "Leg %u", i);
		mirror_device(leg->major, leg->minor, device, sizeof(device));
		ui_fact(facts, label, "%s from sector %" PRIu64 ": %s", device, leg->start_sector,
			format_leg_health(leg->health));
	}
}

static void fact_about_rate(struct ui_facts *facts, const struct dlmirror_mirror *m)
{
	char text[FORMAT_SIZE];

	format_bytes(m->resync_rate, text);
	if (m->resync_rate == 0)
		ui_fact(facts, "Resync rate", "unlimited");
	else
		ui_fact(facts, "Resync rate", "at most %s/s on this node", text);
}

static void show_facts(const struct dlmirror_mirror *m)
{
	struct ui_facts *facts = ui_facts("mirror", false);
	char text[256];

	ui_fact(facts, "Name", "%s", m->name[0] ? m->name : "not known yet");
	ui_fact(facts, "Log uuid", "%s", m->uuid);
	ui_fact(facts, "State", "%s", m->phase);
	format_activity(m, text, sizeof(text));
	ui_fact(facts, "Activity", "%s", text[0] ? text : "none");
	format_bytes(m->length_sectors * SECTOR_BYTES, text);
	ui_fact(facts, "Size", "%s (%" PRIu64 " sectors)", text, m->length_sectors);
	format_bytes(m->region_sectors * SECTOR_BYTES, text);
	ui_fact(facts, "Regions", "%" PRIu64 " of %s", m->region_count, text);
	ui_fact(facts, "Revision", "%" PRIu64, m->revision);
	format_percent(m->in_sync, m->region_count, text);
	ui_fact(facts, "In sync", "%" PRIu64 " (%s)", m->in_sync, text);
	ui_fact(facts, "Dirty", "%" PRIu64, m->dirty);
	ui_fact(facts, "To repair", "%" PRIu64 " (%" PRIu64 " being copied)", m->repair,
		m->copying);
	ui_fact(facts, "Requests waiting", "%" PRIu32, m->pending);
	facts_about_log(facts, m);
	facts_about_legs(facts, m);
	facts_about_verify(facts, m);
	fact_about_rate(facts, m);
	ui_fact(facts, "Options", "%s%s%s", m->integrated_flush ? "integrated_flush " : "",
		m->handle_errors ? "handle_errors" : "",
		m->integrated_flush || m->handle_errors ? "" : "none");
	format_bytes(m->memory_bytes, text);
	ui_fact(facts, "Memory", "%s", text);
	ui_facts_print(facts);
}

static void row_text(struct libscols_line *row, const char *type, const struct dlmirror_counter *c)
{
	char text[FORMAT_SIZE];

	ui_cell(row, 0, "%s", type);
	ui_cell(row, 1, "%" PRIu64, c->count);
	ui_cell(row, 2, "%" PRIu64, c->errors);
	format_microseconds(format_mean_us(c), text);
	ui_cell(row, 3, "%s", text);
	format_microseconds(format_quantile_us(c, 500), text);
	ui_cell(row, 4, "%s", text);
	format_microseconds(format_quantile_us(c, 990), text);
	ui_cell(row, 5, "%s", text);
}

static void row_json(struct libscols_line *row, const char *type, const struct dlmirror_counter *c)
{
	ui_cell(row, 0, "%s", type);
	ui_cell(row, 1, "%" PRIu64, c->count);
	ui_cell(row, 2, "%" PRIu64, c->errors);
	ui_cell(row, 3, "%" PRIu64, format_mean_us(c));
	ui_cell(row, 4, "%" PRIu64, format_quantile_us(c, 500));
	ui_cell(row, 5, "%" PRIu64, format_quantile_us(c, 990));
}

static struct libscols_table *counters_table(const struct dlmirror_counters *counters, bool json)
{
	static const struct ui_column text[] = {
	    {"REQUEST", 0, 0},
	    {"COUNT", SCOLS_FL_RIGHT, 0},
	    {"ERRORS", SCOLS_FL_RIGHT, 0},
	    {"MEAN", SCOLS_FL_RIGHT, 0},
	    {"P50 BELOW", SCOLS_FL_RIGHT, 0},
	    {"P99 BELOW", SCOLS_FL_RIGHT, 0},
	};
	static const struct ui_column program[] = {
	    {"type", 0, SCOLS_JSON_STRING},   {"count", 0, SCOLS_JSON_NUMBER},
	    {"errors", 0, SCOLS_JSON_NUMBER}, {"mean_us", 0, SCOLS_JSON_NUMBER},
	    {"p50_us", 0, SCOLS_JSON_NUMBER}, {"p99_us", 0, SCOLS_JSON_NUMBER},
	};
	struct libscols_table *table = ui_table("requests", json ? program : text, 6, json);
	unsigned type;

	for (type = 0; type < DLMIRROR_TYPES; type++) {
		const struct dlmirror_counter *c = &counters->type[type];
		const char *name = format_request_type(type);

		if (!name || c->count == 0)
			continue;
		if (json)
			row_json(ui_row(table, NULL), name, c);
		else
			row_text(ui_row(table, NULL), name, c);
	}
	return table;
}

int verb_show(int argc, char **argv)
{
	const struct verb_syntax syntax = {
	    .names = "MIRROR",
	    .doc = "Shows all there is to know about a mirror, named by its device or the uuid "
		   "of its log.\vLatencies are from a request's receipt to its reply; the "
		   "percentiles are upper bounds, powers of two.",
	    .min = 1,
	    .max = 1,
	    .json = true};
	struct verb_arguments arguments;
	struct dlmirror_counters counters;
	struct dlmirror_mirror mirror;
	struct dlmirror *d;
	int error;
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	code = ui_connect(&d);
	if (code)
		return code;
	error = dlmirror_get(d, arguments.name[0], &mirror);
	if (error == 0)
		error = dlmirror_counters(d, arguments.name[0], &counters);
	if (error != 0)
		code = ui_fail_daemon(d, error);
	dlmirror_free(d);
	if (code)
		return code;
	if (arguments.json) {
		struct libscols_table *tables[] = {mirrors_json(&mirror, 1),
						   counters_table(&counters, true)};

		ui_print_json(tables, 2);
	} else {
		show_facts(&mirror);
		(void)putchar('\n');
		ui_print(counters_table(&counters, false));
	}
	return UI_OK;
}
