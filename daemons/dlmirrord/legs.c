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

#include "daemons/common/missing.h"
#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/daemon.h"
#include "daemons/dlmirrord/message_log.h"

#define LEGS_FRESH_MS 2000U
#define LEGS_WAIT_MS  2000U
#define RESET_GAP_MS  10000U
#define RESET_SLOW_MS 30000U
#define LONE_GAP_MS   5000U
#define DROP_GAP_MS   5000U
#define RELOAD_GAP_MS 10000U /* a table that is loaded again and again serves nobody */

static struct mlog_event copied(uint64_t region, enum mlog_copy_result result)
{
	struct mlog_event event = {.kind = MLOG_EV_COPIED};

	event.copied.region = region;
	event.copied.result = result;
	return event;
}

/* A dead leg is neither a source nor worth comparing: the region stays to be repaired. */
static bool legs_alive(const struct log *log)
{
	return strspn(log->leg_health, "A") == log->legs.count;
}

/* A region's gate is closed while its copy is out, so no copy queues behind those of other mirrors,
 * whose legs may hang. */
static bool copy_start(struct log *log, uint64_t region, enum mlog_copy_mode mode,
		       enum mlog_copy_result *ret_refused)
{
	struct daemon *d = log->daemon;

	*ret_refused = legs_alive(log) ? MLOG_COPY_LATER : MLOG_COPY_ERROR;
	if (*ret_refused == MLOG_COPY_ERROR || d->copies_out == MOVER_THREADS ||
	    mover_copy(d->mover, log->id, &log->legs, region, log->table.region_sectors, mode) != 0)
		return false;
	log->copies_out++;
	d->copies_out++;
	return true;
}

/* Begins the copies that waited, or says refused to all of them. */
static void waiting_end(struct log *log, bool begin, enum mlog_copy_result refused)
{
	struct log_copy waiting[MLOG_COPIES_MAX];
	unsigned count = log->waiting_count;

	/* Each answer may make the core ask for another copy, which may have to wait again. */
	memcpy(waiting, log->waiting, sizeof(waiting));
	log->waiting_count = 0;
	for (unsigned i = 0; i < count; i++) {
		struct mlog_event event;

		if (begin && copy_start(log, waiting[i].region, waiting[i].mode, &refused))
			continue;
		event = copied(waiting[i].region, refused);
		pump_event(&log->pump, &event);
	}
}

static bool legs_fresh(const struct log *log)
{
	return log->legs_ms != 0 && clock_ms() - log->legs_ms < LEGS_FRESH_MS;
}

static void on_reloaded(void *context, const char *uuid, int error)
{
	struct log *log = ticket_take(context);

	if (error == 0)
		event_tell(uuid, log != NULL ? log->name : "", NULL, EVENT_TABLE_RELOADED, 0,
			   "its table was loaded again");
	else
		message_log(LOG_WARNING, MSG_TABLE_NOT_RELOADED,
			    "%s: its table could not be loaded again: %s", uuid, strerror(-error));
	if (log != NULL)
		log->reloading = false; /* else the kernel has ended it already */
}

static void reload_start(struct log *log)
{
	struct ticket *ticket = ticket_make(&log->daemon->registry, log);

	if (ticket == NULL)
		return;
	log->reload_ms = clock_ms();
	log->reloading = devmap_reload(log->daemon->devmap, log->uuid, on_reloaded, ticket) == 0;
	if (!log->reloading)
		free(ticket);
}

static bool reload_allowed(const struct log *log)
{
	uint32_t suspect = atomic_load(&log->hot.shared->suspect);

	return !log->reloading && atomic_load(&log->hot.shared->open) != 0 &&
	       !daemon_is_leaving(log->daemon) && suspect != SUSPECT_NEW &&
	       suspect != SUSPECT_RESETTING &&
	       (log->reload_ms == 0 || clock_ms() - log->reload_ms >= RELOAD_GAP_MS);
}

/*
 * The table that is loaded again makes a log of its own, which replaces this one. With a leg
 * missing it would not do: the kernel would begin to trust that leg anew. What cannot be done now
 * is forgotten: the core asks again.
 */
