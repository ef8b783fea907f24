/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Model of takeover and rejoin: what becomes of the marks of a node that vanishes, for spin. Three nodes,
 * two regions; a node has the slot of its own number. How a region is copied while others write is claim.pml.
 *
 *	here			there
 *	order[n]		what the group has ordered and node n has not been given yet. A message takes its
 *				place when it is sent; what its sender did not know then is in its queue.
 *	member crash		struct mlog_member and the repair map, of each node's own view; index HEAD: as of
 *				the end of the order. It decides nothing, but is what a joiner is given as state.
 *	lock waiting		the locks port. A node's lock of its own slot outlives its daemon, no lock outlives
 *				the node: to be granted the lock of one who is gone means that it is dead.
 *	slot used		the log device; a write is one step, but for EMPTY_SLOT, which may land late
 *	taken			bits in this node's slot of which nobody else has heard; the sweep spares them
 *	deliver() apply()	group_message(), group_view(); members_apply(), members_view()
 *	settle_slot() grant()	takeover_settle() with unlock_others() and begin(); lock_answered()
 *	save() emptied()	takeover_read() until inherited(); takeover_emptied()
 *	next_step()		empty(), then tell_start(); its delivery is told()
 *	takeover_stop() landed()  takeover_stop(); a late takeover_emptied(), lock_settle()
 *	join() come_back()	join_send(), without and with live
 *	found() inform()	found(), found_loaded(); members_state_take(), informed()
 *	load()			slot_mine(), joiner_loaded() or dirty_restore(), tell(), ready()
 *	detach() left()		group_detach(), left(), device_released(), group_released()
 *	sweep()			sweep() in dirty.c, with hot_busy()
 *	mark() written()	the node's kernel (see hot.pml for what is between them)
 *	claim() ack() copy()	claim.pml in short: a claim is made when its place in the order allows it, and
 *				the copy is one step, at a moment when nobody who has acknowledged it writes there
 *	vanish_*		the node dies; the network parts it from the others; its daemon dies, its kernel lives
 *	fence			who vanished alive is killed, and its locks are free. One who died is fenced at once.
 *
 * Ghosts, which no code reads: differ (whose writes left the legs of a region different), life.
 *
 * Checked:
 *	(a) a region whose legs differ is in a slot on the log device (I5); whoever writes has it in his own
 *	(b) nobody writes to a slot but the holder of its lock (I4)
 *	(c) nothing is copied while somebody writes there who was not asked
 *	(d) when nothing moves any more, every dead node's slot has been taken over, nobody waits for a lock or
 *	    to become a member, no slot has a bit that nobody needs, and legs do not differ
 *
 * Each -D of a rule broken (see test/model/check, which runs them all) must make it fail.
 */
#ifndef MARKS
#define MARKS 2		/* of all kernels together */
#endif
#ifndef FAULTS
#define FAULTS 2	/* nodes that vanish, detaches included */
#endif
#ifndef RETURNS
#define RETURNS 1	/* of nodes that had vanished */
#endif
#ifndef KINDS
#define KINDS 7		/* of faults: 1 dies, 2 parted, 4 daemon dies, 8 detaches */
#endif

#define HEAD 3
#define BIT(i) (1 << (i))

/* Member states; NEW and BACK are JOINING with and without live, SERVING is READY. */
#define NONE 0
#define NEW 1
#define BACK 2
#define SERVING 3
#define GONE 4

/* DIRTY is of a dead member and says last; OLD is of an earlier life of its sender. */
mtype = { JOIN, READY, LEAVE, DIRTY, OLD, DONE, VIEW };
chan order[3] = [14] of { mtype, byte, byte, byte };	/* kind, sender, whose slot, regions */

byte member[12], crash[4];
#define M(n, i) member[3 * (n) + (i)]

