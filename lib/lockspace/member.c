/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who is in the lockspace with which number, and who is dead. Two locks of each member tell it:
 *
 *	member-NODE	PW, kept, its owner's. Its value: the number, and which boot of the node.
 *			The others have CR, so that the value is not lost unseen
 *	number-N	EX, kept: nobody else has the number
 *
 * Another member, as this node sees it:
 *
 *	(no lock) -- in the view --> CR: reads the value until it holds a number --> known
 *	                                         |                                     |
 *	                                 gone from the view: convert to PR <-----------'
 *	                                 |                      |
 *	                 granted: its PW is gone          back in the view: cancelled, CR, reads
 *	      the value says it left, or: it is dead      the value: another boot? it has died
 *	                                 |
 *	                              unlock
 *
 * recover_prep, when somebody leaves the view; recover_slot for each who is dead; recover_done when
 * nobody is left whose fate is not known, and all who are there have a number.
 */
#include "lockspace/lockspace_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRY_MS	  100U
#define NAME_SIZE 32U

/* A member's value */
#define AT_MAGIC  0U
#define AT_NUMBER 4U /* 0: has left */
#define AT_BOOT	  8U

static const uint8_t magic[4] = {'m', 'b', 'r', '1'};

enum self_state { SELF_LOCK, SELF_NUMBER, SELF_TELL, SELF_READY };

enum member_state {
	MEMBER_NONE,	/* no lock */
	MEMBER_ASKED,	/* for CR */
	MEMBER_WATCHED, /* CR */
	MEMBER_READING, /* CR, the value is on its way */
	MEMBER_PROVING, /* waits for PR */
	MEMBER_PROVED,	/* PR, which cannot be unlocked */
	MEMBER_ENDING,	/* is being unlocked */
};

struct member {
	struct members *members;
	uint32_t node; /* 0: free */
	enum member_state state;
	bool present; /* in the view */
	bool known;   /* the value is read, since it is there (again) */
	bool read;    /* number and boot are those of its value */
	bool cancelled;
	uint8_t number;
	uint8_t boot[LOCKSPACE_BOOT_SIZE];
	uint64_t try_ms; /* not before */
	struct lockspace_lksb lksb;
};

struct members {
	struct lockspace *lockspace;
	struct lockspace_ops ops;
	void *context;
	uint32_t node;
	uint8_t boot[LOCKSPACE_BOOT_SIZE];
	enum self_state self;
	bool busy;	/* an operation of our own locks is under way */
	uint8_t number; /* ours, or the one that is being tried */
	uint64_t try_ms;
	struct lockspace_lksb self_lksb;
	struct lockspace_lksb number_lksb;
	bool prep;    /* to be called */
	bool changed; /* since recover_done */
	bool viewed;
	uint32_t generation;
	struct member member[LOCKSPACE_MEMBERS_MAX];
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000U + (uint64_t)t.tv_nsec / 1000000U;
}

static void member_name(char ret[NAME_SIZE], uint32_t node)
{
	snprintf(ret, NAME_SIZE, "member-%u", node);
}

static void number_name(char ret[NAME_SIZE], unsigned number)
{
	snprintf(ret, NAME_SIZE, "number-%u", number);
}

/* ---- ourselves */

static void on_self(void *context)
{
	struct members *s = context;

	s->busy = false;
	if (s->self == SELF_LOCK && s->self_lksb.status == 0) {
		s->self = SELF_NUMBER;
		s->number = 0;
	} else if (s->self == SELF_TELL) {
		s->self = s->self_lksb.status == 0 ? SELF_READY : SELF_TELL;
	}
	s->try_ms = now_ms() + (s->self_lksb.status == 0 ? 0 : TRY_MS);
}

static void on_number(void *context)
{
	struct members *s = context;

	s->busy = false;
	if (s->self == SELF_NUMBER && s->number_lksb.status == 0)
		s->self = SELF_TELL;
}

static int self_ask(struct members *s, uint32_t flags)
{
	char name[NAME_SIZE];

	member_name(name, s->node);
	return lockspace_lock(s->lockspace, LOCKSPACE_PW, &s->self_lksb, flags, name, strlen(name),
			      0, on_self, s, NULL);
}

