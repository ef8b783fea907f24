/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One node from inside; each group of fields belongs to the file that is named. */
#ifndef DLM_SIM_NODE_INTERNAL_H
#define DLM_SIM_NODE_INTERNAL_H

#include "codec/group.h"
#include "codec/kmsg.h"
#include "codec/table.h"
#include "daemons/dlmirrord/pump.h"
#include "test/sim/agent.h"
#include "test/sim/meter.h"
#include "test/sim/node.h"
#include "test/sim/world.h"

#define LOGS_MAX (3 * SIM_MIRRORS_MAX) /* of a node: two tables of each mirror, and a ghost */

/* Values of hot_shared.suspect, as in the daemon. */
enum { SUSPECT_NO, SUSPECT_NEW, SUSPECT_RESETTING, SUSPECT_COMPARING };

/* What outlives the daemon, but not the node: the mapped file of a log. */
struct state {
	bool used;
	uint64_t luid;
	unsigned mirror;
	uint32_t version; /* of the kernel's protocol */
	char args[KMSG_DATA_MAX + 1];
	bool reconnected; /* a RESUME may be that of a reconnect, and not of the device */
	void *maps;
};

struct log {
	bool used;
	struct node *node;
	struct mirror *mirror;
	struct state *state;
	uint64_t object; /* never used twice */
	struct table table;
	struct hot hot;
	struct pump pump;
	uint64_t timer;	   /* handle */
	uint64_t identity; /* of the log device that is open; 0: none */
	bool claimed;
	bool follows;	  /* another table of the mirror that this daemon knew */
	bool prepared;	  /* for its table was its log device made ready, as it was opened */
	bool succeeds;	  /* and it has not been attached since it replaced the one before */
	bool outlived;	  /* the kernel has replaced its table */
	bool resetting;	  /* on_reset_again() comes */
	bool gone;	  /* its mirror, as it was seen last */
	uint64_t step_ns; /* when the step under way began, for the meter */
};

struct datagram {
	struct node *node;
	struct datagram *next; /* free, or held */
	uint64_t boot;
	uint64_t life;	 /* of the sockets that it waits in, then of the daemon that has read it */
	unsigned mirror; /* of a reply */
	bool cleared;
	uint32_t size;
	uint8_t byte[KMSG_SIZE_MAX];
};

enum daemon_state {
	DAEMON_DOWN,
	DAEMON_UP,
	DAEMON_QUIESCING,
	DAEMON_HANDOVER, /* none, but its sockets wait for the next */
};

struct node {
	struct world *world;
	unsigned index;
	struct random random[RANDOM_STREAMS];
	bool up;
	uint32_t held_off;
	uint64_t boots;
	uint64_t up_us;	   /* since */
	uint64_t clock_us; /* its clock is ahead of the world's by this */
	struct node_host host;
	struct kernel *kernel[SIM_MIRRORS_MAX];
	struct agent agent[SIM_MIRRORS_MAX];

	enum daemon_state daemon;
	uint64_t life; /* counts starts and ends of daemons: what comes for an older one is void */
	uint64_t starts;
	uint64_t incarnation; /* of the last JOIN */
	uint64_t sockets;     /* counts ends of daemons whose sockets nobody took over */
	uint64_t stopped_until_us;
	uint64_t overrun_until_us;
	uint64_t mover_fails_until_us;
	uint64_t no_memory_until_us;
	uint64_t quiesce_limit_us;
	uint16_t version; /* protocol version of the daemon */
	uint16_t next_version;
	struct datagram *held_first; /* by the sockets, while nobody reads them */
	struct datagram *held_last;
	struct datagram *free;

	/* log.c */
	struct state state[LOGS_MAX];
	struct log log[LOGS_MAX];
	uint64_t objects;
	bool
	    marker[SIM_MIRRORS_MAX]; /* on its disk: a log device failed while its mirror went on */
	bool unread[SIM_MIRRORS_MAX]; /* the log device was not to be had, or not in time */
	struct pump_queue queue;
	struct group_mirror name[SIM_MIRRORS_MAX];
	struct group_versions versions;
	bool viewed;
	bool quorate;
	uint32_t view_count;
	uint32_t view[SIM_NODES_MAX];

	uint64_t node_us;
	uint64_t requests;
	struct meter meter[SIM_MIRRORS_MAX + 1];
};

/* node.c */
uint64_t node_now_ms(const struct node *node);
/* How long it is until its clock says at_ms, which is to come. */
uint64_t node_until_us(const struct node *node, uint64_t at_ms);
void node_reply(struct node *node, unsigned mirror, const uint8_t *datagram, size_t size);
struct datagram *datagram_take(struct node *node);
void datagram_free(struct datagram *d);

/* log.c */
struct log *log_find(struct node *node, uint64_t luid);
struct log *log_find_object(struct node *node, uint64_t object);
/* Neither attached nor on the way. */
bool log_detached(const struct log *log);
/* Tells its core the view that the node has. */
void log_view(struct log *log);
/* NULL: it has none. */
struct logdev *log_logdev(const struct log *log);
/* As a daemon looks at it before it is used: 0 or negative errno. */
int log_device_open(struct log *log);
struct meter *log_meter(const struct log *log);
/* A request that the hot maps alone did not answer, or a CLEAR that met a gate. */
void log_take(struct node *node, const uint8_t *datagram, size_t size, bool cleared);
void log_restore_all(struct node *node, bool handed_over);
/* The daemon is gone: the objects too, what outlives it stays. */
void logs_drop(struct node *node);
void log_suspect(struct log *log);
/* Of who serves, or would serve if it had heard all that its kernel said. */
bool log_in_doubt(const struct log *log);
bool logs_quiet(const struct node *node);
void logs_quiesce(struct node *node, bool quiesce);

/* log_ports.c: of every log's pump; the context is the log. */
extern const struct pump_ports log_ports;

#endif
