/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libdevmapper: knows how each question is put to the kernel, and nothing of jobs, threads or which
 * device is which. libdevmapper has global state: one thread at a time may be in here.
 */
#include "daemons/dlmirrord/devmap_ioctl.h"

#include <errno.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "daemons/common/missing.h"
#include "daemons/dlmirrord/devmap_parse.h"

static void log_nothing(int level, const char *file, int line, int class_or_errno,
			const char *format, ...)
{
	(void)level;
	(void)file;
	(void)line;
	(void)class_or_errno;
	(void)format;
}

/*
 * No udev cookie is set for the resume in devmap_reset() and devmap_reload(). With one we would
 * have to wait for udev, whose rules may read the very mirror, and a cookie that asks udev to skip
 * its rules makes it forget the device's links. Without a cookie udev takes the event of the resume
 * for a spurious change and keeps what it knows, which is right: neither the name nor the contents
 * change. Sync support is switched off because libdevmapper otherwise adds such flags by itself.
 */
void devmap_library_prepare(void)
{
	dm_log_with_errno_init(log_nothing);
	dm_udev_set_sync_support(0);
}

void devmap_library_release(void)
{
	dm_lib_release();
}

/* Runs and frees nothing; negative errno on failure. */
static int task_run(struct dm_task *task)
{
	int error;

	if (dm_task_run(task))
		return 0;
	error = dm_task_get_errno(task);
	return error > 0 ? -error : -EIO;
}

static struct dm_task *task_create(int type, dev_t devno)
{
	struct dm_task *task = dm_task_create(type);

	if (task == NULL)
		return NULL;
	if (!dm_task_set_major_minor(task, (int)major(devno), (int)minor(devno), 1) ||
	    !dm_task_no_open_count(task)) {
		dm_task_destroy(task);
		return NULL;
	}
	return task;
}

static int found_add(struct found_list *list, const struct found *found)
{
	if (list->count == list->room) {
		unsigned room = list->room == 0 ? 4 : 2 * list->room;
		struct found *item = realloc(list->item, room * sizeof(*item));

		if (item == NULL)
			return -ENOMEM;
		list->item = item;
		list->room = room;
	}
	list->item[list->count++] = *found;
	return 0;
}

/* Adds the mirrors of ours among the targets that task has read. */
static int collect_targets(struct dm_task *task, dev_t devno, bool live, const struct dm_info *info,
			   struct found_list *list)
{
	void *next = NULL;
	int error = 0;

	do {
		struct found found = {.inactive_table = info->inactive_table != 0};
		uint64_t length;
		char *type = NULL;
		char *params = NULL;

		next = dm_get_next_target(task, next, &found.start_sector, &length, &type, &params);
		if (type == NULL || params == NULL || strcmp(type, "mirror") != 0 ||
		    devmap_parse_table(length, params, &found.mirror) != 0)
			continue;
		snprintf(found.mirror.name, sizeof(found.mirror.name), "%s",
			 dm_task_get_name(task));
		found.mirror.devno = devno;
		found.mirror.live = live;
		found.mirror.suspended = info->suspended != 0;
		error = found_add(list, &found);
	} while (next != NULL && error == 0);
	return error;
}

int devmap_table_read(dev_t devno, bool live, struct found_list *list,
		      struct devmap_device *ret_device)
{
	struct dm_info info = {.exists = 0};
	struct dm_task *task = task_create(DM_DEVICE_TABLE, devno);
	int error = -ENOMEM;

	if (task == NULL)
		return error;
	if (live || dm_task_query_inactive_table(task))
		error = task_run(task);
	if (error == 0 && !dm_task_get_info(task, &info))
		error = -EIO;
	if (error == 0 && !info.exists)
		error = -ENODEV;
	if (error == 0)
		error = collect_targets(task, devno, live, &info, list);
	if (error == 0)
		*ret_device = (struct devmap_device){.live_table = info.live_table != 0,
						     .inactive_table = info.inactive_table != 0};
	dm_task_destroy(task);
	return error == -ENXIO ? -ENODEV : error;
}

static struct dm_task *missing_task(int type)
{
	struct dm_task *task = dm_task_create(type);

	if (task == NULL || dm_task_set_name(task, MISSING_NAME))
		return task;
	dm_task_destroy(task);
	return NULL;
}

