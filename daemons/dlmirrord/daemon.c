/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker process: start, loop, planned restart, end. The order of the start matters: every log
 * is known before the first socket is joined, because a request for an unknown log makes the kernel
 * conclude things that cost a comparison of the legs.
 *
 * Planned restart, a timeline:
 *	next image starts, is ready -> jobs end -> responders stop -> logs quiesce -> go
 * Without a supervisor there is no first step, and the last is exec; see handover.h. From
 * "responders stop" on, requests wait in the sockets. A job in device-mapper may itself wait for our
 * answers, so it must be over before nobody answers.
 */
#include <config.h>

#include "daemons/dlmirrord/daemon.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <qb/qbdefs.h>
#include <qb/qblog.h>

#include "daemons/common/host.h"
#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/events.h"
#include "daemons/dlmirrord/group_local.h"
#include "daemons/dlmirrord/kernel_netlink.h"
#include "daemons/dlmirrord/logging.h"
#include "daemons/dlmirrord/message_log.h"
#include "daemons/dlmirrord/notify.h"
#include "daemons/dlmirrord/restore.h"
#include "daemons/dlmirrord/supervisor.h"

#define HEARTBEAT_MS	 1000U
#define RESTART_DELAY_MS 20U	/* the admin who asked gets the answer first */
#define RESTART_LOOK_MS	 50U	/* what a restart waits for is an event; this sees its time limit */
#define RESTART_READY_MS 30000U /* for the next image to start: nothing waits for it meanwhile */
#define RESTART_LIMIT_MS 5000U	/* for each step after that; then we go on as we are */
#define END_LIMIT_MS	 1000
#define MARKER_LIMIT_S	 5U
#define CLUSTER_WAIT_MS	 3000U /* for corosync to tell who we are */
#define FLUSH_MS	 50U   /* of the log, at a planned restart */
#define NUDGE_BEFORE	 64U
#define NUDGE_AFTER	 255U
#define INCARNATION_BITS 20U /* a daemon joins less often, or borrows from the clock */

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

/* ---- ports in the loop: each callback takes the core */

void daemon_enter(struct daemon *d)
{
	pthread_mutex_lock(&d->core_lock);
}

void daemon_leave(struct daemon *d)
{
	pthread_mutex_unlock(&d->core_lock);
}

uint32_t daemon_node(const struct daemon *d, const char **ret_why)
{
	return d->cluster != NULL ? cluster_node(d->cluster, ret_why) : GROUP_LOCAL_NODE;
}

static void restart_step(struct daemon *d);

static int32_t on_source(int32_t fd, int32_t events, void *context)
{
	const struct daemon_source *source = context;

	(void)fd;
	(void)events;
	daemon_enter(source->daemon);
	source->dispatch(source->daemon);
	restart_step(source->daemon);
	daemon_leave(source->daemon);
	return 0;
}

static int source_add(struct daemon *d, enum qb_loop_priority priority, int fd,
		      void (*dispatch)(struct daemon *d))
{
	struct daemon_source *source = &d->source[d->sources++];

	assert(d->sources <= DAEMON_SOURCES_MAX);
	source->daemon = d;
	source->dispatch = dispatch;
	return qb_loop_poll_add(d->loop, priority, fd, POLLIN, source, on_source);
}

static void dispatch_storage(struct daemon *d)
{
	storage_engine_dispatch(d->storage);
}

static void dispatch_opener(struct daemon *d)
{
	opener_dispatch(d->opener);
}

static void dispatch_mover(struct daemon *d)
{
	mover_dispatch(d->mover);
}

static void dispatch_devmap(struct daemon *d)
{
	devmap_dispatch(d->devmap);
}

static void dispatch_group(struct daemon *d)
{
	cluster_group_dispatch(d->cluster);
}

static void dispatch_locks(struct daemon *d)
{
	cluster_locks_dispatch(d->cluster);
}

static void dispatch_handoff(struct daemon *d)
{
	responders_dispatch(d->responders);
}

static void dispatch_errands(struct daemon *d)
{
	errands_dispatch(d->errands);
}

static void dispatch_events(struct daemon *d)
{
	events_seen();
	if (d->admin != NULL)
		admin_server_news(d->admin);
}

