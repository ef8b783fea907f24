/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Metrics of the daemon and its mirrors as text. Pure: no clock, and numbers look the same in every
 * locale.
 *
 * OpenMetrics 1.0 is what Prometheus and others read from a server. node_exporter's textfile
 * collector only reads the older format of Prometheus, which has no state sets, infos and units and
 * names counters otherwise; the samples are the same in both.
 */
#ifndef DLM_COMMAND_EXPOSITION_H
#define DLM_COMMAND_EXPOSITION_H

#include <stdio.h>

#include "daemons/dlmirror/snapshot.h"

enum exposition_format { EXPOSITION_OPENMETRICS, EXPOSITION_PROMETHEUS };

/* A mirror that is configured and not active. */
struct exposition_inactive {
	char name[DLMIRROR_NAME_SIZE];
	char uuid[DLMIRROR_NAME_SIZE];
};

struct exposition {
	const struct snapshot *s; /* NULL: no daemon answers */
	size_t inactive_count;
	const struct exposition_inactive *inactive;
	const char *version; /* of the command */
	enum exposition_format format;
};

/* Failures stay in the stream (ferror). */
void exposition_write(const struct exposition *exposition, FILE *to);

#endif
