/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The locks of slots and of the in-sync map: asked for, held, and given back when nothing that was
 * written under them can still arrive.
 */
#include "core/mlog_internal.h"

static bool to_be_unlocked(const struct mlog *m, uint32_t lock)
{
	return (m->unlock >> lock & 1) != 0;
}

/* A founder waits for a write of its last life, but not for ever. */
bool lock_write_given_up(const struct mlog *m)
{
	return m->group == GROUP_FOUNDING && m->operation != DEVICE_LOAD &&
	       m->now_ms >= m->found_ms + m->config.log_timeout_ms;
}

void lock_take(struct mlog *m, uint32_t lock)
{
	struct mlog_effect *effect;

	/* Kept from an earlier life: the slot's is mine still, for the map's others may wait, who
	 * know more by now. */
	if (lock == MLOG_LOCK_MAP && to_be_unlocked(m, lock) && !lock_write_given_up(m))
		return;
	m->unlock &= ~(UINT64_C(1) << lock);
	if (m->lock[lock] != LOCK_FREE || m->now_ms < m->lock_retry_ms)
		return;
	m->lock[lock] = LOCK_WAITED;
	effect = effect_add(m, MLOG_LOCK);
	effect->lock.lock = lock;
	effect->lock.keep = lock == m->self;
}

/* A write to my slot that timed out may still arrive: until it has, nobody else may have the lock,
 * also when the slot was given to somebody else since, and I took it over from him. */
void lock_release(struct mlog *m, uint32_t lock)
{
	m->unlock &= ~(UINT64_C(1) << lock);
	if (m->lock[lock] == LOCK_FREE)
		return;
	if (lock == m->written_slot && m->lock[lock] == LOCK_HELD && !device_idle(m) &&
	    !mutation(MUTATE_UNLOCKED_WHILE_WRITING)) {
		m->unlock |= UINT64_C(1) << lock;
		return;
	}
	m->lock[lock] = LOCK_FREE;
	effect_add(m, MLOG_UNLOCK)->lock.lock = lock;
}

bool lock_held(const struct mlog *m, uint32_t lock)
{
	return m->lock[lock] == LOCK_HELD && !to_be_unlocked(m, lock);
}

void lock_release_soon(struct mlog *m, uint32_t lock)
{
	if (m->lock[lock] == LOCK_HELD)
		m->unlock |= UINT64_C(1) << lock;
	else
		lock_release(m, lock);
}

/* But not the lock that says that my kernel is alive, while it writes. */
void lock_release_all(struct mlog *m)
{
	for (uint32_t i = 0; i <= MLOG_LOCK_MAP; i++)
		if (!m->live || i != m->slot)
			lock_release_soon(m, i);
}

/* A write that timed out may still arrive: until it has, nobody else may have the locks. */
void lock_settle(struct mlog *m)
{
	bool arrived = (device_idle(m) && !m->emptying) || mutation(MUTATE_UNLOCKED_WHILE_WRITING);

	for (uint32_t i = 0; m->unlock != 0 && arrived && i <= MLOG_LOCK_MAP; i++)
		if (to_be_unlocked(m, i))
			lock_release(m, i);
}

void lock_answered(struct mlog *m, uint32_t lock, int error)
{
	if (m->lock[lock] != LOCK_WAITED)
		return;
	m->lock[lock] = error == 0 ? LOCK_HELD : LOCK_FREE;
	if (error != 0)
		m->lock_retry_ms = m->now_ms + LOCK_RETRY_MS;
}
