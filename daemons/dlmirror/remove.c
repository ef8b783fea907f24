// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror remove: takes the device down; the daemon then closes its log. Its configuration goes. */
#include "daemons/dlmirror/configured.h"
#include "daemons/dlmirror/device.h"
#include "daemons/dlmirror/shared.h"
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

int verb_remove(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"force", OPTION_FORCE, NULL, 0,
	     "also without a daemon, which then repairs what the log says at the next start; "
	     "other nodes are not asked, and keep its configuration",
	     0},
	    {0}};
	bool force = false;
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse,
	    .input = &force,
	    .names = "NAME",
	    .doc = "Takes a mirror down here and forgets its configuration, on all nodes; it is "
		   "refused while another one has it active. Its legs and its log device stay as "
		   "they are; create with the same arguments brings it back. deactivate keeps the "
		   "configuration.",
	    .min = 1,
	    .max = 1,
	    .quiet = true};
	struct verb_arguments arguments;
	const char *name;
	struct mapper_device device;
	struct mirror_file file;
	bool configured;
	bool known; /* the configuration can be read */
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	name = arguments.name[0];
	code = device_look(name, &device);
	if (code != UI_OK)
		return code;
	configured = config_exists(name);
	if (!device.exists && !configured)
		return ui_fail(UI_NO_MIRROR, MSG_NO_SUCH_MIRROR,
			       "there is no mirror %s: neither a device nor a configuration", name);
	known = configured && config_load(name, &file) == UI_OK;
	if (known && !force)
		code = shared_idle(name, file.uuid);
	if (code == UI_OK && device.exists)
		code = device_down(name, force);
	if (code == UI_OK)
		code = config_remove(name);
	if (code == UI_OK && known && !force)
		shared_forget(name, file.uuid);
	return code;
}
