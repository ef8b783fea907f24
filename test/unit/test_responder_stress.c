/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way of a request under real threads, as in the daemon: two responders, the loop, which has
 * the core's lock and changes the registry meanwhile, and threads that play the kernel. Also built
 * with ThreadSanitizer, for the rings, registry, counters and hot maps that the threads share.
 *
 * Each of the kernel's threads has logs of its own, which it makes, marks and ends; it asks about
 * the others' as well. Checked: each request is answered once, with what it must hear; each is
 * counted once; a mark is held when it is answered. RESPONDER_STRESS_MS says for how long (2000).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/kernel_netlink.h"
#include "daemons/dlmirrord/responder.h"

#define SOCKETS	     2U
#define KERNELS	     4U
#define LOGS	     2U /* of each of the kernel's threads */
#define REGIONS	     64U
#define SHIFT	     2U
#define WAIT_S	     20
#define RESTART_MS   100U
#define RESPONDED_MS 1U

struct kernel {
	unsigned index;
	uint32_t random;
	uint32_t sent;
	sem_t answered;
	_Atomic uint32_t answers; /* of the request under way */
	uint32_t seq;
	int32_t error;
	bool open[LOGS];
	uint64_t requests;
};

static struct {
	pthread_mutex_t core_lock;
	struct registry registry;
	struct responders *responders;
	int kernel_end[SOCKETS];
	struct kernel kernel[KERNELS];
	_Atomic bool stop;
	_Atomic unsigned running;
	_Atomic unsigned wrong; /* answers that no kernel waits for */

	/* under core_lock */
	uint64_t handled; /* replies that no log counts: CTR, DTR, unknown log */
	uint64_t counted; /* of logs that have ended */
	uint64_t taken;	  /* items */
	uint64_t cleared; /* of these, CLEARs that were answered already */
	uint32_t random;
	uint64_t upkeep[3]; /* bits dropped, gates closed, logs ended */
} s = {.core_lock = PTHREAD_MUTEX_INITIALIZER};

static uint32_t random_next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* ---- in place of the kernel's socket */

ssize_t kernel_netlink_receive(int fd, void *datagram, size_t cap, bool nonblock)
{
	ssize_t size = recv(fd, datagram, cap, nonblock ? MSG_DONTWAIT : 0);

	return size < 0 ? -errno : size;
}

int kernel_netlink_send(int fd, const void *datagram, size_t size)
{
	struct kernel *kernel;
	struct kmsg k;

	(void)fd;
	(void)kmsg_decode(datagram, size, &k); /* a reply: the header is what counts */
	kernel = &s.kernel[k.seq % KERNELS];
	if (atomic_fetch_add(&kernel->answers, 1) != 0) {
		atomic_fetch_add(&s.wrong, 1);
		return 0;
	}
	kernel->seq = k.seq;
	/* The header ends with error, seq, type and data size. */
	memcpy(&kernel->error, (const uint8_t *)datagram + KMSG_HEADER_SIZE - 16, sizeof(int32_t));
	sem_post(&kernel->answered);
	return 0;
}

/* ---- the kernel */

static uint64_t luid_of(const struct kernel *kernel, unsigned log)
{
	return 1000 + kernel->index * LOGS + log;
}

static int32_t ask(struct kernel *kernel, uint64_t luid, enum ulog_type type, const void *data,
		   uint32_t size)
{
	uint8_t datagram[KMSG_SIZE_MAX];
	struct kmsg k = {
	    .version = 3,
	    .luid = luid,
	    .seq = ++kernel->sent * KERNELS + kernel->index,
	    .type = type,
	    .request_type = (uint32_t)type,
	    .data = data,
	    .data_size = size,
	};
	struct timespec until;
	size_t bytes;
	int end = s.kernel_end[random_next(&kernel->random) % SOCKETS];

	k.cn_seq = k.seq;
	snprintf(k.uuid, sizeof(k.uuid), "log-%u", (unsigned)luid);
	bytes = kmsg_encode_request(&k, datagram, sizeof(datagram));
	assert_true(bytes > 0);
	atomic_store(&kernel->answers, 0);
	kernel->requests++;
	assert_int_equal(send(end, datagram, bytes, 0), (ssize_t)bytes);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	if (sem_timedwait(&kernel->answered, &until) != 0) {
		fprintf(stderr, "no answer to a request of type %d, seq %u\n", (int)type, k.seq);
		abort();
	}
	if (kernel->seq != k.seq) {
		fprintf(stderr, "answer %u to request %u\n", kernel->seq, k.seq);
		abort();
	}
	return kernel->error;
}

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static void own_step(struct kernel *kernel, unsigned log)
{
	uint64_t luid = luid_of(kernel, log);
	uint64_t region[3];
	uint32_t count = 1 + random_next(&kernel->random) % 3;
	uint32_t first = random_next(&kernel->random) % (REGIONS - 3);

	for (uint32_t i = 0; i < count; i++)
		region[i] = first + i;
	if (random_next(&kernel->random) % 32 == 0) {
		must(ask(kernel, luid, ULOG_DTR, NULL, 0) == 0, "DTR failed");
		kernel->open[log] = false;
	} else if (random_next(&kernel->random) % 2 == 0) {
		must(ask(kernel, luid, ULOG_MARK_REGION, region, count * 8) == 0, "MARK failed");
	} else {
		must(ask(kernel, luid, ULOG_CLEAR_REGION, region, count * 8) == 0, "CLEAR failed");
	}
}

