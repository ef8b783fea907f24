/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Group messages: every kind there and back, its very bytes, and every reason to refuse one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "base/cursor.h"
#include "codec/group.h"
#include "test/unit/group_samples.h"

/* places in the header */
#define AT_MAGIC	  0
#define AT_CHECKSUM	  4
#define AT_LENGTH	  8
#define AT_HEADER_VERSION 12
#define AT_HIGHEST	  14
#define AT_VERSION	  16
#define AT_KIND		  18
#define AT_NODE		  20
#define AT_INCARNATION	  24
#define AT_SEQ		  32
#define AT_MIRROR	  40
#define BODY		  GROUP_HEADER_SIZE

#define NUMBER_TOO_HIGH (GROUP_REGIONS_MAX + 1)

static uint8_t message[GROUP_MESSAGE_MAX + 1];
static struct group_room room;

static struct group_mirror mirror(void)
{
	struct group_mirror ret;

	group_mirror_of(group_samples_uuid, &ret);
	return ret;
}

/* A group of one that speaks `spoken`. */
static struct group_versions speaking(uint16_t spoken)
{
	struct group_versions v;
	const uint32_t node = 7;

	group_versions_init(&v, GROUP_VERSION);
	group_versions_view(&v, &node, 1);
	group_versions_seen(&v, node, spoken);
	assert_int_equal(group_versions_spoken(&v), spoken);
	return v;
}

static int encode(const struct mlog_message *m, uint16_t version, size_t cap)
{
	struct group_versions v = speaking(version);
	struct group_mirror name = mirror();

	return group_encode(&v, &name, m, message, cap);
}

static int decode(size_t size, uint16_t highest, struct group_header *header,
		  struct mlog_message *m)
{
	memset(header, 0xa5, sizeof(*header));
	memset(m, 0xa5, sizeof(*m));
	memset(&room, 0xa5, sizeof(room));
	return group_decode(message, size, highest, header, &room, m);
}

static void put(size_t at, uint64_t value, size_t bytes)
{
	struct writer w = writer_of(message + at, bytes);

	for (; bytes > 0; bytes--, value >>= 8)
		write_u8(&w, (uint8_t)value);
	assert_int_equal(value, 0);
}

/* Length and checksum of what stands there now. */
static void seal(size_t size)
{
	put(AT_LENGTH, size, 4);
	put(AT_CHECKSUM, crc32c(message + AT_LENGTH, size - AT_LENGTH), 4);
}

static const struct group_sample *sample(const char *name)
{
	for (unsigned i = 0; i < group_samples_count; i++)
		if (strcmp(group_samples[i].name, name) == 0)
			return &group_samples[i];
	fail_msg("no sample %s", name);
	return NULL;
}

/* The bytes of a sample in `message`. */
static size_t load(const char *name)
{
	if (strcmp(name, "hello") == 0)
		return group_samples_bytes(group_samples_hello, message);
	return group_samples_bytes(sample(name)->hex, message);
}

static int decode_sealed(size_t size)
{
	struct group_header header;
	struct mlog_message m;

	seal(size);
	return decode(size, GROUP_VERSION, &header, &m);
}

static void assert_state_equal(const struct mlog_state *a, const struct mlog_state *b)
{
	assert_int_equal(a->snap, b->snap);
	assert_int_equal(a->last, b->last);
	assert_int_equal(a->member_count, b->member_count);
	assert_int_equal(a->map, b->map);
	assert_int_equal(a->first, b->first);
	assert_int_equal(a->words, b->words);
	if (a->member_count > 0)
		assert_memory_equal(a->member, b->member, a->member_count * sizeof(*a->member));
	if (a->words > 0)
		assert_memory_equal(a->word, b->word, a->words * sizeof(*a->word));
}

static void assert_message_equal(const struct mlog_message *a, const struct mlog_message *b)
{
	if (a->kind != MLOG_MSG_STATE) {
		assert_memory_equal(a, b, sizeof(*a));
		return;
	}
	assert_int_equal(b->kind, MLOG_MSG_STATE);
	assert_int_equal(a->from, b->from);
	assert_int_equal(a->incarnation, b->incarnation);
	assert_int_equal(a->seq, b->seq);
	assert_state_equal(&a->state, &b->state);
}

/* ---- there and back */

static void test_every_kind_has_a_sample(void **state)
{
	bool seen[MLOG_MESSAGES] = {false};

	(void)state;
	for (unsigned i = 0; i < group_samples_count; i++)
		seen[group_samples[i].message.kind] = true;
	for (unsigned kind = 0; kind < MLOG_MESSAGES; kind++)
		assert_true(seen[kind]);
}

static void test_golden_bytes(void **state)
{
	uint8_t golden[1024];

	(void)state;
	for (unsigned i = 0; i < group_samples_count; i++) {
		const struct group_sample *s = &group_samples[i];
		size_t size = group_samples_bytes(s->hex, golden);

		assert_int_equal(encode(&s->message, s->version, sizeof(message)), size);
		assert_memory_equal(message, golden, size);
	}
}

static void test_round_trip(void **state)
{
	struct group_header header;
	struct group_mirror name = mirror();
	struct mlog_message seen;

	(void)state;
	for (unsigned i = 0; i < group_samples_count; i++) {
		const struct group_sample *s = &group_samples[i];
		size_t size = load(s->name);

		assert_int_equal(decode(size, GROUP_VERSION, &header, &seen), 0);
		assert_message_equal(&s->message, &seen);
		assert_false(header.hello);
		assert_int_equal(header.version, s->version);
		assert_int_equal(header.highest, GROUP_VERSION);
		assert_int_equal(header.node, 7);
		assert_memory_equal(&header.mirror, &name, sizeof(name));
	}
}

