/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the bytes of group messages. Each kind is written, read and checked; what may be sent and
 * what may be received is decided by the same check.
 */
#include "codec/group.h"

#include <errno.h>
#include <string.h>

/* For one function without state, of a library that every host has. */
#include <uuid/uuid.h>

#include "base/bits.h"
#include "base/crc32c.h"
#include "base/cursor.h"
#include "codec/group_internal.h"
#include "codec/table.h"

#define MAGIC	       UINT32_C(0x676d6c64) /* "dlmg" */
#define HEADER_VERSION 1U
#define CHECKED_AT     8U /* the checksum is of what lies behind it */
#define KIND_HELLO     1U

/* STATE */
#define STATE_LAST 1U
#define STATE_SAME 2U /* version 2: all words are the one that follows */

/* a member in STATE */
#define MEMBER_INFORMED	  1U
#define MEMBER_LIVE	  2U
#define MEMBER_REPLICATED 4U
#define MEMBER_MARKED	  8U
#define MEMBER_LEASE_ANY  16U

#define JOIN_LIVE     1U
#define JOIN_HAS_DISK 2U
#define JOIN_PREPARED 4U /* version 6 */
#define NONE_JOINING  1U
#define NONE_FOUNDING 2U
#define DIRTY_LAST    1U
#define DIRTY_ALL     2U

static const uint16_t kind_number[MLOG_MESSAGES] = {
    [MLOG_MSG_JOIN] = 2,  [MLOG_MSG_NONE] = 3,	  [MLOG_MSG_SNAP] = 4,	 [MLOG_MSG_STATE] = 5,
    [MLOG_MSG_READY] = 6, [MLOG_MSG_LEAVE] = 7,	  [MLOG_MSG_SYNC] = 8,	 [MLOG_MSG_LEASE] = 9,
    [MLOG_MSG_WANT] = 10, [MLOG_MSG_UNSEEN] = 11, [MLOG_MSG_CLAIM] = 12, [MLOG_MSG_DONE] = 13,
    [MLOG_MSG_ACK] = 14,  [MLOG_MSG_DIRTY] = 15,  [MLOG_MSG_MARKS] = 16, [MLOG_MSG_UNMARKS] = 17,
    [MLOG_MSG_LOST] = 18,
};

/* ---- the mirror's name */

void group_mirror_of(const char *uuid, struct group_mirror *ret)
{
	/* a84f5bfa-4f0c-45a9-8701-66e2d6fef20a */
	static const uuid_t names_of_mirrors = {0xa8, 0x4f, 0x5b, 0xfa, 0x4f, 0x0c, 0x45, 0xa9,
						0x87, 0x01, 0x66, 0xe2, 0xd6, 0xfe, 0xf2, 0x0a};

	_Static_assert(sizeof(uuid_t) == sizeof(ret->byte), "a UUID has 16 bytes");
	uuid_generate_sha1(ret->byte, names_of_mirrors, uuid, strlen(uuid));
}

bool group_mirror_is_none(const struct group_mirror *mirror)
{
	static const struct group_mirror none;

	return memcmp(mirror, &none, sizeof(none)) == 0;
}

/* ---- parts of bodies */

static uint8_t flag(bool set, unsigned bit)
{
	return (uint8_t)(set ? bit : 0);
}

/* A byte of flags, of which only those of known may be set. */
static uint8_t read_flags(struct reader *r, unsigned known)
{
	uint8_t flags = read_u8(r);

	if ((flags & ~known) != 0)
		r->failed = true;
	return flags;
}

/* Bit i stands for region i of a claim. */
static bool mask_valid(uint32_t mask)
{
	return mask >> MLOG_COPIES_MAX == 0;
}

static bool numbers_valid(const uint64_t *number, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (number[i] > GROUP_REGIONS_MAX)
			return false;
	return true;
}

static void write_numbers(struct writer *w, const uint64_t *number, uint32_t count)
{
	write_u32(w, count);
	for (uint32_t i = 0; i < count; i++)
		write_u64(w, number[i]);
}

