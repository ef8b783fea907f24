// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/checks.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemons/dlmirror/format.h"

/* A killed daemon is started again after so long, and the kernel asks again. */
#define RESTART_MS 4000U

struct telling {
	checks_tell *tell;
	void *context;
	const char *mirror;
};

const char *check_result_name(enum check_result result)
{
	static const char *const names[] = {[CHECK_OK] = "ok",
					    [CHECK_WARNING] = "warning",
					    [CHECK_PROBLEM] = "problem",
					    [CHECK_UNKNOWN] = "unknown"};

	return names[result];
}

/* remedy: NULL when there is none. */
static void __attribute__((format(printf, 5, 6)))
say(const struct telling *t, enum check_result result, enum message name, const char *remedy,
    const char *format, ...)
{
	struct check check = {.result = result, .name = name, .mirror = t->mirror};
	va_list args;

	va_start(args, format);
	message_vmake(check.what, sizeof(check.what), name, format, args);
	va_end(args);
	check.id = message_of(check.what);
	check.what[strlen(check.what) - strlen(message_id(check.id)) - strlen(" []")] = '\0';
	if (remedy)
		(void)snprintf(check.remedy, sizeof(check.remedy), "%s", remedy);
	t->tell(t->context, &check);
}

/* True when the fact is known; else that is what is told. */
static bool known(const struct telling *t, const struct fact *fact, enum message name,
		  const char *subject)
{
	if (!fact->known)
		say(t, CHECK_UNKNOWN, name, NULL, "%s: %s", subject, fact->why);
	return fact->known;
}

static bool daemon_answers(const struct facts *f)
{
	return f->reachable.known && f->reachable.value != 0;
}

/* The file says what the next daemon will do. */
static bool cluster_enabled(const struct facts *f)
{
	return daemon_answers(f) ? f->daemon.cluster.enabled : f->config.cluster;
}

/* ---- the daemon, its configuration, its unit */

static void check_version(const struct telling *t, const struct facts *f)
{
	if (strcmp(f->daemon.version, f->version) == 0)
		say(t, CHECK_OK, MSG_DAEMON_VERSION, NULL, "daemon and command have version %s",
		    f->version);
	else
		say(t, CHECK_WARNING, MSG_DAEMON_VERSION,
		    "dlmirror daemon restart, once the newer one is installed",
		    "the daemon has version %s, this command %s", f->daemon.version, f->version);
}

static void check_messages(const struct telling *t, const struct facts *f)
{
	const struct dlmirror_daemon *d = &f->daemon;

	if (d->overruns > 0)
		say(t, CHECK_WARNING, MSG_DAEMON_MESSAGES,
		    "raise receive_buffer_mib in dlmirror.conf",
		    "the kernel's messages overran the receive buffer %" PRIu64
		    " times, and legs were compared for it",
		    d->overruns);
	else if (d->malformed > 0)
		say(t, CHECK_WARNING, MSG_DAEMON_MESSAGES, "look at the daemon's log",
		    "%" PRIu64 " messages were refused as malformed", d->malformed);
	else
		say(t, CHECK_OK, MSG_DAEMON_MESSAGES, NULL, "no message of the kernel was lost");
}

static void check_daemon(const struct telling *t, const struct facts *f)
{
	if (!known(t, &f->reachable, MSG_DAEMON_ANSWERS, "the daemon"))
		return;
	if (!f->reachable.value) {
		say(t, CHECK_PROBLEM, MSG_DAEMON_ANSWERS, "systemctl start dlmirrord", "%s",
		    f->daemon_error);
		return;
	}
	say(t, CHECK_OK, MSG_DAEMON_ANSWERS, NULL, "the daemon answers");
	check_version(t, f);
	check_messages(t, f);
}

static void check_config(const struct telling *t, const struct facts *f)
{
	if (!known(t, &f->config_good, MSG_CONFIG_VALID, f->config_path))
		return;
	if (!f->config_good.value)
		say(t, CHECK_PROBLEM, MSG_CONFIG_VALID,
		    "mend the line: the daemon does not start with it", "%s", f->config_error);
	else if (f->config_there)
		say(t, CHECK_OK, MSG_CONFIG_VALID, NULL, "%s is valid", f->config_path);
	else
		say(t, CHECK_OK, MSG_CONFIG_VALID, NULL, "there is no %s: the defaults hold",
		    f->config_path);
}

