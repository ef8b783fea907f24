// SPDX-License-Identifier: LGPL-2.1-or-later
/* Admin messages: see admin.h for the form. Each value has an in and an out function, side by side.
 */
#include <errno.h>
#include <string.h>

#include "codec/admin.h"

_Static_assert(DLMIRROR_TYPES <= UINT8_MAX && DLMIRROR_BUCKETS <= UINT8_MAX, "counted in one byte");

/* A bool is 0 or 1, so that each value has one form. */
static bool read_bool(struct reader *r)
{
	uint8_t value = read_u8(r);

	if (value > 1)
		r->failed = true;
	return value == 1;
}

/* A string that goes to terminals as it is. */
static void read_printable(struct reader *r, char *ret, size_t cap, bool lines)
{
	read_string(r, ret, cap);
	for (const char *c = ret; *c != '\0'; c++)
		if (((unsigned char)*c < ' ' && !(lines && *c == '\n')) || *c == 0x7f)
			r->failed = true;
}

static bool kind_names_mirror(enum admin_kind kind)
{
	return (kind >= ADMIN_GET && kind <= ADMIN_RELOAD_STATUS) || kind == ADMIN_MAP ||
	       (kind >= ADMIN_RATE && kind <= ADMIN_RESUME) || kind == ADMIN_HEAT ||
	       kind == ADMIN_LOG_REPLACE;
}

static void write_plan(struct writer *w, const struct dlmirror_plan *plan)
{
	write_u64(w, plan->from_sectors);
	write_u8(w, (uint8_t)plan->from_legs);
	for (uint32_t i = 0; i < plan->from_legs && i < DLMIRROR_LEGS_MAX; i++)
		write_u64(w, plan->from_start[i]);
	write_u64(w, plan->to_sectors);
	write_u8(w, (uint8_t)plan->to_legs);
	for (uint32_t i = 0; i < plan->to_legs && i < DLMIRROR_LEGS_MAX; i++) {
		write_u8(w, plan->leg[i].fresh);
		write_u8(w, plan->leg[i].stale);
		write_u32(w, plan->leg[i].index);
		write_u64(w, plan->leg[i].start_sector);
		write_string(w, plan->leg[i].path);
	}
}

/* Whether it makes sense is for the daemon to say. */
static void read_plan(struct reader *r, struct dlmirror_plan *ret)
{
	ret->from_sectors = read_u64(r);
	ret->from_legs = read_u8(r);
	for (uint32_t i = 0; i < ret->from_legs && i < DLMIRROR_LEGS_MAX; i++)
		ret->from_start[i] = read_u64(r);
	ret->to_sectors = read_u64(r);
	ret->to_legs = read_u8(r);
	if (ret->from_legs > DLMIRROR_LEGS_MAX || ret->to_legs > DLMIRROR_LEGS_MAX)
		r->failed = true;
	for (uint32_t i = 0; i < ret->to_legs && i < DLMIRROR_LEGS_MAX; i++) {
		ret->leg[i].fresh = read_bool(r);
		ret->leg[i].stale = read_bool(r);
		ret->leg[i].index = read_u32(r);
		ret->leg[i].start_sector = read_u64(r);
		read_string(r, ret->leg[i].path, sizeof(ret->leg[i].path));
	}
}

static void write_errand(struct writer *w, const struct group_errand *errand)
{
	write_u8(w, (uint8_t)errand->what);
	write_u8(w, (uint8_t)errand->count);
	for (uint32_t i = 0; i < errand->count && i < MLOG_VIEW_MAX; i++)
		write_u32(w, errand->node[i]);
	for (unsigned i = 0; i < DLMIRROR_ERRAND_ARGUMENTS; i++)
		write_string(w, errand->argument[i]);
	write_string(w, errand->text);
}

static void read_errand(struct reader *r, struct group_errand *ret)
{
	ret->what = (enum dlmirror_errand)read_u8(r);
	ret->count = read_u8(r);
	if ((unsigned)ret->what == 0 || ret->what >= DLMIRROR_ERRANDS || ret->count > MLOG_VIEW_MAX)
		r->failed = true;
	for (uint32_t i = 0; i < ret->count && i < MLOG_VIEW_MAX; i++)
		ret->node[i] = read_u32(r);
	for (unsigned i = 0; i < DLMIRROR_ERRAND_ARGUMENTS; i++)
		read_printable(r, ret->argument[i], sizeof(ret->argument[i]), false);
	read_printable(r, ret->text, sizeof(ret->text), true);
}

