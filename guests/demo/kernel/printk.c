// Output on the first serial port, panic and power-off.
#include "kernel.h"

#define COM1 0x3f8
#define LSR 5
#define LSR_THRE 0x20

void serial_init(void) {
    outb(COM1 + 1, 0x00); // no interrupts
    outb(COM1 + 3, 0x80); // divisor latch
    outb(COM1 + 0, 0x01); // 115200 baud
    outb(COM1 + 1, 0x00);
    outb(COM1 + 3, 0x03); // 8 data bits, no parity, 1 stop bit
    outb(COM1 + 2, 0x07); // FIFOs on and empty
    outb(COM1 + 4, 0x03);
}

static void serial_putc(char c) {
    while (!(inb(COM1 + LSR) & LSR_THRE)) {
        __asm__ volatile("pause");
    }
    outb(COM1, (u8)c);
}

void serial_write(const char *text, u64 length) {
    for (u64 i = 0; i < length; i++) {
        if (text[i] == '\n') {
            serial_putc('\r');
        }
        serial_putc(text[i]);
    }
}

static char *number(char *to, u64 value, u32 base) {
    char digits[24];
    int count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (count > 0) {
        *to++ = digits[--count];
    }
    return to;
}

// Knows %s %d %lu %lx; what it prints is at most 255 characters.
static u64 vscnprintf(char *buffer, const char *format, __builtin_va_list arguments) {
    char *to = buffer;
    char *end = buffer + 224;
    while (*format && to < end) {
        if (*format != '%') {
            *to++ = *format++;
            continue;
        }
        format++;
        if (*format == 's') {
            const char *text = __builtin_va_arg(arguments, const char *);
            while (*text && to < end) {
                *to++ = *text++;
            }
        } else if (*format == 'd') {
            int value = __builtin_va_arg(arguments, int);
            if (value < 0) {
                *to++ = '-';
            }
            to = number(to, value < 0 ? -(u64)value : (u64)value, 10);
        } else {
            format++;
            to = number(to, __builtin_va_arg(arguments, u64), *format == 'x' ? 16 : 10);
        }
        format++;
    }
    return (u64)(to - buffer);
}

void printk(const char *format, ...) {
    char buffer[256];
    __builtin_va_list arguments;
    __builtin_va_start(arguments, format);
    u64 length = vscnprintf(buffer, format, arguments);
    __builtin_va_end(arguments);
    serial_write(buffer, length);
}

void panic(const char *message) {
    local_irq_disable();
    printk("Kernel panic - not syncing: %s\n", message);
    outb(0xf4, 1);
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

// Writes SLP_TYP 5's value and SLP_EN to the ACPI power-management port, then, should the machine still run, to the
// exit port.
void machine_power_off(void) {
    local_irq_disable();
    printk("reboot: Power down\n");
    outb(0xf4, 0);
    outw(0x604, 0x2000);
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}
