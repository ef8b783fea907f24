// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror list: a line for each mirror. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/mirrors.h"
#include "daemons/dlmirror/verb.h"

static void row_fill(struct libscols_line *row, const struct dlmirror_mirror *m)
{
	char size[FORMAT_SIZE];
	char sync[FORMAT_SIZE];
	char log[128];

	format_bytes(m->length_sectors * SECTOR_BYTES, size);
	format_percent(m->in_sync, m->region_count, sync);
	format_log_state(m, log, sizeof(log));
	ui_cell(row, 0, "%s", mirror_label(m));
	ui_cell(row, 1, "%s", m->phase);
	ui_cell(row, 2, "%s", size);
	ui_cell(row, 3, "%s", sync);
	ui_cell(row, 4, "%u", m->leg_count);
	ui_cell(row, 5, "%s", m->has_disk ? log : "in memory");
}

int verb_list(int argc, char **argv)
{
	static const struct ui_column columns[] = {
	    {"NAME", 0, 0},
	    {"STATE", 0, 0},
	    {"SIZE", SCOLS_FL_RIGHT, 0},
	    {"SYNC", SCOLS_FL_RIGHT, 0},
	    {"LEGS", SCOLS_FL_RIGHT, 0},
	    {"LOG", 0, 0},
	};
	const struct verb_syntax syntax = {
	    .names = "", .doc = "Lists the mirrors that the daemon serves.", .json = true};
	struct verb_arguments arguments;
	struct libscols_table *table;
	struct dlmirror_mirror *mirrors;
	struct dlmirror *d;
	size_t count;
	size_t i;
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	code = ui_connect(&d);
	if (code)
		return code;
	code = mirrors_get(d, NULL, &mirrors, &count);
	dlmirror_free(d);
	if (code)
		return code;
	if (arguments.json) {
		ui_print(mirrors_json(mirrors, count));
	} else {
		table = ui_table("mirrors", columns, sizeof(columns) / sizeof(columns[0]), false);
		for (i = 0; i < count; i++)
			row_fill(ui_row(table, NULL), &mirrors[i]);
		ui_print(table);
	}
	free(mirrors);
	return UI_OK;
}
