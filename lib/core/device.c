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
 * every region counts as stale or crash-dirty, so that no old mark is needed any more (I2). What is
 * written, its lock is here (I4).
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

/* The whole log, or my slot of it? Who has others beside itself claims its slot first, so that a
 * device that does not know us any more is found to be one, and the others hear of it. */
static bool operation_whole(const struct mlog *m)
{
	if (m->operation == DEVICE_RELEASE)
		return m->left_last;
	if (m->operation == DEVICE_LOAD)
		return m->founder && !m->foreign && sync_map_writer(m);
	if (m->left)
		return false; /* what others have in their slots, I have not been told */
	return sync_map_writer(m) && (m->device_new || !group_in(m) || members_alone(m));
}

/* A slot, or the in-sync map (MLOG_LOCK_MAP), is about to be written. */
void device_writes(const struct mlog *m, uint32_t lock)
{
	/* I4. A lock that is to be released is there until what is on its way has arrived. */
	invariant(m->config.members == 1 || m->lock[lock] == LOCK_HELD);
	invariant(m->slot_known); /* I2 */
}

static void operation_start(struct mlog *m, enum device_operation operation)
{
	static const enum mlog_effect_kind kind[] = {
	    [DEVICE_LOAD] = MLOG_LOAD,
	    [DEVICE_CLAIM] = MLOG_CLAIM,
	    [DEVICE_RELEASE] = MLOG_RELEASE,
	};

	struct mlog_effect *effect;

	assert(m->operation == DEVICE_NOTHING);
	m->operation = operation;
	m->operation_ms = m->now_ms;
	m->late = false;
	m->written_slot = m->slot;
	effect = effect_add(m, kind[operation]);
	m->operation_whole = operation_whole(m);
	effect->log.slot = m->slot;
	effect->log.whole = m->operation_whole;
	if (operation == DEVICE_LOAD)
		return;
	device_writes(m, m->slot);
	if (m->operation_whole)
		device_writes(m, MLOG_LOCK_MAP);
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
	return m->slot_pages.in_flight == 0 && m->sync.in_flight == 0;
}

bool device_idle(const struct mlog *m)
{
	return m->operation == DEVICE_NOTHING && pages_idle(m);
}

static void truth_set(struct mlog *m, enum mlog_truth truth)
{
	atomic_store(&m->hot->shared->truth, (uint32_t)truth);
}

static void claim_start(struct mlog *m)
{
	m->log = MLOG_LOG_CLAIMING;
	/* It was told while I had no device, or this is another one. */
	if (m->degraded || m->founder)
		dirty_keep_repair(m);
	pages_forget(&m->slot_pages);
	pages_forget(&m->sync);
	m->sync_due_ms = NEVER_MS;
	operation_start(m, DEVICE_CLAIM);
}

void attach_done(struct mlog *m)
{
	if (m->phase != MLOG_ATTACHING)
		return;
	m->attached_once = true;
	if (m->config.has_disk)
		truth_set(m, MLOG_TRUTH_MEMORY);
	phase_set(m, MLOG_ACTIVE);
	notice_add(m, MLOG_NOTICE_ATTACHED, m->repair_left);
}

/* The maps are loaded: what is crash-dirty keeps its slot bit until it is repaired. */
static void maps_loaded(struct mlog *m)
{
	repair_load(m);
	members_bound_known(m);
	members_changed(m);
	for (uint64_t r = hot_next_repair(m->hot, 0); r < m->hot->regions;
	     r = hot_next_repair(m->hot, r + 1))
		dirty_inherit(m, r >> m->hot->shift);
}

static void attach_memory(struct mlog *m)
{
	if (!m->attached_once || m->inherited.in_sync != NULL) {
		dirty_reset(m);
		sync_load(m, m->inherited.in_sync != NULL ? &m->inherited : NULL, false);
	} else if (atomic_load(&m->hot->shared->truth) != MLOG_TRUTH_MEMORY || m->outdone) {
		dirty_reset(m);
		sync_load_unknown(m); /* others were there after me */
	}
	sync_restart(m);
	maps_loaded(m);
	m->slot_known = true; /* better than the device knows it */
}

static void load_failed(struct mlog *m, int error);

