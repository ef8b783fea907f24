/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemons/dlmirrord/statefile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/cursor.h"
#include "core/hot.h"
#include "core/mlog.h"

#define HEADER_SIZE   4096U
#define STATE_MAGIC   UINT32_C(0x646c6d73)
#define STATE_VERSION 10U

/* magic, version and checksum of the rest come first */
#define CHECKED_OFFSET 12U

static void header_encode(void *memory, const struct statefile_header *h)
{
	struct writer w =
	    writer_of((uint8_t *)memory + CHECKED_OFFSET, HEADER_SIZE - CHECKED_OFFSET);

	write_u64(&w, h->luid);
	write_string(&w, h->uuid);
	write_string(&w, h->args);
	write_u32(&w, h->version);
	write_u64(&w, h->region_count);
	write_u32(&w, h->shift);
	write_u32(&w, h->page_bytes);
	write_u32(&w, h->clustered);
	write_u32(&w, h->members);
	write_u32(&w, h->stale);
	write_zeros(&w, w.left);
	w = writer_of(memory, CHECKED_OFFSET);
	write_u32(&w, STATE_MAGIC);
	write_u32(&w, STATE_VERSION);
	write_u32(&w, crc32c((uint8_t *)memory + CHECKED_OFFSET, HEADER_SIZE - CHECKED_OFFSET));
}

static int header_decode(const void *memory, struct statefile_header *ret)
{
	struct reader r = reader_of(memory, HEADER_SIZE);
	uint32_t magic = read_u32(&r);
	uint32_t version = read_u32(&r);
	uint32_t checksum = read_u32(&r);

	if (magic != STATE_MAGIC)
		return -EBADMSG;
	if (version != STATE_VERSION)
		return -EPROTONOSUPPORT;
	if (checksum != crc32c(r.at, r.left))
		return -EBADMSG;
	ret->luid = read_u64(&r);
	read_string(&r, ret->uuid, sizeof(ret->uuid));
	read_string(&r, ret->args, sizeof(ret->args));
	ret->version = read_u32(&r);
	ret->region_count = read_u64(&r);
	ret->shift = read_u32(&r);
	ret->page_bytes = read_u32(&r);
	ret->clustered = read_u32(&r) != 0;
	ret->members = read_u32(&r);
	ret->stale = read_u32(&r) != 0;
	if (r.failed || ret->region_count == 0 || ret->shift > 63 || ret->page_bytes < 512 ||
	    ret->members == 0 || ret->members > MLOG_MEMBERS_MAX)
		return -EBADMSG;
	return 0;
}

static int state_map(int fd, size_t size, struct statefile *ret)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	ret->memory = memory;
	ret->size = size;
	ret->maps = (uint8_t *)memory + HEADER_SIZE;
	return 0;
}

int statefile_create(const char *run_dir, const struct statefile_header *header,
		     struct statefile *ret)
{
	size_t size = HEADER_SIZE + hot_bytes(header->region_count, header->shift);
	int error;
	int fd;

	snprintf(ret->path, sizeof(ret->path), "%s/logs/%016" PRIx64, run_dir, header->luid);
	unlink(ret->path);
	fd = open(ret->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	/* Every page now: later a full tmpfs would be a SIGBUS. */
	error = -posix_fallocate(fd, 0, (off_t)size);
	if (error == 0)
		error = state_map(fd, size, ret);
	close(fd);
	if (error != 0) {
		unlink(ret->path);
		return error;
	}
	header_encode(ret->memory, header);
	return 0;
}

int statefile_open(const char *path, struct statefile_header *ret_header, struct statefile *ret)
{
	struct stat st;
	int error;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	snprintf(ret->path, sizeof(ret->path), "%s", path);
	error = fstat(fd, &st) < 0 ? -errno : 0;
	if (error == 0 && st.st_size < (off_t)HEADER_SIZE)
		error = -EBADMSG;
	if (error == 0)
		error = state_map(fd, (size_t)st.st_size, ret);
	close(fd);
	if (error != 0)
		return error;
	error = header_decode(ret->memory, ret_header);
	if (error == 0 &&
	    ret->size != HEADER_SIZE + hot_bytes(ret_header->region_count, ret_header->shift))
		error = -EBADMSG;
	if (error != 0)
		statefile_close(ret, false);
	return error;
}

void statefile_close(struct statefile *s, bool remove)
{
	if (s->memory == NULL)
		return;
	munmap(s->memory, s->size);
	s->memory = NULL;
	if (remove)
		unlink(s->path);
}