/* Runs and frees it. */
static int missing_end(struct dm_task *task, bool ready)
{
	int error = ready ? task_run(task) : -ENOMEM;

	if (task != NULL)
		dm_task_destroy(task);
	return error;
}

static int missing_look(dev_t *ret, bool *ret_whole)
{
	struct dm_task *task = missing_task(DM_DEVICE_INFO);
	struct dm_info info;
	int error = task != NULL ? task_run(task) : -ENOMEM;

	*ret = 0;
	*ret_whole = false;
	if (error == 0 && dm_task_get_info(task, &info) && info.exists) {
		*ret = makedev(info.major, info.minor);
		*ret_whole = info.live_table != 0;
	}
	if (task != NULL)
		dm_task_destroy(task);
	return error;
}

int devmap_missing(bool create, dev_t *ret)
{
	struct dm_task *task;
	bool whole;
	int error = missing_look(ret, &whole);

	if (error != 0 || (*ret != 0 && whole) || !create)
		return error;
	if (*ret != 0) { /* who made it died before it had a table */
		task = missing_task(DM_DEVICE_REMOVE);
		(void)missing_end(task, task != NULL);
	}
	task = missing_task(DM_DEVICE_CREATE);
	error = missing_end(task, task != NULL && dm_task_set_uuid(task, MISSING_UUID) &&
				      dm_task_add_target(task, 0, MISSING_SECTORS, "error", ""));
	return error == 0 || error == -EBUSY ? missing_look(ret, &whole)
					     : error; /* EBUSY: somebody else's */
}

static void missing_show(struct devmap_mirror *mirror)
{
	dev_t missing;

	if (devmap_missing(false, &missing) != 0 || missing == 0)
		return;
	for (uint32_t i = 0; i < mirror->legs.count && mirror->leg_health[i] != '\0'; i++)
		if (mirror->legs.leg[i].devno == missing)
			mirror->leg_health[i] = MISSING_HEALTH;
}

int devmap_health_read(struct found *found)
{
	struct dm_task *task = task_create(DM_DEVICE_STATUS, found->mirror.devno);
	int error = -ENOMEM;
	void *next = NULL;

	if (task == NULL)
		return error;
	if (dm_task_no_flush(task))
		error = task_run(task);
	if (error == 0) {
		error = -ENOENT;
		do {
			uint64_t start;
			uint64_t length;
			char *type = NULL;
			char *params = NULL;

			next = dm_get_next_target(task, next, &start, &length, &type, &params);
			if (type != NULL && params != NULL && strcmp(type, "mirror") == 0 &&
			    start == found->start_sector)
				error = devmap_parse_status(params, found->mirror.leg_health);
		} while (next != NULL && error == -ENOENT);
	}
	dm_task_destroy(task);
	if (error == 0)
		missing_show(&found->mirror);
	return error;
}

/* A table as it was read; NULL when it could not be. */
static struct dm_task *table_task(dev_t devno, bool live, struct dm_info *ret)
{
	struct dm_task *task = task_create(DM_DEVICE_TABLE, devno);

	if (task == NULL)
		return NULL;
	if ((live || dm_task_query_inactive_table(task)) && task_run(task) == 0 &&
	    dm_task_get_info(task, ret) && ret->exists)
		return task;
	dm_task_destroy(task);
	return NULL;
}

struct target {
	void *next; /* of the iteration */
	uint64_t start;
	uint64_t length;
	char *type; /* NULL: there is no target */
	char *params;
};

static void target_next(struct dm_task *task, struct target *target)
{
	target->type = NULL;
	target->params = NULL;
	target->next = dm_get_next_target(task, target->next, &target->start, &target->length,
					  &target->type, &target->params);
}

static bool targets_same(const struct target *a, const struct target *b)
{
	return a->type != NULL && b->type != NULL && a->params != NULL && b->params != NULL &&
	       a->start == b->start && a->length == b->length && strcmp(a->type, b->type) == 0 &&
	       strcmp(a->params, b->params) == 0 && (a->next == NULL) == (b->next == NULL);
}

bool devmap_tables_same(dev_t devno)
{
	struct dm_info info;
	struct dm_task *live = table_task(devno, true, &info);
	struct dm_task *inactive = table_task(devno, false, &info);
	struct target a = {.next = NULL};
	struct target b = {.next = NULL};
	bool same = live != NULL && inactive != NULL;

	do {
		if (same) {
			target_next(live, &a);
			target_next(inactive, &b);
			same = targets_same(&a, &b);
		}
	} while (same && a.next != NULL);
	if (live != NULL)
		dm_task_destroy(live);
	if (inactive != NULL)
		dm_task_destroy(inactive);
	return same;
}

