/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who this host is on a log device: one rule for the daemon and the command. */
#ifndef DLM_COMMON_HOST_H
#define DLM_COMMON_HOST_H

#include <stddef.h>

#include "codec/disk.h"

/*
 * The owner that a single-node daemon of this host writes: cluster empty, host_id what the
 * configuration says, or else the contents of /etc/machine-id, or else the host name.
 * config_host_id may be empty. 0 or negative errno.
 */
int host_identity(const char *config_host_id, struct disk_owner *ret);

/* Of the running kernel, as text; changes with each boot. 0 or negative errno. */
int host_boot_id(char *ret, size_t cap);

#endif
