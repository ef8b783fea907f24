// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror create: from arguments to a configuration and an active device. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemons/common/bytes.h"
#include "daemons/dlmirror/configured.h"
#include "daemons/dlmirror/shared.h"
#include "daemons/dlmirror/device.h"
#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/mapper.h"
#include "daemons/dlmirror/mirrors.h"
#include "daemons/dlmirror/verb.h"

struct create_options {
	struct device_wish wish;
	bool hold_given;
};

enum {
	OPTION_REGION_SIZE = 256,
	OPTION_SYNC,
	OPTION_NOSYNC,
	OPTION_INTEGRATED_FLUSH,
	OPTION_LEG_FAILURE,
	OPTION_UUID,
	OPTION_SIZE,
	OPTION_FORCE,
	OPTION_RESYNC_RATE,
};

static uint64_t sectors_parse(struct argp_state *state, const char *what, const char *argument)
{
	uint64_t sectors = 0;

	if (bytes_parse_sectors(argument, &sectors) != 0)
		ui_refuse(state->name, "%s %s: write it like 512KiB, 10GiB, or 2048s (sectors)",
			  what, argument);
	return sectors;
}

static void leg_add(struct argp_state *state, struct spec *spec, const char *argument)
{
	char error[SPEC_ERROR_SIZE];

	if (spec->leg_count == DLMIRROR_LEGS_MAX)
		ui_refuse(state->name, "a mirror has at most %d legs", DLMIRROR_LEGS_MAX);
	if (spec_leg_parse(argument, &spec->leg[spec->leg_count], error) != 0)
		ui_refuse(state->name, "%s", error);
	spec->leg_count++;
}

static void sync_set(struct argp_state *state, struct spec *spec, enum spec_sync sync)
{
	if (spec->sync != SPEC_SYNC_KEEP && spec->sync != sync)
		ui_refuse(state->name, "--sync and --nosync contradict each other");
	spec->sync = sync;
}

static void uuid_set(struct argp_state *state, struct spec *spec, const char *argument)
{
	char error[SPEC_ERROR_SIZE];

	if (spec_uuid_check(argument, error) != 0)
		ui_refuse(state->name, "%s", error);
	strcpy(spec->uuid, argument);
}

