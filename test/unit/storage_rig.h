/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A log device for tests: the storage adapter on a file, with everything it does recorded. The test
 * program is linked with --wrap=io_submit and --wrap=io_getevents, so that each write is known with
 * its data, when it was submitted and when its completion was seen; completions can be held back or
 * turned into errors.
 */
#ifndef TEST_STORAGE_RIG_H
#define TEST_STORAGE_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bits.h"
#include "daemons/dlmirrord/storage.h"

#define RIG_UUID   "mirror-1"
#define RIG_HOST   "host-1"
#define RIG_WRITES 4096U

/* A write, in ticks of the rig: one for every submission and every completion. */
struct rig_write {
	const void *iocb;
	uint64_t offset;
	size_t bytes;
	uint8_t *data;
	unsigned submitted;
	unsigned completed; /* UINT_MAX: not yet */
};

struct rig_record {
	bool on;
	unsigned tick;
	unsigned count;
	struct rig_write write[RIG_WRITES];
	/* What to do to the traffic. */
	bool hold;	  /* completions are not delivered */
	unsigned fail_at; /* number of the recorded write that fails with -EIO, from 1; 0: none */
	size_t largest;	  /* bytes of one operation */
	unsigned in_flight;
	unsigned in_flight_max;
};

extern struct rig_record rig_record;

void rig_record_start(void);
void rig_record_free(void);

/* A history that outlives the callback. */
struct rig_history {
	enum mlog_load load;
	uint64_t region_count;
	uint64_t region_sectors;
	unsigned shift;
	uint64_t *in_sync;
	uint64_t *dirty; /* NULL: none */
	const char *remark;
	bool has_owners;
	uint32_t owner[DISK_SLOTS_MAX];
};

struct rig {
	struct storage_engine *engine;
	struct storage *storage;
	int fd; /* of the device, for the test's own reads and writes */
	char path[64];
	struct storage_spec spec;
	uint32_t own; /* slot */
	bool beside;  /* others have the log in use: only our slot is loaded, claimed, released */
	char error[STORAGE_ERROR_SIZE];
	/* What the mirror log would say. */
	uint64_t *sync;
	uint64_t *slot;
	uint64_t *kernel;
	/* What came back. */
	unsigned answers; /* callbacks so far */
	int result;
	struct rig_history history;
	unsigned written; /* pages */
	int written_error;
	uint32_t other;	       /* slot that was read or emptied */
	uint64_t *other_dirty; /* NULL: it was free */
};

/* A device of device_bytes in memory (a memfd), for a mirror of that geometry. Nothing is opened.
 */
void rig_init(struct rig *rig, uint64_t regions, uint64_t region_sectors, uint64_t device_bytes);
void rig_fini(struct rig *rig);
/* Another geometry; all maps are zero again. */
void rig_geometry(struct rig *rig, uint64_t regions, uint64_t region_sectors);
int rig_try_open(struct rig *rig);
void rig_open(struct rig *rig); /* must succeed */
void rig_close(struct rig *rig);
/* Dispatches until that many callbacks have come in all, at most 10 s. */
void rig_wait(struct rig *rig, unsigned answers);
/* One operation from begin to end; its result. */
int rig_load(struct rig *rig);
int rig_claim(struct rig *rig);
int rig_release(struct rig *rig);
int rig_write(struct rig *rig, enum mlog_area area, uint64_t page);
int rig_read_slot(struct rig *rig, uint32_t slot);
int rig_empty_slot(struct rig *rig, uint32_t slot);

/* What the history says of [sector, sector + count). */
bool rig_in_sync(const struct rig_history *h, uint64_t sector, uint64_t count);
bool rig_dirty(const struct rig_history *h, uint64_t sector, uint64_t count);

void rig_pread(const struct rig *rig, uint64_t offset, void *ret, size_t bytes);
void rig_pwrite(const struct rig *rig, uint64_t offset, const void *data, size_t bytes);

/* Numbers that look random and are the same in every run. */
uint64_t rig_random(uint64_t *state);

#endif
