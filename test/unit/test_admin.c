// SPDX-License-Identifier: GPL-2.0-or-later
/* Admin messages: every value survives the way there and back; every bad byte is noticed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "codec/admin.h"

#define BODY_AT (ADMIN_REPLY_ENVELOPE + 8U) /* behind version, kind and error: the text */

static uint8_t message[ADMIN_REPLY_MAX];

static void request_round_trip(const struct admin_request *request, size_t expected_size)
{
	struct admin_request seen;
	size_t size = admin_request_encode(request, message, sizeof(message));
	size_t cut;

	assert_int_equal(size, expected_size);
	assert_int_equal(admin_request_decode(message, size, &seen), 0);
	assert_int_equal(seen.kind, request->kind);
	assert_int_equal(seen.first, request->first);
	assert_string_equal(seen.mirror, request->mirror);
	assert_int_equal(seen.repair, request->repair);
	assert_int_equal(seen.command, request->command);
	assert_string_equal(seen.argument, request->argument);
	assert_memory_equal(&seen.plan, &request->plan, sizeof(seen.plan));
	assert_int_equal(seen.timeout_s, request->timeout_s);
	assert_int_equal(seen.per_cell, request->per_cell);
	assert_int_equal(seen.cells, request->cells);
	assert_int_equal(seen.position.record, request->position.record);
	assert_int_equal(seen.position.seq, request->position.seq);
	assert_memory_equal(&seen.errand, &request->errand, sizeof(seen.errand));
	assert_int_equal(seen.errand_id, request->errand_id);
	assert_int_equal(seen.index, request->index);
	/* No shorter or longer message is a request, nor does it fit into less. */
	for (cut = 0; cut < size; cut++) {
		assert_true(admin_request_decode(message, cut, &seen) < 0);
		assert_int_equal(admin_request_encode(request, message, cut), 0);
		assert_int_equal(admin_request_encode(request, message, sizeof(message)), size);
	}
	message[size] = 0;
	assert_int_equal(admin_request_decode(message, size + 1, &seen), -EBADMSG);
}

static void test_requests(void **state)
{
	struct admin_request longest = {.kind = ADMIN_COMMAND, .command = DLMIRROR_DAEMON_RESTART};

	(void)state;
	request_round_trip(&(struct admin_request){.kind = ADMIN_LIST, .first = UINT64_MAX}, 28);
	request_round_trip(&(struct admin_request){.kind = ADMIN_GET, .mirror = "a"}, 23);
	request_round_trip(&(struct admin_request){.kind = ADMIN_COUNTERS, .mirror = "ab"}, 24);
	request_round_trip(
	    &(struct admin_request){.kind = ADMIN_VERIFY, .mirror = "a", .repair = true, .rate = 7},
	    32);
	request_round_trip(&(struct admin_request){.kind = ADMIN_VERIFY_STOP, .mirror = "a"}, 23);
	request_round_trip(&(struct admin_request){.kind = ADMIN_LOG_RETRY, .mirror = "a"}, 23);
	request_round_trip(&(struct admin_request){.kind = ADMIN_RELOAD_STATUS, .mirror = "a"}, 23);
	request_round_trip(
	    &(struct admin_request){
		.kind = ADMIN_RELOAD,
		.mirror = "a",
		.plan = {.from_sectors = 1,
			 .from_legs = 2,
			 .from_start = {2, 3},
			 .to_sectors = 4,
			 .to_legs = 2,
			 .leg = {{.index = 1, .stale = true},
				 {.fresh = true, .start_sector = 5, .path = "/b"}}},
		.timeout_s = 6},
	    95);
	request_round_trip(
	    &(struct admin_request){.kind = ADMIN_RATE, .mirror = "a", .rate = UINT64_MAX - 1}, 31);
	request_round_trip(&(struct admin_request){.kind = ADMIN_SUSPEND, .mirror = "a"}, 23);
	request_round_trip(&(struct admin_request){.kind = ADMIN_RESUME, .mirror = "a"}, 23);
	request_round_trip(&(struct admin_request){.kind = ADMIN_HEAT, .mirror = "a"}, 23);
	request_round_trip(
	    &(struct admin_request){
		.kind = ADMIN_LOG_REPLACE, .mirror = "a", .device = "/b", .timeout_s = 6},
	    31);
	request_round_trip(&(struct admin_request){.kind = ADMIN_DAEMON}, 20);
	request_round_trip(&(struct admin_request){.kind = ADMIN_MAP,
						   .mirror = "a",
						   .first = UINT64_MAX,
						   .per_cell = UINT64_MAX - 1,
						   .cells = UINT32_MAX},
			   43);
	request_round_trip(&(struct admin_request){.kind = ADMIN_EVENTS,
						   .position = {.record = 1, .seq = UINT64_MAX}},
			   36);
	request_round_trip(&(struct admin_request){.kind = ADMIN_COMMAND,
						   .command = DLMIRROR_DAEMON_LOG_LEVEL,
						   .argument = "debug"},
			   31);
	request_round_trip(&(struct admin_request){.kind = ADMIN_ERRAND,
						   .errand = {.what = DLMIRROR_ERRAND_TAKE,
							      .count = 2,
							      .node = {1, 2},
							      .argument = {"a", "b"},
							      .text = "c\nd"}},
			   41);
	request_round_trip(&(struct admin_request){.kind = ADMIN_ERRAND_RESULT,
						   .errand_id = UINT64_MAX,
						   .index = UINT32_MAX},
			   32);
	memset(longest.argument, 'x', sizeof(longest.argument) - 1);
	request_round_trip(&longest, 281);
}

