/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where mirrors were busy between two looks. Pure: no clock. */
#ifndef DLM_COMMAND_SPOTS_H
#define DLM_COMMAND_SPOTS_H

#include "daemons/dlmirror/snapshot.h"

/* A stretch of regions of which some were marked. */
struct spot {
	size_t index; /* of its mirror, in the later snapshot */
	uint64_t first;
	uint64_t regions;
	uint64_t offset_bytes;
	uint64_t size_bytes;
	uint64_t stretch_bytes; /* of any but the last one of the mirror */
	double marks_s;
	double share; /* of all marks of the interval, 0 to 1 */
};

/*
 * Those of all mirrors of the later snapshot, the busiest first, and how many there are: ret has room
 * for later->count * DLMIRROR_STRETCHES_MAX. Both snapshots have heat. As rates_make() has it, what
 * has begun to count anew has counted from 0 on.
 */
size_t spots_make(const struct snapshot *earlier, const struct snapshot *later, double seconds,
		  struct spot *ret);

#endif
