/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One request of a thread and its answer: sent again after 15 s and on -EAGAIN, each time with a
 * new sequence number, and around that the reconnect when nobody is there.
 *
 *	ASKED --answer--> ANSWERED
 *	  | -ESRCH
 *	  v
 *	PAUSED --2 s--> CONSTRUCTING --error--> PAUSED
 *			  | CTR answered 0
 *			  v
 *			RESUMING --RESUME answered 0--> ASKED again
 *			  | error
 *			  v
 *			ANSWERED -ESRCH
 *
 * What the kernel does with the size of an answer is kept to the letter: a wrong one spoils the
 * room for the answer to a repetition, and short data leaves the caller with what was in its memory.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/cursor.h"
#include "test/sim/kernel_internal.h"

#define UNINITIALIZED 0xa5
#define AGAIN_MIN_US  60U
#define AGAIN_MAX_US  280U

static void call_result(struct thread *t, int error, bool unheard);

void thread_reset(struct thread *t, struct kernel *k, void (*go_on)(struct thread *t))
{
	t->kernel = k;
	t->set = NULL;
	t->go_on = go_on;
	t->call.stage = CALL_NONE;
	t->call.waiting = false;
	t->timer = false;
	t->life++;
}

/* ---- out */

#define ASKS(NAME)                                                                                 \
	case ULOG_##NAME:                                                                          \
		world_trace(k->world, k->node,                                                     \
			    "kernel " #NAME " %" PRIu64 " +%" PRIu64 ", seq %" PRIu64, first,      \
			    more, seq);                                                            \
		break

static void asks_trace(const struct kernel *k, enum ulog_type type, uint64_t first, uint64_t more,
		       uint64_t seq)
{
	switch (type) {
		ASKS(CTR);
		ASKS(DTR);
		ASKS(PRESUSPEND);
		ASKS(POSTSUSPEND);
		ASKS(RESUME);
		ASKS(GET_REGION_SIZE);
		ASKS(IS_CLEAN);
		ASKS(IN_SYNC);
		ASKS(FLUSH);
		ASKS(MARK_REGION);
		ASKS(CLEAR_REGION);
		ASKS(GET_RESYNC_WORK);
		ASKS(SET_REGION_SYNC);
		ASKS(GET_SYNC_COUNT);
		ASKS(STATUS_INFO);
		ASKS(STATUS_TABLE);
		ASKS(IS_REMOTE_RECOVERING);
	case ULOG_TYPES:
		break;
	}
}

static int datagram_send(struct thread *t, enum ulog_type type, const void *payload, uint32_t size)
{
	struct kernel *k = t->kernel;
	struct kmsg m = {.cn_seq = t->call.seq,
			 .seq = t->call.seq,
			 .version = 3,
			 .luid = t->set->log.luid,
			 .request_type = type,
			 .data_size = size,
			 .data = payload};
	uint8_t datagram[KMSG_SIZE_MAX + 3];
	uint64_t first = 0;

	memcpy(m.uuid, k->mirror->uuid, strlen(k->mirror->uuid));
	if (type != ULOG_CTR && size > 0)
		memcpy(&first, payload, sizeof(first));
	asks_trace(k, type, first, size == 0 ? 0 : size / sizeof(first) - 1, t->call.seq);
	k->counters.requests++;
	k->counters.request[type]++;
	return node_kernel_datagram(k->node, datagram,
				    kmsg_encode_request(&m, datagram, sizeof(datagram)));
}

static void on_timer(void *context, uint64_t argument);

/* One timer event at most for each thread: it looks again when it comes too early. */
static void timer_arm(struct thread *t)
{
	uint64_t due = t->call.sent_us + RESEND_US;

	if (t->timer)
		return;
	t->timer = true;
	world_after(t->kernel->world, due - world_now_us(t->kernel->world), on_timer, t, t->life);
}

static void call_send(struct thread *t)
{
	struct call *c = &t->call;
	const char *arguments = t->set->log.arguments;
	int error;

	c->seq = node_host(t->kernel->node)->seq++;
	c->waiting = true;
	c->sent_us = world_now_us(t->kernel->world);
	if (c->stage == CALL_CONSTRUCTING)
		/* With its NUL, unlike the first time. */
		error = datagram_send(t, ULOG_CTR, arguments, (uint32_t)strlen(arguments) + 1);
	else if (c->stage == CALL_RESUMING)
		error = datagram_send(t, ULOG_RESUME, NULL, 0);
	else
		error = datagram_send(t, c->type, c->payload, c->size);
	if (error != 0)
		call_result(t, error, true);
	else
		timer_arm(t);
}