static void assert_bad_request(const struct admin_request *good, size_t at, uint8_t value,
			       int error)
{
	struct admin_request seen;
	size_t size = admin_request_encode(good, message, sizeof(message));

	message[at] = value;
	assert_int_equal(admin_request_decode(message, size, &seen), error);
}

static void test_bad_requests(void **state)
{
	const struct admin_request verify = {.kind = ADMIN_VERIFY, .mirror = "abc"};
	const struct admin_request command = {.kind = ADMIN_COMMAND,
					      .command = DLMIRROR_DAEMON_STOP};
	struct admin_request get = {.kind = ADMIN_GET};

	(void)state;
	assert_bad_request(&verify, 8, 25, -EBADMSG);	      /* size */
	assert_bad_request(&verify, 16, 2, -EPROTONOSUPPORT); /* version */
	assert_bad_request(&verify, 18, 0, -EBADMSG);	      /* kind */
	assert_bad_request(&verify, 18, ADMIN_KINDS, -EBADMSG);
	assert_bad_request(&verify, 20, 4, -EBADMSG); /* length of the name */
	assert_bad_request(&verify, 22, 0, -EBADMSG); /* a NUL in it */
	assert_bad_request(&verify, 25, 2, -EBADMSG); /* neither no nor yes */
	assert_bad_request(&command, 20, 0, -EBADMSG);
	assert_bad_request(&command, 20, DLMIRROR_DAEMON_RESTART_STATUS + 1, -EBADMSG);
	/* A name one longer than there is room for. */
	memset(get.mirror, 'x', sizeof(get.mirror) - 1);
	assert_int_equal(admin_request_encode(&get, message, sizeof(message)), 150);
	message[8] = 151;
	message[20]++;
	message[150] = 'x';
	assert_int_equal(admin_request_decode(message, 151, &get), -EBADMSG);
}

static void mirror_fill(struct dlmirror_mirror *ret, char letter)
{
	uint32_t i;

	memset(ret, 0, sizeof(*ret));
	memset(ret->uuid, letter, sizeof(ret->uuid) - 1);
	memset(ret->name, letter, sizeof(ret->name) - 1);
	memset(ret->log_device, letter, sizeof(ret->log_device) - 1);
	strcpy(ret->phase, "detaching");
	strcpy(ret->log_state, "claiming");
	ret->luid = UINT64_MAX;
	ret->has_disk = true;
	ret->handle_errors = true;
	ret->log_error = -110;
	ret->length_sectors = 1;
	ret->region_sectors = 2;
	ret->region_count = 3;
	ret->in_sync = 4;
	ret->dirty = 5;
	ret->repair = 6;
	ret->copying = 7;
	ret->recovering = 8;
	ret->pending = 9;
	ret->log_writes = 10;
	ret->memory_bytes = 11;
	ret->verifying = true;
	ret->verify_done = 12;
	ret->verify_skipped = 13;
	ret->verify_differed = 14;
	ret->verify_repaired = 15;
	ret->verify_listed = DLMIRROR_REGIONS_MAX;
	for (i = 0; i < DLMIRROR_REGIONS_MAX; i++)
		ret->verify_region[i] = UINT64_MAX - i;
	memset(ret->reload, letter, sizeof(ret->reload) - 1);
	ret->resync_rate = UINT64_MAX - 2;
	ret->ordered = true;
	ret->order_error = 16;
	ret->revision = UINT64_MAX - 3;
	ret->clustered = true;
	ret->quorate = true;
	ret->slot = 16;
	ret->member_count = DLMIRROR_MEMBERS_MAX;
	for (i = 0; i < DLMIRROR_MEMBERS_MAX; i++)
		ret->member[i] = (struct dlmirror_member){UINT32_MAX - i, i, 'G'};
	ret->leg_count = DLMIRROR_LEGS_MAX;
	for (i = 0; i < DLMIRROR_LEGS_MAX; i++)
		ret->leg[i] = (struct dlmirror_leg){4095, UINT32_MAX - i, i, 'D'};
}

