// SPDX-License-Identifier: MIT
//
// The slow paths of the mutex in lock.h: what happens when somebody has to wait. Not fair: who
// comes by while the lock is free takes it before those who sleep.
#include "os/lock.h"

#include "os/os.h"

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
