/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Model of the hot maps (lib/core/hot.h) and of who uses them how, for spin.
 *
 * One mirror with two regions that share one slot bit (shift 1).
 *
 *	here			there
 *	held gate dirty		the maps of struct hot; each access is a step, as all are seq_cst
 *	known			hot_shared.mark_seq; obey() is hot_seq_obey() without the wrap
 *	mark_lock		log->mark_lock, around hot_answer() and the loop's admit_mark()
 *	Responder		responder.c: answer(), hot_answer(), hot_mark(), hot_clear(). Two, because a
 *				kernel that gave up waiting may ask again from another CPU
 *	hand			the handoff rings, taken in any order: there is one per responder, and a
 *				responder that finds the core free steps it for its own request at once
 *	Loop			mlog_step(), by whoever has the core: what core/dirty.c (want, durable, sweep:
 *				hot_dirty_drop()), core/repair.c (arm: hot_gate_close(), armed, copied) and
 *				core/request.c (admit_mark, settle) do with the maps
 *	Kernel			kmirrord: one request at a time; marks a region again while it is marked,
 *				but not while a write of it is in flight (kernel-contract 8)
 *	WriteEnds		the legs
 *
 * Ghosts, which no code reads: disk (our slot bit on the log device), writing and copying.
 *
 * Checked:
 *	(a) while a write is in flight its slot bit is on disk
 *	(b) no write is in flight while its region is copied
 *	(c) when nothing moves any more, no gate is closed: the CLEAR that ended a region's writes under
 *	    a gate was noticed; and the kernel has all its answers
 *
 * Steps that only one process can see are joined to the access before or after them, and so is the
 * taking of a message or a lock, which may come later just as well: that keeps the model small.
 *
 * Each -D of a rule broken (see test/model/check, which runs them all) must make it fail.
 */
#ifndef REQUESTS
#define REQUESTS 4	/* of the kernel; repetitions and the last CLEARs are not counted */
#endif
#ifndef GIVE_UPS
#define GIVE_UPS 0	/* of the kernel: it asks again with a new seq */
#endif
#ifndef GATES
#define GATES 2
#endif
#ifndef SWEEPS
#define SWEEPS 2
#endif

#define MARK 1
#define CLEAR 2

bit held[2], gate[2], dirty;
byte known;
bit mark_lock;

bit disk, writing[2], copying[2];

byte next_seq = 1;
chan to_responder[2] = [3] of { byte, byte, byte };	/* type, region, seq */
chan hand = [6] of { byte, byte, byte };
chan answer = [6] of { byte };				/* seq */
bit kernel_done;

/* The loop's own. */
byte pending[2];	/* seq of a MARK that waits, or 0 */
bit wanted;		/* the slot bit is queued or being written */
bit armed[2], moving[2];

/* Under the lock; without it the load and the store are two steps, see LOOP_WITHOUT_LOCK. */
inline obey(seq, ok)
{
	ok = seq >= known;
#ifdef STALE_OBEYED
	ok = 1;
#endif
	if
	:: ok -> known = seq
	:: else
	fi
}

inline mark_answered()
{
	mark_lock = 0;
	if
	:: ok -> answer!seq
	:: else -> hand!MARK, r, seq
	fi;
	forget()
}

inline clear_answered()
{
	mark_lock = 0;
	answer!seq;
	if
	:: tell -> hand!CLEAR, r, seq
	:: else
	fi;
	forget()
}

inline forget()
{
	type = 0;
	r = 0;
	seq = 0;
	ok = 0;
	tell = 0
}

proctype Responder(byte id)
{
	byte type, r, seq;
	bit ok, tell;

end:
	do
	:: atomic {
		nempty(to_responder[id]) && !mark_lock ->
		to_responder[id]?type, r, seq;
		mark_lock = 1;
		obey(seq, ok);
		if
		:: !ok -> mark_lock = 0; forget()	/* HOT_STALE */
		:: else
		fi
	   }
		if
		/* Rule 1. */
		:: atomic { type == MARK ->
#ifdef MARK_READS_FIRST
			ok = dirty }
			ok = ok && !gate[r];
			atomic { held[r] = 1; mark_answered() }
#else
			held[r] = 1 }
			ok = dirty;
			atomic { ok = ok && !gate[r]; mark_answered() }
#endif
		/* Rule 4. */
		:: atomic { type == CLEAR ->
#ifdef CLEAR_READS_FIRST
			tell = gate[r] }
			atomic { held[r] = 0; clear_answered() }
#else
			held[r] = 0 }
			atomic { tell = gate[r]; clear_answered() }
#endif
		:: type == 0
		fi
	od
}

inline send(type, r)
{
	seq = next_seq;
	next_seq++;
	if
	:: to_responder[0]!type, r, seq
	:: to_responder[1]!type, r, seq
	fi
}

/* Until the newest seq is answered. Answers to older ones come too late and are dropped. */
inline await(type, r)
{
	do
	:: atomic { answer?got -> late = got != seq; got = 0 };
		if
		:: late
		:: else -> break
		fi
	:: atomic { give_ups > 0 -> give_ups--; send(type, r) }
	od
}

