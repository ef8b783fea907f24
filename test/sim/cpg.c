/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/sim/cpg.h"

#include <assert.h>
#include <string.h>

#include "test/sim/fence.h"
#include "test/sim/node.h"
#include "test/sim/world.h"

#define CLASSES	       6U /* of packet sizes: 256 bytes, and four times that each */
#define CLASS_SMALLEST 256U
#define NOBODY	       UINT32_MAX
#define NO_RING	       UINT32_MAX
#define RECOVERED      (UINT64_C(1) << 63) /* in a place */

enum packet_kind { PACKET_MESSAGE, PACKET_JOIN, PACKET_LEAVE };

struct packet {
	struct cpg *group;
	struct packet *next; /* free, or outgoing */
	enum packet_kind kind;
	uint32_t sender;
	uint32_t life; /* of the sender's daemon */
	uint64_t ring; /* in whose order it is; 0: none yet */
	uint64_t place;
	uint32_t received; /* by stations of the ring */
	uint32_t references;
	uint32_t size_class;
	uint32_t size;
	uint8_t byte[];
};

struct ring {
	uint64_t id; /* 0: free */
	uint32_t members;
	uint32_t left; /* members that are in another ring by now, or down */
	bool broken;
	bool quorate;
	uint32_t holder; /* of the token when it broke */
	struct packet **log;
	uint64_t first; /* number of log[0] */
	uint32_t count;
	uint32_t room;
};

struct delivery {
	struct packet *packet; /* NULL: a view */
	uint64_t place;
	uint32_t view;
	bool quorate;
};

struct station {
	struct cpg *group;
	unsigned index;
	bool up;
	uint32_t life;	 /* of its daemon: counts joins */
	bool daemon;	 /* one has joined */
	bool met;	 /* of two nodes: has seen the other since it came up */
	bool listening;	 /* its own JOIN of that life is accepted */
	uint32_t ring;	 /* index, valid while up */
	uint64_t accept; /* number of the next packet to accept */
	uint32_t view;	 /* nodes whose daemons are in the group, as of there */
	uint32_t pushed_view;
	bool pushed_quorate;
	bool pushed;
	struct packet *out_first; /* not in an order yet */
	struct packet *out_last;
	uint64_t token; /* handle */
	struct delivery *fifo;
	uint32_t fifo_first;
	uint32_t fifo_count;
	uint32_t fifo_room;
	uint64_t fifo_us; /* when the last one of it is due */
};

/* A ring per station at most, and those that they leave. */
#define RINGS_MAX (2 * SIM_NODES_MAX)

struct cpg {
	struct world *world;
	struct random *random;
	uint64_t rings;	 /* ever */
	uint64_t places; /* ever */
	uint64_t slow;
	uint32_t partition[PARTITIONS_MAX];
	uint64_t form[SIM_NODES_MAX]; /* handles, by the lowest station of those that will */
	struct station station[SIM_NODES_MAX];
	struct ring ring[RINGS_MAX];
	struct packet *free[CLASSES];
};

static uint32_t bit(unsigned index)
{
	return UINT32_C(1) << index;
}

static struct ring *ring_of(struct cpg *g, const struct station *s)
{
	return &g->ring[s->ring];
}

static bool hears(const struct cpg *g, unsigned a, unsigned b)
{
	if (!g->station[a].up || !g->station[b].up)
		return false;
	for (unsigned i = 0; i < PARTITIONS_MAX; i++)
		if (((g->partition[i] & bit(a)) != 0) != ((g->partition[i] & bit(b)) != 0))
			return false;
	return true;
}

/* ---- packets */

static struct packet *packet_create(struct cpg *g, enum packet_kind kind, const struct station *s,
				    const void *datagram, size_t size)
{
	uint32_t size_class = 0;
	size_t room = CLASS_SMALLEST;
	struct packet *p;

	while (room < size) {
		room *= 4;
		size_class++;
	}
	assert(size_class < CLASSES);
	p = g->free[size_class];
	if (p != NULL)
		g->free[size_class] = p->next;
	else
		p = world_alloc(g->world, sizeof(*p) + room);
	*p = (struct packet){.group = g,
			     .kind = kind,
			     .sender = s->index,
			     .life = s->life,
			     .references = 1,
			     .size_class = size_class,
			     .size = (uint32_t)size};
	if (size > 0)
		memcpy(p->byte, datagram, size);
	return p;
}

