// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/foreign.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "daemons/common/message.h"

#define LOG_ARGS_MAX 16U
#define WORDS_SIZE   4096U

struct words {
	char text[WORDS_SIZE];
	char *rest;
};

/* Empty: there is none. */
static const char *next(struct words *words)
{
	char *word = strtok_r(NULL, " ", &words->rest);

	return word ? word : "";
}

static int refuse(char error[FOREIGN_ERROR_SIZE], const char *what, const char *word)
{
	message_make(error, FOREIGN_ERROR_SIZE, MSG_TABLE_STRANGE, "its table: '%.64s' is no %s",
		     word, what);
	return -EINVAL;
}

static bool number(const char *word, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(word, &end, 10);
	return word[0] >= '0' && word[0] <= '9' && *end == '\0' && errno == 0;
}

static bool device(const char *word, dev_t *ret)
{
	unsigned major_number;
	unsigned minor_number;
	char behind;

	if (sscanf(word, "%u:%u%c", &major_number, &minor_number, &behind) != 2)
		return false;
	*ret = makedev(major_number, minor_number);
	return true;
}

/* The log's arguments, count of them: what is behind the region size says nothing of the legs. */
static int log_parse(struct words *words, const char *type, uint64_t count, struct foreign *ret,
		     char error[FOREIGN_ERROR_SIZE])
{
	const char *word;

	if (strcmp(type, "userspace") == 0) {
		(void)next(words); /* uuid */
		type = next(words);
		count -= 2;
		if (strcmp(type, "integrated_flush") == 0) {
			type = next(words);
			count--;
		}
	}
	ret->has_log = strcmp(type, "disk") == 0 || strcmp(type, "clustered-disk") == 0;
	if (!ret->has_log && strcmp(type, "core") != 0 && strcmp(type, "clustered-core") != 0)
		return refuse(error, "log of a mirror", type);
	if (ret->has_log) {
		word = next(words);
		count--;
		if (!device(word, &ret->log))
			return refuse(error, "log device", word);
	}
	word = next(words);
	count--;
	if (!number(word, &ret->region_sectors) || ret->region_sectors == 0)
		return refuse(error, "region size", word);
	if (count > LOG_ARGS_MAX)
		return refuse(error, "number of arguments that its log can have", type);
	while (count-- > 0)
		(void)next(words);
	return 0;
}

static int legs_parse(struct words *words, struct foreign *ret, char error[FOREIGN_ERROR_SIZE])
{
	const char *word = next(words);
	uint64_t count;

	if (!number(word, &count) || count < 2 || count > DLMIRROR_LEGS_MAX)
		return refuse(error, "number of legs that a mirror can have", word);
	ret->leg_count = (uint32_t)count;
	for (uint32_t i = 0; i < ret->leg_count; i++) {
		word = next(words);
		if (!device(word, &ret->leg[i].devno))
			return refuse(error, "leg", word);
		word = next(words);
		if (!number(word, &ret->leg[i].start_sector))
			return refuse(error, "sector", word);
	}
	return 0;
}

int foreign_parse(const char *params, struct foreign *ret, char error[FOREIGN_ERROR_SIZE])
{
	struct foreign foreign = {0};
	struct words words;
	const char *type;
	const char *word;
	uint64_t count;
	int result;

	if (strlen(params) >= sizeof(words.text))
		return refuse(error, "table that is this long", "...");
	strcpy(words.text, params);
	type = strtok_r(words.text, " ", &words.rest);
	if (!type)
		return refuse(error, "table of a mirror", "");
	word = next(&words);
	if (!number(word, &count) || count > LOG_ARGS_MAX)
		return refuse(error, "number of arguments that its log can have", word);
	result = log_parse(&words, type, count, &foreign, error);
	if (result == 0)
		result = legs_parse(&words, &foreign, error);
	if (result == 0)
		*ret = foreign;
	return result;
}

int foreign_parse_linear(const char *params, dev_t *ret, uint64_t *ret_sector)
{
	char name[64];
	char behind;

	return sscanf(params, "%63s %" SCNu64 "%c", name, ret_sector, &behind) == 2 &&
		       device(name, ret)
		   ? 0
		   : -EINVAL;
}
