#!/usr/bin/env bash
# Trace writer and reader on events like a kernel's, or on those of a trace: events a CPU second and bytes an event, beside plain
# MessagePack rows with zstd in the same run.
#
#   bench/trace.sh [EVENTS | TRACE.mpk]
#
# Ends with status 1 when a bar is missed.
set -euo pipefail
dotnet run --configuration Release --project "$(dirname "${BASH_SOURCE[0]}")/TraceBench" -- "$@"
