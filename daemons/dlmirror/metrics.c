// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror metrics: what monitoring reads, on standard output or in a file. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/dlmirror/exposition.h"
#include "daemons/dlmirror/inactive.h"
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

/* ---- mirrors that are configured only */

struct inactive_found {
	struct exposition_inactive *found;
	size_t count;
	bool no_memory;
};

static void inactive_add(const struct inactive *list, const char *name,
			 const struct mirror_file *file)
{
	struct inactive_found *to = list->context;
	struct exposition_inactive *more =
	    reallocarray(to->found, to->count + 1, sizeof(*to->found));

	if (!more) {
		to->no_memory = true;
		return;
	}
	to->found = more;
	more += to->count++;
	(void)snprintf(more->name, sizeof(more->name), "%s", name);
	memcpy(more->uuid, file->uuid, sizeof(more->uuid));
}

/* The exit code: what cannot be read has been named, and the others are found. */
static int inactive_find(const struct snapshot *s, struct inactive_found *ret)
{
	const struct inactive list = {
	    .active = s->mirror, .count = s->count, .tell = inactive_add, .context = ret};
	int code;

	*ret = (struct inactive_found){.count = 0};
	code = inactive_each(&list);
	return ret->no_memory ? ui_fail(UI_FAILED, MSG_NO_MEMORY, "no memory") : code;
}

/* ---- what is written */

static void metrics_write(const void *context, FILE *to)
{
	exposition_write(context, to);
}

static int metrics_put(const struct exposition *metrics, const char *output)
{
	int error = replace_write(output, metrics_write, metrics);

	if (error == 0)
		return UI_OK;
	return ui_fail(UI_FAILED, MSG_FILE_UNWRITABLE, "%s cannot be written: %s",
		       output ? output : "standard output", strerror(-error));
}

/* s: NULL when no daemon answers; nobody knows then what is active. */
static int metrics_of(const struct snapshot *s, const struct metrics_options *options)
{
	struct inactive_found inactive = {.count = 0};
	int code = s ? inactive_find(s, &inactive) : UI_OK;
	const struct exposition metrics = {.s = s,
					   .inactive_count = inactive.count,
					   .inactive = inactive.found,
					   .version = PACKAGE_VERSION,
					   .format = options->format};
	int written = metrics_put(&metrics, options->output);

	free(inactive.found);
	return written != UI_OK ? written : code;
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
	written = metrics_of(code == UI_OK ? &s : NULL, &options);
	snapshot_free(&s);
	return written != UI_OK ? written : code;
}
