// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror reload: begins a reload on all nodes in the daemon, and follows it to its end. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "daemons/common/bytes.h"
#include "daemons/common/missing.h"
#include "daemons/dlmirror/mapper.h"
#include "daemons/dlmirror/mirrors.h"
#include "daemons/dlmirror/plan.h"
#include "daemons/dlmirror/reload.h"
#include "daemons/dlmirror/verb.h"

#define LOOK_MS	      200U
#define TIMEOUT_MAX_S 86400

struct reload_options {
	struct plan_wish wish;
	uint32_t timeout_s;
	bool no_wait;
};

enum {
	OPTION_SIZE = 256,
	OPTION_ADD,
	OPTION_REMOVE,
	OPTION_REPLACE,
	OPTION_RESYNC,
	OPTION_TIMEOUT,
	OPTION_NO_WAIT
};

/* The device of a missing leg has a number before it has a path. */
static bool missing_named(const char *path, dev_t *ret)
{
	char why[MAPPER_ERROR_SIZE];

	return strcmp(path, MISSING_PATH) == 0 && mapper_missing(ret, why) == 0;
}

/* A device that may be gone can also be named by its number. */
static void old_parse(struct argp_state *state, const char *argument, struct plan_old *ret)
{
	struct stat status;
	unsigned major;
	unsigned minor;
	char behind;

	ret->name = argument;
	if (missing_named(argument, &ret->devno))
		return;
	if (argument[0] != '/' && sscanf(argument, "%u:%u%c", &major, &minor, &behind) == 2)
		ret->devno = makedev(major, minor);
	else if (stat(argument, &status) == 0 && S_ISBLK(status.st_mode))
		ret->devno = status.st_rdev;
	else
		ui_refuse(state->name,
			  "%s is not a block device here; a leg that is gone can be named by its "
			  "number, which dlmirror show knows: MAJOR:MINOR",
			  argument);
}

static void fresh_parse(struct argp_state *state, const char *argument, struct spec_leg *ret)
{
	char error[SPEC_ERROR_SIZE];
	struct stat status;

	if (spec_leg_parse(argument, ret, error) != 0)
		ui_refuse(state->name, "%s", error);
	if (missing_named(ret->path, &ret->devno))
		return;
	if (stat(ret->path, &status) != 0)
		exit(ui_fail(UI_FAILED, MSG_DEVICE_UNOPENABLE, "leg %s: %s", ret->path,
			     strerror(errno)));
	if (!S_ISBLK(status.st_mode))
		ui_refuse(state->name, "leg %s is not a block device", ret->path);
	ret->devno = status.st_rdev;
}

/* argp has no other way to say where one string ends. */
static void replace_parse(struct argp_state *state, char *argument, struct plan_wish *wish)
{
	char *behind = strchr(argument, '=');

	if (!behind)
		ui_refuse(state->name, "--replace-leg takes OLD=NEW, not '%s'", argument);
	*behind = '\0';
	old_parse(state, argument, &wish->replace[wish->replace_count].old);
	fresh_parse(state, behind + 1, &wish->replace[wish->replace_count].fresh);
	wish->replace_count++;
}

static void room_check(struct argp_state *state, unsigned count)
{
	if (count == DLMIRROR_LEGS_MAX)
		ui_refuse(state->name, "a mirror has at most %d legs", DLMIRROR_LEGS_MAX);
}

static void size_parse(struct argp_state *state, const char *argument, struct plan_wish *wish)
{
	if (bytes_parse_sectors(argument, &wish->length_sectors) != 0)
		ui_refuse(state->name, "size %s: write it like 512MiB, 10GiB, or 2048s (sectors)",
			  argument);
}

