/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemons/dlmirrord/kernel_netlink.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/connector.h>
#include <linux/dm-log-userspace.h>
#include <linux/filter.h>
#include <linux/netlink.h>

/* Where the request type is in a datagram: behind nlmsghdr, cn_msg, and luid, uuid, padding,
 * version, error and seq of dm_ulog_request. One byte holds it. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define TYPE_OFFSET 188U
#else
#define TYPE_OFFSET 191U
#endif

/*
 * Requests about regions come from kernel threads that stay on their CPU: socket `index` takes
 * those of its share of the CPUs. The others come from whoever calls device-mapper. Such a process
 * may move to another CPU while the kernel asks one socket after the other, and its request would
 * then reach none (and be repeated after 15 s) or two; so they all go to socket 0.
 */
static int filter_attach(int fd, unsigned index, unsigned count)
{
	unsigned others = index == 0 ? 0xffffffff : 0;
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TYPE_OFFSET),
	    BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, DM_ULOG_GET_REGION_SIZE, 0, 2),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DM_ULOG_STATUS_INFO, 1, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DM_ULOG_STATUS_TABLE, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, others),
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)(SKF_AD_OFF + SKF_AD_CPU)),
	    BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, count),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, index, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
	    BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return -errno;
	return 0;
}

int kernel_netlink_buffer(int fd, size_t bytes)
{
	int value = (int)bytes;

	return setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &value, sizeof(value)) < 0 ? -errno : 0;
}

size_t kernel_netlink_buffered(int fd)
{
	int value = 0;
	socklen_t size = sizeof(value);

	getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, &size);
	return (size_t)value / 2; /* the kernel doubles what it is told */
}

int kernel_netlink_open(unsigned index, unsigned count, size_t buffer_bytes)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	int error = 0;
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);

	if (fd < 0)
		return -errno;
	error = kernel_netlink_buffer(fd, buffer_bytes);
	if (error == 0 && count > 1)
		error = filter_attach(fd, index, count);
	if (error == 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		error = -errno;
	if (error != 0) {
		close(fd);
		return error;
	}
	return fd;
}

int kernel_netlink_join(int fd)
{
	int group = CN_IDX_DM;

	if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return -errno;
	return 0;
}

ssize_t kernel_netlink_receive(int fd, void *datagram, size_t cap, bool nonblock)
{
	struct sockaddr_nl from;
	socklen_t from_size = sizeof(from);
	ssize_t size = recvfrom(fd, datagram, cap, nonblock ? MSG_DONTWAIT : 0,
				(struct sockaddr *)&from, &from_size);

	if (size < 0)
		return -errno;
	/* Only the kernel has port 0; another process could send us anything. */
	return from_size == sizeof(from) && from.nl_pid == 0 ? size : 0;
}

int kernel_netlink_send(int fd, const void *datagram, size_t size)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t sent;

	do
		sent = sendto(fd, datagram, size, 0, (struct sockaddr *)&kernel, sizeof(kernel));
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

pid_t kernel_netlink_other(void)
{
	FILE *file = fopen("/proc/net/netlink", "re");
	char line[256];
	pid_t found = 0;

	if (file == NULL)
		return 0;
	while (found <= 0 && fgets(line, sizeof(line), file) != NULL) {
		unsigned protocol, port, groups;

		if (sscanf(line, "%*s %u %u %x", &protocol, &port, &groups) == 3 &&
		    protocol == NETLINK_CONNECTOR && (groups & (1U << (CN_IDX_DM - 1))) != 0)
			found = (pid_t)port > 0 ? (pid_t)port : -1;
	}
	fclose(file);
	return found;
}
