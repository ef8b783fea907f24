/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/lockspace on a DLM in memory. What a lock is told is written down: "ok", "EAGAIN", "blocks",
 * "cancelled", "unlocked".
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "lockspace/lockspace.h"
#include "test/unit/fake_dlm.h"

#define NODES 3U
#define NAME  "space"

struct lock {
	struct lockspace_lksb lksb;
	char told[128];
};

static struct fake_dlm *dlm;
static struct lockspace *space[NODES + 1];

static void tell(struct lock *l, const char *text)
{
	size_t at = strlen(l->told);

	snprintf(l->told + at, sizeof(l->told) - at, "%s%s", at > 0 ? " " : "", text);
}

static void on_ast(void *context)
{
	struct lock *l = context;

	switch (l->lksb.status) {
	case 0:
		tell(l, "ok");
		break;
	case -EAGAIN:
		tell(l, "EAGAIN");
		break;
	case -LOCKSPACE_ECANCEL:
		tell(l, "cancelled");
		break;
	case -LOCKSPACE_EUNLOCK:
		tell(l, "unlocked");
		break;
	default:
		tell(l, strerror(-l->lksb.status));
		break;
	}
}

static void on_bast(void *context)
{
	tell(context, "blocks");
}

static void dispatch_all(void)
{
	for (unsigned i = 1; i <= NODES; i++)
		if (space[i] != NULL)
			assert_int_equal(lockspace_dispatch(space[i]), 0);
}

/* l has been told exactly this since the last time. */
static void told(struct lock *l, const char *expected)
{
	dispatch_all();
	assert_string_equal(l->told, expected);
	l->told[0] = '\0';
}

static int ask(unsigned node, struct lock *l, enum lockspace_mode mode, uint32_t flags,
	       const char *name)
{
	return lockspace_lock(space[node], mode, &l->lksb, flags, name, strlen(name), 0, on_ast, l,
			      on_bast);
}

static void lock(unsigned node, struct lock *l, enum lockspace_mode mode, uint32_t flags,
		 const char *name)
{
	assert_int_equal(ask(node, l, mode, flags, name), 0);
}

static void unlock(unsigned node, struct lock *l, uint32_t flags)
{
	assert_int_equal(lockspace_unlock(space[node], l->lksb.id, flags, NULL), 0);
}

static void queue_is(const char *name, const char *expected)
{
	char text[256];

	assert_string_equal(fake_queue(dlm, name, text, sizeof(text)), expected);
}

static void join(unsigned node)
{
	assert_int_equal(lockspace_join(fake_backend(dlm, node), NAME, "cluster", &space[node]), 0);
}

static void leave(unsigned node, enum lockspace_release how, int error)
{
	assert_int_equal(lockspace_release(space[node], how), error);
	space[node] = NULL;
}

static int setup(void **state)
{
	(void)state;
	dlm = fake_create("cluster");
	for (unsigned i = 1; i <= NODES; i++)
		join(i);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= NODES; i++)
		leave(i, LOCKSPACE_CLOSE, 0);
	dlm = fake_destroy(dlm);
	return 0;
}

static void test_join(void **state)
{
	char name[LOCKSPACE_NAME_MAX + 2];
	struct lockspace *ls = NULL;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(lockspace_join(fake_backend(dlm, 1), name, NULL, &ls), -EINVAL);
	assert_int_equal(lockspace_join(fake_backend(dlm, 1), "", NULL, &ls), -EINVAL);
	assert_int_equal(lockspace_join(fake_backend(dlm, 1), NAME, name, &ls), -EINVAL);
	assert_int_equal(lockspace_join(fake_backend(dlm, 1), NAME, "other", &ls), -EBADR);
	fake_open_fails(dlm, -EUNATCH);
	assert_int_equal(lockspace_join(fake_backend(dlm, 1), NAME, NULL, &ls), -EUNATCH);
	fake_open_fails(dlm, 0);
	assert_null(ls);
	assert_int_equal(lockspace_join(fake_backend(dlm, 1), NAME, NULL, &ls), 0);
	assert_int_equal(lockspace_release(ls, LOCKSPACE_CLOSE), 0);
	assert_int_equal(lockspace_release(NULL, LOCKSPACE_CLOSE), 0);
}

