// SPDX-License-Identifier: MIT
// An intrusive singly linked queue: half the memory of a list, and only the nodes at its ends are
// touched. Not thread-safe and no owner of its nodes. Not for what must be taken out of the middle
// often: that is a list.
#ifndef WEFT__QUEUE_H
#define WEFT__QUEUE_H

#include <stddef.h>

struct weft__node {
    struct weft__node *next; // the queue's, while it is in one
};

// Zeroed: empty.
struct weft__queue {
    struct weft__node *head, *tail; // tail is undefined when head is NULL
    size_t count;
};

static inline void weft__queue_push(struct weft__queue *queue, struct weft__node *node) {
    node->next = NULL;
    if (queue->head)
        queue->tail->next = node;
    else
        queue->head = node;
    queue->tail = node;
    queue->count++;
}

static inline void weft__queue_push_front(struct weft__queue *queue, struct weft__node *node) {
    node->next = queue->head;
    if (!queue->head)
        queue->tail = node;
    queue->head = node;
    queue->count++;
}

// The first, or NULL.
static inline struct weft__node *weft__queue_pop(struct weft__queue *queue) {
    struct weft__node *node = queue->head;
    if (node) {
        queue->head = node->next;
        queue->count--;
    }
    return node;
}

// The one at a place below the count; linear.
static inline struct weft__node *weft__queue_take_at(struct weft__queue *queue, size_t index) {
    struct weft__node **link = &queue->head, *before = NULL;
    for (; index > 0; index--) {
        before = *link;
        link = &before->next;
    }
    struct weft__node *node = *link;
    *link = node->next;
    if (!node->next)
        queue->tail = before;
    queue->count--;
    return node;
}

#endif
