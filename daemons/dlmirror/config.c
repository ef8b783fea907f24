// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror config: the configuration of mirrors on the nodes of a cluster. tell, take, forget and
 * follow are what nodes and daemons have done by errands. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemons/common/plan_text.h"
#include "daemons/dlmirror/agreement.h"
#include "daemons/dlmirror/configured.h"
#include "daemons/dlmirror/device.h"
#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/logdev.h"
#include "daemons/dlmirror/nodes.h"
#include "daemons/dlmirror/shared.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

static void names_parse(const char *names, const char *doc, unsigned min, unsigned max, int argc,
			char **argv, struct verb_arguments *ret)
{
	const struct verb_syntax syntax = {.names = names, .doc = doc, .min = min, .max = max};

	verb_parse(&syntax, argc, argv, ret);
}

static int stdin_read(char *ret, size_t size)
{
	size_t used = fread(ret, 1, size, stdin);

	if (used == size)
		return ui_fail(UI_USAGE, MSG_INPUT_INVALID,
			       "what is to be read is too long, at most %zu bytes", size - 1);
	ret[used] = '\0';
	return UI_OK;
}

/* ---- tell */

static int entry_of(const char *name, struct agreement_entry *ret)
{
	char error[MIRROR_FILE_ERROR_SIZE];
	struct mapper_device device;
	struct mirror_file file;
	int code;

	*ret = (struct agreement_entry){.node = 0};
	if (strlen(name) >= sizeof(ret->name) ||
	    mirror_file_read(VERB_MIRRORS_DIR, name, &file, error) != 0)
		return UI_NO_MIRROR;
	code = device_look(name, &device);
	if (code != UI_OK)
		return code;
	strcpy(ret->name, name);
	memcpy(ret->uuid, file.uuid, sizeof(ret->uuid));
	ret->serial = file.serial;
	ret->digest = mirror_file_digest(&file);
	ret->active = mapper_is(&device, file.uuid);
	return UI_OK;
}

static int tell_one(const char *name, const void *input)
{
	const struct verb_arguments *wanted = input;
	struct agreement_entry entry;
	char line[AGREEMENT_LINE_SIZE];

	if (entry_of(name, &entry) != UI_OK) {
		/* One that cannot be read hides no other. */
		return wanted->names == 0 || strcmp(wanted->name[0], name) == 0
			   ? ui_fail(UI_FAILED, MSG_CONFIG_UNREADABLE,
				     "the configuration of %s cannot be read", name)
			   : UI_OK;
	}
	if (wanted->names > 0 && strcmp(wanted->name[0], name) != 0 &&
	    (wanted->names < 2 || strcmp(wanted->name[1], entry.uuid) != 0))
		return UI_OK;
	agreement_line(&entry, line);
	ui_say("%s\n", line);
	return UI_OK;
}

static int config_tell(int argc, char **argv)
{
	struct verb_arguments arguments;

	names_parse(
	    "[NAME [UUID]]",
	    "Prints name, uuid, serial, checksum and state of each mirror that this node has "
	    "a configuration of, for other nodes to read.",
	    0, 2, argc, argv, &arguments);
	return config_each(NULL, tell_one, &arguments);
}

/* ---- list */

static void list_row(struct libscols_table *table, const struct agreement_entry *e)
{
	struct libscols_line *row = ui_row(table, NULL);

	ui_cell(row, 0, "%s", e->name);
	ui_cell(row, 1, "%" PRIu32, e->node);
	ui_cell(row, 2, "%" PRIu64, e->serial);
	ui_cell(row, 3, "%08" PRIx32, e->digest);
	ui_cell(row, 4, "%s", e->active ? "active" : "inactive");
	ui_cell(row, 5, "%s", e->uuid);
}

static int list_answer(const struct nodes_answer *answer, struct agreement_entry *entry,
		       size_t room, size_t *count)
{
	const char *rest;

	if (answer->code != UI_OK)
		return ui_fail(UI_FAILED, MSG_NODE_SILENT,
			       "node %" PRIu32 " does not say what it has: %.*s", answer->node,
			       format_line_length(answer->text), answer->text);
	if (agreement_read(answer->text, answer->node, entry, room, count, &rest) != 0)
		return ui_fail(UI_FAILED, MSG_NODE_SILENT,
			       "node %" PRIu32 " has more than it can tell", answer->node);
	return UI_OK;
}

static int by_name(const void *a, const void *b)
{
	const struct agreement_entry *x = a;
	const struct agreement_entry *y = b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : (x->node > y->node) - (x->node < y->node);
}