static void assert_mirror_equal(const struct dlmirror_mirror *a, const struct dlmirror_mirror *b)
{
	uint32_t i;

	assert_string_equal(a->uuid, b->uuid);
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->phase, b->phase);
	assert_string_equal(a->log_state, b->log_state);
	assert_string_equal(a->log_device, b->log_device);
	assert_int_equal(a->luid, b->luid);
	assert_int_equal(a->has_disk, b->has_disk);
	assert_int_equal(a->integrated_flush, b->integrated_flush);
	assert_int_equal(a->handle_errors, b->handle_errors);
	assert_int_equal(a->suspect, b->suspect);
	assert_int_equal(a->log_error, b->log_error);
	assert_int_equal(a->length_sectors, b->length_sectors);
	assert_int_equal(a->region_sectors, b->region_sectors);
	assert_int_equal(a->region_count, b->region_count);
	assert_int_equal(a->in_sync, b->in_sync);
	assert_int_equal(a->dirty, b->dirty);
	assert_int_equal(a->repair, b->repair);
	assert_int_equal(a->copying, b->copying);
	assert_int_equal(a->recovering, b->recovering);
	assert_int_equal(a->pending, b->pending);
	assert_int_equal(a->log_writes, b->log_writes);
	assert_int_equal(a->memory_bytes, b->memory_bytes);
	assert_int_equal(a->verifying, b->verifying);
	assert_int_equal(a->resync_rate, b->resync_rate);
	assert_int_equal(a->ordered, b->ordered);
	assert_int_equal(a->order_error, b->order_error);
	assert_int_equal(a->revision, b->revision);
	assert_int_equal(a->verify_repair, b->verify_repair);
	assert_int_equal(a->verify_done, b->verify_done);
	assert_int_equal(a->verify_skipped, b->verify_skipped);
	assert_int_equal(a->verify_differed, b->verify_differed);
	assert_int_equal(a->verify_repaired, b->verify_repaired);
	assert_int_equal(a->verify_listed, b->verify_listed);
	assert_memory_equal(a->verify_region, b->verify_region, sizeof(a->verify_region));
	assert_int_equal(a->clustered, b->clustered);
	assert_int_equal(a->quorate, b->quorate);
	assert_int_equal(a->slot, b->slot);
	assert_int_equal(a->member_count, b->member_count);
	for (i = 0; i < a->member_count; i++) {
		assert_int_equal(a->member[i].node, b->member[i].node);
		assert_int_equal(a->member[i].slot, b->member[i].slot);
		assert_int_equal(a->member[i].state, b->member[i].state);
	}
	assert_int_equal(a->leg_count, b->leg_count);
	for (i = 0; i < a->leg_count; i++) {
		assert_int_equal(a->leg[i].major, b->leg[i].major);
		assert_int_equal(a->leg[i].minor, b->leg[i].minor);
		assert_int_equal(a->leg[i].start_sector, b->leg[i].start_sector);
		assert_int_equal(a->leg[i].health, b->leg[i].health);
	}
}

/* A page of the largest mirrors there can be: as many as fit, at most the page's limit. */
static void test_list(void **state)
{
	struct admin_reply_writer writer;
	struct admin_reply reply;
	struct dlmirror_mirror in;
	struct dlmirror_mirror out;
	uint32_t added = 0;
	uint32_t i;
	size_t size;

	(void)state;
	admin_reply_begin(&writer, ADMIN_LIST, 0, "", message, sizeof(message));
	admin_reply_add_list(&writer, 1000, 17);
	do {
		mirror_fill(&in, (char)('A' + added % 26));
	} while (admin_reply_add_mirror(&writer, &in) && ++added);
	size = admin_reply_end(&writer);
	assert_true(size > 0 && size <= sizeof(message));
	assert_true(added >= 30 && added <= ADMIN_PAGE_MIRRORS);

	assert_int_equal(admin_reply_decode(message, size, ADMIN_LIST, &reply), 0);
	assert_int_equal(reply.total, 1000);
	assert_int_equal(reply.first, 17);
	assert_int_equal(reply.count, added);
	for (i = 0; i < added; i++) {
		mirror_fill(&in, (char)('A' + i % 26));
		assert_int_equal(admin_reply_mirror(&reply, &out), 0);
		assert_mirror_equal(&in, &out);
	}
	assert_int_equal(admin_reply_mirror(&reply, &out), -EBADMSG);
}

static void test_small_mirrors(void **state)
{
	struct admin_reply_writer writer;
	const struct dlmirror_mirror in = {.uuid = "u"};
	uint32_t added = 0;

	(void)state;
	admin_reply_begin(&writer, ADMIN_LIST, 0, "", message, sizeof(message));
	admin_reply_add_list(&writer, 1000, 0);
	while (admin_reply_add_mirror(&writer, &in))
		added++;
	assert_int_equal(added, ADMIN_PAGE_MIRRORS);
}

static size_t mirror_reply(const struct dlmirror_mirror *mirror)
{
	struct admin_reply_writer writer;

	admin_reply_begin(&writer, ADMIN_GET, 0, "", message, sizeof(message));
	admin_reply_add_list(&writer, 1, 0);
	assert_true(admin_reply_add_mirror(&writer, mirror));
	return admin_reply_end(&writer);
}

