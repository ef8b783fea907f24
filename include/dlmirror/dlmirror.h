/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libdlmirror: asks a running dlmirrord on this host about its mirrors and tells it what to do.
 *
 * Every function returns 0 or a negative errno unless it says otherwise; -ENOTCONN means that no
 * daemon answers, -EACCES that the caller is neither root nor in the administrators' group, -EPROTO
 * that library and daemon do not understand each other. After a failure dlmirror_error() has a
 * sentence for people. Returned memory belongs to the caller and is freed with the function named
 * at each call. A handle may be used by one thread at a time. Sizes are in the unit that the name
 * says; a sector has 512 bytes.
 *
 * reserved members are 0, also in what a program gives to the library. Later versions have other
 * members in their place, so that a program that was compiled with this header goes on working.
 */
#ifndef DLMIRROR_H
#define DLMIRROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DLMIRROR_NAME_SIZE   129
#define DLMIRROR_LEGS_MAX    8
#define DLMIRROR_TYPES	     18 /* kernel request types, by their number; 0 is unused */
#define DLMIRROR_BUCKETS     24 /* latency histogram: bucket i counts 2^i to 2^(i+1) microseconds */
#define DLMIRROR_REGIONS_MAX 64 /* differing regions that a verify lists */
#define DLMIRROR_DEVICE_SIZE 128
#define DLMIRROR_STATE_SIZE  16
#define DLMIRROR_HOST_SIZE   65
#define DLMIRROR_MEMBERS_MAX 32 /* nodes that have a mirror attached */
#define DLMIRROR_VIEW_MAX    40 /* nodes with a daemon in the cluster's group */
#define DLMIRROR_TEXT_SIZE   256
#define DLMIRROR_PATH_SIZE   128
#define DLMIRROR_EVENT_SIZE  24
#define DLMIRROR_CELLS_MAX   65536 /* of one map */
#define DLMIRROR_LEASE_MAX   64	   /* regions that a node may recover at a time */
#define DLMIRROR_CLAIM_MAX   16	   /* regions that a node compares or copies at a time */

#define DLMIRROR_STRETCHES_MAX 512 /* of regions whose marks are counted together */

#define DLMIRROR_ERRAND_ARGUMENTS 2
#define DLMIRROR_ERRAND_TEXT_SIZE 16384

struct dlmirror; /* a connection */

struct dlmirror_leg {
	uint32_t major;
	uint32_t minor;
	uint64_t start_sector;
	char health; /* 'A' alive, 'D' dead (write error), 'S' stale, 'R' read error, 'F' flush
			error, 'M' missing (dropped), '?' */
};

/* A node that has the mirror attached, as this one knows. */
struct dlmirror_member {
	uint32_t node; /* corosync's nodeid; UINT32_MAX: nobody knows whose slot it is */
	uint32_t slot;
	char state; /* 'R' ready, 'J' joining, 'G' gone: has left without a word, may be writing */
};

/* One mirror log as the daemon knows it. */
struct dlmirror_mirror {
	char uuid[DLMIRROR_NAME_SIZE]; /* of the log */
	char name[DLMIRROR_NAME_SIZE]; /* of the device-mapper device; empty while not known */
	uint64_t luid;
	char phase[DLMIRROR_STATE_SIZE]; /* created attaching active suspending detaching suspended
					  */
	char log_state[DLMIRROR_STATE_SIZE]; /* none idle loading claiming ok failed */
	bool has_disk;
	bool integrated_flush;
	bool handle_errors;
	bool suspect; /* legs are being compared after an unplanned gap of the daemon */
	char log_device[DLMIRROR_DEVICE_SIZE]; /* "major:minor"; empty for clustered-core */
	int32_t log_error;		       /* last errno of the log device, 0: none */
	uint64_t length_sectors;
	uint64_t region_sectors;
	uint64_t region_count;
	uint64_t in_sync;    /* regions */
	uint64_t dirty;	     /* regions (or groups of 2^shift) dirty in our slot */
	uint64_t repair;     /* crash-dirty regions left */
	uint64_t copying;    /* regions being compared or copied now */
	uint64_t recovering; /* region the kernel resyncs now; region_count: none */
	uint32_t pending;    /* requests that wait */
	uint64_t log_writes;
	uint64_t memory_bytes;
	bool verifying;
	bool verify_repair;
	uint64_t verify_done; /* regions */
	uint64_t verify_skipped;
	uint64_t verify_differed;
	uint64_t verify_repaired;
	uint32_t verify_listed; /* valid entries of verify_region */
	uint64_t verify_region[DLMIRROR_REGIONS_MAX];
	bool clustered; /* shared with other nodes; else the following are 0 */
	bool quorate;	/* as far as this mirror goes */
	uint32_t slot;	/* of this node, while active */
	uint32_t member_count;
	struct dlmirror_member member[DLMIRROR_MEMBERS_MAX];
	uint32_t leg_count;
	struct dlmirror_leg leg[DLMIRROR_LEGS_MAX];
	char reload[DLMIRROR_TEXT_SIZE]; /* what a reload in step waits for; empty: for nothing */
	uint64_t resync_rate;		 /* of this node, bytes per second; 0: without a limit */
	bool ordered;	     /* a suspend or resume by an admin is under way on this node */
	int32_t order_error; /* errno of the last one, 0: it worked */
	uint64_t revision;   /* of its table: how often legs, size or log device have changed */
	uint64_t reserved[16];
};

