/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at what may never answer: a device that hangs, a daemon that is stopped. */
#ifndef DLM_COMMAND_APART_H
#define DLM_COMMAND_APART_H

#include <stddef.h>

/* In the process of its own: fills size bytes at result, which are zero. */
typedef void apart_look(const void *argument, void *result);

/* Runs look in a process of its own for at most this long. 0, and *result is what it filled; or
 * -ETIMEDOUT, or another negative errno. size is at most PIPE_BUF. A process that cannot be killed,
 * because it hangs in the kernel, is left behind. */
int apart_run(apart_look *look, const void *argument, void *result, size_t size, int timeout_ms);

#endif
