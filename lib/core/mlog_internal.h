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
#include "core/mutate.h"

#define NEVER_MS	UINT64_MAX
#define LATER_MS	100U /* before a copy that the mover did not take is asked for again */
#define SAME_MAX	4U   /* entries of one request and its repetitions */
#define PRIORITY_MAX	64U  /* regions that somebody waits for, ring */
#define BUSY_CLAIM_MS	128U /* of the mover's rate beside other I/O: what one claim may be */
#define PACE_BURST_MS	100U /* what an admin's rate allows in so long may be taken at once */
#define PACE_NS_MAX	(UINT64_C(1) << 62)
#define SYNCED_MS	100U /* so long a recovered region waits for others to be told together */
#define SYNCED_BATCH	16U
#define SYNCED_LOST	UINT64_MAX
#define ARMED_MS	500U /* a gate that finds no quiet moment opens again */
#define STARVED_MS	30000U /* and when none of a region does for so long, its kernel recovers it */
#define STARVED_MAX	MLOG_COPIES_MAX
#define LEASE_NONE_MS	1000U /* before it asks again when there were none */
#define WAKE_MS		2000U /* a kernel that should ask for resync work and does not is woken */
#define WAKES_MAX	3U    /* in vain, and it is known not to ask */
#define RELOAD_MS	10000U
#define WRITING_MS	250U  /* a kernel that has marked so recently leaves resync to others, */
#define LEASE_GAP_MS	250U  /* who hold leases, or did so recently, */
#define PROGRESS_MS	5000U /* and not all of them in vain for so long */
#define STUCK_MS	3000U /* a write waits so long for somebody to recover its region */
#define LOCK_RETRY_MS	1000U
#define ASK_AGAIN_MS	1000U
#define LATE_CLEAR_MS	100U /* a CLEAR may come so much after POSTSUSPEND */
#define SWEEP_SENDS_MAX 8U
#define LATE_ACKS_MAX	(2 * MLOG_MEMBERS_MAX)
#define BUFFER_MAX	128U /* messages between a snapshot and its last piece */
#define PEERS_MAX	MLOG_VIEW_MAX
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

/* How fast regions may be taken. */
struct pace {
	uint64_t region_ns; /* each takes so long; 0: no limit */
	uint64_t paid_ms;   /* when what has been taken is paid, */
	uint32_t paid_ns;   /* and a part of a millisecond */
	bool resting;	    /* until then */
};

/* A region of my claim. */
struct copy {
	uint64_t region;
	bool moving;
	bool verify; /* for the verify, else for crash repair */
};

/* A region that has been found busy whenever it was claimed. */
struct starved {
	uint64_t region;
	uint64_t since_ms;
};

/* A region that my kernel has recovered. Its gate is closed until all know it: until then nobody
 * may be told that it is stale, as a write without a mark follows from that, nor that it is not. */
struct synced {
	uint64_t region;
	uint64_t
	    seq; /* of its SYNC; 0: not sent yet; SYNCED_LOST: perhaps delivered to others only */
};

/* What I have to do about a member's claim. */
struct gates {
	uint64_t seq;	  /* of the claim; 0: none */
	uint32_t closed;  /* bit i: I have closed the gate of region i */
	uint32_t waiting; /* of these: not quiet yet */
	bool acked;
	uint64_t armed_ms;
	uint64_t region[MLOG_COPIES_MAX];
};

/* Acknowledgements of my newest message of a kind. */
struct acks {
	uint64_t seq; /* 0: nothing sent */
	bool delivered;
	uint32_t waits; /* members */
};

/* What I acknowledge when the region is stale in the map on the log device too. */
struct late_ack {
	uint64_t region;
	uint32_t to;
	uint64_t incarnation;
	uint64_t seq;
};

/* My way into the group:
 *	OUT -JOIN sent-> JOINING -delivered-> ASKING -SNAP-> COPYING -last STATE-> LOCKING
 *	                                        |                                   |
 *	                                        +-nobody has a state--> FOUNDING ---+
 *	LOCKING -slot's lock-> LOADING -log device-> TELLING -READY delivered-> IN
 */
enum group_phase {
	GROUP_OUT,
	GROUP_JOINING,
	GROUP_ASKING,
	GROUP_COPYING,
	GROUP_FOUNDING, /* waits for the map's lock, then reads the log device */
	GROUP_LOCKING,
	GROUP_LOADING,
	GROUP_TELLING, /* what I know that the others do not */
	GROUP_READYING,
	GROUP_IN,
};