/* A count, which must not be above max, and so many numbers. */
static uint32_t read_numbers(struct reader *r, uint64_t *ret, uint32_t max)
{
	uint32_t count = read_u32(r);

	if (count > max) {
		r->failed = true;
		return 0;
	}
	for (uint32_t i = 0; i < count; i++)
		ret[i] = read_u64(r);
	return count;
}

static void write_items(struct writer *w, const struct mlog_items *items)
{
	write_numbers(w, items->item, items->count);
}

static void read_items(struct reader *r, struct mlog_items *ret)
{
	ret->count = read_numbers(r, ret->item, MLOG_ITEMS_MAX);
}

static bool items_valid(const struct mlog_items *items, uint32_t max)
{
	return items->count <= max && numbers_valid(items->item, items->count);
}

/* ---- JOIN, NONE */

static void join_write(struct writer *w, const struct mlog_message *m, uint16_t version)
{
	bool prepared = m->join.prepared && version >= GROUP_LOG_VERSION;

	write_u8(w, flag(m->join.live, JOIN_LIVE) | flag(m->join.has_disk, JOIN_HAS_DISK) |
			flag(prepared, JOIN_PREPARED));
	write_u64(w, m->join.region_count);
	write_u64(w, m->join.region_sectors);
	write_u32(w, m->join.slot);
	write_u64(w, m->join.applied);
	write_u64(w, m->join.bound);
	write_u64(w, m->join.recovering);
	if (version >= GROUP_REVISION_VERSION)
		write_u64(w, m->join.revision);
}

/* highest: of the sender; only who can have revisions could have said one. */
static void join_read(struct reader *r, uint16_t version, uint16_t highest, struct mlog_message *m)
{
	uint8_t later = version >= GROUP_LOG_VERSION ? JOIN_PREPARED : 0;
	uint8_t flags = read_flags(r, JOIN_LIVE | JOIN_HAS_DISK | later);

	m->join.live = (flags & JOIN_LIVE) != 0;
	m->join.has_disk = (flags & JOIN_HAS_DISK) != 0;
	m->join.prepared = (flags & JOIN_PREPARED) != 0;
	m->join.region_count = read_u64(r);
	m->join.region_sectors = read_u64(r);
	m->join.slot = read_u32(r);
	m->join.applied = read_u64(r);
	m->join.bound = read_u64(r);
	m->join.recovering = read_u64(r);
	if (version >= GROUP_REVISION_VERSION) {
		m->join.revision = read_u64(r);
		r->failed |= m->join.revision > TABLE_REVISION_MAX;
	} else if (highest >= GROUP_REVISION_VERSION) {
		m->join.revision = MLOG_REVISION_UNKNOWN;
	}
}

static bool join_valid(const struct mlog_message *m)
{
	uint64_t sectors = m->join.region_sectors;

	return m->join.region_count >= 1 && m->join.region_count <= GROUP_REGIONS_MAX &&
	       sectors >= 1 && (sectors & (sectors - 1)) == 0 &&
	       (m->join.slot < MLOG_MEMBERS_MAX || m->join.slot == MLOG_NO_SLOT) &&
	       (m->join.live || m->join.slot == MLOG_NO_SLOT) &&
	       m->join.bound <= GROUP_REGIONS_MAX && m->join.recovering <= m->join.region_count &&
	       (m->join.live || m->join.recovering == 0) &&
	       (!m->join.prepared ||
		(m->join.revision != 0 && m->join.revision != MLOG_REVISION_UNKNOWN));
}

static void none_write(struct writer *w, const struct mlog_message *m)
{
	write_u8(w, flag(m->none.joining, NONE_JOINING) | flag(m->none.founding, NONE_FOUNDING));
	write_u32(w, m->none.to);
	write_u64(w, m->none.incarnation);
	write_u64(w, m->none.applied);
}

