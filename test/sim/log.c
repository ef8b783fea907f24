/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's logs. What control.c, restore.c and legs.c of daemons/dlmirrord decide is decided
 * here in the same way.
 */
#include "test/sim/node_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "codec/disk.h"
#include "test/sim/checker.h"
#include "test/sim/kernel.h"
#include "test/sim/legs.h"
#include "test/sim/locks.h"
#include "test/sim/logdev.h"

#define LATE_WRITE_US	(10 * MS_US)
#define SUSPECT_POLL_US (100 * MS_US)
#define RESET_GAP_US	(10 * SECOND_US)
#define AWAITED_US	(1 * MS_US)
#define LEFT_US		(1 * SECOND_US)

struct log *log_find(struct node *node, uint64_t luid)
{
	for (unsigned i = 0; i < LOGS_MAX; i++)
		if (node->log[i].used && node->log[i].state->luid == luid)
			return &node->log[i];
	return NULL;
}

struct log *log_find_object(struct node *node, uint64_t object)
{
	for (unsigned i = 0; i < LOGS_MAX; i++)
		if (node->log[i].used && node->log[i].object == object)
			return &node->log[i];
	return NULL;
}

/* The one that serves, else any of the mirror. */
static struct log *find_mirror(struct node *node, unsigned mirror)
{
	struct log *found = NULL;

	for (unsigned i = 0; i < LOGS_MAX; i++) {
		struct log *log = &node->log[i];

		if (!log->used || log->mirror->index != mirror)
			continue;
		if (found == NULL || atomic_load(&log->hot.shared->open) != 0)
			found = log;
	}
	return found;
}

const struct mlog *node_mlog(const struct node *node, uint64_t luid)
{
	const struct log *log = log_find((struct node *)node, luid);

	return log == NULL ? NULL : log->pump.mlog;
}

const struct hot *node_hot(const struct node *node, uint64_t luid)
{
	const struct log *log = log_find((struct node *)node, luid);

	return log == NULL ? NULL : &log->hot;
}

const struct hot_shared *node_maps(const struct node *node, uint64_t luid)
{
	for (unsigned i = 0; i < LOGS_MAX; i++)
		if (node->state[i].used && node->state[i].luid == luid)
			return node->state[i].maps;
	return NULL;
}

static enum mlog_phase phase_of(const struct log *log)
{
	struct mlog_status status;

	mlog_status(log->pump.mlog, &status);
	return status.phase;
}

bool log_detached(const struct log *log)
{
	enum mlog_phase phase = phase_of(log);

	return phase == MLOG_CREATED || phase == MLOG_SUSPENDED;
}

/* ---- life of a log */

void log_view(struct log *log)
{
	const struct node *node = log->node;
	struct mlog_event event = {.kind = MLOG_EV_VIEW};

	event.view.node = node->view;
	event.view.count = node->view_count;
	event.view.quorate = node->quorate;
	pump_event(&log->pump, &event);
}

static void core_config(const struct log *log, struct mlog_config *ret)
{
	const struct scenario *s = world_scenario(log->node->world);
	const struct scenario_mirror *plan = log->mirror->plan;

	*ret = (struct mlog_config){
	    .region_count = log->table.region_count,
	    .region_sectors = log->table.region_sectors,
	    .revision = log->table.revision,
	    .sync = log->table.sync,
	    .has_disk = log->table.has_disk,
	    .page_bytes = log->table.has_disk ? plan->page_bytes : DISK_UNIT,
	    .hysteresis_ms = s->hysteresis_ms,
	    .sync_delay_ms = s->sync_delay_ms,
	    .retry_ms = s->retry_ms,
	    .log_timeout_ms = s->log_timeout_ms,
	    .lease = s->lease,
	    .copies = s->copies,
	    .busy_gap_ms = s->busy_gap_ms,
	    .node = node_id(log->node),
	    .members = plan->slots,
	    .incarnation = &log->node->incarnation,
	};
}

struct logdev *log_logdev(const struct log *log)
{
	return legs_logdev(log->mirror, log->table.revision);
}