/* Cut anywhere, a reply is refused: by the envelope, and without it by what is missing. */
static void test_cut(void **state)
{
	struct admin_reply reply;
	struct dlmirror_mirror mirror;
	struct writer w;
	size_t size;
	size_t cut;
	int result;

	(void)state;
	mirror_fill(&mirror, 'x');
	size = mirror_reply(&mirror);
	for (cut = 0; cut < size; cut++) {
		assert_int_equal(admin_reply_decode(message, cut, ADMIN_GET, &reply), -EBADMSG);
		if (cut < ADMIN_REPLY_ENVELOPE)
			continue;
		w = writer_of(message + 8, 4);
		write_native_u32(&w, (uint32_t)cut);
		result = admin_reply_decode(message, cut, ADMIN_GET, &reply);
		if (result == 0)
			result = admin_reply_mirror(&reply, &mirror);
		assert_int_equal(result, -EBADMSG);
	}
	/* And with a byte too much. */
	w = writer_of(message + 8, 4);
	write_native_u32(&w, (uint32_t)size + 1);
	message[size] = 0;
	assert_int_equal(admin_reply_decode(message, size + 1, ADMIN_GET, &reply), 0);
	assert_int_equal(admin_reply_mirror(&reply, &mirror), -EBADMSG);
}

static void test_bad_mirror(void **state)
{
	struct dlmirror_mirror mirror = {.uuid = "u", .leg_count = 1, .leg = {{.health = 'A'}}};
	struct dlmirror_mirror out = {.uuid = "untouched"};
	struct admin_reply reply;
	size_t size = mirror_reply(&mirror);

	(void)state;
	message[size - 1] = 7; /* health: would ring the terminal's bell */
	assert_int_equal(admin_reply_decode(message, size, ADMIN_GET, &reply), 0);
	assert_int_equal(admin_reply_mirror(&reply, &out), -EBADMSG);
	assert_string_equal(out.uuid, "untouched");

	size = mirror_reply(&mirror);
	message[size - 18] = DLMIRROR_LEGS_MAX + 1;
	assert_int_equal(admin_reply_decode(message, size, ADMIN_GET, &reply), 0);
	assert_int_equal(admin_reply_mirror(&reply, &out), -EBADMSG);

	size = mirror_reply(&mirror);
	message[size - 19] = DLMIRROR_REGIONS_MAX + 1;
	assert_int_equal(admin_reply_decode(message, size, ADMIN_GET, &reply), 0);
	assert_int_equal(admin_reply_mirror(&reply, &out), -EBADMSG);

	/* More mirrors than a page has. */
	size = mirror_reply(&mirror);
	message[BODY_AT + 2 + 16] = ADMIN_PAGE_MIRRORS + 1;
	assert_int_equal(admin_reply_decode(message, size, ADMIN_GET, &reply), -EBADMSG);

	/* The daemon's own mistakes do not go out either. */
	mirror.leg_count = DLMIRROR_LEGS_MAX + 1;
	{
		struct admin_reply_writer writer;

		admin_reply_begin(&writer, ADMIN_GET, 0, "", message, sizeof(message));
		admin_reply_add_list(&writer, 1, 0);
		assert_false(admin_reply_add_mirror(&writer, &mirror));
	}
}

static void test_errors(void **state)
{
	char text[2 * ADMIN_TEXT_SIZE];
	struct admin_reply_writer writer;
	struct admin_reply reply;
	size_t size;

	(void)state;
	admin_reply_begin(&writer, ADMIN_VERIFY, -EBUSY, "not now", message, sizeof(message));
	size = admin_reply_end(&writer);
	assert_int_equal(admin_reply_decode(message, size, ADMIN_VERIFY, &reply), 0);
	assert_int_equal(reply.error, -EBUSY);
	assert_string_equal(reply.text, "not now");
	/* Not the answer to another question. */
	assert_int_equal(admin_reply_decode(message, size, ADMIN_LIST, &reply), -EBADMSG);
	/* Of another version. */
	message[ADMIN_REPLY_ENVELOPE]++;
	assert_int_equal(admin_reply_decode(message, size, ADMIN_VERIFY, &reply), -EPROTONOSUPPORT);

	/* A text that is too long is cut; a positive error is none. */
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	admin_reply_begin(&writer, ADMIN_COMMAND, 0, text, message, sizeof(message));
	size = admin_reply_end(&writer);
	assert_int_equal(admin_reply_decode(message, size, ADMIN_COMMAND, &reply), 0);
	assert_int_equal(strlen(reply.text), ADMIN_TEXT_SIZE - 1);
	message[ADMIN_REPLY_ENVELOPE + 4] = 1;
	assert_int_equal(admin_reply_decode(message, size, ADMIN_COMMAND, &reply), -EBADMSG);
	/* One that does not fit at all. */
	admin_reply_begin(&writer, ADMIN_COMMAND, 0, text, message, 100);
	assert_int_equal(admin_reply_end(&writer), 0);
}

