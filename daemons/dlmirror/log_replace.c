// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dlmirror log replace: another log device. Of a mirror that is active nowhere what the old one
 * knows is on the new one before the configuration names it, and only then the old one is emptied;
 * so what was interrupted is done by the same command again, or has not happened.
 *
 * One in use gets it by a reload on all nodes in step, when all of it is in sync, or nothing, for
 * want of a leg: so what the new one has to know needs no old one, which may be gone. It is made
 * ready before, for the table that comes next, and nobody else believes it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "daemons/common/missing.h"
#include "daemons/dlmirror/block.h"
#include "daemons/dlmirror/configured.h"
#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/identity.h"
#include "daemons/dlmirror/logdev.h"
#include "daemons/dlmirror/mirrors.h"
#include "daemons/dlmirror/reload.h"
#include "daemons/dlmirror/shared.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

/* How long I/O may wait for a node that does not get suspended. */
#define TIMEOUT_S 30U

enum { OPTION_FORCE = 256 };

struct replacing {
	const char *name;
	struct mirror_file file; /* as it is */
	const char *wanted;	 /* a device, or NULL for a log in memory */
	bool force;
	struct logdev old;
	bool old_open;
	bool history; /* the old one has something to say */
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	(void)argument;
	(void)state;
	if (key != OPTION_FORCE)
		return ARGP_ERR_UNKNOWN;
	*(bool *)state->input = true;
	return 0;
}

/* Is that what the configuration says already? */
static bool so_already(const struct replacing *r)
{
	struct block wanted;
	struct block has;
	char text[BLOCK_TEXT_SIZE];

	if (!r->wanted || !r->file.log[0])
		return !r->wanted && !r->file.log[0];
	if (strcmp(r->wanted, r->file.log) == 0)
		return true;
	return block_examine(r->wanted, &wanted, text) == 0 &&
	       block_examine(r->file.log, &has, text) == 0 && wanted.devno == has.devno;
}

/* With --force what cannot be had is done without. */
static int old_lost(const struct replacing *r, const char *why)
{
	if (r->force)
		return UI_OK;
	return ui_fail(UI_FAILED, MSG_LOG_LOST,
		       "%s; to do without what it knows, so that all of %s is resynced when it is "
		       "activated, say --force",
		       why, r->name);
}

static int old_look(struct replacing *r)
{
	const struct disk_search *search = &r->old.search;
	char error[LOGDEV_ERROR_SIZE];
	char why[LOGDEV_ERROR_SIZE + 256];
	int result;

	if (!r->file.log[0])
		return UI_OK;
	result = logdev_open(r->file.log, true, 0, &r->old, error);
	if (result == -EBUSY) /* --force or not: it is somebody's */
		return ui_fail(UI_FAILED, MSG_WITHIN, "the log device %s", error);
	if (result != 0) {
		(void)snprintf(why, sizeof(why), "the log device %s", error);
		return old_lost(r, why);
	}
	r->old_open = true;
	if (device_log_check(&r->old, r->name, r->file.uuid, r->file.revision) != UI_OK)
		return UI_FAILED; /* replace() closes it */
	if (search->has_super && strcmp(search->super.uuid, r->file.uuid) != 0) {
		logdev_close(&r->old);
		r->old_open = false; /* and it stays as it is */
		(void)snprintf(why, sizeof(why),
			       "the log device %s holds the log of another mirror", r->file.log);
		return old_lost(r, why);
	}
	if (search->belief == DISK_IN_USE || search->belief == DISK_NEWER) {
		(void)snprintf(
		    why, sizeof(why),
		    "the log on %s is in use by %s (id %s): deactivate the mirror there, "
		    "and after a crash activate it once before",
		    r->file.log, search->super.owner.host_name, search->super.owner.host_id);
		return old_lost(r, why);
	}
	r->history = search->belief == DISK_KERNEL || search->belief == DISK_CLEAN;
	return UI_OK;
}

static int room_check(const struct replacing *r, const struct logdev *fresh)
{
	uint64_t regions =
	    (r->file.length_sectors + r->file.region_sectors - 1) / r->file.region_sectors;
	struct disk_layout layout;
	char text[FORMAT_SIZE];
	uint64_t needed = 0;

	if (disk_layout_make(regions, r->file.region_sectors, fresh->bytes, 0, &layout, &needed) !=
	    -ENOSPC)
		return UI_OK;
	format_bytes(needed, text);
	return ui_fail(UI_FAILED, MSG_LOG_DEVICE_TOO_SMALL, "%s is too small: a log of %s needs %s",
		       fresh->path, r->name, text);
}

