/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pump, and the group and locks of a node that is alone. The core is played by the test: it
 * says which effects each step has, and writes down what it is given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemons/dlmirrord/group_local.h"
#include "daemons/dlmirrord/locks_local.h"
#include "daemons/dlmirrord/pump.h"

#define STEPS	   8U
#define SCRIPT_MAX 64U

struct mlog {
	struct mlog_effect script[STEPS][SCRIPT_MAX]; /* effects of the steps to come */
	unsigned count[STEPS];
	unsigned steps;
	unsigned given;	  /* effects of the last step */
	bool within;	  /* a step */
	char story[4096]; /* what happened, in order */
	uint64_t now_ms;
	const struct pump *pump;
	struct mlog_message *sent; /* two: their memory is used again in the next step */
	unsigned messages;	   /* as delivered */
	uint64_t sum;
};

static struct mlog world;
static struct pump_queue queue;

static void __attribute__((format(printf, 1, 2))) tell(const char *format, ...)
{
	size_t used = strlen(world.story);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(world.story + used, sizeof(world.story) - used, format, arguments);
	va_end(arguments);
}

void mlog_step(struct mlog *m, const struct mlog_event *event)
{
	assert_ptr_equal(m, &world);
	assert_int_equal(event->now_ms, m->now_ms);
	/* all effects of the last step have been taken; those behind the script have none */
	if (m->steps > 0 && m->steps <= STEPS)
		assert_int_equal(m->given, m->count[m->steps - 1]);
	m->given = 0;
	if (m->steps++ > 0 && m->sent != NULL)
		memset(m->sent, 0, 2 * sizeof(*m->sent));
	switch (event->kind) {
	case MLOG_EV_VIEW:
		assert_int_equal(event->view.count, 1);
		assert_true(event->view.quorate);
		tell("view %u ", event->view.node[0]);
		break;
	case MLOG_EV_MESSAGE:
		m->messages++;
		m->sum += event->message->claim.item[0];
		tell("message %d,%d ", (int)event->message->seq,
		     (int)event->message->claim.item[40]);
		break;
	case MLOG_EV_LOCKED:
		assert_int_equal(event->locked.error, 0);
		tell("locked %u ", event->locked.lock);
		break;
	case MLOG_EV_COPIED:
		tell("copied %d ", (int)event->copied.region);
		break;
	default:
		tell("event ");
		break;
	}
}

bool mlog_next(struct mlog *m, struct mlog_effect *ret)
{
	unsigned step = m->steps - 1;

	if (step >= STEPS || m->given == m->count[step])
		return false;
	*ret = m->script[step][m->given++];
	return true;
}

static uint64_t on_now_ms(void *context)
{
	assert_ptr_equal(context, &world);
	return world.now_ms;
}

static void on_step_begin(void *context, const struct mlog_event *event)
{
	assert_ptr_equal(context, &world);
	assert_int_equal(event->now_ms, world.now_ms);
	assert_false(world.within);
	world.within = true;
}

static void on_step_end(void *context)
{
	assert_ptr_equal(context, &world);
	assert_true(world.within);
	world.within = false;
}

static void on_effects_end(void *context)
{
	assert_ptr_equal(context, &world);
	assert_false(world.within);
	tell("end ");
}

static void on_reply(void *context, const struct mlog_reply *reply)
{
	assert_ptr_equal(context, &world);
	assert_false(world.within);
	tell("reply %u ", reply->seq);
}

static void on_load(void *context, uint32_t slot, bool whole)
{
	(void)context;
	tell("load %u%s ", slot, whole ? " whole" : "");
}

static void on_claim(void *context, uint32_t slot, bool whole)
{
	(void)context;
	tell("claim %u%s ", slot, whole ? " whole" : "");
}

static void on_release(void *context, uint32_t slot, bool whole)
{
	(void)context;
	tell("release %u%s ", slot, whole ? " whole" : "");
}

static void on_write(void *context, enum mlog_area area, uint64_t page)
{
	(void)context;
	tell("write %d %d ", area == MLOG_AREA_SYNC, (int)page);
}

static void on_read_slot(void *context, uint32_t slot)
{
	(void)context;
	tell("read %u ", slot);
}

