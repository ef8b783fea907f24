/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemons/dlmirrord/cluster.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/daemon.h"
#include "daemons/dlmirrord/message_log.h"

#define GROUP_NAME "dlmirror"
#define RELOAD_MAX 4096U /* bytes of one */
#define PACK_MAX   1300U /* of corosync's frames so much is left when the network has 1500 */
#define LOCKS_MAX  (MLOG_LOCK_MAP + 1U) /* of a mirror */

/* What is left of a log until its last write has ended. Made with the log: at its end there may be
 * no memory. */
struct cluster_remains {
	LIST_ENTRY(cluster_remains) next;
	struct cluster *cluster;
	uint64_t object;
	struct group_mirror mirror;
	bool forget; /* the kernel has ended the table */
	bool release_orphans;
};

LIST_HEAD(remains_list, cluster_remains);

struct cluster {
	struct daemon *daemon;
	struct group_cpg *group;
	struct locks_dlm *locks;
	struct group_versions versions;
	struct group_room room; /* of the message under way */
	uint8_t pack[PACK_MAX]; /* what the step under way sends */
	size_t packed;
	struct remains_list remains;
	uint32_t node; /* 0: not known */
	char name[GROUP_CPG_NAME_SIZE];
	bool stranger; /* corosync says that we are another node than before: not ours to join */
	bool viewed;
	bool quorate;
	uint32_t view_count;
	uint32_t view[MLOG_VIEW_MAX];
	uint64_t damaged;
	char problem[GROUP_CPG_ERROR_SIZE];
};

/* ---- who we are: RUN_DIR/cluster */

static void identity_path(const struct cluster *c, char *ret, size_t size)
{
	snprintf(ret, size, "%s/cluster", c->daemon->config.run_dir);
}

static void identity_read(struct cluster *c)
{
	char path[512];
	FILE *file;

	identity_path(c, path, sizeof(path));
	file = fopen(path, "re");
	if (file == NULL)
		return;
	if (fscanf(file, "%" SCNu32 " %64s", &c->node, c->name) != 2)
		c->node = 0;
	fclose(file);
}

static void identity_write(const struct cluster *c)
{
	char path[512];
	char fresh[520];
	FILE *file;
	bool good;

	identity_path(c, path, sizeof(path));
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	file = fopen(fresh, "we");
	good = file != NULL && fprintf(file, "%" PRIu32 " %s\n", c->node, c->name) > 0;
	if (file != NULL)
		good = fclose(file) == 0 && good;
	if (!good || rename(fresh, path) < 0)
		message_log(
		    LOG_ERR, MSG_RUN_DIR_UNWRITABLE,
		    "cannot write %s (%s): a daemon that starts while corosync is away will not "
		    "know which node it is",
		    path, strerror(errno));
}

/* On log devices. */
static void identity_use(struct cluster *c)
{
	memcpy(c->daemon->owner.cluster, c->name, sizeof(c->daemon->owner.cluster));
}

/* ---- the group: views and messages, for all logs */

static void view_tell(struct cluster *c, struct log *log)
{
	struct mlog_event event = {.kind = MLOG_EV_VIEW};

	event.view.node = c->view;
	event.view.count = c->view_count;
	event.view.quorate = c->quorate;
	pump_event(&log->pump, &event);
}

/* Who joins hears from all which protocol they speak. */
static void hello(struct cluster *c)
{
	uint8_t datagram[GROUP_HEADER_SIZE];
	int size = group_encode_hello(&c->versions, c->node, datagram, sizeof(datagram));

	if (size > 0)
		group_cpg_send(c->group, datagram, (size_t)size);
}

static void on_view(void *context, const uint32_t *node, uint32_t count, bool quorate, bool joined)
{
	struct cluster *c = context;
	const struct registry *r = &c->daemon->registry;

	if (c->stranger)
		return;
	memcpy(c->view, node, count * sizeof(*node));
	c->view_count = count;
	c->quorate = quorate;
	c->viewed = true;
	group_versions_view(&c->versions, c->view, c->view_count);
	if (joined)
		hello(c);
	for (size_t i = 0; i < r->count; i++)
		view_tell(c, r->log[i]);
	reload_view(c->daemon->reloads, c->view, c->view_count, c->quorate);
	errands_view(c->daemon->errands, c->view, c->view_count, c->quorate);
}

void cluster_sent(struct cluster *c)
{
	if (c->packed > 0)
		group_cpg_send(c->group, c->pack, c->packed);
	c->packed = 0;
}

