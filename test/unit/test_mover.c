/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mover on files that stand for legs (device number 0:i is file i), and on loop devices where
 * the machine has them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemons/dlmirrord/mover_internal.h"

#define FILES	       48U
#define SECTOR	       512U
#define REGION_SECTORS 256U /* two pieces */
#define LENGTH_SECTORS (4U * REGION_SECTORS + 24U)
#define FILE_SECTORS   (LENGTH_SECTORS + 64U)
#define FILE_BYTES     (FILE_SECTORS * SECTOR)
#define RESULTS_MAX    512U
#define WAIT_MS	       30000

struct result {
	uint64_t cookie;
	uint64_t region;
	enum mlog_copy_result result;
	int error;
};

static struct {
	char directory[64];
	pthread_mutex_t lock; /* of what follows: legs are opened in the mover's threads */
	pthread_cond_t change;
	int open_error[FILES];
	bool open_for_reading_only[FILES]; /* writes then fail */
	unsigned opened[FILES];
	unsigned opened_for_writing[FILES];
	bool hold; /* opening waits */
	/* the loop thread's */
	struct mover *mover;
	struct result result[RESULTS_MAX];
	unsigned results;
	unsigned descriptors; /* before the mover existed */
} t = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

static void file_path(unsigned i, char *ret, size_t cap)
{
	assert_true(snprintf(ret, cap, "%s/leg%u", t.directory, i) < (int)cap);
}

static int open_file(dev_t devno, int flags)
{
	unsigned i = minor(devno);
	char path[128];
	int error;
	int fd;

	pthread_mutex_lock(&t.lock);
	while (t.hold)
		pthread_cond_wait(&t.change, &t.lock);
	t.opened[i]++;
	if ((flags & O_ACCMODE) == O_RDWR)
		t.opened_for_writing[i]++;
	if (t.open_for_reading_only[i])
		flags &= ~O_ACCMODE;
	error = t.open_error[i];
	pthread_mutex_unlock(&t.lock);
	if (error != 0)
		return error;
	snprintf(path, sizeof(path), "%s/leg%u", t.directory, i);
	fd = open(path, flags);
	if (fd < 0 && errno == EINVAL) /* a filesystem without O_DIRECT */
		fd = open(path, flags & ~O_DIRECT);
	return fd < 0 ? -errno : fd;
}

static void hold_opens(bool hold)
{
	pthread_mutex_lock(&t.lock);
	t.hold = hold;
	pthread_cond_broadcast(&t.change);
	pthread_mutex_unlock(&t.lock);
}

static unsigned count_descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) != -1;
	return count;
}

static void on_done(void *context, uint64_t cookie, uint64_t region, enum mlog_copy_result result,
		    int error)
{
	assert_ptr_equal(context, &t);
	assert_true(t.results < RESULTS_MAX);
	t.result[t.results++] = (struct result){cookie, region, result, error};
}

static void file_fill(unsigned i, unsigned seed, size_t bytes)
{
	uint8_t *data = malloc(bytes);
	char path[128];
	FILE *f;

	assert_non_null(data);
	for (size_t at = 0; at < bytes; at++)
		data[at] = (uint8_t)((at * 31 + at / SECTOR * 7 + seed) & 0xff);
	file_path(i, path, sizeof(path));
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, bytes, f), bytes);
	fclose(f);
	free(data);
}

static void file_poke(unsigned i, uint64_t offset, uint8_t value)
{
	char path[128];
	int fd;

	file_path(i, path, sizeof(path));
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &value, 1, (off_t)offset), 1);
	close(fd);
}

static uint8_t file_peek(unsigned i, uint64_t offset)
{
	char path[128];
	uint8_t value;
	int fd;

	file_path(i, path, sizeof(path));
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &value, 1, (off_t)offset), 1);
	close(fd);
	return value;
}

static struct mover_legs legs_of(unsigned count, unsigned first)
{
	struct mover_legs legs = {.count = count, .length_sectors = LENGTH_SECTORS};

