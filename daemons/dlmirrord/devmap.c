/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Adapter of the devmap port: owns the jobs for device-mapper.
 *
 *	find, load, clear:  call -> ioctl lane -> finished -> eventfd -> devmap_dispatch() -> done
 *	wake:               call -> ioctl lane -> read lane -> finished -> ...
 *	reset, reload, suspend, switch, unload:
 *	                    call -> ioctl lane -> finished -> ... -> suspender -> socket ->
 *	                    devmap_dispatch() -> done
 *
 * Each lane is one thread. Reads have their own because a read of a mirror whose I/O is held may
 * wait for hours, and resets, which end such waits, must not queue behind it.
 */
#include "daemons/dlmirrord/devmap.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "daemons/dlmirrord/apart.h"
#include "daemons/dlmirrord/devmap_catalog.h"
#include "daemons/dlmirrord/devmap_load.h"
#include "daemons/dlmirrord/suspender.h"
#include "daemons/dlmirrord/thread.h"

#define SECTOR_BYTES 512U
#define WAKE_BYTES   4096U
#define PATH_SIZE    256U

enum job_kind {
	JOB_FIND,
	JOB_RESET,
	JOB_RELOAD,
	JOB_WAKE,
	JOB_LOAD,
	JOB_SUSPEND,
	JOB_SWITCH,
	JOB_UNLOAD,
	JOB_CLEAR,
};

/* Where a job goes on behind the ioctl lane. */
enum goes_on { GOES_NOWHERE, GOES_TO_READ, GOES_TO_SUSPENDER };

struct job {
	STAILQ_ENTRY(job) next;
	enum job_kind kind;
	char uuid[DEVMAP_NAME_SIZE];
	bool status; /* of a find */
	bool finish; /* of a reset */
	devmap_found_fn found_done;
	devmap_loaded_fn loaded_done;
	devmap_done_fn done;
	void *context;
	struct dlmirror_plan plan; /* of a load */
	char log_device[DEVMAP_NAME_SIZE];
	bool in_sync;
	uint64_t revision;
	char log[DLMIRROR_PATH_SIZE];
	char text[GROUP_TEXT_SIZE];
	enum goes_on goes_on;
	uint64_t order; /* to the suspender */
	struct found found;
	int error;
};

STAILQ_HEAD(job_queue, job);

struct lane {
	struct devmap *devmap;
	/* Does its part of the job. */
	enum goes_on (*run)(struct devmap *devmap, struct job *job);
	struct job_queue waiting; /* under the lock of devmap */
	pthread_cond_t work;
	pthread_t thread;
	bool started;
};

struct devmap {
	int poll_fd;	  /* of the two below */
	int event_fd;	  /* something is finished */
	int suspender_fd; /* -1: there is none; this and what follows is the loop thread's */
	struct job_queue ordered; /* what the suspender has */
	uint64_t last_order;
	unsigned jobs;		/* accepted and not answered */
	struct catalog catalog; /* the ioctl lane's */
	void *buffer;		/* the read lane's */
	pthread_mutex_t lock;	/* of the queues and stopping */
	struct job_queue finished;
	bool stopping;
	struct lane ioctl_lane;
	struct lane read_lane;
};

/* What is gone has nothing to be forgotten. */
static enum goes_on unload_begin(struct job *job)
{
	if (job->error == -ENOENT)
		job->error = 0;
	else if (job->error == 0 && job->found.inactive_table)
		devmap_table_clear(job->found.mirror.devno);
	return job->error == 0 && job->found.mirror.suspended ? GOES_TO_SUSPENDER : GOES_NOWHERE;
}

static enum goes_on ioctl_lane_run(struct devmap *devmap, struct job *job)
{
	job->error = catalog_find(&devmap->catalog, job->uuid, &job->found);
	if (job->kind == JOB_UNLOAD)
		return unload_begin(job);
	if (job->error != 0)
		return GOES_NOWHERE;
	switch (job->kind) {
	case JOB_FIND:
		if (job->status)
			job->error = devmap_health_read(&job->found);
		return GOES_NOWHERE;
	case JOB_LOAD:
		job->error = devmap_load_found(&job->found,
					       &(struct devmap_load){.plan = &job->plan,
								     .log_device = job->log_device,
								     .in_sync = job->in_sync,
								     .revision = job->revision,
								     .log = job->log},
					       job->text);
		return GOES_NOWHERE;
	case JOB_WAKE:
		/* A suspended device holds the read until its resume, which wakes kmirrord anyway.
		 */
		if (job->found.mirror.suspended)
			job->error = -EBUSY;
		return job->error == 0 ? GOES_TO_READ : GOES_NOWHERE;
	case JOB_CLEAR:
		if (job->found.inactive_table)
			devmap_table_clear(job->found.mirror.devno);
		return GOES_NOWHERE;
	case JOB_RESET:
	case JOB_RELOAD:
	case JOB_SUSPEND:
	case JOB_SWITCH:
	case JOB_UNLOAD:
		return GOES_TO_SUSPENDER;
	}
	return GOES_NOWHERE;
}

