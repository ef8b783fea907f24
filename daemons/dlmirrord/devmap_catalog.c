/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemons/dlmirrord/devmap_catalog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct known_device {
	dev_t devno;
	char name[DEVMAP_NAME_SIZE];
	char uuid[DEVMAP_NAME_SIZE]; /* of the first log of ours in its live table; or empty */
	bool looked;		     /* and it had a live table */
	bool listed;		     /* by the refresh under way */
};

/* The position of devno in the catalog, or where it belongs. */
static size_t catalog_position(const struct catalog *catalog, dev_t devno)
{
	size_t low = 0;
	size_t high = catalog->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (catalog->item[middle].devno < devno)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int catalog_insert(struct catalog *catalog, size_t position, dev_t devno)
{
	if (catalog->count == catalog->room) {
		size_t room = catalog->room == 0 ? 16 : 2 * catalog->room;
		struct known_device *item = realloc(catalog->item, room * sizeof(*item));

		if (item == NULL)
			return -ENOMEM;
		catalog->item = item;
		catalog->room = room;
	}
	memmove(&catalog->item[position + 1], &catalog->item[position],
		(catalog->count - position) * sizeof(*catalog->item));
	catalog->item[position] = (struct known_device){.devno = devno};
	catalog->count++;
	return 0;
}

/* Another name means another device with a number that is used again. */
static int catalog_note(void *context, dev_t devno, const char *name)
{
	struct catalog *catalog = context;
	size_t position = catalog_position(catalog, devno);
	struct known_device *known;

	if (position == catalog->count || catalog->item[position].devno != devno) {
		int error = catalog_insert(catalog, position, devno);

		if (error != 0)
			return error;
	}
	known = &catalog->item[position];
	if (strcmp(known->name, name) != 0) {
		snprintf(known->name, sizeof(known->name), "%s", name);
		known->looked = false;
	}
	known->listed = true;
	return 0;
}

/* Takes in devices that came, and forgets those that went. */
static int catalog_refresh(struct catalog *catalog)
{
	size_t kept = 0;
	int error;

	for (size_t i = 0; i < catalog->count; i++)
		catalog->item[i].listed = false;
	error = devmap_devices_visit(catalog_note, catalog);
	if (error != 0)
		return error;
	for (size_t i = 0; i < catalog->count; i++)
		if (catalog->item[i].listed)
			catalog->item[kept++] = catalog->item[i];
	catalog->count = kept;
	return 0;
}

/* Reads the table of one device. -ENOENT: uuid is not in it. */
static int known_look(struct known_device *known, const char *uuid, struct found *ret)
{
	struct found_list list = {.count = 0};
	struct devmap_device device;
	int error = devmap_table_read(known->devno, true, &list, &device);

	known->looked = error == 0 && device.live_table;
	known->uuid[0] = '\0';
	if (error == 0 && list.count > 0)
		memcpy(known->uuid, list.item[0].mirror.uuid, sizeof(known->uuid));
	if (error == 0 || error == -ENODEV)
		error = -ENOENT;
	for (unsigned i = 0; i < list.count && error == -ENOENT; i++) {
		if (strcmp(list.item[i].mirror.uuid, uuid) == 0) {
			*ret = list.item[i];
			error = 0;
		}
	}
	free(list.item);
	return error;
}

int catalog_find(struct catalog *catalog, const char *uuid, struct found *ret)
{
	int error = -ENOENT;

	for (size_t i = 0; i < catalog->count && error == -ENOENT; i++)
		if (strcmp(catalog->item[i].uuid, uuid) == 0)
			error = known_look(&catalog->item[i], uuid, ret);
	if (error != -ENOENT)
		return error;
	error = catalog_refresh(catalog);
	if (error != 0)
		return error;
	error = -ENOENT;
	for (size_t i = 0; i < catalog->count && error == -ENOENT; i++)
		if (!catalog->item[i].looked)
			error = known_look(&catalog->item[i], uuid, ret);
	for (size_t i = 0; i < catalog->count && error == -ENOENT; i++)
		error = known_look(&catalog->item[i], uuid, ret);
	return error;
}
