/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The locks port on a DLM in memory. Each test is a trace: who asks for what, what DLM's queue for
 * it is then, and what each daemon has been told so far, as "OBJECT:LOCK" (granted) and
 * "OBJECT:LOCK=ERROR".
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mlog.h"
#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/locks_dlm_internal.h"
#include "test/unit/fake_dlm.h"

#define WAIT_MS	  10000U
#define NODES	  3U
#define CLUSTER	  "cluster"
#define MIRROR_AT "000102030405060708090a0b0c0d0e0f"

static const struct group_mirror mirror = {
    .byte = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
static const struct group_mirror other = {.byte = {0xff}};

struct daemon {
	struct locks_dlm *locks;
	char told[256];
	/* who is told asks for the next one from within */
	uint64_t asks_object;
	uint32_t asks_lock;
};

static struct fake_dlm *dlm;
static struct daemon daemon_of[NODES + 1];

static struct {
	pthread_mutex_t mutex;
	struct locks_look look;
} seen = {.mutex = PTHREAD_MUTEX_INITIALIZER};

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

static _Thread_local unsigned callocs_fail; /* the next ones of this thread */

void *__wrap_calloc(size_t count, size_t size)
{
	if (callocs_fail == 0)
		return __real_calloc(count, size);
	callocs_fail--;
	return NULL;
}

static void look(void *context, const char *cluster, struct locks_look *ret)
{
	(void)context;
	(void)cluster;
	pthread_mutex_lock(&seen.mutex);
	*ret = seen.look;
	pthread_mutex_unlock(&seen.mutex);
}

static void look_set(bool can_join, bool recovering, const char *problem)
{
	pthread_mutex_lock(&seen.mutex);
	seen.look =
	    (struct locks_look){.can_join = can_join, .recovering = recovering, .fencing = true};
	snprintf(seen.look.problem, sizeof(seen.look.problem), "%s", problem);
	pthread_mutex_unlock(&seen.mutex);
}

static void on_locked(void *context, uint64_t object, uint32_t lock, int error)
{
	struct daemon *d = context;
	size_t at = strlen(d->told);

	if (error == 0)
		snprintf(d->told + at, sizeof(d->told) - at, "%s%u:%u", at > 0 ? " " : "",
			 (unsigned)object, lock);
	else
		snprintf(d->told + at, sizeof(d->told) - at, "%s%u:%u=%d", at > 0 ? " " : "",
			 (unsigned)object, lock, error);
	if (d->asks_object != 0) {
		object = d->asks_object;
		d->asks_object = 0;
		locks_dlm_lock(d->locks, &mirror, d->asks_lock, object, false);
	}
}

static void daemon_create(unsigned node)
{
	struct daemon *d = &daemon_of[node];
	const struct locks_world world = {.backend = fake_backend(dlm, node), .look = look};

	memset(d, 0, sizeof(*d));
	assert_int_equal(locks_dlm_create_in(&world, on_locked, d, &d->locks), 0);
}

static void daemon_start(unsigned node)
{
	daemon_create(node);
	locks_dlm_join(daemon_of[node].locks, CLUSTER);
}

static void daemon_end(unsigned node, bool release)
{
	daemon_of[node].locks = locks_dlm_destroy(daemon_of[node].locks, release);
}

/* As if by kill -9: the kernel closes what it has. */
static void daemon_die(unsigned node)
{
	fake_processes_die(dlm, node);
	daemon_end(node, false);
}

static void dispatch(unsigned node, int timeout_ms)
{
	struct pollfd fd = {.fd = locks_dlm_fd(daemon_of[node].locks), .events = POLLIN};

	if (poll(&fd, 1, timeout_ms) > 0)
		locks_dlm_dispatch(daemon_of[node].locks);
}

/* node has been told exactly this since the last time. */
static void told(unsigned node, const char *expected)
{
	struct daemon *d = &daemon_of[node];
	uint64_t until_ms = clock_ms() + WAIT_MS;

	while (strlen(d->told) < strlen(expected) && clock_ms() < until_ms)
		dispatch(node, 100);
	assert_string_equal(d->told, expected);
	d->told[0] = '\0';
}

static void not_told(unsigned node)
{
	dispatch(node, 50);
	assert_string_equal(daemon_of[node].told, "");
}

/* DLM's queue for what of the mirror comes to be this. */
static void queue_is(const char *what, const char *expected)
{
	uint64_t until_ms = clock_ms() + WAIT_MS;
	char name[64];
	char text[256];

	snprintf(name, sizeof(name), MIRROR_AT "-%s", what);
	while (strcmp(fake_queue(dlm, name, text, sizeof(text)), expected) != 0 &&
	       clock_ms() < until_ms)
		poll(NULL, 0, 1);
	assert_string_equal(fake_queue(dlm, name, text, sizeof(text)), expected);
}

static struct locks_dlm_status status_of(unsigned node)
{
	struct locks_dlm_status status;

	locks_dlm_status(daemon_of[node].locks, &status);
	return status;
}

static void counts_are(unsigned node, uint32_t held, uint32_t waiting, uint32_t orphans)
{
	uint64_t until_ms = clock_ms() + WAIT_MS;
	struct locks_dlm_status status = status_of(node);

	while ((status.held != held || status.waiting != waiting || status.orphans != orphans) &&
	       clock_ms() < until_ms) {
		poll(NULL, 0, 1);
		status = status_of(node);
	}
	assert_int_equal(status.held, held);
	assert_int_equal(status.waiting, waiting);
	assert_int_equal(status.orphans, orphans);
}

static void lock(unsigned node, uint64_t object, uint32_t lock)
{
	locks_dlm_lock(daemon_of[node].locks, &mirror, lock, object, false);
}

static void keep(unsigned node, uint64_t object, uint32_t lock)
{
	locks_dlm_lock(daemon_of[node].locks, &mirror, lock, object, true);
}

static void unlock(unsigned node, uint64_t object, uint32_t lock)
{
	locks_dlm_unlock(daemon_of[node].locks, &mirror, lock, object);
}

static void gone(unsigned node, uint64_t object)
{
	locks_dlm_object_gone(daemon_of[node].locks, object, false);
}

static void forgotten(unsigned node, uint64_t object)
{
	locks_dlm_object_gone(daemon_of[node].locks, object, true);
}

static int setup(void **state)
{
	(void)state;
	dlm = fake_create(CLUSTER);
	look_set(true, false, "");
	for (unsigned node = 1; node <= NODES; node++)
		daemon_start(node);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned node = 1; node <= NODES; node++)
		daemon_end(node, false);
	dlm = fake_destroy(dlm);
	return 0;
}

