/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A log device, read and (for an adoption or a fresh start) written by the command while no daemon
 * has it. Formats are codec/disk.h's. A regular file will do, for a copy of a log.
 */
#ifndef DLM_COMMAND_LOGDEV_H
#define DLM_COMMAND_LOGDEV_H

#include <stdbool.h>
#include <stdint.h>

#include "codec/disk.h"

#define LOGDEV_ERROR_SIZE 512U

struct logdev {
	int fd;
	const char *path;
	uint64_t bytes;
	struct disk_search search; /* what is on it */
};

/*
 * Opens path and looks what is there. write: also for writing, and only when nobody else has it
 * (-EBUSY). region_count: of the mirror, where known; else 0. 0 or negative errno, then error says
 * why and there is nothing to close.
 */
int logdev_open(const char *path, bool write, uint64_t region_count, struct logdev *ret,
		char error[LOGDEV_ERROR_SIZE]);
/* For writing, also when somebody has it open: a log that nobody writes any more. */
int logdev_open_beside(const char *path, struct logdev *ret, char error[LOGDEV_ERROR_SIZE]);
void logdev_close(struct logdev *log);

/* What a believed superblock says, counted. */
struct logdev_count {
	uint64_t in_sync; /* regions; of a kernel's log too */
	uint32_t slots_in_use;
	uint64_t dirty; /* set bits of all slots in use */
	bool damaged;	/* a slot header could not be read */
};
int logdev_count(const struct logdev *log, struct logdev_count *ret, char error[LOGDEV_ERROR_SIZE]);
/* Reads size bytes, which are at most a unit, at offset; a whole number of sectors both. */
int logdev_read(const struct logdev *log, uint64_t offset, size_t size, void *ret);
/* Called for some bits, in their order: those from first on, count of them, and always a multiple of
 * 64 but at the end. */
typedef void logdev_bits(void *context, const uint64_t *words, uint64_t first, uint64_t count);
/* Reads nbits from offset, which is that of a whole unit, skip bytes before the first bit. */
int logdev_bits_read(const struct logdev *log, uint64_t offset, size_t skip, uint64_t nbits,
		     logdev_bits *take, void *context);
/* The header of slot i. -EBADMSG and others as disk_slot_decode(). */
int logdev_slot(const struct logdev *log, uint32_t i, struct disk_slot *ret);

/* Rewrites the owner in both superblocks; marks and maps stay. */
int logdev_adopt(struct logdev *log, const struct disk_owner *owner, char error[LOGDEV_ERROR_SIZE]);
/*
 * What from, which is at rest, knows of regions: to becomes a log at rest that says the same, in the
 * kernel's form; what it held is gone. Until all of it is there it says nothing. -ENODATA: from has
 * nothing to say, and to is without a log; -ENOSPC: a log of that mirror does not fit.
 */
int logdev_copy(const struct logdev *from, struct logdev *to, char error[LOGDEV_ERROR_SIZE]);
/*
 * Makes it a log at rest of the mirror with that uuid, which says that all regions are in sync, or
 * none, and was made by owner for a table of that revision; what it held is gone. Until all of it is
 * there it says nothing. -ENOSPC: it is too small.
 */
int logdev_prepare(struct logdev *log, const struct disk_super *wanted, bool in_sync,
		   char error[LOGDEV_ERROR_SIZE]);
/* The mirror has another log from now on, with tables from that revision on: no older one finds
 * anything here, nor is it taken. */
int logdev_retire(struct logdev *log, uint64_t revision, char error[LOGDEV_ERROR_SIZE]);
/* Makes it a device without a log. */
int logdev_wipe(struct logdev *log, char error[LOGDEV_ERROR_SIZE]);

#endif
