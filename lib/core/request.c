/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel is waiting for: requests in, one reply out (I8). A request that cannot be
 * answered yet stays in the table; each step asks of every entry whether it can be answered now.
 * The kernel gives up after 15 s and asks again with a new seq: of a request and its repetitions a
 * few are kept.
 */
#include <errno.h>
#include <string.h>

#include "core/mlog_internal.h"

static struct mlog_reply *reply_add(struct mlog *m, const struct mlog_request *request)
{
	struct mlog_effect *effect = effect_add(m, MLOG_REPLY);

	effect->reply = (struct mlog_reply){.type = request->type, .seq = request->seq};
	return &effect->reply;
}

void request_reply(struct mlog *m, const struct mlog_request *request, int32_t error)
{
	reply_add(m, request)->error = error;
}

static void reply_words(struct mlog *m, const struct mlog_request *request, uint32_t words,
			uint64_t first, uint64_t second)
{
	struct mlog_reply *reply = reply_add(m, request);

	reply->words = words;
	reply->word[0] = first;
	reply->word[1] = second;
}

static bool request_same(const struct mlog_request *a, const struct mlog_request *b)
{
	return a->type == b->type && a->region_count == b->region_count &&
	       a->in_sync == b->in_sync &&
	       memcmp(a->region, b->region, a->region_count * sizeof(a->region[0])) == 0;
}

static void pend(struct mlog *m, const struct mlog_request *request)
{
	uint32_t same = 0;
	struct mlog_request *oldest = NULL;

	/* Several kernel threads may ask the same (RESUME, after a reconnect), and each waits for
	 * its own seq; a repetition looks like that too, so only a few are kept. */
	for (uint32_t i = 0; i < m->pending_count; i++)
		if (request_same(&m->pending[i].request, request)) {
			oldest = oldest == NULL ? &m->pending[i].request : oldest;
			same++;
		}
	if (same == SAME_MAX) {
		oldest->seq = request->seq;
		return;
	}
	if (m->pending_count == MLOG_PENDING_MAX) {
		/* Cannot come from the kernel's few threads; whoever it is asks again after 15 s.
		 */
		notice_add(m, MLOG_NOTICE_OVERFLOW, request->type);
		return;
	}
	m->pending[m->pending_count++] = (struct pending){.request = *request};
}

static bool regions_ready(const struct mlog *m, const struct mlog_request *request)
{
	for (uint32_t i = 0; i < request->region_count; i++)
		if (!hot_dirty(m->hot, request->region[i]) ||
		    (hot_gated(m->hot, request->region[i]) && !mutation(MUTATE_GATE_IGNORED)))
			return false;
	return true;
}

/* They have become stale since the kernel asked, and another kernel has them: the write waits. */
static bool regions_being_recovered(const struct mlog *m, const struct mlog_request *request)
{
	for (uint32_t i = 0; i < request->region_count; i++)
		if (!hot_in_sync(m->hot, request->region[i]) &&
		    sync_leased_to_other(m, request->region[i]))
			return true;
	return false;
}

static bool attached(const struct mlog *m)
{
	return m->phase == MLOG_ACTIVE || m->phase == MLOG_SUSPENDING;
}

/* A new daemon is attached, and knows nothing of the others' gates before they told it. */
static bool serving(const struct mlog *m)
{
	return attached(m) && !m->closed;
}

/* Not so for a mark that came while the mirror was attaching, and was not obeyed yet. */
static bool regions_held(const struct mlog *m, const struct mlog_request *request)
{
	for (uint32_t i = 0; i < request->region_count; i++)
		if (!hot_held(m->hot, request->region[i]))
			return false;
	return true;
}

bool request_waits_for(const struct mlog *m, uint64_t region)
{
	for (uint32_t i = 0; i < m->pending_count && serving(m); i++) {
		const struct mlog_request *p = &m->pending[i].request;

		if ((p->type != ULOG_MARK_REGION && p->type != ULOG_FLUSH) || !regions_held(m, p))
			continue;
		for (uint32_t k = 0; k < p->region_count; k++) {
			/* One that could be answered is no proof: a responder that met its
			 * repetition may have let the write go. */
			if (p->region[k] == region && !regions_ready(m, p))
				return true;
		}
	}
	return false;
}

