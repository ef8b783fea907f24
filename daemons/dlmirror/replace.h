/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that others read while they are written; a crash of the host may cost them. */
#ifndef DLM_COMMAND_REPLACE_H
#define DLM_COMMAND_REPLACE_H

#include <stdio.h>

/* Failures stay in the stream. */
typedef void replace_writer(const void *context, FILE *to);

/*
 * Has writer write path, or standard output when path is NULL. Whoever reads the file sees the old
 * text or the new one: it is written beside it, and takes its name when it is whole. Everybody may
 * read it. 0 or a negative errno, and then the old text is still there.
 */
int replace_write(const char *path, replace_writer *writer, const void *context);

#endif
