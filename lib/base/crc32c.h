/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CRC-32C (Castagnoli, RFC 3720 appendix B.4), by ISA-L. */
#ifndef DLM_BASE_CRC32C_H
#define DLM_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of size bytes (size at most INT_MAX); "123456789" gives 0xe3069283. */
uint32_t crc32c(const void *data, size_t size);

#endif
