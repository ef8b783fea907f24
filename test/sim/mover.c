/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/sim/mover.h"

#include "test/sim/checker.h"
#include "test/sim/legs.h"
#include "test/sim/node.h"
#include "test/sim/world.h"

#define REFUSED_US     200U
#define LATER_PERMILLE 10U

/* What the answer needs, in one number each. */
struct copy {
	struct node *node;
	uint64_t object;
	uint64_t region;
	enum mlog_copy_mode mode;
	enum mlog_copy_result result;
};

static void on_answer(void *context, uint64_t argument)
{
	struct copy *c = context;

	if (node_busy(c->node, on_answer, c, argument) == 0)
		node_copied(c->node, c->object, c->region, c->result);
}

static void on_copied(void *context, uint64_t argument, const struct legs_copied *result)
{
	struct copy *c = context;

	if (result->read_error || result->write_errors != 0)
		c->result = MLOG_COPY_ERROR;
	else if (!result->differed)
		c->result = MLOG_COPY_SAME;
	else
		c->result = c->mode == MLOG_COPY_REPAIR ? MLOG_COPY_REPAIRED : MLOG_COPY_DIFFERED;
	on_answer(c, argument);
}

static void refuse(struct world *w, struct copy *c, enum mlog_copy_result result)
{
	c->result = result;
	world_after(w, REFUSED_US, on_answer, c, 0);
}

void mover_copy(struct node *node, struct mirror *mirror, uint64_t revision, uint64_t object,
		uint64_t region, enum mlog_copy_mode mode, bool fails)
{
	struct world *w = mirror->world;
	struct random *random = node_random(node, RANDOM_MOVER);
	struct copy *c = world_alloc(w, sizeof(*c));
	bool later = random_chance(random, LATER_PERMILLE);

	*c = (struct copy){.node = node, .object = object, .region = region, .mode = mode};
	if (later || fails) {
		refuse(w, c, random_chance(random, 700) ? MLOG_COPY_LATER : MLOG_COPY_ERROR);
	} else if (!legs_healthy(mirror->legs, node)) {
		refuse(w, c, MLOG_COPY_ERROR);
	} else {
		if (mode == MLOG_COPY_REPAIR)
			checker_repairs(world_checker(w), node, mirror, (uint32_t)region);
		/* From the table's first leg: device-mapper does not tell which one the kernel
		 * takes now. */
		legs_copy(mirror->legs, legs_table(mirror->legs, revision), node, LEGS_MOVER,
			  (uint32_t)region, 0,
			  mode == MLOG_COPY_REPAIR ? LEGS_REPAIR : LEGS_COMPARE, on_copied, c, 0);
	}
}
