/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test/sim/logdev.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/mutate.h"
#include "test/sim/checker.h"
#include "test/sim/locks.h"
#include "test/sim/node.h"
#include "test/sim/world.h"

#define FAILURES 3U /* errors of a node's faults may overlap so often */

/* Steps, in the order of storage_claim.c and storage_slot.c. */
enum step {
	STEP_END,
	STEP_READ,	/* whatever the operation reads */
	STEP_MAP,	/* in-sync map */
	STEP_BITS,	/* of the slot */
	STEP_SLOT_USED, /* its header */
	STEP_SLOT_EMPTY,
	STEP_OTHERS, /* headers of all other slots: empty */
	STEP_KERNEL, /* the kernel's bits */
	STEP_IN_USE, /* the header that makes the maps count */
	STEP_CLEAN,  /* the header that makes the kernel's bits count */
	STEP_PAGE,
};

static const enum step load_steps[] = {STEP_READ, STEP_END};
static const enum step claim_whole[] = {STEP_MAP,    STEP_BITS,	  STEP_SLOT_USED,
					STEP_OTHERS, STEP_IN_USE, STEP_END};
static const enum step claim_slot[] = {STEP_BITS, STEP_SLOT_USED, STEP_END};
static const enum step write_page[] = {STEP_PAGE, STEP_END};
static const enum step release_whole[] = {STEP_MAP, STEP_KERNEL, STEP_SLOT_EMPTY, STEP_CLEAN,
					  STEP_END};
static const enum step release_slot[] = {STEP_SLOT_EMPTY, STEP_END};

enum header { HEADER_BLANK, HEADER_KERNEL, HEADER_IN_USE };

struct slot {
	bool used;
	uint32_t node; /* as the group calls it */
	/* Nodes that have read it, written it or taken it for the worst since another wrote it, and
	 * have not forgotten that. */
	uint32_t known;
	uint64_t bits[LOGDEV_WORDS];
};

struct operation {
	struct logdev *device;
	struct operation *next; /* in flight, or free */
	struct logdev_request request;
	const enum step *step;
	int error;
	uint64_t event; /* handle */
	bool answering;
	bool knew; /* what the slot held that it is to write */
};

struct logdev {
	struct world *world;
	struct mirror *mirror;
	uint64_t identity;
	enum header header;
	bool claimed;	   /* it has a superblock */
	uint64_t prepared; /* for a table of that revision, and not claimed since; 0: it is not */
	uint64_t revision; /* the highest that it was claimed with; 0: none had one */
	uint64_t kernel[LOGDEV_WORDS];
	uint64_t map[LOGDEV_WORDS];
	struct slot slot[MLOG_MEMBERS_MAX];
	uint32_t failing[FAILURES]; /* masks of nodes */
	uint64_t more_us;
	struct operation *flying;
	struct operation *free;
	/* of the answer under way */
	uint64_t answer_map[LOGDEV_WORDS];
	uint64_t answer_dirty[LOGDEV_WORDS];
	uint32_t answer_owner[MLOG_MEMBERS_MAX];
};

static void contents_lose(struct logdev *d)
{
	d->header = HEADER_BLANK;
	d->claimed = false;
	d->prepared = 0;
	d->revision = 0;
	memset(d->kernel, 0, sizeof(d->kernel));
	memset(d->map, 0, sizeof(d->map));
	memset(d->slot, 0, sizeof(d->slot));
}

/* It is at rest. */
static void all_in_sync(struct logdev *d)
{
	d->header = HEADER_KERNEL;
	for (uint32_t i = 0; i < d->mirror->plan->regions; i++)
		d->kernel[i / 64] |= UINT64_C(1) << i % 64;
}

struct logdev *logdev_create(struct mirror *mirror, bool blank)
{
	struct logdev *d = world_alloc(mirror->world, sizeof(*d));

	d->world = mirror->world;
	d->mirror = mirror;
	d->identity = 1;
	if (!mirror->plan->blank && !blank)
		all_in_sync(d);
	return d;
}

/* ---- what steps do */