/* Small ones wait for the others of the same step: what a datagram costs is not its bytes. */
static void pack_add(struct cluster *c, const uint8_t *message, size_t size)
{
	if (c->packed + size > sizeof(c->pack))
		cluster_sent(c);
	if (size > sizeof(c->pack)) {
		group_cpg_send(c->group, message, size);
		return;
	}
	memcpy(c->pack + c->packed, message, size);
	c->packed += size;
	if (group_versions_spoken(&c->versions) < GROUP_PACK_VERSION)
		cluster_sent(c);
}

static void send(struct cluster *c, const struct group_mirror *mirror,
		 const struct mlog_message *message)
{
	static uint8_t datagram[GROUP_MESSAGE_MAX];
	int size = group_encode(&c->versions, mirror, message, datagram, sizeof(datagram));

	if (size > 0)
		pack_add(c, datagram, (size_t)size);
	else
		message_log(LOG_CRIT, MSG_INTERNAL_ERROR,
			    "a message of kind %d cannot be encoded (%s): report this",
			    (int)message->kind, strerror(-size));
}

/* Nobody here knows that mirror. */
static void have_none(struct cluster *c, const struct group_mirror *mirror,
		      const struct mlog_message *join)
{
	struct mlog_message none = {
	    .kind = MLOG_MSG_NONE,
	    .from = c->node,
	    .incarnation = c->daemon->incarnation,
	    .seq = 1,
	};

	none.none.to = join->from;
	none.none.incarnation = join->incarnation;
	send(c, mirror, &none);
	cluster_sent(c);
}

static void logs_tell(struct cluster *c, const struct group_mirror *mirror,
		      const struct mlog_message *message)
{
	const struct registry *r = &c->daemon->registry;
	struct mlog_event event = {.kind = MLOG_EV_MESSAGE, .message = message};
	bool known = false;

	/* Nobody here has a state while the new table is put in force: it would be told so. */
	if (message->kind == MLOG_MSG_JOIN &&
	    reload_outdates(c->daemon->reloads, mirror, message->join.revision))
		return;
	for (size_t i = 0; i < r->count; i++) {
		struct log *log = r->log[i];

		if (!group_mirror_same(&log->mirror, mirror))
			continue;
		known = true;
		if (control_listens(log))
			pump_event(&log->pump, &event);
	}
	if (!known && message->kind == MLOG_MSG_JOIN && message->from != c->node)
		have_none(c, mirror, message);
	if (message->kind == MLOG_MSG_JOIN)
		reload_joined(c->daemon->reloads, mirror, message->from);
}

/* Others may have been given it whole: what we know is not what they know any more. */
static void damaged(struct cluster *c, uint32_t sender, int error)
{
	c->damaged++;
	message_log(LOG_ERR, MSG_MESSAGE_DAMAGED,
		    "a group message of node %" PRIu32
		    " is damaged (%s): leaving the group and joining "
		    "again; look for errors of the cluster's network",
		    sender, strerror(-error));
	group_cpg_rejoin(c->group, "a message was damaged");
}

static void reload_tell(struct cluster *c, const struct group_mirror *mirror, const void *datagram,
			size_t size)
{
	static struct group_reload message; /* large */

	/* It was found to be good already. */
	if (group_decode_reload(datagram, size, &message) == 0)
		reload_message(c->daemon->reloads, mirror, &message);
}

static void errand_tell(struct cluster *c, const void *datagram, size_t size)
{
	static struct group_errand message; /* large */

	if (group_decode_errand(datagram, size, &message) == 0)
		errands_message(c->daemon->errands, &message);
}

/* 0, or why nothing of the datagram counts from here on. */
static int message_take(struct cluster *c, uint32_t sender, const void *encoded, size_t size)
{
	struct group_header header;
	struct mlog_message message;
	int error = group_decode(encoded, size, c->versions.own, &header, &c->room, &message);

	/* Of a newer daemon, about what this one does not know. */
	if (error == -EPROTONOSUPPORT)
		return 0;
	if (error == 0 && header.node != sender)
		error = -EBADMSG;
	if (error != 0)
		return error;
	group_versions_seen(&c->versions, header.node, header.highest);
	if (header.reload)
		reload_tell(c, &header.mirror, encoded, size);
	else if (header.errand)
		errand_tell(c, encoded, size);
	else if (!header.hello)
		logs_tell(c, &header.mirror, &message);
	return 0;
}

static void on_message(void *context, uint32_t sender, const void *datagram, size_t size)
{
	struct cluster *c = context;
	const uint8_t *at = datagram;
	int error = 0;

	if (c->stranger)
		return;
	while (size > 0 && error == 0) {
		size_t first = group_first(at, size);

		error = message_take(c, sender, at, first);
		at += first;
		size -= first;
	}
	if (error != 0)
		damaged(c, sender, error);
}

