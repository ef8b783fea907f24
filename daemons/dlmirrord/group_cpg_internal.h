/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the group port:
 *	group_cpg.c	  the descriptor, the queue of what is sent, connections that come and go
 *	group_cpg_link.c  one connection to corosync: opens and closes it, which may wait, in a thread
 *	group_cpg_order.c the order: rings, views, quorum. Knows no corosync call.
 */
#ifndef DLM_GROUP_CPG_INTERNAL_H
#define DLM_GROUP_CPG_INTERNAL_H

#include <stdatomic.h>
#include <sys/queue.h>

#include <corosync/corotypes.h>
#include <corosync/cpg.h>
#include <corosync/quorum.h>

#include "daemons/common/message.h"
#include "daemons/dlmirrord/group_cpg.h"

#define RING_NODES_MAX	CPG_MEMBERS_MAX /* libcpg's and ours */
#define RINGS_MAX	32U		/* that libquorum has told and CPG has not reached */
#define QUEUE_MESSAGES	4096U
#define QUEUE_BYTES	(64U << 20)
#define FLIGHT_MESSAGES 128U
#define FLIGHT_BYTES	(8U * (GROUP_MESSAGE_MAX + 64U))
#define RECONNECT_MS	1000U
#define RETRY_MS	10U
#define SETTLE_MS	5000U /* after a change of view all members have said what they were told */
#define SLOW_MS		5000U /* an answer of corosync's that takes longer is worth a word */

/* ---- a connection */

/* What corosync.conf says, the same on all nodes. */
struct group_votes {
	uint32_t count;
	uint32_t node[RING_NODES_MAX];
	uint32_t votes[RING_NODES_MAX];
	uint32_t threshold; /* of a quorum */
};

enum link_state { LINK_OPENING, LINK_READY, LINK_FAILED, LINK_ABANDONED };

struct group_link {
	_Atomic int state; /* LINK_OPENING: the thread's, and LINK_ABANDONED */
	int done_fd;	   /* the opening thread's: an eventfd, written at its end */
	struct cpg_name group;
	cpg_model_v1_data_t cpg_model;
	quorum_model_v1_data_t quorum_model;
	void *context; /* of the callbacks */
	bool has_cpg;
	bool has_quorum;
	cpg_handle_t cpg;
	quorum_handle_t quorum;
	int cpg_fd;
	int quorum_fd;
	uint32_t node;
	struct group_votes votes;
	char cluster[GROUP_CPG_NAME_SIZE];
	char problem[GROUP_CPG_ERROR_SIZE];
};

/* done_fd is duplicated. -ENOMEM, or why there is no thread. */
int link_open(const char *group, const cpg_model_v1_data_t *cpg_model,
	      const quorum_model_v1_data_t *quorum_model, void *context, int done_fd,
	      struct group_link **ret);
/* Waits for at most wait_ms until corosync knows. In any state; takes NULL, returns NULL. */
struct group_link *link_close(struct group_link *link, unsigned wait_ms);

/* ---- the order */

/*
 * What is sent goes in an envelope: magic · CRC-32C of its rest · version · kind · ring's node ·
 * ring's seq · value. Little-endian. The owner's datagram follows, which has its own checksum.
 */
#define ENVELOPE_SIZE 32U

enum group_kind {
	KIND_DATA = 1,	  /* value: its number, from 1 in each ring */
	KIND_QUORATE = 2, /* value: 0 or 1 */
	KIND_VIEW = 3,	  /* value: a hash of the view told last */
	KIND_PROBE = 4,	  /* nothing: tells its sender what has become of the one before it */
};

struct ring {
	uint32_t node;
	uint64_t seq; /* 0: none */
	uint32_t count;
	uint32_t member[RING_NODES_MAX];
	bool together[RING_NODES_MAX]; /* came with us from the ring before */
	bool judged;		       /* corosync has said whether it is quorate */
	bool first;		       /* what it said first */
	bool quorate;		       /* what it said last */
};

/* A process of the group. */
struct group_process {
	uint32_t node;
	uint32_t pid;
	bool fresh;   /* came since the last view */
	bool refused; /* is not in the view, and was counted */
};

