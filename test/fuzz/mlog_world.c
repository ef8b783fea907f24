/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/fuzz/mlog_world.h"

#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "codec/kmsg.h"
#include "codec/trace.h"
#include "test/fuzz/fuzz.h"

#define LOCKS	       (MLOG_LOCK_MAP + 1)
#define INBOX_MAX      1024U
#define REQUESTS_MAX   4096U
#define WRITES_MAX     (2 * MLOG_BATCH_MAX)
#define PAGE_BYTES     512U
#define PAGE_WORDS     (PAGE_BYTES / sizeof(uint64_t))
#define NOBODY	       UINT32_MAX
#define STATIONS       (WORLD_NODES + 1) /* with the stranger */
#define REGION_SECTORS 1024U

struct datagram {
	uint32_t references;
	uint32_t sender; /* station */
	uint64_t order;
	size_t size;
	uint8_t byte[];
};

struct view {
	uint32_t node[STATIONS];
	uint32_t count;
	bool quorate;
};

struct parcel {
	uint64_t order;
	struct datagram *datagram; /* NULL: a view */
	struct view view;
};

/* The memory that outlives a daemon. */
struct maps {
	struct hot hot;
	uint64_t memory[];
};

enum lock_state { LOCK_FREE, LOCK_WAITING, LOCK_HELD };

struct node {
	uint32_t id;
	bool powered;
	bool running; /* the daemon, which is in the group then */
	bool removed; /* the mirror: it has no table there */
	struct mlog *m;
	struct maps *maps;
	uint64_t incarnation; /* of the last JOIN */

	struct parcel inbox[INBOX_MAX];
	uint32_t inbox_first;
	uint32_t inbox_count;
	uint32_t pushed; /* mask of the last view in the inbox */
	bool pushed_quorate;
	struct view view; /* as delivered */
	uint64_t delivered;
	uint64_t
	    history;   /* a number for all that was delivered since the last view, and for that */
	uint64_t hash; /* of what it knew there */
	struct group_versions versions;
	uint64_t sent_incarnation;
	uint64_t sent_seq;

	/* asked for and not answered */
	uint8_t asked[REQUESTS_MAX]; /* by seq: type of a request of the kernel, 0: none */
	enum mlog_effect_kind operation;
	bool operating;
	bool whole;
	struct {
		enum mlog_area area;
		uint64_t page;
	} write[WRITES_MAX];
	uint32_t writes;
	uint64_t copy[MLOG_COPIES_MAX];
	uint32_t copies;
	enum mlog_effect_kind slot_operation;
	bool slot_operating;
	uint32_t slot;
	uint64_t timer_ms;
	enum lock_state lock[LOCKS];
	bool keep[LOCKS];
};

static struct {
	struct world_plan plan;
	struct node node[WORLD_NODES];
	uint32_t side; /* a bit per station */
	uint64_t now_ms;
	uint64_t order;
	uint32_t seq; /* of the last request */
	bool full;    /* an inbox or the table of requests is: nothing more happens */
	bool forged;
	bool forged_state;
	uint64_t owed[WORLD_NODES]; /* by the stranger: incarnation of a JOIN; 0: nothing */
	bool traces;
	struct {
		uint32_t holder; /* index, or NOBODY */
		bool orphan;
	} lock[LOCKS];
	struct group_mirror mirror;
	uint64_t taken; /* of the maps; so that they are really read */
} world;

static struct group_room room;
static uint64_t words[GROUP_WORDS_MAX];
static uint8_t buffer[GROUP_MESSAGE_MAX];

static struct node *node_at(uint32_t index)
{
	return &world.node[index % world.plan.nodes];
}

static uint32_t index_of(const struct node *n)
{
	return (uint32_t)(n - world.node);
}

static uint32_t bit(uint32_t index)
{
	return UINT32_C(1) << index;
}

/* ---- the group */

static bool same_side(uint32_t a, uint32_t b)
{
	return (world.side >> a & 1) == (world.side >> b & 1);
}

static bool quorate(uint32_t station)
{
	uint32_t all = world.plan.nodes + world.plan.stranger;
	uint32_t here = 0;

	for (uint32_t i = 0; i < world.plan.nodes; i++)
		here += world.node[i].powered && same_side(i, station);
	here += world.plan.stranger && same_side(WORLD_NODES, station);
	return 2 * here > all;
}

static struct parcel *inbox_at(struct node *n, uint32_t i)
{
	return &n->inbox[(n->inbox_first + i) % INBOX_MAX];
}

static struct parcel *inbox_add(struct node *n)
{
	struct parcel *p;

	if (n->inbox_count == INBOX_MAX) {
		world.full = true;
		return NULL;
	}
	p = inbox_at(n, n->inbox_count++);
	memset(p, 0, sizeof(*p));
	return p;
}

