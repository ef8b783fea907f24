/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What admins may ask and command: the daemon's side of libdlmirror. */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <qb/qblog.h>

#include "codec/admin.h"
#include "daemons/common/message.h"
#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/daemon.h"
#include "daemons/dlmirrord/events.h"
#include "daemons/dlmirrord/logging.h"

static void fill_legs(const struct log *log, struct dlmirror_mirror *ret)
{
	ret->leg_count = log->legs.count;
	for (uint32_t i = 0; i < log->legs.count && i < DLMIRROR_LEGS_MAX; i++) {
		ret->leg[i].major = major(log->legs.leg[i].devno);
		ret->leg[i].minor = minor(log->legs.leg[i].devno);
		ret->leg[i].start_sector = log->legs.leg[i].start_sector;
		ret->leg[i].health = '?';
		if (i < strlen(log->leg_health))
			ret->leg[i].health = log->leg_health[i];
	}
}

static const char member_states[] = {
    [MLOG_MEMBER_JOINING] = 'J',
    [MLOG_MEMBER_READY] = 'R',
    [MLOG_MEMBER_GONE] = 'G',
};

static void fill_members(const struct log *log, const struct mlog_status *status,
			 struct dlmirror_mirror *ret)
{
	ret->clustered = log->daemon->cluster != NULL;
	if (!ret->clustered)
		return;
	ret->quorate = status->quorate;
	ret->slot = status->slot;
	for (uint32_t slot = 0; slot < MLOG_MEMBERS_MAX; slot++) {
		const struct mlog_member *member = mlog_member(log->pump.mlog, slot);

		if (member == NULL || member->state == MLOG_MEMBER_NONE)
			continue;
		ret->member[ret->member_count++] = (struct dlmirror_member){
		    .node = member->node, .slot = slot, .state = member_states[member->state]};
	}
}

static void fill_mirror(const struct log *log, struct dlmirror_mirror *ret)
{
	struct mlog_status status;

	mlog_status(log->pump.mlog, &status);
	memset(ret, 0, sizeof(*ret));
	snprintf(ret->uuid, sizeof(ret->uuid), "%s", log->uuid);
	snprintf(ret->name, sizeof(ret->name), "%s", log->name);
	ret->luid = log->luid;
	snprintf(ret->phase, sizeof(ret->phase), "%s", mlog_phase_name(status.phase));
	snprintf(ret->log_state, sizeof(ret->log_state), "%s", mlog_log_state_name(status.log));
	ret->has_disk = log->table.has_disk;
	ret->integrated_flush = log->integrated_flush;
	ret->handle_errors = log->handle_errors;
	ret->suspect = atomic_load(&log->hot.shared->suspect) != 0;
	if (log->table.has_disk)
		snprintf(ret->log_device, sizeof(ret->log_device), "%s", log->device);
	ret->log_error = -log->log_error;
	ret->length_sectors = log->table.length_sectors;
	ret->region_sectors = status.region_sectors;
	ret->region_count = status.region_count;
	ret->in_sync = status.in_sync;
	ret->dirty = status.dirty;
	ret->repair = status.repair;
	ret->copying = status.copying;
	ret->recovering = status.recovering;
	ret->pending = status.pending;
	ret->log_writes = status.slot_writes + status.sync_writes;
	ret->memory_bytes = log->state.size + sizeof(*log);
	ret->verifying = status.verifying;
	ret->verify_repair = status.verify_repair;
	ret->verify_done = status.verify_done;
	ret->verify_skipped = status.verify_skipped;
	ret->verify_differed = status.verify_differed;
	ret->verify_repaired = status.verify_repaired;
	ret->verify_listed =
	    mlog_verify_regions(log->pump.mlog, ret->verify_region, DLMIRROR_REGIONS_MAX);
	fill_members(log, &status, ret);
	fill_legs(log, ret);
	reload_waits(log->daemon->reloads, log->uuid, ret->reload, sizeof(ret->reload));
	ret->ordered = log->halt_orders > 0;
	ret->order_error = log->halt_error;
	ret->resync_rate = atomic_load(&log->hot.shared->resync_rate);
	ret->revision = log->table.revision;
}

