/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/sim/scenario.h"

#include <inttypes.h>
#include <string.h>

#include "codec/group.h"
#include "core/mlog.h"
#include "test/sim/random.h"

#define MS     UINT64_C(1000)
#define SECOND UINT64_C(1000000)

static const char *const fault_names[FAULT_KINDS] = {
    [FAULT_NODE_DEATH] = "node-death",
    [FAULT_DAEMON_DEATH] = "daemon-death",
    [FAULT_DAEMON_RESTART] = "daemon-restart",
    [FAULT_DAEMON_STOP] = "daemon-stop",
    [FAULT_OVERRUN] = "overrun",
    [FAULT_PARTITION] = "partition",
    [FAULT_GROUP_SLOW] = "group-slow",
    [FAULT_DEVICE_ERROR] = "device-error",
    [FAULT_DEVICE_SLOW] = "device-slow",
    [FAULT_DEVICE_BLANK] = "device-blank",
    [FAULT_LEG_ERROR] = "leg-error",
    [FAULT_MOVER_ERROR] = "mover-error",
    [FAULT_DEACTIVATE] = "deactivate",
    [FAULT_SUSPEND] = "suspend",
    [FAULT_RELOAD] = "reload",
    [FAULT_VERIFY] = "verify",
    [FAULT_STATUS] = "status",
    [FAULT_CLOCK] = "clock",
    [FAULT_UPGRADE] = "upgrade",
    [FAULT_OUTAGE] = "outage",
    [FAULT_NO_MEMORY] = "no-memory",
    [FAULT_DROP_LEG] = "drop-leg",
    [FAULT_REPLACE_LOG] = "replace-log",
};

const char *fault_name(enum fault_kind kind)
{
	return fault_names[kind];
}

/* ---- fields by name */

struct field {
	const char *name;
	size_t offset;
	size_t size;
};

#define FIELD(type, member)                                                                        \
	{                                                                                          \
		.name = #member, .offset = offsetof(struct type, member),                          \
		.size = sizeof(((struct type *)NULL)->member)                                      \
	}

#if SIM_NODES_MAX == 16U
#define START(node) FIELD(scenario, start_us[node])
#define MORE_STARTS                                                                                \
	START(8), START(9), START(10), START(11), START(12), START(13), START(14), START(15),
#else
#define MORE_STARTS
#endif

static const struct field whole_fields[] = {
    FIELD(scenario, seed),
    FIELD(scenario, nodes),
    FIELD(scenario, mirrors),
    FIELD(scenario, last_man),
    FIELD(scenario, fence_us),
    FIELD(scenario, token_us),
    FIELD(scenario, message_us),
    FIELD(scenario, lock_us),
    FIELD(scenario, device_us),
    FIELD(scenario, leg_us),
    FIELD(scenario, responder_us),
    FIELD(scenario, version_min),
    FIELD(scenario, version_max),
    FIELD(scenario, hysteresis_ms),
    FIELD(scenario, sync_delay_ms),
    FIELD(scenario, retry_ms),
    FIELD(scenario, log_timeout_ms),
    FIELD(scenario, lease),
    FIELD(scenario, copies),
    FIELD(scenario, busy_gap_ms),
    FIELD(scenario, region_ms),
    FIELD(scenario, load_us),
    FIELD(scenario, heal_us),
    FIELD(scenario, start_us[0]),
    FIELD(scenario, start_us[1]),
    FIELD(scenario, start_us[2]),
    FIELD(scenario, start_us[3]),
    FIELD(scenario, start_us[4]),
    FIELD(scenario, start_us[5]),
    FIELD(scenario, start_us[6]),
    FIELD(scenario, start_us[7]),
    FIELD(scenario, drift_ppm),
    /* clang-format off */
    MORE_STARTS
    /* clang-format on */
    {NULL, 0, 0},
};

static const struct field mirror_fields[] = {
    FIELD(scenario_mirror, regions),
    FIELD(scenario_mirror, region_sectors),
    FIELD(scenario_mirror, has_disk),
    FIELD(scenario_mirror, page_bytes),
    FIELD(scenario_mirror, slots),
    FIELD(scenario_mirror, shift),
    FIELD(scenario_mirror, sync),
    FIELD(scenario_mirror, blank),
    FIELD(scenario_mirror, legs),
    FIELD(scenario_mirror, integrated_flush),
    FIELD(scenario_mirror, handle_errors),
    FIELD(scenario_mirror, keep_log),
    FIELD(scenario_mirror, missing),
    FIELD(scenario_mirror, load.writers),
    FIELD(scenario_mirror, load.readers),
    FIELD(scenario_mirror, load.write_gap_us),
    FIELD(scenario_mirror, load.read_gap_us),
    FIELD(scenario_mirror, load.hot_permille),
    FIELD(scenario_mirror, load.hot_regions),
    FIELD(scenario_mirror, load.long_permille),
    FIELD(scenario_mirror, load.discard_permille),
    FIELD(scenario_mirror, load.own),
    {NULL, 0, 0},
};

