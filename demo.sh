#!/usr/bin/env bash
# Builds and installs the two tools, records the demo kernel that is embedded in kprobe-record and prints the summary of its trace.
# Needs only the .NET SDK. Afterwards `dotnet kprobe-record` and `dotnet kprobe-report` work anywhere below this folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

echo "building kprobe-record and kprobe-report; the first time this takes a minute …"
./build.sh --verbosity quiet
mkdir -p artifacts/demo
trace=artifacts/demo/demo.mpk

echo
echo "\$ dotnet kprobe-record -o $trace"
dotnet kprobe-record -o "$trace"
echo
echo "\$ dotnet kprobe-report $trace"
dotnet kprobe-report "$trace"
