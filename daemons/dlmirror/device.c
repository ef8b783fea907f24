// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Everything that can be known to go wrong is refused before a table is loaded, because a load that
 * fails can only say "invalid argument", and one that no daemon answers does not come back.
 */
#include "daemons/dlmirror/device.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "daemons/common/missing.h"
#include "daemons/dlmirror/block.h"
#include "daemons/dlmirror/identity.h"
#include "daemons/dlmirror/logdev.h"
#include "daemons/dlmirror/mapper.h"
#include "daemons/dlmirror/mirrors.h"

#define LOCK_PREFIX  "/run/dlmirror.lock." /* and the name */
#define LOCK_WAIT_MS 30000U
#define LOCK_LOOK_MS 100U

static int missing_examine(struct spec_leg *leg)
{
	char error[MAPPER_ERROR_SIZE];

	leg->device_sectors = MISSING_SECTORS;
	leg->block_bytes = SECTOR_BYTES;
	leg->missing = true;
	if (mapper_missing(&leg->devno, error) != 0)
		return ui_fail(UI_FAILED, MSG_DEVICE_MAPPER_FAILED, "%s cannot be made: %s",
			       MISSING_PATH, error);
	return UI_OK;
}

static int leg_examine(struct spec_leg *leg, bool force)
{
	char text[BLOCK_TEXT_SIZE];
	struct block block;
	enum block_use use;

	if (strcmp(leg->path, MISSING_PATH) == 0)
		return missing_examine(leg);
	if (block_examine(leg->path, &block, text) != 0)
		return ui_fail(UI_FAILED, MSG_WITHIN, "leg %s", text);
	leg->devno = block.devno;
	leg->device_sectors = block.bytes / SECTOR_BYTES;
	leg->block_bytes = block.block_bytes;
	use = block_used(leg->path, block.devno, text);
	if (use == BLOCK_MAPPED && !force)
		return ui_fail(UI_FAILED, MSG_LEG_MAPPED,
			       "leg %s is %s; when the mirror is to have a part that is free, say "
			       "--force",
			       leg->path, text);
	if (use != BLOCK_FREE && use != BLOCK_MAPPED)
		return ui_fail(UI_FAILED, MSG_LEG_IN_USE,
			       "leg %s is %s; choose another, or free it first", leg->path, text);
	return UI_OK;
}

static int log_examine(struct device_wish *wish)
{
	char text[BLOCK_TEXT_SIZE];
	struct block block;

	if (block_examine(wish->log_path, &block, text) != 0)
		return ui_fail(UI_FAILED, MSG_WITHIN, "log device %s", text);
	wish->spec.log_devno = block.devno;
	if (block_used(wish->log_path, block.devno, text) != BLOCK_FREE)
		return ui_fail(UI_FAILED, MSG_LOG_DEVICE_IN_USE,
			       "log device %s is %s; each mirror has one of its own",
			       wish->log_path, text);
	if (wish->force)
		return UI_OK;
	if (block_signature(wish->log_path, text) != 0)
		return ui_fail(UI_FAILED, MSG_DEVICE_UNREADABLE, "log device %s cannot be read",
			       wish->log_path);
	if (text[0])
		return ui_fail(
		    UI_FAILED, MSG_LOG_HOLDS_SOMETHING,
		    "log device %s holds %s, which would be destroyed; if that is meant, "
		    "say --force",
		    wish->log_path, text);
	return UI_OK;
}

int device_uuid_make(struct spec *spec)
{
	uint32_t random;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return ui_fail(UI_FAILED, MSG_NO_RANDOM_NUMBER, "no random number can be had: %s",
			       strerror(errno));
	(void)snprintf(spec->uuid, sizeof(spec->uuid), "%s-%08" PRIx32, spec->name, random);
	return UI_OK;
}

int device_log_check(const struct logdev *log, const char *name, const char *uuid,
		     uint64_t revision)
{
	if (!disk_search_outdates(&log->search, uuid, revision))
		return UI_OK;
	return ui_fail(
	    UI_FAILED, MSG_TABLE_OUTDATED,
	    "%s has revision %" PRIu64
	    " here, and its log device %s has been that of revision %" PRIu64
	    ": the legs here may be outdated; dlmirror config list shows who has a newer "
	    "configuration",
	    name, revision, log->path, log->search.super.revision);
}

