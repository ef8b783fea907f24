// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror list: a line for each mirror, active here or only configured. */
#include <stdio.h>
#include <stdlib.h>

#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/inactive.h"
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

static void inactive_row(const struct inactive *list, const char *name,
			 const struct mirror_file *file)
{
	struct libscols_line *row = ui_row(list->table, NULL);
	char size[FORMAT_SIZE];

	format_bytes(file->length_sectors * SECTOR_BYTES, size);
	ui_cell(row, 0, "%s", name);
	ui_cell(row, 1, "inactive");
	ui_cell(row, 2, "%s", size);
	ui_cell(row, 4, "%u", file->leg_count);
	ui_cell(row, 5, "%s", file->log[0] ? file->log : "in memory");
}

static int print_json(const struct dlmirror_mirror *mirrors, size_t count)
{
	struct libscols_table *tables[2] = {mirrors_json(mirrors, count)};
	int code = inactive_json(mirrors, count, &tables[1]);

	ui_print_json(tables, 2);
	return code;
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
	    .names = "",
	    .doc = "Lists the mirrors that are active on this node, and those that are configured.",
	    .json = true};
	struct verb_arguments arguments;
	struct dlmirror_mirror *mirrors;
	struct inactive list;
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
		code = print_json(mirrors, count);
	} else {
		list = (struct inactive){.active = mirrors, .count = count, .tell = inactive_row};
		list.table =
		    ui_table("mirrors", columns, sizeof(columns) / sizeof(columns[0]), false);
		for (i = 0; i < count; i++)
			row_fill(ui_row(list.table, NULL), &mirrors[i]);
		code = inactive_each(&list);
		ui_print(list.table);
	}
	free(mirrors);
	return code;
}
