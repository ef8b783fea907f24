/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Model of claim, gate and copy: how crash-dirty regions are repaired (and any compared) while several
 * nodes write, for spin. Three nodes, two regions; nodes 0 and 1 make claims, all of them write and any may
 * vanish. What a dead node leaves behind, step by step, is takeover.pml.
 *
 *	here			there
 *	member claim waits	struct mlog_member as of the end of the order of messages. What all members share
 *	busy crash		is a function of that order alone (I7), so it is kept once and not for each node.
 *	order[n]		what of it node n has not been given yet, as far as it changes its gates or its own
 *				claim: OPEN is an ACK with busy regions, or a view; GO is the last ACK. A message takes
 *				its place when it is sent; what its sender did not know then is in its queue.
 *	gates called		struct gates and the gate map: claimed, and which of them this node has called busy
 *	owes			claims that this node has not acknowledged
 *	place_*()		members_apply() and members_view(): apply_claim(), apply_ack(), apply_done(), apply_join(),
 *				apply_leave(), apply_dirty(); member_gone()
 *	not_listening()		lost()
 *	deliver()		group_message(); repair_claimed(), repair_unclaimed(); ready()
 *	ask() copy_ends()	claim_settle(), repair_copied(), own_claim_settle()
 *	settle() time_out()	request_settle(), then gate_settle()
 *	see_again() come_back()	group_restored() or rejoin(); join_send()
 *	inform() take_gates()	members_state_take(), informed() with repair_reconcile()
 *	forget_gates()		dirty_reset(), and what is not in memory any more
 *	mark() written() clear()  the kernel, whose one thread waits for one reply at a time
 *	vanish_*		the node dies; the network parts it from the others; its daemon dies, its kernel lives
 *	detach()		a suspend: LEAVE
 *	bury()			the heir's last DIRTY: there is a lock grant behind it, so the node is dead
 *
 * Ghosts, which no code reads: differ (whose writes left the legs of a region different), life, copying.
 *
 * Checked:
 *	(a) no write of any node is in flight while its region is copied, by whomever
 *	(b) two nodes do not copy one region, nor does the mover copy what a kernel recovers
 *	(c) when nothing moves any more, every MARK has been answered, unless its claimer is gone, not known to
 *	    be dead and not back; and regions whose legs differ are crash-dirty or stale
 *
 * Each -D of a rule broken (see test/model/check, which runs them all) must make it fail.
 */
#ifndef MARKS
#define MARKS 2		/* of all kernels together */
#endif
#ifndef CLAIMS
#define CLAIMS 1	/* of all claimers together */
#endif
#ifndef CLAIMERS
#define CLAIMERS 1
#endif
#ifndef KINDS
#define KINDS 0		/* of faults: 1 dies, 2 parted, 4 daemon dies, 8 detaches */
#endif
#ifndef FAULTS
#define FAULTS 1
#endif
#ifndef RETURNS
#define RETURNS 1	/* of nodes that had vanished */
#endif
#ifndef FENCES
#define FENCES 1	/* of nodes that vanished alive */
#endif
#ifndef CANCELS
#define CANCELS 0	/* claims that their claimer ends before all have acknowledged them */
#endif
#ifndef GROUPS
#define GROUPS 0	/* 1: a MARK may be of both regions */
#endif
#ifndef STALE
#define STALE 0		/* 1: region 1 is stale at first, and node 2's kernel recovers it */
#endif

#define BIT(i) (1 << (i))
#define BOTH 3
#define KERNEL 9

/* NEW and BACK are JOINING without and with live; SERVING is READY. */
#define NONE 0
#define NEW 1
#define BACK 2
#define SERVING 3
#define GONE 4
byte member[3];

/* Of each claimer. */
byte claim[2], waits[2], busy[2];
bit number[2];		/* stands for the seq of the CLAIM */
byte crash, stale;
#define LEFT(c) (claim[c] & ~busy[c])

mtype = { CLAIM, OPEN, GO, DONE, READY, SYNC };
chan order[3] = [7] of { mtype, byte, byte };	/* kind, claimer, regions */

