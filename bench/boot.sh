#!/usr/bin/env bash
# A stock Linux boot to power-off in kprobe-record and in QEMU: the same kernel, initramfs and command line, user CPU seconds of
# the whole process, smaller of two interleaved runs. QEMU runs on the better of its machines pc and microvm. One probe is placed,
# on start_kernel, and hit once.
#
#   bench/boot.sh [cloud|amd64|6.12-amd64|7-cloud]
#
# Ends with status 1 when a bar is missed.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

flavour=${1:-cloud}
kernel=$root/guests/stock/vmlinuz-$flavour
initramfs=$root/guests/stock/initramfs.cpio.gz
require_stock
[[ -f $kernel ]] || die "there is no guests/stock/vmlinuz-$flavour; there are cloud, amd64, 6.12-amd64 and 7-cloud"

command_line='console=ttyS0 panic=-1 nokaslr'
qemu=(qemu-system-x86_64 -accel tcg -cpu qemu64 -m 512 -nodefaults -display none -serial stdio -no-reboot
  -kernel "$kernel" -initrd "$initramfs" -append "$command_line")
engines=(ours pc microvm pc-icount microvm-icount)

# Prints nothing and leaves `seconds` empty when QEMU's machine did not get to power-off. microvm has nothing but the PIT to
# calibrate the TSC by, and on a busy host the kernel gives that up and waits for ever.
run() { # engine
  case $1 in
    ours)
      measure ours timeout 600 dotnet "$record_dll" "$kernel" --initrd "$initramfs" --append "$command_line" -m 512M \
        -p 'p:start start_kernel' -q --console - -o "$scratch/boot.mpk" ;;
    pc | microvm) measure "$1" timeout 60 "${qemu[@]}" -M "$1" ;;
    *) measure "$1" timeout 120 "${qemu[@]}" -M "${1%-icount}" -icount shift=0 ;;
  esac
  for line in 'FORKS=58' 'INIT-DONE'; do
    if ! tr -d '\r' < "$scratch/$1.out" | grep -qx "$line"; then
      [[ $1 != ours ]] || die "no line $line on the console: $(tail -n 1 "$scratch/$1.err")"
      seconds=
    fi
  done
}

declare -A best
for round in 1 2; do
  for engine in "${engines[@]}"; do
    run "$engine"
    best[$engine]=$(smaller "${best[$engine]-}" "$seconds")
  done
done

tcg=$(smaller "${best[pc]}" "${best[microvm]}")
icount=$(smaller "${best[pc-icount]}" "${best[microvm-icount]}")
[[ -n $tcg && -n $icount ]] || die "QEMU booted on neither pc nor microvm: $(tail -n 1 "$scratch/pc.err")"
echo "vmlinuz-$flavour to power-off, user CPU seconds"
for engine in "${engines[@]}"; do printf '  %-16s %8s\n' "$engine" "${best[$engine]:-no boot}"; done
bar "ours / QEMU" "$(awk -v a="${best[ours]}" -v b="$tcg" 'BEGIN { print a / b }')" at-most 4
bar "ours / QEMU with icount" "$(awk -v a="${best[ours]}" -v b="$icount" 'BEGIN { print a / b }')" at-most 1
exit $(( misses > 0 ))
