/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a reload changes as text: what the daemon gives "dlmirror config follow" to read. */
#ifndef DLM_PLAN_TEXT_H
#define DLM_PLAN_TEXT_H

#include <stddef.h>

#include "dlmirror/dlmirror.h"

#define PLAN_TEXT_SIZE (DLMIRROR_LEGS_MAX * (DLMIRROR_PATH_SIZE + 64))

/* Of the tables. */
struct plan_revisions {
	uint64_t from;
	uint64_t to; /* 0: the same */
};

void plan_text(const struct dlmirror_plan *plan, const struct plan_revisions *revisions,
	       char ret[PLAN_TEXT_SIZE]);
/* -EINVAL: it is no plan. */
int plan_text_parse(const char *text, struct dlmirror_plan *ret,
		    struct plan_revisions *ret_revisions);

#endif
