/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A log device with any contents: the decoders, and storage_look(), load and claim on a file.
 *
 * The input is the device as patches on zeros: one byte of flags, one byte of size in units, then
 * for each patch its offset, its length (16 bits each, little-endian; the offset in 8 bytes) and
 * its bytes. With FLAG_SEAL the checksums of all superblocks and slot headers are made right, so
 * that the fuzzer gets at what lies behind them.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/crc32c.h"
#include "base/cursor.h"
#include "daemons/dlmirrord/storage.h"
#include "test/fuzz/fuzz.h"

#define FLAG_SEAL  1
#define FLAG_OTHER 2 /* another mirror: other geometry and uuid */
#define REGIONS	   5000U
#define UNITS_MAX  32U

static uint8_t image[UNITS_MAX * DISK_UNIT];

static struct {
	struct storage_engine *engine;
	int fd;
	char path[64];
	unsigned answers;
	int error;
	struct mlog_history history; /* without the maps */
} world;

static size_t image_build(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(data, size);
	size_t bytes;

	memset(image, 0, sizeof(image));
	read_u8(&r);
	bytes = (size_t)(read_u8(&r) % UNITS_MAX + 1) * DISK_UNIT;
	while (r.left > 4) {
		size_t offset = (size_t)read_u16(&r) * 8;
		size_t length = read_u16(&r);

		if (length > r.left)
			length = r.left;
		if (offset < bytes)
			memcpy(image + offset, r.at,
			       length < bytes - offset ? length : bytes - offset);
		read_bytes(&r, length);
	}
	return bytes;
}

/* Both kinds of header have their checksum at the same place. */
static void seal(uint8_t *header)
{
	struct writer w = writer_of(header + 12, sizeof(uint32_t));

	write_u32(&w, 0);
	w = writer_of(header + 12, sizeof(uint32_t));
	write_u32(&w, crc32c(header, DISK_SUPER_SIZE));
}

static void seal_all(size_t bytes)
{
	seal(image + DISK_SUPER_OFFSET);
	for (size_t at = DISK_UNIT; at < bytes; at += DISK_UNIT)
		if (image[at] != 0)
			seal(image + at);
}

static void check_super(const uint8_t *buffer)
{
	uint8_t again[DISK_SUPER_SIZE];
	struct disk_super super;
	struct disk_super same;
	struct disk_layout l;
	int rc = disk_super_decode(buffer, &super);

	MUST(rc == 0 || rc == -ENODATA || rc == -EBADMSG || rc == -EINVAL ||
	     rc == -EPROTONOSUPPORT);
	if (rc != 0)
		return;
	l = super.layout;
	MUST(l.total_bytes == disk_slot_offset(&l, l.slots));
	MUST(l.slot_bits << l.shift >= l.region_count);
	MUST((l.slot_stride - DISK_UNIT) * 8 >= l.slot_bits);
	disk_super_encode(again, &super);
	MUST(disk_super_decode(again, &same) == 0);
	MUST(strcmp(super.uuid, same.uuid) == 0 && super.generation == same.generation);
	MUST(super.revision == same.revision);
	MUST(disk_layout_equal(&super.layout, &same.layout));
}

static void check_slot(const uint8_t *buffer)
{
	static uint8_t again[DISK_UNIT];
	struct disk_slot slot;
	struct disk_slot same;

	if (disk_slot_decode(buffer, &slot) != 0)
		return;
	MUST(slot.index < DISK_SLOTS_MAX);
	disk_slot_encode(again, &slot);
	MUST(disk_slot_decode(again, &same) == 0);
	MUST(slot.index == same.index && slot.in_use == same.in_use);
	MUST(strcmp(slot.host_id, same.host_id) == 0 && strcmp(slot.boot_id, same.boot_id) == 0);
}

static void check_bits_end(const uint64_t *map, uint64_t bits)
{
	if (bits % BITS_PER_WORD != 0)
		MUST(map[bits / BITS_PER_WORD] >> bits % BITS_PER_WORD == 0);
}

static void on_loaded(void *context, int error, const struct mlog_history *h)
{
	const uint64_t *geometry = context;
	uint64_t covered;

	world.answers++;
	world.error = error;
	world.history = *h;
	if (error != 0 || h->load == MLOG_LOAD_BLANK)
		return;
	MUST(h->region_count > 0 && h->region_sectors > 0 && h->in_sync != NULL);
	check_bits_end(h->in_sync, h->region_count);
	/* no more than a region behind the end of the mirror */
	covered = geometry[0] * geometry[1];
	MUST((h->region_count - 1) * h->region_sectors < covered);
	MUST((h->load == MLOG_LOAD_CRASHED) == (h->dirty != NULL));
	if (h->dirty != NULL)
		check_bits_end(h->dirty,
			       (h->region_count + (UINT64_C(1) << h->shift) - 1) >> h->shift);
	if (h->remark != NULL && h->load == MLOG_LOAD_CLEAN)
		MUST(bits_count(h->in_sync, h->region_count) == 0);
}

