/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of the hot maps under real threads: two responders that also play the kernel, and a
 * loop that makes bits durable, drops them lazily and closes gates. test/check/tsan builds it for
 * TSan.
 *
 * What code under test never reads, but the checks do, each by its own atomics:
 *	disk	 per slot bit: on the log device. Set before hot_dirty_set(), cleared once
 *		 hot_dirty_drop() said yes
 *	writing	 per region: a write is in flight
 *	copying	 per region: the mover has it
 *
 * Checked:
 *	(a) no write in flight without its bit on disk,
 *	(b) none while its region is copied,
 *	(c) a gate that waits for a CLEAR hears of it,
 *	(d) a region that becomes in sync behind its gate is never answered as stale.
 * HOT_STRESS_SECONDS says for how long (default 2).
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/hot.h"

#define RESPONDERS 2U
#define REGIONS	   12U /* few, so that the threads meet */
#define SHIFT	   2U
#define SLOT_BITS  3U
#define GATES_MAX  3U
#define QUEUE_MAX  (2U * RESPONDERS) /* each has at most a MARK or a CLEARED, and a rest */
#define GROUP_MAX  3U
#define COPY_STEPS 20U

/* What a responder hands to the loop. */
struct item {
	unsigned responder;
	bool cleared; /* else a MARK */
	uint32_t count;
	uint64_t region[GROUP_MAX];
};

struct gate {
	bool used;
	bool moving;
	uint64_t region;
	unsigned steps;
};

static struct {
	struct hot hot;
	atomic_bool stop;
	atomic_uint running; /* responders */
	_Atomic uint64_t disk[SLOT_BITS];
	atomic_bool writing[REGIONS];
	atomic_bool copying[REGIONS];
	atomic_bool answered[RESPONDERS]; /* the loop answered the MARK */
	/* violations */
	atomic_ullong write_not_durable;
	atomic_ullong write_while_copied;
	atomic_ullong clear_missed;

	pthread_mutex_t mark_lock; /* as in the daemon, and here also of seq and the queue */
	uint32_t seq;
	struct item queue[QUEUE_MAX];
	unsigned queued;

	/* the loop's: what waits, and what happened */
	struct item pending[RESPONDERS];
	bool pends[RESPONDERS];
	struct gate gate[GATES_MAX];
	unsigned long long drops, drops_taken_back, copies, gates_quiet, gates_armed, gates_marked;
	unsigned long long cleared;
	atomic_ullong marks, marks_at_once, regions_marked;
} s = {.mark_lock = PTHREAD_MUTEX_INITIALIZER};

static uint32_t random_next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* ---- a responder and its kernel ---- */

/* One request, answered as responder.c does it; what the loop must see is queued under the lock, so
 * that the loop can tell a message that is late from one that never comes. */
static enum hot_verdict ask(enum ulog_type type, const struct item *item)
{
	struct mlog_request request = {.type = type, .region_count = item->count};
	struct mlog_reply reply;
	enum hot_verdict verdict;
	bool cleared;

	memcpy(request.region, item->region, item->count * sizeof(item->region[0]));
	pthread_mutex_lock(&s.mark_lock);
	request.seq = ++s.seq;
	verdict = hot_answer(&s.hot, &request, &reply, &cleared);
	if (verdict == HOT_HAND_OVER || cleared) {
		struct item *place = &s.queue[s.queued++];

		if (s.queued > QUEUE_MAX)
			abort();
		*place = *item;
		place->cleared = cleared;
	}
	pthread_mutex_unlock(&s.mark_lock);
	return verdict;
}

static void write_check(const struct item *item)
{
	for (uint32_t i = 0; i < item->count; i++) {
		if (!atomic_load(&s.disk[item->region[i] >> SHIFT]))
			atomic_fetch_add(&s.write_not_durable, 1);
		if (atomic_load(&s.copying[item->region[i]]))
			atomic_fetch_add(&s.write_while_copied, 1);
	}
}

static void write_window(const struct item *item, unsigned length)
{
	for (uint32_t i = 0; i < item->count; i++)
		atomic_store(&s.writing[item->region[i]], true);
	write_check(item);
	for (unsigned i = 0; i < length; i++)
		write_check(item);
	for (uint32_t i = 0; i < item->count; i++)
		atomic_store(&s.writing[item->region[i]], false);
}

/* A few regions of this responder: the kernel never has two groups with the same region in flight.
 */
static void choose(struct item *item, uint32_t *random)
{
	uint64_t first = random_next(random) % (REGIONS / RESPONDERS);

	item->count = 1 + random_next(random) % GROUP_MAX;
	for (uint32_t i = 0; i < item->count; i++)
		item->region[i] =
		    (first + i) % (REGIONS / RESPONDERS) * RESPONDERS + item->responder;
}

static void mark_and_write(struct item *item, uint32_t *random)
{
	atomic_fetch_add(&s.marks, 1);
	atomic_fetch_add(&s.regions_marked, item->count);
	atomic_store(&s.answered[item->responder], false);
	if (ask(ULOG_MARK_REGION, item) == HOT_ANSWERED)
		atomic_fetch_add(&s.marks_at_once, 1);
	else
		while (!atomic_load(&s.answered[item->responder]))
			sched_yield();
	write_window(item, random_next(random) % 8);
}

