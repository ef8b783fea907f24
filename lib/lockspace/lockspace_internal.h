/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LOCKSPACE_INTERNAL_H
#define LOCKSPACE_INTERNAL_H

#include <sys/queue.h>

#include "lockspace/backend.h"

#define LOCK_BUCKETS 256U

enum lock_operation { LOCK_IDLE, LOCK_REQUESTED, LOCK_CONVERTED, LOCK_UNLOCKED };

struct lock {
	struct lockspace_request request; /* first: what the backend has is this */
	struct lockspace *lockspace;
	LIST_ENTRY(lock) by_id;
	STAILQ_ENTRY(lock) ready_next;
	struct lockspace_lksb *lksb;
	lockspace_ast_fn ast;
	lockspace_bast_fn bast;
	void *context;
	enum lock_operation operation;
	bool granted; /* has been, so it outlives a convert that fails */
	bool ready;   /* adopted, and that has not been told yet */
	bool value;   /* LOCKSPACE_VALUE of the last operation */
	uint32_t parent;
	uint32_t children;
};

LIST_HEAD(locks, lock);

struct members;

struct lockspace {
	const struct lockspace_backend *backend;
	void *handle;
	char name[LOCKSPACE_NAME_MAX + 1];
	struct locks bucket[LOCK_BUCKETS];
	STAILQ_HEAD(locks_ready, lock) ready;
	bool dispatching;
	struct members *members; /* NULL: without lockspace_recovery() */
};

/* member.c */
void members_dispatch(struct members *s);
int members_timeout_ms(const struct members *s);
void members_leave(struct members *s);

#endif