#define RETURNED 1	/* in the view */
#define JOINED 2	/* JOIN is sent */
#define INFORMED 3	/* has the state */
#define TOLD 4		/* has its lock, and READY is sent */
#define LEAVING 5
byte joining[3];
byte view;		/* the nodes with quorum; who vanished alive is alone and hears nothing */
#define LISTENS(n) ((view & BIT(n)) && (joining[n] == 0 || joining[n] >= INFORMED))

#define UP 0
#define DOWN 1		/* the daemon; its kernel lives */
#define DEAD 2
byte life[3];

/* The kernels: masks of regions. */
byte writing[3];
bit attached[3], open[3];

byte lock[3];		/* 1 + holder */
byte waiting[3];	/* mask of nodes */
byte slot[3];		/* regions */
bit used[3];

#define READ 1
#define SAVED 2		/* EMPTY_SLOT is out */
#define TELLS 3
byte step[3], target[3], taken[3];
byte landing[3];	/* 1 + slot whose EMPTY_SLOT is out, of somebody who has no more to do with it */

byte differ[2];		/* mask of nodes */
byte claimer, claimed, claim_waits, claim_asked;	/* 1 + node, region, nodes */

byte marks = MARKS, faults = FAULTS, returns = RETURNS;

/* Scratch of one step. */
hidden mtype kind;
hidden byte from, who, items, i;

#define LOST(r) (differ[r] && !((slot[0] | slot[1] | slot[2]) & BIT(r)))
#define WRITES(n, r) (life[n] != DEAD && (writing[n] & BIT(r)))
#define SERVES(n) ((view & BIT(n)) && life[n] == UP && joining[n] == 0 && M(n, n) == SERVING)
#define DONOR (SERVES(0) || SERVES(1) || SERVES(2))
#define UNSURE(i) (M(HEAD, i) == GONE_UNSURE || M(HEAD, i) == BACK_UNSURE)
#ifdef CLAIMS_WHILE_GONE
#define GONE_UNSURE 255
#else
#define GONE_UNSURE GONE
#endif
#ifdef CLAIMS_WHILE_BACK
#define BACK_UNSURE 255
#else
#define BACK_UNSURE BACK
#endif

inline check_slots()
{
	assert(!LOST(0) && !LOST(1))	/* (a) */
}

/* What a message does to what all members share. */
inline apply(at)
{
	if
	:: kind == JOIN -> M(at, who) = (items -> BACK : NEW)
	:: kind == READY ->
		if
		:: M(at, who) != NONE -> M(at, who) = SERVING
		:: else
		fi
	:: kind == LEAVE -> M(at, who) = (items -> GONE : NONE)
	:: kind == OLD -> crash[at] = crash[at] | items
	:: kind == DIRTY ->
#ifndef DIRTY_WITHOUT_BITS
		crash[at] = crash[at] | items;
#endif
		if
#ifdef DIRTY_ENDS_JOINERS
		:: 1 -> M(at, who) = NONE
#else
		:: M(at, who) == GONE -> M(at, who) = NONE
		:: else
#endif
		fi
	:: kind == DONE -> crash[at] = crash[at] & ~items
	:: kind == VIEW ->
		if
		:: M(at, who) != NONE -> M(at, who) = GONE
		:: else
		fi
	fi
}

/* Who asked for the copy is gone, or one who was to say what it writes. */
inline claim_ends_with(node)
{
	if
	:: claimer == node + 1 || (claim_waits & BIT(node)) ->
		claimer = 0;
		claimed = 0;
		claim_waits = 0;
		claim_asked = 0
	:: else
	fi
}

/*
 * Gives a message its place in the order. A joiner hears nothing before it has the state, which is given
 * to it as of a later place.
 */
inline send(sender, k, w, m)
{
	kind = k;
	from = sender;
	who = w;
	items = m;
	for (i : 0 .. 2) {
		if
		:: LISTENS(i) -> order[i]!kind, from, who, items
		:: else
		fi
	}
	apply(HEAD)
}

