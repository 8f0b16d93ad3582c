// SPDX-License-Identifier: MIT
//
// Dispositions of signals that somebody waits for: a handler that notes which have come and wakes a
// thread. Sets of signals are words, number n at bit n - 1. Who waits, and for how long they are
// ours, is task/signals.c, under whose lock all but `mark`, `sleep` and `poke` are called.
#ifndef WEFT__SIGNALS_H
#define WEFT__SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

// Whether a number is a signal that can be waited for: not SIGKILL and SIGSTOP, which nobody
// handles, nor one that a thread raises by its own fault and that must not return.
bool weft__signal_is_awaitable(int number);

static inline uint64_t weft__signal_bit(int number) {
    return (uint64_t)1 << (number - 1);
}

// Makes our handler that of each of them, if it is not, and remembers what was there.
void weft__signals_hold(uint64_t set);
// Puts back what was there, unless somebody has replaced ours meanwhile. Also in a child of fork.
void weft__signals_release(uint64_t set);

// Those that have come since the last time.
uint64_t weft__signals_take(void);

// The thread that is woken. `mark` before `take`; `sleep` returns at once if one has come since, or
// a poke, or for no reason.
uint32_t weft__signals_mark(void);
void weft__signals_sleep(uint32_t mark);
void weft__signals_poke(void);
// On that thread: it alone must not block them, or else they might wait for ever.
void weft__signals_unblock(uint64_t set);

#endif
