/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The group port against a corosync that is made here: what it is told, what it must tell. This
 * node is 1. The order of the fake's events is that of the real corosync (group_cpg_order.c).
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <corosync/cmap.h>
#include <corosync/cpg.h>
#include <corosync/quorum.h>

#include "base/crc32c.h"
#include "base/cursor.h"
#include "daemons/dlmirrord/group_cpg.h"

#define EVENTS_MAX 8192U
#define LIST_MAX   64U

/* ---- the clock: real, and what the test adds; at each look a little, because no two are at the
 * same time */

static uint64_t added_ms;

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	int result = __real_clock_gettime(clock, ret);

	if (clock == CLOCK_MONOTONIC) {
		added_ms++;
		ret->tv_sec += (time_t)(added_ms / 1000);
		ret->tv_nsec += (long)(added_ms % 1000) * 1000000L;
		ret->tv_sec += ret->tv_nsec / 1000000000L;
		ret->tv_nsec %= 1000000000L;
	}
	return result;
}

/* ---- corosync */

struct address_list {
	size_t count;
	struct cpg_address at[LIST_MAX];
};

enum event_kind { EVENT_MESSAGE, EVENT_CONFCHG, EVENT_TOTEM, EVENT_NODELIST, EVENT_VERDICT };

struct event {
	enum event_kind kind;
	uint32_t node, pid;
	size_t size;
	uint8_t *bytes;
	uint64_t ring;
	bool quorate;
	struct address_list member, left, joined;
};

struct events {
	struct event *at[EVENTS_MAX];
	uint32_t first, count;
	int fd[2];
};

static struct {
	pthread_mutex_t lock;
	/* as corosync.conf says */
	uint32_t nodes;
	uint32_t votes;
	uint32_t expected;
	bool two_node;
	bool device;
	const char *cluster;
	/* as it is */
	cs_error_t refuses; /* all connections */
	uint32_t type;
	uint32_t largest;
	cs_error_t join_error;
	unsigned join_errors;
	bool stopped; /* a new connection waits */
	bool died;
	cs_error_t send_error;
	bool mute; /* what is sent does not come back */
	struct events cpg, quorum;
	cpg_model_v1_data_t cpg_model;
	quorum_model_v1_data_t quorum_model;
	void *context;
	unsigned opened, closed, joins;
	unsigned sent;
	struct event *kept[EVENTS_MAX]; /* sent while mute */
	unsigned kept_count;
	uint64_t ring;		   /* of what is delivered */
	uint64_t number[LIST_MAX]; /* of each node's last message in it */
} fake;

static void lock(void)
{
	pthread_mutex_lock(&fake.lock);
}

static void unlock(void)
{
	pthread_mutex_unlock(&fake.lock);
}

static void events_clear(struct events *e)
{
	for (uint32_t i = e->first; i < e->count; i++) {
		free(e->at[i]->bytes);
		free(e->at[i]);
	}
	e->first = e->count = 0;
}

static void push(struct events *e, const struct event *event)
{
	assert_true(e->count < EVENTS_MAX);
	e->at[e->count] = malloc(sizeof(*event));
	assert_non_null(e->at[e->count]);
	*e->at[e->count++] = *event;
	assert_int_equal(write(e->fd[1], "x", 1), 1);
}

static struct event *pop(struct events *e)
{
	char byte;

	if (e->first == e->count)
		return NULL;
	assert_int_equal(read(e->fd[0], &byte, 1), 1);
	return e->at[e->first++];
}

static void pair_open(struct events *e)
{
	if (e->fd[0] > 0) {
		close(e->fd[0]);
		if (e->fd[1] > 0)
			close(e->fd[1]);
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, e->fd), 0);
}

/* ---- libcmap */

cs_error_t cmap_initialize(cmap_handle_t *handle)
{
	cs_error_t error;

	for (;;) {
		bool stopped;

		lock();
		stopped = fake.stopped;
		error = fake.refuses;
		unlock();
		if (!stopped)
			break;
		usleep(1000);
	}
	*handle = 1;
	return error;
}

cs_error_t cmap_finalize(cmap_handle_t handle)
{
	(void)handle;
	return CS_OK;
}

cs_error_t cmap_get_string(cmap_handle_t handle, const char *key, char **ret)
{
	const char *value = NULL;

	(void)handle;
	if (strcmp(key, "totem.cluster_name") == 0)
		value = fake.cluster;
	else if (strcmp(key, "quorum.device.model") == 0 && fake.device)
		value = "net";
	if (value == NULL)
		return CS_ERR_NOT_EXIST;
	*ret = strdup(value);
	return CS_OK;
}

cs_error_t cmap_get_uint32(cmap_handle_t handle, const char *key, uint32_t *ret)
{
	unsigned place;
	char rest[32];

	(void)handle;
	if (sscanf(key, "nodelist.node.%u.%31s", &place, rest) == 2) {
		if (strcmp(rest, "nodeid") == 0)
			*ret = place + 1;
		else if (strcmp(rest, "quorum_votes") == 0 && fake.votes != 0 && place == 0)
			*ret = fake.votes;
		else
			return CS_ERR_NOT_EXIST;
		return CS_OK;
	}
	if (strcmp(key, "quorum.expected_votes") != 0 || fake.expected == 0)
		return CS_ERR_NOT_EXIST;
	*ret = fake.expected;
	return CS_OK;
}

cs_error_t cmap_get_uint8(cmap_handle_t handle, const char *key, uint8_t *ret)
{
	(void)handle;
	if (strcmp(key, "quorum.two_node") != 0)
		return CS_ERR_NOT_EXIST;
	*ret = fake.two_node;
	return CS_OK;
}

cs_error_t cmap_iter_init(cmap_handle_t handle, const char *prefix, cmap_iter_handle_t *ret)
{
	(void)handle;
	assert_string_equal(prefix, "nodelist.node.");
	*ret = 0;
	fake.joins = 0;
	return CS_OK;
}

/* Two keys of each node. */
cs_error_t cmap_iter_next(cmap_handle_t handle, cmap_iter_handle_t iter, char key[], size_t *size,
			  cmap_value_types_t *type)
{
	static const char *const rest[] = {"nodeid", "ring0_addr"};

	(void)handle;
	(void)iter;
	(void)size;
	(void)type;
	if (fake.joins >= 2 * fake.nodes)
		return CS_ERR_NO_SECTIONS;
	snprintf(key, CMAP_KEYNAME_MAXLEN + 1, "nodelist.node.%u.%s", fake.joins / 2,
		 rest[fake.joins % 2]);
	fake.joins++;
	return CS_OK;
}

