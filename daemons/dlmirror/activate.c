// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror activate: from a configuration to an active device. What is active stays as it is. */
#include <stdio.h>
#include <string.h>

#include "daemons/dlmirror/chosen.h"
#include "daemons/dlmirror/shared.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

struct activate_options {
	struct chosen chosen; /* first, for its parser */
	bool force;
};

enum { OPTION_FORCE = CHOSEN_KEYS_END };

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct activate_options *options = state->input;

	if (key != OPTION_FORCE)
		return chosen_parse(key, argument, state);
	options->force = true;
	return 0;
}

/* Has somebody else a device of that name? */
static int name_look(const char *name, const char *uuid, bool *ret_active)
{
	struct mapper_device device;
	int code = device_place(name, &device);

	if (code != UI_OK)
		return code;
	*ret_active = device.exists;
	if (device.exists && !mapper_is(&device, uuid))
		return ui_fail(
		    UI_FAILED, MSG_DEVICE_NAME_TAKEN,
		    "there is a device %s that is not this mirror; dmsetup table %s says "
		    "what it is",
		    name, name);
	return UI_OK;
}

/* Its file, and is it active already? */
static int look(const char *name, struct mirror_file *ret, bool *ret_active)
{
	int code = config_load(name, ret);

	return code == UI_OK ? name_look(name, ret->uuid, ret_active) : code;
}

/* To look at devices may take long, and a reload of other nodes may end meanwhile. */
static int unchanged(const char *name, const struct mirror_file *file)
{
	struct mirror_file now;
	int code = config_load(name, &now);

	if (code == UI_OK && (now.serial != file->serial || !mirror_file_same(&now, file)))
		code = ui_fail(UI_FAILED, MSG_NOT_NOW,
			       "another node has just changed %s: again in a moment", name);
	return code;
}

static int activate(const char *name, const void *input)
{
	const struct activate_options *options = input;
	struct device_wish wish;
	struct mirror_file file;
	bool active = false;
	int code = UI_OK;

	if (config_exists(name))
		code = look(name, &file, &active);
	if (code == UI_OK && !active)
		code = shared_refresh(name, options->force);
	if (code == UI_OK && !active)
		code = look(name, &file, &active);
	if (code != UI_OK)
		return code;
	if (active) {
		ui_done("%s is active already\n", name);
		return UI_OK;
	}
	config_wish(name, &file, &wish);
	wish.force = options->force;
	code = device_prepare(&wish);
	if (code == UI_OK)
		code = unchanged(name, &file);
	if (code == UI_OK)
		code = device_up(&wish);
	if (code == UI_OK)
		ui_done("%s is active\n", name);
	return code;
}

int verb_activate(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    CHOSEN_OPTIONS,
	    {"force", OPTION_FORCE, NULL, 0,
	     "go on without the other nodes' word on the configuration, and use devices that are "
	     "part of another mapped device, and a log device that holds something else",
	     0},
	    {0}};
	struct activate_options options = {0};
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse,
	    .input = &options,
	    .names = "[NAME]",
	    .doc =
		"Activates a configured mirror as /dev/mapper/NAME, on this node or on those that "
		"--nodes names. In a cluster its configuration is the newest that a node has.",
	    .max = 1,
	    .quiet = true};
	struct verb_arguments arguments;
	int code;
	int result;

	verb_parse(&syntax, argc, argv, &arguments);
	code = chosen_check(&options.chosen, &arguments);
	if (code != UI_OK)
		return code;
	if (options.chosen.there && options.force)
		return ui_fail(UI_USAGE, MSG_FORCE_IS_LOCAL,
			       "--force is for one node: give it there");
	if (options.chosen.all)
		code = shared_learn();
	result =
	    chosen_run(&options.chosen, &arguments, DLMIRROR_ERRAND_ACTIVATE, activate, &options);
	return result > code ? result : code;
}
