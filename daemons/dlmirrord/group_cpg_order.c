/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owns what is told of the group: which views, in which order with the messages, and whether they
 * are quorate.
 *
 * When corosync has formed a ring, its services synchronize one after the other, and each tells
 * its own clients when all nodes have come that far:
 *
 *	CPG	 messages of the old ring (the same to all who move together)
 *		 confchg: who is gone with his node (NODEDOWN)
 *		 confchg: who came with his node (NODEUP)
 *		 confchg: who ended meanwhile (PROCDOWN)
 *		 totem confchg: the ring's name and nodes
 *	quorum	 nodelist: the ring's name, nodes, and which of them come from another ring
 *	votes	 verdict: quorate or not
 *	CPG	 messages of the new ring, only now
 *
 * A ring that breaks before it has come that far tells nothing more: the next one tells the
 * difference to the last that did, for each service. That is why a ring is applied only when all
 * three have told it, and one that was passed by counts together with the next.
 *
 * But what a node sends is cut and packed, and a message may have begun in the old ring and end in
 * the new one. Then it is delivered there, behind the confchgs, to those only who have its
 * beginning (seen in 3.1.7). So each message says in which ring it was sent, all drop in one ring
 * what was sent in another, and its sender, who gets it back, too, sends it again. It also has a
 * number, from 1 in each ring: who misses one has to leave.
 *
 * Whether a view is quorate is counted from corosync.conf, so that all who move together come to
 * the same at the same place. corosync must agree (it may wait for all, or have another
 * configuration by now); where it knows of more, or changes its mind within a ring, each member
 * that hears so says it in the order, and what is delivered counts.
 */
#include "daemons/dlmirrord/group_cpg_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/cursor.h"
#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/message_log.h"

#define ENVELOPE_MAGIC	 UINT32_C(0x656d6c64) /* "dlme" */
#define ENVELOPE_VERSION 1U

struct envelope {
	uint16_t kind; /* 0: of a later version */
	uint32_t ring_node;
	uint64_t ring_seq;
	uint64_t value;
};

void order_envelope(const struct group_cpg *g, enum group_kind kind, uint64_t value, uint8_t *ret)
{
	struct writer w = writer_of(ret, ENVELOPE_SIZE);

	write_u32(&w, ENVELOPE_MAGIC);
	write_u32(&w, 0);
	write_u16(&w, ENVELOPE_VERSION);
	write_u16(&w, (uint16_t)kind);
	write_u32(&w, g->order.ring.node);
	write_u64(&w, g->order.ring.seq);
	write_u64(&w, value);
	assert(!w.failed && w.left == 0);
	w = writer_of(ret + 4, 4);
	write_u32(&w, crc32c(ret + 8, ENVELOPE_SIZE - 8));
}

/* False: damaged, or not one. */
static bool envelope_decode(const void *datagram, size_t size, struct envelope *ret)
{
	struct reader r = reader_of(datagram, size);
	uint32_t magic = read_u32(&r);
	uint32_t crc = read_u32(&r);
	uint16_t version;

	if (r.failed || r.left < ENVELOPE_SIZE - 8 || magic != ENVELOPE_MAGIC ||
	    crc != crc32c(r.at, ENVELOPE_SIZE - 8))
		return false;
	version = read_u16(&r);
	ret->kind = read_u16(&r);
	ret->ring_node = read_u32(&r);
	ret->ring_seq = read_u64(&r);
	ret->value = read_u64(&r);
	if (version != ENVELOPE_VERSION)
		ret->kind = 0;
	return true;
}

static void control_send(struct group_cpg *g, enum group_kind kind, uint64_t value)
{
	uint8_t datagram[ENVELOPE_SIZE];

	order_envelope(g, kind, value, datagram);
	group_queue(g, datagram, sizeof(datagram), false);
}

/* ---- rings and votes */

static bool in_ring(const struct ring *r, uint32_t node, bool together)
{
	for (uint32_t i = 0; i < r->count; i++)
		if (r->member[i] == node)
			return !together || r->together[i];
	return false;
}

static uint32_t votes_of(const struct group_votes *v, uint32_t node)
{
	for (uint32_t i = 0; i < v->count; i++)
		if (v->node[i] == node)
			return v->votes[i];
	return 0;
}

