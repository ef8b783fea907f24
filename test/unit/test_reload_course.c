/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a reload goes on several nodes: as stories, and in a world where everything that can come
 * between does. A node's device has a table and is suspended or not; whatever happens, no node may
 * have the new table in use while another has the old one.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemons/dlmirrord/reload_course.h"

#define NODES	3U
#define QUEUE	256U
#define TRACE	1024U
#define SEEDS	40000U
#define STEPS	60U
#define PATIENT 2000U

struct item {
	bool is_view;
	bool quorate;
	bool joined; /* a core's JOIN */
	uint32_t members;
	struct group_reload message;
};

struct device {
	bool has_mirror;
	bool fresh; /* the new table is in force */
	bool loaded;
	bool suspended;
};

struct node {
	bool daemon;
	bool knows; /* its course is there */
	bool quorate;
	uint32_t view; /* the last */
	struct course course;
	enum course_note note;
	uint32_t parts; /* of the note */
	struct device device;
	enum course_work work;
	enum group_reload_answer answer; /* to what it does next; YES in the end */
	uint32_t component;
};

/* Components of nodes that hear each other, each with its own order. */
struct world {
	struct node node[NODES + 1];
	struct item queue[NODES + 1][QUEUE]; /* 0, and one for each that is cut off */
	unsigned first[NODES + 1];
	unsigned count[NODES + 1];
	char trace[TRACE];
	uint64_t random;
};

static const struct group_task_id the_id = {.node = 1, .number = 77};

static struct world world;

static void trace(const char *what, uint32_t node)
{
	size_t used = strlen(world.trace);

	if (used + 32 < TRACE)
		snprintf(world.trace + used, TRACE - used, "%s%s%" PRIu32, used > 0 ? " " : "",
			 what, node);
}

static void told(const char *expected)
{
	assert_string_equal(world.trace, expected);
	world.trace[0] = '\0';
}

static uint32_t members_of(uint32_t component)
{
	uint32_t mask = 0;

	for (uint32_t i = 1; i <= NODES; i++)
		if (world.node[i].daemon && world.node[i].component == component)
			mask |= UINT32_C(1) << i;
	return mask;
}

/* Of the machines, whose corosync is there without our daemon too. */
static bool quorate(uint32_t component)
{
	uint32_t machines = 0;

	for (uint32_t i = 1; i <= NODES; i++)
		machines += world.node[i].component == component;
	return 2 * machines > NODES;
}

static struct item *queue_add(uint32_t component)
{
	struct item *item;

	assert_true(world.count[component] < QUEUE);
	item = &world.queue[component][(world.first[component] + world.count[component]++) % QUEUE];
	memset(item, 0, sizeof(*item));
	return item;
}

static void view_add(uint32_t component)
{
	struct item *item = queue_add(component);

	item->is_view = true;
	item->members = members_of(component);
	item->quorate = quorate(component);
}

static void check(void)
{
	bool old_in_use = false;
	bool new_in_use = false;

	for (uint32_t i = 1; i <= NODES; i++) {
		const struct device *device = &world.node[i].device;

		if (!device->has_mirror || device->suspended)
			continue;
		old_in_use = old_in_use || !device->fresh;
		new_in_use = new_in_use || device->fresh;
	}
	assert_false(old_in_use && new_in_use);
}

static void obey(uint32_t number, const struct course_orders *orders)
{
	struct node *n = &world.node[number];

	n->note = course_note(&n->course);
	n->parts = 0;
	for (uint32_t i = 0; i < n->course.count; i++)
		if (n->course.node[i].part || !n->course.node[i].voted)
			n->parts |= UINT32_C(1) << n->course.node[i].node;
	for (unsigned i = 0; i < orders->count && n->quorate; i++) {
		struct item *item = queue_add(n->component);

		item->message = (struct group_reload){.step = orders->say[i].step,
						      .from = number,
						      .id = the_id,
						      .answer = orders->say[i].answer};
		snprintf(item->message.text, sizeof(item->message.text), "%s", orders->say[i].text);
	}
	if (orders->work != COURSE_NOTHING) {
		static const char *const name[] = {
		    [COURSE_PREPARE] = "prepare",
		    [COURSE_SUSPEND] = "suspend",
		    [COURSE_RESUME] = "resume",
		    [COURSE_UNDO] = "undo",
		};

		assert_int_equal(n->work, COURSE_NOTHING);
		n->work = orders->work;
		trace(name[orders->work], number);
	}
}

