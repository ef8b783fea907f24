/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which device carries which log. The catalog is a guess, never an authority: whatever it says is
 * checked against the table of the device, and only if no unknown device carries the log either are
 * the known ones read again.
 */
#ifndef DLM_DEVMAP_CATALOG_H
#define DLM_DEVMAP_CATALOG_H

#include "daemons/dlmirrord/devmap_ioctl.h"

struct known_device;

/* Zero is empty; item is freed with free(). Sorted by devno. */
struct catalog {
	struct known_device *item;
	size_t count;
	size_t room;
};

/* The live table with log uuid. 0, -ENOENT: there is none, or what kept us from looking. */
int catalog_find(struct catalog *catalog, const char *uuid, struct found *ret);

#endif
