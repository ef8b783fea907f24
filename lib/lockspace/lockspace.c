/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who has which lock by its number, and what it waits for. */
#include "lockspace/lockspace_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOCK_FLAGS                                                                                 \
	((uint32_t)(LOCKSPACE_NOQUEUE | LOCKSPACE_CONVERT | LOCKSPACE_VALUE |                      \
		    LOCKSPACE_PERSISTENT | LOCKSPACE_ORPHAN))
#define UNLOCK_FLAGS ((uint32_t)(LOCKSPACE_CANCEL | LOCKSPACE_FORCE))

static struct locks *bucket(struct lockspace *ls, uint32_t id)
{
	return &ls->bucket[id % LOCK_BUCKETS];
}

static struct lock *lock_find(struct lockspace *ls, uint32_t id)
{
	struct lock *lock;

	for (lock = LIST_FIRST(bucket(ls, id)); lock != NULL; lock = LIST_NEXT(lock, by_id))
		if (lock->request.id == id)
			break;
	return lock;
}

static bool name_good(const char *name)
{
	return name[0] != '\0' && strlen(name) <= LOCKSPACE_NAME_MAX;
}

static int cluster_check(const struct lockspace_backend *backend, const char *cluster)
{
	char name[LOCKSPACE_NAME_MAX + 1];
	int error = backend->cluster(backend->context, name);

	if (error != 0)
		return error;
	return strcmp(name, cluster) == 0 ? 0 : -EBADR;
}

int lockspace_join(const struct lockspace_backend *backend, const char *name, const char *cluster,
		   struct lockspace **ret)
{
	struct lockspace *ls;
	int error = 0;

	if (!name_good(name) || (cluster != NULL && !name_good(cluster)))
		return -EINVAL;
	if (cluster != NULL)
		error = cluster_check(backend, cluster);
	if (error != 0)
		return error;
	ls = calloc(1, sizeof(*ls));
	if (ls == NULL)
		return -ENOMEM;
	ls->backend = backend;
	strcpy(ls->name, name);
	for (unsigned i = 0; i < LOCK_BUCKETS; i++)
		LIST_INIT(&ls->bucket[i]);
	STAILQ_INIT(&ls->ready);
	error = backend->open(backend->context, name, &ls->handle);
	if (error != 0) {
		free(ls);
		return error;
	}
	*ret = ls;
	return 0;
}

int lockspace_release(struct lockspace *ls, enum lockspace_release how)
{
	int error;

	if (ls == NULL)
		return 0;
	assert(!ls->dispatching);
	if (ls->members != NULL && how != LOCKSPACE_CLOSE)
		members_leave(ls->members);
	error = ls->backend->close(ls->handle, ls->name, how);
	for (unsigned i = 0; i < LOCK_BUCKETS; i++)
		while (!LIST_EMPTY(&ls->bucket[i])) {
			struct lock *lock = LIST_FIRST(&ls->bucket[i]);

			LIST_REMOVE(lock, by_id);
			free(lock);
		}
	free(ls->members);
	free(ls);
	return error;
}

int lockspace_fd(const struct lockspace *ls)
{
	return ls->backend->fd(ls->handle);
}

int lockspace_timeout_ms(const struct lockspace *ls)
{
	if (!STAILQ_EMPTY(&ls->ready))
		return 0;
	return ls->members != NULL ? members_timeout_ms(ls->members) : -1;
}

static void lock_remove(struct lock *lock)
{
	struct lockspace *ls = lock->lockspace;
	struct lock *parent = lock->parent != 0 ? lock_find(ls, lock->parent) : NULL;

	if (parent != NULL)
		parent->children--;
	if (lock->ready)
		STAILQ_REMOVE(&ls->ready, lock, lock, ready_next);
	LIST_REMOVE(lock, by_id);
}

/* A convert that failed leaves the lock as it was. */
static bool is_last(const struct lock *lock, int status)
{
	return status == -LOCKSPACE_EUNLOCK || (status != 0 && !lock->granted);
}

void lockspace_completed(struct lockspace_request *request, int status)
{
	struct lock *lock = (struct lock *)request;
	lockspace_ast_fn ast = lock->ast;
	void *context = lock->context;
	bool last = is_last(lock, status);

	lock->lksb->status = status;
	if (lock->value && (status == 0 || !last)) {
		memcpy(lock->lksb->value, request->value, sizeof(request->value));
		lock->lksb->value_unknown = request->value_unknown;
	}
	if (status == 0)
		lock->granted = true;
	/* A grant may overtake its withdrawal, which is then still to come. */
	if (lock->operation != LOCK_UNLOCKED)
		lock->operation = LOCK_IDLE;
	if (last)
		lock_remove(lock);
	ast(context);
	if (last)
		free(lock);
}

void lockspace_blocked(struct lockspace_request *request)
{
	struct lock *lock = (struct lock *)request;

	if (lock->bast != NULL && lock->operation != LOCK_UNLOCKED)
		lock->bast(lock->context);
}

int lockspace_dispatch(struct lockspace *ls)
{
	int error;

	assert(!ls->dispatching);
	ls->dispatching = true;
	while (!STAILQ_EMPTY(&ls->ready)) {
		struct lock *lock = STAILQ_FIRST(&ls->ready);

		STAILQ_REMOVE_HEAD(&ls->ready, ready_next);
		lock->ready = false;
		lockspace_completed(&lock->request, 0);
	}
	error = ls->backend->dispatch(ls->handle);
	if (ls->members != NULL && error == 0)
		members_dispatch(ls->members);
	ls->dispatching = false;
	return error;
}

