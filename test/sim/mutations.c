/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names of the core's deliberate faults, and the one that is on in this run. */
#include "core/mutate.h"

#include <stddef.h>

enum mutation mutation_active = MUTATE_NOTHING;
bool mutation_asserted;

static const char *const names[MUTATIONS] = {
    [MUTATE_NOTHING] = "nothing",
    [MUTATE_MARK_BEFORE_DURABLE] = "mark-before-durable",
    [MUTATE_DROP_HELD] = "drop-held",
    [MUTATE_DROP_REPAIR] = "drop-repair",
    [MUTATE_RESUME_FORGETS_MARKS] = "resume-forgets-marks",
    [MUTATE_LATE_CLEAR] = "late-clear",
    [MUTATE_CLEARED_ON_FAILED_WRITE] = "cleared-on-failed-write",
    [MUTATE_RESTART_FORGETS_MARKS] = "restart-forgets-marks",
    [MUTATE_ATTACH_IGNORES_SLOT] = "attach-ignores-slot",
    [MUTATE_SLOT_NOT_READ] = "slot-not-read",
    [MUTATE_MARKS_NOT_IN_STATE] = "marks-not-in-state",
    [MUTATE_REPAIR_NOT_IN_STATE] = "repair-not-in-state",
    [MUTATE_CLAIMS_NOT_IN_STATE] = "claims-not-in-state",
    [MUTATE_OLD_STATE_ACCEPTED] = "old-state-accepted",
    [MUTATE_DEAD_MARKS_FORGOTTEN] = "dead-marks-forgotten",
    [MUTATE_FIRST_LEAVER_ONLY] = "first-leaver-only",
    [MUTATE_DEAD_LEASE_KEPT] = "dead-lease-kept",
    [MUTATE_GONE_IS_DEAD] = "gone-is-dead",
    [MUTATE_EMPTIED_BEFORE_INHERITED] = "emptied-before-inherited",
    [MUTATE_UNLOCKED_BEFORE_INHERITED] = "unlocked-before-inherited",
    [MUTATE_UNLOCKED_WHILE_WRITING] = "unlocked-while-writing",
    [MUTATE_GONE_CLAIM_OPENED] = "gone-claim-opened",
    [MUTATE_CLAIM_WHILE_GONE] = "claim-while-gone",
    [MUTATE_CLAIM_BUSY_IGNORED] = "claim-busy-ignored",
    [MUTATE_CLAIM_NO_ACKS] = "claim-no-acks",
    [MUTATE_GATE_IGNORED] = "gate-ignored",
    [MUTATE_HINT_TOO_HIGH] = "hint-too-high",
    [MUTATE_LEASE_UNSEEN] = "lease-unseen",
    [MUTATE_TWO_LEASES] = "two-leases",
    [MUTATE_REMOTE_NOT_HELD] = "remote-not-held",
    [MUTATE_MARKS_NOT_ACKNOWLEDGED] = "marks-not-acknowledged",
    [MUTATE_MARKS_NOT_SENT] = "marks-not-sent",
    [MUTATE_STALE_NOT_REPORTED] = "stale-not-reported",
    [MUTATE_ANSWERED_TWICE] = "answered-twice",
    [MUTATE_SUSPENDED_STAYS] = "suspended-stays",
    [MUTATE_MINORITY_GOES_ON] = "minority-goes-on",
    [MUTATE_RECOVERED_NOT_HELD] = "recovered-not-held",
    [MUTATE_MISSED_FULL] = "missed-full",
    [MUTATE_MISSED_FORGOTTEN] = "missed-forgotten",
    [MUTATE_OTHER_TABLE_JOINS] = "other-table-joins",
    [MUTATE_OUTDATED_SERVED] = "outdated-served",
    [MUTATE_LOG_REVISION_IGNORED] = "log-revision-ignored",
    [MUTATE_LOCK_NOT_PERSISTENT] = "lock-not-persistent",
};

const char *mutation_name(enum mutation which)
{
	return names[which];
}
