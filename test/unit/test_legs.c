/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A leg that fails, and one that works again, is told once, also across tables of one mirror. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/daemon.h"

/* ---- the world of legs.c: a device-mapper that is asked and answers when the test says so */

static struct {
	devmap_found_fn done;
	void *context;
	unsigned asked;
} finder;

int devmap_find(struct devmap *devmap, const char *uuid, bool status, devmap_found_fn done,
		void *context)
{
	(void)devmap;
	assert_string_equal(uuid, "data-1");
	assert_true(status);
	finder.done = done;
	finder.context = context;
	finder.asked++;
	return 0;
}

static devmap_done_fn reset_done;
static void *reset_context;

int devmap_reset(struct devmap *devmap, const char *uuid, bool finish, devmap_done_fn done,
		 void *context)
{
	(void)devmap;
	(void)uuid;
	(void)finish;
	reset_done = done;
	reset_context = context;
	return 0;
}

int devmap_reload(struct devmap *devmap, const char *uuid, devmap_done_fn done, void *context)
{
	(void)devmap;
	(void)uuid;
	(void)done;
	(void)context;
	fail();
	return 0;
}

int devmap_wake(struct devmap *devmap, const char *uuid, devmap_done_fn done, void *context)
{
	(void)devmap;
	(void)uuid;
	(void)done;
	(void)context;
	fail();
	return 0;
}

int mover_copy(struct mover *mover, uint64_t cookie, const struct mover_legs *legs, uint64_t region,
	       uint64_t region_sectors, enum mlog_copy_mode mode)
{
	(void)mover;
	(void)cookie;
	(void)legs;
	(void)region;
	(void)region_sectors;
	(void)mode;
	fail();
	return 0;
}

static struct {
	errands_done_fn *done;
	void *context;
	unsigned asked;
} drop;

bool errands_crowded(const struct errands *e)
{
	(void)e;
	return false;
}

int errands_own(struct errands *e, const char *const word[RUNNER_WORDS], const char *text,
		errands_done_fn *done, void *context)
{
	(void)e;
	assert_string_equal(word[0], "leg");
	assert_string_equal(word[1], "drop");
	assert_string_equal(word[2], "--failed");
	assert_string_equal(word[3], "data-1");
	assert_string_equal(text, "");
	drop.done = done;
	drop.context = context;
	drop.asked++;
	return 0;
}

bool control_listens(const struct log *log)
{
	(void)log;
	return true;
}

void control_removed(struct log *log)
{
	(void)log;
	fail();
}

void control_copies_ended(struct log *log)
{
	(void)log;
	fail();
}

static unsigned resumes_answered;

void ports_resume_answer(struct log *log)
{
	resumes_answered += log->resume_withheld;
	log->resume_withheld = false;
}

/* ---- the tests */

static uint64_t now_ms(void *context)
{
	(void)context;
	return 1;
}

static const struct pump_ports silent = {.now_ms = now_ms};
static struct daemon d;
static uint64_t incarnation;
static struct admin_events page;

static struct log *log_begin(uint64_t luid)
{
	struct mlog_config config = {.region_count = 1,
				     .region_sectors = 1024,
				     .page_bytes = 512,
				     .lease = 1,
				     .copies = 1,
				     .node = 1,
				     .members = 1,
				     .incarnation = &incarnation};
	struct log *log = calloc(1, sizeof(*log));

	assert_non_null(log);
	log->daemon = &d;
	log->luid = luid;
	strcpy(log->uuid, "data-1");
	log->state.memory = calloc(1, hot_bytes(1, 0));
	assert_non_null(log->state.memory);
	hot_bind(&log->hot, log->state.memory, 1, 0);
	/* device-mapper says that it is live, so its RESUME must have been heard */
	atomic_store(&log->hot.shared->phase, MLOG_SUSPENDED);
	log->pump = (struct pump){.mlog = mlog_create(&config, &log->hot),
				  .ports = &silent,
				  .context = log,
				  .queue = &d.queue};
	assert_non_null(log->pump.mlog);
	assert_int_equal(registry_add(&d.registry, log), 0);
	return log;
}

static void log_end(struct log *log)
{
	registry_remove(&d.registry, log);
	mlog_destroy(log->pump.mlog);
	free(log->state.memory);
	free(log);
}

static int setup(void **state)
{
	(void)state;
	memset(&d, 0, sizeof(d));
	events_open("/nonexistent"); /* in memory */
	return registry_create(&d.registry);
}

static int teardown(void **state)
{
	(void)state;
	registry_destroy(&d.registry);
	events_close();
	return 0;
}

/* The kernel's status says so of each leg. */
static void legs_are(struct log *log, const char *health)
{
	struct devmap_mirror mirror = {.name = "data", .uuid = "data-1"};
	unsigned asked = finder.asked;

	mirror.legs.count = 3;
	snprintf(mirror.leg_health, sizeof(mirror.leg_health), "%s", health);
	legs_refresh(log);
	assert_int_equal(finder.asked, asked + 1);
	finder.done(finder.context, log->uuid, 0, &mirror);
}

