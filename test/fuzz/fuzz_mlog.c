/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core, with everything that may happen around it: requests of the kernel, answers in any order
 * and with any result, messages, views, locks, time, daemons and nodes that die, and a member of
 * the group that says anything that can be decoded.
 *
 * Input: three bytes choose the world, the rest are actions, see mlog_actions.h. Behind the end of
 * the input there are zeros.
 */
#include <errno.h>

#include "base/cursor.h"
#include "test/fuzz/fuzz.h"
#include "test/fuzz/mlog_actions.h"
#include "test/fuzz/mlog_world.h"

#define INPUT_MAX   512U /* what is behind it is not read: many stories say more than a long one */
#define ACTIONS_MAX 1500U
#define ITEMS	    8U /* at most, in a forged message */

struct input {
	struct reader r;
	struct world_plan plan;
	uint64_t seq; /* of the stranger */
	uint64_t incarnation;
};

static struct mlog_member member[MLOG_MEMBERS_MAX];
static uint64_t word[GROUP_WORDS_MAX];

static uint8_t byte(struct input *in)
{
	return read_u8(&in->r);
}

/* Small ones, and those at which something ends. */
static uint64_t number(struct input *in)
{
	uint8_t b = byte(in);

	switch (b) {
	case 255:
		return GROUP_REGIONS_MAX - 1;
	case 254:
		return read_u64(&in->r);
	case 253:
		return in->plan.regions;
	case 252:
		return in->plan.regions - 1;
	case 251:
		return in->plan.regions + 1;
	case 250:
		return read_u16(&in->r);
	default:
		return b;
	}
}

static struct world_plan plan_read(struct input *in)
{
	static const uint64_t regions[] = {12, 1, 64, 65, 130, 200, 3, 9000};
	static const uint32_t rooms[] = {64, 65, 256, GROUP_WORDS_MAX};
	struct world_plan plan = {.nodes = 1};
	uint8_t a = byte(in);
	uint8_t b = byte(in);
	uint8_t c = byte(in);

	plan.nodes = a % 4 == 3 ? 2 : a % 4 + 1;
	plan.has_disk = (a & PLAN_DISK) != 0;
	plan.stranger = (a & PLAN_STRANGER) != 0;
	plan.sync = (enum mlog_sync)((a >> 4 & 3) % 3);
	plan.members = (a & PLAN_TIGHT) != 0 ? plan.nodes : 4;
	if ((a & PLAN_MOST) != 0)
		plan.members = plan.nodes > 1 || plan.stranger ? MLOG_MEMBERS_MAX : 1;
	plan.regions = regions[b & 7];
	plan.shift = b >> 3 & 3;
	plan.copies = 1 + (b >> 5);
	plan.words = rooms[c & 3];
	for (uint32_t i = 0; i < WORLD_NODES; i++)
		plan.highest[i] = (c & 4U << i) != 0 ? 1 : GROUP_VERSION;
	return plan;
}

static int error(bool failed)
{
	return failed ? -EIO : 0;
}

static struct world_history history(struct input *in)
{
	uint8_t flags = byte(in);
	struct world_history h = {
	    .load = (enum mlog_load)((flags & 3) % 3),
	    .other = (flags & HISTORY_OTHER) != 0,
	    .distrust = (flags & HISTORY_DISTRUST) != 0,
	    .damaged_header = (flags & HISTORY_DAMAGED) != 0,
	    .replaced = (flags & HISTORY_REPLACED) != 0,
	    .in_sync = UINT8_MAX,
	};

	if ((flags & HISTORY_IN_SYNC) != 0)
		h.in_sync = byte(in);
	if (h.load == MLOG_LOAD_CRASHED) {
		h.dirty = byte(in);
		h.owners = byte(in);
	}
	return h;
}

/* ---- what the stranger says */

static void items_forge(struct input *in, struct mlog_items *ret)
{
	ret->count = byte(in) % (ITEMS + 1);
	for (uint32_t i = 0; i < ret->count; i++)
		ret->item[i] = number(in);
}