static void test_daemon_and_counters(void **state)
{
	const struct dlmirror_daemon daemon = {.version = "1.2.3-rc4",
					       .pid = 1,
					       .mirrors = 2,
					       .responders = 3,
					       .uptime_s = 4,
					       .generation = 5,
					       .requests = 6,
					       .malformed = 7,
					       .overruns = 8,
					       .unknown_log = 9,
					       .stale = 10,
					       .memory_bytes = 11};
	struct dlmirror_daemon daemon_out = {0};
	struct dlmirror_counters counters = {0};
	struct dlmirror_counters counters_out = {0};
	struct admin_reply_writer writer;
	struct admin_reply reply;
	size_t size;

	(void)state;
	admin_reply_begin(&writer, ADMIN_DAEMON, 0, "", message, sizeof(message));
	admin_reply_add_daemon(&writer, &daemon);
	size = admin_reply_end(&writer);
	assert_int_equal(admin_reply_decode(message, size, ADMIN_DAEMON, &reply), 0);
	assert_int_equal(admin_reply_daemon(&reply, &daemon_out), 0);
	assert_string_equal(daemon_out.version, daemon.version);
	assert_int_equal(daemon_out.responders, 3);
	assert_int_equal(daemon_out.stale, 10);
	assert_int_equal(daemon_out.memory_bytes, 11);

	counters.type[0].count = UINT64_MAX;
	counters.type[DLMIRROR_TYPES - 1].bucket[DLMIRROR_BUCKETS - 1] = 42;
	admin_reply_begin(&writer, ADMIN_COUNTERS, 0, "", message, sizeof(message));
	admin_reply_add_counters(&writer, &counters);
	size = admin_reply_end(&writer);
	assert_int_equal(admin_reply_decode(message, size, ADMIN_COUNTERS, &reply), 0);
	assert_int_equal(admin_reply_counters(&reply, &counters_out), 0);
	assert_memory_equal(&counters, &counters_out, sizeof(counters));
	/* Of a daemon that counts something else. */
	message[BODY_AT + 2]++;
	assert_int_equal(admin_reply_decode(message, size, ADMIN_COUNTERS, &reply), 0);
	assert_int_equal(admin_reply_counters(&reply, &counters_out), -EBADMSG);
}

/* The envelope says it belongs to the reply, but nothing of the reply is there. */
static size_t with_a_byte_more(size_t size)
{
	struct writer w = writer_of(message + 8, 4);

	message[size] = 0;
	write_native_u32(&w, (uint32_t)size + 1);
	return size + 1;
}

static void test_bytes_that_belong_to_nothing(void **state)
{
	const struct dlmirror_counters counters = {0};
	const struct dlmirror_daemon daemon = {.version = "1"};
	struct dlmirror_counters counters_out = {.type = {{.count = 7}}};
	struct dlmirror_daemon daemon_out = {.pid = 7};
	struct admin_reply_writer writer;
	struct admin_reply reply;
	size_t size;

	(void)state;
	/* behind an error, and behind a reply that is all in its text */
	admin_reply_begin(&writer, ADMIN_COUNTERS, -EIO, "no", message, sizeof(message));
	size = with_a_byte_more(admin_reply_end(&writer));
	assert_int_equal(admin_reply_decode(message, size, ADMIN_COUNTERS, &reply), -EBADMSG);
	admin_reply_begin(&writer, ADMIN_COMMAND, 0, "yes", message, sizeof(message));
	size = with_a_byte_more(admin_reply_end(&writer));
	assert_int_equal(admin_reply_decode(message, size, ADMIN_COMMAND, &reply), -EBADMSG);

	admin_reply_begin(&writer, ADMIN_COUNTERS, 0, "", message, sizeof(message));
	admin_reply_add_counters(&writer, &counters);
	size = with_a_byte_more(admin_reply_end(&writer));
	assert_int_equal(admin_reply_decode(message, size, ADMIN_COUNTERS, &reply), 0);
	assert_int_equal(admin_reply_counters(&reply, &counters_out), -EBADMSG);
	assert_int_equal(counters_out.type[0].count, 7);

	admin_reply_begin(&writer, ADMIN_DAEMON, 0, "", message, sizeof(message));
	admin_reply_add_daemon(&writer, &daemon);
	size = with_a_byte_more(admin_reply_end(&writer));
	assert_int_equal(admin_reply_decode(message, size, ADMIN_DAEMON, &reply), 0);
	assert_int_equal(admin_reply_daemon(&reply, &daemon_out), -EBADMSG);
	assert_int_equal(daemon_out.pid, 7);
}

/* Cut in its body, with an envelope that fits. */
static void test_numbers_that_are_not_there(void **state)
{
	const struct dlmirror_counters counters = {0};
	struct dlmirror_counters out;
	struct admin_reply_writer writer;
	struct admin_reply reply;
	size_t size;

	(void)state;
	admin_reply_begin(&writer, ADMIN_COUNTERS, 0, "", message, sizeof(message));
	admin_reply_add_counters(&writer, &counters);
	size = admin_reply_end(&writer);
	for (size_t cut = BODY_AT + 2; cut < size; cut++) {
		struct writer w = writer_of(message + 8, 4);

		write_native_u32(&w, (uint32_t)cut);
		assert_int_equal(admin_reply_decode(message, cut, ADMIN_COUNTERS, &reply), 0);
		assert_int_equal(admin_reply_counters(&reply, &out), -EBADMSG);
	}
}