static void test_hello(void **state)
{
	struct group_versions v = speaking(2);
	uint8_t golden[GROUP_HEADER_SIZE];
	struct group_header header;
	struct mlog_message seen;
	size_t size = group_samples_bytes(group_samples_hello, golden);

	(void)state;
	assert_int_equal(group_encode_hello(&v, 7, message, sizeof(message)), size);
	assert_memory_equal(message, golden, size);
	/* who understands the first version only understands this */
	assert_int_equal(decode(size, 1, &header, &seen), 0);
	assert_true(header.hello);
	assert_int_equal(header.version, 1);
	assert_int_equal(header.highest, GROUP_VERSION);
	assert_int_equal(header.node, 7);
	assert_int_equal(group_encode_hello(&v, 0, message, sizeof(message)), -EINVAL);
	for (size_t cap = 0; cap < size; cap++)
		assert_int_equal(group_encode_hello(&v, 7, message, cap), -ENOSPC);
}

/* Whatever the group speaks, only what needs version 2 goes in version 2. */
static void test_lowest_version_that_has_the_form(void **state)
{
	struct group_header header;
	struct mlog_message seen;

	(void)state;
	for (unsigned i = 0; i < group_samples_count; i++) {
		const struct group_sample *s = &group_samples[i];
		int size = encode(&s->message, 2, sizeof(message));
		bool same = strncmp(s->name, "state-same", 10) == 0;

		assert_true(size > 0);
		assert_int_equal(decode((size_t)size, 2, &header, &seen), 0);
		assert_int_equal(header.version, same ? 2 : 1);
		if (s->message.kind == MLOG_MSG_JOIN) {
			assert_true(seen.join.revision == MLOG_REVISION_UNKNOWN);
			assert_false(seen.join.prepared);
			/* are not told then */
			seen.join.revision = s->message.join.revision;
			seen.join.prepared = s->message.join.prepared;
		}
		assert_message_equal(&s->message, &seen);
	}
}

/* As JOIN goes out: which revision is told, and in which version of the protocol. */
static void revision_is_told(const struct group_versions *v, uint64_t revision, uint16_t version,
			     uint64_t told)
{
	struct mlog_message m = sample("join")->message;
	struct group_mirror name = mirror();
	struct group_header header;
	struct mlog_message seen;
	int size;

	m.join.revision = revision;
	size = group_encode(v, &name, &m, message, sizeof(message));
	assert_true(size > 0);
	assert_int_equal(decode((size_t)size, GROUP_VERSION, &header, &seen), 0);
	assert_int_equal(header.version, version);
	assert_true(seen.join.revision == told);
}

/* Nobody has said yet which version he speaks, one does not speak it, and then all do. */
static void test_a_join_says_its_revision_at_once(void **state)
{
	const uint32_t node[] = {7, 8};
	struct group_versions v;

	(void)state;
	group_versions_init(&v, GROUP_VERSION);
	group_versions_view(&v, node, 2);
	assert_int_equal(group_versions_spoken(&v), 1);
	assert_false(group_versions_exclude(&v, GROUP_REVISION_VERSION));
	revision_is_told(&v, 3, GROUP_REVISION_VERSION, 3);
	revision_is_told(&v, 0, 1, MLOG_REVISION_UNKNOWN);
	group_versions_seen(&v, 8, GROUP_REVISION_VERSION - 1);
	assert_true(group_versions_exclude(&v, GROUP_REVISION_VERSION));
	revision_is_told(&v, 3, 1, MLOG_REVISION_UNKNOWN);
	revision_is_told(&v, 0, 1, MLOG_REVISION_UNKNOWN);
	group_versions_seen(&v, 7, GROUP_VERSION);
	group_versions_seen(&v, 8, GROUP_VERSION);
	revision_is_told(&v, 3, GROUP_REVISION_VERSION, 3);
	revision_is_told(&v, 0, GROUP_REVISION_VERSION, 0);
	revision_is_told(&v, MLOG_REVISION_UNKNOWN, 1, MLOG_REVISION_UNKNOWN);
}

static bool prepared_is_told(const struct group_versions *v, uint16_t version)
{
	struct mlog_message m = sample("join")->message;
	struct group_mirror name = mirror();
	struct group_header header;
	struct mlog_message seen;
	int size;

	m.join.revision = 3;
	m.join.prepared = true;
	size = group_encode(v, &name, &m, message, sizeof(message));
	assert_true(size > 0);
	assert_int_equal(decode((size_t)size, GROUP_VERSION, &header, &seen), 0);
	assert_int_equal(header.version, version);
	return seen.join.prepared;
}

static void test_a_join_says_that_its_log_was_made_ready(void **state)
{
	const uint32_t node[] = {7, 8};
	struct mlog_message m = sample("join")->message;
	struct group_mirror name = mirror();
	struct group_versions v;

	(void)state;
	group_versions_init(&v, GROUP_VERSION);
	group_versions_view(&v, node, 2);
	assert_true(prepared_is_told(&v, GROUP_LOG_VERSION));
	group_versions_seen(&v, 8, GROUP_LOG_VERSION - 1);
	assert_false(prepared_is_told(&v, GROUP_REVISION_VERSION));
	group_versions_seen(&v, 7, GROUP_VERSION);
	group_versions_seen(&v, 8, GROUP_VERSION);
	assert_true(prepared_is_told(&v, GROUP_LOG_VERSION));
	m.join.prepared = true; /* for a table that says no revision */
	m.join.revision = 0;
	assert_int_equal(group_encode(&v, &name, &m, message, sizeof(message)), -EINVAL);
}

static void test_one_word_is_no_run(void **state)
{
	const uint64_t word = UINT64_MAX;
	struct mlog_message m = sample("state-empty")->message;
	struct group_header header;
	struct mlog_message seen;
	int size;

	(void)state;
	m.state.words = 1;
	m.state.word = &word;
	size = encode(&m, 2, sizeof(message));
	assert_int_equal(decode((size_t)size, 1, &header, &seen), 0);
	assert_int_equal(header.version, 1);
	assert_message_equal(&m, &seen);
}