void legs_reload(struct log *log)
{
	log->reload_wanted = false;
	if (!reload_allowed(log))
		return;
	if (!legs_fresh(log)) {
		legs_refresh(log);
		log->reload_wanted = log->finding;
	} else if (legs_alive(log)) {
		reload_start(log);
	}
}

void legs_reloaded(struct log *log, const struct log *from)
{
	uint32_t suspect = atomic_load(&from->hot.shared->suspect);
	uint32_t no = SUSPECT_NO;
	struct mlog_event event = {.kind = MLOG_EV_VERIFY};

	if (from->reload_ms > log->reload_ms)
		log->reload_ms = from->reload_ms;
	/* Until it has been looked up: who asks for it by its name finds it. */
	if (log->name[0] == '\0')
		memcpy(log->name, from->name, sizeof(log->name));
	memcpy(log->leg_told, from->leg_told, sizeof(log->leg_told));
	/* What the kernel has concluded went with the old table, what it wrote then did not. A reset
	 * is over only when the old table's log is gone, so nobody else sees to it. */
	if (suspect == SUSPECT_NO || !log->daemon->config.compare_after_gap ||
	    !atomic_compare_exchange_strong(&log->hot.shared->suspect, &no, SUSPECT_COMPARING))
		return;
	event.verify.repair = true;
	pump_event(&log->pump, &event);
}

static const char *leg_problem(char health)
{
	switch (health) {
	case 'D':
		return "a write failed";
	case 'S':
		return "it missed a write";
	case 'R':
		return "a read failed";
	case 'F':
		return "a flush failed";
	case MISSING_HEALTH:
		return "it was dropped, the mirror goes on without it";
	default:
		return "its state is not known";
	}
}

/* What is new of the legs, one by one. A table that is not live says nothing of them. */
static void legs_tell(struct log *log)
{
	if (log->leg_health[0] == '\0')
		return;
	for (unsigned i = 0; log->leg_health[i] != '\0'; i++) {
		char was = i < strlen(log->leg_told) ? log->leg_told[i] : 'A';
		char now = log->leg_health[i];

		if (now == was)
			continue;
		if (now == 'A')
			event_log(log, EVENT_LEG_BACK, i, "leg %u works again", i);
		else
			event_log(log, EVENT_LEG_FAILED, i, "leg %u: %s", i, leg_problem(now));
	}
	memcpy(log->leg_told, log->leg_health, sizeof(log->leg_told));
}

/* The table that is live while responders may answer is this log's. What it does with writes that a
 * leg has missed is so as long as the log lives. */
static void hold_learn(struct log *log, const struct devmap_mirror *mirror)
{
	bool missing = strchr(mirror->leg_health, MISSING_HEALTH) != NULL;
	uint32_t no = HOT_HOLD_NO;

	if (mirror->live && mirror->handle_errors && (missing || !mirror->keep_log) &&
	    atomic_load(&log->hot.shared->open) != 0)
		atomic_compare_exchange_strong(&log->hot.shared->hold, &no,
					       missing ? HOT_HOLD_VOID : HOT_HOLD_YES);
}

static void legs_learn(struct log *log, const struct devmap_mirror *mirror)
{
	hold_learn(log, mirror);
	memcpy(log->name, mirror->name, sizeof(log->name));
	memcpy(log->leg_health, mirror->leg_health, sizeof(log->leg_health));
	log->legs = mirror->legs;
	log->integrated_flush = mirror->integrated_flush;
	log->handle_errors = mirror->handle_errors;
	log->legs_ms = clock_ms();
	legs_tell(log);
}

static void compare(struct log *log)
{
	struct mlog_event event = {.kind = MLOG_EV_VERIFY};
	bool wanted = log->daemon->config.compare_after_gap;

	event.verify.repair = true;
	atomic_store(&log->hot.shared->suspect, wanted ? SUSPECT_COMPARING : SUSPECT_NO);
	if (wanted)
		pump_event(&log->pump, &event);
}

