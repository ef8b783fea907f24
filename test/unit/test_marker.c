/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notes that a log device failed: what is wanted last is what is there, however slow the disk. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemons/dlmirrord/daemon.h"

#define LIMIT_S 20U

/* ---- a disk that waits to be told to go on, at each of its operations while slow is set */

static bool slow;
static bool threadless;
static sem_t reached;
static sem_t go;

static void disk_wait(void)
{
	if (!slow)
		return;
	sem_post(&reached);
	sem_wait(&go);
}

int __real_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode);
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __real_pthread_create(pthread_t *ret, const pthread_attr_t *attribute, void *(*run)(void *),
			  void *argument);
int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attribute, void *(*run)(void *),
			  void *argument);

int __wrap_open(const char *path, int flags, mode_t mode)
{
	disk_wait();
	return __real_open(path, flags, mode);
}

int __wrap_unlink(const char *path)
{
	disk_wait();
	return __real_unlink(path);
}

int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attribute, void *(*run)(void *),
			  void *argument)
{
	return threadless ? EAGAIN : __real_pthread_create(ret, attribute, run, argument);
}

/* ---- two mirrors and the state directory */

static struct daemon d;
static struct log mirror = {.daemon = &d, .uuid = "a/b"};
static struct log other = {.daemon = &d, .uuid = "a_b"};

static unsigned notes(void)
{
	char command[sizeof(d.config.state_dir) + 16];
	unsigned count = 0;
	FILE *list;

	snprintf(command, sizeof(command), "ls %s | wc -l", d.config.state_dir);
	list = popen(command, "r");
	assert_non_null(list);
	assert_int_equal(fscanf(list, "%u", &count), 1);
	pclose(list);
	return count;
}

static void disk_slow(bool value)
{
	slow = value;
	sem_init(&reached, 0, 0);
	sem_init(&go, 0, 0);
}

static void finish(void)
{
	marker_finish(LIMIT_S);
	assert_false(marker_busy());
}

static int begin(void **state)
{
	(void)state;
	snprintf(d.config.state_dir, sizeof(d.config.state_dir), "/tmp/test_marker.XXXXXX");
	return mkdtemp(d.config.state_dir) == NULL ? -1 : 0;
}

static int end(void **state)
{
	(void)state;
	return rmdir(d.config.state_dir);
}

static void test_set_and_clear(void **state)
{
	(void)state;
	assert_false(marker_is_set(&mirror));
	marker_set(&mirror);
	assert_true(marker_is_set(&mirror));
	assert_false(marker_is_set(&other));
	finish();
	assert_true(marker_is_set(&mirror));
	assert_false(marker_is_set(&other));
	assert_int_equal(notes(), 1);
	marker_clear(&other);
	marker_clear(&mirror);
	assert_false(marker_is_set(&mirror));
	finish();
	assert_false(marker_is_set(&mirror));
	assert_int_equal(notes(), 0);
}

/* The device works again before the note that it failed has been made. */
static void test_clear_during_set(void **state)
{
	(void)state;
	disk_slow(true);
	marker_set(&mirror);
	sem_wait(&reached); /* in open() */
	marker_clear(&mirror);
	assert_false(marker_is_set(&mirror));
	marker_set(&other);
	assert_true(marker_is_set(&other));
	assert_true(marker_busy());
	for (int i = 0; i < 3; i++) /* open, unlink, open of the other */
		sem_post(&go);
	finish();
	assert_false(marker_is_set(&mirror));
	assert_true(marker_is_set(&other));
	assert_int_equal(notes(), 1);
	disk_slow(false);
	marker_clear(&other);
	finish();
	assert_int_equal(notes(), 0);
}

/* It fails again while the note of the last time is being removed. */
static void test_set_during_clear(void **state)
{
	(void)state;
	marker_set(&mirror);
	finish();
	disk_slow(true);
	marker_clear(&mirror);
	sem_wait(&reached); /* in unlink() */
	marker_set(&mirror);
	assert_true(marker_is_set(&mirror));
	sem_post(&go);
	sem_post(&go);
	finish();
	assert_true(marker_is_set(&mirror));
	assert_int_equal(notes(), 1);
	disk_slow(false);
	marker_clear(&mirror);
	finish();
	assert_int_equal(notes(), 0);
}

static void test_without_a_thread(void **state)
{
	(void)state;
	threadless = true;
	marker_set(&mirror);
	assert_false(marker_busy());
	assert_int_equal(notes(), 1);
	marker_clear(&mirror);
	assert_false(marker_busy());
	assert_int_equal(notes(), 0);
	threadless = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_set_and_clear),
	    cmocka_unit_test(test_clear_during_set),
	    cmocka_unit_test(test_set_during_clear),
	    cmocka_unit_test(test_without_a_thread),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