cs_error_t cmap_iter_finalize(cmap_handle_t handle, cmap_iter_handle_t iter)
{
	(void)handle;
	(void)iter;
	return CS_OK;
}

/* ---- libquorum */

cs_error_t quorum_model_initialize(quorum_handle_t *handle, quorum_model_t model,
				   quorum_model_data_t *data, uint32_t *type, void *context)
{
	lock();
	assert_int_equal(model, QUORUM_MODEL_V1);
	memcpy(&fake.quorum_model, data, sizeof(fake.quorum_model));
	fake.context = context;
	*type = fake.type;
	*handle = 2;
	fake.opened++;
	unlock();
	return CS_OK;
}

cs_error_t quorum_finalize(quorum_handle_t handle)
{
	assert_int_equal(handle, 2);
	lock();
	fake.closed++;
	unlock();
	return CS_OK;
}

cs_error_t quorum_fd_get(quorum_handle_t handle, int *fd)
{
	(void)handle;
	*fd = fake.quorum.fd[0];
	return CS_OK;
}

cs_error_t quorum_context_get(quorum_handle_t handle, const void **ret)
{
	(void)handle;
	*ret = fake.context;
	return CS_OK;
}

cs_error_t quorum_trackstart(quorum_handle_t handle, unsigned flags)
{
	(void)handle;
	assert_int_equal(flags, CS_TRACK_CHANGES);
	return CS_OK;
}

static void ids(const struct address_list *list, uint32_t *ret)
{
	for (size_t i = 0; i < list->count; i++)
		ret[i] = list->at[i].nodeid;
}

cs_error_t quorum_dispatch(quorum_handle_t handle, cs_dispatch_flags_t flags)
{
	struct event *e;

	assert_int_equal(flags, CS_DISPATCH_ALL);
	while ((e = pop(&fake.quorum)) != NULL) {
		const struct quorum_ring_id id = {.nodeid = 1, .seq = e->ring};
		uint32_t member[LIST_MAX];
		uint32_t joined[LIST_MAX];

		ids(&e->member, member);
		ids(&e->joined, joined);
		if (e->kind == EVENT_NODELIST)
			fake.quorum_model.nodelist_notify_fn(handle, id, (uint32_t)e->member.count,
							     member, (uint32_t)e->joined.count,
							     joined, 0, NULL);
		else
			fake.quorum_model.quorum_notify_fn(handle, e->quorate, id, 0, NULL);
		free(e);
	}
	return fake.died ? CS_ERR_LIBRARY : CS_OK;
}

/* ---- libcpg */

cs_error_t cpg_model_initialize(cpg_handle_t *handle, cpg_model_t model, cpg_model_data_t *data,
				void *context)
{
	lock();
	assert_int_equal(model, CPG_MODEL_V1);
	memcpy(&fake.cpg_model, data, sizeof(fake.cpg_model));
	assert_ptr_equal(fake.context, context);
	assert_int_equal(fake.cpg_model.flags, CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF);
	*handle = 3;
	fake.opened++;
	unlock();
	return CS_OK;
}

cs_error_t cpg_finalize(cpg_handle_t handle)
{
	assert_int_equal(handle, 3);
	lock();
	fake.closed++;
	unlock();
	return CS_OK;
}

cs_error_t cpg_fd_get(cpg_handle_t handle, int *fd)
{
	(void)handle;
	*fd = fake.cpg.fd[0];
	return CS_OK;
}

cs_error_t cpg_context_get(cpg_handle_t handle, void **ret)
{
	(void)handle;
	*ret = fake.context;
	return CS_OK;
}

cs_error_t cpg_local_get(cpg_handle_t handle, unsigned *ret)
{
	(void)handle;
	*ret = 1;
	return CS_OK;
}

cs_error_t cpg_max_atomic_msgsize_get(cpg_handle_t handle, uint32_t *ret)
{
	(void)handle;
	*ret = fake.largest;
	return CS_OK;
}

cs_error_t cpg_join(cpg_handle_t handle, const struct cpg_name *name)
{
	cs_error_t error = CS_OK;

	(void)handle;
	assert_int_equal(name->length, 4);
	assert_memory_equal(name->value, "test", 4);
	lock();
	if (fake.join_errors > 0) {
		fake.join_errors--;
		error = fake.join_error;
	}
	unlock();
	return error;
}

cs_error_t cpg_mcast_joined(cpg_handle_t handle, cpg_guarantee_t guarantee,
			    const struct iovec *data, unsigned count)
{
	struct event e = {.kind = EVENT_MESSAGE, .node = 1, .pid = (uint32_t)getpid()};

	(void)handle;
	assert_int_equal(guarantee, CPG_TYPE_AGREED);
	assert_int_equal(count, 1);
	if (fake.send_error != CS_OK)
		return fake.send_error;
	fake.sent++;
	e.size = data->iov_len;
	e.bytes = malloc(e.size);
	assert_non_null(e.bytes);
	memcpy(e.bytes, data->iov_base, e.size);
	if (!fake.mute) {
		push(&fake.cpg, &e);
		return CS_OK;
	}
	fake.kept[fake.kept_count] = malloc(sizeof(e));
	assert_non_null(fake.kept[fake.kept_count]);
	*fake.kept[fake.kept_count++] = e;
	return CS_OK;
}

cs_error_t cpg_dispatch(cpg_handle_t handle, cs_dispatch_flags_t flags)
{
	const struct cpg_name name = {.length = 4, .value = "test"};
	struct event *e = pop(&fake.cpg);

	assert_int_equal(flags, CS_DISPATCH_ONE_NONBLOCKING);
	if (e == NULL)
		return fake.died ? CS_ERR_LIBRARY : CS_ERR_TRY_AGAIN;
	if (e->kind == EVENT_MESSAGE)
		fake.cpg_model.cpg_deliver_fn(handle, &name, e->node, e->pid, e->bytes, e->size);
	else if (e->kind == EVENT_CONFCHG)
		fake.cpg_model.cpg_confchg_fn(handle, &name, e->member.at, e->member.count,
					      e->left.at, e->left.count, e->joined.at,
					      e->joined.count);
	else
		fake.cpg_model.cpg_totem_confchg_fn(
		    handle, (struct cpg_ring_id){.nodeid = 1, .seq = e->ring}, 0, NULL);
	free(e->bytes);
	free(e);
	return CS_OK;
}