static void on_connected(void *context, uint32_t node, const char *name)
{
	struct cluster *c = context;

	if (c->node != 0 && (c->node != node || strcmp(c->name, name) != 0)) {
		message_make(
		    c->problem, sizeof(c->problem), MSG_NODE_RENAMED,
		    "corosync calls this node %" PRIu32 " of cluster %s, but its mirrors are "
		    "node %" PRIu32 "'s of %s: set corosync.conf back, or remove the mirrors and "
		    "restart dlmirrord",
		    node, name, c->node, c->name);
		message_log(LOG_CRIT, MSG_WITHIN, "%s", c->problem);
		c->stranger = true;
		return;
	}
	if (c->node == 0) {
		c->node = node;
		snprintf(c->name, sizeof(c->name), "%s", name);
		identity_write(c);
		identity_use(c);
	}
	locks_dlm_join(c->locks, c->name);
}

static void on_locked(void *context, uint64_t object, uint32_t lock, int error)
{
	struct cluster *c = context;
	struct log *log = registry_find_id(&c->daemon->registry, object);
	struct mlog_event event = {.kind = MLOG_EV_LOCKED};

	if (log == NULL)
		return;
	event.locked.lock = lock;
	event.locked.error = error;
	pump_event(&log->pump, &event);
}

/* ---- life */

int cluster_create(struct daemon *d, struct cluster **ret)
{
	struct cluster *c = calloc(1, sizeof(*c));
	int error = -ENOMEM;

	if (c == NULL)
		return error;
	c->daemon = d;
	LIST_INIT(&c->remains);
	group_versions_init(&c->versions, (uint16_t)d->config.protocol);
	error = locks_dlm_create(on_locked, c, &c->locks);
	if (error != 0) {
		cluster_destroy(c, false);
		return error;
	}
	identity_read(c);
	identity_use(c);
	*ret = c;
	return 0;
}

int cluster_join(struct cluster *c)
{
	static const struct group_cpg_callbacks callbacks = {
	    .view = on_view,
	    .message = on_message,
	    .connected = on_connected,
	};

	if (c->node != 0)
		locks_dlm_join(c->locks, c->name);
	return group_cpg_create(GROUP_NAME, &callbacks, c, &c->group);
}

struct cluster *cluster_destroy(struct cluster *c, bool leave)
{
	if (c == NULL)
		return NULL;
	c->group = group_cpg_destroy(c->group);
	c->locks = locks_dlm_destroy(c->locks, leave);
	free(c);
	return NULL;
}

int cluster_group_fd(const struct cluster *c)
{
	return group_cpg_fd(c->group);
}

int cluster_locks_fd(const struct cluster *c)
{
	return locks_dlm_fd(c->locks);
}

void cluster_group_dispatch(struct cluster *c)
{
	group_cpg_dispatch(c->group);
}

void cluster_locks_dispatch(struct cluster *c)
{
	locks_dlm_dispatch(c->locks);
}

uint32_t cluster_node(const struct cluster *c, const char **ret_why)
{
	static struct group_cpg_status status;

	if (c->node != 0 || ret_why == NULL)
		return c->node;
	if (c->group != NULL)
		group_cpg_status(c->group, &status);
	*ret_why = status.problem[0] != '\0' ? status.problem
					     : "corosync has not answered yet [corosync-away]";
	return 0;
}

void cluster_wait(struct cluster *c, unsigned ms)
{
	uint64_t until_ms = clock_ms() + ms;
	const char *why;

	while (cluster_node(c, &why) == 0 && clock_ms() < until_ms) {
		struct pollfd fd = {.fd = group_cpg_fd(c->group), .events = POLLIN};

		if (poll(&fd, 1, (int)(until_ms - clock_ms())) > 0)
			group_cpg_dispatch(c->group);
	}
}

/* ---- logs come and go */

int cluster_log_add(struct cluster *c, struct log *log)
{
	struct cluster_remains *remains = calloc(1, sizeof(*remains));

	if (remains == NULL)
		return -ENOMEM;
	group_mirror_of(log->uuid, &log->mirror);
	remains->cluster = c;
	remains->mirror = log->mirror;
	log->remains = remains;
	return 0;
}

void cluster_log_view(struct cluster *c, struct log *log)
{
	if (c->viewed)
		view_tell(c, log);
}

static struct cluster_remains *remains_of(struct cluster *c, const struct group_mirror *mirror)
{
	struct cluster_remains *remains;

	LIST_FOREACH (remains, &c->remains, next)
		if (group_mirror_same(&remains->mirror, mirror))
			return remains;
	return NULL;
}

