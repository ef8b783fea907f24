# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# More words, for scenarios with several nodes: a scenario's first command is . "$VM/cluster.sh"
# Writers on different nodes have areas of their own (load_area), because a mirror does not make two of the same block one.

ALL="1 2 3"
# shellcheck disable=SC2034 # for scenarios
MIRROR_MIB=256 # of mirror m; small, so that a resync under emulation ends

# nodes_up: three nodes with corosync and DLM, which this host fences when DLM asks for it
nodes_up() {
	"$VM/node" down
	START="corosync dlm" TOKEN=${TOKEN:-1000} "$VM/node" up 3
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
	local i
	for i in $ALL; do [[ " $* " == *" $i "* ]] || printf '%s ' "$i"; done
}

cut() {
	"$VM/node" cut "$1"
}

uncut() {
	"$VM/node" uncut "$1"
}

freeze() {
	"$VM/node" freeze "$1"
}

thaw() {
	"$VM/node" thaw "$1"
}

node_runs() {
	"$VM/node" status | grep -q " node $1 up"
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

# fenced_by_rig I [SECONDS]: waits until DLM has had it killed once more than FENCED_BEFORE says; power_cut counts as
# well, because the others ask for it all the same
fenced_by_rig() {
	wait_for "${2:-60}" "node $1 is fenced" was_fenced "$1" $((${FENCED_BEFORE:-0} + 1))
	node_gone "$1" || fail "node $1 runs although it was fenced"
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
	on "$1" "dlm_tool ls" | grep -q "new status *wait $2"
}
