/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this node has of DLM: at most one lock (hold) of a mirror's lock (resource), however many
 * objects ask for it; they queue in the resource.
 *
 *	            nobody asks                     a hold is given back with FORCE, in whatever state;
 *	              | request                     until DLM says so it is in `ending`, and the
 *	              v                             resource begins anew
 *	orphan? -- adopt -> ADOPTED --.
 *	  | no                        | told
 *	  v                           v
 *	WAITING ---- granted -----> HELD <----> CONVERTING (to be kept, or not to be kept any more)
 *	  | an orphan turned up       |
 *	  '---- ADOPTED               the first in the queue is answered
 *
 * A hold without a holder is the orphan of an object that is gone. DLM is asked for a lock that does
 * not persist, which is made to before it is answered: a request that persists would stay behind
 * in the kernel when we are killed, neither granted nor gone.
 *
 * The process before us may be dead and still have its locks, while DLM recovers: so who waits
 * looks for an orphan again and again.
 */
#include "daemons/dlmirrord/locks_dlm_internal.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mlog.h"
#include "daemons/common/message.h"
#include "daemons/dlmirrord/apart.h"
#include "daemons/dlmirrord/clock.h"

#define TICK_MS	      1000U
#define ADOPT_MIN_MS  20U
#define ADOPT_MAX_MS  1000U
#define MIRROR_DIGITS (2 * sizeof(struct group_mirror))
#define NAME_SIZE     (MIRROR_DIGITS + 16)

_Static_assert(NAME_SIZE <= LOCKSPACE_RESOURCE_MAX, "names");

enum hold_state { HOLD_WAITING, HOLD_ADOPTED, HOLD_HELD, HOLD_CONVERTING, HOLD_ENDING };

struct hold {
	struct queue *queue;
	struct resource *resource; /* NULL: it is being given back */
	LIST_ENTRY(hold) ending_next;
	struct lockspace_lksb lksb;
	enum hold_state state;
	bool granted;
	bool persistent; /* or is to be, when it has been converted */
	bool unlock_again;
};

struct resource {
	LIST_ENTRY(resource) next;
	struct group_mirror mirror;
	uint32_t lock;
	char name[NAME_SIZE];
	struct hold *hold;
	struct locks_request *holder;
	TAILQ_HEAD(waiters, locks_request) waiters;
	uint64_t adopt_ms; /* while it waits: when to look for an orphan again */
	uint32_t adopt_gap_ms;
};

struct queue {
	struct locks_dlm *l;
	struct lockspace *lockspace; /* NULL: not joined */
	LIST_HEAD(resources, resource) resources;
	LIST_HEAD(holds, hold) ending;
	struct locks_releases releases;
	uint64_t tick_ms; /* the next one */
	bool gone;	  /* the lockspace is, under us */
	char problem[LOCKS_DLM_ERROR_SIZE];
};

/* ---- answers */

static void answer(struct queue *queue, struct locks_request *q, int error)
{
	struct locks_dlm *l = queue->l;

	pthread_mutex_lock(&l->mutex);
	if (q->want == WANT_LOCK) {
		q->error = error;
		q->answered = true;
		TAILQ_INSERT_TAIL(&l->answers, q, answer_next);
		locks_poke(l->fd[1]);
	}
	pthread_mutex_unlock(&l->mutex);
}

static struct locks_request *waiter_take(struct resource *r)
{
	struct locks_request *q = TAILQ_FIRST(&r->waiters);

	if (q != NULL)
		TAILQ_REMOVE(&r->waiters, q, waiter_next);
	return q;
}

/* Forgotten before it is answered: the loop frees it with that. */
static void refuse(struct queue *queue, struct locks_request *q, int error)
{
	if (q == NULL)
		return;
	q->resource = NULL;
	answer(queue, q, error);
}

static void refuse_holder(struct queue *queue, struct resource *r, int error)
{
	struct locks_request *q = r->holder;

	r->holder = NULL;
	refuse(queue, q, error);
}

/* ---- holds */

static void hold_unlock(struct hold *h)
{
	int error = lockspace_unlock(h->queue->lockspace, h->lksb.id, LOCKSPACE_FORCE, NULL);

	h->unlock_again = error != 0;
}

/* The resource has none from now on. What DLM is told in this order it does in this order: others
 * are before whom the resource asks for next. */
static void hold_end(struct hold *h)
{
	if (h->resource != NULL)
		h->resource->hold = NULL;
	h->resource = NULL;
	h->state = HOLD_ENDING;
	LIST_INSERT_HEAD(&h->queue->ending, h, ending_next);
	hold_unlock(h);
}