/* What a region is, the worst last. A region that is being recovered, compared or copied counts as
 * that only, whatever it was before. */
enum dlmirror_region {
	DLMIRROR_REGION_IN_SYNC, /* and this node has no mark there */
	DLMIRROR_REGION_DIRTY,	 /* in sync, but for what this node is writing, or wrote lately */
	DLMIRROR_REGION_COPYING, /* a node recovers it, or compares or copies it */
	DLMIRROR_REGION_CRASH_DIRTY, /* its writer died: the legs may differ, and it is to be mended
				      */
	DLMIRROR_REGION_STALE,	     /* not in sync, to be recovered */
	DLMIRROR_REGIONS,
};

/* Some neighbouring regions, counted. */
struct dlmirror_cell {
	uint64_t count[DLMIRROR_REGIONS]; /* regions, by enum dlmirror_region */
};

/* What a node that has the mirror attached does about its regions, as this one knows. */
struct dlmirror_work {
	uint32_t node;	/* as in struct dlmirror_member; 1 where there is no cluster */
	uint32_t slot;	/* as there */
	char state;	/* as there */
	bool lease_any; /* it may recover any region: nobody knows which */
	/* Bit i: it alone may recover stale region lease_first + i, and is about to. */
	uint64_t lease_first;
	uint64_t lease;
	uint32_t claim_count; /* regions that it compares or copies, and nobody else writes */
	uint64_t claim[DLMIRROR_CLAIM_MAX];
};

/* What a map says beside its cells. */
struct dlmirror_map {
	uint64_t region_count; /* of the mirror */
	uint32_t member_count; /* 0: not attached, or this node is not told yet */
	struct dlmirror_work member[DLMIRROR_MEMBERS_MAX];
	uint64_t reserved[4];
};

/* Where on a mirror this node's kernel begins to write: how often it has marked a region as such.
 * The regions of a stretch, which are neighbours, are counted together. */
struct dlmirror_heat {
	uint64_t luid; /* the log's that counted: another one begins with 0 */
	uint64_t length_sectors;
	uint64_t region_sectors;
	uint64_t region_count;
	uint64_t stretch_regions; /* in a stretch, a power of two; the last one may be shorter */
	uint32_t stretch_count;	  /* valid entries of marks */
	uint64_t marks[DLMIRROR_STRETCHES_MAX]; /* [i]: from region i * stretch_regions on */
	uint64_t reserved[4];
};

/* Something that happened on this node. */
struct dlmirror_event {
	uint64_t seq;	  /* counts up by one; 0: told by the library, not by the daemon */
	uint64_t time_ms; /* since the beginning of 1970, UTC, as this host's clock was then */
	uint64_t value;	  /* what it is depends on the event, see dlmirror(8); else 0 */
	char id[DLMIRROR_EVENT_SIZE];  /* what happened, a word for programs: "log-failed" */
	char uuid[DLMIRROR_NAME_SIZE]; /* of the mirror's log; empty: the daemon itself */
	char name[DLMIRROR_NAME_SIZE]; /* of its device; empty: not known then */
	char text[DLMIRROR_TEXT_SIZE]; /* a sentence for people */
	uint64_t reserved[4];
};

/* The id of the event that stands where others are missing. */
#define DLMIRROR_EVENT_LOST "lost"

