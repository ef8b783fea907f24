/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests about logs as the loop takes them: what is refused, and how the kernel hears of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemons/dlmirrord/daemon.h"
#include "daemons/dlmirrord/group_local.h"
#include "daemons/dlmirrord/kernel_netlink.h"
#include "daemons/dlmirrord/locks_local.h"

/* ---- the world of control.c, log.c and restore.c: what was sent last, and nothing else */

static struct {
	size_t size;
	uint8_t datagram[KMSG_SIZE_MAX];
} sent;

int kernel_netlink_send(int fd, const void *datagram, size_t size)
{
	(void)fd;
	assert_in_range(size, 1, sizeof(sent.datagram));
	memcpy(sent.datagram, datagram, size);
	sent.size = size;
	return 0;
}

ssize_t kernel_netlink_receive(int fd, void *datagram, size_t cap, bool nonblock)
{
	(void)fd;
	(void)datagram;
	(void)cap;
	(void)nonblock;
	return -EAGAIN;
}

static bool core_may_be_asked;

void ports_request(struct log *log, const struct mlog_request *request, uint32_t request_type,
		   uint64_t received_us)
{
	struct mlog_event event = {.kind = MLOG_EV_REQUEST, .request = *request};

	(void)request_type;
	(void)received_us;
	if (!core_may_be_asked)
		fail_msg("a request that must be refused came to the core");
	pump_event(&log->pump, &event);
}

int devmap_scan(struct devmap_mirror **ret, unsigned *ret_count)
{
	(void)ret;
	(void)ret_count;
	return -ENOSYS;
}

/* A log device that is being looked at; NULL: nobody looks. */
static struct {
	opened_fn opened;
	void *context;
} opening;

int log_device_open(struct daemon *daemon, const char *uuid, const struct table *table,
		    opened_fn opened, void *context, char error[STORAGE_ERROR_SIZE])
{
	(void)daemon;
	(void)uuid;
	(void)table;
	error[0] = '\0';
	opening.opened = opened;
	opening.context = context;
	return 0;
}

int log_device_use(struct log *log, struct storage *storage, char error[STORAGE_ERROR_SIZE])
{
	(void)log;
	(void)storage;
	error[0] = '\0';
	return -ENODEV;
}

uint64_t opener_expire(struct opener *opener, uint64_t now_ms)
{
	(void)opener;
	(void)now_ms;
	return 0;
}

bool opener_wait(const struct opener *opener, uint64_t until_ms)
{
	(void)opener;
	(void)until_ms;
	return false;
}

void opener_dispatch(struct opener *opener)
{
	(void)opener;
}

void daemon_enter(struct daemon *daemon)
{
	(void)daemon;
}

void daemon_leave(struct daemon *daemon)
{
	(void)daemon;
}

void daemon_suspect(struct log *log)
{
	(void)log;
}

void daemon_lost(struct daemon *daemon)
{
	(void)daemon;
}

uint32_t daemon_node(const struct daemon *daemon, const char **ret_why)
{
	(void)daemon;
	(void)ret_why;
	return GROUP_LOCAL_NODE;
}

/* Alone it has no cluster. */

int cluster_log_add(struct cluster *c, struct log *log)
{
	(void)c;
	(void)log;
	fail();
	return 0;
}

void cluster_log_view(struct cluster *c, struct log *log)
{
	(void)c;
	(void)log;
	fail();
}

void cluster_log_attach(struct cluster *c, const struct log *log)
{
	(void)c;
	(void)log;
	fail();
}

void cluster_log_gone(struct cluster *c, struct log *log, bool forget)
{
	(void)c;
	(void)log;
	(void)forget;
	fail();
}

bool reload_makes_stale(const struct reloads *r, const char *uuid)
{
	(void)r;
	(void)uuid;
	return false;
}

void reload_refused(struct reloads *r, const char *uuid, const char *text)
{
	(void)r;
	(void)uuid;
	(void)text;
}

uint32_t reload_forbids(const struct reloads *r, const char *uuid)
{
	(void)r;
	(void)uuid;
	return 0;
}

