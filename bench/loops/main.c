// Runs the loop, prints its checksum on the first serial port and ends the run through port 0xF4.
#include "guest.h"

void start_kernel(void);

static inline void outb(unsigned short port, u8 value) { __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
static inline u8 inb(unsigned short port) {
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void put(char c) {
    while (!(inb(0x3fd) & 0x20)) {
    }
    outb(0x3f8, (u8)c);
}

void start_kernel(void) {
    u64 sum = run();
    for (const char *text = "checksum "; *text != 0; text++) {
        put(*text);
    }
    for (int shift = 60; shift >= 0; shift -= 4) {
        put("0123456789abcdef"[sum >> shift & 15]);
    }
    put('\n');
    while (!(inb(0x3fd) & 0x40)) {
    }
    outb(0xf4, 0);
}