int log_device_open(struct log *log)
{
	const struct logdev *d = log_logdev(log);

	if (!logdev_works(d, log->node->index))
		return -EIO;
	if (logdev_outdates(d, log->table.revision))
		return -ESTALE;
	log->identity = logdev_identity(d);
	log->claimed = logdev_in_use(d);
	log->prepared = logdev_prepared(d, log->table.revision);
	return 0;
}

static unsigned shift_of(const struct mirror *mirror)
{
	return mirror->plan->has_disk ? mirror->plan->shift : 0;
}

static struct state *state_take(struct node *node, const struct mirror *mirror)
{
	size_t bytes = hot_bytes(SIM_REGIONS_MAX, 0);

	for (unsigned i = 0; i < LOGS_MAX; i++) {
		struct state *s = &node->state[i];

		if (s->used)
			continue;
		if (s->maps == NULL)
			s->maps = world_alloc(node->world, bytes);
		memset(s->maps, 0, bytes);
		s->used = true;
		s->mirror = mirror->index;
		return s;
	}
	return NULL;
}

static struct log *log_take_place(struct node *node, struct state *state)
{
	for (unsigned i = 0; i < LOGS_MAX; i++) {
		struct log *log = &node->log[i];

		if (log->used)
			continue;
		*log = (struct log){.used = true,
				    .node = node,
				    .mirror = world_mirror(node->world, state->mirror),
				    .state = state,
				    .object = ++node->objects};
		return log;
	}
	return NULL;
}

static bool no_memory(const struct node *node)
{
	return world_now_us(node->world) < node->no_memory_until_us;
}

struct meter *log_meter(const struct log *log)
{
	return &log->node->meter[log->mirror->index];
}

static uint64_t region_ns(const struct log *log)
{
	return (uint64_t)world_scenario(log->node->world)->region_ms * 1000000;
}

/* What the admin has set once. */
static void rate_tell(struct log *log)
{
	struct mlog_event event = {.kind = MLOG_EV_RATE, .region_ns = region_ns(log)};

	if (event.region_ns != 0)
		pump_event(&log->pump, &event);
}

static uint32_t hold_of(const struct scenario_mirror *plan)
{
	if (plan->missing)
		return HOT_HOLD_VOID;
	return scenario_holds(plan) ? HOT_HOLD_YES : HOT_HOLD_NO;
}

static void core_create(struct log *log)
{
	bool watched = world_watched(log->node->world);
	size_t before = meter_memory(watched);
	struct mlog_config config;

	core_config(log, &config);
	log->pump = (struct pump){.mlog = mlog_create(&config, &log->hot),
				  .ports = &log_ports,
				  .context = log,
				  .queue = &log->node->queue};
	if (atomic_load(&log->hot.shared->hold) == HOT_HOLD_NO)
		atomic_store(&log->hot.shared->hold, hold_of(log->mirror->plan));
	log_meter(log)->core_bytes = meter_memory(watched) - before;
	log_meter(log)->shared_bytes = hot_bytes(log->table.region_count, shift_of(log->mirror));
}

/* Has this node's kernel used a later table of the mirror? */
static bool outlived(const struct log *log)
{
	for (unsigned i = 0; i < LOGS_MAX; i++) {
		const struct log *other = &log->node->log[i];

		if (other->used && other->mirror == log->mirror &&
		    other->table.revision > log->table.revision && phase_of(other) != MLOG_CREATED)
			return true;
	}
	return false;
}

/* 0, or why it cannot be: then the place is free again. */
static int log_make(struct log *log, bool restoring)
{
	char error[TABLE_ERROR_SIZE];
	int code = table_parse(log->state->args, strlen(log->state->args), &log->table, error);

	if (code == 0 && no_memory(log->node))
		code = -ENOMEM;
	if (code == 0 && log->table.has_disk)
		code = log_device_open(log);
	log->outlived = !restoring && code == -ESTALE && log->state->reconnected && outlived(log);
	if (log->outlived)
		code = 0;
	if (restoring && (code == -EIO || code == -ESTALE))
		code = 0;
	if (code == 0) {
		hot_bind(&log->hot, log->state->maps, log->table.region_count,
			 shift_of(log->mirror));
		core_create(log);
		code = log->pump.mlog == NULL ? -ENOMEM : 0;
	}
	if (code != 0)
		log->used = false;
	return code;
}

