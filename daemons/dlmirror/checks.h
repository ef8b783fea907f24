/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What dlmirror doctor makes of what it has found. Pure: facts in, findings out. What could not be
 * looked at has a reason, and is told as not known, never as good.
 */
#ifndef DLM_COMMAND_CHECKS_H
#define DLM_COMMAND_CHECKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemons/common/config.h"
#include "daemons/common/message.h"
#include "dlmirror/dlmirror.h"

#define CHECKS_TEXT_SIZE 512U
#define CHECKS_UNITS	 3U

/* A number; a yes is 1. */
struct fact {
	bool known;
	uint64_t value;
	char why[CHECKS_TEXT_SIZE]; /* it is not known */
};

enum facts_module {
	FACTS_MODULE_THERE,	/* in the kernel */
	FACTS_MODULE_AVAILABLE, /* the kernel loads it when it is needed */
	FACTS_MODULE_MISSING,
};

/* A leg or a log device. */
struct facts_device {
	char label[CHECKS_TEXT_SIZE]; /* "/dev/sdb (8:16)" */
	struct fact present;
	struct fact sectors;
	struct fact read_only;
	struct fact read_errno; /* of a read of its beginning; 0: it went well */
};

struct facts_mirror {
	struct dlmirror_mirror mirror;
	struct dlmirror_counters counters;
	struct fact suspended;
	struct fact keep_log; /* in its table */
	struct facts_device leg[DLMIRROR_LEGS_MAX];
	struct facts_device log;
	char dropped[CHECKS_TEXT_SIZE]; /* legs that failed and are not in the table any more */
};

struct facts_unit {
	const char *name;
	struct fact enabled;
};

struct facts {
	const char *version;   /* of the command */
	struct fact reachable; /* the daemon; not known: it is there and does not talk to us */
	char daemon_error[CHECKS_TEXT_SIZE]; /* why it is not reachable */
	struct dlmirror_daemon daemon;
	size_t mirror_count;
	const struct facts_mirror *mirror;
	const char *config_path;
	struct fact config_good; /* its value is 1 also when there is no file */
	bool config_there;
	char config_error[CHECKS_TEXT_SIZE];
	struct config config;	   /* defaults when it is not good */
	struct fact module;	   /* enum facts_module of dm-mirror */
	struct fact log_module;	   /* the same of dm-log-userspace */
	struct fact mirror_target; /* device-mapper has it now */
	struct fact corosync;	   /* runs */
	struct fact token_ms;
	struct fact consensus_ms;
	struct fact dlm_conf_fencing; /* of dlm.conf; 1 when it says nothing */
	struct fact hung_task_s;      /* 0: off */
	struct fact hung_task_panic;
	bool one_of_nodes;	  /* that are asked together: checks_nodes() compares them */
	struct fact mirrors_same; /* the nodes' configurations of them; clusters only */
	char mirrors_differ[CHECKS_TEXT_SIZE];
	struct facts_unit unit[CHECKS_UNITS]; /* dlmirrord's first, then those of a cluster */
};

/* What a node that was asked says of itself. */
struct facts_node {
	uint32_t node;
	bool old;	  /* too old to say it */
	char version[32]; /* of its daemon; empty: not known */
};

struct facts_nodes {
	unsigned count;
	struct facts_node node[DLMIRROR_VIEW_MAX];
	bool clustered;
	struct fact mirrors_same; /* clusters only, as the next */
	char mirrors_differ[CHECKS_TEXT_SIZE];
};

enum check_result { CHECK_OK, CHECK_WARNING, CHECK_PROBLEM, CHECK_UNKNOWN };

struct check {
	enum check_result result;
	enum message name;  /* of the check, for programs */
	enum message id;    /* for explain: the same, or the one that the text came with */
	const char *mirror; /* that it is about; NULL: none */
	char what[CHECKS_TEXT_SIZE];
	char remedy[CHECKS_TEXT_SIZE]; /* empty: none is needed, or none known */
};

/* "ok", "warning", "problem", "unknown" */
const char *check_result_name(enum check_result result);

typedef void checks_tell(void *context, const struct check *check);
/* Tells what there is to say, in the order in which things depend on each other. */
void checks_run(const struct facts *f, checks_tell *tell, void *context);
/* The same of what no node can find alone: whether they are alike. */
void checks_nodes(const struct facts_nodes *f, checks_tell *tell, void *context);

#endif
