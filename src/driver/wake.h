// SPDX-License-Identifier: MIT
//
// How a `wake` from any thread finds the thread that waits in a driver: the thread and the epoll
// driver's, with a futex or an eventfd to sleep on. Not the scheduler's parking protocol, which
// decides whether to call `wake` at all (task/park.h).
//
// One word, changed only by read-modify-write operations:
//
//   AWAKE     the owner is not waiting
//   WOKEN     a wake that no wait has answered yet
//   ON_FUTEX  the owner is about to sleep on the word, or asleep there
//   ON_FD     the same, polling the eventfd
//
// 1. The owner goes to sleep by AWAKE -> ON_FUTEX or ON_FD. If that fails there is a wake: it takes
//    it by exchanging AWAKE in, and returns. It must be an exchange: a store would overwrite a
//    second wake without having read it, and so without what that waker had written before.
// 2. A waker exchanges WOKEN in. What it finds tells what is left to do: AWAKE or WOKEN nothing,
//    since the owner will find the word changed; ON_FUTEX a futex wake; ON_FD a write to the
//    eventfd. So of many wakes at most one costs a system call.
// 3. When its sleep ends, whatever ended it, the owner exchanges AWAKE in.
// 4. No wake is lost: the word has one order of changes. A waker's exchange comes before the
//    owner's step 1, which then fails; or after it, and then the waker finds how the owner sleeps.
//    On the futex the kernel compares the word before it sleeps; the eventfd, once written, stays
//    readable or, edge-triggered, stays on the epoll's list until it was reported.
// 5. No fence is needed: neither side decides by a plain load. Every exchange is acq_rel, so the
//    owner, once it has taken a wake, sees what every waker of that batch wrote before.
// 6. A waker may be late: it found ON_FD, and the owner woke for another reason. Its write then
//    ends a later wait for no reason, once.
// 7. `fd` is written by the owner while AWAKE, before it first goes ON_FD, and read by those who
//    found ON_FD. That is also why `stop` must come after the last `wake` has returned.
#ifndef WEFT__WAKE_H
#define WEFT__WAKE_H

#include "base/assert.h"
#include "base/atomic.h"
#include "os/os.h"

#include <unistd.h>

enum weft__wake_state { WEFT__AWAKE, WEFT__WOKEN, WEFT__ON_FUTEX, WEFT__ON_FD };

struct weft__wake {
    WEFT__ATOMIC(uint32_t) word; // enum weft__wake_state
    int fd;                      // an eventfd; -1: none
};

// Any thread. Step 2. An eventfd takes 2^64 - 2 wakes before a write fails.
static inline void weft__wake_post(struct weft__wake *wake) {
    uint32_t found = weft__exchange(&wake->word, WEFT__WOKEN, acq_rel);
    if (found == WEFT__ON_FUTEX)
        weft__futex_wake(&wake->word, 1);
    if (found == WEFT__ON_FD)
        (void)!write(wake->fd, &(uint64_t){1}, sizeof(uint64_t));
}

// The owner, when it does not sleep: answers a wake that is there, so that it does not end two
// waits.
static inline bool weft__wake_take(struct weft__wake *wake) {
    if (weft__load(&wake->word, relaxed) == WEFT__AWAKE)
        return false;
    return weft__exchange(&wake->word, WEFT__AWAKE, acq_rel) == WEFT__WOKEN;
}

// The owner. Step 1: true when it may sleep; false when there was a wake, now taken.
static inline bool weft__wake_fall_asleep(struct weft__wake *wake, enum weft__wake_state how) {
    uint32_t expected = WEFT__AWAKE;
    if (weft__cas(&wake->word, &expected, (uint32_t)how, acq_rel))
        return true;
    ASSERT(expected == WEFT__WOKEN);
    (void)weft__wake_take(wake);
    return false;
}

// The owner, after its sleep: step 3.
static inline void weft__wake_rise(struct weft__wake *wake) {
    (void)weft__exchange(&wake->word, WEFT__AWAKE, acq_rel);
}

#endif
