/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/crc32c.h"

#include <isa-l/crc.h>

uint32_t crc32c(const void *data, size_t size)
{
	/* ISA-L declares its input non-const and does not write to it. */
	return ~crc32_iscsi((unsigned char *)(uintptr_t)data, (int)size, ~UINT32_C(0));
}
