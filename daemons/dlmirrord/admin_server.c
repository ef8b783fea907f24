// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Admin server: who may ask, and one reply to each request. It owns the sockets of the service and
 * knows nothing about mirrors; what the daemon says comes from the source.
 *
 * libqb does the transport. What it leaves open is closed here, in on_event(), which stands between
 * the loop and libqb: it looks at what waits in a socket before libqb reads it.
 *	- libqb allocates what a client asks for before it knows who asks: the size is limited;
 *	- libqb takes the size of a datagram from the datagram: a longer one than fits is not
 *	  let in;
 *	- request sockets have no permissions, so anybody could send to one while its owner is
 *	  connected: the sender's uid must be the uid that was let in;
 *	- strangers may hold a few descriptors only, so that they cannot use up ours.
 * Group membership is what the kernel says of the connected socket: no user database is asked,
 * which might wait for a disk that waits for this daemon.
 *
 * libqb's hooks into the loop have no context, therefore there is one server in a process.
 */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <qb/qbipcs.h>

#include "base/cursor.h"
#include "codec/admin.h"
#include "daemons/common/message.h"
#include "daemons/dlmirrord/admin.h"

#define WATCHES_MAX	  128U /* descriptors: two for each client, one for each that still asks */
#define STRANGERS_MAX	  8U   /* of those that still ask and will be refused */
#define GROUPS_MAX	  65536U
#define CONNECT_SIZE	  24U /* libqb's connection request: its envelope and the wanted size */
#define CONNECT_SIZE_AT	  16U
#define CONNECT_ASK_LIMIT (4U * ADMIN_REPLY_MAX)

_Static_assert(sizeof(struct qb_ipc_request_header) == ADMIN_REQUEST_ENVELOPE, "libqb's envelope");
_Static_assert(sizeof(struct qb_ipc_response_header) == ADMIN_REPLY_ENVELOPE, "libqb's envelope");
_Static_assert(offsetof(struct qb_ipc_request_header, size) == 8, "libqb's envelope");
_Static_assert(offsetof(struct qb_ipc_response_header, size) == 8, "libqb's envelope");

enum watch_kind {
	WATCH_UNUSED,
	WATCH_LISTEN,  /* new connections */
	WATCH_CONNECT, /* a connection that still asks to be let in */
	WATCH_ALIVE,   /* the same, let in: tells when the client goes */
	WATCH_REQUEST, /* datagrams of a client */
};

/* A descriptor that libqb wants to be told about. */
struct watch {
	enum watch_kind kind;
	bool stranger; /* WATCH_CONNECT: will be refused */
	int fd;
	uid_t uid; /* WATCH_REQUEST: who was let in */
	qb_ipcs_dispatch_fn_t dispatch;
	void *data;
};

/* A client that was let in: libqb's context of its connection. */
struct client {
	int alive_fd; /* tells when it goes */
	bool watching;
	bool to_be_told; /* of the next event: it watches, and has asked for those until now */
};

struct admin_server {
	qb_loop_t *loop;
	qb_ipcs_service_t *service;
	struct admin_source source;
	bool has_group;
	gid_t group;
	struct watch watch[WATCHES_MAX];
	int connecting_fd;    /* while libqb handles a WATCH_CONNECT, else -1 */
	uid_t connecting_uid; /* once it was let in */
	size_t request_size;  /* of the datagram that libqb handles now */
	char text[ADMIN_TEXT_SIZE];
	uint8_t reply[ADMIN_REPLY_MAX];
};

static struct admin_server *the_server;

static struct watch *watch_find(struct admin_server *server, int fd)
{
	size_t i;

	for (i = 0; i < WATCHES_MAX; i++)
		if (server->watch[i].kind != WATCH_UNUSED && server->watch[i].fd == fd)
			return &server->watch[i];
	return NULL;
}

static struct watch *watch_unused(struct admin_server *server)
{
	size_t i;

	for (i = 0; i < WATCHES_MAX; i++)
		if (server->watch[i].kind == WATCH_UNUSED)
			return &server->watch[i];
	return NULL;
}