static void on_timer(void *context, uint64_t argument)
{
	struct thread *t = context;

	if (t->life != argument)
		return;
	t->timer = false;
	if (!t->call.waiting)
		return;
	if (world_now_us(t->kernel->world) < t->call.sent_us + RESEND_US) {
		timer_arm(t);
		return;
	}
	t->kernel->counters.resent++;
	call_send(t);
	if (t->call.stage == CALL_ANSWERED)
		t->go_on(t);
}

static void on_pause_over(void *context, uint64_t argument)
{
	struct thread *t = context;

	if (t->life != argument)
		return;
	assert(t->call.stage == CALL_PAUSED);
	t->call.stage = CALL_CONSTRUCTING;
	t->call.no_room = 0;
	call_send(t);
	if (t->call.stage == CALL_ANSWERED)
		t->go_on(t);
}

static void on_again(void *context, uint64_t argument)
{
	struct thread *t = context;

	if (t->life != argument)
		return;
	t->kernel->counters.resent++;
	call_send(t);
	if (t->call.stage == CALL_ANSWERED)
		t->go_on(t);
}

/* -EAGAIN: as soon as the thread has woken up. */
static void call_again(struct thread *t)
{
	t->call.waiting = false;
	world_after(t->kernel->world, random_between(t->kernel->random, AGAIN_MIN_US, AGAIN_MAX_US),
		    on_again, t, t->life);
}

/* ---- results */

static void call_pause(struct thread *t)
{
	t->call.stage = CALL_PAUSED;
	world_after(t->kernel->world, RECONNECT_US, on_pause_over, t, t->life);
}

static void call_answered(struct thread *t, int error, bool unheard)
{
	t->call.stage = CALL_ANSWERED;
	t->call.error = error;
	t->call.unheard = unheard;
	/* A log that should not fail did, and no daemon said so. But nobody concludes anything from
	 * a count for `dmsetup status`, which may be of a table that is only loaded. */
	if (error != 0 && unheard && t->call.reconnects && t->call.type != ULOG_GET_SYNC_COUNT)
		t->set->misled = true;
}

/* What dm_consult_userspace() returns. */
static void call_result(struct thread *t, int error, bool unheard)
{
	struct call *c = &t->call;

	c->waiting = false;
	switch (c->stage) {
	case CALL_ASKED:
		if (error != -ESRCH || !c->reconnects) {
			call_answered(t, error, unheard);
			return;
		}
		t->kernel->counters.reconnects++;
		call_pause(t);
		return;
	case CALL_CONSTRUCTING:
		if (error != 0) {
			call_pause(t);
			return;
		}
		c->stage = CALL_RESUMING;
		c->no_room = 0;
		call_send(t);
		return;
	case CALL_RESUMING:
		if (error != 0) {
			call_answered(t, -ESRCH, unheard);
			return;
		}
		c->stage = CALL_ASKED;
		call_send(t);
		return;
	case CALL_NONE:
	case CALL_PAUSED:
	case CALL_ANSWERED:
		break;
	}
	assert(false && "a result without a request");
}

static bool call_start(struct thread *t, enum ulog_type type, const void *payload, uint32_t size,
		       uint32_t room, bool reconnects)
{
	struct call *c = &t->call;

	if (c->stage == CALL_NONE) {
		c->stage = CALL_ASKED;
		c->type = type;
		c->payload = payload;
		c->size = size;
		c->room = room;
		c->no_room = 0;
		c->reconnects = reconnects;
		c->begun_us = world_now_us(t->kernel->world);
		memset(c->data, UNINITIALIZED, 2 * sizeof(uint64_t));
		call_send(t);
	}
	assert(c->type == type);
	if (c->stage != CALL_ANSWERED)
		return false;
	c->stage = CALL_NONE;
	return true;
}

bool thread_consult(struct thread *t, enum ulog_type type, const void *payload, uint32_t size,
		    uint32_t room)
{
	return call_start(t, type, payload, size, room, false);
}

bool thread_request(struct thread *t, enum ulog_type type, const void *payload, uint32_t size,
		    uint32_t room)
{
	return call_start(t, type, payload, size, room, true);
}

uint64_t call_word(const struct call *c, unsigned index)
{
	uint64_t word;

	memcpy(&word, c->data + index * sizeof(word), sizeof(word));
	return word;
}

/* ---- in */

struct answer {
	uint32_t seq;
	bool ack; /* without data */
	int error;
	uint32_t data_size;
	const uint8_t *data;
};

