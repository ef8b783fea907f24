// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/common/mirror_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "daemons/common/bytes.h"
#include "daemons/common/inifile.h"
#include "daemons/common/message.h"

#define SECTOR_BYTES 512U
#define SUFFIX	     ".conf"
#define PATH_SIZE    512U

static int __attribute__((format(printf, 4, 5)))
fail(char error[MIRROR_FILE_ERROR_SIZE], int code, enum message message, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message_vmake(error, MIRROR_FILE_ERROR_SIZE, message, format, args);
	va_end(args);
	return code;
}

/* ---- text */

static int __attribute__((format(printf, 4, 5)))
append(char *text, size_t size, size_t *used, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text + *used, size - *used, format, args);
	va_end(args);
	if (length < 0 || (size_t)length >= size - *used)
		return -ENOSPC;
	*used += (size_t)length;
	return 0;
}

static int legs_text(const char *name, const struct mirror_file_leg *legs, uint32_t count,
		     char *ret, size_t size, size_t *used)
{
	int result = 0;

	for (uint32_t i = 0; i < count && result == 0; i++) {
		const struct mirror_file_leg *leg = &legs[i];
		char offset[BYTES_TEXT_SIZE];

		/* An @ in the path must not be taken for that of the offset. */
		bool told = leg->start_sector != 0 || strchr(leg->path, '@');

		bytes_text(leg->start_sector * SECTOR_BYTES, offset);
		result = append(ret, size, used, "%s = %s%s%s\n", name, leg->path, told ? "@" : "",
				told ? offset : "");
	}
	return result;
}

int mirror_file_text(const struct mirror_file *file, char *ret, size_t size)
{
	char region[BYTES_TEXT_SIZE];
	char length[BYTES_TEXT_SIZE];
	size_t used = 0;
	int result;

	bytes_text(file->region_sectors * SECTOR_BYTES, region);
	bytes_text(file->length_sectors * SECTOR_BYTES, length);
	result = append(ret, size, &used,
			"# A mirror of dlmirror, dlmirror-mirrors(5). Change it with dlmirror(8), "
			"or here while it is\n# inactive on all nodes, and then on all of them.\n"
			"[mirror]\nuuid = %s\nserial = %" PRIu64 "\nsize = %s\nregion_size = %s\n",
			file->uuid, file->serial, length, region);
	if (result == 0 && file->revision != 0)
		result = append(ret, size, &used, "revision = %" PRIu64 "\n", file->revision);
	if (result == 0)
		result = legs_text("leg", file->leg, file->leg_count, ret, size, &used);
	if (result == 0)
		result = legs_text("dropped", file->dropped, file->dropped_count, ret, size, &used);
	if (result == 0)
		result =
		    append(ret, size, &used, "log = %s\nintegrated_flush = %s\nleg_failure = %s\n",
			   file->log[0] ? file->log : "core", file->integrated_flush ? "yes" : "no",
			   file->hold ? "hold" : "continue");
	if (result == 0 && file->resync_rate != 0) {
		char rate[BYTES_TEXT_SIZE];

		bytes_text(file->resync_rate, rate);
		result = append(ret, size, &used, "resync_rate = %s\n", rate);
	}
	return result;
}

static bool leg_same(const struct mirror_file_leg *a, const struct mirror_file_leg *b)
{
	return strcmp(a->path, b->path) == 0 && a->start_sector == b->start_sector;
}

static bool legs_same(const struct mirror_file_leg *a, uint32_t count_a,
		      const struct mirror_file_leg *b, uint32_t count_b)
{
	bool same = count_a == count_b;

	for (uint32_t i = 0; same && i < count_a; i++)
		same = leg_same(&a[i], &b[i]);
	return same;
}

bool mirror_file_same_table(const struct mirror_file *a, const struct mirror_file *b)
{
	return strcmp(a->uuid, b->uuid) == 0 && strcmp(a->log, b->log) == 0 &&
	       a->length_sectors == b->length_sectors && a->region_sectors == b->region_sectors &&
	       a->revision == b->revision && a->integrated_flush == b->integrated_flush &&
	       legs_same(a->leg, a->leg_count, b->leg, b->leg_count);
}

