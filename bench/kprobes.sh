#!/usr/bin/env bash
# What a kprobe hit costs on the Fibonacci loop, what 30,000 registrations on a kernel cost, and what 1,000 probes cost a stock
# boot that never hits them (twenty boots, two minutes).
#
#   bench/kprobes.sh [KERNEL [INITRAMFS]]
#
# Ends with status 1 when a bar is missed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
dotnet run --configuration Release --project bench/KprobeBench -- bench/loops/fib.elf "$@"
