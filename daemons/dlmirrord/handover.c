/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemons/dlmirrord/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HANDOVER_VARIABLE "DLMIRRORD_HANDOVER"
#define HANDOVER_SIZE	  (64U + RESPONDERS_MAX * 12U)

static void handover_empty(struct handover *ret)
{
	*ret = (struct handover){.lock_fd = -1, .heartbeat_fd = -1, .successor_fd = -1};
}

/* "generation lock heartbeat successor count fd fd …" */
static bool handover_parse(const char *text, struct handover *ret)
{
	int used;

	if (sscanf(text, "%u %d %d %d %u%n", &ret->generation, &ret->lock_fd, &ret->heartbeat_fd,
		   &ret->successor_fd, &ret->socket_count, &used) != 5 ||
	    ret->socket_count > RESPONDERS_MAX)
		return false;
	for (unsigned i = 0; i < ret->socket_count; i++) {
		text += used;
		if (sscanf(text, "%d%n", &ret->socket[i], &used) != 1 ||
		    fcntl(ret->socket[i], F_SETFD, FD_CLOEXEC) < 0)
			return false;
	}
	return true;
}

/* The descriptors beside the sockets. */
static void others_flag(const struct handover *h, int flag)
{
	const int fd[] = {h->lock_fd, h->heartbeat_fd, h->successor_fd};

	for (size_t i = 0; i < sizeof(fd) / sizeof(fd[0]); i++)
		if (fd[i] >= 0)
			fcntl(fd[i], F_SETFD, flag);
}

void handover_take(struct handover *ret)
{
	const char *text = getenv(HANDOVER_VARIABLE);

	handover_empty(ret);
	if (text == NULL)
		return;
	if (!handover_parse(text, ret))
		handover_empty(ret);
	unsetenv(HANDOVER_VARIABLE);
	others_flag(ret, FD_CLOEXEC);
}

int handover_give(const struct handover *h)
{
	char text[HANDOVER_SIZE];
	size_t used =
	    (size_t)snprintf(text, sizeof(text), "%u %d %d %d %u", h->generation, h->lock_fd,
			     h->heartbeat_fd, h->successor_fd, h->socket_count);

	for (unsigned i = 0; i < h->socket_count; i++) {
		used += (size_t)snprintf(text + used, sizeof(text) - used, " %d", h->socket[i]);
		if (fcntl(h->socket[i], F_SETFD, 0) < 0)
			return -errno;
	}
	others_flag(h, 0);
	return setenv(HANDOVER_VARIABLE, text, 1) < 0 ? -errno : 0;
}

void handover_keep(const struct handover *h)
{
	for (unsigned i = 0; i < h->socket_count; i++)
		fcntl(h->socket[i], F_SETFD, FD_CLOEXEC);
	others_flag(h, FD_CLOEXEC);
	unsetenv(HANDOVER_VARIABLE);
}

int handover_spawn(const struct handover *h, char *const arguments[], int *ret_fd)
{
	struct handover next = *h;
	int ends[2];
	pid_t pid;
	int error;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	next.successor_fd = ends[1];
	error = handover_give(&next);
	if (error == 0)
		error = -posix_spawn(&pid, arguments[0], NULL, NULL, arguments, environ);
	handover_keep(&next);
	close(ends[1]);
	if (error != 0)
		close(ends[0]);
	else
		*ret_fd = ends[0];
	return error;
}

int handover_is_ready(int fd)
{
	char word;
	ssize_t size = recv(fd, &word, 1, MSG_DONTWAIT);

	if (size < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return size == 1 ? 1 : -ECONNRESET;
}

int handover_go(int fd)
{
	return send(fd, "g", 1, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

int handover_wait(const struct handover *h)
{
	char word;
	ssize_t size;

	if (send(h->successor_fd, "r", 1, MSG_NOSIGNAL) != 1)
		return -errno;
	do
		size = recv(h->successor_fd, &word, 1, 0);
	while (size < 0 && errno == EINTR);
	return size == 1 ? 0 : -ECONNRESET;
}

void handover_wait_end(struct handover *h, int timeout_ms)
{
	struct pollfd fd = {.fd = h->successor_fd, .events = POLLIN};

	poll(&fd, 1, timeout_ms);
	close(h->successor_fd);
	h->successor_fd = -1;
}
