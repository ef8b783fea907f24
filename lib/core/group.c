/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * My way into the group and out of it, and the messages that come from it. The phases are in
 * mlog_internal.h.
 *
 * A JOIN is answered by everybody who cannot help (NONE), so that a node knows without waiting that
 * it is the first: the founder, who reads the log device. Whoever has the state sends it to those
 * who have not, one member for all: SNAP marks the place in the order that the pieces speak of, and
 * a joiner keeps what is delivered after it until the last piece is there. A SNAP of another member
 * replaces it.
 *
 * A node whose kernel was writing all the time (a new daemon, or one that had lost quorum) goes the
 * same way and then tells what only it may know: regions that its kernel reported stale, bits of
 * dead members that it had inherited, marks without a log device. Whoever lost quorum may have
 * delivered messages that nobody else did, so nothing of its state counts but this.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/mlog_internal.h"

bool group_create(struct mlog *m)
{
	m->self = MLOG_NO_SLOT;
	if (m->config.members == 1)
		return true;
	m->buffer = calloc(BUFFER_MAX, sizeof(*m->buffer));
	return m->buffer != NULL;
}

void group_destroy(struct mlog *m)
{
	free(m->buffer);
}

static bool has_state(const struct mlog *m)
{
	return m->group >= GROUP_LOCKING && m->self != MLOG_NO_SLOT;
}

/* The first of its group: what it knows, nobody else knows yet. */
static bool founding(const struct mlog *m)
{
	return m->founder && m->group >= GROUP_FOUNDING && m->group < GROUP_IN;
}

struct mlog_message *group_send(struct mlog *m, enum mlog_message_kind kind)
{
	struct mlog_message *message;

	assert(m->send_count < MLOG_SENDS_MAX);
	message = &m->send[m->send_count++];
	memset(message, 0, sizeof(*message));
	message->kind = kind;
	message->from = m->config.node;
	message->incarnation = m->incarnation;
	message->seq = ++m->seq;
	effect_add(m, MLOG_SEND)->message = message;
	return message;
}

void acks_expect(struct mlog *m, struct acks *acks, uint64_t seq)
{
	if (acks->seq != seq)
		return;
	acks->delivered = true;
	acks->waits = members_listeners(m);
}

bool acks_complete(const struct acks *acks)
{
	return acks->seq != 0 && acks->delivered && acks->waits == 0;
}

bool acks_settled(const struct acks *acks)
{
	return acks->seq == 0 || acks_complete(acks);
}

/* ---- joining */

static void join_send(struct mlog *m)
{
	struct mlog_message *message;

	m->incarnation = ++*m->config.incarnation;
	m->late_acks = 0;
	m->seq = 0;
	m->heard = 0;
	m->unmarks_seq = 0;
	m->founder = false;
	m->to_prove = 0;
	m->snap_sent = false;
	m->group = GROUP_JOINING;
	peers_ask(m);
	message = group_send(m, MLOG_MSG_JOIN);
	message->join.live = m->live;
	message->join.has_disk = m->config.has_disk;
	message->join.region_count = m->config.region_count;
	message->join.region_sectors = m->config.region_sectors;
	message->join.revision = m->config.revision;
	message->join.prepared = m->prepared;
	message->join.slot = m->live ? m->slot : MLOG_NO_SLOT;
	message->join.applied = peers_rank(m);
	message->join.bound = members_own_bound(m);
	if (message->join.bound > 0) /* the hint follows the maps, what the kernel knows does not */
		hot_unseen_end_raise(m->hot, message->join.bound - 1);
	if (m->live && sync_recovering(m) < m->config.region_count)
		message->join.recovering = sync_recovering(m) + 1;
}

static bool asks(const struct mlog *m)
{
	return m->group == GROUP_ASKING && !m->leaving;
}

static void asking_start(struct mlog *m)
{
	m->group = GROUP_ASKING;
	m->asked_ms = m->now_ms;
}

/* What I have told those who asked me is not true any more; `but` is told by the caller, or NULL.
 */
void group_ask_again(struct mlog *m, const struct peer *but)
{
	asking_start(m);
	for (uint32_t i = 0; i < m->peer_count; i++)
		if (m->peer[i].joined && &m->peer[i] != but)
			peers_send_none(m, &m->peer[i]);
}