/* Empty, or with what the old one knows. */
static int fresh_fill(const struct replacing *r)
{
	char error[LOGDEV_ERROR_SIZE];
	struct logdev fresh;
	int result;
	int code;

	if (logdev_open(r->wanted, true, 0, &fresh, error) != 0)
		return ui_fail(UI_FAILED, MSG_WITHIN, "log device %s", error);
	code = room_check(r, &fresh);
	if (code == UI_OK) {
		result =
		    r->history ? logdev_copy(&r->old, &fresh, error) : logdev_wipe(&fresh, error);
		code = result == 0 ? UI_OK : ui_fail(UI_FAILED, MSG_WITHIN, "%s", error);
	}
	logdev_close(&fresh);
	return code;
}

/* As activate looks at it; ret is what the configuration is to say. */
static int fresh_look(const struct replacing *r, struct mirror_file *ret)
{
	struct device_wish wish;
	int code;

	*ret = r->file;
	ret->log[0] = '\0';
	ret->serial++;
	ret->revision++;
	config_wish(r->name, ret, &wish);
	wish.force = r->force;
	wish.spec.has_log = r->wanted != NULL;
	wish.log_path = r->wanted;
	code = device_prepare(&wish);
	if (code != UI_OK || !r->wanted)
		return code;
	return config_path(r->wanted, wish.spec.log_devno, ret->log);
}

static void old_retire(struct replacing *r, const struct mirror_file *after)
{
	char error[LOGDEV_ERROR_SIZE];

	if (r->old_open && logdev_retire(&r->old, after->revision, error) != 0)
		ui_note(MSG_DEVICE_UNWRITABLE, "%s: it still holds the log that it had", error);
}

static int replace_at_rest(struct replacing *r)
{
	struct mirror_file after;
	int code = old_look(r);

	if (code == UI_OK)
		code = fresh_look(r, &after);
	if (code == UI_OK && r->wanted)
		code = fresh_fill(r);
	if (code == UI_OK)
		code = config_store(r->name, &after);
	if (code == UI_OK)
		old_retire(r, &after);
	if (r->old_open)
		logdev_close(&r->old);
	if (code != UI_OK)
		return code;
	ui_done("%s: log %s%s\n", r->name, after.log[0] ? after.log : "in memory",
		r->history && r->wanted ? "" : "; all of it is resynced when it is activated");
	shared_push(r->name);
	return UI_OK;
}

/* ---- of a mirror in use */

/* Then nothing is in sync, and the new log says so. */
static bool lacks_leg(const struct dlmirror_mirror *m)
{
	for (uint32_t i = 0; i < m->leg_count; i++)
		if (m->leg[i].health == MISSING_HEALTH)
			return true;
	return false;
}

/* The new one, as the next table is to find it. path: what all nodes call it. */
static int ready_make(struct dlmirror *d, const struct replacing *r,
		      const struct dlmirror_mirror *m, char path[MIRROR_FILE_PATH_SIZE])
{
	struct disk_super super = {.revision = m->revision + 1};
	struct device_wish wish = {.log_path = r->wanted, .force = r->force, .known = true};
	char error[LOGDEV_ERROR_SIZE];
	struct dlmirror_daemon daemon;
	struct logdev fresh;
	int result;
	int code;

	result = dlmirror_daemon(d, &daemon);
	if (result != 0)
		return ui_fail_daemon(d, result);
	identity_of_daemon(&daemon, &wish.host);
	wish.spec.name = r->name;
	strcpy(wish.spec.uuid, m->uuid);
	wish.spec.revision = super.revision;
	wish.spec.length_sectors = m->length_sectors;
	wish.spec.region_sectors = m->region_sectors;
	code = device_log_prepare(&wish);
	if (code == UI_OK)
		code = config_path(r->wanted, wish.spec.log_devno, path);
	if (code != UI_OK)
		return code;
	if (logdev_open(r->wanted, true, 0, &fresh, error) != 0)
		return ui_fail(UI_FAILED, MSG_WITHIN, "log device %s", error);
	strcpy(super.uuid, m->uuid);
	super.owner = wish.host;
	super.layout.region_count = m->region_count;
	super.layout.region_sectors = m->region_sectors;
	code = room_check(r, &fresh);
	if (code == UI_OK && logdev_prepare(&fresh, &super, !lacks_leg(m), error) != 0)
		code = ui_fail(UI_FAILED, MSG_WITHIN, "%s", error);
	logdev_close(&fresh);
	return code;
}