static void admit_resume(struct mlog *m, const struct mlog_request *request)
{
	if (attached(m)) {
		/* Again, after a reconnect, or a suspend that was not carried out. No mark is
		 * touched. */
		phase_set(m, MLOG_ACTIVE);
		sync_rewind(m);
		if (mutation(MUTATE_RESUME_FORGETS_MARKS))
			hot_reset(m->hot);
		request_reply(m, request, 0);
		return;
	}
	pend(m, request);
}

static void admit_suspend(struct mlog *m, const struct mlog_request *request)
{
	if (request->type == ULOG_PRESUSPEND) {
		if (m->phase == MLOG_ACTIVE) {
			phase_set(m, MLOG_SUSPENDING);
			repair_stop(m);
		}
		request_reply(m, request, 0);
		return;
	}
	if (attached(m))
		device_detach(m);
	pend(m, request);
}

static void admit_mark(struct mlog *m, const struct mlog_request *request)
{
	if (request->region_count > 0 && !hot_seq_obey(m->hot, request->seq))
		return;
	for (uint32_t i = 0; i < request->region_count; i++) {
		hot_mark(m->hot, request->region[i]);
		dirty_want(m, request->region[i]);
	}
	pend(m, request);
}

static void admit_clear(struct mlog *m, const struct mlog_request *request)
{
	if (!hot_seq_obey(m->hot, request->seq))
		return;
	for (uint32_t i = 0; i < request->region_count; i++)
		hot_clear(m->hot, request->region[i]);
	request_reply(m, request, 0);
}

static void admit_region_sync(struct mlog *m, const struct mlog_request *request)
{
	if (!request->in_sync && mutation(MUTATE_STALE_NOT_REPORTED)) {
		request_reply(m, request, 0);
		return;
	}
	if (!request->in_sync && sync_missed(m, request->region[0])) {
		request_reply(m, request, 0);
		return;
	}
	if (!request->in_sync)
		sync_reported(m, request->region[0], false);
	pend(m, request);
}

static bool in_sync_answer(struct mlog *m, const struct mlog_request *request)
{
	bool in_sync;

	if (!hot_in_sync_told(m->hot, request->region[0], &in_sync)) {
		sync_telling(m, request->region[0]);
		return false;
	}
	reply_words(m, request, 1, in_sync, 0);
	return true;
}

static bool remote_recovering_answer(struct mlog *m, const struct mlog_request *request)
{
	bool wait = false;
	uint64_t hint;

	if (sync_telling(m, request->region[0]))
		return false;
	if (!hot_in_sync(m->hot, request->region[0]))
		wait = sync_remote_recovering(m, request->region[0]);
	hint = sync_void(m) ? m->config.region_count : atomic_load(&m->hot->shared->hint);
	reply_words(m, request, 2, wait, hint);
	return true;
}

static void reply_work(struct mlog *m, const struct mlog_request *request, uint64_t region)
{
	if (region == m->config.region_count)
		reply_words(m, request, 2, 0, 0);
	else
		reply_words(m, request, 2, 1, region);
}

static void admit_work(struct mlog *m, const struct mlog_request *request)
{
	uint64_t region;

	if (sync_work_due(m, &region))
		reply_work(m, request, region);
	else
		pend(m, request);
}

/* A count that equals the region count raises the kernel's hint to the end, and lets it take any
 * leg as the default: that is not to be said before the attach has shown what is true. The question
 * may overtake the RESUME. */
static uint64_t sync_count(const struct mlog *m)
{
	uint64_t regions = m->config.region_count;
	uint64_t count = hot_count_told(m->hot);

	if (attached(m))
		return count;
	if (!m->attached_once)
		count = m->config.sync == MLOG_SYNC_NOSYNC ? regions : 0;
	return count == regions ? regions - 1 : count;
}

