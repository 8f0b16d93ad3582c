// SPDX-License-Identifier: MIT
//
// A work-stealing deque: its owner pushes and takes at the new end, anybody takes at the old end.
// D. Chase and Y. Lev, "Dynamic Circular Work-Stealing Deque" (2005), with the orders of N. M. Le
// et al., "Correct and Efficient Work-Stealing for Weak Memory Models" (2013). It holds pointers
// and owns nothing. Not for what only one thread touches: that is a list.
#ifndef WEFT__DEQUE_H
#define WEFT__DEQUE_H

#include "base/atomic.h"
#include "base/compiler.h"

#include <stddef.h>
#include <stdint.h>

struct weft__deque_array;

// Zeroed: empty.
struct weft__deque {
    WEFT__ATOMIC(int64_t) bottom; // the owner's: where the next one goes
    WEFT__ATOMIC(struct weft__deque_array *) array;
    char apart[WEFT__CACHE_LINE];
    WEFT__ATOMIC(int64_t) top; // everybody's: the oldest one
};

// Frees what the deque has allocated. Nobody may be using it.
void weft__deque_free(struct weft__deque *deque);

// Owner. False: there is no memory to grow, and nothing was pushed.
bool weft__deque_push(struct weft__deque *deque, void *item);
// Owner: the newest, or NULL.
void *weft__deque_take_newest(struct weft__deque *deque);
// Anybody: the oldest, or NULL when there is none or somebody else was quicker.
void *weft__deque_take_oldest(struct weft__deque *deque);
// Owner, while nobody else uses the deque: the one at a place counted from the newest.
void *weft__deque_take_at(struct weft__deque *deque, size_t index);

// How many there are; for others than the owner, how many there were a moment ago.
static inline size_t weft__deque_size(struct weft__deque *deque) {
    int64_t top = weft__load(&deque->top, acquire);
    int64_t size = weft__load(&deque->bottom, relaxed) - top;
    return size > 0 ? (size_t)size : 0;
}

// Where the old end stands: a thief who finds it where it was knows that nobody has got round to
// that item.
static inline int64_t weft__deque_top(struct weft__deque *deque) {
    return weft__load(&deque->top, relaxed);
}

#endif
