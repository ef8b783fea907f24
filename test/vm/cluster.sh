# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# More words, for scenarios with several nodes.
# Writers on different nodes have areas of their own (load_area), because a mirror does not make two of the same block one.

ALL="1 2 3"
# shellcheck disable=SC2034 # for scenarios
MIRROR=m
MIRROR_MIB=256 # small, so that a resync under emulation ends

# nodes_up: three nodes with corosync and DLM, which this host fences when DLM asks for it. With a token of 1000 ms
# emulated nodes on a busy host were seen to part from each other for no reason.
nodes_up() {
	"$VM/node" down
	START="corosync dlm" TOKEN=${TOKEN:-2000} "$VM/node" up 3
}

# each NODES COMMAND...: COMMAND I for each of the nodes, all at once; fails when one does
each() {
	local i pid pids=() failed=
	for i in $1; do
		"${@:2}" "$i" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
	[ -z "$failed" ] || fail "'${*:2}' failed on one of $1"
}

# on_each NODES COMMAND: by bash in each of the nodes, all at once
on_each() {
	local i pid pids=() failed=
	for i in $1; do
		on "$i" "$2" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || failed="$failed $i"; done
	[ -z "$failed" ] || fail "failed on one of $1: $2"
}

# others I...: the nodes that are not among these
others() {
	local i rest=
	for i in $ALL; do [[ " $* " == *" $i "* ]] || rest+="$i "; done
	echo "${rest% }"
}

# link_cut I, link_back I: off the cluster network, and on it again; commands for it still work
link_cut() {
	"$VM/node" cut "$1"
}

link_back() {
	"$VM/node" uncut "$1"
}

freeze() {
	"$VM/node" freeze "$1"
}

thaw() {
	"$VM/node" thaw "$1"
}

node_runs() {
	[[ "$("$VM/node" status)" == *" node $1 up"* ]]
}

node_gone() {
	! node_runs "$1"
}

# times_fenced I: how often DLM had it killed since nodes_up
times_fenced() {
	"$VM/node" fenced | grep -c "^$1 " || true
}

was_fenced() {
	[ "$(times_fenced "$1")" -ge "${2:-1}" ]
}

quorate() {
	on "$1" "corosync-quorumtool -s" | grep -q '^Quorate: *Yes'
}

# nodes_are I NODES: who is in corosync's membership, as I sees it
nodes_are() {
	[ "$(on "$1" "corosync-quorumtool -l -i" | awk '$1 ~ /^[0-9]+$/ { printf "%s%s", sep, $1; sep = " " }')" = "$2" ]
}

corosync_kill() {
	on "$1" "pkill -9 -x corosync"
}

corosync_start() {
	on "$1" corosync
}

dlm_kill() {
	on "$1" "pkill -9 -x dlm_controld"
}

# lockspace_members I NAME: as dlm_controld on I has them, when nothing is under way
lockspace_members() {
	on "$1" "dlm_tool ls" | awk -v name="$2" '$1 == "name" { here = $2 == name } here && $1 == "members" { $1 = ""; print substr($0, 2) }' |
		sed 's/ *$//'
}

lockspace_is() {
	[ "$(lockspace_members "$1" "$2")" = "$3" ]
}

lockspace_waits() {
	on "$1" "dlm_tool ls" | grep "new status *wait $2" >/dev/null
}

# --- nodes that go and come back ----------------------------------------------------------------------

declare -A FENCED_BEFORE

# cut_power I...: of all at once; what DLM then has fenced is dead already
cut_power() {
	local i
	for i; do FENCED_BEFORE[$i]=$(times_fenced "$i"); done
	for i; do power_cut "$i"; done
}

# must_be_fenced I [SECONDS]: waits until DLM has had it killed once more than when fencing_expected or cut_power was said
must_be_fenced() {
	wait_for "${2:-60}" "node $1 is fenced" was_fenced "$1" $((${FENCED_BEFORE[$1]:-0} + 1))
	node_gone "$1" || fail "node $1 runs although it was fenced"
}

fencing_expected() {
	FENCED_BEFORE[$1]=$(times_fenced "$1")
}

# power_back I: boots it. When the others had no quorum while it was away, DLM has it killed once more: as soon as they
# have, perhaps only because it is back.
power_back() {
	local attempt
	for attempt in 1 2 3 4; do
		[ "$attempt" = 1 ] || sleep 1
		"$VM/node" start "$1" && return
		node_gone "$1" || break
	done
	fail "node $1 does not come back"
}

# node_back I: boots it, with daemon and mirror
node_back() {
	power_back "$1"
	daemon_up "$1"
	mirror_on "$1"
}

# --- our daemon in a cluster --------------------------------------------------------------------------

# ask I COMMAND: as on, but something that hangs is an error
ask() {
	TIMEOUT=${TIMEOUT:-30} on "$@"
}

# cluster_is I EXPRESSION: jq's, of what the daemon says of the cluster
cluster_is() {
	ask "$1" "dlmirror daemon status --json" | jq -e "[.. | objects | select(has(\"quorate\"))][0] | $2" >/dev/null
}

