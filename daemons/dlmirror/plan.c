// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "daemons/common/message.h"

struct making {
	const struct dlmirror_mirror *m;
	struct dlmirror_plan *plan;
	bool gone[DLMIRROR_LEGS_MAX]; /* legs as they are */
	bool changes;
	char *error;
};

static int __attribute__((format(printf, 3, 4)))
refuse(const struct making *making, enum message message, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message_vmake(making->error, SPEC_ERROR_SIZE, message, format, args);
	va_end(args);
	return -EINVAL;
}

/* Its index, or -1. */
static int leg_find(const struct dlmirror_mirror *m, dev_t devno)
{
	uint32_t i;

	for (i = 0; i < m->leg_count; i++)
		if (makedev(m->leg[i].major, m->leg[i].minor) == devno)
			return (int)i;
	return -1;
}

static int leg_remove(struct making *making, const struct plan_old *old)
{
	int index = leg_find(making->m, old->devno);

	if (index < 0)
		return refuse(making, MSG_NOT_A_LEG,
			      "%s is not a leg of it; dlmirror show lists the legs", old->name);
	if (making->gone[index])
		return refuse(making, MSG_LEG_NAMED_TWICE, "%s is named twice", old->name);
	making->gone[index] = true;
	making->changes = true;
	return 0;
}

static int path_check(const struct making *making, const struct spec_leg *leg)
{
	if (leg->path[0] != '/')
		return refuse(making, MSG_LEG_PATH_RELATIVE,
			      "leg %s: give the whole path, from / on", leg->path);
	if (strlen(leg->path) >= DLMIRROR_PATH_SIZE)
		return refuse(making, MSG_PATH_TOO_LONG, "leg %.32s...: the path is too long",
			      leg->path);
	return 0;
}

/* Behind those that are kept; kept legs are counted when all that go are known. */
static int leg_add(struct making *making, const struct spec_leg *leg)
{
	struct dlmirror_plan *plan = making->plan;
	struct dlmirror_plan_leg *to;
	int index = leg_find(making->m, leg->devno);
	int error = path_check(making, leg);

	if (error != 0)
		return error;
	if (index >= 0 && making->gone[index])
		return refuse(making, MSG_LEG_COMES_AND_GOES, "%s cannot come and go at once",
			      leg->path);
	if (index >= 0 && making->m->leg[index].start_sector != leg->start_sector)
		return refuse(making, MSG_LEG_ALREADY,
			      "%s is a leg already, from sector %" PRIu64 " on", leg->path,
			      making->m->leg[index].start_sector);
	if (index >= 0)
		return 0;
	if (plan->to_legs == DLMIRROR_LEGS_MAX)
		return refuse(making, MSG_LEGS_TOO_MANY, "a mirror has at most %d legs",
			      DLMIRROR_LEGS_MAX);
	to = &plan->leg[plan->to_legs++];
	to->fresh = true;
	to->start_sector = leg->start_sector;
	(void)snprintf(to->path, sizeof(to->path), "%.*s", DLMIRROR_PATH_SIZE - 1, leg->path);
	making->changes = true;
	return 0;
}

/* One that was replaced before is no leg any more, and its successor is. */
static bool replaced_already(const struct making *making, const struct plan_old *old,
			     const struct spec_leg *fresh)
{
	return leg_find(making->m, old->devno) < 0 && leg_find(making->m, fresh->devno) >= 0;
}

static int legs_go(struct making *making, const struct plan_wish *wish)
{
	int error = 0;
	unsigned i;

	for (i = 0; i < wish->remove_count && error == 0; i++)
		error = leg_remove(making, &wish->remove[i]);
	for (i = 0; i < wish->replace_count && error == 0; i++)
		if (!replaced_already(making, &wish->replace[i].old, &wish->replace[i].fresh))
			error = leg_remove(making, &wish->replace[i].old);
	return error;
}

static int legs_stay(struct making *making, bool resync)
{
	struct dlmirror_plan *plan = making->plan;
	uint32_t i;

	for (i = 0; i < making->m->leg_count; i++) {
		struct dlmirror_plan_leg *leg = &plan->leg[plan->to_legs];

		if (making->gone[i])
			continue;
		leg->index = i;
		leg->stale = resync && plan->to_legs > 0;
		plan->to_legs++;
	}
	if (plan->to_legs == 0)
		return refuse(making, MSG_NO_LEG_STAYS,
			      "one leg has to stay, for the others to be copied from");
	return 0;
}

static int legs_come(struct making *making, const struct plan_wish *wish)
{
	int error = 0;
	unsigned i;

	for (i = 0; i < wish->replace_count && error == 0; i++)
		error = leg_add(making, &wish->replace[i].fresh);
	for (i = 0; i < wish->add_count && error == 0; i++)
		error = leg_add(making, &wish->add[i]);
	if (error == 0 && making->plan->to_legs < 2)
		error = refuse(making, MSG_LEGS_TOO_FEW,
			       "a mirror has two legs or more; add one in the same reload");
	return error;
}

static int length_set(struct making *making, uint64_t wanted)
{
	struct dlmirror_plan *plan = making->plan;

	plan->to_sectors = wanted != 0 ? wanted : plan->from_sectors;
	if (plan->to_sectors < plan->from_sectors)
		return refuse(making, MSG_CANNOT_SHRINK,
			      "it has %" PRIu64 " sectors, and a mirror in use only grows; remove "
			      "it and make it anew",
			      plan->from_sectors);
	if (plan->to_sectors > plan->from_sectors)
		making->changes = true;
	return 0;
}

int plan_make(const struct dlmirror_mirror *m, const struct plan_wish *wish,
	      struct dlmirror_plan *ret, char error[SPEC_ERROR_SIZE])
{
	struct dlmirror_plan plan = {.from_sectors = m->length_sectors, .from_legs = m->leg_count};
	struct making making = {.m = m, .plan = &plan, .changes = wish->resync, .error = error};
	int result;
	uint32_t i;

	if (m->leg_count < 2 || m->leg_count > DLMIRROR_LEGS_MAX)
		return refuse(&making, MSG_LEGS_UNKNOWN,
			      "its legs are not known yet: again in a moment");
	for (i = 0; i < m->leg_count; i++)
		plan.from_start[i] = m->leg[i].start_sector;
	result = length_set(&making, wish->length_sectors);
	if (result == 0)
		result = legs_go(&making, wish);
	if (result == 0)
		result = legs_stay(&making, wish->resync);
	if (result == 0)
		result = legs_come(&making, wish);
	if (result == 0 && !making.changes)
		result = -EALREADY;
	if (result == 0)
		*ret = plan;
	return result;
}
