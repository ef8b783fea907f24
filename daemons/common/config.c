// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The configuration file: which options exist, their defaults and what they may be. One table owns
 * the first and the last of these; config_default() owns the defaults. What an option means for the
 * daemon is not known here.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mlog.h"
#include "codec/disk.h"
#include "codec/group.h"
#include "daemons/common/config.h"
#include "daemons/common/inifile.h"

enum option_kind {
	OPTION_NUMBER, /* uint32_t */
	OPTION_SWITCH, /* bool */
	OPTION_CHOICE, /* char[], one of the words in choices */
	OPTION_PATH,   /* char[], absolute */
	OPTION_WORD,   /* char[], printable and without blanks; may be empty */
};

struct option {
	const char *section;
	const char *name;
	enum option_kind kind;
	size_t offset;
	size_t size;
	uint32_t min;
	uint32_t max;
	const char *const *choices; /* ends in NULL */
};

#define PLACE(field) offsetof(struct config, field), sizeof(((struct config *)0)->field)
#define NUMBER(section, field, min, max)                                                           \
	{                                                                                          \
		section, #field, OPTION_NUMBER, PLACE(field), min, max, NULL                       \
	}
#define NAMED_SWITCH(section, name, field)                                                         \
	{                                                                                          \
		section, name, OPTION_SWITCH, PLACE(field), 0, 0, NULL                             \
	}
#define SWITCH(section, field) NAMED_SWITCH(section, #field, field)
#define CHOICE(section, field, choices)                                                            \
	{                                                                                          \
		section, #field, OPTION_CHOICE, PLACE(field), 0, 0, choices                        \
	}
#define PATH(section, field)                                                                       \
	{                                                                                          \
		section, #field, OPTION_PATH, PLACE(field), 0, 0, NULL                             \
	}
#define WORD(section, name, field)                                                                 \
	{                                                                                          \
		section, name, OPTION_WORD, PLACE(field), 0, 0, NULL                               \
	}

static const char *const levels[] = {"error", "warning", "notice", "info", "debug", "trace", NULL};
static const char *const targets[] = {"syslog", "stderr", NULL};

static const struct option options[] = {
    SWITCH("daemon", responders),
    NUMBER("daemon", realtime_priority, 0, 98),
    NUMBER("daemon", watchdog_s, 0, 3600),
    NUMBER("daemon", receive_buffer_mib, 1, 1024),
    WORD("daemon", "admin_group", admin_group),
    PATH("daemon", run_dir),
    PATH("daemon", state_dir),
    CHOICE("log", level, levels),
    CHOICE("log", target, targets),
    WORD("host", "id", host_id),
    NAMED_SWITCH("cluster", "enabled", cluster),
    NUMBER("cluster", protocol, 1, GROUP_VERSION),
    NUMBER("marks", hysteresis_ms, 10, 3600000),
    NUMBER("marks", sync_delay_ms, 0, 600000),
    NUMBER("marks", log_timeout_ms, 100, 600000),
    NUMBER("marks", retry_ms, 100, 3600000),
    NUMBER("marks", slots, 1, MLOG_MEMBERS_MAX),
    NUMBER("repair", copies, 1, MLOG_COPIES_MAX),
    NUMBER("repair", busy_mib_s, 1, 1048576),
    SWITCH("repair", compare_after_gap),
};
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

_Static_assert(sizeof(((struct config *)0)->realtime_priority) == sizeof(uint32_t),
	       "numbers are stored as 32 bits");

/* One reading of one file. */
struct reading {
	struct inifile *file;
	bool seen[OPTION_COUNT];
	struct config config;
};

void config_default(struct config *ret)
{
	*ret = (struct config){
	    .responders = true,
	    .realtime_priority = 2,
	    .watchdog_s = 20,
	    .receive_buffer_mib = 32,
	    .run_dir = "/run/dlmirror",
	    .state_dir = "/var/lib/dlmirror",
	    .level = "notice",
	    .target = "syslog",
	    .protocol = GROUP_VERSION,
	    .hysteresis_ms = 3000,
	    .sync_delay_ms = 1000,
	    .log_timeout_ms = 10000,
	    .retry_ms = 5000,
	    .slots = DISK_SLOTS_DEFAULT,
	    .copies = 4,
	    .busy_mib_s = 20,
	    .compare_after_gap = true,
	};
}

