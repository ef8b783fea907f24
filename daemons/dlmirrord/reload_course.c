/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemons/dlmirrord/reload_course.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void say(struct course_orders *ret, enum group_reload_step step,
		enum group_reload_answer answer, const char *text)
{
	assert(ret->count < COURSE_SAY_MAX);
	ret->say[ret->count].step = step;
	ret->say[ret->count].answer = answer;
	snprintf(ret->say[ret->count].text, sizeof(ret->say[ret->count].text), "%s", text);
	ret->count++;
}

static struct course_node *find(struct course *c, uint32_t node)
{
	for (uint32_t i = 0; i < c->count; i++)
		if (c->node[i].node == node)
			return &c->node[i];
	return NULL;
}

static void __attribute__((format(printf, 2, 3))) undo(struct course *c, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(c->why, sizeof(c->why), format, arguments);
	va_end(arguments);
	c->outcome = GROUP_RELOAD_NO;
	c->phase = COURSE_UNDOING;
}

/*
 * The same from outside of those that take part. Who has said that it is suspended must not act
 * upon what may have been delivered on its side of a partition only, so it waits until the others
 * have said that they stop. Nobody can go on without those that have not said it.
 */
static void stop(struct course *c, const char *why, struct course_orders *ret)
{
	if (c->held || (c->phase != COURSE_VOTING && c->phase != COURSE_SUSPENDING))
		return;
	if (c->phase == COURSE_SUSPENDING)
		say(ret, GROUP_RELOAD_GO, GROUP_RELOAD_NO, "");
	undo(c, "%s", why);
	if (!c->said_suspended)
		return;
	c->phase = COURSE_STOPPING;
	c->outcome = GROUP_RELOAD_OPEN;
}

/* ---- what all decide alike */

/* NULL: all have voted, or are there and will. */
static const struct course_node *lost_voter(const struct course *c)
{
	for (uint32_t i = 0; i < c->count; i++)
		if (!c->node[i].there && (!c->node[i].voted || c->node[i].part))
			return &c->node[i];
	return NULL;
}

enum missing {
	MISSING_VOTE,
	MISSING_SUSPENDED,
	MISSING_GO,
	MISSING_STOP,
	MISSING_DONE,
	MISSING_TOLD,
};

static bool is_missing(const struct course *c, const struct course_node *n, enum missing what)
{
	switch (what) {
	case MISSING_VOTE:
		return n->there && !n->voted;
	case MISSING_SUSPENDED:
		return n->part && !n->suspended;
	case MISSING_GO:
		return n->part && n->there && !n->going;
	case MISSING_STOP:
		return n->part && n->there && !n->stopping;
	case MISSING_DONE:
		return n->there && ((n->part && !n->done) || !n->voted);
	case MISSING_TOLD:
		return n->part && n->node != c->self &&
		       !(n->has_told && n->told == GROUP_RELOAD_OPEN);
	}
	return false;
}

static const struct course_node *first_missing(const struct course *c, enum missing what)
{
	for (uint32_t i = 0; i < c->count; i++)
		if (is_missing(c, &c->node[i], what))
			return &c->node[i];
	return NULL;
}

static bool nobody_takes_part(const struct course *c)
{
	for (uint32_t i = 0; i < c->count; i++)
		if (c->node[i].part)
			return false;
	return true;
}

/* One step; false: there is none. */
static bool decide(struct course *c)
{
	const struct course_node *lost = lost_voter(c);

	if (c->held)
		return false;
	if ((c->phase == COURSE_VOTING || c->phase == COURSE_SUSPENDING) && lost != NULL) {
		undo(c, "node %" PRIu32 " has left", lost->node);
	} else if (c->phase == COURSE_VOTING && first_missing(c, MISSING_VOTE) == NULL) {
		if (nobody_takes_part(c))
			undo(c, "no node has it active");
		else
			c->phase = COURSE_SUSPENDING;
	} else if (c->phase == COURSE_SUSPENDING && first_missing(c, MISSING_SUSPENDED) == NULL) {
		c->phase = COURSE_GOING;
		c->outcome = GROUP_RELOAD_YES;
	} else if (c->phase == COURSE_GOING && first_missing(c, MISSING_GO) == NULL) {
		c->phase = COURSE_RESUMING;
	} else if (c->phase == COURSE_STOPPING && first_missing(c, MISSING_STOP) == NULL) {
		c->outcome = GROUP_RELOAD_NO;
		c->phase = COURSE_UNDOING;
	} else if (c->phase == COURSE_ASKING && first_missing(c, MISSING_TOLD) == NULL) {
		/* Whoever had gone on would know. */
		undo(c, "all nodes were cut off from each other");
	} else if ((c->phase == COURSE_RESUMING || c->phase == COURSE_UNDOING) &&
		   first_missing(c, MISSING_DONE) == NULL && c->work == COURSE_NOTHING &&
		   !c->loaded) {
		c->phase = COURSE_OVER;
	} else {
		return false;
	}
	return true;
}

