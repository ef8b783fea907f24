/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands in a table for a leg that there is not: a device on which all I/O fails, the same for
 * all mirrors of a node. A mirror of two legs that goes on with one needs it, because the kernel
 * makes no mirror of one. A table that has it goes on without that leg, and
 * holds nothing.
 */
#ifndef DLM_MISSING_H
#define DLM_MISSING_H

#define MISSING_NAME	 "dlmirror-missing"
#define MISSING_PATH	 "/dev/mapper/" MISSING_NAME
#define MISSING_UUID	 "DLMIRROR-MISSING" /* of device-mapper's */
#define MISSING_SECTORS	 (UINT64_C(1) << 50)
#define MISSING_FEATURES "2 handle_errors keep_log" /* of a table that has it */
#define MISSING_HEALTH	 'M'			    /* among the kernel's own letters */

#endif
