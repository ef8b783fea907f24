/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Group messages. Input: one byte of modes, then the datagram. Most inputs are mended first, so
 * that mutations reach what lies behind the checksum.
 */
#include <errno.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/cursor.h"
#include "codec/group.h"
#include "codec/trace.h"
#include "test/fuzz/fuzz.h"
#include "test/fuzz/group_modes.h"

#define CHECKED_AT 8U /* the checksum covers what follows */

static uint8_t again[GROUP_MESSAGE_MAX];
static struct group_room room;
static struct group_room room_again;

static void mend(uint8_t *datagram, size_t size)
{
	struct writer w = writer_of(datagram, size);

	write_bytes(&w, "dlmg", 4);
	w = writer_of(datagram + CHECKED_AT, size - CHECKED_AT);
	write_u32(&w, (uint32_t)size);
	write_u16(&w, 1);
	w = writer_of(datagram + 4, sizeof(uint32_t));
	write_u32(&w, crc32c(datagram + CHECKED_AT, size - CHECKED_AT));
}

static void same_state(const struct mlog_state *a, const struct mlog_state *b)
{
	MUST(a->snap == b->snap && a->last == b->last && a->map == b->map);
	MUST(a->member_count == b->member_count && a->words == b->words && a->first == b->first);
	MUST(a->member_count <= MLOG_MEMBERS_MAX && a->words <= GROUP_WORDS_MAX);
	MUST(memcmp(a->member, b->member, a->member_count * sizeof(*a->member)) == 0);
	MUST(memcmp(a->word, b->word, a->words * sizeof(*a->word)) == 0);
}

static void same_message(const struct mlog_message *a, const struct mlog_message *b)
{
	MUST(a->kind == b->kind && a->from == b->from);
	MUST(a->incarnation == b->incarnation && a->seq == b->seq);
	if (a->kind == MLOG_MSG_STATE)
		same_state(&a->state, &b->state);
	else
		MUST(memcmp(a, b, sizeof(*a)) == 0);
}

/* What was understood can be said again, in either version, and means the same. */
static void check_round_trip(const struct group_header *header, const struct mlog_message *m,
			     uint16_t version)
{
	struct group_versions versions;
	struct group_header seen;
	struct mlog_message copy;
	int size;

	group_versions_init(&versions, GROUP_VERSION);
	group_versions_view(&versions, &header->node, 1);
	group_versions_seen(&versions, header->node, version);
	size = group_encode(&versions, &header->mirror, m, again, sizeof(again));
	MUST(size >= (int)GROUP_HEADER_SIZE);
	MUST(group_decode(again, (size_t)size, version, &seen, &room_again, &copy) == 0);
	MUST(memcmp(&seen.mirror, &header->mirror, sizeof(seen.mirror)) == 0);
	MUST(seen.node == header->node && !seen.hello && seen.version <= version);
	if (m->kind == MLOG_MSG_JOIN && seen.version < GROUP_REVISION_VERSION) {
		MUST(copy.join.revision == MLOG_REVISION_UNKNOWN);
		copy.join.revision = m->join.revision;
	}
	same_message(m, &copy);
	MUST(group_encode(&versions, &header->mirror, m, again, (size_t)size - 1) == -ENOSPC);
}

static void check_reload(const uint8_t *datagram, size_t size, const struct group_header *header)
{
	struct group_versions versions;
	struct group_reload m;
	struct group_reload copy;
	int again_size;

	MUST(group_decode_reload(datagram, size, &m) == 0);
	MUST(m.from == header->node && header->version >= GROUP_RELOAD_VERSION);
	MUST(strlen(m.text) < sizeof(m.text));
	MUST(m.step != GROUP_RELOAD_PLAN || group_plan_valid(&m.plan));
	group_versions_init(&versions, GROUP_VERSION);
	again_size = group_encode_reload(&versions, &header->mirror, &m, again, sizeof(again));
	MUST(again_size == (int)size);
	MUST(group_decode_reload(again, size, &copy) == 0);
	MUST(memcmp(&m, &copy, sizeof(m)) == 0);
	MUST(group_encode_reload(&versions, &header->mirror, &m, again, size - 1) == -ENOSPC);
}

static void check_errand(const uint8_t *datagram, size_t size, const struct group_header *header)
{
	static struct group_errand m;
	static struct group_errand copy;
	struct group_versions versions;

	MUST(group_decode_errand(datagram, size, &m) == 0);
	MUST(m.from == header->node && header->version >= GROUP_ERRAND_VERSION);
	MUST(strlen(m.text) < sizeof(m.text) && m.count <= MLOG_VIEW_MAX);
	group_versions_init(&versions, GROUP_VERSION);
	MUST(group_encode_errand(&versions, &m, again, sizeof(again)) == (int)size);
	MUST(group_decode_errand(again, size, &copy) == 0);
	MUST(memcmp(&m, &copy, sizeof(m)) == 0);
	MUST(group_encode_errand(&versions, &m, again, size - 1) == -ENOSPC);
}

static void check_trace(const struct mlog_message *m)
{
	char line[TRACE_LINE_SIZE];

	memset(line, 0xee, sizeof(line));
	trace_event(&(struct mlog_event){.kind = MLOG_EV_MESSAGE, .message = m}, line);
	MUST(memchr(line, '\0', sizeof(line)) != NULL && strlen(line) > 10);
	trace_effect(&(struct mlog_effect){.kind = MLOG_SEND, .message = m}, line);
	MUST(memchr(line, '\0', sizeof(line)) != NULL && strlen(line) > 8);
}

static void check(const uint8_t *datagram, size_t size, uint16_t highest)
{
	struct group_header header;
	struct mlog_message m;
	int rc;

	memset(&m, 0xa5, sizeof(m));
	rc = group_decode(datagram, size, highest, &header, &room, &m);
	if (rc != 0) {
		MUST(rc == -EBADMSG || rc == -EPROTONOSUPPORT || rc == -EINVAL);
		MUST(rc != -EBADMSG || header.node == 0);
		return;
	}
	MUST(header.node != 0 && header.version >= 1 && header.version <= highest);
	MUST(header.highest >= header.version);
	if (header.hello) {
		MUST(size == GROUP_HEADER_SIZE);
		return;
	}
	if (header.reload) {
		check_reload(datagram, size, &header);
		return;
	}
	if (header.errand) {
		check_errand(datagram, size, &header);
		return;
	}
	MUST(m.from == header.node && m.kind < MLOG_MESSAGES);
	for (uint16_t version = 1; version <= GROUP_VERSION; version++)
		check_round_trip(&header, &m, version);
	check_trace(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *datagram;

	if (size < 1 || size - 1 > GROUP_MESSAGE_MAX)
		return 0;
	/* one byte is for the mode; the datagram ends the memory */
	datagram = malloc(size);
	MUST(datagram != NULL);
	memcpy(datagram, data, size);
	if ((data[0] & GROUP_MODE_MEND) != 0 && size - 1 >= GROUP_HEADER_SIZE)
		mend(datagram + 1, size - 1);
	for (size_t at = 1; at < size;) {
		size_t first = group_first(datagram + at, size - at);

		MUST(first > 0 && first <= size - at);
		check(datagram + at, first, (data[0] & GROUP_MODE_OLD) != 0 ? 1 : GROUP_VERSION);
		at += first;
	}
	free(datagram);
	return 0;
}
