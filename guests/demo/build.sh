#!/usr/bin/env bash
# Rebuilds guests/demo/demo.elf, the kernel that is embedded in kprobe-record, with gcc and GNU ld, and notes in
# demo.sources which sources it was built from. The same compiler gives the same bytes. Commit both files.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export LC_ALL=C

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

flags=(-std=gnu11 -O2 -g0 -Wall -Wextra -Werror -ffreestanding -fno-pic -fno-stack-protector -fcf-protection=none
  -fno-asynchronous-unwind-tables -fno-omit-frame-pointer -mgeneral-regs-only -mno-red-zone -fno-ident
  # Functions stay functions: their names are what probes are placed on.
  -fno-inline-functions -fno-inline-small-functions -fno-inline-functions-called-once -fno-partial-inlining
  -fno-ipa-cp -fno-ipa-sra -fno-ipa-icf -fno-optimize-sibling-calls -fno-reorder-functions -fno-reorder-blocks-and-partition
  -I ../common)
link=(ld -nostdlib -static --build-id=none -z max-page-size=4096 -z noexecstack)

for program in init primes sorter faulter; do
  objects=()
  for source in user/start.S user/text.c "user/$program.c"; do
    object=$out/user-$program-$(basename "$source").o
    gcc "${flags[@]}" -mcmodel=small -c "$source" -o "$object"
    objects+=("$object")
  done
  "${link[@]}" -s -T user/link.ld -o "$out/$program.elf" "${objects[@]}"
done

objects=()
for source in ../common/head.S kernel/*.S kernel/*.c; do
  object=$out/kernel-$(basename "$source").o
  gcc "${flags[@]}" -mcmodel=kernel -Wa,-I"$out" -c "$source" -o "$object"
  objects+=("$object")
done
gcc -E -P -x c -I ../common ../common/link.ld.S -o "$out/link.ld"
"${link[@]}" -T "$out/link.ld" -o "$out/demo.elf" "${objects[@]}"
strip --strip-debug --discard-locals "$out/demo.elf"

mv "$out/demo.elf" demo.elf
chmod 644 demo.elf
# One line a file that the image depends on, then the image itself. The test BuiltImageTests compares them.
(cd ../.. && sha256sum guests/common/* guests/demo/build.sh guests/demo/{kernel,user}/* guests/demo/demo.elf) > demo.sources
