# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The words scenarios are written in. test/vm/run sources this and then the scenario, with an instance of the rig
# taken and our programs installed for the nodes. A scenario fails at the first command that fails.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
instance_use "$DLMIRROR_VM_INSTANCE"
: "${SCENARIO_LOG:?started by test/vm/run}" "${ROUNDS:=3}"
export PATH=$BUILD/test/vm:$PATH

MIB=2048 # sectors
# shellcheck disable=SC2034 # for scenarios
REGION=1024 # sectors: 512 KiB

# names the line of the scenario, whichever function of this file it failed in
say_where() {
	local i
	for i in "${!BASH_SOURCE[@]}"; do
		[[ "${BASH_SOURCE[i]}" == */scenarios/* ]] || continue
		fail "line ${BASH_LINENO[i - 1]}: $(sed -n "${BASH_LINENO[i - 1]}s/^[[:space:]]*//p" "${BASH_SOURCE[i]}")"
	done
	fail "$BASH_COMMAND"
}
trap say_where ERR

fail() {
	echo "failed: $*" >&2
	exit 1
}

# note TEXT: a figure worth seeing; run prints it behind the result
note() {
	echo "note: $*"
	echo "$*" >>"$SCENARIO_LOG/notes"
}

# rig_up [N]: N (1) nodes with fresh disks
rig_up() {
	"$VM/node" down
	"$VM/node" up "${1:-1}"
}

# on I COMMAND: in node I
on() {
	"$VM/node" exec "$1" "$2"
}

power_cut() {
	"$VM/node" kill "$1"
}

power_on() {
	"$VM/node" start "$1"
}

disk() {
	"$VM/node" disk "$1"
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds
wait_for() {
	local deadline=$((SECONDS + $1)) seconds=$1 what=$2
	shift 2
	until "$@"; do
		[ $SECONDS -lt $deadline ] || fail "after $seconds s still not: $what"
		sleep 0.2
	done
}

# longest_ms FILE: of wtimer's report
longest_ms() {
	sed -n 's/.*longest_ms=\([0-9.]*\).*/\1/p' "$1"
}

# at_most WHAT VALUE LIMIT
at_most() {
	note "$1 $2 (at most $3)"
	awk -v value="$2" -v limit="$3" 'BEGIN { exit !(value != "" && value + 0 <= limit) }' || fail "$1: $2 is above $3"
}

# legs_match [A B]: all of the disks on the host, region by region
legs_match() {
	compare-legs "$(disk "${1:-a}")" "$(disk "${2:-b}")"
}

legs_differ() {
	! legs_match "$@"
}

legs_must_match() {
	legs_match "$@" || fail "the legs differ"
}

# random BELOW: for moments that differ from round to round; SEED repeats them. bash's own numbers would be others in each
# subshell, so the state is in a file.
random() {
	local state
	state=$(<"$SCENARIO_LOG/random")
	state=$(((state * 1103515245 + 12345) % 2147483648))
	echo $state >"$SCENARIO_LOG/random.$BASHPID"
	mv "$SCENARIO_LOG/random.$BASHPID" "$SCENARIO_LOG/random"
	echo $((state / 65536 % $1))
}
: "${SEED:=$RANDOM}"
echo "$SEED" >"$SCENARIO_LOG/random"
echo "seed: $SEED"

# document_box FILE HEADING: the commands of the indented boxes below that heading of a document, without their comments
document_box() {
	local lines
	lines=$(awk -v heading="## $2" '$0 == heading { here = 1; next } /^## / { here = 0 } here && /^    [a-z]/' "$VM/../../$1" |
		sed 's/^    //; s/  *#.*//')
	[ -n "$lines" ] || fail "$1 has no box below '$2'"
	echo "$lines"
}

# --- device-mapper without us -----------------------------------------------------------------------

# kernel_mirror I NAME MIB LOG_ARGUMENTS: a table with legs a and b and a log of the kernel's, as
# "disk /dev/rig/log" or "core"
kernel_mirror() {
	local log
	read -r -a log <<<"$4"
	on "$1" "dmsetup create $2 --table '0 $(($3 * MIB)) mirror ${log[0]} ${#log[@]} ${log[*]:1} $REGION 2 /dev/rig/a 0 /dev/rig/b 0'"
}

# in_sync I NAME: by the counts of device-mapper's status, which look like 512/512
in_sync() {
	on "$1" "dmsetup status $2" | grep -Eq ' ([0-9]+)/\1 '
}

# --- load ------------------------------------------------------------------------------------------

# load_fio I DEVICE SECONDS [FIO_OPTIONS]: random writes that do not overlap themselves, read back and verified
# shellcheck disable=SC2120
load_fio() {
	on "$1" "fio --name=load --filename=$2 --rw=randwrite --bs=4k --iodepth=16 --ioengine=libaio --direct=1 \
		--serialize_overlap=1 --verify=crc32c --verify_backlog=512 --verify_fatal=1 --time_based --runtime=$3 ${4:-}"
}

# --- our daemon and command: their command lines are assumed here --------------------------------------

# daemon_start I [CONFIG_LINES]: a daemon in the foreground (of nothing), and waits until it answers. Without
# CONFIG_LINES the configuration of the last start stays.
daemon_start() {
	if [ $# -gt 1 ] || ! on "$1" "[ -e /run/dlmirror.conf ]"; then
		on "$1" "printf '[log]\nlevel = info\n%s\n' '${2:-}' >/run/dlmirror.conf"
	fi
	on "$1" "setsid dlmirrord --foreground --config /run/dlmirror.conf >>/run/dlmirrord.log 2>&1 &"
	wait_for 20 "the daemon answers" on "$1" "dlmirror daemon status >/dev/null 2>&1"
}

# daemon_kill I: kill -9, the supervisor too where there is one. A thread of it may stay for as long as it waits for a
# mirror, which waits for a daemon; what the next one needs is free at once.
daemon_kill() {
	on "$1" "pkill -9 -x dlmirrord"
	wait_for 10 "the daemon has let go of its lock" on "$1" "flock -n /run/dlmirror/lock true"
}

# daemon_pid I: of the serving process
daemon_pid() {
	on "$1" "dlmirror daemon status --json" | jq -r '[.. | objects | .pid? // empty][0]'
}

# another_daemon I PID: does one serve that has another pid?
another_daemon() {
	local pid
	pid=$(daemon_pid "$1" 2>/dev/null) && [ -n "$pid" ] && [ "$pid" != "$2" ]
}

# daemon_started_ms I: when the last one did, by its log, in ms since 1970 of the node's clock
daemon_started_ms() {
	on "$1" "date -d \"\$(grep ' started, ' /run/dlmirrord.log | tail -n 1 | cut -c 1-19)\" +%s%3N"
}

# mirror_field I NAME FIELD: one value of dlmirror status --json
mirror_field() {
	on "$1" "dlmirror status $2 --json" | jq -r --arg field "$3" '[.. | objects | select(has($field))][0][$field]'
}

mirror_field_is() {
	[ "$(mirror_field "$1" "$2" "$3")" = "$4" ]
}

# mirror_whole I NAME: in sync, nothing to repair or compare
mirror_whole() {
	on "$1" "dlmirror status $2 --json" | jq -e '[.. | objects | select(has("region_count"))][0] |
		.phase == "active" and .in_sync == .region_count and .repair == 0 and .copying == 0 and (.suspect | not)' >/dev/null
}

# mirror_repaired I NAME [SECONDS]
mirror_repaired() {
	wait_for "${3:-120}" "$2 is in sync and repaired" mirror_whole "$1" "$2"
}

# many_mirrors I COUNT: m1..mCOUNT of 8 MiB on legs a and b, in sync; every second one with a log device
many_mirrors() {
	on "$1" "set -e
		for i in \$(seq $2); do
			start=\$(((i - 1) * 8 * $MIB))
			if [ \$((i % 2)) = 0 ]; then
				dmsetup create log\$i --table \"0 $MIB linear /dev/rig/log \$(((i - 1) / 2 * $MIB))\"
				log=\"\$(dmsetup info -c --noheadings -o major,minor --separator : log\$i)\"
				log=\"userspace 5 many-\$i clustered-disk \$log $REGION nosync\"
			else
				log=\"userspace 4 many-\$i clustered-core $REGION nosync\"
			fi
			dmsetup create m\$i --table \"0 $((8 * MIB)) mirror \$log 2 /dev/rig/a \$start /dev/rig/b \$start\"
		done"
}

# mirror_names COUNT: their devices
mirror_names() {
	seq -s ' ' -f '/dev/mapper/m%g' "$1"
}
