// SPDX-License-Identifier: GPL-2.0-or-later
/* The command: a table of verbs, and what their arguments have in common. */
#include <config.h>

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/common/bytes.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

#define INTERVAL_MIN_MS 100U
#define INTERVAL_MAX_S	3600

static const struct verb verbs[] = {
    {"create", "make a mirror of two or more devices", verb_create},
    {"activate", "bring a configured mirror up, here or on other nodes", verb_activate},
    {"deactivate", "take a mirror down, and keep its configuration", verb_deactivate},
    {"remove", "take a mirror down and forget it; legs and log device stay as they are",
     verb_remove},
    {"rename", "give a mirror another name", verb_rename},
    {"import", "write the configuration of a mirror that is active", verb_import},
    {"config", "show the nodes' configurations of mirrors, and make one count", verb_config},
    {"list", "list the mirrors of this node", verb_list},
    {"status", "say how mirrors are doing, and follow their progress", verb_status},
    {"show", "show all there is to know about a mirror", verb_show},
    {"top", "show the busiest mirrors, again and again", verb_top},
    {"map", "show the regions of a mirror as a picture", verb_map},
    {"events", "print what happened on this node, and follow what happens", verb_events},
    {"history", "print what happened last on this node", verb_history},
    {"verify", "compare the legs of a mirror, while it is in use", verb_verify},
    {"repair", "compare the legs of a mirror, and make them identical", verb_repair},
    {"resync", "copy all of a mirror from its first leg again, on all nodes", verb_resync},
    {"leg", "list, add, remove or replace legs of a mirror in use", verb_leg},
    {"grow", "make a mirror in use larger", verb_grow},
    {"reload", "give a mirror in use another size or other legs, on all nodes", verb_reload},
    {"set", "change what a mirror is to do, while it is in use", verb_set},
    {"suspend", "hold all I/O of a mirror on this node", verb_suspend},
    {"resume", "let it go on", verb_resume},
    {"doctor", "say what is wrong on this host, and what to do about it", verb_doctor},
    {"report", "write all that into a page to be kept or sent", verb_report},
    {"explain", "say what a message means, and what to do about it", verb_explain},
    {"metrics", "print what monitoring wants to know", verb_metrics},
    {"log", "inspect, export, replace, adopt or retry a log device", verb_log},
    {"daemon", "ask and command the daemon", verb_daemon},
};

static void usage(FILE *to, const char *program, const struct verb *list, size_t count)
{
	size_t i;

	(void)fprintf(to, "Usage: %s VERB [ARGUMENTS]\n\n", program);
	for (i = 0; i < count; i++)
		(void)fprintf(to, "  %-10s %s\n", list[i].name, list[i].summary);
	(void)fprintf(to, "\n%s VERB --help says more about a verb; so does dlmirror(8).\n",
		      program);
}

int verb_dispatch(const char *program, const struct verb *list, size_t count, int argc, char **argv)
{
	char name[64];
	size_t i;

	if (argc < 2) {
		usage(stderr, program, list, count);
		return UI_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		usage(stdout, program, list, count);
		return UI_OK;
	}
	for (i = 0; i < count; i++) {
		if (strcmp(argv[1], list[i].name) != 0)
			continue;
		(void)snprintf(name, sizeof(name), "%s %s", program, list[i].name);
		argv[1] = name;
		return list[i].run(argc - 1, argv + 1);
	}
	return ui_fail(UI_USAGE, MSG_NO_SUCH_VERB, "there is no verb '%s'; %s --help lists them",
		       argv[1], program);
}

struct parsing {
	const struct verb_syntax *syntax;
	struct verb_arguments *result;
};

static error_t parse_common(int key, char *argument, struct argp_state *state)
{
	struct parsing *parsing = state->input;
	const struct verb_syntax *syntax = parsing->syntax;
	struct verb_arguments *result = parsing->result;

	switch (key) {
	case ARGP_KEY_INIT:
		if (syntax->options)
			state->child_inputs[0] = syntax->input;
		return 0;
	case 'j':
		if (!syntax->json)
			return ARGP_ERR_UNKNOWN;
		result->json = true;
		return 0;
	case 'q':
		if (!syntax->quiet)
			return ARGP_ERR_UNKNOWN;
		ui_quiet();
		return 0;
	case ARGP_KEY_ARG:
		if (result->names >= syntax->max)
			ui_refuse(state->name, "there is one argument too many: '%s'", argument);
		result->name[result->names++] = argument;
		return 0;
	case ARGP_KEY_END:
		if (result->names < syntax->min)
			ui_refuse(state->name, "%s is missing", syntax->names);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void verb_parse(const struct verb_syntax *syntax, int argc, char **argv, struct verb_arguments *ret)
{
	static const struct argp_option json = {"json", 'j', NULL, 0, "print JSON, for programs",
						0};
	static const struct argp_option quiet = {
	    "quiet", 'q', NULL, 0, "say nothing when all went well", 0};
	struct argp_option common[3] = {{0}};
	unsigned count = 0;
	const struct argp own = {.options = syntax->options, .parser = syntax->parser};
	const struct argp_child children[] = {{&own, 0, NULL, 0}, {0}};
	/* argp loses memory over a list that is there and empty */
	const struct argp argp = {.options = syntax->json || syntax->quiet ? common : NULL,
				  .parser = parse_common,
				  .args_doc = syntax->names,
				  .doc = syntax->doc,
				  .children = syntax->options ? children : NULL};
	struct parsing parsing = {.syntax = syntax, .result = ret};

	if (syntax->json)
		common[count++] = json;
	if (syntax->quiet)
		common[count++] = quiet;
	*ret = (struct verb_arguments){0};
	argp_err_exit_status = UI_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &parsing) != 0)
		exit(UI_USAGE);
}

unsigned verb_interval_ms(const char *argument, const struct argp_state *state)
{
	char *end;
	double seconds = strtod(argument, &end);

	if (*end != '\0' || !(seconds * 1000 >= INTERVAL_MIN_MS) || seconds > INTERVAL_MAX_S)
		ui_refuse(state->name, "an interval is 0.1 to %d seconds, not '%s'", INTERVAL_MAX_S,
			  argument);
	return (unsigned)(seconds * 1000);
}

uint64_t verb_rate(const char *argument, const struct argp_state *state)
{
	uint64_t bytes_s = 0;

	if (bytes_parse_rate(argument, &bytes_s) != 0)
		ui_refuse(state->name,
			  "a rate is what may be done in a second, like 20MiB, or unlimited, not "
			  "'%s'",
			  argument);
	return bytes_s;
}

int verb_on_mirror(const struct verb_syntax *syntax, int argc, char **argv, verb_run *run)
{
	struct verb_arguments arguments;
	struct dlmirror *d;
	int code;

	verb_parse(syntax, argc, argv, &arguments);
	code = ui_connect(&d);
	if (code != UI_OK)
		return code;
	code = run(&d, arguments.name[0], syntax->input, arguments.json);
	dlmirror_free(d);
	return code;
}

int main(int argc, char **argv)
{
	(void)setlocale(LC_ALL, "");
	if (argc > 1 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)) {
		(void)printf("dlmirror %s\n", PACKAGE_VERSION);
		return UI_OK;
	}
	return verb_dispatch("dlmirror", verbs, sizeof(verbs) / sizeof(verbs[0]), argc, argv);
}