/* The process before us may be dead and not have let go yet: so it is not waited for in DLM, behind
 * what may become our own orphan. */
static void self_lock(struct members *s)
{
	if (self_ask(s, LOCKSPACE_ORPHAN | LOCKSPACE_PERSISTENT) == 0 ||
	    self_ask(s, LOCKSPACE_NOQUEUE) == 0)
		s->busy = true;
	else
		s->try_ms = now_ms() + TRY_MS;
}

static int number_ask(struct members *s, unsigned number, uint32_t flags)
{
	char name[NAME_SIZE];

	number_name(name, number);
	return lockspace_lock(s->lockspace, LOCKSPACE_EX, &s->number_lksb,
			      flags | LOCKSPACE_PERSISTENT, name, strlen(name), 0, on_number, s,
			      NULL);
}

static bool number_adopt(struct members *s)
{
	for (unsigned number = 1; number <= LOCKSPACE_MEMBERS_MAX; number++)
		if (number_ask(s, number, LOCKSPACE_ORPHAN) == 0) {
			s->number = (uint8_t)number;
			return true;
		}
	return false;
}

/* That of the process before us, or the lowest that is free. */
static void number_take(struct members *s)
{
	if (s->number == 0 && number_adopt(s)) {
		s->busy = true;
		return;
	}
	s->number = (uint8_t)(s->number % LOCKSPACE_MEMBERS_MAX + 1);
	s->busy = number_ask(s, s->number, LOCKSPACE_NOQUEUE) == 0;
	if (s->number == LOCKSPACE_MEMBERS_MAX || !s->busy)
		s->try_ms = now_ms() + TRY_MS;
}

static void value_make(const struct members *s, uint8_t number, uint8_t ret[LOCKSPACE_VALUE_SIZE])
{
	memset(ret, 0, LOCKSPACE_VALUE_SIZE);
	memcpy(ret + AT_MAGIC, magic, sizeof(magic));
	ret[AT_NUMBER] = number;
	memcpy(ret + AT_BOOT, s->boot, sizeof(s->boot));
}

static void self_tell(struct members *s)
{
	value_make(s, s->number, s->self_lksb.value);
	s->busy = lockspace_lock(s->lockspace, LOCKSPACE_PW, &s->self_lksb,
				 LOCKSPACE_CONVERT | LOCKSPACE_VALUE | LOCKSPACE_PERSISTENT, NULL,
				 0, 0, on_self, s, NULL) == 0;
	if (!s->busy)
		s->try_ms = now_ms() + TRY_MS;
}

static void self_step(struct members *s)
{
	if (s->busy || now_ms() < s->try_ms)
		return;
	switch (s->self) {
	case SELF_LOCK:
		self_lock(s);
		break;
	case SELF_NUMBER:
		number_take(s);
		break;
	case SELF_TELL:
		self_tell(s);
		break;
	case SELF_READY:
		break;
	}
}

/* ---- the others */

static void dead(const struct member *e)
{
	const struct lockspace_slot slot = {.node = e->node, .slot = e->number};
	const struct members *s = e->members;

	if (s->ops.recover_slot != NULL)
		s->ops.recover_slot(s->context, &slot);
}

static bool value_good(const struct lockspace_lksb *lksb)
{
	return memcmp(lksb->value + AT_MAGIC, magic, sizeof(magic)) == 0 &&
	       lksb->value[AT_NUMBER] <= LOCKSPACE_MEMBERS_MAX;
}

/* It is there: what does it say? */
static void value_take(struct member *e)
{
	const uint8_t *boot = e->lksb.value + AT_BOOT;

	e->try_ms = now_ms() + TRY_MS;
	if (e->known || e->lksb.value_unknown || !value_good(&e->lksb) ||
	    e->lksb.value[AT_NUMBER] == 0)
		return;
	if (e->read && memcmp(e->boot, boot, sizeof(e->boot)) != 0)
		dead(e);
	e->known = true;
	e->read = true;
	e->number = e->lksb.value[AT_NUMBER];
	memcpy(e->boot, boot, sizeof(e->boot));
}

