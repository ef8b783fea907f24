/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's messages. The datagrams are built and taken apart here with the kernel's own
 * structs, so that encoder and decoder are not each other's only witness.
 */
#include <assert.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <linux/connector.h>
#include <linux/dm-log-userspace.h>
#include <linux/netlink.h>

#include <cmocka.h>

#include "codec/kmsg.h"

#define REGIONS UINT64_C(2048)

/* cn_msg and dm_ulog_request without the flexible array at their ends, which forbids nesting them.
 */
struct connector {
	struct cb_id id;
	__u32 seq;
	__u32 ack;
	__u16 len;
	__u16 flags;
};

struct ulog {
	__u64 luid;
	char uuid[DM_UUID_LEN];
	char padding[3];
	__u32 version;
	__s32 error;
	__u32 seq;
	__u32 request_type;
	__u32 data_size;
};

#define SAME_PLACE(ours, theirs, member)                                                           \
	static_assert(offsetof(struct ours, member) == offsetof(struct theirs, member), #member)
SAME_PLACE(connector, cn_msg, id);
SAME_PLACE(connector, cn_msg, seq);
SAME_PLACE(connector, cn_msg, ack);
SAME_PLACE(connector, cn_msg, len);
SAME_PLACE(connector, cn_msg, flags);
SAME_PLACE(ulog, dm_ulog_request, luid);
SAME_PLACE(ulog, dm_ulog_request, uuid);
SAME_PLACE(ulog, dm_ulog_request, version);
SAME_PLACE(ulog, dm_ulog_request, error);
SAME_PLACE(ulog, dm_ulog_request, seq);
SAME_PLACE(ulog, dm_ulog_request, request_type);
SAME_PLACE(ulog, dm_ulog_request, data_size);
static_assert(sizeof(struct connector) == sizeof(struct cn_msg), "");
static_assert(sizeof(struct ulog) == sizeof(struct dm_ulog_request), "");

/* A message in parts; in a datagram they stand one behind the other, unaligned. */
struct frame {
	struct nlmsghdr nl;
	struct connector cn;
	struct ulog request;
	uint8_t data[KMSG_DATA_MAX + 64];
};

struct datagram {
	uint8_t byte[KMSG_SIZE_MAX + 64];
	size_t size;
};

static struct frame frame_make(uint32_t type, const void *data, uint32_t size)
{
	struct frame f;

	memset(&f, 0, sizeof(f));
	f.nl.nlmsg_len = KMSG_HEADER_SIZE + size;
	f.nl.nlmsg_type = NLMSG_DONE;
	f.nl.nlmsg_seq = 4711;
	f.cn.id.idx = CN_IDX_DM;
	f.cn.id.val = CN_VAL_DM_USERSPACE_LOG;
	f.cn.seq = 4711;
	f.cn.len = (uint16_t)(sizeof(f.request) + size);
	f.request.luid = UINT64_C(0xffff888012345678);
	strcpy(f.request.uuid, "LVM-abc-def");
	f.request.version = DM_ULOG_REQUEST_VERSION;
	f.request.seq = 4711;
	f.request.request_type = type;
	f.request.data_size = size;
	if (size > 0 && size <= sizeof(f.data))
		memcpy(f.data, data, size);
	return f;
}

static struct datagram frame_pack(const struct frame *f)
{
	struct datagram d;
	size_t size = f->nl.nlmsg_len - KMSG_HEADER_SIZE;

	memset(&d, 0, sizeof(d));
	memcpy(d.byte, &f->nl, 16);
	memcpy(d.byte + 16, &f->cn, 20);
	memcpy(d.byte + 36, &f->request, 160);
	if (size <= sizeof(f->data))
		memcpy(d.byte + KMSG_HEADER_SIZE, f->data, size);
	d.size = NLMSG_ALIGN(KMSG_HEADER_SIZE + size);
	return d;
}

static struct frame frame_unpack(const void *bytes, size_t size)
{
	const uint8_t *byte = bytes;
	struct frame f;

	memset(&f, 0, sizeof(f));
	memcpy(&f.nl, byte, 16);
	memcpy(&f.cn, byte + 16, 20);
	if (size > KMSG_ACK_SIZE) {
		memcpy(&f.request, byte + 36, 160);
		memcpy(f.data, byte + KMSG_HEADER_SIZE, size - KMSG_HEADER_SIZE);
	}
	return f;
}

static enum kmsg_problem decode(const struct frame *f, struct kmsg *ret)
{
	static struct datagram d; /* ret->data points into it */

	d = frame_pack(f);
	return kmsg_decode(d.byte, d.size, ret);
}

static void assert_header_decoded(const struct kmsg *k, const struct frame *f)
{
	assert_int_equal(k->cn_seq, f->cn.seq);
	assert_int_equal(k->seq, f->request.seq);
	assert_int_equal(k->luid, f->request.luid);
	assert_int_equal(k->version, f->request.version);
	assert_int_equal(k->request_type, f->request.request_type);
}

/* Payloads a type accepts, by size in bytes; -1 ends the list. */
static const struct {
	enum ulog_type type;
	const char *name;
	bool for_core;
	int sizes[8];
	uint32_t reply_size;
} types[] = {
    {ULOG_CTR, "CTR", false, {20, 21, 22, 23, 332, -1}, 0},
    {ULOG_DTR, "DTR", false, {0, -1}, 0},
    {ULOG_PRESUSPEND, "PRESUSPEND", true, {0, -1}, 0},
    {ULOG_POSTSUSPEND, "POSTSUSPEND", true, {0, -1}, 0},
    {ULOG_RESUME, "RESUME", true, {0, -1}, 0},
    {ULOG_GET_REGION_SIZE, "GET_REGION_SIZE", true, {0, -1}, 8},
    {ULOG_IS_CLEAN, "IS_CLEAN", true, {8, -1}, 8},
    {ULOG_IN_SYNC, "IN_SYNC", true, {8, -1}, 8},
    {ULOG_FLUSH, "FLUSH", true, {0, 8, 16, 256, 328, -1}, 0},
    {ULOG_MARK_REGION, "MARK_REGION", true, {8, 16, 256, 328, -1}, 0},
    {ULOG_CLEAR_REGION, "CLEAR_REGION", true, {8, 16, 256, 328, -1}, 0},
    {ULOG_GET_RESYNC_WORK, "GET_RESYNC_WORK", true, {0, -1}, 16},
    {ULOG_SET_REGION_SYNC, "SET_REGION_SYNC", true, {16, -1}, 0},
    {ULOG_GET_SYNC_COUNT, "GET_SYNC_COUNT", true, {0, -1}, 8},
    {ULOG_STATUS_INFO, "STATUS_INFO", false, {0, -1}, 0},
    {ULOG_STATUS_TABLE, "STATUS_TABLE", false, {0, -1}, 0},
    {ULOG_IS_REMOTE_RECOVERING, "IS_REMOTE_RECOVERING", true, {8, -1}, 16},
};

#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

static bool size_allowed(size_t type, int size)
{
	for (size_t i = 0; types[type].sizes[i] >= 0; i++) {
		if (types[type].sizes[i] == size)
			return true;
	}
	/* All multiples of 8 are regions, to the type that takes several. */
	return types[type].sizes[1] > 0 && types[type].for_core && size % 8 == 0 && size > 0;
}

static void test_the_table_of_types_is_complete(void **state)
{
	(void)state;
	assert_int_equal(TYPE_COUNT, ULOG_TYPES - 1);
	for (size_t i = 0; i < TYPE_COUNT; i++)
		assert_int_equal(types[i].type, i + 1);
	assert_int_equal(ULOG_CTR, DM_ULOG_CTR);
	assert_int_equal(ULOG_DTR, DM_ULOG_DTR);
	assert_int_equal(ULOG_PRESUSPEND, DM_ULOG_PRESUSPEND);
	assert_int_equal(ULOG_POSTSUSPEND, DM_ULOG_POSTSUSPEND);
	assert_int_equal(ULOG_RESUME, DM_ULOG_RESUME);
	assert_int_equal(ULOG_GET_REGION_SIZE, DM_ULOG_GET_REGION_SIZE);
	assert_int_equal(ULOG_IS_CLEAN, DM_ULOG_IS_CLEAN);
	assert_int_equal(ULOG_IN_SYNC, DM_ULOG_IN_SYNC);
	assert_int_equal(ULOG_FLUSH, DM_ULOG_FLUSH);
	assert_int_equal(ULOG_MARK_REGION, DM_ULOG_MARK_REGION);
	assert_int_equal(ULOG_CLEAR_REGION, DM_ULOG_CLEAR_REGION);
	assert_int_equal(ULOG_GET_RESYNC_WORK, DM_ULOG_GET_RESYNC_WORK);
	assert_int_equal(ULOG_SET_REGION_SYNC, DM_ULOG_SET_REGION_SYNC);
	assert_int_equal(ULOG_GET_SYNC_COUNT, DM_ULOG_GET_SYNC_COUNT);
	assert_int_equal(ULOG_STATUS_INFO, DM_ULOG_STATUS_INFO);
	assert_int_equal(ULOG_STATUS_TABLE, DM_ULOG_STATUS_TABLE);
	assert_int_equal(ULOG_IS_REMOTE_RECOVERING, DM_ULOG_IS_REMOTE_RECOVERING);
}

/* Every type, every protocol version, every payload size from none to the largest. */
static void test_requests(void **state)
{
	uint64_t regions[42];

	(void)state;
	for (size_t i = 0; i < 42; i++)
		regions[i] = REGIONS - 1 - i;
	for (size_t t = 0; t < TYPE_COUNT; t++) {
		for (uint32_t version = 0; version <= 3; version++) {
			for (int size = 0; size <= (int)KMSG_DATA_MAX; size++) {
				struct frame f = frame_make(types[t].type, regions, (uint32_t)size);
				struct mlog_request request = {0};
				struct kmsg k;
				enum kmsg_problem problem;

				f.request.version = version;
				if (types[t].type == ULOG_SET_REGION_SYNC && size == 16)
					memcpy(f.data + 8, &(uint64_t){1}, 8);
				assert_int_equal(decode(&f, &k), KMSG_OK);
				assert_header_decoded(&k, &f);
				assert_string_equal(k.uuid, "LVM-abc-def");
				assert_int_equal(k.type, types[t].type);
				assert_int_equal(k.data_size, size);
				assert_memory_equal(k.data, f.data, (size_t)size);

				problem = kmsg_request(&k, REGIONS, &request);
				if (!types[t].for_core) {
					assert_int_equal(problem, KMSG_BAD_TYPE);
					continue;
				}
				if (!size_allowed(t, size)) {
					assert_int_equal(problem, KMSG_BAD_DATA);
					continue;
				}
				assert_int_equal(problem, KMSG_OK);
				assert_int_equal(request.type, types[t].type);
				assert_int_equal(request.seq, 4711);
				if (types[t].type == ULOG_SET_REGION_SYNC) {
					assert_int_equal(request.region_count, 1);
					assert_true(request.in_sync);
				} else {
					assert_int_equal(request.region_count, size / 8);
				}
				assert_memory_equal(request.region, regions,
						    8 * request.region_count);
			}
		}
	}
}

static void test_region_limits(void **state)
{
	static const enum ulog_type with_region[] = {
	    ULOG_IS_CLEAN,
	    ULOG_IN_SYNC,
	    ULOG_FLUSH,
	    ULOG_MARK_REGION,
	    ULOG_CLEAR_REGION,
	    ULOG_SET_REGION_SYNC,
	    ULOG_IS_REMOTE_RECOVERING,
	};
	static const uint64_t bad[] = {REGIONS, REGIONS + 1, UINT64_C(1) << 32, UINT64_MAX};
	struct mlog_request request = {.seq = 99};
	struct kmsg k;

	(void)state;
	for (size_t t = 0; t < sizeof(with_region) / sizeof(with_region[0]); t++) {
		uint32_t size = with_region[t] == ULOG_SET_REGION_SYNC ? 16 : 8;
		uint64_t data[2] = {REGIONS - 1, 0};
		struct frame f = frame_make(with_region[t], data, size);

		assert_int_equal(decode(&f, &k), KMSG_OK);
		assert_int_equal(kmsg_request(&k, REGIONS, &request), KMSG_OK);
		assert_int_equal(request.region[0], REGIONS - 1);
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			struct mlog_request untouched = {.seq = 99};

			data[0] = bad[i];
			f = frame_make(with_region[t], data, size);
			assert_int_equal(decode(&f, &k), KMSG_OK);
			assert_int_equal(kmsg_request(&k, REGIONS, &untouched), KMSG_BAD_DATA);
			assert_int_equal(untouched.seq, 99);
		}
	}
}

