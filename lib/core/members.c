/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What all members know: who they are, which regions are in sync or crash-dirty, who may recover
 * what, whose gates are closed, and the marks of those who have no log device. All of it is a
 * function of the delivered messages and views and of nothing else (I7); nothing here looks at
 * time, at the log device or at what this node's kernel does.
 *
 * A member's bound: stale regions below it may be written by that member's kernel without asking
 * us, because it was told so (in_sync_hint), or has a region-hash entry from when the region became
 * stale. Nobody tells its kernel a hint above the lowest stale region of the state it has, so the
 * highest there has been since the member attached is a bound that everybody can compute. A region
 * is leased only to a node when it is at or above the bound of all others (kernel-contract 10).
 */
#include <stdlib.h>
#include <string.h>

#include "core/mlog_internal.h"

static uint32_t bit(uint32_t slot)
{
	return UINT32_C(1) << slot;
}

bool members_create(struct mlog *m)
{
	uint64_t words = bits_words(hot_slot_bits(m->hot));

	members_reset(m);
	if (m->config.members == 1)
		return true;
	for (uint32_t i = 0; i < m->config.members; i++) {
		m->marks[i] = calloc(words, sizeof(*m->marks[i]));
		if (m->marks[i] == NULL)
			return false;
	}
	return true;
}

void members_destroy(struct mlog *m)
{
	for (uint32_t i = 0; i < m->config.members; i++)
		free(m->marks[i]);
}

static void marks_clear(struct mlog *m, uint32_t slot)
{
	if (m->marks[slot] != NULL)
		bits_fill(m->marks[slot], hot_slot_bits(m->hot), false);
}

void members_reset(struct mlog *m)
{
	memset(m->member, 0, sizeof(m->member));
	for (uint32_t i = 0; i < m->config.members; i++)
		marks_clear(m, i);
	m->snap_from = MLOG_NO_SLOT;
	m->applied = 0;
	m->self = MLOG_NO_SLOT;
}

struct mlog_member *members_find(struct mlog *m, uint32_t node)
{
	for (uint32_t i = 0; i < m->config.members; i++)
		if (m->member[i].state != MLOG_MEMBER_NONE && m->member[i].node == node)
			return &m->member[i];
	return NULL;
}

static uint32_t slot_of(const struct mlog *m, const struct mlog_member *member)
{
	return (uint32_t)(member - m->member);
}

/* The slot that was asked for, else the one that its node number suggests, else the lowest. */
uint32_t members_alloc(const struct mlog *m, uint32_t node, uint32_t wanted)
{
	uint32_t suggested = (node - 1) % m->config.members;

	if (wanted < m->config.members && m->member[wanted].state == MLOG_MEMBER_NONE)
		return wanted;
	if (m->member[suggested].state == MLOG_MEMBER_NONE)
		return suggested;
	for (uint32_t i = 0; i < m->config.members; i++)
		if (m->member[i].state == MLOG_MEMBER_NONE)
			return i;
	return MLOG_NO_SLOT;
}

uint32_t members_others(const struct mlog *m)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < m->config.members; i++)
		if (i != m->self && m->member[i].state != MLOG_MEMBER_NONE)
			mask |= bit(i);
	return mask;
}

uint32_t members_gone(const struct mlog *m)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < m->config.members; i++)
		count += m->member[i].state == MLOG_MEMBER_GONE;
	return count;
}

bool members_alone(const struct mlog *m)
{
	return members_others(m) == 0;
}

static bool member_unsure(const struct mlog_member *e)
{
	return e->state == MLOG_MEMBER_GONE || (e->state == MLOG_MEMBER_JOINING && e->live);
}

bool members_unsure(const struct mlog *m)
{
	for (uint32_t i = 0; i < m->config.members; i++)
		if (member_unsure(&m->member[i]))
			return true;
	return false;
}

static bool listens(const struct mlog_member *e)
{
	return e->state == MLOG_MEMBER_READY || (e->state == MLOG_MEMBER_JOINING && e->informed);
}

uint32_t members_listeners(const struct mlog *m)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < m->config.members; i++)
		if (i != m->self && listens(&m->member[i]))
			mask |= bit(i);
	return mask;
}

uint32_t members_first_ready(const struct mlog *m)
{
	for (uint32_t i = 0; i < m->config.members; i++)
		if (m->member[i].state == MLOG_MEMBER_READY)
			return i;
	return MLOG_NO_SLOT;
}

uint32_t members_ready_before(const struct mlog *m)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < m->self && i < m->config.members; i++)
		count += m->member[i].state == MLOG_MEMBER_READY;
	return count;
}

