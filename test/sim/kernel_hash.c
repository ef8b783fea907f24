/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The region hash of a table: which regions have writes in flight, and what is known of their being
 * in sync.
 *
 *	(not there) --write, IN_SYNC 1--> DIRTY --last write ended--> CLEAN --next run--> (not there),
 *	     |                             ^ |                          |                 CLEAR sent
 *	     |                             +-|----------write-----------+
 *	     |                               | a leg failed
 *	     |                               v
 *	     +------write, IN_SYNC 0-----> NOSYNC: stays, and its writes go to the default leg only,
 *	     |                             without a mark
 *	     |
 *	     +------work to recover------> RECOVERING: writes are delayed --copied--> (not there)
 *
 * NOSYNC ends with a recovery by this node or with the table; neither a suspend nor another node's
 * recovery changes it.
 */
#include <assert.h>

#include "test/sim/kernel_internal.h"

/* ---- the clean list: newest last */

static void clean_add(struct mirror_set *s, uint32_t region)
{
	s->region[region].state = KERNEL_CLEAN;
	s->region[region].listed = true;
	s->clean.region[s->clean.count++] = region;
}

static void clean_remove(struct mirror_set *s, uint32_t region)
{
	uint32_t at = 0;

	if (!s->region[region].listed)
		return;
	while (s->clean.region[at] != region)
		at++;
	s->clean.count--;
	for (; at < s->clean.count; at++)
		s->clean.region[at] = s->clean.region[at + 1];
	s->region[region].listed = false;
}

/* ---- questions */

bool hash_state(struct mirror_set *s, uint32_t region, enum kernel_region *ret)
{
	int in_sync;

	if (s->kmirrord.call.stage == CALL_NONE && s->region[region].state != KERNEL_NONE) {
		*ret = s->region[region].state;
		return true;
	}
	if (!log_in_sync(s, region, &in_sync))
		return false;
	/* Exactly 1, and nothing is remembered. */
	*ret = in_sync == 1 ? KERNEL_CLEAN : KERNEL_NOSYNC;
	return true;
}

/* Makes sure that the region is there. */
static bool hash_find(struct mirror_set *s, uint32_t region)
{
	int in_sync;

	if (s->region[region].state != KERNEL_NONE)
		return true;
	if (!log_in_sync(s, region, &in_sync))
		return false;
	/* Here anything but 0 counts as in sync. */
	if (in_sync != 0)
		clean_add(s, region);
	else
		s->region[region].state = KERNEL_NOSYNC;
	return true;
}

bool hash_increment(struct mirror_set *s, uint32_t region)
{
	struct region *r = &s->region[region];

	if (!hash_find(s, region))
		return false;
	r->pending++;
	if (r->state == KERNEL_CLEAN) {
		clean_remove(s, region);
		r->state = KERNEL_DIRTY;
		log_mark(s, region);
	}
	return true;
}

void hash_decrement(struct mirror_set *s, uint32_t region)
{
	struct region *r = &s->region[region];

	assert(r->pending > 0);
	if (--r->pending > 0)
		return;
	if (r->state == KERNEL_RECOVERING) {
		/* After a failed flush the real one forgets this recovery, and the next suspend
		 * waits for it for ever: of no use here. */
		s->recovery = RECOVERY_QUIESCED;
	} else if (s->flush_failure) {
		/* Who knows whether this write reached the disk? It stays marked, and the log is
		 * not told that it is out of sync. */
		if (r->state == KERNEL_DIRTY)
			log_uncleared(s, region);
		r->state = KERNEL_NOSYNC;
	} else if (r->state == KERNEL_DIRTY) {
		clean_add(s, region);
	}
	set_wake(s);
}

/* ---- recovery */

static void recovery_stoppable(struct mirror_set *s)
{
	s->may_recover = true;
	device_poke(s->kernel);
}

/* The delayed writes first, then those who wait for the end of recovery. */
static void recovery_over(struct mirror_set *s)
{
	struct bio *bio;

	s->recovery = RECOVERY_NONE;
	while ((bio = bio_list_pop(&s->delayed)) != NULL)
		set_queue(s, bio);
	recovery_stoppable(s);
}

