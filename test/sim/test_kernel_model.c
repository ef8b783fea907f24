/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is the kernel's model as nasty as the kernel? Two nodes with one mirror, whose daemons answer
 * from constants, and wrongly where a test wants it: then the legs must differ, and the checker
 * must see it. What the kernel asks is compared as text, with the order and the groups of the real
 * one.
 *
 * The world is this file: a queue, a clock, and what the checker wants to know of nodes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/sim/cpg.h"
#include "test/sim/kernel_internal.h"
#include "test/sim/logdev.h"
#include "test/sim/world.h"

#define NODES	   2U
#define REGIONS	   64U
#define NONE	   UINT64_MAX
#define CHUNKS_MAX 64U
#define REPLIES	   64U
#define IOS_MAX	   256U
#define SAID_SIZE  16384U
#define ERROR_AT   (KMSG_ACK_SIZE + 8 + KMSG_UUID_SIZE + 3 + 4) /* of a reply's error */

enum form {
	FORM_FULL,  /* with as much data as the request's answer has */
	FORM_EMPTY, /* without */
	FORM_ACK,
	FORM_SILENCE,
};

/* The next `times` requests of this type get this. */
struct trouble {
	enum ulog_type type;
	unsigned times;
	enum form form;
	int error;
};

struct node {
	unsigned index;
	bool up;
	struct node_host host;
	struct random random[RANDOM_STREAMS];
	struct kernel *kernel;
	struct hot hot; /* what its daemon believes */
	uint64_t maps[512];

	/* the daemon */
	bool listens;
	unsigned deaf; /* so many datagrams do not fit its buffer */
	uint64_t delay_us;
	struct trouble trouble;
	int64_t in_sync[REGIONS];
	int64_t remote; /* what IS_REMOTE_RECOVERING says, */
	uint64_t hint;
	uint64_t work; /* region, or NONE */
	uint64_t count;
	uint32_t seq; /* of the last request */
	char said[SAID_SIZE];
};

struct io {
	struct node *node;
	struct legs_range range;
	uint64_t number;
	bool done;
	int error;
};

/* One reply on its way. */
struct reply {
	struct node *node;
	size_t size;
	uint8_t byte[KMSG_SIZE_MAX];
};

struct world {
	struct scenario scenario;
	struct queue queue;
	uint64_t now_us;
	struct random random[RANDOM_STREAMS];
	struct mirror mirror;
	struct checker *checker;
	struct node node[NODES];
	void *chunk[CHUNKS_MAX];
	unsigned chunks;
	struct reply reply[REPLIES];
	unsigned replies;
	struct io io[IOS_MAX];
	unsigned ios;
	bool settled;
	char what[32];
	char text[256];
};

static struct world world;

/* ---- the world as the model sees it */

uint64_t world_now_us(const struct world *w)
{
	return w->now_us;
}

const struct scenario *world_scenario(const struct world *w)
{
	return &w->scenario;
}

struct checker *world_checker(struct world *w)
{
	return w->checker;
}

/* There is no group here that could be changing. */
struct cpg *world_cpg(struct world *w)
{
	(void)w;
	return NULL;
}

bool cpg_settled(const struct cpg *g)
{
	return g == NULL;
}

unsigned world_nodes(const struct world *w)
{
	return w->scenario.nodes;
}

struct node *world_node(struct world *w, unsigned index)
{
	return &w->node[index];
}

unsigned world_mirrors(const struct world *w)
{
	return w->scenario.mirrors;
}

struct mirror *world_mirror(struct world *w, unsigned index)
{
	assert_int_equal(index, 0);
	return &w->mirror;
}

struct random *world_random(struct world *w, enum random_stream stream)
{
	return &w->random[stream];
}

void *world_alloc(struct world *w, size_t size)
{
	assert_true(w->chunks < CHUNKS_MAX);
	w->chunk[w->chunks] = calloc(1, size);
	assert_non_null(w->chunk[w->chunks]);
	return w->chunk[w->chunks++];
}

uint64_t world_after(struct world *w, uint64_t delay_us, queue_fn fn, void *context,
		     uint64_t argument)
{
	return queue_add(&w->queue, w->now_us + delay_us, fn, context, argument);
}

void world_cancel(struct world *w, uint64_t handle)
{
	queue_cancel(&w->queue, handle);
}

void world_trace_line(struct world *w, const struct node *node, const char *text, size_t length,
		      uint64_t a, uint64_t b, uint64_t c)
{
	(void)w;
	(void)node;
	(void)text;
	(void)length;
	(void)a;
	(void)b;
	(void)c;
}

void world_violation(struct world *w, const char *what, const char *format, ...)
{
	va_list arguments;

	if (w->what[0] != '\0')
		return;
	(void)snprintf(w->what, sizeof(w->what), "%s", what);
	va_start(arguments, format);
	(void)vsnprintf(w->text, sizeof(w->text), format, arguments);
	va_end(arguments);
}

unsigned node_index(const struct node *node)
{
	return node->index;
}

uint32_t node_id(const struct node *node)
{
	return node->index + 1;
}

struct random *node_random(struct node *node, enum random_stream stream)
{
	return &node->random[stream];
}

bool node_up(const struct node *node)
{
	return node->up;
}

bool node_quorate(const struct node *node)
{
	return node->up;
}

bool node_doomed(const struct node *node)
{
	(void)node;
	return false;
}

uint64_t node_doomed_us(const struct node *node)
{
	(void)node;
	return UINT64_MAX;
}

bool node_distrusts(const struct node *node, unsigned mirror)
{
	(void)node;
	(void)mirror;
	return false;
}

bool node_unread(const struct node *node, unsigned mirror)
{
	(void)node;
	(void)mirror;
	return false;
}

/* There is no log device here. */
bool logdev_dirty(const struct logdev *d, uint32_t region)
{
	(void)d;
	(void)region;
	return false;
}

bool logdev_slot_used(const struct logdev *d, uint32_t slot)
{
	(void)d;
	(void)slot;
	return false;
}

bool logdev_slot_dirty(const struct logdev *d, uint32_t slot, uint32_t region)
{
	(void)d;
	(void)slot;
	(void)region;
	return false;
}

uint64_t logdev_revision(const struct logdev *d)
{
	(void)d;
	return 0;
}

bool logdev_in_use(const struct logdev *d)
{
	(void)d;
	return false;
}

struct kernel *node_kernel(const struct node *node, unsigned mirror)
{
	assert_int_equal(mirror, 0);
	return node->kernel;
}

struct node_host *node_host(struct node *node)
{
	return &node->host;
}

const struct hot *node_hot(const struct node *node, uint64_t luid)
{
	(void)luid;
	return &node->hot;
}

const struct hot_shared *node_maps(const struct node *node, uint64_t luid)
{
	(void)luid;
	return node->hot.shared;
}

/* What the checker asks a core object for: its status, whether it is READY, and marks. */
const struct mlog *node_mlog(const struct node *node, uint64_t luid)
{
	(void)luid;
	return (const struct mlog *)node;
}

void mlog_status(const struct mlog *m, struct mlog_status *ret)
{
	unsigned members = 0;

	(void)m;
	for (unsigned i = 0; i < NODES; i++)
		members += world.node[i].up && kernel_active(world.node[i].kernel) ? 1 : 0;
	*ret = (struct mlog_status){.phase = world.settled ? MLOG_ACTIVE : MLOG_ATTACHING,
				    .region_count = REGIONS,
				    .quorate = true,
				    .members = members};
}

uint64_t mlog_state_hash(const struct mlog *m)
{
	(void)m;
	return world.settled ? 1 : 0;
}

bool node_daemon_takes(const struct node *node)
{
	(void)node;
	return true;
}

