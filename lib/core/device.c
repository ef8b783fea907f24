/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log device's state. A mirror outlives its log device: when it fails, marks are answered from
 * memory (degraded) and the device is claimed again every retry_ms. One operation at a time:
 *
 *	IDLE -RESUME-> LOADING -> CLAIMING -> OK -POSTSUSPEND-> (release) -> IDLE
 *	                  |           |        |
 *	                  +-----------+--------+--error or time-out--> FAILED -retry-> CLAIMING
 *
 * Always true: nothing is written before a load was answered or given up, and when it was given up
 * every region counts as stale, so that no old mark is needed any more (I2).
 */
#include <errno.h>

#include "core/mlog_internal.h"

bool device_waits(const struct mlog *m)
{
	switch (m->log) {
	case MLOG_LOG_OK:
		return true;
	case MLOG_LOG_LOADING:
	case MLOG_LOG_CLAIMING:
		return !m->degraded;
	default:
		return false;
	}
}

static void operation_start(struct mlog *m, enum device_operation operation)
{
	static const enum mlog_effect_kind kind[] = {
	    [DEVICE_LOAD] = MLOG_LOAD,
	    [DEVICE_CLAIM] = MLOG_CLAIM,
	    [DEVICE_RELEASE] = MLOG_RELEASE,
	};

	assert(m->operation == DEVICE_NOTHING);
	m->operation = operation;
	m->operation_ms = m->now_ms;
	m->late = false;
	effect_add(m, kind[operation]);
}

/* False: it had timed out, and what to do about that has been done. */
static bool operation_end(struct mlog *m, enum device_operation operation)
{
	bool late = m->late;

	assert(m->operation == operation);
	m->operation = DEVICE_NOTHING;
	m->late = false;
	return !late;
}

/* Whole maps are written at no less than about a MiB in a second. */
#define REGIONS_PER_MS 8192U

static bool pages_idle(const struct mlog *m)
{
	return m->slot.in_flight == 0 && m->sync.in_flight == 0;
}

static void truth_set(struct mlog *m, enum mlog_truth truth)
{
	atomic_store(&m->hot->shared->truth, (uint32_t)truth);
}

static void claim_start(struct mlog *m)
{
	m->log = MLOG_LOG_CLAIMING;
	truth_set(m, MLOG_TRUTH_MEMORY);
	pages_forget(&m->slot);
	pages_forget(&m->sync);
	m->sync_due_ms = NEVER_MS;
	operation_start(m, DEVICE_CLAIM);
}

static void attach_done(struct mlog *m)
{
	if (m->phase != MLOG_ATTACHING)
		return;
	m->attached_once = true;
	phase_set(m, MLOG_ACTIVE);
	notice_add(m, MLOG_NOTICE_ATTACHED, m->repair_left);
}

/* The maps are loaded: what is crash-dirty keeps its slot bit until it is repaired. */
static void maps_loaded(struct mlog *m)
{
	repair_load(m);
	for (uint64_t r = hot_next_repair(m->hot, 0); r < m->hot->regions;
	     r = hot_next_repair(m->hot, r + 1))
		dirty_add_known(m, r >> m->hot->shift);
}

static void attach_memory(struct mlog *m)
{
	if (!m->attached_once) {
		dirty_reset(m);
		sync_load(m, m->inherited.in_sync != NULL ? &m->inherited : NULL);
	}
	sync_restart(m);
	maps_loaded(m);
}

void device_attach(struct mlog *m)
{
	bool memory = !m->config.has_disk || m->inherited.in_sync != NULL ||
		      atomic_load(&m->hot->shared->truth) == MLOG_TRUTH_MEMORY;

	phase_set(m, MLOG_ATTACHING);
	if (memory)
		attach_memory(m);
	if (!m->config.has_disk) {
		attach_done(m);
	} else if (m->operation != DEVICE_NOTHING || !pages_idle(m)) {
		/* An operation that timed out is still out there; the mirror does not wait for it.
		 */
		device_failed(m, -ETIMEDOUT);
	} else if (memory) {
		claim_start(m);
	} else {
		m->log = MLOG_LOG_LOADING;
		operation_start(m, DEVICE_LOAD);
	}
}

/* whole: handed over by a daemon that was quiet, so the device has what the maps have and is ours.
 */
void device_restore(struct mlog *m, bool whole)
{
	if (whole) {
		m->log = MLOG_LOG_OK;
		sync_write_all(m);
		return;
	}
	m->restoring = true;
	m->log = MLOG_LOG_LOADING;
	operation_start(m, DEVICE_LOAD);
}

/* Bits on disk that the hot maps do not know were cleared lazily, or marked and never answered. */
static void restore_merge(struct mlog *m, const struct mlog_history *h)
{
	uint64_t bit;

	if (h->load != MLOG_LOAD_CRASHED || h->region_count != m->config.region_count ||
	    h->region_sectors != m->config.region_sectors || h->shift != m->hot->shift)
		return;
	bits_for_each_set (bit, h->dirty, hot_slot_bits(m->hot))
		dirty_add_known(m, bit);
}

