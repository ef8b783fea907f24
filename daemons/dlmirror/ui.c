// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/ui.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FACTS_MAX 64U

#define TEXT_SIZE 2048U

static bool quiet;

/* What a log device or a configuration holds must not command the terminal. */
static void print_clean(FILE *to, bool one_line, char *text)
{
	for (char *c = text; *c; c++)
		if (iscntrl((unsigned char)*c) && (one_line || *c != '\n'))
			*c = '?';
	(void)fputs(text, to);
}

static void message_print(const char *before, enum message message, const char *format,
			  va_list args)
{
	char text[TEXT_SIZE];

	message_vmake(text, sizeof(text), message, format, args);
	(void)fflush(stdout);
	(void)fputs(before, stderr);
	print_clean(stderr, true, text);
	(void)fputc('\n', stderr);
}

int ui_fail(int code, enum message message, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message_print("dlmirror: ", message, format, args);
	va_end(args);
	return code;
}

void ui_refuse(const char *program, const char *format, ...)
{
	char prefix[64];
	va_list args;

	(void)snprintf(prefix, sizeof(prefix), "%s: ", program);
	va_start(args, format);
	message_print(prefix, MSG_USAGE, format, args);
	va_end(args);
	exit(UI_USAGE);
}

void ui_note(enum message message, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message_print("dlmirror: note: ", message, format, args);
	va_end(args);
}

static void __attribute__((format(printf, 1, 0))) text_print(const char *format, va_list args)
{
	char text[TEXT_SIZE];

	(void)vsnprintf(text, sizeof(text), format, args);
	print_clean(stdout, false, text);
	(void)fflush(stdout);
}

void ui_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_print(format, args);
	va_end(args);
}

void ui_done(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (!quiet)
		text_print(format, args);
	va_end(args);
}

void ui_quiet(void)
{
	quiet = true;
}

bool ui_is_quiet(void)
{
	return quiet;
}

bool ui_progress(void)
{
	return !quiet && isatty(STDERR_FILENO) == 1;
}

/* Of what the library says itself; the daemon's own refusals have ids. */
static enum message library_message(int error)
{
	switch (error) {
	case -ENOTCONN:
		return MSG_NO_DAEMON;
	case -ETIMEDOUT:
		return MSG_DAEMON_SILENT;
	case -ENOENT:
		return MSG_NO_SUCH_MIRROR;
	case -EACCES:
		return MSG_NOT_ALLOWED;
	case -EPROTO:
		return MSG_DAEMON_OTHER_VERSION;
	default:
		return MSG_DAEMON_REFUSED;
	}
}

int ui_fail_daemon(const struct dlmirror *d, int error)
{
	int code = UI_FAILED;

	if (error == -ENOMEM)
		return ui_fail(code, MSG_NO_MEMORY, "no memory");
	if (error == -ENOTCONN || error == -ETIMEDOUT)
		code = UI_NO_DAEMON;
	else if (error == -ENOENT)
		code = UI_NO_MIRROR;
	return ui_fail(code, library_message(error), "%s", dlmirror_error(d));
}

int ui_connect(struct dlmirror **ret)
{
	struct dlmirror *d;
	int error = dlmirror_connect(&d);
	int code;

	if (error == 0) {
		*ret = d;
		return 0;
	}
	code = ui_fail_daemon(d, error);
	dlmirror_free(d);
	return code;
}

bool ui_colour(void)
{
	const char *none = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) == 1 && !(none && none[0]);
}

uint64_t ui_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void ui_pause_ms(unsigned milliseconds)
{
	const struct timespec pause = {.tv_sec = milliseconds / 1000,
				       .tv_nsec = milliseconds % 1000 * 1000000L};

	(void)nanosleep(&pause, NULL);
}

#define RECONNECT_PAUSE_MS 2U

int ui_reconnect(struct dlmirror **d, unsigned milliseconds)
{
	uint64_t end = ui_now_ms() + milliseconds;
	struct dlmirror *again;
	int error;

	while ((error = dlmirror_connect(&again)) != 0) {
		dlmirror_free(again);
		if (error != -ENOTCONN || ui_now_ms() >= end)
			return error;
		ui_pause_ms(RECONNECT_PAUSE_MS);
	}
	dlmirror_free(*d);
	*d = again;
	return 0;
}

static void __attribute__((noreturn)) no_memory(void)
{
	exit(ui_fail(UI_FAILED, MSG_NO_MEMORY, "no memory"));
}

static void wrap_at_newlines(struct libscols_column *column)
{
	if (scols_column_set_safechars(column, "\n") != 0 ||
	    scols_column_set_wrapfunc(column, scols_wrapnl_chunksize, scols_wrapnl_nextchunk,
				      NULL) != 0)
		no_memory();
}

/* Members of an array are the lines of a cell. */
static void column_add(struct libscols_table *table, const struct ui_column *column)
{
	bool array =
	    column->json == SCOLS_JSON_ARRAY_STRING || column->json == SCOLS_JSON_ARRAY_NUMBER;
	int flags = column->flags | (array ? SCOLS_FL_WRAP : 0);
	struct libscols_column *added = scols_table_new_column(table, column->name, 0, flags);

	if (!added || scols_column_set_json_type(added, column->json) != 0)
		no_memory();
	if (array)
		wrap_at_newlines(added);
}

struct libscols_table *ui_table(const char *name, const struct ui_column *columns, size_t count,
				bool json)
{
	struct libscols_table *table = scols_new_table();
	size_t i;

	if (!table || scols_table_set_name(table, name) != 0 ||
	    scols_table_enable_json(table, json) != 0)
		no_memory();
	for (i = 0; i < count; i++)
		column_add(table, &columns[i]);
	return table;
}

