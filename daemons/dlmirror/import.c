// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror import: the configuration of a mirror that was made otherwise, from its table. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "daemons/dlmirror/block.h"
#include "daemons/dlmirror/configured.h"
#include "daemons/dlmirror/device.h"
#include "daemons/dlmirror/foreign.h"
#include "daemons/dlmirror/mapper.h"
#include "daemons/dlmirror/shared.h"
#include "daemons/dlmirror/mirrors.h"
#include "daemons/dlmirror/verb.h"

#define DEPTH_MAX 8U /* of LVM's volumes on one another */

struct import_options {
	const char *log; /* NULL: as it is */
};

/* A device that may be gone has no path. */
static int device_path(unsigned major, unsigned minor, char ret[BLOCK_TEXT_SIZE])
{
	block_name(major, minor, ret);
	return ret[0] ? UI_OK
		      : ui_fail(UI_FAILED, MSG_DEVICE_GONE,
				"the device %u:%u is not there any more", major, minor);
}

static int leg_path_set(struct spec_leg *leg, const char *path)
{
	if (strlen(path) >= sizeof(leg->path))
		return ui_fail(UI_FAILED, MSG_PATH_TOO_LONG, "leg %s: the path is too long", path);
	strcpy(leg->path, path);
	return UI_OK;
}

/* ---- mirrors of ours */

static int own_import(struct dlmirror *d, const char *name)
{
	struct device_wish wish = {.known = true};
	struct spec *spec = &wish.spec;
	char log[BLOCK_TEXT_SIZE];
	struct dlmirror_mirror m;
	unsigned major;
	unsigned minor;
	struct mapper_device device;
	struct mapper_device later;
	int code = mirror_get_with_legs(d, name, &m);

	if (code != UI_OK)
		return code;
	if (m.leg_count == 0 || !m.name[0])
		return ui_fail(UI_FAILED, MSG_LEGS_UNKNOWN,
			       "the daemon does not know the legs of %s", name);
	code = device_look(m.name, &device);
	if (code == UI_OK)
		code = mirror_get_with_legs(d, name, &m); /* of this table, or a later one */
	if (code == UI_OK)
		code = device_look(m.name, &later);
	if (code == UI_OK && later.revision != device.revision)
		code =
		    ui_fail(UI_FAILED, MSG_NOT_NOW, "%s is being changed: again in a moment", name);
	if (code != UI_OK)
		return code;
	spec->name = m.name;
	wish.resync_rate = m.resync_rate;
	memcpy(spec->uuid, m.uuid, sizeof(spec->uuid));
	spec->length_sectors = m.length_sectors;
	spec->region_sectors = m.region_sectors;
	spec->revision = device.revision;
	spec->integrated_flush = m.integrated_flush;
	spec->handle_errors = m.handle_errors;
	wish.hold = true; /* who has made it may have other plans */
	spec->leg_count = m.leg_count;
	for (uint32_t i = 0; i < m.leg_count && code == UI_OK; i++) {
		struct spec_leg *leg = &spec->leg[i];
		char path[BLOCK_TEXT_SIZE];

		code = device_path(m.leg[i].major, m.leg[i].minor, path);
		if (code == UI_OK)
			code = leg_path_set(leg, path);
		if (code != UI_OK)
			return code;
		leg->devno = makedev(m.leg[i].major, m.leg[i].minor);
		leg->start_sector = m.leg[i].start_sector;
	}
	if (m.has_disk && sscanf(m.log_device, "%u:%u", &major, &minor) == 2) {
		code = device_path(major, minor, log);
		spec->has_log = true;
		spec->log_devno = makedev(major, minor);
		wish.log_path = log;
	}
	if (code == UI_OK)
		code = config_write(&wish);
	if (code == UI_OK) {
		ui_done("%s/%s.conf\n", VERB_MIRRORS_DIR, m.name);
		shared_push(m.name);
	}
	return code;
}

/* ---- mirrors of others */

/* LVM's own volumes go when it takes the mirror down, so what counts is what they stand on. */
static int below_lvm(uint32_t number, struct spec_leg *leg, uint64_t length)
{
	char error[MAPPER_ERROR_SIZE];
	struct mapper_target target;

	for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
		uint64_t sector;

		if (mapper_target_of(leg->devno, &target, error) != 0)
			return ui_fail(UI_FAILED, MSG_DEVICE_MAPPER_FAILED,
				       "device-mapper does not answer: %s", error);
		if (!target.of_lvm)
			return UI_OK;
		if (target.count != 1 || strcmp(target.type, "linear") != 0 ||
		    foreign_parse_linear(target.params, &leg->devno, &sector) != 0 ||
		    target.length < leg->start_sector + length)
			break;
		leg->start_sector += sector;
	}
	return ui_fail(UI_FAILED, MSG_LEG_IN_PIECES,
		       "the leg %" PRIu32
		       " is in several pieces below LVM: have pvmove put it into one, or "
		       "make the mirror anew with create and copy",
		       number);
}

static int foreign_leg(const struct foreign *foreign, uint32_t i, struct spec *spec)
{
	struct spec_leg *leg = &spec->leg[i];
	char path[BLOCK_TEXT_SIZE];
	int code;

	leg->devno = foreign->leg[i].devno;
	leg->start_sector = foreign->leg[i].start_sector;
	code = below_lvm(i + 1, leg, spec->length_sectors);
	if (code == UI_OK)
		code = device_path(major(leg->devno), minor(leg->devno), path);
	if (code != UI_OK)
		return code;
	return leg_path_set(leg, path);
}

