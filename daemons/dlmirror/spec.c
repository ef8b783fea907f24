// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/spec.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "codec/table.h"
#include "daemons/common/bytes.h"
#include "daemons/common/message.h"
#include "daemons/common/missing.h"
#include "daemons/dlmirror/format.h"

#define SECTOR_BYTES	   512U
#define REGION_SECTORS_MIN 8U /* a page: dm-mirror takes nothing smaller */
#define REGION_SECTORS_MAX (UINT64_C(1) << 31)

static int __attribute__((format(printf, 3, 4)))
refuse(char error[SPEC_ERROR_SIZE], enum message message, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message_vmake(error, SPEC_ERROR_SIZE, message, format, args);
	va_end(args);
	return -EINVAL;
}

int spec_leg_parse(const char *text, struct spec_leg *ret, char error[SPEC_ERROR_SIZE])
{
	const char *at = strrchr(text, '@');
	size_t length = at ? (size_t)(at - text) : strlen(text);
	uint64_t bytes = 0;

	/* A device may have an @ in its name; what is behind it is a size or part of the name. */
	if (at && bytes_parse(at + 1, &bytes) != 0) {
		if (isdigit((unsigned char)at[1]))
			return refuse(error, MSG_OFFSET_INVALID,
				      "leg %s: %s is no offset; write it like 1MiB or 2048s", text,
				      at + 1);
		length = strlen(text);
	}
	if (length == 0)
		return refuse(error, MSG_LEG_MISSING, "leg %s: the device is missing", text);
	if (length >= sizeof(ret->path))
		return refuse(error, MSG_PATH_TOO_LONG, "leg %.32s...: the path is too long", text);
	if (bytes % SECTOR_BYTES != 0)
		return refuse(error, MSG_OFFSET_INVALID,
			      "leg %s: an offset is a multiple of %u bytes", text, SECTOR_BYTES);
	*ret = (struct spec_leg){.start_sector = bytes / SECTOR_BYTES};
	memcpy(ret->path, text, length);
	return 0;
}

int spec_name_check(const char *name, char error[SPEC_ERROR_SIZE])
{
	const char *c;

	if (name[0] == '\0')
		return refuse(error, MSG_NAME_INVALID, "the mirror's name is empty");
	if (strlen(name) > SPEC_NAME_LENGTH)
		return refuse(error, MSG_NAME_INVALID,
			      "the name is too long: at most %u characters", SPEC_NAME_LENGTH);
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return refuse(error, MSG_NAME_INVALID, "%s is no name for a device", name);
	for (c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("#+-.:=@_~", *c))
			return refuse(error, MSG_NAME_INVALID,
				      "the name may have letters, digits and #+-.:=@_~ only");
	return 0;
}

int spec_uuid_check(const char *uuid, char error[SPEC_ERROR_SIZE])
{
	const char *c;

	if (uuid[0] == '\0')
		return refuse(error, MSG_UUID_INVALID, "the uuid is empty");
	if (strlen(uuid) > SPEC_UUID_LENGTH)
		return refuse(error, MSG_UUID_INVALID,
			      "the uuid is too long: at most %u characters", SPEC_UUID_LENGTH);
	for (c = uuid; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("#+-.:=@_~", *c))
			return refuse(error, MSG_UUID_INVALID,
				      "the uuid may have letters, digits and #+-.:=@_~ only");
	return 0;
}

bool spec_uuid_is_for(const char *uuid, const char *name)
{
	size_t length = strlen(name);

	return strncmp(uuid, name, length) == 0 && uuid[length] == '-' &&
	       strlen(uuid + length + 1) == 8 && strspn(uuid + length + 1, "0123456789abcdef") == 8;
}

static int legs_check(const struct spec *spec, char error[SPEC_ERROR_SIZE])
{
	unsigned i;
	unsigned k;

	if (spec->leg_count < 2)
		return refuse(error, MSG_LEGS_TOO_FEW,
			      "a mirror has two legs or more; give --leg for each");
	for (i = 0; i < spec->leg_count; i++) {
		const struct spec_leg *leg = &spec->leg[i];

		if (leg->start_sector >= leg->device_sectors)
			return refuse(error, MSG_OFFSET_INVALID,
				      "leg %s: the offset is behind its end", leg->path);
		if (spec->has_log && leg->devno == spec->log_devno)
			return refuse(error, MSG_LEG_IS_LOG,
				      "%s cannot be leg and log device at once", leg->path);
		for (k = 0; k < i; k++)
			if (spec->leg[k].devno == leg->devno)
				return refuse(error, MSG_LEGS_SAME_DEVICE,
					      "legs %s and %s are the same device, which mirrors "
					      "nothing",
					      spec->leg[k].path, leg->path);
	}
	return 0;
}

static uint64_t leg_room(const struct spec_leg *leg)
{
	return leg->device_sectors - leg->start_sector;
}

