/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answering the kernel. One thread per socket, pinned to the CPU whose messages that socket gets;
 * it answers what the hot maps can answer and hands the rest to the loop. Without threads
 * (single-thread mode) the loop calls the same code.
 */
#ifndef DLM_RESPONDER_H
#define DLM_RESPONDER_H

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

/* sockets: count joined or unjoined netlink sockets, which stay the caller's. threads: one for
 * each, of that real-time priority (0: none). */
int responders_create(struct registry *registry, const int *sockets, unsigned count,
		      struct responders **ret);
/* Frees; the threads must have been stopped. Takes NULL, returns NULL. */
struct responders *responders_destroy(struct responders *r);
int responders_start(struct responders *r, int realtime_priority);
void responders_stop(struct responders *r);
/* Single-thread mode: reads what socket `index` has, without blocking. */
void responders_poll(struct responders *r, unsigned index);

/* Readable when there are items to take. */
int responders_fd(const struct responders *r);
typedef void (*responders_item_fn)(void *context, const struct handoff_item *item);
void responders_dispatch(struct responders *r, responders_item_fn take, void *context);

const struct responders_counters *responders_counters(const struct responders *r);

#endif