static void test_reload_status(void **state)
{
	static struct dlmirror_reload reload;
	static struct dlmirror_reload seen;
	struct admin_reply_writer writer;
	struct admin_reply reply;
	size_t size;

	(void)state;
	reload = (struct dlmirror_reload){.known = true,
					  .done = true,
					  .waits = "for node 3",
					  .why = "node 2: no",
					  .node_count = DLMIRROR_VIEW_MAX};
	for (uint32_t i = 0; i < DLMIRROR_VIEW_MAX; i++) {
		reload.node[i].node = UINT32_MAX - i;
		strcpy(reload.node[i].state, "has left");
		memset(reload.node[i].text, 'x', DLMIRROR_TEXT_SIZE - 1);
	}
	admin_reply_begin(&writer, ADMIN_RELOAD_STATUS, 0, "", message, sizeof(message));
	admin_reply_add_reload(&writer, &reload);
	size = admin_reply_end(&writer);
	assert_true(size > 0);
	assert_int_equal(admin_reply_decode(message, size, ADMIN_RELOAD_STATUS, &reply), 0);
	assert_int_equal(admin_reply_reload(&reply, &seen), 0);
	assert_memory_equal(&seen, &reload, sizeof(seen));
	for (size_t cut = BODY_AT + 2; cut < size; cut += 7) {
		struct admin_reply shorter = reply;

		shorter.body = reader_of(message + BODY_AT + 2, cut - BODY_AT - 2);
		assert_int_equal(admin_reply_reload(&shorter, &seen), -EBADMSG);
	}
}

static struct dlmirror_cell cells[ADMIN_MAP_CELLS];
static struct dlmirror_cell cells_seen[ADMIN_MAP_CELLS];

/* The largest there can be. */
static size_t map_reply(struct dlmirror_map *map)
{
	struct admin_reply_writer writer;

	*map =
	    (struct dlmirror_map){.region_count = UINT64_MAX, .member_count = DLMIRROR_MEMBERS_MAX};
	for (uint32_t i = 0; i < DLMIRROR_MEMBERS_MAX; i++) {
		struct dlmirror_work *work = &map->member[i];

		*work = (struct dlmirror_work){.node = UINT32_MAX - i,
					       .slot = i,
					       .state = 'R',
					       .lease_any = i % 2 == 0,
					       .lease_first = UINT64_MAX - 63,
					       .lease = UINT64_MAX - i,
					       .claim_count = DLMIRROR_CLAIM_MAX};
		for (uint32_t n = 0; n < DLMIRROR_CLAIM_MAX; n++)
			work->claim[n] = UINT64_MAX - i - n;
	}
	for (uint32_t i = 0; i < ADMIN_MAP_CELLS; i++)
		for (unsigned n = 0; n < DLMIRROR_REGIONS; n++)
			cells[i].count[n] = ADMIN_MAP_REGIONS - i - n;
	admin_reply_begin(&writer, ADMIN_MAP, 0, "", message, sizeof(message));
	admin_reply_add_map(&writer, map, cells, ADMIN_MAP_CELLS);
	return admin_reply_end(&writer);
}

static void test_map(void **state)
{
	static struct dlmirror_map map;
	static struct dlmirror_map seen;
	struct admin_reply reply;
	uint32_t count = 7;
	size_t size = map_reply(&map);

	(void)state;
	assert_in_range(size, 1, sizeof(message) / 2);
	assert_int_equal(admin_reply_decode(message, size, ADMIN_MAP, &reply), 0);
	assert_int_equal(admin_reply_map(&reply, &seen, cells_seen, &count), 0);
	assert_int_equal(count, ADMIN_MAP_CELLS);
	assert_memory_equal(cells_seen, cells, sizeof(cells));
	assert_int_equal(seen.region_count, map.region_count);
	assert_int_equal(seen.member_count, map.member_count);
	for (uint32_t i = 0; i < map.member_count; i++) {
		assert_int_equal(seen.member[i].node, map.member[i].node);
		assert_int_equal(seen.member[i].slot, map.member[i].slot);
		assert_int_equal(seen.member[i].state, map.member[i].state);
		assert_int_equal(seen.member[i].lease_any, map.member[i].lease_any);
		assert_int_equal(seen.member[i].lease_first, map.member[i].lease_first);
		assert_int_equal(seen.member[i].lease, map.member[i].lease);
		assert_int_equal(seen.member[i].claim_count, map.member[i].claim_count);
		assert_memory_equal(seen.member[i].claim, map.member[i].claim,
				    sizeof(map.member[i].claim));
	}
	/* there was one only */
	count = 7;
	assert_int_equal(admin_reply_map(&reply, &seen, cells_seen, &count), -EBADMSG);
	assert_int_equal(count, 7);
}

static void assert_bad_map(size_t at, uint8_t value)
{
	static struct dlmirror_map map;
	struct admin_reply reply;
	uint32_t count;
	size_t size = map_reply(&map);

	message[BODY_AT + 2 + at] = value;
	assert_int_equal(admin_reply_decode(message, size, ADMIN_MAP, &reply), 0);
	assert_int_equal(admin_reply_map(&reply, &map, cells_seen, &count), -EBADMSG);
}

