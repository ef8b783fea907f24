/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening log devices: a device that does not answer makes open() and the first reads wait, and
 * only the mirror whose device it is may wait for them. So each open has a thread of its own, which
 * is left alone with a device that hangs; the rest is used with the core's lock.
 *
 *	opener_start -> (queue) -> thread: storage_look() -> socket -> opener_dispatch -> opened()
 *	                                   OPENER_MS over   ->         opener_expire   -> opened()
 */
#ifndef DLM_OPENER_H
#define DLM_OPENER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemons/dlmirrord/storage.h"

#define OPENER_MS	   3000U
#define OPENER_THREADS_MAX 32U

struct opener;

/* storage: looked at and not in use, now the caller's; NULL: error and text say why not. */
typedef void (*opened_fn)(void *context, int error, struct storage *storage, const char *text);

int opener_create(struct opener **ret);
/* Takes NULL, returns NULL. Threads that still wait for a device are left alone. */
struct opener *opener_destroy(struct opener *opener);
/* Readable when there is something to dispatch. */
int opener_fd(const struct opener *opener);
void opener_dispatch(struct opener *opener);

/*
 * opened is called exactly once, from opener_dispatch() or opener_expire(), unless this fails:
 * -ETIMEDOUT: the thread of an earlier open of that device hangs still.
 */
int opener_start(struct opener *opener, const struct storage_spec *spec, opened_fn opened,
		 void *context);
/* Opens that were begun and not answered. */
unsigned opener_jobs(const struct opener *opener);
/* Gives up those that are due, and says when the next one is; 0: never. */
uint64_t opener_expire(struct opener *opener, uint64_t now_ms);
/* Waits until there is something to dispatch, until_ms at most. False: the time is over. */
bool opener_wait(const struct opener *opener, uint64_t until_ms);

#endif