/* ---- bounds and the hint */

static void bound_raise(struct mlog_member *e, uint64_t bound)
{
	if (e->bound < bound)
		e->bound = bound;
}

static bool may_write(const struct mlog_member *e)
{
	return e->state == MLOG_MEMBER_READY || (e->state != MLOG_MEMBER_NONE && e->live);
}

/* Stale regions below it my kernel may write without a mark, for all that it knows. */
uint64_t members_own_bound(const struct mlog *m)
{
	uint64_t unseen_end = atomic_load(&m->hot->shared->unseen_end);
	uint64_t hint = atomic_load(&m->hot->shared->hint);

	return m->live && hint > unseen_end ? hint : unseen_end;
}

/* A live founder has loaded that more is stale than its kernel was told. Nobody shares it yet. */
void members_bound_known(struct mlog *m)
{
	if (m->founder && m->live && m->self != MLOG_NO_SLOT)
		bound_raise(&m->member[m->self], members_own_bound(m));
}

/* What the kernel was told it goes by until its table is loaded again: the members' state has it as
 * my bound, and the next daemon, who may find nobody to ask, goes by the maps. */
static void hint_put(struct mlog *m, uint64_t hint)
{
	uint64_t told = atomic_load(&m->hot->shared->hint);

	if (m->live && told > hint)
		hot_unseen_end_raise(m->hot, told - 1);
	atomic_store(&m->hot->shared->hint, hint);
}

/* Others who have my state, or who found without a look at my lock: their kernels are live. */
uint32_t members_beside(const struct mlog *m)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < m->config.members; i++)
		if (i != m->self && (may_write(&m->member[i]) || listens(&m->member[i])))
			mask |= bit(i);
	return mask;
}

/*
 * Where only one node can ever be, its kernel hears a hint one short of the end while anything is
 * stale: a hint at the end also stops the kernel's requests for resync work (kernel-contract 6). A
 * node that is merely alone at the moment does as if it were not: what its kernel wrote unseen
 * would have to be undone by a reload of its table, during which the other would be alone, and so
 * on.
 */
void members_changed(struct mlog *m)
{
	uint64_t regions = m->config.region_count;
	bool full = atomic_load(&m->hot->shared->in_sync_count) == regions;
	uint64_t hint;

	m->stale_low = full ? regions : hot_next_stale(m->hot, m->stale_low);
	hint = m->stale_low;
	if (m->config.members == 1)
		hint = full ? regions : regions - 1;
	if (mutation(MUTATE_HINT_TOO_HIGH))
		hint = regions;
	for (uint32_t i = 0; i < m->config.members; i++)
		if (may_write(&m->member[i]))
			bound_raise(&m->member[i], m->config.members == 1 ? regions : m->stale_low);
	hint_put(m, hint);
}

/* ---- claims, leases and marks of one member */

static void claim_drop(struct mlog *m, struct mlog_member *e)
{
	if (e->claim_seq == 0)
		return;
	e->claim_seq = 0;
	e->claim_count = 0;
	e->claim_waits = 0;
	e->claim_busy = 0;
	repair_unclaimed(m, slot_of(m, e));
}

bool members_leased(const struct mlog_member *e, uint64_t region)
{
	return e->lease_any ||
	       (region >= e->lease_first && region - e->lease_first < MLOG_LEASE_MAX &&
		(e->lease >> (region - e->lease_first) & 1) != 0);
}

uint64_t members_lease_end(const struct mlog_member *e)
{
	return e->lease == 0 ? 0 : e->lease_first + 64 - (uint64_t)__builtin_clzll(e->lease);
}

void members_lease_none(struct mlog_member *e)
{
	e->lease_any = false;
	e->lease_first = 0;
	e->lease = 0;
}

static void lease_remove(struct mlog_member *e, uint64_t region)
{
	if (!members_leased(e, region) || e->lease_any)
		return;
	e->lease &= ~(UINT64_C(1) << (region - e->lease_first));
	if (e->lease == 0)
		members_lease_none(e);
}

void members_lease_one(struct mlog_member *e, uint64_t region)
{
	members_lease_none(e);
	e->lease_first = region;
	e->lease = 1;
}

/* What of it is still stale may have been written without a mark. */
static void lease_drop(struct mlog_member *e)
{
	if (e->lease != 0)
		bound_raise(e, members_lease_end(e));
	members_lease_none(e);
}

