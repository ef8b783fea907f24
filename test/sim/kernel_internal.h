/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model of the kernel from inside.
 *
 * A thread of the kernel that waits for an answer of the daemon cannot simply block here. So each
 * thing that may ask is a function that is called again when the answer is there: it returns false
 * while it waits, and true once, when it is done. Its place in lists and steps is kept where the
 * thread's work is kept, so that it goes on where it was.
 */
#ifndef DLM_SIM_KERNEL_INTERNAL_H
#define DLM_SIM_KERNEL_INTERNAL_H

#include "codec/kmsg.h"
#include "test/sim/checker.h"
#include "test/sim/kernel.h"
#include "test/sim/legs.h"
#include "test/sim/load.h"

#define SETS	      2U /* tables at a time: in use, and loaded or about to be dropped */
#define VISITORS      2U
#define OPERATIONS    8U /* that wait */
#define LOAD_THREADS  40U
#define WAKE_BIOS     4U
#define BIOS	      (LOAD_THREADS + WAKE_BIOS)
#define GROUP_MAX     32U
#define ARGUMENTS_MAX 128U

#define RESEND_US     (15 * SECOND_US)
#define RECONNECT_US  (2 * SECOND_US)
#define REQUEUE_US    (SECOND_US / 5)
#define LIMITER_US    (SECOND_US / 4)
#define LAZY_FLUSH_US (3 * SECOND_US)

/* ---- bios */

enum bio_kind { BIO_READ, BIO_WRITE, BIO_DISCARD, BIO_FLUSH };

struct bio {
	struct bio *next;
	bool used;
	enum bio_kind kind;
	struct legs_range range;
	uint64_t number; /* what is written, or was read */
	unsigned leg;	 /* of a read */
	bool unasked;	 /* a read whose region the hash took for in sync, without asking the log */
	struct mirror_set *set;
	uint32_t legs_left;
	uint32_t leg_errors; /* mask */
	bool held;	     /* for a failed leg or log, until a suspend */
	bool deferred;	     /* by dm, while the device is suspended */
	uint64_t begun_us;
	void (*end)(void *context, struct bio *bio, int error);
	void *context;
};

struct bio_list {
	struct bio *head;
	struct bio *tail;
};

static inline void bio_list_add(struct bio_list *l, struct bio *bio)
{
	bio->next = NULL;
	if (l->tail == NULL)
		l->head = bio;
	else
		l->tail->next = bio;
	l->tail = bio;
}

static inline struct bio *bio_list_pop(struct bio_list *l)
{
	struct bio *bio = l->head;

	if (bio == NULL)
		return NULL;
	l->head = bio->next;
	if (l->head == NULL)
		l->tail = NULL;
	return bio;
}

/* What from holds is behind what to holds, from is empty. */
static inline void bio_list_merge(struct bio_list *to, struct bio_list *from)
{
	if (from->head == NULL)
		return;
	if (to->tail == NULL)
		to->head = from->head;
	else
		to->tail->next = from->head;
	to->tail = from->tail;
	*from = (struct bio_list){0};
}

/* ---- threads and their requests */

enum call_stage {
	CALL_NONE,
	CALL_ASKED,
	CALL_PAUSED, /* no daemon: about to try CTR */
	CALL_CONSTRUCTING,
	CALL_RESUMING,
	CALL_ANSWERED,
};

struct call {
	enum call_stage stage;
	enum ulog_type type;
	bool reconnects; /* else -ESRCH is handed to the caller */
	bool waiting;	 /* for an answer to seq */
	uint32_t seq;
	const void *payload;
	uint32_t size;
	/* The caller's receive size. Answers change it, and it is what the next repetition has. */
	uint32_t room;
	uint32_t no_room; /* the same for the requests of a reconnect */
	int error;
	bool unheard; /* the error is the kernel's own: nobody was there */
	uint8_t data[KMSG_DATA_MAX];
	uint64_t begun_us;
	uint64_t sent_us;
};

