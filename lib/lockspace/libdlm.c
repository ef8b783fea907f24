/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lockspace/libdlm.h"

#include <sys/types.h> /* libdlm.h forgets it */

#include <errno.h>
#include <fcntl.h>
#include <libdlm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLUSTER_NAME "/sys/kernel/config/dlm/cluster/cluster_name"
#define BOOT_ID	     "/proc/sys/kernel/random/boot_id"
#define SYSFS	     "/sys/kernel/dlm/"
#define DEVICE_MODE  0600

_Static_assert(DLM_LVB_LEN == LOCKSPACE_VALUE_SIZE, "values");
_Static_assert(DLM_RESNAME_MAXLEN == LOCKSPACE_RESOURCE_MAX, "names");
_Static_assert(ECANCEL == LOCKSPACE_ECANCEL && EUNLOCK == LOCKSPACE_EUNLOCK, "statuses");
_Static_assert(sizeof(struct dlm_lksb) <= LOCKSPACE_BACKEND_WORDS * sizeof(uint64_t), "too small");
_Static_assert(LOCKSPACE_NL == LKM_NLMODE && LOCKSPACE_EX == LKM_EXMODE, "modes");

/* Where DLM answers to: it writes there from within dlm_dispatch(). */
static struct dlm_lksb *lksb_of(struct lockspace_request *request)
{
	return (struct dlm_lksb *)(void *)request->backend;
}

static int cluster_name(void *context, char ret[LOCKSPACE_NAME_MAX + 1])
{
	FILE *file = fopen(CLUSTER_NAME, "re");

	(void)context;
	/* dlm_controld makes it, in a configfs that it does not mount itself. */
	if (file == NULL)
		return errno == ENOENT ? -EUNATCH : -errno;
	if (fgets(ret, (int)(LOCKSPACE_NAME_MAX + 1), file) == NULL)
		ret[0] = '\0';
	fclose(file);
	ret[strcspn(ret, "\n")] = '\0';
	return ret[0] != '\0' ? 0 : -EUNATCH;
}

static int boot_id(void *context, uint8_t ret[LOCKSPACE_BOOT_SIZE])
{
	FILE *file = fopen(BOOT_ID, "re");
	char digits[2 * LOCKSPACE_BOOT_SIZE + 1] = "";
	int got;

	(void)context;
	if (file == NULL)
		return -errno;
	/* without its hyphens, of which the first is the ninth character */
	got = fscanf(file, "%8[0-9a-f]-%4[0-9a-f]-%4[0-9a-f]", digits, digits + 8, digits + 12);
	fclose(file);
	memcpy(ret, digits, LOCKSPACE_BOOT_SIZE);
	return got == 3 ? 0 : -EIO;
}

/* Each creation counts, also of one that is there, and as many releases would be needed to leave
 * it: so only who does not find it creates it. */
static int space_open(void *context, const char *name, void **ret)
{
	dlm_lshandle_t handle;

	(void)context;
	errno = 0;
	handle = dlm_open_lockspace(name);
	if (handle == NULL) {
		errno = 0;
		handle = dlm_new_lockspace(name, DEVICE_MODE, 0);
	}
	if (handle == NULL)
		return errno != 0 ? -errno : -ENOENT;
	*ret = handle;
	return 0;
}

static bool exists(const char *name)
{
	char path[sizeof(SYSFS) + LOCKSPACE_NAME_MAX];

	snprintf(path, sizeof(path), "%s%s", SYSFS, name);
	return access(path, F_OK) == 0;
}

/* libdlm does not say what the kernel thinks of a release. */
static int space_close(void *handle, const char *name, enum lockspace_release how)
{
	if (how == LOCKSPACE_CLOSE)
		return dlm_close_lockspace(handle) < 0 ? -errno : 0;
	if (dlm_release_lockspace(name, handle, how == LOCKSPACE_DESTROY) < 0)
		return -errno;
	return exists(name) ? -EBUSY : 0;
}

static void on_ast(void *argument)
{
	struct lockspace_request *request = argument;
	const struct dlm_lksb *lksb = lksb_of(request);

	request->value_unknown = (lksb->sb_flags & DLM_SBF_VALNOTVALID) != 0;
	lockspace_completed(request, -lksb->sb_status);
}

static void on_bast(void *argument)
{
	lockspace_blocked(argument);
}

static uint32_t flags_of(uint32_t flags)
{
	return ((flags & LOCKSPACE_NOQUEUE) != 0 ? LKF_NOQUEUE : 0U) |
	       ((flags & LOCKSPACE_CONVERT) != 0 ? LKF_CONVERT : 0U) |
	       ((flags & LOCKSPACE_VALUE) != 0 ? LKF_VALBLK : 0U) |
	       ((flags & LOCKSPACE_PERSISTENT) != 0 ? LKF_PERSISTENT : 0U) |
	       ((flags & LOCKSPACE_ORPHAN) != 0 ? LKF_ORPHAN : 0U) |
	       ((flags & LOCKSPACE_CANCEL) != 0 ? LKF_CANCEL : 0U) |
	       ((flags & LOCKSPACE_FORCE) != 0 ? LKF_FORCEUNLOCK : 0U);
}

/* The kernel looks the lockspace up by the open device. */
static int error_of(int error, uint32_t flags)
{
	bool gone = error == ENODEV || (error == ENOENT && (flags & LOCKSPACE_ORPHAN) == 0);

	return gone ? -ENOTCONN : -error;
}

static int space_lock(void *handle, struct lockspace_request *request, enum lockspace_mode mode,
		      uint32_t flags, const void *name, size_t size)
{
	struct dlm_lksb *lksb = lksb_of(request);

	lksb->sb_lkid = request->id;
	lksb->sb_lvbptr = (char *)request->value;
	if (dlm_ls_lock(handle, (uint32_t)mode, lksb, flags_of(flags), name, (unsigned)size, 0,
			on_ast, request, on_bast, NULL) < 0)
		return error_of(errno, flags);
	request->id = lksb->sb_lkid;
	return (flags & LOCKSPACE_ORPHAN) != 0;
}

static int space_unlock(void *handle, struct lockspace_request *request, uint32_t flags)
{
	if (dlm_ls_unlock(handle, request->id, flags_of(flags), lksb_of(request), request) < 0)
		return error_of(errno, 0);
	return 0;
}

static int space_purge(void *handle)
{
	return dlm_ls_purge(handle, 0, 0) < 0 ? -errno : 0;
}

static int space_fd(void *handle)
{
	return dlm_ls_get_fd(handle);
}

static int space_dispatch(void *handle)
{
	return dlm_dispatch(dlm_ls_get_fd(handle)) < 0 ? -ENOTCONN : 0;
}

const struct lockspace_backend lockspace_libdlm = {
    .cluster = cluster_name,
    .boot = boot_id,
    .open = space_open,
    .close = space_close,
    .lock = space_lock,
    .unlock = space_unlock,
    .purge = space_purge,
    .fd = space_fd,
    .dispatch = space_dispatch,
};