/* One after the other, in the order of asking. */
static void test_nodes_queue(void **state)
{
	(void)state;
	lock(1, 10, 0);
	told(1, "10:0");
	lock(2, 20, 0);
	queue_is("s0", "1 EX, 2 waits EX");
	lock(3, 30, 0);
	queue_is("s0", "1 EX, 2 waits EX, 3 waits EX");
	lock(1, 10, 1);
	told(1, "10:1");
	lock(1, 10, MLOG_LOCK_MAP);
	told(1, "10:32");
	queue_is("map", "1 EX");
	counts_are(1, 3, 0, 0);
	counts_are(2, 0, 1, 0);
	unlock(1, 10, 0);
	told(2, "20:0");
	not_told(3);
	unlock(2, 20, 0);
	told(3, "30:0");
	queue_is("s0", "3 EX");
}

/* Two tables of a mirror on one node: the second waits here; between them others have their turn. */
static void test_objects_queue(void **state)
{
	(void)state;
	lock(1, 10, 0);
	told(1, "10:0");
	lock(1, 11, 0);
	lock(2, 20, 0);
	queue_is("s0", "1 EX, 2 waits EX");
	counts_are(1, 1, 1, 0);
	unlock(1, 10, 0);
	told(2, "20:0");
	queue_is("s0", "2 EX, 1 waits EX");
	unlock(2, 20, 0);
	told(1, "11:0");
}

/* A daemon dies: its node keeps the lock, the next daemon takes it over before who waits. */
static void test_killed_daemon(void **state)
{
	(void)state;
	keep(1, 10, 0);
	told(1, "10:0");
	lock(1, 10, 1);
	told(1, "10:1");
	lock(2, 20, 0);
	lock(2, 20, 1);
	queue_is("s0", "1 EX, 2 waits EX");
	daemon_die(1);
	queue_is("s0", "1 orphan EX, 2 waits EX");
	told(2, "20:1");
	daemon_start(1);
	keep(1, 12, 0);
	told(1, "12:0");
	queue_is("s0", "1 EX, 2 waits EX");
	/* it is kept again */
	daemon_die(1);
	queue_is("s0", "1 orphan EX, 2 waits EX");
	daemon_start(1);
	keep(1, 13, 0);
	told(1, "13:0");
	unlock(1, 13, 0);
	told(2, "20:0");
}

