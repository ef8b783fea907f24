/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Admin messages, both directions. Input: one byte that says what follows (0: a request, else the
 * kind of the reply waited for), then the message; its size is put right first, so that mutations
 * reach what lies behind that check.
 */
#include <errno.h>
#include <string.h>

#include "codec/admin.h"
#include "test/fuzz/fuzz.h"

#define SIZE_AT 8U

static uint8_t message[ADMIN_REPLY_MAX];
static uint8_t again[ADMIN_REPLY_MAX];

/* Each request has one form: decoded and encoded it is the same bytes, envelope aside. */
static void check_request(size_t size)
{
	struct admin_request request;
	int result = admin_request_decode(message, size, &request);

	if (result != 0) {
		MUST(result == -EBADMSG || result == -EPROTONOSUPPORT);
		return;
	}
	MUST(admin_request_encode(&request, again, sizeof(again)) == size);
	MUST(memcmp(message + ADMIN_REQUEST_ENVELOPE, again + ADMIN_REQUEST_ENVELOPE,
		    size - ADMIN_REQUEST_ENVELOPE) == 0);
}

/* Decodes all mirrors of a reply into the writer; false: one of them is bad. */
static bool copy_mirrors(struct admin_reply *reply, struct admin_reply_writer *writer)
{
	uint32_t count = reply->count;
	struct dlmirror_mirror mirror;

	admin_reply_add_list(writer, reply->total, reply->first);
	for (; count > 0; count--) {
		if (admin_reply_mirror(reply, &mirror) != 0)
			return false;
		MUST(mirror.leg_count <= DLMIRROR_LEGS_MAX);
		MUST(mirror.verify_listed <= DLMIRROR_REGIONS_MAX);
		MUST(admin_reply_add_mirror(writer, &mirror));
	}
	MUST(admin_reply_mirror(reply, &mirror) == -EBADMSG);
	return true;
}

static void check_reply(size_t size, enum admin_kind kind)
{
	struct admin_reply reply;
	struct admin_reply_writer writer;
	struct dlmirror_counters counters;
	static struct dlmirror_reload reload;
	static struct dlmirror_cell cell[ADMIN_MAP_CELLS];
	static struct dlmirror_map map;
	static struct admin_events events;
	struct dlmirror_daemon daemon;
	uint32_t cells;
	int result = admin_reply_decode(message, size, kind, &reply);

	if (result != 0) {
		MUST(result == -EBADMSG || result == -EPROTONOSUPPORT);
		return;
	}
	MUST(reply.error <= 0);
	admin_reply_begin(&writer, kind, reply.error, reply.text, again, sizeof(again));
	if (reply.error == 0 && (kind == ADMIN_LIST || kind == ADMIN_GET)) {
		if (!copy_mirrors(&reply, &writer))
			return;
	} else if (reply.error == 0 && kind == ADMIN_COUNTERS) {
		if (admin_reply_counters(&reply, &counters) != 0)
			return;
		admin_reply_add_counters(&writer, &counters);
	} else if (reply.error == 0 && kind == ADMIN_RELOAD_STATUS) {
		if (admin_reply_reload(&reply, &reload) != 0)
			return;
		admin_reply_add_reload(&writer, &reload);
	} else if (reply.error == 0 && kind == ADMIN_DAEMON) {
		if (admin_reply_daemon(&reply, &daemon) != 0)
			return;
		admin_reply_add_daemon(&writer, &daemon);
	} else if (reply.error == 0 && kind == ADMIN_MAP) {
		if (admin_reply_map(&reply, &map, cell, &cells) != 0)
			return;
		MUST(cells <= ADMIN_MAP_CELLS && map.member_count <= DLMIRROR_MEMBERS_MAX);
		admin_reply_add_map(&writer, &map, cell, cells);
	} else if (reply.error == 0 && kind == ADMIN_EVENTS) {
		if (admin_reply_events(&reply, &events) != 0)
			return;
		MUST(events.count <= ADMIN_PAGE_EVENTS);
		admin_reply_add_events(&writer, &events);
	} else if (reply.error == 0 && kind == ADMIN_ERRAND) {
		uint64_t id;
		uint32_t count;

		if (admin_reply_errand(&reply, &id, &count) != 0)
			return;
		admin_reply_add_errand(&writer, id, count);
	} else if (reply.error == 0 && kind == ADMIN_ERRAND_RESULT) {
		static struct dlmirror_errand_result answer;

		if (admin_reply_errand_result(&reply, &answer) != 0)
			return;
		admin_reply_add_errand_result(&writer, &answer);
	} else if (reply.error == 0 && kind == ADMIN_HEAT) {
		static struct dlmirror_heat heat;

		if (admin_reply_heat(&reply, &heat) != 0)
			return;
		MUST(heat.stretch_count > 0 && heat.stretch_count <= DLMIRROR_STRETCHES_MAX);
		admin_reply_add_heat(&writer, &heat);
	}
	MUST(admin_reply_end(&writer) == size);
	MUST(memcmp(message + ADMIN_REPLY_ENVELOPE, again + ADMIN_REPLY_ENVELOPE,
		    size - ADMIN_REPLY_ENVELOPE) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct writer w;

	if (size < 1 || size - 1 > sizeof(message))
		return 0;
	memcpy(message, data + 1, size - 1);
	if (size - 1 >= SIZE_AT + sizeof(uint32_t)) {
		w = writer_of(message + SIZE_AT, sizeof(uint32_t));
		write_native_u32(&w, (uint32_t)(size - 1));
	}
	if (data[0] % ADMIN_KINDS == 0)
		check_request(size - 1);
	else
		check_reply(size - 1, (enum admin_kind)(data[0] % ADMIN_KINDS));
	return 0;
}
