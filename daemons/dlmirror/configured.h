/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mirrors that are configured, in mirrors.d: for verbs. Functions that return int return an exit
 * code, and have said what is wrong. */
#ifndef DLM_COMMAND_CONFIGURED_H
#define DLM_COMMAND_CONFIGURED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "daemons/common/mirror_file.h"
#include "daemons/dlmirror/device.h"

bool config_exists(const char *name);
/* UI_NO_MIRROR when there is none. */
int config_load(const char *name, struct mirror_file *ret);
int config_store(const char *name, const struct mirror_file *file);
int config_remove(const char *name);
/* A device's path for the file: the same after each boot, where there is such a one. */
int config_path(const char *path, dev_t devno, char ret[MIRROR_FILE_PATH_SIZE]);
/* Of a mirror that device_prepare() found good, with devices by stable paths. What is there already
 * must say the same. */
int config_write(const struct device_wish *wish);
/* The one of an active mirror, under its name. Says nothing when there is none that can be read. */
bool config_of(const struct dlmirror_mirror *m, struct mirror_file *ret);
/* The one of a mirror by its uuid. UI_NO_MIRROR, without a word, when there is none. */
int config_find(const char *uuid, char ret_name[DLMIRROR_NAME_SIZE], struct mirror_file *ret);
/* text, from another node, becomes the configuration of its mirror, under that name, when it is
 * newer than what there is; a device that is active under another name is renamed. */
int config_take(const char *name, const char *text);
/* The mirror that file describes. What is returned points into file and name. */
void config_wish(const char *name, const struct mirror_file *file, struct device_wish *ret);

/* What a verb does to the mirror called name; the exit code. */
typedef int config_run(const char *name, const void *input);
/* Does it to that one, or with NULL to all that are configured; the highest of the exit codes. */
int config_each(const char *name, config_run *run, const void *input);

#endif