/* Another operation that timed out may still be out there; the mirror does not wait for it. */
static void load_start(struct mlog *m)
{
	if (!device_idle(m)) {
		load_failed(m, -ETIMEDOUT);
		return;
	}
	m->log = MLOG_LOG_LOADING;
	operation_start(m, DEVICE_LOAD);
}

/* The founder has the map's lock and looks for the slots of others. */
void device_load(struct mlog *m)
{
	m->restoring = m->live;
	load_start(m);
}

/* A member: the maps are those of the others; what my slot holds is from an earlier life. */
static void attach_joiner(struct mlog *m)
{
	if (!m->config.has_disk)
		group_device_done(m);
	else if (mutation(MUTATE_SLOT_NOT_READ))
		claim_start(m);
	else
		load_start(m);
}

static void attach_founder(struct mlog *m)
{
	bool memory = !m->config.has_disk || m->inherited.in_sync != NULL ||
		      atomic_load(&m->hot->shared->truth) == MLOG_TRUTH_MEMORY;

	if (memory)
		attach_memory(m);
	if (!m->config.has_disk)
		group_device_done(m);
	else if (m->log == MLOG_LOG_FAILED)
		group_device_done(m); /* it did not come to a load */
	else if ((m->loaded || (memory && device_idle(m))) && !m->foreign)
		claim_start(m);
	else
		load_start(m);
}

/* The maps are an earlier daemon's. Nobody waits for the device. */
static void attach_live(struct mlog *m)
{
	bool whole = m->handed_whole;

	m->handed_whole = false;
	m->slot_known = m->slot_known || whole;
	/* What the others had marked was in the last daemon's memory. */
	if (m->founder && !m->handed && !m->config.has_disk && m->config.members > 1)
		m->taken_all = true;
	if (m->founder && (m->mangled || m->missed) && !m->config.has_disk)
		sync_load_unknown(m); /* half of another's state is in the maps, or an old one */
	repair_load(m);
	members_bound_known(m);
	members_changed(m);
	if (m->config.has_disk && whole && m->config.members == 1) {
		m->log = MLOG_LOG_OK;
	} else if (m->config.has_disk && (whole || m->loaded)) {
		/* It may be another device by now, which others have in use already. */
		if (m->log != MLOG_LOG_FAILED)
			claim_start(m);
	} else if (m->config.has_disk) {
		m->restoring = true;
		load_start(m);
	}
	dirty_restore(m);
	group_device_done(m);
}

/* My slot's lock is mine. */
void device_attach(struct mlog *m)
{
	if (m->live)
		attach_live(m);
	else if (m->founder)
		attach_founder(m);
	else
		attach_joiner(m);
	m->loaded = false;
}

/* The others may have found a new device while I was away. A founder has read it. */
void device_rejoin(struct mlog *m)
{
	bool read = m->log == MLOG_LOG_LOADING;

	if ((read || (m->log == MLOG_LOG_OK && !m->degraded)) && device_idle(m))
		claim_start(m);
	else
		group_device_done(m);
}

/* Bits on disk that the hot maps do not know were cleared lazily, or marked and never answered; or
 * they are another's, when all slots were read. */
static void restore_merge(struct mlog *m, const struct mlog_history *h)
{
	uint64_t bit;

	if (h->load != MLOG_LOAD_CRASHED || h->region_count != m->config.region_count ||
	    h->region_sectors != m->config.region_sectors || h->shift != m->hot->shift ||
	    h->dirty == NULL)
		return;
	bits_for_each_set (bit, h->dirty, hot_slot_bits(m->hot))
		dirty_inherit(m, bit);
	/* What others have called stale while I was away, and have left. */
	if (m->group == GROUP_FOUNDING) {
		sync_load_beside(m, h);
		maps_loaded(m);
	}
}

/* In my slot with the claim: should I die before all have heard it, my heir tells it. */
static void take_all(struct mlog *m)
{
	m->taken_all = true;
	for (uint64_t bit = 0; bit < hot_slot_bits(m->hot); bit++)
		dirty_inherit(m, bit);
}

