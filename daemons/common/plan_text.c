// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/common/plan_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/*
 *	from SECTORS START...	the table as it was, with the start of each leg
 *	to SECTORS
 *	revision FROM TO	where the new one has another one than the old
 *	log PATH		where it has another log device
 *	lost			where the one of before does not work
 *	keep INDEX		the legs of the new one, in their order
 *	fresh START PATH
 */
void plan_text(const struct dlmirror_plan *plan, const struct plan_log *log,
	       char ret[PLAN_TEXT_SIZE])
{
	size_t size = PLAN_TEXT_SIZE;
	size_t used = (size_t)snprintf(ret, size, "from %" PRIu64, plan->from_sectors);

	for (uint32_t i = 0; i < plan->from_legs; i++)
		used += (size_t)snprintf(ret + used, size - used, " %" PRIu64, plan->from_start[i]);
	used += (size_t)snprintf(ret + used, size - used, "\nto %" PRIu64 "\n", plan->to_sectors);
	if (log->to != 0)
		used += (size_t)snprintf(ret + used, size - used,
					 "revision %" PRIu64 " %" PRIu64 "\n", log->from, log->to);
	if (log->device[0] != '\0')
		used += (size_t)snprintf(ret + used, size - used, "log %s\n%s", log->device,
					 log->lost ? "lost\n" : "");
	for (uint32_t i = 0; i < plan->to_legs; i++)
		used += (size_t)(plan->leg[i].fresh
				     ? snprintf(ret + used, size - used, "fresh %" PRIu64 " %s\n",
						plan->leg[i].start_sector, plan->leg[i].path)
				     : snprintf(ret + used, size - used, "keep %" PRIu32 "\n",
						plan->leg[i].index));
}

static int from_parse(const char *line, struct dlmirror_plan *plan)
{
	int used;

	if (sscanf(line, "from %" SCNu64 "%n", &plan->from_sectors, &used) != 1)
		return -EINVAL;
	for (line += used; *line == ' '; line += used) {
		if (plan->from_legs == DLMIRROR_LEGS_MAX ||
		    sscanf(line, " %" SCNu64 "%n", &plan->from_start[plan->from_legs++], &used) !=
			1)
			return -EINVAL;
	}
	return *line == '\0' ? 0 : -EINVAL;
}

static int leg_parse(const char *line, struct dlmirror_plan *plan)
{
	struct dlmirror_plan_leg *leg = &plan->leg[plan->to_legs];
	int used = 0;

	if (plan->to_legs == DLMIRROR_LEGS_MAX)
		return -EINVAL;
	plan->to_legs++;
	if (sscanf(line, "keep %" SCNu32 "%n", &leg->index, &used) == 1)
		return line[used] == '\0' && leg->index < plan->from_legs ? 0 : -EINVAL;
	leg->fresh = true;
	if (sscanf(line, "fresh %" SCNu64 " %n", &leg->start_sector, &used) != 1 || used == 0 ||
	    line[used] != '/' || strlen(line + used) >= sizeof(leg->path))
		return -EINVAL;
	strcpy(leg->path, line + used);
	return 0;
}

static int revision_parse(const char *line, struct plan_log *log)
{
	char behind;

	return log->to == 0 &&
		       sscanf(line, "revision %" SCNu64 " %" SCNu64 "%c", &log->from, &log->to,
			      &behind) == 2 &&
		       log->to > log->from
		   ? 0
		   : -EINVAL;
}

static int device_parse(const char *path, struct plan_log *log)
{
	if (path[0] != '/' || strlen(path) >= sizeof(log->device))
		return -EINVAL;
	strcpy(log->device, path);
	return 0;
}

static int line_parse(const char *line, struct dlmirror_plan *plan, struct plan_log *log)
{
	char behind;

	if (plan->from_legs == 0)
		return from_parse(line, plan);
	if (plan->to_sectors == 0)
		return sscanf(line, "to %" SCNu64 "%c", &plan->to_sectors, &behind) == 1 ? 0
											 : -EINVAL;
	if (strncmp(line, "revision ", strlen("revision ")) == 0)
		return revision_parse(line, log);
	if (strncmp(line, "log ", strlen("log ")) == 0)
		return device_parse(line + strlen("log "), log);
	if (strcmp(line, "lost") == 0) {
		log->lost = true;
		return 0;
	}
	return leg_parse(line, plan);
}

int plan_text_parse(const char *text, struct dlmirror_plan *ret, struct plan_log *ret_log)
{
	struct dlmirror_plan plan = {0};
	struct plan_log log = {0};
	char line[DLMIRROR_PATH_SIZE + 256];

	while (*text != '\0') {
		size_t length = strcspn(text, "\n");

		if (length >= sizeof(line))
			return -EINVAL;
		memcpy(line, text, length);
		line[length] = '\0';
		if (line_parse(line, &plan, &log) != 0)
			return -EINVAL;
		text += length + (text[length] == '\n');
	}
	if (plan.to_legs == 0)
		return -EINVAL;
	*ret = plan;
	*ret_log = log;
	return 0;
}
