/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A lockspace of the DLM (distributed lock manager), for programs, in the shape that the kernel
 * gives its own users of it (dlm.h): locks with completion and blocking callbacks, lock values, and
 * the points of a recovery, which DLM does not tell programs, and which are made here from views of
 * the cluster and from grants.
 *
 * A lock's life, by its callback (ast) and lksb->status:
 *
 *	lockspace_lock ---> 0: granted ---- convert ---> 0, or -EAGAIN, -LOCKSPACE_ECANCEL: as before
 *	     |                  '---------- unlock ----> -LOCKSPACE_EUNLOCK: gone
 *	     '------------> -EAGAIN (NOQUEUE), -LOCKSPACE_ECANCEL (CANCEL), -EDEADLK: gone
 *
 * Single-threaded: all calls by one thread, all callbacks from within lockspace_dispatch(). Calls
 * may block while DLM recovers, which can last for as long as there is no quorum, or nobody fences.
 * Callbacks may lock and unlock, but neither dispatch nor release.
 */
#ifndef LOCKSPACE_H
#define LOCKSPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOCKSPACE_NAME_MAX     64U /* bytes of a lockspace's or a cluster's name, without the NUL */
#define LOCKSPACE_RESOURCE_MAX 64U /* bytes of a resource's name, which need not be text */
#define LOCKSPACE_VALUE_SIZE   32U
#define LOCKSPACE_MEMBERS_MAX  64U

/* Statuses beside those of errno.h, as in the kernel. */
#define LOCKSPACE_ECANCEL 0x10001
#define LOCKSPACE_EUNLOCK 0x10002

enum lockspace_mode {
	LOCKSPACE_NL, /* nothing: keeps the resource, and with it the value */
	LOCKSPACE_CR, /* concurrent read */
	LOCKSPACE_CW, /* concurrent write */
	LOCKSPACE_PR, /* protected read: no writers */
	LOCKSPACE_PW, /* protected write: CR besides */
	LOCKSPACE_EX, /* nobody but NL besides */
};

enum lockspace_flag {
	LOCKSPACE_NOQUEUE = 1 << 0,    /* lock: now or -EAGAIN */
	LOCKSPACE_CONVERT = 1 << 1,    /* lock: lksb->id to another mode, or to other flags */
	LOCKSPACE_VALUE = 1 << 2,      /* lock: the value comes with the grant; a convert from PW or
					  EX, also to the same mode, writes it (but PW to EX). An
					  unlock does not: libdlm would write anything */
	LOCKSPACE_PERSISTENT = 1 << 3, /* lock: outlives the process, as an orphan. The last lock or
					  convert says whether */
	LOCKSPACE_ORPHAN = 1 << 4,     /* lock: take over an orphan of this node of the same mode */
	LOCKSPACE_CANCEL = 1 << 5,     /* unlock: what the lock waits for */
	LOCKSPACE_FORCE = 1 << 6,      /* unlock: whatever it waits for */
};

enum lockspace_release {
	LOCKSPACE_CLOSE,   /* this process is done; the node stays, persistent locks are orphans */
	LOCKSPACE_LEAVE,   /* so does the node, unless locks are left: -EBUSY, and only closed */
	LOCKSPACE_DESTROY, /* so does the node, its locks fall free */
};

struct lockspace;
struct lockspace_backend;

/* Status block of a lock: the caller's, until the lock is gone. */
struct lockspace_lksb {
	int status; /* valid in the callback: 0 or negative */
	uint32_t id;
	/* With LOCKSPACE_VALUE. Whoever wrote it last may have died with a newer one: value is what
	 * is left. It stays so until somebody writes. Who waits for a first lock on a resource whose
	 * holder dies is not told: hold NL before. */
	bool value_unknown;
	uint8_t value[LOCKSPACE_VALUE_SIZE];
};

typedef void (*lockspace_ast_fn)(void *context);
/* Somebody waits for the lock; which mode, DLM does not tell programs. */
typedef void (*lockspace_bast_fn)(void *context);

struct lockspace_slot {
	uint32_t node;
	uint32_t slot; /* 1..LOCKSPACE_MEMBERS_MAX, a number that no other member has */
};

/*
 * Points of a recovery, each may be NULL. What they tell is made from views of the cluster
 * (lockspace_view()) and from grants: DLM itself recovers before, and grants locks of a dead member
 * before recover_slot is called for it, or after.
 */