static bool mirror_flying(const struct mirror *mirror, const struct node *node, uint64_t object)
{
	for (unsigned d = 0; d < SIM_LOGDEVS; d++)
		if (mirror->logdev[d] != NULL &&
		    logdev_flying(mirror->logdev[d], node->index, object))
			return true;
	return false;
}

static void devices_forgotten(const struct mirror *mirror, const struct node *node)
{
	for (unsigned d = 0; d < SIM_LOGDEVS; d++)
		logdev_forgotten(mirror->logdev[d], node->index);
}

static bool writes_something(const struct node *node, uint64_t object)
{
	for (unsigned m = 0; m < world_mirrors(node->world); m++) {
		if (mirror_flying(world_mirror(node->world, m), node, object))
			return true;
	}
	return false;
}

/* A write may be on its way that needs its locks. */
static void on_object_gone(void *context, uint64_t object)
{
	struct node *node = context;

	if (writes_something(node, object))
		world_after(node->world, LATE_WRITE_US, on_object_gone, node, object);
	else
		locks_object_gone(world_locks(node->world), node->index, object);
}

static void log_destroy(struct log *log)
{
	world_cancel(log->node->world, log->timer);
	log->pump.mlog = mlog_destroy(log->pump.mlog);
	log->used = false;
	on_object_gone(log->node, log->object);
}

static bool mirror_known(const struct node *node, unsigned mirror)
{
	for (unsigned i = 0; i < LOGS_MAX; i++)
		if (node->state[i].used && node->state[i].mirror == mirror)
			return true;
	return false;
}

static void log_end(struct log *log)
{
	log->state->used = false;
	if (!mirror_known(log->node, log->mirror->index))
		devices_forgotten(log->mirror, log->node);
	log_destroy(log);
}

/* ---- requests about logs */

static void reply(struct node *node, const struct mirror *mirror, const struct kmsg *k, int error,
		  const void *data, size_t size)
{
	uint8_t datagram[KMSG_SIZE_MAX];

	node_reply(node, mirror->index, datagram,
		   kmsg_encode_reply(k, error, data, (uint32_t)size, datagram, sizeof(datagram)));
}

/* of: the daemon's life, and the mirror. What that daemon holds now is its kernel's when it dies. */
static void on_orphans(void *context, uint64_t of)
{
	struct node *node = context;
	unsigned mirror = of % SIM_MIRRORS_MAX;

	if (of / SIM_MIRRORS_MAX != node->life)
		return;
	/* A write may be on its way that needs them. */
	if (mirror_flying(world_mirror(node->world, mirror), node, 0))
		world_after(node->world, LATE_WRITE_US, on_orphans, node, of);
	else
		locks_release_orphans(world_locks(node->world), node->index, mirror);
}

static void orphans_unlock(struct node *node, unsigned mirror)
{
	on_orphans(node, node->life * SIM_MIRRORS_MAX + mirror);
}

/* When the node does not have the mirror any more. */
static void orphans_release(struct node *node, unsigned mirror)
{
	if (mirror_known(node, mirror))
		return;
	devices_forgotten(world_mirror(node->world, mirror), node);
	orphans_unlock(node, mirror);
}

static struct mirror *mirror_of(struct node *node, const char *uuid)
{
	for (unsigned m = 0; m < world_mirrors(node->world); m++)
		if (strcmp(world_mirror(node->world, m)->uuid, uuid) == 0)
			return world_mirror(node->world, m);
	return NULL;
}

/* The log device may not have what it knows, and no other table takes that over. */
static void memory_check(const struct log *log)
{
	for (unsigned i = 0; i < LOGS_MAX; i++)
		if (&log->node->log[i] != log && log->node->log[i].used &&
		    log->node->log[i].mirror == log->mirror)
			return;
	if (log->table.has_disk && atomic_load(&log->hot.shared->truth) == MLOG_TRUTH_MEMORY)
		checker_memory_lost(world_checker(log->node->world), log->mirror);
}

