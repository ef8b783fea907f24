/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a run is to do: everything that is drawn from the seed before it begins. A scenario is data,
 * so that it can be printed, and made smaller while it still fails.
 */
#ifndef DLM_SIM_SCENARIO_H
#define DLM_SIM_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifndef SIM_NODES_MAX
#define SIM_NODES_MAX 8U /* or 16: what a seed draws depends on it */
#endif
#define SIM_MIRRORS_MAX	  2U
#define SIM_LEGS_MAX	  3U
#define SIM_REVISIONS_MAX (SIM_LEGS_MAX - 2) /* a reload drops one, and two are left */
#define SIM_REGIONS_MAX	  256U
#define SIM_BLOCKS	  4U /* of a region: the unit of writes, and of what tears */
#define SIM_FAULTS_MAX	  64U
#define SIM_LOGDEVS	  2U

enum fault_kind {
	FAULT_NODE_DEATH,     /* node: power off now; on again after duration */
	FAULT_DAEMON_DEATH,   /* node: killed; started again after duration */
	FAULT_DAEMON_RESTART, /* node: planned, with handover */
	FAULT_DAEMON_STOP,    /* node: the process is stopped for duration, then goes on */
	FAULT_OVERRUN,	      /* node: its socket loses requests for duration */
	FAULT_PARTITION,      /* mask is one side, the others are the other; for duration */
	FAULT_GROUP_SLOW,     /* messages take value times as long for duration */
	FAULT_DEVICE_ERROR,   /* mask of nodes: log device `value` fails for duration */
	FAULT_DEVICE_SLOW,    /* operations of log devices take value ms more for duration */
	FAULT_DEVICE_BLANK,   /* log device `value` is lost for all for duration and comes back
				 blank */
	FAULT_LEG_ERROR,      /* mask of nodes cannot write leg `value` for duration */
	FAULT_MOVER_ERROR,    /* node: copies fail or are put off for duration */
	FAULT_DEACTIVATE,     /* node: the mirror is removed, created again after duration */
	FAULT_SUSPEND,	      /* node: suspended for duration (value 1: noflush), then resumed */
	FAULT_RELOAD,	      /* node: table reload (a second luid) */
	FAULT_VERIFY,	      /* node: an admin starts a verify (value 1: with repair) */
	FAULT_STATUS,	      /* node: an admin asks for the status of the device */
	FAULT_CLOCK,	      /* node: its clock jumps ahead by value ms */
	FAULT_UPGRADE,	      /* node: planned restart with the other protocol version */
	FAULT_OUTAGE,	      /* mask of nodes: power off at once; on again after duration */
	FAULT_NO_MEMORY,      /* node: its daemon can make no log for duration */
	FAULT_DROP_LEG, /* a reload on all nodes that drops leg `value`, as soon as it can be within
			   duration; then who was away is given the newer table */
	FAULT_REPLACE_LOG, /* the same, to the other log device */
	FAULT_KINDS,
};

struct fault {
	enum fault_kind kind;
	uint64_t at_us;
	uint64_t duration_us;
	uint32_t node; /* index */
	uint32_t mirror;
	uint32_t mask; /* of node indices */
	uint64_t value;
};

/* What the writers and readers of a mirror do, on each node that has it active. */
struct scenario_load {
	uint32_t writers; /* threads per node */
	uint32_t readers;
	uint64_t write_gap_us; /* mean pause of a thread between two */
	uint64_t read_gap_us;
	uint32_t hot_permille; /* of writes go to the first hot_regions */
	uint32_t hot_regions;
	uint32_t long_permille;	   /* of writes cover more than one block (up to all of a region) */
	uint32_t discard_permille; /* of writes are discards */
	bool own;		   /* each node writes to regions of its own, else all to all */
};

struct scenario_mirror {
	uint32_t regions;
	uint32_t region_sectors;
	bool has_disk;
	uint32_t page_bytes; /* of log writes; small ones, so that few regions are many pages */
	uint32_t slots;	     /* of the log device: most members there may be */
	unsigned shift;	     /* a slot bit covers 2^shift regions */
	enum { SIM_SYNC_KEEP, SIM_SYNC_NOSYNC, SIM_SYNC_FORCE } sync;
	bool blank;	       /* new: no history on the log device; else clean and in sync */
	uint32_t legs;	       /* 2..SIM_LEGS_MAX */
	bool integrated_flush; /* FLUSH carries the marks */
	bool handle_errors;    /* writes are held when a leg fails, without keep_log */
	bool keep_log;
	bool missing; /* the last leg is none: all fails on it, and the log has been told */
	struct scenario_load load;
};

/* Does the kernel hold what a leg misses? */
static inline bool scenario_holds(const struct scenario_mirror *plan)
{
	return plan->handle_errors && !plan->keep_log;
}

struct scenario {
	uint64_t seed;
	uint32_t nodes; /* 1..SIM_NODES_MAX; all are configured in the cluster */
	uint32_t mirrors;
	struct scenario_mirror mirror[SIM_MIRRORS_MAX];

	/* the cluster */
	bool last_man;	       /* any side may stay quorate, the fencing race decides */
	uint64_t fence_us;     /* from leaving the view to being off for sure */
	uint64_t token_us;     /* until a silent node is dropped from the view */
	uint64_t message_us;   /* mean latency of a message */
	uint64_t lock_us;      /* of a lock operation */
	uint64_t device_us;    /* of a log device operation */
	uint64_t leg_us;       /* of one block's read or write on a leg */
	uint64_t responder_us; /* until a daemon looks at a datagram */
	uint32_t version_min;  /* protocol versions of the daemons at start: */
	uint32_t version_max;

	/* the daemons */
	uint32_t hysteresis_ms;
	uint32_t sync_delay_ms;
	uint32_t retry_ms;
	uint32_t log_timeout_ms;
	uint32_t lease;
	uint32_t copies;
	uint32_t busy_gap_ms;
	uint32_t region_ms; /* an admin's rate: so long a region takes that is recovered or copied;
			       0: none */
	uint32_t
	    drift_ppm; /* clocks run so much too fast (nodes 1, 3, ...) or too slow (2, 4, ...) */

	uint64_t start_us[SIM_NODES_MAX]; /* when each node comes up */
	uint64_t load_us;		  /* writers run until then */
	uint64_t heal_us; /* after the last fault everything must be well within this */
	uint32_t faults;
	struct fault fault[SIM_FAULTS_MAX];
};

/* The scenario of a seed. */
void scenario_draw(struct scenario *ret, uint64_t seed);

/* What an investigation does to every scenario it draws. */
#define SIM_SETS_MAX 16U
struct scenario_limits {
	unsigned sets;
	const char *set[SIM_SETS_MAX]; /* lines of scenario_read_line() */
	bool some;		       /* only kinds of faults of the mask stay */
	uint32_t kinds;
};
/* scenario_draw(), limited. */
void scenario_draw_limited(struct scenario *ret, uint64_t seed,
			   const struct scenario_limits *limits);

/* As text, which scenario_read() takes: "name value" lines for the whole, each mirror, each fault.
 */
void scenario_print(const struct scenario *s, FILE *stream);
/* What is not said is as drawn from the seed it names, and has no faults. 0, or the number of the
 * line that it does not understand. */
unsigned scenario_read(FILE *stream, struct scenario *ret);
/* One line of such a text; false when it does not understand it. */
bool scenario_read_line(const char *line, struct scenario *ret);
/* False: not a run that can be. */
bool scenario_valid(const struct scenario *s);

const char *fault_name(enum fault_kind kind);

#endif
