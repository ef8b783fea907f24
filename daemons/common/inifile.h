/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading of a file of sections and "name = value" lines, by inih, and what went wrong where. */
#ifndef DLM_INIFILE_H
#define DLM_INIFILE_H

#include <stddef.h>

struct inifile;

/* One option; section is empty above the first one. What is wrong with it goes to inifile_fail(). */
typedef void inifile_option(struct inifile *file, void *context, const char *section,
			    const char *name, const char *value);

/* Gives all options of path to on_option. 0, -ENOENT and the like when it cannot be opened or read,
 * -EINVAL when a line is wrong; error then says file, line, and what is wrong. */
int inifile_read(const char *path, inifile_option *on_option, void *context, char *error,
		 size_t size);
/* The same of a text; label stands for the path. */
int inifile_parse(const char *text, const char *label, inifile_option *on_option, void *context,
		  char *error, size_t size);
/* From on_option: ends the reading. Only the first failure is kept: what follows it is often its
 * echo. */
void inifile_fail(struct inifile *file, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