struct libscols_line *ui_row(struct libscols_table *table, struct libscols_line *parent)
{
	struct libscols_line *row = scols_table_new_line(table, parent);

	if (!row)
		no_memory();
	return row;
}

static char *text_make(const char *format, va_list args)
{
	char *text;

	if (vasprintf(&text, format, args) < 0)
		no_memory();
	return text;
}

void ui_cell(struct libscols_line *row, size_t column, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = text_make(format, args);
	va_end(args);
	/* The row frees it. */
	if (scols_line_refer_data(row, column, text) != 0)
		no_memory();
}

/* libsmartcols prints an array without members as one of null. A newline is in no JSON string. */
static void empty_arrays_mend(char *text)
{
	static const char null[] = "null";
	char *from = text;
	char *to = text;

	while (*from) {
		size_t before = strspn(from + 1, "\n ");
		const char *after = from + 1 + before + strlen(null);

		if (*from == '[' && before > 0 &&
		    strncmp(from + 1 + before, null, strlen(null)) == 0 && *after == '\n' &&
		    after[strspn(after, "\n ")] == ']') {
			*to++ = '[';
			from += after - from + (ptrdiff_t)strspn(after, "\n ");
			continue;
		}
		*to++ = *from++;
	}
	*to = '\0';
}

/* What libsmartcols makes of a table, to be freed. */
static char *json_text(struct libscols_table *table)
{
	char *text = NULL;

	if (scols_table_get_nlines(table) == 0) {
		if (asprintf(&text, "{\n   \"%s\": []\n}\n", scols_table_get_name(table)) < 0)
			no_memory();
		return text;
	}
	if (scols_print_table_to_string(table, &text) != 0 || !text)
		no_memory();
	empty_arrays_mend(text);
	return text;
}

void ui_print(struct libscols_table *table)
{
	if (scols_table_is_json(table)) {
		ui_print_json(&table, 1);
		return;
	}
	(void)scols_print_table(table);
	scols_unref_table(table);
}

/* The members of the object that is printed for one table: what is between its braces. */
static char *members(struct libscols_table *table)
{
	char *text = json_text(table);
	char *end = strrchr(text, '}');

	if (text[0] != '{' || !end)
		no_memory();
	while (end > text && (end[-1] == '\n' || end[-1] == ' '))
		end--;
	*end = '\0';
	memmove(text, text + 1, strlen(text));
	return text;
}

void ui_print_json(struct libscols_table *const *tables, size_t count)
{
	size_t i;

	(void)printf("{\n   \"schema\": %d", UI_SCHEMA);
	for (i = 0; i < count; i++) {
		char *text = members(tables[i]);

		(void)printf(",%s", text);
		free(text);
		scols_unref_table(tables[i]);
	}
	(void)printf("\n}\n");
}

struct ui_facts {
	const char *name;
	bool json;
	unsigned count;
	struct {
		char *label;
		char *value;
		int json;
	} fact[FACTS_MAX];
};

struct ui_facts *ui_facts(const char *name, bool json)
{
	struct ui_facts *facts = calloc(1, sizeof(*facts));

	if (!facts)
		no_memory();
	facts->name = name;
	facts->json = json;
	return facts;
}

static void fact_add(struct ui_facts *facts, const char *label, int json, char *value)
{
	assert(facts->count < FACTS_MAX);
	facts->fact[facts->count].label = strdup(label);
	facts->fact[facts->count].value = value;
	facts->fact[facts->count].json = json;
	if (!facts->fact[facts->count].label)
		no_memory();
	facts->count++;
}

void ui_fact(struct ui_facts *facts, const char *label, const char *format, ...)
{
	va_list args;

	if (facts->json)
		return;
	va_start(args, format);
	fact_add(facts, label, SCOLS_JSON_STRING, text_make(format, args));
	va_end(args);
}

void ui_fact_json(struct ui_facts *facts, const char *key, int json, const char *format, ...)
{
	va_list args;

	if (!facts->json)
		return;
	va_start(args, format);
	fact_add(facts, key, json, text_make(format, args));
	va_end(args);
}

static void facts_print_json(const struct ui_facts *facts)
{
	struct ui_column columns[FACTS_MAX];
	struct libscols_table *table;
	struct libscols_line *row;
	unsigned i;

	for (i = 0; i < facts->count; i++)
		columns[i] = (struct ui_column){facts->fact[i].label, 0, facts->fact[i].json};
	table = ui_table(facts->name, columns, facts->count, true);
	row = ui_row(table, NULL);
	for (i = 0; i < facts->count; i++)
		ui_cell(row, i, "%s", facts->fact[i].value);
	ui_print(table);
}

static void facts_print_text(const struct ui_facts *facts)
{
	static const struct ui_column columns[] = {{"", 0, 0}, {"", SCOLS_FL_NOEXTREMES, 0}};
	struct libscols_table *table = ui_table(facts->name, columns, 2, false);
	unsigned i;

	if (scols_table_enable_noheadings(table, 1) != 0)
		no_memory();
	for (i = 0; i < facts->count; i++) {
		struct libscols_line *row = ui_row(table, NULL);

		ui_cell(row, 0, "%s", facts->fact[i].label);
		ui_cell(row, 1, "%s", facts->fact[i].value);
	}
	ui_print(table);
}

void ui_facts_print(struct ui_facts *facts)
{
	unsigned i;

	if (facts->json)
		facts_print_json(facts);
	else
		facts_print_text(facts);
	for (i = 0; i < facts->count; i++) {
		free(facts->fact[i].label);
		free(facts->fact[i].value);
	}
	free(facts);
}
