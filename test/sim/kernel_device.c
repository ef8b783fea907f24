/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mapped device: which table is in use, what is done to it, and bios on their way in and out.
 *
 * An operation is a program of steps, done by one process, one operation after another. A step is
 * called until it returns true; what it waits for calls device_poke().
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "codec/table.h"
#include "test/sim/kernel_internal.h"

#define DEVICE_NAME_ROOM 128U
#define STATUS_ROOM	 KMSG_DATA_MAX
#define LUID_FIRST	 UINT64_C(0xffff888004000000)
#define LUID_SIZE	 0x200U
#define WAKE_US		 5U
#define PREEMPTED_US	 3000U /* when something else has the CPU, */
#define PREEMPTED	 4U    /* in so many of 1,000 wake-ups */

static void admin_go_on(struct thread *t);
static void visitor_go_on(struct thread *t);

static void device_reset(struct kernel *k)
{
	for (unsigned i = 0; i < SETS; i++)
		set_reset(&k->set[i]);
	thread_reset(&k->admin, k, admin_go_on);
	for (unsigned i = 0; i < VISITORS; i++) {
		thread_reset(&k->visitor[i], k, visitor_go_on);
		k->visiting[i] = false;
	}
	memset(k->bio, 0, sizeof(k->bio));
	k->live = k->loaded = NULL;
	k->luid_freed = 0;
	k->used = false;
	k->suspended = k->blocked = true;
	k->noflush = false;
	k->in_flight = 0;
	k->deferred = (struct bio_list){0};
	k->change = CHANGE_OPEN;
	k->admin_poked = false;
	k->operations = 0;
	k->operation_begun = false;
}

struct kernel *kernel_create(struct node *node, struct mirror *mirror)
{
	struct kernel *k = world_alloc(mirror->world, sizeof(*k));

	k->node = node;
	k->mirror = mirror;
	k->world = mirror->world;
	k->random = node_random(node, RANDOM_KERNEL);
	k->legs = mirror->legs;
	k->regions = mirror->plan->regions;
	k->load_on = true;
	for (unsigned i = 0; i < SETS; i++)
		k->set[i].kernel = k;
	device_reset(k);
	k->load = load_create(k, node, mirror);
	return k;
}

void kernel_power_off(struct kernel *k)
{
	legs_node_died(k->legs, k->node);
	load_power_off(k->load);
	memset(k->answered, 0, sizeof(k->answered)); /* it counts from anywhere then */
	device_reset(k);
}

uint64_t device_wake_us(struct kernel *k)
{
	uint64_t us = random_spread(k->random, WAKE_US);

	return random_chance(k->random, PREEMPTED) ? us + random_below(k->random, PREEMPTED_US)
						   : us;
}

/* ---- bios */

struct bio *device_bio(struct kernel *k)
{
	for (unsigned i = 0; i < BIOS; i++)
		if (!k->bio[i].used) {
			k->bio[i] = (struct bio){.used = true};
			return &k->bio[i];
		}
	return NULL;
}

void device_submit(struct kernel *k, struct bio *bio)
{
	bio->begun_us = world_now_us(k->world);
	bio->deferred = k->blocked;
	if (k->blocked) {
		bio_list_add(&k->deferred, bio);
		return;
	}
	k->in_flight++;
	bio->set = k->live;
	set_queue(bio->set, bio);
}

static void deferred_submit(struct kernel *k)
{
	struct bio_list list = k->deferred;
	struct bio *bio;

	k->deferred = (struct bio_list){0};
	while ((bio = bio_list_pop(&list)) != NULL)
		device_submit(k, bio);
}

