/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a log asks of the world around the daemon, and what it is told: the group, the log device,
 * locks, copies. As ports.c and log_device.c of daemons/dlmirrord do it.
 */
#include "test/sim/node_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "base/bits.h"
#include "codec/trace.h"
#include "test/sim/change.h"
#include "test/sim/checker.h"
#include "test/sim/cpg.h"
#include "test/sim/kernel.h"
#include "test/sim/locks.h"
#include "test/sim/logdev.h"
#include "test/sim/mover.h"

#define TIMER_URGENT_MS	  200U
#define TIMER_MULTIPLE_MS 64U
#define STATE_WORDS	  64U /* of a STATE message */
#define WAKE_US		  (1 * MS_US)

/* ---- the group */

/* mirror: whose message it is; SIM_MIRRORS_MAX: none's. */
static void post(struct node *node, unsigned mirror, const uint8_t *datagram, size_t size)
{
	node->meter[mirror].sent++;
	node->meter[mirror].sent_bytes += size;
	cpg_send(world_cpg(node->world), node->index, datagram, size);
}

static void hello(struct node *node)
{
	uint8_t datagram[GROUP_HEADER_SIZE];
	int size = group_encode_hello(&node->versions, node_id(node), datagram, sizeof(datagram));

	assert(size > 0);
	post(node, SIM_MIRRORS_MAX, datagram, (size_t)size);
}

void node_group_view(struct node *node, uint32_t mask, bool quorate)
{
	bool more = false;

	world_trace(node->world, node, "view, nodes %" PRIx64 ", quorate %" PRIu64, mask, quorate,
		    0);
	for (uint32_t i = 0; i < SIM_NODES_MAX; i++) {
		bool known = false;

		for (uint32_t k = 0; k < node->view_count && node->viewed; k++)
			known = known || node->view[k] == i + 1;
		more = more || ((mask >> i & 1) != 0 && !known);
	}
	node->view_count = 0;
	for (uint32_t i = 0; i < SIM_NODES_MAX; i++)
		if ((mask >> i & 1) != 0)
			node->view[node->view_count++] = i + 1;
	node->viewed = true;
	node->quorate = quorate;
	group_versions_view(&node->versions, node->view, node->view_count);
	if (more)
		hello(node);
	for (unsigned i = 0; i < LOGS_MAX; i++)
		if (node->log[i].used)
			log_view(&node->log[i]);
}

static void send(struct node *node, const struct mirror *mirror, const struct mlog_message *message)
{
	uint8_t datagram[GROUP_MESSAGE_MAX];
	uint64_t begun_ns = meter_begin(world_watched(node->world));
	int size = group_encode(&node->versions, &node->name[mirror->index], message, datagram,
				sizeof(datagram));

	meter_end(&node->meter[mirror->index], begun_ns);
	if (size < 0)
		world_violation(node->world, "message", "node %u sends a bad message of kind %d",
				node_id(node), (int)message->kind);
	else
		post(node, mirror->index, datagram, (size_t)size);
}

/* Nobody here knows that mirror. */
static void have_none(struct node *node, const struct mirror *mirror,
		      const struct mlog_message *join)
{
	struct mlog_message none = {.kind = MLOG_MSG_NONE,
				    .from = node_id(node),
				    .incarnation = node->starts << 20,
				    .seq = 1};

	none.none.to = join->from;
	none.none.incarnation = join->incarnation;
	send(node, mirror, &none);
}

/* A table that is not in use must not speak for the node while another of the mirror is. */
static bool listens(const struct log *log)
{
	for (unsigned i = 0; i < LOGS_MAX && log_detached(log); i++) {
		const struct log *other = &log->node->log[i];

		if (other->used && other->mirror == log->mirror && !log_detached(other))
			return false;
	}
	return true;
}

static void received(struct node *node, unsigned mirror, size_t size, uint64_t begun_ns)
{
	node->meter[mirror].received++;
	node->meter[mirror].received_bytes += size;
	meter_end(&node->meter[mirror], begun_ns);
}