/* Its lock is gone. Who never had it proves nothing by that. */
static void proved(struct member *e)
{
	bool good = value_good(&e->lksb);
	bool left = good && !e->lksb.value_unknown && e->lksb.value[AT_NUMBER] == 0;

	if (!e->read && good)
		e->number = e->lksb.value[AT_NUMBER];
	if (!left && (e->read || (good && e->lksb.value_unknown)))
		dead(e);
	e->known = false;
	e->read = false;
	e->state = lockspace_unlock(e->members->lockspace, e->lksb.id, 0, NULL) == 0
		       ? MEMBER_ENDING
		       : MEMBER_PROVED;
}

static void on_member(void *context)
{
	struct member *e = context;
	int status = e->lksb.status;

	e->cancelled = false;
	e->try_ms = now_ms() + TRY_MS;
	switch (e->state) {
	case MEMBER_ASKED:
	case MEMBER_READING:
		if (status == 0)
			value_take(e);
		e->state = status != 0 && e->state == MEMBER_ASKED ? MEMBER_NONE : MEMBER_WATCHED;
		break;
	case MEMBER_PROVING:
		e->state = MEMBER_WATCHED;
		if (status == 0) {
			proved(e);
		} else if (status == -LOCKSPACE_ECANCEL) {
			e->known = false; /* is it the same still? */
			e->try_ms = 0;
		}
		break;
	default:
		e->state = MEMBER_NONE;
		e->try_ms = 0;
		break;
	}
}

static void member_lock(struct member *e, enum lockspace_mode mode, uint32_t flags,
			enum member_state state)
{
	char name[NAME_SIZE];

	member_name(name, e->node);
	e->try_ms = now_ms() + TRY_MS;
	if (lockspace_lock(e->members->lockspace, mode, &e->lksb, flags | LOCKSPACE_VALUE, name,
			   strlen(name), 0, on_member, e, NULL) == 0)
		e->state = state;
}

static void member_cancel(struct member *e)
{
	if (e->cancelled || !e->present)
		return;
	e->cancelled =
	    lockspace_unlock(e->members->lockspace, e->lksb.id, LOCKSPACE_CANCEL, NULL) == 0;
}

static void member_step(struct member *e)
{
	if (e->state == MEMBER_PROVING)
		member_cancel(e);
	if (now_ms() < e->try_ms && e->present)
		return;
	switch (e->state) {
	case MEMBER_NONE:
		if (e->present)
			member_lock(e, LOCKSPACE_CR, 0, MEMBER_ASKED);
		else
			e->node = 0;
		break;
	case MEMBER_WATCHED:
		if (!e->present)
			member_lock(e, LOCKSPACE_PR, LOCKSPACE_CONVERT, MEMBER_PROVING);
		else if (!e->known)
			member_lock(e, LOCKSPACE_CR, LOCKSPACE_CONVERT, MEMBER_READING);
		break;
	case MEMBER_PROVED:
		if (lockspace_unlock(e->members->lockspace, e->lksb.id, 0, NULL) == 0)
			e->state = MEMBER_ENDING;
		break;
	default:
		break;
	}
}

/* ---- all */

static bool settled(const struct member *e)
{
	return e->node == 0 || (e->present && e->known && e->state == MEMBER_WATCHED);
}

static bool all_settled(const struct members *s)
{
	if (s->self != SELF_READY || !s->viewed)
		return false;
	for (unsigned i = 0; i < LOCKSPACE_MEMBERS_MAX; i++)
		if (!settled(&s->member[i]))
			return false;
	return true;
}

static int slot_compare(const void *a, const void *b)
{
	const struct lockspace_slot *left = a;
	const struct lockspace_slot *right = b;

	return (int)left->slot - (int)right->slot;
}

