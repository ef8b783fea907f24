/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One mapped file per log, RUN_DIR/logs/LUID: who the log is (a header that says everything CTR
 * said) and its hot maps. It outlives the daemon, not the boot: /run is a tmpfs. A daemon that
 * starts knows every log from these files before the kernel can ask.
 */
#ifndef DLM_STATEFILE_H
#define DLM_STATEFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/kmsg.h"

#define STATEFILE_ARGS_SIZE (KMSG_DATA_MAX + 1U)

struct statefile_header {
	uint64_t luid;
	char uuid[KMSG_UUID_SIZE];
	char args[STATEFILE_ARGS_SIZE]; /* the constructor string */
	uint32_t version;		/* of the kernel's protocol */
	uint64_t region_count;
	uint32_t shift;
	uint32_t page_bytes;
	bool clustered;	  /* shared with other nodes */
	uint32_t members; /* most there may be */
	bool stale;	  /* its table has a leg that is copied anew: no history counts for it */
};

struct statefile {
	char path[512];
	void *memory;
	size_t size;
	void *maps; /* for hot_bind() */
};

/* Creates the file (over an old one of that luid) with all maps zero. 0 or negative errno. */
int statefile_create(const char *run_dir, const struct statefile_header *header,
		     struct statefile *ret);
/* Maps an existing file; -EBADMSG when it is not whole, -EPROTONOSUPPORT for another version's. */
int statefile_open(const char *path, struct statefile_header *ret_header, struct statefile *ret);
void statefile_close(struct statefile *s, bool remove);

#endif