static unsigned strangers(const struct admin_server *server)
{
	unsigned count = 0;
	size_t i;

	for (i = 0; i < WATCHES_MAX; i++)
		count += server->watch[i].kind == WATCH_CONNECT && server->watch[i].stranger;
	return count;
}

/* Is the administrators' group among the supplementary groups of the peer of fd? */
static bool peer_in_group(int fd, gid_t group)
{
	socklen_t size = 0;
	gid_t *groups;
	bool found = false;
	size_t i;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0 || errno != ERANGE ||
	    size > GROUPS_MAX * sizeof(*groups))
		return false;
	groups = malloc(size);
	if (groups && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0)
		for (i = 0; i < size / sizeof(*groups) && !found; i++)
			found = groups[i] == group;
	free(groups);
	return found;
}

static bool may_ask(const struct admin_server *server, int fd, uid_t uid, gid_t gid)
{
	if (uid == 0)
		return true;
	return server->has_group && (gid == server->group || peer_in_group(fd, server->group));
}

static bool is_stranger(const struct admin_server *server, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return true;
	return !may_ask(server, fd, peer.uid, peer.gid);
}

/* The peer's wish must be whole and modest. */
static bool connect_acceptable(int fd)
{
	uint8_t message[CONNECT_SIZE];
	ssize_t size = recv(fd, message, sizeof(message), MSG_PEEK | MSG_DONTWAIT);
	struct reader r;

	if (size != (ssize_t)sizeof(message))
		return false;
	r = reader_of(message + CONNECT_SIZE_AT, sizeof(message) - CONNECT_SIZE_AT);
	return read_native_u32(&r) <= CONNECT_ASK_LIMIT;
}

/* The datagram must be as long as a request can be, and sent by who was let in. Its size, or 0. */
static size_t request_acceptable(int fd, uid_t uid)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	uint8_t byte;
	struct iovec part = {.iov_base = &byte, .iov_len = sizeof(byte)};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	ssize_t size =
	    recvmsg(fd, &message, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;
	struct ucred sender;

	if (size < (ssize_t)ADMIN_REQUEST_ENVELOPE || size > (ssize_t)ADMIN_REQUEST_MAX)
		return 0;
	for (c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS ||
		    c->cmsg_len < CMSG_LEN(sizeof(sender)))
			continue;
		memcpy(&sender, CMSG_DATA(c), sizeof(sender));
		return sender.uid == uid || sender.uid == 0 ? (size_t)size : 0;
	}
	return 0;
}

static void datagram_drop(int fd)
{
	uint8_t byte;

	(void)recv(fd, &byte, sizeof(byte), MSG_DONTWAIT | MSG_TRUNC);
}

/* What the loop calls: lets libqb see only what it can take. */
static int32_t on_event(int32_t fd, int32_t events, void *data)
{
	struct admin_server *server = the_server;
	struct watch watch = *(struct watch *)data; /* libqb may remove it meanwhile */
	int32_t result;

	if (watch.kind == WATCH_CONNECT && !(events & POLLHUP) && !connect_acceptable(fd))
		events = POLLHUP;
	if (watch.kind == WATCH_REQUEST && (events & POLLIN)) {
		server->request_size = request_acceptable(fd, watch.uid);
		if (server->request_size == 0) {
			datagram_drop(fd);
			return 0;
		}
	}
	server->connecting_fd = watch.kind == WATCH_CONNECT ? fd : -1;
	result = watch.dispatch(fd, events, watch.data);
	server->connecting_fd = -1;
	server->request_size = 0;
	return result;
}

static enum watch_kind watch_kind_of(const struct admin_server *server, int fd)
{
	int value = 0;
	socklen_t size = sizeof(value);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value)
		return WATCH_LISTEN;
	size = sizeof(value);
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size) == 0 && value == SOCK_DGRAM)
		return WATCH_REQUEST;
	return fd == server->connecting_fd ? WATCH_ALIVE : WATCH_CONNECT;
}

