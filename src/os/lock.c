// SPDX-License-Identifier: MIT
//
// The slow paths of lock.h: what happens when somebody has to wait, and ending a bias. Not fair:
// who comes by while the lock is free takes it before those who sleep.
#include "os/lock.h"

#include "base/assert.h"
#include "os/os.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

// 1. A waiter always leaves 2 behind, also when its exchange takes the lock: it cannot know whether
//    others sleep. The cost is one wake of nobody at its unlock.
// 2. The futex sleeps only while the word is 2. An unlock between the exchange and the sleep makes
//    it 0, so the kernel refuses to sleep; an unlock later finds 2 and wakes one.
// 3. Acquire on the exchange that found 0 pairs with the release in weft__unlock.
void weft__lock_slow(struct weft__lock *lock) {
    while (weft__exchange(&lock->word, 2, acquire) != 0)
        weft__futex_wait(&lock->word, 2, INT64_MAX);
}

// The lock may be gone by now (lock.h): the address goes to the kernel unread.
void weft__unlock_slow(struct weft__lock *lock) {
    weft__futex_wake(&lock->word, 1);
}

// ---- Biased ---------------------------------------------------------------------------------

WEFT__ATOMIC(uint32_t) weft__has_heavy_barrier;

// Registering makes the kernel remember the process; it costs most when there are threads already.
void weft__heavy_barrier_ask(void) {
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0)
        weft__store(&weft__has_heavy_barrier, 1, relaxed);
}

static void heavy_barrier(void) {
    weft__fence(seq_cst);
    if (weft__load(&weft__has_heavy_barrier, relaxed) &&
        syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0)
        PANIC("membarrier(2), which had worked, is refused (a seccomp filter that was installed "
              "after weft_start must allow it)");
}

static bool is_owned(const void *owner) {
    return owner && (uintptr_t)owner % 2 == 0;
}

void weft__biased_lock_slow(struct weft__biased_lock *b) {
    weft__lock(&b->lock);
    const void *owner = weft__load(&b->owner, relaxed);
    if (is_owned(owner)) {
        weft__store(&b->owner, weft__bias_ended(owner), relaxed);
        heavy_barrier();
        while (weft__load(&b->inside, acquire))
            weft__os_yield(); // it is in a section of a few instructions
    }
    b->is_biased = false;
}

void weft__biased_lock_first_slow(struct weft__biased_lock *b, const void *self) {
    weft__biased_lock_slow(b);
    if (!weft__load(&b->owner, relaxed))
        weft__bias_to(b, self);
}

bool weft__biased_try_slow(struct weft__biased_lock *b) {
    uint32_t expected = 0;
    if (!weft__cas(&b->lock.word, &expected, 1, acquire))
        return false;
    if (is_owned(weft__load(&b->owner, relaxed))) {
        weft__unlock(&b->lock);
        return false;
    }
    b->is_biased = false;
    return true;
}
