// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror leg, grow and resync: short for what reload does, and the list of legs. */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/common/missing.h"
#include "daemons/dlmirror/block.h"
#include "daemons/dlmirror/configured.h"
#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/mirrors.h"
#include "daemons/dlmirror/shared.h"
#include "daemons/dlmirror/verb.h"

#define DROP_TIMEOUT_S 30U

enum { OPTION_FAILED = 256 };

static void shorthand_parse(const char *names, const char *doc, unsigned count, int argc,
			    char **argv, struct verb_arguments *ret)
{
	const struct verb_syntax syntax = {
	    .names = names, .doc = doc, .min = count, .max = count, .json = true, .quiet = true};

	verb_parse(&syntax, argc, argv, ret);
}

#define RELOAD_WORDS (2U * DLMIRROR_LEGS_MAX + 4U)
#define WORD_SIZE    (DLMIRROR_PATH_SIZE * 2U + 64U)

/* The arguments of "dlmirror reload" as they grow. */
struct reload {
	int count;
	bool too_long;
	char *argv[RELOAD_WORDS + 1];
	char word[RELOAD_WORDS][WORD_SIZE];
};

static void __attribute__((format(printf, 2, 3)))
word_add(struct reload *reload, const char *format, ...)
{
	char *word = reload->word[reload->count];
	va_list args;
	int length;

	assert(reload->count < (int)RELOAD_WORDS);
	va_start(args, format);
	length = vsnprintf(word, WORD_SIZE, format, args);
	va_end(args);
	reload->too_long = reload->too_long || length < 0 || (size_t)length >= WORD_SIZE;
	reload->argv[reload->count++] = word;
}

static void reload_begin(struct reload *reload, const char *program, const char *mirror)
{
	reload->count = 0;
	reload->too_long = false;
	word_add(reload, "%s", program);
	word_add(reload, "%s", mirror);
}

static int reload_run(struct reload *reload, bool json)
{
	if (json)
		word_add(reload, "--json");
	reload->argv[reload->count] = NULL;
	if (reload->too_long)
		return ui_fail(UI_USAGE, MSG_ARGUMENTS_TOO_LONG, "the arguments are too long");
	return verb_reload(reload->count, reload->argv);
}

/* What "dlmirror reload MIRROR OPTION=VALUE" does; value may be NULL. */
static int reload_as(const char *program, const struct verb_arguments *arguments,
		     const char *option, const char *value)
{
	static struct reload reload; /* large */

	reload_begin(&reload, program, arguments->name[0]);
	word_add(&reload, "%s%s%s", option, value ? "=" : "", value ? value : "");
	return reload_run(&reload, arguments->json);
}

static int leg_add(int argc, char **argv)
{
	struct verb_arguments arguments;

	shorthand_parse("MIRROR DEVICE[@OFFSET]",
			"Gives a mirror in use one more leg, on all nodes that have it active.", 2,
			argc, argv, &arguments);
	return reload_as(argv[0], &arguments, "--add-leg", arguments.name[1]);
}

static int leg_remove(int argc, char **argv)
{
	struct verb_arguments arguments;

	shorthand_parse("MIRROR DEVICE",
			"Takes a leg away from a mirror in use, on all nodes that have it active.",
			2, argc, argv, &arguments);
	return reload_as(argv[0], &arguments, "--remove-leg", arguments.name[1]);
}

static int leg_replace(int argc, char **argv)
{
	char both[DLMIRROR_PATH_SIZE * 2 + 2];
	struct verb_arguments arguments;
	int length;

	shorthand_parse("MIRROR OLD NEW[@OFFSET]",
			"Puts NEW in the place of the leg OLD, on all nodes that have the mirror "
			"active.",
			3, argc, argv, &arguments);
	length = snprintf(both, sizeof(both), "%s=%s", arguments.name[1], arguments.name[2]);
	if (length < 0 || (size_t)length >= sizeof(both))
		return ui_fail(UI_USAGE, MSG_ARGUMENTS_TOO_LONG, "the arguments are too long");
	return reload_as(argv[0], &arguments, "--replace-leg", both);
}