/* A whole device goes on as the log that it is; a part of one, which LVM has made, cannot. */
static int foreign_log(const struct import_options *options, const struct foreign *foreign,
		       struct device_wish *wish, char path[BLOCK_TEXT_SIZE])
{
	struct mapper_target target;
	char error[MAPPER_ERROR_SIZE];
	struct block block;

	if (options->log && strcmp(options->log, "core") == 0)
		return UI_OK;
	wish->spec.has_log = true;
	wish->log_path = path;
	if (options->log) {
		if (block_examine(options->log, &block, path) != 0)
			return ui_fail(UI_FAILED, MSG_WITHIN, "log device %s", path);
		wish->spec.log_devno = block.devno;
		(void)snprintf(path, BLOCK_TEXT_SIZE, "%s", options->log);
		return UI_OK;
	}
	if (foreign->has_log && mapper_target_of(foreign->log, &target, error) == 0 &&
	    !target.of_lvm) {
		wish->spec.log_devno = foreign->log;
		return device_path(major(foreign->log), minor(foreign->log), path);
	}
	return ui_fail(
	    UI_FAILED, MSG_LOG_NOT_IMPORTABLE,
	    "its log cannot go on as it is: name a device for the new one with --log, or "
	    "--log=core; all of it is resynced then");
}

static int foreign_import(const char *name, const struct import_options *options,
			  const struct mapper_target *target)
{
	struct device_wish wish = {.hold = true};
	struct spec *spec = &wish.spec;
	char error[FOREIGN_ERROR_SIZE];
	struct mirror_file before = {0};
	char log[BLOCK_TEXT_SIZE];
	struct foreign foreign;
	int code;

	if (foreign_parse(target->params, &foreign, error) != 0)
		return ui_fail(UI_FAILED, MSG_WITHIN, "%s: %s", name, error);
	spec->name = name;
	spec->length_sectors = target->length;
	spec->region_sectors = foreign.region_sectors;
	spec->leg_count = foreign.leg_count;
	code = foreign_log(options, &foreign, &wish, log);
	for (uint32_t i = 0; i < foreign.leg_count && code == UI_OK; i++)
		code = foreign_leg(&foreign, i, spec);
	if (code == UI_OK && config_exists(name))
		code = config_load(name, &before);
	if (code == UI_OK && before.uuid[0]) /* said again */
		memcpy(spec->uuid, before.uuid, sizeof(spec->uuid));
	else if (code == UI_OK)
		code = device_uuid_make(spec);
	if (code == UI_OK)
		code = config_write(&wish);
	if (code != UI_OK)
		return code;
	ui_done("%s/%s.conf\n", VERB_MIRRORS_DIR, name);
	shared_push(name);
	ui_done(target->of_lvm
		    ? "It is active as LVM's mirror still: have LVM take it down for good, on all "
		      "nodes, without touching its data, then 'dlmirror activate %s'\n"
		    : "It is active as it was still: take it down on all nodes, then 'dlmirror "
		      "activate %s'\n",
		name);
	return UI_OK;
}

static int import_run(struct dlmirror **d, const char *name, const void *input, bool json)
{
	const struct import_options *options = input;
	char error[MAPPER_ERROR_SIZE];
	struct mapper_target target;
	struct dlmirror_mirror m;

	(void)json;
	if (dlmirror_get(*d, name, &m) == 0)
		return options->log ? ui_fail(UI_USAGE, MSG_USAGE,
					      "%s has a log of dlmirror, which stays: leave out "
					      "--log, and see 'dlmirror log replace'",
					      name)
				    : own_import(*d, name);
	if (mapper_target(name, &target, error) != 0)
		return ui_fail(UI_FAILED, MSG_DEVICE_MAPPER_FAILED,
			       "device-mapper does not answer: %s", error);
	if (!target.exists || target.count != 1 || strcmp(target.type, "mirror") != 0)
		return ui_fail(UI_NO_MIRROR, MSG_NOT_A_MIRROR,
			       "there is no mirror %s, of dlmirror or otherwise, active here; "
			       "'dmsetup ls --target mirror' lists the others",
			       name);
	return foreign_import(name, options, &target);
}

enum { OPTION_LOG = 'l' };

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct import_options *options = state->input;

	if (key != OPTION_LOG)
		return ARGP_ERR_UNKNOWN;
	options->log = argument;
	return 0;
}

int verb_import(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"log", OPTION_LOG, "DEVICE", 0,
	     "of a mirror that is not dlmirror's: keep the new log on DEVICE, or with core in "
	     "memory",
	     0},
	    {0}};
	struct import_options options = {0};
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse,
	    .input = &options,
	    .names = "MIRROR",
	    .doc =
		"Writes the configuration of a mirror that is active and was not made by create, "
		"so that activate can bring it back: one of dlmirror's by its name or uuid, or the "
		"device-mapper name of one with the kernel's own log or of LVM's type mirror.",
	    .min = 1,
	    .max = 1,
	    .quiet = true};

	return verb_on_mirror(&syntax, argc, argv, import_run);
}