static int32_t on_add(enum qb_loop_priority priority, int32_t fd, int32_t events, void *data,
		      qb_ipcs_dispatch_fn_t dispatch)
{
	struct admin_server *server = the_server;
	struct watch *watch = watch_unused(server);
	const int on = 1;
	int32_t result;

	if (!watch)
		return -EMFILE;
	*watch = (struct watch){.kind = watch_kind_of(server, fd),
				.fd = fd,
				.uid = server->connecting_uid,
				.dispatch = dispatch,
				.data = data};
	watch->stranger = watch->kind == WATCH_CONNECT && is_stranger(server, fd);
	if (strangers(server) > STRANGERS_MAX)
		result = -EMFILE;
	else if (watch->kind == WATCH_REQUEST &&
		 setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0)
		result = -errno;
	else
		result = qb_loop_poll_add(server->loop, priority, fd, events, watch, on_event);
	if (result < 0)
		watch->kind = WATCH_UNUSED;
	return result;
}

static int32_t on_mod(enum qb_loop_priority priority, int32_t fd, int32_t events, void *data,
		      qb_ipcs_dispatch_fn_t dispatch)
{
	struct admin_server *server = the_server;
	struct watch *watch = watch_find(server, fd);

	if (!watch)
		return -ENOENT;
	watch->dispatch = dispatch;
	watch->data = data;
	return qb_loop_poll_mod(server->loop, priority, fd, events, watch, on_event);
}

static int32_t on_del(int32_t fd)
{
	struct admin_server *server = the_server;
	struct watch *watch = watch_find(server, fd);

	if (!watch)
		return -ENOENT;
	watch->kind = WATCH_UNUSED;
	return qb_loop_poll_del(server->loop, fd);
}

static int32_t on_job(enum qb_loop_priority priority, void *data, qb_loop_job_dispatch_fn dispatch)
{
	return qb_loop_job_add(the_server->loop, priority, data, dispatch);
}

static int32_t on_accept(qb_ipcs_connection_t *connection, uid_t uid, gid_t gid)
{
	struct admin_server *server = the_server;

	(void)connection;
	if (!may_ask(server, server->connecting_fd, uid, gid))
		return -EACCES;
	server->connecting_uid = uid;
	return 0;
}

/* Without memory there is no context, and the client gets no answers. */
static void on_created(qb_ipcs_connection_t *connection)
{
	struct client *client = calloc(1, sizeof(*client));

	if (client)
		client->alive_fd = the_server->connecting_fd;
	qb_ipcs_context_set(connection, client);
}

static void on_destroyed(qb_ipcs_connection_t *connection)
{
	free(qb_ipcs_context_get(connection));
}

/* libqb would try for a second to reach a client that has gone. */
static bool client_gone(const struct client *client)
{
	struct pollfd alive = {.fd = client->alive_fd, .events = POLLRDHUP};

	return poll(&alive, 1, 0) != 0;
}

static void news_send(qb_ipcs_connection_t *connection)
{
	struct client *client = qb_ipcs_context_get(connection);
	uint8_t news[ADMIN_REPLY_ENVELOPE];

	if (!client || !client->to_be_told || client_gone(client))
		return;
	client->to_be_told = false;
	(void)qb_ipcs_event_send(connection, news, admin_news_encode(news));
}

void admin_server_news(struct admin_server *server)
{
	qb_ipcs_connection_t *connection = qb_ipcs_connection_first_get(server->service);

	while (connection) {
		qb_ipcs_connection_t *next;

		news_send(connection);
		next = qb_ipcs_connection_next_get(server->service, connection);
		qb_ipcs_connection_unref(connection);
		connection = next;
	}
}

static int mirror_answer(struct admin_server *server, const struct admin_request *request,
			 struct admin_reply_writer *reply)
{
	struct dlmirror_mirror mirror = {0};
	int result = server->source.find(server->source.context, request->mirror, &mirror);

