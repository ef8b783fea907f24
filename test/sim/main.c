/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of the simulator. */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/mutate.h"
#include "test/sim/jobs.h"
#include "test/sim/shrink.h"
#include "test/sim/world.h"

#define MUTATION_SEEDS 30000U /* a mutation that survives so many is not caught */

extern enum mutation mutation_active;

struct options {
	bool one;
	uint64_t first;
	uint64_t last;
	unsigned jobs;
	uint64_t seconds;
	uint64_t failures;
	bool trace;
	bool print;
	bool shrink;
	bool list;
	const char *scenario; /* file */
	const char *kept;     /* file */
	const char *mutation; /* name, or "all" */
	struct scenario_limits limits;
};

enum {
	OPTION_SEEDS = 256,
	OPTION_MINUTES,
	OPTION_MUTATION,
	OPTION_ASSERTS,
	OPTION_KEPT,
	OPTION_FAILURES,
	OPTION_SET,
	OPTION_FAULTS
};

static const struct argp_option option_list[] = {
    {"seed", 's', "N", 0, "Run this seed", 0},
    {"seeds", OPTION_SEEDS, "FIRST..LAST", 0, "Run all of these", 0},
    {"jobs", 'j', "N", 0, "Use N processes (default: 1)", 0},
    {"minutes", OPTION_MINUTES, "N", 0, "Begin no more seeds after N minutes", 0},
    {"failures", OPTION_FAILURES, "N", 0, "Begin no more seeds after N failures (default: 20)", 0},
    {"trace", 't', NULL, 0, "Print what happens", 0},
    {"print", 'p', NULL, 0, "Print the scenario of the seed, and do not run it", 0},
    {"scenario", 'c', "FILE", 0, "Run this scenario instead of a seed's (- is standard input)", 0},
    {"shrink", 'x', NULL, 0, "When it fails, make the scenario smaller and print it", 0},
    {"kept", OPTION_KEPT, "FILE", 0, "Run the seeds of a file, one in each line", 0},
    {"mutation", OPTION_MUTATION, "NAME", 0,
     "Switch on a deliberate fault (or all, one after the other) and say after how many seeds it "
     "is caught",
     0},
    {"asserts", OPTION_ASSERTS, NULL, 0,
     "With --mutation: the invariants that the core itself asserts may catch it, too", 0},
    {"set", OPTION_SET, "LINE", 0,
     "Change every scenario that is drawn, as by a line of a scenario file (\"nodes 1\")", 0},
    {"faults", OPTION_FAULTS, "KIND,...", 0, "Only these kinds of faults, or none", 0},
    {"list", 'l', NULL, 0, "List kinds of faults and mutations", 0},
    {0},
};

static bool number(const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno == 0 && end != text && *end == '\0';
}

static bool range(const char *text, struct options *o)
{
	char first[32];
	const char *dots = strstr(text, "..");

	if (dots == NULL || (size_t)(dots - text) >= sizeof(first))
		return false;
	memcpy(first, text, (size_t)(dots - text));
	first[dots - text] = '\0';
	return number(first, &o->first) && number(dots + 2, &o->last) && o->first <= o->last;
}

static bool kinds(const char *text, struct scenario_limits *ret)
{
	char copy[512];
	char *rest = NULL;

	ret->some = true;
	if (strcmp(text, "none") == 0)
		return true;
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *name = strtok_r(copy, ",", &rest); name != NULL;
	     name = strtok_r(NULL, ",", &rest)) {
		unsigned kind = 0;

		while (kind < FAULT_KINDS && strcmp(fault_name((enum fault_kind)kind), name) != 0)
			kind++;
		if (kind == FAULT_KINDS)
			return false;
		ret->kinds |= UINT32_C(1) << kind;
	}
	return true;
}

