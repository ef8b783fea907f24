/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The backend on libdlm. It opens DLM's control device once and keeps the descriptor for good: if
 * threads have descriptor tables of their own, one of them does all calls.
 */
#ifndef LOCKSPACE_LIBDLM_H
#define LOCKSPACE_LIBDLM_H

#include "lockspace/backend.h"

extern const struct lockspace_backend lockspace_libdlm;

#endif
