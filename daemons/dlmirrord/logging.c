/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nobody who logs waits for syslogd or for whoever reads stderr: they may be writing to a mirror
 * that waits for us. So lines go through a bounded queue to a thread that writes them. (libqb's own
 * thread would not do: it writes with the lock held that whoever logs takes, a spinlock.)
 */
#include "daemons/dlmirrord/logging.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <qb/qbdefs.h>
#include <qb/qblog.h>

#include "daemons/common/message.h"
#include "daemons/dlmirrord/apart.h"
#include "daemons/dlmirrord/flight.h"
#include "daemons/dlmirrord/thread.h"

#define BLACKBOX_SIZE (512 * 1024)
#define FATAL_LIMIT_S 2U
#define LINES_MAX     512U
#define END_MS	      1000U

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

struct line {
	int priority;
	char text[QB_LOG_MAX_LEN];
};

static struct {
	pthread_mutex_t lock; /* never held while a line is written */
	pthread_cond_t work;
	pthread_cond_t idle;
	bool started;
	bool to_stderr;
	bool writing;
	unsigned first;
	unsigned count;
	uint64_t lost;
	struct line line[LINES_MAX];
} queue;

static void line_write(const struct line *line)
{
	if (queue.to_stderr)
		dprintf(STDERR_FILENO, "%s\n", line->text);
	else
		syslog(line->priority, "%s", line->text);
}

static struct line lost_line(void)
{
	struct line line = {.priority = LOG_WARNING};

	message_make(
	    line.text, sizeof(line.text), MSG_LOG_LINES_LOST,
	    "dlmirrord: %llu lines of the log are lost here: they came faster than they could be "
	    "written",
	    (unsigned long long)queue.lost);
	queue.lost = 0;
	return line;
}

static void line_put(const struct line *line)
{
	queue.line[(queue.first + queue.count++) % LINES_MAX] = *line;
}

static void *writer_main(void *unused)
{
	struct line line;

	(void)unused;
	/* What it waits for must not keep a killed daemon's sockets open. */
	(void)files_apart(STDERR_FILENO);
	pthread_mutex_lock(&queue.lock);
	for (;;) {
		while (queue.count == 0 && queue.lost == 0) {
			pthread_cond_broadcast(&queue.idle);
			pthread_cond_wait(&queue.work, &queue.lock);
		}
		if (queue.count > 0) {
			line = queue.line[queue.first];
			queue.first = (queue.first + 1) % LINES_MAX;
			queue.count--;
		} else {
			line = lost_line(); /* nothing has come since */
		}
		queue.writing = true;
		pthread_mutex_unlock(&queue.lock);
		line_write(&line);
		pthread_mutex_lock(&queue.lock);
		queue.writing = false;
	}
	return NULL;
}

/* With libqb's own lock against other threads, so in order. */
static void on_line(int32_t target, struct qb_log_callsite *callsite, struct timespec *time,
		    const char *text)
{
	int priority = callsite->priority < LOG_DEBUG ? callsite->priority : LOG_DEBUG;
	struct line line = {.priority = priority};

	qb_log_target_format(target, callsite, time, text, line.text);
	if (!queue.started) {
		line_write(&line);
		return;
	}
	pthread_mutex_lock(&queue.lock);
	/* That something is lost stands where it is missing. */
	if (queue.lost > 0 && queue.count + 1 < LINES_MAX) {
		struct line lost = lost_line();

		line_put(&lost);
	}
	if (queue.lost == 0 && queue.count < LINES_MAX)
		line_put(&line);
	else
		queue.lost++;
	pthread_cond_signal(&queue.work);
	pthread_mutex_unlock(&queue.lock);
}

static void queue_start(void)
{
	pthread_mutexattr_t mutex;
	pthread_condattr_t cond;
	pthread_t thread;

	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_setprotocol(&mutex, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&queue.lock, &mutex);
	pthread_mutexattr_destroy(&mutex);
	pthread_condattr_init(&cond);
	pthread_condattr_setclock(&cond, CLOCK_MONOTONIC);
	pthread_cond_init(&queue.work, &cond);
	pthread_cond_init(&queue.idle, &cond);
	pthread_condattr_destroy(&cond);
	queue.started = thread_start(&thread, "dlm-log", writer_main, NULL) == 0;
	if (queue.started)
		pthread_detach(thread);
}

void logging_flush(uint32_t timeout_ms)
{
	struct timespec until;
	int error = 0;

	if (!queue.started)
		return;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(timeout_ms / 1000);
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&queue.lock);
	while ((queue.count > 0 || queue.lost > 0 || queue.writing) && error == 0)
		error = pthread_cond_timedwait(&queue.idle, &queue.lock, &until);
	pthread_mutex_unlock(&queue.lock);
}

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
	queue.to_stderr = strcmp(target, "stderr") == 0;
	if (!queue.to_stderr)
		openlog("dlmirrord", LOG_PID, LOG_DAEMON);
	queue_start();
	qb_log_init("dlmirrord", LOG_DAEMON, LOG_TRACE);
	qb_log_ctl(QB_LOG_SYSLOG, QB_LOG_CONF_ENABLED, QB_FALSE);
	target_id = qb_log_custom_open(on_line, NULL, NULL, NULL);
	if (queue.to_stderr)
		qb_log_format_set(target_id, "%T dlmirrord %p: %b");
	qb_log_ctl(target_id, QB_LOG_CONF_ENABLED, QB_TRUE);
	qb_log_filter_ctl(QB_LOG_BLACKBOX, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE, "*", LOG_TRACE);
	qb_log_ctl(QB_LOG_BLACKBOX, QB_LOG_CONF_SIZE, BLACKBOX_SIZE);
	qb_log_ctl(QB_LOG_BLACKBOX, QB_LOG_CONF_THREADED, QB_FALSE);
	qb_log_ctl(QB_LOG_BLACKBOX, QB_LOG_CONF_ENABLED, QB_TRUE);
	if (logging_level(level) != 0)
		logging_level("notice");
}

void logging_end(void)
{
	logging_flush(END_MS);
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
		message_make(text, size, MSG_BLACKBOX_UNWRITABLE,
			     "the blackbox could not be written to %s: %s", directory,
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
