// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/common/message.h"

#include <stdio.h>
#include <string.h>

#define TEXT_SIZE 2048U /* of all that is told at once */
#define ID_SIZE	  64U

static const struct {
	const char *id;
	const char *title;
	const char *text;
} catalog[] = {
    [MSG_WITHIN] = {"", "", ""},
#include "daemons/common/message_table.h"
};

const char *message_id(enum message message)
{
	return catalog[message].id;
}

const char *message_title(enum message message)
{
	return catalog[message].title;
}

const char *message_text(enum message message)
{
	return catalog[message].text;
}

enum message message_find(const char *id)
{
	for (enum message i = MSG_WITHIN + 1; i < MESSAGES; i++)
		if (strcmp(catalog[i].id, id) == 0)
			return i;
	return MSG_WITHIN;
}

enum message message_of(const char *text)
{
	const char *open = strrchr(text, '[');
	size_t length = open ? strlen(open) : 0;
	char id[ID_SIZE];

	if (length < 3 || length > sizeof(id) || open[length - 1] != ']')
		return MSG_WITHIN;
	memcpy(id, open + 1, length - 2);
	id[length - 2] = '\0';
	return message_find(id);
}

void message_vmake(char *ret, size_t size, enum message message, const char *format, va_list args)
{
	char text[TEXT_SIZE];
	char end[ID_SIZE + 4] = "";
	enum message within;
	size_t length;

	if (size == 0)
		return;
	(void)vsnprintf(text, sizeof(text), format, args);
	length = strlen(text);
	within = message_of(text);
	if (within != MSG_WITHIN) {
		message = within;
		length -= strlen(message_id(within)) + 2;
		while (length > 0 && text[length - 1] == ' ')
			length--;
	}
	if (message != MSG_WITHIN)
		(void)snprintf(end, sizeof(end), " [%s]", message_id(message));
	if (strlen(end) >= size)
		end[0] = '\0';
	if (length + strlen(end) >= size)
		length = size - strlen(end) - 1;
	memmove(ret, text, length);
	strcpy(ret + length, end);
}

void message_make(char *ret, size_t size, enum message message, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message_vmake(ret, size, message, format, args);
	va_end(args);
}
