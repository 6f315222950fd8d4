// A branch that is a no-operation in the kernel's text until it is switched on by rewriting that text.
#include "kernel.h"

u64 accounted; // written by the assembly below

extern u8 account_branch[], account_target[];

// Five bytes of no-operation at account_branch; jump_label_enable makes them a jump to account_target.
__asm__(".text\n"
        ".globl account_syscall\n"
        ".type account_syscall, @function\n"
        ".balign 16\n"
        "account_syscall:\n"
        ".globl account_branch\n"
        "account_branch:\n"
        "        .byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n"
        "        ret\n"
        ".globl account_target\n"
        "account_target:\n"
        "        incq accounted(%rip)\n"
        "        ret\n"
        ".size account_syscall, . - account_syscall\n");

// Kernel text is mapped read-only; it is written through the direct map of all memory, which is not.
static void text_poke(u8 *address, const u8 *bytes, u64 length) {
    u64 flags = local_irq_save();
    memcpy(__va(__pa_symbol(address)), bytes, length);
    u32 a, b, c, d;
    cpuid(0, &a, &b, &c, &d); // a serialising instruction, as the manual asks for after changed code
    local_irq_restore(flags);
}

void jump_label_enable(void) {
    u8 jump[5] = {0xe9};
    int distance = (int)(account_target - (account_branch + 5));
    memcpy(jump + 1, &distance, 4);
    text_poke(account_branch, jump, sizeof(jump));
}

u64 accounting_enabled(void) { return accounted; }