	if (result != 0)
		return result;
	admin_reply_begin(reply, request->kind, 0, "", server->reply, sizeof(server->reply));
	admin_reply_add_list(reply, 1, 0);
	return admin_reply_add_mirror(reply, &mirror) ? 0 : -EMSGSIZE;
}

static int list_answer(struct admin_server *server, const struct admin_request *request,
		       struct admin_reply_writer *reply)
{
	uint64_t total = server->source.count(server->source.context);
	uint64_t index;

	admin_reply_begin(reply, request->kind, 0, "", server->reply, sizeof(server->reply));
	admin_reply_add_list(reply, total, request->first);
	for (index = request->first; index < total; index++) {
		struct dlmirror_mirror mirror = {0};

		server->source.mirror(server->source.context, (size_t)index, &mirror);
		if (!admin_reply_add_mirror(reply, &mirror))
			break;
	}
	return 0;
}

static int counters_answer(struct admin_server *server, const struct admin_request *request,
			   struct admin_reply_writer *reply)
{
	struct dlmirror_counters counters = {0};
	int result = server->source.counters(server->source.context, request->mirror, &counters);

	if (result != 0)
		return result;
	admin_reply_begin(reply, request->kind, 0, "", server->reply, sizeof(server->reply));
	admin_reply_add_counters(reply, &counters);
	return 0;
}

static int reload_answer(struct admin_server *server, const struct admin_request *request,
			 struct admin_reply_writer *reply)
{
	static struct dlmirror_reload reload; /* large */
	int result = server->source.reload_status(server->source.context, request->mirror, &reload);

	if (result != 0)
		return result;
	admin_reply_begin(reply, request->kind, 0, "", server->reply, sizeof(server->reply));
	admin_reply_add_reload(reply, &reload);
	return 0;
}

static int daemon_answer(struct admin_server *server, const struct admin_request *request,
			 struct admin_reply_writer *reply)
{
	struct dlmirror_daemon daemon = {0};

	server->source.daemon(server->source.context, &daemon);
	admin_reply_begin(reply, request->kind, 0, "", server->reply, sizeof(server->reply));
	admin_reply_add_daemon(reply, &daemon);
	return 0;
}

static int map_answer(struct admin_server *server, const struct admin_request *request,
		      struct admin_reply_writer *reply)
{
	static struct dlmirror_cell cell[ADMIN_MAP_CELLS]; /* large, as is the map */
	static struct dlmirror_map map;
	int result;

	if (request->cells == 0 || request->cells > ADMIN_MAP_CELLS || request->per_cell == 0 ||
	    request->per_cell > ADMIN_MAP_REGIONS / request->cells) {
		message_make(server->text, sizeof(server->text), MSG_DAEMON_OTHER_VERSION,
			     "a piece of a map has 1 to %u cells, and %" PRIu64 " regions at most",
			     ADMIN_MAP_CELLS, ADMIN_MAP_REGIONS);
		return -EINVAL;
	}
	result = server->source.map(server->source.context, request->mirror, request->first,
				    request->per_cell, request->cells, cell, &map);
	if (result != 0)
		return result;
	admin_reply_begin(reply, request->kind, 0, "", server->reply, sizeof(server->reply));
	admin_reply_add_map(reply, &map, cell, request->cells);
	return 0;
}

static int heat_answer(struct admin_server *server, const struct admin_request *request,
		       struct admin_reply_writer *reply)
{
	struct dlmirror_heat heat = {0};
	int result = server->source.heat(server->source.context, request->mirror, &heat);

	if (result != 0)
		return result;
	admin_reply_begin(reply, request->kind, 0, "", server->reply, sizeof(server->reply));
	admin_reply_add_heat(reply, &heat);
	return 0;
}

static int events_answer(struct admin_server *server, const struct admin_request *request,
			 struct admin_reply_writer *reply)
{
	static struct admin_events events; /* large */

	server->source.events(server->source.context, request->position.record,
			      request->position.seq, &events);
	admin_reply_begin(reply, request->kind, 0, "", server->reply, sizeof(server->reply));
	admin_reply_add_events(reply, &events);
	return 0;
}

