// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/chosen.h"

#include "daemons/dlmirror/ui.h"

error_t chosen_parse(int key, char *argument, struct argp_state *state)
{
	struct chosen *chosen = state->input;

	switch (key) {
	case CHOSEN_KEY_ALL:
		chosen->all = true;
		return 0;
	case CHOSEN_KEY_NODES:
		chosen->there = true;
		nodes_option(argument, state, &chosen->nodes);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int chosen_check(const struct chosen *chosen, const struct verb_arguments *arguments)
{
	if (chosen->all != (arguments->names == 1))
		return UI_OK;
	return ui_fail(UI_USAGE, MSG_NAME_OR_ALL, "give either the NAME of a mirror or --all");
}

struct sending {
	enum dlmirror_errand errand;
	const struct nodes *nodes;
};

static int send(const char *name, const void *input)
{
	const struct sending *sending = input;

	return nodes_do(&(const struct nodes_wish){
	    .what = sending->errand, .nodes = sending->nodes, .argument = {name}});
}

int chosen_run(const struct chosen *chosen, const struct verb_arguments *arguments,
	       enum dlmirror_errand errand, config_run *here, const void *input)
{
	const char *name = chosen->all ? NULL : arguments->name[0];
	const struct sending sending = {.errand = errand, .nodes = &chosen->nodes};

	return chosen->there ? config_each(name, send, &sending) : config_each(name, here, input);
}
