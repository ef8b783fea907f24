/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How busy mirrors were between two looks. Pure: no clock. */
#ifndef DLM_COMMAND_RATES_H
#define DLM_COMMAND_RATES_H

#include "daemons/dlmirror/snapshot.h"

enum rates_kind {
	RATES_MARK,
	RATES_CLEAR,
	RATES_FLUSH,
	RATES_QUERY,  /* is a region clean, in sync, recovered by another node? */
	RATES_RESYNC, /* work for the kernel, and what it says of it */
	RATES_OTHER,
	RATES_KINDS,
};

/* Of one mirror. */
struct rates {
	size_t index; /* in the later snapshot */
	double requests_s;
	double kind_s[RATES_KINDS];
	double log_writes_s;
	double regions_s;	      /* that came in sync or were repaired */
	struct dlmirror_counter mark; /* those of the interval */
};

/*
 * ret has room for later->count. A log that was not there before, and all logs of a daemon that was
 * started or replaced meanwhile, have counted from 0 on, so that all they say is of the interval;
 * what the earlier daemon counted after the earlier look is lost. Who has gone is left out.
 */
void rates_make(const struct snapshot *earlier, const struct snapshot *later, double seconds,
		struct rates *ret);
/* The most marks first, then the most requests, then as they were. */
void rates_sort(struct rates *rates, size_t count);

#endif
