/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log device of one mirror, shared by all nodes: what daemons/dlmirrord/storage does to it, in
 * the same order of writes, with latency, errors and power cuts. Contents are words, not bytes
 * (codec/disk.h has its own tests).
 *
 * Each operation is a row of steps; each step lands as a whole, unless its node dies: then each
 * page of the step under way is old or new. Here I2, I4 and I5 are checked: a slot is written only
 * by a node that knows what it held, a slot and the in-sync map only by one that holds their locks,
 * and a slot is emptied when its bits are in the heir's.
 */
#ifndef DLM_SIM_LOGDEV_H
#define DLM_SIM_LOGDEV_H

#include "test/sim/sim.h"

#define LOGDEV_WORDS (SIM_REGIONS_MAX / 64)

/* blank: it holds nothing, whatever the mirror begins with. */
struct logdev *logdev_create(struct mirror *mirror, bool blank);

enum logdev_kind {
	LOGDEV_LOAD,
	LOGDEV_CLAIM,
	LOGDEV_WRITE,
	LOGDEV_RELEASE,
	LOGDEV_READ_SLOT,
	LOGDEV_EMPTY_SLOT,
};

/* Who asks, and for what. The answer is node_device_done(). */
struct logdev_request {
	enum logdev_kind kind;
	uint32_t node;	   /* index */
	uint64_t object;   /* log of its daemon */
	uint64_t identity; /* of the device that it has opened: logdev_identity() then */
	uint64_t revision; /* of its table */
	uint32_t slot;
	bool whole;
	enum mlog_area area; /* WRITE */
	uint64_t page;
	uint64_t sync[LOGDEV_WORDS]; /* contents: CLAIM, RELEASE (the kernel's bits), WRITE */
	uint64_t bits[LOGDEV_WORDS];
};

struct logdev_answer {
	const struct logdev_request *request;
	int error;
	struct mlog_history history; /* LOAD */
	uint64_t revision;	     /* of the table that it was claimed with; else the own one's */
	const uint64_t *dirty;	     /* READ_SLOT */
};

void logdev_submit(struct logdev *d, const struct logdev_request *request);
/* Another device in its place has another identity. */
uint64_t logdev_identity(const struct logdev *d);
/* Can the node open it, and is it in use then? */
bool logdev_works(const struct logdev *d, unsigned node);
bool logdev_in_use(const struct logdev *d);
/* The highest of the tables that it was claimed with, or retired for; 0: none had one. */
uint64_t logdev_revision(const struct logdev *d);
/* Has it had a later table than this one? */
bool logdev_outdates(const struct logdev *d, uint64_t revision);
/* A log at rest, for a table of that revision, that says that all regions are in sync, or none. */
void logdev_prepare(struct logdev *d, uint64_t revision, bool in_sync);
/* Is it that, and has nobody claimed it yet? */
bool logdev_prepared(const struct logdev *d, uint64_t revision);
/* The mirror has another log from that revision on: this one says nothing any more, and knows it. */
void logdev_retire(struct logdev *d, uint64_t revision);
/* Is something of the node's (object: of this log's, or 0) on its way? */
bool logdev_flying(const struct logdev *d, unsigned node, uint64_t object);
/* For the checker: has any slot in use, or this one, the bit of the region? */
bool logdev_dirty(const struct logdev *d, uint32_t region);
bool logdev_slot_used(const struct logdev *d, uint32_t slot);
bool logdev_slot_dirty(const struct logdev *d, uint32_t slot, uint32_t region);

/* What of the daemon's is in flight is done, or never begun. */
void logdev_daemon_died(struct logdev *d, unsigned node);
void logdev_node_died(struct logdev *d, unsigned node);

/* The node has detached and left everything on the device (d may be NULL), or has no log of the
 * mirror any more. */
void logdev_forgotten(struct logdev *d, unsigned node);
/* What it could not read it takes for the worst: all regions count as stale, or as crash-dirty. */
void logdev_feared(struct logdev *d, unsigned node);

void logdev_fail(struct logdev *d, uint32_t nodes, bool failing);
/* d may be NULL. */
void logdev_slow(struct logdev *d, uint64_t more_us);
/* It is lost for all; then another one, blank, is in its place. */
void logdev_replace(struct logdev *d);

#endif
