// What the benchmark guests share.
#pragma once

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;

// 16 MiB from here on belong to the loop.
#define BUFFER ((u8 *)0xffffffff81000000)

// Every loop: does its work and returns a checksum of the result. Nothing in it depends on time or on the machine.
u64 run(void);

static inline u32 next_random(u32 *state) {
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}
