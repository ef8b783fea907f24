/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What dlmirror report writes: one HTML page that needs nothing else, not even a script. Pure. All
 * that it is given is escaped.
 */
#ifndef DLM_COMMAND_PAGE_H
#define DLM_COMMAND_PAGE_H

#include <stdio.h>

#include "daemons/dlmirror/checks.h"
#include "daemons/dlmirror/course.h"
#include "daemons/dlmirror/region_map.h"

struct page {
	const struct facts *facts;
	const char *now; /* when they were found, for people */
	/* One for each mirror of the facts; its cells are NULL when there is no map. NULL: none at all. */
	const struct region_map *map;
	const struct courses *courses;
	size_t event_count;
	const struct dlmirror_event *event; /* the oldest first */
};

/* Failures stay in the stream. */
void page_write(const struct page *page, FILE *to);

#endif
