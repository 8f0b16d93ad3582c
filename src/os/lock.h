// SPDX-License-Identifier: MIT
//
// A small mutex over a futex (Drepper, "Futexes Are Tricky", mutex 2), for the few short sections
// that tasks and plain threads share. Never held across anything that waits. The unlocked fast path
// is one compare-and-swap and one exchange. Zeroed is unlocked.
#ifndef WEFT__LOCK_H
#define WEFT__LOCK_H

#include "base/atomic.h"
#include "base/compiler.h"

#include <stddef.h>

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

// ---- Biased ---------------------------------------------------------------------------------
//
// A lock biased to one owner, a thread named by a pointer, for what mostly one thread uses: the
// owner enters with plain stores, anybody else takes an ordinary lock and ends the bias first.
// Never held across anything that waits. Zeroed: unlocked, biased to nobody. The model of it, with
// its proof: models/biased_lock.pml.
//
// 1. The owner stores `inside`, then reads `owner`; who ends the bias clears `owner`, then reads
//    `inside`. At least one must see the other's store, which takes a fence between the two on both
//    sides. The owner's is only the compiler's: the other side's is membarrier(2), which makes
//    every running thread of the process pass a full fence. Where the kernel refuses that, both are
//    ordinary fences (lock.c).
// 2. Without a bias everybody takes the lock. Only who holds the lock sets one: an owner that is in
//    by its bias must leave `owner` alone, for somebody may have marked it and be waiting.
// 3. `is_biased` tells the holder how it got in. Only holders touch it.
// 4. `inside` is the flag of one thread for ever. A former owner that finds out too late stores 1
//    and then 0 there, and must not meet the flag of the next one: so `owner` keeps the name of who
//    owned it, marked as ended, and only that one can own it again.
struct weft__biased_lock {
    struct weft__lock lock;
    WEFT__ATOMIC(uint8_t) inside; // the owner is in, or tries to
    bool is_biased;
    WEFT__ATOMIC(const void *) owner;
};

// lock.c: whether membarrier(2) serves; asked before the first runtime starts its threads.
extern WEFT__ATOMIC(uint32_t) weft__has_heavy_barrier;
void weft__heavy_barrier_ask(void);

// The name of an owner whose bias was ended.
static inline const void *weft__bias_ended(const void *self) {
    return (const char *)self + 1;
}

void weft__biased_lock_slow(struct weft__biased_lock *b);
void weft__biased_lock_first_slow(struct weft__biased_lock *b, const void *self);
bool weft__biased_try_slow(struct weft__biased_lock *b);

// In by the bias, if the caller has it.
static inline bool weft__biased_enter(struct weft__biased_lock *b, const void *self) {
    if (!self || weft__load(&b->owner, relaxed) != self)
        return false;
    weft__store(&b->inside, 1, relaxed);
    if (WEFT__LIKELY(weft__load(&weft__has_heavy_barrier, relaxed)))
        weft__compiler_fence();
    else
        weft__fence(seq_cst);
    if (WEFT__LIKELY(weft__load(&b->owner, relaxed) == self)) {
        b->is_biased = true;
        return true;
    }
    weft__store(&b->inside, 0, release);
    return false;
}

// `self` names the calling thread, by an even address; NULL: one that never owns a bias.
static inline void weft__biased_lock(struct weft__biased_lock *b, const void *self) {
    if (!weft__biased_enter(b, self))
        weft__biased_lock_slow(b);
}

// The same; the first that comes gets the bias, and once that has ended nobody does again.
static inline void weft__biased_lock_first(struct weft__biased_lock *b, const void *self) {
    if (!weft__biased_enter(b, self))
        weft__biased_lock_first_slow(b, self);
}

// Without waiting, so without ending another's bias. False: not taken.
static inline bool weft__biased_try(struct weft__biased_lock *b, const void *self) {
    return weft__biased_enter(b, self) || weft__biased_try_slow(b);
}

static inline void weft__biased_unlock(struct weft__biased_lock *b) {
    if (b->is_biased)
        weft__store(&b->inside, 0, release);
    else
        weft__unlock(&b->lock);
}

// The holder: from its unlock on, `self`, which names it, may enter cheaply; unless the lock was
// another's before.
static inline void weft__bias_to(struct weft__biased_lock *b, const void *self) {
    if (b->is_biased)
        return;
    const void *before = weft__load(&b->owner, relaxed);
    if (self && (!before || before == weft__bias_ended(self)))
        weft__store(&b->owner, self, relaxed);
}

#endif
