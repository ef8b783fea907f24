/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The locks port of a cluster, by DLM (lib/lockspace, in a thread of its own, because calls into
 * DLM wait while it recovers). What the simulator's locks promise (test/sim/locks.c), these do:
 *
 *	- a lock is exclusive; who asks queues. It is asked for by an object (one core object: one
 *	  table of a mirror on this node), by a number that is never used again
 *	- keep: it outlives this process (DLM's persistent locks), because the kernel goes on
 *	  writing; the next process of this node that asks for it takes it over at once, before all
 *	  who queue. So does another object of this process whose request waits, when the object
 *	  that held it is gone without having given it back
 *	- the grant of the lock of a node that died is given after the cluster has fenced it
 *	- an answer to a request that was withdrawn is not given
 *
 * Single-threaded on this side; everything comes from locks_dlm_dispatch().
 */
#ifndef DLM_LOCKS_DLM_H
#define DLM_LOCKS_DLM_H

#include <stdbool.h>
#include <stdint.h>

#include "codec/group.h"

#define LOCKS_DLM_LOCKSPACE  "dlmirror"
#define LOCKS_DLM_ERROR_SIZE 256U
#define LOCKS_DLM_END_MS     3000U

struct locks_dlm;

/* error: 0, or negative errno and the lock is neither held nor queued for. */
typedef void (*locks_dlm_locked_fn)(void *context, uint64_t object, uint32_t lock, int error);

struct locks_dlm_status {
	bool joined;	 /* to the lockspace */
	bool recovering; /* DLM has stopped the lockspace until it has recovered */
	bool fencing;	 /* dlm_controld would fence; false: a grant is no proof of death */
	uint32_t held;
	uint32_t waiting;
	uint32_t orphans;		    /* of earlier processes, or of objects that are gone */
	char problem[LOCKS_DLM_ERROR_SIZE]; /* what is missing and what to do; empty: nothing */
};

/* Starts the threads. Once per process: libdlm keeps a descriptor for good, in the table of the
 * thread that was the first to use it. 0 or negative errno. */
int locks_dlm_create(locks_dlm_locked_fn locked, void *context, struct locks_dlm **ret);
/* The lockspace is joined from now on, and again every second while that fails; requests wait until
 * then. cluster: the group's, that DLM must have as well; again with the same: nothing. */
void locks_dlm_join(struct locks_dlm *l, const char *cluster);
/* Locks that are to be kept become orphans, all others are given back. release: nobody needs the
 * lockspace on this node any more, leave it. What DLM does not end within LOCKS_DLM_END_MS (it
 * recovers) ends with the process. Takes NULL, returns NULL. */
struct locks_dlm *locks_dlm_destroy(struct locks_dlm *l, bool release);
int locks_dlm_fd(const struct locks_dlm *l);
void locks_dlm_dispatch(struct locks_dlm *l);

/* lock: see MLOG_LOCK. The same object asks for a lock once. -ENOMEM is an answer, too. */
void locks_dlm_lock(struct locks_dlm *l, const struct group_mirror *mirror, uint32_t lock,
		    uint64_t object, bool keep);
/* Gives it back, or withdraws the request. */
void locks_dlm_unlock(struct locks_dlm *l, const struct group_mirror *mirror, uint32_t lock,
		      uint64_t object);
/* The object is gone without a word: requests are withdrawn, what it held becomes an orphan (keep)
 * or is given back. forget: nobody comes after it but who has asked here already, so that nothing
 * becomes an orphan. Only after its last write has ended. */
void locks_dlm_object_gone(struct locks_dlm *l, uint64_t object, bool forget);
/* Gives back what is left of earlier objects and processes: the mirror is not in use here (any
 * more), and none of their writes is on its way. locks: how many of its locks there may be. */
void locks_dlm_release_orphans(struct locks_dlm *l, const struct group_mirror *mirror,
			       uint32_t locks);
void locks_dlm_status(const struct locks_dlm *l, struct locks_dlm_status *ret);

#endif
