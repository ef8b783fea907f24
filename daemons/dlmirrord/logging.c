/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemons/dlmirrord/logging.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <qb/qbdefs.h>
#include <qb/qblog.h>

#include "daemons/dlmirrord/flight.h"

#define BLACKBOX_SIZE (512 * 1024)
#define FATAL_LIMIT_S 2U

static int32_t target_id;
static bool traces;
static char fatal_path[512];

static const struct {
	const char *name;
	uint8_t priority;
} levels[] = {
    {"error", LOG_ERR}, {"warning", LOG_WARNING}, {"notice", LOG_NOTICE},
    {"info", LOG_INFO}, {"debug", LOG_DEBUG},	  {"trace", LOG_TRACE},
};

int logging_level(const char *level)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(levels[i].name, level) != 0)
			continue;
		qb_log_filter_ctl(target_id, QB_LOG_FILTER_CLEAR_ALL, QB_LOG_FILTER_FILE, "*",
				  LOG_TRACE);
		qb_log_filter_ctl(target_id, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE, "*",
				  levels[i].priority);
		traces = levels[i].priority == LOG_TRACE;
		return 0;
	}
	return -EINVAL;
}

bool logging_traces(void)
{
	return traces;
}

void logging_start(const char *target, const char *level)
{
	bool to_stderr = strcmp(target, "stderr") == 0;

	qb_log_init("dlmirrord", LOG_DAEMON, LOG_TRACE);
	target_id = to_stderr ? QB_LOG_STDERR : QB_LOG_SYSLOG;
	qb_log_ctl(QB_LOG_SYSLOG, QB_LOG_CONF_ENABLED, !to_stderr);
	if (to_stderr) {
		qb_log_format_set(QB_LOG_STDERR, "%T dlmirrord %p: %b");
		qb_log_ctl(QB_LOG_STDERR, QB_LOG_CONF_ENABLED, QB_TRUE);
	}
	qb_log_filter_ctl(QB_LOG_BLACKBOX, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE, "*", LOG_TRACE);
	qb_log_ctl(QB_LOG_BLACKBOX, QB_LOG_CONF_SIZE, BLACKBOX_SIZE);
	qb_log_ctl(QB_LOG_BLACKBOX, QB_LOG_CONF_THREADED, QB_FALSE);
	qb_log_ctl(QB_LOG_BLACKBOX, QB_LOG_CONF_ENABLED, QB_TRUE);
	if (logging_level(level) != 0)
		logging_level("notice");
}

void logging_end(void)
{
	qb_log_fini();
}

/* Only the blackbox takes lines of this level, unless the admin wants to see them. */
static void flight_line(const char *log, const char *line)
{
	qb_log(LOG_TRACE, "%s %s", log, line);
}

int logging_blackbox(const char *directory, char *text, size_t size)
{
	struct timespec now;
	ssize_t written;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(text, size, "%s/blackbox-%d-%lld", directory, (int)getpid(),
		 (long long)now.tv_sec);
	flight_tell(flight_line);
	written = qb_log_blackbox_write_to_file(text);
	if (written < 0)
		snprintf(text, size, "the blackbox could not be written to %s: %s", directory,
			 strerror((int)-written));
	return written < 0 ? (int)written : 0;
}

static void on_fatal(int number)
{
	sigset_t alarm_only;

	signal(number, SIG_DFL);
	/* None of what follows is made for a signal handler: it may find a lock taken, or a disk
	 * that does not answer. The mirrors wait for the next daemon, so it has this long and no
	 * more. */
	signal(SIGALRM, SIG_DFL);
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
	alarm(FATAL_LIMIT_S);
	flight_tell(flight_line);
	qb_log_blackbox_write_to_file(fatal_path);
	raise(number);
}

void logging_catch_fatal(const char *directory)
{
	static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};

	snprintf(fatal_path, sizeof(fatal_path), "%s/blackbox-fatal-%d", directory, (int)getpid());
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		signal(fatal[i], on_fatal);
}
