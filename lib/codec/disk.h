/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log device: bytes <-> values. No I/O here. dlmirror-disk(5) describes every byte, and is to be
 * changed together with this.
 *
 * Layout, in units of 4096 bytes (DISK_UNIT), integers little-endian:
 *
 *	offset 0      kernel header: magic and version (32 bits each), nr_regions (64 bits)
 *	offset 512    superblock copy A (512 bytes, in the gap that the kernel's log never uses)
 *	offset 1024   the kernel's clean bits, one per region, 1 = clean; up to the next unit
 *	then          superblock copy B (one unit)
 *	then          in-sync map, one bit per region, 1 = in sync; whole units
 *	then          slots: each one unit of slot header and whole units of dirty bits, one per
 *	              2^shift regions, 1 = dirty
 *
 * Whom to believe, one rule (disk_search applies it):
 *	kernel header valid     the kernel's bits are the truth and nobody has marks. Valid: magic
 *	                        "MiRr" = 0x4d695272 and version 2, or 1
 *	magic is "in use"       the superblock copy with a good checksum and the higher generation:
 *	                        in use (its owner's marks count), clean, or stale (no map counts)
 *	in use, no superblock   a log that is damaged: every region is stale
 *	neither, a superblock   somebody overwrote the header: every region is stale, because the
 *	                        kernel may have used the log since the superblock was written
 *	neither, nothing        no log
 * DISK_MAGIC_IN_USE is no log at all for the kernel. While copy A is good, copy B counts only at
 * the place that A names: what lies elsewhere is a remnant of another geometry.
 *
 * Order of writing, each step durable before the next:
 *	claim    in-sync map, slot bits, slot header, other slots emptied (but those that other
 *	         nodes of the cluster use), superblock B, unit 0 with superblock A, unit 0 with the
 *	         in-use header
 *	release  in-sync map, kernel bits with those in unit 0, slot emptied, superblock B (clean),
 *	         unit 0 with superblock A (clean) and the valid header
 * A power cut anywhere in it leaves the old truth or the new one, also when the write of a unit is
 * torn between its sectors: unit 0 changes its header and superblock A in a way that either may
 * arrive first, and bits and the header that makes them valid are never in the same write.
 * What release writes to the in-sync map are the kernel's bits (in sync and nothing to repair),
 * because the slot that tells crash-dirty regions apart is emptied after it.
 * A claim that finds maps in another layout than its own first writes superblock A as stale: the
 * new maps overwrite the old ones, and until they are complete neither may be believed.
 * Generations start from the clock, so that no remnant of an earlier life outbids a later one.
 *
 * Versions: a field that is appended to a header does not change the version. It is 0 in what was
 * written before it was there, and what does not know it ignores it; both must be right.
 */
#ifndef DLM_CODEC_DISK_H
#define DLM_CODEC_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISK_UNIT	    4096U
#define DISK_KERNEL_MAGIC   UINT32_C(0x4d695272)
#define DISK_KERNEL_VERSION 2U
#define DISK_MAGIC_IN_USE   UINT32_C(0x4d6c6f67) /* no kernel knows it */
#define DISK_SUPER_OFFSET   512U
#define DISK_SUPER_SIZE	    512U
#define DISK_BITS_OFFSET    1024U
#define DISK_SLOTS_DEFAULT  16U
#define DISK_SLOTS_MAX	    128U
#define DISK_FORMAT_VERSION 1U
#define DISK_UUID_SIZE	    129U
#define DISK_NAME_SIZE	    65U
#define DISK_REGIONS_MAX    (UINT64_C(1) << 40)
#define DISK_SEARCH_SIZE    65536U		 /* bytes that one step of a search reads at most */
#define DISK_SCAN_BYTES	    (UINT64_C(32) << 20) /* a search looks for a lost copy B this far */

/* Where everything is. All offsets and sizes in bytes, multiples of DISK_UNIT except where said. */
struct disk_layout {
	uint64_t region_count;
	uint64_t region_sectors;
	unsigned shift; /* a slot bit covers 2^shift regions */
	uint32_t slots;
	uint64_t slot_bits;   /* per slot */
	uint64_t super_b;     /* offset */
	uint64_t sync_offset; /* in-sync map */
	uint64_t sync_bytes;
	uint64_t slot_offset; /* slot 0 */
	uint64_t slot_stride; /* header and bits */
	uint64_t total_bytes;
};

/*
 * The layout for a device of device_bytes: the smallest shift with which DISK_SLOTS_DEFAULT slots
 * fit, then as many slots as fit up to DISK_SLOTS_MAX but not more than slots_wanted; when even one
 * unit of bits per slot leaves no room for the default, as many as fit. A slots_wanted of 0 is the
 * default; one below the default takes its place. -ENOSPC when not one fits: *ret_needed (may be
 * NULL) is the size in bytes that would do. -EINVAL: no region, more than DISK_REGIONS_MAX, or a
 * region size that is no power of two.
 */
int disk_layout_make(uint64_t region_count, uint64_t region_sectors, uint64_t device_bytes,
		     uint32_t slots_wanted, struct disk_layout *ret, uint64_t *ret_needed);

/* The one to count on from, where last is the highest that is known: from the clock (seconds since
 * 1970). */
uint64_t disk_generation(uint64_t last, uint64_t now_s);

bool disk_layout_equal(const struct disk_layout *a, const struct disk_layout *b);
static inline uint64_t disk_slot_offset(const struct disk_layout *l, uint32_t slot)
{
	return l->slot_offset +
	       slot * l->slot_stride; /* of its header; the bits are a unit later */
}

/* Who may have a device in use: all nodes of a cluster, or one host. cluster is empty for a
 * single-node daemon. */
struct disk_owner {
	char cluster[DISK_NAME_SIZE];
	char host_id[DISK_NAME_SIZE]; /* machine-id, or what the configuration says */
	char host_name[DISK_NAME_SIZE];
};

/* The same cluster, or where there is none the same host, whatever it calls itself. */
bool disk_owner_same(const struct disk_owner *a, const struct disk_owner *b);

struct disk_super {
	uint64_t generation; /* of every write; the higher of two good copies is believed */
	bool in_use;
	bool stale;		   /* maps and slots hold nothing (yet): every region is stale */
	char uuid[DISK_UUID_SIZE]; /* of the log */
	struct disk_owner owner;
	struct disk_layout layout;
	uint64_t revision; /* the highest of the tables that it was the log of; 0: none had one */
};

struct disk_slot {
	uint32_t index;
	bool in_use;
	uint64_t generation;
	char host_id[DISK_NAME_SIZE];
	char host_name[DISK_NAME_SIZE];
	char boot_id[DISK_NAME_SIZE]; /* of the boot that wrote the marks */
	uint32_t node; /* as the group calls it; 0: written before nodes had numbers */
};

struct disk_kernel_header {
	bool valid;  /* the kernel's own magic and a version it knows */
	bool in_use; /* DISK_MAGIC_IN_USE */
	uint32_t version;
	uint64_t region_count;
};

/* buffer: 512 bytes at offset 0. */
void disk_kernel_header_decode(const void *buffer, struct disk_kernel_header *ret);
/* valid: the kernel's header for region_count regions; else the in-use mark. Writes 512 bytes. */
void disk_kernel_header_encode(void *buffer, uint64_t region_count, bool valid);

/* buffer: DISK_SUPER_SIZE bytes. -ENODATA: not a superblock; -EBADMSG: checksum; -EPROTONOSUPPORT:
 * a newer format version (magic, version and checksum stay where they are in all versions);
 * -EINVAL: fields contradict each other (every offset is recomputed). */
int disk_super_decode(const void *buffer, struct disk_super *ret);
void disk_super_encode(void *buffer, const struct disk_super *super);

/* buffer: DISK_UNIT bytes; same errors. */
int disk_slot_decode(const void *buffer, struct disk_slot *ret);
void disk_slot_encode(void *buffer, const struct disk_slot *slot);

/* Bitmaps: bytes <-> host-order words; bytes is a multiple of 8. Both sides may be the same memory.
 */
void disk_bits_decode(const void *buffer, size_t bytes, uint64_t *ret_words);
void disk_bits_encode(void *buffer, size_t bytes, const uint64_t *words);

/*
 * Finds the superblocks and says whom to believe. The caller reads:
 *
 *	disk_search_begin(&search, device_bytes, region_count);
 *	while (disk_search_next(&search, &offset, &bytes))
 *		... read that into buffer ...
 *		disk_search_feed(&search, buffer);
 *
 * Offsets and sizes are whole units within the device; bytes is at most DISK_SEARCH_SIZE. The first
 * read is unit 0, the second copy B; only when copy A of a log in use is lost, more are needed to
 * look for copy B.
 */
enum disk_belief {
	DISK_BLANK,  /* no log */
	DISK_KERNEL, /* header: the kernel's bits are the truth */
	DISK_IN_USE, /* super: in-sync map and the slots in use */
	DISK_CLEAN,  /* super: the in-sync map. A release got this far and no further */
	DISK_STALE,  /* a log whose maps cannot be trusted: every region is stale; see remark */
	DISK_NEWER,  /* in use, in a format that this code does not know */
};

struct disk_search {
	/* The answer, once disk_search_next() returned false. */
	enum disk_belief belief;
	const char *remark; /* DISK_STALE: why. Else NULL */
	struct disk_kernel_header header;
	bool has_super;		 /* also where it is not believed */
	struct disk_super super; /* the good copy of the higher generation */
	uint64_t super_b;	 /* where copy B is or was looked for; 0: nowhere */
	int copy_a;		 /* what disk_super_decode() said of each copy; */
	int copy_b;		 /* -ENODATA also when it was not looked for */
	/* The search itself. */
	enum { DISK_SEARCH_UNIT0, DISK_SEARCH_COPY_B, DISK_SEARCH_SCAN, DISK_SEARCH_DONE } step;
	uint64_t device_bytes;
	uint64_t region_count;
	uint64_t scan_at;
};

/* region_count: of the table, where it is known; else 0. */
void disk_search_begin(struct disk_search *search, uint64_t device_bytes, uint64_t region_count);
bool disk_search_next(const struct disk_search *search, uint64_t *ret_offset, size_t *ret_bytes);
void disk_search_feed(struct disk_search *search, const void *buffer);

/* A log in use by somebody else: 0, or -EBUSY when another owner has it, -EEXIST when it is this
 * owner's but another log's, -EPROTONOSUPPORT when it is in use in a newer format. */
int disk_search_refuse(const struct disk_search *search, const struct disk_owner *owner,
		       const char *uuid);
/* Is what was found, believed or not, of the mirror with that log? */
bool disk_search_is_of(const struct disk_search *search, const char *uuid);
/* Has the mirror with that log had a later table than one of revision? Also a log at rest says so,
 * and one that the kernel's own log used since. */
bool disk_search_outdates(const struct disk_search *search, const char *uuid, uint64_t revision);

#endif