bool mirror_file_same(const struct mirror_file *a, const struct mirror_file *b)
{
	return mirror_file_same_table(a, b) && a->hold == b->hold &&
	       a->resync_rate == b->resync_rate &&
	       legs_same(a->dropped, a->dropped_count, b->dropped, b->dropped_count);
}

bool mirror_file_has_leg(const struct mirror_file *file, const char *path)
{
	for (uint32_t i = 0; i < file->leg_count; i++)
		if (strcmp(file->leg[i].path, path) == 0)
			return true;
	return false;
}

/* Those that have come back are not dropped any more. */
static void dropped_settle(struct mirror_file *file)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < file->dropped_count; i++)
		if (!mirror_file_has_leg(file, file->dropped[i].path))
			file->dropped[kept++] = file->dropped[i];
	file->dropped_count = kept;
}

int mirror_file_reload(const struct mirror_file *file, const struct dlmirror_plan *plan,
		       const struct plan_log *log, struct mirror_file *ret)
{
	struct mirror_file after = *file;

	if (file->leg_count != plan->from_legs || file->length_sectors != plan->from_sectors ||
	    (log->to != 0 && file->revision != log->from))
		return -ESTALE;
	for (uint32_t i = 0; i < file->leg_count; i++)
		if (file->leg[i].start_sector != plan->from_start[i])
			return -ESTALE;
	after.serial++;
	if (log->to != 0)
		after.revision = log->to;
	if (log->device[0] != '\0')
		memcpy(after.log, log->device, sizeof(log->device));
	after.length_sectors = plan->to_sectors;
	after.leg_count = plan->to_legs;
	memset(after.leg, 0, sizeof(after.leg));
	for (uint32_t i = 0; i < plan->to_legs; i++) {
		const struct dlmirror_plan_leg *leg = &plan->leg[i];

		if (!leg->fresh) {
			after.leg[i] = file->leg[leg->index];
			continue;
		}
		memcpy(after.leg[i].path, leg->path, sizeof(after.leg[i].path));
		after.leg[i].start_sector = leg->start_sector;
	}
	dropped_settle(&after);
	*ret = after;
	return 0;
}

struct reading {
	struct inifile *ini;
	struct mirror_file file;
	unsigned seen; /* bits of options */
};

static void number_store(struct reading *r, const char *name, const char *value, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0)
		inifile_fail(r->ini, "%s = %s: must be a number", name, value);
}

static void size_store(struct reading *r, const char *name, const char *value, uint64_t *ret)
{
	if (bytes_parse_sectors(value, ret) != 0)
		inifile_fail(r->ini, "%s = %s: write it like 512KiB, 10GiB, or 2048s (sectors)",
			     name, value);
}

static void switch_store(struct reading *r, const char *name, const char *value,
			 const char *const word[2], bool *ret)
{
	if (strcmp(value, word[0]) != 0 && strcmp(value, word[1]) != 0)
		inifile_fail(r->ini, "%s = %s: must be %s or %s", name, value, word[0], word[1]);
	*ret = strcmp(value, word[1]) == 0;
}

static void path_store(struct reading *r, const char *name, const char *value, size_t length,
		       char ret[MIRROR_FILE_PATH_SIZE])
{
	if (value[0] != '/' || length >= MIRROR_FILE_PATH_SIZE) {
		inifile_fail(r->ini,
			     "%s = %s: must be the path of a device, of at most %u characters",
			     name, value, MIRROR_FILE_PATH_SIZE - 1U);
		return;
	}
	memcpy(ret, value, length);
	ret[length] = '\0';
}

/* DEVICE or DEVICE@OFFSET; a path may have an @ of its own. */
static void leg_store(struct reading *r, const char *name, const char *value, uint32_t *count,
		      struct mirror_file_leg *legs)
{
	const char *at = strrchr(value, '@');
	struct mirror_file_leg *leg;
	uint64_t bytes = 0;

