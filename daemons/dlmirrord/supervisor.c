/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemons/dlmirrord/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "daemons/common/message.h"
#include "daemons/dlmirrord/clock.h"

#define SETTLED_MS     10000U /* a worker that lived this long is started again at once */
#define PAUSE_FIRST_MS 100U
#define PAUSE_MAX_MS   2000U

struct supervisor {
	uint32_t watchdog_s;
	int signal_fd;
	pid_t pid;
	int heartbeat_fd;
	uint64_t started_ms;
	uint64_t heard_ms;
	uint64_t beats;
	sigset_t signals;
};

/* The supervisor has no loop and no blackbox; its few words go to syslog and stderr. */
static void say(enum message message, const char *text, int number)
{
	const char *id = message_id(message);

	syslog(LOG_ERR, "supervisor: %s (%d) [%s]", text, number, id);
	fprintf(stderr, "dlmirrord supervisor: %s (%d) [%s]\n", text, number, id);
}

static int worker_start(struct supervisor *s, int (*worker)(int, void *), void *context)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	s->pid = fork();
	if (s->pid < 0) {
		close(ends[0]);
		close(ends[1]);
		return -errno;
	}
	if (s->pid == 0) {
		sigprocmask(SIG_UNBLOCK, &s->signals, NULL);
		close(s->signal_fd);
		close(ends[0]);
		exit(worker(ends[1], context));
	}
	close(ends[1]);
	s->heartbeat_fd = ends[0];
	s->started_ms = s->heard_ms = clock_ms();
	s->beats = 0;
	return 0;
}

/* Signals for the worker are passed on; SIGCHLD only wakes us. */
static void signals_pass(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			kill(s->pid, (int)info.ssi_signo);
}

/* False: the worker's end of the pipe is closed, it is dead as far as the kernel's sockets go, even
 * where a thread of it still hangs in a system call and it cannot be reaped yet. */
static bool heartbeats_read(struct supervisor *s)
{
	pid_t pid;
	ssize_t size;

	while ((size = read(s->heartbeat_fd, &pid, sizeof(pid))) == (ssize_t)sizeof(pid)) {
		s->heard_ms = clock_ms();
		s->beats++;
		s->pid = pid; /* after a planned restart the worker's child, which became ours */
	}
	return size < 0;
}

/* Workers that were replaced. The one of now is left: its exit code is wanted. */
static void replaced_reap(const struct supervisor *s)
{
	siginfo_t info = {.si_pid = 0};

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0 &&
	       info.si_pid != s->pid) {
		waitpid(info.si_pid, NULL, 0);
		info.si_pid = 0;
	}
}

/* Waits until the worker is gone; its exit code, or -1 when it was killed or cannot be reaped yet.
 */
static int worker_watch(struct supervisor *s)
{
	int status;
	pid_t reaped;

	for (;;) {
		struct pollfd fds[] = {{.fd = s->signal_fd, .events = POLLIN},
				       {.fd = s->heartbeat_fd, .events = POLLIN}};

		poll(fds, 2, 1000);
		signals_pass(s);
		if (!heartbeats_read(s))
			break;
		replaced_reap(s);
		if (s->watchdog_s > 0 && clock_ms() - s->heard_ms > s->watchdog_s * 1000U) {
			say(MSG_WORKER_STUCK, "the worker is stuck, killing it, pid", s->pid);
			kill(s->pid, SIGKILL);
			s->heard_ms = clock_ms();
		}
	}
	/* The pipe closes a moment before the process can be reaped. */
	for (int i = 0; i < 200; i++) {
		reaped = waitpid(s->pid, &status, WNOHANG);
		if (reaped != 0)
			break;
		poll(NULL, 0, 1);
	}
	close(s->heartbeat_fd);
	/* Replaced, and no heartbeat of the successor: it has died as well. */
	if (reaped == s->pid && WIFEXITED(status) && WEXITSTATUS(status) != SUPERVISOR_REPLACED)
		return WEXITSTATUS(status);
	say(MSG_WORKER_DIED, "the worker died, pid", s->pid);
	return -1;
}

static void supervisor_prepare(struct supervisor *s)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	sigemptyset(&s->signals);
	sigaddset(&s->signals, SIGTERM);
	sigaddset(&s->signals, SIGINT);
	sigaddset(&s->signals, SIGHUP);
	sigaddset(&s->signals, SIGUSR1);
	sigaddset(&s->signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &s->signals, NULL);
	s->signal_fd = signalfd(-1, &s->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	openlog("dlmirrord", LOG_PID, LOG_DAEMON);
}

int supervisor_run(uint32_t watchdog_s, int (*worker)(int heartbeat_fd, void *context),
		   void *context)
{
	struct supervisor s = {.watchdog_s = watchdog_s};
	uint32_t pause_ms = PAUSE_FIRST_MS;
	bool ever_up = false;

	supervisor_prepare(&s);
	for (;;) {
		int code = worker_start(&s, worker, context);

		if (code != 0) {
			say(MSG_WORKER_NOT_STARTED, "cannot start a worker, errno", -code);
			return EXIT_FAILURE;
		}
		code = worker_watch(&s);
		ever_up = ever_up || s.beats > 0;
		/* It ended by itself; or it could not even start, and would not the next time. */
		if (code == EXIT_SUCCESS || (code > 0 && !ever_up))
			return code;
		if (clock_ms() - s.started_ms > SETTLED_MS)
			pause_ms = PAUSE_FIRST_MS;
		poll(NULL, 0, (int)pause_ms);
		pause_ms = pause_ms * 2 < PAUSE_MAX_MS ? pause_ms * 2 : PAUSE_MAX_MS;
	}
}
