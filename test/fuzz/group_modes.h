/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first byte of fuzz_group's inputs, which seeds.c writes. */
#ifndef DLM_FUZZ_GROUP_MODES_H
#define DLM_FUZZ_GROUP_MODES_H

#define GROUP_MODE_MEND 1U /* magic, length, header version and checksum are put right first */
#define GROUP_MODE_OLD	2U /* the reader knows protocol version 1 only */

#endif