static void deliver_to(uint32_t number, const struct item *item)
{
	struct node *n = &world.node[number];
	struct course_orders orders;
	uint32_t node[NODES];
	uint32_t count = 0;

	for (uint32_t i = 1; i <= NODES; i++)
		if ((item->members >> i & 1) != 0)
			node[count++] = i;
	if (item->is_view) {
		n->quorate = item->quorate;
		n->view = item->members;
	}
	if (item->message.step == GROUP_RELOAD_PLAN && !item->is_view && !n->knows) {
		for (uint32_t i = 1; i <= NODES; i++)
			if ((n->view >> i & 1) != 0)
				node[count++] = i;
		n->knows = true;
		/* Who has left without a word may be writing: the core says so. */
		for (uint32_t i = 1; i <= NODES; i++)
			if (world.node[i].device.has_mirror && (n->view >> i & 1) == 0)
				n->answer = GROUP_RELOAD_NO;
		course_begin(&n->course, the_id, number, node, count, &orders);
		n->course.held = !n->quorate;
		obey(number, &orders);
		return;
	}
	if (!n->knows) {
		if (item->message.step == GROUP_RELOAD_ASK && item->message.from != number) {
			struct item *tell = queue_add(n->component);

			tell->message = (struct group_reload){.step = GROUP_RELOAD_TELL,
							      .from = number,
							      .id = the_id,
							      .answer = GROUP_RELOAD_NONE};
		}
		return;
	}
	if (item->is_view)
		course_view(&n->course, node, count, n->quorate, &orders);
	else if (item->joined)
		course_joined(&n->course, item->message.from, &orders);
	else
		course_message(&n->course, &item->message, &orders);
	obey(number, &orders);
}

static struct item take(uint32_t component)
{
	struct item item = world.queue[component][world.first[component]];

	assert_true(world.count[component] > 0);
	world.first[component] = (world.first[component] + 1) % QUEUE;
	world.count[component]--;
	return item;
}

static void deliver(uint32_t component)
{
	struct item item = take(component);

	for (uint32_t i = 1; i <= NODES; i++)
		if (world.node[i].daemon && world.node[i].component == component)
			deliver_to(i, &item);
	check();
}

static void device_does(struct device *device, enum course_work work)
{
	switch (work) {
	case COURSE_PREPARE:
		device->loaded = true;
		break;
	case COURSE_SUSPEND:
		device->suspended = true;
		break;
	case COURSE_RESUME:
		device->fresh = device->fresh || device->loaded;
		device->loaded = false;
		device->suspended = false;
		break;
	case COURSE_UNDO:
		device->loaded = false;
		device->suspended = false;
		break;
	case COURSE_NOTHING:
		break;
	}
}

static void work_ends(uint32_t number)
{
	struct node *n = &world.node[number];
	enum group_reload_answer answer = n->answer;
	struct course_orders orders;
	enum course_work work = n->work;

	if (work == COURSE_NOTHING)
		return;
	if (work == COURSE_PREPARE && !n->device.has_mirror)
		answer = GROUP_RELOAD_NONE;
	n->answer = GROUP_RELOAD_YES;
	n->work = COURSE_NOTHING;
	if (answer == GROUP_RELOAD_YES)
		device_does(&n->device, work);
	course_did(&n->course, answer, answer == GROUP_RELOAD_NO ? "it cannot" : "", &orders);
	obey(number, &orders);
	check();
}

static void settle(void)
{
	bool again = true;

	for (unsigned i = 0; again; i++) {
		assert_true(i < PATIENT);
		again = false;
		for (uint32_t c = 0; c <= NODES; c++)
			for (; world.count[c] > 0; again = true)
				deliver(c);
		for (uint32_t n = 1; n <= NODES; n++) {
			again = again || world.node[n].work != COURSE_NOTHING;
			work_ends(n);
		}
	}
}

static void delivered(void)
{
	while (world.count[0] > 0)
		deliver(0);
}

static void world_make(uint64_t seed)
{
	memset(&world, 0, sizeof(world));
	world.random = seed;
	for (uint32_t i = 1; i <= NODES; i++) {
		world.node[i].daemon = true;
		world.node[i].quorate = true;
		world.node[i].answer = GROUP_RELOAD_YES;
		world.node[i].device.has_mirror = true;
	}
	for (uint32_t i = 1; i <= NODES; i++)
		world.node[i].view = members_of(0);
}

static void plan_comes(void)
{
	struct item *item = queue_add(0);

	item->message =
	    (struct group_reload){.step = GROUP_RELOAD_PLAN, .from = the_id.node, .id = the_id};
}

