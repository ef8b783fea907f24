// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/course.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/dlmirror/mirrors.h"
#include "daemons/dlmirror/rates.h"
#include "daemons/dlmirror/ui.h"

static void point_add(struct course *course, const struct rates *rates,
		      const struct dlmirror_mirror *m)
{
	unsigned i = course->points++;

	course->rate[COURSE_REQUESTS][i] = rates->requests_s;
	course->rate[COURSE_MARKS][i] = rates->kind_s[RATES_MARK];
	course->rate[COURSE_LOG_WRITES][i] = rates->log_writes_s;
	course->rate[COURSE_SYNCED][i] =
	    rates->regions_s * (double)m->region_sectors * SECTOR_BYTES;
}

static int points_add(struct courses *courses, const struct snapshot *earlier,
		      const struct snapshot *later, double seconds)
{
	struct rates *rates = calloc(later->count + 1, sizeof(*rates));

	if (!rates)
		return -ENOMEM;
	rates_make(earlier, later, seconds, rates);
	for (size_t i = 0; i < later->count; i++) {
		struct course *course = courses_find(courses, later->mirror[i].uuid);

		if (course && course->points < COURSE_POINTS)
			point_add(course, &rates[i], &later->mirror[i]);
	}
	free(rates);
	return 0;
}

static int courses_begin(const struct snapshot *s, struct courses *ret)
{
	ret->course = calloc(s->count + 1, sizeof(*ret->course));
	if (!ret->course)
		return -ENOMEM;
	ret->count = s->count;
	for (size_t i = 0; i < s->count; i++)
		memcpy(ret->course[i].uuid, s->mirror[i].uuid, sizeof(ret->course[i].uuid));
	return 0;
}

int courses_take(struct dlmirror *d, unsigned seconds, struct courses *ret)
{
	unsigned points = seconds < COURSE_POINTS ? seconds : COURSE_POINTS;
	struct snapshot earlier = {0};
	uint64_t earlier_ms = ui_now_ms();
	int error = snapshot_take(d, false, &earlier);

	*ret = (struct courses){.step_ms = seconds * 1000 / points};
	if (error == 0)
		error = courses_begin(&earlier, ret);
	for (unsigned i = 0; i < points && error == 0; i++) {
		struct snapshot later;
		uint64_t now_ms;

		ui_pause_ms(ret->step_ms);
		now_ms = ui_now_ms();
		if (snapshot_take(d, false, &later) != 0)
			break;
		error = points_add(ret, &earlier, &later, (double)(now_ms - earlier_ms + 1) / 1000);
		snapshot_free(&earlier);
		earlier = later;
		earlier_ms = now_ms;
	}
	snapshot_free(&earlier);
	return error;
}

void courses_free(struct courses *courses)
{
	free(courses->course);
	courses->course = NULL;
	courses->count = 0;
}
