/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/sim/agent.h"

#include "test/sim/kernel.h"
#include "test/sim/legs.h"
#include "test/sim/node.h"
#include "test/sim/world.h"

#define TICK_US	  (400 * MS_US)
#define RELOAD_US (5 * SECOND_US)

static struct kernel *kernel_of(const struct agent *a)
{
	return node_kernel(a->node, a->mirror);
}

/* A reload makes the kernel forget what it concluded while nobody answered. */
static void on_reset(void *context, enum kernel_operation operation, int error)
{
	struct agent *a = context;

	(void)operation;
	if (error != 0)
		a->reset = true;
	else
		node_reset_done(a->node, a->mirror);
}

static bool may_reload(const struct agent *a)
{
	const struct mirror *mirror = world_mirror(node_world(a->node), a->mirror);
	uint64_t now = world_now_us(node_world(a->node));

	return a->reload && legs_healthy(mirror->legs, a->node) &&
	       (a->reload_us == 0 || now - a->reload_us >= RELOAD_US);
}

static void reload(struct agent *a, kernel_done done)
{
	a->reload = false;
	a->reload_us = world_now_us(node_world(a->node));
	kernel_operate(kernel_of(a), KERNEL_RELOAD, done, a);
}

static void on_reloaded(void *context, enum kernel_operation operation, int error)
{
	struct agent *a = context;

	(void)operation;
	a->reload = a->reload || error != 0;
}

static void look(struct agent *a)
{
	struct kernel *k = kernel_of(a);
	bool there = kernel_luid(k) != 0;
	bool daemon = node_daemon_up(a->node);

	if (!kernel_operated(k))
		return;
	if (a->removed && there) {
		kernel_operate(k, KERNEL_REMOVE, NULL, NULL);
	} else if (!a->removed && !there && daemon) {
		kernel_configure(k, a->revision);
		kernel_operate(k, KERNEL_ACTIVATE, NULL, NULL);
	} else if (there && !a->suspended && !kernel_active(k)) {
		kernel_operate(k, KERNEL_RESUME, NULL, NULL);
	} else if (there && !a->suspended && daemon && a->reset) {
		a->reset = false;
		reload(a, on_reset);
	} else if (there && !a->suspended && daemon && may_reload(a)) {
		reload(a, on_reloaded);
	}
}

static void on_tick(void *context, uint64_t argument)
{
	struct agent *a = context;

	(void)argument;
	look(a);
	a->tick =
	    world_after(node_world(a->node),
			random_spread(node_random(a->node, RANDOM_NODE), TICK_US), on_tick, a, 0);
}

void agent_create(struct agent *a, struct node *node, unsigned mirror)
{
	a->node = node;
	a->mirror = mirror;
}

void agent_boot(struct agent *a)
{
	a->suspended = false;
	a->reload = false;
	a->reset = false;
	a->reload_us = 0;
	on_tick(a, 0);
}

void agent_off(struct agent *a)
{
	world_cancel(node_world(a->node), a->tick);
	a->tick = 0;
}

void agent_remove(struct agent *a, bool removed)
{
	a->removed = removed;
}

void agent_suspend(struct agent *a, bool noflush)
{
	struct kernel *k = kernel_of(a);

	if (k == NULL || !kernel_active(k))
		return;
	a->suspended =
	    kernel_operate(k, noflush ? KERNEL_SUSPEND_NOFLUSH : KERNEL_SUSPEND, NULL, NULL);
}

void agent_resume(struct agent *a)
{
	a->suspended = false;
}

void agent_reload(struct agent *a)
{
	a->reload = true;
}

void agent_reset(struct agent *a)
{
	a->reset = true;
}
