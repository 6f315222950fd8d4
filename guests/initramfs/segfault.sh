#!/usr/bin/env bash
# Writes an ELF64 program of 143 bytes to standard output. It stores a byte at address 0, which is never mapped: the
# kernel kills it with SIGSEGV. Were the store to succeed, it would exit with status 1.
set -euo pipefail

bytes() { printf "$(printf '\\x%s' "$@")"; }

# ELF header: 64-bit, little-endian, executable, x86-64, entry 0x400078, one program header right behind it.
bytes 7f 45 4c 46 02 01 01 00 00 00 00 00 00 00 00 00
bytes 02 00 3e 00 01 00 00 00 78 00 40 00 00 00 00 00
bytes 40 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
bytes 00 00 00 00 40 00 38 00 01 00 00 00 00 00 00 00
# Program header: load the whole file, 143 bytes, at 0x400000, readable and executable, page-aligned.
bytes 01 00 00 00 05 00 00 00 00 00 00 00 00 00 00 00
bytes 00 00 40 00 00 00 00 00 00 00 40 00 00 00 00 00
bytes 8f 00 00 00 00 00 00 00 8f 00 00 00 00 00 00 00
bytes 00 10 00 00 00 00 00 00
# The program.
bytes 31 c0                    # xor eax, eax
bytes c6 00 01                 # mov byte [rax], 1
bytes bf 01 00 00 00           # mov edi, 1
bytes b8 e7 00 00 00           # mov eax, 231 (exit_group)
bytes 0f 05                    # syscall
bytes 90 90 90 90 90 90        # nop
