/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel of one node, as far as one dm-mirror with a userspace log is concerned: its tables (a
 * mirror set and a log each), kmirrord, and the processes that suspend, reload or ask for status.
 * It does what Linux 6.1 does, its flaws included; where it does something surprising, the place in
 * the model says so.
 *
 *	kernel.h         what the node and its admin may ask for
 *	kernel_call.c    dm-log-userspace-transfer: a request, its repetitions, and its answer
 *	kernel_log.c     dm-log-userspace-base: marks, clears, flush, hint and limiter
 *	kernel_hash.c    dm-region-hash: the state of regions
 *	kernel_mirror.c  dm-raid1: kmirrord, recovery, legs that fail
 *	kernel_device.c  dm: tables come and go, suspend and resume, bios in and out
 *	load.c           the writers and readers above it
 *
 * A reply may come at any time after its datagram was taken, but not from within
 * node_kernel_datagram().
 */
#ifndef DLM_SIM_KERNEL_H
#define DLM_SIM_KERNEL_H

#include "test/sim/sim.h"

/* The kernel of a node that is off; it does nothing before it is asked to. Once for each node and
 * mirror. */
struct kernel *kernel_create(struct node *node, struct mirror *mirror);
/* Everything vanishes, what is in flight to the legs is torn. Then as after kernel_create(). */
void kernel_power_off(struct kernel *k);

/* What an admin or an agent does; one after another, in the order asked for. */
enum kernel_operation {
	KERNEL_ACTIVATE,	/* table load and resume; -EBUSY when there is a table */
	KERNEL_REMOVE,		/* the load ends first; -ENXIO when there is no table */
	KERNEL_SUSPEND,		/* held writes fail */
	KERNEL_SUSPEND_NOFLUSH, /* held writes are put off until the resume */
	KERNEL_RESUME,
	KERNEL_RELOAD, /* the same table anew: load, suspend (noflush), resume, drop the old one */
	KERNEL_CHANGE, /* as RELOAD, with another table; suspended it waits for kernel_change_end() */
	KERNEL_OPERATIONS,
};

/* error: 0, or why a table could not be loaded (-ESRCH without a daemon); the rest cannot fail. Not
 * called when the node dies before. */
typedef void (*kernel_done)(void *context, enum kernel_operation operation, int error);
/* False: too many wait already. done may be NULL. */
bool kernel_operate(struct kernel *k, enum kernel_operation operation, kernel_done done,
		    void *context);
/* Nothing of kernel_operate() is under way or waits. */
bool kernel_operated(const struct kernel *k);
/* The revision of tables that ACTIVATE and CHANGE make from now on. */
void kernel_configure(struct kernel *k, uint64_t revision);
/* A CHANGE has suspended the device. */
bool kernel_change_waits(const struct kernel *k);
/* Does the new table count? It need not have come so far. */
void kernel_change_end(struct kernel *k, bool counts);

/* May writers and readers work (as at the start), whenever there is a table? Without them what is
 * under way ends, and then the kernel is idle: no bio, no request, nothing left to do. */
void kernel_load(struct kernel *k, bool on);
bool kernel_idle(const struct kernel *k);

/* dmsetup status, by a process of its own; nothing when too many are at it already. */
void kernel_status(struct kernel *k);
/* One small read of the mirror, for the sake of kmirrord's run. */
void kernel_wake(struct kernel *k);

/* A datagram from the daemon. False: nobody of this kernel waits for it. */
bool kernel_reply(struct kernel *k, const uint8_t *datagram, size_t size);

/* Of the table in use, 0: none. */
uint64_t kernel_luid(const struct kernel *k);
/* Does device-mapper have a table with this luid, loaded or in use? */
bool kernel_has_luid(const struct kernel *k, uint64_t luid);
/* Of the table in use, else of the one that is loaded, else 0. */
uint64_t kernel_revision(const struct kernel *k);
/* There is a table in use, and it is not suspended. */
bool kernel_active(const struct kernel *k);
/* It was active once since it was made. */
bool kernel_used(const struct kernel *k);
/* The leg that reads go to and copies come from. */
unsigned kernel_default_leg(const struct kernel *k);

/* ---- for the checker */

enum kernel_region { KERNEL_NONE, KERNEL_CLEAN, KERNEL_DIRTY, KERNEL_NOSYNC, KERNEL_RECOVERING };

/* State in the region hash of the table in use. */
enum kernel_region kernel_region(const struct kernel *k, uint32_t region);
/* Writes of this node's load in this region wait or are in flight, held ones included. */
bool kernel_writing(const struct kernel *k, uint32_t region);
/* The kernel believes what no daemon told it, until the table is reloaded: the RESUME of a
 * reconnect got lost, or an empty flush failed (after which it no longer clears or reports
 * regions). */
bool kernel_misled(const struct kernel *k);

struct kernel_counters {
	uint64_t requests; /* datagrams, repetitions included */
	uint64_t replies;
	uint64_t late; /* replies that nobody waited for */
	uint64_t resent;
	uint64_t reconnects;
	uint64_t request[ULOG_TYPES];
	uint64_t writes; /* acknowledged */
	uint64_t reads;
	uint64_t failed; /* writes and reads that failed */
};
const struct kernel_counters *kernel_counters(const struct kernel *k);

/* Since when the oldest request waits, the oldest bio (but for those that are held for a failed
 * leg, or put off while the device is suspended), and the operation under way; UINT64_MAX: none. */
uint64_t kernel_oldest_request_us(const struct kernel *k);
uint64_t kernel_oldest_bio_us(const struct kernel *k);
uint64_t kernel_operation_us(const struct kernel *k);

#endif
