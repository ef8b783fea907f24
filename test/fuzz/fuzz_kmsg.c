/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel messages. Input: one byte of mode, then the datagram. With bit 0 of the mode the lengths
 * and the connector id are put right first, so that mutations reach what lies behind those checks;
 * the other bits choose the number of regions.
 */
#include <errno.h>
#include <string.h>

#include <linux/connector.h>
#include <linux/netlink.h>

#include "base/cursor.h"
#include "codec/kmsg.h"
#include "test/fuzz/fuzz.h"

#define CN_SIZE		20U
#define NLMSG_SIZE	16U
#define DATA_SIZE_PLACE (KMSG_HEADER_SIZE - sizeof(uint32_t))

static void envelope_mend(uint8_t *datagram, size_t size)
{
	struct writer w = writer_of(datagram, size);

	write_native_u32(&w, (uint32_t)size);
	write_native_u16(&w, NLMSG_DONE);
	w = writer_of(datagram + NLMSG_SIZE, CN_SIZE);
	write_native_u32(&w, CN_IDX_DM);
	write_native_u32(&w, CN_VAL_DM_USERSPACE_LOG);
	w = writer_of(datagram + KMSG_ACK_SIZE - 4, 2);
	write_native_u16(&w, (uint16_t)(size - KMSG_ACK_SIZE));
	w = writer_of(datagram + DATA_SIZE_PLACE, sizeof(uint32_t));
	write_native_u32(&w, (uint32_t)(size - KMSG_HEADER_SIZE));
}

static void same_header(const struct kmsg *a, const struct kmsg *b)
{
	MUST(a->cn_seq == b->cn_seq);
	MUST(a->version == b->version);
	MUST(a->luid == b->luid);
	MUST(memcmp(a->uuid, b->uuid, sizeof(a->uuid)) == 0);
	MUST(a->seq == b->seq);
	MUST(a->request_type == b->request_type);
	MUST(a->type == b->type);
}

/* A good message, encoded again, says the same. */
static void check_round_trip(const struct kmsg *k)
{
	uint8_t again[KMSG_SIZE_MAX];
	size_t size = kmsg_encode_request(k, again, sizeof(again));
	struct kmsg copy;

	MUST(size >= KMSG_HEADER_SIZE + k->data_size && size <= KMSG_SIZE_MAX);
	MUST(kmsg_decode(again, size, &copy) == KMSG_OK);
	same_header(k, &copy);
	MUST(copy.data_size == k->data_size);
	MUST(memcmp(copy.data, k->data, k->data_size) == 0);
	MUST(kmsg_encode_request(k, again, size - 1) == 0);
}

/* Whatever has a header can be answered, and the answer has the size that the kernel waits for. */
static void check_answers(const struct kmsg *k, enum kmsg_problem problem)
{
	uint8_t reply[KMSG_SIZE_MAX];
	struct kmsg seen;
	size_t size = kmsg_encode_reply(k, -ESRCH, NULL, 0, reply, sizeof(reply));

	MUST(size == KMSG_HEADER_SIZE + kmsg_error_size(k->type));
	if (problem != KMSG_OK)
		return;
	MUST(kmsg_decode(reply, size, &seen) == KMSG_OK);
	same_header(k, &seen);
	MUST(seen.data_size == kmsg_error_size(k->type));

	size = kmsg_encode_reply(k, 0, k->data, k->data_size, reply, sizeof(reply));
	MUST(kmsg_decode(reply, size, &seen) == KMSG_OK);
	same_header(k, &seen);
	MUST(seen.data_size == k->data_size && memcmp(seen.data, k->data, k->data_size) == 0);
}

static void check_request(const struct kmsg *k, uint64_t region_count)
{
	struct mlog_request request;
	enum kmsg_problem problem;

	memset(&request, 0xa5, sizeof(request));
	problem = kmsg_request(k, region_count, &request);
	MUST(problem == KMSG_OK || problem == KMSG_BAD_DATA || problem == KMSG_BAD_TYPE);
	if (problem != KMSG_OK)
		return;
	MUST(request.type == k->type && request.seq == k->seq);
	MUST(request.region_count <= MLOG_GROUP_MAX);
	for (uint32_t i = 0; i < request.region_count; i++)
		MUST(request.region[i] < region_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *datagram;
	struct kmsg k;
	enum kmsg_problem problem;

	if (size == 0 || size - 1 > KMSG_SIZE_MAX + 64)
		return 0;
	datagram =
	    malloc(size); /* never 0; one byte is for the mode, the datagram ends the memory */
	MUST(datagram != NULL);
	memcpy(datagram, data, size);
	if ((data[0] & 1) != 0 && size - 1 >= KMSG_HEADER_SIZE)
		envelope_mend(datagram + 1, size - 1);

	problem = kmsg_decode(datagram + 1, size - 1, &k);
	MUST(strlen(k.uuid) < KMSG_UUID_SIZE);
	MUST(problem == KMSG_OK || problem == KMSG_BAD_UUID || problem == KMSG_BAD_TYPE ||
	     k.data_size == 0);
	if (problem >= KMSG_BAD_LENGTH || problem == KMSG_OK)
		check_answers(&k, problem);
	if (problem == KMSG_OK) {
		check_round_trip(&k);
		check_request(&k, UINT64_C(1) << (data[0] >> 2));
	}
	free(datagram);
	return 0;
}
