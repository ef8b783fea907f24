// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libdlmirror: one request, one reply, over libqb. It owns the connection and the sentence about
 * the last failure, and it waits for nothing longer than the time-out, also when the daemon is
 * stopped.
 *
 * A connection on which a reply failed to come is closed: the reply might still come, and would be
 * taken for the answer to the next request.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <qb/qbipcc.h>

#include "codec/admin.h"
#include "dlmirror/dlmirror.h"

#define TIMEOUT_MS     10000
#define TIMEOUT_MAX_MS 600000
#define SLICE_MS       200 /* how late a daemon's death is noticed */
#define LIST_ATTEMPTS  5U  /* when mirrors come and go meanwhile */
#define LIST_MIRRORS   65536U
#define LIST_EVENTS    65536U

struct dlmirror {
	qb_ipcc_connection_t *ipc; /* NULL: not connected */
	int watch_fd;		   /* -1: not watching */
	int daemon_fd;		   /* the same; readable once the daemon's process has ended */
	int timeout_ms;
	char error[2 * ADMIN_TEXT_SIZE];
	uint8_t reply[ADMIN_REPLY_MAX];
};

static const char no_daemon[] = "no daemon answers on this host; start dlmirrord";

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Returns error, so that it can be the end of the caller. */
static int __attribute__((format(printf, 3, 4)))
fail(struct dlmirror *d, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(d->error, sizeof(d->error), format, args);
	va_end(args);
	return error;
}

const char *dlmirror_error(const struct dlmirror *d)
{
	return d ? d->error : "no memory";
}

static int timeout_wanted(void)
{
	const char *text = getenv("DLMIRROR_TIMEOUT_MS");
	long value = text ? strtol(text, NULL, 10) : 0;

	return value > 0 && value <= TIMEOUT_MAX_MS ? (int)value : TIMEOUT_MS;
}

static int fail_timeout(struct dlmirror *d)
{
	return fail(d, -ETIMEDOUT,
		    "the daemon did not answer within %g seconds; if that goes on, it is stuck: "
		    "look at its log, its watchdog will restart it",
		    d->timeout_ms / 1000.0);
}

static int fail_connect(struct dlmirror *d, int error)
{
	switch (error) {
	case -EACCES:
	case -EPERM:
		return fail(d, -EACCES,
			    "permission denied; be root, or a member of the daemon's admin_group "
			    "(dlmirror.conf)");
	case -ENOMEM:
	case -EMFILE:
	case -ENFILE:
		return fail(d, error, "cannot connect to the daemon: %s", strerror(-error));
	case -EAGAIN: /* so many wait already that this one could not even queue */
	case -ETIMEDOUT:
		return fail_timeout(d);
	default:
		return fail(d, -ENOTCONN, "%s", no_daemon);
	}
}

/* Anybody can listen under the daemon's name while there is no daemon. */
static int daemon_check(struct dlmirror *d)
{
	pid_t pid;
	uid_t uid;
	gid_t gid;
	int result = qb_ipcc_auth_get(d->ipc, &pid, &uid, &gid);

	if (result == 0 && (uid == 0 || uid == geteuid()))
		return 0;
	qb_ipcc_disconnect(d->ipc);
	d->ipc = NULL;
	return fail(d, -ENOTCONN, "what answers under the name of the daemon does not run as root");
}

static int connection_open(struct dlmirror *d)
{
	struct pollfd setup = {.fd = -1, .events = POLLIN};
	qb_ipcc_connection_t *ipc;
	int ready;
	int result;

	errno = 0;
	ipc = qb_ipcc_connect_async(ADMIN_SERVICE, ADMIN_REPLY_MAX, &setup.fd);
	if (!ipc)
		return fail_connect(d, errno ? -errno : -ENOMEM);
	ready = poll(&setup, 1, d->timeout_ms);
	/* libqb has no way to give up; with the socket shut it finds that out by itself. */
	if (ready <= 0)
		(void)shutdown(setup.fd, SHUT_RDWR);
	result = qb_ipcc_connect_continue(ipc); /* frees it when it fails */
	if (ready <= 0)
		return fail_timeout(d);
	if (result != 0)
		return fail_connect(d, result);
	d->ipc = ipc;
	return daemon_check(d);
}