static void number_store(struct reading *r, const struct option *option, const char *value)
{
	char *end;
	unsigned long long number = 0;
	bool good = isdigit((unsigned char)value[0]) != 0;
	uint32_t result;

	if (good) {
		errno = 0;
		number = strtoull(value, &end, 10);
		good = errno == 0 && *end == '\0' && number >= option->min && number <= option->max;
	}
	if (!good) {
		inifile_fail(r->file, "%s = %s: must be a number from %u to %u", option->name,
			     value, option->min, option->max);
		return;
	}
	result = (uint32_t)number;
	memcpy((char *)&r->config + option->offset, &result, sizeof(result));
}

static void switch_store(struct reading *r, const struct option *option, const char *value)
{
	static const char *const words[] = {"no", "yes", "off", "on", "false", "true", "0", "1"};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		bool on = i % 2 != 0;

		if (strcmp(value, words[i]) != 0)
			continue;
		memcpy((char *)&r->config + option->offset, &on, sizeof(on));
		return;
	}
	inifile_fail(r->file, "%s = %s: must be yes or no", option->name, value);
}

static bool is_choice(const struct option *option, const char *value)
{
	const char *const *choice;

	for (choice = option->choices; *choice; choice++)
		if (strcmp(*choice, value) == 0)
			return true;
	return false;
}

static bool is_printable(const char *value)
{
	for (; *value; value++)
		if (!isgraph((unsigned char)*value))
			return false;
	return true;
}

static void choice_fail(struct reading *r, const struct option *option, const char *value)
{
	char list[128] = "";
	const char *const *choice;

	for (choice = option->choices; *choice; choice++) {
		if (list[0])
			strncat(list, ", ", sizeof(list) - strlen(list) - 1);
		strncat(list, *choice, sizeof(list) - strlen(list) - 1);
	}
	inifile_fail(r->file, "%s = %s: must be one of %s", option->name, value, list);
}

static void text_store(struct reading *r, const struct option *option, const char *value)
{
	size_t length = strlen(value);

	if (option->kind == OPTION_CHOICE && !is_choice(option, value)) {
		choice_fail(r, option, value);
	} else if (option->kind == OPTION_PATH && value[0] != '/') {
		inifile_fail(r->file, "%s = %s: must be an absolute path", option->name, value);
	} else if (!is_printable(value)) {
		inifile_fail(r->file, "%s: must be printable and without blanks", option->name);
	} else if (length >= option->size) {
		inifile_fail(r->file, "%s: %zu characters, at most %zu fit", option->name, length,
			     option->size - 1);
	} else {
		memcpy((char *)&r->config + option->offset, value, length + 1);
	}
}

static void option_store(struct reading *r, const struct option *option, const char *value)
{
	bool *seen = &r->seen[option - options];

	if (*seen) {
		inifile_fail(r->file, "[%s] %s is given twice: keep one of the two",
			     option->section, option->name);
		return;
	}
	*seen = true;
	switch (option->kind) {
	case OPTION_NUMBER:
		number_store(r, option, value);
		break;
	case OPTION_SWITCH:
		switch_store(r, option, value);
		break;
	case OPTION_CHOICE:
	case OPTION_PATH:
	case OPTION_WORD:
		text_store(r, option, value);
		break;
	}
}

static void on_option(struct inifile *file, void *context, const char *section, const char *name,
		      const char *value)
{
	struct reading *r = context;
	bool section_known = false;
	size_t i;

	r->file = file;
	for (i = 0; i < OPTION_COUNT; i++) {
		if (strcmp(options[i].section, section) != 0)
			continue;
		section_known = true;
		if (strcmp(options[i].name, name) != 0)
			continue;
		option_store(r, &options[i], value);
		return;
	}
	if (section_known)
		inifile_fail(r->file, "[%s] has no option %s; dlmirror.conf(5) lists them", section,
			     name);
	else if (section[0] == '\0')
		inifile_fail(
		    r->file,
		    "%s stands before the first section; write [daemon] or another section "
		    "above it",
		    name);
	else
		inifile_fail(
		    r->file,
		    "there is no section [%s]; the sections are daemon, log, host, cluster, "
		    "marks and repair",
		    section);
}

int config_read(const char *path, struct config *config, char *error, size_t size)
{
	struct reading r = {.config = *config};
	int result = inifile_read(path, on_option, &r, error, size);

	if (result == 0)
		*config = r.config;
	return result;
}