/* Requests about regions, of a mirror that is attached. */
static void admit_serving(struct mlog *m, const struct mlog_request *request)
{
	switch (request->type) {
	case ULOG_IN_SYNC:
		if (!in_sync_answer(m, request))
			pend(m, request);
		break;
	case ULOG_IS_CLEAN:
		reply_words(m, request, 1,
			    !hot_held(m->hot, request->region[0]) &&
				!hot_dirty(m->hot, request->region[0]),
			    0);
		break;
	case ULOG_MARK_REGION:
	case ULOG_FLUSH:
		admit_mark(m, request);
		break;
	case ULOG_CLEAR_REGION:
		admit_clear(m, request);
		break;
	case ULOG_GET_RESYNC_WORK:
		admit_work(m, request);
		break;
	case ULOG_SET_REGION_SYNC:
		admit_region_sync(m, request);
		break;
	case ULOG_IS_REMOTE_RECOVERING:
		if (!remote_recovering_answer(m, request))
			pend(m, request);
		break;
	default:
		request_reply(m, request, -EINVAL);
	}
}

static bool waits(const struct mlog *m, uint32_t seq)
{
	for (uint32_t i = 0; i < m->pending_count; i++)
		if (m->pending[i].request.seq == seq)
			return true;
	return false;
}

void request_admit(struct mlog *m, const struct mlog_request *request)
{
	bool nothing = request->type == ULOG_CLEAR_REGION ||
		       (request->type == ULOG_FLUSH && request->region_count == 0);

	if (waits(m, request->seq))
		return; /* the kernel never asks so: a repetition has a number of its own */
	if (request->type == ULOG_RESUME) {
		admit_resume(m, request);
	} else if (request->type == ULOG_PRESUSPEND || request->type == ULOG_POSTSUSPEND) {
		admit_suspend(m, request);
	} else if (request->type == ULOG_GET_REGION_SIZE) {
		reply_words(m, request, 1, m->config.region_sectors, 0);
	} else if (request->type == ULOG_GET_SYNC_COUNT) {
		reply_words(m, request, 1, sync_count(m), 0);
	} else if (serving(m)) {
		admit_serving(m, request);
	} else if (request->type == ULOG_CLEAR_REGION &&
		   (attached(m) || m->phase == MLOG_DETACHING)) {
		/* The kernel's last, which race with the suspend. One that waited for a new daemon
		 * to know the others would come behind it. */
		admit_clear(m, request);
	} else if (attached(m)) {
		pend(m, request);
	} else if (nothing) {
		request_reply(m, request, 0);
	} else if (m->phase == MLOG_ATTACHING) {
		pend(m, request);
	} else {
		/* The kernel has resumed and we did not hear of it: this makes it say so. */
		request_reply(m, request, -ESRCH);
	}
}

/* What to do with a waiting request now. */
enum due { DUE_WAIT, DUE_REPLY, DUE_ANSWERED, DUE_AGAIN };

/* What the kernel reports is told to all, a stale region once it is in my slot. */
static enum due region_sync_due(struct mlog *m, struct pending *p)
{
	bool acked = acks_settled(&m->stale_acks);
	struct mlog_message *message;

	/* The kernel calls the write done when it has the reply: from then on nobody may read the
	 * leg that missed it. */
	if (p->sent != 0)
		return m->heard >= p->sent && (p->request.in_sync ||
					       (acked && sync_durable(m, p->request.region[0])))
			   ? DUE_REPLY
			   : DUE_WAIT;
	if (!p->request.in_sync && !acked)
		return DUE_WAIT; /* one after the other */
	if (!group_in(m) || m->leaving ||
	    (!p->request.in_sync && !hot_dirty(m->hot, p->request.region[0])))
		return DUE_WAIT;
	if (p->request.in_sync) {
		if (sync_recovered(m, p->request.region[0]))
			return DUE_REPLY;
		sync_reported(m, p->request.region[0], true);
	}
	sync_tell(m);
	message = group_send(m, MLOG_MSG_SYNC);
	message->sync.region = p->request.region[0];
	message->sync.in_sync = p->request.in_sync;
	p->sent = message->seq;
	if (!p->request.in_sync)
		m->stale_acks = (struct acks){.seq = message->seq};
	return DUE_WAIT;
}

static enum due work_due(struct mlog *m, const struct mlog_request *request)
{
	uint64_t region;

