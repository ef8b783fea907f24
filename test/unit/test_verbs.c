// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command itself, as far as it only asks, against the admin server with a made-up source. Both
 * are in a network namespace of the test's own: the service's name is an abstract socket.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemons/common/message.h"
#include "daemons/dlmirrord/admin.h"
#include "dlmirror/dlmirror.h"

#define SKIPPED	  77
#define NO_DAEMON 3
#define TEXT_SIZE 262144U
#define MARK	  10

static pid_t server_pid;

/* ---- the daemon: one mirror whose table is being loaded anew, so it has two logs */

static size_t source_count(void *context)
{
	(void)context;
	return 2;
}

static void source_mirror(void *context, size_t index, struct dlmirror_mirror *ret)
{
	(void)context;
	*ret = (struct dlmirror_mirror){.uuid = "data-01234567",
					.name = "data",
					.phase = "created",
					.log_state = "none",
					.luid = index,
					.region_sectors = 1024,
					.length_sectors = 2048,
					.region_count = 2,
					.in_sync = 2,
					.verify_done = 2,
					.revision = 3};
	if (index > 0)
		return;
	strcpy(ret->phase, "active");
	/* There is no such device anywhere. */
	ret->leg_count = 1;
	ret->leg[0] = (struct dlmirror_leg){.major = 511, .minor = 1048575, .health = 'A'};
}

static int source_find(void *context, const char *mirror, struct dlmirror_mirror *ret)
{
	if (strcmp(mirror, "data") != 0 && strcmp(mirror, "data-01234567") != 0)
		return -ENOENT;
	source_mirror(context, 0, ret);
	return 0;
}

/* 9 more marks at each look, of 10 us each. */
static int source_counters(void *context, const char *mirror, struct dlmirror_counters *ret)
{
	static uint64_t marks;

	(void)context;
	(void)mirror;
	marks += 9;
	memset(ret, 0, sizeof(*ret));
	ret->type[MARK] = (struct dlmirror_counter){.count = marks, .total_us = marks * 10};
	ret->type[MARK].bucket[3] = marks;
	return 0;
}

static int source_rate(void *context, const char *mirror, uint64_t bytes_s, char *text, size_t size)
{
	(void)context;
	(void)mirror;
	(void)text;
	(void)size;
	return bytes_s == 10485760 || bytes_s == 0 ? 0 : -EINVAL;
}

static int source_verify(void *context, const char *mirror, bool repair, uint64_t bytes_s,
			 char *why, size_t size)
{
	(void)context;
	(void)mirror;
	(void)repair;
	(void)bytes_s;
	(void)why;
	(void)size;
	return 0;
}

static int source_log_retry(void *context, const char *mirror, char *why, size_t size)
{
	(void)context;
	(void)mirror;
	message_make(why, size, MSG_NOT_ACTIVE, "it will not");
	return -EBUSY;
}

static int source_map(void *context, const char *mirror, uint64_t first, uint64_t per_cell,
		      uint32_t cells, struct dlmirror_cell *ret_cells, struct dlmirror_map *ret)
{
	(void)context;
	(void)mirror;
	assert_int_equal(first, 0);
	assert_int_equal(per_cell, 1);
	assert_int_equal(cells, 2);
	memset(ret_cells, 0, cells * sizeof(*ret_cells));
	ret_cells[0].count[DLMIRROR_REGION_IN_SYNC] = 1;
	ret_cells[1].count[DLMIRROR_REGION_DIRTY] = 1;
	*ret = (struct dlmirror_map){.region_count = 2};
	return 0;
}

/* 6 more marks of region 1 at each look, and 2 of region 0. */
static int source_heat(void *context, const char *mirror, struct dlmirror_heat *ret)
{
	static uint64_t looks;

	(void)context;
	(void)mirror;
	looks++;
	*ret = (struct dlmirror_heat){.region_sectors = 1024,
				      .length_sectors = 2048,
				      .region_count = 2,
				      .stretch_regions = 1,
				      .stretch_count = 2,
				      .marks = {2 * looks, 6 * looks}};
	return 0;
}

