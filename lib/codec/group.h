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
 * Version 1 sends the words of a map as they are; with version 2 equal words are sent as one word
 * and a count, which is all there is to most maps. Version 3 has RELOAD, which is not the core's,
 * and allows several messages in one datagram, one behind another; version 4 has ERRAND; with
 * version 5 a JOIN says which revision the table has, and a PLAN which the new one is to have.
 * Who speaks version 5 and may not yet is told as MLOG_REVISION_UNKNOWN, who does not has none. A message
 * goes in the lowest version that has its form, so that a daemon which does not know version 2 never misses a message
 * that it has a use for: see group_versions.
 */
#ifndef DLM_CODEC_GROUP_H
#define DLM_CODEC_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/mlog.h"
#include "dlmirror/dlmirror.h"

#define GROUP_VERSION	  6U	 /* highest protocol version of this code */
#define GROUP_MESSAGE_MAX 65536U /* bytes */
#define GROUP_HEADER_SIZE 56U
#define GROUP_WORDS_MAX	  7168U /* of one STATE; it fits together with all members */
#define GROUP_REGIONS_MAX (UINT64_C(1) << 40)

/* The name of a mirror in messages: the same text gives the same bytes everywhere. */
struct group_mirror {
	uint8_t byte[16];
};

static inline bool group_mirror_same(const struct group_mirror *a, const struct group_mirror *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* The name-based UUID (RFC 9562, version 5) of a log's uuid. */
void group_mirror_of(const char *uuid, struct group_mirror *ret);

/*
 * Which protocol version to speak: the lowest of the highest ones of all members of the view; 1
 * where one has not said it yet. It changes with views and messages only, so it is the same on all
 * members at the same place in the order.
 */
struct group_versions {
	uint16_t own; /* our highest */
	uint32_t count;
	struct {
		uint32_t node;
		uint16_t highest; /* 0: not heard of yet */
	} member[MLOG_VIEW_MAX];
};

/* own: GROUP_VERSION, or less to be an older daemon. Alone, without a view: version 1. */
void group_versions_init(struct group_versions *v, uint16_t own);
/* A view: who stays is still known, who comes is not. count is at most MLOG_VIEW_MAX. */
void group_versions_view(struct group_versions *v, const uint32_t *node, uint32_t count);
/* The header of a message, own ones included, said so. Of who is not in the view: nothing. */
void group_versions_seen(struct group_versions *v, uint32_t node, uint16_t highest);
uint16_t group_versions_spoken(const struct group_versions *v);
/* Has somebody said that it does not understand it? */
bool group_versions_exclude(const struct group_versions *v, uint16_t version);

#define GROUP_PACK_VERSION     3U /* from which on a datagram may have more than one message */
#define GROUP_REVISION_VERSION 5U /* from which on tables have revisions */
#define GROUP_LOG_VERSION      6U /* from which on a reload may bring another log device */

/* Bytes of the first message of a datagram, as its header says; all, when that cannot be. */
size_t group_first(const void *datagram, size_t size);

struct group_header {
	bool hello;	  /* not about a mirror: says only who is there and what it speaks */
	bool reload;	  /* for group_decode_reload() */
	bool errand;	  /* for group_decode_errand() */
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
 *	0		ret is set, and of a STATE points into room; not by a HELLO, RELOAD or ERRAND
 *	-EBADMSG	not a message of ours, or damaged
 *	-EPROTONOSUPPORT undamaged, of a later header version or protocol version
 *	-EINVAL		undamaged, but it contradicts itself or a limit
 * ret_header says who sent it about what also when the body is refused; its node is 0 when the
 * header is.
 */
int group_decode(const void *datagram, size_t size, uint16_t highest,
		 struct group_header *ret_header, struct group_room *room,
		 struct mlog_message *ret);

/*
 * A reload of a mirror on all nodes in step: between the daemons, not between the cores. What is to
 * be loaded is a plan, because devices have other numbers on other nodes: each makes its own table
 * from its live one.
 */
#define GROUP_RELOAD_VERSION 3U /* of the protocol, from which on there is such a message */
#define GROUP_TEXT_SIZE	     192U

enum group_reload_step {
	GROUP_RELOAD_PLAN = 1,	/* load this into the inactive table */
	GROUP_RELOAD_VOTE,	/* YES: loaded; NONE: no such mirror here; NO: text says why */
	GROUP_RELOAD_SUSPENDED, /* YES, or NO and text */
	GROUP_RELOAD_GO,     /* YES: all are suspended, the new table counts; NO: it is given up */
	GROUP_RELOAD_DONE,   /* YES: the new table is in force; NO: the old one; ERROR: neither */
	GROUP_RELOAD_CANCEL, /* whoever wanted it has waited long enough */
	GROUP_RELOAD_ASK,    /* I had to leave meanwhile: what became of it? */
	GROUP_RELOAD_TELL, /* YES: the new table; NO: the old; OPEN: I ask myself; NONE: never heard */
	GROUP_RELOAD_STEPS,
};

enum group_reload_answer {
	GROUP_RELOAD_NONE,
	GROUP_RELOAD_YES,
	GROUP_RELOAD_NO,
	GROUP_RELOAD_OPEN,
	GROUP_RELOAD_ERROR,
	GROUP_RELOAD_ANSWERS,
};

/* Of a reload or an errand: the node that began it, and a number that this one never uses twice. */
struct group_task_id {
	uint32_t node;
	uint64_t number;
};

struct group_reload {
	enum group_reload_step step;
	uint32_t from; /* the sender */
	struct group_task_id id;
	enum group_reload_answer answer;
	char text[GROUP_TEXT_SIZE]; /* printable; to the answers NO and ERROR */
	struct dlmirror_plan plan;  /* PLAN */
	uint64_t revision;	    /* PLAN: of the new table; 0: that of the old one */
	/* PLAN: the path of another log device; only with a revision. Empty: the one it has. */
	char log[DLMIRROR_PATH_SIZE];
};

/* Is it one that every node can act upon? */
bool group_plan_valid(const struct dlmirror_plan *plan);
/* Will there be other legs, or more room on them? */
bool group_plan_changes(const struct dlmirror_plan *plan);
/* Is a leg that is kept copied anew? */
bool group_plan_resyncs(const struct dlmirror_plan *plan);
/* As group_encode(). In version 3, or 5 with a revision: whether all speak it is for the caller to
 * know. */
int group_encode_reload(const struct group_versions *versions, const struct group_mirror *mirror,
			const struct group_reload *reload, void *ret, size_t cap);
/* Of a datagram that group_decode() has called a reload; errors as there. */
int group_decode_reload(const void *datagram, size_t size, struct group_reload *ret);

/*
 * An errand: what an admin on one node has others do. Each that is named does it, and says with
 * which exit code, and what was printed.
 */
#define GROUP_ERRAND_VERSION   4U /* of the protocol, from which on there is such a message */
#define GROUP_ERRAND_TEXT_SIZE DLMIRROR_ERRAND_TEXT_SIZE

struct group_errand {
	uint32_t from; /* the sender */
	struct group_task_id id;
	bool done; /* it has been; else it is to be */
	/* to be done: */
	uint32_t count; /* at least one */
	uint32_t node[MLOG_VIEW_MAX];
	enum dlmirror_errand what; /* of a later daemon perhaps: any of 1 to 255 */
	char argument[DLMIRROR_ERRAND_ARGUMENTS][DLMIRROR_NAME_SIZE]; /* printable; may be empty */
	/* done: */
	uint8_t code;
	/* What to read, or what was printed: printable, and lines. */
	char text[GROUP_ERRAND_TEXT_SIZE];
};

/* As group_encode(). Always in version 4: whether all speak it is for the caller to know. */
int group_encode_errand(const struct group_versions *versions, const struct group_errand *errand,
			void *ret, size_t cap);
/* Of a datagram that group_decode() has called an errand; errors as there. */
int group_decode_errand(const void *datagram, size_t size, struct group_errand *ret);

#endif