static enum goes_on read_lane_run(struct devmap *devmap, struct job *job)
{
	off_t offset = (off_t)(job->found.start_sector * SECTOR_BYTES);
	char path[PATH_SIZE];
	int fd;

	job->error = devmap_path(job->found.mirror.devno, path, sizeof(path));
	if (job->error != 0)
		return GOES_NOWHERE;
	fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0 || pread(fd, devmap->buffer, WAKE_BYTES, offset) < 0)
		job->error = -errno;
	if (fd >= 0)
		close(fd);
	return GOES_NOWHERE;
}

static struct job *queue_take(struct job_queue *queue)
{
	struct job *job = STAILQ_FIRST(queue);

	if (job != NULL)
		STAILQ_REMOVE_HEAD(queue, next);
	return job;
}

static void lane_add(struct lane *lane, struct job *job)
{
	STAILQ_INSERT_TAIL(&lane->waiting, job, next);
	pthread_cond_signal(&lane->work);
}

static void *lane_main(void *argument)
{
	struct lane *lane = argument;
	struct devmap *devmap = lane->devmap;

	/* Without it, only a killed daemon's successor would notice. */
	(void)files_apart(devmap->event_fd);
	pthread_mutex_lock(&devmap->lock);
	for (;;) {
		struct job *job;

		while (STAILQ_EMPTY(&lane->waiting) && !devmap->stopping)
			pthread_cond_wait(&lane->work, &devmap->lock);
		if (devmap->stopping)
			break;
		job = queue_take(&lane->waiting);
		pthread_mutex_unlock(&devmap->lock);
		job->goes_on = lane->run(devmap, job);
		pthread_mutex_lock(&devmap->lock);
		if (job->goes_on == GOES_TO_READ) {
			lane_add(&devmap->read_lane, job);
			continue;
		}
		STAILQ_INSERT_TAIL(&devmap->finished, job, next);
		/* Fails only with a counter at its limit, and then the descriptor is readable
		 * already. */
		(void)!write(devmap->event_fd, &(uint64_t){1}, sizeof(uint64_t));
	}
	pthread_mutex_unlock(&devmap->lock);
	return NULL;
}

static void lane_prepare(struct lane *lane, struct devmap *devmap,
			 enum goes_on (*run)(struct devmap *devmap, struct job *job))
{
	lane->devmap = devmap;
	lane->run = run;
	STAILQ_INIT(&lane->waiting);
	pthread_cond_init(&lane->work, NULL);
}

static int lane_start(struct lane *lane, const char *name)
{
	int error = thread_start(&lane->thread, name, lane_main, lane);

	lane->started = error == 0;
	return error;
}

static void queue_drop(struct job_queue *queue)
{
	for (struct job *job = queue_take(queue); job != NULL; job = queue_take(queue))
		free(job);
}

static void lane_stop(struct lane *lane)
{
	if (lane->started) {
		pthread_cond_signal(&lane->work);
		pthread_join(lane->thread, NULL);
	}
	queue_drop(&lane->waiting);
	pthread_cond_destroy(&lane->work);
}

/* ---- answers and orders; in the loop thread */

static void job_answer(struct devmap *devmap, struct job *job)
{
	devmap->jobs--;
	if (job->kind == JOB_FIND)
		job->found_done(job->context, job->uuid, job->error,
				job->error == 0 ? &job->found.mirror : NULL);
	else if (job->kind == JOB_LOAD)
		job->loaded_done(job->context, job->uuid, job->error, job->text);
	else
		job->done(job->context, job->uuid, job->error);
	free(job);
}

