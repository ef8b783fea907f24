/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/sim/faults.h"

#include "test/sim/agent.h"
#include "test/sim/change.h"
#include "test/sim/checker.h"
#include "test/sim/logdev.h"
#include "test/sim/cpg.h"
#include "test/sim/kernel.h"
#include "test/sim/legs.h"
#include "test/sim/node_internal.h"

#define BOOT_US (1 * SECOND_US) /* no host is back sooner */

static const struct fault *fault_of(struct world *w, uint64_t index)
{
	return &world_scenario(w)->fault[index];
}

static uint32_t part(const struct world *w, const struct fault *f)
{
	return f->mask & ((UINT32_C(1) << world_nodes(w)) - 1);
}

static struct logdev *device_of(const struct mirror *mirror, const struct fault *f)
{
	return mirror
	    ->logdev[f->kind != FAULT_DEVICE_SLOW && f->value < SIM_LOGDEVS ? f->value : 0];
}

static void devices_slow(const struct mirror *mirror, uint64_t more_us)
{
	for (unsigned d = 0; d < SIM_LOGDEVS; d++)
		logdev_slow(mirror->logdev[d], more_us);
}

/* Faults of a log device; a mirror without one has none. */
static void device_begin(struct world *w, const struct fault *f)
{
	struct mirror *mirror = world_mirror(w, f->mirror);
	struct logdev *d = device_of(mirror, f);

	if (d == NULL)
		return;
	if (f->kind == FAULT_DEVICE_SLOW) {
		devices_slow(mirror, f->value * MS_US);
		return;
	}
	checker_repair_all(world_checker(w), mirror);
	logdev_fail(d, f->kind == FAULT_DEVICE_BLANK ? UINT32_MAX : f->mask, true);
	if (f->kind == FAULT_DEVICE_BLANK)
		logdev_replace(d);
}

static void device_end(struct world *w, const struct fault *f)
{
	struct mirror *mirror = world_mirror(w, f->mirror);
	struct logdev *d = device_of(mirror, f);

	if (d == NULL)
		return;
	if (f->kind == FAULT_DEVICE_SLOW)
		devices_slow(mirror, 0);
	else
		logdev_fail(d, f->kind == FAULT_DEVICE_BLANK ? UINT32_MAX : f->mask, false);
}

static void power(struct world *w, uint32_t mask, bool on)
{
	for (unsigned i = 0; i < world_nodes(w); i++) {
		if ((mask >> i & 1) == 0)
			continue;
		node_hold_off(world_node(w, i), !on);
		if (on)
			node_power_on(world_node(w, i));
		else
			node_power_off(world_node(w, i));
	}
}

static void begin(struct world *w, const struct fault *f, unsigned place)
{
	struct node *node = world_node(w, f->node);
	struct agent *agent = &node->agent[f->mirror];

	switch (f->kind) {
	case FAULT_NODE_DEATH:
		power(w, UINT32_C(1) << f->node, false);
		break;
	case FAULT_OUTAGE:
		power(w, f->mask, false);
		break;
	case FAULT_DAEMON_DEATH:
		node_daemon_kill(node);
		break;
	case FAULT_DAEMON_RESTART:
	case FAULT_UPGRADE:
		node_daemon_restart(node, f->kind == FAULT_UPGRADE);
		break;
	case FAULT_DAEMON_STOP:
		node_daemon_stop(node, f->duration_us);
		break;
	case FAULT_OVERRUN:
		node_overrun(node, f->duration_us);
		break;
	case FAULT_PARTITION:
		cpg_partition(world_cpg(w), place, part(w, f));
		break;
	case FAULT_GROUP_SLOW:
		cpg_slow(world_cpg(w), f->value);
		break;
	case FAULT_DEVICE_ERROR:
	case FAULT_DEVICE_SLOW:
	case FAULT_DEVICE_BLANK:
		device_begin(w, f);
		break;
	case FAULT_LEG_ERROR:
		legs_fail(world_mirror(w, f->mirror)->legs, (unsigned)f->value, f->mask, true);
		break;
	case FAULT_MOVER_ERROR:
		node_mover_fail(node, f->duration_us);
		break;
	case FAULT_NO_MEMORY:
		node_no_memory(node, f->duration_us);
		break;
	case FAULT_DEACTIVATE:
		agent_remove(agent, true);
		break;
	case FAULT_SUSPEND:
		agent_suspend(agent, f->value != 0);
		break;
	case FAULT_RELOAD:
		agent_reload(agent);
		break;
	case FAULT_VERIFY:
		node_verify(node, f->mirror, f->value != 0);
		break;
	case FAULT_STATUS:
		if (node_up(node))
			kernel_status(node_kernel(node, f->mirror));
		break;
	case FAULT_CLOCK:
		node_clock_jump(node, f->value);
		break;
	case FAULT_DROP_LEG:
		change_want_leg(world_change(w, f->mirror), (unsigned)f->value);
		break;
	case FAULT_REPLACE_LOG:
		change_want_log(world_change(w, f->mirror));
		break;
	default:
		break;
	}
}

