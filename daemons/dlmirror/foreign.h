/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors of others: the table of a mirror target with the kernel's own log or cmirrord's, and what
 * it stands on below LVM. No I/O. */
#ifndef DLM_COMMAND_FOREIGN_H
#define DLM_COMMAND_FOREIGN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "dlmirror/dlmirror.h"

#define FOREIGN_ERROR_SIZE 256U

struct foreign {
	uint64_t region_sectors;
	bool has_log;
	dev_t log;
	uint32_t leg_count;
	struct {
		dev_t devno;
		uint64_t start_sector;
	} leg[DLMIRROR_LEGS_MAX];
};

/*
 * params: what follows the target type "mirror" in a table line,
 *	core <count> <region_size> …
 *	disk <count> <devno> <region_size> …
 *	userspace <count> <uuid> [integrated_flush] clustered-core|clustered-disk …
 * and then <legs> {<devno> <sector>}…. Region size and sectors in units of 512 bytes. -EINVAL, and
 * error says what cannot be read.
 */
int foreign_parse(const char *params, struct foreign *ret, char error[FOREIGN_ERROR_SIZE]);

/* params of a target "linear": <devno> <sector>. -EINVAL. */
int foreign_parse_linear(const char *params, dev_t *ret, uint64_t *ret_sector);

#endif
