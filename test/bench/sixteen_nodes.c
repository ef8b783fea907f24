/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many nodes in the simulator, in real time: they join one after the other, all write, one loses
 * power, the others take its slot over and repair, it comes back. What that costs each daemon is
 * printed; a run in which the checker finds something, or something of it does not happen, fails.
 *
 * One mirror has a log device, the other has none. The run is made twice: first without a death and
 * without waiting, to see when all are members, because the death has to be planned before a run
 * begins. Up to the death both are the same.
 */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/mutate.h"
#include "test/sim/fence.h"
#include "test/sim/kernel.h"
#include "test/sim/logdev.h"
#include "test/sim/meter.h"
#include "test/sim/node.h"
#include "test/sim/world.h"

extern enum mutation mutation_active;

#define MIRRORS	     2U
#define NEVER	     UINT64_MAX
#define SAMPLE_US    (10 * MS_US) /* how exactly times are known */
#define START_GAP_US (250 * MS_US)
#define AWAY_US	     (12 * SECOND_US) /* how long the dead node stays away */
#define AFTER_US     (5 * SECOND_US)  /* the load goes on when it is back */
#define SETS_MAX     16U
#define SECONDS_MAX  3600U
#define REAL_REGIONS (UINT64_C(1) << 18) /* 1 TiB in regions of 4 MiB */
#define REAL_SECTORS 8192U
#define REAL_PAGE    512U
#define NS	     1e9

enum phase { PHASE_JOIN, PHASE_LOAD, PHASE_DEATH, PHASE_RETURN, PHASES };

static const char *const phase_names[PHASES] = {"join", "load", "death", "return"};

/* What --set may change; nodes, starts and the death are the program's. */
static const char *const course[] = {
    "mirrors 2",
    "last_man 0",
    "fence_us 1000000",
    "token_us 1000000",
    "message_us 500",
    "lock_us 1000",
    "device_us 1000",
    "leg_us 1000",
    "responder_us 20",
    "version_min 2",
    "version_max 2",
    "hysteresis_ms 3000",
    "sync_delay_ms 1000",
    "retry_ms 1000",
    "log_timeout_ms 5000",
    "lease 64",
    "copies 4",
    "busy_gap_ms 5",
    "drift_ppm 0",
    "heal_us 120000000",
    "mirror 0 regions 256 region_sectors 1024 has_disk 1 page_bytes 512 shift 0 sync 0 blank 0",
    "mirror 0 legs 2 integrated_flush 0 handle_errors 1 keep_log 0",
    "mirror 0 load.writers 4 load.readers 1 load.write_gap_us 200000 load.read_gap_us 200000",
    "mirror 0 load.hot_permille 500 load.hot_regions 64 load.long_permille 200",
    "mirror 0 load.discard_permille 0 load.own 0",
    "mirror 1 regions 256 region_sectors 1024 has_disk 0 page_bytes 512 shift 0 sync 1 blank 1",
    "mirror 1 legs 2 integrated_flush 0 handle_errors 1 keep_log 0",
    "mirror 1 load.writers 4 load.readers 1 load.write_gap_us 200000 load.read_gap_us 200000",
    "mirror 1 load.hot_permille 500 load.hot_regions 64 load.long_permille 200",
    "mirror 1 load.discard_permille 0 load.own 0",
};

struct options {
	uint32_t nodes;
	uint64_t seconds;
	uint64_t seed;
	double speed; /* 0: no waiting */
	bool each;
	bool print;
	unsigned sets;
	const char *set[SETS_MAX];
};

/* When something was first true of a mirror, or NEVER. */
struct moments {
	uint64_t members_us;   /* all nodes are */
	uint64_t missed_us;    /* a survivor has seen the dead one leave */
	uint64_t inherited_us; /* nobody is gone any more, and its slot is empty */
	uint64_t most_us;      /* of what it left, nine in ten are repaired */
	uint64_t repaired_us;  /* all of it; a region whose CLEAR a kernel has lost takes long */
	uint64_t back_us;      /* all are members again, nothing left to repair */
	uint64_t left;	       /* most regions that there were to repair */
	uint32_t slot;	       /* of the node that dies */
};

