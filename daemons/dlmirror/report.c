// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror report: all there is to know, as a page to be kept or sent. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/page.h"
#include "daemons/dlmirror/replace.h"
#include "daemons/dlmirror/survey.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

#define SECONDS	    10U
#define SECONDS_MAX 3600U
#define MAP_WIDTH   136U /* with the numbers that a page does not show: 128 cells */
#define EVENTS	    100U /* the last ones */

enum { OPTION_HTML = 256, OPTION_CONFIG, OPTION_SECONDS };

struct report_options {
	const char *html;
	const char *config_path;
	unsigned seconds; /* of looking at the rates */
};

struct report {
	struct facts facts;
	char now[FORMAT_SIZE];
	struct region_map *map;
	struct courses courses;
	struct dlmirror_event *event;
	size_t event_count;
};

static void seconds_parse(struct report_options *options, const char *text,
			  const struct argp_state *state)
{
	char *end;
	unsigned long seconds = strtoul(text, &end, 10);

	if (*end != '\0' || end == text || text[0] == '-' || seconds > SECONDS_MAX)
		ui_refuse(state->name, "rates are looked at for 0 to %u seconds, not '%s'",
			  SECONDS_MAX, text);
	options->seconds = (unsigned)seconds;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct report_options *options = state->input;

	switch (key) {
	case OPTION_HTML:
		options->html = argument;
		return 0;
	case OPTION_CONFIG:
		options->config_path = argument;
		return 0;
	case OPTION_SECONDS:
		seconds_parse(options, argument, state);
		return 0;
	case ARGP_KEY_END:
		if (!options->html)
			ui_refuse(state->name, "--html is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* A mirror that has gone meanwhile, or is not attached, has none. */
static int maps_take(struct dlmirror *d, struct report *report)
{
	report->map = calloc(report->facts.mirror_count + 1, sizeof(*report->map));
	if (!report->map)
		return -ENOMEM;
	for (size_t i = 0; i < report->facts.mirror_count; i++) {
		struct region_map *map = &report->map[i];

		if (region_map_read(d, report->facts.mirror[i].mirror.uuid, MAP_WIDTH, map) != 0)
			region_map_free(map);
	}
	return 0;
}

static void events_take(struct dlmirror *d, struct report *report)
{
	struct dlmirror_position position = {0};

	if (dlmirror_events(d, &position, &report->event, &report->event_count) != 0)
		report->event_count = 0;
}

/* What moves; a daemon that goes away meanwhile leaves what was seen. */
static int report_look(const struct report_options *options, struct report *report)
{
	struct dlmirror *d;
	int error = dlmirror_connect(&d);

	if (error != 0) {
		dlmirror_free(d);
		return error == -ENOMEM ? error : 0;
	}
	error = maps_take(d, report);
	if (error == 0 && options->seconds > 0 && report->facts.mirror_count > 0 &&
	    courses_take(d, options->seconds, &report->courses) == -ENOMEM)
		error = -ENOMEM;
	if (error == 0)
		events_take(d, report);
	dlmirror_free(d);
	return error;
}

static void report_free(struct report *report)
{
	for (size_t i = 0; report->map && i < report->facts.mirror_count; i++)
		region_map_free(&report->map[i]);
	free(report->map);
	free(report->event);
	courses_free(&report->courses);
	survey_free(&report->facts);
	free(report);
}

static void report_write(const void *context, FILE *to)
{
	const struct report *report = context;
	size_t skip = report->event_count > EVENTS ? report->event_count - EVENTS : 0;
	const struct page page = {.facts = &report->facts,
				  .now = report->now,
				  .map = report->map,
				  .courses = &report->courses,
				  .event = report->event + skip,
				  .event_count = report->event_count - skip};

	page_write(&page, to);
}

static int report_make(const struct report_options *options, struct report *report)
{
	time_t now = time(NULL);
	struct tm local;
	int error = survey_make(options->config_path, false, &report->facts);

	if (error == 0)
		error = report_look(options, report);
	if (error != 0)
		return ui_fail(UI_FAILED, MSG_NO_MEMORY, "no memory");
	if (localtime_r(&now, &local))
		(void)strftime(report->now, sizeof(report->now), "%Y-%m-%d %H:%M:%S %z", &local);
	error = replace_write(strcmp(options->html, "-") == 0 ? NULL : options->html, report_write,
			      report);
	if (error != 0)
		return ui_fail(UI_FAILED, MSG_FILE_UNWRITABLE, "%s cannot be written: %s",
			       options->html, strerror(-error));
	return UI_OK;
}

int verb_report(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"html", OPTION_HTML, "FILE", 0, "write the page to FILE; -: to standard output", 0},
	    {"config", OPTION_CONFIG, "FILE", 0,
	     "the daemon's configuration (" VERB_CONFIG_PATH ")", 0},
	    {"seconds", OPTION_SECONDS, "COUNT", 0,
	     "look at the rates for so long (10); 0: not at all", 0},
	    {0}};
	struct report_options options = {.config_path = VERB_CONFIG_PATH, .seconds = SECONDS};
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse,
	    .input = &options,
	    .names = "",
	    .doc = "Writes a page about the mirrors, the daemon and its cluster: what the doctor "
		   "says, maps of the regions, rates over some seconds, and what happened. It "
		   "needs nothing else to be read."};
	struct verb_arguments arguments;
	struct report *report;
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	report = calloc(1, sizeof(*report));
	if (!report)
		return ui_fail(UI_FAILED, MSG_NO_MEMORY, "no memory");
	code = report_make(&options, report);
	report_free(report);
	return code;
}
