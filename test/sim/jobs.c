/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/sim/jobs.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 8U /* seeds that a process takes at a time */

/* What one process has done; it alone writes it, and it outlives the process. */
struct worker {
	uint64_t seed; /* under way */
	bool running;
	struct jobs_summary summary;
};

struct board {
	_Atomic uint64_t next; /* seed that nobody has taken */
	_Atomic uint32_t failures;
	struct worker worker[];
};

static uint64_t now_ns(clockid_t which)
{
	struct timespec now;

	clock_gettime(which, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void failure_add(struct jobs_summary *s, uint64_t seed, uint64_t at_us, const char *what,
			const char *text)
{
	struct jobs_failure *f;

	if (s->failures == JOBS_FAILURES_MAX)
		return;
	f = &s->failure[s->failures++];
	f->seed = seed;
	f->at_us = at_us;
	snprintf(f->what, sizeof(f->what), "%s", what);
	snprintf(f->text, sizeof(f->text), "%.*s", (int)sizeof(f->text) - 1, text);
}

static void result_add(struct jobs_summary *s, const struct world_result *r)
{
	s->seeds++;
	s->virtual_us += r->at_us;
	s->node_us += r->node_us;
	s->requests += r->requests;
	s->messages += r->messages;
	s->events += r->events;
	s->fenced += r->fenced;
	/* The order in which processes take seeds must not matter. */
	s->hash += r->hash;
	for (unsigned i = 0; i < FAULT_KINDS; i++)
		s->fault[i] += r->fault[i];
	if (r->failed)
		failure_add(s, r->seed, r->at_us, r->what, r->text);
}

static void work(struct board *board, struct worker *self, const struct jobs_plan *plan,
		 uint64_t end_ns)
{
	static struct scenario scenario;
	struct world *w = world_create();
	struct world_result result;
	uint64_t started = now_ns(CLOCK_PROCESS_CPUTIME_ID);

	for (;;) {
		uint64_t first = atomic_fetch_add(&board->next, CHUNK);

		if (first > plan->last || now_ns(CLOCK_MONOTONIC) >= end_ns ||
		    (plan->failures != 0 && atomic_load(&board->failures) >= plan->failures))
			break;
		for (uint64_t seed = first; seed < first + CHUNK && seed <= plan->last; seed++) {
			self->seed = seed;
			self->running = true;
			scenario_draw_limited(&scenario, seed, plan->limits);
			world_run(w, &scenario, NULL, &result);
			self->running = false;
			result_add(&self->summary, &result);
			if (result.failed)
				atomic_fetch_add(&board->failures, 1);
		}
		self->summary.busy_ns += now_ns(CLOCK_PROCESS_CPUTIME_ID) - started;
		started = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	}
	world_destroy(w);
}

static pid_t spawn(struct board *board, unsigned index, const struct jobs_plan *plan,
		   uint64_t end_ns)
{
	pid_t pid = fork();

	if (pid == 0) {
		work(board, &board->worker[index], plan, end_ns);
		_exit(0);
	}
	return pid;
}

/* Waits for all, and starts another one where one crashed. */
static void wait_all(struct board *board, const struct jobs_plan *plan, pid_t *pid, uint64_t end_ns)
{
	int status;
	pid_t gone;

	while ((gone = wait(&status)) > 0) {
		for (unsigned i = 0; i < plan->jobs; i++) {
			struct worker *worker = &board->worker[i];
			char text[64];

			if (pid[i] != gone)
				continue;
			pid[i] = -1;
			if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
				continue;
			snprintf(text, sizeof(text), "the process ended with status %#x",
				 (unsigned)status);
			failure_add(&worker->summary, worker->seed, 0, "crash", text);
			atomic_fetch_add(&board->failures, 1);
			pid[i] = spawn(board, i, plan, end_ns);
		}
	}
}

static void summary_add(struct jobs_summary *to, const struct jobs_summary *from)
{
	to->seeds += from->seeds;
	to->virtual_us += from->virtual_us;
	to->node_us += from->node_us;
	to->busy_ns += from->busy_ns;
	to->requests += from->requests;
	to->messages += from->messages;
	to->events += from->events;
	to->fenced += from->fenced;
	to->hash += from->hash;
	for (unsigned i = 0; i < FAULT_KINDS; i++)
		to->fault[i] += from->fault[i];
	for (uint32_t i = 0; i < from->failures && to->failures < JOBS_FAILURES_MAX; i++)
		to->failure[to->failures++] = from->failure[i];
}

static int compare(const void *a, const void *b)
{
	const struct jobs_failure *x = a;
	const struct jobs_failure *y = b;

	return x->seed < y->seed ? -1 : x->seed > y->seed;
}

struct jobs_summary *jobs_run(const struct jobs_plan *plan)
{
	size_t size = sizeof(struct board) + plan->jobs * sizeof(struct worker);
	uint64_t end_ns = plan->seconds == 0
			      ? UINT64_MAX
			      : now_ns(CLOCK_MONOTONIC) + plan->seconds * UINT64_C(1000000000);
	struct jobs_summary *ret = calloc(1, sizeof(*ret));
	struct board *board =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid[JOBS_MAX];

	if (ret == NULL || board == MAP_FAILED) {
		free(ret);
		return NULL;
	}
	atomic_store(&board->next, plan->first);
	for (unsigned i = 0; i < plan->jobs; i++)
		pid[i] = spawn(board, i, plan, end_ns);
	wait_all(board, plan, pid, end_ns);
	for (unsigned i = 0; i < plan->jobs; i++)
		summary_add(ret, &board->worker[i].summary);
	munmap(board, size);
	qsort(ret->failure, ret->failures, sizeof(ret->failure[0]), compare);
	return ret;
}
