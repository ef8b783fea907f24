/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the one rule of disk.h: which superblock counts, and whether it or the kernel is believed.
 */
#include "codec/disk.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static uint64_t copy_b_offset(uint64_t region_count)
{
	uint64_t bytes = DISK_BITS_OFFSET + (region_count + 7) / 8;

	return (bytes + DISK_UNIT - 1) / DISK_UNIT * DISK_UNIT;
}

static bool unit_fits(const struct disk_search *search, uint64_t offset)
{
	return search->device_bytes >= DISK_UNIT && offset <= search->device_bytes - DISK_UNIT;
}

static uint64_t scan_end(const struct disk_search *search)
{
	uint64_t end = search->device_bytes / DISK_UNIT * DISK_UNIT;

	return end < DISK_SCAN_BYTES ? end : DISK_SCAN_BYTES;
}

static void super_consider(struct disk_search *search, const struct disk_super *super)
{
	if (search->has_super && search->super.generation >= super->generation)
		return;
	search->super = *super;
	search->has_super = true;
}

static void belief_stale(struct disk_search *search, const char *remark)
{
	search->belief = DISK_STALE;
	search->remark = remark;
}

static void believe_kernel(struct disk_search *search)
{
	uint64_t room = search->device_bytes - DISK_BITS_OFFSET;

	if (search->header.region_count <= room * 8)
		search->belief = DISK_KERNEL;
	else
		belief_stale(search,
			     "the kernel's header names more regions than the device has room for");
}

static void believe_super(struct disk_search *search)
{
	if (!search->has_super)
		belief_stale(search, "both superblocks are damaged");
	else if (search->super.stale)
		belief_stale(search, "a change of the geometry was interrupted");
	else if (search->super.layout.total_bytes > search->device_bytes)
		belief_stale(search, "the device is smaller than it was");
	else
		search->belief = search->super.in_use ? DISK_IN_USE : DISK_CLEAN;
}

static void search_conclude(struct disk_search *search)
{
	search->step = DISK_SEARCH_DONE;
	if (search->header.valid)
		believe_kernel(search);
	else if (!search->has_super &&
		 (search->copy_a == -EPROTONOSUPPORT || search->copy_b == -EPROTONOSUPPORT))
		search->belief = DISK_NEWER;
	else if (search->header.in_use)
		believe_super(search);
	else if (search->has_super)
		belief_stale(search, search->super.stale ? "the mirror has another log since"
							 : "the header was overwritten");
	else
		search->belief = DISK_BLANK;
}

void disk_search_begin(struct disk_search *search, uint64_t device_bytes, uint64_t region_count)
{
	*search = (struct disk_search){
	    .device_bytes = device_bytes,
	    .region_count = region_count <= DISK_REGIONS_MAX ? region_count : 0,
	    .copy_a = -ENODATA,
	    .copy_b = -ENODATA,
	    .scan_at = DISK_UNIT,
	};
	if (!unit_fits(search, 0))
		search_conclude(search);
}

bool disk_search_next(const struct disk_search *search, uint64_t *ret_offset, size_t *ret_bytes)
{
	uint64_t left;

	*ret_bytes = DISK_UNIT;
	switch (search->step) {
	case DISK_SEARCH_UNIT0:
		*ret_offset = 0;
		return true;
	case DISK_SEARCH_COPY_B:
		*ret_offset = search->super_b;
		return true;
	case DISK_SEARCH_SCAN:
		left = scan_end(search) - search->scan_at;
		*ret_offset = search->scan_at;
		*ret_bytes = left < DISK_SEARCH_SIZE ? (size_t)left : DISK_SEARCH_SIZE;
		return true;
	case DISK_SEARCH_DONE:
		break;
	}
	return false;
}

/* Where copy B should be, by the best source there is. Nothing names the place when copy A of a log
 * in use is lost: the table may have another geometry by now. */
