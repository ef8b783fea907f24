// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemons/common/host.h"
#include "daemons/dlmirror/ui.h"
#include "daemons/common/config.h"

void identity_of_daemon(const struct dlmirror_daemon *daemon, struct disk_owner *ret)
{
	*ret = (struct disk_owner){0};
	(void)snprintf(ret->cluster, sizeof(ret->cluster), "%s", daemon->cluster.name);
	(void)snprintf(ret->host_id, sizeof(ret->host_id), "%s", daemon->host_id);
	(void)snprintf(ret->host_name, sizeof(ret->host_name), "%s", daemon->host_name);
}

static int identity_configured(const char *config_path, struct disk_owner *ret)
{
	struct config config;
	char error[512];
	int result;

	config_default(&config);
	result = config_read(config_path, &config, error, sizeof(error));
	if (result != 0 && result != -ENOENT)
		return ui_fail(UI_FAILED, MSG_WITHIN, "%s", error);
	result = host_identity(config.host_id, ret);
	if (result != 0)
		return ui_fail(UI_FAILED, MSG_HOST_UNNAMED, "this host has no name: %s",
			       strerror(-result));
	return UI_OK;
}

int identity_get(const char *config_path, struct disk_owner *ret)
{
	struct dlmirror_daemon daemon;
	struct dlmirror *d;
	int error = dlmirror_connect(&d);
	int code = UI_OK;

	if (error == 0)
		error = dlmirror_daemon(d, &daemon);
	if (error == 0)
		identity_of_daemon(&daemon, ret);
	else if (error == -ENOTCONN)
		code = identity_configured(config_path, ret);
	else
		code = ui_fail_daemon(d, error);
	dlmirror_free(d);
	return code;
}
