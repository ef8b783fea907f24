/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests about logs: CTR makes one, DTR ends it, STATUS describes it. A luid is a kernel pointer
 * and is used again, and a daemon may have missed anything, so every CTR is one of:
 *
 *	first CTR (no final NUL), luid unknown or known only from before: a new log
 *	first CTR again, nothing happened since (its reply was late): the same reply again
 *	reconnect (final NUL), log known: success, no data; requests were lost
 *	reconnect, log unknown: a new log, no data; one without use if its device has had a later table
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "daemons/dlmirrord/daemon.h"
#include "daemons/dlmirrord/kernel_netlink.h"
#include "daemons/dlmirrord/message_log.h"
#include "daemons/dlmirrord/restore.h"

static void reply(struct daemon *d, const struct kmsg *k, int error, const void *data, size_t size)
{
	uint8_t datagram[KMSG_SIZE_MAX];

	kernel_netlink_send(
	    d->handover.socket[0], datagram,
	    kmsg_encode_reply(k, error, data, (uint32_t)size, datagram, sizeof(datagram)));
}

/* ---- CTR */

static enum mlog_phase log_phase(const struct log *log)
{
	struct mlog_status status;

	mlog_status(log->pump.mlog, &status);
	return status.phase;
}

static void ctr_reply(struct log *log, const struct kmsg *k, bool reconnect)
{
	/* The device name, with its NUL, tells the kernel to hold the device. Protocol 1 has no
	 * data, and a reconnect has no room for it. */
	bool with_device = log->table.has_disk && !reconnect && k->version >= 2;

	reply(log->daemon, k, 0, with_device ? log->device : NULL,
	      with_device ? strlen(log->device) + 1 : 0);
}

/* Nobody reconnects who was heard. If the RESUME of a reconnect is lost as well, the kernel takes
 * what it was waiting for as an error, and concludes wrong things about regions. */
static void requests_lost(struct log *log)
{
	uint32_t suspect = atomic_load(&log->hot.shared->suspect);

	log->reconnected = true;
	if (suspect == SUSPECT_NEW || suspect == SUSPECT_RESETTING)
		return;
	atomic_store(&log->hot.shared->suspect, SUSPECT_NEW);
	if (atomic_load(&log->hot.shared->open) != 0)
		legs_suspect(log, false);
}

static void table_ended(struct log *log)
{
	pump_event(&log->pump, &(struct mlog_event){.kind = MLOG_EV_ENDED});
	log_destroy(log, true);
}

void control_removed(struct log *log)
{
	event_log(log, EVENT_TABLE_LOST, 0, "log %016" PRIx64 ": its mirror was removed unseen",
		  log->luid);
	/* What its kernel wrote on one leg only was to be compared. */
	if (log->table.has_disk)
		marker_set(log);
	table_ended(log);
}

/*
 * The next table's writes, and its mover, must not meet what this one's mover still copies: nothing
 * else keeps them apart. So what ends the log waits; meanwhile it goes on to answer the others, and
 * begins nothing more. The kernel repeats after 15 s what finds no room, or is not at hand (NULL).
 */
static bool copies_awaited(struct log *log, const struct handoff_item *item)
{
	struct handoff_item *copy;

	if (log->copies_out == 0)
		return false;
	pump_event(&log->pump, &(struct mlog_event){.kind = MLOG_EV_QUIESCE, .quiesce = true});
	copy =
	    item != NULL && log->awaiting_count < LOG_AWAITING_MAX ? malloc(sizeof(*copy)) : NULL;
	if (copy != NULL) {
		memcpy(copy, item, sizeof(*copy));
		log->awaiting[log->awaiting_count++] = copy;
	}
	return true;
}

void control_copies_ended(struct log *log)
{
	struct daemon *d = log->daemon;
	struct handoff_item *item[LOG_AWAITING_MAX];
	unsigned count = log->awaiting_count;

	memcpy(item, log->awaiting, sizeof(item));
	log->awaiting_count = 0;
	for (unsigned i = 0; i < count; i++) {
		control_item(d, item[i]);
		free(item[i]);
	}
}

/* A log that is not known yet: its CTR is answered when the log device has been opened. Any number
 * of the same CTR may be under way. */
struct constructor {
	LIST_ENTRY(constructor) next;
	struct daemon *daemon;
	struct kmsg k; /* without data */
	struct statefile_header header;
	struct table table;
	bool reconnect;
	bool outdated; /* the kernel has gone on: there is nothing to be made or answered */
};

