/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the bytes of RELOAD, which is between the daemons. */
#include <errno.h>
#include <string.h>

#include "codec/group_internal.h"
#include "codec/table.h"

/* flags of a leg */
#define PLAN_FRESH 1U
#define PLAN_STALE 2U

/* ---- plans */

static bool path_valid(const char *path)
{
	return path[0] == '/' && path[1] != '\0';
}

static bool leg_valid(const struct dlmirror_plan *plan, uint32_t i)
{
	const struct dlmirror_plan_leg *leg = &plan->leg[i];
	const struct dlmirror_plan_leg *before = i > 0 ? &plan->leg[i - 1] : NULL;

	if (leg->stale && (leg->fresh || i == 0))
		return false;
	if (leg->fresh) {
		for (uint32_t k = 0; k < i; k++)
			if (plan->leg[k].fresh && strcmp(plan->leg[k].path, leg->path) == 0)
				return false;
		return i > 0 && path_valid(leg->path) &&
		       leg->start_sector <= UINT64_MAX - plan->to_sectors;
	}
	/* What is kept is the source of what is not, so it comes first; nothing comes twice. */
	return leg->index < plan->from_legs &&
	       (before == NULL || (!before->fresh && before->index < leg->index));
}

bool group_plan_valid(const struct dlmirror_plan *plan)
{
	if (plan->from_legs < 2 || plan->from_legs > DLMIRROR_LEGS_MAX || plan->to_legs < 2 ||
	    plan->to_legs > DLMIRROR_LEGS_MAX || plan->from_sectors == 0 ||
	    plan->to_sectors < plan->from_sectors)
		return false;
	for (uint32_t i = 0; i < plan->to_legs; i++)
		if (!leg_valid(plan, i))
			return false;
	return true;
}

bool group_plan_changes(const struct dlmirror_plan *plan)
{
	for (uint32_t i = 0; i < plan->to_legs; i++)
		if (plan->leg[i].fresh)
			return true;
	return plan->to_legs != plan->from_legs || plan->to_sectors != plan->from_sectors;
}

bool group_plan_resyncs(const struct dlmirror_plan *plan)
{
	for (uint32_t i = 0; i < plan->to_legs; i++)
		if (plan->leg[i].stale)
			return true;
	return false;
}

static void plan_write(struct writer *w, const struct dlmirror_plan *plan)
{
	write_u64(w, plan->from_sectors);
	write_u8(w, (uint8_t)plan->from_legs);
	for (uint32_t i = 0; i < plan->from_legs; i++)
		write_u64(w, plan->from_start[i]);
	write_u64(w, plan->to_sectors);
	write_u8(w, (uint8_t)plan->to_legs);
	for (uint32_t i = 0; i < plan->to_legs; i++) {
		const struct dlmirror_plan_leg *leg = &plan->leg[i];

		write_u8(w, leg->fresh ? PLAN_FRESH : leg->stale ? PLAN_STALE : 0);
		if (leg->fresh) {
			write_u64(w, leg->start_sector);
			write_string(w, leg->path);
		} else {
			write_u8(w, (uint8_t)leg->index);
		}
	}
}

static void plan_leg_read(struct reader *r, struct dlmirror_plan_leg *leg)
{
	uint8_t flags = read_u8(r);

	if (flags > PLAN_STALE)
		r->failed = true;
	leg->fresh = flags == PLAN_FRESH;
	leg->stale = flags == PLAN_STALE;
	if (leg->fresh) {
		leg->start_sector = read_u64(r);
		read_string(r, leg->path, sizeof(leg->path));
	} else {
		leg->index = read_u8(r);
	}
}

static void plan_read(struct reader *r, struct dlmirror_plan *plan)
{
	plan->from_sectors = read_u64(r);
	plan->from_legs = read_u8(r);
	for (uint32_t i = 0; i < plan->from_legs && i < DLMIRROR_LEGS_MAX; i++)
		plan->from_start[i] = read_u64(r);
	plan->to_sectors = read_u64(r);
	plan->to_legs = read_u8(r);
	for (uint32_t i = 0; i < plan->to_legs && i < DLMIRROR_LEGS_MAX; i++)
		plan_leg_read(r, &plan->leg[i]);
}

/* ---- bodies */

static uint32_t answers(unsigned a, unsigned b, unsigned c)
{
	return UINT32_C(1) << a | UINT32_C(1) << b | UINT32_C(1) << c;
}

static bool answer_valid(const struct group_reload *m)
{
	const uint32_t allowed[GROUP_RELOAD_STEPS] = {
	    [GROUP_RELOAD_PLAN] = 1,
	    [GROUP_RELOAD_VOTE] = answers(GROUP_RELOAD_NONE, GROUP_RELOAD_YES, GROUP_RELOAD_NO),
	    [GROUP_RELOAD_SUSPENDED] = answers(GROUP_RELOAD_YES, GROUP_RELOAD_YES, GROUP_RELOAD_NO),
	    [GROUP_RELOAD_GO] = answers(GROUP_RELOAD_YES, GROUP_RELOAD_YES, GROUP_RELOAD_NO),
	    [GROUP_RELOAD_DONE] = answers(GROUP_RELOAD_YES, GROUP_RELOAD_NO, GROUP_RELOAD_ERROR),
	    [GROUP_RELOAD_CANCEL] = 1,
	    [GROUP_RELOAD_ASK] = 1,
	    [GROUP_RELOAD_TELL] = answers(GROUP_RELOAD_NONE, GROUP_RELOAD_YES, GROUP_RELOAD_NO) |
				  UINT32_C(1) << GROUP_RELOAD_OPEN,
	};

	return m->answer < GROUP_RELOAD_ANSWERS && (allowed[m->step] >> m->answer & 1) != 0;
}