void legs_suspect(struct log *log, bool finish)
{
	(void)log;
	(void)finish;
}

void legs_reloaded(struct log *log, const struct log *from)
{
	(void)log;
	(void)from;
}

void marker_set(const struct log *log)
{
	(void)log;
}

static uint64_t now_ms = 1;

static uint64_t port_now_ms(void *context)
{
	(void)context;
	return now_ms;
}

static void port_timer(void *context, uint64_t at_ms)
{
	(void)context;
	(void)at_ms;
}

static void port_notice(void *context, enum mlog_notice code, uint64_t value)
{
	(void)context;
	(void)code;
	(void)value;
}

static void port_reply(void *context, const struct mlog_reply *reply)
{
	(void)context;
	assert_int_equal(reply->error, 0);
	sent.size = SIZE_MAX; /* it is the port that makes a datagram of it */
}

static void port_send(void *context, const struct mlog_message *message)
{
	group_local_send(&((struct log *)context)->pump, message);
}

static void port_lock(void *context, uint32_t lock, bool keep)
{
	(void)keep;
	locks_local_lock(&((struct log *)context)->pump, lock);
}

static unsigned loads, claims;

static void port_load(void *context, uint32_t slot, bool whole)
{
	(void)context;
	(void)slot;
	(void)whole;
	loads++;
}

static void port_claim(void *context, uint32_t slot, bool whole)
{
	(void)context;
	(void)slot;
	(void)whole;
	claims++;
}

static void port_wake(void *context)
{
	(void)context;
}

const struct pump_ports ports = {.now_ms = port_now_ms,
				 .timer = port_timer,
				 .notice = port_notice,
				 .reply = port_reply,
				 .send = port_send,
				 .load = port_load,
				 .claim = port_claim,
				 .wake = port_wake,
				 .lock = port_lock};

/* ---- a daemon with one log, made by the kernel's words */

#define LUID UINT64_C(0xffff888012345678)

static struct daemon d;
static struct kmsg answer;

static uint32_t last_seq;

/* The request's number. */
static uint32_t tell(enum ulog_type type, uint64_t luid, const void *data, size_t size)
{
	const uint32_t seq = ++last_seq;
	struct handoff_item item = {.received_us = 1};
	struct kmsg k = {.luid = luid,
			 .uuid = "mirror",
			 .version = 3,
			 .cn_seq = seq,
			 .seq = seq,
			 .type = type,
			 .request_type = (uint32_t)type,
			 .data_size = (uint32_t)size,
			 .data = data};

	item.size = (uint32_t)kmsg_encode_request(&k, item.datagram, sizeof(item.datagram));
	assert_int_not_equal(item.size, 0);
	sent.size = 0;
	control_item(&d, &item);
	return seq;
}

static void ask(enum ulog_type type, uint64_t luid, const void *data, size_t size)
{
	uint32_t seq = tell(type, luid, data, size);

	assert_int_not_equal(sent.size, 0);
	/* A reply has the form of a request. */
	assert_int_equal(kmsg_decode(sent.datagram, sent.size, &answer), KMSG_OK);
	assert_int_equal(answer.seq, seq);
}

static int32_t answer_error(void)
{
	int32_t error;

	/* dm_ulog_request: luid, uuid, padding, version, error */
	memcpy(&error, sent.datagram + KMSG_ACK_SIZE + 8 + KMSG_UUID_SIZE + 3 + 4, sizeof(error));
	return error;
}

static int begin(void **state)
{
	static const int socket_fd = -1;
	static const struct responders_core core;
	static char directory[] = "/tmp/test_control.XXXXXX";
	char logs[sizeof(directory) + 8];

	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	d.config.busy_mib_s = 1;
	d.config.copies = 1;
	d.config.log_timeout_ms = 1000;
	snprintf(d.config.run_dir, sizeof(d.config.run_dir), "%s", directory);
	snprintf(logs, sizeof(logs), "%s/logs", directory);
	return mkdir(logs, 0700) != 0 || registry_create(&d.registry) != 0 ||
	       responders_create(&d.registry, &socket_fd, 1, &core, &d.responders) != 0;
}

