// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/region_map.h"

#include <errno.h>
#include <stdlib.h>

#define ATTEMPTS 3U /* when the mirror is given another size meanwhile */

static int attempt(struct dlmirror *d, const char *name, unsigned width, struct region_map *ret)
{
	int error = dlmirror_get(d, name, &ret->mirror);

	if (error != 0)
		return error;
	ret->picture = picture_of(ret->mirror.region_count, width);
	ret->cell = calloc(ret->picture.cells, sizeof(*ret->cell));
	if (!ret->cell)
		return -ENOMEM;
	error = dlmirror_map(d, name, 0, ret->picture.per_cell, ret->picture.cells, ret->cell,
			     &ret->about);
	if (error == 0 && ret->about.region_count != ret->mirror.region_count)
		error = -EAGAIN;
	return error;
}

int region_map_read(struct dlmirror *d, const char *name, unsigned width, struct region_map *ret)
{
	int error = -EAGAIN;

	ret->cell = NULL;
	for (unsigned i = 0; i < ATTEMPTS && error == -EAGAIN; i++) {
		region_map_free(ret);
		error = attempt(d, name, width, ret);
	}
	return error;
}

void region_map_free(struct region_map *map)
{
	free(map->cell);
	map->cell = NULL;
}