struct thread {
	struct kernel *kernel;
	struct mirror_set *set; /* whose log it asks */
	void (*go_on)(struct thread *t);
	struct call call;
	uint64_t word[GROUP_MAX]; /* payload */
	uint64_t life;		  /* events of earlier lives are void */
	bool timer;
};

/* ---- a table: mirror set, region hash and log */

struct region {
	uint8_t state; /* enum kernel_region */
	bool listed;   /* on the clean list */
	uint16_t pending;
};

enum recovery_stage {
	RECOVERY_NONE,
	RECOVERY_QUIESCING, /* writes of the region are in flight */
	RECOVERY_QUIESCED,
	RECOVERY_COPYING,
	RECOVERY_DONE,
	RECOVERY_FAILED,
};

enum flush_step { FLUSH_CLEARS, FLUSH_MARKS, FLUSH_FLUSH };

struct region_list {
	uint32_t count;
	uint32_t region[SIM_REGIONS_MAX];
};

/* dm-log-userspace-base */
struct userspace_log {
	uint64_t luid;
	char arguments[ARGUMENTS_MAX];
	uint64_t hint; /* regions below need not be asked for */
	struct region_list marks;
	struct region_list clears;
	enum flush_step flush_step;
	uint32_t flushed; /* regions of the list under way */
	bool one_by_one;
	bool flush_scheduled;
	uint64_t flush_event;
};

/* kmirrord's run: its lists, and where it is in them. */
struct run {
	unsigned step;
	bool taken;	/* what the run begins with */
	bool recovered; /* a recovery has ended, and the log is to be told whether it was good */
	bool good;
	struct region_list clean;
	bool preparing; /* a recovery */
	bool has_work;
	uint64_t work; /* region to recover */
	struct bio_list reads;
	struct bio_list writes;
	struct bio_list failures;
	struct bio_list sync;
	struct bio_list nosync;
	struct bio_list recover;
	struct bio_list requeue;
	bool remote_asked;     /* the first write is not being recovered elsewhere */
	struct bio *increment; /* next to be counted */
	bool told;	       /* the log knows of the first failure */
	bool quiescing;	       /* its region was to be recovered */
};

struct mirror_set {
	struct kernel *kernel;
	uint64_t life;
	uint64_t revision; /* of the table */
	const struct legs_table *table;
	struct userspace_log log;
	struct thread kmirrord;
	struct thread dmlogd; /* flushes lazily */

	struct bio_list reads;
	struct bio_list writes;
	struct bio_list failures;
	struct bio_list holds;

	bool in_sync;
	bool log_failure;
	bool leg_failure;
	bool suspending;
	bool misled;
	unsigned default_leg;
	uint32_t error_count[SIM_LEGS_MAX];
	uint32_t error_types[SIM_LEGS_MAX]; /* mask of enum leg_error */

	/* dm-region-hash */
	struct region region[SIM_REGIONS_MAX];
	struct region_list clean;
	bool flush_failure;
	bool may_recover; /* the semaphore */
	enum recovery_stage recovery;
	uint32_t recovering; /* region, unless RECOVERY_NONE */
	struct bio_list delayed;

	bool queued; /* kmirrord is to run (again) */
	bool running;
	uint64_t runs; /* finished */
	bool wake_delayed;
	uint64_t delayed_event;
	struct run run;
};

/* ---- the device */

struct operation {
	enum kernel_operation what;
	kernel_done done;
	void *context;
};

#define ANSWERED 1024U

struct kernel {
	struct node *node;
	struct mirror *mirror;
	struct world *world;
	struct random *random;
	struct legs *legs;
	struct load *load;
	bool load_on;
	uint32_t regions;

	struct mirror_set set[SETS];
	struct mirror_set *live;   /* table in use */
	struct mirror_set *loaded; /* about to be used, or no longer used */
	uint64_t luid_freed;

