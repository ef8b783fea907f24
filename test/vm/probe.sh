# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# For scenarios that ask the kernel itself, with kernel-probe instead of a daemon: what it says is compared as text, the
# same text as in test/sim/test_kernel_model.c. They source this first.
# shellcheck disable=SC2154 # BUILD, SHARE: from lib.sh

PROBE_REGIONS=64

# probe_up: a node with the probe
probe_up() {
	cp "$BUILD/test/vm/kernel-probe" "$SHARE/install/usr/local/bin/"
	rig_up
	on 1 "mkdir /run/probe && setsid kernel-probe /run/probe >/run/probe.log 2>&1 &"
	wait_for 10 "the probe is ready" on 1 "grep -qs ready /run/probe/obeyed"
}

# probe COMMAND: returns when it is obeyed
probe() {
	on 1 "before=\$(wc -l </run/probe/obeyed)
		echo '$*' >/run/probe/control
		while [ \$(wc -l </run/probe/obeyed) = \$before ]; do sleep 0.01; done
		[ \$(tail -n 1 /run/probe/obeyed) = ok ]"
}

said() {
	on 1 "paste -sd ' ' /run/probe/said"
}

hush() {
	on 1 ": >/run/probe/said"
}

said_is() {
	local said
	said=$(said)
	[ "$said" = "$1" ] || fail "the kernel said '$said' and not '$1'"
}

says() {
	[[ " $(said) " == *" $1 "* ]]
}

must_say() {
	says "$1" || fail "the kernel said '$(said)', without '$1'"
}

must_not_say() {
	! says "$1" || fail "the kernel said '$(said)', with '$1'"
}

# probe_table LEG_A LEG_B [FEATURES]: LOG_WORD in front of the arguments (integrated_flush)
probe_table() {
	local log="3 probe"
	[ -z "${LOG_WORD:-}" ] || log="4 probe $LOG_WORD"
	echo "0 $((PROBE_REGIONS * REGION)) mirror userspace $log clustered-core $REGION 2 $1 0 $2 0 ${3:-}"
}

# mirror_up [FEATURES]: m on /dev/mapper/lega and legb, which stand for the disks; the limiter is idle, the hint known
# shellcheck disable=SC2120
mirror_up() {
	on 1 "for leg in a b; do dmsetup create leg\$leg --table \"0 $((PROBE_REGIONS * REGION)) linear /dev/rig/\$leg 0\"; done
		dmsetup create m --table '$(probe_table /dev/mapper/lega /dev/mapper/legb "${1:-}")'"
	write 63
	sleep 0.5
	hush
}

mirror_down() {
	on 1 "dmsetup remove m && dmsetup remove lega && dmsetup remove legb"
	hush
}

# leg_table LEG TABLE: TABLE for /dev/mapper/legLEG; "good" and "bad" for the usual ones
leg_table() {
	local sectors=$((PROBE_REGIONS * REGION)) table=$2
	case $2 in
	good) table="0 $sectors linear /dev/rig/$1 0" ;;
	bad) table="0 $sectors error" ;;
	bad_writes) table="0 $sectors flakey /dev/rig/$1 0 0 60 1 error_writes" ;;
	esac
	on 1 "dmsetup suspend --noflush leg$1 && dmsetup load leg$1 --table '$table' && dmsetup resume leg$1"
}

# reload: the table again
reload() {
	on 1 "dmsetup table m | dmsetup load m && dmsetup suspend --noflush m && dmsetup resume m"
}

# resume_again [--noflush or nothing]
# shellcheck disable=SC2120
resume_again() {
	on 1 "dmsetup suspend ${1:---noflush} m && dmsetup resume m"
}

# write REGION [BLOCKS]: other data each time
write() {
	on 1 "dd if=/dev/urandom of=/dev/mapper/m bs=4k count=${2:-1} seek=$(($1 * REGION / 8)) oflag=direct status=none"
	# CLEAR and FLUSH come after the end of the write
	sleep 0.2
}

read_block() {
	on 1 "dd if=/dev/mapper/m of=/dev/null bs=4k count=1 skip=$(($1 * REGION / 8)) iflag=direct status=none"
	sleep 0.2
}

# block_sum LEG REGION
block_sum() {
	on 1 "dd if=/dev/rig/$1 bs=4k count=1 skip=$(($2 * REGION / 8)) iflag=direct status=none | cksum"
}

# on_all_legs REGION: both legs hold the same in its first block
on_all_legs() {
	[ "$(block_sum a "$1")" = "$(block_sum b "$1")" ] || fail "the legs differ in region $1"
}

on_one_leg() {
	[ "$(block_sum a "$1")" != "$(block_sum b "$1")" ] || fail "the legs do not differ in region $1"
}