void node_group_message(struct node *node, const uint8_t *datagram, size_t size, uint64_t place)
{
	static struct group_room room;
	struct mlog_event event = {.kind = MLOG_EV_MESSAGE};
	struct mlog_message message;
	struct group_header header;
	unsigned mirror = 0;
	bool known = false;
	bool joins;
	uint64_t begun_ns = meter_begin(world_watched(node->world));
	int error = group_decode(datagram, size, node->versions.own, &header, &room, &message);

	if (error == -EPROTONOSUPPORT)
		return;
	if (error != 0) {
		world_violation(node->world, "message", "node %u cannot decode one: %d",
				node_id(node), error);
		return;
	}
	group_versions_seen(&node->versions, header.node, header.highest);
	if (header.hello) {
		received(node, SIM_MIRRORS_MAX, size, begun_ns);
		return;
	}
	while (!group_mirror_same(&node->name[mirror], &header.mirror))
		mirror++;
	received(node, mirror, size, begun_ns);
	joins = message.kind == MLOG_MSG_JOIN;
	/* Nobody here has a state while the new table is put in force: it would be told so. */
	if (joins &&
	    change_outdates(world_change(node->world, mirror), node, message.join.revision))
		return;
	event.message = &message;
	for (unsigned i = 0; i < LOGS_MAX; i++) {
		struct log *log = &node->log[i];
		uint64_t hash;

		if (!log->used || log->mirror->index != mirror)
			continue;
		known = true;
		if (!listens(log))
			continue;
		pump_event(&log->pump, &event);
		hash = mlog_state_hash(log->pump.mlog);
		if (hash != 0 && !node_doomed(node))
			checker_state(world_checker(node->world), node, log->mirror, place, hash);
	}
	if (!known && joins && message.from != node_id(node))
		have_none(node, world_mirror(node->world, mirror), &message);
}

/* ---- answers of the other ports */

void node_locked(struct node *node, uint64_t object, uint32_t lock, int error)
{
	struct log *log = log_find_object(node, object);
	struct mlog_event event = {.kind = MLOG_EV_LOCKED};

	if (log == NULL)
		return;
	event.locked.lock = lock;
	event.locked.error = error;
	pump_event(&log->pump, &event);
}

static void slot_done(struct log *log, enum mlog_event_kind kind, const struct logdev_answer *a)
{
	struct mlog_event event = {.kind = kind};

	event.slot.slot = a->request->slot;
	event.slot.error = a->error;
	event.slot.dirty = a->dirty;
	pump_event(&log->pump, &event);
}

/* All nodes lost power when a change had been decided and nobody had written yet: what the device
 * says is about other legs. */
static bool of_other_legs(const struct log *log, const struct logdev_answer *a)
{
	return a->request->whole && !log->follows && a->revision < log->table.revision;
}

static void loaded(struct log *log, const struct logdev_answer *a)
{
	struct mlog_event event = {.kind = MLOG_EV_LOADED};

	event.loaded.error = a->error;
	event.loaded.history = a->history;
	/* A note that is there then is about the device before. */
	event.loaded.history.distrust =
	    (log->node->marker[log->mirror->index] && !log->succeeds) || of_other_legs(log, a);
	pump_event(&log->pump, &event);
}

static void claimed(struct log *log, int error)
{
	log->claimed = log->claimed || error == 0;
	pump_event(&log->pump, &(struct mlog_event){.kind = MLOG_EV_CLAIMED, .error = error});
	if (atomic_load(&log->hot.shared->whole) != 0)
		log->node->marker[log->mirror->index] = false;
}

static void written(struct log *log, const struct logdev_answer *a)
{
	struct mlog_event event = {.kind = MLOG_EV_WRITTEN};

	event.written.area = a->request->area;
	event.written.page = a->request->page;
	event.written.error = a->error;
	pump_event(&log->pump, &event);
}

