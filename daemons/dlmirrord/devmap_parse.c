/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The form of the kernel's table and status lines is known here and nowhere else. */
#include "daemons/dlmirrord/devmap_parse.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "codec/table.h"

/* What the kernel packs into a device number. */
#define MAJOR_MAX ((1U << 12) - 1)
#define MINOR_MAX ((1U << 20) - 1)

#define LOG_ARGS_MAX   16U /* words; clustered-disk with all its options has 7 */
#define LEGS_MAX       64U /* the kernel takes 9 */
#define FEATURES_MAX   8U
#define ARGS_SIZE      512U
#define ADDITIONAL_ONE 1U /* the kernel announces the health string as one more argument */

/* Words of a line, separated by spaces. After failed is set everything reads as empty words and 0.
 */
struct words {
	const char *at;
	bool failed;
};

struct word {
	const char *at;
	size_t length;
};

static struct word word_next(struct words *words)
{
	struct word word;

	words->at += strspn(words->at, " ");
	word.at = words->at;
	word.length = strcspn(words->at, " ");
	words->at += word.length;
	if (word.length == 0)
		words->failed = true;
	return word;
}

static bool words_left(const struct words *words)
{
	return words->at[strspn(words->at, " ")] != '\0';
}

static bool word_is(struct word word, const char *text)
{
	return word.length == strlen(text) && memcmp(word.at, text, word.length) == 0;
}