/* Who takes an orphan over and does not keep it, does not keep it. */
static void test_orphan_not_kept(void **state)
{
	(void)state;
	keep(1, 10, 0);
	told(1, "10:0");
	daemon_die(1);
	daemon_start(1);
	lock(1, 11, 0);
	told(1, "11:0");
	daemon_die(1);
	queue_is("s0", "");
	daemon_start(1);
}

/* The old process lives on in the kernel for a while: its lock becomes an orphan when the new one
 * waits for it already, behind others. */
static void test_orphan_turns_up(void **state)
{
	struct lockspace *old;
	struct lockspace_lksb lksb;

	(void)state;
	assert_int_equal(lockspace_join(fake_backend(dlm, 1), LOCKS_DLM_LOCKSPACE, NULL, &old), 0);
	assert_int_equal(lockspace_lock(old, LOCKSPACE_EX, &lksb, LOCKSPACE_PERSISTENT,
					MIRROR_AT "-s0", strlen(MIRROR_AT "-s0"), 0,
					(lockspace_ast_fn)free, NULL, NULL),
			 0);
	lock(2, 20, 0);
	queue_is("s0", "1 EX, 2 waits EX");
	keep(1, 10, 0);
	queue_is("s0", "1 EX, 2 waits EX, 1 waits EX");
	assert_int_equal(lockspace_release(old, LOCKSPACE_CLOSE), 0);
	told(1, "10:0");
	queue_is("s0", "1 EX, 2 waits EX");
}

/* The lock of a node that died is granted when DLM has recovered, which is after the fence. */
static void test_dead_node(void **state)
{
	(void)state;
	keep(3, 30, 2);
	told(3, "30:2");
	lock(1, 10, 2);
	queue_is("s2", "3 EX, 1 waits EX");
	fake_node_dies(dlm, 3);
	not_told(1);
	fake_recover(dlm);
	told(1, "10:2");
	queue_is("s2", "1 EX");
}

/* A mirror's table is replaced without a word: the lock goes to the new one at once. */
static void test_gone_object(void **state)
{
	(void)state;
	keep(1, 10, 0);
	told(1, "10:0");
	lock(2, 20, 0);
	queue_is("s0", "1 EX, 2 waits EX");
	keep(1, 11, 0);
	counts_are(1, 1, 1, 0);
	gone(1, 10);
	told(1, "11:0");
	queue_is("s0", "1 EX, 2 waits EX");
	/* nobody waits: it is an orphan, for whoever asks next */
	gone(1, 11);
	counts_are(1, 0, 0, 1);
	queue_is("s0", "1 EX, 2 waits EX");
	lock(1, 12, 0);
	told(1, "12:0");
	/* this one did not want to keep it */
	gone(1, 12);
	told(2, "20:0");
	counts_are(1, 0, 0, 0);
}

/* Its kernel has ended the table: no orphan is left, but who waits here is before the other nodes. */
static void test_forgotten_object(void **state)
{
	(void)state;
	keep(1, 10, 0);
	told(1, "10:0");
	keep(2, 20, 0);
	queue_is("s0", "1 EX, 2 waits EX");
	keep(1, 11, 0);
	counts_are(1, 1, 1, 0);
	forgotten(1, 10);
	told(1, "11:0");
	queue_is("s0", "1 EX, 2 waits EX");
	forgotten(1, 11);
	told(2, "20:0");
	queue_is("s0", "2 EX");
	counts_are(1, 0, 0, 0);
}

static void test_gone_object_waits(void **state)
{
	(void)state;
	lock(1, 10, 0);
	told(1, "10:0");
	keep(2, 20, 0);
	queue_is("s0", "1 EX, 2 waits EX");
	gone(2, 20);
	queue_is("s0", "1 EX");
	unlock(1, 10, 0);
	not_told(2);
	queue_is("s0", "");
}