const struct mlog_member *mlog_member(const struct mlog *m, uint32_t slot)
{
	(void)m;
	(void)slot;
	return NULL;
}

bool mlog_state_next(const struct mlog *m, uint64_t *cursor, uint64_t *buffer, uint32_t room,
		     struct mlog_message *ret)
{
	(void)m;
	(void)cursor;
	(void)buffer;
	(void)room;
	(void)ret;
	return false;
}

/* ---- the daemon */

static const char *const names[ULOG_TYPES] = {
    [ULOG_CTR] = "CTR",
    [ULOG_DTR] = "DTR",
    [ULOG_PRESUSPEND] = "PRESUSPEND",
    [ULOG_POSTSUSPEND] = "POSTSUSPEND",
    [ULOG_RESUME] = "RESUME",
    [ULOG_GET_REGION_SIZE] = "REGION_SIZE",
    [ULOG_IN_SYNC] = "IN_SYNC",
    [ULOG_FLUSH] = "FLUSH",
    [ULOG_MARK_REGION] = "MARK",
    [ULOG_CLEAR_REGION] = "CLEAR",
    [ULOG_GET_RESYNC_WORK] = "WORK",
    [ULOG_SET_REGION_SYNC] = "SET_SYNC",
    [ULOG_GET_SYNC_COUNT] = "COUNT",
    [ULOG_STATUS_INFO] = "STATUS",
    [ULOG_IS_REMOTE_RECOVERING] = "REMOTE",
};

static uint64_t word_of(const struct kmsg *k, unsigned index)
{
	uint64_t word;

	memcpy(&word, k->data + index * sizeof(word), sizeof(word));
	return word;
}

/* "MARK 3,5": what is asked, and the regions; of a CTR whether it ends in a NUL. */
static void say(struct node *node, const struct kmsg *k)
{
	size_t at = strlen(node->said);

	if (at > SAID_SIZE / 2)
		return; /* no test looks at so much */
	at += (size_t)snprintf(node->said + at, SAID_SIZE - at, "%s%s", at == 0 ? "" : " ",
			       names[k->type]);
	if (k->type == ULOG_CTR) {
		if (k->data[k->data_size - 1] == '\0')
			(void)snprintf(node->said + at, SAID_SIZE - at, "0");
		return;
	}
	for (unsigned i = 0; i < k->data_size / sizeof(uint64_t); i++)
		at += (size_t)snprintf(node->said + at, SAID_SIZE - at, "%c%" PRIu64,
				       i == 0 ? ' ' : ',', word_of(k, i));
	assert_true(at < SAID_SIZE);
}

static void mark(struct node *node, const struct kmsg *k)
{
	for (unsigned i = 0; i < k->data_size / sizeof(uint64_t); i++)
		if (k->type == ULOG_CLEAR_REGION)
			hot_clear(&node->hot, word_of(k, i));
		else
			hot_mark(&node->hot, word_of(k, i));
}

static uint32_t answer(struct node *node, const struct kmsg *k, uint64_t *ret)
{
	switch (k->type) {
	case ULOG_MARK_REGION:
	case ULOG_FLUSH:
	case ULOG_CLEAR_REGION:
		mark(node, k);
		return 0;
	case ULOG_GET_REGION_SIZE:
		ret[0] = world.mirror.plan->region_sectors;
		return 8;
	case ULOG_IN_SYNC:
		ret[0] = (uint64_t)node->in_sync[word_of(k, 0)];
		return 8;
	case ULOG_GET_SYNC_COUNT:
		ret[0] = node->count;
		return 8;
	case ULOG_GET_RESYNC_WORK:
		ret[0] = node->work == NONE ? 0 : 1;
		ret[1] = node->work;
		return 16;
	case ULOG_IS_REMOTE_RECOVERING:
		ret[0] = (uint64_t)node->remote;
		ret[1] = node->hint;
		return 16;
	case ULOG_STATUS_INFO:
		ret[0] = 0;
		return 8;
	case ULOG_SET_REGION_SYNC:
		node->in_sync[word_of(k, 0)] = (int64_t)word_of(k, 1);
		hot_in_sync_set(&node->hot, word_of(k, 0), word_of(k, 1) == 1);
		if (node->work == word_of(k, 0))
			node->work = NONE;
		return 0;
	default:
		return 0;
	}
}

static void on_reply(void *context, uint64_t argument)
{
	struct reply *r = context;

	(void)argument;
	if (r->node->up)
		kernel_reply(r->node->kernel, r->byte, r->size);
}

/* Full size 0: nothing is sent. */
static size_t trouble_encode(const struct trouble *t, const struct kmsg *k, uint8_t *ret)
{
	size_t size;

	switch (t->form) {
	case FORM_FULL:
		return kmsg_encode_reply(k, t->error, NULL, 0, ret, KMSG_SIZE_MAX);
	case FORM_EMPTY:
		size = kmsg_encode_reply(k, 0, NULL, 0, ret, KMSG_SIZE_MAX);
		memcpy(ret + ERROR_AT, &t->error, sizeof(t->error));
		return size;
	case FORM_ACK:
		return kmsg_encode_ack(k->cn_seq, t->error, ret, KMSG_SIZE_MAX);
	case FORM_SILENCE:
		break;
	}
	return 0;
}

int node_kernel_datagram(struct node *node, const uint8_t *datagram, size_t size)
{
	struct reply *r = &world.reply[world.replies++ % REPLIES];
	uint64_t words[2] = {0, 0};
	uint32_t data_size;
	struct kmsg k;

	assert_int_equal(kmsg_decode(datagram, size, &k), KMSG_OK);
	assert_string_equal(k.uuid, world.mirror.uuid);
	if (!node->listens || node->deaf > 0) {
		node->deaf -= node->deaf > 0 ? 1 : 0;
		return -ESRCH;
	}
	node->seq = k.seq;
	say(node, &k);
	r->node = node;
	if (node->trouble.times > 0 && node->trouble.type == k.type) {
		node->trouble.times--;
		r->size = trouble_encode(&node->trouble, &k, r->byte);
	} else {
		data_size = answer(node, &k, words);
		r->size = kmsg_encode_reply(&k, 0, words, data_size, r->byte, sizeof(r->byte));
	}
	if (r->size > 0)
		world_after(&world, node->delay_us, on_reply, r, 0);
	return 0;
}

/* ---- what tests are written in */

static void run_us(uint64_t us)
{
	uint64_t end_us = world.now_us + us;
	struct queue_entry entry;

	while (queue_next_us(&world.queue) <= end_us) {
		assert_true(queue_take(&world.queue, &world.now_us, &entry));
		entry.fn(entry.context, entry.argument);
	}
	world.now_us = end_us;
}

static void node_create(unsigned index)
{
	struct node *node = &world.node[index];

	*node = (struct node){.index = index,
			      .up = true,
			      .listens = true,
			      .delay_us = 20,
			      .hint = REGIONS,
			      .work = NONE,
			      .count = REGIONS};
	for (unsigned i = 0; i < RANDOM_STREAMS; i++)
		random_seed(&node->random[i], world.scenario.seed, 100 + index * 10 + i);
	assert_true(hot_bytes(REGIONS, 0) <= sizeof(node->maps));
	hot_bind(&node->hot, node->maps, REGIONS, 0);
	for (uint32_t r = 0; r < REGIONS; r++) {
		node->in_sync[r] = 1;
		hot_in_sync_set(&node->hot, r, true);
	}
}

static struct scenario_mirror *plan(void)
{
	return &world.scenario.mirror[0];
}

