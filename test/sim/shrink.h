/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes a failing scenario smaller while it still fails with the same message, whatever the numbers
 * in it: faults, nodes, mirrors and load are taken away, numbers become simple.
 */
#ifndef DLM_SIM_SHRINK_H
#define DLM_SIM_SHRINK_H

#include "test/sim/world.h"

/* result: of the run of s; is then that of what s has become. Returns how many runs it took. */
unsigned shrink(struct world *w, struct scenario *s, struct world_result *result);

#endif