/* ---- what happens in the cluster: "2", "2:77" with another pid, "2d" a reason */

static uint32_t pid_of(uint32_t node)
{
	return node == 1 ? (uint32_t)getpid() : 1000 + node;
}

static uint32_t reason_of(char letter)
{
	switch (letter) {
	case 'd':
		return CPG_REASON_NODEDOWN;
	case 'u':
		return CPG_REASON_NODEUP;
	case 'p':
		return CPG_REASON_PROCDOWN;
	case 'l':
		return CPG_REASON_LEAVE;
	default:
		return CPG_REASON_JOIN;
	}
}

static struct address_list parse(const char *text)
{
	struct address_list list = {0};

	while (*text != '\0') {
		struct cpg_address *a = &list.at[list.count++];
		char *end;

		assert_true(list.count <= LIST_MAX);
		a->nodeid = (uint32_t)strtoul(text, &end, 10);
		a->pid = pid_of(a->nodeid);
		if (*end == ':')
			a->pid = (uint32_t)strtoul(end + 1, &end, 10);
		a->reason = reason_of(*end);
		while (*end != '\0' && *end != ' ')
			end++;
		while (*end == ' ')
			end++;
		text = end;
	}
	return list;
}

static void nodelist(uint64_t ring, const char *member, const char *joined)
{
	push(&fake.quorum, &(struct event){.kind = EVENT_NODELIST,
					   .ring = ring,
					   .member = parse(member),
					   .joined = parse(joined)});
}

static void verdict(uint64_t ring, bool quorate)
{
	push(&fake.quorum,
	     &(struct event){.kind = EVENT_VERDICT, .ring = ring, .quorate = quorate});
}

static void confchg(const char *member, const char *left, const char *joined)
{
	const struct address_list list = parse(joined);

	for (size_t i = 0; i < list.count; i++)
		fake.number[list.at[i].nodeid] = 0;
	push(&fake.cpg, &(struct event){.kind = EVENT_CONFCHG,
					.member = parse(member),
					.left = parse(left),
					.joined = parse(joined)});
}

static void totem(uint64_t ring)
{
	push(&fake.cpg, &(struct event){.kind = EVENT_TOTEM, .ring = ring});
	fake.ring = ring;
	memset(fake.number, 0, sizeof(fake.number));
}

static void deliver_bytes(uint32_t node, uint32_t pid, const void *bytes, size_t size)
{
	struct event e = {.kind = EVENT_MESSAGE, .node = node, .pid = pid, .size = size};

	e.bytes = malloc(size);
	assert_non_null(e.bytes);
	memcpy(e.bytes, bytes, size);
	push(&fake.cpg, &e);
}

/* As dlmirror-protocol(7) says. */
static size_t envelope(uint8_t *ret, unsigned kind, uint64_t ring, uint64_t value)
{
	struct writer w = writer_of(ret, 32);

	write_u32(&w, 0x656d6c64);
	write_u32(&w, 0);
	write_u16(&w, 1);
	write_u16(&w, (uint16_t)kind);
	write_u32(&w, 1);
	write_u64(&w, ring);
	write_u64(&w, value);
	w = writer_of(ret + 4, 4);
	write_u32(&w, crc32c(ret + 8, 24));
	return 32;
}

static void deliver_as(uint32_t node, uint32_t pid, uint64_t ring, uint64_t number,
		       const char *text)
{
	uint8_t bytes[256];
	size_t head = envelope(bytes, 1, ring, number);

	memcpy(bytes + head, text, strlen(text) + 1);
	deliver_bytes(node, pid, bytes, head + strlen(text) + 1);
}

static void deliver(uint32_t node, const char *text)
{
	deliver_as(node, pid_of(node), fake.ring, ++fake.number[node], text);
}

static void control(uint32_t node, unsigned kind, uint64_t value)
{
	uint8_t bytes[32];

	deliver_bytes(node, pid_of(node), bytes, envelope(bytes, kind, fake.ring, value));
}

/* The others see that a verdict has changed. */
static void quorate(uint32_t node, bool is)
{
	control(node, 2, is);
}

/* What was sent while mute comes now. */
static void release(void)
{
	for (unsigned i = 0; i < fake.kept_count; i++) {
		push(&fake.cpg, fake.kept[i]);
		free(fake.kept[i]);
	}
	fake.kept_count = 0;
	fake.mute = false;
}

/* ---- the owner, who writes down what it is told */

static char trace[8192];
static size_t trace_length;
static struct group_cpg *group;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	trace_length +=
	    (size_t)vsnprintf(trace + trace_length, sizeof(trace) - trace_length, format, list);
	va_end(list);
	assert_true(trace_length < sizeof(trace));
}

static void on_view(void *context, const uint32_t *node, uint32_t count, bool quorate, bool joined)
{
	assert_ptr_equal(context, &trace);
	say("view");
	for (uint32_t i = 0; i < count; i++)
		say(" %" PRIu32, node[i]);
	say("%s%s\n", quorate ? " quorate" : "", joined ? " joined" : "");
}

static void on_message(void *context, uint32_t sender, const void *datagram, size_t size)
{
	assert_ptr_equal(context, &trace);
	if (size > 64)
		say("message %" PRIu32 " of %zu\n", sender, size);
	else
		say("message %" PRIu32 " %s\n", sender, (const char *)datagram);
}

static void on_connected(void *context, uint32_t node, const char *cluster)
{
	assert_ptr_equal(context, &trace);
	say("connected %" PRIu32 " %s\n", node, cluster);
}

static const struct group_cpg_callbacks callbacks = {
    .view = on_view, .message = on_message, .connected = on_connected};

static void turn(void)
{
	for (unsigned i = 0; i < 4; i++)
		group_cpg_dispatch(group);
}

/* What was told since the last time. */
static void expect_at(const char *text, int line)
{
	turn();
	if (strcmp(trace, text) != 0)
		print_error("line %d: expected\n%sgot\n%s", line, text, trace);
	assert_string_equal(trace, text);
	trace_length = 0;
	trace[0] = '\0';
}
#define expect(text) expect_at(text, __LINE__)