/* A place in the daemon's record of events. */
struct dlmirror_position {
	uint64_t record; /* which one, 0: none yet */
	uint64_t seq;	 /* of the last event that was read */
};

/* A leg of a mirror as it is to be. */
struct dlmirror_plan_leg {
	bool fresh;	       /* a device that holds nothing; else one that is kept: */
	bool stale;	       /* but not what it holds: it is copied anew; never the first */
	uint32_t index;	       /* in the table as it is */
	uint64_t start_sector; /* of a fresh one */
	/* Absolute, and the same device on all nodes: below /dev/disk or /dev/mapper. */
	char path[DLMIRROR_PATH_SIZE];
};

/* From which table to which. What is kept comes first and in its order: the first leg of a table is
 * the one that the others are copied from. A mirror has two legs at least, and only grows. */
struct dlmirror_plan {
	uint64_t from_sectors;
	uint32_t from_legs;
	uint64_t from_start[DLMIRROR_LEGS_MAX];
	uint64_t to_sectors;
	uint32_t to_legs;
	struct dlmirror_plan_leg leg[DLMIRROR_LEGS_MAX];
	uint64_t reserved[4];
};

struct dlmirror_reload_node {
	uint32_t node;
	char state[40];
	char text[DLMIRROR_TEXT_SIZE]; /* what went wrong there; empty: nothing */
};

/* How the last reload of a mirror that this node has heard of is going, or has gone. */
struct dlmirror_reload {
	bool known; /* else there was none */
	bool under_way;
	bool done;			/* the new table counts */
	char waits[DLMIRROR_TEXT_SIZE]; /* under way: for what */
	char why[DLMIRROR_TEXT_SIZE];	/* why the old table counts */
	uint32_t node_count;
	struct dlmirror_reload_node node[DLMIRROR_VIEW_MAX];
	uint64_t reserved[4];
};

/* Requests of one type since the log was created. */
struct dlmirror_counter {
	uint64_t count;
	uint64_t errors;
	uint64_t total_us; /* receive to reply */
	uint64_t bucket[DLMIRROR_BUCKETS];
};

struct dlmirror_counters {
	struct dlmirror_counter type[DLMIRROR_TYPES];
	uint64_t reserved[4];
};

/* What the daemon knows of its cluster. */
struct dlmirror_cluster {
	bool enabled;			  /* else all of this is empty */
	char name[DLMIRROR_HOST_SIZE];	  /* empty: corosync has not told yet */
	char problem[DLMIRROR_TEXT_SIZE]; /* what is missing and what to do; empty: nothing */
	uint32_t node;			  /* this one's nodeid */
	bool joined;			  /* the group */
	bool quorate;
	uint32_t ring_node;
	uint64_t ring_seq;
	uint32_t view_count;
	uint32_t view[DLMIRROR_VIEW_MAX]; /* nodes with a daemon in the group */
	uint32_t protocol;		  /* version that all of them speak */
	uint64_t sent;			  /* messages */
	uint64_t received;
	uint64_t sent_bytes;
	uint64_t received_bytes;
	uint64_t retries; /* sends that corosync put off */
	uint32_t queued;  /* that wait for that now */
	uint64_t damaged; /* messages that could not be read */
	uint64_t refused; /* messages and members that contradicted corosync's membership */
	uint64_t reconnects;
	bool locks_joined;     /* DLM's lockspace */
	bool locks_recovering; /* DLM has stopped it meanwhile */
	bool fencing; /* DLM fences nodes that die; without it, a lock's grant proves nothing */
	uint32_t locks_held;
	uint32_t locks_waiting;
	uint32_t locks_orphans;
	uint64_t reserved[8];
};

struct dlmirror_daemon {
	char version[32];
	char host_id[DLMIRROR_HOST_SIZE]; /* who this host is on log devices */
	char host_name[DLMIRROR_HOST_SIZE];
	uint32_t pid;
	uint32_t mirrors;
	uint32_t responders; /* 0: single-thread mode */
	uint64_t uptime_s;
	uint32_t generation; /* planned restarts since the start */
	uint64_t requests;
	uint64_t malformed;    /* messages refused */
	uint64_t overruns;     /* receive buffer was full (ENOBUFS) */
	uint64_t unknown_log;  /* requests for logs not known, answered -ESRCH */
	uint64_t stale;	       /* late duplicates dropped */
	uint64_t memory_bytes; /* resident */
	struct dlmirror_cluster cluster;
	uint64_t reserved[8];
};