/* ---- what this node does about it */

static enum course_work next_work(const struct course *c)
{
	if (c->work != COURSE_NOTHING || !c->loaded)
		return COURSE_NOTHING;
	if (c->phase == COURSE_SUSPENDING && !c->suspended && !c->held)
		return COURSE_SUSPEND;
	if (c->phase == COURSE_RESUMING)
		return COURSE_RESUME;
	if (c->phase == COURSE_UNDOING)
		return COURSE_UNDO;
	return COURSE_NOTHING;
}

static void settle(struct course *c, struct course_orders *ret)
{
	enum course_note before = course_note(c);

	while (decide(c))
		;
	if (c->phase == COURSE_GOING && c->suspended && !c->said_go && !c->held) {
		c->said_go = true;
		say(ret, GROUP_RELOAD_GO, GROUP_RELOAD_YES, "");
	}
	ret->work = next_work(c);
	if (ret->work != COURSE_NOTHING)
		c->work = ret->work;
	ret->note = ret->note || course_note(c) != before;
}

void course_begin(struct course *c, struct group_task_id id, uint32_t self, const uint32_t *node,
		  uint32_t count, struct course_orders *ret)
{
	*c = (struct course){
	    .id = id, .self = self, .outcome = GROUP_RELOAD_OPEN, .work = COURSE_PREPARE};
	*ret = (struct course_orders){.work = COURSE_PREPARE, .note = true};
	c->count = count < MLOG_VIEW_MAX ? count : MLOG_VIEW_MAX;
	for (uint32_t i = 0; i < c->count; i++)
		c->node[i] = (struct course_node){.node = node[i], .there = true};
}

void course_recover(struct course *c, struct group_task_id id, uint32_t self, const uint32_t *node,
		    uint32_t count, enum course_note note, struct course_orders *ret)
{
	course_begin(c, id, self, node, count, ret);
	*ret = (struct course_orders){.work = COURSE_NOTHING};
	c->work = COURSE_NOTHING;
	c->loaded = note != COURSE_NOTE_YES && note != COURSE_NOTE_NO;
	c->suspended = note == COURSE_NOTE_SUSPENDED || note == COURSE_NOTE_RESUMING;
	c->said_suspended = c->suspended;
	for (uint32_t i = 0; i < c->count; i++) {
		c->node[i].voted = true;
		c->node[i].part = true;
		c->node[i].suspended = c->suspended;
		c->node[i].there = c->node[i].node == self;
	}
	if (note == COURSE_NOTE_YES || note == COURSE_NOTE_RESUMING) {
		c->outcome = GROUP_RELOAD_YES;
		c->phase = c->loaded ? COURSE_RESUMING : COURSE_OVER;
	} else if (note == COURSE_NOTE_SUSPENDED) {
		c->phase = COURSE_ASKING;
		c->held = true; /* until there is somebody to ask */
	} else {
		undo(c, "the daemon of node %" PRIu32 " has died", self);
		c->phase = c->loaded ? COURSE_UNDOING : COURSE_OVER;
	}
	settle(c, ret);
}

/* ---- what comes */

static void ask(struct course *c, struct course_orders *ret)
{
	for (uint32_t i = 0; i < c->count; i++)
		c->node[i].has_told = false;
	say(ret, GROUP_RELOAD_ASK, GROUP_RELOAD_NONE, "");
}

/* What was said without quorum nobody was given, and who was there all the time waits for it. */
static void say_again(struct course *c, struct course_orders *ret)
{
	const struct course_node *own = find(c, c->self);

	if (c->prepared && own != NULL && !own->voted)
		say(ret, GROUP_RELOAD_VOTE, c->vote, "");
	if (own != NULL && own->done)
		say(ret, GROUP_RELOAD_DONE, own->end, own->text);
}

/* Back among the others, who have gone on without us. */
static void released(struct course *c, struct course_orders *ret)
{
	c->held = false;
	say_again(c, ret);
	if (c->phase == COURSE_RESUMING || c->phase == COURSE_UNDOING || c->phase == COURSE_OVER)
		return;
	if (c->loaded && c->said_suspended) {
		c->phase = COURSE_ASKING;
		c->outcome = GROUP_RELOAD_OPEN;
		ask(c, ret);
	} else {
		undo(c, "node %" PRIu32 " was cut off from the others", c->self);
	}
}

