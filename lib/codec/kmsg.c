/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the byte form of the kernel's requests and of our replies: no other file knows an offset of
 * nlmsghdr, cn_msg or dm_ulog_request.
 *
 * A field that the kernel does not read back from a reply (luid, uuid, version) is returned as it
 * came all the same, as the protocol's description asks for.
 */
#include "codec/kmsg.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include <linux/connector.h>
#include <linux/dm-log-userspace.h>
#include <linux/netlink.h>

#include "base/cursor.h"

#define ULOG_PADDING_SIZE 3U
#define ULOG_REQUEST_SIZE (KMSG_HEADER_SIZE - KMSG_ACK_SIZE)

static_assert(sizeof(struct nlmsghdr) + sizeof(struct cn_msg) == KMSG_ACK_SIZE, "");
static_assert(sizeof(struct dm_ulog_request) == ULOG_REQUEST_SIZE, "");
static_assert(DM_UUID_LEN == KMSG_UUID_SIZE, "");
static_assert(ULOG_IS_REMOTE_RECOVERING == DM_ULOG_IS_REMOTE_RECOVERING, "");
static_assert(KMSG_DATA_MAX / sizeof(uint64_t) == MLOG_GROUP_MAX, "");

const char *kmsg_problem_name(enum kmsg_problem problem)
{
	switch (problem) {
	case KMSG_OK:
		return "ok";
	case KMSG_SHORT:
		return "message too short";
	case KMSG_FOREIGN:
		return "not a request to a userspace log";
	case KMSG_BAD_LENGTH:
		return "lengths disagree";
	case KMSG_BAD_UUID:
		return "bad uuid";
	case KMSG_BAD_TYPE:
		return "unknown request type";
	case KMSG_BAD_DATA:
		return "bad payload";
	}
	return "unknown problem";
}

/* netlink rounds a message up to 4 bytes; nlmsg_len is the size before that. */
static bool netlink_size_fits(size_t nlmsg_len, size_t size)
{
	return nlmsg_len <= size && size <= NLMSG_ALIGN(nlmsg_len);
}

/* The connector's part: what stands before dm_ulog_request. */
struct envelope {
	uint32_t nlmsg_len;
	uint32_t cn_seq;
	uint32_t cn_len;
};

static enum kmsg_problem envelope_read(struct reader *r, struct envelope *ret)
{
	uint16_t nlmsg_type;
	uint32_t idx;
	uint32_t val;

	ret->nlmsg_len = read_native_u32(r);
	nlmsg_type = read_native_u16(r);
	read_native_u16(r); /* nlmsg_flags */
	read_native_u32(r); /* nlmsg_seq */
	read_native_u32(r); /* nlmsg_pid */
	if (r->failed)
		return KMSG_SHORT;
	if (nlmsg_type !=
	    NLMSG_DONE) /* the connector's only type; an NLMSG_ERROR is netlink's own */
		return KMSG_FOREIGN;

	idx = read_native_u32(r);
	val = read_native_u32(r);
	ret->cn_seq = read_native_u32(r);
	read_native_u32(r); /* ack */
	ret->cn_len = read_native_u16(r);
	read_native_u16(r); /* flags */
	if (r->failed)
		return KMSG_SHORT;
	if (idx != CN_IDX_DM || val != CN_VAL_DM_USERSPACE_LOG || ret->cn_len == 0)
		return KMSG_FOREIGN;
	return KMSG_OK;
}

static bool type_known(enum ulog_type type)
{
	return type >= ULOG_CTR && type < ULOG_TYPES;
}

/* False: no NUL, or empty. The uuid is a string afterwards in any case. */
static bool uuid_take(char uuid[KMSG_UUID_SIZE], const void *bytes)
{
	bool good;

	memcpy(uuid, bytes, KMSG_UUID_SIZE);
	good = uuid[0] != '\0' && memchr(uuid, '\0', KMSG_UUID_SIZE) != NULL;
	uuid[KMSG_UUID_SIZE - 1] = '\0';
	return good;
}

enum kmsg_problem kmsg_decode(const void *datagram, size_t size, struct kmsg *ret)
{
	struct reader r = reader_of(datagram, size);
	struct envelope envelope;
	const void *uuid;
	uint32_t data_size;
	bool uuid_good;
	enum kmsg_problem problem = envelope_read(&r, &envelope);

	*ret = (struct kmsg){0};
	if (problem != KMSG_OK)
		return problem;
	if (r.left < ULOG_REQUEST_SIZE)
		return KMSG_SHORT;

