// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirrord/message_log.h"

#include <stdarg.h>

#include <qb/qblog.h>

/* libqb cuts a line that is longer with the time before it, and with it the id. */
#define TEXT_SIZE (QB_LOG_MAX_LEN - 64U)

void message_log_at(const char *function, const char *file, uint32_t line, uint8_t level,
		    enum message message, const char *format, ...)
{
	char text[TEXT_SIZE];
	va_list args;

	va_start(args, format);
	message_vmake(text, sizeof(text), message, format, args);
	va_end(args);
	qb_log_from_external_source(function, file, "%s", level, line, 0, text);
}