static void message_comes(uint32_t from, enum group_reload_step step)
{
	struct item *item = queue_add(world.node[from].component);

	item->message = (struct group_reload){.step = step, .from = from, .id = the_id};
}

static void daemon_dies(uint32_t number)
{
	struct node *n = &world.node[number];

	n->daemon = false;
	n->knows = false;
	n->work = COURSE_NOTHING;
	view_add(n->component);
}

static void daemon_starts(uint32_t number)
{
	struct node *n = &world.node[number];
	struct course_orders orders;
	uint32_t node[NODES];
	uint32_t count = 0;

	n->daemon = true;
	n->quorate = false; /* before its first view */
	for (uint32_t i = 1; i <= NODES; i++)
		if ((n->parts >> i & 1) != 0)
			node[count++] = i;
	if (n->note != COURSE_NOTE_NONE) {
		n->knows = true;
		course_recover(&n->course, the_id, number, node, count, n->note, &orders);
		obey(number, &orders);
	}
	view_add(n->component);
}

static bool all_have(bool fresh)
{
	for (uint32_t i = 1; i <= NODES; i++) {
		const struct device *device = &world.node[i].device;

		if (device->has_mirror &&
		    (device->suspended || device->loaded || device->fresh != fresh))
			return false;
	}
	return true;
}

/* Nobody waits for anything: else the next one could not begin. */
static bool all_over(void)
{
	for (uint32_t i = 1; i <= NODES; i++)
		if (world.node[i].knows && world.node[i].course.phase != COURSE_OVER)
			return false;
	return true;
}

/* The part of the network that number is in loses it, or gets it back. What was on its way, each
 * side is given as far as it came there; behind that a side hears itself alone. */
static void component_split(uint32_t number, uint32_t to, unsigned own, unsigned others)
{
	uint32_t from = world.node[number].component;
	static struct item pending[QUEUE];
	static struct item kept[2 * QUEUE];
	unsigned kept_count = 0;
	unsigned count = 0;

	while (world.count[from] > 0)
		pending[count++] = take(from);
	for (unsigned i = 0; i < own && world.node[number].daemon; i++)
		deliver_to(number, &pending[i]);
	for (unsigned i = 0; i < others; i++)
		for (uint32_t k = 1; k <= NODES; k++)
			if (k != number && world.node[k].component == from && world.node[k].daemon)
				deliver_to(k, &pending[i]);
	/* What those who stay together say comes after; what the other side says, never. */
	for (unsigned i = others; i < count; i++)
		kept[kept_count++] = pending[i];
	while (world.count[from] > 0)
		kept[kept_count++] = take(from);
	world.node[number].component = to;
	view_add(to);
	/* Who has left the ring knows it before anything else. */
	while (world.count[to] > 0)
		deliver(to);
	for (unsigned i = 0; i < kept_count; i++) {
		kept[i].members &= ~(UINT32_C(1) << number);
		kept[i].quorate = quorate(from);
		if (kept[i].is_view || kept[i].message.from != number)
			*queue_add(from) = kept[i];
	}
	view_add(from);
	check();
}

/* All have loaded the table, and have not heard it of each other. */
static void prepared(void)
{
	plan_comes();
	delivered();
	for (uint32_t i = 1; i <= NODES; i++)
		work_ends(i);
}

/* ---- stories */

static void all_change_the_table_in_step(void **state)
{
	(void)state;
	world_make(1);
	plan_comes();
	delivered();
	told("prepare1 prepare2 prepare3");
	work_ends(1);
	work_ends(2);
	delivered();
	told("");
	work_ends(3);
	delivered();
	told("suspend1 suspend2 suspend3");
	work_ends(3);
	work_ends(1);
	delivered();
	told("");
	work_ends(2);
	delivered();
	told("resume1 resume2 resume3");
	settle();
	assert_true(all_have(true));
	assert_int_equal(world.node[2].course.phase, COURSE_OVER);
	assert_int_equal(world.node[2].note, COURSE_NOTE_YES);
}

static void who_does_not_have_it_is_not_waited_for(void **state)
{
	(void)state;
	world_make(1);
	world.node[2].device.has_mirror = false;
	plan_comes();
	settle();
	told("prepare1 prepare2 prepare3 suspend1 suspend3 resume1 resume3");
	assert_true(all_have(true));
	assert_int_equal(world.node[2].course.phase, COURSE_OVER);
}