static void source_events(void *context, uint64_t record, uint64_t after, struct admin_events *ret)
{
	(void)context;
	(void)record;
	*ret = (struct admin_events){.record = 1, .newest = 1, .count = after < 1};
	ret->event[0] = (struct dlmirror_event){.seq = 1,
						.id = "attached",
						.uuid = "data-01234567",
						.name = "data",
						.text = "it is here"};
}

static void source_daemon(void *context, struct dlmirror_daemon *ret)
{
	(void)context;
	*ret = (struct dlmirror_daemon){
	    .version = "1.2.3", .host_name = "seven", .pid = (uint32_t)getpid(), .uptime_s = 7};
}

/* What doctors of other nodes say; node 4 left before it did. */
static const struct {
	uint32_t code;
	const char *text;
} doctors[] = {
    {0, "version 1.2.3\nok kernel-target kernel-target 0 6 0 it has\nend\n"},
    {1, "version 1.2.4\nproblem mirror-leg leg-failed 4 7 6 datait diedget it\nend\n"},
    {1, "its daemon is too old for that: update it [node-too-old]\n"},
    {0, NULL},
};

static int source_errand(void *context, const struct group_errand *wish, uint64_t *ret_id,
			 uint32_t *ret_count, char *why, size_t size)
{
	(void)context;
	if (wish->what != DLMIRROR_ERRAND_DOCTOR || (wish->count == 1 && wish->node[0] == 9)) {
		message_make(why, size, MSG_NO_SUCH_NODE, "there is no node 9");
		return -EINVAL;
	}
	*ret_id = 1;
	*ret_count = wish->count > 0 ? 1 : 4;
	return 0;
}

static int source_errand_result(void *context, uint64_t id, uint32_t index,
				struct dlmirror_errand_result *ret)
{
	(void)context;
	assert_int_equal(id, 1);
	memset(ret, 0, sizeof(*ret));
	ret->node = index + 1;
	ret->done = doctors[index].text != NULL;
	ret->left = !ret->done;
	ret->code = doctors[index].code;
	if (ret->done)
		strcpy(ret->text, doctors[index].text);
	return 0;
}

static void server_run(int ready)
{
	const struct admin_source source = {.count = source_count,
					    .mirror = source_mirror,
					    .find = source_find,
					    .counters = source_counters,
					    .rate = source_rate,
					    .verify = source_verify,
					    .log_retry = source_log_retry,
					    .daemon = source_daemon,
					    .map = source_map,
					    .heat = source_heat,
					    .events = source_events,
					    .errand = source_errand,
					    .errand_result = source_errand_result};
	struct admin_server *server;
	qb_loop_t *loop = qb_loop_create();
	int result = admin_server_create(loop, NULL, &source, &server);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(ready, &result, sizeof(result)) != sizeof(result) || result != 0)
		_exit(1);
	qb_loop_run(loop);
	_exit(0);
}

static int server_start(void **state)
{
	int ready[2];
	int result = -1;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	server_pid = fork();
	assert_true(server_pid >= 0);
	if (server_pid == 0)
		server_run(ready[1]);
	assert_int_equal(read(ready[0], &result, sizeof(result)), sizeof(result));
	assert_int_equal(result, 0);
	(void)close(ready[0]);
	(void)close(ready[1]);
	return 0;
}

static int server_stop(void **state)
{
	(void)state;
	assert_int_equal(kill(server_pid, SIGKILL), 0);
	assert_int_equal(waitpid(server_pid, NULL, 0), server_pid);
	return 0;
}

/* ---- the command */

static char text[TEXT_SIZE];