/* My legs are those of before, and one of them may have been taken out since: nothing is served with
 * them, from memory neither, and what the device may still answer is about a table that is not served.
 * The kernel waits for the resume: to tell it that this has failed would let it read and write. */
void group_outdated(struct mlog *m)
{
	lock_release_all(m);
	m->founder = false;
	m->to_prove = 0;
	m->self = MLOG_NO_SLOT;
	if (m->config.has_disk)
		m->log = MLOG_LOG_IDLE;
	m->outdated = true;
	m->group = GROUP_OUT;
	for (uint32_t i = 0; i < m->peer_count; i++)
		if (m->peer[i].joined)
			peers_send_none(m, &m->peer[i]);
	notice_add(m, MLOG_NOTICE_OUTDATED, 0);
}

/* Has its sender a later table than I, who serve nobody yet? I may be asked before the log device
 * has told me, and may found where it cannot be read. */
static bool is_of_later_table(const struct mlog *m, const struct mlog_message *message)
{
	return !m->live && !m->outdated && message->join.revision != MLOG_REVISION_UNKNOWN &&
	       message->join.revision > m->config.revision && !mutation(MUTATE_OUTDATED_SERVED);
}

static void peer_joined(struct mlog *m, const struct mlog_message *message)
{
	struct peer *peer = peers_add(m, message->from);

	if (peer == NULL)
		return;
	peer->joined = true;
	peer->join = *message;
	/* It may have said otherwise when I asked. */
	peer->joining = true;
	peer->applied = message->join.applied;
	if (is_of_later_table(m, message)) {
		group_outdated(m);
		return;
	}
	if (found_against(m, peer))
		found_no_more(m, peer);
	peers_send_none(m, peer);
}

static void informed(struct mlog *m)
{
	struct mlog_member *self = members_find(m, m->config.node);

	if (self == NULL || self->incarnation != m->incarnation ||
	    self->state != MLOG_MEMBER_JOINING) {
		m->group = GROUP_OUT; /* they had no room, or have seen me leave: again */
		m->mangled = true;
		return;
	}
	m->self = (uint32_t)(self - m->member);
	m->slot = m->self;
	atomic_store(&m->hot->shared->slot, m->slot + 1);
	m->mangled = false;
	m->to_meet = 0;
	m->group = GROUP_LOCKING;
	repair_load(m);
	sync_tell_over(m);
	repair_reconcile(m);
	sync_restart(m);
	members_changed(m);
}

static void slot_mine(struct mlog *m)
{
	m->group = GROUP_LOADING;
	if (m->live && !m->closed)
		device_rejoin(m); /* the slot was mine all the time */
	else
		device_attach(m);
}

/* The device is ready, or has failed; the mirror does without it. */
void group_device_done(struct mlog *m)
{
	if (m->group == GROUP_LOADING)
		tell_begin(m);
}

static void ready(struct mlog *m)
{
	m->group = GROUP_IN;
	sync_tell_over(m);
	bits_fill(m->taken, hot_slot_bits(m->hot), false);
	m->taken_all = false;
	members_handed_forget(m);
	atomic_store(&m->hot->shared->inheriting, 0);
	/* What begins here is newer than all that there was. */
	if (m->founder && m->applied < m->found_rank)
		m->applied = m->found_rank;
	for (uint32_t i = 0; m->founder && i < m->peer_count; i++)
		if (m->peer[i].joined)
			members_apply(m, &m->peer[i].join);
	m->founder = false;
	m->live = true;
	m->mangled = false;
	m->missed = false;
	m->to_meet = 0;
	m->lease_none_ms = 0;
	m->announce_cursor = hot_slot_bits(m->hot);
	/* My device may have become whole while I could not tell. */
	if (m->log == MLOG_LOG_OK && !m->degraded)
		dirty_whole(m);
	if (m->closed) {
		m->closed = false;
		phase_set(m, m->phase);
	}
	attach_done(m);
}

/* ---- what comes */

