/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors on the screen: what list, status and show have in common. */
#ifndef DLM_COMMAND_MIRRORS_H
#define DLM_COMMAND_MIRRORS_H

#include <stddef.h>

#include "daemons/dlmirror/ui.h"

#define SECTOR_BYTES 512U

/* The JSON form of mirrors, the same for all verbs: one object each, with every value. */
struct libscols_table *mirrors_json(const struct dlmirror_mirror *mirrors, size_t count);
/* The name of the device, or the log's uuid while that is not known. */
const char *mirror_label(const struct dlmirror_mirror *m);
/* All mirrors, or the one called name; the exit code. *ret is freed with free(). */
int mirrors_get(struct dlmirror *d, const char *name, struct dlmirror_mirror **ret,
		size_t *ret_count);
/* One, with its legs as far as they can be had; the exit code. */
int mirror_get_with_legs(struct dlmirror *d, const char *name, struct dlmirror_mirror *ret);
/* "/dev/sda (8:0)", or the number alone. */
void mirror_device(unsigned major, unsigned minor, char *ret, size_t size);
void mirror_log_device(const struct dlmirror_mirror *m, char *ret, size_t size);

#endif
