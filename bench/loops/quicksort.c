// Quicksort of 4 MiB of 32-bit numbers: loads, compares, branches that go either way.
#include "guest.h"

#define COUNT (1 << 20)
#define PASSES 10

static u32 *const values = (u32 *)BUFFER;

__attribute__((noinline, noclone)) static void sort(long low, long high) {
    while (low < high) {
        u32 pivot = values[(low + high) / 2];
        long i = low, j = high;
        while (i <= j) {
            while (values[i] < pivot) {
                i++;
            }
            while (values[j] > pivot) {
                j--;
            }
            if (i <= j) {
                u32 swapped = values[i];
                values[i++] = values[j];
                values[j--] = swapped;
            }
        }
        if (j - low < high - i) {
            sort(low, j);
            low = i;
        } else {
            sort(i, high);
            high = j;
        }
    }
}

u64 run(void) {
    u64 sum = 0;
    u32 state = 7;
    for (int pass = 0; pass < PASSES; pass++) {
        for (u32 i = 0; i < COUNT; i++) {
            values[i] = next_random(&state);
        }
        sort(0, COUNT - 1);
        for (u32 i = 0; i < COUNT; i++) {
            sum = sum * 31 + values[i];
        }
    }
    return sum;
}