/* A world with legs that are alike, or (different) whose second leg never held anything. */
static void world_begin(uint64_t seed, bool different)
{
	memset(&world, 0, sizeof(world));
	queue_create(&world.queue);
	world.scenario =
	    (struct scenario){.seed = seed, .nodes = NODES, .mirrors = 1, .leg_us = 200};
	*plan() = (struct scenario_mirror){.regions = REGIONS,
					   .region_sectors = 1024,
					   .legs = 2,
					   .sync = different ? SIM_SYNC_KEEP : SIM_SYNC_NOSYNC,
					   .blank = different};
	world.settled = true;
	for (unsigned i = 0; i < RANDOM_STREAMS; i++)
		random_seed(&world.random[i], seed, i);
}

static void world_go(void)
{
	world.mirror = (struct mirror){.world = &world, .plan = plan()};
	(void)snprintf(world.mirror.uuid, sizeof(world.mirror.uuid), "mirror");
	world.mirror.legs = legs_create(&world.mirror);
	world.checker = checker_create(&world);
	for (unsigned i = 0; i < NODES; i++)
		node_create(i);
	for (unsigned i = 0; i < NODES; i++)
		world.node[i].kernel = kernel_create(&world.node[i], &world.mirror);
}

static void hush(void)
{
	for (unsigned i = 0; i < NODES; i++)
		world.node[i].said[0] = '\0';
}

static int operation_error;

static void on_operated(void *context, enum kernel_operation operation, int error)
{
	(void)context;
	(void)operation;
	operation_error = error;
}

static void operate(unsigned node, enum kernel_operation operation)
{
	operation_error = 1;
	assert_true(kernel_operate(world.node[node].kernel, operation, on_operated, NULL));
}

static void activate_all(void)
{
	for (unsigned i = 0; i < NODES; i++) {
		operate(i, KERNEL_ACTIVATE);
		run_us(50 * MS_US);
		assert_int_equal(operation_error, 0);
	}
	hush();
}

/* The usual: both nodes active, everything in sync, nobody asks about remote recovery. */
static void world_start(void)
{
	world_go();
	activate_all();
	kernel_status(world.node[0].kernel);
	kernel_status(world.node[1].kernel);
	run_us(5 * MS_US);
	hush();
}

static void world_end(void)
{
	for (unsigned i = 0; i < world.chunks; i++)
		free(world.chunk[i]);
	queue_destroy(&world.queue);
}

static void on_io_end(void *context, struct bio *bio, int error)
{
	struct io *io = context;

	io->done = true;
	io->error = error;
	if (bio->kind == BIO_READ) {
		io->number = bio->number;
		if (error == 0)
			checker_read(world.checker, io->node, &world.mirror, bio->range.region,
				     bio->range.first, bio->leg, bio->unasked, bio->number,
				     bio->begun_us);
	} else if (bio->kind != BIO_FLUSH) {
		checker_write_ended(world.checker, io->node, &world.mirror, bio->range, bio->number,
				    error == 0 ? CHECKER_DONE : CHECKER_UNKNOWN, bio->leg_errors);
	}
}

static struct io *io_start(unsigned node, enum bio_kind kind, uint32_t region, uint32_t block)
{
	struct io *io = &world.io[world.ios++];
	struct bio *bio = device_bio(world.node[node].kernel);

	assert_true(world.ios <= IOS_MAX);
	assert_non_null(bio);
	*io = (struct io){.node = &world.node[node],
			  .range = {.region = region, .first = block, .count = 1}};
	if (kind == BIO_WRITE || kind == BIO_DISCARD)
		io->number = checker_write_begins(world.checker, &world.mirror, io->range,
						  kind == BIO_DISCARD);
	bio->kind = kind;
	bio->range = io->range;
	bio->number = io->number;
	bio->end = on_io_end;
	bio->context = io;
	device_submit(world.node[node].kernel, bio);
	return io;
}

static struct io *write_start(unsigned node, uint32_t region)
{
	return io_start(node, BIO_WRITE, region, 0);
}

/* A write that must succeed within a moment, and what it makes the kernel say has been said. */
static struct io *write_done(unsigned node, uint32_t region)
{
	struct io *io = write_start(node, region);

	run_us(50 * MS_US);
	assert_true(io->done);
	assert_int_equal(io->error, 0);
	return io;
}

static uint64_t read_done(unsigned node, uint32_t region)
{
	struct io *io = io_start(node, BIO_READ, region, 0);

	run_us(50 * MS_US);
	assert_true(io->done);
	assert_int_equal(io->error, 0);
	return io->number;
}

static void node_dies(unsigned index)
{
	struct node *node = &world.node[index];

	checker_node_dies(world.checker, node);
	kernel_power_off(node->kernel);
	node->up = false;
	for (unsigned i = 0; i < world.ios; i++)
		if (world.io[i].node == node && !world.io[i].done)
			checker_write_ended(world.checker, node, &world.mirror, world.io[i].range,
					    world.io[i].number, CHECKER_UNKNOWN, 0);
}

static uint64_t leg(unsigned which, uint32_t region)
{
	return legs_block(world.mirror.legs, which, region, 0);
}

static void stale_set(unsigned node, uint32_t region)
{
	world.node[node].in_sync[region] = 0;
	hot_in_sync_set(&world.node[node].hot, region, false);
}

#define said(index, text) assert_string_equal(world.node[index].said, text)
#define sound()		  assert_string_equal(world.what, "")
#define violates(name)	  assert_string_equal(world.what, name)

/* ---- what is asked, and in which order */

static void test_activation(void **state)
{
	(void)state;
	world_begin(1, false);
	world_go();
	operate(0, KERNEL_ACTIVATE);
	run_us(50 * MS_US);
	assert_int_equal(operation_error, 0);
	/* kmirrord and the process that loads the table do not wait for each other: a count that is
	 * answered behind the RESUME raises the hint, and no work is asked for. */
	if (strcmp(world.node[0].said, "CTR REGION_SIZE COUNT RESUME WORK") != 0)
		said(0, "CTR REGION_SIZE RESUME COUNT");
	assert_true(kernel_active(world.node[0].kernel));
	sound();
	world_end();
}

static void test_write_is_six_requests(void **state)
{
	(void)state;
	world_begin(2, false);
	world_start();
	write_done(0, 5);
	said(0, "IN_SYNC 5 IN_SYNC 5 MARK 5 FLUSH CLEAR 5 FLUSH");
	assert_int_equal(leg(0, 5), leg(1, 5));
	sound();
	world_end();
}

static void test_integrated_flush(void **state)
{
	(void)state;
	world_begin(3, false);
	plan()->integrated_flush = true;
	world_start();
	write_done(0, 5);
	said(0, "IN_SYNC 5 IN_SYNC 5 FLUSH 5 CLEAR 5");
	hush();
	run_us(2900 * MS_US);
	said(0, "");
	run_us(100 * MS_US);
	said(0, "FLUSH");
	hush();
	/* A second clear within 3 s takes the scheduled flush back. */
	write_done(0, 5);
	write_done(0, 6);
	run_us(4 * SECOND_US);
	said(0, "IN_SYNC 5 IN_SYNC 5 FLUSH 5 CLEAR 5 IN_SYNC 6 IN_SYNC 6 FLUSH 6 CLEAR 6 FLUSH");
	world_end();
}

static void test_flush_of_two_clears_is_cancelled(void **state)
{
	struct io *first;
	struct io *second;

	(void)state;
	world_begin(4, false);
	plan()->integrated_flush = true;
	world_start();
	first = write_start(0, 5);
	second = write_start(0, 6);
	run_us(50 * MS_US);
	assert_true(first->done && second->done);
	/* Marked together; their ends come apart, so that the flush of the second takes the first's
	 * back and none is left. */
	if (strstr(world.node[0].said, "CLEAR 5,6") == NULL &&
	    strstr(world.node[0].said, "CLEAR 6,5") == NULL) {
		hush();
		run_us(10 * SECOND_US);
		said(0, "");
	}
	world_end();
}