static void ctr_reply(struct log *log, const struct kmsg *k, bool reconnect)
{
	bool with_device = log->table.has_disk && !reconnect && k->version >= 2;

	reply(log->node, log->mirror, k, 0, with_device ? log->table.device : NULL,
	      with_device ? strlen(log->table.device) + 1 : 0);
}

/* A table that the kernel could not load, or whose DTR was lost. The real daemon has room for any
 * number of them. */
static bool ghost_end(struct node *node)
{
	for (unsigned i = 0; i < LOGS_MAX; i++) {
		struct log *log = &node->log[i];

		if (log->used && log_detached(log) &&
		    !kernel_has_luid(node->kernel[log->mirror->index], log->state->luid)) {
			log_end(log);
			return true;
		}
	}
	return false;
}

static struct state *state_find(struct node *node, const struct mirror *mirror)
{
	struct state *state = state_take(node, mirror);

	return state == NULL && ghost_end(node) ? state_take(node, mirror) : state;
}

static void ctr_new(struct node *node, struct mirror *mirror, const struct kmsg *k,
		    const char *args, bool reconnect)
{
	struct state *state = state_find(node, mirror);
	struct log *log = state == NULL ? NULL : log_take_place(node, state);
	int code = -ENOMEM;

	if (log != NULL) {
		state->luid = k->luid;
		state->version = k->version;
		state->reconnected = reconnect;
		memcpy(state->args, args, sizeof(state->args));
		code = log_make(log, false);
	}
	if (code != 0) {
		if (state != NULL)
			state->used = false;
		reply(node, mirror, k, code, NULL, 0);
		return;
	}
	atomic_store(&log->hot.shared->last_seq, k->seq);
	if (node->viewed)
		log_view(log);
	rate_tell(log);
	ctr_reply(log, k, reconnect);
	if (reconnect)
		atomic_store(&log->hot.shared->suspect, SUSPECT_NEW);
}

static bool attached_elsewhere(const struct log *log)
{
	for (unsigned i = 0; i < LOGS_MAX; i++) {
		const struct log *other = &log->node->log[i];

		if (other->used && other != log && other->mirror == log->mirror &&
		    !log_detached(other))
			return true;
	}
	return false;
}

/* Nobody reconnects who was heard: what was lost before it, the kernel may have taken for an error.
 */
static void requests_lost(struct log *log)
{
	uint32_t suspect = atomic_load(&log->hot.shared->suspect);

	if (!(log_detached(log) && attached_elsewhere(log)) && suspect != SUSPECT_NEW &&
	    suspect != SUSPECT_RESETTING)
		log_suspect(log);
}

static void table_ended(struct log *log)
{
	pump_event(&log->pump, &(struct mlog_event){.kind = MLOG_EV_ENDED});
	log_end(log);
}

/* Its mover is still at work: it begins nothing more, and what would end it waits. */
static bool copies_awaited(struct log *log)
{
	struct mlog_status status;

	mlog_status(log->pump.mlog, &status);
	if (status.copying == 0)
		return false;
	pump_event(&log->pump, &(struct mlog_event){.kind = MLOG_EV_QUIESCE, .quiesce = true});
	return true;
}

/* False: it has to wait. */
static bool take_ctr(struct node *node, struct mirror *mirror, const struct kmsg *k)
{
	bool reconnect = k->data_size > 0 && k->data[k->data_size - 1] == '\0';
	struct log *log = log_find(node, k->luid);
	char args[KMSG_DATA_MAX + 1] = "";
	bool same;

	if (log != NULL && hot_is_late(&log->hot, k->seq)) {
		ctr_reply(log, k, reconnect); /* it was repeated, and has been obeyed */
		return true;
	}
	memcpy(args, k->data, k->data_size);
	same = log != NULL && strcmp(log->mirror->uuid, k->uuid) == 0 &&
	       strcmp(log->state->args, args) == 0 && (reconnect || phase_of(log) == MLOG_CREATED);
	if (same) {
		ctr_reply(log, k, reconnect);
		if (reconnect) {
			log->state->reconnected = true;
			requests_lost(log);
		}
		return true;
	}
	if (log != NULL && copies_awaited(log))
		return false;
	if (log != NULL)
		table_ended(log); /* without a word */
	ctr_new(node, mirror, k, args, reconnect);
	return true;
}