void members_dirty_region(struct mlog *m, uint64_t region)
{
	if (region < m->config.region_count && hot_in_sync(m->hot, region) &&
	    !hot_repair(m->hot, region)) {
		hot_repair_set(m->hot, region, true);
		m->repair_left++;
	}
}

static void dirty_all(struct mlog *m)
{
	for (uint64_t r = 0; r < m->config.region_count; r++)
		members_dirty_region(m, r);
}

static void dirty_slot_bit(struct mlog *m, uint64_t slot_bit)
{
	uint64_t first = slot_bit << m->hot->shift;
	uint64_t end = (slot_bit + 1) << m->hot->shift;

	for (uint64_t r = first; r < end; r++)
		members_dirty_region(m, r);
}

void members_taken(struct mlog *m)
{
	uint64_t slot_bit;

	bits_for_each_set (slot_bit, m->taken, hot_slot_bits(m->hot))
		dirty_slot_bit(m, slot_bit);
	if (m->taken_all)
		dirty_all(m);
}

static void marks_to_repair(struct mlog *m, uint32_t slot)
{
	uint64_t slot_bit;

	if (m->marks[slot] == NULL || !m->member[slot].replicated)
		return;
	bits_for_each_set (slot_bit, m->marks[slot], hot_slot_bits(m->hot))
		if (!mutation(MUTATE_DEAD_MARKS_FORGOTTEN))
			dirty_slot_bit(m, slot_bit);
	marks_clear(m, slot);
}

/* Then what it marks is in memories only, and so is what is stale, if it was to write the map. */
bool members_replicated(const struct mlog *m)
{
	for (uint32_t i = 0; i < m->config.members; i++)
		if (m->member[i].state != MLOG_MEMBER_NONE && m->member[i].replicated)
			return true;
	return false;
}

/* I go where no message reaches me: what only the memory of the members knows, mine is to keep. */
bool members_marks_keep(struct mlog *m)
{
	bool some = false;

	for (uint32_t i = 0; i < m->config.members; i++) {
		if (i == m->self || m->member[i].state == MLOG_MEMBER_NONE)
			continue;
		some = some || m->member[i].replicated;
		marks_to_repair(m, i);
	}
	return some;
}

/* The device has failed me: the slots of those who are gone were not read, and may not have all. */
void members_unsure_keep(struct mlog *m)
{
	for (uint32_t i = 0; i < m->config.members; i++)
		if (i != m->self && member_unsure(&m->member[i]) && !m->member[i].marked) {
			dirty_all(m);
			return;
		}
}

/* Where one is alone for ever the map stays as it is: a page of it that is touched takes memory. */
static uint64_t others_words(const struct mlog *m)
{
	return m->config.members == 1 ? 0 : bits_words(hot_slot_bits(m->hot));
}

/* My daemon is about to be replaced, and the next one knows the maps only. What an earlier one left
 * there counts until I have been told everything. */
void members_hand_over(struct mlog *m)
{
	for (uint64_t w = 0; w < others_words(m); w++) {
		uint64_t marks = found_remembers(m) ? 0 : hot_others_word(m->hot, w);

		for (uint32_t i = 0; i < m->config.members; i++)
			if (i != m->self && m->marks[i] != NULL && m->member[i].replicated)
				marks |= m->marks[i][w];
		hot_others_put(m->hot, w, marks);
	}
}

/* I found the group: nobody knows better than the daemon before me. */
void members_handed(struct mlog *m)
{
	for (uint64_t w = 0; w < others_words(m); w++)
		m->taken[w] |= hot_others_word(m->hot, w);
}

void members_handed_forget(struct mlog *m)
{
	for (uint64_t w = 0; w < others_words(m); w++)
		hot_others_put(m->hot, w, 0);
}

/* It writes no more: nothing that it had to itself keeps others waiting. */
static void member_over(struct mlog *m, struct mlog_member *e)
{
	claim_drop(m, e);
	if (!mutation(MUTATE_DEAD_LEASE_KEPT))
		members_lease_none(e);
	e->bound = 0;
	e->replicated = false;
	e->marked = false;
	e->live = false;
}

static void member_free(struct mlog *m, struct mlog_member *e)
{
	member_over(m, e);
	marks_clear(m, slot_of(m, e));
	if (mutation(MUTATE_DEAD_LEASE_KEPT)) {
		e->state = MLOG_MEMBER_NONE;
		return;
	}
	memset(e, 0, sizeof(*e));
}

