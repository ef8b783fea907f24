/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemons/dlmirrord/reload_note.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define NOTE_VERSION 2	   /* 1: without the plan */
#define NOTE_LINE    2048U /* all nodes of a view, and a uuid */
#define NOTE_SIZE    (NOTE_LINE + PLAN_TEXT_SIZE)

bool reload_note_write(int fd, const struct reload_note *note)
{
	char text[NOTE_SIZE];
	char plan[PLAN_TEXT_SIZE];
	size_t used;

	memset(text, ' ', sizeof(text));
	plan_text(&note->plan, &note->log, plan);
	memcpy(text + NOTE_LINE, plan, strlen(plan));
	used = (size_t)snprintf(
	    text, NOTE_LINE, "%d %" PRIu32 " %" PRIu64 " %d %" PRIu32 " %" PRIu32, NOTE_VERSION,
	    note->id.node, note->id.number, (int)note->known, note->self, note->count);
	for (uint32_t i = 0; i < note->count; i++)
		used += (size_t)snprintf(text + used, NOTE_LINE - used, " %" PRIu32 " %d",
					 note->node[i].node, note->node[i].part);
	used += (size_t)snprintf(text + used, NOTE_LINE - used, " %s", note->uuid);
	text[used] = ' ';
	text[NOTE_LINE - 1] = '\n';
	return pwrite(fd, text, sizeof(text), 0) == (ssize_t)sizeof(text);
}

static void plan_read(FILE *file, struct reload_note *ret)
{
	char text[PLAN_TEXT_SIZE + 1] = "";
	size_t size = 0;

	if (fseek(file, NOTE_LINE, SEEK_SET) == 0)
		size = fread(text, 1, PLAN_TEXT_SIZE, file);
	while (size > 0 && text[size - 1] == ' ')
		size--;
	text[size] = '\0';
	if (plan_text_parse(text, &ret->plan, &ret->log) != 0)
		ret->plan = (struct dlmirror_plan){0};
}

static bool nodes_read(FILE *file, uint32_t count, struct reload_note *ret)
{
	for (ret->count = 0; ret->count < count; ret->count++) {
		int part;

		if (fscanf(file, "%" SCNu32 " %d", &ret->node[ret->count].node, &part) != 2)
			return false;
		/* Who has not voted yet may still. */
		ret->node[ret->count].part = part != 0 || ret->known == COURSE_NOTE_PREPARED ||
					     ret->node[ret->count].node == ret->self;
	}
	return true;
}

bool reload_note_read(FILE *file, struct reload_note *ret)
{
	int version;
	int known;
	uint32_t count;

	memset(ret, 0, sizeof(*ret));
	if (fscanf(file, "%d %" SCNu32 " %" SCNu64 " %d %" SCNu32 " %" SCNu32, &version,
		   &ret->id.node, &ret->id.number, &known, &ret->self, &count) != 6 ||
	    version < 1 || version > NOTE_VERSION || count > MLOG_VIEW_MAX ||
	    known <= COURSE_NOTE_NONE || known > COURSE_NOTE_NO)
		return false;
	ret->known = (enum course_note)known;
	if (!nodes_read(file, count, ret) || fscanf(file, "%128s", ret->uuid) != 1)
		return false;
	plan_read(file, ret);
	return true;
}
