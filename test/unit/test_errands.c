/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errands of three nodes, one of which is real: who is asked does it once, in a process of its own,
 * and who asked hears of each node how it ended. The verb is a script of the test's. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemons/dlmirrord/daemon.h"
#include "daemons/dlmirrord/errands.h"

#define OURSELVES 2U
#define WAIT_MS	  30000

/* ---- the cluster of the test */

static struct daemon the_daemon;
static const uint32_t view[] = {1, 2, 3};
static bool quorate;
static uint16_t version;
static struct group_errand said;
static unsigned said_count;

uint32_t daemon_node(const struct daemon *d, const char **ret_why)
{
	(void)d;
	(void)ret_why;
	return OURSELVES;
}

uint32_t cluster_view(const struct cluster *c, const uint32_t **ret_node, bool *ret_quorate)
{
	(void)c;
	*ret_node = view;
	*ret_quorate = quorate;
	return 3;
}

uint16_t cluster_version(const struct cluster *c)
{
	(void)c;
	return version;
}

void cluster_send_errand(struct cluster *c, const struct group_errand *message)
{
	(void)c;
	said = *message;
	said_count++;
}

static unsigned listens;

static int32_t on_ready(int32_t fd, int32_t revents, void *context)
{
	(void)fd;
	(void)revents;
	(void)context;
	return 0;
}

int daemon_listen_errands(struct daemon *d)
{
	listens++;
	return qb_loop_poll_add(d->loop, QB_LOOP_LOW, errands_fd(d->errands), POLLIN, d, on_ready);
}

/* ---- the node of the test */

static char directory[64];
static char error[256];

/* What the command does here. */
static void script(const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/dlmirror", directory);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fprintf(file, "#!/bin/sh\n%s\n", text) > 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0755), 0);
}

