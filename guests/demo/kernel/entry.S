# Ways into the kernel and out of it: system calls, exceptions, interrupts, task switches.

#include "layout.h"

        .macro PUSH_REGS ax=%rax
        pushq   %rdi
        pushq   %rsi
        pushq   %rdx
        pushq   %rcx
        pushq   \ax
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        .endm

        .macro POP_REGS
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        popq    %r11
        popq    %r10
        popq    %r9
        popq    %r8
        popq    %rax
        popq    %rcx
        popq    %rdx
        popq    %rsi
        popq    %rdi
        .endm

        .macro FUNCTION name
        .globl  \name
        .type   \name, @function
        .balign 16
\name:
        .endm

        .macro END name
        .size   \name, . - \name
        .endm

        .text

FUNCTION entry_SYSCALL_64
        swapgs
        movq    %rsp, %gs:8
        movq    %gs:0, %rsp
        pushq   $USER_DS
        pushq   %gs:8
        pushq   %r11
        pushq   $USER_CS
        pushq   %rcx
        pushq   %rax
        PUSH_REGS $-38
        movq    %rsp, %rdi
        call    do_syscall_64
        cli
        call    exit_to_user_mode_prepare
        POP_REGS
        movq    8(%rsp), %rcx
        movq    24(%rsp), %r11
        movq    32(%rsp), %rsp
        swapgs
        sysretq
END entry_SYSCALL_64

# First code of a new task. %rbx is the function of a kernel thread, %r12 its argument, or %rbx is 0 for a fork.
FUNCTION ret_from_fork
        testq   %rbx, %rbx
        jz      ret_from_exception
        sti
        movq    %r12, %rdi
        call    *%rbx
        # A kernel thread that returns has become a user program: its frame says which.
        jmp     ret_from_exception
END ret_from_fork

FUNCTION ret_from_exception
        cli
        testb   $3, 136(%rsp)
        jz      1f
        call    exit_to_user_mode_prepare
        POP_REGS
        addq    $8, %rsp
        swapgs
        iretq
1:      POP_REGS
        addq    $8, %rsp
        iretq
END ret_from_exception

# Saves the registers of what was interrupted; the error code is already on the stack. Calls \handler(regs, error).
        .macro EXCEPTION name, handler, has_error=0
FUNCTION \name
        .if \has_error == 0
        pushq   $0
        .endif
        testb   $3, 16(%rsp)
        jz      1f
        swapgs
1:      cld
        PUSH_REGS
        movq    %rsp, %rdi
        movq    120(%rsp), %rsi
        movq    $-1, 120(%rsp)
        call    \handler
        jmp     ret_from_exception
END \name
        .endm

        EXCEPTION divide_error, do_divide_error
        EXCEPTION debug, do_debug
        EXCEPTION int3, do_int3
        EXCEPTION invalid_op, do_invalid_op
        EXCEPTION double_fault, do_double_fault, 1
        EXCEPTION general_protection, do_general_protection, 1
        EXCEPTION page_fault, do_page_fault, 1
        EXCEPTION unexpected_trap, do_unexpected_trap
        EXCEPTION timer_interrupt_entry, do_timer_IRQ
        EXCEPTION spurious_interrupt, do_spurious_IRQ

# __switch_to_asm(prev, next): keeps what a C function expects to be kept, on the stack that it leaves.
FUNCTION __switch_to_asm
        pushq   %rbp
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, (%rdi)
        movq    (%rsi), %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        ret
END __switch_to_asm

        .section .note.GNU-stack, "", @progbits
