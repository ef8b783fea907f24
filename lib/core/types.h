/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values that core, codec and daemon exchange: requests of the kernel and the replies to them. */
#ifndef DLM_CORE_TYPES_H
#define DLM_CORE_TYPES_H

#include <stdbool.h>
#include <stdint.h>

/* The request types of <linux/dm-log-userspace.h>, by its numbers. */
enum ulog_type {
	ULOG_CTR = 1,
	ULOG_DTR,
	ULOG_PRESUSPEND,
	ULOG_POSTSUSPEND,
	ULOG_RESUME,
	ULOG_GET_REGION_SIZE,
	ULOG_IS_CLEAN,
	ULOG_IN_SYNC,
	ULOG_FLUSH,
	ULOG_MARK_REGION,
	ULOG_CLEAR_REGION,
	ULOG_GET_RESYNC_WORK,
	ULOG_SET_REGION_SYNC,
	ULOG_GET_SYNC_COUNT,
	ULOG_STATUS_INFO,
	ULOG_STATUS_TABLE,
	ULOG_IS_REMOTE_RECOVERING,
	ULOG_TYPES, /* one more than the last */
};

/* Regions in one MARK, CLEAR or integrated FLUSH: the kernel groups 32; what fits its buffer is 41.
 */
#define MLOG_GROUP_MAX 41U

/* A kernel request about a known log, decoded. Not for CTR, DTR and STATUS, which are not the
 * core's. */
struct mlog_request {
	enum ulog_type type;
	uint32_t seq;
	uint32_t region_count; /* valid entries of region */
	uint64_t region[MLOG_GROUP_MAX];
	bool in_sync; /* SET_REGION_SYNC */
};

/* The reply: error 0 or a negative errno, and `words` 64-bit values as payload. */
struct mlog_reply {
	enum ulog_type type;
	uint32_t seq;
	int32_t error;
	uint32_t words;
	uint64_t word[2];
};

#endif
