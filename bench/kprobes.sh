#!/usr/bin/env bash
# What a kprobe hit costs on the Fibonacci loop, and what 30,000 registrations on a kernel cost.
#
#   bench/kprobes.sh [KERNEL]
#
# Ends with status 1 when a bar is missed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
dotnet run --configuration Release --project bench/KprobeBench -- bench/loops/fib.elf "$@"