static void datagram_drop(struct datagram *d)
{
	if (d != NULL && --d->references == 0)
		free(d);
}

static void inbox_clear(struct node *n)
{
	for (; n->inbox_count > 0; n->inbox_count--)
		datagram_drop(inbox_at(n, n->inbox_count - 1)->datagram);
}

/* What is in buffer, to all on the sender's side. */
static void group_push(uint32_t sender, int size)
{
	struct datagram *d = malloc(sizeof(*d) + (size_t)size);

	MUST(d != NULL);
	d->references = 1;
	d->sender = sender;
	d->size = (size_t)size;
	d->order = ++world.order;
	memcpy(d->byte, buffer, d->size);
	for (uint32_t i = 0; i < world.plan.nodes; i++) {
		struct parcel *p;

		if (!world.node[i].running || !same_side(i, sender))
			continue;
		p = inbox_add(&world.node[i]);
		if (p == NULL)
			continue;
		p->order = d->order;
		p->datagram = d;
		d->references++;
	}
	datagram_drop(d);
}

static uint32_t view_mask(uint32_t index)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < world.plan.nodes; i++)
		if (world.node[i].running && same_side(i, index))
			mask |= bit(i);
	if (world.plan.stranger && same_side(WORLD_NODES, index))
		mask |= bit(WORLD_NODES);
	return mask;
}

static void view_push(struct node *n, uint32_t mask, uint64_t order)
{
	struct parcel *p = inbox_add(n);

	if (p == NULL)
		return;
	p->order = order;
	p->view.quorate = n->pushed_quorate;
	for (uint32_t i = 0; i < STATIONS; i++)
		if ((mask & bit(i)) != 0)
			p->view.node[p->view.count++] = i + 1;
}

/* To everybody for whom the view has changed. */
static void views_push(void)
{
	uint64_t order = world.order + 1;

	for (uint32_t i = 0; i < world.plan.nodes; i++) {
		struct node *n = &world.node[i];
		uint32_t mask = view_mask(i);

		if (!n->running || (mask == n->pushed && quorate(i) == n->pushed_quorate))
			continue;
		n->pushed = mask;
		n->pushed_quorate = quorate(i);
		/* Those who see the same view are at the same place; there are two sides at most.
		 */
		view_push(n, mask, order + (mask & 1));
		world.order = order + 1;
	}
}

/* Nodes that stay together lose what none of them has taken and none of them sent. What comes
 * before a view has arrived with it. */
static void lose_undelivered(struct node *n, uint32_t together)
{
	uint64_t taken = 0;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < world.plan.nodes; i++)
		if ((together & bit(i)) != 0 && world.node[i].delivered > taken)
			taken = world.node[i].delivered;
	for (uint32_t i = 0; i < n->inbox_count; i++)
		if (inbox_at(n, i)->datagram == NULL && inbox_at(n, i)->order > taken)
			taken = inbox_at(n, i)->order;
	for (uint32_t i = 0; i < n->inbox_count; i++) {
		struct parcel p = *inbox_at(n, i);

		if (p.datagram == NULL || p.order <= taken ||
		    (together & bit(p.datagram->sender)) != 0)
			*inbox_at(n, kept++) = p;
		else
			datagram_drop(p.datagram);
	}
	n->inbox_count = kept;
}

/* before: who was with whom. */
static void group_changed(const uint32_t before[WORLD_NODES], bool lose)
{
	for (uint32_t i = 0; i < world.plan.nodes && lose; i++) {
		uint32_t together = view_mask(i) & before[i];

		/* who was elsewhere, or not there, does not count */
		if (world.node[i].running && together != before[i])
			lose_undelivered(&world.node[i], together);
	}
	views_push();
}

static void group_masks(uint32_t ret[WORLD_NODES])
{
	for (uint32_t i = 0; i < WORLD_NODES; i++)
		ret[i] = world.node[i].running ? view_mask(i) : 0;
}

static void send_message(struct node *n, const struct mlog_message *message)
{
	int size = group_encode(&n->versions, &world.mirror, message, buffer, sizeof(buffer));

	MUST(size > 0);
	n->sent_incarnation = message->incarnation;
	n->sent_seq = message->seq;
	if (message->kind == MLOG_MSG_JOIN)
		world.owed[index_of(n)] = message->incarnation;
	group_push(index_of(n), size);
}

static void send_state(struct node *n)
{
	uint64_t cursor = 0;
	struct mlog_message piece;
	bool last = false;

	while (mlog_state_next(n->m, &cursor, words, world.plan.words, &piece)) {
		MUST(!last && piece.kind == MLOG_MSG_STATE);
		MUST(piece.state.words <= world.plan.words);
		last = piece.state.last;
		send_message(n, &piece);
	}
	MUST(last);
}

/* ---- effects */

static void locks_check(const struct node *n, uint32_t lock)
{
	if (world.plan.members > 1)
		MUST(lock < LOCKS && n->lock[lock] == LOCK_HELD);
}

