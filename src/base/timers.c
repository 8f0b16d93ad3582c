// SPDX-License-Identifier: MIT
// The heap stands in an array, children of `i` from 4i + 1 on. An entry knows its slot and a slot
// its place, so that any timer can be found and taken out.
#include "base/timers.h"

#include "base/assert.h"

#include <string.h>

enum { CHILDREN = 4 };

static void put(struct weft__timers *timers, uint32_t place, struct weft__timer_entry entry) {
    timers->heap[place] = entry;
    timers->slots[entry.slot].place = place;
}

static void sift_up(struct weft__timers *timers, uint32_t place, struct weft__timer_entry entry) {
    while (place > 0) {
        uint32_t parent = (place - 1) / CHILDREN;
        if (timers->heap[parent].at <= entry.at)
            break;
        put(timers, place, timers->heap[parent]);
        place = parent;
    }
    put(timers, place, entry);
}

static uint32_t first_child(const struct weft__timers *timers, uint32_t place) {
    uint32_t child = place * CHILDREN + 1, best = child;
    uint32_t end = child + CHILDREN < timers->count ? child + CHILDREN : timers->count;
    for (uint32_t i = child + 1; i < end; i++)
        if (timers->heap[i].at < timers->heap[best].at)
            best = i;
    return best;
}

static void sift_down(struct weft__timers *timers, uint32_t place, struct weft__timer_entry entry) {
    for (;;) {
        uint32_t child = first_child(timers, place);
        if (child >= timers->count || timers->heap[child].at >= entry.at)
            break;
        put(timers, place, timers->heap[child]);
        place = child;
    }
    put(timers, place, entry);
}

void weft__timers_move(struct weft__timers *timers, struct weft__timer_entry *heap,
                       struct weft__timer_slot *slots, uint32_t capacity) {
    ASSERT(capacity > timers->capacity && capacity < UINT32_MAX / CHILDREN);
    if (timers->capacity > 0) {
        memcpy(heap, timers->heap, timers->count * sizeof *heap);
        memcpy(slots, timers->slots, timers->used * sizeof *slots);
    }
    timers->heap = heap;
    timers->slots = slots;
    timers->capacity = capacity;
}

uint32_t weft__timers_set(struct weft__timers *timers, int64_t at, void *owner) {
    ASSERT(timers->count < timers->capacity);
    uint32_t slot = timers->first_free > 0 ? timers->first_free - 1 : timers->used++;
    if (timers->first_free > 0)
        timers->first_free = timers->slots[slot].place;
    timers->slots[slot].owner = owner;
    sift_up(timers, timers->count++, (struct weft__timer_entry){.at = at, .slot = slot});
    return slot + 1;
}

void weft__timers_clear(struct weft__timers *timers, uint32_t name) {
    struct weft__timer_slot *slot = &timers->slots[name - 1];
    uint32_t place = slot->place;
    struct weft__timer_entry last = timers->heap[--timers->count];
    slot->place = timers->first_free;
    timers->first_free = name;
    if (place == timers->count)
        return;
    if (place > 0 && timers->heap[(place - 1) / CHILDREN].at > last.at)
        sift_up(timers, place, last);
    else
        sift_down(timers, place, last);
}

void *weft__timers_pop(struct weft__timers *timers) {
    uint32_t slot = timers->heap[0].slot;
    void *owner = timers->slots[slot].owner;
    weft__timers_clear(timers, slot + 1);
    return owner;
}
