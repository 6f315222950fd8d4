# Where our own guests start. Two ways lead in:
#
#  - _start, the ELF entry: 64-bit long mode, interrupts off, low memory mapped one to one and the image's segments mapped
#    at their linked addresses. This is how kprobe-record enters an ELF64 image.
#  - pvh_start, named by a PVH note: 32-bit protected mode without paging. This is how QEMU's -kernel enters it.
#
# Both end in start_kernel, at the linked address, on a stack of its own, with a GDT and page tables of the image's own
# that map the first GiB at 0 and at KERNEL_BASE with 2 MiB pages.

#include "layout.h"

        .section .note.pvh, "a", @note
        .balign 4
        .long   4                               # length of the name
        .long   8                               # length of the contents
        .long   18                              # physical address of a 32-bit entry
        .asciz  "Xen"
        .quad   pvh_start - KERNEL_BASE

        .section .head.text, "ax"
        .code32
        .globl  pvh_start
        .type   pvh_start, @function
pvh_start:
        cli
        cld
        lgdt    (boot_gdt_pointer - KERNEL_BASE)
        movl    %cr4, %eax
        orl     $0x20, %eax                     # PAE
        movl    %eax, %cr4
        movl    $(boot_pml4 - KERNEL_BASE), %eax
        movl    %eax, %cr3
        movl    $0xC0000080, %ecx               # EFER
        rdmsr
        orl     $0x100, %eax                    # LME
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000000, %eax               # PG
        movl    %eax, %cr0
        ljmp    $KERNEL_CS, $(_start - KERNEL_BASE)
        .size   pvh_start, . - pvh_start

        .code64
        .globl  _start
        .type   _start, @function
_start:
        cli
        cld
        movl    $(boot_pml4 - KERNEL_BASE), %eax
        movq    %rax, %cr3
        movabsq $1f, %rax
        jmp     *%rax
1:      lgdt    boot_gdt_pointer_high(%rip)
        leaq    boot_stack_top(%rip), %rsp
        pushq   $KERNEL_CS
        leaq    2f(%rip), %rax
        pushq   %rax
        lretq
2:      movl    $KERNEL_DS, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        xorl    %eax, %eax
        movl    %eax, %fs
        movl    %eax, %gs
        xorl    %ebp, %ebp
        pushq   $0
        popfq
        call    start_kernel
3:      cli
        hlt
        jmp     3b
        .size   _start, . - _start

        .data
        .balign 8
boot_gdt:
        .quad   0
        .quad   0x00AF9B000000FFFF              # KERNEL_CS: 64-bit code, ring 0
        .quad   0x00CF93000000FFFF              # KERNEL_DS
boot_gdt_end:
boot_gdt_pointer:
        .word   boot_gdt_end - boot_gdt - 1
        .long   boot_gdt - KERNEL_BASE
boot_gdt_pointer_high:
        .word   boot_gdt_end - boot_gdt - 1
        .quad   boot_gdt

        .balign 4096
        .globl  boot_pml4
boot_pml4:
        .quad   boot_pdpt_low - KERNEL_BASE + 3
        .fill   510, 8, 0
        .quad   boot_pdpt_high - KERNEL_BASE + 3
boot_pdpt_low:
        .quad   boot_pd - KERNEL_BASE + 3
        .fill   511, 8, 0
boot_pdpt_high:
        .fill   510, 8, 0
        .quad   boot_pd - KERNEL_BASE + 3
        .quad   0
boot_pd:
        .set    .Lpage, 0
        .rept   512
        .quad   .Lpage + 0x83                    # present, writable, 2 MiB
        .set    .Lpage, .Lpage + 0x200000
        .endr

        .bss
        .balign 16
        .skip   16384
boot_stack_top:
        .section .note.GNU-stack, "", @progbits
