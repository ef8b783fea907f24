/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data of one mirror: its legs, which all nodes share. Each block of a leg holds the number of
 * the write that it has, so that the checker sees what diverged, not only that something may have.
 *
 * A write of a leg is in flight for a random time and then lands: the block holds the old number
 * until then and the new one from then on. The legs of one write land at different times. When its
 * node dies, each of its blocks that has not landed is old or new at random, each leg by itself.
 *
 * A region may be copied between the legs by one copier at a time and while no write of it is in
 * flight (I6). The legs see both, so they check it.
 */
#ifndef DLM_SIM_LEGS_H
#define DLM_SIM_LEGS_H

#include "test/sim/sim.h"

struct legs *legs_create(const struct mirror *mirror);

/* What a table is made of: its leg i is leg[i] of the mirror. Everywhere else in the simulator, but
 * for faults, a leg is one of a table. */
struct legs_table {
	uint32_t count;
	uint32_t leg[SIM_LEGS_MAX];
	uint32_t log; /* which of the mirror's log devices */
};
/* Of that revision; they are there from the start and have all legs. */
const struct legs_table *legs_table(const struct legs *l, uint64_t revision);
/* Those of this revision and behind are to have one leg less than the one before it. */
void legs_drop(struct legs *l, uint64_t revision, unsigned leg);
/* They are to have that log device. */
void legs_other_log(struct legs *l, uint64_t revision, uint32_t log);
/* Of tables of that revision; NULL: they have none. */
struct logdev *legs_logdev(const struct mirror *mirror, uint64_t revision);

typedef void (*legs_written)(void *context, uint64_t argument, int error);
typedef void (*legs_was_read)(void *context, uint64_t argument, int error, uint64_t number);

/* Blocks first..first+count-1 of the region. */
struct legs_range {
	uint32_t region;
	uint32_t first;
	uint32_t count;
};

/* leg: of the mirror, here and below. misled: the kernel could ask nobody and writes without a mark,
 * whoever copies the region. */
void legs_write(struct legs *l, const struct node *node, unsigned leg, struct legs_range range,
		bool misled, uint64_t number, legs_written done, void *context, uint64_t argument);
/* As legs_write(), but what the blocks hold afterwards is anybody's guess. */
void legs_discard(struct legs *l, const struct node *node, unsigned leg, struct legs_range range,
		  legs_written done, void *context, uint64_t argument);
/* An empty flush. */
void legs_flush(struct legs *l, const struct node *node, unsigned leg, legs_written done,
		void *context, uint64_t argument);
void legs_read(struct legs *l, const struct node *node, unsigned leg, uint32_t region,
	       uint32_t block, legs_was_read done, void *context, uint64_t argument);

enum legs_copier { LEGS_KERNEL, LEGS_MOVER };

enum legs_copy_mode {
	LEGS_COMPARE,
	LEGS_REPAIR, /* compare, and write what differs */
	LEGS_COPY,   /* write all of it */
};

struct legs_copied {
	uint32_t region;
	bool read_error;
	uint32_t write_errors; /* mask of legs of the table */
	bool differed;
};

typedef void (*legs_copy_done)(void *context, uint64_t argument, const struct legs_copied *result);

/* Copies region from leg `from` of the table to all others of it, block by block. */
void legs_copy(struct legs *l, const struct legs_table *table, const struct node *node,
	       enum legs_copier copier, uint32_t region, unsigned from, enum legs_copy_mode mode,
	       legs_copy_done done, void *context, uint64_t argument);
/* The mover's copies on node end with its daemon: what is in flight lands or not, done is not
 * called. */
void legs_mover_died(struct legs *l, const struct node *node);
/* Everything of node is torn; no done is called. */
void legs_node_died(struct legs *l, const struct node *node);

/*
 * Nodes of the mask (by index) get errors from leg, until set again with failing false. One leg of
 * a mirror may fail in a run, on as many nodes and as often as one likes: with two of them
 * dm-mirror itself loses what it has acknowledged, whatever its log does.
 */
void legs_fail(struct legs *l, unsigned leg, uint32_t mask, bool failing);
bool legs_failing(const struct legs *l, const struct node *node, unsigned leg);
/* Every leg works on node. */
bool legs_healthy(const struct legs *l, const struct node *node);
/* Any leg has failed on node in this run. */
bool legs_have_failed(const struct legs *l, const struct node *node);

/* For the checker and for tests. */
uint64_t legs_block(const struct legs *l, unsigned leg, uint32_t region, uint32_t block);
/* Writes and copies of the region that have not landed. */
bool legs_busy(const struct legs *l, uint32_t region);
/* The kernel's copies and the mover's, that came to an end; of the latter, those that differed. */
struct legs_counters {
	uint64_t writes;
	uint64_t reads;
	uint64_t recovered;
	uint64_t moved;
	uint64_t moved_differed;
	uint64_t torn; /* blocks that were in flight when their node died */
};
const struct legs_counters *legs_counters(const struct legs *l);

#endif