void device_bio_ended(struct bio *bio, enum bio_result result)
{
	struct mirror_set *s = bio->set;
	struct kernel *k = s->kernel;

	if (bio->kind == BIO_WRITE)
		hash_decrement(s, bio->range.region);
	bio->held = false;
	if (--k->in_flight == 0)
		device_poke(k);
	if (result == BIO_REQUEUE) {
		bio->deferred = true;
		bio_list_add(&k->deferred, bio);
		return;
	}
	bio->used = false;
	if (result == BIO_ERROR)
		k->counters.failed++;
	else if (bio->kind == BIO_READ)
		k->counters.reads++;
	else
		k->counters.writes++;
	bio->end(bio->context, bio, result == BIO_ERROR ? -EIO : 0);
}

/* ---- tables */

static uint64_t luid_take(struct kernel *k)
{
	uint64_t luid = k->luid_freed;

	/* The allocator likes to give out again what was freed last. */
	k->luid_freed = 0;
	if (luid != 0 && random_chance(k->random, 700))
		return luid;
	return LUID_FIRST + node_host(k->node)->luid_next++ * LUID_SIZE;
}

static void arguments_print(const struct kernel *k, uint64_t revision, char *ret)
{
	const struct scenario_mirror *plan = k->mirror->plan;
	static const char *const sync[] = {
	    [SIM_SYNC_KEEP] = "", [SIM_SYNC_NOSYNC] = " nosync", [SIM_SYNC_FORCE] = " sync"};
	char word[sizeof(" " TABLE_REVISION_WORD) + 20] = "";
	char type[sizeof("disk 253:") + 10] = "core";

	if (revision != 0)
		snprintf(word, sizeof(word), " " TABLE_REVISION_WORD "%" PRIu64, revision);
	if (plan->has_disk)
		snprintf(type, sizeof(type), "disk 253:%" PRIu32,
			 7 + legs_table(k->legs, revision)->log);
	snprintf(ret, ARGUMENTS_MAX, "%" PRIu64 " clustered-%s %" PRIu32 "%s%s",
		 (uint64_t)plan->regions * plan->region_sectors, type, plan->region_sectors,
		 sync[plan->sync], word);
}

static void table_free(struct kernel *k)
{
	k->luid_freed = k->loaded->log.luid;
	set_reset(k->loaded);
	k->loaded = NULL;
}

/* A table that cannot be loaded is not announced by a DTR. */
static void table_refused(struct kernel *k, int error)
{
	world_trace(k->world, k->node, "kernel cannot load a table: error %" PRIu64,
		    (uint64_t) - (int64_t)error, 0, 0);
	table_free(k);
	k->operation_error = error;
}

static bool table_make(struct kernel *k)
{
	struct mirror_set *s = &k->set[k->live == &k->set[0] ? 1 : 0];
	enum kernel_operation what = k->operation[0].what;
	bool again = what == KERNEL_RELOAD || what == KERNEL_CHANGE;

	if (again != (k->live != NULL)) {
		k->operation_error = again ? -ENXIO : -EBUSY;
		return true;
	}
	s->revision = what == KERNEL_RELOAD ? k->live->revision : k->revision;
	s->table = legs_table(k->legs, s->revision);
	s->log.luid = luid_take(k);
	arguments_print(k, s->revision, s->log.arguments);
	k->loaded = s;
	k->admin.set = s;
	return true;
}

static bool table_construct(struct kernel *k)
{
	const char *arguments = k->loaded->log.arguments;

	if (!thread_consult(&k->admin, ULOG_CTR, arguments, (uint32_t)strlen(arguments),
			    DEVICE_NAME_ROOM))
		return false;
	if (k->admin.call.error < 0)
		table_refused(k, k->admin.call.error);
	else if (k->admin.call.room > 0 && k->admin.call.data[k->admin.call.room - 1] != '\0')
		world_violation(k->world, "reply",
				"node %" PRIu32 ": CTR: no NUL behind the device",
				node_id(k->node));
	return true;
}

