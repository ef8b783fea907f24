// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* stdio keeps no other reason of a write that failed. */
static int text_write(FILE *to, replace_writer *writer, const void *context)
{
	errno = 0;
	writer(context, to);
	if (fflush(to) == 0 && !ferror(to))
		return 0;
	return errno ? -errno : -EIO;
}

int replace_write(const char *path, replace_writer *writer, const void *context)
{
	char *fresh;
	FILE *file = NULL;
	int result;
	int fd;

	if (!path)
		return text_write(stdout, writer, context);
	if (asprintf(&fresh, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkostemp(fresh, O_CLOEXEC);
	if (fd < 0) {
		result = -errno;
		free(fresh);
		return result;
	}
	if (fchmod(fd, 0644) == 0)
		file = fdopen(fd, "w");
	if (file) {
		result = text_write(file, writer, context);
		if (fclose(file) != 0 && result == 0)
			result = -errno;
	} else {
		result = -errno;
		(void)close(fd);
	}
	if (result == 0 && rename(fresh, path) != 0)
		result = -errno;
	if (result != 0)
		(void)unlink(fresh);
	free(fresh);
	return result;
}
