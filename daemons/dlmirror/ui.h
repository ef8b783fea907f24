/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the command speaks: exit codes, one-line errors, tables for people and for programs. */
#ifndef DLM_COMMAND_UI_H
#define DLM_COMMAND_UI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libsmartcols/libsmartcols.h>

#include "daemons/common/message.h"
#include "dlmirror/dlmirror.h"

enum ui_exit {
	UI_OK,
	UI_FAILED,
	UI_USAGE,
	UI_NO_DAEMON,
	UI_NO_MIRROR,
	UI_DIFFERS, /* legs that were compared differ, and were not repaired */
};

/* Prints "dlmirror: … [id]" and returns code, so that it can be the end of the caller. */
int ui_fail(int code, enum message message, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What is no error, but should be known: "dlmirror: note: … [id]". */
void ui_note(enum message message, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* To standard output: lines with text in them that comes from elsewhere. */
void ui_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ends the program: an argument is not as it must be. program: "dlmirror create". */
void ui_refuse(const char *program, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));
/* The same for what only says that it was done: nothing after ui_quiet(). */
void ui_done(const char *format, ...) __attribute__((format(printf, 1, 2)));
void ui_quiet(void);
bool ui_is_quiet(void);
/* Somebody looks at standard error, and progress may be shown there. */
bool ui_progress(void);
/* The same as ui_fail() for what libdlmirror returned. */
int ui_fail_daemon(const struct dlmirror *d, int error);
/* 0, or the exit code after a message. *ret is to be freed when it is 0. */
int ui_connect(struct dlmirror **ret);

#define UI_CLEAR_SCREEN "\033[H\033[2J"
#define UI_AWAY_MS	60000U /* a daemon that restarts is waited for this long */

/* Standard output is a terminal, and nobody has set NO_COLOR (https://no-color.org). */
bool ui_colour(void);

uint64_t ui_now_ms(void); /* monotonic */
void ui_pause_ms(unsigned milliseconds);
/* Connects again to a daemon that restarts, for at most this long. *d is replaced when it is 0. */
int ui_reconnect(struct dlmirror **d, unsigned milliseconds);

struct ui_column {
	const char *name; /* the heading, and in lower case the JSON key */
	int flags;	  /* SCOLS_FL_… */
	int json;	  /* SCOLS_JSON_… */
};

/* Tables end the program when there is no memory for them. name is the JSON key of the rows. */
struct libscols_table *ui_table(const char *name, const struct ui_column *columns, size_t count,
				bool json);
struct libscols_line *ui_row(struct libscols_table *table, struct libscols_line *parent);
void ui_cell(struct libscols_line *row, size_t column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The version of what is printed as JSON: the first member, "schema". Members may be added without
 * another one; none goes, or means something else. */
#define UI_SCHEMA 1

/* Prints and frees it. With JSON the list may be empty; for people nothing is printed then. */
void ui_print(struct libscols_table *table);
/* Several JSON tables as members of one object. Frees them. */
void ui_print_json(struct libscols_table *const *tables, size_t count);

/* One thing per line, "NAME  VALUE" for people, an object in a list of one for programs. */
struct ui_facts;
struct ui_facts *ui_facts(const char *name, bool json);
void ui_fact(struct ui_facts *facts, const char *label, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* For programs only. json: SCOLS_JSON_… */
void ui_fact_json(struct ui_facts *facts, const char *key, int json, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void ui_facts_print(struct ui_facts *facts);

#endif
