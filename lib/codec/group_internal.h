/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kinds of group messages have in common: header and checksum. */
#ifndef DLM_CODEC_GROUP_INTERNAL_H
#define DLM_CODEC_GROUP_INTERNAL_H

#include "base/cursor.h"
#include "codec/group.h"

#define GROUP_KIND_RELOAD 19U
#define GROUP_KIND_ERRAND 20U

struct group_raw {
	uint32_t length;
	uint16_t highest;
	uint16_t version;
	uint16_t kind;
	uint32_t node;
	uint64_t incarnation;
	uint64_t seq;
	struct group_mirror mirror;
};

/* It goes to terminals and logs as it is, in one line or, with lines, in several. */
bool group_printable(const char *text, bool lines);
bool group_mirror_is_none(const struct group_mirror *mirror);
/* The header of a message whose body stands behind it in buffer already. */
void group_header_finish(void *buffer, const struct group_raw *h);
/* Leaves r at the body; errors as group_decode(). */
int group_header_read(struct reader *r, const void *datagram, size_t size, struct group_raw *ret);
/* The body of a RELOAD, at which r stands. 0 or -EINVAL. */
int group_reload_check(struct reader *r, const struct group_raw *h);
/* The same of an ERRAND. */
int group_errand_check(struct reader *r, const struct group_raw *h);

#endif