/* Another has founded the group without me. */
static void outdated(struct mlog *m)
{
	if (m->live)
		return;
	m->inherited.distrust = true;
	if (atomic_load(&m->hot->shared->truth) == MLOG_TRUTH_MEMORY)
		atomic_store(&m->hot->shared->truth,
			     m->config.has_disk ? MLOG_TRUTH_DEVICE : MLOG_TRUTH_NONE);
}

static void asking_message(struct mlog *m, const struct mlog_message *message)
{
	struct peer *peer = peers_find(m, message->from);

	switch (message->kind) {
	case MLOG_MSG_NONE:
		if (message->none.to != m->config.node ||
		    message->none.incarnation != m->incarnation || peer == NULL)
			return;
		peer->answered = true;
		peer->joining = message->none.joining;
		peer->founding = message->none.founding;
		peer->applied = message->none.applied;
		break;
	case MLOG_MSG_LEAVE:
		if (peer != NULL) {
			/* It had a state when I asked, or it would have said NONE before. */
			m->left_out = m->left_out || !peer->answered;
			peer->answered = true;
			peer->joining = peer->founding = peer->joined = false;
		}
		break;
	case MLOG_MSG_READY:
		outdated(m);
		break;
	case MLOG_MSG_DIRTY:
		/* A slot is free: they may have had no room for me. */
		if (message->dirty_bits.last)
			m->asked_ms = 0;
		break;
	case MLOG_MSG_SNAP:
		if (m->live && !m->mangled)
			dirty_remember_repair(m);
		m->group = GROUP_COPYING;
		m->mangled = true;
		m->snap_node = message->from;
		m->snap_seq = message->seq;
		m->snap_applied = message->applied;
		m->buffer_count = 0;
		if (!m->live)
			dirty_reset(m);
		break;
	default:
		break;
	}
}

static void buffer_add(struct mlog *m, const struct mlog_message *message)
{
	if (m->buffer == NULL || m->buffer_count == BUFFER_MAX) {
		m->group = GROUP_OUT; /* too much at once: once more from the start */
		return;
	}
	m->buffer[m->buffer_count++] = *message;
}

/* Views are kept among the messages, with the nodes as items. */
#define BUFFERED_VIEW MLOG_MESSAGES

static void replay(struct mlog *m)
{
	for (uint32_t i = 0; i < m->buffer_count; i++) {
		const struct mlog_message *message = &m->buffer[i];
		uint32_t node[MLOG_VIEW_MAX];

		if (message->kind != BUFFERED_VIEW) {
			members_apply(m, message);
			continue;
		}
		for (uint32_t k = 0; k < message->claim.count; k++)
			node[k] = (uint32_t)message->claim.item[k];
		members_view(m, node, message->claim.count);
	}
	m->buffer_count = 0;
}

static void copying_message(struct mlog *m, const struct mlog_message *message)
{
	struct mlog_member *donor;

	if (message->kind == MLOG_MSG_SNAP) {
		asking_message(m, message);
		return;
	}
	if (message->kind == MLOG_MSG_NONE)
		return;
	if (message->kind != MLOG_MSG_STATE) {
		buffer_add(m, message);
		return;
	}
	if ((message->from != m->snap_node || message->state.snap != m->snap_seq) &&
	    !mutation(MUTATE_OLD_STATE_ACCEPTED))
		return;
	if (!members_state_take(m, &message->state))
		return;
	repair_load(m);
	donor = members_find(m, message->from);
	m->snap_from = donor == NULL ? MLOG_NO_SLOT : (uint32_t)(donor - m->member);
	m->applied = m->snap_applied;
	replay(m);
	members_apply(m, message);
	informed(m);
}

static void ack_send(struct mlog *m, uint32_t to, uint64_t incarnation, uint64_t seq)
{
	struct mlog_message *ack = group_send(m, MLOG_MSG_ACK);

	ack->ack.to = to;
	ack->ack.incarnation = incarnation;
	ack->ack.seq = seq;
}

/* Who writes the map answers for the device: should all of us be gone at once, it must not call a
 * region crash-dirty that has been stale, because that is read from any leg. */