static void member_forge(struct input *in, struct mlog_member *ret)
{
	uint8_t flags = byte(in);
	uint64_t seq;

	*ret = (struct mlog_member){.state = (enum mlog_member_state)(flags & 3)};
	if (flags == 0)
		return;
	ret->informed = (flags & 4) != 0;
	ret->live = (flags & 8) != 0;
	ret->replicated = (flags & 16) != 0;
	ret->marked = (flags & 32) != 0;
	ret->node = byte(in) % 6;
	/* of a real node it is mostly its real one */
	if ((flags & 64) != 0 && ret->node >= 1 && ret->node <= WORLD_NODES)
		world_last(ret->node - 1, &ret->incarnation, &seq);
	else
		ret->incarnation = number(in);
	ret->bound = number(in);
	ret->lease_first = number(in);
	ret->lease = number(in);
	if ((flags & 128) == 0)
		return;
	ret->claim_seq = number(in);
	ret->claim_waits = byte(in);
	ret->claim_busy = byte(in);
	ret->claim_count = byte(in) % (MLOG_COPIES_MAX + 1);
	for (uint32_t i = 0; i < ret->claim_count; i++)
		ret->claim[i] = number(in);
}

static void state_forge(struct input *in, struct mlog_state *ret)
{
	uint8_t flags = byte(in);
	uint8_t fill = byte(in);

	ret->snap = (flags & 4) != 0 ? number(in) : in->seq;
	ret->last = (flags & 1) != 0;
	ret->map = byte(in) % (MLOG_MAP_MARKS + MLOG_MEMBERS_MAX);
	ret->first = number(in);
	ret->words = byte(in);
	for (uint32_t i = 0; i < ret->words; i++)
		word[i] = fill * UINT64_C(0x0101010101010101);
	ret->word = word;
	if ((flags & 2) == 0)
		return;
	ret->member_count = in->plan.members;
	if ((flags & 8) != 0)
		ret->member_count = byte(in) % (MLOG_MEMBERS_MAX + 1);
	for (uint32_t i = 0; i < ret->member_count; i++)
		member_forge(in, &member[i]);
	ret->member = member;
}

static void join_forge(struct input *in, struct mlog_message *m)
{
	uint8_t flags = byte(in);

	m->join.live = (flags & 1) != 0;
	m->join.has_disk = in->plan.has_disk ^ ((flags & 2) != 0);
	m->join.region_count = (flags & 4) != 0 ? number(in) : in->plan.regions;
	m->join.region_sectors = (flags & 8) != 0 ? 64 : 1024;
	m->join.slot = m->join.live ? byte(in) % MLOG_MEMBERS_MAX : MLOG_NO_SLOT;
	m->join.applied = number(in);
	m->join.bound = m->join.live ? number(in) : 0;
	m->join.recovering = m->join.live ? number(in) : 0;
}

