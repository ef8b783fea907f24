/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel-probe: a log daemon without a log. It writes down what the kernel asks and answers what it
 * is told to, wrongly too, so that scenarios find out what the kernel does then. The simulator's
 * model of the kernel rests on that: test/sim/test_kernel_model.c asks the model the same
 * questions.
 *
 * usage: kernel-probe DIRECTORY
 *
 * DIRECTORY/said	one line for each request: its type and its regions, "MARK 3,5"; CTR0 is a CTR
 *			that ends in a NUL. "(hold)" marks where replies began to be held back.
 * DIRECTORY/control	a FIFO that takes commands, one on a line:
 *	in-sync REGION VALUE...		the next answers to IN_SYNC; the last one stays
 *	remote VALUE HINT		what IS_REMOTE_RECOVERING says
 *	work REGION|none		what GET_RESYNC_WORK says, until SET_REGION_SYNC names the
 *					region
 *	count N				what GET_SYNC_COUNT says
 *	trouble TYPE TIMES FORM ERRNO	the next requests of that type fail: FORM is full (with data
 *					as expected), empty (a reply without data), ack or silence
 *	hold, release			replies are kept back, and go out in order
 * A command is obeyed when DIRECTORY/obeyed has one more line.
 *
 * At first every region is in sync, nothing is recovered, and the hint is at the end. The region
 * size comes from the table.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/connector.h>
#include <linux/netlink.h>

#include "codec/kmsg.h"
#include "codec/table.h"

#define REGIONS_MAX 4096U
#define ANSWERS_MAX 4U
#define HELD_MAX    64U
#define LINE_MAX_   256U
#define ERROR_AT    (KMSG_ACK_SIZE + 8 + KMSG_UUID_SIZE + 3 + 4) /* of a reply's error */

enum form { FORM_FULL, FORM_EMPTY, FORM_ACK, FORM_SILENCE, FORMS };

static const char *const form_names[FORMS] = {"full", "empty", "ack", "silence"};

static const char *const type_names[ULOG_TYPES] = {
    [ULOG_CTR] = "CTR",
    [ULOG_DTR] = "DTR",
    [ULOG_PRESUSPEND] = "PRESUSPEND",
    [ULOG_POSTSUSPEND] = "POSTSUSPEND",
    [ULOG_RESUME] = "RESUME",
    [ULOG_GET_REGION_SIZE] = "REGION_SIZE",
    [ULOG_IS_CLEAN] = "IS_CLEAN",
    [ULOG_IN_SYNC] = "IN_SYNC",
    [ULOG_FLUSH] = "FLUSH",
    [ULOG_MARK_REGION] = "MARK",
    [ULOG_CLEAR_REGION] = "CLEAR",
    [ULOG_GET_RESYNC_WORK] = "WORK",
    [ULOG_SET_REGION_SYNC] = "SET_SYNC",
    [ULOG_GET_SYNC_COUNT] = "COUNT",
    [ULOG_STATUS_INFO] = "STATUS",
    [ULOG_STATUS_TABLE] = "TABLE",
    [ULOG_IS_REMOTE_RECOVERING] = "REMOTE",
};

struct answers {
	unsigned count; /* 0: in sync */
	int64_t value[ANSWERS_MAX];
};

struct datagram {
	size_t size;
	uint8_t byte[KMSG_SIZE_MAX];
};

static struct {
	int netlink;
	FILE *said;
	FILE *obeyed;
	struct table table;
	struct answers in_sync[REGIONS_MAX];
	int64_t remote;
	uint64_t hint;
	uint64_t work; /* region, or UINT64_MAX */
	uint64_t count;
	unsigned trouble_times;
	enum ulog_type trouble_type;
	enum form trouble_form;
	int trouble_error;
	bool hold;
	struct datagram held[HELD_MAX];
	unsigned helds;
} probe = {.hint = UINT64_MAX, .work = UINT64_MAX, .count = UINT64_MAX};

