/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kmirrord, and what it does to the legs. One run takes the bios that have come, and then
 *
 *	tells the log what has ended (SET_REGION_SYNC, CLEAR, FLUSH)
 *	looks for work to recover (GET_RESYNC_WORK, IN_SYNC), starts its copy, asks GET_SYNC_COUNT
 *	reads (IN_SYNC)
 *	sorts the writes (IS_REMOTE_RECOVERING, IN_SYNC), counts them (IN_SYNC), marks (MARK, FLUSH),
 *	and sends them out
 *	deals with what has failed (SET_REGION_SYNC)
 *
 * one request after another. Whatever comes meanwhile waits for the next run.
 */
#include <assert.h>
#include <string.h>

#include "test/sim/checker.h"
#include "test/sim/kernel_internal.h"

enum leg_error { WRITE_ERROR, FLUSH_ERROR, SYNC_ERROR, READ_ERROR };

static void kmirrord_go_on(struct thread *t);

void set_reset(struct mirror_set *s)
{
	struct kernel *k = s->kernel;

	log_reset(s);
	set_delayed_cancel(s);
	thread_reset(&s->kmirrord, k, kmirrord_go_on);
	thread_reset(&s->dmlogd, k, dmlogd_go_on);
	memset((char *)s + offsetof(struct mirror_set, reads), 0,
	       sizeof(*s) - offsetof(struct mirror_set, reads));
	s->life++;
	s->kmirrord.set = s;
	s->dmlogd.set = s;
	s->log.luid = 0;
}

/* ---- wake-ups */

static void on_run(void *context, uint64_t argument)
{
	struct mirror_set *s = context;

	if (s->life != argument)
		return;
	s->queued = false;
	s->running = true;
	s->run.reads = s->reads;
	s->run.writes = s->writes;
	s->run.failures = s->failures;
	s->reads = s->writes = s->failures = (struct bio_list){0};
	kmirrord_go_on(&s->kmirrord);
}

static void run_schedule(struct mirror_set *s)
{
	world_after(s->kernel->world, device_wake_us(s->kernel), on_run, s, s->life);
}

void set_wake(struct mirror_set *s)
{
	if (s->queued)
		return;
	s->queued = true;
	if (!s->running)
		run_schedule(s);
}

static void on_delayed(void *context, uint64_t argument)
{
	struct mirror_set *s = context;

	if (s->life != argument)
		return;
	s->wake_delayed = false;
	s->delayed_event = 0;
	set_wake(s);
}

static void wake_delayed(struct mirror_set *s)
{
	if (s->wake_delayed)
		return;
	s->wake_delayed = true;
	s->delayed_event = world_after(s->kernel->world, REQUEUE_US, on_delayed, s, s->life);
}

void set_delayed_cancel(struct mirror_set *s)
{
	world_cancel(s->kernel->world, s->delayed_event);
	s->delayed_event = 0;
	s->wake_delayed = false;
}

/* Only the first of a list wakes kmirrord: behind writes that wait for another node's recovery,
 * others wait too. */
static void list_queue(struct mirror_set *s, struct bio_list *list, struct bio *bio)
{
	bool first = list->head == NULL;

	bio_list_add(list, bio);
	if (first)
		set_wake(s);
}

void set_queue(struct mirror_set *s, struct bio *bio)
{
	list_queue(s, bio->kind == BIO_READ ? &s->reads : &s->writes, bio);
}

/* ---- legs that fail */

static bool any_valid_leg(const struct mirror_set *s, unsigned *ret)
{
	for (unsigned leg = 0; leg < s->table->count; leg++)
		if (s->error_count[leg] == 0) {
			*ret = leg;
			return true;
		}
	return false;
}

static void leg_failed(struct mirror_set *s, unsigned leg, enum leg_error type)
{
	const struct scenario_mirror *plan = plan_of(s);

	s->leg_failure = true;
	s->error_count[leg]++;
	if ((s->error_types[leg] >> type & 1) != 0)
		return;
	s->error_types[leg] |= 1U << type;
	if (!plan->handle_errors || leg != s->default_leg)
		return;
	/* Out of sync, any other leg would give wrong data. */
	if (s->in_sync || plan->keep_log)
		any_valid_leg(s, &s->default_leg);
	world_trace(s->kernel->world, s->kernel->node,
		    "kernel has failed leg %" PRIu64 ", default leg %" PRIu64, leg, s->default_leg,
		    0);
}

