/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemons/dlmirrord/errands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/daemon.h"
#include "daemons/dlmirrord/message_log.h"

#define ASKED_MAX     32U /* errands of ours that are remembered */
#define ASKED_MS      (5 * 60 * 1000U)
#define DOING_MAX     8U /* verbs at a time */
#define WAITING_MAX   64U
#define RUNNER_GAP_MS 2000U
#define HEARD_MAX     64U /* errands of others, so that none is done twice */

/* One of ours: who has said what. */
struct asked {
	TAILQ_ENTRY(asked) next;
	uint64_t number;
	uint64_t begun_ms;
	uint32_t count;
	struct {
		uint32_t node;
		bool done;
		bool left;
		uint8_t code;
		char *text; /* NULL: nothing, or no memory for it */
	} node[MLOG_VIEW_MAX];
};

TAILQ_HEAD(asked_list, asked);

/* A verb that waits for the runner, or that it has. */
struct doing {
	TAILQ_ENTRY(doing) next;
	struct group_task_id task; /* whose answer it is; node 0: done's */
	errands_done_fn *done;
	void *context;
	struct runner_order order;
};

TAILQ_HEAD(doing_list, doing);

struct errands {
	struct daemon *daemon;
	int runner_fd;	  /* -1: it has ended */
	uint64_t gone_ms; /* when it did, or another could not be started */
	char program[600];
	struct asked_list asked;
	unsigned asked_count;
	struct doing_list waiting;
	struct doing_list doing;
	unsigned waiting_count;
	unsigned doing_count;
	uint64_t last_order;
	struct group_task_id heard[HEARD_MAX];
	unsigned heard_at;
};

static const char *const verbs[DLMIRROR_ERRANDS][2] = {
    [DLMIRROR_ERRAND_TELL] = {"config", "tell"},
    [DLMIRROR_ERRAND_SHOW] = {"config", "show"},
    [DLMIRROR_ERRAND_TAKE] = {"config", "take"},
    [DLMIRROR_ERRAND_FORGET] = {"config", "forget"},
    [DLMIRROR_ERRAND_ACTIVATE] = {"activate", ""},
    [DLMIRROR_ERRAND_DEACTIVATE] = {"deactivate", ""},
    [DLMIRROR_ERRAND_DOCTOR] = {"doctor", "--tell"},
};

static uint32_t self(const struct errands *e)
{
	return daemon_node(e->daemon, NULL);
}

static void speak(struct errands *e, const struct group_errand *message)
{
	if (e->daemon->cluster != NULL)
		cluster_send_errand(e->daemon->cluster, message);
	else
		errands_message(e, message);
}

/* ---- what this node does */

static void answer(struct errands *e, struct group_task_id task, uint8_t code, const char *text)
{
	static struct group_errand message; /* large */

	message = (struct group_errand){.from = self(e), .id = task, .done = true, .code = code};
	snprintf(message.text, sizeof(message.text), "%s", text);
	speak(e, &message);
}

static void doing_end(struct errands *e, struct doing *doing, uint8_t code, const char *text)
{
	if (doing->task.node != 0)
		answer(e, doing->task, code, text);
	else
		doing->done(doing->context, code, text);
	free(doing);
}

static void runner_feed(struct errands *e)
{
	struct doing *doing;

	while (e->doing_count < DOING_MAX && (doing = TAILQ_FIRST(&e->waiting)) != NULL) {
		int error = e->runner_fd < 0 ? -EPIPE : runner_send(e->runner_fd, &doing->order);

		TAILQ_REMOVE(&e->waiting, doing, next);
		e->waiting_count--;
		if (error == 0) {
			TAILQ_INSERT_TAIL(&e->doing, doing, next);
			e->doing_count++;
		} else {
			doing_end(e, doing, EXIT_FAILURE, strerror(-error));
		}
	}
}

static struct doing *doing_add(struct errands *e)
{
	struct doing *doing = e->waiting_count < WAITING_MAX ? calloc(1, sizeof(*doing)) : NULL;

	if (doing == NULL)
		return NULL;
	doing->order.id = ++e->last_order;
	TAILQ_INSERT_TAIL(&e->waiting, doing, next);
	e->waiting_count++;
	return doing;
}