static void not_listening(struct mlog *m, uint32_t slot)
{
	for (uint32_t i = 0; i < m->config.members; i++)
		m->member[i].claim_waits &= ~bit(slot);
	m->lease_acks.waits &= ~bit(slot);
	m->stale_acks.waits &= ~bit(slot);
	m->marks_acks.waits &= ~bit(slot);
	if (m->snap_from == slot)
		m->snap_from = MLOG_NO_SLOT;
	m->snap_mask &= ~bit(slot);
}

/* Who did not say whether it writes a claim's regions may be writing all of them. */
static void lost(struct mlog *m, uint32_t slot)
{
	for (uint32_t i = 0; i < m->config.members; i++)
		if ((m->member[i].claim_waits & bit(slot)) != 0)
			m->member[i].claim_busy = UINT32_MAX;
	not_listening(m, slot);
}

static void member_gone(struct mlog *m, struct mlog_member *e)
{
	uint32_t slot = slot_of(m, e);

	lost(m, slot);
	e->state = MLOG_MEMBER_GONE;
	if (mutation(MUTATE_GONE_CLAIM_OPENED))
		claim_drop(m, e);
	sync_rewind(m);
	notice_add(m, MLOG_NOTICE_MEMBER_GONE, e->node);
}

void members_view(struct mlog *m, const uint32_t *node, uint32_t count)
{
	for (uint32_t i = 0; i < m->config.members; i++) {
		struct mlog_member *e = &m->member[i];
		bool there = false;

		if (e->state != MLOG_MEMBER_JOINING && e->state != MLOG_MEMBER_READY)
			continue;
		for (uint32_t k = 0; k < count; k++)
			there = there || node[k] == e->node;
		if (there)
			continue;
		member_gone(m, e);
		if (mutation(MUTATE_FIRST_LEAVER_ONLY))
			break;
	}
	members_changed(m);
}

/* ---- messages */

/* A slot in use whose owner has come back, who alone knows that it is this one: nobody could tell
 * whose it was, or one of an earlier life of the node has its name as well. */
static struct mlog_member *slot_regained(struct mlog *m, const struct mlog_message *message)
{
	const struct mlog_member *known = members_find(m, message->from);
	uint32_t slot = message->join.slot;
	struct mlog_member *e;

	if (!message->join.live || slot >= m->config.members ||
	    (known != NULL && known->state != MLOG_MEMBER_GONE))
		return NULL;
	e = &m->member[slot];
	if (e->state != MLOG_MEMBER_GONE ||
	    (e->node != MLOG_NODE_UNKNOWN && e->node != message->from))
		return NULL;
	for (uint32_t i = 0; i < m->config.members; i++)
		if (m->member[i].state == MLOG_MEMBER_GONE && m->member[i].node == message->from)
			m->member[i].node = MLOG_NODE_UNKNOWN;
	e->node = message->from;
	return e;
}

/* Any region may have been its to recover: it says which one is. */
static void lease_told(struct mlog_member *e, uint64_t recovering)
{
	if (!e->lease_any)
		return;
	members_lease_none(e);
	if (recovering > 0)
		members_lease_one(e, recovering - 1);
}

/* Another number of regions, or other legs: what one writes the others would not find. Who cannot say
 * which revision it has (not all have said yet what they understand) may have an older one, and asks
 * again in a moment. */
static bool same_table(const struct mlog *m, const struct mlog_message *message)
{
	return message->join.region_count == m->config.region_count &&
	       message->join.region_sectors == m->config.region_sectors &&
	       message->join.has_disk == m->config.has_disk &&
	       (message->join.revision == m->config.revision ||
		(message->join.revision == MLOG_REVISION_UNKNOWN && m->config.revision == 0) ||
		mutation(MUTATE_OTHER_TABLE_JOINS));
}

static void apply_join(struct mlog *m, const struct mlog_message *message)
{
	struct mlog_member *e;
	uint32_t slot;

	if (!same_table(m, message)) {
		notice_add(m, MLOG_NOTICE_MISMATCH, message->from);
		return;
	}
	e = slot_regained(m, message);
	if (e == NULL)
		e = members_find(m, message->from);
	if (e != NULL) {
		lost(m, slot_of(m, e));
		claim_drop(m, e); /* its mover has ended */
		if (!message->join.live) {
			marks_to_repair(m, slot_of(m, e));
			member_over(m, e);
		}
	} else {
		slot = members_alloc(m, message->from, message->join.slot);
		if (slot == MLOG_NO_SLOT) {
			notice_add(m, MLOG_NOTICE_OVERFLOW, 0);
			return;
		}
		e = &m->member[slot];
		memset(e, 0, sizeof(*e));
		e->node = message->from;
	}
	e->state = MLOG_MEMBER_JOINING;
	e->incarnation = message->incarnation;
	e->informed = false;
	e->live = message->join.live;
	bound_raise(e, message->join.bound);
	if (message->join.live)
		lease_told(e, message->join.recovering);
}

