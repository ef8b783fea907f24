/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemons/dlmirrord/responder.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/kernel_netlink.h"
#include "daemons/dlmirrord/thread.h"

#define STOP_SIGNAL SIGUSR2

struct responder {
	struct responders *set;
	unsigned index;
	int socket;
	pthread_t thread;
	struct handoff ring;
};

struct responders {
	struct registry *registry;
	struct responders_core core;
	unsigned count;
	bool running;
	_Atomic bool stop;
	int event_fd;
	struct responders_counters counters;
	struct responder responder[];
};

static void loop_wake(struct responders *set)
{
	uint64_t one = 1;
	ssize_t written = write(set->event_fd, &one, sizeof(one));

	(void)written; /* EAGAIN: it is readable already */
}

/* Never gives up: a request that is dropped here costs its caller 15 s. */
static struct handoff_item *ring_place(struct responder *self)
{
	struct handoff_item *item = handoff_place(&self->ring);
	struct timespec pause = {.tv_nsec = 1000000};

	while (item == NULL && self->set->running && !atomic_load(&self->set->stop)) {
		loop_wake(self->set);
		nanosleep(&pause, NULL);
		item = handoff_place(&self->ring);
	}
	return item;
}

static void item_fill(struct handoff_item *item, const void *datagram, size_t size,
		      uint64_t received_us, bool cleared)
{
	item->received_us = received_us;
	item->cleared = cleared;
	item->size = (uint32_t)size;
	memcpy(item->datagram, datagram, size);
}

static void hand_over(struct responder *self, const void *datagram, size_t size,
		      uint64_t received_us, bool cleared)
{
	struct handoff_item *item = ring_place(self);

	if (item == NULL)
		return;
	item_fill(item, datagram, size, received_us, cleared);
	handoff_push(&self->ring);
	loop_wake(self->set);
}

/* False: somebody else has the core. */
static bool step_here(struct responder *self, const void *datagram, size_t size,
		      uint64_t received_us, bool cleared)
{
	const struct responders_core *core = &self->set->core;
	struct handoff_item item;

	if (pthread_mutex_trylock(core->lock) != 0)
		return false;
	item_fill(&item, datagram, size, received_us, cleared);
	core->take(core->context, &item);
	pthread_mutex_unlock(core->lock);
	return true;
}

static void reply_error(struct responder *self, const struct kmsg *k, int error)
{
	uint8_t reply[KMSG_SIZE_MAX];
	size_t size = kmsg_encode_reply(k, error, NULL, 0, reply, sizeof(reply));

	if (size > 0)
		kernel_netlink_send(self->socket, reply, size);
}

static void refuse(struct responder *self, const struct kmsg *k, enum kmsg_problem problem)
{
	responders_malformed(self->set, problem);
	if (problem != KMSG_SHORT && problem != KMSG_FOREIGN)
		reply_error(self, k, -EINVAL);
}

/* About logs, not regions: may open devices or move whole maps, which a responder has no time for.
 */
static bool for_loop(enum ulog_type type)
{
	return type == ULOG_CTR || type == ULOG_DTR || type == ULOG_STATUS_INFO ||
	       type == ULOG_STATUS_TABLE || type == ULOG_RESUME || type == ULOG_PRESUSPEND ||
	       type == ULOG_POSTSUSPEND;
}

/* What the loop must still see of a request. */
enum rest { REST_NOTHING, REST_CLEARED, REST_ALL };

/* The read lock is held: log stays. */
static enum rest answer(struct responder *self, struct log *log, const struct kmsg *k,
			uint64_t received_us)
{
	uint8_t buffer[KMSG_SIZE_MAX];
	struct mlog_request request;
	struct mlog_reply reply;
	enum hot_verdict verdict;
	enum kmsg_problem problem = kmsg_request(k, log->hot.regions, &request);
	bool cleared;

	if (problem != KMSG_OK) {
		refuse(self, k, problem);
		return REST_NOTHING;
	}
	pthread_mutex_lock(&log->mark_lock);
	verdict = hot_answer(&log->hot, &request, &reply, &cleared);
	pthread_mutex_unlock(&log->mark_lock);
	if (verdict == HOT_HAND_OVER)
		return REST_ALL;
	if (verdict == HOT_STALE) {
		atomic_fetch_add(&self->set->counters.stale, 1);
		return REST_NOTHING;
	}
	kernel_netlink_send(self->socket, buffer,
			    kmsg_encode_mlog_reply(k, &reply, buffer, sizeof(buffer)));
	stats_add(&log->stats, k->type, reply.error, clock_us() - received_us);
	return cleared ? REST_CLEARED : REST_NOTHING;
}

static void take(struct responder *self, const void *datagram, size_t size)
{
	struct registry *registry = self->set->registry;
	uint64_t received_us = clock_us();
	struct kmsg k;
	enum kmsg_problem problem = kmsg_decode(datagram, size, &k);
	enum rest rest = REST_ALL;
	bool here = false;
	struct log *log;

	if (problem != KMSG_OK) {
		refuse(self, &k, problem);
		return;
	}
	atomic_fetch_add_explicit(&self->set->counters.requests, 1, memory_order_relaxed);
	if (!for_loop(k.type)) {
		pthread_rwlock_rdlock(&registry->lock);
		log = registry_find(registry, k.luid);
		here = log != NULL && strcmp(log->uuid, k.uuid) == 0;
		if (here)
			rest = answer(self, log, &k, received_us);
		pthread_rwlock_unlock(&registry->lock);
	}
	if (rest == REST_NOTHING ||
	    (here && step_here(self, datagram, size, received_us, rest == REST_CLEARED)))
		return;
	hand_over(self, datagram, size, received_us, rest == REST_CLEARED);
}