int dlmirror_connect(struct dlmirror **ret)
{
	struct dlmirror *d = calloc(1, sizeof(*d));

	*ret = d;
	if (!d)
		return -ENOMEM;
	d->watch_fd = -1;
	d->daemon_fd = -1;
	d->timeout_ms = timeout_wanted();
	return connection_open(d);
}

static void connection_close(struct dlmirror *d)
{
	if (d->ipc)
		qb_ipcc_disconnect(d->ipc);
	d->ipc = NULL;
}

static void watch_close(struct dlmirror *d)
{
	if (d->watch_fd >= 0)
		close(d->watch_fd);
	if (d->daemon_fd >= 0)
		close(d->daemon_fd);
	d->watch_fd = -1;
	d->daemon_fd = -1;
}

void dlmirror_free(struct dlmirror *d)
{
	if (!d)
		return;
	connection_close(d);
	watch_close(d);
	free(d);
}

/* The size of the reply, or a negative errno. In slices, because only between two of them libqb
 * looks whether the daemon is still there. */
static ssize_t reply_wait(struct dlmirror *d)
{
	int64_t end = now_ms() + d->timeout_ms;
	ssize_t size;

	do {
		size = qb_ipcc_recv(d->ipc, d->reply, sizeof(d->reply), SLICE_MS);
	} while ((size == -ETIMEDOUT || size == -EAGAIN) && now_ms() < end);
	return size;
}

static int fail_lost(struct dlmirror *d, ssize_t error)
{
	connection_close(d);
	if (error == -ETIMEDOUT || error == -EAGAIN)
		return fail_timeout(d);
	return fail(d, -ENOTCONN, "the connection to the daemon was lost; it stopped or restarts");
}

/* What the daemon says, or when it says nothing, a sentence for the error. */
static int fail_reply(struct dlmirror *d, const struct admin_request *request,
		      const struct admin_reply *reply)
{
	if (reply->text[0])
		return fail(d, reply->error, "%s", reply->text);
	if (reply->error == -ENOENT)
		return fail(d, reply->error,
			    "the daemon knows no mirror %s; dlmirror list shows those it knows",
			    request->mirror);
	return fail(d, reply->error, "the daemon says: %s", strerror(-reply->error));
}

/* Between two updates a daemon may have another form of it, and know less than it is asked for. */
static int fail_body(struct dlmirror *d)
{
	return fail(d, -EPROTO,
		    "the daemon's answer makes no sense; after an update, run dlmirror daemon "
		    "restart");
}

static int call(struct dlmirror *d, const struct admin_request *request, struct admin_reply *ret)
{
	uint8_t message[ADMIN_REQUEST_MAX];
	size_t size = admin_request_encode(request, message, sizeof(message));
	ssize_t got;
	int result;

	if (size == 0)
		return fail(d, -EINVAL, "the request is too long");
	if (!d->ipc)
		return fail(d, -ENOTCONN, "%s", no_daemon);
	got = qb_ipcc_send(d->ipc, message, size);
	if (got != (ssize_t)size)
		return fail_lost(d, got < 0 ? got : -EPROTO);
	got = reply_wait(d);
	if (got < 0)
		return fail_lost(d, got);
	result = admin_reply_decode(d->reply, (size_t)got, request->kind, ret);
	if (result == -EPROTONOSUPPORT)
		return fail(d, -EPROTO,
			    "the daemon speaks another version of the protocol than this library "
			    "(%u); after an update, run dlmirror daemon restart",
			    ADMIN_VERSION);
	if (result != 0)
		return fail_body(d);
	if (ret->error != 0)
		return fail_reply(d, request, ret);
	d->error[0] = '\0';
	return 0;
}