static void packet_release(struct packet *p)
{
	assert(p->references > 0);
	if (--p->references > 0)
		return;
	p->next = p->group->free[p->size_class];
	p->group->free[p->size_class] = p;
}

/* ---- what is on its way from a station to its daemon */

static void on_deliver(void *context, uint64_t life);

static void fifo_push(struct station *s, const struct delivery *item)
{
	struct cpg *g = s->group;
	uint64_t now = world_now_us(g->world);
	uint64_t due = now + random_below(g->random, world_scenario(g->world)->message_us / 2 + 1);

	if (s->fifo_count == s->fifo_room) {
		uint32_t room = s->fifo_room == 0 ? 64 : 2 * s->fifo_room;
		struct delivery *fifo = world_alloc(g->world, room * sizeof(*fifo));

		for (uint32_t i = 0; i < s->fifo_count; i++)
			fifo[i] = s->fifo[(s->fifo_first + i) % s->fifo_room];
		s->fifo = fifo;
		s->fifo_room = room;
		s->fifo_first = 0;
	}
	s->fifo[(s->fifo_first + s->fifo_count++) % s->fifo_room] = *item;
	if (item->packet != NULL)
		item->packet->references++;
	if (due < s->fifo_us)
		due = s->fifo_us;
	s->fifo_us = due;
	world_after(g->world, due - now, on_deliver, s, s->life);
}

static void fifo_clear(struct station *s)
{
	for (; s->fifo_count > 0; s->fifo_count--) {
		struct delivery *item = &s->fifo[s->fifo_first];

		if (item->packet != NULL)
			packet_release(item->packet);
		s->fifo_first = (s->fifo_first + 1) % s->fifo_room;
	}
	s->fifo_us = 0;
}

static void on_deliver(void *context, uint64_t life)
{
	struct station *s = context;
	struct node *node = world_node(s->group->world, s->index);
	struct delivery item;

	if (life != s->life || s->fifo_count == 0)
		return;
	if (node_busy(node, on_deliver, s, life) != 0)
		return;
	item = s->fifo[s->fifo_first];
	s->fifo_first = (s->fifo_first + 1) % s->fifo_room;
	s->fifo_count--;
	if (item.packet == NULL) {
		node_group_view(node, item.view, item.quorate);
		return;
	}
	world_result(s->group->world)->messages++;
	node_group_message(node, item.packet->byte, item.packet->size, item.place);
	packet_release(item.packet);
}

static void push_view(struct station *s, bool quorate)
{
	struct delivery item = {.view = s->view, .quorate = quorate};

	if (!s->listening)
		return;
	if (s->pushed && s->pushed_view == s->view && s->pushed_quorate == quorate)
		return;
	s->pushed = true;
	s->pushed_view = s->view;
	s->pushed_quorate = quorate;
	fifo_push(s, &item);
}

/* ---- the order */

static void accept(struct cpg *g, struct station *s, struct packet *p, uint64_t place)
{
	bool quorate = ring_of(g, s)->quorate;

	switch (p->kind) {
	case PACKET_MESSAGE:
		if (s->listening)
			fifo_push(s, &(struct delivery){.packet = p, .place = place});
		break;
	case PACKET_JOIN:
		s->view |= bit(p->sender);
		if (p->sender == s->index && p->life == s->life)
			s->listening = true;
		push_view(s, quorate);
		break;
	case PACKET_LEAVE:
		s->view &= ~bit(p->sender);
		push_view(s, quorate);
		break;
	}
}

static void accept_ready(struct cpg *g, struct station *s)
{
	struct ring *r = ring_of(g, s);

	while (s->accept < r->first + r->count) {
		struct packet *p = r->log[s->accept - r->first];

		if ((p->received & bit(s->index)) == 0)
			break;
		s->accept++;
		accept(g, s, p, p->place);
	}
}

/* Drops what everybody has accepted. */
static void ring_trim(struct cpg *g, struct ring *r)
{
	uint64_t lowest = r->first + r->count;
	uint32_t drop;

	for (unsigned i = 0; i < SIM_NODES_MAX; i++)
		if ((r->members & ~r->left & bit(i)) != 0 && g->station[i].accept < lowest)
			lowest = g->station[i].accept;
	drop = (uint32_t)(lowest - r->first);
	for (uint32_t i = 0; i < drop; i++)
		packet_release(r->log[i]);
	r->count -= drop;
	r->first = lowest;
	memmove(r->log, r->log + drop, r->count * sizeof(*r->log));
}