static void must_hold(struct logdev *d, const struct logdev_request *r, uint32_t lock,
		      const char *what)
{
	/* Where only one can attach, nobody asks for locks. */
	if (d->mirror->plan->slots > 1 &&
	    !locks_held(world_locks(d->world), r->node, d->mirror->index, lock))
		world_violation(d->world, "I4",
				"node %u writes %s %u of the log device without its lock",
				r->node + 1, what, lock);
}

static bool writes_slot(const struct logdev_request *r)
{
	return r->kind == LOGDEV_CLAIM || (r->kind == LOGDEV_WRITE && r->area == MLOG_AREA_SLOT);
}

/* I2: what a slot in use says is not overwritten by who had not looked when it began. */
static void must_know(struct logdev *d, const struct operation *o)
{
	const struct logdev_request *r = &o->request;
	struct slot *slot = &d->slot[r->slot];

	if (d->header == HEADER_IN_USE && slot->used && !o->knew)
		world_violation(d->world, "I2",
				"node %u writes slot %u, and has not read what it held",
				r->node + 1, r->slot);
	slot->known &= UINT32_C(1) << r->node;
}

/* What is not in use says nothing. */
static bool knows(struct logdev *d, const struct logdev_request *r)
{
	struct slot *slot = &d->slot[r->slot];

	if (d->header != HEADER_IN_USE || !slot->used)
		slot->known |= UINT32_C(1) << r->node;
	return (slot->known >> r->node & 1) != 0;
}

/* torn: each page is written or not. */
static void words_write(struct logdev *d, uint64_t *to, const uint64_t *from, bool torn)
{
	uint32_t page_words = d->mirror->plan->page_bytes / 8;
	bool written = true;

	for (uint32_t w = 0; w < LOGDEV_WORDS; w++) {
		if (torn && w % page_words == 0)
			written = random_chance(world_random(d->world, RANDOM_DEVICE), 500);
		if (written)
			to[w] = from[w];
	}
}

/* Not who died in the middle of a claim, nor who detached and waits for a late write. */
static bool relies_on_slot(struct logdev *d, uint32_t n, uint32_t slot)
{
	return checker_uses_log(world_node(d->world, n), d->mirror) &&
	       locks_held(world_locks(d->world), n, d->mirror->index, slot);
}

/* Slots of a log in use may be those of members that are gone: takeover deals with them. */
static void others_empty(struct logdev *d, const struct logdev_request *r)
{
	if (d->header == HEADER_IN_USE)
		return;
	for (uint32_t i = 0; i < d->mirror->plan->slots; i++) {
		if (i == r->slot || !d->slot[i].used)
			continue;
		for (uint32_t n = 0; n < world_nodes(d->world); n++)
			if (n != r->node && relies_on_slot(d, n, i))
				world_violation(d->world, "I4",
						"node %u empties slot %u, whose lock node %u holds",
						r->node + 1, i, n + 1);
		d->slot[i].used = false;
	}
}

/* I5: what a dead node had marked is in a slot of the heir before its own is emptied. */
static void must_have_inherited(struct logdev *d, const struct logdev_request *r)
{
	const struct slot *from = &d->slot[r->slot];
	uint64_t missing[LOGDEV_WORDS];

	memcpy(missing, from->bits, sizeof(missing));
	for (uint32_t i = 0; i < d->mirror->plan->slots; i++)
		for (uint32_t w = 0; w < LOGDEV_WORDS; w++)
			if (i != r->slot && d->slot[i].used && d->slot[i].node == r->node + 1)
				missing[w] &= ~d->slot[i].bits[w];
	for (uint32_t w = 0; from->used && w < LOGDEV_WORDS; w++)
		if (missing[w] != 0)
			world_violation(d->world, "I5",
					"node %u empties slot %u, and has not inherited its bits",
					r->node + 1, r->slot);
}

static void page_write(struct logdev *d, const struct operation *o)
{
	const struct logdev_request *r = &o->request;
	uint32_t page_words = d->mirror->plan->page_bytes / 8;
	bool map = r->area == MLOG_AREA_SYNC;
	uint64_t *to = map ? d->map : d->slot[r->slot].bits;
	const uint64_t *from = map ? r->sync : r->bits;

	must_hold(d, r, map ? MLOG_LOCK_MAP : r->slot, map ? "the map" : "slot");
	if (!map)
		must_know(d, o);
	for (uint64_t w = r->page * page_words; w < (r->page + 1) * page_words; w++)
		if (w < LOGDEV_WORDS)
			to[w] = from[w];
}

