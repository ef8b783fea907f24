// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror doctor: what is wrong here, and what to do about it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemons/dlmirror/survey.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

enum { OPTION_CONFIG = 256 };

struct output {
	struct libscols_table *table; /* NULL: lines for people */
	bool colour;
	unsigned problems;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	const char **config_path = state->input;

	if (key != OPTION_CONFIG)
		return ARGP_ERR_UNKNOWN;
	*config_path = argument;
	return 0;
}

static void line_print(const struct output *output, const struct check *check)
{
	static const char *const colours[] = {[CHECK_OK] = "\033[32m",
					      [CHECK_WARNING] = "\033[33m",
					      [CHECK_PROBLEM] = "\033[31m",
					      [CHECK_UNKNOWN] = "\033[36m"};
	const char *name = check_result_name(check->result);

	if (output->colour)
		(void)printf("%s%-7s\033[0m", colours[check->result], name);
	else
		(void)printf("%-7s", name);
	(void)printf("  %s%s%s%s%s", check->mirror ? check->mirror : "", check->mirror ? ": " : "",
		     check->what, check->remedy[0] ? "  => " : "", check->remedy);
	if (check->result != CHECK_OK)
		(void)printf(" [%s]", message_id(check->id));
	(void)putchar('\n');
}

static void row_add(struct libscols_table *table, const struct check *check)
{
	struct libscols_line *row = ui_row(table, NULL);

	ui_cell(row, 0, "%s", check_result_name(check->result));
	ui_cell(row, 1, "%s", message_id(check->name));
	if (check->mirror)
		ui_cell(row, 2, "%s", check->mirror);
	ui_cell(row, 3, "%s", check->what);
	if (check->remedy[0])
		ui_cell(row, 4, "%s", check->remedy);
	ui_cell(row, 5, "%s", message_id(check->id));
}

static void tell(void *context, const struct check *check)
{
	struct output *output = context;

	output->problems += check->result == CHECK_PROBLEM;
	if (output->table)
		row_add(output->table, check);
	else
		line_print(output, check);
}

int verb_doctor(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"config", OPTION_CONFIG, "FILE", 0,
	     "the daemon's configuration (" VERB_CONFIG_PATH ")", 0},
	    {0}};
	static const struct ui_column columns[] = {
	    {"result", 0, SCOLS_JSON_STRING}, {"check", 0, SCOLS_JSON_STRING},
	    {"mirror", 0, SCOLS_JSON_STRING}, {"what", 0, SCOLS_JSON_STRING},
	    {"remedy", 0, SCOLS_JSON_STRING}, {"id", 0, SCOLS_JSON_STRING},
	};
	const char *config_path = VERB_CONFIG_PATH;
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse,
	    .input = &config_path,
	    .names = "",
	    .doc = "Looks at the daemon, the kernel, the cluster and each mirror, and says what is "
		   "wrong and what to do about it.\vExit code 1: there are problems. What cannot "
		   "be looked at is told as unknown.",
	    .json = true};
	struct verb_arguments arguments;
	struct output output = {0};
	struct facts *facts;

	verb_parse(&syntax, argc, argv, &arguments);
	facts = calloc(1, sizeof(*facts));
	if (!facts || survey_make(config_path, facts) != 0) {
		free(facts);
		return ui_fail(UI_FAILED, MSG_NO_MEMORY, "no memory");
	}
	if (arguments.json)
		output.table =
		    ui_table("checks", columns, sizeof(columns) / sizeof(columns[0]), true);
	output.colour = ui_colour();
	checks_run(facts, tell, &output);
	if (output.table)
		ui_print(output.table);
	survey_free(facts);
	free(facts);
	return output.problems > 0 ? UI_FAILED : UI_OK;
}