static void on_lost(void *context, const char *uuid, int error)
{
	struct daemon *d = context;

	if (error != 0)
		message_log(LOG_WARNING, MSG_TABLE_NOT_RELOADED,
			    "%s: its table could not be loaded again: %s; all of it is "
			    "compared when it is used next",
			    uuid, strerror(-error));
	for (size_t i = 0; i < d->registry.count && error == 0; i++) {
		struct log *log = d->registry.log[i];

		/* Another suspicion has its own way. */
		if (strcmp(log->uuid, uuid) == 0 && atomic_load(&log->hot.shared->open) != 0 &&
		    atomic_load(&log->hot.shared->suspect) == SUSPECT_NO)
			compare(log);
	}
}

static void lost_reset(struct daemon *d, const char *uuid)
{
	if (devmap_reset(d->devmap, uuid, false, on_lost, d) != 0)
		message_log(LOG_ERR, MSG_DAEMON_NO_MEMORY, "%s: no memory to reset it", uuid);
}

void legs_lost(struct daemon *d, const char *uuid)
{
	message_log(LOG_WARNING, MSG_HISTORY_UNKNOWN,
		    "%s: nothing is known of it: all of it is compared", uuid);
	lost_reset(d, uuid);
}

/* A kernel does not say RESUME again when nobody heard it, and uses the mirror all the same. While
 * it waits for the answer the device counts as suspended. */
static void resume_lost_settle(struct log *log, const struct devmap_mirror *mirror)
{
	struct mlog_status status;

	mlog_status(log->pump.mlog, &status);
	if (status.phase != MLOG_CREATED || !mirror->live || mirror->suspended ||
	    !control_listens(log))
		return;
	message_log(LOG_WARNING, MSG_HISTORY_UNKNOWN,
		    "%s: the kernel's RESUME was lost: its table is loaded again, and all of it is "
		    "compared",
		    log->uuid);
	lost_reset(log->daemon, log->uuid);
}

static void on_found(void *context, const char *uuid, int error, const struct devmap_mirror *mirror)
{
	struct log *log = ticket_take(context);

	if (log == NULL)
		return;
	log->finding = false;
	/* What was asked before an attach may be the table before. */
	if (log->find_again) {
		log->find_again = false;
		legs_refresh(log);
		if (!log->finding)
			ports_resume_answer(log);
		return;
	}
	if (error == 0)
		legs_learn(log, mirror);
	else
		message_log(LOG_WARNING, MSG_DEVICE_NOT_FOUND,
			    "%s: its device-mapper device was not found: %s", uuid,
			    strerror(-error));
	ports_resume_answer(log);
	waiting_end(log, error == 0, MLOG_COPY_ERROR);
	if (error == 0 && log->reload_wanted)
		legs_reload(log);
	log->reload_wanted = false;
	if (error == 0)
		resume_lost_settle(log, mirror);
}

void legs_refresh(struct log *log)
{
	struct ticket *ticket;

	if (log->finding || daemon_is_leaving(log->daemon))
		return;
	ticket = ticket_make(&log->daemon->registry, log);
	if (ticket == NULL)
		return;
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
		waiting_end(log, false, MLOG_COPY_LATER);
	if (log->resume_withheld && clock_ms() - log->resume_ms > LEGS_WAIT_MS)
		ports_resume_answer(log);
}

/* From within the effect. */
static void copy_refuse(struct log *log, uint64_t region, enum mlog_copy_result refused)
{
	struct mlog_event event = copied(region, refused);

	pump_defer(&log->pump, &event);
}

void legs_copy(struct log *log, uint64_t region, enum mlog_copy_mode mode)
{
	uint32_t suspect = atomic_load(&log->hot.shared->suspect);
	enum mlog_copy_result refused;

	/* Until its device was reset the kernel may write what we think is quiet. */
	if (suspect == SUSPECT_NEW || suspect == SUSPECT_RESETTING) {
		copy_refuse(log, region, MLOG_COPY_LATER);
		return;
	}
	if (log->copies_out > 0 ? log->legs_ms != 0 : legs_fresh(log)) {
		if (!copy_start(log, region, mode, &refused))
			copy_refuse(log, region, refused);
		return;
	}
	legs_refresh(log);
	if (!log->finding) {
		copy_refuse(log, region, MLOG_COPY_LATER);
		return;
	}
	if (log->waiting_count == 0)
		log->waiting_ms = clock_ms();
	log->waiting[log->waiting_count].region = region;
	log->waiting[log->waiting_count++].mode = mode;
}