/* ---- recovery */

static void on_recovered(void *context, uint64_t argument, const struct legs_copied *result)
{
	struct mirror_set *s = context;

	if (result->read_error)
		leg_failed(s, s->default_leg, SYNC_ERROR);
	for (unsigned leg = 0; leg < s->table->count; leg++)
		if ((result->write_errors >> leg & 1) != 0)
			leg_failed(s, leg, SYNC_ERROR);
	(void)argument;
	world_trace(s->kernel->world, s->kernel->node,
		    "kernel has recovered region %" PRIu64 ", errors %" PRIu64, result->region,
		    result->read_error ? 1 : result->write_errors, 0);
	hash_recovery_ended(s, !result->read_error && result->write_errors == 0);
}

static bool run_recover(struct mirror_set *s)
{
	if (s->recovery != RECOVERY_QUIESCED)
		return true;
	s->recovery = RECOVERY_COPYING;
	world_trace(s->kernel->world, s->kernel->node, "kernel recovers region %" PRIu64,
		    s->recovering, 0, 0);
	legs_copy(s->kernel->legs, s->table, s->kernel->node, LEGS_KERNEL, s->recovering,
		  s->default_leg, LEGS_COPY, on_recovered, s, 0);
	return true;
}

static bool run_sync_count(struct mirror_set *s)
{
	uint64_t count;

	if (s->in_sync)
		return true;
	if (!log_sync_count(&s->kmirrord, &count))
		return false;
	if (count != s->kernel->regions)
		return true;
	s->in_sync = true;
	/* All errors of legs are forgotten with that. */
	s->leg_failure = false;
	for (unsigned leg = 0; leg < SIM_LEGS_MAX; leg++)
		s->error_count[leg] = s->error_types[leg] = 0;
	return true;
}

/* ---- reads */

/* The default leg, or the first good one below it, around the end. */
static bool leg_choose(const struct mirror_set *s, unsigned *ret)
{
	unsigned legs = s->table->count;

	for (unsigned i = 0; i < legs; i++) {
		unsigned leg = (s->default_leg + legs - i) % legs;

		if (s->error_count[leg] == 0) {
			*ret = leg;
			return true;
		}
	}
	return false;
}

static void on_read(void *context, uint64_t argument, int error, uint64_t number)
{
	struct bio *bio = context;
	struct mirror_set *s = bio->set;
	unsigned leg;

	(void)argument;
	if (error == 0) {
		bio->number = number;
		device_bio_ended(bio, BIO_OK);
		return;
	}
	leg_failed(s, bio->leg, READ_ERROR);
	if (s->error_count[s->default_leg] == 0 || leg_choose(s, &leg))
		set_queue(s, bio);
	else
		device_bio_ended(bio, BIO_ERROR);
}

static void read_start(struct bio *bio, unsigned leg)
{
	struct mirror_set *s = bio->set;

	bio->leg = leg;
	legs_read(s->kernel->legs, s->kernel->node, s->table->leg[leg], bio->range.region,
		  bio->range.first, on_read, bio, 0);
}

static bool run_reads(struct mirror_set *s)
{
	enum kernel_region state;
	struct bio *bio;
	unsigned leg;
	bool good;

	while ((bio = s->run.reads.head) != NULL) {
		if (!hash_state(s, bio->range.region, &state))
			return false;
		bio_list_pop(&s->run.reads);
		leg = s->default_leg;
		bio->unasked = s->region[bio->range.region].state == KERNEL_DIRTY;
		if (state == KERNEL_CLEAN || state == KERNEL_DIRTY)
			good = leg_choose(s, &leg);
		else
			good = s->error_count[leg] == 0;
		if (good)
			read_start(bio, leg);
		else
			device_bio_ended(bio, BIO_ERROR);
	}
	return true;
}

