/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests on their way from one responder thread to the loop: a ring with one writer and one
 * reader. One eventfd, shared by all rings, wakes the loop.
 */
#ifndef DLM_HANDOFF_H
#define DLM_HANDOFF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "codec/kmsg.h"

#define HANDOFF_MAX 256U /* what is more waits in the socket */

struct handoff_item {
	uint64_t received_us;
	bool cleared; /* answered already: only tell the core of the CLEAR (a gate is closed) */
	uint32_t size;
	uint8_t datagram[KMSG_SIZE_MAX];
};

struct handoff {
	_Atomic uint32_t head; /* the writer's */
	_Atomic uint32_t tail; /* the reader's */
	struct handoff_item item[HANDOFF_MAX];
};

/* The place for the next item, or NULL when the ring is full; it counts with handoff_push(). */
static inline struct handoff_item *handoff_place(struct handoff *h)
{
	uint32_t head = atomic_load_explicit(&h->head, memory_order_relaxed);

	if (head - atomic_load_explicit(&h->tail, memory_order_acquire) == HANDOFF_MAX)
		return NULL;
	return &h->item[head % HANDOFF_MAX];
}

static inline void handoff_push(struct handoff *h)
{
	atomic_store_explicit(&h->head, atomic_load_explicit(&h->head, memory_order_relaxed) + 1,
			      memory_order_release);
}

/* The oldest item, or NULL; it stays until handoff_pop(). */
static inline struct handoff_item *handoff_peek(struct handoff *h)
{
	uint32_t tail = atomic_load_explicit(&h->tail, memory_order_relaxed);

	if (tail == atomic_load_explicit(&h->head, memory_order_acquire))
		return NULL;
	return &h->item[tail % HANDOFF_MAX];
}

static inline void handoff_pop(struct handoff *h)
{
	atomic_store_explicit(&h->tail, atomic_load_explicit(&h->tail, memory_order_relaxed) + 1,
			      memory_order_release);
}

#endif
