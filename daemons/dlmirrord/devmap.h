/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device-mapper, in threads of its own because its ioctls wait for I/O, and that I/O may wait for
 * us; what suspends, in processes of its own (suspender.h). Adapter: devmap.c (libdevmapper). Jobs
 * are queued, and answered in the loop thread from devmap_dispatch().
 */
#ifndef DLM_DEVMAP_H
#define DLM_DEVMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "codec/group.h"
#include "daemons/dlmirrord/mover.h"

#define DEVMAP_NAME_SIZE 129U
#define DEVMAP_ARGS_SIZE 512U

/* One mirror target with a userspace log of ours (clustered-core, clustered-disk). */
struct devmap_mirror {
	char name[DEVMAP_NAME_SIZE]; /* of the device */
	dev_t devno;
	char uuid[DEVMAP_NAME_SIZE]; /* of the log, from the table */
	char args[DEVMAP_ARGS_SIZE]; /* as in CTR: "<sectors> clustered-…", without integrated_flush
				      */
	bool integrated_flush;
	bool live; /* else the inactive table */
	bool suspended;
	bool handle_errors;
	bool keep_log;
	struct mover_legs legs; /* count 0: more than MOVER_LEGS_MAX */
	char leg_health[MOVER_LEGS_MAX +
			1]; /* 'A', 'D', … per leg from the status; empty if not live */
};

struct devmap;

/* Forks: before there are threads. */
int devmap_create(struct devmap **ret);
/* Waits for the jobs under way in threads, leaves what suspends to itself, drops all results and
 * what is queued. Takes NULL, returns NULL. */
struct devmap *devmap_destroy(struct devmap *devmap);
/* Jobs accepted and not answered. One under way may be waiting in the kernel for a reply of ours:
 * serve and dispatch until this is 0 before the daemon stops serving, execs or calls
 * devmap_destroy(). */
unsigned devmap_jobs(const struct devmap *devmap);
int devmap_fd(const struct devmap *devmap);
void devmap_dispatch(struct devmap *devmap);

/* All mirrors with our logs, live and inactive tables. Synchronous: only before the loop runs and
 * before the netlink socket is joined (it sends no status requests, so nothing waits for us).
 * *ret_mirrors is malloc'ed, the caller frees it. leg_health is not filled. */
int devmap_scan(struct devmap_mirror **ret_mirrors, unsigned *ret_count);

/* Looks for the live table of log uuid: error -ENOENT when there is none. mirror is valid during
 * the call only. with status: leg_health is filled; the kernel then asks us for STATUS and the sync
 * count, which also raises its in_sync_hint (kernel-contract 3). */
typedef void (*devmap_found_fn)(void *context, const char *uuid, int error,
				const struct devmap_mirror *mirror);
int devmap_find(struct devmap *devmap, const char *uuid, bool status, devmap_found_fn done,
		void *context);

typedef void (*devmap_done_fn)(void *context, const char *uuid, int error);
/* Makes the kernel forget what it concluded about regions: by a reload as below, or when a leg is
 * missing by suspend (noflush, no lockfs) and resume. -EBUSY: it is suspended already, or another
 * table than the live one waits for its resume; somebody is changing the device, and his resume
 * will do it, or a reset or reload of ours is under way. -EINTR: what does it was killed. finish: an earlier reset may have been cut short by the daemon's death; if the device
 * is suspended, that was us, and it is resumed. */
int devmap_reset(struct devmap *devmap, const char *uuid, bool finish, devmap_done_fn done,
		 void *context);
/* Loads the live table again with the same arguments and puts it in force (noflush, no lockfs): the
 * kernel forgets all that it knew of regions, and its log is another one. -EBUSY as above. Cut
 * short, it leaves a table that waits for its resume, which devmap_reset() finishes. */
int devmap_reload(struct devmap *devmap, const char *uuid, devmap_done_fn done, void *context);
/* A table that is made of the live one as plan says, loaded beside it; until it is in force, or
 * forgotten, others are told -EBUSY. It is checked before: that nothing but the plan's mirror is
 * there, that what is kept works and is large enough, that what is new is there, large enough and
 * free. log_device: "major:minor", or empty. in_sync: every leg may be the source; else the first
 * that is kept must be the first of those that work. revision: of the new table; 0: that of the old
 * one. log: the path of another log device; empty: the one it has. text: why not. */
struct devmap_load {
	const struct dlmirror_plan *plan;
	const char *log_device;
	bool in_sync;
	uint64_t revision;
	const char *log;
};
typedef void (*devmap_loaded_fn)(void *context, const char *uuid, int error, const char *text);
int devmap_load(struct devmap *devmap, const char *uuid, const struct devmap_load *load,
		devmap_loaded_fn done, void *context);
/* What they wait for may take long: I/O under way, and the attach. Suspend (noflush: a mirror fails the writes that it holds for want of a leg in any other;
 * no lockfs: a file system of the cluster is frozen on one node only, and all wait); resume with the
 * table that was loaded; forget that one, and resume. */
int devmap_suspend(struct devmap *devmap, const char *uuid, devmap_done_fn done, void *context);
int devmap_switch(struct devmap *devmap, const char *uuid, devmap_done_fn done, void *context);
int devmap_unload(struct devmap *devmap, const char *uuid, devmap_done_fn done, void *context);
/* Forgets the table that waits, and nothing else. */
int devmap_clear(struct devmap *devmap, const char *uuid, devmap_done_fn done, void *context);
/* One O_DIRECT read of the first sectors of the mirror: wakes an idle kmirrord. -EBUSY: suspended.
 */
int devmap_wake(struct devmap *devmap, const char *uuid, devmap_done_fn done, void *context);

/* "major:minor" or a path -> number, and number -> a path that can be opened (by libblkid; needs no
 * udev). 0 or negative errno. */
int devmap_number(const char *device, dev_t *ret);
int devmap_path(dev_t devno, char *ret, size_t cap);

#endif