/* True: the CTR has been answered, or will be. */
static bool ctr_known(struct daemon *d, const struct kmsg *k, const char *args, bool reconnect,
		      const struct handoff_item *item)
{
	struct log *log = registry_find(&d->registry, k->luid);
	bool same;

	if (log != NULL && hot_is_late(&log->hot, k->seq)) {
		ctr_reply(log, k, reconnect); /* it was repeated, and has been obeyed */
		return true;
	}
	same = log != NULL && strcmp(log->uuid, k->uuid) == 0 && strcmp(log->args, args) == 0;
	if (same)
		same = reconnect || log_phase(log) == MLOG_CREATED;
	if (same) {
		ctr_reply(log, k, reconnect);
		if (reconnect)
			requests_lost(log);
		return true;
	}
	if (log != NULL && copies_awaited(log, item))
		return true;
	if (log != NULL) {
		event_log(log, EVENT_TABLE_LOST, 0, "log %016" PRIx64 " ended without a word",
			  log->luid);
		table_ended(log);
	}
	return false;
}

static void constructor_refuse(const struct constructor *c, int code, const char *error)
{
	message_log(LOG_ERR, MSG_LOG_NOT_MADE, "%s: cannot make a log of '%s': %s", c->header.uuid,
		    c->header.args, error);
	reload_refused(c->daemon->reloads, c->header.uuid, error);
	reply(c->daemon, &c->k, code, NULL, 0);
}

/* storage: NULL where there is none, or it has refused what is outlived, or has failed like. */
static void constructor_make(struct constructor *c, struct storage *storage, bool outlived,
			     const struct log *like)
{
	char error[STORAGE_ERROR_SIZE] = "no memory";
	struct log *log = log_alloc(c->daemon, &c->header);
	int code = -ENOMEM;

	if (log == NULL) {
		storage_close(storage);
	} else {
		log->table = c->table;
		log->outlived = outlived;
		code = log_make(log, &c->header, storage, like, error);
	}
	if (code == 0) {
		/* Where nothing else is asked, what comes next is no repetition of it either. */
		atomic_store(&log->hot.shared->last_seq, c->k.seq);
		event_log(log, EVENT_TABLE_LOADED, 0, "log %016" PRIx64 ": %s", log->luid,
			  log->args);
		log->blind = c->reconnect;
		rate_follow(log);
		ctr_reply(log, &c->k, c->reconnect);
		if (c->reconnect)
			requests_lost(log);
		return;
	}
	constructor_refuse(c, code, error);
	if (log == NULL)
		return;
	log->storage = storage_close(log->storage);
	log->pump.mlog = mlog_destroy(log->pump.mlog);
	statefile_close(&log->state, true);
	log_free(log);
}

/* Some thread in the kernel still asks for a table that has been replaced, and whose log is
 * forgotten: refused, it would ask for ever, and the table would never go. Whose kernel has used a
 * later table uses this one no more. */
static bool is_outlived(const struct constructor *c)
{
	const struct registry *r = &c->daemon->registry;

	for (size_t i = 0; c->reconnect && i < r->count; i++)
		if (strcmp(r->log[i]->uuid, c->header.uuid) == 0 &&
		    r->log[i]->table.revision > c->table.revision &&
		    log_phase(r->log[i]) != MLOG_CREATED)
			return true;
	return false;
}

static bool log_in_use(const struct log *log)
{
	enum mlog_phase phase = log_phase(log);

	return phase != MLOG_CREATED && phase != MLOG_SUSPENDED;
}

/* The mirror is in use with that log device. Should it fail, the next table need not wait for it: its
 * log looks at it when it tries to load it, as an earlier daemon's does. Not when it is back with
 * another size, for which only a log that has looked is right. */
static const struct log *alike(const struct constructor *c)
{
	const struct registry *r = &c->daemon->registry;

	for (size_t i = 0; i < r->count; i++) {
		const struct log *log = r->log[i];

		if (strcmp(log->uuid, c->header.uuid) != 0 || !log_in_use(log) ||
		    strcmp(log->table.device, c->table.device) != 0 ||
		    log->table.region_count != c->table.region_count ||
		    log->table.region_sectors != c->table.region_sectors ||
		    log->table.revision > c->table.revision || log->log_error == -ENOSPC)
			continue;
		return log;
	}
	return NULL;
}

static const struct log *failed_alike(const struct constructor *c)
{
	const struct log *log = alike(c);
	struct mlog_status status;

	if (log == NULL)
		return NULL;
	mlog_status(log->pump.mlog, &status);
	return status.log == MLOG_LOG_FAILED ? log : NULL;
}

/* Does the device not answer, or with an error of its own? Who has written nothing since may be the
 * first here to learn that. */
