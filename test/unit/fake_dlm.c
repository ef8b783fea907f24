/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/unit/fake_dlm.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#define NONE (-1) /* mode */

struct resource {
	TAILQ_ENTRY(resource) next;
	char name[LOCKSPACE_RESOURCE_MAX + 1];
	uint8_t value[LOCKSPACE_VALUE_SIZE];
	bool value_lost;
};

struct process {
	LIST_ENTRY(process) next;
	struct node *node;
	int fd;
	_Atomic bool killed;
	STAILQ_HEAD(completions, completion) completions;
};

struct completion {
	STAILQ_ENTRY(completion) next;
	struct lockspace_request *request;
	int status;
	bool blocking;
	bool value_unknown;
	uint8_t value[LOCKSPACE_VALUE_SIZE];
};

struct fake_lock {
	TAILQ_ENTRY(fake_lock) next; /* in the order of requests and converts */
	struct resource *resource;
	struct node *node;
	struct process *process; /* NULL: orphan */
	struct lockspace_request *request;
	uint32_t id;
	uint32_t flags;
	int granted;
	int wanted; /* NONE: waits for nothing */
	uint8_t value[LOCKSPACE_VALUE_SIZE];
};

struct node {
	struct fake_dlm *dlm;
	unsigned number;
	bool joined;
	bool dead;
	uint8_t boots;
	LIST_HEAD(processes, process) processes;
	struct lockspace_backend backend;
};

struct fake_dlm {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	char cluster[LOCKSPACE_NAME_MAX + 1];
	struct node node[FAKE_NODES_MAX];
	TAILQ_HEAD(resources, resource) resources;
	TAILQ_HEAD(fake_locks, fake_lock) locks;
	uint32_t last_id;
	bool wait;
	bool recovering;
	int open_error;
	unsigned fail_count;
	int fail_error;
};

static bool compatible(int a, int b)
{
	static const bool table[6][6] = {
	    /* NL CR CW PR PW EX */
	    {1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 0}, {1, 1, 1, 0, 0, 0},
	    {1, 1, 0, 1, 0, 0}, {1, 1, 0, 0, 0, 0}, {1, 0, 0, 0, 0, 0},
	};

	return table[a][b];
}

static void enter(struct fake_dlm *f)
{
	pthread_mutex_lock(&f->mutex);
}

static void leave(struct fake_dlm *f)
{
	pthread_mutex_unlock(&f->mutex);
}

static void enter_call(struct fake_dlm *f)
{
	enter(f);
	while (f->wait)
		pthread_cond_wait(&f->changed, &f->mutex);
}

