/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a reload of a mirror goes on all nodes in step. It decides and does nothing: what this node
 * is to do and to say comes back as struct course_orders. All nodes are given the same messages and
 * views in the same order, so what is decided here is decided alike everywhere.
 *
 *	VOTING -all voted--> SUSPENDING -all suspended--> GOING -all know--> RESUMING --> OVER
 *	   |                     |                          |
 *	   +--a NO, or one gone-----+--> UNDOING --> OVER
 *	   +--one joins, cancelled--+--> STOPPING -all know--> UNDOING
 *	   |                     |                          |
 *	   +---------------------+----this node cut off-----+--> ASKING --> RESUMING or UNDOING
 *
 *	PLAN       each node of the view loads the new table beside the live one, and votes
 *	VOTE       all YES or NONE: those with YES suspend their devices
 *	SUSPENDED  of all of them: nobody writes, and the new table counts from here on
 *	GO         each says that it knows; when all that are left do, they resume
 *	DONE       for who wants to know
 *
 * No node writes with the new legs while another may write with the old ones: before all have
 * suspended, whoever leaves without a word may be writing, so the old table counts; behind it
 * nobody writes who has not heard that the new one does. Who said SUSPENDED and was then cut off,
 * or whose daemon died, cannot know which, and its device stays suspended until somebody does. GO
 * is there because the last message before a partition may be delivered on one side only: who is on
 * the side without quorum decides nothing.
 */
#ifndef DLM_RELOAD_COURSE_H
#define DLM_RELOAD_COURSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/group.h"

#define COURSE_SAY_MAX 3U

enum course_phase {
	COURSE_VOTING,
	COURSE_SUSPENDING,
	COURSE_GOING,
	COURSE_RESUMING,
	COURSE_STOPPING, /* some have said that they are suspended, and it is to be undone */
	COURSE_UNDOING,
	COURSE_ASKING,
	COURSE_OVER,
};

/* What this node has to do, one at a time; course_did() says that it has been done. */
enum course_work {
	COURSE_NOTHING,
	COURSE_PREPARE, /* check, and load the new table beside the live one */
	COURSE_SUSPEND,
	COURSE_RESUME, /* with the new table */
	COURSE_UNDO,   /* forget the new table, and resume */
};

struct course_node {
	uint32_t node;
	bool there; /* in every view since the PLAN */
	bool voted;
	bool part; /* voted YES: it has the mirror active */
	bool suspended;
	bool going;
	bool stopping;
	bool done;
	enum group_reload_answer end;  /* of DONE */
	enum group_reload_answer told; /* of TELL, to me */
	bool has_told;
	char text[GROUP_TEXT_SIZE];
};

struct course {
	struct group_task_id id;
	uint32_t self;
	enum course_phase phase;
	enum group_reload_answer outcome; /* OPEN, YES: the new table counts, NO: the old one */
	char why[GROUP_TEXT_SIZE + 32];	  /* NO: the reason */
	uint32_t count;
	struct course_node node[MLOG_VIEW_MAX];
	bool held;     /* on the side without quorum: nothing is decided */
	bool prepared; /* and has voted so: */
	enum group_reload_answer vote;
	bool loaded;	     /* the new table is there, beside the live one */
	bool suspended;	     /* our device */
	bool said_suspended; /* the others may have decided without us */
	bool said_go;
	enum course_work work; /* under way */
};

struct course_orders {
	enum course_work work;
	/* It must be known to the next daemon before anything is said or done. */
	bool note;
	unsigned count;
	struct {
		enum group_reload_step step;
		enum group_reload_answer answer;
		char text[GROUP_TEXT_SIZE];
	} say[COURSE_SAY_MAX];
};

/* What the next daemon has to know of an unfinished one, and of the last one for who asks. */
enum course_note {
	COURSE_NOTE_NONE,     /* no part in it */
	COURSE_NOTE_PREPARED, /* nothing was said that binds us: the old table counts */
	COURSE_NOTE_SUSPENDED,
	COURSE_NOTE_RESUMING, /* the new one counts */
	COURSE_NOTE_YES,      /* over */
	COURSE_NOTE_NO,
};

/* At the PLAN's place. node: the view. */
void course_begin(struct course *c, struct group_task_id id, uint32_t self, const uint32_t *node,
		  uint32_t count, struct course_orders *ret);
/* What an earlier daemon left. node: those that took part, as far as they are known. */
void course_recover(struct course *c, struct group_task_id id, uint32_t self, const uint32_t *node,
		    uint32_t count, enum course_note note, struct course_orders *ret);
void course_view(struct course *c, const uint32_t *node, uint32_t count, bool quorate,
		 struct course_orders *ret);
void course_message(struct course *c, const struct group_reload *m, struct course_orders *ret);
/* A node attaches the mirror. */
void course_joined(struct course *c, uint32_t node, struct course_orders *ret);
/* The work under way has ended. answer: to PREPARE as in VOTE; else YES or NO. */
void course_did(struct course *c, enum group_reload_answer answer, const char *text,
		struct course_orders *ret);

enum course_note course_note(const struct course *c);
/* "waits for node 3 to suspend"; empty when it is over. */
void course_waits(const struct course *c, char *ret, size_t size);
/* "loads", "has suspended", … of one of c->node. */
const char *course_node_state(const struct course *c, const struct course_node *n);

#endif
