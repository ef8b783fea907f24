/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The mirror log from inside. One struct; each group of fields belongs to one file, which alone
 * changes it. A step is: the event's handler, then settle() in mlog.c, which asks each file in a
 * fixed order to do what has become possible.
 */
#ifndef DLM_CORE_MLOG_INTERNAL_H
#define DLM_CORE_MLOG_INTERNAL_H

#include <assert.h>

#include "base/bits.h"
#include "core/mlog.h"

#define NEVER_MS	UINT64_MAX
#define LATER_MS	100U  /* before a copy that the mover did not take is asked for again */
#define SAME_MAX	4U    /* entries of one request and its repetitions */
#define PRIORITY_MAX	64U   /* regions that somebody waits for, ring */
#define ARMED_MS	2000U /* a gate that finds no quiet moment opens again */
#define VERIFY_LIST_MAX 64U
#define VERIFY_QUEUED_MAX                                                                          \
	32U /* no more copies of a verify while so many marks wait for the device */
/* All marks that can wait, and those that a verify adds for regions it could not compare. */
#define QUEUE_MAX (MLOG_PENDING_MAX * MLOG_GROUP_MAX + VERIFY_QUEUED_MAX + MLOG_COPIES_MAX)

/* Pages of one area on their way to the log device: at most one batch at a time. */
struct pages {
	enum mlog_area area;
	uint64_t count;
	uint64_t *dirty; /* bitmap: differs from what was last written */
	uint64_t dirty_count;
	uint64_t cursor;
	uint32_t in_flight;
	int error; /* first of the batch */
	uint64_t started_ms;
	uint64_t written; /* pages, ever */
};

struct copy {
	uint64_t region;
	bool used;
	bool moving; /* else armed: the gate is closed, the region is not quiet yet */
	bool verify; /* for the verify, else for crash repair */
	uint64_t armed_ms;
};

enum device_operation { DEVICE_NOTHING, DEVICE_LOAD, DEVICE_CLAIM, DEVICE_RELEASE };

struct mlog {
	struct mlog_config config;
	struct hot *hot;
	uint64_t now_ms;

	/* mlog.c */
	enum mlog_phase phase;
	bool quiescing;
	bool attached_once;
	uint64_t timer_ms; /* as last asked for */
	struct mlog_effect effect[MLOG_EFFECTS_MAX];
	uint32_t effect_first;
	uint32_t effect_count;

	/* request.c: what the kernel is waiting for */
	struct mlog_request pending[MLOG_PENDING_MAX];
	uint32_t pending_count;

	/* dirty.c: which of my writes may be in flight */
	uint64_t *image;      /* slot bits as the next write of their page will have them */
	uint64_t image_count; /* set bits */
	uint32_t *page_bits;  /* set bits per page: the sweep skips empty pages */
	struct pages slot;
	uint64_t queued[QUEUE_MAX]; /* slot bits that somebody waits for, not written yet */
	uint32_t queued_count;
	uint64_t writing[QUEUE_MAX]; /* in the batch under way */
	uint32_t writing_count;
	uint64_t sweep_ms;

	/* sync.c: which regions are in sync, which the kernel resyncs */
	struct pages sync;
	uint64_t sync_due_ms;
	uint64_t resync_cursor;
	uint64_t recovering; /* region, or region_count */
	uint64_t priority[PRIORITY_MAX];
	uint32_t priority_count;

	/* device.c: the log device's state */
	enum mlog_log_state log;
	bool degraded;	/* marks were answered from memory since the device was last whole */
	bool restoring; /* a new daemon reads its predecessor's slot: maps in memory stay */
	enum device_operation operation;
	bool late; /* it timed out; its completion only ends it */
	uint64_t operation_ms;
	uint64_t retry_ms;
	struct mlog_history inherited; /* from a reloaded table's predecessor; bits owned */

	/* repair.c: what the mover does */
	struct copy copy[MLOG_COPIES_MAX];
	uint32_t copy_count;
	uint64_t repair_left;
	uint64_t repair_cursor;
	uint64_t repair_retry_ms;
	uint64_t repair_differed;
	uint64_t next_copy_ms;
	uint64_t activity_seen;
	bool verifying;
	bool verify_repair;
	uint64_t verify_cursor;
	uint64_t verify_skipped;
	uint64_t verify_differed;
	uint64_t verify_repaired;
	uint64_t verify_region[VERIFY_LIST_MAX];
	uint32_t verify_listed;
};