static void on_done(void *context, int error)
{
	(void)context;
	world.answers++;
	world.error = error;
}

static void on_written(void *context, enum mlog_area area, uint64_t page, int error)
{
	(void)area;
	(void)page;
	on_done(context, error);
}

static uint64_t on_word(void *context, enum mlog_area area, uint64_t word)
{
	const uint64_t *geometry = context;

	(void)area;
	MUST(word < bits_words(geometry[0]));
	return UINT64_C(0x5555555555555555);
}

static uint64_t on_kernel_word(void *context, uint64_t word)
{
	return on_word(context, MLOG_AREA_SYNC, word);
}

static int wait_answer(unsigned answers)
{
	struct pollfd p = {.fd = storage_engine_fd(world.engine), .events = POLLIN};

	while (world.answers < answers) {
		MUST(poll(&p, 1, 10000) == 1);
		storage_engine_dispatch(world.engine);
	}
	return world.error;
}

/* Whatever was there: what may be claimed can be claimed, and is ours then. */
static void check_claim(struct storage *s)
{
	const struct disk_layout *l = storage_layout(s);
	bool loaded;

	storage_load(s, 0, true);
	loaded = wait_answer(world.answers + 1) == 0;
	storage_claim(s, 0, true);
	MUST((wait_answer(world.answers + 1) == 0) == loaded);
	if (!loaded)
		return;
	storage_load(s, 0, true);
	MUST(wait_answer(world.answers + 1) == 0);
	MUST(world.history.load == MLOG_LOAD_CRASHED && world.history.remark == NULL);
	MUST(world.history.region_count == l->region_count &&
	     world.history.region_sectors == l->region_sectors);
	storage_release(s, 0, true);
	MUST(wait_answer(world.answers + 1) == 0);
	storage_load(s, 0, true);
	MUST(wait_answer(world.answers + 1) == 0);
	MUST(world.history.load == MLOG_LOAD_CLEAN && world.history.remark == NULL);
}

static void check_storage(bool other)
{
	static const struct storage_callbacks callbacks = {
	    .loaded = on_loaded,
	    .claimed = on_done,
	    .written = on_written,
	    .released = on_done,
	    .word = on_word,
	    .kernel_word = on_kernel_word,
	};
	uint64_t geometry[2] = {other ? 3 * REGIONS : REGIONS, other ? 256 : 1024};
	struct storage_spec spec = {
	    .device = world.path,
	    .uuid = other ? "mirror-2" : "mirror-1",
	    .region_count = geometry[0],
	    .region_sectors = geometry[1],
	    .slots_wanted = 3,
	    .node = 1,
	    .owner = {.host_id = "host-1", .host_name = "node1"},
	    .boot_id = "boot-1",
	};
	char error[STORAGE_ERROR_SIZE];
	struct storage *s;
	int rc = storage_look(&spec, &s, error);

	if (rc == 0) {
		storage_use(s, world.engine, &callbacks, geometry);
		check_claim(s);
		storage_close(s);
		return;
	}
	MUST(rc == -ENOSPC || rc == -EBUSY || rc == -EPROTONOSUPPORT || rc == -ESTALE);
	MUST(strlen(error) > 10 && strlen(error) < STORAGE_ERROR_SIZE);
	for (const char *c = error; *c != '\0'; c++)
		MUST(*c >= ' ' && *c <= '~');
}

static void world_init(void)
{
	if (world.engine != NULL)
		return;
	world.fd = memfd_create("log", MFD_CLOEXEC);
	MUST(world.fd >= 0);
	(void)snprintf(world.path, sizeof(world.path), "/proc/self/fd/%d", world.fd);
	MUST(storage_engine_create(&world.engine) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t bytes = image_build(data, size);
	uint8_t flags = size > 0 ? data[0] : 0;
	struct disk_kernel_header header;

	world_init();
	if ((flags & FLAG_SEAL) != 0)
		seal_all(bytes);
	disk_kernel_header_decode(image, &header);
	MUST(!(header.valid && header.in_use));
	check_super(image + DISK_SUPER_OFFSET);
	for (size_t at = DISK_UNIT; at < bytes; at += DISK_UNIT) {
		check_super(image + at);
		check_slot(image + at);
	}
	MUST(ftruncate(world.fd, 0) == 0 && ftruncate(world.fd, (off_t)bytes) == 0);
	MUST(pwrite(world.fd, image, bytes, 0) == (ssize_t)bytes);
	check_storage((flags & FLAG_OTHER) != 0);
	return 0;
}
