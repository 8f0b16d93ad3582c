// SPDX-License-Identifier: MIT
// Two tables of the io_uring driver: slots, which name the operations in flight, and hints, which
// tell whether an attempt on a descriptor is likely to succeed.
// Not here: what is done with either (uring.c, uring_request.c).
#include "driver/uring.h"

#include "base/assert.h"
#include "os/os.h"

#include <string.h>

// Chunk k holds the 64 << k indices from 64 * (2^k - 1) on, so an index finds its chunk by its
// highest bit once 64 is added, and neither chunks nor slots ever move.
static struct weft__uring_slot *slot_at(struct weft__uring *u, uint32_t index) {
    uint32_t shifted = index + WEFT__URING_FIRST_CHUNK;
    uint32_t chunk = 31 - (uint32_t)__builtin_clz(shifted / WEFT__URING_FIRST_CHUNK);
    return &u->chunks[chunk][shifted - ((uint32_t)WEFT__URING_FIRST_CHUNK << chunk)];
}

static bool add_chunk(struct weft__uring *u) {
    uint32_t chunk = 0;
    while (chunk < WEFT__URING_CHUNKS && u->chunks[chunk] != NULL)
        chunk++;
    if (chunk == WEFT__URING_CHUNKS)
        return false;
    size_t count = (size_t)WEFT__URING_FIRST_CHUNK << chunk;
    u->chunks[chunk] = weft__alloc(count * sizeof(struct weft__uring_slot));
    if (u->chunks[chunk] == NULL)
        return false;
    u->slots_size += (uint32_t)count;
    return true;
}

struct weft__uring_slot *weft__uring_slot_take(struct weft__uring *u, struct weft__op *op) {
    struct weft__uring_slot *slot;
    if (u->free_first != 0) { // the last one freed: its memory is warm
        slot = slot_at(u, u->free_first - 1);
        u->free_first = slot->next_free;
    } else {
        if (u->slots_used == u->slots_size && !add_chunk(u))
            return NULL;
        slot = slot_at(u, u->slots_used);
        slot->name = u->slots_used++;
    }
    // The next generation, never 0. It comes round after 2^31 uses of one slot; by then no
    // completion of an old use can be left, because a slot is freed only by the last one.
    slot->name += (uint64_t)1 << 32;
    if (slot->name & WEFT__URING_CANCELS)
        slot->name = (uint64_t)1 << 32 | (uint32_t)slot->name;
    slot->op = op;
    slot->phase = WEFT__URING_BACKLOG;
    slot->poll = slot->poll_first = slot->cancelled = 0;
    op->slot = slot->name;
    return slot;
}

struct weft__uring_slot *weft__uring_slot_find(struct weft__uring *u, uint64_t name) {
    uint32_t index = (uint32_t)name;
    if (index >= u->slots_used)
        return NULL;
    struct weft__uring_slot *slot = slot_at(u, index);
    return slot->name == name && slot->op != NULL ? slot : NULL;
}

void weft__uring_slot_free(struct weft__uring *u, struct weft__uring_slot *slot) {
    ASSERT(slot->op != NULL);
    slot->op = NULL;
    slot->next_free = u->free_first;
    u->free_first = (uint32_t)slot->name + 1;
}

// The place of a descriptor's hint, or NULL when there is none yet.
static struct weft__uring_hint *hint_at(struct weft__uring *u, int fd) {
    return (size_t)fd < u->hints_count ? &u->hints[fd] : NULL; // a negative fd is huge here
}

enum weft__uring_hint_value weft__uring_hint(struct weft__uring *u, const struct weft__op *op) {
    const struct weft__uring_hint *hint = hint_at(u, op->fd);
    if (hint == NULL || hint->serial != op->serial)
        return WEFT__URING_UNKNOWN;
    return (enum weft__uring_hint_value)hint->value;
}

// Descriptors are small and dense (the lowest free number is given out), so an array that doubles
// stays within twice what is needed.
static void grow_hints(struct weft__uring *u, int fd) {
    size_t count = u->hints_count == 0 ? 64 : u->hints_count;
    while (count <= (size_t)fd)
        count *= 2;
    struct weft__uring_hint *hints = weft__alloc(count * sizeof *hints);
    if (hints == NULL)
        return;
    if (u->hints_count != 0)
        memcpy(hints, u->hints, u->hints_count * sizeof *hints);
    weft__free(u->hints);
    u->hints = hints;
    u->hints_count = count;
}

void weft__uring_set_hint(struct weft__uring *u, const struct weft__op *op,
                          enum weft__uring_hint_value value) {
    if (op->fd < 0)
        return;
    if ((size_t)op->fd >= u->hints_count)
        grow_hints(u, op->fd);
    struct weft__uring_hint *hint = hint_at(u, op->fd);
    if (hint != NULL)
        *hint = (struct weft__uring_hint){op->serial, value};
}

void weft__uring_table_free(struct weft__uring *u) {
    for (uint32_t chunk = 0; chunk < WEFT__URING_CHUNKS; chunk++)
        weft__free(u->chunks[chunk]);
    weft__free(u->hints);
}