/* My slot, of an earlier life: everybody must hear what is crash-dirty before I am one of them. */
static void joiner_loaded(struct mlog *m, const struct mlog_history *h)
{
	uint64_t bit;

	if (mutation(MUTATE_ATTACH_IGNORES_SLOT))
		return;
	/* Whatever it holds: the device had failed me, and what I knew then is nowhere. */
	if (h->distrust)
		take_all(m);
	if (h->distrust || h->load != MLOG_LOAD_CRASHED || h->dirty == NULL)
		return;
	if (h->region_count != m->config.region_count ||
	    h->region_sectors != m->config.region_sectors || h->shift != m->hot->shift) {
		take_all(m);
		return;
	}
	bits_for_each_set (bit, h->dirty, hot_slot_bits(m->hot)) {
		bits_set(m->taken, bit);
		dirty_add_known(m, bit);
	}
}

static void load_failed(struct mlog *m, int error)
{
	bool first = m->group == GROUP_FOUNDING;

	m->slot_known = true; /* anything may have been in it */
	if (!m->restoring && m->founder) {
		dirty_reset(m);
		sync_load_unknown(m);
		maps_loaded(m);
	} else if (!m->restoring) {
		m->taken_all = true;
	}
	m->restoring = false;
	device_failed(m, error);
	m->loaded = first;
	if (first)
		found_loaded(m, NULL);
}

/* Where the maps were left as the truth the device does not have all of it, but it may have what
 * others did since: both count. */
static void founder_loaded(struct mlog *m, const struct mlog_history *h)
{
	bool memory = m->attached_once && m->inherited.in_sync == NULL &&
		      atomic_load(&m->hot->shared->truth) == MLOG_TRUTH_MEMORY;

	if (memory)
		dirty_remember_repair(m);
	dirty_reset(m);
	sync_load(m, h, memory);
	members_taken(m);
	maps_loaded(m);
}

void device_loaded(struct mlog *m, int error, const struct mlog_history *history)
{
	if (!operation_end(m, DEVICE_LOAD) || m->outdated)
		return;
	if (error == -ESTALE && m->group == GROUP_FOUNDING && !m->live &&
	    !mutation(MUTATE_OUTDATED_SERVED)) {
		group_outdated(m);
		return;
	}
	if (error != 0) {
		load_failed(m, error);
		return;
	}
	m->slot_known = true;
	if (m->restoring && m->mangled && m->founder) {
		sync_load(m, history, false);
		maps_loaded(m);
	} else if (m->restoring) {
		restore_merge(m, history);
	} else if (m->founder && m->foreign && m->group != GROUP_FOUNDING) {
		m->foreign = false;
		joiner_loaded(m, history);
		members_taken(m);
	} else if (m->founder) {
		founder_loaded(m, history);
	} else {
		joiner_loaded(m, history);
	}
	m->restoring = false;
	if (m->group == GROUP_FOUNDING) {
		m->loaded = true;
		found_loaded(m, history);
	} else if (m->left) {
		m->log = MLOG_LOG_IDLE; /* its locks are not mine any more */
	} else {
		claim_start(m);
	}
}

void device_claimed(struct mlog *m, int error)
{
	if (!operation_end(m, DEVICE_CLAIM) || m->outdated)
		return;
	if (error != 0) {
		/* Nor was it mine, and what my slot held is nowhere. */
		if (error == -ESTALE && m->group == GROUP_LOADING && !m->live)
			m->taken_all = true;
		device_failed(m, error);
		/* Not ours any more: who writes its map is to begin anew, then the others. */
		if (error == -ESTALE && group_in(m) && !m->leaving) {
			m->device_new = true;
			m->lost_sent = true;
			group_send(m, MLOG_MSG_LOST);
		}
		return;
	}
	m->log = MLOG_LOG_OK;
	m->device_new = false;
	m->map_whole = !m->operation_whole;
	dirty_claimed(m);
	if (!m->degraded)
		dirty_whole(m);
	group_device_done(m);
}

/* The others may not have heard that it is another one: I find it out once more. */
void device_group_lost(struct mlog *m)
{
	m->device_new = false;
	m->lost_sent = false;
}