static void check_unit(const struct telling *t, const struct facts_unit *unit)
{
	char remedy[CHECKS_TEXT_SIZE];

	if (!known(t, &unit->enabled, MSG_UNIT_ENABLED, unit->name))
		return;
	if (unit->enabled.value) {
		say(t, CHECK_OK, MSG_UNIT_ENABLED, NULL, "%s starts with the system", unit->name);
		return;
	}
	(void)snprintf(remedy, sizeof(remedy), "systemctl enable %s", unit->name);
	say(t, CHECK_WARNING, MSG_UNIT_ENABLED, remedy, "%s does not start with the system",
	    unit->name);
}

/* ---- the kernel */

static void check_module(const struct telling *t, const struct fact *module, const char *name)
{
	char remedy[CHECKS_TEXT_SIZE];

	if (!known(t, module, MSG_KERNEL_MODULE, name))
		return;
	switch ((enum facts_module)module->value) {
	case FACTS_MODULE_THERE:
		say(t, CHECK_OK, MSG_KERNEL_MODULE, NULL, "the kernel has %s", name);
		break;
	case FACTS_MODULE_AVAILABLE:
		say(t, CHECK_OK, MSG_KERNEL_MODULE, NULL,
		    "%s is not loaded; the kernel does that when it is needed", name);
		break;
	case FACTS_MODULE_MISSING:
		(void)snprintf(remedy, sizeof(remedy),
			       "install or boot a kernel that was built with %s", name);
		say(t, CHECK_PROBLEM, MSG_KERNEL_MODULE, remedy, "the running kernel has no %s",
		    name);
		break;
	}
}

static void check_target(const struct telling *t, const struct facts *f)
{
	if (!known(t, &f->mirror_target, MSG_KERNEL_TARGET, "device-mapper"))
		return;
	if (f->mirror_target.value)
		say(t, CHECK_OK, MSG_KERNEL_TARGET, NULL, "device-mapper has the target mirror");
	else if (f->module.known && f->module.value == FACTS_MODULE_AVAILABLE)
		say(t, CHECK_OK, MSG_KERNEL_TARGET, NULL,
		    "device-mapper has no target mirror yet; its module can be loaded");
	else
		say(t, CHECK_PROBLEM, MSG_KERNEL_TARGET,
		    "modprobe dm-mirror, and look at what it says",
		    "device-mapper has no target mirror");
}

/* What is in use is there, wherever it came from. */
static void check_kernel(const struct telling *t, const struct facts *f)
{
	if (!(f->mirror_target.known && f->mirror_target.value))
		check_module(t, &f->module, "dm-mirror");
	check_target(t, f);
	if (f->mirror_count == 0)
		check_module(t, &f->log_module, "dm-log-userspace");
}

/* The longest that a write waits as it should: for a daemon that hangs, for a log device that does
 * not answer, for a node that is dead and not known to be. */
static uint64_t longest_wait_ms(const struct facts *f)
{
	uint64_t longest = f->config.log_timeout_ms;
	uint64_t restart = f->config.watchdog_s * UINT64_C(1000) + RESTART_MS;

	if (f->config.watchdog_s > 0 && restart > longest)
		longest = restart;
	if (cluster_enabled(f) && f->token_ms.known && f->consensus_ms.known &&
	    f->token_ms.value + f->consensus_ms.value > longest)
		longest = f->token_ms.value + f->consensus_ms.value;
	return longest;
}

/* The times of a file that cannot be read are not known, and neither is what depends on them. */
static bool times_known(const struct telling *t, const struct facts *f, enum message name)
{
	if (f->config_good.known && f->config_good.value)
		return true;
	say(t, CHECK_UNKNOWN, name, NULL, "time-outs: %s is not valid, or cannot be read",
	    f->config_path);
	return false;
}