static void stale_ack(struct mlog *m, const struct mlog_message *message)
{
	if (sync_durable(m, message->sync.region) || m->late_acks == LATE_ACKS_MAX)
		ack_send(m, message->from, message->incarnation, message->seq);
	else
		m->late_ack[m->late_acks++] = (struct late_ack){.region = message->sync.region,
								.to = message->from,
								.incarnation = message->incarnation,
								.seq = message->seq};
}

static void late_acks_settle(struct mlog *m)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < m->late_acks; i++) {
		const struct late_ack *ack = &m->late_ack[i];

		if (sync_durable(m, ack->region) && m->send_count < MLOG_SENDS_MAX / 2)
			ack_send(m, ack->to, ack->incarnation, ack->seq);
		else
			m->late_ack[kept++] = *ack;
	}
	m->late_acks = kept;
}

/* Does my slot know something that may be nowhere else on the device? What I had inherited, and
 * have not told, is in `taken`. */
static bool slot_needed(const struct mlog *m)
{
	uint64_t bits = hot_slot_bits(m->hot);

	if (hot_next_reported(m->hot, 0) < m->config.region_count ||
	    bits_next_set(m->taken, bits, 0) < bits)
		return true;
	for (uint64_t r = hot_next_repair(m->hot, 0); r < m->config.region_count;
	     r = hot_next_repair(m->hot, r + 1))
		if (bits_test(m->image, r >> m->hot->shift))
			return true;
	return false;
}

/* Who joined while the LEAVE of the last was under way has no state, and reads my slot. The marks
 * of who was gone by then are in my memory only, and so is all that I know when the device has
 * failed me. */
static void left_behind(struct mlog *m)
{
	bool sole = members_listeners(m) == 0 && m->degraded;

	m->left_dirty = m->left_dirty || slot_needed(m);
	if (sole)
		members_unsure_keep(m);
	if ((members_first_ready(m) == MLOG_NO_SLOT && members_marks_keep(m)) || sole)
		m->left_keeping = m->left_dirty = true;
}

static void left(struct mlog *m)
{
	m->left_last = has_state(m) && members_alone(m);
	if (has_state(m) && !m->left_last && m->config.has_disk)
		left_behind(m);
	sync_tell_over(m);
	m->leaving = false;
	m->left = true;
	m->left_ms = m->now_ms;
	m->group = GROUP_OUT;
	m->live = false;
	m->self = MLOG_NO_SLOT;
}

static void own_applied(struct mlog *m, const struct mlog_message *message)
{
	switch (message->kind) {
	case MLOG_MSG_SNAP:
		m->snap_sent = false;
		if (m->snap_from == m->self) {
			struct mlog_message *state = group_send(m, MLOG_MSG_STATE);

			state->state.snap = m->snap_seq;
		}
		break;
	case MLOG_MSG_READY:
		if (m->group == GROUP_READYING)
			ready(m);
		break;
	case MLOG_MSG_LEAVE:
		left(m);
		break;
	case MLOG_MSG_DIRTY:
		dirty_keep_repair(m);
		break;
	case MLOG_MSG_LOST:
		m->lost_sent = false;
		break;
	case MLOG_MSG_LEASE:
		acks_expect(m, &m->lease_acks, message->seq);
		break;
	case MLOG_MSG_MARKS:
		acks_expect(m, &m->marks_acks, message->seq);
		break;
	case MLOG_MSG_SYNC:
		acks_expect(m, &m->stale_acks, message->seq);
		sync_told(m, message->seq);
		break;
	default:
		break;
	}
}

static void after_apply(struct mlog *m, const struct mlog_message *message)
{
	const struct mlog_member *from = members_find(m, message->from);
	bool own = message->from == m->config.node;

	if (!own && (from == NULL || from->incarnation != message->incarnation))
		return;
	if (own) {
		own_applied(m, message);
	} else if (message->kind == MLOG_MSG_LEASE || message->kind == MLOG_MSG_MARKS) {
		ack_send(m, message->from, message->incarnation, message->seq);
	} else if (message->kind == MLOG_MSG_SYNC && !message->sync.in_sync) {
		stale_ack(m, message);
	} else if (message->kind == MLOG_MSG_LOST) {
		if (m->config.has_disk && m->log == MLOG_LOG_OK)
			device_failed(m, -ESTALE);
	} else if (message->kind == MLOG_MSG_WANT && message->region < m->config.region_count &&
		   sync_mine(m, message->region) && !sync_telling(m, message->region)) {
		sync_wait_noted(m, message->region, true);
	}
}

