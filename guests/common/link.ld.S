// Linker script of our own guests; run through the C preprocessor by build.sh.
#include "layout.h"

OUTPUT_FORMAT(elf64-x86-64)
ENTRY(_start)

PHDRS
{
    text PT_LOAD FLAGS(5);
    rodata PT_LOAD FLAGS(4);
    data PT_LOAD FLAGS(6);
    note PT_NOTE FLAGS(4);
}

SECTIONS
{
    . = KERNEL_BASE + KERNEL_LOAD;
    _text = .;
    .text : AT(ADDR(.text) - KERNEL_BASE) { *(.head.text) *(.text .text.*) } :text
    _etext = .;

    . = ALIGN(4096);
    __start_rodata = .;
    .rodata : AT(ADDR(.rodata) - KERNEL_BASE) {
        *(.rodata .rodata.*)
        . = ALIGN(8);
        __start___ex_table = .;
        KEEP(*(__ex_table))
        __stop___ex_table = .;
    } :rodata
    .note.pvh : AT(ADDR(.note.pvh) - KERNEL_BASE) { KEEP(*(.note.pvh)) } :rodata :note
    __end_rodata = .;

    . = ALIGN(4096);
    _sdata = .;
    .data : AT(ADDR(.data) - KERNEL_BASE) { *(.data .data.*) } :data
    .bss : AT(ADDR(.bss) - KERNEL_BASE) { *(.bss .bss.* COMMON) } :data
    . = ALIGN(4096);
    _end = .;

    /DISCARD/ : { *(.comment) *(.eh_frame) *(.note.gnu.*) *(.note.GNU-stack) }
}
