/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pages of one area that must be written: group commit, one batch in flight at a time. */
#include <stdlib.h>

#include "core/mlog_internal.h"

bool pages_create(struct pages *p, enum mlog_area area, uint64_t bits, uint32_t page_bytes)
{
	uint64_t page_bits = (uint64_t)page_bytes * 8;

	p->area = area;
	p->count = (bits + page_bits - 1) / page_bits;
	p->dirty = calloc(bits_words(p->count), sizeof(*p->dirty));
	return p->dirty != NULL;
}

void pages_destroy(struct pages *p)
{
	free(p->dirty);
}

void pages_touch(struct pages *p, uint64_t page)
{
	if (bits_test(p->dirty, page))
		return;
	bits_set(p->dirty, page);
	p->dirty_count++;
}

void pages_forget(struct pages *p)
{
	bits_fill(p->dirty, p->count, false);
	p->dirty_count = 0;
}

bool pages_batch_start(struct mlog *m, struct pages *p)
{
	if (p->in_flight > 0 || p->dirty_count == 0)
		return false;
	p->error = 0;
	p->started_ms = m->now_ms;
	m->written_slot = m->slot;
	while (p->in_flight < MLOG_BATCH_MAX && p->dirty_count > 0) {
		uint64_t page = bits_next_set(p->dirty, p->count, p->cursor);
		struct mlog_effect *effect;

		if (page == p->count)
			page = bits_next_set(p->dirty, p->count, 0);
		bits_clear(p->dirty, page);
		p->dirty_count--;
		p->cursor = page + 1;
		p->in_flight++;
		effect = effect_add(m, MLOG_WRITE);
		effect->write.area = p->area;
		effect->write.page = page;
	}
	return true;
}

bool pages_written(struct pages *p, int error)
{
	assert(p->in_flight > 0);
	if (error != 0 && p->error == 0)
		p->error = error;
	if (error == 0)
		p->written++;
	return --p->in_flight == 0;
}
