/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several cores in one group, told as stories: who attaches, what the others learn, what a death
 * leaves behind. The world is kind: messages come in order and at once, the log device and the
 * locks answer at once; the simulator (test/sim) is where it is not.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "core/mlog.h"

#define NODES	       4U /* numbered from 1 */
#define MEMBERS	       4U
#define REGIONS	       256U
#define WORDS	       (REGIONS / 64U)
#define REGION_SECTORS 1024U
#define QUEUE	       512U
#define NOBODY	       0U

struct letter {
	struct mlog_message message;
	uint64_t word[16];
	struct mlog_member member[MLOG_MEMBERS_MAX];
};

struct node {
	uint32_t number;
	bool up;     /* the machine */
	bool daemon; /* in the group */
	struct mlog *m;
	struct hot hot;
	void *memory;
	uint64_t timer_ms;
	uint32_t seq;
	struct mlog_reply reply[64];
	unsigned replies;
	bool hold_copies;
	uint64_t copied[REGIONS];
	unsigned copies;
	unsigned reloads;
};

struct cluster {
	bool has_disk;
	uint64_t now_ms;
	uint64_t incarnation;
	struct node node[NODES + 1];
	/* the group */
	struct letter queue[QUEUE];
	unsigned first, count;
	/* the device */
	bool used; /* not blank */
	bool clean;
	uint64_t sync[WORDS];
	uint64_t slot[MEMBERS][WORDS];
	uint32_t owner[MEMBERS];
	/* the locks */
	uint32_t holder[MLOG_LOCK_MAP + 1];
	uint32_t waits[MLOG_LOCK_MAP + 1][NODES];
	uint32_t waiting[MLOG_LOCK_MAP + 1];
	/* answers still to be given */
	struct {
		struct node *node;
		struct mlog_event event;
	} answer[QUEUE];
	unsigned answers;
};

static void step(struct cluster *c, struct node *n, struct mlog_event *event);

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

static void device(struct cluster *c, struct node *n, const struct mlog_effect *effect)
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
		    .owner = c->owner,
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
	answer(c, n, e);
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
	case MLOG_WAKE:
		break;
	default:
		device(c, n, effect);
	}
}

static void step(struct cluster *c, struct node *n, struct mlog_event *event)
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
	for (uint32_t i = 1; i <= NODES; i++) {
		struct mlog_event e = {.kind = MLOG_EV_MESSAGE, .message = &letter->message};

		if (c->node[i].daemon && c->node[i].m != NULL)
			step(c, &c->node[i], &e);
	}
}

static void settle(struct cluster *c)
{
	while (c->answers + c->count > 0) {
		if (c->answers > 0) {
			struct node *n = c->answer[0].node;
			struct mlog_event e = c->answer[0].event;

			memmove(&c->answer[0], &c->answer[1], --c->answers * sizeof(c->answer[0]));
			if (n->daemon)
				step(c, n, &e);
		} else {
			deliver(c);
		}
	}
}

static void view(struct cluster *c)
{
	uint32_t member[NODES];
	struct mlog_event e = {.kind = MLOG_EV_VIEW};

	e.view.node = member;
	e.view.quorate = true;
	for (uint32_t i = 1; i <= NODES; i++)
		if (c->node[i].daemon)
			member[e.view.count++] = i;
	for (uint32_t i = 1; i <= NODES; i++)
		if (c->node[i].daemon && c->node[i].m != NULL)
			step(c, &c->node[i], &e);
	settle(c);
}

static void pass(struct cluster *c, uint64_t ms)
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
			step(c, n, &e);
			settle(c);
		}
	}
}

static uint32_t ask(struct cluster *c, uint32_t number, enum ulog_type type, uint64_t region,
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
	step(c, n, &e);
	settle(c);
	return n->seq;
}

static const struct mlog_reply *reply_to(struct node *n, uint32_t seq)
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

static void answered(struct cluster *c, uint32_t number, uint32_t seq)
{
	const struct mlog_reply *reply = reply_to(&c->node[number], seq);

	assert_non_null(reply);
	assert_int_equal(reply->error, 0);
}