static size_t source_count(void *context)
{
	return ((struct daemon *)context)->registry.count;
}

static void source_mirror(void *context, size_t index, struct dlmirror_mirror *ret)
{
	fill_mirror(((struct daemon *)context)->registry.log[index], ret);
}

static int source_find(void *context, const char *mirror, struct dlmirror_mirror *ret)
{
	struct log *log = registry_find_name(&((struct daemon *)context)->registry, mirror);

	if (log == NULL)
		return -ENOENT;
	fill_mirror(log, ret);
	legs_refresh(log); /* the next answer knows the legs' health of now */
	return 0;
}

static int source_counters(void *context, const char *mirror, struct dlmirror_counters *ret)
{
	struct log *log = registry_find_name(&((struct daemon *)context)->registry, mirror);

	if (log == NULL)
		return -ENOENT;
	for (unsigned i = 0; i < DLMIRROR_TYPES; i++) {
		struct stats_type *from = &log->stats.type[i];

		ret->type[i].count = atomic_load(&from->count);
		ret->type[i].errors = atomic_load(&from->errors);
		ret->type[i].total_us = atomic_load(&from->total_us);
		for (unsigned b = 0; b < DLMIRROR_BUCKETS; b++)
			ret->type[i].bucket[b] = atomic_load(&from->bucket[b]);
	}
	return 0;
}

static int __attribute__((format(printf, 5, 6)))
fail(int error, char *text, size_t size, enum message message, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	message_vmake(text, size, message, format, arguments);
	va_end(arguments);
	return error;
}

/* The log for a command, or NULL and the reason. */
static struct log *log_for(void *context, const char *mirror, char *text, size_t size)
{
	struct log *log = registry_find_name(&((struct daemon *)context)->registry, mirror);

	if (log == NULL)
		fail(0, text, size, MSG_NO_SUCH_MIRROR,
		     "no mirror '%s'; 'dlmirror list' shows those there are", mirror);
	return log;
}

static int source_verify(void *context, const char *mirror, bool repair, uint64_t bytes_s,
			 char *text, size_t size)
{
	struct mlog_event event = {.kind = MLOG_EV_VERIFY};
	struct log *log = log_for(context, mirror, text, size);
	struct mlog_status status;

	if (log == NULL)
		return -ENOENT;
	mlog_status(log->pump.mlog, &status);
	if (status.phase != MLOG_ACTIVE)
		return fail(-EBUSY, text, size, MSG_NOT_ACTIVE, "%s is %s; resume its device first",
			    mirror, mlog_phase_name(status.phase));
	/* Not less than what is being done already. */
	event.verify.repair = repair || atomic_load(&log->hot.shared->suspect) != SUSPECT_NO;
	event.verify.region_ns = rate_region_ns(log, bytes_s);
	pump_event(&log->pump, &event);
	return 0;
}

/* All tables of the mirror: one that is loaded beside another may soon be in use. */
static int source_rate(void *context, const char *mirror, uint64_t bytes_s, char *text, size_t size)
{
	struct daemon *d = context;
	const struct log *log = log_for(context, mirror, text, size);

	if (log == NULL)
		return -ENOENT;
	for (size_t i = 0; i < d->registry.count; i++)
		if (strcmp(d->registry.log[i]->uuid, log->uuid) == 0)
			rate_set(d->registry.log[i], bytes_s);
	return 0;
}

static int source_verify_stop(void *context, const char *mirror, char *text, size_t size)
{
	struct log *log = log_for(context, mirror, text, size);

	if (log == NULL)
		return -ENOENT;
	pump_event(&log->pump, &(struct mlog_event){.kind = MLOG_EV_VERIFY_STOP});
	return 0;
}

static int source_suspend(void *context, const char *mirror, char *text, size_t size)
{
	struct log *log = log_for(context, mirror, text, size);

	return log == NULL ? -ENOENT : halt_suspend(log, text, size);
}