/* With the name of the mirror that it is about. */
static int named_call(struct dlmirror *d, struct admin_request *request, const char *mirror,
		      struct admin_reply *ret)
{
	size_t length = strlen(mirror);

	if (length == 0 || length >= sizeof(request->mirror))
		return fail(d, -ENOENT, "no mirror can have the name \"%.20s%s\"", mirror,
			    length > 20 ? "..." : "");
	memcpy(request->mirror, mirror, length + 1);
	return call(d, request, ret);
}

/* A request about one mirror. */
static int mirror_call(struct dlmirror *d, enum admin_kind kind, const char *mirror,
		       struct admin_reply *ret)
{
	struct admin_request request = {.kind = kind};

	return named_call(d, &request, mirror, ret);
}

int dlmirror_get(struct dlmirror *d, const char *mirror, struct dlmirror_mirror *ret)
{
	struct admin_reply reply;
	int result = mirror_call(d, ADMIN_GET, mirror, &reply);

	if (result != 0)
		return result;
	return admin_reply_mirror(&reply, ret) == 0 ? 0 : fail_body(d);
}

int dlmirror_counters(struct dlmirror *d, const char *mirror, struct dlmirror_counters *ret)
{
	struct admin_reply reply;
	int result = mirror_call(d, ADMIN_COUNTERS, mirror, &reply);

	if (result != 0)
		return result;
	return admin_reply_counters(&reply, ret) == 0 ? 0 : fail_body(d);
}

int dlmirror_heat(struct dlmirror *d, const char *mirror, struct dlmirror_heat *ret)
{
	struct admin_reply reply;
	int result = mirror_call(d, ADMIN_HEAT, mirror, &reply);

	if (result != 0)
		return result;
	return admin_reply_heat(&reply, ret) == 0 ? 0 : fail_body(d);
}

/* A request about one mirror that has a rate. */
static int rate_call(struct dlmirror *d, const char *mirror, struct admin_request request)
{
	struct admin_reply reply;

	return named_call(d, &request, mirror, &reply);
}

int dlmirror_verify_rate(struct dlmirror *d, const char *mirror, bool repair, uint64_t bytes_s)
{
	return rate_call(
	    d, mirror,
	    (struct admin_request){.kind = ADMIN_VERIFY, .repair = repair, .rate = bytes_s});
}

int dlmirror_verify(struct dlmirror *d, const char *mirror, bool repair)
{
	return dlmirror_verify_rate(d, mirror, repair, 0);
}

int dlmirror_resync_rate(struct dlmirror *d, const char *mirror, uint64_t bytes_s)
{
	return rate_call(d, mirror, (struct admin_request){.kind = ADMIN_RATE, .rate = bytes_s});
}

int dlmirror_verify_stop(struct dlmirror *d, const char *mirror)
{
	struct admin_reply reply;

	return mirror_call(d, ADMIN_VERIFY_STOP, mirror, &reply);
}

int dlmirror_suspend(struct dlmirror *d, const char *mirror)
{
	struct admin_reply reply;

	return mirror_call(d, ADMIN_SUSPEND, mirror, &reply);
}

int dlmirror_resume(struct dlmirror *d, const char *mirror)
{
	struct admin_reply reply;

	return mirror_call(d, ADMIN_RESUME, mirror, &reply);
}

int dlmirror_log_retry(struct dlmirror *d, const char *mirror)
{
	struct admin_reply reply;

	return mirror_call(d, ADMIN_LOG_RETRY, mirror, &reply);
}