int daemon_listen_errands(struct daemon *d)
{
	int fd = errands_fd(d->errands);

	for (unsigned i = 0; i < d->sources; i++)
		if (d->source[i].dispatch == dispatch_errands)
			return qb_loop_poll_add(d->loop, QB_LOOP_LOW, fd, POLLIN, &d->source[i],
						on_source);
	return source_add(d, QB_LOOP_LOW, fd, dispatch_errands);
}

static void on_item(void *context, const struct handoff_item *item)
{
	control_item(context, item);
}

/* Single-thread mode: the loop reads the sockets itself. */
static int32_t on_socket(int32_t fd, int32_t events, void *context)
{
	struct daemon *d = context;

	(void)events;
	daemon_enter(d);
	for (unsigned i = 0; i < d->handover.socket_count; i++)
		if (d->handover.socket[i] == fd)
			responders_poll(d->responders, i);
	responders_dispatch(d->responders);
	daemon_leave(d);
	return 0;
}

static int serving_start(struct daemon *d)
{
	int error = 0;

	if (d->threads)
		return responders_start(d->responders, d->config.realtime_priority);
	for (unsigned i = 0; i < d->handover.socket_count && error == 0; i++)
		error = qb_loop_poll_add(d->loop, QB_LOOP_HIGH, d->handover.socket[i], POLLIN, d,
					 on_socket);
	return error;
}

static void serving_stop(struct daemon *d)
{
	if (d->threads)
		responders_stop(d->responders);
	else
		for (unsigned i = 0; i < d->handover.socket_count; i++)
			qb_loop_poll_del(d->loop, d->handover.socket[i]);
	responders_dispatch(d->responders);
}

/* ---- planned restart and end */

size_t daemon_active(const struct daemon *d, char *text, size_t size)
{
	size_t count = 0;
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < d->registry.count; i++) {
		const struct log *log = d->registry.log[i];

		if (atomic_load(&log->hot.shared->open) == 0)
			continue;
		if (used < size)
			used += (size_t)snprintf(text + used, size - used, "%s%s",
						 count == 0 ? "" : ", ",
						 log->name[0] != '\0' ? log->name : log->uuid);
		count++;
	}
	return count;
}

void daemon_stop(struct daemon *d)
{
	qb_loop_stop(d->loop);
}

static bool logs_quiet(const struct daemon *d)
{
	for (size_t i = 0; i < d->registry.count; i++)
		if (!mlog_quiet(d->registry.log[i]->pump.mlog))
			return false;
	return true;
}

static void logs_quiesce(struct daemon *d, bool quiesce)
{
	for (size_t i = 0; i < d->registry.count; i++)
		pump_event(&d->registry.log[i]->pump,
			   &(struct mlog_event){.kind = MLOG_EV_QUIESCE, .quiesce = quiesce});
}

/* Returns only when it failed; why gets the reason. */
static void become_new(struct daemon *d, char *why, size_t size)
{
	char *const arguments[] = {d->program, "--worker", "--config", d->config_path, NULL};

	if (d->successor_fd >= 0) {
		if (handover_go(d->successor_fd) == 0) {
			/* Nothing is to be tidied up: it is all the successor's. */
			logging_flush(FLUSH_MS);
			_exit(SUPERVISOR_REPLACED);
		}
		message_make(why, size, MSG_RESTART_REFUSED,
			     "the next image ended before it took over");
		return;
	}
	logging_flush(FLUSH_MS);
	d->handover.generation++;
	if (handover_give(&d->handover) == 0)
		execv(d->program, arguments);
	message_make(why, size, MSG_RESTART_REFUSED, "cannot execute %s: %s", d->program,
		     strerror(errno));
	handover_keep(&d->handover);
	d->handover.generation--;
}

static int successor_start(struct daemon *d)
{
	char *const arguments[] = {d->program, "--worker", "--config", d->config_path, NULL};
	struct handover next = d->handover;

	next.generation++;
	return handover_spawn(&next, arguments, &d->successor_fd);
}

static void restart_give_up(struct daemon *d, const char *why)
{
	event_daemon(EVENT_DAEMON_RESTART_FAILED, 0,
		     "planned restart given up, going on as before: %s", why);
	snprintf(d->restart_failed, sizeof(d->restart_failed), "%s", why);
	if (d->successor_fd >= 0) {
		if (d->restart == RESTART_SPAWNED)
			qb_loop_poll_del(d->loop, d->successor_fd);
		close(d->successor_fd); /* it sees that and ends */
	}
	d->successor_fd = -1;
	d->restart = RESTART_NO;
	if (!d->quiescing)
		return;
	d->quiescing = false;
	logs_quiesce(d, false);
	serving_start(d);
}

