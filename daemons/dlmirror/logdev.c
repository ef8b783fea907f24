// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/logdev.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "daemons/common/message.h"

#define CHUNK_BYTES ((size_t)1 << 20)

static int __attribute__((format(printf, 4, 5)))
refuse(char error[LOGDEV_ERROR_SIZE], int code, enum message message, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message_vmake(error, LOGDEV_ERROR_SIZE, message, format, args);
	va_end(args);
	return code;
}

/* Aligned for O_DIRECT, as offsets and sizes here are. */
static void *buffer_make(size_t bytes)
{
	void *buffer = NULL;

	return posix_memalign(&buffer, DISK_UNIT, bytes) == 0 ? buffer : NULL;
}

static int all_read(int fd, void *buffer, size_t bytes, uint64_t offset)
{
	ssize_t got = pread(fd, buffer, bytes, (off_t)offset);

	if (got < 0)
		return -errno;
	return (size_t)got == bytes ? 0 : -EIO;
}

static int all_write(int fd, const void *buffer, size_t bytes, uint64_t offset)
{
	ssize_t done = pwrite(fd, buffer, bytes, (off_t)offset);

	if (done < 0)
		return -errno;
	if ((size_t)done != bytes)
		return -EIO;
	return fdatasync(fd) == 0 ? 0 : -errno;
}

static int search_run(struct logdev *log, uint64_t region_count, char error[LOGDEV_ERROR_SIZE])
{
	void *buffer = buffer_make(DISK_SEARCH_SIZE);
	uint64_t offset;
	size_t bytes;
	int result = 0;

	if (!buffer)
		return refuse(error, -ENOMEM, MSG_NO_MEMORY, "no memory");
	disk_search_begin(&log->search, log->bytes, region_count);
	while (result == 0 && disk_search_next(&log->search, &offset, &bytes)) {
		result = all_read(log->fd, buffer, bytes, offset);
		if (result == 0)
			disk_search_feed(&log->search, buffer);
	}
	free(buffer);
	if (result != 0)
		return refuse(error, result, MSG_DEVICE_UNREADABLE, "%s cannot be read: %s",
			      log->path, strerror(-result));
	return 0;
}

static int size_get(int fd, uint64_t *ret)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return -errno;
	if (S_ISREG(status.st_mode)) {
		*ret = (uint64_t)status.st_size;
		return 0;
	}
	if (!S_ISBLK(status.st_mode))
		return -ENOTBLK;
	return ioctl(fd, BLKGETSIZE64, ret) == 0 ? 0 : -errno;
}

/* Past the page cache, which may hold what was there before the daemon wrote; files of some file
 * systems can only be read through it. */
static int device_open(const char *path, int access)
{
	int flags = O_CLOEXEC | access;
	int fd = open(path, flags | O_DIRECT);

	if (fd < 0 && errno == EINVAL)
		fd = open(path, flags);
	return fd < 0 ? -errno : fd;
}

static int log_open(const char *path, int access, uint64_t region_count, struct logdev *ret,
		    char error[LOGDEV_ERROR_SIZE])
{
	struct logdev log = {.path = path, .fd = device_open(path, access)};
	int result;

	if (log.fd == -EBUSY)
		return refuse(error, -EBUSY, MSG_LOG_DEVICE_IN_USE,
			      "%s is in use on this host, perhaps by an active mirror; dlmirror "
			      "list shows those",
			      path);
	if (log.fd < 0)
		return refuse(error, log.fd, MSG_DEVICE_UNOPENABLE, "%s cannot be opened: %s", path,
			      strerror(-log.fd));
	result = size_get(log.fd, &log.bytes);
	if (result == 0)
		result = search_run(&log, region_count, error);
	else
		(void)refuse(error, result, MSG_NOT_A_BLOCK_DEVICE,
			     "%s is not a block device, nor a file", path);
	if (result != 0) {
		(void)close(log.fd);
		return result;
	}
	*ret = log;
	return 0;
}

int logdev_open(const char *path, bool write, uint64_t region_count, struct logdev *ret,
		char error[LOGDEV_ERROR_SIZE])
{
	return log_open(path, write ? O_RDWR | O_EXCL : O_RDONLY, region_count, ret, error);
}