static void test_bad_maps(void **state)
{
	const size_t members = DLMIRROR_MEMBERS_MAX * (27 + DLMIRROR_CLAIM_MAX * 8);
	static struct dlmirror_map map;
	struct admin_reply reply;
	uint32_t count;
	size_t size;

	(void)state;
	assert_bad_map(8, DLMIRROR_MEMBERS_MAX + 1);
	assert_bad_map(17, 'a' - 1);		    /* the state of a member */
	assert_bad_map(18, 2);			    /* any lease: neither no nor yes */
	assert_bad_map(35, DLMIRROR_CLAIM_MAX + 1); /* regions of a claim */
	assert_bad_map(9 + members, 1);		    /* a cell more, that is not there */
	assert_bad_map(9 + members + 1, 3);	    /* less: bytes behind the last */
	assert_bad_map(9 + members + 4 + 3, 1);	    /* a cell of more regions than are counted */
	size = map_reply(&map);
	for (size_t cut = BODY_AT + 2; cut < size; cut += 3) {
		assert_int_equal(admin_reply_decode(message, size, ADMIN_MAP, &reply), 0);
		reply.body = reader_of(message + BODY_AT + 2, cut - BODY_AT - 2);
		assert_int_equal(admin_reply_map(&reply, &map, cells_seen, &count), -EBADMSG);
	}
}

static struct dlmirror_heat heat;
static struct dlmirror_heat heat_seen;

/* The largest there can be. */
static size_t heat_reply(void)
{
	struct admin_reply_writer writer;

	heat = (struct dlmirror_heat){.luid = UINT64_MAX,
				      .length_sectors = UINT64_MAX - 1,
				      .region_sectors = UINT64_MAX - 2,
				      .region_count = 8 * DLMIRROR_STRETCHES_MAX,
				      .stretch_regions = 8,
				      .stretch_count = DLMIRROR_STRETCHES_MAX};
	for (uint32_t i = 0; i < DLMIRROR_STRETCHES_MAX; i++)
		heat.marks[i] = UINT64_MAX - i;
	admin_reply_begin(&writer, ADMIN_HEAT, 0, "", message, sizeof(message));
	admin_reply_add_heat(&writer, &heat);
	return admin_reply_end(&writer);
}

static void test_heat(void **state)
{
	struct admin_reply reply;
	size_t size = heat_reply();

	(void)state;
	assert_int_equal(admin_reply_decode(message, size, ADMIN_HEAT, &reply), 0);
	assert_int_equal(admin_reply_heat(&reply, &heat_seen), 0);
	assert_int_equal(heat_seen.luid, heat.luid);
	assert_int_equal(heat_seen.length_sectors, heat.length_sectors);
	assert_int_equal(heat_seen.region_sectors, heat.region_sectors);
	assert_int_equal(heat_seen.region_count, heat.region_count);
	assert_int_equal(heat_seen.stretch_regions, heat.stretch_regions);
	assert_int_equal(heat_seen.stretch_count, heat.stretch_count);
	assert_memory_equal(heat_seen.marks, heat.marks, sizeof(heat.marks));
}

static void assert_bad_heat(size_t at, uint8_t value)
{
	struct admin_reply reply;
	size_t size = heat_reply();

	message[BODY_AT + 2 + at] = value;
	assert_int_equal(admin_reply_decode(message, size, ADMIN_HEAT, &reply), 0);
	assert_int_equal(admin_reply_heat(&reply, &heat_seen), -EBADMSG);
}

static void test_bad_heat(void **state)
{
	struct admin_reply reply;
	size_t size;

	(void)state;
	assert_bad_heat(24, 1);	 /* a region that begins one more than there can be */
	assert_bad_heat(25, 15); /* fewer: bytes behind the last */
	assert_bad_heat(32, 0);	 /* of no length */
	assert_bad_heat(32, 1);
	size = heat_reply();
	for (size_t at = 24; at < 32; at++)
		message[BODY_AT + 2 + at] = 0;
	assert_int_equal(admin_reply_decode(message, size, ADMIN_HEAT, &reply), 0);
	assert_int_equal(admin_reply_heat(&reply, &heat_seen), -EBADMSG);
	size = heat_reply();
	for (size_t cut = BODY_AT + 2; cut < size; cut += 3) {
		assert_int_equal(admin_reply_decode(message, size, ADMIN_HEAT, &reply), 0);
		reply.body = reader_of(message + BODY_AT + 2, cut - BODY_AT - 2);
		assert_int_equal(admin_reply_heat(&reply, &heat_seen), -EBADMSG);
	}
}

static struct admin_events events;
static struct admin_events events_seen;

/* A full page of the longest there can be. */
static size_t events_reply(void)
{
	struct admin_reply_writer writer;

	events = (struct admin_events){
	    .record = UINT64_MAX, .newest = 2 * ADMIN_PAGE_EVENTS - 1, .count = ADMIN_PAGE_EVENTS};
	for (uint32_t i = 0; i < ADMIN_PAGE_EVENTS; i++) {
		struct dlmirror_event *event = &events.event[i];

		*event = (struct dlmirror_event){
		    .seq = 2 * i + 1, .time_ms = UINT64_MAX - i, .value = UINT64_MAX / 2 + i};
		memset(event->id, 'i', sizeof(event->id) - 1);
		memset(event->uuid, 'u', sizeof(event->uuid) - 1);
		memset(event->name, 'n', sizeof(event->name) - 1);
		memset(event->text, 't', sizeof(event->text) - 1);
	}
	admin_reply_begin(&writer, ADMIN_EVENTS, 0, "", message, sizeof(message));
	admin_reply_add_events(&writer, &events);
	return admin_reply_end(&writer);
}