static void check_hung_task(const struct telling *t, const struct facts *f)
{
	static const char subject[] = "kernel.hung_task_timeout_secs";
	uint64_t longest_ms = longest_wait_ms(f);
	bool panics = f->hung_task_panic.known && f->hung_task_panic.value;

	if (!known(t, &f->hung_task_s, MSG_TIME_HUNG_TASK, subject) ||
	    !times_known(t, f, MSG_TIME_HUNG_TASK))
		return;
	if (f->hung_task_s.value == 0)
		say(t, CHECK_OK, MSG_TIME_HUNG_TASK, NULL, "%s is off", subject);
	else if (f->hung_task_s.value * 1000 > longest_ms)
		say(t, CHECK_OK, MSG_TIME_HUNG_TASK, NULL,
		    "%s (%" PRIu64 " s) is longer than any wait that is meant to be (%.1f s)",
		    subject, f->hung_task_s.value, (double)longest_ms / 1000);
	else
		say(t, panics ? CHECK_PROBLEM : CHECK_WARNING, MSG_TIME_HUNG_TASK,
		    "raise it, or lower watchdog_s or log_timeout_ms in dlmirror.conf",
		    "%s is %" PRIu64 " s, and a write may have to wait for %.1f s: the kernel %s",
		    subject, f->hung_task_s.value, (double)longest_ms / 1000,
		    panics ? "panics meanwhile" : "calls its task hung meanwhile");
}

static void check_watchdog(const struct telling *t, const struct facts *f)
{
	if (!times_known(t, f, MSG_TIME_WATCHDOG))
		return;
	if (f->config.watchdog_s == 0)
		say(t, CHECK_WARNING, MSG_TIME_WATCHDOG,
		    "set watchdog_s in dlmirror.conf, 20 or so",
		    "there is no watchdog: when the daemon hangs, all writes do, and the kernel's "
		    "messages overrun its buffer");
	else
		say(t, CHECK_OK, MSG_TIME_WATCHDOG, NULL,
		    "a daemon that hangs is replaced after %" PRIu32 " s", f->config.watchdog_s);
}

/* ---- the cluster */

static void check_consensus(const struct telling *t, const struct facts *f)
{
	uint64_t token = f->token_ms.value;
	uint64_t consensus = f->consensus_ms.value;

	/* corosync.conf(5) asks for 1.2 times the token. */
	if (consensus * 10 < token * 12)
		say(t, CHECK_WARNING, MSG_TIME_COROSYNC,
		    "leave consensus out of corosync.conf, or set it to 1.2 times the token",
		    "corosync's consensus is %" PRIu64
		    " ms, less than 1.2 times its token of %" PRIu64 " ms",
		    consensus, token);
	else
		say(t, CHECK_OK, MSG_TIME_COROSYNC, NULL,
		    "corosync notices a dead node after %" PRIu64
		    " ms and goes on without it %" PRIu64 " ms later at most",
		    token, consensus);
}

/* Both are waits of a write, for a node or for a device: what is meant to be quick should be. */
static void check_detection(const struct telling *t, const struct facts *f)
{
	uint64_t detection = f->token_ms.value + f->consensus_ms.value;

	if (detection > f->config.log_timeout_ms)
		say(t, CHECK_WARNING, MSG_TIME_LOG,
		    "lower corosync's token, or raise log_timeout_ms in dlmirror.conf if that is "
		    "meant",
		    "corosync takes %" PRIu64
		    " ms to give a dead node up, longer than the log waits "
		    "for its device (log_timeout_ms, %" PRIu32 " ms): so long may writes that need "
		    "the other nodes wait",
		    detection, f->config.log_timeout_ms);
	else
		say(t, CHECK_OK, MSG_TIME_LOG, NULL,
		    "a dead node holds writes up for no longer than a dead log device "
		    "(%" PRIu64 " and %" PRIu32 " ms)",
		    detection, f->config.log_timeout_ms);
}

static void check_corosync(const struct telling *t, const struct facts *f)
{
	if (!known(t, &f->corosync, MSG_COROSYNC_ANSWERS, "corosync"))
		return;
	if (!f->corosync.value) {
		say(t, CHECK_PROBLEM, MSG_COROSYNC_ANSWERS,
		    "start it; if it runs, its log says more", "corosync does not answer");
		return;
	}
	say(t, CHECK_OK, MSG_COROSYNC_ANSWERS, NULL, "corosync answers");
	if (!known(t, &f->token_ms, MSG_TIME_COROSYNC, "corosync's token") ||
	    !known(t, &f->consensus_ms, MSG_TIME_COROSYNC, "corosync's consensus"))
		return;
	check_consensus(t, f);
	if (times_known(t, f, MSG_TIME_LOG))
		check_detection(t, f);
}