static void none_read(struct reader *r, struct mlog_message *m)
{
	uint8_t flags = read_flags(r, NONE_JOINING | NONE_FOUNDING);

	m->none.joining = (flags & NONE_JOINING) != 0;
	m->none.founding = (flags & NONE_FOUNDING) != 0;
	m->none.to = read_u32(r);
	m->none.incarnation = read_u64(r);
	m->none.applied = read_u64(r);
}

static bool none_valid(const struct mlog_message *m)
{
	return m->none.to != 0;
}

/* ---- STATE */

static void member_write(struct writer *w, const struct mlog_member *member)
{
	write_u8(w, (uint8_t)member->state);
	write_u8(w, flag(member->informed, MEMBER_INFORMED) | flag(member->live, MEMBER_LIVE) |
			flag(member->replicated, MEMBER_REPLICATED) |
			flag(member->marked, MEMBER_MARKED) |
			flag(member->lease_any, MEMBER_LEASE_ANY));
	write_u32(w, member->node);
	write_u64(w, member->incarnation);
	write_u64(w, member->bound);
	write_u64(w, member->lease_first);
	write_u64(w, member->lease);
	write_u64(w, member->claim_seq);
	if (member->claim_seq == 0)
		return;
	write_u32(w, member->claim_waits);
	write_u32(w, member->claim_busy);
	write_numbers(w, member->claim, member->claim_count);
}

static void member_read(struct reader *r, struct mlog_member *member)
{
	uint8_t state = read_u8(r);
	uint8_t flags = read_flags(r, MEMBER_INFORMED | MEMBER_LIVE | MEMBER_REPLICATED |
					  MEMBER_MARKED | MEMBER_LEASE_ANY);

	memset(member, 0, sizeof(*member));
	if (state > MLOG_MEMBER_GONE)
		r->failed = true;
	else
		member->state = (enum mlog_member_state)state;
	member->informed = (flags & MEMBER_INFORMED) != 0;
	member->live = (flags & MEMBER_LIVE) != 0;
	member->replicated = (flags & MEMBER_REPLICATED) != 0;
	member->marked = (flags & MEMBER_MARKED) != 0;
	member->lease_any = (flags & MEMBER_LEASE_ANY) != 0;
	member->node = read_u32(r);
	member->incarnation = read_u64(r);
	member->bound = read_u64(r);
	member->lease_first = read_u64(r);
	member->lease = read_u64(r);
	member->claim_seq = read_u64(r);
	if (member->claim_seq == 0)
		return;
	member->claim_waits = read_u32(r);
	member->claim_busy = read_u32(r);
	member->claim_count = read_numbers(r, member->claim, MLOG_COPIES_MAX);
}

static bool claim_valid(const struct mlog_member *member)
{
	return member->claim_count <= MLOG_COPIES_MAX &&
	       numbers_valid(member->claim, member->claim_count);
}

static bool member_valid(const struct mlog_member *member)
{
	return member->state <= MLOG_MEMBER_GONE &&
	       (member->state == MLOG_MEMBER_NONE || member->node != 0) &&
	       member->bound <= GROUP_REGIONS_MAX && member->lease_first < GROUP_REGIONS_MAX &&
	       (member->claim_seq == 0 || claim_valid(member));
}

static bool words_same(const struct mlog_state *s)
{
	for (uint32_t i = 1; i < s->words; i++)
		if (s->word[i] != s->word[0])
			return false;
	return s->words > 0;
}

static bool state_needs_version_2(const struct mlog_state *s)
{
	return s->words > 1 && words_same(s);
}

static void state_write(struct writer *w, const struct mlog_state *s, uint16_t version)
{
	bool same = version >= 2;

	write_u8(w, flag(s->last, STATE_LAST) | flag(same, STATE_SAME));
	write_u64(w, s->snap);
	write_u8(w, (uint8_t)s->member_count);
	for (uint32_t i = 0; i < s->member_count; i++)
		member_write(w, &s->member[i]);
	write_u8(w, (uint8_t)s->map);
	write_u64(w, s->first);
	write_u32(w, s->words);
	for (uint32_t i = 0; i < (same ? 1 : s->words); i++)
		write_u64(w, s->word[i]);
}

