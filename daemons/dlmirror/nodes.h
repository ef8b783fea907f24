/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errands: what other nodes do for a verb. Functions that return int return an exit code, and have
 * said what is wrong. */
#ifndef DLM_COMMAND_NODES_H
#define DLM_COMMAND_NODES_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dlmirror/dlmirror.h"

/* --nodes: all, or some. */
struct nodes {
	bool all;
	uint32_t count;
	uint32_t node[DLMIRROR_VIEW_MAX];
};

struct nodes_wish {
	enum dlmirror_errand what;
	const struct nodes *nodes;
	const char *argument[DLMIRROR_ERRAND_ARGUMENTS];
	const char *text;
};

struct nodes_answer {
	uint32_t node;
	bool answered; /* else it left, or took too long */
	int code;
	char *text;
};

struct nodes_answers {
	unsigned count;
	struct nodes_answer answer[DLMIRROR_VIEW_MAX];
};

/* For parsers of such an option: "all", or node numbers with commas between. Does not return when it
 * makes no sense. */
void nodes_option(const char *text, const struct argp_state *state, struct nodes *ret);
/* Our daemon in its cluster. */
struct nodes_view {
	bool clustered; /* else all of this is empty */
	bool quorate;
	bool able; /* all daemons are new enough for errands */
	uint32_t self;
	struct nodes others;
};

/* Are all of its daemons new enough for errands? */
bool nodes_able(const struct dlmirror_cluster *cluster);
int nodes_look(struct dlmirror *d, struct nodes_view *ret);
/* Asks and waits. *ret is freed with nodes_free() when the code is UI_OK. */
int nodes_ask(struct dlmirror *d, const struct nodes_wish *wish, struct nodes_answers *ret);
void nodes_free(struct nodes_answers *answers);
/* Asks, prints what each has said behind its number, and returns the highest of their codes. */
int nodes_do(const struct nodes_wish *wish);

#endif
