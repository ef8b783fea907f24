/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a reload changes as text: what the daemon gives "dlmirror config follow" to read. */
#ifndef DLM_PLAN_TEXT_H
#define DLM_PLAN_TEXT_H

#include <stddef.h>

#include "dlmirror/dlmirror.h"

#define PLAN_TEXT_SIZE ((DLMIRROR_LEGS_MAX + 1) * (DLMIRROR_PATH_SIZE + 64))

/* What changes of the log's arguments. */
struct plan_log {
	uint64_t from; /* revisions of the tables */
	uint64_t to;   /* 0: the same */
	/* The path of another log device; empty: the same one. */
	char device[DLMIRROR_PATH_SIZE];
	bool lost; /* the one of before does not work on this node */
};

void plan_text(const struct dlmirror_plan *plan, const struct plan_log *log,
	       char ret[PLAN_TEXT_SIZE]);
/* -EINVAL: it is no plan. */
int plan_text_parse(const char *text, struct dlmirror_plan *ret, struct plan_log *ret_log);

#endif