static void body_forge(struct input *in, struct mlog_message *m, uint32_t to)
{
	uint64_t incarnation;
	uint64_t seq;

	world_last(to, &incarnation, &seq);
	switch (m->kind) {
	case MLOG_MSG_JOIN:
		join_forge(in, m);
		break;
	case MLOG_MSG_NONE:
		m->none.to = to + 1;
		m->none.incarnation = incarnation;
		m->none.joining = byte(in) & 1;
		m->none.founding = m->none.joining && (byte(in) & 1);
		m->none.applied = number(in);
		break;
	case MLOG_MSG_STATE:
		state_forge(in, &m->state);
		break;
	case MLOG_MSG_LEAVE:
		m->dirty = byte(in) & 1;
		break;
	case MLOG_MSG_SYNC:
		m->sync.in_sync = byte(in) & 1;
		m->sync.region = number(in);
		break;
	case MLOG_MSG_LEASE:
		m->lease.from = number(in);
		m->lease.regions = byte(in);
		break;
	case MLOG_MSG_WANT:
	case MLOG_MSG_UNSEEN:
		m->region = number(in);
		break;
	case MLOG_MSG_CLAIM:
		items_forge(in, &m->claim);
		break;
	case MLOG_MSG_DONE:
		m->done.claim = in->seq - byte(in);
		m->done.repaired = byte(in);
		break;
	case MLOG_MSG_ACK:
		m->ack.to = to + 1;
		m->ack.seq = seq - byte(in);
		m->ack.incarnation = incarnation;
		m->ack.busy = byte(in);
		break;
	case MLOG_MSG_DIRTY:
		m->dirty_bits.slot = byte(in) % MLOG_MEMBERS_MAX;
		m->dirty_bits.incarnation = (byte(in) & 1) != 0 ? number(in) : incarnation;
		m->dirty_bits.last = byte(in) & 1;
		m->dirty_bits.all = byte(in) & 1;
		items_forge(in, &m->dirty_bits.items);
		break;
	case MLOG_MSG_MARKS:
	case MLOG_MSG_UNMARKS:
		m->marks.all = byte(in) & 1;
		items_forge(in, &m->marks.items);
		break;
	case MLOG_MSG_SNAP:
		m->applied = number(in);
		break;
	case MLOG_MSG_READY:
	case MLOG_MSG_LOST:
	case MLOG_MESSAGES:
		break;
	}
}

static void forge(struct input *in, uint32_t to, bool later)
{
	struct mlog_message m = {.kind = (enum mlog_message_kind)(byte(in) % MLOG_MESSAGES)};

	if (m.kind == MLOG_MSG_JOIN && later)
		in->incarnation++;
	m.incarnation = in->incarnation;
	m.seq = in->seq += m.kind != MLOG_MSG_STATE; /* they share their SNAP's */
	body_forge(in, &m, to);
	world_forge(&m);
}

/* ---- actions */

static void request_any(struct input *in, uint32_t node, bool on)
{
	enum ulog_type type = (enum ulog_type)(byte(in) % ULOG_TYPES);
	uint64_t region = number(in);
	uint32_t count = byte(in) % (MLOG_GROUP_MAX + 1);

	switch (type) {
	case ULOG_PRESUSPEND:
	case ULOG_POSTSUSPEND:
	case ULOG_RESUME:
	case ULOG_GET_REGION_SIZE:
	case ULOG_GET_RESYNC_WORK:
	case ULOG_GET_SYNC_COUNT:
		world_request(node, type, 0, 0, false);
		break;
	case ULOG_IS_CLEAN:
	case ULOG_IN_SYNC:
	case ULOG_IS_REMOTE_RECOVERING:
	case ULOG_SET_REGION_SYNC:
		world_request(node, type, region, 1, on && type == ULOG_SET_REGION_SYNC);
		break;
	case ULOG_MARK_REGION:
	case ULOG_CLEAR_REGION:
		world_request(node, type, region, count + (count == 0), false);
		break;
	case ULOG_FLUSH:
		world_request(node, type, region, count, false);
		break;
	default: /* no request for the core */
		break;
	}
}

static void suspend(uint32_t node)
{
	world_request(node, ULOG_PRESUSPEND, 0, 0, false);
	world_request(node, ULOG_POSTSUSPEND, 0, 0, false);
}

static void kernel_acts(struct input *in, enum action action, uint32_t node, bool on)
{
	switch (action) {
	case ACT_MARK:
		world_request(node, ULOG_MARK_REGION, number(in), on ? 3 : 1, false);
		break;
	case ACT_CLEAR:
		world_request(node, ULOG_CLEAR_REGION, number(in), on ? 3 : 1, false);
		break;
	case ACT_FLUSH:
		world_request(node, ULOG_FLUSH, number(in), on ? 2 : 0, false);
		break;
	case ACT_RESUME:
		world_request(node, ULOG_RESUME, 0, 0, false);
		break;
	case ACT_SUSPEND:
		suspend(node);
		break;
	case ACT_REQUEST:
		request_any(in, node, on);
		break;
	case ACT_IN_SYNC:
		world_request(node, on ? ULOG_IN_SYNC : ULOG_IS_REMOTE_RECOVERING, number(in), 1,
			      false);
		break;
	case ACT_WORK:
		world_request(node, on ? ULOG_GET_RESYNC_WORK : ULOG_GET_SYNC_COUNT, 0, 0, false);
		break;
	default:
		world_request(node, ULOG_SET_REGION_SYNC, number(in), 1, on);
		break;
	}
}