struct bench {
	const struct options *options;
	struct scenario scenario;
	uint32_t victim;
	bool rehearsal;
	enum phase phase;
	uint64_t begun_us[PHASES + 1];
	struct meter meter[PHASES + 1][SIM_NODES_MAX][SIM_MIRRORS_MAX + 1]; /* when each began */
	uint64_t longest_us[PHASES][MIRRORS]; /* that a read or write was under way */
	struct moments moments[MIRRORS];
	uint64_t sample_us; /* the next one */
	uint64_t started_ns;
	uint64_t lag_ns; /* most that was, and how it was last */
	uint64_t lag_last_ns;
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* ---- the course of a run */

static bool scenario_make(const struct options *o, struct scenario *ret)
{
	scenario_draw(ret, o->seed);
	ret->faults = 0;
	for (unsigned i = 0; i < sizeof(course) / sizeof(course[0]); i++)
		if (!scenario_read_line(course[i], ret))
			abort();
	ret->nodes = o->nodes;
	ret->mirror[0].slots = ret->mirror[1].slots = SIM_NODES_MAX;
	for (unsigned i = 0; i < o->sets; i++)
		if (!scenario_read_line(o->set[i], ret))
			return false;
	for (uint32_t i = 0; i < ret->nodes; i++)
		ret->start_us[i] = i * START_GAP_US;
	ret->load_us = ret->nodes * START_GAP_US;
	return scenario_valid(ret) && ret->nodes == o->nodes && ret->mirrors == MIRRORS &&
	       ret->faults == 0;
}

static void death_plan(struct bench *b, uint64_t members_us)
{
	struct scenario *s = &b->scenario;
	uint64_t at_us = members_us + b->options->seconds * SECOND_US;

	s->load_us = at_us + AWAY_US + AFTER_US;
	s->fault[0] = (struct fault){
	    .kind = FAULT_NODE_DEATH, .at_us = at_us, .duration_us = AWAY_US, .node = b->victim};
	s->faults = 1;
}

/* ---- looking at it */

static const struct mlog *core_of(struct world *w, uint32_t node, unsigned mirror)
{
	const struct kernel *k = node_kernel(world_node(w, node), mirror);

	return k == NULL ? NULL : node_mlog(world_node(w, node), kernel_luid(k));
}

struct sight {
	uint32_t members; /* active nodes that know of this many members, and of nobody gone */
	uint32_t gone;	  /* that know of somebody gone */
	uint64_t repair;  /* regions, on who knows of most */
};

/* members: as many as each must know of. */
static void sight_take(struct world *w, unsigned mirror, uint32_t members, struct sight *ret)
{
	*ret = (struct sight){0};
	for (uint32_t i = 0; i < world_nodes(w); i++) {
		const struct mlog *m = core_of(w, i, mirror);
		struct mlog_status status;

		if (m == NULL)
			continue;
		mlog_status(m, &status);
		if (status.phase == MLOG_ACTIVE && status.members == members && status.gone == 0)
			ret->members++;
		ret->gone += status.gone > 0 ? 1 : 0;
		if (status.repair > ret->repair)
			ret->repair = status.repair;
	}
}

static void first(uint64_t *moment_us, bool is, uint64_t now_us)
{
	if (is && *moment_us == NEVER)
		*moment_us = now_us;
}

static void slot_see(struct bench *b, struct world *w, unsigned mirror)
{
	const struct mlog *m = core_of(w, b->victim, mirror);
	struct mlog_status status;

	if (m == NULL)
		return;
	mlog_status(m, &status);
	b->moments[mirror].slot = status.slot;
}

static void repair_see(struct moments *t, const struct sight *sight, uint64_t now_us)
{
	first(&t->most_us, t->inherited_us != NEVER && 10 * sight->repair <= t->left, now_us);
	first(&t->repaired_us, t->inherited_us != NEVER && sight->repair == 0, now_us);
}

static void death_see(struct bench *b, struct world *w, unsigned mirror)
{
	const struct logdev *device = world_mirror(w, mirror)->logdev[0];
	struct moments *t = &b->moments[mirror];
	uint32_t survivors = world_nodes(w) - 1;
	uint64_t now_us = world_now_us(w);
	struct sight sight;

	sight_take(w, mirror, survivors, &sight);
	first(&t->missed_us, sight.gone > 0, now_us);
	first(&t->inherited_us,
	      t->missed_us != NEVER && sight.members == survivors &&
		  (device == NULL || !logdev_slot_used(device, t->slot)),
	      now_us);
	if (sight.repair > t->left)
		t->left = sight.repair;
	repair_see(t, &sight, now_us);
}

static void sample(struct bench *b, struct world *w, unsigned mirror)
{
	struct moments *t = &b->moments[mirror];
	struct sight sight;

	sight_take(w, mirror, world_nodes(w), &sight);
	switch (b->phase) {
	case PHASE_JOIN:
		first(&t->members_us, sight.members == world_nodes(w), world_now_us(w));
		break;
	case PHASE_LOAD:
		slot_see(b, w, mirror);
		break;
	case PHASE_DEATH:
		death_see(b, w, mirror);
		break;
	default:
		repair_see(t, &sight, world_now_us(w));
		first(&t->back_us, sight.members == world_nodes(w) && sight.repair == 0,
		      world_now_us(w));
		break;
	}
}

static void waits_see(struct bench *b, struct world *w, unsigned mirror)
{
	uint64_t now_us = world_now_us(w);

	for (uint32_t i = 0; i < world_nodes(w); i++) {
		const struct kernel *k = node_kernel(world_node(w, i), mirror);
		uint64_t since_us = k == NULL ? NEVER : kernel_oldest_bio_us(k);

		if (since_us != NEVER && now_us - since_us > b->longest_us[b->phase][mirror])
			b->longest_us[b->phase][mirror] = now_us - since_us;
	}
}

static void phase_begin(struct bench *b, struct world *w, enum phase phase, uint64_t at_us)
{
	b->phase = phase < PHASES ? phase : b->phase;
	b->begun_us[phase] = at_us;
	for (uint32_t i = 0; i < world_nodes(w); i++)
		for (unsigned m = 0; m <= SIM_MIRRORS_MAX; m++)
			b->meter[phase][i][m] = *node_meter(world_node(w, i), m);
}

/* The phases end when what they are named after has happened, or is to happen. */
static void phase_look(struct bench *b, struct world *w)
{
	const struct fault *death = &b->scenario.fault[0];
	uint64_t now_us = world_now_us(w);

	if (b->phase == PHASE_JOIN && b->moments[0].members_us != NEVER &&
	    b->moments[1].members_us != NEVER)
		phase_begin(b, w, PHASE_LOAD, now_us);
	if (b->phase == PHASE_LOAD && !b->rehearsal && now_us >= death->at_us)
		phase_begin(b, w, PHASE_DEATH, now_us);
	if (b->phase == PHASE_DEATH && now_us >= death->at_us + death->duration_us)
		phase_begin(b, w, PHASE_RETURN, now_us);
}

/* Virtual time goes no faster than the clock. */
static void pace(struct bench *b, const struct world *w)
{
	uint64_t due_ns =
	    b->started_ns + (uint64_t)((double)world_now_us(w) * 1e3 / b->options->speed);
	struct timespec due = {.tv_sec = (time_t)(due_ns / UINT64_C(1000000000)),
			       .tv_nsec = (long)(due_ns % UINT64_C(1000000000))};
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);