static bool paths_printable(const struct dlmirror_plan *plan)
{
	for (uint32_t i = 0; i < plan->to_legs; i++)
		if (plan->leg[i].fresh && !group_printable(plan->leg[i].path, false))
			return false;
	return true;
}

/* An older table must not find the log that it had, nor the new log say what it does not know. */
static bool log_valid(const struct group_reload *m)
{
	return m->log[0] == '\0' ||
	       (path_valid(m->log) && group_printable(m->log, false) && m->revision != 0 &&
		!group_plan_changes(&m->plan) && !group_plan_resyncs(&m->plan));
}

static bool reload_valid(const struct group_reload *m)
{
	return m->step >= GROUP_RELOAD_PLAN && m->step < GROUP_RELOAD_STEPS && m->from != 0 &&
	       m->id.node != 0 && m->id.number != 0 && answer_valid(m) &&
	       group_printable(m->text, false) &&
	       (m->step != GROUP_RELOAD_PLAN ||
		(m->from == m->id.node && group_plan_valid(&m->plan) && paths_printable(&m->plan) &&
		 log_valid(m)));
}

static void body_read(struct reader *r, uint16_t version, struct group_reload *m)
{
	m->step = (enum group_reload_step)read_u8(r);
	m->id.node = read_u32(r);
	m->id.number = read_u64(r);
	m->answer = (enum group_reload_answer)read_u8(r);
	read_string(r, m->text, sizeof(m->text));
	if (m->step == GROUP_RELOAD_PLAN)
		plan_read(r, &m->plan);
	if (m->step == GROUP_RELOAD_PLAN && version >= GROUP_REVISION_VERSION)
		m->revision = read_u64(r);
	r->failed |= m->revision > TABLE_REVISION_MAX;
	if (m->step == GROUP_RELOAD_PLAN && version >= GROUP_LOG_VERSION)
		read_string(r, m->log, sizeof(m->log));
}

static uint16_t reload_version(const struct group_reload *m)
{
	if (m->step != GROUP_RELOAD_PLAN || m->revision == 0)
		return GROUP_RELOAD_VERSION;
	return m->log[0] == '\0' ? GROUP_REVISION_VERSION : GROUP_LOG_VERSION;
}

static int reload_read(struct reader *r, const struct group_raw *h, struct group_reload *ret)
{
	struct group_reload m = {.from = h->node};

	if (h->version < GROUP_RELOAD_VERSION || h->incarnation != 0 || h->seq != 0 ||
	    group_mirror_is_none(&h->mirror))
		return -EINVAL;
	body_read(r, h->version, &m);
	if (r->failed || r->left > 0 || !reload_valid(&m) || h->version != reload_version(&m))
		return -EINVAL;
	*ret = m;
	return 0;
}

int group_reload_check(struct reader *r, const struct group_raw *h)
{
	struct group_reload m;

	return reload_read(r, h, &m);
}

int group_encode_reload(const struct group_versions *versions, const struct group_mirror *mirror,
			const struct group_reload *m, void *ret, size_t cap)
{
	struct writer w = writer_of(ret, cap < GROUP_MESSAGE_MAX ? cap : GROUP_MESSAGE_MAX);
	struct group_raw h = {
	    .highest = versions->own,
	    .version = reload_version(m),
	    .kind = GROUP_KIND_RELOAD,
	    .node = m->from,
	    .mirror = *mirror,
	};

	if (versions->own < h.version || !reload_valid(m) || group_mirror_is_none(mirror))
		return -EINVAL;
	write_zeros(&w, GROUP_HEADER_SIZE);
	write_u8(&w, (uint8_t)m->step);
	write_u32(&w, m->id.node);
	write_u64(&w, m->id.number);
	write_u8(&w, (uint8_t)m->answer);
	write_string(&w, m->text);
	if (m->step == GROUP_RELOAD_PLAN)
		plan_write(&w, &m->plan);
	if (h.version >= GROUP_REVISION_VERSION)
		write_u64(&w, m->revision);
	if (h.version >= GROUP_LOG_VERSION)
		write_string(&w, m->log);
	if (w.failed)
		return -ENOSPC;
	h.length = (uint32_t)(w.at - (uint8_t *)ret);
	group_header_finish(ret, &h);
	return (int)h.length;
}

int group_decode_reload(const void *datagram, size_t size, struct group_reload *ret)
{
	struct reader r = reader_of(datagram, size);
	struct group_raw h;
	int rc = group_header_read(&r, datagram, size, &h);

	return rc == 0 ? reload_read(&r, &h, ret) : rc;
}