static void ring_append(struct cpg *g, struct ring *r, struct packet *p)
{
	if (r->count == r->room) {
		uint32_t room = r->room == 0 ? 64 : 2 * r->room;
		struct packet **log = world_alloc(g->world, room * sizeof(struct packet *));

		if (r->count > 0)
			memcpy(log, r->log, r->count * sizeof(struct packet *));
		r->log = log;
		r->room = room;
	}
	r->log[r->count++] = p;
	p->ring = r->id;
	p->place = ++g->places;
	p->received = 0;
}

static uint64_t latency(struct cpg *g)
{
	return random_spread(g->random, world_scenario(g->world)->message_us) * g->slow;
}

static void on_receive(void *context, uint64_t member)
{
	struct packet *p = context;
	struct cpg *g = p->group;
	struct station *s = &g->station[member];

	if (s->up && s->ring != NO_RING && ring_of(g, s)->id == p->ring &&
	    hears(g, (unsigned)member, p->sender)) {
		p->received |= bit((unsigned)member);
		accept_ready(g, s);
		if (ring_of(g, s)->count > 32 && !ring_of(g, s)->broken)
			ring_trim(g, ring_of(g, s));
	}
	packet_release(p);
}

/* The token is at a station: what it has goes into the order. */
static void on_token(void *context, uint64_t argument)
{
	struct station *s = context;
	struct cpg *g = s->group;
	struct ring *r = ring_of(g, s);

	(void)argument;
	s->token = 0;
	if (r->broken && r->holder != s->index)
		return;
	r->holder = NOBODY;
	while (s->out_first != NULL) {
		struct packet *p = s->out_first;

		s->out_first = p->next;
		ring_append(g, r, p);
		p->received = bit(s->index);
		for (unsigned i = 0; i < SIM_NODES_MAX; i++) {
			if ((r->members & ~p->received & bit(i)) == 0)
				continue;
			p->references++;
			world_after(g->world, latency(g), on_receive, p, i);
		}
	}
	s->out_last = NULL;
	accept_ready(g, s);
}

static void token_ask(struct station *s)
{
	if (s->out_first != NULL && s->token == 0 && s->ring != NO_RING)
		s->token = world_after(s->group->world, latency(s->group), on_token, s, 0);
}

static void out_add(struct station *s, struct packet *p)
{
	p->next = NULL;
	if (s->out_first == NULL)
		s->out_first = p;
	else
		s->out_last->next = p;
	s->out_last = p;
	token_ask(s);
}

void cpg_send(struct cpg *g, unsigned node, const void *datagram, size_t size)
{
	struct station *s = &g->station[node];

	if (s->up && s->daemon)
		out_add(s, packet_create(g, PACKET_MESSAGE, s, datagram, size));
}

void cpg_join(struct cpg *g, unsigned node)
{
	struct station *s = &g->station[node];

	assert(s->up && !s->daemon);
	s->life++;
	s->daemon = true;
	s->listening = false;
	s->pushed = false;
	out_add(s, packet_create(g, PACKET_JOIN, s, NULL, 0));
}

void cpg_leave(struct cpg *g, unsigned node)
{
	struct station *s = &g->station[node];

	if (!s->daemon)
		return;
	out_add(s, packet_create(g, PACKET_LEAVE, s, NULL, 0));
	s->daemon = false;
	s->listening = false;
	s->life++;
	fifo_clear(s);
}

/* ---- rings come and go */

/* Everybody whom the station can hear, itself included. */
static uint32_t component(const struct cpg *g, unsigned index)
{
	uint32_t mask = 0;

	for (unsigned i = 0; i < SIM_NODES_MAX; i++)
		if (hears(g, index, i))
			mask |= bit(i);
	return mask;
}

static bool ring_quorate(struct cpg *g, uint32_t members)
{
	const struct scenario *s = world_scenario(g->world);
	unsigned count = (unsigned)__builtin_popcount(members);

	if (s->last_man && s->nodes == 2) {
		for (unsigned i = 0; i < s->nodes; i++)
			g->station[i].met = g->station[i].met || count == 2;
		return g->station[__builtin_ctz(members)].met;
	}
	return 2 * count > s->nodes;
}

