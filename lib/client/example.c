/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An example of libdlmirror: lists the mirrors of this host, and waits until one of them is in sync.
 *
 *	cc example.c $(pkg-config --cflags --libs dlmirror) -o example
 *	./example [MIRROR]
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <dlmirror/dlmirror.h>

#define AWAY_MAX 30U /* looks without a daemon: a planned restart takes one at most */

static void look_pause(void)
{
	const struct timespec second = {.tv_sec = 1};

	(void)nanosleep(&second, NULL);
}

/* Each failure has a sentence for people. */
static int complain(const struct dlmirror *d)
{
	(void)fprintf(stderr, "example: %s\n", dlmirror_error(d));
	return EXIT_FAILURE;
}

static int mirrors_print(struct dlmirror *d)
{
	struct dlmirror_mirror *mirrors;
	size_t count;

	if (dlmirror_list(d, &mirrors, &count) != 0)
		return complain(d);
	for (size_t i = 0; i < count; i++)
		(void)printf("%s: %s, %" PRIu64 " of %" PRIu64 " regions in sync\n",
			     mirrors[i].name[0] ? mirrors[i].name : mirrors[i].uuid,
			     mirrors[i].phase, mirrors[i].in_sync, mirrors[i].region_count);
	free(mirrors);
	return EXIT_SUCCESS;
}

/* Regions that a crash left dirty count as in sync, and are still to be compared. */
static uint64_t regions_left(const struct dlmirror_mirror *m)
{
	return m->region_count - m->in_sync + m->repair;
}

/* A daemon that is replaced closes its connections: then the next look is through a new one. */
static int sync_wait(struct dlmirror **d, const char *name)
{
	struct dlmirror_mirror mirror;
	unsigned away = 0;

	while (away < AWAY_MAX) {
		int error = dlmirror_get(*d, name, &mirror);

		if (error == -ENOTCONN) {
			dlmirror_free(*d);
			error = dlmirror_connect(d);
			away = error == 0 ? 0 : away + 1;
			if (error != 0 && error != -ENOTCONN)
				break;
		} else if (error != 0) {
			break;
		} else if (regions_left(&mirror) == 0) {
			(void)printf("%s is in sync\n", name);
			return EXIT_SUCCESS;
		}
		look_pause();
	}
	return complain(*d);
}

int main(int argc, char **argv)
{
	struct dlmirror *d;
	int code;

	if (dlmirror_connect(&d) != 0)
		code = complain(d);
	else if (argc > 1)
		code = sync_wait(&d, argv[1]);
	else
		code = mirrors_print(d);
	dlmirror_free(d);
	return code;
}