int logdev_open_beside(const char *path, struct logdev *ret, char error[LOGDEV_ERROR_SIZE])
{
	return log_open(path, O_RDWR, 0, ret, error);
}

void logdev_close(struct logdev *log)
{
	(void)close(log->fd);
}

int logdev_read(const struct logdev *log, uint64_t offset, size_t size, void *ret)
{
	uint64_t unit = offset / DISK_UNIT * DISK_UNIT;
	uint8_t *buffer = buffer_make(DISK_UNIT);
	int result = buffer ? 0 : -ENOMEM;

	if (result == 0)
		result = all_read(log->fd, buffer, DISK_UNIT, unit);
	if (result == 0)
		memcpy(ret, buffer + (offset - unit), size);
	free(buffer);
	return result;
}

int logdev_bits_read(const struct logdev *log, uint64_t offset, size_t skip, uint64_t nbits,
		     logdev_bits *take, void *context)
{
	uint8_t *buffer = buffer_make(CHUNK_BYTES);
	uint64_t left = nbits;
	int result = buffer ? 0 : -ENOMEM;

	while (result == 0 && left > 0) {
		uint64_t here = (CHUNK_BYTES - skip) * 8;
		size_t bytes;

		if (here > left)
			here = left;
		bytes =
		    (skip + (size_t)((here + 63) / 64 * 8) + DISK_UNIT - 1) / DISK_UNIT * DISK_UNIT;
		result = all_read(log->fd, buffer, bytes, offset);
		if (result != 0)
			break;
		/* Moved to the front: words must be aligned. */
		memmove(buffer, buffer + skip, bytes - skip);
		disk_bits_decode(buffer, (size_t)((here + 63) / 64 * 8),
				 (uint64_t *)(void *)buffer);
		take(context, (uint64_t *)(void *)buffer, nbits - left, here);
		left -= here;
		offset += bytes;
		skip = 0;
	}
	free(buffer);
	return result;
}

static void bits_add(void *context, const uint64_t *words, uint64_t first, uint64_t count)
{
	uint64_t *sum = context;

	(void)first;
	*sum += bits_count(words, count);
}

static int bits_read_count(const struct logdev *log, uint64_t offset, size_t skip, uint64_t nbits,
			   uint64_t *ret)
{
	uint64_t count = 0;
	int result = logdev_bits_read(log, offset, skip, nbits, bits_add, &count);

	if (result == 0)
		*ret = count;
	return result;
}

int logdev_slot(const struct logdev *log, uint32_t i, struct disk_slot *ret)
{
	void *buffer = buffer_make(DISK_UNIT);
	int result = buffer ? 0 : -ENOMEM;

	if (result == 0)
		result = all_read(log->fd, buffer, DISK_UNIT,
				  disk_slot_offset(&log->search.super.layout, i));
	if (result == 0)
		result = disk_slot_decode(buffer, ret);
	if (result == 0 && ret->index != i)
		result = -EINVAL;
	free(buffer);
	return result;
}

static int slots_count(const struct logdev *log, struct logdev_count *ret)
{
	const struct disk_layout *l = &log->search.super.layout;
	struct disk_slot slot;
	uint64_t dirty;
	uint32_t i;
	int result = 0;

	for (i = 0; i < l->slots && result == 0; i++) {
		result = logdev_slot(log, i, &slot);
		if (result == -EIO || result == -ENOMEM)
			break;
		if (result != 0) {
			ret->damaged = true;
			result = 0;
			continue;
		}
		if (!slot.in_use)
			continue;
		ret->slots_in_use++;
		result = bits_read_count(log, disk_slot_offset(l, i) + DISK_UNIT, 0, l->slot_bits,
					 &dirty);
		if (result == 0)
			ret->dirty += dirty;
	}
	return result;
}

