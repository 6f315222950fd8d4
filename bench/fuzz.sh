#!/usr/bin/env bash
# Fuzzes every reader of foreign bytes, and the processor, on all cores. What fails stands in artifacts/fuzz, made small, with the one
# command that repeats it; the last line counts executions, crashes and hangs.
#
#   bench/fuzz.sh [HOURS] [SEED]        one hour and a seed of the day unless said otherwise
#
# Ends with status 1 when anything failed. docs/reliability.md says what is tried.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=$(awk -v hours="${1:-1}" 'BEGIN { printf "%d", hours * 3600 }')
(( seconds > 0 )) || { echo "fuzz.sh: '$1' is no number of hours above 0" >&2; exit 2; }
dotnet build tests/Fuzz --configuration Release --nologo --verbosity quiet
exec nice dotnet tests/Fuzz/bin/Release/net10.0/Fuzz.dll all --seconds "$seconds" --jobs "$(nproc)" --seed "${2:-$(date -u +%Y%m%d)}"
