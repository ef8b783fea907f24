// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror doctor: what is wrong here, or on the nodes of the cluster, and what to do about it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemons/dlmirror/findings.h"
#include "daemons/dlmirror/nodes.h"
#include "daemons/dlmirror/survey.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

enum { OPTION_CONFIG = 256, OPTION_NODES, OPTION_TELL };

struct doctor_options {
	const char *config_path; /* NULL: the usual one */
	bool there;		 /* on nodes, and this one as one of them */
	bool tell;
	struct nodes nodes;
};

struct output {
	struct libscols_table *table; /* NULL: lines for people */
	bool colour;
	const char *label; /* before each line */
	uint32_t node;	   /* 0: none */
	unsigned problems;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct doctor_options *options = state->input;

	switch (key) {
	case OPTION_CONFIG:
		options->config_path = argument;
		return 0;
	case OPTION_NODES:
		options->there = true;
		nodes_option(argument, state, &options->nodes);
		return 0;
	case OPTION_TELL:
		options->tell = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- for people, and as JSON */

static void line_print(const struct output *output, const struct finding *f)
{
	static const char *const colours[] = {[CHECK_OK] = "\033[32m",
					      [CHECK_WARNING] = "\033[33m",
					      [CHECK_PROBLEM] = "\033[31m",
					      [CHECK_UNKNOWN] = "\033[36m"};
	const char *name = check_result_name(f->result);

	(void)fputs(output->label, stdout);
	if (output->colour)
		(void)printf("%s%-7s\033[0m", colours[f->result], name);
	else
		(void)printf("%-7s", name);
	(void)printf("  %s%s%s%s%s", f->mirror, f->mirror[0] ? ": " : "", f->what,
		     f->remedy[0] ? "  => " : "", f->remedy);
	if (f->result != CHECK_OK)
		(void)printf(" [%s]", f->id);
	(void)putchar('\n');
}

static void row_add(const struct output *output, const struct finding *f)
{
	struct libscols_line *row = ui_row(output->table, NULL);

	ui_cell(row, 0, "%s", check_result_name(f->result));
	ui_cell(row, 1, "%s", f->check);
	if (f->mirror[0])
		ui_cell(row, 2, "%s", f->mirror);
	ui_cell(row, 3, "%s", f->what);
	if (f->remedy[0])
		ui_cell(row, 4, "%s", f->remedy);
	ui_cell(row, 5, "%s", f->id);
	if (output->node != 0)
		ui_cell(row, 6, "%" PRIu32, output->node);
}

static void finding_print(struct output *output, const struct finding *f)
{
	output->problems += f->result == CHECK_PROBLEM;
	if (output->table)
		row_add(output, f);
	else
		line_print(output, f);
}

static void on_check(void *context, const struct check *check)
{
	struct finding finding;

	finding_of(check, &finding);
	finding_print(context, &finding);
}

static void output_begin(struct output *output, bool json)
{
	static const struct ui_column columns[] = {
	    {"result", 0, SCOLS_JSON_STRING}, {"check", 0, SCOLS_JSON_STRING},
	    {"mirror", 0, SCOLS_JSON_STRING}, {"what", 0, SCOLS_JSON_STRING},
	    {"remedy", 0, SCOLS_JSON_STRING}, {"id", 0, SCOLS_JSON_STRING},
	    {"node", 0, SCOLS_JSON_NUMBER},
	};

	*output = (struct output){.colour = ui_colour(), .label = ""};
	if (json)
		output->table =
		    ui_table("checks", columns, sizeof(columns) / sizeof(columns[0]), true);
}

static int output_end(const struct output *output)
{
	if (output->table)
		ui_print(output->table);
	return output->problems > 0 ? UI_FAILED : UI_OK;
}

/* ---- for another node */

/* An answer may be cut, so what is good comes last. */
struct telling {
	bool good;
	unsigned problems;
};

static void on_check_told(void *context, const struct check *check)
{
	struct telling *telling = context;
	char line[FINDING_LINE_SIZE];
	struct finding finding;

	if ((check->result == CHECK_OK) != telling->good)
		return;
	telling->problems += check->result == CHECK_PROBLEM;
	finding_of(check, &finding);
	finding_line(&finding, line);
	ui_say("%s\n", line);
}

static int facts_tell(const struct facts *f)
{
	struct telling telling = {.good = false};
	char line[FINDING_LINE_SIZE];

	findings_begin_line(f->daemon.version, line);
	ui_say("%s\n", line);
	checks_run(f, on_check_told, &telling);
	telling.good = true;
	checks_run(f, on_check_told, &telling);
	ui_say("%s\n", findings_end_line());
	return telling.problems > 0 ? UI_FAILED : UI_OK;
}

/* ---- here */

static int doctor_here(const struct doctor_options *options, bool json)
{
	const char *path = options->config_path ? options->config_path : VERB_CONFIG_PATH;
	struct facts *facts = calloc(1, sizeof(*facts));
	struct output output;
	int code;

	if (!facts || survey_make(path, options->tell, facts) != 0) {
		free(facts);
		return ui_fail(UI_FAILED, MSG_NO_MEMORY, "no memory");
	}
	if (options->tell) {
		code = facts_tell(facts);
	} else {
		output_begin(&output, json);
		checks_run(facts, on_check, &output);
		code = output_end(&output);
	}
	survey_free(facts);
	free(facts);
	return code;
}

/* ---- on nodes */

static int answer_print(const struct nodes_answer *answer, struct output *output,
			struct facts_node *ret)
{
	struct findings findings;
	char label[32];

	if (findings_read(answer->answered ? answer->text : NULL, &findings) != 0)
		return ui_fail(UI_FAILED, MSG_NO_MEMORY, "no memory");
	*ret = findings.node;
	ret->node = answer->node;
	(void)snprintf(label, sizeof(label), "node %" PRIu32 ": ", answer->node);
	output->label = label;
	output->node = answer->node;
	for (size_t i = 0; i < findings.count; i++)
		finding_print(output, &findings.finding[i]);
	output->label = "";
	output->node = 0;
	findings_free(&findings);
	return UI_OK;
}

/* This node is compared with those that were asked, too. */
static void self_add(const struct dlmirror_daemon *daemon, struct facts_nodes *f)
{
	struct facts_node *self = &f->node[f->count];

	for (unsigned i = 0; i < f->count; i++)
		if (f->node[i].node == daemon->cluster.node)
			return;
	if (!f->clustered || f->count == DLMIRROR_VIEW_MAX)
		return;
	*self = (struct facts_node){.node = daemon->cluster.node};
	memcpy(self->version, daemon->version, sizeof(self->version));
	f->count++;
}

static int nodes_compare(struct dlmirror *d, struct facts_nodes *f)
{
	struct dlmirror_daemon daemon;
	int error = dlmirror_daemon(d, &daemon);

	if (error != 0)
		return ui_fail_daemon(d, error);
	f->clustered = daemon.cluster.enabled;
	self_add(&daemon, f);
	if (f->clustered)
		f->mirrors_same = survey_mirrors(d, f->mirrors_differ);
	return UI_OK;
}

static int answers_print(struct dlmirror *d, const struct nodes_answers *answers, bool json)
{
	struct facts_nodes f = {.count = 0};
	struct output output;
	int code = UI_OK;

	output_begin(&output, json);
	for (unsigned i = 0; i < answers->count && code == UI_OK; i++)
		code = answer_print(&answers->answer[i], &output, &f.node[f.count++]);
	if (code == UI_OK)
		code = nodes_compare(d, &f);
	if (code != UI_OK)
		return code;
	output.label = "all nodes: ";
	checks_nodes(&f, on_check, &output);
	return output_end(&output);
}

static int doctor_there(const struct doctor_options *options, bool json)
{
	const struct nodes_wish wish = {.what = DLMIRROR_ERRAND_DOCTOR, .nodes = &options->nodes};
	struct nodes_answers answers;
	struct dlmirror *d;
	int code = ui_connect(&d);

	if (code != UI_OK)
		return code;
	code = nodes_ask(d, &wish, &answers);
	if (code == UI_OK) {
		code = answers_print(d, &answers, json);
		nodes_free(&answers);
	}
	dlmirror_free(d);
	return code;
}

int verb_doctor(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"config", OPTION_CONFIG, "FILE", 0,
	     "the daemon's configuration (" VERB_CONFIG_PATH ")", 0},
	    {"nodes", OPTION_NODES, "NODES", 0,
	     "look on those nodes: all, or numbers like 1,3; and whether they are alike", 0},
	    {"tell", OPTION_TELL, NULL, 0, "for another node to read", 0},
	    {0}};
	struct doctor_options options = {.there = false};
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse,
	    .input = &options,
	    .names = "",
	    .doc = "Looks at the daemon, the kernel, the cluster and each mirror, and says what is "
		   "wrong and what to do about it.\vExit code 1: there are problems. What cannot "
		   "be looked at is told as unknown.",
	    .json = true};
	struct verb_arguments arguments;

	verb_parse(&syntax, argc, argv, &arguments);
	if (options.there && (options.tell || options.config_path))
		return ui_fail(UI_USAGE, MSG_OPTIONS_CONTRADICT,
			       "--nodes does not go together with --config or --tell: each node "
			       "looks at its own");
	if (options.tell && arguments.json)
		return ui_fail(UI_USAGE, MSG_OPTIONS_CONTRADICT,
			       "--tell and --json do not go together; --nodes=NODE --json tells of "
			       "one node");
	return options.there ? doctor_there(&options, arguments.json)
			     : doctor_here(&options, arguments.json);
}
