/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The arguments of a log, from CTR: text from whoever may load a table. */
#include <errno.h>
#include <string.h>

#include "codec/table.h"
#include "test/fuzz/fuzz.h"

#define TEXT_MAX 512U

/* A good table, printed, is a table that says the same. */
static void check_round_trip(const struct table *t)
{
	char text[TEXT_MAX] = "";
	char error[TABLE_ERROR_SIZE];
	struct table again;
	int prefix = snprintf(text, sizeof(text), "%llu ", (unsigned long long)t->length_sectors);
	int length = table_status_table(t, text + prefix, sizeof(text) - (size_t)prefix);
	char *arguments = strchr(text + prefix, ' '); /* behind the count */

	MUST(length > 0 && arguments != NULL);
	memmove(text + prefix, arguments, strlen(arguments) + 1);
	MUST(table_parse(text, strlen(text), &again, error) == 0);
	MUST(memcmp(t, &again, sizeof(again)) == 0);
}

static void check_status(const struct table *t)
{
	char text[TEXT_MAX];
	int length = table_status_info(t, "253:4", true, text, sizeof(text));

	MUST(length > 0 && strlen(text) == (size_t)length);
	MUST(table_status_info(t, "253:4", true, text, (size_t)length) == -ENOSPC);
	length = table_status_table(t, text, sizeof(text));
	MUST(length > 0 && strlen(text) == (size_t)length);
	MUST(table_status_table(t, text, (size_t)length) == -ENOSPC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[TABLE_ERROR_SIZE];
	struct table t;

	memset(&t, 0, sizeof(t));
	memset(error, 0xee, sizeof(error));
	if (table_parse((const char *)data, size, &t, error) != 0) {
		MUST(memchr(error, '\0', sizeof(error)) != NULL && strlen(error) > 10);
		for (const char *c = error; *c != '\0'; c++)
			MUST(*c >= ' ' && *c <= '~');
		return 0;
	}
	MUST(t.length_sectors > 0);
	MUST(t.region_sectors >= 8 && (t.region_sectors & (t.region_sectors - 1)) == 0);
	MUST(t.region_count > 0 && t.region_count <= TABLE_REGIONS_MAX);
	MUST((t.region_count - 1) * t.region_sectors < t.length_sectors);
	MUST(t.length_sectors <= t.region_count * t.region_sectors);
	MUST(memchr(t.device, '\0', sizeof(t.device)) != NULL);
	MUST(t.has_disk == (t.device[0] != '\0'));
	check_status(&t);
	check_round_trip(&t);
	return 0;
}
