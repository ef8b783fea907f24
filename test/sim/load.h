/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writers and readers of one mirror on one node. No two writers, on whichever node, write the same
 * block at the same time (a cluster's file system sees to that too); each write has a number that
 * no other write has.
 */
#ifndef DLM_SIM_LOAD_H
#define DLM_SIM_LOAD_H

#include "test/sim/sim.h"

struct load;

struct load *load_create(struct kernel *k, struct node *node, struct mirror *mirror);
/* The mirror can be opened now. */
void load_start(struct load *l);
/* Ends when what is under way is done: see load_idle(). */
void load_stop(struct load *l);
bool load_idle(const struct load *l);
/* Its node dies: what is under way has an unknown outcome. */
void load_power_off(struct load *l);

#endif
