#!/usr/bin/env bash
# Imports a trace and asks the report tool's questions of it, each beside the same question asked by the sqlite3 shell of the same
# file, in CPU seconds; beside the import stands SQLite's own INSERT of the same rows through prepared statements.
#
#   bench/report.sh [EVENTS | TRACE.mpk]
#
# Ends with status 1 when a bar is missed.
set -euo pipefail
dotnet run --configuration Release --project "$(dirname "${BASH_SOURCE[0]}")/ReportBench" -- "$@"