static const struct field fault_fields[] = {
    FIELD(fault, at_us), FIELD(fault, duration_us), FIELD(fault, node), FIELD(fault, mirror),
    FIELD(fault, mask),	 FIELD(fault, value),	    {NULL, 0, 0},
};

static uint64_t field_get(const struct field *f, const void *base)
{
	const uint8_t *at = (const uint8_t *)base + f->offset;
	uint64_t value = 0;
	uint32_t half;
	uint8_t byte;

	if (f->size == sizeof(value)) {
		memcpy(&value, at, sizeof(value));
	} else if (f->size == sizeof(half)) {
		memcpy(&half, at, sizeof(half));
		value = half;
	} else {
		memcpy(&byte, at, sizeof(byte));
		value = byte;
	}
	return value;
}

static void field_set(const struct field *f, void *base, uint64_t value)
{
	uint8_t *at = (uint8_t *)base + f->offset;
	uint32_t half = (uint32_t)value;
	uint8_t byte = (uint8_t)value;

	if (f->size == sizeof(value))
		memcpy(at, &value, sizeof(value));
	else if (f->size == sizeof(half))
		memcpy(at, &half, sizeof(half));
	else
		memcpy(at, &byte, sizeof(byte));
}

static const struct field *field_find(const struct field *fields, const char *name)
{
	for (; fields->name != NULL; fields++)
		if (strcmp(fields->name, name) == 0)
			return fields;
	return NULL;
}

/* ---- text */

void scenario_print(const struct scenario *s, FILE *stream)
{
	for (const struct field *f = whole_fields; f->name != NULL; f++)
		fprintf(stream, "%s %" PRIu64 "\n", f->name, field_get(f, s));
	for (uint32_t m = 0; m < s->mirrors; m++) {
		fprintf(stream, "mirror %" PRIu32, m);
		for (const struct field *f = mirror_fields; f->name != NULL; f++)
			fprintf(stream, " %s %" PRIu64, f->name, field_get(f, &s->mirror[m]));
		fputc('\n', stream);
	}
	for (uint32_t i = 0; i < s->faults; i++) {
		fprintf(stream, "fault %s", fault_name(s->fault[i].kind));
		for (const struct field *f = fault_fields; f->name != NULL; f++)
			fprintf(stream, " %s %" PRIu64, f->name, field_get(f, &s->fault[i]));
		fputc('\n', stream);
	}
}

/* Takes the next word of *at; false at its end. */
static bool word_next(const char **at, char ret[32])
{
	int used = 0;

	if (sscanf(*at, " %31s%n", ret, &used) != 1)
		return false;
	*at += used;
	return true;
}

static bool pairs_read(const char *at, const struct field *fields, void *base)
{
	char name[32];

	while (word_next(&at, name)) {
		const struct field *f = field_find(fields, name);
		uint64_t value;
		int used = 0;

		if (f == NULL || sscanf(at, " %" SCNu64 "%n", &value, &used) != 1)
			return false;
		at += used;
		field_set(f, base, value);
	}
	return true;
}

static bool fault_read(const char *at, struct scenario *ret)
{
	char name[32];
	struct fault *fault = &ret->fault[ret->faults];

	if (ret->faults == SIM_FAULTS_MAX || !word_next(&at, name))
		return false;
	for (unsigned kind = 0; kind < FAULT_KINDS; kind++) {
		if (strcmp(fault_names[kind], name) != 0)
			continue;
		*fault = (struct fault){.kind = (enum fault_kind)kind};
		ret->faults++;
		return pairs_read(at, fault_fields, fault);
	}
	return false;
}

bool scenario_read_line(const char *line, struct scenario *ret)
{
	const char *at = line;
	char word[32];
	uint32_t mirror;
	int used;

	if (!word_next(&at, word) || word[0] == '#')
		return true;
	if (strcmp(word, "fault") == 0)
		return fault_read(at, ret);
	if (strcmp(word, "mirror") == 0) {
		if (sscanf(at, " %" SCNu32 "%n", &mirror, &used) != 1 || mirror >= SIM_MIRRORS_MAX)
			return false;
		return pairs_read(at + used, mirror_fields, &ret->mirror[mirror]);
	}
	if (strcmp(word, "seed") == 0) {
		uint64_t seed;

		if (sscanf(at, " %" SCNu64, &seed) != 1)
			return false;
		scenario_draw(ret, seed);
		ret->faults = 0;
		return true;
	}
	return pairs_read(line, whole_fields, ret);
}

