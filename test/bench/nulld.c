/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nulld: a mirror log daemon that keeps nothing. It answers every kernel request at once from
 * constants, so its speed is the floor of any log in user space; benchmarks compare dlmirrord with
 * it. What is written to a mirror that nulld serves is not protected by anything.
 *
 * One thread and one netlink socket per CPU, both pinned to it: a classic BPF filter on the sending
 * CPU lets each socket receive only what its own CPU sent, so that no request wakes another CPU.
 *
 * A log with "nosync" is in sync for good. Any other is recovered once, lowest region first, to
 * measure the rate of a resync: regions below `synced` are in sync.
 *
 * usage: nulld [PRIORITY]   SCHED_FIFO priority of the threads (1; 0: none)
 * Prints "ready" when all threads listen. SIGTERM or SIGINT end it.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/connector.h>
#include <linux/filter.h>
#include <linux/netlink.h>

#include "codec/kmsg.h"
#include "codec/table.h"

#define LOGS_MAX       4096U /* a power of two */
#define CPUS_MAX       256
#define RECEIVE_BUFFER (8 << 20)

struct log {
	uint64_t luid; /* 0: this place is free */
	struct table table;
	uint64_t synced;
};

/* All guarded by logs_lock; the hot requests need none of it as long as no log is out of sync. */
static pthread_mutex_t logs_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log logs[LOGS_MAX];
static atomic_uint logs_unsynced;

struct responder {
	pthread_t thread;
	int cpu;
	int fd;
	uint64_t requests;
};

static void die(const char *what)
{
	(void)fprintf(stderr, "nulld: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The log of luid, or a free place, or NULL. Logs are rarely deleted here: a search over all is
 * fine once the place where the luid should be holds another. */
static struct log *log_place(uint64_t luid, bool create)
{
	size_t start = (size_t)(luid >> 6) % LOGS_MAX;
	struct log *vacant = NULL;

	for (size_t i = 0; i < LOGS_MAX; i++) {
		struct log *log = &logs[(start + i) % LOGS_MAX];

		if (log->luid == luid)
			return log;
		if (log->luid == 0 && vacant == NULL)
			vacant = log;
	}
	return create ? vacant : NULL;
}

static bool log_in_sync(const struct log *log)
{
	return log->synced == log->table.region_count;
}

static void log_drop(struct log *log)
{
	if (log == NULL || log->luid == 0)
		return;
	if (!log_in_sync(log))
		atomic_fetch_sub(&logs_unsynced, 1);
	*log = (struct log){0};
}

static int log_create(const struct kmsg *k)
{
	char error[TABLE_ERROR_SIZE];
	struct table table;
	struct log *log;
	int rc = table_parse((const char *)k->data, k->data_size, &table, error);

	if (rc != 0) {
		(void)fprintf(stderr, "nulld: %s: %s\n", k->uuid, error);
		return rc;
	}
	log_drop(log_place(k->luid, false));
	log = log_place(k->luid, true);
	if (log == NULL)
		return -ENOMEM;
	*log = (struct log){.luid = k->luid, .table = table};
	if (table.sync == MLOG_SYNC_NOSYNC)
		log->synced = table.region_count;
	else
		atomic_fetch_add(&logs_unsynced, 1);
	return 0;
}

struct answer {
	int32_t error;
	uint32_t size;
	union {
		uint64_t word[2];
		char text[KMSG_DATA_MAX];
	};
};

static void answer_words(struct answer *ret, uint64_t first, uint64_t second)
{
	ret->word[0] = first;
	ret->word[1] = second;
}

static void answer_status(const struct log *log, struct answer *ret)
{
	const char *device = log->table.device;
	int length = table_status_info(&log->table, device, true, ret->text, sizeof(ret->text));

	if (length < 0)
		ret->error = length;
	else
		ret->size = (uint32_t)length + 1;
}

static void log_region_synced(struct log *log, const struct mlog_request *request)
{
	if (request->in_sync && request->region[0] == log->synced) {
		log->synced++;
		if (log_in_sync(log))
			atomic_fetch_sub(&logs_unsynced, 1);
	}
}

/* What depends on the log. */
static void answer_log(const struct kmsg *k, struct log *log, struct answer *ret)
{
	uint64_t count = log->table.region_count;
	struct mlog_request request;

	if (k->type == ULOG_STATUS_INFO || k->type == ULOG_STATUS_TABLE) {
		answer_status(log, ret);
		return;
	}
	if (k->type == ULOG_DTR) {
		log_drop(log);
		return;
	}
	if (kmsg_request(k, count, &request) != KMSG_OK) {
		ret->error = -EINVAL;
		return;
	}
	if (k->type == ULOG_GET_REGION_SIZE)
		answer_words(ret, log->table.region_sectors, 0);
	else if (k->type == ULOG_GET_SYNC_COUNT)
		answer_words(ret, log->synced, 0);
	else if (k->type == ULOG_IN_SYNC || k->type == ULOG_IS_CLEAN)
		answer_words(ret, request.region[0] < log->synced, 0);
	else if (k->type == ULOG_GET_RESYNC_WORK)
		answer_words(ret, !log_in_sync(log), log_in_sync(log) ? 0 : log->synced);
	else if (k->type == ULOG_IS_REMOTE_RECOVERING)
		/* A full hint would end the kernel's asking for work. */
		answer_words(ret, 0, log_in_sync(log) ? count : count - 1);
	else if (k->type == ULOG_SET_REGION_SYNC)
		log_region_synced(log, &request);
}

/* MARK, CLEAR and FLUSH need no log, and neither does IN_SYNC while everything is in sync. */
static bool answer_hot(const struct kmsg *k, struct answer *ret)
{
	if (k->type == ULOG_MARK_REGION || k->type == ULOG_CLEAR_REGION || k->type == ULOG_FLUSH)
		return true;
	if (k->type == ULOG_IN_SYNC && atomic_load(&logs_unsynced) == 0) {
		answer_words(ret, 1, 0);
		return true;
	}
	return false;
}

static void answer(const struct kmsg *k, struct answer *ret)
{
	struct log *log;

	ret->error = 0;
	ret->size = kmsg_reply_size(k->type);
	if (answer_hot(k, ret))
		return;
	(void)pthread_mutex_lock(&logs_lock);
	log = log_place(k->luid, false);
	if (k->type == ULOG_CTR)
		ret->error = log_create(k);
	else if (log == NULL)
		ret->error = -ESRCH;
	else
		answer_log(k, log, ret);
	(void)pthread_mutex_unlock(&logs_lock);
}

static void serve_one(struct responder *r)
{
	uint8_t datagram[KMSG_SIZE_MAX];
	uint8_t reply[KMSG_SIZE_MAX];
	struct sockaddr_nl sender;
	socklen_t sender_size = sizeof(sender);
	struct answer a;
	struct kmsg k;
	ssize_t received = recvfrom(r->fd, datagram, sizeof(datagram), 0,
				    (struct sockaddr *)&sender, &sender_size);
	enum kmsg_problem problem;
	size_t size;

	if (received < 0 && errno != EINTR && errno != ENOBUFS)
		die("recv");
	if (received < 0 || sender.nl_pid != 0)
		return;
	problem = kmsg_decode(datagram, (size_t)received, &k);
	if (problem == KMSG_SHORT || problem == KMSG_FOREIGN)
		return;
	if (problem == KMSG_OK)
		answer(&k, &a);
	else
		a = (struct answer){.error = -EINVAL};
	size = kmsg_encode_reply(&k, a.error, a.text, a.size, reply, sizeof(reply));
	if (send(r->fd, reply, size, 0) < 0)
		(void)fprintf(stderr, "nulld: send: %s\n", strerror(errno));
	r->requests++;
}

static void *responder_run(void *context)
{
	struct responder *r = context;

	for (;;)
		serve_one(r);
	return NULL;
}

static int socket_open(int cpu)
{
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_CPU)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)cpu, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	    BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog filter = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
	const struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	const int buffer = RECEIVE_BUFFER;
	const int group = CN_IDX_DM;
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);

	if (fd < 0)
		die("netlink socket");
	/* The filter comes first: no message for another CPU may slip in. */
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0)
		die("SO_ATTACH_FILTER");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) < 0)
		die("SO_RCVBUFFORCE");
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		die("bind");
	if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		die("NETLINK_ADD_MEMBERSHIP");
	return fd;
}

