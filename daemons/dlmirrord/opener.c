/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owns the opens under way. A thread has a descriptor table of its own (apart.h), so what it opens
 * comes to the daemon by a socket, like a descriptor of another process.
 */
#include "daemons/dlmirrord/opener.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "codec/table.h"
#include "daemons/common/message.h"
#include "daemons/dlmirrord/apart.h"
#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/thread.h"

struct open_job {
	LIST_ENTRY(open_job) next;
	struct storage_spec spec; /* its strings are the three below */
	char device[TABLE_DEVICE_SIZE];
	char uuid[DISK_UUID_SIZE];
	char boot_id[DISK_NAME_SIZE];
	int answer_fd;
	uint64_t until_ms;
	bool running;	  /* has a thread */
	opened_fn opened; /* NULL: answered, only the thread is still out */
	void *context;

	/* The thread's, until its message has arrived. That a message orders memory, too, only the
	 * kernel knows; `over` says so to the compiler. */
	_Atomic bool over;
	int error;
	struct storage *storage;
	char text[STORAGE_ERROR_SIZE];
};

struct opener {
	int fd[2]; /* ours, the threads' */
	unsigned running;
	LIST_HEAD(open_jobs, open_job) jobs; /* newest first */
};

/* A message is the pointer to the job, and with it the descriptor, if there is one. */
static int answer_send(int answer_fd, const struct open_job *job, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.header = {.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS,
				.cmsg_len = CMSG_LEN(sizeof(int))}};
	struct iovec data = {.iov_base = &job, .iov_len = sizeof(job)};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	return sendmsg(answer_fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* NULL: nothing is there. *ret_fd is -1 when none came. */
static struct open_job *answer_receive(const struct opener *opener, int *ret_fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct open_job *job = NULL;
	struct iovec data = {.iov_base = &job, .iov_len = sizeof(job)};
	struct msghdr message = {
	    .msg_iov = &data,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;

	*ret_fd = -1;
	if (recvmsg(opener->fd[0], &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) !=
	    (ssize_t)sizeof(job))
		return NULL;
	header = CMSG_FIRSTHDR(&message);
	if (header != NULL && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_fd, CMSG_DATA(header), sizeof(int));
	assert(atomic_load(&job->over));
	return job;
}

static void *job_main(void *argument)
{
	struct open_job *job = argument;
	int answer_fd = job->answer_fd;
	int fd = -1;

	/* Whoever started it may have a real-time priority. */
	pthread_setschedparam(pthread_self(), SCHED_OTHER, &(struct sched_param){0});
	job->error = files_apart(answer_fd);
	if (job->error == 0)
		job->error = storage_look(&job->spec, &job->storage, job->text);
	else
		message_make(job->text, sizeof(job->text), MSG_DEVICE_UNOPENABLE,
			     "log device %s: %s", job->device, strerror(-job->error));
	if (job->error == 0)
		fd = storage_descriptor(job->storage);
	atomic_store(&job->over, true);
	/* The job is not ours any more when this succeeds. */
	if (answer_send(answer_fd, job, fd) != 0)
		(void)answer_send(answer_fd, job, -1);
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void job_remove(struct opener *opener, struct open_job *job)
{
	LIST_REMOVE(job, next);
	if (job->running)
		opener->running--;
}

static int job_run(struct opener *opener, struct open_job *job)
{
	pthread_t thread;
	int error = thread_start(&thread, "dlm-open", job_main, job);

	if (error != 0)
		return error;
	pthread_detach(thread);
	job->running = true;
	opener->running++;
	return 0;
}

/* Those that waited for a thread, the oldest first. */
static void jobs_run(struct opener *opener)
{
	while (opener->running < OPENER_THREADS_MAX) {
		struct open_job *oldest = NULL;
		struct open_job *job;

		LIST_FOREACH (job, &opener->jobs, next)
			if (!job->running)
				oldest = job;
		/* Without a thread it waits for the next one that ends, or for its time to end. */
		if (oldest == NULL || job_run(opener, oldest) != 0)
			break;
	}
}

static void job_end(struct open_job *job, int fd)
{
	if (job->storage != NULL) {
		storage_descriptor_set(job->storage, fd);
		if (fd < 0) {
			job->error = -EMFILE;
			message_make(job->text, sizeof(job->text), MSG_DEVICE_UNOPENABLE,
				     "log device %s: %s", job->device, strerror(EMFILE));
		}
		if (fd < 0 || job->opened == NULL)
			job->storage = storage_close(job->storage);
	}
	if (job->opened != NULL)
		job->opened(job->context, job->error, job->storage, job->text);
}

void opener_dispatch(struct opener *opener)
{
	struct open_job *job;
	int fd;

	while ((job = answer_receive(opener, &fd)) != NULL) {
		/* What is called may start another one. */
		job_remove(opener, job);
		job_end(job, fd);
		free(job);
	}
	jobs_run(opener);
}

int opener_start(struct opener *opener, const struct storage_spec *spec, opened_fn opened,
		 void *context)
{
	struct open_job *job;

	LIST_FOREACH (job, &opener->jobs, next)
		if (job->opened == NULL && strcmp(job->device, spec->device) == 0)
			return -ETIMEDOUT;
	job = calloc(1, sizeof(*job));
	if (job == NULL)
		return -ENOMEM;
	snprintf(job->device, sizeof(job->device), "%s", spec->device);
	snprintf(job->uuid, sizeof(job->uuid), "%s", spec->uuid);
	snprintf(job->boot_id, sizeof(job->boot_id), "%s", spec->boot_id);
	job->spec = *spec;
	job->spec.device = job->device;
	job->spec.uuid = job->uuid;
	job->spec.boot_id = job->boot_id;
	job->answer_fd = opener->fd[1];
	job->until_ms = clock_ms() + OPENER_MS;
	job->opened = opened;
	job->context = context;
	LIST_INSERT_HEAD(&opener->jobs, job, next);
	jobs_run(opener);
	return 0;
}

unsigned opener_jobs(const struct opener *opener)
{
	const struct open_job *job;
	unsigned count = 0;

	LIST_FOREACH (job, &opener->jobs, next)
		count += job->opened != NULL;
	return count;
}

static struct open_job *job_due(const struct opener *opener, uint64_t now_ms)
{
	struct open_job *job;

	LIST_FOREACH (job, &opener->jobs, next)
		if (job->opened != NULL && job->until_ms <= now_ms)
			break;
	return job;
}

uint64_t opener_expire(struct opener *opener, uint64_t now_ms)
{
	uint64_t next_ms = 0;
	struct open_job *job;

	while ((job = job_due(opener, now_ms)) != NULL) {
		opened_fn opened = job->opened;
		void *context = job->context;
		char text[STORAGE_ERROR_SIZE];

		message_make(text, sizeof(text), MSG_LOG_DEVICE_SILENT,
			     "log device %s does not answer: is it suspended, or its path down?",
			     job->device);
		job->opened = NULL;
		if (!job->running) {
			job_remove(opener, job);
			free(job);
		}
		opened(context, -ETIMEDOUT, NULL, text);
	}
	LIST_FOREACH (job, &opener->jobs, next)
		if (job->opened != NULL && (next_ms == 0 || job->until_ms < next_ms))
			next_ms = job->until_ms;
	return next_ms;
}

bool opener_wait(const struct opener *opener, uint64_t until_ms)
{
	struct pollfd fd = {.fd = opener->fd[0], .events = POLLIN};
	uint64_t now_ms = clock_ms();

	return now_ms < until_ms && poll(&fd, 1, (int)(until_ms - now_ms)) > 0;
}

int opener_fd(const struct opener *opener)
{
	return opener->fd[0];
}

int opener_create(struct opener **ret)
{
	struct opener *opener = calloc(1, sizeof(*opener));
	int error;

	if (opener == NULL)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, opener->fd) < 0) {
		error = -errno;
		free(opener);
		return error;
	}
	LIST_INIT(&opener->jobs);
	*ret = opener;
	return 0;
}

struct opener *opener_destroy(struct opener *opener)
{
	if (opener == NULL)
		return NULL;
	close(opener->fd[0]);
	close(opener->fd[1]);
	free(opener);
	return NULL;
}
