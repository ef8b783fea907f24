/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The hot maps of one mirror: the only memory that the loop shares with the responder threads, and
 * the memory that outlives the daemon (the caller maps it from a file in /run).
 *
 * Bits, one per region unless it says otherwise:
 *	held     the kernel has marked the region and not cleared it: writes may be in flight
 *	recent   it was marked since the last sweep (hysteresis of lazy clears)
 *	dirty    one per 2^shift regions: our slot on the log device has the bit, durably
 *	gate     no write of the region may begin: the mover compares or copies it, or the
 *		 kernel has recovered it and not all members know
 *	in_sync  all legs hold the same, as far as anybody knows
 *	repair   crash-dirty: legs may differ, each holds old or new data (loop only)
 *	unseen   the kernel was told that it is stale, and it was not recovered since, or did not
 *		 clear it when it was suspended: while this table lives it may write the region's
 *		 default leg only, without a mark
 *	reported our kernel says that a leg missed a write, and all is not well yet (loop only)
 *	others	 one per 2^shift regions: marks of other members that only memory knows, for the
 *		 next daemon of a planned restart (loop only)
 *
 * Who writes: responders set held, recent and unseen and clear held; all else is the loop's.
 *
 * The rules that make this safe without a lock between loop and responders. Each is a store
 * followed by a load, both sequentially consistent: of two that meet at least one sees the other.
 *	1 MARK   sets held, then reads dirty and gate; unless dirty and not gated, the loop answers
 *	2 close  sets gate, then reads held; while held, the region is not quiet
 *	3 drop   clears dirty, then reads held; while held, it sets dirty again
 *	4 CLEAR  clears held, then reads gate; when gated, the loop is told
 * test/model/hot.pml is the model of these rules, test/unit/test_hot_stress.c runs them.
 *
 * Two responders may hold requests of one mirror at once only when the kernel gave up waiting for
 * the older one. The caller serialises hot_answer() per mirror (a mutex), together with the loop's
 * steps that obey a MARK or CLEAR; the newest seq wins and what is older is dropped, because a late
 * CLEAR must not undo a newer MARK.
 */
#ifndef DLM_CORE_HOT_H
#define DLM_CORE_HOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/types.h"

#define HOT_STRETCHES_MAX 512U /* of regions whose marks are counted together */

/* Does our kernel copy from the leg that the others write? */
enum hot_leg {
	HOT_LEG_GOOD,
	HOT_LEG_MOVED,	    /* it may have seen a leg fail, and have another default */
	HOT_LEG_OUTWRITTEN, /* and the leg of the others was written, by them or by it */
};

/* What does our kernel with a write that a leg has missed? */
enum hot_hold {
	HOT_HOLD_NO,	 /* it is done, when the region is known as stale (or that is not known) */
	HOT_HOLD_YES,	 /* it waits for another table, so the region is as good as before */
	HOT_HOLD_MISSED, /* and some do wait */
	HOT_HOLD_VOID, /* a leg of its table, and of all others', is none: what is stale stays so */
};

/* At the start of the mapped memory. */
struct hot_shared {
	_Atomic uint64_t in_sync_count; /* set bits of in_sync */
	_Atomic uint64_t activity;	/* requests answered: the mover yields while this moves */
	_Atomic uint64_t mark_seq;   /* 1 << 32 | seq of the newest MARK, CLEAR or FLUSH; 0: none */
	_Atomic uint32_t last_seq;   /* seq of the newest request of any type */
	_Atomic uint32_t open;	     /* responders may answer (the mirror is active) */
	_Atomic uint32_t phase;	     /* enum mlog_phase, for the next daemon */
	_Atomic uint32_t suspect;    /* the daemon's: legs are to be compared after a gap */
	_Atomic uint32_t whole;	     /* the log device holds every dirty bit */
	_Atomic uint32_t truth;	     /* enum mlog_truth, for the next daemon */
	_Atomic uint32_t slot;	     /* ours + 1, for the next daemon; 0: none */
	_Atomic uint32_t leg;	     /* enum hot_leg */
	_Atomic uint32_t inheriting; /* of a dead member's bits not all others may have heard */
	_Atomic uint32_t hold;	     /* enum hot_hold; the daemon's, once it knows the table */
	_Atomic uint32_t beside;     /* slots of who could go on, for the next daemon */
	_Atomic uint64_t hint;	     /* below it the kernel need not ask about remote recovery */
	_Atomic uint64_t unseen_end; /* stale regions below may be written without a mark */
	_Atomic uint64_t resync_rate; /* the daemon's: bytes per second, 0: without a limit */
	_Atomic uint64_t recovering;  /* region + 1 that our kernel was given to recover; 0: none */
};