static bool counts_quorate(const struct group_cpg *g, bool together)
{
	const struct group_votes *v = &g->link->votes;
	const struct ring *r = &g->order.ring;
	uint32_t sum = 0;

	for (uint32_t i = 0; i < r->count; i++)
		if (!together || r->together[i])
			sum += votes_of(v, r->member[i]);
	return sum >= v->threshold;
}

/* ---- views */

static bool is_us(const struct group_cpg *g, uint32_t node, uint32_t pid)
{
	return node == g->node && pid == (uint32_t)getpid();
}

static int by_node(const void *a, const void *b)
{
	const struct group_told *left = a;
	const struct group_told *right = b;

	return left->node < right->node ? -1 : left->node > right->node;
}

static const struct group_told *told_find(const struct group_told *told, uint32_t count,
					  uint32_t node)
{
	for (uint32_t i = 0; i < count; i++)
		if (told[i].node == node)
			return &told[i];
	return NULL;
}

static void refuse(struct group_cpg *g, struct group_process *p, const char *why)
{
	if (p->refused)
		return;
	p->refused = true;
	g->refused++;
	message_log(LOG_WARNING, MSG_PROCESS_NOT_COUNTED,
		    "group: process %" PRIu32 " of node %" PRIu32 " does not count: %s", p->pid,
		    p->node, why);
}

/* Who is in the view that the processes make, the ring being applied. */
static uint32_t members_of(struct group_cpg *g, struct group_told *ret)
{
	struct group_order *o = &g->order;
	uint32_t count = 0;

	o->ghost = 0;
	o->twin = 0;
	for (uint32_t i = 0; i < o->process_count; i++) {
		struct group_process *p = &o->process[i];

		if (!in_ring(&o->ring, p->node, false)) {
			o->ghost = p->node;
			refuse(g, p, "corosync's ring is without its node");
		} else if (told_find(ret, count, p->node) != NULL) {
			if (p->node == g->node)
				o->twin = p->pid;
			refuse(g, p, "another daemon of its node came first");
		} else if (count == MLOG_VIEW_MAX) {
			refuse(g, p, "the group is full");
		} else {
			p->refused = false;
			ret[count++] = (struct group_told){.node = p->node, .pid = p->pid};
		}
	}
	qsort(ret, count, sizeof(*ret), by_node);
	return count;
}

/* Those of the last view who go on without a break. */
static uint32_t members_staying(const struct group_order *o, bool ring_changed,
				const struct group_told *next, uint32_t next_count,
				struct group_told *ret)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < o->told_count; i++) {
		const struct group_told *t = &o->told[i];
		const struct group_told *same = told_find(next, next_count, t->node);
		bool stays = same != NULL && same->pid == t->pid &&
			     (!ring_changed || in_ring(&o->ring, t->node, true));

		for (uint32_t k = 0; stays && k < o->process_count; k++)
			if (o->process[k].node == t->node && o->process[k].pid == t->pid)
				stays = !o->process[k].fresh;
		if (stays)
			ret[count++] = *t;
	}
	return count;
}

static void view_log(const struct group_order *o)
{
	char text[512] = "";
	size_t length = 0;

	for (uint32_t i = 0; i < o->told_count && length < sizeof(text) - 12; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, " %" PRIu32,
					   o->told[i].node);
	message_log(LOG_NOTICE, MSG_GROUP_VIEW, "group: nodes%s, %s, ring %" PRIu64 "/%" PRIu32,
		    text, o->quorate ? "quorate" : "not quorate", o->ring.seq, o->ring.node);
}

/* next is not kept. */
static void tell(struct group_cpg *g, const struct group_told *next, uint32_t count, bool quorate)
{
	struct group_order *o = &g->order;
	struct group_told told[MLOG_VIEW_MAX];
	uint32_t node[MLOG_VIEW_MAX];
	bool joined = false;
	bool same = count == o->told_count && quorate == o->quorate;

	for (uint32_t i = 0; i < count; i++) {
		const struct group_told *before = told_find(o->told, o->told_count, next[i].node);

		told[i] = before == NULL ? next[i] : *before;
		/* Who was there before us has sent already. */
		if (before == NULL && (o->told_count > 0 || next[i].node == g->node))
			told[i].number_next = 1;
		node[i] = next[i].node;
		joined = joined || before == NULL;
	}
	if (same && !joined)
		return;
	memcpy(o->told, told, count * sizeof(*told));
	o->told_count = count;
	o->quorate = quorate;
	o->changed_ms = clock_ms();
	o->compared = false;
	o->differs = 0;
	g->alone = false;
	view_log(o);
	g->callbacks->view(g->context, node, count, quorate, joined);
}

