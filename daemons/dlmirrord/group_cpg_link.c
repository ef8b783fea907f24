/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owns one connection to corosync. What it asks there (libcmap, opening, joining, leaving) waits
 * for an answer without a limit, and a corosync that was stopped does not answer. So each
 * connection is opened and closed by a thread of its own, and the loop never waits.
 */
#include "daemons/common/message.h"
#include "daemons/dlmirrord/group_cpg_internal.h"

#include <corosync/cmap.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemons/dlmirrord/thread.h"

#define JOIN_TRIES    20U
#define JOIN_PAUSE_NS 50000000L

/* What is wrong, and what to do: the same few causes whichever call meets them. */
static bool failed(struct group_link *link, const char *what, cs_error_t error)
{
	if (error == CS_OK)
		return false;
	if (error == CS_ERR_ACCESS || error == CS_ERR_SECURITY)
		message_make(
		    link->problem, sizeof(link->problem), MSG_COROSYNC_REFUSES,
		    "corosync refuses us (%s): run dlmirrord as root, or allow its user in "
		    "/etc/corosync/uidgid.d",
		    what);
	else if (error == CS_ERR_TRY_AGAIN || error == CS_ERR_EXIST || error == CS_ERR_BUSY)
		message_make(link->problem, sizeof(link->problem), MSG_COROSYNC_BUSY,
			     "corosync is busy (%s: %s): trying again; if that lasts, see its "
			     "log",
			     what, cs_strerror(error));
	else
		message_make(link->problem, sizeof(link->problem), MSG_COROSYNC_AWAY,
			     "corosync does not answer (%s: %s): start it, systemctl start "
			     "corosync",
			     what, cs_strerror(error));
	return true;
}

/* ---- corosync.conf, as corosync has read it */

static uint32_t map_u32(cmap_handle_t map, const char *key, uint32_t otherwise)
{
	uint32_t value;

	return cmap_get_uint32(map, key, &value) == CS_OK ? value : otherwise;
}

static bool read_cluster(struct group_link *link, cmap_handle_t map)
{
	char *name = NULL;
	bool fits;

	if (cmap_get_string(map, "totem.cluster_name", &name) != CS_OK || name[0] == '\0') {
		message_make(
		    link->problem, sizeof(link->problem), MSG_COROSYNC_CONFIG,
		    "corosync.conf has no totem.cluster_name: set it, the same on all nodes, "
		    "and restart corosync");
		free(name);
		return false;
	}
	fits = strlen(name) < sizeof(link->cluster);
	if (fits)
		strcpy(link->cluster, name);
	else
		message_make(
		    link->problem, sizeof(link->problem), MSG_COROSYNC_CONFIG,
		    "totem.cluster_name in corosync.conf is longer than %zu bytes: shorten it",
		    sizeof(link->cluster) - 1);
	free(name);
	return fits;
}

/* "nodelist.node.N.nodeid": its N */
static bool key_is_nodeid(const char *key, unsigned *ret)
{
	char rest[16];

	return sscanf(key, "nodelist.node.%u.%15s", ret, rest) == 2 && strcmp(rest, "nodeid") == 0;
}

static bool read_nodes(struct group_link *link, cmap_handle_t map)
{
	struct group_votes *v = &link->votes;
	char key[CMAP_KEYNAME_MAXLEN + 1];
	cmap_iter_handle_t iter;
	unsigned place;

	if (failed(link, "cmap_iter_init", cmap_iter_init(map, "nodelist.node.", &iter)))
		return false;
	while (cmap_iter_next(map, iter, key, NULL, NULL) == CS_OK) {
		if (!key_is_nodeid(key, &place) || v->count == RING_NODES_MAX)
			continue;
		v->node[v->count] = map_u32(map, key, 0);
		snprintf(key, sizeof(key), "nodelist.node.%u.quorum_votes", place);
		v->votes[v->count] = map_u32(map, key, 1);
		v->count++;
	}
	(void)cmap_iter_finalize(map, iter);
	if (v->count > 0)
		return true;
	message_make(link->problem, sizeof(link->problem), MSG_COROSYNC_CONFIG,
		     "corosync.conf has no nodelist with nodeids: add one and restart corosync");
	return false;
}

/*
 * How corosync itself begins to count. What changes later (last_man_standing, a device's vote, an
 * admin) comes as its verdict.
 */
static void read_threshold(struct group_link *link, cmap_handle_t map)
{
	struct group_votes *v = &link->votes;
	uint32_t sum = 0;
	uint32_t expected;
	uint8_t two_node = 0;
	char *device = NULL;

	for (uint32_t i = 0; i < v->count; i++)
		sum += v->votes[i];
	if (cmap_get_string(map, "quorum.device.model", &device) == CS_OK && device[0] != '\0')
		sum += map_u32(map, "quorum.device.votes", sum > 1 ? sum - 1 : 1);
	free(device);
	expected = map_u32(map, "quorum.expected_votes", sum);
	v->threshold = expected / 2 + 1;
	if (cmap_get_uint8(map, "quorum.two_node", &two_node) == CS_OK && two_node != 0 &&
	    v->count == 2)
		v->threshold = 1;
}

static bool read_configuration(struct group_link *link)
{
	cmap_handle_t map;
	bool good;

	if (failed(link, "cmap_initialize", cmap_initialize(&map)))
		return false;
	good = read_cluster(link, map) && read_nodes(link, map);
	if (good)
		read_threshold(link, map);
	(void)cmap_finalize(map);
	return good;
}

