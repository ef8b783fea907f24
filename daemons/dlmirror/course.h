/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How busy mirrors are over some time, look by look. */
#ifndef DLM_COMMAND_COURSE_H
#define DLM_COMMAND_COURSE_H

#include <stddef.h>
#include <string.h>

#include "dlmirror/dlmirror.h"

#define COURSE_POINTS 60U /* most there are */

enum course_kind {
	COURSE_REQUESTS,
	COURSE_MARKS,
	COURSE_LOG_WRITES,
	COURSE_SYNCED, /* bytes that came in sync or were repaired */
	COURSE_KINDS,
};

/* Of one mirror. */
struct course {
	char uuid[DLMIRROR_NAME_SIZE];
	unsigned points;
	double rate[COURSE_KINDS][COURSE_POINTS]; /* per second */
};

struct courses {
	unsigned step_ms; /* between two points */
	size_t count;
	struct course *course;
};

/*
 * Looks for so many seconds (at least 1), once a second or as often as gives COURSE_POINTS. A mirror
 * that comes meanwhile is left out, one that goes has fewer points, and so have all when the daemon
 * goes away, which is no failure. -ENOMEM, or what the first look says. Free with courses_free() in
 * any case.
 */
int courses_take(struct dlmirror *d, unsigned seconds, struct courses *ret);
void courses_free(struct courses *courses);

/* NULL: it has none. */
static inline struct course *courses_find(const struct courses *courses, const char *uuid)
{
	for (size_t i = 0; i < courses->count; i++)
		if (strcmp(courses->course[i].uuid, uuid) == 0)
			return &courses->course[i];
	return NULL;
}

#endif
