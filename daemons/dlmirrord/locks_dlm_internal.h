/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three threads:
 *
 *	loop        locks_dlm.c        asks, and is answered
 *	dlm-locks   locks_dlm_queue.c  all calls into DLM; waits while DLM recovers
 *	dlm-look    locks_dlm_look.c   what is there and what is missing; waits when dlm_controld hangs
 *
 * A request travels: loop -> changed -> dlm-locks -> answers -> loop. What is in those two lists,
 * and what is marked so, is under the mutex, which nobody holds while he calls into DLM.
 */
#ifndef DLM_LOCKS_DLM_INTERNAL_H
#define DLM_LOCKS_DLM_INTERNAL_H

#include <pthread.h>
#include <sys/queue.h>

#include "daemons/dlmirrord/locks_dlm.h"
#include "lockspace/backend.h"

#define LOCKS_FAILED_MAX 256U

enum request_want { WANT_LOCK, WANT_UNLOCK, WANT_GONE, WANT_FORGOTTEN };

/*
 * One object's for one lock. The loop makes it, and forgets it with its withdrawal: then dlm-locks
 * frees it; or the loop frees it with an answer that is an error, when dlm-locks has forgotten it.
 */
struct locks_request {
	uint64_t object;
	struct group_mirror mirror;
	uint32_t lock;
	bool keep;
	LIST_ENTRY(locks_request) loop_next; /* loop's */
	/* under the mutex */
	TAILQ_ENTRY(locks_request) changed_next;
	TAILQ_ENTRY(locks_request) answer_next;
	enum request_want want;
	bool changed;
	bool answered;
	int error;
	/* dlm-locks' */
	struct resource *resource;
	TAILQ_ENTRY(locks_request) waiter_next;
	bool told; /* that it has the lock */
};

/* Orphans of a mirror to be released. */
struct locks_release {
	STAILQ_ENTRY(locks_release) next;
	struct group_mirror mirror;
	uint32_t locks;
	uint32_t tries; /* left */
};

STAILQ_HEAD(locks_releases, locks_release);

struct locks_look {
	bool can_join; /* nothing that joining needs is missing */
	bool recovering;
	bool fencing;
	char problem[LOCKS_DLM_ERROR_SIZE];
};

/* What there is of DLM: the real one, or that of a test. */
struct locks_world {
	const struct lockspace_backend *backend;
	/* cluster: "" while it is not known. May wait. */
	void (*look)(void *context, const char *cluster, struct locks_look *ret);
	void *context;
	bool apart; /* the threads get a descriptor table of their own (apart.h) */
};

struct locks_failed {
	uint64_t object;
	uint32_t lock;
};

struct locks_dlm {
	struct locks_world world;
	/* loop's */
	locks_dlm_locked_fn locked;
	void *context;
	LIST_HEAD(locks_requests, locks_request) requests;
	struct locks_failed failed[LOCKS_FAILED_MAX];
	uint32_t failed_count;
	uint32_t dropped; /* requests that there was not even room to refuse */
	int fd[2];	  /* loop's end, dlm-locks' end: a byte in it wakes the other */
	pthread_t locks_thread;
	pthread_t look_thread;

	pthread_mutex_t mutex;
	pthread_cond_t changed_cond;
	/* under the mutex */
	char cluster[LOCKSPACE_NAME_MAX + 1];
	TAILQ_HEAD(locks_changed, locks_request) changed;
	TAILQ_HEAD(locks_answers, locks_request) answers;
	struct locks_releases releases;
	bool end;
	bool release;
	bool locks_ended;
	bool look_ended;
	bool abandoned; /* the loop has gone without waiting for them */
	struct locks_look look;
	struct locks_dlm_status status; /* but for what look knows */
};

int locks_dlm_create_in(const struct locks_world *world, locks_dlm_locked_fn locked, void *context,
			struct locks_dlm **ret);

/* Wakes whoever polls the other end. */
void locks_poke(int fd);
/* Takes all bytes out. */
void locks_unpoke(int fd);

/* A thread's last call; ended: its own. */
void locks_dlm_thread_ended(struct locks_dlm *l, bool *ended);

/* Threads; argument: struct locks_dlm. */
void *locks_dlm_queue_main(void *argument);
void *locks_dlm_look_main(void *argument);

#endif