/* False: nothing that the kernel would look at. */
static bool answer_read(const uint8_t *datagram, size_t size, struct answer *ret)
{
	struct reader r = reader_of(datagram, size);
	uint32_t seq;
	uint32_t ack;
	uint16_t length;

	read_bytes(&r, 16); /* nlmsghdr */
	read_bytes(&r, 8);  /* id */
	seq = read_native_u32(&r);
	ack = read_native_u32(&r);
	length = read_native_u16(&r);
	read_native_u16(&r); /* flags */
	if (r.failed)
		return false;
	*ret = (struct answer){.seq = seq, .ack = length == 0, .error = -(int)ack};
	if (length == 0)
		return true;
	read_bytes(&r, 8 + KMSG_UUID_SIZE + 3 + 4); /* luid, uuid, padding, version */
	ret->error = (int)read_native_u32(&r);
	ret->seq = read_native_u32(&r);
	read_native_u32(&r); /* request type: the kernel does not compare it */
	ret->data_size = read_native_u32(&r);
	/* The kernel would believe data_size and copy what is not there. */
	ret->data = read_bytes(&r, ret->data_size);
	return !r.failed;
}

/* fill_pkg(): the error that the thread sees; its receive size may change. */
static int answer_take(struct call *c, const struct answer *a)
{
	uint32_t *room = c->stage == CALL_ASKED ? &c->room : &c->no_room;

	if (a->ack) {
		if (a->error != -EAGAIN)
			*room = 0;
		return a->error;
	}
	if (a->data_size > *room) {
		*room = 0;
		return -ENOSPC;
	}
	if (a->data_size > 0)
		memcpy(c->data, a->data, a->data_size);
	*room = a->data_size;
	return a->error;
}

static void thread_answer(struct thread *t, const struct answer *a)
{
	int error = answer_take(&t->call, a);

	t->kernel->counters.replies++;
	world_trace(t->kernel->world, t->kernel->node,
		    "kernel has answer %" PRIu64 ": error %" PRIu64 ", %" PRIu64, a->seq,
		    (uint64_t) - (int64_t)error, a->data_size >= 8 ? call_word(&t->call, 0) : 0);
	if (error == -EAGAIN)
		call_again(t);
	else
		call_result(t, error, false);
	if (t->call.stage == CALL_ANSWERED)
		t->go_on(t);
}

static bool thread_waits(const struct thread *t, uint32_t seq)
{
	return t->call.waiting && t->call.seq == seq;
}

static struct thread *thread_find(struct kernel *k, uint32_t seq)
{
	for (unsigned i = 0; i < SETS; i++) {
		if (thread_waits(&k->set[i].kmirrord, seq))
			return &k->set[i].kmirrord;
		if (thread_waits(&k->set[i].dmlogd, seq))
			return &k->set[i].dmlogd;
	}
	if (thread_waits(&k->admin, seq))
		return &k->admin;
	for (unsigned i = 0; i < VISITORS; i++)
		if (thread_waits(&k->visitor[i], seq))
			return &k->visitor[i];
	return NULL;
}

/* I8: one reply to each request; those that sent it again wait with another number. Who does not
 * wait any more may get a late one. Bare acknowledgements are not counted: a new daemon sends them
 * for whatever the one before may have read (-EAGAIN). */
static void answer_count(struct kernel *k, uint32_t seq)
{
	uint64_t *newest = &k->answered[seq % ANSWERED];

	if ((int32_t)(seq - node_host(k->node)->seq) >= 0)
		world_violation(k->world, "I8",
				"node %" PRIu32 " answers request %" PRIu32
				", which nobody has made",
				node_id(k->node), seq);
	if (*newest == (uint64_t)seq + 1)
		world_violation(k->world, "I8",
				"node %" PRIu32 " answers request %" PRIu32 " twice",
				node_id(k->node), seq);
	*newest = (uint64_t)seq + 1;
}

bool kernel_reply(struct kernel *k, const uint8_t *datagram, size_t size)
{
	struct answer a;
	struct thread *t;

	if (!answer_read(datagram, size, &a)) {
		world_violation(k->world, "reply", "node %" PRIu32 ": %zu bytes are no reply",
				node_id(k->node), size);
		return false;
	}
	if (!a.ack)
		answer_count(k, a.seq);
	t = thread_find(k, a.seq);
	if (t == NULL) {
		k->counters.late++;
		return false;
	}
	thread_answer(t, &a);
	return true;
}
