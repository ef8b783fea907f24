/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Errands: verbs of dlmirror(8) that an admin on one node has others do. Owns what this node does
 * for others, and what others have said to errands of its own.
 *
 *	admin -> errands_begin() -> message to all -> errands_message() -> runner, on each node named
 *	admin <- errands_result() <- message to all <- answer of the runner
 *
 * Everything with the core lock held; what a verb waits for nobody waits for here.
 */
#ifndef DLM_ERRANDS_H
#define DLM_ERRANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/group.h"
#include "daemons/dlmirrord/runner.h"

struct daemon;
struct errands;

/* Called once: the exit code of a verb, and what it printed. */
typedef void errands_done_fn(void *context, uint8_t code, const char *text);

/* Starts the runner: see runner_start(). -ENOMEM, or what that says. */
int errands_create(struct daemon *d, struct errands **ret);
/* Takes NULL, returns NULL. Verbs under way go on; nobody hears how they end. */
struct errands *errands_destroy(struct errands *e);
int errands_fd(const struct errands *e);
void errands_dispatch(struct errands *e);
/* Once a second. */
void errands_tick(struct errands *e);

/* From the group, in its order. Alone there are none. */
void errands_view(struct errands *e, const uint32_t *node, uint32_t count, bool quorate);
void errands_message(struct errands *e, const struct group_errand *message);

/* Of an admin. wish: what, node and count (0: all of the view), argument, text. Negative errno, and
 * text says why not. */
int errands_begin(struct errands *e, const struct group_errand *wish, uint64_t *ret_id,
		  uint32_t *ret_count, char *text, size_t size);
/* -ENOENT: no such errand, or it has fewer nodes. */
int errands_result(const struct errands *e, uint64_t id, uint32_t index,
		   struct dlmirror_errand_result *ret);

/* A verb for this daemon itself, on this node only. done is called later, or never when the daemon
 * ends before; negative errno: it will not be. */
int errands_own(struct errands *e, const char *const word[RUNNER_WORDS], const char *text,
		errands_done_fn *done, void *context);
/* Half of what can be done at a time is ours: what can wait does, for the sake of what cannot. */
bool errands_crowded(const struct errands *e);

#endif
