/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The seam of the mover that its unit test uses: how a leg is opened. */
#ifndef DLM_MOVER_INTERNAL_H
#define DLM_MOVER_INTERNAL_H

#include "daemons/dlmirrord/mover.h"

/* Opens the device for O_RDONLY or O_RDWR (flags say which, and O_DIRECT): descriptor or negative
 * errno. Called from the mover's threads, several at once. */
typedef int (*mover_open_fn)(dev_t devno, int flags);

/* mover_create() with another way to open legs. */
int mover_create_with(unsigned threads, mover_done_fn on_done, void *context,
		      mover_open_fn open_leg, struct mover **ret);

#endif