static void apply_snap(struct mlog *m, const struct mlog_member *from,
		       const struct mlog_message *message)
{
	m->snap_from = slot_of(m, from);
	m->snap_seq = message->seq;
	m->snap_mask = 0;
	for (uint32_t i = 0; i < m->config.members; i++)
		if (m->member[i].state == MLOG_MEMBER_JOINING && !m->member[i].informed)
			m->snap_mask |= bit(i);
}

static void apply_state(struct mlog *m, const struct mlog_member *from,
			const struct mlog_state *state)
{
	if (!state->last || m->snap_from != slot_of(m, from) || m->snap_seq != state->snap)
		return;
	for (uint32_t i = 0; i < m->config.members; i++)
		if ((m->snap_mask & bit(i)) != 0)
			m->member[i].informed = true;
	m->snap_from = MLOG_NO_SLOT;
	m->snap_mask = 0;
}

static void apply_leave(struct mlog *m, struct mlog_member *e, bool dirty)
{
	uint32_t slot = slot_of(m, e);

	not_listening(m, slot);
	notice_add(m, MLOG_NOTICE_MEMBER_LEFT, e->node);
	sync_rewind(m);
	if (mutation(MUTATE_SUSPENDED_STAYS)) {
		e->live = false;
		return;
	}
	if (!dirty) {
		member_free(m, e);
		return;
	}
	marks_to_repair(m, slot);
	member_over(m, e);
	e->state = MLOG_MEMBER_GONE;
}

/* All of them may be writing it unseen, so nobody may recover it before they have reloaded; nor
 * what lies behind it in a lease, which ends here. */
static void region_stale(struct mlog *m, uint64_t region)
{
	for (uint32_t i = 0; i < m->config.members; i++) {
		struct mlog_member *e = &m->member[i];

		if (may_write(e))
			bound_raise(e, region + 1);
		lease_remove(e, region);
	}
	hot_unseen_end_raise(m->hot, region); /* for the next daemon */
}

/* Another than from may write it without a mark: it came while the region was being recovered. */
static bool unseen_by_another(const struct mlog *m, const struct mlog_member *from, uint64_t region)
{
	for (uint32_t i = 0; i < m->config.members; i++)
		if (&m->member[i] != from && m->member[i].state != MLOG_MEMBER_NONE &&
		    m->member[i].bound > region && !mutation(MUTATE_LEASE_UNSEEN))
			return true;
	return false;
}

static void apply_sync(struct mlog *m, const struct mlog_member *from, uint64_t region,
		       bool in_sync)
{
	bool was;

	if (region >= m->config.region_count)
		return;
	if (in_sync && !members_leased(from, region))
		return; /* somebody else may have it by now */
	was = hot_in_sync(m->hot, region);
	sync_deliver(m, region, in_sync && !unseen_by_another(m, from, region));
	if (was && !in_sync)
		region_stale(m, region);
	for (uint32_t i = 0; in_sync && i < m->config.members; i++)
		lease_remove(&m->member[i], region);
}

static bool leases_meet(const struct mlog_member *low, const struct mlog_member *high)
{
	uint64_t apart = high->lease_first - low->lease_first;

	return high->lease_first >= low->lease_first && apart < MLOG_LEASE_MAX &&
	       (low->lease >> apart & high->lease) != 0;
}

/* I6: what is leased to e, nobody else may recover, or write unseen. */
static bool lease_sole(const struct mlog *m, const struct mlog_member *e)
{
	for (uint32_t i = 0; i < m->config.members; i++) {
		const struct mlog_member *other = &m->member[i];

		if (other == e || other->state == MLOG_MEMBER_NONE)
			continue;
		if (other->lease_any || other->bound > e->lease_first)
			return false;
		if (leases_meet(e, other) || leases_meet(other, e))
			return false;
	}
	return true;
}

static void apply_lease(struct mlog *m, struct mlog_member *from,
			const struct mlog_message *message)
{
	lease_drop(from);
	from->lease_first = sync_lease_pick(m, slot_of(m, from), message->lease.from,
					    message->lease.regions, &from->lease);
	if (from->lease == 0)
		from->lease_first = 0;
	invariant(from->lease == 0 || lease_sole(m, from));
}

