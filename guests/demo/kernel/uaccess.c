// Reads and writes of user memory from the kernel; a bad address makes them come back short, it never stops the kernel.
#include "kernel.h"

static int access_ok(const void *address, u64 length) {
    return (u64)address < USER_END && length <= USER_END - (u64)address;
}

u64 copy_from_user(void *to, const void *from, u64 length) {
    return access_ok(from, length) ? copy_user_generic(to, from, length) : length;
}

u64 copy_to_user(void *to, const void *from, u64 length) {
    return access_ok(to, length) ? copy_user_generic(to, from, length) : length;
}

s64 strncpy_from_user(char *to, const char *from, u64 size) {
    for (u64 i = 0; i < size; i++) {
        if (copy_from_user(to + i, from + i, 1) != 0) {
            return -EFAULT;
        }
        if (to[i] == 0) {
            return (s64)i;
        }
    }
    return -ENAMETOOLONG;
}

int copy_from_kernel_nofault(u64 *to, const void *from) { return probe_read_quad(from, to); }
