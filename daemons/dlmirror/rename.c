// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dlmirror rename: a mirror's device and configuration, here and then on the other nodes. Its log
 * keeps its uuid, by which nodes know it. Configuration first and last, so that what was interrupted
 * can be done again: until the old one goes it says what to do, and after that only the other nodes
 * may be left.
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
		return device_name_free(fresh, file->uuid);
	if (config_load(fresh, &other) != UI_OK)
		return UI_FAILED;
	if (strcmp(other.uuid, file->uuid) != 0)
		return ui_fail(UI_FAILED, MSG_NAME_TAKEN, "there is a mirror %s already", fresh);
	return device_name_free(fresh, file->uuid);
}

static int rename_first(const char *old, const char *fresh)
{
	struct mirror_file file;
	int code = config_load(old, &file);

	if (code == UI_OK)
		code = fresh_check(fresh, &file);
	if (code == UI_OK) {
		file.serial++;
		code = config_store(fresh, &file);
	}
	if (code == UI_OK)
		code = device_rename(old, file.uuid, fresh);
	if (code == UI_OK)
		code = config_remove(old);
	if (code == UI_OK)
		shared_push(fresh);
	return code;
}

/* Nothing is configured as old, or it is the same name. A mirror of that name that is another one has
 * no configuration, so it is not what this verb has renamed. */
static int rename_again(const char *old, const char *fresh)
{
	struct mapper_device device;
	struct mirror_file file;
	int code = config_load(fresh, &file);

	if (code == UI_OK && strcmp(old, fresh) != 0)
		code = device_rename(old, file.uuid, fresh);
	if (code == UI_OK)
		code = device_look(old, &device);
	if (code == UI_OK && device.ours)
		code = config_load(old, &file); /* says that there is none */
	if (code == UI_OK)
		code = shared_absent(old, file.uuid);
	if (code != UI_OK)
		return code;
	shared_push(fresh);
	ui_done("%s is named so already\n", fresh);
	return UI_OK;
}

/* Is what was to be done there already, as far as this node's configurations say? */
static bool renamed(const char *old, const char *fresh)
{
	char error[SPEC_ERROR_SIZE];

	if (spec_name_check(old, error) != 0 || spec_name_check(fresh, error) != 0)
		return false;
	return config_exists(fresh) && (strcmp(old, fresh) == 0 || !config_exists(old));
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

	verb_parse(&syntax, argc, argv, &arguments);
	return renamed(arguments.name[0], arguments.name[1])
		   ? rename_again(arguments.name[0], arguments.name[1])
		   : rename_first(arguments.name[0], arguments.name[1]);
}
