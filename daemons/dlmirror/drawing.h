/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drawings for the page, as SVG. Pure; the page's style has the colours, by classes. */
#ifndef DLM_COMMAND_DRAWING_H
#define DLM_COMMAND_DRAWING_H

#include <stdio.h>

#include "daemons/dlmirror/picture.h"

/* The regions, from left to right and down; a pointer shows which ones they are. Class: the name of
 * the state. */
void drawing_regions(FILE *to, const struct picture *picture, const struct dlmirror_cell *cells);
/* A patch in the colour of the state. */
void drawing_patch(FILE *to, enum dlmirror_region state);
/* The values over time, as high as the highest of them. Nothing for fewer than two. */
void drawing_line(FILE *to, const double *values, unsigned count);

#endif
