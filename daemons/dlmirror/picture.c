// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/picture.h"

#include <inttypes.h>

#define COLUMNS_STEP 8U /* lines begin with round numbers */

static const struct {
	char character;
	const char *colour; /* ECMA-48, select graphic rendition */
	const char *name;
	const char *meaning;
} states[DLMIRROR_REGIONS] = {
    [DLMIRROR_REGION_IN_SYNC] = {'.', "32", "in-sync", "in sync"},
    [DLMIRROR_REGION_DIRTY] = {'o', "34", "dirty", "dirty: marked by this node"},
    [DLMIRROR_REGION_COPYING] = {'>', "36", "copying", "being recovered, compared or copied"},
    [DLMIRROR_REGION_CRASH_DIRTY] = {'!', "35", "crash-dirty", "crash-dirty: to be repaired"},
    [DLMIRROR_REGION_STALE] = {'#', "31", "stale", "stale: to be recovered"},
};

static unsigned digits_of(uint64_t value)
{
	unsigned digits = 1;

	while (value >= 10) {
		value /= 10;
		digits++;
	}
	return digits;
}

struct picture picture_of(uint64_t region_count, unsigned width)
{
	struct picture picture = {
	    .region_count = region_count, .per_cell = 1, .digits = digits_of(region_count - 1)};
	uint64_t most;

	picture.columns = width - picture.digits - 1;
	picture.columns -= picture.columns % COLUMNS_STEP;
	most = (uint64_t)picture.columns * PICTURE_LINES;
	while ((region_count - 1) / picture.per_cell >= most)
		picture.per_cell *= 2;
	picture.cells = (uint32_t)((region_count - 1) / picture.per_cell + 1);
	return picture;
}

enum dlmirror_region picture_worst(const struct dlmirror_cell *cell)
{
	unsigned state = DLMIRROR_REGIONS - 1;

	while (state > 0 && cell->count[state] == 0)
		state--;
	return (enum dlmirror_region)state;
}

const char *picture_state_name(enum dlmirror_region state)
{
	return states[state].name;
}

const char *picture_state_meaning(enum dlmirror_region state)
{
	return states[state].meaning;
}

uint64_t picture_state_regions(const struct picture *picture, const struct dlmirror_cell *cells,
			       enum dlmirror_region state)
{
	uint64_t regions = 0;

	for (uint32_t i = 0; i < picture->cells; i++)
		regions += cells[i].count[state];
	return regions;
}

static void colour_set(FILE *to, const char *colour)
{
	(void)fprintf(to, "\033[%sm", colour);
}

static void line_print(FILE *to, const struct dlmirror_cell *cells, uint32_t count, bool colour)
{
	enum dlmirror_region last = DLMIRROR_REGIONS;

	for (uint32_t i = 0; i < count; i++) {
		enum dlmirror_region state = picture_worst(&cells[i]);

		if (colour && state != last)
			colour_set(to, states[state].colour);
		(void)fputc(states[state].character, to);
		last = state;
	}
	if (colour)
		colour_set(to, "0");
	(void)fputc('\n', to);
}

void picture_print(FILE *to, const struct picture *picture, const struct dlmirror_cell *cells,
		   bool colour)
{
	for (uint32_t first = 0; first < picture->cells; first += picture->columns) {
		uint32_t left = picture->cells - first;

		(void)fprintf(to, "%*" PRIu64 " ", (int)picture->digits, first * picture->per_cell);
		line_print(to, &cells[first], left < picture->columns ? left : picture->columns,
			   colour);
	}
}

void picture_legend(FILE *to, const struct picture *picture, const struct dlmirror_cell *cells,
		    bool colour)
{
	int digits = (int)digits_of(picture->region_count);

	for (unsigned state = 0; state < DLMIRROR_REGIONS; state++) {
		if (colour)
			colour_set(to, states[state].colour);
		(void)fputc(states[state].character, to);
		if (colour)
			colour_set(to, "0");
		(void)fprintf(to, " %*" PRIu64 " %s\n", digits,
			      picture_state_regions(picture, cells, (enum dlmirror_region)state),
			      states[state].meaning);
	}
}
