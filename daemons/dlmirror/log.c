// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror log: a log device seen from outside, printed, taken over from another host, or tried again. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemons/common/host.h"
#include "daemons/dlmirror/export.h"
#include "daemons/dlmirror/format.h"
#include "daemons/dlmirror/identity.h"
#include "daemons/dlmirror/logdev.h"
#include "daemons/dlmirror/mirrors.h"
#include "daemons/dlmirror/verb.h"

static void super_text(struct ui_facts *facts, const struct disk_super *super)
{
	const struct disk_layout *l = &super->layout;
	char text[FORMAT_SIZE];

	ui_fact(facts, "Log uuid", "%s", super->uuid);
	ui_fact(facts, "Owner", "%s (id %s)%s%s", super->owner.host_name, super->owner.host_id,
		super->owner.cluster[0] ? " of cluster " : "", super->owner.cluster);
	ui_fact(facts, "Generation", "%" PRIu64, super->generation);
	ui_fact(facts, "Revision", "%" PRIu64, super->revision);
	format_bytes(l->region_sectors * SECTOR_BYTES, text);
	ui_fact(facts, "Regions", "%" PRIu64 " of %s", l->region_count, text);
	ui_fact(facts, "Slots", "%" PRIu32 ", regions per bit: %" PRIu64, l->slots,
		UINT64_C(1) << l->shift);
	format_bytes(l->total_bytes, text);
	ui_fact(facts, "Space used", "%s", text);
}

static void super_json(struct ui_facts *facts, const struct disk_super *super)
{
	const struct disk_layout *l = &super->layout;

	ui_fact_json(facts, "uuid", SCOLS_JSON_STRING, "%s", super->uuid);
	ui_fact_json(facts, "host_id", SCOLS_JSON_STRING, "%s", super->owner.host_id);
	ui_fact_json(facts, "host_name", SCOLS_JSON_STRING, "%s", super->owner.host_name);
	ui_fact_json(facts, "cluster", SCOLS_JSON_STRING, "%s", super->owner.cluster);
	ui_fact_json(facts, "generation", SCOLS_JSON_NUMBER, "%" PRIu64, super->generation);
	ui_fact_json(facts, "revision", SCOLS_JSON_NUMBER, "%" PRIu64, super->revision);
	ui_fact_json(facts, "region_bytes", SCOLS_JSON_NUMBER, "%" PRIu64,
		     l->region_sectors * SECTOR_BYTES);
	ui_fact_json(facts, "slots", SCOLS_JSON_NUMBER, "%" PRIu32, l->slots);
	ui_fact_json(facts, "regions_per_bit", SCOLS_JSON_NUMBER, "%" PRIu64,
		     UINT64_C(1) << l->shift);
	ui_fact_json(facts, "used_bytes", SCOLS_JSON_NUMBER, "%" PRIu64, l->total_bytes);
}

static uint64_t believed_regions(const struct disk_search *search)
{
	return search->belief == DISK_KERNEL ? search->header.region_count
					     : search->super.layout.region_count;
}

static void counts_tell(struct ui_facts *facts, const struct logdev *log,
			const struct logdev_count *count)
{
	const struct disk_search *search = &log->search;
	uint64_t regions = believed_regions(search);
	char text[FORMAT_SIZE];

	if (search->belief != DISK_KERNEL && search->belief != DISK_IN_USE &&
	    search->belief != DISK_CLEAN)
		return;
	format_percent(count->in_sync, regions, text);
	ui_fact(facts, "In sync", "%" PRIu64 " of %" PRIu64 " regions (%s)", count->in_sync,
		regions, text);
	ui_fact_json(facts, "region_count", SCOLS_JSON_NUMBER, "%" PRIu64, regions);
	ui_fact_json(facts, "in_sync", SCOLS_JSON_NUMBER, "%" PRIu64, count->in_sync);
	if (search->belief != DISK_IN_USE)
		return;
	ui_fact(facts, "Slots in use", "%" PRIu32, count->slots_in_use);
	ui_fact(facts, "Dirty", "%" PRIu64 " bits", count->dirty);
	ui_fact_json(facts, "slots_in_use", SCOLS_JSON_NUMBER, "%" PRIu32, count->slots_in_use);
	ui_fact_json(facts, "dirty", SCOLS_JSON_NUMBER, "%" PRIu64, count->dirty);
	if (count->damaged)
		ui_fact(facts, "Remark", "a slot header is damaged: all regions count as dirty");
}