static void test_one_bad_region_spoils_the_group(void **state)
{
	uint64_t regions[MLOG_GROUP_MAX] = {0};
	struct mlog_request request;
	struct kmsg k;

	(void)state;
	for (size_t i = 0; i < MLOG_GROUP_MAX; i++) {
		struct frame f;

		regions[i] = REGIONS;
		f = frame_make(ULOG_MARK_REGION, regions, sizeof(regions));
		assert_int_equal(decode(&f, &k), KMSG_OK);
		assert_int_equal(kmsg_request(&k, REGIONS, &request), KMSG_BAD_DATA);
		regions[i] = 0;
	}
}

static void test_set_region_sync_values(void **state)
{
	static const uint64_t bad[] = {2, UINT64_MAX, UINT64_C(1) << 32, UINT64_C(1) << 63};
	uint64_t data[2] = {7, 0};
	struct mlog_request request;
	struct frame f = frame_make(ULOG_SET_REGION_SYNC, data, 16);
	struct kmsg k;

	(void)state;
	assert_int_equal(decode(&f, &k), KMSG_OK);
	assert_int_equal(kmsg_request(&k, REGIONS, &request), KMSG_OK);
	assert_false(request.in_sync);
	assert_int_equal(request.region[0], 7);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		data[1] = bad[i];
		f = frame_make(ULOG_SET_REGION_SYNC, data, 16);
		assert_int_equal(decode(&f, &k), KMSG_OK);
		assert_int_equal(kmsg_request(&k, REGIONS, &request), KMSG_BAD_DATA);
	}
}

