// SPDX-License-Identifier: MIT
//
// The pool behind weft_blocking: threads that run what may block or compute for long, while the
// task that asked for it waits. Part of the runtime; lookups of names have a pool of their own
// (driver/resolver.h). Not here: the public call, and what it answers on entry (io/blocking.c).
#ifndef WEFT__BLOCKING_H
#define WEFT__BLOCKING_H

#include "base/list.h"
#include "os/lock.h"
#include "task/waiter.h"

struct weft__runtime;
struct weft__blocking_thread;

struct weft__blocking {                  // a runtime's; not on the simulator
    struct weft__lock lock;              // guards all below but `limit`
    struct weft__list idle;              // threads; the one that was busy last comes first
    struct weft__list jobs;              // those that nobody has begun, in order of arrival
    struct weft__blocking_thread *ended; // the last one that has ended, still to be joined
    uint32_t count;                      // threads that have not ended
    bool is_ending;
    WEFT__ATOMIC(uint32_t) endings; // a futex: changes with each thread that ends
    uint32_t limit;                 // of count; this and the next are set once
    int64_t idle_ns;                // after so long without work a thread ends
};

enum {
    WEFT__BLOCKING_THREADS = 64, // by default
    WEFT__BLOCKING_IDLE_S = 10,
};

// Gives the runtime its pool, without any thread. Returns 0 or -ENOMEM.
int weft__blocking_start(struct weft__runtime *runtime, uint32_t limit);
// Ends all threads, and the pool. Nobody waits for a call any more.
void weft__blocking_end(struct weft__runtime *runtime);

// The pool for the caller; NULL: it has none, and calls directly.
struct weft__blocking *weft__blocking_of(const struct weft__waiter *self);
// Has `fn(arg)` called by a thread of the pool and waits for the result. Returns 0; or, and then it
// was not and will not be called, what weft__interrupted answers, or -EAGAIN, -ENOMEM: no thread.
int weft__blocking_call(struct weft__blocking *pool, struct weft__waiter *self, int (*fn)(void *),
                        void *arg, int *ret_result);

#endif
