// SPDX-License-Identifier: MIT
//
// The pool that records of tasks come from. A task's life between weft_go and its scope is task.c,
// when it runs worker.c.
#ifndef WEFT__TASK_H
#define WEFT__TASK_H

#include "os/lock.h"
#include "task/worker.h"

// Records of tasks, in chunks that live as long as the runtime; each worker has some at hand. The
// lock guards all below it.
struct weft__task_pool { // zeroed: empty
    struct weft__lock lock;
    struct weft__queue free;
    struct weft__task_chunk *chunks;
};

void weft__task_pool_destroy(struct weft__task_pool *pool);
// `cache` is the calling worker's; NULL: a plain thread has none. NULL: no memory.
struct weft__task *weft__task_take(struct weft__task_pool *pool, struct weft__queue *cache);
void weft__task_give(struct weft__task_pool *pool, struct weft__queue *cache,
                     struct weft__task *task);
// Every record there is, in use or not; with the lock held.
void weft__task_pool_walk(struct weft__task_pool *pool,
                          void (*visit)(struct weft__task *task, void *arg), void *arg);

#endif