static void on_ast(void *context);

static int hold_lock(struct hold *h, const char *name, uint32_t flags)
{
	return lockspace_lock(h->queue->lockspace, LOCKSPACE_EX, &h->lksb, flags, name,
			      name != NULL ? strlen(name) : 0, 0, on_ast, h, NULL);
}

/* 0, or negative errno and *ret is untouched. */
static int hold_new(struct queue *queue, struct resource *r, const char *name, uint32_t flags,
		    struct hold **ret)
{
	struct hold *h = calloc(1, sizeof(*h));
	int error;

	if (h == NULL)
		return -ENOMEM;
	h->queue = queue;
	h->resource = r;
	error = hold_lock(h, name, flags);
	if (error != 0)
		free(h);
	else
		*ret = h;
	return error;
}

static int hold_convert(struct hold *h, bool persistent)
{
	h->state = HOLD_CONVERTING;
	h->persistent = persistent;
	return hold_lock(h, NULL,
			 LOCKSPACE_CONVERT | (persistent ? (uint32_t)LOCKSPACE_PERSISTENT : 0U));
}

/* ---- resources */

static bool adopt(struct queue *queue, struct resource *r)
{
	struct hold *h;

	if (hold_new(queue, r, r->name, LOCKSPACE_ORPHAN | LOCKSPACE_PERSISTENT, &h) != 0)
		return false;
	h->granted = true;
	h->persistent = true;
	h->state = HOLD_ADOPTED;
	if (r->hold != NULL)
		hold_end(r->hold); /* it waited for this one */
	r->hold = h;
	r->holder = waiter_take(r);
	return true;
}

static void ask(struct queue *queue, struct resource *r)
{
	int error = hold_new(queue, r, r->name, 0, &r->hold);

	if (error != 0)
		refuse(queue, waiter_take(r), error);
	r->adopt_gap_ms = ADOPT_MIN_MS;
	r->adopt_ms = clock_ms() + r->adopt_gap_ms;
}

/* Held: whose is it, and is it kept as he asked for? */
static void give(struct queue *queue, struct resource *r)
{
	struct hold *h = r->hold;
	int error;

	if (r->holder == NULL)
		r->holder = waiter_take(r);
	if (r->holder == NULL) {
		if (!h->persistent)
			hold_end(h);
		return;
	}
	if (h->persistent != r->holder->keep) {
		error = hold_convert(h, r->holder->keep);
		if (error != 0) {
			hold_end(h);
			refuse_holder(queue, r, error);
		}
	} else if (!r->holder->told) {
		r->holder->told = true;
		answer(queue, r->holder, 0);
	}
}

/* One step; after it nothing is to be done before DLM says something, or another has to follow. */
static bool serve_step(struct queue *queue, struct resource *r)
{
	if (r->hold == NULL) {
		if (TAILQ_EMPTY(&r->waiters) || queue->lockspace == NULL)
			return false;
		if (!adopt(queue, r))
			ask(queue, r);
		return r->hold == NULL;
	}
	if (r->hold->state == HOLD_WAITING && TAILQ_EMPTY(&r->waiters))
		hold_end(r->hold);
	else if (r->hold->state == HOLD_HELD)
		give(queue, r);
	return r->hold == NULL;
}

static void serve(struct queue *queue, struct resource *r)
{
	while (serve_step(queue, r))
		;
}

/* Only DLM's own failures come here: a request that it ends, or a lock that it takes away. */
static void hold_lost(struct queue *queue, struct resource *r, int error)
{
	r->hold = NULL;
	refuse_holder(queue, r, error);
	while (!TAILQ_EMPTY(&r->waiters))
		refuse(queue, waiter_take(r), error);
}

static void on_ast(void *context)
{
	struct hold *h = context;
	struct queue *queue = h->queue;
	struct resource *r = h->resource;
	int status = h->lksb.status;

	if (status == -LOCKSPACE_EUNLOCK || (status != 0 && !h->granted)) {
		if (h->state == HOLD_ENDING)
			LIST_REMOVE(h, ending_next);
		free(h);
		if (r == NULL)
			return;
		hold_lost(queue, r, status == -LOCKSPACE_EUNLOCK ? -EIO : status);
	} else if (h->state == HOLD_ENDING) {
		h->granted |= status == 0;
		return;
	} else if (status == 0) {
		h->granted = true;
		h->state = HOLD_HELD;
	} else { /* it could not be converted */
		hold_end(h);
		refuse_holder(queue, r, status);
	}
	serve(queue, r);
}

