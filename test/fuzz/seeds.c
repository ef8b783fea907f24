/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes the corpora of fuzz_group and fuzz_mlog: `seeds DIRECTORY` makes DIRECTORY/group/NAME and
 * DIRECTORY/mlog/NAME. For the group these are the samples of the codec's test, as they are and to
 * be mended; for the core they are stories, each up to the place where something may go wrong.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mlog.h"
#include "test/fuzz/group_modes.h"
#include "test/fuzz/mlog_actions.h"
#include "test/unit/group_samples.h"

#define SEED_MAX 4096U

static uint8_t seed[SEED_MAX];
static size_t seed_size;

static void seed_write(const char *directory, const char *target, const char *name,
		       const char *suffix)
{
	char path[4096];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s/%s%s", directory, target, name, suffix);
	file = fopen(path, "wb");
	if (file == NULL || fwrite(seed, 1, seed_size, file) != seed_size || fclose(file) != 0) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
}

/* ---- fuzz_group */

static void group_seed(const char *directory, const char *name, const char *hex, uint8_t mode,
		       const char *suffix)
{
	seed[0] = mode;
	seed_size = 1 + group_samples_bytes(hex, seed + 1);
	seed_write(directory, "group", name, suffix);
}

static void group_seeds(const char *directory)
{
	group_seed(directory, "hello", group_samples_hello, 0, "");
	group_seed(directory, "plan", group_samples_plan, 0, "");
	group_seed(directory, "plan", group_samples_plan, GROUP_MODE_MEND, "-mended");
	group_seed(directory, "plan", group_samples_plan, GROUP_MODE_OLD, "-old");
	group_seed(directory, "errand", group_samples_errand, 0, "");
	group_seed(directory, "errand", group_samples_errand, GROUP_MODE_MEND, "-mended");
	for (unsigned i = 0; i < group_samples_count; i++) {
		const struct group_sample *s = &group_samples[i];

		group_seed(directory, s->name, s->hex, 0, "");
		group_seed(directory, s->name, s->hex, GROUP_MODE_MEND, "-mended");
		if (s->version > 1)
			group_seed(directory, s->name, s->hex, GROUP_MODE_OLD, "-old");
	}
	seed_size--;
	seed_write(directory, "group", "cut", "");
}

/* ---- fuzz_mlog */

#define ON(node, action)  ACT_NODE(node) | (action)
#define RUN(rounds)	  ACT_RUN, HISTORY_CLEAN, (rounds)
#define RUN_BLANK(rounds) ACT_RUN, HISTORY_BLANK, (rounds)
/* legs that may differ in regions 0 and 2 of each 8, and node 3 has the third slot */
#define RUN_CRASHED(rounds) ACT_RUN, HISTORY_CRASHED, 5, 0x30, (rounds)
#define STALE(rounds)	    ACT_RUN, HISTORY_CLEAN | HISTORY_IN_SYNC, 0x0f, (rounds)
#define BOTH(action)	    ON(0, action), ON(1, action)
#define ALL(action)	    BOTH(action), ON(2, action)
#define JOINED(rounds)	    BOTH(ACT_RESUME), RUN(rounds)

/* Plans: 12 regions, one per slot bit, four copies at once, all of the newest version. */
#define ONE	   0, 0x60, 0
#define TWO	   1, 0x60, 0
#define THREE	   2, 0x60, 0
#define ONE_DISK   PLAN_DISK, 0x60, 0
#define TWO_DISK   PLAN_DISK | 1, 0x60, 0
#define THREE_DISK PLAN_DISK | 2, 0x60, 0
#define STRANGER   PLAN_DISK | PLAN_STRANGER | 1, 0x60, 0

#define FORGE(...) ACT_FORGE, __VA_ARGS__
/* It has the same mirror, and joins afresh; then it is in slot 4 - 1. */
#define FORGE_JOIN  ACT_FORGE, MLOG_MSG_JOIN, 0, 0
#define FORGE_READY FORGE(MLOG_MSG_READY)
#define MEMBER	    JOINED(20), FORGE_JOIN, RUN(5), FORGE_READY, RUN(5)