static void test_release(void **state)
{
	struct lock a = {0};
	struct lock b = {0};

	(void)state;
	lock(1, &a, LOCKSPACE_EX, LOCKSPACE_PERSISTENT, "a");
	told(&a, "ok");
	lock(2, &b, LOCKSPACE_EX, 0, "a");
	leave(1, LOCKSPACE_LEAVE, -EBUSY); /* the orphan is there still */
	told(&b, "");
	join(1);
	leave(1, LOCKSPACE_DESTROY, 0);
	assert_false(fake_joined(dlm, 1));
	told(&b, "ok");
	leave(2, LOCKSPACE_LEAVE, 0);
	assert_false(fake_joined(dlm, 2));
	join(1);
	join(2);
}

/* Queues, and is told who waits. */
static void test_queue(void **state)
{
	struct lock a = {0};
	struct lock b = {0};
	struct lock c = {0};

	(void)state;
	lock(1, &a, LOCKSPACE_EX, 0, "r");
	told(&a, "ok");
	lock(2, &b, LOCKSPACE_EX, 0, "r");
	told(&a, "blocks");
	lock(3, &c, LOCKSPACE_EX, LOCKSPACE_NOQUEUE, "r");
	told(&c, "EAGAIN");
	queue_is("r", "1 EX, 2 waits EX");
	assert_int_equal(lockspace_unlock(space[3], c.lksb.id, 0, NULL), -EINVAL); /* is gone */
	lock(3, &c, LOCKSPACE_PR, 0, "r");
	unlock(1, &a, 0);
	told(&a, "unlocked");
	told(&b, "ok");
	told(&c, "");
	unlock(2, &b, 0);
	told(&c, "ok");
	queue_is("r", "3 PR");
}

static void test_convert(void **state)
{
	struct lock a = {0};
	struct lock b = {0};

	(void)state;
	lock(1, &a, LOCKSPACE_PR, 0, "r");
	lock(2, &b, LOCKSPACE_PR, 0, "r");
	told(&a, "ok");
	told(&b, "ok");
	lock(1, &a, LOCKSPACE_EX, LOCKSPACE_CONVERT | LOCKSPACE_NOQUEUE, "");
	told(&a, "EAGAIN");
	queue_is("r", "2 PR, 1 PR");
	lock(1, &a, LOCKSPACE_EX, LOCKSPACE_CONVERT, "");
	assert_int_equal(ask(1, &a, LOCKSPACE_EX, LOCKSPACE_CONVERT, ""), -EBUSY);
	assert_int_equal(lockspace_unlock(space[1], a.lksb.id, 0, NULL), -EBUSY);
	unlock(1, &a, LOCKSPACE_CANCEL);
	told(&a, "cancelled");
	queue_is("r", "2 PR, 1 PR");
	lock(1, &a, LOCKSPACE_EX, LOCKSPACE_CONVERT, "");
	queue_is("r", "2 PR, 1 PR waits EX");
	lock(2, &b, LOCKSPACE_NL, LOCKSPACE_CONVERT, "");
	told(&a, "ok");
	queue_is("r", "1 EX, 2 NL");
}

/* A request is withdrawn, whether it has been granted meanwhile or not. */
static void test_withdraw(void **state)
{
	struct lock a = {0};
	struct lock b = {0};

	(void)state;
	lock(1, &a, LOCKSPACE_EX, 0, "r");
	lock(2, &b, LOCKSPACE_EX, 0, "r");
	unlock(2, &b, LOCKSPACE_CANCEL);
	told(&b, "cancelled");
	queue_is("r", "1 EX");
	/* the grant was on its way: there is nothing to cancel */
	lock(2, &b, LOCKSPACE_EX, 0, "r");
	unlock(1, &a, 0);
	unlock(2, &b, LOCKSPACE_CANCEL);
	told(&b, "ok");
	queue_is("r", "2 EX");
	unlock(2, &b, LOCKSPACE_CANCEL);
	told(&b, "");
	unlock(2, &b, 0);
	told(&b, "unlocked");
	/* by force */
	lock(1, &b, LOCKSPACE_EX, 0, "r");
	told(&b, "ok");
	lock(2, &a, LOCKSPACE_EX, 0, "r");
	a.told[0] = '\0';
	unlock(2, &a, LOCKSPACE_FORCE);
	assert_int_equal(lockspace_unlock(space[2], a.lksb.id, LOCKSPACE_FORCE, NULL), -EBUSY);
	told(&a, "unlocked");
	lock(2, &a, LOCKSPACE_EX, 0, "r");
	unlock(1, &b, 0);
	unlock(2, &a, LOCKSPACE_FORCE);
	told(&a, "ok unlocked");
	queue_is("r", "");
}