void group_message(struct mlog *m, const struct mlog_message *message)
{
	bool own = message->from == m->config.node;

	if (!m->quorate || (own && message->incarnation != m->incarnation))
		return;
	if (own && message->seq > m->heard)
		m->heard = message->seq;
	if (m->group == GROUP_JOINING && own && message->kind == MLOG_MSG_JOIN) {
		asking_start(m);
		return;
	}
	if (!own && message->kind == MLOG_MSG_LEAVE && m->group < GROUP_IN)
		peers_left(m, message);
	if (own && message->kind == MLOG_MSG_LEAVE && !has_state(m)) {
		if (m->leaving)
			left(m);
		return;
	}
	if (message->kind == MLOG_MSG_JOIN && (!has_state(m) || founding(m))) {
		peer_joined(m, message);
		if (m->group == GROUP_COPYING && message->from == m->snap_node)
			asking_start(m); /* it has no state to give any more */
		else if (m->group == GROUP_COPYING)
			buffer_add(m, message);
		return;
	}
	/* Who is suspended may come back when those who went on have left, and know nothing more. */
	if (m->group < GROUP_ASKING && !own && message->kind == MLOG_MSG_READY &&
	    !m->config.has_disk)
		outdated(m);
	if (m->group == GROUP_ASKING) {
		asking_message(m, message);
	} else if (m->group == GROUP_COPYING) {
		copying_message(m, message);
	} else if (has_state(m)) {
		members_apply(m, message);
		after_apply(m, message);
	}
}

/* ---- views */

static void peers_view(struct mlog *m)
{
	uint32_t kept = 0;
	bool newcomer = false;

	for (uint32_t i = 0; i < m->peer_count; i++)
		if (peers_in_view(m, m->peer[i].node))
			m->peer[kept++] = m->peer[i];
	m->peer_count = kept;
	for (uint32_t i = 0; i < m->view_count; i++)
		newcomer =
		    newcomer || (m->view[i] != m->config.node && peers_find(m, m->view[i]) == NULL);
	if (newcomer && m->group == GROUP_JOINING)
		peers_ask(m); /* it will be given my JOIN */
	if (newcomer && found_in_vain(m))
		found_no_more(m, NULL);
	if (newcomer && asks(m))
		join_send(m); /* it was not, and may have a state */
}

static void quorum_lost(struct mlog *m)
{
	notice_add(m, MLOG_NOTICE_QUORUM, 0);
	dirty_group_lost(m);
	repair_group_lost(m);
	request_group_lost(m);
	sync_tell_lost(m);
	takeover_stop(m);
	if (!acks_settled(&m->lease_acks) && m->self != MLOG_NO_SLOT)
		members_lease_none(&m->member[m->self]);
	m->lease_acks = (struct acks){.seq = 0};
	m->snap_sent = false;
	m->leaving = false;
	device_group_lost(m);
}

static void copying_view(struct mlog *m)
{
	struct mlog_message view = {.kind = BUFFERED_VIEW};

	if (!peers_in_view(m, m->snap_node)) {
		group_ask_again(m, NULL);
		return;
	}
	for (uint32_t i = 0; i < m->view_count; i++)
		view.claim.item[view.claim.count++] = m->view[i];
	buffer_add(m, &view);
}

void group_view(struct mlog *m, const uint32_t *node, uint32_t count, bool quorate)
{
	bool was = m->quorate;

	m->view_count = count < MLOG_VIEW_MAX ? count : MLOG_VIEW_MAX;
	memcpy(m->view, node, m->view_count * sizeof(*node));
	m->quorate = quorate || mutation(MUTATE_MINORITY_GOES_ON);
	if (!m->quorate) {
		if (was)
			quorum_lost(m);
		return;
	}
	if (!was && m->group != GROUP_OUT) {
		/* Others may have gone on without me, or delivered what I have not. */
		notice_add(m, MLOG_NOTICE_QUORUM, 1);
		m->rejoin = true;
		return;
	}
	peers_view(m);
	if (m->group == GROUP_COPYING)
		copying_view(m);
	else if (has_state(m))
		members_view(m, m->view, m->view_count);
}

