/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events in, effects out: the step, and what all files of the core share. */
#include "core/mlog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/mlog_internal.h"

struct mlog_effect *effect_add(struct mlog *m, enum mlog_effect_kind kind)
{
	struct mlog_effect *effect;

	assert(m->effect_count < MLOG_EFFECTS_MAX);
	effect = &m->effect[(m->effect_first + m->effect_count++) % MLOG_EFFECTS_MAX];
	memset(effect, 0, sizeof(*effect));
	effect->kind = kind;
	return effect;
}

void notice_add(struct mlog *m, enum mlog_notice code, uint64_t value)
{
	struct mlog_effect *effect = effect_add(m, MLOG_NOTICE);

	effect->notice.code = code;
	effect->notice.value = value;
}

void phase_set(struct mlog *m, enum mlog_phase phase)
{
	m->phase = phase;
	atomic_store(&m->hot->shared->phase, (uint32_t)phase);
	atomic_store(&m->hot->shared->open,
		     (phase == MLOG_ACTIVE || phase == MLOG_SUSPENDING) && !m->closed);
}

struct mlog *mlog_create(const struct mlog_config *config, struct hot *hot)
{
	struct mlog *m = calloc(1, sizeof(*m));

	assert(config->region_count > 0 && config->region_count == hot->regions);
	assert(config->lease >= 1 && config->lease <= MLOG_LEASE_MAX);
	assert(config->copies >= 1 && config->copies <= MLOG_COPIES_MAX);
	assert(config->page_bytes >= 8 && config->page_bytes % 8 == 0);
	assert(config->members >= 1 && config->members <= MLOG_MEMBERS_MAX && config->node != 0);
	if (m == NULL)
		return NULL;
	m->config = *config;
	m->hot = hot;
	m->log = config->has_disk ? MLOG_LOG_IDLE : MLOG_LOG_NONE;
	m->timer_ms = NEVER_MS;
	m->slot = MLOG_NO_SLOT;
	m->written_slot = MLOG_NO_SLOT;
	if (!dirty_create(m) || !sync_create(m) || !group_create(m) || !members_create(m))
		return mlog_destroy(m);
	return m;
}

struct mlog *mlog_destroy(struct mlog *m)
{
	if (m == NULL)
		return NULL;
	free((void *)(uintptr_t)m->inherited.in_sync);
	free((void *)(uintptr_t)m->inherited.dirty);
	dirty_destroy(m);
	sync_destroy(m);
	members_destroy(m);
	group_destroy(m);
	free(m);
	return NULL;
}

/* A new daemon carries on with the maps of the last one. What was under way then has to be asked
 * for again by the kernel, so the phases in between fall back to the one before. */
static void restore(struct mlog *m, bool handed_over)
{
	uint32_t phase = atomic_load(&m->hot->shared->phase);
	uint32_t truth = atomic_load(&m->hot->shared->truth);

	hot_gates_reset(m->hot);
	if (phase == MLOG_ATTACHING || phase > MLOG_SUSPENDED)
		phase = truth == MLOG_TRUTH_NONE ? MLOG_CREATED : MLOG_SUSPENDED;
	if (phase == MLOG_DETACHING)
		phase = MLOG_SUSPENDING;
	if (phase == MLOG_ACTIVE || phase == MLOG_SUSPENDING)
		group_restored(m, handed_over);
	phase_set(m, (enum mlog_phase)phase);
	if (phase == MLOG_CREATED)
		return;
	m->attached_once = true;
	repair_load(m);
}

