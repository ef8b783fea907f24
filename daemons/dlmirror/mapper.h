/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device-mapper, as far as the command needs it. The only user of libdevmapper here. */
#ifndef DLM_COMMAND_MAPPER_H
#define DLM_COMMAND_MAPPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "dlmirror/dlmirror.h"

#define MAPPER_ERROR_SIZE  512U
#define MAPPER_PARAMS_SIZE 4096U

struct mapper_device {
	bool exists;
	bool ours;	 /* a mirror with a log of ours */
	bool unfinished; /* made by us, and never had a table: who did it was killed */
	bool suspended;
	bool keep_log; /* in the table */
	int32_t open_count;
	uint32_t major;
	uint32_t minor;
	char log_uuid[DLMIRROR_NAME_SIZE]; /* of a mirror of ours */
	uint64_t revision;		   /* of its table; 0: it does not say */
};

/* Is that the mirror with this log, active? */
bool mapper_is(const struct mapper_device *device, const char *log_uuid);

/* All others return 0 or a negative errno; error then says what went wrong, in one line. */
int mapper_examine(const char *name, struct mapper_device *ret, char error[MAPPER_ERROR_SIZE]);
/* Creates, loads and resumes. Nothing is left of the device when it fails. */
int mapper_create(const char *name, const char *uuid, uint64_t length_sectors, const char *params,
		  char error[MAPPER_ERROR_SIZE]);
/* The device that stands for a leg that there is not (missing.h); made when there is none. */
int mapper_missing(dev_t *ret, char error[MAPPER_ERROR_SIZE]);
int mapper_rename(const char *name, const char *fresh, char error[MAPPER_ERROR_SIZE]);
int mapper_remove(const char *name, char error[MAPPER_ERROR_SIZE]);
/* What any device does. */
struct mapper_target {
	bool exists;	 /* as a device of device-mapper */
	bool of_lvm;	 /* made and taken down by LVM */
	unsigned count;	 /* of targets; what follows is of the first */
	char type[32];	 /* empty: it has no table */
	uint64_t length; /* sectors */
	char params[MAPPER_PARAMS_SIZE];
};
int mapper_target(const char *name, struct mapper_target *ret, char error[MAPPER_ERROR_SIZE]);
int mapper_target_of(dev_t devno, struct mapper_target *ret, char error[MAPPER_ERROR_SIZE]);
/* Does the kernel have the mirror target (now)? */
int mapper_has_mirror_target(bool *ret, char error[MAPPER_ERROR_SIZE]);

#endif
