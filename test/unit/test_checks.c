// SPDX-License-Identifier: GPL-2.0-or-later
/* What dlmirror doctor makes of facts: one good host, and what is told when one thing is not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemons/dlmirror/checks.h"

#define CHECKS_MAX 64

static struct facts facts;
static struct facts_mirror mirror;
static struct check told[CHECKS_MAX];
static size_t told_count;

static struct fact is(uint64_t value)
{
	return (struct fact){.known = true, .value = value};
}

static struct facts_device good_device(const char *label)
{
	struct facts_device device = {
	    .present = is(1), .sectors = is(4096), .read_only = is(0), .read_errno = is(0)};

	(void)snprintf(device.label, sizeof(device.label), "%s", label);
	return device;
}

static void mirror_fill(void)
{
	struct dlmirror_mirror *m = &mirror.mirror;

	mirror = (struct facts_mirror){.suspended = is(0), .keep_log = is(1)};
	*m = (struct dlmirror_mirror){.name = "data",
				      .uuid = "data-01234567",
				      .phase = "active",
				      .log_state = "ok",
				      .has_disk = true,
				      .handle_errors = true,
				      .length_sectors = 2048,
				      .region_count = 2,
				      .recovering = 2,
				      .in_sync = 2,
				      .clustered = true,
				      .quorate = true,
				      .member_count = 1,
				      .member = {{1, 0, 'R'}},
				      .leg_count = 2,
				      .leg = {{8, 0, 0, 'A'}, {8, 16, 2048, 'A'}}};
	mirror.leg[0] = good_device("/dev/sda");
	mirror.leg[1] = good_device("/dev/sdb");
	mirror.log = good_device("/dev/sdc");
}

static int good_host(void **state)
{
	(void)state;
	mirror_fill();
	facts = (struct facts){.version = "1.2",
			       .reachable = is(1),
			       .mirror_count = 1,
			       .mirror = &mirror,
			       .config_path = "/etc/dlmirror.conf",
			       .config_good = is(1),
			       .config_there = true,
			       .module = is(FACTS_MODULE_THERE),
			       .log_module = is(FACTS_MODULE_THERE),
			       .mirror_target = is(1),
			       .corosync = is(1),
			       .mirrors_same = is(1),
			       .token_ms = is(3000),
			       .consensus_ms = is(3600),
			       .dlm_conf_fencing = is(1),
			       .hung_task_s = is(120),
			       .hung_task_panic = is(0),
			       .unit = {{"dlmirrord", is(1)}, {"corosync", is(1)}, {"dlm", is(1)}}};
	config_default(&facts.config);
	facts.config.cluster = true;
	facts.daemon = (struct dlmirror_daemon){.version = "1.2"};
	facts.daemon.cluster = (struct dlmirror_cluster){.enabled = true,
							 .joined = true,
							 .quorate = true,
							 .view_count = 1,
							 .protocol = facts.config.protocol,
							 .locks_joined = true,
							 .fencing = true};
	return 0;
}

static void on_check(void *context, const struct check *check)
{
	(void)context;
	assert_true(told_count < CHECKS_MAX);
	assert_true(check->what[0] != '\0');
	told[told_count++] = *check;
}

static void run(void)
{
	told_count = 0;
	checks_run(&facts, on_check, NULL);
}

static unsigned count(enum check_result result)
{
	unsigned number = 0;
	size_t i;

	for (i = 0; i < told_count; i++)
		number += told[i].result == result;
	return number;
}

/* The only one that is not good is this, and has a remedy unless it is not known. */
static void only(enum check_result result, const char *name, const char *part)
{
	size_t i;

	run();
	for (i = 0; i < told_count; i++) {
		if (told[i].result == CHECK_OK)
			continue;
		assert_string_equal(message_id(told[i].name), name);
		assert_int_equal(told[i].id, told[i].name);
		if (!strstr(told[i].what, part))
			fail_msg("'%s' is not in '%s'", part, told[i].what);
		assert_string_equal(check_result_name(told[i].result), check_result_name(result));
		assert_int_equal(told[i].remedy[0] != '\0', result != CHECK_UNKNOWN);
	}
	assert_int_equal(told_count - count(CHECK_OK), 1);
	assert_int_equal(count(result), 1);
}