void node_device_done(struct node *node, unsigned mirror, const struct logdev_answer *a)
{
	struct log *log = log_find_object(node, a->request->object);

	(void)mirror;
	if (log == NULL)
		return;
	if (a->error != 0)
		checker_repair_all(world_checker(node->world), log->mirror);
	if (a->error == -ENXIO) {
		log->identity = 0;
		log->claimed = false;
	}
	switch (a->request->kind) {
	case LOGDEV_LOAD:
		loaded(log, a);
		break;
	case LOGDEV_CLAIM:
		claimed(log, a->error);
		break;
	case LOGDEV_WRITE:
		written(log, a);
		break;
	case LOGDEV_RELEASE:
		pump_event(&log->pump,
			   &(struct mlog_event){.kind = MLOG_EV_RELEASED, .error = a->error});
		break;
	case LOGDEV_READ_SLOT:
		slot_done(log, MLOG_EV_SLOT_READ, a);
		break;
	case LOGDEV_EMPTY_SLOT:
		slot_done(log, MLOG_EV_SLOT_EMPTIED, a);
		break;
	}
}

void node_copied(struct node *node, uint64_t object, uint64_t region, enum mlog_copy_result result)
{
	struct log *log = log_find_object(node, object);
	struct mlog_event event = {.kind = MLOG_EV_COPIED};

	if (log == NULL)
		return;
	event.copied.region = region;
	event.copied.result = result;
	pump_event(&log->pump, &event);
}

/* ---- ports */

static uint64_t port_now_ms(void *context)
{
	return node_now_ms(((struct log *)context)->node);
}

static void port_step_begin(void *context, const struct mlog_event *event)
{
	struct log *log = context;

	(void)event;
	log->step_ns = meter_begin(world_watched(log->node->world));
}

static void port_step_end(void *context)
{
	const struct log *log = context;

	meter_end(log_meter(log), log->step_ns);
}

static void port_reply(void *context, const struct mlog_reply *r)
{
	const struct log *log = context;
	uint64_t begun_ns = meter_begin(world_watched(log->node->world));
	uint8_t datagram[KMSG_SIZE_MAX];
	size_t size;
	struct kmsg k = {
	    .cn_seq = r->seq,
	    .version = log->state->version,
	    .luid = log->state->luid,
	    .seq = r->seq,
	    .type = r->type,
	    .request_type = (uint32_t)r->type,
	};

	snprintf(k.uuid, sizeof(k.uuid), "%s", log->mirror->uuid);
	size = kmsg_encode_mlog_reply(&k, r, datagram, sizeof(datagram));
	meter_end(log_meter(log), begun_ns);
	node_reply(log->node, log->mirror->index, datagram, size);
}

static void words_of(const struct log *log, enum mlog_area area, uint64_t *ret)
{
	uint64_t bits = area == MLOG_AREA_SLOT ? hot_slot_bits(&log->hot) : log->hot.regions;

	for (uint64_t w = 0; w < bits_words(bits); w++)
		ret[w] = mlog_word(log->pump.mlog, area, w);
}

static void request_of(const struct log *log, enum logdev_kind kind, uint32_t slot,
		       struct logdev_request *ret)
{
	*ret = (struct logdev_request){.kind = kind,
				       .node = log->node->index,
				       .object = log->object,
				       .identity = log->identity,
				       .revision = log->table.revision,
				       .slot = slot};
}

static void submit(const struct log *log, const struct logdev_request *request)
{
	if (request->kind != LOGDEV_LOAD && request->kind != LOGDEV_READ_SLOT)
		log_meter(log)->log_writes++;
	logdev_submit(log_logdev(log), request);
}

static int ready(struct log *log)
{
	return log->identity != 0 ? 0 : log_device_open(log);
}

static void defer_error(struct log *log, enum mlog_event_kind kind, int error)
{
	struct mlog_event event = {.kind = kind};

	if (kind == MLOG_EV_LOADED)
		event.loaded.error = error;
	else
		event.error = error;
	pump_defer(&log->pump, &event);
}

