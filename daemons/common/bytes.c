// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/common/bytes.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR_BYTES 512U

static const char units[] = "KMGTPE";

static bool unit_shift(const char *unit, unsigned *ret)
{
	const char *at;

	if (unit[0] == '\0' || strcasecmp(unit, "B") == 0) {
		*ret = 0;
		return true;
	}
	if (strcmp(unit, "s") == 0) {
		*ret = 9;
		return true;
	}
	at = strchr(units, toupper((unsigned char)unit[0]));
	if (!at || !(unit[1] == '\0' || strcasecmp(unit + 1, "iB") == 0))
		return false;
	*ret = (unsigned)(at - units + 1) * 10;
	return true;
}

int bytes_parse(const char *text, uint64_t *ret)
{
	unsigned long long value;
	unsigned shift;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0)
		return -ERANGE;
	if (!unit_shift(end, &shift))
		return -EINVAL;
	if (shift > 0 && value >> (64 - shift) != 0)
		return -ERANGE;
	*ret = (uint64_t)value << shift;
	return 0;
}

int bytes_parse_sectors(const char *text, uint64_t *ret)
{
	uint64_t bytes;
	int result = bytes_parse(text, &bytes);

	if (result != 0)
		return result;
	if (bytes == 0 || bytes % SECTOR_BYTES != 0)
		return -EINVAL;
	*ret = bytes / SECTOR_BYTES;
	return 0;
}

int bytes_parse_rate(const char *text, uint64_t *ret)
{
	char size[BYTES_TEXT_SIZE];
	size_t length = strlen(text);
	uint64_t bytes;
	int result;

	if (strcmp(text, "unlimited") == 0) {
		*ret = UINT64_MAX;
		return 0;
	}
	if (length > 2 && strcmp(text + length - 2, "/s") == 0)
		length -= 2;
	if (length >= sizeof(size))
		return -EINVAL;
	memcpy(size, text, length);
	size[length] = '\0';
	result = bytes_parse(size, &bytes);
	if (result != 0 || bytes == 0)
		return result != 0 ? result : -EINVAL;
	*ret = bytes;
	return 0;
}

void bytes_text(uint64_t bytes, char ret[BYTES_TEXT_SIZE])
{
	unsigned power = 0;

	while (bytes != 0 && bytes % 1024 == 0 && power < sizeof(units) - 1) {
		bytes /= 1024;
		power++;
	}
	if (power == 0)
		(void)snprintf(ret, BYTES_TEXT_SIZE, "%" PRIu64, bytes);
	else
		(void)snprintf(ret, BYTES_TEXT_SIZE, "%" PRIu64 "%ciB", bytes, units[power - 1]);
}
