/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does a log device answer? Asked before it is opened for good, in a thread of its own that is left
 * alone with a device that hangs.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "daemons/dlmirrord/apart.h"
#include "daemons/dlmirrord/daemon.h"
#include "daemons/dlmirrord/thread.h"

#define PROBE_MS    3000U
#define PROBE_BYTES 4096U

struct probe {
	pthread_mutex_t lock;
	pthread_cond_t over;
	bool done;
	bool left; /* nobody waits any more: the thread frees it */
	int result;
	char path[512];
};

static void probe_free(struct probe *p)
{
	pthread_cond_destroy(&p->over);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* A device that can be read but not with O_DIRECT, or not at all, answers too: what is wrong with
 * it is for whoever opens it to say. */
static int probe_read(const char *path)
{
	void *buffer = NULL;
	int error = 0;
	int fd;

	if (files_apart(STDERR_FILENO) != 0 ||
	    posix_memalign(&buffer, PROBE_BYTES, PROBE_BYTES) != 0)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_DIRECT);
	if (fd < 0 || pread(fd, buffer, PROBE_BYTES, 0) < 0)
		error = errno == EINVAL ? 0 : -errno;
	if (fd >= 0)
		close(fd);
	free(buffer);
	return error;
}

static void *probe_main(void *argument)
{
	struct probe *p = argument;
	int result = probe_read(p->path);
	bool left;

	pthread_mutex_lock(&p->lock);
	p->result = result;
	p->done = true;
	left = p->left;
	pthread_cond_signal(&p->over);
	pthread_mutex_unlock(&p->lock);
	if (left)
		probe_free(p);
	return NULL;
}

static int probe_wait(struct probe *p)
{
	struct timespec until;
	int error = 0;
	int result;
	bool done;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PROBE_MS / 1000U;
	pthread_mutex_lock(&p->lock);
	while (!p->done && error != ETIMEDOUT)
		error = pthread_cond_timedwait(&p->over, &p->lock, &until);
	done = p->done;
	p->left = !done;
	result = done ? p->result : -ETIMEDOUT;
	pthread_mutex_unlock(&p->lock);
	if (done)
		probe_free(p);
	return result;
}

int probe_device(const char *device)
{
	struct probe *p = calloc(1, sizeof(*p));
	pthread_t thread;
	dev_t devno;
	int error;

	if (p == NULL)
		return -ENOMEM;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->over, NULL);
	/* What is not a block device is not for us to judge. */
	error = devmap_number(device, &devno);
	if (error == 0)
		error = devmap_path(devno, p->path, sizeof(p->path));
	if (error != 0) {
		probe_free(p);
		return 0;
	}
	error = thread_start(&thread, "dlm-probe", probe_main, p);
	if (error != 0) {
		probe_free(p);
		return error;
	}
	pthread_detach(thread);
	return probe_wait(p);
}
