// SPDX-License-Identifier: MIT
//
// Order. A worker's own tasks start newest first, which makes a tree of tasks depth-first, so that
// it needs few stacks; the oldest now and then, so that they do not starve. A thief takes the
// oldest, which has most below it. What is placed from elsewhere (connections) is served in order.
#include "task/unstarted.h"

#include "os/os.h"
#include "task/worker.h"

struct weft__unstarted *weft__unstarted_new(void) {
    return weft__alloc(sizeof(struct weft__unstarted));
}

void weft__unstarted_free(struct weft__unstarted *u) {
    if (u)
        weft__deque_free(&u->spawned);
    weft__free(u);
}

void weft__unstarted_push(struct weft__unstarted *u, struct weft__task *task) {
    if (!weft__deque_push(&u->spawned, task)) // no memory for a larger deque: the list needs none
        weft__unstarted_place(u, task);
}

void weft__unstarted_pin(struct weft__unstarted *u, struct weft__task *task) {
    weft__queue_push(&u->pinned, &task->node);
}

static void place(struct weft__unstarted *u, struct weft__task *task, bool is_first) {
    weft__lock(&u->lock);
    if (is_first)
        weft__queue_push_front(&u->placed, &task->node);
    else
        weft__queue_push(&u->placed, &task->node);
    weft__own_add(&u->placed_size, 1);
    weft__unlock(&u->lock);
}

void weft__unstarted_place(struct weft__unstarted *u, struct weft__task *task) {
    place(u, task, false);
}

void weft__unstarted_put_back(struct weft__unstarted *u, struct weft__task *task) {
    if (task->is_pinned)
        weft__queue_push_front(&u->pinned, &task->node);
    else
        place(u, task, true);
}

static struct weft__task *task_of(struct weft__node *node) {
    return node ? WEFT__CONTAINER(node, struct weft__task, node) : NULL;
}

static struct weft__task *take_placed(struct weft__unstarted *u) {
    if (weft__load(&u->placed_size, relaxed) == 0)
        return NULL;
    weft__lock(&u->lock);
    struct weft__node *node = weft__queue_pop(&u->placed);
    if (node) {
        weft__own_add(&u->placed_size, -1U);
        weft__own_add(&u->placed_taken, 1);
    }
    weft__unlock(&u->lock);
    return task_of(node);
}

static struct weft__task *take_spawned(struct weft__unstarted *u) {
    if (u->takes % (2 * WEFT__OLDEST_EVERY) == 0) {
        struct weft__task *oldest = weft__deque_take_oldest(&u->spawned);
        if (oldest)
            return oldest;
    }
    return weft__deque_take_newest(&u->spawned);
}

static struct weft__task *take_from_elsewhere(struct weft__unstarted *u) {
    struct weft__task *task = task_of(weft__queue_pop(&u->pinned));
    return task ? task : take_placed(u);
}

// Own ones at even takes; with none from elsewhere every take is of an own one, so the count goes
// on by two.
struct weft__task *weft__unstarted_take(struct weft__unstarted *u) {
    bool is_alone = u->pinned.count == 0 && weft__load(&u->placed_size, relaxed) == 0;
    u->takes += is_alone ? 2 - u->takes % 2 : 1;
    struct weft__task *task = NULL;
    if (u->takes % 2 != 0)
        task = take_from_elsewhere(u);
    if (!task)
        task = take_spawned(u);
    return task || is_alone ? task : take_from_elsewhere(u);
}

struct weft__task *weft__unstarted_take_at(struct weft__unstarted *u, size_t index) {
    size_t size = weft__deque_size(&u->spawned);
    if (index < size)
        return weft__deque_take_at(&u->spawned, index);
    index -= size;
    if (index < u->pinned.count)
        return task_of(weft__queue_take_at(&u->pinned, index));
    weft__lock(&u->lock);
    struct weft__node *node = weft__queue_take_at(&u->placed, index - u->pinned.count);
    weft__own_add(&u->placed_size, -1U);
    weft__unlock(&u->lock);
    return task_of(node);
}

struct weft__task *weft__unstarted_steal(struct weft__unstarted *u) {
    struct weft__task *task = take_placed(u);
    return task ? task : weft__deque_take_oldest(&u->spawned);
}
