/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The constructor string of a log (CTR payload) and the two status strings.
 *
 *	<sectors> clustered-core <region_size> [[no]sync] [block_on_error] [revision=<n>]
 *	<sectors> clustered-disk <device> <region_size> [[no]sync] [block_on_error] [revision=<n>]
 *
 * sectors is the mirror's length. The revision counts the changes of what the mirror is made of: a
 * log device that has had a later one refuses the table, and so do members with another. The kernel has stripped the uuid and integrated_flush already; a
 * leading integrated_flush is accepted all the same. device is major:minor or an absolute path.
 */
#ifndef DLM_CODEC_TABLE_H
#define DLM_CODEC_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/mlog.h"

#define TABLE_DEVICE_SIZE                                                                          \
	128U /* a device name with its NUL: what the kernel takes in a CTR reply */
#define TABLE_ERROR_SIZE    160U
#define TABLE_REVISION_WORD "revision=" /* a number follows, from 1 to: */
#define TABLE_REVISION_MAX  (UINT64_MAX >> 1)
/* Six bits of locked memory per region: a table must not be able to ask for more than the host has.
 */
#define TABLE_REGIONS_MAX (UINT64_C(1) << 30)

struct table {
	uint64_t length_sectors;
	uint64_t region_sectors;
	uint64_t region_count;
	bool has_disk;
	char device[TABLE_DEVICE_SIZE]; /* as given; empty for clustered-core */
	enum mlog_sync sync;
	bool block_on_error;
	bool integrated_flush;
	uint64_t revision; /* 0: it does not say */
};

/* text: size bytes, with or without a final NUL. On failure -EINVAL, and error says what is wrong
 * and what would be right. Region sizes are powers of two from 8 sectors (4 KiB) to 2^31 sectors.
 */
int table_parse(const char *text, size_t size, struct table *ret, char error[TABLE_ERROR_SIZE]);

/* "1 clustered-core" or "3 clustered-disk <devno> <A|D>"; log_alive chooses the letter. Returns the
 * length without the NUL, or -ENOSPC. device is "major:minor". */
int table_status_info(const struct table *t, const char *device, bool log_alive, char *ret,
		      size_t cap);
/* The arguments as they stand in a table: "<count> clustered-disk <device> <region_size> …". */
int table_status_table(const struct table *t, char *ret, size_t cap);

#endif
