/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's log: syslog or stderr, written by a thread of its own, and libqb's blackbox in
 * memory. */
#ifndef DLM_LOGGING_H
#define DLM_LOGGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* target: "syslog" or "stderr". */
void logging_start(const char *target, const char *level);
void logging_end(void);
/* Waits until everything is written, timeout_ms at most. */
void logging_flush(uint32_t timeout_ms);
/* error warning notice info debug trace; -EINVAL for any other. */
int logging_level(const char *level);
/* Are trace lines wanted at once? Making them costs time in the way of a request. */
bool logging_traces(void);
/* With the core lock. Writes the blackbox into directory; text gets its path, or says why not
 * (negative errno). */
int logging_blackbox(const char *directory, char *text, size_t size);
/* On a fatal signal: writes the blackbox, then dies of that signal. */
void logging_catch_fatal(const char *directory);

#endif
