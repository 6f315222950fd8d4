#!/usr/bin/env bash
# Trace writer and reader on events like a kernel's, or on those of a trace: events a CPU second and bytes an event, beside plain
# MessagePack rows with zstd in the same run. BenchmarkDotNet runs them, in one process, the best of five calls each.
#
#   bench/trace.sh [EVENTS | TRACE.mpk]
#
# Ends with status 1 when a bar is missed. Run ./build.sh first.
set -euo pipefail
needs_qemu=0
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

dotnet build --configuration Release --verbosity quiet --nologo "$root/bench/TraceBench" > "$scratch/build" || { cat "$scratch/build"; exit 2; }
dotnet "$root/bench/TraceBench/bin/Release/net10.0/TraceBench.dll" "$@" > "$scratch/figures"
figure() { awk -v name="$1" '$1 == name { print $2 }' "$scratch/figures"; }
ratio() { awk -v a="$(figure "$1")" -v b="$(figure "$2")" 'BEGIN { printf "%.2f", a / b }'; }

echo "$(figure events | cut -d. -f1) events, per CPU second"
bar "write, M events/s" "$(figure write)" at-least 4
bar "bytes an event" "$(figure bytes)" at-most 18
printf '  %-52s %8.3f\n' "read, M events/s" "$(figure read)" "allocated while writing, bytes an event" "$(figure allocated)"
echo "  peer: one MessagePack array an event, zstd level 1 on blocks of 1 MiB"
printf '  %-52s %8.3f   ours is %s of it\n' \
  "write, M events/s" "$(figure peer_write)" "$(ratio write peer_write)" "bytes an event" "$(figure peer_bytes)" "$(ratio bytes peer_bytes)"
exit $(( misses > 0 ))
