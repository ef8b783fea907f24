/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owns an open log device: who it is, its layout, and the writes of single pages. A page write
 * allocates nothing: it stands in the way of the mirror's own writes.
 */
#include "daemons/dlmirrord/storage.h"

#include <assert.h>
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
#include <unistd.h>

#include "base/bits.h"
#include "daemons/common/message.h"
#include "daemons/dlmirrord/devmap.h"
#include "daemons/dlmirrord/storage_internal.h"

#define FILE_PAGE_BYTES 512U /* of a regular file (for tests): as small as a device's can be */

/* Names that come from the device may hold anything; the text ends up on terminals. */
static void __attribute__((format(printf, 3, 4)))
error_set(char *error, enum message message, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message_vmake(error, STORAGE_ERROR_SIZE, message, format, args);
	va_end(args);
	for (char *c = error; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

/* Opening */

static int path_find(const char *device, char *ret, size_t cap, char *error)
{
	dev_t devno;
	int rc;

	if (device[0] == '/') {
		if (strlen(device) >= cap) {
			error_set(error, MSG_PATH_TOO_LONG,
				  "the path of the log device is too long: %s", device);
			return -ENAMETOOLONG;
		}
		strcpy(ret, device);
		return 0;
	}
	rc = devmap_number(device, &devno);
	if (rc == 0)
		rc = devmap_path(devno, ret, cap);
	if (rc < 0)
		error_set(error, MSG_DEVICE_UNOPENABLE, "log device %s: %s", device, strerror(-rc));
	return rc;
}

/* Direct I/O everywhere but on file systems that cannot do it, or not in pages of ours: the log may
 * be a file only in tests. */
static int fd_open(const char *path, bool is_file, int *ret)
{
	const int flags = O_RDWR | O_CLOEXEC | O_DSYNC;
	void *probe;
	int fd;

	fd = open(path, flags | O_DIRECT);
	if (fd < 0 && is_file && errno == EINVAL)
		fd = open(path, flags);
	if (fd < 0)
		return -errno;
	*ret = fd;
	if (!is_file)
		return 0;
	probe = aligned_alloc_zero(DISK_UNIT);
	if (probe != NULL && pread(fd, probe, FILE_PAGE_BYTES, FILE_PAGE_BYTES) < 0)
		fcntl(fd, F_SETFL, flags);
	free(probe);
	return 0;
}

static int geometry_find(struct storage *s, bool is_file, const struct stat *st)
{
	uint64_t bytes;
	int block;

	if (is_file) {
		s->devno = st->st_dev;
		s->inode = st->st_ino;
		s->page_bytes = FILE_PAGE_BYTES;
		s->device_bytes = (uint64_t)st->st_size;
		return 0;
	}
	if (ioctl(s->fd, BLKSSZGET, &block) < 0 || ioctl(s->fd, BLKGETSIZE64, &bytes) < 0)
		return -errno;
	s->devno = st->st_rdev;
	s->page_bytes = (uint32_t)block;
	s->device_bytes = bytes;
	return 0;
}

static int device_open(struct storage *s, const char *device, char *error)
{
	char path[PATH_MAX];
	struct stat st;
	bool is_file;
	int rc;

	rc = path_find(device, path, sizeof(path), error);
	if (rc < 0)
		return rc;
	/* Before open(), which would wait for a writer if this were a pipe. */
	if (stat(path, &st) < 0) {
		rc = -errno;
		error_set(error, MSG_DEVICE_UNOPENABLE, "log device %s: %s", device, strerror(-rc));
		return rc;
	}
	is_file = S_ISREG(st.st_mode);
	if (!is_file && !S_ISBLK(st.st_mode)) {
		error_set(error, MSG_NOT_A_BLOCK_DEVICE, "log device %s is not a block device",
			  device);
		return -ENOTBLK;
	}
	rc = fd_open(path, is_file, &s->fd);
	if (rc == 0)
		rc = geometry_find(s, is_file, &st);
	if (rc < 0)
		error_set(error, MSG_DEVICE_UNOPENABLE, "cannot open log device %s: %s", device,
			  strerror(-rc));
	return rc;
}

static int layout_choose(struct storage *s, const struct storage_spec *spec, char *error)
{
	uint64_t needed = 0;
	int rc;

	if (s->page_bytes > DISK_UNIT || s->page_bytes < 512) {
		error_set(error, MSG_LOG_DEVICE_UNFIT,
			  "log device %s has blocks of %" PRIu32 " bytes, more than %u", s->name,
			  s->page_bytes, DISK_UNIT);
		return -EOPNOTSUPP;
	}
	rc = disk_layout_make(spec->region_count, spec->region_sectors, s->device_bytes,
			      spec->slots_wanted, &s->layout, &needed);
	if (rc == -ENOSPC)
		error_set(error, MSG_LOG_DEVICE_TOO_SMALL,
			  "log device %s has %" PRIu64 " bytes and needs %" PRIu64 " for %" PRIu64
			  " regions: enlarge it, or use larger regions",
			  s->name, s->device_bytes, needed, spec->region_count);
	else if (rc < 0)
		error_set(error, MSG_LOG_DEVICE_UNFIT,
			  "log device %s: no layout for %" PRIu64 " regions of %" PRIu64 " sectors",
			  s->name, spec->region_count, spec->region_sectors);
	return rc;
}

static int search_run(struct storage *s, struct disk_search *search)
{
	uint8_t *buffer = aligned_alloc_zero(DISK_SEARCH_SIZE);
	uint64_t offset;
	size_t bytes;
	int rc = 0;

	if (buffer == NULL)
		return -ENOMEM;
	disk_search_begin(search, s->device_bytes, s->layout.region_count);
	while (disk_search_next(search, &offset, &bytes)) {
		ssize_t n = pread(s->fd, buffer, bytes, (off_t)offset);

		if (n != (ssize_t)bytes) {
			rc = n < 0 ? -errno : -EIO;
			break;
		}
		disk_search_feed(search, buffer);
	}
	free(buffer);
	return rc;
}

/* Legs that were replaced since have missed what was written since. */
static int revision_check(const struct storage *s, const struct disk_search *search, char *error)
{
	if (!disk_search_outdates(search, s->uuid, s->revision))
		return 0;
	error_set(error, MSG_TABLE_OUTDATED,
		  "log device %s has been that of revision %" PRIu64
		  " of the mirror, and this table has revision %" PRIu64
		  ": its legs may be outdated; dlmirror config list shows who has a newer "
		  "configuration",
		  s->name, search->super.revision, s->revision);
	return -ESTALE;
}

static int owner_check(const struct storage *s, const struct disk_search *search, char *error)
{
	const struct disk_super *super = &search->super;
	bool cluster = super->owner.cluster[0] != '\0';
	int rc = disk_search_refuse(search, &s->owner, s->uuid);

	if (rc == -EPROTONOSUPPORT)
		error_set(error, MSG_LOG_NEWER,
			  "log device %s is in use in a newer format: use a newer dlmirrord",
			  s->name);
	else if (rc == -EBUSY)
		error_set(error, MSG_LOG_OF_ANOTHER_HOST,
			  "log device %s is in use by host %s (id %s)%s%s; if that host does not "
			  "write the mirror any more: dlmirror log adopt %s",
			  s->name, super->owner.host_name, super->owner.host_id,
			  cluster ? " of cluster " : "", super->owner.cluster, s->name);
	else if (rc == -EEXIST)
		error_set(error, MSG_LOG_OF_ANOTHER_MIRROR,
			  "log device %s is in use by another mirror of this host, log uuid %s",
			  s->name, super->uuid);
	return rc == -EEXIST ? -EBUSY : rc;
}

/*
 * A log that we have in use keeps its layout, also when the device or the number of slots asked for
 * has changed: marks of this boot may be in it, and a daemon that was restarted goes on writing
 * pages without a claim.
 */
static int state_find(struct storage *s, const struct storage_spec *spec, char *error)
{
	struct disk_search search;
	int rc;

	rc = search_run(s, &search);
	if (rc < 0) {
		error_set(error, MSG_DEVICE_UNREADABLE, "cannot read log device %s: %s", s->name,
			  strerror(-rc));
		return rc;
	}
	rc = owner_check(s, &search, error);
	if (rc == 0)
		rc = revision_check(s, &search, error);
	if (rc < 0)
		return rc;
	if (search.belief == DISK_IN_USE &&
	    search.super.layout.region_count == spec->region_count &&
	    search.super.layout.region_sectors == spec->region_sectors) {
		s->layout = search.super.layout;
		s->generation = search.super.generation;
		s->claimed = true;
	}
	s->prepared = search.belief == DISK_CLEAN && s->revision != 0 &&
		      disk_search_is_of(&search, s->uuid) && search.super.revision == s->revision;
	return 0;
}

static void page_done(struct aio_op *op, int error)
{
	struct page_op *p = (struct page_op *)(void *)op; /* its first member */
	struct storage *s = op->storage;

	p->busy = false;
	s->callbacks.written(s->context, p->area, p->page, error);
}

static uint64_t area_bytes(const struct storage *s, enum mlog_area area)
{
	return area == MLOG_AREA_SYNC ? s->layout.sync_bytes : s->layout.slot_stride - DISK_UNIT;
}

/* Small mirrors have fewer pages than may be in flight. */
static int pages_alloc(struct storage *s)
{
	uint8_t *buffer;

	for (unsigned area = 0; area < 2; area++) {
		uint64_t count = area_bytes(s, (enum mlog_area)area) / s->page_bytes;

		s->pages[area] = count < MLOG_BATCH_MAX ? (unsigned)count : MLOG_BATCH_MAX;
		s->page[area] = calloc(s->pages[area], sizeof(*s->page[area]));
		if (s->page[area] == NULL)
			return -ENOMEM;
	}
	s->page_buffers = aligned_alloc_zero((size_t)(s->pages[0] + s->pages[1]) * s->page_bytes);
	if (s->page_buffers == NULL)
		return -ENOMEM;
	buffer = s->page_buffers;
	for (unsigned area = 0; area < 2; area++) {
		for (unsigned i = 0; i < s->pages[area]; i++) {
			s->page[area][i] = (struct page_op){
			    .op = {.storage = s, .done = page_done},
			    .area = (enum mlog_area)area,
			    .buffer = buffer,
			};
			buffer += s->page_bytes;
		}
	}
	return 0;
}

int storage_look(const struct storage_spec *spec, struct storage **ret,
		 char error[STORAGE_ERROR_SIZE])
{
	struct storage *s = calloc(1, sizeof(*s));
	int rc;

	error[0] = '\0';
	if (s == NULL) {
		error_set(error, MSG_DAEMON_NO_MEMORY, "out of memory");
		return -ENOMEM;
	}
	s->fd = -1;
	s->node = spec->node;
	s->revision = spec->revision;
	s->owner = spec->owner;
	snprintf(s->name, sizeof(s->name), "%s", spec->device);
	snprintf(s->uuid, sizeof(s->uuid), "%s", spec->uuid);
	snprintf(s->boot_id, sizeof(s->boot_id), "%s", spec->boot_id);
	jobs_init(s);
	rc = device_open(s, spec->device, error);
	if (rc == 0)
		rc = layout_choose(s, spec, error);
	if (rc == 0)
		rc = state_find(s, spec, error);
	if (rc == 0 && pages_alloc(s) < 0) {
		error_set(error, MSG_DAEMON_NO_MEMORY, "out of memory");
		rc = -ENOMEM;
	}
	if (rc < 0) {
		storage_free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

uint64_t storage_revision(const struct storage *s)
{
	return s->revision_found;
}

bool storage_prepared(const struct storage *s)
{
	return s->prepared;
}

int storage_descriptor(const struct storage *s)
{
	return s->fd;
}

void storage_descriptor_set(struct storage *s, int fd)
{
	s->fd = fd;
}

void storage_use(struct storage *s, struct storage_engine *engine,
		 const struct storage_callbacks *callbacks, void *context)
{
	s->engine = engine;
	s->callbacks = *callbacks;
	s->context = context;
}

/* Closing */

void storage_free(struct storage *s)
{
	void (*ended)(void *context) = s->ended;
	void *context = s->ended_context;

	jobs_free(s);
	free(s->page[0]);
	free(s->page[1]);
	free(s->page_buffers);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
	if (ended != NULL)
		ended(context);
}

struct storage *storage_close(struct storage *s)
{
	if (s == NULL)
		return NULL;
	assert(storage_in_flight(s) == 0);
	storage_free(s);
	return NULL;
}

struct storage *storage_abandon(struct storage *s, void (*ended)(void *context), void *context)
{
	struct storage **at;

	if (s == NULL) {
		if (ended != NULL)
			ended(context);
		return NULL;
	}
	for (at = &s->engine->waiting; *at != NULL; at = &(*at)->next_waiting) {
		if (*at == s) {
			*at = s->next_waiting;
			break;
		}
	}
	aio_withdraw(s);
	s->ended = ended;
	s->ended_context = context;
	if (s->in_flight == 0) {
		storage_free(s);
		return NULL;
	}
	s->abandoned = true;
	s->next_abandoned = s->engine->abandoned;
	s->engine->abandoned = s;
	return NULL;
}

bool storage_op_ended(struct storage *s)
{
	struct storage **at = &s->engine->abandoned;

	s->in_flight--;
	if (!s->abandoned)
		return true;
	if (s->in_flight > 0)
		return false;
	while (*at != s)
		at = &(*at)->next_abandoned;
	*at = s->next_abandoned;
	storage_free(s);
	return false;
}

/* What is known */

unsigned storage_in_flight(const struct storage *s)
{
	unsigned pages = 0;

	for (unsigned area = 0; area < 2; area++)
		for (unsigned i = 0; i < s->pages[area]; i++)
			pages += s->page[area][i].busy;
	return pages + jobs_count(s);
}

const struct disk_layout *storage_layout(const struct storage *s)
{
	return &s->layout;
}

uint32_t storage_page_bytes(const struct storage *s)
{
	return s->page_bytes;
}

dev_t storage_devno(const struct storage *s)
{
	return s->devno;
}

/* Writing */

void storage_words(const struct storage *s, enum mlog_area area, uint64_t first, size_t bytes,
		   uint8_t *ret)
{
	uint64_t bits = area == MLOG_AREA_SYNC ? s->layout.region_count : s->layout.slot_bits;
	uint64_t *map = (uint64_t *)(void *)ret;
	size_t words = bytes / sizeof(uint64_t);

	for (size_t i = 0; i < words; i++) {
		uint64_t w = first + i;

		map[i] = w < bits_words(bits) ? s->callbacks.word(s->context, area, w) : 0;
		if (w == bits / BITS_PER_WORD)
			map[i] &= bits_mask(bits) - 1;
	}
	disk_bits_encode(map, bytes, map);
}

static struct page_op *page_take(struct storage *s, enum mlog_area area, uint64_t page)
{
	struct page_op *free_op = NULL;

	for (unsigned i = 0; i < s->pages[area]; i++) {
		struct page_op *p = &s->page[area][i];

		/* Two writes of a page could reach the device in either order. */
		assert(!p->busy || p->page != page);
		if (!p->busy)
			free_op = p;
	}
	assert(free_op != NULL);
	free_op->busy = true;
	free_op->page = page;
	return free_op;
}

void storage_write(struct storage *s, uint32_t slot, enum mlog_area area, uint64_t page)
{
	uint64_t offset = area == MLOG_AREA_SYNC ? s->layout.sync_offset
						 : disk_slot_offset(&s->layout, slot) + DISK_UNIT;
	struct page_op *p;

	assert(page < area_bytes(s, area) / s->page_bytes && s->job.kind == JOB_NONE);
	p = page_take(s, area, page);
	if (!s->claimed || (area == MLOG_AREA_SLOT && slot >= s->layout.slots)) {
		aio_defer(&p->op, -ESTALE); /* nobody would believe what is written there */
		return;
	}
	storage_words(s, area, page * s->page_bytes / sizeof(uint64_t), s->page_bytes, p->buffer);
	aio_start(&p->op, true, offset + page * s->page_bytes, p->buffer, s->page_bytes);
}

void storage_load(struct storage *s, uint32_t slot, bool whole)
{
	job_start(s, JOB_LOAD, slot, whole);
}

void storage_claim(struct storage *s, uint32_t slot, bool whole)
{
	job_start(s, JOB_CLAIM, slot, whole);
}

void storage_release(struct storage *s, uint32_t slot, bool whole)
{
	job_start(s, JOB_RELEASE, slot, whole);
}

void storage_read_slot(struct storage *s, uint32_t slot)
{
	slot_job_want(s, JOB_READ_SLOT, slot);
}

void storage_empty_slot(struct storage *s, uint32_t slot)
{
	slot_job_want(s, JOB_EMPTY_SLOT, slot);
}
