// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/agreement.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemons/common/message.h"
#include "daemons/dlmirror/format.h"

void agreement_line(const struct agreement_entry *entry, char ret[AGREEMENT_LINE_SIZE])
{
	(void)snprintf(ret, AGREEMENT_LINE_SIZE, "%s %s %" PRIu64 " %08" PRIx32 " %s", entry->name,
		       entry->uuid, entry->serial, entry->digest,
		       entry->active ? "active" : "inactive");
}

int agreement_parse(const char *line, uint32_t node, struct agreement_entry *ret)
{
	struct agreement_entry entry = {.node = node};
	char copy[AGREEMENT_LINE_SIZE];
	char state[16];
	char behind;
	size_t length = strcspn(line, "\n");

	if (length >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, line, length);
	copy[length] = '\0';
	if (sscanf(copy, "%128s %128s %" SCNu64 " %" SCNx32 " %15s %c", entry.name, entry.uuid,
		   &entry.serial, &entry.digest, state, &behind) != 5)
		return -EINVAL;
	entry.active = strcmp(state, "active") == 0;
	if (!entry.active && strcmp(state, "inactive") != 0)
		return -EINVAL;
	*ret = entry;
	return 0;
}

int agreement_read(const char *text, uint32_t node, struct agreement_entry *entry, size_t room,
		   size_t *count, const char **ret_rest)
{
	*ret_rest = text;
	while (**ret_rest && *count < room) {
		if (agreement_parse(*ret_rest, node, &entry[*count]) != 0)
			return -EINVAL;
		(*count)++;
		*ret_rest = format_next_line(*ret_rest);
	}
	return 0;
}

bool agreement_same(const struct agreement_entry *entry, size_t count,
		    char text[AGREEMENT_ERROR_SIZE])
{
	for (size_t i = 1; i < count; i++) {
		const struct agreement_entry *e = &entry[i];

		for (size_t k = 0; k < i; k++) {
			const struct agreement_entry *other = &entry[k];

			if (strcmp(e->uuid, other->uuid) != 0 ||
			    (e->serial == other->serial && e->digest == other->digest &&
			     strcmp(e->name, other->name) == 0))
				continue;
			(void)snprintf(text, AGREEMENT_ERROR_SIZE,
				       "%s on node %" PRIu32 " has serial %" PRIu64
				       ", %s on node %" PRIu32 " has serial %" PRIu64,
				       other->name, other->node, other->serial, e->name, e->node,
				       e->serial);
			return false;
		}
	}
	return true;
}

static enum agreement disagree(char *error, const struct agreement_entry *a, const char *what,
			       const struct agreement_entry *b, const char *remedy)
{
	message_make(error, AGREEMENT_ERROR_SIZE, MSG_NODES_DISAGREE,
		     "node %" PRIu32 " has %s with serial %" PRIu64 "%s, %s node %" PRIu32
		     " with serial %" PRIu64 "%s: %s",
		     a->node, a->name, a->serial, a->active ? " and active" : "", what, b->node,
		     b->serial, b->active ? " and active" : "", remedy);
	return AGREEMENT_NONE;
}

static enum agreement check(const struct agreement_entry *entry, size_t count, size_t newest,
			    char *error)
{
	const struct agreement_entry *best = &entry[newest];

	for (size_t i = 0; i < count; i++) {
		const struct agreement_entry *e = &entry[i];

		if (strcmp(e->uuid, best->uuid) != 0)
			return disagree(error, best, "and another mirror of that name is on", e,
					"rename or remove one of them");
		if (e->serial == best->serial && e->digest != best->digest)
			return disagree(
			    error, best, "and another configuration of it is on", e,
			    "where it is right, give it to all with 'dlmirror config push'");
		if (e->active && e->serial != best->serial)
			return disagree(
			    error, best, "but", e,
			    "dlmirror config show on both says what they have; where it is "
			    "right, 'dlmirror config push'");
	}
	return AGREEMENT_OURS;
}

enum agreement agreement_find(const struct agreement_entry *entry, size_t count, uint32_t self,
			      unsigned others, size_t *ret, char error[AGREEMENT_ERROR_SIZE])
{
	size_t newest = 0;
	size_t ours = count;

	if (count == 0)
		return AGREEMENT_NOBODY;
	for (size_t i = 0; i < count; i++) {
		if (entry[i].node == self)
			ours = i;
		if (entry[i].serial > entry[newest].serial)
			newest = i;
	}
	if (ours < count && entry[ours].serial == entry[newest].serial)
		newest = ours;
	*ret = newest;
	if (check(entry, count, newest, error) == AGREEMENT_NONE)
		return AGREEMENT_NONE;
	if (ours < count && count == 1 && others > 0) {
		message_make(error, AGREEMENT_ERROR_SIZE, MSG_REMOVED_ELSEWHERE,
			     "no other node has %s: it may have been removed while this one was "
			     "away; 'dlmirror config push %s' gives it to all, 'dlmirror remove "
			     "%s' forgets it here",
			     entry->name, entry->name, entry->name);
		return AGREEMENT_NONE;
	}
	return newest == ours ? AGREEMENT_OURS : AGREEMENT_THEIRS;
}
