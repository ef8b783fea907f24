/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Adapter of the devmap port: owns the jobs for device-mapper and the catalog of which device
 * carries which log.
 *
 *	find, reset, reload:  call -> ioctl lane -> finished -> eventfd -> devmap_dispatch() -> done
 *	wake:                 call -> ioctl lane -> read lane -> finished -> ...
 *
 * Each lane is one thread. Reads have their own because a read of a mirror whose I/O is held may
 * wait for hours, and resets, which end such waits, must not queue behind it.
 *
 * The catalog is a guess, never an authority: whatever it says is checked against the table of the
 * device, and only if no unknown device carries the log either are the known ones read again.
 */
#include "daemons/dlmirrord/devmap.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "daemons/dlmirrord/apart.h"
#include "daemons/dlmirrord/devmap_ioctl.h"
#include "daemons/dlmirrord/thread.h"

#define SECTOR_BYTES	512U
#define WAKE_BYTES	4096U
#define RESUME_ATTEMPTS 3U
#define PATH_SIZE	256U

struct known {
	dev_t devno;
	char name[DEVMAP_NAME_SIZE];
	char uuid[DEVMAP_NAME_SIZE]; /* of the first log of ours in its live table; or empty */
	bool looked;		     /* and it had a live table */
	bool listed;		     /* by the refresh under way */
};

/* Sorted by devno. */
struct catalog {
	struct known *item;
	size_t count;
	size_t room;
};

enum job_kind { JOB_FIND, JOB_RESET, JOB_RELOAD, JOB_WAKE };

struct job {
	STAILQ_ENTRY(job) next;
	enum job_kind kind;
	char uuid[DEVMAP_NAME_SIZE];
	bool status; /* of a find */
	bool finish; /* of a reset */
	devmap_found_fn found_done;
	devmap_done_fn done;
	void *context;
	struct found found;
	int error;
};

STAILQ_HEAD(job_queue, job);

struct lane {
	struct devmap *devmap;
	/* Does its part of the job; true: the job goes on in the read lane. */
	bool (*run)(struct devmap *devmap, struct job *job);
	struct job_queue waiting; /* under the lock of devmap */
	pthread_cond_t work;
	pthread_t thread;
	bool started;
};

struct devmap {
	int event_fd;
	unsigned jobs;		/* accepted and not answered; the loop thread's */
	struct catalog catalog; /* the ioctl lane's */
	void *buffer;		/* the read lane's */
	pthread_mutex_t lock;	/* of the queues and stopping */
	struct job_queue finished;
	bool stopping;
	struct lane ioctl_lane;
	struct lane read_lane;
};