static void test_read_is_one_request(void **state)
{
	(void)state;
	world_begin(5, false);
	world_start();
	read_done(0, 7);
	said(0, "IN_SYNC 7");
	sound();
	world_end();
}

static void test_groups_of_32(void **state)
{
	char expected[512] = "MARK ";
	size_t at = strlen(expected);

	(void)state;
	world_begin(6, false);
	world_start();
	for (uint32_t r = 0; r < 40; r++)
		write_start(0, r);
	run_us(50 * MS_US);
	/* the newest 32 first */
	for (uint32_t r = 39; r >= 8; r--)
		at += (size_t)snprintf(expected + at, sizeof(expected) - at, "%s%" PRIu32,
				       r == 39 ? "" : ",", r);
	(void)snprintf(expected + at, sizeof(expected) - at, " MARK 7,6,5,4,3,2,1,0 FLUSH");
	assert_non_null(strstr(world.node[0].said, expected));
	sound();
	world_end();
}

static void test_second_write_needs_no_mark(void **state)
{
	(void)state;
	world_begin(7, false);
	world_start();
	world.scenario.leg_us = 5000;
	write_start(0, 5);
	run_us(1 * MS_US);
	said(0, "IN_SYNC 5 IN_SYNC 5 MARK 5 FLUSH");
	io_start(0, BIO_WRITE, 5, 1);
	run_us(1 * MS_US);
	said(0, "IN_SYNC 5 IN_SYNC 5 MARK 5 FLUSH");
	world_end();
}

static void test_discard_asks_nothing(void **state)
{
	struct io *io;

	(void)state;
	world_begin(8, false);
	world_start();
	write_done(0, 5);
	hush();
	io = io_start(0, BIO_DISCARD, 5, 0);
	run_us(50 * MS_US);
	assert_true(io->done);
	said(0, "");
	io = io_start(0, BIO_FLUSH, 0, 0);
	run_us(50 * MS_US);
	assert_true(io->done);
	said(0, "");
	checker_final(world.checker);
	sound();
	world_end();
}

static void test_suspend_resume(void **state)
{
	(void)state;
	world_begin(9, false);
	world_start();
	operate(0, KERNEL_SUSPEND);
	run_us(50 * MS_US);
	said(0, "PRESUSPEND POSTSUSPEND");
	operate(0, KERNEL_RESUME);
	run_us(50 * MS_US);
	/* The hint is gone: work is asked for again. */
	said(0, "PRESUSPEND POSTSUSPEND RESUME WORK");
	world_end();
}

static void test_reload_has_two_luids(void **state)
{
	uint64_t luid;

	(void)state;
	world_begin(10, false);
	world_start();
	luid = kernel_luid(world.node[0].kernel);
	operate(0, KERNEL_RELOAD);
	run_us(200 * MS_US);
	assert_int_equal(operation_error, 0);
	assert_true(kernel_luid(world.node[0].kernel) != luid);
	if (strstr(world.node[0].said, "COUNT PRESUSPEND") != NULL)
		said(0, "CTR REGION_SIZE COUNT PRESUSPEND POSTSUSPEND RESUME DTR WORK");
	assert_true(strncmp(world.node[0].said, "CTR REGION_SIZE ", 16) == 0);
	assert_true(strstr(world.node[0].said, "PRESUSPEND") < strstr(world.node[0].said, "POST"));
	assert_true(strstr(world.node[0].said, "POST") < strstr(world.node[0].said, "RESUME"));
	assert_true(strstr(world.node[0].said, "RESUME") < strstr(world.node[0].said, "DTR"));
	assert_false(kernel_has_luid(world.node[0].kernel, luid));
	sound();
	world_end();
}

/* Node 0 changes to a table without leg 0, or is told that it does not count after all. Node 1 goes on
 * with the old one, which nobody may when the new one is in use. */
static void change(bool counts)
{
	struct kernel *k;
	struct io *io;

	world_begin(counts, false);
	plan()->legs = 3;
	world_start();
	k = world.node[0].kernel;
	legs_drop(world.mirror.legs, 1, 0);
	kernel_configure(k, 1);
	operate(0, KERNEL_CHANGE);
	run_us(200 * MS_US);
	assert_true(kernel_change_waits(k));
	assert_false(kernel_active(k));
	assert_non_null(strstr(world.node[0].said, "POSTSUSPEND"));
	assert_null(strstr(world.node[0].said, "RESUME"));
	kernel_change_end(k, counts);
	run_us(50 * MS_US);
	assert_int_equal(operation_error, 0);
	assert_true(kernel_active(k));
	assert_int_equal(kernel_revision(k), counts);
	io = write_done(0, 5);
	assert_int_equal(leg(0, 5), counts ? 0 : io->number);
	assert_int_equal(leg(1, 5), io->number);
	assert_int_equal(leg(2, 5), io->number);
	assert_int_equal(read_done(0, 5), io->number);
	sound();
	(void)write_done(1, 6);
	violates(counts ? "outdated" : "");
	world_end();
}

static void test_change_waits_until_it_counts(void **state)
{
	(void)state;
	change(true);
	change(false);
}

static void test_remove(void **state)
{
	(void)state;
	world_begin(11, false);
	world_start();
	operate(0, KERNEL_REMOVE);
	run_us(50 * MS_US);
	said(0, "PRESUSPEND POSTSUSPEND DTR");
	assert_int_equal(kernel_luid(world.node[0].kernel), 0);
	operate(0, KERNEL_REMOVE);
	run_us(50 * MS_US);
	assert_int_equal(operation_error, -ENXIO);
	world_end();
}

/* A load that fails behind its CTR is not taken back. */
static void test_failed_load_has_no_dtr(void **state)
{
	(void)state;
	world_begin(12, false);
	world_go();
	world.node[0].trouble =
	    (struct trouble){.type = ULOG_GET_REGION_SIZE, .times = 1, .error = -ENOMEM};
	operate(0, KERNEL_ACTIVATE);
	run_us(50 * MS_US);
	assert_int_equal(operation_error, -ENOMEM);
	said(0, "CTR REGION_SIZE");
	world.node[0].listens = false;
	operate(0, KERNEL_ACTIVATE);
	run_us(10 * MS_US);
	assert_int_equal(operation_error, -ESRCH);
	world_end();
}

/* The last bio wakes kmirrord and the process that suspends; which of them speaks first is chance.
 */
static void test_clear_may_come_after_postsuspend(void **state)
{
	unsigned after = 0;
	unsigned before = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		const char *said;

		world_begin(seed, false);
		world_start();
		write_start(0, 5);
		run_us(120);
		operate(0, KERNEL_SUSPEND);
		run_us(200 * MS_US);
		said = world.node[0].said;
		assert_non_null(strstr(said, "POSTSUSPEND"));
		if (strstr(said, "CLEAR") != NULL) {
			after += strstr(said, "POSTSUSPEND") < strstr(said, "CLEAR") ? 1 : 0;
			before += strstr(said, "POSTSUSPEND") > strstr(said, "CLEAR") ? 1 : 0;
		}
		sound();
		world_end();
	}
	assert_true(after > 0);
	assert_true(before > 0);
}

/* ---- answers that are late, lost or wrong */

