/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/sim/node_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "test/sim/checker.h"
#include "test/sim/logdev.h"
#include "test/sim/fence.h"
#include "test/sim/cpg.h"
#include "test/sim/kernel.h"
#include "test/sim/legs.h"
#include "test/sim/locks.h"

#define DAEMON_START_US	   (50 * MS_US)
#define DAEMON_HANDOVER_US (20 * MS_US)
#define QUIET_POLL_US	   (1 * MS_US)
#define QUIET_MAX_US	   (5 * SECOND_US)
#define REPLY_US	   20U
#define LATE_PERMILLE	   150U /* of requests meet somebody else in the core */
#define LAST_PERMILLE	   500U /* of those that waited are in a socket whose responder is last */
#define LAST_US		   (5 * MS_US)
#define NUDGE_BEFORE	   64U
#define NUDGE_AFTER	   255U

/* ---- what others ask */

struct world *node_world(const struct node *node)
{
	return node->world;
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

bool node_daemon_up(const struct node *node)
{
	return node->daemon == DAEMON_UP;
}

bool node_quorate(const struct node *node)
{
	return node->daemon == DAEMON_UP && node->viewed && node->quorate;
}

bool node_doomed(const struct node *node)
{
	return fence_awaits(world_fence(node->world), node->index);
}

uint64_t node_doomed_us(const struct node *node)
{
	return fence_lost_us(world_fence(node->world), node->index);
}

struct kernel *node_kernel(const struct node *node, unsigned mirror)
{
	return node->up ? node->kernel[mirror] : NULL;
}

bool node_distrusts(const struct node *node, unsigned mirror)
{
	return node->marker[mirror];
}

bool node_unread(const struct node *node, unsigned mirror)
{
	return node->unread[mirror];
}

struct node_host *node_host(struct node *node)
{
	return &node->host;
}

uint64_t node_boots(const struct node *node)
{
	return node->boots;
}

struct meter *node_meter(struct node *node, unsigned mirror)
{
	return &node->meter[mirror];
}

/* Of a second of the world, in us. */
static uint64_t clock_rate(const struct node *node)
{
	uint64_t drift = world_scenario(node->world)->drift_ppm;

	return node->index % 2 == 0 ? SECOND_US + drift : SECOND_US - drift;
}

static uint64_t now_us(const struct node *node)
{
	uint64_t now = world_now_us(node->world);

	return now * clock_rate(node) / SECOND_US + node->clock_us;
}

uint64_t node_now_ms(const struct node *node)
{
	return now_us(node) / MS_US;
}

uint64_t node_until_us(const struct node *node, uint64_t at_ms)
{
	uint64_t rate = clock_rate(node);

	return ((at_ms * MS_US - now_us(node)) * SECOND_US + rate - 1) / rate;
}

uint64_t node_busy(struct node *node, queue_fn fn, void *context, uint64_t argument)
{
	uint64_t now = world_now_us(node->world);

	if (node->stopped_until_us <= now)
		return 0;
	return world_after(node->world, node->stopped_until_us - now, fn, context, argument);
}

/* ---- datagrams */

struct datagram *datagram_take(struct node *node)
{
	struct datagram *d = node->free;

