// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/exposition.h"

#include "daemons/common/missing.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/utf8.h"

#define SECTOR_BYTES 512U

struct text {
	FILE *to;
	enum exposition_format format;
};

enum type { GAUGE, COUNTER, HISTOGRAM, STATESET, INFO };

/* What samples of a type end in; of a histogram each has an end of its own. */
static const char *const suffixes[] = {
    [GAUGE] = "", [COUNTER] = "_total", [HISTOGRAM] = "", [STATESET] = "", [INFO] = "_info"};

struct family {
	const char *name;
	enum type type;
	const char *unit; /* the name ends in it; NULL: none */
	const char *help;
};

static void family_write(const struct text *text, const struct family *family)
{
	static const char *const openmetrics[] = {[GAUGE] = "gauge",
						  [COUNTER] = "counter",
						  [HISTOGRAM] = "histogram",
						  [STATESET] = "stateset",
						  [INFO] = "info"};
	static const char *const prometheus[] = {[GAUGE] = "gauge",
						 [COUNTER] = "counter",
						 [HISTOGRAM] = "histogram",
						 [STATESET] = "gauge",
						 [INFO] = "gauge"};
	bool modern = text->format == EXPOSITION_OPENMETRICS;
	/* There the family is named as its samples are. */
	const char *suffix = modern ? "" : suffixes[family->type];

	(void)fprintf(text->to, "# TYPE %s%s %s\n", family->name, suffix,
		      modern ? openmetrics[family->type] : prometheus[family->type]);
	if (modern && family->unit)
		(void)fprintf(text->to, "# UNIT %s %s\n", family->name, family->unit);
	(void)fprintf(text->to, "# HELP %s%s %s\n", family->name, suffix, family->help);
}

/* ---- labels */

struct label {
	const char *name;
	const char *value;
};

/* What is no UTF-8 becomes a question mark: a reader would refuse the whole text for it. */
static void value_write(FILE *to, const char *value)
{
	while (*value) {
		size_t size = utf8_size(value);

		if (*value == '\n')
			(void)fputs("\\n", to);
		else if (*value == '"' || *value == '\\')
			(void)fprintf(to, "\\%c", *value);
		else if (size == 0)
			(void)fputc('?', to);
		else
			(void)fwrite(value, 1, size, to);
		value += size > 0 ? size : 1;
	}
}

/* The name and labels of a sample; those without a name are left out. */
static void sample_begin(const struct text *text, const char *name, const char *suffix,
			 const struct label *labels, size_t count)
{
	const char *before = "{";
	size_t i;

	(void)fprintf(text->to, "%s%s", name, suffix);
	for (i = 0; i < count; i++) {
		if (!labels[i].name)
			continue;
		(void)fprintf(text->to, "%s%s=\"", before, labels[i].name);
		value_write(text->to, labels[i].value);
		(void)fputc('"', text->to);
		before = ",";
	}
	(void)fputs(*before == ',' ? "} " : " ", text->to);
}

static void number_write(const struct text *text, uint64_t value)
{
	(void)fprintf(text->to, "%" PRIu64 "\n", value);
}

static void seconds_print(char *ret, size_t size, uint64_t microseconds)
{
	(void)snprintf(ret, size, "%" PRIu64 ".%06u", microseconds / 1000000,
		       (unsigned)(microseconds % 1000000));
}

/* ---- values that are a field of a struct */

struct field {
	struct family family;
	size_t offset;
	size_t size;
	unsigned scale;
};

#define FIELD(of, member, ...)                                                                     \
	{                                                                                          \
		{__VA_ARGS__}, offsetof(struct of, member), sizeof(((struct of *)0)->member), 1    \
	}
#define SCALED(of, member, scale, ...)                                                             \
	{                                                                                          \
		{__VA_ARGS__}, offsetof(struct of, member), sizeof(((struct of *)0)->member),      \
		    scale                                                                          \
	}

static uint64_t field_value(const struct field *field, const void *from)
{
	const char *at = (const char *)from + field->offset;
	uint64_t wide;
	uint32_t narrow;
	bool yes;

	switch (field->size) {
	case sizeof(wide):
		memcpy(&wide, at, sizeof(wide));
		break;
	case sizeof(narrow):
		memcpy(&narrow, at, sizeof(narrow));
		wide = narrow;
		break;
	default:
		memcpy(&yes, at, sizeof(yes));
		wide = yes;
		break;
	}
	return wide * field->scale;
}

