/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which of my writes may be in flight. Authority: my slot on the log device; without one that works
 * the other members' memory (MARKS messages); alone, the hot maps. Changed by my kernel's MARK and
 * CLEAR.
 *
 * A slot bit:
 *	clean -MARK-> queued -batch starts-> writing -batch done-> dirty -sweep-> clean
 *	      -inherited-> in the image -its page written-> dirty
 * A batch is a set of pages, or a message, which is done when all others have acknowledged it.
 * Always true: hot dirty implies that the bit is set on disk (I1); image has every bit that is hot
 * dirty, queued or being written; a bit of a region that is held or crash-dirty is never dropped
 *(I3).
 */
#include <stdlib.h>
#include <string.h>

#include "core/mlog_internal.h"

static uint64_t slot_page_bits(const struct mlog *m)
{
	return (uint64_t)m->config.page_bytes * 8;
}

bool dirty_create(struct mlog *m)
{
	uint64_t bits = hot_slot_bits(m->hot);

	m->sweep_ms = NEVER_MS;
	if (!pages_create(&m->slot_pages, MLOG_AREA_SLOT, bits, m->config.page_bytes))
		return false;
	m->image = calloc(bits_words(bits), sizeof(*m->image));
	m->taken = calloc(bits_words(bits), sizeof(*m->taken));
	m->page_bits = calloc((size_t)m->slot_pages.count, sizeof(*m->page_bits));
	return m->image != NULL && m->taken != NULL && m->page_bits != NULL;
}

void dirty_destroy(struct mlog *m)
{
	free(m->page_bits);
	free(m->taken);
	free(m->image);
	pages_destroy(&m->slot_pages);
}

static void image_set(struct mlog *m, uint64_t bit)
{
	if (bits_test(m->image, bit))
		return;
	bits_set(m->image, bit);
	m->image_count++;
	m->page_bits[bit / slot_page_bits(m)]++;
	if (m->sweep_ms == NEVER_MS)
		m->sweep_ms = m->now_ms + m->config.hysteresis_ms;
}

static void image_clear(struct mlog *m, uint64_t bit)
{
	assert(bits_test(m->image, bit));
	bits_clear(m->image, bit);
	m->image_count--;
	m->page_bits[bit / slot_page_bits(m)]--;
}

static bool list_has(const uint64_t *list, uint32_t count, uint64_t bit)
{
	for (uint32_t i = 0; i < count; i++)
		if (list[i] == bit)
			return true;
	return false;
}

static bool on_its_way(const struct mlog *m, uint64_t bit)
{
	return list_has(m->queued, m->queued_count, bit) ||
	       list_has(m->writing, m->writing_count, bit);
}

bool dirty_replicated(const struct mlog *m)
{
	return !device_waits(m);
}

/* Nobody has to hear of a mark: there is nobody. But what an UNMARKS on its way could undo goes
 * behind it: who joins meanwhile may be given a state from before it, and applies it as well. */
static bool silent(const struct mlog *m)
{
	return m->config.members == 1 || mutation(MUTATE_MARKS_NOT_SENT) ||
	       (m->group == GROUP_IN && members_alone(m) && m->heard >= m->unmarks_seq);
}

/* I1: from now on a MARK of it is answered. Its page, or its message, is on its way no more. */
static void bit_durable(struct mlog *m, uint64_t bit)
{
	invariant(!list_has(m->queued, m->queued_count, bit));
	if (dirty_replicated(m))
		invariant(silent(m) || acks_complete(&m->marks_acks));
	else
		invariant(m->slot_pages.in_flight == 0 && m->operation == DEVICE_NOTHING);
	hot_dirty_set(m->hot, bit);
}

static void bit_want(struct mlog *m, uint64_t bit)
{
	image_set(m, bit);
	pages_touch(&m->slot_pages, bit / slot_page_bits(m));
	if (dirty_replicated(m) && silent(m)) {
		members_marks_sole(m, bit, true);
		hot_dirty_set(m->hot, bit);
		return;
	}
	if (on_its_way(m, bit))
		return;
	assert(m->queued_count < QUEUE_MAX);
	m->queued[m->queued_count++] = bit;
	if (mutation(MUTATE_MARK_BEFORE_DURABLE))
		bit_durable(m, bit);
}

