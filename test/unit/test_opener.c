/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening log devices beside everything else: devices here are names, which answer when told to. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/opener.h"

#define WAIT_MS 10000U

/* What storage.c would make of a device. */
struct storage {
	int fd;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool held; /* devices whose name begins with "held" do not answer */
	unsigned looking;
	unsigned looked;
	int policy; /* of the last thread that looked */
} devices = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static _Atomic unsigned open_storages;

int storage_look(const struct storage_spec *spec, struct storage **ret,
		 char error[STORAGE_ERROR_SIZE])
{
	struct sched_param priority;
	struct storage *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	assert_true(s->fd >= 0);
	open_storages++;
	pthread_mutex_lock(&devices.lock);
	pthread_getschedparam(pthread_self(), &devices.policy, &priority);
	devices.looking++;
	pthread_cond_broadcast(&devices.changed);
	while (devices.held && strncmp(spec->device, "held", 4) == 0)
		pthread_cond_wait(&devices.changed, &devices.lock);
	devices.looking--;
	devices.looked++;
	pthread_mutex_unlock(&devices.lock);
	if (strcmp(spec->device, "bad") == 0) {
		storage_close(s);
		snprintf(error, STORAGE_ERROR_SIZE, "%s of %s is bad", spec->device, spec->uuid);
		return -ENOTBLK;
	}
	*ret = s;
	return 0;
}

int storage_descriptor(const struct storage *s)
{
	return s->fd;
}

void storage_descriptor_set(struct storage *s, int fd)
{
	s->fd = fd;
}

struct storage *storage_close(struct storage *s)
{
	if (s == NULL)
		return NULL;
	if (s->fd >= 0)
		close(s->fd);
	free(s);
	open_storages--;
	return NULL;
}

struct answer {
	unsigned count;
	int error;
	struct storage *storage;
	char text[STORAGE_ERROR_SIZE];
	struct opener *again; /* asks for the same once more, from within the answer */
	int again_error;
};

static const struct storage_spec good = {.device = "good", .uuid = "u", .boot_id = "b"};
static const struct storage_spec held = {.device = "held", .uuid = "u", .boot_id = "b"};

static void on_answer(void *context, int error, struct storage *storage, const char *text)
{
	struct answer *a = context;

	a->count++;
	a->error = error;
	a->storage = storage;
	snprintf(a->text, sizeof(a->text), "%s", error != 0 ? text : "");
	if (a->again != NULL) {
		struct opener *opener = a->again;

		a->again = NULL;
		a->again_error = opener_start(opener, &held, on_answer, a);
	}
}

static void hold(bool on)
{
	pthread_mutex_lock(&devices.lock);
	devices.held = on;
	pthread_cond_broadcast(&devices.changed);
	pthread_mutex_unlock(&devices.lock);
}

static void wait_looking(unsigned count)
{
	pthread_mutex_lock(&devices.lock);
	while (devices.looking != count)
		pthread_cond_wait(&devices.changed, &devices.lock);
	pthread_mutex_unlock(&devices.lock);
}

static unsigned devices_looked(void)
{
	unsigned count;

	pthread_mutex_lock(&devices.lock);
	count = devices.looked;
	pthread_mutex_unlock(&devices.lock);
	return count;
}

static void wait_answers(struct opener *opener, const struct answer *a, unsigned count)
{
	uint64_t until_ms = clock_ms() + WAIT_MS;

	while (a->count < count) {
		assert_true(opener_wait(opener, until_ms));
		opener_dispatch(opener);
	}
	assert_int_equal(a->count, count);
}

static int setup(void **state)
{
	struct opener *opener;

	hold(true);
	devices.looked = 0;
	assert_int_equal(opener_create(&opener), 0);
	*state = opener;
	return 0;
}

static int teardown(void **state)
{
	opener_destroy(*state);
	assert_int_equal(open_storages, 0);
	return 0;
}

