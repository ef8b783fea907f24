/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemons/dlmirrord/suspender.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemons/dlmirrord/beside.h"

#define RESUME_ATTEMPTS 3U

struct answer {
	uint64_t id;
	int error;
};

/* ---- what an order does */

/* A device left suspended is the worst outcome, so what may pass (no memory) gets a chance. */
static int device_resume(dev_t devno)
{
	int error = 0;

	for (unsigned i = 0; i < RESUME_ATTEMPTS; i++) {
		error = devmap_device_resume(devno);
		if (error == 0)
			break;
	}
	return error;
}

/* The resume suspends by itself, and one killed before it leaves only a table that waits. */
static int found_reload(const struct found *found)
{
	dev_t devno = found->mirror.devno;
	int error;

	if (found->inactive_table || found->mirror.suspended)
		return -EBUSY;
	error = devmap_table_reload(devno);
	if (error == 0)
		error = device_resume(devno);
	if (error != 0)
		devmap_table_clear(devno);
	return error;
}

static bool legs_work(struct found *found)
{
	const char *health = found->mirror.leg_health;

	return devmap_health_read(found) == 0 && health[0] != '\0' &&
	       health[strspn(health, "A")] == '\0';
}

/*
 * A new table makes the kernel forget everything, a suspend only some of it: what it wrote on one
 * leg after an error it would go on writing there. But it also makes leg 0 the one to read from
 * again, which must not be while a leg is missing. A device that is suspended already will be reset
 * by whoever resumes it, and a table that waits is for whoever loaded it, unless it says what the
 * live one says: that is what a reload leaves that was cut short.
 */
static int found_reset(struct found *found, bool finish)
{
	bool suspended = found->mirror.suspended;
	bool waits = found->inactive_table;
	dev_t devno = found->mirror.devno;
	bool work;
	int error = 0;

	if ((suspended && !finish) || (waits && !devmap_tables_same(devno)))
		return -EBUSY;
	work = legs_work(found);
	if (waits && !work)
		devmap_table_clear(devno);
	else if (waits || suspended)
		return device_resume(devno);
	if (work && found_reload(found) == 0)
		return 0;
	if (!suspended)
		error = devmap_device_suspend(devno);
	return error != 0 ? error : device_resume(devno);
}

static int order_do(struct suspender_order *order)
{
	switch (order->act) {
	case SUSPENDER_RESET:
		return found_reset(&order->found, order->finish);
	case SUSPENDER_RELOAD:
		return found_reload(&order->found);
	case SUSPENDER_SUSPEND:
		return devmap_device_suspend(order->found.mirror.devno);
	case SUSPENDER_RESUME:
		return device_resume(order->found.mirror.devno);
	}
	return -EINVAL;
}

/* ---- the processes */

static void answer(int fd, uint64_t id, int error)
{
	const struct answer message = {.id = id, .error = error};

	(void)!send(fd, &message, sizeof(message), MSG_NOSIGNAL);
}

static void suspender_run(int fd, const void *context)
{
	struct suspender_order order;

	(void)context;
	signal(SIGCHLD, SIG_IGN); /* none is waited for */
	/* The program's pages stay while there is no daemon that holds them. */
	(void)mlockall(MCL_CURRENT | MCL_FUTURE);
	while (recv(fd, &order, sizeof(order), 0) == (ssize_t)sizeof(order)) {
		pid_t pid = fork();

		if (pid < 0)
			answer(fd, order.id, -errno);
		if (pid == 0) {
			answer(fd, order.id, order_do(&order));
			break;
		}
	}
}

int suspender_start(void)
{
	return beside_start("dlm-suspender", suspender_run, NULL);
}

int suspender_send(int fd, const struct suspender_order *order)
{
	return send(fd, order, sizeof(*order), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int suspender_receive(int fd, uint64_t *ret_id, int *ret_error)
{
	struct answer message;
	ssize_t size = recv(fd, &message, sizeof(message), 0);

	if (size < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (size != (ssize_t)sizeof(message))
		return -EPIPE;
	*ret_id = message.id;
	*ret_error = message.error;
	return 1;
}
