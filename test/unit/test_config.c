// SPDX-License-Identifier: GPL-2.0-or-later
/* The configuration file: defaults, every option, and every way to get a line wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemons/common/config.h"

static char error[256];

/* Reads text as a file. The path is not the same each time, so messages are compared from ":". */
static int read_bytes_as_file(const char *text, size_t size, struct config *config)
{
	char path[64];
	int fd = memfd_create("config", MFD_CLOEXEC);
	int result;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), (ssize_t)size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	result = config_read(path, config, error, sizeof(error));
	(void)close(fd);
	return result;
}

static int read_text(const char *text, struct config *config)
{
	return read_bytes_as_file(text, strlen(text), config);
}

/* Field by field: the padding of a struct has no value. */
static void assert_config_equal(const struct config *a, const struct config *b)
{
	assert_int_equal(a->responders, b->responders);
	assert_int_equal(a->realtime_priority, b->realtime_priority);
	assert_int_equal(a->watchdog_s, b->watchdog_s);
	assert_int_equal(a->receive_buffer_mib, b->receive_buffer_mib);
	assert_string_equal(a->admin_group, b->admin_group);
	assert_string_equal(a->run_dir, b->run_dir);
	assert_string_equal(a->state_dir, b->state_dir);
	assert_string_equal(a->level, b->level);
	assert_string_equal(a->target, b->target);
	assert_string_equal(a->host_id, b->host_id);
	assert_int_equal(a->cluster, b->cluster);
	assert_int_equal(a->hysteresis_ms, b->hysteresis_ms);
	assert_int_equal(a->sync_delay_ms, b->sync_delay_ms);
	assert_int_equal(a->log_timeout_ms, b->log_timeout_ms);
	assert_int_equal(a->retry_ms, b->retry_ms);
	assert_int_equal(a->slots, b->slots);
	assert_int_equal(a->copies, b->copies);
	assert_int_equal(a->busy_mib_s, b->busy_mib_s);
	assert_int_equal(a->compare_after_gap, b->compare_after_gap);
}

static void assert_refused(const char *text, const char *message)
{
	struct config config;
	struct config before;
	char expected[256];
	const char *from;

	config_default(&config);
	before = config;
	assert_int_equal(read_text(text, &config), -EINVAL);
	from = strchr(error, ':');
	assert_non_null(from);
	(void)snprintf(expected, sizeof(expected), "%s [config-invalid]", message);
	assert_string_equal(from + 1, expected);
	assert_config_equal(&config, &before);
}

static void test_defaults(void **state)
{
	struct config c;

	(void)state;
	config_default(&c);
	assert_true(c.responders);
	assert_int_equal(c.realtime_priority, 2);
	assert_int_equal(c.watchdog_s, 20);
	assert_int_equal(c.receive_buffer_mib, 32);
	assert_string_equal(c.admin_group, "");
	assert_string_equal(c.run_dir, "/run/dlmirror");
	assert_string_equal(c.state_dir, "/var/lib/dlmirror");
	assert_string_equal(c.level, "notice");
	assert_string_equal(c.target, "syslog");
	assert_string_equal(c.host_id, "");
	assert_false(c.cluster);
	assert_int_equal(c.hysteresis_ms, 3000);
	assert_int_equal(c.sync_delay_ms, 1000);
	assert_int_equal(c.log_timeout_ms, 10000);
	assert_int_equal(c.retry_ms, 5000);
	assert_int_equal(c.slots, 16);
	assert_int_equal(c.copies, 4);
	assert_int_equal(c.busy_mib_s, 20);
	assert_true(c.compare_after_gap);
}

static void test_all_options(void **state)
{
	struct config c;

	(void)state;
	config_default(&c);
	assert_int_equal(read_text("# all of them\n"
				   "[daemon]\n"
				   "responders = no\n"
				   "realtime_priority = 0\n"
				   "  watchdog_s = 0\n" /* indented: not a continuation */
				   "\treceive_buffer_mib=64\n"
				   "admin_group = disk ; who may ask\n"
				   "run_dir = /run/a\n"
				   "state_dir = /var/b\n"
				   "[log]\n"
				   "level = trace\n"
				   "target = stderr\n"
				   "[host]\n"
				   "id = node-1\n"
				   "\n"
				   "[cluster]\n"
				   "enabled = yes\n"
				   "[marks]\n"
				   "hysteresis_ms = 10\n"
				   "sync_delay_ms = 0\n"
				   "log_timeout_ms = 600000\n"
				   "retry_ms = 100\n"
				   "slots = 32\n"
				   "[repair]\n"
				   "copies = 16\n"
				   "busy_mib_s = 1\n"
				   "compare_after_gap = off",
				   &c),
			 0);
	assert_string_equal(error, "");
	assert_false(c.responders);
	assert_int_equal(c.realtime_priority, 0);
	assert_int_equal(c.watchdog_s, 0);
	assert_int_equal(c.receive_buffer_mib, 64);
	assert_string_equal(c.admin_group, "disk");
	assert_string_equal(c.run_dir, "/run/a");
	assert_string_equal(c.state_dir, "/var/b");
	assert_string_equal(c.level, "trace");
	assert_string_equal(c.target, "stderr");
	assert_string_equal(c.host_id, "node-1");
	assert_true(c.cluster);
	assert_int_equal(c.hysteresis_ms, 10);
	assert_int_equal(c.sync_delay_ms, 0);
	assert_int_equal(c.log_timeout_ms, 600000);
	assert_int_equal(c.retry_ms, 100);
	assert_int_equal(c.slots, 32);
	assert_int_equal(c.copies, 16);
	assert_int_equal(c.busy_mib_s, 1);
	assert_false(c.compare_after_gap);
}