/* A node of the view, while I am asking. */
struct peer {
	uint32_t node;
	bool answered; /* has no state for me */
	bool joining;  /* has none either, but wants it */
	bool founding;
	uint64_t applied;
	bool joined; /* its JOIN was delivered, and here is what it said */
	struct mlog_message join;
};

enum takeover_step { TAKEOVER_NONE, TAKEOVER_READ, TAKEOVER_WRITE, TAKEOVER_EMPTY, TAKEOVER_TELL };

enum lock_state { LOCK_FREE, LOCK_WAITED, LOCK_HELD };

struct pending {
	struct mlog_request request;
	uint64_t sent; /* seq of the message it waits for; 0: none */
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
	bool follows;	   /* an earlier table of the mirror was attached */
	bool prepared;	   /* the log device tells all that it knew */
	uint64_t timer_ms; /* as last asked for */
	struct mlog_effect effect[MLOG_EFFECTS_MAX];
	uint32_t effect_first;
	uint32_t effect_count;

	/* request.c: what the kernel is waiting for */
	struct pending pending[MLOG_PENDING_MAX];
	uint32_t pending_count;

	/* members.c: what all members know */
	struct mlog_member member[MLOG_MEMBERS_MAX];
	uint64_t
	    *marks[MLOG_MEMBERS_MAX]; /* slot bits of who is replicated; NULL: alone for ever */
	uint64_t applied;	      /* messages */
	uint32_t snap_from;	      /* slot of who sends its state, or MLOG_NO_SLOT */
	uint64_t snap_seq;
	uint32_t snap_mask; /* members that it is for */
	uint64_t stale_low; /* lowest stale region */

	/* group.c: my way in and out */
	enum group_phase group;
	bool quorate;
	bool live;	   /* my kernel has been writing: there is something to tell */
	bool closed;	   /* and until that is told it gets no answer (a new daemon) */
	bool mangled;	   /* maps hold half a snapshot */
	bool missed;	   /* others may have gone on since my last daemon ended */
	bool founder;	   /* until READY */
	bool loaded;	   /* and has read the log device */
	bool foreign;	   /* and found no free slot: mine is a dead member's */
	bool outdated;	   /* the device has had a later table: this one is not served */
	uint32_t to_prove; /* mask: believes it when the locks of these slots are free */
	uint32_t to_meet;  /* mask: the maps count when the owners of these slots come back */
	bool left_out;	   /* somebody who had a state left before he told it */
	bool rejoin;	   /* quorum was lost and is back: start over when nothing is in flight */
	bool leaving;	   /* LEAVE is out */
	bool left;	   /* and delivered, or nobody to be told */
	uint64_t left_ms;
	bool left_last;	   /* the log device is mine to close */
	bool left_keeping; /* marks that the log device does not have */
	bool left_dirty;
	uint64_t unlock;   /* locks to release when nothing is on its way to the device any more */
	bool handed;	   /* by a daemon that was quiet: the maps have what it knew of others */
	bool handed_whole; /* by a daemon that was quiet and whose log device had everything */
	uint32_t self;	   /* my place in member[], or MLOG_NO_SLOT */
	uint32_t slot;	   /* on the log device; stays known after LEAVE */
	uint32_t view[MLOG_VIEW_MAX];
	uint32_t view_count;
	uint32_t snap_node;
	uint64_t snap_applied;
	uint64_t incarnation;
	uint64_t seq;	/* last sent */
	uint64_t heard; /* last own delivered */
	bool snap_sent;
	struct peer peer[PEERS_MAX];
	uint32_t peer_count;
	struct mlog_message *buffer;
	uint32_t buffer_count;
	struct mlog_message send[MLOG_SENDS_MAX];
	uint32_t send_count;
	uint64_t tell_cursor;
	uint64_t tell_seq; /* waits for the delivery of this one */
	uint32_t tell_step;
	enum lock_state lock[MLOG_LOCK_MAP + 1];
	uint64_t lock_retry_ms;
	uint64_t asked_ms;   /* ASKING since */
	uint64_t found_ms;   /* FOUNDING since */
	bool outdone;	     /* what a founder loads is outdated */
	uint64_t found_rank; /* the most that any state was worth before a founder's */
	uint64_t reload_ms;

