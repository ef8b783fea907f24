// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/configured.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/dlmirror/block.h"
#include "daemons/dlmirror/mapper.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

static int file_fail(const char *error)
{
	return ui_fail(UI_FAILED, MSG_WITHIN, "%s", error);
}

bool config_exists(const char *name)
{
	char error[MIRROR_FILE_ERROR_SIZE];
	struct mirror_file file;

	return mirror_file_read(VERB_MIRRORS_DIR, name, &file, error) != -ENOENT;
}

int config_load(const char *name, struct mirror_file *ret)
{
	char error[MIRROR_FILE_ERROR_SIZE];
	int result;

	if (spec_name_check(name, error) != 0)
		return ui_fail(UI_USAGE, MSG_WITHIN, "%s", error);
	result = mirror_file_read(VERB_MIRRORS_DIR, name, ret, error);
	if (result == -ENOENT)
		return ui_fail(
		    UI_NO_MIRROR, MSG_NOT_CONFIGURED,
		    "no mirror %s is configured; dlmirror list shows what there is, create "
		    "makes one, and import takes one that is active",
		    name);
	return result == 0 ? UI_OK : file_fail(error);
}

int config_store(const char *name, const struct mirror_file *file)
{
	char error[MIRROR_FILE_ERROR_SIZE];

	return mirror_file_write(VERB_MIRRORS_DIR, name, file, error) == 0 ? UI_OK
									   : file_fail(error);
}

int config_remove(const char *name)
{
	char error[MIRROR_FILE_ERROR_SIZE];

	return mirror_file_remove(VERB_MIRRORS_DIR, name, error) == 0 ? UI_OK : file_fail(error);
}

int config_path(const char *path, dev_t devno, char ret[MIRROR_FILE_PATH_SIZE])
{
	char stable[BLOCK_TEXT_SIZE];

	if (!block_stable_path(path, devno, stable))
		ui_note(MSG_PATH_NOT_STABLE,
			"%s may be another device after the next boot, and no path below /dev/disk "
			"leads to it",
			stable);
	if (strlen(stable) >= MIRROR_FILE_PATH_SIZE)
		return ui_fail(UI_FAILED, MSG_PATH_TOO_LONG,
			       "%s: the path is too long, at most %u characters", stable,
			       MIRROR_FILE_PATH_SIZE - 1U);
	strcpy(ret, stable);
	return UI_OK;
}

static int file_of(const struct device_wish *wish, struct mirror_file *ret)
{
	const struct spec *spec = &wish->spec;
	int code = UI_OK;

	*ret = (struct mirror_file){
	    .serial = 1,
	    .revision = spec->revision,
	    .length_sectors = spec->length_sectors,
	    .region_sectors = spec->region_sectors,
	    .leg_count = spec->leg_count,
	    .integrated_flush = spec->integrated_flush,
	    .hold = wish->hold,
	    .resync_rate = wish->resync_rate,
	};
	memcpy(ret->uuid, spec->uuid, sizeof(ret->uuid));
	for (unsigned i = 0; i < spec->leg_count && code == UI_OK; i++) {
		ret->leg[i].start_sector = spec->leg[i].start_sector;
		code = config_path(spec->leg[i].path, spec->leg[i].devno, ret->leg[i].path);
	}
	if (code == UI_OK && spec->has_log)
		code = config_path(wish->log_path, spec->log_devno, ret->log);
	return code;
}

int config_write(const struct device_wish *wish)
{
	const char *name = wish->spec.name;
	char error[MIRROR_FILE_ERROR_SIZE];
	struct mirror_file before;
	struct mirror_file file;
	int result = mirror_file_read(VERB_MIRRORS_DIR, name, &before, error);
	int code = file_of(wish, &file);

	if (code != UI_OK)
		return code;
	if (result == -ENOENT)
		return config_store(name, &file);
	if (result != 0)
		return file_fail(error);
	if (mirror_file_same(&before, &file))
		return UI_OK;
	return ui_fail(UI_FAILED, MSG_CONFIG_DIFFERS,
		       "the configuration of %s, %s/%s.conf, says otherwise; activate does what it "
		       "says, and remove forgets it",
		       name, VERB_MIRRORS_DIR, name);
}

int config_each(const char *name, config_run *run, const void *input)
{
	char error[MIRROR_FILE_ERROR_SIZE];
	char **names;
	size_t count;
	int worst = UI_OK;

	if (name)
		return run(name, input);
	if (mirror_file_names(VERB_MIRRORS_DIR, &names, &count, error) != 0)
		return file_fail(error);
	for (size_t i = 0; i < count; i++) {
		int code = run(names[i], input);

		worst = code > worst ? code : worst;
		free(names[i]);
	}
	free(names);
	return worst;
}

struct finding {
	const char *uuid;
	const char *but; /* not the one of this name; NULL: any */
	char *name;
	struct mirror_file *file;
	bool *found;
};

static int find_in(const char *name, const void *input)
{
	const struct finding *finding = input;
	char error[MIRROR_FILE_ERROR_SIZE];
	struct mirror_file file;

	if (*finding->found || strlen(name) >= DLMIRROR_NAME_SIZE ||
	    (finding->but && strcmp(finding->but, name) == 0) ||
	    mirror_file_read(VERB_MIRRORS_DIR, name, &file, error) != 0 ||
	    strcmp(file.uuid, finding->uuid) != 0)
		return UI_OK;
	*finding->found = true;
	strcpy(finding->name, name);
	*finding->file = file;
	return UI_OK;
}