unsigned scenario_read(FILE *stream, struct scenario *ret)
{
	char line[1024];
	unsigned number = 0;

	scenario_draw(ret, 0);
	ret->faults = 0;
	while (fgets(line, sizeof(line), stream) != NULL) {
		number++;
		if (!scenario_read_line(line, ret))
			return number;
	}
	return 0;
}

/* A leg goes by a reload, after which nothing is in sync. */
static bool missing_valid(const struct scenario_mirror *m)
{
	return !m->missing || (m->blank && m->sync != SIM_SYNC_NOSYNC && m->handle_errors &&
			       m->keep_log && m->load.discard_permille == 0);
}

static bool mirror_valid(const struct scenario *s, const struct scenario_mirror *m)
{
	return m->regions >= 1 && m->regions <= SIM_REGIONS_MAX && m->region_sectors >= 8 &&
	       (m->region_sectors & (m->region_sectors - 1)) == 0 && m->page_bytes >= 8 &&
	       m->page_bytes % 8 == 0 && m->slots >= s->nodes && m->slots <= 32 && m->shift <= 8 &&
	       m->legs >= 2 && m->legs <= SIM_LEGS_MAX && missing_valid(m);
}

static bool numbers_valid(const struct scenario *s)
{
	return s->nodes >= 1 && s->nodes <= SIM_NODES_MAX && s->mirrors >= 1 &&
	       s->mirrors <= SIM_MIRRORS_MAX;
}

bool scenario_valid(const struct scenario *s)
{
	if (!numbers_valid(s) || s->responder_us == 0 || s->copies < 1 || s->copies > 16 ||
	    s->lease < 1 || s->lease > MLOG_LEASE_MAX || s->drift_ppm > 100000 ||
	    s->version_min < 1 || s->version_min > s->version_max)
		return false;
	for (uint32_t m = 0; m < s->mirrors; m++)
		if (!mirror_valid(s, &s->mirror[m]))
			return false;
	for (uint32_t i = 0; i < s->faults; i++)
		if (s->fault[i].node >= s->nodes || s->fault[i].mirror >= s->mirrors ||
		    s->fault[i].value >= UINT64_C(1) << 40)
			return false;
	return true;
}

/* ---- drawing */

static uint64_t between(struct random *r, uint64_t low, uint64_t high)
{
	return random_between(r, low, high);
}

/* Evenly over the orders of magnitude. */
static uint64_t scaled(struct random *r, uint64_t low, uint64_t high)
{
	unsigned doublings = 0;
	uint64_t base;

	while (low << (doublings + 1) <= high)
		doublings++;
	base = low << random_below(r, doublings + 1);
	base = between(r, base, 2 * base - 1);
	return base > high ? high : base;
}

static uint32_t draw_nodes(struct random *r)
{
	static const uint32_t often[] = {1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 4, 4, 4, 5, 6};

	if (random_chance(r, 20))
		return (uint32_t)between(r, 7, SIM_NODES_MAX);
	return often[random_below(r, sizeof(often) / sizeof(often[0]))];
}

static void draw_load(struct random *r, const struct scenario_mirror *mirror,
		      struct scenario_load *ret)
{
	ret->writers = (uint32_t)between(r, 0, 4);
	ret->readers = (uint32_t)between(r, 0, 2);
	ret->write_gap_us = scaled(r, 20 * MS, 400 * MS);
	ret->read_gap_us = scaled(r, 20 * MS, 400 * MS);
	ret->hot_permille = (uint32_t)between(r, 0, 1000);
	ret->hot_regions = (uint32_t)between(r, 1, mirror->regions < 8 ? mirror->regions : 8);
	ret->long_permille = (uint32_t)between(r, 0, 500);
	ret->discard_permille = random_chance(r, 200) ? (uint32_t)between(r, 1, 100) : 0;
	ret->own = random_chance(r, 300);
}

/* A table as the daemons load it when a leg is dropped. */
static void missing_set(struct scenario_mirror *ret)
{
	ret->missing = true;
	ret->handle_errors = true;
	if (ret->sync == SIM_SYNC_NOSYNC)
		ret->sync = SIM_SYNC_KEEP;
}