	for (unsigned i = 0; i < count; i++)
		legs.leg[i].devno = makedev(0, first + i);
	return legs;
}

static void wait_results(unsigned count)
{
	while (t.results < count) {
		struct pollfd p = {.fd = mover_fd(t.mover), .events = POLLIN};

		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		mover_dispatch(t.mover);
	}
	assert_int_equal(t.results, count);
}

/* One copy, alone. */
static struct result copy_one(const struct mover_legs *legs, uint64_t region,
			      enum mlog_copy_mode mode)
{
	t.results = 0;
	assert_int_equal(mover_copy(t.mover, 7, legs, region, REGION_SECTORS, mode), 0);
	wait_results(1);
	assert_int_equal(t.result[0].cookie, 7);
	assert_int_equal(t.result[0].region, region);
	/* the mover itself keeps one descriptor; legs are closed before the result is seen */
	assert_int_equal(count_descriptors(), t.descriptors + 1);
	return t.result[0];
}

static void equal(void **state)
{
	struct mover_legs legs = legs_of(3, 0);

	(void)state;
	assert_int_equal(copy_one(&legs, 1, MLOG_COPY_COMPARE).result, MLOG_COPY_SAME);
	assert_int_equal(copy_one(&legs, 1, MLOG_COPY_REPAIR).result, MLOG_COPY_SAME);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(t.opened[i], 2);
		assert_int_equal(t.opened_for_writing[i], 0);
	}
}

static void differ_compare(void **state)
{
	struct mover_legs legs = legs_of(2, 0);
	uint64_t at = (2 * REGION_SECTORS - 1) * SECTOR; /* second piece of region 1 */
	uint8_t other = (uint8_t)~file_peek(0, at);
	struct result r;

	(void)state;
	file_poke(1, at, other);
	r = copy_one(&legs, 1, MLOG_COPY_COMPARE);
	assert_int_equal(r.result, MLOG_COPY_DIFFERED);
	assert_int_equal(r.error, 0);
	assert_int_equal(file_peek(1, at), other);
	assert_int_equal(t.opened_for_writing[1], 0);
	assert_int_equal(copy_one(&legs, 0, MLOG_COPY_COMPARE).result, MLOG_COPY_SAME);
	assert_int_equal(copy_one(&legs, 2, MLOG_COPY_COMPARE).result, MLOG_COPY_SAME);
}

/* Only the differing leg is written, from the source, and nothing outside of the region. */
static void differ_repair(void **state)
{
	struct mover_legs legs = legs_of(3, 0);
	const uint64_t region = REGION_SECTORS * SECTOR;

	(void)state;
	file_fill(2, 99, FILE_BYTES);
	file_poke(2, 1, 0x5a);
	assert_int_equal(copy_one(&legs, 1, MLOG_COPY_REPAIR).result, MLOG_COPY_REPAIRED);
	for (uint64_t at = region; at < 2 * region; at += 509)
		assert_int_equal(file_peek(2, at), file_peek(0, at));
	assert_int_equal(file_peek(2, 2 * region - 1), file_peek(0, 2 * region - 1));
	assert_int_not_equal(file_peek(2, region - 1), file_peek(0, region - 1));
	assert_int_not_equal(file_peek(2, 2 * region), file_peek(0, 2 * region));
	assert_int_equal(t.opened_for_writing[0], 0);
	assert_int_equal(t.opened_for_writing[1], 0);
	assert_int_equal(t.opened_for_writing[2], 1);
	assert_int_equal(copy_one(&legs, 1, MLOG_COPY_COMPARE).result, MLOG_COPY_SAME);
}

