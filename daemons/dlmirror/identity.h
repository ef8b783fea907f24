/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who this host is on log devices, as the running daemon sees it. */
#ifndef DLM_COMMAND_IDENTITY_H
#define DLM_COMMAND_IDENTITY_H

#include "codec/disk.h"
#include "dlmirror/dlmirror.h"

void identity_of_daemon(const struct dlmirror_daemon *daemon, struct disk_owner *ret);
/* From the daemon, or when none runs from the configuration as it would be. The exit code. */
int identity_get(const char *config_path, struct disk_owner *ret);

#endif
