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

/* ---- locks */

static bool to_be_unlocked(const struct mlog *m, uint32_t lock)
{
	return (m->unlock >> lock & 1) != 0;
}

/* A founder waits for a write of its last life, but not for ever. */
static bool write_given_up(const struct mlog *m)
{
	return m->group == GROUP_FOUNDING && m->operation != DEVICE_LOAD &&
	       m->now_ms >= m->found_ms + m->config.log_timeout_ms;
}

void group_lock(struct mlog *m, uint32_t lock)
{
	struct mlog_effect *effect;

	/* Kept from an earlier life: the slot's is mine still, for the map's others may wait, who
	 * know more by now. */
	if (lock == MLOG_LOCK_MAP && to_be_unlocked(m, lock) && !write_given_up(m))
		return;
	m->unlock &= ~(UINT64_C(1) << lock);
	if (m->lock[lock] != LOCK_FREE || m->now_ms < m->lock_retry_ms)
		return;
	m->lock[lock] = LOCK_WAITED;
	effect = effect_add(m, MLOG_LOCK);
	effect->lock.lock = lock;
	effect->lock.keep = lock == m->self;
}

/* A write to my slot that timed out may still arrive: until it has, nobody else may have the lock,
 * also when the slot was given to somebody else since, and I took it over from him. */
void group_unlock(struct mlog *m, uint32_t lock)
{
	m->unlock &= ~(UINT64_C(1) << lock);
	if (m->lock[lock] == LOCK_FREE)
		return;
	if (lock == m->written_slot && m->lock[lock] == LOCK_HELD && !device_idle(m) &&
	    !mutation(MUTATE_UNLOCKED_WHILE_WRITING)) {
		m->unlock |= UINT64_C(1) << lock;
		return;
	}
	m->lock[lock] = LOCK_FREE;
	effect_add(m, MLOG_UNLOCK)->lock.lock = lock;
}

bool group_holds(const struct mlog *m, uint32_t lock)
{
	return m->lock[lock] == LOCK_HELD && !to_be_unlocked(m, lock);
}

static void unlock_soon(struct mlog *m, uint32_t lock)
{
	if (m->lock[lock] == LOCK_HELD)
		m->unlock |= UINT64_C(1) << lock;
	else
		group_unlock(m, lock);
}

/* But not the lock that says that my kernel is alive, while it writes. */
static void unlock_all(struct mlog *m)
{
	for (uint32_t i = 0; i <= MLOG_LOCK_MAP; i++)
		if (!m->live || i != m->slot)
			unlock_soon(m, i);
}

/* A write that timed out may still arrive: until it has, nobody else may have the locks. */
static void unlock_settle(struct mlog *m)
{
	bool arrived = (device_idle(m) && !m->emptying) || mutation(MUTATE_UNLOCKED_WHILE_WRITING);

	for (uint32_t i = 0; m->unlock != 0 && arrived && i <= MLOG_LOCK_MAP; i++)
		if (to_be_unlocked(m, i))
			group_unlock(m, i);
}

void group_locked(struct mlog *m, uint32_t lock, int error)
{
	if (m->lock[lock] != LOCK_WAITED)
		return;
	m->lock[lock] = error == 0 ? LOCK_HELD : LOCK_FREE;
	if (error != 0)
		m->lock_retry_ms = m->now_ms + LOCK_RETRY_MS;
}

static bool in_view(const struct mlog *m, uint32_t node)
{
	for (uint32_t i = 0; i < m->view_count; i++)
		if (m->view[i] == node)
			return true;
	return false;
}

/* ---- joining */

/* How much my state is worth when nobody has a complete one:
 *	KNOWS	that there was one: nothing of mine counts as in sync, or the log device tells
 *	AHEAD	the same, and the log device does not tell all
 *	MEMORY	and as many more as it has been given messages: the last to leave knows most
 */
enum rank { RANK_NONE, RANK_KNOWS, RANK_AHEAD, RANK_MEMORY };

/* Until I am READY again. */
bool group_ahead(const struct mlog *m)
{
	return atomic_load(&m->hot->shared->truth) == MLOG_TRUTH_AHEAD;
}

