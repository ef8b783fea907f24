// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/shared.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemons/dlmirror/agreement.h"
#include "daemons/dlmirror/configured.h"
#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/nodes.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

#define QUORUM_WAIT_MS	30000U
#define VERSION_WAIT_MS 3000U
#define LOOK_MS		200U
#define ENTRIES_MAX	(2 * DLMIRROR_VIEW_MAX) /* one by its name, and one by its uuid, of each node */

struct survey {
	struct dlmirror *d;
	struct nodes_view view;
	struct agreement_entry entry[ENTRIES_MAX];
	size_t count;
	unsigned others; /* that have answered */
};

/* There are others, and they can be asked. */
static bool survey_able(const struct survey *s)
{
	return s->view.quorate && s->view.able && s->view.others.count > 0;
}

/* survey_end() in any case. *ret_able: as survey_able() says. */
static int survey_begin(struct survey *s, bool *ret_able)
{
	int code;

	*s = (struct survey){.d = NULL};
	*ret_able = false;
	if (dlmirror_connect(&s->d) != 0)
		return UI_OK; /* who needs the daemon will say so */
	code = nodes_look(s->d, &s->view);
	if (code != UI_OK || !s->view.clustered)
		return code;
	*ret_able = survey_able(s);
	return UI_OK;
}

static void survey_end(struct survey *s)
{
	if (s->d)
		dlmirror_free(s->d);
	s->d = NULL;
}

static int answer_take(struct survey *s, const struct nodes_answer *answer, bool force)
{
	const char *rest;

	if (!answer->answered || answer->code != UI_OK)
		return force ? UI_OK
			     : ui_fail(UI_FAILED, MSG_NODE_SILENT,
				       "node %" PRIu32
				       " does not say which configuration it has%s%.*s; "
				       "--force goes on without",
				       answer->node, answer->answered ? ": " : "",
				       answer->answered ? format_line_length(answer->text) : 0,
				       answer->text);
	s->others += answer->node != s->view.self;
	if (agreement_read(answer->text, answer->node, s->entry, ENTRIES_MAX, &s->count, &rest) !=
	    0)
		return ui_fail(UI_FAILED, MSG_NODE_SILENT,
			       "what node %" PRIu32 " says makes no sense: %.*s", answer->node,
			       format_line_length(rest), rest);
	return UI_OK;
}

/* What all nodes have under that name, or of that uuid (NULL: not known). */
static int survey_ask(struct survey *s, const char *name, const char *uuid, bool force)
{
	const struct nodes all = {.all = true};
	const struct nodes_wish wish = {
	    .what = DLMIRROR_ERRAND_TELL, .nodes = &all, .argument = {name, uuid}};
	struct nodes_answers answers;
	int code = nodes_ask(s->d, &wish, &answers);

	if (code != UI_OK)
		return code;
	for (unsigned i = 0; i < answers.count && code == UI_OK; i++)
		code = answer_take(s, &answers.answer[i], force);
	nodes_free(&answers);
	return code;
}

/* ---- before an activation */

/* A node that has just come hears of the quorum, and of what the others speak, a moment later: it is
 * waited for. */
static int settle(struct survey *s)
{
	uint64_t begun_ms = ui_now_ms();
	int code = UI_OK;

	while (code == UI_OK && s->view.clustered) {
		uint64_t waited_ms = ui_now_ms() - begun_ms;

		if (s->view.quorate && (s->view.able || waited_ms > VERSION_WAIT_MS))
			break;
		if (waited_ms > QUORUM_WAIT_MS)
			break;
		ui_pause_ms(LOOK_MS);
		code = nodes_look(s->d, &s->view);
	}
	return code;
}

static int newer_take(struct survey *s, const struct agreement_entry *newest, const char *name)
{
	const struct nodes there = {.count = 1, .node = {newest->node}};
	const struct nodes_wish wish = {
	    .what = DLMIRROR_ERRAND_SHOW, .nodes = &there, .argument = {newest->name}};
	struct nodes_answers answers;
	int code;

	if (strcmp(newest->name, name) != 0)
		return ui_fail(UI_FAILED, MSG_RENAMED_ELSEWHERE,
			       "%s is called %s now, by node %" PRIu32 ": dlmirror activate %s",
			       name, newest->name, newest->node, newest->name);
	code = nodes_ask(s->d, &wish, &answers);
	if (code != UI_OK)
		return code;
	if (answers.answer[0].code == UI_OK)
		code = config_take(name, answers.answer[0].text);
	else
		code = ui_fail(UI_FAILED, MSG_NODE_SILENT,
			       "node %" PRIu32 " has a newer configuration of %s, and "
			       "does not give it: %s",
			       newest->node, name, answers.answer[0].text);
	nodes_free(&answers);
	if (code == UI_OK)
		ui_done("%s: the configuration is that of node %" PRIu32 ", serial %" PRIu64 "\n",
			name, newest->node, newest->serial);
	return code;
}