static void check_dlm_conf(const struct telling *t, const struct facts *f)
{
	if (!known(t, &f->dlm_conf_fencing, MSG_DLM_CONF, "dlm.conf"))
		return;
	if (f->dlm_conf_fencing.value)
		say(t, CHECK_OK, MSG_DLM_CONF, NULL, "dlm.conf does not disable fencing");
	else
		say(t, CHECK_PROBLEM, MSG_DLM_CONF,
		    "remove the line, configure fencing, restart dlm_controld on all nodes",
		    "dlm.conf has enable_fencing=0: nothing proves that a node which does not "
		    "answer has ceased to write");
}

static void yes_or(const struct telling *t, bool yes, enum message name, const char *good,
		   const char *bad, const char *remedy)
{
	if (yes)
		say(t, CHECK_OK, name, NULL, "%s", good);
	else
		say(t, CHECK_PROBLEM, name, remedy, "%s", bad);
}

static void check_protocol(const struct telling *t, const struct facts *f)
{
	const struct dlmirror_cluster *c = &f->daemon.cluster;
	struct config newest;

	config_default(&newest);
	if (c->protocol == 0)
		say(t, CHECK_UNKNOWN, MSG_CLUSTER_PROTOCOL, NULL,
		    "the protocol of the other nodes: they have not said it yet");
	else if (c->protocol < f->config.protocol)
		say(t, CHECK_WARNING, MSG_CLUSTER_PROTOCOL,
		    "upgrade the daemons of the other nodes, one after the other",
		    "a node speaks no newer protocol than version %" PRIu32 ", this one %" PRIu32,
		    c->protocol, f->config.protocol);
	else if (f->config.protocol < newest.protocol)
		say(t, CHECK_WARNING, MSG_CLUSTER_PROTOCOL,
		    "take protocol out of dlmirror.conf once no old daemon is to come back",
		    "dlmirror.conf holds the protocol at version %" PRIu32 ", %" PRIu32
		    " is the newest",
		    f->config.protocol, newest.protocol);
	else
		say(t, CHECK_OK, MSG_CLUSTER_PROTOCOL, NULL,
		    "all %" PRIu32 " nodes with a daemon speak protocol %" PRIu32, c->view_count,
		    c->protocol);
}

static void check_lockspace(const struct telling *t, const struct dlmirror_cluster *c)
{
	if (c->locks_joined && c->locks_recovering)
		say(t, CHECK_WARNING, MSG_CLUSTER_LOCKSPACE,
		    "'dlm_tool ls' and 'dlm_tool status' say what it waits for",
		    "DLM has stopped the lockspace until it has recovered");
	else
		yes_or(t, c->locks_joined, MSG_CLUSTER_LOCKSPACE,
		       "the daemon is in DLM's lockspace", "the daemon is not in DLM's lockspace",
		       "start dlm_controld; 'dlmirror daemon status' says what is missing");
}

static void check_group(const struct telling *t, const struct facts *f)
{
	const struct dlmirror_cluster *c = &f->daemon.cluster;

	if (c->problem[0])
		say(t, CHECK_PROBLEM, MSG_CLUSTER_PROBLEM, NULL, "%s", c->problem);
	yes_or(t, c->joined, MSG_CLUSTER_GROUP, "the daemon is in corosync's group",
	       "the daemon is not in corosync's group",
	       "look at corosync; the daemon joins as soon as it can");
	yes_or(t, c->quorate, MSG_CLUSTER_QUORUM, "the cluster has quorum",
	       "the cluster has no quorum",
	       "start the other nodes; corosync-quorumtool shows them");
	check_lockspace(t, c);
	yes_or(t, c->fencing, MSG_CLUSTER_FENCING, "DLM fences nodes that die",
	       "DLM does not fence: nothing proves that a node which does not answer has ceased to "
	       "write",
	       "configure fencing in dlm.conf or pacemaker, and restart dlm_controld");
	check_protocol(t, f);
	if (c->damaged > 0 || c->refused > 0)
		say(t, CHECK_WARNING, MSG_CLUSTER_MESSAGES,
		    "look at the daemon's log: versions, or another program in its group",
		    "%" PRIu64 " messages could not be read and %" PRIu64 " were refused",
		    c->damaged, c->refused);
}