/* Of each node, and each claimer. */
byte gates[6], called[6];
bit seen[6];		/* number of the claim */
#define CLOSED(n, c) gates[2 * (n) + (c)]
#define CALLED(n, c) called[2 * (n) + (c)]
#define SEEN(n, c) seen[2 * (n) + (c)]
#define GATED(n) ((CLOSED(n, 0) & ~CALLED(n, 0)) | (CLOSED(n, 1) & ~CALLED(n, 1)))

byte owes[3];		/* mask of claimers */
byte knows_stale[3];

#define NOTHING 0
#define ASKED 1
#define COPIES 2
#define ENDED 3
byte step[2], copied[2];

#define RETURNED 1	/* in the view */
#define JOINED 2	/* JOIN is sent */
#define INFORMED 3	/* has the state */
#define TOLD 4		/* READY is sent */
byte joining[3];
bit late[3];		/* that READY has no place yet */
bit open[3];		/* MARKs are answered */
byte view;		/* the nodes with quorum; who vanished alive is alone and hears nothing */

#define UP 0
#define DOWN 1		/* the daemon; its kernel lives */
#define DEAD 2		/* or detached */
byte life[3];

/* The kernels: masks of regions. One that is held and neither pending nor writing is marked and idle. */
byte held[3], pending[3], writing[3];
bit attached[3];
byte old[3];		/* bits in the slot of a dead node, not announced yet */

byte copying[2];	/* 1 + node, or KERNEL */
byte differ[2];		/* mask of nodes; 8: stale */

byte marks = MARKS, claims = CLAIMS, faults = FAULTS, returns = RETURNS, fences = FENCES, cancels = CANCELS;

/* Scratch of one step. */
hidden mtype kind;
hidden byte who, items, i, j, taken;

/* One region is like the other, before something has been done to one of them. */
#define MAY_BEGIN(regions) (marks < MARKS || claims < CLAIMS || STALE || regions != 2)

#define IN_VIEW(n) (view & BIT(n))
#define LISTENS(n) (IN_VIEW(n) && life[n] == UP && (joining[n] == 0 || joining[n] >= INFORMED))
#define SERVES(n) (IN_VIEW(n) && life[n] == UP && joining[n] == 0)
#define DONOR (SERVES(0) || SERVES(1) || SERVES(2))
#define WRITES(n, r) (life[n] != DEAD && (writing[n] & BIT(r)))
#define COPYING(n) (copying[0] == n + 1 || copying[1] == n + 1)

inline give(to, what, about, set)
{
	if
	:: LISTENS(to) -> order[to]!what, about, set
	:: else
	fi
}

inline give_all(what, about, set)
{
	give(0, what, about, set);
	give(1, what, about, set);
	give(2, what, about, set)
}

/* ---- what messages do, at their place in the order */

inline claim_over(c)
{
	claim[c] = 0;
	waits[c] = 0;
	busy[c] = 0
}

inline go(c)
{
	if
	:: claim[c] && !waits[c] -> give(c, GO, c, 0)
	:: else
	fi
}

#ifdef CLAIMS_WHILE_GONE
#define IS_GONE(i) 0
#else
#define IS_GONE(i) (member[i] == GONE)
#endif
#ifdef CLAIMS_WHILE_BACK
#define IS_BACK(i) 0
#else
#define IS_BACK(i) (member[i] == BACK)
#endif
#define UNSURE(i) (IS_GONE(i) || IS_BACK(i))
#ifdef CLAIMS_OVERLAP
#define OTHERS 0
#else
#define OTHERS (claim[0] | claim[1])
#endif
#ifdef STALE_CLAIMED
#define DROPPED OTHERS
#else
#define DROPPED (OTHERS | stale)
#endif

inline place_claim(c, regions)
{
	taken = (UNSURE(0) || UNSURE(1) || UNSURE(2) || member[c] != SERVING -> 0 : (regions) & ~DROPPED);
	if
	:: taken ->
		claim[c] = taken;
		busy[c] = 0;
		for (i : 0 .. 2) {
			if
			:: member[i] == SERVING -> waits[c] = waits[c] | BIT(i)
			:: else
			fi
		}
		number[c] = 1 - number[c];
		give_all(CLAIM, c, taken)
	:: else -> give(c, CLAIM, c, 0)
	fi;
	i = 0;
	taken = 0
}

