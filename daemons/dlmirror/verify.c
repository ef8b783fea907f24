// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror verify and repair: start a comparison of the legs in the daemon, and follow it to its end.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/mirrors.h"
#include "daemons/dlmirror/verb.h"

#define LOOK_MS 200U

struct verify_options {
	bool repair;
	bool no_wait;
	bool stop;
	uint64_t bytes_s; /* 0: at the mirror's rate */
};

enum { OPTION_REPAIR = 256, OPTION_NO_WAIT, OPTION_WAIT, OPTION_STOP, OPTION_RATE };

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct verify_options *options = state->input;

	switch (key) {
	case OPTION_RATE:
		options->bytes_s = verb_rate(argument, state);
		return 0;
	case OPTION_REPAIR:
		options->repair = true;
		return 0;
	case OPTION_NO_WAIT:
		options->no_wait = true;
		return 0;
	case OPTION_WAIT:
		options->no_wait = false;
		return 0;
	case OPTION_STOP:
		options->stop = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void progress_print(const struct dlmirror_mirror *m, const struct format_rate *rate)
{
	uint64_t seconds = format_rate_seconds_left(rate);
	char percent[FORMAT_SIZE];
	char left[FORMAT_SIZE] = "";

	format_percent(m->verify_done, m->region_count, percent);
	if (seconds != UINT64_MAX)
		format_duration(seconds, left);
	(void)fprintf(stderr, "\r%s: %s compared, %" PRIu64 " differ%s%s\033[K", mirror_label(m),
		      percent, m->verify_differed, left[0] ? ", ready in " : "", left);
}

/* Until the verify has ended; a daemon that restarts meanwhile is waited for. */
static int verify_follow(struct dlmirror **d, const char *name, struct dlmirror_mirror *ret)
{
	struct format_rate rate = {0};
	bool progress = ui_progress();
	int error;

	for (;;) {
		error = dlmirror_get(*d, name, ret);
		if (error == -ENOTCONN && ui_reconnect(d, UI_AWAY_MS) == 0)
			error = dlmirror_get(*d, name, ret);
		if (error != 0 || !ret->verifying)
			break;
		format_rate_sample(&rate, ui_now_ms(), ret->region_count - ret->verify_done);
		if (progress)
			progress_print(ret, &rate);
		ui_pause_ms(LOOK_MS);
	}
	if (progress)
		(void)fputs("\r\033[K", stderr);
	return error ? ui_fail_daemon(*d, error) : UI_OK;
}

static void result_json(const struct dlmirror_mirror *m)
{
	struct ui_facts *facts = ui_facts("verify", true);
	char regions[DLMIRROR_REGIONS_MAX * 22] = "";
	uint32_t i;

	for (i = 0; i < m->verify_listed; i++) {
		size_t used = strlen(regions);

		(void)snprintf(regions + used, sizeof(regions) - used, "%s%" PRIu64,
			       i > 0 ? "\n" : "", m->verify_region[i]);
	}
	ui_fact_json(facts, "name", SCOLS_JSON_STRING, "%s", mirror_label(m));
	ui_fact_json(facts, "regions", SCOLS_JSON_NUMBER, "%" PRIu64, m->verify_done);
	ui_fact_json(facts, "skipped", SCOLS_JSON_NUMBER, "%" PRIu64, m->verify_skipped);
	ui_fact_json(facts, "differed", SCOLS_JSON_NUMBER, "%" PRIu64, m->verify_differed);
	ui_fact_json(facts, "repaired", SCOLS_JSON_NUMBER, "%" PRIu64, m->verify_repaired);
	ui_fact_json(facts, "differing_regions", SCOLS_JSON_ARRAY_NUMBER, "%s", regions);
	ui_facts_print(facts);
}

static void result_text(const struct dlmirror_mirror *m)
{
	uint64_t compared = m->verify_done - m->verify_skipped;
	uint32_t i;

	(void)printf("%s: %" PRIu64 " regions compared, ", mirror_label(m), compared);
	if (m->verify_differed == 0)
		(void)printf("the legs are identical");
	else
		(void)printf("%" PRIu64 " differed, %" PRIu64 " repaired", m->verify_differed,
			     m->verify_repaired);
	if (m->verify_skipped > 0)
		(void)printf("; %" PRIu64 " skipped (not in sync, or written all the time)",
			     m->verify_skipped);
	(void)putchar('\n');
	if (m->verify_listed == 0)
		return;
	(void)printf("regions that differed:");
	for (i = 0; i < m->verify_listed; i++)
		(void)printf(" %" PRIu64, m->verify_region[i]);
	if (m->verify_differed > m->verify_listed)
		(void)printf(" and %" PRIu64 " more", m->verify_differed - m->verify_listed);
	(void)putchar('\n');
}

static int result_tell(const struct dlmirror_mirror *m, bool json)
{
	if (m->verify_done < m->region_count)
		return ui_fail(UI_FAILED, MSG_VERIFY_ENDED_EARLY,
			       "the verify of %s ended after %" PRIu64 " of %" PRIu64
			       " regions (stopped, suspended or the daemon restarted); start it "
			       "again",
			       mirror_label(m), m->verify_done, m->region_count);
	bool differs = m->verify_differed > m->verify_repaired;

	if (json)
		result_json(m);
	else if (differs || !ui_is_quiet())
		result_text(m);
	return differs ? UI_DIFFERS : UI_OK;
}

static int verify_run(struct dlmirror **d, const char *name, const void *input, bool json)
{
	const struct verify_options *options = input;
	struct dlmirror_mirror mirror;
	int error;
	int code;

	error = options->stop ? dlmirror_verify_stop(*d, name)
			      : dlmirror_verify_rate(*d, name, options->repair, options->bytes_s);
	if (error != 0)
		return ui_fail_daemon(*d, error);
	if (options->stop || options->no_wait)
		return UI_OK;
	code = verify_follow(d, name, &mirror);
	return code != UI_OK ? code : result_tell(&mirror, json);
}

/* A verify that repairs needs not be told to. */
static const struct argp_option options_table[] = {
    {"repair", OPTION_REPAIR, NULL, 0, "do as the verb repair", 0},
    {"rate", OPTION_RATE, "SIZE", 0,
     "compare no more than SIZE in a second, or unlimited (the mirror's resync-rate)", 0},
    {"no-wait", OPTION_NO_WAIT, NULL, 0, "only start it; status shows the progress", 0},
    {"wait", OPTION_WAIT, NULL, 0, "wait for the end (the default)", 0},
    {"stop", OPTION_STOP, NULL, 0, "stop one that runs", 0},
    {0}};
static const struct argp_option *const repair_options = &options_table[1];

int verb_verify(int argc, char **argv)
{
	struct verify_options options = {0};
	const struct verb_syntax syntax = {
	    .options = options_table,
	    .parser = parse,
	    .input = &options,
	    .names = "MIRROR",
	    .doc = "Compares the legs of a mirror, region by region, while it is in use.\v"
		   "Exit code 5: legs differ and were not repaired. The verify runs in the "
		   "daemon: it goes on when this command is interrupted.",
	    .min = 1,
	    .max = 1,
	    .json = true,
	    .quiet = true};

	return verb_on_mirror(&syntax, argc, argv, verify_run);
}

int verb_repair(int argc, char **argv)
{
	struct verify_options options = {.repair = true};
	const struct verb_syntax syntax = {
	    .options = repair_options,
	    .parser = parse,
	    .input = &options,
	    .names = "MIRROR",
	    .doc =
		"Compares the legs of a mirror, region by region, while it is in use, and copies "
		"the first leg to the others where they differ.\v"
		"What a crash left dirty is repaired without it. It runs in the daemon: it goes "
		"on when this command is interrupted.",
	    .min = 1,
	    .max = 1,
	    .json = true,
	    .quiet = true};

	return verb_on_mirror(&syntax, argc, argv, verify_run);
}