	if (*count == DLMIRROR_LEGS_MAX) {
		inifile_fail(r->ini, "a mirror has at most %d legs", DLMIRROR_LEGS_MAX);
		return;
	}
	leg = &legs[(*count)++];
	if (at && bytes_parse(at + 1, &bytes) != 0)
		at = NULL;
	if (bytes % SECTOR_BYTES != 0)
		inifile_fail(r->ini, "%s = %s: an offset is a multiple of %u bytes", name, value,
			     SECTOR_BYTES);
	leg->start_sector = bytes / SECTOR_BYTES;
	path_store(r, name, value, at ? (size_t)(at - value) : strlen(value), leg->path);
}

static void uuid_store(struct reading *r, const char *value)
{
	size_t length = strlen(value);

	if (length == 0 || length >= sizeof(r->file.uuid) || strpbrk(value, " \t/"))
		inifile_fail(r->ini, "uuid = %s: must be a word of at most %zu characters", value,
			     sizeof(r->file.uuid) - 1);
	else
		memcpy(r->file.uuid, value, length + 1);
}

static void log_store(struct reading *r, const char *value)
{
	if (strcmp(value, "core") != 0)
		path_store(r, "log", value, strlen(value), r->file.log);
}

static void rate_store(struct reading *r, const char *value)
{
	if (strcmp(value, "unlimited") == 0)
		r->file.resync_rate = 0;
	else if (bytes_parse(value, &r->file.resync_rate) != 0 || r->file.resync_rate == 0)
		inifile_fail(r->ini,
			     "resync_rate = %s: write what may be resynced in a second, like "
			     "20MiB, or unlimited",
			     value);
}

enum option {
	OPTION_UUID,
	OPTION_SERIAL,
	OPTION_REVISION,
	OPTION_SIZE,
	OPTION_REGION_SIZE,
	OPTION_LEG,
	OPTION_DROPPED,
	OPTION_LOG,
	OPTION_INTEGRATED_FLUSH,
	OPTION_LEG_FAILURE,
	OPTION_RESYNC_RATE,
	OPTIONS
};

static const char *const option_names[OPTIONS] = {
    [OPTION_UUID] = "uuid",
    [OPTION_SERIAL] = "serial",
    [OPTION_REVISION] = "revision",
    [OPTION_SIZE] = "size",
    [OPTION_REGION_SIZE] = "region_size",
    [OPTION_LEG] = "leg",
    [OPTION_DROPPED] = "dropped",
    [OPTION_LOG] = "log",
    [OPTION_INTEGRATED_FLUSH] = "integrated_flush",
    [OPTION_LEG_FAILURE] = "leg_failure",
    [OPTION_RESYNC_RATE] = "resync_rate",
};

static void option_store(struct reading *r, enum option option, const char *value)
{
	static const char *const no_yes[2] = {"no", "yes"};
	static const char *const continue_hold[2] = {"continue", "hold"};
	const char *name = option_names[option];

	switch (option) {
	case OPTION_UUID:
		uuid_store(r, value);
		break;
	case OPTION_SERIAL:
		number_store(r, name, value, &r->file.serial);
		break;
	case OPTION_REVISION:
		number_store(r, name, value, &r->file.revision);
		break;
	case OPTION_SIZE:
		size_store(r, name, value, &r->file.length_sectors);
		break;
	case OPTION_REGION_SIZE:
		size_store(r, name, value, &r->file.region_sectors);
		break;
	case OPTION_LEG:
		leg_store(r, name, value, &r->file.leg_count, r->file.leg);
		break;
	case OPTION_DROPPED:
		leg_store(r, name, value, &r->file.dropped_count, r->file.dropped);
		break;
	case OPTION_LOG:
		log_store(r, value);
		break;
	case OPTION_INTEGRATED_FLUSH:
		switch_store(r, name, value, no_yes, &r->file.integrated_flush);
		break;
	case OPTION_LEG_FAILURE:
		switch_store(r, name, value, continue_hold, &r->file.hold);
		break;
	case OPTION_RESYNC_RATE:
		rate_store(r, value);
		break;
	case OPTIONS:
		break;
	}
}