static void words_set(struct runner_order *order, const char *const word[RUNNER_WORDS])
{
	unsigned at = 0;

	for (unsigned i = 0; i < RUNNER_WORDS; i++)
		if (word[i] != NULL && word[i][0] != '\0')
			snprintf(order->word[at++], sizeof(order->word[0]), "%s", word[i]);
}

/* A drop of a leg ends when its reload has, which wants something done itself. */
bool errands_crowded(const struct errands *e)
{
	const struct doing *doing;
	unsigned own = 0;

	TAILQ_FOREACH (doing, &e->waiting, next)
		own += doing->task.node == 0;
	TAILQ_FOREACH (doing, &e->doing, next)
		own += doing->task.node == 0;
	return own >= DOING_MAX / 2;
}

int errands_own(struct errands *e, const char *const word[RUNNER_WORDS], const char *text,
		errands_done_fn *done, void *context)
{
	struct doing *doing = e->runner_fd >= 0 ? doing_add(e) : NULL;

	if (doing == NULL)
		return e->runner_fd >= 0 ? -ENOMEM : -EPIPE;
	doing->done = done;
	doing->context = context;
	words_set(&doing->order, word);
	snprintf(doing->order.text, sizeof(doing->order.text), "%s", text);
	runner_feed(e);
	return 0;
}

/* What another node says is no option, and of our verbs. */
static const char *order_refused(const struct group_errand *m)
{
	if (m->what >= DLMIRROR_ERRANDS)
		return "its daemon is too old for that: update it [node-too-old]\n";
	for (unsigned i = 0; i < DLMIRROR_ERRAND_ARGUMENTS; i++)
		if (m->argument[i][0] == '-')
			return "no name begins with a dash [name-invalid]\n";
	return NULL;
}

static void order_take(struct errands *e, const struct group_errand *m)
{
	const char *why = order_refused(m);
	struct doing *doing = why == NULL ? doing_add(e) : NULL;

	if (doing == NULL) {
		answer(e, m->id, EXIT_FAILURE,
		       why != NULL ? why
				   : "too much is being done there: again in a moment [not-now]\n");
		return;
	}
	doing->task = m->id;
	words_set(&doing->order,
		  (const char *const[RUNNER_WORDS]){verbs[m->what][0], verbs[m->what][1],
						    m->argument[0], m->argument[1]});
	snprintf(doing->order.text, sizeof(doing->order.text), "%s", m->text);
	message_log(LOG_INFO, MSG_ERRAND, "for node %" PRIu32 ": %s %s %s", m->from,
		    verbs[m->what][0], verbs[m->what][1], m->argument[0]);
	runner_feed(e);
}

/* A message may come twice, when the ring changed on its way. */
static bool heard_before(struct errands *e, struct group_task_id id)
{
	for (unsigned i = 0; i < HEARD_MAX; i++)
		if (e->heard[i].node == id.node && e->heard[i].number == id.number)
			return true;
	e->heard[e->heard_at++ % HEARD_MAX] = id;
	return false;
}

static bool names_us(const struct errands *e, const struct group_errand *m)
{
	for (uint32_t i = 0; i < m->count; i++)
		if (m->node[i] == self(e))
			return true;
	return false;
}

static struct doing *doing_find(const struct errands *e, uint64_t order)
{
	struct doing *doing;

	TAILQ_FOREACH (doing, &e->doing, next)
		if (doing->order.id == order)
			return doing;
	return NULL;
}

static void runner_answered(struct errands *e, const struct runner_answer *a)
{
	struct doing *doing = doing_find(e, a->id);

	if (doing == NULL)
		return;
	TAILQ_REMOVE(&e->doing, doing, next);
	e->doing_count--;
	doing_end(e, doing, a->code, a->text);
}

static void runner_gone(struct errands *e)
{
	struct doing *doing;

	message_log(LOG_ERR, MSG_RUNNER_GONE,
		    "the process that does errands has ended: another one is started");
	e->gone_ms = clock_ms();
	qb_loop_poll_del(e->daemon->loop, e->runner_fd);
	close(e->runner_fd);
	e->runner_fd = -1;
	while ((doing = TAILQ_FIRST(&e->doing)) != NULL) {
		TAILQ_REMOVE(&e->doing, doing, next);
		e->doing_count--;
		doing_end(e, doing, EXIT_FAILURE, "nobody knows how it ended [node-silent]\n");
	}
}

