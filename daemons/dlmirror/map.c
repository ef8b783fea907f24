// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror map: what the regions of a mirror are, as a picture, and which node does what to them. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/mirrors.h"
#include "daemons/dlmirror/region_map.h"
#include "daemons/dlmirror/verb.h"

#define REGIONS_SIZE 96U /* of a list of regions for people */
#define ARRAY_SIZE   2048U

struct map_options {
	unsigned width; /* 0: the terminal's */
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct map_options *options = state->input;
	unsigned long width;
	char *end;

	if (key != 'w')
		return ARGP_ERR_UNKNOWN;
	width = strtoul(argument, &end, 10);
	if (*end != '\0' || argument[0] == '-' || width < PICTURE_WIDTH_MIN ||
	    width > PICTURE_WIDTH_MAX)
		ui_refuse(state->name, "a width is %u to %u characters, not '%s'",
			  PICTURE_WIDTH_MIN, PICTURE_WIDTH_MAX, argument);
	options->width = (unsigned)width;
	return 0;
}

static unsigned terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return PICTURE_WIDTH;
	if (size.ws_col < PICTURE_WIDTH_MIN)
		return PICTURE_WIDTH_MIN;
	return size.ws_col > PICTURE_WIDTH_MAX ? PICTURE_WIDTH_MAX : size.ws_col;
}

static void heading_print(const struct region_map *map)
{
	const struct dlmirror_mirror *m = &map->mirror;
	char region[FORMAT_SIZE];
	char cell[FORMAT_SIZE];
	char sync[FORMAT_SIZE];

	format_bytes(m->region_sectors * SECTOR_BYTES, region);
	format_bytes(map->picture.per_cell * m->region_sectors * SECTOR_BYTES, cell);
	format_percent(m->in_sync, m->region_count, sync);
	(void)printf("%s: %s, %" PRIu64 " regions of %s, %s in sync\n", mirror_label(m), m->phase,
		     m->region_count, region, sync);
	if (map->picture.per_cell > 1)
		(void)printf("a character is %" PRIu64
			     " regions (%s), and shows the worst of them\n",
			     map->picture.per_cell, cell);
	(void)putchar('\n');
}

static uint32_t lease_regions(const struct dlmirror_work *work, uint64_t ret[DLMIRROR_LEASE_MAX])
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < DLMIRROR_LEASE_MAX; i++)
		if (work->lease >> i & 1)
			ret[count++] = work->lease_first + i;
	return count;
}

static void work_add(struct libscols_table *table, const struct dlmirror_mirror *m,
		     const struct dlmirror_work *work)
{
	struct libscols_line *row = ui_row(table, NULL);
	uint64_t lease[DLMIRROR_LEASE_MAX] = {0};
	char text[REGIONS_SIZE];

	if (work->node == UINT32_MAX)
		ui_cell(row, 0, "unknown node");
	else if (!m->clustered)
		ui_cell(row, 0, "this node");
	else
		ui_cell(row, 0, "node %" PRIu32 "%s", work->node,
			work->slot == m->slot ? " (this one)" : "");
	ui_cell(row, 1, "%" PRIu32, work->slot);
	ui_cell(row, 2, "%s", format_member_state(work->state));
	format_regions(lease, lease_regions(work, lease), text, sizeof(text));
	ui_cell(row, 3, "%s", work->lease_any ? "not known" : text);
	format_regions(work->claim, work->claim_count, text, sizeof(text));
	ui_cell(row, 4, "%s", text);
}

static void works_print(const struct region_map *map)
{
	static const struct ui_column columns[] = {{"MEMBER", 0, 0},
						   {"SLOT", SCOLS_FL_RIGHT, 0},
						   {"STATE", 0, 0},
						   {"RECOVERS", 0, 0},
						   {"COMPARES OR COPIES", 0, 0}};
	struct libscols_table *table = ui_table("members", columns, 5, false);

	for (uint32_t i = 0; i < map->about.member_count; i++)
		work_add(table, &map->mirror, &map->about.member[i]);
	if (map->about.member_count > 0)
		(void)putchar('\n');
	ui_print(table);
}

static void text_print(const struct region_map *map)
{
	bool colour = ui_colour();

	heading_print(map);
	picture_print(stdout, &map->picture, map->cell, colour);
	(void)putchar('\n');
	picture_legend(stdout, &map->picture, map->cell, colour);
	works_print(map);
}