static FILE *command_start(const char *arguments)
{
	const char *build = getenv("top_builddir");
	char line[4096];
	FILE *output;

	(void)snprintf(line, sizeof(line), "2>/dev/null %s/dlmirror %s", build ? build : ".",
		       arguments);
	output = popen(line, "re");
	assert_non_null(output);
	return output;
}

/* Its exit code; text is what it printed. */
static int command_end(FILE *output)
{
	size_t size = fread(text, 1, sizeof(text) - 1, output);
	int status;

	text[size] = '\0';
	status = pclose(output);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int command(const char *arguments)
{
	return command_end(command_start(arguments));
}

static size_t times(const char *part)
{
	const char *at = text;
	size_t count = 0;

	while ((at = strstr(at, part))) {
		at += strlen(part);
		count++;
	}
	return count;
}

static void test_metrics(void **state)
{
	(void)state;
	assert_int_equal(command("metrics"), 0);
	assert_int_equal(times("\ndlmirror_up 1\n"), 1);
	assert_int_equal(times("\ndlmirror_daemon_uptime_seconds 7\n"), 1);
	/* Of the two logs it is the one that serves. */
	assert_int_equal(times("\ndlmirror_mirror_regions{"), 1);
	assert_int_equal(times("dlmirror_mirror_phase=\"active\"} 1\n"), 1);
	assert_int_equal(times("type=\"mark\"} 9\n"), 2); /* requests, and the histogram's count */
	assert_int_equal(times("# EOF\n"), 1);
	assert_int_equal(command("metrics --format=prometheus"), 0);
	assert_int_equal(times("# TYPE dlmirror_daemon_requests_total counter\n"), 1);
	assert_int_equal(times("# EOF\n"), 0);
	assert_int_equal(command("metrics --format=xml"), 2);
}

static void test_metrics_no_daemon(void **state)
{
	(void)state;
	assert_int_equal(command("metrics"), NO_DAEMON);
	assert_int_equal(times("\ndlmirror_up 0\n# EOF\n"), 1);
}

static void file_read(const char *path)
{
	FILE *file = fopen(path, "re");

	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	assert_int_equal(fclose(file), 0);
}

/* rmdir() at the end fails when anything but the file is left. */
static void test_metrics_output(void **state)
{
	char directory[] = "/tmp/test_verbs.XXXXXX";
	char path[64];
	char arguments[128];
	struct stat status;

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/mirrors.prom", directory);
	(void)snprintf(arguments, sizeof(arguments), "metrics -f prometheus -o %s", path);
	assert_int_equal(command(arguments), 0);
	assert_string_equal(text, "");
	file_read(path);
	assert_int_equal(times("\ndlmirror_up 1\n"), 1);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0644);
	/* A daemon that is gone does not leave the old text there. */
	(void)server_stop(state);
	assert_int_equal(command(arguments), NO_DAEMON);
	(void)server_start(state);
	file_read(path);
	assert_int_equal(times("\ndlmirror_up 0\n"), 1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(command(arguments), 1);
	assert_int_equal(command("metrics >/dev/full"), 1);
}

static void test_top(void **state)
{
	double rate = 0;

	(void)state;
	assert_int_equal(command("top --once --interval 0.1 --json"), 0);
	assert_int_equal(times("\"name\": \"data\""), 1);
	assert_int_equal(times("\"mark_mean_us\": 10,"), 1);
	assert_int_equal(times("\"mark_p99_us\": 16,"), 1);
	/* 9 in a tenth of a second, or in more on a busy machine */
	assert_non_null(strstr(text, "\"mark_s\": "));
	assert_int_equal(sscanf(strstr(text, "\"mark_s\": "), "\"mark_s\": %lf", &rate), 1);
	assert_true(rate > 0 && rate <= 90);
	assert_int_equal(command("top --once -n 0.1"), 0);
	assert_int_equal(times("MARK/S"), 1);
	assert_int_equal(times("\ndata "), 1);
	assert_int_equal(times("10 us"), 1);
	/* No terminal: no codes. Who reads no more ends it. */
	assert_int_equal(command("top -n 0.1 | head -n 8"), 0);
	assert_true(times("MARK/S") > 1);
	assert_int_equal(times("\033"), 0);
	assert_int_equal(command("top --interval 0"), 2);
}

/* Of one mirror, or of all, which are one. */
static void test_top_regions(void **state)
{
	double rate = 0;

	(void)state;
	assert_int_equal(command("top data --once -n 0.1"), 0);
	assert_int_equal(times("NAME"), 1);
	assert_int_equal(times("\n"), 3);
	assert_non_null(strstr(text, "\ndata       1 512 KiB 512 KiB "));
	assert_int_equal(times("  75.0% ####################\n"), 1);
	assert_non_null(strstr(text, "\ndata       0   0 KiB 512 KiB "));
	assert_int_equal(times("  25.0% #######\n"), 1);
	assert_int_equal(command("top --regions -n 0.1 --json | tr -d ' \n'"), 0);
	assert_int_equal(times("\"regions\":[{\"name\":\"data\",\"first\":1,\"regions\":1,"
			       "\"offset_bytes\":524288,\"size_bytes\":524288,\"mark_s\":"),
			 1);
	assert_int_equal(times(",\"share_percent\":75.0,\"uuid\":\"data-01234567\"},"), 1);
	assert_int_equal(times("\"share_percent\":25.0,"), 1);
	assert_int_equal(sscanf(strstr(text, "\"mark_s\":"), "\"mark_s\":%lf", &rate), 1);
	assert_true(rate > 0 && rate <= 60);
	assert_int_equal(command("top data -n 0.1 | head -n 12"), 0);
	assert_true(times(" regions marked/s\n\nNAME") > 1);
	assert_int_equal(times("\033"), 0);
	assert_int_equal(command("top nothing 2>&1"), 4);
	assert_int_equal(times(" [no-such-mirror]\n"), 1);
	assert_int_equal(command("top data data"), 2);
}

/* The daemon dies after the first of ten looks, and comes back. */
static void test_top_restart(void **state)
{
	FILE *output = command_start("top -n 0.1 | head -n 50");

	do
		assert_non_null(fgets(text, sizeof(text), output));
	while (strncmp(text, "data ", 5) != 0);
	(void)server_stop(state);
	(void)usleep(200000);
	(void)server_start(state);
	assert_int_equal(command_end(output), 0);
	assert_int_equal(times("\ndata "), 9);
	/* The other daemon counts from 0 again. */
	assert_int_equal(times("-"), 0);
	assert_int_equal(times("10 us"), 9);
}

static void test_top_no_daemon(void **state)
{
	(void)state;
	assert_int_equal(command("top --once"), NO_DAEMON);
	assert_string_equal(text, "");
}

/* What it finds depends on the machine; what is made up here does not. */
static void test_doctor(void **state)
{
	char config[] = "/tmp/test_verbs.XXXXXX";
	char arguments[64];
	int fd = mkstemp(config);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "nonsense = 1\n", 13), 13);
	assert_int_equal(close(fd), 0);
	assert_int_equal(command("doctor --config=/nonexistent"), 1);
	assert_int_equal(times("ok       the daemon answers\n"), 1);
	assert_int_equal(times("warning  the daemon has version 1.2.3, this command "), 1);
	assert_int_equal(times(" => dlmirror daemon restart, once the newer one is installed "
			       "[daemon-version]\n"),
			 1);
	assert_int_equal(times("problem  data: 511:1048575 is gone  => "), 1);
	assert_int_equal(times(" => bring it back, or replace it: dlmirror reload [mirror-leg]\n"),
			 1);
	assert_int_equal(times("ok       there is no /nonexistent: "), 1);
	assert_int_equal(times("\033"), 0);
	(void)snprintf(arguments, sizeof(arguments), "doctor --config=%s", config);
	assert_int_equal(command(arguments), 1);
	assert_int_equal(times(" above it  => mend the line: the daemon does not start with it "
			       "[config-invalid]\n"),
			 1);
	(void)snprintf(arguments, sizeof(arguments), "doctor --json --config=%s", config);
	assert_int_equal(command(arguments), 1);
	assert_int_equal(times("\"check\": \"config-valid\","), 1);
	assert_int_equal(times("\"id\": \"config-invalid\""), 1);
	assert_int_equal(times(":1: nonsense stands before the first section"), 1);
	assert_int_equal(times("\"what\": \"511:1048575 is gone\","), 1);
	assert_int_equal(unlink(config), 0);
}

