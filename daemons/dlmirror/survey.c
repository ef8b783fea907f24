// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include "daemons/dlmirror/survey.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <corosync/cmap.h>

#include "daemons/dlmirror/agreement.h"
#include "daemons/dlmirror/apart.h"
#include "daemons/dlmirror/block.h"
#include "daemons/dlmirror/configured.h"
#include "daemons/dlmirror/mapper.h"
#include "daemons/dlmirror/mirrors.h"
#include "daemons/dlmirror/nodes.h"
#include "daemons/dlmirror/snapshot.h"
#include "daemons/dlmirror/ui.h"

#define DLM_CONF     "/etc/dlm/dlm.conf"
#define TIMEOUT_MS   3000
#define MIRRORS_MAX  1024U
#define REFRESH_MS   300U /* for the health of the legs */
#define READ_BYTES   4096U
#define COMMAND_SIZE 128U

static struct fact fact_is(uint64_t value)
{
	return (struct fact){.known = true, .value = value};
}

static struct fact __attribute__((format(printf, 1, 2))) fact_unknown(const char *format, ...)
{
	struct fact fact = {.known = false};
	va_list args;

	va_start(args, format);
	(void)vsnprintf(fact.why, sizeof(fact.why), format, args);
	va_end(args);
	return fact;
}

/* A file that holds one number; absent: its value when there is no such file, or NULL. */
static struct fact number_read(const char *path, const uint64_t *absent)
{
	FILE *file = fopen(path, "re");
	struct fact fact;
	uint64_t value;

	if (!file && errno == ENOENT && absent)
		return fact_is(*absent);
	if (!file)
		return fact_unknown("%s cannot be opened: %s", path, strerror(errno));
	fact = fscanf(file, "%" SCNu64, &value) == 1 ? fact_is(value)
						     : fact_unknown("%s holds no number", path);
	(void)fclose(file);
	return fact;
}

/* ---- the kernel */

/* Whether a line of the file has text; -1: it cannot be read. */
static int file_has(const char *path, const char *text)
{
	FILE *file = fopen(path, "re");
	char line[4096];
	int found = 0;

	if (!file)
		return -1;
	while (!found && fgets(line, sizeof(line), file))
		found = strstr(line, text) != NULL;
	(void)fclose(file);
	return found;
}

/* name: as its file is called, "dm-mirror". */
static struct fact module_look(const char *name)
{
	struct utsname kernel;
	char loaded[PATH_MAX];
	char path[PATH_MAX];
	char file[64];
	char *at;
	int available;

	(void)snprintf(loaded, sizeof(loaded), "/sys/module/%s", name);
	while ((at = strchr(loaded, '-')))
		*at = '_';
	if (access(loaded, F_OK) == 0)
		return fact_is(FACTS_MODULE_THERE);
	(void)uname(&kernel);
	(void)snprintf(file, sizeof(file), "/%s.ko", name);
	(void)snprintf(path, sizeof(path), "/lib/modules/%s/modules.builtin", kernel.release);
	if (file_has(path, file) == 1)
		return fact_is(FACTS_MODULE_THERE);
	(void)snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", kernel.release);
	available = file_has(path, file);
	if (available < 0)
		return fact_unknown("it is not loaded, and %s cannot be read: %s", path,
				    strerror(errno));
	return fact_is(available ? FACTS_MODULE_AVAILABLE : FACTS_MODULE_MISSING);
}

static struct fact target_look(void)
{
	char error[MAPPER_ERROR_SIZE];
	bool there;

	if (mapper_has_mirror_target(&there, error) != 0)
		return fact_unknown("it does not answer: %s", error);
	return fact_is(there);
}

static void kernel_survey(struct facts *f)
{
	static const uint64_t off = 0; /* a kernel without the detector */

	f->module = module_look("dm-mirror");
	f->log_module = module_look("dm-log-userspace");
	f->mirror_target = target_look();
	f->hung_task_s = number_read("/proc/sys/kernel/hung_task_timeout_secs", &off);
	f->hung_task_panic = number_read("/proc/sys/kernel/hung_task_panic", &off);
}

/* ---- corosync and DLM */

struct corosync_look {
	cs_error_t error; /* of the connection */
	cs_error_t token_error;
	cs_error_t consensus_error;
	uint32_t token_ms;
	uint32_t consensus_ms;
};