/* ---- writes */

static void marked_check(const struct bio *bio)
{
	const struct kernel *k = bio->set->kernel;

	if (bio->kind == BIO_WRITE)
		checker_writes(world_checker(k->world), k->node, k->mirror, bio->range.region);
}

static void on_leg_written(void *context, uint64_t argument, int error)
{
	struct bio *bio = context;
	struct mirror_set *s = bio->set;

	marked_check(bio);
	if (error != 0)
		bio->leg_errors |= 1U << argument;
	if (--bio->legs_left > 0)
		return;
	if (bio->leg_errors == 0) {
		device_bio_ended(bio, BIO_OK);
		return;
	}
	if (bio->kind == BIO_DISCARD) {
		device_bio_ended(bio, BIO_ERROR);
		return;
	}
	for (unsigned leg = 0; leg < s->table->count; leg++)
		if ((bio->leg_errors >> leg & 1) != 0)
			leg_failed(s, leg, WRITE_ERROR);
	list_queue(s, &s->failures, bio);
}

static void leg_write(struct bio *bio, unsigned leg, legs_written done)
{
	const struct mirror_set *s = bio->set;
	struct kernel *k = s->kernel;
	unsigned to = s->table->leg[leg];

	switch (bio->kind) {
	case BIO_WRITE:
		legs_write(k->legs, k->node, to, bio->range, s->misled, bio->number, done, bio,
			   leg);
		break;
	case BIO_DISCARD:
		legs_discard(k->legs, k->node, to, bio->range, done, bio, leg);
		break;
	case BIO_FLUSH:
		legs_flush(k->legs, k->node, to, done, bio, leg);
		break;
	case BIO_READ:
		assert(false && "a read among the writes");
	}
}

/* To all legs, those that have failed too. */
static void write_all(struct bio *bio)
{
	unsigned legs = bio->set->table->count;

	bio->legs_left = legs;
	bio->leg_errors = 0;
	marked_check(bio);
	for (unsigned leg = 0; leg < legs; leg++)
		leg_write(bio, leg, on_leg_written);
}

static void on_default_written(void *context, uint64_t argument, int error)
{
	(void)argument;
	device_bio_ended(context, error == 0 ? BIO_OK : BIO_ERROR);
}

static struct bio_list *list_for(struct mirror_set *s, enum kernel_region state)
{
	switch (state) {
	case KERNEL_NOSYNC:
		return &s->run.nosync;
	case KERNEL_RECOVERING:
		return &s->run.recover;
	case KERNEL_NONE:
	case KERNEL_CLEAN:
	case KERNEL_DIRTY:
		break;
	}
	return &s->run.sync;
}

/* Discards and flushes pass by the log, whatever the state of their region. */
static bool bypasses(const struct bio *bio)
{
	return bio->kind == BIO_DISCARD || bio->kind == BIO_FLUSH;
}

/* Puts the first write on its list. */
static bool write_sort(struct mirror_set *s)
{
	struct bio *bio = s->run.writes.head;
	enum kernel_region state = KERNEL_CLEAN;
	bool remote = false;

	if (!bypasses(bio)) {
		if (!s->run.remote_asked && !log_remote_recovering(s, bio->range.region, &remote))
			return false;
		s->run.remote_asked = !remote;
		if (!remote && !hash_state(s, bio->range.region, &state))
			return false;
		s->run.remote_asked = false;
	}
	bio_list_pop(&s->run.writes);
	bio_list_add(remote ? &s->run.requeue : list_for(s, state), bio);
	return true;
}

static bool run_sort(struct mirror_set *s)
{
	while (s->run.writes.head != NULL)
		if (!write_sort(s))
			return false;
	if (s->run.requeue.head != NULL) {
		bio_list_merge(&s->writes, &s->run.requeue);
		wake_delayed(s);
	}
	s->run.increment = s->run.sync.head;
	return true;
}

static bool increment_all(struct mirror_set *s)
{
	for (; s->run.increment != NULL; s->run.increment = s->run.increment->next)
		if (!bypasses(s->run.increment) &&
		    !hash_increment(s, s->run.increment->range.region))
			return false;
	return true;
}

