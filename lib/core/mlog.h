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
 *
 * The nodes that have the mirror attached are its members. What they share is a function of the
 * messages that all of them are given in the same order (lib/core/group.c); a node alone is a group
 * of one, whose messages come back at once.
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
	MLOG_TRUTH_AHEAD, /* the same, but it had failed one of those I left behind, or me */
};

enum mlog_log_state {
	MLOG_LOG_NONE, /* clustered-core */
	MLOG_LOG_IDLE, /* not attached */
	MLOG_LOG_LOADING,
	MLOG_LOG_CLAIMING,
	MLOG_LOG_OK,
	MLOG_LOG_FAILED, /* serving from memory; claimed again every retry_ms */
};

#define MLOG_MEMBERS_MAX 32U /* of one mirror; a member's number is that of its slot */
#define MLOG_VIEW_MAX	 40U /* nodes in the group */
#define MLOG_LEASE_MAX	 64U /* regions a node may recover before it asks again */
#define MLOG_COPIES_MAX	 16U /* regions the mover may have at once, and of one claim */
#define MLOG_PENDING_MAX                                                                           \
	16U /* requests that wait (a mirror has one kernel thread and a few visitors) */
#define MLOG_EFFECTS_MAX 192U /* of one step */
#define MLOG_SENDS_MAX	 64U  /* messages of one step */
#define MLOG_ITEMS_MAX	 MLOG_GROUP_MAX
#define MLOG_BATCH_MAX	 16U /* pages in flight at once per area */

