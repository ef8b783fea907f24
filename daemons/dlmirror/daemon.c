// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror daemon: how the daemon is doing, and what it is told to do. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/dlmirror/verb.h"

#define RESTART_MS	60000U /* the daemon gives up before */
#define RESTART_LOOK_MS 5U
#define STOP_MS		10000U
#define STOP_LOOK_MS	20U

static const char *yes_no(bool yes)
{
	return yes ? "yes" : "no";
}

/* "1 2 3" */
static void nodes_text(const struct dlmirror_cluster *c, char *ret, size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	for (uint32_t i = 0; i < c->view_count && used < size; i++)
		used += (size_t)snprintf(ret + used, size - used, "%s%" PRIu32, i > 0 ? " " : "",
					 c->view[i]);
}

static void cluster_text(struct ui_facts *facts, const struct dlmirror_cluster *c)
{
	char nodes[DLMIRROR_VIEW_MAX * 12];

	if (!c->enabled) {
		ui_fact(facts, "Cluster", "none: alone on this host");
		return;
	}
	nodes_text(c, nodes, sizeof(nodes));
	ui_fact(facts, "Cluster", "%s", c->name[0] ? c->name : "not known yet");
	if (c->problem[0])
		ui_fact(facts, "Problem", "%s", c->problem);
	ui_fact(facts, "Node", "%" PRIu32, c->node);
	ui_fact(facts, "Quorum", "%s", yes_no(c->quorate));
	ui_fact(facts, "Nodes with a daemon", "%s", nodes[0] ? nodes : "-");
	ui_fact(facts, "Ring", "%" PRIu32 "/%" PRIu64, c->ring_node, c->ring_seq);
	ui_fact(facts, "Protocol", "%" PRIu32, c->protocol);
	ui_fact(facts, "Messages", "%" PRIu64 " sent, %" PRIu64 " received, %" PRIu32 " wait",
		c->sent, c->received, c->queued);
	ui_fact(facts, "Damaged, refused", "%" PRIu64 ", %" PRIu64, c->damaged, c->refused);
	ui_fact(facts, "Lockspace", "%s",
		!c->locks_joined      ? "not joined"
		: c->locks_recovering ? "joined, DLM recovers"
				      : "joined");
	ui_fact(facts, "Locks", "%" PRIu32 " held, %" PRIu32 " waited for, %" PRIu32 " orphans",
		c->locks_held, c->locks_waiting, c->locks_orphans);
	ui_fact(facts, "Fencing", "%s", yes_no(c->fencing));
}

static void fact_bool(struct ui_facts *facts, const char *name, bool value)
{
	ui_fact_json(facts, name, SCOLS_JSON_BOOLEAN, "%d", value);
}

