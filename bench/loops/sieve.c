// Sieve of Eratosthenes over 4 MiB, one byte a number: stores with a stride.
#include "guest.h"

#define SIZE (4u << 20)
#define PASSES 30

u64 run(void) {
    u64 sum = 0;
    for (int pass = 0; pass < PASSES; pass++) {
        for (u32 i = 0; i < SIZE; i++) {
            BUFFER[i] = 1;
        }
        for (u32 i = 2; i * i < SIZE; i++) {
            if (BUFFER[i]) {
                for (u32 j = i * i; j < SIZE; j += i) {
                    BUFFER[j] = 0;
                }
            }
        }
        for (u32 i = 2; i < SIZE; i++) {
            sum += BUFFER[i];
        }
    }
    return sum;
}
