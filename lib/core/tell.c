/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What only I know, told to the others before I am READY, one message after the other: regions that
 * my kernel takes for stale, bits of dead members that I had inherited, marks without a log device.
 */
#include "core/mlog_internal.h"

/* The next region that my kernel takes for stale, and all others for in sync. */
static uint64_t next_untold(const struct mlog *m, uint64_t from)
{
	uint64_t none = m->config.region_count;

	while (from < none) {
		uint64_t region =
		    min_ms(hot_next_reported(m->hot, from), hot_next_unseen(m->hot, from));

		if (region == none || hot_in_sync(m->hot, region))
			return region;
		from = region + 1;
	}
	return none;
}

/* Into my slot first: who hears of it writes one leg only, without a mark, and all who have heard
 * may be gone before the map is on the device. Nor may somebody hear of it at all: of two nodes
 * that have parted each is quorate until one is fenced. */
static void untold_to_slot(struct mlog *m, uint64_t from)
{
	for (uint64_t r = next_untold(m, from); r < m->config.region_count;
	     r = next_untold(m, r + 1)) {
		hot_reported_set(m->hot, r, true);
		if (!bits_test(m->image, r >> m->hot->shift))
			dirty_inherit(m, r >> m->hot->shift);
	}
}

static bool tell_stale(struct mlog *m)
{
	uint64_t region = next_untold(m, m->tell_cursor);
	struct mlog_message *message;

	m->tell_cursor = region;
	if (region == m->config.region_count)
		return false;
	untold_to_slot(m, region);
	if (!hot_dirty(m->hot, region) && device_waits(m))
		return true; /* when it is written */
	m->tell_cursor = region + 1;
	message = group_send(m, MLOG_MSG_SYNC);
	message->sync.region = region;
	message->sync.in_sync = false;
	return true;
}

static void collect(struct mlog_items *items, const uint64_t *map, uint64_t bits, uint64_t *cursor)
{
	uint64_t at = bits_next_set(map, bits, *cursor);

	while (at < bits && items->count < MLOG_ITEMS_MAX) {
		items->item[items->count++] = at;
		at = bits_next_set(map, bits, at + 1);
	}
	*cursor = at;
}

static bool tell_dirty(struct mlog *m)
{
	uint64_t bits = hot_slot_bits(m->hot);
	bool all = m->taken_all && m->tell_cursor == 0; /* it is known until I am READY */
	struct mlog_message *message;

	if (!all && bits_next_set(m->taken, bits, m->tell_cursor) == bits)
		return false;
	message = group_send(m, MLOG_MSG_DIRTY);
	message->dirty_bits.slot = m->self;
	message->dirty_bits.all = all;
	collect(&message->dirty_bits.items, m->taken, bits, &m->tell_cursor);
	return true;
}

/* What they remember as my marks and is not in my image: an UNMARKS did not reach them, or a MARKS
 * that the kernel has no answer to; nothing of it is being written. It is not taken back as dirty:
 * that one of them knows a mark does not say that all do. */
static bool tell_unmarks(struct mlog *m)
{
	uint64_t bits = hot_slot_bits(m->hot);
	struct mlog_items *items = NULL;
	uint32_t count = 0;
	uint64_t at;

	if (m->config.members == 1 || !dirty_replicated(m))
		return false;
	for (at = bits_next_set(m->marks[m->self], bits, m->tell_cursor);
	     at < bits && count < MLOG_ITEMS_MAX;
	     at = bits_next_set(m->marks[m->self], bits, at + 1)) {
		if (bits_test(m->image, at))
			continue;
		if (items == NULL)
			items = &group_send(m, MLOG_MSG_UNMARKS)->marks.items;
		items->item[count++] = at;
		items->count = count;
	}
	m->tell_cursor = at;
	return items != NULL;
}

static bool tell_marks(struct mlog *m)
{
	uint64_t bits = hot_slot_bits(m->hot);
	struct mlog_message *message;

	if (m->config.members == 1 || !dirty_replicated(m) || m->tell_cursor > bits)
		return false;
	message = group_send(m, MLOG_MSG_MARKS);
	collect(&message->marks.items, m->image, bits, &m->tell_cursor);
	message->marks.all = m->tell_cursor == bits;
	m->tell_cursor += message->marks.all;
	return true;
}

void tell(struct mlog *m)
{
	static bool (*const step[])(struct mlog *) = {tell_stale, tell_dirty, tell_unmarks,
						      tell_marks};

	if (m->heard < m->tell_seq)
		return;
	while (m->tell_step < sizeof(step) / sizeof(step[0])) {
		if (step[m->tell_step](m)) {
			m->tell_seq = m->seq;
			return;
		}
		m->tell_step++;
		m->tell_cursor = 0;
	}
	group_send(m, MLOG_MSG_READY);
	m->group = GROUP_READYING;
}

void tell_begin(struct mlog *m)
{
	m->group = GROUP_TELLING;
	m->tell_step = 0;
	m->tell_cursor = 0;
	m->tell_seq = 0;
}
