/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plan and a live table -> a table beside it, checked. Blocks. */
#ifndef DLM_DEVMAP_LOAD_H
#define DLM_DEVMAP_LOAD_H

#include "codec/group.h"
#include "daemons/dlmirrord/devmap_ioctl.h"

/* See devmap_load(). Negative errno, and text says why. */
int devmap_load_found(struct found *found, const struct devmap_load *wish,
		      char text[GROUP_TEXT_SIZE]);

#endif
