/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a reload leaves to the next daemon: what is written is read again, and every way to get it wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemons/dlmirrord/reload_note.h"

static const struct dlmirror_plan plan = {
    .from_sectors = 2048,
    .from_legs = 2,
    .to_sectors = 4096,
    .to_legs = 2,
    .leg = {{.index = 1}, {.fresh = true, .start_sector = 128, .path = "/dev/a b"}},
};

static int fd;

static int begin(void **state)
{
	char path[] = "/tmp/test_reload_note.XXXXXX";

	(void)state;
	fd = mkstemp(path);
	return fd < 0 || unlink(path) != 0;
}

static int end(void **state)
{
	(void)state;
	return close(fd);
}

/* As the next daemon finds it. */
static bool read_again(struct reload_note *ret)
{
	FILE *file = fdopen(dup(fd), "r");
	bool result;

	assert_non_null(file);
	rewind(file);
	result = reload_note_read(file, ret);
	assert_int_equal(fclose(file), 0);
	return result;
}

static void write_text(const char *text)
{
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
}

static void assert_same(const struct reload_note *a, const struct reload_note *b)
{
	assert_int_equal(a->id.node, b->id.node);
	assert_true(a->id.number == b->id.number);
	assert_int_equal(a->known, b->known);
	assert_int_equal(a->self, b->self);
	assert_int_equal(a->count, b->count);
	for (uint32_t i = 0; i < a->count; i++) {
		assert_int_equal(a->node[i].node, b->node[i].node);
		assert_int_equal(a->node[i].part, b->node[i].part);
	}
	assert_string_equal(a->uuid, b->uuid);
	assert_memory_equal(&a->plan, &b->plan, sizeof(a->plan));
	assert_int_equal(a->log.from, b->log.from);
	assert_int_equal(a->log.to, b->log.to);
	assert_string_equal(a->log.device, b->log.device);
	assert_int_equal(a->log.lost, b->log.lost);
}

static void test_the_same_is_read_again(void **state)
{
	struct reload_note note = {.id = {.node = 3, .number = UINT64_MAX},
				   .known = COURSE_NOTE_SUSPENDED,
				   .self = 2,
				   .count = 3,
				   .node = {{1, true}, {2, true}, {3, false}},
				   .uuid = "data-1a2b3c4d",
				   .plan = plan,
				   .log = {.from = 6, .to = 7, .device = "/dev/mapper/l"}};
	struct reload_note seen;

	(void)state;
	assert_true(reload_note_write(fd, &note));
	assert_true(read_again(&seen));
	assert_same(&seen, &note);

	/* What is known now, in the place of what was known then. */
	note.known = COURSE_NOTE_YES;
	note.count = 1;
	assert_true(reload_note_write(fd, &note));
	assert_true(read_again(&seen));
	assert_same(&seen, &note);
}

static void test_the_longest_has_room(void **state)
{
	struct reload_note note = {.id = {.node = UINT32_MAX, .number = UINT64_MAX},
				   .known = COURSE_NOTE_NO,
				   .self = UINT32_MAX,
				   .count = MLOG_VIEW_MAX,
				   .plan = plan,
				   .log = {.from = UINT64_MAX - 1, .to = UINT64_MAX, .lost = true}};
	struct reload_note seen;

	(void)state;
	memset(note.uuid, 'u', sizeof(note.uuid) - 1);
	memset(note.log.device, 'l', sizeof(note.log.device) - 1);
	note.log.device[0] = '/';
	for (uint32_t i = 0; i < note.count; i++) {
		note.node[i].node = UINT32_MAX - i;
		note.node[i].part = true;
	}
	assert_true(reload_note_write(fd, &note));
	assert_true(read_again(&seen));
	assert_same(&seen, &note);
}

/* Who has not voted may still do so after the note was written, and who wrote it takes part. */
static void test_who_may_take_part(void **state)
{
	struct reload_note seen;

	(void)state;
	write_text("2 1 9 1 2 3 1 0 2 0 3 1 data \n");
	assert_true(read_again(&seen));
	assert_int_equal(seen.known, COURSE_NOTE_PREPARED);
	assert_true(seen.node[0].part && seen.node[1].part && seen.node[2].part);
	write_text("2 1 9 2 2 3 1 0 2 0 3 1 data \n");
	assert_true(read_again(&seen));
	assert_int_equal(seen.known, COURSE_NOTE_SUSPENDED);
	assert_true(!seen.node[0].part && seen.node[1].part && seen.node[2].part);
}

/* An older daemon wrote none, and a damaged one is none. */
static void test_without_a_plan(void **state)
{
	struct reload_note seen;

	(void)state;
	write_text("1 1 9 2 1 1 1 1 data\n");
	assert_true(read_again(&seen));
	assert_string_equal(seen.uuid, "data");
	assert_int_equal(seen.plan.to_legs, 0);
	seen.plan = plan;
	assert_true(reload_note_write(fd, &seen));
	assert_int_equal(pwrite(fd, "x", 1, 2048), 1);
	assert_true(read_again(&seen));
	assert_int_equal(seen.plan.to_legs, 0);
}

static void test_refused(void **state)
{
	static const char *const text[] = {
	    "",
	    "x",
	    "0 1 9 2 1 1 1 1 data\n",	       /* a version that there never was */
	    "3 1 9 2 1 1 1 1 data\n",	       /* and one that there is not yet */
	    "2 1 9 0 1 1 1 1 data\n",	       /* it had no part */
	    "2 1 9 6 1 1 1 1 data\n",	       /* it knows what cannot be known */
	    "2 1 9 2 1 4294967295 1 1 data\n", /* more nodes than a view has */
	    "2 1 9 2 1 2 1 1 data\n",	       /* fewer than it says */
	    "2 1 9 2 1 1 1 1\n",	       /* of no mirror */
	};
	struct reload_note seen;

	(void)state;
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		write_text(text[i]);
		assert_false(read_again(&seen));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_same_is_read_again),
	    cmocka_unit_test(test_the_longest_has_room),
	    cmocka_unit_test(test_who_may_take_part),
	    cmocka_unit_test(test_without_a_plan),
	    cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