static bool claimed(const struct mlog *m, uint64_t region)
{
	for (uint32_t i = 0; i < m->config.members; i++)
		for (uint32_t k = 0; k < m->member[i].claim_count; k++)
			if (m->member[i].claim[k] == region)
				return true;
	return false;
}

static void apply_claim(struct mlog *m, struct mlog_member *from,
			const struct mlog_message *message)
{
	const struct mlog_items *items = &message->claim;
	bool allowed = !members_unsure(m) || mutation(MUTATE_CLAIM_WHILE_GONE);
	uint32_t count = 0;

	if (from->claim_seq != 0)
		return; /* nobody sends a second one */
	for (uint32_t i = 0; i < items->count && i < MLOG_COPIES_MAX && allowed; i++) {
		uint64_t region = items->item[i];

		if (region < m->config.region_count && hot_in_sync(m->hot, region) &&
		    !claimed(m, region))
			from->claim[count++] = region;
		from->claim_count = count;
	}
	from->claim_seq = message->seq;
	from->claim_busy = 0;
	from->claim_waits = 0;
	for (uint32_t i = 0; i < m->config.members && count > 0; i++)
		if (m->member[i].state == MLOG_MEMBER_READY)
			from->claim_waits |= bit(i);
	repair_claimed(m, slot_of(m, from));
}

static void apply_done(struct mlog *m, struct mlog_member *from, const struct mlog_message *message)
{
	if (from->claim_seq != message->done.claim)
		return;
	for (uint32_t i = 0; i < from->claim_count; i++)
		if ((message->done.repaired & bit(i)) != 0)
			repair_done(m, from->claim[i]);
	claim_drop(m, from);
}

static void apply_ack(struct mlog *m, const struct mlog_member *from,
		      const struct mlog_message *message)
{
	struct mlog_member *to = members_find(m, message->ack.to);
	uint32_t slot = slot_of(m, from);

	if (to == NULL || to->incarnation != message->ack.incarnation)
		return; /* it was another life's */
	if (to->claim_seq == message->ack.seq) {
		to->claim_waits &= ~bit(slot);
		to->claim_busy |= message->ack.busy;
	}
	if (slot_of(m, to) != m->self)
		return;
	if (m->lease_acks.seq == message->ack.seq)
		m->lease_acks.waits &= ~bit(slot);
	if (m->stale_acks.seq == message->ack.seq)
		m->stale_acks.waits &= ~bit(slot);
	if (m->marks_acks.seq == message->ack.seq)
		m->marks_acks.waits &= ~bit(slot);
}

static void apply_dirty(struct mlog *m, const struct mlog_message *message)
{
	uint32_t slot = message->dirty_bits.slot;
	struct mlog_member *e;

	if (slot >= m->config.members)
		return;
	e = &m->member[slot];
	for (uint32_t i = 0; i < message->dirty_bits.items.count; i++)
		if (message->dirty_bits.items.item[i] < hot_slot_bits(m->hot))
			dirty_slot_bit(m, message->dirty_bits.items.item[i]);
	if (message->dirty_bits.all)
		dirty_all(m);
	m->repair_cursor = 0;
	if (!message->dirty_bits.last || e->state != MLOG_MEMBER_GONE ||
	    e->incarnation != message->dirty_bits.incarnation)
		return;
	marks_to_repair(m, slot);
	if (e->node != MLOG_NODE_UNKNOWN)
		notice_add(m, MLOG_NOTICE_MEMBER_DEAD, e->node);
	member_free(m, e);
	sync_rewind(m); /* what it kept from the others may be had now */
}

/* The marks of those who cannot tell them are lost with the device. */
static void apply_lost(struct mlog *m)
{
	for (uint32_t i = 0; i < m->config.members; i++)
		if (m->member[i].state == MLOG_MEMBER_GONE ||
		    m->member[i].state == MLOG_MEMBER_JOINING) {
			dirty_all(m);
			m->repair_cursor = 0;
			return;
		}
}

static void apply_marks(struct mlog *m, struct mlog_member *from,
			const struct mlog_message *message)
{
	bool set = message->kind == MLOG_MSG_MARKS;
	uint32_t slot = slot_of(m, from);

	if (m->marks[slot] == NULL)
		return;
	for (uint32_t i = 0; i < message->marks.items.count; i++) {
		uint64_t slot_bit = message->marks.items.item[i];

		if (slot_bit >= hot_slot_bits(m->hot))
			continue;
		if (set)
			bits_set(m->marks[slot], slot_bit);
		else
			bits_clear(m->marks[slot], slot_bit);
	}
	if (set) {
		from->replicated = true;
		from->marked = from->marked || message->marks.all;
	} else if (message->marks.all) {
		from->replicated = false;
		from->marked = false;
		marks_clear(m, slot);
	}
}

