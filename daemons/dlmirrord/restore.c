/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The logs that an earlier daemon left in RUN_DIR/logs become logs of this one. */
#include "daemons/dlmirrord/restore.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <qb/qbdefs.h>
#include <qb/qbloop.h>

#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/daemon.h"
#include "daemons/dlmirrord/message_log.h"

#define LEFT_MS 1000U /* before what could not be restored is tried again */

bool restore_is_left(const struct daemon *d, uint64_t luid)
{
	char path[1024];

	snprintf(path, sizeof(path), "%s/logs/%016" PRIx64, d->config.run_dir, luid);
	return d->left && access(path, F_OK) == 0;
}

/* The next file of a log; false: that was the last. */
static bool statefile_next(const struct daemon *d, DIR *directory, char *ret, size_t size)
{
	struct dirent *entry;

	do
		entry = directory != NULL ? readdir(directory) : NULL;
	while (entry != NULL && entry->d_name[0] == '.');
	if (entry != NULL)
		snprintf(ret, size, "%s/logs/%s", d->config.run_dir, entry->d_name);
	return entry != NULL;
}

static DIR *statefiles_open(const struct daemon *d)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/logs", d->config.run_dir);
	return opendir(path);
}

int restore_check(struct daemon *d)
{
	DIR *directory = statefiles_open(d);
	struct statefile_header header;
	struct statefile state;
	char path[1024];
	int code = 0;

	while (code == 0 && statefile_next(d, directory, path, sizeof(path))) {
		code = statefile_open(path, &header, &state);
		if (code == 0)
			statefile_close(&state, false);
		else if (code == -ENOENT)
			code = 0; /* ended meanwhile */
	}
	if (code != 0)
		message_log(
		    LOG_ERR, MSG_STATE_NOT_TAKEN_OVER,
		    "%s cannot be taken over by this dlmirrord (%s): remove the mirrors, or stop "
		    "the daemon with --force and start this one, which then compares all of "
		    "each mirror",
		    path,
		    code == -EPROTONOSUPPORT ? "its format is another version's" : strerror(-code));
	if (directory != NULL)
		closedir(directory);
	return code;
}

bool restore_fits(struct daemon *d)
{
	DIR *directory = statefiles_open(d);
	struct statefile_header header;
	struct statefile state;
	char path[1024];
	bool fits = true;

	while (fits && statefile_next(d, directory, path, sizeof(path))) {
		if (statefile_open(path, &header, &state) != 0)
			continue; /* told when it is restored */
		statefile_close(&state, false);
		fits = header.clustered == (d->cluster != NULL);
		if (!fits)
			message_log(
			    LOG_ERR, MSG_CLUSTER_MODE_DIFFERS,
			    "%s is active and was loaded %s: set enabled = %s in section [cluster] "
			    "of %s, or stop it first",
			    header.uuid, header.clustered ? "in a cluster" : "on this node alone",
			    header.clustered ? "yes" : "no", d->config_path);
	}
	if (directory != NULL)
		closedir(directory);
	return fits;
}

static bool mirror_exists(const struct devmap_mirror *mirror, unsigned count, const char *uuid)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(mirror[i].uuid, uuid) == 0)
			return true;
	return false;
}

static bool no_memory(int code)
{
	return code == -ENOMEM || code == -EMFILE || code == -ENFILE;
}

/* A log on its way back. */
struct restoring {
	STAILQ_ENTRY(restoring) next;
	struct log *log;
	struct statefile_header header;
};

STAILQ_HEAD(restorings, restoring);

static struct restoring *restoring_make(struct daemon *d, const struct statefile_header *header,
					const struct statefile *state)
{
	struct restoring *r = calloc(1, sizeof(*r));
	struct log *log = log_alloc(d, header);

	if (r == NULL || log == NULL) {
		free(r);
		if (log != NULL)
			log_free(log);
		return NULL;
	}
	r->log = log;
	r->header = *header;
	log->state = *state;
	log->restored = true;
	log->reconnected = true; /* if it was, the last daemon knew */
	log_bind(log, header);
	return r;
}

