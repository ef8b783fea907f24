/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages between the daemons of a cluster: bytes <-> values. dlmirror-protocol(7) describes every
 * byte, and is to be changed together with this.
 *
 *	header of 56 bytes: magic · CRC-32C of what follows · length · header version · highest
 *	protocol version of the sender · protocol version of the body · kind · node · incarnation ·
 *	sequence · mirror
 *	body, as the kind says
 *
 * Little-endian. What is decoded has passed every check that needs no knowledge of the mirror:
 * whether a region or a member exists is for the core to say.
 *
 * Protocol versions differ in STATE only. Version 1 sends the words of a map as they are; with
 * version 2 equal words are sent as one word and a count, which is all there is to most maps. A
 * message goes in the lowest version that has its form, so that a daemon which does not know
 * version 2 never misses a message that it has a use for: see group_versions.
 */
#ifndef DLM_CODEC_GROUP_H
#define DLM_CODEC_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/mlog.h"

#define GROUP_VERSION	  2U	 /* highest protocol version of this code */
#define GROUP_MESSAGE_MAX 65536U /* bytes */
#define GROUP_HEADER_SIZE 56U
#define GROUP_WORDS_MAX	  7168U /* of one STATE; it fits together with all members */
#define GROUP_REGIONS_MAX (UINT64_C(1) << 40)

/* The name of a mirror in messages: the same text gives the same bytes everywhere. */
struct group_mirror {
	uint8_t byte[16];
};

/* The name-based UUID (RFC 9562, version 5) of a log's uuid. */
void group_mirror_of(const char *uuid, struct group_mirror *ret);

/*
 * Which protocol version to speak: the lowest of the highest ones of all members of the view; 1 for
 * who has not said it yet. It changes with views and messages only, so it is the same on all
 * members at the same place in the order.
 */
struct group_versions {
	uint16_t own; /* our highest */
	uint32_t count;
	struct {
		uint32_t node;
		uint16_t highest;
	} member[MLOG_VIEW_MAX];
};

/* own: GROUP_VERSION, or less to be an older daemon. Alone, without a view: version 1. */
void group_versions_init(struct group_versions *v, uint16_t own);
/* A view: who stays is still known, who comes is not. count is at most MLOG_VIEW_MAX. */
void group_versions_view(struct group_versions *v, const uint32_t *node, uint32_t count);
/* The header of a message, own ones included, said so. Of who is not in the view: nothing. */
void group_versions_seen(struct group_versions *v, uint32_t node, uint16_t highest);
uint16_t group_versions_spoken(const struct group_versions *v);

struct group_header {
	bool hello;	  /* not about a mirror: says only who is there and what it speaks */
	uint16_t version; /* of the body */
	uint16_t highest; /* of the sender */
	uint32_t node;
	struct group_mirror mirror;
};

/* Where the words and members of a decoded STATE are. */
struct group_room {
	struct mlog_member member[MLOG_MEMBERS_MAX];
	uint64_t word[GROUP_WORDS_MAX];
};

/* The size of the message; -ENOSPC when it is more than cap (GROUP_MESSAGE_MAX always suffices),
 * -EINVAL: group_decode() would refuse it. */
int group_encode(const struct group_versions *versions, const struct group_mirror *mirror,
		 const struct mlog_message *message, void *ret, size_t cap);
/* HELLO of node, in version 1 always. */
int group_encode_hello(const struct group_versions *versions, uint32_t node, void *ret, size_t cap);

/*
 * highest: up to which protocol version the reader understands, `own` of its group_versions.
 *	0		ret is set, and of a STATE points into room; not by a HELLO
 *	-EBADMSG	not a message of ours, or damaged
 *	-EPROTONOSUPPORT undamaged, of a later header version or protocol version
 *	-EINVAL		undamaged, but it contradicts itself or a limit
 * ret_header says who sent it about what also when the body is refused; its node is 0 when the
 * header is.
 */
int group_decode(const void *datagram, size_t size, uint16_t highest,
		 struct group_header *ret_header, struct group_room *room,
		 struct mlog_message *ret);

#endif