static int list_print(const struct nodes_answers *answers, bool json)
{
	static const struct ui_column columns[] = {
	    {"NAME", 0, SCOLS_JSON_STRING},
	    {"NODE", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER},
	    {"SERIAL", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER},
	    {"CHECKSUM", 0, SCOLS_JSON_STRING},
	    {"STATE", 0, SCOLS_JSON_STRING},
	    {"UUID", 0, SCOLS_JSON_STRING},
	};
	size_t room = DLMIRROR_ERRAND_TEXT_SIZE / 16 * answers->count;
	struct agreement_entry *entry = calloc(room, sizeof(*entry));
	struct libscols_table *table =
	    ui_table("configurations", columns, sizeof(columns) / sizeof(columns[0]), json);
	size_t count = 0;
	int worst = UI_OK;

	if (!entry)
		return ui_fail(UI_FAILED, MSG_NO_MEMORY, "no memory");
	for (unsigned i = 0; i < answers->count; i++) {
		int code = list_answer(&answers->answer[i], entry, room, &count);

		worst = code > worst ? code : worst;
	}
	qsort(entry, count, sizeof(*entry), by_name);
	for (size_t i = 0; i < count; i++)
		list_row(table, &entry[i]);
	ui_print(table);
	free(entry);
	return worst;
}

static int config_list(int argc, char **argv)
{
	const struct verb_syntax syntax = {
	    .doc = "Lists which node has which configuration of which mirror.", .json = true};
	const struct nodes all = {.all = true};
	const struct nodes_wish wish = {.what = DLMIRROR_ERRAND_TELL, .nodes = &all};
	struct verb_arguments arguments;
	struct nodes_answers answers;
	struct dlmirror *d;
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	code = ui_connect(&d);
	if (code != UI_OK)
		return code;
	code = nodes_ask(d, &wish, &answers);
	if (code == UI_OK) {
		code = list_print(&answers, arguments.json);
		nodes_free(&answers);
	}
	dlmirror_free(d);
	return code;
}

/* ---- the others */

static int config_show(int argc, char **argv)
{
	char text[MIRROR_FILE_TEXT_SIZE];
	struct verb_arguments arguments;
	struct mirror_file file;
	int code;

	names_parse("NAME", "Prints the configuration of a mirror.", 1, 1, argc, argv, &arguments);
	code = config_load(arguments.name[0], &file);
	if (code == UI_OK && mirror_file_text(&file, text, sizeof(text)) != 0)
		code = ui_fail(UI_FAILED, MSG_PATH_TOO_LONG, "the configuration of %s is too long",
			       arguments.name[0]);
	for (const char *line = text; code == UI_OK && *line; line = format_next_line(line))
		ui_say("%.*s\n", format_line_length(line), line);
	return code;
}

static int config_take_verb(int argc, char **argv)
{
	char text[MIRROR_FILE_TEXT_SIZE];
	struct verb_arguments arguments;
	int code;

	names_parse(
	    "NAME",
	    "Reads the configuration of a mirror, which becomes that of this node when it is "
	    "newer.",
	    1, 1, argc, argv, &arguments);
	code = stdin_read(text, sizeof(text));
	return code == UI_OK ? config_take(arguments.name[0], text) : code;
}

static int config_push(int argc, char **argv)
{
	const struct verb_syntax syntax = {
	    .names = "NAME",
	    .doc =
		"Gives the configuration of a mirror to all nodes, where it counts from then on.",
	    .min = 1,
	    .max = 1,
	    .quiet = true};
	struct verb_arguments arguments;
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	code = shared_insist(arguments.name[0]);
	if (code == UI_OK)
		ui_done("%s: all nodes have the configuration of this one\n", arguments.name[0]);
	return code;
}

static int config_forget(int argc, char **argv)
{
	struct verb_arguments arguments;
	struct agreement_entry entry;
	char name[DLMIRROR_NAME_SIZE];
	struct mirror_file file;
	int code;

	names_parse("NAME UUID", "Forgets the configuration of a mirror that is not active.", 2, 2,
		    argc, argv, &arguments);
	code = config_find(arguments.name[1], name, &file);
	if (code == UI_NO_MIRROR)
		return UI_OK;
	if (code == UI_OK)
		code = entry_of(name, &entry);
	if (code == UI_OK && entry.active)
		code = ui_fail(UI_FAILED, MSG_ACTIVE_ELSEWHERE, "%s is active", name);
	return code == UI_OK ? config_remove(name) : code;
}