static void on_restoring_opened(void *context, int code, struct storage *storage, const char *text)
{
	struct log *log = ((struct restoring *)context)->log;
	char unfit[STORAGE_ERROR_SIZE];

	if (code == 0) {
		code = log_device_use(log, storage, unfit);
		text = unfit;
	}
	if (code != 0)
		message_log(LOG_ERR, MSG_LOG_DEVICE_UNUSABLE, "%s: %s", log->uuid, text);
}

/*
 * A log device that was whole is gone on with where the last daemon stopped, so it is opened now.
 * Any other is opened when the core loads it, and nobody else waits for it; so is that of a log
 * which was left, because the others are served already.
 */
static int restoring_open(struct daemon *d, struct restoring *r)
{
	struct log *log = r->log;
	char error[STORAGE_ERROR_SIZE];
	int code = table_parse(log->args, strlen(log->args), &log->table, error);

	if (code != 0) {
		message_log(LOG_CRIT, MSG_LOG_NOT_RESTORED, "%s: cannot be restored: %s", log->uuid,
			    error);
		return code;
	}
	log_device_name(log);
	if (d->unplanned || d->left || !log->table.has_disk ||
	    atomic_load(&log->hot.shared->whole) == 0)
		return 0;
	if (log_device_open(d, log->uuid, &log->table, on_restoring_opened, r, error) != 0)
		message_log(LOG_ERR, MSG_LOG_DEVICE_UNUSABLE, "%s: %s", log->uuid, error);
	return 0;
}

static void restoring_drop(struct restoring *r)
{
	struct log *log = r->log;

	log->storage = storage_close(log->storage);
	log->pump.mlog = mlog_destroy(log->pump.mlog);
	statefile_close(&log->state, false);
	log_free(log);
	free(r);
}

/* False: there is no memory for it now. */
static bool restoring_end(struct daemon *d, struct restoring *r)
{
	struct mlog_event event = {.kind = MLOG_EV_RESTORED};
	struct log *log = r->log;
	int code = log_start(log, &r->header);

	if (code != 0) {
		if (!no_memory(code))
			message_log(LOG_CRIT, MSG_LOG_NOT_RESTORED, "%s: cannot be restored: %s",
				    log->uuid, strerror(-code));
		restoring_drop(r);
		return !no_memory(code);
	}
	/* Who had to wait may have been told that there is no such log. */
	event.handed_over =
	    !d->unplanned && !d->left && (log->storage != NULL || !log->table.has_disk);
	pump_event(&log->pump, &event);
	log_view(log);
	rate_restore(log);
	if ((d->unplanned || d->left) &&
	    atomic_load(&log->hot.shared->suspect) != SUSPECT_RESETTING)
		atomic_store(&log->hot.shared->suspect, SUSPECT_NEW);
	message_log(LOG_INFO, MSG_LOG_RESTORED, "%s: log %016" PRIx64 " restored", log->uuid,
		    log->luid);
	free(r);
	if (d->left)
		daemon_suspect(log);
	return true;
}

/* False: there is no memory for it now. */
static bool restore_one(struct daemon *d, const char *path, const struct devmap_mirror *mirror,
			unsigned mirrors, bool mirrors_known, struct restorings *list)
{
	struct statefile_header header;
	struct statefile state;
	struct restoring *r;
	int code = statefile_open(path, &header, &state);

	if (no_memory(code))
		return false;
	if (code != 0) {
		message_log(LOG_ERR, MSG_STATE_UNUSABLE,
			    "%s is not usable (%s): its mirror will be compared as a whole", path,
			    strerror(-code));
		remove(path);
		return true;
	}
	if (mirrors_known && !mirror_exists(mirror, mirrors, header.uuid)) {
		message_log(LOG_NOTICE, MSG_TABLE_LOST, "%s: its mirror was removed meanwhile",
			    header.uuid);
		statefile_close(&state, true);
		return true;
	}
	r = restoring_make(d, &header, &state);
	if (r == NULL) {
		statefile_close(&state, false);
		return false;
	}
	if (restoring_open(d, r) != 0)
		restoring_drop(r);
	else
		STAILQ_INSERT_TAIL(list, r, next);
	return true;
}