/* Each slot in use has a line of its own, for people. */
static void slots_text(struct ui_facts *facts, const struct logdev *log)
{
	const struct disk_search *search = &log->search;
	struct disk_slot slot;
	char label[32];
	uint32_t i;

	if (search->belief != DISK_IN_USE)
		return;
	for (i = 0; i < search->super.layout.slots; i++) {
		if (logdev_slot(log, i, &slot) != 0 || !slot.in_use)
			continue;
		(void)snprintf(label, sizeof(label), "Slot %" PRIu32, i);
		ui_fact(facts, label, "%s (id %s), generation %" PRIu64 ", boot %s", slot.host_name,
			slot.host_id, slot.generation, slot.boot_id);
	}
}

static void inspect_tell(const struct logdev *log, const struct logdev_count *count, bool json)
{
	const struct disk_search *search = &log->search;
	struct ui_facts *facts = ui_facts("log", json);
	char text[FORMAT_SIZE];

	format_bytes(log->bytes, text);
	ui_fact(facts, "Device", "%s, %s", log->path, text);
	ui_fact(facts, "State", "%s", export_belief_sentence(search));
	ui_fact_json(facts, "device", SCOLS_JSON_STRING, "%s", log->path);
	ui_fact_json(facts, "size_bytes", SCOLS_JSON_NUMBER, "%" PRIu64, log->bytes);
	ui_fact_json(facts, "state", SCOLS_JSON_STRING, "%s", export_belief_name(search->belief));
	if (search->header.valid)
		ui_fact(facts, "Kernel header", "valid, version %" PRIu32 ", %" PRIu64 " regions",
			search->header.version, search->header.region_count);
	else
		ui_fact(facts, "Kernel header", "%s",
			search->header.in_use ? "marked as in use by dlmirror" : "none");
	ui_fact_json(facts, "kernel_header", SCOLS_JSON_BOOLEAN, "%d", search->header.valid);
	ui_fact(facts, "Superblock A", "%s", export_copy_sentence(search->copy_a));
	ui_fact(facts, "Superblock B", "%s", export_copy_sentence(search->copy_b));
	ui_fact_json(facts, "superblock_a", SCOLS_JSON_STRING, "%s",
		     export_copy_sentence(search->copy_a));
	ui_fact_json(facts, "superblock_b", SCOLS_JSON_STRING, "%s",
		     export_copy_sentence(search->copy_b));
	if (search->has_super) {
		super_text(facts, &search->super);
		super_json(facts, &search->super);
	}
	counts_tell(facts, log, count);
	if (!json)
		slots_text(facts, log);
	ui_facts_print(facts);
}

static int log_inspect(int argc, char **argv)
{
	const struct verb_syntax syntax = {
	    .names = "DEVICE",
	    .doc = "Shows what is on a log device (or a copy of one). It is only read; no daemon "
		   "is needed.",
	    .min = 1,
	    .max = 1,
	    .json = true};
	struct verb_arguments arguments;
	char error[LOGDEV_ERROR_SIZE];
	struct logdev_count count;
	struct logdev log;
	int code = UI_OK;

	verb_parse(&syntax, argc, argv, &arguments);
	if (logdev_open(arguments.name[0], false, 0, &log, error) != 0)
		return ui_fail(UI_FAILED, MSG_WITHIN, "%s", error);
	if (logdev_count(&log, &count, error) != 0)
		code = ui_fail(UI_FAILED, MSG_WITHIN, "%s", error);
	else
		inspect_tell(&log, &count, arguments.json);
	logdev_close(&log);
	return code;
}

