// SPDX-License-Identifier: GPL-2.0-or-later
/* Looks in a process of their own: one that answers, one that does not, one that dies. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemons/dlmirror/apart.h"

#define LONG_MS	 60000
#define SHORT_MS 50

struct answer {
	int number;
	int untouched;
	pid_t pid;
};

static void look(const void *argument, void *result)
{
	struct answer *answer = result;

	answer->number = *(const int *)argument + 1;
	answer->pid = getpid();
}

static void look_for_ever(const void *argument, void *result)
{
	(void)argument;
	(void)result;
	for (;;)
		(void)pause();
}

static void look_and_die(const void *argument, void *result)
{
	(void)argument;
	(void)result;
	_exit(0);
}

static void test_answer(void **state)
{
	const int number = 41;
	struct answer answer = {.untouched = 7};

	(void)state;
	assert_int_equal(apart_run(look, &number, &answer, sizeof(answer), LONG_MS), 0);
	assert_int_equal(answer.number, 42);
	assert_int_equal(answer.untouched, 0);
	assert_true(answer.pid != getpid());
}

static void test_no_answer(void **state)
{
	struct answer answer = {.number = 7};

	(void)state;
	assert_int_equal(apart_run(look_for_ever, NULL, &answer, sizeof(answer), SHORT_MS),
			 -ETIMEDOUT);
	assert_int_equal(apart_run(look_and_die, NULL, &answer, sizeof(answer), LONG_MS), -EIO);
	assert_int_equal(answer.number, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_answer),
	    cmocka_unit_test(test_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
