// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "daemons/common/host.h"

#define MACHINE_ID	  "/etc/machine-id"
#define MACHINE_ID_LENGTH 32U
#define BOOT_ID		  "/proc/sys/kernel/random/boot_id"

/* The first line of a small file. */
static int line_read(const char *path, char *ret, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size;
	int result = 0;

	if (fd < 0)
		return -errno;
	size = read(fd, ret, cap - 1);
	if (size < 0)
		result = -errno;
	(void)close(fd);
	if (result != 0)
		return result;
	ret[size] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

/* Before the first boot of an image the file is empty or says "uninitialized". */
static bool is_machine_id(const char *text)
{
	return strlen(text) == MACHINE_ID_LENGTH &&
	       strspn(text, "0123456789abcdef") == MACHINE_ID_LENGTH;
}

int host_identity(const char *config_host_id, struct disk_owner *ret)
{
	struct disk_owner owner = {0};
	char id[DISK_NAME_SIZE];

	if (gethostname(owner.host_name, sizeof(owner.host_name) - 1) != 0)
		return -errno;
	if (config_host_id[0] != '\0') {
		if (strlen(config_host_id) >= sizeof(owner.host_id))
			return -ENAMETOOLONG;
		strcpy(owner.host_id, config_host_id);
	} else if (line_read(MACHINE_ID, id, sizeof(id)) == 0 && is_machine_id(id)) {
		strcpy(owner.host_id, id);
	} else {
		strcpy(owner.host_id, owner.host_name);
	}
	*ret = owner;
	return 0;
}

int host_boot_id(char *ret, size_t cap)
{
	return line_read(BOOT_ID, ret, cap);
}