static bool says(const char *name, const char *part)
{
	size_t i;

	for (i = 0; i < told_count; i++)
		if (strcmp(message_id(told[i].name), name) == 0 && strstr(told[i].what, part))
			return true;
	return false;
}

static void test_good(void **state)
{
	size_t i;

	(void)state;
	run();
	for (i = 0; i < told_count; i++)
		if (told[i].result != CHECK_OK)
			fail_msg("%s: %s", message_id(told[i].name), told[i].what);
	assert_true(told_count > 20);
	assert_true(says("mirror-leg", "/dev/sdb"));
	assert_true(says("mirror-log", "/dev/sdc"));
}

/* Each fact for itself: not known is never good. */
static void test_unknown(void **state)
{
	struct fact *const all[] = {
	    &facts.config_good,	    &facts.mirror_target,     &facts.corosync,
	    &facts.token_ms,	    &facts.consensus_ms,      &facts.dlm_conf_fencing,
	    &facts.hung_task_s,	    &facts.unit[0].enabled,   &facts.unit[2].enabled,
	    &mirror.suspended,	    &mirror.keep_log,	      &mirror.leg[0].present,
	    &mirror.leg[0].sectors, &mirror.leg[1].read_only, &mirror.leg[1].read_errno,
	    &mirror.log.read_errno};
	size_t i;
	size_t k;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		unsigned good;
		bool reason = false;

		(void)good_host(state);
		run();
		good = count(CHECK_OK);
		*all[i] = (struct fact){.known = false, .why = "nobody told"};
		run();
		for (k = 0; k < told_count; k++)
			reason = reason || (told[k].result == CHECK_UNKNOWN &&
					    strstr(told[k].what, "nobody told"));
		if (!reason || count(CHECK_OK) > good)
			fail_msg("fact %zu", i);
		assert_int_equal(count(CHECK_PROBLEM) + count(CHECK_WARNING), 0);
	}
}

static void test_daemon(void **state)
{
	(void)state;
	strcpy(facts.daemon.version, "1.1");
	only(CHECK_WARNING, "daemon-version", "has version 1.1, this command 1.2");
	(void)good_host(state);
	facts.daemon.overruns = 3;
	only(CHECK_WARNING, "daemon-messages", "3 times");
	(void)good_host(state);
	facts.unit[0].enabled = is(0);
	only(CHECK_WARNING, "unit-enabled", "dlmirrord does not start");
}

static void test_no_daemon(void **state)
{
	(void)state;
	facts.reachable = is(0);
	strcpy(facts.daemon_error, "nobody is there");
	facts.mirror_count = 0;
	memset(&facts.daemon, 0, sizeof(facts.daemon));
	run();
	assert_int_equal(count(CHECK_PROBLEM), 1);
	assert_true(says("daemon-answers", "nobody is there"));
	/* What only it knows is not known; the file says that there is a cluster. */
	assert_int_equal(count(CHECK_UNKNOWN), 2);
	assert_true(says("cluster-group", "no daemon tells"));
	assert_true(says("mirrors-known", "no daemon tells"));
	facts.reachable = (struct fact){.why = "you are not root"};
	run();
	assert_int_equal(count(CHECK_PROBLEM), 0);
	assert_true(says("daemon-answers", "you are not root"));
}

static void test_config(void **state)
{
	(void)state;
	facts.config_good = is(0);
	strcpy(facts.config_error, "dlmirror.conf:3: no");
	run();
	assert_int_equal(count(CHECK_PROBLEM), 1);
	assert_true(says("config-valid", "dlmirror.conf:3: no"));
	/* its time-outs */
	assert_int_equal(count(CHECK_UNKNOWN), 3);
	(void)good_host(state);
	facts.config.cluster = false;
	only(CHECK_WARNING, "cluster-config", "enabled = no in [cluster], and the daemon runs in");
}

