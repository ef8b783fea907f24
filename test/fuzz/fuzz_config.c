/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration file: text from an administrator's editor. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemons/common/config.h"
#include "test/fuzz/fuzz.h"

#define TEXT_MAX 4096U

static bool is_string(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static void check_values(const struct config *c)
{
	MUST(c->realtime_priority >= 0 && c->realtime_priority <= 98);
	MUST(c->receive_buffer_mib >= 1 && c->copies >= 1 && c->slots >= 1 && c->slots <= 128);
	MUST(c->hysteresis_ms >= 10 && c->retry_ms >= 100 && c->busy_mib_s >= 1);
	MUST(is_string(c->admin_group, sizeof(c->admin_group)));
	MUST(is_string(c->run_dir, sizeof(c->run_dir)) && c->run_dir[0] == '/');
	MUST(is_string(c->state_dir, sizeof(c->state_dir)) && c->state_dir[0] == '/');
	MUST(is_string(c->level, sizeof(c->level)) && c->level[0]);
	MUST(is_string(c->target, sizeof(c->target)) && c->target[0]);
	MUST(is_string(c->host_id, sizeof(c->host_id)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	char error[256];
	struct config before;
	struct config config;
	int fd;
	int result;

	if (size > TEXT_MAX)
		return 0;
	fd = memfd_create("config", MFD_CLOEXEC);
	MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	memset(&config, 0, sizeof(config));
	config_default(&config);
	memcpy(&before, &config, sizeof(before));
	memset(error, 0xee, sizeof(error));
	result = config_read(path, &config, error, sizeof(error));
	(void)close(fd);
	MUST(is_string(error, sizeof(error)));
	for (const char *c = error; *c != '\0'; c++)
		MUST(*c >= ' ' && *c <= '~');
	if (result == 0) {
		MUST(error[0] == '\0');
		check_values(&config);
	} else {
		MUST(result == -EINVAL && strlen(error) > 10);
		MUST(memcmp(&before, &config, sizeof(config)) == 0);
	}
	return 0;
}