static int log_export(int argc, char **argv)
{
	const struct verb_syntax syntax = {
	    .names = "DEVICE",
	    .doc =
		"Prints all that a log device (or a copy of one) holds: superblocks, in-sync map, "
		"slots and their dirty regions. It is only read; no daemon is needed.\vWhat a "
		"daemon writes meanwhile may be told as it was or as it is.",
	    .min = 1,
	    .max = 1,
	    .json = true};
	struct verb_arguments arguments;
	char error[LOGDEV_ERROR_SIZE];
	struct logdev log;
	int code = UI_OK;
	int result;

	verb_parse(&syntax, argc, argv, &arguments);
	if (logdev_open(arguments.name[0], false, 0, &log, error) != 0)
		return ui_fail(UI_FAILED, MSG_WITHIN, "%s", error);
	result = export_write(stdout, &log, arguments.json);
	if (result == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		code = ui_fail(UI_FAILED, MSG_FILE_UNWRITABLE,
			       "it cannot be written to standard output");
	else if (result != 0)
		code = ui_fail(UI_FAILED, MSG_DEVICE_UNREADABLE, "%s cannot be read: %s", log.path,
			       strerror(-result));
	logdev_close(&log);
	return code;
}

struct adopt_options {
	bool force;
	const char *config_path;
};

enum { OPTION_FORCE = 256, OPTION_CONFIG };

static error_t parse_adopt(int key, char *argument, struct argp_state *state)
{
	struct adopt_options *options = state->input;

	switch (key) {
	case OPTION_FORCE:
		options->force = true;
		return 0;
	case OPTION_CONFIG:
		options->config_path = argument;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Two hosts that both believe to own a log write it over each other: somebody must say that one of
 * them is dead. */
static int adopt_confirm(const struct disk_super *super)
{
	char answer[16] = "";

	if (isatty(STDIN_FILENO) != 1)
		return ui_fail(UI_FAILED, MSG_LOG_OF_ANOTHER_HOST,
			       "the log is in use by host %s (id %s); when that host is down or "
			       "does not write the mirror any more, say --force",
			       super->owner.host_name, super->owner.host_id);
	ui_say("The log %s is in use by host %s (id %s).\n"
	       "If that host still writes the mirror, data will be lost. Is it down? [yes/no] ",
	       super->uuid, super->owner.host_name, super->owner.host_id);
	if (!fgets(answer, sizeof(answer), stdin) || strcmp(answer, "yes\n") != 0)
		return ui_fail(UI_FAILED, MSG_NOT_CONFIRMED, "nothing was changed");
	return UI_OK;
}

static int adopt(struct logdev *log, const struct disk_owner *host, bool force)
{
	const struct disk_search *search = &log->search;
	const struct disk_super *super = &search->super;
	char error[LOGDEV_ERROR_SIZE];
	char from[DISK_NAME_SIZE];
	int code;

	if (search->belief == DISK_NEWER)
		return ui_fail(UI_FAILED, MSG_LOG_NEWER,
			       "%s was written by a newer dlmirror; use that", log->path);
	if (!search->has_super || search->belief == DISK_KERNEL || !super->in_use)
		return ui_fail(UI_FAILED, MSG_LOG_NOT_IN_USE,
			       "nobody has the log on %s in use; there is nothing to take "
			       "over, create may use it",
			       log->path);
	if (disk_owner_same(&super->owner, host)) {
		ui_done("%s is this host's already\n", log->path);
		return UI_OK;
	}
	code = force ? UI_OK : adopt_confirm(super);
	if (code != UI_OK)
		return code;
	memcpy(from, super->owner.host_name, sizeof(from));
	if (logdev_adopt(log, host, error) != 0)
		return ui_fail(UI_FAILED, MSG_WITHIN, "%s", error);
	ui_done("%s, log %s, taken over from %s; what that host left dirty will be repaired "
		"when the mirror is activated\n",
		log->path, super->uuid, from);
	return UI_OK;
}

static int log_adopt(int argc, char **argv)
{
	static const struct argp_option table[] = {
	    {"force", OPTION_FORCE, NULL, 0, "do not ask: the other host is known to be down", 0},
	    {"config", OPTION_CONFIG, "FILE", 0,
	     "where this host's id stands when no daemon runs (" VERB_CONFIG_PATH ")", 0},
	    {0}};
	struct adopt_options options = {.config_path = VERB_CONFIG_PATH};
	const struct verb_syntax syntax = {
	    .options = table,
	    .parser = parse_adopt,
	    .input = &options,
	    .names = "DEVICE",
	    .doc = "Takes a log device over from a host that will not come back, or not with this "
		   "mirror. Its marks are kept.",
	    .min = 1,
	    .max = 1,
	    .quiet = true};
	struct verb_arguments arguments;
	char error[LOGDEV_ERROR_SIZE];
	struct disk_owner host;
	struct logdev log;
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	code = identity_get(options.config_path, &host);
	if (code != UI_OK)
		return code;
	if (logdev_open(arguments.name[0], true, 0, &log, error) != 0)
		return ui_fail(UI_FAILED, MSG_WITHIN, "%s", error);
	code = adopt(&log, &host, options.force);
	logdev_close(&log);
	return code;
}

static int log_retry(int argc, char **argv)
{
	const struct verb_syntax syntax = {
	    .names = "MIRROR",
	    .doc = "Makes the daemon try a failed log device again now, not at its next time.",
	    .min = 1,
	    .max = 1,
	    .quiet = true};
	struct verb_arguments arguments;
	struct dlmirror *d;
	int error;
	int code;

	verb_parse(&syntax, argc, argv, &arguments);
	code = ui_connect(&d);
	if (code != UI_OK)
		return code;
	error = dlmirror_log_retry(d, arguments.name[0]);
	if (error != 0)
		code = ui_fail_daemon(d, error);
	dlmirror_free(d);
	return code;
}

int verb_log(int argc, char **argv)
{
	static const struct verb verbs[] = {
	    {"inspect", "show what is on a log device", log_inspect},
	    {"export", "print all that a log device holds", log_export},
	    {"replace", "another log device for a mirror", verb_log_replace},
	    {"adopt", "take a log device over from another host", log_adopt},
	    {"retry", "try a mirror's failed log device again", log_retry},
	};

	return verb_dispatch(argv[0], verbs, sizeof(verbs) / sizeof(verbs[0]), argc, argv);
}
