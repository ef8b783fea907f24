// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dlmirror log replace: another log device for a mirror that is active nowhere. What the old one
 * knows is on the new one before the configuration names it, and only then the old one is emptied;
 * so what was interrupted is done by the same command again, or has not happened.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemons/dlmirror/block.h"
#include "daemons/dlmirror/configured.h"
#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/logdev.h"
#include "daemons/dlmirror/shared.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

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

static int inactive_check(const struct replacing *r)
{
	struct mapper_device device;
	int code = device_look(r->name, &device);

	if (code != UI_OK || !device.exists)
		return code == UI_OK ? shared_idle(r->name, r->file.uuid) : code;
	return ui_fail(UI_FAILED, MSG_MIRROR_IN_USE,
		       "%s is active here, and the log of a mirror in use cannot be replaced: "
		       "dlmirror deactivate %s, on all nodes, and then again",
		       r->name, r->name);
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

static int replace(struct replacing *r)
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
		"Gives a mirror that is active nowhere another log device, or with core as DEVICE "
		"a log in memory only. What the old one knows of regions is taken along.",
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
	code = inactive_check(&r);
	return code == UI_OK ? replace(&r) : code;
}