/*
 * What is on the log device already belongs to a mirror: to this one, whose history it then is, or
 * to another, whose bits would be lies about these legs.
 */
static int log_history_decide(struct device_wish *wish, struct logdev *log)
{
	const struct disk_search *search = &log->search;
	struct spec *spec = &wish->spec;
	const char *uuid = search->super.uuid;
	char error[LOGDEV_ERROR_SIZE];

	if (search->belief == DISK_NEWER)
		return ui_fail(UI_FAILED, MSG_LOG_NEWER,
			       "log device %s was written by a newer dlmirror; use that",
			       log->path);
	if (search->belief == DISK_IN_USE && !disk_owner_same(&search->super.owner, &wish->host))
		return ui_fail(UI_FAILED, MSG_LOG_OF_ANOTHER_HOST,
			       "log device %s is in use by host %s (id %s); if that host does not "
			       "write the mirror any more: dlmirror log adopt %s",
			       log->path, search->super.owner.host_name,
			       search->super.owner.host_id, log->path);
	if (!search->has_super)
		return UI_OK;
	if (wish->known && device_log_check(log, spec->name, spec->uuid, spec->revision) != UI_OK)
		return UI_FAILED;
	if (spec->uuid[0] ? strcmp(spec->uuid, uuid) == 0 : spec_uuid_is_for(uuid, spec->name)) {
		strcpy(spec->uuid, uuid);
		if (!wish->known) /* whoever makes it anew says which legs count */
			spec->revision = search->super.revision;
		return UI_OK;
	}
	if (!wish->force && wish->known)
		return ui_fail(UI_FAILED, MSG_LOG_OF_ANOTHER_MIRROR,
			       "log device %s holds the log %s of another mirror, not %s; look at "
			       "the line log = of its configuration, or to forget what it holds "
			       "say --force",
			       log->path, uuid, spec->uuid);
	if (!wish->force)
		return ui_fail(UI_FAILED, MSG_LOG_OF_ANOTHER_MIRROR,
			       "log device %s holds the log %s of another mirror; to go on with "
			       "that one say --uuid %s, to forget it --force",
			       log->path, uuid, uuid);
	/* Another node may have it active: only on this one would that be seen. */
	if (search->belief == DISK_IN_USE && search->super.owner.cluster[0])
		return ui_fail(UI_FAILED, MSG_LOG_IN_USE_IN_CLUSTER,
			       "log device %s is in use in this cluster, for the log %s; take that "
			       "mirror down on all nodes first, and after a crash of all of them "
			       "activate it once before",
			       log->path, uuid);
	return logdev_wipe(log, error) == 0
		   ? UI_OK
		   : ui_fail(UI_FAILED, MSG_WITHIN, "log device %s", error);
}

static int log_history_take(struct device_wish *wish)
{
	const struct spec *spec = &wish->spec;
	uint64_t regions = (spec->length_sectors + spec->region_sectors - 1) / spec->region_sectors;
	char error[LOGDEV_ERROR_SIZE];
	struct logdev log;
	int code;

	if (logdev_open(wish->log_path, true, regions, &log, error) != 0)
		return ui_fail(UI_FAILED, MSG_WITHIN, "log device %s", error);
	code = log_history_decide(wish, &log);
	logdev_close(&log);
	return code;
}

int device_log_prepare(struct device_wish *wish)
{
	int code = log_examine(wish);

	return code == UI_OK ? log_history_take(wish) : code;
}

static int devices_prepare(struct device_wish *wish)
{
	struct spec *spec = &wish->spec;
	char error[SPEC_ERROR_SIZE];
	int code = UI_OK;
	unsigned i;

	for (i = 0; i < spec->leg_count && code == UI_OK; i++)
		code = leg_examine(&spec->leg[i], wish->force);
	if (code == UI_OK && spec->has_log)
		code = log_examine(wish);
	if (code != UI_OK)
		return code;
	if (spec_complete(spec, error) != 0)
		return ui_fail(UI_FAILED, MSG_WITHIN, "%s", error);
	if (spec->has_log)
		code = log_history_take(wish);
	if (code == UI_OK && !spec->uuid[0])
		code = device_uuid_make(spec);
	return code;
}

