# Memory and string functions, and the accesses that may fault: their instructions stand in __ex_table with the address
# to continue at.

        .macro FUNCTION name
        .globl  \name
        .type   \name, @function
        .balign 16
\name:
        .endm

        .macro END name
        .size   \name, . - \name
        .endm

        .macro EX_TABLE from, to
        .pushsection __ex_table, "a"
        .quad   \from, \to
        .popsection
        .endm

        .text

FUNCTION memcpy
        movq    %rdi, %rax
        movq    %rdx, %rcx
        rep movsb
        ret
END memcpy

FUNCTION memset
        movq    %rdi, %r8
        movl    %esi, %eax
        movq    %rdx, %rcx
        rep stosb
        movq    %r8, %rax
        ret
END memset

# copy_user_generic(to, from, length): returns how many bytes were not copied.
FUNCTION copy_user_generic
        movq    %rdx, %rcx
        shrq    $3, %rcx
        andl    $7, %edx
1:      rep movsq
        movl    %edx, %ecx
2:      rep movsb
        xorl    %eax, %eax
        ret
3:      leaq    (%rdx, %rcx, 8), %rax
        ret
4:      movq    %rcx, %rax
        ret
        EX_TABLE 1b, 3b
        EX_TABLE 2b, 4b
END copy_user_generic

# probe_read_quad(from, value): 0, or -EFAULT when from is not readable.
FUNCTION probe_read_quad
1:      movq    (%rdi), %rax
        movq    %rax, (%rsi)
        xorl    %eax, %eax
        ret
2:      movl    $-14, %eax
        ret
        EX_TABLE 1b, 2b
END probe_read_quad

        .section .note.GNU-stack, "", @progbits
