/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dlmirror-disk(5) against the code: headers that the codec writes are read by the page's tables,
 * its words of whom to believe and its sizes are what the codec comes to, and its examples are what
 * the codec writes. So the page cannot be left behind.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "base/cursor.h"
#include "codec/disk.h"

#define CELLS_MAX 10
#define ROWS_MAX  32
#define CELL_SIZE 128
#define DEVICE	  (UINT64_C(1) << 20)

struct table {
	unsigned rows;
	unsigned cells[ROWS_MAX];
	char cell[ROWS_MAX][CELLS_MAX][CELL_SIZE];
};

static FILE *page_open(const char *what, const char *name)
{
	const char *top = getenv("top_srcdir");
	char path[4096];
	char mark[64];
	char line[1024];
	FILE *page;

	(void)snprintf(path, sizeof(path), "%s/man/dlmirror-disk.5", top ? top : ".");
	(void)snprintf(mark, sizeof(mark), ".\\\" %s: %s\n", what, name);
	page = fopen(path, "re");
	if (page == NULL)
		fail_msg("%s: %s", path, strerror(errno));
	while (page != NULL && fgets(line, sizeof(line), page) != NULL)
		if (strcmp(line, mark) == 0)
			return page;
	fail_msg("%s has no %s '%s'", path, what, name);
	return NULL;
}

/* One row, "cell Ta cell ...", of which the line's end is cut off. */
static void row_add(struct table *t, char *line)
{
	unsigned *cells = &t->cells[t->rows];
	char *at = line;

	assert_in_range(t->rows, 0, ROWS_MAX - 1);
	*cells = 0;
	while (at != NULL) {
		char *end = strstr(at, " Ta ");

		if (end != NULL)
			*end = '\0';
		assert_in_range(*cells, 0, CELLS_MAX - 1);
		assert_true(strlen(at) < CELL_SIZE);
		strcpy(t->cell[t->rows][(*cells)++], at);
		at = end != NULL ? end + 4 : NULL;
	}
	t->rows++;
}

/* Without its first row, which says what the columns are. */
static void table_read(const char *name, struct table *ret)
{
	FILE *page = page_open("table", name);
	bool first = true;
	char line[1024];

	memset(ret, 0, sizeof(*ret));
	while (fgets(line, sizeof(line), page) != NULL && strcmp(line, ".El\n") != 0) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, ".It ", 4) != 0)
			continue;
		if (!first)
			row_add(ret, line + 4);
		first = false;
	}
	(void)fclose(page);
	assert_true(ret->rows > 0);
}

static uint64_t number_of(const char *text)
{
	char *end;
	uint64_t number;

	errno = 0;
	number = strtoull(text, &end, 0);
	if (errno != 0 || end == text || *end != '\0')
		fail_msg("'%s' is no number", text);
	return number;
}

/* ---- headers, read as the page says */

struct field {
	const char *name;
	uint64_t number;  /* what it must be */
	const char *text; /* the same of a string; else NULL */
};

static void field_check(struct reader *r, const char *type, const struct field *field)
{
	char text[DISK_UUID_SIZE];

	if (field->text != NULL) {
		assert_string_equal(type, "string");
		read_string(r, text, sizeof(text));
		assert_string_equal(text, field->text);
	} else if (strcmp(type, "u32") == 0) {
		assert_int_equal(read_u32(r), field->number);
	} else {
		assert_string_equal(type, "u64");
		assert_int_equal(read_u64(r), field->number);
	}
	assert_false(r->failed);
}

/* The page names all fields, in their order, at their places, and nothing stands between them. */
static void header_check(const char *name, const uint8_t *buffer, const struct field *field,
			 unsigned fields)
{
	struct reader r = reader_of(buffer, 512);
	struct table t;

	table_read(name, &t);
	assert_int_equal(t.rows, fields);
	for (unsigned i = 0; i < fields; i++) {
		uint64_t at = (uint64_t)(r.at - buffer);

		assert_int_equal(t.cells[i], 4);
		assert_string_equal(t.cell[i][2], field[i].name);
		if (strcmp(t.cell[i][0], "-") != 0)
			assert_int_equal(number_of(t.cell[i][0]), at);
		field_check(&r, t.cell[i][1], &field[i]);
	}
	while (r.left > 0)
		assert_int_equal(read_u8(&r), 0);
}

static uint32_t checksum_of(const uint8_t *buffer)
{
	uint8_t copy[512];

	memcpy(copy, buffer, sizeof(copy));
	memset(copy + 12, 0, 4);
	return crc32c(copy, sizeof(copy));
}