/* The table that it was made ready for does not come. */
static void ready_undo(const struct replacing *r)
{
	char error[LOGDEV_ERROR_SIZE];
	struct logdev fresh;

	if (logdev_open(r->wanted, true, 0, &fresh, error) != 0)
		return;
	(void)logdev_wipe(&fresh, error);
	logdev_close(&fresh);
}

static int reload_with(struct dlmirror **d, const struct replacing *r,
		       const struct dlmirror_mirror *m)
{
	static struct dlmirror_reload reload; /* large */
	char path[MIRROR_FILE_PATH_SIZE];
	int code = ready_make(*d, r, m, path);
	int error;

	if (code != UI_OK)
		return code;
	error = dlmirror_log_replace(*d, m->uuid, path, TIMEOUT_S);
	code = error != 0 ? ui_fail_daemon(*d, error) : reload_end(d, m, false, &reload);
	/* Where it is not known, or a node has failed, others may use it. */
	if (error != 0 || (reload.known && !reload.under_way && !reload.done))
		ready_undo(r);
	if (code == UI_OK)
		ui_done("%s: log %s\n", r->name, path);
	return code;
}

/* It would be written over, and the mirror would wait for itself. */
static int itself_check(const struct replacing *r, const struct mapper_device *device)
{
	struct block wanted;
	char text[BLOCK_TEXT_SIZE];

	if (block_examine(r->wanted, &wanted, text) != 0)
		return ui_fail(UI_FAILED, MSG_WITHIN, "log device %s", text);
	if (wanted.devno != makedev(device->major, device->minor))
		return UI_OK;
	return ui_fail(UI_FAILED, MSG_LEG_IS_MIRROR, "log device %s is the mirror itself",
		       r->wanted);
}

static int replace_in_use(struct replacing *r, const struct mapper_device *device)
{
	struct dlmirror_mirror m;
	struct dlmirror *d;
	int code;

	if (!r->wanted)
		return ui_fail(UI_FAILED, MSG_MIRROR_IN_USE,
			       "%s is active here, and only one that is not can be given a log in "
			       "memory: dlmirror deactivate %s, on all nodes, and then again",
			       r->name, r->name);
	code = itself_check(r, device);
	if (code == UI_OK)
		code = ui_connect(&d);
	if (code != UI_OK)
		return code;
	code = mirror_get_with_legs(d, r->name, &m);
	if (code == UI_OK && m.in_sync != m.region_count && !lacks_leg(&m))
		code = ui_fail(UI_FAILED, MSG_NOT_IN_SYNC,
			       "not all regions of %s are in sync, and only the log that it has "
			       "knows which: wait for the resync",
			       r->name);
	if (code == UI_OK)
		code = reload_with(&d, r, &m);
	dlmirror_free(d);
	return code;
}

static int replace(struct replacing *r)
{
	struct mapper_device device;
	int code = device_look(r->name, &device);

	if (code != UI_OK)
		return code;
	if (device.exists)
		return replace_in_use(r, &device);
	code = shared_idle(r->name, r->file.uuid);
	return code == UI_OK ? replace_at_rest(r) : code;
}

int verb_log_replace(int argc, char **argv)
{
	static const struct argp_option table[] = {{"force", OPTION_FORCE, NULL, 0,
						    "use a device that holds something, and do "
						    "without what the old one knows if it cannot "
						    "be had",
						    0},
						   {0}};
	struct replacing r = {0};
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse,
	    .input = &r.force,
	    .names = "MIRROR DEVICE",
	    .doc =
		"Gives a mirror another log device, or with core as DEVICE a log in memory only. "
		"One that is active gets it on all nodes that have it active, when all of it is in "
		"sync, or it goes on without a leg; one that is not keeps what the old one knows "
		"of regions.\vGive the command "
		"on a node that has the mirror active, where there is one. The path must mean the "
		"same device on all nodes.",
	    .min = 2,
	    .max = 2,
	    .quiet = true};
	struct verb_arguments arguments;
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	r.name = arguments.name[0];
	if (strcmp(arguments.name[1], "core") != 0)
		r.wanted = arguments.name[1];
	code = config_exists(r.name) ? shared_refresh(r.name, r.force) : UI_OK;
	if (code == UI_OK)
		code = config_load(r.name, &r.file);
	if (code != UI_OK)
		return code;
	if (so_already(&r)) {
		ui_done("%s has that log already\n", r.name);
		return UI_OK;
	}
	return replace(&r);
}
