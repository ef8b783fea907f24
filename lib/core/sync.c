/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which regions are in sync, and which of the others the kernel may recover. The map itself is hot
 * (responders read it); here is who changes it, and its way to the log device: lazily when a region
 * became in sync (a crash in between costs one more copy of it), at once when one became stale.
 */
#include <stdlib.h>

#include "core/mlog_internal.h"

bool sync_create(struct mlog *m)
{
	m->sync_due_ms = NEVER_MS;
	m->recovering = m->config.region_count;
	return pages_create(&m->sync, MLOG_AREA_SYNC, m->config.region_count, m->config.page_bytes);
}

void sync_destroy(struct mlog *m)
{
	pages_destroy(&m->sync);
}

static uint64_t sync_page(const struct mlog *m, uint64_t region)
{
	return region / ((uint64_t)m->config.page_bytes * 8);
}

static bool sync_full(const struct mlog *m)
{
	return atomic_load(&m->hot->shared->in_sync_count) == m->config.region_count;
}

void sync_set(struct mlog *m, uint64_t region, bool in_sync)
{
	bool changed = hot_in_sync(m->hot, region) != in_sync;

	if (region == m->recovering)
		m->recovering = m->config.region_count;
	if (in_sync)
		repair_done(m, region); /* the kernel has copied all of it */
	if (!changed)
		return;
	hot_in_sync_set(m->hot, region, in_sync);
	if (m->config.has_disk) {
		pages_touch(&m->sync, sync_page(m, region));
		m->sync_due_ms = min_ms(m->sync_due_ms, in_sync && !sync_full(m)
							    ? m->now_ms + m->config.sync_delay_ms
							    : m->now_ms);
	}
	if (in_sync && sync_full(m))
		notice_add(m, MLOG_NOTICE_IN_SYNC, 0);
	if (!in_sync)
		notice_add(m, MLOG_NOTICE_LEG_FAILED, region);
}

bool sync_durable(const struct mlog *m, uint64_t region)
{
	(void)region;
	return m->log != MLOG_LOG_OK || (m->sync.in_flight == 0 && m->sync.dirty_count == 0);
}

void sync_settle(struct mlog *m)
{
	if (m->log != MLOG_LOG_OK || m->operation != DEVICE_NOTHING || m->now_ms < m->sync_due_ms)
		return;
	if (pages_batch_start(m, &m->sync) && m->sync.dirty_count == 0)
		m->sync_due_ms = NEVER_MS;
}

void sync_written(struct mlog *m, int error)
{
	if (!pages_written(&m->sync, error) || m->log != MLOG_LOG_OK)
		return;
	if (m->sync.error != 0)
		device_failed(m, m->sync.error);
}

void sync_wait_noted(struct mlog *m, uint64_t region)
{
	for (uint32_t i = 0; i < m->priority_count; i++)
		if (m->priority[i] == region)
			return;
	if (m->priority_count < PRIORITY_MAX)
		m->priority[m->priority_count++] = region;
}

/* May the kernel be told to recover region? Not while the mover has it: both would write it. */
static bool recoverable(const struct mlog *m, uint64_t region)
{
	return !hot_in_sync(m->hot, region) && !hot_gated(m->hot, region);
}

uint64_t sync_work(struct mlog *m)
{
	uint64_t none = m->config.region_count;

	if (m->phase != MLOG_ACTIVE)
		return none;
	if (m->recovering != none)
		return m->recovering; /* asked again: the reply was lost */
	while (m->priority_count > 0 && m->recovering == none) {
		uint64_t region = m->priority[0];

		m->priority_count--;
		for (uint32_t i = 0; i < m->priority_count; i++)
			m->priority[i] = m->priority[i + 1];
		if (recoverable(m, region))
			m->recovering = region;
	}
	/*
	 * Each region is offered once per attach, as the kernel's own logs do: a region whose
	 * recovery failed would otherwise come back at once and for ever.
	 */
	if (m->recovering == none) {
		uint64_t region = hot_next_stale(m->hot, m->resync_cursor);

		if (region < none && recoverable(m, region)) {
			m->recovering = region;
			m->resync_cursor = region + 1;
		}
	}
	return m->recovering;
}

/* Bit of an old bitmap for the range [first, end) in sectors: set in all (in_sync) or any (dirty).
 */