	ret->cn_seq = envelope.cn_seq;
	ret->luid = read_native_u64(&r);
	uuid = read_bytes(&r, KMSG_UUID_SIZE);
	uuid_good = uuid_take(ret->uuid, uuid);
	read_bytes(&r, ULOG_PADDING_SIZE);
	ret->version = read_native_u32(&r);
	read_native_u32(&r); /* error: the reply's */
	ret->seq = read_native_u32(&r);
	ret->request_type = read_native_u32(&r);
	data_size = read_native_u32(&r);
	if (type_known(DM_ULOG_REQUEST_TYPE(ret->request_type)))
		ret->type = DM_ULOG_REQUEST_TYPE(ret->request_type);

	if (data_size > KMSG_DATA_MAX || envelope.cn_len != ULOG_REQUEST_SIZE + data_size ||
	    envelope.nlmsg_len != KMSG_ACK_SIZE + envelope.cn_len ||
	    !netlink_size_fits(envelope.nlmsg_len, size))
		return KMSG_BAD_LENGTH;
	ret->data_size = data_size;
	ret->data = read_bytes(&r, data_size);
	assert(!r.failed);
	if (!uuid_good)
		return KMSG_BAD_UUID;
	return ret->type == 0 ? KMSG_BAD_TYPE : KMSG_OK;
}

/* Payload: regions only, from least to most of them. */
static bool regions_read(const struct kmsg *k, uint64_t region_count, uint32_t least, uint32_t most,
			 struct mlog_request *ret)
{
	struct reader r = reader_of(k->data, k->data_size);
	uint32_t count = k->data_size / (uint32_t)sizeof(uint64_t);

	if (k->data_size % sizeof(uint64_t) != 0 || count < least || count > most)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		ret->region[i] = read_native_u64(&r);
		if (ret->region[i] >= region_count)
			return false;
	}
	ret->region_count = count;
	return true;
}

static bool region_sync_read(const struct kmsg *k, uint64_t region_count, struct mlog_request *ret)
{
	struct reader r = reader_of(k->data, k->data_size);
	uint64_t in_sync;

	ret->region[0] = read_native_u64(&r);
	in_sync = read_native_u64(&r);
	ret->region_count = 1;
	ret->in_sync = in_sync == 1;
	return !r.failed && r.left == 0 && ret->region[0] < region_count && in_sync <= 1;
}

enum kmsg_problem kmsg_request(const struct kmsg *k, uint64_t region_count,
			       struct mlog_request *ret)
{
	struct mlog_request request = {.type = k->type, .seq = k->seq};
	bool good = false;

	switch (k->type) {
	case ULOG_PRESUSPEND:
	case ULOG_POSTSUSPEND:
	case ULOG_RESUME:
	case ULOG_GET_REGION_SIZE:
	case ULOG_GET_RESYNC_WORK:
	case ULOG_GET_SYNC_COUNT:
		good = k->data_size == 0;
		break;
	case ULOG_IS_CLEAN:
	case ULOG_IN_SYNC:
	case ULOG_IS_REMOTE_RECOVERING:
		good = regions_read(k, region_count, 1, 1, &request);
		break;
	case ULOG_FLUSH: /* with regions: they are to be marked first (integrated_flush) */
		good = regions_read(k, region_count, 0, MLOG_GROUP_MAX, &request);
		break;
	case ULOG_MARK_REGION:
	case ULOG_CLEAR_REGION:
		good = regions_read(k, region_count, 1, MLOG_GROUP_MAX, &request);
		break;
	case ULOG_SET_REGION_SYNC:
		good = region_sync_read(k, region_count, &request);
		break;
	case ULOG_CTR:
	case ULOG_DTR:
	case ULOG_STATUS_INFO:
	case ULOG_STATUS_TABLE:
	case ULOG_TYPES:
	default:
		return KMSG_BAD_TYPE;
	}
	if (!good)
		return KMSG_BAD_DATA;
	*ret = request;
	return KMSG_OK;
}

uint32_t kmsg_reply_size(enum ulog_type type)
{
	switch (type) {
	case ULOG_GET_REGION_SIZE:
	case ULOG_IS_CLEAN:
	case ULOG_IN_SYNC:
	case ULOG_GET_SYNC_COUNT:
		return 8;
	case ULOG_GET_RESYNC_WORK:
	case ULOG_IS_REMOTE_RECOVERING:
		return 16;
	case ULOG_CTR:
	case ULOG_DTR:
	case ULOG_PRESUSPEND:
	case ULOG_POSTSUSPEND:
	case ULOG_RESUME:
	case ULOG_FLUSH:
	case ULOG_MARK_REGION:
	case ULOG_CLEAR_REGION:
	case ULOG_SET_REGION_SYNC:
	case ULOG_STATUS_INFO:
	case ULOG_STATUS_TABLE:
	case ULOG_TYPES:
		break;
	}
	return 0;
}