/* Alone, nobody needs to be told; a joiner gets it with the state. */
void members_marks_sole(struct mlog *m, uint64_t slot_bit, bool value)
{
	struct mlog_member *self = member_self(m);

	if (self == NULL || m->marks[m->self] == NULL)
		return;
	self->replicated = true;
	self->marked = true;
	if (value)
		bits_set(m->marks[m->self], slot_bit);
	else
		bits_clear(m->marks[m->self], slot_bit);
}

static uint32_t places(const struct mlog *m, uint32_t node)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < m->config.members; i++)
		count += m->member[i].state != MLOG_MEMBER_NONE && m->member[i].node == node;
	return count;
}

/* I7: a node gets one place in what all share, which its messages are about. */
static void apply_join_once(struct mlog *m, const struct mlog_message *message)
{
	uint32_t before = places(m, message->from); /* a bad STATE could say two */

	apply_join(m, message);
	invariant(places(m, message->from) <= (before > 1 ? before : 1));
}

void members_apply(struct mlog *m, const struct mlog_message *message)
{
	struct mlog_member *from = members_find(m, message->from);

	m->applied++;
	if (message->kind == MLOG_MSG_JOIN) {
		apply_join_once(m, message);
		members_changed(m);
		return;
	}
	if (from == NULL || from->incarnation != message->incarnation)
		return;
	switch (message->kind) {
	case MLOG_MSG_SNAP:
		apply_snap(m, from, message);
		break;
	case MLOG_MSG_STATE:
		apply_state(m, from, &message->state);
		break;
	case MLOG_MSG_READY:
		from->state = MLOG_MEMBER_READY;
		from->informed = true;
		from->live = true;
		sync_rewind(m);
		notice_add(m, MLOG_NOTICE_MEMBER_READY, from->node);
		break;
	case MLOG_MSG_LEAVE:
		apply_leave(m, from, message->dirty);
		break;
	case MLOG_MSG_SYNC:
		apply_sync(m, from, message->sync.region, message->sync.in_sync);
		break;
	case MLOG_MSG_LEASE:
		apply_lease(m, from, message);
		break;
	case MLOG_MSG_UNSEEN:
		bound_raise(from, message->region);
		break;
	case MLOG_MSG_CLAIM:
		apply_claim(m, from, message);
		break;
	case MLOG_MSG_DONE:
		apply_done(m, from, message);
		break;
	case MLOG_MSG_ACK:
		apply_ack(m, from, message);
		break;
	case MLOG_MSG_DIRTY:
		apply_dirty(m, message);
		break;
	case MLOG_MSG_MARKS:
	case MLOG_MSG_UNMARKS:
		apply_marks(m, from, message);
		break;
	case MLOG_MSG_LOST:
		apply_lost(m);
		break;
	default: /* WANT and NONE change nothing that all know */
		break;
	}
	members_changed(m);
}

/* ---- the whole state */

static uint64_t map_words(const struct mlog *m, uint32_t map)
{
	if (map >= MLOG_MAP_MARKS)
		return bits_words(hot_slot_bits(m->hot));
	return bits_words(m->config.region_count);
}

static bool map_shared(const struct mlog *m, uint32_t map)
{
	return map < MLOG_MAP_MARKS || m->member[map - MLOG_MAP_MARKS].replicated;
}

static bool map_sent(const struct mlog *m, uint32_t map)
{
	if (map == MLOG_MAP_REPAIR && mutation(MUTATE_REPAIR_NOT_IN_STATE))
		return false;
	if (map >= MLOG_MAP_MARKS && mutation(MUTATE_MARKS_NOT_IN_STATE))
		return false;
	return map_shared(m, map);
}

static uint64_t map_word(const struct mlog *m, uint32_t map, uint64_t word)
{
	if (map == MLOG_MAP_IN_SYNC)
		return hot_in_sync_word(m->hot, word);
	if (map == MLOG_MAP_REPAIR)
		return hot_repair_word(m->hot, word);
	return m->marks[map - MLOG_MAP_MARKS][word];
}

/* The cursor: 0 for the members, then 1 + place, all maps one after the other. */
bool mlog_state_next(const struct mlog *m, uint64_t *cursor, uint64_t *buffer, uint32_t room,
		     struct mlog_message *ret)
{
	uint32_t maps = MLOG_MAP_MARKS + m->config.members;
	uint64_t at = *cursor;
	uint32_t map = 0;

