/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which logs there are is what the files in RUN_DIR/logs say. A daemon finds those of the one
 * before, whose kernel has been writing meanwhile. Everything with the core lock held.
 */
#ifndef DLM_RESTORE_H
#define DLM_RESTORE_H

#include <stdbool.h>
#include <stdint.h>

struct daemon;

/* Can all logs of the daemon that is to be replaced be restored? Says what cannot. */
int restore_check(struct daemon *d);
/* Have they all been loaded by a daemon that was in a cluster, or all by one that was not, as we
 * are? Says which has not. */
bool restore_fits(struct daemon *d);
/* All of them; before the sockets are joined. What there is no memory for is left (d->left), and
 * tried again every second. */
void restore_logs(struct daemon *d);
/* What was left, now; false: some still is. */
bool restore_left(struct daemon *d);
/* Is it a log that was left? Its file has marks of a kernel that goes on writing: until it is a log
 * again, nobody may make another one of it. */
bool restore_is_left(const struct daemon *d, uint64_t luid);

#endif