static uint64_t rank(const struct mlog *m)
{
	if (m->live) {
		if (!m->mangled && !m->missed)
			return RANK_MEMORY + m->applied;
	} else if (m->inherited.in_sync != NULL) {
		if (!m->inherited.distrust)
			return RANK_MEMORY + m->inherited_applied;
	} else if (m->attached_once) {
		if (atomic_load(&m->hot->shared->truth) == MLOG_TRUTH_MEMORY)
			return RANK_MEMORY + m->applied;
	} else if (!m->follows) {
		return RANK_NONE;
	}
	return group_ahead(m) ? RANK_AHEAD : RANK_KNOWS;
}

static struct peer *peer_of(struct mlog *m, uint32_t node)
{
	for (uint32_t i = 0; i < m->peer_count; i++)
		if (m->peer[i].node == node)
			return &m->peer[i];
	return NULL;
}

static struct peer *peer_add(struct mlog *m, uint32_t node)
{
	struct peer *peer = peer_of(m, node);

	if (peer == NULL && m->peer_count < PEERS_MAX) {
		peer = &m->peer[m->peer_count++];
		memset(peer, 0, sizeof(*peer));
		peer->node = node;
	}
	return peer;
}

/* All of the view, anew; who has asked me stays known. */
static void peers_ask(struct mlog *m)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < m->peer_count; i++)
		if (in_view(m, m->peer[i].node)) {
			m->peer[kept] = m->peer[i];
			m->peer[kept++].answered = false;
		}
	m->peer_count = kept;
	for (uint32_t i = 0; i < m->view_count; i++)
		if (m->view[i] != m->config.node)
			peer_add(m, m->view[i]);
}

/* Stale regions below it my kernel may write without a mark, for all that it knows. */
static uint64_t own_bound(const struct mlog *m)
{
	uint64_t unseen_end = atomic_load(&m->hot->shared->unseen_end);
	uint64_t hint = atomic_load(&m->hot->shared->hint);

	return m->live && hint > unseen_end ? hint : unseen_end;
}

