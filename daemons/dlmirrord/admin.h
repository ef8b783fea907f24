/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The admin server: libqb IPC in the loop. It checks who asks (root, or a member of the
 * administrators' group), decodes with codec/admin.h, asks the source, encodes the answer.
 */
#ifndef DLM_ADMIN_H
#define DLM_ADMIN_H

#include <stddef.h>

#include <qb/qbloop.h>

#include "codec/admin.h"
#include "dlmirror/dlmirror.h"

/* What the daemon offers. All called in the loop thread; 0 or negative errno, and text (of size
 * bytes, never NULL) explains a failure. */
struct admin_source {
	void *context;
	size_t (*count)(void *context);
	/* index < count(); order does not matter (the library sorts). */
	void (*mirror)(void *context, size_t index, struct dlmirror_mirror *ret);
	/* mirror: device name or log uuid */
	int (*find)(void *context, const char *mirror, struct dlmirror_mirror *ret);
	int (*counters)(void *context, const char *mirror, struct dlmirror_counters *ret);
	/* bytes_s: 0: at the mirror's rate; UINT64_MAX: without a limit */
	int (*verify)(void *context, const char *mirror, bool repair, uint64_t bytes_s, char *text,
		      size_t size);
	int (*rate)(void *context, const char *mirror, uint64_t bytes_s, char *text, size_t size);
	int (*verify_stop)(void *context, const char *mirror, char *text, size_t size);
	int (*suspend)(void *context, const char *mirror, char *text, size_t size);
	int (*resume)(void *context, const char *mirror, char *text, size_t size);
	int (*log_retry)(void *context, const char *mirror, char *text, size_t size);
	int (*reload)(void *context, const char *mirror, const struct dlmirror_plan *plan,
		      uint32_t timeout_s, char *text, size_t size);
	int (*log_replace)(void *context, const char *mirror, const char *device,
			   uint32_t timeout_s, char *text, size_t size);
	int (*reload_status)(void *context, const char *mirror, struct dlmirror_reload *ret);
	void (*daemon)(void *context, struct dlmirror_daemon *ret);
	/* No more cells and regions than the messages allow, and at least one of each. */
	int (*map)(void *context, const char *mirror, uint64_t first, uint64_t per_cell,
		   uint32_t cells, struct dlmirror_cell *ret_cells, struct dlmirror_map *ret);
	int (*heat)(void *context, const char *mirror, struct dlmirror_heat *ret);
	void (*events)(void *context, uint64_t record, uint64_t after, struct admin_events *ret);
	int (*errand)(void *context, const struct group_errand *wish, uint64_t *ret_id,
		      uint32_t *ret_count, char *text, size_t size);
	int (*errand_result)(void *context, uint64_t id, uint32_t index,
			     struct dlmirror_errand_result *ret);
	int (*command)(void *context, enum dlmirror_daemon_command command, const char *argument,
		       char *text, size_t size);
};

struct admin_server;

/* group: name of the administrators' group, or NULL for root only. source is copied. */
int admin_server_create(qb_loop_t *loop, const char *group, const struct admin_source *source,
			struct admin_server **ret);
/* The source has new events: clients that watch are told, each once until it has asked for them. */
void admin_server_news(struct admin_server *server);
struct admin_server *admin_server_destroy(struct admin_server *server); /* takes NULL */

#endif