static void mark(struct cluster *c, uint32_t number, uint64_t region)
{
	answered(c, number, ask(c, number, ULOG_MARK_REGION, region, false));
}

static void clear(struct cluster *c, uint32_t number, uint64_t region)
{
	answered(c, number, ask(c, number, ULOG_CLEAR_REGION, region, false));
}

static struct mlog_config config_of(const struct cluster *c, uint32_t number, uint64_t incarnation)
{
	return (struct mlog_config){
	    .region_count = REGIONS,
	    .region_sectors = REGION_SECTORS,
	    .sync = MLOG_SYNC_NOSYNC,
	    .has_disk = c->has_disk,
	    .page_bytes = 512,
	    .hysteresis_ms = 3000,
	    .sync_delay_ms = 1000,
	    .retry_ms = 5000,
	    .log_timeout_ms = 10000,
	    .copies = 4,
	    .busy_gap_ms = 25,
	    .node = number,
	    .members = MEMBERS,
	    .incarnation = incarnation,
	};
}

static void start(struct cluster *c, uint32_t number, enum mlog_sync sync, bool restored)
{
	struct node *n = &c->node[number];
	struct mlog_config config = config_of(c, number, c->incarnation += 1000);
	struct mlog_event e = {.kind = MLOG_EV_RESTORED};

	config.sync = sync;
	if (!restored) {
		n->memory = calloc(1, hot_bytes(REGIONS, 0));
		hot_bind(&n->hot, n->memory, REGIONS, 0);
	}
	n->number = number;
	n->up = n->daemon = true;
	n->timer_ms = 0;
	n->m = mlog_create(&config, &n->hot);
	assert_non_null(n->m);
	if (restored)
		step(c, n, &e);
	view(c);
}