inline forget()
{
	kind = 0;
	from = 0;
	who = 0;
	items = 0;
	i = 0
}

inline unlock_if_held(node, s)
{
	if
	:: lock[s] == node + 1 -> lock[s] = 0
	:: else
	fi;
	waiting[s] = waiting[s] & ~BIT(node)
}

/* The takeover ends here; a write that is out keeps its lock until it has landed. */
inline takeover_stop(node)
{
	if
	:: step[node] == SAVED -> landing[node] = target[node] + 1
	:: else
	fi;
	for (i : 0 .. 2) {
		if
#ifdef UNLOCKED_WHILE_EMPTYING
		:: i != node -> unlock_if_held(node, i)
#else
		:: i != node && landing[node] != i + 1 -> unlock_if_held(node, i)
#endif
		:: else
		fi
	}
	step[node] = 0;
	target[node] = 0
}

inline deliver(n)
{
	d_step {
		life[n] == UP && nempty(order[n]) ->
		order[n]?kind, from, who, items;
		apply(n);
		if
		:: from == n && kind == DIRTY ->
			unlock_if_held(n, who);
			step[n] = 0;
			target[n] = 0;
			taken[n] = 0
		:: from == n && kind == READY ->
			joining[n] = 0;
			taken[n] = 0;
			attached[n] = 1;
			open[n] = 1
		:: from == n && kind == LEAVE -> left(n)
		:: else
		fi;
		settle(n);
		forget()
	}
}

/* The kernel. */

inline mark(n, r)
{
	d_step {
		marks && (marks < MARKS || r == 0) && attached[n] && open[n] && life[n] == UP &&
		!(writing[n] & BIT(r)) ->
		marks--;
		if
		:: !(slot[n] & BIT(r)) ->
			assert(lock[n] == n + 1);	/* (b) mark */
			slot[n] = slot[n] | BIT(r)
		:: else
		fi;
		writing[n] = writing[n] | BIT(r);
		differ[r] = differ[r] | BIT(n)
	}
}

inline written(n, r)
{
	d_step {
		WRITES(n, r) ->
		assert(slot[n] & BIT(r));	/* (a) own */
		writing[n] = writing[n] & ~BIT(r);
		differ[r] = differ[r] & ~BIT(n)
	}
}

#ifdef SWEEPS_TAKEN
#define PINNED(n) (writing[n] | crash[n])
#else
#define PINNED(n) (writing[n] | crash[n] | taken[n])
#endif

inline sweep(n, r)
{
	d_step {
		open[n] && life[n] == UP && (slot[n] & ~PINNED(n) & BIT(r)) ->
		assert(lock[n] == n + 1);	/* (b) sweep */
		slot[n] = slot[n] & ~BIT(r);
		check_slots()
	}
}

/* Repair. */

inline claim(n, r)
{
	d_step {
		!claimer && SERVES(n) && (crash[n] & crash[HEAD] & BIT(r)) && !UNSURE(0) && !UNSURE(1) && !UNSURE(2) ->
		claimer = n + 1;
		claimed = r;
		for (i : 0 .. 2) {
			if
			:: M(HEAD, i) == SERVING ->
				claim_waits = claim_waits | BIT(i);
				claim_asked = claim_asked | BIT(i)
			:: M(HEAD, i) == NEW -> claim_asked = claim_asked | BIT(i)
			:: else
			fi
		}
		i = 0
	}
}

/* Who has been given everything has been given the claim too. */
inline ack(n)
{
	d_step {
		(claim_waits & BIT(n)) && life[n] == UP && LISTENS(n) && empty(order[n]) ->
		claim_waits = claim_waits & ~BIT(n)
	}
}

#define ASKED_WRITES(n) ((claim_asked & BIT(n)) && WRITES(n, claimed))

