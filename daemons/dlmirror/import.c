// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror import: the configuration of a mirror that was made otherwise, from its table. */
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "daemons/dlmirror/block.h"
#include "daemons/dlmirror/configured.h"
#include "daemons/dlmirror/device.h"
#include "daemons/dlmirror/shared.h"
#include "daemons/dlmirror/mirrors.h"
#include "daemons/dlmirror/verb.h"

/* A device that may be gone has no path. */
static int device_path(unsigned major, unsigned minor, char ret[BLOCK_TEXT_SIZE])
{
	block_name(major, minor, ret);
	return ret[0] ? UI_OK
		      : ui_fail(UI_FAILED, MSG_DEVICE_GONE,
				"the device %u:%u is not there any more", major, minor);
}

static int import_run(struct dlmirror **d, const char *name, const void *input, bool json)
{
	struct device_wish wish = {.known = true};
	struct spec *spec = &wish.spec;
	char log[BLOCK_TEXT_SIZE];
	struct dlmirror_mirror m;
	unsigned major;
	unsigned minor;
	struct mapper_device device;
	int code = mirror_get_with_legs(*d, name, &m);

	(void)input;
	(void)json;
	if (code != UI_OK)
		return code;
	if (m.leg_count == 0 || !m.name[0])
		return ui_fail(UI_FAILED, MSG_LEGS_UNKNOWN,
			       "the daemon does not know the legs of %s", name);
	code = device_look(m.name, &device);
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
		if (code == UI_OK && strlen(path) >= sizeof(leg->path))
			code = ui_fail(UI_FAILED, MSG_PATH_TOO_LONG, "leg %s: the path is too long",
				       path);
		if (code != UI_OK)
			return code;
		strcpy(leg->path, path);
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

int verb_import(int argc, char **argv)
{
	const struct verb_syntax syntax = {
	    .names = "MIRROR",
	    .doc =
		"Writes the configuration of a mirror that is active and was not made by create, "
		"so that activate can bring it back.",
	    .min = 1,
	    .max = 1,
	    .quiet = true};

	return verb_on_mirror(&syntax, argc, argv, import_run);
}
