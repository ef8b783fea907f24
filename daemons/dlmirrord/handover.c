/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemons/dlmirrord/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HANDOVER_VARIABLE "DLMIRRORD_HANDOVER"
#define HANDOVER_SIZE	  (64U + RESPONDERS_MAX * 12U)

static void handover_empty(struct handover *ret)
{
	*ret = (struct handover){.lock_fd = -1, .heartbeat_fd = -1};
}

/* "generation lock heartbeat count fd fd …" */
static bool handover_parse(const char *text, struct handover *ret)
{
	int used;

	if (sscanf(text, "%u %d %d %u%n", &ret->generation, &ret->lock_fd, &ret->heartbeat_fd,
		   &ret->socket_count, &used) != 4 ||
	    ret->socket_count > RESPONDERS_MAX)
		return false;
	for (unsigned i = 0; i < ret->socket_count; i++) {
		text += used;
		if (sscanf(text, "%d%n", &ret->socket[i], &used) != 1 ||
		    fcntl(ret->socket[i], F_SETFD, FD_CLOEXEC) < 0)
			return false;
	}
	return true;
}

void handover_take(struct handover *ret)
{
	const char *text = getenv(HANDOVER_VARIABLE);

	handover_empty(ret);
	if (text == NULL)
		return;
	if (!handover_parse(text, ret))
		handover_empty(ret);
	unsetenv(HANDOVER_VARIABLE);
	if (ret->lock_fd >= 0)
		fcntl(ret->lock_fd, F_SETFD, FD_CLOEXEC);
	if (ret->heartbeat_fd >= 0)
		fcntl(ret->heartbeat_fd, F_SETFD, FD_CLOEXEC);
}

int handover_give(const struct handover *h)
{
	char text[HANDOVER_SIZE];
	size_t used = (size_t)snprintf(text, sizeof(text), "%u %d %d %u", h->generation, h->lock_fd,
				       h->heartbeat_fd, h->socket_count);

	for (unsigned i = 0; i < h->socket_count; i++) {
		used += (size_t)snprintf(text + used, sizeof(text) - used, " %d", h->socket[i]);
		if (fcntl(h->socket[i], F_SETFD, 0) < 0)
			return -errno;
	}
	if (h->lock_fd >= 0)
		fcntl(h->lock_fd, F_SETFD, 0);
	if (h->heartbeat_fd >= 0)
		fcntl(h->heartbeat_fd, F_SETFD, 0);
	return setenv(HANDOVER_VARIABLE, text, 1) < 0 ? -errno : 0;
}