static void on_dropped(void *context, uint8_t code, const char *text)
{
	struct log *log = ticket_take(context);

	if (log == NULL || code == 0 || log->drop_told)
		return;
	log->drop_told = true;
	message_log(LOG_WARNING, MSG_LEG_NOT_DROPPED,
		    "%s: a leg that has failed was not dropped: %.*s", log->uuid,
		    (int)strcspn(text, "\n"), text);
}

/* Writes wait for a leg. The command knows whether the mirror is to go on without it; other nodes may
 * do it first. What cannot be done now, perhaps it can later. */
void legs_drop_failed(struct log *log)
{
	const char *const word[RUNNER_WORDS] = {"leg", "drop", "--failed", log->uuid};
	struct ticket *ticket;

	if (atomic_load(&log->hot.shared->hold) != HOT_HOLD_MISSED ||
	    atomic_load(&log->hot.shared->open) == 0 || daemon_is_leaving(log->daemon) ||
	    (log->drop_ms != 0 && clock_ms() - log->drop_ms < DROP_GAP_MS) ||
	    errands_crowded(log->daemon->errands))
		return;
	if (log->drop_ms == 0)
		message_log(LOG_WARNING, MSG_WRITE_HELD,
			    "%s: writes wait for a leg that has failed",
			    log->name[0] != '\0' ? log->name : log->uuid);
	log->drop_ms = clock_ms();
	legs_refresh(log);
	ticket = ticket_make(&log->daemon->registry, log);
	if (ticket != NULL && errands_own(log->daemon->errands, word, "", on_dropped, ticket) != 0)
		free(ticket);
}

/*
 * An error on the only leg makes the kernel take the device that stands for the other one for the
 * default, and all I/O fails from then on, also when the leg works again. A table that is loaded anew
 * begins with the first leg.
 */
void legs_lone_again(struct log *log)
{
	if (atomic_load(&log->hot.shared->hold) != HOT_HOLD_VOID || !reload_allowed(log) ||
	    clock_ms() - log->lone_ms < LONE_GAP_MS)
		return;
	log->lone_ms = clock_ms();
	if (log->leg_health[0] != 'A' && log->leg_health[0] != '\0')
		reload_start(log);
	else
		legs_refresh(log);
}

static void on_woken(void *context, const char *uuid, int error)
{
	struct log *log = ticket_take(context);

	if (error != 0)
		qb_log(LOG_DEBUG, "%s: not woken: %s", uuid, strerror(-error));
	if (log == NULL)
		return;
	log->waking = false;
	if (log->wake_again)
		legs_wake(log);
}

/* A read of a mirror whose I/O is held may wait for hours: never more than one. */
void legs_wake(struct log *log)
{
	struct ticket *ticket;

	log->wake_again = log->waking;
	if (log->waking || daemon_is_leaving(log->daemon))
		return;
	ticket = ticket_make(&log->daemon->registry, log);
	if (ticket == NULL)
		return;
	log->waking = devmap_wake(log->daemon->devmap, log->uuid, on_woken, ticket) == 0;
	if (!log->waking)
		free(ticket);
}

void legs_copied(void *context, uint64_t cookie, uint64_t region, enum mlog_copy_result result,
		 int error)
{
	struct daemon *d = context;
	struct log *log = registry_find_id(&d->registry, cookie);
	struct mlog_event event = copied(region, result);

	d->copies_out--;
	if (log == NULL)
		return;
	if (error != 0) {
		message_log(LOG_WARNING, MSG_COPY_FAILED, "%s: region %" PRIu64 ": %s", log->uuid,
			    region, strerror(-error));
		log->legs_ms = 0;
	}
	log->copies_out--;
	pump_event(&log->pump, &event);
	/* The kernel was told "no work" for a region that the mover had, and does not ask again
	 * unasked. */
	if (log->copies_out == 0 && atomic_load(&log->hot.shared->in_sync_count) < log->hot.regions)
		legs_wake(log);
	if (log->copies_out == 0)
		control_copies_ended(log);
}