/* A daemon that died may have had it done before, and a second time it would be done to other legs. */
static bool has_followed(const struct mirror_file *file, const struct dlmirror_plan *plan,
			 uint64_t revision)
{
	if (revision != 0)
		return file->revision >= revision;
	if (file->length_sectors != plan->to_sectors || file->leg_count != plan->to_legs)
		return false;
	for (uint32_t i = 0; i < plan->to_legs; i++) {
		const struct dlmirror_plan_leg *leg = &plan->leg[i];

		if (file->leg[i].start_sector !=
		    (leg->fresh ? leg->start_sector : plan->from_start[leg->index]))
			return false;
		if (leg->fresh && strcmp(file->leg[i].path, leg->path) != 0)
			return false;
	}
	return true;
}

/* ---- follow */

#define RETIRE_MS 3000U /* the mirror's I/O waits meanwhile */
#define LOOK_MS	  20U

static void retire(const struct mirror_file *file, uint64_t revision)
{
	char error[LOGDEV_ERROR_SIZE];
	struct logdev log;

	if (logdev_open_beside(file->log, &log, error) != 0)
		return;
	if (disk_search_is_of(&log.search, file->uuid) && log.search.super.revision < revision)
		(void)logdev_retire(&log, revision, error);
	logdev_close(&log);
}

/* What the log device of before says must not count again. All nodes are suspended with a log that is
 * at rest, and each of them does the same. The device may be just failing, so it is done beside. */
static void old_log_retire(const struct mirror_file *file, const struct plan_log *log)
{
	uint64_t until_ms = ui_now_ms() + RETIRE_MS;
	pid_t pid;

	if (log->lost || !file->log[0])
		return;
	pid = fork();
	if (pid == 0) {
		retire(file, log->to);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, WNOHANG) == 0) {
		if (ui_now_ms() >= until_ms)
			return;
		ui_pause_ms(LOOK_MS);
	}
}

static int config_follow(int argc, char **argv)
{
	char text[PLAN_TEXT_SIZE];
	char name[DLMIRROR_NAME_SIZE];
	struct verb_arguments arguments;
	struct dlmirror_plan plan;
	struct mirror_file file;
	struct mirror_file after;
	struct plan_log log;
	int code;

	names_parse("UUID", "Reads what a reload has changed, and changes the configuration alike.",
		    1, 1, argc, argv, &arguments);
	code = stdin_read(text, sizeof(text));
	if (code == UI_OK && plan_text_parse(text, &plan, &log) != 0)
		code = ui_fail(UI_USAGE, MSG_INPUT_INVALID, "what is read is no plan of a reload");
	if (code != UI_OK)
		return code;
	code = config_find(arguments.name[0], name, &file);
	if (code != UI_OK)
		return code == UI_NO_MIRROR ? UI_OK : code;
	if (has_followed(&file, &plan, log.to))
		return UI_OK;
	if (log.device[0])
		old_log_retire(&file, &log);
	if (mirror_file_reload(&file, &plan, &log, &after) == 0)
		return mirror_file_same(&file, &after) ? UI_OK : config_store(name, &after);
	return ui_fail(UI_FAILED, MSG_CONFIG_NOT_FOLLOWED,
		       "%s/%s.conf was about another table and stays as it is: write the legs into "
		       "it that dlmirror show %s names",
		       VERB_MIRRORS_DIR, name, name);
}

/* Who has it active has followed, or says that it has not. */
static int config_give(int argc, char **argv)
{
	char name[DLMIRROR_NAME_SIZE];
	struct verb_arguments arguments;
	struct mirror_file file;
	int code;

	names_parse("UUID",
		    "Gives the configuration of a mirror that a reload has changed to others.", 1,
		    1, argc, argv, &arguments);
	code = config_find(arguments.name[0], name, &file);
	if (code == UI_OK)
		shared_push(name);
	return code == UI_NO_MIRROR ? UI_OK : code;
}

int verb_config(int argc, char **argv)
{
	static const struct verb verbs[] = {
	    {"list", "which node has which configuration", config_list},
	    {"show", "the configuration of a mirror", config_show},
	    {"push", "give the configuration of a mirror to all nodes", config_push},
	    {"tell", "what this node has, for other nodes", config_tell},
	    {"take", "take what another node has", config_take_verb},
	    {"forget", "forget a mirror that another node has removed", config_forget},
	    {"follow", "change it as a reload has changed the mirror", config_follow},
	    {"give", "give it to the nodes that have the mirror not active", config_give},
	};

	return verb_dispatch(argv[0], verbs, sizeof(verbs) / sizeof(verbs[0]), argc, argv);
}
