/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The record of events: in order, bounded, and there for the next daemon, however the last ended. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemons/dlmirrord/events.h"

static char directory[64];
static char path[128];
static struct admin_events page;

static int setup(void **state)
{
	(void)state;
	(void)snprintf(directory, sizeof(directory), "/tmp/test_events.XXXXXX");
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/events", directory);
	events_open(directory);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	events_close();
	(void)unlink(path);
	return rmdir(directory);
}

/* All there are behind after; returns how many. */
static unsigned count_from(uint64_t after)
{
	unsigned count = 0;

	do {
		events_read(page.record, after + count, &page);
		count += page.count;
	} while (page.count > 0);
	return count;
}

static void test_what_is_told_is_read(void **state)
{
	struct event_run run = {0};

	(void)state;
	events_read(0, 0, &page);
	assert_int_equal(page.count, 0);
	assert_int_equal(page.newest, 0);
	event_daemon(EVENT_DAEMON_STARTED, 3, "started with %d logs", 2);
	event_tell("data-1", "data", &run, EVENT_LOG_FAILED, 5, "log device %s failed", "253:4");
	event_tell("data-1", "", NULL, EVENT_MEMBER_GONE, UINT64_MAX, "a\tb\x1b[1m");
	events_read(0, 0, &page);
	assert_true(page.record != 0);
	assert_int_equal(page.newest, 3);
	assert_int_equal(page.count, 3);
	assert_int_equal(page.event[0].seq, 1);
	assert_string_equal(page.event[0].id, "daemon-started");
	assert_string_equal(page.event[0].uuid, "");
	assert_string_equal(page.event[0].name, "");
	assert_int_equal(page.event[0].value, 3);
	assert_string_equal(page.event[0].text, "started with 2 logs");
	assert_int_equal(page.event[1].seq, 2);
	assert_string_equal(page.event[1].id, "log-failed");
	assert_string_equal(page.event[1].uuid, "data-1");
	assert_string_equal(page.event[1].name, "data");
	assert_string_equal(page.event[1].text, "log device 253:4 failed");
	/* no tricks on terminals */
	assert_string_equal(page.event[2].text, "a?b?[1m");
	assert_int_equal(page.event[2].value, UINT64_MAX);
	/* 2020 to 2100 */
	assert_in_range(page.event[1].time_ms, UINT64_C(1577836800000), UINT64_C(4102444800000));
	/* behind one of them; behind the last; behind more than there are */
	events_read(page.record, 2, &page);
	assert_int_equal(page.count, 1);
	assert_int_equal(page.event[0].seq, 3);
	events_read(page.record, 3, &page);
	assert_int_equal(page.count, 0);
	events_read(page.record, UINT64_MAX - 1, &page);
	assert_int_equal(page.count, 0);
	/* another record's number says nothing about this one */
	events_read(page.record + 1, 2, &page);
	assert_int_equal(page.count, 3);
}

static void test_the_oldest_are_forgotten(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= EVENTS_MAX; i++)
		event_daemon(EVENT_OVERRUN, i, "%u", i);
	assert_int_equal(count_from(0), EVENTS_MAX);
	for (unsigned i = 1; i <= 10; i++)
		event_daemon(EVENT_OVERRUN, EVENTS_MAX + i, "%u", EVENTS_MAX + i);
	events_read(page.record, 0, &page);
	assert_int_equal(page.count, ADMIN_PAGE_EVENTS);
	assert_int_equal(page.newest, EVENTS_MAX + 10);
	assert_int_equal(page.event[0].seq, 11);
	assert_int_equal(page.event[0].value, 11);
	assert_int_equal(count_from(10), EVENTS_MAX);
}

static void test_the_longest_texts_fit(void **state)
{
	char uuid[2 * DLMIRROR_NAME_SIZE];
	char text[1000];

	(void)state;
	memset(uuid, 'u', sizeof(uuid) - 1);
	memset(text, 't', sizeof(text) - 1);
	uuid[sizeof(uuid) - 1] = text[sizeof(text) - 1] = '\0';
	event_tell(uuid, uuid, NULL, EVENT_GEOMETRY_DIFFERS, UINT64_MAX, "%s", text);
	events_read(0, 0, &page);
	assert_int_equal(page.count, 1);
	assert_int_equal(strlen(page.event[0].uuid), DLMIRROR_NAME_SIZE - 1);
	assert_int_equal(strlen(page.event[0].name), DLMIRROR_NAME_SIZE - 1);
	assert_int_equal(strlen(page.event[0].text), DLMIRROR_TEXT_SIZE - 1);
}

/* Every event has a name of its own that fits. */
static void test_each_has_its_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < EVENTS; i++)
		event_daemon((enum event)i, i, "it is so");
	assert_true(EVENTS <= ADMIN_PAGE_EVENTS);
	events_read(0, 0, &page);
	assert_int_equal(page.count, EVENTS);
	for (unsigned i = 0; i < EVENTS; i++) {
		const char *id = page.event[i].id;

		assert_in_range(strlen(id), 2, DLMIRROR_EVENT_SIZE - 2);
		assert_int_equal(strspn(id, "abcdefghijklmnopqrstuvwxyz-"), strlen(id));
		assert_string_not_equal(id, DLMIRROR_EVENT_LOST);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(id, page.event[k].id);
	}
}