static void on_option(struct inifile *ini, void *context, const char *section, const char *name,
		      const char *value)
{
	struct reading *r = context;
	enum option option = OPTION_UUID;

	r->ini = ini;
	while (option < OPTIONS && strcmp(option_names[option], name) != 0)
		option++;
	if (strcmp(section, "mirror") != 0)
		inifile_fail(ini, "%s belongs into the section [mirror]", name);
	else if (option == OPTIONS)
		inifile_fail(ini, "there is no option %s; dlmirror-mirrors(5) lists them", name);
	else if (option != OPTION_LEG && option != OPTION_DROPPED && (r->seen & 1U << option) != 0)
		inifile_fail(ini, "%s is given twice: keep one of the two", name);
	else
		option_store(r, option, value);
	r->seen |= 1U << option;
}

/* ---- files */

static int path_make(const char *directory, const char *name, const char *suffix,
		     char ret[PATH_SIZE], char error[MIRROR_FILE_ERROR_SIZE])
{
	int length = snprintf(ret, PATH_SIZE, "%s/%s%s", directory, name, suffix);

	if (name[0] == '\0' || strchr(name, '/'))
		return fail(error, -EINVAL, MSG_NAME_INVALID, "'%s' is no name of a mirror", name);
	if (length < 0 || (size_t)length >= PATH_SIZE)
		return fail(error, -ENAMETOOLONG, MSG_PATH_TOO_LONG,
			    "%s/%s%s: the path is too long", directory, name, suffix);
	return 0;
}

/* Of a file that was read with result. */
static int reading_end(const struct reading *r, int result, const char *path,
		       struct mirror_file *ret, char error[MIRROR_FILE_ERROR_SIZE])
{
	const unsigned needed = 1U << OPTION_UUID | 1U << OPTION_SIZE | 1U << OPTION_REGION_SIZE |
				1U << OPTION_LEG | 1U << OPTION_LOG;

	if (result != 0)
		return result;
	for (unsigned option = 0; option < OPTIONS; option++)
		if ((needed & ~r->seen & 1U << option) != 0)
			return fail(error, -EINVAL, MSG_CONFIG_INCOMPLETE, "%s: %s is missing",
				    path, option_names[option]);
	if (r->file.leg_count < 2)
		return fail(error, -EINVAL, MSG_CONFIG_INCOMPLETE,
			    "%s: a mirror has two legs at least", path);
	*ret = r->file;
	return 0;
}

int mirror_file_parse(const char *text, const char *label, struct mirror_file *ret,
		      char error[MIRROR_FILE_ERROR_SIZE])
{
	struct reading r = {.file.serial = 0};
	int result = inifile_parse(text, label, on_option, &r, error, MIRROR_FILE_ERROR_SIZE);

	return reading_end(&r, result, label, ret, error);
}

int mirror_file_read(const char *directory, const char *name, struct mirror_file *ret,
		     char error[MIRROR_FILE_ERROR_SIZE])
{
	struct reading r = {.file.serial = 0};
	char path[PATH_SIZE];
	int result = path_make(directory, name, SUFFIX, path, error);

	if (result == 0)
		result = inifile_read(path, on_option, &r, error, MIRROR_FILE_ERROR_SIZE);
	return reading_end(&r, result, path, ret, error);
}

uint32_t mirror_file_digest(const struct mirror_file *file)
{
	char text[MIRROR_FILE_TEXT_SIZE];

	return mirror_file_text(file, text, sizeof(text)) == 0 ? crc32c(text, strlen(text)) : 0;
}

static int directory_make(const char *directory, char error[MIRROR_FILE_ERROR_SIZE])
{
	char parent[PATH_SIZE];
	char *slash;

	if (mkdir(directory, 0755) == 0 || errno == EEXIST)
		return 0;
	(void)snprintf(parent, sizeof(parent), "%s", directory);
	slash = strrchr(parent, '/');
	if (errno == ENOENT && slash && slash != parent) {
		*slash = '\0';
		if ((mkdir(parent, 0755) == 0 || errno == EEXIST) && mkdir(directory, 0755) == 0)
			return 0;
	}
	return fail(error, -errno, MSG_CONFIG_UNWRITABLE, "%s cannot be made: %s", directory,
		    strerror(errno));
}

