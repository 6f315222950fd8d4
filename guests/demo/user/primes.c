// primes LIMIT FD: counts the primes below LIMIT and writes the count to FD.
#include "user.h"

static int is_prime(u32 number) {
    if (number < 4) {
        return number > 1;
    }
    if (number % 2 == 0) {
        return 0;
    }
    for (u32 divisor = 3; divisor * divisor <= number; divisor += 2) {
        if (number % divisor == 0) {
            return 0;
        }
    }
    return 1;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        return 1;
    }
    u32 limit = (u32)parse(argv[1]);
    long count = 0;
    for (u32 number = 0; number < limit; number++) {
        count += is_prime(number);
    }
    write_value((int)parse(argv[2]), count);
    return 0;
}