struct dropping {
	bool failed; /* the legs that have failed here, when the configuration wants it */
};

static error_t drop_parse(int key, char *argument, struct argp_state *state)
{
	struct dropping *dropping = state->input;

	(void)argument;
	if (key != OPTION_FAILED)
		return ARGP_ERR_UNKNOWN;
	dropping->failed = true;
	return 0;
}

/* Without so many legs: is one left? */
static bool goes_alone(const struct dlmirror_mirror *m, unsigned count)
{
	return m->leg_count < count + 2;
}

/*
 * All of legs at once, because with one that has failed no table would be taken. What stays is a
 * mirror, or one leg with something in the place of the other. timeout_s: 0: none.
 */
static int drop(const struct dlmirror_mirror *m, const char *const *leg, unsigned count,
		unsigned timeout_s, bool json, const char *program)
{
	static struct reload reload; /* large */
	bool alone = goes_alone(m, count);

	reload_begin(&reload, program, m->uuid);
	for (unsigned i = 0; i < count; i++)
		if (alone && i == 0)
			word_add(&reload, "--replace-leg=%s=%s", leg[i], MISSING_PATH);
		else
			word_add(&reload, "--remove-leg=%s", leg[i]);
	if (timeout_s > 0)
		word_add(&reload, "--timeout=%u", timeout_s);
	return reload_run(&reload, json);
}

static bool writes_fail(const struct dlmirror_leg *leg)
{
	return leg->health == 'D' || leg->health == 'S' || leg->health == 'F';
}

/* Nothing in the table says that there was another leg, so the configuration does. before: as it was
 * with them. */
static int dropped_keep(const struct dlmirror_mirror *m, const char *name,
			const struct mirror_file *before)
{
	struct mirror_file file;
	int code = config_load(name, &file);

	for (uint32_t i = 0; code == UI_OK && i < m->leg_count && i < before->leg_count; i++)
		if (writes_fail(&m->leg[i]) && !mirror_file_has_leg(&file, before->leg[i].path) &&
		    file.dropped_count < DLMIRROR_LEGS_MAX)
			file.dropped[file.dropped_count++] = before->leg[i];
	if (code != UI_OK || file.dropped_count == before->dropped_count)
		return code;
	file.serial++;
	code = config_store(name, &file);
	if (code == UI_OK)
		shared_push(name);
	return code;
}

/* What the daemon has done when a leg fails; another node may have done it. Where I/O does not end at
 * all on one node, the others do not wait for it. */
static int drop_failed(const struct dlmirror_mirror *m, bool json, const char *program)
{
	char number[DLMIRROR_LEGS_MAX][32];
	const char *leg[DLMIRROR_LEGS_MAX];
	char name[DLMIRROR_NAME_SIZE];
	struct mirror_file file;
	unsigned count = 0;
	int code = config_find(m->uuid, name, &file);

	if (code != UI_OK || file.hold)
		return code == UI_NO_MIRROR ? UI_OK : code;
	for (uint32_t i = 0; i < m->leg_count; i++) {
		if (!writes_fail(&m->leg[i]))
			continue;
		(void)snprintf(number[count], sizeof(number[count]), "%u:%u", m->leg[i].major,
			       m->leg[i].minor);
		leg[count] = number[count];
		count++;
	}
	if (count == 0 || count == m->leg_count)
		return UI_OK;
	code = drop(m, leg, count, DROP_TIMEOUT_S, json, program);
	return code == UI_OK && !goes_alone(m, count) ? dropped_keep(m, name, &file) : code;
}

