// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/snapshot.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool known(const struct snapshot *s, const char *uuid)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		if (strcmp(s->mirror[i].uuid, uuid) == 0)
			return true;
	return false;
}

/* By its uuid the daemon gives the log that serves. One that has gone meanwhile is left out. */
static int mirror_take(struct dlmirror *d, const char *name, struct snapshot *s)
{
	struct dlmirror_mirror *mirror = &s->mirror[s->count];
	int error = dlmirror_get(d, name, mirror);

	if (error == 0)
		error = dlmirror_counters(d, mirror->uuid, &s->counters[s->count]);
	if (error == 0)
		s->count++;
	return error;
}

static int all_take(struct dlmirror *d, const struct dlmirror_mirror *list, size_t count,
		    struct snapshot *s)
{
	size_t i;
	int error = 0;

	for (i = 0; i < count && error == 0; i++) {
		if (!known(s, list[i].uuid))
			error = mirror_take(d, list[i].uuid, s);
		if (error == -ENOENT)
			error = 0;
	}
	return error;
}

int snapshot_take(struct dlmirror *d, const char *name, struct snapshot *ret)
{
	struct snapshot s = {0};
	struct dlmirror_mirror *list = NULL;
	size_t count = 1;
	int error = dlmirror_daemon(d, &s.daemon);

	if (error == 0 && !name)
		error = dlmirror_list(d, &list, &count);
	if (error != 0)
		return error;
	s.mirror = calloc(count + 1, sizeof(*s.mirror));
	s.counters = calloc(count + 1, sizeof(*s.counters));
	if (!s.mirror || !s.counters)
		error = -ENOMEM;
	else
		error = name ? mirror_take(d, name, &s) : all_take(d, list, count, &s);
	free(list);
	if (error == 0)
		*ret = s;
	else
		snapshot_free(&s);
	return error;
}

void snapshot_free(struct snapshot *s)
{
	free(s->mirror);
	free(s->counters);
	*s = (struct snapshot){0};
}