static void kernel_header_is_as_the_page_says(void **state)
{
	const struct field valid[] = {{"magic", 0x4d695272, NULL},
				      {"version", 2, NULL},
				      {"regions", UINT64_C(0x102030405), NULL}};
	const struct field in_use[] = {{"magic", 0x4d6c6f67, NULL},
				       {"version", 2, NULL},
				       {"regions", UINT64_C(0x102030405), NULL}};
	uint8_t buffer[512];

	(void)state;
	disk_kernel_header_encode(buffer, UINT64_C(0x102030405), true);
	header_check("kernel header", buffer, valid, 3);
	disk_kernel_header_encode(buffer, UINT64_C(0x102030405), false);
	header_check("kernel header", buffer, in_use, 3);
}

/* That of the page's example. */
static struct disk_super super_make(bool in_use, bool stale)
{
	struct disk_super super = {
	    .generation = UINT64_C(112345678901248),
	    .in_use = in_use,
	    .stale = stale,
	    .uuid = "data-1a2b3c4d",
	    .owner = {.cluster = "shop", .host_id = "node-7", .host_name = "seven"},
	    .revision = 9,
	};

	assert_int_equal(disk_layout_make(2097152, 1024, DEVICE, 16, &super.layout, NULL), 0);
	return super;
}

static const struct disk_slot slot = {
    .index = 6,
    .in_use = true,
    .generation = UINT64_C(112345678901248),
    .host_id = "node-7",
    .host_name = "seven",
    .boot_id = "0c1d2e3f",
    .node = 7,
};

static void superblock_is_as_the_page_says(void **state)
{
	(void)state;
	for (unsigned flags = 0; flags < 4; flags++) {
		struct disk_super s = super_make((flags & 1) != 0, (flags & 2) != 0);
		uint8_t buffer[DISK_SUPER_SIZE];

		disk_super_encode(buffer, &s);
		const struct field field[] = {
		    {"magic", UINT64_C(0x4253726f7272696d), NULL},
		    {"version", 1, NULL},
		    {"checksum", checksum_of(buffer), NULL},
		    {"generation", s.generation, NULL},
		    {"flags", flags, NULL},
		    {"regions", s.layout.region_count, NULL},
		    {"region_sectors", s.layout.region_sectors, NULL},
		    {"shift", s.layout.shift, NULL},
		    {"slots", s.layout.slots, NULL},
		    {"slot_bits", s.layout.slot_bits, NULL},
		    {"super_b", s.layout.super_b, NULL},
		    {"sync_offset", s.layout.sync_offset, NULL},
		    {"sync_bytes", s.layout.sync_bytes, NULL},
		    {"slot_offset", s.layout.slot_offset, NULL},
		    {"slot_stride", s.layout.slot_stride, NULL},
		    {"total_bytes", s.layout.total_bytes, NULL},
		    {"uuid", 0, s.uuid},
		    {"cluster", 0, s.owner.cluster},
		    {"host_id", 0, s.owner.host_id},
		    {"host_name", 0, s.owner.host_name},
		    {"revision", s.revision, NULL},
		};
		header_check("superblock", buffer, field, sizeof(field) / sizeof(*field));
	}
}

static void slot_header_is_as_the_page_says(void **state)
{
	uint8_t buffer[DISK_UNIT];

	(void)state;
	disk_slot_encode(buffer, &slot);
	const struct field field[] = {
	    {"magic", UINT64_C(0x4c53726f7272696d), NULL},
	    {"version", 1, NULL},
	    {"checksum", checksum_of(buffer), NULL},
	    {"index", slot.index, NULL},
	    {"flags", 1, NULL},
	    {"generation", slot.generation, NULL},
	    {"host_id", 0, slot.host_id},
	    {"host_name", 0, slot.host_name},
	    {"boot_id", 0, slot.boot_id},
	    {"node", slot.node, NULL},
	};
	header_check("slot header", buffer, field, sizeof(field) / sizeof(*field));
}

/* ---- examples */

static void example_check(const char *name, const uint8_t *buffer)
{
	FILE *page = page_open("example", name);
	char line[1024];
	size_t at = 0;

	while (fgets(line, sizeof(line), page) != NULL && strcmp(line, ".Ed\n") != 0) {
		char *text = line;

		if (line[0] == '.')
			continue;
		assert_int_equal(strtoul(text, &text, 16), at);
		for (unsigned i = 0; i < 16; i++)
			assert_int_equal(strtoul(text, &text, 16), buffer[at++]);
	}
	(void)fclose(page);
	assert_true(at >= 64);
	for (; at < 512; at++)
		assert_int_equal(buffer[at], 0);
}

