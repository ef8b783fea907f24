/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The only place where bytes become integers and back. A reader or writer knows how much is left;
 * going past the end sets `failed`, yields zeros from then on, and is checked once at the end.
 * All integers are little-endian unless the name says native (the kernel's netlink messages).
 */
#ifndef DLM_BASE_CURSOR_H
#define DLM_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
	const uint8_t *at;
	size_t left;
	bool failed;
};

struct writer {
	uint8_t *at;
	size_t left;
	bool failed;
};

struct reader reader_of(const void *data, size_t size);
uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
uint16_t read_native_u16(struct reader *r);
uint32_t read_native_u32(struct reader *r);
uint64_t read_native_u64(struct reader *r);
/* A pointer into the data, or NULL (and failed) when fewer than size bytes are left. */
const void *read_bytes(struct reader *r, size_t size);
/* u16 length and that many bytes, copied with a NUL into ret (of cap bytes); fails when it does
 * not fit or contains a NUL. On failure ret is the empty string. */
void read_string(struct reader *r, char *ret, size_t cap);

struct writer writer_of(void *data, size_t size);
void write_u8(struct writer *w, uint8_t value);
void write_u16(struct writer *w, uint16_t value);
void write_u32(struct writer *w, uint32_t value);
void write_u64(struct writer *w, uint64_t value);
void write_native_u16(struct writer *w, uint16_t value);
void write_native_u32(struct writer *w, uint32_t value);
void write_native_u64(struct writer *w, uint64_t value);
void write_bytes(struct writer *w, const void *data, size_t size);
void write_zeros(struct writer *w, size_t size);
void write_string(struct writer *w, const char *text); /* the form read_string reads */

#endif
