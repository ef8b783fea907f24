/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The regions of a mirror as a picture of characters. One character stands for a cell: one region,
 * or so many neighbours that the picture fits, and then for the worst that is among them. What it
 * says it says without colour. No I/O but to the stream that is given.
 */
#ifndef DLM_COMMAND_PICTURE_H
#define DLM_COMMAND_PICTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "dlmirror/dlmirror.h"

#define PICTURE_LINES	  16U /* most there are */
#define PICTURE_WIDTH	  80U /* where nobody says how wide it is to be */
#define PICTURE_WIDTH_MIN 30U
#define PICTURE_WIDTH_MAX 1000U
#define PICTURE_CELLS_MAX (PICTURE_LINES * PICTURE_WIDTH_MAX)

struct picture {
	uint64_t region_count;
	uint64_t per_cell; /* a power of two */
	uint32_t cells;
	unsigned columns; /* cells in a line */
	unsigned digits;  /* of the region's number before each line */
};

/* region_count: at least 1; width: of the lines, PICTURE_WIDTH_MIN to _MAX. */
struct picture picture_of(uint64_t region_count, unsigned width);
/* Of a cell that counts nothing: IN_SYNC. */
enum dlmirror_region picture_worst(const struct dlmirror_cell *cell);
/* "in-sync", …: for programs. */
const char *picture_state_name(enum dlmirror_region state);
/* "in sync", "dirty: marked by this node", …: for people. */
const char *picture_state_meaning(enum dlmirror_region state);
/* Regions that are so. */
uint64_t picture_state_regions(const struct picture *picture, const struct dlmirror_cell *cells,
			       enum dlmirror_region state);
/* The lines, each with the number of its first region. */
void picture_print(FILE *to, const struct picture *picture, const struct dlmirror_cell *cells,
		   bool colour);
/* What the characters mean, and how many regions are so. */
void picture_legend(FILE *to, const struct picture *picture, const struct dlmirror_cell *cells,
		    bool colour);

#endif
