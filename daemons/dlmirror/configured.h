/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mirrors that are configured, in mirrors.d: for verbs. Functions that return int return an exit
 * code, and have said what is wrong. */
#ifndef DLM_COMMAND_CONFIGURED_H
#define DLM_COMMAND_CONFIGURED_H

#include <stdbool.h>
#include <stddef.h>

#include "daemons/common/mirror_file.h"
#include "daemons/dlmirror/device.h"

bool config_exists(const char *name);
/* UI_NO_MIRROR when there is none. */
int config_load(const char *name, struct mirror_file *ret);
int config_store(const char *name, const struct mirror_file *file);
int config_remove(const char *name);
/* Of a mirror that device_prepare() found good, with devices by stable paths. What is there already
 * must say the same. */
int config_write(const struct device_wish *wish);
/* What a reload has made of the mirror goes into its configuration, if it has one. */
int config_follow(const struct dlmirror_mirror *m, const struct dlmirror_plan *plan);
/* The mirror that file describes. What is returned points into file and name. */
void config_wish(const char *name, const struct mirror_file *file, struct device_wish *ret);

/* What a verb does to the mirror called name; the exit code. */
typedef int config_run(const char *name, const void *input);
/* Does it to that one, or with NULL to all that are configured; the highest of the exit codes. */
int config_each(const char *name, config_run *run, const void *input);

#endif