static void on_empty_slot(void *context, uint32_t slot)
{
	(void)context;
	tell("empty %u ", slot);
}

/* The mover has no room: that is said at once. */
static void on_copy(void *context, uint64_t region, enum mlog_copy_mode mode)
{
	struct mlog_event event = {.kind = MLOG_EV_COPIED};

	(void)context;
	tell("copy %d %d ", (int)region, mode == MLOG_COPY_REPAIR);
	event.copied.region = region;
	event.copied.result = MLOG_COPY_LATER;
	pump_defer((struct pump *)(uintptr_t)world.pump, &event);
}

static void on_timer(void *context, uint64_t at_ms)
{
	(void)context;
	tell("timer %d ", (int)at_ms);
}

static void on_notice(void *context, enum mlog_notice code, uint64_t value)
{
	(void)context;
	tell("notice %d %d ", code == MLOG_NOTICE_QUORUM, (int)value);
}

static void on_send(void *context, const struct mlog_message *message)
{
	(void)context;
	tell("send %d ", (int)message->seq);
	group_local_send((struct pump *)(uintptr_t)world.pump, message);
}

static void on_lock(void *context, uint32_t lock, bool keep)
{
	(void)context;
	tell("lock %u%s ", lock, keep ? " keep" : "");
	locks_local_lock((struct pump *)(uintptr_t)world.pump, lock);
}

static void on_unlock(void *context, uint32_t lock)
{
	(void)context;
	tell("unlock %u ", lock);
	locks_local_unlock((struct pump *)(uintptr_t)world.pump, lock);
}

static void on_wake(void *context)
{
	(void)context;
	tell("wake ");
}

static void on_reload(void *context)
{
	(void)context;
	tell("reload ");
}

static void on_trace_event(void *context, const struct mlog_event *event)
{
	(void)context;
	tell("<%d ", event->kind == MLOG_EV_TIMER);
}

static void on_trace_effect(void *context, const struct mlog_effect *effect)
{
	(void)context;
	tell(">%d ", effect->kind == MLOG_WAKE);
}

static struct pump_ports ports;
static struct pump pump;

static int setup(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	memset(&queue, 0, sizeof(queue));
	ports = (struct pump_ports){
	    .now_ms = on_now_ms,
	    .reply = on_reply,
	    .load = on_load,
	    .claim = on_claim,
	    .write = on_write,
	    .release = on_release,
	    .read_slot = on_read_slot,
	    .empty_slot = on_empty_slot,
	    .copy = on_copy,
	    .timer = on_timer,
	    .notice = on_notice,
	    .send = on_send,
	    .lock = on_lock,
	    .unlock = on_unlock,
	    .wake = on_wake,
	    .reload = on_reload,
	};
	pump = (struct pump){
	    .mlog = &world,
	    .ports = &ports,
	    .context = &world,
	    .queue = &queue,
	};
	world.pump = &pump;
	world.now_ms = 1000;
	return 0;
}

/* The next effect of a step to come. */
static struct mlog_effect *effect(unsigned step, enum mlog_effect_kind kind)
{
	struct mlog_effect *e = &world.script[step][world.count[step]++];

	assert_true(world.count[step] <= SCRIPT_MAX);
	e->kind = kind;
	return e;
}

static void pump_timer(void)
{
	struct mlog_event event = {.kind = MLOG_EV_TIMER};

	pump_event(&pump, &event);
	assert_int_equal(queue.count, 0);
}

static void every_effect_has_its_port(void **state)
{
	struct mlog_effect *e;

	(void)state;
	effect(0, MLOG_REPLY)->reply.seq = 17;
	e = effect(0, MLOG_LOAD);
	e->log.slot = 3;
	e->log.whole = true;
	effect(0, MLOG_CLAIM)->log.slot = 4;
	e = effect(0, MLOG_WRITE);
	e->write.area = MLOG_AREA_SYNC;
	e->write.page = 9;
	effect(0, MLOG_RELEASE)->log.slot = 5;
	effect(0, MLOG_TIMER)->timer.at_ms = 77;
	e = effect(0, MLOG_NOTICE);
	e->notice.code = MLOG_NOTICE_QUORUM;
	e->notice.value = 1;
	effect(0, MLOG_UNLOCK)->lock.lock = 32;
	effect(0, MLOG_READ_SLOT)->slot = 6;
	effect(0, MLOG_EMPTY_SLOT)->slot = 7;
	effect(0, MLOG_WAKE);
	effect(0, MLOG_RELOAD);
	pump_timer();
	assert_string_equal(world.story,
			    "event reply 17 load 3 whole claim 4 write 1 9 release 5 timer 77 "
			    "notice 1 1 unlock 32 read 6 empty 7 wake reload ");
}