	if (d != NULL)
		node->free = d->next;
	else
		d = world_alloc(node->world, sizeof(*d));
	d->node = node;
	d->next = NULL;
	d->boot = node->boots;
	d->life = node->sockets;
	return d;
}

void datagram_free(struct datagram *d)
{
	d->next = d->node->free;
	d->node->free = d;
}

bool node_daemon_takes(const struct node *node)
{
	return node->daemon == DAEMON_UP && node->stopped_until_us <= world_now_us(node->world);
}

static void on_late(void *context, uint64_t argument)
{
	struct datagram *d = context;
	struct node *node = d->node;

	(void)argument;
	if (d->life == node->life)
		log_take(node, d->byte, d->size, d->cleared);
	datagram_free(d);
}

/* Takes the core's step now, or a moment later, when somebody else has the core. */
static void hand_over(struct datagram *d, bool cleared)
{
	struct node *node = d->node;
	struct random *random = node_random(node, RANDOM_NODE);

	d->cleared = cleared;
	if (random_chance(random, LATE_PERMILLE))
		world_after(node->world,
			    random_below(random, 2 * world_scenario(node->world)->responder_us),
			    on_late, d, 0);
	else
		on_late(d, 0);
}

static bool about_logs(enum ulog_type type)
{
	return type == ULOG_CTR || type == ULOG_DTR || type == ULOG_STATUS_INFO ||
	       type == ULOG_STATUS_TABLE || type == ULOG_RESUME || type == ULOG_PRESUSPEND ||
	       type == ULOG_POSTSUSPEND;
}

/* begun_ns: when the datagram was taken, for the meter. */
static void answer(struct log *log, struct datagram *d, const struct kmsg *k, uint64_t begun_ns)
{
	struct node *node = d->node;
	uint8_t buffer[KMSG_SIZE_MAX];
	struct mlog_request request;
	struct mlog_reply reply;
	enum hot_verdict how;
	bool cleared = false;
	size_t size = 0;

	if (kmsg_request(k, log->hot.regions, &request) != KMSG_OK) {
		size = kmsg_encode_reply(k, -EINVAL, NULL, 0, buffer, sizeof(buffer));
		node_reply(node, log->mirror->index, buffer, size);
		datagram_free(d);
		return;
	}
	how = hot_answer(&log->hot, &request, &reply, &cleared);
	if (how == HOT_ANSWERED)
		size = kmsg_encode_mlog_reply(k, &reply, buffer, sizeof(buffer));
	meter_end(&node->meter[log->mirror->index], begun_ns);
	if (how == HOT_HAND_OVER) {
		hand_over(d, false);
		return;
	}
	if (how == HOT_ANSWERED)
		node_reply(node, log->mirror->index, buffer, size);
	if (cleared)
		hand_over(d, true);
	else
		datagram_free(d);
}

/* SIM_MIRRORS_MAX: of none. */
static unsigned mirror_index(const struct node *node, const char *uuid)
{
	for (unsigned m = 0; m < world_mirrors(node->world); m++)
		if (strcmp(world_mirror(node->world, m)->uuid, uuid) == 0)
			return m;
	return SIM_MIRRORS_MAX;
}

/* A responder has the datagram. */
static void datagram_respond(struct datagram *d)
{
	struct node *node = d->node;
	uint64_t begun_ns = meter_begin(world_watched(node->world));
	struct log *log;
	struct kmsg k;

	d->life = node->life;
	if (kmsg_decode(d->byte, d->size, &k) != KMSG_OK) {
		world_violation(node->world, "datagram", "the kernel model sent a malformed one");
		datagram_free(d);
		return;
	}
	world_trace(node->world, node, "asked, type %" PRIu64 " seq %" PRIu64 " luid %" PRIx64,
		    k.type, k.seq, k.luid);
	log = about_logs(k.type) ? NULL : log_find(node, k.luid);
	node->meter[mirror_index(node, k.uuid)].requests++;
	if (log != NULL && strcmp(log->mirror->uuid, k.uuid) == 0)
		answer(log, d, &k, begun_ns);
	else
		hand_over(d, false);
}

static void on_datagram(void *context, uint64_t argument);

/* As soon as somebody reads the sockets: in their order, but each responder has one of its own, and
 * a thread that repeats a request may be on another CPU than before. */
static void held_release(struct node *node)
{
	struct random *random = node_random(node, RANDOM_NODE);

	while (node->held_first != NULL) {
		struct datagram *d = node->held_first;

		node->held_first = d->next;
		if (random_chance(random, LAST_PERMILLE))
			world_after(node->world, random_spread(random, LAST_US), on_datagram, d, 0);
		else
			datagram_respond(d);
	}
	node->held_last = NULL;
}

static void held_drop(struct node *node)
{
	while (node->held_first != NULL) {
		struct datagram *d = node->held_first;

		node->held_first = d->next;
		datagram_free(d);
	}
	node->held_last = NULL;
}

static void on_datagram(void *context, uint64_t argument)
{
	struct datagram *d = context;
	struct node *node = d->node;

	(void)argument;
	if (d->boot != node->boots || d->life != node->sockets) {
		datagram_free(d);
	} else if (node_daemon_takes(node) && node->held_first == NULL) {
		datagram_respond(d);
	} else {
		d->next = NULL;
		if (node->held_first == NULL)
			node->held_first = d;
		else
			node->held_last->next = d;
		node->held_last = d;
	}
}

int node_kernel_datagram(struct node *node, const uint8_t *bytes, size_t size)
{
	uint64_t now = world_now_us(node->world);
	struct random *random = node_random(node, RANDOM_NODE);
	struct datagram *d;

	node->requests++;
	if (node->daemon == DAEMON_DOWN)
		return -ESRCH;
	if (now < node->overrun_until_us && random_chance(random, 500)) {
		checker_daemon_died(world_checker(node->world), node);
		return -ESRCH;
	}
	assert(size <= sizeof(d->byte));
	d = datagram_take(node);
	d->size = (uint32_t)size;
	memcpy(d->byte, bytes, size);
	world_after(node->world, random_spread(random, world_scenario(node->world)->responder_us),
		    on_datagram, d, 0);
	return 0;
}

static void on_reply(void *context, uint64_t argument)
{
	struct datagram *d = context;

	(void)argument;
	if (d->boot == d->node->boots && d->node->up)
		kernel_reply(d->node->kernel[d->mirror], d->byte, d->size);
	datagram_free(d);
}

void node_reply(struct node *node, unsigned mirror, const uint8_t *bytes, size_t size)
{
	struct datagram *d = datagram_take(node);

	assert(size > 0 && size <= sizeof(d->byte));
	d->mirror = mirror;
	d->size = (uint32_t)size;
	memcpy(d->byte, bytes, size);
	world_after(node->world, random_spread(node_random(node, RANDOM_NODE), REPLY_US), on_reply,
		    d, 0);
}

/* What the daemon before this one had read and not answered is sent again at once. */
static void requests_nudge(struct node *node)
{
	uint8_t bytes[KMSG_ACK_SIZE];
	uint32_t last = 0;
	bool known = false;

	for (unsigned i = 0; i < LOGS_MAX; i++) {
		uint32_t seq;

		if (!node->log[i].used)
			continue;
		seq = atomic_load(&node->log[i].hot.shared->last_seq);
		if (!known || (int32_t)(seq - last) > 0)
			last = seq;
		known = true;
	}
	for (uint32_t i = 0; known && i <= NUDGE_BEFORE + NUDGE_AFTER; i++) {
		size_t size =
		    kmsg_encode_ack(last - NUDGE_BEFORE + i, -EAGAIN, bytes, sizeof(bytes));

		for (unsigned m = 0; m < world_mirrors(node->world); m++)
			if (kernel_reply(node->kernel[m], bytes, size))
				break;
	}
}

/* ---- the daemon's life */

static void daemon_begin(struct node *node, bool handed_over)
{
	node->daemon = DAEMON_UP;
	node->life++;
	node->incarnation = ++node->starts << 20;
	node->stopped_until_us = 0;
	node->viewed = false;
	node->quorate = false;
	group_versions_init(&node->versions, node->version);
	world_trace(node->world, node, "the daemon starts, version %" PRIu64 " planned %" PRIu64,
		    node->version, handed_over, 0);
	log_restore_all(node, handed_over);
	cpg_join(world_cpg(node->world), node->index);
	if (!handed_over)
		requests_nudge(node);
	held_release(node);
}

void node_daemon_start(struct node *node)
{
	if (node->up && node->daemon == DAEMON_DOWN)
		daemon_begin(node, false);
}

static void daemon_end(struct node *node, enum daemon_state next)
{
	struct world *w = node->world;

	node->daemon = next;
	node->life++;
	node->stopped_until_us = 0;
	node->viewed = false;
	node->quorate = false;
	for (unsigned m = 0; m < world_mirrors(w); m++) {
		struct mirror *mirror = world_mirror(w, m);

		for (unsigned d = 0; d < SIM_LOGDEVS && mirror->plan->has_disk; d++)
			logdev_daemon_died(mirror->logdev[d], node->index);
		legs_mover_died(mirror->legs, node);
	}
	logs_drop(node);
	cpg_leave(world_cpg(w), node->index);
	locks_daemon_died(world_locks(w), node->index);
}

void node_daemon_kill(struct node *node)
{
	if (node->daemon == DAEMON_DOWN)
		return;
	world_trace(node->world, node, "the daemon is killed", 0, 0, 0);
	checker_daemon_died(world_checker(node->world), node);
	daemon_end(node, DAEMON_DOWN);
	node->sockets++;
	held_drop(node);
}

static void on_handed_over(void *context, uint64_t life)
{
	struct node *node = context;

	if (life != node->life || node->daemon != DAEMON_HANDOVER)
		return;
	node->version = node->next_version;
	daemon_begin(node, true);
}

static void on_quiet_poll(void *context, uint64_t life)
{
	struct node *node = context;
	uint64_t pause = random_spread(node_random(node, RANDOM_NODE), DAEMON_HANDOVER_US);

	if (life != node->life || node->daemon != DAEMON_QUIESCING)
		return;
	if (node_busy(node, on_quiet_poll, node, life) != 0)
		return;
	if (logs_quiet(node)) {
		daemon_end(node, DAEMON_HANDOVER);
		world_after(node->world, pause, on_handed_over, node, node->life);
	} else if (world_now_us(node->world) > node->quiesce_limit_us) {
		world_trace(node->world, node, "no quiet moment, no restart", 0, 0, 0);
		node->daemon = DAEMON_UP;
		logs_quiesce(node, false);
		held_release(node);
	} else {
		world_after(node->world, QUIET_POLL_US, on_quiet_poll, node, life);
	}
}

void node_daemon_restart(struct node *node, bool other)
{
	if (!node_daemon_takes(node))
		return;
	world_trace(node->world, node, "the daemon is to be restarted", 0, 0, 0);
	node->next_version = node->version;
	if (other)
		node->next_version = node->version == GROUP_VERSION ? 1 : GROUP_VERSION;
	node->daemon = DAEMON_QUIESCING;
	node->quiesce_limit_us = world_now_us(node->world) + QUIET_MAX_US;
	logs_quiesce(node, true);
	on_quiet_poll(node, node->life);
}

static void on_continue(void *context, uint64_t life)
{
	struct node *node = context;

	if (life == node->life && node_daemon_takes(node))
		held_release(node);
}

void node_daemon_stop(struct node *node, uint64_t duration_us)
{
	if (!node_daemon_takes(node))
		return;
	world_trace(node->world, node, "the daemon stops for %" PRIu64 " us", duration_us, 0, 0);
	node->stopped_until_us = world_now_us(node->world) + duration_us;
	world_after(node->world, duration_us, on_continue, node, node->life);
}

static void on_overrun_seen(void *context, uint64_t life)
{
	struct node *node = context;

	if (life != node->life || node->daemon != DAEMON_UP)
		return;
	if (node_busy(node, on_overrun_seen, node, life) != 0)
		return;
	for (unsigned i = 0; i < LOGS_MAX; i++)
		if (node->log[i].used && log_in_doubt(&node->log[i]))
			log_suspect(&node->log[i]);
}

void node_overrun(struct node *node, uint64_t duration_us)
{
	if (node->daemon != DAEMON_UP)
		return;
	world_trace(node->world, node, "its sockets overrun for %" PRIu64 " us", duration_us, 0, 0);
	checker_daemon_died(world_checker(node->world), node);
	node->overrun_until_us = world_now_us(node->world) + duration_us;
	world_after(node->world, duration_us + SECOND_US, on_overrun_seen, node, node->life);
}

void node_clock_jump(struct node *node, uint64_t ms)
{
	world_trace(node->world, node, "its clock jumps ahead by %" PRIu64 " ms", ms, 0, 0);
	node->clock_us += ms * MS_US;
	/* A late CLEAR that was still to come is not waited for: what it names may be compared. */
	for (unsigned i = 0; i < world_mirrors(node->world); i++)
		checker_repair_all(world_checker(node->world), world_mirror(node->world, i));
}

void node_mover_fail(struct node *node, uint64_t duration_us)
{
	node->mover_fails_until_us = world_now_us(node->world) + duration_us;
}

void node_no_memory(struct node *node, uint64_t duration_us)
{
	uint64_t until_us = world_now_us(node->world) + duration_us;

	if (until_us > node->no_memory_until_us)
		node->no_memory_until_us = until_us;
}

/* ---- power */

static void on_daemon_start(void *context, uint64_t boot)
{
	struct node *node = context;

	if (boot == node->boots)
		node_daemon_start(node);
}

void node_power_on(struct node *node)
{
	struct world *w = node->world;

	if (node->up || node->held_off > 0)
		return;
	node->up = true;
	node->boots++;
	node->up_us = world_now_us(w);
	/* A clock that starts with the host, and may not be 0. */
	node->clock_us =
	    random_between(node_random(node, RANDOM_NODE), SECOND_US, 1000 * SECOND_US);
	node->host =
	    (struct node_host){.seq = (uint32_t)random_next(node_random(node, RANDOM_NODE))};
	world_trace(w, node, "is switched on", 0, 0, 0);
	cpg_station_up(world_cpg(w), node->index);
	for (unsigned m = 0; m < world_mirrors(w); m++)
		agent_boot(&node->agent[m]);
	world_after(w, random_spread(node_random(node, RANDOM_NODE), DAEMON_START_US),
		    on_daemon_start, node, node->boots);
}

void node_power_on_at(void *node, uint64_t argument)
{
	(void)argument;
	node_power_on(node);
}

void node_hold_off(struct node *node, bool hold)
{
	if (hold)
		node->held_off++;
	else
		node->held_off--;
}

void node_power_off(struct node *node)
{
	struct world *w = node->world;

	if (!node->up)
		return;
	world_trace(w, node, "is switched off", 0, 0, 0);
	checker_node_dies(world_checker(w), node);
	for (unsigned m = 0; m < world_mirrors(w); m++) {
		struct mirror *mirror = world_mirror(w, m);

		agent_off(&node->agent[m]);
		node->unread[m] = false;
		kernel_power_off(node->kernel[m]);
		legs_node_died(mirror->legs, node);
		for (unsigned d = 0; d < SIM_LOGDEVS && mirror->plan->has_disk; d++)
			logdev_node_died(mirror->logdev[d], node->index);
	}
	logs_drop(node);
	for (unsigned i = 0; i < LOGS_MAX; i++)
		node->state[i].used = false;
	node->daemon = DAEMON_DOWN;
	node->life++;
	node->viewed = false;
	node->stopped_until_us = 0;
	node->overrun_until_us = 0;
	node->no_memory_until_us = 0;
	node->sockets++;
	held_drop(node);
	cpg_station_down(world_cpg(w), node->index);
	locks_node_off(world_locks(w), node->index);
	node->node_us += world_now_us(w) - node->up_us;
	node->up = false;
}

struct node *node_create(struct world *w, unsigned index)
{
	const struct scenario *s = world_scenario(w);
	struct node *node = world_alloc(w, sizeof(*node));

	node->world = w;
	node->index = index;
	for (unsigned i = 0; i < RANDOM_STREAMS; i++)
		random_seed(&node->random[i], s->seed, (uint64_t)(index + 1) << 8 | i);
	node->version = (uint16_t)random_between(node_random(node, RANDOM_NODE), s->version_min,
						 s->version_max);
	for (unsigned m = 0; m < s->mirrors; m++) {
		node->kernel[m] = kernel_create(node, world_mirror(w, m));
		agent_create(&node->agent[m], node, m);
		group_mirror_of(world_mirror(w, m)->uuid, &node->name[m]);
	}
	return node;
}

void node_end(struct node *node, struct world_result *result)
{
	if (node == NULL)
		return;
	if (node->up)
		node->node_us += result->at_us - node->up_us;
	result->node_us += node->node_us;
	result->requests += node->requests;
	for (unsigned i = 0; i < LOGS_MAX; i++)
		if (node->log[i].used)
			node->log[i].pump.mlog = mlog_destroy(node->log[i].pump.mlog);
}