/* The largest STATE fits, in version 1; and version 2 makes a whole map of equal words small. */
static void test_largest_state(void **state)
{
	static struct mlog_member member[MLOG_MEMBERS_MAX];
	static uint64_t word[GROUP_WORDS_MAX];
	struct mlog_message m = sample("state")->message;
	struct group_header header;
	struct mlog_message seen;
	int size;

	(void)state;
	for (unsigned i = 0; i < MLOG_MEMBERS_MAX; i++) {
		member[i] = sample("state")->message.state.member[1];
		member[i].claim_count = MLOG_COPIES_MAX;
		for (unsigned k = 0; k < MLOG_COPIES_MAX; k++)
			member[i].claim[k] = GROUP_REGIONS_MAX - k;
	}
	for (unsigned i = 0; i < GROUP_WORDS_MAX; i++)
		word[i] = i;
	m.state.member = member;
	m.state.member_count = MLOG_MEMBERS_MAX;
	m.state.word = word;
	m.state.words = GROUP_WORDS_MAX;
	m.state.first = GROUP_REGIONS_MAX / 64 - GROUP_WORDS_MAX;
	size = encode(&m, 2, GROUP_MESSAGE_MAX);
	assert_in_range(size, 1, GROUP_MESSAGE_MAX);
	assert_int_equal(decode((size_t)size, GROUP_VERSION, &header, &seen), 0);
	assert_int_equal(header.version, 1);
	assert_message_equal(&m, &seen);

	memset(word, 0, sizeof(word));
	m.state.member_count = 0;
	size = encode(&m, 2, GROUP_MESSAGE_MAX);
	assert_in_range(size, 1, 100);
	assert_int_equal(decode((size_t)size, GROUP_VERSION, &header, &seen), 0);
	assert_int_equal(header.version, 2);
	assert_message_equal(&m, &seen);
	m.state.words++;
	assert_int_equal(encode(&m, 2, GROUP_MESSAGE_MAX), -EINVAL);
}

static void test_no_room(void **state)
{
	(void)state;
	for (unsigned i = 0; i < group_samples_count; i++) {
		const struct group_sample *s = &group_samples[i];
		size_t size = strlen(s->hex) / 2;

		memset(message, 0xee, sizeof(message));
		for (size_t cap = 0; cap < size; cap++) {
			assert_int_equal(encode(&s->message, s->version, cap), -ENOSPC);
			assert_int_equal(message[cap], 0xee);
		}
	}
}

static void test_several_in_one_datagram(void **state)
{
	struct group_header header;
	struct mlog_message seen;
	size_t second = load("want");
	static uint8_t both[GROUP_MESSAGE_MAX];
	size_t first;

	(void)state;
	memcpy(both, message, second);
	first = load("sync");
	memmove(both + first, both, second);
	memcpy(both, message, first);
	assert_int_equal(group_first(both, first + second), first);
	assert_int_equal(group_first(both + first, second), second);
	memcpy(message, both + first, second);
	assert_int_equal(decode(second, GROUP_VERSION, &header, &seen), 0);
	assert_int_equal(seen.kind, MLOG_MSG_WANT);
	/* a length that cannot be leaves it to the decoder to refuse all */
	for (size_t cut = 0; cut < 12; cut++)
		assert_int_equal(group_first(both, cut), cut);
	for (uint32_t length = 0; length < GROUP_HEADER_SIZE; length++) {
		both[8] = (uint8_t)length;
		both[9] = both[10] = both[11] = 0;
		assert_int_equal(group_first(both, first + second), first + second);
	}
	memset(both + 8, 0xff, 4);
	assert_int_equal(group_first(both, first + second), first + second);
}

/* ---- what is refused: headers */

static void test_every_flipped_bit_is_noticed(void **state)
{
	struct group_header header;
	struct mlog_message seen;

	(void)state;
	for (unsigned i = 0; i < group_samples_count; i++) {
		size_t size = load(group_samples[i].name);

		for (size_t bit = 0; bit < size * 8; bit++) {
			message[bit / 8] ^= (uint8_t)(1U << (bit % 8));
			assert_int_equal(decode(size, GROUP_VERSION, &header, &seen), -EBADMSG);
			assert_int_equal(header.node, 0);
			message[bit / 8] ^= (uint8_t)(1U << (bit % 8));
		}
	}
}

/* Cut, and with a length and a checksum that are right for what is left. */
static void test_every_length(void **state)
{
	struct group_header header;
	struct mlog_message seen;

	(void)state;
	for (unsigned i = 0; i < group_samples_count; i++) {
		size_t size = load(group_samples[i].name);

		for (size_t cut = 0; cut < size; cut++)
			assert_int_equal(decode(cut, GROUP_VERSION, &header, &seen), -EBADMSG);
		for (size_t cut = GROUP_HEADER_SIZE; cut < size; cut++) {
			load(group_samples[i].name);
			assert_int_equal(decode_sealed(cut), -EINVAL);
		}
		load(group_samples[i].name);
		message[size] = 0;
		assert_int_equal(decode(size + 1, GROUP_VERSION, &header, &seen), -EBADMSG);
		assert_int_equal(decode_sealed(size + 1), -EINVAL);
	}
	load("marks");
	assert_int_equal(decode_sealed(sizeof(message)), -EBADMSG);
}

/* value in `bytes` bytes at `at` of a sample, sealed: what is said to it? */
static void refused(const char *name, size_t at, uint64_t value, size_t bytes, int error)
{
	size_t size = load(name);

	assert_true(at + bytes <= size);
	assert_int_equal(decode_sealed(size), 0);
	put(at, value, bytes);
	if (decode_sealed(size) != error)
		fail_msg("%s: %llu at %zu is not refused with %d", name, (unsigned long long)value,
			 at, error);
}