static bool is_away(int code)
{
	static const int away[] = {EIO,	      ENXIO,	 ENODEV,  ENOENT,
				   ETIMEDOUT, EREMOTEIO, ENOLINK, ENODATA};

	for (size_t i = 0; i < sizeof(away) / sizeof(away[0]); i++)
		if (code == -away[i])
			return true;
	return false;
}

static void on_constructor_opened(void *context, int code, struct storage *storage,
				  const char *text)
{
	struct constructor *c = context;
	const struct log *like;

	LIST_REMOVE(c, next);
	/* The same CTR may have been answered meanwhile. */
	if (c->outdated || ctr_known(c->daemon, &c->k, c->header.args, c->reconnect, NULL)) {
		storage_close(storage);
		free(c);
		return;
	}
	/* Only now: what had that luid before has ended. */
	like = is_away(code) ? alike(c) : NULL;
	if (code == 0)
		constructor_make(c, storage, false, NULL);
	else if (is_outlived(c))
		constructor_make(c, NULL, true, NULL);
	else if (like != NULL)
		constructor_make(c, NULL, false, like);
	else
		constructor_refuse(c, code, text);
	free(c);
}

static void constructor_begin(struct constructor *c)
{
	char error[STORAGE_ERROR_SIZE];
	const struct log *like = NULL;
	int code = table_parse(c->header.args, strlen(c->header.args), &c->table, error);
	uint32_t other = reload_forbids(c->daemon->reloads, c->header.uuid);
	const char *why;

	if (code == 0 && other != 0) {
		message_make(error, sizeof(error), MSG_NOT_NOW,
			     "node %" PRIu32
			     " is giving it another table: use that when it has done so",
			     other);
		code = -EBUSY;
	}
	if (code == 0 && daemon_node(c->daemon, &why) == 0) {
		snprintf(error, sizeof(error), "%s", why);
		code = -ENOTCONN;
	}
	if (code == 0 && c->table.has_disk)
		like = failed_alike(c);
	if (code == 0 && c->table.has_disk && like == NULL) {
		code = log_device_open(c->daemon, c->header.uuid, &c->table, on_constructor_opened,
				       c, error);
		if (code == 0) {
			LIST_INSERT_HEAD(&c->daemon->constructors, c, next);
			return;
		}
		like = is_away(code) ? alike(c) : NULL;
	}
	if (code == 0 || like != NULL)
		constructor_make(c, NULL, false, like);
	else
		constructor_refuse(c, code, error);
	free(c);
}

/* The kernel's object of this luid has ended, or is another one: args NULL, or its arguments. */
static void constructors_outdate(struct daemon *d, const struct kmsg *k, const char *args)
{
	struct constructor *c;

	LIST_FOREACH (c, &d->constructors, next)
		if (c->k.luid == k->luid && (args == NULL || strcmp(c->header.uuid, k->uuid) != 0 ||
					     strcmp(c->header.args, args) != 0))
			c->outdated = true;
}

static void control_ctr(struct daemon *d, const struct kmsg *k, const struct handoff_item *item)
{
	bool reconnect = k->data_size > 0 && k->data[k->data_size - 1] == '\0';
	char args[STATEFILE_ARGS_SIZE] = "";
	struct constructor *c;

	memcpy(args, k->data, k->data_size);
	constructors_outdate(d, k, args);
	if (ctr_known(d, k, args, reconnect, item))
		return;
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		message_log(LOG_ERR, MSG_DAEMON_NO_MEMORY,
			    "%s: cannot make a log of '%s': no memory", k->uuid, args);
		reply(d, k, -ENOMEM, NULL, 0);
		return;
	}
	c->daemon = d;
	c->k = *k;
	c->k.data = NULL;
	c->k.data_size = 0;
	c->reconnect = reconnect;
	c->header.luid = k->luid;
	c->header.version = k->version;
	c->header.stale = reload_makes_stale(d->reloads, k->uuid);
	memcpy(c->header.uuid, k->uuid, sizeof(c->header.uuid));
	memcpy(c->header.args, args, sizeof(c->header.args));
	constructor_begin(c);
}

/* ---- the others */

static void control_dtr(struct daemon *d, const struct kmsg *k, struct log *log,
			const struct handoff_item *item)
{
	constructors_outdate(d, k, NULL);
	if (log != NULL && !hot_is_late(&log->hot, k->seq)) {
		if (copies_awaited(log, item))
			return;
		event_log(log, EVENT_TABLE_GONE, 0, "log %016" PRIx64 " ended", log->luid);
		table_ended(log);
	}
	reply(d, k, 0, NULL, 0);
}