static void load_failed(struct mlog *m, int error)
{
	if (!m->restoring) {
		dirty_reset(m);
		sync_load_unknown(m);
		maps_loaded(m);
	}
	m->restoring = false;
	device_failed(m, error);
}

void device_loaded(struct mlog *m, int error, const struct mlog_history *history)
{
	if (!operation_end(m, DEVICE_LOAD))
		return;
	if (error != 0) {
		load_failed(m, error);
		return;
	}
	if (m->restoring) {
		restore_merge(m, history);
	} else {
		dirty_reset(m);
		sync_load(m, history);
		maps_loaded(m);
	}
	m->restoring = false;
	claim_start(m);
}

void device_claimed(struct mlog *m, int error)
{
	if (!operation_end(m, DEVICE_CLAIM))
		return;
	if (error != 0) {
		device_failed(m, error);
		return;
	}
	m->log = MLOG_LOG_OK;
	dirty_claimed(m);
	attach_done(m);
}

static void detach_done(struct mlog *m, bool released)
{
	if (m->phase != MLOG_DETACHING)
		return;
	truth_set(m, released ? MLOG_TRUTH_DEVICE : MLOG_TRUTH_MEMORY);
	if (released) {
		m->log = MLOG_LOG_IDLE;
		m->degraded = false;
		dirty_reset(m);
	}
	phase_set(m, MLOG_SUSPENDED);
	notice_add(m, MLOG_NOTICE_DETACHED, 0);
}

void device_released(struct mlog *m, int error)
{
	if (!operation_end(m, DEVICE_RELEASE))
		return;
	if (error != 0)
		device_failed(m, error);
	else
		detach_done(m, true);
}

void device_failed(struct mlog *m, int error)
{
	if (!m->degraded)
		notice_add(m, MLOG_NOTICE_LOG_FAILED, (uint64_t)-error);
	m->log = MLOG_LOG_FAILED;
	m->degraded = true;
	m->retry_ms = m->now_ms + m->config.retry_ms;
	dirty_answer_all(m);
	attach_done(m);
	detach_done(m, false);
}

void device_detach(struct mlog *m)
{
	hot_held_reset(m->hot);
	repair_stop(m);
	phase_set(m, MLOG_DETACHING);
}

static void check_timeout(struct mlog *m)
{
	enum device_operation operation = m->operation;

	if (device_deadline(m) > m->now_ms || m->log == MLOG_LOG_FAILED)
		return;
	if (operation != DEVICE_NOTHING)
		m->late = true;
	if (operation == DEVICE_LOAD)
		load_failed(m, -ETIMEDOUT);
	else
		device_failed(m, -ETIMEDOUT);
}

static bool copies_moving(const struct mlog *m)
{
	return m->copy_count > 0;
}

void device_settle(struct mlog *m)
{
	bool idle = m->operation == DEVICE_NOTHING && pages_idle(m);

	if (!m->config.has_disk) {
		if (m->phase == MLOG_DETACHING && !copies_moving(m))
			detach_done(m, false);
		return;
	}
	check_timeout(m);
	if (m->phase == MLOG_DETACHING && !copies_moving(m)) {
		if (m->log == MLOG_LOG_FAILED)
			detach_done(m, false);
		else if (idle && m->log == MLOG_LOG_OK) {
			/* A release writes everything. */
			pages_forget(&m->slot);
			pages_forget(&m->sync);
			m->sync_due_ms = NEVER_MS;
			operation_start(m, DEVICE_RELEASE);
		}
	} else if (m->log == MLOG_LOG_FAILED && idle && m->now_ms >= m->retry_ms && !m->quiescing &&
		   (m->phase == MLOG_ACTIVE || m->phase == MLOG_SUSPENDING)) {
		claim_start(m);
	} else if (m->log == MLOG_LOG_OK && m->degraded && idle && m->slot.dirty_count == 0) {
		m->degraded = false;
		notice_add(m, MLOG_NOTICE_LOG_OK, 0);
	}
}

uint64_t device_deadline(const struct mlog *m)
{
	uint64_t at = NEVER_MS;

	if (!m->config.has_disk)
		return at;
	if (m->log == MLOG_LOG_FAILED) {
		bool serving =
		    !m->quiescing && (m->phase == MLOG_ACTIVE || m->phase == MLOG_SUSPENDING);

		return serving && m->operation == DEVICE_NOTHING && pages_idle(m) ? m->retry_ms
										  : at;
	}
	if (m->operation != DEVICE_NOTHING && !m->late)
		at = m->operation_ms + m->config.log_timeout_ms +
		     m->config.region_count / REGIONS_PER_MS;
	if (m->slot.in_flight > 0)
		at = min_ms(at, m->slot.started_ms + m->config.log_timeout_ms);
	if (m->sync.in_flight > 0)
		at = min_ms(at, m->sync.started_ms + m->config.log_timeout_ms);
	return at;
}