static void corosync_ask(const void *argument, void *result)
{
	struct corosync_look look = {0};
	cmap_handle_t map;

	(void)argument;
	look.error = cmap_initialize(&map);
	if (look.error == CS_OK) {
		/* What it uses, not what its file says. */
		look.token_error =
		    cmap_get_uint32(map, "runtime.config.totem.token", &look.token_ms);
		look.consensus_error =
		    cmap_get_uint32(map, "runtime.config.totem.consensus", &look.consensus_ms);
		(void)cmap_finalize(map);
	}
	memcpy(result, &look, sizeof(look));
}

static struct fact corosync_number(cs_error_t error, uint32_t value)
{
	return error == CS_OK ? fact_is(value)
			      : fact_unknown("corosync does not tell it: %s", cs_strerror(error));
}

static void corosync_survey(struct facts *f)
{
	struct corosync_look look;
	int error = apart_run(corosync_ask, NULL, &look, sizeof(look), TIMEOUT_MS);

	if (error == -ETIMEDOUT)
		f->corosync = fact_is(0);
	else if (error != 0)
		f->corosync = fact_unknown("it cannot be asked: %s", strerror(-error));
	else if (look.error == CS_OK)
		f->corosync = fact_is(1);
	else if (look.error == CS_ERR_ACCESS)
		f->corosync = fact_unknown("only root may ask it");
	else
		f->corosync = fact_is(0);
	if (!f->corosync.known || !f->corosync.value) {
		f->token_ms = fact_unknown("corosync does not answer");
		f->consensus_ms = f->token_ms;
		return;
	}
	f->token_ms = corosync_number(look.token_error, look.token_ms);
	f->consensus_ms = corosync_number(look.consensus_error, look.consensus_ms);
}

static struct fact dlm_conf_read(void)
{
	FILE *file = fopen(DLM_CONF, "re");
	char line[1024];
	unsigned number;
	uint64_t fencing = 1;

	if (!file && errno != ENOENT)
		return fact_unknown("%s cannot be opened: %s", DLM_CONF, strerror(errno));
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, " enable_fencing = %u", &number) == 1)
			fencing = number != 0;
	if (file)
		(void)fclose(file);
	return fact_is(fencing);
}

/* ---- units */

static struct fact unit_look(const char *name)
{
	char command[COMMAND_SIZE];
	char state[64] = "";
	FILE *output;

	if (access("/run/systemd/system", F_OK) != 0)
		return fact_unknown("systemd does not run here");
	(void)snprintf(command, sizeof(command), "systemctl is-enabled %s 2>/dev/null", name);
	output = popen(command, "re");
	if (output) {
		if (!fgets(state, sizeof(state), output))
			state[0] = '\0';
		(void)pclose(output);
	}
	state[strcspn(state, "\n")] = '\0';
	if (state[0] == '\0' || strcmp(state, "not-found") == 0)
		return fact_unknown("systemd knows no such unit");
	/* static, indirect, generated: others start them */
	return fact_is(strcmp(state, "disabled") != 0 && strncmp(state, "masked", 6) != 0);
}

/* What Pacemaker starts is disabled, and should be. */
static struct fact unit_or_pacemaker(const char *name)
{
	struct fact unit = unit_look(name);
	struct fact pacemaker;

	if (!unit.known || unit.value)
		return unit;
	pacemaker = unit_look("pacemaker.service");
	if (!pacemaker.known || !pacemaker.value)
		return unit;
	return fact_unknown("it does not start with the system; Pacemaker may start it");
}

static void units_survey(struct facts *f)
{
	static const char *const names[CHECKS_UNITS] = {"dlmirrord.service", "corosync.service",
							"dlm.service"};
	size_t i;

	for (i = 0; i < CHECKS_UNITS; i++)
		f->unit[i] = (struct facts_unit){names[i], unit_or_pacemaker(names[i])};
}

/* ---- mirrors and their devices */

struct device_number {
	unsigned major;
	unsigned minor;
};

