// SPDX-License-Identifier: GPL-2.0-or-later
/* Which configuration of a mirror counts, when nodes have several. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemons/dlmirror/agreement.h"

#define US 2U

static char error[AGREEMENT_ERROR_SIZE];

static struct agreement_entry entry(uint32_t node, uint64_t serial)
{
	return (struct agreement_entry){.node = node,
					.name = "web",
					.uuid = "web-1",
					.serial = serial,
					.digest = (uint32_t)serial * 3};
}

static void assert_found(const struct agreement_entry *list, size_t count, unsigned others,
			 enum agreement expected, uint32_t node)
{
	size_t at = 99;

	assert_int_equal(agreement_find(list, count, US, others, &at, error), expected);
	if (expected == AGREEMENT_OURS || expected == AGREEMENT_THEIRS)
		assert_int_equal(list[at].node, node);
}

static void test_newest(void **state)
{
	const struct agreement_entry same[] = {entry(1, 4), entry(2, 4), entry(3, 4)};
	const struct agreement_entry theirs[] = {entry(1, 4), entry(2, 4), entry(3, 5)};
	const struct agreement_entry ours[] = {entry(1, 4), entry(2, 5)};
	const struct agreement_entry not_here[] = {entry(1, 4), entry(3, 5)};

	(void)state;
	assert_found(NULL, 0, 2, AGREEMENT_NOBODY, 0);
	assert_found(same, 3, 2, AGREEMENT_OURS, US);
	assert_found(theirs, 3, 2, AGREEMENT_THEIRS, 3);
	assert_found(ours, 2, 2, AGREEMENT_OURS, US);
	assert_found(not_here, 2, 2, AGREEMENT_THEIRS, 3);
}

static void test_removed_elsewhere(void **state)
{
	const struct agreement_entry ours[] = {entry(US, 4)};

	(void)state;
	assert_found(ours, 1, 0, AGREEMENT_OURS, US); /* nobody else is there */
	assert_found(ours, 1, 2, AGREEMENT_NONE, 0);
	assert_non_null(strstr(error, "no other node has web"));
	assert_non_null(strstr(error, "dlmirror config push web"));
}

static void test_contradictions(void **state)
{
	struct agreement_entry list[] = {entry(1, 4), entry(2, 4), entry(3, 5)};

	(void)state;
	list[0].active = true; /* with other legs than the newest says, perhaps */
	assert_found(list, 3, 2, AGREEMENT_NONE, 0);
	assert_non_null(strstr(error, "node 3 has web with serial 5, but node 1 with serial 4 and "
				      "active"));
	list[0] = entry(1, 5);
	list[0].digest++;
	assert_found(list, 3, 2, AGREEMENT_NONE, 0);
	assert_non_null(strstr(error, "another configuration of it is on node"));
	list[0] = entry(1, 5);
	list[0].active = true;
	assert_found(list, 3, 2, AGREEMENT_THEIRS, 1);
	strcpy(list[1].uuid, "web-2");
	assert_found(list, 3, 2, AGREEMENT_NONE, 0);
	assert_non_null(strstr(error, "another mirror of that name is on node 2"));
}

static void test_lines(void **state)
{
	static const char *const bad[] = {"",
					  "web",
					  "web web-1 4 0000000c",
					  "web web-1 x 0000000c active",
					  "web web-1 4 0000000c perhaps",
					  "web web-1 4 0000000c active and more"};
	struct agreement_entry good = entry(1, 4);
	struct agreement_entry seen;
	char line[AGREEMENT_LINE_SIZE];
	char longer[AGREEMENT_LINE_SIZE + 2];

	(void)state;
	agreement_line(&good, line);
	assert_string_equal(line, "web web-1 4 0000000c inactive");
	assert_int_equal(agreement_parse("web web-1 4 0000000c inactive\nnext", 1, &seen), 0);
	assert_memory_equal(&seen, &good, sizeof(seen));
	good.active = true;
	memset(good.name, 'n', sizeof(good.name) - 1);
	memset(good.uuid, 'u', sizeof(good.uuid) - 1);
	good.serial = UINT64_MAX;
	agreement_line(&good, line);
	assert_int_equal(agreement_parse(line, 1, &seen), 0);
	assert_memory_equal(&seen, &good, sizeof(seen));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(agreement_parse(bad[i], 1, &seen), -EINVAL);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(agreement_parse(longer, 1, &seen), -EINVAL);
}

static void test_text(void **state)
{
	static const char text[] = "a a-1 4 0000000c inactive\n"
				   "b b-1 5 0000000f active\n"
				   "\nc c-1 6 00000012 active\n";
	struct agreement_entry list[4];
	const char *rest;
	size_t count = 1;

	(void)state;
	assert_int_equal(agreement_read(text, 3, list, 2, &count, &rest), 0);
	assert_int_equal(count, 2); /* there was room for one */
	assert_string_equal(list[1].name, "a");
	assert_int_equal(strncmp(rest, "b ", 2), 0);
	assert_int_equal(agreement_read(rest, 3, list, 4, &count, &rest), -EINVAL);
	assert_int_equal(count, 3);
	assert_string_equal(list[2].name, "b");
	assert_int_equal(list[2].node, 3);
	assert_int_equal(strncmp(rest, "\nc ", 3), 0);
	assert_int_equal(agreement_read("d d-1 1 00000000 active", 1, list, 4, &count, &rest), 0);
	assert_string_equal(list[3].name, "d");
	assert_string_equal(rest, "");
}

static void test_all_the_same(void **state)
{
	struct agreement_entry list[] = {entry(1, 4), entry(1, 9), entry(2, 4), entry(3, 4)};
	char text[AGREEMENT_ERROR_SIZE];

	(void)state;
	strcpy(list[1].uuid, "other-1"); /* which one node has only */
	assert_true(agreement_same(list, 4, text));
	assert_true(agreement_same(list, 0, text));
	list[3].serial = 5;
	assert_false(agreement_same(list, 4, text));
	assert_non_null(strstr(text, "web on node 1 has serial 4, web on node 3 has serial 5"));
	list[3].serial = 4;
	list[3].digest++;
	assert_false(agreement_same(list, 4, text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_newest),	   cmocka_unit_test(test_removed_elsewhere),
	    cmocka_unit_test(test_contradictions), cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_text),	   cmocka_unit_test(test_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
