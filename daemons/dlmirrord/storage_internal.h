/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the storage adapter share:
 *	storage_aio.c   the engine: one libaio context, its queue, completions (struct aio_op)
 *	storage.c       one log device: opening, page writes, closing
 *	storage_job.c   sequences of reads and writes (struct job), and the search
 *	storage_load.c, storage_claim.c, storage_slot.c  which sequences there are
 */
#ifndef DLM_STORAGE_INTERNAL_H
#define DLM_STORAGE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libaio.h>

#include "daemons/dlmirrord/storage.h"

#define ENGINE_DEPTH 256U		 /* operations at the kernel at once, all devices */
#define JOB_PIECES   4U			 /* of one job in flight at once */
#define JOB_PIECE    ((size_t)256 << 10) /* bytes */
#define JOB_EXTENTS  (DISK_SLOTS_MAX + 1U)

/* One read or write, or with aio_defer() a result without I/O. */
struct aio_op {
	struct iocb iocb;
	struct aio_op *next; /* in one of the engine's lists */
	struct storage *storage;
	void (*done)(struct aio_op *op, int error);
	size_t bytes;
	int error; /* of aio_defer() */
};

struct aio_list {
	struct aio_op *head;
	struct aio_op **tail;
};

struct storage_engine {
	io_context_t context;
	int event_fd;
	unsigned in_flight;
	struct aio_list queued;
	struct aio_list deferred;
	struct storage *waiting;   /* jobs that wait for earlier writes; linked by next_waiting */
	struct storage *abandoned; /* with operations in flight; linked by next_abandoned */
};

struct page_op {
	struct aio_op op;
	enum mlog_area area;
	uint64_t page;
	uint8_t *buffer;
	bool busy;
};

/* Contiguous I/O of a stage. */
struct extent {
	uint64_t offset;
	uint8_t *data;
	size_t bytes;
};

enum job_kind { JOB_NONE, JOB_LOAD, JOB_CLAIM, JOB_RELEASE, JOB_READ_SLOT, JOB_EMPTY_SLOT };

/* The buffers of a job, aligned to DISK_UNIT; freed when it has ended. */
struct job_memory {
	uint8_t *scratch; /* DISK_SEARCH_SIZE: of the search, then units to write */
	uint8_t *unit0;	  /* as read, then as last written */
	uint8_t *headers; /* of all slots */
	uint8_t *sync;	  /* in-sync map; load: or the kernel's bits, from offset 0 on */
	uint8_t *bits;	  /* of a slot; release: the kernel's bits, from offset 0 on */
	uint8_t *dirty;	  /* load: of all slots in use, or of ours */
	uint32_t *owner;  /* load of the whole log: DISK_SLOTS_MAX of them */
};

#define JOB_MORE 0
#define JOB_DONE 1

struct job;

struct job_op {
	struct aio_op op;
	struct job *job;
	bool busy;
};

/*
 * A stage is a set of extents that may be done in any order; when all of them are, `next` prepares
 * the next stage (JOB_MORE), or says JOB_DONE or a negative errno.
 */
struct job {
	struct storage *storage;
	enum job_kind kind;
	uint32_t slot; /* ours; of READ_SLOT and EMPTY_SLOT: another's */
	bool whole;    /* load, claim, release: the log and not only our slot */
	int (*next)(struct job *j);
	int error;
	bool write;
	unsigned in_flight;
	unsigned extent_count;
	unsigned extent_current;
	size_t extent_done; /* bytes of the current one that were issued */
	struct extent extent[JOB_EXTENTS];
	struct job_op start;
	struct job_op piece[JOB_PIECES];

	int (*found)(struct job *j); /* the stage after the search */
	struct disk_search search;
	struct job_memory memory;
	struct mlog_history history; /* load: into memory */
	uint32_t reading;	     /* load: the slot whose bits are read */
};