/* 0 or an errno. */
static void device_read(const void *argument, void *result)
{
	static char block[READ_BYTES] __attribute__((aligned(READ_BYTES)));
	const struct device_number *device = argument;
	char path[BLOCK_TEXT_SIZE];
	int error = 0;
	int fd;

	block_name(device->major, device->minor, path);
	if (path[0] == '\0')
		(void)snprintf(path, sizeof(path), "/dev/block/%u:%u", device->major,
			       device->minor);
	fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || pread(fd, block, sizeof(block), 0) < 0)
		error = errno;
	memcpy(result, &error, sizeof(error));
}

static struct fact read_look(const struct device_number *device)
{
	int read_errno;
	int error = apart_run(device_read, device, &read_errno, sizeof(read_errno), TIMEOUT_MS);

	if (error == -ETIMEDOUT)
		return fact_is(ETIMEDOUT);
	if (error != 0)
		return fact_unknown("it cannot be read: %s", strerror(-error));
	if (read_errno == EACCES || read_errno == EPERM)
		return fact_unknown("it may not be read: %s", strerror(read_errno));
	if (read_errno == ENOENT)
		return fact_unknown("/dev has no node for it");
	return fact_is((uint64_t)read_errno);
}

static void device_survey(const struct device_number *device, struct facts_device *ret)
{
	static const struct device_number none;
	char path[PATH_MAX];

	mirror_device(device->major, device->minor, ret->label, sizeof(ret->label));
	if (device->major == none.major && device->minor == none.minor) {
		ret->present = fact_unknown("the daemon does not know its number");
		return;
	}
	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", device->major, device->minor);
	if (access("/sys/dev/block", F_OK) != 0)
		ret->present = fact_unknown("sysfs is not mounted");
	else
		ret->present = fact_is(access(path, F_OK) == 0);
	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/size", device->major,
		       device->minor);
	ret->sectors = number_read(path, NULL);
	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/ro", device->major, device->minor);
	ret->read_only = number_read(path, NULL);
	ret->read_errno = read_look(device);
}

static void table_survey(struct facts_mirror *of)
{
	char error[MAPPER_ERROR_SIZE];
	struct mapper_device device;

	if (of->mirror.name[0] == '\0') {
		of->suspended = fact_unknown("the daemon does not know the device yet");
	} else if (mapper_examine(of->mirror.name, &device, error) != 0) {
		of->suspended = fact_unknown("device-mapper does not answer: %s", error);
	} else if (!device.exists || !device.ours) {
		of->suspended = fact_unknown("device-mapper has no such mirror");
	} else {
		of->suspended = fact_is(device.suspended);
		of->keep_log = fact_is(device.keep_log);
		return;
	}
	of->keep_log = of->suspended;
}

static void dropped_survey(const struct dlmirror_mirror *m, char ret[CHECKS_TEXT_SIZE])
{
	struct mirror_file file;
	size_t used = 0;

	if (!config_of(m, &file))
		return;
	for (uint32_t i = 0; i < file.dropped_count && used < CHECKS_TEXT_SIZE; i++)
		used += (size_t)snprintf(ret + used, CHECKS_TEXT_SIZE - used, "%s%s",
					 i > 0 ? ", " : "", file.dropped[i].path);
}

static void mirror_survey(const struct dlmirror_mirror *m, const struct dlmirror_counters *counters,
			  struct facts_mirror *of)
{
	struct device_number device = {0};
	uint32_t i;

	of->mirror = *m;
	of->counters = *counters;
	table_survey(of);
	dropped_survey(m, of->dropped);
	for (i = 0; i < m->leg_count; i++) {
		device = (struct device_number){m->leg[i].major, m->leg[i].minor};
		device_survey(&device, &of->leg[i]);
	}
	if (!m->has_disk)
		return;
	if (sscanf(m->log_device, "%u:%u", &device.major, &device.minor) != 2)
		device = (struct device_number){0};
	device_survey(&device, &of->log);
}

/* ---- the daemon */

static int mirrors_survey(const struct snapshot *s, struct facts *f)
{
	struct facts_mirror *of = calloc(s->count + 1, sizeof(*of));
	size_t i;

	if (!of)
		return -ENOMEM;
	for (i = 0; i < s->count; i++)
		mirror_survey(&s->mirror[i], &s->counters[i], &of[i]);
	f->mirror = of;
	f->mirror_count = s->count;
	return 0;
}