size_t admin_request_encode(const struct admin_request *request, void *ret, size_t cap)
{
	struct writer w = writer_of(ret, cap);
	struct writer size_at;

	write_native_u32(&w, 0); /* id: the kind is ours, behind the envelope */
	write_zeros(&w, 4);
	size_at = w;
	write_zeros(&w, 8);
	write_u16(&w, ADMIN_VERSION);
	write_u16(&w, (uint16_t)request->kind);
	if (request->kind == ADMIN_LIST)
		write_u64(&w, request->first);
	if (kind_names_mirror(request->kind))
		write_string(&w, request->mirror);
	if (request->kind == ADMIN_VERIFY)
		write_u8(&w, request->repair);
	if (request->kind == ADMIN_VERIFY || request->kind == ADMIN_RATE)
		write_u64(&w, request->rate);
	if (request->kind == ADMIN_RELOAD) {
		write_plan(&w, &request->plan);
		write_u32(&w, request->timeout_s);
	}
	if (request->kind == ADMIN_LOG_REPLACE) {
		write_string(&w, request->device);
		write_u32(&w, request->timeout_s);
	}
	if (request->kind == ADMIN_COMMAND) {
		write_u32(&w, (uint32_t)request->command);
		write_string(&w, request->argument);
	}
	if (request->kind == ADMIN_MAP) {
		write_u64(&w, request->first);
		write_u64(&w, request->per_cell);
		write_u32(&w, request->cells);
	}
	if (request->kind == ADMIN_EVENTS) {
		write_u64(&w, request->position.record);
		write_u64(&w, request->position.seq);
	}
	if (request->kind == ADMIN_ERRAND)
		write_errand(&w, &request->errand);
	if (request->kind == ADMIN_ERRAND_RESULT) {
		write_u64(&w, request->errand_id);
		write_u32(&w, request->index);
	}
	if (w.failed)
		return 0;
	write_native_u32(&size_at, (uint32_t)(cap - w.left));
	return cap - w.left;
}

static void read_arguments(struct reader *r, struct admin_request *ret)
{
	uint32_t command;

	if (ret->kind == ADMIN_LIST)
		ret->first = read_u64(r);
	if (kind_names_mirror(ret->kind))
		read_string(r, ret->mirror, sizeof(ret->mirror));
	if (ret->kind == ADMIN_VERIFY)
		ret->repair = read_bool(r);
	if (ret->kind == ADMIN_VERIFY || ret->kind == ADMIN_RATE)
		ret->rate = read_u64(r);
	if (ret->kind == ADMIN_RELOAD) {
		read_plan(r, &ret->plan);
		ret->timeout_s = read_u32(r);
	}
	if (ret->kind == ADMIN_LOG_REPLACE) {
		read_string(r, ret->device, sizeof(ret->device));
		ret->timeout_s = read_u32(r);
	}
	if (ret->kind == ADMIN_COMMAND) {
		command = read_u32(r);
		if (command < DLMIRROR_DAEMON_RESTART || command > DLMIRROR_DAEMON_RESTART_STATUS)
			r->failed = true;
		else
			ret->command = (enum dlmirror_daemon_command)command;
		read_string(r, ret->argument, sizeof(ret->argument));
	}
	if (ret->kind == ADMIN_MAP) { /* whether there is such a piece is for the server to say */
		ret->first = read_u64(r);
		ret->per_cell = read_u64(r);
		ret->cells = read_u32(r);
	}
	if (ret->kind == ADMIN_EVENTS) {
		ret->position.record = read_u64(r);
		ret->position.seq = read_u64(r);
	}
	if (ret->kind == ADMIN_ERRAND)
		read_errand(r, &ret->errand);
	if (ret->kind == ADMIN_ERRAND_RESULT) {
		ret->errand_id = read_u64(r);
		ret->index = read_u32(r);
	}
}

