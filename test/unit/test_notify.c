/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a service manager hears. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemons/dlmirrord/notify.h"

static int listen_at(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	memcpy(address.sun_path, name, length);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
			 0);
	return fd;
}

static void assert_heard(const char *name)
{
	int fd = listen_at(name);
	char text[64];

	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(notify_ready(), 0);
	assert_int_equal(recv(fd, text, sizeof(text), MSG_DONTWAIT), 7);
	assert_memory_equal(text, "READY=1", 7);
	close(fd);
}

static void test_ready(void **state)
{
	char directory[] = "/tmp/test_notify.XXXXXX";
	char path[sizeof(directory) + 8];

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/notify", directory);
	assert_heard(path);
	unlink(path);
	assert_int_equal(notify_ready(), -ENOENT);
	rmdir(directory);
	snprintf(path, sizeof(path), "@%s", directory + 1);
	assert_heard(path);
	assert_int_equal(notify_ready(), -ECONNREFUSED);
}

static void test_nobody_and_nonsense(void **state)
{
	char longest[200];

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(notify_ready(), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(notify_ready(), 0);
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(notify_ready(), -EINVAL);
	memset(longest, '/', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	setenv("NOTIFY_SOCKET", longest, 1);
	assert_int_equal(notify_ready(), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ready),
	    cmocka_unit_test(test_nobody_and_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