int dlmirror_reload(struct dlmirror *d, const char *mirror, const struct dlmirror_plan *plan,
		    uint32_t timeout_s)
{
	struct admin_request request = {
	    .kind = ADMIN_RELOAD, .plan = *plan, .timeout_s = timeout_s};
	struct admin_reply reply;

	if (plan->from_legs > DLMIRROR_LEGS_MAX || plan->to_legs > DLMIRROR_LEGS_MAX)
		return fail(d, -EINVAL, "a mirror has at most %d legs", DLMIRROR_LEGS_MAX);
	return named_call(d, &request, mirror, &reply);
}

int dlmirror_log_replace(struct dlmirror *d, const char *mirror, const char *device,
			 uint32_t timeout_s)
{
	struct admin_request request = {.kind = ADMIN_LOG_REPLACE, .timeout_s = timeout_s};
	struct admin_reply reply;

	if (strlen(device) >= sizeof(request.device))
		return fail(d, -EINVAL, "the path is too long: %.32s...", device);
	strcpy(request.device, device);
	return named_call(d, &request, mirror, &reply);
}

/* The next piece of a map: whole cells, or where one is larger than a piece may be, a part of it.
 */
struct piece {
	uint64_t region;
	uint64_t per_cell;
	uint32_t cell; /* index of the first */
	uint32_t cells;
};

static struct piece piece_at(uint64_t first, uint64_t per_cell, uint32_t cells, uint64_t done)
{
	uint64_t left = per_cell - done % per_cell;
	struct piece piece = {.region = first + done,
			      .per_cell = left,
			      .cell = (uint32_t)(done / per_cell),
			      .cells = 1};

	if (per_cell > ADMIN_MAP_REGIONS) {
		if (left > ADMIN_MAP_REGIONS)
			piece.per_cell = ADMIN_MAP_REGIONS;
		return piece;
	}
	piece.cells = cells - piece.cell;
	if (piece.cells > ADMIN_MAP_CELLS)
		piece.cells = ADMIN_MAP_CELLS;
	if (piece.cells > ADMIN_MAP_REGIONS / per_cell)
		piece.cells = (uint32_t)(ADMIN_MAP_REGIONS / per_cell);
	return piece;
}

static int piece_read(struct dlmirror *d, const char *mirror, const struct piece *piece,
		      struct dlmirror_cell *cells, struct dlmirror_map *ret)
{
	struct admin_request request = {.kind = ADMIN_MAP,
					.first = piece->region,
					.per_cell = piece->per_cell,
					.cells = piece->cells};
	struct dlmirror_cell got[ADMIN_MAP_CELLS];
	struct admin_reply reply;
	uint32_t count;
	int result = named_call(d, &request, mirror, &reply);

	if (result != 0)
		return result;
	if (admin_reply_map(&reply, ret, got, &count) != 0 || count != piece->cells)
		return fail_body(d);
	for (uint32_t i = 0; i < count; i++)
		for (unsigned state = 0; state < DLMIRROR_REGIONS; state++)
			cells[piece->cell + i].count[state] += got[i].count[state];
	return 0;
}

int dlmirror_map(struct dlmirror *d, const char *mirror, uint64_t first, uint64_t per_cell,
		 uint32_t cells, struct dlmirror_cell *ret_cells, struct dlmirror_map *ret)
{
	struct dlmirror_map map = {0};
	uint64_t regions = 0;
	uint64_t done = 0;
	int result;

	if (cells == 0 || cells > DLMIRROR_CELLS_MAX || per_cell == 0 ||
	    per_cell > (UINT64_MAX - first) / cells)
		return fail(d, -EINVAL, "a map has 1 to %d cells of at least one region each",
			    DLMIRROR_CELLS_MAX);
	memset(ret_cells, 0, cells * sizeof(*ret_cells));
	do {
		struct piece piece = piece_at(first, per_cell, cells, done);

		result = piece_read(d, mirror, &piece, ret_cells, &map);
		if (result != 0)
			return result;
		if (done > 0 && map.region_count != regions)
			return fail(d, -EAGAIN, "%s was given another size meanwhile", mirror);
		regions = map.region_count;
		done += piece.per_cell * piece.cells;
	} while (done < per_cell * cells && first + done < regions);
	*ret = map;
	return 0;
}