static bool set(const char *line, struct scenario_limits *ret)
{
	struct scenario s;

	scenario_draw(&s, 0);
	if (ret->sets == SIM_SETS_MAX || !scenario_read_line(line, &s))
		return false;
	ret->set[ret->sets++] = line;
	scenario_draw_limited(&s, 0, ret);
	return scenario_valid(&s);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct options *o = state->input;
	uint64_t value = 0;

	if ((key == 's' || key == 'j' || key == OPTION_MINUTES || key == OPTION_FAILURES) &&
	    !number(argument, &value))
		argp_error(state, "%s is not a number", argument);
	switch (key) {
	case OPTION_ASSERTS:
		mutation_asserted = true;
		break;
	case 's':
		o->one = true;
		o->first = o->last = value;
		break;
	case OPTION_SEEDS:
		if (!range(argument, o))
			argp_error(state, "%s is not a range: FIRST..LAST", argument);
		break;
	case 'j':
		if (value < 1 || value > JOBS_MAX)
			argp_error(state, "1 to %u processes", JOBS_MAX);
		o->jobs = (unsigned)value;
		break;
	case OPTION_MINUTES:
		o->seconds = value * 60;
		break;
	case OPTION_FAILURES:
		o->failures = value;
		break;
	case 't':
		o->trace = true;
		break;
	case 'p':
		o->print = true;
		break;
	case 'x':
		o->shrink = true;
		break;
	case 'l':
		o->list = true;
		break;
	case 'c':
		o->scenario = argument;
		break;
	case OPTION_SET:
		if (!set(argument, &o->limits))
			argp_error(state, "not a line of a possible scenario: %s", argument);
		break;
	case OPTION_FAULTS:
		if (!kinds(argument, &o->limits))
			argp_error(state, "not a list of kinds of faults: %s", argument);
		break;
	case OPTION_KEPT:
		o->kept = argument;
		break;
	case OPTION_MUTATION:
		o->mutation = argument;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* ---- one run */

static void print_failure(const struct world_result *r)
{
	printf("seed %" PRIu64 ": %s at %" PRIu64 ".%06" PRIu64 " s: %s\n", r->seed, r->what,
	       r->at_us / SECOND_US, r->at_us % SECOND_US, r->text);
}

/* What else was said must be said again. */
static void print_advice(const struct options *o, uint64_t seed)
{
	const struct scenario_limits *l = &o->limits;

	printf("to see it: --seed %" PRIu64 " --trace; to make it smaller: --seed %" PRIu64
	       " --shrink%s%s%s\n",
	       seed, seed, o->mutation != NULL ? "; with --mutation " : "",
	       o->mutation != NULL ? o->mutation : "",
	       l->sets > 0 || l->some ? "; with the same --set and --faults" : "");
}

static int run_one(const struct options *o, struct scenario *s)
{
	struct world *w = world_create();
	struct world_result result;
	unsigned runs;

	world_run(w, s, o->trace ? stdout : NULL, &result);
	if (!result.failed)
		printf("seed %" PRIu64 ": good, %" PRIu64 ".%06" PRIu64 " s, %" PRIu64
		       " requests, trace %016" PRIx64 "\n",
		       s->seed, result.at_us / SECOND_US, result.at_us % SECOND_US, result.requests,
		       result.hash);
	else
		print_failure(&result);
	if (result.failed && !o->shrink && !o->trace && o->scenario == NULL)
		print_advice(o, s->seed);
	if (result.failed && o->shrink) {
		runs = shrink(w, s, &result);
		printf("# made smaller in %u runs; to see it, keep these lines: --scenario FILE "
		       "--trace%s%s\n# ",
		       runs, o->mutation != NULL ? " --mutation " : "",
		       o->mutation != NULL ? o->mutation : "");
		print_failure(&result);
		scenario_print(s, stdout);
	}
	world_destroy(w);
	return result.failed ? 1 : 0;
}

static int run_scenario(const struct options *o)
{
	static struct scenario s;
	FILE *file = strcmp(o->scenario, "-") == 0 ? stdin : fopen(o->scenario, "re");
	unsigned line;

	if (file == NULL) {
		fprintf(stderr, "%s: %s\n", o->scenario, strerror(errno));
		return 2;
	}
	line = scenario_read(file, &s);
	if (file != stdin)
		fclose(file);
	if (line != 0) {
		fprintf(stderr, "%s: line %u is not understood\n", o->scenario, line);
		return 2;
	}
	if (!scenario_valid(&s)) {
		fprintf(stderr, "%s: not a possible scenario\n", o->scenario);
		return 2;
	}
	return run_one(o, &s);
}

static int run_seed(const struct options *o)
{
	static struct scenario s;

	scenario_draw_limited(&s, o->first, &o->limits);
	if (!o->print)
		return run_one(o, &s);
	scenario_print(&s, stdout);
	return 0;
}

/* Each line: a seed and why it is kept, or a comment. */
static int run_kept(const struct options *o)
{
	FILE *file = fopen(o->kept, "re");
	char line[256];
	unsigned number = 0;
	int failed = 0;

	if (file == NULL) {
		fprintf(stderr, "%s: %s\n", o->kept, strerror(errno));
		return 2;
	}
	while (fgets(line, sizeof(line), file) != NULL) {
		struct options one = *o;

		number++;
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (sscanf(line, "%" SCNu64, &one.first) != 1) {
			fprintf(stderr, "%s: line %u does not begin with a seed\n", o->kept,
				number);
			failed = 2;
			break;
		}
		failed |= run_seed(&one);
	}
	fclose(file);
	return failed;
}

/* ---- many */

static void print_summary(const struct jobs_summary *s, double seconds)
{
	double virtual_s = (double)s->virtual_us / 1e6;
	double node_s = (double)s->node_us / 1e6;
	double busy_s = (double)s->busy_ns / 1e9;

	for (uint32_t i = 0; i < s->failures; i++)
		printf("seed %" PRIu64 ": %s at %.3f s: %s\n", s->failure[i].seed,
		       s->failure[i].what, (double)s->failure[i].at_us / 1e6, s->failure[i].text);
	printf("%" PRIu64 " seeds in %.1f s, %" PRIu32 " failed\n", s->seeds, seconds, s->failures);
	if (s->seeds == 0)
		return;
	printf("virtual time %.0f s, %.0f x CPU time, %.2f ms a seed\n", virtual_s,
	       busy_s > 0 ? virtual_s / busy_s : 0, busy_s * 1e3 / (double)s->seeds);
	printf("%" PRIu64 " kernel requests, %.0f per node and virtual second; %" PRIu64
	       " messages delivered, %" PRIu64 " nodes fenced\n",
	       s->requests, node_s > 0 ? (double)s->requests / node_s : 0, s->messages, s->fenced);
	printf("faults:");
	for (unsigned i = 0; i < FAULT_KINDS; i++)
		printf(" %s %" PRIu64 "%s", fault_name((enum fault_kind)i), s->fault[i],
		       i + 1 < FAULT_KINDS ? "," : "\n");
	printf("traces %016" PRIx64 "\n", s->hash);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct jobs_summary *run_jobs(const struct options *o, uint64_t failures, double *ret_s)
{
	struct jobs_plan plan = {.limits = &o->limits,
				 .first = o->first,
				 .last = o->last,
				 .jobs = o->jobs,
				 .seconds = o->seconds,
				 .failures = failures};
	double started = now_s();
	struct jobs_summary *s = jobs_run(&plan);

	if (s == NULL) {
		fprintf(stderr, "cannot start processes: %s\n", strerror(errno));
		exit(2);
	}
	*ret_s = now_s() - started;
	return s;
}

static int run_many(const struct options *o)
{
	double seconds;
	struct jobs_summary *s = run_jobs(o, o->failures, &seconds);
	int code = s->failures > 0 ? 1 : 0;

	print_summary(s, seconds);
	if (s->failures > 0)
		print_advice(o, s->failure[0].seed);
	free(s);
	return code;
}

/* ---- deliberate faults */

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Does the seed pass when nothing is wrong? Else it says nothing about a mutation. */
static bool seed_passes(const struct options *o, uint64_t seed)
{
	static struct scenario s;
	struct world *w = world_create();
	struct world_result result;

	scenario_draw_limited(&s, seed, &o->limits);
	world_run(w, &s, NULL, &result);
	world_destroy(w);
	return !result.failed;
}

/* The first seed that fails with the mutation and passes without it; false: there is none. */
static bool mutation_find(const struct options *o, enum mutation which, struct jobs_failure *ret)
{
	struct options rest = *o;
	bool found = false;

	while (!found && rest.first <= rest.last) {
		struct jobs_summary *s;
		double seconds;

		mutation_active = which;
		s = run_jobs(&rest, 1, &seconds);
		mutation_active = MUTATE_NOTHING;
		rest.first = rest.last + 1;
		for (uint32_t i = 0; i < s->failures && !found; i++) {
			*ret = s->failure[i];
			rest.first = ret->seed + 1;
			found = seed_passes(o, ret->seed);
		}
		free(s);
	}
	return found;
}

/* After how many seeds it is caught; UINT64_MAX: it is not. */
static uint64_t mutation_run(const struct options *o, enum mutation which)
{
	struct options some = *o;
	struct jobs_failure failure;
	double started = now_s();
	bool caught;

	if (some.last == 0) {
		some.first = 1;
		some.last = MUTATION_SEEDS;
	}
	caught = mutation_find(&some, which, &failure);
	if (caught)
		printf("%-26s caught after %" PRIu64 " seeds (%.1f s): %s: %s\n",
		       mutation_name(which), failure.seed - some.first + 1, now_s() - started,
		       failure.what, failure.text);
	else
		printf("%-26s NOT caught by %" PRIu64 " seeds (%.1f s)\n", mutation_name(which),
		       some.last - some.first + 1, now_s() - started);
	fflush(stdout);
	return caught ? failure.seed - some.first + 1 : UINT64_MAX;
}

static int run_mutations(const struct options *o)
{
	uint64_t caught[MUTATIONS];
	unsigned tried = 0;
	unsigned missed = 0;

	for (unsigned i = MUTATE_NOTHING + 1; i < MUTATIONS; i++) {
		if (strcmp(o->mutation, "all") != 0 &&
		    strcmp(o->mutation, mutation_name((enum mutation)i)) != 0)
			continue;
		caught[tried] = mutation_run(o, (enum mutation)i);
		missed += caught[tried++] == UINT64_MAX ? 1 : 0;
	}
	if (tried == 0) {
		fprintf(stderr, "there is no mutation %s, see --list\n", o->mutation);
		return 2;
	}
	qsort(caught, tried, sizeof(caught[0]), compare);
	if (tried > 1)
		printf("%u of %u caught", tried - missed, tried);
	if (tried > 1 && caught[tried / 2] != UINT64_MAX)
		printf(", median after %" PRIu64 " seeds", caught[tried / 2]);
	if (tried > 1)
		printf("\n");
	return missed > 0 ? 1 : 0;
}

/* One seed with the mutation on. */
static bool mutation_set(const char *name)
{
	for (unsigned i = MUTATE_NOTHING + 1; i < MUTATIONS; i++)
		if (strcmp(name, mutation_name((enum mutation)i)) == 0) {
			mutation_active = (enum mutation)i;
			return true;
		}
	fprintf(stderr, "there is no mutation %s, see --list\n", name);
	return false;
}

static int list(void)
{
	printf("faults:\n");
	for (unsigned i = 0; i < FAULT_KINDS; i++)
		printf("  %s\n", fault_name((enum fault_kind)i));
	printf("mutations:\n");
	for (unsigned i = MUTATE_NOTHING + 1; i < MUTATIONS; i++)
		printf("  %s\n", mutation_name((enum mutation)i));
	return 0;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
	    .options = option_list,
	    .parser = parse,
	    .doc =
		"Runs the cluster in virtual time, with faults, and checks what must hold.\v"
		"All that a run does is drawn from its seed. What fails is run again with --seed "
		"and looked at with --trace (| sed -Ef test/sim/stories/brief.sed leaves what "
		"matters most of the time).\n\n"
		"Exit status: 0 all is well, 1 a run failed or a mutation was not caught, 2 it "
		"was not understood what to do.",
	};
	struct options o = {.jobs = 1, .failures = 20};

	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (o.list)
		return list();
	if (o.mutation != NULL && !o.one && o.scenario == NULL)
		return run_mutations(&o);
	if (o.mutation != NULL && !mutation_set(o.mutation))
		return 2;
	if (o.scenario != NULL)
		return run_scenario(&o);
	if (o.kept != NULL)
		return run_kept(&o);
	if (o.one)
		return run_seed(&o);
	if (o.last > 0)
		return run_many(&o);
	fprintf(stderr, "say what to run: --seed N, --seeds FIRST..LAST, or see --help\n");
	return 2;
}