static int end(void **state)
{
	char path[sizeof(d.config.run_dir) + 8];

	(void)state;
	while (d.registry.count > 0)
		log_destroy(d.registry.log[0], true);
	registry_destroy(&d.registry);
	d.responders = responders_destroy(d.responders);
	snprintf(path, sizeof(path), "%s/logs", d.config.run_dir);
	return rmdir(path) != 0 || rmdir(d.config.run_dir) != 0;
}

/* A payload that the type does not have: refused, and counted for the admin to see. */
static void test_bad_payload_is_counted(void **state)
{
	static const enum ulog_type type[] = {ULOG_RESUME, ULOG_PRESUSPEND, ULOG_POSTSUSPEND};
	static const char table[] = "65536 clustered-core 1024";
	const struct responders_counters *counters = responders_counters(d.responders);
	const uint64_t payload = 0;

	(void)state;
	ask(ULOG_CTR, LUID, table, sizeof(table) - 1);
	assert_int_equal(answer_error(), 0);
	assert_int_equal(atomic_load(&counters->malformed), 0);
	for (size_t i = 0; i < sizeof(type) / sizeof(type[0]); i++) {
		ask(type[i], LUID, &payload, sizeof(payload));
		assert_int_equal(answer_error(), -EINVAL);
		assert_int_equal(atomic_load(&counters->malformed), i + 1);
		assert_int_equal(atomic_load(&counters->last_problem), KMSG_BAD_DATA);
	}
}

/* The kernel repeats the request when it has made the log known, with room for what was sent. */
static void test_unknown_log_leaves_room(void **state)
{
	(void)state;
	ask(ULOG_STATUS_INFO, LUID + 64, NULL, 0);
	assert_int_equal(answer_error(), -ESRCH);
	assert_int_equal(answer.data_size, KMSG_STATUS_ROOM);
	ask(ULOG_GET_SYNC_COUNT, LUID + 64, NULL, 0);
	assert_int_equal(answer_error(), -ESRCH);
	assert_int_equal(answer.data_size, 8);
	assert_int_equal(atomic_load(&d.unknown_log), 2);
	assert_int_equal(atomic_load(&responders_counters(d.responders)->malformed), 3);
}

