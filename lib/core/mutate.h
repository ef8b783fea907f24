/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Deliberate faults. The simulator is built with them (DLM_MUTATIONS) and must find every one; in
 * all other builds mutation() is a constant false and the branch is gone.
 */
#ifndef DLM_CORE_MUTATE_H
#define DLM_CORE_MUTATE_H

#include <assert.h>
#include <stdbool.h>

enum mutation {
	MUTATE_NOTHING,
	MUTATE_MARK_BEFORE_DURABLE,	  /* a MARK is answered while its page is on the way */
	MUTATE_DROP_HELD,		  /* a sweep drops a bit that is held */
	MUTATE_DROP_REPAIR,		  /* a sweep drops a crash-dirty bit */
	MUTATE_RESUME_FORGETS_MARKS,	  /* RESUME of a reconnect clears what is held */
	MUTATE_LATE_CLEAR,		  /* an old CLEAR undoes a newer MARK */
	MUTATE_CLEARED_ON_FAILED_WRITE,	  /* a page write that failed counts as written */
	MUTATE_RESTART_FORGETS_MARKS,	  /* a new daemon starts with an empty slot */
	MUTATE_ATTACH_IGNORES_SLOT,	  /* what my slot held from an earlier life is forgotten */
	MUTATE_SLOT_NOT_READ,		  /* it is written and was never looked at */
	MUTATE_MARKS_NOT_IN_STATE,	  /* a joiner is not told the marks of the others */
	MUTATE_REPAIR_NOT_IN_STATE,	  /* a joiner is not told what is crash-dirty */
	MUTATE_CLAIMS_NOT_IN_STATE,	  /* a joiner does not close the gates of live claims */
	MUTATE_OLD_STATE_ACCEPTED,	  /* pieces of another snapshot are taken too */
	MUTATE_DEAD_MARKS_FORGOTTEN,	  /* a dead node's bits are not taken over */
	MUTATE_FIRST_LEAVER_ONLY,	  /* of several leavers only the first is processed */
	MUTATE_DEAD_LEASE_KEPT,		  /* a dead recoverer keeps its lease for ever */
	MUTATE_GONE_IS_DEAD,		  /* a node that left is taken over without its lock */
	MUTATE_EMPTIED_BEFORE_INHERITED,  /* the slot is emptied before its bits are in mine */
	MUTATE_UNLOCKED_BEFORE_INHERITED, /* the lock is released before that */
	MUTATE_UNLOCKED_WHILE_WRITING,	  /* and my own slot's while a write may still arrive */
	MUTATE_GONE_CLAIM_OPENED,	  /* gates of a gone claimer open at once */
	MUTATE_CLAIM_WHILE_GONE,	  /* claims begin while a member may write unseen */
	MUTATE_CLAIM_BUSY_IGNORED,	  /* a region that somebody writes is copied */
	MUTATE_CLAIM_NO_ACKS,		  /* copies begin at the own delivery */
	MUTATE_GATE_IGNORED,		  /* a MARK of a gated region is answered */
	MUTATE_HINT_TOO_HIGH,	       /* the kernel is told a hint above the lowest stale region */
	MUTATE_LEASE_UNSEEN,	       /* regions are leased that others may write unseen */
	MUTATE_TWO_LEASES,	       /* a region may be in two leases */
	MUTATE_REMOTE_NOT_HELD,	       /* writes go to a region that another node recovers */
	MUTATE_MARKS_NOT_ACKNOWLEDGED, /* core mode: a MARK is answered at the own delivery */
	MUTATE_MARKS_NOT_SENT,	       /* core mode: it is answered at once */
	MUTATE_STALE_NOT_REPORTED,     /* SET_REGION_SYNC 0 is answered and forgotten */
	MUTATE_ANSWERED_TWICE,	       /* a request that waited is answered and goes on waiting */
	MUTATE_SUSPENDED_STAYS,	       /* a suspended node keeps its lease and its claims */
	MUTATE_MINORITY_GOES_ON,       /* quorum is not looked at */
	MUTATE_RECOVERED_NOT_HELD,     /* it is answered as stale until the others know */
	MUTATE_MISSED_FULL,	  /* the kernel hears that all is in sync while it holds a write */
	MUTATE_MISSED_FORGOTTEN,  /* what it held when it was suspended is not told */
	MUTATE_OTHER_TABLE_JOINS, /* the revision of a joiner's table is not looked at */
	MUTATE_OUTDATED_SERVED,	  /* a log device that has had a later table is one that failed */
	MUTATE_LOG_REVISION_IGNORED, /* and the log device adapter does not say so */
	MUTATE_LOCK_NOT_PERSISTENT,  /* the locks port: a daemon's death releases its slot */
	MUTATIONS,
};

#ifdef DLM_MUTATIONS
extern enum mutation mutation_active;
const char *mutation_name(enum mutation which);
#define mutation(which) (mutation_active == (which))
#else
#define mutation(which) ((void)(which), false)
#endif

/*
 * What the owner of a fact asserts of it: an invariant of ARCHITECTURE.md. The simulator looks for
 * the same from outside, and with a deliberate fault on it is to be that which finds it.
 */
#ifdef DLM_MUTATIONS
extern bool mutation_asserted;
#endif
#ifdef NDEBUG
#define invariant(holds) ((void)sizeof(holds))
#elif defined(DLM_MUTATIONS)
#define mutation_excuses() (mutation_active != MUTATE_NOTHING && !mutation_asserted)
#define invariant(holds)   assert((holds) || mutation_excuses())
#else
#define invariant(holds) assert(holds)
#endif

#endif
