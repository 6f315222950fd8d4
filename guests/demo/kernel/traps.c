// Descriptor tables and exceptions.
#include "kernel.h"

struct tss {
    u32 reserved0;
    u64 sp0, sp1, sp2;
    u64 reserved1;
    u64 ist[7];
    u64 reserved2;
    u16 reserved3, io_map;
} __attribute__((packed));

struct descriptor_pointer {
    u16 limit;
    u64 base;
} __attribute__((packed));

struct gate {
    u16 offset_low, selector;
    u8 ist, type;
    u16 offset_middle;
    u32 offset_high, reserved;
};

static u64 gdt[8];
static struct tss tss;
static struct gate idt[256];
static u8 double_fault_stack[4096] __attribute__((aligned(16)));

void divide_error(void);
void debug(void);
void int3(void);
void invalid_op(void);
void double_fault(void);
void general_protection(void);
void page_fault(void);
void unexpected_trap(void);
void timer_interrupt_entry(void);
void spurious_interrupt(void);

static void set_gate(int vector, void (*entry)(void), u8 type, u8 ist) {
    u64 address = (u64)entry;
    idt[vector] = (struct gate){
        .offset_low = (u16)address,
        .selector = KERNEL_CS,
        .ist = ist,
        .type = type,
        .offset_middle = (u16)(address >> 16),
        .offset_high = (u32)(address >> 32),
    };
}

static void cpu_init(void) {
    gdt[1] = 0x00af9b000000ffff; // KERNEL_CS
    gdt[2] = 0x00cf93000000ffff; // KERNEL_DS
    gdt[3] = 0x00cffb000000ffff; // 32-bit user code, unused; SYSRET counts from here
    gdt[4] = 0x00cff3000000ffff; // USER_DS
    gdt[5] = 0x00affb000000ffff; // USER_CS
    u64 base = (u64)&tss;
    gdt[6] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89UL << 40 | (base >> 24 & 0xff) << 56;
    gdt[7] = base >> 32;
    tss.ist[0] = (u64)double_fault_stack + sizeof(double_fault_stack);
    tss.io_map = sizeof(tss);

    struct descriptor_pointer pointer = {sizeof(gdt) - 1, (u64)gdt};
    __asm__ volatile("lgdt %0" ::"m"(pointer));
    __asm__ volatile("ltr %w0" ::"r"(TSS_SELECTOR));
    wrmsr(0xc0000101, (u64)&cpu_data); // GS base
    wrmsr(0xc0000102, 0);              // the user's, after SWAPGS
}

void set_kernel_stack(u64 top) {
    tss.sp0 = top;
    cpu_data.kernel_stack = top;
}

void trap_init(void) {
    for (int vector = 0; vector < 32; vector++) {
        set_gate(vector, unexpected_trap, 0x8e, 0);
    }
    set_gate(0, divide_error, 0x8e, 0);
    set_gate(1, debug, 0x8e, 0);
    set_gate(3, int3, 0xee, 0);
    set_gate(6, invalid_op, 0x8e, 0);
    set_gate(8, double_fault, 0x8e, 1);
    set_gate(13, general_protection, 0x8e, 0);
    set_gate(14, page_fault, 0x8e, 0);
    set_gate(32, timer_interrupt_entry, 0x8e, 0);
    for (int vector = 33; vector < 48; vector++) {
        set_gate(vector, spurious_interrupt, 0x8e, 0);
    }
    struct descriptor_pointer pointer = {sizeof(idt) - 1, (u64)idt};
    __asm__ volatile("lidt %0" ::"m"(pointer));
    cpu_init();
}

// Ends the task that made the processor complain; the same from the kernel is a bug.
static void do_trap(struct pt_regs *regs, const char *what, int signal) {
    if (!user_mode(regs)) {
        printk("%s in the kernel, ip %lx\n", what, regs->ip);
        panic("Fatal exception");
    }
    printk("%s[%d]: %s\n", current->comm, current->pid, what);
    do_exit(128 + signal);
}

void do_divide_error(struct pt_regs *regs) { do_trap(regs, "divide error", 8); }
void do_invalid_op(struct pt_regs *regs) { do_trap(regs, "invalid opcode", 4); }
void do_debug(struct pt_regs *regs) { do_trap(regs, "debug trap", 5); }

void do_general_protection(struct pt_regs *regs) {
    if (user_mode(regs) || !fixup_exception(regs)) {
        do_trap(regs, "general protection fault", 11);
    }
}

// A breakpoint of the kernel's own is passed over; a task may set one and goes on after it.
void do_int3(struct pt_regs *regs) {
    if (user_mode(regs)) {
        printk("%s[%d]: int3\n", current->comm, current->pid);
    }
}

void do_double_fault(struct pt_regs *regs) {
    printk("double fault, ip %lx sp %lx\n", regs->ip, regs->sp);
    panic("Fatal exception");
}

void do_unexpected_trap(struct pt_regs *regs) {
    printk("unexpected trap, ip %lx\n", regs->ip);
    panic("Fatal exception");
}