inline copy(n)
{
	d_step {
		claimer == n + 1 && !claim_waits && !ASKED_WRITES(0) && !ASKED_WRITES(1) && !ASKED_WRITES(2) ->
		assert(!WRITES(0, claimed) && !WRITES(1, claimed) && !WRITES(2, claimed));	/* (c) */
		differ[claimed] = 0;
		send(n, DONE, 0, BIT(claimed));
		claimer = 0;
		claimed = 0;
		claim_asked = 0;
		forget()
	}
}

/* Takeover. */

#define FIRST(n) ((n == 0 || M(n, 0) != SERVING) && (n != 2 || M(n, 1) != SERVING))

#ifdef GONE_IS_DEAD
#define PROVED(n, x) FIRST(n)
#else
#ifdef HEIR_ONLY
#define PROVED(n, x) (lock[x] == n + 1 && FIRST(n))
#else
#define PROVED(n, x) (lock[x] == n + 1)
#endif
#endif

#ifdef UNLOCKED_WHEN_BACK
#define BEGUN(n, x) 0
#else
#define BEGUN(n, x) (step[n] && target[n] == x)
#endif

/*
 * The first member queues for the lock of one who is gone; whoever is granted it takes over, or gives it
 * back if it is not needed any more. What has begun goes on: its owner waits.
 */
inline settle_slot(n, x)
{
	if
	:: !SERVES(n) || landing[n] == x + 1
	:: else ->
		if
		:: M(n, x) != GONE && lock[x] == n + 1 && !BEGUN(n, x) -> lock[x] = 0
		:: M(n, x) == GONE && lock[x] != n + 1 && FIRST(n) -> waiting[x] = waiting[x] | BIT(n)
		:: else
		fi;
		if
		:: M(n, x) == GONE && PROVED(n, x) && !step[n] && !landing[n] ->
			step[n] = READ;
			target[n] = x;
			taken[n] = slot[x]
		:: else
		fi
	fi
}

inline settle(n)
{
	settle_slot(n, (n + 1) % 3);
	settle_slot(n, (n + 2) % 3)
}

inline grant(n, x)
{
	d_step {
		!lock[x] && (waiting[x] & BIT(n)) ->
		lock[x] = n + 1;
		waiting[x] = waiting[x] & ~BIT(n);
		settle(n)
	}
}

#ifdef EMPTIED_BEFORE_SAVED
#define SAVES(n) (step[n] == SAVED)
#define EMPTIES(n) (step[n] == READ)
#else
#define SAVES(n) (step[n] == READ)
#define EMPTIES(n) (step[n] == SAVED)
#endif

inline next_step(n)
{
	if
	:: step[n] == READ -> step[n] = SAVED
	:: else ->
		step[n] = TELLS;
		send(n, DIRTY, target[n], taken[n]);
		forget()
	fi
}

inline save(n)
{
	d_step {
		SAVES(n) ->
		assert(lock[n] == n + 1);	/* (b) save */
		slot[n] = slot[n] | taken[n];
		next_step(n)
	}
}

inline emptied(n)
{
	d_step {
		EMPTIES(n) ->
		assert(lock[target[n]] == n + 1);	/* (b) empty */
		slot[target[n]] = 0;
		used[target[n]] = 0;
		check_slots();
		next_step(n)
	}
}

/* Who has detached keeps its locks until then, or until its next life takes them over. */
inline landed(n)
{
	d_step {
		landing[n] ->
		assert(lock[landing[n] - 1] == n + 1);	/* (b) late */
		slot[landing[n] - 1] = 0;
		used[landing[n] - 1] = 0;
		check_slots();
		lock[landing[n] - 1] = 0;
		landing[n] = 0;
		if
		:: life[n] == DEAD || joining[n] == JOINED -> unlock_if_held(n, n)
		:: else
		fi;
		settle(n)
	}
}

/* Nodes vanish. */

inline forget_queue(n)
{
	do
	:: nempty(order[n]) -> order[n]?kind, from, who, items
	:: empty(order[n]) -> break
	od
}