static void kernel_step(struct kernel *kernel)
{
	unsigned log = random_next(&kernel->random) % LOGS;
	uint64_t other = 1000 + random_next(&kernel->random) % (KERNELS * LOGS);
	uint64_t region = random_next(&kernel->random) % REGIONS;
	int32_t error;

	if (random_next(&kernel->random) % 2 == 0) {
		error = ask(kernel, other,
			    random_next(&kernel->random) % 2 == 0 ? ULOG_IN_SYNC : ULOG_IS_CLEAN,
			    &region, sizeof(region));
		must(error == 0 || error == -ESRCH, "a query heard something else");
	} else if (!kernel->open[log]) {
		must(ask(kernel, luid_of(kernel, log), ULOG_CTR, "args", 4) == 0, "CTR failed");
		kernel->open[log] = true;
	} else {
		own_step(kernel, log);
	}
}

static void *kernel_main(void *argument)
{
	while (!atomic_load(&s.stop))
		kernel_step(argument);
	atomic_fetch_sub(&s.running, 1);
	return NULL;
}

/* ---- the core, with its lock */

static void answer(const struct kmsg *k, int32_t error)
{
	uint8_t datagram[KMSG_SIZE_MAX];

	kernel_netlink_send(-1, datagram,
			    kmsg_encode_reply(k, error, NULL, 0, datagram, sizeof(datagram)));
}

static void log_begin(const struct kmsg *k)
{
	struct log *log = calloc(1, sizeof(*log));
	void *maps = calloc(1, hot_bytes(REGIONS, SHIFT));

	assert_true(log != NULL && maps != NULL);
	log->luid = k->luid;
	memcpy(log->uuid, k->uuid, sizeof(log->uuid));
	pthread_mutex_init(&log->mark_lock, NULL);
	log->state.maps = maps;
	hot_bind(&log->hot, maps, REGIONS, SHIFT);
	atomic_store(&log->hot.shared->open, 1);
	assert_int_equal(registry_add(&s.registry, log), 0);
}

static uint64_t log_counted(const struct log *log)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < DLMIRROR_TYPES; i++)
		count += atomic_load(&log->stats.type[i].count);
	return count;
}

/* Only when nobody adds. */
static uint64_t log_in_buckets(const struct log *log)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < DLMIRROR_TYPES; i++)
		for (unsigned b = 0; b < DLMIRROR_BUCKETS; b++)
			count += atomic_load(&log->stats.type[i].bucket[b]);
	return count;
}

static void log_end(struct log *log)
{
	registry_remove(&s.registry, log);
	s.counted += log_counted(log);
	assert_int_equal(log_in_buckets(log), log_counted(log));
	s.upkeep[2]++;
	pthread_mutex_destroy(&log->mark_lock);
	free(log->state.maps);
	free(log);
}

/* A MARK of a clean or gated region, or a CLEAR; as the core obeys it. */
static void obey(struct log *log, const struct kmsg *k, uint64_t received_us)
{
	struct mlog_request request;

	assert_int_equal(kmsg_request(k, REGIONS, &request), KMSG_OK);
	assert_int_equal(request.type, ULOG_MARK_REGION);
	pthread_mutex_lock(&log->mark_lock);
	for (uint32_t i = 0; i < request.region_count; i++) {
		hot_gate_open(&log->hot, request.region[i]);
		hot_dirty_set(&log->hot, request.region[i] >> SHIFT);
		assert_true(hot_held(&log->hot, request.region[i]));
	}
	pthread_mutex_unlock(&log->mark_lock);
	stats_add(&log->stats, k->type, 0, clock_us() - received_us);
	answer(k, 0);
}

static void take(void *context, const struct handoff_item *item)
{
	struct log *log;
	struct kmsg k;

	(void)context;
	s.taken++;
	assert_int_equal(kmsg_decode(item->datagram, item->size, &k), KMSG_OK);
	log = registry_find(&s.registry, k.luid);
	if (item->cleared) {
		s.cleared++;
	} else if (k.type == ULOG_CTR) {
		assert_null(log);
		log_begin(&k);
		s.handled++;
		answer(&k, 0);
	} else if (k.type == ULOG_DTR) {
		assert_non_null(log);
		log_end(log);
		s.handled++;
		answer(&k, 0);
	} else if (log == NULL) {
		s.handled++;
		answer(&k, -ESRCH);
	} else if (k.type == ULOG_MARK_REGION) {
		obey(log, &k, item->received_us);
	} else {
		/* It was made after the responder had looked. */
		s.handled++;
		answer(&k, 0);
	}
}

