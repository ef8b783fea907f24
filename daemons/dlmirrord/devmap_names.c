/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device numbers <-> names, without device-mapper's ioctls: part of the devmap port. Works where no
 * udev keeps /dev, because the nodes of a small rig or of an initrd are made by the kernel alone.
 */
#include "daemons/dlmirrord/devmap_parse.h"

#include <blkid.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

int devmap_number(const char *device, dev_t *ret)
{
	struct stat st;

	if (device[0] != '/')
		return devmap_parse_number(device, ret);
	if (stat(device, &st) != 0)
		return -errno;
	if (!S_ISBLK(st.st_mode))
		return -ENOTBLK;
	*ret = st.st_rdev;
	return 0;
}

static bool names_device(const char *path, dev_t devno)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISBLK(st.st_mode) && st.st_rdev == devno;
}

static int path_return(const char *path, char *ret, size_t cap)
{
	size_t size = strlen(path) + 1;

	if (size > cap)
		return -ENAMETOOLONG;
	memcpy(ret, path, size);
	return 0;
}

/* Reads the line of a file of the device in sysfs that begins with prefix, without that prefix. */
static bool sysfs_line(dev_t devno, const char *file, const char *prefix, char *ret, int cap)
{
	size_t length = strlen(prefix);
	char path[64];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(devno), minor(devno), file);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	while (!found && fgets(ret, cap, f) != NULL)
		found = strncmp(ret, prefix, length) == 0;
	fclose(f);
	if (!found)
		return false;
	memmove(ret, ret + length, strlen(ret + length) + 1);
	ret[strcspn(ret, "\n")] = '\0';
	return true;
}

/* For a /dev that libblkid does not find its way in: the names that the kernel and dmsetup use. */
static int path_from_sysfs(dev_t devno, char *ret, size_t cap)
{
	char name[NAME_MAX + 1];
	char path[NAME_MAX + 16];

	if (sysfs_line(devno, "dm/name", "", name, sizeof(name))) {
		snprintf(path, sizeof(path), "/dev/mapper/%s", name);
		if (names_device(path, devno))
			return path_return(path, ret, cap);
	}
	if (sysfs_line(devno, "uevent", "DEVNAME=", name, sizeof(name))) {
		snprintf(path, sizeof(path), "/dev/%s", name);
		if (names_device(path, devno))
			return path_return(path, ret, cap);
	}
	return -ENOENT;
}

int devmap_path(dev_t devno, char *ret, size_t cap)
{
	char *path = blkid_devno_to_devname(devno);
	int error = -ENOENT;

	if (path != NULL && names_device(path, devno))
		error = path_return(path, ret, cap);
	free(path);
	return error == -ENOENT ? path_from_sysfs(devno, ret, cap) : error;
}
