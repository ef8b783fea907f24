// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/apart.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void __attribute__((noreturn))
child_run(apart_look *look, const void *argument, size_t size, int to)
{
	char result[PIPE_BUF];

	memset(result, 0, sizeof(result));
	look(argument, result);
	/* In one piece or not at all, as it is no larger than PIPE_BUF. */
	_exit(write(to, result, size) == (ssize_t)size ? 0 : 1);
}

static int result_wait(int from, void *result, size_t size, int timeout_ms)
{
	struct pollfd answer = {.fd = from, .events = POLLIN};
	int ready = poll(&answer, 1, timeout_ms);

	if (ready < 0)
		return -errno;
	if (ready == 0)
		return -ETIMEDOUT;
	return read(from, result, size) == (ssize_t)size ? 0 : -EIO;
}

int apart_run(apart_look *look, const void *argument, void *result, size_t size, int timeout_ms)
{
	int ends[2];
	int error;
	pid_t pid;

	assert(size <= PIPE_BUF);
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		child_run(look, argument, size, ends[1]);
	error = pid < 0 ? -errno : 0;
	(void)close(ends[1]);
	if (error == 0)
		error = result_wait(ends[0], result, size, timeout_ms);
	(void)close(ends[0]);
	if (pid > 0 && error != 0)
		(void)kill(pid, SIGKILL);
	if (pid > 0)
		(void)waitpid(pid, NULL, error == 0 ? 0 : WNOHANG);
	return error;
}
