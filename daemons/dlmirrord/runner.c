/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemons/dlmirrord/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemons/dlmirrord/beside.h"

#define SIGNALLED 128 /* as shells count */

/* ---- the command */

/* As if an admin had called it: nothing of what the daemon made itself. */
static void plain_become(void)
{
	static char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	sigset_t none;

	environ = (char **)environment;
	if (fd >= 0) {
		(void)!write(fd, "0", 1);
		close(fd);
	}
	signal(SIGPIPE, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	umask(022);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void command_become(const char *program, struct runner_order *order, int in, int out)
{
	char *argv[RUNNER_WORDS + 2] = {(char *)program};

	for (unsigned i = 0; i < RUNNER_WORDS && order->word[i][0] != '\0'; i++)
		argv[i + 1] = order->word[i];
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(out, STDERR_FILENO) < 0)
		_exit(EXIT_FAILURE);
	plain_become();
	execv(program, argv);
	dprintf(STDERR_FILENO, "%s cannot be run: %s [command-not-run]\n", program,
		strerror(errno));
	_exit(EXIT_FAILURE);
}

/* All of it is read, so that the command never waits; what is too much is dropped. */
static void output_read(int fd, char ret[RUNNER_TEXT_SIZE])
{
	char rest[4096];
	size_t used = 0;
	ssize_t got = 1;

	while (got > 0 || (got < 0 && errno == EINTR)) {
		bool room = used < RUNNER_TEXT_SIZE - 1;

		got = room ? read(fd, ret + used, RUNNER_TEXT_SIZE - 1 - used)
			   : read(fd, rest, sizeof(rest));
		if (got > 0 && room)
			used += (size_t)got;
	}
	for (size_t i = 0; i < used; i++)
		if (((unsigned char)ret[i] < ' ' && ret[i] != '\n') || ret[i] == 0x7f)
			ret[i] = '?';
	ret[used] = '\0';
}

static uint8_t code_of(int status)
{
	return (uint8_t)(WIFEXITED(status) ? WEXITSTATUS(status) : SIGNALLED + WTERMSIG(status));
}

static void command_run(const char *program, struct runner_order *order, struct runner_answer *ret)
{
	int in[2];
	int out[2];
	int status = 0;
	pid_t pid;

	ret->code = EXIT_FAILURE;
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		snprintf(ret->text, sizeof(ret->text), "%s cannot be run: %s [command-not-run]\n",
			 program, strerror(errno));
		return;
	}
	if (pid == 0)
		command_become(program, order, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	(void)!write(in[1], order->text, strlen(order->text)); /* a pipe holds more than that */
	close(in[1]);
	output_read(out[0], ret->text);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	ret->code = code_of(status);
}

/* ---- the processes */

static void order_do(int fd, const char *program, struct runner_order *order)
{
	static struct runner_answer answer; /* large */

	answer.id = order->id;
	signal(SIGCHLD, SIG_DFL);
	command_run(program, order, &answer);
	(void)!send(fd, &answer, sizeof(answer), MSG_NOSIGNAL);
}

static void runner_run(int fd, const void *context)
{
	static struct runner_order order;

	signal(SIGCHLD, SIG_IGN); /* none is waited for */
	signal(SIGPIPE, SIG_IGN);
	while (recv(fd, &order, sizeof(order), 0) == (ssize_t)sizeof(order)) {
		pid_t pid = fork();

		if (pid == 0) {
			order_do(fd, context, &order);
			break;
		}
		if (pid < 0) {
			static struct runner_answer answer;

			answer.id = order.id;
			answer.code = EXIT_FAILURE;
			snprintf(answer.text, sizeof(answer.text),
				 "no process for it: %s [daemon-no-memory]\n", strerror(errno));
			(void)!send(fd, &answer, sizeof(answer), MSG_NOSIGNAL);
		}
	}
}

int runner_start(const char *program)
{
	return beside_start("dlm-runner", runner_run, program);
}

int runner_send(int fd, const struct runner_order *order)
{
	return send(fd, order, sizeof(*order), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int runner_receive(int fd, struct runner_answer *ret)
{
	ssize_t size = recv(fd, ret, sizeof(*ret), 0);

	if (size < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (size != (ssize_t)sizeof(*ret))
		return -EPIPE;
	ret->text[sizeof(ret->text) - 1] = '\0';
	return 1;
}