/* No log device is being opened, and no note in state_dir written. */
static bool files_quiet(const struct daemon *d)
{
	return opener_jobs(d->opener) == 0 && !marker_busy();
}

static const char *const restart_waits_for[] = {
    [RESTART_NO] = "",
    [RESTART_ASKED] = "the next image to start",
    [RESTART_SPAWNED] = "the next image to be ready; when it cannot, the log says why",
    [RESTART_JOBS] =
	"a reload, a device-mapper job, a note in state_dir or a log device's opening to end",
    [RESTART_QUIET] = "a log device, a leg or a note in state_dir; dlmirror status shows which",
};

/*
 * What the restart waits for, one after another; each step looks at the first that is not over.
 * Taken behind every event that may have ended it, not again and again: a loop of real-time
 * priority would keep its CPU from those it waits for.
 */
static void restart_step(struct daemon *d)
{
	unsigned limit_ms = d->restart == RESTART_SPAWNED ? RESTART_READY_MS : RESTART_LIMIT_MS;
	char why[sizeof(d->restart_failed)];
	int ready = 1;

	if (d->restart == RESTART_NO || d->restart == RESTART_ASKED)
		return;
	if (d->restart == RESTART_SPAWNED && d->successor_fd >= 0)
		ready = handover_is_ready(d->successor_fd);
	if (ready < 0) {
		restart_give_up(d, "the next image ended before it was ready; the log says why");
		return;
	}
	if (d->restart == RESTART_SPAWNED && ready > 0) {
		qb_log(LOG_DEBUG, "planned restart: the next image is ready");
		if (d->successor_fd >= 0)
			qb_loop_poll_del(d->loop, d->successor_fd);
		d->restart = RESTART_JOBS;
		d->restart_ms = clock_ms();
	}
	if (d->restart == RESTART_JOBS && devmap_jobs(d->devmap) == 0 && !reload_busy(d->reloads) &&
	    files_quiet(d)) {
		qb_log(LOG_DEBUG, "planned restart: requests wait from now on");
		d->restart = RESTART_QUIET;
		d->quiescing = true;
		serving_stop(d);
		logs_quiesce(d, true);
	}
	if (d->restart == RESTART_QUIET && logs_quiet(d) && files_quiet(d)) {
		qb_log(LOG_DEBUG, "planned restart: all is quiet");
		become_new(d, why, sizeof(why));
		restart_give_up(d, why);
	} else if (clock_ms() - d->restart_ms > limit_ms) {
		snprintf(why, sizeof(why), "waited %u s for %s", limit_ms / 1000,
			 restart_waits_for[d->restart]);
		restart_give_up(d, why);
	}
}

static void restart_later(struct daemon *d, uint64_t ms);

static int32_t on_successor(int32_t fd, int32_t events, void *context)
{
	struct daemon *d = context;

	(void)fd;
	(void)events;
	daemon_enter(d);
	restart_step(d);
	daemon_leave(d);
	return 0;
}

static void on_restart_timer(void *context)
{
	struct daemon *d = context;

	daemon_enter(d);
	if (d->restart == RESTART_ASKED) {
		d->restart = RESTART_SPAWNED;
		if (d->successor_fd >= 0)
			qb_loop_poll_add(d->loop, QB_LOOP_HIGH, d->successor_fd, POLLIN, d,
					 on_successor);
	}
	restart_step(d);
	if (d->restart != RESTART_NO)
		restart_later(d, RESTART_LOOK_MS);
	daemon_leave(d);
}

static void restart_later(struct daemon *d, uint64_t ms)
{
	qb_loop_timer_handle timer;

	qb_loop_timer_add(d->loop, QB_LOOP_HIGH, ms * QB_TIME_NS_IN_MSEC, d, on_restart_timer,
			  &timer);
}