#ifdef ACK_OF_ANY_CLAIM
#define ACK_FITS(n, c) claim[c]
#else
#define ACK_FITS(n, c) (claim[c] && SEEN(n, c) == number[c])
#endif

inline place_ack(n, c)
{
	if
	:: ACK_FITS(n, c) ->
		waits[c] = waits[c] & ~BIT(n);
		if
#ifndef BUSY_IGNORED
		:: CALLED(n, c) & ~busy[c] ->
			busy[c] = busy[c] | CALLED(n, c);
			give_all(OPEN, c, CALLED(n, c))
#endif
		:: else
		fi;
		go(c)
	:: else
	fi
}

/* Who did not say what it writes may be writing all of it. */
inline not_listening(x)
{
	for (j : 0 .. 1) {
		if
		:: waits[j] & BIT(x) ->
#ifndef WAITS_FOR_THE_GONE
			waits[j] = waits[j] & ~BIT(x);
#ifndef GONE_NEED_NOT_ACK
			busy[j] = BOTH;
			give_all(OPEN, j, BOTH);
#endif
			go(j)
#endif
		:: else
		fi
	}
	j = 0
}

inline drop_claim(x)
{
	if
	:: x < 2 ->
		if
		:: claim[x % 2] -> claim_over(x % 2); give_all(OPEN, x, BOTH)
		:: else
		fi
	:: else
	fi
}

inline place_view(x)
{
	if
	:: member[x] != NONE ->
		member[x] = GONE;
#ifdef GONE_OPENS_GATES
		drop_claim(x);
#endif
		not_listening(x)
	:: else
	fi
}

inline place_join(x, state)
{
	member[x] = state;
	drop_claim(x);
#ifdef JOIN_NEED_NOT_ACK
	waits[0] = waits[0] & ~BIT(x);
	waits[1] = waits[1] & ~BIT(x);
	go(0);
	go(1)
#else
	not_listening(x)
#endif
}

/* Last, and its slot is free. */
inline place_dirty(x)
{
	crash = crash | old[x];
	old[x] = 0;
	member[x] = NONE;
#ifndef DEAD_KEEPS_GATES
	drop_claim(x)
#endif
}

inline place_leave(x)
{
	member[x] = NONE;
	for (j : 0 .. 1) {
		if
		:: waits[j] & BIT(x) -> waits[j] = waits[j] & ~BIT(x); go(j)
		:: else
		fi
	}
	j = 0;
	drop_claim(x)
}

#ifdef DONE_MEANS_ALL
#define REPAIRED(c) claim[c]
#else
#define REPAIRED(c) copied[c]
#endif

inline place_done(c)
{
	crash = crash & ~REPAIRED(c);
	claim_over(c);
	give_all(DONE, c, BOTH)
}

/* ---- a node */

#define NOISY(n, c) (CLOSED(n, c) & held[n] & ~pending[n])

inline ack(n, c)
{
	owes[n] = owes[n] & ~BIT(c);
	CALLED(n, c) = NOISY(n, c);
	place_ack(n, c)
}

inline answer(n)
{
	if
	:: pending[n] && open[n] && life[n] == UP && !(GATED(n) & pending[n]) ->
		assert(!(pending[n] & 1) || !copying[0]);	/* (a) write */
		assert(!(pending[n] & 2) || !copying[1]);	/* (a) write */
		differ[0] = (pending[n] & 1 -> differ[0] | BIT(n) : differ[0]);
		differ[1] = (pending[n] & 2 -> differ[1] | BIT(n) : differ[1]);
		writing[n] = writing[n] | pending[n];
		pending[n] = 0
	:: else
	fi
}

inline settle(n)
{
	answer(n);
	if
	:: (owes[n] & 1) && !NOISY(n, 0) -> ack(n, 0)
	:: else
	fi;
	if
	:: (owes[n] & 2) && !NOISY(n, 1) -> ack(n, 1)
	:: else
	fi
}