static void *responder_main(void *argument)
{
	struct item item = {.responder = (unsigned)(uintptr_t)argument};
	uint32_t random = 2463534242U + item.responder;

	while (!atomic_load(&s.stop)) {
		choose(&item, &random);
		mark_and_write(&item, &random);
		/* the kernel also marks again what is still marked */
		if (random_next(&random) % 4 == 0)
			mark_and_write(&item, &random);
		if (ask(ULOG_CLEAR_REGION, &item) != HOT_ANSWERED)
			abort();
	}
	atomic_fetch_sub(&s.running, 1);
	return NULL;
}

/* ---- the loop ---- */

static bool item_has(const struct item *item, uint64_t region)
{
	for (uint32_t i = 0; i < item->count; i++)
		if (item->region[i] == region)
			return true;
	return false;
}

static bool mark_waits_for(uint64_t region)
{
	for (unsigned i = 0; i < RESPONDERS; i++)
		if (s.pends[i] && item_has(&s.pending[i], region))
			return true;
	return false;
}

static void copy_start(struct gate *gate)
{
	gate->moving = true;
	gate->steps = COPY_STEPS;
	atomic_store(&s.copying[gate->region], true);
}

static void gate_arm(uint64_t region)
{
	struct gate *gate = s.gate;

	while (gate < s.gate + GATES_MAX && gate->used)
		gate++;
	if (gate == s.gate + GATES_MAX || hot_gated(&s.hot, region))
		return;
	*gate = (struct gate){.used = true, .region = region};
	if (mark_waits_for(region)) {
		hot_gate_close(&s.hot, region);
		s.gates_marked++;
		copy_start(gate);
	} else if (hot_gate_close(&s.hot, region)) {
		s.gates_quiet++;
		copy_start(gate);
	} else {
		s.gates_armed++;
	}
}

static void gates_advance(void)
{
	for (struct gate *gate = s.gate; gate < s.gate + GATES_MAX; gate++) {
		if (!gate->moving)
			continue;
		if (atomic_load(&s.writing[gate->region]))
			atomic_fetch_add(&s.write_while_copied, 1);
		if (--gate->steps > 0)
			continue;
		s.copies++;
		atomic_store(&s.copying[gate->region], false);
		hot_gate_open(&s.hot, gate->region);
		*gate = (struct gate){.used = false};
	}
}

/* An armed gate looks again only when it is told of its region, as in core/repair.c. */
static void gates_told(const struct item *item)
{
	for (struct gate *gate = s.gate; gate < s.gate + GATES_MAX; gate++)
		if (gate->used && !gate->moving && item_has(item, gate->region) &&
		    (!item->cleared || !hot_held(&s.hot, gate->region)))
			copy_start(gate);
}

/* (c): with the lock nothing is under way between the maps and the queue. */
static void gates_check(void)
{
	pthread_mutex_lock(&s.mark_lock);
	for (struct gate *gate = s.gate; gate < s.gate + GATES_MAX; gate++) {
		bool told = !gate->used || gate->moving || hot_held(&s.hot, gate->region);

		for (unsigned i = 0; i < s.queued && !told; i++)
			told = item_has(&s.queue[i], gate->region);
		if (!told)
			atomic_fetch_add(&s.clear_missed, 1);
	}
	pthread_mutex_unlock(&s.mark_lock);
}

static void queue_take(void)
{
	struct item taken[QUEUE_MAX];
	unsigned count;

	pthread_mutex_lock(&s.mark_lock);
	count = s.queued;
	memcpy(taken, s.queue, count * sizeof(taken[0]));
	s.queued = 0;
	pthread_mutex_unlock(&s.mark_lock);
	for (unsigned i = 0; i < count; i++) {
		if (taken[i].cleared) {
			s.cleared++;
		} else {
			s.pending[taken[i].responder] = taken[i];
			s.pends[taken[i].responder] = true;
		}
		gates_told(&taken[i]);
	}
}

static bool item_ready(const struct item *item)
{
	for (uint32_t i = 0; i < item->count; i++)
		if (!hot_dirty(&s.hot, item->region[i]) || hot_gated(&s.hot, item->region[i]))
			return false;
	return true;
}

static void marks_answer(uint32_t *random)
{
	for (unsigned i = 0; i < RESPONDERS; i++) {
		if (!s.pends[i])
			continue;
		for (uint32_t k = 0; k < s.pending[i].count; k++) {
			uint64_t bit = s.pending[i].region[k] >> SHIFT;

			/* a write to the log device takes its time */
			if (!hot_dirty(&s.hot, s.pending[i].region[k]) &&
			    random_next(random) % 4 == 0) {
				atomic_store(&s.disk[bit], 1);
				hot_dirty_set(&s.hot, bit);
			}
		}
		if (item_ready(&s.pending[i])) {
			s.pends[i] = false;
			atomic_store(&s.answered[i], true);
		}
	}
}