static void name_make(char ret[NAME_SIZE], const struct group_mirror *mirror, uint32_t lock)
{
	for (unsigned i = 0; i < sizeof(mirror->byte); i++)
		snprintf(ret + 2 * (size_t)i, 3, "%02x", mirror->byte[i]);
	if (lock == MLOG_LOCK_MAP)
		snprintf(ret + MIRROR_DIGITS, NAME_SIZE - MIRROR_DIGITS, "-map");
	else
		snprintf(ret + MIRROR_DIGITS, NAME_SIZE - MIRROR_DIGITS, "-s%u", lock);
}

static struct resource *resource_find(struct queue *queue, const struct group_mirror *mirror,
				      uint32_t lock)
{
	struct resource *r;

	for (r = LIST_FIRST(&queue->resources); r != NULL; r = LIST_NEXT(r, next))
		if (r->lock == lock && group_mirror_same(&r->mirror, mirror))
			break;
	return r;
}

static struct resource *resource_get(struct queue *queue, const struct group_mirror *mirror,
				     uint32_t lock)
{
	struct resource *r = resource_find(queue, mirror, lock);

	if (r != NULL)
		return r;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return NULL;
	r->mirror = *mirror;
	r->lock = lock;
	name_make(r->name, mirror, lock);
	TAILQ_INIT(&r->waiters);
	LIST_INSERT_HEAD(&queue->resources, r, next);
	return r;
}

static void resources_sweep(struct queue *queue)
{
	struct resource *next;

	for (struct resource *r = LIST_FIRST(&queue->resources); r != NULL; r = next) {
		next = LIST_NEXT(r, next);
		if (r->hold != NULL || !TAILQ_EMPTY(&r->waiters))
			continue;
		LIST_REMOVE(r, next);
		free(r);
	}
}

/* ---- requests */

static void request_add(struct queue *queue, struct locks_request *q)
{
	struct resource *r = resource_get(queue, &q->mirror, q->lock);

	if (r == NULL) {
		answer(queue, q, -ENOMEM);
		return;
	}
	q->resource = r;
	TAILQ_INSERT_TAIL(&r->waiters, q, waiter_next);
	serve(queue, r);
}

/* When its object is gone without a word, give() knows whether the lock is kept, for the next one. */
static void request_remove(struct queue *queue, struct locks_request *q, enum request_want want)
{
	struct resource *r = q->resource;

	if (r != NULL && r->holder == q) {
		r->holder = NULL;
		if (want == WANT_UNLOCK || (want == WANT_FORGOTTEN && TAILQ_EMPTY(&r->waiters)))
			hold_end(r->hold);
	} else if (r != NULL) {
		TAILQ_REMOVE(&r->waiters, q, waiter_next);
	}
	free(q);
	if (r != NULL)
		serve(queue, r);
}

static struct locks_request *changed_take(struct locks_dlm *l, enum request_want *ret_want)
{
	struct locks_request *q;

	pthread_mutex_lock(&l->mutex);
	q = TAILQ_FIRST(&l->changed);
	if (q != NULL) {
		TAILQ_REMOVE(&l->changed, q, changed_next);
		q->changed = false;
		*ret_want = q->want;
	}
	pthread_mutex_unlock(&l->mutex);
	return q;
}

static void requests_take(struct queue *queue)
{
	enum request_want want = WANT_LOCK;
	struct locks_request *q;

	while ((q = changed_take(queue->l, &want)) != NULL) {
		if (want == WANT_LOCK)
			request_add(queue, q);
		else
			request_remove(queue, q, want);
	}
}

/* ---- orphans */

static void orphan_release(struct queue *queue, const struct group_mirror *mirror, uint32_t lock)
{
	char name[NAME_SIZE];
	struct hold *h;

	name_make(name, mirror, lock);
	if (hold_new(queue, NULL, name, LOCKSPACE_ORPHAN, &h) != 0)
		return;
	h->granted = true;
	hold_end(h);
}

/* Of objects that are gone; once, because later ones were not meant. */
static void own_orphans_release(struct queue *queue, const struct locks_release *release)
{
	struct resource *r;

	for (r = LIST_FIRST(&queue->resources); r != NULL; r = LIST_NEXT(r, next))
		if (r->hold != NULL && r->hold->state != HOLD_WAITING && r->holder == NULL &&
		    group_mirror_same(&r->mirror, &release->mirror))
			hold_end(r->hold);
}

/* Who waits for one takes it over. */
static void earlier_orphans_release(struct queue *queue, const struct locks_release *release)
{
	for (uint32_t lock = 0; lock <= MLOG_LOCK_MAP; lock++)
		if ((lock < release->locks || lock == MLOG_LOCK_MAP) &&
		    resource_find(queue, &release->mirror, lock) == NULL)
			orphan_release(queue, &release->mirror, lock);
}

