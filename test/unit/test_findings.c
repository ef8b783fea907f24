// SPDX-License-Identifier: GPL-2.0-or-later
/* What a doctor tells another node: it comes back as it was told, and what is cut, strange or no
 * answer at all is told as that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemons/dlmirror/findings.h"

#define TEXT_SIZE 8192U

static char text[TEXT_SIZE];
static struct findings findings;

static void text_begin(const char *version)
{
	char line[FINDING_LINE_SIZE];

	findings_begin_line(version, line);
	(void)snprintf(text, sizeof(text), "%s\n", line);
}

static void text_add(const char *line)
{
	assert_true(strlen(text) + strlen(line) + 2 < sizeof(text));
	strcat(text, line);
	strcat(text, "\n");
}

static struct check a_check(void)
{
	return (struct check){.result = CHECK_PROBLEM,
			      .name = MSG_MIRROR_LEG,
			      .id = MSG_LEG_FAILED,
			      .mirror = "my data",
			      .what = "leg /dev/sdb: dead  => or not",
			      .remedy = "replace it"};
}

static void check_add(const struct check *check)
{
	char line[FINDING_LINE_SIZE];
	struct finding finding;

	finding_of(check, &finding);
	finding_line(&finding, line);
	assert_null(strchr(line, '\n'));
	text_add(line);
}

static void read_back(void)
{
	findings_free(&findings);
	assert_int_equal(findings_read(text, &findings), 0);
}

static int forget(void **state)
{
	(void)state;
	findings_free(&findings);
	return 0;
}

static void test_round_trip(void **state)
{
	struct check check = a_check();
	const struct finding *f;

	(void)state;
	text_begin("1.2.3");
	check_add(&check);
	check.result = CHECK_OK;
	check.mirror = NULL;
	check.remedy[0] = '\0';
	memset(check.what, 'w', sizeof(check.what) - 1);
	check.what[7] = '\n'; /* a file's name, say */
	check_add(&check);
	text_add(findings_end_line());
	read_back();
	assert_string_equal(findings.node.version, "1.2.3");
	assert_false(findings.node.old);
	assert_int_equal(findings.count, 2);
	f = &findings.finding[0];
	assert_int_equal(f->result, CHECK_PROBLEM);
	assert_string_equal(f->check, "mirror-leg");
	assert_string_equal(f->id, "leg-failed");
	assert_string_equal(f->mirror, "my data");
	assert_string_equal(f->what, "leg /dev/sdb: dead  => or not");
	assert_string_equal(f->remedy, "replace it");
	f = &findings.finding[1];
	assert_int_equal(f->result, CHECK_OK);
	assert_string_equal(f->mirror, "");
	assert_int_equal(strlen(f->what), sizeof(check.what) - 1);
	assert_int_equal(f->what[7], '?');
	assert_string_equal(f->remedy, "");
}

static void test_no_daemon(void **state)
{
	(void)state;
	text_begin("");
	text_add(findings_end_line());
	read_back();
	assert_string_equal(findings.node.version, "");
	assert_int_equal(findings.count, 0);
}

/* Wherever it is cut: nothing that was not said, and that something is missing. */
static void test_cut(void **state)
{
	const struct check check = a_check();
	size_t whole;
	size_t header;

	(void)state;
	text_begin("1.2.3");
	header = strlen(text);
	check_add(&check);
	check_add(&check);
	text_add(findings_end_line());
	whole = strlen(text);
	for (size_t length = whole - 1; length >= header; length--) {
		const struct finding *last;

		text[length] = '\0';
		read_back();
		assert_in_range(findings.count, 1, 3);
		last = &findings.finding[findings.count - 1];
		assert_int_equal(last->result, CHECK_UNKNOWN);
		assert_string_equal(last->id, "cluster-node");
		assert_non_null(strstr(last->what, "more to say"));
		for (size_t i = 0; i + 1 < findings.count; i++)
			assert_string_equal(findings.finding[i].remedy, "replace it");
	}
}

static void test_strange(void **state)
{
	static const char *const lines[] = {
	    "a program complains",
	    "problem mirror-leg mirror-leg 4 2 0 data",
	    "problem mirror-leg mirror-leg 4 2 0 dataxyz",
	    "problem mirror-leg mirror-leg 4 2",
	    "problem mirror-leg mirror-leg 18446744073709551615 2 1 xx",
	    "problem mirror-leg mirror-leg 200 0 0 x",
	    "awful mirror-leg mirror-leg 0 1 0 x",
	    "problem",
	    "",
	};
	const unsigned strange = sizeof(lines) / sizeof(lines[0]);
	const struct check check = a_check();
	char said[64];

	(void)state;
	strcpy(text, "");
	text_add("another complains before");
	strcat(text, "version 7\n");
	for (unsigned i = 0; i < strange; i++)
		text_add(lines[i]);
	check_add(&check);
	text_add(findings_end_line());
	text_add("and one behind");
	read_back();
	assert_string_equal(findings.node.version, "7");
	assert_int_equal(findings.count, 2);
	assert_string_equal(findings.finding[0].id, "leg-failed");
	assert_int_equal(findings.finding[1].result, CHECK_UNKNOWN);
	(void)snprintf(said, sizeof(said), "%u lines ", strange + 1);
	assert_int_equal(strncmp(findings.finding[1].what, said, strlen(said)), 0);
}

static const struct finding *only_finding(const char *answer)
{
	findings_free(&findings);
	assert_int_equal(findings_read(answer, &findings), 0);
	assert_int_equal(findings.count, 1);
	assert_string_equal(findings.finding->check, "cluster-node");
	assert_string_equal(findings.node.version, "");
	return findings.finding;
}

static void test_no_answer(void **state)
{
	const struct finding *f = only_finding(NULL);

	(void)state;
	assert_int_equal(f->result, CHECK_PROBLEM);
	assert_string_equal(f->id, "node-silent");
	assert_false(findings.node.old);

	f = only_finding("its daemon is too old for that: update it [node-too-old]\n");
	assert_int_equal(f->result, CHECK_UNKNOWN);
	assert_string_equal(f->id, "node-too-old");
	assert_non_null(strstr(f->remedy, "update dlmirror there"));
	assert_true(findings.node.old);

	f = only_finding("/sbin/dlmirror cannot be run: No such file [command-not-run]\nmore\n");
	assert_int_equal(f->result, CHECK_PROBLEM);
	assert_string_equal(f->id, "command-not-run");
	assert_non_null(strstr(f->what, "of use: /sbin/dlmirror cannot be run: No such file"));
	assert_null(strchr(f->what, '['));
	assert_false(findings.node.old);

	f = only_finding("");
	assert_string_equal(f->id, "node-silent");
	assert_non_null(strstr(f->what, "nothing at all"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_round_trip, forget),
	    cmocka_unit_test_teardown(test_no_daemon, forget),
	    cmocka_unit_test_teardown(test_cut, forget),
	    cmocka_unit_test_teardown(test_strange, forget),
	    cmocka_unit_test_teardown(test_no_answer, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
