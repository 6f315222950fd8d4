#!/usr/bin/env bash
# Measures what the tests would notice: plants seeded, plausible faults over src, runs the tests that can see each, prints the share
# that was noticed by folder and every fault that was not.
#
#   tests/Mutants/run.sh --seed TEXT --count N [--folder FOLDER]... [--list] [--budget SECONDS] [--jobs N] [--argued FILE] [-v]
#   tests/Mutants/run.sh --rerun FILE       tries again what an earlier output lists as survivors
#
# A sample of 300 takes up to two hours on two cores. Runs in a copy of the repository below $TMPDIR, which it deletes; stock kernels of
# guests/stock are used where they are there.
set -euo pipefail
root=$(CDPATH="" cd -- "$(dirname "${BASH_SOURCE[0]}")/../.." > /dev/null && pwd)
dotnet build "$root/tests/Mutants" -c Release --nologo -v quiet -clp:NoSummary >&2
exec dotnet "$root/tests/Mutants/bin/Release/net10.0/Mutants.dll" --root "$root" "$@"