static void test_opened(void **state)
{
	struct opener *opener = *state;
	struct answer a = {0};
	struct stat st;
	char byte = 1;

	assert_int_equal(opener_start(opener, &good, on_answer, &a), 0);
	assert_int_equal(a.count, 0); /* never from within the call */
	assert_int_equal(opener_jobs(opener), 1);
	assert_true(opener_expire(opener, clock_ms()) > 0);
	wait_answers(opener, &a, 1);
	assert_int_equal(opener_jobs(opener), 0);
	assert_int_equal(opener_expire(opener, clock_ms()), 0);
	assert_int_equal(a.error, 0);
	/* What the thread has opened is open here, and no program that is executed inherits it. */
	assert_int_equal(fstat(a.storage->fd, &st), 0);
	assert_true(S_ISCHR(st.st_mode));
	assert_int_equal(read(a.storage->fd, &byte, 1), 1);
	assert_int_equal(byte, 0);
	assert_int_equal(fcntl(a.storage->fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(devices.policy, SCHED_OTHER);
	storage_close(a.storage);
}

static void test_refused(void **state)
{
	const struct storage_spec bad = {.device = "bad", .uuid = "name", .boot_id = "b"};
	struct opener *opener = *state;
	struct answer a = {0};

	assert_int_equal(opener_start(opener, &bad, on_answer, &a), 0);
	wait_answers(opener, &a, 1);
	assert_int_equal(a.error, -ENOTBLK);
	assert_null(a.storage);
	assert_string_equal(a.text, "bad of name is bad");
}

/* Nobody waits for a device that hangs, and no second thread is lost to it. */
static void test_hangs(void **state)
{
	struct opener *opener = *state;
	struct answer a = {.again = opener};
	struct answer b = {0};
	uint64_t due_ms;

	assert_int_equal(opener_start(opener, &held, on_answer, &a), 0);
	wait_looking(1);
	due_ms = opener_expire(opener, clock_ms());
	assert_in_range(due_ms, clock_ms() + 1, clock_ms() + OPENER_MS);
	assert_int_equal(opener_expire(opener, due_ms - 1), due_ms);
	assert_int_equal(a.count, 0);
	assert_int_equal(opener_start(opener, &good, on_answer, &b), 0);
	wait_answers(opener, &b, 1);
	storage_close(b.storage);

	assert_int_equal(opener_expire(opener, due_ms), 0);
	assert_int_equal(a.count, 1);
	assert_int_equal(a.error, -ETIMEDOUT);
	assert_null(a.storage);
	assert_non_null(strstr(a.text, "log device held does not answer"));
	assert_int_equal(a.again_error, -ETIMEDOUT);
	assert_int_equal(opener_jobs(opener), 0);

	/* What comes after all is closed, and the next attempt is a new one. */
	hold(false);
	while (opener_start(opener, &held, on_answer, &b) != 0) {
		assert_true(opener_wait(opener, clock_ms() + WAIT_MS));
		opener_dispatch(opener);
	}
	assert_int_equal(a.count, 1);
	wait_answers(opener, &b, 2);
	assert_int_equal(b.error, 0);
	storage_close(b.storage);
}

/* More than there may be threads: they wait for one, and may run out of time meanwhile. */
static void test_many(void **state)
{
	struct opener *opener = *state;
	struct answer a = {0};
	struct answer late = {0};
	uint64_t due_ms;

	for (unsigned i = 0; i < OPENER_THREADS_MAX; i++) {
		char name[16];
		struct storage_spec spec = held;

		snprintf(name, sizeof(name), "held%u", i);
		spec.device = name;
		assert_int_equal(opener_start(opener, &spec, on_answer, &a), 0);
	}
	wait_looking(OPENER_THREADS_MAX);
	assert_int_equal(opener_start(opener, &good, on_answer, &late), 0);
	due_ms = opener_expire(opener, clock_ms());
	assert_int_equal(opener_expire(opener, due_ms + OPENER_MS), 0);
	assert_int_equal(a.count, OPENER_THREADS_MAX);
	assert_int_equal(late.count, 1);
	assert_int_equal(late.error, -ETIMEDOUT);
	/* It never had a thread, so nothing is out that would be in the way. */
	assert_int_equal(opener_start(opener, &good, on_answer, &late), 0);
	assert_int_equal(devices_looked(), 0);
	hold(false);
	wait_answers(opener, &late, 2);
	assert_int_equal(late.error, 0);
	storage_close(late.storage);
	/* Those of the threads that nobody waits for any more are closed when they arrive. */
	while (devices_looked() < OPENER_THREADS_MAX + 1 || open_storages > 0) {
		assert_true(opener_wait(opener, clock_ms() + WAIT_MS));
		opener_dispatch(opener);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_opened, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_hangs, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_many, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