static void land(struct operation *o, bool torn)
{
	struct logdev *d = o->device;
	const struct logdev_request *r = &o->request;
	struct slot *slot = r->slot == MLOG_NO_SLOT ? NULL : &d->slot[r->slot];

	switch (*o->step) {
	case STEP_MAP:
		must_hold(d, r, MLOG_LOCK_MAP, "the map");
		words_write(d, d->map, r->sync, torn);
		break;
	case STEP_BITS:
		must_hold(d, r, r->slot, "slot");
		must_know(d, o);
		words_write(d, slot->bits, r->bits, torn);
		break;
	case STEP_SLOT_USED:
		must_hold(d, r, r->slot, "slot");
		slot->used = true;
		slot->node = r->node + 1;
		break;
	case STEP_SLOT_EMPTY:
		must_hold(d, r, r->slot, "slot");
		if (r->kind == LOGDEV_EMPTY_SLOT)
			must_have_inherited(d, r);
		slot->used = false;
		break;
	case STEP_OTHERS:
		must_hold(d, r, MLOG_LOCK_MAP, "the map");
		others_empty(d, r);
		break;
	case STEP_KERNEL:
		words_write(d, d->kernel, r->sync, torn);
		break;
	case STEP_IN_USE:
		must_hold(d, r, MLOG_LOCK_MAP, "the map");
		d->header = HEADER_IN_USE;
		d->claimed = true;
		d->prepared = 0;
		if (r->revision > d->revision)
			d->revision = r->revision;
		break;
	case STEP_CLEAN:
		must_hold(d, r, MLOG_LOCK_MAP, "the map");
		d->header = HEADER_KERNEL;
		break;
	case STEP_PAGE:
		page_write(d, o);
		break;
	default:
		break;
	}
}

/* ---- answers */

static void history_make(struct logdev *d, const struct logdev_request *r, struct mlog_history *ret)
{
	const struct scenario_mirror *plan = d->mirror->plan;

	*ret = (struct mlog_history){.load = MLOG_LOAD_BLANK,
				     .region_count = plan->regions,
				     .region_sectors = plan->region_sectors,
				     .shift = plan->shift};
	memset(d->answer_dirty, 0, sizeof(d->answer_dirty));
	memset(d->answer_owner, 0, sizeof(d->answer_owner));
	memcpy(d->answer_map, d->header == HEADER_KERNEL ? d->kernel : d->map,
	       sizeof(d->answer_map));
	if (d->header == HEADER_BLANK)
		return;
	if (d->header == HEADER_KERNEL) {
		ret->load = MLOG_LOAD_CLEAN;
		ret->in_sync = d->answer_map;
		return;
	}
	for (uint32_t i = 0; i < plan->slots; i++) {
		if (!d->slot[i].used || (!r->whole && i != r->slot))
			continue;
		ret->load = MLOG_LOAD_CRASHED;
		ret->dirty = d->answer_dirty;
		for (uint32_t w = 0; w < LOGDEV_WORDS; w++)
			d->answer_dirty[w] |= d->slot[i].bits[w];
		if (i != r->slot && d->slot[i].node != r->node + 1)
			d->answer_owner[i] = d->slot[i].node;
	}
	if (!r->whole)
		return;
	ret->load = MLOG_LOAD_CRASHED;
	ret->dirty = d->answer_dirty;
	ret->in_sync = d->answer_map;
	ret->owner = d->answer_owner;
}

static void slots_known(struct logdev *d, unsigned node, bool known)
{
	for (uint32_t i = 0; i < MLOG_MEMBERS_MAX; i++) {
		if (known)
			d->slot[i].known |= UINT32_C(1) << node;
		else
			d->slot[i].known &= ~(UINT32_C(1) << node);
	}
}

