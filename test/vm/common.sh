# shellcheck shell=bash
# shellcheck disable=SC2034 # the scripts that source this use the names
# SPDX-License-Identifier: GPL-2.0-or-later
# What the scripts of the rig share: where things are, and which instance of the rig this is.
#
# Several rigs run on one machine at once. Instance K has its own directory, TCP ports on 127.0.0.1, multicast port
# and disks; its lock file is held by whoever took it and by every QEMU started since.

VM=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${DLMIRROR_VM_CACHE:-/var/cache/dlmirror-vm}
RUN=${DLMIRROR_VM_RUN:-/run/dlmirror-vm}
INSTANCES_MAX=32
NODES_MAX=3

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# instance_use K: every name of instance K
instance_use() {
	INSTANCE=$1
	DIR=$RUN/$INSTANCE
	DISK_DIR=$DIR/disks SHARE=$DIR/share PORT=$((43000 + 16 * INSTANCE)) MULTICAST=239.192.78.1:$((43800 + INSTANCE))
	export DLMIRROR_VM_INSTANCE=$INSTANCE
}

# instance_lock K: takes the lock for this process and everything it starts; false when somebody else has it
instance_lock() {
	mkdir -p "$RUN"
	exec {INSTANCE_LOCK}>"$RUN/$1.lock"
	flock -n "$INSTANCE_LOCK" && export DLMIRROR_VM_LOCKED=$1 && return 0
	exec {INSTANCE_LOCK}>&-
	return 1
}

# somebody may use our ports who does not know our locks
port_answers() {
	(: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# instance_take: the instance asked for by DLMIRROR_VM_INSTANCE, or else the first free one but 0,
# which is for people who call test/vm/node by hand
instance_take() {
	local k
	if [ -n "${DLMIRROR_VM_INSTANCE:-}" ]; then
		instance_lock "$DLMIRROR_VM_INSTANCE" || die "instance $DLMIRROR_VM_INSTANCE is in use"
		instance_use "$DLMIRROR_VM_INSTANCE"
		return
	fi
	for k in $(seq $((INSTANCES_MAX - 1))); do
		instance_use "$k"
		! port_answers $((PORT + 1)) && instance_lock "$k" && return
	done
	die "all $INSTANCES_MAX instances are in use (locks in $RUN)"
}

# build_dir: prints the build directory: top_builddir, or the current one, or build/ here or in the source tree
build_dir() {
	local d
	for d in ${top_builddir:+"$top_builddir"} . build "$VM/../../build"; do
		[ -x "$d/config.status" ] && (cd "$d" && pwd) && return
	done
	die "no build directory found: configure and build first, then set top_builddir"
}

# programs_install BUILD LOG: our programs and the guest's tools into the share; nodes copy them when they boot
programs_install() {
	local program
	rm -rf "$SHARE"
	mkdir -p "$SHARE/install/usr/local/bin"
	make -s -C "$1" install DESTDIR="$SHARE/install" >"$2" 2>&1 || die "make install failed, see $2"
	for program in test/vm/{reload-table,wtimer,group-probe,lockspace-probe} test/bench/nulld; do
		cp "$1/$program" "$SHARE/install/usr/local/bin/"
	done
}
