/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/sim/world.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "test/sim/change.h"
#include "test/sim/checker.h"
#include "test/sim/logdev.h"
#include "test/sim/faults.h"
#include "test/sim/fence.h"
#include "test/sim/cpg.h"
#include "test/sim/kernel.h"
#include "test/sim/legs.h"
#include "test/sim/locks.h"
#include "test/sim/node.h"

#define CHUNK_SIZE    (1U << 20)
#define EVENTS_MAX    UINT64_C(20000000)
#define LOOK_US	      (1 * SECOND_US)
#define CONVERGE_US   (200 * MS_US)
#define IDLE_MAX_US   (60 * SECOND_US)
#define FENCES_MAX    64U /* see random_spread() */
#define HASH_START    UINT64_C(0xcbf29ce484222325)
#define HASH_MULTIPLY UINT64_C(0x9fb21c651e98df25)

/* All memory of a run comes from chunks that the next run uses again. */
struct chunk {
	struct chunk *next;
	size_t used;
	uint8_t byte[];
};

struct world {
	const struct scenario *scenario;
	struct queue queue;
	uint64_t now_us;
	struct random random[RANDOM_STREAMS];
	struct chunk *chunk_first;
	struct chunk *chunk;
	struct node *node[SIM_NODES_MAX];
	struct mirror mirror[SIM_MIRRORS_MAX];
	struct change *change[SIM_MIRRORS_MAX];
	struct cpg *cpg;
	struct locks *locks;
	struct fence *fence;
	struct checker *checker;
	FILE *trace;
	world_watch_fn watch;
	void *watch_context;
	bool over;
	uint64_t limit_us; /* of the phase under way */
	uint64_t fence_limit_us;
	struct world_result result;
};

/* An assertion that fails in the code under test ends the run, not the simulator. */
static jmp_buf *assert_jump;
static struct world *assert_world;

_Noreturn void __assert_fail(const char *expression, const char *file, unsigned line,
			     const char *function);
void __assert_fail(const char *expression, const char *file, unsigned line, const char *function)
{
	const char *name = strrchr(file, '/');

	name = name == NULL ? file : name + 1;
	if (assert_jump == NULL) {
		fprintf(stderr, "%s:%u: %s: assertion failed: %s\n", name, line, function,
			expression);
		abort();
	}
	world_violation(assert_world, "assert", "%s, in %s() of %s", expression, function, name);
	longjmp(*assert_jump, 1);
}

/* ---- memory */

static struct chunk *chunk_create(size_t size)
{
	struct chunk *c = malloc(sizeof(*c) + size);

	if (c == NULL)
		abort();
	c->next = NULL;
	c->used = 0;
	return c;
}

void *world_alloc(struct world *w, size_t size)
{
	void *ret;

	size = (size + 15) & ~(size_t)15;
	assert(size <= CHUNK_SIZE);
	if (w->chunk->used + size > CHUNK_SIZE) {
		if (w->chunk->next == NULL)
			w->chunk->next = chunk_create(CHUNK_SIZE);
		w->chunk = w->chunk->next;
		w->chunk->used = 0;
	}
	ret = w->chunk->byte + w->chunk->used;
	w->chunk->used += size;
	memset(ret, 0, size);
	return ret;
}

struct world *world_create(void)
{
	struct world *w = calloc(1, sizeof(*w));

	if (w == NULL)
		abort();
	queue_create(&w->queue);
	w->chunk_first = chunk_create(CHUNK_SIZE);
	return w;
}