int daemon_restart(struct daemon *d, char *text, size_t size)
{
	struct config config;
	int error;

	if (d->restart != RESTART_NO)
		return 0;
	/* It would take for handed over what nobody has had. */
	if (d->left) {
		message_make(text, size, MSG_DAEMON_NO_MEMORY,
			     "there is no memory yet for all mirrors: free memory");
		return -ENOMEM;
	}
	/* The new image reads the configuration; better to hear now what is wrong with it. */
	config_default(&config);
	error = config_read(d->config_path, &config, text, size);
	if (error != 0 && error != -ENOENT)
		return error;
	if (config.cluster != d->config.cluster && d->registry.count > 0) {
		message_make(
		    text, size, MSG_RESTART_NEEDS_STOP,
		    "%s changes enabled in section [cluster], but mirrors are loaded: remove them "
		    "first",
		    d->config_path);
		return -EINVAL;
	}
	/* It would not find what it is to take over. */
	if (strcmp(config.run_dir, d->config.run_dir) != 0 ||
	    strcmp(config.state_dir, d->config.state_dir) != 0) {
		message_make(
		    text, size, MSG_RESTART_NEEDS_STOP,
		    "%s has another run_dir or state_dir than the running daemon: remove the "
		    "mirrors, stop it, move its files there and start it",
		    d->config_path);
		return -EINVAL;
	}
	if (d->handover.heartbeat_fd >= 0) {
		error = successor_start(d);
		if (error != 0) {
			message_make(text, size, MSG_RESTART_REFUSED, "cannot start %s: %s",
				     d->program, strerror(-error));
			return error;
		}
	}
	event_daemon(EVENT_DAEMON_RESTART, 0, "planned restart");
	d->restart_failed[0] = '\0';
	d->restart = RESTART_ASKED;
	d->restart_ms = clock_ms();
	restart_later(d, RESTART_DELAY_MS);
	return 0;
}

int daemon_restart_status(const struct daemon *d, char *text, size_t size)
{
	bool failed = d->restart_failed[0] != '\0';

	snprintf(text, size, "%s", failed ? d->restart_failed : restart_waits_for[d->restart]);
	return failed ? -ECANCELED : 0;
}

static int32_t on_terminate(int32_t number, void *context)
{
	struct daemon *d = context;
	char names[512];
	size_t active;

	daemon_enter(d);
	active = daemon_active(d, names, sizeof(names));
	daemon_leave(d);
	if (active == 0) {
		daemon_stop(d);
		return 0;
	}
	message_log(
	    LOG_ERR, MSG_MIRRORS_ACTIVE,
	    "signal %d ignored: %zu mirrors are active and would hang: %s. Remove them first, "
	    "or use "
	    "'dlmirror daemon stop --force'",
	    number, active, names);
	return 0;
}

static int32_t on_hangup(int32_t number, void *context)
{
	char text[512];

	(void)number;
	daemon_enter(context);
	if (daemon_restart(context, text, sizeof(text)) != 0)
		message_log(LOG_ERR, MSG_RESTART_REFUSED, "planned restart refused: %s", text);
	daemon_leave(context);
	return 0;
}

static int32_t on_blackbox(int32_t number, void *context)
{
	char text[512];

	(void)number;
	daemon_enter(context);
	logging_blackbox(((struct daemon *)context)->config.state_dir, text, sizeof(text));
	daemon_leave(context);
	message_log(LOG_NOTICE, MSG_BLACKBOX, "blackbox: %s", text);
	return 0;
}

/* ---- once a second */

static void report_problems(struct daemon *d)
{
	const struct responders_counters *counters = responders_counters(d->responders);
	uint64_t malformed = atomic_load(&counters->malformed);
	uint64_t overruns = atomic_load(&counters->overruns);

	if (malformed != d->seen_malformed)
		message_log(LOG_WARNING, MSG_MALFORMED_MESSAGES,
			    "%" PRIu64 " malformed kernel messages refused (the last: %s)",
			    malformed - d->seen_malformed,
			    kmsg_problem_name(atomic_load(&counters->last_problem)));
	d->seen_malformed = malformed;
	if (overruns == d->seen_overruns)
		return;
	d->seen_overruns = overruns;
	event_daemon(EVENT_OVERRUN, overruns,
		     "the kernel's messages overran the receive buffer: all legs are compared; "
		     "raise receive_buffer_mib");
	for (size_t i = 0; i < d->registry.count; i++)
		if (atomic_load(&d->registry.log[i]->hot.shared->open) != 0)
			legs_suspect(d->registry.log[i], false);
		else
			legs_refresh(d->registry.log[i]); /* its RESUME may have been lost */
}

static void heartbeat_send(const struct daemon *d)
{
	pid_t pid = getpid();

	if (d->handover.heartbeat_fd >= 0 &&
	    write(d->handover.heartbeat_fd, &pid, sizeof(pid)) < 0 && errno != EAGAIN)
		message_log(LOG_WARNING, MSG_SUPERVISOR_GONE, "the supervisor is gone");
}