static bool run_count_sync(struct mirror_set *s)
{
	if (!increment_all(s))
		return false;
	s->run.increment = s->run.nosync.head;
	return true;
}

static bool run_count_nosync(struct mirror_set *s)
{
	return increment_all(s);
}

static bool run_mark(struct mirror_set *s)
{
	int error;

	if (!log_flush(s, &error))
		return false;
	/* For good: a later success changes nothing. */
	if (error != 0)
		s->log_failure = true;
	return true;
}

static void dispatch_sync(struct mirror_set *s)
{
	struct bio *bio;

	if (s->log_failure && plan_of(s)->handle_errors && s->run.sync.head != NULL) {
		bio_list_merge(&s->failures, &s->run.sync);
		set_wake(s);
	}
	/* Without handle_errors they go out although nothing is marked. */
	while ((bio = bio_list_pop(&s->run.sync)) != NULL)
		write_all(bio);
}

static void dispatch_nosync(struct mirror_set *s)
{
	const struct scenario_mirror *plan = plan_of(s);
	struct bio *bio;

	while ((bio = bio_list_pop(&s->run.nosync)) != NULL) {
		if (s->leg_failure && scenario_holds(plan)) {
			bio_list_add(&s->failures, bio);
			set_wake(s);
			continue;
		}
		/* Nobody has heard that the region is stale, nor that the first leg is not the
		 * default any more. */
		bio->leg_errors = (s->misled || s->flush_failure) && s->default_leg != 0;
		leg_write(bio, s->default_leg, on_default_written);
	}
}

static bool run_dispatch(struct mirror_set *s)
{
	dispatch_sync(s);
	bio_list_merge(&s->delayed, &s->run.recover);
	dispatch_nosync(s);
	return true;
}

/* ---- failures */

/* Until the next suspend, which puts it off or fails it. */
static void bio_hold(struct mirror_set *s, struct bio *bio)
{
	if (s->suspending) {
		device_bio_ended(bio, s->kernel->noflush ? BIO_REQUEUE : BIO_ERROR);
		return;
	}
	bio->held = true;
	bio_list_add(&s->holds, bio);
}

static void failure_end(struct mirror_set *s, struct bio *bio)
{
	const struct scenario_mirror *plan = plan_of(s);
	unsigned leg;

	if (!any_valid_leg(s, &leg) || (plan->keep_log && s->log_failure))
		device_bio_ended(bio, BIO_ERROR);
	else if (scenario_holds(plan))
		bio_hold(s, bio);
	else
		device_bio_ended(bio, BIO_OK);
}

static bool run_failures(struct mirror_set *s)
{
	struct bio *bio;

	while ((bio = s->run.failures.head) != NULL) {
		if (!s->log_failure) {
			s->in_sync = false;
			if (!hash_mark_nosync(s, bio))
				return false;
		}
		bio_list_pop(&s->run.failures);
		failure_end(s, bio);
	}
	return true;
}

void set_presuspend(struct mirror_set *s)
{
	struct bio_list holds = s->holds;
	struct bio *bio;

	s->suspending = true;
	s->holds = (struct bio_list){0};
	while ((bio = bio_list_pop(&holds)) != NULL)
		bio_hold(s, bio);
}

/* ---- the run */

static bool (*const steps[])(struct mirror_set *s) = {
    hash_update_states, hash_recovery_prepare, run_recover, run_sync_count, run_reads,	  run_sort,
    run_count_sync,	run_count_nosync,      run_mark,    run_dispatch,   run_failures,
};

static void kmirrord_go_on(struct thread *t)
{
	struct mirror_set *s = t->set;

	while (s->run.step < sizeof(steps) / sizeof(steps[0])) {
		if (!steps[s->run.step](s))
			return;
		s->run.step++;
	}
	s->run.step = 0;
	s->running = false;
	s->runs++;
	if (s->queued)
		run_schedule(s);
	device_poke(s->kernel);
}

bool set_quiet(const struct mirror_set *s)
{
	return !s->running && !s->queued && !s->wake_delayed && s->recovery == RECOVERY_NONE;
}
