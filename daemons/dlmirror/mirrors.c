// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/mirrors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/dlmirror/block.h"
#include "daemons/dlmirror/format.h"

#define LEGS_ATTEMPTS 10U /* to learn the legs: the daemon looks for them when it is asked */
#define LEGS_PAUSE_MS 200U

const char *mirror_label(const struct dlmirror_mirror *m)
{
	return m->name[0] ? m->name : m->uuid;
}

void mirror_device(unsigned major, unsigned minor, char *ret, size_t size)
{
	char name[BLOCK_TEXT_SIZE];

	block_name(major, minor, name);
	if (name[0])
		(void)snprintf(ret, size, "%s (%u:%u)", name, major, minor);
	else
		(void)snprintf(ret, size, "%u:%u", major, minor);
}

void mirror_log_device(const struct dlmirror_mirror *m, char *ret, size_t size)
{
	unsigned major;
	unsigned minor;

	if (sscanf(m->log_device, "%u:%u", &major, &minor) == 2)
		mirror_device(major, minor, ret, size);
	else
		(void)snprintf(ret, size, "%s", m->log_device);
}

int mirrors_get(struct dlmirror *d, const char *name, struct dlmirror_mirror **ret,
		size_t *ret_count)
{
	struct dlmirror_mirror *one;
	int error;

	if (!name) {
		error = dlmirror_list(d, ret, ret_count);
		return error ? ui_fail_daemon(d, error) : UI_OK;
	}
	one = calloc(1, sizeof(*one));
	if (!one)
		return ui_fail(UI_FAILED, MSG_NO_MEMORY, "no memory");
	error = dlmirror_get(d, name, one);
	if (error) {
		free(one);
		return ui_fail_daemon(d, error);
	}
	*ret = one;
	*ret_count = 1;
	return UI_OK;
}

enum {
	COLUMN_NAME,
	COLUMN_UUID,
	COLUMN_PHASE,
	COLUMN_ACTIVITY,
	COLUMN_ACTIVITY_IDS,
	COLUMN_SIZE_BYTES,
	COLUMN_REGION_BYTES,
	COLUMN_REGION_COUNT,
	COLUMN_REVISION,
	COLUMN_IN_SYNC,
	COLUMN_DIRTY,
	COLUMN_REPAIR,
	COLUMN_COPYING,
	COLUMN_RECOVERING,
	COLUMN_PENDING,
	COLUMN_SUSPECT,
	COLUMN_INTEGRATED_FLUSH,
	COLUMN_HANDLE_ERRORS,
	COLUMN_LOG_DEVICE,
	COLUMN_LOG_STATE,
	COLUMN_LOG_ERROR,
	COLUMN_LOG_WRITES,
	COLUMN_MEMORY_BYTES,
	COLUMN_RESYNC_RATE,
	COLUMN_VERIFYING,
	COLUMN_VERIFY_REPAIR,
	COLUMN_VERIFY_DONE,
	COLUMN_VERIFY_SKIPPED,
	COLUMN_VERIFY_DIFFERED,
	COLUMN_VERIFY_REPAIRED,
	COLUMN_VERIFY_REGIONS,
	COLUMN_CLUSTERED,
	COLUMN_QUORATE,
	COLUMN_SLOT,
	COLUMN_MEMBERS,
	COLUMN_MEMBER_SLOTS,
	COLUMN_MEMBER_STATES,
	COLUMN_LEGS,
	COLUMN_LEG_SECTORS,
	COLUMN_LEG_HEALTH,
	COLUMNS,
};