/* Messages, locks and refused copies come back after all effects of their step, in order; what the
 * next step causes comes behind them. */
static void what_is_answered_at_once_comes_after_the_step(void **state)
{
	static const struct mlog_message one = {.kind = MLOG_MSG_CLAIM, .seq = 1};
	struct mlog_message two = {.kind = MLOG_MSG_CLAIM, .seq = 2};
	struct mlog_effect *e;

	(void)state;
	two.claim.item[40] = 40;
	effect(0, MLOG_SEND)->message = &one;
	e = effect(0, MLOG_LOCK);
	e->lock.lock = 3;
	e->lock.keep = true;
	e = effect(0, MLOG_COPY);
	e->copy.region = 5;
	e->copy.mode = MLOG_COPY_REPAIR;
	effect(0, MLOG_REPLY)->reply.seq = 6;
	effect(1, MLOG_SEND)->message = &two;
	effect(1, MLOG_WAKE);
	effect(4, MLOG_RELOAD);
	pump_timer();
	assert_string_equal(world.story,
			    "event send 1 lock 3 keep copy 5 1 reply 6 message 1,0 send 2 wake "
			    "locked 3 copied 5 message 2,40 reload ");
	assert_int_equal(world.steps, 5);
}

/* "Valid until the next step": the core uses the memory of what it has sent again. */
static void messages_are_copied(void **state)
{
	static struct mlog_message message[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		message[i] = (struct mlog_message){.kind = MLOG_MSG_CLAIM, .seq = i + 1};
		message[i].claim.item[40] = i + 1;
		effect(0, MLOG_SEND)->message = &message[i];
	}
	world.sent = message;
	pump_timer();
	assert_string_equal(world.story, "event send 1 send 2 message 1,1 message 2,2 ");
}

/* As many as a step can have, again and again: the ring goes round. */
static void a_step_full_of_messages(void **state)
{
	static struct mlog_message message = {.kind = MLOG_MSG_CLAIM};

	(void)state;
	message.claim.item[0] = 1;
	for (unsigned round = 0; round < 100; round++) {
		unsigned messages = world.messages;

		world.steps = 0;
		world.given = 0;
		memset(world.count, 0, sizeof(world.count));
		world.story[0] = '\0';
		for (unsigned i = 0; i < MLOG_SENDS_MAX; i++)
			effect(0, MLOG_SEND)->message = &message;
		for (unsigned i = 0; i < MLOG_COPIES_MAX; i++)
			effect(1, MLOG_SEND)->message = &message;
		pump_timer();
		assert_int_equal(world.messages - messages, MLOG_SENDS_MAX + MLOG_COPIES_MAX);
	}
	assert_int_equal(world.sum, world.messages);
}

static void steps_have_their_surroundings(void **state)
{
	(void)state;
	ports.step_begin = on_step_begin;
	ports.step_end = on_step_end;
	ports.effects_end = on_effects_end;
	ports.trace_event = on_trace_event;
	ports.trace_effect = on_trace_effect;
	effect(0, MLOG_REPLY)->reply.seq = 1;
	effect(0, MLOG_WAKE);
	pump_timer();
	assert_string_equal(world.story, "<1 event >0 reply 1 >1 wake end ");
	assert_false(world.within);
}

static void a_node_alone_is_its_group(void **state)
{
	(void)state;
	group_local_view(&pump);
	assert_string_equal(world.story, "view 1 ");
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(every_effect_has_its_port),
	    TEST(what_is_answered_at_once_comes_after_the_step),
	    TEST(messages_are_copied),
	    TEST(a_step_full_of_messages),
	    TEST(steps_have_their_surroundings),
	    TEST(a_node_alone_is_its_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
