// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror deactivate: takes the device down on this node and keeps the configuration. */
#include <stdio.h>

#include "daemons/dlmirror/configured.h"
#include "daemons/dlmirror/nodes.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

struct deactivate_options {
	bool all;
	bool there; /* on nodes, not only on this one */
	struct nodes nodes;
};

enum { OPTION_ALL = 256, OPTION_NODES };

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct deactivate_options *options = state->input;

	switch (key) {
	case OPTION_ALL:
		options->all = true;
		return 0;
	case OPTION_NODES:
		options->there = true;
		nodes_option(argument, state, &options->nodes);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int deactivate(const char *name, const void *input)
{
	struct mirror_file file;
	struct mapper_device device;
	int code = device_look(name, &device);

	(void)input;
	if (code != UI_OK)
		return code;
	if (!device.exists) {
		code = config_load(name, &file);
		if (code == UI_OK)
			ui_done("%s is not active\n", name);
		return code;
	}
	if (!config_exists(name))
		return ui_fail(UI_FAILED, MSG_NO_WAY_BACK,
			       "%s has no configuration to come back with; import writes one, and "
			       "remove takes it down without",
			       name);
	code = device_down(name, false);
	if (code == UI_OK)
		ui_done("%s is not active any more\n", name);
	return code;
}

static int deactivate_there(const char *name, const void *input)
{
	const struct deactivate_options *options = input;

	return nodes_do(&(const struct nodes_wish){
	    .what = DLMIRROR_ERRAND_DEACTIVATE, .nodes = &options->nodes, .argument = {name}});
}

int verb_deactivate(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"all", OPTION_ALL, NULL, 0, "all mirrors that are configured", 0},
	    {"nodes", OPTION_NODES, "NODES", 0, "on those nodes: all, or numbers like 1,3", 0},
	    {0}};
	struct deactivate_options options = {0};
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse,
	    .input = &options,
	    .names = "[NAME]",
	    .doc = "Takes a mirror down on this node, or on those that --nodes names; its "
		   "configuration stays, and activate brings "
		   "it back.",
	    .max = 1,
	    .quiet = true};
	struct verb_arguments arguments;

	verb_parse(&syntax, argc, argv, &arguments);
	if (options.all == (arguments.names == 1))
		return ui_fail(UI_USAGE, MSG_NAME_OR_ALL,
			       "give either the NAME of a mirror or --all");
	return config_each(options.all ? NULL : arguments.name[0],
			   options.there ? deactivate_there : deactivate, &options);
}