	*ret = (struct mlog_message){.kind = MLOG_MSG_STATE,
				     .from = m->config.node,
				     .incarnation = m->incarnation,
				     .seq = m->snap_seq};
	ret->state.snap = m->snap_seq;
	if (at == 0) {
		ret->state.member = m->member;
		ret->state.member_count = m->config.members;
		*cursor = 1;
		return true;
	}
	at--;
	while (map < maps && (!map_sent(m, map) || at >= map_words(m, map))) {
		at -= map_sent(m, map) ? map_words(m, map) : 0;
		map++;
	}
	if (map == maps)
		return false;
	ret->state.map = map;
	ret->state.first = at;
	while (ret->state.words < room && at < map_words(m, map))
		buffer[ret->state.words++] = map_word(m, map, at++);
	ret->state.word = buffer;
	*cursor += ret->state.words;
	ret->state.last = at == map_words(m, map);
	for (uint32_t next = map + 1; next < maps; next++)
		ret->state.last = ret->state.last && !map_sent(m, next);
	return true;
}

/* Regions that there are not would be gates that there are not. */
static void claim_limit(const struct mlog *m, struct mlog_member *e)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < e->claim_count && i < MLOG_COPIES_MAX; i++)
		if (e->claim[i] < m->config.region_count)
			e->claim[kept++] = e->claim[i];
	e->claim_count = kept;
}

static void take_members(struct mlog *m, const struct mlog_state *state)
{
	for (uint32_t i = 0; i < m->config.members; i++) {
		m->member[i] =
		    i < state->member_count ? state->member[i] : (struct mlog_member){.node = 0};
		if (mutation(MUTATE_CLAIMS_NOT_IN_STATE)) {
			m->member[i].claim_seq = 0;
			m->member[i].claim_count = 0;
		}
		claim_limit(m, &m->member[i]);
		if (m->member[i].state == MLOG_MEMBER_JOINING && !m->member[i].informed)
			m->snap_mask |= bit(i);
		marks_clear(m, i);
	}
	for (uint64_t w = 0; w < map_words(m, MLOG_MAP_REPAIR); w++)
		hot_repair_put(m->hot, w, 0);
}

/* A piece of the state, at a node that has none. True: it was the last. */
bool members_state_take(struct mlog *m, const struct mlog_state *state)
{
	uint64_t words;

	if (state->member_count > 0)
		take_members(m, state);
	if (state->words == 0 || state->map >= MLOG_MAP_MARKS + m->config.members)
		return state->last;
	words = map_words(m, state->map);
	for (uint32_t i = 0; i < state->words && state->first + i < words; i++) {
		if (state->map == MLOG_MAP_IN_SYNC)
			hot_in_sync_put(m->hot, state->first + i, state->word[i]);
		else if (state->map == MLOG_MAP_REPAIR)
			hot_repair_put(m->hot, state->first + i, state->word[i]);
		else if (m->marks[state->map - MLOG_MAP_MARKS] != NULL)
			m->marks[state->map - MLOG_MAP_MARKS][state->first + i] = state->word[i];
	}
	return state->last;
}

/* ---- the same for all? */

static uint64_t hash_add(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

uint64_t mlog_state_hash(const struct mlog *m)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	if (!group_in(m))
		return 0;
	for (uint32_t map = 0; map < MLOG_MAP_MARKS + m->config.members; map++)
		for (uint64_t w = 0; map_shared(m, map) && w < map_words(m, map); w++)
			hash = hash_add(hash, map_word(m, map, w));
	for (uint32_t i = 0; i < m->config.members; i++) {
		const struct mlog_member *e = &m->member[i];

		hash = hash_add(hash, (uint64_t)e->state << 32 | e->node);
		hash = hash_add(hash, e->incarnation);
		hash = hash_add(hash, e->bound);
		hash = hash_add(hash, e->lease_any);
		hash = hash_add(hash, e->lease_first);
		hash = hash_add(hash, e->lease);
		hash = hash_add(hash, e->claim_seq);
		hash = hash_add(hash, (uint64_t)e->claim_waits << 32 | e->claim_busy);
		hash = hash_add(hash, (uint64_t)e->live << 2 | (uint64_t)e->replicated << 1 |
					  (uint64_t)e->marked);
	}
	return hash == 0 ? 1 : hash;
}

const struct mlog_member *mlog_member(const struct mlog *m, uint32_t slot)
{
	if (slot >= m->config.members || m->group < GROUP_LOCKING)
		return NULL;
	return &m->member[slot];
}