static void responder_start(struct responder *r, int cpu, int priority)
{
	const struct sched_param parameter = {.sched_priority = priority};
	pthread_attr_t attributes;
	cpu_set_t set;
	int rc;

	r->cpu = cpu;
	r->fd = socket_open(cpu);
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	(void)pthread_attr_init(&attributes);
	(void)pthread_attr_setaffinity_np(&attributes, sizeof(set), &set);
	if (priority > 0) {
		(void)pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
		(void)pthread_attr_setschedpolicy(&attributes, SCHED_FIFO);
		(void)pthread_attr_setschedparam(&attributes, &parameter);
	}
	rc = pthread_create(&r->thread, &attributes, responder_run, r);
	if (rc != 0) {
		errno = rc;
		die("pthread_create");
	}
	(void)pthread_attr_destroy(&attributes);
}

int main(int argc, char **argv)
{
	static struct responder responders[CPUS_MAX];
	int priority = argc > 1 ? atoi(argv[1]) : 1;
	int count = 0;
	int signal_number;
	sigset_t ends;
	cpu_set_t cpus;

	(void)sigemptyset(&ends);
	(void)sigaddset(&ends, SIGTERM);
	(void)sigaddset(&ends, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &ends, NULL);
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		die("sched_getaffinity");
	/* We stand in the write path of the devices we serve. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		die("mlockall");
	for (int cpu = 0; cpu < CPUS_MAX; cpu++) {
		if (CPU_ISSET((size_t)cpu, &cpus))
			responder_start(&responders[count++], cpu, priority);
	}
	printf("ready\n");
	(void)fflush(stdout);
	(void)sigwait(&ends, &signal_number);
	for (int i = 0; i < count; i++)
		printf("cpu %d: %llu requests\n", responders[i].cpu,
		       (unsigned long long)responders[i].requests);
	(void)fflush(stdout);
	_exit(0); /* the threads still serve */
}