static void do_reply(struct node *n, const struct mlog_reply *reply)
{
	uint64_t regions = world.plan.regions;

	MUST(reply->seq < REQUESTS_MAX && n->asked[reply->seq] == reply->type);
	n->asked[reply->seq] = 0;
	if (reply->error != 0) {
		MUST(reply->error == -ESRCH);
		return;
	}
	MUST(reply->words * sizeof(uint64_t) == kmsg_reply_size(reply->type));
	if (reply->type == ULOG_IN_SYNC || reply->type == ULOG_IS_CLEAN ||
	    reply->type == ULOG_GET_RESYNC_WORK || reply->type == ULOG_IS_REMOTE_RECOVERING)
		MUST(reply->word[0] <= 1);
	if (reply->type == ULOG_GET_RESYNC_WORK)
		MUST(reply->word[1] < regions);
	if (reply->type == ULOG_IS_REMOTE_RECOVERING)
		MUST(reply->word[1] <= regions);
	if (reply->type == ULOG_GET_SYNC_COUNT)
		MUST(reply->word[0] <= regions);
}

static uint64_t area_words(enum mlog_area area)
{
	uint64_t slot_bits =
	    (world.plan.regions + (UINT64_C(1) << world.plan.shift) - 1) >> world.plan.shift;

	return bits_words(area == MLOG_AREA_SLOT ? slot_bits : world.plan.regions);
}

/* The contents are taken now. */
static void take_words(const struct node *n, enum mlog_area area, uint64_t from, uint64_t end)
{
	for (uint64_t w = from; w < end && w < area_words(area); w++)
		world.taken ^= mlog_word(n->m, area, w);
}

static void do_operation(struct node *n, const struct mlog_effect *effect)
{
	MUST(world.plan.has_disk && !n->operating);
	n->operating = true;
	n->operation = effect->kind;
	n->whole = effect->log.whole;
	if (effect->log.whole)
		locks_check(n, MLOG_LOCK_MAP);
	if (effect->kind == MLOG_LOAD) {
		MUST(effect->log.slot < world.plan.members || effect->log.slot == MLOG_NO_SLOT);
		return;
	}
	MUST(effect->log.slot < world.plan.members);
	locks_check(n, effect->log.slot);
	take_words(n, MLOG_AREA_SLOT, 0, UINT64_MAX);
	take_words(n, MLOG_AREA_SYNC, 0, UINT64_MAX);
}

static void do_write(struct node *n, const struct mlog_effect *effect)
{
	uint64_t first = effect->write.page * PAGE_WORDS;
	struct mlog_status status;

	mlog_status(n->m, &status);
	MUST(world.plan.has_disk && n->writes < WRITES_MAX);
	MUST(first < area_words(effect->write.area));
	locks_check(n, effect->write.area == MLOG_AREA_SYNC ? MLOG_LOCK_MAP : status.slot);
	for (uint32_t i = 0; i < n->writes; i++)
		MUST(n->write[i].area != effect->write.area ||
		     n->write[i].page != effect->write.page);
	n->write[n->writes].area = effect->write.area;
	n->write[n->writes++].page = effect->write.page;
	take_words(n, effect->write.area, first, first + PAGE_WORDS);
}

static void do_copy(struct node *n, uint64_t region)
{
	MUST(region < world.plan.regions && n->copies < MLOG_COPIES_MAX);
	MUST(hot_gated(&n->maps->hot, region));
	for (uint32_t i = 0; i < world.plan.nodes; i++)
		for (uint32_t k = 0; k < world.node[i].copies; k++)
			MUST(world.node[i].copy[k] != region ||
			     (world.forged && &world.node[i] != n));
	n->copy[n->copies++] = region;
}

static void do_lock(struct node *n, uint32_t lock, bool keep)
{
	MUST(lock < world.plan.members || lock == MLOG_LOCK_MAP);
	MUST(n->lock[lock] == LOCK_FREE);
	n->lock[lock] = LOCK_WAITING;
	n->keep[lock] = keep;
}

/* I4: nobody else may have it while a write of mine may still arrive there. */
static void unlock_check(const struct node *n, uint32_t lock)
{
	struct mlog_status status;

	mlog_status(n->m, &status);
	MUST(!n->slot_operating || n->slot_operation != MLOG_EMPTY_SLOT || n->slot != lock);
	MUST(!n->operating || n->operation == MLOG_LOAD ||
	     (lock != status.slot && (lock != MLOG_LOCK_MAP || !n->whole)));
	for (uint32_t i = 0; i < n->writes; i++)
		MUST(lock != (n->write[i].area == MLOG_AREA_SYNC ? MLOG_LOCK_MAP : status.slot));
}