static void test_bad_headers(void **state)
{
	(void)state;
	refused("ready", AT_MAGIC, 0x676d6c65, 4, -EBADMSG);
	refused("ready", AT_HEADER_VERSION, 0, 2, -EINVAL);
	refused("ready", AT_HEADER_VERSION, 2, 2, -EPROTONOSUPPORT);
	refused("ready", AT_HIGHEST, 0, 2, -EINVAL);
	refused("ready", AT_VERSION, 0, 2, -EINVAL);
	refused("ready", AT_VERSION, GROUP_VERSION + 1, 2,
		-EINVAL); /* above the sender's own highest */
	refused("state-same-2", AT_HIGHEST, 1, 2, -EINVAL);
	refused("ready", AT_KIND, 0, 2, -EINVAL);
	refused("ready", AT_KIND, 21, 2, -EINVAL);
	refused("ready", AT_KIND, UINT16_MAX, 2, -EINVAL);
	refused("ready", AT_KIND, 1, 2, -EINVAL); /* a HELLO about a mirror */
	refused("ready", AT_NODE, 0, 4, -EINVAL);
	refused("ready", AT_SEQ, 0, 8, -EINVAL);
	load("ready");
	memset(message + AT_MIRROR, 0, sizeof(struct group_mirror));
	assert_int_equal(decode_sealed(GROUP_HEADER_SIZE), -EINVAL);
	refused("hello", AT_VERSION, 2, 2, -EINVAL);
	refused("hello", AT_NODE, 0, 4, -EINVAL);
	refused("hello", AT_INCARNATION, 1, 8, -EINVAL);
	refused("hello", AT_SEQ, 1, 8, -EINVAL);
	refused("hello", AT_MIRROR + 15, 1, 1, -EINVAL);
	load("hello");
	message[GROUP_HEADER_SIZE] = 0;
	assert_int_equal(decode_sealed(GROUP_HEADER_SIZE + 1), -EINVAL);
}

static void test_unknown_versions(void **state)
{
	struct group_header header;
	struct mlog_message seen;
	size_t size = load("state-same-2");

	(void)state;
	assert_int_equal(decode(size, 1, &header, &seen), -EPROTONOSUPPORT);
	assert_int_equal(header.node, 7);
	assert_int_equal(header.version, 2);
	size = load("ready");
	put(AT_HIGHEST, GROUP_VERSION + 1, 2);
	assert_int_equal(decode_sealed(size), 0); /* a newer daemon that speaks our version */
	put(AT_VERSION, GROUP_VERSION + 1, 2);
	seal(size);
	assert_int_equal(decode(size, GROUP_VERSION, &header, &seen), -EPROTONOSUPPORT);
	assert_int_equal(header.node, 7);
	assert_int_equal(header.highest, GROUP_VERSION + 1);
	/* a later header version: nothing is known of what follows */
	put(AT_HEADER_VERSION, 2, 2);
	seal(size);
	assert_int_equal(decode(size, GROUP_VERSION, &header, &seen), -EPROTONOSUPPORT);
	assert_int_equal(header.node, 0);
}

static void test_refused_messages_leave_ret_alone(void **state)
{
	struct mlog_message untouched;
	struct group_header header;
	struct mlog_message seen;
	size_t size = load("claim");

	(void)state;
	memset(&untouched, 0xa5, sizeof(untouched));
	put(BODY, 17, 4);
	seal(size);
	assert_int_equal(decode(size, GROUP_VERSION, &header, &seen), -EINVAL);
	assert_memory_equal(&seen, &untouched, sizeof(seen));
	assert_int_equal(header.node, 7);
	size = load("hello");
	assert_int_equal(decode(size, GROUP_VERSION, &header, &seen), 0);
	assert_memory_equal(&seen, &untouched, sizeof(seen));
}

/* ---- what is refused: bodies */

static void test_bad_joins(void **state)
{
	(void)state;
	refused("join", BODY, 4, 1, -EINVAL);	  /* flags */
	refused("join", BODY + 1, 0, 8, -EINVAL); /* regions */
	refused("join", BODY + 1, NUMBER_TOO_HIGH, 8, -EINVAL);
	refused("join", BODY + 9, 0, 8, -EINVAL); /* sectors of a region */
	refused("join", BODY + 9, 1023, 8, -EINVAL);
	refused("join", BODY + 17, MLOG_MEMBERS_MAX, 4, -EINVAL); /* slot */
	refused("join-fresh", BODY + 17, 0, 4, -EINVAL);	  /* a slot, and not live */
	refused("join", BODY + 29, NUMBER_TOO_HIGH, 8, -EINVAL);  /* bound */
	refused("join", BODY + 37, 1001, 8, -EINVAL);		  /* recovers behind the end */
	refused("join-fresh", BODY + 37, 1, 8, -EINVAL);	  /* recovers, and not live */
	refused("none", BODY, 4, 1, -EINVAL);
	refused("none", BODY + 1, 0, 4, -EINVAL); /* to nobody */
}

/* Offsets in "state": flags, snap, count, then members of 46, 78, 46 and 46 bytes. */
static void test_bad_states(void **state)
{
	const size_t members = BODY + 10;
	const size_t with_claim = members + 46;
	const size_t behind = with_claim + 46 + 12 + 16 + 46 + 46;

	(void)state;
	refused("state", BODY, 2, 1, -EINVAL); /* a run is not of version 1 */
	refused("state-same-2", BODY, 4, 1, -EINVAL);
	refused("state", BODY + 1, 0, 8, -EINVAL);			  /* snap */
	refused("state", BODY + 9, 33, 1, -EINVAL);			  /* members */
	refused("state", members, 4, 1, -EINVAL);			  /* state of one */
	refused("state", members + 1, 32, 1, -EINVAL);			  /* flags */
	refused("state", with_claim + 2, 0, 4, -EINVAL);		  /* node */
	refused("state", with_claim + 14, NUMBER_TOO_HIGH, 8, -EINVAL);	  /* bound */
	refused("state", with_claim + 22, GROUP_REGIONS_MAX, 8, -EINVAL); /* lease */
	refused("state", with_claim + 38, 0, 8, -EINVAL);  /* no claim, but regions */
	refused("state", with_claim + 54, 17, 4, -EINVAL); /* regions of the claim */
	refused("state", with_claim + 58, NUMBER_TOO_HIGH, 8, -EINVAL);
	refused("state", behind, 34, 1, -EINVAL); /* map */
	refused("state", behind + 1, GROUP_REGIONS_MAX / 64 - 2, 8, -EINVAL);
	refused("state", behind + 1, UINT64_MAX, 8, -EINVAL);
	refused("state", behind + 9, 4, 4, -EINVAL); /* words */
	refused("state", behind + 9, GROUP_WORDS_MAX + 1, 4, -EINVAL);
	refused("state-same-2", BODY + 19, GROUP_WORDS_MAX + 1, 4, -EINVAL);
	refused("state-same-2", BODY + 19, 1, 4, -EINVAL); /* a run of one */
	refused("state-same-2", BODY + 19, UINT32_MAX, 4, -EINVAL);
}