static int errand_answer(struct admin_server *server, const struct admin_request *request,
			 struct admin_reply_writer *reply)
{
	uint64_t id;
	uint32_t count;
	int result = server->source.errand(server->source.context, &request->errand, &id, &count,
					   server->text, sizeof(server->text));

	if (result != 0)
		return result;
	admin_reply_begin(reply, request->kind, 0, "", server->reply, sizeof(server->reply));
	admin_reply_add_errand(reply, id, count);
	return 0;
}

static int errand_result_answer(struct admin_server *server, const struct admin_request *request,
				struct admin_reply_writer *reply)
{
	static struct dlmirror_errand_result answer; /* large */
	int result = server->source.errand_result(server->source.context, request->errand_id,
						  request->index, &answer);

	if (result != 0) {
		message_make(server->text, sizeof(server->text), MSG_NODE_SILENT,
			     "the daemon does not know that errand any more");
		return result;
	}
	admin_reply_begin(reply, request->kind, 0, "", server->reply, sizeof(server->reply));
	admin_reply_add_errand_result(reply, &answer);
	return 0;
}

/* The requests that do something: what there is to say is in the text, also when they succeed. */
static int action_answer(struct admin_server *server, const struct admin_request *request,
			 struct admin_reply_writer *reply)
{
	const struct admin_source *source = &server->source;
	char *text = server->text;
	size_t size = sizeof(server->text);
	int result;

	if (request->kind == ADMIN_VERIFY)
		result = source->verify(source->context, request->mirror, request->repair,
					request->rate, text, size);
	else if (request->kind == ADMIN_RATE)
		result = source->rate(source->context, request->mirror, request->rate, text, size);
	else if (request->kind == ADMIN_VERIFY_STOP)
		result = source->verify_stop(source->context, request->mirror, text, size);
	else if (request->kind == ADMIN_SUSPEND)
		result = source->suspend(source->context, request->mirror, text, size);
	else if (request->kind == ADMIN_RESUME)
		result = source->resume(source->context, request->mirror, text, size);
	else if (request->kind == ADMIN_LOG_RETRY)
		result = source->log_retry(source->context, request->mirror, text, size);
	else if (request->kind == ADMIN_RELOAD)
		result = source->reload(source->context, request->mirror, &request->plan,
					request->timeout_s, text, size);
	else if (request->kind == ADMIN_LOG_REPLACE)
		result = source->log_replace(source->context, request->mirror, request->device,
					     request->timeout_s, text, size);
	else
		result = source->command(source->context, request->command, request->argument, text,
					 size);
	if (result == 0)
		admin_reply_begin(reply, request->kind, 0, text, server->reply,
				  sizeof(server->reply));
	return result;
}

static int watch_answer(struct admin_server *server, const struct admin_request *request,
			struct admin_reply_writer *reply)
{
	admin_reply_begin(reply, request->kind, 0, "", server->reply, sizeof(server->reply));
	return 0;
}

static int request_answer(struct admin_server *server, const struct admin_request *request,
			  struct admin_reply_writer *reply)
{
	switch (request->kind) {
	case ADMIN_LIST:
		return list_answer(server, request, reply);
	case ADMIN_GET:
		return mirror_answer(server, request, reply);
	case ADMIN_COUNTERS:
		return counters_answer(server, request, reply);
	case ADMIN_RELOAD_STATUS:
		return reload_answer(server, request, reply);
	case ADMIN_DAEMON:
		return daemon_answer(server, request, reply);
	case ADMIN_MAP:
		return map_answer(server, request, reply);
	case ADMIN_HEAT:
		return heat_answer(server, request, reply);
	case ADMIN_EVENTS:
		return events_answer(server, request, reply);
	case ADMIN_WATCH:
		return watch_answer(server, request, reply);
	case ADMIN_ERRAND:
		return errand_answer(server, request, reply);
	case ADMIN_ERRAND_RESULT:
		return errand_result_answer(server, request, reply);
	default:
		return action_answer(server, request, reply);
	}
}