/* A request that was withdrawn is not answered, however far the answer has come. */
static void test_withdrawn(void **state)
{
	(void)state;
	lock(1, 10, 0);
	told(1, "10:0");
	/* queued in DLM */
	lock(2, 20, 0);
	queue_is("s0", "1 EX, 2 waits EX");
	unlock(2, 20, 0);
	queue_is("s0", "1 EX");
	/* queued here */
	lock(1, 11, 0);
	counts_are(1, 1, 1, 0);
	unlock(1, 11, 0);
	counts_are(1, 1, 0, 0);
	/* granted, and the answer is on its way */
	lock(2, 21, 0);
	queue_is("s0", "1 EX, 2 waits EX");
	unlock(1, 10, 0);
	counts_are(2, 1, 0, 0);
	unlock(2, 21, 0);
	queue_is("s0", "");
	not_told(2);
	/* and asked for again */
	lock(2, 21, 0);
	told(2, "21:0");
}

/* Withdrawn and asked for again in a row, while DLM does not answer. */
static void test_withdrawn_while_it_recovers(void **state)
{
	(void)state;
	lock(1, 10, 0);
	told(1, "10:0");
	fake_calls_wait(dlm, true);
	for (unsigned i = 0; i < 5; i++) {
		keep(2, 20, 0);
		unlock(2, 20, 0);
	}
	keep(2, 20, 0);
	gone(2, 20);
	lock(2, 21, 0);
	unlock(1, 10, 0);
	not_told(2);
	fake_calls_wait(dlm, false);
	told(2, "21:0");
	not_told(2);
	not_told(1);
	queue_is("s0", "2 EX");
}

static void test_orphans_released(void **state)
{
	(void)state;
	keep(1, 10, 0);
	told(1, "10:0");
	keep(1, 10, 5);
	told(1, "10:5");
	keep(1, 10, MLOG_LOCK_MAP);
	told(1, "10:32");
	daemon_die(1);
	daemon_start(1);
	lock(2, 20, 0);
	queue_is("s0", "1 orphan EX, 2 waits EX");
	/* another mirror's */
	locks_dlm_release_orphans(daemon_of[1].locks, &other, 16);
	locks_dlm_release_orphans(daemon_of[1].locks, &mirror, 16);
	told(2, "20:0");
	queue_is("s5", "");
	queue_is("map", "");
	/* those of objects, too, but not what is in use */
	keep(1, 11, 1);
	told(1, "11:1");
	keep(1, 12, 2);
	told(1, "12:2");
	gone(1, 11);
	counts_are(1, 1, 0, 1);
	locks_dlm_release_orphans(daemon_of[1].locks, &mirror, 16);
	queue_is("s1", "");
	queue_is("s2", "1 EX");
	/* and what becomes one when the killed process is gone at last */
	daemon_die(1);
	queue_is("s2", "1 orphan EX");
	daemon_start(1);
	locks_dlm_release_orphans(daemon_of[1].locks, &mirror, 16);
	queue_is("s2", "");
}

static void test_requests_wait_for_the_join(void **state)
{
	(void)state;
	daemon_end(1, false);
	look_set(false, false, "dlm is not there");
	daemon_create(1);
	lock(1, 10, 0);
	lock(1, 11, 1);
	unlock(1, 11, 1);
	not_told(1);
	locks_dlm_join(daemon_of[1].locks, CLUSTER);
	not_told(1);
	assert_false(status_of(1).joined);
	fake_open_fails(dlm, -EUNATCH);
	look_set(true, false, "");
	for (unsigned i = 0; i < 400 && strstr(status_of(1).problem, "cannot join") == NULL; i++)
		poll(NULL, 0, 10);
	assert_non_null(strstr(status_of(1).problem, "dlm_tool status"));
	fake_open_fails(dlm, 0);
	locks_dlm_join(daemon_of[1].locks, CLUSTER);
	told(1, "10:0");
	assert_true(status_of(1).joined);
	assert_string_equal(status_of(1).problem, "");
	queue_is("s1", "");
}

static void test_other_cluster(void **state)
{
	(void)state;
	daemon_end(1, false);
	daemon_create(1);
	locks_dlm_join(daemon_of[1].locks, "another");
	lock(1, 10, 0);
	for (unsigned i = 0; i < 400 && strstr(status_of(1).problem, "cannot join") == NULL; i++)
		poll(NULL, 0, 10);
	assert_non_null(strstr(status_of(1).problem, strerror(EBADR)));
	not_told(1);
}

