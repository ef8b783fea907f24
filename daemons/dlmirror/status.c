// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror status: one screen about the mirrors, once or again and again until nothing is under
 * way. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/inactive.h"
#include "daemons/dlmirror/mirrors.h"
#include "daemons/dlmirror/verb.h"

#define INTERVAL_MS 1000U
#define PACE_MS	    500U

struct status_options {
	bool watch;
	bool forever;
	unsigned interval_ms;
};

enum { OPTION_FOREVER = 256 };

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct status_options *options = state->input;

	switch (key) {
	case 'w':
		options->watch = true;
		return 0;
	case OPTION_FOREVER:
		options->watch = true;
		options->forever = true;
		return 0;
	case 'n':
		options->interval_ms = verb_interval_ms(argument, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* How fast each mirror advances, from one look to the next. */
struct pace {
	char uuid[DLMIRROR_NAME_SIZE];
	uint64_t luid;
	struct format_rate rate;
};

struct watch {
	struct pace *pace;
	size_t count;
};

static const struct format_rate *rate_find(const struct watch *watch,
					   const struct dlmirror_mirror *m)
{
	size_t i;

	for (i = 0; i < watch->count; i++)
		if (watch->pace[i].luid == m->luid && strcmp(watch->pace[i].uuid, m->uuid) == 0)
			return &watch->pace[i].rate;
	return NULL;
}

/* The paces of the mirrors there are now, those known before carried on. */
static int watch_update(struct watch *watch, const struct dlmirror_mirror *mirrors, size_t count)
{
	struct watch next = {.pace = calloc(count ? count : 1, sizeof(*next.pace)), .count = count};
	uint64_t now_ms = ui_now_ms();
	size_t i;

	if (!next.pace)
		return ui_fail(UI_FAILED, MSG_NO_MEMORY, "no memory");
	for (i = 0; i < count; i++) {
		const struct format_rate *known = rate_find(watch, &mirrors[i]);

		memcpy(next.pace[i].uuid, mirrors[i].uuid, sizeof(next.pace[i].uuid));
		next.pace[i].luid = mirrors[i].luid;
		if (known)
			next.pace[i].rate = *known;
		format_rate_sample(&next.pace[i].rate, now_ms, format_regions_left(&mirrors[i]));
	}
	free(watch->pace);
	*watch = next;
	return UI_OK;
}

/* "120 MiB/s" and "0:32 min", or empty while nothing moves. */
static void pace_text(const struct watch *watch, const struct dlmirror_mirror *m,
		      char speed[FORMAT_SIZE + 2], char left[FORMAT_SIZE])
{
	const struct format_rate *rate = rate_find(watch, m);
	uint64_t seconds;
	double bytes;

	speed[0] = '\0';
	left[0] = '\0';
	if (!rate || rate->left == 0 || rate->regions_s <= 0)
		return;
	bytes = rate->regions_s * (double)m->region_sectors * SECTOR_BYTES;
	format_bytes((uint64_t)bytes, speed);
	strcat(speed, "/s");
	seconds = format_rate_seconds_left(rate);
	if (seconds != UINT64_MAX)
		format_duration(seconds, left);
}

enum {
	COLUMN_NAME,
	COLUMN_STATE,
	COLUMN_SYNC,
	COLUMN_DIRTY,
	COLUMN_REPAIR,
	COLUMN_ACTIVITY,
	COLUMN_SPEED,
	COLUMN_LEFT,
	COLUMNS
};

/* Whose table does not have it any more. */
static void dropped_add(struct libscols_table *table, struct libscols_line *parent,
			const struct dlmirror_mirror *m)
{
	struct mirror_file file;

	if (!config_of(m, &file))
		return;
	for (uint32_t i = 0; i < file.dropped_count; i++) {
		struct libscols_line *row = ui_row(table, parent);

		ui_cell(row, COLUMN_NAME, "leg %s", file.dropped[i].path);
		ui_cell(row, COLUMN_STATE, "dropped");
	}
}

static struct libscols_table *dropped_json(const struct dlmirror_mirror *mirrors, size_t count)
{
	static const struct ui_column columns[] = {{"name", 0, SCOLS_JSON_STRING},
						   {"leg", 0, SCOLS_JSON_STRING}};
	struct libscols_table *table = ui_table("dropped", columns, 2, true);

	for (size_t i = 0; i < count; i++) {
		struct mirror_file file;

		if (!config_of(&mirrors[i], &file))
			continue;
		for (uint32_t k = 0; k < file.dropped_count; k++) {
			struct libscols_line *row = ui_row(table, NULL);

			ui_cell(row, 0, "%s", mirrors[i].name);
			ui_cell(row, 1, "%s", file.dropped[k].path);
		}
	}
	return table;
}

static void legs_add(struct libscols_table *table, struct libscols_line *parent,
		     const struct dlmirror_mirror *m)
{
	char device[320];
	char state[128];
	struct libscols_line *row;
	uint32_t i;

	for (i = 0; i < m->leg_count; i++) {
		row = ui_row(table, parent);
		mirror_device(m->leg[i].major, m->leg[i].minor, device, sizeof(device));
		ui_cell(row, COLUMN_NAME, "leg %s", device);
		ui_cell(row, COLUMN_STATE, "%s", format_leg_health(m->leg[i].health));
	}
	dropped_add(table, parent, m);
	if (!m->has_disk)
		return;
	row = ui_row(table, parent);
	mirror_log_device(m, device, sizeof(device));
	format_log_state(m, state, sizeof(state));
	ui_cell(row, COLUMN_NAME, "log %s", device);
	ui_cell(row, COLUMN_STATE, "%s", state);
}

static void members_add(struct libscols_table *table, struct libscols_line *parent,
			const struct dlmirror_mirror *m)
{
	for (uint32_t i = 0; i < m->member_count; i++) {
		const struct dlmirror_member *member = &m->member[i];
		struct libscols_line *row = ui_row(table, parent);

		if (member->node == UINT32_MAX)
			ui_cell(row, COLUMN_NAME, "unknown node");
		else
			ui_cell(row, COLUMN_NAME, "node %" PRIu32, member->node);
		ui_cell(row, COLUMN_STATE, "%s", format_member_state(member->state));
	}
}

static void mirror_add(struct libscols_table *table, const struct dlmirror_mirror *m,
		       const struct watch *watch)
{
	struct libscols_line *row = ui_row(table, NULL);
	char activity[256];
	char speed[FORMAT_SIZE + 2];
	char text[FORMAT_SIZE];

	ui_cell(row, COLUMN_NAME, "%s", mirror_label(m));
	ui_cell(row, COLUMN_STATE, "%s", m->phase);
	format_percent(m->in_sync, m->region_count, text);
	ui_cell(row, COLUMN_SYNC, "%s", text);
	ui_cell(row, COLUMN_DIRTY, "%" PRIu64, m->dirty);
	ui_cell(row, COLUMN_REPAIR, "%" PRIu64, m->repair);
	format_activity(m, activity, sizeof(activity));
	ui_cell(row, COLUMN_ACTIVITY, "%s", activity[0] ? activity : "-");
	if (watch) {
		pace_text(watch, m, speed, text);
		ui_cell(row, COLUMN_SPEED, "%s", speed);
		ui_cell(row, COLUMN_LEFT, "%s", text);
	}
	legs_add(table, row, m);
	members_add(table, row, m);
}

static void inactive_add(const struct inactive *list, const char *name,
			 const struct mirror_file *file)
{
	struct libscols_line *row = ui_row(list->table, NULL);

	(void)file;
	ui_cell(row, COLUMN_NAME, "%s", name);
	ui_cell(row, COLUMN_STATE, "inactive");
	ui_cell(row, COLUMN_ACTIVITY, "-");
}

/* all: also those that are not active; the exit code is of looking for them. */
static int screen_print(const struct dlmirror_mirror *mirrors, size_t count,
			const struct watch *watch, bool all)
{
	static const struct ui_column columns[COLUMNS] = {
	    {"NAME", SCOLS_FL_TREE, 0},	   {"STATE", 0, 0},
	    {"SYNC", SCOLS_FL_RIGHT, 0},   {"DIRTY", SCOLS_FL_RIGHT, 0},
	    {"REPAIR", SCOLS_FL_RIGHT, 0}, {"ACTIVITY", 0, 0},
	    {"SPEED", SCOLS_FL_RIGHT, 0},  {"LEFT", SCOLS_FL_RIGHT, 0},
	};
	struct libscols_table *table =
	    ui_table("mirrors", columns, watch ? COLUMNS : COLUMN_SPEED, false);
	const struct inactive list = {
	    .active = mirrors, .count = count, .tell = inactive_add, .table = table};
	int code = UI_OK;
	size_t i;

	for (i = 0; i < count; i++)
		mirror_add(table, &mirrors[i], watch);
	if (all)
		code = inactive_each(&list);
	ui_print(table);
	return code;
}

/* For a log file or a pipe: a line for each mirror. */
static void lines_print(const struct dlmirror_mirror *mirrors, size_t count,
			const struct watch *watch)
{
	time_t now = time(NULL);
	struct tm local;
	char clock[16] = "";
	size_t i;

	if (localtime_r(&now, &local))
		(void)strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	for (i = 0; i < count; i++) {
		const struct dlmirror_mirror *m = &mirrors[i];
		char activity[256];
		char sync[FORMAT_SIZE];
		char speed[FORMAT_SIZE + 2];
		char left[FORMAT_SIZE];

		format_percent(m->in_sync, m->region_count, sync);
		format_activity(m, activity, sizeof(activity));
		pace_text(watch, m, speed, left);
		(void)printf("%s %s: %s, %s in sync%s%s%s%s%s%s\n", clock, mirror_label(m),
			     m->phase, sync, activity[0] ? ", " : "", activity,
			     speed[0] ? ", " : "", speed, left[0] ? ", ready in " : "", left);
	}
	(void)fflush(stdout);
}

static bool all_settled(const struct dlmirror_mirror *mirrors, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!format_settled(&mirrors[i]))
			return false;
	return true;
}

/* The mirrors now; a daemon that restarts meanwhile is waited for. */
static int look(struct dlmirror **d, const char *name, struct dlmirror_mirror **ret, size_t *count)
{
	struct dlmirror_daemon daemon;
	int error = dlmirror_daemon(*d, &daemon);

	if (error == -ENOTCONN)
		error = ui_reconnect(d, UI_AWAY_MS);
	if (error != 0)
		return ui_fail(UI_NO_DAEMON, MSG_DAEMON_NOT_BACK,
			       "the daemon went away and did not come back");
	return mirrors_get(*d, name, ret, count);
}

static int status_watch(struct dlmirror **d, const char *name, const struct status_options *options)
{
	struct watch watch = {0};
	struct dlmirror_mirror *mirrors;
	bool tty = isatty(STDOUT_FILENO) == 1;
	bool settled = false;
	size_t count;
	int code = UI_OK;

	while (code == UI_OK && !settled) {
		code = look(d, name, &mirrors, &count);
		if (code != UI_OK)
			break;
		code = watch_update(&watch, mirrors, count);
		if (code == UI_OK && tty) {
			(void)fputs(UI_CLEAR_SCREEN, stdout);
			(void)screen_print(mirrors, count, &watch, false);
			(void)fflush(stdout);
		} else if (code == UI_OK) {
			lines_print(mirrors, count, &watch);
		}
		settled = !options->forever && all_settled(mirrors, count);
		free(mirrors);
		if (ferror(stdout))
			break;
		if (!settled)
			ui_pause_ms(options->interval_ms);
	}
	free(watch.pace);
	return code;
}

/* What is missing in the cluster: nothing where there is none. */
static int problem_get(struct dlmirror *d, char ret[DLMIRROR_TEXT_SIZE])
{
	struct dlmirror_daemon daemon;
	int error = dlmirror_daemon(d, &daemon);

	if (error != 0)
		return ui_fail_daemon(d, error);
	(void)snprintf(ret, DLMIRROR_TEXT_SIZE, "%s", daemon.cluster.problem);
	return UI_OK;
}

static int status_json(const struct dlmirror_mirror *mirrors, size_t count, bool all,
		       const char *problem)
{
	static const struct ui_column columns[] = {{"problem", 0, SCOLS_JSON_STRING}};
	struct libscols_table *tables[4] = {mirrors_json(mirrors, count)};
	size_t used = 1;
	int code = UI_OK;

	if (all)
		code = inactive_json(mirrors, count, &tables[used++]);
	tables[used++] = ui_table("problems", columns, 1, true);
	if (problem[0])
		ui_cell(ui_row(tables[used - 1], NULL), 0, "%s", problem);
	tables[used++] = dropped_json(mirrors, count);
	ui_print_json(tables, used);
	return code;
}

/* How fast what is under way goes: that takes a second look. */
static int paces_get(struct dlmirror **d, const char *name, struct watch *watch,
		     struct dlmirror_mirror **mirrors, size_t *count)
{
	bool moves = false;
	int code;

	for (size_t i = 0; i < *count; i++)
		moves = moves || format_regions_left(&(*mirrors)[i]) > 0;
	if (!moves)
		return UI_OK;
	code = watch_update(watch, *mirrors, *count);
	if (code != UI_OK)
		return code;
	ui_pause_ms(PACE_MS);
	free(*mirrors);
	*mirrors = NULL;
	code = look(d, name, mirrors, count);
	return code == UI_OK ? watch_update(watch, *mirrors, *count) : code;
}

static int status_text(struct dlmirror **d, const char *name, struct dlmirror_mirror **mirrors,
		       size_t count, const char *problem)
{
	struct watch watch = {0};
	int code = paces_get(d, name, &watch, mirrors, &count);

	if (code == UI_OK) {
		code = screen_print(*mirrors, count, watch.pace ? &watch : NULL, !name);
		if (problem[0])
			(void)printf("Problem: %s\n", problem);
	}
	free(watch.pace);
	return code;
}

static int status_once(struct dlmirror **d, const char *name, bool json)
{
	char problem[DLMIRROR_TEXT_SIZE];
	struct dlmirror_mirror *mirrors;
	size_t count;
	int code = problem_get(*d, problem);

	if (code == UI_OK)
		code = mirrors_get(*d, name, &mirrors, &count);
	if (code != UI_OK)
		return code;
	if (json)
		code = status_json(mirrors, count, !name, problem);
	else
		code = status_text(d, name, &mirrors, count, problem);
	free(mirrors);
	return code;
}

int verb_status(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"watch", 'w', NULL, 0, "show it again and again, until nothing is under way", 0},
	    {"forever", OPTION_FOREVER, NULL, 0, "watch without an end", 0},
	    {"interval", 'n', "SECONDS", 0, "between two looks while watching (1)", 0},
	    {0}};
	struct status_options options = {.interval_ms = INTERVAL_MS};
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse,
	    .input = &options,
	    .names = "[MIRROR]",
	    .doc = "Says how the mirrors, or one of them, are doing and what they wait for.",
	    .max = 1,
	    .json = true};
	struct verb_arguments arguments;
	struct dlmirror *d;
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	if (options.watch && arguments.json)
		return ui_fail(UI_USAGE, MSG_OPTIONS_CONTRADICT,
			       "--watch and --json do not go together; run status --json "
			       "as often as needed");
	code = ui_connect(&d);
	if (code != UI_OK)
		return code;
	if (options.watch)
		code = status_watch(&d, arguments.name[0], &options);
	else
		code = status_once(&d, arguments.name[0], arguments.json);
	dlmirror_free(d);
	return code;
}