static void port_load(void *context, uint32_t slot, bool whole)
{
	struct log *log = context;
	struct logdev_request request;
	int error = ready(log);

	if (error != 0) {
		defer_error(log, MLOG_EV_LOADED, error);
		return;
	}
	request_of(log, LOGDEV_LOAD, slot, &request);
	request.whole = whole;
	submit(log, &request);
}

static void port_claim(void *context, uint32_t slot, bool whole)
{
	struct log *log = context;
	struct logdev_request request;
	int error = ready(log);

	if (error != 0) {
		defer_error(log, MLOG_EV_CLAIMED, error);
		return;
	}
	request_of(log, LOGDEV_CLAIM, slot, &request);
	request.whole = whole;
	words_of(log, MLOG_AREA_SLOT, request.bits);
	words_of(log, MLOG_AREA_SYNC, request.sync);
	submit(log, &request);
}

static void port_write(void *context, enum mlog_area area, uint64_t page)
{
	struct log *log = context;
	struct mlog_status status;
	struct logdev_request request;

	if (!log->claimed) {
		struct mlog_event event = {.kind = MLOG_EV_WRITTEN};

		event.written.area = area;
		event.written.page = page;
		event.written.error = -ESTALE;
		pump_defer(&log->pump, &event);
		return;
	}
	mlog_status(log->pump.mlog, &status);
	request_of(log, LOGDEV_WRITE, status.slot, &request);
	request.area = area;
	request.page = page;
	words_of(log, area, area == MLOG_AREA_SLOT ? request.bits : request.sync);
	submit(log, &request);
}

static void port_release(void *context, uint32_t slot, bool whole)
{
	struct log *log = context;
	struct logdev_request request;

	if (!log->claimed) {
		defer_error(log, MLOG_EV_RELEASED, -ESTALE);
		return;
	}
	log->claimed = false;
	request_of(log, LOGDEV_RELEASE, slot, &request);
	request.whole = whole;
	for (uint64_t w = 0; whole && w < bits_words(log->hot.regions); w++)
		request.sync[w] = mlog_kernel_word(log->pump.mlog, w);
	submit(log, &request);
}

static void slot_submit(struct log *log, enum logdev_kind kind, enum mlog_event_kind answer,
			uint32_t slot)
{
	struct logdev_request request;
	struct mlog_event event = {.kind = answer};

	/* Only a load or a claim opens a device. */
	if (log->identity != 0) {
		request_of(log, kind, slot, &request);
		submit(log, &request);
		return;
	}
	event.slot.slot = slot;
	event.slot.error = -ENODEV;
	pump_defer(&log->pump, &event);
}

static void port_read_slot(void *context, uint32_t slot)
{
	slot_submit(context, LOGDEV_READ_SLOT, MLOG_EV_SLOT_READ, slot);
}

static void port_empty_slot(void *context, uint32_t slot)
{
	slot_submit(context, LOGDEV_EMPTY_SLOT, MLOG_EV_SLOT_EMPTIED, slot);
}

static void port_copy(void *context, uint64_t region, enum mlog_copy_mode mode)
{
	struct log *log = context;
	struct node *node = log->node;
	uint32_t suspect = atomic_load(&log->hot.shared->suspect);
	struct mlog_event event = {.kind = MLOG_EV_COPIED};

	/* Until its device was reset the kernel may write what the core thinks is quiet. */
	if (suspect == SUSPECT_NEW || suspect == SUSPECT_RESETTING) {
		event.copied.region = region;
		event.copied.result = MLOG_COPY_LATER;
		pump_defer(&log->pump, &event);
		return;
	}
	mover_copy(node, log->mirror, log->table.revision, log->object, region, mode,
		   world_now_us(node->world) < node->mover_fails_until_us);
}

static void on_timer(void *context, uint64_t object)
{
	struct log *log = context;

	if (!log->used || log->object != object)
		return;
	log->timer = node_busy(log->node, on_timer, log, object);
	if (log->timer == 0)
		pump_event(&log->pump, &(struct mlog_event){.kind = MLOG_EV_TIMER});
}