static void draw_mirror(struct random *r, uint32_t nodes, struct scenario_mirror *ret)
{
	static const uint32_t pages[] = {8, 8, 16, 32, 512};

	ret->regions = (uint32_t)scaled(r, 8, SIM_REGIONS_MAX);
	ret->region_sectors = UINT32_C(8) << random_below(r, 8);
	ret->has_disk = random_chance(r, 700);
	ret->page_bytes = pages[random_below(r, 5)];
	ret->slots = (uint32_t)between(r, nodes, random_chance(r, 500) ? nodes : 16);
	ret->shift = random_chance(r, 700) ? 0 : (unsigned)between(r, 1, 3);
	ret->sync = (uint32_t)random_below(r, 4);
	if (ret->sync > SIM_SYNC_FORCE)
		ret->sync = SIM_SYNC_KEEP;
	ret->blank = random_chance(r, 400);
	ret->legs = random_chance(r, 800) ? 2 : SIM_LEGS_MAX;
	ret->integrated_flush = random_chance(r, 400);
	ret->handle_errors = random_chance(r, 700);
	ret->keep_log = !ret->handle_errors && random_chance(r, 500);
	/* No draw of its own: that would make another scenario of every seed. */
	if (ret->keep_log && ret->legs == 2 && ret->blank && ret->slots % 2 == 0)
		missing_set(ret);
	draw_load(r, ret, &ret->load);
	if (ret->missing)
		ret->load.discard_permille = 0; /* a device that is none takes no discards */
}

static void draw_fault(struct random *r, const struct scenario *s, const uint32_t *leg,
		       enum fault_kind kind, struct fault *ret)
{
	ret->kind = kind;
	ret->at_us = between(r, SECOND / 10, s->load_us);
	ret->duration_us = scaled(r, SECOND / 20, 8 * SECOND);
	ret->node = (uint32_t)random_below(r, s->nodes);
	ret->mirror = (uint32_t)random_below(r, s->mirrors);
	ret->mask = (uint32_t)between(r, 1, (UINT64_C(1) << s->nodes) - 1);
	ret->value = 0;
	switch (kind) {
	case FAULT_GROUP_SLOW:
		ret->value = between(r, 2, 30);
		break;
	case FAULT_DEVICE_SLOW:
		ret->value = scaled(r, 10, 4000);
		break;
	case FAULT_LEG_ERROR:
		ret->value = leg[ret->mirror];
		break;
	case FAULT_CLOCK:
		ret->value = scaled(r, 10, 100000);
		break;
	case FAULT_DAEMON_STOP:
	case FAULT_OVERRUN:
		ret->duration_us = scaled(r, SECOND / 50, 4 * SECOND);
		break;
	case FAULT_SUSPEND:
	case FAULT_VERIFY:
		ret->value = random_below(r, 2);
		break;
	default:
		break;
	}
}

/* The swarm: every seed has kinds of faults that it does not have at all. */
static void draw_faults(struct random *r, struct scenario *s)
{
	enum fault_kind kinds[FAULT_KINDS];
	uint32_t leg[SIM_MIRRORS_MAX];
	uint32_t count = 0;
	uint64_t wanted = random_chance(r, 100) ? 0 : scaled(r, 1, 16);

	for (unsigned m = 0; m < SIM_MIRRORS_MAX; m++)
		leg[m] = (uint32_t)random_below(r, s->mirror[m].legs);
	for (unsigned k = 0; k < FAULT_OUTAGE; k++)
		if (random_chance(r, 250))
			kinds[count++] = (enum fault_kind)k;
	while (count > 0 && s->faults < wanted) {
		draw_fault(r, s, leg, kinds[random_below(r, count)], &s->fault[s->faults]);
		s->faults++;
	}
}

/* Writes and copies that take so long that everything else happens meanwhile. */
static void draw_slow_legs(struct random *r, struct scenario *s)
{
	s->leg_us = scaled(r, 20 * MS, 300 * MS);
	s->hysteresis_ms = (uint32_t)scaled(r, 50, 400);
	for (unsigned m = 0; m < SIM_MIRRORS_MAX; m++)
		s->mirror[m].regions = (uint32_t)between(r, 2, 16);
}

/* A fault follows upon the other, before what the other began is done. */
static void draw_burst(struct random *r, struct scenario *s)
{
	for (uint32_t i = 1; i < s->faults; i++)
		s->fault[i].at_us = s->fault[i - 1].at_us + scaled(r, MS, 2 * SECOND);
}

/* Take what is drawn for it from the generator one by one: the order in which arguments are
 * evaluated is the compiler's. */
static struct fault *fault_add(struct scenario *s, enum fault_kind kind, uint64_t at_us,
			       uint64_t duration_us, uint32_t mask)
{
	struct fault *f = &s->fault[s->faults];

	if (s->faults == SIM_FAULTS_MAX)
		return NULL;
	s->faults++;
	*f = (struct fault){.kind = kind, .at_us = at_us, .duration_us = duration_us, .mask = mask};
	while ((mask >> f->node & 1) == 0)
		f->node++;
	return f;
}