static int setup(void **state)
{
	struct errands *e;

	strcpy(directory, "/tmp/test-errands.XXXXXX");
	if (mkdtemp(directory) == NULL || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
		return -1;
	the_daemon = (struct daemon){.cluster = (struct cluster *)directory, .incarnation = 100};
	snprintf(the_daemon.program, sizeof(the_daemon.program), "%s/dlmirrord", directory);
	quorate = true;
	version = GROUP_ERRAND_VERSION;
	said_count = 0;
	if (errands_create(&the_daemon, &e) != 0)
		return -1;
	*state = e;
	return 0;
}

static int teardown(void **state)
{
	char path[128];

	errands_destroy(*state);
	while (waitpid(-1, NULL, 0) > 0)
		;
	snprintf(path, sizeof(path), "%s/dlmirror", directory);
	unlink(path);
	return rmdir(directory);
}

static void dispatch_until(struct errands *e, unsigned count)
{
	struct pollfd p = {.fd = errands_fd(e), .events = POLLIN};

	while (said_count < count) {
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		errands_dispatch(e);
	}
}

static struct group_errand order(uint64_t number, enum dlmirror_errand what, const char *argument)
{
	struct group_errand m = {.from = 1,
				 .id = {.node = 1, .number = number},
				 .count = 2,
				 .node = {1, OURSELVES},
				 .what = what};

	snprintf(m.argument[0], sizeof(m.argument[0]), "%s", argument);
	return m;
}

/* ---- for others */

static void test_does(void **state)
{
	struct errands *e = *state;
	struct group_errand m = order(7, DLMIRROR_ERRAND_TAKE, "web");

	script("echo \"$@\"; cat; echo trouble >&2; printf 'a\\tb'; exit 3");
	strcpy(m.text, "one\ntwo\n");
	errands_message(e, &m);
	dispatch_until(e, 1);
	assert_true(said.done);
	assert_int_equal(said.from, OURSELVES);
	assert_int_equal(said.id.node, 1);
	assert_int_equal(said.id.number, 7);
	assert_int_equal(said.code, 3);
	assert_string_equal(said.text, "config take web\none\ntwo\ntrouble\na?b");

	/* the same message once more, as after a change of the ring */
	errands_message(e, &m);
	assert_int_equal(poll(&(struct pollfd){.fd = errands_fd(e), .events = POLLIN}, 1, 300), 0);
	assert_int_equal(said_count, 1);
}

static void test_not_asked(void **state)
{
	struct group_errand m = order(1, DLMIRROR_ERRAND_ACTIVATE, "web");

	script("exit 0");
	m.count = 1;
	errands_message(*state, &m);
	assert_int_equal(poll(&(struct pollfd){.fd = errands_fd(*state), .events = POLLIN}, 1, 300),
			 0);
	assert_int_equal(said_count, 0);
}

/* Options are a verb's own, and not what another node says. */
static void test_doctor(void **state)
{
	struct group_errand m = order(3, DLMIRROR_ERRAND_DOCTOR, "");

	script("echo \"$@\"; exit 1");
	errands_message(*state, &m);
	dispatch_until(*state, 1);
	assert_int_equal(said.code, 1);
	assert_string_equal(said.text, "doctor --tell\n");
}

static void test_refuses(void **state)
{
	struct group_errand m = order(1, DLMIRROR_ERRAND_ACTIVATE, "--force");

	script("exit 0");
	errands_message(*state, &m);
	assert_int_equal(said_count, 1);
	assert_int_equal(said.code, 1);
	assert_string_equal(said.text, "no name begins with a dash [name-invalid]\n");
	/* what doctor --nodes knows such a daemon by */
	m = order(2, (enum dlmirror_errand)200, "web");
	errands_message(*state, &m);
	assert_int_equal(said_count, 2);
	assert_int_equal(said.code, 1);
	assert_string_equal(said.text,
			    "its daemon is too old for that: update it [node-too-old]\n");
}

static void test_no_command(void **state)
{
	struct group_errand m = order(1, DLMIRROR_ERRAND_TELL, "");

	errands_message(*state, &m);
	dispatch_until(*state, 1);
	assert_int_equal(said.code, 1);
	assert_non_null(strstr(said.text, "cannot be run: No such file"));
}

static void test_killed_and_too_much(void **state)
{
	struct group_errand m = order(1, DLMIRROR_ERRAND_TELL, "");

	script("head -c 100000 /dev/zero | tr '\\0' x; kill -9 $$");
	errands_message(*state, &m);
	dispatch_until(*state, 1);
	assert_int_equal(said.code, 128 + 9);
	assert_int_equal(strlen(said.text), sizeof(said.text) - 1);
}

/* More than are done at a time, and than may wait. */
static void test_many(void **state)
{
	struct errands *e = *state;
	unsigned refused = 0;

	script("sleep 0.05; exit 0");
	for (uint64_t i = 1; i <= 80; i++) {
		struct group_errand m = order(i, DLMIRROR_ERRAND_DEACTIVATE, "web");

		errands_message(e, &m);
	}
	refused = said_count;
	assert_int_equal(refused, 80 - 8 - 64);
	assert_non_null(strstr(said.text, "too much"));
	dispatch_until(e, 80);
	assert_int_equal(said.code, 0);
}

/* ---- of ours */

static void answer(struct errands *e, uint32_t from, uint64_t number, uint8_t code,
		   const char *text)
{
	struct group_errand m = {
	    .from = from, .id = {.node = OURSELVES, .number = number}, .done = true, .code = code};

	snprintf(m.text, sizeof(m.text), "%s", text);
	errands_message(e, &m);
}

static void test_asks(void **state)
{
	static struct dlmirror_errand_result result;
	struct group_errand wish = {.what = DLMIRROR_ERRAND_ACTIVATE, .argument = {"web"}};
	struct errands *e = *state;
	uint32_t count;
	uint64_t id;

	script("exit 0");
	assert_int_equal(errands_begin(e, &wish, &id, &count, error, sizeof(error)), 0);
	assert_int_equal(count, 3);
	assert_int_equal(said_count, 1);
	assert_false(said.done);
	assert_int_equal(said.count, 3);
	assert_int_equal(errands_result(e, id, 0, &result), 0);
	assert_false(result.done);
	answer(e, 3, id, 4, "no\n");
	answer(e, 3, id, 0, "twice\n");
	answer(e, 1, id + 1, 0, "of another\n");
	assert_int_equal(errands_result(e, id, 2, &result), 0);
	assert_int_equal(result.node, 3);
	assert_true(result.done);
	assert_int_equal(result.code, 4);
	assert_string_equal(result.text, "no\n");
	assert_int_equal(errands_result(e, id, 0, &result), 0);
	assert_false(result.done || result.left);
	assert_int_equal(errands_result(e, id, 3, &result), -ENOENT);
	assert_int_equal(errands_result(e, id + 1, 0, &result), -ENOENT);

	/* node 1 goes; later all do, for want of quorum */
	errands_view(e, view + 1, 2, true);
	assert_int_equal(errands_result(e, id, 0, &result), 0);
	assert_true(result.left && !result.done);
	assert_int_equal(errands_result(e, id, 1, &result), 0);
	assert_false(result.left);
	errands_view(e, view + 1, 2, false);
	assert_int_equal(errands_result(e, id, 1, &result), 0);
	assert_true(result.left);
}

static void test_some_nodes(void **state)
{
	struct group_errand wish = {
	    .what = DLMIRROR_ERRAND_SHOW, .count = 3, .node = {3, 1, 3}, .argument = {"web"}};
	uint32_t count;
	uint64_t id;

	assert_int_equal(errands_begin(*state, &wish, &id, &count, error, sizeof(error)), 0);
	assert_int_equal(count, 2);
	assert_int_equal(said.node[0], 1);
	assert_int_equal(said.node[1], 3);
	wish.node[1] = 9;
	assert_int_equal(errands_begin(*state, &wish, &id, &count, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "node 9 has no daemon"));
}

static void test_cannot_ask(void **state)
{
	struct group_errand wish = {.what = DLMIRROR_ERRAND_TELL};
	uint32_t count;
	uint64_t id;

	quorate = false;
	assert_int_equal(errands_begin(*state, &wish, &id, &count, error, sizeof(error)), -EAGAIN);
	quorate = true;
	version = GROUP_ERRAND_VERSION - 1;
	assert_int_equal(errands_begin(*state, &wish, &id, &count, error, sizeof(error)), -EBUSY);
	assert_int_equal(said_count, 0);
}

/* Those that are over make room for new ones. */
static void test_remembers(void **state)
{
	struct group_errand wish = {.what = DLMIRROR_ERRAND_TELL, .count = 1, .node = {3}};
	static struct dlmirror_errand_result result;
	struct errands *e = *state;
	uint64_t first = 0;
	uint64_t id;
	uint32_t count;
	unsigned begun = 0;

	while (errands_begin(e, &wish, &id, &count, error, sizeof(error)) == 0) {
		first = begun++ == 0 ? id : first;
		assert_true(begun < 1000);
	}
	assert_int_equal(begun, 32);
	answer(e, 3, first, 0, "");
	assert_int_equal(errands_result(e, first, 0, &result), 0);
	assert_int_equal(errands_begin(e, &wish, &id, &count, error, sizeof(error)), 0);
	assert_int_equal(errands_result(e, first, 0, &result), -ENOENT);
}

static void test_alone(void **state)
{
	struct group_errand wish = {.what = DLMIRROR_ERRAND_DEACTIVATE, .argument = {"web"}};
	static struct dlmirror_errand_result result;
	struct errands *e = *state;
	uint32_t count;
	uint64_t id;

	script("echo \"$@\"");
	the_daemon.cluster = NULL;
	assert_int_equal(errands_begin(e, &wish, &id, &count, error, sizeof(error)), 0);
	assert_int_equal(count, 1);
	do {
		struct pollfd p = {.fd = errands_fd(e), .events = POLLIN};

		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		errands_dispatch(e);
		assert_int_equal(errands_result(e, id, 0, &result), 0);
	} while (!result.done);
	assert_int_equal(result.node, OURSELVES);
	assert_string_equal(result.text, "deactivate web\n");
}

/* ---- the daemon's own */

static unsigned own_done;

static void on_own(void *context, uint8_t code, const char *text)
{
	own_done++;
	assert_ptr_equal(context, &own_done);
	assert_int_equal(code, 0);
	assert_string_equal(text, "config follow web-1\nto read");
}

static void test_own(void **state)
{
	const char *const word[RUNNER_WORDS] = {"config", "follow", "web-1"};
	struct pollfd p = {.fd = errands_fd(*state), .events = POLLIN};

	script("echo \"$@\"; cat");
	own_done = 0;
	assert_int_equal(errands_own(*state, word, "to read", on_own, &own_done), 0);
	while (own_done == 0) {
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		errands_dispatch(*state);
	}
	assert_int_equal(said_count, 0);
}

/* Its parent has ended, so it is a child of ours. */
static pid_t runner_pid(void)
{
	FILE *found = popen("pgrep -x dlm-runner -P $PPID", "re");
	int pid = 0;

	assert_non_null(found);
	assert_int_equal(fscanf(found, "%d", &pid), 1);
	(void)pclose(found);
	return pid;
}

static void test_another_runner(void **state)
{
	struct errands *e = *state;
	struct group_errand m = order(7, DLMIRROR_ERRAND_TAKE, "web");

	script("echo \"$@\"");
	the_daemon.loop = qb_loop_create();
	the_daemon.errands = e;
	assert_int_equal(daemon_listen_errands(&the_daemon), 0);
	assert_int_equal(kill(runner_pid(), SIGKILL), 0);
	assert_int_equal(poll(&(struct pollfd){.fd = errands_fd(e), .events = POLLIN}, 1, WAIT_MS),
			 1);
	errands_dispatch(e);
	assert_int_equal(errands_fd(e), -1);
	errands_tick(e); /* not at once */
	assert_int_equal(errands_fd(e), -1);
	while (errands_fd(e) < 0) {
		poll(NULL, 0, 100);
		errands_tick(e);
	}
	assert_int_equal(listens, 2);
	errands_message(e, &m);
	dispatch_until(e, 1);
	assert_string_equal(said.text, "config take web\n");
	qb_loop_poll_del(the_daemon.loop, errands_fd(e));
	qb_loop_destroy(the_daemon.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_does, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_not_asked, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_doctor, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_refuses, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_no_command, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_killed_and_too_much, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_many, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_asks, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_some_nodes, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_cannot_ask, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_remembers, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_alone, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_own, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_another_runner, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
