/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What corosync promises (CPG and quorum), and what it does not.
 *
 * Each node that is up has a station. Stations that can hear each other form a ring; a ring has one
 * order of packets. A station accepts packets in that order, without gaps, and hands messages and
 * views to its daemon in the order in which it accepted them.
 *
 *	connectivity changes   rings that lost somebody order nothing more, but for the one station
 *	                       that has the token, whose packets then reach only its own side
 *	token_us later         who can hear each other forms a new ring. Those that come from the
 *	                       same old ring move together: what one of them has got all of them
 *	                       get, up to the first packet that none has; behind that only what they
 *	                       themselves sent (agreed order is not safe order)
 *	then                   the view without those who left
 *	then                   the view with those who came, at the same place for all who move
 *	                       together
 *
 * So a message may be delivered on one side of a partition only, even only at its own sender; what
 * a station has not got into the order yet goes into that of the next ring.
 */
#ifndef DLM_SIM_CPG_H
#define DLM_SIM_CPG_H

#include "test/sim/sim.h"

struct cpg *cpg_create(struct world *w);

/* The node's corosync starts or is gone with its node. */
void cpg_station_up(struct cpg *g, unsigned node);
void cpg_station_down(struct cpg *g, unsigned node);
/* The daemon joins; dies or leaves. */
void cpg_join(struct cpg *g, unsigned node);
void cpg_leave(struct cpg *g, unsigned node);
void cpg_send(struct cpg *g, unsigned node, const void *datagram, size_t size);
/* Nodes of the mask are one side, all others another; 0: no more. Several partitions, by place,
 * cut each other's sides again. */
#define PARTITIONS_MAX 8U
void cpg_partition(struct cpg *g, unsigned place, uint32_t mask);
/* Messages take `times` as long. */
void cpg_slow(struct cpg *g, uint64_t times);

/* False while a ring is about to form: until then nobody whom that concerns is given anything. */
bool cpg_settled(const struct cpg *g);
/* Is the node's ring quorate, and who is in it? */
bool cpg_quorate(const struct cpg *g, unsigned node);
uint32_t cpg_ring(const struct cpg *g, unsigned node);

#endif
