// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/mapper.h"

#include <errno.h>
#include <libdevmapper.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "codec/table.h"
#include "daemons/common/missing.h"
#include "daemons/dlmirror/spec.h"

#define LVM_PREFIX "LVM-" /* of the uuid that device-mapper has for its devices */

/* What libdevmapper said last of what went wrong: it has no other way to tell. */
static char said[MAPPER_ERROR_SIZE];

static void __attribute__((format(printf, 5, 6)))
on_log(int level, const char *file, int line, int error, const char *format, ...)
{
	va_list args;

	(void)file;
	(void)line;
	(void)error;
	if ((level & 7) > 3)
		return;
	va_start(args, format);
	(void)vsnprintf(said, sizeof(said), format, args);
	va_end(args);
}

/* Where no udev runs, or shall not be waited for, the library makes the nodes itself. */
static void library_prepare(void)
{
	const char *off = getenv("DM_DISABLE_UDEV");

	dm_log_with_errno_init(on_log);
	if (off && strcmp(off, "0") != 0) {
		(void)dm_udev_set_sync_support(0);
		(void)dm_udev_set_checking(0);
	}
	said[0] = '\0';
}

static int fail(struct dm_task *task, char error[MAPPER_ERROR_SIZE])
{
	int code = task ? dm_task_get_errno(task) : ENOMEM;

	(void)snprintf(error, MAPPER_ERROR_SIZE, "%s",
		       said[0] ? said : strerror(code ? code : EIO));
	return code ? -code : -EIO;
}

static struct dm_task *task_make(int type, const char *name)
{
	struct dm_task *task = dm_task_create(type);

	if (task && !dm_task_set_name(task, name)) {
		dm_task_destroy(task);
		return NULL;
	}
	return task;
}

/* The uuid of the log, when params are of a mirror with a log of ours. */
static bool log_uuid_get(const char *params, char ret[DLMIRROR_NAME_SIZE])
{
	char format[32];

	(void)snprintf(format, sizeof(format), "userspace %%*u %%%us", DLMIRROR_NAME_SIZE - 1U);
	return strstr(params, " clustered-") && sscanf(params, format, ret) == 1;
}

static uint64_t revision_get(const char *params)
{
	const char *word = strstr(params, " " TABLE_REVISION_WORD);

	return word ? strtoull(word + strlen(" " TABLE_REVISION_WORD), NULL, 10) : 0;
}

/* That of the device-mapper device. */
static bool uuid_begins(struct dm_task *task, const char *prefix)
{
	const char *uuid = dm_task_get_uuid(task);

	return uuid && strncmp(uuid, prefix, strlen(prefix)) == 0;
}

/* Frees task. */
static int target_read(struct dm_task *task, struct mapper_target *ret,
		       char error[MAPPER_ERROR_SIZE])
{
	struct mapper_target target = {0};
	struct dm_info info;
	int result = 0;

	if (!task || !dm_task_run(task) || !dm_task_get_info(task, &info)) {
		result = fail(task, error);
		if (result == -ENXIO) /* and it is not there, or none of device-mapper's */
			result = 0;
	} else if (info.exists) {
		void *at = NULL;

		target.exists = true;
		target.of_lvm = uuid_begins(task, LVM_PREFIX);
		do {
			uint64_t start;
			uint64_t length;
			char *type = NULL;
			char *params = NULL;

			at = dm_get_next_target(task, at, &start, &length, &type, &params);
			if (!type || !params || target.count++ > 0)
				continue;
			target.length = length;
			(void)snprintf(target.type, sizeof(target.type), "%s", type);
			(void)snprintf(target.params, sizeof(target.params), "%s", params);
		} while (at);
	}
	if (task)
		dm_task_destroy(task);
	if (result == 0)
		*ret = target;
	return result;
}

int mapper_target(const char *name, struct mapper_target *ret, char error[MAPPER_ERROR_SIZE])
{
	library_prepare();
	return target_read(task_make(DM_DEVICE_TABLE, name), ret, error);
}

int mapper_target_of(dev_t devno, struct mapper_target *ret, char error[MAPPER_ERROR_SIZE])
{
	struct dm_task *task;

	library_prepare();
	task = dm_task_create(DM_DEVICE_TABLE);
	if (task && (!dm_task_set_major(task, (int)major(devno)) ||
		     !dm_task_set_minor(task, (int)minor(devno)))) {
		dm_task_destroy(task);
		task = NULL;
	}
	return target_read(task, ret, error);
}

static int table_examine(const char *name, struct mapper_device *ret, char error[MAPPER_ERROR_SIZE])
{
	struct mapper_target target;
	int result = mapper_target(name, &target, error);

	if (result != 0)
		return result;
	ret->ours =
	    strcmp(target.type, "mirror") == 0 && log_uuid_get(target.params, ret->log_uuid);
	ret->keep_log = ret->ours && strstr(target.params, " keep_log");
	ret->revision = ret->ours ? revision_get(target.params) : 0;
	return 0;
}

