// SPDX-License-Identifier: MIT
//
// Failure injection: a test arms the n-th call of a kind, and that call answers an error without
// touching the system. Unarmed, which is every real program, it costs one relaxed load. Not a mock:
// what is not armed goes to the real thing.
#include "os/os.h"

#include "base/assert.h"

#include <errno.h>
#include <string.h>

static const char *const names[] = {"alloc", "pages",   "stack",   "thread", "read",
                                    "write", "recvmsg", "sendmsg", "accept", "connect",
                                    "ready", "resolve", "ctl",     "cancel"};
_Static_assert(sizeof names / sizeof *names == WEFT__FAIL_KINDS, "in the order of the kinds");

// A plan is written by the test's thread before `is_armed` is released and read by whoever has
// acquired it. `calls` counts from all threads; which of them meets the n-th is theirs to decide.
static struct {
    WEFT__ATOMIC(uint32_t) is_armed;
    WEFT__ATOMIC(uint64_t) calls;
    WEFT__ATOMIC(uint64_t) n;
    WEFT__ATOMIC(int) every;
    WEFT__ATOMIC(int) error;
} plans[WEFT__FAIL_KINDS];

void weft__fail_arm(enum weft__fail_kind kind, uint64_t n, int every, int error) {
    ASSERT(kind < WEFT__FAIL_KINDS && n >= 1 && error < 0);
    weft__store(&plans[kind].is_armed, 0, relaxed);
    weft__store(&plans[kind].calls, 0, relaxed);
    weft__store(&plans[kind].n, n, relaxed);
    weft__store(&plans[kind].every, every, relaxed);
    weft__store(&plans[kind].error, error, relaxed);
    weft__store(&plans[kind].is_armed, 1, release);
}

void weft__fail_disarm(void) {
    for (int kind = 0; kind < WEFT__FAIL_KINDS; kind++)
        weft__store(&plans[kind].is_armed, 0, release);
}

int weft__fail_find(const char *name) {
    for (int kind = 0; kind < WEFT__FAIL_KINDS; kind++)
        if (strcmp(name, names[kind]) == 0)
            return kind;
    return -EINVAL;
}

bool weft__fail_is_met(enum weft__fail_kind kind) {
    return weft__load(&plans[kind].calls, relaxed) >= weft__load(&plans[kind].n, relaxed);
}

int weft__fail(enum weft__fail_kind kind) {
    if (!weft__load(&plans[kind].is_armed, relaxed) || !weft__load(&plans[kind].is_armed, acquire))
        return 0;
    uint64_t call = weft__fetch_add(&plans[kind].calls, 1, relaxed) + 1;
    uint64_t n = weft__load(&plans[kind].n, relaxed);
    bool is_hit = call == n || (call > n && weft__load(&plans[kind].every, relaxed));
    return is_hit ? weft__load(&plans[kind].error, relaxed) : 0;
}
