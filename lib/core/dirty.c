/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which of my writes may be in flight. Authority: my slot on the log device (without one, the hot
 * maps). Changed by my kernel's MARK and CLEAR.
 *
 * A slot bit:
 *	clean -MARK-> queued -batch starts-> writing -batch done-> dirty -sweep-> clean
 * Always true: hot dirty implies that the bit is set on disk (I1); image has every bit that is hot
 * dirty, queued or being written; a bit of a region that is held or crash-dirty is never dropped
 *(I3).
 */
#include <stdlib.h>

#include "core/mlog_internal.h"

static uint64_t slot_page_bits(const struct mlog *m)
{
	return (uint64_t)m->config.page_bytes * 8;
}

bool dirty_create(struct mlog *m)
{
	uint64_t bits = hot_slot_bits(m->hot);

	m->sweep_ms = NEVER_MS;
	if (!pages_create(&m->slot, MLOG_AREA_SLOT, bits, m->config.page_bytes))
		return false;
	m->image = calloc(bits_words(bits), sizeof(*m->image));
	m->page_bits = calloc((size_t)m->slot.count, sizeof(*m->page_bits));
	return m->image != NULL && m->page_bits != NULL;
}

void dirty_destroy(struct mlog *m)
{
	free(m->page_bits);
	free(m->image);
	pages_destroy(&m->slot);
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

void dirty_want(struct mlog *m, uint64_t region)
{
	uint64_t bit = region >> m->hot->shift;

	if (hot_dirty(m->hot, region))
		return;
	image_set(m, bit);
	pages_touch(&m->slot, bit / slot_page_bits(m));
	if (!device_waits(m)) {
		hot_dirty_set(m->hot, bit);
		return;
	}
	if (list_has(m->queued, m->queued_count, bit))
		return;
	/* A bit in the batch under way is queued again only if a sweep took it back meanwhile,
	 * which cannot be: the sweep drops only what is hot dirty. */
	if (list_has(m->writing, m->writing_count, bit))
		return;
	assert(m->queued_count < QUEUE_MAX);
	m->queued[m->queued_count++] = bit;
}

/* Moves the queued bits of pages that are no longer waiting to be written into the batch. */
static void batch_collect(struct mlog *m)
{
	uint32_t kept = 0;

	assert(m->writing_count == 0);
	for (uint32_t i = 0; i < m->queued_count; i++) {
		uint64_t bit = m->queued[i];

		if (bits_test(m->slot.dirty, bit / slot_page_bits(m)))
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
		hot_dirty_set(m->hot, m->writing[i]);
	}
	m->writing_count = 0;
}

void dirty_answer_all(struct mlog *m)
{
	batch_durable(m);
	for (uint32_t i = 0; i < m->queued_count; i++)
		hot_dirty_set(m->hot, m->queued[i]);
	m->queued_count = 0;
}

void dirty_written(struct mlog *m, uint64_t page, int error)
{
	assert(page < m->slot.count);
	if (!pages_written(&m->slot, error) || m->log != MLOG_LOG_OK)
		return;
	if (m->slot.error != 0)
		device_failed(m, m->slot.error);
	else
		batch_durable(m);
}

/*
 * Lazy clears, all of them here: what must be known before a bit leaves the disk has one place to
 * be asked (change tracking, later).
 */
static void sweep(struct mlog *m)
{
	uint64_t bits = hot_slot_bits(m->hot);
	uint64_t page_bits = slot_page_bits(m);

	for (uint64_t page = 0; page < m->slot.count; page++) {
		uint64_t end = (page + 1) * page_bits < bits ? (page + 1) * page_bits : bits;

		if (m->page_bits[page] == 0)
			continue;
		for (uint64_t bit = hot_next_dirty(m->hot, page * page_bits, end); bit < end;
		     bit = hot_next_dirty(m->hot, bit + 1, end)) {
			if (hot_recent_take(m->hot, bit) || hot_busy(m->hot, bit))
				continue;
			if (!hot_dirty_drop(m->hot, bit))
				continue;
			image_clear(m, bit);
			pages_touch(&m->slot, page);
		}
	}
	m->sweep_ms = m->image_count > 0 ? m->now_ms + m->config.hysteresis_ms : NEVER_MS;
}

/* Not while a release is under way: it has taken the image already. */
static bool sweep_allowed(const struct mlog *m)
{
	return !m->quiescing && m->operation == DEVICE_NOTHING;
}

void dirty_settle(struct mlog *m)
{
	if (m->now_ms >= m->sweep_ms && sweep_allowed(m))
		sweep(m);
	if (m->log == MLOG_LOG_OK && m->operation == DEVICE_NOTHING &&
	    pages_batch_start(m, &m->slot))
		batch_collect(m);
}

void dirty_claimed(struct mlog *m)
{
	batch_collect(m);
	batch_durable(m);
}

void dirty_add_known(struct mlog *m, uint64_t slot_bit)
{
	image_set(m, slot_bit);
	hot_dirty_set(m->hot, slot_bit);
}

void dirty_reset(struct mlog *m)
{
	hot_reset(m->hot);
	bits_fill(m->image, hot_slot_bits(m->hot), false);
	for (uint64_t page = 0; page < m->slot.count; page++)
		m->page_bits[page] = 0;
	m->image_count = 0;
	m->queued_count = 0;
	m->sweep_ms = NEVER_MS;
}

void dirty_restore(struct mlog *m)
{
	uint64_t bits = hot_slot_bits(m->hot);

	for (uint64_t bit = hot_next_dirty(m->hot, 0, bits); bit < bits;
	     bit = hot_next_dirty(m->hot, bit + 1, bits))
		image_set(m, bit);
	/* A mark that was received and not answered: the kernel will repeat it. */
	for (uint64_t r = hot_next_held(m->hot, 0); r < m->hot->regions;
	     r = hot_next_held(m->hot, r + 1))
		dirty_want(m, r);
}

uint64_t dirty_deadline(const struct mlog *m)
{
	return sweep_allowed(m) ? m->sweep_ms : NEVER_MS;
}
