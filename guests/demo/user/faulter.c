// faulter KIND: does something that the processor complains about.
#include "user.h"

static long deep(long depth) {
    volatile char room[512];
    room[0] = (char)depth;
    return depth == 0 ? 0 : room[0] - (char)depth + 1 + deep(depth - 1);
}

int main(int argc, char **argv) {
    volatile long zero = argc - argc, dividend = 100;
    switch (argc > 1 ? argv[1][0] : 0) {
    case 'n': // null pointer
        *(volatile char *)zero = 1;
        break;
    case 'd': // division by zero
        return (int)(dividend / zero);
    case 'u': // undefined instruction
        __asm__ volatile("ud2");
        break;
    case 'p': // privileged instruction
        __asm__ volatile("cli");
        break;
    case 'x': { // code in memory that is not executable
        char code[1] = {(char)0xc3};
        void (*call)(void) = (void (*)(void))(u64)code;
        __asm__ volatile("call *%0" ::"r"(call) : "memory");
        break;
    }
    case 'b': // breakpoint
        __asm__ volatile("int3");
        say("faulter: still here after int3\n");
        return 0;
    case 's': // grows the stack page by page
        say_value("faulter: recursion depth ", deep(100), "\n");
        return 0;
    }
    return 1;
}
