/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A mirror as it is and what is wished for -> the plan of a reload. Pure. */
#ifndef DLM_COMMAND_PLAN_H
#define DLM_COMMAND_PLAN_H

#include "daemons/dlmirror/spec.h"

/* A leg that is to go, by the device's number. */
struct plan_old {
	const char *name; /* as it was given, for messages */
	dev_t devno;
};

struct plan_wish {
	uint64_t length_sectors; /* 0: as it is */
	bool resync;		 /* all is copied from the first leg again */
	unsigned add_count;
	struct spec_leg add[DLMIRROR_LEGS_MAX]; /* with its devno */
	unsigned remove_count;
	struct plan_old remove[DLMIRROR_LEGS_MAX];
	unsigned replace_count;
	struct {
		struct plan_old old;
		struct spec_leg fresh;
	} replace[DLMIRROR_LEGS_MAX];
};

/* 0; -EALREADY: it is so already; -EINVAL, and error says what is wrong. What was done by an
 * earlier reload with the same wish is not wished for again. */
int plan_make(const struct dlmirror_mirror *m, const struct plan_wish *wish,
	      struct dlmirror_plan *ret, char error[SPEC_ERROR_SIZE]);

#endif
