// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror report: all there is to know, as a page to be kept or sent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemons/dlmirror/page.h"
#include "daemons/dlmirror/replace.h"
#include "daemons/dlmirror/survey.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

enum { OPTION_HTML = 256, OPTION_CONFIG };

struct report_options {
	const char *html;
	const char *config_path;
};

struct report {
	struct facts facts;
	char now[64];
};

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
	case ARGP_KEY_END:
		if (!options->html)
			argp_error(state, "--html is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void report_write(const void *context, FILE *to)
{
	const struct report *report = context;

	page_write(&report->facts, report->now, to);
}

static int report_make(const struct report_options *options, struct report *report)
{
	time_t now = time(NULL);
	struct tm local;
	int error = survey_make(options->config_path, &report->facts);

	if (error != 0)
		return ui_fail(UI_FAILED, MSG_NO_MEMORY, "no memory");
	if (localtime_r(&now, &local))
		(void)strftime(report->now, sizeof(report->now), "%Y-%m-%d %H:%M:%S %z", &local);
	error = replace_write(strcmp(options->html, "-") == 0 ? NULL : options->html, report_write,
			      report);
	survey_free(&report->facts);
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
	    {0}};
	struct report_options options = {.config_path = VERB_CONFIG_PATH};
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse,
	    .input = &options,
	    .names = "",
	    .doc = "Writes a page about the mirrors, the daemon and its cluster, with what the "
		   "doctor says. It needs nothing else to be read."};
	struct verb_arguments arguments;
	struct report *report;
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	report = calloc(1, sizeof(*report));
	if (!report)
		return ui_fail(UI_FAILED, MSG_NO_MEMORY, "no memory");
	code = report_make(&options, report);
	free(report);
	return code;
}