int dlmirror_reload_status(struct dlmirror *d, const char *mirror, struct dlmirror_reload *ret)
{
	struct admin_reply reply;
	int result = mirror_call(d, ADMIN_RELOAD_STATUS, mirror, &reply);

	if (result != 0)
		return result;
	return admin_reply_reload(&reply, ret) == 0 ? 0 : fail_body(d);
}

/* Too long is refused, not cut: another name would be another mirror. */
static bool text_copy(char *ret, size_t size, const char *text)
{
	size_t length = text ? strlen(text) : 0;

	if (length >= size)
		return false;
	memcpy(ret, text ? text : "", length);
	return true;
}

int dlmirror_errand(struct dlmirror *d, enum dlmirror_errand what, const uint32_t *node,
		    uint32_t count, const char *const argument[DLMIRROR_ERRAND_ARGUMENTS],
		    const char *text, uint64_t *ret_id, uint32_t *ret_count)
{
	struct admin_request request = {.kind = ADMIN_ERRAND,
					.errand = {.what = what, .count = count}};
	struct group_errand *errand = &request.errand;
	struct admin_reply reply;
	bool fits = count <= DLMIRROR_VIEW_MAX;
	int result;

	if (fits && count > 0)
		memcpy(errand->node, node, count * sizeof(*node));
	for (unsigned i = 0; argument && i < DLMIRROR_ERRAND_ARGUMENTS; i++)
		fits = fits &&
		       text_copy(errand->argument[i], sizeof(errand->argument[i]), argument[i]);
	if (!fits || !text_copy(errand->text, sizeof(errand->text), text))
		return fail(d, -EINVAL, "the arguments are too long");
	result = call(d, &request, &reply);
	if (result != 0)
		return result;
	return admin_reply_errand(&reply, ret_id, ret_count) == 0 ? 0 : fail_body(d);
}

int dlmirror_errand_result(struct dlmirror *d, uint64_t id, uint32_t index,
			   struct dlmirror_errand_result *ret)
{
	struct admin_request request = {
	    .kind = ADMIN_ERRAND_RESULT, .errand_id = id, .index = index};
	struct admin_reply reply;
	int result = call(d, &request, &reply);

	if (result != 0)
		return result;
	return admin_reply_errand_result(&reply, ret) == 0 ? 0 : fail_body(d);
}

int dlmirror_daemon(struct dlmirror *d, struct dlmirror_daemon *ret)
{
	struct admin_request request = {.kind = ADMIN_DAEMON};
	struct admin_reply reply;
	int result = call(d, &request, &reply);

	if (result != 0)
		return result;
	return admin_reply_daemon(&reply, ret) == 0 ? 0 : fail_body(d);
}

int dlmirror_daemon_command(struct dlmirror *d, enum dlmirror_daemon_command command,
			    const char *argument, char *text, size_t size)
{
	struct admin_request request = {.kind = ADMIN_COMMAND, .command = command};
	struct admin_reply reply;
	int result;

	if (argument && strlen(argument) >= sizeof(request.argument))
		return fail(d, -EINVAL, "the argument is too long: at most %zu characters",
			    sizeof(request.argument) - 1);
	if (argument)
		strcpy(request.argument, argument);
	result = call(d, &request, &reply);
	if (result == 0 && text && size > 0)
		(void)snprintf(text, size, "%s", reply.text);
	return result;
}

/* The list as it grows page by page. */
struct list {
	struct dlmirror_mirror *mirror;
	size_t count;
	uint64_t total; /* as the first page said */
};