/* Who is behind takes the newest when it activates the mirror; but not everything may be newest. */
static void check_mirrors_same(const struct telling *t, const struct fact *same, const char *differ)
{
	if (!known(t, same, MSG_CLUSTER_MIRRORS, "the nodes' configurations of mirrors"))
		return;
	if (same->value)
		say(t, CHECK_OK, MSG_CLUSTER_MIRRORS, NULL,
		    "the nodes have the same configurations of mirrors");
	else
		say(t, CHECK_WARNING, MSG_CLUSTER_MIRRORS,
		    "dlmirror config list; and where it is right, dlmirror config push NAME", "%s",
		    differ);
}

static void check_cluster(const struct telling *t, const struct facts *f)
{
	bool enabled = cluster_enabled(f);
	size_t i;

	if (daemon_answers(f) && f->config_good.known && f->config_good.value &&
	    f->config.cluster != f->daemon.cluster.enabled)
		say(t, CHECK_WARNING, MSG_CLUSTER_CONFIG,
		    "remove the mirrors, then stop and start the daemon; or change the file back",
		    "%s says enabled = %s in [cluster], and the daemon runs %s one", f->config_path,
		    f->config.cluster ? "yes" : "no", enabled ? "in" : "without");
	if (!enabled) {
		say(t, CHECK_OK, MSG_CLUSTER_CONFIG, NULL,
		    "alone on this host: [cluster] enabled = no");
		return;
	}
	check_corosync(t, f);
	check_dlm_conf(t, f);
	if (daemon_answers(f)) {
		check_group(t, f);
		if (!f->one_of_nodes)
			check_mirrors_same(t, &f->mirrors_same, f->mirrors_differ);
	} else {
		say(t, CHECK_UNKNOWN, MSG_CLUSTER_GROUP, NULL,
		    "group, quorum, lockspace, fencing and protocol: no daemon tells");
	}
	for (i = 1; i < CHECKS_UNITS; i++)
		check_unit(t, &f->unit[i]);
}

/* ---- mirrors */

static bool is(const char *text, const char *value)
{
	return strcmp(text, value) == 0;
}

static void check_state(const struct telling *t, const struct facts_mirror *of)
{
	const struct dlmirror_mirror *m = &of->mirror;
	char activity[256];
	uint32_t i;

	format_activity(m, activity, sizeof(activity));
	if (format_settled(m) && activity[0] == '\0')
		say(t, CHECK_OK, MSG_MIRROR_STATE, NULL, "it is %s, and nothing is left to do",
		    m->phase);
	else if (!format_settled(m) &&
		 (m->in_sync < m->region_count || m->repair > 0 || m->suspect))
		say(t, CHECK_WARNING, MSG_MIRROR_STATE, "'dlmirror status --watch' follows it",
		    "its legs are not alike everywhere: %s", activity);
	else
		say(t, CHECK_OK, MSG_MIRROR_STATE, NULL, "it is %s: %s", m->phase, activity);
	if (m->verify_differed > m->verify_repaired)
		say(t, CHECK_PROBLEM, MSG_MIRROR_VERIFY, "dlmirror repair",
		    "%" PRIu64 " regions differed at the last verify, %" PRIu64
		    " of them were repaired",
		    m->verify_differed, m->verify_repaired);
	if (m->clustered && !m->quorate && is(m->phase, "active"))
		say(t, CHECK_WARNING, MSG_MIRROR_QUORUM, "start the other nodes",
		    "it has no quorum: repairs and nodes that attach wait");
	for (i = 0; i < m->member_count; i++)
		if (m->member[i].state == 'G')
			say(t, CHECK_PROBLEM, MSG_MIRROR_MEMBERS,
			    "have it fenced, or bring it back; 'dlm_tool status' says more",
			    "node %" PRIu32 " has left without a word and may still be writing",
			    m->member[i].node);
}