	b->lag_last_ns = now_ns > due_ns ? now_ns - due_ns : 0;
	if (b->lag_last_ns > b->lag_ns)
		b->lag_ns = b->lag_last_ns;
	while (now_ns < due_ns &&
	       clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
		;
}

static void on_watch(void *context, struct world *w)
{
	struct bench *b = context;

	if (!b->rehearsal && b->options->speed > 0)
		pace(b, w);
	phase_look(b, w);
	if (world_now_us(w) < b->sample_us)
		return;
	b->sample_us = world_now_us(w) + SAMPLE_US;
	for (unsigned m = 0; m < MIRRORS; m++) {
		sample(b, w, m);
		waits_see(b, w, m);
	}
}

static void run(struct bench *b, bool rehearsal, struct world_result *ret)
{
	struct world *w = world_create();

	b->rehearsal = rehearsal;
	b->phase = PHASE_JOIN;
	b->sample_us = 0;
	memset(b->meter, 0, sizeof(b->meter));
	memset(b->longest_us, 0, sizeof(b->longest_us));
	for (unsigned m = 0; m < MIRRORS; m++)
		b->moments[m] = (struct moments){NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, 0, 0};
	for (unsigned i = 0; i <= PHASES; i++)
		b->begun_us[i] = i == 0 ? 0 : NEVER;
	b->started_ns = clock_ns(CLOCK_MONOTONIC);
	world_watch(w, on_watch, b);
	world_run(w, &b->scenario, NULL, ret);
	phase_begin(b, w, PHASES, world_now_us(w));
	world_destroy(w);
}

/* ---- what is printed */

static struct meter difference(const struct meter *from, const struct meter *to)
{
	return (struct meter){.requests = to->requests - from->requests,
			      .sent = to->sent - from->sent,
			      .sent_bytes = to->sent_bytes - from->sent_bytes,
			      .received = to->received - from->received,
			      .received_bytes = to->received_bytes - from->received_bytes,
			      .log_writes = to->log_writes - from->log_writes,
			      .cpu_ns = to->cpu_ns - from->cpu_ns,
			      .core_bytes = to->core_bytes,
			      .shared_bytes = to->shared_bytes};
}

static void add(struct meter *to, const struct meter *m)
{
	to->requests += m->requests;
	to->sent += m->sent;
	to->sent_bytes += m->sent_bytes;
	to->received += m->received;
	to->received_bytes += m->received_bytes;
	to->log_writes += m->log_writes;
	to->cpu_ns += m->cpu_ns;
	to->core_bytes += m->core_bytes;
	to->shared_bytes += m->shared_bytes;
}

static struct meter meter_of(const struct bench *b, unsigned from, unsigned to, uint32_t node,
			     unsigned mirror)
{
	return difference(&b->meter[from][node][mirror], &b->meter[to][node][mirror]);
}

static void row_print(const char *name, double seconds, const struct meter *m, double node_s)
{
	double us = m->requests == 0 ? 0 : (double)m->cpu_ns / 1e3 / (double)m->requests;

	printf("  %-8s %6.1f %9.1f %8.2f %9.0f %9.2f %9.0f %8.2f %9.2f", name, seconds,
	       (double)m->requests / node_s, (double)m->sent / node_s,
	       (double)m->sent_bytes / node_s, (double)m->received / node_s,
	       (double)m->received_bytes / node_s, (double)m->log_writes / node_s, us);
}

static void rows_head(const char *name, const char *last)
{
	printf("  %-8s %6s %9s %8s %9s %9s %9s %8s %9s %9s\n", name, "s", "requests", "sent",
	       "bytes", "received", "bytes", "logwrite", "us/req", last);
}

static void phase_print(const struct bench *b, enum phase phase, unsigned mirror)
{
	double seconds = (double)(b->begun_us[phase + 1] - b->begun_us[phase]) / 1e6;
	uint32_t nodes = b->scenario.nodes;
	struct meter sum = {0};

	for (uint32_t i = 0; i < nodes; i++) {
		struct meter m = meter_of(b, phase, phase + 1U, i, mirror);

		add(&sum, &m);
	}
	row_print(phase_names[phase], seconds, &sum,
		  seconds * (phase == PHASE_DEATH ? nodes - 1 : nodes));
	printf(" %9.1f\n", (double)b->longest_us[phase][mirror] / 1e3);
	for (uint32_t i = 0; i < nodes && b->options->each; i++) {
		struct meter m = meter_of(b, phase, phase + 1U, i, mirror);
		char name[16];

		snprintf(name, sizeof(name), "  n%" PRIu32, i + 1);
		row_print(name, seconds, &m, seconds);
		printf("\n");
	}
}

static void nodes_print(const struct bench *b, unsigned mirror)
{
	double seconds = (double)(b->begun_us[PHASES] - b->begun_us[0]) / 1e6;

	for (uint32_t i = 0; i < b->scenario.nodes; i++) {
		struct meter m = meter_of(b, 0, PHASES, i, mirror);
		char name[16];

		snprintf(name, sizeof(name), "n%" PRIu32 "%s", i + 1,
			 i == b->victim ? " died" : "");
		row_print(name, seconds, &m, seconds);
		printf(" %9.1f\n", (double)(m.core_bytes + m.shared_bytes) / 1024);
	}
}

static void since_print(const char *text, uint64_t from_us, uint64_t at_us)
{
	if (at_us == NEVER)
		printf("  %s: never\n", text);
	else
		printf("  %s: %.2f s\n", text, (double)(at_us - from_us) / 1e6);
}

static void moments_print(const struct bench *b, unsigned mirror)
{
	const struct moments *t = &b->moments[mirror];
	const struct fault *death = &b->scenario.fault[0];
	uint64_t last_us = b->scenario.start_us[b->scenario.nodes - 1];

	since_print("all are members, after the first was switched on", 0, t->members_us);
	since_print("  after the last was switched on", last_us, t->members_us);
	since_print("the death is known to the group, after it", death->at_us, t->missed_us);
	since_print("its slot is inherited", death->at_us, t->inherited_us);
	since_print("nine in ten of its regions are repaired", death->at_us, t->most_us);
	since_print("nothing is left to repair", death->at_us, t->repaired_us);
	printf("  regions it left to repair: %" PRIu64 "\n", t->left);
	since_print("all are members again, after it was switched on",
		    death->at_us + death->duration_us, t->back_us);
}

static void mirror_print(const struct bench *b, unsigned mirror)
{
	const struct scenario_mirror *m = &b->scenario.mirror[mirror];

	printf("\nclustered-%s, %" PRIu32 " regions\n", m->has_disk ? "disk" : "core", m->regions);
	moments_print(b, mirror);
	printf("\n  per node and second (CPU time per request; longest I/O under way in ms)\n");
	rows_head("phase", "longest");
	for (unsigned phase = 0; phase < PHASES; phase++)
		phase_print(b, (enum phase)phase, mirror);
	printf("\n  each node, all phases (memory of core and hot maps in KiB)\n");
	rows_head("node", "KiB");
	nodes_print(b, mirror);
}

/* What the core takes for a mirror as they are outside the simulator. */
static size_t real_memory(const struct bench *b, bool has_disk, size_t *ret_shared)
{
	uint64_t incarnation = 0;
	struct mlog_config config = {
	    .region_count = REAL_REGIONS,
	    .region_sectors = REAL_SECTORS,
	    .has_disk = has_disk,
	    .page_bytes = REAL_PAGE,
	    .hysteresis_ms = b->scenario.hysteresis_ms,
	    .sync_delay_ms = b->scenario.sync_delay_ms,
	    .retry_ms = b->scenario.retry_ms,
	    .log_timeout_ms = b->scenario.log_timeout_ms,
	    .lease = b->scenario.lease,
	    .copies = b->scenario.copies,
	    .busy_gap_ms = b->scenario.busy_gap_ms,
	    .node = 1,
	    .members = b->scenario.mirror[0].slots,
	    .incarnation = &incarnation,
	};
	size_t shared = hot_bytes(REAL_REGIONS, 0);
	uint64_t *maps = calloc(1, shared);
	struct mlog *m;
	struct hot hot;
	size_t before;
	size_t taken;

	if (maps == NULL)
		abort();
	hot_bind(&hot, maps, REAL_REGIONS, 0);
	before = meter_memory(true);
	m = mlog_create(&config, &hot);
	taken = meter_memory(true) - before;
	mlog_destroy(m);
	free(maps);
	*ret_shared = shared;
	return taken;
}

static void memory_print(const struct bench *b)
{
	for (unsigned i = 0; i < 2; i++) {
		size_t shared;
		size_t taken = real_memory(b, i == 0, &shared);

		printf("memory for %" PRIu64 " regions, clustered-%s, %" PRIu32
		       " slots: core %.0f KiB, hot maps %.0f KiB\n",
		       REAL_REGIONS, i == 0 ? "disk" : "core", b->scenario.mirror[0].slots,
		       (double)taken / 1024, (double)shared / 1024);
	}
}

static void report(const struct bench *b, const struct world_result *r, double wall_s, double cpu_s)
{
	const struct options *o = b->options;

	printf("%" PRIu32 " nodes, seed %" PRIu64 ": %.1f s of theirs in %.1f s, %.1f s of it CPU "
	       "time; trace %016" PRIx64 "\n",
	       o->nodes, o->seed, (double)r->at_us / 1e6, wall_s, cpu_s, r->hash);
	if (o->speed > 0)
		printf("%g x real time; behind the clock at most by %.1f ms, at the end by %.1f "
		       "ms\n",
		       o->speed, (double)b->lag_ns / 1e6, (double)b->lag_last_ns / 1e6);
	for (unsigned m = 0; m < MIRRORS; m++)
		mirror_print(b, m);
	printf("\n");
	if (meter_memory(true) == 0)
		printf(
		    "memory is that of the hot maps only: this build does not know the core's\n");
	memory_print(b);
}

/* ---- did it happen? */

static bool must(bool holds, const char *what, const char *advice)
{
	if (!holds)
		printf("FAIL: %s: %s\n", what, advice);
	return holds;
}

static bool mirror_passes(const struct bench *b, unsigned mirror)
{
	const struct moments *t = &b->moments[mirror];
	const struct scenario_mirror *plan = &b->scenario.mirror[mirror];
	struct meter load = {0};
	bool good;

	for (uint32_t i = 0; i < b->scenario.nodes; i++) {
		struct meter m = meter_of(b, PHASE_LOAD, PHASE_DEATH, i, mirror);

		add(&load, &m);
	}
	good =
	    must(t->inherited_us != NEVER, "the dead node came back before its slot was taken over",
		 "its fencing took too long, try another --seed");
	good =
	    must(t->repaired_us != NEVER, "what it left was not repaired", "see sim16 --trace") &&
	    good;
	good =
	    must(t->back_us != NEVER, "not all became members again", "see sim16 --trace") && good;
	good = must(load.requests > 0, "nobody asked for anything under load",
		    "the load of --set is too small") &&
	       good;
	return must(!plan->has_disk || load.sent == 0,
		    "clustered-disk sent messages with nothing but load",
		    "a MARK or CLEAR costs the group something, see sim16 --trace") &&
	       good;
}

static int judge(const struct bench *b, const struct world_result *r)
{
	bool good = true;

	if (r->failed) {
		printf("FAIL: %s at %.6f s: %s\n", r->what, (double)r->at_us / 1e6, r->text);
		return 1;
	}
	for (unsigned m = 0; m < MIRRORS; m++)
		good = mirror_passes(b, m) && good;
	if (good)
		printf("good: legs alike, all in sync, no acknowledged write lost\n");
	return good ? 0 : 1;
}

static int bench_run(struct bench *b)
{
	struct world_result result;
	uint64_t wall_ns;
	uint64_t cpu_ns;

	run(b, true, &result);
	if (result.failed)
		return judge(b, &result);
	if (!must(b->begun_us[PHASE_LOAD] != NEVER, "not all became members", "see sim16 --trace"))
		return 1;
	death_plan(b, b->begun_us[PHASE_LOAD]);
	if (b->options->print) {
		scenario_print(&b->scenario, stdout);
		return 0;
	}
	wall_ns = clock_ns(CLOCK_MONOTONIC);
	cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	run(b, false, &result);
	wall_ns = clock_ns(CLOCK_MONOTONIC) - wall_ns;
	cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
	if (!result.failed)
		report(b, &result, (double)wall_ns / NS, (double)cpu_ns / NS);
	return judge(b, &result);
}

/* ---- the command line */

enum { OPTION_SET = 256, OPTION_MUTATION };

static const struct argp_option option_list[] = {
    {"nodes", 'n', "N", 0, "So many nodes, 3 to 16 (default: 16)", 0},
    {"seconds", 't', "S", 0, "Load before the death, when all are members (default: 10)", 0},
    {"seed", 's', "SEED", 0, "What latencies and load are drawn from (default: 3)", 0},
    {"speed", 'x', "X", 0, "Times real time, 0: as fast as it goes (default: 1)", 0},
    {"each", 'e', NULL, 0, "Each node in each phase", 0},
    {"print", 'p', NULL, 0,
     "Print the scenario and do not run it; test/sim/sim16 --scenario FILE --trace does", 0},
    {"set", OPTION_SET, "LINE", 0, "Change the scenario, as by a line of a scenario file", 0},
    {"mutation", OPTION_MUTATION, "NAME", 0, "With a deliberate fault, which must fail", 0},
    {0},
};

static bool mutation_set(const char *name)
{
	for (unsigned i = MUTATE_NOTHING + 1; i < MUTATIONS; i++)
		if (strcmp(name, mutation_name((enum mutation)i)) == 0) {
			mutation_active = (enum mutation)i;
			return true;
		}
	return false;
}

static double number(struct argp_state *state, const char *text, double low, double high)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= low && value <= high))
		argp_error(state, "%s is not a number from %g to %g", text, low, high);
	return value;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'n':
		o->nodes = (uint32_t)number(state, argument, 3, SIM_NODES_MAX);
		break;
	case 't':
		o->seconds = (uint64_t)number(state, argument, 1, SECONDS_MAX);
		break;
	case 's':
		o->seed = (uint64_t)number(state, argument, 0, 1e15);
		break;
	case 'x':
		o->speed = number(state, argument, 0, 1e6);
		break;
	case 'e':
		o->each = true;
		break;
	case 'p':
		o->print = true;
		break;
	case OPTION_SET:
		if (o->sets == SETS_MAX)
			argp_error(state, "at most %u times --set", SETS_MAX);
		o->set[o->sets++] = argument;
		break;
	case OPTION_MUTATION:
		if (!mutation_set(argument))
			argp_error(state, "there is no mutation %s, see sim --list", argument);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
	    .options = option_list,
	    .parser = parse,
	    .doc = "Runs a cluster in the simulator in real time: all nodes join, all write, one "
		   "loses power and comes back; prints what that cost each daemon.\v"
		   "Exit status: 0 all is well, 1 the run failed, 2 it was not understood what to "
		   "do.",
	};
	static struct options o = {.nodes = SIM_NODES_MAX, .seconds = 10, .seed = 3, .speed = 1};
	static struct bench b = {.options = &o};

	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (!scenario_make(&o, &b.scenario)) {
		fprintf(stderr, "--set: a line is not understood, or no possible scenario\n");
		return 2;
	}
	b.victim = o.nodes / 2;
	return bench_run(&b);
}