/* mlog.c */
struct mlog_effect *effect_add(struct mlog *m, enum mlog_effect_kind kind);
void notice_add(struct mlog *m, enum mlog_notice code, uint64_t value);
void phase_set(struct mlog *m, enum mlog_phase phase);

/* pages.c */
bool pages_create(struct pages *p, enum mlog_area area, uint64_t bits, uint32_t page_bytes);
void pages_destroy(struct pages *p);
void pages_touch(struct pages *p, uint64_t page);
void pages_forget(struct pages *p); /* all of it is being written by a claim or release */
bool pages_batch_start(struct mlog *m, struct pages *p);
/* True when this was the last of the batch; its first error is then in p->error. */
bool pages_written(struct pages *p, int error);

/* request.c */
void request_admit(struct mlog *m, const struct mlog_request *request);
void request_settle(struct mlog *m); /* answers what has become answerable */
void request_reply(struct mlog *m, const struct mlog_request *request, int32_t error);
/* Does the kernel wait for the mark of region? Then no write of it is in flight. What could be
 * answered must have been: see copy_arm(). */
bool request_waits_for(const struct mlog *m, uint64_t region);

/* dirty.c */
bool dirty_create(struct mlog *m);
void dirty_destroy(struct mlog *m);
void dirty_want(struct mlog *m, uint64_t region); /* begin to make a held region durable */
void dirty_settle(struct mlog *m);
void dirty_written(struct mlog *m, uint64_t page, int error);
void dirty_answer_all(struct mlog *m); /* the log device failed: memory must do */
void dirty_add_known(struct mlog *m, uint64_t slot_bit);
void dirty_claimed(struct mlog *m); /* a claim has written the image as it was at its start */
void dirty_reset(struct mlog *m);
void dirty_restore(struct mlog *m); /* image from the hot maps an earlier daemon left */
uint64_t dirty_deadline(const struct mlog *m);

/* sync.c */
bool sync_create(struct mlog *m);
void sync_destroy(struct mlog *m);
void sync_set(struct mlog *m, uint64_t region, bool in_sync);
bool sync_durable(const struct mlog *m, uint64_t region);
void sync_settle(struct mlog *m);
void sync_written(struct mlog *m, int error);
void sync_wait_noted(struct mlog *m, uint64_t region); /* somebody waits for this stale region */
uint64_t sync_work(struct mlog *m);		       /* region to recover, or region_count */
void sync_load(struct mlog *m, const struct mlog_history *history);
void sync_load_unknown(struct mlog *m); /* the device could not be read: everything is stale */
void sync_restart(struct mlog *m);
uint64_t sync_deadline(const struct mlog *m);

/* device.c */
void device_attach(struct mlog *m);
void device_detach(struct mlog *m);
void device_restore(struct mlog *m, bool whole);
void sync_write_all(struct mlog *m); /* what of the map is on the device is not known */
void device_loaded(struct mlog *m, int error, const struct mlog_history *history);
void device_claimed(struct mlog *m, int error);
void device_released(struct mlog *m, int error);
void device_failed(struct mlog *m, int error);
void device_settle(struct mlog *m);
bool device_waits(const struct mlog *m); /* must marks wait for the device? */
uint64_t device_deadline(const struct mlog *m);

/* repair.c */
void repair_load(struct mlog *m); /* counts what is crash-dirty and starts over */
void repair_settle(struct mlog *m);
void repair_copied(struct mlog *m, uint64_t region, enum mlog_copy_result result);
void repair_done(struct mlog *m, uint64_t region); /* legs are known to be identical */
void repair_stop(struct mlog *m);		   /* opens what is armed; what moves, ends */
void verify_start(struct mlog *m, bool repair);
void verify_stop(struct mlog *m);
uint64_t repair_deadline(const struct mlog *m);

static inline uint64_t min_ms(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

#endif