/* Before the answer: what happens behind it is news. */
static void client_note(struct client *client, enum admin_kind kind)
{
	client->watching = client->watching || kind == ADMIN_WATCH;
	if (kind == ADMIN_WATCH || kind == ADMIN_EVENTS)
		client->to_be_told = client->watching;
}

/* Called by libqb for each datagram; size is what the datagram says of itself. */
static int32_t on_request(qb_ipcs_connection_t *connection, void *data, size_t size)
{
	struct admin_server *server = the_server;
	static struct admin_request request; /* large */
	struct client *client = qb_ipcs_context_get(connection);
	struct admin_reply_writer reply;
	int result;

	(void)size;
	if (!client)
		return 0;
	memset(&request, 0, sizeof(request));
	server->text[0] = '\0';
	result = admin_request_decode(data, server->request_size, &request);
	if (result == 0) {
		client_note(client, request.kind);
		result = request_answer(server, &request, &reply);
	} else {
		message_make(server->text, sizeof(server->text), MSG_DAEMON_OTHER_VERSION,
			     "the daemon does not understand the request: it speaks version %u "
			     "of the protocol",
			     ADMIN_VERSION);
	}
	if (result != 0)
		admin_reply_begin(&reply, request.kind, result, server->text, server->reply,
				  sizeof(server->reply));
	size = admin_reply_end(&reply);
	if (result == 0 && request.kind == ADMIN_WATCH)
		news_send(connection); /* what happened before is news to it, too */
	/* A reply that cannot be sent is the client's loss: it stopped reading, or has gone. */
	if (size > 0 && !client_gone(client))
		(void)qb_ipcs_response_send(connection, server->reply, size);
	return 0;
}

static int group_find(const char *name, gid_t *ret)
{
	struct group *group;

	errno = 0;
	group = getgrnam(name);
	if (!group)
		return errno ? -errno : -ENOENT;
	*ret = group->gr_gid;
	return 0;
}

int admin_server_create(qb_loop_t *loop, const char *group, const struct admin_source *source,
			struct admin_server **ret)
{
	static struct qb_ipcs_service_handlers handlers = {.connection_accept = on_accept,
							   .connection_created = on_created,
							   .connection_destroyed = on_destroyed,
							   .msg_process = on_request};
	static struct qb_ipcs_poll_handlers hooks = {.job_add = on_job,
						     .dispatch_add = on_add,
						     .dispatch_mod = on_mod,
						     .dispatch_del = on_del};
	struct admin_server *server;
	int result = 0;

	if (the_server)
		return -EALREADY;
	server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	server->loop = loop;
	server->source = *source;
	server->connecting_fd = -1;
	if (group && group[0]) {
		server->has_group = true;
		result = group_find(group, &server->group);
		if (result != 0)
			goto out;
	}
	the_server = server;
	server->service = qb_ipcs_create(ADMIN_SERVICE, 0, QB_IPC_SOCKET, &handlers);
	if (!server->service) {
		result = errno ? -errno : -ENOMEM;
		goto out;
	}
	qb_ipcs_poll_handlers_set(server->service, &hooks);
	/* One request of one client in each turn of the loop. */
	qb_ipcs_request_rate_limit(server->service, QB_IPCS_RATE_SLOW);
	qb_ipcs_enforce_buffer_size(server->service, ADMIN_REPLY_MAX);
	result = qb_ipcs_run(server->service); /* drops the service when it fails */
	if (result == 0)
		*ret = server;
out:
	if (result != 0) {
		the_server = NULL;
		free(server);
	}
	return result;
}

struct admin_server *admin_server_destroy(struct admin_server *server)
{
	size_t i;

	if (!server)
		return NULL;
	/* libqb knows of those that still ask only through the loop. */
	for (i = 0; i < WATCHES_MAX; i++)
		if (server->watch[i].kind == WATCH_CONNECT)
			(void)on_event(server->watch[i].fd, POLLHUP, &server->watch[i]);
	qb_ipcs_destroy(server->service);
	the_server = NULL;
	free(server);
	return NULL;
}