inline copy_begins(n, r)
{
	if
	:: CLOSED(n, n) & BIT(r) ->
		assert(!copying[r]);	/* (b) */
		assert(!WRITES(0, r) && !WRITES(1, r) && !WRITES(2, r));	/* (a) copy */
		copying[r] = n + 1
	:: else
	fi
}

inline end_claim(n)
{
	step[n] = ENDED;
	place_done(n);
	copied[n] = 0
}

inline copies_begin(n)
{
	if
	:: !CLOSED(n, n) -> end_claim(n)
	:: else ->
		step[n] = COPIES;
		copy_begins(n, 0);
		copy_begins(n, 1)
	fi
}

inline deliver_claim(n)
{
	if
	:: items ->
		CLOSED(n, who) = items;
		CALLED(n, who) = 0;
		SEEN(n, who) = 1 - SEEN(n, who);
		owes[n] = (joining[n] -> owes[n] : owes[n] | BIT(who))
	:: else -> step[n % 2] = NOTHING
	fi;
	if
#ifdef COPIES_BEFORE_ACKS
	:: items && who == n && step[n % 2] == ASKED -> copies_begin(n % 2)
#endif
	:: else
	fi
}

inline deliver_open(n)
{
	CLOSED(n, who) = CLOSED(n, who) & ~items;
	if
	:: !CLOSED(n, who) -> CALLED(n, who) = 0; owes[n] = owes[n] & ~BIT(who)
	:: else -> CALLED(n, who) = CALLED(n, who) & CLOSED(n, who)
	fi
}

inline deliver(n)
{
	d_step {
		life[n] == UP && nempty(order[n]) ->
		order[n]?kind, who, items;
		if
		:: kind == CLAIM -> deliver_claim(n)
		:: kind == OPEN -> deliver_open(n)
		:: kind == DONE ->
			deliver_open(n);
			if
			:: who == n -> step[n % 2] = NOTHING
			:: else
			fi
		:: kind == GO ->
			if
			:: step[n % 2] == ASKED -> copies_begin(n % 2)
			:: else
			fi
		:: kind == READY ->
			joining[n] = 0;
			attached[n] = 1;
			open[n] = 1
		:: kind == SYNC -> knows_stale[n] = 0
		fi;
		settle(n);
		kind = 0;
		who = 0;
		items = 0
	}
}

/* No quiet moment came in time. */
inline time_out(n, c)
{
	d_step {
		(owes[n] & BIT(c)) && NOISY(n, c) && life[n] == UP ->
		ack(n, c);
		settle(n)
	}
}

inline mark(n, regions)
{
	d_step {
		marks && (GROUPS || regions != 3) && MAY_BEGIN(regions) && attached[n] && life[n] != DEAD && !pending[n] &&
		!((writing[n] | knows_stale[n]) & (regions)) ->
		marks--;
		held[n] = held[n] | (regions);
		pending[n] = regions;
		settle(n)
	}
}

inline written(n, r)
{
	d_step {
		WRITES(n, r) ->
		writing[n] = writing[n] & ~BIT(r);
		differ[r] = differ[r] & ~BIT(n)
	}
}

inline clear(n, r)
{
	d_step {
		life[n] == UP && open[n] && (held[n] & BIT(r)) && !pending[n] && !(writing[n] & BIT(r)) ->
		held[n] = held[n] & ~BIT(r);
		settle(n)
	}
}

/* ---- a claimer */

inline ask(n, regions)
{
	d_step {
		claims && MAY_BEGIN(regions) && SERVES(n) && step[n] == NOTHING && !COPYING(n) ->
		claims--;
		step[n] = ASKED;
		place_claim(n, regions)
	}
}

inline copy_ends(n, r)
{
	d_step {
		copying[r] == n + 1 ->
		copying[r] = 0;
		differ[r] = 0;
		if
		:: step[n] == COPIES ->
			copied[n] = copied[n] | BIT(r);
			if
			:: !COPYING(n) -> end_claim(n)
			:: else
			fi
		:: else
		fi
	}
}

inline cancel(n)
{
	d_step {
		cancels && step[n] == ASKED && claim[n] && LISTENS(n) && CLOSED(n, n) && SEEN(n, n) == number[n] ->
		cancels--;
		end_claim(n)
	}
}