static void test_kernel(void **state)
{
	(void)state;
	facts.mirror_target = is(0);
	facts.module = is(FACTS_MODULE_AVAILABLE);
	run();
	assert_int_equal(count(CHECK_OK), told_count);
	facts.module = is(FACTS_MODULE_MISSING);
	run();
	assert_int_equal(count(CHECK_PROBLEM), 2);
	assert_true(says("kernel-module", "has no dm-mirror"));
	assert_true(says("kernel-target", "has no target mirror"));
	(void)good_host(state);
	/* A mirror that is served proves that the kernel has it. */
	facts.log_module = is(FACTS_MODULE_MISSING);
	run();
	assert_int_equal(count(CHECK_OK), told_count);
	facts.mirror_count = 0;
	only(CHECK_PROBLEM, "kernel-module", "has no dm-log-userspace");
}

static void test_times(void **state)
{
	(void)state;
	facts.config.watchdog_s = 0;
	only(CHECK_WARNING, "time-watchdog", "no watchdog");
	(void)good_host(state);
	facts.consensus_ms = is(3599);
	only(CHECK_WARNING, "time-corosync", "3599 ms, less than 1.2 times its token of 3000");
	(void)good_host(state);
	facts.config.log_timeout_ms = 6599;
	only(CHECK_WARNING, "time-log", "6600 ms");
	facts.config.log_timeout_ms = 6600;
	run();
	assert_int_equal(count(CHECK_OK), told_count);
}

/* Each of the waits may be the longest. */
static void test_hung_task(void **state)
{
	(void)state;
	facts.hung_task_s = is(24);
	only(CHECK_WARNING, "time-hung-task", "24.0 s: the kernel calls");
	facts.hung_task_panic = is(1);
	only(CHECK_PROBLEM, "time-hung-task", "panics");
	facts.hung_task_s = is(25);
	run();
	assert_int_equal(count(CHECK_OK), told_count);
	facts.config.log_timeout_ms = 25000;
	only(CHECK_PROBLEM, "time-hung-task", "25.0 s");
	(void)good_host(state);
	facts.token_ms = is(50000);
	facts.consensus_ms = is(70000);
	facts.config.log_timeout_ms = 119999;
	run();
	assert_true(says("time-hung-task", "120.0 s: the kernel calls"));
	facts.hung_task_s = is(0);
	facts.config.log_timeout_ms = 120000;
	run();
	assert_int_equal(count(CHECK_OK), told_count);
}

static void test_cluster(void **state)
{
	struct dlmirror_cluster *c = &facts.daemon.cluster;

	(void)state;
	facts.corosync = is(0);
	only(CHECK_PROBLEM, "corosync-answers", "does not answer");
	(void)good_host(state);
	facts.dlm_conf_fencing = is(0);
	only(CHECK_PROBLEM, "dlm-conf", "enable_fencing=0");
	(void)good_host(state);
	c->fencing = false;
	only(CHECK_PROBLEM, "cluster-fencing", "does not fence");
	(void)good_host(state);
	c->joined = false;
	only(CHECK_PROBLEM, "cluster-group", "is not in corosync's group");
	(void)good_host(state);
	c->quorate = false;
	only(CHECK_PROBLEM, "cluster-quorum", "has no quorum");
	(void)good_host(state);
	c->locks_joined = false;
	only(CHECK_PROBLEM, "cluster-lockspace", "is not in DLM's lockspace");
	(void)good_host(state);
	c->locks_recovering = true;
	only(CHECK_WARNING, "cluster-lockspace", "has stopped");
	(void)good_host(state);
	c->refused = 1;
	only(CHECK_WARNING, "cluster-messages", "1 were refused");
	(void)good_host(state);
	strcpy(c->problem, "DLM waits");
	run();
	assert_int_equal(count(CHECK_PROBLEM), 1);
	assert_true(says("cluster-problem", "DLM waits"));
}

/* What was found by somebody who has an id for it keeps that one, outside the text. */
static void test_ids(void **state)
{
	size_t i;

	(void)state;
	facts.config_good = is(0);
	strcpy(facts.config_error, "dlmirror.conf:3: no [config-invalid]");
	strcpy(facts.daemon.cluster.problem, "DLM waits [dlm-waits-for-quorum]");
	run();
	assert_true(says("config-valid", "dlmirror.conf:3: no"));
	assert_true(says("cluster-problem", "DLM waits"));
	for (i = 0; i < told_count; i++) {
		assert_null(strchr(told[i].what, '['));
		if (told[i].name == MSG_CONFIG_VALID)
			assert_int_equal(told[i].id, MSG_CONFIG_INVALID);
		else if (told[i].name == MSG_CLUSTER_PROBLEM)
			assert_int_equal(told[i].id, MSG_DLM_WAITS_FOR_QUORUM);
		else
			assert_int_equal(told[i].id, told[i].name);
	}
}