static void world_answers(struct input *in, enum action action, uint32_t node, bool on)
{
	struct world_history h;

	switch (action) {
	case ACT_DEVICE:
		h = history(in);
		world_answer_device(node, on && h.replaced ? -ESTALE : error(on), &h);
		break;
	case ACT_WRITE:
		world_answer_write(node, byte(in), error(on));
		break;
	case ACT_COPY:
		world_answer_copy(node, byte(in),
				  (enum mlog_copy_result)(byte(in) % (MLOG_COPY_LATER + 1)));
		break;
	case ACT_LOCK:
		world_answer_lock(node, byte(in), on ? -EAGAIN : 0);
		break;
	default:
		world_answer_slot(node, error(on), byte(in));
		break;
	}
}

static void admin_acts(struct input *in, uint32_t node, bool on)
{
	static const enum mlog_event_kind kind[] = {MLOG_EV_VERIFY_STOP, MLOG_EV_RETRY,
						    MLOG_EV_QUIESCE, MLOG_EV_RATE};

	world_admin(node, kind[byte(in) % 4], on);
}

static void cluster_acts(struct input *in, enum action action, uint32_t node, bool on)
{
	switch (action) {
	case ACT_PART:
		world_part(byte(in), on);
		break;
	case ACT_DAEMON_DIES:
		world_daemon_dies(node, on);
		break;
	case ACT_DAEMON_STARTS:
		world_daemon_starts(node);
		break;
	case ACT_DAEMON_RESTARTS:
		world_daemon_restarts(node);
		break;
	case ACT_NODE_DIES:
		world_node_dies(node, on);
		break;
	case ACT_REMOVE:
		world_remove(node);
		break;
	case ACT_RELOAD:
		world_reload(node);
		break;
	default:
		forge(in, node % in->plan.nodes, on);
		break;
	}
}

static void act(struct input *in)
{
	uint8_t b = byte(in);
	enum action action = (enum action)(b & 31);
	uint32_t node = b >> 5 & 3;
	bool on = (b & ACT_ON) != 0;
	struct world_history h;

	if (action >= ACT_MARK && action <= ACT_REGION_SYNC) {
		kernel_acts(in, action, node, on);
	} else if (action >= ACT_DEVICE && action <= ACT_SLOT) {
		world_answers(in, action, node, on);
	} else if (action >= ACT_PART && action <= ACT_FORGE) {
		cluster_acts(in, action, node, on);
	} else if (action == ACT_RUN) {
		h = history(in);
		world_run(1 + byte(in) % 64U, &h);
	} else if (action == ACT_DELIVER) {
		world_deliver(node);
	} else if (action == ACT_DELIVER_ALL) {
		for (unsigned i = 0; i < 64 && world_deliver(node); i++)
			continue;
	} else if (action == ACT_TIMER) {
		world_timer(node);
	} else if (action == ACT_TIME) {
		world_time(UINT32_C(1) << (byte(in) % 15));
	} else if (action == ACT_VERIFY) {
		world_admin(node, MLOG_EV_VERIFY, on);
	} else if (action == ACT_ADMIN) {
		admin_acts(in, node, on);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.r = reader_of(data, size), .incarnation = 1};

	if (size < 3)
		return 0;
	if (size > INPUT_MAX)
		in.r = reader_of(data, INPUT_MAX);
	in.plan = plan_read(&in);
	world_begin(&in.plan);
	for (unsigned i = 0; i < ACTIONS_MAX && in.r.left > 0; i++)
		act(&in);
	world_end();
	return 0;
}