void dirty_want(struct mlog *m, uint64_t region)
{
	if (!hot_dirty(m->hot, region))
		bit_want(m, region >> m->hot->shift);
}

/* Known from another slot, or from memory. Not queued: there may be any number, and nobody's reply
 * waits for them; whoever marks one before its page is written, waits. */
void dirty_inherit(struct mlog *m, uint64_t slot_bit)
{
	image_set(m, slot_bit);
	pages_touch(&m->slot_pages, slot_bit / slot_page_bits(m));
	if (dirty_replicated(m))
		hot_dirty_set(m->hot, slot_bit);
}

/* What is crash-dirty, and nobody may have had in a slot. Not as if it were marked: a mark of it is
 * still to be told where there is no device. */
void dirty_keep_repair(struct mlog *m)
{
	for (uint64_t r = hot_next_repair(m->hot, 0); m->config.has_disk && r < m->hot->regions;
	     r = hot_next_repair(m->hot, r + 1)) {
		uint64_t bit = r >> m->hot->shift;

		if (bits_test(m->image, bit))
			continue;
		image_set(m, bit);
		pages_touch(&m->slot_pages, bit / slot_page_bits(m));
	}
}

/* A page that has not changed since it was written: all of it is durable. */
static void page_durable(struct mlog *m, uint64_t page)
{
	uint64_t words = slot_page_bits(m) / BITS_PER_WORD;
	uint64_t end = bits_words(hot_slot_bits(m->hot));

	if (bits_test(m->slot_pages.dirty, page) || m->page_bits[page] == 0)
		return;
	for (uint64_t w = page * words; w < (page + 1) * words && w < end; w++)
		hot_dirty_add(m->hot, w, m->image[w]);
}

/* Moves the queued bits of pages that are no longer waiting to be written into the batch. */
static void batch_collect(struct mlog *m)
{
	uint32_t kept = 0;

	assert(m->writing_count == 0);
	for (uint32_t i = 0; i < m->queued_count; i++) {
		uint64_t bit = m->queued[i];

		if (bits_test(m->slot_pages.dirty, bit / slot_page_bits(m)))
			m->queued[kept++] = bit;
		else
			m->writing[m->writing_count++] = bit;
	}
	m->queued_count = kept;
}

static void batch_durable(struct mlog *m)
{
	for (uint32_t i = 0; i < m->writing_count; i++) {
		assert(bits_test(m->image, m->writing[i]));
		bit_durable(m, m->writing[i]);
	}
	m->writing_count = 0;
}

static void requeue(struct mlog *m)
{
	for (uint32_t i = 0; i < m->writing_count; i++)
		m->queued[m->queued_count++] = m->writing[i];
	m->writing_count = 0;
}

/* The log device has failed: the others' memory must do, or mine. */
void dirty_failed(struct mlog *m)
{
	uint64_t bit;

	requeue(m);
	m->announce_cursor = 0;
	if (!silent(m))
		return;
	m->queued_count = 0;
	bits_for_each_set (bit, m->image, hot_slot_bits(m->hot)) {
		hot_dirty_set(m->hot, bit);
		members_marks_sole(m, bit, true);
	}
}

static struct mlog_message *unmarks_send(struct mlog *m)
{
	struct mlog_message *message = group_send(m, MLOG_MSG_UNMARKS);

	m->unmarks_seq = message->seq;
	return message;
}

void dirty_whole(struct mlog *m)
{
	if (m->config.members > 1 && group_in(m) && member_self(m)->replicated)
		unmarks_send(m)->marks.all = true;
}

void dirty_group_lost(struct mlog *m)
{
	m->unmarks_seq = 0;
	if (m->marks_acks.seq == 0)
		return;
	m->marks_acks = (struct acks){.seq = 0};
	requeue(m);
	m->announce_cursor = 0;
}

