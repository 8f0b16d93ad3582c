// SPDX-License-Identifier: MIT
// Timers in order of time: a heap with four children a node, in one array. Unlike heap.h it is made
// for a hundred thousand of them: what moves when one is set or taken out lies close together, and
// who waits is touched only when his time has come. Equal times come out in any order.
// It allocates nothing: whoever embeds it gives it room. Not thread-safe.
#ifndef WEFT__TIMERS_H
#define WEFT__TIMERS_H

#include "base/compiler.h"

#include <stddef.h>
#include <stdint.h>

struct weft__timer_entry {
    int64_t at;
    uint32_t slot;
} WEFT__UNPADDED;

struct weft__timer_slot {
    void *owner;
    uint32_t place; // in the heap; of a free one, the next free one
} WEFT__UNPADDED;

// Zeroed: empty, and without room.
struct weft__timers {
    struct weft__timer_entry *heap;
    struct weft__timer_slot *slots;
    uint32_t count, capacity;
    uint32_t used;       // slots that have ever been
    uint32_t first_free; // 1 + a slot, 0: none
};

// Room for `capacity` timers, more than before; `heap` and `slots` are that many each. What is
// there moves; the former arrays are the caller's again.
void weft__timers_move(struct weft__timers *timers, struct weft__timer_entry *heap,
                       struct weft__timer_slot *slots, uint32_t capacity);

// Sets a timer, for which there must be room. Returns its name, never 0.
uint32_t weft__timers_set(struct weft__timers *timers, int64_t at, void *owner);
// Takes it out.
void weft__timers_clear(struct weft__timers *timers, uint32_t name);

// When it fires.
static inline int64_t weft__timers_at(const struct weft__timers *timers, uint32_t name) {
    return timers->heap[timers->slots[name - 1].place].at;
}

// The time of the first, INT64_MAX when there is none.
static inline int64_t weft__timers_first(const struct weft__timers *timers) {
    return timers->count > 0 ? timers->heap[0].at : INT64_MAX;
}

// Takes the first one out and returns its owner. There is one.
void *weft__timers_pop(struct weft__timers *timers);

#endif
