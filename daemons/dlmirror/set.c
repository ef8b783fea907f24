// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror set: what a mirror is to do, in its configuration and, where it is active here, in the
 * daemon. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemons/common/bytes.h"
#include "daemons/dlmirror/configured.h"
#include "daemons/dlmirror/shared.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

#define RATE_SETTING "resync-rate="

struct setting {
	uint64_t bytes_s; /* 0: without a limit */
};

static int setting_parse(const char *text, struct setting *ret)
{
	const char *value = text + strlen(RATE_SETTING);

	if (strncmp(text, RATE_SETTING, strlen(RATE_SETTING)) != 0)
		return ui_fail(UI_USAGE, MSG_SETTING_INVALID,
			       "there is no setting '%s'; write resync-rate=SIZE, or "
			       "resync-rate=unlimited",
			       text);
	if (bytes_parse_rate(value, &ret->bytes_s) != 0)
		return ui_fail(UI_USAGE, MSG_SETTING_INVALID,
			       "resync-rate=%s: write what may be resynced in a second, like "
			       "20MiB, or unlimited",
			       value);
	if (ret->bytes_s == UINT64_MAX)
		ret->bytes_s = 0;
	return UI_OK;
}

/* The configuration of the mirror with that name. uuid: of the one that is active, or NULL. */
static int configuration_set(const char *name, const char *uuid, const struct setting *setting)
{
	struct mirror_file file;
	int code;

	if (uuid && !config_exists(name)) {
		ui_note(MSG_SETTING_NOT_KEPT,
			"%s has no configuration, so it is so until it is deactivated; dlmirror "
			"import %s writes one",
			name, name);
		return UI_OK;
	}
	code = config_load(name, &file);
	if (code != UI_OK)
		return code;
	if (uuid && strcmp(file.uuid, uuid) != 0)
		return ui_fail(UI_FAILED, MSG_SETTING_NOT_KEPT,
			       "%s is set here until it is deactivated, but the configuration of "
			       "that name, %s/%s.conf, is of another mirror and stays as it is",
			       name, VERB_MIRRORS_DIR, name);
	if (file.resync_rate == setting->bytes_s)
		return UI_OK;
	file.resync_rate = setting->bytes_s;
	file.serial++;
	code = config_store(name, &file);
	if (code == UI_OK)
		shared_push(name);
	return code;
}

static void setting_tell(const char *name, const struct setting *setting, bool active)
{
	char rate[BYTES_TEXT_SIZE + 2] = "unlimited";

	if (setting->bytes_s != 0) {
		bytes_text(setting->bytes_s, rate);
		strcat(rate, "/s");
	}
	ui_done("%s: resync-rate %s%s\n", name, rate, active ? "" : ", when it is activated here");
}

static int mirror_set(struct dlmirror *d, const char *name, const struct setting *setting)
{
	struct dlmirror_mirror m;
	int error = dlmirror_get(d, name, &m);
	bool active = error == 0;
	int code;

	if (active)
		error = dlmirror_resync_rate(d, m.uuid, setting->bytes_s);
	if (error != 0 && (active || error != -ENOENT))
		return ui_fail_daemon(d, error);
	if (active && m.name[0])
		name = m.name;
	code = configuration_set(name, active ? m.uuid : NULL, setting);
	if (code == UI_OK)
		setting_tell(name, setting, active);
	return code;
}

int verb_set(int argc, char **argv)
{
	const struct verb_syntax syntax = {
	    .names = "MIRROR SETTING=VALUE",
	    .doc = "Changes what a mirror is to do, in its configuration and at once where it is "
		   "active, on all nodes of the cluster.\vresync-rate=SIZE: so much of it each "
		   "node may resync, repair or "
		   "compare in a second; resync-rate=unlimited: as fast as it can be.",
	    .min = 2,
	    .max = 2,
	    .quiet = true};
	struct verb_arguments arguments;
	struct setting setting = {0};
	struct dlmirror *d;
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	code = setting_parse(arguments.name[1], &setting);
	if (code == UI_OK)
		code = ui_connect(&d);
	if (code != UI_OK)
		return code;
	code = mirror_set(d, arguments.name[0], &setting);
	dlmirror_free(d);
	return code;
}
