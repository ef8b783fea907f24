/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the mover does: crash-dirty regions first, then the regions of a verify. A few regions at a
 * time are claimed:
 *
 *	CLAIM delivered: everybody closes the gates -> quiet now? ----> ACK
 *	                        |                          ^
 *	                        +- wait -------------------+ its CLEAR came, or the kernel waits for
 *	                        |                            a MARK of it
 *	                        +- ARMED_MS without either: ACK with the region as busy, gate opens
 *	all have acknowledged: COPY of what nobody called busy -> DONE delivered: gates open
 *
 * Always true: a region is moving only while its gate is closed on all members and no write of it
 * is in flight; it is in sync and not being recovered by a kernel (I6). No claim begins while a
 * member may be writing that nobody can ask; what a member that is gone has claimed stays closed
 * until it is proved dead, because its mover may go on. While other I/O goes on, a claim is of one
 * region, or of a few that nobody here writes, and the next one comes busy_gap_ms for each of them
 * later. Members that are all after the same regions begin at different ones of them: what two
 * claim, only the first gets.
 */
#include "core/mlog_internal.h"

void repair_load(struct mlog *m)
{
	m->repair_left = hot_recount(m->hot);
	m->stale_low = 0;
	m->repair_cursor = 0;
	m->repair_retry_ms = 0;
	m->repair_differed = 0;
	m->starved_count = 0;
}

static struct starved *starved_find(struct mlog *m, uint64_t region)
{
	for (uint32_t i = 0; i < m->starved_count; i++)
		if (m->starved[i].region == region)
			return &m->starved[i];
	return NULL;
}

static void starved_remove(struct mlog *m, uint64_t region)
{
	struct starved *s = starved_find(m, region);

	if (s != NULL)
		*s = m->starved[--m->starved_count];
}

void repair_done(struct mlog *m, uint64_t region)
{
	if (!hot_repair(m->hot, region))
		return;
	assert(m->repair_left > 0);
	hot_repair_set(m->hot, region, false);
	starved_remove(m, region);
	if (--m->repair_left == 0)
		notice_add(m, MLOG_NOTICE_REPAIRED, m->repair_differed);
}

/* To be repaired when there is a chance: what a verify could not do now. */
void repair_add(struct mlog *m, uint64_t region)
{
	struct mlog_message *message;

	dirty_want(m, region);
	message = group_send(m, MLOG_MSG_DIRTY);
	message->dirty_bits.slot = m->self;
	message->dirty_bits.items.item[message->dirty_bits.items.count++] = region >> m->hot->shift;
}

static uint32_t bit(uint32_t index)
{
	return UINT32_C(1) << index;
}

static const struct mlog_member *own_claim(const struct mlog *m)
{
	return m->claim_delivered && m->self != MLOG_NO_SLOT ? &m->member[m->self] : NULL;
}

/* A region that was not copied: it found no quiet moment, or the mirror is being suspended. */
static void copy_give_up(struct mlog *m, const struct copy *c)
{
	if (!c->verify || !m->verifying)
		return;
	if (m->phase != MLOG_ACTIVE || m->quiescing || !group_in(m))
		m->verify_cursor = min_ms(m->verify_cursor, c->region);
	else if (m->verify_repair)
		repair_add(m, c->region);
	else
		m->verify_skipped++;
}

static void claim_match(struct mlog *m);
static void claim_over(struct mlog *m);

/* ---- gates, of everybody's claims */

void repair_claimed(struct mlog *m, uint32_t slot)
{
	const struct mlog_member *e = &m->member[slot];
	struct gates *g = &m->gates[slot];

	*g = (struct gates){.seq = e->claim_seq, .armed_ms = m->now_ms};
	for (uint32_t i = 0; i < e->claim_count; i++) {
		/* Asked before the gate closes: afterwards no mark looks as if it could be
		 * answered. */
		bool waits = request_waits_for(m, e->claim[i]);

		g->closed |= bit(i);
		if (!hot_gate_close(m->hot, e->claim[i]) && !waits)
			g->waiting |= bit(i);
		g->region[i] = e->claim[i];
	}
	if (slot == m->self)
		claim_match(m);
}

void repair_unclaimed(struct mlog *m, uint32_t slot)
{
	struct gates *g = &m->gates[slot];

	for (uint32_t i = 0; i < MLOG_COPIES_MAX; i++)
		if ((g->closed & bit(i)) != 0)
			hot_gate_open(m->hot, g->region[i]);
	*g = (struct gates){.seq = 0};
	if (slot == m->self)
		claim_over(m);
}