static void detach_done(struct mlog *m, bool released)
{
	enum mlog_truth truth = m->config.has_disk ? MLOG_TRUTH_DEVICE : MLOG_TRUTH_NONE;

	if (m->phase != MLOG_DETACHING || !m->left)
		return;
	if ((m->left_last && !released) || m->left_keeping)
		truth = MLOG_TRUTH_MEMORY;
	else if (m->config.has_disk && !m->left_last &&
		 (m->degraded || members_replicated(m) || peers_ahead(m)))
		truth = MLOG_TRUTH_AHEAD;
	truth_set(m, truth);
	m->log = m->config.has_disk && (released || !m->left_last) ? MLOG_LOG_IDLE : m->log;
	if (m->left_keeping) {
		m->log = MLOG_LOG_FAILED;
		m->degraded = true;
	}
	m->left_keeping = false;
	if (m->log == MLOG_LOG_IDLE)
		m->degraded = false;
	dirty_reset(m); /* no write is in flight; what is crash-dirty is in the maps */
	group_released(m);
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
	dirty_failed(m);
	group_device_done(m);
	detach_done(m, false);
}

void device_detach(struct mlog *m)
{
	repair_stop(m);
	phase_set(m, MLOG_DETACHING);
	m->detach_ms = m->now_ms;
	m->detach_seq = 0;
	m->detach_cursor = 0;
}

/* Not before the others know that it is another one: to write it anew is to forget the old one. */
static bool retry_allowed(const struct mlog *m)
{
	return m->log == MLOG_LOG_FAILED && !m->quiescing && group_in(m) && !m->lost_sent &&
	       (m->phase == MLOG_ACTIVE || m->phase == MLOG_SUSPENDING);
}

/* Until when the device must have answered, or is to be claimed again. */
static uint64_t patience(const struct mlog *m)
{
	uint64_t at = NEVER_MS;

	if (!m->config.has_disk || m->log == MLOG_LOG_IDLE)
		return at;
	if (m->log == MLOG_LOG_FAILED)
		return retry_allowed(m) && device_idle(m) ? m->retry_ms : at;
	if (m->operation != DEVICE_NOTHING && !m->late)
		at = m->operation_ms + m->config.log_timeout_ms +
		     m->config.region_count / REGIONS_PER_MS;
	if (m->slot_pages.in_flight > 0)
		at = min_ms(at, m->slot_pages.started_ms + m->config.log_timeout_ms);
	if (m->sync.in_flight > 0)
		at = min_ms(at, m->sync.started_ms + m->config.log_timeout_ms);
	return at;
}

static void check_timeout(struct mlog *m)
{
	enum device_operation operation = m->operation;

	if (patience(m) > m->now_ms || m->log == MLOG_LOG_FAILED || m->log == MLOG_LOG_IDLE)
		return;
	if (operation != DEVICE_NOTHING)
		m->late = true;
	if (operation == DEVICE_LOAD)
		load_failed(m, -ETIMEDOUT);
	else
		device_failed(m, -ETIMEDOUT);
}

/* The whole log is released by who writes its map. */
static bool release_allowed(struct mlog *m)
{
	if (m->left_last && m->config.members > 1)
		lock_take(m, MLOG_LOCK_MAP);
	return !m->left_last || sync_map_writer(m);
}

/* Who keeps the map's lock for so long has founded since I left, and takes my slot over as it is.
 */
static bool release_given_up(const struct mlog *m)
{
	return m->left_last && m->config.members > 1 && !sync_map_writer(m) &&
	       m->now_ms >= m->left_ms + STUCK_MS;
}

static bool late_clears(const struct mlog *m)
{
	return !m->left && hot_next_held(m->hot, 0) < m->config.region_count;
}

/* No I/O is in flight. What is still held then, the kernel has failed to clear: it may have written
 * it to one leg only (a flush that failed does that), so it is to be compared. And it may do so
 * again, without a mark, if the same table is resumed: then it is told as stale, unless the kernel
 * holds what it writes there. */
static void held_end(struct mlog *m, bool told)
{
	bool holds = atomic_load(&m->hot->shared->hold) == HOT_HOLD_MISSED;

	for (uint64_t r = hot_next_held(m->hot, 0); r < m->config.region_count;
	     r = hot_next_held(m->hot, r + 1)) {
		if (!told)
			hot_reported_set(m->hot, r, true); /* so that the slot stays as it is */
		if (!holds)
			hot_unseen_set(m->hot, r, true);
		hot_clear(m->hot, r);
	}
}

