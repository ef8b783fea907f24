/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <qb/qblog.h>

#include "base/crc32c.h"
#include "daemons/dlmirrord/daemon.h"

#define MARKER_PATH_SIZE 512U

/* A uuid is free text and may hold a slash; the checksum keeps two that look alike apart. */
static void marker_path(const struct log *log, char path[MARKER_PATH_SIZE])
{
	char name[KMSG_UUID_SIZE];
	size_t length = strlen(log->uuid);

	for (size_t i = 0; i <= length; i++)
		name[i] = log->uuid[i] == '/' ? '_' : log->uuid[i];
	snprintf(path, MARKER_PATH_SIZE, "%s/log-failed.%s.%08x", log->daemon->config.state_dir,
		 name, crc32c(log->uuid, length));
}

/* In a thread of its own: the file system may be slow, and the mirrors must not wait for it. */
static void *marker_write(void *argument)
{
	char *path = argument;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || fsync(fd) < 0)
		qb_log(LOG_ERR, "cannot note in %s that the log device failed: %s", path,
		       strerror(errno));
	if (fd >= 0)
		close(fd);
	free(path);
	return NULL;
}

void marker_set(const struct log *log)
{
	char *path = malloc(MARKER_PATH_SIZE);
	pthread_t thread;

	if (path == NULL)
		return;
	marker_path(log, path);
	if (pthread_create(&thread, NULL, marker_write, path) != 0)
		free(path);
	else
		pthread_detach(thread);
}

void marker_clear(const struct log *log)
{
	char path[MARKER_PATH_SIZE];

	marker_path(log, path);
	unlink(path);
}

bool marker_is_set(const struct log *log)
{
	char path[MARKER_PATH_SIZE];

	marker_path(log, path);
	return access(path, F_OK) == 0;
}
