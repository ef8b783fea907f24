// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror explain: what stands in the catalogue of messages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/dlmirror/explanation.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

#define NEAREST 3U

enum { OPTION_LIST = 256 };

static error_t parse(int key, char *argument, struct argp_state *state)
{
	(void)argument;
	if (key != OPTION_LIST)
		return ARGP_ERR_UNKNOWN;
	*(bool *)state->input = true;
	return 0;
}

static int unknown(const char *typed)
{
	enum message near[NEAREST];
	size_t count = explanation_nearest(typed, near, NEAREST);
	char names[256] = "";

	for (size_t i = 0; i < count; i++) {
		size_t used = strlen(names);

		(void)snprintf(names + used, sizeof(names) - used, "%s%s", i > 0 ? ", " : "",
			       message_id(near[i]));
	}
	return ui_fail(UI_USAGE, MSG_NO_SUCH_ID, "there is no message '%s'; %s%s", typed,
		       count > 0 ? "there is " : "dlmirror explain --list shows all", names);
}

static void cell(struct libscols_line *row, size_t column, char *text)
{
	if (!text)
		exit(ui_fail(UI_FAILED, MSG_NO_MEMORY, "no memory"));
	ui_cell(row, column, "%s", text);
	free(text);
}

static void json_add(struct libscols_table *table, enum message message)
{
	struct libscols_line *row = ui_row(table, NULL);

	ui_cell(row, 0, "%s", message_id(message));
	ui_cell(row, 1, "%s", message_title(message));
	cell(row, 2, explanation_part(message, EXPLANATION_MEANING));
	cell(row, 3, explanation_part(message, EXPLANATION_CAUSE));
	cell(row, 4, explanation_part(message, EXPLANATION_REMEDY));
}

static struct libscols_table *json_table(void)
{
	static const struct ui_column columns[] = {
	    {"id", 0, SCOLS_JSON_STRING},      {"title", 0, SCOLS_JSON_STRING},
	    {"meaning", 0, SCOLS_JSON_STRING}, {"cause", 0, SCOLS_JSON_STRING},
	    {"remedy", 0, SCOLS_JSON_STRING},
	};

	return ui_table("messages", columns, sizeof(columns) / sizeof(columns[0]), true);
}

static int list(bool json)
{
	struct libscols_table *table = json ? json_table() : NULL;
	int width = 0;

	for (enum message i = MSG_WITHIN + 1; i < MESSAGES; i++)
		if ((int)strlen(message_id(i)) > width)
			width = (int)strlen(message_id(i));
	for (enum message i = MSG_WITHIN + 1; i < MESSAGES; i++)
		if (table)
			json_add(table, i);
		else
			(void)printf("%-*s  %s\n", width, message_id(i), message_title(i));
	if (table)
		ui_print(table);
	return UI_OK;
}

static int explain(const struct verb_arguments *arguments)
{
	struct libscols_table *table = arguments->json ? json_table() : NULL;
	int code = UI_OK;

	for (unsigned i = 0; i < arguments->names; i++) {
		enum message message = explanation_find(arguments->name[i]);

		if (message == MSG_WITHIN) {
			code = unknown(arguments->name[i]);
		} else if (table) {
			json_add(table, message);
		} else {
			(void)fputs(i > 0 ? "\n" : "", stdout);
			explanation_write(message, stdout);
		}
	}
	if (table)
		ui_print(table);
	return code;
}

int verb_explain(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"list", OPTION_LIST, NULL, 0, "print all ids, each with what it is about", 0}, {0}};
	bool all = false;
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse,
	    .input = &all,
	    .names = "[ID...]",
	    .doc = "Says what a message means and what to do about it. ID is what stands in "
		   "brackets at the end of its line; the kinds of events and what status shows "
		   "are explained, too. Without one all are listed.",
	    .max = VERB_NAMES_MAX,
	    .json = true};
	struct verb_arguments arguments;

	verb_parse(&syntax, argc, argv, &arguments);
	return all || arguments.names == 0 ? list(arguments.json) : explain(&arguments);
}