/* The daemon must not have a log of this uuid already: both would be taken for the same. */
static int uuid_check(struct dlmirror *d, const char *uuid)
{
	struct dlmirror_mirror mirror;
	int error = dlmirror_get(d, uuid, &mirror);

	if (error == 0)
		return ui_fail(UI_FAILED, MSG_LOG_ACTIVE,
			       "the log %s is active already, as device %s", uuid,
			       mirror_label(&mirror));
	return error == -ENOENT ? UI_OK : ui_fail_daemon(d, error);
}

/* Without a daemon the load would wait for one. */
static int daemon_check(struct device_wish *wish)
{
	struct dlmirror_daemon daemon;
	struct dlmirror *d;
	int error;
	int code = ui_connect(&d);

	if (code != UI_OK)
		return code;
	error = dlmirror_daemon(d, &daemon);
	if (error != 0)
		code = ui_fail_daemon(d, error);
	else
		identity_of_daemon(&daemon, &wish->host);
	if (code == UI_OK && wish->spec.uuid[0])
		code = uuid_check(d, wish->spec.uuid);
	dlmirror_free(d);
	return code;
}

int device_look(const char *name, struct mapper_device *ret)
{
	char error[MAPPER_ERROR_SIZE];

	if (mapper_examine(name, ret, error) != 0)
		return ui_fail(UI_FAILED, MSG_DEVICE_MAPPER_FAILED,
			       "device-mapper does not answer: %s", error);
	return UI_OK;
}

/* Until this process ends: what another one is making has no table for a moment either. */
static int place_lock(const char *name)
{
	uint64_t until_ms = ui_now_ms() + LOCK_WAIT_MS;
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[sizeof(LOCK_PREFIX) + DLMIRROR_NAME_SIZE];
	int fd;

	(void)snprintf(path, sizeof(path), LOCK_PREFIX "%s", name);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	while (fd >= 0 && fcntl(fd, F_SETLK, &lock) != 0) {
		if ((errno != EAGAIN && errno != EACCES) || ui_now_ms() > until_ms)
			return ui_fail(UI_FAILED, MSG_NOT_NOW,
				       "another command is making %s: again when it has ended",
				       name);
		ui_pause_ms(LOCK_LOOK_MS);
	}
	return fd >= 0 ? UI_OK
		       : ui_fail(UI_FAILED, MSG_CONFIG_UNWRITABLE, "%s cannot be opened: %s", path,
				 strerror(errno));
}

int device_place(const char *name, struct mapper_device *ret)
{
	char error[MAPPER_ERROR_SIZE];
	int code = place_lock(name);

	if (code == UI_OK)
		code = device_look(name, ret);
	if (code != UI_OK || !ret->unfinished)
		return code;
	if (mapper_remove(name, error) != 0)
		return ui_fail(UI_FAILED, MSG_DEVICE_MAPPER_FAILED,
			       "what is left of an earlier %s cannot be removed: %s", name, error);
	return device_look(name, ret);
}

int device_name_check(const char *name)
{
	char error[SPEC_ERROR_SIZE];
	struct mapper_device device;
	int code;

	if (spec_name_check(name, error) != 0)
		return ui_fail(UI_USAGE, MSG_WITHIN, "%s", error);
	code = device_place(name, &device);
	if (code != UI_OK)
		return code;
	if (device.exists)
		return ui_fail(UI_FAILED, MSG_DEVICE_NAME_TAKEN,
			       "there is a device %s already; choose another name, or "
			       "remove it",
			       name);
	return UI_OK;
}

int device_prepare(struct device_wish *wish)
{
	int code = daemon_check(wish);

	return code == UI_OK ? devices_prepare(wish) : code;
}

