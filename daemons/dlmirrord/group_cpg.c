/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owns the connection's life and what is sent.
 *
 *	closed --1 s--> opening (a thread) --> open --> joined (our own join was delivered)
 *	   ^---------------- failed --'          `--- lost ---' `-> a view of us alone
 *
 * What was sent comes back to us in its order, so it is known how much corosync has yet to do for
 * us, and that is kept small. It must be: libqb tells corosync of each request by a byte in a
 * socket, and waits in a busy loop when that is full (some 270 of them), as it is when corosync
 * has been stopped; and corosync drops a request when its own queue is full, with a line in its
 * log. So a message that does not come back in its turn was lost, and we with it.
 */
#include "daemons/dlmirrord/group_cpg_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/message_log.h"

#define EVENTS_OF_A_TURN 64U   /* then others of the loop get theirs */
#define LEAVE_WAIT_MS	 1000U /* for corosync to hear that we leave */

enum source { SOURCE_TIMER, SOURCE_OPENED, SOURCE_QUORUM, SOURCE_CPG };

/* ---- the queue */

static void datagrams_clear(struct group_datagrams *list)
{
	struct group_datagram *d;

	while ((d = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, next);
		free(d);
	}
}

static void queue_clear(struct group_cpg *g)
{
	datagrams_clear(&g->queue);
	datagrams_clear(&g->flight);
	g->queue_bytes = g->flight_bytes = 0;
	g->queue_count = g->flight_count = 0;
	g->probed = false;
}

/* False: not now. */
static bool send_one(struct group_cpg *g, struct group_datagram *d)
{
	struct iovec data = {.iov_base = d->byte, .iov_len = d->size};
	cs_error_t error;

	if (d->data)
		order_envelope(g, KIND_DATA, g->number + 1, d->byte);
	error = cpg_mcast_joined(g->link->cpg, CPG_TYPE_AGREED, &data, 1);
	if (error == CS_ERR_TRY_AGAIN) {
		g->retries++;
		g->retry_at_ms = clock_ms() + RETRY_MS;
		return false;
	}
	if (error != CS_OK) {
		group_lose(g, MSG_COROSYNC_STUCK,
			   "corosync takes no messages (cpg_mcast_joined: %s): see its "
			   "log",
			   cs_strerror(error));
		return false;
	}
	if (d->data)
		g->number++;
	d->ring = g->order.ring.seq;
	d->again = false;
	STAILQ_REMOVE_HEAD(&g->queue, next);
	g->queue_bytes -= d->size;
	g->queue_count--;
	if (g->flight_count == 0)
		g->flight_since_ms = clock_ms();
	STAILQ_INSERT_TAIL(&g->flight, d, next);
	g->flight_bytes += d->size;
	g->flight_count++;
	g->sent++;
	g->sent_bytes += d->size;
	return true;
}

static bool flight_room(const struct group_cpg *g, size_t size)
{
	const struct group_datagram *oldest = STAILQ_FIRST(&g->flight);

	/* What was sent in another ring comes back to be sent again, before all else. */
	if (oldest != NULL && oldest->ring != g->order.ring.seq)
		return false;
	return oldest == NULL ||
	       (g->flight_count < FLIGHT_MESSAGES && g->flight_bytes + size <= FLIGHT_BYTES);
}

static void queue_flush(struct group_cpg *g)
{
	struct group_datagram *d;

	while (!g->lost && g->link != NULL && (d = STAILQ_FIRST(&g->queue)) != NULL)
		if (!flight_room(g, d->size) || !send_one(g, d))
			break;
}

void group_queue(struct group_cpg *g, const void *datagram, size_t size, bool data)
{
	size_t head = data ? ENVELOPE_SIZE : 0;
	struct group_datagram *d = NULL;

	if (g->lost)
		return;
	if (g->queue_count < QUEUE_MESSAGES && g->queue_bytes + head + size <= QUEUE_BYTES)
		d = malloc(sizeof(*d) + head + size);
	if (d == NULL) {
		/* Who goes on without it would be another than the rest believes. */
		group_lose(g, MSG_COROSYNC_STUCK,
			   "corosync has not taken %" PRIu32
			   " messages that wait: see its log, and whether it runs",
			   g->queue_count);
		return;
	}
	*d = (struct group_datagram){.data = data, .size = head + size};
	memcpy(d->byte + head, datagram, size);
	STAILQ_INSERT_TAIL(&g->queue, d, next);
	g->queue_bytes += d->size;
	g->queue_count++;
}

/* Behind those that have come back before it, before all that was never sent. */
static void queue_again(struct group_cpg *g, struct group_datagram *d)
{
	struct group_datagram *before = NULL;
	struct group_datagram *other;

	for (other = STAILQ_FIRST(&g->queue); other != NULL && other->again;
	     other = STAILQ_NEXT(other, next))
		before = other;
	d->again = true;
	if (before == NULL)
		STAILQ_INSERT_HEAD(&g->queue, d, next);
	else
		STAILQ_INSERT_AFTER(&g->queue, before, d, next);
	g->queue_bytes += d->size;
	g->queue_count++;
}

/* One of ours has come back: it must be the oldest. */
static void flight_end(struct group_cpg *g, const void *datagram, size_t size)
{
	struct group_datagram *d = STAILQ_FIRST(&g->flight);

	if (d == NULL || d->size != size || memcmp(d->byte, datagram, size) != 0) {
		group_lose(g, MSG_GROUP_REJOINS,
			   "corosync has lost a message of ours: see its log");
		return;
	}
	STAILQ_REMOVE_HEAD(&g->flight, next);
	g->flight_bytes -= size;
	g->flight_count--;
	g->flight_since_ms = clock_ms();
	g->probed = false;
	if (d->data && d->ring != g->order.ring.seq)
		queue_again(g, d);
	else
		free(d);
}

/* ---- what libcpg and libquorum call */

static struct group_cpg *group_of(cpg_handle_t handle)
{
	void *context = NULL;

	(void)cpg_context_get(handle, &context);
	return context;
}

static void on_deliver(cpg_handle_t handle, const struct cpg_name *name, uint32_t node,
		       uint32_t pid, void *datagram, size_t size)
{
	struct group_cpg *g = group_of(handle);

	(void)name;
	g->callbacks_run++;
	if (g->lost)
		return;
	if (node == g->node && pid == (uint32_t)getpid())
		flight_end(g, datagram, size);
	if (!g->lost)
		order_message(g, node, pid, datagram, size);
}

static void on_confchg(cpg_handle_t handle, const struct cpg_name *name,
		       const struct cpg_address *member, size_t member_count,
		       const struct cpg_address *left, size_t left_count,
		       const struct cpg_address *joined, size_t joined_count)
{
	struct group_cpg *g = group_of(handle);

	(void)name;
	g->callbacks_run++;
	if (!g->lost)
		order_confchg(g, member, member_count, left, left_count, joined, joined_count);
}

static void on_totem(cpg_handle_t handle, struct cpg_ring_id id, uint32_t count,
		     const uint32_t *member)
{
	struct group_cpg *g = group_of(handle);

	/* libquorum names them, too. */
	(void)count;
	(void)member;
	g->callbacks_run++;
	if (!g->lost)
		order_totem(g, id);
}

static struct group_cpg *quorum_group_of(quorum_handle_t handle)
{
	const void *context = NULL;

	(void)quorum_context_get(handle, &context);
	return (struct group_cpg *)context;
}

static void on_nodelist(quorum_handle_t handle, struct quorum_ring_id id, uint32_t member_count,
			const uint32_t *member, uint32_t joined_count, const uint32_t *joined,
			uint32_t left_count, const uint32_t *left)
{
	struct group_cpg *g = quorum_group_of(handle);

	(void)left_count;
	(void)left;
	g->callbacks_run++;
	if (!g->lost)
		order_nodelist(g, id, member, member_count, joined, joined_count);
}

static void on_verdict(quorum_handle_t handle, uint32_t quorate, struct quorum_ring_id id,
		       uint32_t count, const uint32_t *member)
{
	struct group_cpg *g = quorum_group_of(handle);

	(void)count;
	(void)member;
	g->callbacks_run++;
	if (!g->lost)
		order_verdict(g, id, quorate != 0);
}

static const cpg_model_v1_data_t cpg_model = {
    .model = CPG_MODEL_V1,
    .cpg_deliver_fn = on_deliver,
    .cpg_confchg_fn = on_confchg,
    .cpg_totem_confchg_fn = on_totem,
    .flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF,
};

static const quorum_model_v1_data_t quorum_model = {
    .model = QUORUM_MODEL_V1,
    .quorum_notify_fn = on_verdict,
    .nodelist_notify_fn = on_nodelist,
};

/* ---- connections */

static int watch(const struct group_cpg *g, int operation, int fd, enum source source,
		 uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u32 = source};

	return epoll_ctl(g->epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

static void problem_set(struct group_cpg *g, const char *text)
{
	if (strcmp(g->problem, text) == 0)
		return;
	snprintf(g->problem, sizeof(g->problem), "%s", text);
	if (text[0] != '\0')
		message_log(LOG_ERR, MSG_COROSYNC_AWAY, "group: %s", text);
}

void group_lose(struct group_cpg *g, enum message message, const char *format, ...)
{
	char text[GROUP_CPG_ERROR_SIZE];
	va_list list;

	if (g->lost)
		return;
	g->lost = true;
	va_start(list, format);
	message_vmake(text, sizeof(text), message, format, list);
	va_end(list);
	problem_set(g, text);
}

static void opening_start(struct group_cpg *g)
{
	int error = link_open(g->name, &cpg_model, &quorum_model, g, g->opened_fd, &g->opening);

	g->opening_since_ms = clock_ms();
	if (error == 0)
		return;
	g->open_at_ms = clock_ms() + RECONNECT_MS;
	problem_set(g, "no memory to connect to corosync: trying again every second "
		       "[daemon-no-memory]");
}

static void opening_end(struct group_cpg *g)
{
	struct group_link *link = g->opening;
	int state = atomic_load(&link->state);

	if (state == LINK_OPENING)
		return;
	g->opening = NULL;
	if (state == LINK_FAILED ||
	    watch(g, EPOLL_CTL_ADD, link->quorum_fd, SOURCE_QUORUM, EPOLLIN) != 0 ||
	    watch(g, EPOLL_CTL_ADD, link->cpg_fd, SOURCE_CPG, EPOLLIN) != 0) {
		problem_set(g,
			    state == LINK_FAILED ? link->problem : "no memory to watch corosync");
		g->open_at_ms = clock_ms() + RECONNECT_MS;
		link_close(link, 0);
		return;
	}
	g->link = link;
	g->cpg_held = false;
	g->node = link->node;
	memcpy(g->cluster, link->cluster, sizeof(g->cluster));
	g->connections++;
	message_log(LOG_NOTICE, MSG_COROSYNC_CONNECTED,
		    "group: connected to corosync as node %" PRIu32 " of cluster %s", g->node,
		    g->cluster);
	g->callbacks->connected(g->context, g->node, g->cluster);
}

static void link_end(struct group_cpg *g)
{
	(void)epoll_ctl(g->epoll_fd, EPOLL_CTL_DEL, g->link->quorum_fd, NULL);
	(void)epoll_ctl(g->epoll_fd, EPOLL_CTL_DEL, g->link->cpg_fd, NULL);
	g->link = link_close(g->link, 0);
	queue_clear(g);
	g->number = 0;
	order_reset(g);
	g->lost = false;
	g->open_at_ms = clock_ms() + RECONNECT_MS;
	message_log(LOG_WARNING, MSG_COROSYNC_AWAY,
		    "group: connection to corosync ended, trying again every second");
	if (g->alone)
		return;
	g->alone = true;
	g->callbacks->view(g->context, &g->node, 1, false, false);
}

/* ---- the descriptor */

/* False: nothing was there. */
static bool dispatched(struct group_cpg *g, const char *what, cs_error_t error, uint64_t before)
{
	if (error != CS_OK && error != CS_ERR_TRY_AGAIN)
		group_lose(g, MSG_COROSYNC_AWAY,
			   "corosync has ended (%s: %s): start it, systemctl start corosync", what,
			   cs_strerror(error));
	return g->callbacks_run != before;
}

static bool quorum_read(struct group_cpg *g)
{
	uint64_t before = g->callbacks_run;

	return dispatched(g, "quorum_dispatch", quorum_dispatch(g->link->quorum, CS_DISPATCH_ALL),
			  before);
}

static bool cpg_read(struct group_cpg *g)
{
	uint64_t before = g->callbacks_run;
	bool some = true;

	for (unsigned i = 0; i < EVENTS_OF_A_TURN && some && !g->lost && order_ready(g); i++) {
		uint64_t one = g->callbacks_run;

		some = dispatched(g, "cpg_dispatch",
				  cpg_dispatch(g->link->cpg, CS_DISPATCH_ONE_NONBLOCKING), one);
	}
	return g->callbacks_run != before;
}

/* What CPG has waits in its own queue while libquorum has yet to say what its ring is. */
static void cpg_hold(struct group_cpg *g)
{
	bool hold = g->order.awaited != 0;

	if (hold != g->cpg_held &&
	    watch(g, EPOLL_CTL_MOD, g->link->cpg_fd, SOURCE_CPG, hold ? 0 : EPOLLIN) == 0)
		g->cpg_held = hold;
}

static void link_read(struct group_cpg *g, bool hung_up)
{
	bool some = quorum_read(g);

	some = cpg_read(g) || some;
	if (!some && hung_up)
		group_lose(g, MSG_COROSYNC_AWAY,
			   "corosync has ended: start it, systemctl start corosync");
	if (!g->lost)
		cpg_hold(g);
}

/* What corosync drops it does not tell; the next message does. */
static void flight_probe(struct group_cpg *g, uint64_t now_ms)
{
	struct group_datagram *d;

	if (g->probed || g->flight_count == 0 || now_ms < g->flight_since_ms + SLOW_MS)
		return;
	d = malloc(sizeof(*d) + ENVELOPE_SIZE);
	if (d == NULL)
		return;
	*d = (struct group_datagram){.size = ENVELOPE_SIZE};
	order_envelope(g, KIND_PROBE, 0, d->byte);
	STAILQ_INSERT_HEAD(&g->queue, d, next);
	g->queue_bytes += d->size;
	g->queue_count++;
	g->probed = send_one(g, d);
	if (g->probed)
		return;
	STAILQ_REMOVE_HEAD(&g->queue, next);
	g->queue_bytes -= d->size;
	g->queue_count--;
	free(d);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t next_due_ms(const struct group_cpg *g, uint64_t now_ms)
{
	uint64_t due = UINT64_MAX;

	if (g->lost)
		return now_ms;
	if (g->opening != NULL)
		return now_ms + RECONNECT_MS;
	if (g->link == NULL)
		return g->open_at_ms;
	if (g->queue_count > 0 && g->retry_at_ms > now_ms)
		due = g->retry_at_ms;
	if (g->flight_count > 0 && !g->probed)
		due = earlier(due, g->flight_since_ms + SLOW_MS);
	if (g->order.joined && !g->order.compared)
		due = earlier(due, g->order.changed_ms + SETTLE_MS);
	return due;
}

static void timer_set(struct group_cpg *g)
{
	uint64_t now = clock_ms();
	uint64_t due = next_due_ms(g, now);
	uint64_t wait = due <= now ? 0 : due - now;
	struct itimerspec timer = {.it_value = {.tv_sec = (time_t)(wait / 1000),
						.tv_nsec = (long)(wait % 1000) * 1000000L}};

	if (wait == 0)
		timer.it_value.tv_nsec = 1;
	if (due == UINT64_MAX)
		timer = (struct itimerspec){0};
	(void)timerfd_settime(g->timer_fd, 0, &timer, NULL);
}

/* True: corosync has closed one of its sockets. */
static bool events_take(struct group_cpg *g)
{
	struct epoll_event event[SOURCE_CPG + 1];
	int count = epoll_wait(g->epoll_fd, event, SOURCE_CPG + 1, 0);
	bool hung_up = false;
	uint64_t number;

	for (int i = 0; i < count; i++) {
		if (event[i].data.u32 == SOURCE_TIMER)
			(void)!read(g->timer_fd, &number, sizeof(number));
		else if (event[i].data.u32 == SOURCE_OPENED)
			(void)!read(g->opened_fd, &number, sizeof(number));
		else
			hung_up = hung_up || (event[i].events & (EPOLLHUP | EPOLLERR)) != 0;
	}
	return hung_up;
}

void group_cpg_dispatch(struct group_cpg *g)
{
	bool hung_up = events_take(g);

	if (g->opening != NULL)
		opening_end(g);
	else if (g->link == NULL && clock_ms() >= g->open_at_ms)
		opening_start(g);
	if (g->link != NULL && !g->lost)
		link_read(g, hung_up);
	if (g->link != NULL && !g->lost) {
		uint64_t now = clock_ms(); /* not before what was read */

		order_compare(g, now);
		flight_probe(g, now);
		queue_flush(g);
		if (g->order.joined)
			problem_set(g, "");
	}
	if (g->link != NULL && g->lost)
		link_end(g);
	timer_set(g);
}

int group_cpg_fd(const struct group_cpg *g)
{
	return g->epoll_fd;
}

void group_cpg_send(struct group_cpg *g, const void *datagram, size_t size)
{
	assert(size > 0 && size <= GROUP_MESSAGE_MAX);
	if (g->order.told_count == 0 || g->lost)
		return;
	group_queue(g, datagram, size, true);
	if (g->retry_at_ms <= clock_ms())
		queue_flush(g);
	if (g->lost || g->queue_count > 0 || g->flight_count == 1)
		timer_set(g);
}

void group_cpg_rejoin(struct group_cpg *g, const char *why)
{
	if (g->link == NULL)
		return;
	group_lose(g, MSG_MESSAGE_DAMAGED, "%s: leaving the group and joining again", why);
	timer_set(g);
}

/* ---- status */

static void problem_now(const struct group_cpg *g, char ret[GROUP_CPG_ERROR_SIZE])
{
	const struct group_order *o = &g->order;
	uint64_t now = clock_ms();

	snprintf(ret, GROUP_CPG_ERROR_SIZE, "%s", g->problem);
	if (g->opening != NULL && now - g->opening_since_ms >= SLOW_MS)
		message_make(ret, GROUP_CPG_ERROR_SIZE, MSG_COROSYNC_STUCK,
			     "corosync has not answered for %" PRIu64
			     " s: see whether it hangs or was stopped, and restart it",
			     (now - g->opening_since_ms) / 1000);
	else if (o->awaited != 0 && now - o->awaited_since_ms >= SLOW_MS)
		message_make(ret, GROUP_CPG_ERROR_SIZE, MSG_COROSYNC_STUCK,
			     "corosync has not said for %" PRIu64
			     " s who is in its new ring: see corosync-quorumtool, and its log",
			     (now - o->awaited_since_ms) / 1000);
	else if (g->flight_count > 0 && now - g->flight_since_ms >= SLOW_MS)
		message_make(ret, GROUP_CPG_ERROR_SIZE, MSG_COROSYNC_STUCK,
			     "corosync has delivered no message for %" PRIu64
			     " s: see whether it hangs or was stopped, and the network",
			     (now - g->flight_since_ms) / 1000);
	else if (o->twin != 0)
		message_make(ret, GROUP_CPG_ERROR_SIZE, MSG_DAEMON_RUNS_ALREADY,
			     "another dlmirrord of this node, process %" PRIu32
			     ", is in the group: stop it",
			     o->twin);
	else if (o->ghost != 0)
		message_make(ret, GROUP_CPG_ERROR_SIZE, MSG_ANOTHER_VIEW,
			     "corosync lists a daemon of node %" PRIu32
			     ", which is not in its ring: if that lasts, restart corosync here",
			     o->ghost);
	else if (o->differs != 0)
		message_make(ret, GROUP_CPG_ERROR_SIZE, MSG_ANOTHER_VIEW,
			     "node %" PRIu32
			     " was told another view of the group than we: restart corosync there",
			     o->differs);
}

void group_cpg_status(const struct group_cpg *g, struct group_cpg_status *ret)
{
	const struct group_order *o = &g->order;

	*ret = (struct group_cpg_status){
	    .connected = g->link != NULL,
	    .joined = o->joined,
	    .quorate = o->quorate,
	    .node = g->node,
	    .view_count = o->told_count,
	    .ring_seq = o->ring.seq,
	    .ring_node = o->ring.node,
	    .sent = g->sent,
	    .received = g->received,
	    .sent_bytes = g->sent_bytes,
	    .received_bytes = g->received_bytes,
	    .retries = g->retries,
	    .queued = g->queue_count,
	    .refused = g->refused,
	    .reconnects = g->connections > 0 ? g->connections - 1 : 0,
	};
	for (uint32_t i = 0; i < o->told_count; i++)
		ret->view[i] = o->told[i].node;
	if (g->alone) {
		ret->view[0] = g->node;
		ret->view_count = 1;
	}
	memcpy(ret->cluster, g->cluster, sizeof(ret->cluster));
	problem_now(g, ret->problem);
}

/* ---- life */

int group_cpg_create(const char *group, const struct group_cpg_callbacks *callbacks, void *context,
		     struct group_cpg **ret)
{
	struct group_cpg *g = calloc(1, sizeof(*g));
	int error;

	assert(strlen(group) < CPG_MAX_NAME_LENGTH);
	if (g == NULL)
		return -ENOMEM;
	g->callbacks = callbacks;
	g->context = context;
	g->name = strdup(group);
	STAILQ_INIT(&g->queue);
	STAILQ_INIT(&g->flight);
	g->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	g->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	g->opened_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	error = g->name == NULL						 ? -ENOMEM
		: g->epoll_fd < 0 || g->timer_fd < 0 || g->opened_fd < 0 ? -errno
									 : 0;
	if (error == 0)
		error = watch(g, EPOLL_CTL_ADD, g->timer_fd, SOURCE_TIMER, EPOLLIN);
	if (error == 0)
		error = watch(g, EPOLL_CTL_ADD, g->opened_fd, SOURCE_OPENED, EPOLLIN);
	if (error != 0) {
		group_cpg_destroy(g);
		return error;
	}
	opening_start(g);
	timer_set(g);
	*ret = g;
	return 0;
}

struct group_cpg *group_cpg_destroy(struct group_cpg *g)
{
	if (g == NULL)
		return NULL;
	link_close(g->opening, 0);
	link_close(g->link, LEAVE_WAIT_MS);
	queue_clear(g);
	if (g->opened_fd >= 0)
		close(g->opened_fd);
	if (g->timer_fd >= 0)
		close(g->timer_fd);
	if (g->epoll_fd >= 0)
		close(g->epoll_fd);
	free(g->name);
	free(g);
	return NULL;
}