struct storage {
	struct storage_engine *engine;
	struct storage_callbacks callbacks;
	void *context;
	int fd;
	dev_t devno;
	uint64_t inode; /* of a regular file, which has no number of its own */
	uint32_t page_bytes;
	uint64_t device_bytes;
	char name[128]; /* for messages */
	char uuid[DISK_UUID_SIZE];
	char boot_id[DISK_NAME_SIZE];
	struct disk_owner owner;
	uint32_t node;
	struct disk_layout layout;
	uint64_t generation; /* of the newest superblock written or seen */
	uint64_t revision;   /* of the table */
	uint64_t revision_found;
	bool prepared; /* see storage_prepared() */
	bool claimed;  /* the device says that we have it */
	bool abandoned;
	unsigned in_flight; /* operations that will still complete */
	struct storage *next_waiting;
	struct storage *next_abandoned;
	void (*ended)(void *context); /* see storage_abandon() */
	void *ended_context;
	struct page_op *page[2]; /* by enum mlog_area */
	unsigned pages[2];
	uint8_t *page_buffers;
	struct job job;			      /* load, claim or release */
	struct job slot_job;		      /* beside it, one at a time: */
	enum job_kind wanted[DISK_SLOTS_MAX]; /* what is still to be done to each slot */
};

/* storage_aio.c. Buffers are aligned to DISK_UNIT. op->done comes from storage_engine_dispatch().
 */
void aio_start(struct aio_op *op, bool write, uint64_t offset, void *data, size_t bytes);
void aio_defer(struct aio_op *op, int error);
/* Forgets what of s was not given to the kernel yet. */
void aio_withdraw(struct storage *s);
void *aligned_alloc_zero(size_t bytes);

/* storage_job.c: for storage.c and storage_aio.c */
void jobs_init(struct storage *s);
void jobs_free(struct storage *s);
void job_start(struct storage *s, enum job_kind kind, uint32_t slot, bool whole);
void slot_job_want(struct storage *s, enum job_kind kind, uint32_t slot);
/* How many have begun or wait. */
unsigned jobs_count(const struct storage *s);
/* Nothing older is in flight to the device, neither from s nor from one that was abandoned. */
bool job_may_start(const struct storage *s);

/* storage_job.c: for the chains. Memory is freed when the job has ended. */
int job_alloc(uint8_t **ret, size_t bytes);
void stage_begin(struct job *j, bool write, int (*next)(struct job *j));
void stage_add(struct job *j, uint64_t offset, uint8_t *data, size_t bytes);
/* A stage that is one write. */
int stage_write(struct job *j, uint64_t offset, uint8_t *data, size_t bytes,
		int (*next)(struct job *j));
/* Finds out what is on the device; found comes when it may be ours. */
int search_begin(struct job *j, int (*found)(struct job *j));
/* The headers of all slots of a layout, added to the stage. */
int headers_read(struct job *j, const struct disk_layout *l);
/* False: not the header of slot i. */
bool header_get(const struct job *j, uint32_t i, struct disk_slot *ret);
uint64_t kernel_region_sectors(const struct job *j);
size_t map_bytes(uint64_t bits); /* whole units */
uint64_t *words_of(uint8_t *buffer);
/* Bits behind the last one count for nobody; they are 0 in memory and on disk. */
void map_trim(uint64_t *map, uint64_t bits);

/* The chains. snapshot: takes what will be written, when the job is asked for. */
int load_begin(struct job *j);
int claim_begin(struct job *j);
int claim_snapshot(struct job *j);
int release_begin(struct job *j);
int release_snapshot(struct job *j);
int slot_header_write(struct job *j, bool in_use, int (*next)(struct job *j));
int slot_bits_write(struct job *j, int (*next)(struct job *j));
int slot_load_begin(struct job *j);
int slot_claim_begin(struct job *j);
int slot_release_begin(struct job *j);
int slot_read_begin(struct job *j);
int slot_empty_begin(struct job *j);

/* storage.c */
/* One operation less in flight. False: s was abandoned, and may be freed by now. */
bool storage_op_ended(struct storage *s);
void storage_free(struct storage *s);
void storage_words(const struct storage *s, enum mlog_area area, uint64_t first, size_t bytes,
		   uint8_t *ret);

#endif
