// sorter: sorts 8192 numbers in memory that it asks the kernel for, and keeps some of them in a file.
#include "user.h"

#define COUNT 8192

static void sort(u32 *values, long low, long high) {
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
            sort(values, low, j);
            low = i;
        } else {
            sort(values, i, high);
            high = j;
        }
    }
}

int main(void) {
    u32 *values = (u32 *)brk(0);
    brk((u64)values + COUNT * sizeof(u32));
    u32 seed = 12345;
    for (int i = 0; i < COUNT; i++) {
        seed = seed * 1664525 + 1013904223;
        values[i] = seed;
    }
    sort(values, 0, COUNT - 1);

    u32 sum = 0;
    for (int i = 0; i < COUNT; i++) {
        if (i > 0 && values[i - 1] > values[i]) {
            say("sorter: out of order\n");
            return 1;
        }
        sum = sum * 31 + values[i];
    }
    say_value("sorter: checksum ", sum, "\n");

    long file = open("/tmp/sorted", O_CREAT);
    for (int i = 0; i < 1024; i += 64) {
        if (write((int)file, values + i, 256) != 256) {
            return 2;
        }
    }
    close((int)file);

    file = open("/tmp/sorted", 0);
    u32 block[64];
    u32 same = 0;
    for (int i = 0; i < 1024; i += 64) {
        if (read((int)file, block, 256) != 256) {
            return 3;
        }
        for (int j = 0; j < 64; j++) {
            same += block[j] == values[i + j];
        }
    }
    close((int)file);
    say_value("sorter: ", same, " values read back from /tmp/sorted\n");
    return 0;
}
