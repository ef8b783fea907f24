/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/sim/shrink.h"

#include <ctype.h>
#include <string.h>

#define RUNS_MAX 2000U

struct attempt {
	struct world *world;
	struct scenario *best;
	struct world_result *result;
	unsigned runs;
};

static const char *skip_number(const char *at)
{
	while (isdigit((unsigned char)*at))
		at++;
	return at;
}

/* The same words, whatever the numbers; behind a semicolon come particulars. */
static bool same_message(const char *a, const char *b)
{
	for (;; a++, b++) {
		a = skip_number(a);
		b = skip_number(b);
		if (*a != *b || *a == '\0' || *a == ';')
			return *a == *b;
	}
}

/* Does it still fail so? Then it is the best so far. */
static bool attempt(struct attempt *a, const struct scenario *s)
{
	struct world_result result;

	if (a->runs == RUNS_MAX || !scenario_valid(s) || memcmp(s, a->best, sizeof(*s)) == 0)
		return false;
	a->runs++;
	world_run(a->world, s, NULL, &result);
	if (!result.failed || strcmp(result.what, a->result->what) != 0 ||
	    !same_message(result.text, a->result->text))
		return false;
	*a->best = *s;
	*a->result = result;
	return true;
}

/* Takes away ever smaller rows of faults. */
static bool fewer_faults(struct attempt *a)
{
	bool smaller = false;

	for (uint32_t row = a->best->faults; row > 0; row /= 2) {
		for (uint32_t first = 0; first + row <= a->best->faults;) {
			struct scenario s = *a->best;

			memmove(&s.fault[first], &s.fault[first + row],
				(s.faults - first - row) * sizeof(s.fault[0]));
			s.faults -= row;
			memset(&s.fault[s.faults], 0, row * sizeof(s.fault[0]));
			if (attempt(a, &s))
				smaller = true;
			else
				first++;
		}
	}
	return smaller;
}

static bool fewer_nodes(struct attempt *a)
{
	struct scenario s = *a->best;

	s.nodes--;
	for (uint32_t i = 0; i < s.faults; i++) {
		if (s.fault[i].node >= s.nodes && s.nodes > 0)
			s.fault[i].node = s.nodes - 1;
		s.fault[i].mask &= (UINT32_C(1) << s.nodes) - 1;
	}
	return attempt(a, &s);
}

static bool one_mirror(struct attempt *a)
{
	struct scenario s = *a->best;

	s.mirrors = 1;
	for (uint32_t i = 0; i < s.faults; i++)
		s.fault[i].mirror = 0;
	if (attempt(a, &s))
		return true;
	s = *a->best;
	s.mirrors = 1;
	s.mirror[0] = s.mirror[1];
	for (uint32_t i = 0; i < s.faults; i++)
		s.fault[i].mirror = 0;
	return attempt(a, &s);
}

/* The number at `at` in s, which is a copy of the best, becomes smaller. */
static bool less(struct attempt *a, struct scenario *s, uint32_t *at, uint32_t to)
{
	if (*at <= to)
		return false;
	*at = to;
	return attempt(a, s);
}

static bool simpler_mirror(struct attempt *a, uint32_t index)
{
	bool smaller = false;
	struct scenario s;
	struct scenario_mirror *m = &s.mirror[index];

	s = *a->best;
	smaller = less(a, &s, &m->load.readers, 0) || smaller;
	s = *a->best;
	smaller =
	    (m->load.writers > 1 && less(a, &s, &m->load.writers, m->load.writers - 1)) || smaller;
	s = *a->best;
	smaller = less(a, &s, &m->load.writers, 0) || smaller;
	s = *a->best;
	smaller = less(a, &s, &m->load.discard_permille, 0) || smaller;
	s = *a->best;
	smaller = less(a, &s, &m->load.long_permille, 0) || smaller;
	s = *a->best;
	smaller = (m->regions > 1 && less(a, &s, &m->regions, m->regions / 2)) || smaller;
	s = *a->best;
	smaller = less(a, &s, &m->shift, 0) || smaller;
	s = *a->best;
	smaller = less(a, &s, &m->slots, s.nodes) || smaller;
	s = *a->best;
	smaller = less(a, &s, &m->legs, 2) || smaller;
	s = *a->best;
	m->integrated_flush = false;
	smaller = attempt(a, &s) || smaller;
	s = *a->best;
	m->load.own = true;
	smaller = attempt(a, &s) || smaller;
	return smaller;
}

static bool simpler_whole(struct attempt *a)
{
	bool smaller = false;
	struct scenario s = *a->best;

	memset(s.start_us, 0, sizeof(s.start_us));
	smaller = attempt(a, &s) || smaller;
	s = *a->best;
	s.version_min = 2;
	s.version_max = 2;
	smaller = attempt(a, &s) || smaller;
	s = *a->best;
	s.last_man = false;
	smaller = attempt(a, &s) || smaller;
	s = *a->best;
	smaller = less(a, &s, &s.copies, 1) || smaller;
	s = *a->best;
	s.lease = MLOG_LEASE_MAX;
	smaller = attempt(a, &s) || smaller;
	for (uint64_t share = 2; share <= 8; share *= 2) {
		s = *a->best;
		if (s.load_us > s.load_us / share + SECOND_US)
			s.load_us -= s.load_us / share;
		smaller = attempt(a, &s) || smaller;
	}
	return smaller;
}

static bool simpler_fault(struct attempt *a, uint32_t index)
{
	struct scenario s = *a->best;
	bool smaller = false;

	if (s.fault[index].duration_us > SECOND_US / 10) {
		s.fault[index].duration_us /= 2;
		smaller = attempt(a, &s) || smaller;
	}
	s = *a->best;
	s.fault[index].at_us -= s.fault[index].at_us % SECOND_US;
	smaller = attempt(a, &s) || smaller;
	for (uint32_t node = 0; node < a->best->nodes; node++) {
		s = *a->best;
		s.fault[index].mask &= ~(UINT32_C(1) << node);
		smaller = (s.fault[index].mask != 0 && attempt(a, &s)) || smaller;
	}
	return smaller;
}

unsigned shrink(struct world *w, struct scenario *s, struct world_result *result)
{
	struct attempt a = {.world = w, .best = s, .result = result};
	bool smaller = true;

	while (smaller && a.runs < RUNS_MAX) {
		smaller = fewer_faults(&a);
		while (fewer_nodes(&a))
			smaller = true;
		if (s->mirrors > 1)
			smaller = one_mirror(&a) || smaller;
		for (uint32_t m = 0; m < s->mirrors; m++)
			smaller = simpler_mirror(&a, m) || smaller;
		smaller = simpler_whole(&a) || smaller;
		for (uint32_t i = 0; i < s->faults; i++)
			smaller = simpler_fault(&a, i) || smaller;
	}
	return a.runs;
}