	/* takeover.c: a dead member's slot */
	enum takeover_step takeover;
	uint32_t takeover_slot;
	bool takeover_all;
	bool emptying; /* EMPTY_SLOT of takeover_slot is out, also when the takeover was stopped */
	uint64_t *taken; /* slot bits of somebody dead, or of my earlier life */
	bool taken_all;	 /* could not be read: any */
	uint64_t takeover_cursor;
	uint64_t takeover_seq;

	/* dirty.c: which of my writes may be in flight */
	uint64_t *image;      /* slot bits as the next write of their page will have them */
	uint64_t image_count; /* set bits */
	uint32_t *page_bits;  /* set bits per page: the sweep skips empty pages */
	struct pages slot_pages;
	uint64_t queued[QUEUE_MAX]; /* slot bits that somebody waits for, not written yet */
	uint32_t queued_count;
	uint64_t writing[QUEUE_MAX]; /* in the batch, or the message, under way */
	uint32_t writing_count;
	uint64_t sweep_ms;
	struct acks marks_acks;
	uint64_t unmarks_seq;	  /* of my last UNMARKS; 0: none */
	uint64_t announce_cursor; /* image bits below are in messages, while replicated */

	/* sync.c: which regions are in sync, which the kernel resyncs */
	struct pages sync;
	uint64_t sync_due_ms;
	uint64_t resync_cursor; /* below it all regions have been offered */
	uint64_t lease_cursor;	/* same within the lease */
	bool lease_in_order;	/* the lease began at resync_cursor */
	uint64_t priority[PRIORITY_MAX];
	uint64_t priority_ms[PRIORITY_MAX]; /* since when */
	bool priority_held[PRIORITY_MAX];   /* a write is held until it is recovered */
	uint32_t priority_count;
	struct acks lease_acks;
	struct acks stale_acks; /* of the SYNC that my kernel waits for */
	struct synced synced[MLOG_LEASE_MAX];
	uint32_t synced_count;
	uint32_t synced_unsent;
	uint64_t synced_due_ms; /* when they are sent at the latest */
	struct late_ack late_ack[LATE_ACKS_MAX];
	uint32_t late_acks;
	uint64_t lease_none_ms; /* there was none to be had, until then */
	uint64_t marks_seen;
	uint64_t writing_until_ms; /* it is taken for one that has writes */
	uint64_t others_lease_until_ms;
	uint64_t progress_until_ms;
	uint64_t woken_ms;	/* the kernel asked for work, or was woken, last */
	uint32_t wakes_unheard; /* since it asked */
	bool work_resting;	/* it was told that there is none, because of the rate */
	uint64_t unseen_sent;	/* bound of the last UNSEEN */
	bool was_full;		/* all was in sync when I last knew all */
	bool map_whole;		/* the map on the device may not be mine: write all of it */

	/* device.c: the log device's state */
	enum mlog_log_state log;
	bool degraded;	/* marks were answered from memory since the device was last whole */
	bool restoring; /* a new daemon reads its predecessor's slot: maps in memory stay */
	enum device_operation operation;
	bool operation_whole; /* not my slot only */
	bool device_new;      /* it does not know us: who writes the map begins anew */
	bool lost_sent;	      /* and not before the others have heard of it */
	bool late;	      /* it timed out; its completion only ends it */
	uint64_t operation_ms;
	uint32_t written_slot; /* mine when what is in flight began */
	bool slot_known;       /* what my slot held at the attach: read, or taken for the worst */
	uint64_t retry_ms;
	uint64_t detach_ms;	/* POSTSUSPEND came */
	uint64_t detach_cursor; /* what is held from here on has not been told as crash-dirty */
	uint64_t detach_seq;	/* of the last that was told */
	uint64_t inherited_applied;
	struct mlog_history inherited; /* from a reloaded table's predecessor; bits owned */

	/* pace.c */
	struct pace resync_pace; /* of recovery, of the mover's repairs, and of a verify without: */
	struct pace verify_pace;

