// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages with their ids, and what the catalogue says of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mlog.h"
#include "daemons/dlmirror/explanation.h"

static char text[4096];

static void __attribute__((format(printf, 3, 4)))
make(size_t size, enum message message, const char *format, ...)
{
	va_list args;

	memset(text, '#', sizeof(text));
	va_start(args, format);
	message_vmake(text, size, message, format, args);
	va_end(args);
	assert_int_equal(text[size], '#');
}

static void test_id_at_the_end(void **state)
{
	(void)state;
	make(64, MSG_LEG_TOO_SMALL, "leg %s is small", "a");
	assert_string_equal(text, "leg a is small [leg-too-small]");
	assert_int_equal(message_of(text), MSG_LEG_TOO_SMALL);
	/* who said it first knows best */
	make(64, MSG_TABLE_REFUSED, "m: %s", "a is small [leg-too-small]");
	assert_string_equal(text, "m: a is small [leg-too-small]");
	make(64, MSG_WITHIN, "m: %s", "a is small [leg-too-small]");
	assert_string_equal(text, "m: a is small [leg-too-small]");
	/* brackets that are no id */
	make(64, MSG_LEG_TOO_SMALL, "leg a[%d]", 1);
	assert_string_equal(text, "leg a[1] [leg-too-small]");
	make(64, MSG_LEG_TOO_SMALL, "%s", "leg [");
	assert_string_equal(text, "leg [ [leg-too-small]");
	make(64, MSG_WITHIN, "no id");
	assert_string_equal(text, "no id");
	assert_int_equal(message_of("[]"), MSG_WITHIN);
	assert_int_equal(message_of(""), MSG_WITHIN);
}

static void test_long_texts(void **state)
{
	char name[3000];

	(void)state;
	make(24, MSG_LEG_TOO_SMALL, "leg %s", "abcdefghijk");
	assert_string_equal(text, "leg abc [leg-too-small]");
	make(24, MSG_TABLE_REFUSED, "m: %s", "leg abcdefghijk [leg-too-small]");
	assert_string_equal(text, "m: leg  [leg-too-small]");
	make(17, MSG_LEG_TOO_SMALL, "leg a");
	assert_string_equal(text, " [leg-too-small]");
	make(16, MSG_LEG_TOO_SMALL, "leg a");
	assert_string_equal(text, "leg a");
	make(1, MSG_LEG_TOO_SMALL, "leg a");
	assert_string_equal(text, "");
	make(0, MSG_LEG_TOO_SMALL, "leg a");
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	make(4000, MSG_LEG_TOO_SMALL, "%s", name);
	assert_int_equal(message_of(text), MSG_LEG_TOO_SMALL);
}

static void test_find(void **state)
{
	(void)state;
	assert_int_equal(explanation_find("leg-too-small"), MSG_LEG_TOO_SMALL);
	assert_int_equal(explanation_find("[leg-too-small]"), MSG_LEG_TOO_SMALL);
	assert_int_equal(explanation_find("Leg too_small"), MSG_LEG_TOO_SMALL);
	assert_int_equal(explanation_find("leg-too-smal"), MSG_WITHIN);
	assert_int_equal(explanation_find(""), MSG_WITHIN);
	for (enum message i = MSG_WITHIN + 1; i < MESSAGES; i++)
		assert_int_equal(explanation_find(message_id(i)), i);
	/* what status shows as the state of a mirror */
	for (enum mlog_phase i = MLOG_CREATED; i <= MLOG_SUSPENDED; i++)
		assert_int_not_equal(explanation_find(mlog_phase_name(i)), MSG_WITHIN);
}

static void test_nearest(void **state)
{
	char typed[256];
	enum message near[3];

	(void)state;
	assert_int_equal(explanation_nearest("leg-to-smal", near, 3), 1);
	assert_int_equal(near[0], MSG_LEG_TOO_SMALL);
	assert_int_equal(explanation_nearest("too-small", near, 3), 2);
	assert_int_equal(near[0], MSG_LEG_TOO_SMALL);
	assert_int_equal(near[1], MSG_LOG_DEVICE_TOO_SMALL);
	assert_int_equal(explanation_nearest("reload-", near, 3), 3);
	assert_int_equal(explanation_nearest("reload-", near, 1), 1);
	assert_int_equal(explanation_nearest("xyzzy", near, 3), 0);
	assert_int_equal(explanation_nearest("", near, 3), 0);
	assert_int_equal(explanation_nearest("a", near, 3), 0);
	memset(typed, 'a', sizeof(typed));
	typed[sizeof(typed) - 1] = '\0';
	assert_int_equal(explanation_nearest(typed, near, 3), 0);
}

static void assert_lines(const char *written)
{
	while (*written) {
		size_t length = strcspn(written, "\n");

		assert_true(length < EXPLANATION_WIDTH + 1);
		assert_int_equal(written[length], '\n');
		assert_true(length == 0 || written[length - 1] != ' ');
		written += length + 1;
	}
}

static void test_every_entry(void **state)
{
	(void)state;
	for (enum message i = MSG_WITHIN + 1; i < MESSAGES; i++) {
		char *part;
		char *written;
		size_t size;
		FILE *to = open_memstream(&written, &size);

		assert_non_null(to);
		explanation_write(i, to);
		assert_int_equal(fclose(to), 0);
		assert_lines(written);
		assert_int_equal(strncmp(written, message_id(i), strlen(message_id(i))), 0);
		assert_non_null(strstr(written, "\n  Do: "));
		free(written);
		part = explanation_part(i, EXPLANATION_MEANING);
		assert_true(strlen(part) > 0 && strncmp(message_text(i), part, strlen(part)) == 0);
		assert_true(strncmp(part, "Do:", 3) != 0 && !strstr(part, "\n\nCause:"));
		free(part);
		part = explanation_part(i, EXPLANATION_REMEDY);
		assert_true(strlen(part) > 0);
		free(part);
		part = explanation_part(i, EXPLANATION_CAUSE);
		assert_int_equal(strlen(part) > 0, strstr(message_text(i), "\n\nCause: ") != NULL);
		assert_null(strstr(part, "Do:"));
		free(part);
	}
}

static void test_wrapped(void **state)
{
	char *written;
	size_t size;
	FILE *to = open_memstream(&written, &size);

	(void)state;
	assert_non_null(to);
	explanation_write(MSG_NO_LEG_STAYS, to);
	assert_int_equal(fclose(to), 0);
	assert_string_equal(
	    written,
	    "no-leg-stays\n"
	    "  One leg has to stay.\n"
	    "\n"
	    "  New legs are copied from those that stay. Without one there would be nothing\n"
	    "  to copy from, and the data would be lost.\n"
	    "\n"
	    "  Do: replace the legs one after the other, and wait each time until the mirror\n"
	    "  is in sync.\n"
	    "\n"
	    "      dlmirror leg replace NAME OLD NEW\n"
	    "      dlmirror status --watch NAME\n");
	free(written);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_id_at_the_end), cmocka_unit_test(test_long_texts),
	    cmocka_unit_test(test_find),	  cmocka_unit_test(test_nearest),
	    cmocka_unit_test(test_every_entry),	  cmocka_unit_test(test_wrapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