static struct libscols_table *cells_json(const struct region_map *map)
{
	static const struct ui_column columns[] = {
	    {"first", 0, SCOLS_JSON_NUMBER},	   {"regions", 0, SCOLS_JSON_NUMBER},
	    {"state", 0, SCOLS_JSON_STRING},	   {"in_sync", 0, SCOLS_JSON_NUMBER},
	    {"dirty", 0, SCOLS_JSON_NUMBER},	   {"copying", 0, SCOLS_JSON_NUMBER},
	    {"crash_dirty", 0, SCOLS_JSON_NUMBER}, {"stale", 0, SCOLS_JSON_NUMBER},
	};
	struct libscols_table *table = ui_table("cells", columns, 8, true);

	for (uint32_t i = 0; i < map->picture.cells; i++) {
		struct libscols_line *row = ui_row(table, NULL);
		uint64_t regions = 0;

		ui_cell(row, 0, "%" PRIu64, i * map->picture.per_cell);
		ui_cell(row, 2, "%s", picture_state_name(picture_worst(&map->cell[i])));
		for (unsigned state = 0; state < DLMIRROR_REGIONS; state++) {
			regions += map->cell[i].count[state];
			ui_cell(row, 3 + state, "%" PRIu64, map->cell[i].count[state]);
		}
		ui_cell(row, 1, "%" PRIu64, regions);
	}
	return table;
}

/* Members of an array are lines. */
static void array_cell(struct libscols_line *row, size_t column, const uint64_t *region,
		       uint32_t count)
{
	char text[ARRAY_SIZE] = "";

	for (uint32_t i = 0; i < count; i++) {
		size_t used = strlen(text);

		(void)snprintf(text + used, sizeof(text) - used, "%s%" PRIu64, i > 0 ? "\n" : "",
			       region[i]);
	}
	if (count > 0)
		ui_cell(row, column, "%s", text);
}

static struct libscols_table *works_json(const struct region_map *map)
{
	static const struct ui_column columns[] = {
	    {"node", 0, SCOLS_JSON_NUMBER},	   {"slot", 0, SCOLS_JSON_NUMBER},
	    {"state", 0, SCOLS_JSON_STRING},	   {"lease_any", 0, SCOLS_JSON_BOOLEAN},
	    {"lease", 0, SCOLS_JSON_ARRAY_NUMBER}, {"claim", 0, SCOLS_JSON_ARRAY_NUMBER},
	};
	struct libscols_table *table = ui_table("members", columns, 6, true);

	for (uint32_t i = 0; i < map->about.member_count; i++) {
		const struct dlmirror_work *work = &map->about.member[i];
		struct libscols_line *row = ui_row(table, NULL);
		uint64_t lease[DLMIRROR_LEASE_MAX] = {0};

		if (work->node != UINT32_MAX && map->mirror.clustered)
			ui_cell(row, 0, "%" PRIu32, work->node);
		ui_cell(row, 1, "%" PRIu32, work->slot);
		ui_cell(row, 2, "%s", format_member_state(work->state));
		ui_cell(row, 3, "%d", work->lease_any);
		array_cell(row, 4, lease, lease_regions(work, lease));
		array_cell(row, 5, work->claim, work->claim_count);
	}
	return table;
}

static int map_run(struct dlmirror **d, const char *name, const void *input, bool json)
{
	const struct map_options *options = input;
	struct region_map map;
	int error =
	    region_map_read(*d, name, options->width ? options->width : terminal_width(), &map);

	if (error == 0 && json) {
		struct libscols_table *tables[] = {cells_json(&map), works_json(&map)};

		ui_print_json(tables, 2);
	} else if (error == 0) {
		text_print(&map);
	}
	region_map_free(&map);
	return error == 0 ? UI_OK : ui_fail_daemon(*d, error);
}

int verb_map(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"width", 'w', "CHARACTERS", 0, "of the lines; else as wide as the terminal, or 80", 0},
	    {0}};
	struct map_options options = {0};
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse,
	    .input = &options,
	    .names = "MIRROR",
	    .doc = "Shows the regions of a mirror as a picture: what is in sync, marked, being "
		   "copied, and to be repaired or recovered.\vIt has colours on a terminal, unless "
		   "NO_COLOR is set.",
	    .min = 1,
	    .max = 1,
	    .json = true};

	return verb_on_mirror(&syntax, argc, argv, map_run);
}