static void test_doctor_nodes(void **state)
{
	(void)state;
	assert_int_equal(command("doctor --nodes all"), 1);
	assert_int_equal(times("node 1: ok       it has\n"), 1);
	assert_int_equal(times("node 2: problem  data: it died  => get it [leg-failed]\n"), 1);
	assert_int_equal(times("node 3: unknown  its daemon is too old"), 1);
	assert_int_equal(times("node 4: problem  it has not answered  => "), 1);
	assert_int_equal(
	    times("\nall nodes: warning  the nodes' daemons have different versions: "
		  "1.2.3 on node 1; 1.2.4 on node 2; an older one on node 3; not known on "
		  "node 4  => "),
	    1);
	assert_int_equal(times("\n"), 5);
	/* Only one that is well */
	assert_int_equal(command("doctor --nodes=1"), 0);
	assert_int_equal(
	    times("all nodes: ok       the nodes' daemons have the same version: 1.2.3 "), 1);
	assert_int_equal(command("doctor --nodes all --json"), 1);
	assert_int_equal(times("\"id\": \"leg-failed\","), 1);
	assert_int_equal(times("\"node\": 2"), 1);
	assert_int_equal(times("\"node\": null"), 1);
	assert_int_equal(times("\"id\": \"node-too-old\","), 1);
	assert_int_equal(command("doctor --nodes=9 2>&1"), 1);
	assert_string_equal(text, "dlmirror: there is no node 9 [no-such-node]\n");
	assert_int_equal(command("doctor --nodes=some"), 2);
	assert_int_equal(command("doctor --nodes=1 --config=/nonexistent"), 2);
	assert_int_equal(command("doctor --nodes=1 --tell"), 2);
	assert_int_equal(command("doctor --json --tell"), 2);
}