/* ---- opening and closing */

static bool open_quorum(struct group_link *link)
{
	uint32_t type = QUORUM_FREE;

	if (failed(link, "quorum_initialize",
		   quorum_model_initialize(&link->quorum, QUORUM_MODEL_V1,
					   (quorum_model_data_t *)&link->quorum_model, &type,
					   link->context)))
		return false;
	link->has_quorum = true;
	if (type == QUORUM_FREE) {
		message_make(
		    link->problem, sizeof(link->problem), MSG_COROSYNC_CONFIG,
		    "corosync has no quorum provider: set 'provider: corosync_votequorum' in "
		    "the quorum section of corosync.conf and restart corosync");
		return false;
	}
	return !failed(link, "quorum_fd_get", quorum_fd_get(link->quorum, &link->quorum_fd)) &&
	       !failed(link, "quorum_trackstart",
		       quorum_trackstart(link->quorum, CS_TRACK_CHANGES));
}

/* While corosync synchronizes a new ring it refuses. */
static cs_error_t join(const struct group_link *link)
{
	const struct timespec pause = {.tv_nsec = JOIN_PAUSE_NS};
	cs_error_t error = cpg_join(link->cpg, &link->group);

	for (unsigned i = 1; i < JOIN_TRIES; i++) {
		if (error != CS_ERR_TRY_AGAIN && error != CS_ERR_EXIST)
			break;
		nanosleep(&pause, NULL);
		error = cpg_join(link->cpg, &link->group);
	}
	return error;
}

static bool open_cpg(struct group_link *link)
{
	uint32_t largest = 0;
	unsigned node = 0;

	if (failed(link, "cpg_initialize",
		   cpg_model_initialize(&link->cpg, CPG_MODEL_V1,
					(cpg_model_data_t *)&link->cpg_model, link->context)))
		return false;
	link->has_cpg = true;
	if (failed(link, "cpg_local_get", cpg_local_get(link->cpg, &node)) ||
	    failed(link, "cpg_fd_get", cpg_fd_get(link->cpg, &link->cpg_fd)) ||
	    failed(link, "cpg_max_atomic_msgsize_get",
		   cpg_max_atomic_msgsize_get(link->cpg, &largest)))
		return false;
	link->node = node;
	/* So nothing needs to be cut into pieces: it is 1 MiB everywhere but where corosync was
	 * built for small machines. */
	if (largest < GROUP_MESSAGE_MAX + ENVELOPE_SIZE) {
		message_make(
		    link->problem, sizeof(link->problem), MSG_COROSYNC_CONFIG,
		    "this corosync takes messages of at most %" PRIu32
		    " bytes: use one that was built without --enable-small-memory-footprint",
		    largest);
		return false;
	}
	return !failed(link, "cpg_join", join(link));
}

static void finalize(const struct group_link *link)
{
	/* To corosync this is a leave, and it tells the others. */
	if (link->has_cpg)
		(void)cpg_finalize(link->cpg);
	if (link->has_quorum)
		(void)quorum_finalize(link->quorum);
}

static void *open_main(void *argument)
{
	const uint64_t one = 1;
	struct group_link *link = argument;
	int expected = LINK_OPENING;
	int done_fd = link->done_fd;
	bool good = read_configuration(link) && open_quorum(link) && open_cpg(link);

	if (!good) {
		finalize(link);
		link->has_cpg = link->has_quorum = false;
	}
	/* From then on it is the loop's. */
	if (atomic_compare_exchange_strong(&link->state, &expected,
					   good ? LINK_READY : LINK_FAILED)) {
		(void)!write(done_fd, &one, sizeof(one));
	} else {
		finalize(link);
		free(link);
	}
	close(done_fd);
	return NULL;
}

static void *close_main(void *argument)
{
	struct group_link *link = argument;

	finalize(link);
	free(link);
	return NULL;
}

int link_open(const char *group, const cpg_model_v1_data_t *cpg_model,
	      const quorum_model_v1_data_t *quorum_model, void *context, int done_fd,
	      struct group_link **ret)
{
	struct group_link *link = calloc(1, sizeof(*link));
	pthread_t thread;
	int error;

	if (link == NULL)
		return -ENOMEM;
	link->context = context;
	link->cpg_model = *cpg_model;
	link->quorum_model = *quorum_model;
	link->group.length = (uint32_t)strlen(group);
	memcpy(link->group.value, group, link->group.length);
	link->done_fd = fcntl(done_fd, F_DUPFD_CLOEXEC, 0);
	error = link->done_fd < 0 ? -errno : thread_start(&thread, "dlm-cpg-open", open_main, link);
	if (error != 0) {
		if (link->done_fd >= 0)
			close(link->done_fd);
		free(link);
		return error;
	}
	pthread_detach(thread);
	*ret = link;
	return 0;
}

struct group_link *link_close(struct group_link *link, unsigned wait_ms)
{
	int expected = LINK_OPENING;
	struct timespec until;
	pthread_t thread;

	if (link == NULL)
		return NULL;
	/* A thread that is still opening it closes it, too. */
	if (atomic_compare_exchange_strong(&link->state, &expected, LINK_ABANDONED))
		return NULL;
	if (thread_start(&thread, "dlm-cpg-close", close_main, link) != 0) {
		close_main(link);
		return NULL;
	}
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += (long)(wait_ms % 1000) * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	if (wait_ms == 0 || pthread_timedjoin_np(thread, NULL, &until) != 0)
		pthread_detach(thread);
	return NULL;
}
