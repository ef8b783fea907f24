/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One node: a host with its kernel models and its daemon. The daemon is the real core, codecs and
 * pump; what of dlmirrord is not portable (sockets, files, device-mapper) is played here, in the
 * same order.
 *
 *	node.c	power, clock, the daemon's life, datagrams
 *	log.c	the daemon's logs: constructor and destructor, what is restored, the ports
 *	agent.c	whoever calls dmsetup on it
 *	mover.c	the copies of its daemon
 */
#ifndef DLM_SIM_NODE_H
#define DLM_SIM_NODE_H

#include "test/sim/sim.h"

struct logdev_answer;
struct world_result;

struct node *node_create(struct world *w, unsigned index);
/* The run is over: frees what the core has, and adds to the result what the node has counted. */
void node_end(struct node *node, struct world_result *result);

void node_power_on(struct node *node); /* nothing when it is on, or held off */
void node_power_on_at(void *node, uint64_t argument);
void node_power_off(struct node *node);
/* While held off it does not start; calls count. */
void node_hold_off(struct node *node, bool hold);
uint64_t node_boots(const struct node *node);
/* What its daemons have done for a mirror; SIM_MIRRORS_MAX: for none (greetings of the group). */
struct meter *node_meter(struct node *node, unsigned mirror);

void node_daemon_kill(struct node *node);
void node_daemon_start(struct node *node);
/* Planned, with handover; other: the next one speaks the other protocol version. */
void node_daemon_restart(struct node *node, bool other);
void node_daemon_stop(struct node *node, uint64_t duration_us);
void node_overrun(struct node *node, uint64_t duration_us);
void node_clock_jump(struct node *node, uint64_t ms);
void node_verify(struct node *node, unsigned mirror, bool repair);
/* No log can be made: CTR says so, a daemon that starts leaves what it finds for later. */
void node_no_memory(struct node *node, uint64_t duration_us);
void node_mover_fail(struct node *node, uint64_t duration_us);

/*
 * A daemon that is stopped takes nothing in: fn is called again when it goes on. Returns the handle
 * of that, or 0 when the daemon takes it now.
 */
uint64_t node_busy(struct node *node, queue_fn fn, void *context, uint64_t argument);

/* What comes from the far ends of the ports. Objects that are gone are no matter. */
void node_group_view(struct node *node, uint32_t mask, bool quorate);
void node_group_message(struct node *node, const uint8_t *datagram, size_t size, uint64_t place);
void node_locked(struct node *node, uint64_t object, uint32_t lock, int error);
void node_device_done(struct node *node, unsigned mirror, const struct logdev_answer *answer);
void node_copied(struct node *node, uint64_t object, uint64_t region, enum mlog_copy_result result);
/* The table was loaded anew, as log_suspect() had asked for. */
void node_reset_done(struct node *node, unsigned mirror);

#endif
