/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Group messages with their bytes: for the test of the codec, and as seeds of the fuzzers. */
#ifndef DLM_GROUP_SAMPLES_H
#define DLM_GROUP_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#include "core/mlog.h"

struct group_sample {
	const char *name;
	uint16_t version; /* protocol version that is spoken */
	struct mlog_message message;
	const char *hex;
};

extern const struct group_sample group_samples[];
extern const unsigned group_samples_count;
extern const char group_samples_uuid[];	 /* of the mirror that all of them are about */
extern const char group_samples_hello[]; /* of node 7 */
extern const char group_samples_plan[];
extern const char group_samples_errand[];

/* Hexadecimal digits to bytes; returns how many. */
size_t group_samples_bytes(const char *hex, uint8_t *ret);

#endif