static int source_resume(void *context, const char *mirror, char *text, size_t size)
{
	struct log *log = log_for(context, mirror, text, size);

	return log == NULL ? -ENOENT : halt_resume(log, text, size);
}

static int source_log_retry(void *context, const char *mirror, char *text, size_t size)
{
	struct log *log = log_for(context, mirror, text, size);

	if (log == NULL)
		return -ENOENT;
	pump_event(&log->pump, &(struct mlog_event){.kind = MLOG_EV_RETRY});
	return 0;
}

/* The table as it is. */
static void plan_same(const struct log *log, struct dlmirror_plan *ret)
{
	*ret = (struct dlmirror_plan){.from_sectors = log->table.length_sectors,
				      .from_legs = log->legs.count,
				      .to_sectors = log->table.length_sectors,
				      .to_legs = log->legs.count};
	for (uint32_t i = 0; i < log->legs.count; i++) {
		ret->from_start[i] = log->legs.leg[i].start_sector;
		ret->leg[i].index = i;
	}
}

static int source_reload(void *context, const char *mirror, const struct dlmirror_plan *plan,
			 uint32_t timeout_s, char *text, size_t size)
{
	struct daemon *d = context;
	struct log *log = log_for(context, mirror, text, size);

	return log == NULL ? -ENOENT
			   : reload_begin(d->reloads, log->uuid, plan, "", timeout_s, text, size);
}

static int source_log_replace(void *context, const char *mirror, const char *device,
			      uint32_t timeout_s, char *text, size_t size)
{
	struct daemon *d = context;
	struct log *log = log_for(context, mirror, text, size);
	struct dlmirror_plan plan;

	if (log == NULL)
		return -ENOENT;
	plan_same(log, &plan);
	return reload_begin(d->reloads, log->uuid, &plan, device, timeout_s, text, size);
}

static int source_reload_status(void *context, const char *mirror, struct dlmirror_reload *ret)
{
	struct daemon *d = context;
	struct log *log = registry_find_name(&d->registry, mirror);

	if (log == NULL)
		return -ENOENT;
	reload_status(d->reloads, log->uuid, ret);
	return 0;
}

_Static_assert(ADMIN_MAP_REGIONS <= MLOG_CENSUS_MAX && DLMIRROR_LEASE_MAX == MLOG_LEASE_MAX &&
		   DLMIRROR_CLAIM_MAX == MLOG_COPIES_MAX &&
		   DLMIRROR_MEMBERS_MAX == MLOG_MEMBERS_MAX,
	       "a map holds what the core has");
_Static_assert((int)DLMIRROR_REGION_IN_SYNC == MLOG_REGION_IN_SYNC &&
		   (int)DLMIRROR_REGION_DIRTY == MLOG_REGION_DIRTY &&
		   (int)DLMIRROR_REGION_COPYING == MLOG_REGION_COPYING &&
		   (int)DLMIRROR_REGION_CRASH_DIRTY == MLOG_REGION_CRASH_DIRTY &&
		   (int)DLMIRROR_REGION_STALE == MLOG_REGION_STALE &&
		   (int)DLMIRROR_REGIONS == MLOG_REGIONS,
	       "library and core number the states alike");

static void fill_work(const struct mlog_member *member, uint32_t slot, struct dlmirror_work *ret)
{
	*ret = (struct dlmirror_work){
	    .node = member->node,
	    .slot = slot,
	    .state = member_states[member->state],
	    .lease_any = member->lease_any,
	    .lease_first = member->lease_first,
	    .lease = member->lease,
	};
	if (member->claim_seq == 0)
		return;
	ret->claim_count = member->claim_count;
	memcpy(ret->claim, member->claim, sizeof(ret->claim));
}

