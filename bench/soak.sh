#!/usr/bin/env bash
# Records a stock kernel whose first process forks, runs programs and makes files for ever, with four probes that fetch strings, walk
# stacks and wait for returns, and prints by interval what the recorder holds of the host's memory.
#
#   bench/soak.sh [MINUTES]             60 unless said otherwise
#
# Ends with status 1 when memory other than the guest's own RAM still grows after the first third, and names what grew.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kernel=guests/stock/vmlinuz-cloud
[[ -f $kernel ]] || { echo "soak.sh: no cloud kernel in guests/stock: run guests/fetch.sh first" >&2; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# An archive behind another replaces its files: the guest is the test guest with another /init.
cp guests/stock/initramfs.cpio.gz "$scratch/initramfs"
(cd bench/soak && echo 'file init 755 init' | ../../guests/initramfs/pack.sh) | gzip -n >> "$scratch/initramfs"
dotnet build tests/Fuzz --configuration Release --nologo --verbosity quiet
dotnet tests/Fuzz/bin/Release/net10.0/Fuzz.dll soak "$kernel" "$scratch/initramfs" "$scratch/soak.mpk" "${1:-60}"
