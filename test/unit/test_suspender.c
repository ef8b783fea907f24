/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Orders and their answers, and whose processes they are. What the kernel does with them is a matter
 * for test/vm (scenario reset-killed). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemons/dlmirrord/suspender.h"

#define WAIT_MS 30000

/* Refused before the kernel is asked: a table of somebody else waits. */
static struct suspender_order order_refused(uint64_t id)
{
	return (struct suspender_order){
	    .id = id, .act = SUSPENDER_RELOAD, .found.inactive_table = true};
}

static int wait_answer(int fd, uint64_t *ret_id, int *ret_error)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	return suspender_receive(fd, ret_id, ret_error);
}

/* Our one child that is left: it became ours when the one that made it ended. */
static pid_t suspender_pid(void)
{
	char path[64];
	int pid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%d", &pid), 1);
	fclose(file);
	return pid;
}

/* With it go the orders that had answered and not ended: they are ours then. */
static void end(int fd)
{
	close(fd);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static int group_setup(void **state)
{
	(void)state;
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

static void answers(void **state)
{
	unsigned seen = 0;
	int fd = suspender_start();
	uint64_t id;
	int error;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(suspender_receive(fd, &id, &error), 0);
	for (uint64_t i = 0; i < 8; i++) {
		struct suspender_order order = order_refused(i);

		assert_int_equal(suspender_send(fd, &order), 0);
	}
	while (seen != 0xff) {
		assert_int_equal(wait_answer(fd, &id, &error), 1);
		assert_int_equal(error, -EBUSY);
		assert_true(id < 8);
		assert_int_equal(seen & 1U << id, 0);
		seen |= 1U << id;
	}
	end(fd);
}

/* It and what it has under way live in a session of their own, under another name, blocking every
 * signal that can be blocked; it ends with the socket. */
static void apart(void **state)
{
	struct suspender_order order = order_refused(7);
	int fd = suspender_start();
	char path[64];
	char name[32] = "";
	pid_t pid = suspender_pid();
	FILE *file;
	uint64_t id;
	int error;

	(void)state;
	assert_int_not_equal(getsid(pid), getsid(0));
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(name, sizeof(name), file));
	fclose(file);
	assert_string_equal(name, "dlm-suspender\n");
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(kill(pid, SIGINT), 0);
	assert_int_equal(suspender_send(fd, &order), 0);
	assert_int_equal(wait_answer(fd, &id, &error), 1);
	assert_int_equal(id, 7);
	end(fd);
}

static void killed(void **state)
{
	struct suspender_order order = order_refused(1);
	int fd = suspender_start();
	uint64_t id;
	int error;
	pid_t pid = suspender_pid();

	(void)state;
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(wait_answer(fd, &id, &error) < 0);
	assert_int_equal(suspender_send(fd, &order), -EPIPE);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(answers),
	    cmocka_unit_test(apart),
	    cmocka_unit_test(killed),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