static int length_choose(struct spec *spec, char error[SPEC_ERROR_SIZE])
{
	const struct spec_leg *smallest = &spec->leg[0];
	const struct spec_leg *largest = &spec->leg[0];
	char small[FORMAT_SIZE];
	char large[FORMAT_SIZE];
	unsigned i;

	for (i = 1; i < spec->leg_count; i++) {
		if (leg_room(&spec->leg[i]) < leg_room(smallest))
			smallest = &spec->leg[i];
		if (leg_room(&spec->leg[i]) > leg_room(largest))
			largest = &spec->leg[i];
	}
	format_bytes(leg_room(smallest) * SECTOR_BYTES, small);
	format_bytes(leg_room(largest) * SECTOR_BYTES, large);
	if (spec->length_sectors > leg_room(smallest))
		return refuse(error, MSG_LEG_TOO_SMALL, "leg %s has only %s (%" PRIu64 " bytes)",
			      smallest->path, small, leg_room(smallest) * SECTOR_BYTES);
	if (spec->length_sectors > 0)
		return 0;
	if (leg_room(smallest) != leg_room(largest))
		return refuse(error, MSG_LEGS_DIFFER_IN_SIZE,
			      "the legs differ in size (%s: %s, %s: %s); give --size, at most "
			      "%" PRIu64 "s",
			      smallest->path, small, largest->path, large, leg_room(smallest));
	spec->length_sectors = leg_room(smallest);
	return 0;
}

static int blocks_check(const struct spec *spec, char error[SPEC_ERROR_SIZE])
{
	unsigned i;

	for (i = 0; i < spec->leg_count; i++) {
		const struct spec_leg *leg = &spec->leg[i];
		uint32_t sectors = leg->block_bytes / SECTOR_BYTES;

		if (sectors > 1 && spec->length_sectors % sectors != 0)
			return refuse(error, MSG_NOT_WHOLE_BLOCKS,
				      "leg %s has blocks of %u bytes; the size must be a "
				      "multiple of that",
				      leg->path, leg->block_bytes);
		if (sectors > 1 && leg->start_sector % sectors != 0)
			return refuse(error, MSG_NOT_WHOLE_BLOCKS,
				      "leg %s has blocks of %u bytes; the offset must be a "
				      "multiple of that",
				      leg->path, leg->block_bytes);
	}
	return 0;
}

int spec_complete(struct spec *spec, char error[SPEC_ERROR_SIZE])
{
	int result = legs_check(spec, error);

	if (result == 0)
		result = length_choose(spec, error);
	if (result == 0)
		result = blocks_check(spec, error);
	if (result != 0)
		return result;
	if (spec->region_sectors < REGION_SECTORS_MIN ||
	    spec->region_sectors > REGION_SECTORS_MAX ||
	    (spec->region_sectors & (spec->region_sectors - 1)) != 0)
		return refuse(error, MSG_REGION_SIZE_INVALID,
			      "a region is a power of two from 4KiB to 1TiB");
	if (spec->region_sectors > spec->length_sectors)
		return refuse(error, MSG_REGION_SIZE_INVALID,
			      "a region cannot be larger than the mirror; give a smaller "
			      "--region-size");
	return 0;
}

/* Text with a place to go on, so that each part is one line below. */
struct text {
	char *at;
	size_t left;
	bool failed;
};

static void __attribute__((format(printf, 2, 3))) add(struct text *text, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text->at, text->left, format, args);
	va_end(args);
	if (length < 0 || (size_t)length >= text->left) {
		text->failed = true;
		return;
	}
	text->at += length;
	text->left -= (size_t)length;
}

int spec_params(const struct spec *spec, char *ret, size_t size)
{
	struct text text = {.at = ret, .left = size};
	/* What the count counts: uuid, log type and region size, and what of the rest is there. */
	unsigned count = 3U + spec->integrated_flush + spec->has_log;
	bool missing = false;
	unsigned i;

	count += spec->sync != SPEC_SYNC_KEEP;
	count += spec->revision != 0;
	add(&text, "userspace %u %s", count, spec->uuid);
	if (spec->integrated_flush)
		add(&text, " integrated_flush");
	if (spec->has_log)
		add(&text, " clustered-disk %u:%u", major(spec->log_devno), minor(spec->log_devno));
	else
		add(&text, " clustered-core");
	add(&text, " %" PRIu64, spec->region_sectors);
	if (spec->sync != SPEC_SYNC_KEEP)
		add(&text, spec->sync == SPEC_SYNC_NOSYNC ? " nosync" : " sync");
	if (spec->revision != 0)
		add(&text, " " TABLE_REVISION_WORD "%" PRIu64, spec->revision);
	add(&text, " %u", spec->leg_count);
	for (i = 0; i < spec->leg_count; i++)
		add(&text, " %u:%u %" PRIu64, major(spec->leg[i].devno), minor(spec->leg[i].devno),
		    spec->leg[i].start_sector);
	for (i = 0; i < spec->leg_count; i++)
		missing = missing || spec->leg[i].missing;
	if (missing)
		add(&text, " " MISSING_FEATURES);
	else if (spec->handle_errors)
		add(&text, " 1 handle_errors");
	return text.failed ? -ENOSPC : 0;
}