static void do_unlock(struct node *n, uint32_t lock)
{
	MUST(lock < LOCKS && n->lock[lock] != LOCK_FREE);
	if (world.plan.members > 1)
		unlock_check(n, lock);
	if (n->lock[lock] == LOCK_HELD)
		world.lock[lock].holder = NOBODY;
	n->lock[lock] = LOCK_FREE;
}

static void do_slot(struct node *n, const struct mlog_effect *effect)
{
	struct mlog_status status;

	mlog_status(n->m, &status);
	MUST(world.plan.has_disk && effect->slot < world.plan.members);
	MUST(!n->slot_operating && effect->slot != status.slot);
	locks_check(n, effect->slot);
	n->slot_operating = true;
	n->slot_operation = effect->kind;
	n->slot = effect->slot;
}

static void do_effect(struct node *n, const struct mlog_effect *effect)
{
	switch (effect->kind) {
	case MLOG_REPLY:
		do_reply(n, &effect->reply);
		break;
	case MLOG_LOAD:
	case MLOG_CLAIM:
	case MLOG_RELEASE:
		do_operation(n, effect);
		break;
	case MLOG_WRITE:
		do_write(n, effect);
		break;
	case MLOG_COPY:
		do_copy(n, effect->copy.region);
		break;
	case MLOG_TIMER:
		n->timer_ms = effect->timer.at_ms;
		break;
	case MLOG_SEND:
		if (n->view.quorate && effect->message->kind == MLOG_MSG_STATE)
			send_state(n);
		else if (n->view.quorate)
			send_message(n, effect->message);
		break;
	case MLOG_LOCK:
		do_lock(n, effect->lock.lock, effect->lock.keep);
		break;
	case MLOG_UNLOCK:
		do_unlock(n, effect->lock.lock);
		break;
	case MLOG_READ_SLOT:
	case MLOG_EMPTY_SLOT:
		do_slot(n, effect);
		break;
	case MLOG_NOTICE:
	case MLOG_WAKE:
	case MLOG_RELOAD:
		break;
	}
}

/* ---- what must be true after each step */

static uint64_t map_count(const struct node *n, uint64_t (*word)(const struct hot *, uint64_t))
{
	uint64_t count = 0;

	for (uint64_t w = 0; w < bits_words(world.plan.regions); w++)
		count += (uint64_t)__builtin_popcountll(word(&n->maps->hot, w));
	return count;
}

static void status_check(const struct node *n)
{
	struct mlog_status status;

	mlog_status(n->m, &status);
	MUST(status.pending <= MLOG_PENDING_MAX && status.in_sync <= world.plan.regions);
	if (mlog_quiet(n->m))
		MUST(!n->operating && n->writes == 0 && n->copies == 0 && status.pending == 0 &&
		     (!n->slot_operating || n->slot_operation != MLOG_EMPTY_SLOT));
}

/* The numbers that are kept are those of the maps. */
static void counts_check(const struct node *n)
{
	struct mlog_status status;

	mlog_status(n->m, &status);
	if (status.phase != MLOG_ACTIVE)
		return;
	MUST(status.in_sync == map_count(n, hot_in_sync_word));
	MUST(status.repair == map_count(n, hot_repair_word));
}

/* I7: who was given the same knows the same. The same place in the order is not enough: a node that
 * was parted has lost messages before it was given its own. */
static void member_check(struct node *n)
{
	n->hash = mlog_state_hash(n->m);
	if (n->hash == 0)
		return;
	counts_check(n);
	for (uint32_t i = 0; i < world.plan.nodes && !world.forged_state; i++) {
		const struct node *other = &world.node[i];

		if (other != n && other->m != NULL && other->history == n->history)
			MUST(other->hash == 0 || other->hash == n->hash);
	}
}

static void step(struct node *n, struct mlog_event *event)
{
	char line[TRACE_LINE_SIZE];
	struct mlog_effect effect;
	unsigned sends = 0;

	event->now_ms = world.now_ms;
	if (world.traces) {
		trace_event(event, line);
		(void)fprintf(stderr, "%u %s\n", n->id, line);
	}
	mlog_step(n->m, event);
	while (mlog_next(n->m, &effect)) {
		if (world.traces) {
			trace_effect(&effect, line);
			(void)fprintf(stderr, "%u %s\n", n->id, line);
		}
		sends += effect.kind == MLOG_SEND;
		do_effect(n, &effect);
	}
	MUST(sends <= MLOG_SENDS_MAX);
	status_check(n);
}

static void event_step(struct node *n, enum mlog_event_kind kind)
{
	step(n, &(struct mlog_event){.kind = kind});
}

static void view_step(struct node *n)
{
	struct mlog_event event = {.kind = MLOG_EV_VIEW};

	event.view.node = n->view.node;
	event.view.count = n->view.count;
	event.view.quorate = n->view.quorate;
	step(n, &event);
}

/* ---- nodes and their mirrors */