static void state_read(struct reader *r, uint16_t version, struct group_room *room,
		       struct mlog_state *s)
{
	uint8_t flags = read_flags(r, STATE_LAST | (version >= 2 ? STATE_SAME : 0));

	s->last = (flags & STATE_LAST) != 0;
	s->snap = read_u64(r);
	s->member_count = read_u8(r);
	s->member = room->member;
	for (uint32_t i = 0; i < s->member_count && i < MLOG_MEMBERS_MAX; i++)
		member_read(r, &room->member[i]);
	s->map = read_u8(r);
	s->first = read_u64(r);
	s->words = read_u32(r);
	s->word = room->word;
	if ((flags & STATE_SAME) != 0 && s->words < 2)
		r->failed = true;
	for (uint32_t i = 0; i < s->words && i < GROUP_WORDS_MAX; i++)
		room->word[i] = i > 0 && (flags & STATE_SAME) != 0 ? room->word[0] : read_u64(r);
}

static bool state_valid(const struct mlog_state *s)
{
	if (s->snap == 0 || s->member_count > MLOG_MEMBERS_MAX || s->words > GROUP_WORDS_MAX ||
	    s->map >= MLOG_MAP_MARKS + MLOG_MEMBERS_MAX ||
	    s->first > GROUP_REGIONS_MAX / BITS_PER_WORD - s->words)
		return false;
	for (uint32_t i = 0; i < s->member_count; i++)
		if (!member_valid(&s->member[i]))
			return false;
	return true;
}

/* ---- DIRTY, MARKS */

static void dirty_write(struct writer *w, const struct mlog_message *m)
{
	write_u8(w, flag(m->dirty_bits.last, DIRTY_LAST) | flag(m->dirty_bits.all, DIRTY_ALL));
	write_u32(w, m->dirty_bits.slot);
	write_u64(w, m->dirty_bits.incarnation);
	write_items(w, &m->dirty_bits.items);
}

static void dirty_read(struct reader *r, struct mlog_message *m)
{
	uint8_t flags = read_flags(r, DIRTY_LAST | DIRTY_ALL);

	m->dirty_bits.last = (flags & DIRTY_LAST) != 0;
	m->dirty_bits.all = (flags & DIRTY_ALL) != 0;
	m->dirty_bits.slot = read_u32(r);
	m->dirty_bits.incarnation = read_u64(r);
	read_items(r, &m->dirty_bits.items);
}

static bool dirty_valid(const struct mlog_message *m)
{
	return m->dirty_bits.slot < MLOG_MEMBERS_MAX &&
	       items_valid(&m->dirty_bits.items, MLOG_ITEMS_MAX);
}

/* ---- bodies */

static void body_write(struct writer *w, const struct mlog_message *m, uint16_t version)
{
	switch (m->kind) {
	case MLOG_MSG_JOIN:
		join_write(w, m, version);
		break;
	case MLOG_MSG_NONE:
		none_write(w, m);
		break;
	case MLOG_MSG_STATE:
		state_write(w, &m->state, version);
		break;
	case MLOG_MSG_SNAP:
		write_u64(w, m->applied);
		break;
	case MLOG_MSG_LEAVE:
		write_u8(w, m->dirty);
		break;
	case MLOG_MSG_SYNC:
		write_u8(w, m->sync.in_sync);
		write_u64(w, m->sync.region);
		break;
	case MLOG_MSG_LEASE:
		write_u64(w, m->lease.from);
		write_u32(w, m->lease.regions);
		break;
	case MLOG_MSG_WANT:
	case MLOG_MSG_UNSEEN:
		write_u64(w, m->region);
		break;
	case MLOG_MSG_CLAIM:
		write_items(w, &m->claim);
		break;
	case MLOG_MSG_DONE:
		write_u64(w, m->done.claim);
		write_u32(w, m->done.repaired);
		break;
	case MLOG_MSG_ACK:
		write_u32(w, m->ack.to);
		write_u64(w, m->ack.incarnation);
		write_u64(w, m->ack.seq);
		write_u32(w, m->ack.busy);
		break;
	case MLOG_MSG_DIRTY:
		dirty_write(w, m);
		break;
	case MLOG_MSG_MARKS:
	case MLOG_MSG_UNMARKS:
		write_u8(w, m->marks.all);
		write_items(w, &m->marks.items);
		break;
	case MLOG_MSG_READY:
	case MLOG_MSG_LOST:
	case MLOG_MESSAGES:
		break;
	}
}