/* Exactly as much memory as the datagram, so that a sanitizer sees a read behind it. */
static enum kmsg_problem decode_tight(const void *bytes, size_t size, struct kmsg *ret)
{
	void *copy = malloc(size > 0 ? size : 1);
	enum kmsg_problem problem;

	assert_non_null(copy);
	memcpy(copy, bytes, size);
	problem = kmsg_decode(copy, size, ret);
	ret->data = NULL;
	free(copy);
	return problem;
}

static void test_truncated_at_every_byte(void **state)
{
	uint64_t region[3] = {1, 2, 3};
	struct frame f = frame_make(ULOG_MARK_REGION, region, sizeof(region));
	struct datagram d = frame_pack(&f);
	struct kmsg k;

	(void)state;
	for (size_t size = 0; size < d.size; size++) {
		enum kmsg_problem problem = decode_tight(d.byte, size, &k);

		if (size < KMSG_HEADER_SIZE) {
			assert_int_equal(problem, KMSG_SHORT);
			continue;
		}
		assert_int_equal(problem, KMSG_BAD_LENGTH);
		assert_header_decoded(&k, &f);
		assert_int_equal(k.type, ULOG_MARK_REGION);
		assert_int_equal(k.data_size, 0); /* nothing there that may be used */
	}
	assert_int_equal(decode_tight(d.byte, d.size, &k), KMSG_OK);
}

