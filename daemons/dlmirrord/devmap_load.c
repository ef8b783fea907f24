/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a reload loads: every node makes it of its own live table, and checks what only it can see.
 * What passes here on all nodes has to work on all nodes, so it is better to refuse too much.
 */
#include "daemons/dlmirrord/devmap_load.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "daemons/common/message.h"
#include "daemons/common/missing.h"
#include "daemons/dlmirrord/devmap_parse.h"

#define SECTOR_BYTES 512U
#define LEG_SIZE     64U /* "<devno> <sector>" */

struct load {
	struct found *found;
	const struct dlmirror_plan *plan;
	uint64_t revision;
	const char *log;
	char *text;
	dev_t log_devno; /* 0: none */
	dev_t devno[DLMIRROR_LEGS_MAX];
	char leg[DLMIRROR_LEGS_MAX][LEG_SIZE];
};

static int __attribute__((format(printf, 4, 5)))
refuse(struct load *load, int error, enum message message, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	message_vmake(load->text, GROUP_TEXT_SIZE, message, format, arguments);
	va_end(arguments);
	return error;
}

/* The device as it is must be the one that the plan is about. */
static int check_table(struct load *load)
{
	const struct devmap_mirror *mirror = &load->found->mirror;
	const struct dlmirror_plan *plan = load->plan;

	if (mirror->suspended)
		return refuse(load, -EBUSY, MSG_SUSPENDED, "%s is suspended: dlmirror resume %s",
			      mirror->name, mirror->name);
	if (load->found->inactive_table)
		return refuse(load, -EBUSY, MSG_ANOTHER_TABLE,
			      "another table waits in %s: dmsetup clear %s", mirror->name,
			      mirror->name);
	if (mirror->legs.length_sectors != plan->from_sectors ||
	    mirror->legs.count != plan->from_legs)
		return refuse(load, -EINVAL, MSG_TABLES_DIFFER,
			      "%s has %" PRIu64 " sectors and %" PRIu32
			      " legs here, not the same as on the node of the command",
			      mirror->name, mirror->legs.length_sectors, mirror->legs.count);
	for (uint32_t i = 0; i < plan->from_legs; i++)
		if (mirror->legs.leg[i].start_sector != plan->from_start[i])
			return refuse(load, -EINVAL, MSG_TABLES_DIFFER,
				      "leg %" PRIu32 " of %s begins elsewhere than on the node of "
				      "the command",
				      i + 1, mirror->name);
	return 0;
}

/* It has missed nothing: a read that failed changes no leg. */
static bool leg_whole(const struct load *load, uint32_t index)
{
	char health = load->found->mirror.leg_health[index];

	return health == 'A' || health == 'R';
}

/* Only the log is another one: what stands for a leg that there is not stays. */
static bool leg_stays_missing(const struct load *load, uint32_t index)
{
	return load->log[0] != '\0' && load->found->mirror.leg_health[index] == MISSING_HEALTH;
}

/* The kernel takes the first leg of a table for the one that has everything. So it must be so, also
 * when the one that has it does not work: it may be back tomorrow. */
static int check_source(struct load *load, bool in_sync)
{
	uint32_t source = load->plan->leg[0].index;

	if (source == 0 || in_sync)
		return 0;
	for (uint32_t i = 0; i < source; i++)
		if (leg_whole(load, i))
			return refuse(load, -EBUSY, MSG_NOT_IN_SYNC,
				      "not all regions are in sync, and leg %" PRIu32
				      " has the data of those that are not: wait for the resync",
				      i + 1);
	return refuse(load, -EBUSY, MSG_ONLY_LEG_FAILED,
		      "not all regions are in sync, and only leg 1, which has failed, has the data "
		      "of those that are not: make it work again");
}

static uint64_t sysfs_sectors(dev_t devno)
{
	char path[64];
	uint64_t sectors = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/size", major(devno), minor(devno));
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%" SCNu64, &sectors) != 1)
		sectors = 0;
	fclose(file);
	return sectors;
}

static int check_room(struct load *load, const char *what, uint64_t sectors, uint64_t start)
{
	uint64_t wanted = load->plan->to_sectors;

	if (start > sectors || wanted > sectors - start)
		return refuse(load, -ENOSPC, MSG_LEG_TOO_SMALL,
			      "%s is too small: %" PRIu64 " sectors from %" PRIu64
			      " on, and %" PRIu64 " are needed",
			      what, sectors > start ? sectors - start : 0, start, wanted);
	return 0;
}