/* Power fails, of all nodes or of some. */
static void draw_outage(struct random *r, struct scenario *s)
{
	uint32_t all = (UINT32_C(1) << s->nodes) - 1;
	uint32_t mask = random_chance(r, 600) ? all : (uint32_t)between(r, 1, all);
	uint64_t duration_us = scaled(r, SECOND, 8 * SECOND);

	fault_add(s, FAULT_OUTAGE, between(r, SECOND / 10, s->load_us), duration_us, mask);
}

/* The cluster decides quickly while its copies are slow, and there is something to copy. */
static void draw_chain_setting(struct random *r, struct scenario *s)
{
	draw_slow_legs(r, s);
	s->token_us = scaled(r, SECOND / 10, SECOND / 2);
	s->fence_us = scaled(r, SECOND / 5, 2 * SECOND);
	for (unsigned m = 0; m < SIM_MIRRORS_MAX; m++) {
		struct scenario_load *load = &s->mirror[m].load;

		if (random_chance(r, 700)) {
			s->mirror[m].blank = s->mirror[m].missing;
			s->mirror[m].sync = SIM_SYNC_KEEP;
		}
		load->writers = (uint32_t)between(r, 1, 4);
		load->write_gap_us = scaled(r, 20 * MS, 200 * MS);
		load->own = random_chance(r, 600);
	}
}

/* Somebody has begun to repair, and then something happens to him, or to all. */
static void draw_chain(struct random *r, struct scenario *s)
{
	static const enum fault_kind first[] = {FAULT_VERIFY, FAULT_NODE_DEATH, FAULT_DAEMON_DEATH};
	static const enum fault_kind then[] = {
	    FAULT_PARTITION, FAULT_NODE_DEATH, FAULT_DAEMON_DEATH, FAULT_DAEMON_RESTART,
	    FAULT_OUTAGE,    FAULT_DEACTIVATE, FAULT_SUSPEND,	   FAULT_DAEMON_STOP};
	uint32_t all = (UINT32_C(1) << s->nodes) - 1;
	uint32_t victim = UINT32_C(1) << random_below(r, s->nodes);
	uint64_t at_us = between(r, SECOND, 4 * SECOND);
	enum fault_kind kind = first[random_below(r, sizeof(first) / sizeof(first[0]))];
	struct fault *f = fault_add(s, kind, at_us, scaled(r, SECOND / 20, 6 * SECOND), victim);

	draw_chain_setting(r, s);
	if (f != NULL && kind == FAULT_VERIFY)
		f->value = random_below(r, 2);
	if (kind == FAULT_NODE_DEATH) {
		at_us += s->token_us + s->fence_us;
		victim = UINT32_C(1) << random_below(r, s->nodes);
	}
	for (uint64_t left = between(r, 1, 2); left > 0; left--) {
		at_us += scaled(r, SECOND / 20, 3 * SECOND);
		kind = then[random_below(r, sizeof(then) / sizeof(then[0]))];
		fault_add(s, kind, at_us,
			  kind == FAULT_DAEMON_STOP ? between(r, 15 * SECOND, 18 * SECOND)
						    : scaled(r, SECOND / 20, 6 * SECOND),
			  kind == FAULT_OUTAGE ? all : victim);
	}
}

/* The more members a mirror has, the more can go away at once. */
static void draw_more_nodes(struct random *r, struct scenario *s)
{
	s->nodes = (uint32_t)between(r, 5, 7);
	for (unsigned m = 0; m < SIM_MIRRORS_MAX; m++)
		if (s->mirror[m].slots < s->nodes)
			s->mirror[m].slots = s->nodes;
	s->last_man = false;
}

/* Some are away for longer than anybody may be kept waiting. */
static void draw_absence(struct random *r, struct scenario *s)
{
	uint64_t duration_us;
	uint64_t at_us;
	uint32_t all;
	uint32_t few;

	if (s->nodes < 5 && random_chance(r, 500))
		draw_more_nodes(r, s);
	if (random_chance(r, 500))
		draw_slow_legs(r, s);
	all = (UINT32_C(1) << s->nodes) - 1;
	few = (uint32_t)between(r, 1, all);
	few &= (uint32_t)between(r, 1, all);
	duration_us = between(r, 130 * SECOND, 150 * SECOND);
	at_us = between(r, SECOND / 10, 6 * SECOND);
	fault_add(s, random_chance(r, 800) ? FAULT_OUTAGE : FAULT_DEACTIVATE, at_us, duration_us,
		  few != 0 ? few : 1);
	for (uint32_t i = 0; i < s->faults; i++)
		if (s->fault[i].kind == FAULT_DAEMON_STOP)
			s->fault[i].duration_us = between(r, 14 * SECOND, 25 * SECOND);
}

