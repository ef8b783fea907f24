/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names may hold any bytes; who reads what the command writes for programs wants UTF-8. */
#ifndef DLM_COMMAND_UTF8_H
#define DLM_COMMAND_UTF8_H

#include <stddef.h>

/* Bytes of the character at text, which is not its end; 0: there is none. */
size_t utf8_size(const char *text);

#endif
