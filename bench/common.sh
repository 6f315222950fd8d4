# What the benchmark scripts share; read by them, not run.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
record_dll=$root/src/kprobe-record/bin/Release/net10.0/kprobe-record.dll
report_dll=$root/src/kprobe-report/bin/Release/net10.0/kprobe-report.dll
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

die() { echo "$(basename "$0"): $1" >&2; exit 1; }

(( ! ${needs_qemu:-1} )) || command -v qemu-system-x86_64 > /dev/null || die "needs qemu-system-x86_64 to compare with (apt-get install qemu-system-x86)"
[[ -f $record_dll ]] || die "run ./build.sh first"

source "$root/bench/stock.sh"

# measure NAME COMMAND...: runs the command, its output into $scratch/NAME.out, and sets `seconds` to the user CPU time.
measure() {
  local name=$1 status=0
  shift
  TIMEFORMAT=%U
  { time "$@" > "$scratch/$name.out" 2> "$scratch/$name.err" < /dev/null || status=$?; } 2> "$scratch/$name.time"
  seconds=$(tail -n 1 "$scratch/$name.time")
  last_status=$status
}

# smaller A B: the smaller of two numbers, either of which may be missing.
smaller() { awk -v a="$1" -v b="$2" 'BEGIN { print a == "" || (b != "" && b + 0 < a + 0) ? b : a }'; }

misses=0

# bar WHAT FIGURE RELATION BAR: prints whether "FIGURE RELATION BAR" holds, RELATION being at-most or at-least.
bar() {
  local verdict
  verdict=$(awk -v f="$2" -v b="$4" -v r="$3" 'BEGIN { print (r == "at-most" ? f + 0 <= b + 0 : f + 0 >= b + 0) ? "holds" : "MISSED" }')
  printf '  %-52s %8.3f   bar: %s %s   %s\n' "$1" "$2" "$3" "$4" "$verdict"
  [[ $verdict == holds ]] || misses=$(( misses + 1 ))
}