/* Where protocols break, and what seldom comes by itself. */
static void draw_extremes(struct random *r, struct scenario *s)
{
	if (random_chance(r, 100))
		draw_slow_legs(r, s);
	if (random_chance(r, 100))
		draw_outage(r, s);
	if (random_chance(r, 250))
		draw_burst(r, s);
	if (random_chance(r, 250))
		draw_chain(r, s);
	if (random_chance(r, 30))
		draw_absence(r, s);
}

/* Some under which no seed that was kept until then draws it. */
#define NO_MEMORY_STREAM (UINT32_MAX - 16)
#define DRIFT_STREAM	 (UINT32_MAX - 64)
#define LEASE_STREAM	 (UINT32_MAX - 256)
#define RATE_STREAM	 (UINT32_MAX - 1122)
#define DROP_STREAM	 (UINT32_MAX - 13271)
#define REPLACE_STREAM	 (UINT32_MAX - 13272)

/* A daemon has no memory just when it is to make a log: for a table that is loaded or loaded again,
 * for a device that is created, or for all that it had before it was replaced. */
static void draw_no_memory(struct random *r, struct scenario *s)
{
	static const enum fault_kind makes[] = {FAULT_DAEMON_DEATH, FAULT_DAEMON_RESTART,
						FAULT_RELOAD, FAULT_DEACTIVATE, FAULT_NODE_DEATH};

	for (uint64_t left = between(r, 1, 3); left > 0; left--) {
		uint32_t victim = UINT32_C(1) << random_below(r, s->nodes);
		enum fault_kind kind = makes[random_below(r, sizeof(makes) / sizeof(makes[0]))];
		uint64_t at_us = between(r, SECOND / 10, s->load_us);
		uint64_t gone_us = scaled(r, SECOND / 50, 2 * SECOND);
		uint64_t before_us = scaled(r, SECOND / 50, SECOND);
		uint64_t after_us = scaled(r, SECOND / 50, 8 * SECOND);

		fault_add(s, kind, at_us, gone_us, victim);
		fault_add(s, FAULT_NO_MEMORY, at_us > before_us ? at_us - before_us : 0,
			  before_us + gone_us + after_us, victim);
	}
}

/* What such a mirror can have: three legs, a log device that works from then on (only that tells who
 * comes back alone that its table is outdated), and daemons that understand its tables. */
static void draw_drop_setting(struct scenario *s, uint32_t mirror, uint64_t at_us)
{
	struct scenario_mirror *m = &s->mirror[mirror];

	if (m->missing)
		m->missing = m->handle_errors = false;
	m->legs = SIM_LEGS_MAX;
	m->has_disk = true;
	s->version_min = s->version_max = GROUP_REVISION_VERSION;
	for (uint32_t i = 0; i < s->faults; i++) {
		struct fault *f = &s->fault[i];
		bool device = f->kind == FAULT_DEVICE_BLANK || f->kind == FAULT_DEVICE_ERROR ||
			      f->kind == FAULT_DEVICE_SLOW;

		if (f->kind == FAULT_UPGRADE)
			f->kind = FAULT_DAEMON_RESTART;
		else if (device && f->mirror == mirror && f->at_us + f->duration_us > at_us)
			f->kind = FAULT_STATUS;
	}
}

/* Its mirror is suspended and its daemon is away, so nobody asks it, and it resumes the table of before.
 * Then the others die, and come back after it. */
static void draw_suspended(struct random *r, struct scenario *s, uint64_t at_us, uint64_t before_us,
			   uint64_t gone_us, uint32_t mask)
{
	uint32_t others = ((UINT32_C(1) << s->nodes) - 1) & ~(mask & (~mask + 1));
	uint64_t later_us = at_us + gone_us + scaled(r, SECOND / 20, 2 * SECOND);

	fault_add(s, FAULT_DAEMON_DEATH, at_us - before_us / 2, before_us / 2 + gone_us / 2, mask);
	if (others != 0 && random_chance(r, 700))
		fault_add(s, FAULT_OUTAGE, later_us, scaled(r, SECOND, 4 * SECOND), others);
}