void repair_reconcile(struct mlog *m)
{
	for (uint32_t i = 0; i < m->config.members; i++) {
		uint64_t seq = m->member[i].claim_seq;

		if (m->gates[i].seq == seq)
			continue;
		if (m->gates[i].seq != 0)
			repair_unclaimed(m, i);
		if (seq != 0)
			repair_claimed(m, i);
	}
}

static void gate_settle(struct mlog *m, uint32_t slot)
{
	const struct mlog_member *e = &m->member[slot];
	struct gates *g = &m->gates[slot];
	struct mlog_message *ack;

	if (g->seq == 0 || g->acked || m->self == MLOG_NO_SLOT ||
	    (e->claim_waits & bit(m->self)) == 0)
		return;
	for (uint32_t i = 0; i < e->claim_count; i++)
		if ((g->waiting & bit(i)) != 0 &&
		    (!hot_held(m->hot, e->claim[i]) || request_waits_for(m, e->claim[i])))
			g->waiting &= ~bit(i);
	if (g->waiting != 0 && m->now_ms < g->armed_ms + ARMED_MS)
		return;
	g->acked = true;
	ack = group_send(m, MLOG_MSG_ACK);
	ack->ack.to = e->node;
	ack->ack.incarnation = e->incarnation;
	ack->ack.seq = g->seq;
	ack->ack.busy = mutation(MUTATE_CLAIM_BUSY_IGNORED) ? 0 : g->waiting;
	for (uint32_t i = 0; i < e->claim_count; i++)
		if ((g->waiting & bit(i)) != 0)
			hot_gate_open(m->hot, e->claim[i]);
	g->closed &= ~g->waiting;
}

/* ---- my claim */

static void claim_reset(struct mlog *m)
{
	m->copy_count = 0;
	m->claim_out = false;
	m->claim_delivered = false;
	m->claim_started = false;
	m->claim_cancelled = false;
	m->claim_done_sent = false;
	m->claim_repaired = 0;
}

/* What was delivered may be less than what I asked for. */
static void claim_match(struct mlog *m)
{
	const struct mlog_member *e = &m->member[m->self];
	uint32_t kept = 0;

	for (uint32_t i = 0; i < m->copy_count; i++) {
		if (kept < e->claim_count && m->copy[i].region == e->claim[kept])
			m->copy[kept++] = m->copy[i];
		else
			copy_give_up(m, &m->copy[i]);
	}
	m->copy_count = kept;
	m->claim_delivered = true;
}

/* DONE was delivered, or the claim was taken from me. */
static void claim_over(struct mlog *m)
{
	for (uint32_t i = 0; i < m->copy_count && !m->claim_started; i++)
		copy_give_up(m, &m->copy[i]);
	if (m->copies_moving == 0)
		claim_reset(m);
}

void repair_group_lost(struct mlog *m)
{
	for (uint32_t i = 0; i < m->copy_count; i++)
		if (!m->copy[i].moving && !m->claim_started)
			copy_give_up(m, &m->copy[i]);
	m->claim_started = true; /* nothing more of it begins */
	if (m->copies_moving == 0)
		claim_reset(m);
}

void repair_stop(struct mlog *m)
{
	m->claim_cancelled = true;
}

static void starve(struct mlog *m, uint64_t region)
{
	struct mlog_message *message;

	notice_add(m, MLOG_NOTICE_STARVED, region);
	message = group_send(m, MLOG_MSG_SYNC);
	message->sync.region = region;
	message->sync.in_sync = false;
}

/*
 * A crash-dirty region was busy. When that goes on, no mark will ever wait at its gate: the kernel
 * has it marked and need not ask. Only a recovery makes a kernel hold its own writes back, so the
 * region becomes stale, and what follows is the same as after a failed leg. All that have been busy
 * for long take that way together: the tables that are loaded again for one of them begin to count
 * anew, and who leaves for it makes crash-dirty again what its slot holds.
 */
static void copy_busy(struct mlog *m, uint64_t region)
{
	struct starved *s = starved_find(m, region);
	uint32_t kept = 0;

	if (s == NULL && m->starved_count < STARVED_MAX) {
		s = &m->starved[m->starved_count++];
		*s = (struct starved){.region = region, .since_ms = m->now_ms};
	}
	if (s == NULL || m->now_ms < s->since_ms + STARVED_MS)
		return;
	for (uint32_t i = 0; i < m->starved_count; i++) {
		s = &m->starved[i];
		if (m->now_ms < s->since_ms + STARVED_MS / 2)
			m->starved[kept++] = *s;
		else if (hot_in_sync(m->hot, s->region) && hot_repair(m->hot, s->region))
			starve(m, s->region);
	}
	m->starved_count = kept;
}