int logdev_count(const struct logdev *log, struct logdev_count *ret, char error[LOGDEV_ERROR_SIZE])
{
	const struct disk_search *search = &log->search;
	struct logdev_count count = {0};
	int result = 0;

	if (search->belief == DISK_KERNEL)
		result = bits_read_count(log, 0, DISK_BITS_OFFSET, search->header.region_count,
					 &count.in_sync);
	else if (search->belief == DISK_IN_USE || search->belief == DISK_CLEAN)
		result = bits_read_count(log, search->super.layout.sync_offset, 0,
					 search->super.layout.region_count, &count.in_sync);
	if (result == 0 && search->belief == DISK_IN_USE)
		result = slots_count(log, &count);
	if (result != 0)
		return refuse(error, result, MSG_DEVICE_UNREADABLE, "%s cannot be read: %s",
			      log->path, strerror(-result));
	*ret = count;
	return 0;
}

/* Changes part of a unit on the device. */
static int unit_change(const struct logdev *log, uint64_t offset, size_t at, const void *data,
		       size_t bytes)
{
	uint8_t *buffer = buffer_make(DISK_UNIT);
	int result = buffer ? 0 : -ENOMEM;

	if (result == 0)
		result = all_read(log->fd, buffer, DISK_UNIT, offset);
	if (result == 0) {
		memcpy(buffer + at, data, bytes);
		result = all_write(log->fd, buffer, DISK_UNIT, offset);
	}
	free(buffer);
	return result;
}

static int unwritable(const struct logdev *log, int result, char error[LOGDEV_ERROR_SIZE])
{
	return refuse(error, result, MSG_DEVICE_UNWRITABLE, "%s cannot be written: %s", log->path,
		      strerror(-result));
}

/* Copy B first: as in a claim, copy A is what makes the change count. */
static int super_change(struct logdev *log, struct disk_super *super, char error[LOGDEV_ERROR_SIZE])
{
	uint8_t bytes[DISK_SUPER_SIZE];
	int result;

	super->generation++;
	disk_super_encode(bytes, super);
	result = unit_change(log, super->layout.super_b, 0, bytes, sizeof(bytes));
	if (result == 0)
		result = unit_change(log, 0, DISK_SUPER_OFFSET, bytes, sizeof(bytes));
	if (result != 0)
		return unwritable(log, result, error);
	log->search.super = *super;
	return 0;
}

int logdev_adopt(struct logdev *log, const struct disk_owner *owner, char error[LOGDEV_ERROR_SIZE])
{
	struct disk_super super = log->search.super;

	super.owner = *owner;
	return super_change(log, &super, error);
}

int logdev_wipe(struct logdev *log, char error[LOGDEV_ERROR_SIZE])
{
	static const uint8_t zeros[DISK_BITS_OFFSET];
	int result = 0;

	if (log->search.has_super)
		result =
		    unit_change(log, log->search.super.layout.super_b, 0, zeros, sizeof(zeros));
	if (result == 0)
		result = unit_change(log, 0, 0, zeros, sizeof(zeros));
	if (result != 0)
		return unwritable(log, result, error);
	return 0;
}

int logdev_retire(struct logdev *log, uint64_t revision, char error[LOGDEV_ERROR_SIZE])
{
	static const uint8_t no_header[DISK_SUPER_OFFSET];
	struct disk_super super = log->search.super;
	int result;

	if (!log->search.has_super)
		return logdev_wipe(log, error);
	super.revision = revision;
	super.in_use = false;
	super.stale = true;
	result = super_change(log, &super, error);
	if (result != 0)
		return result;
	result = unit_change(log, 0, 0, no_header, sizeof(no_header));
	return result == 0 ? 0 : unwritable(log, result, error);
}

/* Of the kernel's bits: on their way from one device to another. */
struct copying {
	struct logdev *to;
	uint8_t *unit; /* that is being filled */
	uint64_t offset;
	size_t used;
	int result;
};

static void unit_put(struct copying *c)
{
	if (c->result == 0)
		c->result = all_write(c->to->fd, c->unit, DISK_UNIT, c->offset);
	c->offset += DISK_UNIT;
	memset(c->unit, 0, DISK_UNIT);
	c->used = 0;
}

static void copy_take(void *context, const uint64_t *words, uint64_t first, uint64_t count)
{
	struct copying *c = context;

	(void)first;
	for (size_t i = 0; i < bits_words(count); i++) {
		uint64_t word = words[i];

		if (i == bits_words(count) - 1 && count % BITS_PER_WORD != 0)
			word &= bits_mask(count) - 1;
		if (c->used == DISK_UNIT)
			unit_put(c);
		disk_bits_encode(c->unit + c->used, sizeof(word), &word);
		c->used += sizeof(word);
	}
}

