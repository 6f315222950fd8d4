// Addresses and selectors that assembly, C and the linker script of our own guests share.
#define KERNEL_BASE 0xffffffff80000000
#define KERNEL_LOAD 0x100000

#define KERNEL_CS 0x08
#define KERNEL_DS 0x10
#define USER_DS 0x23
#define USER_CS 0x2b
#define TSS_SELECTOR 0x30
