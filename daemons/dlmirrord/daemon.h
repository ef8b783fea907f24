/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker process: everything it owns, and the few functions that its files call across. The way
 * of a request: responder -> control (about logs) or pump (about regions) -> core -> pump -> ports.
 */
#ifndef DLM_DAEMON_H
#define DLM_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <qb/qbloop.h>

#include "codec/disk.h"
#include "daemons/dlmirrord/admin.h"
#include "daemons/common/config.h"
#include "daemons/dlmirrord/cluster.h"
#include "daemons/dlmirrord/devmap.h"
#include "daemons/dlmirrord/errands.h"
#include "daemons/dlmirrord/handover.h"
#include "daemons/dlmirrord/mover.h"
#include "daemons/dlmirrord/opener.h"
#include "daemons/dlmirrord/pump.h"
#include "daemons/dlmirrord/registry.h"
#include "daemons/dlmirrord/reload.h"
#include "daemons/dlmirrord/responder.h"
#include "daemons/dlmirrord/storage.h"

/* Values of hot_shared.suspect: after an unplanned gap a mirror is NEW; RESETTING while its device
 * is being suspended and resumed (a daemon killed meanwhile leaves it suspended, its successor
 * resumes it); COMPARING until its legs have been compared. */
enum { SUSPECT_NO, SUSPECT_NEW, SUSPECT_RESETTING, SUSPECT_COMPARING };

/*
 * Everything below is used with core_lock held: by the loop in each of its callbacks, by a
 * responder for the step of a request. Nobody waits for anything with it, except for memory.
 */
/* What a planned restart waits for; first that the admin who asked has his answer. */
enum restart { RESTART_NO, RESTART_ASKED, RESTART_SPAWNED, RESTART_JOBS, RESTART_QUIET };

/* The mover's. Several mirrors whose legs hang must not take all of them. */
#define MOVER_THREADS 16U

/* control.c: CTRs whose log device is being opened. */
struct constructor;
LIST_HEAD(constructors, constructor);

/* A descriptor in the loop, and what answers it. */
struct daemon_source {
	struct daemon *daemon;
	void (*dispatch)(struct daemon *d);
};

#define DAEMON_SOURCES_MAX 10U

struct daemon {
	pthread_mutex_t core_lock;
	struct config config;
	qb_loop_t *loop;
	struct daemon_source source[DAEMON_SOURCES_MAX];
	unsigned sources;
	int timer_fd;	   /* of all logs */
	uint64_t timer_ms; /* when it fires; 0: never */
	struct pump_queue queue;
	uint64_t incarnation;	 /* of the last JOIN of a core object */
	struct cluster *cluster; /* NULL: alone */
	struct reloads *reloads;
	struct errands *errands;
	struct registry registry;
	struct storage_engine *storage;
	struct opener *opener;
	struct constructors constructors;
	struct mover *mover;
	unsigned copies_out; /* in the mover; never more than it has threads */
	struct devmap *devmap;
	struct responders *responders;
	struct admin_server *admin;
	struct disk_owner owner;
	char boot_id[DISK_NAME_SIZE];
	struct handover handover; /* lock, heartbeat pipe and sockets, across planned restarts */
	char program[512];
	char config_path[512];
	uint64_t started_ms;
	char (*lost)[DEVMAP_NAME_SIZE]; /* uuids of mirrors that were there at an unplanned start */
	unsigned lost_count;		/* without a log, until that has been seen to */
	_Atomic uint64_t unknown_log;
	uint64_t seen_malformed; /* as last reported */
	uint64_t seen_overruns;
	enum restart restart;
	uint64_t restart_ms;	  /* when the step under way began */
	char restart_failed[640]; /* why the last one was given up; empty: it was not */
	int successor_fd;	  /* to the next image while it starts; -1: none */
	bool threads;		  /* responders run as threads */
	bool serving;		  /* the start is over */
	bool unplanned;		  /* the last daemon ended without handing over */
	bool left;		  /* there was no memory to restore all of its logs */
	bool quiescing;		  /* second half of a planned restart: nobody answers */
};

/* daemon.c: runs until told to stop; the process's exit code. */
int daemon_run(const struct config *config, const char *config_path,
	       const struct handover *handover, const char *program);
/* Begins a planned restart: at the first quiet moment the process becomes a new image of itself.
 * -EINVAL, and text says why: the configuration is not good. */
int daemon_restart(struct daemon *d, char *text, size_t size);
/* The next image is ready: what is begun now would be in its way. */
static inline bool daemon_is_leaving(const struct daemon *d)
{
	return d->restart >= RESTART_JOBS;
}
/* -ECANCELED: the last one was given up, text says why; else text is what one waits for. */
int daemon_restart_status(const struct daemon *d, char *text, size_t size);
void daemon_stop(struct daemon *d);
/* What an earlier daemon left unfinished: a mirror that must be reset, or only compared. */
void daemon_suspect(struct log *log);
/* errands_fd() is another one, or new: it is polled from now on. */
int daemon_listen_errands(struct daemon *d);
/* The mirrors that have no log, as soon as it is known which. */
void daemon_lost(struct daemon *d);
/* Ours, in the group; 0: corosync has not told yet, and *ret_why (may be NULL) says what is missing.
 */
uint32_t daemon_node(const struct daemon *d, const char **ret_why);
/* Take and give back the core lock. */
void daemon_enter(struct daemon *d);
void daemon_leave(struct daemon *d);
/* Names of active mirrors into text, and how many. */
size_t daemon_active(const struct daemon *d, char *text, size_t size);