void course_view(struct course *c, const uint32_t *node, uint32_t count, bool quorate,
		 struct course_orders *ret)
{
	*ret = (struct course_orders){.work = COURSE_NOTHING};
	for (uint32_t i = 0; i < c->count; i++) {
		bool there = false;

		for (uint32_t k = 0; k < count; k++)
			there = there || node[k] == c->node[i].node;
		c->node[i].there = c->node[i].there && there;
	}
	if (!quorate)
		c->held = true;
	else if (c->held)
		released(c, ret);
	else if (c->phase == COURSE_ASKING)
		ask(c, ret);
	settle(c, ret);
}

static void take_vote(struct course *c, struct course_node *n, const struct group_reload *m)
{
	n->voted = true;
	n->part = m->answer == GROUP_RELOAD_YES;
	snprintf(n->text, sizeof(n->text), "%s", m->text);
	if (m->answer == GROUP_RELOAD_NO && c->phase == COURSE_VOTING)
		undo(c, "node %" PRIu32 ": %s", n->node, m->text);
}

static void take_suspended(struct course *c, struct course_node *n, const struct group_reload *m)
{
	n->suspended = m->answer == GROUP_RELOAD_YES;
	if (n->suspended)
		return;
	snprintf(n->text, sizeof(n->text), "%s", m->text);
	if (c->phase == COURSE_SUSPENDING)
		undo(c, "node %" PRIu32 ": %s", n->node, m->text);
}

static void take_tell(struct course *c, struct course_node *n, const struct group_reload *m)
{
	if (c->phase != COURSE_ASKING)
		return;
	if (n != NULL && n->node != c->self) {
		n->has_told = true;
		n->told = m->answer;
	}
	if (m->answer == GROUP_RELOAD_YES) {
		c->outcome = GROUP_RELOAD_YES;
		c->phase = COURSE_RESUMING;
	} else if (m->answer == GROUP_RELOAD_NO) {
		undo(c, "node %" PRIu32 " was cut off from the others", c->self);
	}
}

/* To who asks: what has been decided, as far as this node knows. */
static void tell(const struct course *c, struct course_orders *ret)
{
	say(ret, GROUP_RELOAD_TELL, c->outcome, "");
}

static void take(struct course *c, const struct group_reload *m, struct course_orders *ret)
{
	struct course_node *n = find(c, m->from);

	if (m->step == GROUP_RELOAD_ASK) {
		if (m->from == c->self)
			return;
		if (n != NULL)
			n->there = false; /* it goes on by itself */
		tell(c, ret);
		return;
	}
	if (m->step == GROUP_RELOAD_TELL) {
		take_tell(c, n, m);
		return;
	}
	if (n == NULL)
		return;
	if (m->step == GROUP_RELOAD_VOTE && !n->voted)
		take_vote(c, n, m);
	else if (m->step == GROUP_RELOAD_SUSPENDED && n->part)
		take_suspended(c, n, m);
	else if (m->step == GROUP_RELOAD_GO && m->answer == GROUP_RELOAD_YES)
		n->going = true;
	else if (m->step == GROUP_RELOAD_GO)
		n->stopping = true;
	else if (m->step == GROUP_RELOAD_CANCEL)
		stop(c, "it was cancelled, because it took too long", ret);
	if (m->step != GROUP_RELOAD_DONE)
		return;
	n->done = true;
	n->end = m->answer;
	if (m->text[0] != '\0')
		snprintf(n->text, sizeof(n->text), "%s", m->text);
}

void course_message(struct course *c, const struct group_reload *m, struct course_orders *ret)
{
	*ret = (struct course_orders){.work = COURSE_NOTHING};
	take(c, m, ret);
	settle(c, ret);
}

void course_joined(struct course *c, uint32_t node, struct course_orders *ret)
{
	char why[64];

	*ret = (struct course_orders){.work = COURSE_NOTHING};
	snprintf(why, sizeof(why), "node %" PRIu32 " has resumed or made it meanwhile", node);
	stop(c, why, ret);
	settle(c, ret);
}

static void did_prepare(struct course *c, enum group_reload_answer answer, const char *text,
			struct course_orders *ret)
{
	c->loaded = answer == GROUP_RELOAD_YES;
	c->prepared = true;
	c->vote = answer;
	say(ret, GROUP_RELOAD_VOTE, answer, text);
}