/* Legs whose data begins somewhere else. */
static void leg_offset(void **state)
{
	struct mover_legs legs = legs_of(2, 0);
	const uint64_t shift = 40;
	const uint64_t region = REGION_SECTORS * SECTOR;

	(void)state;
	legs.leg[1].start_sector = shift;
	assert_int_equal(copy_one(&legs, 0, MLOG_COPY_COMPARE).result, MLOG_COPY_DIFFERED);
	assert_int_equal(copy_one(&legs, 0, MLOG_COPY_REPAIR).result, MLOG_COPY_REPAIRED);
	for (uint64_t at = 0; at < region; at += 1021)
		assert_int_equal(file_peek(1, at + shift * SECTOR), file_peek(0, at));
	assert_int_equal(file_peek(1, shift * SECTOR - 1), file_peek(0, shift * SECTOR - 1));
}

static void short_last_region(void **state)
{
	struct mover_legs legs = legs_of(2, 0);
	const uint64_t last = LENGTH_SECTORS / REGION_SECTORS;
	const uint64_t end = LENGTH_SECTORS * SECTOR;
	uint8_t behind = (uint8_t)~file_peek(0, end);

	(void)state;
	assert_int_not_equal(LENGTH_SECTORS % REGION_SECTORS, 0);
	file_poke(1, end - 1, (uint8_t)~file_peek(0, end - 1));
	file_poke(1, end, behind);
	assert_int_equal(copy_one(&legs, last, MLOG_COPY_REPAIR).result, MLOG_COPY_REPAIRED);
	assert_int_equal(file_peek(1, end - 1), file_peek(0, end - 1));
	assert_int_equal(file_peek(1, end), behind);
	assert_int_equal(copy_one(&legs, last, MLOG_COPY_COMPARE).result, MLOG_COPY_SAME);
}

static void bad_arguments(void **state)
{
	struct mover_legs legs = legs_of(2, 0);
	const uint64_t last = LENGTH_SECTORS / REGION_SECTORS;

	(void)state;
	assert_int_equal(mover_copy(t.mover, 1, &legs, last + 1, REGION_SECTORS, MLOG_COPY_COMPARE),
			 -EINVAL);
	assert_int_equal(
	    mover_copy(t.mover, 1, &legs, UINT64_MAX, REGION_SECTORS, MLOG_COPY_COMPARE), -EINVAL);
	assert_int_equal(mover_copy(t.mover, 1, &legs, 0, 0, MLOG_COPY_COMPARE), -EINVAL);
	legs.length_sectors = 0;
	assert_int_equal(mover_copy(t.mover, 1, &legs, 0, REGION_SECTORS, MLOG_COPY_COMPARE),
			 -EINVAL);
	legs = legs_of(1, 0);
	assert_int_equal(mover_copy(t.mover, 1, &legs, 0, REGION_SECTORS, MLOG_COPY_COMPARE),
			 -EINVAL);
	legs.count = MOVER_LEGS_MAX + 1;
	assert_int_equal(mover_copy(t.mover, 1, &legs, 0, REGION_SECTORS, MLOG_COPY_COMPARE),
			 -EINVAL);
	assert_int_equal(mover_create(0, on_done, &t, &(struct mover *){NULL}), -EINVAL);
}

static void failures(void **state)
{
	struct mover_legs legs = legs_of(3, 0);
	struct result r;

	(void)state;
	t.open_error[2] = -ENXIO;
	r = copy_one(&legs, 0, MLOG_COPY_REPAIR);
	assert_int_equal(r.result, MLOG_COPY_ERROR);
	assert_int_equal(r.error, -ENXIO);

	/* it is tried anew with the next job */
	t.open_error[2] = 0;
	assert_int_equal(copy_one(&legs, 0, MLOG_COPY_REPAIR).result, MLOG_COPY_SAME);

	file_poke(1, 5, (uint8_t)~file_peek(0, 5));
	t.open_for_reading_only[1] = true;
	r = copy_one(&legs, 0, MLOG_COPY_REPAIR);
	assert_int_equal(r.result, MLOG_COPY_ERROR);
	assert_int_equal(r.error, -EBADF);

	file_fill(1, 0, REGION_SECTORS * SECTOR); /* ends where region 1 begins */
	r = copy_one(&legs, 1, MLOG_COPY_COMPARE);
	assert_int_equal(r.result, MLOG_COPY_ERROR);
	assert_int_equal(r.error, -EIO);
}