static void answer(struct operation *o)
{
	struct logdev *d = o->device;
	struct logdev_answer a = {.request = &o->request, .error = o->error};

	if (o->error == 0 && o->request.kind == LOGDEV_LOAD && o->request.whole)
		slots_known(d, o->request.node, true);
	else if (o->error == 0 &&
		 (o->request.kind == LOGDEV_LOAD || o->request.kind == LOGDEV_READ_SLOT))
		d->slot[o->request.slot].known |= UINT32_C(1) << o->request.node;

	a.revision = d->claimed ? d->revision : o->request.revision;
	if (o->error == 0 && o->request.kind == LOGDEV_LOAD)
		history_make(d, &o->request, &a.history);
	if (o->error == 0 && o->request.kind == LOGDEV_READ_SLOT && d->slot[o->request.slot].used) {
		memcpy(d->answer_dirty, d->slot[o->request.slot].bits, sizeof(d->answer_dirty));
		a.dirty = d->answer_dirty;
	}
	node_device_done(world_node(d->world, o->request.node), d->mirror->index, &a);
}

/* ---- operations in flight */

static void operation_free(struct operation *o)
{
	struct logdev *d = o->device;
	struct operation **at = &d->flying;

	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
	o->next = d->free;
	d->free = o;
}

static bool failing(const struct logdev *d, unsigned node)
{
	for (unsigned i = 0; i < FAILURES; i++)
		if ((d->failing[i] >> node & 1) != 0)
			return true;
	return false;
}

/* The device that the others use must be this one, and in use; an own one is not asked for. Who has
 * it open already does not look at it anew. */
static int refusal(const struct operation *o)
{
	const struct logdev_request *r = &o->request;
	const struct logdev *d = o->device;
	bool joins = (r->kind == LOGDEV_LOAD || r->kind == LOGDEV_CLAIM) && !r->whole;
	bool looks = r->kind != LOGDEV_WRITE && r->kind != LOGDEV_RELEASE;

	if (r->identity != d->identity)
		return -ENXIO;
	if (looks && logdev_outdates(d, r->revision))
		return r->kind == LOGDEV_LOAD ? -ESTALE : -EBUSY;
	if (r->kind == LOGDEV_CLAIM && joins && d->revision < r->revision)
		return -ESTALE;
	if (d->header != HEADER_IN_USE &&
	    (joins || r->kind == LOGDEV_READ_SLOT || r->kind == LOGDEV_EMPTY_SLOT))
		return -ESTALE;
	return 0;
}

static uint64_t latency(struct logdev *d)
{
	struct random *random = world_random(d->world, RANDOM_DEVICE);

	return random_spread(random, world_scenario(d->world)->device_us) + d->more_us;
}

static void on_step(void *context, uint64_t argument)
{
	struct operation *o = context;
	struct logdev *d = o->device;
	struct node *node = world_node(d->world, o->request.node);

	o->event = 0;
	if (!o->answering) {
		o->error = refusal(o);
		if (o->error == 0 && failing(d, o->request.node)) {
			/* What was written all the same nobody knows. */
			if (random_chance(world_random(d->world, RANDOM_DEVICE), 300))
				land(o, true);
			o->error = -EIO;
		}
		if (o->error == 0) {
			land(o, false);
			o->step++;
		}
		if (o->error == 0 && *o->step != STEP_END) {
			o->event = world_after(d->world, latency(d), on_step, o, 0);
			return;
		}
		o->answering = true;
	}
	o->event = node_busy(node, on_step, o, argument);
	if (o->event != 0)
		return;
	answer(o);
	operation_free(o);
}

static const enum step *steps_of(const struct logdev_request *r)
{
	switch (r->kind) {
	case LOGDEV_CLAIM:
		return r->whole ? claim_whole : claim_slot;
	case LOGDEV_WRITE:
		return write_page;
	case LOGDEV_RELEASE:
		return r->whole ? release_whole : release_slot;
	case LOGDEV_EMPTY_SLOT:
		return release_slot;
	default:
		return load_steps;
	}
}

/* Who reads all of it need not have a slot yet. */
static bool no_slot(const struct logdev_request *r)
{
	return r->slot == MLOG_NO_SLOT && ((r->kind == LOGDEV_LOAD && r->whole) ||
					   (r->kind == LOGDEV_WRITE && r->area == MLOG_AREA_SYNC));
}