static void die(const char *what)
{
	(void)fprintf(stderr, "kernel-probe: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- the kernel asks */

static uint64_t word_of(const struct kmsg *k, unsigned index)
{
	uint64_t word = 0;

	memcpy(&word, k->data + index * sizeof(word), sizeof(word));
	return word;
}

static void say(const struct kmsg *k)
{
	(void)fprintf(probe.said, "%s", type_names[k->type]);
	if (k->type == ULOG_CTR && k->data_size > 0 && k->data[k->data_size - 1] == '\0')
		(void)fprintf(probe.said, "0");
	for (unsigned i = 0; k->type != ULOG_CTR && i < k->data_size / sizeof(uint64_t); i++)
		(void)fprintf(probe.said, "%c%" PRIu64, i == 0 ? ' ' : ',', word_of(k, i));
	(void)fprintf(probe.said, "\n");
	(void)fflush(probe.said);
}

static uint64_t in_sync(uint64_t region)
{
	struct answers *a = &probe.in_sync[region % REGIONS_MAX];
	int64_t value = a->count == 0 ? 1 : a->value[0];

	if (a->count > 1) {
		a->count--;
		memmove(a->value, a->value + 1, a->count * sizeof(a->value[0]));
	}
	return (uint64_t)value;
}

static uint64_t or_regions(uint64_t value)
{
	return value == UINT64_MAX ? probe.table.region_count : value;
}

static void region_sync_take(uint64_t region, uint64_t value)
{
	probe.in_sync[region % REGIONS_MAX] =
	    (struct answers){.count = 1, .value = {(int64_t)value}};
	if (probe.work == region)
		probe.work = UINT64_MAX;
}

static void words_answer(const struct kmsg *k, uint64_t word[2])
{
	switch (k->type) {
	case ULOG_GET_REGION_SIZE:
		word[0] = probe.table.region_sectors;
		break;
	case ULOG_IN_SYNC:
		word[0] = in_sync(word_of(k, 0));
		break;
	case ULOG_GET_SYNC_COUNT:
		word[0] = or_regions(probe.count);
		break;
	case ULOG_GET_RESYNC_WORK:
		word[0] = probe.work != UINT64_MAX;
		word[1] = probe.work;
		break;
	case ULOG_IS_REMOTE_RECOVERING:
		word[0] = (uint64_t)probe.remote;
		word[1] = or_regions(probe.hint);
		break;
	case ULOG_SET_REGION_SYNC:
		region_sync_take(word_of(k, 0), word_of(k, 1));
		break;
	default:
		break;
	}
}

static void table_take(const struct kmsg *k)
{
	char error[TABLE_ERROR_SIZE];

	if (table_parse((const char *)k->data, k->data_size, &probe.table, error) != 0)
		(void)fprintf(stderr, "kernel-probe: %s\n", error);
}

static size_t right_encode(const struct kmsg *k, uint8_t *ret)
{
	uint64_t word[2] = {0, 0};

	if (k->type == ULOG_CTR)
		table_take(k);
	if (k->type == ULOG_STATUS_INFO)
		return kmsg_encode_reply(k, 0, "1 probe", 8, ret, KMSG_SIZE_MAX);
	words_answer(k, word);
	return kmsg_encode_reply(k, 0, word, kmsg_reply_size(k->type), ret, KMSG_SIZE_MAX);
}

static size_t trouble_encode(const struct kmsg *k, uint8_t *ret)
{
	size_t size = 0;

	switch (probe.trouble_form) {
	case FORM_FULL:
		return kmsg_encode_reply(k, probe.trouble_error, NULL, 0, ret, KMSG_SIZE_MAX);
	case FORM_EMPTY:
		size = kmsg_encode_reply(k, 0, NULL, 0, ret, KMSG_SIZE_MAX);
		memcpy(ret + ERROR_AT, &probe.trouble_error, sizeof(probe.trouble_error));
		break;
	case FORM_ACK:
		return kmsg_encode_ack(k->cn_seq, probe.trouble_error, ret, KMSG_SIZE_MAX);
	case FORM_SILENCE:
	case FORMS:
		break;
	}
	return size;
}

static void datagram_send(const struct datagram *d)
{
	if (d->size > 0 && send(probe.netlink, d->byte, d->size, 0) < 0)
		(void)fprintf(stderr, "kernel-probe: send: %s\n", strerror(errno));
}

static void serve(void)
{
	uint8_t byte[KMSG_SIZE_MAX];
	struct sockaddr_nl sender = {0};
	socklen_t sender_size = sizeof(sender);
	ssize_t size = recvfrom(probe.netlink, byte, sizeof(byte), 0, (struct sockaddr *)&sender,
				&sender_size);
	struct datagram reply;
	struct kmsg k;

	if (size < 0 || sender.nl_pid != 0 || kmsg_decode(byte, (size_t)size, &k) != KMSG_OK)
		return;
	say(&k);
	if (probe.trouble_times > 0 && probe.trouble_type == k.type) {
		probe.trouble_times--;
		reply.size = trouble_encode(&k, reply.byte);
	} else {
		reply.size = right_encode(&k, reply.byte);
	}
	if (!probe.hold)
		datagram_send(&reply);
	else if (probe.helds < HELD_MAX)
		probe.held[probe.helds++] = reply;
}

/* ---- the scenario commands */

static bool refuse(const char *what)
{
	(void)fprintf(stderr, "kernel-probe: %s is not understood\n", what);
	return false;
}

static bool number_take(char **words, int64_t *ret)
{
	const char *word = strtok_r(NULL, " ", words);
	char *end;

	if (word == NULL)
		return false;
	*ret = strtoll(word, &end, 0);
	return *end == '\0';
}

static bool command_in_sync(char **words)
{
	struct answers a = {0};
	int64_t region;

	if (!number_take(words, &region) || region < 0 || region >= (int64_t)REGIONS_MAX)
		return refuse("the region");
	while (a.count < ANSWERS_MAX && number_take(words, &a.value[a.count]))
		a.count++;
	probe.in_sync[region] = a;
	return true;
}

static bool command_remote(char **words)
{
	int64_t hint;

	if (!number_take(words, &probe.remote) || !number_take(words, &hint))
		return refuse("remote");
	probe.hint = (uint64_t)hint;
	return true;
}

static bool command_work(char **words)
{
	int64_t region;

	probe.work = number_take(words, &region) ? (uint64_t)region : UINT64_MAX;
	return true;
}

static bool command_count(char **words)
{
	int64_t count;

	if (!number_take(words, &count))
		return refuse("the count");
	probe.count = (uint64_t)count;
	return true;
}

static bool name_find(const char *word, const char *const *names, unsigned count, unsigned *ret)
{
	for (unsigned i = 0; word != NULL && i < count; i++)
		if (names[i] != NULL && strcmp(names[i], word) == 0) {
			*ret = i;
			return true;
		}
	return false;
}

static bool command_trouble(char **words)
{
	int64_t times;
	int64_t error;
	unsigned type;
	unsigned form;

	if (!name_find(strtok_r(NULL, " ", words), type_names, ULOG_TYPES, &type) ||
	    !number_take(words, &times) ||
	    !name_find(strtok_r(NULL, " ", words), form_names, FORMS, &form) ||
	    !number_take(words, &error))
		return refuse("trouble");
	probe.trouble_type = type;
	probe.trouble_times = (unsigned)times;
	probe.trouble_form = form;
	probe.trouble_error = (int)-error;
	return true;
}

static bool command_hold(char **words)
{
	(void)words;
	probe.hold = true;
	(void)fprintf(probe.said, "(hold)\n");
	(void)fflush(probe.said);
	return true;
}

static bool command_release(char **words)
{
	(void)words;
	probe.hold = false;
	for (unsigned i = 0; i < probe.helds; i++)
		datagram_send(&probe.held[i]);
	probe.helds = 0;
	return true;
}

static bool command(char *line)
{
	static const struct {
		const char *name;
		bool (*run)(char **words);
	} commands[] = {
	    {"in-sync", command_in_sync}, {"remote", command_remote},	{"work", command_work},
	    {"count", command_count},	  {"trouble", command_trouble}, {"hold", command_hold},
	    {"release", command_release},
	};
	char *words;
	const char *name = strtok_r(line, " ", &words);

	for (size_t i = 0; name != NULL && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(&words);
	return refuse("a command");
}

/* Lines are short and written at once, so that a read ends with one. */
static void obey(int control)
{
	char text[4 * LINE_MAX_];
	ssize_t size = read(control, text, sizeof(text) - 1);
	char *lines;

	if (size <= 0)
		return;
	text[size] = '\0';
	for (char *line = strtok_r(text, "\n", &lines); line != NULL;
	     line = strtok_r(NULL, "\n", &lines)) {
		(void)fprintf(probe.obeyed, "%s\n", command(line) ? "ok" : "refused");
		(void)fflush(probe.obeyed);
	}
}

/* ---- start */

static FILE *file_open(const char *directory, const char *name)
{
	char path[LINE_MAX_];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "a");
	if (file == NULL)
		die(path);
	return file;
}

static int control_open(const char *directory)
{
	char path[LINE_MAX_];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/control", directory);
	if (mkfifo(path, 0600) != 0 && errno != EEXIST)
		die(path);
	fd = open(path, O_RDWR | O_CLOEXEC); /* so that it never ends */
	if (fd < 0)
		die(path);
	return fd;
}

static int netlink_open(void)
{
	const struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	const int group = CN_IDX_DM;
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		die("netlink socket");
	return fd;
}

int main(int argc, char **argv)
{
	struct pollfd fds[2];

	if (argc != 2) {
		(void)fprintf(stderr, "usage: kernel-probe DIRECTORY\n");
		return 2;
	}
	probe.said = file_open(argv[1], "said");
	probe.obeyed = file_open(argv[1], "obeyed");
	fds[1] = (struct pollfd){.fd = control_open(argv[1]), .events = POLLIN};
	/* We stand in the write path of the devices we serve. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		die("mlockall");
	probe.netlink = netlink_open();
	fds[0] = (struct pollfd){.fd = probe.netlink, .events = POLLIN};
	(void)fprintf(probe.obeyed, "ready\n");
	(void)fflush(probe.obeyed);
	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			die("poll");
		if ((fds[1].revents & POLLIN) != 0)
			obey(fds[1].fd);
		if ((fds[0].revents & POLLIN) != 0)
			serve();
	}
}
