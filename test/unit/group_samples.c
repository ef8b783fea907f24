/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One message of each kind and each form, and its bytes, which were computed by another program
 * from what dlmirror-protocol(7) says.
 */
#include "test/unit/group_samples.h"

#include <string.h>

#define SENDER .from = 7, .incarnation = UINT64_C(0x0102030405060708)

static const struct mlog_member members[] = {
    {.state = MLOG_MEMBER_NONE},
    {.state = MLOG_MEMBER_READY,
     .node = 7,
     .incarnation = UINT64_C(0x0102030405060708),
     .live = true,
     .replicated = true,
     .marked = true,
     .bound = 100,
     .lease_first = 64,
     .lease = 0xffff,
     .claim_seq = 8,
     .claim_count = 2,
     .claim_waits = 5,
     .claim_busy = 2,
     .claim = {70, 71}},
    {.state = MLOG_MEMBER_JOINING, .node = 8, .incarnation = 11, .informed = true},
    {.state = MLOG_MEMBER_GONE,
     .node = 9,
     .incarnation = 12,
     .live = true,
     .bound = 128,
     .lease_any = true},
};
static const uint64_t words_mixed[] = {1, 2, UINT64_C(0x8000000000000000)};
static const uint64_t words_same[] = {UINT64_MAX, UINT64_MAX, UINT64_MAX};

const char group_samples_uuid[] = "LVM-mirror-1";

/* the same for HELLO, of which there is no message */
const char group_samples_hello[] =
    "646c6d6778fb6ad23800000001000500010001000700000000000000000000000000000000000000"
    "00000000000000000000000000000000";

/* the PLAN of a reload: 2048 sectors become 4096, and instead of the first of two legs comes
 * /dev/mapper/new from sector 128 on */
const char group_samples_plan[] =
    "646c6d67d44514d38600000001000500030013000700000000000000000000000000000000000000"
    "a6a131c033975d5e97d98f37e35860cb010700000088776655443322110000000008000000000000"
    "020000000000000000400000000000000000100000000000000200010180000000000000000f002f"
    "6465762f6d61707065722f6e6577";

/* nodes 7 and 8 are to activate the mirror web */
const char group_samples_errand[] =
    "646c6d6726ab39805800000001000500040014000700000000000000000000000000000000000000"
    "00000000000000000000000000000000070000008877665544332211000502070000000800000003"
    "0077656200000000";

