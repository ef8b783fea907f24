/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first of its group: what its state begins with (memory, the log device, nothing), and the
 * locks that must agree before it is believed.
 */
#include "core/mlog_internal.h"

/* Does it hold a lock that I wait for, and waits for me? Who knows more than I may have the map's,
 * who was a member has its slot's. */
bool found_against(const struct mlog *m, const struct peer *peer)
{
	if (m->group == GROUP_FOUNDING)
		return m->lock[MLOG_LOCK_MAP] == LOCK_WAITED && peer->applied > peers_rank(m);
	return m->group == GROUP_LOCKING && m->founder && m->lock[m->self] == LOCK_WAITED &&
	       peer->join.join.live &&
	       (peer->join.join.slot == m->self || peer->applied > peers_rank(m));
}

/* Does somebody have the map's lock, or a slot's that should be free, who may have a state and not
 * know of me? */
bool found_in_vain(const struct mlog *m)
{
	if (m->leaving)
		return false;
	return m->group == GROUP_FOUNDING ? m->lock[MLOG_LOCK_MAP] == LOCK_WAITED
					  : m->group == GROUP_LOCKING && m->to_prove != 0;
}

void found_no_more(struct mlog *m, const struct peer *for_whom)
{
	lock_release_all(m);
	m->founder = false;
	m->to_prove = 0;
	m->self = MLOG_NO_SLOT;
	group_ask_again(m, for_whom);
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
	    .bound = self->bound > members_own_bound(m) ? self->bound : members_own_bound(m),
	};
	if (m->live && sync_recovering(m) < m->config.region_count)
		members_lease_one(self, sync_recovering(m));
}

static bool returned(struct mlog *m, const struct mlog_member *e)
{
	const struct peer *peer = peers_find(m, e->node);

	return peer != NULL && peer->joined && peer->join.join.live;
}

/* Has each of the other members come back with what it knows, or each of those whose marks are in
 * memory only? */
static bool all_returned(struct mlog *m, bool in_memory_only)
{
	for (uint32_t i = 0; i < m->config.members; i++) {
		const struct mlog_member *e = &m->member[i];

		if (i == m->self || e->state == MLOG_MEMBER_NONE ||
		    (in_memory_only && m->config.has_disk && !e->replicated))
			continue;
		if (!returned(m, e))
			return false;
	}
	return true;
}

/* Everybody else has to come back first, and until then may be writing. */
static void found_from_memory(struct mlog *m)
{
	uint32_t slot = m->self;

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
	uint64_t known =
	    m->config.has_disk && peers_rank(m) == RANK_NONE ? RANK_KNOWS : peers_rank(m);

	for (uint32_t i = 0; i < m->peer_count && !m->live; i++)
		if (!m->peer[i].joining && m->peer[i].applied > known)
			return true;
	return peers_ahead(m) || (m->left_out && !m->live && !m->config.has_disk);
}

/* All that the group knew when I last heard of it: nothing of an earlier daemon's is newer. */
bool found_remembers(const struct mlog *m)
{
	return m->live && !m->mangled && m->applied > 0 && m->self != MLOG_NO_SLOT;
}

void found(struct mlog *m)
{
	uint64_t own = peers_rank(m);

	m->founder = true;
	m->found_ms = m->now_ms;
	m->outdone = outdone(m);
	m->found_rank = peers_rank_max(m);
	m->group = GROUP_FOUNDING;
	if (found_remembers(m)) {
		/* Who does not come with its memory may have gone on without me, and nobody knows
		 * what it wrote. */
		if (!all_returned(m, true))
			m->taken_all = true;
		if (!m->config.has_disk || all_returned(m, false)) {
			found_from_memory(m);
			return;
		}
		/* What it called stale is on the log device, and counts beside what I know. */
		members_marks_keep(m);
	}
	members_handed(m);
	members_reset(m);
	m->applied = own > RANK_MEMORY ? own - RANK_MEMORY : 0;
	m->loaded = false;
	if (!m->config.has_disk || m->config.members == 1)
		found_loaded(m, NULL);
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
 * have claimed it; one whose device had failed it by then is not on it, but the lock of its slot
 * tells. While a lock is not free, its owner's kernel may know better than what was loaded: the
 * device may have failed it since. */
void found_loaded(struct mlog *m, const struct mlog_history *h)
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
		if (i == m->self)
			continue;
		if (m->member[i].state == MLOG_MEMBER_NONE)
			slot_in_use(m, i, MLOG_NODE_UNKNOWN);
		if (!m->live && (h != NULL || !m->config.has_disk))
			m->to_prove |= UINT32_C(1) << i;
	}
	/* Their marks were on the device that this one has replaced. */
	if (m->live && h != NULL && owner == NULL && m->config.members > 1)
		m->taken_all = true;
	repair_reconcile(m);
	members_taken(m); /* in my slot with the claim, when nothing else says so any more */
	m->group = GROUP_LOCKING;
}

static bool to_be_proved(const struct mlog *m, uint32_t slot)
{
	return (m->to_prove >> slot & 1) != 0;
}

/* Nobody is where nobody is known to be; who is known to have been there is dead, and the lock of
 * his slot is kept for its takeover. */
static bool others_proved(struct mlog *m)
{
	for (uint32_t i = 0; i < m->config.members; i++)
		if (to_be_proved(m, i) && !lock_held(m, i))
			return false;
	for (uint32_t i = 0; i < m->config.members; i++)
		if (to_be_proved(m, i) && m->member[i].node == MLOG_NODE_UNKNOWN) {
			m->member[i] = (struct mlog_member){.state = MLOG_MEMBER_NONE};
			lock_release(m, i);
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
		if (peer_goes_first(m, peer))
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
			lock_release(m, i);
			continue;
		}
		lock_take(m, i);
		if (lock_held(m, i) || m->now_ms >= m->found_ms + STUCK_MS)
			m->missed = true;
	}
	if (m->missed || m->mangled)
		m->to_meet = 0;
	return m->to_meet != 0;
}

bool found_locks(struct mlog *m)
{
	if (others_met(m)) {
		found_no_more(m, NULL);
		return false;
	}
	lock_take(m, m->self);
	for (uint32_t i = 0; i < m->config.members; i++)
		if (to_be_proved(m, i))
			lock_take(m, i);
	return m->lock[m->self] == LOCK_HELD && others_proved(m) && !others_to_meet(m);
}
