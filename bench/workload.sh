#!/usr/bin/env bash
# What 14 probes that each record 16 registers cost while a stock kernel forks and reads and writes files: user CPU seconds of the
# whole process, smallest of three interleaved runs, here and with Linux' own kprobe events in the same guest under QEMU. Here every
# event holds all registers anyway; the probes are run as such, and with the 16 arguments that Linux needs on top.
#
#   bench/workload.sh
#
# Ends with status 1 when a bar is missed.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

kernel=$root/guests/stock/vmlinuz-cloud
require_stock

functions=(kernel_clone do_exit vfs_read vfs_write vfs_open filp_close path_openat dput
  kmem_cache_alloc kmem_cache_free __kmalloc kfree handle_mm_fault schedule)
registers=(ax bx cx dx si di bp sp r8 r9 r10 r11 r12 r13 r14 r15)

# An archive behind another replaces its files: the measured guest is the test guest with another /init.
initramfs=$scratch/initramfs
cp "$root/guests/stock/initramfs.cpio.gz" "$initramfs"
(cd "$root/bench/workload" && echo 'file init 755 init' | "$root/guests/initramfs/pack.sh") | gzip -n >> "$initramfs"

plain=() fetching=() theirs=
for function in "${functions[@]}"; do
  definition="p:$function $function"
  plain+=(-p "$definition")
  for register in "${registers[@]}"; do definition+=" %$register"; done
  fetching+=(-p "$definition")
  theirs+="${definition// /,};"
done

command_line='console=ttyS0 panic=-1 nokaslr'
record=(dotnet "$record_dll" "$kernel" --initrd "$initramfs" --append "$command_line" -m 512M -q --console - -o "$scratch/trace.mpk")
qemu=(qemu-system-x86_64 -accel tcg -cpu qemu64 -M pc -m 512 -nodefaults -display none -serial stdio -no-reboot
  -kernel "$kernel" -initrd "$initramfs" -append)

run() { # which
  case $1 in
    ours) measure ours "${record[@]}" -p 'p:start start_kernel' ;;
    ours-probed) measure ours-probed "${record[@]}" --kinds pre "${plain[@]}" ;;
    ours-fetching) measure ours-fetching "${record[@]}" --kinds pre "${fetching[@]}" ;;
    qemu) measure qemu timeout 300 "${qemu[@]}" "$command_line" ;;
    qemu-probed) measure qemu-probed timeout 300 "${qemu[@]}" "$command_line kprobe_event=${theirs%;}" ;;
  esac
  tr -d '\r' < "$scratch/$1.out" | grep -qx INIT-DONE || die "no line INIT-DONE on the console of $1: $(tail -n 1 "$scratch/$1.err")"
}

declare -A best
for round in 1 2 3; do
  for which in ours ours-probed ours-fetching qemu qemu-probed; do
    run "$which"
    best[$which]=$(smaller "${best[$which]-}" "$seconds")
  done
done

hits=$(dotnet "$report_dll" query "$scratch/trace.mpk" 'select count(*) from events' --format csv | tail -n +2 | tr -dc 0-9)
their_hits=$(awk '$1 == "KPROBE" { hits += $3 } END { print hits + 0 }' "$scratch/qemu-probed.out")
echo "14 probes of 16 registers on forks and files, user CPU seconds"
printf '  %-24s %8s\n' "ours" "${best[ours]}" "ours, probed" "${best[ours-probed]}" \
  "ours, 16 arguments" "${best[ours-fetching]}" "QEMU" "${best[qemu]}" "QEMU, kprobe events" "${best[qemu-probed]}"
echo "  hits: ours $hits from the first instruction on, kprobe events $their_hits from when the kernel set them"
(( their_hits > 0 )) || die "the guest under QEMU counted no hits"
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { print a / b }'; }
printf '  %-52s %8.3f\n' "slow-down by kprobe events under QEMU" "$(ratio "${best[qemu-probed]}" "${best[qemu]}")"
bar "slow-down by ours" "$(ratio "${best[ours-probed]}" "${best[ours]}")" at-most 1.5
bar "slow-down by ours, with 16 arguments" "$(ratio "${best[ours-fetching]}" "${best[ours]}")" at-most 1.5
added() { awk -v a="${best[$1]}" -v b="${best[ours]}" -v n="$hits" 'BEGIN { print (a - b) * 1e6 / n }'; }
bar "a recorded hit, microseconds" "$(added ours-probed)" at-most 1
printf '  %-52s %8.3f\n' "a recorded hit with 16 arguments, microseconds" "$(added ours-fetching)"
exit $(( misses > 0 ))