static void test_resend_after_15_seconds(void **state)
{
	uint32_t seq;
	uint64_t late;
	struct io *io;

	(void)state;
	world_begin(20, false);
	world_start();
	world.node[0].trouble =
	    (struct trouble){.type = ULOG_MARK_REGION, .times = 1, .form = FORM_SILENCE};
	io = write_start(0, 5);
	run_us(14 * SECOND_US);
	said(0, "IN_SYNC 5 IN_SYNC 5 MARK 5");
	seq = world.node[0].seq;
	run_us(1100 * MS_US);
	assert_true(io->done);
	said(0, "IN_SYNC 5 IN_SYNC 5 MARK 5 MARK 5 FLUSH CLEAR 5 FLUSH");
	assert_int_equal(world.node[0].host.seq, seq + 5);
	late = kernel_counters(world.node[0].kernel)->late;
	{
		uint8_t byte[KMSG_SIZE_MAX];
		size_t size = kmsg_encode_ack(seq, 0, byte, sizeof(byte));

		assert_false(kernel_reply(world.node[0].kernel, byte, size));
	}
	assert_int_equal(kernel_counters(world.node[0].kernel)->late, late + 1);
	sound();
	world_end();
}

/* 16 s late: what is dropped is dropped, the newest counts. */
static void test_slow_daemon_is_asked_again_and_again(void **state)
{
	struct io *io;

	(void)state;
	world_begin(21, false);
	world_start();
	world.node[0].delay_us = 16 * SECOND_US;
	io = write_start(0, 5);
	run_us(100 * SECOND_US);
	assert_false(io->done);
	said(0, "IN_SYNC 5 IN_SYNC 5 IN_SYNC 5 IN_SYNC 5 IN_SYNC 5 IN_SYNC 5 IN_SYNC 5");
	world_end();
}

static void again(enum form form)
{
	world_start();
	world.node[0].trouble =
	    (struct trouble){.type = ULOG_IN_SYNC, .times = 2, .form = form, .error = -EAGAIN};
	write_done(0, 5);
}

static void test_again(void **state)
{
	(void)state;
	world_begin(22, false);
	again(FORM_ACK);
	said(0, "IN_SYNC 5 IN_SYNC 5 IN_SYNC 5 IN_SYNC 5 MARK 5 FLUSH CLEAR 5 FLUSH");
	sound();
	world_end();
}

/* -EAGAIN as a full reply without data: there is no room left for the answer. */
static void test_again_without_room(void **state)
{
	(void)state;
	world_begin(23, false);
	again(FORM_EMPTY);
	assert_int_not_equal(leg(0, 5), leg(1, 5));
	violates("legs");
	world_end();
}

static void unknown(enum form form)
{
	struct io *io;

	world_start();
	world.node[0].trouble =
	    (struct trouble){.type = ULOG_IN_SYNC, .times = 1, .form = form, .error = -ESRCH};
	io = write_start(0, 5);
	run_us(1900 * MS_US);
	said(0, "IN_SYNC 5");
	run_us(200 * MS_US);
	assert_true(io->done);
}

static void test_unknown_log_reconnects(void **state)
{
	(void)state;
	world_begin(24, false);
	unknown(FORM_FULL);
	said(0, "IN_SYNC 5 CTR0 RESUME IN_SYNC 5 IN_SYNC 5 MARK 5 FLUSH CLEAR 5 FLUSH");
	assert_int_equal(leg(0, 5), leg(1, 5));
	sound();
	world_end();
}

/* A reply that is too short for the answer, once: the first question fails, so the write goes to
 * one leg, while the second question makes the region a good one. */
static void test_unknown_log_without_room(void **state)
{
	(void)state;
	world_begin(25, false);
	unknown(FORM_EMPTY);
	said(0, "IN_SYNC 5 CTR0 RESUME IN_SYNC 5 IN_SYNC 5 MARK 5 FLUSH CLEAR 5 FLUSH");
	assert_int_not_equal(leg(0, 5), leg(1, 5));
	violates("legs");
	world_end();

	world_begin(26, false);
	unknown(FORM_ACK);
	violates("legs");
	world_end();
}

static void test_no_daemon(void **state)
{
	struct io *io;

	(void)state;
	world_begin(27, false);
	world_start();
	world.node[0].listens = false;
	io = write_start(0, 5);
	kernel_status(world.node[0].kernel);
	run_us(7 * SECOND_US);
	said(0, "");
	world.node[0].listens = true;
	run_us(2100 * MS_US);
	assert_true(io->done);
	/* kmirrord and the visitor each reconnect. */
	assert_int_equal(kernel_counters(world.node[0].kernel)->reconnects, 2);
	assert_int_equal(kernel_counters(world.node[0].kernel)->request[ULOG_RESUME], 3);
	sound();
	world_end();
}

/* A reconnect leaves the hint as it is; only resume lowers it. */
static void test_reconnect_keeps_the_hint(void **state)
{
	(void)state;
	world_begin(28, false);
	world_start();
	stale_set(0, 5);
	world.node[0].hint = 0;
	world.node[0].count = 5;
	world.node[0].remote = 1;
	world.node[0].trouble = (struct trouble){.type = ULOG_IN_SYNC, .times = 1, .error = -ESRCH};
	write_start(0, 5);
	run_us(2100 * MS_US);
	assert_null(strstr(world.node[0].said, "REMOTE"));
	operate(0, KERNEL_SUSPEND_NOFLUSH);
	operate(0, KERNEL_RESUME);
	run_us(100 * MS_US);
	hush();
	write_start(0, 6);
	run_us(20 * MS_US);
	said(0, "WORK REMOTE 6");
	world_end();
}

/* CTR answered with data: the kernel has no room for it and tries for ever. */
static void test_reconnect_with_data_never_ends(void **state)
{
	struct io *io;

	(void)state;
	world_begin(29, false);
	world_start();
	world.node[0].listens = false;
	io = write_start(0, 5);
	run_us(1 * SECOND_US);
	world.node[0].listens = true;
	world.node[0].trouble =
	    (struct trouble){.type = ULOG_CTR, .times = 3, .form = FORM_ACK, .error = -EINVAL};
	run_us(6 * SECOND_US);
	assert_false(io->done);
	said(0, "CTR0 CTR0 CTR0");
	run_us(3 * SECOND_US);
	assert_true(io->done);
	world_end();
}

/* A table that is only loaded asks for the count, and its reconnect resumes the log: before the
 * device does, and while the table before is in use. */
static void test_reconnect_resumes_too_early(void **state)
{
	struct node *node = &world.node[0];
	struct io *io;

	(void)state;
	world_begin(32, false);
	world_start();
	world.scenario.leg_us = 5 * SECOND_US;
	io = write_start(0, 5);
	run_us(10 * MS_US);
	hush();
	node->trouble = (struct trouble){.type = ULOG_GET_SYNC_COUNT, .times = 1, .error = -ESRCH};
	operate(0, KERNEL_RELOAD);
	run_us(2100 * MS_US);
	assert_non_null(strstr(node->said, "CTR0 RESUME COUNT"));
	assert_null(strstr(node->said, "POSTSUSPEND"));
	assert_false(io->done);
	run_us(60 * SECOND_US);
	assert_true(io->done);
	assert_int_equal(operation_error, 0);
	sound();
	world_end();
}

/*
 * The buffer overruns, and the RESUME of the reconnect is lost as well: IN_SYNC counts as "not in
 * sync". That is remembered, over suspend and resume, until the table is loaded anew.
 */
static void test_lost_resume_misleads(void **state)
{
	struct node *node = &world.node[0];
	struct io *io;

	(void)state;
	world_begin(30, false);
	world_start();
	node->deaf = 1;
	io = write_start(0, 5); /* IN_SYNC is lost */
	run_us(1 * SECOND_US);
	node->trouble = (struct trouble){.type = ULOG_CTR, .times = 0};
	run_us(999 * MS_US);
	said(0, "");
	run_us(1 * MS_US + 15); /* CTR has been asked, RESUME will be lost */
	said(0, "CTR0");
	node->deaf = 1;
	run_us(50 * MS_US);
	assert_true(io->done);
	assert_true(kernel_misled(node->kernel));
	/* The first question failed, the second did not: the write went to one leg. */
	said(0, "CTR0 IN_SYNC 5 MARK 5 FLUSH CLEAR 5 FLUSH");
	assert_int_not_equal(leg(0, 5), leg(1, 5));
	sound(); /* nobody could have prevented it */
	world_end();
}