bool mapper_is(const struct mapper_device *device, const char *log_uuid)
{
	return device->exists && device->ours && strcmp(device->log_uuid, log_uuid) == 0;
}

int mapper_examine(const char *name, struct mapper_device *ret, char error[MAPPER_ERROR_SIZE])
{
	struct mapper_device device = {0};
	struct dm_info info;
	struct dm_task *task;
	int result = 0;

	library_prepare();
	task = task_make(DM_DEVICE_INFO, name);
	if (!task || !dm_task_run(task) || !dm_task_get_info(task, &info)) {
		result = fail(task, error);
	} else if (info.exists) {
		device.exists = true;
		device.unfinished = info.live_table == 0 && uuid_begins(task, SPEC_DM_PREFIX);
		device.suspended = info.suspended != 0;
		device.open_count = info.open_count;
		device.major = info.major;
		device.minor = info.minor;
		result = table_examine(name, &device, error);
	}
	if (task)
		dm_task_destroy(task);
	if (result == 0)
		*ret = device;
	return result;
}

/* Runs a task that makes or removes a node, and waits until udev is done with it. */
static int task_run_and_wait(struct dm_task *task, char error[MAPPER_ERROR_SIZE])
{
	uint32_t cookie = 0;
	bool wait = dm_udev_get_sync_support() != 0;
	int result = 0;

	if (wait && !dm_task_set_cookie(task, &cookie, 0))
		return fail(task, error);
	if (!dm_task_run(task))
		result = fail(task, error);
	if (wait)
		(void)dm_udev_wait(cookie);
	dm_task_update_nodes();
	return result;
}

/* ready: it has all that it needs. Frees it. */
static int task_finish(struct dm_task *task, bool ready, char error[MAPPER_ERROR_SIZE])
{
	int result = ready ? task_run_and_wait(task, error) : fail(task, error);

	if (task)
		dm_task_destroy(task);
	return result;
}

static int create(const char *name, const char *uuid, uint64_t length_sectors, const char *target,
		  const char *params, char error[MAPPER_ERROR_SIZE])
{
	struct dm_task *task;

	library_prepare();
	task = task_make(DM_DEVICE_CREATE, name);
	return task_finish(task,
			   task && dm_task_set_uuid(task, uuid) &&
			       dm_task_add_target(task, 0, length_sectors, target, params) &&
			       dm_task_set_add_node(task, DM_ADD_NODE_ON_RESUME),
			   error);
}

int mapper_create(const char *name, const char *uuid, uint64_t length_sectors, const char *params,
		  char error[MAPPER_ERROR_SIZE])
{
	return create(name, uuid, length_sectors, "mirror", params, error);
}

int mapper_missing(dev_t *ret, char error[MAPPER_ERROR_SIZE])
{
	struct mapper_device device;
	int result = mapper_examine(MISSING_NAME, &device, error);

	if (result == 0 && !device.exists) {
		result = create(MISSING_NAME, MISSING_UUID, MISSING_SECTORS, "error", "", error);
		if (result == 0 || result == -EBUSY) /* somebody else has */
			result = mapper_examine(MISSING_NAME, &device, error);
	}
	if (result == 0)
		*ret = makedev(device.major, device.minor);
	return result;
}

int mapper_rename(const char *name, const char *fresh, char error[MAPPER_ERROR_SIZE])
{
	struct dm_task *task;

	library_prepare();
	task = task_make(DM_DEVICE_RENAME, name);
	return task_finish(task, task && dm_task_set_newname(task, fresh), error);
}

int mapper_remove(const char *name, char error[MAPPER_ERROR_SIZE])
{
	struct dm_task *task;

	library_prepare();
	task = task_make(DM_DEVICE_REMOVE, name);
	/* udev and its friends open a device for a moment now and then. */
	return task_finish(task, task && dm_task_retry_remove(task), error);
}

int mapper_has_mirror_target(bool *ret, char error[MAPPER_ERROR_SIZE])
{
	struct dm_task *task;
	struct dm_versions *version;
	unsigned next;
	bool found = false;
	int result = 0;

	library_prepare();
	task = dm_task_create(DM_DEVICE_LIST_VERSIONS);
	if (!task || !dm_task_run(task)) {
		result = fail(task, error);
	} else {
		version = dm_task_get_versions(task);
		do {
			found = found || strcmp(version->name, "mirror") == 0;
			next = version->next;
			version = (struct dm_versions *)(void *)((char *)version + next);
		} while (next != 0);
	}
	if (task)
		dm_task_destroy(task);
	if (result == 0)
		*ret = found;
	return result;
}