static void held_send(struct mlog *m)
{
	uint64_t r = hot_next_held(m->hot, m->detach_cursor);

	while (r < m->config.region_count && m->send_count < SWEEP_SENDS_MAX) {
		repair_add(m, r);
		r = hot_next_held(m->hot, r + 1);
	}
	m->detach_cursor = r;
	m->detach_seq = m->seq;
}

/* Marks stay until all have heard of them: a sweep would take them from the slot. */
static bool held_settle(struct mlog *m)
{
	if (!late_clears(m))
		return true;
	if (m->now_ms < m->detach_ms + LATE_CLEAR_MS)
		return false;
	if (group_in(m) && !mutation(MUTATE_MISSED_FORGOTTEN)) {
		if (m->detach_cursor < m->config.region_count)
			held_send(m);
		if (m->detach_cursor < m->config.region_count || m->heard < m->detach_seq)
			return false;
	}
	held_end(m, group_in(m));
	return true;
}

/* A device that has failed may be back. What nobody but me may know is worth one more look at it:
 * my slot is mine until I have left, with quorum or without. */
static bool claim_is_worth_it(const struct mlog *m)
{
	return m->log == MLOG_LOG_FAILED && m->left_dirty && m->slot_known &&
	       m->slot != MLOG_NO_SLOT && lock_held(m, m->slot) && device_idle(m);
}

/* The last copy has ended: leave the group, then the device. */
static void detach_settle(struct mlog *m)
{
	if (m->copies_moving > 0 || !held_settle(m))
		return;
	group_detach(m);
	if (!m->left)
		return;
	if (claim_is_worth_it(m)) {
		claim_start(m); /* whatever its answer is, it is not due again */
	} else if (!m->config.has_disk || m->log == MLOG_LOG_FAILED || m->log == MLOG_LOG_IDLE) {
		detach_done(m, false);
	} else if (device_idle(m) && (m->left_dirty || m->log != MLOG_LOG_OK)) {
		detach_done(m, false); /* also when it was loaded, and not yet claimed */
	} else if (device_idle(m) && release_given_up(m)) {
		m->left_last = false;
		detach_done(m, false);
	} else if (device_idle(m) && release_allowed(m)) {
		/* A release writes everything. */
		pages_forget(&m->slot_pages);
		pages_forget(&m->sync);
		m->sync_due_ms = NEVER_MS;
		operation_start(m, DEVICE_RELEASE);
	}
}

/* What is my memory worth to my next daemon, when there is no log device? Where others are they go
 * on without me. */
static void truth_settle(struct mlog *m)
{
	uint32_t beside;

	if (m->config.has_disk || !group_in(m) || m->left)
		return;
	beside = members_beside(m);
	atomic_store(&m->hot->shared->beside, beside);
	truth_set(m, beside == 0 ? MLOG_TRUTH_MEMORY : MLOG_TRUTH_NONE);
}

void device_settle(struct mlog *m)
{
	bool idle = device_idle(m);

	truth_settle(m);
	if (m->config.has_disk)
		check_timeout(m);
	if (m->phase == MLOG_DETACHING) {
		detach_settle(m);
	} else if (!m->config.has_disk) {
		return;
	} else if (retry_allowed(m) && idle && m->now_ms >= m->retry_ms) {
		claim_start(m);
	} else if (m->log == MLOG_LOG_OK && m->degraded && idle && m->slot_pages.dirty_count == 0) {
		dirty_keep_repair(m); /* what became so while nobody could write it */
		if (m->slot_pages.dirty_count > 0)
			return;
		m->degraded = false;
		dirty_whole(m);
		notice_add(m, MLOG_NOTICE_LOG_OK, 0);
	}
}

uint64_t device_deadline(const struct mlog *m)
{
	uint64_t at = patience(m);

	if (m->phase == MLOG_DETACHING && late_clears(m) &&
	    m->detach_cursor < m->config.region_count)
		at = min_ms(at, m->detach_ms + LATE_CLEAR_MS);
	if (m->phase == MLOG_DETACHING && m->left_last && m->operation == DEVICE_NOTHING) {
		at = min_ms(at, m->left_ms + STUCK_MS);
		if (m->lock_retry_ms > m->now_ms)
			at = min_ms(at, m->lock_retry_ms);
	}
	return at;
}
