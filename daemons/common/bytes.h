/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes as they are written: "512KiB", "1G" (binary too), "4096" (bytes), "2048s" (sectors). */
#ifndef DLM_BYTES_H
#define DLM_BYTES_H

#include <stdint.h>

#define BYTES_TEXT_SIZE 32U

/* -EINVAL, or -ERANGE. */
int bytes_parse(const char *text, uint64_t *ret);
/* Of a size that is a multiple of a sector and not 0, the sectors. The same errors. */
int bytes_parse_sectors(const char *text, uint64_t *ret);
/* Of what may be done in a second, like 20MiB, 20MiB/s or unlimited, which is UINT64_MAX. Of 0: -EINVAL.
 */
int bytes_parse_rate(const char *text, uint64_t *ret);
/* What bytes_parse() makes the same number of, in the largest unit that it is a multiple of. */
void bytes_text(uint64_t bytes, char ret[BYTES_TEXT_SIZE]);

#endif