static void port_timer(void *context, uint64_t at_ms)
{
	struct log *log = context;
	struct world *w = log->node->world;
	uint64_t now = node_now_ms(log->node);
	uint64_t at = at_ms > now ? at_ms : now + 1;

	world_cancel(w, log->timer);
	log->timer = 0;
	if (at_ms == 0)
		return;
	if (at_ms > now + TIMER_URGENT_MS)
		at += TIMER_MULTIPLE_MS - at % TIMER_MULTIPLE_MS;
	log->timer = world_after(w, node_until_us(log->node, at), on_timer, log, log->object);
}

static void port_notice(void *context, enum mlog_notice code, uint64_t value)
{
	struct log *log = context;
	struct node *node = log->node;
	struct kernel *kernel = node->kernel[log->mirror->index];
	bool *marker = &node->marker[log->mirror->index];
	struct mlog_status status;

	switch (code) {
	case MLOG_NOTICE_ATTACHED:
		log->succeeds = false;
		/* Nobody has seen all that happened: it compares everything. */
		if (!log->table.has_disk && value > 0)
			checker_repair_all(world_checker(node->world), log->mirror);
		kernel_status(kernel); /* so that it asks for the count */
		break;
	case MLOG_NOTICE_DETACHED:
		if (atomic_load(&log->hot.shared->truth) != MLOG_TRUTH_MEMORY) {
			*marker = false;
			logdev_forgotten(log_logdev(log), node->index);
		}
		node->unread[log->mirror->index] = false;
		mlog_status(log->pump.mlog, &status);
		checker_detached(world_checker(node->world), log->mirror, status.slot);
		break;
	case MLOG_NOTICE_LOG_FAILED:
		log->succeeds = false;
		checker_repair_all(world_checker(node->world), log->mirror);
		*marker = true;
		node->unread[log->mirror->index] = value != ESTALE;
		mlog_status(log->pump.mlog, &status);
		if (status.in_sync == 0)
			logdev_feared(log_logdev(log), node->index);
		break;
	case MLOG_NOTICE_LOG_OK:
		*marker = false;
		node->unread[log->mirror->index] = false;
		break;
	case MLOG_NOTICE_STARVED:
		checker_starved(world_checker(node->world), log->mirror);
		break;
	case MLOG_NOTICE_VERIFIED:
		mlog_status(log->pump.mlog, &status);
		if (status.verify_repair &&
		    atomic_load(&log->hot.shared->suspect) == SUSPECT_COMPARING)
			atomic_store(&log->hot.shared->suspect, SUSPECT_NO);
		break;
	default:
		break;
	}
}

static void port_send(void *context, const struct mlog_message *message)
{
	struct log *log = context;
	struct node *node = log->node;
	struct mlog_message piece;
	uint64_t words[STATE_WORDS];
	uint64_t cursor = 0;

	/* It cannot know which of them were written. */
	if (message->kind == MLOG_MSG_DIRTY && message->dirty_bits.all) {
		checker_repair_all(world_checker(node->world), log->mirror);
		logdev_feared(log_logdev(log), node->index);
	}
	if (!node->viewed || !node->quorate)
		return;
	if (message->kind != MLOG_MSG_STATE) {
		send(node, log->mirror, message);
		return;
	}
	while (mlog_state_next(log->pump.mlog, &cursor, words, STATE_WORDS, &piece))
		send(node, log->mirror, &piece);
}

static void port_lock(void *context, uint32_t lock, bool keep)
{
	const struct log *log = context;

	locks_request(world_locks(log->node->world), log->node->index, log->mirror->index, lock,
		      log->object, keep);
}

static void port_unlock(void *context, uint32_t lock)
{
	const struct log *log = context;

	locks_release(world_locks(log->node->world), log->node->index, log->mirror->index, lock,
		      log->object);
}

static void on_wake(void *context, uint64_t argument)
{
	struct node *node = context;

	if (argument >> 1 == node->life)
		kernel_wake(node->kernel[argument & 1]);
}

