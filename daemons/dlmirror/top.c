// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror top: the busiest mirrors, or the busiest regions of mirrors, again and again. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/mirrors.h"
#include "daemons/dlmirror/rates.h"
#include "daemons/dlmirror/spots.h"
#include "daemons/dlmirror/verb.h"

#define INTERVAL_MS 1000U
#define LINES_ABOVE 3U /* of the first row; one more stays free below */

struct top_options {
	bool once;
	bool regions;	    /* else mirrors */
	const char *mirror; /* with regions: of that one; NULL: of all */
	unsigned interval_ms;
};

/* Two looks and what lies between them. */
struct view {
	struct snapshot now;
	uint64_t now_ms;
	struct rates *rates; /* of each mirror in now, the busiest first */
	struct spot *spot;   /* or instead their spots, the same way */
	size_t spot_count;
};

enum { OPTION_ONCE = 256, OPTION_REGIONS };

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct top_options *options = state->input;

	switch (key) {
	case OPTION_ONCE:
		options->once = true;
		return 0;
	case OPTION_REGIONS:
		options->regions = true;
		return 0;
	case 'n':
		options->interval_ms = verb_interval_ms(argument, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int take(struct dlmirror *d, const struct top_options *options, struct snapshot *ret)
{
	if (options->regions)
		return snapshot_take_heat(d, options->mirror, ret);
	return snapshot_take(d, false, ret);
}

/* The daemon now; one that restarts meanwhile is waited for. */
static int look(struct dlmirror **d, const struct top_options *options, struct snapshot *ret)
{
	int error = take(*d, options, ret);

	if (error == -ENOTCONN) {
		error = ui_reconnect(d, UI_AWAY_MS);
		if (error != 0)
			return ui_fail(UI_NO_DAEMON, MSG_DAEMON_NOT_BACK,
				       "the daemon went away and did not come back");
		error = take(*d, options, ret);
	}
	return error ? ui_fail_daemon(*d, error) : UI_OK;
}

static void view_free(struct view *view)
{
	free(view->rates);
	free(view->spot);
	snapshot_free(&view->now);
}

/* What lies between the look that it has and the fresh one; false: no memory. */
static bool view_compare(struct view *view, const struct snapshot *fresh, double seconds)
{
	if (fresh->heat) {
		free(view->spot);
		view->spot = calloc(fresh->count * DLMIRROR_STRETCHES_MAX + 1, sizeof(*view->spot));
		if (!view->spot)
			return false;
		view->spot_count = spots_make(&view->now, fresh, seconds, view->spot);
		return true;
	}
	free(view->rates);
	view->rates = calloc(fresh->count + 1, sizeof(*view->rates));
	if (!view->rates)
		return false;
	rates_make(&view->now, fresh, seconds, view->rates);
	rates_sort(view->rates, fresh->count);
	return true;
}

/* With the rates since the look before. */
static int view_update(struct dlmirror **d, const struct top_options *options, struct view *view)
{
	struct snapshot fresh;
	uint64_t now_ms;
	int code = look(d, options, &fresh);

	if (code != UI_OK)
		return code;
	now_ms = ui_now_ms();
	if (now_ms == view->now_ms)
		now_ms++;
	if (!view_compare(view, &fresh, (double)(now_ms - view->now_ms) / 1000)) {
		snapshot_free(&fresh);
		return ui_fail(UI_FAILED, MSG_NO_MEMORY, "no memory");
	}
	snapshot_free(&view->now);
	view->now = fresh;
	view->now_ms = now_ms;
	return UI_OK;
}

static void rate_cell(struct libscols_line *row, size_t column, double rate)
{
	char text[FORMAT_SIZE];

	format_tenths(rate, text);
	ui_cell(row, column, "%s", text);
}

enum {
	COLUMN_NAME,
	COLUMN_REQUESTS,
	COLUMN_KINDS,
	COLUMN_LOG_WRITES = COLUMN_KINDS + RATES_KINDS,
	COLUMN_MEAN,
	COLUMN_P99,
	COLUMN_PENDING,
	COLUMN_DIRTY,
	COLUMN_RESYNC,
	COLUMNS_TEXT,
	COLUMN_UUID = COLUMNS_TEXT,
	COLUMNS_JSON,
};

static void rates_cells(struct libscols_line *row, const struct rates *r)
{
	size_t kind;

	rate_cell(row, COLUMN_REQUESTS, r->requests_s);
	for (kind = 0; kind < RATES_KINDS; kind++)
		rate_cell(row, COLUMN_KINDS + kind, r->kind_s[kind]);
	rate_cell(row, COLUMN_LOG_WRITES, r->log_writes_s);
}

static uint64_t resync_bytes(const struct rates *r, const struct dlmirror_mirror *m)
{
	return (uint64_t)(r->regions_s * (double)m->region_sectors * SECTOR_BYTES);
}

static void row_text(struct libscols_line *row, const struct rates *r,
		     const struct dlmirror_mirror *m)
{
	char text[FORMAT_SIZE];

	ui_cell(row, COLUMN_NAME, "%s", mirror_label(m));
	rates_cells(row, r);
	if (r->mark.count > 0) {
		format_microseconds(format_mean_us(&r->mark), text);
		ui_cell(row, COLUMN_MEAN, "%s", text);
		format_microseconds(format_quantile_us(&r->mark, 990), text);
		ui_cell(row, COLUMN_P99, "%s", text);
	}
	ui_cell(row, COLUMN_PENDING, "%" PRIu32, m->pending);
	ui_cell(row, COLUMN_DIRTY, "%" PRIu64, m->dirty);
	if (r->regions_s > 0) {
		format_bytes(resync_bytes(r, m), text);
		ui_cell(row, COLUMN_RESYNC, "%s/s", text);
	}
}

static void row_json(struct libscols_line *row, const struct rates *r,
		     const struct dlmirror_mirror *m)
{
	ui_cell(row, COLUMN_NAME, "%s", m->name);
	ui_cell(row, COLUMN_UUID, "%s", m->uuid);
	rates_cells(row, r);
	if (r->mark.count > 0) {
		ui_cell(row, COLUMN_MEAN, "%" PRIu64, format_mean_us(&r->mark));
		ui_cell(row, COLUMN_P99, "%" PRIu64, format_quantile_us(&r->mark, 990));
	}
	ui_cell(row, COLUMN_PENDING, "%" PRIu32, m->pending);
	ui_cell(row, COLUMN_DIRTY, "%" PRIu64, m->dirty);
	ui_cell(row, COLUMN_RESYNC, "%" PRIu64, resync_bytes(r, m));
}

static void mirrors_print(const struct view *view, size_t rows, bool json)
{
	static const struct ui_column text[COLUMNS_TEXT] = {
	    [COLUMN_NAME] = {"NAME", 0, 0},
	    [COLUMN_REQUESTS] = {"ALL/S", SCOLS_FL_RIGHT, 0},
	    [COLUMN_KINDS + RATES_MARK] = {"MARK/S", SCOLS_FL_RIGHT, 0},
	    [COLUMN_KINDS + RATES_CLEAR] = {"CLEAR/S", SCOLS_FL_RIGHT, 0},
	    [COLUMN_KINDS + RATES_FLUSH] = {"FLUSH/S", SCOLS_FL_RIGHT, 0},
	    [COLUMN_KINDS + RATES_QUERY] = {"QUERY/S", SCOLS_FL_RIGHT, 0},
	    [COLUMN_KINDS + RATES_RESYNC] = {"RESYNC/S", SCOLS_FL_RIGHT, 0},
	    [COLUMN_KINDS + RATES_OTHER] = {"OTHER/S", SCOLS_FL_RIGHT, 0},
	    [COLUMN_LOG_WRITES] = {"LOG/S", SCOLS_FL_RIGHT, 0},
	    [COLUMN_MEAN] = {"MARK MEAN", SCOLS_FL_RIGHT, 0},
	    [COLUMN_P99] = {"P99 BELOW", SCOLS_FL_RIGHT, 0},
	    [COLUMN_PENDING] = {"WAIT", SCOLS_FL_RIGHT, 0},
	    [COLUMN_DIRTY] = {"DIRTY", SCOLS_FL_RIGHT, 0},
	    [COLUMN_RESYNC] = {"SYNCED", SCOLS_FL_RIGHT, 0},
	};
	static const struct ui_column program[COLUMNS_JSON] = {
	    [COLUMN_NAME] = {"name", 0, SCOLS_JSON_STRING},
	    [COLUMN_REQUESTS] = {"requests_s", 0, SCOLS_JSON_NUMBER},
	    [COLUMN_KINDS + RATES_MARK] = {"mark_s", 0, SCOLS_JSON_NUMBER},
	    [COLUMN_KINDS + RATES_CLEAR] = {"clear_s", 0, SCOLS_JSON_NUMBER},
	    [COLUMN_KINDS + RATES_FLUSH] = {"flush_s", 0, SCOLS_JSON_NUMBER},
	    [COLUMN_KINDS + RATES_QUERY] = {"query_s", 0, SCOLS_JSON_NUMBER},
	    [COLUMN_KINDS + RATES_RESYNC] = {"resync_s", 0, SCOLS_JSON_NUMBER},
	    [COLUMN_KINDS + RATES_OTHER] = {"other_s", 0, SCOLS_JSON_NUMBER},
	    [COLUMN_LOG_WRITES] = {"log_writes_s", 0, SCOLS_JSON_NUMBER},
	    [COLUMN_MEAN] = {"mark_mean_us", 0, SCOLS_JSON_NUMBER},
	    [COLUMN_P99] = {"mark_p99_us", 0, SCOLS_JSON_NUMBER},
	    [COLUMN_PENDING] = {"pending", 0, SCOLS_JSON_NUMBER},
	    [COLUMN_DIRTY] = {"dirty", 0, SCOLS_JSON_NUMBER},
	    [COLUMN_RESYNC] = {"synced_bytes_s", 0, SCOLS_JSON_NUMBER},
	    [COLUMN_UUID] = {"uuid", 0, SCOLS_JSON_STRING},
	};
	struct libscols_table *table =
	    ui_table("mirrors", json ? program : text, json ? COLUMNS_JSON : COLUMNS_TEXT, json);
	size_t i;

	for (i = 0; i < rows && i < view->now.count; i++) {
		const struct rates *r = &view->rates[i];
		const struct dlmirror_mirror *m = &view->now.mirror[r->index];

		if (json)
			row_json(ui_row(table, NULL), r, m);
		else
			row_text(ui_row(table, NULL), r, m);
	}
	ui_print(table);
}

static void spot_text(struct libscols_line *row, const struct spot *spot, const struct spot *most,
		      const struct dlmirror_mirror *m)
{
	char text[FORMAT_SIZE];
	char bar[FORMAT_SIZE];

	ui_cell(row, 0, "%s", mirror_label(m));
	if (spot->regions > 1)
		ui_cell(row, 1, "%" PRIu64 "-%" PRIu64, spot->first,
			spot->first + spot->regions - 1);
	else
		ui_cell(row, 1, "%" PRIu64, spot->first);
	format_bytes_exact(spot->offset_bytes, spot->stretch_bytes, text);
	ui_cell(row, 2, "%s", text);
	format_bytes(spot->size_bytes, text);
	ui_cell(row, 3, "%s", text);
	rate_cell(row, 4, spot->marks_s);
	format_tenths(spot->share * 100, text);
	format_bar(spot->marks_s, most->marks_s, bar);
	ui_cell(row, 5, "%5s%% %s", text, bar);
}

static void spot_json(struct libscols_line *row, const struct spot *spot,
		      const struct dlmirror_mirror *m)
{
	ui_cell(row, 0, "%s", m->name);
	ui_cell(row, 1, "%" PRIu64, spot->first);
	ui_cell(row, 2, "%" PRIu64, spot->regions);
	ui_cell(row, 3, "%" PRIu64, spot->offset_bytes);
	ui_cell(row, 4, "%" PRIu64, spot->size_bytes);
	rate_cell(row, 5, spot->marks_s);
	rate_cell(row, 6, spot->share * 100);
	ui_cell(row, 7, "%s", m->uuid);
}

static void spots_print(const struct view *view, size_t rows, bool json)
{
	static const struct ui_column text[] = {
	    {"NAME", 0, 0},
	    {"REGIONS", SCOLS_FL_RIGHT, 0},
	    {"OFFSET", SCOLS_FL_RIGHT, 0},
	    {"SIZE", SCOLS_FL_RIGHT, 0},
	    {"MARK/S", SCOLS_FL_RIGHT, 0},
	    {"SHARE", SCOLS_FL_TRUNC, 0},
	};
	static const struct ui_column program[] = {
	    {"name", 0, SCOLS_JSON_STRING},	     {"first", 0, SCOLS_JSON_NUMBER},
	    {"regions", 0, SCOLS_JSON_NUMBER},	     {"offset_bytes", 0, SCOLS_JSON_NUMBER},
	    {"size_bytes", 0, SCOLS_JSON_NUMBER},    {"mark_s", 0, SCOLS_JSON_NUMBER},
	    {"share_percent", 0, SCOLS_JSON_NUMBER}, {"uuid", 0, SCOLS_JSON_STRING},
	};
	struct libscols_table *table =
	    ui_table("regions", json ? program : text, json ? 8 : 6, json);
	size_t i;

	for (i = 0; i < rows && i < view->spot_count; i++) {
		const struct spot *spot = &view->spot[i];
		const struct dlmirror_mirror *m = &view->now.mirror[spot->index];

		if (json)
			spot_json(ui_row(table, NULL), spot, m);
		else
			spot_text(ui_row(table, NULL), spot, view->spot, m);
	}
	ui_print(table);
	if (!json && view->spot_count == 0)
		(void)puts("no region was marked meanwhile");
}

static void view_print(const struct view *view, size_t rows, bool json)
{
	if (view->spot)
		spots_print(view, rows, json);
	else
		mirrors_print(view, rows, json);
}

/* How many rows there is room for on the terminal; SIZE_MAX: it has not said, or it is none. */
static size_t rows_there(void)
{
	struct winsize window = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_row == 0)
		return SIZE_MAX;
	return window.ws_row > LINES_ABOVE + 1 ? window.ws_row - LINES_ABOVE - 1 : 1;
}

static void screen_print(const struct view *view, bool tty)
{
	time_t now = time(NULL);
	struct tm local;
	char clock[16] = "";
	double sum = 0;
	size_t i;

	for (i = 0; view->spot && i < view->spot_count; i++)
		sum += view->spot[i].marks_s;
	for (i = 0; view->rates && i < view->now.count; i++)
		sum += view->rates[i].requests_s;
	if (localtime_r(&now, &local))
		(void)strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	(void)printf("%s%s ", tty ? UI_CLEAR_SCREEN : "", clock);
	if (view->spot)
		(void)printf("%.0f regions marked/s\n\n", sum);
	else
		(void)printf("%zu mirrors, %.0f requests/s\n\n", view->now.count, sum);
	view_print(view, tty ? rows_there() : SIZE_MAX, false);
	if (!tty)
		(void)putchar('\n');
	(void)fflush(stdout);
}

static int top_run(struct dlmirror **d, const struct top_options *options, bool json)
{
	struct view view = {0};
	bool tty = isatty(STDOUT_FILENO) == 1;
	int code = look(d, options, &view.now);

	view.now_ms = ui_now_ms();
	while (code == UI_OK) {
		ui_pause_ms(options->interval_ms);
		code = view_update(d, options, &view);
		if (code != UI_OK)
			break;
		if (options->once || json) {
			view_print(&view, SIZE_MAX, json);
			break;
		}
		screen_print(&view, tty);
		if (ferror(stdout))
			break;
	}
	view_free(&view);
	return code;
}

int verb_top(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"once", OPTION_ONCE, NULL, 0, "print it once, after one interval", 0},
	    {"interval", 'n', "SECONDS", 0, "between two looks (1)", 0},
	    {"regions", OPTION_REGIONS, NULL, 0, "the busiest regions of all mirrors", 0},
	    {0}};
	struct top_options options = {.interval_ms = INTERVAL_MS};
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse,
	    .input = &options,
	    .names = "[MIRROR]",
	    .doc = "Shows which mirrors the kernel asks most about, those with the most marks "
		   "first, again and again; of MIRROR, or with --regions of all, which of its "
		   "regions it marks most.\vThe numbers are of the time since the look before. "
		   "JSON is printed once.",
	    .max = 1,
	    .json = true};
	struct verb_arguments arguments;
	struct dlmirror *d;
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	options.mirror = arguments.name[0];
	options.regions = options.regions || options.mirror;
	code = ui_connect(&d);
	if (code != UI_OK)
		return code;
	code = top_run(&d, &options, arguments.json);
	dlmirror_free(d);
	return code;
}
