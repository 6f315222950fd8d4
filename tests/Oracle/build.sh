#!/usr/bin/env bash
# Rebuilds the committed oracle executable and the hash of the sources it was built from. Needs gcc and GNU ld.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
gcc -std=c11 -O2 -Wall -Wextra -Werror -ffreestanding -nostdlib -static -no-pie -fno-pic -mcmodel=large \
    -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -fcf-protection=none \
    -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,norelro -Wl,-T,oracle.lds -s -o oracle oracle.c
cat oracle.c oracle.lds build.sh | sha256sum | cut -d' ' -f1 > oracle.source.sha256