static bool table_region_size(struct kernel *k)
{
	if (!thread_consult(&k->admin, ULOG_GET_REGION_SIZE, NULL, 0, 8))
		return false;
	if (k->admin.call.error != 0) {
		table_refused(k, k->admin.call.error);
		return true;
	}
	if (call_word(&k->admin.call, 0) != k->mirror->plan->region_sectors)
		world_violation(k->world, "reply", "node %" PRIu32 ": region size %" PRIu64,
				node_id(k->node), call_word(&k->admin.call, 0));
	/* kmirrord runs once, before any resume. */
	set_wake(k->loaded);
	return true;
}

static bool table_swap(struct kernel *k)
{
	struct mirror_set *old = k->live;

	k->live = k->loaded;
	k->loaded = old;
	return true;
}

static bool change_swap(struct kernel *k)
{
	if (k->change == CHANGE_OPEN)
		return false;
	return k->change == CHANGE_NO || table_swap(k);
}

/* ---- suspend */

static bool to_suspend(const struct kernel *k)
{
	return k->live != NULL && !k->suspended;
}

static bool suspend_holds(struct kernel *k)
{
	enum kernel_operation what = k->operation[0].what;

	if (!to_suspend(k))
		return true;
	k->noflush = what != KERNEL_SUSPEND && what != KERNEL_REMOVE;
	set_presuspend(k->live);
	return true;
}

static bool suspend_recovery(struct kernel *k)
{
	if (!to_suspend(k))
		return true;
	if (!k->live->may_recover)
		return false;
	k->live->may_recover = false;
	return true;
}

static bool suspend_announce(struct kernel *k)
{
	if (!to_suspend(k))
		return true;
	k->admin.set = k->live;
	return thread_consult(&k->admin, ULOG_PRESUSPEND, NULL, 0, 0);
}

/* Waits for the runs of kmirrord that are asked for by now. */
static bool runs_wait(struct kernel *k, const struct mirror_set *s)
{
	if (!k->awaiting) {
		k->awaiting = true;
		k->runs_awaited = s->runs + (s->running ? 1 : 0) + (s->queued ? 1 : 0);
	}
	if (s->runs < k->runs_awaited)
		return false;
	k->awaiting = false;
	return true;
}

static bool suspend_work(struct kernel *k)
{
	return !to_suspend(k) || runs_wait(k, k->live);
}

static bool visited(const struct kernel *k)
{
	for (unsigned i = 0; i < VISITORS; i++)
		if (k->visiting[i])
			return true;
	return false;
}

/* From here on new bios are put off; those in flight must end. Nothing waits for kmirrord: what it
 * has to say of the last of them may come after POSTSUSPEND. */
static bool suspend_drain(struct kernel *k)
{
	if (!to_suspend(k))
		return true;
	k->blocked = true;
	return !visited(k) && k->in_flight == 0;
}

/* A flush that is scheduled comes now; one that is under way already is not waited for. */
static bool suspend_flush(struct kernel *k)
{
	if (!to_suspend(k))
		return true;
	if (k->live->log.flush_scheduled) {
		k->awaiting = true;
		log_flush_now(k->live);
	}
	if (k->awaiting && k->live->dmlogd.call.stage != CALL_NONE)
		return false;
	k->awaiting = false;
	return true;
}

static bool suspend_end(struct kernel *k)
{
	if (!to_suspend(k))
		return true;
	k->admin.set = k->live;
	if (!thread_consult(&k->admin, ULOG_POSTSUSPEND, NULL, 0, 0))
		return false;
	k->suspended = true;
	k->noflush = false;
	return true;
}

/* ---- resume */

static bool resume_announce(struct kernel *k)
{
	if (k->live == NULL) {
		k->operation_error = -ENXIO;
		return true;
	}
	if (!k->suspended)
		return true;
	if (k->admin.call.stage == CALL_NONE) {
		k->live->suspending = false;
		k->live->log.hint = 0; /* nothing else lowers it but an answer */
		k->admin.set = k->live;
	}
	/* An error is a line in the kernel's log. */
	return thread_consult(&k->admin, ULOG_RESUME, NULL, 0, 0);
}