static void search_after_unit0(struct disk_search *search)
{
	const struct disk_kernel_header *header = &search->header;

	if (search->has_super)
		search->super_b = search->super.layout.super_b;
	else if (header->valid && header->region_count <= DISK_REGIONS_MAX)
		search->super_b = copy_b_offset(header->region_count);
	else if (!header->in_use && search->region_count != 0)
		search->super_b = copy_b_offset(search->region_count);

	if (search->super_b != 0 && unit_fits(search, search->super_b))
		search->step = DISK_SEARCH_COPY_B;
	else if (!search->has_super && header->in_use && scan_end(search) > DISK_UNIT)
		search->step = DISK_SEARCH_SCAN;
	else
		search_conclude(search);
}

static void feed_unit0(struct disk_search *search, const uint8_t *buffer)
{
	struct disk_super super;

	disk_kernel_header_decode(buffer, &search->header);
	search->copy_a = disk_super_decode(buffer + DISK_SUPER_OFFSET, &super);
	if (search->copy_a == 0)
		super_consider(search, &super);
	search_after_unit0(search);
}

/* A copy B is one only where its own layout puts it. */
static int copy_b_decode(const uint8_t *buffer, uint64_t offset, struct disk_super *ret)
{
	int rc = disk_super_decode(buffer, ret);

	if (rc == 0 && ret->layout.super_b != offset)
		return -EINVAL;
	return rc;
}

static void feed_scan(struct disk_search *search, const uint8_t *buffer, size_t bytes)
{
	struct disk_super super;

	for (size_t at = 0; at < bytes; at += DISK_UNIT) {
		int rc = copy_b_decode(buffer + at, search->scan_at + at, &super);

		if (rc == 0) {
			super_consider(search, &super);
			search->super_b = search->super.layout.super_b;
		}
		/* A good copy says more than a bad one, and a bad one more than none. */
		if (rc == 0 || (rc != -ENODATA && search->copy_b != 0))
			search->copy_b = rc;
	}
	search->scan_at += bytes;
	if (search->scan_at >= scan_end(search))
		search_conclude(search);
}

void disk_search_feed(struct disk_search *search, const void *buffer)
{
	struct disk_super super;
	uint64_t offset;
	size_t bytes;
	bool wanted = disk_search_next(search, &offset, &bytes);

	assert(wanted);
	(void)wanted;
	switch (search->step) {
	case DISK_SEARCH_UNIT0:
		feed_unit0(search, buffer);
		break;
	case DISK_SEARCH_COPY_B:
		search->copy_b = copy_b_decode(buffer, search->super_b, &super);
		if (search->copy_b == 0)
			super_consider(search, &super);
		search_conclude(search);
		break;
	case DISK_SEARCH_SCAN:
		feed_scan(search, buffer, bytes);
		break;
	case DISK_SEARCH_DONE:
		break;
	}
}

/* In a cluster the superblock names the host that claimed the log for all of them. */
bool disk_owner_same(const struct disk_owner *a, const struct disk_owner *b)
{
	return strcmp(a->cluster, b->cluster) == 0 &&
	       (a->cluster[0] != '\0' || strcmp(a->host_id, b->host_id) == 0);
}

int disk_search_refuse(const struct disk_search *search, const struct disk_owner *owner,
		       const char *uuid)
{
	const struct disk_super *super = &search->super;

	if (search->belief == DISK_NEWER)
		return -EPROTONOSUPPORT;
	if (search->belief == DISK_KERNEL || !search->has_super || !super->in_use)
		return 0;
	if (!disk_owner_same(&super->owner, owner))
		return -EBUSY;
	return strcmp(super->uuid, uuid) == 0 ? 0 : -EEXIST;
}

bool disk_search_is_of(const struct disk_search *search, const char *uuid)
{
	return search->has_super && strcmp(search->super.uuid, uuid) == 0;
}

bool disk_search_outdates(const struct disk_search *search, const char *uuid, uint64_t revision)
{
	return disk_search_is_of(search, uuid) && search->super.revision > revision;
}