const struct group_sample group_samples[] = {
    {"join",
     1,
     {.kind = MLOG_MSG_JOIN,
      SENDER,
      .seq = 9,
      .join = {.live = true,
	       .has_disk = true,
	       .region_count = 1000,
	       .region_sectors = 1024,
	       .slot = 5,
	       .applied = 77,
	       .bound = 600,
	       .recovering = 501,
	       .revision = MLOG_REVISION_UNKNOWN}},
     "646c6d672602f4dd6500000001000500010002000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb03e8030000000000000004000000000000050000004d0000"
     "00000000005802000000000000f501000000000000"},
    {"join-revision",
     5,
     {.kind = MLOG_MSG_JOIN,
      SENDER,
      .seq = 9,
      .join = {.live = true,
	       .has_disk = true,
	       .region_count = 1000,
	       .region_sectors = 1024,
	       .slot = 5,
	       .applied = 77,
	       .bound = 600,
	       .recovering = 501,
	       .revision = 3}},
     "646c6d674546e5d26d00000001000500050002000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb03e8030000000000000004000000000000050000004d0000"
     "00000000005802000000000000f5010000000000000300000000000000"},
    {"join-fresh",
     1,
     {.kind = MLOG_MSG_JOIN,
      SENDER,
      .seq = 9,
      .join = {.region_count = 1,
	       .region_sectors = 8,
	       .slot = MLOG_NO_SLOT,
	       .revision = MLOG_REVISION_UNKNOWN}},
     "646c6d67aa35bb326500000001000500010002000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb0001000000000000000800000000000000ffffffff000000"
     "000000000000000000000000000000000000000000"},
    {"none",
     1,
     {.kind = MLOG_MSG_NONE,
      SENDER,
      .none = {.to = 8, .incarnation = 4, .joining = true, .founding = true, .applied = 55}},
     "646c6d675bebf8f84d00000001000500010003000700000008070605040302010000000000000000"
     "a6a131c033975d5e97d98f37e35860cb030800000004000000000000003700000000000000"},
    {"snap",
     1,
     {.kind = MLOG_MSG_SNAP, SENDER, .seq = 9, .applied = 78},
     "646c6d675660ab794000000001000500010004000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb4e00000000000000"},
    {"state",
     1,
     {.kind = MLOG_MSG_STATE,
      SENDER,
      .seq = 9,
      .state = {.snap = 6,
		.last = true,
		.member_count = 4,
		.member = members,
		.map = MLOG_MAP_MARKS + 31,
		.first = 3,
		.words = 3,
		.word = words_mixed}},
     "646c6d6795f0e80a3b01000001000500010005000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb010600000000000000040000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000020e070000000807"
     "06050403020164000000000000004000000000000000ffff00000000000008000000000000000500"
     "00000200000002000000460000000000000047000000000000000101080000000b00000000000000"
     "00000000000000000000000000000000000000000000000000000000000000000312090000000c00"
     "00000000000080000000000000000000000000000000000000000000000000000000000000002103"
     "0000000000000003000000010000000000000002000000000000000000000000000080"},
    {"state-empty",
     1,
     {.kind = MLOG_MSG_STATE, SENDER, .seq = 9, .state = {.snap = 6, .last = true}},
     "646c6d67b27e214b4f00000001000500010005000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb0106000000000000000000000000000000000000000000"},
    {"state-same-1",
     1,
     {.kind = MLOG_MSG_STATE,
      SENDER,
      .seq = 9,
      .state = {.snap = 6, .map = MLOG_MAP_REPAIR, .first = 10, .words = 3, .word = words_same}},
     "646c6d679fd3d4d66700000001000500010005000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb00060000000000000000010a0000000000000003000000ff"
     "ffffffffffffffffffffffffffffffffffffffffffffff"},
    {"state-same-2",
     2,
     {.kind = MLOG_MSG_STATE,
      SENDER,
      .seq = 9,
      .state = {.snap = 6, .map = MLOG_MAP_REPAIR, .first = 10, .words = 3, .word = words_same}},
     "646c6d674f441e825700000001000500020005000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb02060000000000000000010a0000000000000003000000ff"
     "ffffffffffffff"},
    {"ready",
     1,
     {.kind = MLOG_MSG_READY, SENDER, .seq = 9},
     "646c6d679e97e39f3800000001000500010006000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb"},
    {"lost",
     1,
     {.kind = MLOG_MSG_LOST, SENDER, .seq = 9},
     "646c6d672bb87abb3800000001000500010012000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb"},
    {"leave",
     1,
     {.kind = MLOG_MSG_LEAVE, SENDER, .seq = 9, .dirty = true},
     "646c6d6789cf21793900000001000500010007000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb01"},
    {"sync",
     1,
     {.kind = MLOG_MSG_SYNC, SENDER, .seq = 9, .sync = {.region = 17, .in_sync = true}},
     "646c6d677d7566754100000001000500010008000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb011100000000000000"},
    {"lease",
     1,
     {.kind = MLOG_MSG_LEASE, SENDER, .seq = 9, .lease = {.from = 64, .regions = 48}},
     "646c6d67a21a0c764400000001000500010009000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb400000000000000030000000"},
    {"want",
     1,
     {.kind = MLOG_MSG_WANT, SENDER, .seq = 9, .region = 65},
     "646c6d678fb11f4f400000000100050001000a000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb4100000000000000"},
    {"unseen",
     1,
     {.kind = MLOG_MSG_UNSEEN, SENDER, .seq = 9, .region = 66},
     "646c6d6708574bd4400000000100050001000b000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb4200000000000000"},
    {"claim",
     1,
     {.kind = MLOG_MSG_CLAIM, SENDER, .seq = 9, .claim = {.count = 3, .item = {3, 5, 8}}},
     "646c6d67ec7a3a09540000000100050001000c000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb030000000300000000000000050000000000000008000000"
     "00000000"},
    {"done",
     1,
     {.kind = MLOG_MSG_DONE, SENDER, .seq = 9, .done = {.claim = 9, .repaired = 5}},
     "646c6d67650559bc440000000100050001000d000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb090000000000000005000000"},
    {"ack",
     1,
     {.kind = MLOG_MSG_ACK,
      SENDER,
      .seq = 9,
      .ack = {.to = 8, .incarnation = 12, .seq = 9, .busy = 0x8001}},
     "646c6d67e69a294e500000000100050001000e000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb080000000c00000000000000090000000000000001800000"},
    {"dirty",
     1,
     {.kind = MLOG_MSG_DIRTY,
      SENDER,
      .seq = 9,
      .dirty_bits =
	  {.slot = 31, .incarnation = 12, .last = true, .items = {.count = 2, .item = {0, 63}}}},
     "646c6d6713ce4684590000000100050001000f000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb011f0000000c000000000000000200000000000000000000"
     "003f00000000000000"},
    {"dirty-all",
     1,
     {.kind = MLOG_MSG_DIRTY,
      SENDER,
      .seq = 9,
      .dirty_bits = {.incarnation = 12, .last = true, .all = true}},
     "646c6d673600acb6490000000100050001000f000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb03000000000c0000000000000000000000"},
    {"marks",
     1,
     {.kind = MLOG_MSG_MARKS,
      SENDER,
      .seq = 9,
      .marks = {.all = true, .items = {.count = 1, .item = {4}}}},
     "646c6d67d234f8084500000001000500010010000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb01010000000400000000000000"},
    {"unmarks",
     1,
     {.kind = MLOG_MSG_UNMARKS,
      SENDER,
      .seq = 9,
      .marks = {.items = {.count = 41,
			  .item = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13,
				   14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
				   28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40}}}},
     "646c6d67ef5d2cc38501000001000500010011000700000008070605040302010900000000000000"
     "a6a131c033975d5e97d98f37e35860cb002900000000000000000000000100000000000000020000"
     "00000000000300000000000000040000000000000005000000000000000600000000000000070000"
     "0000000000080000000000000009000000000000000a000000000000000b000000000000000c0000"
     "00000000000d000000000000000e000000000000000f000000000000001000000000000000110000"
     "00000000001200000000000000130000000000000014000000000000001500000000000000160000"
     "00000000001700000000000000180000000000000019000000000000001a000000000000001b0000"
     "00000000001c000000000000001d000000000000001e000000000000001f00000000000000200000"
     "00000000002100000000000000220000000000000023000000000000002400000000000000250000"
     "0000000000260000000000000027000000000000002800000000000000"},
};

const unsigned group_samples_count = sizeof(group_samples) / sizeof(group_samples[0]);

static unsigned digit(char c)
{
	return (unsigned)(strchr("0123456789abcdef", c) - "0123456789abcdef");
}

size_t group_samples_bytes(const char *hex, uint8_t *ret)
{
	size_t size = strlen(hex) / 2;

	for (size_t i = 0; i < size; i++)
		ret[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
	return size;
}