struct hot {
	uint64_t regions;
	unsigned shift; /* a slot bit covers 2^shift regions */
	struct hot_shared *shared;
	_Atomic uint64_t marks; /* requests with a MARK that this process has been asked */
	_Atomic uint64_t *held;
	_Atomic uint64_t *recent;
	_Atomic uint64_t *dirty;
	_Atomic uint64_t *gate;
	_Atomic uint64_t *in_sync;
	_Atomic uint64_t *repair;
	_Atomic uint64_t *reported;
	_Atomic uint64_t *unseen;
	_Atomic uint64_t *others;
	unsigned heat_shift; /* a stretch is 2^heat_shift regions: a division would cost more */
	/* How often a region of the stretch was in such a request. Only hot_answer() writes it. */
	_Atomic uint64_t heat[HOT_STRETCHES_MAX];
};

/* Bytes of memory that hot_bind() needs. */
size_t hot_bytes(uint64_t regions, unsigned shift);

/* Points h into memory (8-byte aligned, hot_bytes() long): all zero for a new mirror, or what an
 * earlier daemon left. The memory stays the caller's. */
void hot_bind(struct hot *h, void *memory, uint64_t regions, unsigned shift);

static inline uint64_t hot_slot_bits(const struct hot *h)
{
	return (h->regions + (UINT64_C(1) << h->shift) - 1) >> h->shift;
}

/* How many stretches there are: no more than HOT_STRETCHES_MAX, each but the last as long. */
static inline uint32_t hot_stretches(const struct hot *h)
{
	return (uint32_t)((h->regions - 1) >> h->heat_shift) + 1;
}

/* Rule 1. True: dirty on disk and no gate, the mark may be answered at once. */
bool hot_mark(struct hot *h, uint64_t region);
/* Rule 4. True: the region is gated, tell the loop. */
bool hot_clear(struct hot *h, uint64_t region);
/* Rule 2. True: quiet, no write of the region is in flight. */
bool hot_gate_close(struct hot *h, uint64_t region);
void hot_gate_open(struct hot *h, uint64_t region);
/* Rule 3, for all regions of a slot bit. True: the bit is clear now. */
bool hot_dirty_drop(struct hot *h, uint64_t slot_bit);
void hot_dirty_set(struct hot *h, uint64_t slot_bit);
/* The same for all bits of a word. */
void hot_dirty_add(struct hot *h, uint64_t word, uint64_t bits);

bool hot_held(const struct hot *h, uint64_t region);
bool hot_gated(const struct hot *h, uint64_t region);
bool hot_dirty(const struct hot *h, uint64_t region);
bool hot_in_sync(const struct hot *h, uint64_t region);
bool hot_repair(const struct hot *h, uint64_t region);
/* Does our kernel hold what a leg misses? False also when that is not known. */
bool hot_holds(const struct hot *h);
/* How many are in sync, as our kernel is told. One that has heard that all are forgets that a leg has
 * failed, and lets go what it holds, to one leg only: it does not hear it while it holds a write. */