static void handle(struct mlog *m, const struct mlog_event *event)
{
	switch (event->kind) {
	case MLOG_EV_REQUEST:
		request_admit(m, &event->request);
		break;
	case MLOG_EV_CLEARED: /* settling looks at the gates */
	case MLOG_EV_TIMER:
		break;
	case MLOG_EV_RESTORED:
		restore(m, event->handed_over);
		break;
	case MLOG_EV_LOADED:
		device_loaded(m, event->loaded.error, &event->loaded.history);
		break;
	case MLOG_EV_CLAIMED:
		device_claimed(m, event->error);
		break;
	case MLOG_EV_WRITTEN:
		if (event->written.area == MLOG_AREA_SLOT)
			dirty_written(m, event->written.page, event->written.error);
		else
			sync_written(m, event->written.error);
		break;
	case MLOG_EV_RELEASED:
		device_released(m, event->error);
		break;
	case MLOG_EV_COPIED:
		repair_copied(m, event->copied.region, event->copied.result);
		break;
	case MLOG_EV_VERIFY:
		verify_start(m, event->verify.repair, event->verify.region_ns);
		break;
	case MLOG_EV_VERIFY_STOP:
		verify_stop(m);
		break;
	case MLOG_EV_RATE:
		sync_rate(m, event->region_ns);
		break;
	case MLOG_EV_QUIESCE:
		m->quiescing = event->quiesce;
		if (m->quiescing)
			repair_stop(m);
		break;
	case MLOG_EV_RETRY:
		m->retry_ms = m->now_ms;
		break;
	case MLOG_EV_VIEW:
		group_view(m, event->view.node, event->view.count, event->view.quorate);
		break;
	case MLOG_EV_MESSAGE:
		group_message(m, event->message);
		break;
	case MLOG_EV_LOCKED:
		lock_answered(m, event->locked.lock, event->locked.error);
		break;
	case MLOG_EV_SLOT_READ:
		takeover_read(m, event->slot.slot, event->slot.error, event->slot.dirty);
		break;
	case MLOG_EV_SLOT_EMPTIED:
		takeover_emptied(m, event->slot.slot, event->slot.error);
		break;
	case MLOG_EV_ENDED:
		group_end(m);
		break;
	}
}

/* What each begins (an attach, a request of a mirror that has just become active) needs the others
 * once more. */
static void settle(struct mlog *m)
{
	uint64_t at;

	for (int round = 0; round < 2; round++) {
		device_settle(m);
		group_settle(m);
		takeover_settle(m);
		dirty_settle(m);
		sync_settle(m);
		request_settle(m);
		repair_settle(m);
	}
	if (m->quiescing)
		members_hand_over(m);
	atomic_store(&m->hot->shared->whole, m->log == MLOG_LOG_OK && !m->degraded);
	at = min_ms(min_ms(dirty_deadline(m), sync_deadline(m)),
		    min_ms(device_deadline(m), repair_deadline(m)));
	at = min_ms(at, group_deadline(m));
	if (at == m->timer_ms && at > m->now_ms)
		return;
	m->timer_ms = at;
	effect_add(m, MLOG_TIMER)->timer.at_ms = at == NEVER_MS ? 0 : at;
}

void mlog_step(struct mlog *m, const struct mlog_event *event)
{
	assert(m->effect_count == 0);
	m->send_count = 0;
	m->now_ms = event->now_ms;
	if (event->kind == MLOG_EV_TIMER)
		m->timer_ms = NEVER_MS;
	handle(m, event);
	settle(m);
}

bool mlog_next(struct mlog *m, struct mlog_effect *ret)
{
	if (m->effect_count == 0)
		return false;
	*ret = m->effect[m->effect_first];
	m->effect_first = (m->effect_first + 1) % MLOG_EFFECTS_MAX;
	m->effect_count--;
	return true;
}

void mlog_follow(struct mlog *m, const struct mlog *from, bool prepared)
{
	m->follows = m->follows || from->follows || from->attached_once;
	m->prepared = prepared;
	if (peers_ahead(from) && !prepared)
		atomic_store(&m->hot->shared->truth, MLOG_TRUTH_AHEAD);
}

