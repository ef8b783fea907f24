/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the devmap adapter asks of the kernel, one ioctl each. Negative errno on failure. */
#ifndef DLM_DEVMAP_IOCTL_H
#define DLM_DEVMAP_IOCTL_H

#include "daemons/dlmirrord/devmap.h"

/* A mirror target and where it lies in its device. */
struct found {
	struct devmap_mirror mirror;
	uint64_t start_sector;
	bool inactive_table; /* of the device: what a resume would swap in */
};

/* Zero is empty; item is freed with free(). */
struct found_list {
	struct found *item;
	unsigned count;
	unsigned room;
};

struct devmap_device {
	bool live_table;
	bool inactive_table;
};

/* Once before anything else. */
void devmap_library_prepare(void);
/* Closes what the library keeps open between calls. */
void devmap_library_release(void);

typedef int (*devmap_visit_fn)(void *context, dev_t devno, const char *name);
/* Calls visit for each device; its error ends the visit and is returned. */
int devmap_devices_visit(devmap_visit_fn visit, void *context);

/* Adds the mirrors of ours in the live or the inactive table. Consults no log. -ENODEV: the device
 * is gone. */
int devmap_table_read(dev_t devno, bool live, struct found_list *list,
		      struct devmap_device *ret_device);
/* Fills leg_health. The kernel consults the log, which is us. */
int devmap_health_read(struct found *found);

/* Does the inactive table say what the live one says? Also false when that cannot be found out. */
bool devmap_tables_same(dev_t devno);
/* Loads the live table as the inactive one. The kernel asks us for a new log meanwhile. */
int devmap_table_reload(dev_t devno);
void devmap_table_clear(dev_t devno); /* the inactive one */

#define DEVMAP_PARAMS_SIZE 2048U

/* The params of the live table, when it is one target of length_sectors and nothing else; else
 * -ENOTUNIQ. */
int devmap_params_read(dev_t devno, uint64_t length_sectors, char ret[DEVMAP_PARAMS_SIZE]);
/* Loads one mirror target as the inactive table, read-only if the live one is. */
int devmap_table_load(dev_t devno, uint64_t length_sectors, const char *params);

/* The device that stands for a leg that there is not (missing.h); 0: there is none, and create was
 * not said. */
int devmap_missing(bool create, dev_t *ret);

int devmap_device_suspend(dev_t devno); /* noflush, no lockfs */
/* Puts a waiting table in force; suspends for that (noflush, no lockfs) what is not suspended. */
int devmap_device_resume(dev_t devno);

#endif