int admin_request_decode(const void *data, size_t size, struct admin_request *ret)
{
	struct reader r = reader_of(data, size);
	struct admin_request request = {0};
	uint32_t said;
	uint16_t version;
	uint16_t kind;

	(void)read_bytes(&r, 8);
	said = read_native_u32(&r);
	(void)read_bytes(&r, 4);
	version = read_u16(&r);
	if (r.failed || said != size)
		return -EBADMSG;
	if (version != ADMIN_VERSION)
		return -EPROTONOSUPPORT;
	kind = read_u16(&r);
	if (r.failed || kind < ADMIN_LIST || kind >= ADMIN_KINDS)
		return -EBADMSG;
	request.kind = (enum admin_kind)kind;
	read_arguments(&r, &request);
	if (r.failed || r.left > 0)
		return -EBADMSG;
	*ret = request;
	return 0;
}

size_t admin_news_encode(uint8_t ret[ADMIN_REPLY_ENVELOPE])
{
	struct writer w = writer_of(ret, ADMIN_REPLY_ENVELOPE);

	write_zeros(&w, 8);
	write_native_u32(&w, ADMIN_REPLY_ENVELOPE);
	write_zeros(&w, w.left);
	return ADMIN_REPLY_ENVELOPE;
}

void admin_reply_begin(struct admin_reply_writer *reply, enum admin_kind kind, int error,
		       const char *text, void *ret, size_t cap)
{
	char line[ADMIN_TEXT_SIZE];
	size_t length = strnlen(text, sizeof(line) - 1);
	struct writer w = writer_of(ret, cap);

	memcpy(line, text, length);
	line[length] = '\0';
	write_zeros(&w, ADMIN_REPLY_ENVELOPE);
	write_u16(&w, ADMIN_VERSION);
	write_u16(&w, (uint16_t)kind);
	write_u32(&w, (uint32_t)error);
	write_string(&w, line);
	*reply = (struct admin_reply_writer){.start = ret, .cap = cap, .w = w};
}

void admin_reply_add_list(struct admin_reply_writer *reply, uint64_t total, uint64_t first)
{
	write_u64(&reply->w, total);
	write_u64(&reply->w, first);
	reply->count_at = reply->w;
	write_u32(&reply->w, 0);
}

size_t admin_reply_end(struct admin_reply_writer *reply)
{
	struct writer w = writer_of(reply->start, reply->cap);
	size_t size = reply->cap - reply->w.left;

	if (reply->w.failed)
		return 0;
	write_zeros(&w, 8);
	write_native_u32(&w, (uint32_t)size);
	if (reply->count_at.at)
		write_u32(&reply->count_at, reply->count);
	return size;
}

static bool body_expected(const struct admin_reply *reply)
{
	if (reply->error != 0)
		return false;
	return reply->count > 0 || reply->kind == ADMIN_COUNTERS || reply->kind == ADMIN_DAEMON ||
	       reply->kind == ADMIN_RELOAD_STATUS || reply->kind == ADMIN_MAP ||
	       reply->kind == ADMIN_EVENTS || reply->kind == ADMIN_ERRAND ||
	       reply->kind == ADMIN_ERRAND_RESULT || reply->kind == ADMIN_HEAT;
}

int admin_reply_decode(const void *data, size_t size, enum admin_kind kind, struct admin_reply *ret)
{
	struct reader r = reader_of(data, size);
	struct admin_reply reply = {.kind = kind};
	uint32_t said;
	uint16_t version;

	(void)read_bytes(&r, 8);
	said = read_native_u32(&r);
	(void)read_bytes(&r, 12);
	version = read_u16(&r);
	if (r.failed || said != size)
		return -EBADMSG;
	if (version != ADMIN_VERSION)
		return -EPROTONOSUPPORT;
	if (read_u16(&r) != kind)
		return -EBADMSG;
	reply.error = (int)(int32_t)read_u32(&r);
	read_string(&r, reply.text, sizeof(reply.text));
	if (reply.error == 0 && (kind == ADMIN_LIST || kind == ADMIN_GET)) {
		reply.total = read_u64(&r);
		reply.first = read_u64(&r);
		reply.count = read_u32(&r);
	}
	if (r.failed || reply.error > 0 || reply.count > ADMIN_PAGE_MIRRORS)
		return -EBADMSG;
	if (r.left > 0 && !body_expected(&reply))
		return -EBADMSG;
	reply.body = r;
	*ret = reply;
	return 0;
}

static void write_leg(struct writer *w, const struct dlmirror_leg *leg)
{
	write_u32(w, leg->major);
	write_u32(w, leg->minor);
	write_u64(w, leg->start_sector);
	write_u8(w, (uint8_t)leg->health);
}

