/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All logs of this node, by luid (a kernel pointer: one per loaded table) and by uuid (several
 * during a table reload). Changed with the core lock held; responders look logs up under the read
 * lock and may use what they found until they release it.
 */
#ifndef DLM_REGISTRY_H
#define DLM_REGISTRY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/group.h"
#include "codec/kmsg.h"
#include "codec/table.h"
#include "core/mlog.h"
#include "daemons/dlmirrord/devmap.h"
#include "daemons/dlmirrord/events.h"
#include "daemons/dlmirrord/mover.h"
#include "daemons/dlmirrord/pump.h"
#include "daemons/dlmirrord/statefile.h"
#include "daemons/dlmirrord/stats.h"
#include "daemons/dlmirrord/storage.h"

struct cluster_remains;
struct daemon;
struct handoff_item;

#define LOG_RECEIVED_MAX 64U
#define LOG_AWAITING_MAX 4U

/* A request that the core has: what its reply needs beside the core's answer. */
struct log_received {
	bool used;
	uint32_t seq;
	uint32_t request_type;
	uint64_t received_us;
};

struct log_copy {
	uint64_t region;
	enum mlog_copy_mode mode;
};

struct log {
	struct daemon *daemon;
	uint64_t id;		    /* never used twice: what late completions are matched by */
	struct group_mirror mirror; /* cluster.c: its uuid, in messages and locks */
	struct cluster_remains *remains; /* cluster.c */
	uint64_t luid;
	char uuid[KMSG_UUID_SIZE];
	char args[STATEFILE_ARGS_SIZE];
	uint32_t version;
	struct table table;

	struct statefile state;
	struct hot hot;
	struct pump pump;	   /* with the core */
	pthread_mutex_t mark_lock; /* hot_answer(), and steps that obey a MARK */
	struct stats stats;

	struct event_run run;

	/* ports.c, timers.c */
	uint32_t phase_told;
	bool obeying; /* the step under way holds mark_lock */
	struct log_received received[LOG_RECEIVED_MAX];
	uint32_t received_next;
	uint64_t timer_ms;	  /* when the core wants to be called; 0: never */
	struct mlog_reply resume; /* while it is withheld; resume_ms: since when */
	uint64_t resume_ms;
	bool resume_withheld;

	/* control.c */
	bool restored;	   /* an earlier daemon's */
	bool outlived;	   /* the kernel has replaced its table: whatever it asks is no matter */
	bool reconnected;  /* a RESUME may be that of a reconnect, and not of the device */
	bool suspect_owed; /* an earlier daemon's suspicion is to be seen to when it serves */
	bool blind;	   /* nobody knows what the kernel had marked when it was made */
	struct handoff_item *awaiting[LOG_AWAITING_MAX]; /* they end it, and wait for its copies */
	unsigned awaiting_count;

	/* halt.c */
	unsigned halt_orders; /* under way */
	int halt_error;	      /* errno of the last */

	/* log_device.c; storage is NULL while it cannot be opened */
	struct storage *storage;
	struct {
		enum mlog_event_kind kind; /* its answer */
		uint32_t slot;
		bool whole;
	} wanted; /* the last load or claim, which begins when storage is open */
	char device[TABLE_DEVICE_SIZE]; /* "major:minor" */
	int log_error;
	uint32_t page_bytes; /* of the log writes; with hot.shift what the maps were made for */
	uint32_t members;    /* most there may be */

	/* legs.c: the device-mapper device, as far as it is known */
	char name[DEVMAP_NAME_SIZE];
	bool integrated_flush;
	bool handle_errors;
	struct mover_legs legs;
	char leg_health[MOVER_LEGS_MAX + 1];
	uint64_t drop_ms; /* when a leg that had failed was to be dropped last; 0: not yet */
	bool drop_told;	  /* that it could not be */
	uint64_t lone_ms; /* when the only leg was looked at last */
	char leg_told[MOVER_LEGS_MAX + 1]; /* leg_health as events say it; "": all alive */
	uint64_t legs_ms;		   /* when that was seen; 0: never */
	bool finding;
	bool find_again;     /* the answer under way is of before the attach */
	uint64_t waiting_ms; /* since when copies wait for that */
	unsigned copies_out;
	struct log_copy waiting[MLOG_COPIES_MAX];
	unsigned waiting_count;
	bool waking;
	bool wake_again;    /* the read under way began before what it is to be for now */
	bool reload_wanted; /* the answer of `finding` decides */
	bool reloading;
	uint64_t reload_ms; /* when that began last; 0: never */
	bool follows;	    /* another table of the mirror that this daemon knew */
	/* Its log device tells all that the table before knew on another one, and it has not been
	 * attached since. */
	bool succeeds;
	bool reset_owed;   /* after a gap, but the device was not to be had */
	uint64_t reset_ms; /* when it was tried last */
	bool reset_told;   /* that it takes long */
	bool gone;	   /* and there was none */
};

struct registry {
	pthread_rwlock_t lock;
	struct log **log; /* sorted by luid */
	size_t count;
	size_t room;
	uint64_t next_id;
};

int registry_create(struct registry *r);
void registry_destroy(struct registry *r);
/* Takes the lock for the moment of the change. */
int registry_add(struct registry *r, struct log *log);
void registry_remove(struct registry *r, struct log *log);
/* NULL when there is none. Responders hold the read lock; who has the core lock needs none. */
struct log *registry_find(const struct registry *r, uint64_t luid);
struct log *registry_find_id(const struct registry *r, uint64_t id);
/* By device name or uuid: the one that serves, else any; NULL when there is none. */
struct log *registry_find_name(const struct registry *r, const char *name);

/* Of a log that may have ended when it is asked for again: by its id, which comes only once. */
struct ticket;
struct ticket *ticket_make(const struct registry *r, const struct log *log); /* NULL: no memory */
/* Frees the ticket. NULL: the log has ended meanwhile. */
struct log *ticket_take(struct ticket *ticket);

#endif
