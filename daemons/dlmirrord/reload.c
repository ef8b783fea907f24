/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemons/dlmirrord/reload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemons/common/missing.h"
#include "daemons/common/plan_text.h"
#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/daemon.h"
#include "daemons/dlmirrord/message_log.h"
#include "daemons/dlmirrord/reload_course.h"
#include "daemons/dlmirrord/reload_note.h"

#define RELOADS_MAX 64U
#define SWEEPS	    40U /* s: more than the kernel takes to repeat what a dead daemon had read */
#define SWEEP_GAP   4U

struct reload {
	LIST_ENTRY(reload) next;
	struct reloads *owner;
	struct group_mirror mirror;
	char uuid[KMSG_UUID_SIZE]; /* empty: we do not have it */
	struct dlmirror_plan plan;
	struct plan_log log;
	struct course course;
	bool begun;	    /* else its PLAN has not been delivered yet */
	bool failed_before; /* it was not: course.why says why */
	bool recovered;	    /* of an earlier daemon; note is what it left */
	bool recovery_owed;
	/* The load or the suspend that the dead daemon had begun may end only now, when it has been
	 * undone. Ticks left to look for it. */
	unsigned sweeps;
	enum course_note note;
	int note_fd;
	uint64_t log_id;       /* of the live table, as it was */
	bool followed;	       /* the configuration has the new table */
	enum course_work owed; /* could not be begun for want of memory */
	uint64_t deadline_ms;  /* ours, until it is cancelled; 0: none */
	char refused[GROUP_TEXT_SIZE];
};

LIST_HEAD(reload_list, reload);

/* Alone: what we say to ourselves. */
struct spoken {
	STAILQ_ENTRY(spoken) next;
	struct group_mirror mirror;
	struct group_reload message;
};

STAILQ_HEAD(spoken_queue, spoken);

struct reloads {
	struct daemon *daemon;
	struct reload_list list;
	unsigned count;
	struct spoken_queue spoken;
	bool listening; /* to ourselves, further up */
};

static uint32_t self(const struct reloads *r)
{
	return daemon_node(r->daemon, NULL);
}

static bool over(const struct reload *reload)
{
	return reload->failed_before || (reload->begun && reload->course.phase == COURSE_OVER);
}

static struct reload *find(const struct reloads *r, const struct group_mirror *mirror,
			   struct group_task_id id)
{
	struct reload *reload;

	for (reload = LIST_FIRST(&r->list); reload != NULL; reload = LIST_NEXT(reload, next))
		if (group_mirror_same(&reload->mirror, mirror) &&
		    reload->course.id.node == id.node && reload->course.id.number == id.number)
			return reload;
	return NULL;
}

/* The last one of a mirror. */
static struct reload *find_uuid(const struct reloads *r, const char *uuid)
{
	struct group_mirror mirror;
	struct reload *reload;

	group_mirror_of(uuid, &mirror);
	for (reload = LIST_FIRST(&r->list); reload != NULL; reload = LIST_NEXT(reload, next))
		if (group_mirror_same(&reload->mirror, &mirror))
			return reload;
	return NULL;
}

static struct reload *under_way(const struct reloads *r, const struct group_mirror *mirror)
{
	struct reload *reload;

	for (reload = LIST_FIRST(&r->list); reload != NULL; reload = LIST_NEXT(reload, next))
		if (group_mirror_same(&reload->mirror, mirror) && reload->begun && !over(reload))
			return reload;
	return NULL;
}

static void drop(struct reload *reload)
{
	LIST_REMOVE(reload, next);
	reload->owner->count--;
	if (reload->note_fd >= 0)
		close(reload->note_fd);
	free(reload);
}

/* Older ones of the mirror are history; where there is no room, so are those of others. */
static void make_room(struct reloads *r, const struct group_mirror *mirror)
{
	struct reload *reload = LIST_FIRST(&r->list);
	struct reload *last = NULL;

	while (reload != NULL) {
		struct reload *next = LIST_NEXT(reload, next);

		if (over(reload) && group_mirror_same(&reload->mirror, mirror))
			drop(reload);
		else if (over(reload))
			last = reload;
		reload = next;
	}
	if (r->count >= RELOADS_MAX && last != NULL)
		drop(last);
}

static struct reload *add(struct reloads *r, const struct group_mirror *mirror,
			  struct group_task_id id)
{
	struct reload *reload;

	make_room(r, mirror);
	reload = r->count < RELOADS_MAX ? calloc(1, sizeof(*reload)) : NULL;
	if (reload == NULL)
		return NULL;
	reload->owner = r;
	reload->note_fd = -1;
	reload->mirror = *mirror;
	reload->course.id = id;
	LIST_INSERT_HEAD(&r->list, reload, next);
	r->count++;
	return reload;
}

/* ---- the note for the next daemon */

static void note_path(const struct reloads *r, const struct group_mirror *mirror, char *ret,
		      size_t size)
{
	int used = snprintf(ret, size, "%s/reloads/", r->daemon->config.run_dir);

	for (size_t i = 0; i < sizeof(mirror->byte) && (size_t)used < size; i++)
		used += snprintf(ret + used, size - (size_t)used, "%02x", mirror->byte[i]);
}

