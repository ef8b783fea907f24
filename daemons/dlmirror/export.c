// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>

#include "base/bits.h"
#include "base/crc32c.h"

const char *export_belief_name(enum disk_belief belief)
{
	switch (belief) {
	case DISK_BLANK:
		return "blank";
	case DISK_KERNEL:
		return "kernel";
	case DISK_IN_USE:
		return "in-use";
	case DISK_CLEAN:
		return "clean";
	case DISK_STALE:
		return "stale";
	case DISK_NEWER:
		return "newer";
	}
	return "?";
}

const char *export_belief_sentence(const struct disk_search *search)
{
	switch (search->belief) {
	case DISK_BLANK:
		return "no log";
	case DISK_KERNEL:
		return "at rest: the kernel's header and bits are the truth";
	case DISK_IN_USE:
		return "in use: its owner has it, or crashed with it";
	case DISK_CLEAN:
		return "at rest; its release was interrupted at the end";
	case DISK_STALE:
		return search->remark ? search->remark : "not to be trusted";
	case DISK_NEWER:
		return "in use, in a format of a newer dlmirror";
	}
	return "?";
}

const char *export_copy_sentence(int result)
{
	switch (result) {
	case 0:
		return "good";
	case -ENODATA:
		return "none";
	case -EBADMSG:
		return "damaged (checksum)";
	case -EPROTONOSUPPORT:
		return "of a newer format";
	default:
		return "damaged (fields contradict each other)";
	}
}

/* ---- the form: names and values, in groups and lists */

struct out {
	FILE *to;
	bool json;
	bool begun; /* the group has something in it */
	unsigned depth;
};

static void entry(struct out *out, const char *name)
{
	if (out->json)
		(void)fprintf(out->to, "%s\n", out->begun ? "," : "");
	(void)fprintf(out->to, "%*s", (int)(out->depth * 2), "");
	if (name && out->json)
		(void)fprintf(out->to, "\"%s\": ", name);
	else if (name)
		(void)fprintf(out->to, "%s:", name);
	out->begun = true;
}

static void group_open(struct out *out, const char *name, char bracket)
{
	entry(out, name);
	if (out->json)
		(void)fputc(bracket, out->to);
	else
		(void)fputs(name ? "\n" : "-\n", out->to);
	out->depth++;
	out->begun = false;
}

static void group_close(struct out *out, char bracket)
{
	out->depth--;
	if (out->json)
		(void)fprintf(out->to, "\n%*s%c", (int)(out->depth * 2), "", bracket);
	out->begun = true;
}

static void number(struct out *out, const char *name, uint64_t value)
{
	entry(out, name);
	(void)fprintf(out->to, out->json ? "%" PRIu64 : " %" PRIu64 "\n", value);
}

static void flag(struct out *out, const char *name, bool value)
{
	entry(out, name);
	if (out->json)
		(void)fputs(value ? "true" : "false", out->to);
	else
		(void)fputs(value ? " yes\n" : " no\n", out->to);
}

/* What comes from the device may hold anything. */
static void text(struct out *out, const char *name, const char *value)
{
	entry(out, name);
	(void)fputs(out->json ? "\"" : " ", out->to);
	for (; *value != '\0'; value++) {
		unsigned char c = (unsigned char)*value;

		if (out->json && (c < ' ' || c >= 0x7f || c == '"' || c == '\\'))
			(void)fprintf(out->to, "\\u%04x", c);
		else
			(void)fputc(c < ' ' || c >= 0x7f ? '?' : c, out->to);
	}
	(void)fputs(out->json ? "\"" : "\n", out->to);
}

static void checksum(struct out *out, const void *data, size_t size)
{
	char hex[16];

	(void)snprintf(hex, sizeof(hex), "%08" PRIx32, crc32c(data, size));
	text(out, "crc32c", hex);
}

/* ---- bits as ranges */

struct ranges {
	struct out *out;
	uint64_t from; /* of the range under way */
	bool open;
};

static void range_end(struct ranges *r, uint64_t behind)
{
	if (!r->open)
		return;
	r->open = false;
	entry(r->out, NULL);
	if (r->out->json)
		(void)fprintf(r->out->to, "[%" PRIu64 ", %" PRIu64 "]", r->from, behind - 1);
	else if (r->from == behind - 1)
		(void)fprintf(r->out->to, "%" PRIu64 "\n", r->from);
	else
		(void)fprintf(r->out->to, "%" PRIu64 "-%" PRIu64 "\n", r->from, behind - 1);
}

/* A range may go on in the next piece. */
static void ranges_take(void *context, const uint64_t *words, uint64_t first, uint64_t count)
{
	struct ranges *r = context;
	uint64_t at = 0;

	while (at < count) {
		uint64_t next =
		    r->open ? bits_next_clear(words, count, at) : bits_next_set(words, count, at);

		if (next == count)
			return;
		if (r->open)
			range_end(r, first + next);
		else
			*r = (struct ranges){.out = r->out, .from = first + next, .open = true};
		at = next;
	}
}

static int ranges(struct out *out, const char *name, const struct logdev *log, uint64_t offset,
		  size_t skip, uint64_t nbits)
{
	struct ranges r = {.out = out};
	int result;

	group_open(out, name, '[');
	result = logdev_bits_read(log, offset, skip, nbits, ranges_take, &r);
	if (result == 0)
		range_end(&r, nbits);
	group_close(out, ']');
	return result;
}