/* The second question (that of the region hash) is the one that fails. */
static void nosync_entry(void)
{
	struct node *node = &world.node[0];

	node->in_sync[5] = 0;
	write_done(0, 5);
	assert_int_equal(kernel_region(node->kernel, 5), KERNEL_NOSYNC);
	node->in_sync[5] = 1;
	hush();
}

static void test_nosync_survives_suspend_and_resume(void **state)
{
	struct node *node = &world.node[0];

	(void)state;
	world_begin(31, false);
	world_start();
	nosync_entry();
	operate(0, KERNEL_SUSPEND_NOFLUSH);
	operate(0, KERNEL_RESUME);
	run_us(100 * MS_US);
	hush();
	write_done(0, 5);
	assert_null(strstr(node->said, "IN_SYNC"));
	assert_null(strstr(node->said, "MARK"));
	assert_int_not_equal(leg(0, 5), leg(1, 5));
	operate(0, KERNEL_RELOAD);
	run_us(300 * MS_US); /* the limiter */
	write_done(0, 5);
	assert_int_equal(leg(0, 5), leg(1, 5));
	world_end();
}

/* ---- wrong answers to IN_SYNC */

static void test_wrong_not_in_sync(void **state)
{
	(void)state;
	world_begin(40, false);
	world_start();
	nosync_entry();
	/* Not marked, and on one leg only. */
	violates("legs");
	assert_int_not_equal(leg(0, 5), leg(1, 5));
	world_end();
}

/* Neither 0 nor 1: not in sync for the sorting of writes, in sync for the region hash. */
static void test_neither_0_nor_1(void **state)
{
	(void)state;
	world_begin(41, false);
	world_start();
	world.node[0].in_sync[5] = 2;
	write_done(0, 5);
	said(0, "IN_SYNC 5 IN_SYNC 5 MARK 5 FLUSH CLEAR 5 FLUSH");
	assert_int_not_equal(leg(0, 5), leg(1, 5));
	violates("legs");
	world_end();
}

static void on_in_sync_now(void *context, uint64_t argument)
{
	struct node *node = context;

	node->in_sync[argument] = 1;
	hot_in_sync_set(&node->hot, argument, true);
}

/* Recovered elsewhere between the two questions. */
static void test_in_sync_between_two_questions(void **state)
{
	unsigned differ = 0;

	(void)state;
	for (uint64_t at_us = 1; at_us < 60; at_us++) {
		world_begin(42, false);
		world_start();
		stale_set(0, 5);
		world_after(&world, at_us, on_in_sync_now, &world.node[0], 5);
		write_done(0, 5);
		if (leg(0, 5) != leg(1, 5)) {
			differ++;
			violates("legs");
		} else {
			sound();
		}
		world_end();
	}
	assert_true(differ > 0);
}

/* A node dies with writes in flight whose marks were answered, and forgotten. */
static void test_crash_without_mark(void **state)
{
	unsigned differ = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		world_begin(seed, false);
		world_start();
		write_start(0, 5);
		run_us(150);
		node_dies(0);
		run_us(50 * MS_US);
		checker_look(world.checker);
		if (leg(0, 5) != leg(1, 5)) {
			differ++;
			violates("legs");
		} else {
			sound();
		}
		world_end();
	}
	assert_in_range(differ, 5, 35);
}

/* ---- recovery */

static void test_recovery(void **state)
{
	struct node *node = &world.node[0];
	struct io *io;

	(void)state;
	world_begin(50, true);
	world_go();
	for (unsigned i = 0; i < NODES; i++) {
		world.node[i].hint = 0;
		world.node[i].count = REGIONS - 1;
		stale_set(i, 5);
	}
	activate_all();
	assert_int_not_equal(leg(0, 5), leg(1, 5));
	node->work = 5;
	kernel_wake(node->kernel);
	run_us(300);
	said(0, "WORK IN_SYNC 5 COUNT IN_SYNC 0");
	io = write_start(0, 5);
	run_us(1 * SECOND_US);
	assert_true(io->done);
	assert_non_null(strstr(node->said, "SET_SYNC 5,1 CLEAR 5 FLUSH"));
	assert_int_equal(leg(0, 5), leg(1, 5));
	assert_int_equal(leg(0, 5), io->number);
	sound();
	world_end();
}

static void test_one_recovery_at_a_time(void **state)
{
	struct node *node = &world.node[0];

	(void)state;
	world_begin(51, true);
	world_go();
	node->hint = 0;
	node->count = 0;
	activate_all();
	world.scenario.leg_us = 20000;
	node->work = 5;
	kernel_wake(node->kernel);
	run_us(1 * MS_US);
	hush();
	node->work = 6;
	read_done(0, 7);
	assert_null(strstr(node->said, "WORK"));
	world_end();
}

static void test_recovery_of_what_another_writes(void **state)
{
	(void)state;
	world_begin(52, false);
	world_start();
	world.scenario.leg_us = 5000;
	stale_set(0, 5);
	stale_set(1, 5);
	operate(0, KERNEL_SUSPEND);
	operate(0, KERNEL_RESUME);
	run_us(20 * MS_US);
	world.node[0].work = 5;
	write_start(1, 5);
	run_us(500);
	kernel_wake(world.node[0].kernel);
	run_us(20 * MS_US);
	violates("I6");
	world_end();
}

/* Recovered by the other node, while this one still has it as NOSYNC. */
static void test_nosync_of_another_is_not_recovered(void **state)
{
	(void)state;
	world_begin(53, false);
	world_start();
	stale_set(0, 5);
	stale_set(1, 5);
	write_done(1, 5);
	assert_int_equal(kernel_region(world.node[1].kernel, 5), KERNEL_NOSYNC);
	operate(0, KERNEL_SUSPEND);
	operate(0, KERNEL_RESUME);
	world.node[0].work = 5;
	run_us(100 * MS_US);
	assert_int_equal(leg(0, 5), leg(1, 5));
	on_in_sync_now(&world.node[1], 5);
	sound();
	write_done(1, 5);
	assert_int_not_equal(leg(0, 5), leg(1, 5));
	violates("legs");
	world_end();
}

static void test_work_out_of_range(void **state)
{
	(void)state;
	world_begin(54, false);
	world_go();
	world.node[0].hint = 0;
	world.node[0].count = 0;
	activate_all();
	world.node[0].work = REGIONS;
	kernel_wake(world.node[0].kernel);
	run_us(10 * MS_US);
	violates("reply");
	world_end();
}

static void test_suspend_waits_for_recovery(void **state)
{
	struct node *node = &world.node[0];

	(void)state;
	world_begin(55, true);
	world_go();
	node->hint = 0;
	node->count = 0;
	activate_all();
	world.scenario.leg_us = 50000;
	node->work = 5;
	kernel_wake(node->kernel);
	run_us(5 * MS_US);
	operate(0, KERNEL_SUSPEND);
	run_us(5 * MS_US);
	assert_null(strstr(node->said, "PRESUSPEND"));
	run_us(10 * SECOND_US);
	assert_true(strstr(node->said, "SET_SYNC 5,1") < strstr(node->said, "PRESUSPEND"));
	world_end();
}

/* ---- hint and limiter */

