/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemons/dlmirrord/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int registry_create(struct registry *r)
{
	pthread_rwlockattr_t attribute;
	int error;

	memset(r, 0, sizeof(*r));
	pthread_rwlockattr_init(&attribute);
	/* Responders read all the time; the loop must get its turn. */
	pthread_rwlockattr_setkind_np(&attribute, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	error = -pthread_rwlock_init(&r->lock, &attribute);
	pthread_rwlockattr_destroy(&attribute);
	return error;
}

void registry_destroy(struct registry *r)
{
	free(r->log);
	pthread_rwlock_destroy(&r->lock);
}

/* Index of the first log whose luid is not below. */
static size_t registry_place(const struct registry *r, uint64_t luid)
{
	size_t low = 0;
	size_t high = r->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (r->log[middle]->luid < luid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int registry_add(struct registry *r, struct log *log)
{
	size_t place = registry_place(r, log->luid);

	if (r->count == r->room) {
		size_t room = r->room * 2 + 16;
		struct log **wider = malloc(room * sizeof(struct log *));
		struct log **old = r->log;

		if (wider == NULL)
			return -ENOMEM;
		if (r->count > 0)
			memcpy(wider, old, r->count * sizeof(struct log *));
		pthread_rwlock_wrlock(&r->lock);
		r->log = wider;
		r->room = room;
		pthread_rwlock_unlock(&r->lock);
		free(old);
	}
	log->id = ++r->next_id;
	pthread_rwlock_wrlock(&r->lock);
	memmove(r->log + place + 1, r->log + place, (r->count - place) * sizeof(struct log *));
	r->log[place] = log;
	r->count++;
	pthread_rwlock_unlock(&r->lock);
	return 0;
}

void registry_remove(struct registry *r, struct log *log)
{
	size_t place = registry_place(r, log->luid);

	if (place == r->count || r->log[place] != log)
		return;
	pthread_rwlock_wrlock(&r->lock);
	r->count--;
	memmove(r->log + place, r->log + place + 1, (r->count - place) * sizeof(struct log *));
	pthread_rwlock_unlock(&r->lock);
}

struct log *registry_find(const struct registry *r, uint64_t luid)
{
	size_t place = registry_place(r, luid);

	return place < r->count && r->log[place]->luid == luid ? r->log[place] : NULL;
}

struct log *registry_find_id(const struct registry *r, uint64_t id)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->log[i]->id == id)
			return r->log[i];
	return NULL;
}

static bool log_serves(const struct log *log)
{
	return atomic_load(&log->hot.shared->open) != 0;
}

struct log *registry_find_name(const struct registry *r, const char *name)
{
	struct log *found = NULL;

	for (size_t i = 0; i < r->count; i++) {
		struct log *log = r->log[i];

		if (strcmp(log->uuid, name) != 0 && strcmp(log->name, name) != 0)
			continue;
		if (found == NULL || log_serves(log))
			found = log;
	}
	return found;
}

struct ticket {
	const struct registry *registry;
	uint64_t id;
};

struct ticket *ticket_make(const struct registry *r, const struct log *log)
{
	struct ticket *ticket = malloc(sizeof(*ticket));

	if (ticket != NULL)
		*ticket = (struct ticket){.registry = r, .id = log->id};
	return ticket;
}

struct log *ticket_take(struct ticket *ticket)
{
	struct log *log = registry_find_id(ticket->registry, ticket->id);

	free(ticket);
	return log;
}