daemon_joined() {
	cluster_is "$1" ".joined and .locks_joined and .quorate"
}

# daemon_up I: one that belongs to the cluster; CLUSTER_OPTIONS are lines of its section
daemon_up() {
	daemon_start "$1" "[cluster]
enabled = yes
${CLUSTER_OPTIONS:-}"
	wait_for 60 "the daemon of node $1 has joined the cluster" daemon_joined "$1"
}

# devices_on I: what the mirror stands on, each of it on a device of its own that device_becomes can break
devices_on() {
	linear_on "$1" a b log
}

# more_devices I: two more
more_devices() {
	linear_on "$1" c d
}

# linear_on I NAME...: on the rig's disks of these names
linear_on() {
	local node=$1
	shift
	on "$node" "for d in $*; do dmsetup create \$d --table \"0 \$(blockdev --getsz /dev/rig/\$d) linear /dev/rig/\$d 0\"; done"
}

# device_good NAME: the table of a, b or log when nothing is wrong with it
device_good() {
	echo "0 $(($(stat -c %s "$(disk "$1")") / 512)) linear /dev/rig/$1 0"
}

device_bad() {
	echo "0 $(($(stat -c %s "$(disk "$1")") / 512)) error"
}

# device_becomes TABLE NAME I: in node I
device_becomes() {
	on "$3" "dmsetup suspend --noflush $2 && dmsetup load $2 --table '$1' && dmsetup resume $2"
}

LEGS="a b"

# mirror_on I: the mirror there, with LEGS in that order, of the revision that its log device knows. SYNC=sync or "" instead
# of nosync; MIRROR_OPTIONS as "1 handle_errors"
mirror_on() {
	on "$1" "[ -e /dev/mapper/log ]" || devices_on "$1"
	on "$1" "set -- cluster-$MIRROR clustered-disk \$(stat -Lc %Hr:%Lr /dev/mapper/log) $REGION ${SYNC-nosync} \
			\$(dlmirror log inspect /dev/mapper/log --json | sed -n 's/.*\"revision\": \([1-9][0-9]*\).*/revision=\1/p')
		dmsetup create $MIRROR --table \"0 $((MIRROR_MIB * MIB)) mirror userspace \$# \$* 2 /dev/mapper/${LEGS% *} 0 /dev/mapper/${LEGS#* } 0 ${MIRROR_OPTIONS:-}\""
}

# mirror_off I: taken down; something may look at the device for a moment
mirror_off() {
	wait_for 30 "node $1 has removed $MIRROR" on "$1" "dmsetup remove $MIRROR"
}

# cluster_up [NODES]: booted, with daemon and mirror on each of NODES (all)
cluster_up() {
	nodes_up
	each "$ALL" daemon_up
	each "${1:-$ALL}" mirror_on
	all_whole "${1:-$ALL}"
}

# says I CODE TEXT ARGUMENTS: dlmirror ARGUMENTS on node I ends with CODE, and something that it prints contains TEXT
says() {
	local code=0 output
	output=$(on "$1" "dlmirror $4 2>&1") || code=$?
	[ "$code" = "$2" ] || fail "dlmirror $4 on node $1: exit code $code, not $2: $output"
	grep -qF "$3" <<<"$output" || fail "dlmirror $4 on node $1 does not say '$3' but: $output"
}

# log_state_is I MIRROR STATE
log_state_is() {
	mirror_field_is "$1" "$2" log_state "$3"
}

# ready_members I: of the mirror, as I knows them, when nobody is on the way in or out
ready_members() {
	ask "$1" "dlmirror status $MIRROR --json" | jq -r '[.. | objects | select(has("members"))][0] |
		if all(.member_states[]; . == "ready") then .members | sort | map(tostring) | join(" ") else "changing" end'
}

members_are() {
	[ "$(ready_members "$1")" = "$2" ]
}

# leg_health I SHOWN: the kernel shows the legs as AA, AD and so on; SHOWN is a pattern
leg_health() {
	on "$1" "dmsetup status $MIRROR" | grep -Eq " 1 $2 "
}

# leg_dropped I: the daemon says that the mirror has only one leg
leg_dropped() {
	ask "$1" "dlmirror status $MIRROR" | grep "goes on without a leg" >/dev/null
}

whole_with() {
	mirror_whole "$1" "$MIRROR" && members_are "$1" "$2"
}

# all_whole NODES [SECONDS]: they, and nobody else, have the mirror, and each of them says that nothing is left to do
all_whole() {
	local i
	for i in $1; do wait_for "${2:-60}" "$MIRROR is whole on node $i, its members $1" whole_with "$i" "$1"; done
}

# kernel_content I: no complaint in its log but one of DLM's own: it copies a message that arrives while it recovers with
# one memcpy over the end of a field
kernel_content() {
	! on "$1" dmesg | grep -E 'BUG:|WARNING:|Oops|blocked for more than' | grep -v 'fs/dlm/requestqueue.c'
}

