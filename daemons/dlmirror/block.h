/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Block devices as the system shows them: size, who uses them, what is on them, what they are
 * called. */
#ifndef DLM_COMMAND_BLOCK_H
#define DLM_COMMAND_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BLOCK_TEXT_SIZE 320U

struct block {
	dev_t devno;
	uint64_t bytes;
	uint32_t block_bytes; /* logical block size */
};

/* 0 or negative errno; error then says what is wrong with path. */
int block_examine(const char *path, struct block *ret, char error[BLOCK_TEXT_SIZE]);

enum block_use {
	BLOCK_FREE,
	BLOCK_MOUNTED,
	BLOCK_MAPPED, /* by device-mapper devices, which share */
	BLOCK_BUSY,
};

/* who: by whom, in words. */
enum block_use block_used(const char *path, dev_t devno, char who[BLOCK_TEXT_SIZE]);

/* What libblkid takes the contents for ("ext4", "LVM2_member", "gpt partition table"); empty: for
 * nothing. 0 or negative errno. */
int block_signature(const char *path, char ret[BLOCK_TEXT_SIZE]);

/* A path of the device at path that stays the same, below /dev/disk or /dev/mapper; false when there
 * is none: then ret is path, made absolute. */
bool block_stable_path(const char *path, dev_t devno, char ret[BLOCK_TEXT_SIZE]);

/* The device's usual path, "/dev/mapper/x" or "/dev/sda"; empty when the system does not know it.
 */
void block_name(unsigned major, unsigned minor, char ret[BLOCK_TEXT_SIZE]);

#endif