/* In a group it serves only when it has joined the others. */
static void suspect_see_to(struct log *log)
{
	struct mlog_event verify = {.kind = MLOG_EV_VERIFY};
	uint32_t suspect = atomic_load(&log->hot.shared->suspect);

	if (!log->suspect_owed || atomic_load(&log->hot.shared->open) == 0)
		return;
	log->suspect_owed = false;
	verify.verify.repair = true;
	if (suspect == SUSPECT_NEW)
		legs_suspect(log, false);
	else if (suspect == SUSPECT_COMPARING && log->daemon->config.compare_after_gap)
		pump_event(&log->pump, &verify);
}

static void on_heartbeat(void *context)
{
	struct daemon *d = context;
	qb_loop_timer_handle timer;

	heartbeat_send(d);
	daemon_enter(d);
	for (size_t i = 0; i < d->registry.count; i++) {
		suspect_see_to(d->registry.log[i]);
		legs_expire(d->registry.log[i]);
		legs_reset_again(d->registry.log[i]);
		legs_drop_failed(d->registry.log[i]);
		legs_lone_again(d->registry.log[i]);
	}
	reload_tick(d->reloads);
	errands_tick(d->errands);
	report_problems(d);
	daemon_leave(d);
	qb_loop_timer_add(d->loop, QB_LOOP_HIGH, HEARTBEAT_MS * QB_TIME_NS_IN_MSEC, d, on_heartbeat,
			  &timer);
}

/* ---- start */

/* We stand in the way of the writes that would page us in or free memory for us. */
static void memory_settle(void)
{
	FILE *file = fopen("/proc/self/oom_score_adj", "we");

	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		message_log(LOG_WARNING, MSG_NOT_PRIVILEGED, "memory is not locked: %s",
			    strerror(errno));
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) < 0)
		message_log(LOG_WARNING, MSG_NOT_PRIVILEGED, "not marked as an I/O flusher: %s",
			    strerror(errno));
	if (file != NULL) {
		fputs("-1000", file);
		fclose(file);
	}
}

static int lock_take(struct daemon *d)
{
	char path[512];

	if (d->handover.lock_fd >= 0)
		return 0;
	snprintf(path, sizeof(path), "%s/lock", d->config.run_dir);
	d->handover.lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (d->handover.lock_fd < 0) {
		message_log(LOG_ERR, MSG_RUN_DIR_UNWRITABLE, "cannot open %s: %s", path,
			    strerror(errno));
		return -1;
	}
	if (flock(d->handover.lock_fd, LOCK_EX | LOCK_NB) < 0) {
		message_log(LOG_ERR, MSG_DAEMON_RUNS_ALREADY,
			    "another dlmirrord is running (it holds %s)", path);
		return -1;
	}
	return 0;
}

static int directories_make(const struct config *config)
{
	char logs[512];
	const char *const path[] = {config->run_dir, logs, config->state_dir};

	snprintf(logs, sizeof(logs), "%s/logs", config->run_dir);
	for (size_t i = 0; i < sizeof(path) / sizeof(path[0]); i++) {
		if (mkdir(path[i], 0700) < 0 && errno != EEXIST) {
			message_log(LOG_ERR, MSG_RUN_DIR_UNWRITABLE, "cannot make directory %s: %s",
				    path[i], strerror(errno));
			return -1;
		}
	}
	return 0;
}

/* "cmirrord, process 17", as far as that is known. */
static void process_name(pid_t pid, char *ret, size_t size)
{
	char path[32];
	char name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = pid > 0 ? fopen(path, "re") : NULL;
	if (file != NULL) {
		if (fgets(name, sizeof(name), file) != NULL)
			name[strcspn(name, "\n")] = '\0';
		fclose(file);
	}
	if (name[0] != '\0')
		snprintf(ret, size, "%s, process %d,", name, (int)pid);
	else
		snprintf(ret, size, "another process");
}

