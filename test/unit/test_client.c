// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libdlmirror against the admin server with a made-up source, over real IPC: the server runs in a
 * child process, in a network namespace of the test's own, because the service's name is an
 * abstract socket and a daemon may be running on this machine.
 */
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "codec/admin.h"
#include "daemons/dlmirrord/admin.h"
#include "dlmirror/dlmirror.h"

#define NOBODY	65534
#define SKIPPED 77

/* Seen by both processes. */
struct shared {
	_Atomic unsigned mirrors;
	_Atomic unsigned shrink; /* the list loses so many while it is read */
	_Atomic unsigned verified;
	_Atomic unsigned repaired;
	_Atomic unsigned stopped;
	_Atomic unsigned retried;
	_Atomic uint64_t rate;
	_Atomic unsigned suspended;
	_Atomic unsigned resumed;
	_Atomic unsigned commands;
	_Atomic unsigned sync_after; /* questions for a mirror until it is in sync; 0: never */
	_Atomic unsigned pieces;
	_Atomic uint64_t regions; /* of the mirror that is mapped */
	_Atomic bool grows;	  /* at the second piece */
	_Atomic uint64_t record;
	_Atomic uint64_t newest;
	_Atomic uint64_t happens; /* so many more events with each page that is read */
	_Atomic uint64_t torn;	  /* an event that cannot be read */
};

static struct shared *shared;
static pid_t server_pid;

static void fill(size_t index, struct dlmirror_mirror *ret)
{
	uint32_t i;

	memset(ret, 0, sizeof(*ret));
	/* Backwards, so that the library has something to sort. */
	(void)snprintf(ret->name, sizeof(ret->name), "m%05zu", 99999 - index);
	(void)snprintf(ret->uuid, sizeof(ret->uuid), "uuid-%zu", index);
	strcpy(ret->phase, "active");
	strcpy(ret->log_state, "ok");
	strcpy(ret->log_device, "253:4");
	ret->luid = 0xffff888000000000 + index;
	ret->has_disk = true;
	ret->log_error = -5;
	ret->length_sectors = 2097152;
	ret->region_sectors = 1024;
	ret->region_count = 2048;
	ret->in_sync = index;
	ret->verify_listed = DLMIRROR_REGIONS_MAX;
	for (i = 0; i < DLMIRROR_REGIONS_MAX; i++)
		ret->verify_region[i] = index + i;
	ret->leg_count = DLMIRROR_LEGS_MAX;
	for (i = 0; i < DLMIRROR_LEGS_MAX; i++)
		ret->leg[i] = (struct dlmirror_leg){7, i, 2048, 'A'};
}

static size_t source_count(void *context)
{
	(void)context;
	return shared->mirrors;
}

static void source_mirror(void *context, size_t index, struct dlmirror_mirror *ret)
{
	(void)context;
	if (shared->shrink > 0 && index % 50 == 49) {
		shared->shrink--;
		shared->mirrors--;
	}
	fill(index, ret);
}

static int source_find(void *context, const char *mirror, struct dlmirror_mirror *ret)
{
	(void)context;
	if (strcmp(mirror, "m99998") != 0)
		return -ENOENT;
	fill(1, ret);
	if (shared->sync_after > 0 && --shared->sync_after == 0)
		ret->in_sync = ret->region_count;
	return 0;
}

static int source_counters(void *context, const char *mirror, struct dlmirror_counters *ret)
{
	unsigned type;
	unsigned i;

	(void)context;
	if (strcmp(mirror, "m99998") != 0)
		return -ENOENT;
	for (type = 0; type < DLMIRROR_TYPES; type++) {
		ret->type[type].count = type;
		ret->type[type].errors = type * 2;
		ret->type[type].total_us = type * 3;
		for (i = 0; i < DLMIRROR_BUCKETS; i++)
			ret->type[type].bucket[i] = type * 100 + i;
	}
	return 0;
}

static int source_suspend(void *context, const char *mirror, char *text, size_t size)
{
	(void)context;
	if (strcmp(mirror, "busy") == 0) {
		(void)snprintf(text, size, "a reload of it is under way");
		return -EBUSY;
	}
	shared->suspended++;
	return 0;
}

static int source_log_replace(void *context, const char *mirror, const char *device,
			      uint32_t timeout_s, char *text, size_t size)
{
	(void)context;
	(void)size;
	text[0] = '\0';
	return strcmp(mirror, "m") == 0 && strcmp(device, "/dev/mapper/l") == 0 && timeout_s == 7
		   ? 0
		   : -ENOENT;
}

static int source_resume(void *context, const char *mirror, char *text, size_t size)
{
	(void)context;
	(void)mirror;
	(void)text;
	(void)size;
	shared->resumed++;
	return 0;
}

static int source_rate(void *context, const char *mirror, uint64_t bytes_s, char *text, size_t size)
{
	(void)context;
	(void)mirror;
	(void)text;
	(void)size;
	shared->rate = bytes_s;
	return 0;
}

static int source_verify(void *context, const char *mirror, bool repair, uint64_t bytes_s,
			 char *text, size_t size)
{
	(void)context;
	if (strcmp(mirror, "busy") == 0) {
		(void)snprintf(text, size, "busy is suspended; resume it first");
		return -EBUSY;
	}
	shared->verified++;
	shared->repaired += repair;
	shared->rate = bytes_s;
	return 0;
}

