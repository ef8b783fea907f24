/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The slot of a member that is gone. The first READY member queues for its lock; the lock is
 * granted when the member is proved dead (fenced), or has left its slot behind on purpose: the
 * grant is the death certificate. Then, each step after the last is durable or delivered (I5):
 *
 *	read its slot -> its bits into mine -> empty its slot -> tell all (DIRTY) -> unlock
 *
 * A heir that dies on the way has the bits in its own slot, and `inheriting` in the hot maps tells
 * its next daemon that nobody may have heard of them. Without a log device the marks that its
 * messages announced are its slot.
 */
#include "core/mlog_internal.h"

static bool readable(const struct mlog *m)
{
	return m->log == MLOG_LOG_OK && !m->degraded;
}

static void tell_next(struct mlog *m)
{
	uint64_t bits = hot_slot_bits(m->hot);
	struct mlog_message *message = group_send(m, MLOG_MSG_DIRTY);
	uint64_t at = m->takeover_cursor;

	message->dirty_bits.slot = m->takeover_slot;
	message->dirty_bits.incarnation = m->member[m->takeover_slot].incarnation;
	message->dirty_bits.all = m->takeover_all;
	for (at = bits_next_set(m->taken, bits, at);
	     at < bits && message->dirty_bits.items.count < MLOG_ITEMS_MAX;
	     at = bits_next_set(m->taken, bits, at + 1))
		message->dirty_bits.items.item[message->dirty_bits.items.count++] = at;
	message->dirty_bits.last = at == bits;
	m->takeover_cursor = at;
	m->takeover_seq = message->seq;
	m->takeover = TAKEOVER_TELL;
}

static void tell_start(struct mlog *m)
{
	m->takeover_cursor = 0;
	tell_next(m);
}

/* Its bits are in my image; are they in my slot? */
static bool inherited(const struct mlog *m)
{
	uint64_t bits = hot_slot_bits(m->hot);
	uint64_t bit;

	if (m->log != MLOG_LOG_OK)
		return true;
	if (m->slot_pages.in_flight > 0)
		return false;
	bits_for_each_set (bit, m->taken, bits)
		if (bits_test(m->slot_pages.dirty, bit / ((uint64_t)m->config.page_bytes * 8)))
			return false;
	return true;
}

/* All that is known of its bits is in my image, which keeps it (I3). */
static bool kept(const struct mlog *m)
{
	for (uint64_t w = 0; w < bits_words(hot_slot_bits(m->hot)); w++)
		if ((m->taken[w] & ~m->image[w]) != 0)
			return false;
	return true;
}

/* I5: its bits are in mine, and all have heard of them; its slot is not being written. */
static void slot_unlock(struct mlog *m, uint32_t slot)
{
	invariant(m->takeover == TAKEOVER_NONE || slot != m->takeover_slot);
	invariant(!m->emptying || slot != m->takeover_slot);
	lock_release(m, slot);
}

static void empty(struct mlog *m)
{
	if (!readable(m)) {
		tell_start(m);
		return;
	}
	/* I4, I5 */
	invariant(m->lock[m->takeover_slot] == LOCK_HELD);
	invariant(kept(m) && inherited(m));
	m->takeover = TAKEOVER_EMPTY;
	m->emptying = true;
	effect_add(m, MLOG_EMPTY_SLOT)->slot = m->takeover_slot;
}

static void begin(struct mlog *m, uint32_t slot)
{
	m->takeover_slot = slot;
	m->takeover_all = false;
	bits_fill(m->taken, hot_slot_bits(m->hot), false);
	if (!m->config.has_disk) {
		tell_start(m);
	} else if (readable(m)) {
		m->takeover = TAKEOVER_READ;
		effect_add(m, MLOG_READ_SLOT)->slot = slot;
	} else {
		m->takeover_all = !m->member[slot].marked;
		tell_start(m);
	}
}