uint32_t kmsg_error_size(enum ulog_type type)
{
	return type == ULOG_STATUS_INFO || type == ULOG_STATUS_TABLE ? KMSG_STATUS_ROOM
								     : kmsg_reply_size(type);
}

static void envelope_write(struct writer *w, uint32_t cn_seq, uint32_t ack, uint32_t cn_len)
{
	write_native_u32(w, KMSG_ACK_SIZE + cn_len);
	write_native_u16(w, NLMSG_DONE);
	write_native_u16(w, 0); /* nlmsg_flags */
	write_native_u32(w, 0); /* nlmsg_seq */
	write_native_u32(w, 0); /* nlmsg_pid */
	write_native_u32(w, CN_IDX_DM);
	write_native_u32(w, CN_VAL_DM_USERSPACE_LOG);
	write_native_u32(w, cn_seq);
	write_native_u32(w, ack);
	write_native_u16(w, (uint16_t)cn_len);
	write_native_u16(w, 0); /* flags */
}

static void header_write(struct writer *w, const struct kmsg *k, int32_t error, uint32_t data_size)
{
	envelope_write(w, k->cn_seq, 0, ULOG_REQUEST_SIZE + data_size);
	write_native_u64(w, k->luid);
	write_bytes(w, k->uuid, KMSG_UUID_SIZE);
	write_zeros(w, ULOG_PADDING_SIZE);
	write_native_u32(w, k->version);
	write_native_u32(w, (uint32_t)error);
	write_native_u32(w, k->seq);
	write_native_u32(w, k->request_type);
	write_native_u32(w, data_size);
}

size_t kmsg_encode_reply(const struct kmsg *k, int32_t error, const void *data, uint32_t data_size,
			 void *ret, size_t cap)
{
	struct writer w = writer_of(ret, cap);

	if (error != 0)
		data_size = kmsg_error_size(k->type);
	if (data_size > KMSG_DATA_MAX)
		return 0;
	header_write(&w, k, error, data_size);
	if (error != 0)
		write_zeros(&w, data_size);
	else
		write_bytes(&w, data, data_size);
	return w.failed ? 0 : KMSG_HEADER_SIZE + data_size;
}

size_t kmsg_encode_mlog_reply(const struct kmsg *k, const struct mlog_reply *reply, void *ret,
			      size_t cap)
{
	struct kmsg newest = *k;

	/* The core answers the newest repetition of a request, which may not be the one in k. */
	newest.cn_seq = reply->seq;
	newest.seq = reply->seq;
	assert(reply->words <= sizeof(reply->word) / sizeof(reply->word[0]));
	return kmsg_encode_reply(&newest, reply->error, reply->word,
				 reply->words * (uint32_t)sizeof(reply->word[0]), ret, cap);
}

size_t kmsg_encode_ack(uint32_t cn_seq, int32_t error, void *ret, size_t cap)
{
	struct writer w = writer_of(ret, cap);

	envelope_write(&w, cn_seq, 0U - (uint32_t)error, 0);
	return w.failed ? 0 : KMSG_ACK_SIZE;
}

size_t kmsg_encode_request(const struct kmsg *k, void *ret, size_t cap)
{
	struct writer w = writer_of(ret, cap);
	size_t size = NLMSG_ALIGN(KMSG_HEADER_SIZE + (size_t)k->data_size);

	if (k->data_size > KMSG_DATA_MAX)
		return 0;
	header_write(&w, k, 0, k->data_size);
	write_bytes(&w, k->data, k->data_size);
	write_zeros(&w, size - KMSG_HEADER_SIZE - k->data_size);
	return w.failed ? 0 : size;
}

bool kmsg_proves_use(const struct mlog_request *request, bool reconnected)
{
	switch (request->type) {
	case ULOG_RESUME:
		return !reconnected;
	case ULOG_IN_SYNC:
	case ULOG_IS_REMOTE_RECOVERING:
	case ULOG_GET_RESYNC_WORK:
	case ULOG_MARK_REGION:
		return true;
	case ULOG_FLUSH:
		return request->region_count > 0;
	default:
		return false;
	}
}