int mlog_inherit(struct mlog *m, const struct mlog *from)
{
	size_t words = bits_words(from->config.region_count);
	/* Who left others behind does not know what they did. */
	bool outdated = from->phase == MLOG_SUSPENDED &&
			atomic_load(&from->hot->shared->truth) != MLOG_TRUTH_MEMORY;
	uint64_t *in_sync;
	uint64_t *dirty;

	if (!from->attached_once)
		return 0;
	in_sync = calloc(words, sizeof(*in_sync));
	dirty = calloc(words, sizeof(*dirty));
	if (in_sync == NULL || dirty == NULL) {
		free(in_sync);
		free(dirty);
		return -ENOMEM;
	}
	free((void *)(uintptr_t)m->inherited.in_sync);
	free((void *)(uintptr_t)m->inherited.dirty);
	for (size_t w = 0; w < words; w++) {
		in_sync[w] = hot_in_sync_word(from->hot, w);
		dirty[w] = hot_repair_word(from->hot, w) | hot_held_word(from->hot, w);
	}
	m->inherited = (struct mlog_history){
	    .load = MLOG_LOAD_CRASHED,
	    .region_count = from->config.region_count,
	    .region_sectors = from->config.region_sectors,
	    .in_sync = in_sync,
	    .dirty = dirty,
	    .distrust = outdated,
	};
	m->inherited_applied = from->applied;
	return 0;
}

uint64_t mlog_word(const struct mlog *m, enum mlog_area area, uint64_t word)
{
	if (area == MLOG_AREA_SLOT)
		return m->image[word];
	return hot_in_sync_word(m->hot, word);
}

uint64_t mlog_kernel_word(const struct mlog *m, uint64_t word)
{
	return hot_in_sync_word(m->hot, word) & ~hot_repair_word(m->hot, word);
}

void mlog_status(const struct mlog *m, struct mlog_status *ret)
{
	*ret = (struct mlog_status){
	    .phase = m->phase,
	    .log = m->log,
	    .region_count = m->config.region_count,
	    .region_sectors = m->config.region_sectors,
	    .in_sync = atomic_load(&m->hot->shared->in_sync_count),
	    .dirty = m->image_count,
	    .repair = m->repair_left,
	    .copying = m->copies_moving,
	    .pending = m->pending_count,
	    .slot_writes = m->slot_pages.written,
	    .sync_writes = m->sync.written,
	    .verifying = m->verifying,
	    .verify_repair = m->verify_repair,
	    .verify_done = m->verify_cursor,
	    .verify_skipped = m->verify_skipped,
	    .verify_differed = m->verify_differed,
	    .verify_repaired = m->verify_repaired,
	    .recovering = sync_recovering(m),
	    .quorate = m->quorate,
	    .slot = m->slot,
	    .members = (uint32_t)__builtin_popcount(members_others(m)) + (m->self != MLOG_NO_SLOT),
	    .gone = members_gone(m),
	};
}

uint32_t mlog_verify_regions(const struct mlog *m, uint64_t *ret, uint32_t cap)
{
	uint32_t count = m->verify_listed < cap ? m->verify_listed : cap;

	memcpy(ret, m->verify_region, count * sizeof(*ret));
	return count;
}

bool mlog_quiet(const struct mlog *m)
{
	return m->pending_count == 0 && m->copy_count == 0 && m->queued_count == 0 &&
	       !m->emptying && m->writing_count == 0 && device_idle(m) &&
	       (m->slot_pages.dirty_count == 0 || !m->config.has_disk);
}

const char *mlog_phase_name(enum mlog_phase phase)
{
	static const char *const name[] = {
	    [MLOG_CREATED] = "created",	    [MLOG_ATTACHING] = "attaching",
	    [MLOG_ACTIVE] = "active",	    [MLOG_SUSPENDING] = "suspending",
	    [MLOG_DETACHING] = "detaching", [MLOG_SUSPENDED] = "suspended",
	};

	return phase <= MLOG_SUSPENDED ? name[phase] : "unknown";
}

const char *mlog_log_state_name(enum mlog_log_state state)
{
	static const char *const name[] = {
	    [MLOG_LOG_NONE] = "none",	    [MLOG_LOG_IDLE] = "idle",
	    [MLOG_LOG_LOADING] = "loading", [MLOG_LOG_CLAIMING] = "claiming",
	    [MLOG_LOG_OK] = "ok",	    [MLOG_LOG_FAILED] = "failed",
	};

	return state <= MLOG_LOG_FAILED ? name[state] : "unknown";
}