static int list_add(struct dlmirror *d, struct list *list, struct admin_reply *reply)
{
	struct dlmirror_mirror *grown;
	uint32_t i;
	uint32_t count = reply->count;

	if (list->count + count > LIST_MIRRORS)
		return fail_body(d);
	grown = realloc(list->mirror, (list->count + count) * sizeof(*grown));
	if (!grown)
		return fail(d, -ENOMEM, "no memory for %zu mirrors", list->count + count);
	list->mirror = grown;
	for (i = 0; i < count; i++)
		if (admin_reply_mirror(reply, &list->mirror[list->count++]) != 0)
			return fail_body(d);
	return 0;
}

/* -EAGAIN: mirrors came or went between two pages. */
static int list_read(struct dlmirror *d, struct list *list)
{
	struct admin_request request = {.kind = ADMIN_LIST};
	struct admin_reply reply;
	int result;

	do {
		request.first = list->count;
		result = call(d, &request, &reply);
		if (result != 0)
			return result;
		if (list->count == 0)
			list->total = reply.total;
		if (reply.total != list->total || (reply.count == 0 && list->count < list->total))
			return fail(d, -EAGAIN, "mirrors come and go while they are listed");
		if (reply.first != request.first)
			return fail_body(d);
		if (reply.count > 0)
			result = list_add(d, list, &reply);
	} while (result == 0 && list->count < list->total);
	return result;
}

static int compare_mirrors(const void *left, const void *right)
{
	const struct dlmirror_mirror *a = left;
	const struct dlmirror_mirror *b = right;
	int order = strcmp(a->name, b->name);

	if (order == 0)
		order = strcmp(a->uuid, b->uuid);
	if (order == 0)
		order = (a->luid > b->luid) - (a->luid < b->luid);
	return order;
}

int dlmirror_list(struct dlmirror *d, struct dlmirror_mirror **ret, size_t *ret_count)
{
	struct list list = {0};
	unsigned attempt;
	int result = -EAGAIN;

	for (attempt = 0; attempt < LIST_ATTEMPTS && result == -EAGAIN; attempt++) {
		list.count = 0;
		result = list_read(d, &list);
	}
	if (result == 0 && !list.mirror) {
		list.mirror = calloc(1, sizeof(*list.mirror)); /* something to free() */
		if (!list.mirror)
			result = fail(d, -ENOMEM, "no memory");
	}
	if (result != 0) {
		free(list.mirror);
		return result;
	}
	qsort(list.mirror, list.count, sizeof(*list.mirror), compare_mirrors);
	*ret = list.mirror;
	*ret_count = list.count;
	return 0;
}

/* Events as they grow page by page, and the place of the last. */
struct events {
	struct dlmirror_event *event;
	size_t count;
	struct dlmirror_position position;
};

static void lost_add(struct events *events, uint64_t time_ms, uint64_t lost)
{
	struct dlmirror_event *event = &events->event[events->count++];

	*event =
	    (struct dlmirror_event){.time_ms = time_ms, .value = lost, .id = DLMIRROR_EVENT_LOST};
	if (lost > 0)
		(void)snprintf(event->text, sizeof(event->text),
			       "%" PRIu64 " events are missing here: more happened than the daemon "
			       "remembers, its log has them",
			       lost);
	else
		(void)snprintf(event->text, sizeof(event->text),
			       "the daemon's record has begun anew: what happened before may be "
			       "missing, its log has it");
}

static int page_add(struct dlmirror *d, struct events *events, const struct admin_events *page)
{
	struct dlmirror_position *at = &events->position;
	bool known = at->record == page->record;
	struct dlmirror_event *grown;

	if (events->count + 2 * (size_t)page->count + 1 > LIST_EVENTS)
		return fail_body(d);
	grown =
	    realloc(events->event, (events->count + 2 * (size_t)page->count + 1) * sizeof(*grown));
	if (!grown)
		return fail(d, -ENOMEM, "no memory for %zu events", events->count + page->count);
	events->event = grown;
	if (!known && at->record != 0)
		lost_add(events, page->count > 0 ? page->event[0].time_ms : 0, 0);
	if (!known)
		*at = (struct dlmirror_position){.record = page->record};
	for (uint32_t i = 0; i < page->count; i++) {
		const struct dlmirror_event *event = &page->event[i];

		/* What the daemon had forgotten before we came is not missed. */
		if ((known || i > 0) && event->seq > at->seq + 1)
			lost_add(events, event->time_ms, event->seq - at->seq - 1);
		grown[events->count++] = *event;
		at->seq = event->seq;
	}
	return 0;
}

