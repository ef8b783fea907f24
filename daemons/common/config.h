/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration file, dlmirror.conf(5), read by inih. One struct, one call. */
#ifndef DLM_CONFIG_H
#define DLM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config {
	/* [daemon] */
	bool responders;       /* one thread per CPU; false: single-thread mode */
	int realtime_priority; /* SCHED_FIFO of the responders, 0: none */
	uint32_t watchdog_s; /* the supervisor kills and restarts a daemon silent for this long; 0:
				off */
	uint32_t receive_buffer_mib; /* per netlink socket */
	char admin_group[64];	     /* empty: root only */
	char run_dir[256];	     /* /run/dlmirror */
	char state_dir[256];	     /* /var/lib/dlmirror */
	/* [log] */
	char level[16];	 /* error warning notice info debug trace */
	char target[16]; /* syslog or stderr */
	/* [host] */
	char host_id[65]; /* empty: /etc/machine-id, or the host name */
	/* [cluster] */
	bool cluster;	   /* with the daemons of other nodes, by corosync and DLM */
	uint32_t protocol; /* highest version of the group's that is spoken */
	/* [marks] */
	uint32_t hysteresis_ms;
	uint32_t sync_delay_ms;
	uint32_t log_timeout_ms;
	uint32_t retry_ms;
	uint32_t slots;
	/* [repair] */
	uint32_t copies;	/* regions at once */
	uint32_t busy_mib_s;	/* rate while there is other I/O */
	bool compare_after_gap; /* compare the legs after an unplanned gap of the daemon */
};

void config_default(struct config *ret);
/* Reads path over the defaults in config. A missing file is -ENOENT and leaves the defaults. A bad
 * line, an unknown section or option, or a value out of range is -EINVAL; error names file, line,
 * what is wrong and what would be right. */
int config_read(const char *path, struct config *config, char *error, size_t size);

#endif
