#!/usr/bin/env bash
# Saves a stock kernel that boots under probes and loads modules at COUNT random counts of retired instructions, goes on from each in a
# new process, and compares console, events, notes and totals with those of the run that was saved, byte by byte.
#
#   bench/save.sh [COUNT [SEED]]        100 points and a seed of its own unless said otherwise; some ten minutes
#
# Ends with status 1 at the first difference. A seed that failed is given again to have the same points.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export KPROBETRACE_SAVES=${1:-100}
export KPROBETRACE_TEST_SEED=${2:-$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')}
export KPROBETRACE_REQUIRE_GUESTS=1
echo "$KPROBETRACE_SAVES points, seed $KPROBETRACE_TEST_SEED"
dotnet test tests/Record.Tests --configuration Release --nologo --filter FullyQualifiedName~SavedGuestTests \
  --logger 'console;verbosity=detailed'