static bool hold_parse(const struct argp_state *state, const char *text)
{
	if (strcmp(text, "hold") != 0 && strcmp(text, "continue") != 0)
		ui_refuse(state->name, "leg failure is 'hold' or 'continue', not '%s'", text);
	return strcmp(text, "hold") == 0;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct create_options *options = state->input;
	struct device_wish *wish = &options->wish;
	struct spec *spec = &wish->spec;

	switch (key) {
	case 'L':
		leg_add(state, spec, argument);
		return 0;
	case 'l':
		wish->log_path = argument;
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
	case OPTION_LEG_FAILURE:
		wish->hold = hold_parse(state, argument);
		options->hold_given = true;
		return 0;
	case OPTION_UUID:
		uuid_set(state, spec, argument);
		return 0;
	case OPTION_FORCE:
		wish->force = true;
		return 0;
	case OPTION_RESYNC_RATE:
		wish->resync_rate = verb_rate(argument, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void mirror_tell(const struct spec *spec, const char *log_path)
{
	char size[FORMAT_SIZE];
	char region[FORMAT_SIZE];

	format_bytes(spec->length_sectors * SECTOR_BYTES, size);
	format_bytes(spec->region_sectors * SECTOR_BYTES, region);
	ui_done("/dev/mapper/%s: %s on %u legs, %" PRIu64 " regions of %s, log %s, uuid %s\n",
		spec->name, size, spec->leg_count,
		(spec->length_sectors + spec->region_sectors - 1) / spec->region_sectors, region,
		log_path ? log_path : "in memory", spec->uuid);
}

/* Asked for again, it is the same mirror; what was set since stays set. */
static int configured_take(struct create_options *options)
{
	struct device_wish *wish = &options->wish;
	struct spec *spec = &wish->spec;
	struct mirror_file file;
	int code = config_load(spec->name, &file);

	if (code != UI_OK)
		return code;
	if (!spec->uuid[0])
		memcpy(spec->uuid, file.uuid, sizeof(spec->uuid));
	spec->revision = file.revision;
	wish->known = strcmp(spec->uuid, file.uuid) == 0;
	if (wish->resync_rate == 0)
		wish->resync_rate = file.resync_rate;
	if (!options->hold_given)
		wish->hold = file.hold;
	return UI_OK;
}

static bool same_device(const char *path, const char *configured)
{
	struct stat a;
	struct stat b;

	return stat(path, &a) == 0 && stat(configured, &b) == 0 && S_ISBLK(a.st_mode) &&
	       S_ISBLK(b.st_mode) && a.st_rdev == b.st_rdev;
}

/* What was not said may be as it is. */
static bool says_the_same(const struct device_wish *wish, const struct mirror_file *file)
{
	const struct spec *spec = &wish->spec;
	bool same = spec->leg_count == file->leg_count &&
		    spec->region_sectors == file->region_sectors &&
		    spec->has_log == (file->log[0] != '\0') &&
		    (spec->length_sectors == 0 || spec->length_sectors == file->length_sectors) &&
		    (!spec->uuid[0] || strcmp(spec->uuid, file->uuid) == 0);

	for (uint32_t i = 0; same && i < file->leg_count; i++)
		same = spec->leg[i].start_sector == file->leg[i].start_sector &&
		       same_device(spec->leg[i].path, file->leg[i].path);
	return same && (!spec->has_log || same_device(wish->log_path, file->log));
}

/* Said a second time, as by who does not know whether the first came to its end. */
static bool made_already(const struct device_wish *wish)
{
	const char *name = wish->spec.name;
	char error[MIRROR_FILE_ERROR_SIZE];
	struct mapper_device device;
	struct mirror_file file;

	return mirror_file_read(VERB_MIRRORS_DIR, name, &file, error) == 0 &&
	       mapper_examine(name, &device, error) == 0 && mapper_is(&device, file.uuid) &&
	       says_the_same(wish, &file);
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
	    {"leg-failure", OPTION_LEG_FAILURE, "POLICY", 0,
	     "when a leg fails: continue without it (the default), or hold what it misses until it "
	     "is "
	     "mended, replaced or dropped",
	     0},
	    {"resync-rate", OPTION_RESYNC_RATE, "SIZE", 0,
	     "resync, repair and compare no more than SIZE in a second (unlimited)", 0},
	    {"uuid", OPTION_UUID, "UUID", 0, "of the log (the name and eight random digits)", 0},
	    {"force", OPTION_FORCE, NULL, 0,
	     "use devices that hold something or are part of another mapped device", 0},
	    {0}};
	struct create_options options = {.wish.spec.region_sectors =
					     SPEC_REGION_BYTES / SECTOR_BYTES,
					 .wish.spec.handle_errors = true};
	struct device_wish *wish = &options.wish;
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse,
	    .input = &options,
	    .names = "NAME",
	    .doc =
		"Makes the mirror /dev/mapper/NAME, activates it here and writes its "
		"configuration, "
		"with which activate brings it back. A log device that this mirror had before is "
		"taken up where it was.",
	    .min = 1,
	    .max = 1,
	    .quiet = true};
	struct verb_arguments arguments;
	bool fresh;
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	wish->spec.name = arguments.name[0];
	if (made_already(wish)) {
		ui_done("%s is active already\n", wish->spec.name);
		return UI_OK;
	}
	code = device_name_check(wish->spec.name);
	if (code != UI_OK)
		return code;
	fresh = !config_exists(wish->spec.name);
	if (!fresh)
		code = configured_take(&options);
	if (wish->resync_rate == UINT64_MAX)
		wish->resync_rate = 0;
	if (code == UI_OK)
		code = device_prepare(wish);
	if (code == UI_OK)
		code = config_write(wish);
	if (code != UI_OK)
		return code;
	code = device_up(wish);
	if (code == UI_OK) {
		mirror_tell(&wish->spec, wish->log_path);
		shared_push(wish->spec.name);
	} else if (fresh) {
		(void)config_remove(wish->spec.name);
	}
	return code;
}
