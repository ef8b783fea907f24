// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/spots.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR_BYTES 512U

/* Counts are never taken back, so where one fell they have begun anew. */
static bool goes_on(const struct dlmirror_heat *from, const struct dlmirror_heat *to)
{
	uint32_t i;

	if (from->luid != to->luid || from->stretch_regions != to->stretch_regions ||
	    from->stretch_count != to->stretch_count)
		return false;
	for (i = 0; i < to->stretch_count; i++)
		if (to->marks[i] < from->marks[i])
			return false;
	return true;
}

/* What the same log had counted at the earlier look. */
static const struct dlmirror_heat *heat_before(const struct snapshot *earlier,
					       const struct snapshot *later, size_t index)
{
	static const struct dlmirror_heat nothing;
	size_t i;

	if (earlier->daemon.pid != later->daemon.pid ||
	    earlier->daemon.generation != later->daemon.generation)
		return &nothing;
	for (i = 0; i < earlier->count; i++)
		if (strcmp(earlier->mirror[i].uuid, later->mirror[index].uuid) == 0 &&
		    goes_on(&earlier->heat[i], &later->heat[index]))
			return &earlier->heat[i];
	return &nothing;
}

static struct spot spot_at(const struct dlmirror_heat *heat, uint32_t stretch)
{
	uint64_t first = stretch * heat->stretch_regions;
	uint64_t left = heat->region_count - first;
	uint64_t sector = first * heat->region_sectors;
	struct spot spot = {.first = first, .regions = heat->stretch_regions};
	uint64_t sectors = heat->stretch_regions * heat->region_sectors;

	spot.stretch_bytes = sectors * SECTOR_BYTES;
	if (spot.regions > left)
		spot.regions = left;
	/* The last region may be shorter than the others. */
	if (sectors > heat->length_sectors - sector)
		sectors = heat->length_sectors - sector;
	spot.offset_bytes = sector * SECTOR_BYTES;
	spot.size_bytes = sectors * SECTOR_BYTES;
	return spot;
}

static int compare(const void *left, const void *right)
{
	const struct spot *a = left;
	const struct spot *b = right;
	int order = (a->marks_s < b->marks_s) - (a->marks_s > b->marks_s);

	if (order == 0)
		order = (a->index > b->index) - (a->index < b->index);
	if (order == 0)
		order = (a->first > b->first) - (a->first < b->first);
	return order;
}

size_t spots_make(const struct snapshot *earlier, const struct snapshot *later, double seconds,
		  struct spot *ret)
{
	double total = 0;
	size_t count = 0;
	size_t i;

	for (i = 0; i < later->count; i++) {
		const struct dlmirror_heat *to = &later->heat[i];
		const struct dlmirror_heat *from = heat_before(earlier, later, i);
		uint32_t stretch;

		for (stretch = 0; stretch < to->stretch_count; stretch++) {
			uint64_t marks = to->marks[stretch] - from->marks[stretch];

			if (marks == 0)
				continue;
			ret[count] = spot_at(to, stretch);
			ret[count].index = i;
			ret[count].marks_s = (double)marks / seconds;
			total += ret[count++].marks_s;
		}
	}
	for (i = 0; i < count; i++)
		ret[i].share = ret[i].marks_s / total;
	qsort(ret, count, sizeof(*ret), compare);
	return count;
}
