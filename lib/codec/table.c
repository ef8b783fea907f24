/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the syntax of a log's arguments: which words are allowed in a table, in which order, and
 * what is said about a wrong one.
 */
#include "codec/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REGION_SECTORS_MIN UINT64_C(8)
#define REGION_SECTORS_MAX (UINT64_C(1) << 31)
#define LENGTH_SECTORS_MAX (UINT64_C(1) << 62) /* sums of lengths stay far from overflow */
#define QUOTE_SIZE	   44U

struct words {
	const char *at;
	size_t left;
};

struct word {
	const char *text;
	size_t size; /* 0: there is no more */
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static struct word word_next(struct words *words)
{
	struct word word;

	while (words->left > 0 && is_space(*words->at)) {
		words->at++;
		words->left--;
	}
	word.text = words->at;
	while (words->left > 0 && !is_space(*words->at)) {
		words->at++;
		words->left--;
	}
	word.size = (size_t)(words->at - word.text);
	return word;
}

static struct word word_peek(const struct words *words)
{
	struct words copy = *words;

	return word_next(&copy);
}

static bool word_is(struct word word, const char *text)
{
	return word.size == strlen(text) && memcmp(word.text, text, word.size) == 0;
}

static bool word_begins(struct word word, const char *text)
{
	return word.size >= strlen(text) && memcmp(word.text, text, strlen(text)) == 0;
}

struct quote {
	char text[QUOTE_SIZE];
};

/* The word as it may stand in a message: short and printable. */
static struct quote word_quote(struct word word)
{
	struct quote quote = {""};
	size_t size = word.size < QUOTE_SIZE ? word.size : QUOTE_SIZE - 1;

