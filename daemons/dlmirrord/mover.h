/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mover port: compares and copies regions between legs, in threads of its own. Adapter: mover.c
 * (pread/pwrite with O_DIRECT in pieces of 64 KiB, so that other I/O gets in between).
 * The caller has closed the gate of the region: nobody writes it meanwhile.
 */
#ifndef DLM_MOVER_H
#define DLM_MOVER_H

#include <stdint.h>
#include <sys/types.h>

#include "core/mlog.h"

#define MOVER_LEGS_MAX 8U

struct mover_leg {
	dev_t devno;
	uint64_t start_sector; /* offset of the mirror's data on this leg */
};

struct mover_legs {
	uint32_t count;		 /* 2..MOVER_LEGS_MAX; leg 0 of the array is the source */
	uint64_t length_sectors; /* of the mirror: the last region may be shorter */
	struct mover_leg leg[MOVER_LEGS_MAX];
};

struct mover;

/* on_done is called from mover_dispatch() in the loop thread, once per mover_copy(). error is 0 or
 * the negative errno of the first leg that failed (result is then MLOG_COPY_ERROR). */
typedef void (*mover_done_fn)(void *context, uint64_t cookie, uint64_t region,
			      enum mlog_copy_result result, int error);

int mover_create(unsigned threads, mover_done_fn on_done, void *context, struct mover **ret);
/* Waits for the copies under way; their results are dropped. Takes NULL, returns NULL. */
struct mover *mover_destroy(struct mover *mover);
int mover_fd(const struct mover *mover); /* readable when results wait */
void mover_dispatch(struct mover *mover);

/* cookie names the mirror; legs are copied. A queue without limit is impossible: each mirror has at
 * most MLOG_COPIES_MAX copies out. -ENOMEM when the job cannot be queued. Leg devices are opened
 * when first needed and closed when no job of that cookie is left (open legs cannot be removed). */
int mover_copy(struct mover *mover, uint64_t cookie, const struct mover_legs *legs, uint64_t region,
	       uint64_t region_sectors, enum mlog_copy_mode mode);

#endif