static void test_events(void **state)
{
	struct admin_reply reply;
	size_t size = events_reply();

	(void)state;
	assert_in_range(size, 1, sizeof(message));
	assert_int_equal(admin_reply_decode(message, size, ADMIN_EVENTS, &reply), 0);
	assert_int_equal(admin_reply_events(&reply, &events_seen), 0);
	assert_int_equal(events_seen.record, events.record);
	assert_int_equal(events_seen.newest, events.newest);
	assert_int_equal(events_seen.count, events.count);
	assert_memory_equal(events_seen.event, events.event, sizeof(events.event));
}

static void assert_bad_events(size_t at, uint8_t value)
{
	struct admin_reply reply;
	size_t size = events_reply();

	message[BODY_AT + 2 + at] = value;
	assert_int_equal(admin_reply_decode(message, size, ADMIN_EVENTS, &reply), 0);
	assert_int_equal(admin_reply_events(&reply, &events_seen), -EBADMSG);
}

static void test_bad_events(void **state)
{
	const size_t first = 17; /* record, newest, count */
	const size_t id = first + 24 + 2;
	const size_t uuid = id + DLMIRROR_EVENT_SIZE - 1 + 2;
	const size_t name = uuid + DLMIRROR_NAME_SIZE - 1 + 2;
	const size_t text = name + DLMIRROR_NAME_SIZE - 1 + 2;
	struct admin_reply reply;
	size_t size;

	(void)state;
	assert_bad_events(16, ADMIN_PAGE_EVENTS + 1);
	assert_bad_events(16, ADMIN_PAGE_EVENTS - 1); /* bytes behind the last */
	assert_bad_events(first, 3);		      /* the next one has that number */
	assert_bad_events(first, 0);
	assert_bad_events(8, 2 * ADMIN_PAGE_EVENTS - 2); /* the newest is older than the last */
	/* nothing that a terminal would obey */
	assert_bad_events(id, 7);
	assert_bad_events(uuid, '\n');
	assert_bad_events(name, 0x1b);
	assert_bad_events(text + DLMIRROR_TEXT_SIZE - 2, 0x7f);
	size = events_reply();
	for (size_t cut = BODY_AT + 2; cut < size; cut += 5) {
		assert_int_equal(admin_reply_decode(message, size, ADMIN_EVENTS, &reply), 0);
		reply.body = reader_of(message + BODY_AT + 2, cut - BODY_AT - 2);
		assert_int_equal(admin_reply_events(&reply, &events_seen), -EBADMSG);
	}
}

static void test_errands(void **state)
{
	static struct dlmirror_errand_result result = {
	    .node = UINT32_MAX, .done = true, .code = 255, .text = "one\ntwo"};
	static struct dlmirror_errand_result seen;
	struct admin_reply_writer writer;
	struct admin_reply reply;
	uint64_t id;
	uint32_t count;
	size_t size;

	(void)state;
	admin_reply_begin(&writer, ADMIN_ERRAND, 0, "", message, sizeof(message));
	admin_reply_add_errand(&writer, UINT64_MAX - 1, DLMIRROR_VIEW_MAX);
	size = admin_reply_end(&writer);
	assert_int_equal(admin_reply_decode(message, size, ADMIN_ERRAND, &reply), 0);
	assert_int_equal(admin_reply_errand(&reply, &id, &count), 0);
	assert_true(id == UINT64_MAX - 1 && count == DLMIRROR_VIEW_MAX);
	message[size - 1]++; /* more nodes than there can be */
	assert_int_equal(admin_reply_decode(message, size, ADMIN_ERRAND, &reply), 0);
	assert_int_equal(admin_reply_errand(&reply, &id, &count), -EBADMSG);

	admin_reply_begin(&writer, ADMIN_ERRAND_RESULT, 0, "", message, sizeof(message));
	admin_reply_add_errand_result(&writer, &result);
	size = admin_reply_end(&writer);
	assert_int_equal(admin_reply_decode(message, size, ADMIN_ERRAND_RESULT, &reply), 0);
	assert_int_equal(admin_reply_errand_result(&reply, &seen), 0);
	assert_memory_equal(&seen, &result, sizeof(seen));
	message[size - 1] = 0x1b; /* a terminal would obey it */
	assert_int_equal(admin_reply_decode(message, size, ADMIN_ERRAND_RESULT, &reply), 0);
	assert_int_equal(admin_reply_errand_result(&reply, &seen), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_bad_requests),
	    cmocka_unit_test(test_list),
	    cmocka_unit_test(test_small_mirrors),
	    cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_bad_mirror),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_daemon_and_counters),
	    cmocka_unit_test(test_bytes_that_belong_to_nothing),
	    cmocka_unit_test(test_numbers_that_are_not_there),
	    cmocka_unit_test(test_reload_status),
	    cmocka_unit_test(test_map),
	    cmocka_unit_test(test_bad_maps),
	    cmocka_unit_test(test_heat),
	    cmocka_unit_test(test_bad_heat),
	    cmocka_unit_test(test_events),
	    cmocka_unit_test(test_bad_events),
	    cmocka_unit_test(test_errands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