static uint32_t view_hash(const struct group_order *o)
{
	uint8_t bytes[MLOG_VIEW_MAX * 4 + 1];
	struct writer w = writer_of(bytes, sizeof(bytes));

	for (uint32_t i = 0; i < o->told_count; i++)
		write_u32(&w, o->told[i].node);
	write_u8(&w, o->quorate);
	assert(!w.failed);
	return crc32c(bytes, sizeof(bytes) - w.left);
}

/* What corosync says of this ring, where the others do not know it from us. */
static void verdict_announce(struct group_cpg *g)
{
	struct group_order *o = &g->order;

	if (!o->joined || o->ring.quorate == o->announced)
		return;
	o->announced = o->ring.quorate;
	control_send(g, KIND_QUORATE, o->ring.quorate);
}

/* The processes have changed; ring_changed: so has the ring, which is the one applied. */
static void apply(struct group_cpg *g, bool ring_changed)
{
	struct group_order *o = &g->order;
	struct group_told next[MLOG_VIEW_MAX];
	struct group_told staying[MLOG_VIEW_MAX];
	const struct group_told *own;
	bool first = o->told_count == 0;
	bool quorate = o->quorate;
	uint32_t staying_count;
	uint32_t count;

	if (!o->joined)
		return;
	count = members_of(g, next);
	staying_count = members_staying(o, ring_changed, next, count, staying);
	own = told_find(next, count, g->node);
	if (ring_changed && !first) {
		g->number = 0;
		for (uint32_t i = 0; i < o->told_count; i++) {
			o->told[i].number_next = 1;
			o->told[i].said = false;
		}
	}
	if (own == NULL || !is_us(g, own->node, own->pid)) {
		group_lose(g, MSG_GROUP_REJOINS,
			   "corosync does not list this daemon in its own group: if that lasts, "
			   "restart corosync on this node");
		return;
	}
	if (ring_changed)
		quorate = quorate && o->ring.first && counts_quorate(g, true);
	if (!first)
		tell(g, staying, staying_count, quorate);
	if (ring_changed)
		quorate = o->ring.first && counts_quorate(g, false);
	else if (first)
		quorate = o->ring.quorate && counts_quorate(g, false);
	tell(g, next, count, quorate);
	for (uint32_t i = 0; i < o->process_count; i++)
		o->process[i].fresh = false;
	if (first || ring_changed)
		o->announced = o->quorate;
	control_send(g, KIND_VIEW, view_hash(o));
	verdict_announce(g);
}

/* ---- libquorum */

static struct ring *next_find(struct group_order *o, uint64_t seq)
{
	for (uint32_t i = 0; i < o->next_count; i++)
		if (o->next[i].seq == seq)
			return &o->next[i];
	return NULL;
}

/* Who came from another ring in any of the two did not come together with us. */
static void ring_narrow(struct ring *r, const struct ring *by)
{
	for (uint32_t i = 0; i < r->count; i++)
		r->together[i] = r->together[i] && in_ring(by, r->member[i], true);
}

void order_nodelist(struct group_cpg *g, struct quorum_ring_id id, const uint32_t *member,
		    uint32_t member_count, const uint32_t *joined, uint32_t joined_count)
{
	struct group_order *o = &g->order;
	struct ring told = {.node = id.nodeid, .seq = id.seq, .count = member_count};
	struct ring *known = next_find(o, id.seq);

	if (member_count > RING_NODES_MAX || (known == NULL && o->next_count == RINGS_MAX)) {
		group_lose(g, MSG_GROUP_REJOINS,
			   "corosync's rings change faster than they can be followed: see its "
			   "log, and check the network");
		return;
	}
	for (uint32_t i = 0; i < member_count; i++) {
		told.member[i] = member[i];
		told.together[i] = true;
		for (uint32_t k = 0; k < joined_count && member[i] != g->node; k++)
			told.together[i] = told.together[i] && joined[k] != member[i];
	}
	/* Of a ring that was forming when we connected it tells twice, the second time in full. */
	if (known != NULL) {
		ring_narrow(&told, known);
		*known = told;
	} else {
		o->next[o->next_count++] = told;
	}
}