static void body_read(struct reader *r, const struct group_raw *h, struct group_room *room,
		      struct mlog_message *m)
{
	switch (m->kind) {
	case MLOG_MSG_JOIN:
		join_read(r, h->version, h->highest, m);
		break;
	case MLOG_MSG_NONE:
		none_read(r, m);
		break;
	case MLOG_MSG_STATE:
		state_read(r, h->version, room, &m->state);
		break;
	case MLOG_MSG_SNAP:
		m->applied = read_u64(r);
		break;
	case MLOG_MSG_LEAVE:
		m->dirty = read_flags(r, 1) != 0;
		break;
	case MLOG_MSG_SYNC:
		m->sync.in_sync = read_flags(r, 1) != 0;
		m->sync.region = read_u64(r);
		break;
	case MLOG_MSG_LEASE:
		m->lease.from = read_u64(r);
		m->lease.regions = read_u32(r);
		break;
	case MLOG_MSG_WANT:
	case MLOG_MSG_UNSEEN:
		m->region = read_u64(r);
		break;
	case MLOG_MSG_CLAIM:
		read_items(r, &m->claim);
		break;
	case MLOG_MSG_DONE:
		m->done.claim = read_u64(r);
		m->done.repaired = read_u32(r);
		break;
	case MLOG_MSG_ACK:
		m->ack.to = read_u32(r);
		m->ack.incarnation = read_u64(r);
		m->ack.seq = read_u64(r);
		m->ack.busy = read_u32(r);
		break;
	case MLOG_MSG_DIRTY:
		dirty_read(r, m);
		break;
	case MLOG_MSG_MARKS:
	case MLOG_MSG_UNMARKS:
		m->marks.all = read_flags(r, 1) != 0;
		read_items(r, &m->marks.items);
		break;
	case MLOG_MSG_READY:
	case MLOG_MSG_LOST:
	case MLOG_MESSAGES:
		break;
	}
}

static bool body_valid(const struct mlog_message *m)
{
	switch (m->kind) {
	case MLOG_MSG_JOIN:
		return join_valid(m);
	case MLOG_MSG_NONE:
		return none_valid(m);
	case MLOG_MSG_STATE:
		return state_valid(&m->state);
	case MLOG_MSG_SYNC:
		return m->sync.region < GROUP_REGIONS_MAX;
	case MLOG_MSG_LEASE:
		return m->lease.from <= GROUP_REGIONS_MAX && m->lease.regions >= 1 &&
		       m->lease.regions <= MLOG_LEASE_MAX;
	case MLOG_MSG_WANT:
	case MLOG_MSG_UNSEEN:
		return m->region <= GROUP_REGIONS_MAX;
	case MLOG_MSG_CLAIM:
		return m->claim.count >= 1 && items_valid(&m->claim, MLOG_COPIES_MAX);
	case MLOG_MSG_DONE:
		return m->done.claim != 0 && mask_valid(m->done.repaired);
	case MLOG_MSG_ACK:
		return m->ack.to != 0 && m->ack.seq != 0 && mask_valid(m->ack.busy);
	case MLOG_MSG_DIRTY:
		return dirty_valid(m);
	case MLOG_MSG_MARKS:
	case MLOG_MSG_UNMARKS:
		return items_valid(&m->marks.items, MLOG_ITEMS_MAX);
	case MLOG_MSG_SNAP:
	case MLOG_MSG_READY:
	case MLOG_MSG_LOST:
	case MLOG_MSG_LEAVE:
		return true;
	case MLOG_MESSAGES:
		break;
	}
	return false;
}