/* Not at once: what ended it may end the next. */
void errands_tick(struct errands *e)
{
	if (e->runner_fd >= 0 || clock_ms() - e->gone_ms < RUNNER_GAP_MS)
		return;
	e->gone_ms = clock_ms();
	e->runner_fd = runner_start(e->program);
	if (e->runner_fd >= 0 && daemon_listen_errands(e->daemon) != 0) {
		close(e->runner_fd);
		e->runner_fd = -1;
	}
}

void errands_dispatch(struct errands *e)
{
	static struct runner_answer a; /* large */
	int got = 0;

	while (e->runner_fd >= 0 && (got = runner_receive(e->runner_fd, &a)) > 0)
		runner_answered(e, &a);
	if (got < 0)
		runner_gone(e);
	runner_feed(e);
}

/* ---- what others have said to ours */

static void asked_drop(struct errands *e, struct asked *asked)
{
	TAILQ_REMOVE(&e->asked, asked, next);
	e->asked_count--;
	for (uint32_t i = 0; i < asked->count; i++)
		free(asked->node[i].text);
	free(asked);
}

static bool asked_over(const struct asked *asked)
{
	for (uint32_t i = 0; i < asked->count; i++)
		if (!asked->node[i].done && !asked->node[i].left)
			return false;
	return true;
}

/* The oldest make room, those that are over first of all. */
static struct asked *asked_add(struct errands *e)
{
	struct asked *asked = TAILQ_FIRST(&e->asked);

	while (asked != NULL && clock_ms() - asked->begun_ms > ASKED_MS) {
		asked_drop(e, asked);
		asked = TAILQ_FIRST(&e->asked);
	}
	while (asked != NULL && e->asked_count >= ASKED_MAX && !asked_over(asked))
		asked = TAILQ_NEXT(asked, next);
	if (e->asked_count >= ASKED_MAX) {
		if (asked == NULL)
			return NULL;
		asked_drop(e, asked);
	}
	asked = calloc(1, sizeof(*asked));
	if (asked == NULL)
		return NULL;
	asked->begun_ms = clock_ms();
	TAILQ_INSERT_TAIL(&e->asked, asked, next);
	e->asked_count++;
	return asked;
}

static struct asked *asked_find(const struct errands *e, uint64_t number)
{
	struct asked *asked;

	TAILQ_FOREACH (asked, &e->asked, next)
		if (asked->number == number)
			return asked;
	return NULL;
}

static void answer_take(struct errands *e, const struct group_errand *m)
{
	struct asked *asked = m->id.node == self(e) ? asked_find(e, m->id.number) : NULL;

	for (uint32_t i = 0; asked != NULL && i < asked->count; i++) {
		if (asked->node[i].node != m->from || asked->node[i].done)
			continue;
		asked->node[i].done = true;
		asked->node[i].code = m->code;
		asked->node[i].text = strdup(m->text);
	}
}

void errands_message(struct errands *e, const struct group_errand *m)
{
	if (m->done)
		answer_take(e, m);
	else if (names_us(e, m) && !heard_before(e, m->id))
		order_take(e, m);
}

static bool contains(const uint32_t *node, uint32_t count, uint32_t wanted)
{
	for (uint32_t i = 0; i < count; i++)
		if (node[i] == wanted)
			return true;
	return false;
}

/* Without quorum no message gets through. */
void errands_view(struct errands *e, const uint32_t *node, uint32_t count, bool quorate)
{
	struct asked *asked;

	TAILQ_FOREACH (asked, &e->asked, next)
		for (uint32_t i = 0; i < asked->count; i++)
			if (!quorate || !contains(node, count, asked->node[i].node))
				asked->node[i].left = true;
}

static int order_by_node(const void *a, const void *b)
{
	const uint32_t *x = a;
	const uint32_t *y = b;

	return (*x > *y) - (*x < *y);
}

/* Sorted, each once. */
static uint32_t nodes_tidy(uint32_t *node, uint32_t count)
{
	uint32_t kept = 0;

	qsort(node, count, sizeof(*node), order_by_node);
	for (uint32_t i = 0; i < count; i++)
		if (kept == 0 || node[kept - 1] != node[i])
			node[kept++] = node[i];
	return kept;
}

