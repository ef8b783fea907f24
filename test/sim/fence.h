/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is dead for sure. A node that a quorate ring has lost is fenced: a while later it is switched
 * off, whatever it did meanwhile, unless it is back in a quorate ring by then. Until one of these
 * has happened no lock moves (dlm_controld waits for fencing). A node that has started anew is
 * proof enough of its earlier life's end.
 */
#ifndef DLM_SIM_FENCE_H
#define DLM_SIM_FENCE_H

#include "test/sim/sim.h"

struct fence;

struct fence *fence_create(struct world *w);
void fence_ring_formed(struct fence *f, uint32_t members, bool quorate);
/* Somebody is lost and not known to be dead: locks wait. */
bool fence_pending(const struct fence *f);
/* The node is lost to the quorate ring, and will be fenced unless it comes back. */
bool fence_awaits(const struct fence *f, unsigned node);
/* Since when; UINT64_MAX: it is not. */
uint64_t fence_lost_us(const struct fence *f, unsigned node);

#endif