static void timeout_parse(struct argp_state *state, const char *argument, uint32_t *ret)
{
	char *end;
	long seconds = strtol(argument, &end, 10);

	if (*end != '\0' || seconds < 1 || seconds > TIMEOUT_MAX_S)
		ui_refuse(state->name, "a timeout is 1 to %d seconds, not '%s'", TIMEOUT_MAX_S,
			  argument);
	*ret = (uint32_t)seconds;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct reload_options *options = state->input;
	struct plan_wish *wish = &options->wish;

	switch (key) {
	case OPTION_SIZE:
		size_parse(state, argument, wish);
		return 0;
	case OPTION_ADD:
		room_check(state, wish->add_count);
		fresh_parse(state, argument, &wish->add[wish->add_count++]);
		return 0;
	case OPTION_REMOVE:
		room_check(state, wish->remove_count);
		old_parse(state, argument, &wish->remove[wish->remove_count++]);
		return 0;
	case OPTION_REPLACE:
		room_check(state, wish->replace_count);
		replace_parse(state, argument, wish);
		return 0;
	case OPTION_RESYNC:
		wish->resync = true;
		return 0;
	case OPTION_TIMEOUT:
		timeout_parse(state, argument, &options->timeout_s);
		return 0;
	case OPTION_NO_WAIT:
		options->no_wait = true;
		return 0;
	case ARGP_KEY_END:
		if (wish->length_sectors == 0 && wish->add_count == 0 && wish->remove_count == 0 &&
		    wish->replace_count == 0 && !wish->resync)
			ui_refuse(state->name,
				  "there is nothing to change: give --size, --add-leg, "
				  "--remove-leg, --replace-leg or --resync");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Until it has ended; a daemon that restarts meanwhile is waited for. By the uuid: the name is that
 * of one table, and there are two meanwhile. */
static int reload_follow(struct dlmirror **d, const struct dlmirror_mirror *m,
			 struct dlmirror_reload *ret)
{
	bool progress = ui_progress();
	int error;

	for (;;) {
		error = dlmirror_reload_status(*d, m->uuid, ret);
		if (error == -ENOTCONN && ui_reconnect(d, UI_AWAY_MS) == 0)
			continue;
		if (error != 0 || !ret->under_way)
			break;
		if (progress)
			(void)fprintf(stderr, "\r%s: %s\033[K", mirror_label(m), ret->waits);
		ui_pause_ms(LOOK_MS);
	}
	if (progress)
		(void)fputs("\r\033[K", stderr);
	return error != 0 ? ui_fail_daemon(*d, error) : UI_OK;
}

static bool node_failed(const struct dlmirror_reload_node *n)
{
	return strcmp(n->state, "failed") == 0;
}

static void result_text(const struct dlmirror_mirror *m, const struct dlmirror_reload *reload)
{
	uint32_t i;

	for (i = 0; i < reload->node_count; i++) {
		const struct dlmirror_reload_node *n = &reload->node[i];

		ui_done("%s: node %" PRIu32 " %s%s%s\n", mirror_label(m), n->node, n->state,
			n->text[0] ? ": " : "", n->text);
	}
}

static void result_json(const struct dlmirror_mirror *m, const struct dlmirror_reload *reload)
{
	struct ui_facts *facts = ui_facts("reload", true);
	char nodes[DLMIRROR_VIEW_MAX * 12] = "";
	char states[DLMIRROR_VIEW_MAX * 48] = "";
	uint32_t i;

	for (i = 0; i < reload->node_count; i++) {
		size_t used = strlen(nodes);
		const char *gap = i > 0 ? "\n" : "";

		(void)snprintf(nodes + used, sizeof(nodes) - used, "%s%" PRIu32, gap,
			       reload->node[i].node);
		used = strlen(states);
		(void)snprintf(states + used, sizeof(states) - used, "%s%s", gap,
			       reload->node[i].state);
	}
	ui_fact_json(facts, "name", SCOLS_JSON_STRING, "%s", mirror_label(m));
	ui_fact_json(facts, "done", SCOLS_JSON_BOOLEAN, "%d", reload->done);
	ui_fact_json(facts, "why", SCOLS_JSON_STRING, "%s", reload->why);
	ui_fact_json(facts, "nodes", SCOLS_JSON_ARRAY_NUMBER, "%s", nodes);
	ui_fact_json(facts, "node_states", SCOLS_JSON_ARRAY_STRING, "%s", states);
	ui_facts_print(facts);
}

static int result_tell(const struct dlmirror_mirror *m, const struct dlmirror_reload *reload,
		       bool json)
{
	uint32_t i;

	if (json)
		result_json(m, reload);
	else if (reload->done)
		result_text(m, reload);
	if (!reload->known)
		return ui_fail(UI_FAILED, MSG_RELOAD_FORGOTTEN,
			       "the daemon knows nothing of it any more; dlmirror show %s says "
			       "which legs it has",
			       mirror_label(m));
	if (!reload->done)
		return ui_fail(UI_FAILED, MSG_RELOAD_GIVEN_UP, "%s keeps the table that it has: %s",
			       mirror_label(m), reload->why);
	for (i = 0; i < reload->node_count; i++)
		if (node_failed(&reload->node[i]))
			return ui_fail(UI_FAILED, MSG_RELOAD_NOT_RESUMED,
				       "node %" PRIu32 " could not resume %s: look at its log",
				       reload->node[i].node, mirror_label(m));
	return UI_OK;
}

int reload_end(struct dlmirror **d, const struct dlmirror_mirror *m, bool json,
	       struct dlmirror_reload *ret)
{
	int code = reload_follow(d, m, ret);

	return code == UI_OK ? result_tell(m, ret, json) : code;
}

static int reload_run(struct dlmirror **d, const char *name, const void *input, bool json)
{
	const struct reload_options *options = input;
	static struct dlmirror_reload reload; /* large */
	char error_text[SPEC_ERROR_SIZE];
	struct dlmirror_mirror mirror;
	struct dlmirror_plan plan;
	int code = mirror_get_with_legs(*d, name, &mirror);
	int error;

	if (code != UI_OK)
		return code;
	error = plan_make(&mirror, &options->wish, &plan, error_text);
	if (error == -EALREADY) {
		if (!json)
			ui_done("%s is so already\n", mirror_label(&mirror));
		return UI_OK;
	}
	if (error != 0)
		return ui_fail(UI_FAILED, MSG_WITHIN, "%s: %s", mirror_label(&mirror), error_text);
	error = dlmirror_reload(*d, mirror.uuid, &plan, options->timeout_s);
	if (error != 0)
		return ui_fail_daemon(*d, error);
	if (options->no_wait)
		return UI_OK;
	code = reload_end(d, &mirror, json, &reload);
	if (reload.done && options->wish.resync && !json)
		ui_done("%s: all of it is copied from its first leg now; dlmirror status --watch "
			"%s follows it\n",
			mirror_label(&mirror), mirror_label(&mirror));
	return code;
}

int verb_reload(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"size", OPTION_SIZE, "SIZE", 0, "as large as that, which is not less than it is", 0},
	    {"add-leg", OPTION_ADD, "DEVICE[@OFFSET]", 0, "one more leg, behind the others", 0},
	    {"remove-leg", OPTION_REMOVE, "DEVICE", 0, "without that leg", 0},
	    {"replace-leg", OPTION_REPLACE, "OLD=NEW[@OFFSET]", 0, "with NEW instead of OLD", 0},
	    {"resync", OPTION_RESYNC, NULL, 0,
	     "and copy all from the first leg to the others again", 0},
	    {"timeout", OPTION_TIMEOUT, "SECONDS", 0,
	     "give up when not all nodes are suspended by then (never)", 0},
	    {"no-wait", OPTION_NO_WAIT, NULL, 0, "only begin it; status shows the progress", 0},
	    {0}};
	struct reload_options options = {0};
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse,
	    .input = &options,
	    .names = "MIRROR",
	    .doc = "Gives a mirror in use another table, on all nodes that have it active: either "
		   "all of them get it, or none.\vDevices are named by paths that mean the same "
		   "device on all nodes, below /dev/disk or /dev/mapper. The reload runs in the "
		   "daemons: it goes on when this command is interrupted.",
	    .min = 1,
	    .max = 1,
	    .json = true,
	    .quiet = true};

	return verb_on_mirror(&syntax, argc, argv, reload_run);
}
