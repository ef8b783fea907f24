/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs of the command. Each takes its own arguments (argv[0] is "dlmirror VERB") and returns
 * the exit code. */
#ifndef DLM_COMMAND_VERB_H
#define DLM_COMMAND_VERB_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif
#define VERB_CONFIG_PATH SYSCONFDIR "/dlmirror/dlmirror.conf"
#define VERB_MIRRORS_DIR SYSCONFDIR "/dlmirror/mirrors.d"

struct verb {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
};

int verb_create(int argc, char **argv);
int verb_remove(int argc, char **argv);
int verb_activate(int argc, char **argv);
int verb_deactivate(int argc, char **argv);
int verb_config(int argc, char **argv);
int verb_list(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_show(int argc, char **argv);
int verb_rename(int argc, char **argv);
int verb_import(int argc, char **argv);
int verb_leg(int argc, char **argv);
int verb_grow(int argc, char **argv);
int verb_map(int argc, char **argv);
int verb_events(int argc, char **argv);
int verb_history(int argc, char **argv);
int verb_reload(int argc, char **argv);
int verb_top(int argc, char **argv);
int verb_verify(int argc, char **argv);
int verb_set(int argc, char **argv);
int verb_resync(int argc, char **argv);
int verb_repair(int argc, char **argv);
int verb_suspend(int argc, char **argv);
int verb_resume(int argc, char **argv);
int verb_doctor(int argc, char **argv);
int verb_report(int argc, char **argv);
int verb_explain(int argc, char **argv);
int verb_metrics(int argc, char **argv);
int verb_log(int argc, char **argv);
int verb_log_replace(int argc, char **argv);
int verb_daemon(int argc, char **argv);

/* Runs the one of the verbs that argv[1] names. program: what stands before it, for messages. */
int verb_dispatch(const char *program, const struct verb *verbs, size_t count, int argc,
		  char **argv);

#define VERB_NAMES_MAX 16U

/* Options that many verbs have, parsed by verb_parse(). */
struct verb_arguments {
	bool json;
	const char *name[VERB_NAMES_MAX]; /* what is no option */
	unsigned names;
};

/*
 * Parses --json and --quiet (where those are true) and between min and max names. Options of the verb's own come
 * first: parser gets them with input. Does not return after --help or an error (exit code 2).
 */
struct verb_syntax {
	const struct argp_option *options; /* NULL: none but --json */
	argp_parser_t parser;
	void *input;
	const char *names; /* "NAME", "[NAME]" */
	const char *doc;
	unsigned min;
	unsigned max;
	bool json;
	bool quiet; /* it does something, and takes --quiet */
};
void verb_parse(const struct verb_syntax *syntax, int argc, char **argv,
		struct verb_arguments *ret);

/* Of --interval, for parsers of such an option: seconds in milliseconds. Does not return when it
 * makes no sense. */
unsigned verb_interval_ms(const char *argument, const struct argp_state *state);

/* Of a rate, for parsers of such an option: bytes per second, UINT64_MAX for unlimited. Does not
 * return when it makes no sense. */
uint64_t verb_rate(const char *argument, const struct argp_state *state);

struct dlmirror;

/* What a verb does to the mirror called name, with the daemon at *d; input is the syntax's. Returns
 * the exit code. It may connect anew: *d is freed by the caller. */
typedef int verb_run(struct dlmirror **d, const char *name, const void *input, bool json);
/* A verb of one mirror: parses, connects and runs. */
int verb_on_mirror(const struct verb_syntax *syntax, int argc, char **argv, verb_run *run);

#endif