# nothing_left NODES: of a mirror that was taken down: no lock, no problem, no complaint of the kernel
nothing_left() {
	local i
	for i in $1; do
		wait_for 30 "node $i holds no lock" cluster_is "$i" ".locks_held == 0 and .locks_waiting == 0 and .locks_orphans == 0"
		cluster_is "$i" '(.problem // "") == ""' || fail "node $i has a problem: $(ask "$i" "dlmirror daemon status --json")"
		kernel_content "$i" || fail "the kernel of node $i complains"
	done
}

# cluster_end [NODES]: the legs are alike while the mirror is active and when it is down; nothing is held or in use any more
cluster_end() {
	local nodes=${1:-$ALL}
	all_whole "$nodes"
	legs_must_match
	each "$nodes" mirror_off
	legs_must_match
	nothing_left "$nodes"
	ask "${nodes%% *}" "dlmirror log inspect /dev/rig/log --json" >"$SCENARIO_LOG/log.json"
	jq -e --argjson regions $((MIRROR_MIB * 2)) '.log[0] | .state == "kernel" and .in_sync == $regions' "$SCENARIO_LOG/log.json" >/dev/null ||
		fail "the log was not closed: $(cat "$SCENARIO_LOG/log.json")"
}

# --- load on several nodes ------------------------------------------------------------------------------

AREA_MIB=64 # fio's, one for each node
SHARED_KIB=$((200 * 1024)) # a region that all nodes write, each its own blocks
declare -A LOAD WRITER

# background LOG COMMAND...: its pid is in BACKGROUND; it keeps its status, which is 125 when its node was gone
background() {
	local log=$1
	shift
	(
		trap - ERR
		"$@"
	) >"$log" 2>&1 &
	BACKGROUND=$!
}

# load_writes I: fio does, or has ended
load_writes() {
	! kill -0 "${LOAD[$1]}" 2>/dev/null || on "$1" "for p in \$(pgrep -x fio); do grep -qs '^write_bytes: [1-9]' /proc/\$p/io && exit; done; exit 1"
}

# load_begin SECONDS I...: fio on each of the nodes, in the background
load_begin() {
	local i seconds=$1
	shift
	for i; do
		background "$SCENARIO_LOG/fio.$i" load_fio "$i" "/dev/mapper/$MIRROR" "$seconds" "--offset=$(((i - 1) * AREA_MIB))M --size=${AREA_MIB}M"
		LOAD[$i]=$BACKGROUND
	done
}

# load_start SECONDS I...: the same; all of them write when this returns
load_start() {
	local i
	load_begin "$@"
	shift
	for i; do wait_for 60 "fio on node $i writes" load_writes "$i"; done
}

# load_good I...: waits for its end, which must be a good one
load_good() {
	local i
	for i; do wait "${LOAD[$i]}" || fail "fio on node $i: $(grep -m 3 -iE 'verify|error|fail' "$SCENARIO_LOG/fio.$i" | tr '\n' ' ')"; done
}

# gone_with_node WHAT PID LOG [EARLIER]: it ended because its node did, and for no other reason; with EARLIER perhaps
# before that, as it should
gone_with_node() {
	local status=0
	wait "$2" || status=$?
	[ $status = 125 ] || { [ $status = 0 ] && [ -n "${4:-}" ]; } || fail "$1 ended with $status before its node was gone: $(tail -n 3 "$3" | tr '\n' ' ')"
}

load_cut() {
	local i
	for i; do gone_with_node "fio on node $i" "${LOAD[$i]}" "$SCENARIO_LOG/fio.$i"; done
}

# writers_start SECONDS I...: the nodes write blocks of the same region, one after another, and time them
writers_start() {
	local i seconds=$1
	shift
	for i; do
		background "$SCENARIO_LOG/wtimer.$i" on "$i" "wtimer -s $seconds -o $((SHARED_KIB + (i - 1) * 128)) -r 128 /dev/mapper/$MIRROR"
		WRITER[$i]=$BACKGROUND
	done
}

writers_good() {
	local i
	for i; do wait "${WRITER[$i]}" || fail "writer on node $i: $(cat "$SCENARIO_LOG/wtimer.$i")"; done
}

writers_cut() {
	local i
	for i; do gone_with_node "the writer on node $i" "${WRITER[$i]}" "$SCENARIO_LOG/wtimer.$i"; done
}

# longest_writes I...: of the writers that have ended, in ms
longest_writes() {
	local i
	for i; do longest_ms "$SCENARIO_LOG/wtimer.$i"; done | sort -n | tail -n 1
}

# a moment that differs from round to round: BASE s and up to SPAN tenths more
moment() {
	local tenths=$((${1:-0} * 10 + $(random "${2:-10}")))
	sleep "$((tenths / 10)).$((tenths % 10))"
}

# victim ROUND: each node in turn, beginning anywhere
victim() {
	echo $(((SEED + $1) % 3 + 1))
}
