/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/unit/cluster_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void answer(struct cluster *c, struct node *n, struct mlog_event event)
{
	assert_in_range(c->answers, 0, QUEUE - 1);
	c->answer[c->answers].node = n;
	c->answer[c->answers++].event = event;
}

static struct letter *letter_add(struct cluster *c)
{
	assert_in_range(c->count, 0, QUEUE - 1);
	return &c->queue[(c->first + c->count++) % QUEUE];
}

static void send_state(struct cluster *c, const struct node *n)
{
	uint64_t cursor = 0;
	uint64_t buffer[2];
	struct mlog_message message;

	while (mlog_state_next(n->m, &cursor, buffer, 2, &message)) {
		struct letter *letter = letter_add(c);

		letter->message = message;
		memcpy(letter->word, buffer, sizeof(buffer));
		letter->message.state.word = letter->word;
		if (message.state.member_count > 0)
			memcpy(letter->member, message.state.member,
			       message.state.member_count * sizeof(letter->member[0]));
		letter->message.state.member = letter->member;
	}
}

static void lock_grant(struct cluster *c, uint32_t lock)
{
	struct mlog_event e = {.kind = MLOG_EV_LOCKED};

	if (c->holder[lock] != NOBODY || c->waiting[lock] == 0)
		return;
	c->holder[lock] = c->waits[lock][0];
	memmove(&c->waits[lock][0], &c->waits[lock][1], --c->waiting[lock] * sizeof(uint32_t));
	e.locked.lock = lock;
	answer(c, &c->node[c->holder[lock]], e);
}

static void lock_ask(struct cluster *c, const struct node *n, uint32_t lock)
{
	struct mlog_event e = {.kind = MLOG_EV_LOCKED};

	if (c->holder[lock] == n->number) { /* an orphan, adopted */
		e.locked.lock = lock;
		answer(c, &c->node[n->number], e);
		return;
	}
	c->waits[lock][c->waiting[lock]++] = n->number;
	lock_grant(c, lock);
}

static void lock_drop(struct cluster *c, const struct node *n, uint32_t lock)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < c->waiting[lock]; i++)
		if (c->waits[lock][i] != n->number)
			c->waits[lock][kept++] = c->waits[lock][i];
	c->waiting[lock] = kept;
	if (c->holder[lock] == n->number)
		c->holder[lock] = NOBODY;
	lock_grant(c, lock);
}

static void copy_map(const struct node *n, enum mlog_area area, uint64_t *map)
{
	for (uint64_t w = 0; w < WORDS; w++)
		map[w] = mlog_word(n->m, area, w);
}

/* It does nothing and says so. */
static struct mlog_event device_fails(const struct cluster *c, const struct mlog_effect *effect)
{
	struct mlog_event e = {.kind = MLOG_EV_LOADED};

	switch (effect->kind) {
	case MLOG_LOAD:
		e.loaded.error = c->error;
		break;
	case MLOG_WRITE:
		e.kind = MLOG_EV_WRITTEN;
		e.written.area = effect->write.area;
		e.written.page = effect->write.page;
		e.written.error = c->error;
		break;
	case MLOG_READ_SLOT:
	case MLOG_EMPTY_SLOT:
		e.kind = effect->kind == MLOG_READ_SLOT ? MLOG_EV_SLOT_READ : MLOG_EV_SLOT_EMPTIED;
		e.slot.slot = effect->slot;
		e.slot.error = c->error;
		break;
	default:
		e.kind = effect->kind == MLOG_CLAIM ? MLOG_EV_CLAIMED : MLOG_EV_RELEASED;
		e.error = c->error;
		break;
	}
	return e;
}