static int bits_copy(const struct logdev *from, struct logdev *to, uint64_t regions)
{
	const struct disk_search *search = &from->search;
	bool kernel = search->belief == DISK_KERNEL;
	struct copying c = {.to = to, .unit = buffer_make(DISK_UNIT), .used = DISK_BITS_OFFSET};
	int result = c.unit ? 0 : -ENOMEM;

	if (result == 0) {
		memset(c.unit, 0, DISK_UNIT);
		result = logdev_bits_read(from, kernel ? 0 : search->super.layout.sync_offset,
					  kernel ? DISK_BITS_OFFSET : 0, regions, copy_take, &c);
	}
	if (result == 0) {
		unit_put(&c);
		result = c.result;
	}
	free(c.unit);
	return result;
}

int logdev_copy(const struct logdev *from, struct logdev *to, char error[LOGDEV_ERROR_SIZE])
{
	const struct disk_search *search = &from->search;
	uint64_t regions = search->belief == DISK_KERNEL ? search->header.region_count
							 : search->super.layout.region_count;
	uint8_t header[DISK_SUPER_OFFSET];
	int result = logdev_wipe(to, error);

	if (result != 0)
		return result;
	if (search->belief != DISK_KERNEL && search->belief != DISK_CLEAN)
		return -ENODATA;
	if (regions / 8 + DISK_BITS_OFFSET + 8 > to->bytes)
		return refuse(error, -ENOSPC, MSG_LOG_DEVICE_TOO_SMALL,
			      "%s is too small for a log of %" PRIu64 " regions", to->path,
			      regions);
	result = bits_copy(from, to, regions);
	disk_kernel_header_encode(header, regions, true);
	if (result == 0)
		result = unit_change(to, 0, 0, header, sizeof(header));
	if (result != 0)
		return refuse(error, result, MSG_DEVICE_UNWRITABLE,
			      "what %s knows cannot be copied to %s: %s", from->path, to->path,
			      strerror(-result));
	return 0;
}

static int sync_fill(struct logdev *log, const struct disk_layout *l, bool in_sync)
{
	struct copying c = {
	    .to = log, .unit = buffer_make(DISK_UNIT), .offset = l->sync_offset, .used = 0};
	const uint64_t all = UINT64_MAX;

	if (!c.unit)
		return -ENOMEM;
	memset(c.unit, 0, DISK_UNIT);
	for (uint64_t first = 0; first < l->region_count; first += BITS_PER_WORD) {
		uint64_t left = l->region_count - first;
		uint64_t some = !in_sync ? 0 : left < BITS_PER_WORD ? bits_mask(left) - 1 : all;

		copy_take(&c, &some, first, BITS_PER_WORD);
	}
	unit_put(&c);
	free(c.unit);
	return c.result;
}

int logdev_prepare(struct logdev *log, const struct disk_super *wanted, bool in_sync,
		   char error[LOGDEV_ERROR_SIZE])
{
	struct disk_super super = *wanted;
	uint8_t header[DISK_SUPER_OFFSET];
	int result = disk_layout_make(wanted->layout.region_count, wanted->layout.region_sectors,
				      log->bytes, 0, &super.layout, NULL);

	if (result != 0)
		return refuse(error, result, MSG_LOG_DEVICE_TOO_SMALL,
			      "%s is too small for a log of %" PRIu64 " regions", log->path,
			      wanted->layout.region_count);
	super.generation = disk_generation(log->search.has_super ? log->search.super.generation : 0,
					   (uint64_t)time(NULL));
	super.in_use = false;
	super.stale = false;
	result = logdev_wipe(log, error);
	if (result != 0)
		return result;
	result = sync_fill(log, &super.layout, in_sync);
	if (result != 0)
		return unwritable(log, result, error);
	result = super_change(log, &super, error);
	if (result != 0)
		return result;
	disk_kernel_header_encode(header, super.layout.region_count, false);
	result = unit_change(log, 0, 0, header, sizeof(header));
	return result == 0 ? 0 : unwritable(log, result, error);
}