/* A write may be on its way that needs them. */
static void orphans_release(struct cluster *c, const struct group_mirror *mirror)
{
	struct cluster_remains *remains = remains_of(c, mirror);

	if (remains != NULL)
		remains->release_orphans = true;
	else
		locks_dlm_release_orphans(c->locks, mirror, LOCKS_MAX);
}

void cluster_log_attach(struct cluster *c, const struct log *log)
{
	orphans_release(c, &log->mirror);
}

static bool mirror_known(const struct cluster *c, const struct group_mirror *mirror)
{
	const struct registry *r = &c->daemon->registry;

	for (size_t i = 0; i < r->count; i++)
		if (group_mirror_same(&r->log[i]->mirror, mirror))
			return true;
	return c->daemon->left; /* who knows which have no log yet */
}

static void on_last_write_ended(void *context)
{
	struct cluster_remains *remains = context;
	struct cluster *c = remains->cluster;

	LIST_REMOVE(remains, next);
	locks_dlm_object_gone(c->locks, remains->object, remains->forget);
	if (remains->release_orphans)
		orphans_release(c, &remains->mirror);
	free(remains);
}

void cluster_log_gone(struct cluster *c, struct log *log, bool forget)
{
	struct cluster_remains *remains = log->remains;

	log->remains = NULL;
	remains->object = log->id;
	remains->forget = forget;
	remains->release_orphans = forget && !mirror_known(c, &log->mirror);
	LIST_INSERT_HEAD(&c->remains, remains, next);
	log->storage = storage_abandon(log->storage, on_last_write_ended, remains);
}

/* ---- ports of a log */

void cluster_send(struct cluster *c, const struct log *log, const struct mlog_message *message)
{
	static uint64_t words[GROUP_WORDS_MAX];
	struct mlog_message piece = *message;
	uint64_t cursor = 0;

	if (!c->viewed || !c->quorate)
		return;
	if (message->kind != MLOG_MSG_STATE) {
		send(c, &log->mirror, message);
		return;
	}
	while (mlog_state_next(log->pump.mlog, &cursor, words, GROUP_WORDS_MAX, &piece))
		send(c, &log->mirror, &piece);
}

void cluster_send_reload(struct cluster *c, const struct group_mirror *mirror,
			 const struct group_reload *message)
{
	uint8_t datagram[GROUP_HEADER_SIZE + RELOAD_MAX];
	int size;

	if (!c->viewed || !c->quorate)
		return;
	cluster_sent(c);
	size = group_encode_reload(&c->versions, mirror, message, datagram, sizeof(datagram));
	if (size > 0)
		group_cpg_send(c->group, datagram, (size_t)size);
	else
		message_log(LOG_CRIT, MSG_INTERNAL_ERROR,
			    "step %d of a reload cannot be encoded (%s): report this",
			    (int)message->step, strerror(-size));
}

void cluster_send_errand(struct cluster *c, const struct group_errand *message)
{
	static uint8_t datagram[GROUP_MESSAGE_MAX];
	int size;

	if (!c->viewed || !c->quorate)
		return;
	cluster_sent(c);
	size = group_encode_errand(&c->versions, message, datagram, sizeof(datagram));
	if (size > 0)
		group_cpg_send(c->group, datagram, (size_t)size);
	else
		message_log(LOG_CRIT, MSG_INTERNAL_ERROR,
			    "an errand cannot be encoded (%s): report this", strerror(-size));
}

uint32_t cluster_view(const struct cluster *c, const uint32_t **ret_node, bool *ret_quorate)
{
	*ret_node = c->view;
	*ret_quorate = c->quorate;
	return c->view_count;
}

uint16_t cluster_version(const struct cluster *c)
{
	return group_versions_spoken(&c->versions);
}

void cluster_lock(struct cluster *c, const struct log *log, uint32_t lock, bool keep)
{
	locks_dlm_lock(c->locks, &log->mirror, lock, log->id, keep);
}

void cluster_unlock(struct cluster *c, const struct log *log, uint32_t lock)
{
	locks_dlm_unlock(c->locks, &log->mirror, lock, log->id);
}

void cluster_status(const struct cluster *c, struct cluster_status *ret)
{
	group_cpg_status(c->group, &ret->group);
	locks_dlm_status(c->locks, &ret->locks);
	ret->damaged = c->damaged;
	ret->version = group_versions_spoken(&c->versions);
	ret->problem = NULL;
	if (c->problem[0] != '\0')
		ret->problem = c->problem;
	else if (ret->group.problem[0] != '\0')
		ret->problem = ret->group.problem;
	else if (ret->locks.problem[0] != '\0')
		ret->problem = ret->locks.problem;
}