bool config_of(const struct dlmirror_mirror *m, struct mirror_file *ret)
{
	char error[MIRROR_FILE_ERROR_SIZE];

	return m->name[0] != '\0' && mirror_file_read(VERB_MIRRORS_DIR, m->name, ret, error) == 0 &&
	       strcmp(ret->uuid, m->uuid) == 0;
}

static int find_but(const char *uuid, const char *but, char ret_name[DLMIRROR_NAME_SIZE],
		    struct mirror_file *ret)
{
	bool found = false;
	const struct finding finding = {
	    .uuid = uuid, .but = but, .name = ret_name, .file = ret, .found = &found};
	int code = config_each(NULL, find_in, &finding);

	return code == UI_OK && !found ? UI_NO_MIRROR : code;
}

int config_find(const char *uuid, char ret_name[DLMIRROR_NAME_SIZE], struct mirror_file *ret)
{
	return find_but(uuid, NULL, ret_name, ret);
}

/* A rename that was interrupted has left two, and the old one says what is left to do. */
static int find_to_change(const char *uuid, const char *name, char ret_name[DLMIRROR_NAME_SIZE],
			  struct mirror_file *ret)
{
	int code = find_but(uuid, name, ret_name, ret);

	return code == UI_NO_MIRROR ? config_find(uuid, ret_name, ret) : code;
}

/* Has what is active been given the table of the fresh file already, and the old one is behind? */
static bool is_behind(const struct mapper_device *device, const struct mirror_file *old,
		      const struct mirror_file *fresh)
{
	return old->revision < fresh->revision && device->revision == fresh->revision;
}

/* What is here is called before, and is to become name and fresh. */
static int change(const char *before, const struct mirror_file *old, const char *name,
		  const struct mirror_file *fresh)
{
	struct mapper_device device;
	bool active;
	int code = device_look(before, &device);

	if (code != UI_OK)
		return code;
	active = mapper_is(&device, old->uuid);
	if (active && !mirror_file_same_table(old, fresh) && !is_behind(&device, old, fresh))
		return ui_fail(UI_FAILED, MSG_CONFIG_IN_USE,
			       "%s is active with the legs that its configuration here has: reload "
			       "changes them, or deactivate it first",
			       before);
	if (strcmp(before, name) != 0)
		code = device_name_free(name, fresh->uuid);
	if (code == UI_OK)
		code = config_store(name, fresh);
	if (code == UI_OK && active && old->resync_rate != fresh->resync_rate)
		code = device_rate(name, fresh->uuid, fresh->resync_rate);
	if (code != UI_OK || strcmp(before, name) == 0)
		return code;
	code = device_rename(before, old->uuid, name);
	return code == UI_OK ? config_remove(before) : code;
}

int config_take(const char *name, const char *text)
{
	char error[MIRROR_FILE_ERROR_SIZE];
	char before[DLMIRROR_NAME_SIZE];
	struct mirror_file fresh;
	struct mirror_file old;
	struct mirror_file other;

	if (spec_name_check(name, error) != 0 ||
	    mirror_file_parse(text, "the configuration from another node", &fresh, error) != 0)
		return ui_fail(UI_USAGE, MSG_WITHIN, "%s", error);
	if (mirror_file_read(VERB_MIRRORS_DIR, name, &other, error) == 0 &&
	    strcmp(other.uuid, fresh.uuid) != 0)
		return ui_fail(UI_FAILED, MSG_NAME_TAKEN,
			       "there is another mirror %s, with the log %s: rename one", name,
			       other.uuid);
	if (find_to_change(fresh.uuid, name, before, &old) != UI_OK)
		return config_store(name, &fresh);
	if (fresh.revision < old.revision)
		return ui_fail(UI_FAILED, MSG_TABLE_OUTDATED,
			       "%s has revision %" PRIu64
			       " here, and the other node's configuration is of before, revision "
			       "%" PRIu64 ": 'dlmirror config push %s' here makes this one count",
			       before, old.revision, fresh.revision, before);
	if (old.serial < fresh.serial)
		return change(before, &old, name, &fresh);
	if (old.serial == fresh.serial && strcmp(before, name) == 0 &&
	    mirror_file_same(&old, &fresh))
		return UI_OK;
	return ui_fail(UI_FAILED, MSG_CONFIG_NOT_NEWER,
		       "it has the configuration of %s with serial %" PRIu64 ", not older than the "
		       "%" PRIu64
		       " of this one; 'dlmirror config push' there or here makes one count",
		       before, old.serial, fresh.serial);
}

void config_wish(const char *name, const struct mirror_file *file, struct device_wish *ret)
{
	struct spec *spec = &ret->spec;

	*ret = (struct device_wish){.log_path = file->log,
				    .hold = file->hold,
				    .resync_rate = file->resync_rate,
				    .known = true};
	spec->name = name;
	memcpy(spec->uuid, file->uuid, sizeof(spec->uuid));
	spec->has_log = file->log[0] != '\0';
	spec->region_sectors = file->region_sectors;
	spec->length_sectors = file->length_sectors;
	spec->revision = file->revision;
	spec->integrated_flush = file->integrated_flush;
	spec->handle_errors = true;
	spec->leg_count = file->leg_count;
	for (uint32_t i = 0; i < file->leg_count; i++) {
		spec->leg[i].start_sector = file->leg[i].start_sector;
		strcpy(spec->leg[i].path, file->leg[i].path);
	}
}