static void test_orphans(void **state)
{
	struct lock a = {0};
	struct lock b = {0};

	(void)state;
	assert_int_equal(ask(1, &b, LOCKSPACE_EX, LOCKSPACE_ORPHAN, "r"), -ENOENT);
	lock(1, &a, LOCKSPACE_EX, LOCKSPACE_PERSISTENT, "r");
	told(&a, "ok");
	leave(1, LOCKSPACE_CLOSE, 0);
	queue_is("r", "1 orphan EX");
	assert_int_equal(ask(2, &b, LOCKSPACE_EX, LOCKSPACE_ORPHAN, "r"), -ENOENT);
	join(1);
	assert_int_equal(lockspace_timeout_ms(space[1]), -1);
	assert_int_equal(ask(1, &b, LOCKSPACE_PR, LOCKSPACE_ORPHAN, "r"), -EAGAIN);
	lock(1, &b, LOCKSPACE_EX, LOCKSPACE_ORPHAN, "r");
	/* nothing comes from DLM: it is told all the same */
	assert_int_equal(lockspace_timeout_ms(space[1]), 0);
	told(&b, "ok");
	assert_int_equal(lockspace_timeout_ms(space[1]), -1);
	/* adopted without PERSISTENT: does not outlive us any more, until it is converted */
	lock(1, &b, LOCKSPACE_EX, LOCKSPACE_CONVERT | LOCKSPACE_PERSISTENT, "");
	told(&b, "ok");
	leave(1, LOCKSPACE_CLOSE, 0);
	join(1);
	queue_is("r", "1 orphan EX");
	assert_int_equal(lockspace_purge(space[1]), 0);
	queue_is("r", "");
}

static void value_is(const struct lock *l, const char *expected, bool unknown)
{
	assert_string_equal((const char *)l->lksb.value, expected);
	assert_int_equal(l->lksb.value_unknown, unknown);
}

static void value_set(struct lock *l, const char *text)
{
	memset(l->lksb.value, 0, sizeof(l->lksb.value));
	snprintf((char *)l->lksb.value, sizeof(l->lksb.value), "%s", text);
}

static void test_value(void **state)
{
	struct lock a = {0};
	struct lock b = {0};

	(void)state;
	lock(1, &a, LOCKSPACE_PW, LOCKSPACE_VALUE, "r");
	told(&a, "ok");
	value_is(&a, "", false);
	value_set(&a, "one");
	lock(1, &a, LOCKSPACE_PW, LOCKSPACE_CONVERT | LOCKSPACE_VALUE, "");
	told(&a, "ok");
	lock(2, &b, LOCKSPACE_CR, LOCKSPACE_VALUE, "r");
	told(&b, "ok");
	value_is(&b, "one", false);
	/* read again */
	value_set(&a, "two");
	lock(1, &a, LOCKSPACE_PW, LOCKSPACE_CONVERT | LOCKSPACE_VALUE, "");
	value_set(&b, "a reader's does not matter");
	lock(2, &b, LOCKSPACE_CR, LOCKSPACE_CONVERT | LOCKSPACE_VALUE, "");
	told(&b, "ok");
	value_is(&b, "two", false);
	/* the writer dies; who has a lock knows that it may not be the last one */
	fake_node_dies(dlm, 1);
	leave(1, LOCKSPACE_CLOSE, 0);
	fake_recover(dlm);
	lock(2, &b, LOCKSPACE_PW, LOCKSPACE_CONVERT | LOCKSPACE_VALUE, "");
	told(&b, "ok");
	value_is(&b, "two", true);
	value_set(&b, "three");
	lock(2, &b, LOCKSPACE_CR, LOCKSPACE_CONVERT | LOCKSPACE_VALUE, "");
	told(&b, "ok");
	lock(2, &b, LOCKSPACE_CR, LOCKSPACE_CONVERT | LOCKSPACE_VALUE, "");
	told(&b, "ok");
	value_is(&b, "three", false);
	join(1);
}