/* netlink pads to 4 bytes: that much more is allowed, not a byte more. */
static void test_padding(void **state)
{
	struct kmsg k;

	(void)state;
	for (uint32_t length = 20; length < 24; length++) {
		struct frame f = frame_make(ULOG_CTR, "2097152 clustered-core 1024", length);
		struct datagram d = frame_pack(&f);
		size_t exact = KMSG_HEADER_SIZE + length;

		for (size_t size = exact; size <= NLMSG_ALIGN(exact); size++) {
			assert_int_equal(decode_tight(d.byte, size, &k), KMSG_OK);
			assert_int_equal(k.data_size, length);
		}
		assert_int_equal(decode_tight(d.byte, NLMSG_ALIGN(exact) + 1, &k), KMSG_BAD_LENGTH);
		assert_int_equal(decode_tight(d.byte, exact - 1, &k), KMSG_BAD_LENGTH);
	}
}

static void test_lengths_that_disagree(void **state)
{
	static const uint32_t wrong[] = {
	    0, 7, 9, 16, 333, 65535, 65536 + 8, UINT32_MAX - 159, UINT32_MAX};
	uint64_t region = 5;
	struct kmsg k;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct frame good = frame_make(ULOG_IN_SYNC, &region, 8);
		struct frame f = good;
		struct datagram d;

		f.request.data_size = wrong[i];
		assert_int_equal(decode(&f, &k), KMSG_BAD_LENGTH);
		assert_header_decoded(&k, &f);
		assert_int_equal(k.data_size, 0);

		f = good;
		f.cn.len = (uint16_t)(160 + wrong[i]);
		assert_int_equal(decode(&f, &k), f.cn.len == 168 ? KMSG_OK
						 : f.cn.len == 0 ? KMSG_FOREIGN
								 : KMSG_BAD_LENGTH);

		d = frame_pack(&good);
		memcpy(d.byte, &(uint32_t){KMSG_HEADER_SIZE + wrong[i]}, 4);
		assert_int_equal(kmsg_decode(d.byte, d.size, &k), KMSG_BAD_LENGTH);
	}
}

