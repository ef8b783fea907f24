// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror remove: takes the device down; the daemon then closes its log. */
#include <stdio.h>
#include <string.h>

#include "daemons/dlmirror/mapper.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

enum { OPTION_FORCE = 256 };

static error_t parse(int key, char *argument, struct argp_state *state)
{
	(void)argument;
	if (key != OPTION_FORCE)
		return ARGP_ERR_UNKNOWN;
	*(bool *)state->input = true;
	return 0;
}

static int device_check(const char *name)
{
	char error[MAPPER_ERROR_SIZE];
	struct mapper_device device;

	if (mapper_examine(name, &device, error) != 0)
		return ui_fail(UI_FAILED, "device-mapper does not answer: %s", error);
	if (!device.exists)
		return ui_fail(UI_NO_MIRROR,
			       "there is no device %s; dlmirror list shows the mirrors", name);
	if (!device.ours)
		return ui_fail(UI_NO_MIRROR,
			       "%s is not a mirror of dlmirror; dmsetup(8) removes it", name);
	if (device.open_count > 0)
		return ui_fail(UI_FAILED,
			       "%s is open (mounted, or used by a program or another "
			       "device); lsblk and fuser -v /dev/mapper/%s say by what",
			       name, name);
	return UI_OK;
}

int verb_remove(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"force", OPTION_FORCE, NULL, 0,
	     "also without a daemon, which then repairs what the log says at the next start", 0},
	    {0}};
	bool force = false;
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse,
	    .input = &force,
	    .names = "NAME",
	    .doc = "Takes a mirror down. Its legs and its log device stay as they are; create "
		   "with the same arguments brings it back.",
	    .min = 1,
	    .max = 1};
	struct verb_arguments arguments;
	char error[MAPPER_ERROR_SIZE];
	struct dlmirror *d;
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	code = device_check(arguments.name[0]);
	if (code == UI_OK && !force) {
		code = ui_connect(&d);
		if (code == UI_OK)
			dlmirror_free(d);
	}
	if (code != UI_OK)
		return code;
	if (mapper_remove(arguments.name[0], error) != 0)
		return ui_fail(UI_FAILED, "%s was not removed: %s", arguments.name[0], error);
	return UI_OK;
}