static void pass_s(uint64_t seconds)
{
	added_ms += seconds * 1000;
}

static struct group_cpg_status status(void)
{
	struct group_cpg_status s;

	group_cpg_status(group, &s);
	return s;
}

static void expect_problem(const char *part)
{
	struct group_cpg_status s = status();

	if (part == NULL)
		assert_string_equal(s.problem, "");
	else if (strstr(s.problem, part) == NULL)
		fail_msg("'%s' is not in '%s'", part, s.problem);
}

/* Until the opening thread has done what it can. */
static void opened(void)
{
	for (unsigned i = 0; i < 5000; i++) {
		group_cpg_dispatch(group);
		if (status().connected || status().problem[0] != '\0')
			return;
		usleep(1000);
	}
	fail_msg("not connected");
}

static void closed(void)
{
	for (unsigned i = 0; i < 5000; i++) {
		bool even;

		lock();
		even = fake.closed == fake.opened;
		unlock();
		if (even)
			return;
		usleep(1000);
	}
	fail_msg("not closed");
}

static int setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	pthread_mutex_init(&fake.lock, NULL);
	fake.nodes = 3;
	fake.cluster = "rig";
	fake.refuses = CS_OK;
	fake.send_error = CS_OK;
	fake.type = QUORUM_SET;
	fake.largest = 1 << 20;
	pair_open(&fake.cpg);
	pair_open(&fake.quorum);
	trace_length = 0;
	trace[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	group = group_cpg_destroy(group);
	closed();
	release();
	events_clear(&fake.cpg);
	events_clear(&fake.quorum);
	for (unsigned i = 0; i < 2; i++) {
		close(fake.cpg.fd[i]);
		close(fake.quorum.fd[i]);
	}
	return 0;
}

static void start(void)
{
	assert_int_equal(group_cpg_create("test", &callbacks, &trace, &group), 0);
	opened();
}

/* In ring 8 of all three, with the daemons of `nodes` in the group, ours last. */
static void start_in(const char *nodes)
{
	start();
	nodelist(8, "1 2 3", "");
	verdict(8, true);
	confchg(nodes, "", "1j");
	totem(8);
	turn();
	trace_length = 0;
	trace[0] = '\0';
}

/* ---- the stories */

static void test_start(void **state)
{
	(void)state;
	start();
	expect("connected 1 rig\n");
	nodelist(8, "1 2 3", "");
	expect("");
	confchg("1", "", "1j");
	totem(8);
	expect(""); /* corosync has not judged its ring */
	group_cpg_send(group, "lost", 5);
	verdict(8, true);
	expect("view 1 quorate joined\n");
	group_cpg_send(group, "hello", 6);
	expect("message 1 hello\n");
	confchg("1 2", "", "2j");
	deliver(2, "here");
	confchg("1 2 3", "", "3j");
	expect("view 1 2 quorate joined\nmessage 2 here\nview 1 2 3 quorate joined\n");
	assert_true(status().joined);
	assert_true(status().quorate);
	assert_int_equal(status().view_count, 3);
	assert_int_equal(status().ring_seq, 8);
	assert_int_equal(status().refused, 0);
	expect_problem(NULL);
}

static void test_others_first(void **state)
{
	(void)state;
	start();
	nodelist(8, "1 2 3", "");
	verdict(8, true);
	totem(8); /* the initial one may come before our own join */
	confchg("3 1 2", "", "1j");
	expect("connected 1 rig\nview 1 2 3 quorate joined\n");
}

static void test_leave(void **state)
{
	(void)state;
	start_in("1 2 3");
	deliver(2, "bye");
	confchg("1 3", "2l", "");
	deliver(2, "too late");
	confchg("1", "3p", "");
	expect("message 2 bye\nview 1 3 quorate\nview 1 quorate\n");
	assert_int_equal(status().refused, 1);
}

static void test_death(void **state)
{
	(void)state;
	start_in("1 2 3");
	deliver(2, "before");
	deliver(3, "last words");
	confchg("1 2", "3d", "");
	totem(12);
	deliver(2, "after");
	expect("message 2 before\nmessage 3 last words\n"); /* libquorum has not said */
	nodelist(12, "1 2", "");
	expect("");
	verdict(12, true);
	expect("view 1 2 quorate\nmessage 2 after\n");
}

static void test_several_at_once(void **state)
{
	(void)state;
	start_in("1 2 3");
	nodelist(12, "1", "");
	verdict(12, false);
	confchg("1", "2d 3d", "");
	totem(12);
	expect("view 1\n");
	nodelist(16, "1 2 3", "2 3");
	verdict(16, true);
	confchg("1 2 3", "", "2u 3u");
	totem(16);
	expect("view 1 2 3 quorate joined\n");
}

/* The daemons of 2 and 3 were away together for one ring; nothing else has changed. */
static void test_leavers_and_joiners_in_one_ring(void **state)
{
	(void)state;
	start_in("1 2 3");
	confchg("1", "2d 3d", "");
	confchg("1 2 3", "", "2u 3u");
	totem(20);
	nodelist(20, "1 2 3", "2 3");
	verdict(20, true);
	expect("view 1\nview 1 2 3 quorate joined\n");
}

static void test_majority_goes_on(void **state)
{
	(void)state;
	start_in("1 2 3");
	confchg("1 2", "3d", "");
	confchg("1 2 3:77", "", "3:77u");
	totem(20);
	nodelist(20, "1 2 3", "3");
	verdict(20, true);
	expect("view 1 2 quorate\nview 1 2 3 quorate joined\n");
	deliver(3, "of the old one");
	deliver_as(3, 77, 20, 1, "new");
	expect("message 3 new\n");
	assert_int_equal(status().refused, 1);
}

/* A node without a daemon has a vote, too; when it goes, the view stays as it is. */
static void test_ring_without_daemons(void **state)
{
	(void)state;
	start_in("1");
	nodelist(12, "1 2", "");
	verdict(12, true);
	totem(12);
	expect("");
	nodelist(16, "1", "");
	verdict(16, false);
	totem(16);
	expect("view 1\n");
	/* two others, not together with us */
	nodelist(20, "1 2 3", "2 3");
	verdict(20, true);
	totem(20);
	expect("view 1 quorate\n");
}

