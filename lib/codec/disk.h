/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log device: bytes <-> values. No I/O here.
 *
 * Layout, in units of 4096 bytes (DISK_UNIT), integers little-endian:
 *
 *	offset 0      kernel header: magic, version, nr_regions (32 bits each, 512 bytes reserved)
 *	offset 512    superblock copy A (512 bytes, in the gap that the kernel's log never uses)
 *	offset 1024   the kernel's clean bits, one per region, 1 = clean; up to the next unit
 *	then          superblock copy B (one unit)
 *	then          in-sync map, one bit per region, 1 = in sync; whole units
 *	then          slots: each one unit of slot header and whole units of dirty bits, one per
 *	              2^shift regions, 1 = dirty
 *
 * Whom to believe, one rule: a valid kernel header (magic "MiRr" = 0x4d695272, version 2; or version
 * 1) means that the kernel's bits are the truth and nobody has marks. While a node is attached the
 * magic is DISK_MAGIC_IN_USE, which the kernel takes for no log at all. Then the superblock copy with
 * a good checksum and the higher generation is believed: in use (owner's marks count) or clean.
 *
 * Order of writing. Claim: in-sync map, slot bits, slot header, superblock B, and last block 0
 * (superblock A and the invalid header). Release: in-sync map, kernel bits behind block 0, emptied
 * slot, superblock B (clean), and last block 0 (first bits, superblock A, valid header). A power cut
 * between two of them leaves either the old truth or the new one.
 */
#ifndef DLM_CODEC_DISK_H
#define DLM_CODEC_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISK_UNIT           4096U
#define DISK_KERNEL_MAGIC   UINT32_C(0x4d695272)
#define DISK_KERNEL_VERSION 2U
#define DISK_MAGIC_IN_USE   UINT32_C(0x4d6c6f67) /* no kernel knows it */
#define DISK_SUPER_OFFSET   512U
#define DISK_SUPER_SIZE     512U
#define DISK_BITS_OFFSET    1024U
#define DISK_SLOTS_DEFAULT  16U
#define DISK_SLOTS_MAX      128U
#define DISK_FORMAT_VERSION 1U
#define DISK_UUID_SIZE      129U
#define DISK_NAME_SIZE      65U

/* Where everything is. All offsets and sizes in bytes, multiples of DISK_UNIT except where said. */
struct disk_layout {
	uint64_t region_count;
	uint64_t region_sectors;
	unsigned shift; /* a slot bit covers 2^shift regions */
	uint32_t slots;
	uint64_t slot_bits;     /* per slot */
	uint64_t super_b;       /* offset */
	uint64_t sync_offset;   /* in-sync map */
	uint64_t sync_bytes;
	uint64_t slot_offset;   /* slot 0 */
	uint64_t slot_stride;   /* header and bits */
	uint64_t total_bytes;
};

/*
 * The layout for a device of device_bytes: the smallest shift with which DISK_SLOTS_DEFAULT slots
 * fit, then as many slots as fit up to DISK_SLOTS_MAX but not more than slots_wanted; when even one
 * unit of bits per slot leaves no room for the default, as many as fit. -ENOSPC when not one fits:
 * *ret_needed (may be NULL) is the size in bytes that would do.
 */
int disk_layout_make(uint64_t region_count, uint64_t region_sectors, uint64_t device_bytes,
		     uint32_t slots_wanted, struct disk_layout *ret, uint64_t *ret_needed);

/* Who may have a device in use. cluster is empty for a single-node daemon. */
struct disk_owner {
	char cluster[DISK_NAME_SIZE];
	char host_id[DISK_NAME_SIZE]; /* machine-id, or what the configuration says */
	char host_name[DISK_NAME_SIZE];
};

struct disk_super {
	uint64_t generation; /* of every write; the higher of two good copies is believed */
	bool in_use;
	char uuid[DISK_UUID_SIZE]; /* of the log */
	struct disk_owner owner;
	struct disk_layout layout;
};

struct disk_slot {
	uint32_t index;
	bool in_use;
	uint64_t generation;
	char host_id[DISK_NAME_SIZE];
	char host_name[DISK_NAME_SIZE];
	char boot_id[DISK_NAME_SIZE]; /* of the boot that wrote the marks */
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

/* buffer: DISK_SUPER_SIZE bytes. -ENODATA: not a superblock; -EBADMSG: checksum; -EPROTONOSUPPORT: a
 * newer format version; -EINVAL: fields contradict each other (every offset is recomputed). */
int disk_super_decode(const void *buffer, struct disk_super *ret);
void disk_super_encode(void *buffer, const struct disk_super *super);

/* buffer: DISK_UNIT bytes; same errors. */
int disk_slot_decode(const void *buffer, struct disk_slot *ret);
void disk_slot_encode(void *buffer, const struct disk_slot *slot);

/* Bitmaps: bytes <-> host-order words; bytes is a multiple of 8. */
void disk_bits_decode(const void *buffer, size_t bytes, uint64_t *ret_words);
void disk_bits_encode(void *buffer, size_t bytes, const uint64_t *words);

#endif
