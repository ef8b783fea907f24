/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several cores in one group, in a world that is kind: messages come in order and at once, the log
 * device and the locks answer at once, unless a test wants it otherwise. Regions, nodes and members
 * are few; a function that is told what a kernel asks also checks that it is answered.
 */
#ifndef DLM_UNIT_CLUSTER_RIG_H
#define DLM_UNIT_CLUSTER_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/mlog.h"

#define NODES	       4U /* numbered from 1 */
#define MEMBERS	       4U
#define REGIONS	       256U
#define WORDS	       (REGIONS / 64U)
#define REGION_SECTORS 1024U
#define REVISION       5U
#define BUSY_GAP_MS    25U
#define SYNCED_BATCH   16U  /* recovered regions are told together: so many */
#define SYNCED_MS      100U /* or after so long */
#define GAP_MS	       250U /* who writes leaves resync to others, a moment without a lease included, */
#define PROGRESS_MS    5000U /* while one gets on with it */
#define QUEUE	       512U
#define NOBODY	       0U
#define STRANGER       (NODES + 1) /* a daemon that says what a test lets it say */

struct letter {
	struct mlog_message message;
	uint64_t word[16];
	struct mlog_member member[MLOG_MEMBERS_MAX];
};

struct node {
	uint32_t number;
	bool up;	      /* the machine */
	bool daemon;	      /* in the group */
	bool handed_over;     /* by its last daemon */
	uint64_t incarnation; /* of its last JOIN */
	struct mlog *m;
	struct hot hot;
	void *memory;
	uint64_t timer_ms;
	uint32_t seq;
	struct mlog_reply reply[64];
	unsigned replies;
	bool hold_copies;
	uint64_t copied[REGIONS];
	unsigned copies;
	unsigned reloads;
	unsigned wakes;
	unsigned notices[MLOG_NOTICE_OUTDATED + 1];
};

struct cluster {
	bool has_disk;
	bool stranger; /* is in the group */
	uint32_t lost; /* bits of kinds of messages that nobody is given */
	uint64_t now_ms;
	uint64_t incarnation;
	struct node node[NODES + 1];
	/* the group */
	struct letter queue[QUEUE];
	unsigned first, count;
	/* the device */
	bool used; /* not blank */
	bool clean;
	uint64_t sync[WORDS];
	uint64_t slot[MEMBERS][WORDS];
	uint32_t owner[MEMBERS];
	bool distrust;
	uint32_t failing; /* bits of effects that fail, with error */
	int error;
	uint32_t silent; /* bits of effects that are not answered before device_answers() */
	/* the locks */
	uint32_t holder[MLOG_LOCK_MAP + 1];
	uint32_t waits[MLOG_LOCK_MAP + 1][NODES];
	uint32_t waiting[MLOG_LOCK_MAP + 1];
	/* answers still to be given */
	struct {
		struct node *node;
		struct mlog_event event;
	} answer[QUEUE];
	unsigned answers;
	struct {
		struct node *node;
		struct mlog_event event;
	} late[QUEUE];
	unsigned lates;
};

struct cluster *cluster_make(bool has_disk);
/* With nodes 1.. attached, all in sync. */
struct cluster *cluster_of(bool has_disk, uint32_t nodes);
/* What all know is the same for all; then frees everything. */
void cluster_end(struct cluster *c);
void same_everywhere(const struct cluster *c);

/* One event for one node, without what follows from it; until nothing is left to be delivered or
 * answered; a new view for all; time with its timers. */
void node_step(struct cluster *c, struct node *n, struct mlog_event *event);
void cluster_settle(struct cluster *c);
void cluster_view(struct cluster *c);
void time_passes(struct cluster *c, uint64_t ms);

/* What the device has not answered yet (silent). */
void device_answers(struct cluster *c);
/* To all; from is the STRANGER, or whom it plays. */
void message_forged(struct cluster *c, const struct mlog_message *message);

/* The daemon, with a new table or with what an earlier one left in memory. */
void node_starts(struct cluster *c, uint32_t number, enum mlog_sync sync, bool restored);
void node_attaches(struct cluster *c, uint32_t number, enum mlog_sync sync);
void node_leaves(struct cluster *c, uint32_t number);
/* The daemon alone; its own slot's lock stays. The node: the others know that it is dead only when
 * it is fenced. */
void daemon_dies(struct cluster *c, uint32_t number);
void daemon_hands_over(struct cluster *c, uint32_t number);
void node_dies(struct cluster *c, uint32_t number);
void node_fenced(struct cluster *c, uint32_t number);

/* The kernel. Region REGIONS: of no region. Returns the request's seq. */
uint32_t node_asks(struct cluster *c, uint32_t number, enum ulog_type type, uint64_t region,
		   bool in_sync);
/* NULL: not answered. Forgets all replies. */
const struct mlog_reply *node_reply(struct node *n, uint32_t seq);
void node_answered(struct cluster *c, uint32_t number, uint32_t seq);
void node_marks(struct cluster *c, uint32_t number, uint64_t region);
void node_clears(struct cluster *c, uint32_t number, uint64_t region);

struct mlog_status node_status(const struct cluster *c, uint32_t number);

#endif
