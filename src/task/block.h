// SPDX-License-Identifier: MIT
//
// The lexical blocks of a waiter: weft_within and weft_shield. A block lies in its caller's frame
// and is linked from the innermost outwards; it belongs to the waiter that opened it.
#ifndef WEFT__BLOCK_H
#define WEFT__BLOCK_H

#include "task/waiter.h"

struct weft__block { // lies over the words of weft_block
    struct weft__block *outer;
    struct weft__waiter *waiter; // NULL: it bounds nothing
    int64_t at;                  // within: the deadline; shield: when it was entered
    int64_t hold_ns;             // shield: for how long; within: -1
    int64_t outer_deadline;      // the one in force outside
};

// The waiter changes to a driver whose clock is ahead of the former one's by `delta_ns` (the
// simulator's is another than the machine's): what is open ends after as long as before.
void weft__block_shift(struct weft__waiter *waiter, int64_t delta_ns);

// When a cancellation that has arrived becomes effective behind the shields that are open.
int64_t weft__block_cancel_at(struct weft__waiter *waiter);

#endif