static void attach(struct cluster *c, uint32_t number, enum mlog_sync sync)
{
	start(c, number, sync, false);
	answered(c, number, ask(c, number, ULOG_RESUME, REGIONS, false));
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

static void daemon_dies(struct cluster *c, uint32_t number)
{
	daemon_stop(c, number);
	view(c);
}

/* Power off. The others see it leave at once, and know that it is dead only later. */
static void dies(struct cluster *c, uint32_t number)
{
	daemon_stop(c, number);
	free(c->node[number].memory);
	c->node[number].memory = NULL;
	c->node[number].up = false;
	view(c);
}

static void fenced(struct cluster *c, uint32_t number)
{
	for (uint32_t i = 0; i <= MLOG_LOCK_MAP; i++)
		lock_drop(c, &c->node[number], i);
	settle(c);
}

static void leave(struct cluster *c, uint32_t number)
{
	answered(c, number, ask(c, number, ULOG_PRESUSPEND, REGIONS, false));
	answered(c, number, ask(c, number, ULOG_POSTSUSPEND, REGIONS, false));
}

/* A new table of the same mirror. */
static void reload(struct cluster *c, uint32_t number)
{
	leave(c, number);
	c->node[number].m = mlog_destroy(c->node[number].m);
	free(c->node[number].memory);
	attach(c, number, MLOG_SYNC_KEEP);
}

static struct cluster *cluster_make(bool has_disk)
{
	struct cluster *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->has_disk = has_disk;
	c->now_ms = 1000;
	return c;
}

static struct mlog_status status_of(const struct cluster *c, uint32_t number)
{
	struct mlog_status status;

	mlog_status(c->node[number].m, &status);
	return status;
}

static void same_everywhere(const struct cluster *c)
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

static void cluster_end(struct cluster *c)
{
	same_everywhere(c);
	for (uint32_t i = 1; i <= NODES; i++) {
		mlog_destroy(c->node[i].m);
		free(c->node[i].memory);
	}
	free(c);
}

static struct cluster *cluster_of(bool has_disk, uint32_t nodes)
{
	struct cluster *c = cluster_make(has_disk);

	for (uint32_t i = 1; i <= nodes; i++)
		attach(c, i, MLOG_SYNC_NOSYNC);
	return c;
}

/* ---- stories */

static void nodes_attach_in_any_order(void **state)
{
	struct cluster *c = cluster_make(true);

	(void)state;
	attach(c, 2, MLOG_SYNC_NOSYNC);
	attach(c, 3, MLOG_SYNC_NOSYNC);
	attach(c, 1, MLOG_SYNC_NOSYNC);
	assert_int_equal(status_of(c, 1).members, 3);
	assert_int_equal(status_of(c, 2).members, 3);
	assert_int_equal(status_of(c, 1).in_sync, REGIONS);
	same_everywhere(c);
	leave(c, 2);
	assert_int_equal(status_of(c, 1).members, 2);
	leave(c, 1);
	leave(c, 3);
	assert_true(c->clean);
	cluster_end(c);
}

static void each_marks_its_own_slot_without_a_message(void **state)
{
	struct cluster *c = cluster_of(true, 3);

	(void)state;
	for (uint32_t i = 1; i <= 3; i++) {
		mark(c, i, 10 * i);
		assert_true(bits_test(c->slot[status_of(c, i).slot], 10 * i));
	}
	assert_int_equal(bits_count(c->slot[status_of(c, 1).slot], REGIONS), 1);
	cluster_end(c);
}

static void a_dead_node_is_taken_over_when_it_is_proved_dead(void **state)
{
	struct cluster *c = cluster_of(true, 3);
	uint32_t slot = status_of(c, 2).slot;

	(void)state;
	mark(c, 2, 20);
	mark(c, 3, 30);
	c->node[1].hold_copies = c->node[3].hold_copies = true;
	dies(c, 2);
	pass(c, 5000);
	assert_int_equal(status_of(c, 1).gone, 1);
	assert_int_equal(status_of(c, 1).repair, 0);
	assert_true(bits_test(c->slot[slot], 20));
	fenced(c, 2);
	assert_int_equal(status_of(c, 1).gone, 0);
	assert_int_equal(status_of(c, 3).repair, 1);
	assert_false(bits_test(c->slot[slot], 20));
	assert_true(bits_test(c->slot[status_of(c, 1).slot], 20));
	same_everywhere(c);
	pass(c, 1000);
	assert_int_equal(c->node[1].copies + c->node[3].copies, 1);
	cluster_end(c);
}

static void a_claim_holds_the_marks_of_all(void **state)
{
	struct cluster *c = cluster_of(true, 3);
	struct mlog_event e = {.kind = MLOG_EV_COPIED};
	uint32_t copier;
	uint32_t seq;

	(void)state;
	mark(c, 2, 20);
	c->node[1].hold_copies = c->node[3].hold_copies = true;
	dies(c, 2);
	fenced(c, 2);
	pass(c, 1000);
	copier = c->node[1].copies > 0 ? 1 : 3;
	seq = ask(c, 4 - copier, ULOG_MARK_REGION, 20, false);
	assert_null(reply_to(&c->node[4 - copier], seq));
	c->node[1].hold_copies = c->node[3].hold_copies = false;
	e.copied.region = 20;
	e.copied.result = MLOG_COPY_REPAIRED;
	step(c, &c->node[copier], &e);
	settle(c);
	answered(c, 4 - copier, seq);
	assert_int_equal(status_of(c, 1).repair, 0);
	cluster_end(c);
}

static void a_new_daemon_comes_back_with_its_marks(void **state)
{
	struct cluster *c = cluster_of(true, 3);

	(void)state;
	mark(c, 2, 20);
	daemon_dies(c, 2);
	pass(c, 2000);
	assert_int_equal(status_of(c, 1).gone, 1);
	start(c, 2, MLOG_SYNC_NOSYNC, true);
	pass(c, 100);
	assert_int_equal(status_of(c, 1).gone, 0);
	assert_int_equal(status_of(c, 1).members, 3);
	assert_int_equal(status_of(c, 1).repair, 0);
	mark(c, 2, 21);
	assert_true(bits_test(c->slot[status_of(c, 2).slot], 20));
	clear(c, 2, 20);
	cluster_end(c);
}

static void a_node_that_boots_again_tells_what_it_left(void **state)
{
	struct cluster *c = cluster_of(true, 2);

	(void)state;
	mark(c, 2, 20);
	c->node[1].hold_copies = true;
	dies(c, 2);
	/* fencing is over only when it asks */
	start(c, 2, MLOG_SYNC_NOSYNC, false);
	ask(c, 2, ULOG_RESUME, REGIONS, false);
	fenced(c, 2);
	pass(c, 2000);
	assert_int_equal(status_of(c, 2).phase, MLOG_ACTIVE);
	assert_int_equal(c->node[1].copies + c->node[2].copies, 1);
	c->node[1].hold_copies = false;
	cluster_end(c);
}

static void all_nodes_crash_and_one_comes_back(void **state)
{
	struct cluster *c = cluster_of(true, 3);

	(void)state;
	for (uint32_t i = 1; i <= 3; i++)
		mark(c, i, 10 * i);
	for (uint32_t i = 1; i <= 3; i++)
		dies(c, i);
	for (uint32_t i = 1; i <= 3; i++)
		fenced(c, i);
	attach(c, 2, MLOG_SYNC_NOSYNC);
	pass(c, 10000);
	assert_int_equal(c->node[2].copies, 3);
	assert_int_equal(status_of(c, 2).repair, 0);
	assert_int_equal(status_of(c, 2).members, 1);
	cluster_end(c);
}

static void core_mode_marks_are_known_to_all(void **state)
{
	struct cluster *c = cluster_of(false, 3);

	(void)state;
	mark(c, 2, 20);
	attach(c, 4, MLOG_SYNC_NOSYNC);
	c->node[1].hold_copies = c->node[3].hold_copies = c->node[4].hold_copies = true;
	same_everywhere(c);
	dies(c, 2);
	dies(c, 1);
	fenced(c, 1);
	fenced(c, 2);
	assert_int_equal(status_of(c, 4).gone, 0);
	assert_int_equal(status_of(c, 4).repair, 1);
	cluster_end(c);
}

static void resync_is_shared_out(void **state)
{
	struct cluster *c = cluster_make(true);
	const struct mlog_reply *reply;
	uint64_t first, second;
	uint32_t seq;

	(void)state;
	attach(c, 1, MLOG_SYNC_KEEP);
	attach(c, 2, MLOG_SYNC_KEEP);
	/* node 1 was alone and may write anywhere unseen, so node 2 gets nothing, and 1 reloads */
	seq = ask(c, 2, ULOG_GET_RESYNC_WORK, REGIONS, false);
	reply = reply_to(&c->node[2], seq);
	assert_non_null(reply);
	assert_int_equal(reply->word[0], 0);
	assert_int_equal(c->node[1].reloads, 1);
	attach(c, 3, MLOG_SYNC_KEEP);
	reload(c, 1);
	seq = ask(c, 3, ULOG_GET_RESYNC_WORK, REGIONS, false);
	first = reply_to(&c->node[3], seq)->word[1];
	seq = ask(c, 1, ULOG_GET_RESYNC_WORK, REGIONS, false);
	second = reply_to(&c->node[1], seq)->word[1];
	assert_int_equal(first, 0);
	assert_int_equal(second, 64);
	same_everywhere(c);
	/* who does not recover it must not write it */
	seq = ask(c, 2, ULOG_IS_REMOTE_RECOVERING, first, false);
	reply = reply_to(&c->node[2], seq);
	assert_int_equal(reply->word[0], 1);
	assert_int_equal(reply->word[1], 0);
	answered(c, 3, ask(c, 3, ULOG_SET_REGION_SYNC, first, true));
	assert_true(hot_in_sync(&c->node[2].hot, first));
	cluster_end(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nodes_attach_in_any_order),
	    cmocka_unit_test(each_marks_its_own_slot_without_a_message),
	    cmocka_unit_test(a_dead_node_is_taken_over_when_it_is_proved_dead),
	    cmocka_unit_test(a_claim_holds_the_marks_of_all),
	    cmocka_unit_test(a_new_daemon_comes_back_with_its_marks),
	    cmocka_unit_test(a_node_that_boots_again_tells_what_it_left),
	    cmocka_unit_test(all_nodes_crash_and_one_comes_back),
	    cmocka_unit_test(core_mode_marks_are_known_to_all),
	    cmocka_unit_test(resync_is_shared_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
