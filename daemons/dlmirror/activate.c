// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror activate: from a configuration to an active device. What is active stays as it is. */
#include <stdio.h>
#include <string.h>

#include "daemons/dlmirror/configured.h"
#include "daemons/dlmirror/nodes.h"
#include "daemons/dlmirror/shared.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

struct activate_options {
	bool all;
	bool force;
	bool there; /* on nodes, not only on this one */
	struct nodes nodes;
};

enum { OPTION_ALL = 256, OPTION_FORCE, OPTION_NODES };

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct activate_options *options = state->input;

	switch (key) {
	case OPTION_ALL:
		options->all = true;
		return 0;
	case OPTION_FORCE:
		options->force = true;
		return 0;
	case OPTION_NODES:
		options->there = true;
		nodes_option(argument, state, &options->nodes);
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
		code = device_up(&wish);
	if (code == UI_OK)
		ui_done("%s is active\n", name);
	return code;
}

static int activate_there(const char *name, const void *input)
{
	const struct activate_options *options = input;

	return nodes_do(&(const struct nodes_wish){
	    .what = DLMIRROR_ERRAND_ACTIVATE, .nodes = &options->nodes, .argument = {name}});
}

int verb_activate(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"all", OPTION_ALL, NULL, 0, "all mirrors that are configured", 0},
	    {"nodes", OPTION_NODES, "NODES", 0, "on those nodes: all, or numbers like 1,3", 0},
	    {"force", OPTION_FORCE, NULL, 0,
	     "go on without the other nodes' word on the configuration, and use devices that are "
	     "part of another mapped device, and a log device that holds "
	     "something else",
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
	if (options.all == (arguments.names == 1))
		return ui_fail(UI_USAGE, MSG_NAME_OR_ALL,
			       "give either the NAME of a mirror or --all");
	if (options.there && options.force)
		return ui_fail(UI_USAGE, MSG_FORCE_IS_LOCAL,
			       "--force is for one node: give it there");
	code = options.all ? shared_learn() : UI_OK;
	result = config_each(options.all ? NULL : arguments.name[0],
			     options.there ? activate_there : activate, &options);
	return result > code ? result : code;
}