/* It is kept open and of one size, so that what is written later finds its memory. */
static int note_open(struct reload *reload)
{
	char path[640];

	if (reload->note_fd >= 0)
		return 0;
	note_path(reload->owner, &reload->mirror, path, sizeof(path));
	reload->note_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return reload->note_fd >= 0 ? 0 : -errno;
}

static void note_close(struct reload *reload)
{
	if (reload->note_fd >= 0)
		close(reload->note_fd);
	reload->note_fd = -1;
}

/* False: the next daemon will not know. */
static bool note_write(struct reload *reload)
{
	const struct course *c = &reload->course;
	struct reload_note note = {.id = c->id,
				   .known = course_note(c),
				   .self = c->self,
				   .count = c->count,
				   .plan = reload->plan,
				   .log = reload->log};

	if (note_open(reload) != 0)
		return false;
	for (uint32_t i = 0; i < c->count; i++) {
		note.node[i].node = c->node[i].node;
		note.node[i].part = c->node[i].part;
	}
	memcpy(note.uuid, reload->uuid, sizeof(note.uuid));
	return reload_note_write(reload->note_fd, &note);
}

static void note_take(struct reloads *r, const struct reload_note *note)
{
	struct group_mirror mirror;
	struct reload *reload;

	group_mirror_of(note->uuid, &mirror);
	reload = add(r, &mirror, note->id);
	if (reload == NULL)
		return;
	memcpy(reload->uuid, note->uuid, sizeof(reload->uuid));
	reload->recovered = true;
	reload->recovery_owed = true;
	reload->plan = note->plan;
	reload->log = note->log;
	reload->note = note->known;
	reload->course.self = note->self;
	for (uint32_t i = 0; i < note->count; i++)
		if (note->node[i].part)
			reload->course.node[reload->course.count++].node = note->node[i].node;
}

static void note_look(struct reloads *r, const char *path)
{
	struct reload_note note;
	FILE *file = fopen(path, "re");

	if (file == NULL)
		return;
	if (reload_note_read(file, &note))
		note_take(r, &note);
	fclose(file);
}

/* ---- saying */

static void listen_to_self(struct reloads *r)
{
	struct spoken *spoken;

	if (r->listening)
		return;
	r->listening = true;
	while ((spoken = STAILQ_FIRST(&r->spoken)) != NULL) {
		STAILQ_REMOVE_HEAD(&r->spoken, next);
		reload_message(r, &spoken->mirror, &spoken->message);
		free(spoken);
	}
	r->listening = false;
}

static void speak(struct reloads *r, const struct group_mirror *mirror,
		  const struct group_reload *message)
{
	struct spoken *spoken;

	if (r->daemon->cluster != NULL) {
		cluster_send_reload(r->daemon->cluster, mirror, message);
		return;
	}
	spoken = calloc(1, sizeof(*spoken));
	if (spoken == NULL) {
		message_log(LOG_CRIT, MSG_DAEMON_NO_MEMORY,
			    "no memory for a message about a reload: free memory");
		return;
	}
	spoken->mirror = *mirror;
	spoken->message = *message;
	STAILQ_INSERT_TAIL(&r->spoken, spoken, next);
}

static void say(struct reloads *r, const struct group_mirror *mirror, struct group_task_id id,
		enum group_reload_step step, enum group_reload_answer answer, const char *text)
{
	struct group_reload message = {.step = step, .from = self(r), .id = id, .answer = answer};

