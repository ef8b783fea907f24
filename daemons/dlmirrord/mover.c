/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Adapter of the mover port: owns the queue of copies, the threads that work on it, and the open
 * legs.
 *
 *	mover_copy() -> queue -> a thread copies -> finished -> eventfd
 *		     -> mover_dispatch() -> on_done
 *
 * Always true, under the mover's lock: a leg set is in the list as long as a queued or running job
 * refers to it. The thread that ends the last of them closes the legs before it hands the result
 * over, so whoever has seen all results of a mirror may remove its legs.
 *
 * Legs are opened for writing only when something must be written: closing a device that was open
 * for writing makes udev probe it anew, which a mere comparison should not cause.
 */
#include "daemons/dlmirrord/mover_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "daemons/dlmirrord/apart.h"
#include "daemons/dlmirrord/devmap.h"
#include "daemons/dlmirrord/thread.h"

#define SECTOR_BYTES 512U
#define PIECE_BYTES  65536U /* other I/O of the legs gets in between two pieces */
#define BUFFER_ALIGN 4096U  /* enough for O_DIRECT on every block size that device-mapper takes */
#define THREADS_MAX  64U
#define NOT_OPEN     (-1)

/* The legs of one mirror while it has jobs. A reload may give the same cookie other legs. */
struct leg_set {
	struct leg_set *next;
	uint64_t cookie;
	struct mover_legs legs;
	unsigned jobs;	      /* under the mover's lock */
	pthread_mutex_t lock; /* of what follows */
	int read_fd[MOVER_LEGS_MAX];
	int write_fd[MOVER_LEGS_MAX];
};

struct job {
	STAILQ_ENTRY(job) next;
	struct leg_set *set;
	uint64_t cookie;
	uint64_t region;
	uint64_t region_sectors;
	enum mlog_copy_mode mode;
	enum mlog_copy_result result;
	int error;
};

STAILQ_HEAD(job_queue, job);

struct worker {
	struct mover *mover;
	pthread_t thread;
	uint8_t *source; /* PIECE_BYTES */
	uint8_t *other;
};

struct mover {
	mover_done_fn on_done;
	void *context;
	mover_open_fn open_leg;
	int event_fd;
	pthread_mutex_t lock; /* of what follows, down to stopping */
	pthread_cond_t work;
	struct job_queue waiting;
	struct job_queue finished;
	struct leg_set *sets;
	bool stopping;
	bool started; /* the root thread has started all workers, or start_error says why not */
	int start_error;
	bool root_runs;
	pthread_t root; /* parent of the workers: they share its descriptors, see apart.h */
	unsigned threads_wanted;
	unsigned thread_count;
	struct worker worker[THREADS_MAX];
};

static struct job *queue_take(struct job_queue *queue)
{
	struct job *job = STAILQ_FIRST(queue);

	if (job != NULL)
		STAILQ_REMOVE_HEAD(queue, next);
	return job;
}

static int open_device(dev_t devno, int flags)
{
	char path[256];
	int error = devmap_path(devno, path, sizeof(path));
	int fd;

	if (error != 0)
		return error;
	fd = open(path, flags);
	return fd < 0 ? -errno : fd;
}

static bool legs_equal(const struct mover_legs *a, const struct mover_legs *b)
{
	if (a->count != b->count || a->length_sectors != b->length_sectors)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (a->leg[i].devno != b->leg[i].devno ||
		    a->leg[i].start_sector != b->leg[i].start_sector)
			return false;
	return true;
}

static struct leg_set *leg_set_create(uint64_t cookie, const struct mover_legs *legs)
{
	struct leg_set *set = calloc(1, sizeof(*set));

	if (set == NULL)
		return NULL;
	set->cookie = cookie;
	set->legs = *legs;
	pthread_mutex_init(&set->lock, NULL);
	for (uint32_t i = 0; i < MOVER_LEGS_MAX; i++) {
		set->read_fd[i] = NOT_OPEN;
		set->write_fd[i] = NOT_OPEN;
	}
	return set;
}

static void leg_set_destroy(struct leg_set *set)
{
	for (uint32_t i = 0; i < MOVER_LEGS_MAX; i++) {
		if (set->read_fd[i] != NOT_OPEN)
			close(set->read_fd[i]);
		if (set->write_fd[i] != NOT_OPEN)
			close(set->write_fd[i]);
	}
	pthread_mutex_destroy(&set->lock);
	free(set);
}