static void draw_away(struct random *r, struct scenario *s, uint32_t mirror, uint64_t at_us,
		      uint32_t mask)
{
	static const enum fault_kind away[] = {FAULT_OUTAGE,	FAULT_OUTAGE,  FAULT_DEACTIVATE,
					       FAULT_PARTITION, FAULT_SUSPEND, FAULT_SUSPEND};
	enum fault_kind kind = away[random_below(r, sizeof(away) / sizeof(away[0]))];
	uint64_t before_us = scaled(r, SECOND / 50, SECOND);
	uint64_t gone_us = scaled(r, SECOND / 10, 8 * SECOND);
	struct fault *f = fault_add(s, kind, at_us - before_us, before_us + gone_us, mask);

	if (f != NULL)
		f->mirror = mirror;
	if (kind == FAULT_SUSPEND)
		draw_suspended(r, s, at_us, before_us, gone_us, mask);
}

/* Some die behind at_us, those that were not away rather than others. */
static void draw_outages(struct random *r, struct scenario *s, uint64_t at_us, uint32_t away)
{
	uint32_t all = (UINT32_C(1) << s->nodes) - 1;

	for (uint64_t left = between(r, 0, 2); left > 0; left--) {
		uint32_t mask = random_chance(r, 500) ? all & ~away : (uint32_t)between(r, 1, all);

		at_us += scaled(r, SECOND / 50, 4 * SECOND);
		if (mask != 0)
			fault_add(s, FAULT_OUTAGE, at_us, scaled(r, SECOND, 6 * SECOND), mask);
	}
}

/* An array fails: the log device, with the leg that is dropped. */
static void draw_array(struct random *r, struct scenario *s, uint32_t mirror, uint64_t at_us)
{
	uint64_t before_us = scaled(r, SECOND / 50, SECOND);
	uint64_t duration_us = scaled(r, SECOND, 60 * SECOND);
	uint32_t mask = (uint32_t)between(r, 1, (UINT32_C(1) << s->nodes) - 1);
	struct fault *f = fault_add(s, FAULT_DEVICE_ERROR, at_us - before_us, duration_us, mask);

	if (f != NULL)
		f->mirror = mirror;
}

/* A leg is dropped while some are away, and then they come back with the table of before: to the
 * others, after them, or alone. */
static void draw_drop(struct random *r, struct scenario *s)
{
	uint32_t all = (UINT32_C(1) << s->nodes) - 1;
	uint32_t few = (uint32_t)between(r, 1, all);
	uint32_t mirror = (uint32_t)random_below(r, s->mirrors);
	uint64_t at_us = between(r, SECOND, 5 * SECOND);
	uint64_t leg = random_chance(r, 600) ? 0 : random_below(r, SIM_LEGS_MAX);
	struct fault *f;

	few &= (uint32_t)between(r, 1, all);
	draw_drop_setting(s, mirror, at_us);
	f = fault_add(s, FAULT_DROP_LEG, at_us, between(r, 8 * SECOND, 24 * SECOND), 1);
	if (f != NULL) {
		f->mirror = mirror;
		f->value = leg;
	}
	if (few != 0)
		draw_away(r, s, mirror, at_us, few);
	draw_outages(r, s, at_us, few);
	if (random_chance(r, 300))
		draw_array(r, s, mirror, at_us);
}

/* The log device may fail before, which is why it is replaced; any of them may later. */
static void draw_replace_setting(struct random *r, struct scenario *s, uint32_t mirror,
				 uint64_t at_us)
{
	uint32_t mask;
	uint64_t duration_us;
	struct fault *f;

	s->mirror[mirror].has_disk = true;
	s->version_min = s->version_max = GROUP_LOG_VERSION;
	for (uint32_t i = 0; i < s->faults; i++) {
		f = &s->fault[i];
		if (f->kind == FAULT_UPGRADE)
			f->kind = FAULT_DAEMON_RESTART;
		if (f->kind == FAULT_DEVICE_BLANK || f->kind == FAULT_DEVICE_ERROR)
			f->value = random_below(r, SIM_LOGDEVS);
	}
	if (!random_chance(r, 500))
		return;
	mask = (uint32_t)between(r, 1, (UINT32_C(1) << s->nodes) - 1);
	duration_us = scaled(r, SECOND, 60 * SECOND);
	f = fault_add(s, FAULT_DEVICE_ERROR, between(r, 0, at_us), duration_us, mask);
	if (f != NULL) {
		f->mirror = mirror;
		f->value = 0;
	}
}

/* The mirror gets its other log device, while some are away or not, and then some die. */
static void draw_replace(struct random *r, struct scenario *s)
{
	uint32_t all = (UINT32_C(1) << s->nodes) - 1;
	uint32_t mirror = (uint32_t)random_below(r, s->mirrors);
	uint64_t at_us = between(r, SECOND, 6 * SECOND);
	uint32_t few = (uint32_t)between(r, 1, all);
	struct fault *f;

	few &= (uint32_t)between(r, 1, all);
	draw_replace_setting(r, s, mirror, at_us);
	f = fault_add(s, FAULT_REPLACE_LOG, at_us, between(r, 8 * SECOND, 24 * SECOND), 1);
	if (f != NULL)
		f->mirror = mirror;
	if (few != 0 && random_chance(r, 600))
		draw_away(r, s, mirror, at_us, few);
	draw_outages(r, s, at_us, few);
}