/* Adds the targets of live to task. */
static int targets_copy(struct dm_task *live, struct dm_task *task)
{
	struct target target = {.next = NULL};

	do {
		target_next(live, &target);
		if (target.type == NULL || target.params == NULL)
			return -ENOENT;
		if (!dm_task_add_target(task, target.start, target.length, target.type,
					target.params))
			return -ENOMEM;
	} while (target.next != NULL);
	return 0;
}

/* What a new table takes from the live one: live and info are that, task is to load it. Frees both. */
static int load_run(struct dm_task *live, const struct dm_info *info, struct dm_task *task,
		    int error)
{
	if (error == 0 && info->read_only && !dm_task_set_ro(task))
		error = -ENOMEM;
	if (error == 0)
		error = task_run(task);
	if (live != NULL)
		dm_task_destroy(live);
	if (task != NULL)
		dm_task_destroy(task);
	return error;
}

int devmap_table_reload(dev_t devno)
{
	struct dm_info info;
	struct dm_task *live = table_task(devno, true, &info);
	struct dm_task *task = task_create(DM_DEVICE_RELOAD, devno);
	int error = -ENOMEM;

	if (live != NULL && task != NULL)
		error = targets_copy(live, task);
	return load_run(live, &info, task, error);
}

void devmap_table_clear(dev_t devno)
{
	struct dm_task *task = task_create(DM_DEVICE_CLEAR, devno);

	if (task == NULL)
		return;
	dm_task_run(task);
	dm_task_destroy(task);
}

int devmap_params_read(dev_t devno, uint64_t length_sectors, char ret[DEVMAP_PARAMS_SIZE])
{
	struct dm_info info;
	struct dm_task *live = table_task(devno, true, &info);
	struct target target = {.next = NULL};
	int error = -ENOTUNIQ;

	if (live == NULL)
		return -EIO;
	target_next(live, &target);
	if (target.type != NULL && target.params != NULL && target.next == NULL &&
	    target.start == 0 && target.length == length_sectors &&
	    strlen(target.params) < DEVMAP_PARAMS_SIZE) {
		memcpy(ret, target.params, strlen(target.params) + 1);
		error = 0;
	}
	dm_task_destroy(live);
	return error;
}

int devmap_table_load(dev_t devno, uint64_t length_sectors, const char *params)
{
	struct dm_info info;
	struct dm_task *live = table_task(devno, true, &info);
	struct dm_task *task = task_create(DM_DEVICE_RELOAD, devno);
	int error = -ENOMEM;

	if (live != NULL && task != NULL &&
	    dm_task_add_target(task, 0, length_sectors, "mirror", params))
		error = 0;
	return load_run(live, &info, task, error);
}

/* type: DM_DEVICE_SUSPEND or DM_DEVICE_RESUME. */
static int device_run(int type, dev_t devno)
{
	struct dm_task *task = task_create(type, devno);
	int error = -ENOMEM;

	if (task == NULL)
		return error;
	if (dm_task_no_flush(task) && dm_task_skip_lockfs(task))
		error = task_run(task);
	dm_task_destroy(task);
	return error;
}

int devmap_device_suspend(dev_t devno)
{
	return device_run(DM_DEVICE_SUSPEND, devno);
}

int devmap_device_resume(dev_t devno)
{
	return device_run(DM_DEVICE_RESUME, devno);
}

int devmap_devices_visit(devmap_visit_fn visit, void *context)
{
	struct dm_task *task = dm_task_create(DM_DEVICE_LIST);
	struct dm_names *names;
	int error;

	if (task == NULL)
		return -ENOMEM;
	error = task_run(task);
	names = error == 0 ? dm_task_get_names(task) : NULL;
	if (error == 0 && names == NULL)
		error = -EIO;
	/* An empty list is one entry without a device. */
	while (error == 0 && names->dev != 0) {
		error = visit(context, (dev_t)names->dev, names->name);
		if (names->next == 0)
			break;
		names = (struct dm_names *)((char *)names + names->next);
	}
	dm_task_destroy(task);
	return error;
}