static int backend_lock(struct lock *lock, enum lockspace_mode mode, uint32_t flags,
			const void *name, size_t size)
{
	struct lockspace *ls = lock->lockspace;

	lock->value = (flags & LOCKSPACE_VALUE) != 0;
	if (lock->value)
		memcpy(lock->request.value, lock->lksb->value, sizeof(lock->request.value));
	return ls->backend->lock(ls->handle, &lock->request, mode, flags, name, size);
}

static void callbacks_set(struct lock *lock, struct lockspace_lksb *lksb, lockspace_ast_fn ast,
			  void *context, lockspace_bast_fn bast)
{
	lock->lksb = lksb;
	lock->ast = ast;
	lock->context = context;
	lock->bast = bast;
}

static int lock_convert(struct lockspace *ls, enum lockspace_mode mode, uint32_t flags,
			struct lockspace_lksb *lksb, lockspace_ast_fn ast, void *context,
			lockspace_bast_fn bast)
{
	struct lock *lock = lock_find(ls, lksb->id);
	struct lock before;
	int error;

	if (lock == NULL || (flags & LOCKSPACE_ORPHAN) != 0)
		return -EINVAL;
	if (lock->operation != LOCK_IDLE || lock->ready)
		return -EBUSY;
	before = *lock;
	callbacks_set(lock, lksb, ast, context, bast);
	lock->operation = LOCK_CONVERTED;
	error = backend_lock(lock, mode, flags, NULL, 0);
	if (error != 0) {
		lock->operation = LOCK_IDLE;
		lock->value = before.value;
		callbacks_set(lock, before.lksb, before.ast, before.context, before.bast);
	}
	return error;
}

static int lock_new(struct lockspace *ls, struct lock *lock, enum lockspace_mode mode,
		    uint32_t flags, const void *name, size_t size)
{
	int answer;

	lock->lockspace = ls;
	lock->operation = LOCK_REQUESTED;
	answer = backend_lock(lock, mode, flags, name, size);
	if (answer < 0)
		return answer;
	LIST_INSERT_HEAD(bucket(ls, lock->request.id), lock, by_id);
	lock->lksb->id = lock->request.id;
	if (answer > 0) {
		lock->granted = true;
		lock->operation = LOCK_IDLE;
		lock->ready = true;
		STAILQ_INSERT_TAIL(&ls->ready, lock, ready_next);
	}
	return 0;
}

static int lock_request(struct lockspace *ls, enum lockspace_mode mode, uint32_t flags,
			struct lockspace_lksb *lksb, const void *name, size_t size, uint32_t parent,
			lockspace_ast_fn ast, void *context, lockspace_bast_fn bast)
{
	struct lock *above = parent != 0 ? lock_find(ls, parent) : NULL;
	struct lock *lock;
	int error;

	if (name == NULL || size == 0 || size > LOCKSPACE_RESOURCE_MAX ||
	    (parent != 0 && (above == NULL || !above->granted)))
		return -EINVAL;
	lock = calloc(1, sizeof(*lock));
	if (lock == NULL)
		return -ENOMEM;
	callbacks_set(lock, lksb, ast, context, bast);
	lock->parent = parent;
	error = lock_new(ls, lock, mode, flags, name, size);
	if (error != 0)
		free(lock);
	else if (above != NULL)
		above->children++;
	return error;
}

int lockspace_lock(struct lockspace *ls, enum lockspace_mode mode, struct lockspace_lksb *lksb,
		   uint32_t flags, const void *name, size_t size, uint32_t parent,
		   lockspace_ast_fn ast, void *context, lockspace_bast_fn bast)
{
	if ((unsigned)mode > LOCKSPACE_EX || (flags & ~LOCK_FLAGS) != 0 || lksb == NULL ||
	    ast == NULL)
		return -EINVAL;
	if ((flags & LOCKSPACE_CONVERT) != 0)
		return lock_convert(ls, mode, flags, lksb, ast, context, bast);
	return lock_request(ls, mode, flags, lksb, name, size, parent, ast, context, bast);
}

static int unlock_check(const struct lock *lock, uint32_t flags)
{
	bool any = (flags & (LOCKSPACE_CANCEL | LOCKSPACE_FORCE)) != 0;

	if (lock->children > 0 && (flags & LOCKSPACE_CANCEL) == 0)
		return -ENOTEMPTY;
	if (lock->operation == LOCK_UNLOCKED)
		return -EBUSY;
	if (!any && (lock->operation != LOCK_IDLE || lock->ready))
		return -EBUSY;
	return 0;
}

int lockspace_unlock(struct lockspace *ls, uint32_t id, uint32_t flags, struct lockspace_lksb *lksb)
{
	struct lock *lock = lock_find(ls, id);
	int error;

	if (lock == NULL || (flags & ~UNLOCK_FLAGS) != 0)
		return -EINVAL;
	error = unlock_check(lock, flags);
	if (error != 0)
		return error;
	if (lksb != NULL)
		lock->lksb = lksb;
	error = ls->backend->unlock(ls->handle, &lock->request, flags);
	if (error != 0)
		return error;
	/* A cancel leaves what it does not meet. */
	if ((flags & LOCKSPACE_CANCEL) == 0)
		lock->operation = LOCK_UNLOCKED;
	return 0;
}

int lockspace_purge(struct lockspace *ls)
{
	return ls->backend->purge(ls->handle);
}
