/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loop's side: what it has asked for, and what it is still to be told. */
#include "daemons/common/message.h"
#include "daemons/dlmirrord/locks_dlm_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemons/dlmirrord/thread.h"

#define RELEASE_TRIES 10U /* a killed daemon's locks become orphans when DLM has recovered */

void locks_poke(int fd)
{
	/* A full buffer wakes, too. */
	(void)!send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void locks_unpoke(int fd)
{
	char buffer[64];

	while (recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
		;
}

static struct locks_request *request_find(struct locks_dlm *l, uint64_t object, uint32_t lock)
{
	struct locks_request *q;

	for (q = LIST_FIRST(&l->requests); q != NULL; q = LIST_NEXT(q, loop_next))
		if (q->object == object && q->lock == lock)
			break;
	return q;
}

static void request_changed(struct locks_dlm *l, struct locks_request *q)
{
	if (!q->changed)
		TAILQ_INSERT_TAIL(&l->changed, q, changed_next);
	q->changed = true;
	locks_poke(l->fd[0]);
}

static void request_refuse(struct locks_dlm *l, uint64_t object, uint32_t lock)
{
	if (l->failed_count == LOCKS_FAILED_MAX) {
		l->dropped++;
		return;
	}
	l->failed[l->failed_count++] = (struct locks_failed){.object = object, .lock = lock};
	locks_poke(l->fd[1]);
}

void locks_dlm_lock(struct locks_dlm *l, const struct group_mirror *mirror, uint32_t lock,
		    uint64_t object, bool keep)
{
	struct locks_request *q = calloc(1, sizeof(*q));

	assert(request_find(l, object, lock) == NULL);
	if (q == NULL) {
		request_refuse(l, object, lock);
		return;
	}
	q->object = object;
	q->mirror = *mirror;
	q->lock = lock;
	q->keep = keep;
	LIST_INSERT_HEAD(&l->requests, q, loop_next);
	pthread_mutex_lock(&l->mutex);
	request_changed(l, q);
	pthread_mutex_unlock(&l->mutex);
}

/* An answer that is on its way is not given any more. */
static void request_withdraw(struct locks_dlm *l, struct locks_request *q, enum request_want want)
{
	bool refused;

	LIST_REMOVE(q, loop_next);
	pthread_mutex_lock(&l->mutex);
	refused = q->answered && q->error != 0;
	if (q->answered)
		TAILQ_REMOVE(&l->answers, q, answer_next);
	q->answered = false;
	if (!refused) {
		q->want = want;
		request_changed(l, q);
	}
	pthread_mutex_unlock(&l->mutex);
	if (refused)
		free(q);
}

/* lock: UINT32_MAX for all. */
static void refusals_forget(struct locks_dlm *l, uint64_t object, uint32_t lock)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < l->failed_count; i++)
		if (l->failed[i].object != object ||
		    (lock != UINT32_MAX && l->failed[i].lock != lock))
			l->failed[kept++] = l->failed[i];
	l->failed_count = kept;
}

void locks_dlm_unlock(struct locks_dlm *l, const struct group_mirror *mirror, uint32_t lock,
		      uint64_t object)
{
	struct locks_request *q = request_find(l, object, lock);

	(void)mirror; /* the object's */
	if (q != NULL)
		request_withdraw(l, q, WANT_UNLOCK);
	refusals_forget(l, object, lock);
}

void locks_dlm_object_gone(struct locks_dlm *l, uint64_t object, bool forget)
{
	struct locks_request *next;

	for (struct locks_request *q = LIST_FIRST(&l->requests); q != NULL; q = next) {
		next = LIST_NEXT(q, loop_next);
		if (q->object == object)
			request_withdraw(l, q, forget ? WANT_FORGOTTEN : WANT_GONE);
	}
	refusals_forget(l, object, UINT32_MAX);
}

void locks_dlm_release_orphans(struct locks_dlm *l, const struct group_mirror *mirror,
			       uint32_t locks)
{
	struct locks_release *release = calloc(1, sizeof(*release));

	/* They stay until the mirror is ended here the next time. */
	if (release == NULL)
		return;
	release->mirror = *mirror;
	release->locks = locks;
	release->tries = RELEASE_TRIES;
	pthread_mutex_lock(&l->mutex);
	STAILQ_INSERT_TAIL(&l->releases, release, next);
	locks_poke(l->fd[0]);
	pthread_mutex_unlock(&l->mutex);
}

void locks_dlm_join(struct locks_dlm *l, const char *cluster)
{
	pthread_mutex_lock(&l->mutex);
	snprintf(l->cluster, sizeof(l->cluster), "%s", cluster);
	pthread_cond_broadcast(&l->changed_cond);
	locks_poke(l->fd[0]);
	pthread_mutex_unlock(&l->mutex);
}

int locks_dlm_fd(const struct locks_dlm *l)
{
	return l->fd[0];
}

static struct locks_request *answer_take(struct locks_dlm *l)
{
	struct locks_request *q;

	pthread_mutex_lock(&l->mutex);
	q = TAILQ_FIRST(&l->answers);
	if (q != NULL) {
		TAILQ_REMOVE(&l->answers, q, answer_next);
		q->answered = false;
	}
	pthread_mutex_unlock(&l->mutex);
	return q;
}

/* Who is told may ask, and withdraw, from within. */
void locks_dlm_dispatch(struct locks_dlm *l)
{
	struct locks_request *q;

	locks_unpoke(l->fd[0]);
	while (l->failed_count > 0) {
		struct locks_failed failed = l->failed[0];

		refusals_forget(l, failed.object, failed.lock);
		l->locked(l->context, failed.object, failed.lock, -ENOMEM);
	}
	while ((q = answer_take(l)) != NULL) {
		uint64_t object = q->object;
		uint32_t lock = q->lock;
		int error = q->error;

		if (error != 0) {
			LIST_REMOVE(q, loop_next);
			free(q);
		}
		l->locked(l->context, object, lock, error);
	}
}