struct group_told {
	uint32_t node;
	uint32_t pid;
	uint64_t number_next; /* of its next message; 0: any */
	bool said;	      /* what it was told last, in this ring */
	uint32_t said_view;
};

struct group_order {
	struct group_process process[CPG_MEMBERS_MAX]; /* as CPG has them, oldest first */
	uint32_t process_count;
	bool joined;	  /* our own join was delivered */
	bool changing;	  /* the processes are those of a ring that CPG has not named yet */
	uint64_t awaited; /* the ring that CPG has named and libquorum has not; 0: none */
	uint64_t awaited_since_ms;
	struct ring ring; /* as applied */
	struct ring next[RINGS_MAX];
	uint32_t next_count;
	struct group_told told[MLOG_VIEW_MAX]; /* sorted */
	uint32_t told_count;
	bool quorate;	/* as told */
	bool announced; /* corosync's verdict on this ring, as the others know it from us */
	uint64_t changed_ms;
	bool compared; /* with what the others were told */
	uint32_t
	    ghost; /* a node whose daemon is in the group and that is not in the ring; 0: none */
	uint32_t differs; /* a node that was told something else; 0: none */
	uint32_t twin;	  /* the pid of another daemon of this node; 0: none */
};

/* ---- the port */

struct group_datagram {
	STAILQ_ENTRY(group_datagram) next;
	bool data; /* the owner's; its envelope is written when it goes */
	bool again;
	uint64_t ring; /* it was sent in */
	size_t size;
	uint8_t byte[];
};
STAILQ_HEAD(group_datagrams, group_datagram);

struct group_cpg {
	char *name;
	const struct group_cpg_callbacks *callbacks;
	void *context;
	int epoll_fd;
	int timer_fd;
	int opened_fd;
	struct group_link *opening;
	struct group_link *link;
	bool cpg_held; /* its descriptor is not watched */
	bool lost;     /* the connection is to be closed */
	bool alone;    /* the last view told is of us alone, without corosync */
	uint32_t node;
	char cluster[GROUP_CPG_NAME_SIZE];
	char problem[GROUP_CPG_ERROR_SIZE];
	uint64_t open_at_ms;
	uint64_t opening_since_ms;
	uint64_t retry_at_ms;
	uint64_t connections;
	uint64_t callbacks_run; /* by libcpg and libquorum */
	struct group_order order;
	struct group_datagrams queue;
	size_t queue_bytes;
	uint32_t queue_count;
	struct group_datagrams flight; /* sent, not yet delivered to us */
	size_t flight_bytes;
	uint32_t flight_count;
	uint64_t flight_since_ms; /* when the oldest of it became that */
	bool probed;
	uint64_t number; /* of the last that was sent in this ring */
	uint64_t sent, received, sent_bytes, received_bytes, retries, refused;
};

/* The connection is to be given up; what is said becomes status.problem. The first one counts. */
__attribute__((format(printf, 3, 4))) void group_lose(struct group_cpg *g, enum message message,
						      const char *format, ...);
/* data: the owner's, which needs an envelope. */
void group_queue(struct group_cpg *g, const void *datagram, size_t size, bool data);

void order_reset(struct group_cpg *g);
/* For the ring that we are in. ret: ENVELOPE_SIZE bytes */
void order_envelope(const struct group_cpg *g, enum group_kind kind, uint64_t value, uint8_t *ret);
/* What libquorum says. */
void order_nodelist(struct group_cpg *g, struct quorum_ring_id id, const uint32_t *member,
		    uint32_t member_count, const uint32_t *joined, uint32_t joined_count);
void order_verdict(struct group_cpg *g, struct quorum_ring_id id, bool quorate);
/* What CPG says. */
void order_confchg(struct group_cpg *g, const struct cpg_address *member, size_t member_count,
		   const struct cpg_address *left, size_t left_count,
		   const struct cpg_address *joined, size_t joined_count);
void order_totem(struct group_cpg *g, struct cpg_ring_id id);
void order_message(struct group_cpg *g, uint32_t node, uint32_t pid, const void *datagram,
		   size_t size);
/* May CPG's next event be taken? Not before libquorum has caught up. */
bool order_ready(struct group_cpg *g);
/* Compares with the others when all have had the time to say. */
void order_compare(struct group_cpg *g, uint64_t now_ms);

#endif
