/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of a table, as dm-log-userspace has it: each question of the region hash becomes a
 * request, marks and clears wait for a flush and go out in groups of 32, and two shortcuts save
 * requests: the hint (below it nobody is asked whether another node recovers) and the limiter (at
 * most one such question in 250 ms, over all mirrors of the host; in between the answer is yes).
 */
#include <assert.h>

#include "test/sim/kernel_internal.h"

#define CLEARS_PER_LOSS 5000U

void log_reset(struct mirror_set *s)
{
	struct userspace_log *log = &s->log;

	world_cancel(s->kernel->world, log->flush_event);
	log->hint = 0;
	log->marks.count = 0;
	log->clears.count = 0;
	log->flush_step = FLUSH_CLEARS;
	log->flushed = 0;
	log->one_by_one = false;
	log->flush_scheduled = false;
	log->flush_event = 0;
}

void log_uncleared(struct mirror_set *s, uint32_t region)
{
	world_trace(s->kernel->world, s->kernel->node, "kernel does not clear region %" PRIu64,
		    region, 0, 0);
	checker_uncleared(world_checker(s->kernel->world), s->kernel->mirror, region);
}

/* ---- questions */

bool log_in_sync(struct mirror_set *s, uint32_t region, int *ret)
{
	struct thread *t = &s->kmirrord;

	t->word[0] = region;
	if (!thread_request(t, ULOG_IN_SYNC, t->word, 8, 8))
		return false;
	*ret = t->call.error != 0 ? 0 : (int)call_word(&t->call, 0);
	return true;
}

bool log_resync_work(struct mirror_set *s, bool *ret_work, uint64_t *ret_region)
{
	struct thread *t = &s->kmirrord;

	if (t->call.stage == CALL_NONE && s->log.hint >= s->kernel->regions) {
		*ret_work = false;
		return true;
	}
	if (!thread_request(t, ULOG_GET_RESYNC_WORK, NULL, 0, 16))
		return false;
	*ret_work = t->call.error == 0 && (int)call_word(&t->call, 0) > 0;
	*ret_region = call_word(&t->call, 1);
	return true;
}

bool log_set_region_sync(struct mirror_set *s, uint32_t region, bool in_sync)
{
	struct thread *t = &s->kmirrord;

	t->word[0] = region;
	t->word[1] = in_sync;
	return thread_request(t, ULOG_SET_REGION_SYNC, t->word, 16, 0);
}

bool log_sync_count(struct thread *t, uint64_t *ret)
{
	if (!thread_request(t, ULOG_GET_SYNC_COUNT, NULL, 0, 8))
		return false;
	*ret = 0;
	if (t->call.error != 0)
		return true;
	*ret = call_word(&t->call, 0);
	if (*ret >= t->kernel->regions)
		t->set->log.hint = t->kernel->regions;
	return true;
}

bool log_remote_recovering(struct mirror_set *s, uint32_t region, bool *ret)
{
	struct thread *t = &s->kmirrord;
	struct node_host *host = node_host(s->kernel->node);
	uint64_t now_us = world_now_us(s->kernel->world);

	if (t->call.stage == CALL_NONE) {
		*ret = false;
		if (region < s->log.hint)
			return true;
		*ret = true;
		if (host->limiter_us != 0 && now_us < host->limiter_us + LIMITER_US)
			return true;
		host->limiter_us = now_us;
	}
	t->word[0] = region;
	if (!thread_request(t, ULOG_IS_REMOTE_RECOVERING, t->word, 8, 16))
		return false;
	*ret = true;
	if (t->call.error != 0)
		return true;
	s->log.hint = call_word(&t->call, 1);
	*ret = (int)call_word(&t->call, 0) != 0;
	return true;
}

/* ---- marks, clears, flush */

void log_mark(struct mirror_set *s, uint32_t region)
{
	assert(s->log.marks.count < SIM_REGIONS_MAX);
	s->log.marks.region[s->log.marks.count++] = region;
}

void log_clear(struct mirror_set *s, uint32_t region)
{
	/* It may not wait for memory: without it the log is not told. */
	if (random_below(s->kernel->random, CLEARS_PER_LOSS) == 0) {
		log_uncleared(s, region);
		return;
	}
	assert(s->log.clears.count < SIM_REGIONS_MAX);
	s->log.clears.region[s->log.clears.count++] = region;
}

/* The group that goes out next; the last one added is the first. */
static uint32_t group_fill(struct mirror_set *s, const struct region_list *list)
{
	uint32_t left = list->count - s->log.flushed;
	uint32_t count = s->log.one_by_one ? 1 : left < GROUP_MAX ? left : GROUP_MAX;

	for (uint32_t i = 0; i < count; i++)
		s->kmirrord.word[i] = list->region[left - 1 - i];
	return count;
}

