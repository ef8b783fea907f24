/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the core notices is an event that people and programs can read, each with a word of its own.
 * And when the kernel is answered. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemons/dlmirrord/daemon.h"
#include "daemons/dlmirrord/flight.h"
#include "daemons/dlmirrord/kernel_netlink.h"
#include "daemons/dlmirrord/logging.h"

#define OURSELVES 1U

/* ---- the world of ports.c, of which notices need little */

static unsigned looked; /* at the legs */
static int marked;

uint32_t daemon_node(const struct daemon *d, const char **ret_why)
{
	(void)d;
	(void)ret_why;
	return OURSELVES;
}

void legs_refresh(struct log *log)
{
	(void)log;
	looked++;
}

void legs_forget(struct log *log)
{
	(void)log;
}

void marker_set(const struct log *log)
{
	(void)log;
	marked++;
}

void marker_clear(const struct log *log)
{
	(void)log;
	marked--;
}

bool logging_traces(void)
{
	return false;
}

void flight_event(const char uuid[KMSG_UUID_SIZE], const struct mlog_event *event)
{
	(void)uuid;
	(void)event;
}

void flight_effect(const char uuid[KMSG_UUID_SIZE], const struct mlog_effect *effect)
{
	(void)uuid;
	(void)effect;
}

static unsigned sent;
static uint32_t sent_seq;

int kernel_netlink_send(int fd, const void *datagram, size_t size)
{
	struct kmsg k;

	(void)fd;
	assert_int_equal(kmsg_decode(datagram, size, &k), KMSG_OK);
	sent++;
	sent_seq = k.seq;
	return 0;
}

void legs_copy(struct log *log, uint64_t region, enum mlog_copy_mode mode)
{
	(void)log;
	(void)region;
	(void)mode;
	fail();
}

void legs_wake(struct log *log)
{
	(void)log;
	fail();
}

void legs_reload(struct log *log)
{
	(void)log;
	fail();
}

void timers_ask(struct log *log, uint64_t at_ms)
{
	(void)log;
	(void)at_ms;
	fail();
}

void log_device_load(struct log *log, uint32_t slot, bool whole)
{
	(void)log;
	(void)slot;
	(void)whole;
	fail();
}

void log_device_claim(struct log *log, uint32_t slot, bool whole)
{
	(void)log;
	(void)slot;
	(void)whole;
	fail();
}

void log_device_write(struct log *log, enum mlog_area area, uint64_t page)
{
	(void)log;
	(void)area;
	(void)page;
	fail();
}

void log_device_release(struct log *log, uint32_t slot, bool whole)
{
	(void)log;
	(void)slot;
	(void)whole;
	fail();
}

void log_device_read_slot(struct log *log, uint32_t slot)
{
	(void)log;
	(void)slot;
	fail();
}

void log_device_empty_slot(struct log *log, uint32_t slot)
{
	(void)log;
	(void)slot;
	fail();
}

void cluster_send(struct cluster *c, const struct log *log, const struct mlog_message *message)
{
	(void)c;
	(void)log;
	(void)message;
	fail();
}

void cluster_sent(struct cluster *c)
{
	(void)c;
	fail();
}

void cluster_lock(struct cluster *c, const struct log *log, uint32_t lock, bool keep)
{
	(void)c;
	(void)log;
	(void)lock;
	(void)keep;
	fail();
}

void cluster_unlock(struct cluster *c, const struct log *log, uint32_t lock)
{
	(void)c;
	(void)log;
	(void)lock;
	fail();
}

/* ---- the tests */

static struct daemon d;
static struct log log_;
static uint64_t memory[64];
static uint64_t incarnation;
static struct admin_events page;

static int setup(void **state)
{
	struct mlog_config config = {.region_count = 1,
				     .region_sectors = 1024,
				     .page_bytes = 512,
				     .lease = 1,
				     .copies = 1,
				     .node = OURSELVES,
				     .members = 1,
				     .incarnation = &incarnation};

	(void)state;
	memset(memory, 0, sizeof(memory));
	log_ = (struct log){.daemon = &d, .uuid = "data-1", .name = "data", .device = "253:4"};
	if (hot_bytes(1, 0) > sizeof(memory))
		return -1;
	hot_bind(&log_.hot, memory, 1, 0);
	log_.pump.mlog = mlog_create(&config, &log_.hot);
	looked = 0;
	marked = 0;
	/* no file: the record is in memory */
	events_open("/nonexistent");
	return log_.pump.mlog != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	log_.pump.mlog = mlog_destroy(log_.pump.mlog);
	events_close();
	return 0;
}

static void assert_event(uint64_t seq, const char *id, uint64_t value, const char *text)
{
	events_read(0, 0, &page);
	events_read(page.record, seq - 1, &page);
	assert_int_equal(page.newest, seq);
	assert_int_equal(page.count, 1);
	assert_string_equal(page.event[0].uuid, "data-1");
	assert_string_equal(page.event[0].name, "data");
	assert_string_equal(page.event[0].id, id);
	assert_int_equal(page.event[0].value, value);
	if (strstr(page.event[0].text, text) == NULL)
		fail_msg("'%s' does not say '%s'", page.event[0].text, text);
}

