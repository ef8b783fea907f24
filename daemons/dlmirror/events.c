// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror events and history: what happened, from the daemon's record, and what happens. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

#define FOLLOW_MS   500 /* between two looks at a daemon that cannot be watched */
#define HISTORY	    40U
#define HISTORY_MAX 100000U

struct events_options {
	bool follow;
	unsigned long last; /* print so many at most; 0: all */
};

static error_t parse_events(int key, char *argument, struct argp_state *state)
{
	struct events_options *options = state->input;

	(void)argument;
	if (key != 'f')
		return ARGP_ERR_UNKNOWN;
	options->follow = true;
	return 0;
}

static error_t parse_history(int key, char *argument, struct argp_state *state)
{
	struct events_options *options = state->input;
	char *end;

	if (key != 'n')
		return ARGP_ERR_UNKNOWN;
	options->last = strtoul(argument, &end, 10);
	if (*end != '\0' || argument[0] == '-' || options->last == 0 || options->last > HISTORY_MAX)
		ui_refuse(state->name, "a number of events is 1 to %u, not '%s'", HISTORY_MAX,
			  argument);
	return 0;
}

/* Whose events are wanted. The name of a mirror may not have been known when something happened to
 * it, and the mirror may be gone by now. */
struct selection {
	const char *name; /* NULL: all */
	char uuid[DLMIRROR_NAME_SIZE];
};

static bool selected(const struct selection *selection, const struct dlmirror_event *event)
{
	if (!selection->name || strcmp(event->id, DLMIRROR_EVENT_LOST) == 0)
		return true;
	return strcmp(event->name, selection->name) == 0 ||
	       strcmp(event->uuid, selection->name) == 0 ||
	       (selection->uuid[0] != '\0' && strcmp(event->uuid, selection->uuid) == 0);
}

/* Leaves those that are wanted, and says how many. */
static size_t select_events(const struct selection *selection, struct dlmirror_event *event,
			    size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (selected(selection, &event[i]))
			event[kept++] = event[i];
	return kept;
}

static void text_print(const struct dlmirror_event *event, size_t count)
{
	char time[FORMAT_SIZE];

	for (size_t i = 0; i < count; i++) {
		const char *label = event[i].name[0] ? event[i].name : event[i].uuid;

		format_time(event[i].time_ms, time);
		(void)printf("%-19s  %-12s  %-16s  %s\n", time, label[0] ? label : "-", event[i].id,
			     event[i].text);
	}
	(void)fflush(stdout);
}

static void event_json(struct libscols_table *table, const struct dlmirror_event *event)
{
	struct libscols_line *row = ui_row(table, NULL);
	char time[FORMAT_SIZE];

	format_time_utc(event->time_ms, time);
	if (event->seq != 0)
		ui_cell(row, 0, "%" PRIu64, event->seq);
	ui_cell(row, 1, "%s", time);
	ui_cell(row, 2, "%" PRIu64, event->time_ms);
	ui_cell(row, 3, "%s", event->id);
	/* An empty cell is null. */
	if (event->name[0])
		ui_cell(row, 4, "%s", event->name);
	if (event->uuid[0])
		ui_cell(row, 5, "%s", event->uuid);
	ui_cell(row, 6, "%" PRIu64, event->value);
	ui_cell(row, 7, "%s", event->text);
}

static void json_print(const struct dlmirror_event *event, size_t count)
{
	static const struct ui_column columns[] = {
	    {"seq", 0, SCOLS_JSON_NUMBER},     {"time", 0, SCOLS_JSON_STRING},
	    {"time_ms", 0, SCOLS_JSON_NUMBER}, {"event", 0, SCOLS_JSON_STRING},
	    {"name", 0, SCOLS_JSON_STRING},    {"uuid", 0, SCOLS_JSON_STRING},
	    {"value", 0, SCOLS_JSON_NUMBER},   {"text", 0, SCOLS_JSON_STRING},
	};
	struct libscols_table *table = ui_table("events", columns, 8, true);

	for (size_t i = 0; i < count; i++)
		event_json(table, &event[i]);
	ui_print(table);
	(void)fflush(stdout);
}

