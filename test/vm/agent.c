// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs commands for the host, inside a node. One TCP connection is one command:
 *
 *	host -> agent   u32 length, the command for /bin/bash -c
 *	agent -> host   frames: u8 kind, u32 length, bytes
 *	                'O' and 'E' are stdout and stderr, 'X' the exit status as u32 and the end
 *
 * Numbers are in network order. When the host hangs up, the command's session gets SIGHUP and
 * SIGTERM. What a command leaves in the background lives on and does not hold the answer up.
 */
#define _GNU_SOURCE // close_range
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/tcp.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMMAND_MAX (1U << 20)

static bool read_all(int fd, void *data, size_t size)
{
	char *at = data;

	while (size > 0) {
		ssize_t got = read(fd, at, size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		size -= (size_t)got;
	}
	return true;
}

static bool write_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size > 0) {
		ssize_t put = write(fd, at, size);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		at += put;
		size -= (size_t)put;
	}
	return true;
}

static bool frame_send(int fd, char kind, const void *data, uint32_t size)
{
	uint32_t length = htonl(size);
	char head[5];

	head[0] = kind;
	memcpy(head + 1, &length, sizeof(length));
	return write_all(fd, head, sizeof(head)) && write_all(fd, data, size);
}

static char *command_read(int connection)
{
	uint32_t length;
	char *command;

	if (!read_all(connection, &length, sizeof(length)))
		return NULL;
	length = ntohl(length);
	if (length > COMMAND_MAX)
		return NULL;
	command = calloc(1, length + 1);
	if (command && !read_all(connection, command, length)) {
		free(command);
		return NULL;
	}
	return command;
}

static pid_t command_start(const char *command, const int out[2], const int err[2])
{
	sigset_t none;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	dup2(open("/dev/null", O_RDONLY), 0);
	dup2(out[1], 1);
	dup2(err[1], 2);
	close_range(3, ~0U, 0);
	execl("/bin/bash", "bash", "-c", command, (char *)NULL);
	_exit(127);
}

/* Sends what can be read now; false when the host is gone. */
static bool stream_forward(struct pollfd *stream, int connection, char kind)
{
	static char data[65536];

	while (stream->fd >= 0) {
		ssize_t got = read(stream->fd, data, sizeof(data));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return true;
		if (got == 0) {
			close(stream->fd);
			stream->fd = -1;
			return true;
		}
		if (!frame_send(connection, kind, data, (uint32_t)got))
			return false;
	}
	return true;
}

/* Forwards output until the command has ended; false when the host hung up first. */
static bool command_follow(int connection, pid_t pid, int out, int err, int child, int *ret_status)
{
	struct pollfd poll_fds[] = {
	    {.fd = out, .events = POLLIN},
	    {.fd = err, .events = POLLIN},
	    {.fd = child, .events = POLLIN},
	    {.fd = connection, .events = POLLIN},
	};

	for (;;) {
		struct signalfd_siginfo info;
		bool ended;
		char byte;

		if (poll(poll_fds, 4, -1) < 0 && errno != EINTR)
			return false;
		while (read(child, &info, sizeof(info)) > 0)
			;
		ended = waitpid(pid, ret_status, WNOHANG) == pid;
		if (!stream_forward(&poll_fds[0], connection, 'O') ||
		    !stream_forward(&poll_fds[1], connection, 'E'))
			return false;
		if (ended)
			return true;
		if (poll_fds[3].revents && read(connection, &byte, 1) <= 0)
			return false;
	}
}

static void connection_serve(int connection)
{
	char *command = command_read(connection);
	int out[2], err[2], child, status;
	sigset_t set;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &set, NULL);
	child = signalfd(-1, &set, SFD_NONBLOCK);
	if (!command || child < 0 || pipe(out) || pipe(err))
		return;
	pid = command_start(command, out, err);
	if (pid < 0)
		return;
	close(out[1]);
	close(err[1]);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	if (command_follow(connection, pid, out[0], err[0], child, &status)) {
		uint32_t code = WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status)
						  : 128U + (uint32_t)WTERMSIG(status);

		code = htonl(code);
		frame_send(connection, 'X', &code, sizeof(code));
		shutdown(connection, SHUT_WR);
	} else {
		kill(-pid, SIGHUP);
		kill(-pid, SIGTERM);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int one = 1;
	int server = socket(AF_INET, SOCK_STREAM, 0);

	if (argc != 2) {
		fprintf(stderr, "usage: agent PORT\n");
		return 2;
	}
	address.sin_port = htons((uint16_t)atoi(argv[1]));
	setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(server, (struct sockaddr *)&address, sizeof(address)) || listen(server, 64)) {
		perror("agent");
		return 1;
	}
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int connection = accept(server, NULL, NULL);

		if (connection < 0)
			continue;
		setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (fork() == 0) {
			close(server);
			connection_serve(connection);
			_exit(0);
		}
		close(connection);
	}
}