/* ---- nodes vanish */

inline forget_queue(n)
{
	do
	:: nempty(order[n]) -> order[n]?kind, who, items
	:: empty(order[n]) -> break
	od;
	kind = 0;
	who = 0;
	items = 0;
	owes[n] = 0
}

inline forget_gates(n)
{
	CLOSED(n, 0) = 0;
	CLOSED(n, 1) = 0;
	CALLED(n, 0) = 0;
	CALLED(n, 1) = 0
#ifndef DETACH_REMEMBERS_CLAIMS
	;
	SEEN(n, 0) = 0;
	SEEN(n, 1) = 0
#endif
}

inline forget_state(n)
{
	forget_queue(n);
	open[n] = 0;
	joining[n] = 0;
	late[n] = 0;
	forget_gates(n);
	if
	:: n < 2 -> step[n % 2] = NOTHING; copied[n % 2] = 0
	:: else
	fi
}

inline leave_view(n)
{
	faults--;
	view = view & ~BIT(n)
}

inline die(n)
{
	life[n] = DEAD;
	attached[n] = 0;
	old[n] = old[n] | held[n];
	held[n] = 0;
	pending[n] = 0;
	writing[n] = 0;
	copying[0] = (copying[0] == n + 1 || (n == 2 && copying[0] == KERNEL) -> 0 : copying[0]);
	copying[1] = (copying[1] == n + 1 || (n == 2 && copying[1] == KERNEL) -> 0 : copying[1]);
	forget_state(n)
}

inline vanish_dead(n)
{
	d_step {
		(KINDS & 1) && faults && IN_VIEW(n) ->
		leave_view(n);
		die(n);
		place_view(n)
	}
}

/* The others may have been given more than this node. */
inline vanish_parted(n)
{
	d_step {
		(KINDS & 2) && faults && IN_VIEW(n) ->
		leave_view(n);
		late[n] = joining[n] == INFORMED;
		joining[n] = 0;
		forget_queue(n);
		if
		:: n < 2 && step[n % 2] != NOTHING -> step[n % 2] = ENDED; copied[n % 2] = 0
		:: else
		fi;
		place_view(n)
	}
}

inline vanish_daemon(n)
{
	d_step {
		(KINDS & 4) && faults && IN_VIEW(n) && attached[n] ->
		leave_view(n);
		life[n] = DOWN;
		forget_state(n);
		place_view(n)
	}
}

/* What the mover had not given to the disks yet. */
inline copy_is_lost(n, r)
{
	d_step { life[n] == DOWN && copying[r] == n + 1 -> copying[r] = 0 }
}

inline detach(n)
{
	d_step {
		(KINDS & 8) && faults && SERVES(n) && !pending[n] && !writing[n] && !COPYING(n) &&
		(n == 2 || step[n % 2] == NOTHING) ->
		leave_view(n);
		held[n] = 0;
		life[n] = DEAD;
		attached[n] = 0;
		forget_state(n);
		place_leave(n)
	}
}

inline fence(n)
{
	d_step { fences && life[n] != DEAD && !IN_VIEW(n) -> fences--; die(n) }
}

inline bury(x)
{
	d_step { DONOR && member[x] == GONE && life[x] == DEAD -> place_dirty(x) }
}

/* ---- and return */

#ifdef ANSWERS_WITHOUT_STATE
#define SERVED 1
#else
#define SERVED open[n]
#endif

/* A daemon alone is back, or a node that was parted. */
inline see_again(n)
{
	d_step {
		returns && life[n] != DEAD && !IN_VIEW(n) && DONOR ->
		returns--;
		life[n] = UP;
		view = view | BIT(n);
		joining[n] = RETURNED;
		if
		:: late[n] -> member[n] = SERVING; late[n] = 0
		:: else
		fi;
		open[n] = SERVED;
		settle(n)
	}
}

#ifdef BACK_WHILE_COPYING
#define COPIES_OVER(n) 1
#else
#define COPIES_OVER(n) (!COPYING(n))
#endif

inline come_back(n)
{
	d_step {
		joining[n] == RETURNED && COPIES_OVER(n) ->
		joining[n] = JOINED;
		place_join(n, (attached[n] -> BACK : NEW))
	}
}

