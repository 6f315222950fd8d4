// Strings.
#include "kernel.h"

u64 strlen(const char *text) {
    u64 length = 0;
    while (text[length] != 0) {
        length++;
    }
    return length;
}

int strcmp(const char *a, const char *b) {
    while (*a != 0 && *a == *b) {
        a++;
        b++;
    }
    return (u8)*a - (u8)*b;
}

void strscpy(char *to, const char *from, u64 size) {
    u64 i = 0;
    while (i + 1 < size && from[i] != 0) {
        to[i] = from[i];
        i++;
    }
    to[i] = 0;
}
