/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's netlink messages <-> values. Follows <linux/connector.h> and
 * <linux/dm-log-userspace.h> (protocol versions 0 to 3; 0 and 1 are the first protocol, which had
 * padding where the version stands now).
 *
 * A datagram is nlmsghdr (16 bytes) + cn_msg (20) + dm_ulog_request (160) + data, native byte
 * order.
 */
#ifndef DLM_CODEC_KMSG_H
#define DLM_CODEC_KMSG_H

#include <stddef.h>
#include <stdint.h>

#include "core/types.h"

#define KMSG_UUID_SIZE	 129U /* DM_UUID_LEN, with its NUL */
#define KMSG_HEADER_SIZE 196U /* nlmsghdr + cn_msg + dm_ulog_request */
#define KMSG_ACK_SIZE	 36U  /* nlmsghdr + cn_msg */
#define KMSG_DATA_MAX	 332U /* the kernel's buffer of 512 bytes less cn_msg and dm_ulog_request */
#define KMSG_STATUS_ROOM 160U /* the longest text of a STATUS_INFO; a caller has room for more */
#define KMSG_SIZE_MAX	 (KMSG_HEADER_SIZE + KMSG_DATA_MAX)

/* One request as it came, checked: uuid ends in a NUL, data_size bytes of data are there. */
struct kmsg {
	uint32_t cn_seq;
	uint32_t version;
	uint64_t luid;
	char uuid[KMSG_UUID_SIZE];
	uint32_t seq;
	uint32_t request_type; /* as received, all 32 bits; the type is the lowest 8 */
	enum ulog_type type;   /* 0 when unknown */
	uint32_t data_size;
	const uint8_t *data; /* into the datagram */
};

enum kmsg_problem {
	KMSG_OK = 0,
	KMSG_SHORT,	 /* shorter than its headers: nobody waits that could be answered */
	KMSG_FOREIGN,	 /* not for us: another connector id, or an acknowledgement */
	KMSG_BAD_LENGTH, /* data_size and the datagram disagree */
	KMSG_BAD_UUID,	 /* no NUL, or empty */
	KMSG_BAD_TYPE,	 /* unknown request type */
	KMSG_BAD_DATA,	 /* payload that the type does not allow */
};

const char *kmsg_problem_name(enum kmsg_problem problem);

/*
 * Decodes size bytes. From KMSG_BAD_LENGTH on, ret is filled as far as the header goes (seq, luid
 * and type are valid), so that the kernel can be answered with an error.
 */
enum kmsg_problem kmsg_decode(const void *datagram, size_t size, struct kmsg *ret);

/* The typed request for the core; KMSG_BAD_DATA when the payload is not what the type asks for
 * (none for CTR, DTR, STATUS_*: KMSG_BAD_TYPE). region_count limits the regions; out of it:
 * KMSG_BAD_DATA. */
enum kmsg_problem kmsg_request(const struct kmsg *k, uint64_t region_count,
			       struct mlog_request *ret);

/*
 * Does the request prove that the table it comes from is the one in use? A table that was only
 * loaded asks for the sync count, and resumes its log when it reconnects for that (reconnected:
 * this luid has found a daemon again); CLEAR, FLUSH without regions and SET_REGION_SYNC may come
 * late from a table that was replaced.
 */
bool kmsg_proves_use(const struct mlog_request *request, bool reconnected);

/* Bytes of data that the kernel expects in a good reply to this type: 8 (GET_REGION_SIZE, IS_CLEAN,
 * IN_SYNC, GET_SYNC_COUNT), 16 (GET_RESYNC_WORK, IS_REMOTE_RECOVERING), else 0. */
uint32_t kmsg_reply_size(enum ulog_type type);

/* Bytes of data in an error reply to this type. The kernel takes the reply's size as the room for
 * the answer to its retry: as many as a good reply has, and for STATUS_* what any text needs. */
uint32_t kmsg_error_size(enum ulog_type type);

/*
 * Full reply: the request's header given back whole with error and data_size set, then the data.
 * Returns the size of the datagram, or 0 when it does not fit cap. An error reply carries
 * kmsg_error_size() zero bytes. request_type and version are those of k.
 */
size_t kmsg_encode_reply(const struct kmsg *k, int32_t error, const void *data, uint32_t data_size,
			 void *ret, size_t cap);
/* The same from a core reply (words in native order). */
size_t kmsg_encode_mlog_reply(const struct kmsg *k, const struct mlog_reply *reply, void *ret,
			      size_t cap);
/* Acknowledgement form: cn_msg without data; error 0 or the negative errno (sent as ack = -error).
 */
size_t kmsg_encode_ack(uint32_t cn_seq, int32_t error, void *ret, size_t cap);
/* A request, for tests and tools that play the kernel. */
size_t kmsg_encode_request(const struct kmsg *k, void *ret, size_t cap);

#endif