/* While jobs of a mirror are left its legs stay open, and they are shared by the threads. */
static void legs_shared(void **state)
{
	struct mover_legs legs = legs_of(2, 0);
	struct mover_legs reloaded = legs_of(2, 1);

	(void)state;
	hold_opens(true);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(
		    mover_copy(t.mover, 7, &legs, i % 4, REGION_SECTORS, MLOG_COPY_COMPARE), 0);
	/* the same mirror with other legs does not use the first ones' descriptors */
	assert_int_equal(mover_copy(t.mover, 7, &reloaded, 0, REGION_SECTORS, MLOG_COPY_COMPARE),
			 0);
	hold_opens(false);
	wait_results(13);
	assert_int_equal(t.opened[0], 1);
	assert_int_equal(t.opened[1], 2);
	assert_int_equal(t.opened[2], 1);
	assert_int_equal(count_descriptors(), t.descriptors + 1);
}

static void many_mirrors(void **state)
{
	enum { MIRRORS = FILES / 2, REGIONS = 5 };
	bool seen[MIRRORS][REGIONS] = {0};

	(void)state;
	for (unsigned m = 0; m < MIRRORS; m++) /* region m % 4 of each differs */
		file_poke(2 * m + 1, (m % 4) * REGION_SECTORS * SECTOR + m,
			  (uint8_t)~file_peek(2 * m, (m % 4) * REGION_SECTORS * SECTOR + m));
	for (unsigned r = 0; r < REGIONS; r++) {
		for (unsigned m = 0; m < MIRRORS; m++) {
			struct mover_legs legs = legs_of(2, 2 * m);

			assert_int_equal(
			    mover_copy(t.mover, m, &legs, r, REGION_SECTORS, MLOG_COPY_REPAIR), 0);
		}
	}
	wait_results(MIRRORS * REGIONS);
	for (unsigned i = 0; i < t.results; i++) {
		struct result *r = &t.result[i];

		assert_true(r->cookie < MIRRORS && r->region < REGIONS);
		assert_false(seen[r->cookie][r->region]);
		seen[r->cookie][r->region] = true;
		assert_int_equal(r->result,
				 r->region == r->cookie % 4 ? MLOG_COPY_REPAIRED : MLOG_COPY_SAME);
		assert_int_equal(r->error, 0);
	}
	assert_int_equal(count_descriptors(), t.descriptors + 1);
	for (unsigned m = 0; m < MIRRORS; m++) {
		uint64_t at = (m % 4) * REGION_SECTORS * SECTOR + m;

		assert_int_equal(file_peek(2 * m, at), file_peek(2 * m + 1, at));
	}
}

static void destroy_with_jobs(void **state)
{
	(void)state;
	hold_opens(true);
	for (unsigned i = 0; i < 64; i++) {
		struct mover_legs legs = legs_of(2, i % 8);

		assert_int_equal(
		    mover_copy(t.mover, i % 8, &legs, i % 4, REGION_SECTORS, MLOG_COPY_REPAIR), 0);
	}
	hold_opens(false);
	t.mover = mover_destroy(t.mover);
	assert_null(t.mover);
	assert_int_equal(t.results, 0);
	assert_int_equal(count_descriptors(), t.descriptors);
	assert_null(mover_destroy(NULL));
}

