// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wtimer: one 4 KiB O_DIRECT write after another to each device, one thread per device, and the
 * longest time any of them took.
 *
 *	wtimer [-s SECONDS] [-n WRITES] [-p PAUSE_MS] [-o OFFSET_KIB] [-r RANGE_KIB] DEVICE...
 *
 * Pauses before each write. Ends after SECONDS (10), after WRITES per device, or at SIGTERM; then
 * reads back what was written and prints one line:
 *
 *	writes=N errors=N lost=N longest_ms=F longest_on=DEVICE mean_ms=F
 *
 * lost counts blocks that do not hold their last acknowledged write. Exit 1 when a write failed or
 * a block was lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_SIZE   4096U
#define DEVICES_MAX  1024
#define SECONDS_MAX  86400L
#define RANGE_KIB    2048L
#define PAUSE_MAX_MS 1000L
#define STACK_SIZE   (64U << 10)

struct options {
	double seconds;
	uint64_t writes; /* 0: no limit */
	useconds_t pause_us;
	off_t offset;
	uint64_t blocks;
};

struct writer {
	const struct options *options;
	const char *device;
	pthread_t thread;
	uint64_t writes;
	uint64_t errors;
	uint64_t lost;
	double longest_s;
	double all_s;
};

static atomic_bool stopped;

static void stop(int number)
{
	(void)number;
	atomic_store(&stopped, true);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "wtimer: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void *allocate(size_t count, size_t size)
{
	size_t blocks = (count * size + BLOCK_SIZE - 1) / BLOCK_SIZE;
	void *memory = aligned_alloc(BLOCK_SIZE, blocks * BLOCK_SIZE);

	if (!memory)
		die("memory");
	memset(memory, 0, blocks * BLOCK_SIZE);
	return memory;
}

static off_t block_offset(const struct options *options, uint64_t block)
{
	return options->offset + (off_t)(block * BLOCK_SIZE);
}

/* acked[block] becomes the number of the last good write to it, 0: never or unknown. */
static void writer_write(struct writer *w, int fd, uint64_t *data, uint64_t *acked)
{
	double end_s = now_s() + w->options->seconds;
	uint64_t number = 0;

	while (!atomic_load(&stopped) && (w->options->writes == 0 || number < w->options->writes)) {
		uint64_t block = number++ % w->options->blocks;
		double start_s, took_s;
		ssize_t put;

		if (w->options->pause_us > 0)
			usleep(w->options->pause_us);
		start_s = now_s();
		if (start_s >= end_s)
			break;
		data[0] = number;
		data[BLOCK_SIZE / sizeof(*data) - 1] = number;
		put = pwrite(fd, data, BLOCK_SIZE, block_offset(w->options, block));
		took_s = now_s() - start_s;
		w->all_s += took_s;
		if (took_s > w->longest_s)
			w->longest_s = took_s;
		acked[block] = put == (ssize_t)BLOCK_SIZE ? number : 0;
		w->errors += acked[block] == 0;
		w->writes++;
	}
}

static void writer_verify(struct writer *w, int fd, uint64_t *data, const uint64_t *acked)
{
	for (uint64_t block = 0; block < w->options->blocks; block++) {
		if (acked[block] == 0)
			continue;
		if (pread(fd, data, BLOCK_SIZE, block_offset(w->options, block)) !=
			(ssize_t)BLOCK_SIZE ||
		    data[0] != acked[block] || data[BLOCK_SIZE / sizeof(*data) - 1] != acked[block])
			w->lost++;
	}
}

static void *writer_run(void *context)
{
	struct writer *w = context;
	uint64_t *data = allocate(1, BLOCK_SIZE);
	uint64_t *acked = allocate(w->options->blocks, sizeof(*acked));
	int fd = open(w->device, O_RDWR | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		die(w->device);
	writer_write(w, fd, data, acked);
	writer_verify(w, fd, data, acked);
	close(fd);
	free(acked);
	free(data);
	return NULL;
}

static int writers_report(const struct writer *writer, int count)
{
	const struct writer *longest = &writer[0];
	uint64_t writes = 0, errors = 0, lost = 0;
	double all_s = 0;

	for (int i = 0; i < count; i++) {
		writes += writer[i].writes;
		errors += writer[i].errors;
		lost += writer[i].lost;
		all_s += writer[i].all_s;
		if (writer[i].longest_s > longest->longest_s)
			longest = &writer[i];
	}
	printf("writes=%llu errors=%llu lost=%llu longest_ms=%.1f longest_on=%s "
	       "mean_ms=%.1f\n",
	       (unsigned long long)writes, (unsigned long long)errors, (unsigned long long)lost,
	       longest->longest_s * 1e3, longest->device,
	       writes > 0 ? all_s * 1e3 / (double)writes : 0);
	return errors > 0 || lost > 0;
}

static long number_parse(const char *text, long max)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*end != '\0' || value < 0 || value > max) {
		fprintf(stderr, "wtimer: bad number '%s'\n", text);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	struct options options = {.seconds = 10, .blocks = RANGE_KIB * 1024 / BLOCK_SIZE};
	static struct writer writer[DEVICES_MAX];
	pthread_attr_t attributes;
	int option, count;

	while ((option = getopt(argc, argv, "s:n:p:o:r:")) != -1) {
		if (option == 's')
			options.seconds = (double)number_parse(optarg, SECONDS_MAX);
		else if (option == 'n')
			options.writes = (uint64_t)number_parse(optarg, LONG_MAX);
		else if (option == 'p')
			options.pause_us = (useconds_t)number_parse(optarg, PAUSE_MAX_MS) * 1000;
		else if (option == 'o')
			options.offset = number_parse(optarg, LONG_MAX / 1024) * 1024;
		else if (option == 'r')
			options.blocks =
			    (uint64_t)number_parse(optarg, LONG_MAX / 1024) * 1024 / BLOCK_SIZE;
		else
			return 2;
	}
	count = argc - optind;
	if (count < 1 || count > DEVICES_MAX || options.blocks == 0) {
		fprintf(stderr, "usage: wtimer [-s SECONDS] [-n WRITES] [-p PAUSE_MS] "
				"[-o OFFSET_KIB] [-r RANGE_KIB] DEVICE...\n");
		return 2;
	}
	signal(SIGTERM, stop);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	for (int i = 0; i < count; i++) {
		writer[i].options = &options;
		writer[i].device = argv[optind + i];
		if (pthread_create(&writer[i].thread, &attributes, writer_run, &writer[i]))
			die("thread");
	}
	for (int i = 0; i < count; i++)
		pthread_join(writer[i].thread, NULL);
	return writers_report(writer, count);
}
