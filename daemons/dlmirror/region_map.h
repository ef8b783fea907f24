/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The regions of a mirror as the daemon counts them, in as many cells as a picture has. */
#ifndef DLM_COMMAND_REGION_MAP_H
#define DLM_COMMAND_REGION_MAP_H

#include "daemons/dlmirror/picture.h"

struct region_map {
	struct dlmirror_mirror mirror;
	struct picture picture;
	struct dlmirror_cell *cell; /* picture.cells */
	struct dlmirror_map about;
};

/* name: or its uuid; width: as in picture_of(). 0 or a negative errno as of libdlmirror, and -ENOMEM; region_map_free() in any
 * case. */
int region_map_read(struct dlmirror *d, const char *name, unsigned width, struct region_map *ret);
void region_map_free(struct region_map *map);

#endif