	for (size_t i = 0; i < size; i++)
		quote.text[i] = word.text[i] >= ' ' && word.text[i] <= '~' ? word.text[i] : '?';
	if (word.size >= QUOTE_SIZE)
		memcpy(quote.text + QUOTE_SIZE - 4, "...", 4);
	return quote;
}

static int refuse(char error[TABLE_ERROR_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int refuse(char error[TABLE_ERROR_SIZE], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(error, TABLE_ERROR_SIZE, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

/* Decimal digits only, at most max. */
static bool word_number(struct word word, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;

	if (word.size == 0)
		return false;
	for (size_t i = 0; i < word.size; i++) {
		unsigned digit = (unsigned)(unsigned char)word.text[i] - '0';

		if (digit > 9 || value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret = value;
	return true;
}

static bool word_is_device(struct word word)
{
	const char *colon;
	struct word major;
	struct word minor;
	uint64_t number;

	if (word.size == 0)
		return false;
	if (word.text[0] == '/')
		return word.size > 1;
	colon = memchr(word.text, ':', word.size);
	if (colon == NULL)
		return false;
	major = (struct word){word.text, (size_t)(colon - word.text)};
	minor = (struct word){colon + 1, word.size - major.size - 1};
	return word_number(major, UINT32_MAX, &number) && word_number(minor, UINT32_MAX, &number);
}

static int length_parse(struct words *words, struct table *t, char *error)
{
	struct word word = word_next(words);

	if (word.size == 0)
		return refuse(error, "the arguments are empty: they begin with the mirror's length "
				     "in sectors");
	if (!word_number(word, LENGTH_SECTORS_MAX, &t->length_sectors) || t->length_sectors == 0)
		return refuse(error, "'%s' is not a length: a mirror has 1 to %" PRIu64 " sectors",
			      word_quote(word).text, LENGTH_SECTORS_MAX);
	return 0;
}

static int type_parse(struct words *words, struct table *t, char *error)
{
	struct word word = word_next(words);

	if (word_is(word, "integrated_flush")) {
		t->integrated_flush = true;
		word = word_next(words);
	}
	if (word.size == 0)
		return refuse(error, "the log type is missing: clustered-core or clustered-disk");
	t->has_disk = word_is(word, "clustered-disk");
	if (!t->has_disk && !word_is(word, "clustered-core"))
		return refuse(error,
			      "unknown log type '%s': it is clustered-core or clustered-disk",
			      word_quote(word).text);
	return 0;
}

static int device_parse(struct words *words, struct table *t, char *error)
{
	struct word word = word_next(words);

	if (word.size == 0)
		return refuse(error, "clustered-disk: the log device is missing: major:minor or an "
				     "absolute path, before the region size");
	if (!word_is_device(word))
		return refuse(error,
			      "clustered-disk: '%s' is not a log device: major:minor or an "
			      "absolute path, before the region size",
			      word_quote(word).text);
	if (word.size >= TABLE_DEVICE_SIZE)
		return refuse(error,
			      "clustered-disk: log device '%s' is too long: at most %u bytes",
			      word_quote(word).text, TABLE_DEVICE_SIZE - 1);
	memcpy(t->device, word.text, word.size);
	return 0;
}

static int region_size_parse(struct words *words, struct table *t, char *error)
{
	struct word word = word_next(words);
	uint64_t size = 0;

	if (word.size == 0)
		return refuse(error, "the region size is missing: a power of two, in sectors");
	if (!word_number(word, REGION_SECTORS_MAX, &size) || size < REGION_SECTORS_MIN ||
	    (size & (size - 1)) != 0)
		return refuse(error,
			      "'%s' is not a region size: a power of two from %" PRIu64
			      " to %" PRIu64 " sectors",
			      word_quote(word).text, REGION_SECTORS_MIN, REGION_SECTORS_MAX);
	t->region_sectors = size;
	t->region_count = (t->length_sectors + size - 1) / size;
	if (t->region_count > TABLE_REGIONS_MAX)
		return refuse(error,
			      "%" PRIu64 " regions are too many: at most %" PRIu64
			      ", choose a larger region size than %" PRIu64 " sectors",
			      t->region_count, TABLE_REGIONS_MAX, size);
	return 0;
}

/* "revision=<n>" */
static int revision_parse(struct word word, struct table *t, char *error)
{
	const size_t skip = sizeof(TABLE_REVISION_WORD) - 1;
	struct word number = {word.text + skip, word.size - skip};

	if (t->revision != 0)
		return refuse(error, "'%s': a revision may be given once only",
			      word_quote(word).text);
	if (!word_number(number, TABLE_REVISION_MAX, &t->revision) || t->revision == 0)
		return refuse(
		    error,
		    "'%s' is not a revision: a number from 1 on, as in " TABLE_REVISION_WORD "2",
		    word_quote(word).text);
	return 0;
}

static int options_parse(struct words *words, struct table *t, char *error)
{
	bool sync_given = false;
	struct word word;
	int rc;

	while ((word = word_next(words)).size > 0) {
		if (word_is(word, "sync") || word_is(word, "nosync")) {
			if (sync_given)
				return refuse(error, "'%s': sync or nosync may be given once only",
					      word_quote(word).text);
			sync_given = true;
			t->sync = word_is(word, "sync") ? MLOG_SYNC_FORCE : MLOG_SYNC_NOSYNC;
		} else if (word_is(word, "block_on_error")) {
			if (t->block_on_error)
				return refuse(error, "block_on_error may be given once only");
			t->block_on_error = true;
		} else if (word_begins(word, TABLE_REVISION_WORD)) {
			rc = revision_parse(word, t, error);
			if (rc != 0)
				return rc;
		} else {
			return refuse(error,
				      "unknown option '%s': sync, nosync, block_on_error and "
				      "revision=N may follow the region size",
				      word_quote(word).text);
		}
	}
	return 0;
}

int table_parse(const char *text, size_t size, struct table *ret, char error[TABLE_ERROR_SIZE])
{
	struct table t = {.sync = MLOG_SYNC_KEEP};
	struct words words;
	int rc;

	if (size > 0 && text[size - 1] == '\0')
		size--;
	if (size > 0 && memchr(text, '\0', size) != NULL)
		return refuse(error, "the arguments contain a NUL");
	words = (struct words){text, size};
	rc = length_parse(&words, &t, error);
	if (rc == 0)
		rc = type_parse(&words, &t, error);
	if (rc == 0 && t.has_disk)
		rc = device_parse(&words, &t, error);
	if (rc == 0 && !t.has_disk && word_is_device(word_peek(&words)))
		rc = refuse(error, "clustered-core takes no log device: the region size follows; "
				   "clustered-disk is the type with a device");
	if (rc == 0)
		rc = region_size_parse(&words, &t, error);
	if (rc == 0)
		rc = options_parse(&words, &t, error);
	if (rc == 0)
		*ret = t;
	return rc;
}

/* snprintf's result as a length, or -ENOSPC. */
static int printed(int length, size_t cap)
{
	return length < 0 || (size_t)length >= cap ? -ENOSPC : length;
}

int table_status_info(const struct table *t, const char *device, bool log_alive, char *ret,
		      size_t cap)
{
	if (!t->has_disk)
		return printed(snprintf(ret, cap, "1 clustered-core"), cap);
	return printed(snprintf(ret, cap, "3 clustered-disk %s %c", device, log_alive ? 'A' : 'D'),
		       cap);
}

static const char *sync_word(enum mlog_sync sync)
{
	switch (sync) {
	case MLOG_SYNC_KEEP:
		break;
	case MLOG_SYNC_NOSYNC:
		return " nosync";
	case MLOG_SYNC_FORCE:
		return " sync";
	}
	return "";
}

int table_status_table(const struct table *t, char *ret, size_t cap)
{
	unsigned count = 2U + (t->has_disk ? 1U : 0U) + (t->sync != MLOG_SYNC_KEEP ? 1U : 0U) +
			 (t->block_on_error ? 1U : 0U) + (t->integrated_flush ? 1U : 0U) +
			 (t->revision != 0 ? 1U : 0U);
	char revision[sizeof(" " TABLE_REVISION_WORD) + 20] = "";

	if (t->revision != 0)
		(void)snprintf(revision, sizeof(revision), " " TABLE_REVISION_WORD "%" PRIu64,
			       t->revision);
	return printed(snprintf(ret, cap, "%u %s%s%s%s %" PRIu64 "%s%s%s", count,
				t->integrated_flush ? "integrated_flush " : "",
				t->has_disk ? "clustered-disk" : "clustered-core",
				t->has_disk ? " " : "", t->has_disk ? t->device : "",
				t->region_sectors, sync_word(t->sync),
				t->block_on_error ? " block_on_error" : "", revision),
		       cap);
}
