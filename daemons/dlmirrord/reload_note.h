/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a reload leaves to the next daemon of its node: a file in RUN_DIR/reloads. One line in plain
 * words:
 *
 *	VERSION NODE NUMBER KNOWN SELF COUNT, then NODE PART of each of COUNT, then UUID
 *
 * and behind its 2048 bytes the plan as text (plan_text.h). It is written by one write into memory
 * that is there, so that it is whole whenever the daemon dies.
 */
#ifndef DLM_RELOAD_NOTE_H
#define DLM_RELOAD_NOTE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "codec/kmsg.h"
#include "daemons/common/plan_text.h"
#include "daemons/dlmirrord/reload_course.h"

struct reload_note {
	struct group_task_id id;
	enum course_note known;
	uint32_t self;
	uint32_t count;
	struct {
		uint32_t node;
		bool part; /* it has the mirror active, or may still say so */
	} node[MLOG_VIEW_MAX];
	char uuid[KMSG_UUID_SIZE];
	struct dlmirror_plan plan; /* to_legs 0: not known */
	struct plan_log log;
};

/* Into an open file, always at the same place and of the same size. False: the next daemon will not
 * know. */
bool reload_note_write(int fd, const struct reload_note *note);
/* False: there is nothing to go on with, or it cannot be read. A plan that cannot be read is not known. */
bool reload_note_read(FILE *file, struct reload_note *ret);

#endif
