// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How much a log of the phase has to do with the mirror's I/O. */
static unsigned phase_weight(const char *phase)
{
	if (strcmp(phase, "created") == 0)
		return 0;
	return strcmp(phase, "suspended") == 0 ? 1 : 2;
}

static void mirror_add(struct snapshot *s, const struct dlmirror_mirror *m)
{
	size_t i;

	for (i = 0; i < s->count && strcmp(s->mirror[i].uuid, m->uuid) != 0; i++)
		;
	if (i == s->count)
		s->mirror[s->count++] = *m;
	else if (phase_weight(m->phase) > phase_weight(s->mirror[i].phase))
		s->mirror[i] = *m;
}

/* Something of the mirror at index. */
typedef int take_one(struct dlmirror *d, struct snapshot *s, size_t index);

/* Of each; who has gone meanwhile is left out. */
static int take_each(struct dlmirror *d, struct snapshot *s, take_one *take)
{
	size_t kept = 0;
	size_t i;

	for (i = 0; i < s->count; i++) {
		int error;

		s->mirror[kept] = s->mirror[i];
		error = take(d, s, kept);
		if (error == 0)
			kept++;
		else if (error != -ENOENT)
			return error;
	}
	s->count = kept;
	return 0;
}

static int counters_take(struct dlmirror *d, struct snapshot *s, size_t index)
{
	return dlmirror_counters(d, s->mirror[index].uuid, &s->counters[index]);
}

static int refreshed_take(struct dlmirror *d, struct snapshot *s, size_t index)
{
	int error = counters_take(d, s, index);

	return error == 0 ? dlmirror_get(d, s->mirror[index].uuid, &s->mirror[index]) : error;
}

static int heat_take(struct dlmirror *d, struct snapshot *s, size_t index)
{
	return dlmirror_heat(d, s->mirror[index].uuid, &s->heat[index]);
}

/* The daemon and its mirrors, without what they have counted. */
static int mirrors_take(struct dlmirror *d, struct snapshot *s)
{
	struct dlmirror_mirror *list;
	size_t count;
	size_t i;
	int error = dlmirror_daemon(d, &s->daemon);

	if (error == 0)
		error = dlmirror_list(d, &list, &count);
	if (error != 0)
		return error;
	s->mirror = calloc(count + 1, sizeof(*s->mirror));
	for (i = 0; s->mirror && i < count; i++)
		mirror_add(s, &list[i]);
	free(list);
	return s->mirror ? 0 : -ENOMEM;
}

int snapshot_take(struct dlmirror *d, bool refresh, struct snapshot *ret)
{
	struct snapshot s = {0};
	int error = mirrors_take(d, &s);

	if (error == 0) {
		s.counters = calloc(s.count + 1, sizeof(*s.counters));
		error = s.counters ? take_each(d, &s, refresh ? refreshed_take : counters_take)
				   : -ENOMEM;
	}
	if (error == 0)
		*ret = s;
	else
		snapshot_free(&s);
	return error;
}

/* The daemon and one mirror. */
static int mirror_take(struct dlmirror *d, const char *name, struct snapshot *s)
{
	int error = dlmirror_daemon(d, &s->daemon);

	if (error != 0)
		return error;
	s->mirror = calloc(1, sizeof(*s->mirror));
	if (!s->mirror)
		return -ENOMEM;
	s->count = 1;
	return dlmirror_get(d, name, s->mirror);
}

int snapshot_take_heat(struct dlmirror *d, const char *name, struct snapshot *ret)
{
	struct snapshot s = {0};
	int error = name ? mirror_take(d, name, &s) : mirrors_take(d, &s);

	if (error == 0) {
		s.heat = calloc(s.count + 1, sizeof(*s.heat));
		error = s.heat ? take_each(d, &s, heat_take) : -ENOMEM;
	}
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
	free(s->heat);
	*s = (struct snapshot){0};
}
