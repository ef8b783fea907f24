/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The group port of a cluster: all daemons, by corosync (libcpg for messages and members, libquorum
 * for rings and quorum, libcmap for what corosync.conf says). It decides nothing about mirrors.
 *
 * What it promises its owner, whatever corosync does, is what the simulator's group does
 * (test/sim/cpg.h):
 *	- views and messages come in one order, the same for all who stay together
 *	- our own messages come back in that order, or never
 *	- of a change with leavers and joiners, the view without the joiners comes first and is
 *	  judged alone: who moved together from the old ring is quorate only by its own votes
 *	- while corosync is away there is a view of us alone that is not quorate; what is sent
 *	  meanwhile is lost
 *
 * Single-threaded, in the sense of one caller at a time; everything comes from
 * group_cpg_dispatch(), never from within another call. group_cpg_dispatch() needs a stack of more
 * than 1 MiB (libcpg has a buffer there), so it is for the main thread only (thread.h).
 *
 * Nothing waits for corosync, also when that was stopped, but group_cpg_destroy(): what libcpg does
 * without a time limit (opening, joining, leaving) has a thread of its own, and of what is sent
 * little is ever on its way (see group_cpg.c).
 */
#ifndef DLM_GROUP_CPG_H
#define DLM_GROUP_CPG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/group.h"

#define GROUP_CPG_NAME_SIZE  65U /* a cluster's name, with its NUL */
#define GROUP_CPG_ERROR_SIZE 256U

struct group_cpg;

struct group_cpg_callbacks {
	/* Sorted, ours included, at most MLOG_VIEW_MAX. joined: somebody is there who was not in the
	 * last view of the same connection, we ourselves at first. */
	void (*view)(void *context, const uint32_t *node, uint32_t count, bool quorate,
		     bool joined);
	/* sender: the node that corosync says it is from. */
	void (*message)(void *context, uint32_t sender, const void *datagram, size_t size);
	/* Our node and the cluster's name are known from now on; once for each connection to
	 * corosync, before its first view. */
	void (*connected)(void *context, uint32_t node, const char *cluster);
};

struct group_cpg_status {
	bool connected; /* to corosync */
	bool joined;	/* our own join has been delivered */
	bool quorate;	/* as the owner was told */
	uint32_t node;	/* 0: not known yet */
	uint32_t view_count;
	uint32_t view[MLOG_VIEW_MAX];
	uint64_t ring_seq;
	uint32_t ring_node;
	char cluster[GROUP_CPG_NAME_SIZE];
	char problem[GROUP_CPG_ERROR_SIZE]; /* what is missing and what to do; empty: nothing */
	uint64_t sent;
	uint64_t received;
	uint64_t sent_bytes;
	uint64_t received_bytes;
	uint64_t retries; /* sends that corosync put off */
	uint32_t queued;  /* messages that wait for that now */
	uint64_t refused; /* messages and members that contradicted corosync's membership */
	uint64_t reconnects;
};

/* Tries to connect, and goes on trying every second when it cannot. -ENOMEM, or what the epoll and
 * timer descriptors say. */
int group_cpg_create(const char *group, const struct group_cpg_callbacks *callbacks, void *context,
		     struct group_cpg **ret);
/* Leaves the group: a word to the others, who need not find out. Waits until corosync has heard it,
 * 1 s at most. Takes NULL, returns NULL. */
struct group_cpg *group_cpg_destroy(struct group_cpg *g);
/* One descriptor for the loop, readable when group_cpg_dispatch() has something to do. */
int group_cpg_fd(const struct group_cpg *g);
void group_cpg_dispatch(struct group_cpg *g);
/* To all, us included. At most GROUP_MESSAGE_MAX bytes. Never blocks: waits in a queue while
 * corosync is busy. Lost while we are not in the group. */
void group_cpg_send(struct group_cpg *g, const void *datagram, size_t size);
/* Leaves and joins again: what was delivered contradicts itself, so what we were told is not what
 * the others were. The owner is told a view of us alone in the next dispatch, and nothing before.
 * why is for people. */
void group_cpg_rejoin(struct group_cpg *g, const char *why);
void group_cpg_status(const struct group_cpg *g, struct group_cpg_status *ret);

#endif