/* ---- what there is */

static void owner(struct out *out, const struct disk_owner *owner)
{
	text(out, "cluster", owner->cluster);
	text(out, "host_id", owner->host_id);
	text(out, "host_name", owner->host_name);
}

static void super_fields(struct out *out, const struct disk_super *super)
{
	const struct disk_layout *l = &super->layout;

	number(out, "generation", super->generation);
	number(out, "revision", super->revision);
	flag(out, "in_use", super->in_use);
	flag(out, "stale", super->stale);
	text(out, "uuid", super->uuid);
	owner(out, &super->owner);
	number(out, "region_count", l->region_count);
	number(out, "region_sectors", l->region_sectors);
	number(out, "regions_per_bit", UINT64_C(1) << l->shift);
	number(out, "slots", l->slots);
	number(out, "slot_bits", l->slot_bits);
	number(out, "super_b_offset", l->super_b);
	number(out, "in_sync_offset", l->sync_offset);
	number(out, "slots_offset", l->slot_offset);
	number(out, "slot_bytes", l->slot_stride);
	number(out, "used_bytes", l->total_bytes);
}

static int super_copy(struct out *out, const struct logdev *log, const char *copy, uint64_t offset)
{
	uint8_t buffer[DISK_SUPER_SIZE];
	struct disk_super super;
	int result = logdev_read(log, offset, sizeof(buffer), buffer);
	int decoded;

	if (result != 0)
		return result;
	decoded = disk_super_decode(buffer, &super);
	group_open(out, NULL, '{');
	text(out, "copy", copy);
	number(out, "offset", offset);
	text(out, "state", export_copy_sentence(decoded));
	checksum(out, buffer, sizeof(buffer));
	if (decoded == 0)
		super_fields(out, &super);
	group_close(out, '}');
	return 0;
}

static int kernel_header(struct out *out, const struct logdev *log)
{
	const struct disk_kernel_header *header = &log->search.header;
	uint8_t buffer[DISK_SUPER_OFFSET];
	int result = logdev_read(log, 0, sizeof(buffer), buffer);

	if (result != 0)
		return result;
	group_open(out, "kernel_header", '{');
	flag(out, "valid", header->valid);
	flag(out, "in_use", header->in_use);
	number(out, "version", header->version);
	number(out, "region_count", header->region_count);
	checksum(out, buffer, sizeof(buffer));
	group_close(out, '}');
	return 0;
}

static int slot(struct out *out, const struct logdev *log, uint32_t i)
{
	const struct disk_layout *l = &log->search.super.layout;
	uint64_t offset = disk_slot_offset(l, i);
	uint8_t buffer[DISK_UNIT];
	struct disk_slot slot;
	int result = logdev_read(log, offset, sizeof(buffer), buffer);
	int decoded;

	if (result != 0)
		return result;
	decoded = disk_slot_decode(buffer, &slot);
	group_open(out, NULL, '{');
	number(out, "slot", i);
	number(out, "offset", offset);
	text(out, "state", export_copy_sentence(decoded));
	checksum(out, buffer, sizeof(buffer));
	if (decoded == 0) {
		number(out, "index", slot.index);
		flag(out, "in_use", slot.in_use);
		number(out, "generation", slot.generation);
		text(out, "host_id", slot.host_id);
		text(out, "host_name", slot.host_name);
		text(out, "boot_id", slot.boot_id);
		number(out, "node", slot.node);
	}
	result = ranges(out, "dirty", log, offset + DISK_UNIT, 0, l->slot_bits);
	group_close(out, '}');
	return result;
}

static int maps(struct out *out, const struct logdev *log)
{
	const struct disk_search *search = &log->search;
	const struct disk_layout *l = &search->super.layout;
	uint64_t regions = search->has_super ? l->region_count : 0;
	int result = 0;

	if (search->header.valid)
		regions = search->header.region_count;
	if (regions > 0 && regions <= (log->bytes - DISK_BITS_OFFSET) * 8)
		result = ranges(out, "kernel_clean", log, 0, DISK_BITS_OFFSET, regions);
	if (result != 0 || !search->has_super || l->total_bytes > log->bytes)
		return result;
	result = ranges(out, "in_sync", log, l->sync_offset, 0, l->region_count);
	group_open(out, "slots", '[');
	for (uint32_t i = 0; i < l->slots && result == 0; i++)
		result = slot(out, log, i);
	group_close(out, ']');
	return result;
}

int export_write(FILE *to, const struct logdev *log, bool json)
{
	const struct disk_search *search = &log->search;
	struct out out = {.to = to, .json = json};
	int result;

	if (json)
		(void)fputc('{', to);
	out.depth = json;
	text(&out, "device", log->path);
	number(&out, "size_bytes", log->bytes);
	text(&out, "state", export_belief_name(search->belief));
	text(&out, "meaning", export_belief_sentence(search));
	result = kernel_header(&out, log);
	group_open(&out, "superblocks", '[');
	if (result == 0)
		result = super_copy(&out, log, "A", DISK_SUPER_OFFSET);
	if (result == 0 && search->super_b != 0 && search->super_b <= log->bytes - DISK_UNIT)
		result = super_copy(&out, log, "B", search->super_b);
	group_close(&out, ']');
	if (result == 0)
		result = maps(&out, log);
	if (json)
		(void)fputs("\n}\n", to);
	return result;
}
