/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owns the libaio context: what is queued, what is at the kernel, what has completed. Knows nothing
 * of log devices. At most ENGINE_DEPTH operations are at the kernel, the others wait in order.
 * An operation that libaio refuses ends like one that the device refused: from dispatch.
 */
#include "daemons/dlmirrord/storage_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DISPATCH_EVENTS 64

static void list_init(struct aio_list *list)
{
	list->head = NULL;
	list->tail = &list->head;
}

static void list_add(struct aio_list *list, struct aio_op *op)
{
	op->next = NULL;
	*list->tail = op;
	list->tail = &op->next;
}

static struct aio_op *list_take(struct aio_list *list)
{
	struct aio_op *op = list->head;

	if (op == NULL)
		return NULL;
	list->head = op->next;
	if (list->head == NULL)
		list->tail = &list->head;
	return op;
}

static void list_drop(struct aio_list *list, const struct storage *s)
{
	struct aio_op **at = &list->head;

	while (*at != NULL) {
		if ((*at)->storage == s)
			*at = (*at)->next;
		else
			at = &(*at)->next;
	}
	list->tail = at;
}

static unsigned list_count(const struct aio_list *list, const struct storage *s)
{
	unsigned count = 0;

	for (const struct aio_op *op = list->head; op != NULL; op = op->next)
		count += op->storage == s;
	return count;
}

void *aligned_alloc_zero(size_t bytes)
{
	void *memory;

	if (posix_memalign(&memory, DISK_UNIT, bytes) != 0)
		return NULL;
	memset(memory, 0, bytes);
	return memory;
}

int storage_engine_create(struct storage_engine **ret)
{
	struct storage_engine *engine = calloc(1, sizeof(*engine));
	int rc;

	if (engine == NULL)
		return -ENOMEM;
	list_init(&engine->queued);
	list_init(&engine->deferred);
	engine->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (engine->event_fd < 0) {
		rc = -errno;
		free(engine);
		return rc;
	}
	rc = io_setup(ENGINE_DEPTH, &engine->context);
	if (rc < 0) {
		close(engine->event_fd);
		free(engine);
		return rc;
	}
	*ret = engine;
	return 0;
}

struct storage_engine *storage_engine_destroy(struct storage_engine *engine)
{
	if (engine == NULL)
		return NULL;
	io_destroy(engine->context); /* waits for what is at the kernel */
	while (engine->abandoned != NULL) {
		struct storage *s = engine->abandoned;

		engine->abandoned = s->next_abandoned;
		storage_free(s);
	}
	close(engine->event_fd);
	free(engine);
	return NULL;
}

int storage_engine_fd(const struct storage_engine *engine)
{
	return engine->event_fd;
}

static void engine_kick(const struct storage_engine *engine)
{
	uint64_t one = 1;
	ssize_t n = write(engine->event_fd, &one, sizeof(one));

	/* Fails only when the counter is full, and then the descriptor is readable anyway. */
	(void)n;
}

static void engine_submit(struct storage_engine *engine)
{
	while (engine->queued.head != NULL && engine->in_flight < ENGINE_DEPTH) {
		struct iocb *iocb = &engine->queued.head->iocb;
		int rc = io_submit(engine->context, 1, &iocb);

		/* The next completion tries again; without one to come, this is a failure. */
		if ((rc == 0 || rc == -EAGAIN) && engine->in_flight > 0)
			return;
		if (rc == 1) {
			list_take(&engine->queued);
			engine->in_flight++;
		} else {
			struct aio_op *op = list_take(&engine->queued);

			op->error = rc < 0 ? rc : -EAGAIN;
			list_add(&engine->deferred, op);
			engine_kick(engine);
		}
	}
}

void aio_start(struct aio_op *op, bool write, uint64_t offset, void *data, size_t bytes)
{
	struct storage *s = op->storage;

	if (write)
		io_prep_pwrite(&op->iocb, s->fd, data, bytes, (long long)offset);
	else
		io_prep_pread(&op->iocb, s->fd, data, bytes, (long long)offset);
	io_set_eventfd(&op->iocb, s->engine->event_fd);
	op->bytes = bytes;
	s->in_flight++;
	list_add(&s->engine->queued, op);
	engine_submit(s->engine);
}

void aio_defer(struct aio_op *op, int error)
{
	struct storage *s = op->storage;

	op->error = error;
	s->in_flight++;
	list_add(&s->engine->deferred, op);
	engine_kick(s->engine);
}

void aio_withdraw(struct storage *s)
{
	s->in_flight -= list_count(&s->engine->queued, s);
	s->in_flight -= list_count(&s->engine->deferred, s);
	list_drop(&s->engine->queued, s);
	list_drop(&s->engine->deferred, s);
}

static void op_end(struct aio_op *op, int error)
{
	if (storage_op_ended(op->storage))
		op->done(op, error);
}

static void dispatch_completed(struct storage_engine *engine)
{
	struct io_event events[DISPATCH_EVENTS];
	struct timespec now = {0};
	int n;

	do {
		n = io_getevents(engine->context, 0, DISPATCH_EVENTS, events, &now);
		for (int i = 0; i < n; i++) {
			/* The iocb is the first member of its operation. */
			struct aio_op *op = (struct aio_op *)(void *)events[i].obj;
			long result = (long)events[i].res;
			int error = 0;

			if (result < 0)
				error = (int)result;
			else if ((size_t)result != op->bytes)
				error = -EIO; /* the device ends here */
			engine->in_flight--;
			op_end(op, error);
		}
	} while (n == DISPATCH_EVENTS);
}

/* As many as there are now: what their owners defer anew has its turn in the next dispatch. */
static void dispatch_deferred(struct storage_engine *engine)
{
	unsigned count = 0;

	for (const struct aio_op *op = engine->deferred.head; op != NULL; op = op->next)
		count++;
	for (; count > 0 && engine->deferred.head != NULL; count--) {
		struct aio_op *op = list_take(&engine->deferred);

		op_end(op, op->error);
	}
}

static void dispatch_waiting(struct storage_engine *engine)
{
	struct storage **at = &engine->waiting;

	while (*at != NULL) {
		struct storage *s = *at;

		if (!job_may_start(s)) {
			at = &s->next_waiting;
			continue;
		}
		*at = s->next_waiting;
		s->next_waiting = NULL;
		aio_defer(&s->job.start.op, 0);
	}
}

void storage_engine_dispatch(struct storage_engine *engine)
{
	uint64_t count;
	ssize_t n = read(engine->event_fd, &count, sizeof(count));

	(void)n; /* nothing to read: there may be deferred ones all the same */
	dispatch_completed(engine);
	dispatch_deferred(engine);
	dispatch_waiting(engine);
	engine_submit(engine);
}
