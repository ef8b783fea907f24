/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the mover does: crash-dirty regions first, then the regions of a verify. A region on its
 *way:
 *
 *	arm: close the gate -> quiet now? -------------------------> moving: COPY is out
 *	        |                ^
 *	        +- armed: wait --+ its CLEAR came, or the kernel waits for a MARK of it
 *	              |
 *	              +- ARMED_MS without either: the gate opens, another time
 *
 * Always true: a region is moving only while its gate is closed and no write of it is in flight; it
 *is in sync and not being recovered by the kernel (I6). While other I/O goes on, the next region
 *starts busy_gap_ms after the last.
 */
#include "core/mlog_internal.h"

void repair_load(struct mlog *m)
{
	m->repair_left = hot_recount(m->hot);
	m->repair_cursor = 0;
	m->repair_retry_ms = 0;
	m->repair_differed = 0;
}

void repair_done(struct mlog *m, uint64_t region)
{
	if (!hot_repair(m->hot, region))
		return;
	assert(m->repair_left > 0);
	hot_repair_set(m->hot, region, false);
	if (--m->repair_left == 0)
		notice_add(m, MLOG_NOTICE_REPAIRED, m->repair_differed);
}

/* To be repaired when there is a chance: what a verify could not do now. */
static void repair_add(struct mlog *m, uint64_t region)
{
	if (hot_repair(m->hot, region))
		return;
	hot_repair_set(m->hot, region, true);
	m->repair_left++;
	dirty_want(m, region);
}

static void copy_end(struct mlog *m, struct copy *c)
{
	c->used = false;
	m->copy_count--;
	hot_gate_open(m->hot, c->region);
}

static void copy_move(struct mlog *m, struct copy *c)
{
	struct mlog_effect *effect = effect_add(m, MLOG_COPY);

	c->moving = true;
	effect->copy.region = c->region;
	effect->copy.mode = c->verify && !m->verify_repair ? MLOG_COPY_COMPARE : MLOG_COPY_REPAIR;
}

static bool copy_quiet(const struct mlog *m, const struct copy *c)
{
	return !hot_held(m->hot, c->region) || request_waits_for(m, c->region);
}

static void copy_arm(struct mlog *m, uint64_t region, bool verify)
{
	/* Asked before the gate closes, because it also checks that no such MARK could be answered
	 * by now: a responder that met its repetition may have let the write go. */
	bool waits = request_waits_for(m, region);
	struct copy *c = m->copy;

	while (c->used)
		c++;
	assert(c < m->copy + MLOG_COPIES_MAX);
	*c = (struct copy){.region = region, .used = true, .verify = verify, .armed_ms = m->now_ms};
	m->copy_count++;
	if (hot_gate_close(m->hot, region) || waits)
		copy_move(m, c);
}

/* The region found no quiet moment, or the mirror is being suspended. */
static void copy_give_up(struct mlog *m, struct copy *c, bool suspended)
{
	copy_end(m, c);
	if (!c->verify || !m->verifying)
		return;
	if (suspended)
		m->verify_cursor = min_ms(m->verify_cursor, c->region);
	else if (m->verify_repair)
		repair_add(m, c->region);
	else
		m->verify_skipped++;
}

void repair_stop(struct mlog *m)
{
	for (uint32_t i = 0; i < MLOG_COPIES_MAX; i++)
		if (m->copy[i].used && !m->copy[i].moving)
			copy_give_up(m, &m->copy[i], true);
}

static void verify_result(struct mlog *m, uint64_t region, enum mlog_copy_result result)
{
	switch (result) {
	case MLOG_COPY_SAME:
		break;
	case MLOG_COPY_REPAIRED:
		m->verify_repaired++;
		/* fall through */
	case MLOG_COPY_DIFFERED:
		m->verify_differed++;
		if (m->verify_listed < VERIFY_LIST_MAX)
			m->verify_region[m->verify_listed++] = region;
		break;
	case MLOG_COPY_LATER:
		m->verify_cursor = min_ms(m->verify_cursor, region);
		break;
	case MLOG_COPY_ERROR:
		m->verify_skipped++;
		if (m->verify_repair)
			repair_add(m, region);
		break;
	}
}