static void check_suspended(const struct telling *t, const struct facts_mirror *of)
{
	if (!known(t, &of->suspended, MSG_MIRROR_DEVICE, "its device"))
		return;
	if (of->suspended.value)
		say(t, CHECK_WARNING, MSG_MIRROR_DEVICE, "dlmirror resume, if nobody works on it",
		    "its device is suspended: all I/O waits");
	else
		say(t, CHECK_OK, MSG_MIRROR_DEVICE, NULL, "its device is not suspended");
}

static void check_features(const struct telling *t, const struct facts_mirror *of)
{
	if (!of->mirror.handle_errors)
		say(t, CHECK_WARNING, MSG_MIRROR_FEATURES,
		    "dlmirror deactivate, and activate it again",
		    "its table has no handle_errors: when the first leg fails, what is written "
		    "then is "
		    "lost, and a resync that failed on a leg counts as good");
	else if (!of->keep_log.known)
		say(t, CHECK_UNKNOWN, MSG_MIRROR_FEATURES, NULL, "its table: %s", of->keep_log.why);
	else
		say(t, CHECK_OK, MSG_MIRROR_FEATURES, NULL,
		    of->keep_log.value
			? "its table has handle_errors and keep_log: writes go on without a leg"
			: "its table has handle_errors: writes wait when a leg fails, until its "
			  "table is loaded anew");
}

/* sectors: how many it must have. Whether there was nothing to complain of. */
static bool check_device(const struct telling *t, enum message name, const struct facts_device *d,
			 uint64_t sectors)
{
	if (!known(t, &d->present, name, d->label))
		return false;
	if (!d->present.value) {
		say(t, CHECK_PROBLEM, name, "bring it back, or replace it: dlmirror reload",
		    "%s is gone", d->label);
		return false;
	}
	if (!known(t, &d->sectors, name, d->label) || !known(t, &d->read_only, name, d->label) ||
	    !known(t, &d->read_errno, name, d->label))
		return false;
	if (d->sectors.value < sectors)
		say(t, CHECK_PROBLEM, name, "make it larger, or replace it: dlmirror reload",
		    "%s has %" PRIu64 " sectors, %" PRIu64 " are needed", d->label,
		    d->sectors.value, sectors);
	else if (d->read_only.value)
		say(t, CHECK_PROBLEM, name, "blockdev --setrw, if it is meant to be written",
		    "%s is read-only", d->label);
	else if (d->read_errno.value)
		say(t, CHECK_PROBLEM, name, "look at the kernel's log for the device",
		    "%s cannot be read: %s", d->label, strerror((int)d->read_errno.value));
	else
		return true;
	return false;
}

static void check_legs(const struct telling *t, const struct facts_mirror *of)
{
	const struct dlmirror_mirror *m = &of->mirror;
	uint32_t i;

	if (m->leg_count == 0)
		say(t, CHECK_UNKNOWN, MSG_MIRROR_LEG, NULL,
		    "its legs: the daemon does not know them yet");
	if (of->dropped[0])
		say(t, CHECK_WARNING, MSG_MIRROR_LEG, "dlmirror leg add, when it works again",
		    "it goes on without a leg that failed: %s", of->dropped);
	for (i = 0; i < m->leg_count; i++) {
		const struct dlmirror_leg *leg = &m->leg[i];
		const struct facts_device *d = &of->leg[i];

		if (leg->health != 'A' && leg->health != '?')
			say(t, CHECK_PROBLEM, MSG_MIRROR_LEG,
			    "replace it: dlmirror leg replace; or mend it, and load the table anew",
			    "leg %s: %s", d->label, format_leg_health(leg->health));
		else if (check_device(t, MSG_MIRROR_LEG, d, leg->start_sector + m->length_sectors))
			say(t, leg->health == 'A' ? CHECK_OK : CHECK_UNKNOWN, MSG_MIRROR_LEG, NULL,
			    "leg %s is there and large enough; the kernel has it as %s", d->label,
			    format_leg_health(leg->health));
	}
}

