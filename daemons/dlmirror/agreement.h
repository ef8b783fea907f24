/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the nodes of a cluster have as the configuration of one mirror, and which of it counts: the
 * one with the highest serial. Of the nodes of a view with quorum at least one has taken part in
 * the last change, because that was made in such a view, too.
 */
#ifndef DLM_COMMAND_AGREEMENT_H
#define DLM_COMMAND_AGREEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dlmirror/dlmirror.h"

#define AGREEMENT_ERROR_SIZE 1024U
#define AGREEMENT_LINE_SIZE  400U

/* One node's. */
struct agreement_entry {
	uint32_t node;
	char name[DLMIRROR_NAME_SIZE];
	char uuid[DLMIRROR_NAME_SIZE];
	uint64_t serial;
	uint32_t digest; /* the same when the files say the same */
	bool active;	 /* the mirror is, on that node */
};

enum agreement {
	AGREEMENT_NOBODY, /* has any */
	AGREEMENT_OURS,
	AGREEMENT_THEIRS, /* is newer */
	AGREEMENT_NONE,	  /* counts, and error says why */
};

/* The line of "dlmirror config tell" that stands for it, without the node. */
void agreement_line(const struct agreement_entry *entry, char ret[AGREEMENT_LINE_SIZE]);
/* -EINVAL: line, up to its end or a newline, is no such line. */
int agreement_parse(const char *line, uint32_t node, struct agreement_entry *ret);

/* All lines of text, behind the *count entries that there are already; no more than room. -EINVAL: the
 * rest begins with no such line, and *ret_rest is where. */
int agreement_read(const char *text, uint32_t node, struct agreement_entry *entry, size_t room,
		   size_t *count, const char **ret_rest);

/* Of any number of mirrors: whether those that several nodes have are the same there. Else text names
 * one that is not, and two of its nodes. */
bool agreement_same(const struct agreement_entry *entry, size_t count,
		    char text[AGREEMENT_ERROR_SIZE]);

/* self: our node; others: how many others have answered. *ret: the index of what counts, when OURS
 * or THEIRS. */
enum agreement agreement_find(const struct agreement_entry *entry, size_t count, uint32_t self,
			      unsigned others, size_t *ret, char error[AGREEMENT_ERROR_SIZE]);

#endif