static int agreed_take(struct survey *s, const char *name)
{
	char error[AGREEMENT_ERROR_SIZE];
	size_t newest;

	switch (agreement_find(s->entry, s->count, s->view.self, s->others, &newest, error)) {
	case AGREEMENT_NOBODY:
	case AGREEMENT_OURS:
		return UI_OK;
	case AGREEMENT_THEIRS:
		return newer_take(s, &s->entry[newest], name);
	case AGREEMENT_NONE:
		break;
	}
	return ui_fail(UI_FAILED, MSG_WITHIN, "%s", error);
}

static int refresh(struct survey *s, const char *name, bool force)
{
	struct mirror_file file = {.serial = 0};
	int code;

	if (config_exists(name)) {
		code = config_load(name, &file);
		if (code != UI_OK)
			return code;
	}
	code = survey_ask(s, name, file.uuid, force);
	return code == UI_OK && !force ? agreed_take(s, name) : code;
}

int shared_refresh(const char *name, bool force)
{
	static struct survey s; /* large */
	bool able;
	int code = survey_begin(&s, &able);

	if (code == UI_OK && !able && !force)
		code = settle(&s);
	able = survey_able(&s);
	if (code == UI_OK && able)
		code = refresh(&s, name, force);
	else if (code == UI_OK && s.view.clustered && !s.view.quorate && !force)
		code = ui_fail(UI_FAILED, MSG_QUORUM_LOST,
			       "there is no quorum, so nobody knows whether the "
			       "configuration of %s is the newest: start or fence the "
			       "missing nodes, or --force",
			       name);
	else if (code == UI_OK && s.view.clustered && s.view.quorate && !s.view.able)
		ui_note(MSG_NODE_TOO_OLD,
			"a node has an older dlmirrord, so nobody was asked "
			"whether the configuration of %s is the newest",
			name);
	survey_end(&s);
	return code;
}

/* Whoever has too much for one answer is asked for the rest when that is activated by name. */
static int names_learn(const struct nodes_answers *answers)
{
	int worst = UI_OK;

	for (unsigned i = 0; i < answers->count; i++) {
		const char *line = answers->answer[i].text;

		for (; *line; line = format_next_line(line)) {
			struct agreement_entry entry;
			char name[DLMIRROR_NAME_SIZE];
			struct mirror_file file;

			if (agreement_parse(line, answers->answer[i].node, &entry) == 0 &&
			    config_find(entry.uuid, name, &file) == UI_NO_MIRROR) {
				int code = shared_refresh(entry.name, false);

				worst = code > worst ? code : worst;
			}
		}
	}
	return worst;
}

int shared_learn(void)
{
	static struct survey s; /* large */
	const struct nodes_wish wish = {.what = DLMIRROR_ERRAND_TELL, .nodes = &s.view.others};
	struct nodes_answers answers;
	bool able;
	int code = survey_begin(&s, &able);

	if (code == UI_OK && able)
		code = nodes_ask(s.d, &wish, &answers);
	survey_end(&s);
	if (code == UI_OK && able) {
		code = names_learn(&answers);
		nodes_free(&answers);
	}
	return code;
}

/* ---- behind a change */

static int push(struct survey *s, const char *name)
{
	char text[MIRROR_FILE_TEXT_SIZE];
	const struct nodes_wish wish = {.what = DLMIRROR_ERRAND_TAKE,
					.nodes = &s->view.others,
					.argument = {name},
					.text = text};
	struct nodes_answers answers;
	struct mirror_file file;
	int worst = config_load(name, &file);

	if (worst == UI_OK && mirror_file_text(&file, text, sizeof(text)) != 0)
		worst = ui_fail(UI_FAILED, MSG_PATH_TOO_LONG, "the configuration of %s is too long",
				name);
	if (worst == UI_OK)
		worst = nodes_ask(s->d, &wish, &answers);
	if (worst != UI_OK)
		return worst;
	for (unsigned i = 0; i < answers.count; i++) {
		const struct nodes_answer *a = &answers.answer[i];

		if (a->code == UI_OK)
			continue;
		worst = UI_FAILED;
		ui_note(MSG_CONFIG_NOT_EVERYWHERE,
			"node %" PRIu32 " does not have the configuration of "
			"%s%s%.*s",
			a->node, name, a->text[0] ? ": " : "", format_line_length(a->text),
			a->text);
	}
	nodes_free(&answers);
	return worst;
}

