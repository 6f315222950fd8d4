#!/usr/bin/env bash
# Five loops (bench/loops) in kprobe-record and in QEMU: user CPU seconds less those of the empty guest in the same emulator,
# smaller of two interleaved runs. The ratio is QEMU's time by ours: 1 is QEMU's speed, more is faster. One probe is placed, on
# start_kernel, and hit once.
#
#   bench/loops.sh [LOOP...]     all five when none is named
#
# Ends with status 1 when a bar is missed.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

loops=("$@")
(( ${#loops[@]} > 0 )) || loops=(crc32 fib sieve quicksort strings)
qemu=(qemu-system-x86_64 -accel tcg -cpu qemu64 -M pc -nodefaults -m 64 -display none -serial stdio -no-reboot
  -device "isa-debug-exit,iobase=0xf4")
engines=(ours tcg icount)

run() { # engine, loop
  local image=$root/bench/loops/$2.elf
  case $1 in
    ours) measure ours timeout 600 dotnet "$record_dll" "$image" -m 64M -p 'p:start start_kernel' -q --console - -o "$scratch/loop.mpk" ;;
    tcg) measure tcg timeout 300 "${qemu[@]}" -kernel "$image" ;;
    icount) measure icount timeout 300 "${qemu[@]}" -icount shift=0 -kernel "$image" ;;
  esac
  sum=$(tr -d '\r' < "$scratch/$1.out" | sed -n 's/^checksum //p')
  [[ -n $sum ]] || die "$2 printed no checksum in $1: $(tail -n 1 "$scratch/$1.err")"
}

declare -A best
for loop in empty "${loops[@]}"; do
  for round in 1 2; do
    first=
    for engine in "${engines[@]}"; do
      run "$engine" "$loop"
      [[ -z $first || $first == "$sum" ]] || die "$loop: $engine printed $sum, another engine $first"
      first=$sum
      best[$engine,$loop]=$(smaller "${best[$engine,$loop]-}" "$seconds")
    done
  done
done

echo "user CPU seconds, empty guest subtracted: ours ${best[ours,empty]}, QEMU ${best[tcg,empty]}, with icount ${best[icount,empty]}"
printf '  %-12s %9s %9s %9s %10s %10s\n' loop ours QEMU icount 'of QEMU' 'of icount'
ratios=
for loop in "${loops[@]}"; do
  row=$(awk -v o="${best[ours,$loop]}" -v oe="${best[ours,empty]}" -v t="${best[tcg,$loop]}" -v te="${best[tcg,empty]}" \
    -v i="${best[icount,$loop]}" -v ie="${best[icount,empty]}" \
    'BEGIN { printf "%.2f %.2f %.2f %.3f %.3f", o - oe, t - te, i - ie, (t - te) / (o - oe), (i - ie) / (o - oe) }')
  # shellcheck disable=SC2086
  printf '  %-12s %9s %9s %9s %10s %10s\n' "$loop" $row
  ratios+="$(cut -d' ' -f4 <<< "$row") "
done
geomean=$(awk '{ for (i = 1; i <= NF; i++) s += log($i); printf "%.3f", exp(s / NF) }' <<< "$ratios")
least=$(tr ' ' '\n' <<< "$ratios" | sed '/^$/d' | sort -n | head -n 1)
bar "geometric mean of QEMU's speed" "$geomean" at-least 0.2
bar "slowest loop, of QEMU's speed" "$least" at-least 0.08
exit $(( misses > 0 ))