/* Who only waits when the writer dies is told a value that nobody wrote. */
static void test_value_lost(void **state)
{
	struct lock a = {0};
	struct lock b = {0};

	(void)state;
	lock(1, &a, LOCKSPACE_EX, LOCKSPACE_VALUE, "r");
	value_set(&a, "one");
	told(&a, "ok");
	value_set(&a, "one");
	lock(1, &a, LOCKSPACE_EX, LOCKSPACE_CONVERT | LOCKSPACE_VALUE, "");
	lock(2, &b, LOCKSPACE_EX, LOCKSPACE_VALUE, "r");
	fake_node_dies(dlm, 1);
	leave(1, LOCKSPACE_CLOSE, 0);
	fake_recover(dlm);
	told(&b, "ok");
	value_is(&b, "", false);
	join(1);
}

static void test_parents(void **state)
{
	struct lock a = {0};
	struct lock b = {0};

	(void)state;
	lock(1, &a, LOCKSPACE_CR, 0, "r");
	assert_int_equal(lockspace_lock(space[1], LOCKSPACE_EX, &b.lksb, 0, "r.1", 3, a.lksb.id,
					on_ast, &b, NULL),
			 -EINVAL); /* not granted yet, as far as we have been told */
	told(&a, "ok");
	assert_int_equal(lockspace_lock(space[1], LOCKSPACE_EX, &b.lksb, 0, "r.1", 3, a.lksb.id,
					on_ast, &b, NULL),
			 0);
	told(&b, "ok");
	assert_int_equal(lockspace_unlock(space[1], a.lksb.id, 0, NULL), -ENOTEMPTY);
	assert_int_equal(lockspace_unlock(space[1], a.lksb.id, LOCKSPACE_FORCE, NULL), -ENOTEMPTY);
	unlock(1, &b, 0);
	told(&b, "unlocked");
	unlock(1, &a, 0);
	told(&a, "unlocked");
}

static void test_errors(void **state)
{
	char name[LOCKSPACE_RESOURCE_MAX + 1];
	struct lock a = {0};

	(void)state;
	memset(name, 'x', sizeof(name));
	assert_int_equal(lockspace_lock(space[1], LOCKSPACE_EX, &a.lksb, 0, name, sizeof(name), 0,
					on_ast, &a, NULL),
			 -EINVAL);
	assert_int_equal(ask(1, &a, LOCKSPACE_EX, 0, ""), -EINVAL);
	assert_int_equal(ask(1, &a, (enum lockspace_mode)6, 0, "r"), -EINVAL);
	assert_int_equal(ask(1, &a, LOCKSPACE_EX, LOCKSPACE_FORCE, "r"), -EINVAL);
	assert_int_equal(ask(1, &a, LOCKSPACE_EX, LOCKSPACE_CONVERT, ""), -EINVAL);
	assert_int_equal(
	    lockspace_lock(space[1], LOCKSPACE_EX, &a.lksb, 0, "r", 1, 77, on_ast, &a, NULL),
	    -EINVAL);
	assert_int_equal(
	    lockspace_lock(space[1], LOCKSPACE_EX, &a.lksb, 0, "r", 1, 0, NULL, &a, NULL), -EINVAL);
	assert_int_equal(lockspace_unlock(space[1], 77, 0, NULL), -EINVAL);
	fake_locks_fail(dlm, 1, -ENOMEM);
	assert_int_equal(ask(1, &a, LOCKSPACE_EX, 0, "r"), -ENOMEM);
	lock(1, &a, LOCKSPACE_EX, 0, "r");
	told(&a, "ok");
	assert_int_equal(lockspace_unlock(space[1], a.lksb.id, LOCKSPACE_VALUE, NULL), -EINVAL);
	fake_processes_die(dlm, 1);
	assert_int_equal(ask(1, &a, LOCKSPACE_EX, 0, "s"), -ENOTCONN);
	assert_int_equal(lockspace_unlock(space[1], a.lksb.id, 0, NULL), -ENOTCONN);
	assert_int_equal(lockspace_dispatch(space[1]), -ENOTCONN);
	assert_string_equal(a.told, "");
}

