// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * reload-table UUID: loads the table of the mirror with that log again, as the daemon does it when
 * a kernel has to forget what it knows of regions. On one node a daemon never has a reason to.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/dlmirrord/devmap.h"

static void on_done(void *context, const char *uuid, int error)
{
	if (error != 0)
		fprintf(stderr, "%s: %s\n", uuid, strerror(-error));
	*(int *)context = error;
}

int main(int argc, char **argv)
{
	struct devmap *devmap;
	int result = 1;

	if (argc != 2) {
		fprintf(stderr, "usage: reload-table UUID\n");
		return 2;
	}
	if (devmap_create(&devmap) != 0 || devmap_reload(devmap, argv[1], on_done, &result) != 0) {
		fprintf(stderr, "cannot ask device-mapper\n");
		return 1;
	}
	while (result > 0) {
		struct pollfd p = {.fd = devmap_fd(devmap), .events = POLLIN};

		if (poll(&p, 1, -1) > 0)
			devmap_dispatch(devmap);
	}
	devmap_destroy(devmap);
	return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
