/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes the faults of a scenario happen, and takes them back when their time is over. */
#ifndef DLM_SIM_FAULTS_H
#define DLM_SIM_FAULTS_H

#include "test/sim/sim.h"

/* Puts all of them into the queue; returns when the last one will be over and the load has run. */
uint64_t faults_start(struct world *w);

#endif