static void join_send(struct mlog *m)
{
	struct mlog_message *message;

	m->incarnation = ++*m->config.incarnation;
	m->late_acks = 0;
	m->seq = 0;
	m->heard = 0;
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
	message->join.slot = m->live ? m->slot : MLOG_NO_SLOT;
	message->join.applied = rank(m);
	message->join.bound = own_bound(m);
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

static void none_send(struct mlog *m, const struct peer *peer)
{
	struct mlog_message *message = group_send(m, MLOG_MSG_NONE);
	bool joining = m->group > GROUP_OUT && !m->leaving;

	message->none.to = peer->node;
	message->none.incarnation = peer->join.incarnation;
	message->none.joining = joining;
	message->none.founding = joining && m->group >= GROUP_COPYING;
	message->none.applied = rank(m);
}

/* Does it hold a lock that I wait for, and waits for me? Who knows more than I may have the map's,
 * who was a member has its slot's. */
static bool holds_what_i_found_with(const struct mlog *m, const struct peer *peer)
{
	if (m->group == GROUP_FOUNDING)
		return m->lock[MLOG_LOCK_MAP] == LOCK_WAITED && peer->applied > rank(m);
	return m->group == GROUP_LOCKING && m->founder && m->lock[m->self] == LOCK_WAITED &&
	       peer->join.join.live && (peer->join.join.slot == m->self || peer->applied > rank(m));
}

/* Does somebody have the map's lock, who may have a state and not know of me? */
static bool founds_in_vain(const struct mlog *m)
{
	return m->group == GROUP_FOUNDING && m->lock[MLOG_LOCK_MAP] == LOCK_WAITED && !m->leaving;
}

/* What I have told those who asked me is not true any more; `but` is told by the caller, or NULL.
 */
static void asking_again(struct mlog *m, const struct peer *but)
{
	asking_start(m);
	for (uint32_t i = 0; i < m->peer_count; i++)
		if (m->peer[i].joined && &m->peer[i] != but)
			none_send(m, &m->peer[i]);
}

static void found_no_more(struct mlog *m, const struct peer *for_whom)
{
	unlock_all(m);
	m->founder = false;
	m->to_prove = 0;
	m->self = MLOG_NO_SLOT;
	asking_again(m, for_whom);
}

static void peer_joined(struct mlog *m, const struct mlog_message *message)
{
	struct peer *peer = peer_add(m, message->from);

	if (peer == NULL)
		return;
	peer->joined = true;
	peer->join = *message;
	/* It may have said otherwise when I asked. */
	peer->joining = true;
	peer->applied = message->join.applied;
	if (holds_what_i_found_with(m, peer))
		found_no_more(m, peer);
	none_send(m, peer);
}

/* Or it would become a member with me, and nobody would hear of it again. */
static void peer_left(struct mlog *m, const struct mlog_message *message)
{
	struct peer *peer = peer_of(m, message->from);

	if (peer != NULL && peer->join.incarnation == message->incarnation)
		peer->joining = peer->joined = false;
}

static bool goes_first(const struct mlog *m, const struct peer *peer)
{
	uint64_t applied = rank(m);

	return peer->applied > applied || (peer->applied == applied && peer->node < m->config.node);
}

/* Is there nobody who could help, or who should be asked before me? */
static bool first_of_all(const struct mlog *m)
{
	for (uint32_t i = 0; i < m->peer_count; i++) {
		const struct peer *peer = &m->peer[i];

		if (!peer->answered || peer->founding)
			return false;
		if (peer->joining && goes_first(m, peer))
			return false;
	}
	return true;
}

static void self_set(struct mlog *m, uint32_t slot)
{
	struct mlog_member *self = &m->member[slot];

	m->self = slot;
	m->slot = slot;
	atomic_store(&m->hot->shared->slot, slot + 1);
	*self = (struct mlog_member){
	    .state = MLOG_MEMBER_JOINING,
	    .node = m->config.node,
	    .incarnation = m->incarnation,
	    .informed = true,
	    .live = m->live,
	    .replicated = self->replicated,
	    .marked = self->marked,
	    .bound = self->bound > own_bound(m) ? self->bound : own_bound(m),
	};
	if (m->live && sync_recovering(m) < m->config.region_count)
		members_lease_one(self, sync_recovering(m));
}

static bool returned(struct mlog *m, const struct mlog_member *e)
{
	const struct peer *peer = peer_of(m, e->node);

	return peer != NULL && peer->joined && peer->join.join.live;
}

/* Has each of the other members whose marks are in memory come back with its own? */
static bool all_returned(struct mlog *m)
{
	for (uint32_t i = 0; i < m->config.members; i++) {
		const struct mlog_member *e = &m->member[i];

		if (i != m->self && e->state != MLOG_MEMBER_NONE &&
		    (e->replicated || !m->config.has_disk) && !returned(m, e))
			return false;
	}
	return true;
}

/* Everybody else has to come back first, and until then may be writing. Who does not come with its
 * memory may have gone on without me, and without a log device nobody knows what it wrote. */
static void found_from_memory(struct mlog *m)
{
	uint32_t slot = m->self;

	if (!all_returned(m))
		m->taken_all = true;
	for (uint32_t i = 0; i < m->config.members; i++) {
		struct mlog_member *e = &m->member[i];

		if (i != slot && e->state != MLOG_MEMBER_NONE)
			e->state = MLOG_MEMBER_GONE;
	}
	m->snap_from = MLOG_NO_SLOT;
	self_set(m, slot);
	repair_reconcile(m);
	members_taken(m);
	members_changed(m);
	m->group = GROUP_LOCKING;
}

/* Somebody who is suspended, or has left unheard, has or had in memory what is newer than what I
 * shall load. */
static bool outdone(const struct mlog *m)
{
	uint64_t known = m->config.has_disk && rank(m) == RANK_NONE ? RANK_KNOWS : rank(m);

	for (uint32_t i = 0; i < m->peer_count && !m->live; i++)
		if (!m->peer[i].joining && m->peer[i].applied > known)
			return true;
	return group_ahead(m) || (m->left_out && !m->live && !m->config.has_disk);
}

/* All that the group knew when I last heard of it: nothing of an earlier daemon's is newer. */
bool group_remembers(const struct mlog *m)
{
	return m->live && !m->mangled && m->applied > 0 && m->self != MLOG_NO_SLOT;
}

/* The most that anybody's state was worth so far. */
static uint64_t rank_max(const struct mlog *m)
{
	uint64_t max = rank(m);

	for (uint32_t i = 0; i < m->peer_count; i++)
		if (m->peer[i].applied > max)
			max = m->peer[i].applied;
	return max;
}

static void found(struct mlog *m)
{
	uint64_t own = rank(m);

	m->founder = true;
	m->found_ms = m->now_ms;
	m->outdone = outdone(m);
	m->found_rank = rank_max(m);
	m->group = GROUP_FOUNDING;
	if (group_remembers(m)) {
		found_from_memory(m);
		return;
	}
	members_handed(m);
	members_reset(m);
	m->applied = own > RANK_MEMORY ? own - RANK_MEMORY : 0;
	m->loaded = false;
	if (!m->config.has_disk || m->config.members == 1)
		group_loaded(m, NULL);
}

static void slot_in_use(struct mlog *m, uint32_t slot, uint32_t node)
{
	const struct gates *g = &m->gates[slot];
	struct mlog_member *e = &m->member[slot];

	*e = (struct mlog_member){
	    .state = MLOG_MEMBER_GONE,
	    .node = node,
	    .live = true,
	    .bound = m->config.region_count,
	    .lease_any = true,
	    .claim_seq = g->seq,
	};
	/* Its mover may still copy what I have closed for it. */
	for (uint32_t i = 0; g->seq != 0 && i < MLOG_COPIES_MAX; i++)
		if ((g->closed >> i & 1) != 0)
			e->claim[e->claim_count++] = g->region[i];
}

/* All other slots are to be taken over, or their owners come back: the log device knows those that
 * have claimed it; one whose device has failed it does not know, but the lock of its slot does.
 * When it is not free, what was loaded is not what that one's kernel knows. */
void group_loaded(struct mlog *m, const struct mlog_history *h)
{
	const uint32_t *owner = h == NULL ? NULL : h->owner;
	uint32_t slot = MLOG_NO_SLOT;

	if (m->group != GROUP_FOUNDING)
		return;
	for (uint32_t i = 0; owner != NULL && i < m->config.members; i++) {
		if (owner[i] == m->config.node)
			slot = i;
		else if (owner[i] != 0)
			slot_in_use(m, i, owner[i]);
	}
	if (m->live && m->slot != MLOG_NO_SLOT)
		slot = m->slot;
	slot = members_alloc(m, m->config.node, slot);
	m->foreign = slot == MLOG_NO_SLOT;
	/* All are in use: the lock of the first proves its owner dead, and what it holds becomes
	 * mine. */
	self_set(m, m->foreign ? 0 : slot);
	m->to_prove = 0;
	for (uint32_t i = 0; i < m->config.members; i++) {
		if (m->member[i].state != MLOG_MEMBER_NONE)
			continue;
		slot_in_use(m, i, MLOG_NODE_UNKNOWN);
		if (!m->live && (h != NULL || !m->config.has_disk))
			m->to_prove |= UINT32_C(1) << i;
	}
	/* Their marks were on the device that this one has replaced. */
	if (m->live && h != NULL && owner == NULL && m->config.members > 1)
		m->taken_all = true;
	repair_reconcile(m);
	m->group = GROUP_LOCKING;
}

static void informed(struct mlog *m)
{
	struct mlog_member *self = members_find(m, m->config.node);
	uint64_t slot_bit;

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
	repair_reconcile(m);
	if (m->live && self->replicated && m->marks[m->self] != NULL)
		bits_for_each_set (slot_bit, m->marks[m->self], hot_slot_bits(m->hot))
			dirty_inherit(m, slot_bit);
	sync_restart(m);
	members_changed(m);
}

/* ---- telling */

/* The next region that my kernel takes for stale, and all others for in sync. */
static uint64_t next_untold(const struct mlog *m, uint64_t from)
{
	uint64_t none = m->config.region_count;

	while (from < none) {
		uint64_t region =
		    min_ms(hot_next_reported(m->hot, from), hot_next_unseen(m->hot, from));

		if (region == none || hot_in_sync(m->hot, region))
			return region;
		from = region + 1;
	}
	return none;
}

/* Into my slot first: who hears of it writes one leg only, without a mark, and all who have heard
 * may be gone before the map is on the device. Nor may somebody hear of it at all: of two nodes
 * that have parted each is quorate until one is fenced. */
static void untold_to_slot(struct mlog *m, uint64_t from)
{
	for (uint64_t r = next_untold(m, from); r < m->config.region_count;
	     r = next_untold(m, r + 1)) {
		hot_reported_set(m->hot, r, true);
		if (!bits_test(m->image, r >> m->hot->shift))
			dirty_inherit(m, r >> m->hot->shift);
	}
}

static bool tell_stale(struct mlog *m)
{
	uint64_t region = next_untold(m, m->tell_cursor);
	struct mlog_message *message;

	m->tell_cursor = region;
	if (region == m->config.region_count)
		return false;
	untold_to_slot(m, region);
	if (!hot_dirty(m->hot, region) && device_waits(m))
		return true; /* when it is written */
	m->tell_cursor = region + 1;
	message = group_send(m, MLOG_MSG_SYNC);
	message->sync.region = region;
	message->sync.in_sync = false;
	return true;
}

static void collect(struct mlog_items *items, const uint64_t *map, uint64_t bits, uint64_t *cursor)
{
	uint64_t at = bits_next_set(map, bits, *cursor);

	while (at < bits && items->count < MLOG_ITEMS_MAX) {
		items->item[items->count++] = at;
		at = bits_next_set(map, bits, at + 1);
	}
	*cursor = at;
}

static bool tell_dirty(struct mlog *m)
{
	uint64_t bits = hot_slot_bits(m->hot);
	struct mlog_message *message;

	if (!m->taken_all && bits_next_set(m->taken, bits, m->tell_cursor) == bits)
		return false;
	message = group_send(m, MLOG_MSG_DIRTY);
	message->dirty_bits.slot = m->self;
	message->dirty_bits.all = m->taken_all;
	m->taken_all = false;
	collect(&message->dirty_bits.items, m->taken, bits, &m->tell_cursor);
	return true;
}

static bool tell_marks(struct mlog *m)
{
	uint64_t bits = hot_slot_bits(m->hot);
	struct mlog_message *message;

	if (m->config.members == 1 || !dirty_replicated(m) || m->tell_cursor > bits)
		return false;
	message = group_send(m, MLOG_MSG_MARKS);
	collect(&message->marks.items, m->image, bits, &m->tell_cursor);
	message->marks.all = m->tell_cursor == bits;
	m->tell_cursor += message->marks.all;
	return true;
}

static void tell(struct mlog *m)
{
	static bool (*const step[])(struct mlog *) = {tell_stale, tell_dirty, tell_marks};

	if (m->heard < m->tell_seq)
		return;
	while (m->tell_step < sizeof(step) / sizeof(step[0])) {
		if (step[m->tell_step](m)) {
			m->tell_seq = m->seq;
			return;
		}
		m->tell_step++;
		m->tell_cursor = 0;
	}
	group_send(m, MLOG_MSG_READY);
	m->group = GROUP_READYING;
}

static void tell_start(struct mlog *m)
{
	m->group = GROUP_TELLING;
	m->tell_step = 0;
	m->tell_cursor = 0;
	m->tell_seq = 0;
}

static void lock_granted(struct mlog *m)
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
		tell_start(m);
}