inline forget_state(n)
{
	forget_queue(n);
	joining[n] = 0;
	open[n] = 0;
	for (i : 0 .. 2) { M(n, i) = NONE }
	crash[n] = 0
}

inline leave_view(n)
{
	faults--;
	view = view & ~BIT(n);
	claim_ends_with(n);
	send(n, VIEW, n, 0)
}

inline depart(n)
{
	forget_state(n);
	life[n] = DEAD;
	attached[n] = 0;
	writing[n] = 0;
	taken[n] = 0;
	step[n] = 0;
	target[n] = 0
}

inline unlock_all(n)
{
	for (i : 0 .. 2) { unlock_if_held(n, i) }
	forget()
}

inline die(n)
{
	depart(n);
	landing[n] = 0;
	unlock_all(n)
}

inline vanish_dead(n)
{
	d_step { (KINDS & 1) && faults && (view & BIT(n)) -> leave_view(n); die(n) }
}

/* The others may have been given more than this node. */
inline vanish_parted(n)
{
	d_step {
		(KINDS & 2) && faults && (view & BIT(n)) && attached[n] && joining[n] != LEAVING ->
		leave_view(n);
		forget_queue(n);
		taken[n] = (step[n] >= SAVED || joining[n] -> taken[n] : 0);
		joining[n] = 0;
		takeover_stop(n);
		forget()
	}
}

/* What of the hot maps tells the next daemon: its crash-dirty regions, and that it may have inherited. */
inline vanish_daemon(n)
{
	d_step {
		(KINDS & 4) && faults && (view & BIT(n)) && attached[n] && joining[n] != LEAVING ->
		leave_view(n);
#ifdef INHERITING_FORGOTTEN
		taken[n] = crash[n];
#else
		taken[n] = crash[n] | (step[n] -> slot[n] : (joining[n] -> taken[n] : 0));
#endif
		takeover_stop(n);
#ifdef LOCK_NOT_PERSISTENT
		unlock_if_held(n, n);
#endif
		life[n] = DOWN;
		forget_state(n);
		forget()
	}
}

inline detach(n)
{
	d_step {
		(KINDS & 8) && faults && SERVES(n) && !writing[n] ->
		faults--;
		joining[n] = LEAVING;
		open[n] = 0;
		taken[n] = (step[n] >= SAVED -> taken[n] : 0);
		takeover_stop(n);
		send(n, LEAVE, n, (slot[n] & crash[n]) | taken[n]);
		forget()
	}
}

/* LEAVE is delivered: the slot is left as it should be, and the locks go. */
inline left(n)
{
	claim_ends_with(n);
	view = view & ~BIT(n);
	if
	:: !items ->
		assert(lock[n] == n + 1);	/* (b) release */
		slot[n] = 0;
		used[n] = 0;
		check_slots()
	:: else
	fi;
	depart(n);
	if
#ifdef DETACH_UNLOCKS
	:: 1 -> unlock_all(n)
#else
	:: !landing[n] -> unlock_all(n)
	:: else -> forget()
#endif
	fi
}

inline fence(n)
{
	d_step { view && life[n] != DEAD && !(view & BIT(n)) -> die(n) }
}

/* And return. */

/* The new daemon, or the old one. */
inline come_back(n)
{
	d_step {
		returns && life[n] != DEAD && !(view & BIT(n)) && !landing[n] ->
		returns--;
		life[n] = UP;
		view = view | BIT(n);
		taken[n] = taken[n] | crash[n];
		joining[n] = JOINED;
		send(n, JOIN, n, 1);
		forget()
	}
}

inline join(n)
{
	d_step {
		returns && life[n] == DEAD && !(view & BIT(n)) ->
		returns--;
		life[n] = UP;
		view = view | BIT(n);
		joining[n] = JOINED;
		send(n, JOIN, n, 0);
		forget()
	}
}

#define HAS_STATE(i) ((view & BIT(i)) && life[i] == UP && joining[i] != JOINED)

