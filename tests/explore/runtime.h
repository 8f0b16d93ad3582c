// SPDX-License-Identifier: MIT
//
// For scenarios about a runtime: thread 0 is its task zero, and runs its worker whenever it waits.
#ifndef TESTS_EXPLORE_RUNTIME_H
#define TESTS_EXPLORE_RUNTIME_H

#include "explore.h"

#include "task/park.h"
#include "task/runtime.h"

#include <weft/task.h>

static struct weft__waiter *zero;
static uint32_t others_done; // atomic

static inline void runtime_start(void) {
    zero = weft__self();
    EXPECT(weft__runtime_start_on(zero, explore_driver(), 1) == 0);
}

static inline void runtime_stop(void) {
    EXPECT(weft_stop(0) == 0);
    EXPECT(!weft__runtime_now());
}

// Every thread has its record before the exploration begins.
static inline void runtime_prologue(void) {
    EXPECT(weft__self() != NULL);
}

// Thread 0: waits inside weft, so that the worker runs, until so many have said that they are done.
static inline void zero_waits_for(uint32_t count) {
    while (weft__load(&others_done, acquire) < count)
        weft__park(zero, INT64_MAX);
}

static inline void tell_zero(void) {
    weft__fetch_add(&others_done, 1, release);
    weft__unpark(zero);
}

#endif
