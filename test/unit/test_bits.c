/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plain bitmaps, against a model that keeps one byte per bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"

#define BITS  300U
#define WORDS ((BITS + BITS_PER_WORD - 1) / BITS_PER_WORD)

static void test_words(void **state)
{
	(void)state;
	assert_int_equal(bits_words(0), 0);
	assert_int_equal(bits_words(1), 1);
	assert_int_equal(bits_words(64), 1);
	assert_int_equal(bits_words(65), 2);
	assert_int_equal(bits_words(UINT64_C(1) << 30), (1U << 30) / 64);
}

static void test_set_and_clear_touch_one_bit(void **state)
{
	uint64_t map[WORDS];

	(void)state;
	for (uint64_t bit = 0; bit < BITS; bit++) {
		memset(map, 0, sizeof(map));
		bits_set(map, bit);
		assert_true(bits_test(map, bit));
		assert_int_equal(bits_count(map, BITS), 1);
		assert_int_equal(map[bit / 64], UINT64_C(1) << (bit % 64));
		memset(map, 0xff, sizeof(map));
		bits_clear(map, bit);
		assert_false(bits_test(map, bit));
		assert_int_equal(bits_count(map, BITS), BITS - 1);
	}
}

static void test_fill_zeroes_the_tail(void **state)
{
	static const uint64_t sizes[] = {1, 63, 64, 65, 127, 128, 300};
	uint64_t map[WORDS];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(map, 0x5a, sizeof(map));
		bits_fill(map, sizes[i], true);
		assert_int_equal(bits_count(map, sizes[i]), sizes[i]);
		for (uint64_t bit = sizes[i]; bit < bits_words(sizes[i]) * 64; bit++)
			assert_false(bits_test(map, bit));
		bits_fill(map, sizes[i], false);
		assert_int_equal(bits_count(map, bits_words(sizes[i]) * 64), 0);
	}
}

static void test_fill_leaves_what_is_behind(void **state)
{
	uint64_t map[3] = {0, 0, 0x1234};

	(void)state;
	bits_fill(map, 65, true);
	assert_int_equal(map[2], 0x1234);
	bits_fill(map, 0, true);
	assert_int_equal(map[0], UINT64_MAX);
}

static void test_count_ignores_bits_behind_the_end(void **state)
{
	uint64_t map[2] = {UINT64_MAX, UINT64_MAX};

	(void)state;
	assert_int_equal(bits_count(map, 0), 0);
	assert_int_equal(bits_count(map, 1), 1);
	assert_int_equal(bits_count(map, 64), 64);
	assert_int_equal(bits_count(map, 70), 70);
}

/* A fixed sequence, so that a failure repeats itself. */
static uint32_t noise(uint32_t *seed)
{
	*seed = *seed * 1664525U + 1013904223U;
	return *seed >> 8;
}

static uint64_t model_next(const uint8_t *model, uint64_t nbits, uint64_t from, uint8_t wanted)
{
	while (from < nbits && model[from] != wanted)
		from++;
	return from < nbits ? from : nbits;
}

static void test_next_against_model(void **state)
{
	uint64_t map[WORDS];
	uint8_t model[WORDS * 64];
	uint32_t seed = 1;

	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		uint64_t nbits = 1 + noise(&seed) % BITS;
		uint32_t density = 1 + noise(&seed) % 64;

		memset(map, 0, sizeof(map));
		for (uint64_t bit = 0; bit < WORDS * 64; bit++) {
			model[bit] = noise(&seed) % density == 0;
			if (model[bit])
				bits_set(map, bit);
		}
		for (uint64_t from = 0; from <= nbits + 1; from++) {
			assert_int_equal(bits_next_set(map, nbits, from),
					 model_next(model, nbits, from, 1));
			assert_int_equal(bits_next_clear(map, nbits, from),
					 model_next(model, nbits, from, 0));
		}
	}
}

static void test_for_each_set(void **state)
{
	static const uint64_t wanted[] = {0, 5, 63, 64, 128, 298};
	uint64_t map[WORDS] = {0};
	uint64_t bit;
	size_t seen = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		bits_set(map, wanted[i]);
	bits_set(map, 299);
	bits_for_each_set (bit, map, 299) {
		assert_true(seen < sizeof(wanted) / sizeof(wanted[0]));
		assert_int_equal(bit, wanted[seen++]);
	}
	assert_int_equal(seen, sizeof(wanted) / sizeof(wanted[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_set_and_clear_touch_one_bit),
	    cmocka_unit_test(test_fill_zeroes_the_tail),
	    cmocka_unit_test(test_fill_leaves_what_is_behind),
	    cmocka_unit_test(test_count_ignores_bits_behind_the_end),
	    cmocka_unit_test(test_next_against_model),
	    cmocka_unit_test(test_for_each_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