static void test_bad_others(void **state)
{
	(void)state;
	refused("leave", BODY, 2, 1, -EINVAL);
	refused("sync", BODY, 2, 1, -EINVAL);
	refused("sync", BODY + 1, GROUP_REGIONS_MAX, 8, -EINVAL);
	refused("lease", BODY, NUMBER_TOO_HIGH, 8, -EINVAL);
	refused("lease", BODY + 8, 0, 4, -EINVAL);
	refused("lease", BODY + 8, MLOG_LEASE_MAX + 1, 4, -EINVAL);
	refused("want", BODY, NUMBER_TOO_HIGH, 8, -EINVAL);
	refused("unseen", BODY, UINT64_MAX, 8, -EINVAL);
	refused("claim", BODY, 0, 4, -EINVAL);
	refused("claim", BODY, 4, 4, -EINVAL);
	refused("claim", BODY, UINT32_MAX, 4, -EINVAL);
	refused("claim", BODY + 4, NUMBER_TOO_HIGH, 8, -EINVAL);
	refused("done", BODY, 0, 8, -EINVAL);
	refused("done", BODY + 8, 1U << MLOG_COPIES_MAX, 4, -EINVAL);
	refused("ack", BODY, 0, 4, -EINVAL);
	refused("ack", BODY + 12, 0, 8, -EINVAL);
	refused("ack", BODY + 20, 1U << MLOG_COPIES_MAX, 4, -EINVAL);
	refused("dirty", BODY, 4, 1, -EINVAL);
	refused("dirty", BODY + 1, MLOG_MEMBERS_MAX, 4, -EINVAL);
	refused("dirty", BODY + 13, 3, 4, -EINVAL);
	refused("dirty", BODY + 17, NUMBER_TOO_HIGH, 8, -EINVAL);
	refused("marks", BODY, 2, 1, -EINVAL);
	refused("unmarks", BODY + 1, MLOG_ITEMS_MAX + 1, 4, -EINVAL);
	refused("unmarks", BODY + 5, NUMBER_TOO_HIGH, 8, -EINVAL);
}

/* More items than there may be, and all of them there. */
static void test_too_many_items(void **state)
{
	const size_t marks = BODY + 1 + 4 + 8 * (MLOG_ITEMS_MAX + 1);
	const size_t claim = BODY + 4 + 8 * (MLOG_COPIES_MAX + 1);

	(void)state;
	memset(message, 0, sizeof(message));
	load("unmarks");
	put(BODY + 1, MLOG_ITEMS_MAX + 1, 4);
	assert_int_equal(decode_sealed(marks), -EINVAL);
	memset(message, 0, sizeof(message));
	load("claim");
	put(BODY, MLOG_COPIES_MAX + 1, 4);
	assert_int_equal(decode_sealed(claim), -EINVAL);
	put(BODY, MLOG_COPIES_MAX, 4);
	assert_int_equal(decode_sealed(claim - 8), 0);
}

/* ---- what is not sent */

static void not_sent(const struct mlog_message *m)
{
	assert_int_equal(encode(m, 2, sizeof(message)), -EINVAL);
}

#define NOT_SENT(name, member, value)                                                              \
	do {                                                                                       \
		struct mlog_message bad_ = sample(name)->message;                                  \
		bad_.member = value;                                                               \
		not_sent(&bad_);                                                                   \
	} while (0)

static void test_what_is_not_sent(void **state)
{
	const struct group_mirror nothing = {{0}};
	struct group_versions v = speaking(1);
	struct mlog_member member = {.state = MLOG_MEMBER_READY, .node = 1, .claim_seq = 1};

	(void)state;
	NOT_SENT("ready", kind, MLOG_MESSAGES);
	NOT_SENT("ready", from, 0);
	NOT_SENT("ready", seq, 0);
	NOT_SENT("join", join.region_count, 0);
	NOT_SENT("none", none.to, 0);
	NOT_SENT("state", state.member_count, MLOG_MEMBERS_MAX + 1);
	NOT_SENT("state", state.words, GROUP_WORDS_MAX + 1);
	NOT_SENT("sync", sync.region, GROUP_REGIONS_MAX);
	NOT_SENT("claim", claim.count, MLOG_COPIES_MAX + 1);
	NOT_SENT("dirty", dirty_bits.items.count, MLOG_ITEMS_MAX + 1);
	NOT_SENT("marks", marks.items.count, MLOG_ITEMS_MAX + 1);
	member.claim_count = MLOG_COPIES_MAX + 1;
	NOT_SENT("state", state.member, &member);
	assert_int_equal(
	    group_encode(&v, &nothing, &sample("ready")->message, message, sizeof(message)),
	    -EINVAL);
}

/* ---- RELOAD */

static const struct group_reload plan_sample = {
    .step = GROUP_RELOAD_PLAN,
    .from = 7,
    .id = {.node = 7, .number = UINT64_C(0x1122334455667788)},
    .plan = {.from_sectors = 2048,
	     .from_legs = 2,
	     .from_start = {0, 64},
	     .to_sectors = 4096,
	     .to_legs = 2,
	     .leg = {{.index = 1},
		     {.fresh = true, .start_sector = 128, .path = "/dev/mapper/new"}}},
};