/* Why the nodes that message names cannot be asked now; else they are in order. */
static int nodes_check(const struct errands *e, struct group_errand *message, char *text,
		       size_t size)
{
	const uint32_t alone = self(e);
	const uint32_t *view = &alone;
	uint32_t count = 1;
	bool quorate = true;

	if (e->daemon->cluster != NULL)
		count = cluster_view(e->daemon->cluster, &view, &quorate);
	if (!quorate) {
		message_make(text, size, MSG_QUORUM_LOST,
			     "there is no quorum: start or fence the missing nodes");
		return -EAGAIN;
	}
	if (e->daemon->cluster != NULL &&
	    cluster_version(e->daemon->cluster) < GROUP_ERRAND_VERSION) {
		message_make(
		    text, size, MSG_NODE_TOO_OLD,
		    "a node of the cluster has an older dlmirrord that cannot do this: update "
		    "it");
		return -EBUSY;
	}
	if (message->count == 0) {
		message->count = count;
		memcpy(message->node, view, count * sizeof(*view));
	}
	message->count = nodes_tidy(message->node, message->count);
	for (uint32_t i = 0; i < message->count; i++) {
		if (contains(view, count, message->node[i]))
			continue;
		message_make(text, size, MSG_NO_SUCH_NODE,
			     "node %" PRIu32
			     " has no daemon in the group; dlmirror daemon status lists "
			     "those that have",
			     message->node[i]);
		return -EINVAL;
	}
	return 0;
}

int errands_begin(struct errands *e, const struct group_errand *wish, uint64_t *ret_id,
		  uint32_t *ret_count, char *text, size_t size)
{
	static struct group_errand message; /* large */
	struct asked *asked;
	int error;

	message = *wish;
	error = nodes_check(e, &message, text, size);
	if (error != 0)
		return error;
	message.done = false;
	message.code = 0;
	message.from = self(e);
	message.id =
	    (struct group_task_id){.node = message.from, .number = ++e->daemon->incarnation};
	asked = asked_add(e);
	if (asked == NULL) {
		message_make(text, size, MSG_NOT_NOW,
			     "too many errands are under way: again in a moment");
		return -EBUSY;
	}
	asked->number = message.id.number;
	asked->count = message.count;
	for (uint32_t i = 0; i < message.count; i++)
		asked->node[i].node = message.node[i];
	*ret_id = message.id.number;
	*ret_count = message.count;
	speak(e, &message);
	return 0;
}

int errands_result(const struct errands *e, uint64_t id, uint32_t index,
		   struct dlmirror_errand_result *ret)
{
	const struct asked *asked = asked_find(e, id);

	if (asked == NULL || index >= asked->count)
		return -ENOENT;
	ret->node = asked->node[index].node;
	ret->done = asked->node[index].done;
	ret->left = asked->node[index].left;
	ret->code = asked->node[index].code;
	snprintf(ret->text, sizeof(ret->text), "%s",
		 asked->node[index].text != NULL ? asked->node[index].text : "");
	return 0;
}

/* ---- life */

int errands_fd(const struct errands *e)
{
	return e->runner_fd;
}

/* The command lies beside the daemon. */
static void program_find(const char *daemon, char *ret, size_t size)
{
	const char *slash = strrchr(daemon, '/');

	snprintf(ret, size, "%.*s/dlmirror", slash != NULL ? (int)(slash - daemon) : 1,
		 slash != NULL ? daemon : ".");
}

int errands_create(struct daemon *d, struct errands **ret)
{
	struct errands *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return -ENOMEM;
	e->daemon = d;
	TAILQ_INIT(&e->asked);
	TAILQ_INIT(&e->waiting);
	TAILQ_INIT(&e->doing);
	program_find(d->program, e->program, sizeof(e->program));
	e->runner_fd = runner_start(e->program);
	if (e->runner_fd < 0) {
		int error = e->runner_fd;

		free(e);
		return error;
	}
	*ret = e;
	return 0;
}

static void doing_list_free(struct doing_list *list)
{
	struct doing *doing;

	while ((doing = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, doing, next);
		free(doing);
	}
}

struct errands *errands_destroy(struct errands *e)
{
	if (e == NULL)
		return NULL;
	while (!TAILQ_EMPTY(&e->asked))
		asked_drop(e, TAILQ_FIRST(&e->asked));
	doing_list_free(&e->waiting);
	doing_list_free(&e->doing);
	if (e->runner_fd >= 0)
		close(e->runner_fd);
	free(e);
	return NULL;
}