static void test_fd(void **state)
{
	struct lock a = {0};
	struct pollfd fd = {.fd = lockspace_fd(space[1]), .events = POLLIN};

	(void)state;
	assert_int_equal(poll(&fd, 1, 0), 0);
	lock(1, &a, LOCKSPACE_EX, 0, "r");
	assert_int_equal(poll(&fd, 1, 0), 1);
	told(&a, "ok");
	assert_int_equal(poll(&fd, 1, 0), 0);
}

/* ---- recovery: what each node is told, as "prep", "dead NODE=SLOT", "done NODE=SLOT...: ours" */

static char points[NODES + 1][256];

static void point(unsigned node, const char *format, ...)
{
	size_t at = strlen(points[node]);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(points[node] + at, sizeof(points[node]) - at, format, arguments);
	va_end(arguments);
}

static unsigned node_of(const void *context)
{
	return (unsigned)(uintptr_t)context;
}

static void on_prep(void *context)
{
	point(node_of(context), "prep. ");
}

static void on_slot(void *context, const struct lockspace_slot *slot)
{
	point(node_of(context), "dead %u=%u. ", slot->node, slot->slot);
}

static void on_done(void *context, const struct lockspace_slot *slots, uint32_t count,
		    uint32_t our_slot, uint32_t generation)
{
	static uint32_t last[NODES + 1];

	point(node_of(context), "done");
	for (uint32_t i = 0; i < count; i++)
		point(node_of(context), " %u=%u", slots[i].node, slots[i].slot);
	point(node_of(context), ": %u. ", our_slot);
	assert_true(generation == 1 || generation == last[node_of(context)] + 1);
	last[node_of(context)] = generation;
}

static const struct lockspace_ops ops = {on_prep, on_slot, on_done};

/* Long enough for what is tried again. */
static void settle(void)
{
	for (unsigned i = 0; i < 60; i++) {
		dispatch_all();
		poll(NULL, 0, 10);
	}
}

static void told_points(unsigned node, const char *expected)
{
	assert_string_equal(points[node], expected);
	points[node][0] = '\0';
}

static void member(unsigned node)
{
	assert_int_equal(lockspace_recovery(space[node], node, &ops, (void *)(uintptr_t)node), 0);
}

static void view(unsigned node, uint32_t count, ...)
{
	uint32_t nodes[NODES];
	va_list arguments;

	va_start(arguments, count);
	for (uint32_t i = 0; i < count; i++)
		nodes[i] = va_arg(arguments, unsigned);
	va_end(arguments);
	assert_int_equal(lockspace_view(space[node], nodes, count), 0);
}

static int setup_members(void **state)
{
	setup(state);
	memset(points, 0, sizeof(points));
	for (unsigned node = 1; node <= NODES; node++) {
		member(node);
		settle(); /* so that they have numbers in this order */
	}
	for (unsigned node = 1; node <= NODES; node++) {
		told_points(node, "");
		view(node, 3, 1, 2, 3);
	}
	settle();
	for (unsigned node = 1; node <= NODES; node++) {
		char expected[64];

		snprintf(expected, sizeof(expected), "done 1=1 2=2 3=3: %u. ", node);
		told_points(node, expected);
	}
	assert_int_equal(lockspace_timeout_ms(space[1]), -1);
	return 0;
}

static void test_recovery(void **state)
{
	(void)state;
	fake_node_dies(dlm, 3);
	leave(3, LOCKSPACE_CLOSE, 0);
	view(1, 2, 1, 2);
	view(2, 2, 1, 2);
	settle();
	told_points(1, "prep. ");
	assert_true(lockspace_timeout_ms(space[1]) >= 0);
	fake_recover(dlm);
	settle();
	told_points(1, "dead 3=3. done 1=1 2=2: 1. ");
	told_points(2, "prep. dead 3=3. done 1=1 2=2: 2. ");
	/* it comes back, and is given a number that is free */
	join(3);
	member(3);
	view(3, 3, 1, 2, 3);
	view(1, 3, 1, 2, 3);
	settle();
	told_points(1, "done 1=1 2=2 3=3: 1. ");
	told_points(3, "done 1=1 2=2 3=3: 3. ");
}