/* Opened all at once: those that do not answer are given up together. */
static bool restorings_end(struct daemon *d, struct restorings *list)
{
	struct restoring *r;
	uint64_t until_ms;
	bool all = true;

	/* What is being opened later is not of this list, and nobody waits for it. */
	while (!d->left && (until_ms = opener_expire(d->opener, clock_ms())) != 0)
		if (opener_wait(d->opener, until_ms))
			opener_dispatch(d->opener);
	while ((r = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, next);
		all = restoring_end(d, r) && all;
	}
	return all;
}

static bool has_log(const struct daemon *d, const char *path)
{
	return registry_find(&d->registry, strtoull(strrchr(path, '/') + 1, NULL, 16)) != NULL;
}

/* All that are no logs yet; false: some still are not. */
static bool restore_all(struct daemon *d, const struct devmap_mirror *mirror, unsigned mirrors,
			bool mirrors_known)
{
	struct restorings list = STAILQ_HEAD_INITIALIZER(list);
	DIR *directory = statefiles_open(d);
	char path[1024];
	/* Where it is not there, there are no files. */
	bool all = directory != NULL || !no_memory(-errno);

	while (statefile_next(d, directory, path, sizeof(path)))
		if (!has_log(d, path))
			all = restore_one(d, path, mirror, mirrors, mirrors_known, &list) && all;
	if (directory != NULL)
		closedir(directory);
	return restorings_end(d, &list) && all;
}

bool restore_left(struct daemon *d)
{
	d->left = !restore_all(d, NULL, 0, false);
	daemon_lost(d);
	return !d->left;
}

static void left_later(struct daemon *d);

static void on_left(void *context)
{
	struct daemon *d = context;

	daemon_enter(d);
	if (d->left && !restore_left(d))
		left_later(d);
	daemon_leave(d);
}

static void left_later(struct daemon *d)
{
	qb_loop_timer_handle timer;

	qb_loop_timer_add(d->loop, QB_LOOP_MED, LEFT_MS * QB_TIME_NS_IN_MSEC, d, on_left, &timer);
}

/* What the kernel has, and no file tells of. */
static void lost_note(struct daemon *d, const struct devmap_mirror *mirror, unsigned count)
{
	d->lost = calloc(count + 1U, sizeof(*d->lost));
	for (unsigned i = 0; i < count && d->lost != NULL; i++)
		if (mirror[i].live && registry_find_name(&d->registry, mirror[i].uuid) == NULL)
			memcpy(d->lost[d->lost_count++], mirror[i].uuid, sizeof(*d->lost));
}

void restore_logs(struct daemon *d)
{
	struct devmap_mirror *mirror = NULL;
	unsigned mirrors = 0;
	/* Handed over there was no gap in which a mirror could have gone. */
	int error = d->unplanned ? devmap_scan(&mirror, &mirrors) : -EALREADY;

	if (error != 0 && error != -EALREADY)
		message_log(LOG_WARNING, MSG_DEVICE_MAPPER_FAILED,
			    "cannot ask device-mapper for its mirrors: %s", strerror(-error));
	d->left = !restore_all(d, mirror, mirrors, error == 0);
	if (error == 0)
		lost_note(d, mirror, mirrors);
	free(mirror);
	if (!d->left)
		return;
	message_log(LOG_CRIT, MSG_DAEMON_NO_MEMORY,
		    "no memory or files for all mirrors, I/O of some waits: free memory; they "
		    "are tried again every second");
	left_later(d);
}
