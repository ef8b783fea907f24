// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/utf8.h"

size_t utf8_size(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t size;
	size_t i;

	if (at[0] < 0x80)
		return 1;
	if (at[0] >= 0xc2 && at[0] <= 0xdf)
		size = 2;
	else if ((at[0] & 0xf0) == 0xe0)
		size = 3;
	else if (at[0] >= 0xf0 && at[0] <= 0xf4)
		size = 4;
	else
		return 0;
	for (i = 1; i < size; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	/* longer than needed, a surrogate, or above the last one */
	if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
	    (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return size;
}