void order_verdict(struct group_cpg *g, struct quorum_ring_id id, bool quorate)
{
	struct group_order *o = &g->order;
	struct ring *r = next_find(o, id.seq);

	if (r == NULL && o->ring.seq == id.seq)
		r = &o->ring;
	if (r == NULL)
		return;
	if (!r->judged)
		r->first = quorate;
	r->judged = true;
	r->quorate = quorate;
	if (r == &o->ring)
		verdict_announce(g);
}

/* ---- CPG */

static bool has_process(const struct cpg_address *list, size_t count, uint32_t node, uint32_t pid)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].nodeid == node && list[i].pid == pid)
			return true;
	return false;
}

static bool by_ring(const struct cpg_address *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].reason == CPG_REASON_NODEDOWN || list[i].reason == CPG_REASON_NODEUP)
			return true;
	return false;
}

/* CPG's list counts, ours only adds who came when. */
static void processes_update(struct group_order *o, const struct cpg_address *member,
			     size_t member_count, const struct cpg_address *joined,
			     size_t joined_count)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < o->process_count; i++) {
		const struct group_process *p = &o->process[i];

		if (has_process(member, member_count, p->node, p->pid) &&
		    !has_process(joined, joined_count, p->node, p->pid))
			o->process[kept++] = *p;
	}
	o->process_count = kept;
	for (size_t i = 0; i < member_count; i++) {
		bool known = false;

		for (uint32_t k = 0; k < kept && !known; k++)
			known = o->process[k].node == member[i].nodeid &&
				o->process[k].pid == member[i].pid;
		if (!known && o->process_count < CPG_MEMBERS_MAX)
			o->process[o->process_count++] = (struct group_process){
			    .node = member[i].nodeid, .pid = member[i].pid, .fresh = true};
	}
}

/* Is there a reason not to stay, now that our join was delivered? */
static void join_check(struct group_cpg *g, const struct cpg_address *member, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (member[i].nodeid == g->node && !is_us(g, member[i].nodeid, member[i].pid))
			group_lose(g, MSG_DAEMON_RUNS_ALREADY,
				   "another dlmirrord of this node, process %" PRIu32
				   ", is in the group: stop one of them",
				   member[i].pid);
	if (count > MLOG_VIEW_MAX)
		group_lose(g, MSG_GROUP_FULL,
			   "%u nodes are in the group, and there is no room for more: stop "
			   "dlmirrord on one",
			   MLOG_VIEW_MAX);
}

void order_confchg(struct group_cpg *g, const struct cpg_address *member, size_t member_count,
		   const struct cpg_address *left, size_t left_count,
		   const struct cpg_address *joined, size_t joined_count)
{
	struct group_order *o = &g->order;

	processes_update(o, member, member_count, joined, joined_count);
	if (!o->joined && has_process(joined, joined_count, g->node, (uint32_t)getpid())) {
		join_check(g, member, member_count);
		o->joined = !g->lost;
	}
	if (o->joined && has_process(left, left_count, g->node, (uint32_t)getpid()))
		group_lose(g, MSG_GROUP_REJOINS,
			   "corosync has taken this daemon out of its group: if that lasts, "
			   "restart corosync on this node");
	if (g->lost)
		return;
	if (by_ring(left, left_count) || by_ring(joined, joined_count) || o->ring.seq == 0)
		o->changing = true;
	if (!o->changing)
		apply(g, false);
}

void order_totem(struct group_cpg *g, struct cpg_ring_id id)
{
	struct group_order *o = &g->order;

	o->changing = true;
	o->awaited = id.seq;
	o->awaited_since_ms = clock_ms();
}