static void test_protocol(void **state)
{
	struct dlmirror_cluster *c = &facts.daemon.cluster;

	(void)state;
	c->protocol--;
	only(CHECK_WARNING, "cluster-protocol", "a node speaks no newer protocol than");
	facts.config.protocol--;
	only(CHECK_WARNING, "cluster-protocol", "holds the protocol at");
	c->protocol = 0;
	only(CHECK_UNKNOWN, "cluster-protocol", "have not said it yet");
}

static void test_configurations(void **state)
{
	(void)state;
	facts.mirrors_same = is(0);
	strcpy(facts.mirrors_differ, "web on node 1 has serial 4, web on node 3 has serial 5");
	only(CHECK_WARNING, "cluster-mirrors", "web on node 3 has serial 5");
	facts.mirrors_same.known = false;
	only(CHECK_UNKNOWN, "cluster-mirrors", "configurations of mirrors");
}

/* Whoever asks several nodes compares them, each once. */
static void test_one_of_nodes(void **state)
{
	(void)state;
	facts.one_of_nodes = true;
	facts.mirrors_same = is(0);
	run();
	assert_int_equal(count(CHECK_OK), told_count);
	assert_false(says("cluster-mirrors", ""));
}

static void run_nodes(const struct facts_nodes *f)
{
	told_count = 0;
	checks_nodes(f, on_check, NULL);
}

static void test_nodes(void **state)
{
	struct facts_nodes f = {.count = 4,
				.node = {{.node = 1, .version = "1.2"},
					 {.node = 2, .version = "1.2"},
					 {.node = 5, .version = "1.2"},
					 {.node = 9, .version = "1.2"}},
				.clustered = true,
				.mirrors_same = is(1)};

	(void)state;
	run_nodes(&f);
	assert_int_equal(told_count, 2);
	assert_int_equal(count(CHECK_OK), 2);
	assert_true(says("cluster-versions", "same version: 1.2 on node 1, 2, 5, 9"));
	assert_true(says("cluster-mirrors", "the same configurations"));

	f.clustered = false;
	f.node[1].version[0] = '\0';
	run_nodes(&f);
	assert_int_equal(told_count, 1);
	assert_int_equal(count(CHECK_UNKNOWN), 1);
	assert_true(says("cluster-versions", "1.2 on node 1, 5, 9; not known on node 2"));

	strcpy(f.node[2].version, "1.3");
	f.node[3] = (struct facts_node){.node = 9, .old = true};
	run_nodes(&f);
	assert_int_equal(count(CHECK_WARNING), 1);
	assert_true(says("cluster-versions", "different versions: 1.2 on node 1; not known on node "
					     "2; 1.3 on node 5; an older one on node 9"));
	assert_non_null(strstr(told[0].remedy, "dlmirror daemon restart"));

	/* too many to be named are cut, not written beyond */
	f.count = DLMIRROR_VIEW_MAX;
	for (unsigned i = 0; i < f.count; i++) {
		f.node[i] = (struct facts_node){.node = UINT32_MAX - i};
		(void)snprintf(f.node[i].version, sizeof(f.node[i].version),
			       "a-long-version-of-node-%u", i);
	}
	run_nodes(&f);
	assert_int_equal(count(CHECK_WARNING), 1);
	assert_true(strlen(told[0].what) < CHECKS_TEXT_SIZE);
}

static void test_alone(void **state)
{
	(void)state;
	facts.daemon.cluster.enabled = false;
	facts.config.cluster = false;
	/* Nothing of a cluster matters then. */
	facts.corosync = is(0);
	facts.token_ms = is(500000);
	facts.unit[1].enabled = is(0);
	run();
	assert_int_equal(count(CHECK_OK), told_count);
	assert_true(says("cluster-config", "alone"));
}