void dirty_remember_repair(struct mlog *m)
{
	for (uint64_t r = hot_next_repair(m->hot, 0); r < m->config.region_count;
	     r = hot_next_repair(m->hot, r + 1))
		bits_set(m->taken, r >> m->hot->shift);
}

/* ---- marks by message */

static void announce(struct mlog *m, struct mlog_items *items)
{
	uint64_t bits = hot_slot_bits(m->hot);
	uint64_t at = bits_next_set(m->image, bits, m->announce_cursor);

	while (at < bits && items->count < MLOG_ITEMS_MAX) {
		items->item[items->count++] = at;
		at = bits_next_set(m->image, bits, at + 1);
	}
	m->announce_cursor = at;
}

static void marks_send(struct mlog *m)
{
	struct mlog_message *message = group_send(m, MLOG_MSG_MARKS);
	struct mlog_items *items = &message->marks.items;
	uint32_t count = m->queued_count < MLOG_ITEMS_MAX ? m->queued_count : MLOG_ITEMS_MAX;

	for (uint32_t i = 0; i < count; i++)
		items->item[items->count++] = m->writing[m->writing_count++] = m->queued[i];
	m->queued_count -= count;
	for (uint32_t i = 0; i < m->queued_count; i++)
		m->queued[i] = m->queued[i + count];
	announce(m, items);
	message->marks.all = m->announce_cursor == hot_slot_bits(m->hot);
	m->marks_acks = (struct acks){.seq = message->seq};
}

/* Of two nodes that have parted both may be quorate until one is fenced: a mark that nobody
 * acknowledges proves nothing while somebody is gone, who would read my slot and not find it. (Where
 * there are no slots all is compared then.) */
static bool marks_acknowledged(const struct mlog *m)
{
	return acks_complete(&m->marks_acks) &&
	       (!m->config.has_disk || members_listeners(m) != 0 || !members_unsure(m));
}

static void marks_settle(struct mlog *m)
{
	if (marks_acknowledged(m) ||
	    (m->marks_acks.delivered && mutation(MUTATE_MARKS_NOT_ACKNOWLEDGED))) {
		batch_durable(m);
		m->marks_acks = (struct acks){.seq = 0};
	}
	if (!dirty_replicated(m) || !group_in(m) || m->leaving || m->marks_acks.seq != 0)
		return;
	/* What was queued when there was somebody is answered all the same. */
	if (m->queued_count > 0 || (!silent(m) && m->announce_cursor < hot_slot_bits(m->hot)))
		marks_send(m);
}

void dirty_written(struct mlog *m, uint64_t page, int error)
{
	assert(page < m->slot_pages.count);
	if (error == 0 && m->log == MLOG_LOG_OK)
		page_durable(m, page);
	if (!pages_written(&m->slot_pages, error) || m->log != MLOG_LOG_OK)
		return;
	if (m->slot_pages.error != 0 && !mutation(MUTATE_CLEARED_ON_FAILED_WRITE))
		device_failed(m, m->slot_pages.error);
	else
		batch_durable(m);
}

/*
 * Lazy clears, all of them here: what must be known before a bit leaves the disk has one place to
 * be asked (change tracking, later).
 */
static void unmark(struct mlog *m, uint64_t bit, struct mlog_message **message)
{
	struct mlog_items *items;

	if (silent(m)) {
		members_marks_sole(m, bit, false);
		return;
	}
	if (*message == NULL || (*message)->marks.items.count == MLOG_ITEMS_MAX)
		*message = unmarks_send(m);
	items = &(*message)->marks.items;
	items->item[items->count++] = bit;
}

/* A sweep that sends messages leaves what does not fit into a few of them to the next. */
static bool sweep_full(const struct mlog *m)
{
	return dirty_replicated(m) && m->send_count >= SWEEP_SENDS_MAX;
}

