/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Logging to somebody who does not read: who logs goes on, and what is lost is said. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <qb/qblog.h>

#include "daemons/dlmirrord/logging.h"
#include "daemons/dlmirrord/message_log.h"

#define WAIT_MS	   20000
#define LINES	   4000U
#define PIPE_BYTES 4096

/* Logs into the pipe at stderr, says when that is over, and waits for a word before the end. */
static void child_main(int said, int heard)
{
	char byte = 'x';

	logging_start("stderr", "info");
	for (unsigned i = 0; i < LINES; i++)
		qb_log(LOG_INFO, "line %u of many that nobody reads for the time being", i);
	qb_log(LOG_DEBUG, "below the level");
	if (write(said, &byte, 1) != 1 || read(heard, &byte, 1) != 1)
		_exit(1);
	logging_flush(WAIT_MS);
	message_log(LOG_NOTICE, MSG_LOG_BACK, "the device %s works", "d");
	message_log(LOG_ERR, MSG_LOG_FAILED, "a long line: %0600u", 0U);
	qb_log(LOG_INFO, "the last line");
	logging_end();
	_exit(0);
}

static void test_stuck(void **state)
{
	int log[2], said[2], heard[2];
	unsigned next = 0;
	unsigned written = 0;
	unsigned lost;
	char line[1024];
	unsigned ids = 0;
	bool last = false;
	FILE *file;
	int status;
	pid_t pid;

	(void)state;
	assert_true(pipe(log) == 0 && pipe(said) == 0 && pipe(heard) == 0);
	assert_true(fcntl(log[1], F_SETPIPE_SZ, PIPE_BYTES) >= PIPE_BYTES);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(log[1], STDERR_FILENO);
		close(log[0]);
		child_main(said[1], heard[0]);
	}
	close(log[1]);
	/* It comes this far while the pipe is full. */
	if (poll(&(struct pollfd){.fd = said[0], .events = POLLIN}, 1, WAIT_MS) != 1) {
		kill(pid, SIGKILL);
		fail_msg("who logs waits for who reads the log");
	}
	assert_int_equal(write(heard[1], "x", 1), 1);
	file = fdopen(log[0], "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		const char *text = strstr(line, ": line ");
		unsigned number;

		assert_null(strstr(line, "below the level"));
		if (text != NULL) {
			assert_int_equal(sscanf(text, ": line %u of", &number), 1);
			assert_int_equal(number, next);
			next++;
			written++;
		} else if (strstr(line, "lost here") != NULL) {
			/* It stands where they are missing. */
			assert_int_equal(sscanf(line, "dlmirrord: %u lines", &lost), 1);
			assert_true(lost > 0);
			assert_non_null(strstr(line, " [log-lines-lost]\n"));
			next += lost;
		} else if (strstr(line, "the device d") != NULL) {
			assert_non_null(strstr(line, ": the device d works [log-back]\n"));
			ids++;
		} else if (strstr(line, "a long line") != NULL) {
			/* Cut before its id, not after. */
			assert_non_null(strstr(line, "000 [log-failed]\n"));
			ids++;
		} else {
			assert_non_null(strstr(line, "the last line"));
			last = true;
		}
	}
	fclose(file);
	assert_true(last);
	assert_int_equal(ids, 2);
	assert_int_equal(next, LINES);
	assert_true(written >= 512 && written < LINES);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(said[0]);
	close(said[1]);
	close(heard[0]);
	close(heard[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_stuck),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