static struct mlog_event device_does(struct cluster *c, struct node *n,
				     const struct mlog_effect *effect)
{
	uint32_t slot = effect->log.slot;
	struct mlog_event e = {.kind = MLOG_EV_LOADED};

	switch (effect->kind) {
	case MLOG_LOAD:
		if (!effect->log.whole)
			assert_int_equal(c->holder[slot], n->number);
		for (uint32_t i = 0; i < MEMBERS && effect->log.whole && slot == MLOG_NO_SLOT; i++)
			slot = c->owner[i] == n->number ? i : slot;
		e.loaded.history = (struct mlog_history){
		    .load = !c->used   ? MLOG_LOAD_BLANK
			    : c->clean ? MLOG_LOAD_CLEAN
				       : MLOG_LOAD_CRASHED,
		    .region_count = REGIONS,
		    .region_sectors = REGION_SECTORS,
		    .in_sync = c->sync,
		    .dirty = slot < MEMBERS ? c->slot[slot] : c->slot[MEMBERS - 1],
		    .owner = effect->log.whole && c->used ? c->owner : NULL,
		    .distrust = c->distrust,
		};
		break;
	case MLOG_CLAIM:
		e.kind = MLOG_EV_CLAIMED;
		assert_int_equal(c->holder[slot], n->number); /* I4 */
		copy_map(n, MLOG_AREA_SLOT, c->slot[slot]);
		if (effect->log.whole)
			copy_map(n, MLOG_AREA_SYNC, c->sync);
		c->owner[slot] = n->number;
		c->used = true;
		c->clean = false;
		break;
	case MLOG_RELEASE:
		e.kind = MLOG_EV_RELEASED;
		assert_int_equal(c->holder[slot], n->number);
		memset(c->slot[slot], 0, sizeof(c->slot[slot]));
		c->owner[slot] = NOBODY;
		c->clean = effect->log.whole;
		if (effect->log.whole)
			copy_map(n, MLOG_AREA_SYNC, c->sync);
		break;
	case MLOG_WRITE:
		e.kind = MLOG_EV_WRITTEN;
		e.written.area = effect->write.area;
		e.written.page = effect->write.page;
		if (effect->write.area == MLOG_AREA_SYNC) {
			assert_int_equal(c->holder[MLOG_LOCK_MAP], n->number);
			copy_map(n, MLOG_AREA_SYNC, c->sync);
		} else {
			struct mlog_status status;

			mlog_status(n->m, &status);
			assert_int_equal(c->holder[status.slot], n->number);
			copy_map(n, MLOG_AREA_SLOT, c->slot[status.slot]);
		}
		break;
	case MLOG_READ_SLOT:
		e.kind = MLOG_EV_SLOT_READ;
		assert_int_equal(c->holder[effect->slot], n->number);
		e.slot.slot = effect->slot;
		e.slot.dirty = c->slot[effect->slot];
		break;
	default:
		e.kind = MLOG_EV_SLOT_EMPTIED;
		assert_int_equal(c->holder[effect->slot], n->number);
		e.slot.slot = effect->slot;
		memset(c->slot[effect->slot], 0, sizeof(c->slot[effect->slot]));
		c->owner[effect->slot] = NOBODY;
		break;
	}
	return e;
}

static void device(struct cluster *c, struct node *n, const struct mlog_effect *effect)
{
	uint32_t bit = UINT32_C(1) << effect->kind;
	struct mlog_event e =
	    (c->failing & bit) != 0 ? device_fails(c, effect) : device_does(c, n, effect);

	if ((c->silent & bit) == 0) {
		answer(c, n, e);
		return;
	}
	c->late[c->lates].node = n;
	c->late[c->lates++].event = e;
}

void device_answers(struct cluster *c)
{
	for (unsigned i = 0; i < c->lates; i++)
		answer(c, c->late[i].node, c->late[i].event);
	c->lates = 0;
	c->silent = 0;
	cluster_settle(c);
}

static void effect_do(struct cluster *c, struct node *n, const struct mlog_effect *effect)
{
	struct mlog_event e = {.kind = MLOG_EV_COPIED};

	switch (effect->kind) {
	case MLOG_REPLY:
		assert_in_range(n->replies, 0, 63);
		n->reply[n->replies++] = effect->reply;
		break;
	case MLOG_SEND:
		if (effect->message->kind == MLOG_MSG_STATE)
			send_state(c, n);
		else
			letter_add(c)->message = *effect->message;
		break;
	case MLOG_LOCK:
		lock_ask(c, n, effect->lock.lock);
		break;
	case MLOG_UNLOCK:
		lock_drop(c, n, effect->lock.lock);
		break;
	case MLOG_TIMER:
		n->timer_ms = effect->timer.at_ms;
		break;
	case MLOG_COPY:
		n->copied[n->copies++ % REGIONS] = effect->copy.region;
		e.copied.region = effect->copy.region;
		e.copied.result = MLOG_COPY_REPAIRED;
		if (!n->hold_copies)
			answer(c, n, e);
		break;
	case MLOG_RELOAD:
		n->reloads++;
		break;
	case MLOG_NOTICE:
		n->notices[effect->notice.code]++;
		break;
	case MLOG_WAKE:
		n->wakes++;
		break;
	default:
		device(c, n, effect);
	}
}

void node_step(struct cluster *c, struct node *n, struct mlog_event *event)
{
	struct mlog_effect effect;

	event->now_ms = c->now_ms;
	mlog_step(n->m, event);
	while (mlog_next(n->m, &effect))
		effect_do(c, n, &effect);
}

