/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon in its cluster: one group and one lockspace for all of its logs. Knows who we are
 * there, which is kept in the run directory, because logs are restored also while corosync is away.
 * Everything with the core lock held. A daemon that is alone has none (struct daemon's cluster is
 * NULL), and group_local and locks_local instead.
 */
#ifndef DLM_CLUSTER_H
#define DLM_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemons/dlmirrord/group_cpg.h"
#include "daemons/dlmirrord/locks_dlm.h"

#define CLUSTER_MEMBERS_DEFAULT 16U /* of a mirror that has no log device to count slots on */

struct cluster;
struct daemon;
struct log;

/* Knows who we are if an earlier daemon of this boot did. Negative errno: no memory or descriptors.
 */
int cluster_create(struct daemon *d, struct cluster **ret);
/* Begins to join, once: no other daemon of this node may be in the group. Locks that are asked for
 * earlier wait. */
int cluster_join(struct cluster *c);
/* leave: nobody needs the lockspace on this node any more. When no write of a log is on its way.
 * Takes NULL, returns NULL. */
struct cluster *cluster_destroy(struct cluster *c, bool leave);
int cluster_group_fd(const struct cluster *c);
int cluster_locks_fd(const struct cluster *c);
void cluster_group_dispatch(struct cluster *c);
void cluster_locks_dispatch(struct cluster *c);

/* Our node, as the group calls it; 0: corosync has not told yet, and why says what is missing. */
uint32_t cluster_node(const struct cluster *c, const char **ret_why);
/* Waits for that, not longer than ms. At the start only, after cluster_join(). */
void cluster_wait(struct cluster *c, unsigned ms);

/* A log is there, and hears of the view; -ENOMEM. */
int cluster_log_add(struct cluster *c, struct log *log);
/* The first view, or the next after RESTORED. */
void cluster_log_view(struct cluster *c, struct log *log);
/* It attaches, and no other table of the mirror is attached: what locks earlier ones left behind is
 * released. */
void cluster_log_attach(struct cluster *c, const struct log *log);
/* Takes its storage: its locks are released when its last write has ended. forget: its kernel has
 * ended, so orphans of the mirror are of no use when no other log has it. */
void cluster_log_gone(struct cluster *c, struct log *log, bool forget);

void cluster_send(struct cluster *c, const struct log *log, const struct mlog_message *message);
/* Nothing more of the same step follows: what waits for company goes out. */
void cluster_sent(struct cluster *c);
/* Between the daemons; lost while there is no quorum. */
void cluster_send_reload(struct cluster *c, const struct group_mirror *mirror,
			 const struct group_reload *message);
void cluster_send_errand(struct cluster *c, const struct group_errand *message);
/* The nodes of the view, and how many they are; with the version that all of them speak. */
uint32_t cluster_view(const struct cluster *c, const uint32_t **ret_node, bool *ret_quorate);
uint16_t cluster_version(const struct cluster *c);
void cluster_lock(struct cluster *c, const struct log *log, uint32_t lock, bool keep);
void cluster_unlock(struct cluster *c, const struct log *log, uint32_t lock);

struct cluster_status {
	struct group_cpg_status group;
	struct locks_dlm_status locks;
	const char *problem; /* the first thing that is missing, and what to do; NULL: nothing */
	uint64_t damaged;    /* messages that could not be decoded */
	uint16_t version;    /* of the protocol that is spoken */
};

/* problem points into *ret or c. */
void cluster_status(const struct cluster *c, struct cluster_status *ret);

#endif
