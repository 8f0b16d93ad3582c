// SPDX-License-Identifier: MIT
// An intrusive pairing heap, made for timers: insert and look at the smallest in constant time, pop
// and remove in logarithmic amortised time, no allocation and no recursion ever.
// Equal keys come out in the order they went in, so a run is the same every time it is repeated.
// Not thread-safe: each heap belongs to one worker or is guarded by whoever embeds it.
#ifndef WEFT__HEAP_H
#define WEFT__HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Zeroed: in no heap. Between insert and removal its fields belong to the heap; `key` may be read.
struct weft__heap_node {
    struct weft__heap_node *child; // the first of its children
    struct weft__heap_node *next;  // the next child of the same parent
    struct weft__heap_node *prev;  // left sibling; of a first child the parent; of the root itself
    int64_t key;
    uint64_t sequence; // orders equal keys by insertion
};

// Zeroed: empty.
struct weft__heap {
    struct weft__heap_node *root;
    uint64_t sequence; // of the next insertion; 64 bits do not wrap in any life of a process
};

// Puts a node that is in no heap into this one, to come out in order of `key`.
void weft__heap_insert(struct weft__heap *heap, struct weft__heap_node *node, int64_t key);

// Takes a node out, wherever in this heap it is. Harmless when it is in no heap.
void weft__heap_remove(struct weft__heap *heap, struct weft__heap_node *node);

// Removes and returns the node with the smallest key, or NULL when the heap is empty.
struct weft__heap_node *weft__heap_pop_min(struct weft__heap *heap);

// The node with the smallest key, or NULL when the heap is empty.
static inline struct weft__heap_node *weft__heap_min(const struct weft__heap *heap) {
    return heap->root;
}

// True while the node is in some heap.
static inline bool weft__heap_is_linked(const struct weft__heap_node *node) {
    return node->prev != NULL;
}

#endif