static int source_map(void *context, const char *mirror, uint64_t first, uint64_t per_cell,
		      uint32_t cells, struct dlmirror_cell *ret_cells, struct dlmirror_map *ret)
{
	static struct mlog_cell counted[ADMIN_MAP_CELLS];
	struct log *log = registry_find_name(&((struct daemon *)context)->registry, mirror);

	if (log == NULL)
		return -ENOENT;
	mlog_census(log->pump.mlog, first, per_cell, cells, counted);
	for (uint32_t i = 0; i < cells; i++)
		for (unsigned state = 0; state < DLMIRROR_REGIONS; state++)
			ret_cells[i].count[state] = counted[i].count[state];
	ret->region_count = log->hot.regions;
	ret->member_count = 0;
	for (uint32_t slot = 0; slot < MLOG_MEMBERS_MAX; slot++) {
		const struct mlog_member *member = mlog_member(log->pump.mlog, slot);

		if (member != NULL && member->state != MLOG_MEMBER_NONE)
			fill_work(member, slot, &ret->member[ret->member_count++]);
	}
	return 0;
}

_Static_assert(DLMIRROR_STRETCHES_MAX == HOT_STRETCHES_MAX, "all that is counted can be told");

static int source_heat(void *context, const char *mirror, struct dlmirror_heat *ret)
{
	struct log *log = registry_find_name(&((struct daemon *)context)->registry, mirror);

	if (log == NULL)
		return -ENOENT;
	*ret = (struct dlmirror_heat){.luid = log->luid,
				      .length_sectors = log->table.length_sectors,
				      .region_sectors = log->table.region_sectors,
				      .region_count = log->hot.regions,
				      .stretch_regions = UINT64_C(1) << log->hot.heat_shift,
				      .stretch_count = hot_stretches(&log->hot)};
	for (uint32_t i = 0; i < ret->stretch_count; i++)
		ret->marks[i] = atomic_load_explicit(&log->hot.heat[i], memory_order_relaxed);
	return 0;
}

static uint64_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	uint64_t pages = 0;

	if (file != NULL) {
		if (fscanf(file, "%*u %" SCNu64, &pages) != 1)
			pages = 0;
		fclose(file);
	}
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void fill_cluster(const struct daemon *d, struct dlmirror_cluster *ret)
{
	static struct cluster_status status; /* large */

	if (d->cluster == NULL)
		return;
	cluster_status(d->cluster, &status);
	*ret = (struct dlmirror_cluster){
	    .enabled = true,
	    .node = daemon_node(d, NULL),
	    .joined = status.group.joined,
	    .quorate = status.group.quorate,
	    .ring_node = status.group.ring_node,
	    .ring_seq = status.group.ring_seq,
	    .view_count = status.group.view_count,
	    .protocol = status.version,
	    .sent = status.group.sent,
	    .received = status.group.received,
	    .sent_bytes = status.group.sent_bytes,
	    .received_bytes = status.group.received_bytes,
	    .retries = status.group.retries,
	    .queued = status.group.queued,
	    .damaged = status.damaged,
	    .refused = status.group.refused,
	    .reconnects = status.group.reconnects,
	    .locks_joined = status.locks.joined,
	    .locks_recovering = status.locks.recovering,
	    .fencing = status.locks.fencing,
	    .locks_held = status.locks.held,
	    .locks_waiting = status.locks.waiting,
	    .locks_orphans = status.locks.orphans,
	};
	snprintf(ret->name, sizeof(ret->name), "%s", d->owner.cluster);
	snprintf(ret->problem, sizeof(ret->problem), "%s",
		 status.problem != NULL ? status.problem : "");
	memcpy(ret->view, status.group.view, sizeof(ret->view));
}