static void read_leg(struct reader *r, struct dlmirror_leg *ret)
{
	uint8_t health;

	ret->major = read_u32(r);
	ret->minor = read_u32(r);
	ret->start_sector = read_u64(r);
	health = read_u8(r);
	/* It goes to terminals as it is. */
	if (health < ' ' || health > '~')
		r->failed = true;
	ret->health = (char)health;
}

static void write_members(struct writer *w, const struct dlmirror_mirror *m)
{
	write_u8(w, m->clustered);
	write_u8(w, m->quorate);
	write_u32(w, m->slot);
	write_u8(w, (uint8_t)m->member_count);
	for (uint32_t i = 0; i < m->member_count; i++) {
		write_u32(w, m->member[i].node);
		write_u32(w, m->member[i].slot);
		write_u8(w, (uint8_t)m->member[i].state);
	}
}

static void read_members(struct reader *r, struct dlmirror_mirror *ret)
{
	ret->clustered = read_bool(r);
	ret->quorate = read_bool(r);
	ret->slot = read_u32(r);
	ret->member_count = read_u8(r);
	if (ret->member_count > DLMIRROR_MEMBERS_MAX) {
		r->failed = true;
		return;
	}
	for (uint32_t i = 0; i < ret->member_count; i++) {
		ret->member[i].node = read_u32(r);
		ret->member[i].slot = read_u32(r);
		ret->member[i].state = (char)read_u8(r);
		if (ret->member[i].state < 'A' || ret->member[i].state > 'Z')
			r->failed = true;
	}
}

static void write_verify(struct writer *w, const struct dlmirror_mirror *m)
{
	uint32_t i;

	write_u8(w, m->verifying);
	write_u8(w, m->verify_repair);
	write_u64(w, m->verify_done);
	write_u64(w, m->verify_skipped);
	write_u64(w, m->verify_differed);
	write_u64(w, m->verify_repaired);
	write_u8(w, (uint8_t)m->verify_listed);
	for (i = 0; i < m->verify_listed; i++)
		write_u64(w, m->verify_region[i]);
}

static void read_verify(struct reader *r, struct dlmirror_mirror *ret)
{
	uint32_t i;

	ret->verifying = read_bool(r);
	ret->verify_repair = read_bool(r);
	ret->verify_done = read_u64(r);
	ret->verify_skipped = read_u64(r);
	ret->verify_differed = read_u64(r);
	ret->verify_repaired = read_u64(r);
	ret->verify_listed = read_u8(r);
	if (ret->verify_listed > DLMIRROR_REGIONS_MAX) {
		r->failed = true;
		return;
	}
	for (i = 0; i < ret->verify_listed; i++)
		ret->verify_region[i] = read_u64(r);
}

static void write_mirror(struct writer *w, const struct dlmirror_mirror *m)
{
	uint32_t i;

	write_string(w, m->uuid);
	write_string(w, m->name);
	write_u64(w, m->luid);
	write_string(w, m->phase);
	write_string(w, m->log_state);
	write_u8(w, m->has_disk);
	write_u8(w, m->integrated_flush);
	write_u8(w, m->handle_errors);
	write_u8(w, m->suspect);
	write_string(w, m->log_device);
	write_u32(w, (uint32_t)m->log_error);
	write_u64(w, m->length_sectors);
	write_u64(w, m->region_sectors);
	write_u64(w, m->region_count);
	write_u64(w, m->in_sync);
	write_u64(w, m->dirty);
	write_u64(w, m->repair);
	write_u64(w, m->copying);
	write_u64(w, m->recovering);
	write_u32(w, m->pending);
	write_u64(w, m->log_writes);
	write_u64(w, m->memory_bytes);
	write_string(w, m->reload);
	write_u64(w, m->resync_rate);
	write_u8(w, m->ordered);
	write_u32(w, (uint32_t)m->order_error);
	write_u64(w, m->revision);
	write_members(w, m);
	write_verify(w, m);
	write_u8(w, (uint8_t)m->leg_count);
	for (i = 0; i < m->leg_count; i++)
		write_leg(w, &m->leg[i]);
}