static void releases_take(struct queue *queue)
{
	struct locks_dlm *l = queue->l;
	struct locks_releases taken = STAILQ_HEAD_INITIALIZER(taken);
	struct locks_release *release;

	pthread_mutex_lock(&l->mutex);
	STAILQ_CONCAT(&taken, &l->releases);
	pthread_mutex_unlock(&l->mutex);
	for (release = STAILQ_FIRST(&taken); release != NULL;
	     release = STAILQ_NEXT(release, next)) {
		own_orphans_release(queue, release);
		if (queue->lockspace != NULL)
			earlier_orphans_release(queue, release);
	}
	STAILQ_CONCAT(&queue->releases, &taken);
}

static void releases_try(struct queue *queue)
{
	struct locks_releases left = STAILQ_HEAD_INITIALIZER(left);
	struct locks_release *release;

	while ((release = STAILQ_FIRST(&queue->releases)) != NULL) {
		STAILQ_REMOVE_HEAD(&queue->releases, next);
		earlier_orphans_release(queue, release);
		if (--release->tries > 0)
			STAILQ_INSERT_TAIL(&left, release, next);
		else
			free(release);
	}
	STAILQ_CONCAT(&queue->releases, &left);
}

/* ---- time */

static void resources_serve(struct queue *queue)
{
	struct resource *r;

	for (r = LIST_FIRST(&queue->resources); r != NULL; r = LIST_NEXT(r, next)) {
		serve(queue, r);
	}
}

static void join_failed(struct queue *queue, int error)
{
	message_make(queue->problem, sizeof(queue->problem), MSG_LOCKSPACE_REFUSED,
		     "cannot join DLM's lockspace " LOCKS_DLM_LOCKSPACE
		     ": %s; 'dlm_tool status' and the kernel's log say more",
		     strerror(-error));
}

static void join_try(struct queue *queue)
{
	struct locks_dlm *l = queue->l;
	char cluster[sizeof(l->cluster)];
	bool can_join;
	int error;

	pthread_mutex_lock(&l->mutex);
	memcpy(cluster, l->cluster, sizeof(cluster));
	can_join = l->look.can_join && cluster[0] != '\0';
	pthread_mutex_unlock(&l->mutex);
	if (!can_join)
		return;
	error = lockspace_join(l->world.backend, LOCKS_DLM_LOCKSPACE, cluster, &queue->lockspace);
	if (error != 0) {
		join_failed(queue, error);
		return;
	}
	queue->problem[0] = '\0';
	resources_serve(queue);
}

static void adopt_again(struct queue *queue, uint64_t now_ms)
{
	struct resource *r;

	for (r = LIST_FIRST(&queue->resources); r != NULL; r = LIST_NEXT(r, next)) {
		if (r->hold == NULL || r->hold->state != HOLD_WAITING || now_ms < r->adopt_ms ||
		    adopt(queue, r))
			continue;
		r->adopt_gap_ms =
		    2 * r->adopt_gap_ms < ADOPT_MAX_MS ? 2 * r->adopt_gap_ms : ADOPT_MAX_MS;
		r->adopt_ms = now_ms + r->adopt_gap_ms;
	}
}

static void unlock_again(struct queue *queue)
{
	struct hold *h;

	for (h = LIST_FIRST(&queue->ending); h != NULL; h = LIST_NEXT(h, ending_next))
		if (h->unlock_again)
			hold_unlock(h);
}

static void tick(struct queue *queue)
{
	uint64_t now_ms = clock_ms();

	if (queue->lockspace == NULL) {
		join_try(queue);
	} else {
		adopt_again(queue, now_ms);
		if (now_ms >= queue->tick_ms) {
			unlock_again(queue);
			releases_try(queue);
		}
	}
	if (now_ms >= queue->tick_ms)
		queue->tick_ms = now_ms + TICK_MS;
}

static int timeout_ms(const struct queue *queue)
{
	uint64_t now_ms = clock_ms();
	uint64_t next_ms = queue->tick_ms;
	const struct resource *r;

	if (queue->lockspace != NULL && lockspace_timeout_ms(queue->lockspace) == 0)
		return 0;
	for (r = LIST_FIRST(&queue->resources); r != NULL; r = LIST_NEXT(r, next))
		if (r->hold != NULL && r->hold->state == HOLD_WAITING && r->adopt_ms < next_ms)
			next_ms = r->adopt_ms;
	return next_ms > now_ms ? (int)(next_ms - now_ms) : 0;
}

/* ---- the thread */