	if (!sync_work_due(m, &region))
		return DUE_WAIT;
	reply_work(m, request, region);
	return DUE_ANSWERED;
}

static enum due request_due(struct mlog *m, struct pending *p)
{
	const struct mlog_request *request = &p->request;

	switch (request->type) {
	case ULOG_RESUME:
		return m->phase == MLOG_ACTIVE ? DUE_REPLY : DUE_WAIT;
	case ULOG_POSTSUSPEND:
		return m->phase == MLOG_SUSPENDED || m->phase == MLOG_CREATED ? DUE_REPLY
									      : DUE_WAIT;
	case ULOG_MARK_REGION:
	case ULOG_FLUSH:
		if (serving(m) && regions_held(m, request))
			return regions_ready(m, request) && !regions_being_recovered(m, request)
				   ? DUE_REPLY
				   : DUE_WAIT;
		break;
	case ULOG_IN_SYNC:
		if (serving(m))
			return in_sync_answer(m, request) ? DUE_ANSWERED : DUE_WAIT;
		break;
	case ULOG_IS_REMOTE_RECOVERING:
		if (serving(m))
			return remote_recovering_answer(m, request) ? DUE_ANSWERED : DUE_WAIT;
		break;
	case ULOG_SET_REGION_SYNC:
		if (serving(m) &&
		    (request->in_sync || hot_reported(m->hot, request->region[0]) || p->sent != 0))
			return region_sync_due(m, p);
		break;
	case ULOG_GET_RESYNC_WORK:
		if (serving(m))
			return work_due(m, request);
		break;
	default:
		break;
	}
	/* Came while the mirror was attaching, or its mirror is gone meanwhile. */
	return m->phase == MLOG_ATTACHING || m->phase == MLOG_DETACHING || m->closed ? DUE_WAIT
										     : DUE_AGAIN;
}

void request_group_lost(struct mlog *m)
{
	for (uint32_t i = 0; i < m->pending_count; i++)
		m->pending[i].sent = 0;
	m->stale_acks = (struct acks){.seq = 0};
	m->detach_cursor = 0;
	m->detach_seq = 0;
}

/* Answers what can be answered; returns how many were admitted anew. */
static uint32_t settle_once(struct mlog *m)
{
	struct mlog_request again[MLOG_PENDING_MAX];
	uint32_t again_count = 0;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < m->pending_count; i++) {
		enum due due = request_due(m, &m->pending[i]);

		if (due == DUE_REPLY) {
			request_reply(m, &m->pending[i].request, 0);
			if (mutation(MUTATE_ANSWERED_TWICE))
				m->pending[kept++] = m->pending[i];
		} else if (due == DUE_AGAIN)
			again[again_count++] = m->pending[i].request;
		else if (due == DUE_WAIT)
			m->pending[kept++] = m->pending[i];
	}
	m->pending_count = kept;
	for (uint32_t i = 0; i < again_count; i++)
		request_admit(m, &again[i]);
	return again_count;
}

/* I8: who has been answered in this step waits no more, and was not answered twice. */
static bool answered_once(const struct mlog *m)
{
	for (uint32_t i = 0; i < m->effect_count; i++) {
		const struct mlog_effect *e = &m->effect[(m->effect_first + i) % MLOG_EFFECTS_MAX];

		if (e->kind != MLOG_REPLY)
			continue;
		if (waits(m, e->reply.seq))
			return false;
		for (uint32_t k = 0; k < i; k++) {
			const struct mlog_effect *other =
			    &m->effect[(m->effect_first + k) % MLOG_EFFECTS_MAX];

			if (other->kind == MLOG_REPLY && other->reply.seq == e->reply.seq)
				return false;
		}
	}
	return true;
}

void request_settle(struct mlog *m)
{
	bool resume = false;

	/* What was admitted anew may be answerable. */
	if (settle_once(m) > 0)
		settle_once(m);
	invariant(answered_once(m));
	for (uint32_t i = 0; i < m->pending_count; i++)
		resume = resume || m->pending[i].request.type == ULOG_RESUME;
	if (resume && (m->phase == MLOG_CREATED || m->phase == MLOG_SUSPENDED))
		group_attach(m);
}
