/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mirror gets another table on all nodes: one of its legs is dropped, or it gets its other log
 * device, which is made ready before; and the revision counts on.
 * What daemons/dlmirrord/reload_course.h decides by messages, somebody who knows all decides here,
 * by the same rules: all that have it active load the new table and suspend; whoever is lost until
 * then ends it; when all are suspended the new table counts, and each resumes by itself. The old one
 * stays in the configuration of who is not there, and of who dies before his own is written.
 *
 *	NONE -change_want…()-> WANTED -nothing hinders-> SUSPENDING -all suspended-> GOING -> NONE
 *			         ^------------one is lost-----------+
 */
#ifndef DLM_SIM_CHANGE_H
#define DLM_SIM_CHANGE_H

#include "test/sim/sim.h"

struct change;

struct change *change_create(struct mirror *mirror);
/* One of them, once: leg is to be dropped, or the log device to be the other one, as soon as all that are
 * there agree. */
void change_want_leg(struct change *c, unsigned leg);
void change_want_log(struct change *c);
/* It is not tried any more, and from now on an admin gives all nodes the configuration that counts.
 * Where another table waits in the kernel, nothing but a restart of the node helps. */
void change_over(struct change *c);
/* Is a table of that revision one of before, because node takes part in the decision that a later one
 * counts, and it is not over? */
bool change_outdates(const struct change *c, const struct node *node, uint64_t revision);

#endif