/* ---- attach and detach */

void group_attach(struct mlog *m)
{
	m->outdated = false;
	phase_set(m, MLOG_ATTACHING);
	m->map_whole = true;
	m->slot_known = false;
	atomic_store(&m->hot->shared->recovering, 0);
	m->live = false;
	m->left = false;
	m->left_out = false;
	m->missed = false;
	m->to_meet = 0;
	m->mangled = true;
	m->peer_count = 0;
	m->taken_all = false;
	bits_fill(m->taken, hot_slot_bits(m->hot), false);
	members_handed_forget(m);
}

/* A new daemon: the kernel has been writing. */
void group_restored(struct mlog *m, bool handed_over)
{
	uint32_t slot = atomic_load(&m->hot->shared->slot);

	m->live = true;
	m->map_whole = true;
	m->closed = true;
	m->handed = handed_over;
	m->missed = !handed_over && !m->config.has_disk &&
		    atomic_load(&m->hot->shared->truth) != MLOG_TRUTH_MEMORY;
	if (handed_over && !m->config.has_disk)
		m->to_meet = atomic_load(&m->hot->shared->beside);
	m->handed_whole = handed_over && atomic_load(&m->hot->shared->whole) != 0;
	m->slot = slot == 0 || slot > m->config.members ? MLOG_NO_SLOT : slot - 1;
}

/* Joiners who were promised my state, and whom nobody else can give it. */
static bool state_awaited(const struct mlog *m)
{
	bool awaited = false;

	for (uint32_t i = 0; i < m->config.members; i++) {
		const struct mlog_member *e = &m->member[i];

		if (i != m->self && e->state == MLOG_MEMBER_READY)
			return false;
		awaited = awaited || (e->state == MLOG_MEMBER_JOINING && !e->informed);
	}
	return awaited;
}

/* After the last copy of a mirror that is being suspended. */
void group_detach(struct mlog *m)
{
	if (m->left || m->leaving || (group_in(m) && state_awaited(m)))
		return;
	if (m->group == GROUP_OUT || m->group == GROUP_JOINING || !m->quorate || m->rejoin) {
		/* Nobody can be told, or needs to be: no write is in flight, and whoever comes to
		 * inherit my slot finds what it needs. */
		m->left_keeping = members_marks_keep(m) && m->config.has_disk;
		m->left_dirty =
		    m->config.has_disk && (slot_needed(m) || m->takeover >= TAKEOVER_WRITE);
		/* But a JOIN that is under way must not outlive me. */
		if (m->group == GROUP_JOINING && m->quorate && !m->rejoin)
			group_send(m, MLOG_MSG_LEAVE)->dirty = m->left_dirty;
		/* And who has asked for what only memory has, must know that it existed. */
		if (m->rejoin && m->quorate && has_state(m) && !m->config.has_disk)
			group_send(m, MLOG_MSG_LEAVE)->dirty = true;
		left(m);
		m->left_last = false;
		takeover_stop(m);
		return;
	}
	/* Who leaves last writes all of it to the device. Who only founds anew is not that. */
	m->left_dirty = !(has_state(m) && members_alone(m)) && m->config.has_disk &&
			(slot_needed(m) || m->takeover >= TAKEOVER_WRITE || m->group != GROUP_IN);
	takeover_stop(m);
	if (group_in(m))
		sync_tell(m);
	group_send(m, MLOG_MSG_LEAVE)->dirty = m->left_dirty;
	m->leaving = true;
}

/* Nobody is to wait for what I would acknowledge. My slot is taken over when its lock, which falls
 * free with me, is granted. But the gates of what my mover still copies must stay closed. */
void group_end(struct mlog *m)
{
	if (m->config.members == 1 || m->group == GROUP_OUT || m->leaving || !m->quorate ||
	    m->rejoin || m->copies_moving > 0)
		return;
	group_send(m, MLOG_MSG_LEAVE)->dirty = true;
	m->leaving = true;
}

