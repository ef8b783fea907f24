/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The storage port: log devices. Adapter: storage_aio.c (libaio, O_DIRECT | O_DSYNC, completions by
 * an eventfd in the loop). It knows the format (codec/disk.h) and the order of writes within claim
 * and release, and decides nothing about regions. Single-threaded: everything here but
 * storage_look() is called with the core's lock, and every completion comes from
 * storage_engine_dispatch(), never from within a call.
 */
#ifndef DLM_STORAGE_H
#define DLM_STORAGE_H

#include <stdint.h>
#include <sys/types.h>

#include "codec/disk.h"
#include "core/mlog.h"

#define STORAGE_ERROR_SIZE 512U

struct storage_engine;
struct storage;

/* One io context for all log devices. Negative errno on failure. */
int storage_engine_create(struct storage_engine **ret);
struct storage_engine *storage_engine_destroy(struct storage_engine *engine); /* takes NULL */
/* Readable when completions wait. */
int storage_engine_fd(const struct storage_engine *engine);
void storage_engine_dispatch(struct storage_engine *engine);

struct storage_callbacks {
	/* Exactly one for each load, claim, write, release, … error: 0 or negative errno. */
	void (*loaded)(void *context, int error, const struct mlog_history *history);
	void (*claimed)(void *context, int error);
	void (*written)(void *context, enum mlog_area area, uint64_t page, int error);
	void (*released)(void *context, int error);
	/* dirty: its bits; NULL: it was free. */
	void (*slot_read)(void *context, uint32_t slot, int error, const uint64_t *dirty);
	void (*slot_emptied)(void *context, uint32_t slot, int error);
	/* Contents to write, asked for during storage_claim/write/release, never later. */
	uint64_t (*word)(void *context, enum mlog_area area, uint64_t word);
	uint64_t (*kernel_word)(void *context, uint64_t word);
};

struct storage_spec {
	const char *device; /* "major:minor" or an absolute path */
	const char *uuid;   /* of the log */
	uint64_t region_count;
	uint64_t region_sectors;
	uint64_t revision;     /* of the table; 0: it does not say */
	uint32_t slots_wanted; /* 0: DISK_SLOTS_DEFAULT */
	uint32_t node;	       /* ours, not 0: what our slot's header says */
	struct disk_owner owner;
	const char *boot_id;
};

/*
 * Opens the device (exclusive use is not asked for: the kernel has it too), computes the layout,
 * and refuses, before anything is written: not a block device or regular file (-ENOTBLK), too small
 * (-ENOSPC), in use by another owner (-EBUSY, the message names host, cluster and the command that
 * takes it over), a newer format (-EPROTONOSUPPORT), the log of a later table of that mirror
 * (-ESTALE). error says what is wrong and what to do.
 * A grown or shrunk mirror, a garbled device and a kernel log are no errors here: storage_load()
 * reports what of the history can be used.
 * This reads a few units and waits for them, for as long as the device takes: it belongs into a
 * thread of its own (opener.h). It touches nothing but *ret, which only storage_use() makes fit for
 * anything but the four calls behind this one and storage_close().
 */
int storage_look(const struct storage_spec *spec, struct storage **ret,
		 char error[STORAGE_ERROR_SIZE]);
const struct disk_layout *storage_layout(const struct storage *s);
uint32_t storage_page_bytes(const struct storage *s); /* logical block size, at most DISK_UNIT */
/* The descriptor has another number from now on: it has come from another table. -1: it is lost. */
int storage_descriptor(const struct storage *s);
void storage_descriptor_set(struct storage *s, int fd);
void storage_use(struct storage *s, struct storage_engine *engine,
		 const struct storage_callbacks *callbacks, void *context);
/* No operation may be in flight, except after storage_abandon(). Takes NULL, returns NULL. */
struct storage *storage_close(struct storage *s);
/* Completions still to come are dropped silently. The memory is freed after the last of them, at
 * once when there are none; then ended (may be NULL) is called: nothing that was written by s is on
 * its way any more. Takes NULL, returns NULL. */
struct storage *storage_abandon(struct storage *s, void (*ended)(void *context), void *context);
unsigned storage_in_flight(const struct storage *s);
/* Of the table that the log was found to be that of; the own one's where it does not say. */
uint64_t storage_revision(const struct storage *s);
/* Was it, when it was looked at, a log at rest of this mirror, and made for a table of this revision? */
bool storage_prepared(const struct storage *s);

dev_t storage_devno(const struct storage *s);

/*
 * One of load, claim and release at a time, and no page write during it. Each waits for writes that
 * are still in flight to the device, also those of an abandoned storage. Load and claim look again
 * at what is there: -EBUSY when somebody else has it in use by now, and then nothing is written; a
 * load is -ESTALE when it has been the log of a later table. A
 * page write or release of a log that is not claimed (after a failed claim or release too) is
 * -ESTALE; a log that was found in use by us at storage_look() is claimed. A log that is there but
 * cannot be trusted is no MLOG_LOAD_BLANK, which "nosync" makes in sync: it is MLOG_LOAD_CLEAN with
 * nothing in sync, and history->remark says why.
 *
 * slot is ours (it does not matter for a load of the whole log). whole: map and superblocks are
 * ours to write. Load: the marks of all slots count, and history->owner says whose they are
 * (UINT32_MAX: nobody knows). Claim: in a cluster, slots of other nodes stay as they are, since
 * they may be writing them; all others are emptied, because ours holds what they held. Else others
 * have the log in use, -ESTALE when the device does not say so (it was replaced, or nobody has
 * claimed it yet). Load: only what our slot holds from earlier, MLOG_LOAD_BLANK when it was free;
 * history->in_sync is NULL. Claim and release: only our slot.
 */
void storage_load(struct storage *s, uint32_t slot, bool whole);
void storage_claim(struct storage *s, uint32_t slot, bool whole);
void storage_release(struct storage *s, uint32_t slot, bool whole);
/* slot: ours; it does not matter for the in-sync map. */
void storage_write(struct storage *s, uint32_t slot, enum mlog_area area, uint64_t page);

/*
 * Another's slot, any time, one of these per slot at once. -ESTALE as above; -EBADMSG: its header
 * is damaged, and what its bits mean nobody knows.
 */
void storage_read_slot(struct storage *s, uint32_t slot);
void storage_empty_slot(struct storage *s, uint32_t slot);

#endif