/* The position of devno in the catalog, or where it belongs. */
static size_t catalog_position(const struct catalog *catalog, dev_t devno)
{
	size_t low = 0;
	size_t high = catalog->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (catalog->item[middle].devno < devno)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int catalog_insert(struct catalog *catalog, size_t position, dev_t devno)
{
	if (catalog->count == catalog->room) {
		size_t room = catalog->room == 0 ? 16 : 2 * catalog->room;
		struct known *item = realloc(catalog->item, room * sizeof(*item));

		if (item == NULL)
			return -ENOMEM;
		catalog->item = item;
		catalog->room = room;
	}
	memmove(&catalog->item[position + 1], &catalog->item[position],
		(catalog->count - position) * sizeof(*catalog->item));
	catalog->item[position] = (struct known){.devno = devno};
	catalog->count++;
	return 0;
}

/* Another name means another device with a number that is used again. */
static int catalog_note(void *context, dev_t devno, const char *name)
{
	struct catalog *catalog = context;
	size_t position = catalog_position(catalog, devno);
	struct known *known;

	if (position == catalog->count || catalog->item[position].devno != devno) {
		int error = catalog_insert(catalog, position, devno);

		if (error != 0)
			return error;
	}
	known = &catalog->item[position];
	if (strcmp(known->name, name) != 0) {
		snprintf(known->name, sizeof(known->name), "%s", name);
		known->looked = false;
	}
	known->listed = true;
	return 0;
}

/* Takes in devices that came, and forgets those that went. */
static int catalog_refresh(struct catalog *catalog)
{
	size_t kept = 0;
	int error;

	for (size_t i = 0; i < catalog->count; i++)
		catalog->item[i].listed = false;
	error = devmap_devices_visit(catalog_note, catalog);
	if (error != 0)
		return error;
	for (size_t i = 0; i < catalog->count; i++)
		if (catalog->item[i].listed)
			catalog->item[kept++] = catalog->item[i];
	catalog->count = kept;
	return 0;
}

/* Reads the table of one device. -ENOENT: uuid is not in it. */
static int known_look(struct known *known, const char *uuid, struct found *ret)
{
	struct found_list list = {.count = 0};
	struct devmap_device device;
	int error = devmap_table_read(known->devno, true, &list, &device);

	known->looked = error == 0 && device.live_table;
	known->uuid[0] = '\0';
	if (error == 0 && list.count > 0)
		memcpy(known->uuid, list.item[0].mirror.uuid, sizeof(known->uuid));
	if (error == 0 || error == -ENODEV)
		error = -ENOENT;
	for (unsigned i = 0; i < list.count && error == -ENOENT; i++) {
		if (strcmp(list.item[i].mirror.uuid, uuid) == 0) {
			*ret = list.item[i];
			error = 0;
		}
	}
	free(list.item);
	return error;
}

static int catalog_find(struct catalog *catalog, const char *uuid, struct found *ret)
{
	int error = -ENOENT;

	for (size_t i = 0; i < catalog->count && error == -ENOENT; i++)
		if (strcmp(catalog->item[i].uuid, uuid) == 0)
			error = known_look(&catalog->item[i], uuid, ret);
	if (error != -ENOENT)
		return error;
	error = catalog_refresh(catalog);
	if (error != 0)
		return error;
	error = -ENOENT;
	for (size_t i = 0; i < catalog->count && error == -ENOENT; i++)
		if (!catalog->item[i].looked)
			error = known_look(&catalog->item[i], uuid, ret);
	for (size_t i = 0; i < catalog->count && error == -ENOENT; i++)
		error = known_look(&catalog->item[i], uuid, ret);
	return error;
}

/* A device left suspended is the worst outcome, so what may pass (no memory) gets a chance. */
static int device_resume(dev_t devno)
{
	int error = 0;

	for (unsigned i = 0; i < RESUME_ATTEMPTS; i++) {
		error = devmap_device_resume(devno);
		if (error == 0)
			break;
	}
	return error;
}

/* The resume suspends by itself, and a daemon killed before it leaves only a table that waits. */
static int found_reload(const struct found *found)
{
	dev_t devno = found->mirror.devno;
	int error;

	if (found->inactive_table || found->mirror.suspended)
		return -EBUSY;
	error = devmap_table_reload(devno);
	if (error == 0)
		error = device_resume(devno);
	if (error != 0)
		devmap_table_clear(devno);
	return error;
}

static bool legs_work(struct found *found)
{
	const char *health = found->mirror.leg_health;

	return devmap_health_read(found) == 0 && health[0] != '\0' &&
	       health[strspn(health, "A")] == '\0';
}

/*
 * A new table makes the kernel forget everything, a suspend only some of it: what it wrote on one
 * leg after an error it would go on writing there. But it also makes leg 0 the one to read from
 * again, which must not be while a leg is missing. A device that is suspended already will be reset
 * by whoever resumes it, and a table that waits is for whoever loaded it, unless it says what the
 * live one says: that is what a reload leaves that was cut short.
 */
static int found_reset(struct found *found, bool finish)
{
	bool suspended = found->mirror.suspended;
	bool waits = found->inactive_table;
	dev_t devno = found->mirror.devno;
	bool work;
	int error = 0;

	if ((suspended && !finish) || (waits && !devmap_tables_same(devno)))
		return -EBUSY;
	work = legs_work(found);
	if (waits && !work)
		devmap_table_clear(devno);
	else if (waits || suspended)
		return device_resume(devno);
	if (work && found_reload(found) == 0)
		return 0;
	if (!suspended)
		error = devmap_device_suspend(devno);
	return error != 0 ? error : device_resume(devno);
}

static bool ioctl_lane_run(struct devmap *devmap, struct job *job)
{
	job->error = catalog_find(&devmap->catalog, job->uuid, &job->found);
	if (job->error != 0)
		return false;
	switch (job->kind) {
	case JOB_FIND:
		if (job->status)
			job->error = devmap_health_read(&job->found);
		return false;
	case JOB_RESET:
		job->error = found_reset(&job->found, job->finish);
		return false;
	case JOB_RELOAD:
		job->error = found_reload(&job->found);
		return false;
	case JOB_WAKE:
		/* A suspended device holds the read until its resume, which wakes kmirrord anyway.
		 */
		if (job->found.mirror.suspended)
			job->error = -EBUSY;
		return job->error == 0;
	}
	return false;
}

static bool read_lane_run(struct devmap *devmap, struct job *job)
{
	off_t offset = (off_t)(job->found.start_sector * SECTOR_BYTES);
	char path[PATH_SIZE];
	int fd;

	job->error = devmap_path(job->found.mirror.devno, path, sizeof(path));
	if (job->error != 0)
		return false;
	fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0 || pread(fd, devmap->buffer, WAKE_BYTES, offset) < 0)
		job->error = -errno;
	if (fd >= 0)
		close(fd);
	return false;
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
		bool goes_on;

		while (STAILQ_EMPTY(&lane->waiting) && !devmap->stopping)
			pthread_cond_wait(&lane->work, &devmap->lock);
		if (devmap->stopping)
			break;
		job = queue_take(&lane->waiting);
		pthread_mutex_unlock(&devmap->lock);
		goes_on = lane->run(devmap, job);
		pthread_mutex_lock(&devmap->lock);
		if (goes_on) {
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
			 bool (*run)(struct devmap *devmap, struct job *job))
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
	devmap->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (devmap->event_fd < 0)
		error = -errno;
	else if (posix_memalign(&devmap->buffer, WAKE_BYTES, WAKE_BYTES) != 0)
		error = -ENOMEM;
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
	return devmap->event_fd;
}

unsigned devmap_jobs(const struct devmap *devmap)
{
	return devmap->jobs;
}

void devmap_dispatch(struct devmap *devmap)
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

		devmap->jobs--;
		if (job->kind == JOB_FIND)
			job->found_done(job->context, job->uuid, job->error,
					job->error == 0 ? &job->found.mirror : NULL);
		else
			job->done(job->context, job->uuid, job->error);
		free(job);
		job = next;
	}
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
	const struct job job = {.kind = JOB_RELOAD, .done = done, .context = context};

	return job_submit(devmap, uuid, &job);
}

int devmap_wake(struct devmap *devmap, const char *uuid, devmap_done_fn done, void *context)
{
	const struct job job = {.kind = JOB_WAKE, .done = done, .context = context};

	return job_submit(devmap, uuid, &job);
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