static void test_repetitions_leave_room(void **state)
{
	struct event_run run = {0};
	struct event_run other = {0};

	(void)state;
	event_tell("a", "", &run, EVENT_LEG_FAILED, 1, "leg 1 failed");
	for (unsigned i = 1; i <= 1000; i++) {
		event_tell("a", "", &run, EVENT_REGION_STALE, i, "region %u", i);
		if (i == 500)
			event_tell("b", "", &other, EVENT_REGION_STALE, 7, "region 7");
	}
	event_tell("a", "", &run, EVENT_LEG_BACK, 1, "leg 1 is back");
	event_tell("a", "", &run, EVENT_REGION_STALE, 3, "region 3");
	/* others are all kept */
	for (unsigned i = 1; i <= 3; i++)
		event_tell("a", "", &run, EVENT_LEG_FAILED, i, "leg %u failed", i);
	events_read(0, 0, &page);
	/* 1, 2, 4 ... 512, and the other mirror's, which ends no row */
	assert_int_equal(page.count, 1 + 10 + 1 + 1 + 1 + 3);
	assert_int_equal(page.event[2].value, 2);
	assert_string_equal(page.event[2].text, "region 2");
	assert_int_equal(page.event[3].value, 4);
	assert_string_equal(page.event[3].text,
			    "region 4 (4 such in a row by now, not each is told)");
	assert_int_equal(page.event[11].value, 512);
	assert_string_equal(page.event[13].text, "region 3");
	assert_string_equal(page.event[16].text, "leg 3 failed");
}

static void test_the_next_daemon_has_them(void **state)
{
	uint64_t record;
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) { /* a daemon that is killed */
		for (unsigned i = 1; i <= EVENTS_MAX + 5; i++)
			event_daemon(EVENT_IN_SYNC, i, "%u", i);
		(void)raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	events_read(0, 0, &page);
	record = page.record;
	events_close();
	events_open(directory);
	events_read(record, EVENTS_MAX + 3, &page);
	assert_int_equal(page.record, record);
	assert_int_equal(page.newest, EVENTS_MAX + 5);
	assert_int_equal(page.count, 2);
	event_daemon(EVENT_DAEMON_STARTED, 0, "again");
	events_read(record, EVENTS_MAX + 5, &page);
	assert_int_equal(page.count, 1);
	assert_int_equal(page.event[0].seq, EVENTS_MAX + 6);
}

static void file_change(long at, char value)
{
	FILE *file = fopen(path, "r+e");

	assert_non_null(file);
	assert_int_equal(fseek(file, at, SEEK_SET), 0);
	assert_int_equal(fputc(value, file), value);
	assert_int_equal(fclose(file), 0);
}

/* Of one that was being written nothing is told, and the others stay. */
static void test_a_torn_event_is_none(void **state)
{
	struct stat file;
	long bytes;

	(void)state;
	for (unsigned i = 1; i <= 3; i++)
		event_daemon(EVENT_IN_SYNC, i, "%u", i);
	assert_int_equal(stat(path, &file), 0);
	bytes = (long)((file.st_size - 64) / EVENTS_MAX);
	events_close();
	file_change(64 + 2 * bytes + 40, 'x');
	events_open(directory);
	events_read(0, 0, &page);
	assert_int_equal(page.count, 2);
	assert_int_equal(page.event[0].seq, 1);
	assert_int_equal(page.event[1].seq, 3);
	/* the newest: its number is given again */
	events_close();
	file_change(64 + 3 * bytes + 40, 'x');
	events_open(directory);
	event_daemon(EVENT_IN_SYNC, 7, "7");
	events_read(0, 0, &page);
	assert_int_equal(page.count, 2);
	assert_int_equal(page.newest, 2);
	assert_int_equal(page.event[0].seq, 1);
	assert_int_equal(page.event[1].seq, 2);
	assert_int_equal(page.event[1].value, 7);
}

/* A file of another version, or damaged, or cut: a record of its own begins. */
static void test_what_is_no_record_is_begun_anew(void **state)
{
	uint64_t record;

	(void)state;
	for (unsigned at = 0; at < 24; at++) {
		event_daemon(EVENT_IN_SYNC, 1, "1");
		events_read(0, 0, &page);
		assert_int_equal(page.count, 1);
		record = page.record;
		events_close();
		file_change((long)at, 0x55);
		(void)usleep(2000); /* a record is named by the time it began */
		events_open(directory);
		events_read(record, 0, &page);
		assert_int_equal(page.count, 0);
		assert_int_equal(page.newest, 0);
		assert_true(page.record != record);
	}
	event_daemon(EVENT_IN_SYNC, 1, "1");
	events_close();
	assert_int_equal(truncate(path, 100), 0);
	events_open(directory);
	events_read(0, 0, &page);
	assert_int_equal(page.count, 0);
}

/* Where no file can be had events are known to this daemon at least. */
static void test_without_a_file(void **state)
{
	(void)state;
	events_close();
	event_daemon(EVENT_IN_SYNC, 1, "not open: in the log only");
	events_read(0, 0, &page);
	assert_int_equal(page.count, 0);
	events_open("/nonexistent");
	event_daemon(EVENT_IN_SYNC, 1, "1");
	events_read(0, 0, &page);
	assert_int_equal(page.count, 1);
	assert_int_equal(page.event[0].seq, 1);
	assert_true(page.record != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_what_is_told_is_read, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_the_oldest_are_forgotten, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_the_longest_texts_fit, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_each_has_its_name, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_repetitions_leave_room, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_the_next_daemon_has_them, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_torn_event_is_none, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_is_no_record_is_begun_anew, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_without_a_file, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
