/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The mirror log of one mirror on one node, as a state machine without I/O: events in, effects out.
 *
 *	mlog_step(m, &event);                     cannot fail, decoded values only
 *	while (mlog_next(m, &effect)) ...         what the world must do now
 *
 * Effects of one step are independent of each other. What must come later is emitted by the step
 * that learns that the earlier thing is done. The core has no clock (time comes with the event), no
 * logging, no globals, and takes all its memory in mlog_create().
 *
 * Life:
 *	CREATED -RESUME-> ATTACHING -> ACTIVE -PRESUSPEND-> SUSPENDING -POSTSUSPEND-> DETACHING
 *	           ^                                                                     |
 *	           +----------------------RESUME---- SUSPENDED <-------------------------+
 *
 * The log device has its own state beside that, because a mirror outlives its log device:
 *	NONE (clustered-core) | LOADING -> CLAIMING -> OK -> FAILED -> CLAIMING ...
 */
#ifndef DLM_CORE_MLOG_H
#define DLM_CORE_MLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/hot.h"
#include "core/types.h"

struct mlog;

enum mlog_sync {
	MLOG_SYNC_KEEP,	  /* no argument: what the log says; regions without history are stale */
	MLOG_SYNC_NOSYNC, /* regions without history count as in sync */
	MLOG_SYNC_FORCE,  /* "sync": every region is stale at the first attach */
};

enum mlog_phase {
	MLOG_CREATED,
	MLOG_ATTACHING,
	MLOG_ACTIVE,
	MLOG_SUSPENDING,
	MLOG_DETACHING,
	MLOG_SUSPENDED,
};

/* Where the history of a mirror is that is not attached now. */
enum mlog_truth {
	MLOG_TRUTH_NONE,   /* never attached by us: on the device, if there is one */
	MLOG_TRUTH_MEMORY, /* the maps: there is no device, or it failed before it had everything */
	MLOG_TRUTH_DEVICE,
};

enum mlog_log_state {
	MLOG_LOG_NONE, /* clustered-core */
	MLOG_LOG_IDLE, /* not attached */
	MLOG_LOG_LOADING,
	MLOG_LOG_CLAIMING,
	MLOG_LOG_OK,
	MLOG_LOG_FAILED, /* serving from memory; claimed again every retry_ms */
};

#define MLOG_COPIES_MAX 16U /* regions the mover may have at once */
#define MLOG_PENDING_MAX                                                                           \
	16U /* requests that wait (a mirror has one kernel thread and a few visitors) */
#define MLOG_EFFECTS_MAX 128U /* of one step */
#define MLOG_BATCH_MAX	 16U  /* pages in flight at once per area */

struct mlog_config {
	uint64_t region_count;	 /* at least 1 */
	uint64_t region_sectors; /* a power of two */
	enum mlog_sync sync;
	bool has_disk;
	uint32_t page_bytes; /* unit of log writes: the device's logical block size */
	uint32_t
	    hysteresis_ms; /* a region not marked for this long (at most twice) leaves the slot */
	uint32_t sync_delay_ms; /* regions that became in sync are written this late at most */
	uint32_t retry_ms;	/* between attempts to claim a failed log device or mend a region */
	uint32_t log_timeout_ms; /* a log write that takes longer means the device failed */
	uint32_t copies;	 /* regions under repair at once, 1..MLOG_COPIES_MAX */
	uint32_t busy_gap_ms;	 /* pause after a copy while there is other I/O */
};

/* What the log device holds, as words in host order; see codec/disk.h for how it was decided. */
enum mlog_load {
	MLOG_LOAD_BLANK, /* no history */
	MLOG_LOAD_CLEAN, /* in_sync is the truth and nobody has marks (a kernel header, or released)
			  */
	MLOG_LOAD_CRASHED, /* in use by us when we died: in_sync, and dirty may differ between legs
			    */
};

struct mlog_history {
	enum mlog_load load;
	uint64_t region_count; /* geometry of the bits below, which may not be today's */
	uint64_t region_sectors;
	unsigned shift;
	const uint64_t *in_sync; /* region_count bits */
	const uint64_t *dirty;	 /* CRASHED: one bit per 2^shift regions; else NULL */
	bool distrust;		 /* the device had failed before: its marks are not complete */
	const char *remark; /* why a log that is there is not used as it is, for people; or NULL */
};

enum mlog_area { MLOG_AREA_SLOT, MLOG_AREA_SYNC };

enum mlog_copy_mode {
	MLOG_COPY_COMPARE, /* compare the legs */
	MLOG_COPY_REPAIR,  /* compare, and where they differ copy the default leg to the others */
};

enum mlog_copy_result {
	MLOG_COPY_SAME,
	MLOG_COPY_DIFFERED,
	MLOG_COPY_REPAIRED,
	MLOG_COPY_ERROR,
	MLOG_COPY_LATER, /* not begun, the mover has no room or may not yet: ask again */
};

enum mlog_event_kind {
	MLOG_EV_REQUEST,  /* a request that the hot maps alone could not answer */
	MLOG_EV_CLEARED,  /* region[0..]: a CLEAR met a gate */
	MLOG_EV_RESTORED, /* a new daemon, the hot maps are an earlier one's: carry on from phase */
	MLOG_EV_LOADED,	  /* answers LOAD */
	MLOG_EV_CLAIMED,  /* answers CLAIM */
	MLOG_EV_WRITTEN,  /* answers one WRITE */
	MLOG_EV_RELEASED, /* answers RELEASE */
	MLOG_EV_COPIED,	  /* answers one COPY */
	MLOG_EV_TIMER,	  /* the time asked for by TIMER has come */
	MLOG_EV_VERIFY,	  /* start comparing (and repairing) all regions; again: starts over */
	MLOG_EV_VERIFY_STOP,
	MLOG_EV_QUIESCE, /* the daemon is about to be replaced: start nothing that can wait */
	MLOG_EV_RETRY,	 /* the log device may be back: claim now instead of at the next retry */
};

