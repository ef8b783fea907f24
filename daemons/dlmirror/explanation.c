// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/explanation.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define ID_SIZE	    64U
#define INDENT	    "  "
#define CAUSE	    "\n\nCause: "
#define REMEDY	    "\n\nDo: "
#define FAR	    3U /* more changes than these are no misspelling */
#define WORD_LENGTH 3U /* of a beginning that says something */

/* As ids are written. */
static void id_make(const char *typed, char ret[ID_SIZE])
{
	size_t used = 0;

	for (; *typed && used < ID_SIZE - 1; typed++) {
		char c = (char)tolower((unsigned char)*typed);

		if (c == ' ' || c == '_')
			c = '-';
		if (isalnum((unsigned char)c) || c == '-')
			ret[used++] = c;
	}
	ret[used] = '\0';
}

enum message explanation_find(const char *typed)
{
	char id[ID_SIZE];

	id_make(typed, id);
	return message_find(id);
}

/* How many letters must be changed, added or left out, to make one of the other. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[ID_SIZE];
	size_t length = strnlen(b, ID_SIZE - 1);

	for (size_t i = 0; i <= length; i++)
		row[i] = (unsigned)i;
	for (; *a; a++) {
		unsigned before = row[0]++;

		for (size_t i = 0; i < length; i++) {
			unsigned change = before + (*a != b[i]);

			before = row[i + 1];
			if (row[i] + 1 < change)
				change = row[i] + 1;
			if (before + 1 < change)
				change = before + 1;
			row[i + 1] = change;
		}
	}
	return row[length];
}

/* 0 is nearest; UINT_MAX: it is not meant. */
static unsigned rank(const char *id, const char *known)
{
	unsigned changes = distance(id, known);

	if (strlen(id) >= WORD_LENGTH && strncmp(known, id, strlen(id)) == 0)
		return 0;
	if (changes <= FAR && changes < strlen(id))
		return changes;
	return strlen(id) >= WORD_LENGTH && strstr(known, id) ? FAR + 1 : FAR + 2;
}

size_t explanation_nearest(const char *typed, enum message *ret, size_t max)
{
	char id[ID_SIZE];
	size_t count = 0;

	id_make(typed, id);
	for (unsigned wanted = 0; wanted <= FAR + 1; wanted++)
		for (enum message i = MSG_WITHIN + 1; i < MESSAGES && count < max; i++)
			if (rank(id, message_id(i)) == wanted)
				ret[count++] = i;
	return count;
}

/* Wraps one line of a text; what is to be typed stays as it is. */
static void line_write(const char *line, size_t length, FILE *to)
{
	size_t column = 0;

	if (length > 0 && line[0] == ' ') {
		(void)fprintf(to, INDENT "%.*s\n", (int)length, line);
		return;
	}
	while (length > 0) {
		size_t word = strcspn(line, " \n");

		if (word > length)
			word = length;
		if (column > 0 && column + 1 + word > EXPLANATION_WIDTH) {
			(void)fputc('\n', to);
			column = 0;
		}
		(void)fprintf(to, "%s%.*s", column > 0 ? " " : INDENT, (int)word, line);
		column += word + (column > 0 ? 1 : strlen(INDENT));
		line += word;
		length -= word;
		if (length > 0) {
			line++;
			length--;
		}
	}
	(void)fputc('\n', to);
}

void explanation_write(enum message message, FILE *to)
{
	const char *line = message_text(message);

	(void)fprintf(to, "%s\n" INDENT "%s.\n\n", message_id(message), message_title(message));
	while (*line) {
		size_t length = strcspn(line, "\n");

		line_write(line, length, to);
		line += length + (line[length] == '\n');
	}
}

char *explanation_part(enum message message, enum explanation_part part)
{
	const char *text = message_text(message);
	const char *remedy = strstr(text, REMEDY);
	const char *cause = strstr(text, CAUSE);
	const char *begin = text;
	const char *end = cause ? cause : remedy;

	if (part == EXPLANATION_CAUSE) {
		begin = cause ? cause + strlen(CAUSE) : "";
		end = cause ? remedy : begin;
	} else if (part == EXPLANATION_REMEDY) {
		begin = remedy + strlen(REMEDY);
		end = text + strlen(text);
	}
	return strndup(begin, (size_t)(end - begin));
}
