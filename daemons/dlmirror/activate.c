// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror activate: from a configuration to an active device. What is active stays as it is. */
#include <stdio.h>
#include <string.h>

#include "daemons/dlmirror/configured.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

struct activate_options {
	bool all;
	bool force;
};

enum { OPTION_ALL = 256, OPTION_FORCE };

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct activate_options *options = state->input;

	(void)argument;
	switch (key) {
	case OPTION_ALL:
		options->all = true;
		return 0;
	case OPTION_FORCE:
		options->force = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Has somebody else a device of that name? */
static int name_look(const char *name, const char *uuid, bool *ret_active)
{
	struct mapper_device device;
	int code = device_look(name, &device);

	if (code != UI_OK)
		return code;
	*ret_active = device.exists;
	if (device.exists && (!device.ours || strcmp(device.log_uuid, uuid) != 0))
		return ui_fail(
		    UI_FAILED,
		    "there is a device %s that is not this mirror; dmsetup table %s says "
		    "what it is",
		    name, name);
	return UI_OK;
}

static int activate(const char *name, const void *input)
{
	const struct activate_options *options = input;
	struct device_wish wish;
	struct mirror_file file;
	bool active;
	int code = config_load(name, &file);

	if (code == UI_OK)
		code = name_look(name, file.uuid, &active);
	if (code != UI_OK)
		return code;
	if (active) {
		(void)printf("%s is active already\n", name);
		return UI_OK;
	}
	config_wish(name, &file, &wish);
	wish.force = options->force;
	code = device_prepare(&wish);
	if (code == UI_OK)
		code = device_up(&wish);
	if (code == UI_OK)
		(void)printf("%s is active\n", name);
	return code;
}

int verb_activate(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"all", OPTION_ALL, NULL, 0, "all mirrors that are configured", 0},
	    {"force", OPTION_FORCE, NULL, 0,
	     "use devices that are part of another mapped device, and a log device that holds "
	     "something else",
	     0},
	    {0}};
	struct activate_options options = {0};
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse,
	    .input = &options,
	    .names = "[NAME]",
	    .doc = "Activates a configured mirror on this node, as /dev/mapper/NAME.",
	    .max = 1};
	struct verb_arguments arguments;

	verb_parse(&syntax, argc, argv, &arguments);
	if (options.all == (arguments.names == 1))
		return ui_fail(UI_USAGE, "give either the NAME of a mirror or --all");
	return config_each(options.all ? NULL : arguments.name[0], activate, &options);
}