/* What was told since the last time: "leg-failed 1, leg-back 0". */
static void assert_told(const char *expected)
{
	static uint64_t seen;
	char text[256] = "";

	events_read(0, 0, &page);
	if (page.newest < seen)
		seen = 0; /* another test's record */
	events_read(page.record, seen, &page);
	for (uint32_t i = 0; i < page.count; i++) {
		size_t used = strlen(text);

		assert_string_equal(page.event[i].uuid, "data-1");
		snprintf(text + used, sizeof(text) - used, "%s%s %u", i > 0 ? ", " : "",
			 page.event[i].id, (unsigned)page.event[i].value);
	}
	seen = page.newest;
	assert_string_equal(text, expected);
}

static void test_each_change_is_told_once(void **state)
{
	struct log *log = log_begin(1);

	(void)state;
	legs_are(log, "AAA");
	assert_told("");
	legs_are(log, "ADA");
	assert_told("leg-failed 1");
	events_read(0, 0, &page);
	assert_string_equal(page.event[0].name, "data");
	assert_string_equal(page.event[0].text, "leg 1: a write failed");
	legs_are(log, "ADA");
	assert_told("");
	legs_are(log, "SDR");
	assert_told("leg-failed 0, leg-failed 2");
	/* a table that is not live says nothing */
	legs_are(log, "");
	legs_are(log, "SDR");
	assert_told("");
	legs_are(log, "AAF");
	assert_told("leg-back 0, leg-back 1, leg-failed 2");
	log_end(log);
}

/* The table is loaded again when a leg is back, which makes another log of the mirror. */
static void test_the_next_table_knows_what_was_told(void **state)
{
	struct log *from = log_begin(1);
	struct log *log;

	(void)state;
	legs_are(from, "AAD");
	assert_told("leg-failed 2");
	log = log_begin(2);
	legs_reloaded(log, from);
	log_end(from);
	legs_are(log, "AAA");
	assert_told("leg-back 2");
	log_end(log);
	/* one that begins with a leg that has failed says so */
	log = log_begin(3);
	legs_are(log, "DAA");
	assert_told("leg-failed 0");
	log_end(log);
}

static void test_a_reset_is_told(void **state)
{
	struct log *log = log_begin(1);

	(void)state;
	legs_suspect(log, false);
	reset_done(reset_context, log->uuid, 0);
	assert_told("reset 0");
	log_end(log);
}

/* The old table's log ends before its reset does. */
static void test_who_takes_the_place_of_a_suspect_compares(void **state)
{
	struct log *from = log_begin(1);
	struct log *log = log_begin(2);

	(void)state;
	assert_told("");
	d.config.compare_after_gap = true;
	legs_suspect(from, false);
	legs_reloaded(log, from);
	assert_int_equal(atomic_load(&log->hot.shared->suspect), SUSPECT_COMPARING);
	log_end(from);
	reset_done(reset_context, log->uuid, 0);
	assert_told("reset 0");
	assert_int_equal(atomic_load(&log->hot.shared->suspect), SUSPECT_COMPARING);
	log_end(log);
}

static void test_a_leg_that_writes_wait_for_is_dropped(void **state)
{
	struct log *log = log_begin(1);

	(void)state;
	drop.asked = 0;
	atomic_store(&log->hot.shared->open, 1);
	atomic_store(&log->hot.shared->hold, HOT_HOLD_YES);
	legs_drop_failed(log);
	assert_int_equal(drop.asked, 0);
	atomic_store(&log->hot.shared->hold, HOT_HOLD_MISSED);
	legs_drop_failed(log);
	assert_int_equal(drop.asked, 1);
	drop.done(drop.context, 1, "another reload is under way\n");
	legs_drop_failed(log); /* not at once */
	assert_int_equal(drop.asked, 1);
	log->drop_ms -= 5000;
	legs_drop_failed(log);
	assert_int_equal(drop.asked, 2);
	log_end(log); /* and what comes then is nobody's */
	drop.done(drop.context, 0, "");
}

/* What is found, or not found, or takes too long: each ends the wait of a RESUME, but not what was asked before it. */
static void test_a_resume_is_answered(void **state)
{
	struct log *log = log_begin(1);

	(void)state;
	resumes_answered = 0;
	legs_refresh(log);
	legs_forget(log); /* the attach */
	log->resume_withheld = true;
	finder.done(finder.context, log->uuid, 0, &(struct devmap_mirror){.name = "data"});
	assert_int_equal(resumes_answered, 0);
	finder.done(finder.context, log->uuid, 0, &(struct devmap_mirror){.name = "data"});
	assert_int_equal(resumes_answered, 1);

	legs_refresh(log);
	log->resume_withheld = true;
	finder.done(finder.context, log->uuid, -ENOENT, NULL);
	assert_int_equal(resumes_answered, 2);

	legs_refresh(log);
	log->resume_withheld = true;
	log->resume_ms = clock_ms();
	legs_expire(log);
	assert_int_equal(resumes_answered, 2);
	log->resume_ms -= 3000;
	legs_expire(log);
	assert_int_equal(resumes_answered, 3);
	finder.done(finder.context, log->uuid, -ENOENT, NULL);
	assert_int_equal(resumes_answered, 3);
	log_end(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_each_change_is_told_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_the_next_table_knows_what_was_told, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(test_a_reset_is_told, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_resume_is_answered, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_who_takes_the_place_of_a_suspect_compares, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(test_a_leg_that_writes_wait_for_is_dropped, setup,
					    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