struct mlog_config {
	uint64_t region_count;	 /* at least 1 */
	uint64_t region_sectors; /* a power of two */
	uint64_t revision;	 /* of the table, which members have in common; 0: it has none */
	enum mlog_sync sync;
	bool has_disk;
	uint32_t page_bytes; /* unit of log writes: the device's logical block size, whole words */
	uint32_t
	    hysteresis_ms; /* a region not marked for this long (at most twice) leaves the slot */
	uint32_t sync_delay_ms; /* regions that became in sync are written this late at most */
	uint32_t retry_ms;	/* between attempts to claim a failed log device or mend a region */
	uint32_t log_timeout_ms; /* a log write that takes longer means the device failed */
	uint32_t lease;		 /* stale regions it asks for at once, 1..MLOG_LEASE_MAX */
	uint32_t copies;	 /* regions under repair at once, 1..MLOG_COPIES_MAX */
	uint32_t busy_gap_ms;	 /* pause for each copy while there is other I/O */
	uint32_t node;		 /* ours, as the group calls it */
	uint32_t members; /* most there may be, 1..MLOG_MEMBERS_MAX, as many as there are slots */
	/* The last that any object of this node has taken, also of an earlier daemon; each JOIN
	 * takes the next. It outlives the object, and whoever steps one of those that share it has
	 * it to himself. */
	uint64_t *incarnation;
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
	/* LOAD of the whole log: nodes whose slots are in use, by slot; 0: free,
	 * MLOG_NODE_UNKNOWN: the slot's header is damaged. Else NULL. */
	const uint32_t *owner;
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

/*
 * Messages to all members, own included, delivered everywhere in the same order. Every one names
 * the attach it belongs to (incarnation), so that what an earlier one sent is dropped.
 *
 *	JOIN	I want to attach. live: my kernel has been writing this mirror (the daemon was
 *		replaced, or quorum was lost)
 *	NONE	to a JOIN: I have no state for you
 *	SNAP	the state as of this place in the order follows, for all that have none
 *	STATE	a piece of it
 *	READY	I have the state, my lock and my slot: count me in
 *	LEAVE	I have detached. dirty: my slot holds crash-dirty regions, take it over
 *	SYNC	a region became in sync, or stale
 *	LEASE	give me a window of stale regions to recover, the lowest at or after `from`
 *	WANT	my kernel waits for this stale region
 *	UNSEEN	my kernel may write stale regions below this without asking
 *	CLAIM	close the gates of these regions, I want to compare or copy them
 *	DONE	open them; those of the mask are identical now
 *	ACK	of a LEASE, CLAIM or MARKS: I have seen it. busy: regions of the claim that I write
 *	DIRTY	these slot bits of a dead member (or of an earlier life of mine) are crash-dirty;
 *		last: that was all, its slot is free
 *	MARKS	without a log device that works: slot bits that I am about to write
 *	UNMARKS	and those that I am no longer writing
 *	LOST	the log device does not know us any more (replaced): claim it anew
 * What is sent while the group is not quorate is lost.
 */
enum mlog_message_kind {
	MLOG_MSG_JOIN,
	MLOG_MSG_NONE,
	MLOG_MSG_SNAP,
	MLOG_MSG_STATE,
	MLOG_MSG_READY,
	MLOG_MSG_LEAVE,
	MLOG_MSG_SYNC,
	MLOG_MSG_LEASE,
	MLOG_MSG_WANT,
	MLOG_MSG_UNSEEN,
	MLOG_MSG_CLAIM,
	MLOG_MSG_DONE,
	MLOG_MSG_ACK,
	MLOG_MSG_DIRTY,
	MLOG_MSG_MARKS,
	MLOG_MSG_UNMARKS,
	MLOG_MSG_LOST,
	MLOG_MESSAGES,
};

/* Regions or slot bits. */
struct mlog_items {
	uint32_t count;
	uint64_t item[MLOG_ITEMS_MAX];
};

enum mlog_member_state {
	MLOG_MEMBER_NONE,    /* the slot is free */
	MLOG_MEMBER_JOINING, /* its JOIN was delivered */
	MLOG_MEMBER_READY,
	MLOG_MEMBER_GONE, /* left the group without a LEAVE, may be alive and writing */
};

/* What all members know of one. */
struct mlog_member {
	enum mlog_member_state state;
	uint32_t node;
	uint64_t incarnation;
	bool informed;	      /* JOINING: it has the state */
	bool live;	      /* its kernel may write (READY, or rejoining, or gone after either) */
	bool replicated;      /* its marks are in messages, not in its slot */
	bool marked;	      /* replicated, and the marks from before have all been announced */
	uint64_t bound;	      /* stale regions below may be written by its kernel without asking */
	bool lease_any;	      /* it may be recovering any region: nobody knows which */
	uint64_t lease_first; /* bit i of lease: stale region lease_first + i, which it alone may
				 recover */
	uint64_t lease;
	uint64_t claim_seq; /* 0: no claim */
	uint32_t claim_count;
	uint32_t claim_waits; /* members that have not acknowledged it */
	uint32_t claim_busy;  /* bit i: somebody writes region i */
	uint64_t claim[MLOG_COPIES_MAX];
};

enum mlog_map { MLOG_MAP_IN_SYNC, MLOG_MAP_REPAIR, MLOG_MAP_MARKS /* + member */ };

/* The state goes out in pieces: first the members, then 64-bit words of the maps. */
struct mlog_state {
	uint64_t snap; /* seq of its SNAP */
	bool last;
	uint32_t member_count; /* 0, or config.members */
	const struct mlog_member *member;
	uint32_t map; /* enum mlog_map */
	uint64_t first;
	uint32_t words;
	const uint64_t *word;
};

struct mlog_message {
	enum mlog_message_kind kind;
	uint32_t from; /* node */
	uint64_t incarnation;
	uint64_t seq; /* of the sender, counts within an incarnation from 1 */
	union {
		struct {
			bool live;
			bool has_disk;
			uint64_t region_count;
			uint64_t region_sectors;
			uint32_t slot;	     /* live: its own; else MLOG_NO_SLOT */
			uint64_t applied;    /* how new the state is that it has; 0: none */
			uint64_t bound;	     /* see struct mlog_member; 0 with a new table */
			uint64_t recovering; /* region + 1 that its kernel recovers, or 0 */
			/* of its table; 0: it has none; MLOG_REVISION_UNKNOWN: it could not say */
			uint64_t revision;
			/* Its log device was made ready for its table, and tells what all knew
			 * of the one before. */
			bool prepared;
		} join;
		struct {
			uint32_t to; /* node */
			uint64_t incarnation;
			bool joining; /* the sender wants to attach as well: */
			bool founding;
			uint64_t applied;
		} none;
		struct mlog_state state;
		uint64_t applied; /* SNAP: see join */
		bool dirty;	  /* LEAVE */
		struct {
			uint64_t region;
			bool in_sync;
		} sync;
		uint64_t region; /* WANT; UNSEEN: bound */
		struct {
			uint64_t from;
			uint32_t regions; /* so many at most, 1..MLOG_LEASE_MAX */
		} lease;
		struct mlog_items claim; /* regions */
		struct {
			uint64_t claim; /* seq of its CLAIM */
			uint32_t repaired;
		} done;
		struct {
			uint32_t to; /* sender, incarnation and seq of what it answers */
			uint64_t incarnation;
			uint64_t seq;
			uint32_t busy;
		} ack;
		struct {
			uint32_t slot;
			uint64_t incarnation; /* of the dead member */
			bool last;
			bool all; /* its slot could not be read: every region may be dirty */
			struct mlog_items items;
		} dirty_bits;
		struct {
			bool all; /* UNMARKS: my slot has them again; MARKS: no older ones are left
				   */
			struct mlog_items items;
		} marks;
	};
};

#define MLOG_NO_SLOT	      UINT32_MAX
#define MLOG_NODE_UNKNOWN     UINT32_MAX
#define MLOG_REVISION_UNKNOWN UINT64_MAX
#define MLOG_LOCK_MAP	      MLOG_MEMBERS_MAX /* locks are slots, and the in-sync map's */

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
	MLOG_EV_QUIESCE,   /* the daemon is about to be replaced: start nothing that can wait */
	MLOG_EV_RETRY,	   /* the log device may be back: claim now instead of at the next retry */
	MLOG_EV_VIEW,	   /* who is in the group now; first event of all but for requests */
	MLOG_EV_MESSAGE,   /* delivered */
	MLOG_EV_LOCKED,	   /* answers LOCK */
	MLOG_EV_SLOT_READ, /* answers READ_SLOT */
	MLOG_EV_SLOT_EMPTIED, /* answers EMPTY_SLOT */
	MLOG_EV_ENDED,	      /* the kernel's table is gone; the last event, then mlog_destroy() */
	MLOG_EV_RATE, /* how fast regions are recovered, compared and copied; at first without a limit */
};