static void port_wake(void *context)
{
	const struct log *log = context;

	world_after(log->node->world, WAKE_US, on_wake, log->node,
		    log->node->life << 1 | log->mirror->index);
}

static void port_reload(void *context)
{
	const struct log *log = context;

	agent_reload(&log->node->agent[log->mirror->index]);
}

/* ---- the trace: every number that a line has goes into the hash, the text only where it is
 * wanted */

static void trace_head(const struct log *log, uint64_t kind)
{
	struct world *w = log->node->world;

	world_trace_hash(w, world_now_us(w));
	world_trace_hash(w, (uint64_t)node_id(log->node) << 32 | log->mirror->index << 8 | kind);
}

static void trace_print(const struct log *log, const char *line)
{
	char text[TRACE_LINE_SIZE + 32];

	snprintf(text, sizeof(text), "m%u %" PRIx64 " %s", log->mirror->index,
		 log->state->luid & 0xffff, line);
	world_trace_text(log->node->world, log->node, text);
}

static void trace_message(struct world *w, const struct mlog_message *message)
{
	world_trace_hash(w, (uint64_t)message->kind << 32 | message->from);
	world_trace_hash(w, message->incarnation);
	world_trace_hash(w, message->seq);
}

static void port_trace_event(void *context, const struct mlog_event *event)
{
	const struct log *log = context;
	struct world *w = log->node->world;
	char line[TRACE_LINE_SIZE];

	trace_head(log, (uint64_t)event->kind);
	if (event->kind == MLOG_EV_REQUEST || event->kind == MLOG_EV_CLEARED) {
		world_trace_hash(w, (uint64_t)event->request.type << 32 | event->request.seq);
		for (uint32_t i = 0; i < event->request.region_count; i++)
			world_trace_hash(w, event->request.region[i]);
	} else if (event->kind == MLOG_EV_MESSAGE) {
		trace_message(w, event->message);
	} else if (event->kind == MLOG_EV_COPIED) {
		world_trace_hash(w, event->copied.region << 8 | (uint64_t)event->copied.result);
	}
	if (!world_traces(w))
		return;
	trace_event(event, line);
	trace_print(log, line);
}

static void port_trace_effect(void *context, const struct mlog_effect *effect)
{
	const struct log *log = context;
	struct world *w = log->node->world;
	char line[TRACE_LINE_SIZE];

	trace_head(log, 0x80 | (uint64_t)effect->kind);
	if (effect->kind == MLOG_REPLY) {
		world_trace_hash(w, (uint64_t)effect->reply.type << 32 | effect->reply.seq);
		world_trace_hash(w, (uint64_t)(uint32_t)effect->reply.error << 32 |
					effect->reply.words);
		for (uint32_t i = 0; i < effect->reply.words; i++)
			world_trace_hash(w, effect->reply.word[i]);
	} else if (effect->kind == MLOG_SEND) {
		trace_message(w, effect->message);
	} else if (effect->kind == MLOG_COPY) {
		world_trace_hash(w, effect->copy.region);
	} else if (effect->kind == MLOG_NOTICE) {
		world_trace_hash(w, (uint64_t)effect->notice.code << 32 | effect->notice.value);
	}
	if (!world_traces(w))
		return;
	trace_effect(effect, line);
	trace_print(log, line);
}

const struct pump_ports log_ports = {
    .now_ms = port_now_ms,
    .step_begin = port_step_begin,
    .step_end = port_step_end,
    .reply = port_reply,
    .load = port_load,
    .claim = port_claim,
    .write = port_write,
    .release = port_release,
    .read_slot = port_read_slot,
    .empty_slot = port_empty_slot,
    .copy = port_copy,
    .timer = port_timer,
    .notice = port_notice,
    .send = port_send,
    .lock = port_lock,
    .unlock = port_unlock,
    .wake = port_wake,
    .reload = port_reload,
    .trace_event = port_trace_event,
    .trace_effect = port_trace_effect,
};