static const struct ui_column columns[COLUMNS] = {
    [COLUMN_NAME] = {"name", 0, SCOLS_JSON_STRING},
    [COLUMN_UUID] = {"uuid", 0, SCOLS_JSON_STRING},
    [COLUMN_PHASE] = {"phase", 0, SCOLS_JSON_STRING},
    [COLUMN_ACTIVITY] = {"activity", 0, SCOLS_JSON_STRING},
    [COLUMN_ACTIVITY_IDS] = {"activity_ids", 0, SCOLS_JSON_ARRAY_STRING},
    [COLUMN_SIZE_BYTES] = {"size_bytes", 0, SCOLS_JSON_NUMBER},
    [COLUMN_REGION_BYTES] = {"region_bytes", 0, SCOLS_JSON_NUMBER},
    [COLUMN_REGION_COUNT] = {"region_count", 0, SCOLS_JSON_NUMBER},
    [COLUMN_REVISION] = {"revision", 0, SCOLS_JSON_NUMBER},
    [COLUMN_IN_SYNC] = {"in_sync", 0, SCOLS_JSON_NUMBER},
    [COLUMN_DIRTY] = {"dirty", 0, SCOLS_JSON_NUMBER},
    [COLUMN_REPAIR] = {"repair", 0, SCOLS_JSON_NUMBER},
    [COLUMN_COPYING] = {"copying", 0, SCOLS_JSON_NUMBER},
    [COLUMN_RECOVERING] = {"recovering", 0, SCOLS_JSON_NUMBER},
    [COLUMN_PENDING] = {"pending", 0, SCOLS_JSON_NUMBER},
    [COLUMN_SUSPECT] = {"suspect", 0, SCOLS_JSON_BOOLEAN},
    [COLUMN_INTEGRATED_FLUSH] = {"integrated_flush", 0, SCOLS_JSON_BOOLEAN},
    [COLUMN_HANDLE_ERRORS] = {"handle_errors", 0, SCOLS_JSON_BOOLEAN},
    [COLUMN_LOG_DEVICE] = {"log_device", 0, SCOLS_JSON_STRING},
    [COLUMN_LOG_STATE] = {"log_state", 0, SCOLS_JSON_STRING},
    [COLUMN_LOG_ERROR] = {"log_error", 0, SCOLS_JSON_NUMBER},
    [COLUMN_LOG_WRITES] = {"log_writes", 0, SCOLS_JSON_NUMBER},
    [COLUMN_MEMORY_BYTES] = {"memory_bytes", 0, SCOLS_JSON_NUMBER},
    [COLUMN_RESYNC_RATE] = {"resync_rate", 0, SCOLS_JSON_NUMBER}, /* null: unlimited */
    [COLUMN_VERIFYING] = {"verifying", 0, SCOLS_JSON_BOOLEAN},
    [COLUMN_VERIFY_REPAIR] = {"verify_repair", 0, SCOLS_JSON_BOOLEAN},
    [COLUMN_VERIFY_DONE] = {"verify_done", 0, SCOLS_JSON_NUMBER},
    [COLUMN_VERIFY_SKIPPED] = {"verify_skipped", 0, SCOLS_JSON_NUMBER},
    [COLUMN_VERIFY_DIFFERED] = {"verify_differed", 0, SCOLS_JSON_NUMBER},
    [COLUMN_VERIFY_REPAIRED] = {"verify_repaired", 0, SCOLS_JSON_NUMBER},
    [COLUMN_VERIFY_REGIONS] = {"verify_regions", 0, SCOLS_JSON_ARRAY_NUMBER},
    [COLUMN_CLUSTERED] = {"clustered", 0, SCOLS_JSON_BOOLEAN},
    [COLUMN_QUORATE] = {"quorate", 0, SCOLS_JSON_BOOLEAN},
    [COLUMN_SLOT] = {"slot", 0, SCOLS_JSON_NUMBER},
    [COLUMN_MEMBERS] = {"members", 0, SCOLS_JSON_ARRAY_NUMBER},
    [COLUMN_MEMBER_SLOTS] = {"member_slots", 0, SCOLS_JSON_ARRAY_NUMBER},
    [COLUMN_MEMBER_STATES] = {"member_states", 0, SCOLS_JSON_ARRAY_STRING},
    [COLUMN_LEGS] = {"legs", 0, SCOLS_JSON_ARRAY_STRING},
    [COLUMN_LEG_SECTORS] = {"leg_start_sectors", 0, SCOLS_JSON_ARRAY_NUMBER},
    [COLUMN_LEG_HEALTH] = {"leg_health", 0, SCOLS_JSON_ARRAY_STRING},
};

static void number(struct libscols_line *row, size_t column, uint64_t value)
{
	ui_cell(row, column, "%" PRIu64, value);
}

static void text(struct libscols_line *row, size_t column, const char *value)
{
	/* An empty cell is null. */
	if (value[0])
		ui_cell(row, column, "%s", value);
}

/* Members of an array are lines. */
#define ARRAY_SIZE 2048U

static void legs_json(struct libscols_line *row, const struct dlmirror_mirror *m)
{
	char devices[ARRAY_SIZE] = "";
	char sectors[ARRAY_SIZE] = "";
	char health[ARRAY_SIZE] = "";
	uint32_t i;

	for (i = 0; i < m->leg_count; i++) {
		const struct dlmirror_leg *leg = &m->leg[i];
		const char *gap = i > 0 ? "\n" : "";
		size_t used = strlen(devices);

		(void)snprintf(devices + used, ARRAY_SIZE - used, "%s%u:%u", gap, leg->major,
			       leg->minor);
		used = strlen(sectors);
		(void)snprintf(sectors + used, ARRAY_SIZE - used, "%s%" PRIu64, gap,
			       leg->start_sector);
		used = strlen(health);
		(void)snprintf(health + used, ARRAY_SIZE - used, "%s%c", gap, leg->health);
	}
	text(row, COLUMN_LEGS, devices);
	text(row, COLUMN_LEG_SECTORS, sectors);
	text(row, COLUMN_LEG_HEALTH, health);
}