static void test_status(void **state)
{
	(void)state;
	lock(1, 10, 0);
	told(1, "10:0");
	assert_true(status_of(1).joined);
	assert_true(status_of(1).fencing);
	assert_false(status_of(1).recovering);
	look_set(true, true, "DLM waits");
	for (unsigned i = 0; i < 400 && !status_of(1).recovering; i++)
		poll(NULL, 0, 10);
	assert_true(status_of(1).recovering);
	assert_string_equal(status_of(1).problem, "DLM waits");
}

/* An error is an answer; it may be asked for again. */
static void test_errors(void **state)
{
	(void)state;
	fake_locks_fail(dlm, 1, -ENOMEM);
	lock(1, 10, 0);
	told(1, "10:0=-12");
	lock(1, 10, 0);
	told(1, "10:0");
	counts_are(1, 1, 0, 0);
	/* with another one behind it */
	unlock(1, 10, 0);
	queue_is("s0", "");
	fake_calls_wait(dlm, true);
	fake_locks_fail(dlm, 1, -ENOMEM);
	lock(1, 11, 0);
	lock(1, 12, 0);
	fake_calls_wait(dlm, false);
	told(1, "11:0=-12 12:0"); /* the refusal needs no word from DLM */
}

/* That there is no memory is an answer, too. */
static void test_no_memory(void **state)
{
	(void)state;
	callocs_fail = 2;
	lock(1, 10, 0);
	lock(1, 10, 1);
	told(1, "10:0=-12 10:1=-12");
	callocs_fail = 2;
	lock(1, 10, 0);
	lock(1, 10, 1);
	unlock(1, 10, 0);
	told(1, "10:1=-12");
	callocs_fail = LOCKS_FAILED_MAX + 3;
	for (uint32_t i = 0; i < LOCKS_FAILED_MAX + 3; i++)
		lock(1, 10 + i, 0);
	assert_string_equal(status_of(1).problem,
			    "no memory: 3 requests for locks were lost, restart dlmirrord "
			    "[locks-lost]");
	for (uint32_t i = 1; i < LOCKS_FAILED_MAX; i++)
		gone(1, 10 + i);
	told(1, "10:0=-12");
}

static void test_asks_from_within(void **state)
{
	(void)state;
	daemon_of[1].asks_object = 11;
	daemon_of[1].asks_lock = 7;
	lock(1, 10, 0);
	told(1, "10:0 11:7");
}

/* The end: what is kept becomes an orphan, unless the node leaves; it does not leave with a lock
 * that is to be kept. */
static void test_end(void **state)
{
	(void)state;
	keep(1, 10, 0);
	told(1, "10:0");
	lock(1, 10, 1);
	told(1, "10:1");
	daemon_end(1, true);
	queue_is("s0", "1 orphan EX");
	queue_is("s1", "");
	assert_true(fake_joined(dlm, 1));
	lock(2, 20, 1);
	told(2, "20:1");
	daemon_end(2, true);
	assert_false(fake_joined(dlm, 2));
	queue_is("s1", "");
}

/* It does not wait for DLM for ever. */
static void test_end_while_it_recovers(void **state)
{
	uint64_t from_ms;

	(void)state;
	lock(1, 10, 0);
	told(1, "10:0");
	fake_calls_wait(dlm, true);
	unlock(1, 10, 0);
	from_ms = clock_ms();
	daemon_end(1, false);
	assert_in_range(clock_ms() - from_ms, LOCKS_DLM_END_MS - 100, 3 * LOCKS_DLM_END_MS);
	fake_calls_wait(dlm, false);
	/* what was left alone ends by itself */
	queue_is("s0", "");
	for (unsigned i = 0; i < 1000 && fake_processes(dlm, 1) > 0; i++)
		poll(NULL, 0, 10);
	assert_int_equal(fake_processes(dlm, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_nodes_queue, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_objects_queue, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_killed_daemon, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_orphan_not_kept, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_orphan_turns_up, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_dead_node, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_gone_object, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_forgotten_object, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_gone_object_waits, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_withdrawn, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_withdrawn_while_it_recovers, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_orphans_released, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_requests_wait_for_the_join, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_other_cluster, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_status, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_asks_from_within, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_end, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_end_while_it_recovers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
