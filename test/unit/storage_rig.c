/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/unit/storage_rig.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <libaio.h>

#define WAIT_MS 10000

struct rig_record rig_record;

int __real_io_submit(io_context_t context, long count, struct iocb **iocbs);
int __wrap_io_submit(io_context_t context, long count, struct iocb **iocbs);
int __real_io_getevents(io_context_t context, long min, long count, struct io_event *events,
			struct timespec *timeout);
int __wrap_io_getevents(io_context_t context, long min, long count, struct io_event *events,
			struct timespec *timeout);

static void record_submission(const struct iocb *iocb)
{
	struct rig_record *r = &rig_record;
	struct rig_write *w = &r->write[r->count];

	if (++r->in_flight > r->in_flight_max)
		r->in_flight_max = r->in_flight;
	if (iocb->u.c.nbytes > r->largest)
		r->largest = iocb->u.c.nbytes;
	if (!r->on || iocb->aio_lio_opcode != IO_CMD_PWRITE)
		return;
	assert_true(r->count < RIG_WRITES);
	*w = (struct rig_write){
	    .iocb = iocb,
	    .offset = (uint64_t)iocb->u.c.offset,
	    .bytes = iocb->u.c.nbytes,
	    .data = malloc(iocb->u.c.nbytes),
	    .submitted = ++r->tick,
	    .completed = UINT_MAX,
	};
	assert_non_null(w->data);
	memcpy(w->data, iocb->u.c.buf, w->bytes);
	r->count++;
}

int __wrap_io_submit(io_context_t context, long count, struct iocb **iocbs)
{
	int rc = __real_io_submit(context, count, iocbs);

	for (int i = 0; i < rc; i++)
		record_submission(iocbs[i]);
	return rc;
}

static void record_completion(struct io_event *event)
{
	struct rig_record *r = &rig_record;

	r->in_flight--;
	for (unsigned i = 0; r->on && i < r->count; i++) {
		if (r->write[i].iocb != event->obj || r->write[i].completed != UINT_MAX)
			continue;
		r->write[i].completed = ++r->tick;
		if (r->fail_at == i + 1)
			event->res = (unsigned long)-EIO;
	}
}

int __wrap_io_getevents(io_context_t context, long min, long count, struct io_event *events,
			struct timespec *timeout)
{
	int n;

	if (rig_record.hold)
		return 0;
	n = __real_io_getevents(context, min, count, events, timeout);
	for (int i = 0; i < n; i++)
		record_completion(&events[i]);
	return n;
}

void rig_record_free(void)
{
	for (unsigned i = 0; i < rig_record.count; i++)
		free(rig_record.write[i].data);
	memset(&rig_record, 0, sizeof(rig_record));
}

void rig_record_start(void)
{
	rig_record_free();
	rig_record.on = true;
}

static void history_free(struct rig_history *h)
{
	free(h->in_sync);
	free(h->dirty);
	*h = (struct rig_history){0};
}

static uint64_t *words_copy(const uint64_t *words, uint64_t bits)
{
	uint64_t *copy = calloc(bits_words(bits) + 1, sizeof(*copy));

	assert_non_null(copy);
	memcpy(copy, words, bits_words(bits) * sizeof(*copy));
	return copy;
}

static void on_loaded(void *context, int error, const struct mlog_history *h)
{
	struct rig *rig = context;

	rig->result = error;
	rig->answers++;
	history_free(&rig->history);
	if (error != 0)
		return;
	rig->history = (struct rig_history){
	    .load = h->load,
	    .region_count = h->region_count,
	    .region_sectors = h->region_sectors,
	    .shift = h->shift,
	    .remark = h->remark,
	};
	if (h->owner != NULL) {
		rig->history.has_owners = true;
		memcpy(rig->history.owner, h->owner, sizeof(rig->history.owner));
	}
	if (h->load != MLOG_LOAD_BLANK && !rig->beside)
		rig->history.in_sync = words_copy(h->in_sync, h->region_count);
	else
		assert_null(h->in_sync);
	if (h->load == MLOG_LOAD_CRASHED)
		rig->history.dirty = words_copy(
		    h->dirty, (h->region_count + (UINT64_C(1) << h->shift) - 1) >> h->shift);
	else
		assert_null(h->dirty);
}

static void on_done(void *context, int error)
{
	struct rig *rig = context;

	rig->result = error;
	rig->answers++;
}

static void on_written(void *context, enum mlog_area area, uint64_t page, int error)
{
	struct rig *rig = context;

	(void)area;
	(void)page;
	rig->written++;
	if (error != 0)
		rig->written_error = error;
	rig->answers++;
}

static void on_slot_read(void *context, uint32_t slot, int error, const uint64_t *dirty)
{
	struct rig *rig = context;

	free(rig->other_dirty);
	rig->other = slot;
	rig->other_dirty = NULL;
	if (dirty != NULL) {
		assert_int_equal(error, 0);
		rig->other_dirty = words_copy(dirty, storage_layout(rig->storage)->slot_bits);
	}
	on_done(context, error);
}

static void on_slot_emptied(void *context, uint32_t slot, int error)
{
	struct rig *rig = context;

	rig->other = slot;
	on_done(context, error);
}

static uint64_t on_word(void *context, enum mlog_area area, uint64_t word)
{
	struct rig *rig = context;

	return area == MLOG_AREA_SYNC ? rig->sync[word] : rig->slot[word];
}

static uint64_t on_kernel_word(void *context, uint64_t word)
{
	struct rig *rig = context;

	return rig->kernel[word];
}

static const struct storage_callbacks callbacks = {
    .loaded = on_loaded,
    .claimed = on_done,
    .written = on_written,
    .released = on_done,
    .slot_read = on_slot_read,
    .slot_emptied = on_slot_emptied,
    .word = on_word,
    .kernel_word = on_kernel_word,
};