static int sockets_open(struct daemon *d)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	unsigned count = d->config.responders && cpus > 1 ? (unsigned)cpus : 1;
	char name[64];
	pid_t other;

	if (d->handover.socket_count > 0)
		return 0;
	other = kernel_netlink_other();
	if (other != 0) {
		process_name(other, name, sizeof(name));
		message_log(LOG_ERR, MSG_ANOTHER_LOG_DAEMON,
			    "%s answers the kernel's mirror logs already: stop it first, two would "
			    "contradict each other",
			    name);
		return -1;
	}
	if (count > RESPONDERS_MAX)
		count = RESPONDERS_MAX;
	for (unsigned i = 0; i < count; i++) {
		int fd = kernel_netlink_open(i, count,
					     (size_t)d->config.receive_buffer_mib * 1024 * 1024);

		if (fd < 0) {
			message_log(LOG_ERR, MSG_NETLINK_REFUSED,
				    "cannot open the kernel's socket: %s%s", strerror(-fd),
				    fd == -EPERM ? " (dlmirrord must run as root)" : "");
			return -1;
		}
		d->handover.socket[d->handover.socket_count++] = fd;
	}
	return 0;
}

/* Those that were handed over; what waits in them stays. */
static void sockets_resize(const struct daemon *d)
{
	for (unsigned i = 0; i < d->handover.socket_count; i++) {
		int error = kernel_netlink_buffer(
		    d->handover.socket[i], (size_t)d->config.receive_buffer_mib * 1024 * 1024);

		if (error != 0)
			message_log(LOG_WARNING, MSG_RECEIVE_BUFFER,
				    "receive_buffer_mib stays as it was: %s", strerror(-error));
	}
}

static int sockets_join(struct daemon *d)
{
	for (unsigned i = 0; i < d->handover.socket_count; i++) {
		int error = kernel_netlink_join(d->handover.socket[i]);

		if (error != 0) {
			message_log(LOG_ERR, MSG_NETLINK_REFUSED,
				    "cannot join the kernel's multicast group: %s",
				    strerror(-error));
			return -1;
		}
	}
	return 0;
}

static void nudge(const struct daemon *d, uint32_t seq)
{
	uint8_t datagram[KMSG_ACK_SIZE];

	kernel_netlink_send(d->handover.socket[0], datagram,
			    kmsg_encode_ack(seq, -EAGAIN, datagram, sizeof(datagram)));
}

/*
 * A request that the last daemon had read and not answered is repeated by the kernel only after 15
 * s; told to try again, it does so at once. What waited for a log device is known: the newest of
 * each log, while those of other mirrors may have gone on by thousands. What was read and not
 * looked at yet is known nearly.
 */
static void requests_nudge(struct daemon *d)
{
	uint32_t last = 0;

	if (d->registry.count == 0)
		return;
	for (size_t i = 0; i < d->registry.count; i++) {
		const struct hot_shared *shared = d->registry.log[i]->hot.shared;
		uint32_t seq = atomic_load(&shared->last_seq);

		nudge(d, seq);
		nudge(d, (uint32_t)atomic_load(&shared->mark_seq));
		if (i == 0 || (int32_t)(seq - last) > 0)
			last = seq;
	}
	for (uint32_t i = 0; i <= NUDGE_BEFORE + NUDGE_AFTER; i++)
		nudge(d, last - NUDGE_BEFORE + i);
}

static int ports_create(struct daemon *d)
{
	const struct responders_core core = {.lock = &d->core_lock, .take = on_item, .context = d};
	int error = errands_create(d, &d->errands); /* before there are threads */

	if (error == 0)
		error = devmap_create(&d->devmap);
	if (error == 0)
		error = storage_engine_create(&d->storage);
	d->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (error == 0 && d->timer_fd < 0)
		error = -errno;
	if (error == 0)
		error = opener_create(&d->opener);
	if (error == 0)
		error = mover_create(MOVER_THREADS, legs_copied, d, &d->mover);
	if (error == 0)
		error = responders_create(&d->registry, d->handover.socket,
					  d->handover.socket_count, &core, &d->responders);
	if (error == 0)
		error =
		    source_add(d, QB_LOOP_HIGH, storage_engine_fd(d->storage), dispatch_storage);
	if (error == 0)
		error = source_add(d, QB_LOOP_HIGH, opener_fd(d->opener), dispatch_opener);
	if (error == 0)
		error = source_add(d, QB_LOOP_HIGH, d->timer_fd, timers_run);
	if (error == 0)
		error = source_add(d, QB_LOOP_MED, mover_fd(d->mover), dispatch_mover);
	if (error == 0)
		error = source_add(d, QB_LOOP_MED, devmap_fd(d->devmap), dispatch_devmap);
	if (error == 0)
		error = source_add(d, QB_LOOP_HIGH, responders_fd(d->responders), dispatch_handoff);
	if (error == 0)
		error = daemon_listen_errands(d);
	if (error == 0)
		error = reload_create(d, &d->reloads);
	if (error == 0 && d->config.cluster)
		error = cluster_create(d, &d->cluster);
	if (error == 0 && d->config.cluster)
		error = source_add(d, QB_LOOP_HIGH, cluster_locks_fd(d->cluster), dispatch_locks);
	if (error != 0)
		message_log(LOG_ERR, MSG_DAEMON_CANNOT_START, "cannot start: %s", strerror(-error));
	return error;
}