struct mlog_event {
	enum mlog_event_kind kind;
	uint64_t now_ms; /* monotonic */
	union {
		struct mlog_request request; /* REQUEST, CLEARED (region, region_count) */
		struct {
			int error; /* 0 or negative errno; then history is not looked at */
			struct mlog_history history;
		} loaded;
		int error; /* CLAIMED, RELEASED */
		struct {
			enum mlog_area area;
			uint64_t page;
			int error;
		} written;
		struct {
			uint64_t region;
			enum mlog_copy_result result;
		} copied;
		struct {
			bool repair;
		} verify;
		bool handed_over; /* RESTORED: the last daemon was quiet when it ended */
		bool quiesce;	  /* false: it did not come to that, go on */
	};
};

enum mlog_effect_kind {
	MLOG_REPLY,   /* reply */
	MLOG_LOAD,    /* read the log device */
	MLOG_CLAIM,   /* write sync map, slot and superblock and make the kernel's header invalid */
	MLOG_WRITE,   /* write one page of an area, durably; contents: mlog_word(), taken now */
	MLOG_RELEASE, /* write sync map, empty slot, kernel bits, valid kernel header */
	MLOG_COPY,    /* compare or copy a region between the legs */
	MLOG_TIMER,   /* one timer: replaces what was asked for earlier; at_ms 0: none */
	MLOG_NOTICE,  /* something an admin may want to know */
};

enum mlog_notice {
	MLOG_NOTICE_ATTACHED, /* value: regions to repair */
	MLOG_NOTICE_DETACHED,
	MLOG_NOTICE_IN_SYNC,	 /* all regions are in sync */
	MLOG_NOTICE_REPAIRED,	 /* nothing is crash-dirty any more; value: regions repaired that
				    differed */
	MLOG_NOTICE_LOG_FAILED,	 /* value: errno */
	MLOG_NOTICE_LOG_OK,	 /* a failed log device works again */
	MLOG_NOTICE_LEG_FAILED,	 /* value: region that a leg missed */
	MLOG_NOTICE_COPY_FAILED, /* value: region */
	MLOG_NOTICE_VERIFIED,	 /* value: regions that differed */
	MLOG_NOTICE_OVERFLOW,	 /* a request was dropped because the table is full */
};

struct mlog_effect {
	enum mlog_effect_kind kind;
	union {
		struct mlog_reply reply;
		struct {
			enum mlog_area area;
			uint64_t page;
		} write;
		struct {
			uint64_t region;
			enum mlog_copy_mode mode;
		} copy;
		struct {
			uint64_t at_ms;
		} timer;
		struct {
			enum mlog_notice code;
			uint64_t value;
		} notice;
	};
};

/* NULL: no memory. hot must outlive m; its geometry must be that of config. */
struct mlog *mlog_create(const struct mlog_config *config, struct hot *hot);
/* Takes NULL; returns NULL. */
struct mlog *mlog_destroy(struct mlog *m);

void mlog_step(struct mlog *m, const struct mlog_event *event);
bool mlog_next(struct mlog *m, struct mlog_effect *ret);

/* After a table reload: take over what from (same uuid, suspended) knows in memory, before RESUME.
 */
void mlog_inherit(struct mlog *m, const struct mlog *from);

/* 64 bits of what is to be written, bit i of word w is slot bit or region 64 * w + i. */
uint64_t mlog_word(const struct mlog *m, enum mlog_area area, uint64_t word);
/* Same for the kernel's clean bits at RELEASE: in sync and nothing to repair. */
uint64_t mlog_kernel_word(const struct mlog *m, uint64_t word);

struct mlog_status {
	enum mlog_phase phase;
	enum mlog_log_state log;
	uint64_t region_count;
	uint64_t region_sectors;
	uint64_t in_sync;     /* regions */
	uint64_t dirty;	      /* slot bits set in memory */
	uint64_t repair;      /* crash-dirty regions left */
	uint64_t copying;     /* regions the mover has now */
	uint32_t pending;     /* requests that wait */
	uint64_t slot_writes; /* pages written since creation */
	uint64_t sync_writes;
	bool verifying;
	bool verify_repair;
	uint64_t verify_done;	 /* regions looked at, skipped ones included */
	uint64_t verify_skipped; /* stale, or never quiet */
	uint64_t verify_differed;
	uint64_t verify_repaired;
	uint64_t recovering; /* region the kernel resyncs, or region_count */
};

void mlog_status(const struct mlog *m, struct mlog_status *ret);
/* Regions that differed in the current or last verify, lowest first; returns how many (at most
 * cap). */
uint32_t mlog_verify_regions(const struct mlog *m, uint64_t *ret, uint32_t cap);
/* Nothing in flight and nobody waiting: m may be destroyed or handed to another process. */
bool mlog_quiet(const struct mlog *m);

const char *mlog_phase_name(enum mlog_phase phase);
const char *mlog_log_state_name(enum mlog_log_state state);

#endif
