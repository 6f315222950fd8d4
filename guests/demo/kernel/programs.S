# The user programs, as the files that build.sh linked them into.
        .macro PROGRAM name, path
        .globl  program_\name, program_\name\()_end
        .balign 16
program_\name:
        .incbin "\path"
program_\name\()_end:
        .endm

        .section .rodata
        PROGRAM init, "init.elf"
        PROGRAM primes, "primes.elf"
        PROGRAM sorter, "sorter.elf"
        PROGRAM faulter, "faulter.elf"
        .section .note.GNU-stack, "", @progbits