static void cluster_json(struct ui_facts *facts, const struct dlmirror_cluster *c)
{
	char nodes[DLMIRROR_VIEW_MAX * 12];

	fact_bool(facts, "clustered", c->enabled);
	if (!c->enabled)
		return;
	nodes_text(c, nodes, sizeof(nodes));
	ui_fact_json(facts, "cluster", SCOLS_JSON_STRING, "%s", c->name);
	ui_fact_json(facts, "problem", SCOLS_JSON_STRING, "%s", c->problem);
	ui_fact_json(facts, "node", SCOLS_JSON_NUMBER, "%" PRIu32, c->node);
	fact_bool(facts, "joined", c->joined);
	fact_bool(facts, "quorate", c->quorate);
	ui_fact_json(facts, "view", SCOLS_JSON_STRING, "%s", nodes);
	ui_fact_json(facts, "ring", SCOLS_JSON_STRING, "%" PRIu32 "/%" PRIu64, c->ring_node,
		     c->ring_seq);
	ui_fact_json(facts, "protocol", SCOLS_JSON_NUMBER, "%" PRIu32, c->protocol);
	ui_fact_json(facts, "sent", SCOLS_JSON_NUMBER, "%" PRIu64, c->sent);
	ui_fact_json(facts, "received", SCOLS_JSON_NUMBER, "%" PRIu64, c->received);
	ui_fact_json(facts, "sent_bytes", SCOLS_JSON_NUMBER, "%" PRIu64, c->sent_bytes);
	ui_fact_json(facts, "received_bytes", SCOLS_JSON_NUMBER, "%" PRIu64, c->received_bytes);
	ui_fact_json(facts, "retries", SCOLS_JSON_NUMBER, "%" PRIu64, c->retries);
	ui_fact_json(facts, "queued", SCOLS_JSON_NUMBER, "%" PRIu32, c->queued);
	ui_fact_json(facts, "damaged", SCOLS_JSON_NUMBER, "%" PRIu64, c->damaged);
	ui_fact_json(facts, "refused", SCOLS_JSON_NUMBER, "%" PRIu64, c->refused);
	ui_fact_json(facts, "reconnects", SCOLS_JSON_NUMBER, "%" PRIu64, c->reconnects);
	fact_bool(facts, "locks_joined", c->locks_joined);
	fact_bool(facts, "locks_recovering", c->locks_recovering);
	fact_bool(facts, "fencing", c->fencing);
	ui_fact_json(facts, "locks_held", SCOLS_JSON_NUMBER, "%" PRIu32, c->locks_held);
	ui_fact_json(facts, "locks_waiting", SCOLS_JSON_NUMBER, "%" PRIu32, c->locks_waiting);
	ui_fact_json(facts, "locks_orphans", SCOLS_JSON_NUMBER, "%" PRIu32, c->locks_orphans);
}

static void facts_text(struct ui_facts *facts, const struct dlmirror_daemon *d)
{
	char text[FORMAT_SIZE];

	ui_fact(facts, "Version", "%s", d->version);
	ui_fact(facts, "Process", "%" PRIu32, d->pid);
	format_duration(d->uptime_s, text);
	ui_fact(facts, "Up for", "%s", text);
	ui_fact(facts, "Planned restarts", "%" PRIu32, d->generation);
	ui_fact(facts, "Mirrors", "%" PRIu32, d->mirrors);
	if (d->responders > 0)
		ui_fact(facts, "Responders", "%" PRIu32 " threads", d->responders);
	else
		ui_fact(facts, "Responders", "none: single-thread mode");
	ui_fact(facts, "Requests", "%" PRIu64, d->requests);
	ui_fact(facts, "Malformed", "%" PRIu64, d->malformed);
	ui_fact(facts, "For unknown logs", "%" PRIu64, d->unknown_log);
	ui_fact(facts, "Late duplicates", "%" PRIu64, d->stale);
	ui_fact(facts, "Buffer overruns", "%" PRIu64, d->overruns);
	format_bytes(d->memory_bytes, text);
	ui_fact(facts, "Memory", "%s", text);
	cluster_text(facts, &d->cluster);
}

static void facts_json(struct ui_facts *facts, const struct dlmirror_daemon *d)
{
	ui_fact_json(facts, "version", SCOLS_JSON_STRING, "%s", d->version);
	ui_fact_json(facts, "pid", SCOLS_JSON_NUMBER, "%" PRIu32, d->pid);
	ui_fact_json(facts, "uptime_s", SCOLS_JSON_NUMBER, "%" PRIu64, d->uptime_s);
	ui_fact_json(facts, "generation", SCOLS_JSON_NUMBER, "%" PRIu32, d->generation);
	ui_fact_json(facts, "mirrors", SCOLS_JSON_NUMBER, "%" PRIu32, d->mirrors);
	ui_fact_json(facts, "responders", SCOLS_JSON_NUMBER, "%" PRIu32, d->responders);
	ui_fact_json(facts, "requests", SCOLS_JSON_NUMBER, "%" PRIu64, d->requests);
	ui_fact_json(facts, "malformed", SCOLS_JSON_NUMBER, "%" PRIu64, d->malformed);
	ui_fact_json(facts, "unknown_log", SCOLS_JSON_NUMBER, "%" PRIu64, d->unknown_log);
	ui_fact_json(facts, "stale", SCOLS_JSON_NUMBER, "%" PRIu64, d->stale);
	ui_fact_json(facts, "overruns", SCOLS_JSON_NUMBER, "%" PRIu64, d->overruns);
	ui_fact_json(facts, "memory_bytes", SCOLS_JSON_NUMBER, "%" PRIu64, d->memory_bytes);
	cluster_json(facts, &d->cluster);
}