static void source_daemon(void *context, struct dlmirror_daemon *ret)
{
	struct daemon *d = context;
	const struct responders_counters *counters = responders_counters(d->responders);

	memset(ret, 0, sizeof(*ret));
	snprintf(ret->version, sizeof(ret->version), "%s", PACKAGE_VERSION);
	snprintf(ret->host_id, sizeof(ret->host_id), "%s", d->owner.host_id);
	snprintf(ret->host_name, sizeof(ret->host_name), "%s", d->owner.host_name);
	ret->pid = (uint32_t)getpid();
	ret->mirrors = (uint32_t)d->registry.count;
	ret->responders = d->threads ? d->handover.socket_count : 0;
	ret->uptime_s = (clock_ms() - d->started_ms) / 1000;
	ret->generation = d->handover.generation;
	ret->requests = atomic_load(&counters->requests);
	ret->malformed = atomic_load(&counters->malformed);
	ret->overruns = atomic_load(&counters->overruns);
	ret->stale = atomic_load(&counters->stale);
	ret->unknown_log = atomic_load(&d->unknown_log);
	ret->memory_bytes = resident_bytes();
	fill_cluster(d, &ret->cluster);
}

static int command_stop(struct daemon *d, bool force, char *text, size_t size)
{
	char names[512];
	size_t active = daemon_active(d, names, sizeof(names));

	if (active > 0 && !force)
		return fail(-EBUSY, text, size, MSG_MIRRORS_ACTIVE,
			    "%zu mirrors are active (%s) and would hang; remove them, use 'daemon "
			    "restart', or --force",
			    active, names);
	daemon_stop(d);
	return 0;
}

static int source_command(void *context, enum dlmirror_daemon_command command, const char *argument,
			  char *text, size_t size)
{
	struct daemon *d = context;

	switch (command) {
	case DLMIRROR_DAEMON_RESTART:
		return daemon_restart(d, text, size);
	case DLMIRROR_DAEMON_RESTART_STATUS:
		return daemon_restart_status(d, text, size);
	case DLMIRROR_DAEMON_STOP:
	case DLMIRROR_DAEMON_STOP_FORCE:
		return command_stop(d, command == DLMIRROR_DAEMON_STOP_FORCE, text, size);
	case DLMIRROR_DAEMON_BLACKBOX:
		return logging_blackbox(d->config.state_dir, text, size);
	case DLMIRROR_DAEMON_LOG_LEVEL:
		if (logging_level(argument) != 0)
			return fail(
			    -EINVAL, text, size, MSG_NO_SUCH_LEVEL,
			    "no log level '%s'; there are error, warning, notice, info, debug "
			    "and trace",
			    argument);
		return 0;
	}
	return fail(-EINVAL, text, size, MSG_DAEMON_OTHER_VERSION, "unknown command %d",
		    (int)command);
}

/* ---- the same with the core: what the admin server calls, in the loop */

static size_t admin_count(void *context)
{
	size_t count;

	daemon_enter(context);
	count = source_count(context);
	daemon_leave(context);
	return count;
}

static void admin_mirror(void *context, size_t index, struct dlmirror_mirror *ret)
{
	daemon_enter(context);
	source_mirror(context, index, ret);
	daemon_leave(context);
}

static int admin_find(void *context, const char *mirror, struct dlmirror_mirror *ret)
{
	int error;

	daemon_enter(context);
	error = source_find(context, mirror, ret);
	daemon_leave(context);
	return error;
}

static int admin_counters(void *context, const char *mirror, struct dlmirror_counters *ret)
{
	int error;

	daemon_enter(context);
	error = source_counters(context, mirror, ret);
	daemon_leave(context);
	return error;
}

static int admin_verify(void *context, const char *mirror, bool repair, uint64_t bytes_s,
			char *text, size_t size)
{
	int error;

	daemon_enter(context);
	error = source_verify(context, mirror, repair, bytes_s, text, size);
	daemon_leave(context);
	return error;
}

static int admin_rate(void *context, const char *mirror, uint64_t bytes_s, char *text, size_t size)
{
	int error;

	daemon_enter(context);
	error = source_rate(context, mirror, bytes_s, text, size);
	daemon_leave(context);
	return error;
}

static int admin_verify_stop(void *context, const char *mirror, char *text, size_t size)
{
	int error;

	daemon_enter(context);
	error = source_verify_stop(context, mirror, text, size);
	daemon_leave(context);
	return error;
}

static int admin_suspend(void *context, const char *mirror, char *text, size_t size)
{
	int error;

	daemon_enter(context);
	error = source_suspend(context, mirror, text, size);
	daemon_leave(context);
	return error;
}