static void examples_are_what_the_codec_writes(void **state)
{
	struct disk_super super = super_make(true, false);
	uint8_t buffer[DISK_UNIT];

	(void)state;
	disk_super_encode(buffer, &super);
	example_check("superblock", buffer);
	disk_slot_encode(buffer, &slot);
	example_check("slot header", buffer);
}

/* R, device, wanted, k, slots, copy B, map, slot 0, stride, total */
static void sizes_are_what_the_codec_comes_to(void **state)
{
	struct table t;

	(void)state;
	table_read("sizes", &t);
	for (unsigned i = 0; i < t.rows; i++) {
		uint64_t cell[CELLS_MAX];
		struct disk_layout l;

		assert_int_equal(t.cells[i], CELLS_MAX);
		for (unsigned k = 0; k < CELLS_MAX; k++)
			cell[k] = number_of(t.cell[i][k]);
		assert_int_equal(
		    disk_layout_make(cell[0], 1024, cell[1], (uint32_t)cell[2], &l, NULL), 0);
		assert_int_equal(l.shift, cell[3]);
		assert_int_equal(l.slots, cell[4]);
		assert_int_equal(l.super_b, cell[5]);
		assert_int_equal(l.sync_offset, cell[6]);
		assert_int_equal(l.slot_offset, cell[7]);
		assert_int_equal(l.slot_stride, cell[8]);
		assert_int_equal(l.total_bytes, cell[9]);
	}
}

/* ---- whom to believe */

static const char *belief_word(enum disk_belief belief)
{
	static const char *const word[] = {
	    [DISK_BLANK] = "blank", [DISK_KERNEL] = "kernel", [DISK_IN_USE] = "in-use",
	    [DISK_CLEAN] = "clean", [DISK_STALE] = "stale",   [DISK_NEWER] = "newer",
	};

	return word[belief];
}

static void header_put(uint8_t *device, const char *header)
{
	memset(device, 0, 512);
	if (strcmp(header, "other") == 0)
		return;
	if (strcmp(header, "in-use") != 0)
		assert_string_equal(header, "valid");
	disk_kernel_header_encode(device, 2097152, strcmp(header, "valid") == 0);
}

/* 0 to 4: in use, clean, stale, none, newer */
static void super_put(uint8_t *at, unsigned column)
{
	struct disk_super super = super_make(column == 0, column == 2);
	struct writer w;

	memset(at, 0, DISK_SUPER_SIZE);
	if (column == 3)
		return;
	disk_super_encode(at, &super);
	if (column != 4)
		return;
	at[8] = 2;
	w = writer_of(at + 12, 4);
	write_u32(&w, checksum_of(at));
}

static enum disk_belief belief_of(const uint8_t *device)
{
	struct disk_search search;
	uint64_t offset;
	size_t bytes;

	disk_search_begin(&search, DEVICE, 2097152);
	while (disk_search_next(&search, &offset, &bytes))
		disk_search_feed(&search, device + offset);
	return search.belief;
}

static void belief_is_as_the_page_says(void **state)
{
	const struct disk_super super = super_make(true, false);
	uint8_t *device = calloc(1, DEVICE);
	struct table t;

	(void)state;
	assert_non_null(device);
	table_read("belief", &t);
	assert_int_equal(t.rows, 3);
	for (unsigned i = 0; i < t.rows; i++) {
		assert_int_equal(t.cells[i], 6);
		for (unsigned column = 0; column < 5; column++) {
			const char *said = t.cell[i][column + 1];

			/* either copy will do */
			header_put(device, t.cell[i][0]);
			super_put(device + DISK_SUPER_OFFSET, column);
			super_put(device + super.layout.super_b, 3);
			assert_string_equal(belief_word(belief_of(device)), said);
			super_put(device + DISK_SUPER_OFFSET, 3);
			super_put(device + super.layout.super_b, column);
			assert_string_equal(belief_word(belief_of(device)), said);
		}
	}
	free(device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(kernel_header_is_as_the_page_says),
	    cmocka_unit_test(superblock_is_as_the_page_says),
	    cmocka_unit_test(slot_header_is_as_the_page_says),
	    cmocka_unit_test(examples_are_what_the_codec_writes),
	    cmocka_unit_test(sizes_are_what_the_codec_comes_to),
	    cmocka_unit_test(belief_is_as_the_page_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