static int poll_add(struct devmap *devmap, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(devmap->poll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int orders_begin(struct devmap *devmap)
{
	devmap->suspender_fd = suspender_start();
	return devmap->suspender_fd < 0 ? devmap->suspender_fd
					: poll_add(devmap, devmap->suspender_fd);
}

static void orders_end(struct devmap *devmap)
{
	if (devmap->suspender_fd < 0)
		return;
	epoll_ctl(devmap->poll_fd, EPOLL_CTL_DEL, devmap->suspender_fd, NULL);
	close(devmap->suspender_fd);
	devmap->suspender_fd = -1;
}

/* A second reset or reload of a device would only wait in the kernel for the first. */
static bool order_doubled(const struct devmap *devmap, const struct job *job)
{
	const struct job *other;

	if (job->kind == JOB_RESET || job->kind == JOB_RELOAD)
		STAILQ_FOREACH (other, &devmap->ordered, next)
			if (other->found.mirror.devno == job->found.mirror.devno)
				return true;
	return false;
}

/* Answers the job if it cannot be given. */
static void order_give(struct devmap *devmap, struct job *job)
{
	static const enum suspender_act act[] = {
	    [JOB_RESET] = SUSPENDER_RESET,     [JOB_RELOAD] = SUSPENDER_RELOAD,
	    [JOB_SUSPEND] = SUSPENDER_SUSPEND, [JOB_SWITCH] = SUSPENDER_RESUME,
	    [JOB_UNLOAD] = SUSPENDER_RESUME,
	};
	struct suspender_order order = {.id = devmap->last_order + 1,
					.act = act[job->kind],
					.finish = job->finish,
					.found = job->found};
	int error = order_doubled(devmap, job) ? -EBUSY : 0;

	if (error == 0 && devmap->suspender_fd < 0)
		error = orders_begin(devmap);
	if (error == 0)
		error = suspender_send(devmap->suspender_fd, &order);
	job->order = order.id;
	job->error = error;
	if (error == 0) {
		devmap->last_order++;
		STAILQ_INSERT_TAIL(&devmap->ordered, job, next);
	} else {
		job_answer(devmap, job);
	}
}

static void order_answer(struct devmap *devmap, uint64_t order, int error)
{
	for (struct job *job = STAILQ_FIRST(&devmap->ordered); job != NULL;
	     job = STAILQ_NEXT(job, next)) {
		if (job->order != order)
			continue;
		STAILQ_REMOVE(&devmap->ordered, job, job, next);
		job->error = error;
		job_answer(devmap, job);
		return;
	}
}

static void orders_dispatch(struct devmap *devmap)
{
	uint64_t order;
	int error;
	int got = 0;

	while (devmap->suspender_fd >= 0 &&
	       (got = suspender_receive(devmap->suspender_fd, &order, &error)) > 0)
		order_answer(devmap, order, error);
	if (got == 0)
		return;
	/* Somebody has killed it. The next order starts another. */
	orders_end(devmap);
	while (!STAILQ_EMPTY(&devmap->ordered))
		order_answer(devmap, STAILQ_FIRST(&devmap->ordered)->order, -EINTR);
}

/* ---- the port */

int devmap_create(struct devmap **ret)
{
	struct devmap *devmap = calloc(1, sizeof(*devmap));
	int error = 0;

	if (devmap == NULL)
		return -ENOMEM;
	devmap_library_prepare();
	pthread_mutex_init(&devmap->lock, NULL);
	STAILQ_INIT(&devmap->finished);
	lane_prepare(&devmap->ioctl_lane, devmap, ioctl_lane_run);
	lane_prepare(&devmap->read_lane, devmap, read_lane_run);
	STAILQ_INIT(&devmap->ordered);
	devmap->suspender_fd = -1;
	devmap->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	devmap->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (devmap->event_fd < 0 || devmap->poll_fd < 0)
		error = -errno;
	else if (posix_memalign(&devmap->buffer, WAKE_BYTES, WAKE_BYTES) != 0)
		error = -ENOMEM;
	if (error == 0)
		error = poll_add(devmap, devmap->event_fd);
	if (error == 0)
		error = orders_begin(devmap);
	if (error == 0)
		error = lane_start(&devmap->ioctl_lane, "dlm-devmap");
	if (error == 0)
		error = lane_start(&devmap->read_lane, "dlm-wake");
	if (error != 0) {
		devmap_destroy(devmap);
		return error;
	}
	*ret = devmap;
	return 0;
}

struct devmap *devmap_destroy(struct devmap *devmap)
{
	if (devmap == NULL)
		return NULL;
	pthread_mutex_lock(&devmap->lock);
	devmap->stopping = true;
	pthread_mutex_unlock(&devmap->lock);
	lane_stop(&devmap->ioctl_lane);
	lane_stop(&devmap->read_lane);
	queue_drop(&devmap->finished);
	orders_end(devmap);
	queue_drop(&devmap->ordered);
	if (devmap->poll_fd >= 0)
		close(devmap->poll_fd);
	if (devmap->event_fd >= 0)
		close(devmap->event_fd);
	free(devmap->buffer);
	free(devmap->catalog.item);
	pthread_mutex_destroy(&devmap->lock);
	free(devmap);
	return NULL;
}

int devmap_fd(const struct devmap *devmap)
{
	return devmap->poll_fd;
}

unsigned devmap_jobs(const struct devmap *devmap)
{
	return devmap->jobs;
}

static void finished_dispatch(struct devmap *devmap)
{
	struct job *job;
	uint64_t count;

	(void)!read(devmap->event_fd, &count, sizeof(count));
	pthread_mutex_lock(&devmap->lock);
	job = STAILQ_FIRST(&devmap->finished);
	STAILQ_INIT(&devmap->finished);
	pthread_mutex_unlock(&devmap->lock);
	while (job != NULL) {
		struct job *next = STAILQ_NEXT(job, next);

		if (job->goes_on == GOES_TO_SUSPENDER)
			order_give(devmap, job);
		else
			job_answer(devmap, job);
		job = next;
	}
}

void devmap_dispatch(struct devmap *devmap)
{
	finished_dispatch(devmap);
	orders_dispatch(devmap);
}

/* Queues a copy of job for uuid. */
static int job_submit(struct devmap *devmap, const char *uuid, const struct job *template)
{
	size_t size = strlen(uuid) + 1;
	struct job *job;

	if (size == 1 || size > DEVMAP_NAME_SIZE)
		return -EINVAL;
	job = malloc(sizeof(*job));
	if (job == NULL)
		return -ENOMEM;
	*job = *template;
	memcpy(job->uuid, uuid, size);
	devmap->jobs++;
	pthread_mutex_lock(&devmap->lock);
	lane_add(&devmap->ioctl_lane, job);
	pthread_mutex_unlock(&devmap->lock);
	return 0;
}

/* One that needs no more than its uuid. */
static int plain_submit(struct devmap *devmap, enum job_kind kind, const char *uuid,
			devmap_done_fn done, void *context)
{
	const struct job job = {.kind = kind, .done = done, .context = context};

	return job_submit(devmap, uuid, &job);
}

int devmap_find(struct devmap *devmap, const char *uuid, bool status, devmap_found_fn done,
		void *context)
{
	const struct job job = {
	    .kind = JOB_FIND, .status = status, .found_done = done, .context = context};

	return job_submit(devmap, uuid, &job);
}

int devmap_reset(struct devmap *devmap, const char *uuid, bool finish, devmap_done_fn done,
		 void *context)
{
	const struct job job = {
	    .kind = JOB_RESET, .finish = finish, .done = done, .context = context};

	return job_submit(devmap, uuid, &job);
}

int devmap_reload(struct devmap *devmap, const char *uuid, devmap_done_fn done, void *context)
{
	return plain_submit(devmap, JOB_RELOAD, uuid, done, context);
}

int devmap_load(struct devmap *devmap, const char *uuid, const struct devmap_load *load,
		devmap_loaded_fn done, void *context)
{
	struct job job = {.kind = JOB_LOAD,
			  .loaded_done = done,
			  .context = context,
			  .plan = *load->plan,
			  .in_sync = load->in_sync,
			  .revision = load->revision};

	snprintf(job.log_device, sizeof(job.log_device), "%s", load->log_device);
	snprintf(job.log, sizeof(job.log), "%s", load->log);
	return job_submit(devmap, uuid, &job);
}

int devmap_suspend(struct devmap *devmap, const char *uuid, devmap_done_fn done, void *context)
{
	return plain_submit(devmap, JOB_SUSPEND, uuid, done, context);
}

int devmap_switch(struct devmap *devmap, const char *uuid, devmap_done_fn done, void *context)
{
	return plain_submit(devmap, JOB_SWITCH, uuid, done, context);
}

int devmap_unload(struct devmap *devmap, const char *uuid, devmap_done_fn done, void *context)
{
	return plain_submit(devmap, JOB_UNLOAD, uuid, done, context);
}

int devmap_clear(struct devmap *devmap, const char *uuid, devmap_done_fn done, void *context)
{
	return plain_submit(devmap, JOB_CLEAR, uuid, done, context);
}

int devmap_wake(struct devmap *devmap, const char *uuid, devmap_done_fn done, void *context)
{
	return plain_submit(devmap, JOB_WAKE, uuid, done, context);
}

static int scan_device(void *context, dev_t devno, const char *name)
{
	struct found_list *list = context;
	struct devmap_device device;
	int error = devmap_table_read(devno, true, list, &device);

	(void)name;
	if (error == 0 && device.inactive_table)
		error = devmap_table_read(devno, false, list, &device);
	return error == -ENODEV ? 0 : error; /* removed while we looked */
}

int devmap_scan(struct devmap_mirror **ret_mirrors, unsigned *ret_count)
{
	struct devmap_mirror *mirrors = NULL;
	struct found_list list = {.count = 0};
	int error;

	devmap_library_prepare();
	error = devmap_devices_visit(scan_device, &list);
	if (error == 0) {
		mirrors = calloc(list.count + 1U, sizeof(*mirrors));
		if (mirrors == NULL)
			error = -ENOMEM;
	}
	if (error == 0) {
		for (unsigned i = 0; i < list.count; i++)
			mirrors[i] = list.item[i].mirror;
		*ret_mirrors = mirrors;
		*ret_count = list.count;
	}
	free(list.item);
	/* The library keeps its control device open; the ioctl lane has descriptors of its own. */
	devmap_library_release();
	return error;
}