static int admin_resume(void *context, const char *mirror, char *text, size_t size)
{
	int error;

	daemon_enter(context);
	error = source_resume(context, mirror, text, size);
	daemon_leave(context);
	return error;
}

static int admin_log_retry(void *context, const char *mirror, char *text, size_t size)
{
	int error;

	daemon_enter(context);
	error = source_log_retry(context, mirror, text, size);
	daemon_leave(context);
	return error;
}

static int admin_reload(void *context, const char *mirror, const struct dlmirror_plan *plan,
			uint32_t timeout_s, char *text, size_t size)
{
	int error;

	daemon_enter(context);
	error = source_reload(context, mirror, plan, timeout_s, text, size);
	daemon_leave(context);
	return error;
}

static int admin_log_replace(void *context, const char *mirror, const char *device,
			     uint32_t timeout_s, char *text, size_t size)
{
	int error;

	daemon_enter(context);
	error = source_log_replace(context, mirror, device, timeout_s, text, size);
	daemon_leave(context);
	return error;
}

static int admin_reload_status(void *context, const char *mirror, struct dlmirror_reload *ret)
{
	int error;

	daemon_enter(context);
	error = source_reload_status(context, mirror, ret);
	daemon_leave(context);
	return error;
}

static int admin_map(void *context, const char *mirror, uint64_t first, uint64_t per_cell,
		     uint32_t cells, struct dlmirror_cell *ret_cells, struct dlmirror_map *ret)
{
	int error;

	daemon_enter(context);
	error = source_map(context, mirror, first, per_cell, cells, ret_cells, ret);
	daemon_leave(context);
	return error;
}

static int admin_heat(void *context, const char *mirror, struct dlmirror_heat *ret)
{
	int error;

	daemon_enter(context);
	error = source_heat(context, mirror, ret);
	daemon_leave(context);
	return error;
}

static int admin_command(void *context, enum dlmirror_daemon_command command, const char *argument,
			 char *text, size_t size)
{
	int error;

	daemon_enter(context);
	error = source_command(context, command, argument, text, size);
	daemon_leave(context);
	return error;
}

static void admin_daemon(void *context, struct dlmirror_daemon *ret)
{
	daemon_enter(context);
	source_daemon(context, ret);
	daemon_leave(context);
}

static void admin_events(void *context, uint64_t record, uint64_t after, struct admin_events *ret)
{
	daemon_enter(context);
	events_read(record, after, ret);
	daemon_leave(context);
}

static int admin_errand(void *context, const struct group_errand *wish, uint64_t *ret_id,
			uint32_t *ret_count, char *text, size_t size)
{
	struct daemon *d = context;
	int error;

	daemon_enter(d);
	error = errands_begin(d->errands, wish, ret_id, ret_count, text, size);
	daemon_leave(d);
	return error;
}

static int admin_errand_result(void *context, uint64_t id, uint32_t index,
			       struct dlmirror_errand_result *ret)
{
	struct daemon *d = context;
	int error;

	daemon_enter(d);
	error = errands_result(d->errands, id, index, ret);
	daemon_leave(d);
	return error;
}

void admin_source_fill(struct daemon *d, struct admin_source *ret)
{
	*ret = (struct admin_source){
	    .context = d,
	    .count = admin_count,
	    .mirror = admin_mirror,
	    .find = admin_find,
	    .counters = admin_counters,
	    .verify = admin_verify,
	    .verify_stop = admin_verify_stop,
	    .rate = admin_rate,
	    .suspend = admin_suspend,
	    .resume = admin_resume,
	    .log_retry = admin_log_retry,
	    .reload = admin_reload,
	    .log_replace = admin_log_replace,
	    .reload_status = admin_reload_status,
	    .daemon = admin_daemon,
	    .command = admin_command,
	    .map = admin_map,
	    .heat = admin_heat,
	    .events = admin_events,
	    .errand = admin_errand,
	    .errand_result = admin_errand_result,
	};
}
