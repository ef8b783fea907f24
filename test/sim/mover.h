/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The copies that daemons have asked for; the legs do them, block by block, and check I6. */
#ifndef DLM_SIM_MOVER_H
#define DLM_SIM_MOVER_H

#include "test/sim/sim.h"

/* The answer is node_copied(), later; LATER and ERROR are answers, too. revision: of the table whose
 * legs they are. fails: the mover of this node has no room or no luck now. */
void mover_copy(struct node *node, struct mirror *mirror, uint64_t revision, uint64_t object,
		uint64_t region, enum mlog_copy_mode mode, bool fails);

#endif