static void fields_write(const struct text *text, const struct field *fields, size_t count,
			 const void *from)
{
	size_t i;

	for (i = 0; i < count; i++) {
		const struct family *family = &fields[i].family;

		family_write(text, family);
		sample_begin(text, family->name, suffixes[family->type], NULL, 0);
		number_write(text, field_value(&fields[i], from));
	}
}

/* ---- mirrors */

#define MIRROR_LABELS 2U

static void mirror_labels(const struct dlmirror_mirror *m, struct label *ret)
{
	ret[0] = (struct label){"mirror", m->name[0] ? m->name : m->uuid};
	ret[1] = (struct label){"uuid", m->uuid};
}

/* A sample of the mirror with one more label, or (NULL) none. */
static void mirror_sample(const struct text *text, const struct family *family,
			  const struct dlmirror_mirror *m, const char *label, const char *value,
			  uint64_t number)
{
	struct label labels[MIRROR_LABELS + 1];

	mirror_labels(m, labels);
	labels[MIRROR_LABELS] = (struct label){label, value};
	sample_begin(text, family->name, suffixes[family->type], labels, MIRROR_LABELS + 1);
	number_write(text, number);
}

static const struct field mirror_fields[] = {
    SCALED(dlmirror_mirror, length_sectors, SECTOR_BYTES, "dlmirror_mirror_size_bytes", GAUGE,
	   "bytes", "Size of the mirror."),
    SCALED(dlmirror_mirror, region_sectors, SECTOR_BYTES, "dlmirror_mirror_region_size_bytes",
	   GAUGE, "bytes", "Size of a region."),
    FIELD(dlmirror_mirror, region_count, "dlmirror_mirror_regions", GAUGE, NULL,
	  "Regions of the mirror."),
    FIELD(dlmirror_mirror, in_sync, "dlmirror_mirror_regions_in_sync", GAUGE, NULL,
	  "Regions that are in sync."),
    FIELD(dlmirror_mirror, dirty, "dlmirror_mirror_regions_dirty", GAUGE, NULL,
	  "Regions that this node has marked dirty."),
    FIELD(dlmirror_mirror, repair, "dlmirror_mirror_regions_repair", GAUGE, NULL,
	  "Regions left to be repaired after a crash."),
    FIELD(dlmirror_mirror, copying, "dlmirror_mirror_regions_copying", GAUGE, NULL,
	  "Regions that are being compared or copied now."),
    FIELD(dlmirror_mirror, pending, "dlmirror_mirror_requests_pending", GAUGE, NULL,
	  "Requests of the kernel that wait for their answer."),
    FIELD(dlmirror_mirror, suspect, "dlmirror_mirror_suspect", GAUGE, NULL,
	  "1: the legs have to be compared after an unplanned gap of the daemon."),
    FIELD(dlmirror_mirror, resync_rate, "dlmirror_mirror_resync_rate_bytes", GAUGE, "bytes",
	  "What this node may bring in sync in a second; 0: without a limit."),
    FIELD(dlmirror_mirror, verifying, "dlmirror_mirror_verifying", GAUGE, NULL,
	  "1: a verify runs."),
    FIELD(dlmirror_mirror, verify_done, "dlmirror_mirror_verify_regions", GAUGE, NULL,
	  "Regions that the running or last verify has been through."),
    FIELD(dlmirror_mirror, verify_skipped, "dlmirror_mirror_verify_regions_skipped", GAUGE, NULL,
	  "Regions that it skipped."),
    FIELD(dlmirror_mirror, verify_differed, "dlmirror_mirror_verify_regions_differed", GAUGE, NULL,
	  "Regions that it found to differ."),
    FIELD(dlmirror_mirror, verify_repaired, "dlmirror_mirror_verify_regions_repaired", GAUGE, NULL,
	  "Regions that it repaired."),
    FIELD(dlmirror_mirror, memory_bytes, "dlmirror_mirror_memory_bytes", GAUGE, "bytes",
	  "Memory for the log."),
    FIELD(dlmirror_mirror, clustered, "dlmirror_mirror_clustered", GAUGE, NULL,
	  "1: shared with other nodes."),
    FIELD(dlmirror_mirror, log_writes, "dlmirror_mirror_log_writes", COUNTER, NULL,
	  "Writes to the log device."),
};

