// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dlmirror create: from arguments to an active device. Everything that can be known to go wrong is
 * refused before the table is loaded, because a load that fails can only say "invalid argument",
 * and one that no daemon answers does not come back.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "daemons/common/host.h"
#include "daemons/dlmirror/block.h"
#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/identity.h"
#include "daemons/dlmirror/logdev.h"
#include "daemons/dlmirror/mapper.h"
#include "daemons/dlmirror/mirrors.h"
#include "daemons/dlmirror/spec.h"
#include "daemons/dlmirror/verb.h"

struct create_options {
	struct spec spec;
	const char *log_path;
	struct disk_owner host; /* who we are on log devices */
	bool force;
};

enum {
	OPTION_REGION_SIZE = 256,
	OPTION_SYNC,
	OPTION_NOSYNC,
	OPTION_INTEGRATED_FLUSH,
	OPTION_HANDLE_ERRORS,
	OPTION_UUID,
	OPTION_SIZE,
	OPTION_FORCE,
};

static uint64_t sectors_parse(struct argp_state *state, const char *what, const char *argument)
{
	uint64_t bytes;

	if (format_parse_bytes(argument, &bytes) != 0 || bytes == 0 || bytes % SECTOR_BYTES != 0)
		argp_error(state, "%s %s: write it like 512KiB, 10GiB, or 2048s (sectors)", what,
			   argument);
	return bytes / SECTOR_BYTES;
}

static void leg_add(struct argp_state *state, struct spec *spec, const char *argument)
{
	char error[SPEC_ERROR_SIZE];

	if (spec->leg_count == DLMIRROR_LEGS_MAX)
		argp_error(state, "a mirror has at most %d legs", DLMIRROR_LEGS_MAX);
	if (spec_leg_parse(argument, &spec->leg[spec->leg_count], error) != 0)
		argp_error(state, "%s", error);
	spec->leg_count++;
}

static void sync_set(struct argp_state *state, struct spec *spec, enum spec_sync sync)
{
	if (spec->sync != SPEC_SYNC_KEEP && spec->sync != sync)
		argp_error(state, "--sync and --nosync contradict each other");
	spec->sync = sync;
}