static void test_more_than_the_kernels_buffer(void **state)
{
	uint8_t data[KMSG_DATA_MAX + 8] = {0};
	struct frame f = frame_make(ULOG_CTR, data, KMSG_DATA_MAX + 1);
	struct kmsg k;

	(void)state;
	assert_int_equal(decode(&f, &k), KMSG_BAD_LENGTH);
	f = frame_make(ULOG_CTR, data, KMSG_DATA_MAX);
	assert_int_equal(decode(&f, &k), KMSG_OK);
}

static void test_foreign(void **state)
{
	uint64_t region = 5;
	struct frame good = frame_make(ULOG_IN_SYNC, &region, 8);
	struct frame f = good;
	struct datagram d;
	uint8_t ack[KMSG_ACK_SIZE];
	struct kmsg k;

	(void)state;
	f.cn.id.idx = CN_IDX_PROC;
	assert_int_equal(decode(&f, &k), KMSG_FOREIGN);
	f = good;
	f.cn.id.val = 2;
	assert_int_equal(decode(&f, &k), KMSG_FOREIGN);
	f = good;
	f.nl.nlmsg_type = NLMSG_ERROR;
	assert_int_equal(decode(&f, &k), KMSG_FOREIGN);
	f.nl.nlmsg_type = NLMSG_NOOP;
	d = frame_pack(&f);
	assert_int_equal(decode_tight(d.byte, 16, &k), KMSG_FOREIGN);
	assert_int_equal(kmsg_encode_ack(1, 0, ack, sizeof(ack)), KMSG_ACK_SIZE);
	assert_int_equal(decode_tight(ack, sizeof(ack), &k), KMSG_FOREIGN);
}

static void test_uuids(void **state)
{
	struct frame f = frame_make(ULOG_RESUME, NULL, 0);
	struct kmsg k;

	(void)state;
	memset(f.request.uuid, 'u', sizeof(f.request.uuid));
	assert_int_equal(decode(&f, &k), KMSG_BAD_UUID);
	assert_header_decoded(&k, &f);
	assert_int_equal(k.type, ULOG_RESUME);
	assert_int_equal(strlen(k.uuid), KMSG_UUID_SIZE - 1); /* may be printed */

	f.request.uuid[KMSG_UUID_SIZE - 1] = '\0';
	assert_int_equal(decode(&f, &k), KMSG_OK);
	assert_int_equal(strlen(k.uuid), KMSG_UUID_SIZE - 1);

	memset(f.request.uuid, 0, sizeof(f.request.uuid));
	assert_int_equal(decode(&f, &k), KMSG_BAD_UUID);
	f.request.uuid[1] = 'u';
	assert_int_equal(decode(&f, &k), KMSG_BAD_UUID);
}

static void test_unknown_types(void **state)
{
	struct mlog_request request;
	struct kmsg k;

	(void)state;
	for (uint32_t type = 0; type < 600; type++) {
		struct frame f = frame_make(type, NULL, 0);
		uint32_t low = type & 0xff;
		bool known = low >= 1 && low <= 17;

		assert_int_equal(decode(&f, &k), known ? KMSG_OK : KMSG_BAD_TYPE);
		assert_header_decoded(&k, &f);
		assert_int_equal(k.type, known ? low : 0);
		if (!known)
			assert_int_equal(kmsg_request(&k, REGIONS, &request), KMSG_BAD_TYPE);
	}
}

/* The upper 24 bits of request_type are the kernel's: ignored, and given back. */
static void test_reserved_type_bits_come_back(void **state)
{
	struct frame f = frame_make(0xabcdef00U | DM_ULOG_FLUSH, NULL, 0);
	uint8_t reply[KMSG_SIZE_MAX];
	struct kmsg k;
	size_t size;

	(void)state;
	assert_int_equal(decode(&f, &k), KMSG_OK);
	assert_int_equal(k.type, ULOG_FLUSH);
	size = kmsg_encode_reply(&k, 0, NULL, 0, reply, sizeof(reply));
	assert_int_equal(frame_unpack(reply, size).request.request_type, 0xabcdef09U);
}