static void wake(struct process *p)
{
	uint64_t one = 1;

	assert(write(p->fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
}

static void completion_add(struct fake_lock *l, int status, bool blocking)
{
	struct completion *c;

	if (l->process == NULL)
		return;
	c = calloc(1, sizeof(*c));
	assert(c != NULL);
	c->request = l->request;
	c->status = status;
	c->blocking = blocking;
	c->value_unknown = l->resource->value_lost;
	memcpy(c->value, l->resource->value, sizeof(c->value));
	STAILQ_INSERT_TAIL(&l->process->completions, c, next);
	wake(l->process);
}

static void lock_free(struct fake_dlm *f, struct fake_lock *l)
{
	struct resource *r = l->resource;
	struct fake_lock *other;

	TAILQ_REMOVE(&f->locks, l, next);
	free(l);
	for (other = TAILQ_FIRST(&f->locks); other != NULL; other = TAILQ_NEXT(other, next))
		if (other->resource == r)
			return;
	TAILQ_REMOVE(&f->resources, r, next);
	free(r);
}

static bool fits(struct fake_dlm *f, const struct fake_lock *l)
{
	const struct fake_lock *other;

	for (other = TAILQ_FIRST(&f->locks); other != NULL; other = TAILQ_NEXT(other, next))
		if (other != l && other->resource == l->resource && other->granted != NONE &&
		    !compatible(other->granted, l->wanted))
			return false;
	return true;
}

/* The value goes the way of the modes, as DLM's. */
static void value_move(struct fake_lock *l)
{
	bool writes =
	    l->granted == LOCKSPACE_EX || (l->granted == LOCKSPACE_PW && l->wanted != LOCKSPACE_EX);

	if ((l->flags & LOCKSPACE_VALUE) == 0 || !writes)
		return;
	memcpy(l->resource->value, l->value, sizeof(l->value));
	l->resource->value_lost = false;
}

static void grant(struct fake_lock *l)
{
	value_move(l);
	l->granted = l->wanted;
	l->wanted = NONE;
	completion_add(l, 0, false);
}

static bool conversions(struct fake_dlm *f, const struct resource *r)
{
	const struct fake_lock *l;

	for (l = TAILQ_FIRST(&f->locks); l != NULL; l = TAILQ_NEXT(l, next))
		if (l->resource == r && l->granted != NONE && l->wanted != NONE)
			return true;
	return false;
}

static bool grant_one(struct fake_dlm *f, struct resource *r, bool convert)
{
	struct fake_lock *l;

	for (l = TAILQ_FIRST(&f->locks); l != NULL; l = TAILQ_NEXT(l, next)) {
		if (l->resource != r || l->wanted == NONE || (l->granted != NONE) != convert)
			continue;
		if (fits(f, l)) {
			grant(l);
			return true;
		}
		if (!convert)
			break;
	}
	return false;
}

static void grants(struct fake_dlm *f)
{
	struct resource *r;

	if (f->recovering)
		return;
	for (r = TAILQ_FIRST(&f->resources); r != NULL; r = TAILQ_NEXT(r, next)) {
		while (grant_one(f, r, true))
			;
		while (!conversions(f, r) && grant_one(f, r, false))
			;
	}
}

static void tell_blockers(struct fake_dlm *f, const struct fake_lock *l)
{
	struct fake_lock *other;

	for (other = TAILQ_FIRST(&f->locks); other != NULL; other = TAILQ_NEXT(other, next))
		if (other != l && other->resource == l->resource && other->granted != NONE &&
		    !compatible(other->granted, l->wanted))
			completion_add(other, 0, true);
}

/* What was asked for is granted, waits, or (NOQUEUE) is refused. */
static void request_settle(struct fake_dlm *f, struct fake_lock *l)
{
	grants(f);
	if (l->wanted == NONE)
		return;
	if ((l->flags & LOCKSPACE_NOQUEUE) == 0) {
		tell_blockers(f, l);
		return;
	}
	l->wanted = NONE;
	completion_add(l, -EAGAIN, false);
	if (l->granted == NONE)
		lock_free(f, l);
}

static struct resource *resource_get(struct fake_dlm *f, const void *name, size_t size)
{
	struct resource *r;

	for (r = TAILQ_FIRST(&f->resources); r != NULL; r = TAILQ_NEXT(r, next))
		if (strlen(r->name) == size && memcmp(r->name, name, size) == 0)
			return r;
	r = calloc(1, sizeof(*r));
	assert(r != NULL);
	memcpy(r->name, name, size);
	TAILQ_INSERT_TAIL(&f->resources, r, next);
	return r;
}

static struct fake_lock *lock_get(struct fake_dlm *f, uint32_t id)
{
	struct fake_lock *l;

	for (l = TAILQ_FIRST(&f->locks); l != NULL; l = TAILQ_NEXT(l, next))
		if (l->id == id)
			break;
	return l;
}

static int adopt(struct process *p, struct lockspace_request *request, int mode, uint32_t flags,
		 const void *name, size_t size)
{
	struct fake_dlm *f = p->node->dlm;
	struct fake_lock *l;
	int error = -ENOENT;

	for (l = TAILQ_FIRST(&f->locks); l != NULL; l = TAILQ_NEXT(l, next)) {
		if (l->process != NULL || l->node != p->node || strlen(l->resource->name) != size ||
		    memcmp(l->resource->name, name, size) != 0)
			continue;
		if (l->granted == mode) {
			l->process = p;
			l->request = request;
			l->flags = flags;
			request->id = l->id;
			return 1;
		}
		error = -EAGAIN;
	}
	return error;
}

static int convert(struct process *p, struct lockspace_request *request, int mode, uint32_t flags)
{
	struct fake_dlm *f = p->node->dlm;
	struct fake_lock *l = lock_get(f, request->id);

	assert(l != NULL && l->granted != NONE && l->wanted == NONE);
	l->wanted = mode;
	l->flags = flags;
	memcpy(l->value, request->value, sizeof(l->value));
	TAILQ_REMOVE(&f->locks, l, next);
	TAILQ_INSERT_TAIL(&f->locks, l, next);
	request_settle(f, l);
	return 0;
}

static int request_new(struct process *p, struct lockspace_request *request, int mode,
		       uint32_t flags, const void *name, size_t size)
{
	struct fake_dlm *f = p->node->dlm;
	struct fake_lock *l;

	if (f->fail_count > 0) {
		f->fail_count--;
		return f->fail_error;
	}
	l = calloc(1, sizeof(*l));
	assert(l != NULL);
	l->resource = resource_get(f, name, size);
	l->node = p->node;
	l->process = p;
	l->request = request;
	l->id = request->id = ++f->last_id;
	l->flags = flags;
	l->granted = NONE;
	l->wanted = mode;
	TAILQ_INSERT_TAIL(&f->locks, l, next);
	request_settle(f, l);
	return 0;
}

static int fake_lock(void *handle, struct lockspace_request *request, enum lockspace_mode mode,
		     uint32_t flags, const void *name, size_t size)
{
	struct process *p = handle;
	struct fake_dlm *f = p->node->dlm;
	int error;

	enter_call(f);
	if (p->killed)
		error = -ENOTCONN;
	else if ((flags & LOCKSPACE_CONVERT) != 0)
		error = convert(p, request, (int)mode, flags);
	else if ((flags & LOCKSPACE_ORPHAN) != 0)
		error = adopt(p, request, (int)mode, flags, name, size);
	else
		error = request_new(p, request, (int)mode, flags, name, size);
	leave(f);
	return error;
}

static void cancel(struct fake_dlm *f, struct fake_lock *l)
{
	if (l->wanted == NONE)
		return;
	l->wanted = NONE;
	completion_add(l, -LOCKSPACE_ECANCEL, false);
	if (l->granted == NONE)
		lock_free(f, l);
	grants(f);
}

static int fake_unlock(void *handle, struct lockspace_request *request, uint32_t flags)
{
	struct process *p = handle;
	struct fake_dlm *f = p->node->dlm;
	struct fake_lock *l;
	int error = 0;

	enter_call(f);
	l = lock_get(f, request->id);
	if (p->killed || l == NULL) {
		error = p->killed ? -ENOTCONN : -EINVAL;
	} else if ((flags & LOCKSPACE_CANCEL) != 0) {
		cancel(f, l);
	} else {
		completion_add(l, -LOCKSPACE_EUNLOCK, false);
		lock_free(f, l);
		grants(f);
	}
	leave(f);
	return error;
}

static int fake_purge(void *handle)
{
	struct process *p = handle;
	struct fake_dlm *f = p->node->dlm;
	struct fake_lock *next;

	enter_call(f);
	for (struct fake_lock *l = TAILQ_FIRST(&f->locks); l != NULL; l = next) {
		next = TAILQ_NEXT(l, next);
		if (l->process == NULL && l->node == p->node)
			lock_free(f, l);
	}
	grants(f);
	leave(f);
	return 0;
}

static int fake_cluster(void *context, char ret[LOCKSPACE_NAME_MAX + 1])
{
	struct node *n = context;

	if (n->dlm->cluster[0] == '\0')
		return -EUNATCH;
	strcpy(ret, n->dlm->cluster);
	return 0;
}

static int fake_boot(void *context, uint8_t ret[LOCKSPACE_BOOT_SIZE])
{
	const struct node *n = context;

	memset(ret, n->boots, LOCKSPACE_BOOT_SIZE);
	return 0;
}

static int fake_open(void *context, const char *name, void **ret)
{
	struct node *n = context;
	struct process *p;
	int error;

	(void)name;
	enter_call(n->dlm);
	error = n->dlm->open_error;
	if (error == 0) {
		p = calloc(1, sizeof(*p));
		assert(p != NULL);
		p->node = n;
		p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		assert(p->fd >= 0);
		STAILQ_INIT(&p->completions);
		LIST_INSERT_HEAD(&n->processes, p, next);
		n->joined = true;
		n->dead = false;
		*ret = p;
	}
	leave(n->dlm);
	return error;
}

static void process_end(struct process *p)
{
	struct fake_dlm *f = p->node->dlm;
	struct fake_lock *next;

	for (struct fake_lock *l = TAILQ_FIRST(&f->locks); l != NULL; l = next) {
		next = TAILQ_NEXT(l, next);
		if (l->process != p)
			continue;
		l->process = NULL;
		l->wanted = NONE;
		if (l->granted == NONE || (l->flags & LOCKSPACE_PERSISTENT) == 0)
			lock_free(f, l);
	}
	grants(f);
	p->killed = true;
}

static unsigned node_locks(struct fake_dlm *f, const struct node *n)
{
	const struct fake_lock *l;
	unsigned count = 0;

	for (l = TAILQ_FIRST(&f->locks); l != NULL; l = TAILQ_NEXT(l, next))
		count += l->node == n;
	return count;
}

static void node_locks_free(struct fake_dlm *f, const struct node *n)
{
	struct fake_lock *next;

	for (struct fake_lock *l = TAILQ_FIRST(&f->locks); l != NULL; l = next) {
		next = TAILQ_NEXT(l, next);
		if (l->node == n)
			lock_free(f, l);
	}
}

static int fake_close(void *handle, const char *name, enum lockspace_release how)
{
	struct process *p = handle;
	struct node *n = p->node;
	struct completion *c;
	int error = 0;

	(void)name;
	enter_call(n->dlm);
	if (!p->killed)
		process_end(p);
	if (how == LOCKSPACE_LEAVE && node_locks(n->dlm, n) > 0)
		error = -EBUSY;
	else if (how != LOCKSPACE_CLOSE) {
		node_locks_free(n->dlm, n);
		n->joined = false;
		grants(n->dlm);
	}
	while ((c = STAILQ_FIRST(&p->completions)) != NULL) {
		STAILQ_REMOVE_HEAD(&p->completions, next);
		free(c);
	}
	LIST_REMOVE(p, next);
	leave(n->dlm);
	close(p->fd);
	free(p);
	return error;
}

static int fake_fd(void *handle)
{
	return ((struct process *)handle)->fd;
}

static struct completion *completion_take(struct process *p)
{
	struct completion *c;
	uint64_t count;

	enter(p->node->dlm);
	c = STAILQ_FIRST(&p->completions);
	if (c != NULL)
		STAILQ_REMOVE_HEAD(&p->completions, next);
	else if (read(p->fd, &count, sizeof(count)) < 0)
		assert(errno == EAGAIN);
	leave(p->node->dlm);
	return c;
}

static int fake_dispatch(void *handle)
{
	struct process *p = handle;
	struct completion *c;

	while ((c = completion_take(p)) != NULL) {
		if (!c->blocking) {
			c->request->value_unknown = c->value_unknown;
			memcpy(c->request->value, c->value, sizeof(c->value));
			lockspace_completed(c->request, c->status);
		} else {
			lockspace_blocked(c->request);
		}
		free(c);
	}
	return p->killed ? -ENOTCONN : 0;
}

static const struct lockspace_backend backend = {
    .cluster = fake_cluster,
    .boot = fake_boot,
    .open = fake_open,
    .close = fake_close,
    .lock = fake_lock,
    .unlock = fake_unlock,
    .purge = fake_purge,
    .fd = fake_fd,
    .dispatch = fake_dispatch,
};

struct fake_dlm *fake_create(const char *cluster)
{
	struct fake_dlm *f = calloc(1, sizeof(*f));

	assert(f != NULL);
	pthread_mutex_init(&f->mutex, NULL);
	pthread_cond_init(&f->changed, NULL);
	snprintf(f->cluster, sizeof(f->cluster), "%s", cluster);
	TAILQ_INIT(&f->resources);
	TAILQ_INIT(&f->locks);
	for (unsigned i = 0; i < FAKE_NODES_MAX; i++) {
		f->node[i].dlm = f;
		f->node[i].number = i + 1;
		LIST_INIT(&f->node[i].processes);
		f->node[i].backend = backend;
		f->node[i].backend.context = &f->node[i];
	}
	return f;
}

struct fake_dlm *fake_destroy(struct fake_dlm *f)
{
	for (unsigned i = 0; i < FAKE_NODES_MAX; i++)
		assert(LIST_EMPTY(&f->node[i].processes));
	while (!TAILQ_EMPTY(&f->locks))
		lock_free(f, TAILQ_FIRST(&f->locks));
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->mutex);
	free(f);
	return NULL;
}

const struct lockspace_backend *fake_backend(struct fake_dlm *f, unsigned node)
{
	return &f->node[node - 1].backend;
}

void fake_processes_die(struct fake_dlm *f, unsigned node)
{
	struct process *p;

	enter(f);
	for (p = LIST_FIRST(&f->node[node - 1].processes); p != NULL; p = LIST_NEXT(p, next))
		if (!p->killed) {
			process_end(p);
			wake(p);
		}
	leave(f);
}

void fake_node_dies(struct fake_dlm *f, unsigned node)
{
	struct node *n = &f->node[node - 1];
	struct fake_lock *l;
	struct process *p;

	enter(f);
	n->dead = true;
	n->boots++;
	n->joined = false;
	f->recovering = true;
	for (p = LIST_FIRST(&n->processes); p != NULL; p = LIST_NEXT(p, next))
		p->killed = true;
	for (l = TAILQ_FIRST(&f->locks); l != NULL; l = TAILQ_NEXT(l, next))
		if (l->node == n)
			l->process = NULL;
	leave(f);
}

static bool known_by_others(struct fake_dlm *f, const struct fake_lock *dead)
{
	const struct fake_lock *l;

	for (l = TAILQ_FIRST(&f->locks); l != NULL; l = TAILQ_NEXT(l, next))
		if (l->resource == dead->resource && l->granted != NONE && !l->node->dead)
			return true;
	return false;
}

/* The value of a holder that died: who holds a lock has an old one, otherwise it begins anew. */
static void value_lose(struct fake_dlm *f, const struct fake_lock *dead)
{
	if (dead->granted == NONE)
		return;
	if (known_by_others(f, dead)) {
		if (dead->granted >= LOCKSPACE_PW)
			dead->resource->value_lost = true;
	} else {
		memset(dead->resource->value, 0, sizeof(dead->resource->value));
		dead->resource->value_lost = false;
	}
}

void fake_recover(struct fake_dlm *f)
{
	struct fake_lock *next;

	enter(f);
	f->recovering = false;
	for (struct fake_lock *l = TAILQ_FIRST(&f->locks); l != NULL; l = next) {
		next = TAILQ_NEXT(l, next);
		if (!l->node->dead)
			continue;
		value_lose(f, l);
		lock_free(f, l);
	}
	grants(f);
	leave(f);
}

void fake_calls_wait(struct fake_dlm *f, bool wait)
{
	enter(f);
	f->wait = wait;
	pthread_cond_broadcast(&f->changed);
	leave(f);
}

void fake_open_fails(struct fake_dlm *f, int error)
{
	enter(f);
	f->open_error = error;
	leave(f);
}

void fake_locks_fail(struct fake_dlm *f, unsigned count, int error)
{
	enter(f);
	f->fail_count = count;
	f->fail_error = error;
	leave(f);
}

bool fake_joined(struct fake_dlm *f, unsigned node)
{
	bool joined;

	enter(f);
	joined = f->node[node - 1].joined;
	leave(f);
	return joined;
}

unsigned fake_processes(struct fake_dlm *f, unsigned node)
{
	const struct process *p;
	unsigned count = 0;

	enter(f);
	for (p = LIST_FIRST(&f->node[node - 1].processes); p != NULL; p = LIST_NEXT(p, next)) {
		count++;
	}
	leave(f);
	return count;
}

static void lock_print(const struct fake_lock *l, FILE *file, bool first)
{
	static const char *const mode[] = {"NL", "CR", "CW", "PR", "PW", "EX"};

	fprintf(file, "%s%u", first ? "" : ", ", l->node->number);
	if (l->process == NULL)
		fprintf(file, " orphan");
	if (l->granted != NONE)
		fprintf(file, " %s", mode[l->granted]);
	if (l->wanted != NONE)
		fprintf(file, " waits %s", mode[l->wanted]);
}

const char *fake_queue(struct fake_dlm *f, const char *name, char *ret, size_t size)
{
	FILE *file = fmemopen(ret, size, "w");
	bool first = true;
	struct fake_lock *l;

	assert(file != NULL);
	ret[0] = '\0';
	enter(f);
	for (int holders = 1; holders >= 0; holders--)
		for (l = TAILQ_FIRST(&f->locks); l != NULL; l = TAILQ_NEXT(l, next))
			if (strcmp(l->resource->name, name) == 0 &&
			    (l->granted != NONE) == holders) {
				lock_print(l, file, first);
				first = false;
			}
	leave(f);
	fclose(file);
	return ret;
}
