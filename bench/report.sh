#!/usr/bin/env bash
# Imports traces and asks the report tool's questions of them, each beside the same question asked by the sqlite3 shell of the
# same file, in CPU seconds; beside the import stand SQLite's own INSERTs of the same rows and indexes through its C API
# (ReportBench/insert_peer.c). Then: the most memory that each verb takes on a long trace.
#
#   bench/report.sh                      a synthetic trace of 2,000,000 events, a stock boot, memory
#   bench/report.sh EVENTS|TRACE.mpk     only the questions, of that many synthetic events or of a trace
#   bench/report.sh boot                 only the questions, of a stock boot (needs guests/fetch.sh)
#   bench/report.sh memory [EVENTS]      only the memory, on 10,000,000 synthetic events or as many (4 GB of disk)
#   bench/report.sh calls                what the calls of SQLite that are made past SQLitePCLRaw would cost through it
#
# Ends with status 1 when a bar is missed. Run ./build.sh first. Debian packages: gcc libsqlite3-dev sqlite3 time.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
missed=0

die() { echo "report.sh: $1" >&2; exit 2; }
source "$root/bench/stock.sh"
tool() { echo "$root/src/kprobe-$1/bin/Release/net10.0/kprobe-$1.dll"; }
[[ -f $(tool report) ]] || die "run ./build.sh first"

dotnet build --configuration Release --verbosity quiet --nologo "$root/bench/ReportBench" > "$scratch/build" || { cat "$scratch/build"; exit 2; }
bench() { dotnet "$root/bench/ReportBench/bin/Release/net10.0/ReportBench.dll" "$@"; }

# questions WHAT EVENTS|TRACE.mpk
questions() {
  [[ -x $scratch/insert_peer ]] || gcc -O2 -o "$scratch/insert_peer" "$root/bench/ReportBench/insert_peer.c" -lsqlite3 \
    || die "the peer could not be compiled (apt-get install gcc libsqlite3-dev)"
  echo "== $1"
  bench "$2" "$scratch/insert_peer" || missed=1
}

# boot: the questions, of a trace of a stock boot with probes on frequent functions.
boot() {
  local guest=$root/guests/stock probe probes=(
    'p:read vfs_read count=%dx:u64' 'r:read_ret vfs_read ret=$retval:s64'
    'p:pages __alloc_pages gfp=%di:x32 order=%si:u32' 'r:pages_ret __alloc_pages page=$retval'
    'p:alloc kmem_cache_alloc' 'r:alloc_ret kmem_cache_alloc' 'p:free kmem_cache_free' 'p:kmalloc __kmalloc' 'p:kfree kfree'
    'p:fault handle_mm_fault' 'p:schedule schedule' 'p:spin _raw_spin_lock' 'p:lock mutex_lock' 'p:unlock mutex_unlock'
    'p:resched __cond_resched' 'p:unspin _raw_spin_unlock' 'p:compare strcmp' 'p:length strlen' 'p:dput dput')
  local arguments=()
  for probe in "${probes[@]}"; do arguments+=(-p "$probe"); done
  [[ -f $guest/vmlinuz-cloud ]] || { echo "== a stock boot: skipped, run guests/fetch.sh first"; return; }
  require_stock
  dotnet "$(tool record)" "$guest/vmlinuz-cloud" --initrd "$guest/initramfs.cpio.gz" --console none --quiet \
    --output "$scratch/boot.mpk" "${arguments[@]}" || die "the boot could not be recorded"
  questions "a stock boot, ${#probes[@]} probes" "$scratch/boot.mpk"
}

# peak BAR WHAT ARGUMENTS...: runs kprobe-report and prints the most memory it held.
peak() {
  local bar=$1 what=$2 status=0 megabytes verdict=holds
  shift 2
  /usr/bin/time -o "$scratch/time" -f '%M %U' dotnet "$(tool report)" "$@" > /dev/null 2> "$scratch/err" < /dev/null || status=$?
  [[ $status == 0 || ($what == diff && $status == 1) ]] || die "kprobe-report $what ended with status $status: $(tail -n 1 "$scratch/err")"
  megabytes=$(awk 'END { printf "%d", $1 / 1024 }' "$scratch/time")
  (( megabytes <= bar )) || { verdict=MISSED; missed=1; }
  printf '%-30s%8d MB %8.1f CPU s  (bar: at most %d, %s)\n' "$what" "$megabytes" "$(awk 'END { print $2 }' "$scratch/time")" "$bar" "$verdict"
}

memory() {
  local events=$1 format a=$scratch/a.mpk b=$scratch/b.mpk
  [[ -x /usr/bin/time ]] || die "memory needs /usr/bin/time (apt-get install time)"
  echo "== memory, $events synthetic events"
  bench generate "$a" "$events" 1
  bench generate "$b" "$events" 2
  peak 400 import "$a"
  peak 400 'events' events "$a"
  peak 400 'query, every event' query "$a" 'SELECT * FROM events' --format csv
  peak 400 'query, counts by name' query "$a" 'SELECT symbol, comm, count(*) FROM events GROUP BY 1, 2'
  peak 400 'who' who "$a" 0x246 --limit 0
  peak 400 'hist' hist "$a" --key duration_ns --log2
  peak 400 'latency' latency "$a"
  peak 400 'stacks' stacks "$a"
  peak 400 'before' before "$a" --seq "$(( events / 2 ))"
  peak 400 'html' html "$a" -o "$scratch/a.html"
  for format in perfetto ctf csv jsonl parquet; do
    peak 400 "export $format" export "$a" --to "$format" -o "$scratch/out"
    rm -rf "$scratch/out"
  done
  peak 400 'import of another' "$b"
  peak 400 'diff' diff "$a" "$b"
}

case ${1:-all} in
  all) questions "2000000 synthetic events" 2000000; boot; memory 10000000 ;;
  boot) boot ;;
  memory) memory "${2:-10000000}" ;;
  calls) bench generate "$scratch/calls.mpk" 100000 1; bench calls "$scratch/calls.mpk" ;;
  *) questions "$1" "$1" ;;
esac
exit "$missed"