static int reload_encode(const struct group_reload *m, size_t cap)
{
	struct group_versions v = speaking(3);
	struct group_mirror name = mirror();

	return group_encode_reload(&v, &name, m, message, cap);
}

/* By both functions that read it. */
static int reload_decode(size_t size, struct group_reload *ret)
{
	struct group_header header;
	struct mlog_message m;
	int rc = decode(size, GROUP_VERSION, &header, &m);

	assert_true(header.reload || rc != 0);
	assert_int_equal(group_decode_reload(message, size, ret), rc);
	return rc;
}

static void reload_round_trip(const struct group_reload *m)
{
	struct group_reload seen;
	int size = reload_encode(m, sizeof(message));

	assert_true(size > (int)GROUP_HEADER_SIZE);
	memset(&seen, 0xa5, sizeof(seen));
	assert_int_equal(reload_decode((size_t)size, &seen), 0);
	assert_int_equal(seen.step, m->step);
	assert_int_equal(seen.from, m->from);
	assert_int_equal(seen.id.node, m->id.node);
	assert_true(seen.id.number == m->id.number);
	assert_int_equal(seen.answer, m->answer);
	assert_string_equal(seen.text, m->text);
	if (m->step == GROUP_RELOAD_PLAN)
		assert_memory_equal(&seen.plan, &m->plan, sizeof(m->plan));
	assert_true(seen.revision == (m->step == GROUP_RELOAD_PLAN ? m->revision : 0));
	assert_string_equal(seen.log, m->log);
	for (size_t cap = 0; cap < (size_t)size; cap++)
		assert_int_equal(reload_encode(m, cap), -ENOSPC);
}

static void test_reloads(void **state)
{
	struct group_reload longest = plan_sample;
	struct group_header header;
	struct mlog_message m;
	uint8_t expected[256];

	(void)state;
	assert_int_equal(reload_encode(&plan_sample, sizeof(message)),
			 group_samples_bytes(group_samples_plan, expected));
	assert_memory_equal(message, expected, strlen(group_samples_plan) / 2);
	reload_round_trip(&plan_sample);
	for (unsigned step = GROUP_RELOAD_VOTE; step < GROUP_RELOAD_STEPS; step++) {
		unsigned good = 0;

		for (unsigned answer = 0; answer < GROUP_RELOAD_ANSWERS; answer++) {
			const struct group_reload said = {.step = (enum group_reload_step)step,
							  .from = 8,
							  .id = plan_sample.id,
							  .answer =
							      (enum group_reload_answer)answer,
							  .text = "it cannot"};

			if (reload_encode(&said, sizeof(message)) < 0)
				continue;
			reload_round_trip(&said);
			good++;
		}
		assert_in_range(good, 1, 4);
	}
	longest.plan.from_legs = longest.plan.to_legs = DLMIRROR_LEGS_MAX;
	for (uint32_t i = 1; i < DLMIRROR_LEGS_MAX; i++) {
		longest.plan.leg[i].fresh = true;
		longest.plan.leg[i].start_sector = UINT64_MAX - longest.plan.to_sectors;
		memset(longest.plan.leg[i].path, 'a' + (char)i, DLMIRROR_PATH_SIZE - 1);
		longest.plan.leg[i].path[0] = '/';
	}
	memset(longest.text, 'x', sizeof(longest.text) - 1);
	reload_round_trip(&longest);
	longest = plan_sample;
	longest.plan.leg[0].index = 0;
	longest.plan.leg[1] = (struct dlmirror_plan_leg){.index = 1, .stale = true};
	reload_round_trip(&longest);
	longest.revision = UINT64_MAX >> 1;
	reload_round_trip(&longest);
	assert_int_equal(decode((size_t)reload_encode(&longest, sizeof(message)), 4, &header, &m),
			 -EPROTONOSUPPORT);
	assert_int_equal(header.version, 5);
	longest.plan.leg[1].stale = false;
	longest.plan.to_sectors = longest.plan.from_sectors;
	memset(longest.log, 'x', sizeof(longest.log) - 1);
	longest.log[0] = '/';
	reload_round_trip(&longest);
	assert_int_equal(decode((size_t)reload_encode(&longest, sizeof(message)), 5, &header, &m),
			 -EPROTONOSUPPORT);
	assert_int_equal(header.version, GROUP_LOG_VERSION);
}

static void reload_bad(struct group_reload m)
{
	assert_int_equal(reload_encode(&m, sizeof(message)), -EINVAL);
}

static void test_bad_reloads(void **state)
{
	struct group_reload m = plan_sample;

	(void)state;
	m.from = 8; /* not who it says began it */
	reload_bad(m);
	m = plan_sample;
	m.id.number = 0;
	reload_bad(m);
	m = plan_sample;
	strcpy(m.text, "two\nlines");
	reload_bad(m);
	m = plan_sample;
	m.step = GROUP_RELOAD_STEPS;
	reload_bad(m);
	m = plan_sample;
	m.plan.to_legs = 1;
	reload_bad(m);
	m = plan_sample;
	m.plan.to_sectors = m.plan.from_sectors - 1;
	reload_bad(m);
	m = plan_sample;
	m.plan.leg[0].index = 2; /* there is none */
	reload_bad(m);
	m = plan_sample;
	m.plan.leg[1] = m.plan.leg[0]; /* twice */
	reload_bad(m);
	m = plan_sample;
	m.plan.leg[0] = m.plan.leg[1]; /* a source that holds nothing */
	m.plan.leg[1] = plan_sample.plan.leg[0];
	reload_bad(m);
	m = plan_sample;
	m.plan.leg[0].stale = true; /* and one that does not count */
	reload_bad(m);
	m = plan_sample;
	m.plan.leg[1].stale = true; /* what is fresh holds nothing anyway */
	reload_bad(m);
	m = plan_sample;
	strcpy(m.plan.leg[1].path, "sda");
	reload_bad(m);
	m = plan_sample;
	m.plan.leg[1].start_sector = UINT64_MAX - 1;
	reload_bad(m);
	m = plan_sample;
	strcpy(m.plan.leg[1].path, "/dev/\x1b[2J");
	reload_bad(m);
	m = plan_sample; /* another log device, with other legs */
	strcpy(m.log, "/dev/mapper/log");
	m.revision = 1;
	reload_bad(m);
	m.plan.to_sectors = m.plan.from_sectors;
	m.plan.leg[0].index = 0;
	m.plan.leg[1] = (struct dlmirror_plan_leg){.index = 1};
	reload_round_trip(&m);
	m.revision = 0;
	reload_bad(m);
	m.revision = 1;
	strcpy(m.log, "log");
	reload_bad(m);
	strcpy(m.log, "/dev/mapper/\n");
	reload_bad(m);
}