static bool resume_end(struct kernel *k)
{
	if (!k->suspended)
		return true;
	if (k->admin.call.error == 0)
		checker_served(world_checker(k->world), k->node, k->mirror, k->live->revision);
	k->live->may_recover = true;
	set_wake(k->live);
	k->used = true;
	k->suspended = false;
	k->blocked = false;
	deferred_submit(k);
	if (k->load_on)
		load_start(k->load);
	return true;
}

/* ---- the end of a table */

static bool drop_work(struct kernel *k)
{
	if (k->loaded == NULL)
		return true;
	set_delayed_cancel(k->loaded);
	return runs_wait(k, k->loaded);
}

static bool drop_flush(struct kernel *k)
{
	return k->loaded == NULL || log_flush_now(k->loaded);
}

static bool drop_announce(struct kernel *k)
{
	if (k->loaded == NULL)
		return true;
	k->admin.set = k->loaded;
	if (!thread_consult(&k->admin, ULOG_DTR, NULL, 0, 0))
		return false;
	table_free(k);
	if (k->live == NULL)
		checker_removed(world_checker(k->world), k->mirror);
	return true;
}

/* Whoever removes a mirror ends what uses it first; what a failed leg holds up fails then. */
static bool remove_close(struct kernel *k)
{
	struct bio *bio;

	load_stop(k->load);
	while ((bio = bio_list_pop(&k->live->holds)) != NULL)
		device_bio_ended(bio, BIO_ERROR);
	return load_idle(k->load) && k->in_flight == 0;
}

static bool remove_table(struct kernel *k)
{
	k->loaded = k->live;
	k->live = NULL;
	k->used = false;
	return true;
}

/* ---- operations */

typedef bool (*step_fn)(struct kernel *k);

#define LOAD table_make, table_construct, table_region_size
#define SUSPEND                                                                                    \
	suspend_holds, suspend_recovery, suspend_announce, suspend_work, suspend_drain,            \
	    suspend_flush, suspend_end
#define RESUME resume_announce, resume_end
#define DROP   drop_work, drop_flush, drop_announce

static const step_fn activate_steps[] = {LOAD, table_swap, RESUME, NULL};
static const step_fn remove_steps[] = {RESUME, remove_close, SUSPEND, remove_table, DROP, NULL};
static const step_fn suspend_steps[] = {SUSPEND, NULL};
static const step_fn resume_steps[] = {RESUME, NULL};
static const step_fn reload_steps[] = {LOAD, SUSPEND, table_swap, RESUME, DROP, NULL};
static const step_fn change_steps[] = {LOAD, SUSPEND, change_swap, RESUME, DROP, NULL};

static const step_fn *const programs[KERNEL_OPERATIONS] = {
    [KERNEL_ACTIVATE] = activate_steps,	      [KERNEL_REMOVE] = remove_steps,
    [KERNEL_SUSPEND] = suspend_steps,	      [KERNEL_RESUME] = resume_steps,
    [KERNEL_SUSPEND_NOFLUSH] = suspend_steps, [KERNEL_RELOAD] = reload_steps,
    [KERNEL_CHANGE] = change_steps,
};

#define OPERATION(NAME)                                                                            \
	case KERNEL_##NAME:                                                                        \
		world_trace(k->world, k->node, "kernel " #NAME ": error %" PRIu64,                 \
			    (uint64_t) - (int64_t)error, 0, 0);                                    \
		break

static void operation_trace(const struct kernel *k, enum kernel_operation what, int error)
{
	switch (what) {
		OPERATION(ACTIVATE);
		OPERATION(REMOVE);
		OPERATION(SUSPEND);
		OPERATION(SUSPEND_NOFLUSH);
		OPERATION(RESUME);
		OPERATION(RELOAD);
		OPERATION(CHANGE);
	case KERNEL_OPERATIONS:
		break;
	}
}