static void reset_told(struct daemon *d, const char *uuid)
{
	const struct log *log = registry_find_name(&d->registry, uuid);

	event_tell(uuid, log != NULL ? log->name : "", NULL, EVENT_RESET, 0, "reset after a gap");
}

/* All tables of the mirror that wait for it. The one that was reset is gone as a rule, and the one that
 * has taken its place does not wait: legs_reloaded(). */
static void on_reset(void *context, const char *uuid, int error)
{
	struct daemon *d = context;

	if (error != 0)
		message_log(LOG_WARNING, MSG_NOT_RESET,
			    "%s: could not be reset after a gap: %s; again later", uuid,
			    strerror(-error));
	else
		reset_told(d, uuid);
	for (size_t i = 0; i < d->registry.count; i++) {
		struct log *log = d->registry.log[i];

		if (strcmp(log->uuid, uuid) != 0 ||
		    atomic_load(&log->hot.shared->suspect) != SUSPECT_RESETTING)
			continue;
		log->reset_owed = error != 0;
		log->reset_ms = clock_ms();
		log->gone = error == -ENOENT;
		/* A blind one may be copied under the kernel's writes: not before the reset. */
		if (log->gone || (log->reset_owed && log->blind))
			atomic_store(&log->hot.shared->suspect, SUSPECT_NEW);
		else
			compare(log);
	}
}

/* That the mirror was removed was lost with what else overran the receive buffer: its log would be
 * a member, with marks, for ever. A device is not listed any more while its kernel stops recovering
 * (dm_destroy() comes after), so one look is not enough. */
static bool removed_unseen(const struct log *log)
{
	struct mlog_status status;

	mlog_status(log->pump.mlog, &status);
	return log->gone && log->copies_out == 0 && log->waiting_count == 0 &&
	       status.recovering == status.region_count;
}

static void on_reset_again(void *context, const char *uuid, int error)
{
	struct daemon *d = context;

	if (error == 0)
		reset_told(d, uuid);
	for (size_t i = 0; i < d->registry.count; i++) {
		struct log *log = d->registry.log[i];

		if (strcmp(log->uuid, uuid) != 0 || !log->reset_owed)
			continue;
		if (error == -ENOENT && removed_unseen(log)) {
			control_removed(log);
			i--;
			continue;
		}
		log->gone = error == -ENOENT;
		if (error != 0)
			continue;
		log->reset_owed = false;
		compare(log);
	}
}

static void reset_tell(struct log *log)
{
	if (log->reset_told || clock_ms() - log->reset_ms < RESET_SLOW_MS ||
	    atomic_load(&log->hot.shared->suspect) != SUSPECT_RESETTING)
		return;
	log->reset_told = true;
	message_log(
	    LOG_WARNING, MSG_RESET_SLOW,
	    "%s: its reset after a gap has waited for %u s: for I/O of the mirror that does not "
	    "end, or behind a suspend that was killed, which only a reboot of this node mends",
	    log->uuid, RESET_SLOW_MS / 1000);
}

/* Somebody has the device suspended, or a table of his waits. Until the reset the kernel may go on
 * writing one leg only, so what was compared meanwhile is compared again. */
void legs_reset_again(struct log *log)
{
	reset_tell(log);
	if (!log->reset_owed || daemon_is_leaving(log->daemon) ||
	    atomic_load(&log->hot.shared->open) == 0 || clock_ms() - log->reset_ms < RESET_GAP_MS)
		return;
	log->reset_ms = clock_ms();
	devmap_reset(log->daemon->devmap, log->uuid, false, on_reset_again, log->daemon);
}

void legs_suspect(struct log *log, bool finish)
{
	if (daemon_is_leaving(log->daemon))
		return; /* the next image finds it suspect */
	atomic_store(&log->hot.shared->suspect, SUSPECT_RESETTING);
	log->reset_ms = clock_ms();
	log->reset_told = false;
	if (devmap_reset(log->daemon->devmap, log->uuid, finish, on_reset, log->daemon) != 0)
		message_log(LOG_ERR, MSG_DAEMON_NO_MEMORY, "%s: no memory to reset it after a gap",
			    log->uuid);
}