/* ---- ERRAND */

static const struct group_errand errand_sample = {
    .from = 7,
    .id = {.node = 7, .number = UINT64_C(0x1122334455667788)},
    .count = 2,
    .node = {7, 8},
    .what = DLMIRROR_ERRAND_ACTIVATE,
    .argument = {"web"},
};

static int errand_encode(const struct group_errand *m, size_t cap)
{
	struct group_versions v = speaking(GROUP_ERRAND_VERSION);

	return group_encode_errand(&v, m, message, cap);
}

/* By both functions that read it. */
static int errand_decode(size_t size, struct group_errand *ret)
{
	struct group_header header;
	struct mlog_message m;
	int rc = decode(size, GROUP_VERSION, &header, &m);

	assert_true(header.errand || rc != 0);
	assert_int_equal(group_decode_errand(message, size, ret), rc);
	return rc;
}

static void errand_round_trip(const struct group_errand *m)
{
	static struct group_errand seen;
	int size = errand_encode(m, sizeof(message));

	assert_true(size > (int)GROUP_HEADER_SIZE);
	memset(&seen, 0xa5, sizeof(seen));
	assert_int_equal(errand_decode((size_t)size, &seen), 0);
	assert_memory_equal(&seen, m, sizeof(seen));
	for (size_t cap = 0; cap < (size_t)size; cap += 1 + cap / 64)
		assert_int_equal(errand_encode(m, cap), -ENOSPC);
	for (size_t cut = 0; cut < (size_t)size; cut += 1 + cut / 64)
		assert_int_not_equal(group_decode_errand(message, cut, &seen), 0);
}

static void test_errands(void **state)
{
	static struct group_errand longest;
	uint8_t expected[256];
	size_t size = group_samples_bytes(group_samples_errand, expected);

	(void)state;
	assert_int_equal(errand_encode(&errand_sample, sizeof(message)), size);
	assert_memory_equal(message, expected, size);
	errand_round_trip(&errand_sample);
	longest = errand_sample;
	longest.what = (enum dlmirror_errand)UINT8_MAX; /* of a later daemon */
	longest.count = MLOG_VIEW_MAX;
	for (uint32_t i = 0; i < MLOG_VIEW_MAX; i++)
		longest.node[i] = UINT32_MAX - MLOG_VIEW_MAX + i;
	for (unsigned i = 0; i < DLMIRROR_ERRAND_ARGUMENTS; i++)
		memset(longest.argument[i], 'a', sizeof(longest.argument[i]) - 1);
	memset(longest.text, '\n', sizeof(longest.text) - 1);
	errand_round_trip(&longest);
	memset(&longest, 0, sizeof(longest));
	longest.from = 8;
	longest.id = errand_sample.id;
	longest.done = true;
	longest.code = UINT8_MAX;
	strcpy(longest.text, "one\ntwo\n");
	errand_round_trip(&longest);
}

static void errand_bad(struct group_errand m)
{
	assert_int_equal(errand_encode(&m, sizeof(message)), -EINVAL);
}

static void test_bad_errands(void **state)
{
	static struct group_errand m;
	struct group_versions older;
	int size;

	(void)state;
#define BAD(change)                                                                                \
	do {                                                                                       \
		m = errand_sample;                                                                 \
		change;                                                                            \
		errand_bad(m);                                                                     \
	} while (0)
	BAD(m.from = 8); /* another's errand */
	BAD(m.from = 0);
	BAD(m.id.node = 0);
	BAD(m.id.number = 0);
	BAD(m.count = 0);
	BAD(m.count = MLOG_VIEW_MAX + 1);
	BAD(m.node[1] = 7); /* twice */
	BAD(m.node[0] = 9); /* not in order */
	BAD(m.node[0] = 0);
	BAD(m.what = (enum dlmirror_errand)0);
	BAD(m.code = 1);
	BAD(strcpy(m.argument[1], "a\nb"));
	BAD(strcpy(m.text, "a\tb"));
#undef BAD
	size = errand_encode(&errand_sample, sizeof(message));
	put(AT_VERSION, 3, 2);
	seal((size_t)size);
	assert_int_equal(errand_decode((size_t)size, &m), -EINVAL);
	size = errand_encode(&errand_sample, sizeof(message));
	put(GROUP_HEADER_SIZE + 12, 2, 1); /* flags */
	seal((size_t)size);
	assert_int_equal(errand_decode((size_t)size, &m), -EINVAL);
	group_versions_init(&older, GROUP_ERRAND_VERSION - 1);
	assert_int_equal(group_encode_errand(&older, &errand_sample, message, sizeof(message)),
			 -EINVAL);
}

