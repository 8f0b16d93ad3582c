// SPDX-License-Identifier: MIT
//
// The two clocks, in nanoseconds. Not virtual: code that may run in the simulator asks its driver's
// `now`, which comes here only on a real driver.
#include "os/os.h"

#include "base/assert.h"

#include <time.h>

// Both clocks exist on every Linux (clock_gettime(2)) and are read without entering the kernel.
static int64_t read_clock(clockid_t id) {
    struct timespec now;
    ASSERT(clock_gettime(id, &now) == 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t weft__clock_monotonic_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}

int64_t weft__clock_wall_ns(void) {
    return read_clock(CLOCK_REALTIME);
}