static void check_log(const struct telling *t, const struct facts_mirror *of)
{
	const struct dlmirror_mirror *m = &of->mirror;
	char state[128];

	if (!m->has_disk) {
		say(t, CHECK_OK, MSG_MIRROR_LOG, NULL,
		    "its log is in memory: after a crash of all its nodes all of it is resynced");
		return;
	}
	format_log_state(m, state, sizeof(state));
	if (is(m->log_state, "failed"))
		say(t, CHECK_PROBLEM, MSG_MIRROR_LOG, "mend the device, then dlmirror log retry",
		    "log device %s: %s", of->log.label, state);
	else if (check_device(t, MSG_MIRROR_LOG, &of->log, 1))
		say(t, CHECK_OK, MSG_MIRROR_LOG, NULL, "log device %s is there: %s", of->log.label,
		    state);
}

static void check_mirror(const struct telling *t, const struct facts_mirror *of)
{
	check_state(t, of);
	check_suspended(t, of);
	check_features(t, of);
	check_legs(t, of);
	check_log(t, of);
}

void checks_run(const struct facts *f, checks_tell *tell, void *context)
{
	struct telling t = {.tell = tell, .context = context};
	size_t i;

	check_daemon(&t, f);
	check_config(&t, f);
	check_unit(&t, &f->unit[0]);
	check_kernel(&t, f);
	check_watchdog(&t, f);
	check_cluster(&t, f);
	check_hung_task(&t, f);
	if (!daemon_answers(f))
		say(&t, CHECK_UNKNOWN, MSG_MIRRORS_KNOWN, NULL, "the mirrors: no daemon tells");
	for (i = 0; i < f->mirror_count; i++) {
		const struct dlmirror_mirror *m = &f->mirror[i].mirror;

		t.mirror = m->name[0] ? m->name : m->uuid;
		check_mirror(&t, &f->mirror[i]);
	}
}

/* ---- nodes beside each other */

static void __attribute__((format(printf, 2, 3)))
append(char text[CHECKS_TEXT_SIZE], const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text + used, CHECKS_TEXT_SIZE - used, format, args);
	va_end(args);
}

static bool version_same(const struct facts_node *a, const struct facts_node *b)
{
	return a->old == b->old && is(a->version, b->version);
}

/* Who has the version of the i-th; empty when that has been said of one before it. */
static void version_owners(const struct facts_nodes *f, unsigned i, char ret[CHECKS_TEXT_SIZE])
{
	const char *gap = " ";

	ret[0] = '\0';
	for (unsigned k = 0; k < i; k++)
		if (version_same(&f->node[k], &f->node[i]))
			return;
	append(ret, "node");
	for (unsigned k = i; k < f->count; k++) {
		if (!version_same(&f->node[k], &f->node[i]))
			continue;
		append(ret, "%s%" PRIu32, gap, f->node[k].node);
		gap = ", ";
	}
}

static bool version_known(const struct facts_node *node)
{
	return node->old || node->version[0] != '\0';
}

static void check_versions(const struct telling *t, const struct facts_nodes *f)
{
	char text[CHECKS_TEXT_SIZE] = "";
	char owners[CHECKS_TEXT_SIZE];
	unsigned versions = 0;
	unsigned unknown = 0;

	for (unsigned i = 0; i < f->count; i++) {
		version_owners(f, i, owners);
		unknown += !version_known(&f->node[i]);
		if (owners[0] == '\0')
			continue;
		versions += version_known(&f->node[i]);
		append(text, "%s%s on %s", text[0] ? "; " : "",
		       f->node[i].old	       ? "an older one"
		       : f->node[i].version[0] ? f->node[i].version
					       : "not known",
		       owners);
	}
	if (versions > 1)
		say(t, CHECK_WARNING, MSG_CLUSTER_VERSIONS,
		    "install the newest on all nodes, and then dlmirror daemon restart there, one "
		    "after the other",
		    "the nodes' daemons have different versions: %s", text);
	else if (unknown > 0)
		say(t, CHECK_UNKNOWN, MSG_CLUSTER_VERSIONS, NULL,
		    "the versions of the nodes' daemons: %s", text);
	else
		say(t, CHECK_OK, MSG_CLUSTER_VERSIONS, NULL,
		    "the nodes' daemons have the same version: %s", text);
}

void checks_nodes(const struct facts_nodes *f, checks_tell *tell, void *context)
{
	const struct telling t = {.tell = tell, .context = context};

	check_versions(&t, f);
	if (f->clustered)
		check_mirrors_same(&t, &f->mirrors_same, f->mirrors_differ);
}