static int source_verify_stop(void *context, const char *mirror, char *text, size_t size)
{
	(void)context;
	(void)mirror;
	(void)text;
	(void)size;
	shared->stopped++;
	return 0;
}

static int source_log_retry(void *context, const char *mirror, char *text, size_t size)
{
	(void)context;
	(void)mirror;
	(void)text;
	(void)size;
	shared->retried++;
	return 0;
}

static void source_daemon(void *context, struct dlmirror_daemon *ret)
{
	(void)context;
	strcpy(ret->version, "1.2.3");
	strcpy(ret->host_id, "host-7");
	strcpy(ret->host_name, "seven");
	ret->pid = (uint32_t)getpid();
	ret->mirrors = shared->mirrors;
	ret->generation = 7;
	ret->memory_bytes = UINT64_C(1) << 40;
}

static int source_command(void *context, enum dlmirror_daemon_command command, const char *argument,
			  char *text, size_t size)
{
	(void)context;
	shared->commands++;
	(void)snprintf(text, size, "%d %s", command, argument);
	return command == DLMIRROR_DAEMON_RESTART_STATUS ? -ECANCELED : 0;
}

/* Region r is in state r % DLMIRROR_REGIONS. */
static int source_map(void *context, const char *mirror, uint64_t first, uint64_t per_cell,
		      uint32_t cells, struct dlmirror_cell *ret_cells, struct dlmirror_map *ret)
{
	(void)context;
	if (strcmp(mirror, "m99998") != 0)
		return -ENOENT;
	if (cells > ADMIN_MAP_CELLS || per_cell * cells > ADMIN_MAP_REGIONS)
		return -E2BIG; /* the server must have refused it */
	if (++shared->pieces == 2 && shared->grows)
		shared->regions++;
	memset(ret_cells, 0, cells * sizeof(*ret_cells));
	for (uint64_t i = 0; i < cells * per_cell && first + i < shared->regions; i++)
		ret_cells[i / per_cell].count[(first + i) % DLMIRROR_REGIONS]++;
	*ret = (struct dlmirror_map){.region_count = shared->regions,
				     .member_count = 1,
				     .member = {{.node = 7,
						 .slot = 1,
						 .state = 'R',
						 .lease_first = 128,
						 .lease = 5,
						 .claim_count = 1,
						 .claim = {99}}}};
	return 0;
}

/* Five stretches, the last of one region, with 1, 10, 100, … marks. */
static int source_heat(void *context, const char *mirror, struct dlmirror_heat *ret)
{
	uint64_t marks = 1;

	(void)context;
	if (strcmp(mirror, "m99998") != 0)
		return -ENOENT;
	*ret = (struct dlmirror_heat){.luid = 7,
				      .length_sectors = 33 * 1024 - 8,
				      .region_sectors = 1024,
				      .region_count = 33,
				      .stretch_regions = 8,
				      .stretch_count = 5};
	for (uint32_t i = 0; i < ret->stretch_count; i++, marks *= 10)
		ret->marks[i] = marks;
	return 0;
}

#define REMEMBERED 200U

static void source_events(void *context, uint64_t record, uint64_t after, struct admin_events *ret)
{
	uint64_t oldest;

	(void)context;
	*ret = (struct admin_events){.record = shared->record, .newest = shared->newest};
	oldest = ret->newest > REMEMBERED ? ret->newest - REMEMBERED + 1 : 1;
	after = record == ret->record ? after : 0;
	for (uint64_t seq = after + 1 > oldest ? after + 1 : oldest;
	     seq <= ret->newest && ret->count < ADMIN_PAGE_EVENTS; seq++)
		if (seq != shared->torn)
			ret->event[ret->count++] =
			    (struct dlmirror_event){.seq = seq,
						    .time_ms = 1000 + seq,
						    .value = 3 * seq,
						    .id = "log-failed",
						    .uuid = "data-1",
						    .name = "data",
						    .text = "log device 253:4 failed"};
	shared->newest += shared->happens;
}

static int32_t on_end(int32_t signal, void *loop)
{
	(void)signal;
	qb_loop_stop(loop);
	return 0;
}

static int32_t on_event(int32_t signal, void *server)
{
	(void)signal;
	shared->newest++;
	admin_server_news(server);
	return 0;
}

static void server_run(int ready, const char *group)
{
	const struct admin_source source = {.count = source_count,
					    .mirror = source_mirror,
					    .find = source_find,
					    .counters = source_counters,
					    .verify = source_verify,
					    .verify_stop = source_verify_stop,
					    .rate = source_rate,
					    .suspend = source_suspend,
					    .resume = source_resume,
					    .log_retry = source_log_retry,
					    .log_replace = source_log_replace,
					    .daemon = source_daemon,
					    .map = source_map,
					    .heat = source_heat,
					    .events = source_events,
					    .command = source_command};
	struct admin_server *server;
	qb_loop_signal_handle handle;
	qb_loop_t *loop = qb_loop_create();
	int result = admin_server_create(loop, group, &source, &server);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)qb_loop_signal_add(loop, QB_LOOP_HIGH, SIGTERM, loop, on_end, &handle);
	(void)qb_loop_signal_add(loop, QB_LOOP_HIGH, SIGUSR1, server, on_event, &handle);
	if (write(ready, &result, sizeof(result)) != sizeof(result) || result != 0)
		exit(1);
	qb_loop_run(loop);
	(void)admin_server_destroy(server);
	qb_loop_destroy(loop);
	exit(0);
}

