// The 8259 interrupt controllers, the local APIC that passes their interrupts on, and the 8254 timer.
#include "kernel.h"

#define PIC1 0x20
#define PIC2 0xa0
#define APIC_PHYSICAL 0xfee00000UL
#define APIC_SPIV 0xf0
#define APIC_LVT0 0x350
#define PIT_HZ 1193182
#define HZ 2000

u64 jiffies;

static volatile u8 *apic_base;

static void apic_write(u32 reg, u32 value) { *(volatile u32 *)(apic_base + reg) = value; }

// Virtual wire mode: what the 8259 asks for reaches the processor through the local APIC's first pin, whatever the
// firmware, if any, left there.
static void init_bsp_APIC(void) {
    u32 a, b, c, d;
    cpuid(1, &a, &b, &c, &d);
    if (d & 1 << 9) {
        apic_base = ioremap(APIC_PHYSICAL);
        apic_write(APIC_SPIV, 0x1ff);
        apic_write(APIC_LVT0, 0x700); // ExtINT
    }
}

void init_IRQ(void) {
    init_bsp_APIC();
    outb(PIC1, 0x11);     // initialise, edge-triggered, cascaded
    outb(PIC1 + 1, 0x20); // vectors 0x20 to 0x27
    outb(PIC1 + 1, 0x04); // the second controller is at input 2
    outb(PIC1 + 1, 0x01); // 8086 mode
    outb(PIC2, 0x11);
    outb(PIC2 + 1, 0x28);
    outb(PIC2 + 1, 0x02);
    outb(PIC2 + 1, 0x01);
    outb(PIC1 + 1, 0xfe); // only the timer
    outb(PIC2 + 1, 0xff);
}

void time_init(void) {
    u16 divisor = PIT_HZ / HZ;
    outb(0x43, 0x34); // channel 0, low byte then high byte, rate generator
    outb(0x40, (u8)divisor);
    outb(0x40, (u8)(divisor >> 8));
}

static void timer_interrupt(void) {
    jiffies++;
    run_timers();
    scheduler_tick();
}

void do_timer_IRQ(struct pt_regs *regs) {
    (void)regs;
    timer_interrupt();
    outb(PIC1, 0x20);
}

void do_spurious_IRQ(struct pt_regs *regs) { (void)regs; }