static int daemon_status(int argc, char **argv)
{
	const struct verb_syntax syntax = {
	    .names = "", .doc = "Says how the daemon is doing.", .json = true};
	struct verb_arguments arguments;
	struct dlmirror_daemon daemon;
	struct ui_facts *facts;
	struct dlmirror *d;
	int error;
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	code = ui_connect(&d);
	if (code != UI_OK)
		return code;
	error = dlmirror_daemon(d, &daemon);
	if (error != 0) {
		code = ui_fail_daemon(d, error);
	} else {
		facts = ui_facts("daemon", arguments.json);
		facts_text(facts, &daemon);
		facts_json(facts, &daemon);
		ui_facts_print(facts);
	}
	dlmirror_free(d);
	return code;
}

/* Asks until a later generation answers than that in *ret, the old one's answer. *ret_away_ms: from
 * the last answer of the old one. */
static int generation_wait(struct dlmirror **d, struct dlmirror_daemon *ret, uint64_t *ret_away_ms)
{
	uint64_t last_ms = ui_now_ms();
	uint64_t end_ms = last_ms + RESTART_MS;
	const uint32_t old = ret->generation;
	const uint32_t pid = ret->pid;
	char text[1024] = "";
	int error;

	while (ui_now_ms() < end_ms) {
		error = dlmirror_daemon(*d, ret);
		if (error == -ENOTCONN)
			error = ui_reconnect(d, RESTART_MS);
		else if (error == 0 && ret->generation > old) {
			*ret_away_ms = ui_now_ms() - last_ms;
			return UI_OK;
		} else if (error == 0 && ret->pid != pid) {
			return ui_fail(UI_FAILED, MSG_DAEMON_DIED,
				       "the daemon died and was started anew, so all legs are "
				       "compared; its log says why");
		} else if (error == 0) {
			last_ms = ui_now_ms();
			error = dlmirror_daemon_command(*d, DLMIRROR_DAEMON_RESTART_STATUS, NULL,
							text, sizeof(text));
			if (error == -ECANCELED)
				return ui_fail(UI_FAILED, MSG_RESTART_GIVEN_UP,
					       "the restart was given up, the old daemon goes on: "
					       "%s",
					       dlmirror_error(*d));
			/* An older daemon does not know the question, and one that goes has no
			 * answer: the next round sees. */
			error = 0;
			ui_pause_ms(RESTART_LOOK_MS);
		}
		if (error != 0)
			return ui_fail(UI_NO_DAEMON, MSG_DAEMON_NOT_BACK,
				       "the daemon has not come back; its log says why");
	}
	return ui_fail(UI_FAILED, MSG_RESTART_WAITS,
		       "the daemon is not replaced after %u s and still tries; it waits for %s",
		       RESTART_MS / 1000, text[0] ? text : "what its log says");
}

static int daemon_restart(int argc, char **argv)
{
	const struct verb_syntax syntax = {
	    .names = "",
	    .doc = "Replaces the running daemon by its program as it is now on disk. Sockets and "
		   "state are handed over: no request of the kernel is lost.",
	    .quiet = true};
	struct verb_arguments arguments;
	struct dlmirror_daemon daemon;
	struct dlmirror *d;
	uint64_t away_ms = 0;
	int error;
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	code = ui_connect(&d);
	if (code != UI_OK)
		return code;
	error = dlmirror_daemon(d, &daemon);
	if (error == 0)
		error = dlmirror_daemon_command(d, DLMIRROR_DAEMON_RESTART, NULL, NULL, 0);
	if (error != 0)
		code = ui_fail_daemon(d, error);
	else
		code = generation_wait(&d, &daemon, &away_ms);
	if (code == UI_OK)
		ui_done("restarted: version %s, generation %" PRIu32
			"; it did not answer administrators for %" PRIu64 " ms\n",
			daemon.version, daemon.generation, away_ms);
	dlmirror_free(d);
	return code;
}