static struct ring *ring_create(struct cpg *g, uint32_t members)
{
	unsigned i = 0;

	while (g->ring[i].id != 0)
		i++;
	assert(i < RINGS_MAX);
	g->ring[i].id = ++g->rings;
	g->ring[i].members = members;
	g->ring[i].left = 0;
	g->ring[i].broken = false;
	g->ring[i].holder = NOBODY;
	g->ring[i].quorate = ring_quorate(g, members);
	g->ring[i].first = 0;
	g->ring[i].count = 0;
	return &g->ring[i];
}

static void ring_leave(struct ring *r, uint32_t mask)
{
	r->left |= mask;
	if (r->left != r->members)
		return;
	r->first += r->count;
	for (uint32_t i = 0; i < r->count; i++)
		packet_release(r->log[i]);
	r->count = 0;
	r->id = 0;
}

/*
 * Those of together (all from one old ring) get what any of them has got, up to the first packet
 * that none has, and behind it what they themselves sent.
 */
static void recover(struct cpg *g, struct ring *old, uint32_t together, uint64_t next_ring)
{
	bool gap = false;

	for (uint32_t k = 0; k < old->count; k++) {
		struct packet *p = old->log[k];
		bool lost = (p->received & together) == 0;

		gap = gap || lost;
		if (lost || (gap && (together & bit(p->sender)) == 0))
			continue;
		for (unsigned i = 0; i < SIM_NODES_MAX; i++) {
			struct station *s = &g->station[i];

			if ((together & bit(i)) == 0 || s->accept > old->first + k)
				continue;
			/* The same place only for those who have the same before it. */
			accept(g, s, p, RECOVERED | p->place << 16 | (next_ring & 0xffff));
		}
	}
}

/* Who moves from ring to ring is a quorum only by its own number: the new ring's says nothing of
 * what its parts have missed. */
static bool majority(const struct cpg *g, uint32_t members)
{
	return 2 * (unsigned)__builtin_popcount(members) > world_scenario(g->world)->nodes;
}

static void views_change(struct cpg *g, struct ring *r, const uint32_t *together)
{
	bool one_by_one = random_chance(g->random, 300);
	uint32_t joined = 0;

	for (unsigned i = 0; i < SIM_NODES_MAX; i++)
		if ((r->members & bit(i)) != 0 && (g->station[i].view & bit(i)) != 0)
			joined |= bit(i);
	for (unsigned i = 0; i < SIM_NODES_MAX; i++) {
		struct station *s = &g->station[i];

		if ((r->members & bit(i)) == 0)
			continue;
		if ((s->view & ~together[i]) != 0) {
			s->view &= together[i];
			push_view(s, majority(g, together[i]));
		}
		for (unsigned k = 0; k < SIM_NODES_MAX; k++) {
			if ((joined & ~s->view & bit(k)) == 0)
				continue;
			s->view |= bit(k);
			if (one_by_one)
				push_view(s, r->quorate);
		}
		push_view(s, r->quorate);
	}
}

static void on_form(void *context, uint64_t lowest)
{
	struct cpg *g = context;
	uint32_t members = component(g, (unsigned)lowest);
	uint32_t together[SIM_NODES_MAX] = {0};
	struct ring *r;

	g->form[lowest] = 0;
	r = ring_create(g, members);
	world_trace(g->world, NULL, "ring %" PRIu64 " forms, nodes %" PRIx64 ", quorate %" PRIu64,
		    r->id, members, r->quorate);
	for (unsigned i = 0; i < SIM_NODES_MAX; i++) {
		struct station *s = &g->station[i];

		if ((members & bit(i)) == 0 || together[i] != 0)
			continue;
		if (s->ring == NO_RING) {
			together[i] = bit(i);
			continue;
		}
		for (unsigned k = i; k < SIM_NODES_MAX; k++)
			if ((members & bit(k)) != 0 && g->station[k].ring == s->ring)
				together[i] |= bit(k);
		for (unsigned k = i + 1; k < SIM_NODES_MAX; k++)
			if ((together[i] & bit(k)) != 0)
				together[k] = together[i];
		recover(g, ring_of(g, s), together[i], r->id);
		ring_leave(ring_of(g, s), together[i]);
	}
	for (unsigned i = 0; i < SIM_NODES_MAX; i++) {
		if ((members & bit(i)) == 0)
			continue;
		g->station[i].ring = (uint32_t)(r - g->ring);
		g->station[i].accept = 0;
	}
	views_change(g, r, together);
	for (unsigned i = 0; i < SIM_NODES_MAX; i++)
		if ((members & bit(i)) != 0)
			token_ask(&g->station[i]);
	fence_ring_formed(world_fence(g->world), members, r->quorate);
}