/* A node that does not have the mirror says NONE without counting. */
static bool message_valid(const struct mlog_message *m)
{
	return m->from != 0 && (m->seq != 0 || m->kind == MLOG_MSG_NONE) && body_valid(m);
}

/* ---- whole messages */

bool group_printable(const char *text, bool lines)
{
	for (const char *c = text; *c != '\0'; c++)
		if (((unsigned char)*c < ' ' && !(lines && *c == '\n')) || *c == 0x7f)
			return false;
	return true;
}

static void header_write(struct writer *w, const struct group_raw *h, uint32_t checksum)
{
	write_u32(w, MAGIC);
	write_u32(w, checksum);
	write_u32(w, h->length);
	write_u16(w, HEADER_VERSION);
	write_u16(w, h->highest);
	write_u16(w, h->version);
	write_u16(w, h->kind);
	write_u32(w, h->node);
	write_u64(w, h->incarnation);
	write_u64(w, h->seq);
	write_bytes(w, h->mirror.byte, sizeof(h->mirror.byte));
}

/* The header of a message whose body stands behind it in buffer already. */
void group_header_finish(void *buffer, const struct group_raw *h)
{
	struct writer w = writer_of(buffer, GROUP_HEADER_SIZE);
	uint32_t checksum;

	header_write(&w, h, 0);
	checksum = crc32c((const uint8_t *)buffer + CHECKED_AT, h->length - CHECKED_AT);
	w = writer_of(buffer, GROUP_HEADER_SIZE);
	header_write(&w, h, checksum);
}

/* Where nobody has said more than that he is there, a JOIN says which revision its table has: it would
 * not be let in without, and an older daemon cannot have that mirror. The worst is that one misses
 * the JOIN, and the next one, which comes when its NONE does not, goes in its version. A table that
 * has none may be an older daemon's, too, and he must not miss what the others are given. */
static bool revision_said(const struct group_versions *versions, const struct mlog_message *m)
{
	if (m->join.revision == MLOG_REVISION_UNKNOWN)
		return false;
	if (m->join.revision == 0)
		return group_versions_spoken(versions) >= GROUP_REVISION_VERSION;
	return !group_versions_exclude(versions, GROUP_REVISION_VERSION);
}

/* The lowest that says all of it, of those that are understood. */
static uint16_t body_version(const struct group_versions *versions, const struct mlog_message *m)
{
	if (m->kind == MLOG_MSG_STATE && group_versions_spoken(versions) >= 2 &&
	    state_needs_version_2(&m->state))
		return 2;
	if (m->kind == MLOG_MSG_JOIN && revision_said(versions, m))
		return m->join.prepared && !group_versions_exclude(versions, GROUP_LOG_VERSION)
			   ? GROUP_LOG_VERSION
			   : GROUP_REVISION_VERSION;
	return 1;
}

int group_encode(const struct group_versions *versions, const struct group_mirror *mirror,
		 const struct mlog_message *message, void *ret, size_t cap)
{
	struct writer w = writer_of(ret, cap < GROUP_MESSAGE_MAX ? cap : GROUP_MESSAGE_MAX);
	struct group_raw h = {
	    .highest = versions->own,
	    .node = message->from,
	    .incarnation = message->incarnation,
	    .seq = message->seq,
	    .mirror = *mirror,
	};

	if (!message_valid(message) || group_mirror_is_none(mirror))
		return -EINVAL;
	h.version = body_version(versions, message);
	write_zeros(&w, GROUP_HEADER_SIZE);
	body_write(&w, message, h.version);
	if (w.failed)
		return -ENOSPC;
	h.kind = kind_number[message->kind];
	h.length = (uint32_t)(w.at - (uint8_t *)ret);
	group_header_finish(ret, &h);
	return (int)h.length;
}

