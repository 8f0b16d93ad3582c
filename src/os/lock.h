// SPDX-License-Identifier: MIT
//
// A small mutex over a futex (Drepper, "Futexes Are Tricky", mutex 2), for the few short sections
// that tasks and plain threads share. Never held across anything that waits. The unlocked fast path
// is one compare-and-swap and one exchange. Zeroed is unlocked.
#ifndef WEFT__LOCK_H
#define WEFT__LOCK_H

#include "base/atomic.h"

struct weft__lock {
    WEFT__ATOMIC(uint32_t) word; // 0 free, 1 held, 2 held and somebody waits
};

void weft__lock_slow(struct weft__lock *lock);
void weft__unlock_slow(struct weft__lock *lock);

static inline void weft__lock(struct weft__lock *lock) {
    uint32_t expected = 0;
    if (!weft__cas(&lock->word, &expected, 1, acquire))
        weft__lock_slow(lock);
}

// After the exchange the lock may vanish (the next holder may free it), so the slow path only hands
// its address to futex(2), where a wake of nobody is harmless.
static inline void weft__unlock(struct weft__lock *lock) {
    if (weft__exchange(&lock->word, 0, release) == 2)
        weft__unlock_slow(lock);
}

#endif
