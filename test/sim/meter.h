/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one daemon has done for one mirror since the run began, for benchmarks. It is counted in
 * every run; CPU time and memory only in one that is watched (world_watch()), because that takes
 * time. Nothing of it goes into the trace.
 */
#ifndef DLM_SIM_METER_H
#define DLM_SIM_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct meter {
	uint64_t requests; /* datagrams of the kernel that the daemon has looked at */
	uint64_t sent;	   /* messages to the group, each piece of a STATE is one */
	uint64_t sent_bytes;
	uint64_t received; /* its own ones too */
	uint64_t received_bytes;
	uint64_t log_writes; /* to the log device: pages, claims, releases, slots emptied */
	uint64_t cpu_ns;     /* in decoders, encoders, hot maps and core; no system calls */
	size_t core_bytes;   /* that the core has now, taken when its log was made */
	size_t shared_bytes; /* of its hot maps */
};

/* CPU time that the thread has used, for meter_end(); 0 when on is false. */
uint64_t meter_begin(bool on);
/* Adds what was used since; nothing when begun_ns is 0. The price of the two calls is taken off. */
void meter_end(struct meter *m, uint64_t begun_ns);
/* Bytes allocated in the process; 0 when on is false, and where a sanitizer allocates. */
size_t meter_memory(bool on);

#endif