static void assert_reply(const void *reply, size_t size, const struct frame *request, int32_t error,
			 const void *data, uint32_t data_size)
{
	struct frame f = frame_unpack(reply, size);

	assert_int_equal(size, KMSG_HEADER_SIZE + data_size);
	assert_int_equal(f.nl.nlmsg_len, size);
	assert_int_equal(f.nl.nlmsg_type, NLMSG_DONE);
	assert_int_equal(f.nl.nlmsg_flags, 0);
	assert_int_equal(f.nl.nlmsg_pid, 0);
	assert_int_equal(f.cn.id.idx, CN_IDX_DM);
	assert_int_equal(f.cn.id.val, CN_VAL_DM_USERSPACE_LOG);
	assert_int_equal(f.cn.seq, request->cn.seq);
	assert_int_equal(f.cn.ack, 0);
	assert_int_equal(f.cn.len, 160 + data_size);
	assert_int_equal(f.request.luid, request->request.luid);
	assert_memory_equal(f.request.uuid, request->request.uuid, DM_UUID_LEN);
	assert_int_equal(f.request.version, request->request.version);
	assert_int_equal(f.request.error, error);
	assert_int_equal(f.request.seq, request->request.seq);
	assert_int_equal(f.request.request_type, request->request.request_type);
	assert_int_equal(f.request.data_size, data_size);
	assert_memory_equal(f.data, data, data_size);
}

static void test_replies(void **state)
{
	static const uint8_t zeros[KMSG_STATUS_ROOM];
	uint8_t out[KMSG_SIZE_MAX];

	(void)state;
	for (size_t t = 0; t < TYPE_COUNT; t++) {
		bool text = types[t].type == ULOG_STATUS_INFO || types[t].type == ULOG_STATUS_TABLE;
		uint32_t error_size = text ? KMSG_STATUS_ROOM : types[t].reply_size;

		assert_int_equal(kmsg_error_size(types[t].type), error_size);
		for (uint32_t version = 0; version <= 3; version++) {
			struct frame f = frame_make(types[t].type, NULL, 0);
			uint64_t words[2] = {1, UINT64_C(0x1122334455667788)};
			uint32_t size = types[t].reply_size;
			struct kmsg k;

			f.request.version = version;
			strcpy(f.request.uuid + 20, "behind the NUL");
			assert_int_equal(decode(&f, &k), KMSG_OK);
			assert_int_equal(kmsg_reply_size(types[t].type), size);
			assert_reply(out, kmsg_encode_reply(&k, 0, words, size, out, sizeof(out)),
				     &f, 0, words, size);
			/* An error must leave the kernel room for the answer to its retry. */
			assert_reply(out, kmsg_encode_reply(&k, -ESRCH, NULL, 0, out, sizeof(out)),
				     &f, -ESRCH, zeros, error_size);
			assert_reply(out, kmsg_encode_reply(&k, -EIO, words, 16, out, sizeof(out)),
				     &f, -EIO, zeros, error_size);
		}
	}
	assert_int_equal(kmsg_reply_size((enum ulog_type)0), 0);
	assert_int_equal(kmsg_reply_size(ULOG_TYPES), 0);
}

/* CTR returns a device, STATUS_INFO a text: any size up to the kernel's buffer. */
static void test_reply_sizes(void **state)
{
	struct frame f = frame_make(ULOG_STATUS_INFO, NULL, 0);
	uint8_t data[KMSG_DATA_MAX + 1];
	uint8_t out[KMSG_SIZE_MAX + 1];
	struct kmsg k;

	(void)state;
	memset(data, 's', sizeof(data));
	assert_int_equal(decode(&f, &k), KMSG_OK);
	for (uint32_t size = 0; size <= KMSG_DATA_MAX; size++) {
		assert_reply(out, kmsg_encode_reply(&k, 0, data, size, out, sizeof(out)), &f, 0,
			     data, size);
		assert_int_equal(
		    kmsg_encode_reply(&k, 0, data, size, out, KMSG_HEADER_SIZE + size - 1), 0);
		assert_int_equal(kmsg_encode_reply(&k, 0, data, size, out, KMSG_HEADER_SIZE + size),
				 KMSG_HEADER_SIZE + size);
	}
	assert_int_equal(kmsg_encode_reply(&k, 0, data, KMSG_DATA_MAX + 1, out, sizeof(out)), 0);
	assert_int_equal(kmsg_encode_reply(&k, 0, data, UINT32_MAX, out, sizeof(out)), 0);
	assert_int_equal(kmsg_encode_reply(&k, 0, NULL, 0, out, 0), 0);
}

