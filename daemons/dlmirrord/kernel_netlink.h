/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel port: netlink connector sockets, group CN_IDX_DM. With several sockets each receives
 * only what was sent from its share of the CPUs (a classic BPF filter on SKF_AD_CPU), so that the
 * answer needs no wake-up of another CPU; kernel-contract 9.
 */
#ifndef DLM_KERNEL_NETLINK_H
#define DLM_KERNEL_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Opens, but does not join yet: index of count sockets. buffer_bytes: receive buffer, forced.
 * Returns the descriptor or a negative errno. */
int kernel_netlink_open(unsigned index, unsigned count, size_t buffer_bytes);
/* The receive buffer's size, forced: 0 or negative errno. What is in it stays. */
int kernel_netlink_buffer(int fd, size_t bytes);
/* The same as it is. */
size_t kernel_netlink_buffered(int fd);
/* From now on the kernel finds a listener. */
int kernel_netlink_join(int fd);
/* One datagram of the kernel's: its size, 0 for one to ignore (another sender), or -errno (-EAGAIN
 * with nonblock, -EINTR, -ENOBUFS: some were lost). */
ssize_t kernel_netlink_receive(int fd, void *datagram, size_t cap, bool nonblock);
int kernel_netlink_send(int fd, const void *datagram, size_t size);
/* Process id of another listener on the group; 0: there is none, -1: it is not known. Only the
 * first socket of a process has its id as its port. */
pid_t kernel_netlink_other(void);

#endif
