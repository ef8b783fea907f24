/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values <-> text for people, and what a mirror's numbers mean in words. Pure: no I/O, no clock. */
#ifndef DLM_COMMAND_FORMAT_H
#define DLM_COMMAND_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dlmirror/dlmirror.h"

#define FORMAT_SIZE 64U /* enough for every value below */

/* "1 GiB", "1.5 TiB", "512 B". */
void format_bytes(uint64_t bytes, char ret[FORMAT_SIZE]);
/* In the unit that `unit` has in format_bytes(), and exactly, so that multiples of it, one below the
 * other, all look different: "1536 GiB". */
void format_bytes_exact(uint64_t bytes, uint64_t unit, char ret[FORMAT_SIZE]);
/* Of part in whole: "100%" only when it is all, "99.9%" when it is nearly so. Nothing of 0: "100%".
 */
void format_percent(uint64_t part, uint64_t whole, char ret[FORMAT_SIZE]);
/* "5 s", "2:05 min", "3:04:05 h", "4 d 5 h". */
void format_duration(uint64_t seconds, char ret[FORMAT_SIZE]);
/* "12 us", "1.5 ms", "2.0 s". */
void format_microseconds(uint64_t microseconds, char ret[FORMAT_SIZE]);

/* "12.5", with a point in every locale. */
void format_tenths(double value, char ret[FORMAT_SIZE]);
/* As long as part is of whole, for the eye: "#####"; at least one character. */
void format_bar(double part, double whole, char ret[FORMAT_SIZE]);
/* Milliseconds since the beginning of 1970, UTC: "2026-11-22 23:30:05" in this host's time zone. */
void format_time(uint64_t time_ms, char ret[FORMAT_SIZE]);
/* "2026-11-22T23:30:05.123Z" */
void format_time_utc(uint64_t time_ms, char ret[FORMAT_SIZE]);

/* Of a histogram as in struct dlmirror_counter: the upper bound of the bucket in which the request
 * at that rank lies (per_mille 500: the median); 0 when nothing was counted. */
uint64_t format_quantile_us(const struct dlmirror_counter *counter, unsigned per_mille);
uint64_t format_mean_us(const struct dlmirror_counter *counter);

/* "mark", "in-sync", … of a kernel request type; NULL when there is none of that number. */
const char *format_request_type(unsigned type);
const char *format_leg_health(char health);
const char *format_member_state(char state);
/* "ok", "failed: Input/output error", "none", … */
void format_log_state(const struct dlmirror_mirror *m, char *ret, size_t size);

/* Text of several lines: the characters of its first one, and where the next begins, which is the end
 * when there is none. */
int format_line_length(const char *text);
const char *format_next_line(const char *text);

/* "3, 7-9, 12" of regions in this order, ending in "..." when it does not fit; of none: "-". */
void format_regions(const uint64_t *region, uint32_t count, char *ret, size_t size);

/* What the mirror does or waits for, in a few words; empty when there is nothing. */
void format_activity(const struct dlmirror_mirror *m, char *ret, size_t size);
/* The ids of the messages that explain it, one a line. */
void format_activity_ids(const struct dlmirror_mirror *m, char *ret, size_t size);
/* Nothing is under way that would end by itself. */
bool format_settled(const struct dlmirror_mirror *m);

/* Regions still to be brought in sync or repaired, or compared while a verify runs. */
uint64_t format_regions_left(const struct dlmirror_mirror *m);

/* Progress between samples: how fast regions_left falls. Zero is a good start. */
struct format_rate {
	uint64_t at_ms;
	uint64_t left;
	double regions_s; /* smoothed; 0: not known */
	bool begun;
};
void format_rate_sample(struct format_rate *rate, uint64_t now_ms, uint64_t left);
/* Seconds until nothing is left, or UINT64_MAX when that is not known. */
uint64_t format_rate_seconds_left(const struct format_rate *rate);

#endif
