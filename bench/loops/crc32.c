// CRC-32, bit by bit: register arithmetic and well-predicted branches.
#include "guest.h"

#define SIZE 65536
#define PASSES 600

u64 run(void) {
    u32 state = 1;
    for (u32 i = 0; i < SIZE; i++) {
        BUFFER[i] = (u8)next_random(&state);
    }
    u32 crc = 0xffffffff;
    for (int pass = 0; pass < PASSES; pass++) {
        for (u32 i = 0; i < SIZE; i++) {
            crc ^= BUFFER[i];
            for (int bit = 0; bit < 8; bit++) {
                crc = crc >> 1 ^ (0xedb88320 & -(crc & 1));
            }
        }
    }
    return ~crc;
}
