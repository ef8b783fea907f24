/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that may hang in a system call (a device that does not answer, an ioctl that waits for
 * our own answer) keep a killed process from ending, and with it everything that is open. So they
 * have a descriptor table of their own: when the daemon is killed, its sockets and its lock are
 * closed at once, whatever such a thread still waits for, and the next daemon can begin.
 */
#ifndef DLM_APART_H
#define DLM_APART_H

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <unistd.h>

/* Called by such a thread first. Of all descriptors above stderr it keeps only keep_fd. Threads
 * that it starts share its table. 0 or negative errno. */
static inline int files_apart(int keep_fd)
{
	unsigned keep = (unsigned)keep_fd;

	if (unshare(CLONE_FILES) < 0)
		return -errno;
	if (keep > 3 && close_range(3, keep - 1, 0) < 0)
		return -errno;
	return close_range(keep < 3 ? 3 : keep + 1, UINT_MAX, 0) < 0 ? -errno : 0;
}

#endif