static void test_hint(void **state)
{
	struct node *node = &world.node[0];

	(void)state;
	world_begin(60, false);
	world_go();
	node->hint = 10;
	node->count = REGIONS - 1;
	activate_all();
	write_done(0, 20);
	assert_non_null(strstr(node->said, "REMOTE 20"));
	hush();
	run_us(300 * MS_US);
	write_done(0, 9); /* below */
	assert_null(strstr(node->said, "REMOTE"));
	write_done(0, 10);
	assert_non_null(strstr(node->said, "REMOTE 10"));
	hush();
	/* A status that says "all in sync" raises it to the end: nothing is asked any more. */
	node->count = REGIONS;
	kernel_status(node->kernel);
	run_us(5 * MS_US);
	said(0, "COUNT STATUS");
	hush();
	write_done(0, 20);
	assert_null(strstr(node->said, "REMOTE"));
	assert_null(strstr(node->said, "WORK"));
	world_end();
}

static void test_limiter(void **state)
{
	struct node *node = &world.node[0];
	struct io *first;
	struct io *second;

	(void)state;
	world_begin(61, false);
	world_go();
	node->hint = 0;
	node->count = REGIONS - 1;
	activate_all();
	first = write_start(0, 5);
	run_us(5 * MS_US);
	second = write_start(0, 6);
	run_us(100 * MS_US);
	assert_true(first->done);
	assert_false(second->done);
	/* 200 ms later, and once more: the limiter is 250 ms wide. */
	run_us(400 * MS_US);
	assert_true(second->done);
	sound();
	world_end();
}

/* Behind a write that is put off, others wait that nobody would have put off. */
static void test_requeued_write_holds_up_others(void **state)
{
	struct node *node = &world.node[0];
	struct io *behind;

	(void)state;
	world_begin(62, false);
	world_go();
	node->hint = 10;
	node->count = REGIONS - 1;
	node->remote = 1;
	activate_all();
	write_start(0, 20);
	run_us(5 * MS_US);
	behind = write_start(0, 5);
	run_us(100 * MS_US);
	assert_false(behind->done);
	run_us(150 * MS_US);
	assert_true(behind->done);
	world_end();
}

static void test_remote_recovery_holds_a_suspend(void **state)
{
	struct node *node = &world.node[0];
	struct io *io;

	(void)state;
	world_begin(63, false);
	world_go();
	node->hint = 0;
	node->count = REGIONS - 1;
	node->remote = 1;
	activate_all();
	io = write_start(0, 20);
	run_us(5 * MS_US);
	operate(0, KERNEL_SUSPEND_NOFLUSH);
	run_us(5 * SECOND_US);
	assert_false(io->done);
	assert_non_null(strstr(node->said, "PRESUSPEND"));
	assert_null(strstr(node->said, "POSTSUSPEND"));
	node->remote = 0;
	run_us(1 * SECOND_US);
	assert_true(io->done);
	assert_non_null(strstr(node->said, "POSTSUSPEND"));
	world_end();
}

/* ---- failures */

static void leg_break(unsigned which, bool broken)
{
	legs_fail(world.mirror.legs, which, 1, broken);
}

static void test_leg_error_holds_the_write(void **state)
{
	struct node *node = &world.node[0];
	struct io *io;

	(void)state;
	world_begin(70, false);
	plan()->handle_errors = true;
	world_start();
	leg_break(1, true);
	io = write_start(0, 5);
	run_us(2 * SECOND_US);
	assert_false(io->done);
	said(0, "IN_SYNC 5 IN_SYNC 5 MARK 5 FLUSH SET_SYNC 5,0");
	assert_int_equal(kernel_oldest_bio_us(node->kernel), UINT64_MAX);
	leg_break(1, false);
	operate(0, KERNEL_RELOAD);
	run_us(1 * SECOND_US);
	assert_true(io->done);
	assert_int_equal(io->error, 0);
	sound();
	world_end();
}

static void test_flush_suspend_fails_held_writes(void **state)
{
	struct io *io;

	(void)state;
	world_begin(71, false);
	plan()->handle_errors = true;
	world_start();
	leg_break(1, true);
	io = write_start(0, 5);
	run_us(1 * SECOND_US);
	operate(0, KERNEL_SUSPEND);
	run_us(1 * SECOND_US);
	assert_true(io->done);
	assert_int_equal(io->error, -EIO);
	world_end();
}

static void test_keep_log_completes_the_write(void **state)
{
	struct io *io;

	(void)state;
	world_begin(72, false);
	plan()->handle_errors = true;
	plan()->keep_log = true;
	world_start();
	leg_break(1, true);
	io = write_start(0, 5);
	run_us(1 * SECOND_US);
	assert_true(io->done);
	assert_int_equal(io->error, 0);
	said(0, "IN_SYNC 5 IN_SYNC 5 MARK 5 FLUSH SET_SYNC 5,0 COUNT");
	/* The region stays NOSYNC: the next write goes to the good leg, and is not marked. */
	hush();
	leg_break(1, false);
	write_done(0, 5);
	assert_null(strstr(world.node[0].said, "MARK"));
	assert_int_not_equal(leg(0, 5), leg(1, 5));
	sound(); /* the log knows that it is stale */
	world_end();
}

static void test_default_leg_moves_only_when_in_sync(void **state)
{
	(void)state;
	world_begin(73, false);
	plan()->handle_errors = true;
	world_start();
	leg_break(0, true);
	write_start(0, 5);
	run_us(1 * SECOND_US);
	assert_int_equal(kernel_default_leg(world.node[0].kernel), 1);
	world_end();

	world_begin(74, false);
	plan()->handle_errors = true;
	world_go();
	world.node[0].count = REGIONS - 1;
	activate_all();
	run_us(1 * SECOND_US);
	leg_break(0, true);
	write_start(0, 5);
	run_us(1 * SECOND_US);
	assert_int_equal(kernel_default_leg(world.node[0].kernel), 0);
	world_end();
}

static void mark_error(void)
{
	world_start();
	world.node[0].trouble =
	    (struct trouble){.type = ULOG_MARK_REGION, .times = 3, .form = FORM_ACK, .error = -EIO};
	write_start(0, 5);
	write_start(0, 6);
	run_us(1 * SECOND_US);
}

/* The group, then one by one in the opposite order; the first that fails ends it. */
static void test_mark_error(void **state)
{
	(void)state;
	world_begin(75, false);
	plan()->handle_errors = true;
	mark_error();
	assert_non_null(strstr(world.node[0].said, "MARK 6,5 MARK 5"));
	assert_null(strstr(world.node[0].said, "MARK 5 MARK 6"));
	assert_false(world.io[0].done);
	assert_int_equal(leg(0, 5), 0);
	/* For good, even when the daemon is well again. */
	world.node[0].trouble.times = 0;
	write_start(0, 7);
	run_us(1 * SECOND_US);
	assert_false(world.io[2].done);
	operate(0, KERNEL_RELOAD);
	run_us(1 * SECOND_US);
	assert_true(world.io[0].done && world.io[1].done && world.io[2].done);
	assert_int_equal(world.io[0].error, 0);
	sound();
	world_end();
}

static void test_mark_error_without_handle_errors(void **state)
{
	(void)state;
	world_begin(76, false);
	mark_error();
	assert_true(world.io[0].done && world.io[1].done);
	assert_int_equal(world.io[0].error, 0);
	assert_int_equal(leg(0, 5), world.io[0].number);
	world_end();
}

static void test_mark_error_with_keep_log(void **state)
{
	(void)state;
	world_begin(77, false);
	plan()->handle_errors = true;
	plan()->keep_log = true;
	mark_error();
	assert_true(world.io[0].done && world.io[1].done);
	assert_int_equal(world.io[0].error, -EIO);
	world_end();
}

/*
 * An empty flush fails on a leg: from then on a region whose writes end is NOSYNC, without a word
 * to the log and without a CLEAR.
 */
