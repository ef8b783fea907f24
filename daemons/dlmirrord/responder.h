/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answering the kernel. One thread per socket, pinned to the CPU whose messages that socket gets;
 * it answers what the hot maps can answer. For a request about regions that needs the core it takes
 * the core's lock, if nobody has it, and takes the step itself: the reply, or the write it waits
 * for, is then on its way without a wake-up of another CPU, which would be most of its time.
 * Everything else goes to the loop by a ring. Without threads (single-thread mode) the loop calls
 * the same code.
 */
#ifndef DLM_RESPONDER_H
#define DLM_RESPONDER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemons/dlmirrord/handoff.h"
#include "daemons/dlmirrord/registry.h"

#define RESPONDERS_MAX 128U

struct responders_counters {
	_Atomic uint64_t requests;
	_Atomic uint64_t malformed;
	_Atomic uint64_t overruns; /* the receive buffer was full: something was lost */
	_Atomic uint64_t stale;
	_Atomic uint32_t last_problem; /* enum kmsg_problem of the last malformed message */
};

struct responders;

/* Who has the lock may call take. Responders only try for the lock, they never wait for it. */
struct responders_core {
	pthread_mutex_t *lock;
	void (*take)(void *context, const struct handoff_item *item);
	void *context;
};

/* sockets: count joined or unjoined netlink sockets, which stay the caller's. */
int responders_create(struct registry *registry, const int *sockets, unsigned count,
		      const struct responders_core *core, struct responders **ret);
/* Frees; the threads must have been stopped. Takes NULL, returns NULL. */
struct responders *responders_destroy(struct responders *r);
/* Starts the threads, of that real-time priority (0: none). */
int responders_start(struct responders *r, int realtime_priority);
void responders_stop(struct responders *r);
/* Single-thread mode: reads what socket `index` has, without blocking. With the core's lock. */
void responders_poll(struct responders *r, unsigned index);

/* Readable when there are items to take. */
int responders_fd(const struct responders *r);
/* Takes all items; with the core's lock. */
void responders_dispatch(struct responders *r);

/* Counts a request that was refused: its payload is not what its type allows. */
void responders_malformed(struct responders *r, enum kmsg_problem problem);
const struct responders_counters *responders_counters(const struct responders *r);

#endif