/* The log device has been left behind as it should be. */
void group_released(struct mlog *m)
{
	lock_release_all(m);
	if (!m->left_last)
		members_reset(m);
}

static void rejoin(struct mlog *m)
{
	m->rejoin = false;
	m->peer_count = 0;
	/* Somebody may be founding with it, who waits for me as I would for him. */
	lock_release_soon(m, MLOG_LOCK_MAP);
	m->map_whole = true;
	if (!m->live) {
		m->mangled = true;
		lock_release_all(m);
	}
	m->group = GROUP_OUT;
}

static bool wants_in(const struct mlog *m)
{
	return (m->phase == MLOG_ATTACHING && !m->outdated) ||
	       (m->live && (m->phase == MLOG_ACTIVE || m->phase == MLOG_SUSPENDING));
}

static void donate(struct mlog *m)
{
	uint32_t first = members_first_ready(m);

	if (first != m->self || m->snap_from != MLOG_NO_SLOT || m->snap_sent || m->leaving)
		return;
	for (uint32_t i = 0; i < m->config.members; i++)
		if (m->member[i].state == MLOG_MEMBER_JOINING && !m->member[i].informed) {
			group_send(m, MLOG_MSG_SNAP)->applied = m->applied;
			m->snap_sent = true;
			return;
		}
}

/* Of a write that was given up it is as if the load had failed. */
static bool load_due(const struct mlog *m)
{
	return m->group == GROUP_FOUNDING && lock_held(m, MLOG_LOCK_MAP) && !m->loaded &&
	       (device_idle(m) || lock_write_given_up(m));
}

/* Whom its device has failed cannot write the map: it leaves that to the others, or what becomes
 * stale would be in memories only. But a device that does not know us is written anew by who has the
 * lock, and so is one that comes back to who is alone. */
static void map_lock_settle(struct mlog *m)
{
	if (device_waits(m) || m->device_new || members_listeners(m) == 0) {
		lock_take(m, MLOG_LOCK_MAP);
	} else if (m->lock[MLOG_LOCK_MAP] != LOCK_FREE) {
		lock_release_soon(m, MLOG_LOCK_MAP);
		m->map_whole = true; /* when it is mine again */
	}
}

void group_settle(struct mlog *m)
{
	lock_settle(m);
	if (!m->quorate)
		return;
	if (m->rejoin && m->copies_moving == 0 && device_idle(m))
		rejoin(m);
	if (m->rejoin)
		return;
	if (m->group == GROUP_OUT && wants_in(m) && m->copies_moving == 0 && !m->leaving)
		join_send(m);
	if (asks(m) && peers_let_me_first(m))
		found(m);
	else if (asks(m) && m->now_ms >= m->asked_ms + ASK_AGAIN_MS)
		join_send(m); /* they may have had no room */
	if (m->group == GROUP_FOUNDING)
		lock_take(m, MLOG_LOCK_MAP);
	if (load_due(m))
		device_load(m);
	if (m->group == GROUP_LOCKING && found_locks(m))
		slot_mine(m);
	if (m->group == GROUP_TELLING)
		tell(m);
	if (m->group != GROUP_IN)
		return;
	if (m->config.has_disk && !m->leaving)
		map_lock_settle(m);
	late_acks_settle(m);
	donate(m);
}

uint64_t group_deadline(const struct mlog *m)
{
	uint64_t at = NEVER_MS;

	if (!m->quorate || m->rejoin)
		return NEVER_MS;
	if (asks(m))
		return m->asked_ms + ASK_AGAIN_MS;
	if (m->group < GROUP_FOUNDING)
		return NEVER_MS;
	if (m->group == GROUP_FOUNDING && !m->loaded && m->operation != DEVICE_LOAD)
		at = m->found_ms + m->config.log_timeout_ms;
	if (m->group == GROUP_LOCKING && m->to_meet != 0 && m->lock[m->self] == LOCK_HELD)
		at = m->found_ms + STUCK_MS;
	return m->lock_retry_ms > m->now_ms ? min_ms(at, m->lock_retry_ms) : at;
}