static bool take_dtr(struct node *node, struct mirror *mirror, struct log *log,
		     const struct kmsg *k)
{
	if (log != NULL && !hot_is_late(&log->hot, k->seq)) {
		if (copies_awaited(log))
			return false;
		memory_check(log);
		table_ended(log);
		orphans_release(node, mirror->index);
	}
	reply(node, mirror, k, 0, NULL, 0);
	return true;
}

static void take_status(struct log *log, const struct kmsg *k)
{
	char text[KMSG_DATA_MAX];
	struct mlog_status status;
	int length;

	mlog_status(log->pump.mlog, &status);
	if (k->type == ULOG_STATUS_INFO)
		length = table_status_info(&log->table, "253:0", status.log != MLOG_LOG_FAILED,
					   text, sizeof(text));
	else
		length = table_status_table(&log->table, text, sizeof(text));
	if (length < 0)
		reply(log->node, log->mirror, k, length, NULL, 0);
	else
		reply(log->node, log->mirror, k, 0, text, (size_t)length + 1);
}

static bool others_awaited(const struct log *log)
{
	bool awaited = false;

	for (unsigned i = 0; i < LOGS_MAX; i++) {
		struct log *other = &log->node->log[i];

		if (other->used && other != log && other->mirror == log->mirror &&
		    !log_detached(other))
			awaited = copies_awaited(other) || awaited;
	}
	return awaited;
}

static bool others_known(const struct log *log)
{
	for (unsigned i = 0; i < LOGS_MAX; i++)
		if (log->node->log[i].used && &log->node->log[i] != log &&
		    log->node->log[i].mirror == log->mirror)
			return true;
	return false;
}

/* Does its log device tell all that the table before it knew on another one? */
static bool succeeds(const struct log *log, const struct log *from)
{
	return phase_of(from) == MLOG_SUSPENDED && log->prepared &&
	       log->table.revision > from->table.revision && log_logdev(log) != log_logdev(from);
}

/* A table reload hands the device over; where that is not to be had, the new log takes over what
 * the old one knows in memory. -EBUSY: that has to wait; -ENOMEM: it is to be asked again. */
static int inherit(struct log *log)
{
	if (phase_of(log) != MLOG_CREATED)
		return 0;
	if (others_awaited(log))
		return -EBUSY;
	if (no_memory(log->node) && others_known(log))
		return -ENOMEM;
	for (unsigned i = 0; i < LOGS_MAX; i++) {
		struct log *from = &log->node->log[i];
		struct mlog_status other;

		if (!from->used || from == log || from->mirror != log->mirror)
			continue;
		log->follows = true;
		log->succeeds = succeeds(log, from);
		mlog_follow(log->pump.mlog, from->pump.mlog, log->succeeds);
		mlog_status(from->pump.mlog, &other);
		if (!log_detached(from)) {
			/* It was suspended while no daemon listened, or that was lost: two tables
			 * of one device cannot be in use. */
			if (!log->table.has_disk)
				mlog_inherit(log->pump.mlog, from->pump.mlog);
			log_end(from);
		} else if (other.phase == MLOG_SUSPENDED && !log->succeeds &&
			   (!log->table.has_disk || other.log == MLOG_LOG_FAILED ||
			    other.log == MLOG_LOG_NONE)) {
			mlog_inherit(log->pump.mlog, from->pump.mlog);
		}
	}
	return 0;
}

/* Somebody in the kernel waits with a table that is not in use any more, and has found the daemon
 * again: that is no attach, and what it asks is no matter. */
static bool is_straggler(struct log *log, const struct mlog_request *request)
{
	if (log->outlived)
		return true;
	if (!log_detached(log) || !attached_elsewhere(log))
		return false;
	if (phase_of(log) == MLOG_SUSPENDED)
		return true;
	return !kmsg_proves_use(request, log->state->reconnected) &&
	       request->type != ULOG_GET_REGION_SIZE && request->type != ULOG_GET_SYNC_COUNT;
}