static int loop_attach(unsigned file, dev_t *ret)
{
	struct loop_config config = {.info.lo_flags = LO_FLAGS_AUTOCLEAR};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	char path[128];
	struct stat st;
	int backing;
	int fd = -1;

	if (control < 0)
		return -1;
	file_path(file, path, sizeof(path));
	backing = open(path, O_RDWR | O_CLOEXEC);
	assert_true(backing >= 0);
	config.fd = (uint32_t)backing;
	for (int attempt = 0; attempt < 8 && fd < 0; attempt++) { /* others take loop devices too */
		int number = ioctl(control, LOOP_CTL_GET_FREE);

		snprintf(path, sizeof(path), "/dev/loop%d", number);
		fd = number < 0 ? -1 : open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) != 0) {
			close(fd);
			fd = -1;
		}
	}
	close(backing);
	close(control);
	if (fd >= 0) {
		assert_int_equal(fstat(fd, &st), 0);
		*ret = st.st_rdev;
	}
	return fd;
}

/* The way legs are opened in earnest: by number, on block devices. */
static void loop_devices(void **state)
{
	struct mover_legs legs = legs_of(2, 0);
	int fd[2];

	(void)state;
	file_poke(1, 3 * REGION_SECTORS * SECTOR,
		  (uint8_t)~file_peek(0, 3 * REGION_SECTORS * SECTOR));
	for (unsigned i = 0; i < 2; i++) {
		fd[i] = loop_attach(i, &legs.leg[i].devno);
		if (fd[i] < 0) {
			print_message("no loop devices here\n");
			if (i == 1)
				close(fd[0]);
			skip();
		}
	}
	mover_destroy(t.mover);
	assert_int_equal(mover_create(2, on_done, &t, &t.mover), 0);
	for (uint64_t r = 0; r < 5; r++)
		assert_int_equal(mover_copy(t.mover, 1, &legs, r, REGION_SECTORS, MLOG_COPY_REPAIR),
				 0);
	wait_results(5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(t.result[i].result,
				 t.result[i].region == 3 ? MLOG_COPY_REPAIRED : MLOG_COPY_SAME);
	close(fd[0]);
	close(fd[1]);
	assert_int_equal(file_peek(1, 3 * REGION_SECTORS * SECTOR),
			 file_peek(0, 3 * REGION_SECTORS * SECTOR));
}

static int setup(void **state)
{
	(void)state;
	t.results = 0;
	memset(t.open_error, 0, sizeof(t.open_error));
	memset(t.open_for_reading_only, 0, sizeof(t.open_for_reading_only));
	memset(t.opened, 0, sizeof(t.opened));
	memset(t.opened_for_writing, 0, sizeof(t.opened_for_writing));
	for (unsigned i = 0; i < FILES; i++)
		file_fill(i, 0, FILE_BYTES);
	t.descriptors = count_descriptors();
	return mover_create_with(4, on_done, &t, open_file, &t.mover);
}

static int teardown(void **state)
{
	(void)state;
	t.mover = mover_destroy(t.mover);
	return 0;
}

static int group_setup(void **state)
{
	(void)state;
	strcpy(t.directory, "test_mover.XXXXXX");
	return mkdtemp(t.directory) == NULL ? -1 : 0;
}

static int group_teardown(void **state)
{
	char path[128];

	(void)state;
	for (unsigned i = 0; i < FILES; i++) {
		file_path(i, path, sizeof(path));
		unlink(path);
	}
	return rmdir(t.directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(equal, setup, teardown),
	    cmocka_unit_test_setup_teardown(differ_compare, setup, teardown),
	    cmocka_unit_test_setup_teardown(differ_repair, setup, teardown),
	    cmocka_unit_test_setup_teardown(leg_offset, setup, teardown),
	    cmocka_unit_test_setup_teardown(short_last_region, setup, teardown),
	    cmocka_unit_test_setup_teardown(bad_arguments, setup, teardown),
	    cmocka_unit_test_setup_teardown(failures, setup, teardown),
	    cmocka_unit_test_setup_teardown(legs_shared, setup, teardown),
	    cmocka_unit_test_setup_teardown(many_mirrors, setup, teardown),
	    cmocka_unit_test_setup_teardown(destroy_with_jobs, setup, teardown),
	    cmocka_unit_test_setup_teardown(loop_devices, setup, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