static int keep(struct load *load, uint32_t at, const char *params)
{
	uint32_t index = load->plan->leg[at].index;
	const struct mover_leg *leg = &load->found->mirror.legs.leg[index];
	char what[32];
	int error;

	snprintf(what, sizeof(what), "leg %" PRIu32 " (%u:%u)", index + 1, major(leg->devno),
		 minor(leg->devno));
	/* One that has failed may work again; what it has missed does not matter. */
	if (!leg_whole(load, index) && !load->plan->leg[at].stale &&
	    !leg_stays_missing(load, index))
		return refuse(load, -EIO, MSG_LEG_FAILED,
			      "%s has failed: replace or remove it in the same reload", what);
	load->devno[at] = leg->devno;
	error = devmap_parse_leg(params, index, load->leg[at], LEG_SIZE);
	return error != 0 ? refuse(load, error, MSG_TABLE_STRANGE, "its table cannot be read")
			  : check_room(load, what, sysfs_sectors(leg->devno), leg->start_sector);
}

/* The device behind fd, which nobody else uses. */
static int check_device(struct load *load, uint32_t at, int fd)
{
	const struct dlmirror_plan_leg *leg = &load->plan->leg[at];
	struct stat st;
	uint64_t bytes;
	int block = 0;

	if (fstat(fd, &st) != 0 || !S_ISBLK(st.st_mode) || ioctl(fd, BLKGETSIZE64, &bytes) != 0 ||
	    ioctl(fd, BLKSSZGET, &block) != 0)
		return refuse(load, -ENOTBLK, MSG_NOT_A_BLOCK_DEVICE, "%s is not a block device",
			      leg->path);
	if (st.st_rdev == load->log_devno)
		return refuse(load, -EBUSY, MSG_LEG_IS_LOG, "%s is the log device", leg->path);
	if (st.st_rdev == load->found->mirror.devno)
		return refuse(load, -EBUSY, MSG_LEG_IS_MIRROR, "%s is the mirror itself",
			      leg->path);
	for (uint32_t i = 0; i < load->found->mirror.legs.count; i++)
		if (st.st_rdev == load->found->mirror.legs.leg[i].devno)
			return refuse(load, -EBUSY, MSG_LEG_ALREADY,
				      "%s is leg %" PRIu32 " already", leg->path, i + 1);
	for (uint32_t i = 0; i < at; i++)
		if (st.st_rdev == load->devno[i])
			return refuse(load, -EBUSY, MSG_LEG_NAMED_TWICE, "%s is named twice",
				      leg->path);
	if (block > (int)SECTOR_BYTES &&
	    (leg->start_sector % ((unsigned)block / SECTOR_BYTES) != 0 ||
	     load->plan->to_sectors % ((unsigned)block / SECTOR_BYTES) != 0))
		return refuse(
		    load, -EINVAL, MSG_NOT_WHOLE_BLOCKS,
		    "%s has blocks of %d bytes; size and offset must be multiples of that",
		    leg->path, block);
	load->devno[at] = st.st_rdev;
	snprintf(load->leg[at], LEG_SIZE, "%u:%u %" PRIu64, major(st.st_rdev), minor(st.st_rdev),
		 leg->start_sector);
	return check_room(load, leg->path, bytes / SECTOR_BYTES, leg->start_sector);
}

/* It may stand in any number of tables, but only beside one leg: with it nothing is in sync. */
static int add_missing(struct load *load, uint32_t at)
{
	int error;

	if (load->plan->to_legs > 2)
		return refuse(load, -EINVAL, MSG_MISSING_LEG_NEEDLESS,
			      "%s stands for the second leg of two; with more remove the leg",
			      MISSING_PATH);
	error = devmap_missing(true, &load->devno[at]);
	snprintf(load->leg[at], LEG_SIZE, "%u:%u 0", major(load->devno[at]),
		 minor(load->devno[at]));
	return error != 0 ? refuse(load, error, MSG_DEVICE_MAPPER_FAILED, "%s cannot be made: %s",
				   MISSING_PATH, strerror(-error))
			  : 0;
}

/* What is at path, which nobody else uses; a descriptor, or why not. */
static int unused_open(struct load *load, const char *path, enum message in_use)
{
	struct stat st;
	int fd;

	/* The path is another node's word, and to open a watchdog or a tape does something. */
	if (stat(path, &st) == 0 && !S_ISBLK(st.st_mode))
		return refuse(load, -ENOTBLK, MSG_NOT_A_BLOCK_DEVICE, "%s is not a block device",
			      path);
	fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == EBUSY)
		return refuse(load, -EBUSY, in_use,
			      "%s is in use (mounted, or part of another device): lsblk says by "
			      "what",
			      path);
	return fd >= 0 ? fd
		       : refuse(load, -errno, MSG_DEVICE_UNOPENABLE, "%s cannot be opened: %s",
				path, strerror(errno));
}

