/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line of the log for people: with the id of its message at its end. qb_log() is for what only
 * debugging wants, without. */
#ifndef DLM_MESSAGE_LOG_H
#define DLM_MESSAGE_LOG_H

#include <stdint.h>
#include <syslog.h>

#include "daemons/common/message.h"

#define message_log(level, message, ...)                                                           \
	message_log_at(__func__, __FILE__, __LINE__, level, message, __VA_ARGS__)

void message_log_at(const char *function, const char *file, uint32_t line, uint8_t level,
		    enum message message, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

#endif
