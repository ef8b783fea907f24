// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/block.h"

#include <blkid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "daemons/common/message.h"

static int __attribute__((format(printf, 4, 5)))
refuse(char error[BLOCK_TEXT_SIZE], int code, enum message message, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message_vmake(error, BLOCK_TEXT_SIZE, message, format, args);
	va_end(args);
	return code;
}

int block_examine(const char *path, struct block *ret, char error[BLOCK_TEXT_SIZE])
{
	struct block block = {0};
	struct stat status;
	int block_bytes = 0;
	int result = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return refuse(error, -errno, MSG_DEVICE_UNOPENABLE, "%s cannot be opened: %s", path,
			      strerror(errno));
	if (fstat(fd, &status) != 0 || !S_ISBLK(status.st_mode)) {
		result = refuse(error, -ENOTBLK, MSG_NOT_A_BLOCK_DEVICE, "%s is not a block device",
				path);
	} else if (ioctl(fd, BLKGETSIZE64, &block.bytes) != 0 ||
		   ioctl(fd, BLKSSZGET, &block_bytes) != 0) {
		result = refuse(error, -errno, MSG_DEVICE_UNREADABLE,
				"the size of %s cannot be read: %s", path, strerror(errno));
	} else if (block.bytes == 0) {
		result =
		    refuse(error, -ENOMEDIUM, MSG_DEVICE_EMPTY, "%s is empty (no medium?)", path);
	} else {
		block.devno = status.st_rdev;
		block.block_bytes = (uint32_t)block_bytes;
		*ret = block;
	}
	(void)close(fd);
	return result;
}

/* Where devno is mounted, by the kernel's own list. */
static bool mounted_where(dev_t devno, char who[BLOCK_TEXT_SIZE])
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096];
	unsigned major;
	unsigned minor;
	char where[256];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*d %*d %u:%u %*s %255s", &major, &minor, where) != 3 ||
		    makedev(major, minor) != devno)
			continue;
		(void)snprintf(who, BLOCK_TEXT_SIZE, "mounted on %s", where);
		found = true;
	}
	if (file)
		(void)fclose(file);
	return found;
}

/* One line of a file in sysfs, without its end; false when there is none. */
static bool sysfs_read(const char *path, char *ret, size_t size)
{
	FILE *file = fopen(path, "re");
	bool read = file && fgets(ret, (int)size, file);

	if (file)
		(void)fclose(file);
	if (read)
		ret[strcspn(ret, "\n")] = '\0';
	return read;
}

/* Who holds the device; *ret_mapped: nobody but device-mapper does. */
static bool holders_list(dev_t devno, char who[BLOCK_TEXT_SIZE], bool *ret_mapped)
{
	char path[640];
	char name[256];
	struct dirent *entry;
	DIR *directory;
	size_t used = (size_t)snprintf(who, BLOCK_TEXT_SIZE, "part of");
	bool found = false;

	*ret_mapped = true;
	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major(devno),
		       minor(devno));
	directory = opendir(path);
	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		found = true;
		(void)snprintf(path, sizeof(path), "/sys/class/block/%s/dm/name", entry->d_name);
		if (!sysfs_read(path, name, sizeof(name))) {
			*ret_mapped = false;
			(void)snprintf(name, sizeof(name), "%s", entry->d_name);
		}
		if (used < BLOCK_TEXT_SIZE)
			used += (size_t)snprintf(who + used, BLOCK_TEXT_SIZE - used, " %s", name);
	}
	if (directory)
		(void)closedir(directory);
	return found;
}

enum block_use block_used(const char *path, dev_t devno, char who[BLOCK_TEXT_SIZE])
{
	bool mapped;
	int fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC | O_NONBLOCK);

	who[0] = '\0';
	if (fd >= 0) {
		(void)close(fd);
		return BLOCK_FREE;
	}
	if (errno != EBUSY) {
		(void)snprintf(who, BLOCK_TEXT_SIZE, "not to be had: %s", strerror(errno));
		return BLOCK_BUSY;
	}
	if (mounted_where(devno, who))
		return BLOCK_MOUNTED;
	if (holders_list(devno, who, &mapped))
		return mapped ? BLOCK_MAPPED : BLOCK_BUSY;
	(void)snprintf(who, BLOCK_TEXT_SIZE, "in use by another program (swap?)");
	return BLOCK_BUSY;
}

