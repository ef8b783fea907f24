/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mirror as configuration: mirrors.d/NAME.conf, dlmirror-mirrors(5). It says what the mirror is
 * made of, not how it is: what is in sync is the log's. The command writes it when it makes or
 * changes a mirror; whoever edits it does so while the mirror is inactive on all nodes.
 */
#ifndef DLM_MIRROR_FILE_H
#define DLM_MIRROR_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemons/common/plan_text.h"
#include "dlmirror/dlmirror.h"

#define MIRROR_FILE_ERROR_SIZE 512U
#define MIRROR_FILE_TEXT_SIZE  4096U
#define MIRROR_FILE_PATH_SIZE  DLMIRROR_PATH_SIZE

struct mirror_file_leg {
	char path[MIRROR_FILE_PATH_SIZE]; /* absolute */
	uint64_t start_sector;
};

struct mirror_file {
	char uuid[DLMIRROR_NAME_SIZE]; /* of the log */
	uint64_t serial;	       /* of this state of the file: each change counts it on */
	uint64_t revision;	       /* of its table; 0: it has not changed yet */
	uint64_t length_sectors;
	uint64_t region_sectors;
	uint32_t leg_count; /* 2 to DLMIRROR_LEGS_MAX */
	struct mirror_file_leg leg[DLMIRROR_LEGS_MAX];
	/* That failed and were taken out by the daemon, of three or more. */
	uint32_t dropped_count;
	struct mirror_file_leg dropped[DLMIRROR_LEGS_MAX];
	char log[MIRROR_FILE_PATH_SIZE]; /* absolute; empty: in memory only */
	bool integrated_flush;
	bool hold;	      /* a leg that fails is not dropped: what it misses waits for it */
	uint64_t resync_rate; /* of a node, bytes per second; 0: without a limit */
};

/* Do both make the same table? What else they say counts while it is active, too. */
bool mirror_file_same_table(const struct mirror_file *a, const struct mirror_file *b);
/* Is the device with that path a leg? */
bool mirror_file_has_leg(const struct mirror_file *file, const char *path);
/* The same mirror, whatever the serials? */
bool mirror_file_same(const struct mirror_file *a, const struct mirror_file *b);
/* The file after a reload of its mirror by plan. -ESTALE: it was not about the mirror as it was. */
int mirror_file_reload(const struct mirror_file *file, const struct dlmirror_plan *plan,
		       const struct plan_log *log, struct mirror_file *ret);
/* What the file holds. -ENOSPC when it does not fit. */
int mirror_file_text(const struct mirror_file *file, char *ret, size_t size);

/* What text says, as a file does; label stands for its path in error. -EINVAL. */
int mirror_file_parse(const char *text, const char *label, struct mirror_file *ret,
		      char error[MIRROR_FILE_ERROR_SIZE]);
/* A number that two files share when they say the same. */
uint32_t mirror_file_digest(const struct mirror_file *file);

/* All of these: 0 or a negative errno; error then says what is wrong, with file and line. directory
 * is mirrors.d. A name with a slash is -EINVAL. */

/* -ENOENT: there is none. -EINVAL: what it holds is wrong. */
int mirror_file_read(const char *directory, const char *name, struct mirror_file *ret,
		     char error[MIRROR_FILE_ERROR_SIZE]);
/* All of it or nothing, and durable. Makes the directory where it is missing. */
int mirror_file_write(const char *directory, const char *name, const struct mirror_file *file,
		      char error[MIRROR_FILE_ERROR_SIZE]);
/* 0 also when there is none. */
int mirror_file_remove(const char *directory, const char *name, char error[MIRROR_FILE_ERROR_SIZE]);
/* The names of all, sorted. Each, and *ret, is freed with free(). */
int mirror_file_names(const char *directory, char ***ret, size_t *ret_count,
		      char error[MIRROR_FILE_ERROR_SIZE]);

#endif
