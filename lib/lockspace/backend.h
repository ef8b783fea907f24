/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a lockspace stands on: libdlm (libdlm.h), or a model of it in the unit tests. It does what it
 * is told and calls lockspace_completed() and lockspace_blocked() from within dispatch.
 */
#ifndef LOCKSPACE_BACKEND_H
#define LOCKSPACE_BACKEND_H

#include "lockspace/lockspace.h"

#define LOCKSPACE_BACKEND_WORDS 8U
#define LOCKSPACE_BOOT_SIZE	16U

/* One per lock; belongs to the library, and stays until the lock's last completion. */
struct lockspace_request {
	uint32_t id;
	bool value_unknown;
	uint8_t value[LOCKSPACE_VALUE_SIZE];
	uint64_t backend[LOCKSPACE_BACKEND_WORDS]; /* the backend's own, zero at first */
};

struct lockspace_backend {
	void *context;
	/* The cluster's name, with its NUL. 0 or negative errno, -EUNATCH: nobody has told DLM. */
	int (*cluster)(void *context, char ret[LOCKSPACE_NAME_MAX + 1]);
	/* What is another one after each boot of this node. 0 or negative errno. */
	int (*boot)(void *context, uint8_t ret[LOCKSPACE_BOOT_SIZE]);
	/* Errors as lockspace_join(). */
	int (*open)(void *context, const char *name, void **ret);
	/* Frees handle in any case. */
	int (*close)(void *handle, const char *name, enum lockspace_release how);
	/* Sets request->id. 0: it is completed later; 1: it is ours already (an orphan), and is not
	 * completed; or negative errno. */
	int (*lock)(void *handle, struct lockspace_request *request, enum lockspace_mode mode,
		    uint32_t flags, const void *name, size_t size);
	/* 0 also when there is nothing to cancel: then nothing is completed. */
	int (*unlock)(void *handle, struct lockspace_request *request, uint32_t flags);
	int (*purge)(void *handle);
	int (*fd)(void *handle);
	int (*dispatch)(void *handle);
};

/* status: 0 or negative; value and value_unknown of the request are set before. It may be freed. */
void lockspace_completed(struct lockspace_request *request, int status);
void lockspace_blocked(struct lockspace_request *request);

#endif