static void mirror_fields_write(const struct text *text, const struct snapshot *s)
{
	size_t i;
	size_t k;

	for (i = 0; i < sizeof(mirror_fields) / sizeof(mirror_fields[0]); i++) {
		const struct field *field = &mirror_fields[i];

		family_write(text, &field->family);
		for (k = 0; k < s->count; k++)
			mirror_sample(text, &field->family, &s->mirror[k], NULL, NULL,
				      field_value(field, &s->mirror[k]));
	}
}

static void phases_write(const struct text *text, const struct snapshot *s)
{
	static const char *const phases[] = {"created",	   "attaching", "active",
					     "suspending", "detaching", "suspended"};
	static const struct family family = {"dlmirror_mirror_phase", STATESET, NULL,
					     "The state of the mirror."};
	size_t i;
	size_t k;

	family_write(text, &family);
	for (k = 0; k < s->count; k++)
		for (i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
			/* The label of a state set has the name of its family. */
			mirror_sample(text, &family, &s->mirror[k], family.name, phases[i],
				      strcmp(s->mirror[k].phase, phases[i]) == 0);
}

/* Also those that nothing else is told of. */
static void active_write(const struct text *text, const struct exposition *e)
{
	static const struct family family = {
	    "dlmirror_mirror_active", GAUGE, NULL,
	    "1: active on this node. 0: it only has a configuration here."};
	size_t i;

	family_write(text, &family);
	for (i = 0; i < e->s->count; i++)
		mirror_sample(text, &family, &e->s->mirror[i], NULL, NULL, 1);
	for (i = 0; i < e->inactive_count; i++) {
		const struct label labels[] = {{"mirror", e->inactive[i].name},
					       {"uuid", e->inactive[i].uuid}};

		sample_begin(text, family.name, suffixes[family.type], labels, 2);
		number_write(text, 0);
	}
}

static void suspended_write(const struct text *text, const struct snapshot *s)
{
	static const struct family family = {"dlmirror_mirror_suspended", GAUGE, NULL,
					     "1: all I/O waits for a resume."};
	size_t k;

	family_write(text, &family);
	for (k = 0; k < s->count; k++)
		mirror_sample(text, &family, &s->mirror[k], NULL, NULL,
			      strcmp(s->mirror[k].phase, "suspended") == 0);
}

static void reloading_write(const struct text *text, const struct snapshot *s)
{
	static const struct family family = {"dlmirror_mirror_reloading", GAUGE, NULL,
					     "1: it is being given another table on all nodes."};
	size_t k;

	family_write(text, &family);
	for (k = 0; k < s->count; k++)
		mirror_sample(text, &family, &s->mirror[k], NULL, NULL,
			      s->mirror[k].reload[0] != '\0');
}

static void log_write(const struct text *text, const struct snapshot *s)
{
	static const struct family family = {
	    "dlmirror_mirror_log_ok", GAUGE, NULL,
	    "1: the log device is in use. Not there for a log in memory."};
	size_t k;

	family_write(text, &family);
	for (k = 0; k < s->count; k++)
		if (s->mirror[k].has_disk)
			mirror_sample(text, &family, &s->mirror[k], NULL, NULL,
				      strcmp(s->mirror[k].log_state, "ok") == 0);
}

static void quorum_write(const struct text *text, const struct snapshot *s)
{
	static const struct family family = {
	    "dlmirror_mirror_quorate", GAUGE, NULL,
	    "1: the mirror has quorum. Not there for one that is not shared."};
	size_t k;

	family_write(text, &family);
	for (k = 0; k < s->count; k++)
		if (s->mirror[k].clustered)
			mirror_sample(text, &family, &s->mirror[k], NULL, NULL,
				      s->mirror[k].quorate);
}

struct state {
	char letter; /* '\0': all others */
	const char *name;
};

static const struct state healths[] = {{'A', "alive"},	     {'D', "dead"},
				       {'S', "stale"},	     {'R', "read_error"},
				       {'F', "flush_error"}, {MISSING_HEALTH, "missing"},
				       {'\0', "unknown"}};
static const struct state member_states[] = {
    {'R', "ready"}, {'J', "joining"}, {'G', "gone"}, {'\0', "unknown"}};

static const struct state *state_of(const struct state *states, char letter)
{
	while (states->letter && states->letter != letter)
		states++;
	return states;
}

static void legs_write(const struct text *text, const struct snapshot *s)
{
	static const struct family family = {"dlmirror_mirror_legs", GAUGE, NULL,
					     "Legs by their health."};
	size_t i;
	size_t k;
	uint32_t leg;

	family_write(text, &family);
	for (k = 0; k < s->count; k++) {
		const struct dlmirror_mirror *m = &s->mirror[k];
		unsigned number[sizeof(healths) / sizeof(healths[0])] = {0};

		for (leg = 0; leg < m->leg_count; leg++)
			number[state_of(healths, m->leg[leg].health) - healths]++;
		for (i = 0; i < sizeof(healths) / sizeof(healths[0]); i++)
			mirror_sample(text, &family, m, "health", healths[i].name, number[i]);
	}
}

static void members_write(const struct text *text, const struct snapshot *s)
{
	static const struct family family = {
	    "dlmirror_mirror_members", GAUGE, NULL,
	    "Nodes that have the mirror attached, by their state."};
	const size_t states = sizeof(member_states) / sizeof(member_states[0]);
	size_t i;
	size_t k;
	uint32_t member;

	family_write(text, &family);
	for (k = 0; k < s->count; k++) {
		const struct dlmirror_mirror *m = &s->mirror[k];
		unsigned number[sizeof(member_states) / sizeof(member_states[0])] = {0};

		if (!m->clustered)
			continue;
		for (member = 0; member < m->member_count; member++)
			number[state_of(member_states, m->member[member].state) - member_states]++;
		for (i = 0; i < states; i++)
			mirror_sample(text, &family, m, "state", member_states[i].name, number[i]);
	}
}

/* ---- requests */

static void counters_write(const struct text *text, const struct snapshot *s,
			   const struct family *family, size_t offset)
{
	unsigned type;
	size_t k;

	family_write(text, family);
	for (k = 0; k < s->count; k++)
		for (type = 0; type < DLMIRROR_TYPES; type++) {
			const char *at = (const char *)&s->counters[k].type[type] + offset;
			uint64_t value;

			if (!format_request_type(type))
				continue;
			memcpy(&value, at, sizeof(value));
			mirror_sample(text, family, &s->mirror[k], "type",
				      format_request_type(type), value);
		}
}

/* The daemon's threads count while they are read, so what was counted is the sum of the buckets. */
static void histogram_write(const struct text *text, const char *name,
			    const struct dlmirror_mirror *m, const char *type,
			    const struct dlmirror_counter *c)
{
	struct label labels[MIRROR_LABELS + 2];
	char number[32];
	uint64_t sum = 0;
	unsigned i;

	mirror_labels(m, labels);
	labels[MIRROR_LABELS] = (struct label){"type", type};
	for (i = 0; i < DLMIRROR_BUCKETS; i++) {
		sum += c->bucket[i];
		/* The last one has no upper end. */
		if (i < DLMIRROR_BUCKETS - 1)
			seconds_print(number, sizeof(number), UINT64_C(2) << i);
		else
			strcpy(number, "+Inf");
		labels[MIRROR_LABELS + 1] = (struct label){"le", number};
		sample_begin(text, name, "_bucket", labels, MIRROR_LABELS + 2);
		number_write(text, sum);
	}
	sample_begin(text, name, "_count", labels, MIRROR_LABELS + 1);
	number_write(text, sum);
	sample_begin(text, name, "_sum", labels, MIRROR_LABELS + 1);
	seconds_print(number, sizeof(number), c->total_us);
	(void)fprintf(text->to, "%s\n", number);
}

/* Only what the kernel has asked: a histogram has many samples, and most types are rare. */
static void histograms_write(const struct text *text, const struct snapshot *s)
{
	static const struct family family = {"dlmirror_mirror_request_duration_seconds", HISTOGRAM,
					     "seconds", "From a request's receipt to its reply."};
	unsigned type;
	size_t k;

	family_write(text, &family);
	for (k = 0; k < s->count; k++)
		for (type = 0; type < DLMIRROR_TYPES; type++)
			if (format_request_type(type) && s->counters[k].type[type].count > 0)
				histogram_write(text, family.name, &s->mirror[k],
						format_request_type(type),
						&s->counters[k].type[type]);
}

static void mirrors_write(const struct text *text, const struct exposition *e)
{
	const struct snapshot *s = e->s;
	static const struct family requests = {"dlmirror_mirror_requests", COUNTER, NULL,
					       "Requests of the kernel, by their type."};
	static const struct family errors = {"dlmirror_mirror_request_errors", COUNTER, NULL,
					     "Requests that were answered with an error."};

	active_write(text, e);
	mirror_fields_write(text, s);
	phases_write(text, s);
	suspended_write(text, s);
	reloading_write(text, s);
	log_write(text, s);
	quorum_write(text, s);
	legs_write(text, s);
	members_write(text, s);
	counters_write(text, s, &requests, offsetof(struct dlmirror_counter, count));
	counters_write(text, s, &errors, offsetof(struct dlmirror_counter, errors));
	histograms_write(text, s);
}

/* ---- the daemon and its cluster */

static const struct field daemon_fields[] = {
    FIELD(dlmirror_daemon, uptime_s, "dlmirror_daemon_uptime_seconds", GAUGE, "seconds",
	  "Time since the start of its process, which a planned restart replaces."),
    FIELD(dlmirror_daemon, generation, "dlmirror_daemon_planned_restarts", COUNTER, NULL,
	  "Planned restarts since the start."),
    FIELD(dlmirror_daemon, mirrors, "dlmirror_daemon_mirrors", GAUGE, NULL,
	  "Mirrors that the daemon serves."),
    FIELD(dlmirror_daemon, responders, "dlmirror_daemon_responders", GAUGE, NULL,
	  "Threads that answer the kernel; 0: single-thread mode."),
    FIELD(dlmirror_daemon, memory_bytes, "dlmirror_daemon_memory_bytes", GAUGE, "bytes",
	  "Resident memory."),
    FIELD(dlmirror_daemon, requests, "dlmirror_daemon_requests", COUNTER, NULL,
	  "Requests of the kernel."),
    FIELD(dlmirror_daemon, malformed, "dlmirror_daemon_malformed", COUNTER, NULL,
	  "Messages that were refused."),
    FIELD(dlmirror_daemon, overruns, "dlmirror_daemon_overruns", COUNTER, NULL,
	  "Times that the receive buffer was full and requests were lost."),
    FIELD(dlmirror_daemon, unknown_log, "dlmirror_daemon_unknown_log", COUNTER, NULL,
	  "Requests for logs that the daemon does not know."),
    FIELD(dlmirror_daemon, stale, "dlmirror_daemon_stale", COUNTER, NULL,
	  "Late duplicates of requests that were dropped."),
    FIELD(dlmirror_daemon, cluster.enabled, "dlmirror_cluster_enabled", GAUGE, NULL,
	  "1: the daemon works with those of other nodes."),
};

static const struct field cluster_fields[] = {
    FIELD(dlmirror_cluster, joined, "dlmirror_cluster_joined", GAUGE, NULL,
	  "1: the daemon is in corosync's group."),
    FIELD(dlmirror_cluster, quorate, "dlmirror_cluster_quorate", GAUGE, NULL,
	  "1: the cluster has quorum."),
    FIELD(dlmirror_cluster, view_count, "dlmirror_cluster_nodes", GAUGE, NULL,
	  "Nodes with a daemon in the group."),
    FIELD(dlmirror_cluster, protocol, "dlmirror_cluster_protocol_version", GAUGE, NULL,
	  "Version of the protocol that all daemons speak."),
    FIELD(dlmirror_cluster, queued, "dlmirror_cluster_messages_queued", GAUGE, NULL,
	  "Messages that wait for corosync."),
    FIELD(dlmirror_cluster, sent, "dlmirror_cluster_messages_sent", COUNTER, NULL,
	  "Messages sent to the group."),
    FIELD(dlmirror_cluster, received, "dlmirror_cluster_messages_received", COUNTER, NULL,
	  "Messages received from the group."),
    FIELD(dlmirror_cluster, sent_bytes, "dlmirror_cluster_sent_bytes", COUNTER, "bytes",
	  "Bytes sent to the group."),
    FIELD(dlmirror_cluster, received_bytes, "dlmirror_cluster_received_bytes", COUNTER, "bytes",
	  "Bytes received from the group."),
    FIELD(dlmirror_cluster, retries, "dlmirror_cluster_send_retries", COUNTER, NULL,
	  "Sends that corosync put off."),
    FIELD(dlmirror_cluster, damaged, "dlmirror_cluster_messages_damaged", COUNTER, NULL,
	  "Messages that could not be read."),
    FIELD(dlmirror_cluster, refused, "dlmirror_cluster_messages_refused", COUNTER, NULL,
	  "Messages and members that contradicted corosync's membership."),
    FIELD(dlmirror_cluster, reconnects, "dlmirror_cluster_reconnects", COUNTER, NULL,
	  "New connections to corosync."),
    FIELD(dlmirror_cluster, locks_joined, "dlmirror_cluster_lockspace_joined", GAUGE, NULL,
	  "1: the daemon is in DLM's lockspace."),
    FIELD(dlmirror_cluster, locks_recovering, "dlmirror_cluster_lockspace_recovering", GAUGE, NULL,
	  "1: DLM has stopped the lockspace meanwhile."),
    FIELD(dlmirror_cluster, fencing, "dlmirror_cluster_fencing", GAUGE, NULL,
	  "1: DLM fences nodes that die."),
    FIELD(dlmirror_cluster, locks_held, "dlmirror_cluster_locks_held", GAUGE, NULL,
	  "Locks of DLM that are held."),
    FIELD(dlmirror_cluster, locks_waiting, "dlmirror_cluster_locks_waiting", GAUGE, NULL,
	  "Locks of DLM that are waited for."),
    FIELD(dlmirror_cluster, locks_orphans, "dlmirror_cluster_locks_orphans", GAUGE, NULL,
	  "Locks of DLM that an earlier daemon left."),
};

static void info_write(const struct text *text, const struct family *family,
		       const struct label *labels, size_t count)
{
	family_write(text, family);
	sample_begin(text, family->name, suffixes[INFO], labels, count);
	number_write(text, 1);
}

static void one_write(const struct text *text, const struct family *family, uint64_t value)
{
	family_write(text, family);
	sample_begin(text, family->name, suffixes[family->type], NULL, 0);
	number_write(text, value);
}

static void cluster_write(const struct text *text, const struct dlmirror_cluster *c)
{
	static const struct family info = {"dlmirror_cluster", INFO, NULL, "Cluster and node."};
	static const struct family problem = {
	    "dlmirror_cluster_problem", GAUGE, NULL,
	    "1: something is missing; 'dlmirror daemon status' says what."};
	char node[16];
	const struct label labels[] = {{"cluster", c->name}, {"node", node}};

	(void)snprintf(node, sizeof(node), "%" PRIu32, c->node);
	info_write(text, &info, labels, 2);
	fields_write(text, cluster_fields, sizeof(cluster_fields) / sizeof(cluster_fields[0]), c);
	one_write(text, &problem, c->problem[0] != '\0');
}

static void daemon_write(const struct text *text, const struct dlmirror_daemon *d)
{
	static const struct family info = {"dlmirror_daemon", INFO, NULL, "The daemon."};
	const struct label labels[] = {
	    {"version", d->version}, {"host_id", d->host_id}, {"host_name", d->host_name}};

	info_write(text, &info, labels, 3);
	fields_write(text, daemon_fields, sizeof(daemon_fields) / sizeof(daemon_fields[0]), d);
	if (d->cluster.enabled)
		cluster_write(text, &d->cluster);
}

void exposition_write(const struct exposition *e, FILE *to)
{
	static const struct family build = {"dlmirror_build", INFO, NULL,
					    "The command that wrote this."};
	static const struct family up = {"dlmirror_up", GAUGE, NULL, "1: the daemon answers."};
	const struct label label = {"version", e->version};
	const struct text text = {.to = to, .format = e->format};

	info_write(&text, &build, &label, 1);
	one_write(&text, &up, e->s != NULL);
	if (e->s) {
		daemon_write(&text, &e->s->daemon);
		mirrors_write(&text, e);
	}
	if (e->format == EXPOSITION_OPENMETRICS)
		(void)fputs("# EOF\n", to);
}