/* Takes all rings up to the awaited one. */
static void rings_take(struct group_order *o)
{
	struct ring taken = *next_find(o, o->awaited);
	uint32_t kept = 0;

	for (uint32_t i = 0; i < o->next_count; i++) {
		if (o->next[i].seq > o->awaited)
			o->next[kept++] = o->next[i];
		else if (o->next[i].seq < o->awaited)
			ring_narrow(&taken, &o->next[i]);
	}
	o->next_count = kept;
	o->ring = taken;
}

static bool later_ring(const struct group_order *o)
{
	for (uint32_t i = 0; i < o->next_count; i++)
		if (o->next[i].seq > o->awaited)
			return true;
	return false;
}

bool order_ready(struct group_cpg *g)
{
	struct group_order *o = &g->order;
	const struct ring *r = next_find(o, o->awaited);

	if (o->awaited == 0)
		return true;
	if ((r != NULL && r->judged) || (r == NULL && o->awaited == o->ring.seq)) {
		if (r != NULL)
			rings_take(o);
		o->awaited = 0;
		o->changing = false;
		apply(g, r != NULL);
		return true;
	}
	if (!later_ring(o))
		return false;
	/* Passed by: corosync has not finished it. */
	o->awaited = 0;
	return true;
}

/* ---- messages */

static void data_take(struct group_cpg *g, struct group_told *from, const struct envelope *e,
		      const void *datagram, size_t size)
{
	if (from->number_next != 0 && e->value != from->number_next) {
		group_lose(g, MSG_GROUP_REJOINS,
			   "corosync has lost messages of node %" PRIu32
			   ": joining again; if that goes on, see its log, and check the network",
			   from->node);
		return;
	}
	from->number_next = e->value + 1;
	g->received++;
	g->received_bytes += size - ENVELOPE_SIZE;
	g->callbacks->message(g->context, from->node, (const uint8_t *)datagram + ENVELOPE_SIZE,
			      size - ENVELOPE_SIZE);
}

static void quorate_take(struct group_cpg *g, bool quorate)
{
	struct group_order *o = &g->order;
	struct group_told same[MLOG_VIEW_MAX];

	if (quorate == o->quorate)
		return;
	memcpy(same, o->told, o->told_count * sizeof(*same));
	tell(g, same, o->told_count, quorate);
	control_send(g, KIND_VIEW, view_hash(o));
}

void order_message(struct group_cpg *g, uint32_t node, uint32_t pid, const void *datagram,
		   size_t size)
{
	struct group_order *o = &g->order;
	struct group_told *from = (struct group_told *)told_find(o->told, o->told_count, node);
	struct envelope e;

	if (from == NULL || from->pid != pid) {
		g->refused++;
		return;
	}
	if (!envelope_decode(datagram, size, &e)) {
		g->refused++;
		message_log(LOG_WARNING, MSG_MESSAGE_DAMAGED,
			    "group: a damaged message of node %" PRIu32 " was dropped", node);
		return;
	}
	/* See the head comment; its sender sends it again. */
	if (e.ring_seq != o->ring.seq || e.ring_node != o->ring.node)
		return;
	if (e.kind == KIND_DATA) {
		data_take(g, from, &e, datagram, size);
	} else if (e.kind == KIND_QUORATE) {
		quorate_take(g, e.value != 0);
	} else if (e.kind == KIND_VIEW) {
		from->said = true;
		from->said_view = (uint32_t)e.value;
		o->compared = false;
	}
}

/* ---- cross-checks */

void order_compare(struct group_cpg *g, uint64_t now_ms)
{
	struct group_order *o = &g->order;
	uint32_t hash = view_hash(o);

	if (!o->joined || o->compared || now_ms < o->changed_ms + SETTLE_MS)
		return;
	o->compared = true;
	o->differs = 0;
	for (uint32_t i = 0; i < o->told_count; i++) {
		const struct group_told *t = &o->told[i];

		if (t->node == g->node || !t->said || t->said_view == hash)
			continue;
		o->differs = t->node;
		message_log(LOG_ERR, MSG_ANOTHER_VIEW,
			    "group: node %" PRIu32
			    " was told another view of the same ring: restart "
			    "corosync there",
			    t->node);
	}
}

void order_reset(struct group_cpg *g)
{
	memset(&g->order, 0, sizeof(g->order));
}