struct lockspace_ops {
	/* A member has left the view: its locks may be granted to others from now on. */
	void (*recover_prep)(void *context);
	/* It is dead: its member lock was granted, which DLM does when it has been fenced. slot: 0:
	 * it had not told us one. Not called for who came back alive, nor for who left in order: the
	 * view first, the lockspace then. (Who leaves the lockspace first may take with it the value
	 * that says so, and is told as dead: once too often, never too seldom.) */
	void (*recover_slot)(void *context, const struct lockspace_slot *slot);
	/* The fate of all who left the view is known, and the slots of all who are in it; the same
	 * without a recover_prep after a join, our own included. Sorted by slot. generation grows;
	 * it is this process's own. */
	void (*recover_done)(void *context, const struct lockspace_slot *slots, uint32_t count,
			     uint32_t our_slot, uint32_t generation);
};

/*
 * Joins the lockspace name, makes it if it is not there. cluster: its name must be DLM's, NULL: any.
 * 0 or negative errno, and then *ret is untouched:
 * -EINVAL: a name is too long or empty. -EBADR: DLM belongs to another cluster. -EUNATCH: no
 * dlm_controld. -ENOENT, -EACCES, -EPERM: DLM's devices. -ENOMEM.
 * backend must outlive it.
 */
int lockspace_join(const struct lockspace_backend *backend, const char *name, const char *cluster,
		   struct lockspace **ret);
/* Takes NULL (0). ls is gone whatever it returns; locks that are left get no callback. */
int lockspace_release(struct lockspace *ls, enum lockspace_release how);

/* Readable when there is something to dispatch. */
int lockspace_fd(const struct lockspace *ls);
/* How long the owner may wait for that before it dispatches all the same; -1: for ever. */
int lockspace_timeout_ms(const struct lockspace *ls);
/* Calls back. 0; -ENOTCONN: the lockspace is not there any more. */
int lockspace_dispatch(struct lockspace *ls);

/*
 * lksb->id is the lock's from the return on. parent: 0, or a lock that is not to be unlocked before
 * this one; DLM knows nothing of it, names are not relative to it. bast may be NULL. ast, context
 * and bast replace those of earlier calls. With 0, ast is called later; otherwise never:
 * -EINVAL: name, flags, id or mode. -EAGAIN, -ENOENT: no such orphan (in this mode; at all).
 * -EBUSY: convert while the last operation is under way. -ENOMEM. -ENOTCONN: lockspace gone.
 */
int lockspace_lock(struct lockspace *ls, enum lockspace_mode mode, struct lockspace_lksb *lksb,
		   uint32_t flags, const void *name, size_t size, uint32_t parent,
		   lockspace_ast_fn ast, void *context, lockspace_bast_fn bast);
/*
 * flags 0: a granted lock; CANCEL: its request or convert, a grant may come first, and then it is
 * not cancelled: 0, and no further callback; FORCE: either. lksb: NULL: the same as before.
 * -EINVAL: no such lock. -EBUSY: without CANCEL or FORCE: an operation is under way. -ENOTEMPTY: it
 * is the parent of others. -ENOMEM. -ENOTCONN.
 */
int lockspace_unlock(struct lockspace *ls, uint32_t id, uint32_t flags,
		     struct lockspace_lksb *lksb);
/* Unlocks all orphans of this node in the lockspace. */
int lockspace_purge(struct lockspace *ls);

/*
 * Makes this process its node's member, with a number, and tells of recoveries; all processes of
 * the lockspace are to do so. node: what the views call us. A process of this node that was killed
 * leaves its membership to the next one. lockspace_release() tells the others that we leave, but
 * with LOCKSPACE_CLOSE.
 * 0; -EINVAL: node is 0, or it has been called before; -ENOMEM; what the boot's identity says.
 */
int lockspace_recovery(struct lockspace *ls, uint32_t node, const struct lockspace_ops *ops,
		       void *context);
/* Who is in the cluster now; the first one is the first of all. 0; -EINVAL: without
 * lockspace_recovery(), without ourselves, or more than LOCKSPACE_MEMBERS_MAX, together with those
 * whose fate is not known. */
int lockspace_view(struct lockspace *ls, const uint32_t *node, uint32_t count);

#endif
