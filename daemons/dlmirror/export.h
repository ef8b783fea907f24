/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All that a log device holds, as text for people or as JSON; and words for what is found there. */
#ifndef DLM_COMMAND_EXPORT_H
#define DLM_COMMAND_EXPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "daemons/dlmirror/logdev.h"

/* "in-use", "clean", …, for programs; the same in a sentence; and what disk_super_decode() and
 * disk_slot_decode() said. */
const char *export_belief_name(enum disk_belief belief);
const char *export_belief_sentence(const struct disk_search *search);
const char *export_copy_sentence(int result);

/* 0, or the errno of a read that failed: then what was printed is not all. */
int export_write(FILE *to, const struct logdev *log, bool json);

#endif
