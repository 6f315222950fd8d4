# First instruction of every user program: the kernel left the arguments' count in RDI and their array in RSI.
        .text
        .globl  _start
        .type   _start, @function
_start:
        xorl    %ebp, %ebp
        andq    $-16, %rsp
        call    main
        movq    %rax, %rdi
        movl    $60, %eax
        syscall
        ud2
        .size   _start, . - _start

        .globl  syscall
        .type   syscall, @function
syscall:
        movq    %rdi, %rax
        movq    %rsi, %rdi
        movq    %rdx, %rsi
        movq    %rcx, %rdx
        syscall
        ret
        .size   syscall, . - syscall

# gcc turns loops into calls of these.
        .globl  memcpy
        .type   memcpy, @function
memcpy:
        movq    %rdi, %rax
        movq    %rdx, %rcx
        rep movsb
        ret
        .size   memcpy, . - memcpy

        .globl  memset
        .type   memset, @function
memset:
        movq    %rdi, %r8
        movl    %esi, %eax
        movq    %rdx, %rcx
        rep stosb
        movq    %r8, %rax
        ret
        .size   memset, . - memset
        .section .note.GNU-stack, "", @progbits