/* What it says to others they understand: each finding that it says itself. */
static void test_doctor_tell(void **state)
{
	size_t lines;

	(void)state;
	assert_int_equal(command("doctor --config=/nonexistent"), 1);
	lines = times("\n");
	assert_int_equal(command("doctor --tell --config=/nonexistent"), 1);
	assert_int_equal(strncmp(text, "version 1.2.3\n", strlen("version 1.2.3\n")), 0);
	assert_string_equal(text + strlen(text) - strlen("\nend\n"), "\nend\n");
	assert_int_equal(times("\n"), lines + 2);
	assert_int_equal(times("\nproblem mirror-leg mirror-leg 4 19 45 data511:1048575 is gone"),
			 1);
	/* what is good comes last */
	assert_null(strstr(strstr(text, "\nok "), "\nproblem "));
}

static void test_show(void **state)
{
	(void)state;
	assert_int_equal(command("show data | tr -s ' '"), 0);
	assert_int_equal(times("\nRevision 3\n"), 1);
	assert_int_equal(command("show data --json"), 0);
	assert_int_equal(times("\"revision\": 3,"), 1);
}

static void test_set(void **state)
{
	(void)state;
	assert_int_equal(command("set data resync-rate=10MiB"), 0);
	assert_string_equal(text, "data: resync-rate 10MiB/s\n");
	assert_int_equal(command("set data-01234567 resync-rate=10M/s"), 0);
	assert_string_equal(text, "data: resync-rate 10MiB/s\n");
	assert_int_equal(command("set data resync-rate=unlimited"), 0);
	assert_string_equal(text, "data: resync-rate unlimited\n");
	assert_int_equal(command("set data resync-rate=11MiB"), 1); /* this daemon refuses */
	assert_int_equal(command("set none resync-rate=10MiB"), 4);
	assert_int_equal(command("set data resync-rate=0"), 2);
	assert_int_equal(command("set data resync-rate=fast"), 2);
	assert_int_equal(command("set data resync-rate"), 2);
	assert_int_equal(command("set data leg-failure=hold"), 4); /* it is nowhere configured */
	assert_int_equal(command("set data leg-failure=stop"), 2);
	assert_int_equal(command("set data leg-failures=hold"), 2);
	assert_int_equal(command("set data"), 2);
	assert_int_equal(command("verify data --rate=0"), 2);
}

