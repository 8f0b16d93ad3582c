// SPDX-License-Identifier: MIT
//
// 1. Items stand at [top, bottom) of a circular array. `top` only grows, by compare-and-swap, so
//    each item at the old end goes to one taker.
// 2. The owner takes the newest by lowering `bottom` first and reading `top` then, with a fence in
//    between; a thief reads `top`, fence, `bottom`. So of the last item either the thief sees it
//    gone or the owner sees the thief's `top`; when both want it, the compare-and-swap decides.
// 3. What the owner wrote to an item before its push is seen by who takes it: `bottom` is stored
//    with release and read with acquire; also by the takes, because a thief may find the `bottom`
//    of one of them, and since C++20 that does not pass on what the push before it released. (Le et
//    al. use fences there, which cover all later stores, but ThreadSanitizer does not know them.)
// 4. A full array is replaced by one four times as large. A thief may still be reading the old one;
//    the items it may win are right there, too. Old arrays are kept until the deque is freed,
//    together less than half the new one.
#include "task/deque.h"

#include "base/assert.h"
#include "os/os.h"

enum { CAPACITY_MIN = 256 };

struct weft__deque_array {
    int64_t mask; // capacity - 1, the capacity being a power of two
    struct weft__deque_array *smaller;
    WEFT__ATOMIC(void *) items[];
};

void weft__deque_free(struct weft__deque *deque) {
    struct weft__deque_array *array = weft__load(&deque->array, relaxed);
    while (array) {
        struct weft__deque_array *smaller = array->smaller;
        weft__free(array);
        array = smaller;
    }
    weft__store(&deque->array, NULL, relaxed);
}

static WEFT__NOINLINE struct weft__deque_array *grow(struct weft__deque *deque, int64_t top,
                                                     int64_t bottom) {
    struct weft__deque_array *old = weft__load(&deque->array, relaxed);
    size_t capacity = old ? (size_t)(old->mask + 1) * 4 : CAPACITY_MIN;
    struct weft__deque_array *array = weft__alloc(sizeof *array + capacity * sizeof *array->items);
    if (!array)
        return NULL;
    array->mask = (int64_t)capacity - 1;
    array->smaller = old;
    for (int64_t i = top; old && i < bottom; i++) {
        void *item = weft__load(&old->items[i & old->mask], relaxed);
        weft__store(&array->items[i & array->mask], item, relaxed);
    }
    weft__store(&deque->array, array, release);
    return array;
}

bool weft__deque_push(struct weft__deque *deque, void *item) {
    int64_t bottom = weft__load(&deque->bottom, relaxed);
    int64_t top = weft__load(&deque->top, acquire);
    struct weft__deque_array *array = weft__load(&deque->array, relaxed);
    if (!array || bottom - top > array->mask)
        array = grow(deque, top, bottom);
    if (!array)
        return false;
    weft__store(&array->items[bottom & array->mask], item, relaxed);
    weft__store(&deque->bottom, bottom + 1, release);
    return true;
}

void *weft__deque_take_newest(struct weft__deque *deque) {
    int64_t bottom = weft__load(&deque->bottom, relaxed) - 1;
    int64_t top = weft__load(&deque->top, relaxed);
    if (top > bottom) // thieves only make it emptier
        return NULL;
    struct weft__deque_array *array = weft__load(&deque->array, relaxed);
    weft__store(&deque->bottom, bottom, release);
    weft__fence(seq_cst);
    top = weft__load(&deque->top, relaxed);
    void *item = NULL;
    if (top <= bottom)
        item = weft__load(&array->items[bottom & array->mask], relaxed);
    if (top == bottom && !weft__cas(&deque->top, &top, top + 1, seq_cst))
        item = NULL; // a thief has it
    if (top >= bottom)
        weft__store(&deque->bottom, bottom + 1, release);
    return item;
}

void *weft__deque_take_oldest(struct weft__deque *deque) {
    int64_t top = weft__load(&deque->top, acquire);
    weft__fence(seq_cst);
    int64_t bottom = weft__load(&deque->bottom, acquire);
    if (top >= bottom)
        return NULL;
    struct weft__deque_array *array = weft__load(&deque->array, acquire);
    void *item = weft__load(&array->items[top & array->mask], relaxed);
    return weft__cas(&deque->top, &top, top + 1, seq_cst) ? item : NULL;
}

void *weft__deque_take_at(struct weft__deque *deque, size_t index) {
    struct weft__deque_array *array = weft__load(&deque->array, relaxed);
    int64_t newest = weft__load(&deque->bottom, relaxed) - 1;
    int64_t at = newest - (int64_t)index;
    ASSERT(at >= weft__load(&deque->top, relaxed));
    void *item = weft__load(&array->items[at & array->mask], relaxed);
    for (; at < newest; at++) {
        void *next = weft__load(&array->items[(at + 1) & array->mask], relaxed);
        weft__store(&array->items[at & array->mask], next, relaxed);
    }
    weft__store(&deque->bottom, newest, relaxed);
    return item;
}
