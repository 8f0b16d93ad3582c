// SPDX-License-Identifier: MIT
// The pairing heap of Fredman, Sedgewick, Sleator and Tarjan (1986), with the two-pass pop.
// See heap.h for what it promises; this file holds only the pointer work.
//
// Shape: every node has a list of children, linked by `next`; `prev` leads back to the left
// sibling, or from a first child to its parent, which is what makes removing any node possible.
// The root's `prev` is the root itself, so `prev != NULL` means "in a heap".
#include "base/heap.h"

#include "base/assert.h"

static bool goes_before(const struct weft__heap_node *a, const struct weft__heap_node *b) {
    return a->key != b->key ? a->key < b->key : a->sequence < b->sequence;
}

// Joins two trees, neither of which has siblings; the later root becomes the earlier one's first
// child. The winner's `prev` is left for the caller to set.
static struct weft__heap_node *merge(struct weft__heap_node *a, struct weft__heap_node *b) {
    struct weft__heap_node *winner = goes_before(a, b) ? a : b;
    struct weft__heap_node *loser = winner == a ? b : a;
    loser->prev = winner;
    loser->next = winner->child;
    if (loser->next != NULL)
        loser->next->prev = loser;
    winner->child = loser;
    winner->next = NULL;
    return winner;
}

// First pass: joins siblings two by two from left to right, and returns the pairs as a list linked
// by `next`, the rightmost first.
static struct weft__heap_node *merge_pairs(struct weft__heap_node *first) {
    struct weft__heap_node *pairs = NULL;
    while (first != NULL) {
        struct weft__heap_node *a = first;
        struct weft__heap_node *b = a->next;
        first = b != NULL ? b->next : NULL;
        struct weft__heap_node *pair = b != NULL ? merge(a, b) : a;
        pair->next = pairs;
        pairs = pair;
    }
    return pairs;
}

// Makes one tree of a list of siblings. The second pass goes from right to left, which gives the
// logarithmic bound; loops rather than recursion, because a heap of a million timers must not need
// a deep stack.
static struct weft__heap_node *merge_siblings(struct weft__heap_node *first) {
    struct weft__heap_node *pairs = merge_pairs(first);
    if (pairs == NULL)
        return NULL;
    struct weft__heap_node *rest = pairs->next;
    struct weft__heap_node *tree = pairs;
    while (rest != NULL) {
        struct weft__heap_node *pair = rest;
        rest = pair->next;
        tree = merge(tree, pair);
    }
    return tree;
}

static void set_root(struct weft__heap *heap, struct weft__heap_node *tree) {
    heap->root = tree;
    if (tree != NULL)
        tree->prev = tree;
}

void weft__heap_insert(struct weft__heap *heap, struct weft__heap_node *node, int64_t key) {
    ASSERT(!weft__heap_is_linked(node));
    *node = (struct weft__heap_node){.key = key, .sequence = heap->sequence++};
    set_root(heap, heap->root != NULL ? merge(heap->root, node) : node);
}

// Cuts a node that is not the root, with all below it, out of its parent's list of children.
static void cut(struct weft__heap_node *node) {
    if (node->prev->child == node)
        node->prev->child = node->next;
    else
        node->prev->next = node->next;
    if (node->next != NULL)
        node->next->prev = node->prev;
}

void weft__heap_remove(struct weft__heap *heap, struct weft__heap_node *node) {
    if (!weft__heap_is_linked(node))
        return;
    struct weft__heap_node *below = merge_siblings(node->child);
    if (node == heap->root) {
        set_root(heap, below);
    } else {
        cut(node);
        if (below != NULL)
            set_root(heap, merge(heap->root, below));
    }
    node->child = node->next = node->prev = NULL;
}

struct weft__heap_node *weft__heap_pop_min(struct weft__heap *heap) {
    struct weft__heap_node *min = heap->root;
    if (min != NULL)
        weft__heap_remove(heap, min);
    return min;
}
