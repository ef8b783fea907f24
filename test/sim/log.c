/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's logs. What control.c, restore.c, ports.c, log_device.c and legs.c of
 * daemons/dlmirrord decide is decided here in the same way.
 */
#include "test/sim/node_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "codec/disk.h"
#include "codec/trace.h"
#include "test/sim/change.h"
#include "test/sim/checker.h"
#include "test/sim/logdev.h"
#include "test/sim/cpg.h"
#include "test/sim/kernel.h"
#include "test/sim/locks.h"
#include "test/sim/mover.h"

#define TIMER_URGENT_MS	  200U
#define TIMER_MULTIPLE_MS 64U
#define LATE_WRITE_US	  (10 * MS_US)
#define SUSPECT_POLL_US	  (100 * MS_US)
#define RESET_GAP_US	  (10 * SECOND_US)
#define STATE_WORDS	  64U /* of a STATE message */
#define WAKE_US		  (1 * MS_US)
#define AWAITED_US	  (1 * MS_US)
#define LEFT_US		  (1 * SECOND_US)

static const struct pump_ports ports;

struct log *log_find(struct node *node, uint64_t luid)
{
	for (unsigned i = 0; i < LOGS_MAX; i++)
		if (node->log[i].used && node->log[i].state->luid == luid)
			return &node->log[i];
	return NULL;
}

static struct log *find_object(struct node *node, uint64_t object)
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

/* Neither attached nor on the way. */
static bool detached(const struct log *log)
{
	enum mlog_phase phase = phase_of(log);

	return phase == MLOG_CREATED || phase == MLOG_SUSPENDED;
}

/* ---- life of a log */

static void view_tell(struct log *log)
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

static int device_open(struct log *log)
{
	const struct logdev *d = log->mirror->logdev;

	if (!logdev_works(d, log->node->index))
		return -EIO;
	if (logdev_outdates(d, log->table.revision))
		return -ESTALE;
	log->identity = logdev_identity(d);
	log->claimed = logdev_in_use(d);
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

static struct meter *meter_of(const struct log *log)
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
				  .ports = &ports,
				  .context = log,
				  .queue = &log->node->queue};
	if (atomic_load(&log->hot.shared->hold) == HOT_HOLD_NO)
		atomic_store(&log->hot.shared->hold, hold_of(log->mirror->plan));
	meter_of(log)->core_bytes = meter_memory(watched) - before;
	meter_of(log)->shared_bytes = hot_bytes(log->table.region_count, shift_of(log->mirror));
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
		code = device_open(log);
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

