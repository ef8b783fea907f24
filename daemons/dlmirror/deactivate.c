// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror deactivate: takes the device down on this node and keeps the configuration. */
#include <stdio.h>

#include "daemons/dlmirror/configured.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

enum { OPTION_ALL = 256 };

static error_t parse(int key, char *argument, struct argp_state *state)
{
	(void)argument;
	if (key != OPTION_ALL)
		return ARGP_ERR_UNKNOWN;
	*(bool *)state->input = true;
	return 0;
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
			(void)printf("%s is not active\n", name);
		return code;
	}
	if (!config_exists(name))
		return ui_fail(UI_FAILED,
			       "%s has no configuration to come back with; import writes one, and "
			       "remove takes it down without",
			       name);
	code = device_down(name, false);
	if (code == UI_OK)
		(void)printf("%s is not active any more\n", name);
	return code;
}

int verb_deactivate(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"all", OPTION_ALL, NULL, 0, "all mirrors that are configured", 0}, {0}};
	bool all = false;
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse,
	    .input = &all,
	    .names = "[NAME]",
	    .doc = "Takes a mirror down on this node; its configuration stays, and activate brings "
		   "it back.",
	    .max = 1};
	struct verb_arguments arguments;

	verb_parse(&syntax, argc, argv, &arguments);
	if (all == (arguments.names == 1))
		return ui_fail(UI_USAGE, "give either the NAME of a mirror or --all");
	return config_each(all ? NULL : arguments.name[0], deactivate, NULL);
}
