// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror metrics: what monitoring reads, on standard output or in a file. */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "daemons/dlmirror/exposition.h"
#include "daemons/dlmirror/replace.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

struct metrics_options {
	enum exposition_format format;
	const char *output;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct metrics_options *options = state->input;

	switch (key) {
	case 'f':
		if (strcmp(argument, "openmetrics") == 0)
			options->format = EXPOSITION_OPENMETRICS;
		else if (strcmp(argument, "prometheus") == 0)
			options->format = EXPOSITION_PROMETHEUS;
		else
			ui_refuse(state->name, "a format is openmetrics or prometheus, not '%s'",
				  argument);
		return 0;
	case 'o':
		options->output = argument;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

struct metrics {
	const struct snapshot *s; /* NULL: no daemon answers */
	enum exposition_format format;
};

static void metrics_write(const void *context, FILE *to)
{
	const struct metrics *metrics = context;

	exposition_write(metrics->s, PACKAGE_VERSION, metrics->format, to);
}

static int metrics_put(const struct snapshot *s, const struct metrics_options *options)
{
	const struct metrics metrics = {.s = s, .format = options->format};
	int error = replace_write(options->output, metrics_write, &metrics);

	if (error == 0)
		return UI_OK;
	return ui_fail(UI_FAILED, MSG_FILE_UNWRITABLE, "%s cannot be written: %s",
		       options->output ? options->output : "standard output", strerror(-error));
}

int verb_metrics(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"format", 'f', "FORMAT", 0,
	     "openmetrics (the default), or prometheus for node_exporter's textfile directory", 0},
	    {"output", 'o', "FILE", 0, "write to FILE, whole or not at all", 0},
	    {0}};
	struct metrics_options options = {0};
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse,
	    .input = &options,
	    .names = "",
	    .doc = "Prints what there is to measure of the daemon and its mirrors, for "
		   "monitoring.\vExit code 3: no daemon answers; what is written says so "
		   "(dlmirror_up 0)."};
	struct verb_arguments arguments;
	struct snapshot s = {0};
	struct dlmirror *d;
	int error;
	int code = UI_OK;
	int written;

	verb_parse(&syntax, argc, argv, &arguments);
	error = dlmirror_connect(&d);
	if (error == 0)
		error = snapshot_take(d, true, &s);
	if (error != 0)
		code = ui_fail_daemon(d, error);
	dlmirror_free(d);
	if (code != UI_OK && code != UI_NO_DAEMON)
		return code;
	written = metrics_put(code == UI_OK ? &s : NULL, &options);
	snapshot_free(&s);
	return written != UI_OK ? written : code;
}