	/* repair.c: what the mover does */
	struct copy copy[MLOG_COPIES_MAX];
	uint32_t copy_count; /* of the claim that is out */
	uint32_t copies_moving;
	bool claim_out; /* from CLAIM until its DONE is delivered */
	bool claim_delivered;
	bool claim_started;
	bool claim_cancelled;
	bool claim_done_sent;
	uint32_t claim_repaired; /* bit i: region i of the claim is identical now */
	struct gates gates[MLOG_MEMBERS_MAX];
	uint64_t repair_left;
	uint64_t repair_cursor;
	uint64_t repair_retry_ms;
	uint64_t repair_differed;
	struct starved starved[STARVED_MAX];
	uint32_t starved_count;
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

/* How much my state is worth when nobody has a complete one:
 *	KNOWS	that there was one: nothing of mine counts as in sync, or the log device tells
 *	AHEAD	the same, and the log device does not tell all
 *	MEMORY	and as many more as it has been given messages: the last to leave knows most
 */
enum rank { RANK_NONE, RANK_KNOWS, RANK_AHEAD, RANK_MEMORY };

/* mlog.c */
struct mlog_effect *effect_add(struct mlog *m, enum mlog_effect_kind kind);
void notice_add(struct mlog *m, enum mlog_notice code, uint64_t value);
void phase_set(struct mlog *m, enum mlog_phase phase);

static inline struct mlog_member *member_self(struct mlog *m)
{
	return m->self == MLOG_NO_SLOT ? NULL : &m->member[m->self];
}

static inline bool group_in(const struct mlog *m)
{
	return m->group == GROUP_IN && m->quorate && !m->rejoin;
}

/* members.c */
bool members_create(struct mlog *m);
void members_destroy(struct mlog *m);
void members_reset(struct mlog *m);
bool members_leased(const struct mlog_member *e, uint64_t region);
uint64_t members_lease_end(const struct mlog_member *e); /* 0: it has none */
void members_lease_one(struct mlog_member *e, uint64_t region);
void members_lease_none(struct mlog_member *e);
bool members_replicated(const struct mlog *m); /* the log device has failed one of them */
bool members_marks_keep(struct mlog *m);       /* there were some */
void members_unsure_keep(struct mlog *m);      /* what who is gone may have been writing */
void members_hand_over(struct mlog *m);
void members_handed(struct mlog *m);
void members_handed_forget(struct mlog *m);
struct mlog_member *members_find(struct mlog *m, uint32_t node);
uint64_t members_own_bound(const struct mlog *m);
void members_bound_known(struct mlog *m); /* my bound in the state that I found */
uint32_t members_alloc(const struct mlog *m, uint32_t node, uint32_t wanted);
uint32_t members_others(const struct mlog *m); /* mask of slots in use but mine */
uint32_t members_gone(const struct mlog *m);
bool members_alone(const struct mlog *m);
bool members_unsure(const struct mlog *m);	  /* somebody may be writing whom nobody can ask */
uint32_t members_listeners(const struct mlog *m); /* mask of others that can acknowledge */
uint32_t members_first_ready(const struct mlog *m);
uint32_t members_ready_before(const struct mlog *m); /* how many, in slots below mine */
uint32_t members_beside(const struct mlog *m); /* mask of others that could go on without me */
void members_apply(struct mlog *m, const struct mlog_message *message);
void members_view(struct mlog *m, const uint32_t *node, uint32_t count);
void members_changed(struct mlog *m); /* bounds and the hint follow */
void members_dirty_region(struct mlog *m, uint64_t region);
void members_taken(struct mlog *m); /* the bits of `taken` are crash-dirty: nobody to be told */
bool members_state_take(struct mlog *m, const struct mlog_state *state);
void members_marks_sole(struct mlog *m, uint64_t bit, bool value);

/* group.c */
bool group_create(struct mlog *m);
void group_destroy(struct mlog *m);
void group_attach(struct mlog *m);
void group_detach(struct mlog *m);
void group_end(struct mlog *m); /* without a detach */
void group_restored(struct mlog *m, bool handed_over);
void group_view(struct mlog *m, const uint32_t *node, uint32_t count, bool quorate);
void group_message(struct mlog *m, const struct mlog_message *message);
void group_device_done(struct mlog *m); /* it is claimed, or has failed */
void group_released(struct mlog *m);
void group_settle(struct mlog *m);
uint64_t group_deadline(const struct mlog *m);
struct mlog_message *group_send(struct mlog *m, enum mlog_message_kind kind);
void group_ask_again(struct mlog *m, const struct peer *but);
void group_outdated(struct mlog *m);
void acks_expect(struct mlog *m, struct acks *acks, uint64_t seq);
bool acks_complete(const struct acks *acks);
bool acks_settled(const struct acks *acks); /* complete, or none are waited for */

/* peers.c */
uint64_t peers_rank(const struct mlog *m);     /* of my memory: enum rank, or more */
uint64_t peers_rank_max(const struct mlog *m); /* the most that anybody's was worth so far */
bool peers_ahead(const struct mlog *m);	       /* the log device does not tell all */
bool peers_in_view(const struct mlog *m, uint32_t node);
struct peer *peers_find(struct mlog *m, uint32_t node);
struct peer *peers_add(struct mlog *m, uint32_t node); /* NULL: there are too many */
void peers_ask(struct mlog *m);
void peers_send_none(struct mlog *m, const struct peer *peer);
void peers_left(struct mlog *m, const struct mlog_message *message);
bool peers_let_me_first(const struct mlog *m); /* all have answered, and nobody goes before me */
bool peer_goes_first(const struct mlog *m, const struct peer *peer);

/* found.c */
void found(struct mlog *m);
/* The founder has read the log device; NULL: it could not, or there is none. */
void found_loaded(struct mlog *m, const struct mlog_history *h);
bool found_locks(struct mlog *m); /* my slot's is mine, and all others are as I believe */
bool found_remembers(const struct mlog *m);
bool found_against(const struct mlog *m, const struct peer *peer);
bool found_in_vain(const struct mlog *m);
void found_no_more(struct mlog *m, const struct peer *for_whom); /* to be told by the caller */

/* lock.c: a slot's number, or MLOG_LOCK_MAP */
void lock_take(struct mlog *m, uint32_t lock);
void lock_release(struct mlog *m, uint32_t lock);
void lock_release_soon(struct mlog *m, uint32_t lock);
void lock_release_all(struct mlog *m);
bool lock_held(const struct mlog *m, uint32_t lock); /* and is going to stay so */
void lock_answered(struct mlog *m, uint32_t lock, int error);
bool lock_write_given_up(const struct mlog *m);
void lock_settle(struct mlog *m);

/* tell.c */
void tell_begin(struct mlog *m);
void tell(struct mlog *m);

/* takeover.c */
void takeover_settle(struct mlog *m);
void takeover_read(struct mlog *m, uint32_t slot, int error, const uint64_t *dirty);
void takeover_emptied(struct mlog *m, uint32_t slot, int error);
void takeover_stop(struct mlog *m);

/* pages.c */
bool pages_create(struct pages *p, enum mlog_area area, uint64_t bits, uint32_t page_bytes);
void pages_destroy(struct pages *p);
void pages_touch(struct pages *p, uint64_t page);
void pages_forget(struct pages *p); /* all of it is being written by a claim or release */
bool pages_batch_start(struct mlog *m, struct pages *p);
/* True when this was the last of the batch; its first error is then in p->error. */
bool pages_written(struct pages *p, int error);

/* pace.c */
void pace_set(struct pace *p, uint64_t region_ns);
bool pace_ready(const struct mlog *m, const struct pace *p); /* may one more be taken? */
uint64_t pace_ready_ms(const struct pace *p);		     /* since when, or from when on */
uint32_t pace_burst(const struct pace *p); /* how many at once, at most MLOG_LEASE_MAX */
void pace_take(const struct mlog *m, struct pace *p);

/* request.c */
void request_admit(struct mlog *m, const struct mlog_request *request);
void request_settle(struct mlog *m); /* answers what has become answerable */
void request_reply(struct mlog *m, const struct mlog_request *request, int32_t error);
/* Does the kernel wait for the mark of region? Then no write of it is in flight. */
bool request_waits_for(const struct mlog *m, uint64_t region);
void request_group_lost(struct mlog *m); /* what was sent may not arrive */

/* dirty.c */
void dirty_group_lost(struct mlog *m);
void dirty_remember_repair(struct mlog *m);  /* before the state of others replaces mine */
void dirty_whole(struct mlog *m);	     /* the log device has every mark again */
void dirty_failed(struct mlog *m);	     /* it has not */
bool dirty_replicated(const struct mlog *m); /* marks go into messages */
bool dirty_create(struct mlog *m);
void dirty_destroy(struct mlog *m);
void dirty_want(struct mlog *m, uint64_t region); /* begin to make a held region durable */
void dirty_settle(struct mlog *m);
void dirty_written(struct mlog *m, uint64_t page, int error);
void dirty_add_known(struct mlog *m, uint64_t slot_bit);
void dirty_claimed(struct mlog *m); /* a claim has written the image as it was at its start */
void dirty_inherit(struct mlog *m, uint64_t slot_bit); /* a dead member's bit, to be written */
void dirty_keep_repair(struct mlog *m);		       /* all that is crash-dirty, into my slot */
void dirty_reset(struct mlog *m);
void dirty_restore(struct mlog *m); /* image from the hot maps an earlier daemon left */
uint64_t dirty_deadline(const struct mlog *m);

/* sync.c */
bool sync_create(struct mlog *m);
void sync_destroy(struct mlog *m);
void sync_deliver(struct mlog *m, uint64_t region, bool in_sync);
uint64_t sync_lease_pick(const struct mlog *m, uint32_t slot, uint64_t from, uint32_t count,
			 uint64_t *ret);
void sync_rewind(struct mlog *m); /* what could not be recovered is offered again */
bool sync_work_due(struct mlog *m, uint64_t *ret); /* false: a lease has been asked for */
uint64_t sync_recovering(const struct mlog *m);	   /* region, or region_count */
bool sync_leased_to_other(const struct mlog *m, uint64_t region);
bool sync_remote_recovering(struct mlog *m, uint64_t region);
bool sync_missed(struct mlog *m, uint64_t region);
bool sync_void(const struct mlog *m);
void sync_reported(struct mlog *m, uint64_t region, bool in_sync); /* by my kernel */
bool sync_recovered(struct mlog *m, uint64_t region); /* by my kernel; false: not without waiting */
bool sync_telling(struct mlog *m, uint64_t region); /* that it was recovered: will soon be known */
void sync_tell(struct mlog *m);			    /* before what ends my lease */
void sync_told(struct mlog *m, uint64_t seq);	    /* my SYNC was delivered */
void sync_tell_lost(struct mlog *m);
void sync_tell_over(struct mlog *m); /* what all know is known to me: gates open */
bool sync_mine(const struct mlog *m, uint64_t region);
bool sync_map_writer(const struct mlog *m);
/* Is the region on the log device as it is in memory, as far as I write it? */
bool sync_durable(const struct mlog *m, uint64_t region);
void sync_settle(struct mlog *m);
void sync_written(struct mlog *m, int error);
/* Somebody waits for this stale region; held: and its write is held until it is recovered. */
void sync_wait_noted(struct mlog *m, uint64_t region, bool held);
void sync_rate(struct mlog *m, uint64_t region_ns);
/* beside: the maps count as well, they have what the history has not. */
void sync_load(struct mlog *m, const struct mlog_history *history, bool beside);
void sync_load_beside(struct mlog *m, const struct mlog_history *history); /* that map alone */
void sync_load_unknown(struct mlog *m); /* the device could not be read: everything is stale */
void sync_restart(struct mlog *m);
uint64_t sync_deadline(const struct mlog *m);

/* device.c */
void device_load(struct mlog *m);   /* the founder's look at the whole device */
void device_attach(struct mlog *m); /* my slot's lock is mine */
void device_group_lost(struct mlog *m);
void device_rejoin(struct mlog *m); /* the same, and it was all the time */
void device_detach(struct mlog *m);
void device_writes(const struct mlog *m, uint32_t lock);
bool device_idle(const struct mlog *m); /* nothing of mine is on its way to it */
void attach_done(struct mlog *m);	/* the group counts me in */
void sync_write_all(struct mlog *m);	/* what of the map is on the device is not known */
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
void repair_done(struct mlog *m, uint64_t region);    /* legs are known to be identical */
void repair_add(struct mlog *m, uint64_t region);     /* crash-dirty, by all members' knowledge */
void repair_stop(struct mlog *m);		      /* begins nothing more; what moves, ends */
void repair_claimed(struct mlog *m, uint32_t slot);   /* that member's claim was delivered */
void repair_unclaimed(struct mlog *m, uint32_t slot); /* it is over */
void repair_reconcile(struct mlog *m);		      /* the claims are those of another's state */
void repair_group_lost(struct mlog *m);
void verify_start(struct mlog *m, bool repair, uint64_t region_ns);
void verify_stop(struct mlog *m);
uint64_t repair_deadline(struct mlog *m);

static inline uint64_t min_ms(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

#endif
