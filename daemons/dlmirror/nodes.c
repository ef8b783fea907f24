// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/nodes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/group.h"
#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/ui.h"

#define LOOK_MS 20U
#define WAIT_MS 60000U /* a node that has not answered by then is taken for silent */

static int nodes_parse(const char *text, struct nodes *ret)
{
	*ret = (struct nodes){.all = strcmp(text, "all") == 0};
	if (ret->all)
		return 0;
	for (;;) {
		char *end;
		unsigned long node = strtoul(text, &end, 10);

		if (*text < '0' || *text > '9' || node == 0 || node > UINT32_MAX ||
		    ret->count == DLMIRROR_VIEW_MAX || (*end != ',' && *end != '\0'))
			return -EINVAL;
		ret->node[ret->count++] = (uint32_t)node;
		if (*end == '\0')
			return 0;
		text = end + 1;
	}
}

void nodes_option(const char *text, const struct argp_state *state, struct nodes *ret)
{
	if (nodes_parse(text, ret) != 0)
		ui_refuse(state->name, "nodes are 'all', or numbers like 1,3, not '%s'", text);
}

bool nodes_able(const struct dlmirror_cluster *cluster)
{
	return cluster->protocol >= GROUP_ERRAND_VERSION;
}

int nodes_look(struct dlmirror *d, struct nodes_view *ret)
{
	struct dlmirror_daemon daemon;
	const struct dlmirror_cluster *c = &daemon.cluster;
	int error = dlmirror_daemon(d, &daemon);

	if (error != 0)
		return ui_fail_daemon(d, error);
	*ret = (struct nodes_view){.clustered = c->enabled,
				   .quorate = c->joined && c->quorate,
				   .able = nodes_able(c),
				   .self = c->node};
	for (uint32_t i = 0; i < c->view_count; i++)
		if (c->view[i] != c->node)
			ret->others.node[ret->others.count++] = c->view[i];
	return UI_OK;
}

/* Of one node, when it has said something or will say nothing any more, or there is no time left. */
static int answer_wait(struct dlmirror *d, uint64_t id, uint32_t index, uint64_t end_ms,
		       struct nodes_answer *ret)
{
	static struct dlmirror_errand_result result; /* large */

	for (;;) {
		int error = dlmirror_errand_result(d, id, index, &result);

		if (error != 0)
			return ui_fail_daemon(d, error);
		if (result.done || result.left || ui_now_ms() > end_ms)
			break;
		ui_pause_ms(LOOK_MS);
	}
	ret->node = result.node;
	ret->answered = result.done;
	ret->code = result.done ? (int)result.code : UI_FAILED;
	ret->text = strdup(result.text);
	return ret->text ? UI_OK : ui_fail(UI_FAILED, MSG_NO_MEMORY, "no memory");
}

int nodes_ask(struct dlmirror *d, const struct nodes_wish *wish, struct nodes_answers *ret)
{
	const struct nodes *nodes = wish->nodes;
	uint64_t end_ms = ui_now_ms() + WAIT_MS;
	uint64_t id;
	uint32_t count;
	int code = UI_OK;
	int error = dlmirror_errand(d, wish->what, nodes->node, nodes->all ? 0 : nodes->count,
				    wish->argument, wish->text, &id, &count);

	ret->count = 0;
	if (error != 0)
		return ui_fail_daemon(d, error);
	while (ret->count < count && code == UI_OK) {
		code = answer_wait(d, id, ret->count, end_ms, &ret->answer[ret->count]);
		if (code == UI_OK)
			ret->count++;
	}
	if (code != UI_OK)
		nodes_free(ret);
	return code;
}

void nodes_free(struct nodes_answers *answers)
{
	for (unsigned i = 0; i < answers->count; i++)
		free(answers->answer[i].text);
	answers->count = 0;
}

/* Each of its lines, behind the node's number. */
static void answer_print(const struct nodes_answer *answer)
{
	const char *text = answer->text;

	if (!answer->answered) {
		(void)ui_fail(UI_FAILED, MSG_NODE_SILENT,
			      "node %" PRIu32
			      " has not answered; 'dlmirror status' there says how it is",
			      answer->node);
		return;
	}
	if (!*text)
		ui_say("node %" PRIu32 ": %s\n", answer->node,
		       answer->code == UI_OK ? "done" : "failed");
	for (; *text; text = format_next_line(text))
		ui_say("node %" PRIu32 ": %.*s\n", answer->node, format_line_length(text), text);
}

int nodes_do(const struct nodes_wish *wish)
{
	struct nodes_answers answers;
	struct dlmirror *d;
	int worst = ui_connect(&d);

	if (worst != UI_OK)
		return worst;
	worst = nodes_ask(d, wish, &answers);
	if (worst == UI_OK) {
		for (unsigned i = 0; i < answers.count; i++) {
			answer_print(&answers.answer[i]);
			if (answers.answer[i].code > worst)
				worst = answers.answer[i].code;
		}
		nodes_free(&answers);
	}
	dlmirror_free(d);
	return worst;
}
