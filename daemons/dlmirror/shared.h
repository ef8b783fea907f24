/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration of a mirror on all nodes of the cluster. On a host that is in none there is
 * nothing to do. Functions that return int return an exit code, and have said what is wrong. */
#ifndef DLM_COMMAND_SHARED_H
#define DLM_COMMAND_SHARED_H

#include <stdbool.h>

#include "daemons/common/mirror_file.h"

/* Before a mirror is activated: the newest configuration that any node has of it becomes ours. It is
 * refused when the nodes do not agree on one, or have no quorum; force goes on with ours. */
int shared_refresh(const char *name, bool force);
/* What others have and we have not becomes ours, too. */
int shared_learn(void);
/* Gives ours to the others. Who does not take it is named; that is no error, because he will ask
 * before he activates it. */
void shared_push(const char *name);
/* The same as a command of its own: ours counts, whatever they have. */
int shared_insist(const char *name);
/* UI_FAILED when another node has the mirror active. */
int shared_idle(const char *name, const char *uuid);
/* UI_NO_MIRROR when another node has a mirror of that name with another log. Who does not answer is
 * taken for one that has none. */
int shared_absent(const char *name, const char *uuid);
/* The others forget it. Who cannot be asked is named. */
void shared_forget(const char *name, const char *uuid);

#endif
