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

#define SETTING_TEXT_SIZE (BYTES_TEXT_SIZE + 2)

struct setting {
	const struct setting_kind *kind;
	uint64_t bytes_s; /* 0: without a limit */
	bool hold;
};

struct setting_kind {
	const char *name;
	int (*parse)(const char *value, struct setting *ret);
	void (*keep)(const struct setting *setting, struct mirror_file *file);
	/* NULL: it is nobody's but the configuration's */
	int (*daemon)(struct dlmirror *d, const char *uuid, const struct setting *setting);
	void (*text)(const struct setting *setting, char ret[SETTING_TEXT_SIZE]);
};

static int rate_parse(const char *value, struct setting *ret)
{
	if (bytes_parse_rate(value, &ret->bytes_s) != 0)
		return ui_fail(UI_USAGE, MSG_SETTING_INVALID,
			       "resync-rate=%s: write what may be resynced in a second, like "
			       "20MiB, or unlimited",
			       value);
	if (ret->bytes_s == UINT64_MAX)
		ret->bytes_s = 0;
	return UI_OK;
}

static void rate_keep(const struct setting *setting, struct mirror_file *file)
{
	file->resync_rate = setting->bytes_s;
}

static int rate_daemon(struct dlmirror *d, const char *uuid, const struct setting *setting)
{
	return dlmirror_resync_rate(d, uuid, setting->bytes_s);
}

static void rate_text(const struct setting *setting, char ret[SETTING_TEXT_SIZE])
{
	if (setting->bytes_s == 0) {
		strcpy(ret, "unlimited");
		return;
	}
	bytes_text(setting->bytes_s, ret);
	strcat(ret, "/s");
}

static int leg_failure_parse(const char *value, struct setting *ret)
{
	ret->hold = strcmp(value, "hold") == 0;
	if (!ret->hold && strcmp(value, "continue") != 0)
		return ui_fail(UI_USAGE, MSG_SETTING_INVALID,
			       "leg-failure=%s: write continue or hold", value);
	return UI_OK;
}

static void leg_failure_keep(const struct setting *setting, struct mirror_file *file)
{
	file->hold = setting->hold;
}

static void leg_failure_text(const struct setting *setting, char ret[SETTING_TEXT_SIZE])
{
	strcpy(ret, setting->hold ? "hold" : "continue");
}

static const struct setting_kind kinds[] = {
    {"resync-rate", rate_parse, rate_keep, rate_daemon, rate_text},
    {"leg-failure", leg_failure_parse, leg_failure_keep, NULL, leg_failure_text},
};

static int setting_parse(const char *text, struct setting *ret)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t length = strlen(kinds[i].name);

		if (strncmp(text, kinds[i].name, length) != 0 || text[length] != '=')
			continue;
		ret->kind = &kinds[i];
		return kinds[i].parse(text + length + 1, ret);
	}
	return ui_fail(UI_USAGE, MSG_SETTING_INVALID,
		       "there is no setting '%s'; write resync-rate=SIZE, resync-rate=unlimited, "
		       "leg-failure=continue or leg-failure=hold",
		       text);
}

/* The configuration of the mirror with that name. uuid: of the one that is active, or NULL. */
static int configuration_set(const char *name, const char *uuid, const struct setting *setting)
{
	struct mirror_file before;
	struct mirror_file file;
	int code;

	if (uuid && setting->kind->daemon && !config_exists(name)) {
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
			       "%sthe configuration of the name %s, %s/%s.conf, is of another "
			       "mirror than the active one and stays as it is",
			       setting->kind->daemon ? "this is so until it is deactivated, but "
						     : "",
			       name, VERB_MIRRORS_DIR, name);
	before = file;
	setting->kind->keep(setting, &file);
	if (mirror_file_same(&before, &file))
		return UI_OK;
	file.serial++;
	code = config_store(name, &file);
	if (code == UI_OK)
		shared_push(name);
	return code;
}

static int mirror_set(struct dlmirror *d, const char *name, const struct setting *setting)
{
	char text[SETTING_TEXT_SIZE];
	struct dlmirror_mirror m;
	int error = dlmirror_get(d, name, &m);
	bool active = error == 0;
	int code;

	if (active && setting->kind->daemon)
		error = setting->kind->daemon(d, m.uuid, setting);
	if (error != 0 && (active || error != -ENOENT))
		return ui_fail_daemon(d, error);
	if (active && m.name[0])
		name = m.name;
	code = configuration_set(name, active ? m.uuid : NULL, setting);
	if (code != UI_OK)
		return code;
	setting->kind->text(setting, text);
	ui_done("%s: %s %s%s\n", name, setting->kind->name, text,
		active ? "" : ", when it is activated here");
	return UI_OK;
}

int verb_set(int argc, char **argv)
{
	const struct verb_syntax syntax = {
	    .names = "MIRROR SETTING=VALUE",
	    .doc = "Changes what a mirror is to do, in its configuration and at once where it is "
		   "active, on all nodes of the cluster.\vresync-rate=SIZE: so much of it each "
		   "node may resync, repair or compare in a second; resync-rate=unlimited: as fast "
		   "as it can be.\n"
		   "leg-failure=continue: when a leg fails, all nodes go on without it; "
		   "leg-failure=hold: the writes that it misses wait.",
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
