# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What one-node and three-nodes share: options, how nodes are prepared for, samples, tables. They set PARTS, CONFIGS and
# JOBS, which are all that there are.
# the scripts that source this use the names, and lists are words of a string
# shellcheck disable=SC2034,SC2153,SC2178,SC2128
. "$(dirname "${BASH_SOURCE[0]}")/../vm/common.sh"
BENCH=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
json='' rounds=3 seconds=3

usage() {
	sed -n '/^# usage/,/^# Env/s/^# //p' "$0" >&2
	exit 2
}

# option_own OPTION VALUE: one that only this script has
option_own() {
	false
}

options() {
	local IFS=,
	only="${PARTS[*]}" configs="${CONFIGS[*]}"
	while [ $# -gt 0 ]; do
		[ $# -ge 2 ] || usage
		case $1 in
		--json) json=$2 ;;
		--only) only=$2 ;;
		--rounds) rounds=$2 ;;
		--seconds) seconds=$2 ;;
		--configs) configs=$2 ;;
		--jobs) read -r -a JOBS <<<"$2" ;;
		*) option_own "$1" "$2" || usage ;;
		esac
		shift 2
	done
}

listed() {
	case ",$1," in *",$2,"*) return 0 ;; esac
	return 1
}

# chosen NAME...: prints those of them that were asked for
chosen() {
	local name out=()
	for name; do
		! listed "$configs" "$name" || out+=("$name")
	done
	echo "${out[*]}"
}

# --- the nodes ---------------------------------------------------------------------------------------

finish() {
	trap - EXIT INT TERM
	"$VM/node" down || true
	rm -rf "$SHARE" "$WORK"
}

# prepare PROGRAM...: an instance of the rig, with our programs and these files of test/bench for its nodes
prepare() {
	local program
	BUILD=$(build_dir)
	[ -x "$BUILD/test/bench/nulld" ] || die "build first: $BUILD/test/bench/nulld is missing"
	"$VM/setup"
	instance_take
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/dlmirror-bench.XXXXXX")
	trap finish EXIT
	trap 'finish; exit 130' INT
	trap 'finish; exit 143' TERM
	programs_install "$BUILD" "$WORK/install"
	for program; do cp "$BENCH/$program" "$SHARE/install/usr/local/bin/"; done
	: >"$WORK/samples"
}

# on I COMMAND: in node I
on() {
	"$VM/node" exec "$1" "$2"
}

machine() {
	echo "CPU      $(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1), $(nproc) of them"
	echo "host     $(uname -sr), load $(cut -d ' ' -f 1-3 /proc/loadavg) before the start"
	echo "QEMU     $(qemu-system-x86_64 --version | head -n 1)"
	echo "         $(tr '\0' '\n' <"/proc/$(cat "$DIR/n1/pid")/cmdline" | paste -s -d ' ' |
		grep -o -e '-machine .* -nodefaults') -drive cache=unsafe,aio=threads, files on tmpfs"
	echo "node     $(on 1 "uname -srv"), $(on 1 "fio --version")"
	echo "dlmirror $(git -C "$BENCH" describe --always --dirty 2>/dev/null || echo "not in git")"
}

# sampled CONFIG: what comes in are samples of it, "job value unit" each
sampled() {
	sed "s|^|$1 |" >>"$WORK/samples"
}

progress() {
	[ ! -t 2 ] || printf '\r\033[K%s' "$*" >&2
}

backwards() {
	local word out=
	for word; do out="$word $out"; done
	echo "$out"
}

# --- results -----------------------------------------------------------------------------------------

# samples "config job value unit" -> the same with one line per config and job, the median, in the order of appearance. The
# value - is one that could not be had.
medians() {
	awk '{
		key = $1 " " $2
		if (!(key in n)) { order[++keys] = key; n[key] = 0 }
		if ($3 == "-") next
		value[key, ++n[key]] = $3
		unit[key] = $4
	}
	END {
		for (k = 1; k <= keys; k++) {
			key = order[k]
			count = n[key]
			if (!count) { print key, "-", "-"; continue }
			for (i = 2; i <= count; i++)
				for (j = i; j > 1 && value[key, j - 1] + 0 > value[key, j] + 0; j--) {
					swap = value[key, j]; value[key, j] = value[key, j - 1]; value[key, j - 1] = swap
				}
			half = int((count + 1) / 2)
			median = count % 2 ? value[key, half] : (value[key, half] + value[key, half + 1]) / 2
			print key, median, unit[key]
		}
	}' "$WORK/samples"
}

# table TITLE REFERENCE PATTERN [COMMON]: configurations down, jobs that match across, named without what they have in
# COMMON; with a REFERENCE as ratios to it
table() {
	grep -Eq -- "^[^ ]+ $3 " "$WORK/medians" || return 0
	echo "$1"
	awk -v reference="$2" -v pattern="^$3\$" -v common="${4:-^$}" '
	$2 ~ pattern {
		if (!($1 in seen)) { seen[$1] = 1; config[++configs] = $1 }
		if (!($2 in column)) { column[$2] = 1; job[++jobs] = $2 }
		value[$1, $2] = $3
	}
	END {
		printf "%-18s", ""
		for (j = 1; j <= jobs; j++) {
			title[j] = job[j]
			sub(common, "", title[j])
			printf " %*s", width(title[j]), title[j]
		}
		print ""
		for (c = 1; c <= configs; c++) {
			printf "%-18s", config[c]
			for (j = 1; j <= jobs; j++) printf " %*s", width(title[j]), cell(config[c], job[j])
			print ""
		}
		print ""
	}
	function width(name) { return length(name) > 9 ? length(name) : 9 }
	function cell(c, j) {
		if (!((c, j) in value) || value[c, j] == "-") return "-"
		if (reference == "") return number(value[c, j])
		if (!((reference, j) in value) || value[reference, j] + 0 == 0) return "-"
		return sprintf("%.2f", value[c, j] / value[reference, j])
	}
	function number(v) { return v >= 100 ? sprintf("%.0f", v) : v >= 10 ? sprintf("%.1f", v) : sprintf("%.2f", v) }
	' "$WORK/medians"
}

write_json() {
	awk 'BEGIN { print "[" }
		{ printf "%s{\"config\": \"%s\", \"job\": \"%s\", \"value\": %s, \"unit\": \"%s\"}", (NR > 1 ? ",\n" : ""), $1, $2, ($3 == "-" ? "null" : $3), $4 }
		END { print "\n]" }' "$WORK/medians" >"$json"
}
