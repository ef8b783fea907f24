// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host's side of agent.c: remote PORT TIMEOUT_S COMMAND runs the command in the node behind
 * 127.0.0.1:PORT and ends with its status; 124 after the time-out (0: none), 125 when the node
 * cannot be reached or died meanwhile.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXIT_TIMEOUT   124
#define EXIT_TRANSPORT 125

static void transfer(int fd, void *data, size_t size, bool writing)
{
	char *at = data;

	while (size > 0) {
		ssize_t done = writing ? write(fd, at, size) : read(fd, at, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			_exit(EXIT_TRANSPORT);
		at += done;
		size -= (size_t)done;
	}
}

static void timed_out(int number)
{
	(void)number;
	_exit(EXIT_TIMEOUT);
}

static int node_connect(const char *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_port = htons((uint16_t)atoi(port));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		_exit(EXIT_TRANSPORT);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

int main(int argc, char **argv)
{
	static char data[65536];
	uint32_t length;
	int fd;

	if (argc != 4) {
		fprintf(stderr, "usage: remote PORT TIMEOUT_S COMMAND\n");
		return 2;
	}
	signal(SIGALRM, timed_out);
	alarm((unsigned)atoi(argv[2]));
	fd = node_connect(argv[1]);
	length = htonl((uint32_t)strlen(argv[3]));
	transfer(fd, &length, sizeof(length), true);
	transfer(fd, argv[3], strlen(argv[3]), true);
	for (;;) {
		char head[5];

		transfer(fd, head, sizeof(head), false);
		memcpy(&length, head + 1, sizeof(length));
		length = ntohl(length);
		if (length > sizeof(data))
			return EXIT_TRANSPORT;
		transfer(fd, data, length, false);
		if (head[0] == 'X') {
			memcpy(&length, data, sizeof(length));
			return (int)ntohl(length);
		}
		transfer(head[0] == 'O' ? 1 : 2, data, length, true);
	}
}
