/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What there is of DLM on this node, and what is missing, in the order in which it has to be there:
 * kernel module, configfs, device, dlm_controld, its cluster, its fencing, quorum.
 */
#include "daemons/common/message.h"
#include "daemons/dlmirrord/locks_dlm_internal.h"

#include <sys/types.h> /* libdlm.h forgets it */

#include <errno.h>
#include <libdlm.h>
#include <libdlmcontrol.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemons/dlmirrord/apart.h"
#include "lockspace/libdlm.h"

#define LOOK_SECONDS 1

struct missing {
	const char *path;
	const char *problem;
};

static const struct missing missing[] = {
    {"/sys/class/misc/dlm-control",
     "the kernel has no DLM: load its module (modprobe dlm) and start dlm_controld"},
    {"/sys/kernel/config/dlm",
     "configfs is not mounted: mount -t configfs configfs /sys/kernel/config, and restart "
     "dlm_controld"},
    {"/dev/misc/dlm-control",
     "there is no /dev/misc/dlm-control: install DLM's udev rules (or ln -s . /dev/misc)"},
};

/* Of several the first is told. */
static void __attribute__((format(printf, 3, 4)))
say(struct locks_look *look, enum message message, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (look->problem[0] == '\0')
		message_vmake(look->problem, sizeof(look->problem), message, format, args);
	va_end(args);
}

static bool all_there(struct locks_look *look)
{
	for (unsigned i = 0; i < sizeof(missing) / sizeof(missing[0]); i++)
		if (access(missing[i].path, F_OK) != 0) {
			say(look, MSG_DLM_MISSING, "%s", missing[i].problem);
			return false;
		}
	return true;
}

/* 1, 0, or -1: dlm_controld does not answer. */
static int config_number(const char *option)
{
	char *text = calloc(1, DLMC_DUMP_SIZE + 1);
	int number = -1;
	const char *at;

	if (text == NULL)
		return -1;
	if (dlmc_dump_config(text) >= 0 && (at = strstr(text, option)) != NULL)
		number = atoi(at + strlen(option)) != 0;
	free(text);
	return number;
}

static bool cluster_good(struct locks_look *look, const char *cluster)
{
	char name[LOCKSPACE_NAME_MAX + 1];
	int error = lockspace_libdlm.cluster(NULL, name);

	if (error != 0) {
		say(look, MSG_DLM_CLUSTER_DIFFERS,
		    "dlm_controld has not told the kernel its cluster: restart it");
		return false;
	}
	if (cluster[0] == '\0' || strcmp(name, cluster) == 0)
		return true;
	say(look, MSG_DLM_CLUSTER_DIFFERS,
	    "DLM belongs to cluster %s, corosync to %s: restart dlm_controld", name, cluster);
	return false;
}

static void lockspace_look(struct locks_look *look)
{
	struct dlmc_lockspace space;

	memset(&space, 0, sizeof(space));
	if (dlmc_lockspace_info((char *)(uintptr_t)LOCKS_DLM_LOCKSPACE, &space) != 0)
		return;
	look->recovering = (space.flags & DLMC_LF_KERNEL_STOPPED) != 0;
	switch (space.cg_next.wait_condition) {
	case DLMC_LS_WAIT_QUORUM:
		say(look, MSG_DLM_WAITS_FOR_QUORUM, "DLM waits for quorum: start the other nodes");
		break;
	case DLMC_LS_WAIT_FENCING:
		say(look, MSG_DLM_WAITS_FOR_FENCING,
		    "DLM waits until a node is fenced: see 'dlm_tool status', and "
		    "'dlm_tool fence_ack NODE' once it is off for certain");
		break;
	default:
		break;
	}
}

static void look_at_dlm(void *context, const char *cluster, struct locks_look *ret)
{
	struct locks_look look = {0};
	int fencing;

	(void)context;
	if (all_there(&look)) {
		fencing = config_number("enable_fencing=");
		look.fencing = fencing == 1;
		if (fencing < 0)
			say(&look, MSG_DLM_CONTROLD_AWAY,
			    "dlm_controld does not answer: start it (after corosync); if it "
			    "died, restart this node");
		else
			look.can_join = cluster_good(&look, cluster);
		if (look.can_join)
			lockspace_look(&look);
		if (fencing == 0)
			say(&look, MSG_FENCING_DISABLED,
			    "fencing is disabled (enable_fencing=0 in dlm.conf): a node "
			    "that is only cut off counts as dead and may write all the same");
	}
	*ret = look;
}

/* Until the next look is due, or something has changed. False: it is over. */
static bool look_wait(struct locks_dlm *l, char cluster[LOCKSPACE_NAME_MAX + 1])
{
	struct timespec until;
	bool end;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LOOK_SECONDS;
	pthread_mutex_lock(&l->mutex);
	while (!l->end && strcmp(cluster, l->cluster) == 0)
		if (pthread_cond_timedwait(&l->changed_cond, &l->mutex, &until) != 0)
			break;
	end = l->end;
	strcpy(cluster, l->cluster);
	pthread_mutex_unlock(&l->mutex);
	return !end;
}

void *locks_dlm_look_main(void *argument)
{
	struct locks_dlm *l = argument;
	char cluster[sizeof(l->cluster)] = "";
	struct locks_look look;

	pthread_setschedparam(pthread_self(), SCHED_OTHER, &(struct sched_param){0});
	if (l->world.apart)
		(void)files_apart(l->fd[0]);
	do {
		l->world.look(l->world.context, cluster, &look);
		pthread_mutex_lock(&l->mutex);
		if (look.can_join && !l->look.can_join && !l->end)
			locks_poke(l->fd[0]);
		l->look = look;
		pthread_mutex_unlock(&l->mutex);
	} while (look_wait(l, cluster));
	locks_dlm_thread_ended(l, &l->look_ended);
	return NULL;
}

int locks_dlm_create(locks_dlm_locked_fn locked, void *context, struct locks_dlm **ret)
{
	const struct locks_world dlm = {
	    .backend = &lockspace_libdlm,
	    .look = look_at_dlm,
	    .apart = true,
	};

	return locks_dlm_create_in(&dlm, locked, context, ret);
}