/* The table of this log is in use, so another that looks so is not any more. */
static bool replaces(const struct log *log, const struct mlog_request *request)
{
	return request->type == ULOG_RESUME || (log_detached(log) && attached_elsewhere(log) &&
						kmsg_proves_use(request, log->state->reconnected));
}

static void straggler_answer(struct log *log, const struct kmsg *k)
{
	static const uint64_t nothing[2];

	reply(log->node, log->mirror, k, 0, nothing, kmsg_reply_size(k->type));
}

static bool take_request(struct log *log, const struct kmsg *k)
{
	struct mlog_event event = {.kind = MLOG_EV_REQUEST};
	int code = 0;

	if (kmsg_request(k, log->hot.regions, &event.request) != KMSG_OK) {
		reply(log->node, log->mirror, k, -EINVAL, NULL, 0);
		return true;
	}
	if (is_straggler(log, &event.request)) {
		straggler_answer(log, k);
		return true;
	}
	if (replaces(log, &event.request))
		code = inherit(log);
	if (code != 0) /* without memory it is not heard: the kernel asks again */
		return code != -EBUSY;
	if (k->type == ULOG_RESUME && log_detached(log) && !attached_elsewhere(log))
		orphans_unlock(log->node, log->mirror->index);
	pump_event(&log->pump, &event);
	if (k->type == ULOG_RESUME && atomic_load(&log->hot.shared->suspect) == SUSPECT_NEW)
		log_suspect(log);
	return true;
}

static void take_cleared(struct log *log, const struct kmsg *k)
{
	struct mlog_event event = {.kind = MLOG_EV_CLEARED};

	if (kmsg_request(k, log->hot.regions, &event.request) == KMSG_OK)
		pump_event(&log->pump, &event);
}

static void verify(struct log *log, bool repair);
static void on_suspects(void *context, uint64_t life);

static bool restore_log(struct node *node, struct state *state, bool handed_over)
{
	struct mlog_event event = {.kind = MLOG_EV_RESTORED};
	struct log *log;
	uint32_t suspect;

	state->reconnected = true; /* if it was, the last daemon knew */
	log = log_take_place(node, state);
	if (log == NULL || log_make(log, true) != 0)
		return false;
	event.handed_over = handed_over && (log->identity != 0 || !log->table.has_disk);
	pump_event(&log->pump, &event);
	rate_tell(log);
	/* When all daemons are replaced at once, each has forgotten the others' marks. */
	if (!log->table.has_disk)
		checker_repair_all(world_checker(node->world), log->mirror);
	suspect = atomic_load(&log->hot.shared->suspect);
	if (!handed_over && suspect != SUSPECT_RESETTING)
		atomic_store(&log->hot.shared->suspect, SUSPECT_NEW);
	if (suspect == SUSPECT_RESETTING)
		log_suspect(log);
	else if (suspect == SUSPECT_COMPARING && handed_over)
		verify(log, true);
	return true;
}

static bool has_log(const struct node *node, const struct state *state)
{
	for (unsigned i = 0; i < LOGS_MAX; i++)
		if (node->log[i].used && node->log[i].state == state)
			return true;
	return false;
}

/* What could not be restored when the daemon started; false: some is left still. */
static bool restore_left(struct node *node)
{
	bool all = true;

	for (unsigned i = 0; i < LOGS_MAX; i++) {
		struct state *state = &node->state[i];

		if (!state->used || has_log(node, state))
			continue;
		if (!restore_log(node, state, false)) {
			all = false;
			continue;
		}
		if (node->viewed)
			log_view(log_find(node, state->luid));
		world_after(node->world, SUSPECT_POLL_US, on_suspects, node, node->life);
	}
	return all;
}

static void on_left(void *context, uint64_t life)
{
	struct node *node = context;

	if (life == node->life && (node_busy(node, on_left, node, life) != 0 || restore_left(node)))
		return;
	if (life == node->life)
		world_after(node->world, LEFT_US, on_left, node, life);
}

