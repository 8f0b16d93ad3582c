// SPDX-License-Identifier: MIT
//
// futex(2), private to the process, with absolute deadlines on the monotonic clock. Errors of a
// wait are not told apart: whoever waits looks at the word again anyhow.
#include "os/os.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NANOSECONDS = 1000000000 };

// FUTEX_WAIT_BITSET, because FUTEX_WAIT takes a relative time, which would drift over retries.
void weft__futex_wait(WEFT__ATOMIC(uint32_t) * word, uint32_t expected, int64_t until_ns) {
    int64_t until = until_ns > 0 ? until_ns : 0;
    struct timespec at = {.tv_sec = until / NANOSECONDS, .tv_nsec = until % NANOSECONDS};
    (void)syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected,
                  until_ns == INT64_MAX ? NULL : &at, NULL, FUTEX_BITSET_MATCH_ANY);
}

void weft__futex_wake(WEFT__ATOMIC(uint32_t) * word, uint32_t count) {
    uint32_t wakes = count < INT32_MAX ? count : INT32_MAX;
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, wakes);
}