/* Who came with us counts, who met us in the new ring does not yet. */
static void test_judged_alone(void **state)
{
	(void)state;
	start_in("1 2");
	confchg("1", "2d", "");
	totem(12);
	nodelist(12, "1 2 3", "2");
	verdict(12, true);
	expect("view 1 quorate\n"); /* 1 and 3, then all */
	totem(16);
	nodelist(16, "1 2 3", "2 3");
	verdict(16, true);
	expect("view 1\nview 1 quorate\n");
}

static void test_quorum_first(void **state)
{
	(void)state;
	start_in("1 2 3");
	nodelist(12, "1 2", "");
	verdict(12, true);
	expect("");
	nodelist(16, "1", "");
	verdict(16, false);
	deliver(3, "still in 8");
	expect("message 3 still in 8\n");
	confchg("1 2", "3d", "");
	totem(12);
	deliver(2, "in 12");
	confchg("1", "2d", "");
	totem(16);
	expect("view 1 2 quorate\nmessage 2 in 12\nview 1\n");
	assert_int_equal(status().ring_seq, 16);
}

/* A ring that broke before all services had it. */
static void test_ring_passed_by(void **state)
{
	(void)state;
	start_in("1 2 3");
	confchg("1 2", "3d", "");
	totem(12);
	expect("");
	nodelist(12, "1 2", "");
	expect("");
	/* Never judged. In the next one 3 is back, and so libquorum tells it of 1 and 2 only. */
	nodelist(16, "1 2 3", "3");
	expect("");
	confchg("1 2 3", "", "3u");
	totem(16);
	expect("");
	verdict(16, true);
	expect("view 1 2 quorate\nview 1 2 3 quorate joined\n");
	assert_int_equal(status().ring_seq, 16);
}

/* Seen in the rig on a busy machine: three rings in 300 ms, of which each service had finished
 * others. */
static void test_rings_passed_by_in_the_rig(void **state)
{
	(void)state;
	start_in("1 2");
	confchg("1", "2d", "");
	totem(12);
	nodelist(12, "1", "");
	confchg("1 3", "", "3u");
	totem(16);
	expect("");
	confchg("1 2 3", "", "2u");
	totem(20);
	nodelist(20, "1 2 3", "2 3");
	verdict(20, true);
	expect("view 1\nview 1 2 3 quorate joined\n");
}

/* CPG has finished 12, libquorum has not: to CPG 2 stays, to libquorum it is new. */
static void test_services_disagree(void **state)
{
	(void)state;
	start_in("1");
	nodelist(12, "1", "");
	verdict(12, false);
	totem(12);
	expect("view 1\n");
	confchg("1 2", "", "2u");
	totem(16);
	totem(20);
	nodelist(20, "1 2", "2");
	verdict(20, true);
	expect("view 1 2 quorate joined\n");
}

/* To CPG nobody went, to libquorum 2 was away. */
static void test_only_libquorum_saw_it_go(void **state)
{
	(void)state;
	start_in("1 2 3");
	totem(20);
	nodelist(20, "1 2 3", "2");
	verdict(20, true);
	expect("view 1 3 quorate\nview 1 2 3 quorate joined\n");
}

/* The same process, but it missed what was between. */
static void test_only_cpg_saw_it_go(void **state)
{
	(void)state;
	start_in("1 2 3");
	confchg("1 3", "2d", "");
	confchg("1 2 3", "", "2u");
	totem(20);
	nodelist(20, "1 2 3", "");
	verdict(20, true);
	expect("view 1 3 quorate\nview 1 2 3 quorate joined\n");
}

/* Nobody's daemon is there but ours; who came in a ring that was passed by did not come with us. */
static void test_votes_of_a_ring_passed_by(void **state)
{
	(void)state;
	start_in("1");
	totem(12);
	nodelist(12, "1 2 3", "2 3");
	nodelist(16, "1 2 3", "");
	totem(16);
	verdict(16, true);
	expect("view 1\nview 1 quorate\n");
}

/* By what we know of the configuration we are a quorum, corosync says no. */
static void test_corosync_disagrees(void **state)
{
	(void)state;
	start_in("1 2 3");
	confchg("1 2", "3d", "");
	totem(12);
	nodelist(12, "1 2", "");
	verdict(12, false);
	expect("view 1 2\n");
}

static void test_joins_while_not_quorate(void **state)
{
	(void)state;
	start();
	nodelist(8, "1 2 3", "");
	verdict(8, true);
	verdict(8, false);
	totem(8);
	expect("connected 1 rig\n");
	confchg("1 2", "", "1j");
	expect("view 1 2 joined\n");
}

static void test_quorum_comes_late(void **state)
{
	(void)state;
	fake.nodes = 2;
	fake.two_node = true;
	start();
	nodelist(8, "1", "");
	verdict(8, false); /* it waits for all */
	confchg("1", "", "1j");
	totem(8);
	expect("connected 1 rig\nview 1 joined\n");
	/* the admin ends that */
	fake.mute = true;
	verdict(8, true);
	expect("");
	release();
	expect("view 1 quorate\n");
	/* with the next ring it is counted again */
	nodelist(12, "1 2", "2");
	verdict(12, true);
	totem(12);
	confchg("1 2", "", "2j");
	expect("view 1 2 quorate joined\n");
	confchg("1", "2d", "");
	totem(16);
	nodelist(16, "1", "");
	verdict(16, true);
	expect("view 1 quorate\n");
}

/* What one of the others hears first counts for all, at its place. */
static void test_quorum_lost_within_a_ring(void **state)
{
	(void)state;
	start_in("1 2 3");
	deliver(2, "before");
	quorate(2, false);
	deliver(2, "after");
	expect("message 2 before\nview 1 2 3\nmessage 2 after\n");
	verdict(8, false);
	expect("");
	verdict(8, true);
	expect("view 1 2 3 quorate\n");
}

/* A device's vote: counted, we are too few. */
static void test_device(void **state)
{
	(void)state;
	fake.nodes = 2;
	fake.device = true;
	start();
	nodelist(8, "1 2", "");
	verdict(8, true);
	confchg("1 2", "", "1j");
	totem(8);
	expect("connected 1 rig\nview 1 2 quorate joined\n");
	nodelist(12, "1", "");
	verdict(12, true);
	confchg("1", "2d", "");
	totem(12);
	expect("view 1\nview 1 quorate\n");
}

