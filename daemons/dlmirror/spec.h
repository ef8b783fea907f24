/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A mirror as it is asked for -> the table that device-mapper loads. Pure. */
#ifndef DLM_COMMAND_SPEC_H
#define DLM_COMMAND_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dlmirror/dlmirror.h"

#define SPEC_PARAMS_SIZE  1024U
#define SPEC_ERROR_SIZE	  320U
#define SPEC_DM_PREFIX	  "DLMIRROR-" /* of the uuid that device-mapper has for the device */
#define SPEC_UUID_LENGTH  119U	      /* so that the prefix fits too */
#define SPEC_NAME_LENGTH  110U	      /* the uuid is the name and nine characters by default */
#define SPEC_REGION_BYTES (512U << 10)

struct spec_leg {
	char path[256];
	uint64_t start_sector;
	dev_t devno;
	uint64_t device_sectors;
	uint32_t block_bytes; /* logical block size */
	bool missing;	      /* it stands for one that there is not */
};

enum spec_sync { SPEC_SYNC_KEEP, SPEC_SYNC_NOSYNC, SPEC_SYNC_FORCE };

struct spec {
	const char *name;
	char uuid[DLMIRROR_NAME_SIZE]; /* of the log */
	unsigned leg_count;
	struct spec_leg leg[DLMIRROR_LEGS_MAX];
	bool has_log;
	dev_t log_devno;
	uint64_t region_sectors;
	uint64_t length_sectors; /* 0: as long as the legs, which then must agree */
	enum spec_sync sync;
	bool integrated_flush;
	uint64_t revision;  /* of the table; 0: it does not say */
	bool handle_errors; /* writes wait for a leg that has missed them */
};

/* "DEVICE" or "DEVICE@OFFSET" (a size) into path and start_sector. -EINVAL, and error says why. */
int spec_leg_parse(const char *text, struct spec_leg *ret, char error[SPEC_ERROR_SIZE]);
/* Letters, digits and # + - . : = @ _ ~, what device-mapper takes for a name without quoting. */
int spec_name_check(const char *name, char error[SPEC_ERROR_SIZE]);
int spec_uuid_check(const char *uuid, char error[SPEC_ERROR_SIZE]);
/* Is uuid one that create makes for name by default: the name, a dash and eight hex digits? */
bool spec_uuid_is_for(const char *uuid, const char *name);
/* Sets length_sectors where it is 0, and checks what does not depend on the state of devices. */
int spec_complete(struct spec *spec, char error[SPEC_ERROR_SIZE]);
/* The target's parameters: what stands behind "0 <length> mirror" in a table. -ENOSPC: too long. */
int spec_params(const struct spec *spec, char *ret, size_t size);

#endif
