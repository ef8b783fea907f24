// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/common/inifile.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "daemons/common/message.h"

#define WHAT_SIZE 512U

struct inifile {
	FILE *file;
	const char *path;
	unsigned line;
	bool failed;
	inifile_option *on_option;
	void *context;
	char *error;
	size_t size;
};

/* What the file holds goes into the message, and the message to a terminal. */
static void printable_make(char *text)
{
	for (; *text; text++)
		if (!isprint((unsigned char)*text))
			*text = '?';
}

void inifile_fail(struct inifile *file, const char *format, ...)
{
	char what[WHAT_SIZE];
	va_list args;

	if (file->failed)
		return;
	file->failed = true;
	va_start(args, format);
	(void)vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	message_make(file->error, file->size, MSG_CONFIG_INVALID, "%s:%u: %s", file->path,
		     file->line, what);
	if (file->size > 0)
		printable_make(file->error);
}

/* Called by inih for each "name = value". Non-zero: go on. */
static int on_value(void *context, const char *section, const char *name, const char *value)
{
	struct inifile *file = context;

	file->on_option(file, file->context, section, name, value ? value : "");
	return !file->failed;
}

/*
 * Called by inih for each line. Blanks at the start are dropped, because inih would take an
 * indented line for a continuation of the value above it.
 */
static char *on_line(char *line, int size, void *context)
{
	struct inifile *file = context;
	size_t blanks;
	size_t length;

	if (file->failed || !fgets(line, size, file->file))
		return NULL;
	file->line++;
	length = strlen(line);
	if (length > 0 && line[length - 1] != '\n' && !feof(file->file)) {
		if (length + 1 >= (size_t)size)
			inifile_fail(file, "the line is too long: at most %d characters", size - 3);
		else
			inifile_fail(file, "the line contains a NUL character");
		return NULL;
	}
	blanks = strspn(line, " \t");
	memmove(line, line + blanks, length - blanks + 1);
	return line;
}

/* Closes the file. */
static int stream_read(struct inifile *file)
{
	int line = ini_parse_stream(on_line, file, on_value, file);
	int result = 0;

	if (ferror(file->file)) {
		result = errno ? -errno : -EIO;
		message_make(file->error, file->size, MSG_CONFIG_UNREADABLE,
			     "%s: cannot be read: %s", file->path, strerror(-result));
	} else if (line != 0 || file->failed) {
		/* A failure that on_value did not see is a line that inih could not make out. */
		if (line > 0)
			file->line = (unsigned)line;
		inifile_fail(file,
			     "must be a [section], \"option = value\", or a comment after # or ;");
		result = -EINVAL;
	}
	(void)fclose(file->file);
	return result;
}

static int opened_read(FILE *opened, const char *path, inifile_option *on_option, void *context,
		       char *error, size_t size)
{
	struct inifile file = {.file = opened,
			       .path = path,
			       .on_option = on_option,
			       .context = context,
			       .error = error,
			       .size = size};
	int result = -errno;

	if (size > 0)
		error[0] = '\0';
	if (opened)
		return stream_read(&file);
	message_make(error, size, MSG_CONFIG_UNREADABLE, "%s: cannot be opened: %s", path,
		     strerror(-result));
	return result;
}

int inifile_read(const char *path, inifile_option *on_option, void *context, char *error,
		 size_t size)
{
	return opened_read(fopen(path, "re"), path, on_option, context, error, size);
}

int inifile_parse(const char *text, const char *label, inifile_option *on_option, void *context,
		  char *error, size_t size)
{
	/* What is only read is not written to. */
	return opened_read(fmemopen((char *)text, strlen(text), "r"), label, on_option, context,
			   error, size);
}