static void test_votes(void **state)
{
	(void)state;
	fake.votes = 3; /* of 5 */
	start_in("1 2 3");
	nodelist(12, "1", "");
	verdict(12, true);
	confchg("1", "2d 3d", "");
	totem(12);
	expect("view 1 quorate\n");
}

static void test_expected_votes(void **state)
{
	(void)state;
	fake.expected = 5;
	start_in("1 2 3");
	nodelist(12, "1 2", "");
	verdict(12, false);
	confchg("1 2", "3d", "");
	totem(12);
	expect("view 1 2\n");
}

/* Of the ring before, a verdict that comes now says nothing. */
static void test_verdict_of_another_ring(void **state)
{
	(void)state;
	start_in("1 2 3");
	quorate(2, false);
	expect("view 1 2 3\n");
	confchg("1 2", "3d", "");
	totem(12);
	nodelist(12, "1 2", "");
	verdict(12, true);
	expect("view 1 2\nview 1 2 quorate\n");
	verdict(8, false);
	expect("");
}

static void test_ghost(void **state)
{
	(void)state;
	start_in("1 2 3");
	nodelist(12, "1 2", "");
	verdict(12, true);
	totem(12); /* CPG still lists node 3 */
	deliver(3, "from beyond");
	expect("view 1 2 quorate\n");
	assert_int_equal(status().refused, 2);
	expect_problem("node 3, which is not in its ring");
	confchg("1 2 3 9", "", "9j");
	expect("");
	assert_int_equal(status().refused, 3);
	confchg("1 2", "3p 9p", "");
	expect("");
	expect_problem(NULL);
}

static void test_damaged(void **state)
{
	uint8_t bytes[40];

	(void)state;
	start_in("1 2 3");
	envelope(bytes, 1, 8, 1);
	bytes[30] ^= 1;
	deliver_bytes(2, pid_of(2), bytes, sizeof(bytes));
	bytes[30] ^= 1;
	deliver_bytes(2, pid_of(2), bytes, 31);
	deliver_bytes(2, pid_of(2), bytes, 6);
	deliver_bytes(2, pid_of(2), "not of ours", 12);
	expect("");
	assert_int_equal(status().refused, 4);
	/* of a later version, or kind: nothing that we understand, nothing wrong */
	control(2, 77, 0);
	envelope(bytes, 2, 8, 0);
	write_u16(&(struct writer){.at = bytes + 8, .left = 2}, 2);
	write_u32(&(struct writer){.at = bytes + 4, .left = 4}, crc32c(bytes + 8, 24));
	deliver_bytes(2, pid_of(2), bytes, sizeof(bytes));
	expect("");
	assert_int_equal(status().refused, 4);
}

/* It began in the old ring, and ended in the new one: whoever came with us has it, the others have
 * not. */
static void test_sent_in_another_ring(void **state)
{
	(void)state;
	start_in("1 2 3");
	turn();
	fake.mute = true;
	group_cpg_send(group, "one", 4);
	group_cpg_send(group, "two", 4);
	confchg("1 2", "3d", "");
	totem(12);
	nodelist(12, "1 2", "");
	verdict(12, true);
	deliver_as(2, pid_of(2), 8, 7, "of ring 8");
	deliver(2, "of ring 12");
	expect("view 1 2 quorate\nmessage 2 of ring 12\n");
	/* not before the others have come back */
	group_cpg_send(group, "three", 6);
	assert_int_equal(fake.kept_count, 2);
	release();
	expect("message 1 one\nmessage 1 two\nmessage 1 three\n");
	assert_int_equal(status().queued, 0);
	assert_int_equal(status().refused, 0);
}

static void test_own_message_damaged(void **state)
{
	(void)state;
	start_in("1 2");
	turn();
	fake.mute = true;
	group_cpg_send(group, "hello", 6);
	fake.kept[0]->bytes[33] ^= 1;
	release();
	expect("view 1\n");
	expect_problem("lost a message of ours");
}

/* corosync does not know that it has lost it. */
static void test_message_of_another_lost(void **state)
{
	(void)state;
	start_in("2 3 1");
	deliver_as(2, pid_of(2), 8, 70, "it was there before us");
	deliver_as(2, pid_of(2), 8, 71, "and goes on");
	expect("message 2 it was there before us\nmessage 2 and goes on\n");
	confchg("1 2", "3d", "");
	totem(12);
	nodelist(12, "1 2", "");
	verdict(12, true);
	deliver_as(2, pid_of(2), 12, 2, "its second here");
	expect("view 1 2 quorate\nview 1\n");
	expect_problem("has lost messages of node 2");
}

static void test_told_differently(void **state)
{
	(void)state;
	start_in("1 2");
	confchg("1 2 3", "", "3j");
	control(2, 3, 12345);
	expect("view 1 2 3 quorate joined\n");
	expect_problem(NULL); /* it may not have come that far */
	pass_s(6);
	turn();
	expect_problem("node 2 was told another view");
	confchg("1 3", "2l", "");
	expect("view 1 3 quorate\n");
	expect_problem(NULL);
}

/* What a node says of the view before is no news of this one. */
static void test_told_before(void **state)
{
	(void)state;
	start_in("1 2");
	control(2, 3, 12345);
	turn();
	confchg("1 2 3", "", "3j");
	expect("view 1 2 3 quorate joined\n");
	turn();
	expect_problem(NULL);
}

static void test_second_daemon(void **state)
{
	(void)state;
	start_in("1 2");
	confchg("1 1:77 2", "", "1:77j");
	deliver_as(1, 77, 8, 1, "not me");
	expect("");
	expect_problem("another dlmirrord of this node, process 77");
	assert_int_equal(status().refused, 2);
	confchg("1 2", "1:77l", "");
	expect("");
	expect_problem(NULL);
}