static void copies_start(struct mlog *m, uint32_t busy)
{
	m->claim_started = true;
	for (uint32_t i = 0; i < m->copy_count; i++) {
		struct copy *c = &m->copy[i];
		struct mlog_effect *effect;

		/* One that has become stale meanwhile is written without marks, and recovered. */
		if (m->claim_cancelled || (busy & bit(i)) != 0 || !hot_in_sync(m->hot, c->region)) {
			if (!m->claim_cancelled && !c->verify && hot_in_sync(m->hot, c->region))
				copy_busy(m, c->region);
			copy_give_up(m, c);
			continue;
		}
		invariant(m->member[m->self].claim_waits == 0); /* I6: all keep the gate closed */
		c->moving = true;
		m->copies_moving++;
		effect = effect_add(m, MLOG_COPY);
		effect->copy.region = c->region;
		effect->copy.mode =
		    c->verify && !m->verify_repair ? MLOG_COPY_COMPARE : MLOG_COPY_REPAIR;
	}
}

static void own_claim_settle(struct mlog *m)
{
	const struct mlog_member *e = own_claim(m);
	struct mlog_message *message;
	bool all;

	if (e == NULL || e->claim_seq == 0 || !group_in(m))
		return;
	all = e->claim_waits == 0 || mutation(MUTATE_CLAIM_NO_ACKS);
	if (!m->claim_started && all)
		copies_start(m, e->claim_busy);
	if (m->claim_done_sent || m->copies_moving > 0 ||
	    (!m->claim_started && !m->claim_cancelled))
		return;
	if (!m->claim_started)
		copies_start(m, UINT32_MAX);
	m->claim_done_sent = true;
	message = group_send(m, MLOG_MSG_DONE);
	message->done.claim = e->claim_seq;
	message->done.repaired = m->claim_repaired;
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

/* The rate of a verify is its own, or that of the mirror. */
static struct pace *pace_of(struct mlog *m, bool verify)
{
	return verify && m->verify_pace.region_ns != 0 ? &m->verify_pace : &m->resync_pace;
}

void repair_copied(struct mlog *m, uint64_t region, enum mlog_copy_result result)
{
	struct copy *c = NULL;

	for (uint32_t i = 0; i < m->copy_count; i++)
		if (m->copy[i].moving && m->copy[i].region == region)
			c = &m->copy[i];
	assert(c != NULL);
	c->moving = false;
	m->copies_moving--;
	if (c->verify && m->verifying)
		verify_result(m, region, result);
	if (result != MLOG_COPY_LATER)
		pace_take(m, pace_of(m, c->verify));
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
		m->claim_repaired |= bit((uint32_t)(c - m->copy));
	if (m->copies_moving == 0 && !group_in(m))
		claim_reset(m); /* quorum was lost: the claim is not mine any more */
}

/* The next crash-dirty region that may be claimed, or region_count. */
static uint64_t repair_candidate(const struct mlog *m, uint64_t from)
{
	uint64_t region = hot_next_repair(m->hot, from);

	while (region < m->config.region_count &&
	       (!hot_in_sync(m->hot, region) || hot_gated(m->hot, region)))
		region = hot_next_repair(m->hot, region + 1);
	return region;
}

static bool repair_due(const struct mlog *m)
{
	return m->repair_left > 0 && m->now_ms >= m->repair_retry_ms &&
	       pace_ready(m, &m->resync_pace);
}

/* Mine, or region_count. After the last, those that failed or were busy again. */
static uint64_t next_repair(struct mlog *m)
{
	uint64_t none = m->config.region_count;
	uint64_t region;

	if (!repair_due(m))
		return none;
	region = repair_candidate(m, m->repair_cursor);
	if (region == none) {
		m->repair_cursor = 0;
		m->repair_retry_ms =
		    m->now_ms + (m->config.retry_ms < ARMED_MS ? m->config.retry_ms : ARMED_MS);
		return none;
	}
	m->repair_cursor = region + 1;
	return region;
}

/* Leaves the next few regions to each member in a lower slot, unless there are not more of them. */
static void repair_leave_to_others(struct mlog *m)
{
	uint32_t count = members_ready_before(m) * m->config.copies;
	uint64_t region;

	if (!repair_due(m))
		return;
	region = repair_candidate(m, m->repair_cursor);
	while (count-- > 0 && region < m->config.region_count)
		region = repair_candidate(m, region + 1);
	if (region < m->config.region_count)
		m->repair_cursor = region;
}

static uint64_t next_verify(struct mlog *m)
{
	uint64_t none = m->config.region_count;

	if (!pace_ready(m, pace_of(m, true)))
		return none;
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
	for (uint32_t i = 0; i < m->copy_count; i++)
		if (m->copy[i].verify)
			return;
	m->verifying = false;
	notice_add(m, MLOG_NOTICE_VERIFIED, m->verify_differed);
}

static bool claim_allowed(const struct mlog *m)
{
	return m->phase == MLOG_ACTIVE && !m->quiescing && group_in(m) && !m->leaving &&
	       !m->claim_out && m->copies_moving == 0 &&
	       (!members_unsure(m) || mutation(MUTATE_CLAIM_WHILE_GONE));
}

static void claim_add(struct mlog *m, uint64_t region, bool verify)
{
	m->copy[m->copy_count++] = (struct copy){.region = region, .verify = verify};
}

static bool claim_has(const struct mlog *m, uint64_t region)
{
	for (uint32_t i = 0; i < m->copy_count; i++)
		if (m->copy[i].region == region)
			return true;
	return false;
}

static void cursor_back(struct mlog *m, uint64_t region, bool verify)
{
	if (verify)
		m->verify_cursor = region;
	else
		m->repair_cursor = region;
}

static void claim_send(struct mlog *m)
{
	struct mlog_message *message = group_send(m, MLOG_MSG_CLAIM);

	m->claim_out = true;
	for (uint32_t i = 0; i < m->copy_count; i++)
		message->claim.item[message->claim.count++] = m->copy[i].region;
}

/* How many regions a claim may be of: no more than an admin's rate allows at once, and beside other
 * I/O no more than that takes in BUSY_CLAIM_MS. */
static uint32_t claim_most(struct mlog *m, bool busy)
{
	uint32_t most = m->config.copies;

	if (m->copy_count > 0 && pace_burst(pace_of(m, m->copy[0].verify)) < most)
		most = pace_burst(pace_of(m, m->copy[0].verify));
	if (busy && m->copy_count > 0 && hot_held(m->hot, m->copy[0].region))
		return 1;
	if (busy && m->config.busy_gap_ms * most > BUSY_CLAIM_MS)
		most = BUSY_CLAIM_MS / m->config.busy_gap_ms;
	return most > 0 ? most : 1;
}

static void claim_settle(struct mlog *m)
{
	uint64_t activity = atomic_load(&m->hot->shared->activity);
	bool busy = activity != m->activity_seen;

	if (!claim_allowed(m) || m->now_ms < m->next_copy_ms)
		return;
	claim_reset(m);
	repair_leave_to_others(m);
	while (m->copy_count < claim_most(m, busy)) {
		uint64_t region = next_repair(m);
		bool verify = region == m->config.region_count;

		if (verify)
			region = next_verify(m);
		if (region == m->config.region_count)
			break;
		/* Quiet regions do not wait for those that are being written. */
		if (m->copy_count > 0 &&
		    hot_held(m->hot, region) != hot_held(m->hot, m->copy[0].region)) {
			cursor_back(m, region, verify);
			break;
		}
		if (!claim_has(m, region))
			claim_add(m, region, verify);
	}
	if (m->copy_count == 0)
		return;
	if (busy)
		m->next_copy_ms = m->now_ms + m->config.busy_gap_ms * m->copy_count;
	m->activity_seen = activity;
	claim_send(m);
}

void repair_settle(struct mlog *m)
{
	if (group_in(m))
		for (uint32_t i = 0; i < m->config.members; i++)
			gate_settle(m, i);
	own_claim_settle(m);
	claim_settle(m);
	verify_settle(m);
}

void verify_start(struct mlog *m, bool repair, uint64_t region_ns)
{
	pace_set(&m->verify_pace, region_ns);
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

static uint64_t max_ms(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

uint64_t repair_deadline(struct mlog *m)
{
	uint64_t at = NEVER_MS;

	for (uint32_t i = 0; i < m->config.members && group_in(m); i++)
		if (m->gates[i].seq != 0 && !m->gates[i].acked && m->gates[i].waiting != 0)
			at = min_ms(at, m->gates[i].armed_ms + ARMED_MS);
	if (!claim_allowed(m))
		return at;
	if (m->verifying && m->verify_cursor < m->config.region_count &&
	    m->queued_count < VERIFY_QUEUED_MAX)
		at = min_ms(at, max_ms(m->next_copy_ms, pace_ready_ms(pace_of(m, true))));
	if (m->repair_left > 0)
		at = min_ms(at, max_ms(m->repair_retry_ms,
				       max_ms(m->next_copy_ms, pace_ready_ms(&m->resync_pace))));
	return at;
}