static void one_that_cannot_stops_all(void **state)
{
	(void)state;
	world_make(1);
	world.node[3].answer = GROUP_RELOAD_NO;
	plan_comes();
	settle();
	told("prepare1 prepare2 prepare3 undo1 undo2");
	assert_true(all_have(false));
	assert_string_equal(world.node[1].course.why, "node 3: it cannot");
	assert_int_equal(world.node[1].course.phase, COURSE_OVER);
	assert_int_equal(world.node[3].course.phase, COURSE_OVER);
}

static void one_that_cannot_suspend_stops_all(void **state)
{
	(void)state;
	world_make(1);
	prepared();
	delivered();
	world.node[2].answer = GROUP_RELOAD_NO;
	settle();
	assert_true(all_have(false));
	assert_string_equal(world.node[1].course.why, "node 2: it cannot");
}

/* Until all have said that they are suspended, one that has left may be writing. */
static void who_leaves_before_all_are_suspended_ends_it(void **state)
{
	(void)state;
	world_make(1);
	prepared();
	delivered();
	work_ends(1);
	work_ends(2);
	delivered();
	world.trace[0] = '\0';
	daemon_dies(3);
	delivered();
	told("undo1 undo2");
	settle();
	daemon_starts(3);
	told("undo3"); /* unasked: it had not said that it was suspended */
	settle();
	assert_true(all_have(false));
}

static void suspended(void)
{
	prepared();
	delivered();
	for (uint32_t i = 1; i <= NODES; i++)
		work_ends(i);
	world.trace[0] = '\0';
}

static void who_leaves_behind_that_asks_what_has_become_of_it(void **state)
{
	(void)state;
	world_make(1);
	suspended();
	daemon_dies(3); /* its SUSPENDED is on its way */
	delivered();
	told("resume1 resume2");
	settle();
	assert_true(world.node[3].device.suspended);
	daemon_starts(3);
	told("");
	settle();
	told("resume3");
	assert_true(all_have(true));
}

static void all_daemons_die_at_once(void **state)
{
	(void)state;
	world_make(1);
	suspended();
	world.count[0] = 0; /* nobody has heard anybody */
	for (uint32_t i = 1; i <= NODES; i++)
		daemon_dies(i);
	world.count[0] = 0;
	daemon_starts(1);
	daemon_starts(2);
	settle();
	told("");
	assert_true(world.node[1].device.suspended && world.node[2].device.suspended);
	daemon_starts(3);
	settle();
	assert_true(all_have(false));
}

static void a_node_that_joins_ends_it(void **state)
{
	struct item *item;

	(void)state;
	world_make(1);
	prepared();
	item = queue_add(0);
	item->joined = true;
	item->message.from = 9;
	settle();
	assert_true(all_have(false));
	assert_string_equal(world.node[2].course.why, "node 9 has resumed or made it meanwhile");
}

static void it_is_cancelled(void **state)
{
	(void)state;
	world_make(1);
	prepared();
	delivered();
	work_ends(1); /* the others take long */
	message_comes(1, GROUP_RELOAD_CANCEL);
	settle();
	assert_true(all_have(false));
	/* too late */
	world_make(1);
	suspended();
	message_comes(1, GROUP_RELOAD_CANCEL);
	settle();
	assert_true(all_have(true));
}

/* What was heard on the side without quorum only does not count, and one of that side cannot know. */
static void a_cancel_that_one_side_only_has_heard(void **state)
{
	(void)state;
	world_make(1);
	prepared();
	delivered();
	work_ends(1);
	delivered();
	message_comes(1, GROUP_RELOAD_CANCEL);
	work_ends(2);
	work_ends(3);
	world.trace[0] = '\0';
	component_split(1, 1, 1, 0);
	delivered();
	told("resume2 resume3");
	settle();
	assert_true(world.node[1].device.suspended);
	component_split(1, 0, 0, 0);
	settle();
	told("resume1");
	assert_true(all_have(true));
}

/* Who was rebooted has forgotten whether it had gone on. */
static void one_that_may_have_gone_on_has_forgotten(void **state)
{
	(void)state;
	world_make(1);
	suspended();
	world.count[0] = 0;
	for (uint32_t i = 1; i <= NODES; i++)
		daemon_dies(i);
	world.count[0] = 0;
	world.node[3].note = COURSE_NOTE_NONE;
	world.node[3].device.has_mirror = false;
	for (uint32_t i = 1; i <= NODES; i++)
		daemon_starts(i);
	settle();
	assert_true(world.node[1].device.suspended && world.node[2].device.suspended);
}