static void test_flush_error_silences_clears(void **state)
{
	struct io *io;

	(void)state;
	world_begin(78, false);
	plan()->handle_errors = true;
	plan()->keep_log = true;
	world_start();
	leg_break(1, true);
	io = io_start(0, BIO_FLUSH, 0, 0);
	run_us(20 * MS_US);
	assert_true(io->done);
	leg_break(1, false);
	hush();
	write_done(0, 5);
	assert_null(strstr(world.node[0].said, "CLEAR"));
	assert_null(strstr(world.node[0].said, "SET_SYNC"));
	assert_int_equal(kernel_region(world.node[0].kernel, 5), KERNEL_NOSYNC);
	assert_true(kernel_misled(world.node[0].kernel));
	write_done(0, 5);
	assert_int_not_equal(leg(0, 5), leg(1, 5));
	world_end();
}

static void test_failed_recovery(void **state)
{
	struct node *node = &world.node[0];

	(void)state;
	for (unsigned handle = 0; handle < 2; handle++) {
		world_begin(79, true);
		plan()->handle_errors = handle == 1;
		world_go();
		node->hint = 0;
		node->count = 0;
		activate_all();
		leg_break(1, true);
		node->work = 5;
		kernel_wake(node->kernel);
		run_us(100 * MS_US);
		assert_non_null(strstr(node->said, handle == 1 ? "SET_SYNC 5,0" : "SET_SYNC 5,1"));
		world_end();
	}
}

/* For want of memory, rarely: the region stays marked, and nothing else comes of it. */
static void test_clear_is_lost(void **state)
{
	unsigned lost = 0;

	(void)state;
	world_begin(80, false);
	world_start();
	for (unsigned i = 0; i < 20000 && lost == 0; i++) {
		world.ios = 0;
		hush();
		write_start(0, 5);
		run_us(50 * MS_US);
		lost += strstr(world.node[0].said, "CLEAR 5") == NULL ? 1 : 0;
		assert_true(world.io[0].done);
	}
	assert_int_equal(lost, 1);
	hush();
	write_done(0, 5);
	said(0, "IN_SYNC 5 IN_SYNC 5 MARK 5 FLUSH CLEAR 5 FLUSH");
	sound();
	world_end();
}

/* ---- power, and the load */

static void test_torn_writes(void **state)
{
	bool seen[4] = {false};

	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		uint64_t number;

		world_begin(seed, false);
		world_start();
		number = write_start(0, 5)->number;
		run_us(150);
		kernel_power_off(world.node[0].kernel);
		seen[(leg(0, 5) == number ? 1 : 0) + (leg(1, 5) == number ? 2 : 0)] = true;
		world_end();
	}
	for (unsigned i = 0; i < 4; i++)
		assert_true(seen[i]);
}

static void load_plan(void)
{
	plan()->load = (struct scenario_load){.writers = 3,
					      .readers = 2,
					      .write_gap_us = 2000,
					      .read_gap_us = 3000,
					      .hot_permille = 300,
					      .hot_regions = 3,
					      .long_permille = 100,
					      .discard_permille = 20};
}

/* An honest daemon, writers on two nodes, reloads, a node that comes back: all is well. */
static void test_load(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		world_begin(seed, false);
		load_plan();
		plan()->integrated_flush = seed % 2 == 0;
		world_start();
		run_us(2 * SECOND_US);
		operate(0, KERNEL_RELOAD);
		operate(1, KERNEL_SUSPEND_NOFLUSH);
		run_us(300 * MS_US);
		operate(1, KERNEL_RESUME);
		run_us(2 * SECOND_US);
		operate(0, KERNEL_REMOVE);
		operate(0, KERNEL_ACTIVATE);
		for (unsigned i = 0; i < 10; i++) {
			run_us(1 * SECOND_US);
			checker_look(world.checker);
		}
		kernel_load(world.node[0].kernel, false);
		kernel_load(world.node[1].kernel, false);
		run_us(5 * SECOND_US);
		assert_true(kernel_idle(world.node[0].kernel));
		assert_true(kernel_idle(world.node[1].kernel));
		checker_final(world.checker);
		assert_string_equal(world.text, "");
		assert_true(kernel_counters(world.node[0].kernel)->writes > 1000);
		assert_int_equal(kernel_counters(world.node[0].kernel)->failed, 0);
		world_end();
	}
}

/* The same load, and a daemon that is wrong about one region: soon seen. */
static void test_load_with_a_liar(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		world_begin(seed, false);
		load_plan();
		world_start();
		world.node[1].in_sync[1] = 0;
		run_us(5 * SECOND_US);
		violates("legs");
		world_end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_activation),
	    cmocka_unit_test(test_write_is_six_requests),
	    cmocka_unit_test(test_integrated_flush),
	    cmocka_unit_test(test_flush_of_two_clears_is_cancelled),
	    cmocka_unit_test(test_read_is_one_request),
	    cmocka_unit_test(test_groups_of_32),
	    cmocka_unit_test(test_second_write_needs_no_mark),
	    cmocka_unit_test(test_discard_asks_nothing),
	    cmocka_unit_test(test_suspend_resume),
	    cmocka_unit_test(test_reload_has_two_luids),
	    cmocka_unit_test(test_change_waits_until_it_counts),
	    cmocka_unit_test(test_remove),
	    cmocka_unit_test(test_failed_load_has_no_dtr),
	    cmocka_unit_test(test_clear_may_come_after_postsuspend),
	    cmocka_unit_test(test_resend_after_15_seconds),
	    cmocka_unit_test(test_slow_daemon_is_asked_again_and_again),
	    cmocka_unit_test(test_again),
	    cmocka_unit_test(test_again_without_room),
	    cmocka_unit_test(test_unknown_log_reconnects),
	    cmocka_unit_test(test_unknown_log_without_room),
	    cmocka_unit_test(test_no_daemon),
	    cmocka_unit_test(test_reconnect_keeps_the_hint),
	    cmocka_unit_test(test_reconnect_with_data_never_ends),
	    cmocka_unit_test(test_reconnect_resumes_too_early),
	    cmocka_unit_test(test_lost_resume_misleads),
	    cmocka_unit_test(test_nosync_survives_suspend_and_resume),
	    cmocka_unit_test(test_wrong_not_in_sync),
	    cmocka_unit_test(test_neither_0_nor_1),
	    cmocka_unit_test(test_in_sync_between_two_questions),
	    cmocka_unit_test(test_crash_without_mark),
	    cmocka_unit_test(test_recovery),
	    cmocka_unit_test(test_one_recovery_at_a_time),
	    cmocka_unit_test(test_recovery_of_what_another_writes),
	    cmocka_unit_test(test_nosync_of_another_is_not_recovered),
	    cmocka_unit_test(test_work_out_of_range),
	    cmocka_unit_test(test_suspend_waits_for_recovery),
	    cmocka_unit_test(test_hint),
	    cmocka_unit_test(test_limiter),
	    cmocka_unit_test(test_requeued_write_holds_up_others),
	    cmocka_unit_test(test_remote_recovery_holds_a_suspend),
	    cmocka_unit_test(test_leg_error_holds_the_write),
	    cmocka_unit_test(test_flush_suspend_fails_held_writes),
	    cmocka_unit_test(test_keep_log_completes_the_write),
	    cmocka_unit_test(test_default_leg_moves_only_when_in_sync),
	    cmocka_unit_test(test_mark_error),
	    cmocka_unit_test(test_mark_error_without_handle_errors),
	    cmocka_unit_test(test_mark_error_with_keep_log),
	    cmocka_unit_test(test_flush_error_silences_clears),
	    cmocka_unit_test(test_failed_recovery),
	    cmocka_unit_test(test_clear_is_lost),
	    cmocka_unit_test(test_torn_writes),
	    cmocka_unit_test(test_load),
	    cmocka_unit_test(test_load_with_a_liar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