/* Whoever does not know that there is such a thing drops it, and says so by what it speaks. */
static void test_reloads_are_of_version_3(void **state)
{
	struct group_header header;
	struct group_reload seen;
	struct mlog_message m;
	int size = reload_encode(&plan_sample, sizeof(message));

	(void)state;
	assert_int_equal(decode((size_t)size, 2, &header, &m), -EPROTONOSUPPORT);
	put(AT_VERSION, 2, 2);
	seal((size_t)size);
	assert_int_equal(reload_decode((size_t)size, &seen), -EINVAL);
	size = reload_encode(&plan_sample, sizeof(message));
	put(AT_SEQ, 1, 8);
	seal((size_t)size);
	assert_int_equal(reload_decode((size_t)size, &seen), -EINVAL);
	size = reload_encode(&plan_sample, sizeof(message));
	message[size] = 0;
	seal((size_t)size + 1);
	assert_int_equal(reload_decode((size_t)size + 1, &seen), -EINVAL);
	for (size_t cut = GROUP_HEADER_SIZE; cut < (size_t)size; cut++) {
		reload_encode(&plan_sample, sizeof(message));
		seal(cut);
		assert_int_equal(reload_decode(cut, &seen), -EINVAL);
	}
}

/* ---- versions */

static void test_versions(void **state)
{
	const uint32_t three[] = {1, 2, 3};
	const uint32_t others[] = {3, 4};
	struct group_versions v;

	(void)state;
	group_versions_init(&v, 2);
	assert_int_equal(group_versions_spoken(&v), 1); /* no view */
	group_versions_seen(&v, 1, 2);
	assert_int_equal(group_versions_spoken(&v), 1);
	group_versions_view(&v, three, 3);
	assert_int_equal(group_versions_spoken(&v), 1); /* nobody has said it */
	group_versions_seen(&v, 1, 2);
	group_versions_seen(&v, 2, 2);
	assert_int_equal(group_versions_spoken(&v), 1); /* one has not */
	group_versions_seen(&v, 9, 1);			/* who is that? */
	group_versions_seen(&v, 3, 7);
	assert_int_equal(group_versions_spoken(&v), 2); /* as far as we can */
	group_versions_view(&v, three, 2);
	assert_int_equal(group_versions_spoken(&v), 2); /* who stays is known */
	group_versions_view(&v, three, 3);
	assert_int_equal(group_versions_spoken(&v), 1); /* who comes back is not */
	group_versions_seen(&v, 3, 2);
	assert_int_equal(group_versions_spoken(&v), 2);
	group_versions_seen(&v, 3, 1); /* the last word counts */
	assert_int_equal(group_versions_spoken(&v), 1);
	group_versions_seen(&v, 3, 2);
	group_versions_view(&v, others, 2);
	assert_int_equal(group_versions_spoken(&v), 1);
	group_versions_seen(&v, 4, 2);
	assert_int_equal(group_versions_spoken(&v), 2);

	group_versions_init(&v, 1); /* an older daemon among newer ones */
	group_versions_view(&v, others, 2);
	group_versions_seen(&v, 3, 2);
	group_versions_seen(&v, 4, 2);
	assert_int_equal(group_versions_spoken(&v), 1);
}

static void test_older_daemon_says_so(void **state)
{
	struct group_versions v;
	struct group_mirror name = mirror();
	struct group_header header;
	struct mlog_message seen;
	const uint32_t node = 7;
	int size;

	(void)state;
	group_versions_init(&v, 1);
	group_versions_view(&v, &node, 1);
	group_versions_seen(&v, node, 2);
	size = group_encode(&v, &name, &sample("state-same-2")->message, message, sizeof(message));
	assert_true(size > 0);
	assert_int_equal(decode((size_t)size, 1, &header, &seen), 0);
	assert_int_equal(header.highest, 1);
	assert_int_equal(header.version, 1);
}

/* Against another implementation of name-based UUIDs. */
static void test_mirror_names(void **state)
{
	static const uint8_t expected[2][16] = {
	    {0xa6, 0xa1, 0x31, 0xc0, 0x33, 0x97, 0x5d, 0x5e, 0x97, 0xd9, 0x8f, 0x37, 0xe3, 0x58,
	     0x60, 0xcb},
	    {0x8d, 0xc9, 0x7e, 0xe1, 0xdf, 0x3d, 0x54, 0xd6, 0x90, 0x88, 0xf1, 0x9c, 0x4f, 0xb0,
	     0xc3, 0x4d},
	};
	struct group_mirror name;

	(void)state;
	group_mirror_of("LVM-mirror-1", &name);
	assert_memory_equal(name.byte, expected[0], sizeof(name.byte));
	group_mirror_of("", &name);
	assert_memory_equal(name.byte, expected[1], sizeof(name.byte));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_kind_has_a_sample),
	    cmocka_unit_test(test_golden_bytes),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_hello),
	    cmocka_unit_test(test_lowest_version_that_has_the_form),
	    cmocka_unit_test(test_a_join_says_its_revision_at_once),
	    cmocka_unit_test(test_a_join_says_that_its_log_was_made_ready),
	    cmocka_unit_test(test_one_word_is_no_run),
	    cmocka_unit_test(test_largest_state),
	    cmocka_unit_test(test_no_room),
	    cmocka_unit_test(test_several_in_one_datagram),
	    cmocka_unit_test(test_every_flipped_bit_is_noticed),
	    cmocka_unit_test(test_every_length),
	    cmocka_unit_test(test_bad_headers),
	    cmocka_unit_test(test_unknown_versions),
	    cmocka_unit_test(test_refused_messages_leave_ret_alone),
	    cmocka_unit_test(test_bad_joins),
	    cmocka_unit_test(test_bad_states),
	    cmocka_unit_test(test_bad_others),
	    cmocka_unit_test(test_too_many_items),
	    cmocka_unit_test(test_what_is_not_sent),
	    cmocka_unit_test(test_reloads),
	    cmocka_unit_test(test_bad_reloads),
	    cmocka_unit_test(test_errands),
	    cmocka_unit_test(test_bad_errands),
	    cmocka_unit_test(test_reloads_are_of_version_3),
	    cmocka_unit_test(test_versions),
	    cmocka_unit_test(test_older_daemon_says_so),
	    cmocka_unit_test(test_mirror_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
