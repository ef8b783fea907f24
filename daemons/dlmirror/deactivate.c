// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror deactivate: takes the device down on this node and keeps the configuration. */
#include <stdio.h>

#include "daemons/dlmirror/chosen.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

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

int verb_deactivate(int argc, char **argv)
{
	static const struct argp_option table[] = {CHOSEN_OPTIONS, {0}};
	struct chosen chosen = {0};
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = chosen_parse,
	    .input = &chosen,
	    .names = "[NAME]",
	    .doc = "Takes a mirror down on this node, or on those that --nodes names; its "
		   "configuration stays, and activate brings it back.",
	    .max = 1,
	    .quiet = true};
	struct verb_arguments arguments;
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	code = chosen_check(&chosen, &arguments);
	return code == UI_OK
		   ? chosen_run(&chosen, &arguments, DLMIRROR_ERRAND_DEACTIVATE, deactivate, NULL)
		   : code;
}