static int daemon_survey(struct facts *f)
{
	struct snapshot s = {0};
	struct dlmirror *d;
	int error = dlmirror_connect(&d);

	if (error == 0)
		error = snapshot_take(d, true, &s);
	/* What the first one had the daemon ask, the second one knows. */
	if (error == 0 && s.count > 0) {
		snapshot_free(&s);
		ui_pause_ms(REFRESH_MS);
		error = snapshot_take(d, false, &s);
	}
	if (error == 0) {
		f->reachable = fact_is(1);
		f->daemon = s.daemon;
		error = mirrors_survey(&s, f);
	} else if (error == -ENOTCONN || error == -ETIMEDOUT) {
		f->reachable = fact_is(0);
		(void)snprintf(f->daemon_error, sizeof(f->daemon_error), "%s", dlmirror_error(d));
		error = 0;
	} else if (error != -ENOMEM) {
		f->reachable = fact_unknown("%s", dlmirror_error(d));
		error = 0;
	}
	snapshot_free(&s);
	dlmirror_free(d);
	return error;
}

static void config_survey(const char *path, struct facts *f)
{
	int error;

	config_default(&f->config);
	f->config_path = path;
	error = config_read(path, &f->config, f->config_error, sizeof(f->config_error));
	f->config_there = error != -ENOENT;
	if (error == -EINVAL)
		f->config_good = fact_is(0);
	else if (error != 0 && error != -ENOENT)
		f->config_good = fact_unknown("%s", f->config_error);
	else
		f->config_good = fact_is(1);
}

static int mirrors_read(const struct nodes_answers *answers, struct agreement_entry *entry,
			size_t room, size_t *ret_count)
{
	const char *rest;

	*ret_count = 0;
	for (unsigned i = 0; i < answers->count; i++)
		if (answers->answer[i].code != UI_OK ||
		    agreement_read(answers->answer[i].text, answers->answer[i].node, entry, room,
				   ret_count, &rest) != 0)
			return -EIO;
	return 0;
}

struct fact survey_mirrors(struct dlmirror *d, char text[CHECKS_TEXT_SIZE])
{
	const struct nodes all = {.all = true};
	const struct nodes_wish wish = {.what = DLMIRROR_ERRAND_TELL, .nodes = &all};
	static struct agreement_entry entry[MIRRORS_MAX];
	char differ[AGREEMENT_ERROR_SIZE];
	struct nodes_answers answers;
	size_t count;
	int error;

	if (nodes_ask(d, &wish, &answers) != UI_OK)
		return fact_unknown("the nodes cannot be asked");
	error = mirrors_read(&answers, entry, MIRRORS_MAX, &count);
	nodes_free(&answers);
	if (error != 0)
		return fact_unknown("not all nodes say what they have: dlmirror config list");
	if (agreement_same(entry, count, differ))
		return fact_is(1);
	(void)snprintf(text, CHECKS_TEXT_SIZE, "%.*s", (int)CHECKS_TEXT_SIZE - 1, differ);
	return fact_is(0);
}

static void mirrors_same_survey(struct facts *f)
{
	const struct dlmirror_cluster *c = &f->daemon.cluster;
	struct dlmirror *d;

	f->mirrors_same = fact_unknown("nobody can be asked");
	if (!f->reachable.known || f->reachable.value == 0 || !c->joined || !c->quorate ||
	    !nodes_able(c) || dlmirror_connect(&d) != 0)
		return;
	f->mirrors_same = survey_mirrors(d, f->mirrors_differ);
	dlmirror_free(d);
}

int survey_make(const char *config_path, bool one_of_nodes, struct facts *ret)
{
	struct facts f = {.version = PACKAGE_VERSION, .one_of_nodes = one_of_nodes};
	int error = daemon_survey(&f);

	if (error != 0)
		return error;
	config_survey(config_path, &f);
	kernel_survey(&f);
	corosync_survey(&f);
	f.dlm_conf_fencing = dlm_conf_read();
	units_survey(&f);
	if (!one_of_nodes)
		mirrors_same_survey(&f);
	*ret = f;
	return 0;
}

void survey_free(struct facts *f)
{
	free((void *)(uintptr_t)f->mirror);
	f->mirror = NULL;
	f->mirror_count = 0;
}