static void uuid_set(struct argp_state *state, struct spec *spec, const char *argument)
{
	char error[SPEC_ERROR_SIZE];

	if (spec_uuid_check(argument, error) != 0)
		argp_error(state, "%s", error);
	strcpy(spec->uuid, argument);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct create_options *options = state->input;
	struct spec *spec = &options->spec;

	switch (key) {
	case 'L':
		leg_add(state, spec, argument);
		return 0;
	case 'l':
		options->log_path = argument;
		spec->has_log = true;
		return 0;
	case OPTION_REGION_SIZE:
		spec->region_sectors = sectors_parse(state, "region size", argument);
		return 0;
	case OPTION_SIZE:
		spec->length_sectors = sectors_parse(state, "size", argument);
		return 0;
	case OPTION_SYNC:
		sync_set(state, spec, SPEC_SYNC_FORCE);
		return 0;
	case OPTION_NOSYNC:
		sync_set(state, spec, SPEC_SYNC_NOSYNC);
		return 0;
	case OPTION_INTEGRATED_FLUSH:
		spec->integrated_flush = true;
		return 0;
	case OPTION_HANDLE_ERRORS:
		spec->handle_errors = true;
		return 0;
	case OPTION_UUID:
		uuid_set(state, spec, argument);
		return 0;
	case OPTION_FORCE:
		options->force = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int leg_examine(struct spec_leg *leg, bool force)
{
	char text[BLOCK_TEXT_SIZE];
	struct block block;
	enum block_use use;

	if (block_examine(leg->path, &block, text) != 0)
		return ui_fail(UI_FAILED, "leg %s", text);
	leg->devno = block.devno;
	leg->device_sectors = block.bytes / SECTOR_BYTES;
	leg->block_bytes = block.block_bytes;
	use = block_used(leg->path, block.devno, text);
	if (use == BLOCK_MAPPED && !force)
		return ui_fail(UI_FAILED,
			       "leg %s is %s; when the mirror is to have a part that is free, say "
			       "--force",
			       leg->path, text);
	if (use != BLOCK_FREE && use != BLOCK_MAPPED)
		return ui_fail(UI_FAILED, "leg %s is %s; choose another, or free it first",
			       leg->path, text);
	return UI_OK;
}

static int log_examine(struct create_options *options)
{
	char text[BLOCK_TEXT_SIZE];
	struct block block;

	if (block_examine(options->log_path, &block, text) != 0)
		return ui_fail(UI_FAILED, "log device %s", text);
	options->spec.log_devno = block.devno;
	if (block_used(options->log_path, block.devno, text) != BLOCK_FREE)
		return ui_fail(UI_FAILED, "log device %s is %s; each mirror has one of its own",
			       options->log_path, text);
	if (options->force)
		return UI_OK;
	if (block_signature(options->log_path, text) != 0)
		return ui_fail(UI_FAILED, "log device %s cannot be read", options->log_path);
	if (text[0])
		return ui_fail(
		    UI_FAILED,
		    "log device %s holds %s, which would be destroyed; if that is meant, "
		    "say --force",
		    options->log_path, text);
	return UI_OK;
}

static int uuid_make(struct spec *spec)
{
	uint32_t random;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return ui_fail(UI_FAILED, "no random number can be had: %s", strerror(errno));
	(void)snprintf(spec->uuid, sizeof(spec->uuid), "%s-%08" PRIx32, spec->name, random);
	return UI_OK;
}

/*
 * What is on the log device already belongs to a mirror: to this one, whose history it then is, or
 * to another, whose bits would be lies about these legs.
 */
static int log_history_decide(struct create_options *options, struct logdev *log)
{
	const struct disk_search *search = &log->search;
	struct spec *spec = &options->spec;
	const char *uuid = search->super.uuid;
	char error[LOGDEV_ERROR_SIZE];

	if (search->belief == DISK_NEWER)
		return ui_fail(UI_FAILED, "log device %s was written by a newer dlmirror; use that",
			       log->path);
	if (search->belief == DISK_IN_USE && !disk_owner_same(&search->super.owner, &options->host))
		return ui_fail(UI_FAILED,
			       "log device %s is in use by host %s (id %s); if that host does not "
			       "write the mirror any more: dlmirror log adopt %s",
			       log->path, search->super.owner.host_name,
			       search->super.owner.host_id, log->path);
	if (!search->has_super)
		return UI_OK;
	if (spec->uuid[0] ? strcmp(spec->uuid, uuid) == 0 : spec_uuid_is_for(uuid, spec->name)) {
		strcpy(spec->uuid, uuid);
		return UI_OK;
	}
	if (!options->force)
		return ui_fail(UI_FAILED,
			       "log device %s holds the log %s of another mirror; to go on with "
			       "that one say --uuid %s, to forget it --force",
			       log->path, uuid, uuid);
	return logdev_wipe(log, error) == 0 ? UI_OK : ui_fail(UI_FAILED, "log device %s", error);
}

static int log_history_take(struct create_options *options)
{
	const struct spec *spec = &options->spec;
	uint64_t regions = (spec->length_sectors + spec->region_sectors - 1) / spec->region_sectors;
	char error[LOGDEV_ERROR_SIZE];
	struct logdev log;
	int code;

	if (logdev_open(options->log_path, true, regions, &log, error) != 0)
		return ui_fail(UI_FAILED, "log device %s", error);
	code = log_history_decide(options, &log);
	logdev_close(&log);
	return code;
}

static int spec_prepare(struct create_options *options)
{
	struct spec *spec = &options->spec;
	char error[SPEC_ERROR_SIZE];
	int code = UI_OK;
	unsigned i;

	for (i = 0; i < spec->leg_count && code == UI_OK; i++)
		code = leg_examine(&spec->leg[i], options->force);
	if (code == UI_OK && spec->has_log)
		code = log_examine(options);
	if (code != UI_OK)
		return code;
	if (spec_complete(spec, error) != 0)
		return ui_fail(UI_FAILED, "%s", error);
	if (spec->has_log)
		code = log_history_take(options);
	if (code == UI_OK && !spec->uuid[0])
		code = uuid_make(spec);
	return code;
}

/* The daemon must not have a log of this uuid already: both would be taken for the same. */
static int uuid_check(struct dlmirror *d, const char *uuid)
{
	struct dlmirror_mirror mirror;
	int error = dlmirror_get(d, uuid, &mirror);

	if (error == 0)
		return ui_fail(UI_FAILED, "the log %s is active already, as device %s", uuid,
			       mirror_label(&mirror));
	return error == -ENOENT ? UI_OK : ui_fail_daemon(d, error);
}

/* Without a daemon the load would wait for one. */
static int daemon_check(struct create_options *options)
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
		identity_of_daemon(&daemon, &options->host);
	if (code == UI_OK && options->spec.uuid[0])
		code = uuid_check(d, options->spec.uuid);
	dlmirror_free(d);
	return code;
}

static int name_check(const char *name)
{
	char error[MAPPER_ERROR_SIZE];
	struct mapper_device device;

	if (spec_name_check(name, error) != 0)
		return ui_fail(UI_USAGE, "%s", error);
	if (mapper_examine(name, &device, error) != 0)
		return ui_fail(UI_FAILED, "device-mapper does not answer: %s", error);
	if (device.exists)
		return ui_fail(UI_FAILED,
			       "there is a device %s already; choose another name, or "
			       "remove it",
			       name);
	return UI_OK;
}

static int load_failed(const char *name, const char *error)
{
	if (!mapper_has_mirror_target())
		return ui_fail(UI_FAILED,
			       "this kernel has no mirror target (%s); modprobe dm-mirror "
			       "dm-log-userspace",
			       error);
	return ui_fail(UI_FAILED,
		       "%s was not made: %s; the reason is in the daemon's log, or in the kernel's "
		       "(dmesg), where it may say that dm-log-userspace is missing",
		       name, error);
}

static int mirror_make(const struct spec *spec)
{
	char params[SPEC_PARAMS_SIZE];
	char dm_uuid[sizeof(SPEC_DM_PREFIX) + DLMIRROR_NAME_SIZE];
	char error[MAPPER_ERROR_SIZE];

	if (spec_params(spec, params, sizeof(params)) != 0)
		return ui_fail(UI_FAILED, "the table is too long");
	(void)snprintf(dm_uuid, sizeof(dm_uuid), "%s%s", SPEC_DM_PREFIX, spec->uuid);
	if (mapper_create(spec->name, dm_uuid, spec->length_sectors, params, error) != 0)
		return load_failed(spec->name, error);
	return UI_OK;
}

static void mirror_tell(const struct spec *spec, const char *log_path)
{
	char size[FORMAT_SIZE];
	char region[FORMAT_SIZE];

	format_bytes(spec->length_sectors * SECTOR_BYTES, size);
	format_bytes(spec->region_sectors * SECTOR_BYTES, region);
	(void)printf("/dev/mapper/%s: %s on %u legs, %" PRIu64 " regions of %s, log %s, uuid %s\n",
		     spec->name, size, spec->leg_count,
		     (spec->length_sectors + spec->region_sectors - 1) / spec->region_sectors,
		     region, log_path ? log_path : "in memory", spec->uuid);
}

int verb_create(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"leg", 'L', "DEVICE[@OFFSET]", 0, "a leg; the first is where repairs copy from", 0},
	    {"log", 'l', "DEVICE", 0, "keep the dirty log on DEVICE, not in memory only", 0},
	    {"region-size", OPTION_REGION_SIZE, "SIZE", 0, "a power of two (512KiB)", 0},
	    {"size", OPTION_SIZE, "SIZE", 0, "use only so much of each leg", 0},
	    {"sync", OPTION_SYNC, NULL, 0, "resync all, whatever the log says", 0},
	    {"nosync", OPTION_NOSYNC, NULL, 0,
	     "take the legs for identical where the log says nothing", 0},
	    {"integrated-flush", OPTION_INTEGRATED_FLUSH, NULL, 0, "one request for mark and flush",
	     0},
	    {"handle-errors", OPTION_HANDLE_ERRORS, NULL, 0,
	     "hold writes when a leg fails, until it is replaced", 0},
	    {"uuid", OPTION_UUID, "UUID", 0, "of the log (the name and eight random digits)", 0},
	    {"force", OPTION_FORCE, NULL, 0,
	     "use devices that hold something or are part of another mapped device", 0},
	    {0}};
	struct create_options options = {.spec.region_sectors = SPEC_REGION_BYTES / SECTOR_BYTES};
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse,
	    .input = &options,
	    .names = "NAME",
	    .doc = "Makes the mirror /dev/mapper/NAME and activates it. A log device that this "
		   "mirror had before is taken up where it was.",
	    .min = 1,
	    .max = 1};
	struct verb_arguments arguments;
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	options.spec.name = arguments.name[0];
	code = name_check(options.spec.name);
	if (code == UI_OK)
		code = daemon_check(&options);
	if (code == UI_OK)
		code = spec_prepare(&options);
	if (code == UI_OK)
		code = mirror_make(&options.spec);
	if (code == UI_OK)
		mirror_tell(&options.spec, options.log_path);
	return code;
}