/* No file can be opened: as if there were no memory for a log. */
static void files_limit(bool none)
{
	static struct rlimit usual;
	struct rlimit limit;

	if (usual.rlim_cur == 0)
		assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
	limit = usual;
	if (none)
		limit.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* A log that there is no memory for is the same one later, and nobody makes another of it. */
static void test_left_is_restored(void **state)
{
	static const char table[] = "65536 clustered-core 1024"; /* with its NUL: a reconnect */
	struct log *log = registry_find(&d.registry, LUID);

	(void)state;
	assert_non_null(log);
	log_destroy(log, false);
	d.left = true;
	files_limit(true);
	ask(ULOG_CTR, LUID, table, sizeof(table));
	assert_int_equal(answer_error(), -ENOMEM);
	ask(ULOG_CTR, LUID + 64, table, sizeof(table) - 1);
	assert_int_equal(answer_error(), -ENOMEM);
	tell(ULOG_DTR, LUID, NULL, 0);
	assert_int_equal(sent.size, 0);
	assert_true(d.left);
	files_limit(false);
	ask(ULOG_CTR, LUID, table, sizeof(table));
	assert_int_equal(answer_error(), 0);
	assert_false(d.left);
	log = registry_find(&d.registry, LUID);
	assert_non_null(log);
	assert_true(log->restored);
}

/* What an admin has set holds for the daemon after this one, and for the table after this one. */
static void test_a_rate_outlives_daemon_and_table(void **state)
{
	static const char table[] = "65536 clustered-core 1024";
	struct log *log = registry_find(&d.registry, LUID);

	(void)state;
	assert_non_null(log);
	assert_int_equal(rate_region_ns(log, 0), 0);
	assert_int_equal(rate_region_ns(log, 1 << 20), 500000000); /* regions of 512 KiB */
	assert_int_equal(rate_region_ns(log, UINT64_MAX), 1);
	rate_set(log, 1);
	assert_int_equal(rate_region_ns(log, 1), UINT64_C(524288000000000));
	rate_set(log, 12345);
	log_destroy(log, false);
	d.left = true;
	ask(ULOG_CTR, LUID, table, sizeof(table));
	assert_false(d.left);
	log = registry_find(&d.registry, LUID);
	assert_int_equal(atomic_load(&log->hot.shared->resync_rate), 12345);
	ask(ULOG_CTR, LUID + 64, table, sizeof(table) - 1);
	assert_int_equal(answer_error(), 0);
	log = registry_find(&d.registry, LUID + 64);
	assert_int_equal(atomic_load(&log->hot.shared->resync_rate), 12345);
	rate_set(log, UINT64_MAX); /* no limit */
	assert_int_equal(atomic_load(&log->hot.shared->resync_rate), 0);
}

/* A kernel that has asked so often that its numbers are negative to those who take them so. Of the
 * first table nothing is asked, nor is it said that it ends: it could not be loaded. */
static void test_a_table_that_nothing_was_asked_of_is_replaced(void **state)
{
	static const char first[] = "65536 clustered-core 1024";
	static const char second[] = "65536 clustered-core 1024 nosync";
	const uint64_t luid = LUID + 128;

	(void)state;
	last_seq = UINT32_C(0x90000000);
	ask(ULOG_CTR, luid, first, sizeof(first) - 1);
	assert_int_equal(answer_error(), 0);
	ask(ULOG_CTR, luid, second, sizeof(second) - 1);
	assert_int_equal(answer_error(), 0);
	assert_string_equal(registry_find(&d.registry, luid)->args, second);
	ask(ULOG_DTR, luid, NULL, 0);
	assert_null(registry_find(&d.registry, luid));
	last_seq = 0;
}

/* Refused by its log device, which has had a later table. */
static int32_t reconnect_refused(uint64_t luid)
{
	static const char earlier[] = "65536 clustered-disk 7:0 1024 revision=1";

	tell(ULOG_CTR, luid, earlier, sizeof(earlier));
	assert_non_null(opening.opened);
	opening.opened(opening.context, -ESTALE, NULL, "it has had a later table");
	opening.opened = NULL;
	assert_int_not_equal(sent.size, 0);
	return answer_error();
}

/* A thread of the kernel that asks for a table which has been replaced, and is refused, asks for ever, and so does not let
 * it go. But only who has used the later table is known to have done with the earlier one. */
static void test_a_replaced_table_is_let_go(void **state)
{
	static const char later[] = "65536 clustered-core 1024 revision=2";
	const uint64_t luid = LUID + 256, new_luid = LUID + 320, region = 3;
	const struct log *log;

	(void)state;
	assert_int_equal(reconnect_refused(luid), -ESTALE);
	while (d.registry.count > 0)
		log_destroy(d.registry.log[0], true);
	ask(ULOG_CTR, new_luid, later, sizeof(later) - 1);
	assert_int_equal(answer_error(), 0);
	assert_int_equal(reconnect_refused(luid), -ESTALE);

	core_may_be_asked = true;
	tell(ULOG_RESUME, new_luid, NULL, 0);
	core_may_be_asked = false;
	assert_int_equal(sent.size, SIZE_MAX);
	assert_int_equal(reconnect_refused(luid), 0);
	log = registry_find(&d.registry, luid);
	assert_non_null(log);
	ask(ULOG_RESUME, luid, NULL, 0);
	assert_int_equal(answer_error(), 0);
	ask(ULOG_MARK_REGION, luid, &region, sizeof(region));
	assert_int_equal(answer_error(), 0);
	assert_int_equal(hot_next_held(&log->hot, 0), log->hot.regions);
	ask(ULOG_DTR, luid, NULL, 0);
	assert_null(registry_find(&d.registry, luid));
}

/* A mirror whose log device has failed gets another table, with the same device, without asking it; with another
 * device, or a table that cannot come after, that is looked at as ever. */
static void test_a_table_does_not_wait_for_a_failed_device(void **state)
{
	static const char first[] = "65536 clustered-disk 7:0 1024 revision=1";
	static const char next[] = "65536 clustered-disk 7:0 1024 revision=2";
	static const char looked_at[][64] = {"65536 clustered-disk 7:1 1024 revision=2",
					     "65536 clustered-disk 7:0 1024",
					     "65536 clustered-disk 7:0 2048 revision=2"};
	struct mlog_event unread = {.kind = MLOG_EV_LOADED, .loaded.error = -EIO};
	struct mlog_event unclaimed = {.kind = MLOG_EV_CLAIMED, .error = -EIO};
	const uint64_t luid = LUID + 384, next_luid = LUID + 448, other_luid = LUID + 512;
	struct mlog_status status;
	struct log *log;

	(void)state;
	while (d.registry.count > 0)
		log_destroy(d.registry.log[0], true);
	tell(ULOG_CTR, luid, first, sizeof(first) - 1);
	opening.opened(opening.context, 0, NULL, "");
	opening.opened = NULL;
	log = registry_find(&d.registry, luid);
	assert_non_null(log);
	tell(ULOG_CTR, next_luid, next, sizeof(next) - 1);
	assert_non_null(opening.opened); /* it has not failed */
	opening.opened(opening.context, -EIO, NULL, "it cannot be read");
	opening.opened = NULL;
	assert_int_equal(answer_error(), -EIO);

	core_may_be_asked = true;
	tell(ULOG_RESUME, luid, NULL, 0);
	core_may_be_asked = false;
	assert_int_equal(loads, 1);
	/* who has not learned it yet learns it so */
	tell(ULOG_CTR, next_luid, next, sizeof(next) - 1);
	assert_non_null(opening.opened);
	opening.opened(opening.context, -EIO, NULL, "it cannot be read");
	opening.opened = NULL;
	assert_int_equal(answer_error(), 0);
	ask(ULOG_DTR, next_luid, NULL, 0);
	tell(ULOG_CTR, next_luid, next, sizeof(next) - 1);
	opening.opened(opening.context, -EBUSY, NULL, "it is in use");
	opening.opened = NULL;
	assert_int_equal(answer_error(), -EBUSY);
	now_ms += 2 * d.config.log_timeout_ms;
	pump_event(&log->pump, &unread);
	assert_int_equal(claims, 1);
	pump_event(&log->pump, &unclaimed);
	now_ms += 2 * d.config.log_timeout_ms;
	pump_event(&log->pump, &(struct mlog_event){.kind = MLOG_EV_TIMER});
	mlog_status(log->pump.mlog, &status);
	assert_int_equal(status.log, MLOG_LOG_FAILED);
	for (size_t i = 0; i < sizeof(looked_at) / sizeof(looked_at[0]); i++) {
		tell(ULOG_CTR, other_luid, looked_at[i], strlen(looked_at[i]));
		assert_non_null(opening.opened);
		opening.opened(opening.context, -EIO, NULL, "it cannot be read");
		opening.opened = NULL;
		assert_int_equal(answer_error(), -EIO);
	}
	ask(ULOG_CTR, next_luid, next, sizeof(next) - 1);
	assert_int_equal(answer_error(), 0);
	assert_null(opening.opened);
	assert_int_equal(registry_find(&d.registry, next_luid)->members, log->members);
	ask(ULOG_DTR, next_luid, NULL, 0);
	assert_int_equal(answer_error(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bad_payload_is_counted),
	    cmocka_unit_test(test_unknown_log_leaves_room),
	    cmocka_unit_test(test_left_is_restored),
	    cmocka_unit_test(test_a_rate_outlives_daemon_and_table),
	    cmocka_unit_test(test_a_table_that_nothing_was_asked_of_is_replaced),
	    cmocka_unit_test(test_a_replaced_table_is_let_go),
	    cmocka_unit_test(test_a_table_does_not_wait_for_a_failed_device),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
