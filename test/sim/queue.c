/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/sim/queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NO_ENTRY UINT32_MAX

static void *grow(void *memory, uint32_t *room, size_t size)
{
	*room = *room == 0 ? 256 : *room * 2;
	memory = realloc(memory, *room * size);
	if (memory == NULL)
		abort();
	return memory;
}

void queue_create(struct queue *q)
{
	*q = (struct queue){.free_first = NO_ENTRY};
}

void queue_destroy(struct queue *q)
{
	free(q->heap);
	free(q->entry);
	queue_create(q);
}

void queue_reset(struct queue *q)
{
	q->count = 0;
	q->order = 0;
	q->entry_count = 0;
	q->free_first = NO_ENTRY;
}

static bool before(const struct queue_place *a, const struct queue_place *b)
{
	return a->at_us < b->at_us || (a->at_us == b->at_us && a->order < b->order);
}

static void sift_up(struct queue *q, uint32_t at, struct queue_place place)
{
	while (at > 0) {
		uint32_t parent = (at - 1) / 2;

		if (!before(&place, &q->heap[parent]))
			break;
		q->heap[at] = q->heap[parent];
		at = parent;
	}
	q->heap[at] = place;
}

static void sift_down(struct queue *q, uint32_t at, struct queue_place place)
{
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= q->count)
			break;
		if (child + 1 < q->count && before(&q->heap[child + 1], &q->heap[child]))
			child++;
		if (!before(&q->heap[child], &place))
			break;
		q->heap[at] = q->heap[child];
		at = child;
	}
	q->heap[at] = place;
}

static uint32_t entry_take(struct queue *q)
{
	uint32_t index = q->free_first;

	if (index != NO_ENTRY) {
		q->free_first = q->entry[index].free_next;
		return index;
	}
	if (q->entry_count == q->entry_room)
		q->entry = grow(q->entry, &q->entry_room, sizeof(*q->entry));
	index = q->entry_count++;
	q->entry[index].life = 1;
	return index;
}

uint64_t queue_add(struct queue *q, uint64_t at_us, queue_fn fn, void *context, uint64_t argument)
{
	uint32_t index = entry_take(q);
	struct queue_entry *entry = &q->entry[index];

	entry->fn = fn;
	entry->context = context;
	entry->argument = argument;
	if (q->count == q->room)
		q->heap = grow(q->heap, &q->room, sizeof(*q->heap));
	sift_up(q, q->count++,
		(struct queue_place){.at_us = at_us, .order = q->order++, .entry = index});
	return (uint64_t)entry->life << 32 | index;
}

/* The place stays in the heap until its time comes. */
void queue_cancel(struct queue *q, uint64_t handle)
{
	uint32_t index = (uint32_t)handle;

	if (handle == 0 || index >= q->entry_count || q->entry[index].life != handle >> 32)
		return;
	q->entry[index].fn = NULL;
}

static struct queue_entry first_out(struct queue *q)
{
	uint32_t index = q->heap[0].entry;
	struct queue_entry *entry = &q->entry[index];
	struct queue_entry ret = *entry;

	if (--q->count > 0)
		sift_down(q, 0, q->heap[q->count]);
	entry->life++;
	entry->free_next = q->free_first;
	q->free_first = index;
	return ret;
}

static void cancelled_drop(struct queue *q)
{
	while (q->count > 0 && q->entry[q->heap[0].entry].fn == NULL)
		first_out(q);
}

bool queue_take(struct queue *q, uint64_t *ret_at_us, struct queue_entry *ret)
{
	cancelled_drop(q);
	if (q->count == 0)
		return false;
	*ret_at_us = q->heap[0].at_us;
	*ret = first_out(q);
	return true;
}

uint64_t queue_next_us(struct queue *q)
{
	cancelled_drop(q);
	return q->count == 0 ? UINT64_MAX : q->heap[0].at_us;
}