	snprintf(message.text, sizeof(message.text), "%s", text);
	/* What strerror() and paths say goes to terminals elsewhere. */
	for (char *c = message.text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	speak(r, mirror, &message);
}

/* ---- doing */

static void obey(struct reload *reload, const struct course_orders *orders);

static void did(struct reload *reload, enum group_reload_answer answer, const char *text)
{
	struct course_orders orders;

	course_did(&reload->course, answer, text, &orders);
	obey(reload, &orders);
	listen_to_self(reload->owner);
}

/* Returns text. */
static const char *__attribute__((format(printf, 4, 5)))
because(char *text, size_t size, enum message message, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	message_vmake(text, size, message, format, arguments);
	va_end(arguments);
	return text;
}

/* Reloads of the core's own must not come between. */
static void logs_hold(const struct reloads *r, const char *uuid, bool hold)
{
	const struct registry *registry = &r->daemon->registry;

	for (size_t i = 0; i < registry->count; i++)
		if (strcmp(registry->log[i]->uuid, uuid) == 0)
			registry->log[i]->reloading = hold;
}

static void __attribute__((format(printf, 4, 5)))
reload_tell(const struct reload *reload, enum event event, uint64_t value, const char *format, ...)
{
	const struct log *log = registry_find_name(&reload->owner->daemon->registry, reload->uuid);
	char text[DLMIRROR_TEXT_SIZE + 64];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	event_tell(reload->uuid, log != NULL ? log->name : "", NULL, event, value, "%s", text);
}

static void on_loaded(void *context, const char *uuid, int error, const char *text)
{
	struct reload *reload = context;

	(void)uuid;
	if (error == 0) {
		reload_tell(reload, EVENT_RELOAD_LOADED, 0, "the new table was loaded");
		did(reload, GROUP_RELOAD_YES, "");
		return;
	}
	reload_tell(reload, EVENT_RELOAD_REFUSED, 0, "the new table was not loaded: %s",
		    reload->refused[0] != '\0' ? reload->refused : text);
	logs_hold(reload->owner, reload->uuid, false);
	if (reload->refused[0] != '\0')
		text = reload->refused;
	else if (text[0] == '\0')
		text = error == -ENOENT ? "its device is not there any more" : strerror(-error);
	did(reload, GROUP_RELOAD_NO, text);
}

static bool replaces_log(const struct reload *reload)
{
	return reload->log.device[0] != '\0';
}

/* What was the source of all others does not count any more, or what a log device knows: each leg
 * must have everything, and what the table before was made of must not count again. */
static bool outdates(const struct reload *reload)
{
	return reload->plan.leg[0].index > 0 || replaces_log(reload);
}

/* Then nothing is in sync, and a new log device says so. */
static bool lacks_leg(const struct log *log)
{
	return atomic_load(&log->hot.shared->hold) == HOT_HOLD_VOID;
}

/* The last of all nodes to suspend has heard what the others made stale. A node that dies meanwhile
 * ends the reload, so what is to be repaired now is what a kernel held for want of a leg when it was
 * suspended: it writes that anew, whatever the leg has that is the first. */
static bool still_in_sync(const struct reload *reload)
{
	const struct log *log = registry_find_id(&reload->owner->daemon->registry, reload->log_id);
	struct mlog_status status;

	if (log == NULL)
		return false;
	if (replaces_log(reload) && lacks_leg(log))
		return true;
	mlog_status(log->pump.mlog, &status);
	return status.in_sync == status.region_count &&
	       (status.repair == 0 || (hot_holds(&log->hot) && !replaces_log(reload)));
}

static void on_suspended(void *context, const char *uuid, int error)
{
	struct reload *reload = context;
	char text[GROUP_TEXT_SIZE];

	(void)uuid;
	if (error != 0) {
		did(reload, GROUP_RELOAD_NO, strerror(-error));
	} else if (outdates(reload) && !still_in_sync(reload)) {
		/* It is, but it must not go on so. */
		did(reload, GROUP_RELOAD_NO,
		    because(text, sizeof(text), MSG_NOT_IN_SYNC,
			    "not all regions are in sync any more: wait for the resync"));
	} else {
		reload_tell(reload, EVENT_RELOAD_SUSPENDED, 0, "suspended for its new table");
		did(reload, GROUP_RELOAD_YES, "");
	}
}

static void ended(struct reload *reload, int error)
{
	did(reload, error == 0 ? GROUP_RELOAD_YES : GROUP_RELOAD_NO,
	    error == 0 ? "" : strerror(-error));
}

/* Not when an older daemon has left it. */
static bool plan_known(const struct reload *reload)
{
	return reload->plan.to_legs > 0;
}

/* Each node changes its own file: what was done on one only would be outdated on the others. */
static void config_follow(struct reload *reload, errands_done_fn *done)
{
	const char *const word[RUNNER_WORDS] = {"config", "follow", reload->uuid};
	char text[PLAN_TEXT_SIZE];
	int error;

	plan_text(&reload->plan, &reload->log, text);
	error = errands_own(reload->owner->daemon->errands, word, text, done, reload);
	if (error != 0)
		done(reload, 1, strerror(-error));
}

static void followed(const struct reload *reload, uint8_t code, const char *text)
{
	if (code != 0)
		reload_tell(reload, EVENT_CONFIG_BEHIND, code,
			    "its configuration does not have the new table: %.*s",
			    (int)strcspn(text, "\n"), text);
}

static void on_given(void *context, uint8_t code, const char *text)
{
	(void)context;
	(void)code;
	(void)text;
}

/* Those that have the mirror not active do not follow by themselves. */
static void config_give(const struct reload *reload)
{
	const char *const word[RUNNER_WORDS] = {"config", "give", reload->uuid};
	const struct daemon *d = reload->owner->daemon;

	if (d->cluster != NULL && reload->course.id.node == reload->course.self)
		(void)errands_own(d->errands, word, "", on_given, NULL);
}

static void resumed(struct reload *reload)
{
	config_give(reload);
	ended(reload, 0);
}

static void on_followed(void *context, uint8_t code, const char *text)
{
	followed(context, code, text);
	resumed(context);
}

static void on_ended(void *context, const char *uuid, int error)
{
	struct reload *reload = context;
	bool fresh = reload->course.work == COURSE_RESUME;

	(void)uuid;
	logs_hold(reload->owner, reload->uuid, false);
	if (error != 0)
		reload_tell(reload, EVENT_RELOAD_STUCK, (uint64_t)-error,
			    "its device could not be resumed with its %s table: %s; try 'dmsetup "
			    "resume'",
			    fresh ? "new" : "old", strerror(-error));
	else if (fresh)
		reload_tell(reload, EVENT_RELOAD_DONE, 0, "has its new table");
	else
		reload_tell(reload, EVENT_RELOAD_GIVEN_UP, 0,
			    "a reload was given up, it has its old table");
	if (error != 0 || !fresh)
		ended(reload, error);
	else if (!plan_known(reload))
		on_followed(reload, 1, "what the last daemon was told is not known any more");
	else if (reload->followed)
		resumed(reload);
	else
		config_follow(reload, on_followed);
}

static int table_switch(struct reload *reload)
{
	return devmap_switch(reload->owner->daemon->devmap, reload->uuid, on_ended, reload);
}

static void on_followed_first(void *context, uint8_t code, const char *text)
{
	struct reload *reload = context;

	followed(reload, code, text);
	reload->followed = true;
	if (table_switch(reload) != 0)
		reload->owed = COURSE_RESUME;
}

/*
 * Who was the source and is none any more must not become one again: not by an outdated file after
 * the next power cut either; nor must a log device count that is not written any more, or one that
 * fails just then be believed with the table that it knows. So the file comes before the first write
 * (and retires a device that has been replaced). Should it come to nothing, the file is no
 * lie: what stays has everything.
 */
static int resume_begin(struct reload *reload)
{
	if (reload->followed || (!outdates(reload) && reload->log.to == 0))
		return table_switch(reload);
	config_follow(reload, on_followed_first);
	return 0;
}

/* The one that is in use here. */
static struct log *log_in_use(const struct reloads *r, const struct group_mirror *mirror,
			      bool *ret_known)
{
	const struct registry *registry = &r->daemon->registry;

	*ret_known = false;
	for (size_t i = 0; i < registry->count; i++) {
		struct log *log = registry->log[i];
		struct mlog_status status;
		struct group_mirror name;

		group_mirror_of(log->uuid, &name);
		if (!group_mirror_same(&name, mirror))
			continue;
		*ret_known = true;
		mlog_status(log->pump.mlog, &status);
		if (status.phase == MLOG_ACTIVE)
			return log;
	}
	return NULL;
}

/* What others of the mirror may be doing that a reload must not meet; NULL: nothing. */
static const char *others_hinder(const struct log *log, char *text, size_t size)
{
	for (uint32_t slot = 0; slot < MLOG_MEMBERS_MAX; slot++) {
		const struct mlog_member *member = mlog_member(log->pump.mlog, slot);

		if (member == NULL || member->state == MLOG_MEMBER_NONE ||
		    member->state == MLOG_MEMBER_READY)
			continue;
		if (member->state == MLOG_MEMBER_GONE)
			return because(text, size, MSG_MEMBER_GONE,
				       "node %" PRIu32 " has left and may be writing still: fence "
				       "it, or start its daemon",
				       member->node);
		return because(text, size, MSG_NOT_NOW,
			       "node %" PRIu32 " is attaching it: again in a moment", member->node);
	}
	return NULL;
}

/* Who has regained quorum and is not back among the members does not know who is gone. */
static bool is_member(const struct log *log)
{
	uint32_t self = daemon_node(log->daemon, NULL);

	for (uint32_t slot = 0; slot < MLOG_MEMBERS_MAX; slot++) {
		const struct mlog_member *member = mlog_member(log->pump.mlog, slot);

		if (member != NULL && member->node == self && member->state == MLOG_MEMBER_READY)
			return true;
	}
	return false;
}

/* Has the log that there is to know more than before? For legs that are fewer it has not. */
static bool needs_log(const struct dlmirror_plan *plan)
{
	for (uint32_t i = 0; i < plan->to_legs; i++)
		if (plan->leg[i].fresh && strcmp(plan->leg[i].path, MISSING_PATH) != 0)
			return true;
	return plan->to_sectors != plan->from_sectors || group_plan_resyncs(plan);
}

/* Why this node cannot take part now; NULL: it can. */
static const char *hindrance(const struct log *log, const struct dlmirror_plan *plan, char *text,
			     size_t size)
{
	const struct daemon *d = log->daemon;
	uint32_t suspect = atomic_load(&log->hot.shared->suspect);
	struct mlog_status status;
	const char *others;

	mlog_status(log->pump.mlog, &status);
	if (d->cluster != NULL && cluster_version(d->cluster) < GROUP_RELOAD_VERSION)
		return because(
		    text, size, MSG_NODE_TOO_OLD,
		    "a node of the cluster has an older dlmirrord that cannot do this: update "
		    "it");
	if (daemon_is_leaving(d))
		return because(text, size, MSG_NOT_NOW,
			       "its daemon is being restarted: again in a moment");
	if (log->reloading || log->reload_wanted || suspect == SUSPECT_NEW ||
	    suspect == SUSPECT_RESETTING)
		return because(text, size, MSG_NOT_NOW,
			       "its table is being loaded again by the daemon: again in a moment");
	if (log->table.has_disk && status.log != MLOG_LOG_OK && needs_log(plan))
		return because(text, size, MSG_LOG_FAILED,
			       "its log device does not work, so no leg can come and it cannot "
			       "grow: mend it, or give it another one; legs can be dropped");
	if (!status.quorate)
		return because(text, size, MSG_QUORUM_LOST,
			       "there is no quorum: start or fence the missing nodes");
	others = others_hinder(log, text, size);
	if (others == NULL && !is_member(log))
		return because(text, size, MSG_NOT_NOW,
			       "it is on its way back among the members: again in a moment");
	return others;
}

/* Has each leg everything, and the same? */
static bool is_settled(const struct log *log)
{
	struct mlog_status status;

	mlog_status(log->pump.mlog, &status);
	return status.in_sync == status.region_count && status.repair == 0 &&
	       atomic_load(&log->hot.shared->suspect) == SUSPECT_NO;
}

/* Has each leg everything? Where the kernel holds what a leg misses, also a region to be repaired, or
 * to be compared after a gap, has on each leg all that was acknowledged. */
static bool is_in_sync(const struct log *log)
{
	struct mlog_status status;

	mlog_status(log->pump.mlog, &status);
	return is_settled(log) || (status.in_sync == status.region_count && hot_holds(&log->hot));
}

static bool revisions_understood(const struct daemon *d)
{
	return d->cluster == NULL || cluster_version(d->cluster) >= GROUP_REVISION_VERSION;
}

/* Why this table cannot become the next one; NULL: it can. */
static const char *revision_hinders(const struct reload *reload, const struct log *log, char *text,
				    size_t size)
{
	if (reload->log.to == 0)
		return NULL;
	if (!revisions_understood(log->daemon))
		return because(text, size, MSG_NOT_NOW,
			       "a node with an older dlmirrord has just come: again in a moment");
	if (log->table.revision >= reload->log.to)
		return because(text, size, MSG_TABLES_DIFFER,
			       "its table has revision %" PRIu64
			       " here, later than that of the node of the command: give the "
			       "command here",
			       log->table.revision);
	return NULL;
}

/* The new log device says that all is in sync, unless a leg is missing. */
static const char *unsettled(const struct log *log, char *text, size_t size)
{
	if (is_settled(log) || lacks_leg(log))
		return NULL;
	return because(text, size, MSG_NOT_IN_SYNC,
		       "not all regions are in sync, or some are to be compared: wait until they "
		       "are");
}

static bool log_works(const struct log *log)
{
	struct mlog_status status;

	mlog_status(log->pump.mlog, &status);
	return status.log == MLOG_LOG_OK;
}

static int prepare(struct reload *reload)
{
	struct reloads *r = reload->owner;
	char text[GROUP_TEXT_SIZE];
	bool known;
	struct log *log = log_in_use(r, &reload->mirror, &known);
	const char *why = log != NULL ? hindrance(log, &reload->plan, text, sizeof(text)) : NULL;
	struct devmap_load load = {.plan = &reload->plan, .log = reload->log.device};
	int error;

	if (log != NULL && why == NULL)
		why = revision_hinders(reload, log, text, sizeof(text));
	if (log != NULL && why == NULL && replaces_log(reload))
		why = unsettled(log, text, sizeof(text));
	if (log == NULL && (known || r->daemon->left))
		why = because(text, sizeof(text), MSG_NOT_ACTIVE,
			      "it is there, but not active: resume its device, or remove it");
	if (log == NULL || why != NULL) {
		did(reload, why != NULL ? GROUP_RELOAD_NO : GROUP_RELOAD_NONE,
		    why != NULL ? why : "");
		return 0;
	}
	snprintf(reload->uuid, sizeof(reload->uuid), "%s", log->uuid);
	reload->log_id = log->id;
	load.log_device = log->table.has_disk ? log->device : "";
	load.in_sync = is_in_sync(log);
	reload->log.from = log->table.revision;
	reload->log.lost = replaces_log(reload) && !log_works(log);
	load.revision = reload->log.to;
	if (!note_write(reload)) {
		did(reload, GROUP_RELOAD_NO,
		    because(text, sizeof(text), MSG_DAEMON_NO_MEMORY,
			    "no memory for a note in run_dir: free memory"));
		return 0;
	}
	error = devmap_load(r->daemon->devmap, reload->uuid, &load, on_loaded, reload);
	if (error == 0)
		logs_hold(reload->owner, reload->uuid, true);
	else
		did(reload, GROUP_RELOAD_NO, strerror(-error));
	return 0;
}

static int work_begin(struct reload *reload, enum course_work work)
{
	struct devmap *devmap = reload->owner->daemon->devmap;

	switch (work) {
	case COURSE_PREPARE:
		return prepare(reload);
	case COURSE_SUSPEND:
		return devmap_suspend(devmap, reload->uuid, on_suspended, reload);
	case COURSE_RESUME:
		return resume_begin(reload);
	case COURSE_UNDO:
		return devmap_unload(devmap, reload->uuid, on_ended, reload);
	case COURSE_NOTHING:
		break;
	}
	return 0;
}

static void obey(struct reload *reload, const struct course_orders *orders)
{
	struct reloads *r = reload->owner;

	/* What is noted later than it is said, the next daemon would contradict. */
	if (orders->note && reload->uuid[0] != '\0' && !note_write(reload))
		message_log(
		    LOG_CRIT, MSG_RELOAD_NOTE_UNWRITABLE,
		    "%s: a note in %s/reloads cannot be written: should the daemon die now, do "
		    "not start it before the mirror has the table of the other nodes",
		    reload->uuid, r->daemon->config.run_dir);
	for (unsigned i = 0; i < orders->count; i++)
		say(r, &reload->mirror, reload->course.id, orders->say[i].step,
		    orders->say[i].answer, orders->say[i].text);
	if (orders->work != COURSE_NOTHING && work_begin(reload, orders->work) != 0)
		reload->owed = orders->work;
	if (!over(reload))
		return;
	reload->deadline_ms = 0;
	note_close(reload);
}

/* ---- from the group */

static void plan_refuse(struct reloads *r, const struct group_mirror *mirror,
			const struct group_reload *message, const char *why)
{
	struct reload *waiting = find(r, mirror, message->id);

	say(r, mirror, message->id, GROUP_RELOAD_VOTE, GROUP_RELOAD_NO, why);
	if (waiting == NULL)
		return;
	snprintf(waiting->course.why, sizeof(waiting->course.why), "%s", why);
	waiting->course.outcome = GROUP_RELOAD_NO;
	waiting->failed_before = true;
}

static void plan_take(struct reloads *r, const struct group_mirror *mirror,
		      const struct group_reload *message)
{
	const uint32_t alone = self(r);
	const uint32_t *view = &alone;
	struct course_orders orders;
	char text[GROUP_TEXT_SIZE];
	struct reload *reload;
	uint32_t count = 1;
	bool quorate = true;

	if (under_way(r, mirror) != NULL) {
		plan_refuse(r, mirror, message,
			    because(text, sizeof(text), MSG_RELOAD_WAITS,
				    "another reload of it is under way"));
		return;
	}
	reload = find(r, mirror, message->id);
	if (reload == NULL)
		reload = add(r, mirror, message->id);
	if (reload == NULL) {
		plan_refuse(r, mirror, message,
			    because(text, sizeof(text), MSG_DAEMON_NO_MEMORY,
				    "no memory, or too many reloads at once"));
		return;
	}
	if (r->daemon->cluster != NULL)
		count = cluster_view(r->daemon->cluster, &view, &quorate);
	reload->plan = message->plan;
	reload->log.to = message->revision;
	snprintf(reload->log.device, sizeof(reload->log.device), "%s", message->log);
	reload->begun = true;
	course_begin(&reload->course, message->id, alone, view, count, &orders);
	reload->course.held = !quorate;
	obey(reload, &orders);
}

void reload_message(struct reloads *r, const struct group_mirror *mirror,
		    const struct group_reload *message)
{
	struct course_orders orders;
	struct reload *reload = find(r, mirror, message->id);

	if (message->step == GROUP_RELOAD_PLAN) {
		if (reload == NULL || (!reload->begun && !reload->failed_before))
			plan_take(r, mirror, message);
	} else if (reload != NULL && reload->begun) {
		course_message(&reload->course, message, &orders);
		obey(reload, &orders);
	} else if (message->step == GROUP_RELOAD_ASK && message->from != self(r)) {
		say(r, mirror, message->id, GROUP_RELOAD_TELL, GROUP_RELOAD_NONE, "");
	}
	listen_to_self(r);
}

void reload_view(struct reloads *r, const uint32_t *node, uint32_t count, bool quorate)
{
	struct course_orders orders;
	struct reload *reload;

	for (reload = LIST_FIRST(&r->list); reload != NULL; reload = LIST_NEXT(reload, next)) {
		if (reload->begun) {
			course_view(&reload->course, node, count, quorate, &orders);
			obey(reload, &orders);
		} else if (!quorate && !reload->recovery_owed && !reload->failed_before) {
			reload->failed_before = true;
			reload->course.outcome = GROUP_RELOAD_NO;
			message_make(reload->course.why, sizeof(reload->course.why),
				     MSG_QUORUM_LOST, "quorum was lost before it began");
		}
	}
	listen_to_self(r);
}

void reload_joined(struct reloads *r, const struct group_mirror *mirror, uint32_t node)
{
	struct reload *reload = under_way(r, mirror);
	struct course_orders orders;

	if (reload == NULL)
		return;
	course_joined(&reload->course, node, &orders);
	obey(reload, &orders);
	listen_to_self(r);
}

static void on_cleared(void *context, const char *uuid, int error)
{
	(void)context;
	(void)uuid;
	(void)error;
}

static void on_unloaded(void *context, const char *uuid, int error)
{
	(void)error;
	logs_hold(context, uuid, false);
}

/* Nobody else will resume it: nor has an admin of ours suspended it. */
static bool left_suspended(const struct reload *reload)
{
	const struct registry *registry = &reload->owner->daemon->registry;
	bool suspended = false;

	for (size_t i = 0; i < registry->count; i++) {
		const struct log *log = registry->log[i];
		struct mlog_status status;

		if (strcmp(log->uuid, reload->uuid) != 0)
			continue;
		mlog_status(log->pump.mlog, &status);
		if (log->halt_orders > 0 || log->reloading ||
		    (status.phase != MLOG_SUSPENDED && status.phase != MLOG_CREATED))
			return false;
		suspended = suspended || status.phase == MLOG_SUSPENDED;
	}
	return suspended;
}

static void sweep(struct reload *reload)
{
	struct reloads *r = reload->owner;
	struct devmap *devmap = r->daemon->devmap;

	if (reload->sweeps == 0 || !over(reload))
		return;
	reload->sweeps--;
	/* No other reload begins before it has been resumed, or it would be in the middle of that. */
	if (left_suspended(reload) && devmap_unload(devmap, reload->uuid, on_unloaded, r) == 0)
		logs_hold(r, reload->uuid, true);
	else if (reload->sweeps % SWEEP_GAP == 0)
		(void)devmap_clear(devmap, reload->uuid, on_cleared, NULL);
}

void reload_tick(struct reloads *r)
{
	struct reload *reload;

	for (reload = LIST_FIRST(&r->list); reload != NULL; reload = LIST_NEXT(reload, next)) {
		enum course_work owed = reload->owed;

		sweep(reload);
		reload->owed = COURSE_NOTHING;
		if (owed != COURSE_NOTHING && work_begin(reload, owed) != 0)
			reload->owed = owed;
		if (reload->deadline_ms == 0 || clock_ms() < reload->deadline_ms)
			continue;
		reload->deadline_ms = 0;
		if (!over(reload))
			say(r, &reload->mirror, reload->course.id, GROUP_RELOAD_CANCEL,
			    GROUP_RELOAD_NONE, "");
	}
	listen_to_self(r);
}

/* ---- what others have to know */

bool reload_makes_stale(const struct reloads *r, const char *uuid)
{
	const struct reload *reload;

	for (reload = LIST_FIRST(&r->list); reload != NULL; reload = LIST_NEXT(reload, next)) {
		if ((over(reload) && reload->sweeps == 0) || strcmp(reload->uuid, uuid) != 0)
			continue;
		if (reload->recovered)
			return true; /* its plan is not known any more */
		for (uint32_t i = 0; i < reload->plan.to_legs; i++)
			if (reload->plan.leg[i].fresh || reload->plan.leg[i].stale)
				return true;
	}
	return false;
}

void reload_refused(struct reloads *r, const char *uuid, const char *text)
{
	struct reload *reload = find_uuid(r, uuid);

	if (reload != NULL && reload->begun && reload->course.work == COURSE_PREPARE)
		snprintf(reload->refused, sizeof(reload->refused), "%s", text);
}

bool reload_outdates(const struct reloads *r, const struct group_mirror *mirror, uint64_t revision)
{
	const struct reload *reload = under_way(r, mirror);

	return reload != NULL && reload->log.to != 0 &&
	       (reload->course.phase == COURSE_GOING || reload->course.phase == COURSE_RESUMING) &&
	       revision != MLOG_REVISION_UNKNOWN && revision < reload->log.to;
}

uint32_t reload_forbids(const struct reloads *r, const char *uuid)
{
	struct group_mirror mirror;
	const struct reload *reload;

	group_mirror_of(uuid, &mirror);
	reload = under_way(r, &mirror);
	return reload != NULL && reload->uuid[0] == '\0' ? reload->course.id.node : 0;
}

bool reload_busy(const struct reloads *r)
{
	const struct reload *reload;

	for (reload = LIST_FIRST(&r->list); reload != NULL; reload = LIST_NEXT(reload, next))
		if (!over(reload) && reload->uuid[0] != '\0')
			return true;
	return false;
}

static void status_fill(const struct course *c, struct dlmirror_reload *ret)
{
	for (uint32_t i = 0; i < c->count; i++) {
		const struct course_node *n = &c->node[i];
		struct dlmirror_reload_node *to = &ret->node[ret->node_count];

		if (n->voted && !n->part && n->text[0] == '\0')
			continue; /* the mirror is none of its business */
		to->node = n->node;
		snprintf(to->state, sizeof(to->state), "%s", course_node_state(c, n));
		snprintf(to->text, sizeof(to->text), "%s", n->text);
		ret->node_count++;
	}
}

void reload_status(const struct reloads *r, const char *uuid, struct dlmirror_reload *ret)
{
	const struct reload *reload = find_uuid(r, uuid);

	memset(ret, 0, sizeof(*ret));
	if (reload == NULL)
		return;
	ret->known = true;
	ret->under_way = !over(reload);
	ret->done = reload->course.outcome == GROUP_RELOAD_YES;
	snprintf(ret->why, sizeof(ret->why), "%s", reload->course.why);
	reload_waits(r, uuid, ret->waits, sizeof(ret->waits));
	if (reload->begun)
		status_fill(&reload->course, ret);
}

void reload_waits(const struct reloads *r, const char *uuid, char *ret, size_t size)
{
	const struct reload *reload = find_uuid(r, uuid);

	ret[0] = '\0';
	if (reload == NULL || over(reload))
		return;
	if (reload->begun)
		course_waits(&reload->course, ret, size);
	else
		snprintf(ret, size, "waits for the group");
}

/* Who speaks an older version only takes a PLAN with such a leg, or log, for damaged. */
static bool plan_understood(const struct daemon *d, const struct dlmirror_plan *plan,
			    bool other_log)
{
	if (other_log && d->cluster != NULL && cluster_version(d->cluster) < GROUP_LOG_VERSION)
		return false;
	return d->cluster == NULL || cluster_version(d->cluster) > GROUP_RELOAD_VERSION ||
	       !group_plan_resyncs(plan);
}

/* What sda is on one node may be another device on the next. */
static bool path_is_local(const char *path)
{
	return strncmp(path, "/dev/", 5) == 0 && strchr(path + 5, '/') == NULL;
}

static const char *path_differs(const struct group_reload *m)
{
	for (uint32_t i = 0; i < m->plan.to_legs; i++)
		if (m->plan.leg[i].fresh && path_is_local(m->plan.leg[i].path))
			return m->plan.leg[i].path;
	return path_is_local(m->log) ? m->log : NULL;
}

static uint64_t revision_next(const struct group_reload *m, const struct log *log)
{
	if ((!group_plan_changes(&m->plan) && m->log[0] == '\0') ||
	    !revisions_understood(log->daemon))
		return 0;
	return log->table.revision + 1;
}

int reload_begin(struct reloads *r, const char *uuid, const struct dlmirror_plan *plan,
		 const char *device, uint32_t timeout_s, char *text, size_t size)
{
	struct daemon *d = r->daemon;
	struct group_reload message = {.step = GROUP_RELOAD_PLAN, .from = self(r), .plan = *plan};
	struct group_mirror mirror;
	struct reload *reload;
	char problem[GROUP_TEXT_SIZE];
	struct log *log;
	const char *why;
	bool known;

	snprintf(message.log, sizeof(message.log), "%s", device);
	group_mirror_of(uuid, &mirror);
	reload = find_uuid(r, uuid);
	log = log_in_use(r, &mirror, &known);
	why = log != NULL
		  ? hindrance(log, plan, problem, sizeof(problem))
		  : because(problem, sizeof(problem), MSG_NOT_ACTIVE,
			    "it is not active here: its device is suspended, or the daemon is new "
			    "and not done yet");
	if (reload != NULL && !over(reload))
		why = because(problem, sizeof(problem), MSG_RELOAD_WAITS,
			      "a reload of it is under way: dlmirror status shows what it waits "
			      "for");
	/* Two sets of legs must not have one number. */
	if (!plan_understood(d, plan, device[0] != '\0') ||
	    (log != NULL && log->table.revision != 0 && group_plan_changes(plan) &&
	     !revisions_understood(d)))
		why = because(problem, sizeof(problem), MSG_NODE_TOO_OLD,
			      "a node of the cluster has an older dlmirrord that cannot do this: "
			      "update it");
	if (!group_plan_valid(plan))
		why = because(problem, sizeof(problem), MSG_DAEMON_OTHER_VERSION,
			      "such a table cannot be");
	if (why != NULL) {
		snprintf(text, size, "%s: %s", uuid, why);
		return -EBUSY;
	}
	why = d->cluster != NULL ? path_differs(&message) : NULL;
	if (why != NULL) {
		message_make(
		    text, size, MSG_PATH_NOT_SHARED,
		    "%s may be another device on another node: use its path below /dev/disk or "
		    "/dev/mapper",
		    why);
		return -EINVAL;
	}
	message.revision = revision_next(&message, log);
	message.id = (struct group_task_id){.node = message.from, .number = ++d->incarnation};
	reload = add(r, &mirror, message.id);
	if (reload == NULL) {
		message_make(text, size, MSG_DAEMON_NO_MEMORY,
			     "no memory, or too many reloads at once");
		return -ENOMEM;
	}
	reload->deadline_ms = timeout_s > 0 ? clock_ms() + (uint64_t)timeout_s * 1000 : 0;
	event_log(log, EVENT_RELOAD_BEGUN, 0, "reload in step");
	speak(r, &mirror, &message);
	listen_to_self(r);
	return 0;
}

/* ---- life */

int reload_create(struct daemon *d, struct reloads **ret)
{
	struct reloads *r = calloc(1, sizeof(*r));
	struct dirent *entry;
	DIR *directory;
	char path[1024];

	if (r == NULL)
		return -ENOMEM;
	r->daemon = d;
	LIST_INIT(&r->list);
	STAILQ_INIT(&r->spoken);
	snprintf(path, sizeof(path), "%s/reloads", d->config.run_dir);
	(void)mkdir(path, 0700);
	directory = opendir(path);
	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.' || strchr(entry->d_name, '.') != NULL)
			continue;
		snprintf(path, sizeof(path), "%s/reloads/%s", d->config.run_dir, entry->d_name);
		note_look(r, path);
	}
	if (directory != NULL)
		closedir(directory);
	*ret = r;
	return 0;
}