/* What the loop does beside: bits leave the disk, gates close and open, an admin looks. */
static void upkeep(void)
{
	struct log *log;
	uint64_t region;

	if (s.registry.count == 0)
		return;
	log = s.registry.log[random_next(&s.random) % s.registry.count];
	region = random_next(&s.random) % REGIONS;
	if (!hot_busy(&log->hot, region >> SHIFT) && hot_dirty(&log->hot, region))
		s.upkeep[0] += hot_dirty_drop(&log->hot, region >> SHIFT);
	region = random_next(&s.random) % REGIONS;
	if (hot_gated(&log->hot, region)) {
		hot_gate_open(&log->hot, region);
	} else {
		(void)hot_gate_close(&log->hot, region);
		s.upkeep[1]++;
	}
	hot_in_sync_set(&log->hot, region, random_next(&s.random) % 2 == 0);
	(void)log_counted(log);
	assert_ptr_equal(registry_find_id(&s.registry, log->id), log);
}

static void loop_once(void)
{
	struct pollfd fd = {.fd = responders_fd(s.responders), .events = POLLIN};

	poll(&fd, 1, (int)RESPONDED_MS);
	pthread_mutex_lock(&s.core_lock);
	responders_dispatch(s.responders);
	upkeep();
	pthread_mutex_unlock(&s.core_lock);
}

static uint64_t run_ms(void)
{
	const char *text = getenv("RESPONDER_STRESS_MS");

	return text != NULL ? strtoull(text, NULL, 10) : 2000;
}

static void world_start(int sockets[SOCKETS])
{
	const struct responders_core core = {.lock = &s.core_lock, .take = take};

	s.random = 12345;
	assert_int_equal(registry_create(&s.registry), 0);
	for (unsigned i = 0; i < SOCKETS; i++) {
		int ends[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
		sockets[i] = ends[0];
		s.kernel_end[i] = ends[1];
	}
	assert_int_equal(responders_create(&s.registry, sockets, SOCKETS, &core, &s.responders), 0);
	assert_int_equal(responders_start(s.responders, 0), 0);
}

static void test_stress(void **state)
{
	pthread_t thread[KERNELS];
	int sockets[SOCKETS];
	uint64_t end_ms = clock_ms() + run_ms();
	uint64_t restart_ms = clock_ms() + RESTART_MS;
	uint64_t requests = 0;
	unsigned restarts = 0;

	(void)state;
	world_start(sockets);
	atomic_store(&s.running, KERNELS);
	for (unsigned i = 0; i < KERNELS; i++) {
		s.kernel[i].index = i;
		s.kernel[i].random = 77 + i;
		sem_init(&s.kernel[i].answered, 0, 0);
		assert_int_equal(pthread_create(&thread[i], NULL, kernel_main, &s.kernel[i]), 0);
	}
	while (atomic_load(&s.running) > 0) {
		loop_once();
		if (clock_ms() >= end_ms)
			atomic_store(&s.stop, true);
		/* A planned restart that is given up: nothing is lost meanwhile. */
		if (clock_ms() >= restart_ms) {
			restart_ms = clock_ms() + RESTART_MS;
			restarts++;
			pthread_mutex_lock(&s.core_lock);
			responders_stop(s.responders);
			responders_dispatch(s.responders);
			assert_int_equal(responders_start(s.responders, 0), 0);
			pthread_mutex_unlock(&s.core_lock);
		}
	}
	for (unsigned i = 0; i < KERNELS; i++) {
		pthread_join(thread[i], NULL);
		requests += s.kernel[i].requests;
	}
	responders_stop(s.responders);
	responders_dispatch(s.responders);
	while (s.registry.count > 0)
		log_end(s.registry.log[0]);
	assert_int_equal(s.wrong, 0);
	assert_int_equal(responders_counters(s.responders)->malformed, 0);
	assert_int_equal(responders_counters(s.responders)->stale, 0);
	assert_int_equal(responders_counters(s.responders)->requests, requests);
	assert_int_equal(s.counted + s.handled, requests);
	/* It was a stress, of all that is to be stressed. */
	assert_true(requests > 1000 && restarts > 0 && s.cleared > 0 && s.taken < requests);
	assert_true(s.upkeep[0] > 0 && s.upkeep[1] > 0 && s.upkeep[2] > KERNELS * LOGS);
	print_message(
	    "%llu requests, %llu to the core, %llu of them CLEARs behind a gate, %llu logs\n",
	    (unsigned long long)requests, (unsigned long long)s.taken,
	    (unsigned long long)s.cleared, (unsigned long long)s.upkeep[2]);
	s.responders = responders_destroy(s.responders);
	registry_destroy(&s.registry);
	for (unsigned i = 0; i < SOCKETS; i++) {
		close(sockets[i]);
		close(s.kernel_end[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_stress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
