// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror metrics: what monitoring reads, on standard output or in a file. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemons/dlmirror/exposition.h"
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
			argp_error(state, "a format is openmetrics or prometheus, not '%s'",
				   argument);
		return 0;
	case 'o':
		options->output = argument;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* 0 or a negative errno; stdio keeps no other reason of a write that failed. */
static int text_write(const struct snapshot *s, const struct metrics_options *options, FILE *to)
{
	errno = 0;
	exposition_write(s, PACKAGE_VERSION, options->format, to);
	if (fflush(to) == 0 && !ferror(to))
		return 0;
	return errno ? -errno : -EIO;
}

/* Whoever reads the file sees the old text or the new one: it is written beside it, and takes its
 * name when it is whole. Not only its owner may read it. */
static int file_write(const struct snapshot *s, const struct metrics_options *options)
{
	char *fresh;
	FILE *file = NULL;
	int result = 0;
	int fd;

	if (asprintf(&fresh, "%s.XXXXXX", options->output) < 0)
		return -ENOMEM;
	fd = mkostemp(fresh, O_CLOEXEC);
	if (fd < 0) {
		result = -errno;
		free(fresh);
		return result;
	}
	if (fchmod(fd, 0644) == 0)
		file = fdopen(fd, "w");
	if (file) {
		result = text_write(s, options, file);
		if (fclose(file) != 0 && result == 0)
			result = -errno;
	} else {
		result = -errno;
		(void)close(fd);
	}
	if (result == 0 && rename(fresh, options->output) != 0)
		result = -errno;
	if (result != 0)
		(void)unlink(fresh);
	free(fresh);
	return result;
}

static int metrics_put(const struct snapshot *s, const struct metrics_options *options)
{
	int error = options->output ? file_write(s, options) : text_write(s, options, stdout);

	if (error == 0)
		return UI_OK;
	return ui_fail(UI_FAILED, "%s cannot be written: %s",
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