#define STORY(name, ...)                                                                           \
	{                                                                                          \
		name, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})       \
	}

static const struct {
	const char *name;
	const uint8_t *bytes;
	size_t size;
} story[] = {
    STORY("one-writes", ONE_DISK, ACT_RESUME, RUN(20), ACT_MARK, 3, RUN(5), ACT_CLEAR, 3, ACT_TIME,
	  13, RUN(9), ACT_SUSPEND, RUN(9)),
    STORY("one-blank", ONE_DISK, ACT_RESUME, RUN_BLANK(20), ON(0, ACT_WORK | ACT_ON),
	  ON(0, ACT_REGION_SYNC | ACT_ON), 0, RUN(5), ON(0, ACT_WORK | ACT_ON),
	  ON(0, ACT_REGION_SYNC), 1, RUN(5)),
    STORY("one-crashed", ONE_DISK, ACT_RESUME, RUN_CRASHED(9), ACT_MARK, 2, RUN_CRASHED(30)),
    STORY("one-device-fails", ONE_DISK, ACT_RESUME, RUN(9), ACT_MARK, 1, ON(0, ACT_WRITE | ACT_ON),
	  0, ACT_MARK, 2, ACT_TIME, 13, ACT_TIMER, ON(0, ACT_DEVICE | ACT_ON), 0, RUN(9)),
    STORY("one-load-fails", ONE_DISK, ACT_RESUME, ACT_DELIVER_ALL, ACT_LOCK, 32, ACT_DELIVER_ALL,
	  ON(0, ACT_DEVICE | ACT_ON), 0, RUN(20)),
    STORY("one-core", ONE, ACT_RESUME, RUN(9), ACT_MARK, 1, RUN(5), ACT_SUSPEND, RUN(5), ACT_RESUME,
	  RUN(9)),
    STORY("one-verify", ONE_DISK, ACT_RESUME, RUN(9), ACT_MARK, 1, RUN(3), ACT_VERIFY | ACT_ON,
	  ACT_DELIVER_ALL, ACT_COPY, 0, MLOG_COPY_ERROR, ACT_COPY, 0, MLOG_COPY_LATER, RUN(40)),
    STORY("one-geometry", ONE_DISK, ACT_RESUME, ACT_RUN,
	  HISTORY_CRASHED | HISTORY_OTHER | HISTORY_IN_SYNC, 0xf7, 3, 0, 30),
    STORY("one-reload", ONE_DISK, ACT_RESUME, RUN(9), ACT_SUSPEND, RUN(9), ACT_RELOAD, ACT_RESUME,
	  RUN(9), ACT_SUSPEND, RUN(9), ACT_REMOVE, ACT_REMOVE, ACT_RESUME, RUN(9)),
    STORY("one-daemon", ONE_DISK, ACT_RESUME, RUN(9), ACT_MARK, 4, RUN(3), ACT_DAEMON_DIES,
	  ACT_DAEMON_STARTS, RUN_CRASHED(20), ACT_DAEMON_RESTARTS, RUN(20)),
    STORY("one-alone-for-ever", PLAN_MOST | PLAN_DISK, 0x60, 0, ACT_RESUME, RUN(9), ACT_MARK, 1,
	  RUN(9), ACT_CLEAR, 1, RUN(9)),

    STORY("two-join", TWO_DISK, JOINED(20), ON(0, ACT_MARK), 1, ON(1, ACT_MARK), 2, RUN(9),
	  ON(1, ACT_SUSPEND), RUN(20), ON(0, ACT_SUSPEND), RUN(20)),
    STORY("two-join-at-once", TWO, BOTH(ACT_RESUME), BOTH(ACT_DELIVER), BOTH(ACT_DELIVER),
	  BOTH(ACT_DELIVER_ALL), ON(1, ACT_LOCK), 1, BOTH(ACT_DELIVER_ALL), RUN(20)),
    STORY("two-join-later", TWO_DISK, ACT_RESUME, RUN(20), ACT_MARK, 3, RUN(5), ON(1, ACT_RESUME),
	  RUN(30)),
    STORY("two-one-removed", TWO_DISK, ON(1, ACT_REMOVE), ON(0, ACT_RESUME), RUN(20),
	  ON(1, ACT_REMOVE), ON(1, ACT_RESUME), RUN(20)),
    STORY("two-core-marks", TWO, JOINED(20), ON(0, ACT_MARK), 1, BOTH(ACT_DELIVER_ALL),
	  BOTH(ACT_DELIVER_ALL), ON(0, ACT_CLEAR), 1, ACT_TIME, 13, RUN(20)),
    STORY("two-resync", TWO_DISK, BOTH(ACT_RESUME), STALE(20), BOTH(ACT_WORK | ACT_ON), RUN(5),
	  ON(0, ACT_IN_SYNC), 5, ON(0, ACT_REGION_SYNC | ACT_ON), 4, RUN(5),
	  BOTH(ACT_WORK | ACT_ON), RUN(5), ON(1, ACT_REGION_SYNC), 1, RUN(9)),
    STORY("two-node-dies", PLAN_DISK | 2, 0x60, 0, JOINED(20), ON(1, ACT_MARK), 4, RUN(5),
	  ON(1, ACT_NODE_DIES | ACT_ON), RUN_CRASHED(40), ON(0, ACT_MARK), 5, RUN(9)),
    STORY("two-daemon-dies", TWO_DISK, JOINED(20), ON(1, ACT_MARK), 4, RUN(5),
	  ON(1, ACT_DAEMON_DIES), RUN(5), ON(1, ACT_DAEMON_STARTS), RUN(30), ON(1, ACT_MARK), 5,
	  RUN(9)),
    STORY("two-daemon-restarts", TWO_DISK, JOINED(20), RUN(9), ON(1, ACT_DAEMON_RESTARTS), RUN(30)),
    STORY("two-part", TWO_DISK, JOINED(20), ON(0, ACT_MARK), 1, ON(1, ACT_MARK), 2,
	  ACT_PART | ACT_ON, 1, BOTH(ACT_DELIVER_ALL), BOTH(ACT_MARK), 3, RUN(5), ACT_PART, 0,
	  RUN(40)),
    STORY("two-versions", PLAN_DISK | 1, 0x60, 8, JOINED(20), ON(1, ACT_DAEMON_DIES), RUN(5),
	  ON(1, ACT_DAEMON_STARTS), RUN(20)),
    STORY("two-many-regions", PLAN_DISK | 1, 0x67, 0, JOINED(20), ON(0, ACT_MARK), 250, 1, 32,
	  RUN(9)),
    STORY("two-log-fails", TWO_DISK, JOINED(20), ON(0, ACT_MARK), 1, ON(0, ACT_WRITE | ACT_ON), 0,
	  RUN(5), ON(0, ACT_MARK), 2, RUN(5), ACT_TIME, 14, RUN(30)),

    STORY("two-log-replaced", TWO_DISK, JOINED(20), ON(1, ACT_MARK), 2, RUN(3), ON(0, ACT_MARK), 1,
	  ON(0, ACT_WRITE | ACT_ON), 0, ACT_TIME, 13, ON(0, ACT_TIMER), ON(0, ACT_DEVICE | ACT_ON),
	  HISTORY_REPLACED, BOTH(ACT_DELIVER_ALL), RUN(30)),

    STORY("three-third-joins-in-repair", THREE_DISK, BOTH(ACT_RESUME), RUN_CRASHED(12),
	  ON(2, ACT_RESUME), RUN_CRASHED(3), ON(0, ACT_COPY), 0, MLOG_COPY_REPAIRED,
	  RUN_CRASHED(40)),
    STORY("three-claim-busy", THREE_DISK, ALL(ACT_RESUME), RUN(30), ON(2, ACT_MARK), 0, RUN(3),
	  ON(0, ACT_VERIFY | ACT_ON), ALL(ACT_DELIVER_ALL), ALL(ACT_DELIVER_ALL), ACT_TIME, 11,
	  ON(2, ACT_TIMER), RUN(40)),
    STORY("three-part", THREE_DISK, ALL(ACT_RESUME), RUN(30), ON(2, ACT_MARK), 0, RUN(3),
	  ACT_PART | ACT_ON, 4, RUN(9), ON(2, ACT_NODE_DIES), RUN_CRASHED(30), ACT_PART, 0,
	  ON(2, ACT_DAEMON_STARTS), ON(2, ACT_REMOVE), ON(2, ACT_RESUME), RUN(30)),
    STORY("three-two-leave", THREE, ALL(ACT_RESUME), RUN(30), ON(1, ACT_DAEMON_DIES),
	  ON(2, ACT_DAEMON_DIES), RUN(9), ON(1, ACT_DAEMON_STARTS), ON(2, ACT_DAEMON_STARTS),
	  RUN(40)),
    STORY("three-donor-dies", THREE_DISK, ALL(ACT_RESUME), BOTH(ACT_DELIVER_ALL), RUN(9),
	  ON(0, ACT_NODE_DIES | ACT_ON), RUN(40)),
    STORY("three-versions", PLAN_DISK | 2, 0x61, 16, ALL(ACT_RESUME), RUN(30)),

    STORY("stranger-joins", STRANGER, MEMBER, FORGE(MLOG_MSG_LEAVE, 0), RUN(9)),
    STORY("stranger-leaves-dirty", STRANGER, MEMBER, FORGE(MLOG_MSG_LEAVE, 1), RUN_CRASHED(20)),
    STORY("stranger-recovers", STRANGER, BOTH(ACT_RESUME), STALE(20), FORGE_JOIN, RUN(5),
	  FORGE_READY, RUN(5), FORGE(MLOG_MSG_LEASE, 0, 63), FORGE(MLOG_MSG_SYNC, 1, 4),
	  FORGE(MLOG_MSG_WANT, 5), FORGE(MLOG_MSG_UNSEEN, 6), RUN(9)),
    STORY("stranger-claims", STRANGER, MEMBER, FORGE(MLOG_MSG_CLAIM, 2, 1, 2), RUN(5),
	  ON(0, ACT_MARK), 1, RUN(3), FORGE(MLOG_MSG_DONE, 1, 3), RUN(9)),
    STORY("stranger-marks", STRANGER, MEMBER, FORGE(MLOG_MSG_MARKS, 1, 2, 1, 2), RUN(5),
	  FORGE(MLOG_MSG_UNMARKS, 0, 1, 1), FORGE(MLOG_MSG_DIRTY, 3, 0, 0, 0, 1, 1), RUN(20)),
    STORY("stranger-acknowledges", STRANGER, MEMBER, ON(0, ACT_VERIFY | ACT_ON), RUN(2),
	  FORGE(MLOG_MSG_ACK, 0, 1), RUN(20)),
    STORY("stranger-gives-state", STRANGER, BOTH(ACT_DELIVER_ALL), ACT_RESUME, ACT_DELIVER_ALL,
	  FORGE(MLOG_MSG_NONE, 0, 0, 0), FORGE(MLOG_MSG_SNAP, 9), ACT_DELIVER_ALL,
	  FORGE(MLOG_MSG_STATE, 2, 0, 0, 0, 0, 0x4e, 1, 12, 0, 0, 0x4e, 4, 12, 0, 0, 0, 0),
	  FORGE(MLOG_MSG_STATE, 0, 0xff, 0, 0, 1), FORGE(MLOG_MSG_STATE, 1, 0x11, 1, 0, 1),
	  RUN(20)),
};

int main(int argc, char **argv)
{
	if (argc != 2) {
		(void)fprintf(stderr, "usage: seeds DIRECTORY\n");
		return 2;
	}
	group_seeds(argv[1]);
	for (size_t i = 0; i < sizeof(story) / sizeof(story[0]); i++) {
		memcpy(seed, story[i].bytes, story[i].size);
		seed_size = story[i].size;
		seed_write(argv[1], "mlog", story[i].name, "");
	}
	return 0;
}