/* Who waits the loop knows, also while this thread waits for DLM. */
static void resource_count(const struct resource *r, struct locks_dlm_status *status)
{
	if (r->hold == NULL || r->hold->state == HOLD_WAITING)
		return;
	if (r->holder == NULL)
		status->orphans++;
	else if (r->holder->told)
		status->held++;
}

static void status_tell(const struct queue *queue)
{
	struct locks_dlm_status status = {.joined = queue->lockspace != NULL};
	const struct resource *r;

	for (r = LIST_FIRST(&queue->resources); r != NULL; r = LIST_NEXT(r, next)) {
		resource_count(r, &status);
	}
	memcpy(status.problem, queue->problem, sizeof(status.problem));
	pthread_mutex_lock(&queue->l->mutex);
	queue->l->status = status;
	pthread_mutex_unlock(&queue->l->mutex);
}

static void lockspace_wait(struct queue *queue)
{
	struct pollfd fd[2] = {{.fd = queue->l->fd[1], .events = POLLIN}, {.fd = -1}};

	if (queue->lockspace != NULL && !queue->gone)
		fd[1] = (struct pollfd){.fd = lockspace_fd(queue->lockspace), .events = POLLIN};
	poll(fd, 2, timeout_ms(queue));
	if ((fd[0].revents & POLLIN) != 0)
		locks_unpoke(queue->l->fd[1]);
}

static void lockspace_take(struct queue *queue)
{
	if (queue->lockspace == NULL || lockspace_dispatch(queue->lockspace) == 0)
		return;
	queue->gone = true;
	message_make(queue->problem, sizeof(queue->problem), MSG_LOCKSPACE_GONE,
		     "DLM's lockspace " LOCKS_DLM_LOCKSPACE
		     " was taken away: somebody has left it by hand; restart this node");
}

static bool end_wanted(struct locks_dlm *l, bool *ret_release)
{
	bool end;

	pthread_mutex_lock(&l->mutex);
	end = l->end;
	*ret_release = l->release;
	pthread_mutex_unlock(&l->mutex);
	return end;
}

/* Who holds a lock that is to be kept has a kernel that may be writing. */
static bool keeps(const struct queue *queue)
{
	const struct resource *r;

	for (r = LIST_FIRST(&queue->resources); r != NULL; r = LIST_NEXT(r, next))
		if (r->hold != NULL && r->hold->persistent)
			return true;
	return false;
}

static void holds_free(struct queue *queue)
{
	struct resource *r;
	struct hold *h;

	while ((h = LIST_FIRST(&queue->ending)) != NULL) {
		LIST_REMOVE(h, ending_next);
		free(h);
	}
	while ((r = LIST_FIRST(&queue->resources)) != NULL) {
		LIST_REMOVE(r, next);
		free(r->hold);
		free(r);
	}
}

/* Requests that are withdrawn are ours to free, the others are the loop's. */
static void queue_end(struct queue *queue, bool release)
{
	enum request_want want = WANT_LOCK;
	struct locks_release *left;
	struct locks_request *q;

	lockspace_release(queue->lockspace,
			  release && !keeps(queue) ? LOCKSPACE_DESTROY : LOCKSPACE_CLOSE);
	holds_free(queue);
	while ((q = changed_take(queue->l, &want)) != NULL)
		if (want != WANT_LOCK)
			free(q);
	while ((left = STAILQ_FIRST(&queue->releases)) != NULL) {
		STAILQ_REMOVE_HEAD(&queue->releases, next);
		free(left);
	}
}

static int thread_begin(struct locks_dlm *l)
{
	/* Whoever started it may have a real-time priority. */
	pthread_setschedparam(pthread_self(), SCHED_OTHER, &(struct sched_param){0});
	return l->world.apart ? files_apart(l->fd[1]) : 0;
}

void *locks_dlm_queue_main(void *argument)
{
	struct locks_dlm *l = argument;
	struct queue queue = {.l = l};
	bool release = false;
	int error = thread_begin(l);

	LIST_INIT(&queue.resources);
	LIST_INIT(&queue.ending);
	STAILQ_INIT(&queue.releases);
	if (error != 0)
		join_failed(&queue, error);
	while (!end_wanted(l, &release)) {
		requests_take(&queue);
		releases_take(&queue);
		lockspace_take(&queue);
		if (error == 0)
			tick(&queue);
		resources_sweep(&queue);
		status_tell(&queue);
		lockspace_wait(&queue);
	}
	requests_take(&queue);
	releases_take(&queue);
	queue_end(&queue, release);
	locks_dlm_thread_ended(l, &l->locks_ended);
	return NULL;
}
