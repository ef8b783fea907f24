# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What guest and guest-three share, the parts of the benchmarks that run inside a node. Mirrors are named after the
# configuration they stand for:
#   linear  kernel-core  kernel-disk  null  null-if  dlmirror-{core,disk}[-if]
# and of three-nodes those with the number of nodes that have them, dlmirror-{core,disk}.{1,2,3}.
# Some arguments are lists of words, or nothing.
# shellcheck disable=SC2086,SC2046
export DM_DISABLE_UDEV=1
REGION=1024 # sectors: 512 KiB
HOT_KIB=$((16 * 512))

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# ms_since MICROSECONDS
ms_since() {
	awk -v from="$1" -v to="${EPOCHREALTIME/./}" 'BEGIN { printf "%.1f", (to - from) / 1000 }'
}

words() {
	echo $#
}

# wait_until SECONDS WHAT COMMAND...
wait_until() {
	local seconds=$1 what=$2 deadline=$((SECONDS + $1))
	shift 2
	until "$@"; do
		[ $SECONDS -lt "$deadline" ] || die "after $seconds s still not: $what"
		sleep 0.05
	done
}

devno() {
	stat -Lc '%Hr:%Lr' "$1"
}

# --- daemons -----------------------------------------------------------------------------------------

daemon_name() {
	case $1 in
	null*) echo nulld ;;
	dlmirror*) echo dlmirrord ;;
	esac
}

# daemon_start CONFIG: returns when it answers
daemon_start() {
	case $(daemon_name "$1") in
	nulld)
		setsid nulld </dev/null >/run/nulld.log 2>&1 &
		wait_until 10 "nulld listens" grep -q ready /run/nulld.log
		;;
	dlmirrord)
		printf '[log]\nlevel = warning\n' >/run/dlmirror.conf
		setsid dlmirrord --foreground --config /run/dlmirror.conf </dev/null >/run/dlmirrord.log 2>&1 &
		wait_until 10 "dlmirrord answers" daemon_answers
		;;
	esac
}

# a socket per CPU has joined the kernel's group: connector is protocol 11, the group's bit 0x40
daemon_answers() {
	awk -v cpus="$(nproc)" '$2 == 11 && $4 ~ /[4-7c-f].$/ { joined++ } END { exit joined < cpus }' /proc/net/netlink
}

# daemon_stop CONFIG: its mirrors are removed before
daemon_stop() {
	local name
	name=$(daemon_name "$1")
	kill -TERM $(pidof "$name")
	wait_until 10 "$name ended" daemon_gone "$name"
	rm -f "/run/$name.log"
}

daemon_gone() {
	! pidof "$1" >/dev/null
}

# nanoseconds on a CPU, all threads
daemon_cpu_ns() {
	local pid
	for pid in $(pidof "$1"); do cat /proc/"$pid"/task/*/schedstat; done | awk '{ ns += $1 } END { printf "%.0f", ns }'
}

# resident KiB
daemon_memory_kib() {
	local pid
	for pid in $(pidof "$1"); do cat /proc/"$pid"/status; done | awk '/^VmRSS/ { kib += $2 } END { print kib + 0 }'
}

# --- mirrors -----------------------------------------------------------------------------------------

# log_arguments CONFIG UUID SYNC LOG: the log's part of a mirror table
log_arguments() {
	local flush=
	case $1 in *-if) flush=integrated_flush ;; esac
	case $1 in
	kernel-core*) echo "core $(words $REGION $3) $REGION $3" ;;
	kernel-disk) echo "disk $(words "$4" $REGION $3) $4 $REGION $3" ;;
	null | null-if | dlmirror-core*)
		echo "userspace $(words "$2" $flush type $REGION $3) $2 $flush clustered-core $REGION $3"
		;;
	dlmirror-disk*)
		echo "userspace $(words "$2" $flush type "$4" $REGION $3) $2 $flush clustered-disk $(devno "$4") $REGION $3"
		;;
	*) die "no configuration $1" ;;
	esac
}

# mirror_table CONFIG UUID SECTORS SYNC LEG_A LEG_B OFFSET LOG
mirror_table() {
	echo 0 "$3" mirror $(log_arguments "$1" "$2" "$4" "$8") 2 "$5" "$7" "$6" "$7"
}

# the log device of its own that a configuration has
log_device() {
	case $1 in
	kernel-disk) echo /dev/rig/klog ;;
	dlmirror-disk) echo /dev/rig/log ;;
	dlmirror-disk-if | dlmirror-disk.1) echo /dev/rig/log2 ;;
	dlmirror-disk.*) echo /dev/rig/log ;;
	esac
}

# create CONFIG SYNC [SECTORS [LEG_A LEG_B [LOG]]]: SYNC is nosync or sync
create() {
	local config=$1 sync=$2 sectors=${3:-} a=${4:-/dev/rig/a} b=${5:-/dev/rig/b} log=${6:-}
	[ -n "$sectors" ] || sectors=$(blockdev --getsz "$a")
	[ -n "$log" ] || log=$(log_device "$config")
	if [ "$config" = linear ]; then
		dmsetup create linear --table "0 $sectors linear $a 0"
	else
		dmsetup create "$config" --table "$(mirror_table "$config" "bench-$config" "$sectors" "$sync" "$a" "$b" 0 "$log")"
	fi
}

# --- fio ---------------------------------------------------------------------------------------------

# fio_terse DEVICE JOB SECONDS [COUNT]: fio's terse line of a job named as in one-node. With COUNT, DEVICE is a list of so
# many: each I/O goes to any of them. FIO_OPTIONS come last, so they override.
fio_terse() {
	local rw bs=4k depth=1 size=100%
	case $2 in
	w*) rw=randwrite ;;
	r*) rw=randread ;;
	s64) rw=write bs=64k ;;
	*) die "no job $2" ;;
	esac
	case $2 in ?16*) depth=16 ;; esac
	case $2 in *hot) size=${HOT_KIB}k ;; esac
	[ -z "${4:-}" ] || size=$((HOT_KIB * $4))k # it is shared out among them
	fio --name="$2" --filename="$1" --file_service_type=random --rw=$rw --bs=$bs --iodepth=$depth --size=$size --direct=1 --ioengine=libaio --disk_util=0 \
		--time_based --runtime="$3" --randrepeat=0 --norandommap=1 --random_generator=tausworthe64 \
		--output-format=terse --terse-version=3 ${FIO_OPTIONS:-} 2>/run/fio.err
}

fio_failed() {
	die "fio failed: $(head -c 500 /run/fio.err)"
}

# fio_run: arguments as of fio_terse; prints "iops MiB/s ios"
fio_run() {
	local kib=4
	[ "$2" != s64 ] || kib=64
	fio_terse "$@" | awk -F ';' -v bs=$kib '$1 == 3 { printf "%d %.1f %d\n", $8 + $49, ($7 + $48) / 1024, ($6 + $47) / bs; good = 1 }
		END { exit !good }' || fio_failed
}

# writes_done DISK: since boot
writes_done() {
	awk '{ print $5 }' "/sys/block/$(basename "$(readlink -f "$1")")/stat"
}

# per JOB AMOUNT OF UNIT
per() {
	awk -v job="$1" -v amount="$2" -v of="$3" -v unit="$4" \
		'BEGIN { printf "%s %.4f %s\n", job, (of > 0 ? amount / of : 0), unit }'
}