static void deliver(struct cluster *c)
{
	struct letter *letter = &c->queue[c->first];

	c->first = (c->first + 1) % QUEUE;
	c->count--;
	if ((c->lost & UINT32_C(1) << letter->message.kind) != 0)
		return;
	for (uint32_t i = 1; i <= NODES; i++) {
		struct mlog_event e = {.kind = MLOG_EV_MESSAGE, .message = &letter->message};

		if (c->node[i].daemon && c->node[i].m != NULL)
			node_step(c, &c->node[i], &e);
	}
}

void message_forged(struct cluster *c, const struct mlog_message *message)
{
	letter_add(c)->message = *message;
	cluster_settle(c);
}

void cluster_settle(struct cluster *c)
{
	while (c->answers + c->count > 0) {
		if (c->answers > 0) {
			struct node *n = c->answer[0].node;
			struct mlog_event e = c->answer[0].event;

			memmove(&c->answer[0], &c->answer[1], --c->answers * sizeof(c->answer[0]));
			if (n->daemon)
				node_step(c, n, &e);
		} else {
			deliver(c);
		}
	}
}

void cluster_view(struct cluster *c)
{
	uint32_t member[NODES + 1];
	struct mlog_event e = {.kind = MLOG_EV_VIEW};

	e.view.node = member;
	e.view.quorate = true;
	for (uint32_t i = 1; i <= NODES; i++)
		if (c->node[i].daemon)
			member[e.view.count++] = i;
	if (c->stranger)
		member[e.view.count++] = STRANGER;
	for (uint32_t i = 1; i <= NODES; i++)
		if (c->node[i].daemon && c->node[i].m != NULL)
			node_step(c, &c->node[i], &e);
	cluster_settle(c);
}

void time_passes(struct cluster *c, uint64_t ms)
{
	uint64_t end = c->now_ms + ms;

	while (c->now_ms < end) {
		c->now_ms += 10;
		for (uint32_t i = 1; i <= NODES; i++) {
			struct node *n = &c->node[i];
			struct mlog_event e = {.kind = MLOG_EV_TIMER};

			if (!n->daemon || n->timer_ms == 0 || n->timer_ms > c->now_ms)
				continue;
			n->timer_ms = 0;
			node_step(c, n, &e);
			cluster_settle(c);
		}
	}
}

uint32_t node_asks(struct cluster *c, uint32_t number, enum ulog_type type, uint64_t region,
		   bool in_sync)
{
	struct node *n = &c->node[number];
	struct mlog_event e = {.kind = MLOG_EV_REQUEST};
	struct mlog_reply reply;
	bool cleared;

	e.request.type = type;
	e.request.seq = ++n->seq;
	e.request.region_count = region == REGIONS ? 0 : 1;
	e.request.region[0] = region;
	e.request.in_sync = in_sync;
	if (hot_answer(&n->hot, &e.request, &reply, &cleared) == HOT_ANSWERED) {
		n->reply[n->replies++] = reply;
		if (!cleared)
			return n->seq;
		e.kind = MLOG_EV_CLEARED;
	}
	node_step(c, n, &e);
	cluster_settle(c);
	return n->seq;
}

const struct mlog_reply *node_reply(struct node *n, uint32_t seq)
{
	static struct mlog_reply found;
	bool there = false;

	for (unsigned i = 0; i < n->replies; i++)
		if (n->reply[i].seq == seq) {
			assert_false(there);
			found = n->reply[i];
			there = true;
		}
	n->replies = 0;
	return there ? &found : NULL;
}

void node_answered(struct cluster *c, uint32_t number, uint32_t seq)
{
	const struct mlog_reply *reply = node_reply(&c->node[number], seq);

	assert_non_null(reply);
	assert_int_equal(reply->error, 0);
}

void node_marks(struct cluster *c, uint32_t number, uint64_t region)
{
	node_answered(c, number, node_asks(c, number, ULOG_MARK_REGION, region, false));
}

void node_clears(struct cluster *c, uint32_t number, uint64_t region)
{
	node_answered(c, number, node_asks(c, number, ULOG_CLEAR_REGION, region, false));
}

static struct mlog_config config_of(struct cluster *c, uint32_t number)
{
	return (struct mlog_config){
	    .region_count = REGIONS,
	    .revision = REVISION,
	    .region_sectors = REGION_SECTORS,
	    .sync = MLOG_SYNC_NOSYNC,
	    .has_disk = c->has_disk,
	    .page_bytes = 512,
	    .hysteresis_ms = 3000,
	    .sync_delay_ms = 1000,
	    .retry_ms = 5000,
	    .log_timeout_ms = 10000,
	    .lease = MLOG_LEASE_MAX,
	    .copies = 4,
	    .busy_gap_ms = BUSY_GAP_MS,
	    .node = number,
	    .members = MEMBERS,
	    .incarnation = &c->node[number].incarnation,
	};
}