/* Its process is dead, not the node: nothing is proved until the next one is there. */
static void test_recovery_of_a_process(void **state)
{
	(void)state;
	leave(1, LOCKSPACE_CLOSE, 0);
	view(2, 2, 2, 3);
	settle();
	told_points(2, "prep. ");
	queue_is("member-1", "1 orphan PW, 3 CR, 2 CR waits PR");
	join(1);
	member(1);
	view(1, 3, 1, 2, 3);
	view(2, 3, 1, 2, 3);
	settle();
	told_points(2, "done 1=1 2=2 3=3: 2. ");
	told_points(1, "done 1=1 2=2 3=3: 1. ");
}

/* Who leaves in order is not dead. */
static void test_recovery_of_who_leaves(void **state)
{
	(void)state;
	leave(2, LOCKSPACE_DESTROY, 0);
	view(1, 2, 1, 3);
	view(3, 2, 1, 3);
	settle();
	told_points(1, "prep. done 1=1 3=3: 1. ");
	told_points(3, "prep. done 1=1 3=3: 3. ");
	join(2);
}

/* It died and was back before this node looked: its value says that it is another boot. */
static void test_recovery_seen_late(void **state)
{
	(void)state;
	fake_node_dies(dlm, 3);
	leave(3, LOCKSPACE_CLOSE, 0);
	fake_recover(dlm);
	join(3);
	member(3);
	for (unsigned i = 0; i < 60; i++) { /* nobody else looks */
		assert_int_equal(lockspace_dispatch(space[3]), 0);
		poll(NULL, 0, 10);
	}
	view(1, 2, 1, 2);
	settle();
	view(1, 3, 1, 2, 3);
	settle();
	told_points(1, "prep. dead 3=3. done 1=1 2=2 3=3: 1. ");
}

/* A node that is in the view and was never in the lockspace proves nothing by going. */
static void test_recovery_of_who_never_joined(void **state)
{
	(void)state;
	memset(points, 0, sizeof(points));
	member(1);
	view(1, 2, 1, 3);
	settle();
	told_points(1, ""); /* waits for its number */
	queue_is("member-3", "1 CR");
	view(1, 1, 1);
	settle();
	told_points(1, "prep. done 1=1: 1. ");
	queue_is("member-3", "");
}

static void test_recovery_errors(void **state)
{
	const uint32_t others[] = {2, 3};
	const uint32_t none[] = {1, 0};
	uint32_t many[LOCKSPACE_MEMBERS_MAX + 1];

	(void)state;
	assert_int_equal(lockspace_view(space[1], others, 2), -EINVAL);
	assert_int_equal(lockspace_view(space[1], none, 2), -EINVAL);
	for (uint32_t i = 0; i <= LOCKSPACE_MEMBERS_MAX; i++)
		many[i] = i + 1;
	assert_int_equal(lockspace_view(space[1], many, LOCKSPACE_MEMBERS_MAX + 1), -EINVAL);
	assert_int_equal(lockspace_recovery(space[1], 1, &ops, NULL), -EINVAL);
	settle();
	told_points(1, "");
	leave(1, LOCKSPACE_CLOSE, 0);
	join(1);
	assert_int_equal(lockspace_recovery(space[1], 0, &ops, NULL), -EINVAL);
	assert_int_equal(lockspace_view(space[1], many, 1), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_join, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_release, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_queue, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_convert, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_withdraw, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_orphans, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_value, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_value_lost, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_parents, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_fd, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_recovery, setup_members, teardown),
	    cmocka_unit_test_setup_teardown(test_recovery_of_a_process, setup_members, teardown),
	    cmocka_unit_test_setup_teardown(test_recovery_of_who_leaves, setup_members, teardown),
	    cmocka_unit_test_setup_teardown(test_recovery_seen_late, setup_members, teardown),
	    cmocka_unit_test_setup_teardown(test_recovery_of_who_never_joined, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_recovery_errors, setup_members, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