struct mlog_event {
	enum mlog_event_kind kind;
	uint64_t now_ms; /* monotonic */
	union {
		struct mlog_request request; /* REQUEST, CLEARED (region, region_count) */
		struct {
			/* 0 or negative errno; then history is not looked at. -ESTALE: the device
			 * has had a later table of the mirror. */
			int error;
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
			uint64_t region_ns; /* as in RATE; 0: that of the mirror */
		} verify;
		/* RATE: so long each region takes at least that is recovered, compared or copied
		 * here, on the average; 0: as fast as it can be. */
		uint64_t region_ns;
		bool handed_over; /* RESTORED: the last daemon was quiet when it ended */
		bool quiesce;	  /* false: it did not come to that, go on */
		struct {
			const uint32_t *node;
			uint32_t count;
			/* These nodes by themselves are a quorum. Of a change with leavers and
			 * joiners, the view without the joiners comes first and is judged alone:
			 * a minority that comes back has missed something, even if its cluster
			 * was quorate before and is so after. */
			bool quorate;
		} view;
		const struct mlog_message *message;
		struct {
			uint32_t lock;
			int error; /* 0: it is ours, exclusively, until UNLOCK */
		} locked;
		struct {
			uint32_t slot;
			int error;
			const uint64_t *dirty; /* slot bits; NULL: the slot was free */
		} slot;
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
	MLOG_SEND,    /* message, to all members */
	MLOG_LOCK,    /* exclusively; queue for it */
	MLOG_UNLOCK,  /* or withdraw the LOCK, which is not answered then */
	MLOG_READ_SLOT,	 /* of a member that is dead */
	MLOG_EMPTY_SLOT, /* of a member whose bits are in ours */
	MLOG_WAKE,	 /* read a block of the mirror: its kernel is to ask for resync work */
	MLOG_RELOAD, /* the kernel knows too much: reload the mirror's table when its legs work */
};

enum mlog_notice {
	MLOG_NOTICE_ATTACHED, /* value: regions to repair */
	MLOG_NOTICE_DETACHED,
	MLOG_NOTICE_IN_SYNC,	/* all regions are in sync */
	MLOG_NOTICE_REPAIRED,	/* nothing is crash-dirty any more; value: regions repaired that
				   differed */
	MLOG_NOTICE_LOG_FAILED, /* value: errno */
	MLOG_NOTICE_LOG_OK,	/* a failed log device works again */
	MLOG_NOTICE_STALE,	/* value: region that is not in sync any more */
	MLOG_NOTICE_STARVED,	/* value: region that is never quiet, and becomes stale therefore */
	MLOG_NOTICE_COPY_FAILED,  /* value: region */
	MLOG_NOTICE_VERIFIED,	  /* value: regions that differed */
	MLOG_NOTICE_OVERFLOW,	  /* a request was dropped because the table is full */
	MLOG_NOTICE_MEMBER_READY, /* value: node */
	MLOG_NOTICE_MEMBER_LEFT,
	MLOG_NOTICE_MEMBER_GONE,
	MLOG_NOTICE_MEMBER_DEAD, /* its slot has been taken over */
	MLOG_NOTICE_QUORUM,	 /* value: 1 regained, 0 lost */
	MLOG_NOTICE_MISMATCH,	 /* value: node that has the mirror with another table */
	MLOG_NOTICE_OUTDATED,	 /* the log device has had a later table than ours */
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
		const struct mlog_message *message; /* valid until the next step */
		struct {
			uint32_t lock;
			bool keep; /* LOCK of my own slot: it outlives the daemon, and is adopted by
				      the next that asks for it on this node */
		} lock;
		uint32_t slot; /* READ_SLOT, EMPTY_SLOT */
		struct {
			uint32_t slot; /* ours */
			bool whole;    /* else only our slot: the rest is the other members' */
		} log;		       /* LOAD, CLAIM, RELEASE */
	};
};

