// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dlmirror rename: a mirror's device and configuration, here and then on the other nodes. Its log
 * keeps its uuid, by which nodes know it. Configuration first and last, so that what was interrupted
 * can be done again.
 */
#include <stdio.h>
#include <string.h>

#include "daemons/dlmirror/configured.h"
#include "daemons/dlmirror/device.h"
#include "daemons/dlmirror/shared.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

/* May fresh become the name of the mirror that file describes? */
static int fresh_check(const char *fresh, const struct mirror_file *file)
{
	char error[SPEC_ERROR_SIZE];
	struct mirror_file other;

	if (spec_name_check(fresh, error) != 0)
		return ui_fail(UI_USAGE, MSG_WITHIN, "%s", error);
	if (!config_exists(fresh))
		return UI_OK;
	if (config_load(fresh, &other) != UI_OK)
		return UI_FAILED;
	if (strcmp(other.uuid, file->uuid) != 0)
		return ui_fail(UI_FAILED, MSG_NAME_TAKEN, "there is a mirror %s already", fresh);
	return UI_OK;
}

int verb_rename(int argc, char **argv)
{
	const struct verb_syntax syntax = {
	    .names = "NAME NEW",
	    .doc =
		"Gives a mirror another name, active or not, on all nodes of the cluster. What has "
		"/dev/mapper/NAME open keeps it.",
	    .min = 2,
	    .max = 2,
	    .quiet = true};
	struct verb_arguments arguments;
	struct mirror_file file;
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	code = config_load(arguments.name[0], &file);
	if (code == UI_OK)
		code = fresh_check(arguments.name[1], &file);
	file.serial++;
	if (code == UI_OK)
		code = config_store(arguments.name[1], &file);
	if (code != UI_OK)
		return code;
	code = device_rename(arguments.name[0], file.uuid, arguments.name[1]);
	if (code == UI_OK)
		code = config_remove(arguments.name[0]);
	if (code == UI_OK)
		shared_push(arguments.name[1]);
	return code;
}
