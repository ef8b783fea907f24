/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the choice of the protocol version of group messages. */
#include "codec/group.h"

void group_versions_init(struct group_versions *v, uint16_t own)
{
	*v = (struct group_versions){.own = own};
}

static uint16_t *versions_of(struct group_versions *v, uint32_t node)
{
	for (uint32_t i = 0; i < v->count; i++)
		if (v->member[i].node == node)
			return &v->member[i].highest;
	return NULL;
}

void group_versions_view(struct group_versions *v, const uint32_t *node, uint32_t count)
{
	struct group_versions next = {.own = v->own, .count = count};

	for (uint32_t i = 0; i < count; i++) {
		const uint16_t *known = versions_of(v, node[i]);

		next.member[i].node = node[i];
		next.member[i].highest = known != NULL ? *known : 0;
	}
	*v = next;
}

void group_versions_seen(struct group_versions *v, uint32_t node, uint16_t highest)
{
	uint16_t *known = versions_of(v, node);

	if (known != NULL)
		*known = highest;
}

uint16_t group_versions_spoken(const struct group_versions *v)
{
	uint16_t spoken = v->count > 0 ? v->own : 1;

	for (uint32_t i = 0; i < v->count; i++)
		if (v->member[i].highest < spoken)
			spoken = v->member[i].highest;
	return spoken > 0 ? spoken : 1;
}

bool group_versions_exclude(const struct group_versions *v, uint16_t version)
{
	for (uint32_t i = 0; i < v->count; i++)
		if (v->member[i].highest != 0 && v->member[i].highest < version)
			return true;
	return v->own < version;
}
