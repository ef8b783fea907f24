/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done to one mirror or to all, on this node or on others: --all and --nodes. */
#ifndef DLM_COMMAND_CHOSEN_H
#define DLM_COMMAND_CHOSEN_H

#include "daemons/dlmirror/configured.h"
#include "daemons/dlmirror/nodes.h"
#include "daemons/dlmirror/verb.h"

struct chosen {
	bool all;
	bool there; /* on nodes, not only on this one */
	struct nodes nodes;
};

/* The first of a verb's table of options. Its own have keys from CHOSEN_KEYS_END on. */
enum { CHOSEN_KEY_ALL = 256, CHOSEN_KEY_NODES, CHOSEN_KEYS_END };
#define CHOSEN_OPTIONS                                                                             \
	{"all", CHOSEN_KEY_ALL, NULL, 0, "all mirrors that are configured", 0},                    \
	{                                                                                          \
		"nodes", CHOSEN_KEY_NODES, "NODES", 0, "on those nodes: all, or numbers like 1,3", \
		    0                                                                              \
	}

/* A parser for argp, with a struct chosen as input. */
error_t chosen_parse(int key, char *argument, struct argp_state *state);
/* Is either a name given or --all? Else UI_USAGE, and it has been said. */
int chosen_check(const struct chosen *chosen, const struct verb_arguments *arguments);
/* Has it done there, as that errand, or does it here with input. The highest of the exit codes. */
int chosen_run(const struct chosen *chosen, const struct verb_arguments *arguments,
	       enum dlmirror_errand errand, config_run *here, const void *input);

#endif