enum { OPTION_FORCE = 256 };

static error_t parse_stop(int key, char *argument, struct argp_state *state)
{
	(void)argument;
	if (key != OPTION_FORCE)
		return ARGP_ERR_UNKNOWN;
	*(bool *)state->input = true;
	return 0;
}

static int process_wait(pid_t pid)
{
	uint64_t end_ms = ui_now_ms() + STOP_MS;

	while (kill(pid, 0) == 0 || errno == EPERM) {
		if (ui_now_ms() >= end_ms)
			return ui_fail(UI_FAILED, MSG_DAEMON_NOT_ENDED,
				       "process %d has not ended within %u s", (int)pid,
				       STOP_MS / 1000);
		ui_pause_ms(STOP_LOOK_MS);
	}
	return UI_OK;
}

static int daemon_stop(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"force", OPTION_FORCE, NULL, 0,
	     "also while mirrors are active, whose I/O then waits for a new daemon", 0},
	    {0}};
	bool force = false;
	const struct verb_syntax syntax = {.options = table,
					   .parser = parse_stop,
					   .input = &force,
					   .names = "",
					   .doc = "Stops the daemon.",
					   .quiet = true};
	struct verb_arguments arguments;
	struct dlmirror_daemon daemon;
	struct dlmirror *d;
	int error;
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	code = ui_connect(&d);
	if (code != UI_OK)
		return code;
	error = dlmirror_daemon(d, &daemon);
	if (error == 0)
		error = dlmirror_daemon_command(
		    d, force ? DLMIRROR_DAEMON_STOP_FORCE : DLMIRROR_DAEMON_STOP, NULL, NULL, 0);
	code = error ? ui_fail_daemon(d, error) : UI_OK;
	dlmirror_free(d);
	return code == UI_OK ? process_wait((pid_t)daemon.pid) : code;
}

/* A command of one argument at most; prints what the daemon says. */
static int command_run(enum dlmirror_daemon_command command, const char *argument)
{
	char text[1024] = "";
	struct dlmirror *d;
	int error;
	int code = ui_connect(&d);

	if (code != UI_OK)
		return code;
	error = dlmirror_daemon_command(d, command, argument, text, sizeof(text));
	if (error != 0)
		code = ui_fail_daemon(d, error);
	else if (text[0])
		(void)printf("%s\n", text);
	dlmirror_free(d);
	return code;
}

static int daemon_blackbox(int argc, char **argv)
{
	const struct verb_syntax syntax = {
	    .names = "",
	    .doc = "Makes the daemon write its flight record, the last of what it did, to a file, "
		   "and prints where it is. qb-blackbox(8) reads it."};
	struct verb_arguments arguments;

	verb_parse(&syntax, argc, argv, &arguments);
	return command_run(DLMIRROR_DAEMON_BLACKBOX, NULL);
}

static int daemon_log_level(int argc, char **argv)
{
	const struct verb_syntax syntax = {
	    .names = "LEVEL",
	    .doc = "Sets what the daemon logs from now on: error, warning, notice, info, debug or "
		   "trace. The configuration file says what it logs after a start.",
	    .min = 1,
	    .max = 1};
	struct verb_arguments arguments;

	verb_parse(&syntax, argc, argv, &arguments);
	return command_run(DLMIRROR_DAEMON_LOG_LEVEL, arguments.name[0]);
}

int verb_daemon(int argc, char **argv)
{
	static const struct verb verbs[] = {
	    {"status", "say how the daemon is doing", daemon_status},
	    {"restart", "replace it by its program on disk, without losing a request",
	     daemon_restart},
	    {"stop", "stop it", daemon_stop},
	    {"blackbox", "make it write its flight record", daemon_blackbox},
	    {"log-level", "set what it logs", daemon_log_level},
	};

	return verb_dispatch(argv[0], verbs, sizeof(verbs) / sizeof(verbs[0]), argc, argv);
}