static void operation_begin(struct kernel *k)
{
	if (k->operation_begun)
		return;
	k->operation_begun = true;
	k->operation_begun_us = world_now_us(k->world);
	k->operation_step = 0;
	k->operation_error = 0;
	k->awaiting = false;
}

static void operation_end(struct kernel *k)
{
	struct operation ended = k->operation[0];
	int error = k->operation_error;

	operation_trace(k, ended.what, error);
	k->operation_begun = false;
	k->operations--;
	memmove(k->operation, k->operation + 1, k->operations * sizeof(k->operation[0]));
	if (ended.done != NULL)
		ended.done(ended.context, ended.what, error);
}

static void admin_go_on(struct thread *t)
{
	struct kernel *k = t->kernel;

	while (k->operations > 0) {
		const step_fn *program = programs[k->operation[0].what];

		operation_begin(k);
		while (k->operation_error == 0 && program[k->operation_step] != NULL) {
			if (!program[k->operation_step](k))
				return;
			k->operation_step++;
		}
		operation_end(k);
	}
}

static void on_poke(void *context, uint64_t argument)
{
	struct kernel *k = context;

	if (k->admin.life != argument)
		return;
	k->admin_poked = false;
	admin_go_on(&k->admin);
}

void device_poke(struct kernel *k)
{
	if (k->admin_poked || k->operations == 0)
		return;
	k->admin_poked = true;
	world_after(k->world, device_wake_us(k), on_poke, k, k->admin.life);
}

bool kernel_operate(struct kernel *k, enum kernel_operation operation, kernel_done done,
		    void *context)
{
	if (k->operations == OPERATIONS)
		return false;
	if (operation == KERNEL_CHANGE)
		k->change = CHANGE_OPEN;
	k->operation[k->operations++] =
	    (struct operation){.what = operation, .done = done, .context = context};
	device_poke(k);
	return true;
}

bool kernel_operated(const struct kernel *k)
{
	return k->operations == 0;
}

void kernel_configure(struct kernel *k, uint64_t revision)
{
	k->revision = revision;
}

bool kernel_change_waits(const struct kernel *k)
{
	return k->operation_begun && k->operation[0].what == KERNEL_CHANGE &&
	       change_steps[k->operation_step] == change_swap;
}

void kernel_change_end(struct kernel *k, bool counts)
{
	k->change = counts ? CHANGE_YES : CHANGE_NO;
	device_poke(k);
}

/* ---- visitors */

static void visitor_go_on(struct thread *t)
{
	struct kernel *k = t->kernel;
	unsigned index = (unsigned)(t - k->visitor);
	uint64_t count;

	if (!k->counted[index]) {
		if (!log_sync_count(t, &count))
			return;
		k->counted[index] = true;
	}
	if (!thread_request(t, ULOG_STATUS_INFO, NULL, 0, STATUS_ROOM))
		return;
	if (t->call.error == 0 && (t->call.room == 0 || t->call.data[t->call.room - 1] != '\0'))
		world_violation(k->world, "reply", "node %" PRIu32 ": STATUS_INFO without a NUL",
				node_id(k->node));
	k->visiting[index] = false;
	device_poke(k);
}

void kernel_status(struct kernel *k)
{
	for (unsigned i = 0; i < VISITORS; i++) {
		if (k->visiting[i] || k->live == NULL || k->operation_begun)
			continue;
		k->visiting[i] = true;
		k->counted[i] = false;
		k->visitor[i].set = k->live;
		visitor_go_on(&k->visitor[i]);
		return;
	}
}

static void on_woken(void *context, struct bio *bio, int error)
{
	struct kernel *k = context;
	struct checker *c = world_checker(k->world);

	if (error != 0)
		checker_io_failed(c, k->node, k->mirror, bio->range.region);
	else
		checker_read(c, k->node, k->mirror, bio->range.region, bio->range.first, bio->leg,
			     bio->unasked, bio->number, bio->begun_us);
}