static void control_status(struct log *log, const struct kmsg *k)
{
	char text[KMSG_DATA_MAX];
	struct mlog_status status;
	int length;

	mlog_status(log->pump.mlog, &status);
	if (k->type == ULOG_STATUS_INFO)
		length = table_status_info(&log->table, log->device, status.log != MLOG_LOG_FAILED,
					   text, sizeof(text));
	else
		length = table_status_table(&log->table, text, sizeof(text));
	if (length < 0)
		reply(log->daemon, k, length, NULL, 0);
	else
		reply(log->daemon, k, 0, text, (size_t)length + 1);
}

/* ---- several tables of one mirror: at most one is in use */

static bool same_mirror(const struct log *a, const struct log *b)
{
	return a != b && strcmp(a->uuid, b->uuid) == 0;
}

static bool another_in_use(const struct log *log)
{
	const struct registry *r = &log->daemon->registry;

	for (size_t i = 0; i < r->count; i++)
		if (same_mirror(r->log[i], log) && log_in_use(r->log[i]))
			return true;
	return false;
}

/* A table that is not in use must not speak for the node while another of the mirror is. */
bool control_listens(const struct log *log)
{
	return log_in_use(log) || !another_in_use(log);
}

/* A reload has brought another log device, which was made ready for this table. */
static bool succeeds(const struct log *log, const struct log *from)
{
	return log_phase(from) == MLOG_SUSPENDED && log->storage != NULL &&
	       storage_prepared(log->storage) && log->table.revision > from->table.revision &&
	       strcmp(from->device, log->device) != 0;
}

/* What the earlier log wrote when it was suspended is what this one reads. Where that is not to be
 * had (no log device, another one, or it has failed), it takes over what is known in memory. */
static int inherit(struct log *log, const struct log *from)
{
	struct mlog_status status;

	mlog_status(from->pump.mlog, &status);
	legs_reloaded(log, from);
	log->follows = true;
	log->succeeds = succeeds(log, from);
	mlog_follow(log->pump.mlog, from->pump.mlog, log->succeeds);
	if (log->succeeds)
		return 0;
	if (!log->table.has_disk || strcmp(from->device, log->device) != 0 ||
	    (status.phase == MLOG_SUSPENDED &&
	     (status.log == MLOG_LOG_FAILED || status.log == MLOG_LOG_NONE)))
		return mlog_inherit(log->pump.mlog, from->pump.mlog);
	return 0;
}

/* A suspend that we did not hear of: no daemon listened, or the receive buffer was full. */
static bool may_be_over(const struct log *log)
{
	return log->restored ||
	       atomic_load(&responders_counters(log->daemon->responders)->overruns) != 0;
}

static bool others_awaited(const struct log *log, const struct handoff_item *item)
{
	const struct registry *r = &log->daemon->registry;

	for (size_t i = 0; i < r->count; i++)
		if (same_mirror(r->log[i], log) && log_in_use(r->log[i]) &&
		    may_be_over(r->log[i]) && copies_awaited(r->log[i], item))
			return true;
	return false;
}

/*
 * The table of this log is in use, so those that look so are not any more. Their marks count as
 * crash-dirty: with a log device they are on it, and it says "in use". -EBUSY: the item waits for
 * their copies; -ENOMEM: it is to be asked again.
 */
static int others_end(struct log *log, const struct handoff_item *item)
{
	struct registry *r = &log->daemon->registry;
	int code;

	if (others_awaited(log, item))
		return -EBUSY;
	for (size_t i = 0; i < r->count; i++) {
		struct log *from = r->log[i];

		if (!same_mirror(from, log) || !log_in_use(from))
			continue;
		if (!may_be_over(from)) {
			message_log(LOG_ERR, MSG_TWO_DEVICES_ONE_LOG,
				    "%s: two active devices have this log; remove one of them",
				    log->uuid);
			continue;
		}
		message_log(LOG_NOTICE, MSG_TABLE_LOST,
			    "%s: log %016" PRIx64 " was replaced unseen", from->uuid, from->luid);
		code = inherit(log, from);
		if (code != 0)
			return code;
		log_destroy(from, true);
		i--;
	}
	return 0;
}

/* A table reload hands the device over. Returns what others_end() does. */
static int take_over(struct log *log, const struct handoff_item *item)
{
	const struct registry *r = &log->daemon->registry;
	int code = 0;

	for (size_t i = 0; i < r->count && code == 0; i++)
		if (same_mirror(r->log[i], log) && log_phase(r->log[i]) == MLOG_SUSPENDED)
			code = inherit(log, r->log[i]);
	return code != 0 ? code : others_end(log, item);
}