static void test_we_are_the_second(void **state)
{
	(void)state;
	start();
	nodelist(8, "1 2 3", "");
	verdict(8, true);
	confchg("1:77 1 2", "", "1j");
	totem(8);
	expect("connected 1 rig\nview 1\n");
	expect_problem("another dlmirrord of this node, process 77");
	assert_false(status().joined);
	closed();
	events_clear(&fake.cpg);
	events_clear(&fake.quorum);
	pair_open(&fake.cpg);
	pair_open(&fake.quorum);
	pass_s(2);
	turn();
	for (unsigned i = 0; i < 5000 && !status().connected; i++) {
		usleep(1000);
		turn();
	}
	nodelist(8, "1 2 3", "");
	verdict(8, true);
	confchg("1 2", "", "1j");
	totem(8);
	expect("connected 1 rig\nview 1 2 quorate joined\n");
	expect_problem(NULL);
	assert_int_equal(status().reconnects, 1);
}

/* Of another node's two the first counts, until it goes. */
static void test_two_of_another_node(void **state)
{
	(void)state;
	start_in("1 2");
	confchg("1 2 2:77", "", "2:77j");
	deliver_as(2, 77, 8, 1, "second");
	expect("");
	confchg("1 2:77", "2p", "");
	deliver_as(2, 77, 8, 1, "second");
	expect("view 1 quorate\nview 1 2 quorate joined\nmessage 2 second\n");
}

static void test_try_again(void **state)
{
	(void)state;
	start_in("1");
	fake.send_error = CS_ERR_TRY_AGAIN;
	group_cpg_send(group, "one", 4);
	group_cpg_send(group, "two", 4);
	assert_int_equal(status().queued, 2);
	expect("");
	assert_true(status().retries > 0);
	fake.send_error = CS_OK;
	expect("message 1 one\nmessage 1 two\n");
	assert_int_equal(status().queued, 0);
}

/* Whatever is sent to a corosync that does nothing, little of it is on its way to it. */
static void test_little_in_flight(void **state)
{
	static const uint8_t large[GROUP_MESSAGE_MAX];
	unsigned sent;

	(void)state;
	start_in("1");
	turn();
	fake.mute = true;
	sent = fake.sent;
	for (unsigned i = 0; i < 1000; i++)
		group_cpg_send(group, "x", 2);
	turn();
	assert_int_equal(fake.sent - sent, 128);
	assert_int_equal(status().queued, 872);
	pass_s(6);
	turn();
	expect_problem("has delivered no message for");
	assert_int_equal(fake.sent - sent, 129);
	release();
	for (unsigned i = 0; i < 100; i++) {
		turn();
		trace_length = 0;
		trace[0] = '\0';
	}
	assert_int_equal(status().queued, 0);
	expect_problem(NULL);
	fake.mute = true;
	sent = fake.sent;
	for (unsigned i = 0; i < 100; i++)
		group_cpg_send(group, large, sizeof(large));
	assert_int_equal(fake.sent - sent, 8);
}

static void test_queue_overflows(void **state)
{
	(void)state;
	start_in("1");
	fake.send_error = CS_ERR_TRY_AGAIN;
	for (unsigned i = 0; i < 4096; i++)
		group_cpg_send(group, "x", 2);
	assert_int_equal(status().queued, 4096);
	expect("");
	group_cpg_send(group, "one too many", 13);
	expect("view 1\n");
	assert_false(status().connected);
	expect_problem("has not taken 4096 messages");
}

/* corosync drops what it has no room for, and says nothing. */
static void test_message_lost(void **state)
{
	(void)state;
	start_in("1");
	turn();
	fake.mute = true;
	group_cpg_send(group, "dropped", 8);
	free(fake.kept[0]->bytes);
	free(fake.kept[0]);
	fake.kept_count = 0;
	fake.mute = false;
	expect("");
	pass_s(6);
	turn();
	expect("view 1\n");
	expect_problem("lost a message");
}

static void test_corosync_dies_and_comes_back(void **state)
{
	(void)state;
	start_in("1 2 3");
	group_cpg_send(group, "x", 2);
	turn();
	trace_length = 0;
	trace[0] = '\0';
	fake.died = true;
	deliver(2, "not read any more");
	expect("view 1\n");
	expect_problem("corosync has ended");
	assert_false(status().quorate);
	assert_int_equal(status().view_count, 1);
	group_cpg_send(group, "lost", 5);
	/* not there yet */
	closed();
	fake.died = false;
	fake.refuses = CS_ERR_LIBRARY;
	pass_s(2);
	turn();
	for (unsigned i = 0; i < 50; i++) {
		usleep(1000);
		group_cpg_dispatch(group);
	}
	expect("");
	expect_problem("corosync does not answer (cmap_initialize: CS_ERR_LIBRARY): start it");
	events_clear(&fake.cpg);
	events_clear(&fake.quorum);
	pair_open(&fake.cpg);
	pair_open(&fake.quorum);
	fake.refuses = CS_OK;
	pass_s(2);
	for (unsigned i = 0; i < 5000 && !status().connected; i++) {
		usleep(1000);
		turn();
	}
	expect("connected 1 rig\n");
	nodelist(4, "1", "");
	verdict(4, false);
	confchg("1", "", "1j");
	totem(4); /* a new corosync counts from anywhere */
	nodelist(24, "1 2 3", "2 3");
	verdict(24, true);
	confchg("1 2 3", "", "2u 3u");
	totem(24);
	expect("view 1 joined\nview 1 2 3 quorate joined\n");
	expect_problem(NULL);
	assert_int_equal(status().reconnects, 1);
}

static void test_descriptor_hangs_up(void **state)
{
	(void)state;
	start_in("1 2 3");
	close(fake.cpg.fd[1]);
	fake.cpg.fd[1] = -1;
	expect("view 1\n");
}

/* Also while CPG waits for libquorum. */
static void test_hangs_up_while_held(void **state)
{
	(void)state;
	start_in("1 2 3");
	confchg("1 2", "3d", "");
	totem(12);
	deliver(2, "never told");
	expect("");
	pass_s(6);
	expect_problem("has not said");
	close(fake.cpg.fd[1]);
	fake.cpg.fd[1] = -1;
	expect("view 1\n");
}

/* A loop that watches the descriptor must not spin while CPG is held. */
static void test_held_is_quiet(void **state)
{
	struct pollfd p = {.events = POLLIN};

	(void)state;
	start_in("1 2 3");
	confchg("1 2", "3d", "");
	totem(12);
	deliver(2, "waits");
	turn();
	p.fd = group_cpg_fd(group);
	assert_int_equal(poll(&p, 1, 0), 0);
	nodelist(12, "1 2", "");
	verdict(12, true);
	assert_int_equal(poll(&p, 1, 0), 1);
	expect("view 1 2 quorate\nmessage 2 waits\n");
	assert_int_equal(poll(&p, 1, 0), 0);
}

