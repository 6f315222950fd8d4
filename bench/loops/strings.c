// strlen, strcmp and copies, byte by byte: short loops over memory.
#include "guest.h"

#define LENGTH 4000
#define PASSES 45000

__attribute__((noinline, noclone)) static u64 length(const char *text) {
    u64 count = 0;
    while (text[count] != 0) {
        count++;
    }
    return count;
}

__attribute__((noinline, noclone)) static int compare(const char *a, const char *b) {
    while (*a != 0 && *a == *b) {
        a++;
        b++;
    }
    return (u8)*a - (u8)*b;
}

__attribute__((noinline, noclone)) static void copy(char *to, const char *from, u64 count) {
    for (u64 i = 0; i < count; i++) {
        to[i] = from[i];
    }
}

u64 run(void) {
    char *a = (char *)BUFFER, *b = a + 8192 + 64;
    u32 state = 3;
    for (int i = 0; i < LENGTH; i++) {
        a[i] = (char)('a' + next_random(&state) % 26);
    }
    a[LENGTH] = 0;
    u64 sum = 0;
    for (int pass = 0; pass < PASSES; pass++) {
        copy(b, a, LENGTH + 1);
        b[pass % LENGTH] = (char)('a' + next_random(&state) % 26);
        sum = sum * 31 + length(b) + (u64)compare(a, b);
    }
    return sum;
}
