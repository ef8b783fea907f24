/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What dlmirror report writes: one HTML page that needs nothing else, not even a script. Pure. All
 * that it is given is escaped.
 */
#ifndef DLM_COMMAND_PAGE_H
#define DLM_COMMAND_PAGE_H

#include <stdio.h>

#include "daemons/dlmirror/checks.h"

/* now: when the facts were found, for people. Failures stay in the stream. */
void page_write(const struct facts *f, const char *now, FILE *to);

#endif
