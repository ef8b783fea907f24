/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mirrors that are configured and not active on this node. */
#ifndef DLM_COMMAND_INACTIVE_H
#define DLM_COMMAND_INACTIVE_H

#include "daemons/dlmirror/configured.h"
#include "daemons/dlmirror/ui.h"

struct inactive {
	const struct dlmirror_mirror *active;
	size_t count;
	/* Told of each of the others. */
	void (*tell)(const struct inactive *list, const char *name, const struct mirror_file *file);
	struct libscols_table *table; /* the teller's, as the next */
	void *context;
};

/* The exit code: a configuration that cannot be read has been named. */
int inactive_each(const struct inactive *list);
/* Their names and uuids, as "inactive" for programs. */
int inactive_json(const struct dlmirror_mirror *active, size_t count, struct libscols_table **ret);

#endif