static void test_report(void **state)
{
	(void)state;
	assert_int_equal(command("report --html=- --seconds=2"), 0);
	assert_int_equal(times("<h1>Mirrors of seven</h1>"), 1);
	assert_int_equal(times("<h2>data: 2 regions of 512 KiB</h2>"), 1);
	assert_int_equal(times("<td>511:1048575 is gone</td>"), 1);
	assert_int_equal(times("<td>mirror-leg</td></tr>"), 1);
	assert_int_equal(times("<tr><td>mark</td>"), 1);
	assert_int_equal(times("<h2>data: map</h2>"), 1);
	assert_int_equal(times("<h2>data: rates of 2 s</h2>"), 1);
	assert_int_equal(times("<td>attached</td><td>it is here</td>"), 1);
	assert_int_equal(times("</html>\n"), 1);
	assert_int_equal(command("report --html=- --seconds=0"), 0);
	assert_int_equal(times(": rates of "), 0);
	assert_int_equal(command("report"), 2);
	assert_int_equal(command("report --html=- --seconds=-1"), 2);
	assert_int_equal(command("report --html=- --seconds="), 2);
	assert_int_equal(command("report --html=/nonexistent/page --seconds=0"), 1);
}

static void test_explain(void **state)
{
	(void)state;
	assert_int_equal(command("explain leg-too-small '[no-daemon]'"), 0);
	assert_int_equal(times("leg-too-small\n  "), 1);
	assert_int_equal(times("\n\nno-daemon\n  "), 1);
	assert_int_equal(times("\n  Do: "), 2);
	assert_int_equal(command("explain leg-to-small 2>&1"), 2);
	assert_string_equal(text, "dlmirror: there is no message 'leg-to-small'; there is "
				  "leg-too-small [no-such-id]\n");
	assert_int_equal(command("explain xyzzy 2>&1"), 2);
	assert_string_equal(text, "dlmirror: there is no message 'xyzzy'; dlmirror explain --list "
				  "shows all [no-such-id]\n");
	assert_int_equal(command("explain --list"), 0);
	assert_int_equal(times("\nleg-too-small "), 1);
	assert_true(times("\n") > 100);
	assert_int_equal(command("explain leg-failed --json"), 0);
	assert_int_equal(times("\"id\": \"leg-failed\","), 1);
	assert_int_equal(times("\"remedy\": \""), 1);
	assert_int_equal(command("explain --list --json"), 0);
	assert_true(times("\"remedy\": \"") > 100);
}