static void forget_asked(struct node *n)
{
	memset(n->asked, 0, sizeof(n->asked));
	n->hash = 0;
	n->operating = false;
	n->writes = 0;
	n->copies = 0;
	n->slot_operating = false;
	n->timer_ms = 0;
}

static void locks_drop(struct node *n, bool power)
{
	for (uint32_t i = 0; i < LOCKS; i++) {
		if (world.lock[i].holder == index_of(n)) {
			world.lock[i].orphan = !power && (world.lock[i].orphan || n->keep[i]);
			if (!world.lock[i].orphan)
				world.lock[i].holder = NOBODY;
		}
		n->lock[i] = LOCK_FREE;
	}
}

static void maps_make(struct node *n)
{
	n->maps = calloc(1, sizeof(*n->maps) + hot_bytes(world.plan.regions, world.plan.shift));
	MUST(n->maps != NULL);
	hot_bind(&n->maps->hot, n->maps->memory, world.plan.regions, world.plan.shift);
}

static struct mlog *core_make(struct node *n)
{
	struct mlog_config config = {
	    .region_count = world.plan.regions,
	    .region_sectors = REGION_SECTORS,
	    .sync = world.plan.sync,
	    .has_disk = world.plan.has_disk,
	    .page_bytes = PAGE_BYTES,
	    .hysteresis_ms = 3000,
	    .sync_delay_ms = 1000,
	    .retry_ms = 5000,
	    .log_timeout_ms = 10000,
	    .lease = 1U << (world.plan.copies - 1) % 7,
	    .copies = world.plan.copies,
	    .busy_gap_ms = 25,
	    .node = n->id,
	    .members = world.plan.members,
	    .incarnation = &n->incarnation,
	};
	struct mlog *m = mlog_create(&config, &n->maps->hot);

	MUST(m != NULL);
	return m;
}

static void core_end(struct node *n)
{
	n->m = mlog_destroy(n->m);
	forget_asked(n);
}

static void daemon_end(struct node *n, bool power)
{
	core_end(n);
	locks_drop(n, power);
	inbox_clear(n);
	n->running = false;
	n->pushed = 0;
	n->pushed_quorate = false;
	n->view = (struct view){.count = 0};
	n->delivered = 0;
	n->history = 0;
}

static void daemon_begin(struct node *n, bool handed_over)
{
	n->powered = true;
	n->running = true;
	group_versions_init(&n->versions, world.plan.highest[index_of(n)]);
	if (n->removed)
		return;
	n->m = core_make(n);
	step(n, &(struct mlog_event){.kind = MLOG_EV_RESTORED, .handed_over = handed_over});
}

void world_begin(const struct world_plan *plan)
{
	memset(&world, 0, sizeof(world));
	world.plan = *plan;
	world.now_ms = 1000;
	world.traces = getenv("FUZZ_TRACE") != NULL;
	group_mirror_of("mirror", &world.mirror);
	for (uint32_t i = 0; i < LOCKS; i++)
		world.lock[i].holder = NOBODY;
	for (uint32_t i = 0; i < plan->nodes; i++) {
		struct node *n = &world.node[i];

		n->id = i + 1;
		n->powered = true;
		n->running = true;
		group_versions_init(&n->versions, plan->highest[i]);
		maps_make(n);
		n->m = core_make(n);
	}
	views_push();
}

void world_end(void)
{
	for (uint32_t i = 0; i < world.plan.nodes; i++) {
		daemon_end(&world.node[i], true);
		free(world.node[i].maps);
	}
}

/* ---- the kernel */

void world_request(uint32_t node, enum ulog_type type, uint64_t region, uint32_t count,
		   bool in_sync)
{
	struct node *n = node_at(node);
	struct mlog_event event = {.kind = MLOG_EV_REQUEST};
	struct mlog_request *request = &event.request;
	struct mlog_reply reply;
	bool cleared;

	if (n->m == NULL)
		return;
	if (world.seq + 1 == REQUESTS_MAX) {
		world.full = true;
		return;
	}
	request->type = type;
	request->seq = ++world.seq;
	request->region_count = count;
	for (uint32_t i = 0; i < count; i++)
		request->region[i] = (region + i) % world.plan.regions;
	request->in_sync = in_sync;
	n->asked[request->seq] = (uint8_t)type;
	switch (hot_answer(&n->maps->hot, request, &reply, &cleared)) {
	case HOT_ANSWERED:
		do_reply(n, &reply);
		if (!cleared)
			return;
		event.kind = MLOG_EV_CLEARED;
		break;
	case HOT_STALE:
		return;
	case HOT_HAND_OVER:
		break;
	}
	step(n, &event);
}

/* ---- answers */

static const uint64_t *pattern(uint64_t *ret, uint64_t bits, uint8_t byte)
{
	memset(ret, byte, bits_words(bits) * sizeof(*ret));
	if (bits % BITS_PER_WORD != 0)
		ret[bits / BITS_PER_WORD] &= bits_mask(bits) - 1;
	return ret;
}