int group_encode_hello(const struct group_versions *versions, uint32_t node, void *ret, size_t cap)
{
	struct group_raw h = {
	    .length = GROUP_HEADER_SIZE,
	    .highest = versions->own,
	    .version = 1,
	    .kind = KIND_HELLO,
	    .node = node,
	};

	if (node == 0)
		return -EINVAL;
	if (cap < GROUP_HEADER_SIZE)
		return -ENOSPC;
	group_header_finish(ret, &h);
	return (int)h.length;
}

size_t group_first(const void *datagram, size_t size)
{
	struct reader r = reader_of(datagram, size);
	uint32_t length;

	read_u32(&r); /* magic */
	read_u32(&r); /* checksum */
	length = read_u32(&r);
	return length >= GROUP_HEADER_SIZE && length < size ? length : size;
}

int group_header_read(struct reader *r, const void *datagram, size_t size, struct group_raw *ret)
{
	struct group_raw h = {0};
	uint32_t magic = read_u32(r);
	uint32_t checksum = read_u32(r);
	uint16_t header_version;

	h.length = read_u32(r);
	if (size < GROUP_HEADER_SIZE || size > GROUP_MESSAGE_MAX || magic != MAGIC ||
	    h.length != size ||
	    checksum != crc32c((const uint8_t *)datagram + CHECKED_AT, size - CHECKED_AT))
		return -EBADMSG;
	header_version = read_u16(r);
	if (header_version > HEADER_VERSION)
		return -EPROTONOSUPPORT;
	h.highest = read_u16(r);
	h.version = read_u16(r);
	h.kind = read_u16(r);
	h.node = read_u32(r);
	h.incarnation = read_u64(r);
	h.seq = read_u64(r);
	memcpy(h.mirror.byte, read_bytes(r, sizeof(h.mirror.byte)), sizeof(h.mirror.byte));
	*ret = h;
	return header_version == 0 || h.node == 0 || h.version == 0 || h.version > h.highest
		   ? -EINVAL
		   : 0;
}

static int hello_check(const struct group_raw *h)
{
	return h->version == 1 && h->length == GROUP_HEADER_SIZE && h->incarnation == 0 &&
		       h->seq == 0 && group_mirror_is_none(&h->mirror)
		   ? 0
		   : -EINVAL;
}

static bool kind_find(uint16_t number, enum mlog_message_kind *ret)
{
	for (unsigned kind = 0; kind < MLOG_MESSAGES; kind++) {
		if (kind_number[kind] == number) {
			*ret = (enum mlog_message_kind)kind;
			return true;
		}
	}
	return false;
}

int group_decode(const void *datagram, size_t size, uint16_t highest,
		 struct group_header *ret_header, struct group_room *room, struct mlog_message *ret)
{
	struct reader r = reader_of(datagram, size);
	struct group_raw h;
	struct mlog_message m;
	int rc = group_header_read(&r, datagram, size, &h);

	*ret_header = (struct group_header){0};
	memset(&m, 0, sizeof(m));
	if (rc < 0)
		return rc;
	*ret_header = (struct group_header){
	    .hello = h.kind == KIND_HELLO,
	    .reload = h.kind == GROUP_KIND_RELOAD,
	    .errand = h.kind == GROUP_KIND_ERRAND,
	    .version = h.version,
	    .highest = h.highest,
	    .node = h.node,
	    .mirror = h.mirror,
	};
	if (h.version > highest)
		return -EPROTONOSUPPORT;
	if (h.kind == KIND_HELLO)
		return hello_check(&h);
	if (h.kind == GROUP_KIND_RELOAD)
		return group_reload_check(&r, &h);
	if (h.kind == GROUP_KIND_ERRAND)
		return group_errand_check(&r, &h);
	if (!kind_find(h.kind, &m.kind) || group_mirror_is_none(&h.mirror))
		return -EINVAL;
	m.from = h.node;
	m.incarnation = h.incarnation;
	m.seq = h.seq;
	body_read(&r, &h, room, &m);
	if (r.failed || r.left > 0 || !message_valid(&m))
		return -EINVAL;
	*ret = m;
	return 0;
}
