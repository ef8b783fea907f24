/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the bytes of ERRAND, which is between the daemons. */
#include <errno.h>
#include <string.h>

#include "codec/group_internal.h"

#define ERRAND_DONE 1U /* flag */

static bool order_valid(const struct group_errand *e)
{
	if (e->from != e->id.node || e->count == 0 || e->count > MLOG_VIEW_MAX ||
	    (unsigned)e->what == 0 || (unsigned)e->what > UINT8_MAX || e->code != 0)
		return false;
	for (uint32_t i = 0; i < e->count; i++)
		if (e->node[i] == 0 || (i > 0 && e->node[i] <= e->node[i - 1]))
			return false;
	for (unsigned i = 0; i < DLMIRROR_ERRAND_ARGUMENTS; i++)
		if (!group_printable(e->argument[i], false))
			return false;
	return true;
}

static bool errand_valid(const struct group_errand *e)
{
	return e->from != 0 && e->id.node != 0 && e->id.number != 0 &&
	       group_printable(e->text, true) && (e->done || order_valid(e));
}

static void order_read(struct reader *r, struct group_errand *e)
{
	e->what = (enum dlmirror_errand)read_u8(r);
	e->count = read_u8(r);
	if (e->count > MLOG_VIEW_MAX)
		r->failed = true;
	for (uint32_t i = 0; i < e->count && !r->failed; i++)
		e->node[i] = read_u32(r);
	for (unsigned i = 0; i < DLMIRROR_ERRAND_ARGUMENTS; i++)
		read_string(r, e->argument[i], sizeof(e->argument[i]));
}

static int errand_read(struct reader *r, const struct group_raw *h, struct group_errand *e)
{
	uint8_t flags;

	memset(e, 0, sizeof(*e));
	e->from = h->node;
	if (h->version < GROUP_ERRAND_VERSION || h->incarnation != 0 || h->seq != 0 ||
	    !group_mirror_is_none(&h->mirror))
		return -EINVAL;
	e->id.node = read_u32(r);
	e->id.number = read_u64(r);
	flags = read_u8(r);
	e->done = flags == ERRAND_DONE;
	if (e->done)
		e->code = read_u8(r);
	else
		order_read(r, e);
	read_string(r, e->text, sizeof(e->text));
	return r->failed || r->left > 0 || flags > ERRAND_DONE || !errand_valid(e) ? -EINVAL : 0;
}

int group_errand_check(struct reader *r, const struct group_raw *h)
{
	struct group_errand errand;

	return errand_read(r, h, &errand);
}

int group_encode_errand(const struct group_versions *versions, const struct group_errand *e,
			void *ret, size_t cap)
{
	struct writer w = writer_of(ret, cap < GROUP_MESSAGE_MAX ? cap : GROUP_MESSAGE_MAX);
	struct group_raw h = {
	    .highest = versions->own,
	    .version = GROUP_ERRAND_VERSION,
	    .kind = GROUP_KIND_ERRAND,
	    .node = e->from,
	};

	if (versions->own < GROUP_ERRAND_VERSION || !errand_valid(e))
		return -EINVAL;
	write_zeros(&w, GROUP_HEADER_SIZE);
	write_u32(&w, e->id.node);
	write_u64(&w, e->id.number);
	write_u8(&w, e->done ? ERRAND_DONE : 0);
	if (e->done) {
		write_u8(&w, e->code);
	} else {
		write_u8(&w, (uint8_t)e->what);
		write_u8(&w, (uint8_t)e->count);
		for (uint32_t i = 0; i < e->count; i++)
			write_u32(&w, e->node[i]);
		for (unsigned i = 0; i < DLMIRROR_ERRAND_ARGUMENTS; i++)
			write_string(&w, e->argument[i]);
	}
	write_string(&w, e->text);
	if (w.failed)
		return -ENOSPC;
	h.length = (uint32_t)(w.at - (uint8_t *)ret);
	group_header_finish(ret, &h);
	return (int)h.length;
}

int group_decode_errand(const void *datagram, size_t size, struct group_errand *ret)
{
	struct reader r = reader_of(datagram, size);
	struct group_raw h;
	int rc = group_header_read(&r, datagram, size, &h);

	return rc == 0 ? errand_read(&r, &h, ret) : rc;
}
