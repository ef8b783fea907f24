/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device-mapper device of a log: where its legs are and how they are. What is known is good for
 * LEGS_FRESH_MS; copies that need it wait until it has been looked up again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <qb/qblog.h>

#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/daemon.h"

#define LEGS_FRESH_MS 2000U
#define LEGS_WAIT_MS  2000U

/* Which log asked: the answer must not go to another log of the same uuid. */
struct ticket {
	struct daemon *daemon;
	uint64_t id;
};

static void copy_refused(struct log *log, uint64_t region, enum mlog_copy_result result)
{
	struct mlog_event event = {.kind = MLOG_EV_COPIED};

	event.copied.region = region;
	event.copied.result = result;
	pump_defer(log, &event);
}

/* A dead leg is neither a source nor worth comparing: the region stays to be repaired. */
static bool legs_alive(const struct log *log)
{
	return strspn(log->leg_health, "A") == log->legs.count;
}

/* A region's gate is closed while its copy is out, so no copy queues behind those of other mirrors,
 * whose legs may hang. */
static void copy_start(struct log *log, uint64_t region, enum mlog_copy_mode mode)
{
	struct daemon *d = log->daemon;

	if (!legs_alive(log)) {
		copy_refused(log, region, MLOG_COPY_ERROR);
	} else if (d->copies_out == MOVER_THREADS ||
		   mover_copy(d->mover, log->id, &log->legs, region, log->table.region_sectors,
			      mode) != 0) {
		copy_refused(log, region, MLOG_COPY_LATER);
	} else {
		log->copies_out++;
		d->copies_out++;
	}
}

static void waiting_end(struct log *log, enum mlog_copy_result refused)
{
	struct mlog_event nothing = {.kind = MLOG_EV_TIMER};

	for (unsigned i = 0; i < log->waiting_count; i++) {
		if (refused == MLOG_COPY_SAME)
			copy_start(log, log->waiting[i].region, log->waiting[i].mode);
		else
			copy_refused(log, log->waiting[i].region, refused);
	}
	log->waiting_count = 0;
	if (log->deferred_count > 0)
		pump_event(log, &nothing);
}

static void legs_learn(struct log *log, const struct devmap_mirror *mirror)
{
	memcpy(log->name, mirror->name, sizeof(log->name));
	memcpy(log->leg_health, mirror->leg_health, sizeof(log->leg_health));
	log->legs = mirror->legs;
	log->integrated_flush = mirror->integrated_flush;
	log->handle_errors = mirror->handle_errors;
	log->legs_ms = clock_ms();
}

static void on_found(void *context, const char *uuid, int error, const struct devmap_mirror *mirror)
{
	struct ticket ticket = *(struct ticket *)context;
	struct log *log = registry_find_id(&ticket.daemon->registry, ticket.id);

	free(context);
	if (log == NULL)
		return;
	log->finding = false;
	/* What was asked before an attach may be the table before. */
	if (log->find_again) {
		log->find_again = false;
		legs_refresh(log);
		return;
	}
	if (error == 0)
		legs_learn(log, mirror);
	else
		qb_log(LOG_WARNING, "%s: its device-mapper device was not found: %s", uuid,
		       strerror(-error));
	waiting_end(log, error == 0 ? MLOG_COPY_SAME : MLOG_COPY_ERROR);
}

void legs_refresh(struct log *log)
{
	struct ticket *ticket;

	if (log->finding || log->daemon->restart_ms != 0)
		return;
	ticket = malloc(sizeof(*ticket));
	if (ticket == NULL)
		return;
	*ticket = (struct ticket){.daemon = log->daemon, .id = log->id};
	log->finding = devmap_find(log->daemon->devmap, log->uuid, true, on_found, ticket) == 0;
	if (!log->finding)
		free(ticket);
}

void legs_forget(struct log *log)
{
	log->legs_ms = 0;
	log->find_again = log->finding;
}

void legs_expire(struct log *log)
{
	if (log->waiting_count > 0 && clock_ms() - log->waiting_ms > LEGS_WAIT_MS)
		waiting_end(log, MLOG_COPY_LATER);
}

void legs_copy(struct log *log, uint64_t region, enum mlog_copy_mode mode)
{
	uint32_t suspect = atomic_load(&log->hot.shared->suspect);

	/* Until its device was reset the kernel may write what we think is quiet. */
	if (suspect == SUSPECT_NEW || suspect == SUSPECT_RESETTING) {
		copy_refused(log, region, MLOG_COPY_LATER);
		return;
	}
	if (log->legs_ms != 0 &&
	    (log->copies_out > 0 || clock_ms() - log->legs_ms < LEGS_FRESH_MS)) {
		copy_start(log, region, mode);
		return;
	}
	legs_refresh(log);
	if (!log->finding) {
		copy_refused(log, region, MLOG_COPY_LATER);
		return;
	}
	if (log->waiting_count == 0)
		log->waiting_ms = clock_ms();
	log->waiting[log->waiting_count].region = region;
	log->waiting[log->waiting_count++].mode = mode;
}

static void on_woken(void *context, const char *uuid, int error)
{
	(void)context;
	if (error != 0)
		qb_log(LOG_DEBUG, "%s: not woken: %s", uuid, strerror(-error));
}

void legs_copied(void *context, uint64_t cookie, uint64_t region, enum mlog_copy_result result,
		 int error)
{
	struct daemon *d = context;
	struct log *log = registry_find_id(&d->registry, cookie);
	struct mlog_event event = {.kind = MLOG_EV_COPIED};

	d->copies_out--;
	if (log == NULL)
		return;
	if (error != 0) {
		qb_log(LOG_WARNING, "%s: region %" PRIu64 ": %s", log->uuid, region,
		       strerror(-error));
		log->legs_ms = 0;
	}
	log->copies_out--;
	event.copied.region = region;
	event.copied.result = result;
	pump_event(log, &event);
	/* The kernel was told "no work" for a region that the mover had, and does not ask again
	 * unasked. */
	if (log->copies_out == 0 && d->restart_ms == 0 &&
	    atomic_load(&log->hot.shared->in_sync_count) < log->hot.regions)
		devmap_wake(d->devmap, log->uuid, on_woken, d);
}

static void on_reset(void *context, const char *uuid, int error)
{
	struct daemon *d = context;
	struct log *log = registry_find_uuid(&d->registry, uuid);
	struct mlog_event event = {.kind = MLOG_EV_VERIFY};

	if (log == NULL)
		return;
	if (error != 0)
		qb_log(LOG_WARNING, "%s: could not be suspended and resumed after a gap: %s", uuid,
		       strerror(-error));
	event.verify.repair = true;
	atomic_store(&log->hot.shared->suspect,
		     d->config.compare_after_gap ? SUSPECT_COMPARING : SUSPECT_NO);
	if (d->config.compare_after_gap)
		pump_event(log, &event);
}

void legs_suspect(struct log *log)
{
	bool finish;

	if (log->daemon->restart_ms != 0)
		return; /* the next image finds it suspect */
	finish = atomic_exchange(&log->hot.shared->suspect, SUSPECT_RESETTING) == SUSPECT_RESETTING;
	if (devmap_reset(log->daemon->devmap, log->uuid, finish, on_reset, log->daemon) != 0)
		qb_log(LOG_ERR, "%s: no memory to reset it after a gap", log->uuid);
}
