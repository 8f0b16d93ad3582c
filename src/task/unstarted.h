// SPDX-License-Identifier: MIT
//
// The tasks of one worker that have not started: the only ones that may still go to another worker.
// Three queues, because their order and their writers differ. Not here: when one is started
// (worker.c), or who steals from whom (balance.c).
#ifndef WEFT__UNSTARTED_H
#define WEFT__UNSTARTED_H

#include "base/queue.h"
#include "os/lock.h"
#include "task/deque.h"

struct weft__task;

struct weft__unstarted {
    struct weft__deque spawned;         // started from the worker's own tasks
    struct weft__queue pinned;          // for this worker alone; the worker's own, oldest first
    uint32_t takes;                     // so far
    WEFT__ATOMIC(uint32_t) placed_size; // written under the lock
    WEFT__ATOMIC(uint32_t) placed_taken;
    struct weft__lock lock;
    struct weft__queue placed; // guarded by the lock: placed here by anybody, oldest first
};

struct weft__unstarted *weft__unstarted_new(void);    // NULL: no memory
void weft__unstarted_free(struct weft__unstarted *u); // empty; NULL is nothing

// The worker: a task that one of its own has started. Never fails.
void weft__unstarted_push(struct weft__unstarted *u, struct weft__task *task);
// The worker: one that no other may take.
void weft__unstarted_pin(struct weft__unstarted *u, struct weft__task *task);
// The worker: one that it has taken and could not start. It comes first again.
void weft__unstarted_put_back(struct weft__unstarted *u, struct weft__task *task);
// Anybody: a task from elsewhere.
void weft__unstarted_place(struct weft__unstarted *u, struct weft__task *task);

// The worker: the next one to start, or NULL. In turn one of its own tasks' (the newest, each
// WEFT__OLDEST_EVERY-th time the oldest) and one from elsewhere (the oldest), as far as there are.
struct weft__task *weft__unstarted_take(struct weft__unstarted *u);
// The worker, when there is no other: the one at a place below the count.
struct weft__task *weft__unstarted_take_at(struct weft__unstarted *u, size_t index);
// Anybody: the oldest of those that may go, or NULL (also when others were quicker).
struct weft__task *weft__unstarted_steal(struct weft__unstarted *u);

// How many may go to another worker; for others than the worker, a moment ago.
static inline size_t weft__unstarted_free_count(struct weft__unstarted *u) {
    return weft__deque_size(&u->spawned) + weft__load(&u->placed_size, relaxed);
}

// The worker: how many there are.
static inline size_t weft__unstarted_count(struct weft__unstarted *u) {
    return weft__unstarted_free_count(u) + u->pinned.count;
}

// Changes whenever one is taken at an old end.
static inline uint64_t weft__unstarted_stamp(struct weft__unstarted *u) {
    return (uint64_t)weft__deque_top(&u->spawned) + weft__load(&u->placed_taken, relaxed);
}

#endif