void shared_push(const char *name)
{
	static struct survey s; /* large */
	bool able;

	if (survey_begin(&s, &able) == UI_OK && able)
		(void)push(&s, name);
	else if (s.view.clustered && !able && s.view.others.count > 0)
		ui_note(MSG_CONFIG_NOT_EVERYWHERE,
			"the other nodes do not have the configuration of %s; "
			"'dlmirror config push %s' gives it to them when there is quorum, and "
			"all have this version",
			name, name);
	survey_end(&s);
}

/* Above all that the others have. */
static int serial_raise(struct survey *s, const char *name)
{
	struct mirror_file file;
	uint64_t highest = 0;
	bool above = true;
	int code = config_load(name, &file);

	if (code == UI_OK)
		code = survey_ask(s, name, file.uuid, false);
	if (code != UI_OK)
		return code;
	for (size_t i = 0; i < s->count; i++) {
		const struct agreement_entry *e = &s->entry[i];

		if (e->node == s->view.self || strcmp(e->uuid, file.uuid) != 0)
			continue;
		if (e->serial > highest)
			highest = e->serial;
		if (e->serial > file.serial ||
		    (e->serial == file.serial && e->digest != mirror_file_digest(&file)))
			above = false;
	}
	if (above)
		return UI_OK;
	file.serial = highest + 1;
	return config_store(name, &file);
}

int shared_insist(const char *name)
{
	static struct survey s; /* large */
	bool able;
	int code = survey_begin(&s, &able);

	if (code == UI_OK && !able)
		code = ui_fail(UI_FAILED, MSG_NOBODY_TO_ASK,
			       "there is nobody to give it to: 'dlmirror daemon status' "
			       "shows the cluster as this node sees it");
	if (code == UI_OK)
		code = serial_raise(&s, name);
	if (code == UI_OK)
		code = push(&s, name);
	survey_end(&s);
	return code;
}

/* ---- before and behind a removal */

int shared_idle(const char *name, const char *uuid)
{
	static struct survey s; /* large */
	bool able;
	int code = survey_begin(&s, &able);

	if (code == UI_OK && able)
		code = survey_ask(&s, name, uuid, false);
	for (size_t i = 0; i < s.count && code == UI_OK; i++)
		if (s.entry[i].node != s.view.self && s.entry[i].active &&
		    strcmp(s.entry[i].uuid, uuid) == 0)
			code = ui_fail(UI_FAILED, MSG_ACTIVE_ELSEWHERE,
				       "%s is active on node %" PRIu32
				       ", which could not bring it back; "
				       "first 'dlmirror deactivate --nodes all %s'",
				       name, s.entry[i].node, name);
	survey_end(&s);
	return code;
}

int shared_absent(const char *name, const char *uuid)
{
	static struct survey s; /* large */
	bool able;
	int code = survey_begin(&s, &able);

	if (code == UI_OK && able)
		code = survey_ask(&s, name, NULL, true);
	for (size_t i = 0; i < s.count && code == UI_OK; i++)
		if (s.entry[i].node != s.view.self && strcmp(s.entry[i].name, name) == 0 &&
		    strcmp(s.entry[i].uuid, uuid) != 0)
			code = ui_fail(UI_NO_MIRROR, MSG_NOT_CONFIGURED,
				       "no mirror %s is configured here; node %" PRIu32
				       " has one: give the command there",
				       name, s.entry[i].node);
	survey_end(&s);
	return code;
}

void shared_forget(const char *name, const char *uuid)
{
	static struct survey s; /* large */
	struct nodes_wish wish = {
	    .what = DLMIRROR_ERRAND_FORGET, .nodes = &s.view.others, .argument = {name, uuid}};
	struct nodes_answers answers;
	bool able;

	if (survey_begin(&s, &able) != UI_OK || !able || nodes_ask(s.d, &wish, &answers) != UI_OK) {
		survey_end(&s);
		return;
	}
	for (unsigned i = 0; i < answers.count; i++)
		if (answers.answer[i].code != UI_OK)
			ui_note(MSG_CONFIG_NOT_EVERYWHERE,
				"node %" PRIu32 " keeps the configuration of %s: "
				"%.*s",
				answers.answer[i].node, name,
				format_line_length(answers.answer[i].text), answers.answer[i].text);
	nodes_free(&answers);
	survey_end(&s);
}
