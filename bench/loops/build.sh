#!/usr/bin/env bash
# Rebuilds the benchmark guests, bench/loops/*.elf, with gcc and GNU ld, and notes in loops.sources what they were built from. The
# same compiler gives the same bytes. Commit the results.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export LC_ALL=C

common=../../guests/common
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

flags=(-std=gnu11 -O2 -g0 -Wall -Wextra -Werror -ffreestanding -fno-pic -fno-stack-protector -fcf-protection=none
  -fno-asynchronous-unwind-tables -mgeneral-regs-only -mno-red-zone -mcmodel=kernel -fno-ident
  -fno-tree-loop-distribute-patterns -fno-optimize-sibling-calls -I "$common")

gcc "${flags[@]}" -c "$common/head.S" -o "$out/head.o"
gcc "${flags[@]}" -c main.c -o "$out/main.o"
gcc -E -P -x c -I "$common" "$common/link.ld.S" -o "$out/link.ld"
for loop in empty crc32 fib sieve quicksort strings; do
  gcc "${flags[@]}" -c "$loop.c" -o "$out/$loop.o"
  ld -nostdlib -static --build-id=none -z max-page-size=4096 -z noexecstack -T "$out/link.ld" \
    -o "$loop.elf" "$out/head.o" "$out/main.o" "$out/$loop.o"
  strip --strip-debug --discard-locals "$loop.elf"
  chmod 644 "$loop.elf"
done
(cd ../.. && sha256sum guests/common/* bench/loops/*.c bench/loops/*.h bench/loops/build.sh bench/loops/*.elf) > loops.sources