/* Finds or makes the set of a new job and counts the job in. Under the mover's lock. */
static struct leg_set *leg_set_enter(struct mover *mover, uint64_t cookie,
				     const struct mover_legs *legs)
{
	struct leg_set *set = mover->sets;

	while (set != NULL && (set->cookie != cookie || !legs_equal(&set->legs, legs)))
		set = set->next;
	if (set == NULL) {
		set = leg_set_create(cookie, legs);
		if (set == NULL)
			return NULL;
		set->next = mover->sets;
		mover->sets = set;
	}
	set->jobs++;
	return set;
}

/* Counts a job out. Returns the set when it was the last: the caller destroys it, without the lock,
 * because closing a device may wait. Under the mover's lock. */
static struct leg_set *leg_set_leave(struct mover *mover, struct leg_set *set)
{
	struct leg_set **link = &mover->sets;

	assert(set->jobs > 0);
	if (--set->jobs > 0)
		return NULL;
	while (*link != set)
		link = &(*link)->next;
	*link = set->next;
	return set;
}

/* The descriptor of a leg, opened now if it is not open yet; or negative errno. */
static int leg_open(const struct mover *mover, struct leg_set *set, uint32_t leg, bool writing)
{
	int *slot = writing ? &set->write_fd[leg] : &set->read_fd[leg];
	int fd;

	pthread_mutex_lock(&set->lock);
	fd = *slot;
	if (fd == NOT_OPEN) {
		fd = mover->open_leg(set->legs.leg[leg].devno,
				     (writing ? O_RDWR : O_RDONLY) | O_DIRECT | O_CLOEXEC);
		if (fd >= 0)
			*slot = fd;
	}
	pthread_mutex_unlock(&set->lock);
	return fd;
}

static int read_whole(int fd, uint8_t *buffer, size_t size, uint64_t offset)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = pread(fd, buffer + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0) /* the device ends within the mirror */
			return -EIO;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