static void test_mirror_state(void **state)
{
	struct dlmirror_mirror *m = &mirror.mirror;

	(void)state;
	mirror.suspended = is(1);
	only(CHECK_WARNING, "mirror-device", "suspended");
	(void)good_host(state);
	m->in_sync = 1;
	only(CHECK_WARNING, "mirror-state", "1 regions wait for the kernel");
	(void)good_host(state);
	m->suspect = true;
	only(CHECK_WARNING, "mirror-state", "gap of the daemon");
	(void)good_host(state);
	m->verify_differed = 5;
	m->verify_repaired = 4;
	only(CHECK_PROBLEM, "mirror-verify", "5 regions differed");
	(void)good_host(state);
	m->quorate = false;
	only(CHECK_WARNING, "mirror-quorum", "no quorum");
	(void)good_host(state);
	m->member[0].state = 'G';
	only(CHECK_PROBLEM, "mirror-members", "node 1 has left");
	assert_string_equal(told[told_count - 1].mirror, "data");
}

static void test_mirror_table(void **state)
{
	(void)state;
	mirror.mirror.handle_errors = false;
	only(CHECK_WARNING, "mirror-features", "no handle_errors");
	(void)good_host(state);
	mirror.keep_log = is(0);
	run();
	assert_int_equal(count(CHECK_OK), told_count);
	assert_true(says("mirror-features", "writes wait when a leg fails"));
}

static void test_mirror_devices(void **state)
{
	(void)state;
	mirror.mirror.leg[1].health = 'D';
	only(CHECK_PROBLEM, "mirror-leg", "/dev/sdb: dead");
	mirror.mirror.leg[1].health = '?';
	run();
	assert_int_equal(count(CHECK_UNKNOWN), 1);
	(void)good_host(state);
	mirror.leg[0].present = is(0);
	only(CHECK_PROBLEM, "mirror-leg", "/dev/sda is gone");
	(void)good_host(state);
	/* 2048 from sector 2048 on */
	mirror.leg[1].sectors = is(4095);
	only(CHECK_PROBLEM, "mirror-leg", "has 4095 sectors, 4096 are needed");
	(void)good_host(state);
	mirror.leg[0].read_only = is(1);
	only(CHECK_PROBLEM, "mirror-leg", "read-only");
	(void)good_host(state);
	mirror.log.read_errno = is(EIO);
	only(CHECK_PROBLEM, "mirror-log", "/dev/sdc cannot be read: Input/output error");
	(void)good_host(state);
	strcpy(mirror.mirror.log_state, "failed");
	mirror.mirror.log_error = EIO;
	run();
	assert_int_equal(count(CHECK_PROBLEM), 1);
	assert_true(says("mirror-log", "failed: Input/output error"));
	(void)good_host(state);
	mirror.mirror.has_disk = false;
	mirror.log = (struct facts_device){0};
	run();
	assert_int_equal(count(CHECK_OK), told_count);
	mirror.mirror.leg_count = 0;
	only(CHECK_UNKNOWN, "mirror-leg", "does not know them yet");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_good, good_host),
	    cmocka_unit_test_setup(test_unknown, good_host),
	    cmocka_unit_test_setup(test_daemon, good_host),
	    cmocka_unit_test_setup(test_no_daemon, good_host),
	    cmocka_unit_test_setup(test_config, good_host),
	    cmocka_unit_test_setup(test_kernel, good_host),
	    cmocka_unit_test_setup(test_times, good_host),
	    cmocka_unit_test_setup(test_hung_task, good_host),
	    cmocka_unit_test_setup(test_cluster, good_host),
	    cmocka_unit_test_setup(test_ids, good_host),
	    cmocka_unit_test_setup(test_protocol, good_host),
	    cmocka_unit_test_setup(test_configurations, good_host),
	    cmocka_unit_test_setup(test_one_of_nodes, good_host),
	    cmocka_unit_test_setup(test_nodes, good_host),
	    cmocka_unit_test_setup(test_alone, good_host),
	    cmocka_unit_test_setup(test_mirror_state, good_host),
	    cmocka_unit_test_setup(test_mirror_table, good_host),
	    cmocka_unit_test_setup(test_mirror_devices, good_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