static bool history_in_sync(const struct mlog_history *h, uint64_t first, uint64_t end, bool beyond)
{
	for (uint64_t at = first; at < end; at = (at / h->region_sectors + 1) * h->region_sectors) {
		uint64_t region = at / h->region_sectors;

		if (region >= h->region_count ? !beyond : !bits_test(h->in_sync, region))
			return false;
	}
	return true;
}

/* 64 regions of today from the history, region by region. */
static uint64_t history_word(const struct mlog *m, const struct mlog_history *h, uint64_t word,
			     bool unknown)
{
	uint64_t size = m->config.region_sectors;
	uint64_t first = word * BITS_PER_WORD;
	uint64_t value = 0;

	for (uint64_t r = first; r < first + BITS_PER_WORD && r < m->config.region_count; r++)
		if (history_in_sync(h, r * size, (r + 1) * size, unknown))
			value |= bits_mask(r);
	return value;
}

/* Whole words where the region size is the same: below the old end they are copied, above it
 * nothing is known. A mirror may have a hundred million regions. */
static void load_in_sync(struct mlog *m, const struct mlog_history *h, bool unknown)
{
	bool same = h->region_sectors == m->config.region_sectors;

	for (uint64_t w = 0; w < bits_words(m->config.region_count); w++) {
		if (same && (w + 1) * BITS_PER_WORD <= h->region_count)
			hot_in_sync_put(m->hot, w, h->in_sync[w]);
		else if (same && w * BITS_PER_WORD >= h->region_count)
			hot_in_sync_put(m->hot, w, unknown ? ~UINT64_C(0) : 0);
		else
			hot_in_sync_put(m->hot, w, history_word(m, h, w, unknown));
	}
}

static void load_all(struct mlog *m, bool in_sync)
{
	for (uint64_t w = 0; w < bits_words(m->config.region_count); w++)
		hot_in_sync_put(m->hot, w, in_sync ? ~UINT64_C(0) : 0);
}

static void load_repair(struct mlog *m, const struct mlog_history *h)
{
	uint64_t old_bits = (h->region_count + (UINT64_C(1) << h->shift) - 1) >> h->shift;
	uint64_t sectors = h->region_sectors << h->shift;
	uint64_t bit;

	bits_for_each_set (bit, h->dirty, old_bits) {
		uint64_t first = bit * sectors / m->config.region_sectors;
		uint64_t end = ((bit + 1) * sectors - 1) / m->config.region_sectors + 1;

		for (uint64_t r = first; r < end && r < m->config.region_count; r++)
			if (hot_in_sync(m->hot, r))
				hot_repair_set(m->hot, r, true);
	}
}

static void repair_none(struct mlog *m)
{
	for (uint64_t w = 0; w < bits_words(m->config.region_count); w++)
		hot_repair_put(m->hot, w, 0);
}

void sync_load_unknown(struct mlog *m)
{
	repair_none(m);
	load_all(m, false);
	sync_restart(m);
}

/* dirty_reset() has been called; repair is what the history says. */
void sync_load(struct mlog *m, const struct mlog_history *h)
{
	bool nosync = m->config.sync == MLOG_SYNC_NOSYNC;
	bool force = m->config.sync == MLOG_SYNC_FORCE && !m->attached_once;

	repair_none(m);
	if (h == NULL || h->load == MLOG_LOAD_BLANK || force)
		load_all(m, nosync);
	else
		load_in_sync(m, h, nosync);
	/* A device that had failed may say anything, also that nothing happened since. */
	if (h != NULL && h->distrust) {
		for (uint64_t w = 0; w < bits_words(m->config.region_count); w++)
			hot_repair_put(m->hot, w, hot_in_sync_word(m->hot, w));
	} else if (h != NULL && h->load == MLOG_LOAD_CRASHED && !force) {
		load_repair(m, h);
	}
	sync_restart(m);
}

void sync_restart(struct mlog *m)
{
	m->resync_cursor = 0;
	m->recovering = m->config.region_count;
	m->priority_count = 0;
}

void sync_write_all(struct mlog *m)
{
	for (uint64_t page = 0; page < m->sync.count; page++)
		pages_touch(&m->sync, page);
	m->sync_due_ms = m->now_ms + m->config.sync_delay_ms;
}

uint64_t sync_deadline(const struct mlog *m)
{
	bool free =
	    m->log == MLOG_LOG_OK && m->operation == DEVICE_NOTHING && m->sync.in_flight == 0;

	return free ? m->sync_due_ms : NEVER_MS;
}