static void recover(struct reload *reload)
{
	uint32_t node[MLOG_VIEW_MAX];
	struct course_orders orders;
	uint32_t count = reload->course.count;

	for (uint32_t i = 0; i < count; i++)
		node[i] = reload->course.node[i].node;
	reload->recovery_owed = false;
	reload->begun = true;
	reload->sweeps = reload->note == COURSE_NOTE_PREPARED ? SWEEPS : 0;
	course_recover(&reload->course, reload->course.id, reload->course.self, node, count,
		       reload->note, &orders);
	if (!over(reload))
		message_log(LOG_WARNING, MSG_RELOAD_INTERRUPTED,
			    "%s: the daemon ended in the middle of a reload", reload->uuid);
	obey(reload, &orders);
}

void reload_recover(struct reloads *r)
{
	const uint32_t alone = self(r);
	struct reload *reload;

	for (reload = LIST_FIRST(&r->list); reload != NULL; reload = LIST_NEXT(reload, next))
		if (reload->recovery_owed)
			recover(reload);
	if (r->daemon->cluster == NULL)
		reload_view(r, &alone, 1, true);
	listen_to_self(r);
}

struct reloads *reload_destroy(struct reloads *r)
{
	struct spoken *spoken;

	if (r == NULL)
		return NULL;
	while (!LIST_EMPTY(&r->list))
		drop(LIST_FIRST(&r->list));
	while ((spoken = STAILQ_FIRST(&r->spoken)) != NULL) {
		STAILQ_REMOVE_HEAD(&r->spoken, next);
		free(spoken);
	}
	free(r);
	return NULL;
}
