/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owns the notes in the state directory. The file system may be slow and the mirrors must not wait
 * for it, so a thread of its own makes and removes them, and ends when there is nothing to do.
 *
 * What is wanted last is what is on disk in the end, and what marker_is_set() says from the moment
 * it is wanted. A note that stays behind costs a recovery of everything after the next crash; one
 * that is lost costs data. There is one wish at most per uuid.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "daemons/dlmirrord/daemon.h"
#include "daemons/dlmirrord/message_log.h"
#include "daemons/dlmirrord/thread.h"

#define MARKER_PATH_SIZE 512U

struct wish {
	struct wish *next;
	bool set;
	char path[MARKER_PATH_SIZE];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;
static struct wish *wishes; /* the thread is at the first; NULL: there is no thread */

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

static void marker_write(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || fsync(fd) < 0)
		message_log(LOG_ERR, MSG_MARKER_UNWRITABLE,
			    "cannot note in %s that the log device failed: %s", path,
			    strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void marker_remove(const char *path)
{
	if (unlink(path) < 0 && errno != ENOENT)
		message_log(LOG_WARNING, MSG_MARKER_UNWRITABLE,
			    "cannot remove %s (%s): remove it, or all regions count as out of sync "
			    "after the next crash",
			    path, strerror(errno));
}

static void wishes_grant(void)
{
	pthread_mutex_lock(&lock);
	while (wishes != NULL) {
		struct wish *wish = wishes;
		bool set = wish->set;

		pthread_mutex_unlock(&lock);
		if (set)
			marker_write(wish->path);
		else
			marker_remove(wish->path);
		pthread_mutex_lock(&lock);
		if (wish->set != set)
			continue; /* wanted otherwise meanwhile */
		wishes = wish->next;
		free(wish);
	}
	pthread_cond_broadcast(&idle);
	pthread_mutex_unlock(&lock);
}

static void *marker_main(void *argument)
{
	const struct sched_param ordinary = {0};

	/* It may have been started by a responder. */
	pthread_setschedparam(pthread_self(), SCHED_OTHER, &ordinary);
	wishes_grant();
	return argument;
}

/* Where the wish for this path is, or the end of the list. With the lock. */
static struct wish **wish_find(const char *path)
{
	struct wish **place = &wishes;

	while (*place != NULL && strcmp((*place)->path, path) != 0)
		place = &(*place)->next;
	return place;
}

/* Where there is no memory for a thread, this one does it: better late than lost. */
static void marker_want(const struct log *log, bool set)
{
	char path[MARKER_PATH_SIZE];
	struct wish **place;
	struct wish *wish;
	pthread_t thread;

	marker_path(log, path);
	pthread_mutex_lock(&lock);
	place = wish_find(path);
	wish = *place != NULL ? *place : malloc(sizeof(*wish));
	if (wish == NULL) {
		pthread_mutex_unlock(&lock);
		if (set)
			marker_write(path);
		else
			marker_remove(path);
		return;
	}
	wish->set = set;
	if (*place == NULL) {
		bool first = wishes == NULL;

		wish->next = NULL;
		memcpy(wish->path, path, sizeof(path));
		*place = wish;
		if (first && thread_start(&thread, "dlm-marker", marker_main, NULL) == 0) {
			pthread_detach(thread);
		} else if (first) {
			pthread_mutex_unlock(&lock);
			wishes_grant();
			return;
		}
	}
	pthread_mutex_unlock(&lock);
}

void marker_set(const struct log *log)
{
	marker_want(log, true);
}

void marker_clear(const struct log *log)
{
	marker_want(log, false);
}

bool marker_is_set(const struct log *log)
{
	char path[MARKER_PATH_SIZE];
	const struct wish *wish;
	bool set = false;

	marker_path(log, path);
	pthread_mutex_lock(&lock);
	wish = *wish_find(path);
	if (wish != NULL)
		set = wish->set;
	pthread_mutex_unlock(&lock);
	return wish != NULL ? set : access(path, F_OK) == 0;
}

bool marker_busy(void)
{
	bool busy;

	pthread_mutex_lock(&lock);
	busy = wishes != NULL;
	pthread_mutex_unlock(&lock);
	return busy;
}

void marker_finish(unsigned timeout_s)
{
	struct timespec until;
	int error = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_s;
	pthread_mutex_lock(&lock);
	while (wishes != NULL && error == 0)
		error = pthread_cond_timedwait(&idle, &lock, &until);
	pthread_mutex_unlock(&lock);
}