static int core_lock_init(struct daemon *d)
{
	pthread_mutexattr_t attribute;
	int error;

	pthread_mutexattr_init(&attribute);
	pthread_mutexattr_setprotocol(&attribute, PTHREAD_PRIO_INHERIT);
	error = -pthread_mutex_init(&d->core_lock, &attribute);
	pthread_mutexattr_destroy(&attribute);
	return error;
}

/* The last daemon of this node has left the group: it is gone. */
static int cluster_start(struct daemon *d)
{
	int error;

	daemon_enter(d);
	error = cluster_join(d->cluster);
	if (error == 0) {
		cluster_wait(d->cluster, CLUSTER_WAIT_MS);
		error = source_add(d, QB_LOOP_HIGH, cluster_group_fd(d->cluster), dispatch_group);
	}
	daemon_leave(d);
	if (error != 0)
		message_log(LOG_ERR, MSG_DAEMON_CANNOT_START, "cannot join the cluster: %s",
			    strerror(-error));
	return error;
}

static int admin_start(struct daemon *d)
{
	struct admin_source source;
	int error;

	admin_source_fill(d, &source);
	error = admin_server_create(d->loop,
				    d->config.admin_group[0] != '\0' ? d->config.admin_group : NULL,
				    &source, &d->admin);
	if (error == 0 && events_fd() >= 0)
		error = source_add(d, QB_LOOP_LOW, events_fd(), dispatch_events);
	if (error != 0)
		message_log(LOG_ERR, MSG_DAEMON_CANNOT_START, "cannot serve admins: %s",
			    strerror(-error));
	return error;
}

static void signals_add(struct daemon *d)
{
	qb_loop_signal_handle handle;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN); /* a successor that did not get ready reaps itself */
	qb_loop_signal_add(d->loop, QB_LOOP_HIGH, SIGTERM, d, on_terminate, &handle);
	qb_loop_signal_add(d->loop, QB_LOOP_HIGH, SIGINT, d, on_terminate, &handle);
	qb_loop_signal_add(d->loop, QB_LOOP_HIGH, SIGHUP, d, on_hangup, &handle);
	qb_loop_signal_add(d->loop, QB_LOOP_HIGH, SIGUSR1, d, on_blackbox, &handle);
}

void daemon_suspect(struct log *log)
{
	legs_refresh(log);
	if (atomic_load(&log->hot.shared->suspect) == SUSPECT_RESETTING)
		legs_suspect(log, true);
	else
		log->suspect_owed = true;
	suspect_see_to(log);
}

void daemon_lost(struct daemon *d)
{
	if (d->left)
		return; /* some may have a log yet, and until then none can be made */
	for (unsigned i = 0; i < d->lost_count; i++)
		if (registry_find_name(&d->registry, d->lost[i]) == NULL)
			legs_lost(d, d->lost[i]);
	free(d->lost);
	d->lost = NULL;
	d->lost_count = 0;
}

/* What responders hand over is waited for like what they answer: without this the wake-up of the
 * loop on another CPU is most of the time of a request. Threads it starts later do not inherit it.
 */
static void loop_hurry(const struct daemon *d)
{
	struct sched_param priority = {.sched_priority = d->config.realtime_priority};

	if (d->config.realtime_priority > 0 &&
	    sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority) < 0)
		message_log(LOG_WARNING, MSG_NOT_PRIVILEGED, "no real-time priority: %s",
			    strerror(errno));
}