static int leg_drop(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"failed", OPTION_FAILED, NULL, 0,
	     "one that has failed on this node, if the configuration says leg_failure = continue",
	     0},
	    {0}};
	struct dropping dropping = {0};
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = drop_parse,
	    .input = &dropping,
	    .names = "MIRROR [DEVICE]",
	    .doc = "Goes on without a leg that has failed, on all nodes that have the mirror "
		   "active, also with one leg only.",
	    .min = 1,
	    .max = 2,
	    .json = true,
	    .quiet = true};
	struct verb_arguments arguments;
	struct dlmirror_mirror m;
	struct dlmirror *d;
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	if (dropping.failed == (arguments.names == 2))
		return ui_fail(UI_USAGE, MSG_LEG_OR_FAILED,
			       "give either the DEVICE that is the leg or --failed");
	code = ui_connect(&d);
	if (code != UI_OK)
		return code;
	code = mirror_get_with_legs(d, arguments.name[0], &m);
	dlmirror_free(d);
	if (code != UI_OK)
		return code;
	return dropping.failed ? drop_failed(&m, arguments.json, argv[0])
			       : drop(&m, &arguments.name[1], 1, 0, arguments.json, argv[0]);
}

static void legs_print(const struct dlmirror_mirror *m, bool json)
{
	static const struct ui_column columns[] = {
	    {"LEG", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER},
	    {"DEVICE", 0, SCOLS_JSON_STRING},
	    {"OFFSET", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER}, /* sectors */
	    {"STATE", 0, SCOLS_JSON_STRING},
	};
	struct libscols_table *table =
	    ui_table("legs", columns, sizeof(columns) / sizeof(columns[0]), json);

	for (uint32_t i = 0; i < m->leg_count; i++) {
		struct libscols_line *row = ui_row(table, NULL);
		char device[BLOCK_TEXT_SIZE + 16];

		mirror_device(m->leg[i].major, m->leg[i].minor, device, sizeof(device));
		ui_cell(row, 0, "%u", i);
		ui_cell(row, 1, "%s", device);
		ui_cell(row, 2, "%" PRIu64, m->leg[i].start_sector);
		ui_cell(row, 3, "%s", format_leg_health(m->leg[i].health));
	}
	ui_print(table);
}

static int leg_list_run(struct dlmirror **d, const char *name, const void *input, bool json)
{
	struct dlmirror_mirror *mirror;
	size_t count;
	int code = mirrors_get(*d, name, &mirror, &count);

	(void)input;
	if (code != UI_OK)
		return code;
	legs_print(mirror, json);
	free(mirror);
	return UI_OK;
}

static int leg_list(int argc, char **argv)
{
	const struct verb_syntax syntax = {.names = "MIRROR",
					   .doc = "Lists the legs of a mirror, and how they are.",
					   .min = 1,
					   .max = 1,
					   .json = true};

	return verb_on_mirror(&syntax, argc, argv, leg_list_run);
}

int verb_leg(int argc, char **argv)
{
	static const struct verb verbs[] = {
	    {"list", "list the legs, and how they are", leg_list},
	    {"add", "one more leg", leg_add},
	    {"remove", "one leg less", leg_remove},
	    {"replace", "another leg in the place of one", leg_replace},
	    {"drop", "go on without a leg that has failed", leg_drop},
	};

	return verb_dispatch(argv[0], verbs, sizeof(verbs) / sizeof(verbs[0]), argc, argv);
}

int verb_grow(int argc, char **argv)
{
	struct verb_arguments arguments;

	shorthand_parse("MIRROR SIZE",
			"Makes a mirror in use larger, on all nodes that have it active; what is "
			"new is brought in sync.",
			2, argc, argv, &arguments);
	return reload_as(argv[0], &arguments, "--size", arguments.name[1]);
}

int verb_resync(int argc, char **argv)
{
	struct verb_arguments arguments;

	shorthand_parse("MIRROR",
			"Takes all that the legs of a mirror in use hold, but for the first, for "
			"out of date, on all nodes that have it active, and copies it from the "
			"first leg again.",
			1, argc, argv, &arguments);
	return reload_as(argv[0], &arguments, "--resync", NULL);
}