/* Decimal digits only: strtoull would take a sign, and another base with a prefix. */
static bool digits_parse(const char *at, size_t length, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;

	if (length == 0)
		return false;
	for (size_t i = 0; i < length; i++) {
		uint64_t digit = (uint64_t)(at[i] - '0');

		if (at[i] < '0' || at[i] > '9' || digit > max || value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret = value;
	return true;
}

static bool number_parse(const char *at, size_t length, dev_t *ret)
{
	const char *colon = memchr(at, ':', length);
	uint64_t major_number;
	uint64_t minor_number;
	size_t first;

	if (colon == NULL)
		return false;
	first = (size_t)(colon - at);
	if (!digits_parse(at, first, MAJOR_MAX, &major_number) ||
	    !digits_parse(colon + 1, length - first - 1, MINOR_MAX, &minor_number))
		return false;
	*ret = makedev((unsigned)major_number, (unsigned)minor_number);
	return true;
}

static uint64_t next_u64(struct words *words, uint64_t max)
{
	struct word word = word_next(words);
	uint64_t value = 0;

	if (!digits_parse(word.at, word.length, max, &value))
		words->failed = true;
	return value;
}

static dev_t next_number(struct words *words)
{
	struct word word = word_next(words);
	dev_t devno = 0;

	if (!number_parse(word.at, word.length, &devno))
		words->failed = true;
	return devno;
}

static void word_copy(struct words *words, struct word word, char *ret, size_t cap)
{
	if (word.length >= cap) {
		words->failed = true;
		return;
	}
	memcpy(ret, word.at, word.length);
	ret[word.length] = '\0';
}

/* Appends " word" to text. */
static void word_append(struct words *words, struct word word, char *text, size_t cap)
{
	size_t length = strlen(text);

	if (length + 1 >= cap) {
		words->failed = true;
		return;
	}
	text[length] = ' ';
	word_copy(words, word, text + length + 1, cap - length - 1);
}

int devmap_parse_number(const char *text, dev_t *ret)
{
	return number_parse(text, strlen(text), ret) ? 0 : -EINVAL;
}

/* From the log type to the last log argument; count words. -ENOENT: somebody else's log. */
static int parse_log(struct words *words, uint64_t count, uint64_t length_sectors,
		     struct devmap_mirror *ret)
{
	struct word word;

	if (count == 0)
		return -ENOENT;
	word = word_next(words);
	if (word_is(word, "integrated_flush") && count > 1) {
		ret->integrated_flush = true;
		word = word_next(words);
		count--;
	}
	if (!word_is(word, "clustered-core") && !word_is(word, "clustered-disk"))
		return -ENOENT;
	snprintf(ret->args, sizeof(ret->args), "%llu", (unsigned long long)length_sectors);
	word_append(words, word, ret->args, sizeof(ret->args));
	while (--count > 0)
		word_append(words, word_next(words), ret->args, sizeof(ret->args));
	return 0;
}

static void parse_legs(struct words *words, struct mover_legs *ret)
{
	uint64_t count = next_u64(words, LEGS_MAX);

	for (uint64_t i = 0; i < count && !words->failed; i++) {
		struct mover_leg leg = {.devno = next_number(words)};

		leg.start_sector = next_u64(words, UINT64_MAX);
		if (i < MOVER_LEGS_MAX)
			ret->leg[i] = leg;
	}
	if (count < 2)
		words->failed = true;
	if (count <= MOVER_LEGS_MAX)
		ret->count = (uint32_t)count;
	else
		memset(ret->leg, 0, sizeof(ret->leg));
}

static void parse_features(struct words *words, struct devmap_mirror *ret)
{
	uint64_t count = next_u64(words, FEATURES_MAX);

	for (uint64_t i = 0; i < count; i++) {
		struct word word = word_next(words);

		ret->handle_errors = ret->handle_errors || word_is(word, "handle_errors");
		ret->keep_log = ret->keep_log || word_is(word, "keep_log");
	}
}

int devmap_parse_table(uint64_t length_sectors, const char *params, struct devmap_mirror *ret)
{
	struct devmap_mirror mirror = {.legs.length_sectors = length_sectors};
	struct words words = {.at = params};
	uint64_t count;
	int error;

	if (!word_is(word_next(&words), "userspace"))
		return -ENOENT;
	count = next_u64(&words, LOG_ARGS_MAX);
	word_copy(&words, word_next(&words), mirror.uuid, sizeof(mirror.uuid));
	if (words.failed || count == 0)
		return -EINVAL;
	error = parse_log(&words, count - 1, length_sectors, &mirror);
	if (error != 0)
		return error;
	parse_legs(&words, &mirror.legs);
	if (!words.failed && words_left(&words))
		parse_features(&words, &mirror);
	if (words.failed || words_left(&words))
		return -EINVAL;
	*ret = mirror;
	return 0;
}

/* Leaves words behind the log's arguments, at the number of legs. */
static bool skip_log(struct words *words)
{
	uint64_t count;

	if (!word_is(word_next(words), "userspace"))
		return false;
	count = next_u64(words, LOG_ARGS_MAX);
	for (uint64_t i = 0; i < count; i++)
		word_next(words);
	return count > 0 && !words->failed;
}

static void text_append(struct words *words, char *ret, size_t cap, size_t *used, const char *text,
			size_t length)
{
	if (length >= cap - *used) {
		words->failed = true;
		return;
	}
	memcpy(ret + *used, text, length);
	*used += length;
	ret[*used] = '\0';
}

int devmap_parse_replace(const char *params, const char *const *leg, uint32_t count,
			 const char *features, char *ret, size_t cap)
{
	struct words words = {.at = params};
	struct words out = {.at = ""};
	char number[16];
	size_t used = 0;
	uint64_t legs;

	if (!skip_log(&words))
		return -EINVAL;
	text_append(&out, ret, cap, &used, params, (size_t)(words.at - params));
	legs = next_u64(&words, LEGS_MAX);
	for (uint64_t i = 0; i < legs; i++) {
		word_next(&words);
		word_next(&words);
	}
	if (words.failed)
		return -EINVAL;
	snprintf(number, sizeof(number), " %u", (unsigned)count);
	text_append(&out, ret, cap, &used, number, strlen(number));
	for (uint32_t i = 0; i < count; i++) {
		text_append(&out, ret, cap, &used, " ", 1);
		text_append(&out, ret, cap, &used, leg[i], strlen(leg[i]));
	}
	if (features != NULL) {
		text_append(&out, ret, cap, &used, " ", 1);
		text_append(&out, ret, cap, &used, features, strlen(features));
	} else {
		text_append(&out, ret, cap, &used, words.at, strlen(words.at));
	}
	return out.failed ? -ENOSPC : 0;
}

static bool word_is_revision(struct word word)
{
	const size_t length = strlen(TABLE_REVISION_WORD);

	return word.length > length && memcmp(word.at, TABLE_REVISION_WORD, length) == 0;
}

static bool word_is_sync(struct word word)
{
	return word_is(word, "sync") || word_is(word, "nosync");
}

static bool word_is_type(struct word word)
{
	return word_is(word, "clustered-disk") || word_is(word, "clustered-core");
}

int devmap_parse_revise(const char *params, uint64_t revision, const char *device, char *ret,
			size_t cap)
{
	const struct word disk = {"clustered-disk", strlen("clustered-disk")};
	struct words words = {.at = params};
	struct words out = {.at = ""};
	char number[sizeof(TABLE_REVISION_WORD) + 20];
	char args[ARGS_SIZE] = "";
	bool typed = false; /* behind the name, and the type of the log */
	uint64_t kept = 0;
	uint64_t count;
	int length;

	if (!word_is(word_next(&words), "userspace"))
		return -EINVAL;
	count = next_u64(&words, LOG_ARGS_MAX);
	for (uint64_t i = 0; i < count; i++) {
		struct word word = word_next(&words);

		if (device != NULL && i > 0 && !typed && word_is_type(word)) {
			typed = true;
			word_append(&out, disk, args, sizeof(args));
			if (word_is(word, "clustered-disk") && ++i < count)
				word_next(&words); /* its own */
			word = (struct word){device, strlen(device)};
			kept++;
		} else if ((revision != 0 && word_is_revision(word)) ||
			   (typed && word_is_sync(word))) {
			continue;
		}
		word_append(&out, word, args, sizeof(args));
		kept++;
	}
	if (words.failed || kept == 0 || (device != NULL && !typed))
		return -EINVAL;
	if (revision != 0) {
		length = snprintf(number, sizeof(number), TABLE_REVISION_WORD "%llu",
				  (unsigned long long)revision);
		word_append(&out, (struct word){number, (size_t)length}, args, sizeof(args));
		kept++;
	}
	length = snprintf(ret, cap, "userspace %llu%s%s", (unsigned long long)kept, args, words.at);
	return out.failed || length < 0 || (size_t)length >= cap ? -ENOSPC : 0;
}

int devmap_parse_leg(const char *params, uint32_t index, char *ret, size_t cap)
{
	struct words words = {.at = params};
	struct word devno;
	struct word sector;

	if (!skip_log(&words) || index >= next_u64(&words, LEGS_MAX))
		return -EINVAL;
	for (uint32_t i = 0; i < index; i++) {
		word_next(&words);
		word_next(&words);
	}
	devno = word_next(&words);
	sector = word_next(&words);
	if (words.failed)
		return -EINVAL;
	word_copy(&words, devno, ret, cap);
	if (!words.failed)
		word_append(&words, sector, ret, cap);
	return words.failed ? -ENOSPC : 0;
}

int devmap_parse_status(const char *params, char ret[MOVER_LEGS_MAX + 1])
{
	struct words words = {.at = params};
	uint64_t count = next_u64(&words, MOVER_LEGS_MAX);
	char health[MOVER_LEGS_MAX + 1] = "";
	struct word progress;

	for (uint64_t i = 0; i < count; i++)
		next_number(&words);
	progress = word_next(&words);
	if (progress.length == 0 || memchr(progress.at, '/', progress.length) == NULL)
		return -EINVAL;
	if (next_u64(&words, UINT64_MAX) != ADDITIONAL_ONE)
		return -EINVAL;
	word_copy(&words, word_next(&words), health, sizeof(health));
	if (words.failed || strlen(health) != count)
		return -EINVAL;
	memcpy(ret, health, sizeof(health));
	return 0;
}
