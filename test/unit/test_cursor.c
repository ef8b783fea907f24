/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reader and writer: byte order, the end of the buffer, and what a failure leaves behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cursor.h"

static const uint8_t octets[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static void test_read_little_endian(void **state)
{
	struct reader r = reader_of(octets, sizeof(octets));

	(void)state;
	assert_int_equal(read_u8(&r), 0x01);
	assert_int_equal(read_u16(&r), 0x0302);
	assert_int_equal(read_u32(&r), 0x07060504);
	assert_int_equal(read_u64(&r), UINT64_C(0x0f0e0d0c0b0a0908));
	assert_int_equal(r.left, 0);
	assert_false(r.failed);
}

static void test_read_native(void **state)
{
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;
	struct reader r = reader_of(octets, sizeof(octets));

	(void)state;
	memcpy(&u16, octets, 2);
	memcpy(&u32, octets + 2, 4);
	memcpy(&u64, octets + 6, 8);
	assert_int_equal(read_native_u16(&r), u16);
	assert_int_equal(read_native_u32(&r), u32);
	assert_int_equal(read_native_u64(&r), u64);
	assert_false(r.failed);
}

static void test_reading_past_the_end_fails_for_good(void **state)
{
	struct reader r = reader_of(octets, 3);

	(void)state;
	assert_int_equal(read_u16(&r), 0x0201);
	assert_int_equal(read_u16(&r), 0);
	assert_true(r.failed);
	/* One byte is left, but nothing after a failure may be believed. */
	assert_int_equal(read_u8(&r), 0);
	assert_int_equal(read_u32(&r), 0);
	assert_int_equal(read_u64(&r), 0);
	assert_int_equal(read_native_u16(&r), 0);
	assert_int_equal(read_native_u32(&r), 0);
	assert_int_equal(read_native_u64(&r), 0);
	assert_null(read_bytes(&r, 0));
	assert_true(r.failed);
}

static void test_read_bytes(void **state)
{
	struct reader r = reader_of(octets, 5);

	(void)state;
	assert_ptr_equal(read_bytes(&r, 5), octets);
	assert_non_null(read_bytes(&r, 0));
	assert_false(r.failed);
	assert_null(read_bytes(&r, 1));
	assert_true(r.failed);

	r = reader_of(octets, 5);
	assert_null(read_bytes(&r, SIZE_MAX));
	assert_true(r.failed);

	r = reader_of(NULL, 0);
	assert_int_equal(read_u8(&r), 0);
	assert_true(r.failed);
}

static void test_read_string(void **state)
{
	static const uint8_t good[] = {3, 0, 'a', 'b', 'c', 0, 0, 'x'};
	static const uint8_t nul[] = {3, 0, 'a', 0, 'c'};
	static const uint8_t cut[] = {4, 0, 'a', 'b', 'c'};
	static const uint8_t no_length[] = {1};
	char text[4];
	struct reader r = reader_of(good, sizeof(good));

	(void)state;
	read_string(&r, text, sizeof(text));
	assert_string_equal(text, "abc");
	read_string(&r, text, sizeof(text));
	assert_string_equal(text, "");
	assert_false(r.failed);
	assert_int_equal(r.left, 1);

	r = reader_of(good, sizeof(good));
	read_string(&r, text, 3); /* no room for the NUL */
	assert_string_equal(text, "");
	assert_true(r.failed);

	r = reader_of(nul, sizeof(nul));
	read_string(&r, text, sizeof(text));
	assert_string_equal(text, "");
	assert_true(r.failed);

	r = reader_of(cut, sizeof(cut));
	read_string(&r, text, sizeof(text));
	assert_string_equal(text, "");
	assert_true(r.failed);

	r = reader_of(no_length, sizeof(no_length));
	read_string(&r, text, sizeof(text));
	assert_string_equal(text, "");
	assert_true(r.failed);
}

static void test_write_little_endian(void **state)
{
	uint8_t buffer[sizeof(octets)];
	struct writer w = writer_of(buffer, sizeof(buffer));

	(void)state;
	write_u8(&w, 0x01);
	write_u16(&w, 0x0302);
	write_u32(&w, 0x07060504);
	write_u64(&w, UINT64_C(0x0f0e0d0c0b0a0908));
	assert_false(w.failed);
	assert_int_equal(w.left, 0);
	assert_memory_equal(buffer, octets, sizeof(octets));
}

static void test_write_native_is_read_back(void **state)
{
	uint8_t buffer[14];
	struct writer w = writer_of(buffer, sizeof(buffer));
	struct reader r;

	(void)state;
	write_native_u16(&w, 0xa1b2);
	write_native_u32(&w, 0xa1b2c3d4);
	write_native_u64(&w, UINT64_C(0xa1b2c3d4e5f60718));
	assert_false(w.failed);
	r = reader_of(buffer, sizeof(buffer));
	assert_int_equal(read_native_u16(&r), 0xa1b2);
	assert_int_equal(read_native_u32(&r), 0xa1b2c3d4);
	assert_int_equal(read_native_u64(&r), UINT64_C(0xa1b2c3d4e5f60718));
}

static void test_writing_past_the_end_fails_for_good(void **state)
{
	uint8_t buffer[8] = {9, 9, 9, 9, 9, 9, 9, 9};
	struct writer w = writer_of(buffer, 3);

	(void)state;
	write_u16(&w, 0x0201);
	write_u16(&w, 0x0403);
	assert_true(w.failed);
	write_u8(&w, 5); /* there is room, but the message is spoilt already */
	write_zeros(&w, 1);
	write_bytes(&w, octets, 1);
	assert_true(w.failed);
	assert_memory_equal(buffer, ((uint8_t[]){1, 2, 9, 9, 9, 9, 9, 9}), 8);

	w = writer_of(buffer, sizeof(buffer));
	write_zeros(&w, SIZE_MAX);
	assert_true(w.failed);
	assert_int_equal(buffer[0], 1);
}

static void test_write_bytes_zeros_string(void **state)
{
	static const uint8_t wanted[] = {7, 8, 0, 0, 2, 0, 'h', 'i', 0, 0};
	uint8_t buffer[sizeof(wanted)];
	struct writer w = writer_of(buffer, sizeof(buffer));

	(void)state;
	memset(buffer, 0xee, sizeof(buffer));
	write_bytes(&w, ((uint8_t[]){7, 8}), 2);
	write_bytes(&w, NULL, 0);
	write_zeros(&w, 2);
	write_string(&w, "hi");
	write_string(&w, "");
	assert_false(w.failed);
	assert_memory_equal(buffer, wanted, sizeof(wanted));
	write_string(&w, "");
	assert_true(w.failed);
}

static void test_a_string_too_long_for_its_length_field(void **state)
{
	static char text[65537];
	static uint8_t buffer[70000];
	struct writer w = writer_of(buffer, sizeof(buffer));

	(void)state;
	memset(text, 'a', 65536);
	write_string(&w, text);
	assert_true(w.failed);

	w = writer_of(buffer, sizeof(buffer));
	text[65535] = '\0';
	write_string(&w, text);
	assert_false(w.failed);
	assert_int_equal(w.left, sizeof(buffer) - 65537);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_read_little_endian),
	    cmocka_unit_test(test_read_native),
	    cmocka_unit_test(test_reading_past_the_end_fails_for_good),
	    cmocka_unit_test(test_read_bytes),
	    cmocka_unit_test(test_read_string),
	    cmocka_unit_test(test_write_little_endian),
	    cmocka_unit_test(test_write_native_is_read_back),
	    cmocka_unit_test(test_writing_past_the_end_fails_for_good),
	    cmocka_unit_test(test_write_bytes_zeros_string),
	    cmocka_unit_test(test_a_string_too_long_for_its_length_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
