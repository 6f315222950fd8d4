// No work: what a run costs before and after the loop.
#include "guest.h"

u64 run(void) { return 0; }