static void read_mirror(struct reader *r, struct dlmirror_mirror *ret)
{
	uint32_t i;

	read_string(r, ret->uuid, sizeof(ret->uuid));
	read_string(r, ret->name, sizeof(ret->name));
	ret->luid = read_u64(r);
	read_string(r, ret->phase, sizeof(ret->phase));
	read_string(r, ret->log_state, sizeof(ret->log_state));
	ret->has_disk = read_bool(r);
	ret->integrated_flush = read_bool(r);
	ret->handle_errors = read_bool(r);
	ret->suspect = read_bool(r);
	read_string(r, ret->log_device, sizeof(ret->log_device));
	ret->log_error = (int32_t)read_u32(r);
	ret->length_sectors = read_u64(r);
	ret->region_sectors = read_u64(r);
	ret->region_count = read_u64(r);
	ret->in_sync = read_u64(r);
	ret->dirty = read_u64(r);
	ret->repair = read_u64(r);
	ret->copying = read_u64(r);
	ret->recovering = read_u64(r);
	ret->pending = read_u32(r);
	ret->log_writes = read_u64(r);
	ret->memory_bytes = read_u64(r);
	read_string(r, ret->reload, sizeof(ret->reload));
	ret->resync_rate = read_u64(r);
	ret->ordered = read_bool(r);
	ret->order_error = (int32_t)read_u32(r);
	ret->revision = read_u64(r);
	read_members(r, ret);
	read_verify(r, ret);
	ret->leg_count = read_u8(r);
	if (ret->leg_count > DLMIRROR_LEGS_MAX) {
		r->failed = true;
		return;
	}
	for (i = 0; i < ret->leg_count; i++)
		read_leg(r, &ret->leg[i]);
}

bool admin_reply_add_mirror(struct admin_reply_writer *reply, const struct dlmirror_mirror *mirror)
{
	struct writer w = reply->w;

	if (mirror->leg_count > DLMIRROR_LEGS_MAX || mirror->member_count > DLMIRROR_MEMBERS_MAX ||
	    mirror->verify_listed > DLMIRROR_REGIONS_MAX || reply->count >= ADMIN_PAGE_MIRRORS)
		return false;
	write_mirror(&w, mirror);
	if (w.failed)
		return false;
	reply->w = w;
	reply->count++;
	return true;
}

int admin_reply_mirror(struct admin_reply *reply, struct dlmirror_mirror *ret)
{
	struct dlmirror_mirror mirror = {0};

	if (reply->count == 0)
		return -EBADMSG;
	read_mirror(&reply->body, &mirror);
	reply->count--;
	if (reply->body.failed || (reply->count == 0 && reply->body.left > 0))
		return -EBADMSG;
	*ret = mirror;
	return 0;
}

void admin_reply_add_counters(struct admin_reply_writer *reply,
			      const struct dlmirror_counters *counters)
{
	unsigned type;
	unsigned i;

	write_u8(&reply->w, DLMIRROR_TYPES);
	write_u8(&reply->w, DLMIRROR_BUCKETS);
	for (type = 0; type < DLMIRROR_TYPES; type++) {
		const struct dlmirror_counter *c = &counters->type[type];

		write_u64(&reply->w, c->count);
		write_u64(&reply->w, c->errors);
		write_u64(&reply->w, c->total_us);
		for (i = 0; i < DLMIRROR_BUCKETS; i++)
			write_u64(&reply->w, c->bucket[i]);
	}
}

int admin_reply_counters(struct admin_reply *reply, struct dlmirror_counters *ret)
{
	struct dlmirror_counters counters = {0};
	struct reader *r = &reply->body;
	unsigned type;
	unsigned i;

	if (read_u8(r) != DLMIRROR_TYPES || read_u8(r) != DLMIRROR_BUCKETS)
		return -EBADMSG;
	for (type = 0; type < DLMIRROR_TYPES; type++) {
		struct dlmirror_counter *c = &counters.type[type];

		c->count = read_u64(r);
		c->errors = read_u64(r);
		c->total_us = read_u64(r);
		for (i = 0; i < DLMIRROR_BUCKETS; i++)
			c->bucket[i] = read_u64(r);
	}
	if (r->failed || r->left > 0)
		return -EBADMSG;
	*ret = counters;
	return 0;
}

void admin_reply_add_reload(struct admin_reply_writer *reply, const struct dlmirror_reload *reload)
{
	struct writer *w = &reply->w;

	write_u8(w, reload->known);
	write_u8(w, reload->under_way);
	write_u8(w, reload->done);
	write_string(w, reload->waits);
	write_string(w, reload->why);
	write_u8(w, (uint8_t)reload->node_count);
	for (uint32_t i = 0; i < reload->node_count; i++) {
		write_u32(w, reload->node[i].node);
		write_string(w, reload->node[i].state);
		write_string(w, reload->node[i].text);
	}
}