static int start(struct daemon *d)
{
	bool handed_over = d->handover.socket_count > 0;
	int error;

	d->unplanned = !handed_over;
	if (directories_make(&d->config) != 0 || lock_take(d) != 0 || sockets_open(d) != 0)
		return -1;
	logging_catch_fatal(d->config.state_dir);
	memory_settle();
	if (host_identity(d->config.host_id, &d->owner) != 0 ||
	    host_boot_id(d->boot_id, sizeof(d->boot_id)) != 0) {
		message_log(LOG_ERR, MSG_HOST_UNNAMED,
			    "this host has no identity: set id in section [host] of %s",
			    d->config_path);
		return -1;
	}
	if (ports_create(d) != 0)
		return -1;
	d->threads = d->config.responders;
	signals_add(d);
	if (d->handover.successor_fd >= 0 &&
	    (restore_check(d) != 0 || handover_wait(&d->handover) != 0)) {
		message_log(LOG_ERR, MSG_RESTART_GIVEN_UP,
			    "the daemon that was to be replaced goes on");
		return -1;
	}
	events_open(d->config.run_dir); /* nobody else writes there any more */
	if (handed_over)
		sockets_resize(d);
	if (!restore_fits(d))
		return -1;
	heartbeat_send(d); /* from here on the supervisor looks at us */
	restore_logs(d);
	if (!handed_over && sockets_join(d) != 0)
		return -1;
	if (serving_start(d) != 0)
		return -1;
	if (d->handover.successor_fd >= 0)
		handover_wait_end(&d->handover, END_LIMIT_MS);
	daemon_enter(d);
	reload_recover(d->reloads);
	daemon_leave(d);
	if (d->config.cluster && cluster_start(d) != 0)
		return -1;
	if (admin_start(d) != 0)
		return -1;
	daemon_enter(d);
	if (!handed_over)
		requests_nudge(d);
	daemon_lost(d);
	for (size_t i = 0; i < d->registry.count; i++)
		daemon_suspect(d->registry.log[i]);
	daemon_leave(d);
	on_heartbeat(d);
	loop_hurry(d);
	d->serving = true;
	error = notify_ready();
	if (error != 0)
		message_log(LOG_WARNING, MSG_SERVICE_MANAGER,
			    "the service manager was not told that all is ready: %s",
			    strerror(-error));
	message_log(LOG_INFO, MSG_DAEMON_STARTED, "%u sockets, receive buffer %zu KiB",
		    d->handover.socket_count,
		    kernel_netlink_buffered(d->handover.socket[0]) / 1024);
	daemon_enter(d);
	event_daemon(handed_over ? EVENT_DAEMON_CARRIES_ON : EVENT_DAEMON_STARTED,
		     d->handover.generation,
		     "dlmirrord " PACKAGE_VERSION " %s, %zu logs, %u responders",
		     handed_over ? "carries on" : "started", d->registry.count,
		     d->threads ? d->handover.socket_count : 0);
	daemon_leave(d);
	return 0;
}

static void end(struct daemon *d)
{
	bool active;

	if (d->responders != NULL)
		serving_stop(d);
	d->admin = admin_server_destroy(d->admin);
	active = d->registry.count > 0;
	while (d->registry.count > 0)
		log_destroy(d->registry.log[0], false);
	marker_finish(MARKER_LIMIT_S);
	for (unsigned i = 0; i < d->handover.socket_count; i++)
		close(d->handover.socket[i]);
	d->devmap = devmap_destroy(d->devmap);
	d->errands = errands_destroy(d->errands);
	d->reloads = reload_destroy(d->reloads);
	d->mover = mover_destroy(d->mover);
	d->responders = responders_destroy(d->responders);
	d->opener = opener_destroy(d->opener);
	d->storage = storage_engine_destroy(d->storage);
	d->cluster = cluster_destroy(d->cluster, !active);
	close(d->timer_fd);
	registry_destroy(&d->registry);
	qb_loop_destroy(d->loop);
}

int daemon_run(const struct config *config, const char *config_path,
	       const struct handover *handover, const char *program)
{
	static struct daemon d;
	int code = EXIT_FAILURE;

	d.config = *config;
	d.handover = *handover;
	d.successor_fd = -1;
	d.started_ms = clock_ms();
	d.incarnation = clock_wall_ms() << INCARNATION_BITS;
	snprintf(d.program, sizeof(d.program), "%s", program);
	snprintf(d.config_path, sizeof(d.config_path), "%s", config_path);
	logging_start(config->target, config->level);
	d.loop = qb_loop_create();
	if (d.loop != NULL && core_lock_init(&d) == 0 && registry_create(&d.registry) == 0 &&
	    start(&d) == 0) {
		qb_loop_run(d.loop);
		end(&d);
		event_daemon(EVENT_DAEMON_ENDED, 0, "ended");
		events_close();
		code = EXIT_SUCCESS;
	}
	logging_end();
	return code;
}