inline join(n)
{
	d_step {
		returns && life[n] == DEAD && !IN_VIEW(n) && DONOR ->
		returns--;
		life[n] = UP;
		view = view | BIT(n);
		joining[n] = JOINED;
		place_join(n, NEW)
	}
}

#ifdef STATE_WITHOUT_CLAIMS
#define TOLD_CLAIM(n, c) 0
#else
#ifdef DETACH_REMEMBERS_CLAIMS
#define TOLD_CLAIM(n, c) (SEEN(n, c) == number[c] -> CLOSED(n, c) : LEFT(c))
#else
#define TOLD_CLAIM(n, c) LEFT(c)
#endif
#endif

inline take_gates(n, c)
{
	CLOSED(n, c) = TOLD_CLAIM(n, c);
	CALLED(n, c) = 0;
	SEEN(n, c) = number[c]
}

/* SNAP and STATE: the state as of this place in the order. */
inline inform(n)
{
	d_step {
		joining[n] == JOINED && DONOR ->
		joining[n] = INFORMED;
		take_gates(n, 0);
		take_gates(n, 1);
		knows_stale[n] = stale;
		if
		:: n < 2 -> step[n % 2] = NOTHING
		:: else
		fi;
		settle(n)
	}
}

/* What an earlier life left in the slot comes first. */
inline ready(n)
{
	d_step {
		joining[n] == INFORMED ->
		joining[n] = TOLD;
		crash = crash | old[n];
		old[n] = 0;
		member[n] = SERVING;
		give(n, READY, 0, 0)
	}
}

inline recovered()
{
	d_step {
		copying[1] == KERNEL && life[2] == UP && IN_VIEW(2) ->
		copying[1] = 0;
		differ[1] = 0;
		stale = 0;
		give_all(SYNC, 0, 0)
	}
}

proctype Node(byte n)
{
end:
	do
	:: deliver(n)
	:: mark(n, 1)
	:: mark(n, 2)
	:: mark(n, 3)
	:: written(n, 0)
	:: written(n, 1)
	:: clear(n, 0)
	:: clear(n, 1)
	:: time_out(n, 0)
	:: time_out(n, 1)
	:: vanish_dead(n)
	:: vanish_parted(n)
	:: vanish_daemon(n)
	:: detach(n)
	:: fence(n)
	:: bury(n)
	:: see_again(n)
	:: come_back(n)
	:: join(n)
	:: inform(n)
	:: ready(n)
	od
}

proctype Claimer(byte n)
{
end:
	do
	:: ask(n, 1)
	:: ask(n, 2)
	:: ask(n, 3)
	:: copy_ends(n, 0)
	:: copy_ends(n, 1)
	:: copy_is_lost(n, 0)
	:: copy_is_lost(n, 1)
	:: cancel(n)
	od
}

proctype Kernel()
{
end:
	recovered()
}

#define AWAY(n, c) (CLOSED(n, c) && member[c] == GONE)

/* (c) */
inline check(n)
{
	assert(!SERVES(n) || !pending[n] || AWAY(n, 0) || AWAY(n, 1))	/* answered */
}

proctype Quiet()
{
	timeout ->
	d_step {
		check(0);
		check(1);
		check(2);
		assert(!DONOR || !differ[0] || (crash & 1));	/* known */
		assert(!DONOR || !differ[1] || ((crash | stale) & 2))	/* known */
	}
}

init {
	d_step {
		view = 7;
		for (i : 0 .. 2) {
			open[i] = 1;
			attached[i] = 1;
			member[i] = SERVING
		}
		i = 0;
		if
		:: STALE ->
			stale = 2;
			knows_stale[0] = 2;
			knows_stale[1] = 2;
			knows_stale[2] = 2;
			copying[1] = KERNEL;
			differ[1] = 8
		:: else
		fi
	}
	atomic {
		run Node(0);
		run Node(1);
		run Node(2);
		run Claimer(0);
		if
		:: CLAIMERS > 1 -> run Claimer(1)
		:: else
		fi;
		if
		:: STALE -> run Kernel()
		:: else
		fi;
		run Quiet()
	}
}