/* Not asking hot_busy() first, as the core does, makes the threads meet more often. */
static void drop(uint64_t bit)
{
	if (!atomic_load(&s.disk[bit]) || !hot_dirty(&s.hot, bit << SHIFT))
		return;
	if (hot_dirty_drop(&s.hot, bit)) {
		atomic_store(&s.disk[bit], 0);
		s.drops++;
	} else {
		s.drops_taken_back++;
	}
}

static void loop_run(double seconds)
{
	struct timespec start;
	struct timespec now;
	uint32_t random = 88172645;
	unsigned round = 0;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (atomic_load(&s.running) > 0) {
		queue_take();
		marks_answer(&random);
		if (random_next(&random) % 4 == 0)
			drop(random_next(&random) % SLOT_BITS);
		if (random_next(&random) % 16 == 0)
			gate_arm(random_next(&random) % REGIONS);
		gates_advance();
		if (++round % 64 != 0)
			continue;
		gates_check();
		clock_gettime(CLOCK_MONOTONIC, &now);
		if ((double)(now.tv_sec - start.tv_sec) +
			(double)(now.tv_nsec - start.tv_nsec) * 1e-9 >=
		    seconds)
			atomic_store(&s.stop, true);
	}
}

static unsigned long long heat_sum(void)
{
	unsigned long long sum = 0;

	for (uint32_t i = 0; i < hot_stretches(&s.hot); i++)
		sum += atomic_load(&s.hot.heat[i]);
	return sum;
}

static void stress(void **state)
{
	const char *text = getenv("HOT_STRESS_SECONDS");
	double seconds = text != NULL ? strtod(text, NULL) : 2;
	void *memory = calloc(1, hot_bytes(REGIONS, SHIFT));
	pthread_t thread[RESPONDERS];

	(void)state;
	assert_non_null(memory);
	hot_bind(&s.hot, memory, REGIONS, SHIFT);
	assert_int_equal(hot_slot_bits(&s.hot), SLOT_BITS);
	atomic_store(&s.hot.shared->open, 1);
	atomic_store(&s.running, RESPONDERS);
	for (uintptr_t i = 0; i < RESPONDERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, responder_main, (void *)i), 0);
	loop_run(seconds);
	for (unsigned i = 0; i < RESPONDERS; i++)
		pthread_join(thread[i], NULL);

	print_message(
	    "%llu marks (%llu at once), %llu drops (%llu taken back), %llu copies (gates: "
	    "%llu quiet, %llu armed, %llu on a waiting mark), %llu clears told\n",
	    atomic_load(&s.marks), atomic_load(&s.marks_at_once), s.drops, s.drops_taken_back,
	    s.copies, s.gates_quiet, s.gates_armed, s.gates_marked, s.cleared);
	assert_int_equal(atomic_load(&s.write_not_durable), 0);
	assert_int_equal(atomic_load(&s.write_while_copied), 0);
	assert_int_equal(atomic_load(&s.clear_missed), 0);
	assert_int_equal(heat_sum(), atomic_load(&s.regions_marked));
	/* each way was gone, or the test says nothing */
	assert_true(atomic_load(&s.marks_at_once) > 0);
	assert_true(atomic_load(&s.marks) > atomic_load(&s.marks_at_once));
	assert_true(s.drops > 0 && s.copies > 0 && s.gates_quiet > 0);
	free(memory);
}

/* ---- what was recovered, and all know it now ---- */

#define RECOVERED 4096U

static struct {
	struct hot hot;
	_Atomic uint64_t next; /* the loop opens the gates below */
} told;

static void *told_main(void *argument)
{
	(void)argument;
	for (uint64_t region = 0; region < RECOVERED; region++) {
		while (atomic_load(&told.next) <= region)
			sched_yield();
		hot_in_sync_set(&told.hot, region, true);
		hot_gate_open(&told.hot, region);
	}
	return NULL;
}

static void recovered_regions(void **state)
{
	void *memory = calloc(1, hot_bytes(RECOVERED, 0));
	unsigned waited = 0;
	pthread_t thread;

	(void)state;
	assert_non_null(memory);
	hot_bind(&told.hot, memory, RECOVERED, 0);
	atomic_store(&told.hot.shared->open, 1);
	for (uint64_t region = 0; region < RECOVERED; region++)
		hot_gate_close(&told.hot, region);
	assert_int_equal(pthread_create(&thread, NULL, told_main, NULL), 0);
	for (uint64_t region = 0; region < RECOVERED; region++) {
		struct mlog_request request = {.type = ULOG_IN_SYNC, .region_count = 1};
		struct mlog_reply reply;
		bool cleared;

		request.region[0] = region;
		atomic_store(&told.next, region + 1);
		while (hot_answer(&told.hot, &request, &reply, &cleared) != HOT_ANSWERED)
			waited++;
		assert_int_equal(reply.word[0], 1);
	}
	pthread_join(thread, NULL);
	assert_int_equal(hot_next_unseen(&told.hot, 0), RECOVERED);
	assert_true(waited > 0);
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(stress),
					   cmocka_unit_test(recovered_regions)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