static void members_json(struct libscols_line *row, const struct dlmirror_mirror *m)
{
	char nodes[ARRAY_SIZE] = "";
	char slots[ARRAY_SIZE] = "";
	char states[ARRAY_SIZE] = "";
	uint32_t i;

	ui_cell(row, COLUMN_CLUSTERED, "%d", m->clustered);
	if (!m->clustered)
		return;
	ui_cell(row, COLUMN_QUORATE, "%d", m->quorate);
	number(row, COLUMN_SLOT, m->slot);
	for (i = 0; i < m->member_count; i++) {
		const struct dlmirror_member *member = &m->member[i];
		const char *gap = i > 0 ? "\n" : "";
		size_t used = strlen(nodes);

		(void)snprintf(nodes + used, ARRAY_SIZE - used, "%s%" PRIu32, gap, member->node);
		used = strlen(slots);
		(void)snprintf(slots + used, ARRAY_SIZE - used, "%s%" PRIu32, gap, member->slot);
		used = strlen(states);
		(void)snprintf(states + used, ARRAY_SIZE - used, "%s%s", gap,
			       format_member_state(member->state));
	}
	text(row, COLUMN_MEMBERS, nodes);
	text(row, COLUMN_MEMBER_SLOTS, slots);
	text(row, COLUMN_MEMBER_STATES, states);
}

static void verify_json(struct libscols_line *row, const struct dlmirror_mirror *m)
{
	char regions[ARRAY_SIZE] = "";
	uint32_t i;

	ui_cell(row, COLUMN_VERIFYING, "%d", m->verifying);
	ui_cell(row, COLUMN_VERIFY_REPAIR, "%d", m->verify_repair);
	number(row, COLUMN_VERIFY_DONE, m->verify_done);
	number(row, COLUMN_VERIFY_SKIPPED, m->verify_skipped);
	number(row, COLUMN_VERIFY_DIFFERED, m->verify_differed);
	number(row, COLUMN_VERIFY_REPAIRED, m->verify_repaired);
	for (i = 0; i < m->verify_listed; i++) {
		size_t used = strlen(regions);

		(void)snprintf(regions + used, ARRAY_SIZE - used, "%s%" PRIu64, i > 0 ? "\n" : "",
			       m->verify_region[i]);
	}
	text(row, COLUMN_VERIFY_REGIONS, regions);
}

static void mirror_json(struct libscols_line *row, const struct dlmirror_mirror *m)
{
	char activity[1024];

	format_activity(m, activity, sizeof(activity));
	text(row, COLUMN_NAME, m->name);
	text(row, COLUMN_UUID, m->uuid);
	text(row, COLUMN_PHASE, m->phase);
	text(row, COLUMN_ACTIVITY, activity);
	format_activity_ids(m, activity, sizeof(activity));
	text(row, COLUMN_ACTIVITY_IDS, activity);
	number(row, COLUMN_SIZE_BYTES, m->length_sectors * SECTOR_BYTES);
	number(row, COLUMN_REGION_BYTES, m->region_sectors * SECTOR_BYTES);
	number(row, COLUMN_REGION_COUNT, m->region_count);
	number(row, COLUMN_REVISION, m->revision);
	number(row, COLUMN_IN_SYNC, m->in_sync);
	number(row, COLUMN_DIRTY, m->dirty);
	number(row, COLUMN_REPAIR, m->repair);
	number(row, COLUMN_COPYING, m->copying);
	if (m->recovering < m->region_count)
		number(row, COLUMN_RECOVERING, m->recovering);
	number(row, COLUMN_PENDING, m->pending);
	ui_cell(row, COLUMN_SUSPECT, "%d", m->suspect);
	ui_cell(row, COLUMN_INTEGRATED_FLUSH, "%d", m->integrated_flush);
	ui_cell(row, COLUMN_HANDLE_ERRORS, "%d", m->handle_errors);
	text(row, COLUMN_LOG_DEVICE, m->log_device);
	text(row, COLUMN_LOG_STATE, m->log_state);
	ui_cell(row, COLUMN_LOG_ERROR, "%d", m->log_error);
	number(row, COLUMN_LOG_WRITES, m->log_writes);
	number(row, COLUMN_MEMORY_BYTES, m->memory_bytes);
	if (m->resync_rate != 0)
		number(row, COLUMN_RESYNC_RATE, m->resync_rate);
	verify_json(row, m);
	members_json(row, m);
	legs_json(row, m);
}

struct libscols_table *mirrors_json(const struct dlmirror_mirror *mirrors, size_t count)
{
	struct libscols_table *table = ui_table("mirrors", columns, COLUMNS, true);
	size_t i;

	for (i = 0; i < count; i++)
		mirror_json(ui_row(table, NULL), &mirrors[i]);
	return table;
}

int mirror_get_with_legs(struct dlmirror *d, const char *name, struct dlmirror_mirror *ret)
{
	for (unsigned attempt = 0; attempt < LEGS_ATTEMPTS; attempt++) {
		int error = dlmirror_get(d, name, ret);

		if (error != 0)
			return ui_fail_daemon(d, error);
		if (ret->leg_count > 0)
			break;
		ui_pause_ms(LEGS_PAUSE_MS);
	}
	return UI_OK;
}