/* What happened behind position; a daemon that restarts meanwhile is waited for when that is
 * wanted. */
static int look(struct dlmirror **d, struct dlmirror_position *position, bool wait,
		struct dlmirror_event **ret, size_t *ret_count)
{
	int error = dlmirror_events(*d, position, ret, ret_count);

	if (error == -ENOTCONN && wait) {
		error = ui_reconnect(d, UI_AWAY_MS);
		if (error != 0)
			return ui_fail(UI_NO_DAEMON, MSG_DAEMON_NOT_BACK,
				       "the daemon went away and did not come back");
		error = dlmirror_events(*d, position, ret, ret_count);
	}
	return error == 0 ? UI_OK : ui_fail_daemon(*d, error);
}

static int selection_make(struct dlmirror *d, const char *name, struct selection *ret)
{
	struct dlmirror_mirror mirror;
	int error;

	*ret = (struct selection){.name = name};
	if (!name)
		return UI_OK;
	error = dlmirror_get(d, name, &mirror);
	if (error == 0)
		memcpy(ret->uuid, mirror.uuid, sizeof(ret->uuid));
	return error == 0 || error == -ENOENT ? UI_OK : ui_fail_daemon(d, error);
}

/* Until something may have happened. A daemon older than this command is looked at now and then. */
static void news_wait(struct dlmirror *d)
{
	struct pollfd news = {.events = POLLIN};
	bool watched = dlmirror_watch(d, &news.fd) == 0;

	(void)poll(&news, watched ? 1 : 0, watched ? -1 : FOLLOW_MS);
}

static void batch_print(const struct events_options *options, const struct dlmirror_event *event,
			size_t count, bool json)
{
	size_t skip = options->last > 0 && count > options->last ? count - options->last : 0;

	if (json)
		json_print(event + skip, count - skip);
	else
		text_print(event + skip, count - skip);
}

static int events_run(struct dlmirror **d, const char *name, const void *input, bool json)
{
	const struct events_options *options = input;
	struct dlmirror_position position = {0};
	struct dlmirror_event *events;
	struct selection selection;
	size_t count;
	bool first = true;
	int code = selection_make(*d, name, &selection);

	while (code == UI_OK) {
		code = look(d, &position, !first, &events, &count);
		if (code != UI_OK)
			break;
		count = select_events(&selection, events, count);
		if (first && name && count == 0 && selection.uuid[0] == '\0')
			code = ui_fail(UI_NO_MIRROR, MSG_NO_SUCH_MIRROR,
				       "there is no mirror %s, and nothing is remembered of one",
				       name);
		else if (first || count > 0)
			batch_print(options, events, count, json);
		free(events);
		if (!options->follow || code != UI_OK || ferror(stdout))
			break;
		first = false;
		news_wait(*d);
	}
	return code;
}

int verb_events(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"follow", 'f', NULL, 0, "go on, and print what happens", 0}, {0}};
	struct events_options options = {0};
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse_events,
	    .input = &options,
	    .names = "[MIRROR]",
	    .doc = "Prints what happened on this node, to its mirrors or to one, as far as the "
		   "daemon remembers, the oldest first.",
	    .max = 1,
	    .json = true};

	return verb_on_mirror(&syntax, argc, argv, events_run);
}

int verb_history(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"lines", 'n', "COUNT", 0, "print so many at most (40)", 0}, {0}};
	struct events_options options = {.last = HISTORY};
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse_history,
	    .input = &options,
	    .names = "[MIRROR]",
	    .doc = "Prints what happened last on this node, to its mirrors or to one, the newest "
		   "last.\vThe daemon's end does not end its memory; a reboot does.",
	    .max = 1,
	    .json = true};

	return verb_on_mirror(&syntax, argc, argv, events_run);
}