/* True when the ring has lost members. */
static bool ring_break(struct cpg *g, struct ring *r, uint32_t members)
{
	if ((r->members & ~members) == 0 && r->left == 0 && !r->broken)
		return false;
	/* Nobody of the ring may have had the token, and then nothing more goes out. */
	if (!r->broken)
		r->holder = (uint32_t)random_below(g->random, SIM_NODES_MAX);
	r->broken = true;
	return true;
}

/* Whoever hears others than those of its ring will form a new one. */
static void connectivity_changed(struct cpg *g)
{
	const struct scenario *scenario = world_scenario(g->world);
	uint32_t seen = 0;

	for (unsigned i = 0; i < SIM_NODES_MAX; i++) {
		world_cancel(g->world, g->form[i]);
		g->form[i] = 0;
	}
	for (unsigned i = 0; i < SIM_NODES_MAX; i++) {
		uint32_t members = component(g, i);
		bool same = true;
		bool lost = false;

		if (!g->station[i].up || (seen & bit(i)) != 0)
			continue;
		seen |= members;
		for (unsigned k = 0; k < SIM_NODES_MAX; k++) {
			struct station *s = &g->station[k];

			if ((members & bit(k)) == 0)
				continue;
			if (s->ring == NO_RING) {
				same = false;
				continue;
			}
			lost = ring_break(g, ring_of(g, s), members) || lost;
			same = same && ring_of(g, s)->members == members && !lost;
		}
		if (same)
			continue;
		g->form[i] = world_after(
		    g->world,
		    random_spread(g->random, lost ? scenario->token_us : scenario->token_us / 4),
		    on_form, g, i);
	}
}

void cpg_station_up(struct cpg *g, unsigned node)
{
	struct station *s = &g->station[node];

	assert(!s->up);
	s->up = true;
	s->ring = NO_RING;
	s->view = 0;
	connectivity_changed(g);
}

void cpg_station_down(struct cpg *g, unsigned node)
{
	struct station *s = &g->station[node];

	assert(s->up);
	s->up = false;
	s->met = false;
	s->daemon = false;
	s->listening = false;
	s->life++;
	fifo_clear(s);
	while (s->out_first != NULL) {
		struct packet *p = s->out_first;

		s->out_first = p->next;
		packet_release(p);
	}
	s->out_last = NULL;
	world_cancel(g->world, s->token);
	s->token = 0;
	if (s->ring != NO_RING)
		ring_leave(ring_of(g, s), bit(node));
	connectivity_changed(g);
	s->ring = NO_RING;
}

void cpg_partition(struct cpg *g, unsigned place, uint32_t mask)
{
	assert(place < PARTITIONS_MAX);
	g->partition[place] = mask;
	connectivity_changed(g);
}

void cpg_slow(struct cpg *g, uint64_t times)
{
	g->slow = times;
}

bool cpg_settled(const struct cpg *g)
{
	for (unsigned i = 0; i < SIM_NODES_MAX; i++)
		if (g->form[i] != 0)
			return false;
	return true;
}

bool cpg_quorate(const struct cpg *g, unsigned node)
{
	const struct station *s = &g->station[node];

	return s->up && s->ring != NO_RING && g->ring[s->ring].quorate;
}

uint32_t cpg_ring(const struct cpg *g, unsigned node)
{
	const struct station *s = &g->station[node];

	return s->up && s->ring != NO_RING ? g->ring[s->ring].members : 0;
}

struct cpg *cpg_create(struct world *w)
{
	struct cpg *g = world_alloc(w, sizeof(*g));

	g->world = w;
	g->random = world_random(w, RANDOM_GROUP);
	g->slow = 1;
	for (unsigned i = 0; i < SIM_NODES_MAX; i++) {
		g->station[i].group = g;
		g->station[i].index = i;
		g->station[i].ring = NO_RING;
	}
	return g;
}