static void signature_name(blkid_probe probe, char ret[BLOCK_TEXT_SIZE])
{
	const char *name;

	if (blkid_probe_lookup_value(probe, "TYPE", &name, NULL) == 0)
		(void)snprintf(ret, BLOCK_TEXT_SIZE, "%s", name);
	else if (blkid_probe_lookup_value(probe, "PTTYPE", &name, NULL) == 0)
		(void)snprintf(ret, BLOCK_TEXT_SIZE, "%s partition table", name);
	else
		(void)snprintf(ret, BLOCK_TEXT_SIZE, "something");
}

int block_signature(const char *path, char ret[BLOCK_TEXT_SIZE])
{
	blkid_probe probe;
	int found;

	ret[0] = '\0';
	errno = 0;
	probe = blkid_new_probe_from_filename(path);
	if (!probe)
		return errno ? -errno : -EIO;
	(void)blkid_probe_enable_superblocks(probe, 1);
	(void)blkid_probe_enable_partitions(probe, 1);
	found = blkid_do_safeprobe(probe);
	if (found == 0)
		signature_name(probe, ret);
	else if (found == -2)
		(void)snprintf(ret, BLOCK_TEXT_SIZE, "several things at once");
	blkid_free_probe(probe);
	return found == -1 ? -EIO : 0;
}

void block_name(unsigned major, unsigned minor, char ret[BLOCK_TEXT_SIZE])
{
	char path[128];
	char name[256];
	char target[256];
	ssize_t length;
	char *base;

	ret[0] = '\0';
	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/dm/name", major, minor);
	if (sysfs_read(path, name, sizeof(name))) {
		(void)snprintf(ret, BLOCK_TEXT_SIZE, "/dev/mapper/%s", name);
		return;
	}
	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major, minor);
	length = readlink(path, target, sizeof(target) - 1);
	if (length <= 0)
		return;
	target[length] = '\0';
	base = strrchr(target, '/');
	(void)snprintf(ret, BLOCK_TEXT_SIZE, "/dev/%s", base ? base + 1 : target);
}

static bool is_stable(const char *path)
{
	return strncmp(path, "/dev/disk/", 10) == 0 || strncmp(path, "/dev/mapper/", 12) == 0;
}

/* The first link in directory, by name, that leads to devno. */
static bool link_find(const char *directory, dev_t devno, char ret[BLOCK_TEXT_SIZE])
{
	struct dirent **entries;
	int count = scandir(directory, &entries, NULL, alphasort);
	bool found = false;

	for (int i = 0; i < count; i++) {
		char path[sizeof(entries[i]->d_name) + 32];
		struct stat status;

		(void)snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
		if (!found && stat(path, &status) == 0 && S_ISBLK(status.st_mode) &&
		    status.st_rdev == devno && strlen(path) < BLOCK_TEXT_SIZE) {
			strcpy(ret, path);
			found = true;
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return found;
}

bool block_stable_path(const char *path, dev_t devno, char ret[BLOCK_TEXT_SIZE])
{
	/* By what it is before by where it is plugged in. */
	static const char *const directories[] = {"/dev/disk/by-id", "/dev/mapper",
						  "/dev/disk/by-partuuid", "/dev/disk/by-path"};
	char *absolute;

	if (is_stable(path)) {
		(void)snprintf(ret, BLOCK_TEXT_SIZE, "%s", path);
		return true;
	}
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		if (link_find(directories[i], devno, ret))
			return true;
	absolute = path[0] == '/' ? NULL : realpath(path, NULL);
	(void)snprintf(ret, BLOCK_TEXT_SIZE, "%s", absolute ? absolute : path);
	free(absolute);
	return false;
}