static void server_start(const char *group)
{
	int ready[2];
	int result = -1;

	memset(shared, 0, sizeof(*shared));
	shared->mirrors = 3;
	assert_int_equal(pipe(ready), 0);
	server_pid = fork();
	assert_true(server_pid >= 0);
	if (server_pid == 0)
		server_run(ready[1], group);
	assert_int_equal(read(ready[0], &result, sizeof(result)), sizeof(result));
	assert_int_equal(result, 0);
	(void)close(ready[0]);
	(void)close(ready[1]);
}

/* The server must have survived, and leave without complaint (leaks are one). */
static void server_stop(void)
{
	int status;

	assert_int_equal(kill(server_pid, SIGTERM), 0);
	assert_int_equal(waitpid(server_pid, &status, 0), server_pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int root_only(void **state)
{
	(void)state;
	server_start(NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	server_stop();
	return 0;
}

/* Runs check in a child with other ids; its exit code. */
static int as_other(uid_t uid, gid_t gid, const gid_t *groups, size_t group_count,
		    int (*check)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (setgroups(group_count, groups) != 0 || setgid(gid) != 0 || setuid(uid) != 0)
			_exit(99);
		_exit(check());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static struct dlmirror *connected(void)
{
	struct dlmirror *d;
	int result = dlmirror_connect(&d);

	if (result != 0)
		fail_msg("connect: %d, %s", result, dlmirror_error(d));
	return d;
}

static void test_get(void **state)
{
	struct dlmirror *d = connected();
	struct dlmirror_mirror expected;
	struct dlmirror_mirror m;

	(void)state;
	fill(1, &expected);
	memset(&m, 0, sizeof(m));
	assert_int_equal(dlmirror_get(d, "m99998", &m), 0);
	assert_string_equal(m.uuid, expected.uuid);
	assert_int_equal(m.luid, expected.luid);
	assert_int_equal(m.log_error, -5);
	assert_int_equal(m.verify_region[63], 64);
	assert_int_equal(m.leg_count, DLMIRROR_LEGS_MAX);
	assert_int_equal(m.leg[7].minor, 7);
	assert_int_equal(m.leg[7].health, 'A');
	assert_string_equal(dlmirror_error(d), "");

	assert_int_equal(dlmirror_get(d, "nothing", &m), -ENOENT);
	assert_string_equal(dlmirror_error(d), "the daemon knows no mirror nothing; dlmirror list "
					       "shows those it knows");
	assert_string_equal(m.uuid, expected.uuid);
	assert_int_equal(dlmirror_get(d, "", &m), -ENOENT);
	dlmirror_free(d);
}

static void assert_list(struct dlmirror *d, size_t expected)
{
	struct dlmirror_mirror *list;
	size_t count;
	size_t i;

	if (dlmirror_list(d, &list, &count) != 0)
		fail_msg("list: %s", dlmirror_error(d));
	assert_int_equal(count, expected);
	for (i = 0; i < count; i++)
		assert_int_equal(list[i].in_sync, count - 1 - i);
	free(list);
}

static void test_list(void **state)
{
	struct dlmirror *d = connected();

	(void)state;
	assert_list(d, 3);
	shared->mirrors = 0;
	assert_list(d, 0);
	/* Many pages. */
	shared->mirrors = 1000;
	assert_list(d, 1000);
	/* Two mirrors go while the list is read: it starts again. */
	shared->shrink = 2;
	assert_list(d, 998);
	dlmirror_free(d);
}

static void test_counters(void **state)
{
	struct dlmirror *d = connected();
	struct dlmirror_counters c;
	unsigned type;

	(void)state;
	assert_int_equal(dlmirror_counters(d, "m99998", &c), 0);
	for (type = 0; type < DLMIRROR_TYPES; type++) {
		assert_int_equal(c.type[type].count, type);
		assert_int_equal(c.type[type].total_us, type * 3);
		assert_int_equal(c.type[type].bucket[23], type * 100 + 23);
	}
	assert_int_equal(dlmirror_counters(d, "nothing", &c), -ENOENT);
	dlmirror_free(d);
}

static void test_actions(void **state)
{
	struct dlmirror *d = connected();
	char longer[DLMIRROR_PATH_SIZE + 1] = "";
	struct dlmirror_daemon daemon;
	char text[64];

	(void)state;
	assert_int_equal(dlmirror_verify(d, "m", false), 0);
	assert_int_equal(dlmirror_verify(d, "m", true), 0);
	assert_int_equal(shared->verified, 2);
	assert_int_equal(shared->repaired, 1);
	assert_int_equal(shared->rate, 0);
	assert_int_equal(dlmirror_verify_rate(d, "m", false, 1 << 20), 0);
	assert_int_equal(shared->verified, 3);
	assert_int_equal(shared->rate, 1 << 20);
	assert_int_equal(dlmirror_suspend(d, "m"), 0);
	assert_int_equal(dlmirror_suspend(d, "busy"), -EBUSY);
	assert_string_equal(dlmirror_error(d), "a reload of it is under way");
	assert_int_equal(dlmirror_resume(d, "m"), 0);
	assert_int_equal(shared->suspended, 1);
	assert_int_equal(shared->resumed, 1);
	assert_int_equal(dlmirror_resync_rate(d, "m", 7), 0);
	assert_int_equal(shared->rate, 7);
	assert_int_equal(dlmirror_verify(d, "busy", false), -EBUSY);
	assert_string_equal(dlmirror_error(d), "busy is suspended; resume it first");
	assert_int_equal(dlmirror_verify_stop(d, "m"), 0);
	assert_int_equal(shared->stopped, 1);
	assert_int_equal(dlmirror_log_retry(d, "m"), 0);
	assert_int_equal(shared->retried, 1);
	assert_int_equal(dlmirror_log_replace(d, "m", "/dev/mapper/l", 7), 0);
	memset(longer, '/', sizeof(longer) - 1);
	assert_int_equal(dlmirror_log_replace(d, "m", longer, 7), -EINVAL);

	assert_int_equal(dlmirror_daemon(d, &daemon), 0);
	assert_int_equal(daemon.pid, server_pid);
	assert_string_equal(daemon.version, "1.2.3");
	assert_string_equal(daemon.host_id, "host-7");
	assert_string_equal(daemon.host_name, "seven");
	assert_int_equal(daemon.generation, 7);
	assert_int_equal(daemon.memory_bytes, UINT64_C(1) << 40);

	assert_int_equal(
	    dlmirror_daemon_command(d, DLMIRROR_DAEMON_LOG_LEVEL, "debug", text, sizeof(text)), 0);
	assert_string_equal(text, "5 debug");
	assert_int_equal(dlmirror_daemon_command(d, DLMIRROR_DAEMON_BLACKBOX, NULL, text, 2), 0);
	assert_string_equal(text, "4");
	assert_int_equal(dlmirror_daemon_command(d, DLMIRROR_DAEMON_BLACKBOX, NULL, NULL, 0), 0);
	/* What the daemon says about a failure is the error in words. */
	assert_int_equal(
	    dlmirror_daemon_command(d, DLMIRROR_DAEMON_RESTART_STATUS, NULL, text, sizeof(text)),
	    -ECANCELED);
	assert_string_equal(dlmirror_error(d), "6 ");
	assert_int_equal(shared->commands, 4);
	dlmirror_free(d);
}

static void assert_map(struct dlmirror *d, uint64_t regions, uint64_t first, uint64_t per_cell,
		       uint32_t cells, unsigned pieces)
{
	static struct dlmirror_cell seen[5000];
	struct dlmirror_map map;

	shared->regions = regions;
	shared->pieces = 0;
	if (dlmirror_map(d, "m99998", first, per_cell, cells, seen, &map) != 0)
		fail_msg("map: %s", dlmirror_error(d));
	assert_int_equal(shared->pieces, pieces);
	assert_int_equal(map.region_count, regions);
	for (uint32_t i = 0; i < cells; i++) {
		struct dlmirror_cell expected = {{0}};

		for (uint64_t n = 0; n < per_cell && first + i * per_cell + n < regions; n++)
			expected.count[(first + i * per_cell + n) % DLMIRROR_REGIONS]++;
		assert_memory_equal(&seen[i], &expected, sizeof(expected));
	}
}

/* In as few pieces as the messages allow, and a cell in parts when it is too large for one. */
static void test_map(void **state)
{
	const uint64_t most = ADMIN_MAP_REGIONS;
	struct dlmirror *d = connected();
	struct dlmirror_cell cell[2];
	struct dlmirror_map map;

	(void)state;
	assert_map(d, 1000, 0, 1, 1000, 1);
	assert_map(d, 1000, 990, 7, 3, 1);
	assert_map(d, 1000, 1000, 7, 3, 1);
	assert_map(d, 5000, 0, 1, 5000, 5);
	assert_map(d, 5000, 0, most / 2, 2, 1);
	assert_map(d, most, 0, most / 2 + 1, 3, 2); /* the third is behind the end */
	assert_map(d, 3 * most, 5, most + 3, 2, 4);
	assert_map(d, 3 * most, 0, most * 100, 1, 3);

	shared->regions = 1000;
	assert_int_equal(dlmirror_map(d, "m99998", 0, 500, 2, cell, &map), 0);
	assert_int_equal(map.member_count, 1);
	assert_int_equal(map.member[0].node, 7);
	assert_int_equal(map.member[0].slot, 1);
	assert_int_equal(map.member[0].state, 'R');
	assert_int_equal(map.member[0].lease_first, 128);
	assert_int_equal(map.member[0].lease, 5);
	assert_int_equal(map.member[0].claim_count, 1);
	assert_int_equal(map.member[0].claim[0], 99);

	assert_int_equal(dlmirror_map(d, "nothing", 0, 1, 1, cell, &map), -ENOENT);
	/* Between two pieces it was given another size. */
	shared->regions = 2 * most;
	shared->pieces = 0;
	shared->grows = true;
	assert_int_equal(dlmirror_map(d, "m99998", 0, most, 2, cell, &map), -EAGAIN);
	assert_string_equal(dlmirror_error(d), "m99998 was given another size meanwhile");
	/* What makes no sense is not even sent. */
	shared->pieces = 0;
	assert_int_equal(dlmirror_map(d, "m99998", 0, 0, 2, cell, &map), -EINVAL);
	assert_int_equal(dlmirror_map(d, "m99998", 0, 1, 0, cell, &map), -EINVAL);
	assert_int_equal(dlmirror_map(d, "m99998", 0, 1, DLMIRROR_CELLS_MAX + 1, cell, &map),
			 -EINVAL);
	assert_int_equal(dlmirror_map(d, "m99998", 1, UINT64_MAX / 2 + 1, 2, cell, &map), -EINVAL);
	assert_int_equal(shared->pieces, 0);
	dlmirror_free(d);
}

/* Expects these events, 0 where some are missing, of which the value says how many. */
static void assert_events(struct dlmirror *d, struct dlmirror_position *position, uint64_t first,
			  uint64_t last, uint64_t lost)
{
	struct dlmirror_event *event;
	size_t count;
	size_t at = 0;

	if (dlmirror_events(d, position, &event, &count) != 0)
		fail_msg("events: %s", dlmirror_error(d));
	if (lost > 0) {
		assert_in_range(count, 1, REMEMBERED + 1);
		assert_string_equal(event[0].id, DLMIRROR_EVENT_LOST);
		assert_int_equal(event[0].seq, 0);
		assert_int_equal(event[0].value, lost);
		assert_int_equal(event[0].time_ms, 1000 + first);
		at = 1;
	}
	assert_int_equal(count - at, last + 1 - first);
	for (uint64_t seq = first; seq <= last; seq++) {
		assert_int_equal(event[at].seq, seq);
		assert_int_equal(event[at].time_ms, 1000 + seq);
		assert_int_equal(event[at].value, 3 * seq);
		assert_string_equal(event[at].id, "log-failed");
		assert_string_equal(event[at].uuid, "data-1");
		assert_string_equal(event[at].name, "data");
		assert_string_equal(event[at].text, "log device 253:4 failed");
		at++;
	}
	free(event);
	assert_int_equal(position->record, shared->record);
	assert_int_equal(position->seq, last);
}

static void test_events(void **state)
{
	struct dlmirror *d = connected();
	struct dlmirror_position position = {0};
	struct dlmirror_event *event;
	size_t count;

	(void)state;
	shared->record = 17;
	assert_events(d, &position, 1, 0, 0);
	/* more than the daemon remembers happened since: told, though none was read before */
	shared->newest = REMEMBERED + 5;
	assert_events(d, &position, 6, REMEMBERED + 5, 5);
	assert_events(d, &position, REMEMBERED + 6, REMEMBERED + 5, 0);
	shared->newest++;
	assert_events(d, &position, REMEMBERED + 6, REMEMBERED + 6, 0);
	shared->newest += REMEMBERED + 70;
	assert_events(d, &position, REMEMBERED + 77, 2 * REMEMBERED + 76, 70);
	/* what was forgotten before somebody came is not missed */
	position = (struct dlmirror_position){0};
	assert_events(d, &position, REMEMBERED + 77, 2 * REMEMBERED + 76, 0);
	/* events that come faster than they are read are for the next time */
	position = (struct dlmirror_position){0};
	shared->happens = 1;
	assert_events(d, &position, REMEMBERED + 77, 2 * REMEMBERED + 79, 0);
	shared->happens = 0;
	dlmirror_free(d);

	d = connected();
	/* one that its daemon did not finish */
	position = (struct dlmirror_position){.record = 17, .seq = shared->newest - 3};
	shared->torn = shared->newest - 2;
	assert_int_equal(dlmirror_events(d, &position, &event, &count), 0);
	assert_int_equal(count, 3);
	assert_string_equal(event[0].id, DLMIRROR_EVENT_LOST);
	assert_int_equal(event[0].value, 1);
	assert_int_equal(event[1].seq, shared->newest - 1);
	free(event);
	/* the record has begun anew */
	shared->record = 18;
	shared->newest = 2;
	assert_int_equal(dlmirror_events(d, &position, &event, &count), 0);
	assert_int_equal(count, 3);
	assert_string_equal(event[0].id, DLMIRROR_EVENT_LOST);
	assert_int_equal(event[0].value, 0);
	assert_int_equal(event[1].seq, 1);
	assert_int_equal(event[2].seq, 2);
	assert_int_equal(position.record, 18);
	assert_int_equal(position.seq, 2);
	free(event);
	dlmirror_free(d);
}

static void test_heat(void **state)
{
	struct dlmirror *d = connected();
	struct dlmirror_heat heat;

	(void)state;
	assert_int_equal(dlmirror_heat(d, "m99998", &heat), 0);
	assert_int_equal(heat.luid, 7);
	assert_int_equal(heat.length_sectors, 33 * 1024 - 8);
	assert_int_equal(heat.region_sectors, 1024);
	assert_int_equal(heat.region_count, 33);
	assert_int_equal(heat.stretch_regions, 8);
	assert_int_equal(heat.stretch_count, 5);
	assert_int_equal(heat.marks[0], 1);
	assert_int_equal(heat.marks[4], 10000);
	assert_int_equal(heat.marks[5], 0);
	assert_int_equal(dlmirror_heat(d, "nothing", &heat), -ENOENT);
	assert_string_equal(dlmirror_error(d), "the daemon knows no mirror nothing; dlmirror list "
					       "shows those it knows");
	assert_int_equal(heat.marks[4], 10000);
	dlmirror_free(d);
}

static int try_connect(void)
{
	struct dlmirror *d;
	int result = dlmirror_connect(&d);

	dlmirror_free(d);
	return -result;
}

static void test_refusal(void **state)
{
	(void)state;
	assert_int_equal(as_other(NOBODY, NOBODY, NULL, 0, try_connect), EACCES);
	assert_int_equal(try_connect(), 0);
}

static int group_setup(void **state)
{
	static char name[64];
	struct group *group = getgrgid(1);

	*state = NULL;
	if (!group)
		return root_only(state);
	(void)snprintf(name, sizeof(name), "%s", group->gr_name);
	server_start(name);
	*state = name;
	return 0;
}

static void test_group(void **state)
{
	const gid_t groups[] = {NOBODY - 1, 1};

	if (!*state)
		skip();
	assert_int_equal(as_other(NOBODY, NOBODY, NULL, 0, try_connect), EACCES);
	assert_int_equal(as_other(NOBODY, NOBODY, groups, 1, try_connect), EACCES);
	assert_int_equal(as_other(NOBODY, NOBODY, groups, 2, try_connect), 0);
	assert_int_equal(as_other(NOBODY, 1, NULL, 0, try_connect), 0);
	assert_int_equal(try_connect(), 0);
}

/* Strangers that connect and say nothing do not keep others out, nor use up descriptors. */
static int hold_connections(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int held[64];
	unsigned closed = 0;
	unsigned i;
	char byte;

	strcpy(address.sun_path + 1, ADMIN_SERVICE);
	for (i = 0; i < 64; i++) {
		held[i] = socket(AF_UNIX, SOCK_STREAM, 0);
		if (connect(held[i], (struct sockaddr *)&address,
			    (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
					sizeof(address.sun_path))) != 0)
			return 1;
	}
	/* The server lets 8 of them wait and closes the others. */
	for (i = 8; i < 64; i++)
		closed += recv(held[i], &byte, 1, 0) <= 0;
	if (closed != 56)
		return 2;
	return recv(held[0], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN ? 0 : 3;
}

static int hold_and_ask(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
			_exit(99);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* setuid() forgets it */
		status = hold_connections();
		(void)raise(SIGSTOP); /* keeps them open meanwhile */
		_exit(status);
	}
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
	status = try_connect();
	(void)kill(pid, SIGCONT);
	if (status != 0)
		return 101;
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 102;
	return WEXITSTATUS(status);
}

static void test_strangers(void **state)
{
	(void)state;
	assert_int_equal(hold_and_ask(), 0);
}

/* The request socket of a connected client, from the kernel's list: what anybody can read. */
static bool request_address(struct sockaddr_un *ret, socklen_t *ret_size)
{
	FILE *file = fopen("/proc/net/unix", "re");
	char line[512];
	char *at;
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		at = strstr(line, "@/dev/shm/qb-");
		if (!at || !strstr(at, "-request"))
			continue;
		/* The name fills the whole address: the file shows its NULs as '@'. */
		at[strcspn(at, "\n")] = '\0';
		memset(ret, 0, sizeof(*ret));
		ret->sun_family = AF_UNIX;
		at++;
		at[strcspn(at, "@")] = '\0';
		strcpy(ret->sun_path + 1, at);
		*ret_size = sizeof(*ret);
		found = true;
	}
	if (file)
		(void)fclose(file);
	return found;
}

static int datagram_send(const void *data, size_t size)
{
	struct sockaddr_un address;
	socklen_t address_size;
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	const int room = 1 << 22;
	ssize_t sent;

	if (!request_address(&address, &address_size))
		return 1;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	sent = sendto(fd, data, size, 0, (struct sockaddr *)&address, address_size);
	(void)close(fd);
	return sent == (ssize_t)size ? 0 : errno;
}

static int stop_from_aside(void)
{
	const struct admin_request request = {.kind = ADMIN_COMMAND,
					      .command = DLMIRROR_DAEMON_STOP_FORCE};
	uint8_t message[ADMIN_REQUEST_MAX];

	return datagram_send(message, admin_request_encode(&request, message, sizeof(message)));
}

/* While an administrator is connected, another user finds his socket and sends a command there. */
static void test_injection(void **state)
{
	struct dlmirror *d = connected();
	struct dlmirror_daemon daemon;

	(void)state;
	assert_int_equal(as_other(NOBODY, NOBODY, NULL, 0, stop_from_aside), 0);
	assert_int_equal(dlmirror_daemon(d, &daemon), 0);
	assert_int_equal(shared->commands, 0);
	dlmirror_free(d);

	/* The same by root does reach the server: the way there is the right one. */
	d = connected();
	assert_int_equal(stop_from_aside(), 0);
	assert_int_equal(dlmirror_verify(d, "m", false), -EPROTO); /* gets the other's answer */
	assert_non_null(strstr(dlmirror_error(d), "dlmirror daemon restart"));
	assert_int_equal(shared->commands, 1);
	dlmirror_free(d);
}

/* The server says what is wrong with a piece of a map that is too large, or empty, and does not ask
 * for it. */
static void test_bad_pieces(void **state)
{
	static const struct {
		uint64_t per_cell;
		uint32_t cells;
	} bad[] = {{0, 1},
		   {1, 0},
		   {1, ADMIN_MAP_CELLS + 1},
		   {ADMIN_MAP_REGIONS + 1, 1},
		   {ADMIN_MAP_REGIONS / 2 + 1, 2},
		   {UINT64_MAX, 1},
		   {UINT64_C(1) << 63, 2}};
	uint8_t message[ADMIN_REQUEST_MAX];
	struct dlmirror_cell cell;
	struct dlmirror_map map;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct admin_request request = {.kind = ADMIN_MAP,
						      .mirror = "m99998",
						      .per_cell = bad[i].per_cell,
						      .cells = bad[i].cells};
		struct dlmirror *d = connected();

		shared->regions = 10;
		assert_int_equal(datagram_send(message, admin_request_encode(&request, message,
									     sizeof(message))),
				 0);
		/* the answer to the request before it */
		assert_int_equal(dlmirror_map(d, "m99998", 0, 1, 1, &cell, &map), -EINVAL);
		assert_string_equal(dlmirror_error(d),
				    "a piece of a map has 1 to 1024 cells, and 1048576 regions at "
				    "most [daemon-other-version]");
		dlmirror_free(d);
	}
}

/* Datagrams that are no requests, from somebody who may ask: the server must go on. */
static void test_garbage(void **state)
{
	static uint8_t big[300000];
	struct dlmirror_daemon daemon;
	struct writer w;
	int result;
	uint32_t sizes[] = {0, 1, 15, 16, 17, 100, 1024, 1025, 70000, 200000, sizeof(big)};
	size_t i;
	unsigned claim;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (claim = 0; claim < 4; claim++) {
			const uint32_t claims[] = {sizes[i], UINT32_MAX, 0, 1u << 30};
			struct dlmirror *d = connected();

			memset(big, 0x5a, sizeof(big));
			w = writer_of(big, sizeof(big));
			write_native_u32(&w, 0);
			write_native_u32(&w, 0);
			write_native_u32(&w, claims[claim]);
			assert_int_equal(datagram_send(big, sizes[i]), 0);
			/* Behind the garbage in the same queue. Its answer may be the garbage's. */
			result = dlmirror_daemon(d, &daemon);
			assert_true(result == 0 || result == -EPROTO || result == -ENOTCONN);
			dlmirror_free(d);
		}
	}
	assert_int_equal(shared->commands, 0);
	assert_int_equal(try_connect(), 0);
}

/* A connection request that asks for a gigantic buffer, or is not whole, is not let in. */
static void test_connect_garbage(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	uint8_t message[24] = {0};
	const size_t sizes[] = {24, 5, 24};
	struct writer w = writer_of(message, sizeof(message));
	unsigned i;
	char byte;

	(void)state;
	strcpy(address.sun_path + 1, ADMIN_SERVICE);
	write_native_u32(&w, (uint32_t)-1); /* libqb's id of a connection request */
	write_native_u32(&w, 0);
	write_native_u32(&w, sizeof(message));
	write_native_u32(&w, 0);
	write_native_u32(&w, UINT32_MAX);
	for (i = 0; i < 3; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		if (i == 2)
			memset(message, 0, sizeof(message));
		assert_int_equal(connect(fd, (struct sockaddr *)&address,
					 (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
						     sizeof(address.sun_path))),
				 0);
		assert_int_equal(send(fd, message, sizes[i], 0), sizes[i]);
		assert_true(recv(fd, &byte, 1, 0) <= 0);
		(void)close(fd);
	}
	assert_int_equal(try_connect(), 0);
}

/* A stopped daemon: an error in time, on an open connection and on a new one. */
static void test_stuck(void **state)
{
	struct dlmirror *d;
	struct dlmirror *late;
	struct dlmirror_daemon daemon;
	int status;

	(void)state;
	assert_int_equal(setenv("DLMIRROR_TIMEOUT_MS", "300", 1), 0);
	d = connected();
	assert_int_equal(kill(server_pid, SIGSTOP), 0);
	assert_int_equal(waitpid(server_pid, &status, WUNTRACED), server_pid);
	assert_int_equal(dlmirror_daemon(d, &daemon), -ETIMEDOUT);
	assert_non_null(strstr(dlmirror_error(d), "did not answer within 0.3 seconds"));
	assert_int_equal(dlmirror_daemon(d, &daemon), -ENOTCONN);
	assert_int_equal(dlmirror_connect(&late), -ETIMEDOUT);
	dlmirror_free(late);
	dlmirror_free(d);
	/* The request of a client that has gone must not keep the others waiting: libqb would try
	 * for a second to deliver the answer. */
	assert_int_equal(setenv("DLMIRROR_TIMEOUT_MS", "700", 1), 0);
	assert_int_equal(kill(server_pid, SIGCONT), 0);
	assert_int_equal(try_connect(), 0);
	assert_int_equal(unsetenv("DLMIRROR_TIMEOUT_MS"), 0);
}

static void test_no_daemon(void **state)
{
	struct dlmirror *d;

	(void)state;
	assert_int_equal(dlmirror_connect(&d), -ENOTCONN);
	assert_string_equal(dlmirror_error(d), "no daemon answers on this host; start dlmirrord");
	dlmirror_free(d);
	dlmirror_free(NULL);
}

static bool readable(int fd, int timeout_ms)
{
	struct pollfd waiting = {.fd = fd, .events = POLLIN};

	return poll(&waiting, 1, timeout_ms) == 1;
}

/* An event of the server's; it has been told when this returns. */
static void event_happens(struct dlmirror *d)
{
	uint64_t newest = shared->newest;
	struct dlmirror_daemon daemon;

	assert_int_equal(kill(server_pid, SIGUSR1), 0);
	while (shared->newest == newest)
		assert_int_equal(dlmirror_daemon(d, &daemon), 0);
	assert_int_equal(dlmirror_daemon(d, &daemon), 0);
}

static void test_watch(void **state)
{
	struct dlmirror_position position = {0};
	struct dlmirror *d;
	struct dlmirror *other;
	struct dlmirror_event *event;
	size_t count;
	int again;
	int fd;

	(void)state;
	server_start(NULL);
	shared->record = 17;
	d = connected();
	other = connected();
	event_happens(d); /* to nobody who watches */
	assert_int_equal(dlmirror_watch(d, &fd), 0);
	assert_int_equal(dlmirror_watch(d, &again), 0);
	assert_int_equal(again, fd);
	assert_true(readable(fd, 0)); /* what happened until now is new */
	assert_events(d, &position, 1, 1, 0);
	assert_false(readable(fd, 0));
	event_happens(other);
	assert_true(readable(fd, 0));
	event_happens(other); /* told once, and not again until somebody has looked */
	assert_events(d, &position, 2, 3, 0);
	assert_false(readable(fd, 0));
	event_happens(d);
	assert_true(readable(fd, 0));
	assert_events(d, &position, 4, 4, 0);
	server_stop();
	assert_true(readable(fd, 0));
	assert_int_equal(dlmirror_events(d, &position, &event, &count), -ENOTCONN);
	assert_int_equal(dlmirror_watch(other, &again), -ENOTCONN);
	dlmirror_free(other);
	dlmirror_free(d);
}

static void test_daemon_dies(void **state)
{
	struct dlmirror *d;
	struct dlmirror_daemon daemon;

	(void)state;
	server_start(NULL);
	d = connected();
	server_stop();
	assert_int_equal(dlmirror_daemon(d, &daemon), -ENOTCONN);
	assert_int_equal(dlmirror_daemon(d, &daemon), -ENOTCONN);
	dlmirror_free(d);
}

static void test_second_server(void **state)
{
	struct admin_source source = {0};
	struct admin_server *server;
	qb_loop_t *loop = qb_loop_create();

	(void)state;
	assert_int_equal(admin_server_create(loop, NULL, &source, &server), -EADDRINUSE);
	assert_int_equal(admin_server_create(loop, "no-such-group-here", &source, &server),
			 -ENOENT);
	qb_loop_destroy(loop);
}

/* What the example program prints; its exit code. */
static int example_run(const char *argument, char *ret, size_t size)
{
	const char *build = getenv("top_builddir");
	char command[512];
	size_t used;
	FILE *output;
	int status;

	(void)snprintf(command, sizeof(command), "%s/lib/client/example %s 2>&1",
		       build ? build : ".", argument);
	output = popen(command, "r");
	assert_non_null(output);
	used = fread(ret, 1, size - 1, output);
	ret[used] = '\0';
	status = pclose(output);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_example(void **state)
{
	char text[512];

	(void)state;
	assert_int_equal(example_run("", text, sizeof(text)), 0);
	assert_string_equal(text, "m99997: active, 2 of 2048 regions in sync\n"
				  "m99998: active, 1 of 2048 regions in sync\n"
				  "m99999: active, 0 of 2048 regions in sync\n");
	shared->sync_after = 2;
	assert_int_equal(example_run("m99998", text, sizeof(text)), 0);
	assert_string_equal(text, "m99998 is in sync\n");
	assert_int_equal(shared->sync_after, 0);
	assert_int_equal(example_run("nothing", text, sizeof(text)), 1);
	assert_string_equal(text,
			    "example: the daemon knows no mirror nothing; dlmirror list shows "
			    "those it knows\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_daemon),
	    cmocka_unit_test_setup_teardown(test_get, root_only, teardown),
	    cmocka_unit_test_setup_teardown(test_list, root_only, teardown),
	    cmocka_unit_test_setup_teardown(test_counters, root_only, teardown),
	    cmocka_unit_test_setup_teardown(test_actions, root_only, teardown),
	    cmocka_unit_test_setup_teardown(test_map, root_only, teardown),
	    cmocka_unit_test_setup_teardown(test_heat, root_only, teardown),
	    cmocka_unit_test_setup_teardown(test_events, root_only, teardown),
	    cmocka_unit_test_setup_teardown(test_bad_pieces, root_only, teardown),
	    cmocka_unit_test_setup_teardown(test_refusal, root_only, teardown),
	    cmocka_unit_test_setup_teardown(test_group, group_setup, teardown),
	    cmocka_unit_test_setup_teardown(test_strangers, root_only, teardown),
	    cmocka_unit_test_setup_teardown(test_injection, root_only, teardown),
	    cmocka_unit_test_setup_teardown(test_garbage, root_only, teardown),
	    cmocka_unit_test_setup_teardown(test_connect_garbage, root_only, teardown),
	    cmocka_unit_test_setup_teardown(test_stuck, root_only, teardown),
	    cmocka_unit_test_setup_teardown(test_second_server, root_only, teardown),
	    cmocka_unit_test_setup_teardown(test_example, root_only, teardown),
	    cmocka_unit_test(test_watch),
	    cmocka_unit_test(test_daemon_dies),
	};

	if (unshare(CLONE_NEWNET) != 0) {
		(void)fprintf(stderr, "needs root: %s\n", strerror(errno));
		return SKIPPED;
	}
	shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