/* Nobody has a state: the log device has it. */
inline found(n)
{
	d_step {
		joining[n] == JOINED && !HAS_STATE(0) && !HAS_STATE(1) && !HAS_STATE(2) ->
		for (i : 0 .. 2) {
			if
			:: view & BIT(i)
#ifdef FOUNDER_IGNORES_SLOTS
			:: !(view & BIT(i)) -> M(HEAD, i) = NONE
#else
			:: !(view & BIT(i)) -> M(HEAD, i) = (used[i] -> GONE : NONE)
#endif
			fi
		}
		crash[HEAD] = 0;
		take_state(n)
	}
}

inline take_state(n)
{
	joining[n] = INFORMED;
	waiting[n] = (lock[n] == n + 1 -> waiting[n] : waiting[n] | BIT(n));
	for (i : 0 .. 2) { M(n, i) = M(HEAD, i) }
	crash[n] = crash[HEAD];
	claim_asked = (claimer && !attached[n] -> claim_asked | BIT(n) : claim_asked);	/* its gate is closed */
	i = 0
}

/* SNAP and STATE: the state as of this place in the order. */
inline inform(n)
{
	d_step {
		joining[n] == JOINED && DONOR ->
		take_state(n)
	}
}

#ifdef LOADS_WITHOUT_LOCK
#define MINE(n) 1
#else
#define MINE(n) (lock[n] == n + 1)
#endif

/* The slot of an earlier life is read, and what nobody may have heard of is told. */
inline load(n)
{
	d_step {
		joining[n] == INFORMED && MINE(n) ->
		joining[n] = TOLD;
		used[n] = 1;
		if
		:: !attached[n] -> taken[n] = slot[n]
		:: else
		fi;
		if
#ifndef OLD_NOT_TOLD
		:: taken[n] -> send(n, OLD, n, taken[n])
#endif
		:: else
		fi;
		send(n, READY, n, 0);
		forget()
	}
}

proctype Node(byte n)
{
end:
	do
	:: deliver(n)
	:: mark(n, 0)
	:: mark(n, 1)
	:: written(n, 0)
	:: written(n, 1)
	:: sweep(n, 0)
	:: sweep(n, 1)
	:: claim(n, 0)
	:: claim(n, 1)
	:: ack(n)
	:: copy(n)
	:: grant(n, 0)
	:: grant(n, 1)
	:: grant(n, 2)
	:: save(n)
	:: emptied(n)
	:: landed(n)
	:: vanish_dead(n)
	:: vanish_parted(n)
	:: vanish_daemon(n)
	:: detach(n)
	:: fence(n)
	:: come_back(n)
	:: join(n)
	:: found(n)
	:: inform(n)
	:: load(n)
	od
}

/* (d) */
inline check(n)
{
	if
	:: SERVES(n) ->
		for (i : 0 .. 2) {
			assert(M(n, i) == (SERVES(i) -> SERVING : NONE));	/* settled */
			assert(lock[i] == (SERVES(i) -> i + 1 : 0));	/* unlocked */
			assert(!waiting[i] || SERVES(i));	/* granted */
			assert(!slot[i])	/* swept */
		}
		assert(!crash[n]);	/* repaired */
		assert(!differ[0] && !differ[1])	/* equal */
	:: else -> assert(!(view & BIT(n)))	/* joined */
	fi
}

proctype Quiet()
{
	timeout ->
	d_step {
		check(0);
		check(1);
		check(2)
	}
}

init {
	d_step {
		view = 7;
		for (i : 0 .. 2) {
			attached[i] = 1;
			open[i] = 1;
			used[i] = 1;
			lock[i] = i + 1;
			M(0, i) = SERVING;
			M(1, i) = SERVING;
			M(2, i) = SERVING;
			M(HEAD, i) = SERVING
		}
		i = 0
	}
	atomic {
		run Node(0);
		run Node(1);
		run Node(2);
		run Quiet()
	}
}