static void history_fill(const struct node *n, const struct world_history *h,
			 struct mlog_history *ret)
{
	static uint64_t in_sync[GROUP_WORDS_MAX];
	static uint64_t dirty[GROUP_WORDS_MAX];
	static uint32_t owner[MLOG_MEMBERS_MAX];

	*ret = (struct mlog_history){.load = h->load, .distrust = h->distrust};
	if (h->load == MLOG_LOAD_BLANK)
		return;
	ret->region_count = h->other ? 2 * world.plan.regions - 1 : world.plan.regions;
	ret->region_sectors = h->other ? REGION_SECTORS / 2 : REGION_SECTORS;
	ret->in_sync = pattern(in_sync, ret->region_count, h->in_sync);
	if (h->load != MLOG_LOAD_CRASHED)
		return;
	ret->shift = world.plan.shift + (h->other ? 1 : 0);
	ret->dirty = pattern(dirty, ((ret->region_count - 1) >> ret->shift) + 1, h->dirty);
	if (!n->whole)
		return;
	memset(owner, 0, sizeof(owner));
	for (uint32_t i = 0; i < 4; i++)
		if ((h->owners >> (2 * i) & 3) != n->id)
			owner[i] = h->owners >> (2 * i) & 3;
	if (h->damaged_header)
		owner[world.plan.members - 1] = UINT32_MAX;
	ret->owner = owner;
}

void world_answer_device(uint32_t node, int error, const struct world_history *history)
{
	struct node *n = node_at(node);
	struct mlog_event event = {.kind = MLOG_EV_CLAIMED, .error = error};

	if (!n->operating)
		return;
	n->operating = false;
	if (n->operation == MLOG_RELEASE)
		event.kind = MLOG_EV_RELEASED;
	if (n->operation == MLOG_LOAD) {
		event.kind = MLOG_EV_LOADED;
		event.loaded.error = error;
		if (error == 0)
			history_fill(n, history, &event.loaded.history);
	}
	step(n, &event);
}

void world_answer_write(uint32_t node, uint32_t which, int error)
{
	struct node *n = node_at(node);
	struct mlog_event event = {.kind = MLOG_EV_WRITTEN};

	if (n->writes == 0)
		return;
	which %= n->writes;
	event.written.area = n->write[which].area;
	event.written.page = n->write[which].page;
	event.written.error = error;
	n->writes--;
	memmove(&n->write[which], &n->write[which + 1], (n->writes - which) * sizeof(n->write[0]));
	step(n, &event);
}

void world_answer_copy(uint32_t node, uint32_t which, enum mlog_copy_result result)
{
	struct node *n = node_at(node);
	struct mlog_event event = {.kind = MLOG_EV_COPIED};

	if (n->copies == 0)
		return;
	which %= n->copies;
	event.copied.region = n->copy[which];
	event.copied.result = result;
	n->copies--;
	memmove(&n->copy[which], &n->copy[which + 1], (n->copies - which) * sizeof(n->copy[0]));
	step(n, &event);
}

/* Everybody who may hold a lock can be asked, and they are enough. */
static bool locks_work(const struct node *n)
{
	for (uint32_t i = 0; i < world.plan.nodes; i++)
		if (world.node[i].powered && !same_side(i, index_of(n)))
			return false;
	if (world.plan.stranger && !same_side(WORLD_NODES, index_of(n)))
		return false;
	return quorate(index_of(n));
}

static bool lock_free_for(const struct node *n, uint32_t lock)
{
	uint32_t holder = world.lock[lock].holder;

	return holder == NOBODY || (holder == index_of(n) && world.lock[lock].orphan);
}

static void lock_answer(struct node *n, uint32_t lock, int error)
{
	struct mlog_event event = {.kind = MLOG_EV_LOCKED};

	event.locked.lock = lock;
	event.locked.error = error;
	n->lock[lock] = error == 0 ? LOCK_HELD : LOCK_FREE;
	if (error == 0) {
		world.lock[lock].holder = index_of(n);
		world.lock[lock].orphan = false;
	}
	step(n, &event);
}

void world_answer_lock(uint32_t node, uint32_t which, int error)
{
	struct node *n = node_at(node);

	for (uint32_t i = 0; i < LOCKS; i++) {
		uint32_t lock = (which + i) % LOCKS;

		if (n->lock[lock] != LOCK_WAITING)
			continue;
		if (error != 0 || (locks_work(n) && lock_free_for(n, lock))) {
			lock_answer(n, lock, error);
			return;
		}
	}
}