/* NULL: no memory. hot must outlive m; its geometry must be that of config. */
struct mlog *mlog_create(const struct mlog_config *config, struct hot *hot);
/* Takes NULL; returns NULL. Locks that m has are to be released when nothing that it wrote is on
 * its way to the log device any more. */
struct mlog *mlog_destroy(struct mlog *m);

void mlog_step(struct mlog *m, const struct mlog_event *event);
bool mlog_next(struct mlog *m, struct mlog_effect *ret);

/* After a table reload, before RESUME: from (same uuid) is the table before; what it knows is on
 * the log device, or else to be inherited. prepared: on another log device than that of from, which
 * was written for this very table when all regions were in sync, and tells all that anybody knew. */
void mlog_follow(struct mlog *m, const struct mlog *from, bool prepared);
/* Take over what from (suspended) knows in memory. 0 or -ENOMEM: then m must not be resumed, nobody
 * else knows it. */
int mlog_inherit(struct mlog *m, const struct mlog *from);

/* 64 bits of what is to be written, bit i of word w is slot bit or region 64 * w + i. */
uint64_t mlog_word(const struct mlog *m, enum mlog_area area, uint64_t word);
/* Same for the kernel's clean bits at RELEASE: in sync and nothing to repair. */
uint64_t mlog_kernel_word(const struct mlog *m, uint64_t word);

/*
 * Pieces of the state, for the STATE message that is being sent: *cursor starts at 0 and the words
 * go to buffer (at least 64 of them, room says how many). False: that was the last one.
 */
bool mlog_state_next(const struct mlog *m, uint64_t *cursor, uint64_t *buffer, uint32_t room,
		     struct mlog_message *ret);

/* A number for what all members must have in common; 0 for who is not READY. */
uint64_t mlog_state_hash(const struct mlog *m);

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
	bool quorate;
	uint32_t slot;	  /* ours, while attached */
	uint32_t members; /* READY, JOINING and GONE */
	uint32_t gone;
};

/* What a region is, as people are told: the last of these that it is, but for COPYING, which hides
 * what the region was before. */
enum mlog_region {
	MLOG_REGION_IN_SYNC, /* and no mark of this node */
	MLOG_REGION_DIRTY,   /* marked by this node, now or so lately that the bit is still set */
	MLOG_REGION_COPYING, /* a member has it leased, to recover it, or claimed, to compare or copy it
			      */
	MLOG_REGION_CRASH_DIRTY,
	MLOG_REGION_STALE,
	MLOG_REGIONS,
};

#define MLOG_CENSUS_MAX (UINT32_C(1) << 20) /* regions counted at once: a millisecond or so */

struct mlog_cell {
	uint32_t count[MLOG_REGIONS]; /* regions */
};

/* Counts the regions from first on, per_cell for each of the cells; those behind the last region
 * count none. Of MLOG_CENSUS_MAX regions at most, and at least one in a cell. */
void mlog_census(const struct mlog *m, uint64_t first, uint64_t per_cell, uint32_t cells,
		 struct mlog_cell *ret);

/* What all members know of slot, or NULL while this node does not know it. */
const struct mlog_member *mlog_member(const struct mlog *m, uint32_t slot);

void mlog_status(const struct mlog *m, struct mlog_status *ret);
/* Regions that differed in the current or last verify, lowest first; returns how many (at most
 * cap). */
uint32_t mlog_verify_regions(const struct mlog *m, uint64_t *ret, uint32_t cap);
/* Nothing in flight and nobody waiting: m may be destroyed or handed to another process. */
bool mlog_quiet(const struct mlog *m);

const char *mlog_phase_name(enum mlog_phase phase);
const char *mlog_log_state_name(enum mlog_log_state state);

#endif