void node_starts(struct cluster *c, uint32_t number, enum mlog_sync sync, bool restored)
{
	struct node *n = &c->node[number];
	struct mlog_config config = config_of(c, number);
	struct mlog_event e = {.kind = MLOG_EV_RESTORED, .handed_over = n->handed_over};

	n->handed_over = false;
	c->incarnation += 1000;
	n->incarnation = c->incarnation - 1;
	config.sync = sync;
	if (!restored) { /* another table */
		n->m = mlog_destroy(n->m);
		free(n->memory);
		n->memory = calloc(1, hot_bytes(REGIONS, 0));
		hot_bind(&n->hot, n->memory, REGIONS, 0);
	}
	n->number = number;
	n->up = n->daemon = true;
	n->timer_ms = 0;
	n->m = mlog_create(&config, &n->hot);
	assert_non_null(n->m);
	if (restored)
		node_step(c, n, &e);
	cluster_view(c);
}

void node_attaches(struct cluster *c, uint32_t number, enum mlog_sync sync)
{
	node_starts(c, number, sync, false);
	node_answered(c, number, node_asks(c, number, ULOG_RESUME, REGIONS, false));
}

static void daemon_stop(struct cluster *c, uint32_t number)
{
	struct node *n = &c->node[number];

	n->daemon = false;
	n->m = mlog_destroy(n->m);
	lock_drop(c, n, MLOG_LOCK_MAP);
	for (uint32_t i = 0; i < MLOG_LOCK_MAP; i++)
		if (i != atomic_load(&n->hot.shared->slot) - 1)
			lock_drop(c, n, i);
}

void daemon_dies(struct cluster *c, uint32_t number)
{
	daemon_stop(c, number);
	cluster_view(c);
}

void daemon_hands_over(struct cluster *c, uint32_t number)
{
	struct mlog_event e = {.kind = MLOG_EV_QUIESCE, .quiesce = true};

	node_step(c, &c->node[number], &e);
	cluster_settle(c);
	assert_true(mlog_quiet(c->node[number].m));
	c->node[number].handed_over = true;
	daemon_dies(c, number);
}

/* Power off. The others see it leave at once, and know that it is dead only later. */
void node_dies(struct cluster *c, uint32_t number)
{
	daemon_stop(c, number);
	free(c->node[number].memory);
	c->node[number].memory = NULL;
	c->node[number].up = false;
	cluster_view(c);
}

void node_fenced(struct cluster *c, uint32_t number)
{
	for (uint32_t i = 0; i <= MLOG_LOCK_MAP; i++)
		lock_drop(c, &c->node[number], i);
	cluster_settle(c);
}

void node_leaves(struct cluster *c, uint32_t number)
{
	node_answered(c, number, node_asks(c, number, ULOG_PRESUSPEND, REGIONS, false));
	node_answered(c, number, node_asks(c, number, ULOG_POSTSUSPEND, REGIONS, false));
}

struct cluster *cluster_make(bool has_disk)
{
	struct cluster *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->has_disk = has_disk;
	c->now_ms = 1000;
	return c;
}

struct mlog_status node_status(const struct cluster *c, uint32_t number)
{
	struct mlog_status status;

	mlog_status(c->node[number].m, &status);
	return status;
}

void same_everywhere(const struct cluster *c)
{
	uint64_t hash = 0;

	for (uint32_t i = 1; i <= NODES; i++) {
		uint64_t mine;

		if (!c->node[i].daemon || c->node[i].m == NULL)
			continue;
		mine = mlog_state_hash(c->node[i].m);
		if (mine == 0)
			continue;
		if (hash != 0)
			assert_int_equal(mine, hash);
		hash = mine;
	}
}

void cluster_end(struct cluster *c)
{
	same_everywhere(c);
	for (uint32_t i = 1; i <= NODES; i++) {
		mlog_destroy(c->node[i].m);
		free(c->node[i].memory);
	}
	free(c);
}

struct cluster *cluster_of(bool has_disk, uint32_t nodes)
{
	struct cluster *c = cluster_make(has_disk);

	for (uint32_t i = 1; i <= nodes; i++)
		node_attaches(c, i, MLOG_SYNC_NOSYNC);
	return c;
}