/* control.c: requests about logs (CTR, DTR, STATUS), and requests for logs that are not known. */
void control_item(struct daemon *d, const struct handoff_item *item);
/* What waited for the copies of log, which may be gone afterwards. */
void control_copies_ended(struct log *log);
/* Is the log to be given the group's messages? */
bool control_listens(const struct log *log);
/* Its table is gone, and will say nothing more. */
void control_removed(struct log *log);

/* log.c: the life of a log; header: what its file says of it. NULL: no memory. */
struct log *log_alloc(struct daemon *d, const struct statefile_header *header);
/* Of a log that nobody knows yet. */
void log_free(struct log *log);
/* The maps in its file, which is open, are its own. */
void log_bind(struct log *log, const struct statefile_header *header);
/* The number of its log device, also of one that is not open. */
void log_device_name(struct log *log);
/* Its core begins, and it is known; its first event is to be log_view(), or RESTORED and then that. */
int log_start(struct log *log, const struct statefile_header *header);
void log_view(struct log *log);
/* All of that, with a new file: what a first CTR asks for; error says why not. storage: its log
 * device, NULL: without. like, or NULL: the log with the same device, which has failed and is not to
 * be asked now. */
int log_make(struct log *log, struct statefile_header *header, struct storage *storage,
	     const struct log *like, char error[STORAGE_ERROR_SIZE]);
/* forget: its file goes as well. */
void log_destroy(struct log *log, bool forget);

/* ports.c: of every log's pump; the context is the log. */
extern const struct pump_ports ports;
void ports_request(struct log *log, const struct mlog_request *request, uint32_t request_type,
		   uint64_t received_us);

/* A RESUME may have to wait until it is known what its table does with writes that a leg misses
 * (legs.c); now it need not any more. */
void ports_resume_answer(struct log *log);

/* timers.c */
void timers_at(struct daemon *d, uint64_t at_ms);
void timers_ask(struct log *log, uint64_t at_ms);
/* Those that are due, and the next one. */
void timers_run(struct daemon *d);

/* log_device.c. Begins to open a log's device: 0, and opened is called once; or negative errno, and
 * error says why.
 */
int log_device_open(struct daemon *d, const char *uuid, const struct table *table, opened_fn opened,
		    void *context, char error[STORAGE_ERROR_SIZE]);
/* It is the log's from now on; closed when it does not fit, and error says so. */
int log_device_use(struct log *log, struct storage *storage, char error[STORAGE_ERROR_SIZE]);
void log_device_load(struct log *log, uint32_t slot, bool whole);
void log_device_claim(struct log *log, uint32_t slot, bool whole);
void log_device_write(struct log *log, enum mlog_area area, uint64_t page);
void log_device_release(struct log *log, uint32_t slot, bool whole);
void log_device_read_slot(struct log *log, uint32_t slot);
void log_device_empty_slot(struct log *log, uint32_t slot);

/* legs.c: the log's device-mapper device: its legs for the mover, status queries, resets, reloads.
 */
void legs_copy(struct log *log, uint64_t region, enum mlog_copy_mode mode);
void legs_copied(void *context, uint64_t cookie, uint64_t region, enum mlog_copy_result result,
		 int error);
/* Copies that could not begin for LEGS_WAIT_MS are given back: their gates must not stay closed.
 * Nor does a RESUME wait for longer. */
void legs_expire(struct log *log);
/* What is known of the legs may be no longer so. */
void legs_forget(struct log *log);
/* After an attach: learns name and legs, and makes the kernel ask for the sync count. */
void legs_refresh(struct log *log);
/* The kernel may have concluded something wrong about regions: make it forget, then compare legs.
 * finish: an earlier daemon's attempt may have been cut short. */
void legs_suspect(struct log *log, bool finish);
/* The same for a mirror that the kernel has and that has no log: its table that is loaded again
 * makes one. Without it, it would be known only when the kernel asks next. */
void legs_lost(struct daemon *d, const char *uuid);
/* What could not be done of that, from time to time; and says what takes long. */
void legs_reset_again(struct log *log);
/* Has a leg dropped for which writes wait, if the mirror is to go on without it. */
void legs_drop_failed(struct log *log);
/* Has the table of a mirror that goes on with one leg loaded anew when that has had an error. */
void legs_lone_again(struct log *log);
/* Makes the kernel ask for resync work. */
void legs_wake(struct log *log);
/* Makes the kernel forget all that it knows of regions, when no leg is missing. */
void legs_reload(struct log *log);
/* log is the table after from. */
void legs_reloaded(struct log *log, const struct log *from);

/* marker.c: a note in the state directory that a log device failed while its mirror went on, or
 * that a mirror which was to be compared was removed unseen, so that whatever the device says then
 * is not the whole truth. */
void marker_set(const struct log *log);
void marker_clear(const struct log *log);
bool marker_is_set(const struct log *log);
/* Set and clear come back at once. Is something of them still to be done? */
bool marker_busy(void);
/* Waits until that is over, at most timeout_s. */
void marker_finish(unsigned timeout_s);

/* halt.c: an admin's orders; they go on when this has come back. Negative errno: not now, and text
 * says why. What is so already is so. */
int halt_suspend(struct log *log, char *text, size_t size);
int halt_resume(struct log *log, char *text, size_t size);

/* rate.c: an admin's, of bytes in a second; 0: without a limit. Of a log that was made, or restored,
 * and of the table that comes after another one. */
void rate_set(struct log *log, uint64_t bytes_s);
void rate_restore(struct log *log);
void rate_follow(struct log *log);
/* So long a region takes; 0 for 0. */
uint64_t rate_region_ns(const struct log *log, uint64_t bytes_s);

/* admin_source.c */
void admin_source_fill(struct daemon *d, struct admin_source *ret);

#endif