/* A request that cannot be used is answered all the same. */
static void test_reply_to_malformed(void **state)
{
	static const uint8_t zeros[16];
	uint8_t out[KMSG_SIZE_MAX];
	struct frame f = frame_make(ULOG_IN_SYNC, NULL, 0);
	struct kmsg k;

	(void)state;
	f.request.data_size = 77;
	assert_int_equal(decode(&f, &k), KMSG_BAD_LENGTH);
	assert_reply(out, kmsg_encode_reply(&k, -EINVAL, NULL, 0, out, sizeof(out)), &f, -EINVAL,
		     zeros, 8);
	f = frame_make(200, NULL, 0);
	assert_int_equal(decode(&f, &k), KMSG_BAD_TYPE);
	assert_reply(out, kmsg_encode_reply(&k, -EINVAL, NULL, 0, out, sizeof(out)), &f, -EINVAL,
		     zeros, 0);
}

static void test_core_replies(void **state)
{
	static const uint8_t zeros[KMSG_STATUS_ROOM];
	uint8_t out[KMSG_SIZE_MAX];

	(void)state;
	for (size_t t = 0; t < TYPE_COUNT; t++) {
		struct frame f = frame_make(types[t].type, NULL, 0);
		struct mlog_reply reply = {.type = types[t].type,
					   .seq = 4711,
					   .words = types[t].reply_size / 8,
					   .word = {1, UINT64_MAX - 1}};
		struct kmsg k;

		assert_int_equal(decode(&f, &k), KMSG_OK);
		assert_reply(out, kmsg_encode_mlog_reply(&k, &reply, out, sizeof(out)), &f, 0,
			     reply.word, types[t].reply_size);

		/* the kernel has asked again meanwhile: the newest seq is the one that counts */
		reply.seq = 4712;
		f.request.seq = 4712;
		f.cn.seq = 4712;
		assert_reply(out, kmsg_encode_mlog_reply(&k, &reply, out, sizeof(out)), &f, 0,
			     reply.word, types[t].reply_size);

		reply.error = -EIO;
		reply.words = 0;
		assert_reply(out, kmsg_encode_mlog_reply(&k, &reply, out, sizeof(out)), &f, -EIO,
			     zeros, kmsg_error_size(types[t].type));
		assert_int_equal(kmsg_encode_mlog_reply(&k, &reply, out, KMSG_HEADER_SIZE - 1), 0);
	}
}

static void test_acknowledgements(void **state)
{
	static const int32_t errors[] = {0, -EAGAIN, -ESRCH, -EINVAL, -ENOMEM, -4095};
	uint8_t out[KMSG_ACK_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct frame f;

		assert_int_equal(kmsg_encode_ack(0xfffffffe, errors[i], out, sizeof(out)),
				 KMSG_ACK_SIZE);
		f = frame_unpack(out, sizeof(out));
		assert_int_equal(f.nl.nlmsg_len, KMSG_ACK_SIZE);
		assert_int_equal(f.nl.nlmsg_type, NLMSG_DONE);
		assert_int_equal(f.cn.id.idx, CN_IDX_DM);
		assert_int_equal(f.cn.id.val, CN_VAL_DM_USERSPACE_LOG);
		assert_int_equal(f.cn.seq, 0xfffffffe);
		assert_int_equal(f.cn.ack, -errors[i]);
		assert_int_equal(f.cn.len, 0);
	}
	assert_int_equal(kmsg_encode_ack(1, 0, out, KMSG_ACK_SIZE - 1), 0);
}

static void test_request_round_trip(void **state)
{
	uint8_t data[KMSG_DATA_MAX];
	uint8_t out[KMSG_SIZE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i + 1);
	for (uint32_t size = 0; size <= KMSG_DATA_MAX; size++) {
		struct kmsg in = {.cn_seq = 8,
				  .version = 2,
				  .luid = 9,
				  .uuid = "x",
				  .seq = 8,
				  .request_type = ULOG_CTR,
				  .data_size = size,
				  .data = data};
		struct frame f = frame_make(ULOG_CTR, data, size);
		struct datagram d;
		size_t length = kmsg_encode_request(&in, out, sizeof(out));
		struct kmsg k;

		assert_int_equal(kmsg_decode(out, length, &k), KMSG_OK);
		assert_int_equal(k.cn_seq, in.cn_seq);
		assert_int_equal(k.version, in.version);
		assert_int_equal(k.luid, in.luid);
		assert_memory_equal(k.uuid, in.uuid, sizeof(k.uuid));
		assert_int_equal(k.seq, in.seq);
		assert_int_equal(k.request_type, ULOG_CTR);
		assert_int_equal(k.type, ULOG_CTR);
		assert_int_equal(k.data_size, size);
		assert_memory_equal(k.data, data, size);
		assert_int_equal(kmsg_encode_request(&in, out, length - 1), 0);

		/* byte for byte what the kernel would send */
		assert_int_equal(decode(&f, &k), KMSG_OK);
		f.nl.nlmsg_seq = 0;
		d = frame_pack(&f);
		assert_int_equal(kmsg_encode_request(&k, out, sizeof(out)), d.size);
		assert_memory_equal(out, d.byte, d.size);
	}
	assert_int_equal(
	    kmsg_encode_request(&(struct kmsg){.data_size = KMSG_DATA_MAX + 1, .data = data}, out,
				sizeof(out)),
	    0);
}