static void status_says_who_is_waited_for(void **state)
{
	char text[128];

	(void)state;
	world_make(1);
	plan_comes();
	delivered();
	work_ends(1);
	delivered();
	course_waits(&world.node[1].course, text, sizeof(text));
	assert_string_equal(text, "waits for node 2 to load the new table");
	work_ends(2);
	work_ends(3);
	delivered();
	work_ends(1);
	work_ends(2);
	delivered();
	course_waits(&world.node[2].course, text, sizeof(text));
	assert_string_equal(text, "waits for node 3 to suspend");
	assert_string_equal(course_node_state(&world.node[2].course, &world.node[2].course.node[0]),
			    "is suspended");
	settle();
	course_waits(&world.node[2].course, text, sizeof(text));
	assert_string_equal(text, "");
}

/* ---- everything at once */

static uint32_t draw(uint32_t below)
{
	world.random ^= world.random << 13;
	world.random ^= world.random >> 7;
	world.random ^= world.random << 17;
	return (uint32_t)(world.random >> 20) % below;
}

static void component_change(uint32_t number, uint32_t to)
{
	unsigned count = world.count[world.node[number].component];

	while (world.count[to] > 0)
		deliver(to);
	component_split(number, to, draw(count + 1), draw(count + 1));
}

static void something_happens(void)
{
	uint32_t number = 1 + draw(NODES);
	struct node *n = &world.node[number];

	switch (draw(40)) {
	case 0:
		if (n->daemon) {
			enum course_work work = n->work;

			daemon_dies(number);
			if (draw(2) == 0)
				device_does(&n->device, work);
		}
		break;
	case 1:
		if (!n->daemon)
			daemon_starts(number);
		break;
	case 2:
		if (n->component == 0)
			component_change(number, number);
		break;
	case 3:
		if (n->component != 0)
			component_change(number, 0);
		break;
	case 4:
		if (draw(8) == 0)
			n->answer = GROUP_RELOAD_NO;
		break;
	case 5:
		if (n->daemon && n->quorate)
			message_comes(number, GROUP_RELOAD_CANCEL);
		break;
	default:
		if (draw(2) == 0 && world.count[n->component] > 0)
			deliver(n->component);
		else if (n->work == COURSE_PREPARE || n->work == COURSE_SUSPEND ||
			 n->answer == GROUP_RELOAD_YES)
			work_ends(number);
		break;
	}
	check();
}

static void all_comes_back(void)
{
	for (uint32_t i = 1; i <= NODES; i++) {
		world.node[i].answer = GROUP_RELOAD_YES;
		if (world.node[i].component != 0)
			component_change(i, 0);
	}
	settle();
	for (uint32_t i = 1; i <= NODES; i++)
		if (!world.node[i].daemon)
			daemon_starts(i);
	settle();
	/* all hear of all */
	view_add(0);
	settle();
}

static void no_two_tables_are_ever_in_use(void **state)
{
	unsigned fresh = 0;
	unsigned old = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		world_make(seed * UINT64_C(0x9e3779b97f4a7c15));
		plan_comes();
		if (draw(4) != 0)
			delivered();
		for (unsigned i = 0; i < STEPS; i++)
			something_happens();
		all_comes_back();
		if (!all_have(true) && !all_have(false)) {
			print_error("seed %" PRIu64 ": %s\n", seed, world.trace);
			fail_msg("a node is left behind");
		}
		if (!all_over()) {
			print_error("seed %" PRIu64 ": %s\n", seed, world.trace);
			fail_msg("it does not end");
		}
		fresh += all_have(true);
		old += all_have(false);
	}
	/* It is a test of both ways. */
	assert_true(fresh > SEEDS / 50 && old > SEEDS / 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_change_the_table_in_step),
	    cmocka_unit_test(who_does_not_have_it_is_not_waited_for),
	    cmocka_unit_test(one_that_cannot_stops_all),
	    cmocka_unit_test(one_that_cannot_suspend_stops_all),
	    cmocka_unit_test(who_leaves_before_all_are_suspended_ends_it),
	    cmocka_unit_test(who_leaves_behind_that_asks_what_has_become_of_it),
	    cmocka_unit_test(all_daemons_die_at_once),
	    cmocka_unit_test(a_node_that_joins_ends_it),
	    cmocka_unit_test(it_is_cancelled),
	    cmocka_unit_test(a_cancel_that_one_side_only_has_heard),
	    cmocka_unit_test(one_that_may_have_gone_on_has_forgotten),
	    cmocka_unit_test(status_says_who_is_waited_for),
	    cmocka_unit_test(no_two_tables_are_ever_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