static int load_failed(const char *name, const char *error)
{
	char why[MAPPER_ERROR_SIZE];
	bool there = false;

	if (mapper_has_mirror_target(&there, why) != 0 || !there)
		return ui_fail(UI_FAILED, MSG_NO_MIRROR_TARGET,
			       "this kernel has no mirror target (%s); modprobe dm-mirror "
			       "dm-log-userspace",
			       error);
	return ui_fail(UI_FAILED, MSG_TABLE_REFUSED,
		       "%s was not made: %s; the reason is in the daemon's log, or in the kernel's "
		       "(dmesg), where it may say that dm-log-userspace is missing",
		       name, error);
}

int device_rate(const char *name, const char *uuid, uint64_t bytes_s)
{
	struct dlmirror *d;
	int code = ui_connect(&d);

	if (code != UI_OK)
		return code;
	if (dlmirror_resync_rate(d, uuid, bytes_s) != 0)
		code = ui_fail(UI_FAILED, MSG_SETTING_NOT_KEPT,
			       "%s is active, but without its resync-rate: %s", name,
			       dlmirror_error(d));
	dlmirror_free(d);
	return code;
}

int device_up(const struct device_wish *wish)
{
	const struct spec *spec = &wish->spec;
	char params[SPEC_PARAMS_SIZE];
	char dm_uuid[sizeof(SPEC_DM_PREFIX) + DLMIRROR_NAME_SIZE];
	char error[MAPPER_ERROR_SIZE];

	if (spec_params(spec, params, sizeof(params)) != 0)
		return ui_fail(UI_FAILED, MSG_TABLE_TOO_LONG, "the table is too long");
	(void)snprintf(dm_uuid, sizeof(dm_uuid), "%s%s", SPEC_DM_PREFIX, spec->uuid);
	if (mapper_create(spec->name, dm_uuid, spec->length_sectors, params, error) != 0)
		return load_failed(spec->name, error);
	return wish->resync_rate != 0 ? device_rate(spec->name, spec->uuid, wish->resync_rate)
				      : UI_OK;
}

static int down_check(const char *name)
{
	struct mapper_device device;
	int code = device_look(name, &device);

	if (code != UI_OK)
		return code;
	if (!device.exists)
		return ui_fail(UI_NO_MIRROR, MSG_NO_SUCH_MIRROR,
			       "there is no device %s; dlmirror list shows the mirrors", name);
	if (!device.ours && !device.unfinished)
		return ui_fail(UI_NO_MIRROR, MSG_NOT_A_MIRROR,
			       "%s is not a mirror of dlmirror; dmsetup(8) removes it", name);
	if (device.open_count > 0)
		return ui_fail(UI_FAILED, MSG_DEVICE_BUSY,
			       "%s is open (mounted, or used by a program or another "
			       "device); lsblk and fuser -v /dev/mapper/%s say by what",
			       name, name);
	return UI_OK;
}

int device_name_free(const char *name, const char *log_uuid)
{
	struct mapper_device device;
	int code = device_look(name, &device);

	if (code != UI_OK || !device.exists || mapper_is(&device, log_uuid))
		return code;
	return ui_fail(
	    UI_FAILED, MSG_DEVICE_NAME_TAKEN,
	    "there is a device %s that is not this mirror; dmsetup table %s says what it "
	    "is",
	    name, name);
}

int device_rename(const char *name, const char *log_uuid, const char *fresh)
{
	char error[MAPPER_ERROR_SIZE];
	struct mapper_device device;
	int code = device_look(name, &device);

	if (code != UI_OK || !mapper_is(&device, log_uuid) ||
	    mapper_rename(name, fresh, error) == 0)
		return code;
	return ui_fail(UI_FAILED, MSG_DEVICE_NOT_RENAMED, "%s was not renamed: %s", name, error);
}

int device_down(const char *name, bool force)
{
	char error[MAPPER_ERROR_SIZE];
	struct dlmirror *d;
	int code = down_check(name);

	if (code == UI_OK && !force) {
		code = ui_connect(&d);
		if (code == UI_OK)
			dlmirror_free(d);
	}
	if (code != UI_OK)
		return code;
	if (mapper_remove(name, error) != 0)
		return ui_fail(UI_FAILED, MSG_DEVICE_NOT_REMOVED, "%s was not removed: %s", name,
			       error);
	return UI_OK;
}
