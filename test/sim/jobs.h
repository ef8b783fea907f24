/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many seeds, by several processes. A process that crashes costs its seed, which counts as failed,
 * and no more.
 */
#ifndef DLM_SIM_JOBS_H
#define DLM_SIM_JOBS_H

#include "test/sim/world.h"

#define JOBS_MAX	  64U
#define JOBS_FAILURES_MAX 4096U

struct jobs_plan {
	const struct scenario_limits *limits;
	uint64_t first;
	uint64_t last;
	unsigned jobs;
	uint64_t seconds;  /* 0: as long as it takes */
	uint64_t failures; /* stop after so many; 0: never */
};

struct jobs_failure {
	uint64_t seed;
	uint64_t at_us;
	char what[32];
	char text[240];
};

struct jobs_summary {
	uint64_t seeds;
	uint64_t virtual_us;
	uint64_t node_us;
	uint64_t busy_ns; /* CPU time of all processes */
	uint64_t requests;
	uint64_t messages;
	uint64_t events;
	uint64_t fenced;
	uint64_t fault[FAULT_KINDS];
	uint64_t hash; /* of all seeds that ran, whoever ran them */
	uint32_t failures;
	struct jobs_failure failure[JOBS_FAILURES_MAX];
};

/* Lowest seeds first; failures are sorted by seed. The result is the caller's to free(); NULL: no
 * memory or no processes. */
struct jobs_summary *jobs_run(const struct jobs_plan *plan);

#endif