static bool is_left(const struct node *node, uint64_t luid)
{
	for (unsigned i = 0; i < LOGS_MAX; i++)
		if (node->state[i].used && node->state[i].luid == luid)
			return !has_log(node, &node->state[i]);
	return false;
}

/* False: it has to wait for copies of a log that it ends. */
static bool take(struct node *node, const uint8_t *datagram, size_t size, bool cleared)
{
	struct mirror *mirror;
	struct log *log;
	struct kmsg k;

	if (kmsg_decode(datagram, size, &k) != KMSG_OK)
		return true; /* it has been reported */
	mirror = mirror_of(node, k.uuid);
	assert(mirror != NULL);
	if (k.type == ULOG_CTR && !cleared && !restore_left(node)) {
		/* It may need what another knows. */
		reply(node, mirror, &k, -ENOMEM, NULL, 0);
		return true;
	}
	log = log_find(node, k.luid);
	if (log != NULL && log->mirror != mirror && k.type != ULOG_CTR)
		log = NULL;
	if (cleared) {
		if (log != NULL)
			take_cleared(log, &k);
		return true;
	}
	if (k.type == ULOG_CTR)
		return take_ctr(node, mirror, &k);
	if (k.type == ULOG_DTR && is_left(node, k.luid))
		return true; /* asked again in 15 s */
	if (k.type == ULOG_DTR)
		return take_dtr(node, mirror, log, &k);
	if (log != NULL && k.type != ULOG_STATUS_INFO && k.type != ULOG_STATUS_TABLE)
		return take_request(log, &k);
	if (log != NULL)
		take_status(log, &k);
	else
		reply(node, mirror, &k, -ESRCH, NULL, 0);
	return true;
}

struct awaiting {
	struct node *node;
	size_t size;
	uint8_t datagram[KMSG_SIZE_MAX];
};

static void on_awaited(void *context, uint64_t life)
{
	struct awaiting *a = context;

	if (a->node->life != life || node_busy(a->node, on_awaited, a, life) != 0)
		return;
	if (!take(a->node, a->datagram, a->size, false))
		world_after(a->node->world, AWAITED_US, on_awaited, a, life);
}

void log_take(struct node *node, const uint8_t *datagram, size_t size, bool cleared)
{
	struct awaiting *a;

	if (take(node, datagram, size, cleared))
		return;
	a = world_alloc(node->world, sizeof(*a));
	a->node = node;
	a->size = size;
	memcpy(a->datagram, datagram, size);
	world_after(node->world, AWAITED_US, on_awaited, a, node->life);
}

/* ---- suspects: the kernel may have concluded something wrong while nobody answered */

static bool recovers(const struct log *log)
{
	struct mlog_status status;

	mlog_status(log->pump.mlog, &status);
	return status.recovering < status.region_count;
}

/* The daemon's own look at device-mapper (legs.c): its mirror was removed, and that was lost with
 * what else the sockets could not take. The device is not listed any more while its kernel stops
 * recovering, so one look is not enough. */
static void on_reset_again(void *context, uint64_t object)
{
	struct node *node = context;
	struct log *log = log_find_object(node, object);
	bool gone;

	if (log == NULL || node_busy(node, on_reset_again, node, object) != 0)
		return;
	log->resetting = atomic_load(&log->hot.shared->suspect) == SUSPECT_RESETTING;
	if (!log->resetting)
		return;
	gone = kernel_luid(node->kernel[log->mirror->index]) == 0;
	if (log->gone && gone && !recovers(log) && node->daemon == DAEMON_UP) {
		unsigned mirror = log->mirror->index;

		node->marker[mirror] = log->table.has_disk;
		memory_check(log);
		table_ended(log);
		orphans_release(node, mirror);
		return;
	}
	log->gone = gone;
	world_after(node->world, RESET_GAP_US, on_reset_again, node, object);
}

/* The daemon's own look at device-mapper again: the mirror is in use, and its RESUME was lost. */
static bool resume_lost(const struct log *log)
{
	const struct kernel *k = log->node->kernel[log->mirror->index];

	return phase_of(log) == MLOG_CREATED && kernel_active(k) &&
	       kernel_luid(k) == log->state->luid;
}

