/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the daemon says at one moment of itself and of each mirror, with its counters. */
#ifndef DLM_COMMAND_SNAPSHOT_H
#define DLM_COMMAND_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>

#include "dlmirror/dlmirror.h"

struct snapshot {
	struct dlmirror_daemon daemon;
	size_t count;
	struct dlmirror_mirror *mirror;	    /* one for each uuid, sorted by name */
	struct dlmirror_counters *counters; /* of the mirror at the same index */
	struct dlmirror_heat *heat;	    /* the same; of the two is there what was asked for */
};

/*
 * 0 or a negative errno as of libdlmirror. While a table is loaded anew a mirror has two logs: only
 * the one that serves is told, so that a uuid is there once. refresh: the daemon asks device-mapper
 * for the health of the legs, once for each mirror, and the next snapshot has it.
 */
int snapshot_take(struct dlmirror *d, bool refresh, struct snapshot *ret);
/* With heat instead of counters, of the mirror called name, or with NULL of all. */
int snapshot_take_heat(struct dlmirror *d, const char *name, struct snapshot *ret);
void snapshot_free(struct snapshot *s);

#endif