static void test_refusals(void **state)
{
	(void)state;
	assert_refused("[daemon]\nwatchdog_s = 3601\n",
		       "2: watchdog_s = 3601: must be a number from 0 to 3600");
	assert_refused("[daemon]\nwatchdog_s = -1\n",
		       "2: watchdog_s = -1: must be a number from 0 to 3600");
	assert_refused("[daemon]\nwatchdog_s = 5s\n",
		       "2: watchdog_s = 5s: must be a number from 0 to 3600");
	assert_refused("[daemon]\nwatchdog_s =\n",
		       "2: watchdog_s = : must be a number from 0 to 3600");
	assert_refused("[repair]\ncopies = 99999999999999999999\n",
		       "2: copies = 99999999999999999999: must be a number from 1 to 16");
	assert_refused("[marks]\nslots = 33\n", "2: slots = 33: must be a number from 1 to 32");
	assert_refused("[daemon]\nresponders = maybe\n",
		       "2: responders = maybe: must be yes or no");
	assert_refused("[log]\nlevel = loud\n", "2: level = loud: must be one of error, warning, "
						"notice, info, debug, trace");
	assert_refused("[daemon]\nrun_dir = run\n", "2: run_dir = run: must be an absolute path");
	assert_refused("[host]\nid = a b\n", "2: id: must be printable and without blanks");
	assert_refused(
	    "[host]\n\n"
	    "id = 0123456789012345678901234567890123456789012345678901234567890123456789\n",
	    "3: id: 70 characters, at most 64 fit");
	assert_refused("[log]\nspeed = 1\n",
		       "2: [log] has no option speed; dlmirror.conf(5) lists them");
	assert_refused("[logs]\nlevel = info\n", "2: there is no section [logs]; the sections are "
						 "daemon, log, host, cluster, marks and "
						 "repair");
	assert_refused("level = info\n", "1: level stands before the first section; write [daemon] "
					 "or another section above it");
	assert_refused("[log]\nlevel = info\nlevel = debug\n",
		       "3: [log] level is given twice: keep one of the two");
	assert_refused("[log]\nlevel\n", "2: must be a [section], \"option = value\", or a comment "
					 "after # or ;");
	assert_refused("[log\n", "1: must be a [section], \"option = value\", or a comment after # "
				 "or ;");
	/* The first error is the one that is told. */
	assert_refused("[log]\nlevel = x\ntarget = y\n",
		       "2: level = x: must be one of error, warning, notice, info, debug, trace");
}

static void test_long_line(void **state)
{
	char text[512];
	struct config c;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	config_default(&c);
	assert_int_equal(read_text(text, &c), -EINVAL);
	assert_non_null(strstr(error, ":1: the line is too long: at most "));
}

static void test_nul(void **state)
{
	static const char text[] = "[log]\nlevel = \0info\ntarget = stderr\n";
	struct config c;

	(void)state;
	config_default(&c);
	assert_int_equal(read_bytes_as_file(text, sizeof(text) - 1, &c), -EINVAL);
	assert_non_null(strstr(error, ":2: the line contains a NUL character"));
}

static void test_missing(void **state)
{
	struct config c;

	(void)state;
	config_default(&c);
	assert_int_equal(config_read("/nonexistent/dlmirror.conf", &c, error, sizeof(error)),
			 -ENOENT);
	assert_string_equal(error, "/nonexistent/dlmirror.conf: cannot be opened: No such file or "
				   "directory [config-unreadable]");
	assert_int_equal(c.copies, 4);
	assert_int_equal(config_read("/", &c, error, sizeof(error)), -EISDIR);
}

/* The example that is installed must be valid and must say what the defaults are. */
static void test_example(void **state)
{
	const char *top = getenv("top_srcdir");
	char path[4096];
	struct config defaults;
	struct config c;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/etc/dlmirror.conf", top ? top : ".");
	memset(&c, 0, sizeof(c));
	config_default(&defaults);
	if (config_read(path, &c, error, sizeof(error)) != 0)
		fail_msg("%s", error);
	assert_config_equal(&c, &defaults);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults), cmocka_unit_test(test_all_options),
	    cmocka_unit_test(test_refusals), cmocka_unit_test(test_long_line),
	    cmocka_unit_test(test_nul),	     cmocka_unit_test(test_missing),
	    cmocka_unit_test(test_example),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
