/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which regions are in sync, and which of the others my kernel may recover: those of my lease. The
 * map itself is hot (responders read it) and changes by delivered messages only; here is its way to
 * the log device: lazily when a region became in sync (a crash in between costs one more copy of
 * it), at once when one became stale, and then the kernel's write waits for it.
 */
#include <stdlib.h>

#include "core/mlog_internal.h"

bool sync_create(struct mlog *m)
{
	m->sync_due_ms = NEVER_MS;
	m->synced_due_ms = NEVER_MS;
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

/* It goes on recovering when its daemon has died. */
uint64_t sync_recovering(const struct mlog *m)
{
	uint64_t recovering = atomic_load(&m->hot->shared->recovering);

	return recovering == 0 || recovering > m->config.region_count ? m->config.region_count
								      : recovering - 1;
}

static void recovering_set(struct mlog *m, uint64_t region)
{
	atomic_store(&m->hot->shared->recovering,
		     region == m->config.region_count ? 0 : region + 1);
}

static void leg_moved(struct mlog *m)
{
	if (atomic_load(&m->hot->shared->leg) == HOT_LEG_GOOD)
		atomic_store(&m->hot->shared->leg, HOT_LEG_MOVED);
}

/* The kernel reports that it recovered a region, or that a leg missed a write of it. */
void sync_reported(struct mlog *m, uint64_t region, bool in_sync)
{
	if (region == sync_recovering(m))
		recovering_set(m, m->config.region_count);
	hot_unseen_set(m->hot, region, !in_sync);
	if (in_sync)
		return;
	leg_moved(m);
	/* In my slot first: if I die now, it must not be forgotten that the legs differ. */
	hot_reported_set(m->hot, region, true);
	dirty_want(m, region);
}

/* A write of a region in sync that a leg has missed and that my kernel holds: nobody was told that it
 * is done, so each leg holds old or new data, as after a crash. The mark says so, and stays, for the
 * kernel does not clear the region any more. Were the others told that it is stale, they would write
 * one leg only, and my kernel would read the other. False: it does not hold it. */
bool sync_missed(struct mlog *m, uint64_t region)
{
	bool marked =
	    atomic_load(&m->hot->shared->hold) == HOT_HOLD_MISSED || hot_held(m->hot, region);

	if (!hot_holds(m->hot))
		return false;
	/* Also when it was stale: with a leg that has failed it holds all that it would write. */
	atomic_store(&m->hot->shared->hold, HOT_HOLD_MISSED);
	leg_moved(m);
	return marked && hot_in_sync(m->hot, region) && !sync_telling(m, region);
}

/* ---- what my kernel has recovered, until all know it */

/* The kernel's thread does not wait for the group: regions are told a few at a time. */
bool sync_recovered(struct mlog *m, uint64_t region)
{
	if (m->config.members == 1 || !group_in(m) || m->leaving || hot_in_sync(m->hot, region) ||
	    !members_leased(member_self(m), region) || hot_gated(m->hot, region) ||
	    m->synced_count == MLOG_LEASE_MAX)
		return false;
	sync_reported(m, region, true);
	if (!mutation(MUTATE_RECOVERED_NOT_HELD))
		hot_gate_close(m->hot, region);
	m->synced[m->synced_count++] = (struct synced){.region = region};
	m->synced_unsent++;
	m->synced_due_ms = m->synced_unsent == SYNCED_BATCH
			       ? m->now_ms
			       : min_ms(m->synced_due_ms, m->now_ms + SYNCED_MS);
	return true;
}

bool sync_telling(struct mlog *m, uint64_t region)
{
	for (uint32_t i = 0; i < m->synced_count; i++) {
		if (m->synced[i].region != region || m->synced[i].seq == SYNCED_LOST)
			continue;
		if (m->synced[i].seq == 0)
			m->synced_due_ms = m->now_ms;
		return true;
	}
	return false;
}

static void none_unsent(struct mlog *m)
{
	m->synced_unsent = 0;
	m->synced_due_ms = NEVER_MS;
}

void sync_tell(struct mlog *m)
{
	for (uint32_t i = 0; i < m->synced_count && m->synced_unsent > 0; i++) {
		struct mlog_message *message;

		if (m->synced[i].seq != 0)
			continue;
		message = group_send(m, MLOG_MSG_SYNC);
		message->sync.region = m->synced[i].region;
		message->sync.in_sync = true;
		m->synced[i].seq = message->seq;
	}
	none_unsent(m);
}

static void synced_remove(struct mlog *m, uint32_t index)
{
	hot_gate_open(m->hot, m->synced[index].region);
	m->synced[index] = m->synced[--m->synced_count];
}

void sync_told(struct mlog *m, uint64_t seq)
{
	for (uint32_t i = 0; i < m->synced_count; i++)
		if (m->synced[i].seq == seq) {
			synced_remove(m, i);
			return;
		}
}

/* Others may have heard what I sent, and mark that region; the rest is as stale as it was. */
void sync_tell_lost(struct mlog *m)
{
	for (uint32_t i = m->synced_count; i-- > 0;)
		if (m->synced[i].seq == 0)
			synced_remove(m, i);
		else
			m->synced[i].seq = SYNCED_LOST;
	none_unsent(m);
}

void sync_tell_over(struct mlog *m)
{
	while (m->synced_count > 0)
		synced_remove(m, m->synced_count - 1);
	none_unsent(m);
}

static bool tell_allowed(const struct mlog *m)
{
	return m->synced_unsent > 0 && group_in(m) && !m->leaving;
}

static bool tell_due(const struct mlog *m)
{
	return tell_allowed(m) &&
	       (m->now_ms >= m->synced_due_ms || m->phase != MLOG_ACTIVE || m->quiescing);
}

/* ---- the map */

void sync_deliver(struct mlog *m, uint64_t region, bool in_sync)
{
	bool changed = hot_in_sync(m->hot, region) != in_sync;

	if (in_sync) {
		repair_done(m, region); /* the kernel has copied all of it */
		hot_reported_set(m->hot, region, false);
		/* Nor does my kernel write it unseen: it was mine that recovered it, or it is above
		 * my bound. */
		hot_unseen_set(m->hot, region, false);
	}
	if (!changed)
		return;
	hot_in_sync_set(m->hot, region, in_sync);
	if (in_sync)
		m->progress_until_ms = m->now_ms + PROGRESS_MS;
	if (!in_sync && region < m->stale_low)
		m->stale_low = region;
	/* Offered again, unless it was my kernel that could not write it. */
	if (!in_sync && !hot_reported(m->hot, region) && region < m->resync_cursor) {
		m->resync_cursor = region;
		m->lease_in_order = false;
	}
	if (m->config.has_disk) {
		pages_touch(&m->sync, sync_page(m, region));
		m->sync_due_ms = min_ms(m->sync_due_ms, in_sync && !sync_full(m)
							    ? m->now_ms + m->config.sync_delay_ms
							    : m->now_ms);
	}
	if (in_sync && sync_full(m))
		notice_add(m, MLOG_NOTICE_IN_SYNC, 0);
	if (!in_sync)
		notice_add(m, MLOG_NOTICE_STALE, region);
}

/* One member writes the map: who holds its lock. */
bool sync_map_writer(const struct mlog *m)
{
	return m->config.members == 1 || lock_held(m, MLOG_LOCK_MAP);
}

static bool map_write_allowed(const struct mlog *m)
{
	return m->log == MLOG_LOG_OK && m->operation == DEVICE_NOTHING && !m->left &&
	       sync_map_writer(m);
}

bool sync_durable(const struct mlog *m, uint64_t region)
{
	if (!m->config.has_disk || !device_waits(m) || !sync_map_writer(m) ||
	    region >= m->config.region_count)
		return true;
	return m->operation == DEVICE_NOTHING && m->sync.in_flight == 0 &&
	       !bits_test(m->sync.dirty, sync_page(m, region));
}

/* ---- work for my kernel */

bool sync_mine(const struct mlog *m, uint64_t region)
{
	const struct mlog_member *self = m->self == MLOG_NO_SLOT ? NULL : &m->member[m->self];

	return self != NULL && members_leased(self, region) && !hot_in_sync(m->hot, region) &&
	       acks_settled(&m->lease_acks);
}

static bool leased_beside(const struct mlog *m, uint32_t slot, uint64_t region)
{
	for (uint32_t i = 0; i < m->config.members; i++)
		if (i != slot && members_leased(&m->member[i], region))
			return true;
	return false;
}

bool sync_leased_to_other(const struct mlog *m, uint64_t region)
{
	return leased_beside(m, m->self, region);
}

/* May the member in slot not have it, because another has? */
static bool taken(const struct mlog *m, uint32_t slot, uint64_t region)
{
	return leased_beside(m, slot, region) && !mutation(MUTATE_TWO_LEASES);
}

/* For the member in slot: the lowest stale region at or after from that nobody else recovers or may
 * write unseen, and in *ret those of the count regions from it on that may be recovered; 0: none.
 */
uint64_t sync_lease_pick(const struct mlog *m, uint32_t slot, uint64_t from, uint32_t count,
			 uint64_t *ret)
{
	uint64_t none = m->config.region_count;
	uint64_t first = from < none ? from : none;
	uint64_t region;

	*ret = 0;
	if (members_unsure(m) && !mutation(MUTATE_LEASE_UNSEEN))
		return none;
	for (uint32_t i = 0; i < m->config.members; i++)
		if (i != slot && m->member[i].state != MLOG_MEMBER_NONE &&
		    first < m->member[i].bound && !mutation(MUTATE_LEASE_UNSEEN))
			first = m->member[i].bound;
	first = hot_next_stale(m->hot, first);
	while (first < none && taken(m, slot, first))
		first = hot_next_stale(m->hot, first + 1);
	for (region = first;
	     region < none && region - first < count && region - first < MLOG_LEASE_MAX;
	     region = hot_next_stale(m->hot, region + 1))
		if (!taken(m, slot, region))
			*ret |= UINT64_C(1) << (region - first);
	return first;
}

static void priority_remove(struct mlog *m, uint32_t index)
{
	m->priority_count--;
	for (uint32_t i = index; i < m->priority_count; i++) {
		m->priority[i] = m->priority[i + 1];
		m->priority_ms[i] = m->priority_ms[i + 1];
		m->priority_held[i] = m->priority_held[i + 1];
	}
}

static void priority_clean(struct mlog *m)
{
	for (uint32_t i = 0; i < m->priority_count;)
		if (hot_in_sync(m->hot, m->priority[i]))
			priority_remove(m, i);
		else
			i++;
}

void sync_wait_noted(struct mlog *m, uint64_t region, bool held)
{
	uint32_t i = 0;

	while (i < m->priority_count && m->priority[i] != region)
		i++;
	if (i == PRIORITY_MAX)
		return;
	if (i == m->priority_count) {
		m->priority_count++;
		m->priority_ms[i] = m->now_ms;
		m->priority[i] = region;
		m->priority_held[i] = false;
	}
	m->priority_held[i] = m->priority_held[i] || held;
}

static uint64_t waited_ms(const struct mlog *m, uint64_t region)
{
	for (uint32_t i = 0; i < m->priority_count; i++)
		if (m->priority[i] == region)
			return m->now_ms - m->priority_ms[i];
	return 0;
}

/* May the kernel be told to recover region? Not while the mover has it: both would write it. */
static bool recoverable(const struct mlog *m, uint64_t region)
{
	return sync_mine(m, region) && !hot_gated(m->hot, region);
}

/* The first of those that somebody waits for which may be in my next lease, or region_count. held: of
 * those that a write is held for, and which are not in the one that I have. */
static uint64_t priority_free(const struct mlog *m, bool held)
{
	uint64_t lease;

	for (uint32_t i = 0; i < m->priority_count; i++) {
		if (held && (!m->priority_held[i] || sync_mine(m, m->priority[i])))
			continue;
		if (sync_lease_pick(m, m->self, m->priority[i], 1, &lease) == m->priority[i])
			return m->priority[i];
	}
	return m->config.region_count;
}

/*
 * Next region of my lease, or region_count. Those that somebody waits for come first; each of the
 * others is offered once, as the kernel's own logs do: a region whose recovery failed would
 * otherwise come back at once and for ever.
 * Where a write is held, the region does not wait for the rate; nor does the rest of my lease when
 * that region is to be in the next one. To give up the rest instead would not do: others cannot
 * recover what my kernel was told that it may write.
 */
static uint64_t lease_next(struct mlog *m)
{
	const struct mlog_member *self = member_self(m);
	bool ready = pace_ready(m, &m->resync_pace);
	uint64_t region;

	priority_clean(m);
	for (uint32_t i = 0; i < m->priority_count; i++) {
		region = m->priority[i];
		if ((ready || m->priority_held[i]) && recoverable(m, region)) {
			priority_remove(m, i);
			return region;
		}
	}
	if (!ready && priority_free(m, true) == m->config.region_count)
		return m->config.region_count;
	region = m->lease_cursor < self->lease_first ? self->lease_first : m->lease_cursor;
	while (region < members_lease_end(self) && !recoverable(m, region))
		region++;
	if (region >= members_lease_end(self))
		return m->config.region_count;
	m->lease_cursor = region + 1;
	return region;
}

/* Of region first, or of the next ones where that is region_count: no more than the rate allows at
 * once. */
static void lease_ask(struct mlog *m, uint64_t first)
{
	uint64_t end = members_lease_end(member_self(m));
	struct mlog_message *message;

	sync_tell(m);
	message = group_send(m, MLOG_MSG_LEASE);
	if (m->lease_in_order && m->resync_cursor < end)
		m->resync_cursor = end;
	m->lease_in_order = first == m->config.region_count;
	message->lease.from = m->lease_in_order ? m->resync_cursor : first;
	message->lease.regions = 1;
	if (m->lease_in_order)
		message->lease.regions =
		    (uint32_t)min_ms(m->config.lease, pace_burst(&m->resync_pace));
	m->lease_cursor = 0;
	m->lease_acks = (struct acks){.seq = message->seq};
}

/* A kernel that saw a leg fail may copy from another than the rest of us write, or wrote before
 * they left. */
static bool leg_distrusted(const struct mlog *m)
{
	uint32_t leg = atomic_load(&m->hot->shared->leg);

	return leg == HOT_LEG_OUTWRITTEN || (leg == HOT_LEG_MOVED && !members_alone(m));
}

/* One that was told that all is in sync takes another default leg when a read fails, and says
 * nothing. It may have done so when a region has become stale. If it has not said itself that it
 * is, it may still do so, after it has written the region: then it recovers nothing when it is
 * alone, either. */
static void leg_doubt(struct mlog *m)
{
	bool full = sync_full(m);

	if (m->mangled)
		return;
	if (m->was_full && !full && atomic_load(&m->hot->shared->leg) == HOT_LEG_GOOD)
		atomic_store(&m->hot->shared->leg, HOT_LEG_OUTWRITTEN);
	m->was_full = full;
}

static void leg_settle(struct mlog *m)
{
	leg_doubt(m);
	if (leg_distrusted(m))
		atomic_store(&m->hot->shared->leg, HOT_LEG_OUTWRITTEN);
}

static bool others_leased(const struct mlog *m)
{
	for (uint32_t i = 0; i < m->config.members; i++)
		if (i != m->self && m->member[i].lease != 0)
			return true;
	return false;
}

/*
 * The thread of a kernel that recovers is the one that writes, too: one that has writes leaves
 * recovery to others, as long as somebody is getting on with it. When all have writes, that is the
 * last who had a lease. What its own writes wait for it recovers itself.
 */
static bool left_to_others(struct mlog *m)
{
	uint64_t marks = atomic_load_explicit(&m->hot->marks, memory_order_relaxed);

	if (marks != m->marks_seen)
		m->writing_until_ms = m->now_ms + WRITING_MS;
	m->marks_seen = marks;
	if (others_leased(m))
		m->others_lease_until_ms = m->now_ms + LEASE_GAP_MS;
	return m->priority_count == 0 && m->now_ms < m->writing_until_ms &&
	       m->now_ms < m->others_lease_until_ms && m->now_ms < m->progress_until_ms;
}

/* The rate allows no more now, but for what a write is held for and nobody has in his lease. */
static bool resting_work(struct mlog *m)
{
	uint64_t held = priority_free(m, true);

	m->work_resting = true;
	if (held == m->config.region_count || m->now_ms < m->lease_none_ms)
		return true;
	lease_ask(m, held);
	return false;
}

/* No region can be recovered, by nobody: so my kernel need not ask who does, which it may do four times
 * a second only. */
bool sync_void(const struct mlog *m)
{
	return atomic_load(&m->hot->shared->hold) == HOT_HOLD_VOID;
}

/* What to say to GET_RESYNC_WORK. False: a lease has been asked for, wait. */
bool sync_work_due(struct mlog *m, uint64_t *ret)
{
	uint64_t none = m->config.region_count;
	bool asked = m->lease_acks.seq != 0;

	*ret = none;
	if (m->phase != MLOG_ACTIVE || !group_in(m) || m->leaving || leg_distrusted(m) ||
	    sync_void(m))
		return true;
	m->woken_ms = m->now_ms;
	m->wakes_unheard = 0;
	m->work_resting = false;
	*ret = sync_recovering(m);
	if (*ret != none && recoverable(m, *ret))
		return true; /* asked again: the reply was lost */
	if (!acks_settled(&m->lease_acks))
		return false;
	*ret = lease_next(m);
	recovering_set(m, *ret);
	m->lease_acks = (struct acks){.seq = 0};
	if (*ret != none && pace_ready(m, &m->resync_pace))
		pace_take(m, &m->resync_pace);
	if (*ret != none || m->stale_low == none)
		return true;
	if (!pace_ready(m, &m->resync_pace))
		return resting_work(m);
	sync_tell(m);
	if (asked)
		m->lease_none_ms = m->now_ms + LEASE_NONE_MS;
	if (m->now_ms < m->lease_none_ms)
		return true;
	if (m->priority_count == 0 && hot_next_stale(m->hot, m->resync_cursor) == none)
		return true;
	if (left_to_others(m))
		return true;
	lease_ask(m, priority_free(m, false));
	return false;
}

/*
 * IS_REMOTE_RECOVERING for a stale region: must a write of it wait? Where I may recover it, or may
 * write it unseen anyway, no: the kernel writes its default leg. Otherwise it waits until somebody
 * has recovered it; when nobody does, all are told that it may be written unseen from now on.
 */
static bool remote_recovering(struct mlog *m, uint64_t region)
{
	if (hot_gated(m->hot, region))
		return true; /* the mover has it, and what is stale is written without a mark */
	if (m->config.members == 1 || sync_mine(m, region) || sync_void(m) ||
	    mutation(MUTATE_REMOTE_NOT_HELD))
		return false;
	if (!group_in(m) || m->leaving)
		return true;
	if (!sync_leased_to_other(m, region)) {
		if (member_self(m)->bound > region)
			return false;
		if ((waited_ms(m, region) >= STUCK_MS || m->phase == MLOG_SUSPENDING) &&
		    m->unseen_sent <= region) {
			m->unseen_sent = region + 1;
			group_send(m, MLOG_MSG_UNSEEN)->region = region + 1;
		}
	}
	group_send(m, MLOG_MSG_WANT)->region = region;
	return true;
}

bool sync_remote_recovering(struct mlog *m, uint64_t region)
{
	bool wait;

	sync_wait_noted(m, region, false);
	wait = remote_recovering(m, region);
	if (wait)
		sync_wait_noted(m, region, true);
	else
		hot_unseen_end_raise(m->hot, region); /* a new daemon has to know it */
	return wait;
}

static bool work_waits(const struct mlog *m)
{
	uint64_t lease;

	if (!group_in(m) || m->leaving || m->phase != MLOG_ACTIVE || m->quiescing || sync_void(m) ||
	    m->stale_low == m->config.region_count || sync_recovering(m) != m->config.region_count)
		return false;
	sync_lease_pick(m, m->self, m->resync_cursor, 1, &lease);
	return lease != 0;
}

/* When there will be work that does not wait for the rate. */
static uint64_t held_ms(const struct mlog *m)
{
	for (uint32_t i = 0; i < m->priority_count; i++)
		if (m->priority_held[i] && recoverable(m, m->priority[i]))
			return m->now_ms;
	return priority_free(m, true) == m->config.region_count ? NEVER_MS : m->lease_none_ms;
}

/* The kernel of an idle mirror asks for work only when something wakes it. */
static uint64_t wake_ms(const struct mlog *m)
{
	if (!work_waits(m))
		return NEVER_MS;
	if (!m->work_resting)
		return m->woken_ms + WAKE_MS;
	return min_ms(pace_ready_ms(&m->resync_pace), held_ms(m));
}

static void wake_settle(struct mlog *m)
{
	if (m->now_ms < wake_ms(m))
		return;
	m->woken_ms = m->now_ms;
	m->wakes_unheard++;
	m->work_resting = false;
	effect_add(m, MLOG_WAKE);
}

void sync_rate(struct mlog *m, uint64_t region_ns)
{
	pace_set(&m->resync_pace, region_ns);
}

/* Others cannot recover what my kernel may write unseen, nor may it itself when it does not copy
 * from their leg. Alone, it is to recover that itself; but one that was ever told that all is in
 * sync asks for no work (kernel-contract 6). A reloaded table makes it forget. */
static bool reload_helps(const struct mlog *m)
{
	if (!group_in(m) || m->leaving || m->phase != MLOG_ACTIVE || m->quiescing ||
	    members_unsure(m) || sync_void(m))
		return false;
	if (leg_distrusted(m) && m->stale_low < m->config.region_count)
		return true;
	if (members_alone(m))
		return work_waits(m) && m->wakes_unheard >= WAKES_MAX;
	return m->member[m->self].bound > m->stale_low;
}

static void reload_settle(struct mlog *m)
{
	if (reload_helps(m) && m->now_ms >= m->reload_ms) {
		m->reload_ms = m->now_ms + RELOAD_MS;
		effect_add(m, MLOG_RELOAD);
	}
}

/* A kernel that is being suspended has stopped recovering before it said so; one that saw a leg
 * fail is given nothing more to recover. */
static bool lease_useless(struct mlog *m)
{
	if (m->phase == MLOG_SUSPENDING)
		return true;
	return m->phase == MLOG_ACTIVE && leg_distrusted(m) &&
	       sync_recovering(m) == m->config.region_count;
}

/* Others shall not wait for my lease. */
static void lease_end(struct mlog *m)
{
	struct mlog_message *message;

	if (!group_in(m) || m->leaving || member_self(m)->lease == 0 ||
	    !acks_settled(&m->lease_acks) || !lease_useless(m))
		return;
	recovering_set(m, m->config.region_count);
	sync_tell(m);
	message = group_send(m, MLOG_MSG_LEASE);
	message->lease.from = m->config.region_count;
	message->lease.regions = 1;
	m->lease_acks = (struct acks){.seq = message->seq};
}

void sync_settle(struct mlog *m)
{
	if (tell_due(m))
		sync_tell(m);
	leg_settle(m);
	lease_end(m);
	wake_settle(m);
	reload_settle(m);
	if (m->map_whole && lock_held(m, MLOG_LOCK_MAP) && m->group == GROUP_IN) {
		m->map_whole = false;
		sync_write_all(m); /* a log that does not work yet writes all when it is claimed */
	}
	if (!map_write_allowed(m) || m->now_ms < m->sync_due_ms)
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

/* beside: the maps count as well, and a region is in sync when neither calls it stale. A live
 * kernel was told otherwise of what is stale from now on, and may write it unseen. */
static void load_word(struct mlog *m, uint64_t word, uint64_t value, bool beside)
{
	uint64_t was = hot_in_sync_word(m->hot, word);

	if (beside)
		value &= was;
	if (m->live && (was & ~value) != 0)
		hot_unseen_end_raise(m->hot, (word + 1) * BITS_PER_WORD - 1 -
						 (uint64_t)__builtin_clzll(was & ~value));
	hot_in_sync_put(m->hot, word, value);
}

/* Whole words where the region size is the same: below the old end they are copied, above it
 * nothing is known. A mirror may have a hundred million regions. */
static void load_in_sync(struct mlog *m, const struct mlog_history *h, bool unknown, bool beside)
{
	bool same = h->region_sectors == m->config.region_sectors;

	for (uint64_t w = 0; w < bits_words(m->config.region_count); w++) {
		if (same && (w + 1) * BITS_PER_WORD <= h->region_count)
			load_word(m, w, h->in_sync[w], beside);
		else if (same && w * BITS_PER_WORD >= h->region_count)
			load_word(m, w, unknown ? ~UINT64_C(0) : 0, beside);
		else
			load_word(m, w, history_word(m, h, w, unknown), beside);
	}
}

static void load_all(struct mlog *m, bool in_sync, bool beside)
{
	for (uint64_t w = 0; w < bits_words(m->config.region_count); w++)
		load_word(m, w, in_sync ? ~UINT64_C(0) : 0, beside);
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

/* What was stale may be anywhere: to compare is not enough, because meanwhile any leg is read. */
void sync_load_unknown(struct mlog *m)
{
	repair_none(m);
	load_all(m, false, false);
	sync_restart(m);
}

/* A log device that says nothing of a mirror that somebody here has had is another one: there were
 * stale regions, for all that we know. */
static bool history_lost(const struct mlog *m, const struct mlog_history *h)
{
	return h != NULL && h->load == MLOG_LOAD_BLANK && m->found_rank > 0;
}

/* dirty_reset() has been called; repair is what the history says. */
void sync_load(struct mlog *m, const struct mlog_history *h, bool beside)
{
	bool nosync = m->config.sync == MLOG_SYNC_NOSYNC;
	bool force = m->config.sync == MLOG_SYNC_FORCE && !m->attached_once;

	repair_none(m);
	/* It may say anything, also that nothing happened since. */
	if ((h != NULL && h->distrust) || m->outdone || history_lost(m, h))
		load_all(m, false, beside);
	else if (h == NULL || h->load == MLOG_LOAD_BLANK || force)
		load_all(m, nosync, beside);
	else
		load_in_sync(m, h, nosync, beside);
	if (h != NULL && h->load == MLOG_LOAD_CRASHED && !force)
		load_repair(m, h);
	sync_restart(m);
}

void sync_load_beside(struct mlog *m, const struct mlog_history *h)
{
	load_in_sync(m, h, false, true);
	sync_restart(m);
}

void sync_rewind(struct mlog *m)
{
	m->resync_cursor = 0;
	m->lease_cursor = 0;
	m->lease_in_order = false;
	m->lease_none_ms = 0;
	m->unseen_sent = 0; /* whoever has come back starts with a bound of what it may write */
}

void sync_restart(struct mlog *m)
{
	sync_rewind(m);
	m->lease_acks = (struct acks){.seq = 0};
	m->priority_count = 0;
	m->work_resting = false;
}

void sync_write_all(struct mlog *m)
{
	for (uint64_t page = 0; page < m->sync.count; page++)
		pages_touch(&m->sync, page);
	/* The device of who wrote it before may have failed: what is stale is in memories only. */
	m->sync_due_ms = m->now_ms + (sync_full(m) ? m->config.sync_delay_ms : 0);
}

uint64_t sync_deadline(const struct mlog *m)
{
	uint64_t at = NEVER_MS;

	if (map_write_allowed(m) && m->sync.in_flight == 0)
		at = m->sync_due_ms;
	if (tell_allowed(m))
		at = min_ms(at, m->synced_due_ms);
	at = min_ms(at, wake_ms(m));
	if (reload_helps(m))
		at = min_ms(at, m->reload_ms);
	return at;
}