void kernel_wake(struct kernel *k)
{
	struct bio *bio = kernel_active(k) ? device_bio(k) : NULL;

	if (bio == NULL)
		return;
	bio->kind = BIO_READ;
	bio->range = (struct legs_range){.count = 1};
	bio->end = on_woken;
	bio->context = k;
	device_submit(k, bio);
}

/* ---- load, and what others may know */

void kernel_load(struct kernel *k, bool on)
{
	k->load_on = on;
	if (!on)
		load_stop(k->load);
	else if (kernel_active(k))
		load_start(k->load);
}

static bool threads_idle(const struct kernel *k)
{
	for (unsigned i = 0; i < SETS; i++)
		if (!set_quiet(&k->set[i]) || k->set[i].dmlogd.call.stage != CALL_NONE)
			return false;
	return k->operations == 0 && !visited(k);
}

bool kernel_idle(const struct kernel *k)
{
	for (unsigned i = 0; i < BIOS; i++)
		if (k->bio[i].used)
			return false;
	return load_idle(k->load) && threads_idle(k);
}

uint64_t kernel_luid(const struct kernel *k)
{
	return k->live == NULL ? 0 : k->live->log.luid;
}

uint64_t kernel_revision(const struct kernel *k)
{
	if (k->live != NULL)
		return k->live->revision;
	return k->loaded == NULL ? 0 : k->loaded->revision;
}

bool kernel_has_luid(const struct kernel *k, uint64_t luid)
{
	return (k->live != NULL && k->live->log.luid == luid) ||
	       (k->loaded != NULL && k->loaded->log.luid == luid);
}

bool kernel_active(const struct kernel *k)
{
	return k->live != NULL && !k->suspended;
}

bool kernel_used(const struct kernel *k)
{
	return k->used;
}

unsigned kernel_default_leg(const struct kernel *k)
{
	return k->live == NULL ? 0 : k->live->default_leg;
}

enum kernel_region kernel_region(const struct kernel *k, uint32_t region)
{
	return k->live == NULL ? KERNEL_NONE : k->live->region[region].state;
}

bool kernel_writing(const struct kernel *k, uint32_t region)
{
	for (unsigned i = 0; i < BIOS; i++)
		if (k->bio[i].used && k->bio[i].kind != BIO_READ &&
		    k->bio[i].range.region == region)
			return true;
	return false;
}

/* With a leg missing each flush fails, and there is nothing that could be taken for in sync. */
static bool set_misled(const struct mirror_set *s)
{
	return s != NULL && (s->misled || (s->flush_failure && !plan_of(s)->missing));
}

bool kernel_misled(const struct kernel *k)
{
	return set_misled(k->live) || set_misled(k->loaded);
}

const struct kernel_counters *kernel_counters(const struct kernel *k)
{
	return &k->counters;
}

static void oldest_request(const struct thread *t, uint64_t *ret)
{
	if (t->call.stage != CALL_NONE && t->call.begun_us < *ret)
		*ret = t->call.begun_us;
}

uint64_t kernel_oldest_request_us(const struct kernel *k)
{
	uint64_t us = UINT64_MAX;

	for (unsigned i = 0; i < SETS; i++) {
		oldest_request(&k->set[i].kmirrord, &us);
		oldest_request(&k->set[i].dmlogd, &us);
	}
	oldest_request(&k->admin, &us);
	for (unsigned i = 0; i < VISITORS; i++)
		oldest_request(&k->visitor[i], &us);
	return us;
}

uint64_t kernel_oldest_bio_us(const struct kernel *k)
{
	uint64_t us = UINT64_MAX;

	for (unsigned i = 0; i < BIOS; i++) {
		const struct bio *bio = &k->bio[i];

		if (bio->used && !bio->held && !bio->deferred && bio->begun_us < us)
			us = bio->begun_us;
	}
	return us;
}

uint64_t kernel_operation_us(const struct kernel *k)
{
	return k->operation_begun ? k->operation_begun_us : UINT64_MAX;
}
