/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the storage adapter share:
 *	storage_aio.c   the engine: one libaio context, its queue, completions (struct aio_op)
 *	storage.c       one log device: opening, page writes, closing
 *	storage_job.c   load, claim and release: sequences of reads and writes (struct job)
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

enum job_kind { JOB_NONE, JOB_LOAD, JOB_CLAIM, JOB_RELEASE };

/* The buffers of a job, aligned to DISK_UNIT; freed when it has ended. */
struct job_memory {
	uint8_t *scratch; /* DISK_SEARCH_SIZE: of the search, then units to write */
	uint8_t *unit0;	  /* as read, then as last written */
	uint8_t *headers; /* of all slots */
	uint8_t *sync;	  /* in-sync map; load: or the kernel's bits, from offset 0 on */
	uint8_t *bits;	  /* of a slot; release: the kernel's bits, from offset 0 on */
	uint8_t *dirty;	  /* load: of all slots in use */
};

#define JOB_MORE 0
#define JOB_DONE 1

/*
 * Load, claim or release. A stage is a set of extents that may be done in any order; when all of
 * them are, `next` prepares the next stage (JOB_MORE), or says JOB_DONE or a negative errno.
 */
struct job {
	enum job_kind kind;
	int (*next)(struct storage *s);
	int error;
	bool write;
	unsigned in_flight;
	unsigned extent_count;
	unsigned extent_current;
	size_t extent_done; /* bytes of the current one that were issued */
	struct extent extent[JOB_EXTENTS];
	struct aio_op start;
	struct aio_op piece[JOB_PIECES];
	bool piece_busy[JOB_PIECES];

	int (*found)(struct storage *s); /* the stage after the search */
	struct disk_search search;
	struct job_memory memory;
	struct mlog_history history; /* load: into memory */
	unsigned slot;		     /* load: whose bits are read */
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
	uint32_t slot;
	struct disk_layout layout;
	uint64_t generation; /* of the newest superblock written or seen */
	bool claimed;	     /* the device says that we have it */
	bool abandoned;
	unsigned in_flight; /* operations that will still complete */
	struct storage *next_waiting;
	struct storage *next_abandoned;
	struct page_op *page[2]; /* by enum mlog_area */
	unsigned pages[2];
	uint8_t *page_buffers;
	struct job job;
};

/* storage_aio.c. Buffers are aligned to DISK_UNIT. op->done comes from storage_engine_dispatch().
 */
void aio_start(struct aio_op *op, bool write, uint64_t offset, void *data, size_t bytes);
void aio_defer(struct aio_op *op, int error);
/* Forgets what of s was not given to the kernel yet. */
void aio_withdraw(struct storage *s);
void *aligned_alloc_zero(size_t bytes);

/* storage_job.c */
void job_init(struct storage *s);
void job_start(struct storage *s, enum job_kind kind);
/* Nothing older is in flight to the device, neither from s nor from one that was abandoned. */
bool job_may_start(const struct storage *s);
void job_memory_free(struct job_memory *memory);

/* storage.c */
/* One operation less in flight. False: s was abandoned, and may be freed by now. */
bool storage_op_ended(struct storage *s);
void storage_free(struct storage *s);
void storage_words(const struct storage *s, enum mlog_area area, uint64_t first, size_t bytes,
		   uint8_t *ret);

#endif
