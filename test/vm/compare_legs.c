// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * compare-legs A B [REGION_KIB]: compares the files behind two legs, region by region, and prints
 * the regions that differ. Holes that both files share are skipped. Exit 0: identical, 1: they
 * differ, 2: could not compare.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REGION_KIB_DEFAULT 512U
#define LISTED_MAX	   64U

static void die(const char *what)
{
	fprintf(stderr, "compare-legs: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int leg_open(const char *path, off_t *ret_size)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		die(path);
	*ret_size = lseek(fd, 0, SEEK_END);
	return fd;
}

/* The first offset at or after from that holds data; size when there is none. */
static off_t data_next(int fd, off_t from, off_t size)
{
	off_t at = lseek(fd, from, SEEK_DATA);

	if (at >= 0)
		return at;
	return errno == ENXIO ? size : from;
}

static void region_read(int fd, char *data, size_t size, off_t at)
{
	while (size > 0) {
		ssize_t got = pread(fd, data, size, at);

		if (got <= 0)
			die("read");
		data += got;
		size -= (size_t)got;
		at += got;
	}
}

static uint64_t legs_compare(int a, int b, off_t size, off_t region_size)
{
	char *data_a = malloc((size_t)region_size), *data_b = malloc((size_t)region_size);
	uint64_t differ = 0;
	off_t at = 0;

	if (!data_a || !data_b)
		die("memory");
	while (at < size) {
		off_t next_a = data_next(a, at, size), next_b = data_next(b, at, size);
		off_t next = next_a < next_b ? next_a : next_b;
		off_t start = next - next % region_size;
		size_t length = (size_t)(size - start < region_size ? size - start : region_size);

		if (next >= size)
			break;
		region_read(a, data_a, length, start);
		region_read(b, data_b, length, start);
		if (memcmp(data_a, data_b, length) != 0 && differ++ < LISTED_MAX)
			printf("%s%lld", differ == 1 ? "differ: " : " ",
			       (long long)(start / region_size));
		at = start + region_size;
	}
	free(data_a);
	free(data_b);
	return differ;
}

int main(int argc, char **argv)
{
	unsigned long region_kib = argc == 4 ? strtoul(argv[3], NULL, 10) : REGION_KIB_DEFAULT;
	off_t size_a, size_b;
	uint64_t differ;
	int a, b;

	if (argc < 3 || argc > 4 || region_kib == 0) {
		fprintf(stderr, "usage: compare-legs A B [REGION_KIB]\n");
		return 2;
	}
	a = leg_open(argv[1], &size_a);
	b = leg_open(argv[2], &size_b);
	if (size_a != size_b) {
		fprintf(stderr, "compare-legs: the legs have different sizes\n");
		return 2;
	}
	differ = legs_compare(a, b, size_a, (off_t)region_kib * 1024);
	if (differ == 0)
		return 0;
	printf(" (%llu regions of %lu KiB)\n", (unsigned long long)differ, region_kib);
	return 1;
}
