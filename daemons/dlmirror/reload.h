/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A reload that the daemon has begun, as a verb follows it. */
#ifndef DLM_COMMAND_RELOAD_H
#define DLM_COMMAND_RELOAD_H

#include <stdbool.h>

#include "dlmirror/dlmirror.h"

/* Until it has ended, and says how, node by node; the exit code. A daemon that restarts meanwhile is
 * waited for, and *d is another connection then. ret: what is known of it; a node may have failed
 * although the new table counts. */
int reload_end(struct dlmirror **d, const struct dlmirror_mirror *m, bool json,
	       struct dlmirror_reload *ret);

#endif