static void maps_free(struct rig *rig)
{
	free(rig->sync);
	free(rig->slot);
	free(rig->kernel);
}

void rig_geometry(struct rig *rig, uint64_t regions, uint64_t region_sectors)
{
	maps_free(rig);
	rig->spec.region_count = regions;
	rig->spec.region_sectors = region_sectors;
	/* Exactly as many words as may be asked for: a sanitizer sees one more. */
	rig->sync = calloc(bits_words(regions), sizeof(uint64_t));
	rig->slot = calloc(bits_words(regions), sizeof(uint64_t));
	rig->kernel = calloc(bits_words(regions), sizeof(uint64_t));
	assert_true(rig->sync != NULL && rig->slot != NULL && rig->kernel != NULL);
}

void rig_init(struct rig *rig, uint64_t regions, uint64_t region_sectors, uint64_t device_bytes)
{
	memset(rig, 0, sizeof(*rig));
	rig->fd = memfd_create("log", MFD_CLOEXEC);
	assert_true(rig->fd >= 0);
	assert_int_equal(ftruncate(rig->fd, (off_t)device_bytes), 0);
	snprintf(rig->path, sizeof(rig->path), "/proc/self/fd/%d", rig->fd);
	rig->spec = (struct storage_spec){
	    .device = rig->path,
	    .uuid = RIG_UUID,
	    .slots_wanted = 3,
	    .node = 1,
	    .owner = {.host_id = RIG_HOST, .host_name = "node1"},
	    .boot_id = "boot-1",
	};
	rig->own = 1;
	rig_geometry(rig, regions, region_sectors);
	assert_int_equal(storage_engine_create(&rig->engine), 0);
}

void rig_fini(struct rig *rig)
{
	rig_close(rig);
	rig->engine = storage_engine_destroy(rig->engine);
	maps_free(rig);
	history_free(&rig->history);
	free(rig->other_dirty);
	close(rig->fd);
}

int rig_try_open(struct rig *rig)
{
	int error = storage_look(&rig->spec, &rig->storage, rig->error);

	if (error == 0)
		storage_use(rig->storage, rig->engine, &callbacks, rig);
	return error;
}

void rig_open(struct rig *rig)
{
	int rc = rig_try_open(rig);

	if (rc != 0)
		fail_msg("storage_look: %d, %s", rc, rig->error);
}

void rig_close(struct rig *rig)
{
	rig->storage = storage_close(rig->storage);
}

void rig_wait(struct rig *rig, unsigned answers)
{
	struct pollfd p = {.fd = storage_engine_fd(rig->engine), .events = POLLIN};

	while (rig->answers < answers) {
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		storage_engine_dispatch(rig->engine);
	}
}

int rig_load(struct rig *rig)
{
	unsigned answers = rig->answers;

	storage_load(rig->storage, rig->own, !rig->beside);
	assert_int_equal(rig->answers, answers); /* never from within the call */
	rig_wait(rig, answers + 1);
	return rig->result;
}

int rig_claim(struct rig *rig)
{
	unsigned answers = rig->answers;

	storage_claim(rig->storage, rig->own, !rig->beside);
	assert_int_equal(rig->answers, answers);
	rig_wait(rig, answers + 1);
	return rig->result;
}

int rig_release(struct rig *rig)
{
	unsigned answers = rig->answers;

	storage_release(rig->storage, rig->own, !rig->beside);
	assert_int_equal(rig->answers, answers);
	rig_wait(rig, answers + 1);
	return rig->result;
}

int rig_write(struct rig *rig, enum mlog_area area, uint64_t page)
{
	unsigned answers = rig->answers;

	rig->written_error = 0;
	storage_write(rig->storage, rig->own, area, page);
	assert_int_equal(rig->answers, answers);
	rig_wait(rig, answers + 1);
	return rig->written_error;
}

int rig_read_slot(struct rig *rig, uint32_t slot)
{
	unsigned answers = rig->answers;

	storage_read_slot(rig->storage, slot);
	assert_int_equal(rig->answers, answers);
	rig_wait(rig, answers + 1);
	assert_int_equal(rig->other, slot);
	return rig->result;
}

int rig_empty_slot(struct rig *rig, uint32_t slot)
{
	unsigned answers = rig->answers;

	storage_empty_slot(rig->storage, slot);
	assert_int_equal(rig->answers, answers);
	rig_wait(rig, answers + 1);
	assert_int_equal(rig->other, slot);
	return rig->result;
}

bool rig_in_sync(const struct rig_history *h, uint64_t sector, uint64_t count)
{
	if (h->load == MLOG_LOAD_BLANK)
		return false;
	for (uint64_t r = sector / h->region_sectors; r <= (sector + count - 1) / h->region_sectors;
	     r++)
		if (r >= h->region_count || !bits_test(h->in_sync, r))
			return false;
	return true;
}

bool rig_dirty(const struct rig_history *h, uint64_t sector, uint64_t count)
{
	if (h->dirty == NULL)
		return false;
	for (uint64_t r = sector / h->region_sectors; r <= (sector + count - 1) / h->region_sectors;
	     r++)
		if (r < h->region_count && bits_test(h->dirty, r >> h->shift))
			return true;
	return false;
}

void rig_pread(const struct rig *rig, uint64_t offset, void *ret, size_t bytes)
{
	assert_int_equal(pread(rig->fd, ret, bytes, (off_t)offset), bytes);
}

void rig_pwrite(const struct rig *rig, uint64_t offset, const void *data, size_t bytes)
{
	assert_int_equal(pwrite(rig->fd, data, bytes, (off_t)offset), bytes);
}

uint64_t rig_random(uint64_t *state)
{
	/* xorshift64 */
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}