static void done(struct members *s)
{
	struct lockspace_slot slot[LOCKSPACE_MEMBERS_MAX + 1];
	uint32_t count = 0;

	slot[count++] = (struct lockspace_slot){.node = s->node, .slot = s->number};
	for (unsigned i = 0; i < LOCKSPACE_MEMBERS_MAX; i++)
		if (s->member[i].node != 0)
			slot[count++] = (struct lockspace_slot){.node = s->member[i].node,
								.slot = s->member[i].number};
	qsort(slot, count, sizeof(slot[0]), slot_compare);
	s->changed = false;
	s->generation++;
	if (s->ops.recover_done != NULL)
		s->ops.recover_done(s->context, slot, count, s->number, s->generation);
}

void members_dispatch(struct members *s)
{
	if (s->prep) {
		s->prep = false;
		if (s->ops.recover_prep != NULL)
			s->ops.recover_prep(s->context);
	}
	self_step(s);
	for (unsigned i = 0; i < LOCKSPACE_MEMBERS_MAX; i++)
		if (s->member[i].node != 0)
			member_step(&s->member[i]);
	if (s->changed && all_settled(s))
		done(s);
}

int members_timeout_ms(const struct members *s)
{
	if (s->prep)
		return 0;
	return s->self == SELF_READY && !s->changed ? -1 : (int)TRY_MS;
}

static struct member *member_get(struct members *s, uint32_t node)
{
	struct member *free_one = NULL;

	for (unsigned i = 0; i < LOCKSPACE_MEMBERS_MAX; i++) {
		if (s->member[i].node == node)
			return &s->member[i];
		if (s->member[i].node == 0 && free_one == NULL)
			free_one = &s->member[i];
	}
	if (free_one != NULL)
		*free_one = (struct member){.members = s, .node = node};
	return free_one;
}

static bool in_view(const uint32_t *node, uint32_t count, uint32_t wanted)
{
	for (uint32_t i = 0; i < count; i++)
		if (node[i] == wanted)
			return true;
	return false;
}

/* The gone keep their places until their fate is known. */
static bool view_fits(struct members *s, const uint32_t *node, uint32_t count)
{
	uint32_t places = 0;

	for (unsigned i = 0; i < LOCKSPACE_MEMBERS_MAX; i++)
		places += s->member[i].node != 0 && !in_view(node, count, s->member[i].node);
	return places + count <= LOCKSPACE_MEMBERS_MAX;
}

int lockspace_view(struct lockspace *ls, const uint32_t *node, uint32_t count)
{
	struct members *s = ls->members;

	if (s == NULL || !in_view(node, count, s->node) || in_view(node, count, 0) ||
	    !view_fits(s, node, count))
		return -EINVAL;
	s->viewed = true;
	s->changed = true;
	for (unsigned i = 0; i < LOCKSPACE_MEMBERS_MAX; i++) {
		struct member *e = &s->member[i];

		if (e->node == 0 || !e->present || in_view(node, count, e->node))
			continue;
		e->present = false;
		s->prep = true;
	}
	for (uint32_t i = 0; i < count; i++)
		if (node[i] != s->node)
			member_get(s, node[i])->present = true;
	return 0;
}

int lockspace_recovery(struct lockspace *ls, uint32_t node, const struct lockspace_ops *ops,
		       void *context)
{
	struct members *s;
	int error;

	if (node == 0 || ls->members != NULL)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	error = ls->backend->boot(ls->backend->context, s->boot);
	if (error != 0) {
		free(s);
		return error;
	}
	s->lockspace = ls;
	s->ops = *ops;
	s->context = context;
	s->node = node;
	s->changed = true;
	ls->members = s;
	return 0;
}

/* The others are told that we leave, by a value: it is on its way before the lock falls. */
void members_leave(struct members *s)
{
	if (s->self != SELF_READY)
		return;
	value_make(s, 0, s->self_lksb.value);
	(void)lockspace_lock(s->lockspace, LOCKSPACE_NL, &s->self_lksb,
			     LOCKSPACE_CONVERT | LOCKSPACE_VALUE, NULL, 0, 0, on_self, s, NULL);
	(void)lockspace_unlock(s->lockspace, s->number_lksb.id, 0, NULL);
}
