// SPDX-License-Identifier: GPL-2.0-or-later
/* Who this host is on a log device. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemons/common/host.h"

static void test_configured(void **state)
{
	struct disk_owner owner;
	char name[DISK_NAME_SIZE] = "";

	(void)state;
	assert_int_equal(gethostname(name, sizeof(name) - 1), 0);
	assert_int_equal(host_identity("rack-7", &owner), 0);
	assert_string_equal(owner.host_id, "rack-7");
	assert_string_equal(owner.host_name, name);
	assert_string_equal(owner.cluster, "");
}

static void test_too_long(void **state)
{
	struct disk_owner owner = {.host_id = "untouched"};
	char id[DISK_NAME_SIZE + 1];

	(void)state;
	memset(id, 'x', sizeof(id));
	id[sizeof(id) - 1] = '\0';
	assert_int_equal(host_identity(id, &owner), -ENAMETOOLONG);
	assert_string_equal(owner.host_id, "untouched");
}

/* What the machine says, whatever it says: never empty, and the same each time. */
static void test_default(void **state)
{
	struct disk_owner a;
	struct disk_owner b;
	char line[64] = "";
	FILE *file = fopen("/etc/machine-id", "re");

	(void)state;
	assert_int_equal(host_identity("", &a), 0);
	assert_int_equal(host_identity("", &b), 0);
	assert_true(a.host_id[0] != '\0');
	assert_string_equal(a.host_id, b.host_id);
	if (file && fgets(line, sizeof(line), file) && strlen(line) == 33)
		assert_memory_equal(a.host_id, line, 32);
	else
		assert_string_equal(a.host_id, a.host_name);
	if (file)
		(void)fclose(file);
}

static void test_boot_id(void **state)
{
	char id[DISK_NAME_SIZE];

	(void)state;
	assert_int_equal(host_boot_id(id, sizeof(id)), 0);
	assert_int_equal(strlen(id), 36);
	assert_int_equal(strspn(id, "0123456789abcdef-"), 36);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_configured),
	    cmocka_unit_test(test_too_long),
	    cmocka_unit_test(test_default),
	    cmocka_unit_test(test_boot_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
