/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The language of fuzz_mlog's inputs, which seeds.c writes. Three bytes of plan, then actions: one
 * byte with the action in the lower five bits, then two bits of node and a switch, and after it the
 * arguments that are named here.
 */
#ifndef DLM_FUZZ_MLOG_ACTIONS_H
#define DLM_FUZZ_MLOG_ACTIONS_H

/* first byte of the plan: nodes - 1, and */
#define PLAN_DISK     4U
#define PLAN_STRANGER 8U
#define PLAN_NOSYNC   16U
#define PLAN_SYNC     32U
#define PLAN_TIGHT    64U  /* as many members as nodes, else four */
#define PLAN_MOST     128U /* 32 members; of a node alone: one */
/* second byte: index of the number of regions (three bits), shift (two), copies - 1 (three)
 * third byte: room for words in a STATE (two bits), then a bit for each node that is of version 1
 */

#define ACT_NODE(node) ((node) << 5)
#define ACT_ON	       128U

/* Arguments. number: a byte, from 250 on with a meaning of its own. history: its flags, then a byte
 * of in_sync (with HISTORY_IN_SYNC), then of a crashed log a byte of dirty and one of owners. */
enum action {
	ACT_RUN, /* history, rounds */
	ACT_DELIVER,
	ACT_DELIVER_ALL,
	ACT_MARK,  /* number; on: three regions */
	ACT_CLEAR, /* the same */
	ACT_FLUSH, /* number; on: with marks */
	ACT_RESUME,
	ACT_SUSPEND,	 /* PRESUSPEND and POSTSUSPEND */
	ACT_REQUEST,	 /* of any type: type, number, count */
	ACT_IN_SYNC,	 /* number; off: IS_REMOTE_RECOVERING */
	ACT_WORK,	 /* off: GET_SYNC_COUNT */
	ACT_REGION_SYNC, /* number; on: to 1 */
	ACT_DEVICE,	 /* history; on: error */
	ACT_WRITE,	 /* which; on: error */
	ACT_COPY,	 /* which, result */
	ACT_LOCK,	 /* which; on: error */
	ACT_SLOT,	 /* pattern; on: error */
	ACT_TIMER,
	ACT_TIME,   /* exponent */
	ACT_VERIFY, /* on: and repair */
	ACT_ADMIN,  /* which; on: of QUIESCE */
	ACT_PART,   /* sides; on: messages are lost, here and below */
	ACT_DAEMON_DIES,
	ACT_DAEMON_STARTS,
	ACT_DAEMON_RESTARTS,
	ACT_NODE_DIES,
	ACT_REMOVE,
	ACT_RELOAD,
	ACT_FORGE, /* kind, body; on: a JOIN of a new incarnation */
};

#define HISTORY_BLANK	 0U
#define HISTORY_CLEAN	 1U
#define HISTORY_CRASHED	 2U
#define HISTORY_OTHER	 4U /* geometry */
#define HISTORY_DISTRUST 8U
#define HISTORY_DAMAGED	 16U /* a slot header */
#define HISTORY_IN_SYNC	 32U
#define HISTORY_REPLACED 64U /* when it is an error: the device is another one */

#endif
