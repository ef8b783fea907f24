/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's table and status lines of a mirror target -> values. No I/O. */
#ifndef DLM_DEVMAP_PARSE_H
#define DLM_DEVMAP_PARSE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemons/dlmirrord/devmap.h"

/* "major:minor", nothing before or behind it; or -EINVAL. */
int devmap_parse_number(const char *text, dev_t *ret);

/*
 * params: what follows the target type "mirror" in a table line,
 *	userspace <count> <uuid> [integrated_flush] clustered-… <args…> <legs> {<devno> <sector>}…
 *	[<features> [handle_errors] [keep_log]]
 * Fills uuid, args, integrated_flush, handle_errors, keep_log and legs. -ENOENT: not a log of ours. -EINVAL:
 * ours, but not as the kernel writes it. A mirror with more than MOVER_LEGS_MAX legs is accepted,
 * with legs.count 0: its log can be served, its legs cannot be compared.
 */
int devmap_parse_table(uint64_t length_sectors, const char *params, struct devmap_mirror *ret);

/*
 * The params of a table like this one with other legs: leg is "<devno> <sector>" for each of count.
 * -EINVAL: params are not those of a mirror of ours; -ENOSPC: more than cap.
 */
int devmap_parse_replace(const char *params, const char *const *leg, uint32_t count,
			 const char *features, char *ret, size_t cap);
/* The params of a table like this one, of another revision; 0: of the same. device: "major:minor" of
 * another log device, whatever log it has, and then without a word about what is in sync, because
 * the device says it; NULL: with the log that it has. Errors as above. */
int devmap_parse_revise(const char *params, uint64_t revision, const char *device, char *ret,
			size_t cap);
/* Leg index of it, as devmap_parse_replace() takes it, into ret. */
int devmap_parse_leg(const char *params, uint32_t index, char *ret, size_t cap);

/*
 * params: the status line of the same target,
 *	<legs> {<devno>}… <in sync>/<regions> 1 <health> …
 * health has one letter per leg and is copied to ret with a NUL. -EINVAL as above.
 */
int devmap_parse_status(const char *params, char ret[MOVER_LEGS_MAX + 1]);

#endif
