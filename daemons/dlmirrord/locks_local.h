/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The locks port of a node that is alone: nobody else can have a lock. */
#ifndef DLM_LOCKS_LOCAL_H
#define DLM_LOCKS_LOCAL_H

#include "daemons/dlmirrord/pump.h"

/* Both from within the effect. */
void locks_local_lock(struct pump *pump, uint32_t lock);
void locks_local_unlock(struct pump *pump, uint32_t lock);

#endif