int admin_reply_reload(struct admin_reply *reply, struct dlmirror_reload *ret)
{
	struct dlmirror_reload reload = {0};
	struct reader *r = &reply->body;

	reload.known = read_bool(r);
	reload.under_way = read_bool(r);
	reload.done = read_bool(r);
	read_string(r, reload.waits, sizeof(reload.waits));
	read_string(r, reload.why, sizeof(reload.why));
	reload.node_count = read_u8(r);
	if (reload.node_count > DLMIRROR_VIEW_MAX)
		return -EBADMSG;
	for (uint32_t i = 0; i < reload.node_count; i++) {
		reload.node[i].node = read_u32(r);
		read_string(r, reload.node[i].state, sizeof(reload.node[i].state));
		read_string(r, reload.node[i].text, sizeof(reload.node[i].text));
	}
	if (r->failed || r->left > 0)
		return -EBADMSG;
	*ret = reload;
	return 0;
}

static void write_cluster(struct writer *w, const struct dlmirror_cluster *c)
{
	write_u8(w, c->enabled);
	write_string(w, c->name);
	write_string(w, c->problem);
	write_u32(w, c->node);
	write_u8(w, c->joined);
	write_u8(w, c->quorate);
	write_u32(w, c->ring_node);
	write_u64(w, c->ring_seq);
	write_u8(w, (uint8_t)c->view_count);
	for (uint32_t i = 0; i < c->view_count; i++)
		write_u32(w, c->view[i]);
	write_u32(w, c->protocol);
	write_u64(w, c->sent);
	write_u64(w, c->received);
	write_u64(w, c->sent_bytes);
	write_u64(w, c->received_bytes);
	write_u64(w, c->retries);
	write_u32(w, c->queued);
	write_u64(w, c->damaged);
	write_u64(w, c->refused);
	write_u64(w, c->reconnects);
	write_u8(w, c->locks_joined);
	write_u8(w, c->locks_recovering);
	write_u8(w, c->fencing);
	write_u32(w, c->locks_held);
	write_u32(w, c->locks_waiting);
	write_u32(w, c->locks_orphans);
}

static void read_cluster(struct reader *r, struct dlmirror_cluster *ret)
{
	ret->enabled = read_bool(r);
	read_string(r, ret->name, sizeof(ret->name));
	read_string(r, ret->problem, sizeof(ret->problem));
	ret->node = read_u32(r);
	ret->joined = read_bool(r);
	ret->quorate = read_bool(r);
	ret->ring_node = read_u32(r);
	ret->ring_seq = read_u64(r);
	ret->view_count = read_u8(r);
	if (ret->view_count > DLMIRROR_VIEW_MAX) {
		r->failed = true;
		return;
	}
	for (uint32_t i = 0; i < ret->view_count; i++)
		ret->view[i] = read_u32(r);
	ret->protocol = read_u32(r);
	ret->sent = read_u64(r);
	ret->received = read_u64(r);
	ret->sent_bytes = read_u64(r);
	ret->received_bytes = read_u64(r);
	ret->retries = read_u64(r);
	ret->queued = read_u32(r);
	ret->damaged = read_u64(r);
	ret->refused = read_u64(r);
	ret->reconnects = read_u64(r);
	ret->locks_joined = read_bool(r);
	ret->locks_recovering = read_bool(r);
	ret->fencing = read_bool(r);
	ret->locks_held = read_u32(r);
	ret->locks_waiting = read_u32(r);
	ret->locks_orphans = read_u32(r);
}

void admin_reply_add_daemon(struct admin_reply_writer *reply, const struct dlmirror_daemon *daemon)
{
	struct writer *w = &reply->w;

	write_string(w, daemon->version);
	write_string(w, daemon->host_id);
	write_string(w, daemon->host_name);
	write_u32(w, daemon->pid);
	write_u32(w, daemon->mirrors);
	write_u32(w, daemon->responders);
	write_u64(w, daemon->uptime_s);
	write_u32(w, daemon->generation);
	write_u64(w, daemon->requests);
	write_u64(w, daemon->malformed);
	write_u64(w, daemon->overruns);
	write_u64(w, daemon->unknown_log);
	write_u64(w, daemon->stale);
	write_u64(w, daemon->memory_bytes);
	write_cluster(w, &daemon->cluster);
}