uint64_t hot_count_told(const struct hot *h);
/* Sets the bit and keeps in_sync_count true. */
void hot_in_sync_set(struct hot *h, uint64_t region, bool in_sync);
void hot_repair_set(struct hot *h, uint64_t region, bool repair);
bool hot_reported(const struct hot *h, uint64_t region);
void hot_reported_set(struct hot *h, uint64_t region, bool reported);
void hot_unseen_set(struct hot *h, uint64_t region, bool unseen);
/* *ret: in sync, as the kernel is told: a write that meets a stale region goes unmarked, and the
 * kernel may remember that. False: not to be told while the gate is closed, it became stale under
 * the mover, and no mark would wait there, or it was recovered and will be in sync when it opens. */
bool hot_in_sync_told(struct hot *h, uint64_t region, bool *ret);
/* Has a newer request of this log been seen? */
bool hot_is_late(const struct hot *h, uint32_t seq);
/* Some write of a stale region up to this one may be on its way. */
void hot_unseen_end_raise(struct hot *h, uint64_t region);
/* Any region of the slot bit held, crash-dirty or reported stale? */
bool hot_busy(const struct hot *h, uint64_t slot_bit);
/* Of these, what no CLEAR will change. */
bool hot_crash_dirty(const struct hot *h, uint64_t slot_bit);
/* Any region of the slot bit marked since the last call? Forgets it. */
bool hot_recent_take(struct hot *h, uint64_t slot_bit);
void hot_reported_reset(struct hot *h);
/* No I/O is in flight (after POSTSUSPEND): nothing is held. */
void hot_held_reset(struct hot *h);
/* Lowest region at or after from that is not in sync (or that needs repair), or regions. */
uint64_t hot_next_stale(const struct hot *h, uint64_t from);
uint64_t hot_next_repair(const struct hot *h, uint64_t from);
/* Lowest held (reported, unseen) region at or after from, or regions; lowest dirty slot bit in
 * from..end-1, or end. */
uint64_t hot_next_held(const struct hot *h, uint64_t from);
uint64_t hot_next_reported(const struct hot *h, uint64_t from);
uint64_t hot_next_unseen(const struct hot *h, uint64_t from);
uint64_t hot_next_dirty(const struct hot *h, uint64_t from, uint64_t end);

/* Whole words, for attach and detach: in_sync_count is wrong until hot_recount(). */
uint64_t hot_in_sync_word(const struct hot *h, uint64_t word);
uint64_t hot_repair_word(const struct hot *h, uint64_t word);
uint64_t hot_held_word(const struct hot *h, uint64_t word);
uint64_t hot_others_word(const struct hot *h, uint64_t word);
/* Of the dirty map, whose bits are of 2^shift regions, what it says of each region of the word. */
uint64_t hot_dirty_word(const struct hot *h, uint64_t word);
void hot_in_sync_put(struct hot *h, uint64_t word, uint64_t value);
void hot_repair_put(struct hot *h, uint64_t word, uint64_t value);
void hot_others_put(struct hot *h, uint64_t word, uint64_t value);
/* Corrects the bits behind the last region and counts in_sync; returns the regions to repair. */
uint64_t hot_recount(struct hot *h);
/* Nobody holds, gates or has dirtied anything. */
void hot_reset(struct hot *h);
/* A new daemon has no copy under way. */
void hot_gates_reset(struct hot *h);

enum hot_verdict {
	HOT_ANSWERED,  /* ret holds the reply */
	HOT_HAND_OVER, /* the loop must decide; held is set already where it must be */
	HOT_STALE,     /* older than what was obeyed already: drop it, the kernel waits no more */
};

/*
 * Answers a request from the maps alone, where that is possible. *ret_cleared is true when the
 * reply is to be sent and the loop must also hear of the CLEAR (rule 4).
 */
enum hot_verdict hot_answer(struct hot *h, const struct mlog_request *request,
			    struct mlog_reply *ret, bool *ret_cleared);

/* Is seq (which wraps) newer than what mark_seq recorded? Records it when it is or is the same. */
bool hot_seq_obey(struct hot *h, uint32_t seq);

#endif