	bool used;	   /* was resumed once */
	uint64_t revision; /* that a table which is made has, unless it is the same anew */
	enum { CHANGE_OPEN, CHANGE_YES, CHANGE_NO } change;
	bool suspended;
	bool blocked; /* new bios are deferred */
	bool noflush;
	uint32_t in_flight;
	struct bio_list deferred;
	struct bio bio[BIOS];

	struct thread admin;
	bool admin_poked;
	struct operation operation[OPERATIONS];
	uint32_t operations;
	unsigned operation_step;
	bool operation_begun;
	uint64_t operation_begun_us;
	int operation_error;
	bool awaiting;	       /* the step under way has begun to wait, */
	uint64_t runs_awaited; /* for this many runs of kmirrord */
	struct thread visitor[VISITORS];
	bool visiting[VISITORS];
	bool counted[VISITORS]; /* the visitor has the sync count */

	uint64_t answered[ANSWERED]; /* seq + 1 of requests, newest of those that share a place */
	struct kernel_counters counters;
};

/* kernel_call.c */
void thread_reset(struct thread *t, struct kernel *k, void (*go_on)(struct thread *t));
/* -ESRCH is handed to the caller. room: bytes of data that the answer may have. */
bool thread_consult(struct thread *t, enum ulog_type type, const void *payload, uint32_t size,
		    uint32_t room);
/* -ESRCH makes it reconnect. */
bool thread_request(struct thread *t, enum ulog_type type, const void *payload, uint32_t size,
		    uint32_t room);
uint64_t call_word(const struct call *c, unsigned index);

/* kernel_log.c */
void log_reset(struct mirror_set *s);
bool log_in_sync(struct mirror_set *s, uint32_t region, int *ret);
bool log_resync_work(struct mirror_set *s, bool *ret_work, uint64_t *ret_region);
bool log_set_region_sync(struct mirror_set *s, uint32_t region, bool in_sync);
bool log_sync_count(struct thread *t, uint64_t *ret);
bool log_remote_recovering(struct mirror_set *s, uint32_t region, bool *ret);
void log_mark(struct mirror_set *s, uint32_t region);
void log_clear(struct mirror_set *s, uint32_t region);
/* The region stays marked although nothing of it is in flight. */
void log_uncleared(struct mirror_set *s, uint32_t region);
bool log_flush(struct mirror_set *s, int *ret_error);
/* A flush that is scheduled comes now. False while dmlogd is at it. */
bool log_flush_now(struct mirror_set *s);
void dmlogd_go_on(struct thread *t);

/* kernel_hash.c */
bool hash_state(struct mirror_set *s, uint32_t region, enum kernel_region *ret);
/* A write of the region is about to go out: counts it, and marks the region if need be. */
bool hash_increment(struct mirror_set *s, uint32_t region);
void hash_decrement(struct mirror_set *s, uint32_t region);
bool hash_update_states(struct mirror_set *s);
bool hash_recovery_prepare(struct mirror_set *s);
void hash_recovery_ended(struct mirror_set *s, bool good);
bool hash_mark_nosync(struct mirror_set *s, const struct bio *bio);

/* kernel_mirror.c */
void set_reset(struct mirror_set *s);
void set_wake(struct mirror_set *s);
void set_delayed_cancel(struct mirror_set *s);
void set_queue(struct mirror_set *s, struct bio *bio);
void set_presuspend(struct mirror_set *s);
bool set_quiet(const struct mirror_set *s);

/* kernel_device.c */
static inline const struct scenario_mirror *plan_of(const struct mirror_set *s)
{
	return s->kernel->mirror->plan;
}
/* Something happened that an operation may be waiting for. */
void device_poke(struct kernel *k);
/* Latency of a thread that is woken. */
uint64_t device_wake_us(struct kernel *k);
struct bio *device_bio(struct kernel *k);
void device_submit(struct kernel *k, struct bio *bio);
enum bio_result { BIO_OK, BIO_ERROR, BIO_REQUEUE };
/* The target is done with it. */
void device_bio_ended(struct bio *bio, enum bio_result result);

#endif