void logdev_submit(struct logdev *d, const struct logdev_request *request)
{
	struct operation *o = d->free;

	assert(request->slot < d->mirror->plan->slots || no_slot(request));
	if (o != NULL)
		d->free = o->next;
	else
		o = world_alloc(d->world, sizeof(*o));
	*o = (struct operation){.device = d, .next = d->flying, .request = *request};
	o->step = steps_of(request);
	o->knew = writes_slot(request) && knows(d, request);
	d->flying = o;
	o->event = world_after(d->world, latency(d), on_step, o, 0);
}

uint64_t logdev_identity(const struct logdev *d)
{
	return d->identity;
}

bool logdev_works(const struct logdev *d, unsigned node)
{
	return !failing(d, node);
}

bool logdev_in_use(const struct logdev *d)
{
	return d->header == HEADER_IN_USE;
}

void logdev_prepare(struct logdev *d, uint64_t revision, bool in_sync)
{
	contents_lose(d);
	if (in_sync)
		all_in_sync(d);
	d->prepared = revision;
}

bool logdev_prepared(const struct logdev *d, uint64_t revision)
{
	return d->prepared == revision && revision != 0;
}

void logdev_retire(struct logdev *d, uint64_t revision)
{
	if (d->revision >= revision)
		return;
	d->header = HEADER_BLANK;
	d->claimed = true;
	d->revision = revision;
}

uint64_t logdev_revision(const struct logdev *d)
{
	return d->revision;
}

bool logdev_outdates(const struct logdev *d, uint64_t revision)
{
	return d->revision > revision && !mutation(MUTATE_LOG_REVISION_IGNORED);
}

bool logdev_flying(const struct logdev *d, unsigned node, uint64_t object)
{
	for (const struct operation *o = d->flying; o != NULL; o = o->next)
		if (o->request.node == node && (object == 0 || o->request.object == object))
			return true;
	return false;
}

bool logdev_slot_used(const struct logdev *d, uint32_t slot)
{
	return slot < d->mirror->plan->slots && d->slot[slot].used;
}

bool logdev_slot_dirty(const struct logdev *d, uint32_t slot, uint32_t region)
{
	uint32_t at = region >> d->mirror->plan->shift;

	return d->slot[slot].used && (d->slot[slot].bits[at / 64] >> at % 64 & 1) != 0;
}

bool logdev_dirty(const struct logdev *d, uint32_t region)
{
	for (uint32_t i = 0; i < d->mirror->plan->slots; i++)
		if (logdev_slot_dirty(d, i, region))
			return true;
	return false;
}

/* The step under way lands or not; the ones behind it are never begun. */
static void operations_end(struct logdev *d, unsigned node, bool torn)
{
	for (struct operation *o = d->flying, *next; o != NULL; o = next) {
		next = o->next;
		if (o->request.node != node)
			continue;
		if (!o->answering && refusal(o) == 0 && !failing(d, node) &&
		    random_chance(world_random(d->world, RANDOM_DEVICE), 500))
			land(o, torn);
		world_cancel(d->world, o->event);
		operation_free(o);
	}
}

void logdev_daemon_died(struct logdev *d, unsigned node)
{
	operations_end(d, node, false);
}

void logdev_node_died(struct logdev *d, unsigned node)
{
	operations_end(d, node, true);
	slots_known(d, node, false);
}

void logdev_forgotten(struct logdev *d, unsigned node)
{
	if (d != NULL)
		slots_known(d, node, false);
}

void logdev_feared(struct logdev *d, unsigned node)
{
	if (d != NULL)
		slots_known(d, node, true);
}

void logdev_fail(struct logdev *d, uint32_t nodes, bool fails)
{
	for (unsigned i = 0; i < FAILURES; i++)
		if (d->failing[i] == (fails ? 0 : nodes)) {
			d->failing[i] = fails ? nodes : 0;
			return;
		}
}

void logdev_slow(struct logdev *d, uint64_t more_us)
{
	if (d != NULL)
		d->more_us = more_us;
}

void logdev_replace(struct logdev *d)
{
	d->identity++;
	checker_device_replaced(world_checker(d->world), d->mirror);
	contents_lose(d);
}
