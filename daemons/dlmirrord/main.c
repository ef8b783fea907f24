/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options, configuration, and which process this is: supervisor, worker, or both in one. */
#include <config.h>

#include <argp.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemons/common/config.h"
#include "daemons/common/message.h"
#include "daemons/dlmirrord/daemon.h"
#include "daemons/dlmirrord/supervisor.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif
#define CONFIG_PATH SYSCONFDIR "/dlmirror/dlmirror.conf"

const char *argp_program_version = "dlmirrord " PACKAGE_VERSION;

enum { OPTION_NO_SUPERVISOR = 256, OPTION_WORKER };

struct options {
	const char *config_path;
	bool config_named;
	bool foreground;
	bool supervisor;
	bool worker;
	char program[512];
	struct config config;
};

static const struct argp_option option_table[] = {
    {"config", 'c', "FILE", 0, "read FILE instead of " CONFIG_PATH, 0},
    {"foreground", 'f', NULL, 0, "stay in the foreground and log to stderr", 0},
    {"no-supervisor", OPTION_NO_SUPERVISOR, NULL, 0, "one process: whoever started it restarts it",
     0},
    {"worker", OPTION_WORKER, NULL, OPTION_HIDDEN, "a planned restart's new image", 0},
    {0},
};

static error_t option_parse(int key, char *argument, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'c':
		options->config_path = argument;
		options->config_named = true;
		return 0;
	case 'f':
		options->foreground = true;
		return 0;
	case OPTION_NO_SUPERVISOR:
		options->supervisor = false;
		return 0;
	case OPTION_WORKER:
		options->worker = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "there is nothing to be done with '%s'", argument);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void __attribute__((format(printf, 2, 3)))
complain(enum message message, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	message_vmake(text, sizeof(text), message, format, arguments);
	va_end(arguments);
	fprintf(stderr, "dlmirrord: %s\n", text);
}

static int config_load(struct options *options)
{
	char error[512];
	int code;

	config_default(&options->config);
	code = config_read(options->config_path, &options->config, error, sizeof(error));
	if (code == -ENOENT && (!options->config_named || options->worker))
		return 0;
	if (code != 0)
		complain(MSG_WITHIN, "%s", error);
	return code;
}

/* Where this program is, for a planned restart: the path, which then may be a newer file. */
static int program_path(char *ret, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", ret, size - 1);

	if (length < 0) {
		length = -errno;
		complain(MSG_DAEMON_CANNOT_START, "cannot find out where this program is: %s",
			 strerror(errno));
		return (int)length;
	}
	ret[length] = '\0';
	return 0;
}

static int worker_main(int heartbeat_fd, void *context)
{
	const struct options *options = context;
	struct handover handover;

	handover_take(&handover);
	if (heartbeat_fd >= 0)
		handover.heartbeat_fd = heartbeat_fd;
	return daemon_run(&options->config, options->config_path, &handover, options->program);
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
	    .options = option_table,
	    .parser = option_parse,
	    .doc = "Answers the kernel's mirror logs.\vSee dlmirrord(8) and dlmirror.conf(5).",
	};
	static struct options options = {.config_path = CONFIG_PATH, .supervisor = true};

	if (argp_parse(&argp, argc, argv, 0, NULL, &options) != 0 || config_load(&options) != 0 ||
	    program_path(options.program, sizeof(options.program)) != 0)
		return EXIT_FAILURE;
	if (options.foreground && !options.worker)
		setenv("DLMIRRORD_FOREGROUND", "1", 1);
	if (getenv("DLMIRRORD_FOREGROUND") != NULL)
		snprintf(options.config.target, sizeof(options.config.target), "stderr");
	if (options.worker || !options.supervisor)
		return worker_main(-1, &options);
	if (!options.foreground && daemon(0, 0) < 0) {
		complain(MSG_DAEMON_CANNOT_START, "cannot go into the background: %s",
			 strerror(errno));
		return EXIT_FAILURE;
	}
	return supervisor_run(options.config.watchdog_s, worker_main, &options);
}