/* The daemon's own refusal has the id that it said, the library's gets one here. */
static void test_ids(void **state)
{
	(void)state;
	assert_int_equal(command("show nothing 2>&1"), 4);
	assert_int_equal(times(" [no-such-mirror]\n"), 1);
	assert_int_equal(command("log retry data 2>&1"), 1);
	assert_string_equal(text, "dlmirror: it will not [not-active]\n");
	assert_int_equal(command("nonsense 2>&1"), 2);
	assert_int_equal(times(" [no-such-verb]\n"), 1);
	assert_int_equal(command("log inspect /nonexistent 2>&1"), 1);
	assert_int_equal(times(" [device-unopenable]\n"), 1);
	/* What it waits for has one, too: of the two logs the one that is created. */
	assert_int_equal(command("status --json | tr -d ' \\n'"), 0);
	assert_int_equal(times("\"activity_ids\":[\"created\"]"), 1);
	assert_int_equal(times("\"activity_ids\":[]"), 1);
}

static void test_ids_no_daemon(void **state)
{
	(void)state;
	assert_int_equal(command("status 2>&1"), NO_DAEMON);
	assert_int_equal(times(" [no-daemon]\n"), 1);
}

static void test_quiet(void **state)
{
	(void)state;
	assert_int_equal(command("verify data"), 0);
	assert_string_equal(text, "data: 2 regions compared, the legs are identical\n");
	assert_int_equal(command("verify data --quiet 2>&1"), 0);
	assert_string_equal(text, "");
	assert_int_equal(command("verify data -q --json"), 0);
	assert_int_equal(times("\"regions\": 2,"), 1);
	assert_int_equal(command("log retry data -q 2>&1"), 1);
	assert_int_equal(times(" [not-active]\n"), 1);
	/* not a word of the usage: there is nobody to give it to */
	assert_int_equal(command("config push data --quiet 2>&1"), 1);
	assert_int_equal(times(" [nobody-to-ask]\n"), 1);
	/* What only looks has no use for it. */
	assert_int_equal(command("status --quiet 2>/dev/null"), 2);
}

static void test_doctor_no_daemon(void **state)
{
	(void)state;
	assert_int_equal(command("doctor --nodes all"), NO_DAEMON);
	assert_string_equal(text, "");
	assert_int_equal(command("doctor --tell"), 1);
	assert_int_equal(strncmp(text, "version -\nproblem daemon-answers ", 33), 0);
	assert_int_equal(command("doctor"), 1);
	assert_int_equal(times("problem  no daemon answers on this host"), 1);
	assert_int_equal(times("  => systemctl start dlmirrord [daemon-answers]\n"), 1);
	assert_int_equal(times("unknown  the mirrors: no daemon tells [mirrors-known]\n"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_metrics, server_start, server_stop),
	    cmocka_unit_test_setup_teardown(test_metrics_output, server_start, server_stop),
	    cmocka_unit_test_setup_teardown(test_top, server_start, server_stop),
	    cmocka_unit_test_setup_teardown(test_top_regions, server_start, server_stop),
	    cmocka_unit_test_setup_teardown(test_top_restart, server_start, server_stop),
	    cmocka_unit_test_setup_teardown(test_doctor, server_start, server_stop),
	    cmocka_unit_test_setup_teardown(test_doctor_nodes, server_start, server_stop),
	    cmocka_unit_test_setup_teardown(test_doctor_tell, server_start, server_stop),
	    cmocka_unit_test_setup_teardown(test_show, server_start, server_stop),
	    cmocka_unit_test_setup_teardown(test_set, server_start, server_stop),
	    cmocka_unit_test_setup_teardown(test_report, server_start, server_stop),
	    cmocka_unit_test_setup_teardown(test_ids, server_start, server_stop),
	    cmocka_unit_test_setup_teardown(test_quiet, server_start, server_stop),
	    cmocka_unit_test(test_explain),
	    cmocka_unit_test(test_ids_no_daemon),
	    cmocka_unit_test(test_metrics_no_daemon),
	    cmocka_unit_test(test_top_no_daemon),
	    cmocka_unit_test(test_doctor_no_daemon),
	};

	if (unshare(CLONE_NEWNET) != 0) {
		(void)fprintf(stderr, "needs root: %s\n", strerror(errno));
		return SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