void world_answer_slot(uint32_t node, int error, uint8_t byte)
{
	static uint64_t dirty[GROUP_WORDS_MAX];
	struct node *n = node_at(node);
	struct mlog_event event = {.kind = MLOG_EV_SLOT_EMPTIED};

	if (!n->slot_operating)
		return;
	n->slot_operating = false;
	event.slot.slot = n->slot;
	event.slot.error = error;
	if (n->slot_operation == MLOG_READ_SLOT) {
		event.kind = MLOG_EV_SLOT_READ;
		if (error == 0 && byte != 0)
			event.slot.dirty = pattern(
			    dirty, ((world.plan.regions - 1) >> world.plan.shift) + 1, byte);
	}
	step(n, &event);
}

/* ---- deliveries */

static void say_hello(struct node *n, const struct view *before)
{
	int size;

	for (uint32_t i = 0; i < n->view.count && n->view.quorate; i++) {
		bool known = false;

		for (uint32_t k = 0; k < before->count; k++)
			known = known || before->node[k] == n->view.node[i];
		if (known)
			continue;
		size = group_encode_hello(&n->versions, n->id, buffer, sizeof(buffer));
		group_push(index_of(n), size);
		return;
	}
}

static void deliver_view(struct node *n, const struct view *view)
{
	struct view before = n->view;

	n->view = *view;
	group_versions_view(&n->versions, view->node, view->count);
	if (n->m != NULL)
		view_step(n);
	say_hello(n, &before);
}

/* A daemon without the mirror answers a JOIN itself. */
static void answer_join(struct node *n, const struct mlog_message *join)
{
	struct mlog_message none = {.kind = MLOG_MSG_NONE, .from = n->id};

	none.none.to = join->from;
	none.none.incarnation = join->incarnation;
	if (n->view.quorate)
		send_message(n, &none);
}

static void deliver_message(struct node *n, const struct datagram *d)
{
	struct group_header header;
	struct mlog_message message;
	int rc = group_decode(d->byte, d->size, n->versions.own, &header, &room, &message);

	MUST(rc == 0 || rc == -EPROTONOSUPPORT);
	group_versions_seen(&n->versions, header.node, header.highest);
	if (rc != 0 || header.hello)
		return;
	if (n->m != NULL)
		step(n, &(struct mlog_event){.kind = MLOG_EV_MESSAGE, .message = &message});
	else if (message.kind == MLOG_MSG_JOIN)
		answer_join(n, &message);
}

bool world_deliver(uint32_t node)
{
	struct node *n = node_at(node);
	struct parcel p;

	if (n->inbox_count == 0)
		return false;
	p = *inbox_at(n, 0);
	n->inbox_first = (n->inbox_first + 1) % INBOX_MAX;
	n->inbox_count--;
	n->delivered = p.order;
	n->history = (p.datagram == NULL ? 0 : n->history * UINT64_C(0x100000001b3)) ^ p.order;
	if (p.datagram == NULL)
		deliver_view(n, &p.view);
	else
		deliver_message(n, p.datagram);
	datagram_drop(p.datagram);
	if (n->m != NULL)
		member_check(n);
	return true;
}

void world_forge(const struct mlog_message *message)
{
	struct mlog_message forged = *message;
	struct group_versions versions;
	const uint32_t stranger = WORLD_STRANGER;
	int size;

	if (!world.plan.stranger)
		return;
	forged.from = stranger;
	group_versions_init(&versions, GROUP_VERSION);
	group_versions_view(&versions, &stranger, 1);
	size = group_encode(&versions, &world.mirror, &forged, buffer, sizeof(buffer));
	if (size < 0)
		return;
	world.forged = true;
	world.forged_state =
	    world.forged_state || forged.kind == MLOG_MSG_STATE || forged.kind == MLOG_MSG_SNAP;
	group_push(WORLD_NODES, size);
}

/* It has not got the mirror, as far as world_run() goes. */
static void stranger_answers(uint32_t node)
{
	struct mlog_message none = {.kind = MLOG_MSG_NONE, .from = WORLD_STRANGER};
	struct group_versions versions;
	int size;

	if (!world.plan.stranger || world.owed[node] == 0 || !same_side(node, WORLD_NODES))
		return;
	none.none.to = node + 1;
	none.none.incarnation = world.owed[node];
	world.owed[node] = 0;
	group_versions_init(&versions, GROUP_VERSION);
	size = group_encode(&versions, &world.mirror, &none, buffer, sizeof(buffer));
	MUST(size > 0);
	group_push(WORLD_NODES, size);
}

void world_last(uint32_t node, uint64_t *ret_incarnation, uint64_t *ret_seq)
{
	const struct node *n = node_at(node);

	*ret_incarnation = n->sent_incarnation;
	*ret_seq = n->sent_seq;
}

/* ---- time and people */

void world_time(uint32_t ms)
{
	world.now_ms += ms;
}

void world_timer(uint32_t node)
{
	struct node *n = node_at(node);

	if (n->m == NULL || n->timer_ms == 0 || n->timer_ms > world.now_ms)
		return;
	n->timer_ms = 0;
	event_step(n, MLOG_EV_TIMER);
}