bool log_in_doubt(const struct log *log)
{
	return atomic_load(&log->hot.shared->open) != 0 || resume_lost(log);
}

void log_suspect(struct log *log)
{
	atomic_store(&log->hot.shared->suspect, SUSPECT_RESETTING);
	agent_reset(&log->node->agent[log->mirror->index]);
	if (!log->resetting)
		world_after(log->node->world, RESET_GAP_US, on_reset_again, log->node, log->object);
	log->resetting = true;
}

static void verify(struct log *log, bool repair)
{
	struct mlog_event event = {.kind = MLOG_EV_VERIFY};

	event.verify.repair = repair;
	event.verify.region_ns = region_ns(log) / 2;
	if (repair)
		checker_repair_all(world_checker(log->node->world), log->mirror);
	pump_event(&log->pump, &event);
}

void node_reset_done(struct node *node, unsigned mirror)
{
	struct log *log = find_mirror(node, mirror);

	if (node->daemon != DAEMON_UP || log == NULL)
		return;
	atomic_store(&log->hot.shared->suspect, SUSPECT_COMPARING);
	verify(log, true);
}

void node_verify(struct node *node, unsigned mirror, bool repair)
{
	struct log *log = find_mirror(node, mirror);

	if (node->daemon == DAEMON_UP && log != NULL && phase_of(log) == MLOG_ACTIVE)
		verify(log, repair || atomic_load(&log->hot.shared->suspect) != SUSPECT_NO);
}

/* After a start: as soon as a suspect mirror serves again. */
static void on_suspects(void *context, uint64_t life)
{
	struct node *node = context;
	bool waits = false;

	if (life != node->life)
		return;
	for (unsigned i = 0; i < LOGS_MAX; i++) {
		struct log *log = &node->log[i];
		uint32_t suspect;

		if (!log->used)
			continue;
		suspect = atomic_load(&log->hot.shared->suspect);
		if (suspect == SUSPECT_NEW && log_in_doubt(log))
			log_suspect(log);
		else if (suspect == SUSPECT_NEW)
			waits = true;
	}
	if (waits)
		world_after(node->world, SUSPECT_POLL_US, on_suspects, node, life);
}

/* ---- a daemon starts and ends */

static bool restore(struct node *node, struct state *state, bool handed_over)
{
	struct kernel *k = node->kernel[state->mirror];

	if (!handed_over && kernel_luid(k) == 0 && !kernel_has_luid(k, state->luid)) {
		state->used = false;
		orphans_release(node, state->mirror);
		return true;
	}
	return restore_log(node, state, handed_over);
}

void log_restore_all(struct node *node, bool handed_over)
{
	bool left = false;

	for (unsigned i = 0; i < LOGS_MAX; i++)
		if (node->state[i].used)
			left = !restore(node, &node->state[i], handed_over) || left;
	if (left)
		world_after(node->world, LEFT_US, on_left, node, node->life);
	world_after(node->world, SUSPECT_POLL_US, on_suspects, node, node->life);
}

void logs_drop(struct node *node)
{
	for (unsigned i = 0; i < LOGS_MAX; i++) {
		struct log *log = &node->log[i];

		if (!log->used)
			continue;
		world_cancel(node->world, log->timer);
		log->pump.mlog = mlog_destroy(log->pump.mlog);
		log->used = false;
	}
	/* Whoever died within a step leaves the queue as it was. */
	node->queue.running = NULL;
	node->queue.count = 0;
}

void logs_quiesce(struct node *node, bool quiesce)
{
	for (unsigned i = 0; i < LOGS_MAX; i++)
		if (node->log[i].used)
			pump_event(&node->log[i].pump, &(struct mlog_event){.kind = MLOG_EV_QUIESCE,
									    .quiesce = quiesce});
}

bool logs_quiet(const struct node *node)
{
	for (unsigned i = 0; i < LOGS_MAX; i++)
		if (node->log[i].used && !mlog_quiet(node->log[i].pump.mlog))
			return false;
	return true;
}
