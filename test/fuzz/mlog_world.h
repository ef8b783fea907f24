/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One to three cores and everything around them, for fuzz_mlog: whatever a core asks for is written
 * down here, and is answered only when the fuzzer says so, in any order and with any result that
 * the contract in mlog.h allows. What a core may not do is checked as it does it.
 *
 * The group is virtually synchronous: a message goes into the inboxes of all nodes of its side at
 * once, as bytes, and each node takes from its own inbox when it is told to. Nodes of which none
 * has taken a message when the group parts may all lose it, unless one of them sent it. Locks are
 * granted only while all nodes that are up are together, as the DLM's are.
 *
 * A stranger may be one more node of the group. It has no core: it says what the fuzzer forges.
 *
 * What is not here: data. Whether legs come out right is for the simulator.
 */
#ifndef DLM_FUZZ_MLOG_WORLD_H
#define DLM_FUZZ_MLOG_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/group.h"
#include "core/mlog.h"

#define WORLD_NODES 3U

struct world_plan {
	uint32_t nodes; /* 1..WORLD_NODES */
	uint32_t members;
	uint64_t regions;
	unsigned shift;
	bool has_disk;
	enum mlog_sync sync;
	uint32_t copies;
	uint32_t words;		       /* room for words in a STATE, 64..GROUP_WORDS_MAX */
	uint16_t highest[WORLD_NODES]; /* protocol version of each node */
	bool stranger;
};

/* What a log device holds when it is asked. */
struct world_history {
	enum mlog_load load;
	bool other; /* geometry */
	bool distrust;
	uint8_t in_sync; /* repeated */
	uint8_t dirty;	 /* repeated */
	uint8_t owners;	 /* two bits for each of the first four slots: a node, or 0; its own: 0 */
	bool damaged_header; /* nobody knows who has the last slot */
	bool replaced;	     /* an error says that the log is not on this device any more */
};

void world_begin(const struct world_plan *plan);
void world_end(void);

/* Each of the following does nothing when there is nothing of the kind to be done. */

/* A kernel's request, answered by the hot maps if they can. */
void world_request(uint32_t node, enum ulog_type type, uint64_t region, uint32_t count,
		   bool in_sync);
/* Answers; `which` chooses among several. error: 0 or a negative errno. */
void world_answer_device(uint32_t node, int error, const struct world_history *history);
void world_answer_write(uint32_t node, uint32_t which, int error);
void world_answer_copy(uint32_t node, uint32_t which, enum mlog_copy_result result);
void world_answer_lock(uint32_t node, uint32_t which, int error);
/* pattern 0: the slot was free; else its bits, repeated. */
void world_answer_slot(uint32_t node, int error, uint8_t pattern);
/* The next message or view of its inbox. False: there is none. */
bool world_deliver(uint32_t node);
/* The timer, when it is due. */
void world_timer(uint32_t node);
void world_time(uint32_t ms);
void world_admin(uint32_t node, enum mlog_event_kind kind, bool on);

/* side: one bit per node, the stranger's is the last; those with another bit cannot hear each
 * other. lose: what only others have taken is lost. */
void world_part(uint32_t side, bool lose);
void world_daemon_dies(uint32_t node, bool lose);
void world_daemon_starts(uint32_t node);
/* Quiesce; and if it is quiet then, the next daemon takes over. */
void world_daemon_restarts(uint32_t node);
void world_node_dies(uint32_t node, bool lose);
/* A mirror that is not active is removed, and made again (first with nothing kept); or its table is
 * reloaded. */
void world_remove(uint32_t node);
void world_reload(uint32_t node);
/* The stranger says this; its number is put in. */
#define WORLD_STRANGER (WORLD_NODES + 1)
void world_forge(const struct mlog_message *message);
/* Of the last message of a node, for forgeries that refer to it. */
void world_last(uint32_t node, uint64_t *ret_incarnation, uint64_t *ret_seq);

/* Everything is answered well, in the order asked, and timers run; for so many rounds, or until
 * nothing is left to do. */
void world_run(uint32_t rounds, const struct world_history *history);

#endif