static void ready(struct mlog *m)
{
	m->group = GROUP_IN;
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
	struct peer *peer = peer_of(m, message->from);

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
 * of who was gone by then are in my memory only. */
static void left_behind(struct mlog *m)
{
	m->left_dirty = m->left_dirty || slot_needed(m);
	if (members_first_ready(m) == MLOG_NO_SLOT && members_marks_keep(m))
		m->left_keeping = m->left_dirty = true;
}

static void left(struct mlog *m)
{
	m->left_last = has_state(m) && members_alone(m);
	if (has_state(m) && !m->left_last && m->config.has_disk)
		left_behind(m);
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
	case MLOG_MSG_UNMARKS:
		dirty_unmarked(m);
		break;
	case MLOG_MSG_SYNC:
		acks_expect(m, &m->stale_acks, message->seq);
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
		   sync_mine(m, message->region)) {
		sync_wait_noted(m, message->region);
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
		peer_left(m, message);
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
		if (in_view(m, m->peer[i].node))
			m->peer[kept++] = m->peer[i];
	m->peer_count = kept;
	for (uint32_t i = 0; i < m->view_count; i++)
		newcomer =
		    newcomer || (m->view[i] != m->config.node && peer_of(m, m->view[i]) == NULL);
	if (newcomer && m->group == GROUP_JOINING)
		peers_ask(m); /* it will be given my JOIN */
	if (newcomer && founds_in_vain(m))
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

	if (!in_view(m, m->snap_node)) {
		asking_again(m, NULL);
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
	m->left_dirty = !members_alone(m) && m->config.has_disk &&
			(slot_needed(m) || m->takeover >= TAKEOVER_WRITE || m->group != GROUP_IN);
	takeover_stop(m);
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
	unlock_all(m);
	if (!m->left_last)
		members_reset(m);
}

static bool to_be_proved(const struct mlog *m, uint32_t slot)
{
	return (m->to_prove >> slot & 1) != 0;
}

/* Nobody is where nobody is known to be. */
static bool others_proved(struct mlog *m)
{
	for (uint32_t i = 0; i < m->config.members; i++)
		if (to_be_proved(m, i) && !group_holds(m, i))
			return false;
	for (uint32_t i = 0; i < m->config.members; i++)
		if (to_be_proved(m, i)) {
			m->member[i] = (struct mlog_member){.state = MLOG_MEMBER_NONE};
			group_unlock(m, i);
		}
	m->to_prove = 0;
	repair_reconcile(m);
	return true;
}

/* Whose slot's lock I wait for is here, and comes back: before me or after. */
static bool others_met(struct mlog *m)
{
	for (uint32_t i = 0; i < m->peer_count; i++) {
		const struct peer *peer = &m->peer[i];
		uint32_t slot = peer->join.join.slot;

		if (!peer->joined || !peer->joining || !peer->join.join.live ||
		    slot >= m->config.members || !to_be_proved(m, slot))
			continue;
		if (goes_first(m, peer))
			return true;
		m->to_prove &= ~(UINT32_C(1) << slot);
	}
	return false;
}

/* Has a kernel that was alive in this slot come back, with what it knows? */
static bool met(const struct mlog *m, uint32_t slot)
{
	for (uint32_t i = 0; i < m->peer_count; i++) {
		const struct peer *peer = &m->peer[i];

		if (peer->joined && peer->joining && peer->join.join.live &&
		    peer->join.join.slot == slot)
			return true;
	}
	return false;
}

/* They may be in a planned restart as well, which takes milliseconds. Whose lock is free does not
 * come back, and what it did without me nobody knows; nor is longer waited for. */
static bool others_to_meet(struct mlog *m)
{
	for (uint32_t i = 0; i < m->config.members; i++) {
		if ((m->to_meet >> i & 1) == 0)
			continue;
		if (met(m, i)) {
			m->to_meet &= ~(UINT32_C(1) << i);
			group_unlock(m, i);
			continue;
		}
		group_lock(m, i);
		if (group_holds(m, i) || m->now_ms >= m->found_ms + STUCK_MS)
			m->missed = true;
	}
	if (m->missed || m->mangled)
		m->to_meet = 0;
	return m->to_meet != 0;
}

static void lock_slots(struct mlog *m)
{
	if (others_met(m)) {
		found_no_more(m, NULL);
		return;
	}
	group_lock(m, m->self);
	for (uint32_t i = 0; i < m->config.members; i++)
		if (to_be_proved(m, i))
			group_lock(m, i);
	if (m->lock[m->self] == LOCK_HELD && others_proved(m) && !others_to_meet(m))
		lock_granted(m);
}

static void rejoin(struct mlog *m)
{
	m->rejoin = false;
	m->peer_count = 0;
	/* Somebody may be founding with it, who waits for me as I would for him. */
	unlock_soon(m, MLOG_LOCK_MAP);
	m->map_whole = true;
	if (!m->live) {
		m->mangled = true;
		unlock_all(m);
	}
	m->group = GROUP_OUT;
}

static bool wants_in(const struct mlog *m)
{
	return m->phase == MLOG_ATTACHING ||
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
	return m->group == GROUP_FOUNDING && group_holds(m, MLOG_LOCK_MAP) && !m->loaded &&
	       (device_idle(m) || write_given_up(m));
}

void group_settle(struct mlog *m)
{
	unlock_settle(m);
	if (!m->quorate)
		return;
	if (m->rejoin && m->copies_moving == 0 && device_idle(m))
		rejoin(m);
	if (m->rejoin)
		return;
	if (m->group == GROUP_OUT && wants_in(m) && m->copies_moving == 0 && !m->leaving)
		join_send(m);
	if (asks(m) && first_of_all(m))
		found(m);
	else if (asks(m) && m->now_ms >= m->asked_ms + ASK_AGAIN_MS)
		join_send(m); /* they may have had no room */
	if (m->group == GROUP_FOUNDING)
		group_lock(m, MLOG_LOCK_MAP);
	if (load_due(m))
		device_load(m);
	if (m->group == GROUP_LOCKING)
		lock_slots(m);
	if (m->group == GROUP_TELLING)
		tell(m);
	if (m->group != GROUP_IN)
		return;
	if (m->config.has_disk && !m->leaving)
		group_lock(m, MLOG_LOCK_MAP);
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
