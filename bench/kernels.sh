#!/usr/bin/env bash
# Boots every kernel of guests/stock/all (guests/fetch.sh --all-kernels) to power-off under probes and prints a table: symbols and
# functions found, BTF types, how the boot ended, instructions, every fork since boot as the guest counts them and as the trace does.
#
#   bench/kernels.sh [--qemu] [SERIES-FLAVOUR…]
#
# With --qemu each kernel boots in QEMU as well, and what it prints of level "warning" or worse only here is listed: QEMU's microvm
# has, like this machine, neither PCI nor a keyboard; what it does not print pc may.
# Ends with status 1 when a kernel has no symbols, does not get to power-off, counts other forks, or warns where QEMU's does not.
set -euo pipefail
needs_qemu=0
if [[ ${1:-} == --qemu ]]; then needs_qemu=1; shift; fi
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

all=$root/guests/stock/all
initramfs=$root/guests/stock/initramfs.cpio.gz
require_stock
[[ -s $all/VERSIONS ]] || die "no kernels in guests/stock/all: run guests/fetch.sh --all-kernels first"
kernels=("$@")
if (( ${#kernels[@]} == 0 )); then mapfile -t kernels < <(cut -d' ' -f1 "$all/VERSIONS" | sed 's/^vmlinuz-//' | sort -V); fi

# The kernel prints the level of each message before it.
command_line='console=ttyS0 panic=-1 console_msg_format=syslog'

# warnings FILE: the messages of level 4 and below, without what differs from boot to boot.
warnings() {
  tr -d '\r' < "$1" | sed -nE 's/^<[0-4]>\[[^]]*\] *(\[[^]]*\])? *//p' | sed -E 's/0x[0-9a-f]+|[0-9a-f]{8,}|[0-9]+/N/g; s/ +$//' | sort -u
}

qemu() { # machine, options of the kernel
  timeout 600 qemu-system-x86_64 -accel tcg -cpu qemu64 -m 512 -nodefaults -display none -serial stdio -no-reboot -M "$1" \
    -kernel "$all/vmlinuz-$kernel" -initrd "$initramfs" -append "$command_line nokaslr $2" < /dev/null 2> /dev/null
}

ask() { dotnet "$report_dll" query "$scratch/boot.mpk" --db "$scratch/boot.db" --format csv "$1" 2> /dev/null | tr -d '\r' | tail -n 1; }

failures=0
printf '%-12s %-28s %8s %9s %7s  %-9s %7s %6s %6s\n' kernel release symbols functions types boot Minstr forks traced
for kernel in "${kernels[@]}"; do
  image=$all/vmlinuz-$kernel
  [[ -s $image ]] || die "there is no guests/stock/all/vmlinuz-$kernel"
  rm -f "$scratch"/boot.* "$scratch"/*.warnings
  dotnet "$record_dll" "$image" --dry-run -p 'p kernel_clone' > "$scratch/dry" 2> "$scratch/dry.err" || true
  release=$(sed -n 's/^kernel *//p' "$scratch/dry")
  read -r symbols functions < <(sed -nE 's/^symbols *([0-9]+), ([0-9]+) .*/\1 \2/p' "$scratch/dry") || true
  types=$(sed -nE 's/^types *([0-9]+|none).*/\1/p' "$scratch/dry")
  timeout 900 dotnet "$record_dll" "$image" --initrd "$initramfs" --append "$command_line" --json --console "$scratch/boot.console" \
    -p 'p:fork kernel_clone' -p 'p:open do_sys_openat2 name=+0(%si):ustring' -p 'r:open_ret do_sys_openat2 ret=$retval' \
    -o "$scratch/boot.mpk" > "$scratch/boot.json" 2> "$scratch/boot.err" || true
  ended=$(sed -nE 's/.*"ended":"([^"]*)".*/\1/p' "$scratch/boot.json")
  instructions=$(sed -nE 's/.*"instructions":([0-9]+).*/\1/p' "$scratch/boot.json")
  forks=$(tr -d '\r' < "$scratch/boot.console" 2> /dev/null | sed -nE 's/^WORKLOAD-END processes=//p' || true)
  traced=
  if [[ -n $forks ]]; then
    traced=$(ask "select count(*) from events where name='fork' and kind='pre' and time_ns < (select min(time_ns) from console where line like 'WORKLOAD-END%')")
  fi
  printf '%-12s %-28s %8s %9s %7s  %-9s %7s %6s %6s\n' "$kernel" "${release:-?}" "${symbols:-none}" "${functions:-none}" "${types:-?}" \
    "${ended:-failed}" "$(( ${instructions:-0} / 1000000 ))" "${forks:-?}" "${traced:-?}"
  if [[ ${functions:-0} == 0 || $ended != poweroff || -z $forks || $forks != "$traced" ]]; then
    failures=$(( failures + 1 ))
    cat "$scratch/dry.err" "$scratch/boot.err" | tail -n 3 | sed 's/^/    /'
  fi

  if (( needs_qemu )); then
    warnings "$scratch/boot.console" > "$scratch/ours.warnings"
    qemu microvm,acpi=on tsc_early_khz=1000000 > "$scratch/qemu.console" || true
    warnings "$scratch/qemu.console" > "$scratch/qemu.warnings"
    if [[ -n $(comm -23 "$scratch/ours.warnings" "$scratch/qemu.warnings") ]]; then
      qemu pc '' > "$scratch/pc.console" || true
      warnings "$scratch/pc.console" | sort -u - "$scratch/qemu.warnings" -o "$scratch/qemu.warnings"
    fi
    if [[ -n $(comm -23 "$scratch/ours.warnings" "$scratch/qemu.warnings") ]]; then
      failures=$(( failures + 1 ))
      comm -23 "$scratch/ours.warnings" "$scratch/qemu.warnings" | sed 's/^/    only here: /'
    fi
  fi
done
echo "${#kernels[@]} kernels, $failures failures"
exit $(( failures > 0 ))