proctype Kernel()
{
	byte requests = REQUESTS, give_ups = GIVE_UPS, seq, got, r;
	bit marked[2], late;

	do
	:: atomic {
		requests > 0 ->
		requests--;
		if
		:: !writing[0] -> r = 0
		:: !writing[1] -> r = 1
		:: else -> goto next
		fi;
		send(MARK, r)
	   }
		await(MARK, r);
		atomic {
			marked[r] = 1;
			writing[r] = 1;
			assert(disk);		/* (a) */
			assert(!copying[r]);	/* (b) */
			r = 0;
			seq = 0
		}
	:: atomic {
		marked[0] && !writing[0] -> r = 0; send(CLEAR, r) }
		await(CLEAR, r);
		atomic { marked[r] = 0; r = 0; seq = 0 }
	:: atomic {
		marked[1] && !writing[1] -> r = 1; send(CLEAR, r) }
		await(CLEAR, r);
		atomic { marked[r] = 0; r = 0; seq = 0 }
	:: requests == 0 && !marked[0] && !marked[1] -> break
next:
	od;
	kernel_done = 1
}

proctype WriteEnds()
{
end:
	do
	:: writing[0] -> writing[0] = 0
	:: writing[1] -> writing[1] = 0
	od
}

/* core/request.c: what can be answered is answered. */
inline settle()
{
	if
	:: pending[0] && dirty && !gate[0] -> answer!pending[0]; pending[0] = 0
	:: else
	fi;
	if
	:: pending[1] && dirty && !gate[1] -> answer!pending[1]; pending[1] = 0
	:: else
	fi
}

/*
 * A MARK that waits means that no write of its region is in flight, if every MARK that can be answered
 * is answered before a gate closes: a responder may have met its repetition.
 */
inline step_ends()
{
#ifndef REPLIES_LATE
	settle();
#endif
	quiet = 0
}

inline move_if(r)
{
	if
	:: quiet ->
		armed[r] = 0;
		moving[r] = 1;
		copying[r] = 1;
		assert(!writing[r])	/* (b) */
	:: else -> armed[r] = 1
	fi;
	quiet = 0
}

/* Rule 2. */
inline arm(n)
{
#ifdef CLOSE_READS_FIRST
	atomic { gates > 0 && !gate[n] -> gates--; quiet = pending[n] || !held[n] };
	atomic { gate[n] = 1; move_if(n) }
#else
	atomic { gates > 0 && !gate[n] -> gates--; quiet = pending[n] != 0; gate[n] = 1 };
	atomic { quiet = quiet || !held[n]; move_if(n) }
#endif
}

inline copied(n)
{
	atomic {
		moving[n] -> copying[n] = 0; moving[n] = 0; gate[n] = 0; step_ends()
	}
}

/* Rule 3; what stays clear leaves the disk. */
inline sweep()
{
	atomic { sweeps > 0 && dirty -> sweeps--;
#ifdef DROP_READS_FIRST
	quiet = !held[0] };
	quiet = quiet && !held[1];
	atomic {
		dirty = !quiet;
#else
	dirty = 0 };
	quiet = !held[0];
	atomic {
		quiet = quiet && !held[1];
#ifdef DROP_NOT_TAKEN_BACK
		quiet = 1;
#endif
		dirty = !quiet;
#endif
		if
		:: quiet -> disk = 0; assert(!writing[0] && !writing[1])	/* (a) */
		:: else
		fi;
		step_ends()
	}
}

inline durable()
{
#ifdef DIRTY_BEFORE_DISK
	atomic { wanted -> dirty = 1; step_ends() };
	atomic { disk = 1; wanted = 0 }
#else
	atomic { wanted -> disk = 1; dirty = 1; wanted = 0; step_ends() }
#endif
}

inline mark_pends()
{
	held[r] = 1;
	pending[r] = seq;
	wanted = wanted || !dirty
}

/* One item of the handoff rings, and then, by core/repair.c, what is armed looks again. */
inline handed()
{
	atomic {
#ifndef LOOP_WITHOUT_LOCK
		nempty(hand) && !mark_lock ->
#endif
		hand?type, r, seq;
		if
		:: type == MARK -> obey(seq, quiet)
		:: else
		fi;
#ifdef LOOP_WITHOUT_LOCK
	};	/* a responder may come in between */
	atomic {
#endif
		if
		:: type == MARK && quiet -> mark_pends()
		:: else
		fi;
		step_ends();
		if
		:: armed[0] -> quiet = pending[0] || !held[0]; move_if(0)
		:: else
		fi;
		if
		:: armed[1] -> quiet = pending[1] || !held[1]; move_if(1)
		:: else
		fi;
		quiet = 0;
		type = 0;
		r = 0;
		seq = 0
	}
}

proctype Loop()
{
	byte gates = GATES, sweeps = SWEEPS, type, r, seq;
	bit quiet;

end:
	do
	:: handed()
	:: atomic { len(hand) > 1 -> hand?type, r, seq; hand!type, r, seq; type = 0; r = 0; seq = 0 }
	:: durable()
	:: sweep()
	:: arm(0)
	:: arm(1)
	:: copied(0)
	:: copied(1)
#ifdef REPLIES_LATE
	:: atomic { pending[0] && dirty && !gate[0] -> settle() }
	:: atomic { pending[1] && dirty && !gate[1] -> settle() }
#endif
	od
}

/* (c) */
proctype Quiet()
{
	timeout ->
	assert(kernel_done);
	assert(!gate[0] && !gate[1])
}

init {
	atomic {
		run Responder(0);
		run Responder(1);
		run Kernel();
		run WriteEnds();
		run Loop();
		run Quiet()
	}
}