static int write_whole(int fd, const uint8_t *buffer, size_t size, uint64_t offset)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = pwrite(fd, buffer + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -EIO;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

static bool mover_stopping(struct mover *mover)
{
	bool stopping;

	pthread_mutex_lock(&mover->lock);
	stopping = mover->stopping;
	pthread_mutex_unlock(&mover->lock);
	return stopping;
}

/* One job at work: the legs that were read, and which of them were written. */
struct pass {
	int read_fd[MOVER_LEGS_MAX];
	int write_fd[MOVER_LEGS_MAX];
	bool differed;
};

static int pass_open(const struct mover *mover, const struct job *job, struct pass *pass)
{
	for (uint32_t leg = 0; leg < job->set->legs.count; leg++) {
		pass->write_fd[leg] = NOT_OPEN;
		pass->read_fd[leg] = leg_open(mover, job->set, leg, false);
		if (pass->read_fd[leg] < 0)
			return pass->read_fd[leg];
	}
	return 0;
}

static int leg_mend(const struct worker *w, const struct job *job, struct pass *pass, uint32_t leg,
		    size_t size, uint64_t offset)
{
	if (pass->write_fd[leg] == NOT_OPEN) {
		int fd = leg_open(w->mover, job->set, leg, true);

		if (fd < 0)
			return fd;
		pass->write_fd[leg] = fd;
	}
	return write_whole(pass->write_fd[leg], w->source, size, offset);
}

/* Compares, and in repair mode mends, one piece on all legs; sector counts from the mirror's start.
 */
static int piece_run(const struct worker *w, const struct job *job, struct pass *pass,
		     uint64_t sector, size_t size)
{
	const struct mover_legs *legs = &job->set->legs;
	int error = read_whole(pass->read_fd[0], w->source, size,
			       (legs->leg[0].start_sector + sector) * SECTOR_BYTES);

	for (uint32_t leg = 1; leg < legs->count && error == 0; leg++) {
		uint64_t offset = (legs->leg[leg].start_sector + sector) * SECTOR_BYTES;

		error = read_whole(pass->read_fd[leg], w->other, size, offset);
		if (error != 0 || memcmp(w->source, w->other, size) == 0)
			continue;
		pass->differed = true;
		if (job->mode == MLOG_COPY_REPAIR)
			error = leg_mend(w, job, pass, leg, size, offset);
	}
	return error;
}

/* The copy must outlive a power cut before the region is declared clean. */
static int pass_sync(const struct job *job, const struct pass *pass)
{
	for (uint32_t leg = 0; leg < job->set->legs.count; leg++)
		if (pass->write_fd[leg] != NOT_OPEN && fdatasync(pass->write_fd[leg]) != 0)
			return -errno;
	return 0;
}

static int job_run(struct worker *w, struct job *job)
{
	uint64_t sector = job->region * job->region_sectors;
	uint64_t left = job->set->legs.length_sectors - sector;
	struct pass pass = {.differed = false};
	int error = pass_open(w->mover, job, &pass);

	if (left > job->region_sectors)
		left = job->region_sectors;
	while (left > 0 && error == 0) {
		uint64_t sectors =
		    left < PIECE_BYTES / SECTOR_BYTES ? left : PIECE_BYTES / SECTOR_BYTES;

		if (mover_stopping(w->mover))
			return -ECANCELED;
		error = piece_run(w, job, &pass, sector, (size_t)sectors * SECTOR_BYTES);
		if (pass.differed && job->mode == MLOG_COPY_COMPARE)
			break;
		sector += sectors;
		left -= sectors;
	}
	if (error == 0)
		error = pass_sync(job, &pass);
	if (error != 0)
		job->result = MLOG_COPY_ERROR;
	else if (!pass.differed)
		job->result = MLOG_COPY_SAME;
	else
		job->result =
		    job->mode == MLOG_COPY_REPAIR ? MLOG_COPY_REPAIRED : MLOG_COPY_DIFFERED;
	return error;
}

static void event_raise(const struct mover *mover)
{
	/* Only a counter at its limit makes this fail, and then the descriptor is readable already.
	 */
	(void)!write(mover->event_fd, &(uint64_t){1}, sizeof(uint64_t));
}

static void job_finish(struct mover *mover, struct job *job)
{
	struct leg_set *unused;

	pthread_mutex_lock(&mover->lock);
	unused = leg_set_leave(mover, job->set);
	pthread_mutex_unlock(&mover->lock);
	job->set = NULL;
	if (unused != NULL)
		leg_set_destroy(unused);

	pthread_mutex_lock(&mover->lock);
	STAILQ_INSERT_TAIL(&mover->finished, job, next);
	pthread_mutex_unlock(&mover->lock);
	event_raise(mover);
}

static void *worker_main(void *argument)
{
	struct worker *w = argument;
	struct mover *mover = w->mover;

	for (;;) {
		struct job *job;

		pthread_mutex_lock(&mover->lock);
		while (STAILQ_EMPTY(&mover->waiting) && !mover->stopping)
			pthread_cond_wait(&mover->work, &mover->lock);
		job = mover->stopping ? NULL : queue_take(&mover->waiting);
		pthread_mutex_unlock(&mover->lock);
		if (job == NULL)
			return NULL;
		job->error = job_run(w, job);
		job_finish(mover, job);
	}
}

static int worker_start(struct worker *w, struct mover *mover)
{
	int error;

	w->mover = mover;
	if (posix_memalign((void **)&w->source, BUFFER_ALIGN, 2UL * PIECE_BYTES) != 0)
		return -ENOMEM;
	w->other = w->source + PIECE_BYTES;
	error = thread_start(&w->thread, "dlm-mover", worker_main, w);
	if (error != 0)
		free(w->source);
	return error;
}

static void queue_drop(struct mover *mover, struct job_queue *queue)
{
	for (struct job *job = queue_take(queue); job != NULL; job = queue_take(queue)) {
		struct leg_set *unused = job->set ? leg_set_leave(mover, job->set) : NULL;

		if (unused != NULL)
			leg_set_destroy(unused);
		free(job);
	}
}

/* Legs are open in this thread's table of descriptors and the workers', so they are closed here. */
static void *root_main(void *argument)
{
	struct mover *mover = argument;
	int error = files_apart(mover->event_fd);

	while (error == 0 && mover->thread_count < mover->threads_wanted) {
		error = worker_start(&mover->worker[mover->thread_count], mover);
		if (error == 0)
			mover->thread_count++;
	}
	pthread_mutex_lock(&mover->lock);
	mover->start_error = error;
	mover->started = true;
	pthread_cond_broadcast(&mover->work);
	pthread_mutex_unlock(&mover->lock);
	for (unsigned i = 0; i < mover->thread_count; i++) {
		pthread_join(mover->worker[i].thread, NULL);
		free(mover->worker[i].source);
	}
	queue_drop(mover, &mover->waiting);
	queue_drop(mover, &mover->finished);
	assert(mover->sets == NULL);
	return NULL;
}

static int root_start(struct mover *mover)
{
	int error = thread_start(&mover->root, "dlm-movers", root_main, mover);

	if (error != 0)
		return error;
	mover->root_runs = true;
	pthread_mutex_lock(&mover->lock);
	while (!mover->started)
		pthread_cond_wait(&mover->work, &mover->lock);
	error = mover->start_error;
	pthread_mutex_unlock(&mover->lock);
	return error;
}

int mover_create_with(unsigned threads, mover_done_fn on_done, void *context,
		      mover_open_fn open_leg, struct mover **ret)
{
	struct mover *mover;
	int error = 0;

	if (threads == 0 || threads > THREADS_MAX)
		return -EINVAL;
	mover = calloc(1, sizeof(*mover));
	if (mover == NULL)
		return -ENOMEM;
	mover->on_done = on_done;
	mover->context = context;
	mover->open_leg = open_leg;
	pthread_mutex_init(&mover->lock, NULL);
	pthread_cond_init(&mover->work, NULL);
	STAILQ_INIT(&mover->waiting);
	STAILQ_INIT(&mover->finished);
	mover->threads_wanted = threads;
	mover->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (mover->event_fd < 0)
		error = -errno;
	if (error == 0)
		error = root_start(mover);
	if (error != 0) {
		mover_destroy(mover);
		return error;
	}
	*ret = mover;
	return 0;
}

int mover_create(unsigned threads, mover_done_fn on_done, void *context, struct mover **ret)
{
	return mover_create_with(threads, on_done, context, open_device, ret);
}

struct mover *mover_destroy(struct mover *mover)
{
	if (mover == NULL)
		return NULL;
	pthread_mutex_lock(&mover->lock);
	mover->stopping = true;
	pthread_cond_broadcast(&mover->work);
	pthread_mutex_unlock(&mover->lock);
	if (mover->root_runs)
		pthread_join(mover->root, NULL);
	if (mover->event_fd >= 0)
		close(mover->event_fd);
	pthread_cond_destroy(&mover->work);
	pthread_mutex_destroy(&mover->lock);
	free(mover);
	return NULL;
}

int mover_fd(const struct mover *mover)
{
	return mover->event_fd;
}

void mover_dispatch(struct mover *mover)
{
	struct job *job;
	uint64_t count;

	(void)!read(mover->event_fd, &count, sizeof(count));
	pthread_mutex_lock(&mover->lock);
	job = STAILQ_FIRST(&mover->finished);
	STAILQ_INIT(&mover->finished);
	pthread_mutex_unlock(&mover->lock);
	while (job != NULL) {
		struct job *next = STAILQ_NEXT(job, next);

		mover->on_done(mover->context, job->cookie, job->region, job->result, job->error);
		free(job);
		job = next;
	}
}

int mover_copy(struct mover *mover, uint64_t cookie, const struct mover_legs *legs, uint64_t region,
	       uint64_t region_sectors, enum mlog_copy_mode mode)
{
	struct leg_set *set;
	struct job *job;

	if (legs->count < 2 || legs->count > MOVER_LEGS_MAX || region_sectors == 0 ||
	    legs->length_sectors == 0 || region > (legs->length_sectors - 1) / region_sectors)
		return -EINVAL;
	job = calloc(1, sizeof(*job));
	if (job == NULL)
		return -ENOMEM;
	job->cookie = cookie;
	job->region = region;
	job->region_sectors = region_sectors;
	job->mode = mode;

	/* Once queued the job is a thread's: only the set tells what became of it. */
	pthread_mutex_lock(&mover->lock);
	set = leg_set_enter(mover, cookie, legs);
	job->set = set;
	if (set != NULL) {
		STAILQ_INSERT_TAIL(&mover->waiting, job, next);
		pthread_cond_signal(&mover->work);
	}
	pthread_mutex_unlock(&mover->lock);
	if (set == NULL) {
		free(job);
		return -ENOMEM;
	}
	return 0;
}
