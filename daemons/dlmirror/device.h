/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A mirror's device on this node: up and down, and what is in the way. The functions return an exit
 * code, and have said what is wrong. */
#ifndef DLM_COMMAND_DEVICE_H
#define DLM_COMMAND_DEVICE_H

#include "codec/disk.h"
#include "daemons/dlmirror/logdev.h"
#include "daemons/dlmirror/mapper.h"
#include "daemons/dlmirror/spec.h"

/* A mirror that is to be active. */
struct device_wish {
	struct spec spec;	/* completed by device_prepare() */
	const char *log_path;	/* where spec.has_log */
	struct disk_owner host; /* who we are on log devices; set by device_prepare() */
	bool force; /* use devices that hold something or are part of another mapped device */
	bool hold;  /* a leg that fails is not dropped: what it misses waits */
	uint64_t resync_rate; /* bytes per second; 0: without a limit */
	bool known;	      /* the mirror has been before, with this uuid */
};

/* Is there no device of that name? */
int device_name_check(const char *name);
/* Looks at the daemon, the legs and the log device; after it, nothing known is in the way. */
int device_prepare(struct device_wish *wish);
/* The same, for the log device alone of a mirror that is in use with another one: spec has its name,
 * uuid and regions, and the revision that its next table has. */
int device_log_prepare(struct device_wish *wish);
/* Is the mirror's configuration, of that revision, older than what its log device has been for? */
int device_log_check(const struct logdev *log, const char *name, const char *uuid,
		     uint64_t revision);
/* A new one for its log: the name and eight random digits. */
int device_uuid_make(struct spec *spec);
/* Loads and resumes it. */
int device_up(const struct device_wish *wish);
/* Of one that is up: how much of it may be resynced in a second, 0: without a limit. That it may be too
 * fast is no reason to take it down. */
int device_rate(const char *name, const char *uuid, uint64_t bytes_s);
/* What device-mapper has of that name, of whatever kind. */
int device_look(const char *name, struct mapper_device *ret);
/* The same before a device is made: what is left of one whose making was interrupted goes, and no
 * other command makes one of that name until this one ends. */
int device_place(const char *name, struct mapper_device *ret);
/* Is there no device of that name, or is it the mirror with that log? */
int device_name_free(const char *name, const char *log_uuid);
/* It gets another name, when it is active with that log. */
int device_rename(const char *name, const char *log_uuid, const char *fresh);
/* Takes it down. force: also without a daemon. */
int device_down(const char *name, bool force);

#endif
