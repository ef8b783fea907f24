/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who else is in the view, and what its memory is worth: the one whose is worth most founds, when
 * nobody has a state.
 */
#include <string.h>

#include "core/mlog_internal.h"

bool peers_in_view(const struct mlog *m, uint32_t node)
{
	for (uint32_t i = 0; i < m->view_count; i++)
		if (m->view[i] == node)
			return true;
	return false;
}

/* Until I am READY again. */
bool peers_ahead(const struct mlog *m)
{
	return atomic_load(&m->hot->shared->truth) == MLOG_TRUTH_AHEAD;
}

uint64_t peers_rank(const struct mlog *m)
{
	if (m->live) {
		if (!m->mangled && !m->missed)
			return RANK_MEMORY + m->applied;
	} else if (m->inherited.in_sync != NULL) {
		if (!m->inherited.distrust)
			return RANK_MEMORY + m->inherited_applied;
	} else if (m->attached_once) {
		if (atomic_load(&m->hot->shared->truth) == MLOG_TRUTH_MEMORY)
			return RANK_MEMORY + m->applied;
	} else if (!m->follows) {
		return RANK_NONE;
	}
	return peers_ahead(m) ? RANK_AHEAD : RANK_KNOWS;
}

/* The most that anybody's state was worth so far. */
uint64_t peers_rank_max(const struct mlog *m)
{
	uint64_t max = peers_rank(m);

	for (uint32_t i = 0; i < m->peer_count; i++)
		if (m->peer[i].applied > max)
			max = m->peer[i].applied;
	return max;
}

struct peer *peers_find(struct mlog *m, uint32_t node)
{
	for (uint32_t i = 0; i < m->peer_count; i++)
		if (m->peer[i].node == node)
			return &m->peer[i];
	return NULL;
}

struct peer *peers_add(struct mlog *m, uint32_t node)
{
	struct peer *peer = peers_find(m, node);

	if (peer == NULL && m->peer_count < PEERS_MAX) {
		peer = &m->peer[m->peer_count++];
		memset(peer, 0, sizeof(*peer));
		peer->node = node;
	}
	return peer;
}

/* All of the view, anew; who has asked me stays known. */
void peers_ask(struct mlog *m)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < m->peer_count; i++)
		if (peers_in_view(m, m->peer[i].node)) {
			m->peer[kept] = m->peer[i];
			m->peer[kept++].answered = false;
		}
	m->peer_count = kept;
	for (uint32_t i = 0; i < m->view_count; i++)
		if (m->view[i] != m->config.node)
			peers_add(m, m->view[i]);
}

/* Of a table that another has replaced everybody knows the same: it is on the log device that was
 * made ready for the later one. */
static uint64_t rank_told(const struct mlog *m, const struct peer *peer)
{
	uint64_t rank = peers_rank(m);

	return m->outdated && peer->join.join.prepared && rank > RANK_KNOWS ? RANK_KNOWS : rank;
}

void peers_send_none(struct mlog *m, const struct peer *peer)
{
	struct mlog_message *message = group_send(m, MLOG_MSG_NONE);
	bool joining = m->group > GROUP_OUT && !m->leaving;

	message->none.to = peer->node;
	message->none.incarnation = peer->join.incarnation;
	message->none.joining = joining;
	message->none.founding = joining && m->group >= GROUP_COPYING;
	message->none.applied = rank_told(m, peer);
}

/* Or it would become a member with me, and nobody would hear of it again. */
void peers_left(struct mlog *m, const struct mlog_message *message)
{
	struct peer *peer = peers_find(m, message->from);

	if (peer != NULL && peer->join.incarnation == message->incarnation)
		peer->joining = peer->joined = false;
}

bool peer_goes_first(const struct mlog *m, const struct peer *peer)
{
	uint64_t applied = peers_rank(m);

	return peer->applied > applied || (peer->applied == applied && peer->node < m->config.node);
}

/* Is there nobody who could help, or who should be asked before me? */
bool peers_let_me_first(const struct mlog *m)
{
	for (uint32_t i = 0; i < m->peer_count; i++) {
		const struct peer *peer = &m->peer[i];

		if (!peer->answered || peer->founding)
			return false;
		if (peer->joining && peer_goes_first(m, peer))
			return false;
	}
	return true;
}
