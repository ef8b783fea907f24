// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/findings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/dlmirror/format.h"

#define BEGIN "version "
#define END   "end"

void finding_of(const struct check *check, struct finding *ret)
{
	*ret = (struct finding){.result = check->result};
	(void)snprintf(ret->check, sizeof(ret->check), "%s", message_id(check->name));
	(void)snprintf(ret->id, sizeof(ret->id), "%s", message_id(check->id));
	(void)snprintf(ret->mirror, sizeof(ret->mirror), "%s", check->mirror ? check->mirror : "");
	memcpy(ret->what, check->what, sizeof(ret->what));
	memcpy(ret->remedy, check->remedy, sizeof(ret->remedy));
}

/* ---- out */

void findings_begin_line(const char *version, char ret[FINDING_LINE_SIZE])
{
	(void)snprintf(ret, FINDING_LINE_SIZE, BEGIN "%s", version[0] ? version : "-");
}

void finding_line(const struct finding *f, char ret[FINDING_LINE_SIZE])
{
	(void)snprintf(ret, FINDING_LINE_SIZE, "%s %s %s %zu %zu %zu %s%s%s",
		       check_result_name(f->result), f->check, f->id, strlen(f->mirror),
		       strlen(f->what), strlen(f->remedy), f->mirror, f->what, f->remedy);
	/* A line is one, and as long as it says. */
	for (char *c = ret; *c; c++)
		if (*c == '\n')
			*c = '?';
}

const char *findings_end_line(void)
{
	return END;
}

/* ---- in */

static int result_find(const char *name, enum check_result *ret)
{
	for (enum check_result i = CHECK_OK; i <= CHECK_UNKNOWN; i++)
		if (strcmp(name, check_result_name(i)) == 0) {
			*ret = i;
			return 0;
		}
	return -EINVAL;
}

static int finding_parse(const char *line, struct finding *ret)
{
	struct finding f = {.result = CHECK_UNKNOWN};
	char copy[FINDING_LINE_SIZE];
	size_t length = (size_t)format_line_length(line);
	size_t mirror;
	size_t what;
	size_t remedy;
	char result[16];
	int used = 0;

	if (length >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, line, length);
	copy[length] = '\0';
	if (sscanf(copy, "%15s %47s %47s %zu %zu %zu%n", result, f.check, f.id, &mirror, &what,
		   &remedy, &used) != 6 ||
	    copy[used] != ' ' || result_find(result, &f.result) != 0)
		return -EINVAL;
	used++;
	if (mirror >= sizeof(f.mirror) || what >= sizeof(f.what) || remedy >= sizeof(f.remedy) ||
	    length - (size_t)used != mirror + what + remedy)
		return -EINVAL;
	memcpy(f.mirror, copy + used, mirror);
	memcpy(f.what, copy + used + mirror, what);
	memcpy(f.remedy, copy + used + mirror + what, remedy);
	*ret = f;
	return 0;
}

static void __attribute__((format(printf, 5, 6)))
add(struct findings *to, enum check_result result, enum message id, const char *remedy,
    const char *format, ...)
{
	struct finding *f = &to->finding[to->count++];
	va_list args;

	*f = (struct finding){.result = result};
	(void)snprintf(f->check, sizeof(f->check), "%s", message_id(MSG_CLUSTER_NODE));
	(void)snprintf(f->id, sizeof(f->id), "%s", message_id(id));
	(void)snprintf(f->remedy, sizeof(f->remedy), "%s", remedy);
	va_start(args, format);
	(void)vsnprintf(f->what, sizeof(f->what), format, args);
	va_end(args);
}

/* The first line of what is no doctor's, without the id at its end. */
static enum message line_take(const char *text, char ret[CHECKS_TEXT_SIZE])
{
	enum message id;

	(void)snprintf(ret, CHECKS_TEXT_SIZE, "%.*s", format_line_length(text), text);
	id = message_of(ret);
	if (id != MSG_WITHIN)
		ret[strlen(ret) - strlen(message_id(id)) - strlen(" []")] = '\0';
	return id;
}

static void refusal_read(const char *text, struct findings *to)
{
	char line[CHECKS_TEXT_SIZE];
	enum message id = line_take(text, line);

	to->node.old = id == MSG_NODE_TOO_OLD;
	if (to->node.old)
		add(to, CHECK_UNKNOWN, id,
		    "update dlmirror there, and then dlmirror daemon restart",
		    "its daemon is too old to be asked what is wrong there");
	else
		add(to, CHECK_PROBLEM, id == MSG_WITHIN ? MSG_NODE_SILENT : id,
		    "dlmirror doctor there", "its doctor says nothing of use: %s",
		    line[0] ? line : "nothing at all");
}

static size_t lines_count(const char *text)
{
	size_t count = 0;

	for (; *text; text = format_next_line(text))
		count++;
	return count;
}

static bool line_is_end(const char *line)
{
	return strncmp(line, END "\n", strlen(END "\n")) == 0;
}

/* strange: lines before, of programs that the doctor has called. */
static void lines_read(const char *line, unsigned strange, struct findings *to)
{
	for (; *line && !line_is_end(line); line = format_next_line(line)) {
		/* The last one may have been cut anywhere. */
		if (line[format_line_length(line)] == '\0')
			break;
		if (finding_parse(line, &to->finding[to->count]) == 0)
			to->count++;
		else
			strange++;
	}
	if (!line_is_end(line))
		add(to, CHECK_UNKNOWN, MSG_CLUSTER_NODE, "dlmirror doctor there",
		    "it has more to say than can be told from here");
	if (strange > 0)
		add(to, CHECK_UNKNOWN, MSG_CLUSTER_NODE, "dlmirror doctor there",
		    "%u lines of what it says are not understood here", strange);
}

static bool version_parse(const char *line, struct facts_node *ret)
{
	int used = 0;

	if (sscanf(line, BEGIN "%31s%n", ret->version, &used) == 1 && line[used] == '\n') {
		if (strcmp(ret->version, "-") == 0)
			ret->version[0] = '\0';
		return true;
	}
	ret->version[0] = '\0';
	return false;
}

static void answer_read(const char *text, struct findings *to)
{
	const char *line = text;
	unsigned strange = 0;

	for (; *line && !version_parse(line, &to->node); line = format_next_line(line))
		strange++;
	if (*line)
		lines_read(format_next_line(line), strange, to);
	else
		refusal_read(text, to);
}

int findings_read(const char *text, struct findings *ret)
{
	struct findings findings = {.count = 0};

	/* and the two that are about what it says */
	findings.finding = calloc(lines_count(text ? text : "") + 2, sizeof(*findings.finding));
	if (!findings.finding)
		return -ENOMEM;
	if (text)
		answer_read(text, &findings);
	else
		add(&findings, CHECK_PROBLEM, MSG_NODE_SILENT, "dlmirror daemon status there",
		    "it has not answered");
	*ret = findings;
	return 0;
}

void findings_free(struct findings *findings)
{
	free(findings->finding);
	*findings = (struct findings){.count = 0};
}