/* False: nothing was there. */
static bool receive_one(struct responder *self, bool nonblock)
{
	uint8_t datagram[KMSG_SIZE_MAX];
	ssize_t size = kernel_netlink_receive(self->socket, datagram, sizeof(datagram), nonblock);

	if (size > 0)
		take(self, datagram, (size_t)size);
	else if (size == -ENOBUFS)
		atomic_fetch_add(&self->set->counters.overruns, 1);
	return size >= 0 || size == -ENOBUFS;
}

static void *responder_main(void *argument)
{
	struct responder *self = argument;
	sigset_t stop;

	sigemptyset(&stop);
	sigaddset(&stop, STOP_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
	while (!atomic_load(&self->set->stop))
		receive_one(self, false);
	return NULL;
}

static void on_stop_signal(int number)
{
	(void)number; /* only to end a recv() */
}

int responders_create(struct registry *registry, const int *sockets, unsigned count,
		      const struct responders_core *core, struct responders **ret)
{
	struct responders *r = calloc(1, sizeof(*r) + count * sizeof(struct responder));

	if (r == NULL)
		return -ENOMEM;
	r->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->event_fd < 0) {
		int error = -errno;

		free(r);
		return error;
	}
	r->registry = registry;
	r->core = *core;
	r->count = count;
	for (unsigned i = 0; i < count; i++) {
		r->responder[i].set = r;
		r->responder[i].index = i;
		r->responder[i].socket = sockets[i];
	}
	*ret = r;
	return 0;
}

struct responders *responders_destroy(struct responders *r)
{
	if (r == NULL)
		return NULL;
	close(r->event_fd);
	free(r);
	return NULL;
}

/* Pinning and priority are a matter of speed: where they are not allowed, the thread runs without.
 */
static int responder_start(struct responder *self, int realtime_priority)
{
	struct sched_param priority = {.sched_priority = realtime_priority};
	cpu_set_t cpus;
	int error = thread_start(&self->thread, "dlm-answer", responder_main, self);

	if (error != 0)
		return error;
	if (self->set->count > 1) {
		CPU_ZERO(&cpus);
		CPU_SET(self->index, &cpus);
		pthread_setaffinity_np(self->thread, sizeof(cpus), &cpus);
	}
	if (realtime_priority > 0)
		pthread_setschedparam(self->thread, SCHED_FIFO, &priority);
	return 0;
}

int responders_start(struct responders *r, int realtime_priority)
{
	struct sigaction action = {.sa_handler = on_stop_signal};
	int error = 0;

	sigaction(STOP_SIGNAL, &action, NULL);
	atomic_store(&r->stop, false);
	r->running = true;
	for (unsigned i = 0; i < r->count && error == 0; i++)
		error = responder_start(&r->responder[i], realtime_priority);
	return error;
}

void responders_stop(struct responders *r)
{
	if (!r->running)
		return;
	atomic_store(&r->stop, true);
	for (unsigned i = 0; i < r->count; i++) {
		struct timespec until;
		int error;

		/* The signal may come just before the thread blocks: again until it is gone. */
		do {
			pthread_kill(r->responder[i].thread, STOP_SIGNAL);
			clock_gettime(CLOCK_REALTIME, &until);
			until.tv_nsec += 1000000;
			if (until.tv_nsec >= 1000000000) {
				until.tv_nsec -= 1000000000;
				until.tv_sec++;
			}
			error = pthread_timedjoin_np(r->responder[i].thread, NULL, &until);
		} while (error == ETIMEDOUT);
	}
	r->running = false;
}

void responders_poll(struct responders *r, unsigned index)
{
	/* Not for ever: other events of the loop have their turn. */
	for (unsigned i = 0; i < HANDOFF_MAX / 4; i++)
		if (!receive_one(&r->responder[index], true))
			break;
}

int responders_fd(const struct responders *r)
{
	return r->event_fd;
}

void responders_dispatch(struct responders *r)
{
	uint64_t count;
	ssize_t size = read(r->event_fd, &count, sizeof(count));

	(void)size; /* nothing to read: look all the same */
	for (unsigned i = 0; i < r->count; i++) {
		struct handoff *ring = &r->responder[i].ring;
		struct handoff_item *item;

		while ((item = handoff_peek(ring)) != NULL) {
			r->core.take(r->core.context, item);
			handoff_pop(ring);
		}
	}
}

void responders_malformed(struct responders *r, enum kmsg_problem problem)
{
	atomic_fetch_add(&r->counters.malformed, 1);
	atomic_store(&r->counters.last_problem, (uint32_t)problem);
}

const struct responders_counters *responders_counters(const struct responders *r)
{
	return &r->counters;
}