void world_admin(uint32_t node, enum mlog_event_kind kind, bool on)
{
	struct node *n = node_at(node);
	struct mlog_event event = {.kind = kind};

	if (n->m == NULL)
		return;
	if (kind == MLOG_EV_VERIFY)
		event.verify.repair = on;
	else if (kind == MLOG_EV_RATE)
		event.region_ns = on ? 50000000 : 0;
	else if (kind == MLOG_EV_QUIESCE)
		event.quiesce = on;
	step(n, &event);
}

/* ---- what happens to nodes */

void world_part(uint32_t side, bool lose)
{
	uint32_t before[WORLD_NODES];

	group_masks(before);
	world.side = side;
	group_changed(before, lose);
}

void world_daemon_dies(uint32_t node, bool lose)
{
	struct node *n = node_at(node);
	uint32_t before[WORLD_NODES];

	if (!n->running)
		return;
	group_masks(before);
	daemon_end(n, false);
	group_changed(before, lose);
}

void world_node_dies(uint32_t node, bool lose)
{
	struct node *n = node_at(node);
	uint32_t before[WORLD_NODES];

	if (!n->powered)
		return;
	group_masks(before);
	daemon_end(n, true);
	n->powered = false;
	n->removed = true;
	group_changed(before, lose);
}

void world_daemon_starts(uint32_t node)
{
	struct node *n = node_at(node);

	if (n->running)
		return;
	daemon_begin(n, false);
	views_push();
}

void world_daemon_restarts(uint32_t node)
{
	struct node *n = node_at(node);
	uint32_t before[WORLD_NODES];

	if (n->m == NULL)
		return;
	world_admin(node, MLOG_EV_QUIESCE, true);
	if (!mlog_quiet(n->m)) {
		world_admin(node, MLOG_EV_QUIESCE, false);
		return;
	}
	group_masks(before);
	daemon_end(n, false);
	group_changed(before, false);
	daemon_begin(n, true);
	views_push();
}

static bool inactive(const struct node *n)
{
	struct mlog_status status;

	mlog_status(n->m, &status);
	return (status.phase == MLOG_SUSPENDED || status.phase == MLOG_CREATED) && mlog_quiet(n->m);
}

void world_remove(uint32_t node)
{
	struct node *n = node_at(node);

	if (!n->running)
		return;
	if (n->m == NULL) {
		n->removed = false;
		free(n->maps);
		maps_make(n);
		n->m = core_make(n);
		if (n->view.count > 0)
			view_step(n);
	} else if (inactive(n)) {
		n->removed = true;
		core_end(n);
		locks_drop(n, true);
	}
}

void world_reload(uint32_t node)
{
	struct node *n = node_at(node);
	struct maps *maps = n->maps;
	struct mlog *old = n->m;

	if (n->m == NULL || !inactive(n))
		return;
	maps_make(n);
	n->m = core_make(n);
	mlog_inherit(n->m, old);
	(void)mlog_destroy(old);
	free(maps);
	forget_asked(n);
	locks_drop(n, true);
	if (n->view.count > 0)
		view_step(n);
}

/* ---- the well-behaved world */

static bool answer_all(uint32_t node, const struct world_history *history)
{
	struct node *n = node_at(node);
	bool did = false;

	while (world_deliver(node))
		did = true;
	stranger_answers(node);
	for (uint32_t i = 0; i < LOCKS; i++)
		if (n->lock[i] == LOCK_WAITING && locks_work(n) && lock_free_for(n, i)) {
			lock_answer(n, i, 0);
			did = true;
		}
	did = did || n->operating || n->writes > 0 || n->copies > 0 || n->slot_operating;
	world_answer_device(node, 0, history);
	while (n->writes > 0)
		world_answer_write(node, 0, 0);
	for (uint32_t i = n->copies; i > 0; i--)
		world_answer_copy(node, 0, MLOG_COPY_REPAIRED);
	world_answer_slot(node, 0, history->dirty);
	return did;
}

static bool next_timer(void)
{
	struct node *next = NULL;

	for (uint32_t i = 0; i < world.plan.nodes; i++) {
		struct node *n = &world.node[i];

		if (n->timer_ms != 0 && (next == NULL || n->timer_ms < next->timer_ms))
			next = n;
	}
	if (next == NULL)
		return false;
	if (world.now_ms < next->timer_ms)
		world.now_ms = next->timer_ms;
	world_timer(index_of(next));
	return true;
}

void world_run(uint32_t rounds, const struct world_history *history)
{
	for (; rounds > 0 && !world.full; rounds--) {
		bool did = false;

		for (uint32_t i = 0; i < world.plan.nodes; i++)
			did = answer_all(i, history) || did;
		if (!did && !next_timer())
			return;
	}
}