int admin_reply_daemon(struct admin_reply *reply, struct dlmirror_daemon *ret)
{
	struct dlmirror_daemon daemon = {0};
	struct reader *r = &reply->body;

	read_string(r, daemon.version, sizeof(daemon.version));
	read_string(r, daemon.host_id, sizeof(daemon.host_id));
	read_string(r, daemon.host_name, sizeof(daemon.host_name));
	daemon.pid = read_u32(r);
	daemon.mirrors = read_u32(r);
	daemon.responders = read_u32(r);
	daemon.uptime_s = read_u64(r);
	daemon.generation = read_u32(r);
	daemon.requests = read_u64(r);
	daemon.malformed = read_u64(r);
	daemon.overruns = read_u64(r);
	daemon.unknown_log = read_u64(r);
	daemon.stale = read_u64(r);
	daemon.memory_bytes = read_u64(r);
	read_cluster(r, &daemon.cluster);
	if (r->failed || r->left > 0)
		return -EBADMSG;
	*ret = daemon;
	return 0;
}

static void write_work(struct writer *w, const struct dlmirror_work *work)
{
	write_u32(w, work->node);
	write_u32(w, work->slot);
	write_u8(w, (uint8_t)work->state);
	write_u8(w, work->lease_any);
	write_u64(w, work->lease_first);
	write_u64(w, work->lease);
	write_u8(w, (uint8_t)work->claim_count);
	for (uint32_t i = 0; i < work->claim_count; i++)
		write_u64(w, work->claim[i]);
}

static void read_work(struct reader *r, struct dlmirror_work *ret)
{
	ret->node = read_u32(r);
	ret->slot = read_u32(r);
	ret->state = (char)read_u8(r);
	if (ret->state < 'A' || ret->state > 'Z')
		r->failed = true;
	ret->lease_any = read_bool(r);
	ret->lease_first = read_u64(r);
	ret->lease = read_u64(r);
	ret->claim_count = read_u8(r);
	if (ret->claim_count > DLMIRROR_CLAIM_MAX) {
		r->failed = true;
		return;
	}
	for (uint32_t i = 0; i < ret->claim_count; i++)
		ret->claim[i] = read_u64(r);
}

void admin_reply_add_map(struct admin_reply_writer *reply, const struct dlmirror_map *map,
			 const struct dlmirror_cell *cell, uint32_t cells)
{
	struct writer *w = &reply->w;

	write_u64(w, map->region_count);
	write_u8(w, (uint8_t)map->member_count);
	for (uint32_t i = 0; i < map->member_count; i++)
		write_work(w, &map->member[i]);
	write_u32(w, cells);
	for (uint32_t i = 0; i < cells; i++)
		for (unsigned state = 0; state < DLMIRROR_REGIONS; state++)
			write_u32(w, (uint32_t)cell[i].count[state]);
}

static void read_cells(struct reader *r, struct dlmirror_cell *ret, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		for (unsigned state = 0; state < DLMIRROR_REGIONS; state++) {
			ret[i].count[state] = read_u32(r);
			if (ret[i].count[state] > ADMIN_MAP_REGIONS)
				r->failed = true;
		}
	}
}

int admin_reply_map(struct admin_reply *reply, struct dlmirror_map *ret,
		    struct dlmirror_cell *ret_cells, uint32_t *ret_count)
{
	struct dlmirror_map map = {0};
	struct reader *r = &reply->body;
	uint32_t count;

	map.region_count = read_u64(r);
	map.member_count = read_u8(r);
	if (map.member_count > DLMIRROR_MEMBERS_MAX)
		return -EBADMSG;
	for (uint32_t i = 0; i < map.member_count; i++)
		read_work(r, &map.member[i]);
	count = read_u32(r);
	if (r->failed || count > ADMIN_MAP_CELLS)
		return -EBADMSG;
	read_cells(r, ret_cells, count);
	if (r->failed || r->left > 0)
		return -EBADMSG;
	*ret = map;
	*ret_count = count;
	return 0;
}

