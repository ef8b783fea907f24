/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each kind of message has an id that stays for ever, at the end of its line: "... [leg-too-small]".
 * messages.catalog says what each means and what to do; enum message is made of it. What prints or
 * logs a message names its id, so one that is not in the catalogue does not compile.
 */
#ifndef DLM_MESSAGE_H
#define DLM_MESSAGE_H

#include <stdarg.h>
#include <stddef.h>

#include "daemons/common/message_ids.h"

/* MSG_WITHIN: the text ends with an id already, that of who said it first. */

/* "leg-too-small"; of MSG_WITHIN "". */
const char *message_id(enum message message);
/* One line. */
const char *message_title(enum message message);
/* Lines of an explanation: a paragraph is one line, what is to be typed begins with four blanks,
 * and an empty line stands between them. */
const char *message_text(enum message message);
/* MSG_WITHIN when there is none. */
enum message message_find(const char *id);

/*
 * What is told, with its id at the end. When the text has one there (it goes on with what somebody
 * else said) that one stays, as the nearest to the cause. A text that is too long is cut before its
 * id, not after.
 */
void message_make(char *ret, size_t size, enum message message, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void message_vmake(char *ret, size_t size, enum message message, const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));
/* The id at the end of text, MSG_WITHIN if there is none. */
enum message message_of(const char *text);

#endif
