// Fibonacci numbers by recursion: calls, returns, pushes and pops.
#include "guest.h"

__attribute__((noinline, noclone)) static u64 fib(u32 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

u64 run(void) { return fib(38); }
