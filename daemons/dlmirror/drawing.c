// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/drawing.h"

#include <inttypes.h>

#define LINE_PIXELS 14U	 /* of the map */
#define HEIGHT	    100U /* of a curve, in its own units */
#define WIDTH	    10U	 /* of a step of it */

/* Cells of one state that follow each other. */
static void run_draw(FILE *to, const struct picture *picture, uint32_t first, uint32_t count,
		     enum dlmirror_region state)
{
	uint64_t end = (first + count) * picture->per_cell;

	(void)fprintf(to,
		      "<rect class=\"%s\" x=\"%u\" y=\"%u\" width=\"%u\" height=\"0.9\">"
		      "<title>%" PRIu64 " to %" PRIu64 ": %s</title></rect>",
		      picture_state_name(state), first % picture->columns, first / picture->columns,
		      count, first * picture->per_cell,
		      (end < picture->region_count ? end : picture->region_count) - 1,
		      picture_state_meaning(state));
}

void drawing_regions(FILE *to, const struct picture *picture, const struct dlmirror_cell *cells)
{
	uint32_t lines = (picture->cells + picture->columns - 1) / picture->columns;
	uint32_t first = 0;

	(void)fprintf(to,
		      "<svg class=\"map\" role=\"img\" viewBox=\"0 0 %u %u\" height=\"%u\" "
		      "preserveAspectRatio=\"none\">",
		      lines > 1 ? picture->columns : picture->cells, lines, lines * LINE_PIXELS);
	while (first < picture->cells) {
		enum dlmirror_region state = picture_worst(&cells[first]);
		uint32_t next = first + 1;

		while (next < picture->cells && next % picture->columns != 0 &&
		       picture_worst(&cells[next]) == state)
			next++;
		run_draw(to, picture, first, next - first, state);
		first = next;
	}
	(void)fputs("</svg>", to);
}

void drawing_patch(FILE *to, enum dlmirror_region state)
{
	(void)fprintf(to,
		      "<svg class=\"patch\" viewBox=\"0 0 1 1\"><rect class=\"%s\" width=\"1\" "
		      "height=\"1\"></rect></svg>",
		      picture_state_name(state));
}

void drawing_line(FILE *to, const double *values, unsigned count)
{
	double most = 0;

	if (count < 2)
		return;
	for (unsigned i = 0; i < count; i++)
		most = values[i] > most ? values[i] : most;
	(void)fprintf(to,
		      "<svg class=\"curve\" role=\"img\" viewBox=\"0 -5 %u %u\" "
		      "preserveAspectRatio=\"none\"><polyline points=\"",
		      (count - 1) * WIDTH, HEIGHT + 10);
	for (unsigned i = 0; i < count; i++)
		(void)fprintf(to, "%u,%u ", i * WIDTH,
			      most > 0 ? (unsigned)((1 - values[i] / most) * HEIGHT) : HEIGHT);
	(void)fputs("\"></polyline></svg>", to);
}