static uint32_t requests_count(const struct locks_dlm *l)
{
	const struct locks_request *q;
	uint32_t count = 0;

	for (q = LIST_FIRST(&l->requests); q != NULL; q = LIST_NEXT(q, loop_next))
		count++;
	return count;
}

void locks_dlm_status(const struct locks_dlm *l, struct locks_dlm_status *ret)
{
	uint32_t requests = requests_count(l);
	/* the mutex is no part of what is looked at */
	pthread_mutex_t *mutex = (pthread_mutex_t *)(uintptr_t)&l->mutex;

	pthread_mutex_lock(mutex);
	*ret = l->status;
	ret->recovering = l->look.recovering;
	ret->fencing = l->look.fencing;
	if (l->look.problem[0] != '\0')
		memcpy(ret->problem, l->look.problem, sizeof(ret->problem));
	pthread_mutex_unlock(mutex);
	/* what is given back counts as held for a moment still */
	ret->waiting = requests > ret->held ? requests - ret->held : 0;
	if (l->dropped > 0)
		message_make(ret->problem, sizeof(ret->problem), MSG_LOCKS_LOST,
			     "no memory: %u requests for locks were lost, restart dlmirrord",
			     l->dropped);
}

/* Without its descriptors. */
static void locks_free(struct locks_dlm *l)
{
	struct locks_release *release;
	struct locks_request *q;

	while ((q = LIST_FIRST(&l->requests)) != NULL) {
		LIST_REMOVE(q, loop_next);
		free(q);
	}
	while ((release = STAILQ_FIRST(&l->releases)) != NULL) {
		STAILQ_REMOVE_HEAD(&l->releases, next);
		free(release);
	}
	pthread_cond_destroy(&l->changed_cond);
	pthread_mutex_destroy(&l->mutex);
	free(l);
}

static void locks_close(struct locks_dlm *l)
{
	close(l->fd[0]);
	close(l->fd[1]);
	locks_free(l);
}

void locks_dlm_thread_ended(struct locks_dlm *l, bool *ended)
{
	bool last;

	pthread_mutex_lock(&l->mutex);
	*ended = true;
	last = l->abandoned && l->locks_ended && l->look_ended;
	pthread_cond_broadcast(&l->changed_cond);
	pthread_mutex_unlock(&l->mutex);
	if (!last)
		return;
	/* Those of a table of its own end with that. */
	if (!l->world.apart)
		close(l->fd[1]);
	locks_free(l);
}

static int locks_init(struct locks_dlm *l)
{
	pthread_condattr_t attribute;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, l->fd) < 0)
		return -errno;
	pthread_condattr_init(&attribute);
	pthread_condattr_setclock(&attribute, CLOCK_MONOTONIC);
	pthread_cond_init(&l->changed_cond, &attribute);
	pthread_condattr_destroy(&attribute);
	pthread_mutex_init(&l->mutex, NULL);
	LIST_INIT(&l->requests);
	TAILQ_INIT(&l->changed);
	TAILQ_INIT(&l->answers);
	STAILQ_INIT(&l->releases);
	return 0;
}

static void locks_end(struct locks_dlm *l, bool release)
{
	pthread_mutex_lock(&l->mutex);
	l->end = true;
	l->release = release;
	pthread_cond_broadcast(&l->changed_cond);
	locks_poke(l->fd[0]);
	pthread_mutex_unlock(&l->mutex);
}

int locks_dlm_create_in(const struct locks_world *world, locks_dlm_locked_fn locked, void *context,
			struct locks_dlm **ret)
{
	struct locks_dlm *l = calloc(1, sizeof(*l));
	int error;

	if (l == NULL)
		return -ENOMEM;
	error = locks_init(l);
	if (error != 0) {
		free(l);
		return error;
	}
	l->world = *world;
	l->locked = locked;
	l->context = context;
	error = thread_start(&l->locks_thread, "dlm-locks", locks_dlm_queue_main, l);
	if (error != 0) {
		locks_close(l);
		return error;
	}
	error = thread_start(&l->look_thread, "dlm-look", locks_dlm_look_main, l);
	if (error != 0) {
		locks_end(l, false);
		pthread_join(l->locks_thread, NULL);
		locks_close(l);
		return error;
	}
	*ret = l;
	return 0;
}

/* False: one of them waits for DLM; the last one to end frees l. */
static bool threads_wait(struct locks_dlm *l)
{
	struct timespec until;
	bool abandoned;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LOCKS_DLM_END_MS / 1000;
	pthread_mutex_lock(&l->mutex);
	while (!l->locks_ended || !l->look_ended)
		if (pthread_cond_timedwait(&l->changed_cond, &l->mutex, &until) != 0)
			break;
	l->abandoned = !l->locks_ended || !l->look_ended;
	if (l->abandoned) {
		pthread_detach(l->locks_thread);
		pthread_detach(l->look_thread);
		close(l->fd[0]);
	}
	abandoned = l->abandoned;
	pthread_mutex_unlock(&l->mutex);
	return !abandoned;
}

struct locks_dlm *locks_dlm_destroy(struct locks_dlm *l, bool release)
{
	if (l == NULL)
		return NULL;
	locks_end(l, release);
	if (!threads_wait(l))
		return NULL;
	pthread_join(l->locks_thread, NULL);
	pthread_join(l->look_thread, NULL);
	locks_close(l);
	return NULL;
}