static bool has_fault(const struct scenario *s, enum fault_kind kind)
{
	for (uint32_t i = 0; i < s->faults; i++)
		if (s->fault[i].kind == kind)
			return true;
	return false;
}

void scenario_draw(struct scenario *ret, uint64_t seed)
{
	struct random random;
	struct random *r = &random;

	random_seed(r, seed, UINT32_MAX);
	memset(ret, 0, sizeof(*ret));
	ret->seed = seed;
	ret->nodes = draw_nodes(r);
	ret->mirrors = random_chance(r, 120) ? 2 : 1;
	for (unsigned m = 0; m < SIM_MIRRORS_MAX; m++)
		draw_mirror(r, ret->nodes, &ret->mirror[m]);
	ret->last_man = ret->nodes == 2 && random_chance(r, 500);
	ret->fence_us = scaled(r, SECOND / 2, 16 * SECOND);
	ret->token_us = scaled(r, SECOND / 10, 2 * SECOND);
	ret->message_us = scaled(r, 50, 5 * MS);
	ret->lock_us = scaled(r, 100, 20 * MS);
	ret->device_us = scaled(r, 50, 10 * MS);
	ret->leg_us = scaled(r, 50, 5 * MS);
	ret->responder_us = scaled(r, 4, 200);
	ret->version_min = random_chance(r, 300) ? 1 : 2;
	ret->version_max = random_chance(r, 900) ? 2 : ret->version_min;
	ret->hysteresis_ms = (uint32_t)scaled(r, 50, 4000);
	ret->sync_delay_ms = (uint32_t)scaled(r, 20, 2000);
	ret->retry_ms = (uint32_t)scaled(r, 100, 5000);
	ret->log_timeout_ms = (uint32_t)scaled(r, 500, 10000);
	ret->copies = (uint32_t)scaled(r, 1, 16);
	ret->busy_gap_ms = (uint32_t)scaled(r, 1, 50);
	for (uint32_t i = 0; i < SIM_NODES_MAX; i++)
		ret->start_us[i] =
		    random_chance(r, 600) ? between(r, 0, 50 * MS) : between(r, 0, 4 * SECOND);
	ret->load_us = scaled(r, 2 * SECOND, 12 * SECOND);
	ret->heal_us = 120 * SECOND;
	draw_faults(r, ret);
	random_seed(r, seed, UINT32_MAX - 1);
	draw_extremes(r, ret);
	random_seed(r, seed, NO_MEMORY_STREAM);
	if (random_chance(r, 40))
		draw_no_memory(r, ret);
	random_seed(r, seed, DRIFT_STREAM);
	if (random_chance(r, 40))
		ret->drift_ppm = (uint32_t)scaled(r, 10, 1000);
	random_seed(r, seed, LEASE_STREAM);
	ret->lease = random_chance(r, 500) ? (uint32_t)scaled(r, 1, 16) : MLOG_LEASE_MAX;
	random_seed(r, seed, RATE_STREAM);
	if (random_chance(r, 40))
		ret->region_ms = (uint32_t)scaled(r, 1, 100);
	random_seed(r, seed, DROP_STREAM);
	if (random_chance(r, 60))
		draw_drop(r, ret);
	random_seed(r, seed, REPLACE_STREAM);
	if (!has_fault(ret, FAULT_DROP_LEG) && random_chance(r, 60))
		draw_replace(r, ret);
}

void scenario_draw_limited(struct scenario *ret, uint64_t seed,
			   const struct scenario_limits *limits)
{
	uint32_t kept = 0;

	scenario_draw(ret, seed);
	for (unsigned i = 0; i < limits->sets; i++)
		scenario_read_line(limits->set[i], ret);
	if (!numbers_valid(ret))
		return;
	for (uint32_t i = 0; i < ret->faults; i++) {
		struct fault *f = &ret->fault[i];

		if (limits->some && (limits->kinds >> f->kind & 1) == 0)
			continue;
		f->node %= ret->nodes;
		f->mirror %= ret->mirrors;
		ret->fault[kept++] = *f;
	}
	ret->faults = kept;
	for (uint32_t m = 0; m < ret->mirrors; m++)
		if (ret->mirror[m].slots < ret->nodes)
			ret->mirror[m].slots = ret->nodes;
}