static void did_suspend(struct course *c, enum group_reload_answer answer, const char *text,
			struct course_orders *ret)
{
	c->suspended = answer == GROUP_RELOAD_YES;
	if (c->phase != COURSE_SUSPENDING || c->held)
		return; /* it is over, or nobody hears us */
	c->said_suspended = c->suspended;
	say(ret, GROUP_RELOAD_SUSPENDED, answer, text);
}

/* With an error, nothing is tried again by itself: an admin has to look at it. */
static void did_end(struct course *c, enum course_work work, enum group_reload_answer answer,
		    const char *text, struct course_orders *ret)
{
	enum group_reload_answer end = work == COURSE_RESUME ? GROUP_RELOAD_YES : GROUP_RELOAD_NO;
	struct course_node *own = find(c, c->self);

	if (answer != GROUP_RELOAD_YES)
		end = GROUP_RELOAD_ERROR;
	c->loaded = false;
	c->suspended = false;
	/* Others may be told nothing: a new daemon may not be among them yet. */
	if (own != NULL) {
		own->done = true;
		own->end = end;
	}
	say(ret, GROUP_RELOAD_DONE, end, text);
}

void course_did(struct course *c, enum group_reload_answer answer, const char *text,
		struct course_orders *ret)
{
	enum course_work work = c->work;
	enum course_note before = course_note(c);

	*ret = (struct course_orders){.work = COURSE_NOTHING};
	c->work = COURSE_NOTHING;
	if (work == COURSE_PREPARE)
		did_prepare(c, answer, text, ret);
	else if (work == COURSE_SUSPEND)
		did_suspend(c, answer, text, ret);
	else if (work != COURSE_NOTHING)
		did_end(c, work, answer, text, ret);
	ret->note = course_note(c) != before;
	settle(c, ret);
}

/* ---- what there is to know */

enum course_note course_note(const struct course *c)
{
	if (!c->loaded && c->work != COURSE_PREPARE) {
		if (c->outcome == GROUP_RELOAD_OPEN)
			return COURSE_NOTE_NONE;
		return c->outcome == GROUP_RELOAD_YES ? COURSE_NOTE_YES : COURSE_NOTE_NO;
	}
	if (c->phase == COURSE_RESUMING)
		return COURSE_NOTE_RESUMING;
	if (c->phase == COURSE_UNDOING)
		return COURSE_NOTE_PREPARED;
	return c->said_suspended ? COURSE_NOTE_SUSPENDED : COURSE_NOTE_PREPARED;
}

void course_waits(const struct course *c, char *ret, size_t size)
{
	static const struct {
		enum missing missing;
		const char *what;
	} wait[] = {
	    [COURSE_VOTING] = {MISSING_VOTE, "to load the new table"},
	    [COURSE_SUSPENDING] = {MISSING_SUSPENDED, "to suspend"},
	    [COURSE_GOING] = {MISSING_GO, "to hear that all are suspended"},
	    [COURSE_STOPPING] = {MISSING_STOP, "to hear that it is given up"},
	    [COURSE_RESUMING] = {MISSING_DONE, "to resume"},
	    [COURSE_UNDOING] = {MISSING_DONE, "to go back to the old table"},
	    [COURSE_ASKING] = {MISSING_TOLD, "to be back and tell which table counts"},
	};
	const struct course_node *n;

	ret[0] = '\0';
	if (c->phase == COURSE_OVER)
		return;
	n = first_missing(c, wait[c->phase].missing);
	if (c->held)
		snprintf(ret, size, "waits until this node is part of the quorum again");
	else if (n != NULL)
		snprintf(ret, size, "waits for node %" PRIu32 " %s", n->node, wait[c->phase].what);
}

const char *course_node_state(const struct course *c, const struct course_node *n)
{
	if (n->done)
		return n->end == GROUP_RELOAD_YES  ? "has the new table"
		       : n->end == GROUP_RELOAD_NO ? "has the old table"
						   : "failed";
	if (!n->there)
		return "has left";
	if (n->voted && !n->part)
		return n->text[0] != '\0' ? "refused" : "does not have it active";
	switch (c->phase) {
	case COURSE_VOTING:
		return n->voted ? "has loaded the new table" : "loads the new table";
	case COURSE_SUSPENDING:
		return n->suspended ? "is suspended" : "suspends";
	case COURSE_GOING:
	case COURSE_RESUMING:
		return "resumes with the new table";
	case COURSE_STOPPING:
	case COURSE_UNDOING:
		return "goes back to the old table";
	default:
		return "is not known";
	}
}