enum dlmirror_daemon_command {
	DLMIRROR_DAEMON_RESTART = 1, /* planned: hands sockets and state to a new image */
	DLMIRROR_DAEMON_STOP,	     /* refused (-EBUSY) while mirrors are active */
	DLMIRROR_DAEMON_STOP_FORCE,
	DLMIRROR_DAEMON_BLACKBOX,  /* writes the flight record; text is the path */
	DLMIRROR_DAEMON_LOG_LEVEL, /* argument: error, warning, notice, info, debug, trace */
	/* -ECANCELED: the last planned restart was given up, and the error says why. Else text is
	 * what one under way waits for, or empty. */
	DLMIRROR_DAEMON_RESTART_STATUS,
};

/* What one node can have others do: a verb of dlmirror(8), with its arguments. */
enum dlmirror_errand {
	DLMIRROR_ERRAND_TELL = 1,   /* config tell [NAME] */
	DLMIRROR_ERRAND_SHOW,	    /* config show NAME */
	DLMIRROR_ERRAND_TAKE,	    /* config take NAME; text is the file */
	DLMIRROR_ERRAND_FORGET,	    /* config forget NAME UUID */
	DLMIRROR_ERRAND_ACTIVATE,   /* activate NAME */
	DLMIRROR_ERRAND_DEACTIVATE, /* deactivate NAME */
	DLMIRROR_ERRAND_DOCTOR,	    /* doctor --tell */
	DLMIRROR_ERRANDS
};

struct dlmirror_errand_result {
	uint32_t node;
	bool done;     /* else it is under way, or the node left before it said so */
	bool left;     /* it has left the group */
	uint32_t code; /* exit code of the verb */
	char text[DLMIRROR_ERRAND_TEXT_SIZE]; /* what it printed, in lines; cut when it was more */
	uint64_t reserved[4];
};

/* Connects to the daemon of this host. *ret is valid also on failure, for dlmirror_error(); free it
 * with dlmirror_free() in either case. */
int dlmirror_connect(struct dlmirror **ret);
void dlmirror_free(struct dlmirror *d); /* takes NULL */
/* The last failure in words, with what to do about it; never NULL. Valid until the next call. */
const char *dlmirror_error(const struct dlmirror *d);

/* All mirrors, sorted by name and uuid; *ret is freed with free(). */
int dlmirror_list(struct dlmirror *d, struct dlmirror_mirror **ret, size_t *ret_count);
/* One mirror, by the name of its device or the uuid of its log; -ENOENT when there is none. */
int dlmirror_get(struct dlmirror *d, const char *mirror, struct dlmirror_mirror *ret);
int dlmirror_counters(struct dlmirror *d, const char *mirror, struct dlmirror_counters *ret);
/*
 * What the regions of a mirror are: ret_cells[i] counts the per_cell regions (1 or more) from region
 * first + i * per_cell on; cells behind the last region count none. cells: 1 to DLMIRROR_CELLS_MAX,
 * and ret_cells has room for so many; first + cells * per_cell must be less than 2^64. It is asked
 * for in pieces, and what changes meanwhile may be counted as it was or as it is. -EINVAL: an
 * argument is out of range; -ENOENT: no such mirror; -EAGAIN: the mirror was given another size
 * meanwhile, ask again. On failure ret_cells holds nothing of use.
 */
int dlmirror_map(struct dlmirror *d, const char *mirror, uint64_t first, uint64_t per_cell,
		 uint32_t cells, struct dlmirror_cell *ret_cells, struct dlmirror_map *ret);
/* Which of its regions this node's kernel has marked how often since the daemon that runs now has
 * had the log; what it was before a restart is forgotten. */
int dlmirror_heat(struct dlmirror *d, const char *mirror, struct dlmirror_heat *ret);
/*
 * What happened behind *position, the oldest first; all zero: from the oldest that the daemon
 * remembers, which are some hundreds. *position moves behind the last, so that the next call gets
 * what has happened since; it may outlive the connection and the daemon. Where events are missing,
 * because more happened meanwhile than the daemon remembers, or its record has begun anew, stands
 * one with id DLMIRROR_EVENT_LOST, seq 0, and as value how many, 0: not known. *ret is freed with
 * free(), also when *ret_count is 0. On failure *position stays as it was.
 */
