/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the facts that dlmirror doctor judges and dlmirror report shows. It only reads, and does not hang where others do. */
#ifndef DLM_COMMAND_SURVEY_H
#define DLM_COMMAND_SURVEY_H

#include "daemons/dlmirror/checks.h"

/* -ENOMEM is its only failure: what cannot be found is a fact, too. Free with survey_free().
 * one_of_nodes: the other nodes are not asked for anything. */
int survey_make(const char *config_path, bool one_of_nodes, struct facts *ret);
void survey_free(struct facts *f);
/* Have all nodes the same configurations of mirrors? Else text says of one what differs. */
struct fact survey_mirrors(struct dlmirror *d, char text[CHECKS_TEXT_SIZE]);

#endif
