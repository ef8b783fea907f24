/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happened on this node: the last EVENTS_MAX events, for admins who ask, and a line of the
 * daemon's log for each. They are kept in a mapped file of RUN_DIR, so that the next daemon has them
 * however this one ends, and nobody waits for a disk.
 *
 * All of this with the core lock.
 */
#ifndef DLM_EVENTS_H
#define DLM_EVENTS_H

#include <stdint.h>

#include "codec/admin.h"

#define EVENTS_MAX 512U /* then the oldest is forgotten */

/* Their names, for programs, are in events.c and in dlmirror(8). */
enum event {
	EVENT_DAEMON_STARTED,
	EVENT_DAEMON_CARRIES_ON,
	EVENT_DAEMON_RESTART,
	EVENT_DAEMON_RESTART_FAILED,
	EVENT_DAEMON_ENDED,
	EVENT_OVERRUN,
	EVENT_TABLE_LOADED,
	EVENT_TABLE_GONE,
	EVENT_TABLE_LOST,
	EVENT_ATTACHING,
	EVENT_ATTACHED,
	EVENT_SUSPENDING,
	EVENT_DETACHED,
	EVENT_IN_SYNC,
	EVENT_REPAIRED,
	EVENT_COMPARED,
	EVENT_LEGS_DIFFERED,
	EVENT_LOG_FAILED,
	EVENT_LOG_BACK,
	EVENT_LEG_FAILED,
	EVENT_LEG_BACK,
	EVENT_REGION_STALE,
	EVENT_REGION_STARVED,
	EVENT_COPY_FAILED,
	EVENT_REQUEST_DROPPED,
	EVENT_MEMBER_JOINED,
	EVENT_MEMBER_LEFT,
	EVENT_MEMBER_GONE,
	EVENT_MEMBER_DEAD,
	EVENT_QUORUM_LOST,
	EVENT_QUORUM_BACK,
	EVENT_GEOMETRY_DIFFERS,
	EVENT_TABLE_OUTDATED,
	EVENT_TABLE_RELOADED,
	EVENT_RESET,
	EVENT_RELOAD_BEGUN,
	EVENT_RELOAD_LOADED,
	EVENT_RELOAD_REFUSED,
	EVENT_RELOAD_SUSPENDED,
	EVENT_RELOAD_DONE,
	EVENT_RELOAD_GIVEN_UP,
	EVENT_RELOAD_STUCK,
	EVENT_CONFIG_BEHIND,
	EVENTS,
};

/* How often in a row something has had the same event. Zero is a good start. */
struct event_run {
	enum event event;
	uint32_t count;
};

/* Takes the record in directory up, or begins one. Without it events are in the log only. Where no
 * file can be had the record is in memory, and ends with the daemon. */
void events_open(const char *directory);
void events_close(void);

/* Readable once something has been kept since the last events_seen(); -1: it cannot be had. */
int events_fd(void);
void events_seen(void);

/*
 * uuid, name: of the mirror, or empty. Of events about regions and requests that repeat themselves,
 * counted in run (which may be NULL), each is logged, but only the 1st, 2nd, 4th, 8th and so on in a
 * row is kept, so that one leg that fails under a thousand regions does not take the place of all
 * else.
 */
void event_tell(const char *uuid, const char *name, struct event_run *run, enum event event,
		uint64_t value, const char *format, ...) __attribute__((format(printf, 6, 7)));

/* Of the daemon itself, and of a log. */
#define event_daemon(...)   event_tell("", "", NULL, __VA_ARGS__)
#define event_log(log, ...) event_tell((log)->uuid, (log)->name, &(log)->run, __VA_ARGS__)

/* Those behind `after` of that record, the oldest first, as many as a page has; of another record
 * than that all. */
void events_read(uint64_t record, uint64_t after, struct admin_events *ret);

#endif
