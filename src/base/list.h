// SPDX-License-Identifier: MIT
// Intrusive circular doubly linked lists. The head and the nodes have one type; a node that is in
// no list points at itself, or is zeroed, so that zero-initialised structs work.
// Not thread-safe and no owner of its nodes: who guards a list is written where the list lives.
//
// A head is initialised before the first push. A node is zeroed or initialised before its first
// push, never left indeterminate: pushing a node that is still in a list is caught.
#ifndef WEFT__LIST_H
#define WEFT__LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/assert.h"

struct weft__list {
    struct weft__list *next;
    struct weft__list *prev;
};

// The struct of type `type` whose member `member` is at `ptr`, which must not be NULL.
#define WEFT__CONTAINER(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

// Makes a head empty, or a node unlinked.
static inline void weft__list_init(struct weft__list *list) {
    list->next = list;
    list->prev = list;
}

static inline bool weft__list_is_empty(const struct weft__list *list) {
    return list->next == NULL || list->next == list;
}

// True while the node is in some list.
static inline bool weft__list_is_linked(const struct weft__list *node) {
    return !weft__list_is_empty(node);
}

// Puts `node` between two neighbours; the pushes are this with different neighbours.
static inline void weft__list_link(struct weft__list *prev, struct weft__list *node,
                                   struct weft__list *next) {
    ASSERT(!weft__list_is_linked(node));
    node->prev = prev;
    node->next = next;
    prev->next = node;
    next->prev = node;
}

static inline void weft__list_push_back(struct weft__list *list, struct weft__list *node) {
    weft__list_link(list->prev, node, list);
}

static inline void weft__list_push_front(struct weft__list *list, struct weft__list *node) {
    weft__list_link(list, node, list->next);
}

// Takes the node out of whatever list it is in. Harmless when it is in none, so a node may be
// removed twice; it is left unlinked.
static inline void weft__list_remove(struct weft__list *node) {
    if (!weft__list_is_linked(node))
        return;
    node->prev->next = node->next;
    node->next->prev = node->prev;
    weft__list_init(node);
}

// The first node, or NULL when the list is empty.
static inline struct weft__list *weft__list_first(const struct weft__list *list) {
    return weft__list_is_empty(list) ? NULL : list->next;
}

// The last node, or NULL when the list is empty.
static inline struct weft__list *weft__list_last(const struct weft__list *list) {
    return weft__list_is_empty(list) ? NULL : list->prev;
}

// The node after `node`, or NULL at the end. To remove while walking, ask for it before removing.
static inline struct weft__list *weft__list_next(const struct weft__list *list,
                                                 const struct weft__list *node) {
    return node->next == list ? NULL : node->next;
}

// Removes and returns the first node, or NULL when the list is empty.
static inline struct weft__list *weft__list_pop_front(struct weft__list *list) {
    struct weft__list *node = weft__list_first(list);
    if (node != NULL)
        weft__list_remove(node);
    return node;
}

// Moves all nodes of `from` to the end of `list`, in order; `from` is left empty. Constant time.
static inline void weft__list_splice(struct weft__list *list, struct weft__list *from) {
    ASSERT(list != from);
    if (weft__list_is_empty(from))
        return;
    from->next->prev = list->prev;
    list->prev->next = from->next;
    from->prev->next = list;
    list->prev = from->prev;
    weft__list_init(from);
}

#endif