/*
 * True: somebody in the kernel waits with a table that is not in use, and has found us again. That
 * is no attach, and what he asks is no matter; he hears 0, because -ESRCH would send him round for
 * ever.
 */
static bool is_straggler(const struct log *log, const struct mlog_request *request)
{
	if (log->outlived)
		return true;
	if (log_in_use(log) || !another_in_use(log))
		return false;
	if (log_phase(log) == MLOG_SUSPENDED)
		return true;
	return !kmsg_proves_use(request, log->reconnected) &&
	       request->type != ULOG_GET_REGION_SIZE && request->type != ULOG_GET_SYNC_COUNT;
}

/* Does it prove that the others' tables are not in use any more? */
static bool replaces(const struct log *log, const struct mlog_request *request)
{
	return !log_in_use(log) && another_in_use(log) &&
	       kmsg_proves_use(request, log->reconnected);
}

/* The request says that the log's table is in use now: what other tables know becomes its own.
 * Returns what others_end() does. */
static int begins(struct log *log, const struct mlog_request *request,
		  const struct handoff_item *item)
{
	int code = replaces(log, request) ? others_end(log, item) : 0;

	if (code == 0 && request->type == ULOG_RESUME && log_phase(log) == MLOG_CREATED)
		code = take_over(log, item);
	return code;
}

static void straggler_reply(const struct log *log, const struct kmsg *k)
{
	static const uint64_t nothing[2];

	reply(log->daemon, k, 0, nothing, kmsg_reply_size(k->type));
}

static void control_request(struct log *log, const struct kmsg *k, const struct handoff_item *item)
{
	struct mlog_request request;
	enum kmsg_problem problem = kmsg_request(k, log->hot.regions, &request);
	int code;

	if (problem != KMSG_OK) {
		responders_malformed(log->daemon->responders, problem);
		reply(log->daemon, k, -EINVAL, NULL, 0);
		return;
	}
	if (is_straggler(log, &request)) {
		straggler_reply(log, k);
		return;
	}
	code = begins(log, &request, item);
	/* Not answered: the kernel asks again in 15 s, and no I/O fails meanwhile. */
	if (code == -ENOMEM)
		message_log(
		    LOG_CRIT, MSG_DAEMON_NO_MEMORY,
		    "%s: no memory to take over what is known of it, its I/O waits: free memory",
		    log->uuid);
	if (code != 0)
		return;
	if (k->type == ULOG_RESUME && log->daemon->cluster != NULL && !log_in_use(log) &&
	    !another_in_use(log))
		cluster_log_attach(log->daemon->cluster, log);
	ports_request(log, &request, k->request_type, item->received_us);
	if (k->type == ULOG_RESUME && atomic_load(&log->hot.shared->suspect) == SUSPECT_NEW)
		legs_suspect(log, false);
}

static void control_cleared(struct log *log, const struct kmsg *k)
{
	struct mlog_event event = {.kind = MLOG_EV_CLEARED};

	if (kmsg_request(k, log->hot.regions, &event.request) == KMSG_OK)
		pump_event(&log->pump, &event);
}

void control_item(struct daemon *d, const struct handoff_item *item)
{
	struct kmsg k;
	struct log *log;

	if (kmsg_decode(item->datagram, item->size, &k) != KMSG_OK)
		return; /* the responder has decoded it already */
	log = registry_find(&d->registry, k.luid);
	if (log != NULL && strcmp(log->uuid, k.uuid) != 0 && k.type != ULOG_CTR)
		log = NULL;
	if (item->cleared) {
		if (log != NULL)
			control_cleared(log, &k);
	} else if (k.type == ULOG_CTR && d->left && !restore_left(d)) {
		reply(d, &k, -ENOMEM, NULL, 0); /* it may need what another table's log knows */
	} else if (k.type == ULOG_CTR) {
		control_ctr(d, &k, item);
	} else if (k.type == ULOG_DTR && log == NULL && restore_is_left(d, k.luid)) {
		return; /* asked again in 15 s */
	} else if (k.type == ULOG_DTR) {
		control_dtr(d, &k, log, item);
	} else if (log == NULL) {
		/* The kernel answers this with CTR and RESUME, and we know the log again. */
		atomic_fetch_add(&d->unknown_log, 1);
		reply(d, &k, -ESRCH, NULL, 0);
	} else if (k.type == ULOG_STATUS_INFO || k.type == ULOG_STATUS_TABLE) {
		control_status(log, &k);
	} else {
		control_request(log, &k, item);
	}
}