void takeover_read(struct mlog *m, uint32_t slot, int error, const uint64_t *dirty)
{
	uint64_t bits = hot_slot_bits(m->hot);
	uint64_t bit;

	if (m->takeover != TAKEOVER_READ || slot != m->takeover_slot)
		return;
	if (error != 0) {
		m->takeover_all = !m->member[slot].marked;
		tell_start(m);
		return;
	}
	if (dirty == NULL && !m->member[slot].replicated) {
		tell_start(m); /* it is free */
		return;
	}
	if (dirty != NULL && !mutation(MUTATE_DEAD_MARKS_FORGOTTEN))
		bits_for_each_set (bit, dirty, bits)
			bits_set(m->taken, bit);
	/* Marks of a member whose log device had failed were in memory; now they are to last. */
	if (m->member[slot].replicated)
		bits_for_each_set (bit, m->marks[slot], bits)
			bits_set(m->taken, bit);
	m->takeover = TAKEOVER_WRITE;
	atomic_store(&m->hot->shared->inheriting, 1);
	if (mutation(MUTATE_UNLOCKED_BEFORE_INHERITED))
		slot_unlock(m, slot);
	if (mutation(MUTATE_EMPTIED_BEFORE_INHERITED)) {
		empty(m);
		return;
	}
	bits_for_each_set (bit, m->taken, bits)
		dirty_inherit(m, bit);
}

void takeover_emptied(struct mlog *m, uint32_t slot, int error)
{
	(void)error; /* what stays in it is taken over once more */
	m->emptying = false;
	if (m->takeover == TAKEOVER_EMPTY && slot == m->takeover_slot)
		tell_start(m);
}

static void told(struct mlog *m)
{
	uint64_t bits = hot_slot_bits(m->hot);

	if (m->takeover_cursor < bits) {
		tell_next(m);
		return;
	}
	m->takeover = TAKEOVER_NONE;
	atomic_store(&m->hot->shared->inheriting, 0);
	bits_fill(m->taken, bits, false);
	slot_unlock(m, m->takeover_slot);
}

/* A write to that slot is on its way: nobody else may have it before it has arrived. */
static bool being_emptied(const struct mlog *m, uint32_t slot)
{
	return m->emptying && slot == m->takeover_slot;
}

/* What is in `taken`, and in my slot already, stays: I tell it when I am in the group again, or
 * leave it in the slot. */
void takeover_stop(struct mlog *m)
{
	m->takeover = TAKEOVER_NONE;
	for (uint32_t i = 0; i < m->config.members; i++)
		if (i != m->slot && !being_emptied(m, i))
			slot_unlock(m, i);
}

/* What has been queued for, and whose owner has come back or been taken over meanwhile. A takeover
 * that has begun goes on: the owner waits for its lock. */
static void unlock_others(struct mlog *m)
{
	for (uint32_t i = 0; i < m->config.members; i++)
		if (i != m->self && (m->takeover == TAKEOVER_NONE || i != m->takeover_slot) &&
		    lock_held(m, i) && !being_emptied(m, i) &&
		    m->member[i].state != MLOG_MEMBER_GONE)
			slot_unlock(m, i);
}

void takeover_settle(struct mlog *m)
{
	if (!group_in(m) || m->leaving || m->left || m->phase == MLOG_DETACHING)
		return;
	if (m->takeover == TAKEOVER_WRITE && inherited(m))
		empty(m);
	if (m->takeover == TAKEOVER_TELL && m->heard >= m->takeover_seq)
		told(m);
	unlock_others(m);
	if (m->takeover != TAKEOVER_NONE || m->emptying ||
	    (device_waits(m) && m->log != MLOG_LOG_OK))
		return;
	for (uint32_t i = 0; i < m->config.members; i++) {
		if (m->member[i].state != MLOG_MEMBER_GONE)
			continue;
		/* One queues; but whoever was granted the lock is the heir. */
		if (members_first_ready(m) == m->self)
			lock_take(m, i);
		if (lock_held(m, i) || mutation(MUTATE_GONE_IS_DEAD)) {
			begin(m, i);
			return;
		}
	}
}