/* All regions that were sent, the failed group included, go out again one by one, in the opposite
 * order, and behind them the others. */
static void group_split(struct mirror_set *s, struct region_list *list, uint32_t count)
{
	uint32_t first = list->count - s->log.flushed - count;
	uint32_t last = list->count;

	while (first + 1 < last) {
		uint32_t region = list->region[first];

		list->region[first++] = list->region[--last];
		list->region[last] = region;
	}
	s->log.one_by_one = true;
	s->log.flushed = 0;
}

/* True when all of the list was sent, or an error ended it. */
static bool groups_flush(struct mirror_set *s, struct region_list *list, enum ulog_type type,
			 int *ret_error)
{
	struct thread *t = &s->kmirrord;
	struct userspace_log *log = &s->log;

	*ret_error = 0;
	while (log->flushed < list->count) {
		uint32_t count = group_fill(s, list);

		if (!thread_request(t, type, t->word, count * 8, 0))
			return false;
		if (t->call.error == 0) {
			log->flushed += count;
		} else if (type == ULOG_FLUSH || log->one_by_one) {
			*ret_error = t->call.error;
			break;
		} else {
			group_split(s, list, count);
		}
	}
	log->flushed = 0;
	log->one_by_one = false;
	return true;
}

static void flush_end(struct mirror_set *s)
{
	s->log.marks.count = 0;
	s->log.clears.count = 0;
	s->log.flush_step = FLUSH_CLEARS;
}

static void lazy_flush_cancel(struct mirror_set *s)
{
	world_cancel(s->kernel->world, s->log.flush_event);
	s->log.flush_event = 0;
	s->log.flush_scheduled = false;
}

static void on_lazy_flush(void *context, uint64_t argument)
{
	struct mirror_set *s = context;

	if (s->life != argument)
		return;
	s->log.flush_event = 0;
	s->log.flush_scheduled = false;
	dmlogd_go_on(&s->dmlogd);
}

static void lazy_flush_schedule(struct mirror_set *s)
{
	s->log.flush_scheduled = true;
	s->log.flush_event =
	    world_after(s->kernel->world, LAZY_FLUSH_US, on_lazy_flush, s, s->life);
}

/* An integrated flush has taken the marks. Clears alone are flushed later; a second flush of clears
 * within that time cancels it. */
static void integrated_flushed(struct mirror_set *s, bool marks)
{
	if (!marks && !s->log.flush_scheduled)
		lazy_flush_schedule(s);
	else
		lazy_flush_cancel(s);
}

static bool clears_flush(struct mirror_set *s, int *ret_error)
{
	return groups_flush(s, &s->log.clears, ULOG_CLEAR_REGION, ret_error);
}

static bool marks_flush(struct mirror_set *s, int *ret_error)
{
	bool integrated = plan_of(s)->integrated_flush;

	return groups_flush(s, &s->log.marks, integrated ? ULOG_FLUSH : ULOG_MARK_REGION,
			    ret_error);
}

/* The step under way; a failure ends the flush, marks and clears that were not sent are forgotten.
 */
static bool flush_step(struct mirror_set *s, int *ret_error)
{
	switch (s->log.flush_step) {
	case FLUSH_CLEARS:
		return clears_flush(s, ret_error);
	case FLUSH_MARKS:
		return marks_flush(s, ret_error);
	case FLUSH_FLUSH:
		if (!thread_request(&s->kmirrord, ULOG_FLUSH, NULL, 0, 0))
			return false;
		*ret_error = s->kmirrord.call.error;
		return true;
	}
	return true;
}

bool log_flush(struct mirror_set *s, int *ret_error)
{
	bool integrated = plan_of(s)->integrated_flush;
	enum flush_step last = integrated ? FLUSH_MARKS : FLUSH_FLUSH;
	enum flush_step step;

	*ret_error = 0;
	if (s->log.marks.count == 0 && s->log.clears.count == 0)
		return true;
	do {
		step = s->log.flush_step;
		if (!flush_step(s, ret_error))
			return false;
		s->log.flush_step = step + 1;
	} while (*ret_error == 0 && step != last);
	if (*ret_error == 0 && integrated)
		integrated_flushed(s, s->log.marks.count > 0);
	flush_end(s);
	return true;
}

/* ---- dmlogd */

void dmlogd_go_on(struct thread *t)
{
	/* A failure only raises an event. */
	if (thread_request(t, ULOG_FLUSH, NULL, 0, 0))
		device_poke(t->kernel);
}

bool log_flush_now(struct mirror_set *s)
{
	if (s->log.flush_scheduled) {
		lazy_flush_cancel(s);
		dmlogd_go_on(&s->dmlogd);
	}
	return s->dmlogd.call.stage == CALL_NONE;
}