/* What has been told so far; more is told only once events have been asked for again. */
static void news_take(struct dlmirror *d)
{
	uint8_t news[ADMIN_REPLY_ENVELOPE];

	while (d->ipc && qb_ipcc_event_recv(d->ipc, news, sizeof(news), 0) > 0)
		;
}

static int events_read(struct dlmirror *d, struct events *events)
{
	struct admin_request request = {.kind = ADMIN_EVENTS};
	struct admin_events *page = malloc(sizeof(*page)); /* large */
	struct admin_reply reply;
	uint64_t until = 0;
	int result = 0;

	if (!page)
		return fail(d, -ENOMEM, "no memory for events");
	do {
		request.position = events->position;
		result = call(d, &request, &reply);
		if (result == 0 && admin_reply_events(&reply, page) != 0)
			result = fail_body(d);
		if (result == 0)
			result = page_add(d, events, page);
		/* What happens while they are read is for the next time. */
		if (result == 0 && until == 0)
			until = page->newest;
	} while (result == 0 && page->count > 0 && events->position.seq < until);
	free(page);
	return result;
}

int dlmirror_events(struct dlmirror *d, struct dlmirror_position *position,
		    struct dlmirror_event **ret, size_t *ret_count)
{
	struct events events = {.position = *position};
	int result;

	if (d->watch_fd >= 0)
		news_take(d);
	result = events_read(d, &events);
	if (result != 0) {
		free(events.event);
		return result;
	}
	*position = events.position;
	*ret = events.event;
	*ret_count = events.count;
	return 0;
}

static int watch_add(int watch_fd, int fd)
{
	struct epoll_event wish = {.events = EPOLLIN};

	return epoll_ctl(watch_fd, EPOLL_CTL_ADD, fd, &wish) == 0 ? 0 : -errno;
}

/* libqb's descriptor tells of events, but not of the end of a daemon that could not say so. */
static int watch_open(struct dlmirror *d)
{
	int news_fd = -1;
	pid_t pid;
	uid_t uid;
	gid_t gid;
	int result;

	result = qb_ipcc_fd_get(d->ipc, &news_fd);
	if (result == 0)
		result = qb_ipcc_auth_get(d->ipc, &pid, &uid, &gid);
	if (result != 0)
		return result;
	d->watch_fd = epoll_create1(EPOLL_CLOEXEC);
	if (d->watch_fd < 0)
		return -errno;
	d->daemon_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (d->daemon_fd < 0)
		return -errno;
	result = watch_add(d->watch_fd, news_fd);
	return result == 0 ? watch_add(d->watch_fd, d->daemon_fd) : result;
}

int dlmirror_watch(struct dlmirror *d, int *ret_fd)
{
	struct admin_request request = {.kind = ADMIN_WATCH};
	struct admin_reply reply;
	int result;

	*ret_fd = d->watch_fd;
	if (d->watch_fd >= 0)
		return 0;
	if (!d->ipc)
		return fail(d, -ENOTCONN, "%s", no_daemon);
	result = watch_open(d);
	if (result != 0) {
		watch_close(d);
		if (result == -ESRCH)
			return fail(d, -ENOTCONN, "%s", no_daemon);
		return fail(d, result, "cannot watch the daemon: %s", strerror(-result));
	}
	/* It also shows that the process of that number is the daemon still. */
	result = call(d, &request, &reply);
	if (result == 0)
		*ret_fd = d->watch_fd;
	else
		watch_close(d);
	return result;
}
