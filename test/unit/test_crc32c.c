/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CRC-32C: the examples of RFC 3720 B.4, and every length against a bitwise computation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"

static void test_published_values(void **state)
{
	uint8_t data[32];

	(void)state;
	assert_int_equal(crc32c("123456789", 9), 0xe3069283);
	assert_int_equal(crc32c("", 0), 0);
	memset(data, 0, sizeof(data));
	assert_int_equal(crc32c(data, sizeof(data)), 0x8a9136aa);
	memset(data, 0xff, sizeof(data));
	assert_int_equal(crc32c(data, sizeof(data)), 0x62a8ab43);
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	assert_int_equal(crc32c(data, sizeof(data)), 0x46dd794e);
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(31 - i);
	assert_int_equal(crc32c(data, sizeof(data)), 0x113fdb5c);
}

static uint32_t crc32c_bitwise(const uint8_t *data, size_t size)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < size; i++) {
		crc ^= data[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (UINT32_C(0x82f63b78) & (0U - (crc & 1)));
	}
	return ~crc;
}

static void test_every_length_and_alignment(void **state)
{
	uint8_t data[600];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37 + (i >> 3));
	for (size_t from = 0; from < 9; from++) {
		for (size_t size = 0; size + from <= sizeof(data); size++)
			assert_int_equal(crc32c(data + from, size),
					 crc32c_bitwise(data + from, size));
	}
}

static void test_every_single_bit_matters(void **state)
{
	uint8_t data[64] = {0};
	uint32_t clean = crc32c(data, sizeof(data));

	(void)state;
	for (unsigned bit = 0; bit < sizeof(data) * 8; bit++) {
		data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
		assert_int_not_equal(crc32c(data, sizeof(data)), clean);
		data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_published_values),
	    cmocka_unit_test(test_every_length_and_alignment),
	    cmocka_unit_test(test_every_single_bit_matters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
