/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is to happen, by virtual time; what is due at the same time happens in the order in which it
 * was asked for. A binary heap of numbered places: no allocation but for growth.
 */
#ifndef DLM_SIM_QUEUE_H
#define DLM_SIM_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

typedef void (*queue_fn)(void *context, uint64_t argument);

struct queue_place {
	uint64_t at_us;
	uint64_t order; /* of insertion */
	uint32_t entry;
};

struct queue_entry {
	queue_fn fn; /* NULL: cancelled */
	void *context;
	uint64_t argument;
	uint32_t life; /* of the entry: handles of earlier lives are void */
	uint32_t free_next;
};

struct queue {
	struct queue_place *heap;
	uint32_t count;
	uint32_t room;
	struct queue_entry *entry;
	uint32_t entry_count;
	uint32_t entry_room;
	uint32_t free_first; /* UINT32_MAX: none */
	uint64_t order;
};

void queue_create(struct queue *q);
void queue_destroy(struct queue *q);
/* Forgets everything, keeps the memory. */
void queue_reset(struct queue *q);
/* A handle, never 0. */
uint64_t queue_add(struct queue *q, uint64_t at_us, queue_fn fn, void *context, uint64_t argument);
/* Nothing when the handle is 0, or of what has run or was cancelled. */
void queue_cancel(struct queue *q, uint64_t handle);
/* Takes the first one out; false when there is none. */
bool queue_take(struct queue *q, uint64_t *ret_at_us, struct queue_entry *ret);
/* When the first one is due, or UINT64_MAX. */
uint64_t queue_next_us(struct queue *q);

#endif