static void test_sizes_of_the_protocol(void **state)
{
	(void)state;
	assert_int_equal(KMSG_HEADER_SIZE, sizeof(struct nlmsghdr) + sizeof(struct cn_msg) +
					       sizeof(struct dm_ulog_request));
	assert_int_equal(KMSG_ACK_SIZE, sizeof(struct nlmsghdr) + sizeof(struct cn_msg));
	assert_int_equal(KMSG_DATA_MAX + sizeof(struct cn_msg) + sizeof(struct dm_ulog_request),
			 512);
	assert_int_equal(KMSG_SIZE_MAX % NLMSG_ALIGNTO, 0);
}

/* What a table that is merely loaded, or was replaced, may send must not be taken for use. */
static void test_proof_of_use(void **state)
{
	static const enum ulog_type proofs[] = {ULOG_IN_SYNC, ULOG_IS_REMOTE_RECOVERING,
						ULOG_GET_RESYNC_WORK, ULOG_MARK_REGION};
	static const enum ulog_type idle[] = {ULOG_PRESUSPEND,	   ULOG_POSTSUSPEND,
					      ULOG_CLEAR_REGION,   ULOG_SET_REGION_SYNC,
					      ULOG_GET_SYNC_COUNT, ULOG_GET_REGION_SIZE};
	struct mlog_request request = {.region_count = 1};

	(void)state;
	for (size_t i = 0; i < sizeof(proofs) / sizeof(proofs[0]); i++) {
		request.type = proofs[i];
		assert_true(kmsg_proves_use(&request, false));
		assert_true(kmsg_proves_use(&request, true));
	}
	for (size_t i = 0; i < sizeof(idle) / sizeof(idle[0]); i++) {
		request.type = idle[i];
		assert_false(kmsg_proves_use(&request, false));
		assert_false(kmsg_proves_use(&request, true));
	}
	request.type = ULOG_RESUME;
	assert_true(kmsg_proves_use(&request, false));
	assert_false(kmsg_proves_use(&request, true));
	request.type = ULOG_FLUSH;
	assert_true(kmsg_proves_use(&request, true));
	request.region_count = 0;
	assert_false(kmsg_proves_use(&request, true));
}

static void test_problem_names(void **state)
{
	(void)state;
	for (int p = KMSG_OK; p <= KMSG_BAD_DATA; p++) {
		const char *name = kmsg_problem_name((enum kmsg_problem)p);

		assert_true(strlen(name) > 1);
		for (int q = KMSG_OK; q < p; q++)
			assert_string_not_equal(name, kmsg_problem_name((enum kmsg_problem)q));
	}
	assert_string_equal(kmsg_problem_name((enum kmsg_problem)99), "unknown problem");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_table_of_types_is_complete),
	    cmocka_unit_test(test_sizes_of_the_protocol),
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_region_limits),
	    cmocka_unit_test(test_one_bad_region_spoils_the_group),
	    cmocka_unit_test(test_set_region_sync_values),
	    cmocka_unit_test(test_truncated_at_every_byte),
	    cmocka_unit_test(test_padding),
	    cmocka_unit_test(test_lengths_that_disagree),
	    cmocka_unit_test(test_more_than_the_kernels_buffer),
	    cmocka_unit_test(test_foreign),
	    cmocka_unit_test(test_uuids),
	    cmocka_unit_test(test_unknown_types),
	    cmocka_unit_test(test_reserved_type_bits_come_back),
	    cmocka_unit_test(test_replies),
	    cmocka_unit_test(test_reply_sizes),
	    cmocka_unit_test(test_reply_to_malformed),
	    cmocka_unit_test(test_core_replies),
	    cmocka_unit_test(test_acknowledgements),
	    cmocka_unit_test(test_request_round_trip),
	    cmocka_unit_test(test_proof_of_use),
	    cmocka_unit_test(test_problem_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
