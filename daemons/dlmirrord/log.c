/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a log in the daemon: its memory, its file in RUN_DIR/logs, its core, and its end. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "daemons/dlmirrord/daemon.h"
#include "daemons/dlmirrord/group_local.h"

static void core_config(struct daemon *d, const struct log *log,
			const struct statefile_header *header, struct mlog_config *ret)
{
	*ret = (struct mlog_config){
	    .region_count = log->table.region_count,
	    .region_sectors = log->table.region_sectors,
	    .revision = log->table.revision,
	    .sync = header->stale ? MLOG_SYNC_FORCE : log->table.sync,
	    .has_disk = log->table.has_disk,
	    .page_bytes = header->page_bytes,
	    .hysteresis_ms = d->config.hysteresis_ms,
	    .sync_delay_ms = d->config.sync_delay_ms,
	    .retry_ms = d->config.retry_ms,
	    .log_timeout_ms = d->config.log_timeout_ms,
	    .lease = MLOG_LEASE_MAX,
	    .copies = d->config.copies,
	    .node = daemon_node(d, NULL),
	    .members = header->members,
	    .incarnation = &d->incarnation,
	};
	/* One region per gap makes the rate. */
	ret->busy_gap_ms =
	    1 + (uint32_t)(log->table.region_sectors * 1000U / 2048U / d->config.busy_mib_s);
}

void log_free(struct log *log)
{
	pthread_mutex_destroy(&log->mark_lock);
	free(log->remains);
	free(log);
}

struct log *log_alloc(struct daemon *d, const struct statefile_header *header)
{
	struct log *log = calloc(1, sizeof(*log));
	pthread_mutexattr_t attribute;

	if (log == NULL)
		return NULL;
	log->daemon = d;
	log->luid = header->luid;
	log->version = header->version;
	memcpy(log->uuid, header->uuid, sizeof(log->uuid));
	memcpy(log->args, header->args, sizeof(log->args));
	pthread_mutexattr_init(&attribute);
	pthread_mutexattr_setprotocol(&attribute, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&log->mark_lock, &attribute);
	pthread_mutexattr_destroy(&attribute);
	return log;
}

void log_bind(struct log *log, const struct statefile_header *header)
{
	log->page_bytes = header->page_bytes;
	log->members = header->members;
	hot_bind(&log->hot, log->state.maps, header->region_count, header->shift);
}

int log_start(struct log *log, const struct statefile_header *header)
{
	struct cluster *cluster = log->daemon->cluster;
	struct mlog_config config;

	if (cluster != NULL && cluster_log_add(cluster, log) != 0)
		return -ENOMEM;
	core_config(log->daemon, log, header, &config);
	log->phase_told = atomic_load(&log->hot.shared->phase);
	log->pump = (struct pump){
	    .mlog = mlog_create(&config, &log->hot),
	    .ports = &ports,
	    .context = log,
	    .queue = &log->daemon->queue,
	};
	return log->pump.mlog == NULL ? -ENOMEM : registry_add(&log->daemon->registry, log);
}

void log_view(struct log *log)
{
	if (log->daemon->cluster != NULL)
		cluster_log_view(log->daemon->cluster, log);
	else
		group_local_view(&log->pump);
}

/* Every member's number is that of its slot, so all nodes must have the same idea of how many there
 * may be. */
static uint32_t members_max(const struct log *log)
{
	uint32_t slots =
	    log->storage != NULL ? storage_layout(log->storage)->slots : CLUSTER_MEMBERS_DEFAULT;

	if (log->daemon->cluster == NULL)
		return 1;
	return slots < MLOG_MEMBERS_MAX ? slots : MLOG_MEMBERS_MAX;
}

void log_device_name(struct log *log)
{
	dev_t devno;

	if (log->table.has_disk && devmap_number(log->table.device, &devno) == 0)
		snprintf(log->device, sizeof(log->device), "%u:%u", major(devno), minor(devno));
	else
		snprintf(log->device, sizeof(log->device), "%s", log->table.device);
}

int log_make(struct log *log, struct statefile_header *header, struct storage *storage,
	     const struct log *like, char error[STORAGE_ERROR_SIZE])
{
	int code = 0;

	header->region_count = log->table.region_count;
	header->page_bytes = DISK_UNIT;
	if (like != NULL) {
		header->shift = like->hot.shift;
		header->page_bytes = like->page_bytes;
	}
	if (storage != NULL) {
		code = log_device_use(log, storage, error);
		if (code != 0)
			return code;
		header->shift = storage_layout(log->storage)->shift;
		header->page_bytes = storage_page_bytes(log->storage);
	}
	header->clustered = log->daemon->cluster != NULL;
	header->members = like != NULL ? like->members : members_max(log);
	log_device_name(log);
	code = statefile_create(log->daemon->config.run_dir, header, &log->state);
	if (code == 0) {
		log_bind(log, header);
		code = log_start(log, header);
	}
	if (code == 0)
		log_view(log);
	if (code != 0)
		snprintf(error, STORAGE_ERROR_SIZE, "no memory for %" PRIu64 " regions: %s",
			 header->region_count, strerror(-code));
	return code;
}

void log_destroy(struct log *log, bool forget)
{
	struct daemon *d = log->daemon;

	registry_remove(&d->registry, log);
	while (log->awaiting_count > 0)
		free(log->awaiting[--log->awaiting_count]);
	if (d->cluster != NULL)
		cluster_log_gone(d->cluster, log, forget);
	else
		log->storage = storage_abandon(log->storage, NULL, NULL);
	log->pump.mlog = mlog_destroy(log->pump.mlog);
	statefile_close(&log->state, forget);
	log_free(log);
}
