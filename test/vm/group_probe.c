/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is a member of a group and writes down what it is told, one line each, with milliseconds of its
 * own clock in front:
 *
 *	connected NODE CLUSTER
 *	view NODE... [quorate] [joined]
 *	message FROM NUMBER
 *	status ...	at SIGUSR1, and at the end (SIGTERM)
 *
 * usage: group-probe [-r MESSAGES_PER_SECOND] [-s BYTES] GROUP
 * SIGUSR2: sends no more, or again. Ends with 1 when a message was damaged.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <qb/qblog.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <syslog.h>
#include <unistd.h>

#include "base/cursor.h"
#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/group_cpg.h"

#define HEADER_SIZE 24U /* node, size, number, when it was sent */

static struct {
	struct group_cpg *group;
	uint32_t node;
	uint64_t number;
	uint64_t damaged;
	uint64_t returned; /* of ours */
	uint64_t trip_us;  /* their sum */
	uint64_t longest_trip_us;
	uint64_t longest_call_us; /* that the group port kept us */
} probe;

static void stamp(void)
{
	printf("%" PRIu64 " ", clock_wall_ms());
}

static void on_connected(void *context, uint32_t node, const char *cluster)
{
	(void)context;
	probe.node = node;
	stamp();
	printf("connected %" PRIu32 " %s\n", node, cluster);
}

static void on_view(void *context, const uint32_t *node, uint32_t count, bool quorate, bool joined)
{
	(void)context;
	stamp();
	printf("view");
	for (uint32_t i = 0; i < count; i++)
		printf(" %" PRIu32, node[i]);
	printf("%s%s\n", quorate ? " quorate" : "", joined ? " joined" : "");
}

static uint8_t filler(uint64_t number, size_t at)
{
	return (uint8_t)(number * 31 + at * 7);
}

static void on_message(void *context, uint32_t sender, const void *datagram, size_t size)
{
	struct reader r = reader_of(datagram, size);
	uint32_t node = read_u32(&r);
	uint32_t told = read_u32(&r);
	uint64_t number = read_u64(&r);
	uint64_t sent_us = read_u64(&r);
	bool good = !r.failed && node == sender && told == size;

	(void)context;
	for (size_t i = 0; good && i < r.left; i++)
		good = r.at[i] == filler(number, i);
	probe.damaged += good ? 0 : 1;
	if (good && node == probe.node && sent_us != 0) {
		uint64_t trip = clock_us() - sent_us;

		probe.returned++;
		probe.trip_us += trip;
		if (trip > probe.longest_trip_us)
			probe.longest_trip_us = trip;
	}
	stamp();
	printf("message %" PRIu32 " %" PRIu64 "%s\n", sender, number, good ? "" : " damaged");
}

static const struct group_cpg_callbacks callbacks = {
    .view = on_view, .message = on_message, .connected = on_connected};

static void call_took(uint64_t since_us)
{
	uint64_t took = clock_us() - since_us;

	if (took > probe.longest_call_us)
		probe.longest_call_us = took;
}

static void send_one(size_t size)
{
	static uint8_t bytes[GROUP_MESSAGE_MAX];
	struct writer w = writer_of(bytes, size);
	uint64_t now = clock_us();

	write_u32(&w, probe.node);
	write_u32(&w, (uint32_t)size);
	write_u64(&w, ++probe.number);
	write_u64(&w, now);
	for (size_t i = 0; i < w.left; i++)
		w.at[i] = filler(probe.number, i);
	group_cpg_send(probe.group, bytes, size);
	call_took(now);
}

static void status_print(void)
{
	struct group_cpg_status s;

	group_cpg_status(probe.group, &s);
	stamp();
	printf("status connected=%d joined=%d ring=%" PRIu64 "/%" PRIu32 " sent=%" PRIu64
	       " received=%" PRIu64 " retries=%" PRIu64 " queued=%" PRIu32 " refused=%" PRIu64
	       " reconnects=%" PRIu64 " trip_us=%" PRIu64 " longest_trip_us=%" PRIu64
	       " longest_call_us=%" PRIu64 " problem='%s'\n",
	       s.connected, s.joined, s.ring_seq, s.ring_node, s.sent, s.received, s.retries,
	       s.queued, s.refused, s.reconnects,
	       probe.returned == 0 ? 0 : probe.trip_us / probe.returned, probe.longest_trip_us,
	       probe.longest_call_us, s.problem);
	probe.longest_trip_us = probe.longest_call_us = 0;
	probe.trip_us = probe.returned = 0;
}

static int signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* False: to end. */
static bool signal_take(int fd, bool *sending)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGUSR1)
			status_print();
		else if (info.ssi_signo == SIGUSR2)
			*sending = !*sending;
		else
			return false;
	}
	return true;
}

static void run(unsigned rate, size_t size)
{
	struct pollfd fd[2] = {{.fd = group_cpg_fd(probe.group), .events = POLLIN},
			       {.fd = signals(), .events = POLLIN}};
	uint64_t next_us = clock_us();
	bool sending = rate > 0;
	uint64_t now;

	while (signal_take(fd[1].fd, &sending)) {
		now = clock_us();
		if (sending && now >= next_us) {
			send_one(size);
			next_us = now + 1000000 / rate;
		}
		poll(fd, 2, sending ? (int)(1000 / rate > 0 ? 1000 / rate : 1) : 1000);
		if (fd[0].revents == 0)
			continue;
		now = clock_us();
		group_cpg_dispatch(probe.group);
		call_took(now);
	}
	close(fd[1].fd);
}

int main(int argc, char **argv)
{
	unsigned rate = 0;
	size_t size = 100;
	int option;

	while ((option = getopt(argc, argv, "r:s:")) >= 0) {
		if (option == 'r')
			rate = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 's')
			size = strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	if (optind != argc - 1 || size < HEADER_SIZE || size > GROUP_MESSAGE_MAX || rate > 1000) {
		fprintf(stderr, "usage: group-probe [-r 1..1000] [-s 24..65536] GROUP\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	qb_log_init("group-probe", LOG_USER, LOG_INFO);
	qb_log_ctl(QB_LOG_SYSLOG, QB_LOG_CONF_ENABLED, QB_FALSE);
	qb_log_filter_ctl(QB_LOG_STDERR, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE, "*", LOG_INFO);
	qb_log_format_set(QB_LOG_STDERR, "%T %p: %b");
	qb_log_ctl(QB_LOG_STDERR, QB_LOG_CONF_ENABLED, QB_TRUE);
	if (group_cpg_create(argv[optind], &callbacks, NULL, &probe.group) != 0)
		return 1;
	run(rate, size);
	status_print();
	group_cpg_destroy(probe.group);
	qb_log_fini();
	return probe.damaged == 0 ? 0 : 1;
}