struct world *world_destroy(struct world *w)
{
	if (w == NULL)
		return NULL;
	for (struct chunk *c = w->chunk_first, *next; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
	queue_destroy(&w->queue);
	free(w);
	return NULL;
}

/* ---- what the parts ask for */

uint64_t world_now_us(const struct world *w)
{
	return w->now_us;
}

const struct scenario *world_scenario(const struct world *w)
{
	return w->scenario;
}

struct checker *world_checker(struct world *w)
{
	return w->checker;
}

unsigned world_nodes(const struct world *w)
{
	return w->scenario->nodes;
}

struct node *world_node(struct world *w, unsigned index)
{
	return w->node[index];
}

unsigned world_mirrors(const struct world *w)
{
	return w->scenario->mirrors;
}

struct mirror *world_mirror(struct world *w, unsigned index)
{
	return &w->mirror[index];
}

struct random *world_random(struct world *w, enum random_stream stream)
{
	return &w->random[stream];
}

struct cpg *world_cpg(struct world *w)
{
	return w->cpg;
}

struct locks *world_locks(struct world *w)
{
	return w->locks;
}

struct fence *world_fence(struct world *w)
{
	return w->fence;
}

struct change *world_change(struct world *w, unsigned mirror)
{
	return w->change[mirror];
}

void world_watch(struct world *w, world_watch_fn fn, void *context)
{
	w->watch = fn;
	w->watch_context = context;
}

bool world_watched(const struct world *w)
{
	return w->watch != NULL;
}

struct world_result *world_result(struct world *w)
{
	return &w->result;
}

uint64_t world_after(struct world *w, uint64_t delay_us, queue_fn fn, void *context,
		     uint64_t argument)
{
	return queue_add(&w->queue, w->now_us + delay_us, fn, context, argument);
}

void world_cancel(struct world *w, uint64_t handle)
{
	queue_cancel(&w->queue, handle);
}

/* ---- the trace */

static uint64_t hash_add(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * HASH_MULTIPLY;
	return hash ^ hash >> 32;
}

void world_trace_hash(struct world *w, uint64_t value)
{
	w->result.hash = hash_add(w->result.hash, value);
}

static void hash_line(struct world *w, const struct node *node, const char *text, size_t length)
{
	uint64_t hash = hash_add(w->result.hash, w->now_us);

	hash = hash_add(hash, node == NULL ? 0 : node_id(node));
	for (size_t at = 0; at < length; at += 8) {
		uint64_t word = 0;

		for (size_t i = at; i < at + 8 && i < length; i++)
			word = word << 8 | (uint8_t)text[i];
		hash = hash_add(hash, word);
	}
	w->result.hash = hash;
}

static void print_head(const struct world *w, const struct node *node)
{
	fprintf(w->trace, "%4" PRIu64 ".%06" PRIu64 " ", w->now_us / SECOND_US,
		w->now_us % SECOND_US);
	if (node == NULL)
		fprintf(w->trace, "     ");
	else
		fprintf(w->trace, "n%-3u ", node_id(node));
}

bool world_traces(const struct world *w)
{
	return w->trace != NULL;
}

void world_trace_text(struct world *w, const struct node *node, const char *text)
{
	print_head(w, node);
	fprintf(w->trace, "%s\n", text);
}

void world_trace_line(struct world *w, const struct node *node, const char *text, size_t length,
		      uint64_t a, uint64_t b, uint64_t c)
{
	hash_line(w, node, text, length);
	w->result.hash = hash_add(hash_add(hash_add(w->result.hash, a), b), c);
	if (w->trace == NULL)
		return;
	print_head(w, node);
	/* A text may use fewer than three. */
	/* cppcheck-suppress wrongPrintfScanfArgNum */
	fprintf(w->trace, text, a, b, c);
	fputc('\n', w->trace);
}

void world_violation(struct world *w, const char *what, const char *format, ...)
{
	va_list arguments;

	if (w->result.failed)
		return;
	w->result.failed = true;
	w->result.at_us = w->now_us;
	snprintf(w->result.what, sizeof(w->result.what), "%s", what);
	va_start(arguments, format);
	vsnprintf(w->result.text, sizeof(w->result.text), format, arguments);
	va_end(arguments);
	if (w->trace != NULL) {
		print_head(w, NULL);
		fprintf(w->trace, "VIOLATION %s: %s\n", w->result.what, w->result.text);
	}
}

bool world_violated(const struct world *w)
{
	return w->result.failed;
}

/* ---- the course of a run */

static void on_look(void *context, uint64_t argument)
{
	struct world *w = context;

	(void)argument;
	checker_look(w->checker);
	world_after(w, LOOK_US, on_look, w, 0);
}

static bool kernels_idle(struct world *w)
{
	for (unsigned n = 0; n < world_nodes(w); n++)
		for (unsigned m = 0; m < world_mirrors(w); m++) {
			struct kernel *k = node_kernel(w->node[n], m);

			if (k == NULL || !kernel_idle(k))
				return false;
		}
	return true;
}

/* The load has ended: what is under way ends too, and then all can be looked at. */
static void on_ending(void *context, uint64_t argument)
{
	struct world *w = context;

	(void)argument;
	/* While corosync forms a ring nothing is ordered, and that may take a minute. */
	if (!cpg_settled(w->cpg))
		w->limit_us = w->now_us + IDLE_MAX_US;
	if (kernels_idle(w)) {
		checker_final(w->checker);
		w->over = true;
	} else if (w->now_us > w->limit_us) {
		world_violation(w, "stuck",
				"kernels are not idle %" PRIu64 " s after the end of all load",
				IDLE_MAX_US / SECOND_US);
	} else {
		world_after(w, 10 * MS_US, on_ending, w, 0);
	}
}

static void load_end(struct world *w)
{
	for (unsigned n = 0; n < world_nodes(w); n++)
		for (unsigned m = 0; m < world_mirrors(w); m++)
			if (node_kernel(w->node[n], m) != NULL)
				kernel_load(node_kernel(w->node[n], m), false);
	world_trace(w, NULL, "the load ends", 0, 0, 0);
	w->limit_us = w->now_us + IDLE_MAX_US;
	world_after(w, 10 * MS_US, on_ending, w, 0);
}

/* For people: how the first mirror is that is not well, node by node. */
static void describe(struct world *w, char *ret, size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	for (unsigned m = 0; m < world_mirrors(w) && used < size; m++)
		for (unsigned n = 0; n < world_nodes(w) && used < size; n++) {
			const struct kernel *k = node_kernel(w->node[n], m);
			const struct mlog *core =
			    k == NULL ? NULL : node_mlog(w->node[n], kernel_luid(k));
			struct mlog_status status;
			bool suspect;

			if (core == NULL) {
				used +=
				    (size_t)snprintf(ret + used, size - used, "; n%u none", n + 1);
				continue;
			}
			mlog_status(core, &status);
			suspect = atomic_load(
				      &node_hot(w->node[n], kernel_luid(k))->shared->suspect) != 0;
			used += (size_t)snprintf(
			    ret + used, size - used,
			    "; n%u %s log %s sync %" PRIu64 "/%" PRIu64 " repair %" PRIu64
			    " members %" PRIu32 " gone %" PRIu32 "%s%s%s",
			    n + 1, mlog_phase_name(status.phase), mlog_log_state_name(status.log),
			    status.in_sync, status.region_count, status.repair, status.members,
			    status.gone, status.verifying ? " verifying" : "",
			    kernel_misled(k) ? " misled" : "", suspect ? " suspect" : "");
		}
}

/* All faults are over: the cluster heals. */
static void on_healing(void *context, uint64_t argument)
{
	struct world *w = context;
	char text[400];

	(void)argument;
	/* Nothing heals before who is to be fenced is dead, and one in 512 fencings takes 32 times
	 * as long. */
	if (fence_pending(w->fence) && w->now_us < w->fence_limit_us)
		w->limit_us = w->now_us + w->scenario->heal_us;
	if (checker_converged(w->checker)) {
		load_end(w);
	} else if (w->now_us > w->limit_us) {
		checker_final(w->checker);
		describe(w, text, sizeof(text));
		world_violation(w, "liveness", "not healed %" PRIu64 " s after the last fault%s",
				w->scenario->heal_us / SECOND_US, text);
	} else {
		world_after(w, CONVERGE_US, on_healing, w, 0);
	}
}

static void on_faults_over(void *context, uint64_t argument)
{
	struct world *w = context;

	(void)argument;
	world_trace(w, NULL, "all faults are over", 0, 0, 0);
	w->limit_us = w->now_us + w->scenario->heal_us;
	w->fence_limit_us = w->now_us + FENCES_MAX * w->scenario->fence_us;
	on_healing(w, 0);
}

static void mirrors_make(struct world *w)
{
	for (unsigned i = 0; i < w->scenario->mirrors; i++) {
		struct mirror *mirror = &w->mirror[i];

		*mirror = (struct mirror){.world = w, .index = i, .plan = &w->scenario->mirror[i]};
		snprintf(mirror->uuid, sizeof(mirror->uuid), "DLM-simulated-mirror-%u", i);
		mirror->legs = legs_create(mirror);
		for (unsigned d = 0; mirror->plan->has_disk && d < SIM_LOGDEVS; d++)
			mirror->logdev[d] = logdev_create(mirror, d > 0);
	}
}

static void build(struct world *w)
{
	w->cpg = cpg_create(w);
	w->fence = fence_create(w);
	w->locks = locks_create(w);
	mirrors_make(w);
	for (unsigned i = 0; i < w->scenario->nodes; i++)
		w->node[i] = node_create(w, i);
	for (unsigned i = 0; i < w->scenario->mirrors; i++)
		w->change[i] = change_create(&w->mirror[i]);
	w->checker = checker_create(w);
	for (unsigned i = 0; i < w->scenario->nodes; i++)
		world_after(w, w->scenario->start_us[i], node_power_on_at, w->node[i], 0);
	world_after(w, LOOK_US, on_look, w, 0);
	world_after(w, faults_start(w), on_faults_over, w, 0);
}

static void reset(struct world *w, const struct scenario *s, FILE *trace)
{
	w->scenario = s;
	w->now_us = 0;
	w->trace = trace;
	w->over = false;
	memset(w->node, 0, sizeof(w->node));
	queue_reset(&w->queue);
	w->chunk = w->chunk_first;
	w->chunk->used = 0;
	for (unsigned i = 0; i < RANDOM_STREAMS; i++)
		random_seed(&w->random[i], s->seed, i);
	w->result = (struct world_result){.seed = s->seed, .hash = HASH_START};
}

static void loop(struct world *w)
{
	struct queue_entry entry;
	uint64_t at_us;

	while (!w->over && !w->result.failed && queue_take(&w->queue, &at_us, &entry)) {
		w->now_us = at_us;
		if (w->watch != NULL)
			w->watch(w->watch_context, w);
		entry.fn(entry.context, entry.argument);
		if (++w->result.events == EVENTS_MAX)
			world_violation(w, "runaway", "%" PRIu64 " events and no end", EVENTS_MAX);
	}
}

void world_run(struct world *w, const struct scenario *s, FILE *trace, struct world_result *ret)
{
	jmp_buf jump;

	reset(w, s, trace);
	assert_world = w;
	if (setjmp(jump) == 0) {
		assert_jump = &jump;
		build(w);
		loop(w);
	}
	assert_jump = NULL;
	if (!w->result.failed)
		w->result.at_us = w->now_us;
	for (unsigned i = 0; i < s->nodes; i++)
		node_end(w->node[i], &w->result);
	*ret = w->result;
}