static void end(struct world *w, const struct fault *f, unsigned place)
{
	struct node *node = world_node(w, f->node);

	switch (f->kind) {
	case FAULT_NODE_DEATH:
		power(w, UINT32_C(1) << f->node, true);
		break;
	case FAULT_OUTAGE:
		power(w, f->mask, true);
		break;
	case FAULT_DAEMON_DEATH:
		node_daemon_start(node);
		break;
	case FAULT_PARTITION:
		cpg_partition(world_cpg(w), place, 0);
		break;
	case FAULT_GROUP_SLOW:
		cpg_slow(world_cpg(w), 1);
		break;
	case FAULT_DEVICE_ERROR:
	case FAULT_DEVICE_SLOW:
	case FAULT_DEVICE_BLANK:
		device_end(w, f);
		break;
	case FAULT_LEG_ERROR:
		legs_fail(world_mirror(w, f->mirror)->legs, (unsigned)f->value, f->mask, false);
		for (unsigned i = 0; i < world_nodes(w); i++)
			if ((f->mask >> i & 1) != 0)
				agent_reload(&world_node(w, i)->agent[f->mirror]);
		break;
	case FAULT_DEACTIVATE:
		agent_remove(&node->agent[f->mirror], false);
		break;
	case FAULT_SUSPEND:
		agent_resume(&node->agent[f->mirror]);
		break;
	case FAULT_DROP_LEG:
	case FAULT_REPLACE_LOG:
		change_over(world_change(w, f->mirror));
		break;
	default:
		break;
	}
}

static void on_begin(void *context, uint64_t index)
{
	struct world *w = context;
	const struct fault *f = fault_of(w, index);

	world_trace(w, NULL, "fault %" PRIu64 ", kind %" PRIu64 ", begins", index, f->kind, 0);
	if (world_traces(w))
		world_trace_text(w, NULL, fault_name(f->kind));
	world_result(w)->fault[f->kind]++;
	begin(w, f, (unsigned)index % PARTITIONS_MAX);
}

static void on_end(void *context, uint64_t index)
{
	struct world *w = context;

	world_trace(w, NULL, "fault %" PRIu64 " is over", index, 0, 0);
	end(w, fault_of(w, index), (unsigned)index % PARTITIONS_MAX);
}

uint64_t faults_start(struct world *w)
{
	const struct scenario *s = world_scenario(w);
	uint64_t over_us = s->load_us;

	for (uint32_t i = 0; i < s->faults; i++) {
		const struct fault *f = &s->fault[i];
		uint64_t duration = f->duration_us;

		if ((f->kind == FAULT_NODE_DEATH || f->kind == FAULT_OUTAGE) && duration < BOOT_US)
			duration = BOOT_US;
		world_after(w, f->at_us, on_begin, w, i);
		world_after(w, f->at_us + duration, on_end, w, i);
		if (f->at_us + duration > over_us)
			over_us = f->at_us + duration;
	}
	return over_us;
}