static int add(struct load *load, uint32_t at)
{
	const char *path = load->plan->leg[at].path;
	int error;
	struct stat st;
	int fd;

	if (strcmp(path, MISSING_PATH) == 0)
		return add_missing(load, at);
	fd = unused_open(load, path, MSG_LEG_IN_USE);
	if (fd == -EBUSY && stat(path, &st) == 0)
		for (uint32_t i = 0; i < load->found->mirror.legs.count; i++)
			if (st.st_rdev == load->found->mirror.legs.leg[i].devno)
				return refuse(load, -EBUSY, MSG_LEG_ALREADY,
					      "%s is leg %" PRIu32 " already", path, i + 1);
	if (fd < 0)
		return fd;
	error = check_device(load, at, fd);
	close(fd);
	return error;
}

/* Another log device, which must be nobody's, as "major:minor"; no leg is, nor is the mirror. */
static int relog(struct load *load, char ret[LEG_SIZE])
{
	const struct devmap_mirror *mirror = &load->found->mirror;
	int fd = unused_open(load, load->log, MSG_LOG_DEVICE_IN_USE);
	struct stat st;
	int error;

	if (fd < 0)
		return fd;
	error = fstat(fd, &st) == 0 ? 0 : -errno;
	close(fd);
	if (error != 0)
		return refuse(load, error, MSG_DEVICE_UNOPENABLE, "%s cannot be opened: %s",
			      load->log, strerror(-error));
	if (st.st_rdev == mirror->devno)
		return refuse(load, -EBUSY, MSG_LEG_IS_MIRROR, "%s is the mirror itself",
			      load->log);
	for (uint32_t i = 0; i < mirror->legs.count; i++)
		if (mirror->legs.leg[i].devno == st.st_rdev)
			return refuse(load, -EBUSY, MSG_LEG_IS_LOG, "%s is leg %" PRIu32, load->log,
				      i + 1);
	snprintf(ret, LEG_SIZE, "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	return 0;
}

/* What the new table says of legs that fail. NULL: what the old one says. */
static const char *features(const struct load *load)
{
	for (uint32_t i = 0; i < load->plan->to_legs; i++) {
		const struct dlmirror_plan_leg *leg = &load->plan->leg[i];

		if (leg->fresh ? strcmp(leg->path, MISSING_PATH) == 0
			       : load->found->mirror.leg_health[leg->index] == MISSING_HEALTH)
			return MISSING_FEATURES;
	}
	return strchr(load->found->mirror.leg_health, MISSING_HEALTH) != NULL ? "1 handle_errors"
									      : NULL;
}

static int compose(struct load *load, char ret[DEVMAP_PARAMS_SIZE])
{
	const struct dlmirror_plan *plan = load->plan;
	const char *leg[DLMIRROR_LEGS_MAX];
	char live[DEVMAP_PARAMS_SIZE];
	char params[DEVMAP_PARAMS_SIZE];
	char log[LEG_SIZE];
	int error = devmap_params_read(load->found->mirror.devno, plan->from_sectors, live);

	if (error != 0)
		return refuse(load, error, MSG_TABLE_STRANGE,
			      "%s has other targets beside the mirror", load->found->mirror.name);
	if (load->log[0] != '\0') {
		error = relog(load, log);
		if (error != 0)
			return error;
	}
	error = devmap_parse_revise(live, load->revision, load->log[0] != '\0' ? log : NULL, params,
				    sizeof(params));
	if (error != 0)
		return refuse(load, error, MSG_TABLE_STRANGE, "its table cannot be read");
	for (uint32_t i = 0; i < plan->to_legs && error == 0; i++) {
		error = plan->leg[i].fresh ? add(load, i) : keep(load, i, params);
		leg[i] = load->leg[i];
	}
	if (error != 0)
		return error;
	error = devmap_parse_replace(params, leg, plan->to_legs, features(load), ret,
				     DEVMAP_PARAMS_SIZE);
	return error != 0 ? refuse(load, error, MSG_TABLE_STRANGE, "its table cannot be read") : 0;
}

int devmap_load_found(struct found *found, const struct devmap_load *wish,
		      char text[GROUP_TEXT_SIZE])
{
	struct load load = {
	    .found = found,
	    .plan = wish->plan,
	    .revision = wish->revision,
	    .log = wish->log,
	    .text = text,
	};
	char params[DEVMAP_PARAMS_SIZE];
	int error;

	text[0] = '\0';
	if (wish->log_device[0] != '\0')
		(void)devmap_number(wish->log_device, &load.log_devno);
	error = check_table(&load);
	if (error == 0 && devmap_health_read(found) != 0)
		error = refuse(&load, -EIO, MSG_DEVICE_MAPPER_FAILED,
			       "the state of its legs cannot be read");
	if (error == 0)
		error = check_source(&load, wish->in_sync);
	if (error == 0)
		error = compose(&load, params);
	if (error != 0)
		return error;
	error = devmap_table_load(found->mirror.devno, wish->plan->to_sectors, params);
	return error != 0 ? refuse(&load, error, MSG_TABLE_REFUSED,
				   "the kernel refused the table: %s", strerror(-error))
			  : 0;
}