static void test_each_notice_is_an_event(void **state)
{
	static const struct {
		enum mlog_notice code;
		uint64_t value;
		const char *id;
		uint64_t told;
		const char *text;
	} notices[] = {
	    {MLOG_NOTICE_ATTACHED, 3, "attached", 3, "3 regions to repair"},
	    {MLOG_NOTICE_DETACHED, 0, "detached", 0, "detached"},
	    {MLOG_NOTICE_IN_SYNC, 0, "in-sync", 0, "all regions are in sync"},
	    {MLOG_NOTICE_REPAIRED, 4, "repaired", 4, "4 regions differed"},
	    {MLOG_NOTICE_LOG_FAILED, EIO, "log-failed", EIO,
	     "log device 253:4 failed (Input/output error)"},
	    {MLOG_NOTICE_LOG_OK, 0, "log-back", 0, "log device 253:4 works again"},
	    {MLOG_NOTICE_STALE, 17, "region-stale", 17, "region 17 is out of sync"},
	    {MLOG_NOTICE_STARVED, 18, "region-starved", 18, "region 18"},
	    {MLOG_NOTICE_COPY_FAILED, 19, "copy-failed", 19, "region 19"},
	    {MLOG_NOTICE_VERIFIED, 0, "compared", 0, "0 regions differed"},
	    {MLOG_NOTICE_VERIFIED, 2, "legs-differed", 2, "2 regions differed"},
	    {MLOG_NOTICE_OVERFLOW, 5, "request-dropped", 0, "too many requests"},
	    {MLOG_NOTICE_MEMBER_READY, 2, "member-joined", 2, "node 2 has attached"},
	    {MLOG_NOTICE_MEMBER_LEFT, 2, "member-left", 2, "node 2 has detached"},
	    {MLOG_NOTICE_MEMBER_GONE, 3, "member-gone", 3, "node 3 has left"},
	    {MLOG_NOTICE_MEMBER_DEAD, 3, "member-dead", 3, "node 3 is dead"},
	    {MLOG_NOTICE_QUORUM, 0, "quorum-lost", 0, "quorum lost"},
	    {MLOG_NOTICE_QUORUM, 1, "quorum-back", 0, "part of the quorum again"},
	    {MLOG_NOTICE_MISMATCH, 4, "geometry-differs", 4, "node 4"},
	    {MLOG_NOTICE_OUTDATED, 0, "table-outdated", 0, "it is not served"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(notices) / sizeof(notices[0]); i++) {
		ports.notice(&log_, notices[i].code, notices[i].value);
		assert_event(i + 1, notices[i].id, notices[i].told, notices[i].text);
	}
	assert_int_equal(looked, 2); /* attached, stale */
	assert_int_equal(marked, -1);
	/* of ourselves as a member nobody needs to hear */
	ports.notice(&log_, MLOG_NOTICE_MEMBER_READY, OURSELVES);
	events_read(0, 0, &page);
	assert_int_equal(page.newest, sizeof(notices) / sizeof(notices[0]));
}

static void phase_becomes(enum mlog_phase phase)
{
	atomic_store(&log_.hot.shared->phase, (uint32_t)phase);
	ports.effects_end(&log_);
	ports.effects_end(&log_); /* of a step that changes nothing */
}

/* Each phase that may last once, those that a notice ends not again. */
static void test_phases_are_events(void **state)
{
	(void)state;
	phase_becomes(MLOG_CREATED);
	events_read(0, 0, &page);
	assert_int_equal(page.newest, 0);
	phase_becomes(MLOG_ATTACHING);
	assert_event(1, "attaching", 0, "is attached now");
	phase_becomes(MLOG_ACTIVE);
	phase_becomes(MLOG_SUSPENDING);
	assert_event(2, "suspending", 0, "is suspended now");
	phase_becomes(MLOG_DETACHING);
	phase_becomes(MLOG_SUSPENDED);
	phase_becomes(MLOG_ATTACHING);
	assert_event(3, "attaching", 0, "is attached now");
}

static void assert_sent(unsigned count, uint32_t seq)
{
	assert_int_equal(sent, count);
	assert_int_equal(sent_seq, seq);
}

/* No write may come before it is known what the table does with those that a leg misses. */
static void test_a_resume_waits_for_the_table(void **state)
{
	const struct mlog_reply count = {.seq = 6, .type = ULOG_GET_SYNC_COUNT};
	struct mlog_reply resume = {.seq = 5, .type = ULOG_RESUME};

	(void)state;
	sent = 0;
	log_.version = 3;
	ports.reply(&log_, &resume); /* nobody is asked, so there is nothing to wait for */
	assert_sent(1, 5);
	log_.finding = true;
	ports.reply(&log_, &resume);
	ports.reply(&log_, &count);
	assert_sent(2, 6);
	resume.seq = 7;
	ports.reply(&log_, &resume); /* a later one is answered: the kernel has waited for long */
	assert_sent(3, 7);
	ports_resume_answer(&log_);
	assert_sent(4, 5);
	ports_resume_answer(&log_);
	assert_sent(4, 5);

	resume.seq = 8;
	resume.error = -EIO;
	ports.reply(&log_, &resume);
	assert_sent(5, 8);
	resume.seq = 9;
	resume.error = 0;
	atomic_store(&log_.hot.shared->hold, HOT_HOLD_YES); /* an earlier daemon's knowledge */
	ports.reply(&log_, &resume);
	assert_sent(6, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_each_notice_is_an_event, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_phases_are_events, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_resume_waits_for_the_table, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