static void test_out_of_the_group(void **state)
{
	(void)state;
	start_in("1 2");
	confchg("2", "1p", "");
	expect("view 1\n");
	expect_problem("has taken this daemon out");
}

/* The owner does not understand what it was given. */
static void test_rejoin(void **state)
{
	(void)state;
	start_in("1 2");
	group_cpg_rejoin(group, "a message was damaged");
	group_cpg_send(group, "lost", 4);
	deliver(2, "late");
	expect("view 1\n");
	expect_problem("a message was damaged: leaving the group and joining again");
	assert_false(status().connected);
}

static void refused_with(const char *part)
{
	start();
	expect("");
	expect_problem(part);
	assert_false(status().connected);
	assert_int_equal(status().node, 0);
	group = group_cpg_destroy(group);
	closed();
}

static void test_what_is_missing(void **state)
{
	(void)state;
	fake.refuses = CS_ERR_LIBRARY;
	refused_with("start it, systemctl start corosync");
	fake.refuses = CS_ERR_ACCESS;
	refused_with("run dlmirrord as root");
	fake.refuses = CS_OK;
	fake.cluster = NULL;
	refused_with("no totem.cluster_name");
	fake.cluster = "a-name-that-is-longer-than-sixty-four-bytes-which-is-all-we-have-room-for";
	refused_with("longer than 64 bytes");
	fake.cluster = "rig";
	fake.nodes = 0;
	refused_with("no nodelist");
	fake.nodes = 3;
	fake.type = QUORUM_FREE;
	refused_with("no quorum provider");
	fake.type = QUORUM_SET;
	fake.largest = 65536;
	refused_with("small-memory-footprint");
	fake.largest = 1 << 20;
	fake.join_error = CS_ERR_TRY_AGAIN;
	fake.join_errors = 1000;
	refused_with("corosync is busy");
}

static void test_join_is_tried_again(void **state)
{
	(void)state;
	fake.join_error = CS_ERR_TRY_AGAIN;
	fake.join_errors = 3;
	start_in("1");
	assert_true(status().joined);
}

/* Nobody waits for a corosync that was stopped, not even at the end. */
static void test_stopped_corosync(void **state)
{
	(void)state;
	fake.stopped = true;
	assert_int_equal(group_cpg_create("test", &callbacks, &trace, &group), 0);
	turn();
	pass_s(7);
	turn();
	expect_problem("has not answered for 7 s");
	group = group_cpg_destroy(group);
	assert_int_equal(fake.opened, 0);
	lock();
	fake.stopped = false;
	unlock();
	for (unsigned i = 0; i < 5000 && fake.opened < 2; i++)
		usleep(1000);
	closed();
}

static void test_rings_without_end(void **state)
{
	(void)state;
	start_in("1 2 3");
	for (uint64_t i = 0; i < 33; i++)
		nodelist(12 + 4 * i, "1 2 3", "");
	expect("view 1\n");
	expect_problem("rings change faster");
}

static void test_many_nodes(void **state)
{
	char nodes[512] = "";
	size_t length = 0;

	(void)state;
	fake.nodes = 41;
	for (unsigned i = 1; i <= 40; i++)
		length += (size_t)snprintf(nodes + length, sizeof(nodes) - length, "%u ", i);
	start();
	snprintf(nodes + length, sizeof(nodes) - length, "41");
	nodelist(8, nodes, "");
	verdict(8, true);
	nodes[length] = '\0';
	confchg(nodes, "", "1j");
	totem(8);
	turn();
	assert_int_equal(status().view_count, 40);
	snprintf(nodes + length, sizeof(nodes) - length, "41");
	confchg(nodes, "", "41j");
	turn();
	assert_int_equal(status().view_count, 40);
	assert_int_equal(status().refused, 1);
}

static void test_group_is_full(void **state)
{
	char nodes[512] = "";
	size_t length = 0;

	(void)state;
	for (unsigned i = 1; i <= 41; i++)
		length += (size_t)snprintf(nodes + length, sizeof(nodes) - length, "%u ", i);
	start();
	nodelist(8, nodes, "");
	verdict(8, true);
	confchg(nodes, "", "1j");
	expect("connected 1 rig\nview 1\n");
	expect_problem("40 nodes are in the group");
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    STORY(start),
	    STORY(others_first),
	    STORY(leave),
	    STORY(death),
	    STORY(several_at_once),
	    STORY(leavers_and_joiners_in_one_ring),
	    STORY(majority_goes_on),
	    STORY(ring_without_daemons),
	    STORY(judged_alone),
	    STORY(quorum_first),
	    STORY(ring_passed_by),
	    STORY(rings_passed_by_in_the_rig),
	    STORY(services_disagree),
	    STORY(only_libquorum_saw_it_go),
	    STORY(only_cpg_saw_it_go),
	    STORY(votes_of_a_ring_passed_by),
	    STORY(corosync_disagrees),
	    STORY(joins_while_not_quorate),
	    STORY(own_message_damaged),
	    STORY(quorum_comes_late),
	    STORY(quorum_lost_within_a_ring),
	    STORY(device),
	    STORY(votes),
	    STORY(expected_votes),
	    STORY(verdict_of_another_ring),
	    STORY(ghost),
	    STORY(damaged),
	    STORY(sent_in_another_ring),
	    STORY(message_of_another_lost),
	    STORY(told_differently),
	    STORY(told_before),
	    STORY(second_daemon),
	    STORY(we_are_the_second),
	    STORY(two_of_another_node),
	    STORY(try_again),
	    STORY(little_in_flight),
	    STORY(queue_overflows),
	    STORY(message_lost),
	    STORY(corosync_dies_and_comes_back),
	    STORY(descriptor_hangs_up),
	    STORY(hangs_up_while_held),
	    STORY(held_is_quiet),
	    STORY(out_of_the_group),
	    STORY(rejoin),
	    STORY(what_is_missing),
	    STORY(join_is_tried_again),
	    STORY(stopped_corosync),
	    STORY(rings_without_end),
	    STORY(many_nodes),
	    STORY(group_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