static void sweep(struct mlog *m)
{
	struct mlog_message *unmarks = NULL;
	uint64_t bits = hot_slot_bits(m->hot);
	uint64_t page_bits = slot_page_bits(m);

	for (uint64_t page = 0; page < m->slot_pages.count; page++) {
		uint64_t end = (page + 1) * page_bits < bits ? (page + 1) * page_bits : bits;

		if (m->page_bits[page] == 0)
			continue;
		for (uint64_t bit = hot_next_dirty(m->hot, page * page_bits, end); bit < end;
		     bit = hot_next_dirty(m->hot, bit + 1, end)) {
			if (sweep_full(m))
				break;
			/* One may be on its way all the same: its page was written before the batch
			 * failed, or I have become alone. A mark that joined it would be answered
			 * by what an UNMARKS then undoes. */
			if (hot_recent_take(m->hot, bit) || hot_busy(m->hot, bit) ||
			    on_its_way(m, bit))
				continue;
			if (!hot_dirty_drop(m->hot, bit))
				continue;
			/* I3 */
			invariant(!hot_crash_dirty(m->hot, bit) && !bits_test(m->taken, bit));
			image_clear(m, bit);
			pages_touch(&m->slot_pages, page);
			if (dirty_replicated(m))
				unmark(m, bit, &unmarks);
		}
	}
	m->sweep_ms = m->image_count > 0 ? m->now_ms + m->config.hysteresis_ms : NEVER_MS;
}

/* Not while a release is under way: it has taken the image already. Nor while bits are in it that
 * the others have not heard of: nothing but the slot knows that they are crash-dirty. */
static bool sweep_allowed(const struct mlog *m)
{
	return !m->quiescing && m->operation == DEVICE_NOTHING && group_in(m) && !m->leaving &&
	       m->takeover == TAKEOVER_NONE;
}

void dirty_settle(struct mlog *m)
{
	if (m->now_ms >= m->sweep_ms && sweep_allowed(m))
		sweep(m);
	marks_settle(m);
	/* After LEAVE the slot is about to be somebody else's. */
	if (m->log == MLOG_LOG_OK && m->operation == DEVICE_NOTHING && !m->left &&
	    pages_batch_start(m, &m->slot_pages)) {
		device_writes(m, m->slot);
		batch_collect(m);
	}
}

void dirty_claimed(struct mlog *m)
{
	/* What is on its way to the others need not arrive any more. */
	m->marks_acks = (struct acks){.seq = 0};
	requeue(m);
	batch_collect(m);
	batch_durable(m);
	for (uint64_t page = 0; page < m->slot_pages.count; page++)
		page_durable(m, page);
}

void dirty_add_known(struct mlog *m, uint64_t slot_bit)
{
	image_set(m, slot_bit);
	hot_dirty_set(m->hot, slot_bit);
}

void dirty_reset(struct mlog *m)
{
	sync_tell_over(m);
	hot_reset(m->hot);
	memset(m->gates, 0, sizeof(m->gates)); /* they are open now */
	hot_reported_reset(m->hot);
	bits_fill(m->image, hot_slot_bits(m->hot), false);
	for (uint64_t page = 0; page < m->slot_pages.count; page++)
		m->page_bits[page] = 0;
	m->image_count = 0;
	m->queued_count = 0;
	m->writing_count = 0;
	m->marks_acks = (struct acks){.seq = 0};
	m->announce_cursor = 0;
	m->sweep_ms = NEVER_MS;
}

void dirty_restore(struct mlog *m)
{
	uint64_t bits = hot_slot_bits(m->hot);

	for (uint64_t bit = hot_next_dirty(m->hot, 0, bits); bit < bits;
	     bit = hot_next_dirty(m->hot, bit + 1, bits)) {
		image_set(m, bit);
		if (atomic_load(&m->hot->shared->inheriting) != 0)
			bits_set(m->taken, bit);
	}
	if (mutation(MUTATE_RESTART_FORGETS_MARKS))
		dirty_reset(m);
	/* A mark that was received and not answered: the kernel will repeat it. */
	for (uint64_t r = hot_next_held(m->hot, 0); r < m->hot->regions;
	     r = hot_next_held(m->hot, r + 1))
		dirty_want(m, r);
}

uint64_t dirty_deadline(const struct mlog *m)
{
	return sweep_allowed(m) ? m->sweep_ms : NEVER_MS;
}