static int directory_sync(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = fd < 0 || fsync(fd) != 0 ? -errno : 0;

	if (fd >= 0)
		(void)close(fd);
	return result;
}

static int text_write(const char *path, const char *text)
{
	size_t length = strlen(text);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t written = fd < 0 ? -1 : write(fd, text, length);
	int result = 0;

	if (written < 0 || fsync(fd) != 0)
		result = -errno;
	else if ((size_t)written != length)
		result = -ENOSPC;
	if (fd >= 0)
		(void)close(fd);
	return result;
}

int mirror_file_write(const char *directory, const char *name, const struct mirror_file *file,
		      char error[MIRROR_FILE_ERROR_SIZE])
{
	char text[MIRROR_FILE_TEXT_SIZE];
	char path[PATH_SIZE];
	char fresh[PATH_SIZE];
	int result = directory_make(directory, error);

	if (result == 0)
		result = path_make(directory, name, SUFFIX, path, error);
	if (result == 0)
		result = path_make(directory, name, SUFFIX ".new", fresh, error);
	if (result == 0 && mirror_file_text(file, text, sizeof(text)) != 0)
		return fail(error, -ENOSPC, MSG_PATH_TOO_LONG,
			    "%s: the paths of the devices are too long", path);
	if (result != 0)
		return result;
	result = text_write(fresh, text);
	if (result == 0 && rename(fresh, path) != 0)
		result = -errno;
	if (result == 0)
		result = directory_sync(directory);
	else
		(void)unlink(fresh);
	return result == 0 ? 0
			   : fail(error, result, MSG_CONFIG_UNWRITABLE, "%s cannot be written: %s",
				  path, strerror(-result));
}

int mirror_file_remove(const char *directory, const char *name, char error[MIRROR_FILE_ERROR_SIZE])
{
	char path[PATH_SIZE];
	int result = path_make(directory, name, SUFFIX, path, error);

	if (result != 0)
		return result;
	if (unlink(path) == 0)
		result = directory_sync(directory);
	else if (errno != ENOENT)
		result = -errno;
	return result == 0 ? 0
			   : fail(error, result, MSG_CONFIG_UNWRITABLE, "%s cannot be removed: %s",
				  path, strerror(-result));
}

static int is_mirror_file(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);
	size_t suffix = sizeof(SUFFIX) - 1;

	return entry->d_name[0] != '.' && length > suffix &&
	       strcmp(entry->d_name + length - suffix, SUFFIX) == 0;
}

int mirror_file_names(const char *directory, char ***ret, size_t *ret_count,
		      char error[MIRROR_FILE_ERROR_SIZE])
{
	struct dirent **entries;
	int count = scandir(directory, &entries, is_mirror_file, alphasort);
	char **names;

	*ret = NULL;
	*ret_count = 0;
	if (count < 0)
		return errno == ENOENT ? 0
				       : fail(error, -errno, MSG_CONFIG_UNREADABLE,
					      "%s cannot be read: %s", directory, strerror(errno));
	names = calloc((size_t)count + 1, sizeof(*names));
	for (int i = 0; i < count; i++) {
		size_t length = strlen(entries[i]->d_name) - (sizeof(SUFFIX) - 1);

		if (names && (names[*ret_count] = strndup(entries[i]->d_name, length)))
			(*ret_count)++;
		free(entries[i]);
	}
	free(entries);
	if (names && *ret_count == (size_t)count) {
		*ret = names;
		return 0;
	}
	for (size_t i = 0; names && i < *ret_count; i++)
		free(names[i]);
	free(names);
	*ret_count = 0;
	return fail(error, -ENOMEM, MSG_NO_MEMORY, "no memory");
}