void repair_copied(struct mlog *m, uint64_t region, enum mlog_copy_result result)
{
	struct copy *c = NULL;

	for (uint32_t i = 0; i < MLOG_COPIES_MAX; i++)
		if (m->copy[i].used && m->copy[i].moving && m->copy[i].region == region)
			c = &m->copy[i];
	assert(c != NULL);
	copy_end(m, c);
	if (c->verify && m->verifying)
		verify_result(m, region, result);
	if (result == MLOG_COPY_ERROR) {
		notice_add(m, MLOG_NOTICE_COPY_FAILED, region);
		m->repair_retry_ms = m->now_ms + m->config.retry_ms;
		m->next_copy_ms = m->now_ms + m->config.busy_gap_ms;
	}
	if (result == MLOG_COPY_LATER) {
		m->next_copy_ms = m->now_ms + LATER_MS;
		m->repair_retry_ms = m->next_copy_ms;
		m->repair_cursor = min_ms(m->repair_cursor, region);
	}
	if (result == MLOG_COPY_REPAIRED && !c->verify)
		m->repair_differed++;
	if (result == MLOG_COPY_REPAIRED || result == MLOG_COPY_SAME)
		repair_done(m, region);
}

/* Next crash-dirty region, or region_count. After the last, those that failed or were busy again.
 */
static uint64_t next_repair(struct mlog *m)
{
	uint64_t none = m->config.region_count;

	while (m->repair_left > 0 && m->now_ms >= m->repair_retry_ms) {
		uint64_t region = hot_next_repair(m->hot, m->repair_cursor);

		if (region == none) {
			m->repair_cursor = 0;
			m->repair_retry_ms =
			    m->now_ms +
			    (m->config.retry_ms < ARMED_MS ? m->config.retry_ms : ARMED_MS);
			return none;
		}
		m->repair_cursor = region + 1;
		if (hot_in_sync(m->hot, region) && !hot_gated(m->hot, region))
			return region;
	}
	return none;
}

static uint64_t next_verify(struct mlog *m)
{
	uint64_t none = m->config.region_count;

	while (m->verifying && m->verify_cursor < none && m->queued_count < VERIFY_QUEUED_MAX) {
		uint64_t region = m->verify_cursor++;

		if (!hot_in_sync(m->hot, region))
			m->verify_skipped++;
		else if (!hot_gated(m->hot, region))
			return region;
	}
	return none;
}

static void verify_settle(struct mlog *m)
{
	if (!m->verifying || m->verify_cursor < m->config.region_count)
		return;
	for (uint32_t i = 0; i < MLOG_COPIES_MAX; i++)
		if (m->copy[i].used && m->copy[i].verify)
			return;
	m->verifying = false;
	notice_add(m, MLOG_NOTICE_VERIFIED, m->verify_differed);
}

static void armed_settle(struct mlog *m)
{
	for (uint32_t i = 0; i < MLOG_COPIES_MAX; i++) {
		struct copy *c = &m->copy[i];

		if (!c->used || c->moving)
			continue;
		if (copy_quiet(m, c))
			copy_move(m, c);
		else if (m->now_ms >= c->armed_ms + ARMED_MS)
			copy_give_up(m, c, false);
	}
}

void repair_settle(struct mlog *m)
{
	armed_settle(m);
	if (m->phase != MLOG_ACTIVE || m->quiescing)
		return;
	while (m->copy_count < m->config.copies && m->now_ms >= m->next_copy_ms) {
		uint64_t activity = atomic_load(&m->hot->shared->activity);
		uint64_t region = next_repair(m);
		bool verify = region == m->config.region_count;

		if (verify)
			region = next_verify(m);
		if (region == m->config.region_count)
			break;
		copy_arm(m, region, verify);
		if (activity != m->activity_seen)
			m->next_copy_ms = m->now_ms + m->config.busy_gap_ms;
		m->activity_seen = activity;
	}
	verify_settle(m);
}

void verify_start(struct mlog *m, bool repair)
{
	m->verifying = true;
	m->verify_repair = repair;
	m->verify_cursor = 0;
	m->verify_skipped = 0;
	m->verify_differed = 0;
	m->verify_repaired = 0;
	m->verify_listed = 0;
}

void verify_stop(struct mlog *m)
{
	m->verifying = false;
}

uint64_t repair_deadline(const struct mlog *m)
{
	uint64_t at = NEVER_MS;

	for (uint32_t i = 0; i < MLOG_COPIES_MAX; i++)
		if (m->copy[i].used && !m->copy[i].moving)
			at = min_ms(at, m->copy[i].armed_ms + ARMED_MS);
	if (m->phase != MLOG_ACTIVE || m->quiescing || m->copy_count >= m->config.copies)
		return at;
	if (m->verifying && m->verify_cursor < m->config.region_count &&
	    m->queued_count < VERIFY_QUEUED_MAX)
		at = min_ms(at, m->next_copy_ms);
	if (m->repair_left > 0)
		at = min_ms(at, m->repair_retry_ms > m->next_copy_ms ? m->repair_retry_ms
								     : m->next_copy_ms);
	return at;
}