static bool work_valid(struct mirror_set *s)
{
	if (s->run.work < s->kernel->regions)
		return true;
	world_violation(s->kernel->world, "reply",
			"node %" PRIu32 " is to recover region %" PRIu64 " of %" PRIu32,
			node_id(s->kernel->node), s->run.work, s->kernel->regions);
	return false;
}

static void recovery_prepared(struct mirror_set *s)
{
	struct region *r = &s->region[s->run.work];

	clean_remove(s, (uint32_t)s->run.work);
	r->state = KERNEL_RECOVERING;
	s->recovering = (uint32_t)s->run.work;
	s->recovery = r->pending > 0 ? RECOVERY_QUIESCING : RECOVERY_QUIESCED;
}

bool hash_recovery_prepare(struct mirror_set *s)
{
	struct run *run = &s->run;

	if (!run->preparing && !s->may_recover)
		return true;
	/* Whoever wants to stop recovery waits for this to end. */
	run->preparing = true;
	s->may_recover = false;
	if (!run->has_work) {
		if (!log_resync_work(s, &run->has_work, &run->work))
			return false;
		run->has_work = run->has_work && work_valid(s);
	}
	if (run->has_work && !hash_find(s, (uint32_t)run->work))
		return false;
	run->preparing = false;
	if (run->has_work)
		recovery_prepared(s);
	else
		recovery_stoppable(s);
	run->has_work = false;
	return true;
}

void hash_recovery_ended(struct mirror_set *s, bool good)
{
	s->recovery = good ? RECOVERY_DONE : RECOVERY_FAILED;
	set_wake(s);
}

/* ---- what changes at the start of each run */

static void recovered_take(struct mirror_set *s)
{
	bool good = s->recovery == RECOVERY_DONE;

	s->run.recovered = good || s->recovery == RECOVERY_FAILED;
	if (!s->run.recovered)
		return;
	s->region[s->recovering] = (struct region){.state = KERNEL_NONE};
	if (good)
		log_clear(s, s->recovering);
	s->run.good = good || !plan_of(s)->handle_errors;
	if (s->run.good && !good)
		checker_forgive(world_checker(s->kernel->world), s->kernel->mirror, s->recovering);
}

static void clean_take(struct mirror_set *s)
{
	s->run.clean = s->clean;
	s->clean.count = 0;
	for (uint32_t i = 0; i < s->run.clean.count; i++)
		s->region[s->run.clean.region[i]] = (struct region){.state = KERNEL_NONE};
}

static void clean_clear(struct mirror_set *s)
{
	for (uint32_t i = s->run.clean.count; i > 0; i--)
		log_clear(s, s->run.clean.region[i - 1]);
	s->run.clean.count = 0;
}

bool hash_update_states(struct mirror_set *s)
{
	int error;

	/* What ends while the log is being told belongs to the next run. */
	if (!s->run.taken) {
		s->run.taken = true;
		recovered_take(s);
		clean_take(s);
	}
	if (s->run.recovered) {
		if (!log_set_region_sync(s, s->recovering, s->run.good))
			return false;
		s->run.recovered = false;
		recovery_over(s);
	}
	clean_clear(s);
	/* What the log says to its clears is not looked at. */
	if (!log_flush(s, &error))
		return false;
	s->run.taken = false;
	return true;
}

/* ---- a write failed */

bool hash_mark_nosync(struct mirror_set *s, const struct bio *bio)
{
	struct region *r = &s->region[bio->range.region];

	if (bio->kind == BIO_FLUSH) {
		s->flush_failure = true;
		return true;
	}
	if (bio->kind == BIO_DISCARD)
		return true;
	if (!s->run.told) {
		if (!log_set_region_sync(s, bio->range.region, false))
			return false;
		assert(r->state != KERNEL_NONE && !r->listed);
		s->run.told = true;
		s->run.quiescing = r->state == KERNEL_RECOVERING;
		r->state = KERNEL_NOSYNC;
	}
	/* It was to be recovered once its writes had ended: that is off. */
	if (s->run.quiescing) {
		if (!log_set_region_sync(s, bio->range.region, false))
			return false;
		recovery_over(s);
	}
	s->run.told = false;
	return true;
}