static bool writes_something(const struct node *node, uint64_t object)
{
	for (unsigned m = 0; m < world_mirrors(node->world); m++) {
		const struct logdev *device = world_mirror(node->world, m)->logdev;

		if (device != NULL && logdev_flying(device, node->index, object))
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
		logdev_forgotten(log->mirror->logdev, log->node->index);
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
	const struct logdev *device = world_mirror(node->world, mirror)->logdev;

	if (of / SIM_MIRRORS_MAX != node->life)
		return;
	/* A write may be on its way that needs them. */
	if (device != NULL && logdev_flying(device, node->index, 0))
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
	logdev_forgotten(world_mirror(node->world, mirror)->logdev, node->index);
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

		if (log->used && detached(log) &&
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
		view_tell(log);
	rate_tell(log);
	ctr_reply(log, k, reconnect);
	if (reconnect)
		atomic_store(&log->hot.shared->suspect, SUSPECT_NEW);
}

static bool attached_elsewhere(const struct log *log)
{
	for (unsigned i = 0; i < LOGS_MAX; i++) {
		const struct log *other = &log->node->log[i];

		if (other->used && other != log && other->mirror == log->mirror && !detached(other))
			return true;
	}
	return false;
}

/* Nobody reconnects who was heard: what was lost before it, the kernel may have taken for an error.
 */
static void requests_lost(struct log *log)
{
	uint32_t suspect = atomic_load(&log->hot.shared->suspect);

	if (!(detached(log) && attached_elsewhere(log)) && suspect != SUSPECT_NEW &&
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

		if (other->used && other != log && other->mirror == log->mirror && !detached(other))
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
		mlog_follow(log->pump.mlog, from->pump.mlog);
		mlog_status(from->pump.mlog, &other);
		if (!detached(from)) {
			/* It was suspended while no daemon listened, or that was lost: two tables
			 * of one device cannot be in use. */
			if (!log->table.has_disk)
				mlog_inherit(log->pump.mlog, from->pump.mlog);
			log_end(from);
		} else if (other.phase == MLOG_SUSPENDED &&
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
	if (!detached(log) || !attached_elsewhere(log))
		return false;
	if (phase_of(log) == MLOG_SUSPENDED)
		return true;
	return !kmsg_proves_use(request, log->state->reconnected) &&
	       request->type != ULOG_GET_REGION_SIZE && request->type != ULOG_GET_SYNC_COUNT;
}

/* The table of this log is in use, so another that looks so is not any more. */
static bool replaces(const struct log *log, const struct mlog_request *request)
{
	return request->type == ULOG_RESUME || (detached(log) && attached_elsewhere(log) &&
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
	if (k->type == ULOG_RESUME && detached(log) && !attached_elsewhere(log))
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
			view_tell(log_find(node, state->luid));
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
	struct log *log = find_object(node, object);
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

/* ---- the group */

/* mirror: whose message it is; SIM_MIRRORS_MAX: none's. */
static void post(struct node *node, unsigned mirror, const uint8_t *datagram, size_t size)
{
	node->meter[mirror].sent++;
	node->meter[mirror].sent_bytes += size;
	cpg_send(world_cpg(node->world), node->index, datagram, size);
}

static void hello(struct node *node)
{
	uint8_t datagram[GROUP_HEADER_SIZE];
	int size = group_encode_hello(&node->versions, node_id(node), datagram, sizeof(datagram));

	assert(size > 0);
	post(node, SIM_MIRRORS_MAX, datagram, (size_t)size);
}

void node_group_view(struct node *node, uint32_t mask, bool quorate)
{
	bool more = false;

	world_trace(node->world, node, "view, nodes %" PRIx64 ", quorate %" PRIu64, mask, quorate,
		    0);
	for (uint32_t i = 0; i < SIM_NODES_MAX; i++) {
		bool known = false;

		for (uint32_t k = 0; k < node->view_count && node->viewed; k++)
			known = known || node->view[k] == i + 1;
		more = more || ((mask >> i & 1) != 0 && !known);
	}
	node->view_count = 0;
	for (uint32_t i = 0; i < SIM_NODES_MAX; i++)
		if ((mask >> i & 1) != 0)
			node->view[node->view_count++] = i + 1;
	node->viewed = true;
	node->quorate = quorate;
	group_versions_view(&node->versions, node->view, node->view_count);
	if (more)
		hello(node);
	for (unsigned i = 0; i < LOGS_MAX; i++)
		if (node->log[i].used)
			view_tell(&node->log[i]);
}

static void send(struct node *node, const struct mirror *mirror, const struct mlog_message *message)
{
	uint8_t datagram[GROUP_MESSAGE_MAX];
	uint64_t begun_ns = meter_begin(world_watched(node->world));
	int size = group_encode(&node->versions, &node->name[mirror->index], message, datagram,
				sizeof(datagram));

	meter_end(&node->meter[mirror->index], begun_ns);
	if (size < 0)
		world_violation(node->world, "message", "node %u sends a bad message of kind %d",
				node_id(node), (int)message->kind);
	else
		post(node, mirror->index, datagram, (size_t)size);
}

/* Nobody here knows that mirror. */
static void have_none(struct node *node, const struct mirror *mirror,
		      const struct mlog_message *join)
{
	struct mlog_message none = {.kind = MLOG_MSG_NONE,
				    .from = node_id(node),
				    .incarnation = node->starts << 20,
				    .seq = 1};

	none.none.to = join->from;
	none.none.incarnation = join->incarnation;
	send(node, mirror, &none);
}

/* A table that is not in use must not speak for the node while another of the mirror is. */
static bool listens(const struct log *log)
{
	for (unsigned i = 0; i < LOGS_MAX && detached(log); i++) {
		const struct log *other = &log->node->log[i];

		if (other->used && other->mirror == log->mirror && !detached(other))
			return false;
	}
	return true;
}

static void received(struct node *node, unsigned mirror, size_t size, uint64_t begun_ns)
{
	node->meter[mirror].received++;
	node->meter[mirror].received_bytes += size;
	meter_end(&node->meter[mirror], begun_ns);
}

void node_group_message(struct node *node, const uint8_t *datagram, size_t size, uint64_t place)
{
	static struct group_room room;
	struct mlog_event event = {.kind = MLOG_EV_MESSAGE};
	struct mlog_message message;
	struct group_header header;
	unsigned mirror = 0;
	bool known = false;
	bool joins;
	uint64_t begun_ns = meter_begin(world_watched(node->world));
	int error = group_decode(datagram, size, node->versions.own, &header, &room, &message);

	if (error == -EPROTONOSUPPORT)
		return;
	if (error != 0) {
		world_violation(node->world, "message", "node %u cannot decode one: %d",
				node_id(node), error);
		return;
	}
	group_versions_seen(&node->versions, header.node, header.highest);
	if (header.hello) {
		received(node, SIM_MIRRORS_MAX, size, begun_ns);
		return;
	}
	while (!group_mirror_same(&node->name[mirror], &header.mirror))
		mirror++;
	received(node, mirror, size, begun_ns);
	joins = message.kind == MLOG_MSG_JOIN;
	/* Nobody here has a state while the new table is put in force: it would be told so. */
	if (joins &&
	    change_outdates(world_change(node->world, mirror), node, message.join.revision))
		return;
	event.message = &message;
	for (unsigned i = 0; i < LOGS_MAX; i++) {
		struct log *log = &node->log[i];
		uint64_t hash;

		if (!log->used || log->mirror->index != mirror)
			continue;
		known = true;
		if (!listens(log))
			continue;
		pump_event(&log->pump, &event);
		hash = mlog_state_hash(log->pump.mlog);
		if (hash != 0 && !node_doomed(node))
			checker_state(world_checker(node->world), node, log->mirror, place, hash);
	}
	if (!known && joins && message.from != node_id(node))
		have_none(node, world_mirror(node->world, mirror), &message);
}

/* ---- answers of the other ports */

void node_locked(struct node *node, uint64_t object, uint32_t lock, int error)
{
	struct log *log = find_object(node, object);
	struct mlog_event event = {.kind = MLOG_EV_LOCKED};

	if (log == NULL)
		return;
	event.locked.lock = lock;
	event.locked.error = error;
	pump_event(&log->pump, &event);
}

static void slot_done(struct log *log, enum mlog_event_kind kind, const struct logdev_answer *a)
{
	struct mlog_event event = {.kind = kind};

	event.slot.slot = a->request->slot;
	event.slot.error = a->error;
	event.slot.dirty = a->dirty;
	pump_event(&log->pump, &event);
}

/* All nodes lost power when a change had been decided and nobody had written yet: what the device
 * says is about other legs. */
static bool of_other_legs(const struct log *log, const struct logdev_answer *a)
{
	return a->request->whole && !log->follows && a->revision < log->table.revision;
}

static void loaded(struct log *log, const struct logdev_answer *a)
{
	struct mlog_event event = {.kind = MLOG_EV_LOADED};

	event.loaded.error = a->error;
	event.loaded.history = a->history;
	event.loaded.history.distrust =
	    log->node->marker[log->mirror->index] || of_other_legs(log, a);
	pump_event(&log->pump, &event);
}

static void claimed(struct log *log, int error)
{
	log->claimed = log->claimed || error == 0;
	pump_event(&log->pump, &(struct mlog_event){.kind = MLOG_EV_CLAIMED, .error = error});
	if (atomic_load(&log->hot.shared->whole) != 0)
		log->node->marker[log->mirror->index] = false;
}

static void written(struct log *log, const struct logdev_answer *a)
{
	struct mlog_event event = {.kind = MLOG_EV_WRITTEN};

	event.written.area = a->request->area;
	event.written.page = a->request->page;
	event.written.error = a->error;
	pump_event(&log->pump, &event);
}

void node_device_done(struct node *node, unsigned mirror, const struct logdev_answer *a)
{
	struct log *log = find_object(node, a->request->object);

	(void)mirror;
	if (log == NULL)
		return;
	if (a->error != 0)
		checker_repair_all(world_checker(node->world), log->mirror);
	if (a->error == -ENXIO) {
		log->identity = 0;
		log->claimed = false;
	}
	switch (a->request->kind) {
	case LOGDEV_LOAD:
		loaded(log, a);
		break;
	case LOGDEV_CLAIM:
		claimed(log, a->error);
		break;
	case LOGDEV_WRITE:
		written(log, a);
		break;
	case LOGDEV_RELEASE:
		pump_event(&log->pump,
			   &(struct mlog_event){.kind = MLOG_EV_RELEASED, .error = a->error});
		break;
	case LOGDEV_READ_SLOT:
		slot_done(log, MLOG_EV_SLOT_READ, a);
		break;
	case LOGDEV_EMPTY_SLOT:
		slot_done(log, MLOG_EV_SLOT_EMPTIED, a);
		break;
	}
}

void node_copied(struct node *node, uint64_t object, uint64_t region, enum mlog_copy_result result)
{
	struct log *log = find_object(node, object);
	struct mlog_event event = {.kind = MLOG_EV_COPIED};

	if (log == NULL)
		return;
	event.copied.region = region;
	event.copied.result = result;
	pump_event(&log->pump, &event);
}

/* ---- ports */

static uint64_t port_now_ms(void *context)
{
	return node_now_ms(((struct log *)context)->node);
}

static void port_step_begin(void *context, const struct mlog_event *event)
{
	struct log *log = context;

	(void)event;
	log->step_ns = meter_begin(world_watched(log->node->world));
}

static void port_step_end(void *context)
{
	const struct log *log = context;

	meter_end(meter_of(log), log->step_ns);
}

static void port_reply(void *context, const struct mlog_reply *r)
{
	const struct log *log = context;
	uint64_t begun_ns = meter_begin(world_watched(log->node->world));
	uint8_t datagram[KMSG_SIZE_MAX];
	size_t size;
	struct kmsg k = {
	    .cn_seq = r->seq,
	    .version = log->state->version,
	    .luid = log->state->luid,
	    .seq = r->seq,
	    .type = r->type,
	    .request_type = (uint32_t)r->type,
	};

	snprintf(k.uuid, sizeof(k.uuid), "%s", log->mirror->uuid);
	size = kmsg_encode_mlog_reply(&k, r, datagram, sizeof(datagram));
	meter_end(meter_of(log), begun_ns);
	node_reply(log->node, log->mirror->index, datagram, size);
}

static void words_of(const struct log *log, enum mlog_area area, uint64_t *ret)
{
	uint64_t bits = area == MLOG_AREA_SLOT ? hot_slot_bits(&log->hot) : log->hot.regions;

	for (uint64_t w = 0; w < bits_words(bits); w++)
		ret[w] = mlog_word(log->pump.mlog, area, w);
}

static void request_of(const struct log *log, enum logdev_kind kind, uint32_t slot,
		       struct logdev_request *ret)
{
	*ret = (struct logdev_request){.kind = kind,
				       .node = log->node->index,
				       .object = log->object,
				       .identity = log->identity,
				       .revision = log->table.revision,
				       .slot = slot};
}

static void submit(const struct log *log, const struct logdev_request *request)
{
	if (request->kind != LOGDEV_LOAD && request->kind != LOGDEV_READ_SLOT)
		meter_of(log)->log_writes++;
	logdev_submit(log->mirror->logdev, request);
}

static int ready(struct log *log)
{
	return log->identity != 0 ? 0 : device_open(log);
}

static void defer_error(struct log *log, enum mlog_event_kind kind, int error)
{
	struct mlog_event event = {.kind = kind};

	if (kind == MLOG_EV_LOADED)
		event.loaded.error = error;
	else
		event.error = error;
	pump_defer(&log->pump, &event);
}

static void port_load(void *context, uint32_t slot, bool whole)
{
	struct log *log = context;
	struct logdev_request request;
	int error = ready(log);

	if (error != 0) {
		defer_error(log, MLOG_EV_LOADED, error);
		return;
	}
	request_of(log, LOGDEV_LOAD, slot, &request);
	request.whole = whole;
	submit(log, &request);
}

static void port_claim(void *context, uint32_t slot, bool whole)
{
	struct log *log = context;
	struct logdev_request request;
	int error = ready(log);

	if (error != 0) {
		defer_error(log, MLOG_EV_CLAIMED, error);
		return;
	}
	request_of(log, LOGDEV_CLAIM, slot, &request);
	request.whole = whole;
	words_of(log, MLOG_AREA_SLOT, request.bits);
	words_of(log, MLOG_AREA_SYNC, request.sync);
	submit(log, &request);
}

static void port_write(void *context, enum mlog_area area, uint64_t page)
{
	struct log *log = context;
	struct mlog_status status;
	struct logdev_request request;

	if (!log->claimed) {
		struct mlog_event event = {.kind = MLOG_EV_WRITTEN};

		event.written.area = area;
		event.written.page = page;
		event.written.error = -ESTALE;
		pump_defer(&log->pump, &event);
		return;
	}
	mlog_status(log->pump.mlog, &status);
	request_of(log, LOGDEV_WRITE, status.slot, &request);
	request.area = area;
	request.page = page;
	words_of(log, area, area == MLOG_AREA_SLOT ? request.bits : request.sync);
	submit(log, &request);
}

static void port_release(void *context, uint32_t slot, bool whole)
{
	struct log *log = context;
	struct logdev_request request;

	if (!log->claimed) {
		defer_error(log, MLOG_EV_RELEASED, -ESTALE);
		return;
	}
	log->claimed = false;
	request_of(log, LOGDEV_RELEASE, slot, &request);
	request.whole = whole;
	for (uint64_t w = 0; whole && w < bits_words(log->hot.regions); w++)
		request.sync[w] = mlog_kernel_word(log->pump.mlog, w);
	submit(log, &request);
}

static void slot_submit(struct log *log, enum logdev_kind kind, enum mlog_event_kind answer,
			uint32_t slot)
{
	struct logdev_request request;
	struct mlog_event event = {.kind = answer};

	/* Only a load or a claim opens a device. */
	if (log->identity != 0) {
		request_of(log, kind, slot, &request);
		submit(log, &request);
		return;
	}
	event.slot.slot = slot;
	event.slot.error = -ENODEV;
	pump_defer(&log->pump, &event);
}

static void port_read_slot(void *context, uint32_t slot)
{
	slot_submit(context, LOGDEV_READ_SLOT, MLOG_EV_SLOT_READ, slot);
}

static void port_empty_slot(void *context, uint32_t slot)
{
	slot_submit(context, LOGDEV_EMPTY_SLOT, MLOG_EV_SLOT_EMPTIED, slot);
}

static void port_copy(void *context, uint64_t region, enum mlog_copy_mode mode)
{
	struct log *log = context;
	struct node *node = log->node;
	uint32_t suspect = atomic_load(&log->hot.shared->suspect);
	struct mlog_event event = {.kind = MLOG_EV_COPIED};

	/* Until its device was reset the kernel may write what the core thinks is quiet. */
	if (suspect == SUSPECT_NEW || suspect == SUSPECT_RESETTING) {
		event.copied.region = region;
		event.copied.result = MLOG_COPY_LATER;
		pump_defer(&log->pump, &event);
		return;
	}
	mover_copy(node, log->mirror, log->table.revision, log->object, region, mode,
		   world_now_us(node->world) < node->mover_fails_until_us);
}

static void on_timer(void *context, uint64_t object)
{
	struct log *log = context;

	if (!log->used || log->object != object)
		return;
	log->timer = node_busy(log->node, on_timer, log, object);
	if (log->timer == 0)
		pump_event(&log->pump, &(struct mlog_event){.kind = MLOG_EV_TIMER});
}

static void port_timer(void *context, uint64_t at_ms)
{
	struct log *log = context;
	struct world *w = log->node->world;
	uint64_t now = node_now_ms(log->node);
	uint64_t at = at_ms > now ? at_ms : now + 1;

	world_cancel(w, log->timer);
	log->timer = 0;
	if (at_ms == 0)
		return;
	if (at_ms > now + TIMER_URGENT_MS)
		at += TIMER_MULTIPLE_MS - at % TIMER_MULTIPLE_MS;
	log->timer = world_after(w, node_until_us(log->node, at), on_timer, log, log->object);
}

static void port_notice(void *context, enum mlog_notice code, uint64_t value)
{
	struct log *log = context;
	struct node *node = log->node;
	struct kernel *kernel = node->kernel[log->mirror->index];
	bool *marker = &node->marker[log->mirror->index];
	struct mlog_status status;

	switch (code) {
	case MLOG_NOTICE_ATTACHED:
		/* Nobody has seen all that happened: it compares everything. */
		if (!log->table.has_disk && value > 0)
			checker_repair_all(world_checker(node->world), log->mirror);
		kernel_status(kernel); /* so that it asks for the count */
		break;
	case MLOG_NOTICE_DETACHED:
		if (atomic_load(&log->hot.shared->truth) != MLOG_TRUTH_MEMORY) {
			*marker = false;
			logdev_forgotten(log->mirror->logdev, node->index);
		}
		node->unread[log->mirror->index] = false;
		mlog_status(log->pump.mlog, &status);
		checker_detached(world_checker(node->world), log->mirror, status.slot);
		break;
	case MLOG_NOTICE_LOG_FAILED:
		checker_repair_all(world_checker(node->world), log->mirror);
		*marker = true;
		node->unread[log->mirror->index] = value != ESTALE;
		mlog_status(log->pump.mlog, &status);
		if (status.in_sync == 0)
			logdev_feared(log->mirror->logdev, node->index);
		break;
	case MLOG_NOTICE_LOG_OK:
		*marker = false;
		node->unread[log->mirror->index] = false;
		break;
	case MLOG_NOTICE_STARVED:
		checker_starved(world_checker(node->world), log->mirror);
		break;
	case MLOG_NOTICE_VERIFIED:
		mlog_status(log->pump.mlog, &status);
		if (status.verify_repair &&
		    atomic_load(&log->hot.shared->suspect) == SUSPECT_COMPARING)
			atomic_store(&log->hot.shared->suspect, SUSPECT_NO);
		break;
	default:
		break;
	}
}

static void port_send(void *context, const struct mlog_message *message)
{
	struct log *log = context;
	struct node *node = log->node;
	struct mlog_message piece;
	uint64_t words[STATE_WORDS];
	uint64_t cursor = 0;

	/* It cannot know which of them were written. */
	if (message->kind == MLOG_MSG_DIRTY && message->dirty_bits.all) {
		checker_repair_all(world_checker(node->world), log->mirror);
		logdev_feared(log->mirror->logdev, node->index);
	}
	if (!node->viewed || !node->quorate)
		return;
	if (message->kind != MLOG_MSG_STATE) {
		send(node, log->mirror, message);
		return;
	}
	while (mlog_state_next(log->pump.mlog, &cursor, words, STATE_WORDS, &piece))
		send(node, log->mirror, &piece);
}

static void port_lock(void *context, uint32_t lock, bool keep)
{
	const struct log *log = context;

	locks_request(world_locks(log->node->world), log->node->index, log->mirror->index, lock,
		      log->object, keep);
}

static void port_unlock(void *context, uint32_t lock)
{
	const struct log *log = context;

	locks_release(world_locks(log->node->world), log->node->index, log->mirror->index, lock,
		      log->object);
}

static void on_wake(void *context, uint64_t argument)
{
	struct node *node = context;

	if (argument >> 1 == node->life)
		kernel_wake(node->kernel[argument & 1]);
}

static void port_wake(void *context)
{
	const struct log *log = context;

	world_after(log->node->world, WAKE_US, on_wake, log->node,
		    log->node->life << 1 | log->mirror->index);
}

static void port_reload(void *context)
{
	const struct log *log = context;

	agent_reload(&log->node->agent[log->mirror->index]);
}

/* ---- the trace: every number that a line has goes into the hash, the text only where it is
 * wanted */

static void trace_head(const struct log *log, uint64_t kind)
{
	struct world *w = log->node->world;

	world_trace_hash(w, world_now_us(w));
	world_trace_hash(w, (uint64_t)node_id(log->node) << 32 | log->mirror->index << 8 | kind);
}

static void trace_print(const struct log *log, const char *line)
{
	char text[TRACE_LINE_SIZE + 32];

	snprintf(text, sizeof(text), "m%u %" PRIx64 " %s", log->mirror->index,
		 log->state->luid & 0xffff, line);
	world_trace_text(log->node->world, log->node, text);
}

static void trace_message(struct world *w, const struct mlog_message *message)
{
	world_trace_hash(w, (uint64_t)message->kind << 32 | message->from);
	world_trace_hash(w, message->incarnation);
	world_trace_hash(w, message->seq);
}

static void port_trace_event(void *context, const struct mlog_event *event)
{
	const struct log *log = context;
	struct world *w = log->node->world;
	char line[TRACE_LINE_SIZE];

	trace_head(log, (uint64_t)event->kind);
	if (event->kind == MLOG_EV_REQUEST || event->kind == MLOG_EV_CLEARED) {
		world_trace_hash(w, (uint64_t)event->request.type << 32 | event->request.seq);
		for (uint32_t i = 0; i < event->request.region_count; i++)
			world_trace_hash(w, event->request.region[i]);
	} else if (event->kind == MLOG_EV_MESSAGE) {
		trace_message(w, event->message);
	} else if (event->kind == MLOG_EV_COPIED) {
		world_trace_hash(w, event->copied.region << 8 | (uint64_t)event->copied.result);
	}
	if (!world_traces(w))
		return;
	trace_event(event, line);
	trace_print(log, line);
}

static void port_trace_effect(void *context, const struct mlog_effect *effect)
{
	const struct log *log = context;
	struct world *w = log->node->world;
	char line[TRACE_LINE_SIZE];

	trace_head(log, 0x80 | (uint64_t)effect->kind);
	if (effect->kind == MLOG_REPLY) {
		world_trace_hash(w, (uint64_t)effect->reply.type << 32 | effect->reply.seq);
		world_trace_hash(w, (uint64_t)(uint32_t)effect->reply.error << 32 |
					effect->reply.words);
		for (uint32_t i = 0; i < effect->reply.words; i++)
			world_trace_hash(w, effect->reply.word[i]);
	} else if (effect->kind == MLOG_SEND) {
		trace_message(w, effect->message);
	} else if (effect->kind == MLOG_COPY) {
		world_trace_hash(w, effect->copy.region);
	} else if (effect->kind == MLOG_NOTICE) {
		world_trace_hash(w, (uint64_t)effect->notice.code << 32 | effect->notice.value);
	}
	if (!world_traces(w))
		return;
	trace_effect(effect, line);
	trace_print(log, line);
}

static const struct pump_ports ports = {
    .now_ms = port_now_ms,
    .step_begin = port_step_begin,
    .step_end = port_step_end,
    .reply = port_reply,
    .load = port_load,
    .claim = port_claim,
    .write = port_write,
    .release = port_release,
    .read_slot = port_read_slot,
    .empty_slot = port_empty_slot,
    .copy = port_copy,
    .timer = port_timer,
    .notice = port_notice,
    .send = port_send,
    .lock = port_lock,
    .unlock = port_unlock,
    .wake = port_wake,
    .reload = port_reload,
    .trace_event = port_trace_event,
    .trace_effect = port_trace_effect,
};