int dlmirror_events(struct dlmirror *d, struct dlmirror_position *position,
		    struct dlmirror_event **ret, size_t *ret_count);
/*
 * *ret_fd is readable (POLLIN) now, and later whenever something has happened behind what
 * dlmirror_events() returned last, or the daemon has ended: call dlmirror_events(), which makes it
 * unreadable, or returns -ENOTCONN. There may be nothing new. The descriptor belongs to the handle
 * and is good until dlmirror_free(); poll it, and do nothing else with it. Asked again, it is the
 * same. -EPROTO: the daemon is too old for it.
 */
int dlmirror_watch(struct dlmirror *d, int *ret_fd);
/* Compares all regions in the background, and with repair mends those that differ from the default
 * leg; so it does in any case while the mirror is suspect. -EBUSY when the mirror is not active. */
int dlmirror_verify(struct dlmirror *d, const char *mirror, bool repair);
/* The same, and at most bytes_s are compared or copied in a second. 0: as dlmirror_verify(), at the
 * mirror's resync_rate; UINT64_MAX: without a limit. */
int dlmirror_verify_rate(struct dlmirror *d, const char *mirror, bool repair, uint64_t bytes_s);
int dlmirror_verify_stop(struct dlmirror *d, const char *mirror);
/* So many bytes per second this node may recover, compare or copy to bring the mirror in sync, from
 * now on until the mirror is removed here; 0: without a limit. What a write is held for does not
 * wait for it. Nothing happens when it is so already. */
int dlmirror_resync_rate(struct dlmirror *d, const char *mirror, uint64_t bytes_s);
/* Begins to suspend the mirror's device on this node, or to resume it, in any case with the table
 * that waits, if one does; it goes on when the caller ends, and ordered and order_error of
 * dlmirror_get() say how. Without a flush of held writes, and without a freeze of file systems.
 * -EBUSY: not now, the error says why. */
int dlmirror_suspend(struct dlmirror *d, const char *mirror);
int dlmirror_resume(struct dlmirror *d, const char *mirror);
/* Tries to bring a failed log device back now. */
int dlmirror_log_retry(struct dlmirror *d, const char *mirror);
/* Begins to give the mirror another table on all nodes that have it active, in step; on failure all
 * of them keep the one they have. It goes on when the caller ends. timeout_s: how long it may wait
 * for nodes to load the table and to suspend, 0: without an end. -EBUSY: one is under way, or it
 * cannot be now; the error says why. */
int dlmirror_reload(struct dlmirror *d, const char *mirror, const struct dlmirror_plan *plan,
		    uint32_t timeout_s);
/*
 * The same with another log device and nothing else: all regions must be in sync. device: a path that
 * means the same device on all nodes. Where it holds a log at rest of this mirror, made for the table
 * that comes next (as "dlmirror log replace" makes it), that counts; else all of the mirror is resynced.
 */
int dlmirror_log_replace(struct dlmirror *d, const char *mirror, const char *device,
			 uint32_t timeout_s);
int dlmirror_reload_status(struct dlmirror *d, const char *mirror, struct dlmirror_reload *ret);
/*
 * Has nodes do something: those that node names, or with count 0 all that have a daemon in the group,
 * this one included. argument and text: NULL where there is none. *ret_id asks for the results of
 * the *ret_count nodes, until five minutes later or the end of this daemon. What a node has begun it
 * ends, whoever asked for it. -EINVAL: an argument makes no sense; -EAGAIN: it cannot be now; -EBUSY:
 * a node has a daemon that is too old for it, or too many are under way.
 */
int dlmirror_errand(struct dlmirror *d, enum dlmirror_errand what, const uint32_t *node,
		    uint32_t count, const char *const argument[DLMIRROR_ERRAND_ARGUMENTS],
		    const char *text, uint64_t *ret_id, uint32_t *ret_count);
/* Of the index-th node. -ENOENT: the daemon does not know that errand, or not any more. */
int dlmirror_errand_result(struct dlmirror *d, uint64_t id, uint32_t index,
			   struct dlmirror_errand_result *ret);
int dlmirror_daemon(struct dlmirror *d, struct dlmirror_daemon *ret);
/* text (may be NULL) gets up to size bytes of what the daemon has to say. */
int dlmirror_daemon_command(struct dlmirror *d, enum dlmirror_daemon_command command,
			    const char *argument, char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
