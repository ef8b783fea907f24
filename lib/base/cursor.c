/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cursor.h"

#include <endian.h>
#include <string.h>

struct reader reader_of(const void *data, size_t size)
{
	return (struct reader){.at = data, .left = size};
}

const void *read_bytes(struct reader *r, size_t size)
{
	const uint8_t *at = r->at;

	if (r->failed || size > r->left) {
		r->failed = true;
		return NULL;
	}
	r->at += size;
	r->left -= size;
	return at;
}

/* Copies size bytes into ret, or zeros when they are not there. */
static void read_into(struct reader *r, void *ret, size_t size)
{
	const void *at = read_bytes(r, size);

	if (at != NULL)
		memcpy(ret, at, size);
	else
		memset(ret, 0, size);
}

uint8_t read_u8(struct reader *r)
{
	uint8_t value;

	read_into(r, &value, sizeof(value));
	return value;
}

uint16_t read_native_u16(struct reader *r)
{
	uint16_t value;

	read_into(r, &value, sizeof(value));
	return value;
}

uint32_t read_native_u32(struct reader *r)
{
	uint32_t value;

	read_into(r, &value, sizeof(value));
	return value;
}

uint64_t read_native_u64(struct reader *r)
{
	uint64_t value;

	read_into(r, &value, sizeof(value));
	return value;
}

uint16_t read_u16(struct reader *r)
{
	return le16toh(read_native_u16(r));
}

uint32_t read_u32(struct reader *r)
{
	return le32toh(read_native_u32(r));
}

uint64_t read_u64(struct reader *r)
{
	return le64toh(read_native_u64(r));
}

void read_string(struct reader *r, char *ret, size_t cap)
{
	size_t length = read_u16(r);
	const char *at = read_bytes(r, length);

	ret[0] = '\0';
	if (at == NULL)
		return;
	if (length >= cap || memchr(at, '\0', length) != NULL) {
		r->failed = true;
		return;
	}
	memcpy(ret, at, length);
	ret[length] = '\0';
}

struct writer writer_of(void *data, size_t size)
{
	return (struct writer){.at = data, .left = size};
}

/* The place for size bytes, or NULL (and failed) when there is no room. */
static void *write_place(struct writer *w, size_t size)
{
	uint8_t *at = w->at;

	if (w->failed || size > w->left) {
		w->failed = true;
		return NULL;
	}
	w->at += size;
	w->left -= size;
	return at;
}

void write_bytes(struct writer *w, const void *data, size_t size)
{
	void *at = write_place(w, size);

	if (at != NULL && size > 0)
		memcpy(at, data, size);
}

void write_zeros(struct writer *w, size_t size)
{
	void *at = write_place(w, size);

	if (at != NULL)
		memset(at, 0, size);
}

void write_u8(struct writer *w, uint8_t value)
{
	write_bytes(w, &value, sizeof(value));
}

void write_native_u16(struct writer *w, uint16_t value)
{
	write_bytes(w, &value, sizeof(value));
}

void write_native_u32(struct writer *w, uint32_t value)
{
	write_bytes(w, &value, sizeof(value));
}

void write_native_u64(struct writer *w, uint64_t value)
{
	write_bytes(w, &value, sizeof(value));
}

void write_u16(struct writer *w, uint16_t value)
{
	write_native_u16(w, htole16(value));
}

void write_u32(struct writer *w, uint32_t value)
{
	write_native_u32(w, htole32(value));
}

void write_u64(struct writer *w, uint64_t value)
{
	write_native_u64(w, htole64(value));
}

void write_string(struct writer *w, const char *text)
{
	size_t length = strlen(text);

	if (length > UINT16_MAX) {
		w->failed = true;
		return;
	}
	write_u16(w, (uint16_t)length);
	write_bytes(w, text, length);
}