void admin_reply_add_events(struct admin_reply_writer *reply, const struct admin_events *events)
{
	struct writer *w = &reply->w;

	write_u64(w, events->record);
	write_u64(w, events->newest);
	write_u8(w, (uint8_t)events->count);
	for (uint32_t i = 0; i < events->count; i++) {
		const struct dlmirror_event *event = &events->event[i];

		write_u64(w, event->seq);
		write_u64(w, event->time_ms);
		write_u64(w, event->value);
		write_string(w, event->id);
		write_string(w, event->uuid);
		write_string(w, event->name);
		write_string(w, event->text);
	}
}

static void read_event(struct reader *r, struct dlmirror_event *ret)
{
	ret->seq = read_u64(r);
	ret->time_ms = read_u64(r);
	ret->value = read_u64(r);
	read_printable(r, ret->id, sizeof(ret->id), false);
	read_printable(r, ret->uuid, sizeof(ret->uuid), false);
	read_printable(r, ret->name, sizeof(ret->name), false);
	read_printable(r, ret->text, sizeof(ret->text), false);
}

int admin_reply_events(struct admin_reply *reply, struct admin_events *ret)
{
	struct reader *r = &reply->body;
	uint64_t last = 0;

	ret->record = read_u64(r);
	ret->newest = read_u64(r);
	ret->count = read_u8(r);
	if (ret->count > ADMIN_PAGE_EVENTS)
		return -EBADMSG;
	for (uint32_t i = 0; i < ret->count; i++) {
		read_event(r, &ret->event[i]);
		/* Who asks for what is behind the last one must come to an end. */
		if (ret->event[i].seq <= last || ret->event[i].seq > ret->newest)
			r->failed = true;
		last = ret->event[i].seq;
	}
	return r->failed || r->left > 0 ? -EBADMSG : 0;
}

void admin_reply_add_errand(struct admin_reply_writer *reply, uint64_t id, uint32_t count)
{
	write_u64(&reply->w, id);
	write_u8(&reply->w, (uint8_t)count);
}

int admin_reply_errand(struct admin_reply *reply, uint64_t *ret_id, uint32_t *ret_count)
{
	*ret_id = read_u64(&reply->body);
	*ret_count = read_u8(&reply->body);
	return reply->body.failed || reply->body.left > 0 || *ret_count > DLMIRROR_VIEW_MAX
		   ? -EBADMSG
		   : 0;
}

void admin_reply_add_errand_result(struct admin_reply_writer *reply,
				   const struct dlmirror_errand_result *result)
{
	struct writer *w = &reply->w;

	write_u32(w, result->node);
	write_u8(w, result->done);
	write_u8(w, result->left);
	write_u8(w, (uint8_t)result->code);
	write_string(w, result->text);
}

int admin_reply_errand_result(struct admin_reply *reply, struct dlmirror_errand_result *ret)
{
	struct reader *r = &reply->body;

	ret->node = read_u32(r);
	ret->done = read_bool(r);
	ret->left = read_bool(r);
	ret->code = read_u8(r);
	read_printable(r, ret->text, sizeof(ret->text), true);
	return r->failed || r->left > 0 ? -EBADMSG : 0;
}

void admin_reply_add_heat(struct admin_reply_writer *reply, const struct dlmirror_heat *heat)
{
	struct writer *w = &reply->w;

	write_u64(w, heat->luid);
	write_u64(w, heat->length_sectors);
	write_u64(w, heat->region_sectors);
	write_u64(w, heat->region_count);
	write_u64(w, heat->stretch_regions);
	for (uint32_t i = 0; i < heat->stretch_count; i++)
		write_u64(w, heat->marks[i]);
}

int admin_reply_heat(struct admin_reply *reply, struct dlmirror_heat *ret)
{
	struct dlmirror_heat heat = {0};
	struct reader *r = &reply->body;
	uint64_t last; /* stretch */

	heat.luid = read_u64(r);
	heat.length_sectors = read_u64(r);
	heat.region_sectors = read_u64(r);
	heat.region_count = read_u64(r);
	heat.stretch_regions = read_u64(r);
	if (heat.region_count == 0 || heat.stretch_regions == 0)
		return -EBADMSG;
	last = (heat.region_count - 1) / heat.stretch_regions;
	if (last >= DLMIRROR_STRETCHES_MAX)
		return -EBADMSG;
	heat.stretch_count = (uint32_t)last + 1;
	for (uint32_t i = 0; i < heat.stretch_count; i++)
		heat.marks[i] = read_u64(r);
	if (r->failed || r->left > 0)
		return -EBADMSG;
	*ret = heat;
	return 0;
}
