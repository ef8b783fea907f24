/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An admin's suspends and resumes of a mirror's device on this node. They are the suspender's, so
 * that a kill of the daemon leaves them to end their work; a resume that is ordered while a suspend
 * waits for I/O comes behind it, in the kernel. What device-mapper has in the end is what counts.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/dlmirrord/daemon.h"
#include "daemons/dlmirrord/message_log.h"

static int __attribute__((format(printf, 5, 6)))
refuse(int error, char *text, size_t size, enum message message, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	message_vmake(text, size, message, format, arguments);
	va_end(arguments);
	return error;
}

static void on_halted(void *context, const char *uuid, int error)
{
	struct log *log = ticket_take(context);

	if (error != 0)
		message_log(LOG_WARNING, MSG_NOT_SUSPENDED,
			    "%s: it could not be suspended or resumed: %s", uuid, strerror(-error));
	if (log == NULL)
		return;
	log->halt_orders--;
	log->halt_error = -error;
}

/* What must not be met: the device is somebody's who will resume it, with a table that counts then.
 */
static int hindered(const struct log *log, char *text, size_t size)
{
	uint32_t suspect = atomic_load(&log->hot.shared->suspect);
	char waits[DLMIRROR_TEXT_SIZE];

	reload_waits(log->daemon->reloads, log->uuid, waits, sizeof(waits));
	if (waits[0] != '\0')
		return refuse(-EBUSY, text, size, MSG_RELOAD_WAITS,
			      "a reload of it is under way, and %s", waits);
	if (daemon_is_leaving(log->daemon))
		return refuse(-EBUSY, text, size, MSG_NOT_NOW,
			      "its daemon is being restarted: again in a moment");
	if (log->reloading || suspect == SUSPECT_RESETTING)
		return refuse(-EBUSY, text, size, MSG_NOT_NOW,
			      "its table is being loaded again by the daemon: again in a moment");
	return 0;
}

static int order(struct log *log,
		 int (*give)(struct devmap *, const char *, devmap_done_fn, void *), char *text,
		 size_t size)
{
	struct ticket *ticket;
	int error = hindered(log, text, size);

	if (error != 0)
		return error;
	ticket = ticket_make(&log->daemon->registry, log);
	if (ticket == NULL)
		return refuse(-ENOMEM, text, size, MSG_DAEMON_NO_MEMORY, "no memory");
	error = give(log->daemon->devmap, log->uuid, on_halted, ticket);
	if (error != 0) {
		free(ticket);
		return refuse(error, text, size, MSG_NOT_SUSPENDED, "%s", strerror(-error));
	}
	log->halt_orders++;
	log->halt_error = 0;
	return 0;
}

int halt_suspend(struct log *log, char *text, size_t size)
{
	struct mlog_status status;

	mlog_status(log->pump.mlog, &status);
	if (log->halt_orders > 0 || status.phase == MLOG_SUSPENDED)
		return 0;
	if (status.phase != MLOG_ACTIVE)
		return refuse(-EBUSY, text, size, MSG_NOT_NOW, "it is %s: again in a moment",
			      mlog_phase_name(status.phase));
	return order(log, devmap_suspend, text, size);
}

int halt_resume(struct log *log, char *text, size_t size)
{
	return order(log, devmap_switch, text, size);
}
